"""The list of grades that changed since the last run: as CSV, which grows, and as a page of this run's."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from autograder.files import encoded, harmless, write_atomically
from autograder.grade.changes import Change

CSV, PAGE = "changes.csv", "changes.html"
HEADS = ("when", "submission", "homework", "question", "before", "after", "why", "checks")


def write(output: Path, changes: Sequence[Change], when: str) -> None:
    """Writes ``changes.html`` with these changes and adds them to ``changes.csv``, newest below.

    Args:
        output: the folder of results.
        changes: of the run that ends.
        when: it ended, in UTC.
    """
    path = output / CSV
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    earlier = path.read_bytes() if path.is_file() else b""
    if not earlier:
        writer.writerow(HEADS)
    writer.writerows([harmless(cell) for cell in _row(one, when)] for one in changes)
    write_atomically(path, earlier + encoded(text.getvalue()))
    write_atomically(output / PAGE, encoded(page(changes, when)))


def _row(one: Change, when: str) -> tuple[str, ...]:
    points = ("" if value is None else f"{round(value, 4):g}" for value in (one.before, one.after))
    told = "; ".join(one.why), "; ".join(one.checks)
    return (when, one.submission, one.homework, one.question, *points, *told)


def page(changes: Sequence[Change], when: str) -> str:
    """The page, with links relative to the folder of results."""
    from autograder.report import safehtml  # heavy, and most runs change nothing

    environment = safehtml.environment()
    environment.filters["link"] = lambda name: f"submissions/{quote(name)}/feedback.html"
    reasons = Counter(why for one in changes for why in one.why)
    return environment.get_template("changes.html.j2").render(
        changes=changes, when=when, reasons=reasons.most_common(), csv=CSV
    )
