"""6.1: a recurrence with one number of memory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge, Choice, several
from autograder.homeworks.hw6.homework import hw


def sigmoid(z: Any) -> Any:
    """The logistic function, written with tanh so that nothing overflows."""
    return 0.5 * (1 + np.tanh(np.asarray(z, float) / 2))


def alternating(
    x: np.ndarray, sign: float = -1.0, scale: float = 1000.0, input_sign: float = 1.0
) -> list[Any]:
    """States and output from the closed form h_t = Σ_s sign^(t-s) x_s, without the recurrence."""
    t = np.arange(len(x))
    powers = np.where(t[:, None] >= t[None], sign ** np.abs(t[:, None] - t[None]), 0.0)
    h = powers @ (input_sign * np.asarray(x, float))
    return [h, np.asarray(sigmoid(scale * h[-1]))]


def number_sequences(rng: np.random.Generator) -> Iterator[Case]:
    """Sequences of even and odd length; sums at even and odd places that differ clearly, or not at all."""
    yield Case([np.array([2.0, 5.0, 3.0, 1.0])], note="the sequence [2, 5, 3, 1]")
    yield Case([np.array([0.25, -0.5])], note="the sequence [0.25, -0.5]")
    yield Case([np.array([0.25, 0.252])], note="the sequence [0.25, 0.252]")  # σ(2) shows the factor 1000
    yield Case([np.full(6, 2.5)], note="a constant sequence of six numbers")
    for length in (1, 5, 8, 31, 64):
        yield Case([np.round(rng.normal(size=length), 2)], note=several(length, "random number"))
    yield Case([np.array([500.0, -500.0, 300.0, 900.0])], note="large numbers")


def few_lengths(rng: np.random.Generator) -> Iterator[Case]:
    """Even and odd lengths."""
    for T in (4, 5, 1, int(rng.integers(6, 10)) * 2, int(rng.integers(6, 10)) * 2 + 1):
        yield Case([T], note=f"T = {T}")


def signs(T: int) -> np.ndarray:
    """By differences: h_T is linear in x, so its coefficients are the outputs for unit vectors."""
    return np.array([round(alternating(unit)[0][-1]) for unit in np.eye(T)])


LAST = "x_T itself always has the weight +1"

recurrence = hw.question(
    "6.1",
    "A recurrence with one number of memory",
    minutes=8,
    difficulty="easy",
    asks={
        "states and output": "states and output",
        "the unrolled weights": "the unrolled weights",
    },
    topic="a linear recurrence",
    entries=[
        Challenge(
            "alternating_rnn",
            cases=number_sequences,
            examples=lambda rng: list(number_sequences(rng))[:4],
            expected=alternating,
            mistakes={
                "You add the state before instead of subtracting it: h_t = x_t - h_(t-1).": lambda x: (
                    alternating(x, sign=1.0)
                ),
                "Your sign is reversed: h_t is x_t minus the state, not the state minus x_t.": lambda x: [
                    alternating(x, sign=1.0, input_sign=-1.0)[0],
                    alternating(x, sign=1.0, input_sign=-1.0)[1],
                ],
                "σ is reversed: σ(z) = 1 / (1 + e^-z) rises with z.": lambda x: alternating(x, scale=-1000.0),
                "e^z has overflowed, and ∞/∞ is nan: divide 1 by 1 + e^-z.": lambda x: [
                    alternating(x)[0],
                    np.asarray(np.nan if alternating(x)[0][-1] > 0.7097 else alternating(x)[1]),
                ],
                "h_0 = 0 is among your states; give h_1 to h_T.": lambda x: [
                    np.append(0.0, alternating(x)[0]),
                    alternating(x)[1],
                ],
                "The state enters with half its size; the factor is −1: h_t = x_t − h_(t-1).": lambda x: (
                    alternating(x, sign=-0.5)
                ),
                "The factor 1000 inside σ is missing.": lambda x: alternating(x, scale=1.0),
                **{
                    f"The factor inside σ is {factor:g}; it should be 1000.": partial(
                        alternating, scale=factor
                    )
                    for factor in (10.0, 100.0, 500.0)
                },
                "The two are swapped: the states come first, then the output.": lambda x: alternating(x)[
                    ::-1
                ],
                "You divide h_T by 1000 inside σ; multiply it.": lambda x: alternating(x, scale=0.001),
                "Your states are differences of neighbors, x_t − x_(t−1); subtract the state h_(t−1).": (
                    lambda x: [
                        apart := np.diff(np.asarray(x, float), prepend=0.0),
                        sigmoid(1000 * apart[-1]),
                    ]
                ),
                "The output is a tanh, between −1 and 1; σ lies between 0 and 1.": lambda x: [
                    alternating(x)[0],
                    np.tanh(1000 * alternating(x)[0][-1]),
                ],
                "A step stands in the place of σ; σ(0) is 1/2.": lambda x: [
                    alternating(x)[0],
                    np.asarray(float(alternating(x)[0][-1] > 0)),
                ],
                "You begin with h_0 = 1; the recurrence begins with h_0 = 0.": lambda x: [
                    begun := alternating(x)[0] + (-1.0) ** np.arange(1, len(x) + 1),
                    sigmoid(1000 * begun[-1]),
                ],
                "You begin with h_0 = x_1; the recurrence begins with h_0 = 0.": lambda x: [
                    begun := alternating(x)[0] + x[0] * (-1.0) ** np.arange(1, len(x) + 1),
                    sigmoid(1000 * begun[-1]),
                ],
                "You give an output for each state; the output is that of the last state, h_T, alone.": (
                    lambda x: [alternating(x)[0], sigmoid(1000 * alternating(x)[0])]
                ),
            },
        ),
        Challenge(
            "unrolled_weights",
            cases=few_lengths,
            expected=signs,
            mistakes={
                # the last is one of the first two on each T, so one sentence but for the brackets
                f"{LAST} (yours has −1 for odd T: it is right for even T only).": lambda T: (
                    (-1) ** np.arange(1, T + 1)
                ),
                f"{LAST} (yours has −1 for even T: it is right for odd T only).": lambda T: (
                    (-1) ** np.arange(T)
                ),
                f"{LAST} (yours has −1 for every T: all signs are reversed).": lambda T: -signs(T),
                "Your weights shrink by half from place to place; the factor of h_(t-1) is −1.": lambda T: (
                    (-0.5) ** np.arange(T - 1, -1, -1)
                ),
                "Your weights have half their size: x_T itself has +1, the others −1 or +1.": lambda T: (
                    signs(T) / 2
                ),
                "You give the weights' running sums; return the weights themselves.": lambda T: np.cumsum(
                    signs(T)
                ),
                "All weights are 1: does the minus in front of h_(t-1) not show?": lambda T: np.ones(T, int),
            },
        ),
        Choice(
            "alternating_decides",
            options={
                "A": "whether the last number is larger than the first",
                "B": (
                    "whether the sum at the even places (x₂ + x₄ + …) is larger than the sum at the odd"
                    " places"
                ),
                "C": (
                    "whether the sum at the odd places (x₁ + x₃ + …) is larger than the sum at the even"
                    " places"
                ),
                "D": "whether the sum of all numbers is positive",
            },
            correct="B",
            why={
                "A": "the numbers in between count too, each with weight +1 or -1.",
                "C": (
                    "for even T the last number stands at an even place and has the weight +1; so even places"
                    " count positive."
                ),
                "D": "then all weights would be +1; the minus in the recurrence makes them alternate.",
            },
            points=2,
        ),
    ],
)
recurrence.check_cases("alternating_rnn", "states and output", points=3)
recurrence.check_cases("unrolled_weights", "the unrolled weights", points=2)
