"""ILIAS: "Download All Submissions" of an exercise."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path, PurePosixPath

from autograder.lms.collect import Collected
from autograder.lms.files import read_files
from autograder.lms.people import Person, folder_name

# "Homework 3/Submissions/Doe_Jane_jdoe_4711/20261103235012_hw3.ipynb", in a folder of the team where there
# are teams. The last folder is ILIAS' own and ends in the login and the user's number; files lie in it, never
# deeper.
FOLDER = re.compile(r"(?P<who>.+)_(?P<id>\d+)", re.DOTALL)
STAMPED = re.compile(r"(?P<when>\d{14})_(?P<name>.+)", re.DOTALL)


def read(source: Path) -> Collected:
    """What a download holds; of several files of one name, the latest."""
    found = Collected()
    people: dict[str, Person] = {}
    latest: dict[tuple[str, str], str] = {}
    rows = []
    for path, _, trouble in read_files(source):
        parts = PurePosixPath(path).parts
        match = FOLDER.fullmatch(parts[-2]) if len(parts) > 1 else None
        if match is None or trouble:
            continue
        when, name = _stamp(parts[-1])
        key = (match["id"], name)
        latest[key] = max(latest.get(key, ""), when)
        rows.append(path)
    known = set(rows)
    for path, data, trouble in read_files(source):
        if path not in known:
            found.leave(path, data, trouble or "not in a folder that ILIAS names after a student")
            continue
        parts = PurePosixPath(path).parts
        match = FOLDER.fullmatch(parts[-2])
        assert match is not None
        when, name = _stamp(parts[-1])
        submission = folder_name(match["who"], match["id"])
        time = datetime.strptime(when, "%Y%m%d%H%M%S").isoformat() if when else ""
        old = people.get(match["id"])
        if old is not None and old.submission != submission:
            raise ValueError(f"{path}: the number {match['id']} has another name elsewhere: {old.name}")
        if old is None or old.submitted < time:
            people[match["id"]] = Person(submission, "ilias", match["id"], match["who"], submitted=time)
        if when < latest[match["id"], name]:
            found.left.append(f"{path} (an earlier one; that of {latest[match['id'], name]} counts)")
        else:
            found.add(submission, name, data)
    found.people = list(people.values())
    return found


def _stamp(name: str) -> tuple[str, str]:
    """The time before a file's name, and the name; the time is empty if there is none."""
    match = STAMPED.fullmatch(name)
    if match is None:
        return "", name
    try:
        datetime.strptime(match["when"], "%Y%m%d%H%M%S")
    except ValueError:
        return "", name
    return match["when"], match["name"]
