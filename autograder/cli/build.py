"""``autograder build``: the student notebooks, and the pages that follow from declarations and commands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import nbformat

from autograder.author import build, given_lines, tables
from autograder.author.given import given_path, given_text
from autograder.author.reference import run_reference
from autograder.cli.reference import command_pages
from autograder.cli.shared import FOLDER, chosen, course_option, following, root_option
from autograder.declare import Homework, homeworks
from autograder.files import write_atomically
from autograder.names import notebook_path

COURSE_NOTEBOOKS = "course-notebooks"


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
@course_option
@root_option
@click.pass_context
def build_command(
    context: click.Context,
    names: tuple[str, ...],
    check: bool,
    reference: Path | None,
    course: Path | None,
    root: Path,
) -> None:
    """Makes the student notebooks from the sources in solutions/, and the pages that follow from the code.

    With a course.toml, the course's notebooks go to course-notebooks/ beside it, and the files of this
    project stay as they are.
    """
    taught = following(course)
    names = names or taught.chosen
    stale = []
    for homework in chosen(names):
        path = notebook_path(root, homework.stem)
        if taught.path is not None:
            path = taught.path.parent / COURSE_NOTEBOOKS / path.name
        try:
            if taught.path is None:
                stale += _given(root, homework, check)
            text = build.student_notebook(root, homework, taught.variants or "", taught.history)
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
    pages = {} if taught.path is not None else _pages(context, root, names)
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


def _pages(context: click.Context, root: Path, names: Sequence[str]) -> dict[Path, str]:
    """The files beside the notebooks that follow from declarations and commands, with their right text."""
    pages = {
        path: given_text(root, homework)
        for homework in chosen(names)
        if (path := given_path(root, homework)).parent.is_dir()
    }
    if (root / tables.README).is_file():
        pages |= tables.pages(root, homeworks()) | command_pages(root, context.find_root().command)
    return pages


def _given(root: Path, homework: Homework, check: bool) -> list[str]:
    """Writes the digests of a notebook's text, or says that they are stale. The notebook holds them, too."""
    path = given_lines.given_path(root, homework)
    if not path.parent.is_dir():
        return []
    made = given_lines.given_json(root, homework)
    if path.is_file() and path.read_bytes() == made:
        return []
    if not check:
        write_atomically(path, made)
    click.echo(f"{path}: {'STALE' if check else 'written'}")
    return [str(path)] if check else []


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
