"""Judges submissions: bytes in, report out, in four steps: read, run, judge, annotate.

A pure function over submissions, mapped over a class by :mod:`autograder.grade.batch`.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from nbformat import NotebookNode

from autograder.author.kit_text import kit_source
from autograder.declare import Case, Homework, LogEntry, followed, homeworks
from autograder.grade.annotate import (
    note_library_calls,
    note_open_checks,
    note_stale_answers,
)
from autograder.grade.beside import data_files, local_files
from autograder.grade.causes import explain_causes, is_lost, note_lost_log, witnesses
from autograder.grade.claims import note_claims
from autograder.grade.judge import judge_question
from autograder.grade.leaks import Prints, mark_prints
from autograder.grade.processes import one_thread
from autograder.grade.report import QuestionResult, Report, Tried
from autograder.grade.settings import Settings as Settings
from autograder.grade.variants import hidden_seed, whose
from autograder.kit.answers import NOT_FOUND, WrittenAnswer
from autograder.kit.provided import provided_note, to_provide
from autograder.run.execute import Execution, execute
from autograder.run.guard import SECONDS, OverLimitError, limited
from autograder.run.runner import skip_reason
from autograder.run.session import Kernels
from autograder.submissions.errors import SubmissionError
from autograder.submissions.find import Submission
from autograder.submissions.given import given
from autograder.submissions.library_calls import NOT_SEARCHED
from autograder.submissions.log import Log, LogError, challenges_json, read_log
from autograder.submissions.notebook import (
    code_digests,
    of_several,
    read_notebook,
    recognize,
    written_answers,
)
from autograder.submissions.own_figures import keep_figures

WITHOUT_NOTEBOOK = (
    "No notebook that can be run was handed in, so only recorded values were judged, not functions."
)
NO_NOTEBOOK = WrittenAnswer("", NOT_FOUND, ("*No notebook that can be read was handed in.*",))


@dataclass(frozen=True)
class Read:
    """A submission that was read and recognized.

    Attributes:
        notebook: its cells; None if there is none that can be read.
        claims: what the log that was handed in says; empty without one.
        notes: what students and instructors should know, here and in the steps that follow.
    """

    submission: Submission
    homework: Homework
    notebook: NotebookNode | None
    claims: Log
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ran:
    """A submission after its run.

    Attributes:
        drawn: the hidden cases by challenge.
        log: what the run recorded; empty without a notebook.
        execution: how the run went; None without a notebook.
    """

    read: Read
    drawn: Mapping[str, Mapping[str, Case]]
    log: Log
    execution: Execution | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """A submission whose questions are judged."""

    ran: Ran
    questions: tuple[QuestionResult, ...]
    notes: tuple[str, ...] = ()


def grade_submission(
    submission: Submission, settings: Settings, kernels: Kernels | None = None
) -> tuple[Report, Execution | None]:
    """Grades one submission. Never raises for what a submission holds, but for ``OverLimitError``.

    Args:
        submission: as handed in.
        settings: the batch's seed and limits.
        kernels: where it runs; plain processes if left out.

    Returns:
        The report, and how the run went if there was one.

    Raises:
        OverLimitError: reading or judging it took more time or memory than any honest submission needs.
    """
    started = time.monotonic()
    one_thread()
    try:
        with limited(SECONDS):
            found = read(submission, settings)
    except SubmissionError as error:
        report = Report(
            submission.name,
            settings.homework or "",
            "unreadable",
            notes=(str(error), *submission.notes),
            digest=submission.digest(),
        )
        return report, None
    ran = run(found, settings, kernels)
    with limited(SECONDS):
        report = annotate(judge(ran, settings), settings)
    return replace(report, seconds=time.monotonic() - started), ran.execution


# --- read ---------------------------------------------------------------------------------------------------


def read(submission: Submission, settings: Settings) -> Read:
    """Reads what was handed in and finds out which homework it is.

    Raises:
        SubmissionError: nothing of it can be judged; the message says why.
    """
    if submission.problem:
        raise SubmissionError(submission.problem)
    notebook, notes = _notebook(submission)
    known = homeworks() if settings.homework is None else {settings.homework: homeworks()[settings.homework]}
    try:
        homework = recognize(notebook, submission.log, known)
    except SubmissionError as error:
        raise SubmissionError(" ".join([*notes, str(error)])) from None
    if notebook is not None:
        notes += of_several(notebook, homework, homeworks())
    claims, told = _claims(submission, homework)
    return Read(submission, homework, notebook, claims, (*notes, *submission.notes, *told))


def _notebook(submission: Submission) -> tuple[NotebookNode | None, list[str]]:
    """The notebook, or without it what is wrong with it, where a log is left to be judged."""
    if submission.notebook is None:
        return None, []
    try:
        return read_notebook(submission.notebook), []
    except SubmissionError as error:
        if submission.log is None:
            raise
        return None, [str(error)]


def _claims(submission: Submission, homework: Homework) -> tuple[Log, Sequence[str]]:
    """What the log that was handed in says, and what is wrong with it."""
    if submission.log is None:
        return Log(homework.id), ()
    try:
        log = read_log(submission.log, homework, "The log that was handed in")
    except LogError as error:
        return Log(homework.id), (str(error),)
    return log, log.notes


# --- run ----------------------------------------------------------------------------------------------------


def run(found: Read, settings: Settings, kernels: Kernels | None = None) -> Ran:
    """Runs the notebook, if there is one, on hidden inputs."""
    seed = hidden_seed(settings.seed, settings.variants, found.submission)
    drawn, challenges, kit_text = _drawn(found.homework.id, seed, followed())
    if found.notebook is None:
        return Ran(found, drawn, Log(found.homework.id), None, (*found.notes, WITHOUT_NOTEBOOK))
    attachments, told = checkpoints(found.submission, found.homework)
    cells = [one.source for one in found.notebook.cells if one.cell_type == "code" and not skip_reason(one)]
    own_cells = given(found.homework.id)
    provided = to_provide(own_cells, cells)
    told += [note] if (note := provided_note(provided)) else []
    for files, notes in (local_files(found.submission, found.homework), data_files(found.homework)):
        attachments |= files
        told += notes
    execution = execute(
        found.notebook,
        kit_source=kit_text,
        challenges=challenges,
        attachments=attachments,
        limits=settings.limits,
        kernels=kernels,
        imports=found.homework.imports,
        given=provided,
        spare=own_cells,
    )
    with limited(SECONDS):
        log, problems = _merge(execution.logs, found.homework)
        mark_prints(execution.notebook, _prints(found.homework.id, seed, followed()))
    left_out = {index for index, one in enumerate(found.notebook.cells) if skip_reason(one)}
    with contextlib.suppress(OverLimitError), limited(SECONDS):
        keep_figures(execution.notebook, found.submission.notebook or b"", left_out)
    return Ran(found, drawn, log, execution, (*found.notes, *told, *execution.events, *problems))


@lru_cache(maxsize=8)
def _drawn(homework: str, seed: str, course: str) -> tuple[Mapping[str, Mapping[str, Case]], bytes, str]:
    declared = homeworks()[homework]
    drawn = declared.draw(seed)
    return drawn, challenges_json(declared, drawn), kit_source(declared)


@lru_cache(maxsize=8)
def _prints(homework: str, seed: str, course: str) -> Prints:
    return Prints(_drawn(homework, seed, course)[0])


def checkpoints(submission: Submission, homework: Homework) -> tuple[dict[str, bytes], list[str]]:
    """The files that the kernel may see, under the names that the homework expects; nobody else opens them.

    Returns:
        File name → bytes, and what students should know of files that were renamed or left out.
    """
    given = {name: data for name, data in submission.attachments.items() if not name.endswith(".py")}
    handed: dict[str, bytes] = {}
    notes: list[str] = []
    for wanted in homework.checkpoints():
        if wanted.file in given:
            data = given[wanted.file]
        elif len(given) == 1 and len(homework.checkpoints()) == 1:
            name, data = next(iter(given.items()))
            notes.append(f"{name} was taken as {wanted.file}.")
        else:
            if given:
                names = ", ".join(sorted(given))[:200]
                notes.append(f"None of the files {names} is called {wanted.file}; none was used.")
            continue
        # of a larger file enough to see that it is too large
        handed[wanted.file] = data[: wanted.max_bytes + 1]
    return handed, notes


def _merge(logs: Sequence[bytes], homework: Homework) -> tuple[Log, list[str]]:
    """One log out of those of several kernels: later records win, responses before a crash still count."""
    entries: dict[str, LogEntry] = {}
    student: Mapping[str, str] = {}
    notes: list[str] = []
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
    return Log(homework.id, entries=entries, student=student), notes


# --- judge --------------------------------------------------------------------------------------------------


def judge(ran: Ran, settings: Settings) -> Judged:
    """Judges every question of the homework."""
    found = ran.read
    bare = found.notebook is None
    answers = {}
    if found.notebook is not None:
        answers = written_answers(found.notebook, found.homework, found.submission.notebook or b"")
    student = found.claims.student if bare else ran.log.student
    personal = whose(found.homework, settings.variants, found.submission.students, student)
    questions = tuple(
        with_answer(
            judge_question(
                question, ran.log, found.claims, ran.drawn, bare, numbers=personal.numbers.get(question.id)
            ),
            answers.get(question.id, NO_NOTEBOOK),
        )
        for question in found.homework.questions.values()
    )
    return Judged(ran, questions, (*ran.notes, *personal.notes))


def with_answer(result: QuestionResult, answer: WrittenAnswer) -> QuestionResult:
    """A question's result with its written answer, if it asks for one."""
    if result.written is None:
        return result
    told = replace(result, written=answer.text, found=answer.state)
    return replace(told, nearby=answer.nearby, original=answer.original)


# --- annotate -----------------------------------------------------------------------------------------------


def annotate(judged: Judged, settings: Settings) -> Report:
    """The report: the results with their causes, with notes on stale answers, library calls, what is open."""
    ran = judged.ran
    found = ran.read
    known = witnesses(found.homework, ran.log, found.claims, found.notebook, ran.execution)
    questions, raised, lost = explain_causes(judged.questions, found.homework, known)
    lost = [*lost, *note_lost_log(questions, found.homework, found.claims, found.notebook)]
    digests = None if found.notebook is None else code_digests(found.notebook)
    questions, stale = note_stale_answers(questions, found.claims, digests)
    questions = note_claims(questions, found.homework, found.claims, digests, found.submission.attachments)
    called: list[str] = []
    if found.notebook is not None:
        questions, called = note_library_calls(
            questions, found.homework, found.notebook, zero=settings.library_calls == "zero"
        )
    still_open = note_open_checks(questions)
    unclear = settings.library_calls == "zero" and any(note.startswith(NOT_SEARCHED) for note in called)
    trouble = found.notebook is None or bool(ran.execution and ran.execution.events) or bool(still_open)
    trouble = trouble or is_lost(questions) or unclear  # for the instructor to look at
    return Report(
        found.submission.name,
        found.homework.id,
        "graded with problems" if trouble else "graded",
        questions,
        tuple(dict.fromkeys([*lost, *judged.notes, *stale, *called, *still_open])),
        digest=found.submission.digest(),
        raised=raised,
        history=tuple(
            Tried(one["at"], one["question"], one["passed"], tuple(one.get("mistakes", ())))
            for one in found.claims.history
        ),
    )
