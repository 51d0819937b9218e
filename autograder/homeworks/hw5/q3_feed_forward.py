"""5.3: a feed-forward classifier over the mean of word vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.declare import Challenge
from autograder.homeworks.hw5.common import (
    COLUMN,
    DIVIDED,
    PROBABILITY,
    Weights,
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
    hidden = mean @ w["hidden.weight"].T + w["hidden.bias"]
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
                    "padding": "Padding is averaged too: use the mask.",
                    "padded length": DIVIDED,
                    "inverted": "The mask is used the wrong way round: it is True at real tokens.",
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
forward.check_cases("FeedForwardClassifier", "logits", points=5)
