"""Points that people give for written answers, in one SQLite file in the folder of results.

Every click is one committed transaction with an entry in a journal, so a killed session loses at most the
click in flight, and each grader can undo their own. A mark carries a version: whoever saves on top of an
older one is told.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from autograder.files import SECRET
from autograder.grade.marks_rows import (
    ConflictError,
    Mark,
    as_mark,
    digest,
    get_row,
    mark_of,
    prepare,
    save_row,
    write_row,
)
from autograder.grade.report import QuestionResult, Report
from autograder.grade.rubric import Rubric, declared, written_of

__all__ = ["ConflictError", "Mark", "Marks", "apply", "digest", "written_of"]

FILE = "desk.sqlite3"
MAX_COMMENT = 10_000  # characters
CLAIM_SECONDS = 600.0  # how long an answer that somebody looks at is kept from the others' "next"


class Marks:
    """The marks of one folder of results.

    Threads may share an instance: every call opens its own connection.
    """

    def __init__(self, output: Path):
        self.path = output / FILE
        with contextlib.suppress(FileExistsError):  # what SQLite puts beside it gets the same permissions
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL, SECRET))
        with self._open() as database:
            prepare(database)
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
                (row["submission"], row["question"]): as_mark(row)
                for row in database.execute("SELECT * FROM marks")
            }

    def get(self, submission: str, question: str) -> Mark | None:
        """One mark, None if there is none."""
        with self._open() as database:
            return get_row(database, submission, question)

    def save(self, mark: Mark) -> Mark:
        """Saves a mark on top of the version that it carries, durably, and returns it with its new version.

        Raises:
            ConflictError: the saved one has another version, or another grader changed it.
        """
        with self._writing() as database:
            return save_row(database, mark)

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
            now = get_row(database, last["submission"], question)
            if now is None or now.grader != after["grader"] or now.version != after["version"]:
                raise ConflictError(f"{now.grader if now else 'Somebody'} changed it since.")
            before = (
                json.loads(last["before"])
                if last["before"]
                else {**after, "rubric": [], "points": None, "comment": "", "flagged": False}
            )
            made = replace(mark_of(before), version=now.version + 1)
            if made.points is not None and made.rubric and (rubric := _edited(database, question)):
                made = replace(made, points=rubric.points(made.rubric))
            write_row(database, made)
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

    def rubric(self, homework: str, question: str) -> Rubric | None:
        """The rubric that holds: the staff's last edit, else the homework's; None if nothing is written."""
        known = declared(homework, question)
        if known is None:
            return None
        with self._open() as database:
            edit = _edited(database, question)
        return replace(edit, maximum=known.maximum) if edit else known

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
                now = get_row(database, mark.submission, mark.question)
                if now is None or (now.points, now.rubric, now.comment) != (
                    mark.points,
                    mark.rubric,
                    mark.comment,
                ):
                    save_row(database, replace(mark, version=now.version if now else 0))
                    changed += 1
        return changed


def _edited(database: sqlite3.Connection, question: str) -> Rubric | None:
    """The staff's last edit of a rubric, None if there is none."""
    row = database.execute(
        "SELECT * FROM rubrics WHERE question = ? ORDER BY version DESC LIMIT 1", (question,)
    ).fetchone()
    if row is None:
        return None
    kept = json.loads(row["items"])
    return Rubric(tuple((words, points) for words, points in kept["items"]), kept["maximum"], row["version"])


# --- into reports -------------------------------------------------------------------------------------------


def apply(output: Path, reports: Sequence[Report]) -> list[Report]:
    """The reports with the points that were given by manual grading.

    A mark for another answer than the present one is left out, and so is a draft.
    """
    kept = Marks(output) if (output / FILE).is_file() else None
    found = kept.all() if kept else {}
    asked = {
        (one.homework, question.id)
        for one in reports
        for question in one.questions
        if question.written is not None
    }
    rubrics = {pair: kept.rubric(*pair) if kept else declared(*pair) for pair in asked}
    return [
        replace(
            report,
            questions=tuple(
                _with_mark(
                    question,
                    found.get((report.submission, question.id)),
                    rubrics.get((report.homework, question.id)),
                )
                for question in report.questions
            ),
        )
        for report in reports
    ]


def _with_mark(question: QuestionResult, mark: Mark | None, rubric: Rubric | None) -> QuestionResult:
    if (
        question.written is None
        or mark is None
        or mark.points is None
        or mark.answer != digest(question.answer)
    ):
        return replace(question, given=None, comment="", reasons=(), rubric=())
    reasons: tuple[str, ...] = ()
    if rubric is not None and mark.rubric:
        reasons = rubric.reasons(mark.rubric)
    edited = rubric.items if rubric is not None and rubric.version else ()
    return replace(question, given=mark.points, comment=mark.comment, reasons=reasons, rubric=edited)
