"""What belongs to a question's text: numbers that may differ between students, and the written answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Number:
    """A number in a question's text, which a course may draw anew for every student (``--variants``).

    Args:
        name: for text and table: the source says ``{{number 1.13c tokens}}``, a judge reads
            ``answer["numbers"]["tokens"]``.
        usual: the number for everybody, without per-student variants.
        among: what it may be for one student.
    """

    name: str
    usual: int
    among: Sequence[int]


class NumbersMissingError(Exception):
    """A student's numbers are not known; the message says why, for the student to read."""


class Numbers(dict[str, int]):
    """A question's numbers by name; asking for one that is not known raises :class:`NumbersMissingError`."""

    def __init__(self, numbers: Mapping[str, int], problem: str = ""):
        super().__init__(numbers)
        self.problem = problem

    def __missing__(self, name: str) -> int:
        raise NumbersMissingError(self.problem) if self.problem else KeyError(name)


@dataclass(frozen=True)
class Written:
    """A written answer: a Markdown cell that a person grades.

    Args:
        points: at most, given by a person.
        words: the least and the most words that the question asks for.
        rubric: what earns points → how many.
        examples: ``full``, ``half`` and ``none`` → an answer that deserves it. Never shipped to students.
    """

    points: float
    words: tuple[int, int]
    rubric: Mapping[str, float]
    examples: Mapping[str, str]

    def __post_init__(self) -> None:
        if sum(self.rubric.values()) != self.points:
            raise ValueError(
                f"the rubric adds up to {sum(self.rubric.values())}, not to {self.points} points"
            )
        if set(self.examples) != {"full", "half", "none"}:
            raise ValueError("a rubric needs example answers for full, half and none")
