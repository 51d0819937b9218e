"""Tests and grades under several Python versions, and compares: ``python -m tests.versions 3.11 3.12 3.13``.

Each version gets an environment of its own in ``build/versions``, with the pins of ``constraints.txt``
(plain pip fetches gigabytes for torch unless ``TORCH_INDEX`` is set, see the Makefile). There, the known
answers of all homeworks are graded, what depends on Python's own steps is tested, and the demo class is
graded; grades that differ from those of the first version are listed. A version that is not installed here is
skipped, and the last table says so.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import click

from tests.gallery import ROOT

FOLDER = ROOT / "build" / "versions"
DEMO = FOLDER / "class"
USUAL = ("3.11", "3.12", "3.13")
TESTS = ("tests/test_gallery.py", "tests/test_steps.py")
COUNTED = re.compile(r"\d+ (?:passed|failed|errors?)")


@dataclass
class Outcome:
    """How one version did; empty words where nothing went wrong."""

    version: str
    skipped: str = ""
    gallery: str = ""
    differing: list[str] = field(default_factory=list)
    failed: bool = False

    @property
    def row(self) -> str:
        """A line of the table."""
        if self.skipped:
            return f"| {self.version} | skipped: {self.skipped} | |"
        grades = f"{len(self.differing)} differ" if self.differing else "the same"
        return f"| {self.version} | {self.gallery} | {'' if self.failed else grades} |"


def interpreter(version: str) -> str | None:
    """An interpreter of that version: on PATH, or in pyenv's folder; None where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    there = [shutil.which(f"python{version}"), *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")))]
    for found in filter(None, there):
        asked = subprocess.run(  # an interpreter that PATH or pyenv names
            [found, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True
        )
        if asked.stdout.strip() == version:  # pyenv's shims exist for versions that are not chosen
            return found
    return None


def environment(version: str, found: str) -> Path:
    """The version's own environment with the project in it, made where it is missing."""
    python = FOLDER / version / "bin" / "python"
    if not (FOLDER / version / ".installed").exists():
        index = os.environ.get("TORCH_INDEX")
        extra = ["--extra-index-url", index] if index else []
        _run([found, "-m", "venv", str(FOLDER / version)])
        _run(
            [str(python), "-m", "pip", "install", "-q", *extra, "-c", "constraints.txt", "-e", ".[dev,otter]"]
        )
        _run([str(python), "-m", "autograder.author.fetch"])
        (FOLDER / version / ".installed").touch()
    return python


def grades(path: Path) -> dict[tuple[str, str], str]:
    """(submission, column) → cell of a table of grades."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (row["submission"], column): cell for row in csv.DictReader(file) for column, cell in row.items()
        }


def differing(path: Path, first: Path) -> list[str]:
    """The cells in which two tables of grades differ, in words."""
    here, there = grades(path), grades(first)
    return [
        f"{submission}, {column}: {there.get((submission, column))} → {here.get((submission, column))}"
        for submission, column in sorted(here.keys() | there.keys())
        if here.get((submission, column)) != there.get((submission, column))
    ]


def _run(command: list[str], **more: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, check=True, text=True, **more)  # type: ignore[call-overload, no-any-return]


def tried(version: str, homework: str, first: Path | None) -> Outcome:
    """Tests the galleries, or one homework's, and grades the demo class under one version."""
    found = interpreter(version)
    if found is None:
        return Outcome(version, "it is not installed here")
    click.echo(f"Python {version}: installing, testing and grading …")
    python, output = str(environment(version, found)), FOLDER / f"graded-{version}"
    test = [python, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider", *TESTS]
    test += ["-k", f"{homework} or steps"] if homework else []
    done = subprocess.run(test, cwd=ROOT, capture_output=True, text=True)  # our own tests
    made = Outcome(version, gallery=", ".join(COUNTED.findall(done.stdout)) or "no result")
    if done.returncode != 0:
        click.echo(done.stdout[-3000:] + done.stderr[-1000:])
        made.failed = True
        return made
    if not DEMO.is_dir():
        _run([sys.executable, "-m", "tests.demo", str(DEMO)])
    shutil.rmtree(output, ignore_errors=True)
    grade = [python, "-m", "autograder", "grade", str(DEMO), "-o", str(output), "--seed", "versions"]
    _run(grade, stdout=subprocess.DEVNULL)
    made.differing = differing(output / "grades.csv", first / "grades.csv") if first else []
    return made


@click.command()
@click.argument("versions", nargs=-1)
@click.option("--homework", default="", help="Test the gallery of this homework alone, such as hw3.")
def main(versions: tuple[str, ...], homework: str) -> None:
    """Tests the galleries and grades the demo class under each of the Python VERSIONS, such as 3.12."""
    outcomes: list[Outcome] = []
    for version in versions or USUAL:
        graded = [one.version for one in outcomes if not one.skipped and not one.failed]
        outcomes.append(tried(version, homework, FOLDER / f"graded-{graded[0]}" if graded else None))
    for one in outcomes:
        for line in one.differing[:50]:
            click.echo(f"Python {one.version}: {line}")
    of_one = f" ({homework})" if homework else ""
    click.echo(f"| Python | galleries{of_one} | grades of the demo class |\n| --- | --- | --- |")
    click.echo("\n".join(one.row for one in outcomes))
    sys.exit(any(one.failed or one.differing for one in outcomes))


if __name__ == "__main__":
    main()
