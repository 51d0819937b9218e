"""``autograder export``: a homework in another tool's source format."""

from __future__ import annotations

from pathlib import Path

import click
import nbformat

from autograder.author import otter_assign as export
from autograder.author.build import BuildError
from autograder.declare import homeworks
from autograder.files import write_atomically


@click.command("export")
@click.argument("homework")
@click.option(
    "--otter-assign", "otter", is_flag=True, required=True, help="As a master notebook for 'otter assign'."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The folder to write into.",
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="The checkout; default: this folder.",
)
def export_command(homework: str, otter: bool, output: Path, root: Path) -> None:
    """Exports HOMEWORK's source, solutions included: do not publish what this writes."""
    if homework not in homeworks():
        raise click.BadParameter(f"{homework}: the homeworks are {', '.join(homeworks())}")
    try:
        made = export.otter_master(root, homeworks()[homework])
    except BuildError as error:
        raise click.ClickException(str(error)) from None
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{homeworks()[homework].stem}.ipynb"
    write_atomically(path, (nbformat.writes(made) + "\n").encode())
    click.echo(f"{path}: written. Next: otter assign --no-pdfs {path} BUILD")
