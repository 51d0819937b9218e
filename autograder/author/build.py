"""Makes notebooks from the percent sources in ``solutions/``: the student version and the reference.

A solution region (see :mod:`autograder.author.source`) becomes a stub: inside a function it raises
``NotImplementedError("3.2")``; at top level each name that it assigns becomes ``None``, recorded names only;
lines ``# STUB: code`` in the region replace that. ``{{header 3.2}}``, ``{{options NAME}}`` and ``{{badge}}``
in Markdown are filled in from the declaration, so that points and options stand in one place.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import textwrap
import tomllib
import types
from collections.abc import Collection, Iterator, Mapping, Set
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.author.kit_text import kit_source
from autograder.author.sections import as_the_course_wants
from autograder.author.source import BuildError as BuildError  # what it raises is part of its interface
from autograder.author.source import Region, read_source, regions, source_regions
from autograder.declare import Homework, homeworks
from autograder.kit.handing_in import BLANK_ANSWER
from autograder.names import KIT_FILE, SKIPPED, source_path

ELSEWHERE = (
    "*Open this very file, in Jupyter or uploaded to Colab: copies from elsewhere have other numbers.*"
)
# a folded cell is easily passed over; where it did not run, nothing below works
RUN_FIRST = (
    "\n\n**▶ Run the next cell first**, in every session: click it and press Shift+Enter. Its code is folded"
    " in most front ends; it writes the homework kit that all cells below import."
)

_TOLD = "when you ran which check and what it found, never your code; it earns nothing"
_ASKS = "from homework_kit import keep_history\n\nkeep_history"
HISTORY = {  # the line of a notebook that keeps no history by itself, and of one that does
    False: f"{_ASKS}(False)  # True: your log also says {_TOLD}",
    True: f"{_ASKS}(True)  # your log says {_TOLD}. False: it does not",
}


def build_notebook(
    homework: Homework,
    source: Path,
    *,
    answers: Mapping[str, str] | None = None,
    blank: bool = True,
    unanswered: Collection[str] = (),
    repository: str = "",
    variants: str = "",
    history: bool = False,
) -> NotebookNode:
    """Builds one notebook of a homework.

    Args:
        homework: its declaration.
        source: the percent source.
        answers: region label → code or text that replaces the solution region (the gallery's way in).
        blank: whether the other regions become stubs; else they keep the reference solution, without markers.
        unanswered: questions whose regions become stubs all the same.
        repository: the project's address for the Colab badge.
        variants: the word from which each student's own numbers are drawn; empty for the usual numbers.
        history: whether the notebook keeps the history of checks unless its student says otherwise.

    Returns:
        A notebook in format 4.5 without outputs; equal input gives equal bytes from :func:`dumps`.

    Raises:
        BuildError: a marker, placeholder or label is wrong, or an answer would survive into the student
            version.
    """
    answers = dict(answers or {})
    notebook = read_source(source)
    notebook.cells = as_the_course_wants(notebook.cells, homework, str(source))
    known = source_regions(notebook, source)
    if unknown := set(answers) - set(known):
        raise BuildError(
            f"{source}: no solution region is labeled {sorted(unknown)}; there are {sorted(known)}"
        )
    if strange := {region.question for region in known.values()} - set(homework.questions):
        raise BuildError(
            f"{source}: solution regions for {sorted(strange)}, which {homework.id} does not have"
        )
    built = nbformat.v4.new_notebook(metadata=_metadata(homework))
    entries = {entry.name for question in homework.questions.values() for entry in question.entries}
    for index, cell in enumerate(notebook.cells):
        where = f"{source}, cell {index + 1}"
        tags = cell.metadata.get("tags", [])
        text = _fill_regions(cell, where, answers, homework.questions if blank else unanswered, entries)
        if "kit" in tags:
            if built.cells and built.cells[-1].cell_type == "markdown":
                built.cells[-1].source += RUN_FIRST
            built.cells.append(_kit_cell(homework))
        elif cell.cell_type == "markdown":
            built.cells.append(
                nbformat.v4.new_markdown_cell(_fill_placeholders(text, homework, repository, variants, where))
            )
        else:
            if blank and not answers:
                _refuse_leaks(text, known, where)
            built.cells.append(nbformat.v4.new_code_cell(text, metadata=_cell_metadata(text, tags, where)))
    if variants and any(question.numbers for question in homework.questions.values()):
        place = 1 + next(
            place for place, cell in enumerate(built.cells) if "kit" in cell.metadata.get("tags", [])
        )
        built.cells[place:place] = _own_numbers(homework, variants)
    _ask_for_history(built, history)
    for index, cell in enumerate(built.cells):
        cell.id = f"{homework.id}-{index:03d}"
    nbformat.validate(built)
    return built


def dumps(notebook: NotebookNode) -> str:
    """The notebook as the bytes to commit."""
    return nbformat.writes(notebook, version=4) + "\n"


def _fill_regions(
    cell: NotebookNode, where: str, answers: Mapping[str, str], stubs: Collection[str], entries: Set[str]
) -> str:
    lines = cell.source.split("\n")
    for region in reversed(list(regions(cell, where))):
        if region.label in answers:
            text = textwrap.indent(textwrap.dedent(answers[region.label]).strip("\n"), region.indent).split(
                "\n"
            )
        elif region.question in stubs:
            text = _stub(region, cell.cell_type, where, entries)
        else:
            text = [line for line in region.body if "# STUB:" not in line]
        lines[region.start : region.end + 1] = text
    return "\n".join(lines)


def _stub(region: Region, kind: str, where: str, entries: Set[str]) -> list[str]:
    explicit = [line.replace("# STUB: ", "", 1) for line in region.body if "# STUB:" in line]
    if explicit:
        return explicit
    if kind == "markdown":
        return [BLANK_ANSWER]
    if region.indent:
        return [f'{region.indent}raise NotImplementedError("{region.question}")']
    try:
        tree = ast.parse("\n".join(region.body))
    except SyntaxError as error:
        raise BuildError(
            f"{where}, line {region.start + 1 + (error.lineno or 0)}: the solution is not Python: {error.msg}"
        ) from None
    names = [
        name.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        for name in _targets(target)
    ]
    if not names:
        raise BuildError(
            f"{where}, line {region.start + 1}: the solution assigns no name at top level; say what stands"
            " there with '# STUB: …'"
        )
    recorded = [name for name in names if name in entries]  # helpers of the solution would hint at it
    return [f"{name} = None" for name in dict.fromkeys(recorded or names)]


def _targets(node: ast.expr) -> Iterator[ast.Name]:
    if isinstance(node, ast.Name):
        yield node
    elif isinstance(node, ast.Tuple):
        for item in node.elts:
            yield from _targets(item)


def _refuse_leaks(text: str, known: Mapping[str, Region], where: str) -> None:
    """Raises if a telling line of any solution stands in the student's text."""
    present = {line.strip() for line in text.split("\n")}
    for region in known.values():
        for line in region.body:
            bare = line.strip()
            telling = (
                len(bare) >= 12
                and "# STUB:" not in bare
                and re.search(r"[=(]", bare)
                and not bare.startswith(("def ", "class ", "#", "return"))
            )
            if telling and bare in present:
                number = 1 + next(n for n, other in enumerate(text.split("\n")) if other.strip() == bare)
                raise BuildError(
                    f"{where}, line {number}: a line of solution {region.label} would reach students:"
                    f" {bare!r}"
                )


def _own_numbers(homework: Homework, word: str) -> list[NotebookNode]:
    """The cells in which students say who they are and see their own numbers."""
    questions = ", ".join(question.id for question in homework.questions.values() if question.numbers)
    told = (
        f"## Your numbers\n\nIn this course, the numbers in {questions} differ by student. Where the text"
        " names a number in "
    )
    told += (
        "`letters like these`, look it up here. Set your student id as your course writes it; it is recorded"
        " with your answers."
    )
    code = (
        "from homework_kit import my_numbers\n\nSTUDENT_ID = None  # TODO: your student id, in"
        f" quotes\nmy_numbers(STUDENT_ID, {json.dumps(word)})"
    )
    return [nbformat.v4.new_markdown_cell(told), nbformat.v4.new_code_cell(code)]


def _ask_for_history(notebook: NotebookNode, history: bool) -> None:
    """Puts the line that asks for the history of checks into the first code cell."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "from homework_kit import" in cell.source.split("%%writefile")[0]:
            cell.source = f"{cell.source.rstrip()}\n\n{HISTORY[history]}"
            return


def _number(homework: Homework, name: str, variants: str, in_math: bool) -> str | None:
    """A number of a question's text (``1.13c tokens``) or, where everyone has another, its name."""
    question, _, wanted = name.partition(" ")
    for number in homework.questions[question].numbers if question in homework.questions else ():
        if number.name == wanted and variants:
            return f"\\mathtt{{{wanted.replace('_', chr(92) + '_')}}}" if in_math else f"`{wanted}`"
        if number.name == wanted:
            text = f"{number.usual:,}" if number.usual >= 10_000 else str(number.usual)
            return text.replace(",", "{,}") if in_math else text
    return None


def _fill_placeholders(text: str, homework: Homework, repository: str, variants: str, where: str) -> str:
    def fill(match: re.Match[str]) -> str:
        kind, _, name = match[1].partition(" ")
        if kind == "badge":
            return ELSEWHERE if variants else badge(homework, repository)
        if (
            kind == "number"
            and (number := _number(homework, name, variants, text[: match.start()].count("$") % 2 == 1))
            is not None
        ):
            return number
        if kind == "header" and name in homework.questions:
            return header(homework, name)
        if kind == "options":
            for question in homework.questions.values():
                for entry in question.entries:
                    if entry.name == name and (options := entry.placeholder()) is not None:
                        return options
        raise BuildError(f"{where}: cannot fill {match[0]}")

    return re.sub(r"\{\{([^}]+)\}\}", fill, text)


def header(homework: Homework, question: str) -> str:
    """The line under a question's title: points, difficulty, minutes."""
    asked = homework.questions[question]
    parts = [f"{asked.points:g} points"] if asked.points else []
    if asked.written:
        parts.append(f"{asked.written.points:g} points for the written answer")
    parts += ["extra credit"] if asked.extra else []
    return f"*{' · '.join([*parts, asked.difficulty, f'about {asked.minutes} minutes'])}*"


def badge(homework: Homework, repository: str) -> str:
    """The link that opens the student notebook in Colab."""
    path = repository.removeprefix("https://github.com/").strip("/")
    address = f"https://colab.research.google.com/github/{path}/blob/main/notebooks/{homework.stem}.ipynb"
    return f"[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({address})"


def _metadata(homework: Homework) -> dict[str, Any]:
    return {
        "attention_homework": {"id": homework.id, "format": 1},
        "colab": {"provenance": [], "toc_visible": True},
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def _cell_metadata(text: str, tags: list[str], where: str) -> dict[str, Any]:
    skipped = bool(SKIPPED.match(text))
    if skipped != ("skip-execution" in tags):
        raise BuildError(
            f"{where}: a cell that grading skips needs both the tag 'skip-execution' and "
            "'# figure (skipped while grading)' or '# training (skipped while grading)' as its first line"
        )
    metadata: dict[str, Any] = {"tags": tags} if tags else {}
    if text.startswith("# @title"):
        metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    return metadata


def _kit_cell(homework: Homework) -> NotebookNode:
    title = (
        "# @title Run this cell first: it writes the homework kit (nothing to read or change here) {"
        ' display-mode: "form" }'
    )
    source = f"%%writefile {KIT_FILE}\n{title}\n{kit_source(homework)}".rstrip("\n")
    metadata = {"tags": ["kit"], "cellView": "form", "jupyter": {"source_hidden": True}, "collapsed": True}
    return nbformat.v4.new_code_cell(source, metadata=metadata)


def repository_address(root: Path) -> str:
    """The project's address, the one place being ``[project.urls]`` in ``pyproject.toml``."""
    with (root / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["urls"]["Repository"])


def student_notebook(root: Path, homework: Homework, variants: str = "", history: bool = False) -> str:
    """The text of the student notebook in ``notebooks/``, or with ``variants`` of one for such a course."""
    built = build_notebook(
        homework,
        source_path(root, homework.stem),
        repository=repository_address(root),
        variants=variants,
        history=history,
    )
    return dumps(built)


def use_kit(homework: str) -> None:
    """Makes ``import homework_kit`` work in a source that is opened as a notebook or run as a script."""
    module = types.ModuleType("homework_kit")
    sys.modules["homework_kit"] = module
    exec(compile(kit_source(homeworks()[homework]), KIT_FILE, "exec"), module.__dict__)  # noqa: S102  # our own text
