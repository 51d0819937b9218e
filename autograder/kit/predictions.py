"""Predictions in the notebook: a letter before a figure, recorded and not graded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograder.kit.feedback import Line
from autograder.kit.kinds import Kind, Spec, entry_kind


@entry_kind("prediction")
class PredictionKind(Kind):
    """The letter of an option; any of them is as good as the others, and so is none."""

    def recorded(self, spec: Spec, entry: Mapping[str, Any]) -> Line:
        """That the guess was noted."""
        return None, f"`{spec['name']}` = {str(entry['value'])[:20]}: noted; a prediction is not graded."
