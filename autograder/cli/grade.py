"""``autograder grade``: from submissions to grades and feedback."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from autograder.cli.shared import check_word, chosen, publish_pages
from autograder.files import kept_secret, write_atomically
from autograder.grade import batch
from autograder.grade.grade import Settings
from autograder.grade.variants import with_students
from autograder.report import tables as report
from autograder.report.shown import REVEAL
from autograder.run.choose import Place
from autograder.run.limits import Limits
from autograder.submissions.find import find

LIMITS = {
    name: type(default)
    for name, default in dataclasses.asdict(Limits()).items()
    if name not in ("cell_seconds", "total_seconds")
}
WIDTH = 110  # columns of what is written into a file or a pipe
LINE_SECONDS = 10.0  # between lines of progress where there is no terminal


def _limits(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    limits: dict[str, float] = {}
    for value in values:
        name, _, number = value.partition("=")
        if name not in LIMITS:
            raise click.BadParameter(f"{name}: the limits are {', '.join(LIMITS)}")
        try:
            limits[name] = LIMITS[name](float(number))
        except ValueError:
            raise click.BadParameter(f"{value}: expected NAME=NUMBER, such as memory_bytes=4e9") from None
    return limits


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
    help="Time limit of one cell.",
)
@click.option(
    "--total-seconds",
    type=float,
    default=Limits.total_seconds,
    show_default=True,
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
    sandbox: str,
    cold: bool,
    dask: str | None,
    force: bool,
) -> None:
    """Grades notebooks, logs, zips and folders of those: grades.csv, report.html and feedback for each.

    The exit code is 0 when every submission was judged, however badly it did. The same command again goes on
    where a stopped one was, and grades only what is new or has changed.
    """
    if homework is not None:
        chosen((homework,))
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    found = find(submissions)
    try:
        handed_in = with_students(found.submissions, submissions) if variants else list(found.submissions)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if not found.submissions:
        raise click.ClickException(f"no notebook, log or zip among {', '.join(map(str, submissions))}")
    hidden = tuple(str(path.resolve()) for path in (output, *submissions))
    place = Place(sandbox, cold, hidden)
    try:
        results = batch.Results(output)
        allowed = Limits(cell_seconds=cell_seconds, total_seconds=total_seconds, **limits)  # type: ignore[arg-type]
        settings = Settings(
            seed or kept_secret(output / "seed.txt"), homework, allowed, library_calls, variants
        )
        kept = {} if force else {one.name: old for one in handed_in if (old := results.kept(one, settings))}
        left = [one for one in handed_in if one.name not in kept]
        if kept:
            console.print(
                f"{len(kept)} of {len(handed_in)} submissions have not changed since they were graded."
            )
        reports = list(kept.values())
        total, ignored = len(left), found.ignored
        del found, handed_in  # a submission's bytes are not kept longer than it takes to grade it
        source = (
            batch.cluster(dask)
            if dask
            else contextlib.nullcontext((None, min(workers or os.cpu_count() or 1, max(total, 1))))
        )
        if total:
            with source as (executors, count), _progress(console, total) as advance:
                queue = deque(left)
                left.clear()
                for one in batch.run(
                    queue, settings, place, executors or functools.partial(batch.local_executor, count), count
                ):
                    if isinstance(one, str):
                        console.print(f"[bold yellow]Warning:[/] {escape(one)}")
                        continue
                    results.keep(one)
                    reports.append(one.report)
                    advance()
    except batch.Stopped as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        console.print(
            f"\nStopped. {len(reports)} submissions are judged and kept; the same command goes on from"
            " there.",
            soft_wrap=True,
        )
        raise click.exceptions.Exit(130) from None
    write_atomically(output / "grades.csv", report.grades_csv(reports).encode())
    console.print(report.table(reports))
    if ignored:
        shown = ", ".join(ignored[:5]) + (f" and {len(ignored) - 5} more" if len(ignored) > 5 else "")
        console.print(f"Not part of a submission, left alone: {shown}")
    publish_pages(console, output, reports, reveal)
    console.print(
        f"{len(reports)} submissions judged. Grades: {output / 'grades.csv'}; feedback:"
        f" {output / 'submissions'}"
    )
    console.print(f"Open the class report in a browser: {output / 'report.html'}", soft_wrap=True)


@contextlib.contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[], None]]:
    """Shows how many are done and how long it will take: a bar on a terminal, else a line now and then."""
    started, last, done = time.monotonic(), time.monotonic(), 0

    def rate() -> str:
        return f"{done / max(time.monotonic() - started, 1e-9):.2f}/s"

    def line() -> None:
        left = (total - done) * (time.monotonic() - started) / max(done, 1)
        console.print(f"{done} of {total} graded, {rate()}, {left:.0f} s left", highlight=False)

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(
        TextColumn("grading"), *columns, console=console, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("grading", total=total, rate="")

        def advance() -> None:
            nonlocal done, last
            done += 1
            progress.update(task, advance=1, rate=rate())
            if not console.is_terminal and (done == total or time.monotonic() - last > LINE_SECONDS):
                last = time.monotonic()
                line()

        yield advance
