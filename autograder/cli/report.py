"""``autograder report``: the pages of a graded folder, written again."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.cli.shared import Terminal, of_graded, publish_pages, tell
from autograder.report.tables import REVEAL


@click.command("report")
@click.argument("output", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--reveal", type=click.Choice(REVEAL), help="As for grade. [default: as it was]")
def report_command(output: Path, reveal: str | None) -> None:
    """Writes grades.csv, the feedback pages and report.html of a graded folder again.

    Points given at the desk are in them.
    """
    of_graded(output)
    page = publish_pages(Terminal(), output, None, reveal)
    tell(f"Open the class report in a browser: {page}")
