"""Brightspace (D2L): the zip of an assignment's "Download", and the grades' export."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from autograder.lms.collect import Collected
from autograder.lms.export import read_export
from autograder.lms.files import read_files
from autograder.lms.handback import Upload, cell, upload_of
from autograder.lms.people import Person, folder_name

# "110513-82432 - Jane Doe - Nov 3, 2026 1150 PM/hw3.ipynb"; older versions write the file's name behind the
# time, which is in the form of the site's region: "03 November 2026 1150 PM", "3 nov. 2026 2350". The
# numbers, of the user and of the folder, stand first, whatever the student is called.
OF_USER = re.compile(r"(?P<id>\d+)-(?P<box>\d+) ?- ?(?P<rest>.+)", re.DOTALL)
DAY = r"(?:[^\W\d_]{3,}\.? \d{1,2}|\d{1,2}\.? (?:de )?[^\W\d_]{3,}\.?(?: de)?),? \d{4}|\d{4}-\d\d-\d\d"
TIME = re.compile(
    rf" ?- (?P<when>(?:{DAY}),? \d{{1,2}}[:. ]?(?:h ?)?\d\d(?: ?[AP]M)?)(?: ?- (?P<name>.+))?", re.DOTALL
)
CLOCK = re.compile(r"(?P<day>.+?),? (?P<hour>\d{1,2})[:. ]?(?:h ?)?(?P<minute>\d\d)(?: ?(?P<half>[AP]M))?")
DAYS = ("%b %d %Y", "%B %d %Y", "%d %b %Y", "%d %B %Y", "%Y-%m-%d")
TIME_DIGITS = 6  # of a year, a day and an hour
UNREAD = "one of several attempts, whose times are not in English; use --match to assign the one that counts"
SHARED = "the numbers {numbers} stand with several names; use --match to assign the file to a student"
HEADS = {"id": "OrgDefinedId", "user": "Username", "end": "End-of-Line Indicator"}


@dataclass(frozen=True)
class Named:
    """What the name of a file in a download says.

    Attributes:
        user, box: the numbers of the student and of the assignment folder, in the order that is usual.
        who: the student's name.
        time: as it stands there; empty if there is none.
        name: the file's own name.
        handle: what Brightspace called the attempt.
    """

    user: str
    box: str
    who: str
    time: str
    name: str
    handle: str


@dataclass(frozen=True)
class Survey:
    """What the names of all files of a download say together.

    Attributes:
        swapped: whether the second number is the student's: the first is the same for all, and the second
            has one name each.
        shared: the students' numbers that stand with several names.
        unread: the students' numbers with several attempts whose order is not known.
    """

    swapped: bool
    shared: frozenset[str]
    unread: frozenset[str]


def read(source: Path) -> Collected:
    """What a download holds: the last attempt of each student."""
    found, boxes = Collected(), set()
    people: dict[str, Person] = {}
    survey = _survey(source)
    for path, data, trouble in read_files(source):
        named = _named(path)
        if named is None or trouble:
            found.leave(path, data, trouble or "not named as Brightspace does")
            continue
        user, box = (named.box, named.user) if survey.swapped else (named.user, named.box)
        boxes.add(box)
        if user in survey.shared:  # two people are never joined
            found.leave(path, data, SHARED.format(numbers=f"{named.user}-{named.box}"))
            continue
        submission, when = folder_name("", user), _time(named.time)
        other = people.get(submission)
        if other is None or other.submitted <= when:
            people[submission] = Person(
                submission, "brightspace", user, named.who, submitted=when, handle=named.handle
            )
        if user in survey.unread:
            found.files.setdefault(submission, {})
            found.leave(path, data, UNREAD)
        else:
            found.attempt(submission, when, named.name, data)
    if len(boxes) > 1:
        raise ValueError(
            f"{source} holds submissions to several assignment folders: {', '.join(sorted(boxes))}"
        )
    found.take_latest()
    found.people = list(people.values())
    return found


def _survey(source: Path) -> Survey:
    """Looks at all names of a download, before any file of it is taken."""
    names = [named for path, _, _ in read_files(source) if (named := _named(path)) is not None]
    first = _names_of((one.user, one.who) for one in names)
    second = _names_of((one.box, one.who) for one in names)
    swapped = (
        len(first) == 1
        and any(len(some) > 1 for some in first.values())
        and len(second) > 1
        and all(len(some) == 1 for some in second.values())
    )
    times = _names_of((one.box if swapped else one.user, one.time) for one in names)
    return Survey(
        swapped,
        frozenset(user for user, some in (second if swapped else first).items() if len(some) > 1),
        frozenset(user for user, some in times.items() if len(some) > 1 and not all(map(_time, some))),
    )


def _names_of(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for key, value in pairs:
        found.setdefault(key, set()).add(value)
    return found


def _named(path: str) -> Named | None:
    """What a path says; None if it is not in Brightspace's form."""
    parts = PurePosixPath(path).parts
    place = next((n for n, part in enumerate(parts[:2]) if OF_USER.fullmatch(part)), None)
    if place is None:
        return None
    folder, inside = parts[place], "/".join(parts[place + 1 :])
    match = OF_USER.fullmatch(folder)
    assert match is not None
    told = TIME.search(match["rest"])
    if told is not None:
        who, time, name = match["rest"][: told.start()], told["when"], inside or told["name"] or ""
        folder = folder if inside else folder[: match.start("rest") + told.end("when")]
    else:
        who, dash, time = match["rest"].rpartition(" - ")
        name = inside
        if not dash or sum(map(str.isdigit, time)) < TIME_DIGITS:  # no time, in whatever language
            who, time = match["rest"], ""
    return Named(match["id"], match["box"], who.strip(), time, name, folder) if name else None


def _time(text: str) -> str:
    """The time in ISO 8601; empty if there is none or it is in another language."""
    match = CLOCK.fullmatch(text)
    if match is None:
        return ""
    day = re.sub(r"[.,]|\bde ", "", match["day"])
    clock = f"{match['hour']}:{match['minute']} {match['half'] or ''}".strip()
    for form in DAYS:
        try:
            whole = f"{form} {'%I:%M %p' if match['half'] else '%H:%M'}"
            return datetime.strptime(f"{day} {clock}", whole).isoformat()
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
