"""Writes reports: Gradescope's ``results.json``, one ``grades.csv`` for a class, a table for the terminal."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from rich.table import Table

from autograder.files import harmless, points, write_atomically
from autograder.grade.report import CheckResult, QuestionResult, Report

NAMED = 6  # questions that the terminal's table names; what a row lost beyond them is counted
MAX_EXECUTED = 20_000_000  # bytes of an executed notebook that is read back


def results_json(report: Report) -> dict[str, Any]:
    """The report in Gradescope's results format (Gradescope autograder specifications, ``results.json``).

    ``extra_data`` holds the whole report, so that :func:`read_results` gets it back.
    """
    tests = [
        {
            "name": f"{question.id} {question.title}: {check.name}",
            "number": question.id,
            "score": check.points,
            "max_score": 0.0 if question.extra else check.maximum,
            "status": "passed" if check.state == "passed" else "failed",
            "output": check.feedback or "Right.",
            "output_format": "md",
            "visibility": "visible",
        }
        for question in report.questions
        for check in question.checks
    ]
    tests += [
        {
            "name": f"{question.id} {question.title}: written answer",
            "number": question.id,
            "score": question.given,
            "max_score": question.written_points,
            "status": "passed" if question.given >= question.written_points else "failed",
            "output": (
                "\n\n".join([*(f"- {reason}" for reason in question.reasons), question.comment]).strip()
                or "Graded by a person."
            ),
            "output_format": "text",
            "visibility": "visible",
        }
        for question in report.questions
        if question.given is not None
    ]
    open_answers = [
        question for question in report.questions if question.written is not None and question.given is None
    ]
    pending = [f"{question.id} ({question.written_points:g} points)" for question in open_answers]
    lines = list(report.notes)
    if pending:
        lines.append(f"Written answers are graded by a person: {', '.join(pending)}.")
    return {
        "score": report.points + report.given,
        "output": "\n\n".join(lines),
        "output_format": "md",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "execution_time": round(report.seconds),
        "tests": tests,
        "extra_data": {"status": report.status, "report": dataclasses.asdict(report)},
    }


def read_results(data: Mapping[str, Any]) -> Report:
    """The report that :func:`results_json` wrote."""
    raw = dict(data["extra_data"]["report"])
    questions = tuple(
        QuestionResult(
            **{
                **question,
                "checks": tuple(CheckResult(**check) for check in question["checks"]),
                "notes": tuple(question.get("notes", ())),
                "reasons": tuple(question.get("reasons", ())),
            }
        )
        for question in raw.pop("questions")
    )
    return Report(**{**raw, "questions": questions, "notes": tuple(raw["notes"])})


def grades_csv(reports: Sequence[Report]) -> str:
    """One row for every submission, one column for every question; written points are empty until a person gave them.

    ``points`` and ``maximum`` are the autograder's, ``written`` and ``written maximum`` people's, ``total``
    is both.
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
    writer = csv.DictWriter(
        text, ["submission", "homework", "status", "source", *totals, *heads, "notes"], lineterminator="\n"
    )
    writer.writeheader()
    for report in sorted(reports, key=lambda one: one.submission):
        row: dict[str, object] = {question.id: f"{question.points:g}" for question in report.questions}
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
            "notes": harmless(" ".join(report.notes)),
        }
        writer.writerow(row)
    return text.getvalue()


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
                if question.points < question.maximum and not question.extra
            ]
            named = (
                lost
                if len(lost) <= NAMED + 1
                else [*lost[: NAMED - 1], f"{lost[NAMED - 1]} and {len(lost) - NAMED} more"]
            )
            what = "lost in " + ", ".join(named) if lost else "full marks"
            score = f"{points(report.points - report.extra_points)} / {points(report.maximum)}"
            score += f" + {points(report.extra_points)}" if report.extra_points else ""
        made.add_row(report.submission, report.homework or "?", score, report.status, what)
    return made


def write_results(folder: Path, report: Report) -> None:
    """Writes ``results.json`` of one submission into its folder; leaves it alone where it says the same already."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    data = (json.dumps(results_json(report), indent=1, ensure_ascii=False) + "\n").encode()
    if not path.is_file() or path.read_bytes() != data:
        write_atomically(path, data)


def read_reports(output: Path) -> list[Report]:
    """The reports of a folder of results, by submission.

    Raises:
        FileNotFoundError: it holds none.
    """
    found = [
        read_results(json.loads(path.read_text(encoding="utf-8")))
        for path in sorted((output / "submissions").glob("*/results.json"))
    ]
    if not found:
        raise FileNotFoundError(f"{output}: no results; grade submissions into this folder first")
    return found


def read_executed(folder: Path) -> NotebookNode | None:
    """The executed notebook in a submission's folder of results, None if there is none that can be read."""
    path = folder / "executed.ipynb"
    try:
        if path.stat().st_size > MAX_EXECUTED:
            return None
        return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (OSError, ValueError, nbformat.reader.NotJSONError, AttributeError, KeyError):
        return None
