"""A homework as a course wants it: which questions, in which order, with which points, titles and rubrics.

What a course changes comes as JSON, the *adaptation*, which ``course.toml`` gives and which travels to worker
processes, containers and other machines. The declarations themselves stay as they are: an adapted homework is
a copy.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autograder.declare.homework import Homework, Question
from autograder.declare.text import Written
from autograder.declare.verdicts import Check


class AdaptationError(ValueError):
    """A change that does not fit a homework; the message names what does."""


@dataclass(frozen=True)
class Wanted:
    """What a course changes in one question; None leaves a thing as it is declared.

    Attributes:
        points: of all checks together, which keep their proportions.
        checks: check → its points, for single ones.
        written: points of the written answer; its rubric keeps its proportions.
        rubric: item → points, in place of the declared ones.
        words: the least and the most words of the written answer.
    """

    title: str | None = None
    minutes: int | None = None
    extra: bool | None = None
    points: float | None = None
    checks: Mapping[str, float] | None = None
    written: float | None = None
    rubric: Mapping[str, float] | None = None
    words: Sequence[int] | None = None


def adapted(homework: Homework, told: Mapping[str, Any]) -> Homework:
    """The homework with a course's changes.

    Args:
        homework: as declared.
        told: ``title``, ``order`` (ids of the questions that stay, in their order) and ``questions`` (id →
            fields of :class:`Wanted`); each may be missing.

    Raises:
        AdaptationError: a question, check or written answer is not there, or points do not add up.
    """
    made = copy.copy(homework)
    made.title = told.get("title") or homework.title
    order = list(told.get("order") or homework.questions)
    for name in (*order, *told.get("questions", {})):
        if name not in homework.questions:
            raise AdaptationError(f"{homework.id} has no question {name!r}")
    if twice := sorted({name for name in order if order.count(name) > 1}):
        raise AdaptationError(f"{homework.id}: {', '.join(twice)} stands twice in the order")
    changes = told.get("questions", {})
    made.questions = {
        name: _question(homework.questions[name], Wanted(**changes.get(name, {}))) for name in order
    }
    made.left_out = tuple(name for name in homework.questions if name not in made.questions)
    made.retitled = {
        name: question.title
        for name, question in made.questions.items()
        if question.title != homework.questions[name].title
    }
    return made


def _question(question: Question, wanted: Wanted) -> Question:
    made = copy.copy(question)
    made.title = question.title if wanted.title is None else wanted.title
    made.minutes = question.minutes if wanted.minutes is None else wanted.minutes
    made.extra = question.extra if wanted.extra is None else wanted.extra
    made.checks = _checks(question, wanted)
    made.written = _written(question, wanted)
    return made


def _checks(question: Question, wanted: Wanted) -> list[Check]:
    """The checks with their points; single ones are set first, the rest shares what is left."""
    own = dict(wanted.checks or {})
    if unknown := [name for name in own if name not in {check.name for check in question.checks}]:
        there = ", ".join(repr(check.name) for check in question.checks) or "none"
        raise AdaptationError(f"{question.id} has no check {unknown[0]!r}; there are {there}")
    if wanted.points is not None and not question.checks:
        raise AdaptationError(f"{question.id} has no checks, only a written answer; set 'written'")
    rest = [check for check in question.checks if check.name not in own]
    before = sum(check.points for check in rest)
    left = before if wanted.points is None else round(wanted.points - sum(own.values()), 6)
    if (rest and left <= 0) or (not rest and wanted.points is not None and abs(left) > 1e-6):
        raise AdaptationError(
            f"{question.id}: the checks that are set take {sum(own.values()):g} of {wanted.points:g} points;"
            f" {len(rest)} others need the rest"
        )
    shares = dict(
        zip((check.name for check in rest), shared([one.points for one in rest], left), strict=True)
    )
    return [
        replace(check, points=own.get(check.name, shares.get(check.name, 0.0))) for check in question.checks
    ]


def shared(parts: Sequence[float], total: float) -> list[float]:
    """Numbers in the proportions of others that add up to a total, in hundredths."""
    before = sum(parts)
    if not parts or abs(before - total) < 1e-9:
        return list(parts)
    made = [round(part * total / before, 2) for part in parts]
    made[-1] = round(total - sum(made[:-1]), 6)
    return made


def _written(question: Question, wanted: Wanted) -> Written | None:
    asked = question.written
    if asked is None:
        for name in ("written", "rubric", "words"):
            if getattr(wanted, name) is not None:
                raise AdaptationError(f"{question.id} has no written answer, so it takes no '{name}'")
        return None
    if wanted.rubric is not None:
        rubric = dict(wanted.rubric)
        points = sum(rubric.values()) if wanted.written is None else wanted.written
    else:
        points = asked.points if wanted.written is None else wanted.written
        rubric = dict(zip(asked.rubric, shared(list(asked.rubric.values()), points), strict=True))
    if abs(sum(rubric.values()) - points) > 1e-9:
        raise AdaptationError(
            f"{question.id}: the rubric adds up to {sum(rubric.values()):g}, not to {points:g} points"
        )
    words = asked.words if wanted.words is None else (int(wanted.words[0]), int(wanted.words[1]))
    # sums of decimals are not exact, and the declaration compares exactly
    return replace(asked, points=sum(rubric.values()), words=words, rubric=rubric)
