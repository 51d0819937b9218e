"""What did not run here, over a class: modules that are missing, cells that raised, limits that were met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from autograder.files import several
from autograder.grade.report import LIMIT, LOST, Raised, Report

MANY = 0.5  # the share of a class from which on a limit is probably too tight


@dataclass(frozen=True)
class Missing:
    """A module that is not installed here, the submissions that import it, and the questions it cost."""

    module: str
    submissions: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Broken:
    """A cell that raised or met a limit in several submissions: what, in which, and the questions it cost."""

    words: str
    submissions: tuple[str, ...]
    questions: tuple[str, ...]


@dataclass(frozen=True)
class NotRun:
    """All of it for one homework.

    Attributes:
        causes: cause → questions that it concerns, as question → submissions.
    """

    modules: tuple[Missing, ...]
    cells: tuple[Broken, ...]
    causes: dict[str, dict[str, tuple[str, ...]]]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to tell."""
        return not (self.modules or self.cells or self.causes)


def not_run(reports: Sequence[Report]) -> NotRun:
    """What did not run here, most frequent first."""
    modules: dict[str, list[tuple[str, Raised]]] = {}
    cells: dict[str, list[tuple[str, Raised]]] = {}
    for report in sorted(reports, key=lambda one: one.submission):
        for raised in report.raised:
            if raised.module:
                modules.setdefault(raised.module, []).append((report.submission, raised))
            else:
                # the same first line and exception, wherever the cell stands
                kind = raised.limit or f"{raised.kind}: {raised.message}"
                cells.setdefault(f"{raised.first}\n{kind}", []).append((report.submission, raised))
    causes: dict[str, dict[str, tuple[str, ...]]] = {}
    for cause in LOST:
        for report in reports:
            for question in report.questions:
                if cause in question.causes:
                    of = causes.setdefault(cause, {})
                    of[question.id] = (*of.get(question.id, ()), report.submission)
    return NotRun(
        tuple(Missing(name, *_who(found)) for name, found in _by_count(modules)),
        tuple(Broken(found[0][1].words, *_who(found)) for _, found in _by_count(cells)),
        causes,
    )


def _by_count(
    groups: dict[str, list[tuple[str, Raised]]],
) -> list[tuple[str, list[tuple[str, Raised]]]]:
    return sorted(groups.items(), key=lambda item: -len({name for name, _ in item[1]}))


def _who(found: Sequence[tuple[str, Raised]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The submissions and the questions of some cells."""
    questions = dict.fromkeys(question for _, raised in found for question in raised.questions)
    return tuple(dict.fromkeys(name for name, _ in found)), tuple(questions)


def class_lines(reports: Sequence[Report]) -> list[str]:
    """What an instructor should hear at the end of a batch: a line for each missing module, and on limits."""
    found, lines = not_run(reports), []
    for one in found.modules:
        if not one.questions:
            continue  # the class report lists it
        count = len(one.submissions)
        cost = f"it cost points in {', '.join(one.questions)}"
        verb = "imports" if count == 1 else "import"
        lines.append(
            f"{several(count, 'notebook')} {verb} {one.module}, which is neither installed"
            f" here nor handed in; {cost}. Install it where you grade, or give a folder that has it with"
            f" --packages, and grade with --allow-package {one.module} or a file of --requirements."
        )
    judged = [report for report in reports if report.questions]
    limited = [report for report in judged if LIMIT in report.causes]
    if judged and len(limited) > MANY * len(judged):
        told = [raised.limit for report in limited for raised in report.raised if raised.limit]
        most = f" ({max(set(told), key=told.count).rstrip('.')})" if told else ""
        lines.append(
            f"{len(limited)} of {len(judged)} submissions lost points to a limit{most}. A limit that ends"
            " more than half of a class is probably too tight: see --cell-seconds, --total-seconds, --limit."
        )
    return lines
