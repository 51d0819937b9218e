"""The feedback page of a submission, and the one call that ends a batch: :func:`publish`.

A page is one HTML file that opens from disk: no script, nothing loaded, everything of the student's
sanitized.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import nbformat
from jinja2 import Environment
from markupsafe import Markup
from nbformat import NotebookNode

from autograder.declare import Homework, homeworks
from autograder.files import encoded, write_atomically
from autograder.grade import leaks
from autograder.grade.report import CheckResult, Report, so_far
from autograder.grade.store import read_executed
from autograder.report import safehtml
from autograder.report.notebook_html import render_cells
from autograder.report.places import check_places
from autograder.report.shown import ShownQuestion, shown_questions
from autograder.report.tables import REVEAL
from autograder.run.guard import PAGE_SECONDS, OverLimitError, limited
from autograder.submissions.cells import is_kit, record_cells

NOT_REVEALED = "This output shows inputs of hidden checks, so it is left out here. Your instructor has it."
NOT_SHOWN = "The notebook is not shown: to show it {why}. The results above are complete."


@dataclass(frozen=True)
class ShownCell:
    """A rendered cell, its number from 1, and the question whose result stands below it."""

    html: Markup
    folded: bool
    question: ShownQuestion | None
    number: int = 0


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return safehtml.environment()


def shown_cells(
    notebook: NotebookNode, homework: Homework, questions: Iterable[ShownQuestion]
) -> list[ShownCell]:
    """The notebook's cells with each question's result at its place; results without a place come last."""
    places = record_cells(notebook, homework)
    by_id = {question.result.id: question for question in questions}
    cells = [
        ShownCell(
            html,
            notebook.cells[index].cell_type == "code" and is_kit(notebook.cells[index].source),
            by_id.get(places.get(index, "")),
            index + 1,
        )
        for index, html in enumerate(render_cells(notebook))
    ]
    placed = {cell.question.result.id for cell in cells if cell.question}
    return cells + [
        ShownCell(Markup(""), False, question) for name, question in by_id.items() if name not in placed
    ]


def feedback_page(
    graded: Report,
    notebook: NotebookNode | None,
    reveal: str = "words",
    stamp: str = "",
    trouble: str = "",
) -> str:
    """The feedback page of one submission.

    Args:
        graded: its report.
        notebook: as executed; None if it could not be read.
        reveal: how much of the hidden inputs the page may show, one of :data:`REVEAL`.
        stamp: what the page was made from, in short; :func:`write_feedback` looks for it.
        trouble: why the notebook is not shown, in words.
    """
    questions = shown_questions(graded, reveal)
    homework = homeworks().get(graded.homework)
    cells: list[ShownCell] = []
    if notebook is not None and reveal == REVEAL[0]:
        notebook = _without_prints(notebook)
    if notebook is not None and homework is not None:
        try:
            cells = shown_cells(notebook, homework, questions)
            places = check_places(notebook, homework, graded.questions)
            questions = _with_places(questions, places, len(cells))
        except Exception as error:  # whatever a notebook holds, its student gets a page
            trouble = (
                f"The notebook could not be shown ({type(error).__name__}); the results above are complete."
            )
    told = {note for question in graded.questions for note in question.notes}
    return (
        _environment()
        .get_template("feedback.html.j2")
        .render(
            graded=graded,
            score=so_far(graded),
            homework=homework,
            questions=questions,
            cells=cells,
            trouble=trouble,
            notes=[note for note in graded.notes if note not in told],
            groups=_parts(questions),
            meter=_meter(graded),
            waiting=[question for question in questions if question.waits],
            reveal=reveal,
            stamp=stamp,
        )
    )


def _with_places(
    questions: Iterable[ShownQuestion], places: Mapping[tuple[str, str], int], shown: int
) -> list[ShownQuestion]:
    """The questions, whose checks that did not pass name the cell that they concern."""
    made = []
    for question in questions:
        checks = []
        for check in question.checks:
            index = places.get((question.result.id, check.result.name), shown)
            lost = check.state != "pass" and index < shown
            checks.append(dataclasses.replace(check, cell=index + 1) if lost else check)
        made.append(dataclasses.replace(question, checks=tuple(checks)))
    return made


def _parts(questions: Iterable[ShownQuestion]) -> dict[str, list[ShownQuestion]]:
    """The questions by what there is to do about them: what failed first, what passed last."""
    found: dict[str, list[ShownQuestion]] = {"lost": [], "blank": [], "waiting": [], "done": []}
    for question in questions:
        if question.is_done:
            found["done"].append(question)
        elif question.waits and not question.checks:
            found["waiting"].append(question)
        else:
            found["blank" if question.state == "open" else "lost"].append(question)
    order = ("fail", "part", "fault", "pass")  # passed, but for the written answer
    found["lost"].sort(key=lambda one: order.index(one.state))
    return found


@dataclass(frozen=True)
class Meter:
    """The points of a page's bar, without extra credit: earned, open, and lost of all that can be had."""

    earned: float
    open: float
    lost: float

    @property
    def total(self) -> float:
        """All that can be had."""
        return self.earned + self.open + self.lost


def _meter(graded: Report) -> Meter:
    counted = [question for question in graded.questions if not question.extra]
    earned = sum(question.total for question in counted)
    return Meter(
        earned,
        sum(question.open_points + question.open_written for question in counted),
        max(0.0, graded.reachable - earned),
    )


def _without_prints(notebook: NotebookNode) -> NotebookNode:
    """The notebook without the outputs that show hidden inputs."""
    cells = []
    for cell in notebook.cells:
        marked = cell.metadata.get(leaks.MARK, [])
        if marked and cell.cell_type == "code":
            outputs = [
                nbformat.v4.new_output("stream", text=f"[{NOT_REVEALED}]\n") if index in marked else output
                for index, output in enumerate(cell.outputs)
            ]
            cell = nbformat.from_dict({**cell, "outputs": outputs})
        cells.append(cell)
    return nbformat.from_dict({**notebook, "cells": cells})


def write_feedback(folder: Path, graded: Report, reveal: str, plain: str = "") -> bool:
    """Writes ``feedback.html`` into a submission's folder of results, within limits on time and memory.

    Args:
        folder: the submission's.
        graded: its report.
        reveal: how much of the hidden inputs the page may show.
        plain: why the page is to go without the notebook, in words; empty to show it.

    Returns:
        False if the page that is there would come out the same; it is left alone then.
    """
    path, executed = folder / "feedback.html", folder / "executed.ipynb"
    parts = [
        json.dumps(dataclasses.asdict(graded), sort_keys=True).encode(),
        executed.read_bytes() if executed.is_file() else b"",
        reveal.encode(),
        plain.encode(),
        _own_text(),
    ]
    stamp = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    if path.is_file():
        with path.open("rb") as file:
            if stamp.encode() in file.read(1_000):
                return False
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, encoded(_page_within_limits(folder, graded, reveal, stamp, plain)))
    return True


def _page_within_limits(folder: Path, graded: Report, reveal: str, stamp: str, plain: str) -> str:
    """The page, as much of it as can be made within the limits: without the notebook, or the notes alone."""
    trouble = plain
    if not plain:
        try:
            with limited(PAGE_SECONDS):
                return feedback_page(graded, read_executed(folder), reveal, stamp)
        except OverLimitError as error:
            trouble = NOT_SHOWN.format(why=error)
    try:
        with limited(PAGE_SECONDS):
            return feedback_page(graded, None, reveal, stamp, trouble)
    except OverLimitError as error:
        # what is left are the points: their texts are what takes so long
        bare = [
            dataclasses.replace(question, written=None, checks=tuple(map(_without_words, question.checks)))
            for question in graded.questions
        ]
        told = f"To show this page {error}, so it has the points alone."
        return feedback_page(
            dataclasses.replace(graded, questions=tuple(bare), notes=()), None, reveal, stamp, told
        )


def _without_words(check: CheckResult) -> CheckResult:
    return dataclasses.replace(check, feedback="", evidence=None)


@lru_cache(maxsize=1)
def _own_text() -> bytes:
    """What pages are made by: when it changes, they are made anew."""
    package = Path(__file__).parents[1]
    others = [package / "declare/evidence.py", package / "submissions/cells.py"]
    own = [*sorted((package / "report").glob("*.py")), *others, *sorted(safehtml.TEMPLATES.rglob("*.*"))]
    return b"".join(path.read_bytes() for path in own)
