"""What grading a submission results in: a report of questions and their checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autograder.files import points
from autograder.kit.answers import NOT_FOUND

WRONG = "wrong"
UNANSWERED = "unanswered"
NOT_RUN = "not run here"
LIMIT = "limit"
GRADER = "grader"  # the cause of a check that a mistake in the grader left open
CAUSES = {  # why a check did not pass → the same in words for students
    WRONG: "judged, with a mistake",
    UNANSWERED: "not answered",
    NOT_RUN: "not run here: the answer could not be run or was not there when grading ran the notebook",
    LIMIT: "stopped by a limit on time, memory or the like",
    NOT_FOUND: "not found where the question asks for it",
    GRADER: "not judged because of a mistake in the grader; the points are open",
}
LOST = (NOT_RUN, LIMIT, NOT_FOUND)  # causes that say nothing about what the student knows
REVEAL = ("words", "inputs", "all")  # how much of a hidden input feedback may show
WRITTEN_PART = "written answer"  # of an override that concerns it
DECISIONS = ("open", "granted", "partly granted", "declined")  # what may become of a request
NO_LOG = "No readable submission_log.json"  # how the note begins on a submission that lacks one
NOT_JUDGED = "Not judged because of a mistake in the grader; the points are open."


@dataclass(frozen=True)
class CheckResult:
    """How one check went.

    Attributes:
        state: ``passed``, ``failed``, ``partly``, ``unanswered``, or ``open`` if it could not be judged.
        points, maximum: earned and possible.
        feedback: Markdown for the student; empty if passed.
        evidence: what a feedback page can show beside it; see :mod:`autograder.declare.evidence`.
        measured: what the check measured, if it is worth comparing between submissions, such as an accuracy.
        cause: why it did not pass, one of :data:`CAUSES`; empty if it passed.
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

    @property
    def told(self) -> str:
        """What students read of it, in Markdown: its cause, where that is no mistake of theirs, and why."""
        if self.cause == GRADER:
            return NOT_JUDGED
        head = f"**{self.cause.capitalize()}.** " if self.cause in LOST else ""
        return head + self.feedback


@dataclass(frozen=True)
class Raised:
    """A cell that raised, or met a limit, in the grader's run.

    Attributes:
        cell: its number, from 1; ``first`` is its first line of code.
        kind, message: of the exception; empty where a limit ended it.
        words: all of it in words.
        module: the top-level module that is missing here; empty if that is not it.
        limit: the limit, in words; empty if none was met.
        questions: ids of those whose answers hang on it.
    """

    cell: int
    first: str
    kind: str
    message: str
    words: str
    module: str = ""
    limit: str = ""
    questions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Overridden:
    """Points that a member of the staff set in place of the judged ones.

    Attributes:
        part: the check's name; empty for all checks of the question together, :data:`WRITTEN_PART` for its
            written answer.
        points: that count instead; ``judged`` are those that they replace, None where nothing was judged.
        why: the reason, for the student to read.
        by: who set them; ``at`` when, in UTC.
        earlier: whether they were set for an earlier version of the submission.
    """

    part: str
    points: float
    why: str
    by: str = ""
    at: str = ""
    judged: float | None = None
    earlier: bool = False

    @property
    def what(self) -> str:
        """What it concerns, in words."""
        return {"": "all checks", WRITTEN_PART: "the written answer"}.get(self.part, f"'{self.part}'")


@dataclass(frozen=True)
class Tried:
    """One run of a visible check, as the student's log claims it.

    Attributes:
        at: when, in UTC, as ``2027-02-01T20:15:00Z``.
        passed: whether all of the question was there and right.
        mistakes: what the check named; never code.
    """

    at: str
    question: str
    passed: bool
    mistakes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """A student's request to look at a grade again, and what became of it.

    Attributes:
        number: by which the staff names it.
        question: its id; empty if the request concerns the whole homework.
        text: what the student wrote.
        decision: one of :data:`DECISIONS`.
        reply: what the staff answered; empty as long as nobody did.
        by: who decided.
    """

    number: int
    question: str
    text: str
    decision: str = "open"
    reply: str = ""
    by: str = ""


@dataclass(frozen=True)
class QuestionResult:
    """How one question went.

    Attributes:
        source: where its values came from: ``run`` (the grader's own run), ``log`` (the log handed in), or
            empty.
        written: the written answer, None if the question has none; ``written_points`` are a person's to give.
        notes: what people should know of this question, such as a library call that does the whole job.
        found: whether the written answer was ``found``, its place is ``blank``, or it was ``not found``: its
            place is gone, several texts could be it, or there is no notebook.
        nearby: where it was not found, what stands there in its place, as Markdown.
        claim: where the answer was handed in rather than run, such as what was trained: the evidence for it,
            in words; see :mod:`autograder.grade.claims`.
        original: a digest of the written answer as handed in, where ``written`` holds copies of its pictures.
        given: the points that a person gave for it, None as long as nobody did; ``comment`` is what they
            wrote, ``reasons`` the rubric items that earned them.
        rubric: the rubric's items with their points, where the staff edited it; empty for the homework's.
        overrides: points that the staff set in place of the judged ones; they count in ``points`` and
            ``given``.
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
    found: str = ""
    nearby: tuple[str, ...] = ()
    original: str = ""
    overrides: tuple[Overridden, ...] = ()
    claim: str = ""
    rubric: tuple[tuple[str, float], ...] = ()

    def override(self, part: str) -> Overridden | None:
        """The points that were set for a check, all checks (empty) or the written answer; None if none."""
        return next((one for one in self.overrides if one.part == part), None)

    def earned(self, check: CheckResult) -> float:
        """The points of a check that count: those that were set for it, or the judged ones."""
        found = self.override(check.name)
        return check.points if found is None else found.points

    @property
    def answer(self) -> str:
        """What a mark belongs to: with another answer, or another one around it, the mark is of no use."""
        if self.found == NOT_FOUND:
            return "\0not found\0" + "\0".join(self.nearby)
        return self.original or self.written or ""

    @property
    def open_written(self) -> float:
        """Points of a written answer that nobody graded yet."""
        return self.written_points if self.written is not None and self.given is None else 0.0

    @property
    def points(self) -> float:
        """What counts for the checks, set by the staff or judged; ``given`` comes on top."""
        whole = self.override("")
        return sum(map(self.earned, self.checks)) if whole is None else whole.points

    @property
    def total(self) -> float:
        """All points that count, those of people for a written answer included."""
        return self.points + (self.given or 0.0)

    @property
    def judged_points(self) -> float:
        """What the autograder gave, whatever was set in its place."""
        return sum(check.points for check in self.checks)

    @property
    def maximum(self) -> float:
        return sum(check.maximum for check in self.checks)

    @property
    def open_points(self) -> float:
        """Points of checks that a mistake in the grader kept from being judged."""
        return sum(check.maximum for check in self._as_judged() if check.cause == GRADER)

    def _as_judged(self) -> list[CheckResult]:
        """The checks whose judged points count."""
        if self.override("") is not None:
            return []
        return [check for check in self.checks if self.override(check.name) is None]

    @property
    def causes(self) -> dict[str, float]:
        """Cause → the points that it cost, of checks that did not pass and whose judged points count."""
        found: dict[str, float] = {}
        for check in self._as_judged():
            if check.cause:
                found[check.cause] = found.get(check.cause, 0.0) + check.maximum - check.points
        return found


@dataclass(frozen=True)
class Report:
    """How one submission went.

    Attributes:
        status: ``graded``; ``graded with problems`` if the run met a limit or the like; ``unreadable``.
        notes: what students and instructors should know beyond the questions.
        seconds: wall time of the run.
        digest: of what was handed in.
        raised: the cells that raised in the grader's run and on which answers hang, or that lack a module.
        key: of everything that the result depends on; an equal key needs no new run.
        fault: the traceback of a mistake in the grader that kept all of it from being judged, for instructors
            only.
        requests: the student's requests to look at it again.
        history: the checks that the student ran, where they agreed to keep them; a claim that earns nothing.
    """

    submission: str
    homework: str
    status: str
    questions: tuple[QuestionResult, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    digest: str = ""
    key: str = ""
    fault: str = ""
    raised: tuple[Raised, ...] = ()
    requests: tuple[Request, ...] = ()
    history: tuple[Tried, ...] = ()

    @property
    def causes(self) -> dict[str, float]:
        """Cause → the points that it cost, in the order of :data:`CAUSES`."""
        totals = {
            cause: sum(question.causes.get(cause, 0.0) for question in self.questions) for cause in CAUSES
        }
        found = {cause for question in self.questions for cause in question.causes}
        return {cause: lost for cause, lost in totals.items() if cause in found}

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
    def open_points(self) -> float:
        """Points, extra credit included, that a mistake in the grader keeps open."""
        return sum(question.open_points for question in self.questions)

    @property
    def faulty(self) -> bool:
        """Whether a mistake in the grader kept any of it from being judged."""
        return bool(self.fault) or any(
            check.cause == GRADER for question in self.questions for check in question.checks
        )

    @property
    def given(self) -> float:
        """Points that people gave for written answers so far."""
        return sum(question.given or 0.0 for question in self.questions)

    @property
    def open_written(self) -> float:
        """Points of written answers that nobody graded yet, extra credit included."""
        return sum(question.open_written for question in self.questions)

    @property
    def reachable(self) -> float:
        """Points, without extra credit, of all that is judged: by the autograder or by a person."""
        return sum(
            question.maximum - question.open_points + question.written_points - question.open_written
            for question in self.questions
            if not question.extra
        )

    @property
    def total(self) -> float | None:
        """Points given so far, by the autograder and by people; None where nothing could be judged."""
        return self.points + self.given if self.questions else None

    @property
    def waiting(self) -> float:
        """Points that are open: of checks that were not judged, and of written answers not graded yet."""
        return self.open_points + self.open_written

    @property
    def source(self) -> str:
        """Where the results came from, all in all."""
        return " and ".join(
            sorted({question.source for question in self.questions if question.source}, reverse=True)
        )


def so_far(report: Report) -> str:
    """The points of a report as people read them: ``56 / 63 so far, 27 not graded yet``.

    Points of the autograder and of people together, out of what is judged: what is open costs nothing.
    """
    if not report.questions:
        return "not graded"
    extra = sum(question.total for question in report.questions if question.extra)
    score = f"{points(report.points + report.given - extra)} / {points(report.reachable)}"
    score += f" + {points(extra)} extra" if extra else ""
    return f"{score} so far, {points(report.waiting)} not graded yet" if report.waiting else score
