"""ILIAS: "Download All Submissions" of an exercise."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime
from pathlib import Path, PurePosixPath

from autograder.lms.collect import Collected
from autograder.lms.files import read_files
from autograder.lms.people import Person, folder_name

# "Homework 3/Submissions/Doe_Jane_jdoe_4711/hw3.ipynb", in a folder of the team where there are teams. The
# last folder is ILIAS' own and ends in the login and the user's number; files lie in it, never deeper. ILIAS
# takes its own time off a file's name, numbers files that are then called the same in the order of their
# times, and puts words in its language before late ones; some versions leave the time there.
FOLDER = re.compile(r"(?P<who>.+)_(?P<id>\d+)", re.DOTALL)
STAMPED = re.compile(r"(?P<when>\d{14})_(?P<name>.+)", re.DOTALL)
LATE = re.compile(r"(?:Late Submission|Versp(?:ä|ä|ae|a)tete Abgabe) - (?P<name>.+)", re.DOTALL)
COUNTED = re.compile(r"(?P<stem>.+) \((?P<count>\d{1,3})\)(?P<suffix>\.[^.]+)?", re.DOTALL)
Place = tuple[bool, str, int]  # orders files of one name: late ones are later, then by time, then by number


def read(source: Path) -> Collected:
    """What a download holds; of several files of one name, the latest."""
    found = Collected()
    people: dict[str, Person] = {}
    names: dict[str, set[str]] = {}
    for path, _, trouble in read_files(source):
        parts = PurePosixPath(path).parts
        match = FOLDER.fullmatch(parts[-2]) if len(parts) > 1 else None
        if match is not None and not trouble:
            names.setdefault(match["id"], set()).add(parts[-1])
    latest: dict[tuple[str, str], tuple[Place, str]] = {}
    for identity, own in names.items():
        bare = {_place(one)[0] for one in own}
        for file in own:
            name, place = _place(file, bare)
            latest[identity, name] = max(latest.get((identity, name), (place, file)), (place, file))
    for path, data, trouble in read_files(source):
        parts = PurePosixPath(path).parts
        match = FOLDER.fullmatch(parts[-2]) if len(parts) > 1 else None
        if match is None or trouble:
            found.leave(path, data, trouble or "not in a folder that ILIAS names after a student")
            continue
        name, place = _place(parts[-1], {_place(one)[0] for one in names[match["id"]]})
        submission = folder_name(match["who"], match["id"])
        time = datetime.strptime(place[1], "%Y%m%d%H%M%S").isoformat() if place[1] else ""
        old = people.get(match["id"])
        if old is not None and old.submission != submission:
            raise ValueError(f"{path}: the number {match['id']} has another name elsewhere: {old.name}")
        late = "yes" if place[0] or (old is not None and old.late) else ""
        when = max(time, old.submitted if old is not None else "")
        people[match["id"]] = Person(
            submission, "ilias", match["id"], match["who"], submitted=when, late=late
        )
        if parts[-1] != (last := latest[match["id"], name][1]):
            found.left.append(f"{path} (an earlier one; {last} counts)")
        else:
            found.add(submission, name, data)
    found.people = list(people.values())
    return found


def _place(file: str, among: Collection[str] = ()) -> tuple[str, Place]:
    """A file's own name, and its place among those of this name.

    Args:
        file: as ILIAS names it.
        among: the names of all files; a number in brackets is ILIAS' only if a file is called so without it.
    """
    late = LATE.fullmatch(file)
    name = late["name"] if late else file
    when = ""
    if (match := STAMPED.fullmatch(name)) is not None and _is_time(match["when"]):
        when, name = match["when"], match["name"]
    counted = COUNTED.fullmatch(name)
    first = f"{counted['stem']}{counted['suffix'] or ''}" if counted else ""
    if counted and first in among:
        return first, (late is not None, when, int(counted["count"]))
    return name, (late is not None, when, 1)


def _is_time(digits: str) -> bool:
    try:
        datetime.strptime(digits, "%Y%m%d%H%M%S")
    except ValueError:
        return False
    return True
