"""Points from ``grades.csv`` under the ids of a platform, for the file that it takes back.

What matches nothing is listed; nothing is guessed.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

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
    for number, row in enumerate(rows, 2):
        if row["submission"] in found:
            raise ValueError(f"row {number}: {row['submission']!r} has a row above")
        written = {name: (value or "").strip() for name, value in row.items() if name.endswith(" written")}
        try:
            points = sum(float(value) for value in (row["points"], *written.values()) if value)
        except ValueError:
            raise ValueError(
                f"row {number}, {row['submission']}: points must be numbers: {row['points']!r}, {written}"
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
        if row["status"] == "unreadable":
            notes.append(f"{row['submission']}: unreadable, so the grade is open; grades.csv says why")
            continue
        if unjudged:
            notes.append(f"{row['submission']}: points are open, because a part could not be judged")
        if row["status"] != "graded":
            notes.append(f"{row['submission']}: {row['status']}")
    return found, notes


def homework_of(text: str) -> str:
    """The id of the one homework in a ``grades.csv``; empty where there are several."""
    found = {row.get("homework") or "" for row in csv.DictReader(io.StringIO(text.lstrip("\ufeff")))} - {""}
    return found.pop() if len(found) == 1 else ""


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
    matches: Mapping[str, str] | None = None,
) -> tuple[dict[str, float | None], list[str]]:
    """Points by the platform's id, late days counted, and what matches nothing.

    Args:
        grades: points by submission.
        people: as collected.
        policy: what late days cost.
        earlier: people of earlier homeworks, whose late days count as used.
        matches: submission → id, where an instructor settled it.

    Raises:
        ValueError: several rows belong to one student.
    """
    settled = set((matches or {}).values())
    decided = {one.submission for one in people if one.id in settled}
    every = {one.submission for one in people}
    people = matched(people, grades, matches or {})
    refuse_double(grades, people, settled=settled)
    notes = [
        f"{name}: another row of this student counts, by --match"
        if name in decided or _within(name, every) in decided
        else f"{name}: in grades.csv, but not imported"
        for name in sorted(set(grades) - {one.submission for one in people})
    ]
    folders = {one.submission for one in people}
    used: dict[str, int] = {}
    for one in earlier:
        used[one.id] = used.get(one.id, 0) + int(one.late_days or 0)
    found: dict[str, float | None] = {}
    for one in people:
        if one.submission not in grades:
            near = [name for name in grades if _within(name, folders) == one.submission]
            several = f"; it was graded as {len(near)} submissions: {', '.join(near)}" if near else ""
            notes.append(f"{one.submission}: imported, but not in grades.csv{several}")
            continue
        points = grades[one.submission]
        if policy is None and one.late == "yes":
            by = f" by {one.late_days} days" if one.late_days else ""
            notes.append(f"{one.submission}: late{by}; there is no late policy, so no points are deducted")
        if policy is not None and one.late == "yes" and not one.late_days:
            notes.append(f"{one.submission}: late, but by an unknown time, so no points are deducted")
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


def matched(
    people: Sequence[Person], grades: Mapping[str, float | None], matches: Mapping[str, str]
) -> list[Person]:
    """The people with the submissions that an instructor gave them.

    Raises:
        ValueError: a match names no submission, or one person twice.
    """
    # a file system may have changed how a name's marks are composed
    theirs = {unicodedata.normalize("NFC", name): name for name in grades}
    made = [
        replace(one, submission=theirs.get(unicodedata.normalize("NFC", one.submission), one.submission))
        for one in people
    ]
    for name, identity in matches.items():
        if name not in grades:
            raise ValueError(f"--match: {name!r} is no submission in grades.csv")
        if list(matches.values()).count(identity) > 1:
            both = ", ".join(one for one, other in matches.items() if other == identity)
            raise ValueError(f"--match: {identity} is given several submissions: {both}")
        old = next((one for one in made if one.id == identity), Person(name, "", identity))
        made = [one for one in made if identity not in (one.id,) and one.submission != name]
        made.append(replace(old, submission=name))
    return made


def refuse_double(grades: Mapping[str, float | None], people: Sequence[Person], settled: set[str]) -> None:
    """One value a person: refuses where several rows of ``grades.csv`` claim one.

    Raises:
        ValueError: with every such person and the rows.
    """
    folders = {one.submission for one in people}
    claims: dict[str, list[str]] = {}
    for one in people:
        mine = claims.setdefault(one.id, [])
        if one.submission in grades:
            mine.append(one.submission)
        if one.id not in settled:
            mine += [name for name in grades if _within(name, folders) == one.submission]
    double = {identity: rows for identity, rows in claims.items() if len(set(rows)) > 1}
    if double:
        told = "; ".join(
            f"{identity}: {', '.join(f'{name} ({_worth(grades[name])})' for name in dict.fromkeys(rows))}"
            for identity, rows in double.items()
        )
        raise ValueError(
            "several rows belong to one student, and only one value can be exported. Use --match to name"
            f" one, or remove the others from grades.csv: {told}"
        )


def _worth(points: float | None) -> str:
    return "open" if points is None else f"{points:g} points"


def _within(name: str, folders: set[str]) -> str:
    """The collected folder out of which a submission of another name was made; empty if there is none."""
    inside = [one for one in folders if name.startswith((f"{one}-", f"{one} ("))]
    return "" if name in folders else max(inside, key=len, default="")


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
