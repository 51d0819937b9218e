"""The wheel and the source distribution: what they hold, and that the wheel grades outside of a checkout."""

from __future__ import annotations

import csv
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from autograder.author.build import build_notebook, dumps
from autograder.declare import homeworks
from autograder.names import source_path
from tests import bare
from tests.gallery import ROOT

MEGABYTES = 20  # the most that either may hold: they carry images, word vectors and weights


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution from which it was built."""
    folder = tmp_path_factory.mktemp("packages")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return folder


@pytest.fixture(scope="module")
def installed(packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and what it requires, and nothing else."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        requirements = tomllib.load(file)["project"]["dependencies"]
    python = bare.make(tmp_path_factory.mktemp("wheel") / "environment", requirements)
    (wheel,) = packages.glob("*.whl")
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--quiet"]
    command += ["--no-index", "--disable-pip-version-check", str(wheel)]
    subprocess.run(command, check=True, env=bare.environment())
    return python


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(python.parent / "autograder"), *arguments]
    return subprocess.run(
        command, cwd=folder, env=bare.environment(), capture_output=True, text=True, timeout=300, check=False
    )


def test_they_hold_what_they_need_and_are_small(packages: Path):
    (wheel,) = packages.glob("*.whl")
    (source,) = packages.glob("*.tar.gz")
    for package in (wheel, source):
        assert package.stat().st_size < MEGABYTES * 1e6, package.name
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tracked = subprocess.run(
        ["git", "ls-files", "autograder"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    assert {name for name in tracked if name} <= names
    assert not [name for name in names if name.startswith(("tests/", "solutions/"))]
    with tarfile.open(source) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "Makefile", "constraints.txt", ".ci/run"} <= inside
    assert {f"solutions/{homework.stem}.py" for homework in homeworks().values()} <= inside


def test_the_wheel_grades_in_an_empty_environment_outside_of_a_checkout(installed: Path, tmp_path: Path):
    for homework in homeworks().values():
        if homework.id == "hw5":
            continue  # its sentences come by pip, from the network
        notebook = build_notebook(homework, source_path(ROOT, homework.stem), blank=homework.id != "hw3")
        (tmp_path / "class" / homework.id).mkdir(parents=True)
        (tmp_path / "class" / homework.id / f"{homework.stem}.ipynb").write_text(dumps(notebook))
    done = run(installed, tmp_path, "grade", "class", "-o", "graded", "--seed", "wheel")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = list(csv.DictReader((tmp_path / "graded" / "grades.csv").read_text().splitlines()))
    points = {row["submission"]: float(row["points"]) for row in rows}
    assert points.pop("hw3") >= 80  # the reference, as far as no training is needed
    assert points == dict.fromkeys(set(homeworks()) - {"hw3", "hw5"}, 0.0)
    assert (tmp_path / "graded" / "report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bundle", "hw3", "-o", "hw3-gradescope.zip", "--platform", "gradescope"], ""),
        (["build"], "is not a checkout of this project"),
        (["release", "-o", "x.zip"], "is not a checkout of this project"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_other_commands_work_or_say_that_they_need_a_checkout(
    installed: Path, tmp_path: Path, arguments: list[str], says: str
):
    done = run(installed, tmp_path, *arguments)
    assert done.returncode == (2 if says else 0), done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
