"""The page that adds a question type works: what it prints is done on a copy of the project and graded."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gallery import ROOT

PAGE = "add-question-type.md"
TRY = """
import json
from pathlib import Path
import nbformat
from autograder.author import build, release
from autograder.author.gallery import students
from autograder.author.tables import how_graded
from autograder.declare import homeworks
from autograder.grade.batch import Place, kernels
from autograder.grade.grade import Settings, grade_submission
from autograder.names import source_path
from autograder.submissions.find import Submission
from tests.gallery import examples

root, homework = Path("."), homeworks()["hw3"]
source = source_path(root, homework.stem)
own = [example for example in examples("hw3") if example.question == "3.10"]

def verdict(text):
    notebook = nbformat.reads(text, as_version=4)
    start = next(place for place, cell in enumerate(notebook.cells) if cell.source.startswith("## 3.10"))
    imports = [
        cell for cell in notebook.cells[:start]
        if "from homework_kit import" in cell.source and "writefile" not in cell.source
    ]
    notebook.cells = imports + notebook.cells[start:]
    handed_in = Submission("x", nbformat.writes(notebook).encode())
    report, _ = grade_submission(handed_in, Settings("seed", "hw3"), kernels(Place())[0])
    found = next(one for one in report.questions if one.id == "3.10")
    return [[check.state, check.feedback] for check in found.checks]

blank = build.build_notebook(homework, source)
print(json.dumps({
    "letter": how_graded(homework.questions["3.10"]),
    "shown": [cell.source for cell in blank.cells if cell.source.startswith("## 3.10")],
    "reference": verdict(build.dumps(build.build_notebook(homework, source, blank=False))),
    "blank": verdict(build.dumps(blank)),
    "gallery": [
        [example.name, list(example.loses), example.says, verdict(student.notebook)]
        for student in students(root, homework, own, b"{}", {}) for example in student.examples
    ],
    "leaks": release.leaks(release.student_files(root, [homework]), root, homeworks().values()),
}))
"""


def blocks() -> list[tuple[str, str]]:
    """The files that the page names before its Python blocks, each with its block, in order."""
    text = (ROOT / "docs" / PAGE).read_text(encoding="utf-8")
    return re.findall(r"`([\w/]+\.py)`[^\n]*:\n\n```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """A copy of the project in which somebody did what the page says, and what came of it."""
    copy = tmp_path_factory.mktemp("copy")
    leave = shutil.ignore_patterns("__pycache__", "*.pt", "fashion_mnist_5000*", "glove*")
    for name in ("autograder", "solutions", "notebooks", "docs", "tests/gallery"):
        shutil.copytree(ROOT / name, copy / name, ignore=leave)
    for name in ("README.md", "LICENSE", "pyproject.toml", "tests/__init__.py"):
        shutil.copy(ROOT / name, copy / name)
    for name, text in blocks():
        path = copy / name
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if name.startswith("solutions/"):
            place = before.index("# %% [markdown]\n# ## Hand in")
            path.write_text(f"{before[:place]}{text}\n{before[place:]}", encoding="utf-8")
        else:
            path.write_text(f"{before}\n\n{text}" if before else text, encoding="utf-8")
    lint(copy)
    environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}
    for command in (["-m", "autograder", "build"], ["-c", TRY]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr[-3_000:]
    return json.loads(done.stdout.split("\n")[-2])


def lint(copy: Path) -> None:
    """The project's own lint of what the page adds."""
    added = [str(copy / name) for name, _ in blocks() if name.startswith("autograder/")]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "ruff",
                *command,
                "--no-cache",
                "--config",
                ROOT / "pyproject.toml",
                *added,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_new_type_takes_two_classes_and_a_question_that_uses_them():
    assert [name for name, _ in blocks()] == [
        "autograder/declare/ordering.py",
        "autograder/kit/kinds.py",
        "autograder/homeworks/hw3/q10_steps.py",
        "solutions/hw3_hand_designed.py",
        "tests/gallery/hw3.py",
    ]


def test_the_reference_passes_the_blank_notebook_is_unanswered_and_the_gallery_gets_its_verdicts(
    followed: dict,
):
    assert [state for state, _ in followed["reference"]] == ["passed"]
    assert [state for state, _ in followed["blank"]] == ["unanswered"]
    assert len(followed["gallery"]) == 4
    for answer, loses, says, verdict in followed["gallery"]:
        [(state, feedback)] = verdict
        assert (state == "passed") == (not loses), (answer, feedback)
        assert not says or says in feedback, (answer, feedback)


def test_the_notebook_shows_the_items_and_no_file_for_students_the_answer(followed: dict):
    assert followed["letter"] == "M"
    assert "- **C** compare each query with each key" in followed["shown"][0]
    assert followed["leaks"] == []
