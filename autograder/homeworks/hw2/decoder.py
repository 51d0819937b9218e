"""2.8's decoder in float64 NumPy, right or with one named mistake, and its trained weights.

The weights lie in ``notebooks/data``; a wheel carries them in ``autograder/data``. They are stored as GPT-2's
are: names, matrices as (in, out), and queries, keys and values side by side.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np

from autograder.declare import Data, packaged
from autograder.homeworks.hw2.oracles import Floats, feed, norm, numpy_heads
from autograder.homeworks.hw2.public.decoder import WEIGHTS_FILE
from autograder.homeworks.hw2.public.writing import toy_weights


def verify() -> str:
    """Says that the weights are there."""
    return f"Homework 2: the decoder's weights are there ({len(packaged(WEIGHTS_FILE)) / 1e6:.1f} MB)."


data = Data(verify=verify, beside={WEIGHTS_FILE: partial(packaged, WEIGHTS_FILE)})


@cache
def stored_weights() -> dict[str, Floats]:
    """The trained weights by their stored names, float32."""
    with np.load(io.BytesIO(packaged(WEIGHTS_FILE))) as held:
        return {name: held[name].astype(np.float32) for name in held.files}


def own_names(stored: Mapping[str, Floats], variant: str = "") -> dict[str, Floats]:
    """Stored weights by the names of the students' classes, or with one mistake."""
    order = {"keys first": "kqv", "values first": "vkq", "keys and values swapped": "qvk"}.get(variant, "qkv")
    found = {"tokens.weight": stored["wte.weight"], "places.weight": stored["wpe.weight"]}
    depth = 1 + max(int(name.split(".")[1]) for name in stored if name.startswith("h."))
    for number in range(depth):
        theirs, mine = f"h.{number}.", f"blocks.{number}."
        for part in ("weight", "bias"):

            def turned(name: str, part: str = part, theirs: str = theirs) -> Floats:
                array = np.asarray(stored[f"{theirs}{name}.{part}"])
                if variant == "reshaped" and part == "weight":
                    return array.reshape(array.shape[::-1])
                return array.T if part == "weight" else array

            pieces = np.split(turned("attn.c_attn"), 3)
            if variant == "untransposed pieces" and part == "weight":
                pieces = [piece.T for piece in pieces]
            if variant == "every third" and part == "weight":
                pieces = [turned("attn.c_attn")[start::3] for start in range(3)]
            for letter, piece in zip(order, pieces, strict=True):
                found[f"{mine}self_attn.{letter}_proj.{part}"] = piece
            output = turned("attn.c_proj")
            if variant in ("untransposed pieces", "untransposed output") and part == "weight":
                output = output.T
            found[f"{mine}self_attn.out_proj.{part}"] = output
            found |= {f"{mine}linear1.{part}": turned("mlp.c_fc")}
            found |= {f"{mine}linear2.{part}": turned("mlp.c_proj")}
            swapped = variant == "norms swapped"
            for which in (1, 2):
                other = 3 - which if swapped else which
                found[f"{mine}norm{which}.{part}"] = np.asarray(stored[f"{theirs}ln_{other}.{part}"])
    return found | {f"norm.{part}": stored[f"ln_f.{part}"] for part in ("weight", "bias")}


def decoder_logits(tokens: Any, weights: Mapping[str, Floats], n_heads: int, variant: str = "") -> Floats:
    """Logits (n, letters) of tokens (n,), n at most the context."""
    tokens = np.asarray(tokens, int)
    if len(tokens) > len(weights["places.weight"]):
        raise ValueError("more tokens than places")
    wide = {name: np.asarray(array, np.float64) for name, array in weights.items()}
    x = wide["tokens.weight"][tokens]
    if variant != "no places":
        start = int(variant == "places from 1")
        x = x + wide["places.weight"][start : start + len(tokens)]
    depth = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    sizes = {"d_model": x.shape[1], "n_heads": n_heads}
    for number in range(depth):
        own = f"blocks.{number}."
        part = {name.removeprefix(own): value for name, value in wide.items() if name.startswith(own)}
        heads = {
            name.removeprefix("self_attn."): value for name, value in part.items() if "self_attn." in name
        }
        y = x if variant == "no norm 1" else norm(x, part["norm1.weight"], part["norm1.bias"])
        call = {"causal": variant != "not causal"}
        told = numpy_heads(y[None], init=sizes, weights=heads, call=call, variant=variant)[0][0]
        x = told if variant == "no residual 1" else x + told
        told = feed(norm(x, part["norm2.weight"], part["norm2.bias"]), part, variant)
        x = told if variant == "no residual 2" else x + told
    if variant != "no last norm":
        x = norm(x, wide["norm.weight"], wide["norm.bias"])
    return np.asarray(x @ wide["tokens.weight"].T)


@cache
def _toy(sizes: tuple[tuple[str, int], ...], seed: int) -> dict[str, Floats]:
    return toy_weights(dict(sizes), seed)


def toy_logits(tokens: Any, sizes: Mapping[str, int], seed: int, variant: str = "") -> Floats:
    """Logits of the probes' small decoder."""
    return decoder_logits(tokens, _toy(tuple(sizes.items()), seed), sizes["n_heads"], variant)


def log_probabilities(logits: Floats) -> Floats:
    """Log-softmax over the last axis."""
    shifted = logits - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def nats(logits: Floats, tokens: Floats, variant: str = "") -> Floats:
    """Mean of −log p of tokens 1 … n−1, given the logits at places 0 … n−2, or one mistake's number."""
    tokens = np.asarray(tokens, int)
    if variant == "the token itself":
        targets, rows = tokens, logits
    elif variant == "the token before":
        targets, rows = tokens[:-1], logits[1:]
    else:
        targets, rows = tokens[1:], logits[:-1]
    if variant == "softmax twice":
        rows = np.exp(log_probabilities(rows))
    if variant == "entropy":
        return np.asarray(-(np.exp(log_probabilities(rows)) * log_probabilities(rows)).sum(-1).mean())
    if variant == "over places":
        return np.asarray(-log_probabilities(logits.T).T[np.arange(len(targets)), targets].mean())
    each = -log_probabilities(rows)[np.arange(len(targets)), targets]
    return np.asarray(
        {
            "sum": each.sum(),
            "bits": each.mean() / np.log(2),
            "base 10": each.mean() / np.log(10),
            "perplexity": np.exp(each.mean()),
            "log": -each.mean(),
            "n instead of n - 1": each.sum() / len(tokens),
            "mean probability": -np.log(np.exp(-each).mean()),
            "the last only": each[-1],
        }.get(variant, each.mean())
    )
