"""Prints as JSON how questions of a checkout are judged: ``python -m tests.verdicts hw3:3.9 hw7:7.1``.

For each: the verdict on the reference, on the blank notebook and on each answer of the gallery, by check;
how it is graded and what the blank notebook shows of it; and what of the solutions a release would leak. The
tests of the handbook run it in a copy of the project.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import nbformat

from autograder.author.build import build_notebook, dumps
from autograder.author.gallery import students
from autograder.author.release import leaks, student_files
from autograder.author.tables import how_graded
from autograder.declare import homeworks
from autograder.grade.grade import Settings, grade_submission
from autograder.names import source_path
from autograder.run.choose import Place, kernels
from autograder.submissions.find import Submission
from tests.gallery import examples

Verdict = dict[str, tuple[str, str]]  # check → state and feedback


def only(text: str, question: str) -> str:
    """A notebook with one question and the cells that import the kit."""
    notebook = nbformat.reads(text, as_version=4)
    sources = [cell.source for cell in notebook.cells]
    start = next(index for index, source in enumerate(sources) if source.startswith(f"## {question}"))
    imports = [
        cell
        for cell in notebook.cells[:start]
        if "from homework_kit import" in cell.source and "writefile" not in cell.source
    ]
    notebook.cells = imports + notebook.cells[start:]
    return nbformat.writes(notebook)


def verdict(text: str, homework: str, question: str) -> Verdict:
    """How a question of a notebook is judged."""
    handed_in = Submission("x", only(text, question).encode())
    report, _ = grade_submission(handed_in, Settings("seed", homework), kernels(Place())[0])
    found = next(one for one in report.questions if one.id == question)
    return {check.name: (check.state, check.feedback) for check in found.checks}


def verdicts(root: Path, name: str, question: str) -> dict[str, Any]:
    """All verdicts on a question, and what of its homework's solutions would leak."""
    homework = homeworks()[name]
    source = source_path(root, homework.stem)
    blank = build_notebook(homework, source)
    own = [example for example in examples(name) if example.question == question]
    return {
        "reference": verdict(dumps(build_notebook(homework, source, blank=False)), name, question),
        "blank": verdict(dumps(blank), name, question),
        "letter": how_graded(homework.questions[question]),
        "shown": [cell.source for cell in blank.cells if cell.source.startswith(f"## {question}")],
        "gallery": [
            (example.name, list(example.loses), example.says, verdict(student.notebook, name, question))
            for student in students(root, homework, own, b"{}", {})
            for example in student.examples
        ],
        "leaks": leaks(student_files(root, [homework]), root, homeworks().values()),
    }


if __name__ == "__main__":
    asked = [tuple(argument.split(":")) for argument in sys.argv[1:]]
    several = {name for name, _ in asked if [other for other, _ in asked].count(name) > 1}
    found = {
        f"{name}:{question}" if name in several else name: verdicts(Path(), name, question)
        for name, question in asked
    }
    print(json.dumps(found))
