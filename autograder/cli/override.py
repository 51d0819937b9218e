"""``autograder override``: points that the staff sets in place of the autograder's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from autograder.cli.shared import (
    RenamedOption,
    Terminal,
    by_whom,
    graded_option,
    near,
    of_graded,
    publish_graded,
    tell,
)
from autograder.files import speakable
from autograder.grade import staff
from autograder.grade.overrides import OverrideError, Overrides, made, part_of, unfitting
from autograder.grade.report import Report
from autograder.grade.store import read_reports


@click.command("override")
@click.argument("submission", required=False)
@click.argument("question", required=False)
@click.argument("points", required=False, type=float)
@graded_option
@click.option(
    "--reason",
    "why",
    cls=RenamedOption,
    formerly=("--why",),
    default="",
    help="The reason. The student reads it.",
)
@click.option(
    "--check", default="", help="Override one check, by name, instead of all checks of the question."
)
@click.option(
    "--written", is_flag=True, help="Override the points of the free response instead of the checks."
)
@click.option("--by", default="", help="Who sets the points. [default: your user name]")
@click.option("--list", "listing", is_flag=True, help="List all overrides, and stop.")
@click.option("--undo", is_flag=True, help="Remove the override, so that the graded points count again.")
def override_command(
    submission: str | None,
    question: str | None,
    points: float | None,
    output: Path,
    why: str,
    check: str,
    written: bool,
    by: str,
    listing: bool,
    undo: bool,
) -> None:
    """Overrides the POINTS of a QUESTION of one SUBMISSION.

    SUBMISSION is a name in grades.csv; write -- before a name that begins with a dash. The override stays in
    force when you grade again. The feedback page and grades.csv show it with its reason.
    """
    who = by_whom(of_graded(output), by)
    reports = read_reports(output)
    if listing:
        _list(output, staff.apply(output, reports))
        return
    if submission is None or question is None or (points is None and not undo):
        raise click.UsageError(
            "give SUBMISSION, QUESTION and POINTS; SUBMISSION and QUESTION with --undo; or --list"
        )
    report = next((one for one in reports if one.submission == submission), None)
    if report is None:
        names = [one.submission for one in reports]
        raise click.ClickException(
            speakable(f"{output} has no submission {submission!r}{near(submission, names)}")
        )
    try:
        part = part_of(report, question, check, written)
        found = None if undo else made(report, question, part, points or 0.0, why, who)
    except OverrideError as error:
        raise click.ClickException(speakable(str(error))) from None
    kept = Overrides(output)
    if found is not None:
        kept.set(found)
    elif not kept.take_back(submission, question, part):
        raise click.ClickException(
            speakable(f"there is no override for {submission}, {question}; see --list")
        )
    tell(f"{submission}, {question}: now {staff.points_of(output, report, question):g} points.")
    publish_graded(Terminal(), output)


def _list(output: Path, reports: Sequence[Report]) -> None:
    """Prints a line for each override, and below them those that match nothing."""
    lines = [
        f"{report.submission}, {question.id}, {one.what}:"
        f" {'not graded' if one.judged is None else f'{one.judged:g}'} → {one.points:g}"
        f" ({one.by}, {one.at}): {one.why}" + (" [set for an earlier submission]" if one.earlier else "")
        for report in reports
        for question in report.questions
        for one in question.overrides
    ]
    for line in lines or [f"There are no overrides in {output}."]:
        tell(line)
    for lost in unfitting(output, reports):
        told = f"{lost.submission}, {lost.question}, {lost.part or 'all checks'}: {lost.points:g}"
        tell(f"{told} [matches nothing in the current results, so it does not count]")
