"""The rubric of a written answer: as the homework declares it, or as the course's staff edited it since."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autograder.declare import Written, homeworks

MAX_ITEMS = 30
MAX_WORDS = 500  # characters of an item


class RubricError(ValueError):
    """A rubric that cannot be kept; the message says why."""


@dataclass(frozen=True)
class Rubric:
    """What earns points for a written answer.

    Attributes:
        items: what earns points, and how many; a negative number takes points away.
        maximum: the points of the written answer: no answer gets more, and none less than 0.
        version: counts the edits; 0 is the homework's own declaration.
    """

    items: tuple[tuple[str, float], ...]
    maximum: float
    version: int = 0

    def fitted(self, shares: Sequence[float]) -> tuple[float, ...]:
        """One share for each item: those that were added since get nothing."""
        return tuple(shares[: len(self.items)]) + (0.0,) * (len(self.items) - len(shares))

    def points(self, shares: Sequence[float]) -> float:
        """The points of items that are given in full (1), in half (0.5) or not (0)."""
        earned = sum(
            points * share for (_, points), share in zip(self.items, self.fitted(shares), strict=True)
        )
        return min(max(earned, 0.0), self.maximum)

    def reasons(self, shares: Sequence[float]) -> tuple[str, ...]:
        """What earned or cost points, in words."""
        return tuple(
            f"{words} ({points * share:g} of {points:g})"
            for (words, points), share in zip(self.items, self.fitted(shares), strict=True)
            if share
        )

    @property
    def remark(self) -> str:
        """What a grader should know where the items do not add up to the maximum; empty if they do."""
        total = sum(points for _, points in self.items if points > 0)
        if abs(total - self.maximum) < 1e-9:
            return ""
        most = f"The items add up to {total:g}, and the answer has {self.maximum:g} points."
        return (
            f"{most} No answer gets more than {self.maximum:g}."
            if total > self.maximum
            else (f"{most} No answer can reach them all.")
        )

    def edited(self, items: Sequence[tuple[str, float]]) -> Rubric:
        """The next version: items may be reworded, weighted anew and added at the end, never left out.

        Raises:
            RubricError: it would not do.
        """
        made = tuple((" ".join(words.split()), float(points)) for words, points in items)
        if len(made) < len(self.items):
            raise RubricError("An item cannot be left out, as answers were graded by it; give it 0 points.")
        if len(made) > MAX_ITEMS:
            raise RubricError(f"A rubric has at most {MAX_ITEMS} items.")
        if any(not words or len(words) > MAX_WORDS for words, _ in made):
            raise RubricError(f"Each item needs words, at most {MAX_WORDS} characters.")
        if len({words for words, _ in made}) < len(made):
            raise RubricError("Two items have the same words.")
        if any(not math.isfinite(points) or abs(points) > 100 * max(self.maximum, 1) for _, points in made):
            raise RubricError("The points of an item must be a number.")
        if made == self.items:
            raise RubricError("Nothing was changed.")
        return Rubric(made, self.maximum, self.version + 1)


def written_of(homework: str, question: str) -> Written | None:
    """The declaration of a written answer, None where this package knows none."""
    known = homeworks().get(homework)
    asked = known.questions.get(question) if known else None
    return asked.written if asked else None


def declared(homework: str, question: str) -> Rubric | None:
    """The rubric that a homework declares, None if the question has no written answer."""
    written = written_of(homework, question)
    return Rubric(tuple(written.rubric.items()), written.points) if written else None
