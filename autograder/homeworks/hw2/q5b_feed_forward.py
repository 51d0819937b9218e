"""2.5b: the position-wise feed-forward network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge
from autograder.homeworks.hw2.homework import check_gradients, hw, mistakes, normal
from autograder.homeworks.hw2.oracles import Floats, feed


def feed_forward(
    x: Floats, *, init: Any, weights: Mapping[str, Floats], want: Any = (), variant: str = ""
) -> Floats:
    """The probe's view of :func:`feed`."""
    return feed(np.asarray(x, np.float64), weights, variant)


def feed_weights(rng: np.random.Generator, d: int, d_ff: int) -> dict[str, Floats]:
    """Weights of the feed-forward network by name."""
    return {
        "linear1.weight": normal(rng, d_ff, d),
        "linear1.bias": normal(rng, d_ff),
        "linear2.weight": normal(rng, d, d_ff),
        "linear2.bias": normal(rng, d),
    }


def feed_case(rng: np.random.Generator, b: int, n: int, d: int, d_ff: int, **more: Any) -> Case:
    """A case of 2.5b."""
    kwargs = {"init": {"d_model": d, "d_ff": d_ff}, "weights": feed_weights(rng, d, d_ff)} | (
        {"want": more.pop("want")} if "want" in more else {}
    )
    return Case(
        [normal(rng, b, n, d)],
        kwargs,
        note=f"a batch of {b}, n = {n}, d_model = {d}, d_ff = {d_ff}",
        probe="module",
        torch=True,
        **more,
    )


def feed_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Several sizes; enough hidden units that each works for some token."""
    for b, n, d, d_ff in ((2, 3, 4, 8), (1, 5, 3, 7), (3, 1, 6, 2)):
        yield feed_case(rng, b, n, d, d_ff)
    yield feed_case(rng, 3, 6, 4, 8, want=["gradients"], group="gradients")


forward = hw.question(
    "2.5b",
    "The position-wise feed-forward network",
    minutes=5,
    difficulty="easy",
    entries=[
        Challenge(
            "FeedForward",
            cases=feed_cases,
            expected=feed_forward,
            mistakes=mistakes(
                feed_forward,
                {
                    "The ReLU between the two linear layers is missing.": "linear",
                    "The ReLU comes after the second layer; it belongs between the two.": "relu last",
                    "There is a ReLU after the second layer too;"
                    " only one, between the two, is asked for.": "relu twice",
                    "That is a GELU; this question asks for ReLU,"
                    " as the original Transformer has it.": "gelu",
                    "That is a tanh; this question asks for ReLU.": "tanh",
                    "That is a sigmoid; this question asks for ReLU.": "sigmoid",
                    "That is a SiLU (Swish); this question asks for ReLU.": "silu",
                    "The ReLU is applied to the input; it belongs between the two layers.": "relu first",
                    "The input is added; the residual connection belongs to the block, not here.": "residual",
                },
            ),
            examples=lambda rng: [feed_case(rng, 2, 3, 4, 5, want=["gradients"]), feed_case(rng, 1, 1, 3, 2)],
            atol=1e-5,
        )
    ],
)
forward.check_cases("FeedForward", "linear, ReLU, linear at each place", points=3)
check_gradients(forward, "FeedForward", points=1)
