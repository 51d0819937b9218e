"""3.2: weights by which every place looks at the first one and copies its token."""

from __future__ import annotations

import numpy as np

from autograder.declare import Array, Wrong
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.common import ALL_UP_TO_4, pictured, placed_maps
from autograder.homeworks.hw3.homework import hw

by_position = hw.question(
    "3.2",
    "Attention by position: copy the first token",
    topic="attention by position",
    minutes=15,
    difficulty="medium",
    asks={
        "every query looks at place 0": "every place looks at the first place",
        "every output row equals the first token, for all 120 sequences": "copies the first token",
    },
    entries=[
        Array(
            "attention_by_position_pos", (4, "p?")
        ),  # without places it cannot work, and the check says why
        Array("attention_by_position_Q", ("3+p", "qk")),
        Array("attention_by_position_K", ("3+p", "qk")),
        Array("attention_by_position_V", ("3+p", 3)),
    ],
)


@by_position.check(points=4)
def every_place_looks_at_the_first_place(Q: np.ndarray, K: np.ndarray, pos: np.ndarray) -> Wrong | None:
    problem = public.first_place_problem(Q, K, pos, ALL_UP_TO_4)
    return pictured(problem, "ABC", placed_maps(Q, K, pos, 3))


@by_position.check(points=6)
def copies_the_first_token(Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray) -> Wrong | None:
    problem = public.first_copy_problem(Q, K, V, pos, ALL_UP_TO_4)
    return pictured(problem, "ABC", placed_maps(Q, K, pos, 3))
