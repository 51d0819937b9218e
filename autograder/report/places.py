"""Where in a notebook the answer stands that a check concerns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from nbformat import NotebookNode

from autograder.declare import Homework
from autograder.grade.report import CheckResult, QuestionResult
from autograder.submissions.cells import is_kit, record_cells

MAX_CELL = 200_000  # characters of a cell that is looked at
_DEFINED = re.compile(
    r"^(?:async[ \t]++)?(?:def|class)[ \t]++(?P<name>\w++)"
    r"|^(?P<names>[A-Za-z_][\w \t,]*+)(?::[^=\n]*+)?+=(?!=)",
    re.M,
)
_CELL = re.compile(r"\b[Cc]ell (\d{1,4})\b")
_QUOTED = re.compile(r"`([A-Za-z_]\w*)")


def check_places(
    notebook: NotebookNode, homework: Homework, results: Iterable[QuestionResult]
) -> dict[tuple[str, str], int]:
    """(question, check) → index of the cell that the check concerns.

    That is the cell which the feedback names, or the one that defines the name of which the feedback speaks
    or which the check needs, or the one that records the question.
    """
    defined = _definitions(notebook)
    recorded = {question: index for index, question in record_cells(notebook, homework).items()}
    found: dict[tuple[str, str], int] = {}
    for result in results:
        declared = homework.questions.get(result.id)
        needs = {check.name: check.needs for check in declared.checks} if declared else {}
        names = {entry.name for entry in declared.entries} if declared else set()
        for check in result.checks:
            about = [name for name in _QUOTED.findall(check.feedback[:10_000]) if name in names]
            places = _places(check, [*about, *needs.get(check.name, ())], defined, len(notebook.cells))
            index = next(places, recorded.get(result.id))
            if index is not None:
                found[result.id, check.name] = index
    return found


def _places(
    check: CheckResult, names: Iterable[str], defined: Mapping[str, int], cells: int
) -> Iterator[int]:
    """The cells that come into question, the likeliest first."""
    named = _CELL.search(check.feedback[:10_000])
    if named and 0 < int(named[1]) <= cells:
        yield int(named[1]) - 1
    for name in names:
        if name in defined:
            yield defined[name]


def _definitions(notebook: NotebookNode) -> dict[str, int]:
    """Name → index of the last code cell that gives it a value at the beginning of a line."""
    found: dict[str, int] = {}
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or is_kit(cell.source):
            continue
        for match in _DEFINED.finditer(cell.source[:MAX_CELL]):
            for name in (match["name"] or match["names"]).split(","):
                found[name.strip()] = index
    return found
