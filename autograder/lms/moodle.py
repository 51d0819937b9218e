"""Moodle: the zip of "Download all submissions", and the grading worksheet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from autograder.lms.collect import Collected
from autograder.lms.export import read_export
from autograder.lms.files import read_files
from autograder.lms.handback import Upload, cell, upload_of
from autograder.lms.people import Person, folder_name
from autograder.lms.tables import number

# in a Moodle zip: "Jane Doe_4711_assignsubmission_file_/hw3.ipynb": all of the folder's name is Moodle's, and
# what it added stands at the end, whatever the student is called
FOLDER = re.compile(
    r"(?P<who>[^/]*)_(?P<id>[0-9]+)_assignsubmission_(?P<kind>[a-z]+)_?/(?P<name>.+)", re.DOTALL
)
# the same with no folders; here the file's name, which a student chooses, follows
FLAT = re.compile(
    r"(?P<who>[^/]*?)_(?P<id>[0-9]+)_assignsubmission_(?P<kind>[a-z]+)_(?P<name>[^/]+)", re.DOTALL
)
MARK = re.compile(r"_[0-9]+_assignsubmission_")


NO = ("no", "nein", "non", "não", "nee", "nej", "nei", "nie", "нет")
# --column ROLE=HEAD names the head that a worksheet in another language has instead
HEADS = {
    "id": "Identifier",
    "grade": "Grade",
    "maximum": "Maximum Grade",
    "open": "Grade can be changed",
    "submitted": "Last modified (submission)",
}


def read(source: Path) -> Collected:
    """What a zip of "Download all submissions" holds, with or without folders."""
    found = Collected()
    people: dict[str, Person] = {}
    for path, data, trouble in read_files(source):
        match = _parsed(path)
        if match is not None and match["kind"] != "file":  # such as text typed into Moodle's form
            submission = folder_name(match["who"], match["id"])
            found.files.setdefault(submission, {})
            people.setdefault(submission, Person(submission, "moodle", match["id"], match["who"]))
        if match is None or trouble or match["kind"] != "file":
            twice = match is None and len(MARK.findall(path)) > 1
            reason = "may be of several people; use --match to assign it" if twice else ""
            found.leave(path, data, trouble or reason or "not a file named as Moodle does")
            continue
        submission = folder_name(match["who"], match["id"])
        people[submission] = Person(
            submission,
            "moodle",
            match["id"],
            match["who"],
            handle=f"{match['who']}_{match['id']}_assignsubmission_file_",
        )
        found.add(submission, match["name"], data)
    found.people = list(people.values())
    return found


def _parsed(path: str) -> re.Match[str] | None:
    """What Moodle's name says; None if it is none of Moodle's, or can be read in two ways."""
    if folder := FOLDER.fullmatch(path.replace("\\", "/")):
        # at the end of the first part, not in a folder or file that a student named
        first = path.partition("/")[0]
        return folder if len(folder["who"]) < len(first) and MARK.search(first) else None
    flat = FLAT.fullmatch(path)
    return flat if flat is not None and len(MARK.findall(path)) == 1 else None


def fill(worksheet: str, grades: Mapping[str, float | None]) -> Upload:
    """Moodle's grading worksheet with the grades filled in; every other cell stays as it was.

    Args:
        worksheet: the text of "Download grading worksheet".
        grades: points by Moodle's participant number; None while they are open, which leaves the cell empty.

    Raises:
        ValueError: it is not a grading worksheet.
    """
    mark = "\ufeff" if worksheet.startswith("\ufeff") else ""
    export = read_export(worksheet, "a grading worksheet of Moodle", [["Identifier"], ["Grade"]], HEADS)
    identity, grade = export.place("Identifier"), export.place("Grade")
    most = next((place for place, name in enumerate(export.head) if name.lower() == "maximum grade"), None)
    open_ = export.place_of("Grade can be changed")
    done: set[str] = set()
    notes = []
    for line, row in export.whole_rows():
        # "Participant 4711", "Teilnehmer/in4711"
        who = match[0] if (match := re.search(r"(?<![0-9])[0-9]+$", row[identity].strip())) else ""
        if who not in grades:
            notes.append(f"{row[identity]}: in the worksheet, but it has no grade here; unchanged")
            continue
        done.add(who)
        if open_ is not None and row[open_].strip().lower() in NO:
            notes.append(f"{row[identity]}: Moodle says that the grade cannot be changed; unchanged")
            continue
        points = grades[who]
        row[grade] = cell(points, row[grade], ".2f")
        top = row[most] if most is not None else ""
        if points is not None and top.strip() and points > number(top, line):
            notes.append(
                f"{row[identity]}: {points:g} points are more than the maximum grade {top}, which"
                " Moodle will refuse"
            )
    upload = upload_of([export.head, *export.rows], done, grades)
    upload.text = mark + upload.text
    upload.notes += notes
    return upload
