"""What a report says beyond its checks: on recorded answers that are stale, library calls, open checks."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace

from nbformat import NotebookNode

from autograder.declare import Homework
from autograder.files import points
from autograder.grade.report import GRADER, WRONG, QuestionResult
from autograder.submissions.cells import is_kit
from autograder.submissions.given import supplied_lines
from autograder.submissions.library_calls import LibraryCall, find_library_calls
from autograder.submissions.log import Log

NAMED = 5  # library calls of a question that its notes name

Questions = tuple[QuestionResult, ...]


def note_stale_answers(
    questions: Questions, claims: Log, digests: Set[str] | None
) -> tuple[Questions, list[str]]:
    """Notes the answers from the log whose cells have been edited since.

    Args:
        questions: as judged.
        claims: the log that was handed in.
        digests: of the code cells of the notebook as handed in; None without one.

    Returns:
        The questions with their notes, and the notes.
    """
    noted, notes = [], []
    for question in questions:
        message = claims.stale(question.id, digests) if question.source == "log" else ""
        if message:
            notes.append(message)
            question = replace(question, notes=(*question.notes, message))
        noted.append(question)
    return tuple(noted), notes


def note_library_calls(
    questions: Questions, homework: Homework, notebook: NotebookNode, zero: bool = False
) -> tuple[Questions, list[str]]:
    """Notes where an answer rests on a library call that its question forbids.

    Args:
        questions: as judged.
        homework: which calls it forbids.
        notebook: as handed in.
        zero: such a question earns no points.

    Returns:
        The questions with their notes, and the notes.
    """
    wanted = {
        question.id: ([entry.name for entry in question.entries], question.forbids)
        for question in homework.questions.values()
        if question.forbids
    }
    cells = {
        number: cell.source
        for number, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code" and not is_kit(cell.source)
    }
    calls, trouble = find_library_calls(cells, wanted, supplied_lines(homework.id))
    notes = [trouble] if trouble else []
    noted = []
    for question in questions:
        result = with_calls(question, [call for call in calls if call.question == question.id], zero)
        notes += result.notes[len(question.notes) :]
        noted.append(result)
    return tuple(noted), notes


def with_calls(question: QuestionResult, calls: Sequence[LibraryCall], zero: bool) -> QuestionResult:
    """One question with notes on its library calls, without its points if ``zero``."""
    if not calls:
        return question
    follows = "So it earns no points." if zero else "The points are kept; your instructor decides."
    told = tuple(f"{call} {follows}" for call in calls[:NAMED])
    checks = question.checks
    if zero:
        checks = tuple(
            replace(
                check,
                state="failed",
                points=0.0,
                feedback=f"{told[0]} {check.feedback}".strip(),
                cause=WRONG,
            )
            if check.points
            else check
            for check in checks
        )
    return replace(question, checks=checks, notes=(*question.notes, *told))


def note_open_checks(questions: Questions) -> list[str]:
    """One note on each check that a mistake in the grader kept from being judged."""
    return [
        f"{question.id}: '{check.name}' was not judged because of a mistake in the grader; its"
        f" {points(check.maximum)} points are open."
        for question in questions
        for check in question.checks
        if check.cause == GRADER
    ]
