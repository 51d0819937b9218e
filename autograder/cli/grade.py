"""``autograder grade``: from submissions to grades and feedback."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path

import click
from rich.text import Text

from autograder.cli.conclude import conclude
from autograder.cli.packages import check_packages
from autograder.cli.progress import show_progress
from autograder.cli.shared import (
    Terminal,
    check_seconds,
    check_word,
    chosen,
    course_option,
    following,
    keep_course,
    unless_given,
)
from autograder.cli.trouble import RefusedError
from autograder.declare import DataUnavailableError
from autograder.files import kept_secret, speakable
from autograder.grade import batch
from autograder.grade.cluster import cluster
from autograder.grade.report import Report
from autograder.grade.settings import Settings
from autograder.grade.store import OutputBusyError, Results
from autograder.grade.variants import with_students
from autograder.grade.workers import Graded, key_of
from autograder.lms.people import MANIFEST, folders_of
from autograder.report.tables import REVEAL
from autograder.run.choose import NoSandboxError, Place, nursery
from autograder.run.container import usual_workers, within_container
from autograder.run.limits import Limits, implausible
from autograder.submissions.find import Submission, find

LIMITS = {
    name: type(default)
    for name, default in dataclasses.asdict(Limits()).items()
    if name not in ("cell_seconds", "total_seconds")
}
WIDTH = 110  # columns of what is written into a file or a pipe

# what makes executors, and how many submissions they grade at a time
Source = AbstractContextManager[tuple[Callable[[], Executor], int]]


def _limits(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for value in values:
        name, _, number = value.partition("=")
        if name not in LIMITS:
            raise click.BadParameter(f"{name}: the limits are {', '.join(LIMITS)}")
        try:
            found = float(number)
        except ValueError:
            raise click.BadParameter(f"{value}: expected NAME=NUMBER, such as memory_bytes=4e9") from None
        if problem := implausible(name, found):
            raise click.BadParameter(problem)
        limits[name] = LIMITS[name](found)
    return limits


@click.command("grade")
@click.argument("submissions", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write to: grades.csv, report.html, feedback.",
)
@click.option(
    "--homework",
    type=str,
    help="Grade all submissions as this homework, such as hw3, instead of detecting it.",
)
@click.option(
    "--seed",
    help=(
        "The secret seed of the hidden inputs, one for a class. [default: OUTPUT/seed.txt, created if"
        " missing]"
    ),
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Number of submissions graded in parallel. [default: one for each core; fewer in a small container]",
)
@click.option(
    "--cell-seconds",
    type=float,
    default=Limits.cell_seconds,
    show_default=True,
    callback=check_seconds,
    help="Time limit for one cell, in seconds.",
)
@click.option(
    "--total-seconds",
    type=float,
    default=Limits.total_seconds,
    show_default=True,
    callback=check_seconds,
    help="Time limit for one submission, in seconds.",
)
@click.option(
    "--library-calls",
    type=click.Choice(["flag", "zero"]),
    default="flag",
    show_default=True,
    help=(
        "What to do if an answer uses a library call that does the whole task of the question: add a note, or"
        " give no points for the question."
    ),
)
@click.option(
    "--reveal",
    type=click.Choice(REVEAL),
    default=REVEAL[0],
    show_default=True,
    help=(
        "What feedback shows of a failing hidden input: a description of its shape, the input itself, or the"
        " input and the expected result."
    ),
)
@click.option(
    "--variants",
    metavar="WORD",
    default="",
    callback=check_word,
    help=(
        "Grade per-student variants: hidden inputs and numbers differ by student. WORD is the word given to"
        " 'release --variants'. Student ids come from collected.csv if it exists."
    ),
)
@click.option(
    "--limit",
    "limits",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_limits,
    help=f"Another limit: {', '.join(LIMITS)}.",
)
@click.option(
    "--allow-package",
    "allowed",
    metavar="NAME",
    multiple=True,
    help=(
        "Another module that submissions may import, such as einops. It must be installed on the grading"
        " machine or be in a folder given with --packages."
    ),
)
@click.option(
    "--requirements",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help=(
        "A pip requirements file of packages that submissions may import. They must be installed on the"
        " grading machine or be in a folder given with --packages. The command installs nothing."
    ),
)
@click.option(
    "--packages",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    help=(
        "A folder of packages that submissions may import, made by 'pip install --target FOLDER'. Installed"
        " packages take precedence."
    ),
)
@click.option(
    "--sandbox",
    type=click.Choice(["auto", "required", "off"]),
    default="auto",
    show_default=True,
    help="Whether to run submissions in the bubblewrap sandbox.",
)
@click.option(
    "--cold", is_flag=True, help="Start a new interpreter for each submission. Slower, with the same results."
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Grade on the Dask cluster with this scheduler, such as tcp://10.0.0.1:8786.",
)
@course_option
@click.option("--force", is_flag=True, help="Grade all submissions again, including unchanged ones.")
def grade_command(
    submissions: tuple[Path, ...],
    output: Path,
    homework: str | None,
    seed: str | None,
    workers: int | None,
    cell_seconds: float,
    total_seconds: float,
    library_calls: str,
    reveal: str,
    variants: str,
    limits: dict[str, float],
    allowed: tuple[str, ...],
    requirements: tuple[Path, ...],
    packages: tuple[Path, ...],
    sandbox: str,
    cold: bool,
    dask: str | None,
    course: Path | None,
    force: bool,
) -> None:
    """Grades notebooks, logs, zips and folders of these. Writes grades.csv, report.html and feedback pages.

    The exit code is 0 if every submission was graded, whatever its points, and 3 if a fault in the grader
    left points open. Run the same command again to resume a stopped run: it grades only submissions that are
    new, changed or open.
    """
    refuse_overlap(submissions, output)
    taught = following(course, submissions)
    if homework is not None:
        chosen((homework,))
    reveal = unless_given("reveal", reveal, taught.reveal)
    library_calls = unless_given("library_calls", library_calls, taught.library_calls)
    variants = unless_given("variants", variants, taught.variants)
    bounds = {**taught.limits, **limits}
    cell_seconds = unless_given("cell_seconds", cell_seconds, bounds.pop("cell_seconds", None))
    total_seconds = unless_given("total_seconds", total_seconds, bounds.pop("total_seconds", None))
    importable = check_packages(allowed, packages, requirements)
    console = Terminal(width=None if sys.stdout.isatty() else WIDTH)
    place = Place(
        sandbox,
        cold,
        tuple(str(path.resolve()) for path in (output, *submissions)),
        tuple(str(path.resolve()) for path in packages),
    )
    reports: dict[str, Report] = {}
    try:
        # it imports while the submissions are looked for; the workers of a cluster have their own
        with contextlib.nullcontext() if dask else nursery(place) as sandboxes:
            handed_in, ignored = _find(submissions, output, with_ids=bool(variants))
            results = Results(output)
            bounds |= {"cell_seconds": cell_seconds, "total_seconds": total_seconds}
            within = Limits(**bounds)  # type: ignore[arg-type]
            if "memory_bytes" not in bounds:
                within = within_container(within)
            secret = seed or kept_secret(output / "seed.txt")
            settings = Settings(
                secret, homework, within, library_calls, variants, importable, taught.adaptation
            )
            keep_course(taught, output)
            if not force:
                reports |= _kept(console, results, handed_in, settings)
            queue = deque(one for one in handed_in if one.name not in reports)
            handed_in.clear()  # a submission's bytes are not kept longer than it takes to grade it
            if queue:
                source = _source(dask, workers, len(queue), sandboxes)
                for one in _grade(console, queue, settings, place, source):
                    results.keep(one.report, one.executed, one.seconds)
                    reports[one.report.submission] = one.report
    except DataUnavailableError as error:
        raise RefusedError(_without_data(str(error), len(reports))) from None
    except (batch.BatchError, NoSandboxError, OutputBusyError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        console.print(
            f"\nStopped. {len(reports)} submissions are graded and saved. Run the same command again to"
            " continue.",
            soft_wrap=True,
        )
        raise click.exceptions.Exit(130) from None
    try:
        conclude(console, output, list(reports.values()), ignored, reveal, settings)
    finally:
        results.close()


def _without_data(why: str, judged: int) -> str:
    """Why grading stops where data of a homework is missing, and the command that fetches it."""
    kept = f"{judged} submissions are graded and saved" if judged else "nothing was graded"
    return (
        f"This machine lacks data that a homework needs; {kept}. Run 'python -m"
        " autograder.author.fetch' once with network access, then run the same command again."
        f" Cause: {why.splitlines()[0] if why else 'unknown'}"
    )


def refuse_overlap(paths: Sequence[Path], output: Path) -> None:
    """Refuses results among the submissions, where the next run could not tell them apart.

    Raises:
        click.UsageError: the folder of results, or the one in it that has a folder for each submission, is
            among the paths.
    """
    pages = (output / "submissions").resolve()
    for path in (one.resolve() for one in paths):
        if path == output.resolve() or path == pages or pages in path.parents:
            raise click.UsageError(
                f"the results would be written to {output / 'submissions'}, among the submissions; give"
                " another folder, such as -o graded"
            )


def _find(paths: Sequence[Path], output: Path, with_ids: bool) -> tuple[list[Submission], Sequence[str]]:
    """The submissions, with their students' ids if wanted, and the files that are none."""
    found = find(paths, people=folders_of(paths), without=output)
    if not found.submissions:
        raise click.ClickException(f"found no notebook, log or zip in {', '.join(map(str, paths))}")
    try:
        handed_in = with_students(found.submissions, paths) if with_ids else list(found.submissions)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    return handed_in, [one for one in found.ignored if one != MANIFEST]  # which 'autograder collect' wrote


def _kept(
    console: Terminal, results: Results, handed_in: Sequence[Submission], settings: Settings
) -> dict[str, Report]:
    """The reports of an earlier run that still hold."""
    kept = {
        one.name: old
        for one in handed_in
        if (old := results.kept(one.name, key_of(one, settings))) is not None
    }
    if kept:
        console.print(f"{len(kept)} of {len(handed_in)} submissions have not changed since they were graded.")
    return kept


def _source(dask: str | None, workers: int | None, total: int, sandboxes: socket.socket | None) -> Source:
    if dask:
        return cluster(dask)
    count = min(workers or usual_workers(), total)
    return contextlib.nullcontext((functools.partial(batch.local_executor, count, sandboxes), count))


def _grade(
    console: Terminal, queue: deque[Submission], settings: Settings, place: Place, source: Source
) -> Iterator[Graded]:
    """Grades a queue, with warnings and progress on the console."""
    total = len(queue)
    with source as (executors, count), show_progress(console, total) as advance:
        for one in batch.run(queue, settings, place, executors, count):
            if isinstance(one, str):
                console.print(Text.assemble(("Warning: ", "bold yellow"), speakable(one)))
                continue
            yield one
            advance()
