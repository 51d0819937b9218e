"""What a homework's own cells give: imports, functions and data above and between the questions.

``autograder build`` writes them into ``given.json`` beside the homework's declaration, so that a run can
provide what a student has deleted or broken.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources

FILE = "given.json"


@lru_cache(maxsize=16)
def given(homework: str) -> tuple[str, ...]:
    """The statements that a homework's notebook gives, in order; empty where the build has written none."""
    file = resources.files("autograder.homeworks").joinpath(homework, FILE)
    return tuple(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else ()


@lru_cache(maxsize=16)
def supplied_lines(homework: str) -> frozenset[str]:
    """The lines of those statements, without the blanks around them; each imported name also as ``name,``."""
    imported = (text.rpartition(" import ")[2] for text in given(homework) if text.startswith("from "))
    lines = (line.strip() for text in given(homework) for line in text.split("\n"))
    return frozenset((*lines, *(f"{name}," for name in imported)))
