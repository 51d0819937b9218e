"""``autograder new-homework``: a complete small homework to begin with."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.author.new_homework import new_homework
from autograder.author.source import BuildError
from autograder.cli.shared import root_option, tell
from autograder.files import encoded, write_atomically


@click.command("new-homework")
@click.argument("id", metavar="HOMEWORK")
@click.option("--title", default="Weighted averages", show_default=True, help="For people.")
@root_option
def new_homework_command(id: str, title: str, root: Path) -> None:
    """Writes a new HOMEWORK, such as hw7: declaration, source with solutions, gallery.

    It has a function, a choice and a written answer, can be built, released and graded as it is, and passes
    the project's tests. Replace its questions by yours.
    """
    try:
        made = new_homework(root, id, title)
    except BuildError as error:
        raise click.ClickException(str(error)) from None
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, encoded(text))
        tell(f"{path}: written")
    tell("Next: make build, make lint, make test. How to go on: docs/add-question.md")
