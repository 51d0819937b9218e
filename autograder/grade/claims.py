"""Answers that rest on a claim: grading trains nothing, so what was trained is what the student handed in.

Each such answer says which evidence there is. Evidence neither gives nor takes points.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from autograder.declare import Checkpoint, Homework, Question
from autograder.grade.report import NOT_RUN, UNANSWERED, QuestionResult
from autograder.submissions.log import Log

ON_A_CLAIM = "rests on a claim: grading does not train"
NO_NOTEBOOK = "no notebook was handed in to compare with"
NO_CELLS = "the log does not say from which cells it was recorded"
CELLS_THERE = "the cells that the log names are in the notebook as they were run"
CELLS_GONE = "some of the cells that the log names are not in the notebook"
NO_FILE = "the log does not say which file was recorded"
SAME_FILE = "the file is the one that the log names"
OTHER_FILE = "the file is not the one that the log names"
WEAK = (NO_NOTEBOOK, NO_CELLS, CELLS_GONE, NO_FILE, OTHER_FILE)  # where little speaks for the claim


def note_claims(
    questions: Iterable[QuestionResult],
    homework: Homework,
    claims: Log,
    digests: Set[str] | None,
    files: Mapping[str, bytes],
) -> tuple[QuestionResult, ...]:
    """Notes where an answer is what was handed in rather than what grading ran, and what speaks for it.

    Args:
        questions: as judged.
        homework: says which questions may rest on a claim, and which on a file of trained weights.
        claims: the log that was handed in.
        digests: of the code cells of the notebook as handed in; None without one.
        files: handed in beside it, by name.
    """
    noted = []
    for result in questions:
        question = homework.questions[result.id]
        evidence, what = "", ""
        if result.source == "log" and question.claimed:
            what = "values come from the log that was handed in"
            evidence = _of_cells(claims.answers.get(result.id, {}).get("sources", []), digests)
        elif _judges_a_file(result, question):
            what = "weights come from the file that was handed in"
            evidence = _of_files(claims.answers.get(result.id, {}).get("files", {}), files)
        if evidence:
            told = f"{result.id} {ON_A_CLAIM}, so {what}. {evidence[0].upper()}{evidence[1:]}."
            result = replace(result, claim=evidence, notes=(*result.notes, told))
        noted.append(result)
    return tuple(noted)


def _of_cells(sources: Iterable[str], digests: Set[str] | None) -> str:
    """What the cells behind recorded values say."""
    named = set(sources)
    if digests is None:
        return NO_NOTEBOOK
    if not named:
        return NO_CELLS
    return CELLS_THERE if named <= digests else CELLS_GONE


def _judges_a_file(result: QuestionResult, question: Question) -> bool:
    """Whether trained weights in a file were judged."""
    judged = [
        check
        for check, declared in zip(result.checks, question.checks, strict=True)
        if any(isinstance(question.entry(name), Checkpoint) for name in declared.needs)
    ]
    return any(check.cause not in (UNANSWERED, NOT_RUN) for check in judged)


def _of_files(recorded: Mapping[str, str], files: Mapping[str, bytes]) -> str:
    """What the file's digest says; a submission's only checkpoint counts whatever its name."""
    known = set(recorded.values()) - {""}
    if not known:
        return NO_FILE
    given = {hashlib.sha256(data).hexdigest()[:16] for data in files.values()}
    return SAME_FILE if known <= given else OTHER_FILE
