"""One submission as bytes, and the name by which a batch knows it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from autograder.files import encoded, plain_name

MAX_NAME = 160  # bytes: a folder's name may have 255, and results add to it
SUFFIXES = (".ipynb", ".zip", ".json")  # cut off where a file gives a submission its name


@dataclass(frozen=True)
class Submission:
    """One student's submission for one homework, as bytes.

    Attributes:
        name: unique within a batch; from the folder or file name.
        notebook, log: the files' bytes, if there.
        attachments: file name → bytes.
        problem: why it cannot be read at all, in words; empty if it can.
        students: the ids of whose it is, where a class list says so; see :mod:`autograder.grade.variants`.
        notes: what was found beside it and does not count, in words for its student.
    """

    name: str
    notebook: bytes | None = None
    log: bytes | None = None
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    problem: str = ""
    students: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def digest(self) -> str:
        """A digest of everything that was handed in."""
        parts = [
            self.notebook or b"",
            self.log or b"",
            *(encoded(name) + data for name, data in sorted(self.attachments.items())),
        ]
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    def size(self) -> int:
        """Bytes that it keeps in memory."""
        return (
            len(self.notebook or b"")
            + len(self.log or b"")
            + sum(len(data) for data in self.attachments.values())
        )


def flat_name(path: PurePosixPath) -> str:
    """A flat, harmless name from a path: parts joined by a dash, strange characters replaced."""
    last = path.name
    while PurePosixPath(last).suffix.lower() in (*SUFFIXES, ".txt") and _names_a_notebook(last):
        last = PurePosixPath(last).stem
    parts = [*path.parent.parts, last]
    return plain_name("-".join(part for part in parts if part not in (".", "")), MAX_NAME)


def _names_a_notebook(name: str) -> bool:
    """Whether a name ends as a notebook, log or zip does: ``hw3.ipynb``, ``hw3.ipynb.txt``."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES or PurePosixPath(path.stem).suffix.lower() in SUFFIXES
