"""Every mistake that happens at home is named by the rehearsal before grading meets it, by the same rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder.author.kit_text import kit_source
from autograder.author.modules import grading_modules
from autograder.declare import homeworks
from autograder.grade.grade import grade_submission
from autograder.grade.report import Report
from autograder.kit import rehearsal
from autograder.run.choose import kernels
from autograder.run.execute import execute
from autograder.submissions.given import given
from tests.conftest import PLACE, SETTINGS
from tests.home import Home
from tests.test_rehearsal import FINE, costs, lost, told

TRAINED = {"3.7", "5.2", "5.7a"}  # rest on training, which these homes leave out


def graded(home: Home) -> Report:
    return grade_submission(home.submission(), SETTINGS, kernels(PLACE)[0])[0]


@pytest.mark.parametrize("name", ["hw1", "hw5"])
def test_a_blank_notebook_raises_no_alarm(name: str, tmp_path: Path):
    assert "✗" not in Home(tmp_path, name, blank=True).run().partition("Rehears")[2]


def test_names_that_grading_provides_raise_no_alarm(tmp_path: Path):
    """The import cell was deleted after it ran."""
    home = Home(tmp_path, "hw3")
    home.after = {home.place("^import "): ""}
    out = home.run()
    assert FINE in out
    assert "✗" not in out[out.index("Rehearsal of the grading") :]
    note = told(out, "Was a cell deleted?")
    assert all(f"`{name}`" in note for name in ("np", "record"))
    report = graded(home)
    assert lost(report) <= TRAINED
    assert any("Was a cell deleted?" in one and "`np`" in one for one in report.notes)


def test_mistakes_in_hw1_are_named_and_cost_what_they_cost_in_grading(tmp_path: Path):
    home = Home(tmp_path, "hw1")
    (home.folder / "parts").mkdir()
    (home.folder / "parts" / "__init__.py").write_text("def root(x):\n    return x ** 0.5\n")
    home.only_here = ["third = 3.0\nseen = True"]
    # a function of a library, replaced in the kernel: what is recorded is wrong, what is graded is not
    home.only_here += [
        "import numpy\nreal = numpy.tril\nnumpy.tril = lambda *args, **named: real(args[0], -1)"
    ]
    # a folder of helpers, in the import cell
    first = home.change("^import ", lambda text: "from parts import root\n" + text)
    home.change(
        "def scaled_dot_product", lambda text: text.replace("np.sqrt(len(query))", "root(len(query))")
    )
    # a variable of a deleted cell
    home.change("^cat_word|cat_word =", lambda text: text.replace("/ np.sqrt(3)", "/ np.sqrt(third)"))
    # a value that is right only where something ran before
    home.change(
        "hard_output =", lambda text: text.replace("[1, 4, 3]", "[1, 4, 3] if 'seen' in dir() else 0")
    )
    # half of an answer below its record cell, and a whole one
    half, record_half = home.place("preserve_beta = 40.0"), home.place(r'record\("1.6"\)')
    text = home.cells[half][1]
    whole, record_whole = home.place("encoder_self ="), home.place(r'record\("1.10"\)')
    home.after = {
        half: text.replace("preserve_beta = 40.0", ""),
        record_half: home.cells[record_half][1] + "\npreserve_beta = 40.0",
        whole: home.cells[record_whole][1],
        record_whole: home.cells[whole][1],
    }
    out = home.run()
    assert f"Cell {first} raises ModuleNotFoundError: No module named 'parts'" in told(
        out, "costs 1 question: 1.1"
    )
    assert "it is only in the running kernel" in told(out, "`third`")
    assert "comes out differently" in told(out, "1.3")
    assert costs(out) == {"1.1", "1.2", "1.3", "1.5"}
    assert lost(graded(home)) == costs(out) - {"1.3"}


def test_mistakes_in_hw5_are_named_and_cost_what_they_cost_in_grading(tmp_path: Path):
    home = Home(tmp_path, "hw5")
    (home.folder / "work").mkdir()
    (home.folder / "stop.txt").write_text("the")
    home.only_here = ["only_now = 1", "import os\nopened = open(os.path.abspath('stop.txt'))"]
    extra = home.insert(home.place("def tokenize"), "print(only_now)")
    file = home.change("def tokenize", lambda text: "stop = open('stop.txt').read()\n" + text)
    folder = home.change(
        "unknown_or_padding =", lambda text: "import os\nos.chdir('work')\n" + text + "\nos.chdir('..')"
    )
    out = home.run()
    assert "1 question: 5.1a" in told(out, f"Cell {file} raises FileNotFoundError")
    assert "only the files of the zip" in told(out, f"Cell {file} raises FileNotFoundError")
    assert "Nothing that is recorded hangs on it" in told(out, f"Cell {folder} raises FileNotFoundError")
    assert "Nothing that is recorded hangs on it" in told(out, "`only_now`")
    assert extra < file
    assert costs(out) == {"5.1a"}
    assert lost(graded(home)) - TRAINED == costs(out)


def test_an_import_cell_of_several_faults_blames_each_for_its_own(tmp_path: Path):
    home = Home(tmp_path, "hw3")
    home.packages = {"seaborn.py": "", "einops.py": "def rearrange(x): return x"}
    home.change("^import ", lambda text: "import seaborn as sns\nimport einops\n" + text)
    home.change(
        "attention_by_content_Q =",
        lambda text: text.replace("6.0 * np.eye(3)", "einops.rearrange(6.0 * np.eye(3))"),
    )
    out = home.run()
    assert "'einops'" in told(out, "costs 1 question: 3.1")
    assert "Nothing that is recorded hangs on it" in told(out, "'seaborn'")
    assert costs(out) == {"3.1"} == lost(graded(home)) - TRAINED


# the same rules ---------------------------------------------------------------------------------------------

CELLS = [
    "import math, not_there as x, json\nfrom os import path, nothing_such\nx.set()\nassert 0\nimport re",
    "assert math.pi and json and path and re",
    "y = x + 1\nz = 3",  # rests on what is missing here: goes on
    "a = 1\nb = a.c\nd = 2",  # a mistake: does not go on
    "e = d",
    "def one(): pass\ndef two(): pass\nthree = four = 4\nfive = 1 / 0\nimport numpy as np",
    "assert np.pi",  # given by the homework: there again
    'raise NotImplementedError("3.1")',
    "raise NotImplementedError('later')\nlater = 1",
    "%matplotlib inline\nimport os\nos.chdir('/nowhere/at/all')\nq = 5",
    "assert q == 5",
    "def broken(:\n    pass\nr = 1",
    "files = !ls\nimport not_there_either; s = 3",
    "t = s",
    "# figure (skipped while grading)\nu = 1",
    "v = u",
    "import torch\nw = torch.zeros(1).cuda()\nw2 = 2",
]


def test_the_rehearsal_goes_on_where_grading_goes_on_and_loses_the_same_names(tmp_path: Path):
    hw3 = homeworks()["hw3"]
    kit = kit_source(hw3)
    cells = [*CELLS, "from homework_kit import record\nrecord('3.1')"]
    spare = given("hw3")
    notebook = new_notebook(cells=[new_code_cell(text) for text in cells])
    run = execute(notebook, kit_source=kit, kernels=kernels(PLACE)[0], spare=spare)
    (tmp_path / "homework_kit.py").write_text(kit, encoding="utf-8")
    described = hw3.describe() | {"modules": grading_modules(), "provided": spare}
    found = rehearsal.rehearse(tmp_path, described, [("code", text) for text in cells], {})
    theirs = [(one.cell + 1, one.kind, one.names, one.apart) for one in run.errors]
    ours = [(at, one.kind, one.lost, one.apart) for at, some in found.raised.items() for one in some]
    assert ours == theirs
    assert {at for at, *_ in ours} == {1, 3, 4, 5, 6, 8, 9, 10, 12, 13, 16, 17}
