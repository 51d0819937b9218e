"""Numbers of one's own: what a student draws in courses where everyone has others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any


def student_key(student: Any) -> str:
    """A student id as it is compared: stripped text in lower case; empty if there is none."""
    known = isinstance(student, str | int) and not isinstance(student, bool)
    return str(student).strip().casefold()[:100] if known else ""


def draw_numbers(
    word: str, question: str, student: Any, choices: Mapping[str, Sequence[int]]
) -> dict[str, int]:
    """Draws a student's numbers for one question: equal arguments give equal numbers, on every machine.

    Args:
        word: the course's word for this round; public, like the numbers themselves.
        question: its id.
        student: the id.
        choices: name → the numbers that it may be.
    """
    drawn = {}
    for name, among in choices.items():
        digest = hashlib.sha256("/".join((word, question, name, student_key(student))).encode()).digest()
        drawn[name] = int(among[int.from_bytes(digest[:8], "big") % len(among)])
    return drawn
