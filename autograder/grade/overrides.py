"""Points that the staff sets in place of judged ones, kept in the file of the marks in the folder of results.

They belong to a submission's name and survive every re-run. Nothing is deleted: what is taken back, or set
anew, stays in the table with the time at which that happened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.grade.marks import FILE, Marks
from autograder.grade.report import WRITTEN_PART, Overridden, QuestionResult, Report
from autograder.kit.clock import now

MAX_WHY = 2_000  # characters
SCHEMA = """
CREATE TABLE IF NOT EXISTS overrides (
    id INTEGER PRIMARY KEY, submission TEXT NOT NULL, question TEXT NOT NULL, part TEXT NOT NULL,
    points REAL NOT NULL, why TEXT NOT NULL, grader TEXT NOT NULL, at TEXT NOT NULL, digest TEXT NOT NULL,
    ended TEXT
);
CREATE INDEX IF NOT EXISTS overrides_that_hold ON overrides (submission, question) WHERE ended IS NULL;
"""


class OverrideError(ValueError):
    """Points that cannot be set; the message says what can."""


@dataclass(frozen=True)
class Override:
    """One row: points for a check, for all checks of a question, or for its written answer.

    Attributes:
        part: as of :class:`~autograder.grade.report.Overridden`.
        digest: of the submission for which they were set.
    """

    submission: str
    question: str
    part: str
    points: float
    why: str
    by: str
    at: str = ""
    digest: str = ""


class Overrides(Marks):
    """The overrides of one folder of results."""

    def __init__(self, output: Path):
        super().__init__(output)
        with self._open() as database:
            database.executescript(SCHEMA)

    def hold(self) -> list[Override]:
        """Those that hold, by submission and question."""
        with self._open() as database:
            rows = database.execute(
                "SELECT * FROM overrides WHERE ended IS NULL ORDER BY submission, question, part"
            ).fetchall()
        return [
            Override(
                row["submission"],
                row["question"],
                row["part"],
                row["points"],
                row["why"],
                row["grader"],
                row["at"],
                row["digest"],
            )
            for row in rows
        ]

    def set(self, found: Override) -> None:
        """Sets points; those that were set before for the same part end."""
        at = found.at or now()
        with self._writing() as database:
            database.execute(
                "UPDATE overrides SET ended = ? WHERE submission = ? AND question = ? AND part = ?"
                " AND ended IS NULL",
                (at, found.submission, found.question, found.part),
            )
            database.execute(
                "INSERT INTO overrides (submission, question, part, points, why, grader, at, digest)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    found.submission,
                    found.question,
                    found.part,
                    found.points,
                    found.why,
                    found.by,
                    at,
                    found.digest,
                ),
            )

    def take_back(self, submission: str, question: str, part: str) -> bool:
        """Takes back what was set, so that the judged points count again; False if nothing was set."""
        with self._writing() as database:
            done = database.execute(
                "UPDATE overrides SET ended = ? WHERE submission = ? AND question = ? AND part = ?"
                " AND ended IS NULL",
                (now(), submission, question, part),
            )
            return done.rowcount > 0


def made(report: Report, question: str, part: str, points: float, why: str, by: str) -> Override:
    """An override that fits a report.

    Args:
        report: of the submission.
        question: its id.
        part: a check's name, empty for all checks together, or :data:`WRITTEN_PART`.
        points: from 0 to what the part can give.
        why: for the student to read.
        by: who sets them.

    Raises:
        OverrideError: there is no such question or part, the points are out of range, or no reason is given.
    """
    result = _question(report, question)
    most = _most(result, part)
    if not math.isfinite(points) or not 0 <= points <= most:
        raise OverrideError(
            f"{question} can give 0 to {most:g} points {_of(part)}, so {points:g} cannot be set"
        )
    if not why.strip():
        raise OverrideError("give a reason for the student: --reason '…'")
    return Override(
        report.submission, question, part, points, why.strip()[:MAX_WHY], by, now(), report.digest
    )


def _question(report: Report, question: str) -> QuestionResult:
    known = {one.id: one for one in report.questions}
    if not known:
        raise OverrideError("nothing of this submission could be judged, so there is no question to set")
    if question not in known:
        raise OverrideError(f"there is no question {question!r}; there are {', '.join(known)}")
    return known[question]


def parts(result: QuestionResult) -> dict[str, float]:
    """Part → the most points that it can be set to: all checks (empty), each check, the written answer."""
    found: dict[str, float] = {}
    if result.checks:  # a check may give a bonus beyond its maximum
        found[""] = max(result.maximum, result.judged_points)
        found |= {check.name: max(check.maximum, check.points) for check in result.checks}
    if result.written is not None:
        found[WRITTEN_PART] = result.written_points
    return found


def _most(result: QuestionResult, part: str) -> float:
    known = parts(result)
    part = part or ("" if result.checks else WRITTEN_PART)
    if part in known:
        return known[part]
    if part == WRITTEN_PART:
        raise OverrideError(f"{result.id} has no written answer")
    names = ", ".join(repr(check.name) for check in result.checks)
    raise OverrideError(f"{result.id} has no check {part!r}; there are {names or 'none'}")


def _of(part: str) -> str:
    return {"": "in its checks", WRITTEN_PART: "for its written answer"}.get(part, f"in {part!r}")


def part_of(report: Report, question: str, check: str, written: bool) -> str:
    """The part that options name; a question with nothing but a written answer needs no option."""
    if check and written:
        raise OverrideError("--check and --written exclude each other")
    only_written = not _question(report, question).checks
    return WRITTEN_PART if written or (only_written and not check) else check


# --- into reports -------------------------------------------------------------------------------------------


def apply(output: Path, reports: Sequence[Report]) -> list[Report]:
    """The reports with the points that the staff set, after marks have been applied.

    Whatever a report held of overrides before is replaced.
    """
    found: dict[tuple[str, str], list[Override]] = {}
    if (output / FILE).is_file():
        for one in Overrides(output).hold():
            found.setdefault((one.submission, one.question), []).append(one)
    return [
        replace(
            report,
            questions=tuple(
                _with(question, found.get((report.submission, question.id), ()), report.digest)
                for question in report.questions
            ),
        )
        for report in reports
    ]


def _with(question: QuestionResult, found: Sequence[Override], digest: str) -> QuestionResult:
    bare = replace(question, overrides=())
    judged: Mapping[str, float | None] = {
        **{check.name: check.points for check in question.checks},
        "": bare.points,
        WRITTEN_PART: question.given,
    }
    fitting = [one for one in found if one.part in judged]
    told = tuple(
        Overridden(
            one.part,
            one.points,
            one.why,
            one.by,
            one.at,
            judged[one.part],
            earlier=bool(one.digest) and one.digest != digest,
        )
        for one in fitting
        if one.part != WRITTEN_PART or question.written is not None
    )
    given = next((one.points for one in told if one.part == WRITTEN_PART), question.given)
    return replace(bare, overrides=told, given=given)


def unfitting(output: Path, reports: Sequence[Report]) -> list[Override]:
    """Overrides that hold and fit nothing: their submission, question or check is not there any more."""
    if not (output / FILE).is_file():
        return []
    applied = {
        (report.submission, question.id, one.part)
        for report in reports
        for question in report.questions
        for one in question.overrides
    }
    return [
        one for one in Overrides(output).hold() if (one.submission, one.question, one.part) not in applied
    ]
