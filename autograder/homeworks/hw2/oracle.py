"""hw2's oracles: float64 NumPy and torch's own modules, and NumPy models that make one named mistake (``variant``).

The models with variants are written apart from the oracles; without a variant they agree with them (tested).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """One attention head in float64 with torch's weight layout (out, in): x (n, d) → (n, v), or what a mistake makes of it."""
    x, Wq, Wk, Wv = (np.asarray(part, np.float64) for part in (x, Wq, Wk, Wv))
    queries, keys, values = x @ Wq.T, x @ Wk.T, x @ Wv.T
    if variant == "queries and keys swapped":
        queries, keys = keys, queries
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
    output = weights @ (x if variant == "raw values" and x.shape[1] == values.shape[1] else values)
    if variant == "mean of outputs":
        return np.asarray(output.mean(0))
    return np.asarray(
        output.T
        if variant == "transposed output"
        else weights.T @ values
        if variant == "transposed weights"
        else output
    )


def transformer(
    x: Floats, *, init: Any, weights: Mapping[str, Floats], want: Any = (), variant: str = ""
) -> Floats:
    """The NumPy model of 2.1; positions are concatenated where there are any."""
    if "pos.weight" in weights:
        table = np.asarray(weights["pos.weight"])
        rows = {
            "one position for all": table[:1].repeat(len(x), 0),
            "positions from the end": table[: len(x)][::-1],
        }.get(variant, table[: len(x)])
        x = np.concatenate([rows, x] if variant == "positions in front" else [x, rows], axis=1)
    return head(x, weights["Qm.weight"], weights["Km.weight"], weights["Vm.weight"], variant)


def layer(
    x: Floats, *, init: Any, weights: Mapping[str, Floats], want: Any = (), variant: str = ""
) -> Floats:
    """The attention layer of 2.3."""
    return head(x, weights["query.weight"], weights["key.weight"], weights["value.weight"], variant)


def classifier(
    x: Floats, *, init: Any, weights: Mapping[str, Floats], want: Any = (), variant: str = ""
) -> Floats:
    """The classifier of 2.3 around the probe's layer, which is no attention: tanh of a linear map plus a running sum."""
    x, mix, W, b = (
        np.asarray(part, np.float64)
        for part in (x, weights["attention.mix.weight"], weights["head.weight"], weights["head.bias"])
    )
    tokens = x if variant == "no layer" else np.tanh(x @ mix.T) + x.cumsum(0)
    if variant == "residual":
        tokens = tokens + x
    if variant == "one logit a token":
        return np.asarray(tokens @ W.T + b)
    pooled = {"sum": tokens.sum(0), "max": tokens.max(0), "first": tokens[0], "last": tokens[-1]}.get(
        variant, tokens.mean(0)
    )
    logits = pooled @ W.T + b
    return np.asarray(
        {
            "softmax": softmax(logits),
            "log": np.log(softmax(logits)),
            "sigmoid": 1 / (1 + np.exp(-logits)),
        }.get(variant, logits)
    )


def torch_heads(
    x: Floats, *, init: Mapping[str, int], weights: Mapping[str, Floats], call: Any = None, want: Any = ()
) -> list[Floats]:
    """``torch.nn.MultiheadAttention`` in float64: output (batch, n, d) and weights (batch, head, n, n).

    A query with nothing to look at gets weights 0, so that its output is the output projection's bias; torch
    says NaN there.
    """
    import torch

    causal, padding = (call or {}).get("causal", False), (call or {}).get("padding")
    n = x.shape[1]
    module = torch.nn.MultiheadAttention(
        init["d_model"], init["n_heads"], batch_first=True, dtype=torch.float64
    )
    wide = {name: torch.from_numpy(np.asarray(value, np.float64)) for name, value in weights.items()}
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([wide[f"{name}.weight"] for name in PROJECTIONS[:3]]))
        module.in_proj_bias.copy_(torch.cat([wide[f"{name}.bias"] for name in PROJECTIONS[:3]]))
        module.out_proj.weight.copy_(wide["out_proj.weight"])
        module.out_proj.bias.copy_(wide["out_proj.bias"])
        hidden = torch.ones(n, n, dtype=torch.bool).triu(1) if causal else None
        ignored = None if padding is None else torch.from_numpy(np.asarray(padding))
        tokens = torch.from_numpy(np.asarray(x, np.float64))
        output, attention = module(
            tokens, tokens, tokens, key_padding_mask=ignored, attn_mask=hidden, average_attn_weights=False
        )
    blind = torch.isnan(attention).all(-1)  # (batch, head, query)
    attention = torch.where(blind[..., None], torch.zeros_like(attention), attention)
    output = torch.where(blind[:, 0, :, None], wide["out_proj.bias"].expand_as(output), output)
    return [output.numpy(), attention.numpy()]


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
        allowed &= real[:, None, :, None] if variant == "padded queries" else real[:, None, None, :]
    return allowed


def numpy_heads(
    x: Floats,
    *,
    init: Mapping[str, int],
    weights: Mapping[str, Floats],
    call: Any = None,
    want: Any = (),
    variant: str = "",
) -> list[Floats]:
    """Multi-head attention in NumPy with one mistake; without one it agrees with :func:`torch_heads` (tested)."""
    causal, padding = (call or {}).get("causal", False), (call or {}).get("padding")
    (b, n, d), h = x.shape, init["n_heads"]
    wide = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    queries, keys, values = (
        np.asarray(x, np.float64) @ wide[f"{name}.weight"].T + wide[f"{name}.bias"]
        for name in PROJECTIONS[:3]
    )
    if variant == "heads split wrongly":
        split = [part.reshape(b, h, n, d // h) for part in (queries, keys, values)]
    elif variant == "heads interleaved":
        split = [part.reshape(b, n, d // h, h).transpose(0, 3, 1, 2) for part in (queries, keys, values)]
    else:
        split = [part.reshape(b, n, h, d // h).transpose(0, 2, 1, 3) for part in (queries, keys, values)]
    divisor = {"unscaled": 1.0, "scaled by d_model": np.sqrt(d), "divided by the head's size": d / h}.get(
        variant, np.sqrt(d / h)
    )
    scores = split[0] @ split[1].swapaxes(-1, -2) / divisor
    allowed = allowed_pairs(b, n, causal, padding, variant)
    axis = 2 if variant == "wrong axis" else -1
    if variant == "mask after the softmax":
        attention = softmax(scores, axis) * allowed
    elif variant == "zero instead of minus infinity":
        attention = softmax(scores * allowed, axis)
    else:
        attention = softmax(np.where(allowed, scores, -np.inf if variant == "NaN" else -1e30), axis)
        attention = attention if variant in ("uniform", "NaN") else attention * allowed
    mixed = attention @ split[2]
    joined = (mixed if variant == "heads joined wrongly" else mixed.transpose(0, 2, 1, 3)).reshape(b, n, d)
    output = (
        joined
        if variant == "no output projection"
        else joined @ wide["out_proj.weight"].T + wide["out_proj.bias"]
    )
    return [output, attention.mean(1) if variant == "weights averaged" else attention]


def torch_norm(
    x: Floats, *, init: Mapping[str, Any], weights: Mapping[str, Floats], want: Any = ()
) -> Floats:
    """``torch.nn.functional.layer_norm`` in float64."""
    import torch

    tokens, scale, shift = (
        torch.from_numpy(np.asarray(part, np.float64)) for part in (x, weights["weight"], weights["bias"])
    )
    return np.asarray(
        torch.nn.functional.layer_norm(
            tokens, (init["d_model"],), scale, shift, init.get("eps", 1e-5)
        ).numpy()
    )


def norm(x: Floats, scale: Floats, shift: Floats, eps: float = 1e-5, variant: str = "") -> Floats:
    """Layer normalisation in NumPy with one mistake."""
    x = np.asarray(x, np.float64)
    everything = tuple(range(x.ndim))
    axis: Any = {
        "over tokens": -2 if x.ndim > 1 else -1,
        "over everything": everything,
        "per sequence": everything[-2:],
    }.get(variant, -1)
    centred = x if variant == "not centred" else x - x.mean(axis, keepdims=True)
    count = np.prod([x.shape[one] for one in np.atleast_1d(axis)])
    ddof = 1 if variant == "unbiased" and count > 1 else 0
    variance = (np.square(x) if variant == "not centred" else np.square(x - x.mean(axis, keepdims=True))).sum(
        axis, keepdims=True
    ) / (count - ddof)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = {
            "no eps": np.sqrt(variance),
            "eps outside": np.sqrt(variance) + eps,
            "variance": variance + eps,
            "default eps": np.sqrt(variance + 1e-5),
        }.get(variant, np.sqrt(variance + eps))
        unit = centred / spread
    if variant == "no affine":
        return np.asarray(unit)
    return np.asarray(
        (unit + shift) * scale
        if variant == "shift first"
        else unit * scale
        if variant == "no shift"
        else unit * scale + shift
    )


def numpy_norm(
    x: Floats, *, init: Mapping[str, Any], weights: Mapping[str, Floats], want: Any = (), variant: str = ""
) -> Floats:
    """The probe's view of :func:`norm`."""
    return norm(x, weights["weight"], weights["bias"], init.get("eps", 1e-5), variant)


def feed(x: Floats, weights: Mapping[str, Floats], variant: str = "") -> Floats:
    """linear1, ReLU, linear2 in float64, or with one mistake."""
    wide = {name: np.asarray(value, np.float64) for name, value in weights.items()}
    hidden = x @ wide["linear1.weight"].T + wide["linear1.bias"]
    if variant == "gelu":
        hidden = np.asarray(_torch_function("gelu", hidden))
    elif variant == "tanh":
        hidden = np.tanh(hidden)
    elif variant not in ("linear", "relu last"):
        hidden = np.maximum(hidden, 0)
    output = hidden @ wide["linear2.weight"].T + wide["linear2.bias"]
    return np.asarray(
        np.maximum(output, 0)
        if variant in ("relu last", "relu twice")
        else output + x
        if variant == "residual"
        else output
    )


def _torch_function(name: str, values: Floats) -> Floats:
    import torch

    return np.asarray(getattr(torch.nn.functional, name)(torch.from_numpy(values)).numpy())


def feed_forward(
    x: Floats, *, init: Any, weights: Mapping[str, Floats], want: Any = (), variant: str = ""
) -> Floats:
    """The probe's view of :func:`feed`."""
    return feed(np.asarray(x, np.float64), weights, variant)


def torch_block(
    x: Floats, *, init: Mapping[str, Any], weights: Mapping[str, Floats], call: Any = None, want: Any = ()
) -> Floats:
    """``torch.nn.TransformerEncoderLayer`` in float64 without dropout."""
    import torch

    norm_first = bool(init.get("norm_first", False))
    sizes = (init["d_model"], init["n_heads"], init["d_ff"])
    module = torch.nn.TransformerEncoderLayer(
        *sizes, dropout=0.0, batch_first=True, norm_first=norm_first, dtype=torch.float64
    )
    module.load_state_dict(
        {name: torch.from_numpy(np.asarray(value, np.float64)) for name, value in weights.items()}
    )
    padding = (call or {}).get("padding")
    ignored = None if padding is None else torch.from_numpy(np.asarray(padding))
    with torch.no_grad():  # training mode: the inference shortcut fuses and zeroes padded places
        return np.asarray(
            module(torch.from_numpy(np.asarray(x, np.float64)), src_key_padding_mask=ignored).numpy()
        )


def numpy_block(
    x: Floats,
    *,
    init: Mapping[str, Any],
    weights: Mapping[str, Floats],
    call: Any = None,
    want: Any = (),
    variant: str = "",
) -> Floats:
    """An encoder block in NumPy with one mistake; without one it agrees with :func:`torch_block` (tested)."""
    d, first = init["d_model"], bool(init.get("norm_first", False)) != (variant == "other norm")
    maps = (
        np.split(np.asarray(weights["self_attn.in_proj_weight"]), 3),
        np.split(np.asarray(weights["self_attn.in_proj_bias"]), 3),
    )
    own = {f"{name}.weight": part for name, part in zip(PROJECTIONS, maps[0], strict=False)}
    own |= {f"{name}.bias": part for name, part in zip(PROJECTIONS, maps[1], strict=False)}
    own |= {f"out_proj.{part}": weights[f"self_attn.out_proj.{part}"] for part in ("weight", "bias")}
    sizes = {"d_model": d, "n_heads": init["n_heads"]}
    inside = variant if variant in ("padding ignored", "padding inverted") else ""

    def attention(y: Floats) -> Floats:
        return numpy_heads(y, init=sizes, weights=own, call=call, variant=inside)[0]

    def network(y: Floats) -> Floats:
        return feed(y, weights, variant if variant in ("gelu", "linear") else "")

    def normal_form(y: Floats, which: int) -> Floats:
        which = 1 if variant == "one norm" else 3 - which if variant == "norms swapped" else which
        return (
            y
            if variant == "no norm"
            else norm(y, weights[f"norm{which}.weight"], weights[f"norm{which}.bias"])
        )

    def step(y: Floats, function: Callable[[Floats], Floats], which: int) -> Floats:
        keeps = variant not in ("no residual", f"no residual {which}")
        if first:
            inner = normal_form(y, which)
            return np.asarray(
                (
                    inner
                    if variant in ("residual of the normed", f"residual of the normed {which}")
                    else y * keeps
                )
                + function(inner)
            )
        if variant == "norm before adding":
            return np.asarray(y + normal_form(function(y), which))
        return normal_form(y * keeps + function(y), which)

    x = np.asarray(x, np.float64)
    if variant == "feed-forward first":
        return step(step(x, network, 2), attention, 1)
    if variant == "no feed-forward":
        return step(x, attention, 1)
    return step(step(x, attention, 1), network, 2)


def steps(*batches: Floats, table: Floats, places: Floats, lr: float, variant: str = "") -> list[Floats]:
    """What SGD steps on the probe's toy model give, by autograd in float64: losses, and both tables afterwards."""
    import torch

    parameters = [torch.from_numpy(np.asarray(part, np.float64)).requires_grad_() for part in (table, places)]
    kept = [torch.zeros_like(parameter) for parameter in parameters]
    losses = []
    for batch in batches:
        tokens = torch.from_numpy(np.asarray(batch))
        target = {"not reversed": tokens, "batch reversed": tokens.flip(0)}.get(variant, tokens.flip(1))
        logits = parameters[0][tokens] + parameters[1][: tokens.shape[1]]
        if variant == "softmax twice":
            logits = logits.softmax(-1)
        if variant == "wrong axis":
            loss = torch.nn.functional.cross_entropy(logits.reshape(len(tokens), logits.shape[2], -1), target)
        else:
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), target.flatten(), reduction="sum" if variant == "sum" else "mean"
            )
        losses.append(float(loss.detach()))
        gradients = torch.autograd.grad(loss, parameters)
        kept = [
            old + new if variant == "accumulated" else new for old, new in zip(kept, gradients, strict=True)
        ]
        if variant != "no step":
            parameters = [
                (part - lr * change).detach().requires_grad_()
                for part, change in zip(parameters, kept, strict=True)
            ]
    return [np.array(losses), *(parameter.detach().numpy() for parameter in parameters)]


def antidiagonal(weights: Floats) -> Floats:
    """Mean weight of maps (batch, n, n) on the anti-diagonal: query i, key n − 1 − i."""
    return np.asarray(
        np.mean(
            [[one[i, len(one) - 1 - i] for i in range(len(one))] for one in np.asarray(weights, np.float64)]
        )
    )
