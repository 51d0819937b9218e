"""The lines of text around written answers, as digests that the kit and the grader know them by."""

from __future__ import annotations

import json
from pathlib import Path

from autograder.author.build import build_notebook
from autograder.declare import Homework
from autograder.declare.given import FILE
from autograder.kit.answers import heading, line_digest
from autograder.kit.handing_in import BLANK_ANSWER
from autograder.names import source_path


def given_json(root: Path, homework: Homework) -> bytes:
    """The file ``given_lines.json`` of a homework, in the wording for all and in that for numbers of one's own.

    It holds the text of each section that asks for a written answer, and the titles of all others.
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
    return (json.dumps({"lines": "".join(found)}) + "\n").encode()


def given_path(root: Path, homework: Homework) -> Path:
    """Where the file lies in a checkout."""
    return root / "autograder" / "homeworks" / homework.id / FILE
