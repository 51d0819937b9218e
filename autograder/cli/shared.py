"""What several commands share: arguments, options, and the writing of pages."""

from __future__ import annotations

import difflib
import getpass
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autograder.cli.trouble import RefusedError
from autograder.declare import Homework, follow, homeworks
from autograder.files import speakable, speakable_lines, write_atomically
from autograder.grade import course
from autograder.grade.course import Course
from autograder.grade.report import Report
from autograder.grade.store import OutputBusyError, Results
from autograder.grade.variants import WORD
from autograder.lms.platforms import options, platforms
from autograder.report.publish import publish
from autograder.run.limits import implausible

EXISTING = click.Path(exists=True, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


class RenamedOption(click.Option):
    """An option that still accepts its former names, which no help text shows."""

    def __init__(self, declarations: Sequence[str], *, formerly: Sequence[str], **settings: Any):
        super().__init__([*declarations, *formerly], **settings)
        self.formerly = formerly

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The names in use, and the help text."""
        accepted = self.opts
        self.opts = [name for name in accepted if name not in self.formerly]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = accepted


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
            f" pyproject.toml. Run 'autograder {context.info_name}' in a checkout, or name one with --root."
        )
    return value


root_option = click.option(
    "--root",
    callback=check_root,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The checkout. [default: this folder]",
)


graded_option = click.option(
    "-o",
    "--output",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default="graded",
    show_default=True,
    help="The folder that 'autograder grade' wrote to.",
)


course_option = click.option(
    "--course",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=(
        "The file with the course's points, dates and settings, made by 'autograder new-course'."
        " [default: course.toml beside the submissions or in this folder, if it exists]"
    ),
)


def following(named: Path | None, beside: Sequence[Path] = (), aloud: bool = True) -> Course:
    """The course that a command follows from here on; one without changes where there is none.

    Args:
        named: as given with ``--course``.
        beside: folders or zips beside which a course.toml may lie.
        aloud: whether to say which file it is.

    Raises:
        click.ClickException: the file cannot be followed.
    """
    path = named or course.beside(beside)
    if path is None:
        return Course()
    try:
        found = course.read(path)
        follow(found.adaptation)
    except ValueError as error:
        raise click.ClickException(speakable(str(error))) from None
    if aloud:
        named_so = f"{found.name}, {path}" if found.name else str(path)
        tell(f"Course: {named_so}")
    return found


def of_graded(output: Path) -> Course:
    """The course by which a folder of results was graded, which is followed from here on."""
    path = output / course.FILE
    return following(path, aloud=False) if path.is_file() else Course()


def by_whom(taught: Course, name: str) -> str:
    """Who decides: as given with ``--by``, else this machine's user.

    Raises:
        click.BadParameter: the course lists its staff, and the name that was given is not among them.
    """
    if name and taught.staff and name not in taught.staff:
        raise click.BadParameter(f"--by {name}: {taught.path} lists {', '.join(taught.staff)}")
    return name or getpass.getuser()


def keep_course(taught: Course, output: Path) -> None:
    """Puts the course beside the results that follow it, for the commands that come after grading."""
    kept = output / course.FILE
    if taught.path is None:
        kept.unlink(missing_ok=True)
    elif not kept.exists() or not kept.samefile(taught.path):
        write_atomically(kept, taught.path.read_bytes())


def due_time(taught: Course, homework: str) -> datetime | None:
    """When a homework is due; None if the course does not say.

    Args:
        taught: the course.
        homework: its id; empty where the course has one due time only.

    Raises:
        click.BadParameter: the course has no such homework, or several due times and nothing says which.
    """
    if homework:
        chosen((homework,))
        return taught.due.get(homework)
    if len(taught.due) > 1:
        raise click.BadParameter(
            f"{taught.path} has several due times; give --homework {'|'.join(taught.due)}"
        )
    return next(iter(taught.due.values()), None)


Setting = TypeVar("Setting")


def unless_given(option: str, value: Setting, told: Setting | None) -> Setting:
    """An option's value: what the course says, unless the command line says otherwise."""
    source = click.get_current_context().get_parameter_source(option)
    given = source is not None and source is not ParameterSource.DEFAULT
    return value if given or told is None else told


def near(name: str, known: Sequence[str]) -> str:
    """The names next to one that is unknown, as the end of an error; empty if none is near."""
    found = difflib.get_close_matches(name, known, 3)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def chosen(names: Sequence[str]) -> list[Homework]:
    """The homeworks of these ids, all if there are none.

    Raises:
        click.BadParameter: there is no such homework.
    """
    known = homeworks()
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}: the homeworks are {', '.join(known)}")
    return [known[name] for name in names or known]


def check_seconds(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """A time limit, refused outside of its plausible range."""
    if problem := implausible(str(parameter.name), value):
        raise click.BadParameter(problem)
    return value


def check_word(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """The word for ``--variants``, refused if it could not stand in a notebook."""
    if value and not WORD.fullmatch(value):
        raise click.BadParameter(
            "use letters, digits, dots, dashes and underscores only, such as 2027-spring"
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
                "\nStopped before all pages were written. Every grade is saved. Run the same command again to"
                " write the rest.",
                soft_wrap=True,
            )
            raise click.exceptions.Exit(130) from None


def publish_graded(console: Terminal, output: Path) -> None:
    """Writes the pages of a graded folder anew after a decision, unless a grading run is busy there.

    The decision is kept in either case: the run that is under way ends by writing the pages.
    """
    try:
        results = Results(output)
    except OutputBusyError:
        tell(f"Saved. A grading run is writing to {output} now; it writes the pages when it ends.")
        return
    publish_pages(console, output, None, None)
    results.close()


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
        raise click.BadParameter(f"--{name} applies only to {choice} {' or '.join(takers)}")
    return given


def show_list(title: str, lines: Sequence[str]) -> None:
    """Prints a title and the lines below it; nothing if there are none."""
    if lines:
        tell(f"{title}:")
        for line in lines:
            tell(f"  {speakable(line)}")
