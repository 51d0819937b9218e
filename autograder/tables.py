"""Tables in the documentation that follow from the declarations; ``autograder build`` writes them, ``--check`` compares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from autograder.homework import Homework, Question

LETTERS = {"challenge": "C", "array": "V", "choice": "M", "checkpoint": "T"}
COVERAGE = "docs/coverage.md"
README = "README.md"


def how_graded(question: Question) -> str:
    """The letters of the course plan: C challenge, V value, M choice, T checkpoint, W written."""
    letters = {LETTERS[entry.kind] for entry in question.entries} | ({"W"} if question.written else set())
    return " ".join(letter for letter in "CVMTW" if letter in letters)


def coverage(homeworks: Mapping[str, Homework]) -> str:
    """The page that lists every question: row of the course plan, points, minutes, how graded."""
    lines = [
        "# Coverage",
        "",
        "Every question, as declared. Written by `autograder build`; do not edit. How graded: **C** the answer runs on hidden",
        "inputs, **V** a recorded value is re-evaluated, **M** multiple choice or match, **T** a trained checkpoint is",
        "re-evaluated, **W** written, graded by a person. A question's row in the course plan is its number without letters.",
    ]
    for homework in homeworks.values():
        lines += ["", f"## {homework.id} · {homework.title}", ""]
        lines += ["| question | title | points | written | minutes | difficulty | graded |", "|---|---|---:|---:|---:|---|---|"]
        for question in homework.questions.values():
            points = f"{question.points:g}" + (" extra" if question.extra else "")
            written = f"{question.written.points:g}" if question.written else ""
            cells = (question.id, question.title, points, written, question.minutes, question.difficulty, how_graded(question))
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def overview(homeworks: Mapping[str, Homework]) -> str:
    """The table of homeworks for the README."""
    lines = ["| homework | questions | auto-graded | written | extra | student's time |", "|---|---:|---:|---:|---:|---:|"]
    for homework in homeworks.values():
        extra = sum(question.points for question in homework.questions.values() if question.extra)
        lines.append(
            f"| [{homework.id} · {homework.title}](notebooks/{homework.stem}.ipynb) | {len(homework.questions)} | {homework.points:g} | "
            f"{homework.written_points:g} | {extra:g} | {homework.minutes} min |"
        )
    return "\n".join(lines)


def pages(root: Path, homeworks: Mapping[str, Homework]) -> dict[Path, str]:
    """The documentation files that hold such tables, and their right text."""
    readme = (root / README).read_text(encoding="utf-8")
    table = re.compile(r"(<!-- homeworks -->\n).*?\n?(<!-- /homeworks -->)", flags=re.DOTALL)
    return {
        root / COVERAGE: coverage(homeworks),
        root / README: table.sub(lambda match: match[1] + overview(homeworks) + "\n" + match[2], readme),
    }
