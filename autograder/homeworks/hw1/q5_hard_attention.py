"""1.5: hard attention, and why it is not trained."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from autograder.declare import Array, Case, Challenge, Choice, Prediction, Wrong
from autograder.homeworks.hw1 import public
from autograder.homeworks.hw1.homework import clear_winners, draw, drawn_until, hw


def hard_queries(rng: np.random.Generator) -> Iterator[Case]:
    """Keys made so that each known mistake chooses another one.

    They are the nearest key, the one of the best cosine, the one of the smallest score, and the first. The
    second key is there for who sums over the keys, not over the features: the larger sum stands in column 1.
    """
    keys = np.array([[1.5, -0.5], [0.9, 1.2], [2.0, 2.0], [6.0, 1.0], [-1.0, -2.0], [-9.0, 9.0]])
    for lowest in (1.0, 5.0):  # at 5 the smallest score is also the largest absolute one
        made = (keys * [[1], [1], [1], [1], [lowest], [1]] + rng.uniform(0, 0.01, size=(6, 1))).round(3)
        # the largest score is key 3's, which does not come last, where a search may end
        order = drawn_until(lambda: 1 + rng.permutation(4), lambda order: order[-1] != 3)
        yield Case(
            [np.array([1.0, 1.0]), made[[0, 5, *order]], draw(rng, 6, 3)],
            note="n = 6 keys of different length" + ", one far off" * (lowest > 1),
        )
    yield Case(drawn_until(lambda: _all_negative(rng), _decided), note="scores that are all negative")
    usual = drawn_until(lambda: [draw(rng, 4), draw(rng, 9, 4), draw(rng, 9, 3)], _decided)
    yield Case(usual, note="n = 9, d_k = 4, d_v = 3")
    yield Case([draw(rng, 3), draw(rng, 1, 3), draw(rng, 1, 3)], note="a single key")


def _all_negative(rng: np.random.Generator) -> list[np.ndarray]:
    query = draw(rng, 3)
    return [query, (-np.abs(draw(rng, 5, 3)) * np.sign(query)).round(3), draw(rng, 5, 2)]


def _decided(args: list[np.ndarray]) -> bool:
    """Whether the winner leads clearly and is neither the first nor the last, where a search may start.

    Nor has it the largest product in the first feature alone.
    """
    query, keys, _ = args
    scores = keys @ query
    place, of_first = scores.argmax(), (keys * query)[:, 0].argmax()
    return clear_winners(scores, 0.1) and 0 < place < len(scores) - 1 and place != of_first


def _hard_oracle(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    scores = [math.fsum(float(a) * float(b) for a, b in zip(key, query, strict=True)) for key in keys]
    return np.asarray(values[scores.index(max(scores))])


HARD_ATTENTION = Challenge(
    "hard_attention",
    cases=hard_queries,
    expected=_hard_oracle,
    mistakes={
        "You returned the chosen key; return its value.": lambda q, k, v: k[(k @ q).argmax()],
        "You returned the place of the largest score; return the value there.": (
            lambda q, k, v: np.asarray((k @ q).argmax())
        ),
        "You chose the largest absolute score; a very negative score fits worst.": (
            lambda q, k, v: v[np.abs(k @ q).argmax()]
        ),
        "You chose the nearest key; the question asks for the largest dot product.": (
            lambda q, k, v: v[((k - q) ** 2).sum(1).argmin()]
        ),
        "You chose the largest cosine; the question asks for the largest dot product, in which length"
        " counts.": (lambda q, k, v: v[(k @ q / np.linalg.norm(k, axis=1)).argmax()]),
        "Your search starts from 0, but all scores may be negative: start from −∞ or from the first.": (
            lambda q, k, v: v[(k @ q).argmax() if (k @ q).max() > 0 else 0]
        ),
        "You returned the first value, whatever the scores.": lambda q, k, v: v[0],
        "You took the largest number of each column of the values; the scores choose one row.": (
            lambda q, k, v: v.max(axis=0)
        ),
        "You multiplied the value by its score; hard attention returns it as it is.": (
            lambda q, k, v: (k @ q).max() * v[(k @ q).argmax()]
        ),
        "You summed q·k over the keys, so your argmax runs over the features; sum over the features.": (
            lambda q, k, v: v[(k * q).sum(axis=0).argmax()]
        ),
        "Your argmax runs over an axis of length 1, so it is 0 for every key; it must run over the keys.": (
            lambda q, k, v: np.repeat(v[:1], len(k), axis=0)
        ),
        "That is the mean of all values; hard attention takes one of them.": lambda q, k, v: v.mean(axis=0),
        "Those are the weights, one 1 and zeros; multiply them with the values.": (
            lambda q, k, v: np.eye(len(k))[(k @ q).argmax()]
        ),
        "That is the largest score; return the value of its key.": lambda q, k, v: (k @ q).max(),
        "You chose the smallest score.": lambda q, k, v: v[(k @ q).argmin()],
        "That is soft attention, an average of all values.": (
            lambda q, k, v: public.library_attention(q[None], k, v)[0][0]
        ),
    },
)


hard = hw.question(
    "1.5",
    "Hard attention",
    topic="hard attention, why it is not trained",
    minutes=5,
    difficulty="easy",
    asks={
        "`hard_output` for the table": "by hand",
        "`hard_attention` for any query, keys and values": "hard attention",
    },
    entries=[
        Prediction(
            "prediction_15",
            {"A": "a slope nearly everywhere", "B": "flat, with jumps", "C": "flat everywhere"},
        ),
        Array("hard_output", (3,)),
        Choice(
            "hard_gradient",
            options={
                "A": "In proportion: its derivatives with respect to query and keys are the weights.",
                "B": "Not at all: its derivatives with respect to the query and the keys are zero.",
                "C": "Only the chosen key matters: the derivative with respect to that key is not zero.",
                "D": "Without bound: the derivatives are infinite nearly everywhere.",
            },
            correct="B",
            why={
                "A": (
                    "the weights of soft attention are derivatives with respect to the values; an argmax does"
                    " not pass on small changes of scores."
                ),
                "C": (
                    "a tiny change of the chosen key leaves it chosen, so the same value comes out; only its"
                    " *value* has a derivative."
                ),
                "D": "the output jumps only where two scores are equal; everywhere else it is constant.",
            },
            points=1,
        ),
        HARD_ATTENTION,
        Choice(
            "hard_learns",
            {
                "A": "W_Q and W_K",
                "B": "W_V alone",
                "C": "all three",
                "D": "none of them",
            },
            "B",
            {
                "A": "these enter through the scores, and small changes of scores do not move the argmax.",
                "C": "the choice of the key does not change with a small step of W_Q or W_K.",
                "D": "the chosen value is X W_V: a step of W_V changes it.",
            },
            1,
        ),
    ],
)
HARD_VALUES = {(2, 0, 1): 1, (1, 4, 3): 2, (0, -1, 4): 3, (1, 0, -1): 4}  # value → number of its key


@hard.check(points=1, needs=["hard_output"])
def by_hand(hard_output: np.ndarray) -> Wrong | None:
    found = np.asarray(hard_output, dtype=float)
    scores = np.array([[1, 2, 0], [0, 3, 4], [5, 0, 0], [0, 0, 1]]) @ [1, 1, 2]
    if np.array_equal(found, list(HARD_VALUES)[scores.argmax()]):
        return None
    message = f"`hard_output` is {found.tolist()}"
    if number := HARD_VALUES.get(tuple(found.tolist())):
        return Wrong(
            f"{message}, the value of key {number}, whose dot product with the query is"
            f" {scores[number - 1]}. Another key has a larger one."
        )
    return Wrong(
        f"{message}, which is none of the four values. Hard attention returns one value as it is: the one"
        " whose key fits best."
    )


hard.check_cases("hard_attention", "hard attention", points=2)
