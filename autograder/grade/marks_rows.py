"""Rows of the grading page's file as SQL: marks and the journal of their changes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS marks (
    submission TEXT NOT NULL, question TEXT NOT NULL, answer TEXT NOT NULL,
    rubric TEXT NOT NULL, points REAL, comment TEXT NOT NULL, grader TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (submission, question)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS journal (
    id INTEGER PRIMARY KEY, at REAL NOT NULL, grader TEXT NOT NULL,
    submission TEXT NOT NULL, question TEXT NOT NULL,
    before TEXT, after TEXT NOT NULL, undone INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (
    submission TEXT NOT NULL, question TEXT NOT NULL, grader TEXT NOT NULL, until REAL NOT NULL,
    PRIMARY KEY (submission, question)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rubrics (
    id INTEGER PRIMARY KEY, question TEXT NOT NULL, version INTEGER NOT NULL, items TEXT NOT NULL,
    grader TEXT NOT NULL, at TEXT NOT NULL, UNIQUE (question, version)
);
CREATE TABLE IF NOT EXISTS recomputed (
    rubric INTEGER NOT NULL REFERENCES rubrics (id), submission TEXT NOT NULL, before REAL, after REAL
);
CREATE TABLE IF NOT EXISTS snippets (
    id INTEGER PRIMARY KEY, question TEXT NOT NULL, text TEXT NOT NULL, grader TEXT NOT NULL,
    UNIQUE (question, text)
);
CREATE TABLE IF NOT EXISTS rivals (
    id INTEGER PRIMARY KEY, submission TEXT NOT NULL, question TEXT NOT NULL, mark TEXT NOT NULL,
    at TEXT NOT NULL, settled TEXT
);
"""


class ConflictError(Exception):
    """Somebody else saved this mark in between."""


@dataclass(frozen=True)
class Mark:
    """What a person gave for one written answer.

    Attributes:
        answer: digest of the answer that was graded; another answer now makes the mark stale.
        rubric: share of each rubric item, 0, 0.5 or 1, in the order of the rubric.
        points: None as long as it is not graded: what is entered until the grader says so is a draft.
        version: counts its saves, from 1.
        flagged: whether somebody wants it looked at again.
    """

    submission: str
    question: str
    answer: str
    rubric: tuple[float, ...] = ()
    points: float | None = None
    comment: str = ""
    grader: str = ""
    version: int = 0
    flagged: bool = False

    @property
    def draft(self) -> bool:
        """Whether something was entered that does not count yet."""
        return self.points is None and bool(self.rubric or self.comment)

    def says(self, other: Mark) -> bool:
        """Whether another mark gives the same for the same answer, whoever gave it."""
        return (self.answer, self.rubric, self.points, self.comment, self.flagged) == (
            other.answer,
            other.rubric,
            other.points,
            other.comment,
            other.flagged,
        )


def digest(answer: str) -> str:
    """A short digest of an answer's text."""
    return hashlib.sha256(answer.encode(errors="replace")).hexdigest()[:16]


def get_row(database: sqlite3.Connection, submission: str, question: str) -> Mark | None:
    """One mark, None if there is none."""
    row = database.execute(
        "SELECT * FROM marks WHERE submission = ? AND question = ?", (submission, question)
    ).fetchone()
    return as_mark(row) if row else None


def as_mark(row: sqlite3.Row) -> Mark:
    """A mark out of its row."""
    return mark_of({**dict(row), "rubric": json.loads(row["rubric"])})


def mark_of(kept: Mapping[str, Any]) -> Mark:
    """A mark out of JSON; earlier versions of this package wrote fewer fields."""
    return Mark(**{**kept, "rubric": tuple(kept["rubric"]), "flagged": bool(kept.get("flagged", False))})


def prepare(database: sqlite3.Connection) -> None:
    """Makes the tables; adds what a file of an earlier version of this package lacks."""
    database.executescript(SCHEMA)
    if "flagged" not in {row["name"] for row in database.execute("PRAGMA table_info(marks)")}:
        database.execute("ALTER TABLE marks ADD COLUMN flagged INTEGER NOT NULL DEFAULT 0")


def save_row(database: sqlite3.Connection, mark: Mark) -> Mark:
    """Saves a mark on top of the version that it carries, with an entry in the journal.

    Raises:
        ConflictError: the saved one has another version.
    """
    now = get_row(database, mark.submission, mark.question)
    if (now.version if now else 0) != mark.version:
        raise ConflictError(f"{now.grader if now else 'Somebody'} saved this answer in the meantime.")
    made = replace(mark, version=mark.version + 1)
    write_row(database, made)
    last = database.execute(
        "SELECT * FROM journal WHERE grader = ? AND undone = 0 ORDER BY id DESC LIMIT 1", (mark.grader,)
    ).fetchone()
    if (
        now is not None and last is not None and _same_typing(last, now, made)
    ):  # a comment is saved while it is typed: one step to undo
        database.execute("UPDATE journal SET after = ? WHERE id = ?", (json.dumps(made.__dict__), last["id"]))
        return made
    database.execute(
        "INSERT INTO journal (at, grader, submission, question, before, after) VALUES (?, ?, ?, ?, ?, ?)",
        (
            time.time(),
            mark.grader,
            mark.submission,
            mark.question,
            json.dumps(now.__dict__) if now else None,
            json.dumps(made.__dict__),
        ),
    )
    return made


def _same_typing(last: sqlite3.Row, now: Mark, made: Mark) -> bool:
    """Whether the grader's last step and this one change nothing but the same mark's comment."""
    before, after = json.loads(last["before"] or "{}"), json.loads(last["after"])
    if (last["submission"], last["question"], after["version"]) != (
        made.submission,
        made.question,
        now.version,
    ):
        return False
    kept = (list(made.rubric), made.points, made.answer, made.flagged)
    return all(
        (
            list(one.get("rubric", ())),
            one.get("points"),
            one.get("answer", made.answer),
            one.get("flagged", False),
        )
        == kept
        for one in (before, after)
    )


def write_row(database: sqlite3.Connection, mark: Mark) -> None:
    """Writes a mark over whatever is there."""
    values = (
        mark.submission,
        mark.question,
        mark.answer,
        json.dumps(mark.rubric),
        mark.points,
        mark.comment,
        mark.grader,
        mark.version,
        mark.flagged,
    )
    names = "submission, question, answer, rubric, points, comment, grader, version, flagged"
    database.execute(f"REPLACE INTO marks ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608
