"""What several commands share: arguments, options, and the writing of pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autograder.cli.trouble import RefusedError
from autograder.declare import Homework, homeworks
from autograder.files import speakable, speakable_lines
from autograder.grade.report import Report
from autograder.grade.variants import WORD
from autograder.lms.platforms import options, platforms
from autograder.report.publish import publish

EXISTING = click.Path(exists=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


class Terminal(Console):
    """What commands print tables, bars and sentences to.

    A text is printed as it is: nothing in it is markup, and nothing a command to the terminal.
    """

    def __init__(self, **options: Any):
        super().__init__(markup=False, emoji=False, **options)

    def print(self, *objects: Any, **options: Any) -> None:
        """Prints texts, and what rich makes of :class:`rich.text.Text`, whose maker sees to its words."""
        shown = (speakable_lines(one) if isinstance(one, str) else one for one in objects)
        super().print(*shown, **options)


def tell(text: str) -> None:
    """Prints a sentence or several lines; nothing in them is a command to the terminal."""
    click.echo(speakable_lines(text))


def check_root(context: click.Context, parameter: click.Parameter, value: Path) -> Path:
    """The checkout for ``--root``, refused if the sources are not there."""
    if not (value / "solutions").is_dir() or not (value / "pyproject.toml").is_file():
        raise RefusedError(
            f"{value.resolve()} is not a checkout of this project: it has no solutions/ beside a"
            f" pyproject.toml. Run 'autograder {context.info_name}' in the checkout, or name it with --root."
        )
    return value


root_option = click.option(
    "--root",
    callback=check_root,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The checkout; default: this folder.",
)


def chosen(names: Sequence[str]) -> list[Homework]:
    """The homeworks of these ids, all if there are none.

    Raises:
        click.BadParameter: there is no such homework.
    """
    known = homeworks()
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}: the homeworks are {', '.join(known)}")
    return [known[name] for name in names or known]


def check_word(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """The word for ``--variants``, refused if it could not stand in a notebook."""
    if value and not WORD.fullmatch(value):
        raise click.BadParameter(
            "a word of letters, digits, dots, dashes and underscores, such as 2027-spring"
        )
    return value


def publish_pages(
    console: Terminal, output: Path, reports: Sequence[Report] | None, reveal: str | None
) -> Path:
    """Writes grades.csv, feedback pages and class report, with a bar."""
    columns = (TextColumn("writing pages"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("pages", total=None)
        try:
            return publish(
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


def given_options(function: Callable[..., Any], choice: str, **values: str) -> dict[str, str]:
    """The options that were given, of those that only some platforms take.

    Args:
        function: of a platform, ``read`` or ``fill``.
        choice: how the platform was chosen, ``--from`` or ``--to``.
        values: option → what was given; empty if nothing was.

    Raises:
        click.BadParameter: the platform does not take an option that was given.
    """
    given = {name: value for name, value in values.items() if value}
    for name in given.keys() - options(function):
        takers = [
            one.name
            for one in platforms().values()
            for other in (one.read, one.fill)
            if other is not None and other.__name__ == function.__name__ and name in options(other)
        ]
        raise click.BadParameter(f"--{name} is for {choice} {' or '.join(takers)}")
    return given


def show_list(title: str, lines: Sequence[str]) -> None:
    """Prints a title and the lines below it; nothing if there are none."""
    if lines:
        tell(f"{title}:")
        for line in lines:
            tell(f"  {speakable(line)}")
