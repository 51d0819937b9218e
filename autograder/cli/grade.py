"""``autograder grade``: from submissions to grades and feedback."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from autograder.cli.packages import check_packages
from autograder.cli.progress import show_progress
from autograder.cli.shared import check_word, chosen, publish_pages
from autograder.cli.trouble import RefusedError
from autograder.declare import DataUnavailableError
from autograder.files import SECRET, encoded, kept_secret, speakable, write_atomically
from autograder.grade import batch, faults, marks
from autograder.grade.cluster import cluster
from autograder.grade.grade import Settings
from autograder.grade.report import Report
from autograder.grade.store import OutputBusyError, Results
from autograder.grade.variants import with_students
from autograder.grade.workers import Graded, key_of
from autograder.report import tables
from autograder.report.not_run import class_lines
from autograder.report.shown import REVEAL
from autograder.run.choose import NoSandboxError, Place
from autograder.run.container import within_container
from autograder.run.limits import Limits, implausible
from autograder.submissions.find import Submission, find

LIMITS = {
    name: type(default)
    for name, default in dataclasses.asdict(Limits()).items()
    if name not in ("cell_seconds", "total_seconds")
}
WIDTH = 110  # columns of what is written into a file or a pipe
LEFT_ALONE = "left-alone.txt"  # in the output folder: every file that is part of no submission
SHOWN = 5  # files that are no submission, by name
OUR_FAULT = 3  # the exit code where a mistake in the grader left points open

# what makes executors, None for those of this machine, and how many submissions they grade at a time
Source = AbstractContextManager[tuple[Callable[[], Executor] | None, int]]


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


def _seconds(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if problem := implausible(str(parameter.name), value):
        raise click.BadParameter(problem)
    return value


@click.command("grade")
@click.argument("submissions", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for grades.csv and the results.",
)
@click.option(
    "--homework",
    type=str,
    help="Take every submission for this homework, such as hw3, instead of recognising it.",
)
@click.option(
    "--seed",
    help=(
        "Draws the hidden inputs. Keep it secret, and the same for a whole class. [default: OUTPUT/seed.txt,"
        " made if missing]"
    ),
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Submissions graded at the same time. [default: the number of cores]",
)
@click.option(
    "--cell-seconds",
    type=float,
    default=Limits.cell_seconds,
    show_default=True,
    callback=_seconds,
    help="Time limit of one cell.",
)
@click.option(
    "--total-seconds",
    type=float,
    default=Limits.total_seconds,
    show_default=True,
    callback=_seconds,
    help="Time limit of one submission.",
)
@click.option(
    "--library-calls",
    type=click.Choice(["flag", "zero"]),
    default="flag",
    show_default=True,
    help=(
        "What follows where an answer rests on a library call that does the question's whole job: a note, or"
        " no points for that question."
    ),
)
@click.option(
    "--reveal",
    type=click.Choice(REVEAL),
    default=REVEAL[0],
    show_default=True,
    help=(
        "What feedback shows of a failing hidden input: its shape in words, the input, or the expected"
        " result, too."
    ),
)
@click.option(
    "--variants",
    metavar="WORD",
    default="",
    callback=check_word,
    help=(
        "Each student has hidden inputs and numbers of their own; WORD as in 'release --variants'. Ids come"
        " from collected.csv, if there."
    ),
)
@click.option(
    "--limit",
    "limits",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_limits,
    help=f"Any other limit: {', '.join(LIMITS)}.",
)
@click.option(
    "--allow-package",
    "allowed",
    metavar="NAME",
    multiple=True,
    help=(
        "A module beyond the homework's own that submissions may import, such as einops. It must be installed"
        " where you grade, or lie in a folder given with --packages."
    ),
)
@click.option(
    "--requirements",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help=(
        "A file as 'pip install -r' reads it, of packages that submissions may import. They must be installed"
        " where you grade, or lie in a folder given with --packages; nothing is installed."
    ),
)
@click.option(
    "--packages",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    help=(
        "A folder of further packages that submissions may import, as 'pip install --target FOLDER' makes"
        " it. What is installed comes first."
    ),
)
@click.option(
    "--sandbox",
    type=click.Choice(["auto", "required", "off"]),
    default="auto",
    show_default=True,
    help="Whether to use bubblewrap.",
)
@click.option(
    "--cold", is_flag=True, help="Start a new interpreter for each submission: much slower, same results."
)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Grade on the Dask cluster of this scheduler, such as tcp://10.0.0.1:8786.",
)
@click.option("--force", is_flag=True, help="Grade again what has not changed since the last run, too.")
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
    force: bool,
) -> None:
    """Grades notebooks, logs, zips and folders of those; writes grades.csv, report.html and feedback pages.

    The exit code is 0 when every submission was judged, however badly it did, and 3 when a mistake in the
    grader itself left points open. The same command again goes on where a stopped one was, and grades only
    what is new, has changed or is open.
    """
    if homework is not None:
        chosen((homework,))
    importable = check_packages(allowed, packages, requirements)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    handed_in, ignored = _find(submissions, with_ids=bool(variants))
    place = Place(
        sandbox,
        cold,
        tuple(str(path.resolve()) for path in (output, *submissions)),
        tuple(str(path.resolve()) for path in packages),
    )
    reports: dict[str, Report] = {}
    try:
        results = Results(output)
        within = Limits(cell_seconds=cell_seconds, total_seconds=total_seconds, **limits)  # type: ignore[arg-type]
        if "memory_bytes" not in limits:
            within = within_container(within)
        secret = seed or kept_secret(output / "seed.txt")
        settings = Settings(secret, homework, within, library_calls, variants, importable)
        if not force:
            reports |= _kept(console, results, handed_in, settings)
        queue = deque(one for one in handed_in if one.name not in reports)
        handed_in.clear()  # a submission's bytes are not kept longer than it takes to grade it
        if queue:
            for one in _grade(console, queue, settings, place, _source(dask, workers, len(queue))):
                results.keep(one.report, one.executed, one.seconds)
                reports[one.report.submission] = one.report
    except DataUnavailableError as error:
        raise RefusedError(_without_data(str(error), len(reports))) from None
    except (batch.BatchError, NoSandboxError, OutputBusyError) as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        console.print(
            f"\nStopped. {len(reports)} submissions are judged and kept; the same command goes on from"
            " there.",
            soft_wrap=True,
        )
        raise click.exceptions.Exit(130) from None
    _conclude(console, output, list(reports.values()), ignored, reveal)


def _without_data(why: str, judged: int) -> str:
    """Why grading stops where data of a homework is missing, and the command that fetches it."""
    kept = f"{judged} submissions are judged and kept" if judged else "nothing was graded"
    return (
        f"This machine lacks data that a homework here needs, so {kept}. Run 'python -m"
        " autograder.author.fetch' once with network access, then the same command again."
        f" The cause: {why.splitlines()[0] if why else 'unknown'}"
    )


def _find(paths: Sequence[Path], with_ids: bool) -> tuple[list[Submission], Sequence[str]]:
    """The submissions, with their students' ids if wanted, and the files that are none."""
    found = find(paths)
    if not found.submissions:
        raise click.ClickException(f"no notebook, log or zip among {', '.join(map(str, paths))}")
    try:
        handed_in = with_students(found.submissions, paths) if with_ids else list(found.submissions)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    return handed_in, found.ignored


def _kept(
    console: Console, results: Results, handed_in: Sequence[Submission], settings: Settings
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


def _source(dask: str | None, workers: int | None, total: int) -> Source:
    if dask:
        return cluster(dask)
    return contextlib.nullcontext((None, min(workers or os.cpu_count() or 1, total)))


def _grade(
    console: Console, queue: deque[Submission], settings: Settings, place: Place, source: Source
) -> Iterator[Graded]:
    """Grades a queue, with warnings and progress on the console."""
    total = len(queue)
    with source as (executors, count), show_progress(console, total) as advance:
        local = functools.partial(batch.local_executor, count)
        for one in batch.run(queue, settings, place, executors or local, count):
            if isinstance(one, str):
                console.print(f"[bold yellow]Warning:[/] {escape(speakable(one))}")
                continue
            yield one
            advance()


def _conclude(
    console: Console, output: Path, reports: list[Report], ignored: Sequence[str], reveal: str
) -> None:
    """Writes grades and pages, and says what there is to look at.

    Raises:
        click.exceptions.Exit: a mistake in the grader left points open.
    """
    reports = marks.apply(output, reports)  # what people gave is not open
    write_atomically(output / "grades.csv", encoded(tables.grades_csv(reports)))
    console.print(tables.table(reports))
    (output / LEFT_ALONE).unlink(missing_ok=True)  # of an earlier run
    if ignored:
        write_atomically(output / LEFT_ALONE, encoded("".join(f"{speakable(one)}\n" for one in ignored)))
        more = f" and {len(ignored) - SHOWN} more" if len(ignored) > SHOWN else ""
        names = escape(speakable(", ".join(ignored[:SHOWN])))
        console.print(
            f"Not part of a submission, left alone: {names}{more}. All of them: {LEFT_ALONE}", soft_wrap=True
        )
    publish_pages(console, output, reports, reveal)
    where = escape(speakable(str(output)))
    console.print(
        f"{len(reports)} submissions judged. Grades: {where}/grades.csv; feedback: {where}/submissions"
    )
    for told in tables.open_words(reports):
        console.print(told, soft_wrap=True)
    console.print(f"Open the class report in a browser: {where}/report.html", soft_wrap=True)
    for line in class_lines(reports):
        console.print(line, soft_wrap=True, markup=False, highlight=False)
    if _tell_faults(console, output, reports):
        raise click.exceptions.Exit(OUR_FAULT)


def _tell_faults(console: Console, output: Path, reports: Sequence[Report]) -> bool:
    """Prints a line for each check that failed on our side and writes the tracebacks.

    Returns:
        Whether there are any.
    """
    found, path = faults.find_faults(reports), output / faults.FILE
    if not found:
        path.unlink(missing_ok=True)  # of an earlier run
        return False
    write_atomically(path, encoded(faults.faults_text(found)), SECRET)
    for fault in found:
        console.print(
            speakable(faults.fault_line(fault, path)), soft_wrap=True, markup=False, highlight=False
        )
    return True
