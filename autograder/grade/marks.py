"""Points that people give for written answers, in one SQLite file in the folder of results.

Every click is one committed transaction with an entry in a journal, so a killed session loses at most the
click in flight, and each grader can undo their own. A mark carries a version: whoever saves on top of an
older one is told.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.declare import Written, homeworks
from autograder.files import SECRET
from autograder.grade.report import QuestionResult, Report

FILE = "desk.sqlite3"
MAX_COMMENT = 10_000  # characters
CLAIM_SECONDS = 600.0  # how long an answer that somebody looks at is kept from the others' "next"

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
"""


class ConflictError(Exception):
    """Somebody else saved this mark in between."""


@dataclass(frozen=True)
class Mark:
    """What a person gave for one written answer.

    Attributes:
        answer: digest of the answer that was graded; another answer now makes the mark stale.
        rubric: share of each rubric item, 0, 0.5 or 1, in the order of the declaration.
        points: None as long as it is not graded (a comment alone does not grade).
        version: counts its saves, from 1.
    """

    submission: str
    question: str
    answer: str
    rubric: tuple[float, ...] = ()
    points: float | None = None
    comment: str = ""
    grader: str = ""
    version: int = 0


def digest(answer: str) -> str:
    """A short digest of an answer's text."""
    return hashlib.sha256(answer.encode(errors="replace")).hexdigest()[:16]


def written_of(homework: str, question: str) -> Written | None:
    """The declaration of a written answer, None where this package knows none."""
    known = homeworks().get(homework)
    asked = known.questions.get(question) if known else None
    return asked.written if asked else None


def rubric_points(written: Written, shares: Sequence[float]) -> float:
    """The points of rubric items that are given in full (1), in half (0.5) or not (0)."""
    return sum(points * share for points, share in zip(written.rubric.values(), shares, strict=True))


class Marks:
    """The marks of one folder of results.

    Threads may share an instance: every call opens its own connection.
    """

    def __init__(self, output: Path):
        self.path = output / FILE
        with contextlib.suppress(FileExistsError):  # what SQLite puts beside it gets the same permissions
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, SECRET))
        with self._open() as database:
            database.executescript(SCHEMA)
            database.execute("INSERT OR IGNORE INTO settings VALUES ('secret', ?)", (secrets.token_hex(16),))
            self._secret = str(
                database.execute("SELECT value FROM settings WHERE name = 'secret'").fetchone()["value"]
            ).encode()

    def key(self, submission: str, question: str) -> str:
        """A name for an answer that tells nothing of whose it is; the same as long as the file lives."""
        return hmac.new(self._secret, f"{question}/{submission}".encode(), "sha256").hexdigest()[:12]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self.path, timeout=10.0, isolation_level=None)
        database.row_factory = sqlite3.Row
        try:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("PRAGMA synchronous=FULL")
            yield database
        finally:
            database.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")

    def all(self) -> dict[tuple[str, str], Mark]:
        """Every mark by submission and question."""
        with self._open() as database:
            return {
                (row["submission"], row["question"]): _mark(row)
                for row in database.execute("SELECT * FROM marks")
            }

    def get(self, submission: str, question: str) -> Mark | None:
        """One mark, None if there is none."""
        with self._open() as database:
            return _get(database, submission, question)

    def save(self, mark: Mark) -> Mark:
        """Saves a mark on top of the version that it carries, durably, and returns it with its new version.

        Raises:
            ConflictError: the saved one has another version, or another grader changed it.
        """
        with self._writing() as database:
            return _save(database, mark)

    def undo(self, grader: str, question: str) -> Mark | None:
        """Takes back the grader's last change to one question, if nobody changed that mark since.

        Returns:
            The mark as it is now, None if there is nothing to take back.

        Raises:
            ConflictError: somebody changed it since.
        """
        with self._writing() as database:
            query = (
                "SELECT * FROM journal WHERE grader = ? AND question = ? AND undone = 0 ORDER BY id DESC"
                " LIMIT 1"
            )
            last = database.execute(query, (grader, question)).fetchone()
            if last is None:
                return None
            after = json.loads(last["after"])
            now = _get(database, last["submission"], question)
            if now is None or now.grader != after["grader"] or now.version != after["version"]:
                raise ConflictError(f"{now.grader if now else 'Somebody'} changed it since.")
            before = (
                json.loads(last["before"])
                if last["before"]
                else {**after, "rubric": [], "points": None, "comment": ""}
            )
            made = Mark(**{**before, "rubric": tuple(before["rubric"]), "version": now.version + 1})
            _write(database, made)
            database.execute("UPDATE journal SET undone = 1 WHERE id = ?", (last["id"],))
            earlier = database.execute(query, (grader, question)).fetchone()
            if (
                earlier is not None and earlier["submission"] == last["submission"]
            ):  # the mark that it left has a new version now
                after = {**json.loads(earlier["after"]), "version": made.version, "grader": made.grader}
                database.execute(
                    "UPDATE journal SET after = ? WHERE id = ?", (json.dumps(after), earlier["id"])
                )
            return made

    def claim(self, grader: str, question: str, candidates: Iterable[str]) -> str | None:
        """The first of the submissions that no other grader looks at; it is the grader's for a while."""
        now = time.time()
        with self._writing() as database:
            rows = database.execute(
                "SELECT submission FROM claims WHERE question = ? AND grader <> ? AND until > ?",
                (question, grader, now),
            )
            taken = {row["submission"] for row in rows}
            for submission in candidates:
                if submission not in taken:
                    database.execute(
                        "REPLACE INTO claims VALUES (?, ?, ?, ?)",
                        (submission, question, grader, now + CLAIM_SECONDS),
                    )
                    return submission
        return None

    def holder(self, submission: str, question: str, grader: str) -> str | None:
        """Who else looks at this answer now. Marks it as looked at by ``grader`` if nobody does."""
        now = time.time()
        with self._writing() as database:
            row = database.execute(
                "SELECT * FROM claims WHERE submission = ? AND question = ?", (submission, question)
            ).fetchone()
            if row is not None and row["grader"] != grader and row["until"] > now:
                return str(row["grader"])
            database.execute(
                "REPLACE INTO claims VALUES (?, ?, ?, ?)", (submission, question, grader, now + CLAIM_SECONDS)
            )
        return None

    def save_all(self, found: Iterable[Mark]) -> int:
        """Saves many marks in one transaction, over whatever is there; returns how many changed."""
        changed = 0
        with self._writing() as database:
            for mark in found:
                now = _get(database, mark.submission, mark.question)
                if now is None or (now.points, now.rubric, now.comment) != (
                    mark.points,
                    mark.rubric,
                    mark.comment,
                ):
                    _save(database, replace(mark, version=now.version if now else 0))
                    changed += 1
        return changed


def _get(database: sqlite3.Connection, submission: str, question: str) -> Mark | None:
    row = database.execute(
        "SELECT * FROM marks WHERE submission = ? AND question = ?", (submission, question)
    ).fetchone()
    return _mark(row) if row else None


def _mark(row: sqlite3.Row) -> Mark:
    return Mark(**{**dict(row), "rubric": tuple(json.loads(row["rubric"]))})


def _save(database: sqlite3.Connection, mark: Mark) -> Mark:
    now = _get(database, mark.submission, mark.question)
    if (now.version if now else 0) != mark.version:
        raise ConflictError(f"{now.grader if now else 'Somebody'} saved this answer in the meantime.")
    made = replace(mark, version=mark.version + 1)
    _write(database, made)
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
    kept = (list(made.rubric), made.points, made.answer)
    return all(
        (list(one.get("rubric", ())), one.get("points"), one.get("answer", made.answer)) == kept
        for one in (before, after)
    )


def _write(database: sqlite3.Connection, mark: Mark) -> None:
    values = (
        mark.submission,
        mark.question,
        mark.answer,
        json.dumps(mark.rubric),
        mark.points,
        mark.comment,
        mark.grader,
        mark.version,
    )
    database.execute("REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


# --- into reports -------------------------------------------------------------------------------------------


def apply(output: Path, reports: Sequence[Report]) -> list[Report]:
    """The reports with the points that were given by manual grading.

    A mark for another answer than the present one is left out.
    """
    found = Marks(output).all() if (output / FILE).is_file() else {}
    return [
        replace(
            report,
            questions=tuple(
                _with_mark(question, found.get((report.submission, question.id)), report)
                for question in report.questions
            ),
        )
        for report in reports
    ]


def _with_mark(question: QuestionResult, mark: Mark | None, report: Report) -> QuestionResult:
    if (
        question.written is None
        or mark is None
        or mark.points is None
        or mark.answer != digest(question.answer)
    ):
        return replace(question, given=None, comment="", reasons=())
    written = written_of(report.homework, question.id)
    reasons: tuple[str, ...] = ()
    if written is not None and len(mark.rubric) == len(written.rubric):
        pairs = [
            (item, points, share)
            for (item, points), share in zip(written.rubric.items(), mark.rubric, strict=True)
            if share
        ]
        reasons = tuple(f"{item} ({points * share:g} of {points:g})" for item, points, share in pairs)
    return replace(question, given=mark.points, comment=mark.comment, reasons=reasons)
