"""3.8: a head that looks one place back, and two layers that continue a pattern."""

from __future__ import annotations

import numpy as np

from autograder.declare import Array, Wrong
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.common import Maps, pictured, placed_maps
from autograder.homeworks.hw3.homework import hw

previous = hw.question(
    "3.8a",
    "A previous-token head",
    topic="previous-token head, induction",
    minutes=15,
    difficulty="challenge",
    extra=True,
    asks={
        "the output at each place but the first is the token before it": (
            "each place gives the token before it"
        )
    },
    entries=[
        Array("previous_token_pos", (8, "p")),
        Array("previous_token_Q", ("4+p", "qk")),
        Array("previous_token_K", ("4+p", "qk")),
        Array("previous_token_V", ("4+p", 4)),
    ],
)


@previous.check(points=4)
def each_place_gives_the_token_before_it(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray
) -> Wrong | None:
    groups = [*public.sequences(4, range(2, 6)), np.random.default_rng(38).integers(4, size=(200, 8))]
    problem = public.previous_problem(Q, K, V, pos, groups)
    return pictured(problem, "ABCD", placed_maps(Q, K, pos, 4, causal=True))


induction = hw.question(
    "3.8b",
    "Two layers that continue a pattern (induction)",
    minutes=30,
    difficulty="challenge",
    extra=True,
    asks={
        "the output at each place of the second copy is the next token": (
            "the second copy predicts each next token"
        )
    },
    entries=[
        Array("induction_pos", (8, "p")),
        Array("induction_Q1", ("4+p", "qk1")),
        Array("induction_K1", ("4+p", "qk1")),
        Array("induction_V1", ("4+p", 4)),
        Array("induction_Q2", ("8+p", "qk2")),
        Array("induction_K2", ("8+p", "qk2")),
        Array("induction_V2", ("8+p", 4)),
    ],
)


@induction.check(points=6)
def the_second_copy_predicts_each_next_token(
    pos: np.ndarray,
    Q1: np.ndarray,
    K1: np.ndarray,
    V1: np.ndarray,
    Q2: np.ndarray,
    K2: np.ndarray,
    V2: np.ndarray,
) -> Wrong | None:
    weights = {"pos": pos, "Q1": Q1, "K1": K1, "V1": V1, "Q2": Q2, "K2": K2, "V2": V2}
    problem = public.induction_problem(weights, public.repeated_patterns())
    return pictured(problem, "ABCD", two_layers(weights))


def two_layers(weights: dict[str, np.ndarray]) -> Maps:
    """The attention maps of both layers of 3.8b."""

    def layers(sequence: np.ndarray) -> dict[str, np.ndarray]:
        x = public.with_places(np.eye(4)[sequence], weights["pos"])
        first, layer1 = public.attend(x, weights["Q1"], weights["K1"], weights["V1"], causal=True)
        x = np.concatenate([x, first], -1)
        _, layer2 = public.attend(x, weights["Q2"], weights["K2"], weights["V2"], causal=True)
        return {"layer 1": layer1, "layer 2": layer2}

    return layers
