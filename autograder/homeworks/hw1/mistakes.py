"""Attention in NumPy with one thing wrong, and what feedback says of each such mistake.

Oracles are PyTorch's own functions in float64, automatic differentiation or enumeration. Mistakes are the
same formulas in NumPy; they only serve to name what went wrong.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Summed = Callable[[np.ndarray], np.ndarray]


def variant(
    Q: np.ndarray,
    K: np.ndarray,
    V: np.ndarray,
    *,
    scale: float | None = None,
    axis: int = 1,
    summed: Summed | None = None,
    before: Callable[[np.ndarray], np.ndarray] = lambda scores: scores,
    after: Callable[[np.ndarray], np.ndarray] = lambda weights: weights,
    naive: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Attention with one thing wrong.

    Args:
        Q: (n, d_k).
        K: (m, d_k).
        V: (m, d_v).
        scale: the factor before the softmax; 1/√d_k if left out.
        axis: of the softmax.
        summed: the softmax of the scores, where maximum or sum is taken in another way.
        before: changes the scores.
        after: changes the weights.
        naive: the exponential without the maximum taken off.

    Returns:
        The output (n, d_v) and the weights (n, m).
    """
    with np.errstate(all="ignore"):
        scores = before(Q @ K.T * (1 / np.sqrt(K.shape[1]) if scale is None else scale))
        if summed:
            weights = after(summed(scores))
            return weights @ V, weights
        weights = np.exp(scores if naive else scores - scores.max(axis, keepdims=True))
        weights = after(weights / weights.sum(axis, keepdims=True))
        return weights @ V, weights


NO_SCALE = "The scale 1/√d_k is missing."
TWICE = "You divided by d_k (or by √d_k twice); it is √d_k, once."
BY_VALUES = "You scaled by √d_v, the size of the values; the scores are sums of d_k products."
AFTER = "You scaled after the softmax; the scores are scaled, before it."
WRONG_AXIS = "Your softmax is over the wrong axis: for each query the weights must sum to 1 over the keys."
OVERFLOW = "e^score has overflowed. Subtract the largest score before the exponential."


def _half(largest: Summed, total: Summed) -> Summed:
    """A softmax over rows whose maximum or sum is taken in another way.

    It raises a ValueError where the shapes don't broadcast.
    """

    def softmax(scores: np.ndarray) -> np.ndarray:
        weights = np.exp(scores - largest(scores))
        return np.asarray(weights / total(weights))

    return softmax


def _rows(numbers: np.ndarray) -> np.ndarray:
    return numbers.max(axis=1, keepdims=True)


def _sums(numbers: np.ndarray) -> np.ndarray:
    return numbers.sum(axis=1, keepdims=True)


ONE_MAXIMUM = (
    "The largest number of the whole matrix is subtracted; in rows that lie far below it each e^score becomes"
    " 0. Subtract from each row its own largest score."
)
WRONG_MAXIMUM = "The largest score is taken over the wrong axis: subtract from each row its own."
NOT_DIVIDED = "The weights don't sum to 1: divide e^score by the sum over the keys."
NO_EXPONENTIAL = "The scores are divided by their sum; take e^score of each first."
# Softmaxes of a matrix of scores that go wrong in a half of the formula only.
HALF_SOFTMAXES: dict[str, Summed] = {
    "You divided by the sums over the wrong axis: for each query the weights must sum to 1 over the keys.": (
        _half(_rows, lambda e: e.sum(axis=0, keepdims=True))
    ),
    "You divided by the sum of the whole matrix: each query needs its own sum (axis and keepdims).": _half(
        lambda s: s.max(), lambda e: e.sum()
    ),
    "keepdims=True is missing in the sum: now column j is divided by the sum of row j.": _half(
        _rows, lambda e: e.sum(axis=1)
    ),
    "keepdims=True is missing in the maximum: now column j loses the maximum of row j.": _half(
        lambda s: s.max(axis=1), _sums
    ),
    "keepdims=True is missing in maximum and sum: now they work on columns, not on rows.": _half(
        lambda s: s.max(axis=1), lambda e: e.sum(axis=1)
    ),
    ONE_MAXIMUM: _half(lambda s: s.max(), _sums),
    WRONG_MAXIMUM: _half(lambda s: s.max(axis=0), _sums),
    NOT_DIVIDED: _half(_rows, lambda e: np.ones((1, 1))),
    NO_EXPONENTIAL: lambda s: s / _sums(s),
}


def another_taken_off() -> dict[str, Summed]:
    """Softmaxes that subtract another number than the largest score; the same words but for the example."""
    told = "Subtract the largest score, not another number ({}, …): e^score still overflows."
    return {
        told.format("the smallest score"): _half(lambda s: s.min(axis=1, keepdims=True), _sums),
        told.format("the mean"): _half(lambda s: s.mean(axis=1, keepdims=True), _sums),
    }


LARGEST_ABSOLUTE = (
    "Where all scores are far below 0, each e^score becomes 0. Subtract the largest score itself, not the"
    " largest absolute one or 0."
)
by_largest_absolute: Summed = _half(lambda s: np.abs(s).max(axis=1, keepdims=True), _sums)

WRONG_SIGN = "The sign of the scores is reversed: the key that fits best must get the largest weight."
SOFTMAX_TWICE = "The softmax is applied twice."


def softmax(scores: np.ndarray) -> np.ndarray:
    """The softmax over the last axis."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


NO_SOFTMAX = "These are the scores themselves: the softmax is missing."
