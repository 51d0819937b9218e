"""5.3: a feed-forward classifier over the mean of word vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.declare import Challenge
from autograder.homeworks.hw5 import public
from autograder.homeworks.hw5.common import (
    COLUMN,
    DIVIDED,
    PROBABILITY,
    Weights,
    cases_check,
    classifier_cases,
    mean_over,
    sigmoid,
    variants,
)
from autograder.homeworks.hw5.homework import hw


def feed_forward(
    ids: np.ndarray, mask: np.ndarray, weights: Weights, variant: str = "", **_: Any
) -> np.ndarray:
    """Mean of word vectors → linear → tanh → linear, and what known mistakes give."""
    w = {name: np.asarray(value, float) for name, value in weights.items()}
    x = w["embed.weight"][ids]
    kept = {"padding": np.ones_like(mask), "inverted": ~mask}.get(variant, mask)
    mean = mean_over(x, kept)
    if variant == "padded length":
        mean = (x * mask[..., None]).mean(1)
    if variant == "features":
        if x.shape[1] != x.shape[2]:
            return np.zeros(0)  # it cannot run
        mean = x.mean(2)
    if variant == "sum":
        mean = (x * mask[..., None]).sum(1)
    if variant == "largest":
        mean = np.where(mask[..., None], x, -np.inf).max(1)
    if variant == "batch length":
        mean = (x * mask[..., None]).sum(1) / mask.sum()
    if variant == "padding summed":
        mean = x.sum(1) / mask.sum(1, keepdims=True)
    if variant == "first token":
        mean = x[:, 0]
    if variant == "last token":
        mean = x[np.arange(len(x)), mask.sum(1) - 1]
    if variant == "root of n":
        mean = (x * mask[..., None]).sum(1) / np.sqrt(mask.sum(1, keepdims=True))
    if variant == "batch":
        mean = np.broadcast_to(x[mask].mean(0), mean.shape)
    if variant == "unknown":
        mean = mean_over(x, mask & (ids != 1))
    if variant == "mean of tanh":
        by_token = np.tanh(x @ w["hidden.weight"].T + w["hidden.bias"])
        return (mean_over(by_token, mask) @ w["output.weight"].T + w["output.bias"])[:, 0]
    if variant == "tanh first":
        hidden = np.tanh(mean) @ w["hidden.weight"].T + w["hidden.bias"]
        return (hidden @ w["output.weight"].T + w["output.bias"])[:, 0]
    hidden = mean @ w["hidden.weight"].T + w["hidden.bias"]
    if variant == "tanh last":
        return np.tanh(hidden @ w["output.weight"].T + w["output.bias"])[:, 0]
    if variant == "tanh twice":
        return np.tanh(np.tanh(hidden) @ w["output.weight"].T + w["output.bias"])[:, 0]
    hidden = {"relu": np.maximum(hidden, 0), "linear": hidden, "sigmoid": sigmoid(hidden)}.get(
        variant, np.tanh(hidden)
    )
    logits = (hidden @ w["output.weight"].T + w["output.bias"])[:, 0]
    return sigmoid(logits) if variant == "probability" else logits[:, None] if variant == "column" else logits


def layer_20(rng: np.random.Generator, d: int) -> Weights:
    """A hidden layer of 20."""
    return {"hidden.weight": rng.normal(size=(20, d)), "hidden.bias": rng.normal(size=20)}


forward = hw.question(
    "5.3",
    "A feed-forward classifier",
    minutes=12,
    difficulty="easy",
    asks={
        "raw logits from the mean over tokens": "logits",
        "gradients reach every parameter": "logits",
    },
    topic="feed-forward classifier",
    entries=[
        Challenge(
            "FeedForwardClassifier",
            cases=classifier_cases(20, layer_20, square_first=True),
            expected=feed_forward,
            mistakes=variants(
                feed_forward,
                {
                    "features": (
                        "The mean is over features (the last axis); it must be over tokens (axis 1). With n ="
                        " d the shapes agree by accident."
                    ),
                    "padding": "Padding is averaged, too: use the mask.",
                    "padded length": DIVIDED,
                    "inverted": "The mask is used the wrong way around: it is True at real tokens.",
                    "sum": "That is the sum over the tokens, not their mean.",
                    "padding summed": (
                        "The sum includes the word vector of padding, although you divide by the number of"
                        " real tokens. Its row of the table is not zero: multiply the vectors by the mask."
                    ),
                    "largest": "You take the maximum over the tokens; take their mean.",
                    "first token": "You classify the first token; take the mean over the real tokens.",
                    "last token": "You classify the last token; take the mean over the real tokens.",
                    "root of n": (
                        "You divide by the square root of the number of real tokens; divide by the number."
                    ),
                    "batch length": (
                        "You divide by the number of real tokens in the whole batch; each sentence has"
                        " its own."
                    ),
                    "batch": "The mean runs over the whole batch; each sentence has its own.",
                    "unknown": "Unknown words (number 1) are left out like padding; they are real tokens.",
                    "mean of tanh": (
                        "Hidden layer and tanh come before the mean; average the word vectors first."
                    ),
                    "tanh first": "The tanh is on the mean; it belongs between the two linear maps.",
                    "tanh last": (
                        "The tanh is on the output; it belongs between the two linear maps, and logits have"
                        " any size."
                    ),
                    "tanh twice": "A second tanh is on the output; logits have any size.",
                    "relu": "That is a ReLU; the question asks for tanh.",
                    "linear": "The hidden layer has no nonlinearity: tanh is missing.",
                    "sigmoid": "The hidden layer has a sigmoid; the question asks for tanh.",
                    "probability": PROBABILITY,
                    "column": COLUMN,
                },
            ),
            rtol=1e-3,  # float32 sums against float64
            atol=1e-4,
        )
    ],
)
cases_check(forward, "FeedForwardClassifier", "logits", 5, public.gradient_problem)
