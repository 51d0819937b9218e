"""``autograder report``: grades and pages of a graded folder, written again."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.cli.shared import Terminal, of_graded, publish_pages, tell
from autograder.report.tables import REVEAL


@click.command("report")
@click.argument("output", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--reveal",
    type=click.Choice(REVEAL),
    help="What feedback shows of a failing hidden input, as in 'grade'. [default: unchanged]",
)
def report_command(output: Path, reveal: str | None) -> None:
    """Writes grades.csv, the feedback pages and the class report of OUTPUT again, without grading.

    They include the points from manual grading.
    """
    of_graded(output)
    page = publish_pages(Terminal(), output, None, reveal)
    tell(f"Open the class report in a browser: {page}")
