"""The page that adds a learning platform: one file, copied from the page, is all that it takes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.handbook import blocks, copy_project, follow, run

PAGE = "add-platform.md"
NAMES = ["autograder/lms/submitty.py", "tests/test_submitty.py"]
SETTINGS = '{"active_version": 1, "history": [{"version": 1, "time": "2026-11-04 00:50:12-0500"}]}'
GRADES = "submission,homework,status,points\njdoe,hw3,graded,90.5\n"
TABLE = "First Name,Last Name,User ID,Homework 3\nJane,Doe,jdoe,\n"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package in which somebody did what the page says, word by word."""
    made = tmp_path_factory.mktemp("copy")
    copy_project(made, ("autograder", "pyproject.toml"), leave=("__pycache__", "data"))
    assert not [name for name, _ in blocks(PAGE) if (made / name).exists()]
    follow(made, PAGE)
    return made


def test_the_page_shows_one_file_and_its_test():
    assert [name for name, _ in blocks(PAGE)] == NAMES


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
    run(copy, "-m", *command)


def test_both_commands_offer_the_new_platform_and_work_with_it(copy: Path, tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "download.zip", "w") as archive:
        archive.writestr("submissions/jdoe/user_assignment_settings.json", SETTINGS)
        archive.writestr("submissions/jdoe/1/hw3.ipynb", "{}")
    collected = str(tmp_path / "collected")
    told = run(
        copy, "-m", "autograder", "collect", str(tmp_path / "download.zip"), "--from", "submitty",
        "-o", collected, "--due", "2026-11-03T23:59-05:00",
    )  # fmt: skip
    assert "jdoe: 1 days" in told
    assert "1 submissions of 1 students" in told
    (tmp_path / "grades.csv").write_text(GRADES, encoding="utf-8")
    (tmp_path / "offline.csv").write_text(TABLE, encoding="utf-8")
    told = run(
        copy, "-m", "autograder", "export-grades", str(tmp_path / "grades.csv"), "--to", "submitty",
        "--collected", collected, "--file", str(tmp_path / "offline.csv"), "--column", "Homework 3",
        "-o", str(tmp_path / "upload.csv"),
    )  # fmt: skip
    assert "1 of 1 grades" in told
    assert (tmp_path / "upload.csv").read_text(encoding="utf-8") == TABLE.replace("jdoe,", "jdoe,90.5")
