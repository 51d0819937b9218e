"""Puts grades into the files that Canvas and Moodle take back, matched by the ids that they gave. Nothing is guessed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from autograder.lms.collect import Person

CANVAS_WHO = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")


@dataclass(frozen=True)
class LatePolicy:
    """What late days cost: the first ``free`` in a term cost nothing, each further one ``penalty`` percent of the points.

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


@dataclass
class Upload:
    """The file to upload, and everything that a person should look at first."""

    text: str
    matched: int = 0
    notes: list[str] = field(default_factory=list)


def totals(text: str) -> tuple[dict[str, float], list[str]]:
    """Points of each submission from ``grades.csv``, written answers included, and what is still missing.

    Raises:
        ValueError: it is not a ``grades.csv``.
    """
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    if not rows or not {"submission", "points", "status"} <= set(rows[0]):
        raise ValueError("this is not a grades.csv that 'autograder grade' wrote")
    found, notes = {}, []
    for row in rows:
        written = {name: (value or "").strip() for name, value in row.items() if name.endswith(" written")}
        try:
            found[row["submission"]] = float(row["points"]) + sum(
                float(value) for value in written.values() if value
            )
        except ValueError:
            raise ValueError(
                f"{row['submission']}: points must be numbers: {row['points']!r}, {written}"
            ) from None
        mine = {
            name.removesuffix(" written")
            for name in written
            if row.get(name.removesuffix(" written"), "") != ""
        }
        if waiting := [name for name in sorted(mine) if not written[f"{name} written"]]:
            notes.append(f"{row['submission']}: written answers without points: {', '.join(waiting)}")
        if row["status"] != "graded":
            notes.append(f"{row['submission']}: {row['status']}")
    return found, notes


def grades_by_id(
    grades: Mapping[str, float],
    people: Sequence[Person],
    policy: LatePolicy | None = None,
    earlier: Iterable[Person] = (),
) -> tuple[dict[str, float], list[str]]:
    """Points by the platform's id, late days counted, and what matches nothing."""
    notes = [
        f"{name}: in grades.csv, but not collected"
        for name in sorted(set(grades) - {one.submission for one in people})
    ]
    used: dict[str, int] = {}
    for one in earlier:
        used[one.id] = used.get(one.id, 0) + int(one.late_days or 0)
    found = {}
    for one in people:
        if one.submission not in grades:
            near = [name for name in grades if name.startswith(f"{one.submission}-")]
            several = f"; it was graded as {len(near)} submissions: {', '.join(near)}" if near else ""
            notes.append(f"{one.submission}: collected, but not in grades.csv{several}")
            continue
        points = grades[one.submission]
        if policy is not None:
            if one.late == "yes" and not one.late_days:
                notes.append(
                    f"{one.submission}: late, but by how much is not known, so nothing was taken off"
                )
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


def canvas(gradebook: str, column: str, grades: Mapping[str, float]) -> Upload:
    """A file for Canvas' gradebook import, out of its export.

    Args:
        gradebook: the export's text.
        column: the assignment's column, as the export names it, or the number in its brackets.
        grades: points by Canvas' user id.

    Raises:
        ValueError: the export or the column is not what Canvas writes.
    """
    rows = list(csv.reader(io.StringIO(gradebook.lstrip("\ufeff"))))
    if not rows or "ID" not in rows[0] or "Student" not in rows[0]:
        raise ValueError("this is not a gradebook export of Canvas: it has no columns Student and ID")
    head = rows[0]
    chosen = [place for place, name in enumerate(head) if name == column or name.endswith(f"({column})")]
    if len(chosen) != 1:
        possible = [name for name in head if name.endswith(")")]
        raise ValueError(
            f"{len(chosen)} columns are called {column!r}; assignments are: {'; '.join(possible)}"
        )
    kept = [place for place, name in enumerate(head) if name in CANVAS_WHO] + chosen
    identity, made = head.index("ID"), [head]
    done: set[str] = set()
    for row in rows[1:]:
        who = row[identity].strip() if len(row) == len(head) else ""
        if not who:  # the rows with points possible and posting policies stand above the students
            if not done and len(row) == len(head):
                made.append(row)
        elif who in grades and who not in done:
            made.append(
                [f"{grades[who]:g}" if place == chosen[0] else cell for place, cell in enumerate(row)]
            )
            done.add(who)
    upload = _upload([[row[place] for place in kept] for row in made], done, grades)
    missing = [
        row[head.index("Student")]
        for row in rows[1:]
        if len(row) == len(head) and row[identity].strip() and row[identity].strip() not in grades
    ]
    upload.notes += [f"{name}: in the gradebook, but without a grade here; left out" for name in missing]
    return upload


def moodle(worksheet: str, grades: Mapping[str, float]) -> Upload:
    """Moodle's grading worksheet with the grades filled in; every other cell stays as it was.

    Args:
        worksheet: the text of "Download grading worksheet".
        grades: points by Moodle's participant number.

    Raises:
        ValueError: it is not a grading worksheet.
    """
    mark = "\ufeff" if worksheet.startswith("\ufeff") else ""
    rows = list(csv.reader(io.StringIO(worksheet.lstrip("\ufeff"))))
    if not rows or "Identifier" not in rows[0] or "Grade" not in rows[0]:
        raise ValueError("this is not a grading worksheet of Moodle: it has no columns Identifier and Grade")
    head = rows[0]
    identity, grade = head.index("Identifier"), head.index("Grade")
    most = next((place for place, name in enumerate(head) if name.lower() == "maximum grade"), None)
    open_ = head.index("Grade can be changed") if "Grade can be changed" in head else None
    done: set[str] = set()
    notes = []
    for row in rows[1:]:
        who = row[identity].split()[-1] if row and row[identity].strip() else ""
        if who not in grades:
            notes.append(
                f"{row[identity] if row else 'an empty row'}: in the worksheet, but without a grade here;"
                " left as it was"
            )
            continue
        done.add(who)
        if open_ is not None and row[open_].strip().lower() == "no":
            notes.append(f"{row[identity]}: Moodle says that the grade cannot be changed; left as it was")
            continue
        row[grade] = f"{grades[who]:.2f}"
        if most is not None and row[most].strip() and grades[who] > float(row[most].replace(",", ".")):
            notes.append(
                f"{row[identity]}: {grades[who]:g} points are more than the maximum grade {row[most]}, which"
                " Moodle will refuse"
            )
    upload = _upload(rows, done, grades)
    upload.text = mark + upload.text
    upload.notes += notes
    return upload


def _upload(rows: Iterable[Sequence[str]], done: set[str], grades: Mapping[str, float]) -> Upload:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return Upload(
        text.getvalue(),
        len(done),
        [
            f"{who}: graded, but that id is not in the file of the platform"
            for who in sorted(set(grades) - done)
        ],
    )
