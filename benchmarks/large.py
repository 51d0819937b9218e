"""What stands behind grading, at any size: the folder of results, report, CSV files, manual grading.

``python -m benchmarks.large 100000`` makes up that many results of hw3, without running a notebook, and takes
them through everything that happens to the results of a class in one process.
"""

from __future__ import annotations

import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from autograder.declare import homeworks
from autograder.desk.stacks import Desk
from autograder.files import encoded, write_atomically
from autograder.grade import marks, marks_csv
from autograder.grade.report import Report
from autograder.grade.store import read_reports, write_results
from autograder.report import class_report
from autograder.report.tables import grades_csv
from tests.example_results import GOOD, result

MARKED = 0.2  # share of written answers that people have graded
KINDS = 64  # different submissions; the others are like one of them, with another name and answer


def made_up(count: int) -> Iterator[Report]:
    """Reports of hw3 that differ in points, feedback and written answers."""
    dice, homework = random.Random(0), homeworks()["hw3"]
    kinds = [
        tuple(result(name, dice.choice((0, 0.5, 1, 1, 1)), "") for name in homework.questions)
        for _ in range(KINDS)
    ]
    for number in range(count):
        questions = tuple(
            one if one.written is None else result(one.id, 1, f"{GOOD} In the notebook of student {number}.")
            for one in kinds[number % KINDS]
        )
        yield Report(f"student-{number:07d}", "hw3", "graded", questions, key=f"{number}", digest=f"{number}")


@click.command()
@click.argument("count", type=click.IntRange(1), default=1000)
def main(count: int) -> None:
    """Prints seconds and memory for each step."""
    print(
        f"{count:,} made-up results of hw3\n\n| step | s | MB, largest so far |\n| --- | ---: | ---: |",
        flush=True,
    )
    with tempfile.TemporaryDirectory() as name:
        steps(Path(name), count)


@contextmanager
def step(what: str) -> Iterator[Callable[[str], None]]:
    """Prints a row when the block is done; what it yields adds to the row's name."""
    started, more = time.monotonic(), []
    yield more.append
    spent, held = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"| {what}{''.join(more)} | {spent:.1f} | {held:,.0f} |", flush=True)


def steps(output: Path, count: int) -> None:
    """Takes results through a folder of results and everything that reads it."""
    with step("write `results.json` of each") as told:
        size = 0
        for report in made_up(count):
            write_results(output / "submissions" / report.submission, report)
            size = size or (output / "submissions" / report.submission / "results.json").stat().st_size
        told(f" ({size / 1e3:.0f} kB each)")
    with step("read them"):
        reports = read_reports(output)
    with step(f"save the marks of {MARKED:.0%} of the answers"):
        kept = marks.Marks(output)
        asked = [
            (one, question) for one in reports for question in one.questions if question.written is not None
        ]
        few = asked[: int(MARKED * len(asked))]
        kept.save_all(
            marks.Mark(one.submission, question.id, marks.digest(question.answer), points=1.0, grader="a")
            for one, question in few
        )
    with step("apply the marks"):
        reports = marks.apply(output, reports)
    with step("grades.csv") as told:
        text = grades_csv(reports)
        write_atomically(output / "grades.csv", encoded(text))
        told(f" ({len(text) / 1e6:.1f} MB)")
    with step("marks.csv, to grade elsewhere"):
        marks_csv.to_csv(output, reports)
    with step("class report, without comparing code") as told:
        page = class_report.page(reports, output, compare=False)
        told(f" ({len(page) / 1e6:.1f} MB)")
    with step("open manual grading"):
        desk = Desk(output)
    stack = next(iter(desk.stacks.values()))
    with step("manual grading's next answer, once"):
        desk.next_key(stack, "a", None)


if __name__ == "__main__":
    main()
