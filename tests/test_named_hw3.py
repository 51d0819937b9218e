"""What the checks of hw3 say of designs that are nearly right: the reason that a teacher would name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from autograder.declare import Wrong
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.common import ALL_UP_TO_4, ALL_UP_TO_6
from autograder.homeworks.hw3.q1_content import the_gap_is_just_enough_for_six_tokens

ORDER = [2, 0, 3, 1]


def moved(scores: np.ndarray, V: np.ndarray | None = None) -> str | None:
    """3.4: a head with these scores of places, on small and on large inputs."""
    n, d = len(ORDER), 3
    Q, K = np.vstack([np.zeros((d, n)), scores]), np.vstack([np.zeros((d, n)), np.eye(n)])
    values = np.eye(d + n, d) if V is None else V
    inputs = [size * np.random.default_rng(0).normal(size=(n, d)) for size in (1, 10)]
    told = (public.move_problem(Q, K, values, x, ORDER, np.eye(d)) for x in inputs)
    return next(filter(None, told), None)


def convolved(
    change: Callable[[np.ndarray], np.ndarray], gap: float = 100.0, place: float = 0.0
) -> str | None:
    """3.6: three heads whose values are made from a changed kernel."""
    kernel = np.random.default_rng(1).normal(size=(3, 1, 1))
    Q = np.stack([np.vstack([np.zeros((1, 8)), gap * np.eye(8, k=k)]) for k in (-1, 0, 1)])
    K = np.stack([np.vstack([np.zeros((1, 8)), np.eye(8)])] * 3)
    V = np.concatenate([change(kernel), np.full((3, 8, 1), place)], axis=1)
    inputs = [np.pad(np.random.default_rng(n).normal(size=(n - 2, 1)), ((1, 1), (0, 0))) for n in range(3, 9)]
    return public.conv_sum_problem({"pos": np.eye(8), "Q": Q, "K": K, "V": V}, inputs, kernel)


def first(tokens: np.ndarray, places: np.ndarray, asks: np.ndarray) -> str | None:
    """3.2: one column of scores; keys by tokens (3,) and places (4,), queries by places (4,)."""
    K, Q = np.concatenate([tokens, places])[:, None], np.concatenate([np.zeros(3), asks])[:, None]
    return public.first_place_problem(Q, K, np.eye(4), ALL_UP_TO_4)


def previous(token: float, offset: int) -> str | None:
    """3.8a: a head that looks at an offset, and at equal tokens as far as these enter the scores."""
    Q = np.vstack([token * np.eye(4, 8), 60.0 * np.eye(8, k=offset)])
    K = np.vstack([np.eye(4, 8) * (token > 0), np.eye(8)])
    groups = [*public.sequences(4, range(2, 4))]
    return public.previous_problem(Q, K, np.eye(12, 4), np.eye(8), groups)


NONE, ALL = np.zeros(3), np.ones(4)
SAID: list[tuple[Callable[[], str | None], str]] = [
    (lambda: moved(16.0 * np.eye(4)[ORDER]), "but too softly: place"),
    (lambda: moved(-60.0 * np.eye(4)[ORDER]), "sign is reversed"),
    (lambda: moved(60.0 * np.eye(4)), "Each place looks at itself, but place 0 must look at place 2"),
    (lambda: moved(60.0 * np.eye(4)[ORDER], 2 * np.eye(7, 3)), "The attention is right, so look at V"),
    (lambda: moved(1e308 * np.eye(4)[ORDER] * 1e10), "too large for a float"),
    (lambda: convolved(lambda k: k, gap=20.0), "but too softly"),
    (lambda: convolved(lambda k: k, place=1.0), "rows of V that see the place"),
    (lambda: convolved(lambda k: k * [[[1]], [[0]], [[1]]]), "kernel[1] is not used"),
    (lambda: first(NONE, -40.0 * np.eye(4)[0], ALL), "the first place gets the least"),
    (lambda: first(NONE, 40.0 * np.eye(4)[1], ALL), "most of it is on place 1"),
    (lambda: first(NONE, 40.0 * np.eye(4)[0], np.eye(4)[0]), "Does every query ask for place 0?"),
    (lambda: first(np.array([0, 0, 60.0]), 40.0 * np.eye(4)[0], ALL), "it changes with the tokens"),
    (lambda: first(NONE, 40.0 * np.eye(4)[3], ALL), "looks at the last place"),
    (lambda: previous(0.0, -2), "looks two places back"),
    (lambda: previous(60.0, -1), "it changes with the tokens"),
    (lambda: previous(0.0, 0), "looks at its own place"),
    (
        lambda: public.content_attention_problem(50.0 * np.diag([1, 1, 0]), np.eye(3), ALL_UP_TO_6),
        "This query gives every token the same score",
    ),
]


@pytest.mark.parametrize(("design", "says"), SAID)
def test_the_reason_is_named(design: Callable[[], str | None], says: str):
    with np.errstate(all="ignore"):
        assert says in (design() or "")


def test_a_name_explains_every_length_of_a_sequence():
    """Of three places only the middle tap meets no zero, so all of the kernel in one head looked like it."""
    in_one_head = convolved(lambda kernel: kernel.sum(axis=0) * np.array([[[1]], [[0]], [[0]]]))
    assert in_one_head is not None
    assert "is not used" not in in_one_head


@pytest.mark.parametrize(
    ("gap", "says"),
    [
        (np.log(495 / 2), "two kinds"),
        (np.log(495) / 3**0.5, "by √3 twice"),
        (np.log2(495), "base 2"),
        (495.0, "e to the gap"),
    ],
)
def test_a_wrong_gap_is_read(gap: float, says: str):
    verdict = the_gap_is_just_enough_for_six_tokens(np.asarray(gap))
    assert isinstance(verdict, Wrong)
    assert says in verdict.feedback
