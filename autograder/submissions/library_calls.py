"""Finds library calls that would do a question's whole job, by parsing the source; nothing is executed.

Parsing happens in a short-lived child process (:mod:`autograder.submissions.library_search`) with limits on
time and memory, because Python's parser may be slow or end the process on hostile source; a source without
any of the names in a line of the student's is not even parsed. Names that are put together while running
(``getattr(F, "scaled_" + …)``) are not found: this is a lamp, not a fence.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

NAMED = 5  # cells that a note names
SECONDS = 10.0
NOT_SEARCHED = "The source could not be searched for library calls"
NO_USE = re.compile(r"^\s*(?:#.*|(?:def|class)\s+\w+)")  # a comment, and the name of a definition
CHILD = Path(__file__).with_name("library_search.py")


@dataclass(frozen=True)
class LibraryCall:
    """One use of a library call that a question forbids.

    Attributes:
        question: its id.
        cell: number of the cell among all cells, from 1.
        line: number of the line in the cell, from 1.
        name: the call.
    """

    question: str
    cell: int
    line: int
    name: str

    def __str__(self) -> str:
        return (
            f"{self.question}: cell {self.cell}, line {self.line} uses `{self.name}`, which does the work "
            "that this question asks you to write yourself."
        )


def find_library_calls(
    cells: Mapping[int, str],
    wanted: Mapping[str, tuple[Sequence[str], Sequence[str]]],
    supplied: frozenset[str] = frozenset(),
) -> tuple[list[LibraryCall], str | None]:
    """Looks through a notebook's code cells.

    Args:
        cells: number of the cell → source; IPython magics may be in it.
        wanted: question → (its names in the notebook, the calls that it forbids).
        supplied: lines of the course's own cells, without the blanks around them; a use on such a line is
            not the student's.

    Returns:
        The uses, and why the source could not be searched if it could not.
    """
    if not _may_use(cells, {call for _, calls in wanted.values() for call in calls}, supplied):
        return [], None
    numbered = {str(number): text for number, text in cells.items()}
    task = json.dumps({"cells": numbered, "wanted": wanted, "packages": [one for one in sys.path if one]})
    command = [sys.executable, "-I", "-S", str(CHILD)]  # it imports five modules, which is most of its time
    asked = f"{NOT_SEARCHED} (questions {', '.join(wanted)})"
    try:
        done = subprocess.run(command, input=task.encode(), capture_output=True, timeout=SECONDS, check=True)  # noqa: S603  # our own file
        found = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError):
        return [], f"{asked}; please look yourself."
    calls = [call for row in found["rows"] if not _is_supplied(call := LibraryCall(*row), cells, supplied)]
    if not found["unread"]:
        return calls, None
    cells_told = ", ".join(f"{number} ({why})" for number, why in list(found["unread"].items())[:NAMED])
    more = f" and {len(found['unread']) - NAMED} more" if len(found["unread"]) > NAMED else ""
    return calls, f"{asked} in cells {cells_told}{more}; please look yourself."


def _may_use(cells: Mapping[int, str], names: Set[str], supplied: frozenset[str]) -> bool:
    """Whether one of the names stands in code that the course did not supply."""
    if not names:
        return False
    a_name = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(names))) + r")\b")
    return any(
        a_name.search(NO_USE.sub("", line)) and line.strip() not in supplied
        for text in cells.values()
        if a_name.search(text)
        for line in text.split("\n")
    )


def _is_supplied(call: LibraryCall, cells: Mapping[int, str], supplied: frozenset[str]) -> bool:
    lines = cells.get(call.cell, "").split("\n")
    return 0 < call.line <= len(lines) and lines[call.line - 1].strip() in supplied
