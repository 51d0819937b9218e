"""3.1: weights by which each token looks at tokens of its own kind."""

from __future__ import annotations

import numpy as np

from autograder.declare import Array, Wrong
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.common import ALL_UP_TO_6, pictured, placed_maps
from autograder.homeworks.hw3.homework import hw

by_content = hw.question(
    "3.1",
    "Attention by content",
    topic="attention by content",
    minutes=15,
    difficulty="easy",
    entries=[
        Array("attention_by_content_Q", (3, "qk")),
        Array("attention_by_content_K", (3, "qk")),
        Array("attention_by_content_V", (3, 3)),
    ],
)

NO_PLACES = np.zeros((6, 0))


@by_content.check(points=4)
def each_token_looks_at_its_own_kind(Q: np.ndarray, K: np.ndarray) -> Wrong | None:
    problem = public.content_attention_problem(Q, K, ALL_UP_TO_6)
    return pictured(problem, "ABC", placed_maps(Q, K, NO_PLACES, 3))


@by_content.check(points=6)
def the_output_equals_the_input(Q: np.ndarray, K: np.ndarray, V: np.ndarray) -> Wrong | None:
    problem = public.content_copy_problem(Q, K, V, ALL_UP_TO_6)
    return pictured(problem, "ABC", placed_maps(Q, K, NO_PLACES, 3))
