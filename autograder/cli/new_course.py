"""``autograder new-course``: a course.toml to start from."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.cli.shared import FILE, chosen, tell
from autograder.files import encoded, write_atomically
from autograder.grade.course import FILE as COURSE
from autograder.grade.new_course import course_text


@click.command("new-course")
@click.argument("names", metavar="[HOMEWORK]...", nargs=-1)
@click.option("-o", "--output", type=FILE, default=COURSE, show_default=True, help="The file to write.")
def new_course_command(names: tuple[str, ...], output: Path) -> None:
    """Writes a commented course.toml with the current homeworks, questions, points, dates and settings.

    The command does not overwrite an existing file.
    """
    if output.exists():
        raise click.ClickException(f"{output} exists already. Edit it, or name another file with -o")
    write_atomically(output, encoded(course_text(chosen(names))))
    tell(f"{output}: written. Edit it. The commands that follow it (build, release, grade, …) say so.")
