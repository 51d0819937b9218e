"""Sakai: the zip of an assignment's "Download All", and its grades.csv."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath

from autograder.lms.collect import Collected
from autograder.lms.files import read_files
from autograder.lms.handback import Upload, cell, upload_of
from autograder.lms.people import Person, folder_name

# "Homework 3/Doe, Jane(jdoe)/Submission attachment(s)/hw3.ipynb"; the user's id is Sakai's, in the
# last brackets
ATTACHED = "Submission attachment(s)"
FOLDER = re.compile(r"(?P<who>.*)\((?P<id>[^()]+)\)", re.DOTALL)
HEADS = {"id": "ID", "display": "Display ID", "grade": "grade"}


def read(source: Path) -> Collected:
    """What a download holds, with the times in Sakai's own ``timestamp.txt``."""
    found = Collected()
    people: dict[str, Person] = {}
    times: dict[str, str] = {}
    paths = [PurePosixPath(path).parts for path, _, _ in read_files(source)]
    # at the same depth for all: what a student packed lies deeper
    depth = min((parts.index(ATTACHED) for parts in paths if ATTACHED in parts), default=0)
    for path, data, trouble in read_files(source):
        parts = PurePosixPath(path).parts
        match = FOLDER.fullmatch(parts[depth - 1]) if 0 < depth < len(parts) else None
        if match is not None and parts[depth:] == ("timestamp.txt",):
            times[match["id"]] = _time(data)
            continue
        if match is None or trouble or parts[depth] != ATTACHED:
            found.leave(path, data, trouble or "no attachment in a folder that Sakai names after a student")
            continue
        submission = folder_name(match["who"], match["id"])
        old = people.setdefault(match["id"], Person(submission, "sakai", match["id"], match["who"]))
        if old.submission != submission:
            raise ValueError(f"{path}: the id {match['id']} has another name elsewhere: {old.name}")
        found.add(submission, "/".join(parts[depth + 1 :]), data)
    found.people = [
        Person(one.submission, one.source, one.id, one.name, submitted=times.get(one.id, ""))
        for one in people.values()
    ]
    return found


def _time(data: bytes) -> str:
    """Sakai's time, such as 20261103235012345, in ISO 8601; empty if it is none."""
    try:
        return datetime.strptime(data[:14].decode("ascii"), "%Y%m%d%H%M%S").isoformat()
    except (ValueError, UnicodeDecodeError):
        return ""


def fill(table: str, grades: Mapping[str, float | None]) -> Upload:
    """Sakai's ``grades.csv`` with the grades filled in; it goes back in the zip for "Upload All".

    Args:
        table: its text: a row with the assignment, an empty one, the heads, a row for each student.
        grades: points by ID or Display ID; None while they are open, which leaves the cell empty.

    Raises:
        ValueError: it is not what Sakai writes.
    """
    rows = list(csv.reader(io.StringIO(table.lstrip("\ufeff"))))
    place = next((n for n, row in enumerate(rows[:5]) if "ID" in row and "grade" in row), None)
    if place is None:
        raise ValueError("this is not a grades.csv of Sakai: no row has the heads ID and grade")
    head = rows[place]
    keys = [head.index(name) for name in ("ID", "Display ID") if name in head]
    done, notes = set(), []
    for line, row in enumerate(rows[place + 1 :], place + 2):
        if not any(row):
            continue
        if len(row) < len(head):
            raise ValueError(f"row {line} has {len(row)} cells, the heads are {len(head)}")
        who = next((row[key] for key in keys if row[key] in grades), "")
        if who:
            row[head.index("grade")] = cell(grades[who], row[head.index("grade")])
            done.add(who)
        else:
            notes.append(f"{row[keys[0]]}: in the table, but without a grade here; left as it was")
    upload = upload_of(rows, done, grades)
    upload.notes += notes
    return upload
