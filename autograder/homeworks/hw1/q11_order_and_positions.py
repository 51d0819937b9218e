"""1.11: attention does not see order; sinusoids that tell places apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge, Choice, Prediction, Written, drawn_as_matrix
from autograder.homeworks.hw1 import public
from autograder.homeworks.hw1.homework import draw, hw


def shuffles(rng: np.random.Generator) -> Iterator[Case]:
    """Each layer with a permutation of one long cycle, which differs from its inverse at each place."""
    for name in public.LAYERS:
        n, d = int(rng.integers(4, 8)), int(rng.integers(2, 4))
        cycle, order = rng.permutation(n), np.zeros(n, dtype=int)
        order[cycle] = np.roll(cycle, 1)
        X = draw(rng, n, d)
        if _without_absolute(name, X, order) >= _without_absolute(name, -X, order):
            X = -X  # on the first one a forgotten absolute value shows, whatever was drawn
        for signed, on in ((X, name), (-X, f"{name} of −X")):
            yield Case([name, signed, order], note=on, probe="layer")


def shuffle_examples(rng: np.random.Generator) -> list[Case]:
    """Self-attention, and causal self-attention with both signs."""
    return list(shuffles(rng))[1:4]


def _layer(
    function: Callable[[Callable[..., np.ndarray], np.ndarray, np.ndarray], Any],
) -> Callable[..., float]:
    return lambda name, X, order: float(function(public.LAYERS[name], X, order))


_without_absolute = _layer(lambda f, X, o: (f(X[o]) - f(X)[o]).max())


def _permuted(layer: Callable[..., np.ndarray], X: np.ndarray, order: np.ndarray) -> float:
    P = np.eye(len(X))[order]  # P @ X shuffles rows
    # what rounding leaves is 0 for a reader
    return round(float(np.linalg.norm((layer(P @ X) - P @ layer(X)).ravel(), ord=np.inf)), 12)


def tables(rng: np.random.Generator) -> Iterator[Case]:
    """Places and widths, one place among them."""
    for n, d in ((5, 6), (1, 4), (int(rng.integers(20, 40)), 10), (3, 2)):
        yield Case([n, d], note=f"n = {n}, d = {d}")


def _table(entry: Callable[[int, int, int], float]) -> Callable[[int, int], np.ndarray]:
    return lambda n, d: np.array(
        [[entry(place, column, d) for column in range(d)] for place in range(n)], dtype=float
    ).reshape(n, d)


def _wave(place: float, column: int, d: int) -> float:
    return (math.sin, math.cos)[column % 2](place / 10000 ** ((column - column % 2) / d))


EQUIVARIANCE_ERROR = Challenge(
    "equivariance_error",
    cases=shuffles,
    examples=shuffle_examples,
    expected=_layer(_permuted),
    mistakes={
        "You tested invariance: f(X[order]) against f(X). Shuffle the second one too.": _layer(
            lambda f, X, o: np.abs(f(X[o]) - f(X)).max()
        ),
        "The output is shuffled by the inverse permutation; use [order] on both sides.": _layer(
            lambda f, X, o: np.abs(f(X[o]) - f(X)[np.argsort(o)]).max()
        ),
        "That is the mean of the absolute differences; the question asks for the largest.": _layer(
            lambda f, X, o: np.abs(f(X[o]) - f(X)[o]).mean()
        ),
        "The absolute value is missing: a large negative difference counts as well.": _without_absolute,
        "That is the sum of the absolute differences; the question asks for the largest.": _layer(
            lambda f, X, o: np.abs(f(X[o]) - f(X)[o]).sum()
        ),
        "That is the norm of the difference; the question asks for the largest absolute number.": _layer(
            lambda f, X, o: np.linalg.norm(f(X[o]) - f(X)[o])
        ),
        "np.linalg.norm(…, np.inf) of a matrix is its largest row sum; the question asks for the largest"
        " absolute number.": _layer(lambda f, X, o: np.linalg.norm(f(X[o]) - f(X)[o], np.inf)),
        "Those are squares; the question asks for the largest absolute difference.": _layer(
            lambda f, X, o: np.square(f(X[o]) - f(X)[o]).max()
        ),
        "That is the root of the mean square; the question asks for the largest absolute difference.": _layer(
            lambda f, X, o: np.square(f(X[o]) - f(X)[o]).mean() ** 0.5
        ),
        "That is the smallest difference; the question asks for the largest.": _layer(
            lambda f, X, o: np.abs(f(X[o]) - f(X)[o]).min()
        ),
        "That is relative to the layer's numbers; the question asks for the difference itself.": _layer(
            lambda f, X, o: np.abs(f(X[o]) - f(X)[o]).max() / np.abs(f(X)).max()
        ),
        "That only says whether the two sides differ; the question asks by how much.": _layer(
            lambda f, X, o: float(not np.allclose(f(X[o]), f(X)[o]))
        ),
        "This is 0 for every layer. Did you shuffle both sides before the layer?": _layer(
            lambda f, X, o: 0.0
        ),
    },
)


POSITIONAL_ENCODING = Challenge(
    "positional_encoding",
    cases=tables,
    expected=_table(_wave),
    picture=drawn_as_matrix("Your table of positions", x="column", y="place"),
    mistakes={
        "Sine and cosine must alternate: even columns sine, odd columns cosine. You"
        " put all sines first.": _table(lambda p, c, d: _wave(p, 2 * (c % (d // 2)) + (c >= d // 2), d)),
        "Sine and cosine are swapped: even columns are sines.": _table(
            lambda p, c, d: (math.cos, math.sin)[c % 2](p / 10000 ** ((c - c % 2) / d))
        ),
        "Places count from 0, not from 1.": _table(lambda p, c, d: _wave(p + 1, c, d)),
        "A sine and the cosine beside it share one frequency:"
        " the exponent is 2i/d for columns 2i and 2i + 1.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 10000 ** (c / d))
        ),
        "All columns are sines; the odd ones must be cosines.": _table(
            lambda p, c, d: math.sin(p / 10000 ** ((c - c % 2) / d))
        ),
        "The exponent is 2i/d, where 2i is the even column; you took 4i/d.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 10000 ** (2 * (c - c % 2) / d))
        ),
        "The exponent is 2i/d; you used i/d.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 10000 ** ((c // 2) / d))
        ),
        "The exponent is 2i/d, where 2i is the column; you took twice the column.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 10000 ** (2 * c / d))
        ),
        "The base is 10000; yours is 1000.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 1000 ** ((c - c % 2) / d))
        ),
        "The place is divided with //, which cuts the angle to a whole number; use /.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p // 10000 ** ((c - c % 2) / d))
        ),
        "The exponent is 2i/d; // cuts it to a whole number.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 10000 ** ((c - c % 2) // d))
        ),
        "The exponent is 2i/d; you divided by d − 2.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 10000 ** ((c - c % 2) / max(d - 2, 1)))
        ),
        "In the exponent 2i/d, i counts from 0; you counted from 1.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 10000 ** ((c - c % 2 + 2) / d))
        ),
        "A cosine has the frequency of the sine before it; yours has that of the next.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 10000 ** ((c + c % 2) / d))
        ),
        "sin and cos take radians; the angle is not turned from degrees.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](math.radians(p / 10000 ** ((c - c % 2) / d)))
        ),
        "There is no 2π in the formula.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](math.tau * p / 10000 ** ((c - c % 2) / d))
        ),
        "The place p is a whole number; it is not divided by n.": lambda n, d: _table(
            lambda p, c, d: _wave(p / n, c, d)
        )(n, d),
        "You multiplied by 10000^(2i/d); divide by it.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p * 10000 ** ((c - c % 2) / d))
        ),
        "The table is transposed: a row for each place.": lambda n, d: _table(_wave)(n, d).T,
    },
)


order_blind = hw.question(
    "1.11",
    "Attention cannot see order",
    topic="permutation equivariance, positional encoding",
    minutes=15,
    difficulty="medium",
    asks={
        "`equivariance_error`, the largest absolute difference, for any layer": "the equivariance error",
        "the table of sinusoids, any number of places, any even width": "the sinusoids",
    },
    entries=[
        Prediction(
            "prediction_111",
            {
                "A": "the same map",
                "B": "the same weights, with rows and columns shuffled",
                "C": "other weights altogether",
            },
        ),
        EQUIVARIANCE_ERROR,
        POSITIONAL_ENCODING,
        Choice(
            "needs_order",
            {
                "A": "the largest of a list of numbers",
                "B": "whether a sentence contains the word “not”",
                "C": "how many different words a sentence has",
                "D": "who bites whom in “dog bites man”",
            },
            "D",
            {
                "A": "the largest number is the same in every order.",
                "B": "whether a word occurs does not depend on its place.",
                "C": "counting different words gives the same in every order.",
            },
            1,
        ),
        Choice(
            "not_equivariant",
            {
                "A": "self-attention with weight matrices and several heads, no mask",
                "B": "self-attention with the causal mask",
                "C": "the same small neural network applied to each token",
                "D": "self-attention, followed by layer norm over each token's features",
            },
            "B",
            {
                "A": (
                    "weight matrices act on each token alike, and the softmax sums over all keys: still"
                    " equivariant."
                ),
                "C": "what happens to each token alone moves with the token.",
                "D": "layer norm over features treats each token alone: still equivariant.",
            },
            1,
        ),
    ],
    written=Written(
        points=3,
        words=(40, 130),
        rubric={
            "Output is a sum over tokens with weights from pairs of contents,"
            " independent of place (equivariance)": 1,
            "One task that needs order and one that does not": 1,
            "Adding a vector for the place makes equal tokens at different places different,"
            " so scores can depend on position or offset": 1,
        },
        examples={
            "full": (
                "Weights depend on pairs of vectors and the output is a sum over all tokens, so nothing"
                " depends on the place: shuffle the input and the output is shuffled. Bad for translation"
                " (dog bites man), good for point clouds. Adding sinusoids gives equal words different"
                " vectors at different places, and dot products then depend on the offset."
            ),
            "half": (
                "Attention treats the sentence as a bag of words. For translation that is bad since word"
                " order matters, so we add positions."
            ),
            "none": (
                "Self-attention reads all words at the same time and needs a recurrent network to know which"
                " was first."
            ),
        },
    ),
)
order_blind.check_cases("equivariance_error", "the equivariance error", points=2)
order_blind.check_cases("positional_encoding", "the sinusoids", points=3)
