"""Answers that rest on a claim say so, and which evidence there is, in the CSV and on the pages."""

from __future__ import annotations

import csv
import hashlib
import io
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder.declare import LogEntry, homeworks
from autograder.grade import claims
from autograder.grade.claims import note_claims
from autograder.grade.report import NOT_RUN, CheckResult, QuestionResult, Report
from autograder.kit.handing_in import cell_digest
from autograder.report import class_report
from autograder.report.feedback import feedback_page
from autograder.report.tables import grades_csv
from autograder.submissions.log import Log
from autograder.submissions.notebook import code_digests

CELL = "reverse_E = 1"
NOTEBOOK = new_notebook(cells=[new_code_cell(CELL)])
WEIGHTS = b"trained weights"
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()[:16]


def claimed(answers: dict[str, Any], notebook: Any = NOTEBOOK) -> QuestionResult:
    """2.6, whose values come from the log that was handed in."""
    judged = QuestionResult("2.6", "", (CheckResult("c", "passed", 1.0, 1.0),), source="log")
    log = Log("hw2", entries={"x": LogEntry("ok")}, answers={"2.6": answers})
    digests = None if notebook is None else code_digests(notebook)
    return note_claims((judged,), homeworks()["hw2"], log, digests, {})[0]


@pytest.mark.parametrize(
    ("answers", "notebook", "evidence"),
    [
        ({}, NOTEBOOK, claims.NO_CELLS),
        ({"sources": [cell_digest(CELL)]}, NOTEBOOK, claims.CELLS_THERE),
        ({"sources": [cell_digest(CELL), "another"]}, NOTEBOOK, claims.CELLS_GONE),
        ({"sources": [cell_digest(CELL)]}, None, claims.NO_NOTEBOOK),
    ],
)
def test_recorded_values_are_a_claim_with_the_cells_as_evidence(
    answers: dict[str, Any], notebook: Any, evidence: str
):
    result = claimed(answers, notebook)
    assert result.claim == evidence
    assert "2.6 rests on a claim" in result.notes[0]
    assert evidence[1:] in result.notes[0]


def test_a_cell_that_names_the_kits_file_is_still_a_students_cell():
    cell = f"# with a helper from homework_kit.py\n{CELL}"
    kit_cell = new_code_cell("%%writefile homework_kit.py\nx = 1")
    notebook = new_notebook(cells=[kit_cell, new_code_cell(cell)])
    assert claimed({"sources": [cell_digest(cell)]}, notebook).claim == claims.CELLS_THERE
    assert code_digests(notebook) == {cell_digest(cell)}


def trained(recorded: dict[str, str], cause: str = "") -> QuestionResult:
    """4.7, whose weights come from a file."""
    homework = homeworks()["hw4"]
    checks = tuple(
        CheckResult(check.name, "failed" if cause else "passed", 0, check.points, cause=cause)
        for check in homework.questions["4.7"].checks
    )
    log = Log("hw4", answers={"4.7": {"files": recorded}})
    judged = QuestionResult("4.7", "", checks, source="run")
    return note_claims((judged,), homework, log, code_digests(NOTEBOOK), {"my.pt": WEIGHTS})[0]


@pytest.mark.parametrize(
    ("recorded", "evidence"),
    [
        ({}, claims.NO_FILE),
        ({"hw4_vision_transformer.pt": ""}, claims.NO_FILE),
        ({"hw4_vision_transformer.pt": DIGEST}, claims.SAME_FILE),
        ({"hw4_vision_transformer.pt": DIGEST[::-1]}, claims.OTHER_FILE),
    ],
)
def test_trained_weights_are_a_claim_with_the_recorded_file_as_evidence(
    recorded: dict[str, str], evidence: str
):
    assert trained(recorded).claim == evidence


def test_weights_that_were_not_there_are_no_claim():
    assert trained({}, cause=NOT_RUN).claim == ""


def test_the_csv_and_both_pages_name_the_evidence():
    ran = QuestionResult("2.1", "One", (CheckResult("c", "passed", 1.0, 1.0),), source="run")
    reports = [
        Report("weak", "hw2", "graded", (ran, claimed({}))),
        Report("strong", "hw2", "graded", (ran, claimed({"sources": [cell_digest(CELL)]}))),
    ]
    rows = {row["submission"]: row for row in csv.DictReader(io.StringIO(grades_csv(reports)))}
    assert rows["weak"]["rests on a claim"] == f"2.6: {claims.NO_CELLS}"
    assert rows["strong"]["rests on a claim"] == f"2.6: {claims.CELLS_THERE}"
    assert f"Evidence: {claims.NO_CELLS}." in feedback_page(reports[0], None)
    found = class_report.ClassFigures("hw2", "", tuple(reports), (), (), (), (), ()).claims
    assert [(one.evidence, one.names, one.weak) for one in found] == [
        (claims.CELLS_THERE, ("strong",), False),
        (claims.NO_CELLS, ("weak",), True),
    ]
