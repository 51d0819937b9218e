"""``autograder written``: the free responses of a class as pages and PDF files."""

from __future__ import annotations

from pathlib import Path

import click

from autograder.cli.shared import FOLDER, chosen, tell
from autograder.files import encoded, several, speakable, write_atomically
from autograder.lms.people import folders_of
from autograder.report import written
from autograder.submissions.errors import SubmissionError
from autograder.submissions.find import find


@click.command("written")
@click.argument("submissions", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=FOLDER,
    help="The folder to write to, a page for each submission.",
)
@click.option("--pdf", is_flag=True, help="Also write PDF files. Requires Chromium or Chrome.")
@click.option(
    "--homework",
    type=str,
    help="Read every submission as this homework, such as hw3, instead of detecting it.",
)
def written_command(submissions: tuple[Path, ...], output: Path, pdf: bool, homework: str | None) -> None:
    """Writes the free responses of each submission as an HTML page and, with --pdf, as PDF."""
    if homework is not None:
        chosen((homework,))
    try:
        chromium = written.browser() if pdf else ""
    except written.NoBrowserError as error:
        raise click.ClickException(str(error)) from None
    output.mkdir(parents=True, exist_ok=True)
    done, left = 0, []
    for submission in find(submissions, people=folders_of(submissions), without=output).submissions:
        try:
            belongs, answered = written.answers(submission, homework)
        except SubmissionError as error:
            left.append(f"{submission.name}: {error}")
            continue
        path = output / f"{submission.name}.html"
        write_atomically(path, encoded(written.page(submission.name, belongs, answered)))
        if pdf:
            try:
                written.print_pdf(path, path.with_name(f"{submission.name}.pdf"), chromium)
            except RuntimeError as error:
                raise click.ClickException(str(error)) from None
        done += 1
    for line in left:
        tell(f"Skipped: {speakable(line)}")
    if not done:
        raise click.ClickException(f"found no written answers in {', '.join(map(str, submissions))}")
    tell(f"Free responses of {several(done, 'submission')} in {output}{', as HTML and PDF' if pdf else ''}")
