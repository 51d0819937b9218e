"""The hand-designed model in float64, and how its inputs and weights are written."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

CONTENT_ATOL, CONTENT_RTOL = 1e-2, 1e-3  # stated in the notebook: a gap of 6.2 reaches it
PLACES = 8  # of 3.6 and 3.8


def attend(
    x: np.ndarray, Q: np.ndarray, K: np.ndarray, V: np.ndarray, causal: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Single-head attention in float64 with a stable softmax.

    Args:
        x: (..., n, d), rows are places.
        Q: (d, qk).
        K: (d, qk).
        V: (d, out).
        causal: places see only themselves and earlier ones.

    Returns:
        The outputs (..., n, out) and the weights (..., n, n), rows sum to 1.
    """
    x = np.asarray(x, dtype=np.float64)
    queries, keys = x @ np.asarray(Q, np.float64), x @ np.asarray(K, np.float64)
    scores = queries @ np.swapaxes(keys, -1, -2) / np.sqrt(keys.shape[-1])
    if causal:
        n = x.shape[-2]
        scores = np.where(np.tri(n, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights @ (x @ np.asarray(V, np.float64)), weights


def sequences(tokens: int, lengths: Sequence[int]) -> list[np.ndarray]:
    """All sequences of token numbers, one array (count, n) for each length."""
    return [np.array(list(itertools.product(range(tokens), repeat=n))) for n in lengths]


def spell(sequence: Sequence[int] | np.ndarray, names: str = "ABCD") -> str:
    """A sequence as people write it: ``A B C``."""
    return " ".join(names[int(token)] for token in sequence)


def with_places(x: np.ndarray, pos: np.ndarray) -> np.ndarray:
    """Concatenates to each row of ``x`` (..., n, d) its row of ``pos`` (places, p)."""
    n = x.shape[-2]
    return np.concatenate([x, np.broadcast_to(pos[:n], (*x.shape[:-1], pos.shape[1]))], axis=-1)


def listed(weights: np.ndarray) -> str:
    """Numbers as feedback shows them: ``[0.25, 0.75]``."""
    return "[" + ", ".join(f"{weight:.2f}" for weight in weights) + "]"


def is_uniform(weights: np.ndarray) -> bool:
    """Whether every query gives all places the same weight."""
    return weights.shape[-1] > 1 and bool(np.ptp(weights, axis=-1).max() < 1e-6)
