"""``autograder build``: the student notebooks, and the pages generated from declarations and commands."""

from __future__ import annotations

from pathlib import Path

import click
import nbformat

from autograder.author import build, given, tables
from autograder.author.reference import run_reference
from autograder.cli.reference import command_pages
from autograder.cli.shared import FOLDER, chosen, course_option, following, root_option, tell
from autograder.declare import Homework, homeworks
from autograder.files import write_atomically
from autograder.names import notebook_path
from autograder.submissions.given import given as statements_given

COURSE_NOTEBOOKS = "course-notebooks"


@click.command("build")
@click.argument("names", metavar="[HOMEWORK]...", nargs=-1)
@click.option("--check", is_flag=True, help="Write nothing. Fail if a generated file is out of date.")
@click.option(
    "--reference",
    type=FOLDER,
    help="Also run the reference solutions and write the executed notebooks to this folder.",
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
    """Builds the student notebooks from the sources in solutions/, and the pages generated from the code.

    With a course.toml, the command writes the course's notebooks to course-notebooks/ beside that file and
    leaves the project's own files unchanged.
    """
    taught = following(course)
    own = taught.path is None  # the project's own files, not a course's
    stale: list[Path] = []

    def settle(path: Path, made: bytes, always: bool = False) -> None:
        """Writes a file that is not what it follows from, or says that it is stale."""
        fresh = path.is_file() and path.read_bytes() == made
        if not fresh and check:
            stale.append(path)
        elif not fresh:
            path.parent.mkdir(exist_ok=True)
            write_atomically(path, made)
        if always or not fresh:
            tell(f"{path}: {'up to date' if fresh else 'STALE' if check else 'written'}")

    for homework in chosen(names or taught.chosen):
        place = notebook_path(root, homework.stem)
        if taught.path is not None:
            place = taught.path.parent / COURSE_NOTEBOOKS / place.name
        try:
            for path, made in given.files(root, homework) if own else ():
                settle(path, made)
            statements_given.cache_clear()  # the notebook holds them, too
            text = build.student_notebook(root, homework, taught.variants or "", taught.history)
        except build.BuildError as error:
            raise click.ClickException(str(error)) from None
        settle(place, text.encode(), always=True)
        if reference is not None:
            _write_reference(root, homework, reference)
    if own and (root / tables.README).is_file():
        pages = tables.pages(root, homeworks()) | command_pages(root, context.find_root().command)
        for path, page in pages.items():
            settle(path, page.encode())
    if stale:
        raise click.ClickException(
            f"stale: {', '.join(map(str, stale))}. Run 'autograder build' and commit the result."
        )


def _write_reference(root: Path, homework: Homework, folder: Path) -> None:
    tell(f"{homework.id}: running the reference solution, training included …")
    executed, log, files = run_reference(root, homework)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{homework.stem}.ipynb"
    write_atomically(path, nbformat.writes(executed).encode())
    write_atomically(folder / f"{homework.stem}.submission_log.json", log)
    for name, data in files.items():
        write_atomically(folder / name, data)
    tell(f"{path}: written")
