"""What several commands share: arguments, options, and the writing of pages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autograder.cli.release import word as check_word
from autograder.declare.homework import Homework, homeworks
from autograder.grade.report import Report
from autograder.report import feedback

__all__ = ["check_word", "chosen", "publish_pages"]


def chosen(names: Sequence[str]) -> list[Homework]:
    """The homeworks of these ids, all if there are none.

    Raises:
        click.BadParameter: there is no such homework.
    """
    known = homeworks()
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}: the homeworks are {', '.join(known)}")
    return [known[name] for name in names or known]


def publish_pages(
    console: Console, output: Path, reports: Sequence[Report] | None, reveal: str | None
) -> Path:
    """Writes grades.csv, feedback pages and class report, with a bar."""
    columns = (TextColumn("writing pages"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("pages", total=None)
        try:
            return feedback.publish(
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
