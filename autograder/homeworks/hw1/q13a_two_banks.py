"""1.13a: one word in two sentences, before and after attention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.declare import Array, Written, Wrong
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
    minutes=9,
    difficulty="medium",
    asks={
        "`bank_static`, right to three decimals": "before attention",
        "`bank_contextual`, right to three decimals": "after attention",
    },
    entries=[Array("bank_static"), Array("bank_contextual")],
    written=Written(
        points=2,
        words=(40, 130),
        rubric={
            "Static: one vector per word whatever the context (cosine 1);"
            " contextual: depends on the sentence (cosine about 0.2)": 1,
            "Says how: the weights draw “river”, “muddy” in one sentence and “money”,"
            " “lends” in the other into the vector": 1,
        },
        examples={
            "full": (
                "A static vector is the same in both sentences (cosine 1). After attention “bank” is a"
                " mixture of its sentence: river and muddy pull it towards water in one, money and lends"
                " towards money in the other, and the cosine drops to about 0.2, so the meanings are told"
                " apart."
            ),
            "half": (
                "Static embeddings are the same everywhere and contextual ones change with the sentence: the"
                " cosine was 1 before and is lower after."
            ),
            "none": (
                "Contextual embeddings are larger and trained on more text, so they are better than static"
                " ones."
            ),
        },
    ),
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
        "you compared the means of the sentences, not the “bank” rows.": (
            _cosine(RIVER.mean(0), MONEY.mean(0))
        ),
    }
    if says := reading_of(found, readings):
        return Wrong(f"`bank_contextual` is {found:.3f}: {says}")
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
