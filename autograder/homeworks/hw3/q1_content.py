"""3.1: weights by which each token looks at tokens of its own kind."""

from __future__ import annotations

import math

import numpy as np

from autograder.declare import NOT_JUDGED, Array, Wrong
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.common import ALL_UP_TO_6, pictured, placed_maps
from autograder.homeworks.hw3.homework import hw

by_content = hw.question(
    "3.1",
    "Attention by content",
    topic="attention by content",
    minutes=15,
    difficulty="easy",
    asks={
        "`Q` and `K` by which each token looks at its own kind": "each token looks at its own kind",
        "the output equals the input within the tolerance, on all 1,092 sequences": (
            "the output equals the input"
        ),
        "predict before training": NOT_JUDGED,
    },
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


by_gap = hw.question(
    "3.1b",
    "How large a score gap is enough?",
    minutes=6,
    difficulty="medium",
    asks={"the smallest score gap that passes for six tokens, to two decimals": "the smallest score gap"},
    entries=[Array("smallest_score_gap")],
)

ATOL = public.CONTENT_ATOL
GAPS = math.log(5 / ATOL - 5), math.log(5 / ATOL)  # exactly, and with the 1 beside e^gap left out: 6.20, 6.21
SLIPS = {
    "that is the gap for one other token; there are five, and each takes a share": (1 / ATOL - 1, 1 / ATOL),
    "that is the gap for four other tokens; of six tokens, five can be of another kind": (
        4 / ATOL - 4,
        4 / ATOL,
    ),
    "that is the gap for five tokens of two kinds; five of one kind add more to one of the zeros": (
        5 / (2 * ATOL) - 5,
        3 / ATOL,
    ),
    "that is the gap for six other tokens; of six tokens, one is the query's own": (6 / ATOL - 6, 6 / ATOL),
    "the expected zeros have the smaller tolerance: 0.001·0 adds nothing there": (
        5 / (ATOL + public.CONTENT_RTOL) - 5,
        5 / (ATOL + public.CONTENT_RTOL),
    ),
}


@by_gap.check("the smallest score gap", points=2)
def the_gap_is_just_enough_for_six_tokens(smallest_score_gap: np.ndarray) -> Wrong | None:
    found, slack = float(smallest_score_gap), 0.015  # two decimals
    if min(GAPS) - slack <= found <= max(GAPS) + slack:
        return None
    told = f"`smallest_score_gap` is {found:.4g}"
    for says, ratios in SLIPS.items():
        if math.log(min(ratios)) - slack <= found <= math.log(max(ratios)) + slack:
            return Wrong(f"{told}: {says}.")
    if any(abs(found - gap * 3**0.5) <= 0.03 for gap in GAPS):
        return Wrong(f"{told}: that is the gap before the division by √3; use the gap of the scores s.")
    if any(abs(found - gap / 3**0.5) <= slack for gap in GAPS):
        return Wrong(f"{told}: that is divided by √3 twice; the scores s are already divided by it.")
    for base in (2, 10):
        if any(abs(found - gap / math.log(base)) <= slack for gap in GAPS):
            return Wrong(f"{told}: that is a logarithm to base {base}; the softmax uses e.")
    if any(math.isclose(found, math.exp(gap), rel_tol=1e-2) for gap in GAPS):
        return Wrong(f"{told}: that is e to the gap; the gap is its logarithm.")
    short = 5 / (math.exp(min(found, 50.0)) + 5)
    if found < min(GAPS):
        return Wrong(f"{told}: then five tokens of another kind take {short:.3g} of the attention, too much.")
    return Wrong(
        f"{told}: then five such tokens take {short:.2g} of the attention, less than they may; go lower."
    )
