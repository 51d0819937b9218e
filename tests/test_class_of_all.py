"""One class of every submission that once lost points in silence, graded at once: each loss has its cause."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from autograder.cli.main import main
from autograder.declare import homeworks
from autograder.grade.report import CAUSES
from autograder.kit import LOG_NAME
from tests.conftest import reference
from tests.platforms import zipped
from tests.test_causes import IMPORTS, cell_with, first_lines, swap
from tests.test_finding import HOSTILE, lay
from tests.test_written_layouts import LAYOUTS

pytestmark = pytest.mark.sweep  # nearly 80 submissions

Change = Callable[[NotebookNode], None]
EXTRA = sum(question.points for question in homeworks()["hw3"].questions.values() if question.extra)
Q, V = "attention_by_content_Q =", "attention_by_content_V ="


def moved(how: str, notebook: NotebookNode) -> None:
    """Puts the answer to 3.1 where it is not looked for."""
    cell = cell_with(notebook, V)
    place = notebook.cells.index(cell)
    if how == "function":
        cell.source = "def main():\n    " + cell.source.replace("\n", "\n    ") + "\nmain()"
    elif how == "skipped":
        cell.source = "# training (skipped while grading)\n" + cell.source
    else:
        notebook.cells[place] = {"markdown": new_markdown_cell, "raw": new_raw_cell}[how](cell.source)


def late_half(notebook: NotebookNode) -> None:
    """Puts half of the answer to 3.1 below its record cell."""
    cell, record = cell_with(notebook, V), cell_with(notebook, 'record("3.1")')
    half = [line for line in cell.source.split("\n") if "content_V" in line]
    cell.source = "\n".join(line for line in cell.source.split("\n") if line not in half)
    notebook.cells.insert(notebook.cells.index(record) + 1, new_code_cell("\n".join(half)))


def opened(notebook: NotebookNode) -> None:
    """Takes the answer to 3.1 out of the notebook; the log has it."""
    for name in "QKV":
        swap(notebook, f"attention_by_content_{name} =", f"attention_by_content_{name} = None #")


ROWS: dict[str, Change] = {
    "as it should be": lambda notebook: None,
    "seaborn": first_lines("import seaborn as sns", "sns.set_theme()"),
    "several modules": first_lines(
        "import einops, tqdm.notebook", "from scipy_not_there import linalg as la"
    ),
    "relative import": first_lines("from . import helpers", "from .helpers import f"),
    "star import": first_lines("from my_helpers import *"),
    "colab": first_lines("from google.colab import drive", "drive.mount('/content/drive')"),
    "widgets": first_lines("%matplotlib widget"),
    "screen": first_lines("import matplotlib", 'matplotlib.use("TkAgg")'),
    "no gpu": first_lines("import torch", "assert torch.cuda.is_available(), 'switch the GPU on'"),
    "default device": first_lines("import torch", 'torch.set_default_device("cuda")'),
    "no such folder": first_lines("import os", 'os.chdir("/content/drive/MyDrive/hw3")'),
    "elsewhere": first_lines("import os", 'os.chdir("/tmp")'),
    "imports deleted": lambda notebook: notebook.cells.remove(cell_with(notebook, IMPORTS)),
    "imports broken": first_lines("import numpy as"),
    "imports among functions": first_lines(
        "def one(): pass",
        "def two(): pass",
        "three = 3",
        "four = [][4]",
        "def five(): pass",
        "def six(): pass",
    ),
    "module in an answer": lambda notebook: swap(notebook, V, f"import einops\n{V} einops.asnumpy(0) +"),
    "raises": lambda notebook: swap(notebook, Q, f"broken = [][3]\n{Q}"),
    "cuda": lambda notebook: swap(notebook, V, f"import torch\nx = torch.zeros(3).cuda()\n{V}"),
    "endless": lambda notebook: swap(notebook, Q, f"while True: pass\n{Q}"),
    "ends the kernel": lambda notebook: swap(notebook, Q, f"import os; os._exit(1)\n{Q}"),
    "not Python": lambda notebook: swap(notebook, Q, f"def broken(:\n{Q}"),
    "another name": lambda notebook: swap(notebook, V, "attention_by_contentV ="),
    "half below": late_half,
    "log alone has it": opened,
    **{how: partial(moved, how) for how in ("markdown", "raw", "function", "skipped")},
}


def with_layout(notebook: NotebookNode, layout: str) -> NotebookNode:
    """The notebook with its answer to 3.7 in one of the layouts."""
    place = next(n for n, cell in enumerate(notebook.cells) if cell.source.startswith("**Answer 3.7**"))
    make = {"markdown": new_markdown_cell, "raw": new_raw_cell, "code": new_code_cell}
    notebook.cells[place : place + 1] = [make[kind](text) for kind, text in LAYOUTS[layout]]
    return notebook


@cache
def plain() -> str:
    """The reference without the cell that writes the kit, which grading skips: it is most of the bytes."""
    notebook = nbformat.reads(reference("hw3")[0], as_version=4)
    notebook.cells = [cell for cell in notebook.cells if not cell.source.startswith("%%writefile")]
    return nbformat.writes(notebook)


def small(layout: str) -> NotebookNode:
    """The part of the notebook around the written answer alone."""
    whole = nbformat.reads(plain(), as_version=4)
    place = next(n for n, cell in enumerate(whole.cells) if cell.source.startswith("**Answer 3.7**"))
    title = max(n for n in range(place) if whole.cells[n].source.startswith("## 3.7"))
    around = [cell for cell in whole.cells[title : place + 2] if cell.cell_type == "markdown"]
    return with_layout(new_notebook(cells=around, metadata=whole.metadata), layout)


def hand_ins() -> dict[str, str | bytes]:
    """Every row with its log, in folders and zips; each layout of a written answer is in one of them."""
    log = reference("hw3")[1]
    files: dict[str, str | bytes] = dict(HOSTILE)
    layouts = iter(LAYOUTS)
    for (name, change), layout in zip(ROWS.items(), layouts, strict=False):
        notebook = nbformat.reads(plain(), as_version=4)
        change(notebook)
        made = nbformat.writes(with_layout(notebook, layout))
        if len(name) % 2:
            files[f"{name}.zip"] = zipped({"hw3.ipynb": made, LOG_NAME: log})
        else:
            files |= {f"{name}/hw3.ipynb.txt": made, f"{name}/{LOG_NAME}": log}
    rest = itertools.chain(layouts)
    return files | {f"written {n}/hw3.ipynb": nbformat.writes(small(one)) for n, one in enumerate(rest)}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of results and what the terminal said."""
    folder = tmp_path_factory.mktemp("class")
    lay(folder / "in", hand_ins())
    arguments = [str(folder / "in"), "-o", str(folder / "out"), "--workers", "2", "--cell-seconds", "5"]
    result = CliRunner().invoke(main, ["grade", *arguments])
    assert result.exit_code == 0, result.output[-3000:] + repr(result.exception)
    return folder / "out", result.output


def test_every_hand_in_has_a_row_and_every_lost_point_a_cause(graded: tuple[Path, str]):
    with (graded[0] / "grades.csv").open(encoding="utf-8") as file:
        rows = {row["submission"]: row for row in csv.DictReader(file)}
    written = len(LAYOUTS) - len(ROWS)
    assert {*ROWS} <= {name.replace("_", " ") for name in rows}
    assert sum(name.startswith("written") for name in rows) == written
    for name, row in rows.items():
        if row["status"] == "unreadable":
            assert row["notes"], name
            continue
        lost = float(row["maximum"]) + EXTRA - float(row["points"])
        assert sum(float(row[cause] or 0) for cause in CAUSES) == pytest.approx(lost), name
    for path in graded[0].glob("submissions/*/results.json"):
        for test in json.loads(path.read_text(encoding="utf-8")).get("tests", ()):
            if test.get("status") != "passed" and "score" in test:
                assert test["tags"][0] in CAUSES, (path, test)


def test_rows_lose_only_what_hangs_on_their_fault(graded: tuple[Path, str]):
    with (graded[0] / "grades.csv").open(encoding="utf-8") as file:
        rows = {row["submission"].replace("_", " "): row for row in csv.DictReader(file)}
    whole = float(rows["as it should be"]["points"])
    nothing = {
        "seaborn", "several modules", "relative import", "star import", "colab", "widgets", "screen",
        "no gpu", "no such folder", "elsewhere", "imports deleted", "imports broken",
        "imports among functions", "half below",
    }  # fmt: skip
    found = {name: whole - float(rows[name]["points"]) for name in ROWS}
    assert {name for name, lost in found.items() if lost == 0} >= nothing
    assert {name for name, lost in found.items() if lost not in (0, 10)} <= {"default device"}
    assert rows["endless"]["limit"] == "10"
    not_found = ("markdown", "raw", "function", "another name")
    not_run = ("module in an answer", "raises", "cuda", "not Python", "log alone has it", "skipped")
    assert {name: rows[name]["not found"] for name in not_found} == dict.fromkeys(not_found, "10")
    assert {name: rows[name]["not run here"] for name in not_run} == dict.fromkeys(not_run, "10")


def test_the_class_report_counts_what_did_not_run_here(graded: tuple[Path, str]):
    page = (graded[0] / "report.html").read_text(encoding="utf-8")
    section = page.split('<h2 id="not-run">')[1].split("<h2")[0]
    for module in ("seaborn", "einops", "google.colab", "my_helpers"):
        assert f"<code>{module}</code>" in section, module
    assert "--allow-package einops" in graded[1]
    assert (graded[0] / "left-alone.txt").is_file()
