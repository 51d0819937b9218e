"""6.3: which similarities keep attention finite, with examples that break two of them."""

from __future__ import annotations

import numpy as np

from autograder.declare import Array, Choice, Wrong
from autograder.homeworks.hw6 import public
from autograder.homeworks.hw6.common import wrong_if
from autograder.homeworks.hw6.homework import hw

VERDICTS = {
    "A": "safe: for all real vectors every weight lies between 0 and 1",
    "B": "no weight is negative, but the sum can be 0 and every weight is 0/0",
    "C": "similarities of both signs: weights can be negative and of any size",
}
POSITIVE_SUM = "it is positive for all real vectors, so the sum is positive too."
NEVER_NEGATIVE = "it is never negative, so weights cannot be either; look at when it is exactly 0."
OPPOSITE = "q·k is negative for vectors that point away from each other."
CAN_BE_ZERO = "it can be exactly 0 for every key at once: can you find such a query?"
SIMILARITIES: list[tuple[str, str, dict[str, str]]] = [
    ("sim_exp", "A", {"B": POSITIVE_SUM, "C": POSITIVE_SUM}),
    ("sim_dot", "C", {"A": OPPOSITE, "B": OPPOSITE}),
    ("sim_square", "B", {"A": CAN_BE_ZERO, "C": NEVER_NEGATIVE}),
    ("sim_polynomial", "B", {"A": f"{CAN_BE_ZERO[:-1]}, with q·k = -1?", "C": NEVER_NEGATIVE}),
    ("sim_relu", "B", {"A": f"{CAN_BE_ZERO[:-1]}, all of whose numbers are negative?", "C": NEVER_NEGATIVE}),
    (
        "sim_elu",
        "A",
        {
            "B": f"elu(x) + 1 is above 0 for every x, so {POSITIVE_SUM}",
            "C": f"elu(x) + 1 is above 0 for every x, so {POSITIVE_SUM}",
        },
    ),
]


finite = hw.question(
    "6.3",
    "Which similarities keep attention finite?",
    minutes=13,
    difficulty="medium",
    asks={
        "a query and keys for which q·k leaves the bounds": "q·k leaves the bounds",
        "a query and keys whose (q·k)² sum to 0": "(q·k)² sums to zero",
    },
    topic="similarity functions",
    entries=[
        *(
            Choice(name, options=VERDICTS, correct=right, why=why, points=0.5)
            for name, right, why in SIMILARITIES
        ),
        Array("dot_query", ("d",)),
        Array("dot_keys", ("n", "d")),
        Array("square_query", ("e",)),
        Array("square_keys", ("m", "e")),
    ],
)


@finite.check("q·k leaves the bounds", points=2, needs=["dot_query", "dot_keys"])
def dot_products_leave_the_bounds(dot_query: np.ndarray, dot_keys: np.ndarray) -> Wrong | None:
    """Judges the example by its weights."""
    return wrong_if(public.dot_problem(dot_query, dot_keys))


@finite.check("(q·k)² sums to zero", points=2, needs=["square_query", "square_keys"])
def squares_sum_to_zero(square_query: np.ndarray, square_keys: np.ndarray) -> Wrong | None:
    """Judges the example by the sum of its similarities."""
    return wrong_if(public.square_problem(square_query, square_keys))
