"""Marks as CSV: out for a spreadsheet or the archive, and in again, all rows or none."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from autograder.files import harmless
from autograder.grade.marks import MAX_COMMENT, Mark, Marks, digest
from autograder.grade.report import QuestionResult, Report
from autograder.grade.rubric import Rubric

COLUMNS = ("submission", "homework", "question", "rubric", "points", "maximum", "comment", "grader")
MAX_PROBLEMS = 20  # bad rows that the error names

Answers = Mapping[tuple[str, str], tuple[Report, QuestionResult]]


class MarksCsvError(Exception):
    """A CSV that cannot be taken in: every bad row, in words."""


def to_csv(output: Path, reports: Sequence[Report]) -> str:
    """All written answers with what was given for them so far: one row each, to be filled in or kept."""
    found = Marks(output).all()
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for report in sorted(reports, key=lambda one: one.submission):
        for question in report.questions:
            if question.written is not None:
                row = _row(report, question, found.get((report.submission, question.id)))
                writer.writerow([harmless(cell) for cell in row])
    return text.getvalue()


def _row(report: Report, question: QuestionResult, mark: Mark | None) -> tuple[str, ...]:
    """One answer; a mark for another answer than the present one is left out."""
    if mark is None or mark.answer != digest(question.answer):
        rubric = given = comment = grader = ""
    else:
        rubric = ";".join(f"{share:g}" for share in mark.rubric)
        given = f"{mark.points:g}" if mark.points is not None else ""
        comment, grader = mark.comment, mark.grader
    maximum = f"{question.written_points:g}"
    return report.submission, report.homework, question.id, rubric, given, maximum, comment, grader


def from_csv(output: Path, reports: Sequence[Report], text: str, grader: str) -> int:
    """Takes marks from CSV, all rows or none; rows without points are left out.

    Args:
        output: the folder of results.
        reports: those in it.
        text: the CSV.
        grader: who takes them in, for rows that name nobody.

    Returns:
        How many marks changed.

    Raises:
        MarksCsvError: a row names an unknown submission or question, or points that are no number from 0 to
            the maximum.
    """
    answers = {
        (report.submission, question.id): (report, question)
        for report in reports
        for question in report.questions
    }
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    try:
        lines = list(_numbered(rows))
    except csv.Error as error:
        raise MarksCsvError(f"line {rows.line_num} is no CSV: {error}") from None
    if missing := {"submission", "question", "points"} - set(rows.fieldnames or ()):
        raise MarksCsvError(
            f"The first line must name the columns {', '.join(COLUMNS)}; {', '.join(sorted(missing))}"
            " missing."
        )
    kept = Marks(output)
    problems: list[str] = []
    marks: list[Mark] = []
    for number, row in lines:
        cells = {
            name: _unguarded(value or "")
            for name, value in row.items()
            if isinstance(name, str) and not isinstance(value, list)
        }
        if not cells["points"].strip():
            continue
        try:
            marks.append(_read(cells, answers, grader, kept))
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        more = "; …" if len(problems) > MAX_PROBLEMS else ""
        raise MarksCsvError("; ".join(problems[:MAX_PROBLEMS]) + more)
    return kept.save_all(marks)


def _numbered(rows: csv.DictReader[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for row in rows:
        yield rows.line_num, row


def _read(cells: Mapping[str, str], answers: Answers, grader: str, kept: Marks) -> Mark:
    """One row's mark.

    Raises:
        ValueError: it fits no written answer or its points are none.
    """
    report, question = answers.get((cells["submission"], cells["question"]), (None, None))
    if report is None or question is None or question.written is None:
        asked, who = cells["question"] or "?", cells["submission"] or "?"
        raise ValueError(f"no written answer to {asked} by {who} in this folder")
    points = _number(cells["points"])
    if points is None or not 0 <= points <= question.written_points:
        raise ValueError(
            f"points must be a number from 0 to {question.written_points:g}, not {cells['points']!r}"
        )
    return Mark(
        report.submission,
        question.id,
        digest(question.answer),
        _shares(cells.get("rubric", ""), points, kept.rubric(report.homework, question.id)),
        points,
        cells.get("comment", "")[:MAX_COMMENT],
        cells.get("grader", "").strip() or grader,
    )


def _shares(text: str, points: float, rubric: Rubric | None) -> tuple[float, ...]:
    """The shares of the rubric's items; empty where they do not make the points."""
    shares = tuple(_number(part) or 0.0 for part in text.split(";") if part.strip())
    if rubric is None or not shares or len(shares) > len(rubric.items):
        return ()
    return rubric.fitted(shares) if abs(rubric.points(shares) - points) <= 1e-9 else ()


def _unguarded(cell: str) -> str:
    return cell[1:] if re.match(r"'[=+\-@\t\r]", cell) else cell


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None
