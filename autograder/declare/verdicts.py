"""What a judge says of an answer, and what a check is: a judge with its points."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Wrong:
    """What a check returns when the answer fails.

    Args:
        feedback: names the mistake and says what to look at next; Markdown.
        earned: the part of the check's points that is kept, from 0 to 1.
        evidence: plain JSON that a feedback page can show beside the words; see
            :mod:`autograder.declare.evidence`.
        measured: a number to compare submissions by, such as an accuracy; Gradescope's leaderboard shows it.
    """

    feedback: str
    earned: float = 0.0
    measured: float | None = None
    evidence: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        _require_text("Wrong", self.feedback)
        _require(is_number(self.earned) and 0 <= self.earned <= 1, "Wrong(earned=…)", self.earned, "0 to 1")
        _require_measured("Wrong", self.measured)


@dataclass(frozen=True)
class Right:
    """What a check returns when the answer passes and there is more to say; None says the same without words.

    Args:
        feedback: for the student; Markdown.
        bonus: points beyond the check's own.
        measured: as in :class:`Wrong`.
    """

    feedback: str
    bonus: float = 0.0
    measured: float | None = None

    def __post_init__(self) -> None:
        _require_text("Right", self.feedback)
        _require(is_number(self.bonus) and self.bonus >= 0, "Right(bonus=…)", self.bonus, "0 or more")
        _require_measured("Right", self.measured)


Answer = Mapping[str, Any]  # entry name → array, letter, or list of trials
Verdict = Wrong | Right | None
Judge = Callable[[Answer], Verdict]


@dataclass(frozen=True)
class Check:
    """One judgment with its points. ``needs`` lists the entries without which it cannot be made."""

    name: str
    points: float
    judge: Judge
    needs: tuple[str, ...]

    def __post_init__(self) -> None:
        if not is_number(self.points) or self.points <= 0:
            raise ValueError(f"{self.name!r} gives {self.points!r} points; expected a number above 0")


def is_number(value: object) -> bool:
    """Whether something is a finite number."""
    return not isinstance(value, bool) and isinstance(value, numbers.Real) and math.isfinite(value)


def _require(fulfilled: bool, what: str, found: object, expected: str) -> None:
    if not fulfilled:
        raise ValueError(f"{what} is {found!r}; expected a number, {expected}")


def _require_text(what: str, feedback: object) -> None:
    if not isinstance(feedback, str):
        raise TypeError(f"{what}(…) got {type(feedback).__name__} as feedback; expected text for the student")


def _require_measured(what: str, measured: object) -> None:
    if measured is not None and not isinstance(measured, numbers.Real):
        raise TypeError(f"{what}(measured=…) is {measured!r}; expected a number or None")
