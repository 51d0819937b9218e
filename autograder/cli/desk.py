"""``autograder manual-grading``: a page on which people grade written answers."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from autograder.cli.shared import Terminal, of_graded, publish_pages, tell
from autograder.files import encoded, write_atomically
from autograder.grade.marks_csv import MarksCsvError, from_csv, to_csv
from autograder.grade.store import read_reports


@click.command("manual-grading")
@click.argument("output", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Port on 127.0.0.1; 0 selects a free one.",
)
@click.option(
    "--graders",
    type=click.IntRange(1, 50),
    default=1,
    show_default=True,
    help="Number of one-time links to print, one for each grader.",
)
@click.option(
    "--export",
    "export",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Export all points as CSV to this file, and stop.",
)
@click.option(
    "--import",
    "take_in",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Import points from this CSV file, and stop.",
)
def desk_command(output: Path, port: int, graders: int, export: Path | None, take_in: Path | None) -> None:
    """Serves a page on this machine on which people grade the written answers in OUTPUT."""
    of_graded(output)
    try:
        if export is not None or take_in is not None:
            reports = read_reports(output)
            if take_in is not None:
                changed = from_csv(
                    output, reports, take_in.read_text(encoding="utf-8-sig"), getpass.getuser()
                )
                tell(f"{changed} grades of written answers changed.")
                publish_pages(Terminal(), output, reports, None)
            if export is not None:
                write_atomically(export, encoded(to_csv(output, reports)))
                tell(f"{export}: written")
            return
        try:
            from autograder.desk.app import PortTakenError, serve
        except ImportError as error:
            raise click.ClickException(
                f"manual grading needs {error.name}, which is not installed. Install this project again with"
                " all"
                " of its requirements: pip install attention-homeworks"
            ) from None
        try:
            serve(output, port=port, graders=graders, tell=tell)
        except PortTakenError as error:
            raise click.ClickException(str(error)) from None
        tell(f"Open the class report in a browser: {publish_pages(Terminal(), output, None, None)}")
    except (UnicodeDecodeError, MarksCsvError) as error:
        raise click.ClickException(str(error)) from None
