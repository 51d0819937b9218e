"""``autograder export``: a homework in another tool's source format."""

from __future__ import annotations

from pathlib import Path

import click
import nbformat

from autograder.author import otter_assign as export
from autograder.author.build import BuildError
from autograder.cli.shared import FOLDER, chosen, root_option, tell
from autograder.files import write_atomically


@click.command("export")
@click.argument("homework")
@click.option(
    "--otter-assign", "otter", is_flag=True, required=True, help="Write a master notebook for 'otter assign'."
)
@click.option(
    "-o",
    "--output",
    type=FOLDER,
    required=True,
    help="The folder to write to.",
)
@root_option
def otter_assign_command(homework: str, otter: bool, output: Path, root: Path) -> None:
    """Exports the source of HOMEWORK, with solutions: do not publish the result."""
    (declared,) = chosen((homework,))
    try:
        made = export.otter_master(root, declared)
    except BuildError as error:
        raise click.ClickException(str(error)) from None
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{declared.stem}.ipynb"
    write_atomically(path, (nbformat.writes(made) + "\n").encode())
    tell(f"{path}: written. Next: otter assign --no-pdfs {path} BUILD")
