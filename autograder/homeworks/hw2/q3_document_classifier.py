"""2.3: attention as a layer, and a document classifier around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge
from autograder.homeworks.hw2.homework import ATTENTION_CALLS, check_gradients, hw, mistakes, normal
from autograder.homeworks.hw2.oracles import Floats, head, softmax


def layer(
    x: Floats, *, init: Any, weights: Mapping[str, Floats], want: Any = (), variant: str = ""
) -> Floats:
    """The attention layer of 2.3."""
    return head(x, weights["query.weight"], weights["key.weight"], weights["value.weight"], variant)


def classifier(
    x: Floats, *, init: Any, weights: Mapping[str, Floats], want: Any = (), variant: str = ""
) -> Floats:
    """The classifier of 2.3 around the probe's layer: tanh of a linear map plus a running sum."""
    x, mix, W, b = (
        np.asarray(part, np.float64)
        for part in (x, weights["attention.mix.weight"], weights["head.weight"], weights["head.bias"])
    )
    tokens = x if variant == "no layer" else np.tanh(x @ mix.T) + x.cumsum(0)
    if variant == "residual":
        tokens = tokens + x
    if variant == "mean first":
        tokens = np.tanh(x.mean(0, keepdims=True) @ mix.T) + x.mean(0, keepdims=True)
    if variant == "one logit a token":
        return np.asarray(tokens @ W.T + b)
    pooled = {"sum": tokens.sum(0), "max": tokens.max(0), "first": tokens[0], "last": tokens[-1]}.get(
        variant, tokens.mean(0)
    )
    logits = pooled @ W.T + b
    squashed = {
        "softmax": softmax(logits),
        "log": np.log(softmax(logits)),
        "sigmoid": 1 / (1 + np.exp(-logits)),
    }
    return np.asarray(squashed.get(variant, logits))


def layer_case(
    rng: np.random.Generator, n: int, d: int, qk: int | None, scale: float = 1.0, **more: Any
) -> Case:
    """A case for ``Attention``; None leaves d_qk at its default."""
    size = qk or 64
    weights = {
        "query.weight": normal(rng, size, d, scale=scale),
        "key.weight": normal(rng, size, d, scale=scale),
        "value.weight": normal(rng, d, d),
    }
    kwargs = {"init": {"d_model": d} | ({"d_qk": qk} if qk else {}), "weights": weights} | (
        {"want": more.pop("want")} if "want" in more else {}
    )
    note = more.pop(
        "note", f"n = {n} tokens, d_model = {d}, " + (f"d_qk = {qk}" if qk else "d_qk left at its default")
    )
    return Case([normal(rng, n, d)], kwargs, note=note, probe="module", torch=True, **more)


def layer_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Small scale for the default size, so that scores stay moderate."""
    yield layer_case(rng, 5, 6, 3)
    yield layer_case(rng, 3, 5, 2)
    yield layer_case(rng, 1, 3, 5)
    yield layer_case(rng, 6, 5, None, scale=0.3)
    yield layer_case(rng, 4, 3, 4, scale=30.0, note="scores of about a thousand, where a naive exp overflows")
    yield layer_case(rng, 4, 3, 2, want=["gradients"], group="gradients", note="one backward pass")


def layer_examples(rng: np.random.Generator) -> Iterator[Case]:
    """One of each kind of hidden case, gradients with the second."""
    yield layer_case(rng, 4, 5, 3)
    yield layer_case(rng, 2, 3, 5, want=["gradients"])
    yield layer_case(rng, 1, 2, None, scale=0.3)
    yield layer_case(rng, 3, 2, 4, scale=30.0, note="scores of about a thousand, where a naive exp overflows")


def classifier_case(rng: np.random.Generator, n: int, d: int, classes: int, **more: Any) -> Case:
    """A case for ``DocumentClassifier``."""
    weights = {
        "attention.mix.weight": normal(rng, d, d),
        "head.weight": normal(rng, classes, d),
        "head.bias": normal(rng, classes),
    }
    note = f"a document of {n} tokens, {classes} classes"
    kwargs = {"init": {"d_model": d, "n_classes": classes}, "weights": weights} | more
    return Case([normal(rng, n, d)], kwargs, note=note, probe="classifier", torch=True)


def classifier_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Documents of several lengths; with seven features, no token is the largest in all of them."""
    for n, d, classes in ((4, 7, 2), (6, 5, 4), (1, 4, 3), (9, 2, 5)):
        yield classifier_case(rng, n, d, classes)


document = hw.question(
    "2.3",
    "An attention layer in a document classifier",
    topic="attention as a layer, document classification",
    minutes=15,
    difficulty="medium",
    entries=[
        Challenge(
            "Attention",
            cases=layer_cases,
            expected=layer,
            mistakes=mistakes(
                layer,
                {
                    "The softmax is over the wrong axis:"
                    " it must be over the keys (the last axis).": "wrong axis",
                    "The scores are not divided by √d_qk.": "unscaled",
                    "The softmax comes first and the scale 1/√d_qk after it;"
                    " divide the scores.": "scaled afterwards",
                    "The scores are divided by d_qk (or twice by its root);"
                    " divide once by √d_qk.": "divided by qk",
                    "The scores are divided by √d_model; it is d_qk that counts.": "scaled by input",
                    "The weights are transposed before they meet the values.": "transposed weights",
                    "Queries and keys are swapped: row"
                    " i of the scores belongs to query i.": "queries and keys swapped",
                    "The values are the raw inputs: the value map is not used.": "raw values",
                    "The softmax is missing.": "no softmax",
                    "The output is transposed: rows must be tokens, (n, d_model).": "transposed output",
                    # before the next: with one token the two give the same, elsewhere only the next is wrong
                    "A document of one token loses an axis: keep both, without squeeze().": "squeezed",
                    "The layer already averages over tokens;"
                    " it must return one row a token, (n, d_model).": "mean of outputs",
                },
            ),
            examples=layer_examples,
            atol=1e-5,
        ),
        Challenge(
            "DocumentClassifier",
            cases=classifier_cases,
            expected=classifier,
            mistakes=mistakes(
                classifier,
                {
                    "The tokens are summed; take their mean, so that long documents are not louder.": "sum",
                    "The largest entry over the tokens is taken; the mean is asked for.": "max",
                    "Only the first token is used; the mean over all tokens is asked for.": "first",
                    "Only the last token is used; the mean over all tokens is asked for.": "last",
                    "The attention layer is not used.": "no layer",
                    "The mean is taken before the attention layer; it comes after it.": "mean first",
                    "The input is added to the layer's output;"
                    " this question has no residual connection.": "residual",
                    "These are probabilities; return the raw logits.": "softmax",
                    "These are log-probabilities; return the raw logits.": "log",
                    "A sigmoid is applied; return the raw logits.": "sigmoid",
                    "There is one row of logits a token; average over the tokens,"
                    " so that the document has one.": "one logit a token",
                },
            ),
            examples=lambda rng: [
                classifier_case(rng, *sizes) for sizes in ((3, 5, 2), (5, 3, 4), (1, 2, 3))
            ],
            atol=1e-5,
        ),
    ],
    forbids=ATTENTION_CALLS,
)
document.check_cases("Attention", "the attention layer", points=6)
check_gradients(document, "Attention", points=2)
document.check_cases("DocumentClassifier", "the mean over tokens and a linear head", points=4)
