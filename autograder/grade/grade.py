"""Judges submissions: log in, report out. A pure function over submissions, mapped over a class."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from nbformat import NotebookNode

from autograder import kit
from autograder.author.build import kit_source
from autograder.declare.evidence import plain, recorded_evidence
from autograder.declare.homework import (
    Answer,
    Array,
    Case,
    Challenge,
    Check,
    Choice,
    Homework,
    Numbers,
    NumbersMissingError,
    Question,
    Right,
    Wrong,
    homeworks,
)
from autograder.grade.variants import hidden_seed, whose
from autograder.kit import handing_in as handin
from autograder.run.execute import Execution, Kernels, Limits, execute, skip_reason
from autograder.submissions.find import Submission, read_notebook, recognise, written_answers
from autograder.submissions.library_calls import LibraryCall, find_library_calls
from autograder.submissions.log import Log, LogEntry, LogError, challenges_json, read_log

NOT_ANSWERED = "{id} is not answered yet."


@dataclass(frozen=True)
class CheckResult:
    """How one check went.

    Attributes:
        state: ``passed``, ``failed``, ``partly`` or ``unanswered``.
        points, maximum: earned and possible.
        feedback: Markdown for the student; empty if passed.
        evidence: what a feedback page can show beside it; see :mod:`autograder.declare.evidence`.
        measured: what the check measured, if it is worth comparing between submissions, such as an accuracy.
    """

    name: str
    state: str
    points: float
    maximum: float
    feedback: str = ""
    measured: float | None = None
    evidence: Mapping[str, Any] | None = None


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


@dataclass(frozen=True)
class Settings:
    """What a batch has in common.

    Attributes:
        seed: draws the hidden inputs.
        homework: takes every submission for this one; None recognises it.
        limits: what a submission may use.
        library_calls: what follows from a call that a question forbids: ``flag`` says so and keeps the
            points,
            ``zero`` gives no points for that question.
        variants: the word from which students' own numbers are drawn; empty for the same numbers and hidden
            inputs for all.
    """

    seed: str
    homework: str | None = None
    limits: Limits = field(default_factory=Limits)
    library_calls: str = "flag"
    variants: str = ""


@lru_cache(maxsize=8)
def _drawn(homework: str, seed: str) -> tuple[Mapping[str, Mapping[str, Case]], bytes, str]:
    declared = homeworks()[homework]
    drawn = declared.draw(seed)
    return drawn, challenges_json(declared, drawn), kit_source(declared)


def grade_submission(
    submission: Submission, settings: Settings, kernels: Kernels | None = None
) -> tuple[Report, Execution | None]:
    """Grades one submission: reads it, runs it, judges what it recorded. Never raises for what a submission holds.

    Args:
        submission: as handed in.
        settings: the batch's seed and limits.
        kernels: where it runs; plain processes if left out.
    """
    started = time.monotonic()

    def unreadable(why: str) -> tuple[Report, None]:
        return (
            Report(
                submission.name,
                settings.homework or "",
                "unreadable",
                notes=(why,),
                digest=submission.digest(),
            ),
            None,
        )

    if submission.problem:
        return unreadable(submission.problem)
    notes: list[str] = []
    notebook, execution = None, None
    try:
        if submission.notebook is not None:
            notebook = read_notebook(submission.notebook)
    except LogError as error:
        if submission.log is None:
            return unreadable(str(error))
        notes.append(str(error))
    try:
        known = (
            homeworks() if settings.homework is None else {settings.homework: homeworks()[settings.homework]}
        )
        homework = recognise(submission, notebook, known)
    except LogError as error:
        return unreadable(" ".join([*notes, str(error)]))
    drawn, challenges, kit_text = _drawn(
        homework.id, hidden_seed(settings.seed, settings.variants, submission)
    )
    claims = _claims(submission, homework, notes)
    run = Log(homework.id)
    if notebook is not None:
        attachments = _checkpoints(submission, homework, notes)
        execution = execute(
            notebook,
            kit_source=kit_text,
            challenges=challenges,
            attachments=attachments,
            limits=settings.limits,
            kernels=kernels,
        )
        notes += execution.events
        run = _merge(execution.logs, homework, notes)
    else:
        notes.append(
            "No notebook that can be run was handed in, so only recorded values were judged, not functions."
        )
    answers = written_answers(notebook) if notebook is not None else {}
    personal = whose(
        homework,
        settings.variants,
        submission.students,
        run.student if notebook is not None else claims.student,
    )
    notes += personal.notes
    results = tuple(
        judge_question(
            question,
            run,
            claims,
            drawn,
            notebook is None,
            answers.get(question.id, ""),
            personal.numbers.get(question.id),
        )
        for question in homework.questions.values()
    )
    digests = (
        None
        if notebook is None
        else {handin.cell_digest(cell.source) for cell in notebook.cells if cell.cell_type == "code"}
    )
    for number, one in enumerate(results):
        if one.source == "log" and (told := claims.stale(one.id, digests)):
            notes.append(told)
            results = (
                *results[:number],
                dataclasses.replace(one, notes=(*one.notes, told)),
                *results[number + 1 :],
            )
    if notebook is not None:
        results = _with_library_calls(results, homework, notebook, settings, notes)
    trouble = bool(execution and execution.events) or notebook is None
    status = "graded with problems" if trouble else "graded"
    report = Report(
        submission.name,
        homework.id,
        status,
        results,
        tuple(dict.fromkeys(notes)),
        time.monotonic() - started,
        submission.digest(),
    )
    return report, execution


def _with_library_calls(
    results: tuple[QuestionResult, ...],
    homework: Homework,
    notebook: NotebookNode,
    settings: Settings,
    notes: list[str],
) -> tuple[QuestionResult, ...]:
    """The results with a note where a question's answer rests on a call that it forbids; without its points if so set."""
    strict = [question for question in homework.questions.values() if question.forbids]
    wanted = {
        question.id: ([entry.name for entry in question.entries], question.forbids) for question in strict
    }
    cells = {
        number: cell.source
        for number, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code" and not (skip_reason(cell) or "").startswith("the grader's own kit")
    }
    calls, trouble = find_library_calls(cells, wanted)
    notes += [trouble] if trouble else []
    return tuple(
        _with_calls(result, [call for call in calls if call.question == result.id], settings, notes)
        for result in results
    )


def _with_calls(
    result: QuestionResult, calls: Sequence[LibraryCall], settings: Settings, notes: list[str]
) -> QuestionResult:
    if not calls:
        return result
    keeps = settings.library_calls != "zero"
    told = tuple(
        f"{call} " + ("The points are kept; your instructor decides." if keeps else "So it earns no points.")
        for call in calls[:5]
    )
    notes += told
    checks = result.checks
    if not keeps:
        checks = tuple(
            (
                dataclasses.replace(
                    check, state="failed", points=0.0, feedback=f"{told[0]} {check.feedback}".strip()
                )
                if check.points
                else check
            )
            for check in checks
        )
    return dataclasses.replace(result, checks=checks, notes=(*result.notes, *told))


def _checkpoints(submission: Submission, homework: Homework, notes: list[str]) -> dict[str, bytes]:
    """The files that the kernel may see, under the names that the homework expects; opened by nobody but the kernel."""
    given, handed = dict(submission.attachments), {}
    for wanted in homework.checkpoints():
        if wanted.file in given:
            data = given[wanted.file]
        elif len(given) == 1 and len(homework.checkpoints()) == 1:
            name, data = next(iter(given.items()))
            notes.append(f"{name} was taken as {wanted.file}.")
        else:
            if given:
                notes.append(
                    f"None of the files {', '.join(sorted(given))[:200]} is called {wanted.file}; none was"
                    " used."
                )
            continue
        handed[wanted.file] = data[
            : wanted.max_bytes + 1
        ]  # of a larger file enough to see that it is too large
    return handed


def _claims(submission: Submission, homework: Homework, notes: list[str]) -> Log:
    if submission.log is None:
        return Log(homework.id)
    try:
        log = read_log(submission.log, homework, "The log that was handed in")
    except LogError as error:
        notes.append(str(error))
        return Log(homework.id)
    notes += log.notes
    return log


def _merge(logs: Sequence[bytes], homework: Homework, notes: list[str]) -> Log:
    """One log out of those of several kernels: later records win, responses before a crash still count."""
    entries: dict[str, LogEntry] = {}
    student: Mapping[str, str] = {}
    for data in logs:
        try:
            log = read_log(data, homework, "The log of the run")
        except LogError as error:
            notes.append(str(error))
            continue
        notes += log.notes
        student = log.student or student
        for name, entry in log.entries.items():
            if name not in entries or entry.status not in ("missing", "unanswered"):
                entries[name] = entry
    return Log(homework.id, entries=entries, student=student)


def judge_question(
    question: Question,
    run: Log,
    claims: Log,
    drawn: Mapping[str, Mapping[str, Case]],
    bare: bool = False,
    written: str = "",
    numbers: Numbers | None = None,
) -> QuestionResult:
    """Judges one question.

    Args:
        question: its declaration.
        run: what the grader's own run recorded.
        claims: what the log that was handed in says.
        drawn: the hidden cases.
        bare: no notebook was handed in, so that recorded values of the claims count.
        written: the written answer.
        numbers: those in its text; the usual ones if left out.
    """
    found: dict[str, tuple[str, LogEntry]] = {}
    for entry in question.entries:
        ran, claimed = run.entries.get(entry.name), claims.entries.get(entry.name)
        usable = ran is not None and ran.status not in ("missing", "unanswered")
        if (
            not usable
            and claimed is not None
            and (question.claimed or bare)
            and not isinstance(entry, Challenge)
        ):
            found[entry.name] = ("log", claimed)
        elif ran is not None:
            found[entry.name] = ("run", ran)
    answer = {name: _value(question.entry(name), logged, drawn) for name, (_, logged) in found.items()}
    if question.numbers:
        answer["numbers"] = numbers if numbers is not None else question.usual_numbers()
    checks = tuple(_judge(question, check, found, answer) for check in question.checks)
    sources = {origin for origin, logged in found.values() if logged.status == "ok"}
    return QuestionResult(
        question.id,
        question.title,
        checks,
        "log" if "log" in sources else "run" if sources else "",
        question.extra,
        written if question.written else None,
        question.written.points if question.written else 0.0,
    )


def _value(
    entry: Array | Choice | Challenge, logged: LogEntry, drawn: Mapping[str, Mapping[str, Case]]
) -> Any:
    if not isinstance(entry, Challenge):
        return np.asarray(logged.value) if isinstance(logged.value, bool | int | float) else logged.value
    trials = []
    for identity, case in drawn[entry.name].items():
        status, result, error = logged.responses.get(identity, ("missing", None, ""))
        trials.append(
            kit.Trial(identity, case.note, case.group, tuple(case.args), case.kwargs, status, result, error)
        )
    return trials


def _judge(
    question: Question, check: Check, found: Mapping[str, tuple[str, LogEntry]], answer: Answer
) -> CheckResult:
    def result(state: str, feedback: str, earned: float = 0.0) -> CheckResult:
        return CheckResult(check.name, state, round(check.points * earned, 4), check.points, feedback)

    states = {name: found[name][1].status if name in found else "missing" for name in check.needs}
    if set(states.values()) <= {"missing", "unanswered"}:
        return result("unanswered", NOT_ANSWERED.format(id=question.id))
    for name, state in states.items():
        challenge = isinstance(question.entry(name), Challenge)
        if state == "invalid":
            return result("failed", found[name][1].problem)
        if state in ("missing", "unanswered"):
            return result(
                "unanswered", f"`{name}` is not answered yet; the other parts of {question.id} are."
            )
        if state == "stopped" and not challenge:
            return result("failed", f"`{name}` was stopped before it was recorded.")
    arrays = {name: entry.shape for name in check.needs if isinstance(entry := question.entry(name), Array)}
    if problems := kit.check_shapes(arrays, answer):
        return result("failed", " ".join(problems))
    try:
        with np.errstate(all="ignore"):
            verdict = check.judge(answer)
    except NumbersMissingError as error:
        return result("failed", str(error))
    except (
        Exception
    ) as error:  # what a submission recorded must never end a batch, not even through a careless check
        return result(
            "failed",
            f"This answer could not be judged ({type(error).__name__}: {str(error)[:200]}). Please tell your"
            " instructor.",
        )
    if verdict is None:
        return result("passed", "", 1.0)
    if isinstance(verdict, Right):
        return CheckResult(
            check.name,
            "passed",
            round(check.points + verdict.bonus, 4),
            check.points,
            verdict.feedback,
            verdict.measured,
        )
    if not isinstance(verdict, Wrong):
        raise TypeError(
            f"{question.id}, {check.name!r}: a check returns None, Right or Wrong, not"
            f" {type(verdict).__name__}"
        )
    judged = result("partly" if verdict.earned > 0 else "failed", verdict.feedback, verdict.earned)
    recorded = {name: answer[name] for name in arrays}
    evidence = verdict.evidence or (recorded_evidence(recorded) if recorded else None)
    shown = plain(evidence) if evidence else None
    return dataclasses.replace(judged, measured=verdict.measured, evidence=shown)
