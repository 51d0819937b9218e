"""The last cell: what is recorded, what is missing, and one zip to hand in."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autograder.kit.answers import NOT_FOUND, lines_given, written_answers
from autograder.kit.clock import clock, stamp
from autograder.kit.feedback import Feedback, Line, show_table
from autograder.kit.handing_in import SavedNotebook, find_notebook
from autograder.kit.packing import pack, packed_files
from autograder.kit.rehearsing import show_rehearsal
from autograder.kit.state import STALE, Recorded

COLUMNS = ("number", "question", "points", "written", "state")


def show_summary(log: Recorded, rehearse: bool = True) -> None:
    """Writes the log, zips what is to be handed in, and says what is recorded, missing or out of date.

    Args:
        log: what is recorded.
        rehearse: whether the saved notebook is run once more, as grading will, once the zip is there.
    """
    summary = _summarize(log)
    lines = [*_stale_lines(summary), *_missing_lines(summary), *_file_lines(log)]
    if not any(state is False for state, _ in lines) and not _missing(log):
        told = "Nothing is missing among the questions that count. Recorded does not mean right"
        lines.insert(0, (True, f"{told}: the checks tell more."))
    lines.append((None, _points_line(summary)))
    files = packed_files(log, summary.notebook)
    if log.challenged == "public":
        lines += files.lines
        lines += pack(log, summary.notebook, files, ready=all(state is not False for state, _ in lines))
    recorded = sum(log.state(question) == "recorded" for question in log.questions)
    asked = sum(bool(question["entries"]) for question in log.questions.values())
    title = f"{log.homework['id']}: {recorded} of {asked} questions recorded in {log.path.name}"
    Feedback(title, lines).show()
    rows = [_question_row(summary, question) for question in log.questions.values()]
    show_table(COLUMNS, rows)
    if log.challenged == "public" and summary.notebook is not None and rehearse:
        if summary.listed("unsaved"):
            told = "Save the notebook, then run this cell again: it is rehearsed as it was saved."
            Feedback("Not rehearsed yet", [(None, told)]).show()
        else:
            stale = [question for question, kind in summary.stale.items() if kind]
            show_rehearsal(log, summary.notebook, files.files, stale)


@dataclass(frozen=True)
class Summary:
    """What the last cell knows.

    Attributes:
        log: what is recorded; written.
        notebook: the notebook as saved, if it was found.
        stale: question → ``changed``, ``edited``, ``unsaved`` or empty.
        words: question → how many words its written answer has; None without a notebook.
        lost: written answers that are not found, as their heading is gone.
    """

    log: Recorded
    notebook: SavedNotebook | None
    stale: Mapping[str, str]
    words: Mapping[str, int] | None
    lost: Sequence[str] = ()

    def listed(self, kind: str) -> str:
        """The questions that are stale in one way, as a list in words."""
        return ", ".join(question for question in self.log.questions if self.stale.get(question) == kind)


def _summarize(log: Recorded) -> Summary:
    """Writes the log and compares it with the notebook as saved."""
    # before the notebook is compared: what ran again with the same values gets its new cells
    log.write()
    notebook = None
    if log.challenged == "public":
        given = (os.environ.get("JPY_SESSION_NAME"), log.namespace.get("__vsc_ipynb_file__"))
        notebook = find_notebook(log.path.parent, log.homework, log.ran(), given)
    stale: dict[str, str] = {}
    words, lost = None, []
    if notebook:
        digests = notebook.digests()
        stale = {question: log.edited(question, notebook, digests) for question in log.questions}
        asked = [name for name, question in log.questions.items() if question.get("written")]
        answers = written_answers(notebook.cells, asked, lines_given(log.homework))
        words = {question: len(answer.text.split()) for question, answer in answers.items()}
        lost = [question for question, answer in answers.items() if answer.state == NOT_FOUND]
    log.write(stale)
    stale |= {question: told["stale"] for question, told in log.answers.items() if "stale" in told}
    return Summary(log, notebook, stale, words, tuple(lost))


def _question_row(summary: Summary, question: Mapping[str, Any]) -> tuple[str, ...]:
    points = f"{question['points']:g}{' extra' if question.get('extra') else ''}"
    written = f"{question['written']:g}" if question.get("written") else ""
    told = _state_words(summary, question["id"])
    if written:
        told.append(_written_words(summary, question["id"]))
    shown = points if question["entries"] else ""
    return question["id"], question["title"], shown, written, ", ".join(told)


def _state_words(summary: Summary, question: str) -> list[str]:
    log, stale = summary.log, summary.stale.get(question, "")
    if stale in STALE:
        return [f"✗ {STALE[stale]}"]
    state = log.state(question)
    if state == "written":
        return []
    told = [{"recorded": "✓ "}.get(state, "· ") + state]
    if log.answers.get(question, {}).get("earlier"):
        told.append(f"at {clock(log.answers[question].get('recorded'))}, before this kernel started")
    return told


def _written_words(summary: Summary, question: str) -> str:
    if summary.words is None:
        return "in the notebook"
    if question in summary.lost:
        return "· written answer not found"
    count = summary.words.get(question, 0)
    return f"{count} words written" if count else "· nothing written yet"


def _stale_lines(summary: Summary) -> list[Line]:
    """What is out of date or not saved, a line for each kind."""
    lines: list[Line] = []
    if changed := summary.listed("changed"):
        told = f"Changed after recording: {changed}. The log holds the old answer."
        lines.append((False, f"{told} Run the record cell again, then this cell."))
    if edited := summary.listed("edited"):
        told = f"Edited in the notebook after recording: {edited}. The log holds the old answer."
        lines.append((False, f"{told} Run the cells of the answer and its record cell, then this cell."))
    notebook = summary.notebook
    if (unsaved := summary.listed("unsaved")) and notebook and notebook.saved:
        told = f"Not saved yet: the file `{notebook.name}` of {clock(stamp(notebook.saved))}"
        told += f" lacks cells that ran for {unsaved}."
        lines.append((False, f"{told} Save the notebook (Ctrl+S, on a Mac ⌘S), then run this cell again."))
    return lines


def _missing(log: Recorded) -> list[str]:
    """The questions that count and are not recorded."""
    counts = [one["id"] for one in log.questions.values() if one["entries"] and not one.get("extra")]
    return [question for question in counts if log.state(question) != "recorded"]


def _missing_lines(summary: Summary) -> list[Line]:
    lines: list[Line] = []
    if missing := _missing(summary.log):
        told = f"Missing or incomplete: {', '.join(missing)}."
        lines.append((None, f"{told} Answer them, run their record cells, then this cell."))
    if summary.words is not None:
        asked = [name for name, one in summary.log.questions.items() if one.get("written")]
        if lost := ", ".join(summary.lost):
            told = f"Not found: the written answers {lost}, as the line **Answer …** above them is gone or"
            told += " several texts could be meant. Put the line back, such as"
            lines.append((None, f"{told} **Answer {summary.lost[0]}**, save, and run this cell again."))
        if blank := [name for name in asked if not summary.words.get(name) and name not in summary.lost]:
            told = f"No words yet in the written answers {', '.join(blank)} of the saved notebook."
            lines.append((None, told))
    return lines


def _file_lines(log: Recorded) -> list[Line]:
    lines: list[Line] = []
    for spec in log.files():
        file = log.path.with_name(spec["file"])
        if not file.is_file():
            others = sorted(path.name for path in file.parent.glob(f"*{file.suffix}") if path.is_file())
            names = ", ".join(f"`{name}`" for name in others[:3])
            hint = f" There is {names}; if it is that one, rename it." if others else ""
            lines.append((None, f"`{file.name}` is not there yet.{hint}"))
    return lines


def _points_line(summary: Summary) -> str:
    """One sentence on points, by who gives them, and how much of each is there to be graded."""
    log, words = summary.log, summary.words
    auto = [one for one in log.questions.values() if one["entries"] and not one.get("extra")]
    extra = [one for one in log.questions.values() if one.get("extra")]
    people = [one for one in log.questions.values() if one.get("written")]

    def there(some: Sequence[Mapping[str, Any]]) -> str:
        recorded = sum(one["points"] for one in some if log.state(one["id"]) == "recorded")
        return f"{recorded:g} of {sum(one['points'] for one in some):g}"

    parts = [f"Recorded so far: questions worth {there(auto)} points that are graded automatically"]
    if people:
        total = f"{sum(one['written'] for one in people):g}"
        if words is not None:
            total = f"{sum(one['written'] for one in people if words.get(one['id'])):g} of {total}"
        parts.append(f"written answers worth {total} points, graded by people")
    if extra:
        parts.append(f"{there(extra)} points of extra credit")
    return f"{'; '.join(parts)}."
