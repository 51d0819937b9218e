"""Keeps results: a report as ``results.json``, and the folder that holds those of a class."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.files import write_atomically
from autograder.grade.report import CheckResult, QuestionResult, Report

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
