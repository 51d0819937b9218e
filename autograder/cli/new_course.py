"""``autograder new-course``: a course.toml to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.cli.shared import FILE, chosen, tell
from autograder.files import encoded, write_atomically
from autograder.grade.course import FILE as COURSE
from autograder.grade.new_course import course_text


@click.command("new-course")
@click.argument("names", metavar="[HOMEWORK]...", nargs=-1)
@click.option("-o", "--output", type=FILE, default=COURSE, show_default=True, help="The file.")
def new_course_command(names: tuple[str, ...], output: Path) -> None:
    """Writes a course.toml with comments: homeworks, questions and points as they are now, dates, settings.

    An existing file is left as it is.
    """
    if output.exists():
        raise click.ClickException(f"{output} is there already; edit it, or name another with -o")
    write_atomically(output, encoded(course_text(chosen(names))))
    tell(f"{output}: written. Edit it; what follows it says so: build, release, grade, …")
