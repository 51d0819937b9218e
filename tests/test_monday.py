"""The handbook's Monday, followed: from a made-up export of Canvas to the upload file and the pages."""

from __future__ import annotations

import csv
import json
import re
import shlex
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from autograder import kit
from autograder.cli.main import main
from tests import example_results
from tests.gallery import ROOT
from tests.test_collect import GRADEBOOK, write_zip

PAGE = (ROOT / "docs" / "monday.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (autograder .*)$", PAGE, re.MULTILINE)
INTERACTIVE = "autograder manual-grading graded"  # waits for people
pages_here = example_results.pages_here


def log(**values: np.ndarray) -> str:
    """A log with recorded values of hw3."""
    entries = {
        name: {"question": "3.1", "kind": "array", "status": "ok", "value": kit.encode(value)}
        for name, value in values.items()
    }
    return json.dumps({"schema": kit.LOG_SCHEMA, "homework": "hw3", "entries": entries})


def content(scale: float) -> dict[str, np.ndarray]:
    names = (f"attention_by_content_{letter}" for letter in "QKV")
    return dict(zip(names, (scale * np.eye(3), np.eye(3), np.eye(3)), strict=True))


EXPORT = {
    "doejane_1234_56789_submission_log.json": log(**content(1.0)),  # too soft: loses points
    "garcíaluz_LATE_77_60001_submission_log.json": log(**content(40.0)),
    "leesam_88_60002_hw3.ipynb": "This is my homework.",
}


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The folder after all commands of the page, and what each said."""
    folder = tmp_path_factory.mktemp("monday")
    patch = pytest.MonkeyPatch()
    patch.chdir(folder)
    example_results.write_pages_here(patch)
    write_zip(folder / "submissions.zip", EXPORT)
    (folder / "gradebook.csv").write_text(GRADEBOOK, encoding="utf-8")
    (folder / "requests.csv").write_text(
        "student,question,request\n77,3.1,Please look again\n", encoding="utf-8"
    )
    said: dict[str, str] = {}
    for line in COMMANDS:
        if line == INTERACTIVE:
            continue
        done = CliRunner().invoke(main, shlex.split(line)[1:])
        assert done.exit_code == 0, f"{line}\n{done.output}"
        said[line] = said.get(line, "") + done.output
        if line.startswith("autograder new-course"):
            (block,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
            (folder / "course.toml").write_text(block, encoding="utf-8")
    patch.undo()
    return folder, said


def output_of(said: dict[str, str], beginning: str) -> str:
    return "".join(text for line, text in said.items() if line.startswith(f"autograder {beginning}"))


def test_the_page_names_its_commands_in_the_order_of_the_day():
    verbs = [line.split()[1] for line in COMMANDS]
    assert verbs == [
        *("new-course", "collect", "grade", *["manual-grading"] * 3, "override", "override", "grade"),
        *("export-grades", "regrades", "regrades", "export-grades"),
    ]


def test_grades_are_those_of_the_course_with_overrides_and_requests_in_them(followed):
    folder, said = followed
    with (folder / "graded" / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["submission"]: row for row in csv.DictReader(file)}
    assert rows["doejane-1234"]["3.1"] == "12"
    assert rows["garcíaluz-77"]["3.1"] == "11"
    assert rows["leesam-88"]["status"] == "unreadable"
    assert "Course: Attention, spring 2027" in output_of(said, "grade")
    assert "doejane-1234, hw3 3.1: " in output_of(said, "grade")
    assert "(override: The text could be read in two ways; both count.)" in output_of(said, "grade")
    assert "Ignored" not in output_of(said, "grade")  # collected.csv is the collector's own
    assert "1 request, 0 open." in output_of(said, "regrades --answer")


def test_the_upload_file_and_the_feedback_zip_hold_what_canvas_takes(followed):
    folder, said = followed
    told = output_of(said, "export-grades").partition("Check these before you upload:\n")[2]
    assert told.splitlines()[0].strip().startswith("leesam-88: ")
    with (folder / "upload.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-1] == "Homework 3 (502)"
    with zipfile.ZipFile(folder / "feedback.zip") as archive:
        assert sorted(archive.namelist()) == [
            "doejane_1234_56789_feedback.html",
            "garcíaluz_LATE_77_60001_feedback.html",
            "leesam_88_60002_feedback.html",
        ]
        page = archive.read("garcíaluz_LATE_77_60001_feedback.html").decode()
    assert "The table was right; you get the points." in page
