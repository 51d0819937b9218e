"""Which cells of a notebook belong to which question: those up to its record cell, and its answer cell."""

from __future__ import annotations

import re

from nbformat import NotebookNode

from autograder.declare import Homework
from autograder.kit.headings import heading
from autograder.names import KIT_FILE

RECORD = re.compile(r"""^[^\S\n]*record\(\s*["'](\d+\.\d\w*)["']\s*\)""", re.MULTILINE)
CHECK = re.compile(r"""^[^\S\n]*check\(\s*["'](\d+\.\d\w*)["']\s*\)""", re.MULTILINE)


def is_kit(source: str) -> bool:
    """Whether a cell writes the kit."""
    return source.lstrip().startswith(f"%%writefile {KIT_FILE}")


def record_cells(notebook: NotebookNode, homework: Homework) -> dict[int, str]:
    """Cell index → the question whose result belongs below it: where it is recorded last, else answered."""
    last: dict[str, int] = {}
    answers: dict[str, int] = {}
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and not is_kit(cell.source):
            last |= {
                question: index for question in RECORD.findall(cell.source) if question in homework.questions
            }
        elif cell.cell_type != "code":
            heads = (heading(line) for line in cell.source.split("\n")[:1_000])
            answers |= {
                head.question: index for head in heads if head and head.question in homework.questions
            }
    for question, index in answers.items():
        last[question] = max(index, last.get(question, -1))
    places: dict[int, str] = {}
    for question, index in last.items():
        while index in places:  # two records in one cell: the second result goes below the first
            index += 1
        places[index] = question
    return places


def owners(notebook: NotebookNode, homework: Homework) -> dict[int, str]:
    """Cell index → the question that it works for, which is the next one that is checked or recorded.

    The kit's cell and the last cells have none.
    """
    found: dict[int, str] = {}
    waiting: list[int] = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or is_kit(cell.source):
            continue
        waiting.append(index)
        named = [
            name
            for name in [*RECORD.findall(cell.source), *CHECK.findall(cell.source)]
            if name in homework.questions
        ]
        if named:
            found |= dict.fromkeys(waiting, named[0])
            waiting = []
    return found


def cell_seconds(cell: NotebookNode) -> float:
    """Wall time of an executed cell as :mod:`autograder.run.execute` measured it; 0 if it was not run."""
    seconds = cell.metadata.get("autograder", {}).get("seconds", 0.0)
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def question_seconds(notebook: NotebookNode, homework: Homework) -> dict[str, float]:
    """Wall time by question, of an executed notebook."""
    total: dict[str, float] = {}
    for index, question in owners(notebook, homework).items():
        total[question] = total.get(question, 0.0) + cell_seconds(notebook.cells[index])
    return total
