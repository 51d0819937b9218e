"""The last cell's rehearsal as students see it: a line of progress, a sentence, a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from autograder.kit.differences import Finding, differences
from autograder.kit.feedback import Feedback, Line, show_table
from autograder.kit.handing_in import SavedNotebook
from autograder.kit.local_files import imports
from autograder.kit.provided import provided_note
from autograder.kit.rehearsal import (
    OPEN_STATES,
    RehearsalError,
    Rehearsed,
    graded_cells,
    rehearse,
    show_progress,
)
from autograder.kit.state import Recorded

LISTED = 8  # answers that a row of the table names
OFF = "`finish(rehearse=False)` leaves it out."


def show_rehearsal(
    log: Recorded, notebook: SavedNotebook, files: Mapping[str, bytes], stale: Sequence[str] = ()
) -> None:
    """Rehearses the grading of the saved notebook, and shows what would be graded other than recorded.

    The zip is there before; whatever goes wrong here is a line and no more.

    Args:
        log: what is recorded.
        notebook: as saved.
        files: what the zip holds beside notebook and log.
        stale: questions of which is told already that their answer changed after it was recorded.
    """
    if all(entry.get("status") in OPEN_STATES for entry in log.entries.values()):
        return  # nothing to compare with
    home = log.path.parent
    try:
        found = rehearse(home, log.homework, notebook.cells, files, tagged=notebook.tagged)
        shown = _with_exception(notebook.data)
        findings = differences(home, log.homework, notebook.cells, log.entries, found, stale, shown)
        foreign = _foreign_imports(log, notebook, [*files])
    except KeyboardInterrupt:
        _not_rehearsed("it was stopped")
    except RehearsalError as error:
        _not_rehearsed(str(error))
    except Exception as error:  # a fault in the kit must not prevent a submission
        _not_rehearsed(f"{type(error).__name__}: {error}")
    else:
        show_progress(f"Rehearsal: took {found.seconds:.1f} s", last=True)
        _show(findings, found, foreign)


def _not_rehearsed(why: str) -> None:
    show_progress("Rehearsal: ended", last=True)
    told = f"{why[:300]}. This does not change the file to hand in. {OFF}"
    Feedback("The rehearsal of the grading could not be held", [(None, told)]).show()


def _show(findings: Sequence[Finding], found: Rehearsed, foreign: Sequence[str]) -> None:
    costly = [one for one in findings if one.entries]
    lines: list[Line] = [(False, _told(one)) for one in costly]
    lines += [
        (None, f"{_told(one)} Nothing that is recorded hangs on it.") for one in findings if not one.entries
    ]
    words = "\n".join(text for _, text in lines)
    lines += [(None, text) for text in foreign if text.split("`")[1] not in words]
    lines += [(None, note)] if (note := provided_note(found.provided)) else []
    if found.lacking:
        names = ", ".join(f"`{name}`" for name in found.lacking)
        told = f"Rehearsed without {names}, which grading has, but which is not beside the notebook."
        lines.append((None, f"{told} What needs it is named here wrongly."))
    if not found.complete:
        lines.append(
            (None, "The rehearsal did not come to its end; what it did not reach counts as missing.")
        )
    count = len({question for one in costly for question in one.entries})
    if not costly:
        told = "Run as grading runs it, the saved notebook gives the answers that are recorded"
        Feedback(
            "Rehearsal of the grading", [(True, f"{told}. Recorded does not mean right."), *lines]
        ).show()
        return
    asked = f"{count} question{'s' * (count != 1)}"
    title = f"Rehearsal of the grading: {asked} would not be graded as recorded"
    lines.append((None, "Fix this, run the cells and their record cells, save, and run this cell again."))
    Feedback(title, lines).show()
    show_table(("cell", "answers", "what happens"), [_row(one) for one in costly])


def _told(one: Finding) -> str:
    words = one.cause.words[0].upper() + one.cause.words[1:]
    count = len(one.entries)
    costs = f" This costs {count} question{'s' * (count != 1)}: {', '.join(one.entries)}." if count else ""
    return f"{words.rstrip('.')}.{costs} {one.cause.advice}".strip()


def _row(one: Finding) -> tuple[str, str, str]:
    names = [f"{question} {name}" for question, some in one.entries.items() for name in some]
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return str(one.cause.cell or ""), ", ".join(names[:LISTED]) + more, one.cause.words


def _with_exception(data: bytes) -> list[int]:
    """The cells, from 1, below which the saved notebook shows an exception."""
    cells = json.loads(data.decode("utf-8-sig"))["cells"]
    return [
        number
        for number, cell in enumerate(cells, 1)
        if any(output.get("output_type") == "error" for output in cell.get("outputs") or [])
    ]


def _foreign_imports(log: Recorded, notebook: SavedNotebook, files: Sequence[str]) -> list[str]:
    """A sentence for each module that a cell imports and grading does not have."""
    has = {*log.homework.get("modules", ()), *sys.stdlib_module_names, "homework_kit"}
    has |= {name.removesuffix(".py") for name in files}
    where: dict[str, int] = {}
    for number, text in graded_cells(notebook.cells, notebook.tagged) if log.homework.get("modules") else ():
        for name in imports(text, guarded=False) - has:
            where.setdefault(name, number)
    return [
        f"Cell {number} imports `{name}`, which grading does not have unless your course says so."
        for name, number in where.items()
    ]
