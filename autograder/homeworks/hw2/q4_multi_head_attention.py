"""2.4: multi-head attention with causal and padding masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge, Prediction, several
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.homework import (
    ATTENTION_CALLS,
    check_cases_and,
    check_gradients,
    hw,
    mistakes,
    normal,
)
from autograder.homeworks.hw2.oracles import PROJECTIONS, Floats, numpy_heads


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


def heads_case(
    rng: np.random.Generator,
    b: int,
    n: int,
    d: int,
    h: int,
    *,
    causal: bool = False,
    padding: Any = None,
    note: str = "",
    **more: Any,
) -> Case:
    """A case of 2.4, with scores of size 1 to 4: softmaxes of every usual kind are exact enough there.

    ``padding`` says how many places at the end of each sequence are padding (negative: at the start).
    """
    weights = {f"{name}.weight": normal(rng, d, d, scale=d**-0.5) for name in PROJECTIONS} | {
        f"{name}.bias": normal(rng, d, scale=0.5) for name in PROJECTIONS
    }
    call: dict[str, Any] = {"causal": True} if causal else {}
    if padding is not None:
        places = np.arange(n)
        call["padding"] = np.array(
            [places >= n - count if count >= 0 else places < -count for count in padding]
        )
    kwargs = {"init": {"d_model": d, "n_heads": h}, "weights": weights, "call": call} | (
        {"want": more.pop("want")} if "want" in more else {}
    )
    note = note or f"a batch of {b}, n = {n}, d_model = {d}, {several(h, 'head')}"
    return Case([normal(rng, b, n, d)], kwargs, note=note, probe="heads", torch=True, **more)


def heads_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes that all differ; each kind of mask alone, then both, then queries with nothing to look at."""
    for b, n, d, h in ((4, 5, 6, 2), (2, 3, 8, 4), (1, 1, 4, 2), (2, 3, 5, 1), (1, 6, 6, 6)):
        yield heads_case(rng, b, n, d, h, group="plain")
    for b, n, d, h in ((2, 5, 6, 2), (1, 3, 4, 4)):
        yield heads_case(
            rng, b, n, d, h, causal=True, group="causal", note=f"a causal mask, {b}×{n} places, {h} heads"
        )
    for padding in ([0, 2, 3], [1, 0, 4]):
        yield heads_case(
            rng, 3, 5, 6, 2, padding=padding, group="padding", note=f"{padding} padded places at the end"
        )
    note = "padding at the end and a causal mask"
    yield heads_case(rng, 3, 5, 6, 3, causal=True, padding=[0, 1, 2], group="padding", note=note)
    note = "a sequence of nothing but padding"
    yield heads_case(rng, 3, 4, 6, 2, padding=[0, 4, 2], group="blind", note=note)
    note = "padding at the start and a causal mask"
    yield heads_case(rng, 2, 4, 6, 3, causal=True, padding=[-2, 0], group="blind", note=note)
    seen: dict[str, Any] = {"want": ["gradients"], "group": "gradients"}
    yield heads_case(rng, 2, 4, 6, 2, causal=True, note="one backward pass", **seen)
    note = "one backward pass with a fully padded sequence"
    yield heads_case(rng, 2, 4, 6, 2, padding=[0, 4], note=note, **seen)


def heads_examples(rng: np.random.Generator) -> Iterator[Case]:
    """Small ones for the notebook, one of each kind of hidden case."""
    yield heads_case(rng, 1, 4, 6, 2)
    yield heads_case(rng, 1, 1, 2, 2, note="a batch of one sequence of one place, heads of one channel")
    yield heads_case(rng, 1, 3, 4, 2, causal=True, group="causal", note="a causal mask")
    note = "a padded place at the end of the second sequence"
    yield heads_case(rng, 2, 3, 4, 2, padding=[0, 1], group="padding", note=note)
    note = "padding at the end of the second sequence and a causal mask"
    yield heads_case(rng, 2, 3, 2, 1, causal=True, padding=[0, 1], group="padding", note=note)
    note = "padding at the start of the second sequence and a causal mask"
    yield heads_case(rng, 2, 3, 2, 1, causal=True, padding=[0, -1], group="blind", note=note)
    note = "a batch whose second sequence is nothing but padding"
    yield heads_case(rng, 2, 2, 2, 1, padding=[0, 2], want=["gradients"], group="blind", note=note)


HEADS_MISTAKES = mistakes(
    numpy_heads,
    {
        "Heads are split on the wrong axis: reshape to (batch, n, heads, d_head) first, then swap n and"
        " heads.": "heads split wrongly",
        "Heads are interleaved: head 0 owns the first d_head channels, so reshape to (batch, n, heads,"
        " d_head).": "heads interleaved",
        "Heads are joined on the wrong axis: swap n and"
        " heads back before you reshape to (batch, n, d_model).": "heads joined wrongly",
        "The output projection is missing: out_proj mixes the heads.": "no output projection",
        "The scores are not divided by √d_head.": "unscaled",
        "The softmax comes first and the scale 1/√d_head after it; divide the scores.": "scaled afterwards",
        "Queries and keys are swapped: row i of the scores belongs to query i.": "queries and keys swapped",
        "The scores are divided by √d_model; each head"
        " has only d_head = d_model / n_heads channels.": "scaled by d_model",
        "The scores are divided by √n, the root of the number of places; divide by √d_head.": "scaled by n",
        "The scores are divided by √n_heads (after the swap of axes, axis 1 counts the heads);"
        " divide by √d_head.": "scaled by the heads",
        "The scores are divided by d_head (or twice by its root);"
        " divide once by √d_head.": "divided by the head's size",
        "The softmax is over the wrong axis: each query's weights must sum to 1, over the keys (the last"
        " axis).": "wrong axis",
        "The mask is applied after the softmax, so weights no longer sum to 1; set the scores to −∞ (or −1e9)"
        " before it.": "mask after the softmax",
        "The causal mask is inverted: a query may see itself and earlier places.": "causal inverted",
        "The causal mask hides the query's own place; a query sees itself, too.": (
            "causal hides the own place"
        ),
        "The causal mask is ignored.": "causal ignored",
        "The padding mask is inverted: True marks padding, which no query may see.": "padding inverted",
        "The padding mask hides queries; it must hide keys: shape it (batch, 1, 1, n).": "padded queries",
        "The padding mask is ignored.": "padding ignored",
        "The padding mask hides padded queries, too; it must hide keys alone: shape it (batch, 1, 1, n).": (
            "padding hides both"
        ),
        "The output of a query that may see nothing is set to 0; with weights of 0 it is the bias of"
        " out_proj.": "blind output 0",
        "The output is right, but the returned weights of a query that may see nothing must all be 0, too.": (
            "uniform weights told"
        ),
        # Before the next: on such a query the two are the same, and elsewhere only the next is wrong.
        "A query that may see nothing gets equal weights on masked places;"
        " its weights must all be 0.": "uniform",
        "Masked scores are set to 0 instead of −∞ (or −1e9):"
        " a score of 0 still gets weight.": "zero instead of minus infinity",
        "A query that may see nothing gives NaN, the softmax of a row of −∞."
        " Its weights must all be 0.": "NaN",
        "The mask is added as numbers, so it subtracts 1; set the scores to −∞ (or −1e9).": "mask as numbers",
        "The input is added to the output; the residual connection belongs to the block of 2.5b.": "residual",
        "The scores are returned instead of the weights; return their softmax.": ("scores returned"),
        "The weights are averaged over the heads;"
        " return one map for each head: (batch, heads, n, n).": "weights averaged",
        "The weights are summed over the heads;"
        " return one map for each head: (batch, heads, n, n).": "weights summed",
        "Only the first head's weights are returned;"
        " return one map for each head: (batch, heads, n, n).": "one head's weights",
    },
)


heads = hw.question(
    "2.4",
    "Multi-head attention with masks",
    topic="multi-head attention, padding and causal masks",
    minutes=30,
    difficulty="hard",
    asks={
        "several heads, joined in order, with the output projection; no dropout": (
            "equal to nn.MultiheadAttention"
        ),
        "with `causal=True`, no query sees a later place; masked weights are exactly 0": "the causal mask",
        "no query sees a padded key, without and with the causal mask": "the padding mask",
        "a query that may see nothing gets weights 0": "no NaN where nothing can be seen",
        "gradients are free of NaN and reach every parameter": (
            "gradients reach every parameter of MultiHeadAttention"
        ),
    },
    entries=[
        Prediction(
            "prediction_24",
            {
                "A": "it is lost: a row sums to less than 1",
                "B": "the keys that are left share it",
                "C": "the query's own place gets it",
            },
        ),
        Challenge(
            "MultiHeadAttention",
            cases=heads_cases,
            expected=torch_heads,
            mistakes=HEADS_MISTAKES,
            examples=heads_examples,
            atol=1e-5,
        ),
    ],
    forbids=ATTENTION_CALLS,
)
for _label, _points, _group, _beside in (
    ("equal to nn.MultiheadAttention", 5, "plain", public.dropout_problem),
    ("the causal mask", 3, "causal", public.masked_problem),
    ("the padding mask", 3, "padding", public.masked_problem),
):
    check_cases_and(_beside, heads, "MultiHeadAttention", _label, points=_points, group=_group)
heads.check_cases("MultiHeadAttention", "no NaN where nothing can be seen", points=2, group="blind")
check_gradients(heads, "MultiHeadAttention", points=1)
