"""Odd files: links where results go, doubled keys, other encodings, numbers that are none."""

from __future__ import annotations

import dataclasses
import json
import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.declare import homeworks
from autograder.files import SECRET, write_atomically
from autograder.grade.report import Report
from autograder.grade.store import Results
from autograder.kit.shared import checkpoints
from autograder.lms.files import read_files
from autograder.report.publish import publish
from autograder.run.guard import limited
from autograder.submissions.errors import SubmissionError
from autograder.submissions.find import find
from autograder.submissions.notebook import read_notebook, recognize

POSIX = pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
MINE = "not to be touched"

# --- links in the folder of results -------------------------------------------------------------------------

LINKS = [
    "grades.csv", ".grades.csv.draft", "report.html", ".report.html.draft", "pages.json", ".pages.json.draft",
    "timing.csv", "submissions/a/results.json", "submissions/a/.results.json.draft",
    "submissions/a/feedback.html", "submissions/a/.feedback.html.draft", "submissions/a/executed.ipynb",
    "submissions/a/.executed.ipynb.draft", "submissions/a/seconds.json", "submissions/a/.seconds.json.draft",
]  # fmt: skip


@POSIX
@pytest.mark.parametrize("mode", [None, SECRET])
@pytest.mark.parametrize("name", ["a.txt", ".a.txt.draft"])
def test_a_file_is_never_written_through_a_link(tmp_path: Path, name: str, mode: int | None):
    target = tmp_path / "mine"
    target.write_text(MINE)
    (tmp_path / name).symlink_to(target)
    write_atomically(tmp_path / "a.txt", b"new", mode)
    assert target.read_text() == MINE
    assert (tmp_path / "a.txt").read_text() == "new"
    assert not (tmp_path / "a.txt").is_symlink()


@POSIX
def test_links_in_the_folder_of_results_are_replaced_and_lead_nowhere(tmp_path: Path):
    output, target = tmp_path / "out", tmp_path / "mine"
    target.write_text(MINE)
    for name in LINKS:
        (output / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).symlink_to(target)
    graded = Report("a", "hw3", "graded", key="k")
    results = Results(output)
    assert results.kept("a", "k") is None
    results.keep(graded, '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}', {"3.1": 1.0})
    publish(output, [graded], reveal="words")
    os.close(results.lock)
    assert target.read_text() == MINE
    assert [name for name in LINKS if (output / name).is_symlink()] == []
    assert results.kept("a", "k") == dataclasses.replace(graded)


@POSIX
def test_a_submissions_folder_that_is_a_link_is_neither_read_nor_written(tmp_path: Path):
    output, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    first = Results(tmp_path / "first")
    graded = Report("a", "hw3", "graded", key="k")
    first.keep(graded)
    (tmp_path / "first" / "submissions" / "a").rename(elsewhere)
    before = {path.name: path.read_bytes() for path in elsewhere.iterdir()}
    (output / "submissions").mkdir(parents=True)
    (output / "submissions" / "a").symlink_to(elsewhere)
    results = Results(output)
    assert results.kept("a", "k") is None
    results.keep(graded, "{}", {})
    assert {path.name: path.read_bytes() for path in elsewhere.iterdir()} == before
    assert not (output / "submissions" / "a").is_symlink()
    for one in (first, results):
        os.close(one.lock)


# --- folders ------------------------------------------------------------------------------------------------


@pytest.fixture(params=["a" * 200, "a"], ids=["longer than the system allows", "deeper than Python allows"])
def deep(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A class in which somebody's folders go on and on."""
    made, here = tmp_path / "class", Path.cwd()
    (made / "b").mkdir(parents=True)
    (made / "b" / "hw3.ipynb").write_bytes(NOTEBOOK)
    (made / "a").mkdir()
    try:
        os.chdir(made / "a")
        for _ in range(1_300 if request.param == "a" else 30):
            os.mkdir(request.param)
            os.chdir(request.param)
        Path("hw3.ipynb").write_bytes(NOTEBOOK)
    finally:
        os.chdir(here)
    yield made
    subprocess.run(["rm", "-rf", str(made)], check=True)  # shutil goes no deeper than Python


@POSIX
def test_folders_without_an_end_cost_their_owner_only(deep: Path):
    found = find([deep])
    assert [one.name for one in found.submissions if one.notebook] == ["b"]
    assert any("too deep" in line or "cannot be read" in line for line in found.ignored)
    files = list(read_files(deep))
    assert [(name, why) for name, data, why in files if data] == [("b/hw3.ipynb", "")]


# --- notebooks ----------------------------------------------------------------------------------------------

NOTEBOOK = (
    b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {"attention_homework": {"id": "hw3"}}, "cells": '
    b'[{"cell_type": "code", "source": "x = 1", "metadata": {}, "outputs": [], "execution_count": null}]}'
)
NOTEBOOKS = {
    "UTF-16": (NOTEBOOK.decode().encode("utf-16"), "not UTF-8"),
    "UTF-32": (NOTEBOOK.decode().encode("utf-32"), "not UTF-8|not valid JSON"),
    "BOM": (b"\xef\xbb\xbf" + NOTEBOOK, ""),
    "doubled cells": (NOTEBOOK[:-1] + b', "cells": []}', ""),
    "doubled cells, the last one none": (NOTEBOOK[:-1] + b', "cells": 3}', "no list of cells"),
    "doubled format": (NOTEBOOK.replace(b"{", b'{"nbformat": "x", ', 1), ""),
    "1e400 as format": (NOTEBOOK.replace(b": 4,", b": 1e400,"), "not a notebook"),
    "NaN as format": (NOTEBOOK.replace(b": 4,", b": NaN,"), "not a notebook"),
    "1e400 as count": (NOTEBOOK.replace(b"null", b"1e400"), ""),
    "a long number": (NOTEBOOK.replace(b"null", b"9" * 5_000), "too many digits"),
    "format 4.0": (NOTEBOOK.replace(b": 4,", b": 4.0,"), ""),
    "format 10": (NOTEBOOK.replace(b": 4,", b": 10,"), ""),
    "format below 0": (NOTEBOOK.replace(b": 4,", b": -1,"), "could not be converted"),
    "a deep source": (NOTEBOOK.replace(b'"x = 1"', b"[" * 90_000 + b"]" * 90_000), "nested too deeply"),
    "zeros in a source": (NOTEBOOK.replace(b"x = 1", b"x\\u0000 = 1"), ""),
}


@pytest.mark.parametrize(("data", "says"), NOTEBOOKS.values(), ids=NOTEBOOKS)
def test_odd_notebooks_are_read_or_refused_in_words(data: bytes, says: str):
    if says:
        with pytest.raises(SubmissionError, match=says):
            read_notebook(data)
    else:
        assert recognize(read_notebook(data), None, homeworks()).id == "hw3"


# --- checkpoints --------------------------------------------------------------------------------------------

GOOD = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
HEADERS = {
    "10 GB": {"w": {"dtype": "F32", "shape": [2_500_000_000], "data_offsets": [0, 10**10]}},
    "10 GB in a shape alone": {"w": {**GOOD, "shape": [50_000, 50_000]}},
    "a shape of huge numbers": {"w": {**GOOD, "shape": [2**63, 2**63]}},
    "a shape that overflows to 1": {"w": {**GOOD, "shape": [2**32 + 1, 2**32]}},
    "a shape below 0": {"w": {**GOOD, "shape": [-1]}},
    "a shape of truth": {"w": {**GOOD, "shape": [True]}},
    "offsets backwards": {"w": {**GOOD, "data_offsets": [4, 0]}},
    "offsets below 0": {"w": {**GOOD, "data_offsets": [-4, 0]}},
    "offsets beyond the end": {"w": {**GOOD, "data_offsets": [4, 8]}},
    "two in one place": {"w": GOOD, "v": GOOD, "u": {**GOOD, "data_offsets": [0, 4]}},
}
RAW = {
    "1e400": b'{"w": {"dtype": "F32", "shape": [1e400], "data_offsets": [0, 4]}}',
    "NaN": b'{"w": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 4]}}',
    "UTF-16": json.dumps({"w": GOOD}).encode("utf-16"),
    "half emoji": b'{"\\ud83d": {"dtype": "X", "shape": [1], "data_offsets": [0, 4]}}',
    "deep": b"[" * 9_000 + b"]" * 9_000,
    "long number": b'{"w": {"dtype": "F32", "shape": [' + b"9" * 5_000 + b'], "data_offsets": [0, 4]}}',
}
CHECKPOINTS = {name: json.dumps(header).encode() for name, header in HEADERS.items()} | RAW


@pytest.mark.parametrize("header", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_odd_checkpoints_are_refused_in_words_and_take_no_memory(header: bytes, tmp_path: Path):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4)
    with limited(20, memory=200_000_000), pytest.raises(checkpoints.CheckpointError):
        checkpoints.read_checkpoint(path, 10_000)
