"""What the graders of a class share: edits of rubrics, and comments that are kept for the next answer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autograder.files import whole
from autograder.grade.marks import ConflictError, Marks
from autograder.grade.marks_rows import as_mark, write_row
from autograder.grade.rubric import Rubric, RubricError
from autograder.kit.clock import now

MAX_SNIPPETS = 200  # of a question
MAX_SNIPPET = 2_000  # characters


@dataclass(frozen=True)
class Recomputed:
    """An answer that was graded already, and what an edit of the rubric made of its points."""

    submission: str
    before: float
    after: float


@dataclass(frozen=True)
class Edit:
    """One edit of a rubric."""

    version: int
    by: str
    at: str
    items: tuple[tuple[str, float], ...]
    recomputed: tuple[Recomputed, ...]


@dataclass(frozen=True)
class Snippet:
    """A comment that is kept: ``number`` by which it is asked for."""

    number: int
    text: str
    by: str


class Rubrics(Marks):
    """The rubrics of one folder of results, and the comments that are kept."""

    def edit(
        self, rubric: Rubric, question: str, items: Sequence[tuple[str, float]], by: str
    ) -> list[Recomputed]:
        """Keeps the next version of a rubric and applies it to the answers that were graded by it.

        Marks without a rubric, such as those out of a spreadsheet, keep their points.

        Args:
            rubric: as the one who edits it has seen it.
            question: its id.
            items: words and points of each, in their order.
            by: who edits.

        Returns:
            The answers whose points are others now.

        Raises:
            RubricError: it would not do.
            ConflictError: somebody edited it in the meantime.
        """
        made = rubric.edited(items)
        with self._writing() as database:
            row = database.execute(
                "SELECT max(version) AS version FROM rubrics WHERE question = ?", (question,)
            ).fetchone()
            if (row["version"] or 0) != rubric.version:
                raise ConflictError("Somebody edited this rubric in the meantime.")
            number = database.execute(
                "INSERT INTO rubrics (question, version, items, grader, at) VALUES (?, ?, ?, ?, ?)",
                (
                    question,
                    made.version,
                    json.dumps({"items": made.items, "maximum": made.maximum}),
                    by,
                    now(),
                ),
            ).lastrowid
            changed = []
            for kept in database.execute("SELECT * FROM marks WHERE question = ?", (question,)).fetchall():
                mark = as_mark(kept)
                if mark.points is None or not mark.rubric:
                    continue
                points = made.points(mark.rubric)
                if points == mark.points:
                    continue
                write_row(database, replace(mark, points=points, version=mark.version + 1))
                changed.append(Recomputed(mark.submission, mark.points, points))
                database.execute(
                    "INSERT INTO recomputed VALUES (?, ?, ?, ?)",
                    (number, mark.submission, mark.points, points),
                )
                last = database.execute(
                    "SELECT * FROM journal WHERE submission = ? AND question = ? AND undone = 0"
                    " ORDER BY id DESC LIMIT 1",
                    (mark.submission, question),
                ).fetchone()
                if last is not None:  # its grader can still undo it
                    after = json.loads(last["after"])
                    if after["version"] == mark.version:
                        text = json.dumps({**after, "points": points, "version": mark.version + 1})
                        database.execute("UPDATE journal SET after = ? WHERE id = ?", (text, last["id"]))
        return changed

    def edits(self, question: str) -> list[Edit]:
        """The edits of a question's rubric, the last one first."""
        with self._open() as database:
            rows = database.execute(
                "SELECT * FROM rubrics WHERE question = ? ORDER BY version DESC", (question,)
            ).fetchall()
            return [
                Edit(
                    row["version"],
                    row["grader"],
                    row["at"],
                    tuple((words, points) for words, points in json.loads(row["items"])["items"]),
                    tuple(
                        Recomputed(one["submission"], one["before"], one["after"])
                        for one in database.execute(
                            "SELECT * FROM recomputed WHERE rubric = ? ORDER BY submission", (row["id"],)
                        )
                    ),
                )
                for row in rows
            ]

    def snippets(self, question: str) -> list[Snippet]:
        """The comments that are kept for a question, in the order in which they were."""
        with self._open() as database:
            rows = database.execute(
                "SELECT * FROM snippets WHERE question = ? ORDER BY id", (question,)
            ).fetchall()
        return [Snippet(row["id"], row["text"], row["grader"]) for row in rows]

    def keep_snippet(self, question: str, text: str, by: str) -> bool:
        """Keeps a comment; False if it is kept already.

        Raises:
            RubricError: it is empty or too long, or there are too many.
        """
        cut = whole(text).strip()
        if not cut or len(cut) > MAX_SNIPPET:
            raise RubricError(f"A comment to be kept has 1 to {MAX_SNIPPET:,} characters.")
        with self._writing() as database:
            count = database.execute("SELECT count(*) FROM snippets WHERE question = ?", (question,))
            if count.fetchone()[0] >= MAX_SNIPPETS:
                raise RubricError(f"There are {MAX_SNIPPETS} comments for this question already.")
            done = database.execute(
                "INSERT OR IGNORE INTO snippets (question, text, grader) VALUES (?, ?, ?)",
                (question, cut, by),
            )
            return done.rowcount > 0

    def drop_snippet(self, question: str, number: int) -> bool:
        """Drops a comment; False if there is none of that number."""
        with self._writing() as database:
            done = database.execute("DELETE FROM snippets WHERE question = ? AND id = ?", (question, number))
            return done.rowcount > 0
