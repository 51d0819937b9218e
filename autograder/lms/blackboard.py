"""Blackboard: the zip of "Download Assignment File", and the table of "Work Offline"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path, PurePosixPath

from autograder.lms.collect import Collected
from autograder.lms.export import read_export
from autograder.lms.files import read_files
from autograder.lms.handback import Upload, cell, upload_of
from autograder.lms.people import Person, folder_name

# jdoe's notebook: "Homework 3_jdoe_attempt_2026-11-03-23-50-12_hw3.ipynb", or a folder named so up to the
# time; beside it "Homework 3_jdoe_attempt_2026-11-03-23-50-12.txt", by Blackboard, which says who she is. The
# first mark is Blackboard's: what follows the time is a name that the student chose.
MARK = re.compile(r"_attempt_(?P<when>\d{4}(?:-\d\d){5})(?P<rest>.*)", re.DOTALL)
# its first line, in the site's language: "Name: Jane Doe (jdoe)", "Naam: …"
NAME = re.compile(r"\s*[^\s:：][^:：]{0,40}[:：](?P<name>.*)\((?P<user>[^()]+)\)\s*")
HEADS = {"user": "Username"}


def read(source: Path) -> Collected:
    """What a download holds, flat or in folders: the last attempt of each student."""
    found = Collected()
    names = dict(_owners(source))  # what stands before the mark → user name and name
    titles = {before.removesuffix(f"_{user}") for before, (user, _) in names.items()}
    people: dict[str, Person] = {}
    for path, data, trouble in read_files(source):
        place = _marked(path)
        if place is None:
            found.leave(path, data, trouble or "not named as Blackboard does")
            continue
        before, when, name = place
        user, full = names.get(before, ("", ""))
        if not name:  # Blackboard's own text, all there is of a student who attached no file
            if user:
                found.files.setdefault(submission := folder_name("", user), {})
                people.setdefault(submission, Person(submission, "blackboard", user, full))
            continue
        if not user:
            user = _user(before, titles)
        if not user or trouble:
            found.leave(path, data, trouble or "its user name cannot be told from the assignment's")
            continue
        submission = folder_name("", user)
        if submission not in people or people[submission].submitted < when:
            people[submission] = Person(submission, "blackboard", user, full, submitted=when)
        found.attempt(submission, when, name, data)
    found.take_latest()
    found.people = list(people.values())
    return found


def _marked(path: str) -> tuple[str, str, str] | None:
    """What stands before Blackboard's mark, the time in ISO 8601, and the file's name after it."""
    parts = PurePosixPath(path).parts
    for place, part in enumerate(parts[:2]):  # the download may be unpacked into a folder
        match = MARK.search(part)
        if match is None:
            continue
        try:
            when = datetime.strptime(match["when"], "%Y-%m-%d-%H-%M-%S").isoformat()
        except ValueError:
            return None
        rest = match["rest"]
        if len(parts) > place + 1:
            name = "/".join(parts[place + 1 :])
        elif rest.startswith("_"):
            name = rest[1:]
        elif rest == ".txt":
            name = ""
        else:
            return None
        return part[: match.start()], when, name
    return None


def _owners(source: Path) -> Iterable[tuple[str, tuple[str, str]]]:
    """User name and name out of Blackboard's own texts, by what stands before the mark."""
    for path, data, trouble in read_files(source):
        place = _marked(path)
        if place is None or place[2] or trouble:
            continue
        first = data[:2_000].decode("utf-8-sig", "replace").partition("\n")[0]
        match = NAME.fullmatch(first)
        if match is not None and place[0].endswith(f"_{match['user']}"):
            yield place[0], (match["user"], match["name"].strip())


def _user(before: str, titles: set[str]) -> str:
    """The user name behind the assignment's title, if there is one way only to read it."""
    title = [one for one in titles if before.startswith(f"{one}_")]
    if len(title) == 1:
        return before.removeprefix(f"{title[0]}_")
    return before.partition("_")[2] if before.count("_") == 1 else ""


def fill(table: str, grades: Mapping[str, float | None], *, column: str = "") -> Upload:
    """The table of "Work Offline" with the grades filled in.

    Args:
        table: its text.
        grades: points by user name; None while they are open, which leaves the cell empty.
        column: the assignment's column, or the number at its end.

    Raises:
        ValueError: the table or the column is not what Blackboard writes.
    """
    export = read_export(table, "a table of Blackboard's 'Work Offline'", [["Username"]], HEADS)
    own = export.column(column, lambda name: name.endswith(f"|{column}"))
    who, done = export.place("Username"), set()
    notes = []
    for _, row in export.whole_rows():
        if row[who] in grades:
            row[own] = cell(grades[row[who]], row[own])
            done.add(row[who])
        else:
            notes.append(f"{row[who]}: in the table, but it has no grade here; unchanged")
    upload = upload_of([export.head, *export.rows], done, grades)
    upload.notes += notes
    return upload
