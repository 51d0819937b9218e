"""The command line: ``autograder build`` for authors, ``autograder grade`` for instructors."""

from __future__ import annotations

import getpass
from pathlib import Path

import click
import nbformat
from rich.console import Console

from autograder import __version__
from autograder.author import build, tables
from autograder.author.reference import run_reference
from autograder.cli.bundle import bundle_command
from autograder.cli.collect import collect_command, handback_command
from autograder.cli.grade import grade_command
from autograder.cli.otter_assign import export_command
from autograder.cli.release import release_command
from autograder.cli.shared import chosen, publish_pages
from autograder.cli.written import written_command
from autograder.declare.homework import Homework, homeworks
from autograder.files import write_atomically
from autograder.grade import marks_csv, store
from autograder.homeworks.hw5.sentences import DataUnavailableError
from autograder.names import notebook_path
from autograder.report import feedback as pages


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
main.add_command(grade_command)
main.add_command(release_command)
main.add_command(written_command)


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
    for homework in chosen(names):
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


@main.command("report")
@click.argument("output", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--reveal", type=click.Choice(pages.REVEAL), help="As for grade. [default: as it was]")
def report_command(output: Path, reveal: str | None) -> None:
    """Writes grades.csv, the feedback pages and report.html of a graded folder again, with the points given at the desk."""
    try:
        page = publish_pages(Console(), output, None, reveal)
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
            reports = store.read_reports(output)
            if take_in is not None:
                changed = marks_csv.from_csv(
                    output, reports, take_in.read_text(encoding="utf-8-sig"), getpass.getuser()
                )
                click.echo(f"{changed} marks changed.")
                publish_pages(Console(), output, reports, None)
            if export is not None:
                write_atomically(export, marks_csv.to_csv(output, reports).encode())
                click.echo(f"{export}: written")
            return
        try:
            from autograder.desk.app import serve
        except ImportError as error:
            raise click.ClickException(
                f"the desk needs {error.name}: pip install 'attention-homeworks[desk]'"
            ) from None
        try:
            serve(output, port=port, graders=graders, tell=click.echo)
        except OSError as error:
            raise click.ClickException(
                f"port {port}: {error.strerror}. Another desk? Try --port 0."
            ) from None
        click.echo(f"Open the class report in a browser: {publish_pages(Console(), output, None, None)}")
    except (FileNotFoundError, UnicodeDecodeError, marks_csv.MarksCsvError) as error:
        raise click.ClickException(str(error)) from None
