"""What the oracles of several questions share: a Vision Transformer's parts in float64 NumPy.

Independent of the reference solution and of torch. ``mistake``, ``order``, ``pixels`` say what goes wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]


def cut(images: np.ndarray, patch_size: int, order: str = "rows", pixels: str = "rows") -> np.ndarray:
    """Patches of (b, 1, H, W) as (b, patches, p·p), one by one; ``order`` and ``pixels`` make mistakes."""
    p = patch_size
    _, _, height, width = images.shape
    corners = [(top, left) for top in range(0, height, p) for left in range(0, width, p)]
    if order == "columns":
        corners = [(top, left) for left in range(0, width, p) for top in range(0, height, p)]
    patches = [images[:, 0, top : top + p, left : left + p] for top, left in corners]
    if pixels == "columns":
        patches = [patch.swapaxes(1, 2) for patch in patches]
    return np.stack([patch.reshape(len(images), p * p) for patch in patches], axis=1)


def token_sequence(
    x: np.ndarray, init: Any = None, weights: Any = None, mistake: str = "", **_: Any
) -> np.ndarray:
    """Class token before the patches (b, n, dim), positions added to all of them: (b, 1 + n, dim)."""
    token, positions = (
        np.asarray(weights[name], dtype=np.float64).reshape(-1, x.shape[2])
        for name in ("class_token", "positions")
    )
    first = np.broadcast_to(token, (len(x), 1, x.shape[2]))
    if mistake == "no positions":
        return np.concatenate([first, x], axis=1)
    if mistake == "before":
        return np.concatenate([first, x + positions[1:]], axis=1)
    if mistake == "before, shifted":
        return np.concatenate([first, x + positions[:-1]], axis=1)
    if mistake == "last":
        return np.concatenate([x, first], axis=1) + positions
    if mistake == "positions twice":
        return np.concatenate([first, x], axis=1) + 2 * positions
    if mistake == "multiplied":
        return np.concatenate([first, x], axis=1) * positions
    if mistake == "added to all":
        return np.asarray(x + token + positions[1:])
    if mistake == "no token":
        return np.concatenate([0 * first, x], axis=1) + positions
    return np.concatenate([first, x], axis=1) + positions


def softmax(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Stable softmax."""
    weights = np.exp(scores - scores.max(axis, keepdims=True))
    return np.asarray(weights / weights.sum(axis, keepdims=True))


def attend(x: np.ndarray, maps: Weights, heads: int, mistake: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Multi-head self-attention, head by head, in float64: outputs (b, n, dim), weights (b, heads, n, n)."""
    x = np.asarray(x, dtype=np.float64)
    dim = x.shape[-1]
    read = layer_norm(x, np.ones(dim), np.zeros(dim)) if mistake == "norm inside" else x
    q, k, v = (
        read @ np.asarray(maps[f"{name}.weight"], np.float64).T + maps[f"{name}.bias"]
        for name in ("query", "key", "value")
    )
    split = 1 if mistake.startswith("one head") else heads
    size = dim // split
    scale = {
        "no scale": 1.0,
        "scale of dim": math.sqrt(dim),
        "scale without root": size,
        "one head": math.sqrt(dim),
        "scale of heads": math.sqrt(heads),
        "scaled up": 1 / math.sqrt(dim // heads),
        "scaled after": 1.0,
        "scale of tokens": math.sqrt(x.shape[1]),
    }.get(mistake, math.sqrt(dim // heads))
    if mistake.startswith("heads attend"):
        q, k, v = (part.reshape(len(x), -1, heads, size) for part in (q, k, v))
        maps_ = softmax(q @ k.swapaxes(-1, -2) / scale)
        mixed = (maps_ @ v).swapaxes(1, 2) if mistake.endswith("turned") else maps_ @ v
        return mixed.reshape(x.shape) @ np.asarray(maps["out.weight"], np.float64).T + maps["out.bias"], maps_
    if mistake.startswith("reshaped") or mistake == "over heads":
        order = (0, 1, 2, 3) if mistake.startswith("reshaped") else (0, 2, 1, 3)
        shape = (len(x), heads, -1, size) if mistake.startswith("reshaped") else (len(x), -1, heads, size)
        q, k, v = (part.reshape(shape).transpose(order) for part in (q, k, v))
        maps_ = softmax(q @ k.swapaxes(-1, -2) / scale, axis=1 if mistake == "over heads" else -1)
        mixed = (maps_ @ v if mistake == "reshaped twice" else (maps_ @ v).swapaxes(1, 2)).reshape(x.shape)
        return mixed @ np.asarray(maps["out.weight"], np.float64).T + maps["out.bias"], maps_
    if mistake == "swapped":
        q, k = k, q
    if mistake == "key, value, query":
        q, k, v = v, q, k
    if mistake == "value, key, query":
        q, v = v, q
    if mistake == "query, value, key":
        k, v = v, k
    if mistake == "query as key":
        k = q
    if mistake == "key as query":
        q = k
    if mistake == "keys as values":
        v = k
    if mistake == "split by heads":
        q, k, v = split_by_heads(np.concatenate([q, k, v], axis=-1), heads)
    if mistake == "no values":
        v = x
    outputs, weights = [], []
    for head in range(split):
        features = (
            np.arange(dim)[head::split]
            if mistake.startswith("interleaved")
            else np.arange(dim)[head * size : (head + 1) * size]
        )
        scores = q[..., features] @ k[..., features].swapaxes(-1, -2) / scale
        if mistake == "causal":
            scores = np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)
        weights.append(softmax(scores, axis=-2 if mistake == "queries" else -1))
        if mistake == "whole map":
            weights[-1] = softmax(scores.reshape(len(x), -1)).reshape(scores.shape)
        if mistake in ("no softmax", "sigmoid", "relu", "clipped"):
            weights[-1] = {
                "no softmax": scores,
                "sigmoid": 0.5 * (1 + np.tanh(scores / 2)),
                "relu": np.maximum(scores, 0),
                "clipped": softmax(np.clip(scores, -30, 30)),
            }[mistake]
        if mistake == "naive":
            with np.errstate(all="ignore"):
                powers = np.exp(scores.astype(np.float32))
                weights[-1] = powers / powers.sum(-1, keepdims=True)
        if mistake == "scaled after":
            weights[-1] = weights[-1] / math.sqrt(size)
        if mistake == "scores":
            outputs.append(weights[-1] @ v[..., features])
            weights[-1] = scores
            continue
        given = weights[-1].swapaxes(1, 2) if mistake == "weights turned" else weights[-1]
        outputs.append(given @ v[..., features])
    mixed = np.concatenate(outputs, axis=-1)
    if mistake == "interleaved twice":
        mixed = np.stack(outputs, axis=-1).reshape(x.shape)
    if mistake == "heads not merged":
        mixed = np.stack(outputs, axis=1).reshape(x.shape)
    for _ in range({"no output map": 0, "output map twice": 2}.get(mistake, 1)):
        mixed = mixed @ np.asarray(maps["out.weight"], np.float64).T + maps["out.bias"]
    if mistake == "residual inside":
        mixed = x + mixed
    if mistake == "maps turned":
        weights = [one.swapaxes(1, 2) for one in weights]
    return mixed, np.stack(weights, axis=1)


def split_by_heads(joined: np.ndarray, heads: int) -> Iterator[np.ndarray]:
    """Queries, keys and values of one fused map whose outputs are dealt out to the heads before the three."""
    parts = np.split(joined.reshape(*joined.shape[:2], heads, -1), 3, axis=-1)
    return (part.reshape(*part.shape[:2], -1) for part in parts)


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Layer norm over the last axis, with torch's epsilon."""
    centered = x - x.mean(-1, keepdims=True)
    return np.asarray(centered / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * weight + bias)


def gelu_by_tanh(x: np.ndarray) -> np.ndarray:
    """The usual approximation of GELU."""
    return np.asarray(0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))


def gelu(x: np.ndarray) -> np.ndarray:
    """The input times the normal distribution function of it."""
    return np.asarray(x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))))


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # of 4.4b's MLP, by mistake
    "relu": lambda hidden: np.maximum(hidden, 0),
    "no activation": lambda hidden: hidden,
    "activation last": lambda hidden: hidden,
    "silu": lambda hidden: hidden * 0.5 * (1 + np.tanh(hidden / 2)),
    "tanh": gelu_by_tanh,
    "hyperbolic tangent": np.tanh,
    "sigmoid": lambda hidden: 0.5 * (1 + np.tanh(hidden / 2)),
    "leaky": lambda hidden: np.where(hidden > 0, hidden, 0.01 * hidden),
}


def encoder(x: np.ndarray, w: Weights, heads: int, mistake: str = "") -> tuple[np.ndarray, np.ndarray]:
    """One pre-norm encoder block in float64, weights named as in 4.4b: outputs and attention weights."""
    x, dim = np.asarray(x, dtype=np.float64), x.shape[-1]
    thirds = {"query": slice(0, dim), "key": slice(dim, 2 * dim), "value": slice(2 * dim, None)}
    maps = {
        f"{name}.{part}": w[f"attention.in_proj_{part}"][rows]
        for name, rows in thirds.items()
        for part in ("weight", "bias")
    }
    maps |= {f"out.{part}": w[f"attention.out_proj.{part}"] for part in ("weight", "bias")}

    def norm(which: str, values: np.ndarray) -> np.ndarray:
        return layer_norm(values, w[f"{which}.weight"], w[f"{which}.bias"])

    def mlp(values: np.ndarray) -> np.ndarray:
        hidden = values @ w["mlp.0.weight"].T.astype(np.float64) + w["mlp.0.bias"]
        hidden = ACTIVATIONS.get(mistake, gelu)(hidden)
        found = np.asarray(hidden @ w["mlp.2.weight"].T.astype(np.float64) + w["mlp.2.bias"])
        return gelu(found) if mistake in ("activation last", "activation twice") else found

    if mistake == "post-norm":
        attended, weights = attend(x, maps, heads)
        x = norm("norm1", x + attended)
        return norm("norm2", x + mlp(x)), weights
    if mistake == "norm of the branch":
        attended, weights = attend(x, maps, heads)
        x = x + norm("norm1", attended)
        return x + norm("norm2", mlp(x)), weights
    if mistake == "mlp first":
        x = x + mlp(norm("norm2", x))
        attended, weights = attend(norm("norm1", x), maps, heads)
        return x + attended, weights
    if mistake in ("attention twice", "attention added twice"):
        attended, weights = attend(norm("norm1", x), maps, heads)
        x = x + attended
        x = x + (attended if "added" in mistake else attend(norm("norm1", x), maps, heads)[0])
        return x + mlp(norm("norm2", x)), weights
    if mistake == "norm at the end":
        output, weights = encoder(x, w, heads)
        return norm("norm2", output), weights
    start, (one, two) = x, ("norm2", "norm1") if mistake == "norms swapped" else ("norm1", "norm2")
    normed = x if mistake in ("no norm1", "no norms") else norm(one, x)
    attended, weights = attend(normed, maps, heads)
    kept = {"no residual 1": 0 * x, "no residuals": 0 * x, "residual of the norm": normed}.get(mistake, x)
    x = kept + attended
    read = {"side by side": start, "attention alone": attended}.get(mistake, x)
    normed = (
        read
        if mistake in ("no norm2", "no norms")
        else norm("norm1" if mistake == "norm1 twice" else two, read)
    )
    kept = {
        "no residual 2": 0 * x,
        "no residuals": 0 * x,
        "residual of the norm": normed,
        "first residual again": start,
        "attention alone": start,
    }.get(mistake, x)
    return kept + mlp(normed), weights
