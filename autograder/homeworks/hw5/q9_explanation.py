"""5.9: an explanation to judge, sentence by sentence."""

from __future__ import annotations

from autograder.declare import Choice, Written
from autograder.homeworks.hw5.homework import hw


def claim(number: int, right: bool, why: str, points: float) -> Choice:
    """Whether one sentence of the given explanation holds."""
    options = {"A": "correct", "B": "wrong"}
    return Choice(
        f"claim_{number}",
        options=options,
        correct="A" if right else "B",
        why={"B" if right else "A": why},
        points=points,
    )


claims = hw.question(
    "5.9",
    "Judge an explanation",
    minutes=12,
    difficulty="medium",
    topic="judging an explanation",
    entries=[
        claim(
            1, True, "queries, keys and values are indeed three learned linear maps of the same vectors.", 0.5
        ),
        claim(2, True, "each query meets every key, its own token's included, and the scale is 1/√d_k.", 0.5),
        claim(
            3,
            False,
            "look at which weights add up to one: those that one query gives to all keys, or those that one"
            " key gets?",
            2.0,
        ),
        claim(
            4,
            True,
            "the sum is over all values; without positions nothing in the layer knows the order.",
            1.0,
        ),
    ],
    written=Written(
        points=4,
        words=(40, 100),
        rubric={
            "Corrects the error: softmax over keys, each query's weights sum to one": 2,
            (
                "Says what the error would change, such as a token that everyone looks at, or"
                " outputs that are no averages"
            ): 1,
            "Supports one of the correct claims with a reason of one's own": 1,
        },
        examples={
            "full": (
                "Sentence 3 is wrong: the softmax runs over the keys, so the weights of each query sum to one"
                " and every output is a weighted average of values. Normalized per key, a token could not be"
                " looked at by everybody, as the adjective in 5.8 is (its column sums to 3.2), and an output"
                " could be of any size. Sentence 4 is right: scores depend on the pair of vectors only, so"
                " shuffled inputs give the same outputs, shuffled."
            ),
            "half": (
                "Sentence 3 is wrong, since the softmax is over keys and not over queries. The others are"
                " right."
            ),
            "none": (
                "The explanation is good, but it should mention that attention is more efficient than RNNs."
            ),
        },
    ),
)
