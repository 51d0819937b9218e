"""Sakai: the zip of an assignment's "Download All", and its grades.csv."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath

from autograder.lms.collect import Collected
from autograder.lms.files import read_files
from autograder.lms.handback import Upload, cell, upload_of
from autograder.lms.people import Person, folder_name

# "Homework 3/Doe, Jane(jdoe)/Submission attachment(s)/hw3.ipynb"; the user's id is Sakai's, in the last
# brackets. Without folders: "Homework 3/Doe, Jane(jdoe)_Submission attachment(s)_hw3.ipynb". Graded
# anonymously, the number of the submission and a word stand instead of the name, and are the ID in
# grades.csv. The attachments' folder is called so in Sakai's language; timestamp.txt is not translated.
ATTACHED = "Submission attachment(s)"
STAMP = "timestamp.txt"
FOLDER = re.compile(r"(?P<who>.*)\((?P<id>[^()]+)\)", re.DOTALL)
NAMELESS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12} \S.*", re.DOTALL)
FLAT = re.compile(
    rf"(?P<folder>.*?(?:\([^()]+\)|{NAMELESS.pattern}))_{re.escape(ATTACHED)}_(?P<name>.+)", re.DOTALL
)
HEADS = {"id": "ID", "display": "Display ID", "grade": "grade"}


def read(source: Path) -> Collected:
    """What a download holds, with the times in Sakai's own ``timestamp.txt``."""
    found = Collected()
    people: dict[str, Person] = {}
    times: dict[str, str] = {}
    paths = [PurePosixPath(path).parts for path, _, _ in read_files(source)]
    depth, attached = _layout(paths)
    for path, data, trouble in read_files(source):
        parts = PurePosixPath(path).parts
        flat = FLAT.fullmatch(parts[-1]) if not depth else None
        folder = flat["folder"] if flat else parts[depth - 1] if 0 < depth < len(parts) else ""
        who, identity = _owner(folder)
        if identity and parts[depth:] == (STAMP,):
            times[identity] = _time(data)
            people.setdefault(identity, Person(folder_name(who, identity), "sakai", identity, who))
            found.files.setdefault(folder_name(who, identity), {})  # there may be text alone, and no file
            continue
        if not identity or trouble or not (flat or parts[depth] == attached):
            found.leave(path, data, trouble or "no attachment that Sakai names after a student")
            continue
        submission = folder_name(who, identity)
        old = people.setdefault(identity, Person(submission, "sakai", identity, who))
        if old.submission != submission:
            raise ValueError(f"{path}: the id {identity} has another name elsewhere: {old.name}")
        found.add(submission, flat["name"] if flat else "/".join(parts[depth + 1 :]), data)
    found.people = [
        Person(one.submission, one.source, one.id, one.name, submitted=times.get(one.id, ""))
        for one in people.values()
    ]
    return found


def _layout(paths: Sequence[tuple[str, ...]]) -> tuple[int, str]:
    """How deep the attachments' folders lie, the same for all, and what they are called; 0 without folders.

    What a student packed may hold folders of the same name, but deeper.
    """
    if depths := [parts.index(ATTACHED) for parts in paths if ATTACHED in parts]:
        return min(depths), ATTACHED
    stamps = [parts for parts in paths if parts[-1] == STAMP]
    depth = min((len(parts) for parts in stamps), default=1) - 1
    beside = {parts[:-1] for parts in stamps if len(parts) == depth + 1}
    called = {parts[depth] for parts in paths if depth and parts[:depth] in beside and len(parts) > depth + 1}
    return (depth, called.pop()) if len(called) == 1 else (0, "")


def _owner(folder: str) -> tuple[str, str]:
    """A student's name and id as Sakai writes both; empty if it is no such folder."""
    if NAMELESS.fullmatch(folder):
        return "", folder
    match = FOLDER.fullmatch(folder)
    return (match["who"], match["id"]) if match else ("", "")


def _time(data: bytes) -> str:
    """Sakai's time in ISO 8601: as it is, or such as 20261103235012345; empty if it is none."""
    text = data[:40].decode("ascii", "replace").strip()
    try:
        if "-" in text:
            return datetime.fromisoformat(text).replace(microsecond=0).isoformat()
        return datetime.strptime(text[:14], "%Y%m%d%H%M%S").isoformat()
    except ValueError:
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
            raise ValueError(f"row {line} has {len(row)} cells, but there are {len(head)} headers")
        who = next((row[key] for key in keys if row[key] in grades), "")
        if who:
            row[head.index("grade")] = cell(grades[who], row[head.index("grade")])
            done.add(who)
        else:
            notes.append(f"{row[keys[0]]}: in the table, but it has no grade here; unchanged")
    upload = upload_of(rows, done, grades)
    upload.notes += notes
    return upload
