"""What an instructor asks of a graded homework first: how did it go, and what is to do now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from autograder.grade.report import CAUSES, GRADER, LOST, Report
from autograder.kit.answers import NOT_FOUND
from autograder.report.mistakes import Mistake, brief

WORST, TO_OPEN = 3, 5


@dataclass(frozen=True)
class Spread:
    """How the shares of points lie, from 0 to 1: the median, the middle half, the ends."""

    median: float
    low: float
    high: float
    least: float
    most: float


@dataclass(frozen=True)
class Worst:
    """A question that went badly.

    Attributes:
        mean: mean share of its points.
        mistake: the most common one; None if nobody made any.
        unanswered: how many have not answered it.
    """

    id: str
    title: str
    mean: float
    mistake: Mistake | None
    unanswered: int


@dataclass(frozen=True)
class ToOpen:
    """A submission to open, and why."""

    report: Report
    why: str


@dataclass(frozen=True)
class CauseFigures:
    """What a cause other than a mistake cost: in how many submissions, and how many points."""

    cause: str
    words: str
    submissions: int
    points: float


def spread(shares: Sequence[float]) -> Spread | None:
    """How a class lies; None without anybody."""
    if not shares:
        return None
    low, middle, high = (float(one) for one in np.quantile(shares, (0.25, 0.5, 0.75)))
    return Spread(middle, low, high, min(shares), max(shares))


def worst(
    means: Iterable[tuple[str, str, float | None]], mistakes: Sequence[Mistake], reports: Sequence[Report]
) -> list[Worst]:
    """The questions with the lowest means, with what most often went wrong there.

    Args:
        means: id, title and mean share of each question; None where nothing was judged.
        mistakes: of the homework, most frequent first.
        reports: of the homework.
    """
    known = sorted(
        ((mean, name, title) for name, title, mean in means if mean is not None and mean < 1 - 1e-9),
        key=lambda one: one[0],
    )
    found = []
    for mean, name, title in known[:WORST]:
        unanswered = sum(
            bool(question.checks) and all(check.state == "unanswered" for check in question.checks)
            for report in reports
            for question in report.questions
            if question.id == name
        )
        commonest = next((one for one in mistakes if one.question == name), None)
        found.append(Worst(name, title, mean, commonest, unanswered))
    return found


def causes(reports: Sequence[Report]) -> list[CauseFigures]:
    """What was lost or is open for other causes than mistakes and blank answers."""
    found = []
    for cause in (*LOST, GRADER):
        cost = [report.causes[cause] for report in reports if cause in report.causes]
        if cost:
            words = (
                "a mistake in the grader; grader-errors.txt says which" if cause == GRADER else CAUSES[cause]
            )
            found.append(CauseFigures(cause, words, len(cost), sum(cost)))
    return found


def to_open(reports: Sequence[Report], alike: Iterable[Sequence[str]] = ()) -> list[ToOpen]:
    """The submissions to open first: of each reason the worst, then the next of each.

    Args:
        reports: of the homework, and those that belong to none.
        alike: names of submissions whose code is nearly the same, a group each.
    """
    taken: dict[str, ToOpen] = {}
    for row in zip_longest(*_reasons(reports, alike)):
        for one in row:
            if one is not None and len(taken) < TO_OPEN:
                taken.setdefault(one.report.submission, one)
    return list(taken.values())


def _reasons(reports: Sequence[Report], alike: Iterable[Sequence[str]]) -> list[list[ToOpen]]:
    """Candidates for each reason, the worst first; five of each are enough, as they may be the same ones."""
    judged = [one for one in reports if one.questions]
    lost = {one.submission: sum(one.causes.get(cause, 0.0) for cause in LOST) for one in judged}
    by_name = {one.submission: one for one in judged}
    lists = [
        [
            ToOpen(one, f"could not be judged: {brief(' '.join(one.notes))}" if one.notes else "not judged")
            for one in reports
            if not one.questions
        ],
        [
            ToOpen(one, "asks to look at a grade again")
            for one in judged
            if any(request.decision == "open" for request in one.requests)
        ],
        [
            ToOpen(one, f"lost {lost[one.submission]:g} points to: {_causes_of(one)}")
            for one in sorted(judged, key=lambda one: -lost[one.submission])
            if lost[one.submission] > 0
        ],
        [
            ToOpen(one, "a written answer was not found")
            for one in judged
            if any(question.found == NOT_FOUND and question.given is None for question in one.questions)
        ],
        [
            ToOpen(one, brief(one.notes[0]))
            for one in judged
            if one.status != "graded" and one.notes and not lost[one.submission]
        ],
        [
            ToOpen(by_name[group[0]], f"code nearly the same as {', '.join(group[1:4])}")
            for group in alike
            if group[0] in by_name
        ],
        [
            ToOpen(one, f"{100 * one.points / one.maximum:.0f} % of the points, among the fewest")
            for one in sorted(judged, key=lambda one: one.points)
            if one.maximum and one.points < one.maximum
        ],
    ]
    return [found[: TO_OPEN * TO_OPEN] for found in lists]


def _causes_of(report: Report) -> str:
    return ", ".join(cause for cause in LOST if report.causes.get(cause, 0.0) > 0)
