"""1.6: queries that preserve one value or average all, and the kinds of attention."""

from __future__ import annotations

import numpy as np

from autograder.declare import Array, Choice, Prediction, Written, Wrong, attention
from autograder.homeworks.hw1 import public
from autograder.homeworks.hw1.homework import hw

LIMITS = {
    "A": "the value whose key has the largest score",
    "B": "the sum of the values of all keys, unweighted",
    "C": "the mean of all values",
    "D": "the zero vector",
}
KINDS = {
    "A": "hard self-attention",
    "B": "soft self-attention",
    "C": "hard cross-attention",
    "D": "soft cross-attention",
}


def kind(name: str, correct: str) -> Choice:
    """One item to match with the four kinds; the explanation says which half is wrong."""
    is_hard, is_self = correct in "AC", correct in "AB"
    why = {}
    for letter in sorted(set(KINDS) - {correct}):
        wrong = []
        if (letter in "AC") != is_hard:
            wrong.append(
                "one single word is taken, so it is hard" if is_hard else "an average over words is soft"
            )
        if (letter in "AB") != is_self:
            wrong.append(
                "query and keys come from the same sentence: self"
                if is_self
                else "query and keys come from different sentences: cross"
            )
        why[letter] = "; ".join(wrong) + "."
    return Choice(name, KINDS, correct, why, 0.5)


mixing = hw.question(
    "1.6",
    "Preserve and diffuse",
    topic="inverse temperature, kinds of attention",
    minutes=11,
    difficulty="medium",
    asks={
        "preserve: the value of key 1 within 1e-3, β ≥ 0": "preserve",
        "diffuse: the mean of the values within 1e-3, |q| β ≥ 0.1": "diffuse",
    },
    entries=[
        Prediction(
            "prediction_16",
            {
                "A": "from the mean of the values to one value",
                "B": "from one value to the mean of the values",
                "C": "from zero to one value",
            },
        ),
        Array("preserve_query", (3,)),
        Array("preserve_beta"),
        Array("diffuse_query", (3,)),
        Array("diffuse_beta"),
        Choice(
            "limit_zero",
            LIMITS,
            "C",
            {
                "A": "that is the other end: at β → 0 all scores become 0, so all weights are equal.",
                "B": "the weights always sum to 1: n equal weights are 1/n each.",
                "D": "the scores become 0, not the weights: e^0 = 1 for each key.",
            },
            1,
        ),
        Choice(
            "limit_infinity",
            LIMITS,
            "A",
            {
                "B": "the weights always sum to 1, so the sum of all values never comes out.",
                "C": "that is the other end: a large β makes differences of scores count more.",
                "D": "the weights sum to 1 however large the scores are.",
            },
            1,
        ),
        *(kind(f"kind_{number}", letter) for number, letter in zip((1, 2, 3, 4), "BCDA", strict=True)),
    ],
    written=Written(
        points=2,
        words=(30, 120),
        rubric={
            "Names the weights: identity blocks to preserve, identity/n in every block to average": 1,
            "Says what attention can do in contrast: weights computed"
            " from content (same parameters do both), or any length n": 1,
        },
        examples={
            "full": (
                "To preserve, the big matrix has identity blocks on its diagonal and zeros elsewhere; to"
                " average, every block is identity/n. They are fixed after training and for one n. Attention"
                " computes its mixing from the tokens, so the same parameters can do either, for any n."
            ),
            "half": "It would need the identity matrix for preserving and 1/n everywhere for the mean.",
            "none": (
                "A fully connected layer has more weights, so it can do everything that attention can and"
                " needs nothing special."
            ),
        },
    ),
)


def mixed(problem: str | None, query: np.ndarray, beta: float) -> Wrong | None:
    """A failed check with the weights that a query gives the four keys, or a passed one."""
    if not problem:
        return None
    keys = [f"key {number}" for number in range(len(public.KEYS_16))]
    weights = {"": public.mixing(query, beta)[1][None]}
    return Wrong(
        problem, evidence=attention("Weights of your query on the four keys", keys, weights, ["query"])
    )


@mixing.check(points=2, needs=["preserve_query", "preserve_beta"])
def preserve(preserve_query: np.ndarray, preserve_beta: np.ndarray) -> Wrong | None:
    beta = float(preserve_beta)
    return mixed(public.preserve_problem(preserve_query, beta), preserve_query, beta)


@mixing.check(points=2, needs=["diffuse_query", "diffuse_beta"])
def diffuse(diffuse_query: np.ndarray, diffuse_beta: np.ndarray) -> Wrong | None:
    beta = float(diffuse_beta)
    return mixed(public.diffuse_problem(diffuse_query, beta), diffuse_query, beta)
