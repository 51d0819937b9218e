"""Writes down what a homework's own cells give: the statements of the student notebook that are no task."""

from __future__ import annotations

import json
from pathlib import Path

from nbformat import NotebookNode

from autograder.author.build import build_notebook
from autograder.declare import Homework
from autograder.kit.provided import names_of
from autograder.kit.statements import statements
from autograder.names import SKIPPED, source_path
from autograder.submissions.cells import is_kit
from autograder.submissions.given import FILE

TASK = ("TODO", "NotImplementedError")  # what only cells hold that students fill


def given_path(root: Path, homework: Homework) -> Path:
    """Where the statements stand that a homework gives."""
    return root / "autograder" / "homeworks" / homework.id / FILE


def given_json(root: Path, homework: Homework) -> bytes:
    """The file ``given.json``: what binds names in the cells that students get ready-made."""
    notebook = build_notebook(homework, source_path(root, homework.stem))
    entries = {entry.name for question in homework.questions.values() for entry in question.entries}
    found = [
        one.text
        for cell in notebook.cells
        if _is_given(cell)
        for one in statements(cell.source)
        if (names := names_of(one.text).bound) and not names & entries
    ]
    return (json.dumps(found, indent=1, ensure_ascii=True) + "\n").encode()


def _is_given(cell: NotebookNode) -> bool:
    """Whether a cell is run in grading and has nothing for students to fill."""
    ready = cell.cell_type == "code" and not is_kit(cell.source) and not SKIPPED.match(cell.source)
    return ready and not any(word in cell.source for word in TASK)
