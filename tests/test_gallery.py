"""Grading truth, for every homework: the reference, the blank notebook and every answer of the gallery."""

from __future__ import annotations

from typing import Any

import pytest

from autograder.author.build import dumps
from autograder.author.gallery import Example
from autograder.author.reference import run_reference
from autograder.declare import homeworks, picture_of
from autograder.grade.claims import ON_A_CLAIM
from autograder.grade.grade import grade_submission
from autograder.grade.report import Report
from autograder.report.evidence import evidence_svg
from autograder.run.choose import kernels
from autograder.submissions.find import Submission
from tests.conftest import PLACE, SETTINGS, GradedClass, by_homework
from tests.gallery import ROOT, examples


def by_example() -> list:
    return [
        pytest.param(
            name, example, id=f"{name}-{example.question}-{example.name}", marks=pytest.mark.xdist_group(name)
        )
        for name in homeworks()
        for example in examples(name)
    ]


def shown_pictures(report: Report, question: str) -> dict[str, dict[str, Any]]:
    checks = next(one for one in report.questions if one.id == question).checks
    drawn = {check.name: picture_of(check.evidence, reveal_answers=True) for check in checks}
    return {name: shown for name, shown in drawn.items() if shown is not None and shown["kind"] != "case"}


def failed(report: Report, question: str) -> dict[str, str]:
    checks = next(one for one in report.questions if one.id == question).checks
    return {check.name: check.feedback for check in checks if check.state != "passed"}


@pytest.mark.parametrize("graded", by_homework(), indirect=True)
def test_the_reference_gets_full_marks(graded: GradedClass):
    lost = {question.id: failed(graded.reference, question.id) for question in graded.reference.questions}
    assert {question: checks for question, checks in lost.items() if checks} == {}
    assert graded.reference.status == "graded", graded.reference.notes


@pytest.mark.parametrize("graded", by_homework(), indirect=True)
def test_the_blank_notebook_gets_nothing_and_a_friendly_line_for_each_question(graded: GradedClass):
    assert graded.blank.points == 0
    assert graded.blank.status == "graded", graded.blank.notes
    for question in graded.blank.questions:
        for check in question.checks:
            assert check.state == "unanswered", (question.id, check)
            assert "is not answered yet" in check.feedback
            assert "Traceback" not in check.feedback


@pytest.mark.parametrize("name", by_homework())
def test_a_blank_notebook_that_was_run_from_top_to_bottom_earns_nothing_with_its_log(name: str):
    notebook, log, files = run_reference(ROOT, homeworks()[name], blank=True)
    report, _ = grade_submission(
        Submission("blank", dumps(notebook).encode(), log, files), SETTINGS, kernels(PLACE)[0]
    )
    assert report.status == "graded", report.notes
    assert {question.id: question.points for question in report.questions if question.points} == {}


@pytest.mark.parametrize(("graded", "example"), by_example(), indirect=["graded"])
def test_an_answer_of_the_gallery_loses_exactly_its_checks(graded: GradedClass, example: Example):
    _, report = next(
        (student, report) for student, report in graded.students.values() if example in student.examples
    )
    lost = failed(report, example.question)
    assert set(lost) == set(example.loses), lost
    if example.loses:
        assert example.says, "a wrong answer needs a phrase that its feedback must contain"
        assert any(example.says in feedback for feedback in lost.values()), lost
    pictures = shown_pictures(report, example.question)
    undrawn = [name for name, shown in pictures.items() if evidence_svg(shown, "picture") is None]
    assert not undrawn, pictures
    assert not example.shows or example.shows in {shown["kind"] for shown in pictures.values()}, pictures
    told = next(one for one in report.questions if one.id == example.question).notes
    notes = [note for note in told if ON_A_CLAIM not in note]
    assert bool(notes) == bool(example.noted), notes
    assert example.noted in " ".join(notes)


@pytest.mark.parametrize("name", list(homeworks()))
def test_the_gallery_is_complete(name: str):
    gallery = examples(name)
    for question in homeworks()[name].questions.values():
        if not question.checks:
            continue
        own = [example for example in gallery if example.question == question.id]
        assert sum(not example.loses for example in own) >= 1, f"{question.id} needs another right answer"
        assert sum(bool(example.loses) for example in own) >= 3, f"{question.id} needs three wrong answers"
        lost = {check for example in own for check in example.loses}
        never = {check.name for check in question.checks} - lost
        assert not never, f"{question.id}: no wrong answer loses {never}"
