"""3.3: weights whose output's sign says whether a token occurs once."""

from __future__ import annotations

import numpy as np

from autograder.declare import Array, Wrong
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.common import ALL_UP_TO_4, pictured, placed_maps
from autograder.homeworks.hw3.homework import hw

CLS_AND_TOKENS = ["CLS", "A", "B", "C"]
UP_TO_2 = public.sequences(3, range(1, 3))

by_both = hw.question(
    "3.3",
    "Attention by content and position: which tokens are unique?",
    topic="content and position together",
    minutes=25,
    difficulty="hard",
    entries=[
        Array("attention_by_content_and_position_pos", (5, "p?")),  # a design without places is a good one
        Array("attention_by_content_and_position_Q", ("4+p", "qk")),
        Array("attention_by_content_and_position_K", ("4+p", "qk")),
        Array("attention_by_content_and_position_V", ("4+p", 1)),
    ],
)


@by_both.check(points=6)
def signs_are_right_for_one_and_two_tokens(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray
) -> Wrong | None:
    problem = public.unique_problem(Q, K, V, pos, UP_TO_2)
    return pictured(problem, CLS_AND_TOKENS, placed_maps(Q, K, pos, 4))


@by_both.check(points=9)
def signs_are_right_for_all_sequences(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray
) -> Wrong | None:
    problem = public.unique_problem(Q, K, V, pos, ALL_UP_TO_4)
    return pictured(problem, CLS_AND_TOKENS, placed_maps(Q, K, pos, 4))
