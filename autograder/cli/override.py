"""``autograder override``: points that the staff sets in place of judged ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from autograder.cli.shared import Terminal, by_whom, graded_option, near, of_graded, publish_graded, tell
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
@click.option("--why", default="", help="The reason, which the student reads.")
@click.option("--check", default="", help="The name of one check, instead of all checks of the question.")
@click.option("--written", is_flag=True, help="The question's written answer, instead of its checks.")
@click.option("--by", default="", help="Who sets the points. [default: your user name]")
@click.option("--list", "listing", is_flag=True, help="List what is set, and stop.")
@click.option("--undo", is_flag=True, help="Take back what is set, so that the judged points count again.")
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
    """Sets the POINTS of a QUESTION of one SUBMISSION, whatever was judged.

    SUBMISSION is its name in grades.csv; write -- before a name that begins with a dash. The points are kept
    through every re-run, and stand with their reason on the feedback page and in grades.csv.
    """
    who = by_whom(of_graded(output), by)
    reports = read_reports(output)
    if listing:
        _list(output, staff.apply(output, reports))
        return
    if submission is None or question is None or (points is None and not undo):
        raise click.UsageError("name SUBMISSION, QUESTION and POINTS (with --undo without POINTS), or --list")
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
        raise click.ClickException(speakable(f"nothing is set for {submission}, {question}; see --list"))
    (now,) = staff.apply(output, [report])
    result = next(one for one in now.questions if one.id == question)
    total = result.points + (result.given or 0.0)
    tell(f"{submission}, {question}: {total:g} points now.")
    publish_graded(Terminal(), output)


def _list(output: Path, reports: Sequence[Report]) -> None:
    """Prints a line for each override, and below those that fit nothing any more."""
    lines = [
        f"{report.submission}, {question.id}, {one.what}:"
        f" {'not judged' if one.judged is None else f'{one.judged:g}'} → {one.points:g}"
        f" ({one.by}, {one.at}): {one.why}" + (" [set for an earlier hand-in]" if one.earlier else "")
        for report in reports
        for question in report.questions
        for one in question.overrides
    ]
    for line in lines or [f"No points are set by hand in {output}."]:
        tell(line)
    for lost in unfitting(output, reports):
        told = f"{lost.submission}, {lost.question}, {lost.part or 'all checks'}: {lost.points:g}"
        tell(f"{told} [fits nothing that is graded here now, and does not count]")
