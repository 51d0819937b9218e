"""1.2: reading a map of attention weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.declare import NOT_JUDGED, Array, Choice, Wrong
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
    minutes=6,
    difficulty="easy",
    asks={
        "`cat_weight`, correct to three decimals": "the weight",
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
        Choice(
            "cat_reason",
            {
                "A": "because the word after it counts most",
                "B": "because cat·sat = 6 and cat·cat = 5",
                "C": "because no word gives weight to itself",
                "D": "because verbs get more than nouns",
            },
            "B",
            {
                "A": "nothing in the scores knows where a word stands.",
                "C": "“cat” gives itself the second largest weight, for a score of 5.",
                "D": "“mat” is not a verb, and for “cat” it comes third, before “on”.",
            },
            1,
        ),
        Choice(
            "asymmetry_reason",
            {
                "A": "because q·k is not k·q",
                "B": "because queries and keys use different maps",
                "C": "because each row is divided by its own sum",
                "D": "because of rounding",
            },
            "C",
            {
                "A": "a dot product is symmetric, and queries and keys are the same vectors here.",
                "B": "there are no maps here: queries, keys and values are the vectors themselves.",
                "D": "the weights differ in the first decimal.",
            },
            1,
        ),
    ],
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
        "that is the score 6/√3; its weight comes from the softmax of the six scores.": 6 / 3**0.5,
        "that is e^score; divide it by the sum over the six words.": float(np.exp(6 / 3**0.5)),
        "you divided by √6, with the number of words; it is √3, with the size of a vector.": (
            _mistaken_weight(scale=6**-0.5)
        ),
        "that is how much “sat” looks at itself: the row belongs to the query.": weights[2, 2],
        "its own word must count in the sum, too.": weights[1, 2] / (1 - weights[1, 1]),
    }
    if says := reading_of(found, readings):
        return Wrong(f"`cat_weight` is {found:.3f}: {says}")
    if abs(found / 100 - weights[1, 2]) <= THREE_DECIMALS:
        return Wrong(f"`cat_weight` is {found:g}: that is in percent; a weight lies between 0 and 1.")
    if abs(found - weights[1, 2]) < 0.01:
        return Wrong(
            f"`cat_weight` is {found:.3f}, which is close; the question asks for three correct decimals."
        )
    return Wrong(
        f"`cat_weight` is {found:.3f}, which is not the largest weight in the row of “cat”. Write down its"
        " six scores first."
    )


def _mistaken_weight(**wrong: Any) -> float:
    """The weight of “sat” for the query “cat”, with one mistake."""
    return float(variant(SENTENCE, SENTENCE, SENTENCE, **wrong)[1][1, 2])
