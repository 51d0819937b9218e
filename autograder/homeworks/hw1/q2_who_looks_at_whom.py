"""1.2: reading a map of attention weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.declare import NOT_JUDGED, Array, Choice, Written, Wrong
from autograder.homeworks.hw1 import public
from autograder.homeworks.hw1.homework import THREE_DECIMALS, hw, reading_of
from autograder.homeworks.hw1.mistakes import variant

SENTENCE = np.array(
    [[0.0, 0.0, 1.0], [2.0, 1.0, 0.0], [1.5, 3.0, 0.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0], [2.0, 0.0, 0.0]]
)

sentence = hw.question(
    "1.2",
    "Who looks at whom?",
    topic="reading an attention map",
    minutes=8,
    difficulty="easy",
    asks={
        "`cat_weight`, right to three decimals": "the weight",
        "predict before computing": NOT_JUDGED,
    },
    entries=[
        Choice(
            "cat_word",
            options={
                "A": "The (the first word)",
                "B": "cat",
                "C": "sat",
                "D": "on",
                "E": "the (the fifth word)",
                "F": "mat",
            },
            correct="C",
            why={
                "A": "“The” is orthogonal to “cat”: their score is 0.",
                "B": (
                    "the score of “cat” with itself is 2·2 + 1·1 = 5, but a longer vector that points partly"
                    " the same way scores higher."
                ),
                "D": "“on” shares only the action feature with “cat”: the score is 1.",
                "E": "“the” is orthogonal to “cat”: their score is 0.",
                "F": "“mat” shares the thing feature, and the score is 4; two words score higher.",
            },
            points=1,
        ),
        Array("cat_weight"),
    ],
    written=Written(
        points=3,
        words=(30, 120),
        rubric={
            "Says that the score of “sat” is the largest because"
            " a dot product grows with length as well as with direction": 1,
            "Says that “The” is orthogonal to “cat” (score 0)"
            " and that the exponential makes the difference large": 1,
            "Says that each row is normalised by its own sum, so the weights are not symmetric": 1,
        },
        examples={
            "full": (
                "cat·sat = 6 is larger than cat·cat = 5 because sat is a longer vector and shares both"
                " features. The is orthogonal to cat, score 0, and after e^s almost nothing is left for it."
                " The scores are symmetric but every row is divided by its own sum, so the weights are not."
            ),
            "half": (
                "Sat has the largest dot product with cat since its numbers are bigger, and The has zero in"
                " common with it."
            ),
            "none": "Cats sit, so the model has learned from data that cat and sat belong together.",
        },
    ),
)


@sentence.check(points=2)
def the_weight(cat_weight: np.ndarray) -> Wrong | None:
    found = float(cat_weight)
    weights = public.library_attention(SENTENCE, SENTENCE, SENTENCE)[1]
    if abs(found - weights[1, 2]) <= THREE_DECIMALS:
        return None
    readings = {
        "the scale 1/√3 is missing.": _mistaken_weight(scale=1.0),
        "you divided by d_k = 3; it is √3.": _mistaken_weight(scale=1 / 3),
        "that is how much “cat” looks at itself.": weights[1, 1],
        "that is how much “sat” looks at “cat”: the row belongs to the query.": weights[2, 1],
        "your softmax is over the wrong axis:"
        " the weights of the query “cat” must sum to 1 over the six keys.": _mistaken_weight(axis=0),
        "that is the share of the score, without the exponential.": 6 / 16,
    }
    if says := reading_of(found, readings):
        return Wrong(f"`cat_weight` is {found:.3f}: {says}")
    if abs(found - weights[1, 2]) < 0.01:
        return Wrong(f"`cat_weight` is {found:.3f}, which is close; three right decimals are asked.")
    return Wrong(
        f"`cat_weight` is {found:.3f}, which is not the largest weight in the row of “cat”. Write down its"
        " six scores first."
    )


def _mistaken_weight(**wrong: Any) -> float:
    """The weight of “sat” for the query “cat”, with one mistake."""
    return float(variant(SENTENCE, SENTENCE, SENTENCE, **wrong)[1][1, 2])
