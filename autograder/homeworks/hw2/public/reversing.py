"""hw2: the model of 2.6 from its arrays."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

SYMBOLS, PLACES = 10, 8  # of 2.6
PROBE_SEQUENCES = np.random.default_rng(26).integers(SYMBOLS, size=(200, PLACES))


def attend(x: np.ndarray, Q: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Single-head attention weights (..., n, n) of x (..., n, d) in float64."""
    scores = (x @ Q) @ np.swapaxes(x @ K, -1, -2) / np.sqrt(Q.shape[-1])
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.asarray(weights / weights.sum(-1, keepdims=True))


def reverse_outputs(arrays: Mapping[str, np.ndarray], tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The model of 2.6 in float64, for tokens (batch, n).

    Returns:
        Logits (batch, n, symbols) and attention weights (batch, n, n).
    """
    wide = {name: np.asarray(array, np.float64) for name, array in arrays.items()}
    x = wide["E"][tokens] + wide["pos"][: tokens.shape[1]]
    weights = attend(x, wide["Q"], wide["K"])
    return weights @ (x @ wide["V"]) @ wide["U"], weights


def reverse_accuracy(arrays: Mapping[str, np.ndarray], tokens: np.ndarray) -> float:
    """Share of places at which the model of 2.6 gives the token of the reversed sequence."""
    logits, _ = reverse_outputs(arrays, tokens)
    return float((logits.argmax(-1) == tokens[:, ::-1]).mean())
