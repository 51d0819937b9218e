"""The classes that are graded: references, blank notebooks, unfinished ones, the gallery's answers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat

from autograder.author.build import build_notebook, dumps
from autograder.author.gallery import students
from autograder.author.reference import kept_files
from autograder.declare import Homework, homeworks
from autograder.grade.beside import data_files
from autograder.names import source_path
from autograder.run.runner import skip_reason
from tests.demo import partly
from tests.gallery import ROOT, examples

NO_LOG = b'{"entries": {}}'


@dataclass(frozen=True)
class Handed:
    """One submission in its folder.

    Attributes:
        path: the notebook.
        homework: its id.
    """

    path: Path
    homework: str


@cache
def texts(name: str) -> tuple[tuple[str, Mapping[str, bytes]], ...]:
    """Different submissions for one homework: the notebook's text, and files handed in beside it."""
    homework = homeworks()[name]
    source = source_path(ROOT, homework.stem)
    files = checkpoint_of(homework)
    plain = [
        dumps(build_notebook(homework, source, blank=False)),
        dumps(build_notebook(homework, source)),
        partly(homework, 1 / 3),
        partly(homework, 2 / 3),
    ]
    made = students(ROOT, homework, examples(name), NO_LOG, files, whole=True)
    return (*((text, files) for text in plain), *((one.notebook, one.attachments) for one in made))


def checkpoint_of(homework: Homework) -> dict[str, bytes]:
    """The reference's trained weights, where the homework asks for some."""
    wanted = {one.file for one in homework.checkpoints()}
    return {name: data for name, data in kept_files(ROOT, homework).items() if name in wanted}


def write_class(folder: Path, names: list[str], size: int) -> list[Handed]:
    """Writes a class: as many submissions of each homework as of the others, in turn."""
    sources = itertools.cycle(
        [(name, *text) for row in itertools.zip_longest(*map(_each, names)) for name, text in row if text]
        if len(names) > 1
        else [(names[0], *text) for text in texts(names[0])]
    )
    handed = []
    for index, (name, text, files) in zip(range(size), sources, strict=False):
        notebook = nbformat.reads(text, as_version=4)
        notebook.cells.append(nbformat.v4.new_markdown_cell(f"Student {index}"))
        path = folder / f"{name}-student-{index:04d}" / f"{homeworks()[name].stem}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(notebook), encoding="utf-8")
        for file, data in files.items():
            (path.parent / file).write_bytes(data)
        handed.append(Handed(path, name))
    return handed


def _each(name: str) -> list[tuple[str, tuple[str, Mapping[str, bytes]]]]:
    """As many submissions of one homework as of any other."""
    most = max(len(texts(one)) for one in homeworks())
    return [(name, text) for text in itertools.islice(itertools.cycle(texts(name)), most)]


def for_others(one: Handed) -> str:
    """The notebook without what this grader leaves out: training, figures, the zip to hand in."""
    notebook = nbformat.reads(one.path.read_text(encoding="utf-8"), as_version=4)
    notebook.cells = [
        cell
        for cell in notebook.cells
        if cell.cell_type != "code"
        or (
            ((skip_reason(cell) or "the grader's own kit").startswith("the grader's own kit"))
            and not cell.source.lstrip().startswith("finish(")
        )
    ]
    return str(nbformat.writes(notebook))


def beside(name: str) -> dict[str, bytes]:
    """Data and checkpoint that lie beside a notebook while it runs."""
    homework = homeworks()[name]
    return data_files(homework)[0] | checkpoint_of(homework)
