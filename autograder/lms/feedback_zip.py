"""Feedback pages as the zip that a platform takes to give each student their page back.

Canvas, Moodle and Brightspace find a student by the name of the submission in their download, so that name
is kept in ``collected.csv`` (``handle``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from autograder.files import zip_bytes
from autograder.lms.people import Person

PAGE = "feedback.html"
UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]")


def _canvas(person: Person) -> str:
    """``doejane_LATE_1234_56789_feedback.html``: Canvas goes by the ids of the user and of their file."""
    match = re.search(r"(?:^(?:LATE_)?anon_[A-Za-z0-9]+|_[0-9]+)_[0-9]+_", person.handle)
    return person.handle[: match.end()] + PAGE if match else ""


def _moodle(person: Person) -> str:
    """A folder as Moodle's own; nothing before the number may hold an underscore."""
    match = re.fullmatch(r"(?P<who>.*)_(?P<id>[0-9]+)_assignsubmission_file_?", person.handle)
    if match is None:
        return ""
    return f"{match['who'].replace('_', ' ')}_{match['id']}_assignsubmission_file_/{PAGE}"


def _brightspace(person: Person) -> str:
    """A folder as Brightspace's own."""
    return f"{person.handle}/{PAGE}" if re.match(r"\d+-\d+ ?- ?", person.handle) else ""


NAMES: Mapping[str, Callable[[Person], str]] = {
    "canvas": _canvas,
    "moodle": _moodle,
    "brightspace": _brightspace,
}


def feedback_zip(platform: str, people: Sequence[Person], results: Path) -> tuple[bytes, int, list[str]]:
    """The zip, how many pages are in it, and what a person should look at.

    Args:
        platform: a key of :data:`NAMES`.
        people: as collected, matched with the submissions.
        results: the folder of results.

    Raises:
        ValueError: two people would get one name.
    """
    files: dict[str, bytes] = {}
    notes: list[str] = []
    for one in sorted(people, key=lambda person: person.submission):
        page = results / "submissions" / one.submission / PAGE
        name = "/".join(UNSAFE.sub("_", part) for part in NAMES[platform](one).split("/"))
        if not name:
            notes.append(
                f"{one.submission}: {platform}'s own name of the submission is not in collected.csv, so its"
                " feedback cannot go back this way. If a file was handed in, collect again from the"
                " platform's zip; where text was typed instead, send the page yourself"
            )
        elif page.resolve().parent.parent != (results / "submissions").resolve() or not page.is_file():
            notes.append(f"{one.submission}: there is no feedback page")
        elif name in files:
            raise ValueError(f"two people's feedback would be called {name}")
        else:
            files[name] = page.read_bytes()
    return zip_bytes(files), len(files), notes


# --- what to look at ----------------------------------------------------------------------------------------

URGENT = ("unreadable", "points are open", "not in grades.csv", "could not be judged")


def grouped(notes: Sequence[str]) -> list[str]:
    """Lines ``WHO: WHAT`` with equal WHAT joined into one, what could not be read or judged first.

    Within each kind the order is that in which they first came.
    """
    who: dict[str, list[str]] = {}
    for note in dict.fromkeys(notes):
        name, mark, what = note.partition(": ")
        who.setdefault(what if mark else note, []).append(name if mark else "")
    ordered = sorted(who, key=lambda what: next((n for n, word in enumerate(URGENT) if word in what), 99))
    return [_joined(what, who[what]) for what in ordered]


def _joined(what: str, names: Sequence[str]) -> str:
    if names == [""]:
        return what
    if len(names) == 1:
        return f"{names[0]}: {what}"
    return f"{what} ({len(names)}): {'; '.join(names)}"
