"""Writes all pages of a graded folder: grades.csv, each submission's feedback, the class report."""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from autograder.declare import followed, homeworks
from autograder.files import encoded, write_atomically
from autograder.grade import processes, staff
from autograder.grade.report import Report
from autograder.grade.store import read_reports, write_results
from autograder.grade.workers import start_worker
from autograder.report.tables import REVEAL, TIMING, grades_csv, timing_csv
from autograder.run.container import usual_workers

FEW = 10  # pages for which a second process is not worth its start
IN_FLIGHT = 4  # pages handed to each process ahead of time
_Job = tuple[Path, Report, str]


def publish(
    output: Path,
    reports: Sequence[Report] | None = None,
    *,
    reveal: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Ends a batch: adds the points from manual grading and writes grades.csv and all pages.

    Args:
        output: the folder of results.
        reports: of the batch; read from the ``results.json`` files if left out.
        reveal: how much of the hidden inputs feedback may show; as in the last batch if left out.
        progress: called with how many pages are written, and of how many.

    Returns:
        The path of ``report.html``, the page to open.
    """
    graded = list(reports) if reports is not None else read_reports(output)
    graded = sorted(staff.apply(output, graded), key=lambda one: one.submission)  # not by who was done first
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
    write_atomically(output / TIMING, encoded(timing_csv(graded, output)))
    made = _class_pages(graded, output)
    for name, text in made.items():
        write_atomically(output / name, encoded(text))
    for old in {output / f"{homework}-report.html" for homework in homeworks()}:
        if old.name not in made:  # of a homework that an earlier batch had beside others
            old.unlink(missing_ok=True)
    return output / "report.html"


def _write_all(
    output: Path, graded: Sequence[Report], reveal: str, progress: Callable[[int, int], None]
) -> None:
    """Writes all feedback pages, in processes of their own: several where there are many."""
    jobs: deque[_Job] = deque((output / "submissions" / one.submission, one, reveal) for one in graded)
    total, workers = len(jobs), max(1, min(usual_workers(), len(jobs) // FEW))
    while jobs:
        for job in _write_some(jobs, workers, lambda underway: progress(total - len(jobs) - underway, total)):
            # a process has died: which of the pages ended it shows when each is written by itself
            if _write_some(deque([job]), 1, lambda underway: None):
                from autograder.report.feedback import NOT_SHOWN, write_feedback

                write_feedback(*job, plain=NOT_SHOWN.format(why="ended the process that did so"))
    progress(total, total)


def _write_some(jobs: deque[_Job], workers: int, told: Callable[[int], None]) -> list[_Job]:
    """Writes pages until there are no more or a process dies.

    Args:
        jobs: what to write; those that were tried are taken out.
        workers: how many processes.
        told: called with how many pages are underway, whenever one is written.

    Returns:
        Those that were underway when a process died.
    """
    underway: dict[Future[bool], _Job] = {}
    with _writers(workers) as executor:
        try:
            while jobs or underway:
                while jobs and len(underway) < IN_FLIGHT * workers:
                    underway[executor.submit(_write_page, *jobs[0])] = jobs[0]
                    jobs.popleft()
                for future in wait(underway, return_when=FIRST_COMPLETED).done:
                    future.result()
                    del underway[future]
                    told(len(underway))
        except BrokenProcessPool:
            return list(underway.values())
    return []


def _class_pages(graded: Sequence[Report], output: Path) -> dict[str, str]:
    """The class report, made in a process of its own; without comparing, should that end the process."""
    for compare in (True, False):
        with _writers(1) as executor, contextlib.suppress(BrokenProcessPool):
            return executor.submit(_make_class_pages, graded, output, compare).result()
    return _make_class_pages(graded, output, compare=False)


def _write_page(folder: Path, report: Report, reveal: str) -> bool:
    """Writes one feedback page; what that needs is imported by the processes that write, not by this one."""
    from autograder.report.feedback import write_feedback

    return write_feedback(folder, report, reveal)


def _make_class_pages(graded: Sequence[Report], output: Path, compare: bool) -> dict[str, str]:
    """The class report: file name → HTML."""
    from autograder.report import class_report

    return class_report.pages(graded, output, compare)


def _writers(count: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(
        count, mp_context=processes.context(), initializer=start_worker, initargs=(followed(),)
    )
