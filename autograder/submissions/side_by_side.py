"""Two submissions' own code in rows, equal lines beside each other, with the words in which they differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

MAX_ROWS = 600  # of two submissions
MAX_WORDS = 400  # of a line whose words are compared; a longer one differs as a whole
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")

Parts = tuple[tuple[str, bool], ...]  # pieces of a text, and whether the other side lacks them


@dataclass(frozen=True)
class Line:
    """A logical line: what it says without names, comments and layout, its tokens, and how it was written.

    Attributes:
        question: id of the question whose cells it stands in; empty if it belongs to none.
    """

    key: str
    tokens: tuple[str, ...]
    text: str
    question: str = ""


@dataclass(frozen=True)
class Row:
    """A line of each side; an empty side has none.

    Attributes:
        question: id of the question at which both sides are; empty where none is known.
        same: whether both say the same but for names, comments and layout.
    """

    question: str
    left: Parts
    right: Parts
    same: bool


def side_by_side(left: Sequence[Line], right: Sequence[Line]) -> tuple[Row, ...]:
    """Two lists of lines in rows; the first rows, where there are many."""
    rows: list[Row] = []
    left, right = left[:MAX_ROWS], right[:MAX_ROWS]
    for step in Levenshtein.opcodes([line.key for line in left], [line.key for line in right]):
        ours, theirs = left[step.src_start : step.src_end], right[step.dest_start : step.dest_end]
        for index in range(max(len(ours), len(theirs))):
            mine = ours[index] if index < len(ours) else None
            other = theirs[index] if index < len(theirs) else None
            texts = (mine.text if mine else "", other.text if other else "")
            question = (mine or other or Line("", (), "")).question
            rows.append(Row(question, *differences(*texts), step.tag == "equal"))
    return tuple(rows[:MAX_ROWS])


def differences(left: str, right: str) -> tuple[Parts, Parts]:
    """Both texts in pieces; marked are those that the other text lacks."""
    if left == right:
        return ((left, False),), ((right, False),)
    ours, theirs = _WORDS.findall(left), _WORDS.findall(right)
    if not ours or not theirs or max(len(ours), len(theirs)) > MAX_WORDS:
        return (((left, True),) if left else ()), (((right, True),) if right else ())
    sides: tuple[list[tuple[str, bool]], list[tuple[str, bool]]] = ([], [])
    for step in Levenshtein.opcodes(ours, theirs):
        for side, words in zip(
            sides,
            (ours[step.src_start : step.src_end], theirs[step.dest_start : step.dest_end]),
            strict=True,
        ):
            if words:
                side.append(("".join(words), step.tag != "equal"))
    return tuple(sides[0]), tuple(sides[1])


def by_question(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Question → the rows that stand there, in their order; a question may come again."""
    at, found = "", list[Row]()
    for row in rows:
        if row.question != at and found:
            yield at, found
            found = []
        at = row.question
        found.append(row)
    if found:
        yield at, found
