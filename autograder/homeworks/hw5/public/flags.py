"""Visible checks of what a probe saw: modes, masks, gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograder.kit import visible_check


def check_flags(question: str, name: str, *problems: Any) -> None:
    """Adds a visible check that no public trial has one of the problems."""

    @visible_check(question)
    def no_trial_has_a_problem(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
        lines: list[tuple[bool | None, str]] = []
        for trial in answers.get(name, ())[:3]:
            for problem in (problem(trial) for problem in problems) if trial.status == "ok" else ():
                if problem:
                    return [(False, f"On {trial.note}: {problem}")]
        return [*lines, (True, "Modes, masks and gradients are as they should be.")]
