"""Marks that travel: a file for a grader who works elsewhere, and its way back without a loss.

What comes back is compared with what went out. Where only the file changed a mark, it is taken. Where both
did, the mark here stays, and the other one is kept as a rival until somebody chooses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from autograder.files import encoded, whole
from autograder.grade.marks import MAX_COMMENT, digest
from autograder.grade.marks_rows import Mark, get_row, mark_of, save_row
from autograder.grade.report import QuestionResult, Report
from autograder.grade.rubrics import Rubrics
from autograder.kit.clock import now

FORM = "attention-homeworks marks 1"
TICKET = "desk-for.json"  # in a folder of results that was made for one grader


class ExchangeError(ValueError):
    """A file that is not taken in; the message says why."""


@dataclass(frozen=True)
class Rival:
    """A mark that came from another file and differs from the one that counts."""

    number: int
    mark: Mark


@dataclass(frozen=True)
class Merged:
    """What came of a file: how many marks were taken, and in words which were not, and why."""

    taken: int
    conflicts: tuple[str, ...]
    left: tuple[str, ...]


class Exchange(Rubrics):
    """The marks of one folder of results, with those that came from elsewhere."""

    def rivals(self, question: str) -> list[Rival]:
        """Marks of a question that wait for a choice."""
        with self._open() as database:
            rows = database.execute(
                "SELECT * FROM rivals WHERE question = ? AND settled IS NULL ORDER BY id", (question,)
            ).fetchall()
        return [Rival(row["id"], mark_of(json.loads(row["mark"]))) for row in rows]

    def settle(self, number: int, grader: str, take: bool) -> Mark | None:
        """Ends a rivalry: the rival's mark counts, or the one that did; None if it is settled already."""
        with self._writing() as database:
            row = database.execute(
                "SELECT * FROM rivals WHERE id = ? AND settled IS NULL", (number,)
            ).fetchone()
            if row is None:
                return None
            said = f"{grader}, {now()}: {'taken' if take else 'left'}"
            database.execute("UPDATE rivals SET settled = ? WHERE id = ?", (said, number))
            mark = mark_of(json.loads(row["mark"]))
            kept = get_row(database, mark.submission, mark.question)
            if take:
                return save_row(database, replace(mark, version=kept.version if kept else 0))
            return kept or mark

    def ticket(self, grader: str, number: str) -> dict[str, Any]:
        """What a grader who works elsewhere starts from, as JSON."""
        base = [asdict(mark) for mark in self.all().values()]
        with self._open() as database:
            rubrics = [
                [row["question"], row["version"], row["items"], row["grader"], row["at"]]
                for row in database.execute("SELECT * FROM rubrics ORDER BY id")
            ]
            snippets = [
                [row["question"], row["text"], row["grader"]]
                for row in database.execute("SELECT * FROM snippets ORDER BY id")
            ]
        return {
            "form": FORM, "grader": grader, "number": number,
            "base": base, "rubrics": rubrics, "snippets": snippets,
        }  # fmt: skip

    def begin(self, ticket: Mapping[str, Any]) -> None:
        """Fills an empty file of marks with what a ticket brought."""
        with self._writing() as database:
            for kept in ticket["base"]:
                mark = mark_of(kept)
                save_row(database, replace(mark, version=0))
            database.execute("DELETE FROM journal")  # nobody undoes here what was done there
            for rubric in ticket["rubrics"]:
                database.execute(
                    "INSERT INTO rubrics (question, version, items, grader, at) VALUES (?, ?, ?, ?, ?)",
                    rubric,
                )
            for snippet in ticket["snippets"]:
                database.execute(
                    "INSERT OR IGNORE INTO snippets (question, text, grader) VALUES (?, ?, ?)", snippet
                )

    def returned(self, ticket: Mapping[str, Any]) -> bytes:
        """The file that goes back: what went out, and the marks as they are now."""
        kept = {name: ticket[name] for name in ("form", "grader", "number", "base")}
        snippets = self.ticket("", "")["snippets"]
        marks = [asdict(mark) for mark in self.all().values()]
        return encoded(json.dumps({**kept, "marks": marks, "snippets": snippets}, indent=1) + "\n")

    def merge(self, reports: Sequence[Report], text: str) -> Merged:
        """Takes in a file that came back, in one transaction; the same file again changes nothing.

        Raises:
            ExchangeError: it is no such file.
        """
        data = _read(text)
        answers = {
            (report.submission, question.id): (report, question)
            for report in reports
            for question in report.questions
            if question.written is not None
        }
        taken, conflicts, left = 0, [], []
        with self._writing() as database:
            name = f"merged {data['number']}"
            last = database.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
            base = {
                (one.submission, one.question): one
                for one in _marks(json.loads(last["value"]) if last else data["base"])
            }
            for mark in _marks(data["marks"]):
                place = mark.submission, mark.question
                before = base.get(place)
                if before is not None and mark.says(before):
                    continue
                what = f"{mark.submission}, {mark.question}"
                if place not in answers or digest(answers[place][1].answer) != mark.answer:
                    left.append(f"{what}: the answer that was graded is not the one in this folder")
                    continue
                mark = self._fitting(mark, *answers[place])
                kept = get_row(database, *place)
                if kept is not None and kept.answer != mark.answer:
                    kept = replace(Mark(*place, mark.answer), version=kept.version)
                if kept is not None and mark.says(kept):
                    continue
                untouched = kept is None or (
                    kept.says(before) if before else not (kept.draft or kept.points is not None)
                )
                if untouched:
                    save_row(database, replace(mark, version=kept.version if kept else 0))
                    taken += 1
                    continue
                assert kept is not None
                conflicts.append(f"{what}: here {_told(kept)}, in the file {_told(mark)}")
                text = json.dumps(asdict(replace(mark, version=0)))
                database.execute(
                    "INSERT INTO rivals (submission, question, mark, at) VALUES (?, ?, ?, ?)",
                    (*place, text, now()),
                )
            for question, text, grader in data["snippets"]:
                database.execute(
                    "INSERT OR IGNORE INTO snippets (question, text, grader) VALUES (?, ?, ?)",
                    (question, text, grader),
                )
            database.execute("REPLACE INTO settings VALUES (?, ?)", (name, json.dumps(data["marks"])))
        return Merged(taken, tuple(conflicts), tuple(left))

    def _fitting(self, mark: Mark, report: Report, question: QuestionResult) -> Mark:
        """The mark with points by the rubric that holds here, never more than there are."""
        rubric = self.rubric(report.homework, question.id)
        if mark.points is None:
            return mark
        if mark.rubric and rubric is not None:
            return replace(mark, points=rubric.points(mark.rubric))
        return replace(mark, points=min(mark.points, question.written_points))


def _told(mark: Mark) -> str:
    given = "a draft" if mark.points is None else f"{mark.points:g} points"
    return f"{given} by {mark.grader or 'nobody'}"


def _read(text: str) -> dict[str, Any]:
    """A file that came back, checked.

    Raises:
        ExchangeError: it is none.
    """
    wrong = ExchangeError("This is no file of marks that a grader's desk wrote, or not a whole one.")
    try:
        data = json.loads(text)
        if data["form"] != FORM or not isinstance(data["number"], str):
            raise wrong
        for kept in (data["base"], data["marks"]):
            for one in _marks(kept):
                if not _sound(one):
                    raise wrong
        snippets = data["snippets"]
        if not all(isinstance(part, str) and len(part) <= MAX_COMMENT for row in snippets for part in row):
            raise wrong
        if any(len(row) != 3 for row in snippets):
            raise wrong
    except (ValueError, TypeError, KeyError, RecursionError):
        raise wrong from None
    return dict(data)


def _marks(kept: Sequence[Mapping[str, Any]]) -> list[Mark]:
    return [mark_of(one) for one in kept]


def _sound(mark: Mark) -> bool:
    """Whether every field of a mark is of its kind."""
    texts = (mark.submission, mark.question, mark.answer, mark.comment, mark.grader)
    points = mark.points
    return (
        all(isinstance(text, str) and whole(text) == text for text in texts)
        and len(mark.comment) <= MAX_COMMENT
        and len(mark.grader) <= 60
        and len(mark.rubric) <= 100
        and all(type(share) in (int, float) and share in (0, 0.5, 1) for share in mark.rubric)
        and (points is None or (type(points) in (int, float) and 0 <= points < 1e6))
        and type(mark.version) is int
    )


def of_file(path: Path) -> dict[str, Any] | None:
    """The ticket of a folder of results that was made for one grader; None for any other folder."""
    try:
        found = json.loads((path / TICKET).read_bytes())
        return dict(found) if found["form"] == FORM else None
    except (OSError, ValueError, TypeError, KeyError):
        return None
