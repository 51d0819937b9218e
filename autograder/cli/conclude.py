"""The end of a grading run: writes grades and pages, and prints what needs attention."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from autograder.cli.shared import Terminal, publish_pages
from autograder.files import SECRET, encoded, speakable, write_atomically
from autograder.grade import changes, faults, staff
from autograder.grade.changes import Change
from autograder.grade.overrides import unfitting
from autograder.grade.report import Report
from autograder.grade.settings import Settings
from autograder.kit.clock import now
from autograder.report import tables
from autograder.report.changes import CSV, PAGE
from autograder.report.changes import write as write_changes
from autograder.report.not_run import class_lines

LEFT_ALONE = "left-alone.txt"  # in the output folder: every file that is part of no submission
SHOWN = 5  # files that are no submission, by name
SHOWN_CHANGES = 20
OUR_FAULT = 3  # the exit code where a mistake in the grader left points open


def conclude(
    console: Terminal,
    output: Path,
    reports: list[Report],
    ignored: Sequence[str],
    reveal: str,
    settings: Settings,
) -> None:
    """Writes grades and pages, and prints what needs attention.

    Raises:
        click.exceptions.Exit: a mistake in the grader left points open.
    """
    reports = staff.apply(output, reports)  # what people gave is not open
    write_atomically(output / "grades.csv", encoded(tables.grades_csv(reports)))
    console.print(tables.table(reports))
    (output / LEFT_ALONE).unlink(missing_ok=True)  # of an earlier run
    if ignored:
        write_atomically(output / LEFT_ALONE, encoded("".join(f"{speakable(one)}\n" for one in ignored)))
        more = f" and {len(ignored) - SHOWN} more" if len(ignored) > SHOWN else ""
        names = speakable(", ".join(ignored[:SHOWN]))
        console.print(
            f"Ignored, not part of a submission: {names}{more}."
            f" Full list: {speakable(str(output / LEFT_ALONE))}",
            soft_wrap=True,
        )
    kept = changes.snapshot(reports, settings)
    before = changes.read(output)
    changed = None if before is None else changes.compare(before, kept)
    publish_pages(console, output, reports, reveal)
    where = speakable(str(output))
    judged = sum(bool(report.questions) for report in reports)
    many = "s" if (len(reports), judged) != (1, 1) else ""
    of = "" if judged == len(reports) else f" of {len(reports)}"
    console.print(
        f"{judged}{of} submission{many} graded. Grades: {where}/grades.csv; feedback: {where}/submissions"
    )
    for told in tables.open_words(reports):
        console.print(told, soft_wrap=True)
    console.print(f"Open the class report in a browser: {where}/report.html", soft_wrap=True)
    if lost := unfitting(output, reports):
        names = ", ".join(f"{one.submission} {one.question}" for one in lost)
        console.print(
            speakable(
                f"Overrides that match nothing in this run: {names} (see 'autograder override --list')"
            ),
            soft_wrap=True,
            highlight=False,
        )
    for line in class_lines(reports):
        console.print(line, soft_wrap=True, highlight=False)
    _tell_changes(console, output, changed)
    failed = _tell_faults(console, output, reports)
    if changed is not None:  # last: a run that is stopped before this has not come to its end
        write_changes(output, changed, now())
    changes.write(output, kept)
    if failed:
        raise click.exceptions.Exit(OUR_FAULT)


def _tell_faults(console: Terminal, output: Path, reports: Sequence[Report]) -> bool:
    """Prints a line for each check that failed on our side and writes the tracebacks.

    Returns:
        Whether there are any.
    """
    found, path = faults.find_faults(reports), output / faults.FILE
    if not found:
        path.unlink(missing_ok=True)  # of an earlier run
        return False
    write_atomically(path, encoded(faults.faults_text(found)), SECRET)
    for fault in found:
        console.print(speakable(faults.fault_line(fault, path)), soft_wrap=True, highlight=False)
    return True


def _tell_changes(console: Terminal, output: Path, found: Sequence[Change] | None) -> None:
    """Prints the grades that changed, the first of many."""
    if found is None:
        return
    if not found:
        console.print("No grades changed since the last run.")
        return
    many = "grades have" if len(found) > 1 else "grade has"
    where = f"{output}/{CSV} and {PAGE}"
    console.print(
        speakable(f"{len(found)} {many} changed since the last run ({where}):"),
        soft_wrap=True,
        highlight=False,
    )
    for one in found[:SHOWN_CHANGES]:
        console.print(f"  {speakable(one.line)}", soft_wrap=True, highlight=False)
    if len(found) > SHOWN_CHANGES:
        console.print(f"  and {len(found) - SHOWN_CHANGES} more")
