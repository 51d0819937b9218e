"""Exports a homework as a master notebook of ``otter assign``, for courses that build with otter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import kit
from autograder.author.build import build_notebook, header, repository_address
from autograder.author.source import BuildError
from autograder.declare import Homework
from autograder.kit.handing_in import ANSWER
from autograder.names import source_path

QUOTES = ('"""', "'''")
SECTION = re.compile(r"^#{1,2} ", re.MULTILINE)


def otter_master(root: Path, homework: Homework) -> NotebookNode:
    """The master notebook: the student version and the reference in one, marked as otter marks them.

    otter removes what stands between its marks; what is left is, cell by cell, the student version that
    ``autograder build`` makes. It holds no tests: they would run beside student code. Grade with ``autograder
    bundle``.

    Args:
        root: the checkout.
        homework: its declaration.

    Raises:
        BuildError: the source cannot be built, or has a solution outside every question.
    """
    source, repository = source_path(root, homework.stem), repository_address(root)
    blank = build_notebook(homework, source, repository=repository)
    solved = build_notebook(homework, source, blank=False, repository=repository)
    made = nbformat.v4.new_notebook(metadata=blank.metadata)
    made.cells = [
        _raw(
            "# ASSIGNMENT CONFIG\n"
            + "\n".join(f"{name}: {json.dumps(value)}" for name, value in _settings(homework).items())
        )
    ]
    for cell in _cells(homework, blank, solved):
        made.cells.append(cell)
    for index, cell in enumerate(made.cells):
        cell.id = f"otter-{index:04d}"
    nbformat.validate(made)
    return made


def _settings(homework: Homework) -> dict[str, object]:
    return {
        "name": homework.id,
        "generate": False,  # grading is the bundle's; otter's zip would run tests beside student code
        "run_tests": False,
        "suppress_no_tests_warning": True,
        "check_all_cell": False,
        "export_cell": {"pdf": False, "run_tests": False, "ignore_log": True, "files": [kit.LOG_NAME]},
    }


def _cells(homework: Homework, blank: NotebookNode, solved: NotebookNode) -> Iterator[NotebookNode]:
    pairs = list(zip(blank.cells, solved.cells, strict=True))
    present = opened = ""  # the question that the text is at, and otter's open block
    named: set[str] = set()
    for number, (student, reference) in enumerate(pairs):
        where = f"{homework.stem}, cell {number + 1}"
        begins, answer = (
            _begins(homework, student),
            ANSWER.match(student.source) if student.cell_type == "markdown" else None,
        )
        if opened and (begins or _ends_block(homework, student)):
            yield _raw("# END QUESTION")
            opened = ""
        present = begins or present
        if not opened and not answer and present and _solution_ahead(homework, pairs[number:]):
            opened = present if present not in named else f"{present} continued"
            points = homework.questions[present].points if present not in named else 0
            named.add(present)
            yield _raw(f"# BEGIN QUESTION\nname: {json.dumps(opened)}\npoints: {points:g}")
        if answer:
            written = homework.questions[answer["question"]].written
            points = written.points if written else 0
            yield _raw(
                f"# BEGIN QUESTION\nname: {json.dumps(answer['question'] + ' written')}\nmanual:"
                f" true\npoints: {points:g}"
            )
            # otter writes a mark above a block's first Markdown cell; above the answer it would hide it from
            # our grader
            yield nbformat.v4.new_markdown_cell(
                f"*Your written answer to {answer['question']} goes into the next cell.*"
            )
            yield from (_raw("# BEGIN PROMPT"), student, _raw("# END PROMPT"))
            yield from (_raw("# BEGIN SOLUTION"), reference, _raw("# END SOLUTION"))
            yield _raw("# END QUESTION")
        elif student.source == reference.source:
            yield student
        elif not opened or student.cell_type != "code":
            raise BuildError(f"{where}: a solution outside every question cannot be exported to otter")
        else:
            student.source = _both(student.source, reference.source, where)
            yield from (_raw("# BEGIN SOLUTION"), student, _raw("# END SOLUTION"))
    if opened:
        yield _raw("# END QUESTION")


def _begins(homework: Homework, cell: NotebookNode) -> str:
    """The question whose heading and header line stand in this cell; empty if none."""
    if cell.cell_type != "markdown":
        return ""
    found = (
        one
        for one in homework.questions
        if header(homework, one) in cell.source
        and re.search(rf"^#+ {re.escape(one)}\b", cell.source, re.MULTILINE)
    )
    return next(found, "")


def _ends_block(homework: Homework, cell: NotebookNode) -> bool:
    return cell.cell_type == "markdown" and bool(
        ANSWER.match(cell.source) or SECTION.search(cell.source) or _begins(homework, cell)
    )


def _solution_ahead(homework: Homework, pairs: list[tuple[NotebookNode, NotebookNode]]) -> bool:
    """Whether there is code to solve before the next block, the first cell's own text not counted."""
    for place, (student, reference) in enumerate(pairs):
        if place and _ends_block(homework, student):
            return False
        if student.cell_type == "code" and student.source != reference.source:
            return True
    return False


def _both(student: str, reference: str, where: str) -> str:
    """One code cell out of two: otter's student build leaves the first, its autograder build the second."""
    mine, theirs = student.split("\n"), reference.split("\n")
    start = next(
        (place for place, (one, two) in enumerate(zip(mine, theirs, strict=False)) if one != two),
        min(len(mine), len(theirs)),
    )
    end = 0
    while end < min(len(mine), len(theirs)) - start and mine[-1 - end] == theirs[-1 - end]:
        end += 1
    stub, solution = mine[start : len(mine) - end], theirs[start : len(theirs) - end]
    quote = next((one for one in QUOTES if one not in "\n".join(stub)), None)
    if quote is None:
        raise BuildError(
            f"{where}: the stubs hold both {QUOTES[0]} and {QUOTES[1]}, so otter's prompt cannot quote them"
        )
    last = next((line for line in reversed(solution) if line.strip()), "")
    indent = last[: len(last) - len(last.lstrip())]
    marked = [f"{indent}# BEGIN SOLUTION NO PROMPT", *solution, f"{indent}# END SOLUTION"] if solution else []
    if stub:
        marked += [f"{indent}r{quote} # BEGIN PROMPT", *stub, f"{indent}{quote}; # END PROMPT"]
    return "\n".join([*mine[:start], *marked, *mine[len(mine) - end :]])


def _raw(text: str) -> NotebookNode:
    return nbformat.v4.new_raw_cell(text)
