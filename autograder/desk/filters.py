"""Which answers of a question a grader looks at, and in which order: search and filters on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from autograder.desk.stacks import Answer, Stack
from autograder.grade import marks

STATES = {
    "all": "all answers",
    "ungraded": "not graded",
    "draft": "drafts",
    "graded": "graded",
    "flagged": "flagged",
    "lost": "not found",
    "rivals": "two marks",
}
ORDERS = {"": "in random order", "longest": "longest first", "shortest": "shortest first"}
MAX_TEXT = 200  # characters that are searched for


@dataclass(frozen=True)
class Filter:
    """What a grader asked for.

    Attributes:
        state: one of :data:`STATES`; ``grader`` is who gave the mark; ``text`` stands in answer or comment.
    """

    state: str = "all"
    grader: str = ""
    text: str = ""
    order: str = ""

    @staticmethod
    def of(asked: Mapping[str, str]) -> Filter:
        """Out of an address; what is not known is left out."""
        state, order = asked.get("state", ""), asked.get("order", "")
        return Filter(
            state if state in STATES else "all",
            asked.get("grader", "")[:60],
            " ".join(asked.get("text", "").split())[:MAX_TEXT],
            order if order in ORDERS else "",
        )

    @property
    def query(self) -> str:
        """For an address, with its question mark; empty for all answers."""
        told = {"state": self.state if self.state != "all" else "", "grader": self.grader}
        asked = {
            name: value for name, value in {**told, "text": self.text, "order": self.order}.items() if value
        }
        return f"?{urlencode(asked)}" if asked else ""

    def select(
        self, stack: Stack, found: Mapping[str, marks.Mark], rivals: frozenset[str] = frozenset()
    ) -> list[str]:
        """Keys of the answers that fit, in the order asked for.

        Args:
            stack: the question's answers.
            found: key → the mark of the present answer.
            rivals: keys of the answers with two marks.
        """
        kept = [
            key
            for key, answer in stack.answers.items()
            if self._state(answer, found[key], key in rivals)
            and (not self.grader or found[key].grader == self.grader)
            and (not self.text or self._says(answer, found[key]))
        ]
        if self.order:
            kept.sort(key=lambda key: stack.answers[key].words, reverse=self.order == "longest")
        return kept

    def _state(self, answer: Answer, mark: marks.Mark, rival: bool) -> bool:
        return {
            "ungraded": mark.points is None,
            "draft": mark.draft,
            "graded": mark.points is not None,
            "flagged": mark.flagged,
            "lost": answer.lost,
            "rivals": rival,
        }.get(self.state, True)

    def _says(self, answer: Answer, mark: marks.Mark) -> bool:
        wanted = self.text.casefold()
        texts = (answer.text, mark.comment, *answer.result.nearby)
        return any(wanted in " ".join(text.split()).casefold() for text in texts)
