"""3.3: weights whose output's sign says whether a token occurs once."""

from __future__ import annotations

import numpy as np

from autograder.declare import NOT_JUDGED, Array, Wrong
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.common import ALL_UP_TO_4, pictured, placed_maps
from autograder.homeworks.hw3.homework import hw

CLS_AND_TOKENS = ["CLS", "A", "B", "C"]
UP_TO_2 = public.sequences(3, range(1, 3))

by_both = hw.question(
    "3.3",
    "Which tokens are unique?",
    topic="content and position together",
    minutes=20,
    difficulty="hard",
    asks={
        "positive where a token occurs once, negative where it is repeated, for one and two tokens": (
            "signs are right for one and two tokens"
        ),
        "the same for all 120 sequences": "signs are right for all sequences",
        "p = 0 is allowed": NOT_JUDGED,
    },
    entries=[
        Array("attention_by_content_and_position_pos", (5, "p?")),  # a design without places is a good one
        Array("attention_by_content_and_position_Q", ("4+p", "qk")),
        Array("attention_by_content_and_position_K", ("4+p", "qk")),
        Array("attention_by_content_and_position_V", ("4+p", 1)),
    ],
)


@by_both.check(points=5)
def signs_are_right_for_one_and_two_tokens(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray
) -> Wrong | None:
    problem = public.unique_problem(Q, K, V, pos, UP_TO_2)
    return pictured(problem, CLS_AND_TOKENS, placed_maps(Q, K, pos, 4))


@by_both.check(points=6)
def signs_are_right_for_all_sequences(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray
) -> Wrong | None:
    problem = public.unique_problem(Q, K, V, pos, ALL_UP_TO_4)
    return pictured(problem, CLS_AND_TOKENS, placed_maps(Q, K, pos, 4))


by_order = hw.question(
    "3.3b",
    "First or repeated? Content and place",
    minutes=25,
    difficulty="hard",
    asks={
        "positive at a first occurrence, negative at a repeat, for one and two tokens": (
            "first and repeated in one and two tokens"
        ),
        "the same for all 120 sequences": "first and repeated in all sequences",
    },
    entries=[
        # without places it cannot work, and the check says why
        Array("first_occurrence_pos", (5, "p?")),
        Array("first_occurrence_Q", ("4+p", "qk")),
        Array("first_occurrence_K", ("4+p", "qk")),
        Array("first_occurrence_V", ("4+p", 1)),
    ],
)


@by_order.check("first and repeated in one and two tokens", points=4)
def first_and_repeated_in_short_sequences(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray
) -> Wrong | None:
    problem = public.occurrence_problem(Q, K, V, pos, UP_TO_2)
    return pictured(problem, CLS_AND_TOKENS, placed_maps(Q, K, pos, 4))


@by_order.check("first and repeated in all sequences", points=8)
def first_and_repeated_in_every_sequence(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray
) -> Wrong | None:
    problem = public.occurrence_problem(Q, K, V, pos, ALL_UP_TO_4)
    return pictured(problem, CLS_AND_TOKENS, placed_maps(Q, K, pos, 4))
