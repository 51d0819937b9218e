"""The table of students and questions: points in each cell, colored by what was lost."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from autograder.files import points
from autograder.grade.report import GRADER, LOST, QuestionResult, Report

MAX_ROWS = 400  # of a larger class those with the fewest points
STEPS = (1 - 1e-9, 0.75, 0.4, 1e-9)  # shares of the points from which on a cell has color 0, 1, 2, 3; else 4


@dataclass(frozen=True)
class Cell:
    """A student's points in one question: as text, and the color's name."""

    text: str
    color: str


@dataclass(frozen=True)
class StudentRow:
    """A student's cells, in the order of the questions; ``share`` of all points that the autograder gives."""

    name: str
    share: float
    cells: tuple[Cell, ...]


def student_rows(reports: Sequence[Report]) -> list[StudentRow]:
    """The rows, most points first; the last ones alone, where there are many.

    Args:
        reports: of one homework.
    """
    judged = [one for one in reports if one.questions and one.maximum]
    fewest = heapq.nsmallest(MAX_ROWS, judged, key=lambda one: (one.points / one.maximum, one.submission))
    return [
        StudentRow(one.submission, one.points / one.maximum, tuple(map(cell, one.questions)))
        for one in reversed(fewest)
    ]


def cell(result: QuestionResult) -> Cell:
    """A question as a cell: its points, with a sign where that is not the whole story."""
    earned = result.total
    possible = result.maximum - result.open_points
    possible += result.written_points if result.given is not None else 0.0
    if not possible:
        waits = GRADER in result.causes
        return Cell("?" if waits else "…", "lx")
    if not earned and result.checks and all(check.state == "unanswered" for check in result.checks):
        return Cell("!" if any(check.cause in LOST for check in result.checks) else "–", "lx")
    share = earned / possible
    color = next((step for step, least in enumerate(STEPS) if share >= least), len(STEPS))
    sign = "!" if any(check.cause in LOST for check in result.checks) else "?" if result.open_points else ""
    return Cell(points(earned) + sign, f"l{color}")
