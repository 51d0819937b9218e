"""Reads percent sources: their cells, and the regions that students replace.

A source marks what students replace with ``# BEGIN SOLUTION 3.2`` … ``# END SOLUTION`` (``<!-- … -->`` in
Markdown). Lines ``# STUB: code`` in a region say what stands there instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

BEGIN = re.compile(r"^(?P<indent>\s*)(?:#|<!--) BEGIN SOLUTION (?P<label>[\w.]+(?: [\w-]+)?)\s*(?:-->)?\s*$")
END = re.compile(r"^\s*(?:#|<!--) END SOLUTION\s*(?:-->)?\s*$")
MARKER = re.compile(r"(BEGIN|END) SOLUTION|# STUB:")


class BuildError(ValueError):
    """A source that cannot be built; the message names file, cell and line."""


@dataclass(frozen=True)
class Region:
    """A solution region of a source cell.

    Attributes:
        label: the question, and a part where a question has several regions: ``3.5 choice``.
        start, end: lines of the markers within the cell, from 0.
        body: the lines between them.
        indent: white space before the opening marker.
    """

    label: str
    start: int
    end: int
    body: tuple[str, ...]
    indent: str

    @property
    def question(self) -> str:
        return self.label.split()[0]


def read_source(path: Path) -> NotebookNode:
    """Reads a percent source as a notebook.

    Raises:
        BuildError: the file is missing or has no cells.
    """
    if not path.is_file():
        raise BuildError(f"{path}: no such source")
    import jupytext  # slow, and grading needs this module but no source

    notebook = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    if not notebook.cells:
        raise BuildError(f"{path}: no cells")
    return notebook


def regions(cell: NotebookNode, where: str) -> Iterator[Region]:
    """The solution regions of one cell, in order.

    Raises:
        BuildError: a region is not opened, not closed, nested or empty, or a marker is misspelt.
    """
    lines = cell.source.split("\n")
    opened: tuple[int, re.Match[str]] | None = None
    for number, line in enumerate(lines):
        if match := BEGIN.match(line):
            if opened:
                raise BuildError(
                    f"{where}, line {number + 1}: a solution begins inside another (line {opened[0] + 1})"
                )
            opened = (number, match)
        elif END.match(line):
            if not opened:
                raise BuildError(f"{where}, line {number + 1}: END SOLUTION without BEGIN SOLUTION")
            start, match = opened
            body = tuple(lines[start + 1 : number])
            if not any(line.strip() for line in body):
                raise BuildError(f"{where}, line {start + 1}: the solution is empty")
            yield Region(match["label"], start, number, body, match["indent"])
            opened = None
        elif MARKER.search(line) and not (opened and "# STUB:" in line):
            raise BuildError(f"{where}, line {number + 1}: not a marker this build knows: {line.strip()!r}")
    if opened:
        raise BuildError(
            f"{where}, line {opened[0] + 1}: BEGIN SOLUTION {opened[1]['label']} is never closed"
        )


def source_regions(notebook: NotebookNode, path: Path) -> dict[str, Region]:
    """All solution regions of a source by label.

    Raises:
        BuildError: two regions have the same label, or a marker is wrong.
    """
    found: dict[str, Region] = {}
    for index, cell in enumerate(notebook.cells):
        where = f"{path}, cell {index + 1}"
        for region in regions(cell, where):
            if region.label in found:
                raise BuildError(
                    f"{where}: two solutions are labeled {region.label}; add a word, as in '{region.label}"
                    " choice'"
                )
            found[region.label] = region
    return found
