"""The sections of a source, one for each question: those that a course leaves out, moves or retitles."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from nbformat import NotebookNode

from autograder.author.source import BEGIN, END, BuildError
from autograder.declare import Homework
from autograder.kit.handing_in import cell_names

HEADING = re.compile(r"^##? ")
HEADER = re.compile(r"\{\{header ([\w.]+)\}\}")
MARKS = (BEGIN, END)
Section = tuple[str, list[NotebookNode]]  # a question's id, or empty; its cells


def as_the_course_wants(cells: Sequence[NotebookNode], homework: Homework, where: str) -> list[NotebookNode]:
    """The cells of a source without the questions that a course leaves out, in its order, with its titles.

    Args:
        cells: of the source.
        homework: as a course changes it; unchanged cells come back for one that is as declared.
        where: names the source in errors.

    Raises:
        BuildError: a cell that stays uses a name that comes from a question which is left out or stands
            further below.
    """
    sections = _sections(cells)
    asked = [name for name, _ in sections if name]
    wanted = [name for name in homework.questions if name in asked]
    if homework.left_out or [name for name in asked if name in homework.questions] != wanted:
        before = sections
        kept = {name: section for name, section in sections if name in homework.questions}
        places = iter(wanted)
        # what is no question's stays at its place; the questions fill the places of questions
        sections = [
            (name, found) if not name else ((turn := next(places)), kept[turn])
            for name, found in sections
            if name not in homework.left_out
        ]
        _refuse_missing(before, sections, where)
    return [_retitled(cell, name, homework) for name, section in sections for cell in section]


def _sections(cells: Iterable[NotebookNode]) -> list[Section]:
    found: list[Section] = []
    for cell in cells:
        begins = cell.cell_type == "markdown" and HEADING.match(cell.source)
        if begins or not found:
            header = HEADER.search(cell.source)
            found.append((header[1] if header else "", []))
        found[-1][1].append(cell)
    return found


def _code(section: Section) -> list[str]:
    """The code of a section's cells, without the lines that mark solutions."""
    return [
        "\n".join(line for line in cell.source.split("\n") if not any(mark.match(line) for mark in MARKS))
        for cell in section[1]
        if cell.cell_type == "code"
    ]


def _refuse_missing(before: Sequence[Section], after: Sequence[Section], where: str) -> None:
    """Raises where a name that some section gave is not there, or not yet, when another uses it."""
    giver: dict[str, str] = {}
    for section in before:
        for text in _code(section):
            for name in cell_names(text)[0]:
                giver.setdefault(name, section[0])
    there: set[str] = set()
    for section in after:
        for text in _code(section):
            bound, lacks = cell_names(text)
            for name in sorted(lacks - there):
                if giver.get(name) and giver[name] != section[0]:
                    raise BuildError(
                        f"{where}: {section[0] or 'a cell between questions'} uses `{name}`, which"
                        f" {giver[name]} defines; keep {giver[name]} above it, or leave {section[0]} out, too"
                    )
            there |= bound


def _retitled(cell: NotebookNode, name: str, homework: Homework) -> NotebookNode:
    """A cell with the course's title in its heading."""
    if name not in homework.retitled or not HEADER.search(cell.source):
        return cell
    heading = f"## {name} {homework.retitled[name]}"
    cell.source = re.sub(r"^##? .*", lambda _: heading, cell.source, count=1)
    return cell
