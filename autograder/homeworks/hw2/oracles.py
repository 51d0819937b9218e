"""Parts of a Transformer in float64 NumPy, right or with one named mistake (``variant``).

The models with variants are written apart from torch's modules; without a variant they agree with those
(tested).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Floats = np.ndarray
PROJECTIONS = ("q_proj", "k_proj", "v_proj", "out_proj")


def softmax(scores: Floats, axis: int = -1) -> Floats:
    """Stable softmax; rows without any finite score become NaN, as in torch."""
    with np.errstate(invalid="ignore"):
        powers = np.exp(scores - scores.max(axis, keepdims=True))
        return np.asarray(powers / powers.sum(axis, keepdims=True))


def head(x: Floats, Wq: Floats, Wk: Floats, Wv: Floats, variant: str = "") -> Floats:
    """One attention head, x (n, d) → (n, v), with torch's weight layout (out, in); or a mistake's result."""
    x, Wq, Wk, Wv = (np.asarray(part, np.float64) for part in (x, Wq, Wk, Wv))
    queries, keys, values = x @ Wq.T, x @ Wk.T, x @ Wv.T
    if variant == "queries and keys swapped":
        queries, keys = keys, queries
    if variant == "keys by Qm":
        keys = queries
    if variant == "queries by Km":
        queries = keys
    if variant == "cosines":
        queries, keys = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (queries, keys))
    divisor: Any = {
        "unscaled": 1.0,
        "divided by qk": float(keys.shape[1]),
        "scaled by v": np.sqrt(values.shape[1]),
        "scaled by input": np.sqrt(x.shape[1]),
        "scaled by n": np.sqrt(len(x)),
    }.get(variant, np.sqrt(keys.shape[1]))
    scores = queries @ keys.T / divisor
    if variant == "causal":
        scores = np.where(np.tri(len(x), dtype=bool), scores, -np.inf)
    weights = scores if variant == "no softmax" else softmax(scores, axis=0 if variant == "wrong axis" else 1)
    if variant in ("sigmoid", "tanh", "relu"):
        weights = {
            "sigmoid": 0.5 * (1 + np.tanh(scores / 2)),
            "tanh": np.tanh(scores),
            "relu": np.maximum(scores, 0),
        }[variant]
    if variant == "hard":
        weights = np.eye(len(x))[scores.argmax(1)]
    if variant == "clipped":
        weights = softmax(np.clip(scores, -50, 50))
    if variant == "scaled afterwards":
        weights = softmax(queries @ keys.T) / np.sqrt(keys.shape[1])
    output = weights @ (x if variant == "raw values" and x.shape[1] == values.shape[1] else values)
    if variant == "squeezed":
        return np.asarray(output.squeeze())
    if variant == "mean of outputs":
        return np.asarray(output.mean(0))
    if variant == "transposed output":
        return np.asarray(output.T)
    return np.asarray(weights.T @ values if variant == "transposed weights" else output)


def allowed_pairs(batch: int, n: int, causal: bool, padding: Floats | None, variant: str = "") -> Floats:
    """Which query may look at which key: bool (batch, 1, query, key)."""
    allowed = np.ones((batch, 1, n, n), bool)
    if causal and variant != "causal ignored":
        earlier = np.tri(n, dtype=bool)
        allowed &= {
            "causal inverted": earlier.T,
            "causal hides the own place": np.tri(n, k=-1, dtype=bool),
        }.get(variant, earlier)
    if padding is not None and variant != "padding ignored":
        real = padding if variant == "padding inverted" else ~padding
        keys, queries = real[:, None, None, :], real[:, None, :, None]
        allowed &= {"padded queries": queries, "padding hides both": keys & queries}.get(variant, keys)
    return allowed


def numpy_heads(
    x: Floats,
    *,
    init: Mapping[str, int],
    weights: Mapping[str, Floats],
    call: Any = None,
    want: Any = (),
    variant: str = "",
    seen: Floats | None = None,
) -> list[Floats]:
    """Multi-head attention in NumPy with one mistake; without one it agrees with torch's (tested).

    Keys and values come from ``seen`` if it is given.
    """
    causal, padding = (call or {}).get("causal", False), (call or {}).get("padding")
    (b, n, d), h = x.shape, init["n_heads"]
    wide = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    others = x if seen is None else seen
    queries, keys, values = (
        np.asarray(part, np.float64) @ wide[f"{name}.weight"].T + wide[f"{name}.bias"]
        for name, part in zip(PROJECTIONS, (x, others, others), strict=False)
    )
    if variant == "heads split wrongly":
        split = [part.reshape(b, h, n, d // h) for part in (queries, keys, values)]
    elif variant == "heads interleaved":
        split = [part.reshape(b, n, d // h, h).transpose(0, 3, 1, 2) for part in (queries, keys, values)]
    else:
        split = [part.reshape(b, n, h, d // h).transpose(0, 2, 1, 3) for part in (queries, keys, values)]
    if variant == "queries and keys swapped":
        split[:2] = split[1::-1]
    root = np.sqrt(d / h)
    divisor = {
        "unscaled": 1.0,
        "scaled afterwards": 1.0,
        "scaled by d_model": np.sqrt(d),
        "scaled by n": np.sqrt(n),
        "scaled by the heads": np.sqrt(h),
        "divided by the head's size": d / h,
    }.get(variant, root)
    scores = split[0] @ split[1].swapaxes(-1, -2) / divisor
    allowed = allowed_pairs(b, n, causal, padding, variant)
    axis = {"wrong axis": 2, "over heads": 1}.get(variant, -1)
    if variant == "mask after the softmax":
        attention = softmax(scores, axis) * allowed
    elif variant == "zero instead of minus infinity":
        attention = softmax(scores * allowed, axis)
    elif variant == "mask as numbers":
        attention = softmax(scores - ~allowed, axis)
    elif variant.startswith("sum plus "):
        powers = np.exp(scores) * allowed
        attention = powers / (powers.sum(-1, keepdims=True) + float(variant.removeprefix("sum plus ")))
    else:
        attention = softmax(np.where(allowed, scores, -np.inf if variant == "NaN" else -1e30), axis)
        unmasked = attention
        attention = attention if variant in ("uniform", "NaN") else attention * allowed
    if variant == "scaled afterwards":
        attention = attention / root
    mixed = attention @ split[2]
    joined = (mixed if variant == "heads joined wrongly" else mixed.transpose(0, 2, 1, 3)).reshape(b, n, d)
    output = (
        joined
        if variant == "no output projection"
        else joined @ wide["out_proj.weight"].T + wide["out_proj.bias"]
    )
    if variant == "residual":
        output = output + x
    if variant == "blind output 0":
        output = np.where(np.broadcast_to(allowed.any(-1), (b, 1, n))[:, 0, :, None], output, 0.0)
    if variant == "uniform weights told":
        return [output, unmasked]
    told = {
        "scores returned": scores,
        "weights averaged": attention.mean(1),
        "weights summed": attention.sum(1),
        "one head's weights": attention[:, 0],
    }
    return [output, told.get(variant, attention)]


def norm(x: Floats, scale: Floats, shift: Floats, eps: float = 1e-5, variant: str = "") -> Floats:
    """Layer normalization in NumPy with one mistake."""
    x = np.asarray(x, np.float64)
    everything = tuple(range(x.ndim))
    axis: Any = {
        "over tokens": -2 if x.ndim > 1 else -1,
        "over everything": everything,
        "per sequence": everything[-2:],
    }.get(variant, -1)
    centered = x if variant == "not centered" else x - x.mean(axis, keepdims=True)
    squares = np.square(centered).sum(axis, keepdims=True)
    count = x.size // squares.size
    ddof = 1 if variant in ("unbiased", "annotated") and count > 1 else 0
    variance = squares / (count - ddof)
    with np.errstate(divide="ignore", invalid="ignore"):
        if variant == "root of the deviation":
            spread = np.sqrt(np.sqrt(variance) + eps)
        elif variant in ("eps outside", "annotated"):
            spread = np.sqrt(variance) + eps
        elif variant == "variance":
            spread = variance + eps
        else:
            added = {"no eps": 0.0, "default eps": 1e-5, "eps of 1e-6": 1e-6}.get(variant, eps)
            spread = np.sqrt(variance + added)
        unit = centered / spread
    if variant == "no affine":
        return np.asarray(unit)
    if variant == "shift first":
        return np.asarray((unit + shift) * scale)
    if variant == "no scale":
        return np.asarray(unit + shift)
    return np.asarray(unit * scale if variant == "no shift" else unit * scale + shift)


def feed(x: Floats, weights: Mapping[str, Floats], variant: str = "") -> Floats:
    """linear1, ReLU, linear2 in float64, or with one mistake."""
    wide = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    seen = np.maximum(x, 0) if variant == "relu first" else x
    hidden = seen @ wide["linear1.weight"].T + wide["linear1.bias"]
    if variant in ("gelu", "silu", "sigmoid"):
        hidden = np.asarray(_torch_function(variant, hidden))
    elif variant == "leaky":
        hidden = np.maximum(hidden, 0.01 * hidden)
    elif variant == "tanh":
        hidden = np.tanh(hidden)
    elif variant not in ("linear", "relu first", "relu last"):
        hidden = np.maximum(hidden, 0)
    output = hidden @ wide["linear2.weight"].T + wide["linear2.bias"]
    if variant in ("relu last", "relu twice"):
        return np.asarray(np.maximum(output, 0))
    return np.asarray(output + x if variant == "residual" else output)


def _torch_function(name: str, values: Floats) -> Floats:
    import torch

    return np.asarray(getattr(torch.nn.functional, name)(torch.from_numpy(values)).numpy())
