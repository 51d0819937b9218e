"""What stands beside an answer: its question's text, the student's code, figures and cells of that question.

All of it comes as harmless HTML. Figures are decoded and written anew in a process of their own.
"""

from __future__ import annotations

import base64
import re
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache

import nbformat
from markupsafe import Markup
from nbformat import NotebookNode

from autograder.declare import homeworks
from autograder.desk.stacks import Answer, Desk
from autograder.grade.report import Report
from autograder.grade.store import read_executed
from autograder.kit.headings import heading
from autograder.report import safehtml
from autograder.report.notebook_html import render_cells
from autograder.submissions.cells import is_kit
from autograder.submissions.own_figures import figures_of
from autograder.submissions.pictures import recoded
from autograder.submissions.similarity import skeleton

KEPT = 64  # notebooks that the grading page remembers
MAX_CELLS, MAX_FIGURES = 30, 12  # of a question that are shown
_TITLE = re.compile(r"\s*(?P<level>#{1,6})\s+(?P<question>\d+\.\d+[a-z]?)?\b")


@dataclass(frozen=True)
class ShownCell:
    """A cell of the student's, with numbers and words of the figures that it drew."""

    html: Markup
    code: bool
    figures: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Beside:
    """What stands beside an answer.

    Attributes:
        cells: those of its question, the answer left out.
        figures: as they were handed in, by number.
        trouble: why cells are not shown, in words.
    """

    cells: tuple[ShownCell, ...] = ()
    figures: tuple[bytes, ...] = ()
    trouble: str = ""


def section(notebook: NotebookNode, question: str) -> list[int]:
    """The cells from a question's title up to the next title; none where the title is gone."""
    found: list[int] = []
    inside = False
    for index, cell in enumerate(notebook.cells):
        titles = [match for line in cell.source.split("\n")[:1_000] if (match := _TITLE.match(line))]
        if cell.cell_type == "markdown" and titles:
            named = next((title["question"] for title in titles if title["question"]), None)
            if named == question:
                inside = True
            elif named or min(len(title["level"]) for title in titles) <= 2:
                inside = False
        if inside:
            found.append(index)
    return found


@lru_cache(maxsize=128)
def question_text(homework: str, question: str) -> Markup:
    """What the question asks, as students read it; empty where this installation has no student version."""
    known = homeworks().get(homework)
    given = skeleton(known) if known else None
    if given is None:
        return Markup("")
    cells = [given.cells[index] for index in section(given, question)]
    texts = [cell.source for cell in cells if cell.cell_type == "markdown" and not _answers(cell.source)]
    return Markup("").join(safehtml.markdown(text) for text in texts)


@lru_cache(maxsize=16)
def _given(homework: str) -> frozenset[str]:
    """The texts that the student version holds, spacing aside."""
    known = homeworks().get(homework)
    given = skeleton(known) if known else None
    return frozenset(_bare(cell.source) for cell in given.cells) if given is not None else frozenset()


def _bare(source: str) -> str:
    return " ".join(source.split())


def _is_own(cell: NotebookNode, given: frozenset[str]) -> bool:
    """Whether a cell shows something of the student's: code that does more than check, or words of theirs."""
    if cell.cell_type == "code":
        return not re.fullmatch(r"\s*(?:(?:check|record)\([^()]*\)\s*)*", cell.source)
    return _bare(cell.source) not in given and not _answers(cell.source)


def _answers(source: str) -> bool:
    return any(heading(line) is not None for line in source.split("\n")[:200])


class Shelf:
    """The executed notebooks that the grading page has looked at last."""

    def __init__(self, desk: Desk):
        self.desk = desk
        self._kept: OrderedDict[tuple[str, str], Beside] = OrderedDict()

    def beside(self, answer: Answer) -> Beside:
        """What stands beside an answer."""
        name = answer.report.submission, answer.result.id
        if name not in self._kept:
            self._kept[name] = self._made(answer)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return self._kept[name]

    def _made(self, answer: Answer) -> Beside:
        try:
            return _read(self.desk, answer.report, answer.result.id)
        except Exception as error:  # whatever a notebook holds, its answer can be graded
            return Beside(trouble=f"The notebook could not be shown ({type(error).__name__}).")

    def figure(self, answer: Answer, number: int) -> bytes | None:
        """A figure written anew, as PNG or JPEG; None if there is none or it is no picture."""
        figures = self.beside(answer).figures
        return _drawn(figures[number]) if 0 <= number < len(figures) else None


@lru_cache(maxsize=64)
def _drawn(data: bytes) -> bytes | None:
    (made,) = recoded([data])
    return base64.b64decode(made["uri"].partition(",")[2]) if "uri" in made else None


def _read(desk: Desk, report: Report, question: str) -> Beside:
    notebook = read_executed(desk.output / "submissions" / report.submission)
    if notebook is None:
        return Beside(trouble="There is no executed notebook.")
    inside = section(notebook, question)
    if not inside:
        return Beside(trouble="The title of this question is gone from the notebook.")
    given = _given(report.homework)
    figures: list[bytes] = []
    numbers: list[tuple[tuple[int, str], ...]] = []
    cells = []
    for index in inside[:MAX_CELLS]:
        cell = notebook.cells[index]
        if is_kit(cell.source) or not _is_own(cell, given):
            continue
        own = tuple(_figures(cell, figures)) if cell.cell_type == "code" else ()
        cells.append(cell)
        numbers.append(own)
    bare = nbformat.from_dict({**notebook, "cells": cells})
    html = render_cells(_without_pictures(bare))
    shown = tuple(
        ShownCell(text, cell.cell_type == "code", own)
        for cell, text, own in zip(cells, html, numbers, strict=False)
    )
    return Beside(
        shown, tuple(figures), "" if len(inside) <= MAX_CELLS else "More cells follow in the notebook."
    )


def _figures(cell: NotebookNode, found: list[bytes]) -> list[tuple[int, str]]:
    """Numbers and words of the figures that a cell drew; their bytes are added to those found so far."""
    numbers = []
    for data, told in figures_of(cell)[: MAX_FIGURES - len(found)]:
        found.append(data)
        numbers.append((len(found) - 1, " ".join(told.get("alt", "").split()) or "A figure"))
    return numbers


def _without_pictures(notebook: NotebookNode) -> NotebookNode:
    """A copy without the figures, which are shown below their cell."""
    cells = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            outputs = [
                output
                for output in cell.get("outputs", [])
                if not any(kind.startswith("image/") for kind in output.get("data", {}))
            ]
            cell = nbformat.from_dict({**cell, "outputs": outputs})
        cells.append(cell)
    return nbformat.from_dict({**notebook, "cells": cells})
