"""Writes a class of reports: one ``grades.csv``, a table for the terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from rich.table import Table

from autograder.files import harmless, points
from autograder.grade.report import CAUSES, LOST, Report

NAMED = 6  # questions that the terminal's table names; what a row lost beyond them is counted


def grades_csv(reports: Sequence[Report]) -> str:
    """One row for every submission, one column for every question.

    Written points are empty until a person gave them.
    ``points`` and ``maximum`` are the autograder's, ``written`` and ``written maximum`` people's, ``total``
    is both. Where a mistake in the grader left checks open, their questions' cells are empty, and a column
    ``open`` says how many points that concerns. A column for each cause says how many points it cost; a 0
    there means that it concerns checks without points.
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
    totals = ["points", "maximum", "written", "written maximum", "total"]
    totals += ["open"] if any(report.open_points for report in reports) else []
    writer = csv.DictWriter(
        text,
        ["submission", "homework", "status", "source", *totals, *heads, *CAUSES, "notes"],
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
            "points": f"{report.points:g}",
            "maximum": f"{report.maximum:g}",
            "written": f"{report.given:g}",
            "written maximum": f"{sum(question.written_points for question in report.questions):g}",
            "total": f"{report.points + report.given:g}",
            "open": f"{report.open_points:g}",
            **{cause: f"{lost:g}" for cause, lost in report.causes.items()},
            "notes": harmless(" ".join(report.notes)),
        }
        writer.writerow(row)
    return text.getvalue()


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
        what, score = " ".join(report.notes)[:90], "–"
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
            score = f"{points(report.points - report.extra_points)} / {points(report.maximum)}"
            score += f" + {points(report.extra_points)}" if report.extra_points else ""
            if report.open_points:
                score += f" ({points(report.open_points)} open)"
                what = what if lost else "open, see below"
        made.add_row(report.submission, report.homework or "?", score, report.status, what)
    return made
