"""1.13a: one word in two sentences, before and after attention."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.declare import Array, Choice, Wrong
from autograder.homeworks.hw1 import public
from autograder.homeworks.hw1.homework import THREE_DECIMALS, hw, reading_of
from autograder.homeworks.hw1.mistakes import variant

RIVER = np.array([[0.0, 0, 0, 1], [4, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1], [3, 0, 0, 0]])
MONEY = np.array([[0.0, 0, 0, 1], [1, 1, 1, 0], [0, 3, 0, 1], [0, 4, 0, 0]])


def _cosine(u: np.ndarray, v: np.ndarray) -> float:
    return float(u @ v / (np.linalg.norm(u) * np.linalg.norm(v)))


banks = hw.question(
    "1.13a",
    "Two banks",
    topic="contextual embeddings, windows, cost, scaling",
    minutes=5,
    difficulty="medium",
    asks={
        "`bank_static`, correct to three decimals": "before attention",
        "`bank_contextual`, correct to three decimals": "after attention",
    },
    entries=[
        Array("bank_static"),
        Array("bank_contextual"),
        Choice(
            "bank_reason",
            {
                "A": "“the” and “was”, in both sentences",
                "B": "“bank” itself: its row differs",
                "C": "“river” and “muddy” here, “money” and “lends” there",
                "D": "the number of words, five in one and four in the other",
            },
            "C",
            {
                "A": "“the” and “was” share nothing with “bank”; their scores are 0, the smallest there are.",
                "B": "the table has one row for “bank”; what differs is what is mixed into it.",
                "D": "the weights sum to 1 in both; the length of a sentence alone does not turn a vector.",
            },
            1,
        ),
    ],
)


@banks.check(points=1, needs=["bank_static"])
def before_attention(bank_static: np.ndarray) -> Wrong | None:
    found = float(bank_static)
    right = _cosine(RIVER[2], MONEY[1])
    if abs(found - right) <= THREE_DECIMALS:
        return None
    if abs(found - RIVER[2] @ MONEY[1]) <= THREE_DECIMALS:
        return Wrong(f"`bank_static` is {found:.3f}: that is the dot product; divide by both norms.")
    return Wrong(
        f"`bank_static` is {found:.3f}. Before attention both are the same row of the table: what is the"
        " cosine of a vector with itself?"
    )


@banks.check(points=1, needs=["bank_contextual"])
def after_attention(bank_contextual: np.ndarray) -> Wrong | None:
    found = float(bank_contextual)
    rows = [public.library_attention(X, X, X)[0] for X in (RIVER, MONEY)]
    if abs(found - _cosine(rows[0][2], rows[1][1])) <= THREE_DECIMALS:
        return None
    readings = {
        "that is the dot product; divide by both norms.": _mistaken_cosine(measure=np.dot),
        "the scale 1/√4 is missing.": _mistaken_cosine(scale=1.0),
        "you divided by d_k = 4; it is √4.": _mistaken_cosine(scale=0.25),
        "your softmax is over the wrong axis.": _mistaken_cosine(axis=0),
        "“bank” stands at place 1 of the second sentence, counted from 0.": _mistaken_cosine(money=2),
        "“bank” stands at place 2 of the first sentence, counted from 0, and at place 1 of the second.": (
            _mistaken_cosine(river=1)
        ),
        "that is the cosine before attention.": 1.0,
        "that is 1 minus the cosine, a distance; give the cosine.": 1 - _cosine(rows[0][2], rows[1][1]),
        "that is the angle in degrees; give its cosine.": math.degrees(
            math.acos(_cosine(rows[0][2], rows[1][1]))
        ),
        "that is the distance of the two vectors; give the cosine.": float(
            np.linalg.norm(rows[0][2] - rows[1][1])
        ),
        "a word attends to itself, too; you left “bank” out of its own keys.": _cosine(
            *(
                public.library_attention(X[[at]], np.delete(X, at, 0), np.delete(X, at, 0))[0][0]
                for X, at in ((RIVER, 2), (MONEY, 1))
            )
        ),
        "the “bank” row of the money sentence is the one before attention; take both after it.": _cosine(
            rows[0][2], MONEY[1]
        ),
        "the “bank” row of the river sentence is the one before attention; take both after it.": _cosine(
            RIVER[2], rows[1][1]
        ),
        "the scale is 1/√4, with the size of a vector, not with the number of words.": _cosine(
            *(variant(X, X, X, scale=len(X) ** -0.5)[0][at] for X, at in ((RIVER, 2), (MONEY, 1)))
        ),
        "you compared the means of the sentences, not the “bank” rows.": (
            _cosine(RIVER.mean(0), MONEY.mean(0))
        ),
    }
    if says := reading_of(found, readings):
        return Wrong(f"`bank_contextual` is {found:.3f}: {says}")
    if abs(found - _cosine(rows[0][2], rows[1][1])) < 0.01:
        return Wrong(
            f"`bank_contextual` is {found:.4g}, which is close; the question asks for three correct decimals."
        )
    return Wrong(
        f"`bank_contextual` is {found:.3f}. Take the “bank” row of each sentence's attention output, then the"
        " cosine of the two."
    )


def _mistaken_cosine(
    river: int = 2, money: int = 1, measure: Callable[..., float] = _cosine, **wrong: Any
) -> float:
    """The cosine of a row of each sentence's output, with one mistake."""
    rows = [variant(X, X, X, **wrong)[0] for X in (RIVER, MONEY)]
    return float(measure(rows[0][river], rows[1][money]))
