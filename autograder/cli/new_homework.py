"""``autograder new-homework``: a small complete homework to start from."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.author.new_homework import new_homework
from autograder.author.source import BuildError
from autograder.cli.shared import root_option, tell
from autograder.files import encoded, write_atomically


@click.command("new-homework")
@click.argument("id", metavar="HOMEWORK")
@click.option("--title", default="Weighted averages", show_default=True, help="The title of the homework.")
@root_option
def new_homework_command(id: str, title: str, root: Path) -> None:
    """Writes a new HOMEWORK, such as hw7: declaration, source with solutions, and gallery.

    The homework has a function, a multiple-choice question and a free-response question. You can build,
    release and grade it as it is, and it passes the project's tests. Replace its questions with yours.
    """
    try:
        made = new_homework(root, id, title)
    except BuildError as error:
        raise click.ClickException(str(error)) from None
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, encoded(text))
        tell(f"{path}: written")
    tell("Next: make build, make lint, make test. Guide: docs/add-question.md")
