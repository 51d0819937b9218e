"""The last cell: what is recorded, what is missing, and one zip to hand in."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from typing import Any

from autograder.kit.clock import clock, stamp
from autograder.kit.feedback import Feedback, show_both
from autograder.kit.handing_in import (
    SavedNotebook,
    cells_that_ran,
    find_notebook,
    in_colab,
    write_whole,
    written_answers,
    zip_bytes,
)
from autograder.kit.state import LOG_NAME, STALE, Recorded


def show_summary(log: Recorded) -> None:
    """Writes the log, puts what is to be handed in into one zip, and says what is recorded, missing or out of date."""
    # before the notebook is compared: what ran again with the same values gets its new cells
    log.write()
    notebook = None
    if log.challenged == "public":
        given = (os.environ.get("JPY_SESSION_NAME"), log.namespace.get("__vsc_ipynb_file__"))
        notebook = find_notebook(log.path.parent, log.homework, cells_that_ran(), given)
    digests = notebook.digests() if notebook else set()
    stale = (
        {question: log.edited(question, notebook, digests) for question in log.questions} if notebook else {}
    )
    log.write(stale)
    stale |= {question: told["stale"] for question, told in log.answers.items() if "stale" in told}
    words = (
        {question: len(text.split()) for question, text in written_answers(notebook.cells).items()}
        if notebook
        else None
    )
    rows = [
        _question_row(log, question, stale.get(question["id"], ""), words)
        for question in log.questions.values()
    ]
    recorded = sum(log.state(question) == "recorded" for question in log.questions)
    asked = sum(bool(question["entries"]) for question in log.questions.values())
    lines = _to_do_lines(log, stale, words, notebook)
    lines.append((None, _points_line(log, words)))
    if log.challenged == "public":
        lines += _make_zip(log, notebook, ready=all(state is not False for state, _ in lines))
    Feedback(
        f"{log.homework['id']}: {recorded} of {asked} questions recorded in {log.path.name}", lines
    ).show()
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    heads = "".join(
        f'<th scope="col" style="text-align:left">{name}</th>'
        for name in ("number", "question", "points", "written", "state")
    )
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    show_both("\n".join("  ".join(cell for cell in row if cell) for row in rows), table)


def _question_row(
    log: Recorded, question: Mapping[str, Any], stale: str, words: Mapping[str, int] | None
) -> tuple[str, ...]:
    points = (
        (f"{question['points']:g}" + (" extra" if question.get("extra") else ""))
        if question["entries"]
        else ""
    )
    written = f"{question['written']:g}" if question.get("written") else ""
    state = log.state(question["id"])
    told = [] if state == "written" else [{"recorded": "✓ "}.get(state, "· ") + state]
    if stale in STALE:
        told = [f"✗ {STALE[stale]}"]
    elif told and log.answers.get(question["id"], {}).get("earlier"):
        told.append(f"at {clock(log.answers[question['id']].get('recorded'))}, before this kernel started")
    if written:
        count = words.get(question["id"], 0) if words is not None else None
        told.append(
            "in the notebook"
            if count is None
            else f"{count} words written"
            if count
            else "· nothing written yet"
        )
    return question["id"], question["title"], points, written, ", ".join(told)


def _to_do_lines(
    log: Recorded, stale: Mapping[str, str], words: Mapping[str, int] | None, notebook: SavedNotebook | None
) -> list[tuple[bool | None, str]]:
    """What is missing, out of date or not saved, a line for each kind."""
    lines: list[tuple[bool | None, str]] = []

    def listed(kind: str) -> str:
        return ", ".join(question for question in log.questions if stale.get(question) == kind)

    if changed := listed("changed"):
        lines.append(
            (
                False,
                (
                    f"Changed after recording: {changed}. The log holds the old answer. Run the record"
                    " cell again, then this cell."
                ),
            )
        )
    if edited := listed("edited"):
        told = "Run the cells of the answer and its record cell, then this cell."
        lines.append(
            (
                False,
                f"Edited in the notebook after recording: {edited}. The log holds the old answer. {told}",
            )
        )
    if (unsaved := listed("unsaved")) and notebook and notebook.saved:
        told = (
            f"Not saved yet: the file `{notebook.name}` of {clock(stamp(notebook.saved))} lacks cells"
            f" that ran for {unsaved}."
        )
        lines.append((False, f"{told} Save the notebook (Ctrl+S, on a Mac ⌘S), then run this cell again."))
    counts = [
        question for question in log.questions.values() if question["entries"] and not question.get("extra")
    ]
    if missing := [question["id"] for question in counts if log.state(question["id"]) != "recorded"]:
        lines.append(
            (
                None,
                (
                    f"Missing or incomplete: {', '.join(missing)}. Answer them, run their record cells,"
                    " then this cell."
                ),
            )
        )
    elif not lines:
        lines.append(
            (
                True,
                (
                    "Nothing is missing among the questions that count. Recorded does not mean right: the"
                    " checks tell more."
                ),
            )
        )
    if words is not None and (
        blank := [name for name, one in log.questions.items() if one.get("written") and not words.get(name)]
    ):
        lines.append((None, f"No words yet in the written answers {', '.join(blank)} of the saved notebook."))
    for spec in log.files():
        file = log.path.with_name(spec["file"])
        if not file.is_file():
            others = sorted(path.name for path in log.path.parent.glob(f"*{file.suffix}") if path.is_file())
            hint = (
                f" There is {', '.join(f'`{name}`' for name in others[:3])}; if it is that one, rename it."
                if others
                else ""
            )
            lines.append((None, f"`{file.name}` is not there yet.{hint}"))
    return lines


def _points_line(log: Recorded, words: Mapping[str, int] | None) -> str:
    """One sentence on points: graded automatically, by people, extra; and how much of each is there to be graded."""
    auto = [one for one in log.questions.values() if one["entries"] and not one.get("extra")]
    extra = [one for one in log.questions.values() if one.get("extra")]
    people = [one for one in log.questions.values() if one.get("written")]

    def there(some: Sequence[Mapping[str, Any]]) -> str:
        return (
            f"{sum(one['points'] for one in some if log.state(one['id']) == 'recorded'):g} of"
            f" {sum(one['points'] for one in some):g}"
        )

    parts = [f"recorded so far: questions worth {there(auto)} points that are graded automatically"]
    if people:
        total = f"{sum(one['written'] for one in people):g}"
        begun = (
            f"{sum(one['written'] for one in people if words.get(one['id'])):g} of "
            if words is not None
            else ""
        )
        parts.append(f"written answers worth {begun}{total} points, graded by people")
    if extra:
        parts.append(f"{there(extra)} points of extra credit")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def _make_zip(log: Recorded, notebook: SavedNotebook | None, ready: bool) -> list[tuple[bool | None, str]]:
    """Makes the zip to hand in and says what it holds, and what has to be added by hand."""
    stem = log.homework["stem"]
    target = log.path.with_name(f"{stem}_submission.zip")
    files = {f"{stem}.ipynb": notebook.data} if notebook else {}
    files[LOG_NAME] = log.path.read_bytes()
    files |= {
        path.name: path.read_bytes()
        for spec in log.files()
        if (path := log.path.with_name(spec["file"])).is_file()
    }
    try:
        write_whole(target, zip_bytes(files))
    except OSError as error:
        return [
            (
                False,
                (
                    f"`{target.name}` could not be written ({error}). Hand in these files one by one:"
                    f" {', '.join(files)}."
                ),
            )
        ]
    holds = (
        f"`{target.name}` ({target.stat().st_size / 1000:,.0f} kB) holds"
        f" {', '.join(f'`{name}`' for name in files)}"
    )
    where = "Download it from the Files pane at the left." if in_colab() else f"It is in {log.path.parent}."
    if notebook is None:
        how = "choose File → Download → Download .ipynb" if in_colab() else "save it"
        why = (
            "Colab keeps the notebook in Drive"
            if in_colab()
            else f"No notebook of {log.homework['id']} was found in {log.path.parent}"
        )
        return [(False, f"{holds}, but not the notebook. {why}: {how}, and hand in both files. {where}")]
    advice = (
        "Hand in this one file,"
        if ready
        else "This is not ready to hand in: first do what the lines marked ✗ say. The file will be"
    )
    told = (
        "as it is on the page now"
        if notebook.saved is None
        else f"as saved at {clock(stamp(notebook.saved))}"
    )
    if notebook.name not in ("", f"{stem}.ipynb"):
        told += f", where it is called `{notebook.name}`"
    return [(None, f"{holds}; the notebook {told}."), (None, f"{advice} `{target.name}`. {where}")]
