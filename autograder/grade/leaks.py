"""Finds hidden inputs in what a submission printed, so that its feedback page need not show them.

A print left in a function shows the inputs on which it was graded. This is for such prints: who disguises
what they print is not found, and has still no more than inputs without answers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Container, Iterator, Mapping
from typing import Any

from nbformat import NotebookNode

from autograder.declare import Case

MARK = "hidden_inputs"  # in a cell's metadata: the indices of outputs that show some
NUMBERS, WORDS = 4, 8  # so many of a hidden input in a row, in the same order, are no coincidence
DIGITS = 2  # decimals that are compared; whatever is printed has them
LEAST_TEXT = 25  # characters of a hidden text
MAX_TEXT = 300_000  # characters of an output that are looked through
_NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d*(?:e[-+]?\d+)?", re.I)
_WORD = re.compile(r"\w+")


class Prints:
    """What prints of hidden inputs look like.

    Args:
        drawn: the hidden cases by challenge.
    """

    def __init__(self, drawn: Mapping[str, Mapping[str, Case]]):
        self.runs: set[tuple[Any, ...]] = set()
        self.texts: set[str] = set()
        for cases in drawn.values():
            for identity, case in cases.items():
                told = case.as_json(identity)
                self._learn([told["args"], told["kwargs"]])
        self.starts = {run[0] for run in self.runs}

    def _learn(self, value: Any) -> None:
        leaves = list(_leaves(value))
        self.texts |= {leaf for leaf in leaves if isinstance(leaf, str) and len(leaf) >= LEAST_TEXT}
        self.runs |= set(_runs([leaf for leaf in leaves if isinstance(leaf, float)], NUMBERS))
        words = [_word(leaf) for leaf in leaves if isinstance(leaf, int | str | float)]
        self.runs |= set(_runs(words, WORDS))

    def __contains__(self, text: str) -> bool:
        text = text[:MAX_TEXT]
        if any(one in text for one in self.texts):
            return True
        numbers = [float(found[0]) for found in _NUMBER.finditer(text)]
        words = [found[0] for found in _WORD.finditer(text)]
        found = itertools.chain(_runs(numbers, NUMBERS, self.starts), _runs(words, WORDS, self.starts))
        return any(run in self.runs for run in found)


def _word(leaf: float | str) -> str:
    whole = isinstance(leaf, float) and leaf.is_integer()
    return str(int(leaf)) if whole else str(leaf)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for part in value.values():
            yield from _leaves(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _leaves(part)
    else:
        yield value


def _runs(values: list[Any], length: int, starts: Container[Any] | None = None) -> Iterator[tuple[Any, ...]]:
    """What stands in a row, but for rows that anybody may print: few different things, or a range.

    Args:
        values: all numbers, or all words, in their order.
        length: of a row.
        starts: only rows that begin with one of these; None for all.
    """
    if values and isinstance(values[0], float):
        values = [round(value, DIGITS) for value in values]
    for start in range(len(values) - length + 1):
        if starts is not None and values[start] not in starts:
            continue
        run = tuple(values[start : start + length])
        if isinstance(run[0], float):
            if len(set(run)) == length and not any(value.is_integer() for value in run):
                yield run
        elif len(set(run)) >= length // 2 and not _is_range(run):
            yield run


def _is_range(run: tuple[str, ...]) -> bool:
    if not all(word.isdecimal() and len(word) < 10 for word in run):
        return False
    numbers = list(map(int, run))
    return len({after - before for before, after in itertools.pairwise(numbers)}) == 1


def mark_prints(notebook: NotebookNode, prints: Prints) -> None:
    """Notes in each cell which of its outputs show hidden inputs."""
    for cell in notebook.cells:
        cell.metadata.pop(MARK, None)
        outputs = cell.get("outputs", [])
        found = [
            index for index, output in enumerate(outputs) if any(text in prints for text in _texts(output))
        ]
        if found:
            cell.metadata[MARK] = found


def _texts(output: NotebookNode) -> Iterator[str]:
    data = output.get("data", {}).values()
    for part in (output.get("text"), output.get("evalue"), output.get("traceback"), *data):
        if isinstance(part, str):
            yield part
        elif isinstance(part, list):
            yield "\n".join(map(str, part))
