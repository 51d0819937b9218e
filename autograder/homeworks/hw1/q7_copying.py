"""1.7: orthogonal vectors that attention copies or mixes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograder.declare import Array, Case, Challenge, Choice, Prediction, Wrong, attention
from autograder.homeworks.hw1 import public
from autograder.homeworks.hw1.homework import THREE_DECIMALS, hw
from autograder.homeworks.hw1.mistakes import HALF_SOFTMAXES, OVERFLOW, WRONG_AXIS, WRONG_MAXIMUM, variant


def orthogonal(rng: np.random.Generator) -> Iterator[Case]:
    """Four orthogonal vectors of norm β in a random basis."""
    for beta, dim in ((1.0, 4), (0.5, 6), (2.5, 5), (40.0, 4)):
        # rounded: the last digits depend on the processor
        basis = np.round(np.linalg.qr(rng.normal(size=(dim, dim)))[0][:4], 9) * beta
        yield Case(list(basis), note=f"β = {beta:g}" + (", scores in the thousands" if beta > 30 else ""))


def _tokens(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """The sequence x0 = d + b, x1 = a, x2 = c + b: (3, dim)."""
    return np.stack([d + b, a, c + b])


def _copied(scale: float = 1.0, **wrong: Any) -> Callable[..., np.ndarray]:
    def attend(*vectors: np.ndarray) -> np.ndarray:
        x = _tokens(*vectors)
        return variant(x, x, x, scale=scale, **wrong)[0]

    return attend


def _copied_oracle(*vectors: np.ndarray) -> np.ndarray:
    x = _tokens(*vectors)
    return public.library_attention(x, x, x, scale=1.0)[0]


X = np.array([[0.0, 1, 0, 1], [1, 0, 0, 0], [0, 1, 1, 0]])  # d + b, a, c + b for β = 1 and unit vectors

# The scores are symmetric here: to take the maximum over columns is to forget keepdims.
HALVES = {says: summed for says, summed in HALF_SOFTMAXES.items() if says != WRONG_MAXIMUM}


def _attended(*vectors: np.ndarray, values: np.ndarray, own: bool = True) -> np.ndarray:
    """The right weights on other values, or with the own place hidden."""
    x = _tokens(*vectors)
    return variant(
        x, x, values, scale=1.0, before=lambda s: s if own else np.where(np.eye(3) > 0, -np.inf, s)
    )[0]


def _plain(x: np.ndarray) -> np.ndarray:
    return variant(x, x, x, scale=1.0)[0]


COPY_OUTPUTS = Challenge(
    "copy_outputs",
    cases=orthogonal,
    examples=orthogonal,  # all four: large scores are shown, too
    expected=_copied_oracle,
    mistakes={
        WRONG_AXIS: _copied(axis=0),
        **{says: _copied(summed=summed) for says, summed in HALVES.items()},
        OVERFLOW: _copied(naive=True),
        "You scaled by 1/√dim; here there is no scale.": (
            lambda a, b, c, d: _copied(len(a) ** -0.5)(a, b, c, d)
        ),
        "You scaled by 1/√3; here there is no scale.": _copied(3**-0.5),
        "Each token also looks at itself; you left that out.": lambda *vectors: _attended(
            *vectors, values=_tokens(*vectors), own=False
        ),
        "Those are the weights; multiply them with the three vectors.": lambda *vectors: _attended(
            *vectors, values=np.eye(3)
        ),
        "The values are the three vectors x0, x1, x2 themselves, not a, b and c.": lambda *vectors: _attended(
            *vectors, values=np.stack(vectors[:3])
        ),
        "x2 is c + b; you took c alone.": lambda a, b, c, d: _plain(np.stack([d + b, a, c])),
        "Each vector stands by itself in your sequence; it is x0 = d + b, x1 = a, x2 = c + b.": (
            lambda *vectors: _plain(np.stack(vectors))
        ),
        "You took the weights of β = 1 for every β; the scores grow like β².": lambda *vectors: (
            variant(X, X, X, scale=1.0)[1] @ _tokens(*vectors)
        ),
        "Every output is the mean of the three: the scores are not used.": lambda *vectors: np.tile(
            _tokens(*vectors).mean(axis=0), (3, 1)
        ),
        "That is the input: for small β the outputs are mixtures.": _tokens,
        "The outputs are transposed: a row for each token.": lambda *vectors: _copied_oracle(*vectors).T,
        "You built the sequence in another order: x0 = d + b, x1 = a, x2 = c + b.": (
            lambda *vectors: _copied_oracle(*vectors)[[1, 0, 2]]
        ),
    },
)


copying = hw.question(
    "1.7",
    "Copying by orthogonality",
    topic="orthogonal keys, copying",
    minutes=7,
    difficulty="medium",
    asks={
        "`norms_17` for β = 2, correct to three decimals": "the norms",
        "`weights_17` for β = 1, correct to three decimals": "the weights for β = 1",
        "`copy_outputs` for any orthogonal vectors of one norm": "the outputs for any β",
    },
    entries=[
        Prediction(
            "prediction_17",
            {"A": "x₀ and x₂, which share b", "B": "x₁, which shares nothing", "C": "all three the same"},
        ),
        Array("norms_17", (3,)),
        Array("weights_17", (3, 3)),
        COPY_OUTPUTS,
        Choice(
            "copy_rate",
            {
                "A": "like 1/β²",
                "B": "like exp(−β²)",
                "C": "like exp(−2β²)",
                "D": "it does not fall, because b stays shared",
            },
            "B",
            {
                "A": "the gap between the scores grows like β², and weights are exponentials of scores.",
                "C": "the rival shares b, so its score is β², not 0: the gap is 2β² − β².",
                "D": "b adds β² to the rival's score, but x₀ has 2β² with itself, and the gap grows.",
            },
            1,
        ),
    ],
)


@copying.check(points=1, needs=["norms_17"])
def the_norms(norms_17: np.ndarray) -> Wrong | None:
    beta = 2.0
    right = np.linalg.norm(beta * X, axis=1)
    if np.allclose(norms_17, right, atol=THREE_DECIMALS):
        return None
    message = f"`norms_17` is {np.round(norms_17, 3).tolist()}."
    if np.allclose(norms_17, right, atol=0.01):
        return Wrong(f"{message} That is close; the question asks for three correct decimals.")
    if np.allclose(norms_17, right**2, atol=THREE_DECIMALS):
        return Wrong(f"{message} Those are the squares of the norms.")
    if np.allclose(norms_17, right / beta, atol=THREE_DECIMALS):
        return Wrong(f"{message} Those are the norms for β = 1; give those for β = 2.")
    if np.allclose(norms_17, [2 * beta, beta, 2 * beta], atol=THREE_DECIMALS):
        return Wrong(f"{message} Norms of orthogonal vectors don't add; their squares do (Pythagoras).")
    return Wrong(f"{message} Use Pythagoras: |d + b|² = |d|² + |b|² for orthogonal d and b.")


def _mistaken_weights(x: np.ndarray = X, scale: float = 1.0, **wrong: Any) -> np.ndarray:
    """The weights (3, 3) of the three tokens with one mistake."""
    return variant(x, x, x, scale=scale, **wrong)[1]


@copying.check("the weights for β = 1", points=2, needs=["weights_17"])
def the_weights(weights_17: np.ndarray) -> Wrong | None:
    found = np.asarray(weights_17, dtype=float)
    right = public.library_attention(X, X, X, scale=1.0)[1]
    if np.allclose(found, right, atol=THREE_DECIMALS):
        return None
    shown = attention("The weights that you recorded", ["x0", "x1", "x2"], {"": found})
    readings = {
        WRONG_AXIS: _mistaken_weights(axis=0),
        "You scaled by 1/√4; here there is no scale.": _mistaken_weights(scale=0.5),
        "You scaled by 1/√3; here there is no scale.": _mistaken_weights(scale=3**-0.5),
        "Those are the weights for β = 2; the scores grow like β².": _mistaken_weights(2 * X),
        **{says: _mistaken_weights(summed=summed) for says, summed in HALVES.items()},
        "The softmax is not finished: divide each e^score by the sum of its row.": np.exp(X @ X.T),
        "The score of x0 with itself is |x0|² = 2β², as that of x2.": _mistaken_weights(
            before=lambda scores: np.minimum(scores, 1.0)
        ),
        "Only b is in both x0 and x2, so x0·x2 is β², not 2β².": _mistaken_weights(
            before=lambda scores: scores + (scores + np.eye(3) == 1) * (1 - np.eye(3))
        ),
        "Those are the weights for very large β; at β = 1 each token also looks at the others.": np.eye(3),
        "The scores are plain dot products; you took cosines.": _mistaken_weights(
            X / np.linalg.norm(X, axis=1, keepdims=True)
        ),
        "You took x0·x2 = 0, but they share b, so it is β².": _mistaken_weights(before=_diagonal),
        "Orthogonal tokens have the score 0, and e⁰ is 1: their weight is not 0.": _mistaken_weights(
            before=lambda scores: np.where(scores == 0, -np.inf, scores)
        ),
        "Those are the scores; the softmax is missing.": X @ X.T,
    }
    if np.allclose(found, right, atol=0.01):
        return Wrong("The weights are close; the question asks for three correct decimals.", evidence=shown)
    for says, value in readings.items():
        if np.allclose(found, value, atol=THREE_DECIMALS):
            return Wrong(says, evidence=shown)
    row = int(np.argwhere(~np.isclose(found, right, atol=THREE_DECIMALS).all(1))[0, 0])
    return Wrong(
        f"Row {row} of `weights_17` is {np.round(found[row], 3).tolist()}. Write the three dot products"
        f" of x{row} down first.",
        evidence=shown,
    )


def _diagonal(scores: np.ndarray) -> np.ndarray:
    return np.diag(np.diag(scores))


copying.check_cases("copy_outputs", "the outputs for any β", points=3)
