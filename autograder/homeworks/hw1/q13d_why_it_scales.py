"""1.13d: what lets Transformers grow: claims, each with the number that decides it."""

from __future__ import annotations

import math

import numpy as np

from autograder.declare import Array, Wrong
from autograder.homeworks.hw1.homework import hw

TOKENS, LAYERS, WIDTH = 2000, 24, 1024  # stated in the notebook

scaling = hw.question(
    "1.13d",
    "Why it scales",
    minutes=5,
    difficulty="medium",
    asks={
        "`rnn_in_turn` and `attention_in_turn`: steps that must wait for each other in training": (
            "steps in turn"
        ),
        "`cache_numbers` and `state_numbers` kept while generating": "what is kept",
        "`cost_factor` of a model ten times as large on ten times the text": "the cost of growth",
    },
    entries=[
        Array("rnn_in_turn"),
        Array("attention_in_turn"),
        Array("cache_numbers"),
        Array("state_numbers"),
        Array("cost_factor"),
    ],
)


@scaling.check("steps in turn", points=1, needs=["rnn_in_turn", "attention_in_turn"])
def steps_in_turn(rnn_in_turn: np.ndarray, attention_in_turn: np.ndarray) -> Wrong | None:
    if float(rnn_in_turn) == TOKENS * LAYERS:
        return Wrong(f"`rnn_in_turn` is {float(rnn_in_turn):g}: the question asks for one layer.")
    if float(rnn_in_turn) != TOKENS:
        return Wrong(
            f"`rnn_in_turn` is {float(rnn_in_turn):g}: each state needs the one before it, so there is one"
            " step for each token."
        )
    if float(attention_in_turn) != 1:
        return Wrong(
            f"`attention_in_turn` is {float(attention_in_turn):g}: in training all tokens are known, and no"
            " place of a layer waits for another place of that layer."
        )
    return None


@scaling.check("what is kept", points=1, needs=["cache_numbers", "state_numbers"])
def what_is_kept(cache_numbers: np.ndarray, state_numbers: np.ndarray) -> Wrong | None:
    found, right = float(cache_numbers), 2 * TOKENS * LAYERS * WIDTH
    readings = {
        "keys **and** values are kept.": right / 2,
        "that is one layer.": right / LAYERS,
        "that is one token.": right / TOKENS,
        "that is one layer's keys or values alone; both are kept, in each layer.": TOKENS * WIDTH,
        "a token's key and value are kept once, not once for each other token.": right * TOKENS,
        "those are bytes; the question asks for how many numbers.": right * 4,
        "scores are not kept; only keys and values are.": TOKENS**2 * LAYERS,
    }
    if not math.isclose(found, right, rel_tol=1e-3):
        near = (says for says, value in readings.items() if math.isclose(found, value, rel_tol=1e-3))
        says = next(near, "two vectors for each token and layer.")
        return Wrong(f"`cache_numbers` is {found:,.0f}: {says}")
    if float(state_numbers) != LAYERS * WIDTH:
        return Wrong(
            f"`state_numbers` is {float(state_numbers):,.0f}: one state for each layer, however long the text"
            " is."
        )
    return None


@scaling.check("the cost of growth", points=1, needs=["cost_factor"])
def the_cost_of_growth(cost_factor: np.ndarray) -> Wrong | None:
    found = float(cost_factor)
    if math.isclose(found, 100, rel_tol=1e-3):
        return None
    told = {
        600: "the 6 cancels, and both factors are ten.",
        60: "the 6 cancels, and both N and D grow by ten.",
        20: "cost is a product, so factors of ten multiply.",
        1000: "there are two factors of ten, N and D.",
    }.get(round(found), "both N and D grow by ten.")
    return Wrong(f"`cost_factor` is {found:g}: {told}")
