"""When something was handed in, how late that is, and what late days cost."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from autograder.lms.people import Person

DAY = timedelta(days=1)


@dataclass(frozen=True)
class LatePolicy:
    """What late days cost: some in a term are free, each further one takes off a part of the points.

    Attributes:
        free: late days that each student has for the term.
        penalty: percent of the points earned, for each late day beyond the free ones; never below 0 points.
        most: more late days than this give 0 points; None for no end.
    """

    free: int = 0
    penalty: float = 0.0
    most: int | None = None

    def __str__(self) -> str:
        end = f"; more than {self.most} late days give 0 points" if self.most is not None else ""
        return (
            f"A late day is each 24 hours begun after the due time. {self.free} late days a term are free; "
            f"each further one costs {self.penalty:g}% of the points{end}."
        )

    def points(self, points: float, days: int, used: int = 0) -> float:
        """The points that are left.

        Args:
            points: earned.
            days: late days of this submission.
            used: late days of earlier homeworks.
        """
        if self.most is not None and days > self.most:
            return 0.0
        charged = max(0, days - max(0, self.free - used))
        return round(points * max(0.0, 1 - charged * self.penalty / 100), 4)


def read_time(text: str) -> datetime:
    """A time in ISO 8601, or as Moodle's grading worksheet writes it in English.

    Raises:
        ValueError: it is neither.
    """
    bare = " ".join(text.replace("\u202f", " ").split())
    for form in ("%A, %d %B %Y, %I:%M %p", "%A, %B %d, %Y, %I:%M %p"):
        try:
            return datetime.strptime(bare, form)
        except ValueError:
            continue
    try:
        return datetime.fromisoformat(bare)
    except ValueError:
        raise ValueError(f"{text!r} is not a time in ISO 8601 or in Moodle's English format") from None


def late_days(submitted: str, due: datetime, grace: timedelta = timedelta()) -> int:
    """Days begun after the due time: 0 on time or within the grace, 1 up to 24 hours after it, and so on.

    A time without a zone is taken to be in the due time's zone, and the other way round.
    """
    when = read_time(submitted)
    if (when.tzinfo is None) != (due.tzinfo is None):
        when, due = (
            (when.replace(tzinfo=due.tzinfo), due)
            if when.tzinfo is None
            else (when, due.replace(tzinfo=when.tzinfo))
        )
    return max(0, math.ceil((when - due) / DAY)) if when > due + grace else 0


def with_times(
    people: Iterable[Person], times: Mapping[str, str], due: datetime | None, grace: timedelta
) -> list[Person]:
    """The people with times from another file, by id, and late days where both times are known."""
    made = []
    for one in people:
        one = replace(one, submitted=times.get(one.id, one.submitted))
        if due is not None and one.submitted:
            days = late_days(one.submitted, due, grace)
            one = replace(one, late="yes" if days else "no", late_days=str(days))
        made.append(one)
    return made


def _digits(identifier: str) -> str:
    """The number in ``Participant 4711``, in any language."""
    told = identifier.strip()
    return told[len(told.rstrip("0123456789")) :]


def read_times(text: str) -> dict[str, str]:
    """Submission times by id.

    Args:
        text: Moodle's grading worksheet, or a CSV with the columns ``id`` and ``submitted``.

    Raises:
        ValueError: it has neither kind of columns.
    """
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    columns = set(rows[0]) if rows else set()
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise ValueError(f"row {number} does not have a cell for each header")
    if {"Identifier", "Last modified (submission)"} <= columns:
        pairs = [
            (_digits(row["Identifier"]), row["Last modified (submission)"].strip())
            for row in rows
            if row["Identifier"].strip()
        ]
    elif {"id", "submitted"} <= columns:
        pairs = [(row["id"].strip(), row["submitted"].strip()) for row in rows]
    else:
        raise ValueError(
            "the times need the columns id and submitted, or those of Moodle's grading worksheet"
        )
    times = {identity: when for identity, when in pairs if when not in ("", "-")}
    for number, (_, when) in enumerate(pairs, 2):
        if when in ("", "-"):
            continue
        try:
            read_time(when)
        except ValueError as error:
            raise ValueError(f"row {number}: {error}") from None
    return times
