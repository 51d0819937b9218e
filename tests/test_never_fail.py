"""Supplied cells never fail, whatever the answers above them are."""

from __future__ import annotations

import contextlib
import io
import re
import sys
import types
from pathlib import Path

import pytest

from autograder.author.build import build_notebook
from autograder.author.kit_text import kit_source
from autograder.author.source import read_source, source_regions
from autograder.declare import homeworks
from autograder.names import KIT_FILE, source_path
from tests.conftest import by_homework
from tests.gallery import ROOT

FASTER = {  # what is given and takes long by itself, whatever the answers are
    **{f'train_head("{task}")': f'train_head("{task}", steps=11)' for task in ("3.1", "3.2", "3.3")},
    "[32, 64, 128, 256, 512, 1024, 2048, 4096, 8192]": "[8, 16, 32, 64]",
    "range(400)": "range(3)",
}
# what every function returns, and what every other answer is
BAD = {
    "none": ("return None", "None"),
    "zeros": ("return 0.0", "0.0"),
    "shape": ("import numpy as np; return np.ones((7, 2))", "__import__('numpy').ones((7, 2, 3))"),
    "type": ("return 'a text'", "{'a': object()}"),
    "raises": ("raise ValueError('boom')", None),
    "exits": ("raise SystemExit('gone')", "object()"),
}


def answered_badly(name: str, kind: str) -> list[tuple[str, str, bool]]:
    """Code of each cell, its first line for messages, and whether a student wrote in it."""
    homework = homeworks()[name]
    source = source_path(ROOT, homework.stem)
    inside, outside = BAD[kind]
    answers = {}
    notebook = read_source(source)
    for label, region in source_regions(notebook, source).items():
        if region.indent:
            answers[label] = inside
        elif not any("<!--" in line for line in region.body):
            names = dict.fromkeys(
                re.findall(r"(?m)^(?:def |class )?(\w+)(?: =|, |\()", "\n".join(region.body))
            )
            wanted = [one for one in names if one in _recorded(name)] or list(names)
            bound = "\n".join(f"{one} = {outside}" for one in wanted)
            answers[label] = bound if outside is not None and wanted else "raise ValueError('boom')"
    cells = build_notebook(homework, source, blank=True, answers=answers).cells
    blank = build_notebook(homework, source, blank=True).cells
    found = []
    for cell, other in zip(cells, blank, strict=True):
        if cell.cell_type == "code" and cell.metadata.get("tags") != ["kit"]:
            found.append((cell.source, other.source.split("\n")[0], cell.source != other.source))
    return found


def _recorded(name: str) -> set[str]:
    return {entry.name for one in homeworks()[name].questions.values() for entry in one.entries}


def run_cells(name: str, cells: list[tuple[str, str, bool]], place: Path) -> list[str]:
    """What supplied cells raised, and what was printed."""
    kit = types.ModuleType("homework_kit")
    page = types.ModuleType("__main__")
    saved = {key: sys.modules.get(key) for key in ("homework_kit", "__main__")}
    raised = []
    sys.modules.update({"homework_kit": kit, "__main__": page})
    try:
        with contextlib.chdir(place), contextlib.redirect_stdout(io.StringIO()):
            exec(compile(kit_source(homeworks()[name]), KIT_FILE, "exec"), kit.__dict__)
            for code, first, students in cells:
                for old, new in FASTER.items():
                    code = code.replace(old, new)
                code = code.replace("finish()", "finish(rehearse=False)")
                try:
                    exec(compile(code, "<cell>", "exec"), page.__dict__)
                except BaseException as error:
                    if not students:
                        raised.append(f"{first}: {code[:200]!r} raised {type(error).__name__}: {error}")
    finally:
        for key, module in saved.items():
            if module is None:
                del sys.modules[key]
            else:
                sys.modules[key] = module
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")
    return raised


def test_what_is_made_faster_stands_in_the_notebooks():
    texts = [source_path(ROOT, one.stem).read_text(encoding="utf-8") for one in homeworks().values()]
    assert not [old for old in FASTER if not any(old in text for text in texts)]


@pytest.mark.parametrize("name", by_homework(list(homeworks())))
def test_no_supplied_cell_fails_whatever_the_answers_are(name: str, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    for kind in BAD:
        folder = tmp_path / kind
        folder.mkdir()
        cells = answered_badly(name, kind)
        changed = sum(students for *_, students in cells)  # None is what many stubs have anyway
        assert changed >= (1 if kind == "none" else 5)
        assert run_cells(name, cells, folder) == [], kind
