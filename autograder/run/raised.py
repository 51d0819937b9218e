"""What cells raised in a run, as data: which exception, where in the student's own text, what is lost by it.

All of it is the kernel's word about itself: cut to size, and text that nobody reads as anything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from autograder.kit import statements
from autograder.kit.provided import names_of
from autograder.kit.statements import Statement

ANSI = re.compile(r"\x1b\[[0-9;]*m")
FRAME = re.compile(r"Cell In\[(\d{1,6})\], line (\d{1,6})")
MODULE = re.compile(r"No module named '([\w.]{1,100})'")
MAX_TYPE, MAX_MESSAGE, MAX_TRACEBACK = 80, 300, 40_000
ENDED = "KernelEnded"  # stands for the exception where a cell ended its kernel


@dataclass(frozen=True)
class CellError:
    """What one cell, or one statement of it, raised.

    Attributes:
        cell: index of the cell.
        first: its first line of code, cut.
        kind: the exception's type.
        message: what it says, cut.
        line: the last line of the student's own text that was running, from 1; 0 if unknown.
        line_cell: index of the cell in which that line stands.
        text: that line.
        names: names that have no value because of it.
        apart: whether the rest of the cell was run, statement by statement.
        limit: the limit that ended it, in words; empty if none did.
    """

    cell: int
    first: str
    kind: str
    message: str
    line: int = 0
    line_cell: int = 0
    text: str = ""
    names: frozenset[str] = frozenset()
    apart: bool = False
    limit: str = ""

    @property
    def module(self) -> str:
        """The top-level module that is missing; empty if that is not it."""
        found = MODULE.search(self.message) if self.kind == "ModuleNotFoundError" else None
        if found and "google.colab" in self.text:  # of which Python names the first part only
            return "google.colab"
        return found[1].partition(".")[0] if found else ""

    @property
    def lacks(self) -> str:
        """The name that is missing; empty if that is not it."""
        return statements.lacking(self.kind, self.message)

    @property
    def is_stub(self) -> bool:
        """Whether it is only that something is not answered yet."""
        return statements.is_stub(self.kind, self.message)


def plain_text(value: object, most: int) -> str:
    """Text of a kernel without colors and control characters, cut."""
    text = ANSI.sub("", str(value)[: 4 * most])
    text = "".join(" " if ord(one) < 32 or 0xD800 <= ord(one) < 0xE000 else one for one in text)
    return " ".join(text.split())[:most]


def frames(content: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The frames of a traceback that stand in cells, outermost first: execution count and line."""
    lines = content.get("traceback")
    text = "\n".join(str(one) for one in lines) if isinstance(lines, list) else ""
    return [(int(count), int(line)) for count, line in FRAME.findall(ANSI.sub("", text[:MAX_TRACEBACK]))]


def goes_on(error: CellError, source: str, lost: frozenset[str]) -> bool:
    """Whether what follows in a cell is run all the same after it raised; never after a limit."""
    return not error.limit and statements.goes_on(error.kind, error.message, source, lost)


def read_error(
    content: Mapping[str, Any],
    index: int,
    cells: Sequence[NotebookNode],
    counts: Mapping[int, int],
    lost: Sequence[Statement],
) -> CellError:
    """An error message of a kernel as data.

    Args:
        content: of the message.
        index: of the cell that ran.
        cells: the notebook's.
        counts: execution count → index of the cell.
        lost: what was lost by it: the statements from the one that raised.
    """
    found = [(counts[count], line) for count, line in frames(content) if count in counts]
    at, line = found[-1] if found else (index, 0)
    lines = cells[at].source.split("\n")
    return CellError(
        index,
        first_line(cells[index].source),
        plain_text(content.get("ename", ""), MAX_TYPE),
        plain_text(content.get("evalue", ""), MAX_MESSAGE),
        line if line <= len(lines) else 0,
        at,
        plain_text(lines[line - 1], 100) if 0 < line <= len(lines) else "",
        frozenset(name for one in lost for name in names_of(one.text).bound),
    )


def first_line(source: str) -> str:
    """A cell's first line of code, cut; lines of comment count only where there is nothing else."""
    lines = [line.strip() for line in source.split("\n") if line.strip()]
    code = [line for line in lines if not line.startswith("#")]
    return plain_text((code or lines or [""])[0], 60)
