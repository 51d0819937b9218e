"""What people decided about judged work: marks, points set by hand, requests; applied in this order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autograder.grade import marks, overrides, requests
from autograder.grade.report import Report


def apply(output: Path, reports: Sequence[Report]) -> list[Report]:
    """The reports with everything that people decided, read from the file in the folder of results.

    Args:
        output: the folder of results.
        reports: as judged, or with earlier decisions, which are replaced.
    """
    return requests.apply(output, overrides.apply(output, marks.apply(output, reports)))


def points_of(output: Path, report: Report, question: str) -> float:
    """The points of one question with all that the staff have decided by now."""
    (decided,) = apply(output, [report])
    return next(one.total for one in decided.questions if one.id == question)
