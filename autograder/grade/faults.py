"""Mistakes in the grader itself: checks that raised, and submissions on which grading failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from autograder.files import several
from autograder.grade.report import GRADER, Report

FILE = "grader-errors.txt"
WHOLE = "Grading as a whole"


@dataclass(frozen=True)
class Fault:
    """One check that failed on our side.

    Attributes:
        where: the question's id and the check's name, or :data:`WHOLE`.
        submissions: those in which it failed.
        tracebacks: one for each error, by its last line; the most frequent first.
    """

    where: str
    submissions: tuple[str, ...]
    tracebacks: dict[str, str]


def find_faults(reports: Sequence[Report]) -> list[Fault]:
    """Every check that failed on our side, by question."""
    found: dict[str, list[tuple[str, str]]] = {}
    for report in sorted(reports, key=lambda one: (one.homework, one.submission)):
        if report.fault:
            found.setdefault(WHOLE, []).append((report.submission, report.fault))
        for question in report.questions:
            for check in question.checks:
                if check.cause == GRADER:
                    where = f"{question.id} '{check.name}'"
                    found.setdefault(where, []).append((report.submission, check.fault))
    return [_fault(where, cases) for where, cases in found.items()]


def _fault(where: str, cases: Sequence[tuple[str, str]]) -> Fault:
    counts = Counter(last_line(text) for _, text in cases)
    texts = {last_line(text): text for _, text in reversed(cases)}
    return Fault(
        where, tuple(name for name, _ in cases), {error: texts[error] for error, _ in counts.most_common()}
    )


def tracebacks(reports: Sequence[Report]) -> list[str]:
    """Each error once, with the check that it concerns before it."""
    return [
        f"{fault.where} failed on our side:\n{text}"
        for fault in find_faults(reports)
        for text in fault.tracebacks.values()
    ]


def last_line(traceback: str) -> str:
    """What a traceback says in the end, such as ``KeyError: 'x'``."""
    return next((line.strip() for line in reversed(traceback.splitlines()) if line.strip()), "unknown error")


def fault_line(fault: Fault, path: object) -> str:
    """One line for the terminal.

    Args:
        fault: what failed.
        path: the file with the tracebacks.
    """
    count = len(fault.submissions)
    error, *others = fault.tracebacks
    more = f" and {several(len(others), 'other error')}" if others else ""
    return (
        f"{fault.where} failed on our side in {several(count, 'submission')}: {error}{more}"
        f" (traceback: {path})"
    )


def faults_text(faults: Sequence[Fault]) -> str:
    """The file of tracebacks: for each fault where it is, whom it concerns, and each error once."""
    parts = []
    for fault in faults:
        names = ", ".join(fault.submissions)
        parts.append("\n".join([fault.where, f"Submissions: {names}", "", *fault.tracebacks.values()]))
    return ("\n" + "-" * 80 + "\n").join(part.rstrip() + "\n" for part in parts)
