"""Writes all pages of a graded folder: grades.csv, each submission's feedback, the class report."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from autograder.files import encoded, write_atomically
from autograder.grade import marks, processes
from autograder.grade.report import Report
from autograder.grade.store import read_reports, write_results
from autograder.report import class_report
from autograder.report.feedback import write_feedback
from autograder.report.shown import REVEAL
from autograder.report.tables import grades_csv

FEW = 10  # pages for which a second process is not worth its start


def publish(
    output: Path,
    reports: Sequence[Report] | None = None,
    *,
    reveal: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Ends a batch: takes in the points given at the desk and writes grades.csv and all pages.

    Args:
        output: the folder of results.
        reports: of the batch; read from the ``results.json`` files if left out.
        reveal: how much of the hidden inputs feedback may show; as in the last batch if left out.
        progress: called with how many pages are written, and of how many.

    Returns:
        The path of ``report.html``, the page to open.
    """
    graded = list(reports) if reports is not None else read_reports(output)
    graded = sorted(marks.apply(output, graded), key=lambda one: one.submission)  # not by who was done first
    settings = output / "pages.json"
    if reveal is None:
        reveal = (
            json.loads(settings.read_text(encoding="utf-8"))["reveal"] if settings.is_file() else REVEAL[0]
        )
    write_atomically(settings, json.dumps({"reveal": reveal}).encode())
    for one in graded:
        write_results(output / "submissions" / one.submission, one)
    _write_all(output, graded, reveal, progress or (lambda done, total: None))
    write_atomically(output / "grades.csv", encoded(grades_csv(graded)))
    path = output / "report.html"
    write_atomically(path, encoded(class_report.page(graded, output)))
    return path


def _write_all(
    output: Path, graded: Sequence[Report], reveal: str, progress: Callable[[int, int], None]
) -> None:
    """Writes all feedback pages, several at a time where there are many."""
    jobs = [(output / "submissions" / one.submission, one, reveal) for one in graded]
    workers = min(os.cpu_count() or 1, len(jobs) // FEW)
    if workers < 2:
        for number, job in enumerate(jobs, 1):
            write_feedback(*job)
            progress(number, len(jobs))
        return
    with ProcessPoolExecutor(workers, mp_context=processes.context()) as executor:
        for number, _ in enumerate(executor.map(write_feedback, *zip(*jobs, strict=True), chunksize=4), 1):
            progress(number, len(jobs))
