"""What a homework's own cells give: imports, functions and data above and between the questions.

``autograder build`` writes them into ``given.json`` beside the homework's declaration, so that a run can
provide what a student has deleted or broken.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from autograder.submissions.names_of_cells import NamesOfCells, names_of

FILE = "given.json"


@dataclass(frozen=True)
class Provided:
    """One statement of the homework that a run provides, and the names that it gives."""

    names: frozenset[str]
    source: str


@lru_cache(maxsize=16)
def given(homework: str) -> tuple[Provided, ...]:
    """The statements that a homework's notebook gives, in order; empty where the build has written none."""
    file = resources.files("autograder.homeworks").joinpath(homework, FILE)
    if not file.is_file():
        return ()
    texts = json.loads(file.read_text(encoding="utf-8"))
    return tuple(Provided(names_of(text).bound, text) for text in texts)


def to_provide(statements: Sequence[Provided], cells: NamesOfCells) -> list[Provided]:
    """The statements whose names a notebook needs before any of its cells binds them, in order."""
    by_name = {name: number for number, one in enumerate(statements) for name in one.names}
    wanted = [number for name, number in by_name.items() if cells.lacking(name)]
    chosen: set[int] = set()
    while wanted:
        number = wanted.pop()
        if number not in chosen:
            chosen.add(number)
            used = names_of(statements[number].source).used
            wanted += [by_name[name] for name in used if name in by_name and by_name[name] < number]
    return [statements[number] for number in sorted(chosen)]
