"""What a check cell may say of choices: whether each is one of the letters, never whether it is right.

A homework's public part says ``from autograder.kit.shared.letters import …`` and the build puts this file
before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autograder.kit import Line


def letter_of(value: Any) -> str:
    """The letter that an answer stands for, as grading reads it: `` (b).`` is B; empty if it is no text."""
    return value.strip().strip(".()").upper() if isinstance(value, str) else ""


def letter_lines(answers: Mapping[str, Any], names: Iterable[str], options: str) -> list[Line]:
    """A line for each choice that is answered.

    Args:
        answers: by entry name; those that are not answered are left out.
        names: of the choices.
        options: the letters, such as ``ABCD``.
    """
    lines: list[Line] = []
    for name in names:
        if name not in answers:
            continue
        letter = letter_of(answers[name])
        if len(letter) == 1 and letter in options:
            lines.append((True, f"`{name}` = {letter}. Whether it is right, you read after grading."))
        else:
            told = f"`{name}` should be one of the letters {', '.join(options)}, in quotes."
            lines.append((False, told))
    return lines
