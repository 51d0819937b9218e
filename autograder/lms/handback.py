"""Points from ``grades.csv`` under the ids of a platform, for the file that it takes back.

What matches nothing is listed; nothing is guessed.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from autograder.lms.late import LatePolicy
from autograder.lms.people import Person

EXCUSED = ("ex", "excused")  # what platforms write for whom a homework does not count


@dataclass
class Upload:
    """The file to upload, and everything that a person should look at first."""

    text: str
    matched: int = 0
    notes: list[str] = field(default_factory=list)


def totals(text: str) -> tuple[dict[str, float | None], list[str]]:
    """Points of each submission from ``grades.csv``, written answers included; None while any are open.

    Raises:
        ValueError: it is not a ``grades.csv``.
    """
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    if not rows or not {"submission", "points", "status"} <= set(rows[0]):
        raise ValueError("this is not a grades.csv that 'autograder grade' wrote")
    found: dict[str, float | None] = {}
    notes = []
    for row in rows:
        written = {name: (value or "").strip() for name, value in row.items() if name.endswith(" written")}
        try:
            points = sum(float(value) for value in (row["points"], *written.values()) if value)
        except ValueError:
            raise ValueError(
                f"{row['submission']}: points must be numbers: {row['points']!r}, {written}"
            ) from None
        mine = {
            name.removesuffix(" written")
            for name in written
            if row.get(name.removesuffix(" written"), "") != ""
        }
        waiting = [name for name in sorted(mine) if not written[f"{name} written"]]
        unjudged = not row["points"] or (not waiting and row.get("open", "") not in ("", "0"))
        found[row["submission"]] = None if waiting or unjudged else points
        if waiting:
            notes.append(f"{row['submission']}: written answers without points: {', '.join(waiting)}")
        if unjudged:
            notes.append(f"{row['submission']}: points are open, as something could not be judged")
        if row["status"] != "graded":
            notes.append(f"{row['submission']}: {row['status']}")
    return found, notes


def is_excused(present: str) -> bool:
    """Whether a platform's cell says that a homework does not count for this student."""
    return present.strip().casefold() in EXCUSED


def cell(points: float | None, present: str, form: str = "g") -> str:
    """What goes into a platform's cell: points, nothing while they are open, and who is excused stays so.

    Args:
        points: the grade; None while it is open.
        present: what stands in the cell.
        form: how points are written.
    """
    if is_excused(present):
        return present
    return "" if points is None else format(points, form)


def grades_by_id(
    grades: Mapping[str, float | None],
    people: Sequence[Person],
    policy: LatePolicy | None = None,
    earlier: Iterable[Person] = (),
) -> tuple[dict[str, float | None], list[str]]:
    """Points by the platform's id, late days counted, and what matches nothing; None while they are open."""
    notes = [
        f"{name}: in grades.csv, but not collected"
        for name in sorted(set(grades) - {one.submission for one in people})
    ]
    used: dict[str, int] = {}
    for one in earlier:
        used[one.id] = used.get(one.id, 0) + int(one.late_days or 0)
    found: dict[str, float | None] = {}
    for one in people:
        if one.submission not in grades:
            near = [name for name in grades if name.startswith(f"{one.submission}-")]
            several = f"; it was graded as {len(near)} submissions: {', '.join(near)}" if near else ""
            notes.append(f"{one.submission}: collected, but not in grades.csv{several}")
            continue
        points = grades[one.submission]
        if policy is not None and one.late == "yes" and not one.late_days:
            notes.append(f"{one.submission}: late, but by how much is not known, so nothing was taken off")
        if policy is not None and points is not None:
            days = int(one.late_days or 0)
            kept = policy.points(points, days, used.get(one.id, 0))
            if days:
                notes.append(
                    f"{one.submission}: {days} late days, {used.get(one.id, 0)} before: {points:g} points"
                    f" become {kept:g}"
                )
            points = kept
        found[one.id] = points
    return found, notes


def upload_of(rows: Iterable[Sequence[str]], done: set[str], grades: Mapping[str, float | None]) -> Upload:
    """The file with these rows.

    Args:
        rows: of the platform's table, grades filled in.
        done: ids whose grades are.
        grades: points by id; an id that is not done is listed.
    """
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return Upload(
        text.getvalue(),
        sum(grades.get(who) is not None for who in done),
        [
            f"{who}: graded, but that id is not in the file of the platform"
            for who in sorted(set(grades) - done)
        ],
    )
