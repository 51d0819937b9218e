"""Linear denoising (6.7): what a λ keeps and drops, and whether an interval of λ is the whole one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.kit import IN_PLACE, after_grading, visible_check


def shrinkage(values: np.ndarray, strength: float) -> np.ndarray:
    """The factor that the best linear denoiser leaves of each singular value, found by least squares.

    For one direction the loss is (s - w·s)² + λ·w²: an overdetermined system for w with the rows s·w = s and
    √λ·w = 0.
    """
    systems = (
        (np.array([[value], [np.sqrt(strength)]]), np.array([value, 0.0]))
        for value in np.asarray(values, float)
    )
    return np.array([np.linalg.lstsq(left, right, rcond=None)[0][0] for left, right in systems])


def interval_problem(case: Sequence[Any], found: Any) -> str | None:
    """Whether ``found`` (low, high) is all λ that fit (keep, drop, at_least, at_most); else words.

    The whole interval: both conditions hold at its ends, and one of them fails outside.
    """
    keep, drop, at_least, at_most = case
    # the ends if factors were s/(s + λ)
    linear = (max(drop) * (1 - at_most) / at_most, min(keep) * (1 - at_least) / at_least)
    guess = " That is what factors s/(s + λ) would give; minimize (s - ws)² + λw² over w once more."
    if found is None:
        return (
            "you say that no λ satisfies both conditions, but one"
            f" does.{guess if linear[0] > linear[1] - 1e-9 else ''}"
        )
    if isinstance(found, list):
        found = np.array(
            [np.nan if not isinstance(item, int | float) else item for item in map(_number, found)]
        )
    if not isinstance(found, np.ndarray) or found.shape != (2,) or not np.isfinite(found).all():
        return "expected two numbers (low, high), or None if there is no such λ."
    low, high = map(float, found)
    if np.allclose(sorted(found), sorted(linear), rtol=1e-6):
        return f"you gave the interval from {low:.5g} to {high:.5g}.{guess}"
    if low < 0:
        return f"your low end {low:.5g} is negative; λ is a penalty, so at least 0."
    if low > high:
        return (
            f"you gave the interval from {low:.5g} to {high:.5g}, whose ends are in the wrong order; if no λ"
            " fits, the answer is None."
        )
    for strength, end in ((low, "low"), (high, "high")):
        kept, dropped = shrinkage(keep, strength), shrinkage(drop, strength)
        if kept.min() < at_least - 1e-6:
            worst = keep[kept.argmin()]
            return (
                f"at your {end} end λ = {strength:.5g} the kept value {worst:.4g} shrinks to the factor"
                f" {kept.min():.4f}, below {at_least:.4g}."
            )
        if dropped.max() > at_most + 1e-6:
            worst = drop[dropped.argmax()]
            return (
                f"at your {end} end λ = {strength:.5g} the unwanted value {worst:.4g} has the factor"
                f" {dropped.max():.4f}, above {at_most:.4g}."
            )
    if shrinkage(keep, 1.001 * high).min() >= at_least:
        return (
            f"larger λ than your high end {high:.5g} satisfy both conditions too; the interval should be as"
            " large as possible."
        )
    if low and shrinkage(drop, 0.999 * low).max() <= at_most:
        return (
            f"smaller λ than your low end {low:.5g} satisfy both conditions too; the interval should be as"
            " large as possible."
        )
    return None


def changed(trial: Any) -> str | None:
    """Whether a function changed the arrays that it was given, in words."""
    return f"the function {IN_PLACE}" if trial.changed_inputs else None


def _number(item: Any) -> Any:
    return item.item() if isinstance(item, np.ndarray) and item.size == 1 else item


@visible_check("6.7a")
def losses_are_equal(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    (first, second), strength = answers["candidate_losses"].astype(float), float(answers["equal_lambda"])
    losses = [errors + strength * penalty for errors, penalty in (first, second)]
    told = (
        f"By your table the losses at λ = {strength:.5g} are {losses[0]:.5g} for the identity and"
        f" {losses[1]:.5g} for the projection"
    )
    equal = bool(np.isclose(losses[0], losses[1], rtol=1e-3))
    return [
        (
            None if equal else False,
            (
                f"{told}: equal. The grader computes the table itself."
                if equal
                else f"{told}; they should be equal."
            ),
        )
    ]


@visible_check("6.7c")
def intervals_are_whole(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for trial in answers.get("lambda_interval", []):
        if trial.status == "ok":
            rightly_none = trial.output is None and trial.group == "impossible"
            problem = None if rightly_none else interval_problem(trial.args, trial.output) or changed(trial)
            lines.append(
                (
                    problem is None,
                    (
                        f"On {trial.note}: {problem}"
                        if problem
                        else f"`lambda_interval` is right on {trial.note}."
                    ),
                )
            )
    if "lambda_range" in answers:
        lines.append(after_grading("lambda_range"))
    return lines
