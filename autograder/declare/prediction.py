"""A guess before a figure: recorded for the course's statistics, never graded, never missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autograder.declare.entries import Entry


@dataclass(frozen=True)
class Prediction(Entry):
    """What a student expects to see, as the letter of an option; no letter is judged.

    Args:
        name: the notebook's variable and the log's entry.
        options: letter → what the notebook shows; the build writes them where the source says ``{{options
            NAME}}``.
    """

    name: str
    options: Mapping[str, str]
    kind = "prediction"
    letter = "P"
    tells = False
    optional = True

    def describe(self) -> dict[str, Any]:
        """Name, kind, the letters, and that nothing is missing without it."""
        return {**super().describe(), "letters": "".join(self.options), "optional": True}

    def placeholder(self) -> str:
        """The options as a list."""
        return "\n".join(f"- **{letter}** {option}" for letter, option in self.options.items())
