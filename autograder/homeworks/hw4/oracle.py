"""hw4's oracles: a Vision Transformer piece by piece in float64 NumPy, right and with the mistakes that feedback names.

Independent of the reference solution and of torch. ``mistake`` (or ``order``, ``pixels``, ``flipped``)
chooses what goes wrong.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

Weights = Mapping[str, np.ndarray]


def cut(images: np.ndarray, patch_size: int, order: str = "rows", pixels: str = "rows") -> np.ndarray:
    """Patches of (b, 1, H, W) as (b, patches, p·p), one by one; ``order`` and ``pixels`` make known mistakes."""
    p = patch_size
    _, _, height, width = images.shape
    corners = [(top, left) for top in range(0, height, p) for left in range(0, width, p)]
    if order == "columns":
        corners = [(top, left) for left in range(0, width, p) for top in range(0, height, p)]
    patches = [images[:, 0, top : top + p, left : left + p] for top, left in corners]
    if pixels == "columns":
        patches = [patch.swapaxes(1, 2) for patch in patches]
    return np.stack([patch.reshape(len(images), p * p) for patch in patches], axis=1)


def glue(
    patches: np.ndarray, patch_size: int, height: int, width: int, order: str = "rows", pixels: str = "rows"
) -> np.ndarray:
    """The inverse of :func:`cut`: numbers the pixels, cuts the numbers, and puts every pixel back where its number says."""
    numbers = cut(np.arange(height * width).reshape(1, 1, height, width), patch_size, order, pixels).ravel()
    images = np.empty((len(patches), height * width), patches.dtype)
    images[:, numbers] = patches.reshape(len(patches), -1)
    return images.reshape(-1, 1, height, width)


def embed(
    images: np.ndarray, weight: np.ndarray, bias: np.ndarray, order: str = "rows", flipped: str = ""
) -> np.ndarray:
    """Patches times weights (dim, p·p), plus bias: (b, patches, dim) in float64."""
    p = math.isqrt(weight.shape[1])
    kernels = weight.astype(np.float64).reshape(-1, p, p)
    kernels = (
        kernels.swapaxes(1, 2)
        if flipped == "transposed"
        else kernels[:, ::-1, ::-1]
        if flipped == "mirrored"
        else kernels
    )
    return np.asarray(cut(images.astype(np.float64), p, order) @ kernels.reshape(len(kernels), -1).T + bias)


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
    if mistake == "no token":
        return np.concatenate([0 * first, x], axis=1) + positions
    return np.concatenate([first, x], axis=1) + positions


def softmax(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Stable softmax."""
    weights = np.exp(scores - scores.max(axis, keepdims=True))
    return np.asarray(weights / weights.sum(axis, keepdims=True))


def attend(x: np.ndarray, maps: Weights, heads: int, mistake: str = "") -> tuple[np.ndarray, np.ndarray]:
    """Multi-head self-attention in float64, head by head: outputs (b, n, dim) and weights (b, heads, n, n)."""
    x = np.asarray(x, dtype=np.float64)
    dim = x.shape[-1]
    q, k, v = (
        x @ np.asarray(maps[f"{name}.weight"], np.float64).T + maps[f"{name}.bias"]
        for name in ("query", "key", "value")
    )
    split = 1 if mistake.startswith("one head") else heads
    size = dim // split
    scale = {
        "no scale": 1.0,
        "scale of dim": math.sqrt(dim),
        "scale without root": size,
        "one head": math.sqrt(dim),
    }.get(mistake, math.sqrt(dim // heads))
    if mistake.startswith("reshaped") or mistake == "over heads":
        order = (0, 1, 2, 3) if mistake.startswith("reshaped") else (0, 2, 1, 3)
        shape = (len(x), heads, -1, size) if mistake.startswith("reshaped") else (len(x), -1, heads, size)
        q, k, v = (part.reshape(shape).transpose(order) for part in (q, k, v))
        maps_ = softmax(q @ k.swapaxes(-1, -2) / scale, axis=1 if mistake == "over heads" else -1)
        mixed = (maps_ @ v if mistake == "reshaped twice" else (maps_ @ v).swapaxes(1, 2)).reshape(x.shape)
        return mixed @ np.asarray(maps["out.weight"], np.float64).T + maps["out.bias"], maps_
    outputs, weights = [], []
    for head in range(split):
        features = (
            np.arange(dim)[head::split]
            if mistake == "interleaved"
            else np.arange(dim)[head * size : (head + 1) * size]
        )
        scores = q[..., features] @ k[..., features].swapaxes(-1, -2) / scale
        weights.append(softmax(scores, axis=-2 if mistake == "queries" else -1))
        outputs.append(weights[-1] @ v[..., features])
    mixed = np.concatenate(outputs, axis=-1)
    if mistake == "heads not merged":
        mixed = np.stack(outputs, axis=1).reshape(x.shape)
    if mistake != "no output map":
        mixed = mixed @ np.asarray(maps["out.weight"], np.float64).T + maps["out.bias"]
    return mixed, np.stack(weights, axis=1)


def attention_output(
    x: np.ndarray, init: Any = None, weights: Any = None, call: Any = None, mistake: str = "", **_: Any
) -> Any:
    """What the module of 4.4a returns."""
    output, maps = attend(x, weights, init["heads"], mistake)
    return [output, maps] if call and call.get("return_weights") else output


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Layer norm over the last axis, with torch's epsilon."""
    centred = x - x.mean(-1, keepdims=True)
    return np.asarray(centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * weight + bias)


def gelu(x: np.ndarray) -> np.ndarray:
    """The input times the normal distribution function of it."""
    return np.asarray(x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))))


def encoder(x: np.ndarray, w: Weights, heads: int, mistake: str = "") -> tuple[np.ndarray, np.ndarray]:
    """One pre-norm encoder block in float64; weights under the names of 4.4b: outputs and attention weights."""
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
        hidden = (
            np.maximum(hidden, 0)
            if mistake == "relu"
            else hidden
            if mistake == "no activation"
            else gelu(hidden)
        )
        return np.asarray(hidden @ w["mlp.2.weight"].T.astype(np.float64) + w["mlp.2.bias"])

    if mistake == "post-norm":
        attended, weights = attend(x, maps, heads)
        x = norm("norm1", x + attended)
        return norm("norm2", x + mlp(x)), weights
    normed = x if mistake == "no norm1" else norm("norm1", x)
    attended, weights = attend(normed, maps, heads)
    kept = {"no residual 1": 0 * x, "residual of the norm": normed}.get(mistake, x)
    x = kept + attended
    normed = x if mistake == "no norm2" else norm("norm1" if mistake == "norm1 twice" else "norm2", x)
    kept = {"no residual 2": 0 * x, "residual of the norm": normed}.get(mistake, x)
    return kept + mlp(normed), weights


def block_output(
    x: np.ndarray, init: Any = None, weights: Any = None, call: Any = None, mistake: str = "", **_: Any
) -> Any:
    """What the module of 4.4b returns."""
    output, maps = encoder(x, weights, init["heads"], mistake)
    return [output, maps] if call and call.get("return_weights") else output


def vision_transformer(
    images: np.ndarray, init: Any = None, weights: Any = None, call: Any = None, mistake: str = "", **_: Any
) -> Any:
    """Logits (b, classes) in float64, and the attention maps (b, depth, heads, 1 + n, 1 + n) where the call asks for them."""
    w = {name: np.asarray(value, dtype=np.float64) for name, value in weights.items()}
    order = "columns" if mistake == "columns first" else "rows"
    pixels = "columns" if mistake == "pixels" else "rows"
    x = (
        cut(images.astype(np.float64), init["patch_size"], order, pixels) @ w["patch_embedding.weight"].T
        + w["patch_embedding.bias"]
    )
    x = token_sequence(x, weights=w, mistake=mistake)
    maps = []
    for number in range(1 if mistake == "one block" else init["depth"]):
        own = f"blocks.{number}."
        names = {"self_attn": "attention", "linear1": "mlp.0", "linear2": "mlp.2"}
        mine = {name.removeprefix(own): value for name, value in w.items() if name.startswith(own)}
        mine = {
            ".".join([names.get(name.split(".")[0], name.split(".")[0]), *name.split(".")[1:]]): value
            for name, value in mine.items()
        }
        x, attended = encoder(x, mine, init["heads"])
        maps.append(attended)
    if mistake == "mean before norm":
        x = np.broadcast_to(x.mean(1, keepdims=True), x.shape)
    if mistake != "no last norm":
        x = layer_norm(x, w["norm.weight"], w["norm.bias"])
    answering = {
        "last token": x[:, -1],
        "last": x[:, -1],
        "mean": x.mean(1),
        "mean of patches": x[:, 1:].mean(1),
        "first patch": x[:, 1],
    }
    logits = answering.get(mistake, x[:, 0]) @ w["head.weight"].T + w["head.bias"]
    if mistake == "softmax":
        logits = softmax(logits)
    return [logits, np.stack(maps, axis=1)] if call and call.get("return_weights") else logits


def classified(
    weight: np.ndarray, bias: np.ndarray, images: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A linear classifier in float64: probabilities (n, classes), loss of each image, whether it is right."""
    scores = images.reshape(len(images), -1).astype(np.float64) @ weight.T + bias
    probabilities = softmax(scores)
    return probabilities, -np.log(probabilities[np.arange(len(labels)), labels]), scores.argmax(-1) == labels


def stepped(
    weight: np.ndarray,
    bias: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    lr: float,
    steps: int,
    mistake: str = "",
    **_: Any,
) -> list[np.ndarray]:
    """Losses before each of ``steps`` steps of SGD, then weights and biases; stale gradients of 1 stood there at the start."""
    weight, bias = weight.astype(np.float64), bias.astype(np.float64)
    old: list[Any] = [np.ones_like(weight), np.ones_like(bias)]
    losses = []
    for _step in range(steps):
        probabilities, loss, _right = classified(weight, bias, images, labels)
        error = (probabilities - np.eye(len(bias))[labels]) / (1 if mistake == "sum" else len(labels))
        gradients = [error.T @ images.reshape(len(images), -1), error.sum(0)]
        if mistake == "stale":
            gradients = [gradient + stale for gradient, stale in zip(gradients, old, strict=True)]
        old = gradients
        rate = {"ascent": -lr, "no step": 0.0}.get(mistake, lr)
        weight, bias = weight - rate * gradients[0], bias - rate * gradients[1]
        if mistake == "after":
            loss = classified(weight, bias, images, labels)[1]
        losses.append(loss.sum() if mistake == "sum" else loss.mean())
    return [np.array(losses), weight, bias]


def measured(
    weight: np.ndarray,
    bias: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    mistake: str = "",
    **_: Any,
) -> list[Any]:
    """Mean loss and accuracy over all images."""
    _p, loss, right = classified(weight, bias, images, labels)
    starts = range(0, len(labels), batch_size)
    if mistake == "means of batches":
        return [
            np.mean([values[start : start + batch_size].mean() for start in starts])
            for values in (loss, right)
        ]
    if mistake == "last batch dropped":
        kept = max(len(labels) // batch_size * batch_size, 1)
        return [loss[:kept].mean(), right[:kept].mean()]
    if mistake == "sums":
        return [loss.sum(), right.mean()]
    if mistake == "means added":
        return [
            np.sum([loss[start : start + batch_size].mean() for start in starts]) / len(labels),
            right.mean(),
        ]
    if mistake == "loss of batches":
        return [np.mean([loss[start : start + batch_size].mean() for start in starts]), right.mean()]
    if mistake == "percent":
        return [loss.mean(), 100 * right.mean()]
    if mistake == "count":
        return [loss.mean(), float(right.sum())]
    if mistake == "swapped":
        return [right.mean(), loss.mean()]
    return [loss.mean(), right.mean()]


def first_rows(labels: np.ndarray, count: int) -> np.ndarray:
    """Rows of the first ``count`` images of each class: (classes, count)."""
    found: dict[int, list[int]] = {}
    for row, label in enumerate(labels.tolist()):
        found.setdefault(label, []).append(row)
    return np.array([found[label][:count] for label in sorted(found)])


def confused(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """How often each true class (row) was given each class (column)."""
    pairs = list(zip(labels.tolist(), predictions.tolist(), strict=True))
    return np.array([[pairs.count((row, column)) for column in range(classes)] for row in range(classes)])


def class_attention(maps: np.ndarray, mistake: str = "") -> np.ndarray:
    """What the class token looks at, in each block, as a picture: (depth, heads, 1+n, 1+n) → (depth, side, side)."""
    maps = np.asarray(maps, dtype=np.float64)
    rows = (
        maps[:, :, 1:, 0]
        if mistake == "column"
        else maps[:, :, 0, :-1]
        if mistake == "not dropped"
        else maps[:, :, 0, 1:]
    )
    picture = {"sum": rows.sum(1), "first head": rows[:, 0], "largest": rows.max(1)}.get(
        mistake, rows.mean(1)
    )
    side = math.isqrt(picture.shape[-1])
    picture = picture.reshape(len(maps), side, side)
    return np.asarray(picture.swapaxes(1, 2) if mistake == "transposed" else picture)


def similarity(positions: np.ndarray, mistake: str = "") -> np.ndarray:
    """Cosine similarity of the patches' positions: (1, 1+n, dim) → (n, n)."""
    table = np.asarray(positions, dtype=np.float64)[0]
    table = table[:-1] if mistake == "last dropped" else table[1:]
    if mistake == "centred":
        table = table - table.mean(1, keepdims=True)
    lengths = np.sqrt((table**2).sum(1))
    return np.asarray(table @ table.T / (1 if mistake == "products" else np.outer(lengths, lengths)))
