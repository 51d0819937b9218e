"""``autograder gallery``: whether known answers get the expected verdict under every seed."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from autograder.author.gallery import Example, Student, students
from autograder.author.reference import reference_submission
from autograder.cli.progress import show_progress
from autograder.cli.shared import Terminal, chosen, root_option, tell
from autograder.declare import Homework
from autograder.grade.batch import local_executor
from autograder.grade.seeds import Verdicts, grade_seeds, shares
from autograder.run.choose import Place
from autograder.run.container import usual_workers


def gallery(root: Path, homework: Homework) -> Sequence[Example]:
    """The known answers of a homework, from ``tests/gallery/`` of a checkout.

    Raises:
        click.ClickException: there is no such file.
    """
    path = root / "tests" / "gallery" / f"{homework.id}.py"
    if not path.is_file():
        raise click.ClickException(
            f"{path} does not exist. Run this command in a checkout, or give --root CHECKOUT."
        )
    sys.path.insert(0, str(root.resolve()))
    try:
        examples: list[Example] = importlib.import_module(f"tests.gallery.{homework.id}").EXAMPLES
    finally:
        sys.path.pop(0)
    return examples


def _made(root: Path, homework: Homework, question: str) -> list[Student]:
    """The gallery's notebooks, those of one question if it is given."""
    examples = [one for one in gallery(root, homework) if question in ("", one.question)]
    _, log, files = reference_submission(root, homework)
    return students(root, homework, examples, log, files)


@click.command("gallery")
@click.argument("names", metavar="[HOMEWORK]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Grade the galleries of all homeworks.")
@click.option("--seeds", type=click.IntRange(1), default=20, show_default=True, help="Number of seeds.")
@click.option(
    "--numbers", is_flag=True, help="List wrong answers whose feedback says only which numbers differ."
)
@click.option("--question", default="", help="Only the answers to this question, such as 1.3.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=usual_workers,
    help="Number of notebooks graded in parallel. [default: one for each core; fewer in a small container]",
)
@root_option
def gallery_command(
    names: tuple[str, ...],
    every: bool,
    seeds: int,
    numbers: bool,
    question: str,
    workers: int,
    root: Path,
) -> None:
    """Grades the known answers in tests/gallery/ under many seeds.

    Prints each answer whose verdict or feedback changes with the hidden inputs (other numbers in the
    feedback are not a change), and each answer that does not get the verdict of the gallery. Then prints the
    number of answers, the share with the expected verdict, and the share of wrong answers whose feedback
    says more than which numbers differ. The exit code is 1 if any answer was printed.
    """
    if bool(names) == every:
        raise click.UsageError("Name the homeworks, such as hw1, or give --all.")
    console, drawn = Terminal(stderr=True), [f"seed {number}" for number in range(1, seeds + 1)]
    found: list[Verdicts] = []
    with local_executor(workers) as executor:
        for homework in chosen(names):
            made = _made(root, homework, question)
            with show_progress(console, len(made) * seeds) as done:
                judged = list(grade_seeds(made, drawn, Place(), executor, done))
            for one in judged:
                if one.changes or not one.right:
                    tell(f"{homework.id}, {one}")
                if numbers and one.example.loses and not one.named:
                    tell(f"{homework.id}, {one.example.question}: {one.example.name}: only numbers")
            tell(f"{homework.id}, {seeds} seeds: {shares(judged)}")
            found += judged
    if every:
        tell(f"all, {seeds} seeds: {shares(found)}")
    changing, unfair = sum(one.changes for one in found), sum(not one.right for one in found)
    if changing or unfair:
        raise click.ClickException(
            f"{changing} answers get different verdicts or feedback, {unfair} not the gallery's verdict."
        )
    tell("Every answer gets the gallery's verdict under every seed.")
