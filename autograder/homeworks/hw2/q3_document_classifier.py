"""2.3: a document classifier around an attention layer, with padding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge, Prediction, several
from autograder.homeworks.hw2.homework import check_gradients, hw, mistakes, normal
from autograder.homeworks.hw2.oracles import Floats, softmax


def classifier(
    x: Floats,
    padding: Floats | None = None,
    *,
    init: Any,
    weights: Mapping[str, Floats],
    want: Any = (),
    variant: str = "",
) -> Floats:
    """Logits (batch, classes) of the classifier around the probe's layer.

    The layer gives tanh of a linear map plus the mean over the tokens that it may see, at every place.
    """
    x, mix, W, b = (
        np.asarray(part, np.float64)
        for part in (x, weights["attention.mix.weight"], weights["head.weight"], weights["head.bias"])
    )
    real = np.ones(x.shape[:2], bool) if padding is None else ~np.asarray(padding)
    if variant == "padding inverted":
        real = ~real
    real = real[..., None]
    unpadded = padding is not None and bool(real.all())
    if unpadded and variant in ("last real", "divided by the padding"):
        return np.zeros(0)  # there it is the last place, which has another name, or no number at all
    if unpadded and variant in ("attention inverted", "mean inverted"):
        # no token is left, whichever mask is inverted: that has a name of its own
        return np.zeros((0, len(variant)))
    if variant == "last real" and padding is None:
        return np.zeros(0)

    def mean(values: Floats, counted: Floats, count: Floats | None = None) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):  # a mistake may leave no token
            return np.asarray((values * counted).sum(1) / (counted if count is None else count).sum(1))

    seen = np.ones_like(real) if variant in ("attention sees padding", "zeros for padding") else real
    if variant == "attention inverted" and padding is not None:
        seen = ~real
    if variant == "zeros for padding":
        x = x * real
    tokens = np.tanh(x @ mix.T) + mean(x, seen)[:, None]
    if variant == "mean first":
        tokens = np.tanh(mean(x, real)[:, None] @ mix.T) + mean(x, real)[:, None]
        real = real[:, :1] | True
    if variant == "residual":
        tokens = tokens + x
    if variant == "no layer":
        tokens = x
    if variant == "one logit a token":
        return np.asarray(tokens @ W.T + b)
    places = np.arange(x.shape[1])[None, :, None]
    last = np.where(real, places, -1).max(1, keepdims=True)
    pooled = {
        "sum": lambda: (tokens * real).sum(1),
        "max": lambda: np.where(real, tokens, -np.inf).max(1),
        "first": lambda: tokens[:, 0],
        "last": lambda: tokens[:, -1],
        "last real": lambda: np.take_along_axis(tokens, last, 1)[:, 0],
        "divided by the padding": lambda: mean(tokens, real, real if padding is None else ~real),
        "all documents": lambda: mean(tokens, real) if padding is None else tokens[real[..., 0]].mean(0),
        "padding counted": lambda: tokens.mean(1),
        "cut to the shortest": lambda: tokens[:, : int(real.sum(1).min())].mean(1),
        "divided by n": lambda: (tokens * real).sum(1) / x.shape[1],
        "divided by all tokens": lambda: (tokens * real).sum(1) / real.sum(),
        "mean inverted": lambda: mean(tokens, real if padding is None else ~real),
        "over the batch": lambda: mean(tokens, real).mean(0, keepdims=True),
    }.get(variant, lambda: mean(tokens, real))()
    with np.errstate(invalid="ignore"):
        logits = pooled @ W.T + b
    squashed = {
        "softmax": softmax,
        "log": lambda one: np.log(softmax(one)),
        "sigmoid": lambda one: 1 / (1 + np.exp(-one)),
        "relu": lambda one: np.maximum(one, 0),
    }
    if variant == "nothing left" and unpadded:
        return np.full_like(logits, np.nan)
    if variant == "squeezed":
        return np.asarray(logits.squeeze())
    return np.asarray(squashed.get(variant, lambda one: one)(logits))


def classifier_case(
    rng: np.random.Generator,
    n: int,
    d: int,
    classes: int,
    padding: Sequence[int] = (0, 0),
    *,
    masked: bool = True,
    **more: Any,
) -> Case:
    """A batch of documents; ``padding`` says how many places at the end of each hold no token."""
    weights = {
        "attention.mix.weight": normal(rng, d, d),
        "head.weight": normal(rng, classes, d),
        "head.bias": normal(rng, classes),
    }
    kwargs: dict[str, Any] = {"init": {"d_model": d, "n_classes": classes}, "weights": weights}
    note = f"{several(len(padding), 'document')} of {several(n, 'place')}, {classes} classes"
    args = [normal(rng, len(padding), n, d, scale=2.0)]
    if masked:
        args.append(np.array([np.arange(n) >= n - count for count in padding]))
        note += f", {list(padding)} of them padding"
    if "want" in more:
        kwargs["want"] = more.pop("want")
    return Case(args, kwargs, note=note, probe="classifier", torch=True, **more)


def classifier_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Documents without padding, then with; a mask without any True, and none at all."""
    yield classifier_case(rng, 4, 7, 2, masked=False)  # seven features: no token is the largest in all
    yield classifier_case(rng, 6, 5, 4, (0, 0, 0))
    yield classifier_case(rng, 1, 4, 3, (0,), masked=False)
    for n, d, classes, padding in ((5, 3, 2, (0, 2, 3)), (4, 6, 3, (3, 1)), (7, 2, 5, (6,))):
        yield classifier_case(rng, n, d, classes, padding, group="padding")
    yield classifier_case(rng, 4, 3, 2, (1, 2), want=["gradients"], group="gradients")


def classifier_examples(rng: np.random.Generator) -> Iterator[Case]:
    """One of each kind of hidden case."""
    yield classifier_case(rng, 3, 4, 2, masked=False)
    yield classifier_case(rng, 1, 2, 3, (0,))
    yield classifier_case(rng, 4, 2, 3, (0, 1, 2), want=["gradients"], group="padding")


document = hw.question(
    "2.3",
    "A document classifier",
    topic="attention as a layer, document classification",
    minutes=10,
    difficulty="medium",
    asks={
        "the layer, the mean over tokens, raw logits from `head`": "the mean over tokens and a linear head",
        "padded places are hidden from the layer and left out of the mean": "padding changes nothing",
        "one backward pass reaches every parameter": "gradients reach every parameter of DocumentClassifier",
    },
    entries=[
        Challenge(
            "DocumentClassifier",
            cases=classifier_cases,
            expected=classifier,
            mistakes=mistakes(
                classifier,
                {
                    "Padded places are counted in the mean; take it over the real tokens.": "padding counted",
                    "The sum over real tokens is divided by all places;"
                    " divide by the number of real tokens.": "divided by n",
                    "The layer does not get the padding mask, so real tokens see padded ones.": (
                        "attention sees padding"
                    ),
                    "The sum is divided by the number of real tokens in the whole batch;"
                    " each document has its own number.": "divided by all tokens",
                    "The mean is taken over the padded places; take it over the real ones: ~padding.": (
                        "mean inverted"
                    ),
                    "Where nothing is padded, no token is left, so NaN comes out. Is a mask inverted?"
                    " True marks a place without a token.": "nothing left",
                    "A batch of one document must keep its axis: (1, n_classes). Is something squeezed?": (
                        "squeezed"
                    ),
                    "The padding mask is inverted: True marks a place without a token.": "padding inverted",
                    "The layer gets the inverted mask; pass `padding` on as it is.": "attention inverted",
                    "Padded rows are set to 0 before the layer, but the layer does not get the mask, so it"
                    " counts them.": "zeros for padding",
                    "The sum is divided by the number of padded places;"
                    " divide by that of the real tokens.": "divided by the padding",
                    "The tokens are summed; take their mean, so that length has no effect.": "sum",
                    "The largest entry over the tokens is taken; take the mean.": "max",
                    "Only the first token is used; take the mean over all tokens.": "first",
                    "Only the last place is used; take the mean over all tokens.": "last",
                    "Only the last real token is used; take the mean over all of them.": "last real",
                    "Each document is cut to the length of the shortest one in the batch;"
                    " take the mean over all its real tokens.": "cut to the shortest",
                    "The attention layer is not used.": "no layer",
                    "The mean is taken before the attention layer; it comes after it.": "mean first",
                    "The input is added to the layer's output;"
                    " this question has no residual connection.": "residual",
                    "These are probabilities; return the raw logits.": "softmax",
                    "These are log-probabilities; return the raw logits.": "log",
                    "There is a sigmoid after the linear layer; return the raw logits.": "sigmoid",
                    "There is a ReLU after the linear layer; return the raw logits.": "relu",
                    "There is one row of logits for each token; average over the tokens, so that the document"
                    " has one.": "one logit a token",
                    "The mean runs over the batch, too; each document has its own logits.": (
                        "over the batch"
                    ),
                    "The real tokens of all documents are averaged together;"
                    " each document has its own mean.": "all documents",
                },
            ),
            examples=classifier_examples,
            atol=1e-5,
        ),
        Prediction(
            "prediction_23",
            {
                "A": "stay the same: padded rows add nothing",
                "B": "grow without limit",
                "C": "drift toward what a padded row alone gives",
            },
        ),
    ],
)
document.check_cases("DocumentClassifier", "the mean over tokens and a linear head", points=2)
document.check_cases("DocumentClassifier", "padding changes nothing", points=3, group="padding")
check_gradients(document, "DocumentClassifier", points=1)
