"""Moodle: the zip of "Download all submissions", and the grading worksheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

from autograder.lms.collect import Collected
from autograder.lms.files import read_files
from autograder.lms.handback import Upload, cell, upload_of
from autograder.lms.people import Person, folder_name

# in a Moodle zip: "Jane Doe_4711_assignsubmission_file_/hw3.ipynb", or the same with no folders
NAMED = re.compile(
    r"(?P<who>[^/]*?)_(?P<id>[0-9]+)_assignsubmission_(?P<kind>[a-z]+)_?/?(?P<name>.*)", re.DOTALL
)


def read(source: Path) -> Collected:
    """What a zip of "Download all submissions" holds, with or without folders."""
    found, people = Collected(), {}
    for path, data, trouble in read_files(source):
        match = NAMED.fullmatch(path)
        if match is None or trouble or match["kind"] != "file" or not match["name"]:
            found.left.append(f"{path} ({trouble or 'not a file named as Moodle does'})")
            continue
        submission = folder_name(match["who"], match["id"])
        people[submission] = Person(submission, "moodle", match["id"], match["who"])
        found.add(submission, match["name"], data)
    found.people = list(people.values())
    return found


def fill(worksheet: str, grades: Mapping[str, float | None]) -> Upload:
    """Moodle's grading worksheet with the grades filled in; every other cell stays as it was.

    Args:
        worksheet: the text of "Download grading worksheet".
        grades: points by Moodle's participant number; None while they are open, which leaves the cell empty.

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
        points = grades[who]
        row[grade] = cell(points, row[grade], ".2f")
        top = row[most] if most is not None else ""
        if points is not None and top.strip() and points > float(top.replace(",", ".")):
            notes.append(
                f"{row[identity]}: {points:g} points are more than the maximum grade {top}, which"
                " Moodle will refuse"
            )
    upload = upload_of(rows, done, grades)
    upload.text = mark + upload.text
    upload.notes += notes
    return upload
