"""1.8: how the output changes to first order when one key moves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from autograder.declare import NOT_JUDGED, Case, Challenge, Choice, Prediction
from autograder.homeworks.hw1 import public
from autograder.homeworks.hw1.homework import draw, drawn_until, hw

# Hidden nudges bend the output less than those that a notebook shows: a difference quotient that is precise
# enough at home is so in grading.
BENDING, BENDING_SHOWN = (0.3, 1.0), (1.2, 3.0)
THREE_DIGITS = 1e-3


def nudges(rng: np.random.Generator) -> Iterator[Case]:
    """Nudges large enough that the exact change differs from the first-order one."""
    for sizes in ((4, 3, 2, 2), (6, 5, 3, 5), (3, 2, 4, 0), (8, 4, 1, 3)):
        yield _nudge(rng, *sizes, *BENDING)


def nudges_shown(rng: np.random.Generator) -> Iterator[Case]:
    """Nudges that bend the output more than any hidden one."""
    for sizes in ((4, 3, 2, 2), (6, 5, 3, 5), (3, 2, 4, 0)):
        yield _nudge(rng, *sizes, *BENDING_SHOWN)


def _nudge(rng: np.random.Generator, n: int, d_k: int, d_v: int, j: int, least: float, most: float) -> Case:
    """A case whose bending lies between two numbers."""

    def made() -> list[np.ndarray]:
        return [draw(rng, d_k) + 0.5, draw(rng, n, d_k), draw(rng, n, d_v), draw(rng, d_k) + 0.3]

    query, keys, values, epsilon = drawn_until(
        made, lambda drawn: least <= bending(drawn[0], drawn[1], j, drawn[3]) <= most
    )
    return Case([query, keys, values, j, epsilon], note=f"n = {n}, d_k = {d_k}, d_v = {d_v}, key {j} moved")


def bending(query: np.ndarray, keys: np.ndarray, j: int, epsilon: np.ndarray) -> float:
    """The second-order change of the output over its first-order change; it is the same for all its numbers.

    A forward difference quotient with step h is wrong by this share times h.
    """
    _, weights = public.library_attention(query[None], keys, keys)
    return abs(float(query @ epsilon) / math.sqrt(len(query)) * (0.5 - float(weights[0, j])))


def _jvp(query: np.ndarray, keys: np.ndarray, values: np.ndarray, j: int, epsilon: np.ndarray) -> np.ndarray:
    """The Jacobian–vector product by torch's automatic differentiation: one gradient an output number."""
    import torch

    k = torch.tensor(keys, requires_grad=True)
    output = torch.softmax(k @ torch.tensor(query) / math.sqrt(len(query)), dim=0) @ torch.tensor(values)
    jacobian = [torch.autograd.grad(number, k, retain_graph=True)[0][j].numpy() for number in output]
    return np.stack(jacobian) @ epsilon


def _nudged(change: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """A mistake from a formula.

    It knows the weights w, the output y, the values v, the moved key j, the change s of its score, and d_k
    as d.
    """

    def wrong(
        query: np.ndarray, keys: np.ndarray, values: np.ndarray, j: int, epsilon: np.ndarray
    ) -> np.ndarray:
        output, weights = public.library_attention(query[None], keys, values)
        return change(
            w=weights[0],
            y=output[0],
            v=values,
            j=j,
            s=float(query @ epsilon) / math.sqrt(len(query)),
            d=len(query),
        )

    return wrong


def _exact(
    query: np.ndarray, keys: np.ndarray, values: np.ndarray, j: int, epsilon: np.ndarray
) -> np.ndarray:
    moved = keys + epsilon * (np.arange(len(keys)) == j)[:, None]
    return np.asarray(
        public.library_attention(query[None], moved, values)[0][0]
        - public.library_attention(query[None], keys, values)[0][0]
    )


def _quotient(step: float) -> Callable[..., np.ndarray]:
    """A forward difference quotient."""

    def wrong(
        query: np.ndarray, keys: np.ndarray, values: np.ndarray, j: int, epsilon: np.ndarray
    ) -> np.ndarray:
        return _exact(query, keys, values, j, step * epsilon) / step

    return wrong


def _never_scaled(
    query: np.ndarray, keys: np.ndarray, values: np.ndarray, j: int, epsilon: np.ndarray
) -> np.ndarray:
    output, weights = public.library_attention(query[None], keys, values, scale=1.0)
    return np.asarray(weights[0, j] * (values[j] - output[0]) * (query @ epsilon))


def _by_the_key(
    query: np.ndarray, keys: np.ndarray, values: np.ndarray, j: int, epsilon: np.ndarray
) -> np.ndarray:
    output, weights = public.library_attention(query[None], keys, values)
    return np.asarray(weights[0, j] * (values[j] - output[0]) * (keys[j] @ epsilon) / math.sqrt(len(query)))


def _jacobian(
    query: np.ndarray, keys: np.ndarray, values: np.ndarray, j: int, epsilon: np.ndarray
) -> np.ndarray:
    output, weights = public.library_attention(query[None], keys, values)
    return np.outer(weights[0, j] * (values[j] - output[0]), query) / math.sqrt(len(query))


def _unscaled_weights(
    query: np.ndarray, keys: np.ndarray, values: np.ndarray, j: int, epsilon: np.ndarray
) -> np.ndarray:
    return _never_scaled(query, keys, values, j, epsilon) / math.sqrt(len(query))


FIRST_ORDER_CHANGE = Challenge(
    "first_order_change",
    cases=nudges,
    examples=nudges_shown,
    expected=_jvp,
    rtol=THREE_DIGITS,
    mistakes={
        "That is the exact difference of two outputs; the question asks for the change to first order,"
        " which is linear in ε.": _exact,
        "The scale 1/√d_k is missing.": _nudged(lambda w, y, v, j, s, d: w[j] * (v[j] - y) * s * d**0.5),
        "You forgot that the other weights shrink when w_j grows,"
        " so that the others' values count less.": _nudged(lambda w, y, v, j, s, d: w[j] * v[j] * s),
        "You only changed w_j; the other weights change too.": _nudged(
            lambda w, y, v, j, s, d: w[j] * (1 - w[j]) * v[j] * s
        ),
        "The sign is reversed: a larger score moves the output toward v_j.": _nudged(
            lambda w, y, v, j, s, d: w[j] * (y - v[j]) * s
        ),
        "A key that hardly gets any attention hardly changes the output: a factor is missing.": _nudged(
            lambda w, y, v, j, s, d: (v[j] - y) * s
        ),
        "That is the new output; the question asks for the change.": _nudged(
            lambda w, y, v, j, s, d: y + w[j] * (v[j] - y) * s
        ),
        "The scale 1/√d_k is missing, in the weights too.": _never_scaled,
        "The score of key j is q·k_j/√d_k, so it changes with q·ε, not with k_j·ε.": _by_the_key,
        "You moved key 0, whatever j is.": _nudged(lambda w, y, v, j, s, d: w[0] * (v[0] - y) * s),
        "That is the Jacobian of the output, (d_v, d_k); multiply it by ε.": _jacobian,
        "The scale 1/√d_k is missing in the weights.": _unscaled_weights,
        "You subtracted the plain mean of the values; it is y, the mean by the weights.": _nudged(
            lambda w, y, v, j, s, d: w[j] * (v[j] - v.mean(axis=0)) * s
        ),
        "That is what the other weights lose; what w_j gains for its own value is missing.": _nudged(
            lambda w, y, v, j, s, d: -w[j] * y * s
        ),
        "You moved all keys, and then nothing changes; key j alone moves.": _nudged(
            lambda w, y, v, j, s, d: np.zeros_like(y)
        ),
        "You moved the key before key j: j counts from 0.": _nudged(
            lambda w, y, v, j, s, d: w[j - 1] * (v[j - 1] - y) * s
        ),
        "The factor 1 − w_j is one too many: v_j − y already holds what the other weights lose.": _nudged(
            lambda w, y, v, j, s, d: w[j] * (1 - w[j]) * (v[j] - y) * s
        ),
        "The scale stands twice.": _nudged(lambda w, y, v, j, s, d: w[j] * (v[j] - y) * s / d**0.5),
        **{
            "That is a difference quotient whose step is too large for three right digits"
            f" ({step:g}, …): find the formula, or take a much smaller step.": _quotient(step)
            for step in (0.1, 0.01, 0.001)
        },
    },
)


CHANGES = {"A": "it rises", "B": "it falls", "C": "it stays"}

nudging = hw.question(
    "1.8",
    "Nudging a key",
    topic="first-order change, Jacobian–vector product",
    minutes=12,
    extra=True,
    difficulty="hard",
    asks={
        "the change of the output to first order in ε": "the first-order change",
        "the formula found by hand": NOT_JUDGED,
    },
    entries=[
        Prediction("prediction_18", {"A": "ten times", "B": "a hundred times", "C": "it stays"}),
        FIRST_ORDER_CHANGE,
        Choice(
            "scaled_positive",
            CHANGES,
            "A",
            {
                "B": "the score q·k_j > 0 is multiplied by α > 1, so it grows.",
                "C": "the score changes from q·k_j to α q·k_j, which is larger.",
            },
            1,
        ),
        Choice(
            "scaled_negative",
            CHANGES,
            "B",
            {
                "A": "a negative score times α > 1 is more negative.",
                "C": "the score changes from q·k_j to α q·k_j, which is more negative.",
            },
            1,
        ),
        Choice(
            "scaled_zero",
            CHANGES,
            "C",
            {"A": "α times 0 is 0: no score changes.", "B": "α times 0 is 0: no score changes."},
            1,
        ),
    ],
)
nudging.check_cases("first_order_change", "the first-order change", points=4)
