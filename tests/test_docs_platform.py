"""The page that adds a learning platform: one file, copied from the page, is all that it takes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.gallery import ROOT

NAMES = ["autograder/lms/submitty.py", "tests/test_submitty.py"]
SETTINGS = '{"active_version": 1, "history": [{"version": 1, "time": "2026-11-04 00:50:12-0500"}]}'
GRADES = "submission,homework,status,points\njdoe,hw3,graded,90.5\n"
TABLE = "First Name,Last Name,User ID,Homework 3\nJane,Doe,jdoe,\n"


def blocks() -> list[tuple[str, str]]:
    """The files that the page names before its Python blocks, each with its block, in order."""
    page = (ROOT / "docs" / "add-platform.md").read_text(encoding="utf-8")
    return re.findall(r"`([\w/]+\.py)`[^\n]*:\n\n```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package in which somebody did what the page says, word by word."""
    made = tmp_path_factory.mktemp("copy")
    shutil.copytree(
        ROOT / "autograder", made / "autograder", ignore=shutil.ignore_patterns("__pycache__", "data")
    )
    shutil.copy(ROOT / "pyproject.toml", made)
    (made / "tests").mkdir()
    for name, text in blocks():
        assert not (made / name).exists()
        (made / name).write_text(text, encoding="utf-8")
    return made


def run(copy: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    return done.stdout


def test_the_page_shows_one_file_and_its_test():
    assert [name for name, _ in blocks()] == NAMES


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", *NAMES], id="ruff check"),
        pytest.param(["ruff", "format", "--check", *NAMES], id="ruff format"),
        pytest.param(["mypy", NAMES[0]], id="mypy"),
        pytest.param(["pytest", "-q", "-p", "no:cacheprovider", NAMES[1]], id="its own test"),
    ],
)
def test_the_new_file_passes_what_the_project_asks_of_its_code(copy: Path, command: list[str]):
    run(copy, *command)


def test_both_commands_offer_the_new_platform_and_work_with_it(copy: Path, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "download.zip", "w") as archive:
        archive.writestr("submissions/jdoe/user_assignment_settings.json", SETTINGS)
        archive.writestr("submissions/jdoe/1/hw3.ipynb", "{}")
    collected = str(tmp_path / "collected")
    told = run(
        copy, "autograder", "collect", str(tmp_path / "download.zip"), "--from", "submitty",
        "-o", collected, "--due", "2026-11-03T23:59-05:00",
    )  # fmt: skip
    assert "jdoe: 1 days" in told
    assert "1 submissions of 1 students" in told
    (tmp_path / "grades.csv").write_text(GRADES, encoding="utf-8")
    (tmp_path / "offline.csv").write_text(TABLE, encoding="utf-8")
    told = run(
        copy, "autograder", "handback", str(tmp_path / "grades.csv"), "--to", "submitty",
        "--collected", collected, "--file", str(tmp_path / "offline.csv"), "--column", "Homework 3",
        "-o", str(tmp_path / "upload.csv"),
    )  # fmt: skip
    assert "1 of 1 grades" in told
    assert (tmp_path / "upload.csv").read_text(encoding="utf-8") == TABLE.replace("jdoe,", "jdoe,90.5")
