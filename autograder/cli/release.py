"""``autograder release``: the archive for students."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.author import build, release
from autograder.cli.shared import (
    FILE,
    check_word,
    chosen,
    course_option,
    following,
    root_option,
    tell,
    unless_given,
)
from autograder.declare import declared_homeworks
from autograder.files import write_atomically


@click.command("release")
@click.argument("names", metavar="[HOMEWORK]...", nargs=-1)
@click.option(
    "-o",
    "--output",
    type=FILE,
    default=f"{release.FOLDER}.zip",
    show_default=True,
    help="The zip to write.",
)
@click.option(
    "--variants",
    metavar="WORD",
    default="",
    callback=check_word,
    help="Build per-student variants: numbers follow from WORD and the student's id.",
)
@course_option
@root_option
def release_command(
    names: tuple[str, ...], output: Path, variants: str, course: Path | None, root: Path
) -> None:
    """Writes the archive for students: notebooks, data, environment files and a README.

    The command writes nothing if the archive would contain part of a solution.
    """
    taught = following(course)
    asked = chosen(names or taught.chosen)
    variants = unless_given("variants", variants, taught.variants)
    try:
        files = release.student_files(root, asked, variants, history=taught.history)
    except build.BuildError as error:
        raise click.ClickException(str(error)) from None
    if found := release.leaks(files, root, declared_homeworks().values()):
        raise click.ClickException(
            "nothing was written, because students would receive\n  " + "\n  ".join(found[:20])
        )
    data = release.archive(files)
    write_atomically(output, data)
    tell(
        f"{output}: written, {len(data) / 1e6:.1f} MB, {len(files)} files,"
        f" {', '.join(one.id for one in asked)}"
    )
