"""Brightspace (D2L): the zip of an assignment's "Download", and the grades' export."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath

from autograder.lms.collect import Collected
from autograder.lms.files import read_files
from autograder.lms.handback import Upload, upload_of
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
        if submission not in people or people[submission].submitted <= when:
            people[submission] = Person(submission, "brightspace", match["id"], who, submitted=when)
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


def fill(export: str, grades: Mapping[str, float], *, column: str = "") -> Upload:
    """A file for Brightspace's grades import, out of its export.

    Args:
        export: its text, with OrgDefinedId or Username or both.
        grades: points by OrgDefinedId or user name. The numbers in a download are neither: collected.csv has
            to say them, see ``--match``.
        column: the grade item, as the export names it up to "Points Grade".

    Raises:
        ValueError: the export or the column is not what Brightspace writes.
    """
    rows = list(csv.reader(io.StringIO(export.lstrip("\ufeff"))))
    head = rows[0] if rows else []
    keys = [head.index(name) for name in ("OrgDefinedId", "Username") if name in head]
    if not keys or "End-of-Line Indicator" not in head:
        raise ValueError(
            "this is not a grades export of Brightspace: it needs the columns OrgDefinedId or Username, and"
            " End-of-Line Indicator. In another language, name them: --column id=HEAD --column end=HEAD"
        )
    chosen = [
        place
        for place, name in enumerate(head)
        if column and (name == column or name.startswith(f"{column} Points Grade"))
    ]
    if len(chosen) != 1:
        raise ValueError(f"{len(chosen)} columns are called {column!r}; there are: {'; '.join(head)}")
    kept = [*keys, chosen[0], head.index("End-of-Line Indicator")]
    made, done, notes = [[head[place] for place in kept]], set(), []
    for line, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != len(head):
            raise ValueError(f"row {line} has {len(row)} cells, the heads are {len(head)}")
        who = next((row[key].lstrip("#") for key in keys if row[key].lstrip("#") in grades), "")
        if not who:
            notes.append(f"{row[keys[0]]}: in the export, but without a grade here; left out")
            continue
        row[chosen[0]] = f"{grades[who]:g}"
        made.append([row[place] for place in kept])
        done.add(who)
    upload = upload_of(made, done, grades)
    upload.notes += notes
    return upload
