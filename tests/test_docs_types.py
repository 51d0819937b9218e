"""The page that adds a question type works: what it prints is done on a copy of the project and graded."""

from __future__ import annotations

import json

import pytest

from tests.handbook import DATA, blocks, copy_project, follow, run

PAGE = "add-question-type.md"


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What came of it when somebody did what the page says: how the new question is judged."""
    parts = ("autograder", "solutions", "notebooks", "docs", "tests/gallery", "tests/verdicts.py")
    files = ("README.md", "LICENSE", "pyproject.toml", "tests/__init__.py")
    copy = copy_project(tmp_path_factory.mktemp("copy"), (*parts, *files), leave=(*DATA, "*.pt"))
    follow(copy, PAGE)
    added = [name for name, _ in blocks(PAGE) if name.startswith("autograder/")]
    run(copy, "-m", "ruff", "check", "--no-cache", *added)
    run(copy, "-m", "ruff", "format", "--check", "--no-cache", *added)
    run(copy, "-m", "autograder", "build")
    return json.loads(run(copy, "-m", "tests.verdicts", "hw3:3.10"))["hw3"]


def test_the_new_type_takes_two_classes_and_a_question_that_uses_them():
    assert [name for name, _ in blocks(PAGE)] == [
        "autograder/declare/ordering.py",
        "autograder/kit/kinds.py",
        "autograder/homeworks/hw3/q10_steps.py",
        "solutions/hw3_hand_designed.py",
        "tests/gallery/hw3.py",
    ]


def test_the_reference_passes_the_blank_notebook_is_unanswered_and_the_gallery_gets_its_verdicts(
    followed: dict,
):
    assert [state for state, _ in followed["reference"].values()] == ["passed"]
    assert [state for state, _ in followed["blank"].values()] == ["unanswered"]
    assert len(followed["gallery"]) == 4
    for answer, loses, says, verdict in followed["gallery"]:
        [(state, feedback)] = verdict.values()
        assert (state == "passed") == (not loses), (answer, feedback)
        assert not says or says in feedback, (answer, feedback)


def test_the_notebook_shows_the_items_and_no_file_for_students_the_answer(followed: dict):
    assert followed["letter"] == "M"
    assert "- **C** compare each query with each key" in followed["shown"][0]
    assert followed["leaks"] == []
