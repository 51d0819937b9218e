"""Feature maps (6.4, 6.6): probes, and whether products of features are the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder.homeworks.hw6.public.words import listed, named_kind
from autograder.kit import (
    IN_PLACE,
    Trial,
    after_grading,
    as_array,
    call,
    decode,
    encode,
    probe,
    visible_check,
)

GAUSSIAN_COUNTS = (
    16,
    32,
    64,
    128,
    256,
    512,
    1024,
    2048,
    4096,
)  # 6.6: numbers of random features in the figure


def features_problem(name: str, trial: Trial) -> str | None:
    """Whether the features are a numeric array with one row for each row of the input; else words."""
    found = trial.output
    rows = len(trial.args[0])
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "iuf":
        return (
            f"`{name}` should return a numeric array (n, C), but on {trial.note} it returned"
            f" {named_kind(found)}."
        )
    if len(found) != rows:
        return (
            f"`{name}` has shape {found.shape} on {trial.note}; expected {rows} rows, one for each row of X."
        )
    return None if np.isfinite(found).all() else f"`{name}` has numbers that are not finite on {trial.note}."


def near(found: np.ndarray, expected: np.ndarray, left: Trial, right: Trial) -> bool:
    """Whether products of features are what is expected, as nearly as float32 can compute them.

    Each product is a sum over the features, so what cancels in it is bounded by the vectors' lengths.
    """
    unit = max(_unit(left.output), _unit(right.output), float(np.finfo(np.float32).eps))
    lengths = [np.linalg.norm(trial.output.astype(float), axis=1) for trial in (left, right)]
    bound = 1e-9 + 16 * unit * np.outer(*lengths) + max(1e-6, 64 * unit) * np.abs(expected)
    return bool((np.abs(found - expected) <= bound).all())


def _unit(array: np.ndarray) -> float:
    return float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0


def gram_problem(left: Trial, right: Trial, kernel: np.ndarray) -> str | None:
    """Whether φ(x)·φ(y) equals the kernel (n, m) for the rows of two separate calls; else words."""
    if left.output.shape[1] != right.output.shape[1]:
        return (
            f"The number of features differs between two calls with the same D: {left.output.shape[1]} and"
            f" {right.output.shape[1]}."
        )
    found = left.output.astype(float) @ right.output.astype(float).T
    if near(found, kernel, left, right):
        return (
            f"The features are right, but the function {IN_PLACE}"
            if left.changed_inputs or right.changed_inputs
            else None
        )
    i, j = np.unravel_index(np.abs(found - kernel).argmax(), kernel.shape)
    told = (
        f"For x = {listed(left.args[0][i])} and y = {listed(right.args[0][j])} the product φ(x)·φ(y) is"
        f" {found[i, j]:.6g}"
    )
    return f"{told}, expected {kernel[i, j]:.6g}."


@visible_check("6.4")
def polynomial_features_fit(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    trials = [trial for trial in answers.get("polynomial_features", []) if trial.status == "ok"]
    lines: list[tuple[bool | None, str]] = []
    for left, right in zip(trials[::2], trials[1::2], strict=False):
        problem = features_problem("polynomial_features", left) or features_problem(
            "polynomial_features", right
        )
        problem = problem or gram_problem(left, right, (left.args[0] @ right.args[0].T + 1) ** 2)
        lines.append(
            (
                problem is None,
                problem or f"φ(x)·φ(y) = (x·y + 1)² on {left.note}, with {left.output.shape[1]} features.",
            )
        )
        if problem:
            break
    if "features_for_64" in answers:
        lines.append(after_grading("features_for_64"))
    return lines


@probe("array")
def array_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """As the ``call`` probe; rows that come as lists are an array as well."""
    found = call(function, case)
    found["fields"]["result"] = encode(as_array(decode(found["fields"]["result"])))
    return found


@probe("frequencies")
def frequencies_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``function(rng, count, D)`` with a generator of the case's seed, and with the same once more.

    Returns:
        ``result``; ``fresh``, whether the second call of one generator gives other numbers; ``repeats``,
        whether a new generator of the same seed gives the same.
    """
    seed, count, size = decode(case["args"])
    rng = np.random.default_rng(seed)
    first, second = (as_array(function(rng, count, size)) for _ in range(2))
    third = as_array(function(np.random.default_rng(seed), count, size))
    return {
        "fields": {
            "result": encode(first),
            "fresh": not np.array_equal(first, second),
            "repeats": bool(np.array_equal(first, third)),
        }
    }


def frequencies_shape_problem(trial: Trial) -> str | None:
    """Whether frequencies are floats of shape (count, D); else words."""
    W, (_, count, D) = trial.output, trial.args
    if isinstance(W, np.ndarray) and W.shape == (count, D) and W.dtype.kind == "f":
        return None
    return (
        f"`draw_frequencies` should return floats of shape (count, D) = ({count}, {D}); it returned"
        f" {named_kind(W)}."
    )


def estimate_shape_problem(trial: Trial) -> str | None:
    """Whether an estimate is floats of shape (queries, keys); else words."""
    found, shape = trial.output, (len(trial.args[0]), len(trial.args[1]))
    if isinstance(found, np.ndarray) and found.shape == shape and found.dtype.kind == "f":
        return None
    return f"`estimate_similarity` should return floats of shape {shape}; it returned {named_kind(found)}."


def source_problem(result: Mapping[str, Any]) -> str | None:
    """Whether frequencies come from the generator that is given; else words."""
    if not result["fresh"]:
        return (
            "`draw_frequencies` gives the same numbers in every call, so none is fresh: draw from `rng`; do"
            " not seed or make a generator inside."
        )
    if not result["repeats"]:
        return "`draw_frequencies` does not draw from `rng`: the same generator gave other numbers."
    return None


def slope_problem(errors: np.ndarray, slope: float) -> str | None:
    """Whether errors of 6.6b fall as they must, and the slope is theirs; else words."""
    if errors.min() <= 0:
        return "`rff_errors` must be positive: a root mean square error for each number of features."
    fitted = float(np.polyfit(np.log(GAUSSIAN_COUNTS), np.log(errors), 1)[0])
    # Over 60 simulated right answers the slope is -0.500 with a standard deviation of 0.006
    if not -0.6 < fitted < -0.4:
        return (
            f"Your errors fall like R^{fitted:.2f}; a mean of R independent terms has an error of R^-0.5. "
            f"{'Does the estimate itself converge? ' if fitted > -0.4 else ''}"
            "Did each number of features get its own fresh frequencies, and the error its square root?"
        )
    if abs(slope - fitted) > 0.005:
        return (
            f"`rff_slope` is {slope:.3f}, but the errors that you recorded have the slope {fitted:.3f} of log"
            " error against log number."
        )
    return None


FEW = 2  # frequencies of the case in which the rank of an estimate is looked at


@probe("estimate")
def estimate_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``function(Q, K, count, rng)`` with a generator of the case's seed.

    Returns:
        ``result``; ``fresh``, whether a second call with the same generator gives other numbers, which is
        tried where there are few frequencies.
    """
    Q, K, count, seed = decode(case["args"])
    rng = np.random.default_rng(seed)
    found = as_array(function(Q, K, count, rng))
    fresh = count > FEW or not np.array_equal(found, as_array(function(Q, K, count, rng)))
    return {"fields": {"result": encode(found), "fresh": fresh}}


def product_problem(trial: Trial) -> str | None:
    """Whether an estimate from few frequencies is a product of their features; else words.

    Each frequency gives a cosine and a sine, so the products of features form a matrix whose rank is at most
    twice their number, exactly. Numbers that are drawn for each pair, or exact similarities, have a full
    rank.
    """
    count, found = trial.args[2], trial.output
    if count > FEW:
        return None
    if not np.isfinite(found).all():
        return f"`estimate_similarity` gave numbers that are not finite on {trial.note}."
    sizes = np.linalg.svd(found.astype(float), compute_uv=False)
    unit = max(_unit(trial.output), float(np.finfo(np.float32).eps))
    rank = int((sizes > 64 * unit * sizes[0]).sum())
    if rank > 2 * count:
        queries, keys = found.shape
        return (
            f"With {count} frequencies there are at most {2 * count} features, so φ(q)·φ(k) for"
            f" {queries} queries"
            f" and {keys} keys is a matrix of rank {2 * count} at most; yours has rank {rank}. Does it"
            f" hold exact"
            " similarities, or numbers drawn for each pair? Estimate by φ(q)·φ(k) alone."
        )
    if exponential_features(trial):
        return f"With {count} frequencies all of your {found.size} estimates are positive. {EXPONENTIALS}"
    return None


EXPONENTIALS = (
    "Positive features, such as exp(w·x), estimate the same similarity, but with other errors, which long"
    " vectors dominate; the question asks for cosines (and sines) of w·x, some of which are negative."
)


def exponential_features(trial: Trial) -> bool:
    """Whether an estimate from few frequencies is a product of positive features.

    The vectors are so many and so long that a product of two cosines a pair is negative for some of them:
    all are positive with a probability far below one in a million.
    """
    found = trial.output
    return bool(trial.args[2] <= FEW and np.isfinite(found).all() and (found > 0).all())


def fresh_problem(trial: Trial) -> str | None:
    """Whether an estimate draws new frequencies in each call; else words."""
    if trial.result["fresh"]:
        return None
    return (
        "`estimate_similarity` gives the same numbers in every call, so its frequencies are not fresh: draw"
        " them from `rng`; do not seed or make a generator inside."
    )


def example_vectors() -> tuple[np.ndarray, np.ndarray]:
    """The queries and keys (20, 4) of the figure in 6.6, at distances of the kernel's size."""
    rng = np.random.default_rng(66)
    return rng.normal(size=(20, 4)), rng.normal(size=(20, 4))


@visible_check("6.6a")
def random_features_fit(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    trials = [trial for trial in answers.get("random_features", []) if trial.status == "ok"]
    for left, right in zip(trials[::2], trials[1::2], strict=False):
        problem = features_problem("random_features", left) or features_problem("random_features", right)
        if problem is None:
            angles = (left.args[0][:, None] - right.args[0][None]) @ left.args[1].T
            problem = gram_problem(left, right, np.cos(angles).mean(-1))
        lines.append((problem is None, problem or f"φ(q)·φ(k) is the mean of cos(w·(q - k)) on {left.note}."))
    return lines


@visible_check("6.6b")
def estimates_come_near(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for trial in answers.get("draw_frequencies", []):
        if trial.status == "ok":
            W = trial.output
            if problem := frequencies_shape_problem(trial) or source_problem(trial.result):
                return [(False, problem)]
            lines.append(
                (
                    None,
                    (
                        f"{trial.note}: your shape is {W.shape}, the mean {W.mean():+.3f}, the variance"
                        f" {W.var():.3f}."
                    ),
                )
            )
    for trial in answers.get("estimate_similarity", []):
        exact = np.exp(trial.args[0] @ trial.args[1].T / np.sqrt(trial.args[0].shape[1]))
        if trial.status == "ok" and (problem := estimate_shape_problem(trial)):
            return [*lines, (False, problem)]
        if trial.status == "ok":
            error = np.abs(trial.output / exact - 1).mean()
            count = trial.kwargs.get("count", trial.args[2] if len(trial.args) > 2 else 0)
            if count <= FEW:
                problem = product_problem(trial) or fresh_problem(trial)
                fine = f"On {trial.note} the estimate is a product of features."
                lines.append((problem is None, problem or fine))
                continue
            far = error > 0.2 and count >= 10_000  # a right one is off by a few percent
            more = (
                " So many frequencies should do much better: look at their scale, at f and at the features."
                if far
                else ""
            )
            lines.append(
                (
                    False if far else None,
                    (
                        f"On {trial.note} the estimate is off by {error:.1%} of the exact similarity on"
                        f" average.{more}"
                    ),
                )
            )
    errors, slope = answers.get("rff_errors"), answers.get("rff_slope")
    if errors is not None and slope is not None:
        problem = slope_problem(errors.astype(float), float(slope))
        fine = (
            "Your errors fall as those of a mean do, and `rff_slope` is their slope."
            " Whether they have the right size, you read after grading."
        )
        lines.append((problem is None, problem or fine))
    return lines
