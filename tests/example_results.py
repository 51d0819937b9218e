"""A folder of results as ``autograder grade`` leaves it, made without running anything."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from pathlib import Path

import nbformat
import numpy as np
import pytest

from autograder.author.build import build_notebook
from autograder.declare import attention, homeworks, plain
from autograder.files import write_atomically
from autograder.grade.report import CheckResult, QuestionResult, Report
from autograder.names import source_path
from autograder.report.publish import publish as publish_pages
from tests.gallery import ROOT

HOSTILE = (
    '<script>document.title = "taken over"</script><img src=x onerror="document.title=\'taken over\'"> <a'
    ' href="javascript:document.title=1">link</a> <style>body { display: none }</style> <img'
    ' src="http://127.0.0.1:9/pixel.png"> <iframe srcdoc="<script>parent.document.title=1</script>"></iframe>'
    ' <form action="http://127.0.0.1:9/"><input autofocus onfocus="document.title=1"></form> and **words**'
)
GOOD = (
    "The scores agree, because for any invertible $M$\n\n$$(QM)(KM^{-\\top})^\\top = QK^\\top$$\n\nso **only"
    " the product** counts. " + "word " * 70
)
ANSWERS = (GOOD, HOSTILE, "", "Too short.", GOOD + "indeed " * 200, GOOD)


def result(question: str, share: float, written: str | None = None) -> QuestionResult:
    """A question with one passed and one other check; a failed one has an attention map."""
    asked = homeworks()["hw3"].questions[question]
    maps = {"head": np.full((3, 3), 1 / 3)}
    checks = []
    for check in asked.checks:
        passed = share >= 1 or (share > 0 and not checks)
        told = (
            ""
            if passed
            else "In `A B C` every position gets the same score. <script>document.title = 1</script>"
        )
        shown = (
            None
            if passed
            else plain(attention("Attention of your weights on A B C", ["0: A", "1: B", "2: C"], maps))
        )
        checks.append(
            CheckResult(
                check.name,
                "passed" if passed else "failed",
                check.points * passed,
                check.points,
                told,
                evidence=shown,
            )
        )
    points = asked.written.points if asked.written else 0.0
    return QuestionResult(
        question,
        asked.title,
        tuple(checks),
        "run",
        asked.extra,
        written if asked.written else None,
        points,
        found="" if not asked.written else "found" if written else "blank",
    )


def write(folder: Path, count: int = 6, **publish: str) -> list[Report]:
    """Writes results of ``count`` submissions, with pages, and returns the reports."""
    homework = homeworks()["hw3"]
    base = build_notebook(homework, source_path(ROOT, homework.stem))
    reports = []
    for number in range(count):
        name = f"student-{number:02d}"
        answer = ANSWERS[number % len(ANSWERS)]
        questions = tuple(
            result(question, (number + place) % 3 / 2, answer)
            for place, question in enumerate(homework.questions)
        )
        status, notes = (
            ("graded", ()) if number else ("graded with problems", ("cell 3 ran longer than 30 s.",))
        )
        reports.append(Report(name, "hw3", status, questions, notes))
        notebook = nbformat.reads(nbformat.writes(base), as_version=4)
        shown = nbformat.v4.new_code_cell("print(answer)")
        shown.outputs = [
            nbformat.v4.new_output("stream", name="stdout", text=HOSTILE),
            nbformat.v4.new_output("display_data", {"text/html": HOSTILE, "text/plain": "x"}),
            nbformat.v4.new_output(
                "display_data", {"application/javascript": "document.title = 1", "text/plain": "x"}
            ),
        ]
        notebook.cells += [shown, nbformat.v4.new_markdown_cell(HOSTILE)]
        own = folder / "submissions" / name
        own.mkdir(parents=True)
        write_atomically(own / "executed.ipynb", nbformat.writes(notebook).encode())
    publish_pages(folder, reports, **publish)
    return reports


class Here(Executor):
    """Runs jobs at once in this process: what comes out is the same, and no interpreter has to start."""

    def submit(self, function, /, *args, **options):
        done: Future = Future()
        done.set_result(function(*args, **options))
        return done


def write_pages_here(patch: pytest.MonkeyPatch) -> None:
    """Lets pages be written in this process, as long as the patch holds."""
    patch.setattr("autograder.report.publish._writers", lambda count: Here())


@pytest.fixture
def pages_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets pages be written in this process."""
    write_pages_here(monkeypatch)
