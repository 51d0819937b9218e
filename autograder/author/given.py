"""Writes down what a homework's notebook gives, so that it is told from what students write.

``given.json`` holds the statements of cells that are no task; ``given_lines.json`` the lines of text around
written answers, as digests that the kit and the grader know them by.
"""

from __future__ import annotations

import json
from pathlib import Path

from nbformat import NotebookNode

from autograder.author.build import build_notebook
from autograder.declare import Homework
from autograder.declare.given import FILE as LINES
from autograder.kit.answers import line_digest
from autograder.kit.handing_in import BLANK_ANSWER
from autograder.kit.headings import heading
from autograder.kit.provided import names_of
from autograder.kit.statements import statements
from autograder.names import SKIPPED, source_path
from autograder.submissions.cells import is_kit
from autograder.submissions.given import FILE as STATEMENTS

TASK = ("TODO", "NotImplementedError")  # what only cells hold that students fill


def files(root: Path, homework: Homework) -> list[tuple[Path, bytes]]:
    """Both files of a homework: where each lies in a checkout and what it holds; none outside of one."""
    if not _beside(root, homework, "").is_dir():
        return []
    return [lines_file(root, homework), statements_file(root, homework)]


def statements_file(root: Path, homework: Homework) -> tuple[Path, bytes]:
    """``given.json``: where it lies, and what binds names in the cells that students get ready-made."""
    notebook = build_notebook(homework, source_path(root, homework.stem))
    entries = {entry.name for question in homework.questions.values() for entry in question.entries}
    found = [
        one.text
        for cell in notebook.cells
        if _is_given(cell)
        for one in statements(cell.source)
        if (names := names_of(one.text).bound) and not names & entries
    ]
    return _beside(root, homework, STATEMENTS), (json.dumps(found, indent=1) + "\n").encode()


def lines_file(root: Path, homework: Homework) -> tuple[Path, bytes]:
    """``given_lines.json``: where it lies, and its lines in the wording for all and in that for own numbers.

    It holds the text of each section that asks for a written answer, and the titles of all others. The kit
    in the notebook holds it, too, so it is written first.
    """
    words = ["", "own"] if any(question.numbers for question in homework.questions.values()) else [""]
    asked = {question.id for question in homework.questions.values() if question.written}
    found: dict[str, None] = {}
    for word in words:
        built = build_notebook(homework, source_path(root, homework.stem), variants=word)
        section = ""
        for cell in built.cells:
            if cell.cell_type != "markdown":
                continue
            lines = [line for line in cell.source.split("\n") if line.strip()]
            if lines and lines[0].startswith("## "):
                section = lines[0].split()[1]
            kept = lines if section in asked else [line for line in lines if line.startswith("#")]
            own = (line for line in kept if heading(line) is None and line.strip() != BLANK_ANSWER)
            found |= dict.fromkeys(map(line_digest, own))
    return _beside(root, homework, LINES), (json.dumps({"lines": "".join(found)}) + "\n").encode()


def _beside(root: Path, homework: Homework, file: str) -> Path:
    return root / "autograder" / "homeworks" / homework.id / file


def _is_given(cell: NotebookNode) -> bool:
    """Whether a cell is run in grading and has nothing for students to fill."""
    ready = cell.cell_type == "code" and not is_kit(cell.source) and not SKIPPED.match(cell.source)
    return ready and not any(word in cell.source for word in TASK)
