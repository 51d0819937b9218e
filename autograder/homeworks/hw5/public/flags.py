"""Visible checks of what a probe saw: modes, masks, gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

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
        return [*lines, (True, "Modes, masks and gradients are correct.")]


def gradient_problem(trial: Any) -> str | None:
    """Whether a backward pass reaches every parameter (5.3, 5.4); else words."""
    without = trial.result.get("without_gradient")
    if not without:
        return None
    names = ", ".join(f"`{name}`" for name in without[:4]) + (" and others" if len(without) > 4 else "")
    return (
        f"No gradient reaches {names}: is something detached, frozen (requires_grad=False), left out, or"
        " inside torch.no_grad()?"
    )


for _question, _name in (("5.3", "FeedForwardClassifier"), ("5.4", "SelfAttentionClassifier")):
    check_flags(_question, _name, gradient_problem)


def ids_problem(output: Any) -> str | None:
    """Whether ids of 5.1b are whole numbers, as a table of vectors needs them; else words."""
    ids = output[0] if isinstance(output, list) and output else None
    if not isinstance(ids, np.ndarray) or ids.dtype.kind in "iu":
        return None
    return f"`pad_batch` returns ids of {ids.dtype}; the question asks for int64, which the table needs."


@visible_check("5.1b")
def ids_are_whole(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    problems = [ids_problem(trial.output) for trial in answers.get("pad_batch", ()) if trial.status == "ok"]
    return [(False, problem) for problem in problems[:1] if problem]
