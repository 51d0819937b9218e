"""3.5: weights that apply one linear map at each place, and what such a layer is called."""

from __future__ import annotations

import numpy as np

from autograder.declare import Array, Choice, Wrong
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.common import moved
from autograder.homeworks.hw3.homework import hw

running = hw.question(
    "3.5",
    "A running linear layer",
    topic="1×1 convolution",
    minutes=10,
    difficulty="easy",
    entries=[
        Array("running_linear_Q", (8, "qk")),
        Array("running_linear_K", (8, "qk")),
        Array("running_linear_V", (8, 3)),
        Choice(
            "running_linear_name",
            options={
                "A": "a fully connected layer over the whole sequence",
                "B": "a 1×1 convolution",
                "C": "a convolution with kernel size 3",
                "D": "a recurrent layer",
            },
            correct="B",
            why={
                "A": (
                    "a fully connected layer over the sequence has its own weights for each pair of places;"
                    " here places never mix."
                ),
                "C": "with kernel size 3 each output would also depend on the two neighbours.",
                "D": (
                    "a recurrent layer carries a state from place to place; here each place is computed"
                    " alone."
                ),
            },
            points=3,
        ),
    ],
)


@running.check(points=7)
def the_same_linear_map_at_each_place(Q: np.ndarray, K: np.ndarray, V: np.ndarray) -> Wrong | None:
    return moved(Q, K, V, list(range(5)), public.RUNNING_MAP)
