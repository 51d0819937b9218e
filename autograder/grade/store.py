"""Keeps results: a report as ``results.json`` in Gradescope's format, and the folder of a class's results."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.files import SECRET, encoded, write_atomically
from autograder.grade.report import CheckResult, Overridden, QuestionResult, Raised, Report, Request, Tried

PRIVATE = 0o700  # the folder of results: it holds the seed, grades and names
RESULTS = "results.json"
EXECUTED = "executed.ipynb"
SECONDS = "seconds.json"
MAX_EXECUTED = 20_000_000  # bytes of an executed notebook that is read back


class OutputBusyError(Exception):
    """Another batch is writing to the folder of results."""


def results_json(report: Report) -> dict[str, Any]:
    """The report in Gradescope's results format (Gradescope autograder specifications, ``results.json``).

    ``extra_data`` holds the whole report, so that :func:`read_results` gets it back.
    """
    tests = [
        {
            "name": f"{question.id} {question.title}: {check.name}",
            "number": question.id,
            "score": _score(question, check),
            "max_score": 0.0 if question.extra else check.maximum,
            "status": "passed" if check.state == "passed" else "failed",
            "output": _told(question, check),
            "output_format": "md",
            "visibility": "visible",
            **({"tags": [check.cause]} if check.cause else {}),
        }
        for question in report.questions
        for check in question.checks
    ]
    tests += [
        {
            "name": f"{question.id} {question.title}: written answer",
            "number": question.id,
            "score": question.given,
            "max_score": question.written_points,
            "status": "passed" if question.given >= question.written_points else "failed",
            "output": (
                "\n\n".join([*(f"- {reason}" for reason in question.reasons), question.comment]).strip()
                or "Graded by a person."
            ),
            "output_format": "text",
            "visibility": "visible",
        }
        for question in report.questions
        if question.given is not None
    ]
    open_answers = [
        question for question in report.questions if question.written is not None and question.given is None
    ]
    pending = [f"{question.id} ({question.written_points:g} points)" for question in open_answers]
    lines = list(report.notes)
    if pending:
        lines.append(
            f"Free responses are graded by a person and have no points yet: {', '.join(pending)}. They are"
            " open, not 0: the points here do not count them."
        )
    return {
        "score": report.points + report.given,
        "output": "\n\n".join(lines),
        "output_format": "md",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "execution_time": round(report.seconds),
        "tests": tests,
        "extra_data": {"status": report.status, "report": dataclasses.asdict(report)},
    }


def _score(question: QuestionResult, check: CheckResult) -> float:
    """A check's points as a test's score; tests add up to the question's points, whoever set those."""
    whole = question.override("")
    if whole is None:
        return question.earned(check)
    # all checks together have other points: they are spread as the maximum is
    maximum = question.maximum
    return round(whole.points * check.maximum / maximum, 4) if maximum else 0.0


def _told(question: QuestionResult, check: CheckResult) -> str:
    """What students read of a check, with the points that were set in place of the judged ones."""
    found = question.override("") or question.override(check.name)
    told = check.told or "Right."
    if found is None:
        return told
    return f"Points of {found.what} set by your course's staff: {found.points:g}. {found.why}\n\n{told}"


def read_results(data: Mapping[str, Any]) -> Report:
    """The report that :func:`results_json` wrote."""
    raw = dict(data["extra_data"]["report"])
    questions = tuple(
        QuestionResult(
            **{
                **question,
                "checks": tuple(CheckResult(**check) for check in question["checks"]),
                "notes": tuple(question.get("notes", ())),
                "reasons": tuple(question.get("reasons", ())),
                "rubric": tuple((words, points) for words, points in question.get("rubric", ())),
                "overrides": tuple(Overridden(**one) for one in question.get("overrides", ())),
                "nearby": tuple(question.get("nearby", ())),
            }
        )
        for question in raw.pop("questions")
    )
    raised = tuple(Raised(**{**one, "questions": tuple(one["questions"])}) for one in raw.pop("raised", ()))
    requests = tuple(Request(**one) for one in raw.pop("requests", ()))
    tried = (Tried(**{**one, "mistakes": tuple(one["mistakes"])}) for one in raw.pop("history", ()))
    made = {**raw, "questions": questions, "notes": tuple(raw["notes"]), "raised": raised}
    return Report(**made, requests=requests, history=tuple(tried))


def write_results(folder: Path, report: Report) -> None:
    """Writes ``results.json`` of one submission into its folder, unless it says the same already."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    data = encoded(json.dumps(results_json(report), indent=1, ensure_ascii=False) + "\n")
    if not path.is_file() or path.read_bytes() != data:
        write_atomically(path, data)


def read_reports(output: Path) -> list[Report]:
    """The reports of a folder of results, by submission.

    Raises:
        FileNotFoundError: it holds none.
    """
    found = [
        read_results(json.loads(path.read_text(encoding="utf-8")))
        for path in sorted((output / "submissions").glob("*/results.json"))
    ]
    if not found:
        raise FileNotFoundError(f"{output}: no results; grade submissions into this folder first")
    return found


def read_executed(folder: Path) -> NotebookNode | None:
    """The executed notebook in a submission's folder of results, None if there is none that can be read."""
    path = folder / "executed.ipynb"
    try:
        if path.stat().st_size > MAX_EXECUTED:
            return None
        return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError, AttributeError, KeyError):
        return None


def read_seconds(folder: Path) -> dict[str, float]:
    """Wall time by question, out of a submission's folder of results; empty if none was kept."""
    try:
        return {
            str(name): float(spent) for name, spent in json.loads((folder / SECONDS).read_bytes()).items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


class Results:
    """The folder of results: one folder a submission, its ``results.json`` written last and whole.

    Args:
        folder: the output folder; made if missing.

    Raises:
        OutputBusyError: another batch is writing there.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(PRIVATE)
        with contextlib.suppress(ImportError):  # Windows has no fcntl and goes without the lock
            import fcntl

            self.lock = os.open(folder, os.O_RDONLY)  # held until this process ends, however it ends
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                self.close()
                raise OutputBusyError(f"Another grading run is writing to {folder}.") from None
            except OSError:  # some network shares have no locks; without one the rest works
                self.close()

    def close(self) -> None:
        """Gives the folder free for other batches; the end of the process does so, too."""
        if (lock := getattr(self, "lock", None)) is not None:
            os.close(lock)
            del self.lock

    def of(self, submission: str) -> Path:
        """One submission's folder."""
        return self.folder / "submissions" / submission

    def kept(self, submission: str, key: str) -> Report | None:
        """The report of an earlier run, if nothing has changed since that it depends on.

        What a mistake in the grader left open is never kept: the next run tries it again.
        """
        path = self.of(submission) / RESULTS
        if path.is_symlink() or path.parent.is_symlink():  # the grader never makes links
            return None
        try:
            found = read_results(json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return found if found.key == key and not found.faulty else None

    def keep(self, report: Report, executed: str = "", seconds: Mapping[str, float] | None = None) -> None:
        """Writes one result: first what belongs to it, then the file that says that it is there.

        Args:
            report: of one submission.
            executed: the text of its executed notebook; empty if it was not executed.
            seconds: wall time by question.
        """
        folder = self.of(report.submission)
        if folder.is_symlink():  # nothing is written to where it leads
            folder.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        if executed:
            write_atomically(folder / EXECUTED, encoded(executed), SECRET)
            write_atomically(folder / SECONDS, json.dumps(seconds or {}).encode(), SECRET)
        else:
            (folder / EXECUTED).unlink(missing_ok=True)
            (folder / SECONDS).unlink(missing_ok=True)
        write_results(folder, report)
