"""What came out differently in a rehearsal than was recorded, grouped by cause."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.kit.answers import Cell
from autograder.kit.kinds import kind_of
from autograder.kit.probes import raised
from autograder.kit.provided import CellNames, names_of
from autograder.kit.rehearsal import CELL_SECONDS, ENDED, OPEN_STATES, Raised, Rehearsed, is_kit_cell
from autograder.kit.statements import is_stub, lacking

MAX_DEPTH = 5  # from a missing name to the cell that should have made what it rests on
NOT_SAME = "comes out differently when the saved notebook runs from the top"
NO_GPU = re.compile(r"\bCUDA\b|\bcuda\b|NVIDIA|\bMPS\b|\bmps\b")


@dataclass(frozen=True)
class Cause:
    """Why answers are lost.

    Attributes:
        words: a sentence without its end; begins with the cell or the name.
        cell: at fault, from 1 among all cells; 0 if no cell is.
        advice: what to do, a sentence.
    """

    words: str
    cell: int = 0
    advice: str = ""


@dataclass
class Finding:
    """A cause and what hangs on it.

    Attributes:
        cause: why.
        entries: the names of the answers, by question; none if nothing that is recorded is lost.
    """

    cause: Cause
    entries: dict[str, list[str]] = field(default_factory=dict)


def differences(
    home: Path,
    homework: Mapping[str, Any],
    cells: Sequence[Cell],
    recorded: Mapping[str, Mapping[str, Any]],
    found: Rehearsed,
    stale: Sequence[str] = (),
    shown: Sequence[int] = (),
) -> list[Finding]:
    """Compares what was recorded with what a rehearsal recorded.

    Args:
        home: the folder of the notebook.
        homework: the description behind the kit.
        cells: kind and text of each cell, as saved.
        recorded: the log's entries.
        found: what the rehearsal gave.
        stale: questions of which is told already that their answer changed after it was recorded.
        shown: the cells below which the saved notebook shows an exception, so that it is known.

    Returns:
        The findings that cost answers, those that cost most first; then those that cost none.
    """
    notebook = _Notebook(home, cells, found)
    findings: dict[Cause, Finding] = {}
    for question in homework["questions"]:
        record = notebook.record_cell(question["id"])
        for spec in question["entries"]:
            was = recorded.get(spec["name"], {})
            now = found.entries.get(spec["name"], {"status": "missing"})
            if was.get("status", "missing") in OPEN_STATES or close(was, now):
                continue
            lost = now.get("status") in OPEN_STATES
            if lost and question.get("claimed") and not kind_of(spec).runs:
                continue  # the value in the log counts
            cause = notebook.cause(spec["name"], now, record)
            if question["id"] in stale and cause.words.startswith("what is there"):
                continue
            finding = findings.setdefault(cause, Finding(cause))
            finding.entries.setdefault(question["id"], []).append(spec["name"])
    costly = sorted(findings.values(), key=lambda one: (-len(one.entries), one.cause.cell))
    return costly + [Finding(cause) for cause in notebook.notes(set(findings), set(shown))]


def close(a: Any, b: Any) -> bool:
    """Whether two recorded values are equal but for rounding and the words of an exception."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key]) for key in a if key not in _WORDS)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if {type(a), type(b)} <= {int, float}:
        return math.isclose(
            a, b, rel_tol=1e-4, abs_tol=1e-6
        )  # another number of threads adds in another order
    return bool(a == b)


_WORDS = ("message", "where")


class _Notebook:
    """The cells of a notebook, what they bind, and what they raised in the rehearsal."""

    def __init__(self, home: Path, cells: Sequence[Cell], found: Rehearsed):
        self.home, self.raised = home, found.raised
        self.texts = {
            number: text
            for number, (kind, text) in enumerate(cells, 1)
            if kind == "code" and text.strip() and not is_kit_cell(text)
        }
        self.ran = found.ran
        self.names = {number: names_of(text) for number, text in self.texts.items()}
        self.given = {name for text in found.provided for name in names_of(text).bound}

    def record_cell(self, question: str) -> int:
        """The last cell that records a question; 0 if none does."""
        pattern = re.compile(rf"""record\(\s*["']{re.escape(question)}["']""")
        return max((number for number in self.ran if pattern.search(self.texts[number])), default=0)

    def cause(self, name: str, now: Mapping[str, Any], record: int) -> Cause:
        """Why an entry came out as it did."""
        if not (errors := raised(now)):
            return self.why(name, record)
        kind, message = errors[0]["type"], errors[0]["message"]
        if lacks := lacking(kind, message):
            return self.why(lacks, record)
        at = self.why(name, record).cell
        return Cause(f"`{name}` raises {kind}: {message}", at, self.advice(kind, message, ""))

    def why(self, name: str, before: int, depth: int = 0) -> Cause:
        """Why a name has no value, or another one, before a cell."""
        where = [number for number in self.texts if name in self.names[number].bound]
        ran = [number for number in where if number in self.ran]
        lost = [(at, one) for at, some in self.raised.items() for one in some if name in one.lost]
        if not where:
            for number, some in self.raised.items():
                unreadable = not self.names.get(number, CellNames()).readable
                if unreadable and re.search(rf"\b{re.escape(name)}\b", self.texts.get(number, "")):
                    return self.blame(number, some[-1])
            told = f"no cell of the saved notebook defines `{name}`; it is only in the running kernel"
            return Cause(told, 0, "Write the cell that defines it, and run it.")
        if not ran:
            told = f"`{name}` is defined only in cell {where[0]}, which grading skips"
            return Cause(told, where[0], "Define what you need of it in a cell of your own.")
        if before and min(ran) > before and name not in self.given:
            told = f"`{name}` is defined in cell {min(ran)}, below cell {before}, which needs it"
            return Cause(told, min(ran), "Move the cell up.")
        at = max([number for number in ran if not before or number <= before], default=0)
        if lost and lost[-1][0] >= at:
            return self.blame(*lost[-1], depth)
        return Cause(f"what is there now {NOT_SAME}", 0, "Restart the kernel, run all cells, and compare.")

    def blame(self, at: int, error: Raised, depth: int = 0) -> Cause:
        """The cause that lies in a cell that raised."""
        lacks = lacking(error.kind, error.message)
        if lacks and lacks not in error.lost and depth < MAX_DEPTH:
            return self.why(lacks, at, depth + 1)
        if error.kind == "KeyboardInterrupt":
            told = f"takes longer than {CELL_SECONDS:g} s"
            return Cause(f"cell {at} {told}", at, "Grading stops it then; make it shorter.")
        if error.kind == ENDED:
            return Cause(f"cell {at} failed: {error.message}", at, "Take out what ends the kernel.")
        # of a SyntaxError the file is a temporary one
        message = re.sub(r"\([^\s()]*, (line \d+)\)$", r"(\1)", error.message)
        told = f"cell {at} raises {error.kind}: {message}"
        return Cause(told, at, self.advice(error.kind, message, error.name))

    def advice(self, kind: str, message: str, name: str) -> str:
        """What to do about an exception."""
        if kind in ("ModuleNotFoundError", "ImportError") and name:
            top = name.partition(".")[0]
            if (self.home / f"{top}.py").is_file():
                return f"`{top}.py` is beside the notebook but is not part of the submission; see above."
            return f"Grading has no `{top}`; do without it, or ask whether your course has it."
        if NO_GPU.search(message):
            return 'Grading has no GPU; use `device = "cuda" if torch.cuda.is_available() else "cpu"`.'
        if kind == "FileNotFoundError":
            return "Grading has only the files of the zip; do without others, or ask your course."
        if kind == "StdinNotImplementedError":
            return "Nobody answers `input()` while grading; write the value into the cell."
        return ""

    def notes(self, told: set[Cause], shown: set[int]) -> list[Cause]:
        """Causes in cells that raised although nothing recorded hangs on them.

        Args:
            told: causes that cost something.
            shown: cells of which it is known.
        """
        loud = [
            self.blame(at, one)
            for at, some in self.raised.items()
            if at not in shown
            for one in some
            if not is_stub(one.kind, one.message)
        ]
        known = {cause.cell for cause in told if cause.cell and not self.apart(cause.cell)}
        return [one for one in dict.fromkeys(loud) if one not in told and one.cell not in known]

    def apart(self, at: int) -> bool:
        """Whether statements of a cell were run one by one, each with an end of its own."""
        return any(one.apart for one in self.raised.get(at, ()))
