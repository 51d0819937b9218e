"""``autograder regrades``: students' regrade requests, and the staff's replies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from autograder.cli.shared import (
    EXISTING,
    FILE,
    Terminal,
    by_whom,
    graded_option,
    of_graded,
    publish_graded,
    show_list,
    tell,
)
from autograder.files import encoded, several, speakable, write_atomically
from autograder.grade import staff
from autograder.grade.overrides import Override, OverrideError, Overrides, made, part_of
from autograder.grade.report import DECISIONS, Report
from autograder.grade.requests import (
    NO_REPLY,
    Kept,
    RequestError,
    Requests,
    counted,
    refuse_points,
    take,
    to_csv,
)
from autograder.grade.store import read_reports
from autograder.lms.people import MANIFEST, read_manifest

WIDTH = 70  # characters of a request in the list


@click.command("regrades")
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@graded_option
@click.option(
    "--collected",
    type=EXISTING,
    help="The folder that 'autograder collect' created. It identifies the students.",
)
@click.option("--answer", "number", type=int, help="Answer the request with this number.")
@click.option(
    "--decision",
    type=click.Choice(DECISIONS),
    help="The decision; --answer needs one.",
)
@click.option("--reply", default="", help="The reply to the student.")
@click.option(
    "--points", type=float, help="Override the points of the question, as 'autograder override' does."
)
@click.option("--check", default="", help="With --points: override one check instead of all.")
@click.option(
    "--written", is_flag=True, help="With --points: override the free response instead of the checks."
)
@click.option("--by", default="", help="Who answers. [default: your user name]")
@click.option("--csv", "table", type=FILE, help="Also write the list of requests as CSV.")
def regrades_command(
    files: tuple[Path, ...],
    output: Path,
    collected: Path | None,
    number: int | None,
    decision: str | None,
    reply: str,
    points: float | None,
    check: str,
    written: bool,
    by: str,
    table: Path | None,
) -> None:
    """Imports students' regrade requests from FILES, answers one, or lists them.

    A text file holds one request; it may begin with the lines 'Student: …' and 'Question: …'. A CSV file has
    a row for each request, with columns such as student, question and request. The students' feedback pages
    show requests, decisions and replies.
    """
    if number is None and (decision or reply or check or written or points is not None):
        raise click.UsageError("an answer needs the number of its request: --answer NUMBER")
    if number is not None and decision is None:
        raise click.UsageError(f"say what is decided: --decision with {', '.join(map(repr, DECISIONS[1:]))}")
    who = by_whom(of_graded(output), by)
    reports = {one.submission: one for one in staff.apply(output, read_reports(output))}
    kept = Requests(output)
    try:
        if files:
            _take(files, kept, reports, collected)
        if number is not None and decision is not None:
            asked, wanted = kept.one(number), None
            if points is not None:
                refuse_points(decision)
                wanted = _override(reports, asked, points, check, written, reply, who)
            kept.answer(number, decision, reply, who)
            if wanted is not None:
                Overrides(output).set(wanted)
                _tell_change(output, reports[wanted.submission], wanted.question)
    except (RequestError, OverrideError, ValueError) as error:
        raise click.ClickException(speakable(str(error))) from None
    found = kept.kept()
    if table is not None:
        write_atomically(table, encoded(to_csv(found)))
        tell(f"{table}: written")
    _list(found)
    if files or number is not None:
        publish_graded(Terminal(), output)


def _take(files: Sequence[Path], kept: Requests, reports: dict[str, Report], collected: Path | None) -> None:
    people = []
    if collected is not None:
        people = read_manifest(collected / MANIFEST if collected.is_dir() else collected)
    new, again, lost = take(files, kept, reports, people)
    tell(counted(new, again))
    show_list("Not imported", lost)


def _override(
    reports: dict[str, Report],
    asked: Kept,
    points: float,
    check: str,
    written: bool,
    reply: str,
    by: str,
) -> Override:
    """The override that an answer with points makes of the question that a request is about."""
    if not reply.strip():
        raise RequestError(NO_REPLY)
    if asked.submission not in reports:
        raise RequestError(f"{asked.submission} is not among the graded submissions")
    if not asked.request.question:
        raise RequestError("this request names no question; use 'autograder override' to set points")
    report, question = reports[asked.submission], asked.request.question
    part = part_of(report, question, check, written)
    return made(report, question, part, points, reply, by)


def _tell_change(output: Path, before: Report, question: str) -> None:
    was = next(one.total for one in before.questions if one.id == question)
    now = staff.points_of(output, before, question)
    fewer = " That is fewer than before." if now < was else ""
    tell(f"{before.submission}, {question}: {was:g} → {now:g} points.{fewer}")


def _list(found: Sequence[Kept]) -> None:
    still = sum(one.request.decision == DECISIONS[0] for one in found)
    tell(f"{several(len(found), 'request')}, {still} open." if found else "No requests.")
    for one in sorted(found, key=lambda kept: kept.request.decision != DECISIONS[0]):
        asked = one.request
        text = " ".join(asked.text.split())
        shown = text if len(text) <= WIDTH else f"{text[:WIDTH]} …"
        where = f"{one.submission} {asked.question}".strip()
        answered = f" → {asked.reply}" if asked.reply else ""
        tell(f"  {asked.number}. {asked.decision}, {where}: {shown}{answered}")
