"""The command line: ``autograder build`` for authors, ``autograder grade`` for instructors."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import getpass
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import nbformat
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

from autograder import __version__
from autograder.author import build, tables
from autograder.author.reference import run_reference
from autograder.cli.bundle import bundle_command
from autograder.cli.collect import collect_command, handback_command
from autograder.cli.otter_assign import export_command
from autograder.cli.release import release_command, word
from autograder.cli.written import written_command
from autograder.declare import DataUnavailableError, Homework, homeworks
from autograder.files import kept_secret, write_atomically
from autograder.grade import batch, marks
from autograder.grade.grade import Settings
from autograder.grade.report import Report
from autograder.grade.variants import with_students
from autograder.names import notebook_path
from autograder.report import feedback as pages
from autograder.report import tables as report
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


class _Commands(click.Group):
    """Tells missing data as an error with the manual step, not as a traceback."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except DataUnavailableError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Builds the homework notebooks and grades what students hand in."""


main.add_command(bundle_command)
main.add_command(collect_command)
main.add_command(handback_command)
main.add_command(export_command)
main.add_command(release_command)
main.add_command(written_command)


def _chosen(names: tuple[str, ...]) -> list[Homework]:
    known = homeworks()
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}: the homeworks are {', '.join(known)}")
    return [known[name] for name in names or known]


@main.command("build")
@click.argument("names", metavar="[HOMEWORK]...", nargs=-1)
@click.option(
    "--check", is_flag=True, help="Write nothing; fail if a committed notebook is not what its source gives."
)
@click.option(
    "--reference",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also write the executed reference notebooks here.",
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The checkout; default: this folder.",
)
def build_command(names: tuple[str, ...], check: bool, reference: Path | None, root: Path) -> None:
    """Makes the student notebooks from the sources in solutions/."""
    stale = []
    for homework in _chosen(names):
        path = notebook_path(root, homework.stem)
        try:
            text = build.student_notebook(root, homework)
        except build.BuildError as error:
            raise click.ClickException(str(error)) from None
        fresh = path.is_file() and path.read_text(encoding="utf-8") == text
        if check and not fresh:
            stale.append(str(path))
        elif not check:
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, text.encode())
        click.echo(f"{path}: {'up to date' if fresh else 'STALE' if check else 'written'}")
        if reference is not None:
            _write_reference(root, homework, reference)
    for path, text in tables.pages(root, homeworks()).items() if (root / tables.README).is_file() else ():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            click.echo(f"{path}: {'STALE' if check else 'written'}")
            stale += [str(path)] if check else []
            if not check:
                write_atomically(path, text.encode())
    if stale:
        raise click.ClickException(
            f"stale: {', '.join(stale)}. Run 'autograder build' and commit the result."
        )


def _write_reference(root: Path, homework: Homework, folder: Path) -> None:
    click.echo(f"{homework.id}: running the reference with its training cells …")
    executed, log, files = run_reference(root, homework)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{homework.stem}.ipynb"
    write_atomically(path, nbformat.writes(executed).encode())
    write_atomically(folder / f"{homework.stem}.submission_log.json", log)
    for name, data in files.items():
        write_atomically(folder / name, data)
    click.echo(f"{path}: written")


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


@main.command("grade")
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
    type=click.Choice(pages.REVEAL),
    default=pages.REVEAL[0],
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
    callback=word,
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
    """Grades notebooks, logs, zips and folders of those, and writes grades.csv, report.html and feedback for each.

    The exit code is 0 when every submission was judged, however badly it did. The same command again goes on
    where a
    stopped one was, and grades only what is new or has changed.
    """
    if homework is not None:
        _chosen((homework,))
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
    _publish(console, output, reports, reveal)
    console.print(
        f"{len(reports)} submissions judged. Grades: {output / 'grades.csv'}; feedback:"
        f" {output / 'submissions'}"
    )
    console.print(f"Open the class report in a browser: {output / 'report.html'}", soft_wrap=True)


def _publish(console: Console, output: Path, reports: list[Report] | None, reveal: str | None) -> Path:
    """Writes grades.csv, feedback pages and class report, with a bar."""
    columns = (TextColumn("writing pages"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("pages", total=None)
        try:
            return pages.publish(
                output,
                reports,
                reveal=reveal,
                progress=lambda done, total: progress.update(task, completed=done, total=total),
            )
        except KeyboardInterrupt:
            console.print(
                "\nStopped before all pages were written. Every grade is kept; the same command writes the"
                " rest.",
                soft_wrap=True,
            )
            raise click.exceptions.Exit(130) from None


@main.command("report")
@click.argument("output", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--reveal", type=click.Choice(pages.REVEAL), help="As for grade. [default: as it was]")
def report_command(output: Path, reveal: str | None) -> None:
    """Writes grades.csv, the feedback pages and report.html of a graded folder again, with the points given at the desk."""
    try:
        page = _publish(Console(), output, None, reveal)
    except FileNotFoundError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Open the class report in a browser: {page}")


@main.command("desk")
@click.argument("output", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="On 127.0.0.1; 0 takes a free one.",
)
@click.option(
    "--graders",
    type=click.IntRange(1, 50),
    default=1,
    show_default=True,
    help="How many one-time links to print.",
)
@click.option(
    "--export",
    "export",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all marks as CSV here and stop.",
)
@click.option(
    "--import",
    "take_in",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take marks from this CSV and stop.",
)
def desk_command(output: Path, port: int, graders: int, export: Path | None, take_in: Path | None) -> None:
    """Opens a page on this machine where people grade the written answers of a graded folder."""
    try:
        if export is not None or take_in is not None:
            reports = report.read_reports(output)
            if take_in is not None:
                changed = marks.from_csv(
                    output, reports, take_in.read_text(encoding="utf-8-sig"), getpass.getuser()
                )
                click.echo(f"{changed} marks changed.")
                _publish(Console(), output, reports, None)
            if export is not None:
                write_atomically(export, marks.to_csv(output, reports).encode())
                click.echo(f"{export}: written")
            return
        try:
            from autograder.desk.app import serve
        except ImportError as error:
            raise click.ClickException(
                f"manual grading needs {error.name}, which is missing here; install this project again with"
                " all of its requirements: pip install attention-homeworks"
            ) from None
        try:
            serve(output, port=port, graders=graders, tell=click.echo)
        except OSError as error:
            raise click.ClickException(
                f"port {port}: {error.strerror}. Another desk? Try --port 0."
            ) from None
        click.echo(f"Open the class report in a browser: {_publish(Console(), output, None, None)}")
    except (FileNotFoundError, UnicodeDecodeError, marks.ImportProblems) as error:
        raise click.ClickException(str(error)) from None


@contextlib.contextmanager
def _progress(console: Console, total: int) -> Iterator[Callable[[], None]]:
    """Shows how many are done, how fast it goes and how long it will take: a bar on a terminal, else a line now and then."""
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
