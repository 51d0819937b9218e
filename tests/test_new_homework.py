"""``autograder new-homework``: what it writes builds, lints, grades and releases as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.author.new_homework import new_homework
from autograder.author.source import BuildError
from autograder.cli.main import main
from tests.handbook import copy_project, run

NEEDED = (
    "autograder",
    "solutions",
    "notebooks",
    "docs",
    "README.md",
    "LICENSE",
    "pyproject.toml",
    "constraints.txt",
)
TESTS = ("tests/__init__.py", "tests/verdicts.py", "tests/gallery")
TITLE = "Weighted averages"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with a new homework, built."""
    folder = copy_project(tmp_path_factory.mktemp("copy"), (*NEEDED, *TESTS))
    run(folder, "-m", "autograder", "new-homework", "hw7", "--title", TITLE)
    built = run(folder, "-m", "autograder", "build", "hw7")
    assert "hw7_weighted_averages.ipynb: written" in built
    return folder


def test_reference_blank_and_gallery_are_judged_as_they_should(copy: Path):
    found = json.loads(run(copy, "-m", "tests.verdicts", "hw7:7.1", "hw7:7.2"))
    assert set(found) == {"hw7:7.1", "hw7:7.2"}
    for judged in found.values():
        assert judged["leaks"] == []
        assert all(state == "passed" for state, _ in judged["reference"].values())
        assert all(state == "unanswered" for state, _ in judged["blank"].values())
        for answer, loses, says, verdict in judged["gallery"]:
            lost = {check: told for check, (state, told) in verdict.items() if state != "passed"}
            assert set(lost) == set(loses), answer
            assert not says or any(says in told for told in lost.values()), (answer, lost)


def test_it_passes_lint_and_format(copy: Path):
    files = [str(path.relative_to(copy)) for path in new_homework_paths(copy)]
    for verb in (["check"], ["format", "--check"]):
        own = [one for one in files if verb == ["check"] or "gallery" not in one]
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *verb, *own], cwd=copy, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def new_homework_paths(folder: Path) -> list[Path]:
    return [
        *sorted((folder / "autograder" / "homeworks" / "hw7").glob("*.py")),
        folder / "solutions" / "hw7_weighted_averages.py",
        folder / "tests" / "gallery" / "hw7.py",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["seven"], "a homework is called hw and a number"),
        (["hw3"], "is there already; choose another number"),
        (["hw7", "--title", 'x"); import os; ("'], "a title has at most 60 characters"),
        (["hw7", "--title", "../../etc"], "hw7_etc.py: written"),
    ],
)
def test_a_name_that_will_not_do_is_refused(tmp_path: Path, arguments: list[str], says: str):
    for name in ("solutions", "autograder/homeworks/hw3"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "autograder" / "homeworks" / "hw3" / "__init__.py").touch()
    (tmp_path / "pyproject.toml").touch()
    done = CliRunner().invoke(main, ["new-homework", *arguments, "--root", str(tmp_path)])
    assert says in done.output
    assert not list(tmp_path.parent.glob("etc*"))


def test_the_title_gives_a_harmless_file_name(tmp_path: Path):
    (made,) = [
        path for path in new_homework(tmp_path, "hw9", "Über ../../x") if path.parent.name == "solutions"
    ]
    assert made == tmp_path / "solutions" / "hw9_ber_x.py"
    with pytest.raises(BuildError, match="begins with a letter"):
        new_homework(tmp_path, "hw9", "日本語")
