"""Who handed in what: the people of a class, as ``collected.csv`` keeps them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

MANIFEST = "collected.csv"


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
    """

    submission: str
    source: str
    id: str
    name: str = ""
    email: str = ""
    submitted: str = ""
    late: str = ""
    late_days: str = ""


def folder_name(who: str, identity: str) -> str:
    """A sub-folder's name: the person's, then the id, which makes it unique."""
    readable = re.sub(r"\W+", "-", who).strip("-")[:60]
    return f"{readable}-{re.sub(r'[^A-Za-z0-9_.@-]', '_', identity)}".strip("-")


def write_manifest(people: Iterable[Person], path: Path) -> None:
    """Writes ``collected.csv``, one row a person."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [one.name for one in fields(Person)]
    writer.writerow(names)
    writer.writerows(
        [getattr(one, name) for name in names]
        for one in sorted(people, key=lambda one: (one.submission, one.id))
    )
    path.write_text(text.getvalue(), encoding="utf-8")


def read_manifest(path: Path) -> list[Person]:
    """The people of a ``collected.csv``.

    Raises:
        ValueError: it is not one.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    names = {one.name for one in fields(Person)}
    if any(set(row) != names for row in rows):
        raise ValueError(f"{path} is not a {MANIFEST} that 'autograder collect' wrote")
    return [Person(**row) for row in rows]
