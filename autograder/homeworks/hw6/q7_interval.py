"""6.7c: for which λ wanted singular values are kept and unwanted ones dropped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from autograder.declare import Array, Case, Challenge, Wrong
from autograder.homeworks.hw6 import public
from autograder.homeworks.hw6.common import first_problem, wrong_if
from autograder.homeworks.hw6.homework import hw
from autograder.kit import Trial

GIVEN_KEEP, GIVEN_DROP = np.array([10.0, 8.0, 4.0]), np.array([1.0, 0.5, 0.36, 0.16, 0.01])
GIVEN_INTERVAL = "the singular values of the question"


def bounds(keep: np.ndarray, drop: np.ndarray, at_least: float, at_most: float) -> tuple[float, float]:
    """Where the smallest kept and the largest unwanted value meet their limits, by bisection."""

    def meets(value: float, limit: float) -> float:
        low, high = 1e-12, 1e12
        for _ in range(200):
            middle = np.sqrt(low * high)
            low, high = (
                (middle, high) if public.shrinkage(np.array([value]), middle)[0] > limit else (low, middle)
            )
        return float(low)

    return meets(float(drop.max()), at_most), meets(float(keep.min()), at_least)


def interval_inputs(rng: np.random.Generator) -> Iterator[Case]:
    """Singular values in any order, with a λ that fits and without, under several limits."""
    yield Case([GIVEN_KEEP, GIVEN_DROP, 0.8, 0.5], note=GIVEN_INTERVAL, group="possible")
    for at_least, at_most in ((0.9, 0.3), (0.6, 0.6), (0.75, 0.2)):
        keep, drop = np.round(rng.uniform(6, 20, size=4), 2), np.round(rng.uniform(0.1, 0.9, size=3), 2)
        yield Case([keep, drop, at_least, at_most], note=f"limits {at_least} and {at_most}", group="possible")
    for at_least, at_most in ((0.9, 0.1), (0.95, 0.2)):
        keep, drop = (
            np.append(np.round(rng.uniform(8, 12, size=2), 2), 2.0),
            np.round(rng.uniform(1.0, 1.9, size=3), 2),
        )
        note = f"singular values too close together for limits {at_least} and {at_most} (no λ fits)"
        yield Case([keep, drop, at_least, at_most], note=note, group="impossible")


def interval_examples(rng: np.random.Generator) -> Iterator[Case]:
    """The case of the question with its values in another order, and one without a fitting λ."""
    mixed = [GIVEN_KEEP[[1, 2, 0]], GIVEN_DROP[[1, 0, 3, 4, 2]], 0.8, 0.5]
    yield Case(mixed, note=f"{GIVEN_INTERVAL} in another order", group="possible")
    yield Case(
        [np.array([3.0, 2.0]), np.array([1.9]), 0.9, 0.1],
        note="keep 3 and 2, drop 1.9, limits 0.9 and 0.1 (no λ fits)",
        group="impossible",
    )


interval = hw.question(
    "6.7c",
    "Choosing λ",
    minutes=8,
    difficulty="medium",
    asks={
        "the range of the question": "λ for the given singular values",
        "a function for any singular values": "the interval for any singular values",
        "None where no λ fits": "None where no λ fits",
    },
    entries=[
        Array("lambda_range", (2,)),
        Challenge("lambda_interval", cases=interval_inputs, examples=interval_examples),
    ],
)


def slipped(case: Sequence[Any], found: Any) -> str:
    """Names a known slip that gives ``found`` for (keep, drop, at_least, at_most), or says nothing."""
    keep, drop, at_least, at_most = case
    values = (
        np.asarray(found, float).ravel()
        if isinstance(found, np.ndarray | list) and np.size(found) == 2
        else np.zeros(0)
    )
    if values.size != 2:
        return ""
    low, high = bounds(keep, drop, at_least, at_most)
    slips = {
        "You used s where s² belongs.": (low / drop.max(), high / keep.min()),
        "Which value limits λ? Of the kept ones the smallest, of the unwanted ones the largest.": (
            bounds(keep, np.array([drop.min()]), at_least, at_most)[0],
            bounds(np.array([keep.max()]), drop, at_least, at_most)[1],
        ),
        "Of the kept values the smallest limits λ from above.": (
            low,
            bounds(np.array([keep.max()]), drop, at_least, at_most)[1],
        ),
        "Of the unwanted values the largest limits λ from below.": (
            bounds(keep, np.array([drop.min()]), at_least, at_most)[0],
            high,
        ),
        "The two limits have changed places: the kept factors are at least a, the others at most b.": (
            bounds(keep, drop, at_most, at_least)
        ),
        "The fraction is upside down: s²/(s² + λ) = a gives λ = s²(1 - a)/a.": (
            bounds(keep, drop, 1 - at_least, 1 - at_most)
        ),
        "s²/(s² + λ) = a gives λ = s²(1 - a)/a; the division by a is missing.": (
            low * at_most,
            high * at_least,
        ),
        "Your ends have changed places.": (high, low),
    }
    named = (words for words, wrong in slips.items() if np.allclose(values, wrong, rtol=1e-3))
    return next(named, "")


def judged_interval(trial: Trial) -> str | None:
    """The interval problem of one trial, with a slip named."""
    problem = public.interval_problem(trial.args, trial.output) or public.changed(trial)
    return f"On {trial.note}: {problem} {slipped(trial.args, trial.output)}".strip() if problem else None


@interval.check("λ for the given singular values", points=1, needs=["lambda_range"])
def interval_for_the_given_values(lambda_range: np.ndarray) -> Wrong | None:
    """Judges the interval of the question by its ends."""
    given = (GIVEN_KEEP, GIVEN_DROP, 0.8, 0.5)
    problem = public.interval_problem(given, lambda_range.astype(float))
    slip = slipped(given, lambda_range) if problem else ""
    return wrong_if(f"`lambda_range`: {problem} {slip}".strip() if problem else None)


@interval.check(points=3, needs=["lambda_interval"])
def the_interval_for_any_singular_values(lambda_interval: Sequence[Trial]) -> Wrong | None:
    """Judges hidden intervals by their ends."""
    return first_problem(
        "lambda_interval",
        [trial for trial in lambda_interval if trial.group == "possible"],
        judged_interval,
    )


@interval.check("None where no λ fits", points=2, needs=["lambda_interval"])
def none_where_nothing_fits(lambda_interval: Sequence[Trial]) -> Wrong | None:
    """Asks for None where both conditions cannot hold."""

    def judge(trial: Trial) -> str | None:
        if trial.output is None:
            return None
        keep, drop, at_least, at_most = trial.args
        low, high = bounds(keep, drop, at_least, at_most)
        return (
            f"On {trial.note}: keeping needs λ ≤ {high:.4g}, dropping needs λ ≥ {low:.4g}; both cannot be, so"
            " the answer is None."
        )

    ran = [trial for trial in lambda_interval if trial.status == "ok"]
    if ran and all(trial.output is None for trial in ran):
        return Wrong("Your function says None whatever it is given. It must tell apart where λ exist.")
    return first_problem(
        "lambda_interval",
        [trial for trial in lambda_interval if trial.group == "impossible"],
        judge,
    )
