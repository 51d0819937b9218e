"""``autograder report``: the pages of a graded folder, written again."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from autograder.cli.shared import of_graded, publish_pages
from autograder.report.shown import REVEAL


@click.command("report")
@click.argument("output", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--reveal", type=click.Choice(REVEAL), help="As for grade. [default: as it was]")
def report_command(output: Path, reveal: str | None) -> None:
    """Writes grades.csv, the feedback pages and report.html of a graded folder again.

    Points given at the desk are in them.
    """
    of_graded(output)
    page = publish_pages(Console(), output, None, reveal)
    click.echo(f"Open the class report in a browser: {page}")
