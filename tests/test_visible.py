"""Green means green: whether a notebook's own check refuses an answer is as the gallery says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode

from autograder import kit
from autograder.author.gallery import Example
from autograder.declare import Choice, homeworks
from tests.conftest import GradedClass, by_homework


def refused(notebook: NotebookNode, question: str) -> str:
    """The lines of a question's check cells that say that something is wrong; empty if none does."""
    shown = [
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for cell in notebook.cells
        if cell.cell_type == "code" and f'check("{question}")' in cell.source
        for output in cell.outputs
    ]
    lines = "\n".join("".join(text) for text in shown).split("\n")
    return " ".join(line.strip() for line in lines if line.strip().startswith("✗"))


def loses_choices_only(homework: str, example: Example) -> bool:
    """Whether all that an answer loses are letters, of which a check sees the form alone."""
    entries = homeworks()[homework].questions[example.question].entries
    return set(example.loses) <= {entry.name for entry in entries if isinstance(entry, Choice)}


def violation(homework: str, example: Example, told: str) -> str:
    """How what a check cell showed differs from what the gallery says; empty if it does not."""
    if not example.loses:
        return f"is right, but its check refuses it: {told}" if told else ""
    if isinstance(example.visible, str):
        return f"says why its check passes ({example.visible}), but it refuses: {told}" if told else ""
    if example.visible and not told and not loses_choices_only(homework, example):
        return "passes its check and then loses points"
    return ""


@pytest.mark.parametrize("graded", by_homework(), indirect=True)
def test_a_check_cell_refuses_what_grading_refuses_or_the_gallery_says_why_not(graded: GradedClass):
    found = []
    for name, (student, report) in graded.students.items():
        for example in student.examples:
            told = refused(graded.executed[name], example.question)
            if words := violation(report.homework, example, told):
                found.append(f"{example.question}, {example.name}: {words}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("graded", by_homework(), indirect=True)
def test_every_reason_why_a_check_may_pass_is_a_sentence_that_people_can_judge(graded: GradedClass):
    reasons = [
        example.visible
        for student, _ in graded.students.values()
        for example in student.examples
        if isinstance(example.visible, str)
    ]
    assert [reason for reason in reasons if len(reason.split()) < 3] == []


@pytest.mark.parametrize("name", by_homework())
def test_every_check_cell_sees_the_form_of_a_letter_and_not_whether_it_is_right(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    described = homeworks()[name].describe()  # which computes the public examples

    def refused_answer(question: str, answers: dict[str, Any]) -> str:
        """What the check of a question refuses, where all but these answers are missing."""
        kit.Log(described, tmp_path, answers).check(question)
        told = capsys.readouterr().out.split("\n")
        return "\n".join(line for line in told if line.strip().startswith("✗"))

    for question in homeworks()[name].questions.values():
        for choice in (entry for entry in question.entries if isinstance(entry, Choice)):
            for letter in choice.options:
                for form in (f"({letter.lower()}).", [letter]):
                    assert refused_answer(question.id, {choice.name: form}) == ""
            for other in ("Z", next(iter(choice.options.values())), 1, list(choice.options)):
                told = refused_answer(question.id, {choice.name: other})
                assert f"`{choice.name}` should be one of the letters A, B" in told
