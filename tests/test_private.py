"""What is private stays so: permissions of results, hidden inputs on feedback pages, what is left behind."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from autograder.declare import homeworks
from autograder.grade import processes, workers
from autograder.grade.grade import Settings
from autograder.grade.leaks import MARK, Prints, mark_prints
from autograder.grade.marks import Marks
from autograder.grade.store import Results, read_executed
from autograder.report.feedback import NOT_REVEALED, feedback_page
from autograder.report.publish import publish
from autograder.submissions.find import Submission
from autograder.submissions.notebook import read_notebook
from tests.conftest import PLACE, reference
from tests.gallery import ROOT

POSIX = pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
SECRETS = ("executed.ipynb", "desk.sqlite3", "desk.sqlite3-wal", "desk.sqlite3-shm", "seconds.json")


@pytest.fixture(scope="module")
def graded() -> workers.Graded:
    text, log, files = reference("hw3")
    notebook = read_notebook(text.encode())
    # a print of what the function got, as people leave it; and one that shows the file of hidden inputs
    notebook.cells.append(new_code_cell("print(open('challenges.json').read()[:20_000])"))
    notebook.cells.append(new_code_cell("print('honest', list(range(20)), [0.5] * 9, [1.25, 2.5])"))
    return workers.grade(
        Submission("a", nbformat.writes(notebook).encode(), log, files), Settings("seed"), PLACE
    )


@POSIX
def test_only_the_owner_can_read_results(graded: workers.Graded, tmp_path: Path):
    output = tmp_path / "graded"
    old = os.umask(0o022)
    try:
        output.mkdir(mode=0o755)
        Results(output).keep(graded.report, graded.executed, graded.seconds)
        Marks(output)
        publish(output, [graded.report])
    finally:
        os.umask(old)
    assert stat.S_IMODE(output.stat().st_mode) == 0o700
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in output.rglob("*") if path.is_file()}
    assert "executed.ipynb" in found
    assert "desk.sqlite3" in found
    assert {name: mode for name, mode in found.items() if name in SECRETS and mode != 0o600} == {}


def test_prints_of_hidden_inputs_stay_off_the_feedback_page_unless_revealed(graded: workers.Graded):
    notebook = nbformat.reads(graded.executed, as_version=4)
    printed, honest = notebook.cells[-2:]
    assert printed.metadata[MARK] == [0]
    assert MARK not in honest.metadata
    values = (part.split(",")[0] for part in printed.outputs[0].text.split('"data": [')[1:])
    value = next(value for value in values if len(value) > 6)  # not one that stands on every page
    hidden, shown = (feedback_page(graded.report, notebook, reveal) for reveal in ("words", "inputs"))
    assert value not in hidden
    assert NOT_REVEALED in hidden
    assert "honest" in hidden
    assert value in shown
    assert value in graded.executed, "the instructor has all of it"


def test_the_reference_prints_no_hidden_input():
    name = "hw3"
    text, log, files = reference(name)
    made = workers.grade(Submission("r", text.encode(), log, files), Settings("another seed"), PLACE)
    notebook = nbformat.reads(made.executed, as_version=4)
    marked = [cell.source[:80] for cell in notebook.cells if MARK in cell.metadata]
    assert marked == []


@pytest.mark.parametrize("name", list(homeworks()))
@pytest.mark.parametrize("form", ["numpy", "torch", "list", "short"])
def test_hidden_arrays_are_found_however_they_are_printed(name: str, form: str):
    import numpy as np
    import torch

    drawn = homeworks()[name].draw("seed")
    arrays = [
        value
        for cases in drawn.values()
        for case in cases.values()
        for value in case.args
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and 8 <= value.size < 500
    ]
    arrays = [array for array in arrays if not (array == array.round()).any()]
    if not arrays:
        pytest.skip("no array of such a size")
    array = arrays[0]
    text = {
        "numpy": str(array),
        "torch": str(torch.tensor(array)),
        "list": str(array.tolist()),
        "short": " ".join(f"{number:.3f}" for number in array.flat),
    }[form]
    notebook = new_notebook()
    notebook.cells = [new_code_cell("1", outputs=[new_output("stream", text=text)])]
    mark_prints(notebook, Prints(drawn))
    assert notebook.cells[0].metadata[MARK] == [0]
    other = new_notebook()
    random = np.random.default_rng(1).normal(size=(40, 10))
    other.cells = [new_code_cell("1", outputs=[new_output("stream", text=str(random))])]
    mark_prints(other, Prints(drawn))
    assert MARK not in other.cells[0].metadata


@pytest.mark.skipif(sys.platform != "linux", reason="Linux has a server that processes are forked from")
def test_folders_of_killed_processes_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead, alive, other, new = (tmp_path / f"pymp-{name}" for name in ("dead", "alive", "other", "new"))
    for folder in (dead, alive, other, new):
        folder.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(dead / "listener-1"))
    (other / "work.txt").write_text("somebody's")
    with socket.socket(socket.AF_UNIX) as running:
        running.bind(str(alive / "listener-2"))
        running.listen()
        processes.sweep.__wrapped__()
        running.settimeout(0.2)
        with pytest.raises(TimeoutError):
            running.accept()  # a server of processes to which somebody connects and says nothing ends
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pymp-alive", "pymp-new", "pymp-other"]


LEFT_BEHIND = [
    "graded/grades.csv", "graded/seed.txt", "graded/submissions/a/results.json", "collected/collected.csv",
    "hw3-otter.zip", "hw3-gradescope.zip", "hw3-gradescope.zip.seed.txt", "attention-homeworks.zip",
    "master/hw3.ipynb", "answers/3.7.pdf", "upload.csv", "marks.csv", "OUT/report.html", "submissions.zip",
    "download.zip", "gradebook.csv", "submission_log.json", "elsewhere/desk.sqlite3", "elsewhere/seed.txt",
    "elsewhere/desk.pem", "elsewhere/desk-for.json", "bob.marks.json",
]  # fmt: skip


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout")
@pytest.mark.parametrize("path", LEFT_BEHIND)
def test_what_documented_commands_leave_behind_is_ignored_by_git(path: str):
    done = subprocess.run(["git", "check-ignore", "-q", path], cwd=ROOT)
    assert done.returncode == 0, f"{path} could be committed by accident"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a checkout")
def test_nothing_that_belongs_to_the_repository_is_ignored():
    done = subprocess.run(
        ["git", "ls-files", "-ci", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout == ""
    assert read_executed(ROOT) is None
