"""How students got to their answers, over a class: from the histories of checks that they agreed to keep.

All of it is what logs claim; no point rests on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from autograder.grade.report import Report, Tried

PAUSE = 20 * 60.0  # seconds between two checks beyond which the time does not count as work
MAX_NAMED = 5  # mistakes of one question


@dataclass(frozen=True)
class QuestionHistory:
    """How students got to one question's answer.

    Attributes:
        students: how many have checked it, of those with a history.
        passed: how many of them passed a check of it in the end.
        tries: median number of checks up to the first that passed, over those who passed; None if nobody did.
        most: the largest such number.
        minutes: median time on it, in minutes: from the check before it to the first that passed, pauses of
            more than :data:`PAUSE` left out; None if nobody passed.
        mistakes: what checks said on the way → in how many students' histories, the commonest first.
        stopped: names of the submissions whose last check of it failed.
        last: how many students' histories end with a failed check of it.
    """

    id: str
    students: int
    passed: int
    tries: float | None
    most: int
    minutes: float | None
    mistakes: tuple[tuple[str, int], ...]
    stopped: tuple[str, ...]
    last: int


@dataclass(frozen=True)
class ClassHistory:
    """The histories of one homework; ``students`` how many logs hold one, of ``total`` submissions."""

    students: int
    total: int
    questions: tuple[QuestionHistory, ...] = ()


def class_history(reports: Sequence[Report]) -> ClassHistory:
    """How a class got to its answers.

    Args:
        reports: of one homework.
    """
    known = [(one.submission, _ordered(one.history)) for one in reports if one.history]
    ids = [question.id for one in reports for question in one.questions]
    questions = tuple(
        found for question in dict.fromkeys(ids) if (found := _question(question, known)) is not None
    )
    return ClassHistory(len(known), len(reports), questions)


def _ordered(history: Iterable[Tried]) -> list[tuple[float, Tried]]:
    """Events with their times in seconds, oldest first; what has no time that can be read is left out."""
    made = []
    for one in history:
        try:
            made.append((datetime.fromisoformat(one.at).timestamp(), one))
        except (ValueError, OverflowError):
            continue
    return sorted(made, key=lambda pair: pair[0])


def _question(
    question: str, known: Sequence[tuple[str, list[tuple[float, Tried]]]]
) -> QuestionHistory | None:
    tries: list[int] = []
    minutes: list[float] = []
    mistakes: Counter[str] = Counter()
    stopped: list[str] = []
    students = last = 0
    for name, events in known:
        mine = [one for _, one in events if one.question == question]
        if not mine:
            continue
        students += 1
        mistakes.update({says for one in mine for says in one.mistakes})
        first = next((number for number, one in enumerate(mine, 1) if one.passed), 0)
        if first:
            tries.append(first)
            spent = _seconds(question, events)
            minutes += [] if spent is None else [spent / 60]
        if not mine[-1].passed:
            stopped.append(name)
            last += events[-1][1].question == question
    if not students:
        return None
    return QuestionHistory(
        question,
        students,
        len(tries),
        float(median(tries)) if tries else None,
        max(tries, default=0),
        round(median(minutes), 1) if minutes else None,
        tuple(mistakes.most_common(MAX_NAMED)),
        tuple(sorted(stopped)),
        last,
    )


def _seconds(question: str, events: Sequence[tuple[float, Tried]]) -> float | None:
    """Time on a question until its first check that passed: since the check before, pauses left out.

    None where no check stands before, so that nothing says how long it took.
    """
    gaps: list[float] = []
    before: float | None = None
    for at, one in events:
        if one.question == question:
            if before is not None:
                gaps.append(at - before)
            if one.passed:
                break
        before = at
    return sum(gap for gap in gaps if gap <= PAUSE) if gaps else None
