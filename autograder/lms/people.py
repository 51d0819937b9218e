"""Who handed in what: the people of a class, as ``collected.csv`` keeps them."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from autograder.files import encoded, harmless, plain_name, speakable, whole

MANIFEST = "collected.csv"
GUARDED = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for a formula
MAX_WHO, MAX_ID = 80, 60  # bytes in a folder's name


@dataclass(frozen=True)
class Person:
    """One row of ``collected.csv``: a student, and the submission that counts for them.

    Attributes:
        submission: the folder's name, and the row in ``grades.csv``.
        source: the platform, such as ``canvas``.
        id: the platform's id of the student.
        submitted: when, in ISO 8601; empty where the platform does not say.
        late: ``yes`` or ``no``; empty where nothing says so.
        late_days: days begun after the due time; empty where it is not known.
        handle: the platform's own name of what was handed in, by which a page finds its way back.
    """

    submission: str
    source: str
    id: str
    name: str = ""
    email: str = ""
    submitted: str = ""
    late: str = ""
    late_days: str = ""
    handle: str = ""


def folder_name(who: str, identity: str) -> str:
    """A sub-folder's name: the person's, then the id, which makes it unique."""
    readable = re.sub(r"[\s.()-]+", "-", plain_name(who.replace("/", " "), 10 * MAX_WHO))
    readable = plain_name(re.sub(r"(?<![^-])_+|_+(?![^-])|-+(?=-)", "", readable), MAX_WHO).strip("-")
    safe = re.sub(r"[^A-Za-z0-9_.@-]", "_", identity)
    # two ids must never become one name
    if safe != identity or len(safe) > MAX_ID:
        safe = f"{safe[:MAX_ID]}.{hashlib.sha256(encoded(identity)).hexdigest()[:8]}"
    return f"{readable}-{safe}".strip("-")


def write_manifest(people: Iterable[Person], path: Path) -> None:
    """Writes ``collected.csv``, one row a person; no cell of it is a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [one.name for one in fields(Person)]
    writer.writerow(names)
    writer.writerows(
        [harmless(speakable(getattr(one, name))) for name in names]
        for one in sorted(people, key=lambda one: (one.submission, one.id))
    )
    path.write_text(whole(text.getvalue()), encoding="utf-8")


def read_manifest(path: Path) -> list[Person]:
    """The people of a ``collected.csv``.

    Raises:
        ValueError: it is not one.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            rows = list(csv.DictReader(file))
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{path} cannot be read: {error}") from None
    names = {one.name for one in fields(Person)}
    for number, row in enumerate(rows, 2):
        row.setdefault("handle", "")  # what was collected by an earlier version has none
        if set(row) != names or None in row.values():
            raise ValueError(
                f"{path} is not a {MANIFEST} that 'autograder collect' wrote (row {number}); its columns are"
                f" {', '.join(one.name for one in fields(Person))}"
            )
        if row["late_days"] and not row["late_days"].isdecimal():
            raise ValueError(f"{path}, row {number}: late_days must be a whole number: {row['late_days']!r}")
    return [Person(**{name: _unguarded(value) for name, value in row.items()}) for row in rows]


def _unguarded(text: str) -> str:
    return text[1:] if text[:1] == "'" and text[1:2] in GUARDED and len(text) > 1 else text


def folders_of(paths: Iterable[Path]) -> list[str]:
    """The folders that a ``collected.csv`` in one of the paths lists; each is one person's or group's."""
    found: list[str] = []
    for path in paths:
        if (path / MANIFEST).is_file():
            with contextlib.suppress(ValueError, OSError):
                found += [one.submission for one in read_manifest(path / MANIFEST)]
    return found
