"""Brightspace (D2L): the zip of an assignment's "Download", and the grades' export."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath

from autograder.lms.collect import Collected
from autograder.lms.export import read_export
from autograder.lms.files import read_files
from autograder.lms.handback import Upload, cell, upload_of
from autograder.lms.people import Person, folder_name

# "110513-82432 - Jane Doe - Nov 3, 2026 1150 PM/hw3.ipynb"; older versions write the file's name behind the
# time. The numbers, of the user and of the folder, stand first, whatever the student is called.
OF_USER = re.compile(r"(?P<id>\d+)-(?P<box>\d+) ?- ?(?P<rest>.+)", re.DOTALL)
TIME = re.compile(
    r" ?- (?P<when>[^\W\d_]{3,}\.? \d{1,2}, \d{4} \d{1,2}:?\d\d [AP]M)(?: ?- (?P<name>.+))?", re.DOTALL
)
FORMS = ("%b %d, %Y %I%M %p", "%B %d, %Y %I%M %p", "%b. %d, %Y %I%M %p")
HEADS = {"id": "OrgDefinedId", "user": "Username", "end": "End-of-Line Indicator"}


def read(source: Path) -> Collected:
    """What a download holds: the last attempt of each student."""
    found, boxes = Collected(), set()
    people: dict[str, Person] = {}
    for path, data, trouble in read_files(source):
        parts = PurePosixPath(path).parts
        place = next((n for n, part in enumerate(parts[:2]) if OF_USER.fullmatch(part)), None)
        if place is None or trouble:
            found.leave(path, data, trouble or "not named as Brightspace does")
            continue
        match = OF_USER.fullmatch(parts[place])
        assert match is not None
        inside = len(parts) > place + 1
        told = TIME.search(match["rest"])
        name = "/".join(parts[place + 1 :]) if inside else (told["name"] if told else "")
        if not name:
            found.leave(path, data, "not named as Brightspace does")
            continue
        when = _time(told["when"]) if told else ""
        who = match["rest"][: told.start()].strip() if told else match["rest"].strip()
        submission = folder_name("", match["id"])
        other = people.get(submission)
        if other is not None and other.name != who:
            raise ValueError(f"{path}: the number {match['id']} has another name elsewhere: {other.name}")
        boxes.add(match["box"])
        handle = parts[place] if inside or not told else match[0][: match.start("rest") + told.end("when")]
        if submission not in people or people[submission].submitted <= when:
            people[submission] = Person(
                submission, "brightspace", match["id"], who, submitted=when, handle=handle
            )
        found.attempt(submission, when, name, data)
    if len(boxes) > 1:
        raise ValueError(
            f"{source} holds submissions to several assignment folders: {', '.join(sorted(boxes))}"
        )
    found.take_latest()
    found.people = list(people.values())
    return found


def _time(text: str) -> str:
    """The time in ISO 8601; empty if it is in another language."""
    bare = text.replace(":", "")
    hour = re.sub(r" (\d{3}) ([AP]M)$", r" 0\1 \2", bare)
    for form in FORMS:
        try:
            return datetime.strptime(hour, form).isoformat()
        except ValueError:
            continue
    return ""


def fill(export: str, grades: Mapping[str, float | None], *, column: str = "") -> Upload:
    """A file for Brightspace's grades import, out of its export.

    Args:
        export: its text, with OrgDefinedId or Username or both.
        grades: points by OrgDefinedId or user name; None while they are open, which leaves the cell empty.
            The numbers in a download are neither: collected.csv has to say them, see ``--match``.
        column: the grade item, as the export names it up to "Points Grade".

    Raises:
        ValueError: the export or the column is not what Brightspace writes.
    """
    needs = [["OrgDefinedId", "Username"], ["End-of-Line Indicator"]]
    table = read_export(export, "a grades export of Brightspace", needs, HEADS)
    keys = [place for name in needs[0] if (place := table.place_of(name)) is not None]
    own = table.column(column, lambda name: bool(column) and name.startswith(f"{column} Points Grade"))
    kept = [*keys, own, table.place(needs[1][0])]
    made, done, notes = [[table.head[place] for place in kept]], set(), []
    for _, row in table.whole_rows():
        who = next((row[key].lstrip("#") for key in keys if row[key].lstrip("#") in grades), "")
        if not who:
            notes.append(f"{row[keys[0]]}: in the export, but it has no grade here; left out")
            continue
        row[own] = cell(grades[who], row[own])
        made.append([row[place] for place in kept])
        done.add(who)
    upload = upload_of(made, done, grades)
    upload.notes += notes
    return upload
