"""Judges submissions: log in, report out. A pure function over submissions, mapped over a class."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from nbformat import NotebookNode

from autograder.author.kit_text import kit_source
from autograder.declare import Case, Homework, LogEntry, homeworks
from autograder.grade.judge import judge_question
from autograder.grade.report import QuestionResult, Report
from autograder.grade.variants import hidden_seed, whose
from autograder.kit import handing_in as handin
from autograder.run.execute import Execution, execute
from autograder.run.limits import Limits
from autograder.run.runner import skip_reason
from autograder.run.session import Kernels
from autograder.submissions.find import Submission, read_notebook, recognise, written_answers
from autograder.submissions.library_calls import LibraryCall, find_library_calls
from autograder.submissions.log import Log, LogError, challenges_json, read_log


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
