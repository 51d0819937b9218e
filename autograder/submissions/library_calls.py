"""Finds library calls that would do a question's whole job, by parsing the source; nothing is executed.

Parsing happens in a short-lived child process (:mod:`autograder.submissions.library_search`) with limits on
time and memory, because Python's parser may be slow or end the process on hostile source; a source without
any of the names is not even parsed. Names that are put together while running (``getattr(F, "scaled_" + …)``)
are not found: this is a lamp, not a fence.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

NAMED = 5  # cells that a note names
SECONDS = 10.0
NOT_SEARCHED = "The source could not be searched for library calls"
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
    cells: Mapping[int, str], wanted: Mapping[str, tuple[Sequence[str], Sequence[str]]]
) -> tuple[list[LibraryCall], str | None]:
    """Looks through a notebook's code cells.

    Args:
        cells: number of the cell → source; IPython magics may be in it.
        wanted: question → (its names in the notebook, the calls that it forbids).

    Returns:
        The uses, and why the source could not be searched if it could not.
    """
    everything = "\n".join(cells.values())
    if not any(call in everything for _, calls in wanted.values() for call in calls):
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
    calls = [LibraryCall(*row) for row in found["rows"]]
    if not found["unread"]:
        return calls, None
    cells_told = ", ".join(f"{number} ({why})" for number, why in list(found["unread"].items())[:NAMED])
    more = f" and {len(found['unread']) - NAMED} more" if len(found["unread"]) > NAMED else ""
    return calls, f"{asked} in cells {cells_told}{more}; please look yourself."
