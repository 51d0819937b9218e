"""2.5b: the encoder block, post-norm and pre-norm."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge, Prediction, several
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.homework import check_cases_and, check_gradients, hw, mistakes, normal
from autograder.homeworks.hw2.oracles import PROJECTIONS, Floats, feed, norm, numpy_heads

# mistakes within linear1, ReLU, linear2
NETWORK = ("gelu", "silu", "leaky", "linear", "tanh", "relu first", "relu last", "relu twice")

ABOVE_ZERO = 8.0  # what a bias adds to numbers with a standard deviation of 2 to 3


def feed_weights(rng: np.random.Generator, d: int, d_ff: int) -> dict[str, Floats]:
    """Weights of the feed-forward network by name.

    In all rows one hidden number and one result are above 0, and one of each below: behind a ReLU that gives
    nothing but zeros, no gradient would reach a right answer's weights either, and where nothing is below 0
    a wrong ReLU would not show.
    """
    weights = {
        "linear1.weight": normal(rng, d_ff, d),
        "linear1.bias": normal(rng, d_ff),
        "linear2.weight": normal(rng, d, d_ff),
        "linear2.bias": normal(rng, d),
    }
    first, second = weights["linear1.bias"], weights["linear2.weight"]
    first[:2] = ABOVE_ZERO, -ABOVE_ZERO
    second[0, :2], second[1, 0] = (2.0, -2.0), -2.0
    weights["linear2.bias"][0] = ABOVE_ZERO
    return weights


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
    with torch.no_grad():  # training mode: the inference shortcut fuses, with other rounding
        found = module(torch.from_numpy(np.asarray(x, np.float64)), src_key_padding_mask=ignored).numpy()
    return real_rows(found, call)


def real_rows(output: Floats, call: Any) -> Floats:
    """The output (batch, n, d) with zeros at padded places, whose rows are not asked for."""
    padding = (call or {}).get("padding")
    return np.asarray(output if padding is None else np.where(np.asarray(padding)[..., None], 0.0, output))


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
    if variant == "batch as places" and (call or {}).get("padding") is not None:
        return np.zeros(0)  # a mask of the other shape: torch refuses it
    d, first = init["d_model"], bool(init.get("norm_first", False)) != (variant == "other norm")
    maps = (
        np.split(np.asarray(weights["self_attn.in_proj_weight"]), 3),
        np.split(np.asarray(weights["self_attn.in_proj_bias"]), 3),
    )
    own = {f"{name}.weight": part for name, part in zip(PROJECTIONS, maps[0], strict=False)}
    own |= {f"{name}.bias": part for name, part in zip(PROJECTIONS, maps[1], strict=False)}
    own |= {f"out_proj.{part}": weights[f"self_attn.out_proj.{part}"] for part in ("weight", "bias")}
    sizes = {"d_model": d, "n_heads": init["n_heads"]}
    inside = variant if variant == "padding ignored" else ""
    if variant.startswith("padding inverted"):
        inside = "padding inverted"

    def attention(y: Floats, before: Floats | None = None) -> Floats:
        """The attention's output; ``before`` is y before the norm, for a mistake."""
        if variant == "batch as places":  # batch_first left out
            return numpy_heads(y.swapaxes(0, 1), init=sizes, weights=own, call=call)[0].swapaxes(0, 1)
        if variant == "queries alone normed" and before is not None:
            return numpy_heads(y, init=sizes, weights=own, call=call, seen=before)[0]
        masks = {**(call or {}), "causal": True} if variant == "causal" else call
        output = numpy_heads(y, init=sizes, weights=own, call=masks, variant=inside)[0]
        if variant == "padding inverted, NaN" and (call or {}).get("padding") is not None:
            output[~np.asarray(call["padding"]).any(1)] = np.nan
        return output

    def network(y: Floats) -> Floats:
        return feed(y, weights, variant if variant in NETWORK else "")

    def normal_form(y: Floats, which: int) -> Floats:
        if variant in ("no norm", f"no norm {which}"):
            return y
        which = {"one norm": 1, "norms swapped": 3 - which}.get(variant, which)
        return norm(y, weights[f"norm{which}.weight"], weights[f"norm{which}.bias"])

    def step(y: Floats, function: Callable[[Floats], Floats], which: int) -> Floats:
        keeps = (variant not in ("no residual", f"no residual {which}")) + (variant == "residual twice")
        if first:
            inner = normal_form(y, which)
            normed = variant in ("residual of the normed", f"residual of the normed {which}")
            told = attention(inner, y) if function is attention else function(inner)
            added = np.asarray((inner if normed else y * keeps) + told)
            if variant == "norm at the end" and which == 2:
                return normal_form(added, 2)
            return normal_form(added, which) if variant == "norm before and after" else added
        if variant == "norm before adding":
            return np.asarray(y + normal_form(function(y), which))
        return normal_form(y * keeps + function(y), which)

    x = np.asarray(x, np.float64)
    if variant == "feed-forward first":
        return real_rows(step(step(x, network, 2), attention, 1), call)
    if variant == "no feed-forward":
        return real_rows(step(x, attention, 1), call)
    if variant == "one residual over both":
        inner = attention(normal_form(x, 1)) if first else normal_form(attention(x), 1)
        last = x + network(normal_form(inner, 2) if first else inner)
        return real_rows(last if first else normal_form(last, 2), call)
    if variant == "second residual from the start":
        middle = step(x, attention, 1)
        if first:
            return real_rows(x + network(normal_form(middle, 2)), call)
        return real_rows(normal_form(x + network(middle), 2), call)
    return real_rows(step(step(x, attention, 1), network, 2), call)


def block_case(
    rng: np.random.Generator,
    b: int,
    n: int,
    d: int,
    h: int,
    d_ff: int,
    *,
    norm_first: bool,
    padding: Any = None,
    **more: Any,
) -> Case:
    """A case of 2.5b."""
    weights = {
        "self_attn.in_proj_weight": normal(rng, 3 * d, d, scale=0.7),
        "self_attn.in_proj_bias": normal(rng, 3 * d),
        "self_attn.out_proj.weight": normal(rng, d, d, scale=0.7),
        "self_attn.out_proj.bias": normal(rng, d),
        **feed_weights(rng, d, d_ff),
        **{f"norm{number}.{part}": normal(rng, d) for number in (1, 2) for part in ("weight", "bias")},
    }
    init = {"d_model": d, "n_heads": h, "d_ff": d_ff} | ({"norm_first": True} if norm_first else {})
    kwargs: dict[str, Any] = {"init": init, "weights": weights} | (
        {"want": more.pop("want")} if "want" in more else {}
    )
    note = (
        f"{'pre' if norm_first else 'post'}-norm, a batch of {b}, n = {n}, d_model = {d},"
        f" {several(h, 'head')}, d_ff = {d_ff}"
    )
    if padding is not None:
        kwargs["call"] = {"padding": np.array([np.arange(n) >= n - count for count in padding])}
        note += f", {padding} padded places"
    return Case([normal(rng, b, n, d)], kwargs, note=note, probe="block", torch=True, **more)


def block_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Both norms at several sizes, then padding, then gradients."""
    for norm_first, group in ((False, "post"), (True, "pre")):
        for b, n, d, h, d_ff in ((2, 4, 6, 2, 9), (1, 3, 4, 1, 5), (3, 1, 8, 4, 6)):
            yield block_case(rng, b, n, d, h, d_ff, norm_first=norm_first, group=group)
    for norm_first in (False, True):
        yield block_case(rng, 3, 5, 4, 2, 6, norm_first=norm_first, padding=[0, 2, 4], group="padding")
        yield block_case(rng, 3, 5, 4, 2, 6, norm_first=norm_first, want=["gradients"], group="gradients")


def block_examples(rng: np.random.Generator) -> Iterator[Case]:
    """One of each kind of hidden case."""
    yield block_case(rng, 2, 3, 4, 2, 5, norm_first=False, group="post")
    yield block_case(rng, 2, 3, 4, 2, 5, norm_first=True, group="pre", want=["gradients"])
    yield block_case(rng, 1, 1, 2, 1, 3, norm_first=True, group="pre")
    for norm_first in (False, True):
        yield block_case(rng, 2, 3, 4, 2, 3, norm_first=norm_first, padding=[0, 1], group="padding")


block = hw.question(
    "2.5b",
    "The encoder block, post-norm and pre-norm",
    minutes=20,
    difficulty="hard",
    asks={
        "post-norm, with the feed-forward network linear1, ReLU, linear2; no dropout": (
            "post-norm equals nn.TransformerEncoderLayer"
        ),
        "pre-norm with `norm_first=True`": "pre-norm equals nn.TransformerEncoderLayer",
        "padded places are hidden": "padding is hidden",
        "one backward pass reaches every parameter": "gradients reach every parameter of EncoderBlock",
    },
    entries=[
        Prediction("prediction_25b", {"A": "post-norm", "B": "pre-norm", "C": "neither"}),
        Challenge(
            "EncoderBlock",
            cases=block_cases,
            expected=torch_block,
            mistakes=mistakes(
                numpy_block,
                {
                    "Pre-norm and post-norm are exchanged: post-norm (norm_first=False) normalizes after"
                    " adding, pre-norm normalizes what goes into the sublayer.": "other norm",
                    "Both residual connections are missing:"
                    " each sublayer's result is added to its input.": "no residual",
                    "The residual connection around the attention is missing.": "no residual 1",
                    "The residual connection around the feed-forward network is missing.": "no residual 2",
                    "Pre-norm: the normalized input is added back;"
                    " add the input itself.": "residual of the normed",
                    "Pre-norm: around the attention the normalized input is added back;"
                    " add the input itself.": "residual of the normed 1",
                    "Pre-norm: around the feed-forward network the normalized input is added back; add the"
                    " input itself.": "residual of the normed 2",
                    "Post-norm: the sublayer's result alone is normalized; add the input first, then"
                    " normalize the sum.": "norm before adding",
                    "norm1 is used twice; each sublayer has its own norm.": "one norm",
                    "norm1 and norm2 are exchanged.": "norms swapped",
                    "The layer norms are missing.": "no norm",
                    "norm1 is missing: the attention has its own norm.": "no norm 1",
                    "norm2 is missing: the feed-forward network has its own norm.": "no norm 2",
                    "Pre-norm: the sum is normalized, too; normalize only the input of a sublayer.": (
                        "norm before and after"
                    ),
                    "Pre-norm: norm2 is used again after the block; a block's output is not normalized.": (
                        "norm at the end"
                    ),
                    "Each sublayer's input is added twice; add it once.": "residual twice",
                    "The feed-forward network comes first; the attention must come first.": (
                        "feed-forward first"
                    ),
                    "The feed-forward sublayer is missing.": "no feed-forward",
                    "One residual connection spans both sublayers; each sublayer has its own.": (
                        "one residual over both"
                    ),
                    "The second residual connection adds the block's input; add the output of the first"
                    " sublayer.": "second residual from the start",
                    "The attention looks along the batch, not along the places: nn.MultiheadAttention needs"
                    " batch_first=True.": "batch as places",
                    "The feed-forward network uses GELU; use ReLU.": "gelu",
                    "The ReLU of the feed-forward network is missing.": "linear",
                    "The feed-forward network uses SiLU; use ReLU.": "silu",
                    "The feed-forward network uses a leaky ReLU; use ReLU.": "leaky",
                    "The feed-forward network uses tanh; use ReLU.": "tanh",
                    "The ReLU comes before linear1; it belongs between linear1 and linear2.": "relu first",
                    "The ReLU comes after linear2; it belongs between linear1 and linear2.": "relu last",
                    "There is a ReLU after linear2, too; use only the one between.": "relu twice",
                    "The padding mask is ignored: pass it on as key_padding_mask.": "padding ignored",
                    "The padding mask is inverted: True marks padding.": "padding inverted",
                    "The padding mask is inverted: True marks padding. Where nothing is padded, all keys are"
                    " hidden, so NaN comes out.": "padding inverted, NaN",
                    "Pre-norm: only the queries are normalized; keys and values come from norm1(x), too.": (
                        "queries alone normed"
                    ),
                    "A causal mask is applied; in an encoder, every place sees every place.": "causal",
                },
            ),
            examples=block_examples,
            atol=2e-5,
            rtol=5e-4,
        ),
    ],
    forbids=("TransformerEncoderLayer", "TransformerEncoder", "Transformer", "TransformerDecoderLayer"),
)
check_cases_and(
    public.dropout_problem,
    block,
    "EncoderBlock",
    "post-norm equals nn.TransformerEncoderLayer",
    points=4,
    group="post",
)
block.check_cases("EncoderBlock", "pre-norm equals nn.TransformerEncoderLayer", points=4, group="pre")
block.check_cases("EncoderBlock", "padding is hidden", points=2, group="padding")
check_gradients(block, "EncoderBlock", points=2)
