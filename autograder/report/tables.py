"""Writes a class of reports: one ``grades.csv``, a table for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from textwrap import shorten

from rich.table import Table
from rich.text import Text

from autograder.files import harmless, several, speakable
from autograder.grade.report import CAUSES, LOST, NO_LOG, Report, so_far
from autograder.grade.report import REVEAL as REVEAL
from autograder.grade.store import read_seconds
from autograder.kit.answers import NOT_FOUND

TIMING = "timing.csv"
NAMED = 6  # questions that the terminal's table names; what a row lost beyond them is counted


def grades_csv(reports: Sequence[Report]) -> str:
    """One row for every submission, one column for every question.

    ``points`` and ``maximum`` are the autograder's, ``written`` and ``written maximum`` people's, ``total``
    is both as far as they are given. What nobody judged yet is empty, never 0, and ``open`` says how many
    points that are: checks that were not judged, and written answers that no person graded. Of a submission
    that could not be read all of it is open. A column for each cause says how many points it cost; a 0
    there means that it concerns checks without points. ``rests on a claim`` names the questions whose answers
    were handed in rather than run, such as what was trained, and the evidence for each.
    """
    columns = list(
        dict.fromkeys(
            question.id
            for report in sorted(reports, key=lambda one: one.homework)
            for question in report.questions
        )
    )
    written = {
        question.id for report in reports for question in report.questions if question.written is not None
    }
    heads = [
        head
        for column in columns
        for head in ([column, f"{column} written"] if column in written else [column])
    ]
    text = io.StringIO()
    totals = ["points", "maximum", "written", "written maximum", "total", "open"]
    writer = csv.DictWriter(
        text,
        [
            *("submission", "homework", "status", "source"),
            *totals,
            *heads,
            *CAUSES,
            *("rests on a claim", "set by hand", "notes"),
        ],
        extrasaction="ignore",
        lineterminator="\n",
    )
    writer.writeheader()
    for report in sorted(reports, key=lambda one: one.submission):
        row: dict[str, object] = {
            question.id: "" if question.open_points else f"{question.points:g}"
            for question in report.questions
        }
        row |= {
            f"{question.id} written": f"{question.given:g}"
            for question in report.questions
            if question.given is not None
        }
        row |= {
            "submission": harmless(report.submission),
            "homework": report.homework,
            "status": report.status,
            "source": report.source,
            "rests on a claim": "; ".join(f"{one.id}: {one.claim}" for one in report.questions if one.claim),
            "set by hand": harmless("; ".join(overridden(report))),
            "notes": harmless(" ".join(report.notes)),
            **_sums(report),
            **{cause: f"{lost:g}" for cause, lost in report.causes.items()},
        }
        writer.writerow(row)
    return text.getvalue()


def overridden(report: Report) -> list[str]:
    """The points of a submission that the staff set, each with what it replaces and the reason."""
    return [
        f"{question.id} {one.what}: {'open' if one.judged is None else f'{one.judged:g}'} → {one.points:g}"
        f" ({one.why})"
        for question in report.questions
        for one in question.overrides
    ]


def _sums(report: Report) -> dict[str, str]:
    """The columns of points; empty where nothing could be judged, in words where all is open."""
    if not report.questions:
        return {"open": "all"}
    written = [question for question in report.questions if question.written is not None]
    graded = [question for question in written if question.given is not None]
    return {
        "points": f"{report.points:g}",
        "maximum": f"{report.maximum:g}",
        "written": f"{report.given:g}" if graded or not written else "",
        "written maximum": f"{sum(question.written_points for question in written):g}",
        "total": f"{report.points + report.given:g}",
        "open": f"{report.waiting:g}",
    }


def open_words(reports: Sequence[Report]) -> list[str]:
    """What of a class is open, a sentence for each kind; nothing if nothing is."""
    told = []
    answers = [
        question
        for report in reports
        for question in report.questions
        if question.written is not None and question.given is None
    ]
    if answers:
        lost = sum(question.found == NOT_FOUND for question in answers)
        more = (
            f" {lost} of them {'were' if lost > 1 else 'was'} not found in its place: a person has to look."
            if lost
            else ""
        )
        count = f"{len(answers)} written answer{'s are' if len(answers) > 1 else ' is'}"
        them = "them" if len(answers) > 1 else "it"
        told.append(
            f"{count} not graded yet: open, not 0. Grade {them} with 'autograder manual-grading'.{more}"
        )
    if unread := [report for report in reports if not report.questions]:
        count = several(len(unread), "submission")
        told.append(f"{count} could not be judged: without points, not 0. The notes in grades.csv say why.")
    if bare := [report for report in reports if any(note.startswith(NO_LOG) for note in report.notes)]:
        count = several(len(bare), "submission")
        told.append(
            f"{count} came without a readable log, by which trained answers count: ask for"
            " submission_log.json, and grade again. The notes in grades.csv name the questions."
        )
    return told


def _causes(report: Report) -> str:
    """What was lost to something other than mistakes, by cause: a few words for the terminal."""
    told = []
    for cause in LOST:
        if ids := [question.id for question in report.questions if cause in question.causes]:
            more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
            told.append(f"{cause}: {', '.join(ids[:NAMED])}{more}")
    return f" ({'; '.join(told)})" if told else ""


def table(reports: Sequence[Report]) -> Table:
    """A summary for the terminal."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (
        ("submission", "left"),
        ("homework", "left"),
        ("points", "right"),
        ("status", "left"),
        ("what to look at", "left"),
    ):
        made.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for report in sorted(reports, key=lambda one: one.submission):
        what, score = shorten(" ".join(report.notes), 90, placeholder=" …"), "–"
        if report.questions:
            lost = [
                question.id
                for question in report.questions
                if question.points < question.maximum - question.open_points and not question.extra
            ]
            named = (
                lost
                if len(lost) <= NAMED + 1
                else [*lost[: NAMED - 1], f"{lost[NAMED - 1]} and {len(lost) - NAMED} more"]
            )
            what = "lost in " + ", ".join(named) if lost else "full marks"
            what += _causes(report)
            score = so_far(report)
            if report.open_points:
                what = what if lost else "open, see below"
        # as text, never as markup: what a submission wrote stands in names and notes
        row = (report.submission, report.homework or "?", score, report.status, what)
        made.add_row(*(Text(speakable(cell)) for cell in row))
    return made


def timing_csv(reports: Sequence[Report], output: Path) -> str:
    """Median wall time of each question's cells; beside the pages, which are the same on every machine."""
    times: dict[tuple[str, str], list[float]] = {}
    for one in sorted(reports, key=lambda report: (report.homework, report.submission)):
        for question, seconds in read_seconds(output / "submissions" / one.submission).items():
            times.setdefault((one.homework, question), []).append(seconds)
    rows = [
        f"{homework},{question},{len(found)},{median(found):.3f},{max(found):.3f}"
        for (homework, question), found in times.items()
    ]
    return "\n".join(["homework,question,submissions,median seconds,longest", *rows]) + "\n"
