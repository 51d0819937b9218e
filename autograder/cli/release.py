"""``autograder release``: the archive for students."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.author import build, release
from autograder.declare import homeworks
from autograder.files import write_atomically
from autograder.grade.variants import WORD


def word(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """Refuses a word for ``--variants`` that could not stand in a notebook."""
    if value and not WORD.fullmatch(value):
        raise click.BadParameter(
            "a word of letters, digits, dots, dashes and underscores, such as 2027-spring"
        )
    return value


@click.command("release")
@click.argument("names", metavar="[HOMEWORK]...", nargs=-1)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=f"{release.FOLDER}.zip",
    show_default=True,
    help="The zip.",
)
@click.option(
    "--variants",
    metavar="WORD",
    default="",
    callback=word,
    help="Numbers of their own for all students, drawn from WORD and their ids.",
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The checkout; default: this folder.",
)
def release_command(names: tuple[str, ...], output: Path, variants: str, root: Path) -> None:
    """Writes the archive for students: notebooks, data, environment, README; refuses if anything of an answer is in it."""
    known = homeworks()
    if unknown := [name for name in names if name not in known]:
        raise click.BadParameter(f"{', '.join(unknown)}: the homeworks are {', '.join(known)}")
    chosen = [known[name] for name in names or known]
    try:
        files = release.student_files(root, chosen, variants)
    except (build.BuildError, OSError) as error:
        raise click.ClickException(str(error)) from None
    if found := release.leaks(files, root, known.values()):
        raise click.ClickException(
            "nothing was written, because students would get\n  " + "\n  ".join(found[:20])
        )
    data = release.archive(files)
    write_atomically(output, data)
    click.echo(
        f"{output}: written, {len(data) / 1e6:.1f} MB, {len(files)} files,"
        f" {', '.join(one.id for one in chosen)}"
    )
