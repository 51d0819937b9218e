"""``autograder build``: the student notebooks, and the pages that follow from declarations and commands."""

from __future__ import annotations

from pathlib import Path

import click
import nbformat

from autograder.author import build, given, given_lines, tables
from autograder.author.reference import run_reference
from autograder.cli.reference import command_pages
from autograder.cli.shared import FOLDER, chosen, root_option
from autograder.declare import Homework, homeworks
from autograder.files import write_atomically
from autograder.names import notebook_path
from autograder.submissions.given import given as statements_given


@click.command("build")
@click.argument("names", metavar="[HOMEWORK]...", nargs=-1)
@click.option(
    "--check", is_flag=True, help="Write nothing; fail if a committed notebook is not what its source gives."
)
@click.option(
    "--reference",
    type=FOLDER,
    help="Also write the executed reference notebooks here.",
)
@root_option
@click.pass_context
def build_command(
    context: click.Context, names: tuple[str, ...], check: bool, reference: Path | None, root: Path
) -> None:
    """Makes the student notebooks from the sources in solutions/, and the pages that follow from the code."""
    stale = []
    for homework in chosen(names):
        path = notebook_path(root, homework.stem)
        try:
            stale += _given(root, homework, check)
            text = build.student_notebook(root, homework)
        except build.BuildError as error:
            raise click.ClickException(str(error)) from None
        fresh = path.is_file() and path.read_text(encoding="utf-8") == text
        if check and not fresh:
            stale.append(str(path))
        elif not check:
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, text.encode())
        click.echo(f"{path}: {'up to date' if fresh else 'STALE' if check else 'written'}")
        if reference is not None:
            _write_reference(root, homework, reference)
    pages: dict[Path, str] = {}
    if (root / tables.README).is_file():
        pages |= tables.pages(root, homeworks()) | command_pages(root, context.find_root().command)
    for path, text in pages.items():
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            click.echo(f"{path}: {'STALE' if check else 'written'}")
            stale += [str(path)] if check else []
            if not check:
                write_atomically(path, text.encode())
    if stale:
        raise click.ClickException(
            f"stale: {', '.join(stale)}. Run 'autograder build' and commit the result."
        )


def _given(root: Path, homework: Homework, check: bool) -> list[str]:
    """Writes what a homework hands out, which its notebook holds, too, or says what of it is stale."""
    stale = []
    for path, make in (
        (given_lines.given_path(root, homework), given_lines.given_json),
        (given.given_path(root, homework), given.given_json),
    ):
        if not path.parent.is_dir():
            continue
        made = make(root, homework)
        if path.is_file() and path.read_bytes() == made:
            continue
        if not check:
            write_atomically(path, made)
            statements_given.cache_clear()
        click.echo(f"{path}: {'STALE' if check else 'written'}")
        stale += [str(path)] if check else []
    return stale


def _write_reference(root: Path, homework: Homework, folder: Path) -> None:
    click.echo(f"{homework.id}: running the reference with its training cells …")
    executed, log, files = run_reference(root, homework)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{homework.stem}.ipynb"
    write_atomically(path, nbformat.writes(executed).encode())
    write_atomically(folder / f"{homework.stem}.submission_log.json", log)
    for name, data in files.items():
        write_atomically(folder / name, data)
    click.echo(f"{path}: written")
