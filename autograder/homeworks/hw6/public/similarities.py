"""Examples that break a similarity function (6.3): what can be said of them without a right answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder.homeworks.hw6.public.words import listed
from autograder.kit import visible_check

UNBOUNDED = 100.0  # 6.3: a weight of this size counts as out of bounds
SQUARE_SUM = 1e-12  # 6.3: a sum of squares below this counts as zero; rounding of entries up to 1 gives less


def dot_problem(query: np.ndarray, keys: np.ndarray) -> str | None:
    """Whether q·k, (d,) with (n, d), sums to zero or gives a weight of ``UNBOUNDED``; else words."""
    if problem := _entries_problem("dot", query, keys):
        return problem
    similar = keys.astype(float) @ query.astype(float)
    if not similar.any():
        return (
            "Every q·k is 0 there. That breaks q·k too, but find one where the similarities are not all 0 and"
            " cancel or nearly cancel."
        )
    if similar.min() >= 0 or similar.max() <= 0:
        return (
            f"The similarities {listed(similar)} have one sign, so every weight lies between 0 and 1. When"
            " does a sum of numbers become small?"
        )
    largest = np.inf if similar.sum() == 0 else np.abs(similar / similar.sum()).max()
    if largest >= UNBOUNDED * (1 - 1e-6):  # exactly 100 may come out as its last bit less
        return None
    return (
        f"The similarities {listed(similar)} give weights of size {largest:.3g} at most; the question"
        f" asks for"
        f" {UNBOUNDED:.0f} or more, or a sum of exactly 0."
    )


def square_problem(query: np.ndarray, keys: np.ndarray) -> str | None:
    """Whether the sum of (q·k)² is zero though no vector is; else words. ``query`` (d,), ``keys`` (n, d)."""
    if problem := _entries_problem("square", query, keys):
        return problem
    if min(np.linalg.norm(query), np.linalg.norm(keys, axis=1).min()) < 0.1:
        return "A zero vector is too cheap: the query and every key must have a norm of at least 0.1."
    similar = np.square(keys.astype(float) @ query.astype(float))
    if similar.sum() <= SQUARE_SUM:
        return None
    return (
        f"The similarities {listed(similar)} have the sum {similar.sum():.3g}, not 0. Squares cannot cancel:"
        " what must each of them be?"
    )


def _entries_problem(name: str, query: np.ndarray, keys: np.ndarray) -> str | None:
    if len(keys) < 2:
        return f"{name}_keys holds one key; a single key always gets the weight 1. Use at least two."
    if max(np.abs(query).max(), np.abs(keys).max()) > 1 + 1e-6:
        return f"Every entry of {name}_query and {name}_keys must lie between -1 and 1."
    return None


@visible_check("6.3")
def examples_break_similarities(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    dot = dot_problem(answers["dot_query"], answers["dot_keys"])
    square = square_problem(answers["square_query"], answers["square_keys"])
    return [
        (dot is None, dot or "q·k leaves the bounds on your example."),
        (square is None, square or "(q·k)² sums to 0 on your example."),
    ]
