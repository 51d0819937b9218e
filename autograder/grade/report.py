"""What grading a submission results in: a report of questions and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GRADER = "grader"  # the cause of a check that a mistake in the grader left open
NOT_JUDGED = "This answer could not be judged because of a mistake in the grader; its points are still open."


@dataclass(frozen=True)
class CheckResult:
    """How one check went.

    Attributes:
        state: ``passed``, ``failed``, ``partly``, ``unanswered``, or ``open`` where it could not be judged.
        points, maximum: earned and possible.
        feedback: Markdown for the student; empty if passed.
        evidence: what a feedback page can show beside it; see :mod:`autograder.declare.evidence`.
        measured: what the check measured, if it is worth comparing between submissions, such as an accuracy.
        cause: why it did not pass: ``wrong``, ``unanswered`` or ``grader`` (a mistake of the grader's, whose
            points are open); empty if it passed.
        fault: the traceback of a mistake of the grader's, for instructors; its last line is the error.
    """

    name: str
    state: str
    points: float
    maximum: float
    feedback: str = ""
    measured: float | None = None
    evidence: Mapping[str, Any] | None = None
    cause: str = ""
    fault: str = ""


@dataclass(frozen=True)
class QuestionResult:
    """How one question went.

    Attributes:
        source: where its values came from: ``run`` (the grader's own run), ``log`` (the log handed in), or
            empty.
        written: the written answer, None if the question has none; ``written_points`` are a person's to give.
        notes: what people should know of this question, such as a library call that does the whole job.
        given: the points that a person gave for it, None as long as nobody did; ``comment`` is what they
            wrote,
            ``reasons`` the rubric items that earned them.
    """

    id: str
    title: str
    checks: tuple[CheckResult, ...]
    source: str = ""
    extra: bool = False
    written: str | None = None
    written_points: float = 0.0
    notes: tuple[str, ...] = ()
    given: float | None = None
    comment: str = ""
    reasons: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        """What the autograder gave; ``given`` comes on top."""
        return sum(check.points for check in self.checks)

    @property
    def maximum(self) -> float:
        return sum(check.maximum for check in self.checks)


@dataclass(frozen=True)
class Report:
    """How one submission went.

    Attributes:
        status: ``graded``; ``graded with problems`` if the run met a limit or the like; ``unreadable``.
        notes: what students and instructors should know beyond the questions.
        seconds: wall time of the run.
        digest: of what was handed in.
        key: of everything that the result depends on; an equal key needs no new run.
    """

    submission: str
    homework: str
    status: str
    questions: tuple[QuestionResult, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    digest: str = ""
    key: str = ""

    @property
    def points(self) -> float:
        """Points earned, extra credit included."""
        return sum(question.points for question in self.questions)

    @property
    def extra_points(self) -> float:
        """Points earned in questions that count as extra credit."""
        return sum(question.points for question in self.questions if question.extra)

    @property
    def maximum(self) -> float:
        """Points possible without extra credit and written answers."""
        return sum(question.maximum for question in self.questions if not question.extra)

    @property
    def given(self) -> float:
        """Points that people gave for written answers so far."""
        return sum(question.given or 0.0 for question in self.questions)

    @property
    def source(self) -> str:
        """Where the results came from, all in all."""
        return " and ".join(
            sorted({question.source for question in self.questions if question.source}, reverse=True)
        )
