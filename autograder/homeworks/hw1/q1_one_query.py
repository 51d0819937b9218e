"""1.1: attention of one query, from its scores to the output."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograder.declare import NOT_JUDGED, Case, Challenge
from autograder.homeworks.hw1 import public
from autograder.homeworks.hw1.homework import LEAD, LIBRARY, clear_winners, draw, drawn_until, hw
from autograder.homeworks.hw1.mistakes import (
    AFTER,
    BY_VALUES,
    HALF_SOFTMAXES,
    LARGEST_ABSOLUTE,
    NO_EXPONENTIAL,
    NO_SCALE,
    NO_SOFTMAX,
    NOT_DIVIDED,
    OVERFLOW,
    SOFTMAX_TWICE,
    TWICE,
    WRONG_SIGN,
    another_taken_off,
    by_largest_absolute,
    softmax,
    variant,
)

Attend = Callable[[np.ndarray, np.ndarray, np.ndarray], list[np.ndarray]]


def single_queries(rng: np.random.Generator) -> Iterator[Case]:
    """d_k, d_v and n differ, so that confusing them shows."""
    for n, d_k, d_v in ((5, 3, 7), (7, 6, 9), (12, 16, 4)):
        args = [draw(rng, d_k, size=2), draw(rng, n, d_k), draw(rng, n, d_v)]
        yield Case(args, note=f"n = {n} keys with d_k = {d_k}, d_v = {d_v}")
    for sign in (1, -1):
        yield Case(
            [*drawn_until(lambda sign=sign: _large(rng, sign), _clear), draw(rng, 5, 3)],  # type: ignore[misc]
            note=f"scores far {'below' if sign < 0 else 'above'} 0",
            group="large",
        )
    yield Case([draw(rng, 3), draw(rng, 1, 3), draw(rng, 1, 4)], note="a single key (n = 1)", group="one key")


def _large(rng: np.random.Generator, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """A query (4,) and keys (5, 4) whose scores are all large and of this sign, one far above the others."""
    query, keys = np.abs(draw(rng, 4, size=60)) + 60, np.abs(draw(rng, 5, 4, size=10)) + 3
    ahead = np.arange(5) == rng.integers(5)
    return sign * query, keys + 45 * (ahead if sign > 0 else ~ahead)[:, None]


def _clear(drawn: tuple[np.ndarray, np.ndarray]) -> bool:
    """Whether one key wins, by each distance, too, and exp fails, even with the mean subtracted.

    So another similarity in place of the dot product passes here under every seed, and fails elsewhere.
    """
    query, keys = drawn
    scores, apart = keys @ query / 2, keys - query
    near = [-np.abs(apart).sum(axis=1) / 2, -np.square(apart).sum(axis=1) / 2]
    near += [-np.linalg.norm(apart, axis=1) / 2, scores / np.linalg.norm(query)]
    alike = all(clear_winners(one, LEAD) and one.argmax() == scores.argmax() for one in near)
    far = min(scores.max() - scores.mean(), np.abs(scores).min()) > 750  # exp(±750) is infinite or 0
    # two mistakes alike: the sign of scores and of a distance; the mean and the smallest score subtracted
    apart_too = near[0].argmin() != scores.argmin() and np.sort(scores)[-2] - scores.min() > 750
    return clear_winners(scores, LEAD) and alike and bool(far) and (scores.max() < 0 or bool(apart_too))


def single_examples(rng: np.random.Generator) -> Iterator[Case]:
    """Small enough to follow by hand, and one whose scores overflow."""
    yield Case(
        [np.array([1.0, 0.0]), np.eye(2), np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])],
        note="two keys, d_k = 2, d_v = 3",
    )
    yield Case([draw(rng, 4), draw(rng, 5, 4), draw(rng, 5, 3)], note="five keys, d_k = 4, d_v = 3")
    yield Case(
        [np.array([4000.0, 0.0]), np.array([[1.0, 1.0], [0.4, 2.0]]), np.eye(2)],
        note="scores of 2828 and 1131",
        group="large",
    )
    yield Case(
        [np.array([4000.0, 0.0]), np.array([[-1.0, 1.0], [-0.4, 2.0]]), np.eye(2)],
        note="scores of −2828 and −1131",
        group="large",
    )
    yield Case([draw(rng, 3), draw(rng, 1, 3), draw(rng, 1, 4)], note="a single key", group="one key")


def _single(**wrong: Any) -> Callable[..., list[np.ndarray]]:
    def attend(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
        d_k, d_v, n = len(query), values.shape[1], len(keys)
        scale = {"none": 1.0, "d_k": 1 / d_k, "d_v": d_v**-0.5, "n": n**-0.5, "times": d_k**0.5}.get(
            wrong.get("scaled", ""), wrong.get("fixed")
        )
        more = {name: value for name, value in wrong.items() if name not in ("scaled", "fixed")}
        output, weights = variant(query[None], keys, values, scale=scale, **more)
        return [output[0], weights[0]]

    return attend


def _single_oracle(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    output, weights = public.library_attention(query[None], keys, values)
    return [output[0], weights[0]]


def _scores_only(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    scores = keys @ query / np.sqrt(len(query))
    return [scores @ values, scores]


def _scores_for_weights(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    return [_single_oracle(query, keys, values)[0], keys @ query / np.sqrt(len(query))]


def _from_weights(output: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Attend:
    """Right weights (n,), and an output that is another function of them, the keys and the values."""

    def attend(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
        weights = _single_oracle(query, keys, values)[1]
        return [output(weights, keys, values), weights]

    return attend


def _swapped(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    output, weights = _single_oracle(query, keys, values)
    return [weights, output]


def _scaled_after(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    return [part / np.sqrt(len(query)) for part in _single(scaled="none")(query, keys, values)]


def _with_weights(
    weights: Callable[[np.ndarray], np.ndarray],
) -> Callable[[np.ndarray, np.ndarray, np.ndarray], list[np.ndarray]]:
    """Attention whose weights are another function of the scores."""
    return lambda query, keys, values: [weights(keys @ query) @ values, weights(keys @ query)]


def _scored(score: Callable[[np.ndarray, np.ndarray], np.ndarray], scaled: bool) -> Attend:
    """Attention by another similarity of the query (d_k,) and the keys (n, d_k)."""

    def attend(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
        with np.errstate(all="ignore"):
            scores = score(query, keys) / (np.sqrt(len(query)) if scaled else 1)
            weights = np.exp(scores - scores.max())
            weights = weights / weights.sum()
        return [weights @ values, weights]

    return attend


SIMILARITIES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "The scores are cosines; take the dot products q·k, in which length counts{}.": (
        lambda q, k: k @ q / (np.linalg.norm(k, axis=1) * np.linalg.norm(q))
    ),
    "The query is divided by its length; take the dot products q·k{}.": (
        lambda q, k: k @ q / np.linalg.norm(q)
    ),
    "The scores are distances Σ|k − q| with a minus; take the dot products q·k{}.": (
        lambda q, k: -np.abs(k - q).sum(axis=1)
    ),
    "The scores are distances Σ|k − q|; take the dot products q·k{}.": (
        lambda q, k: np.abs(k - q).sum(axis=1)
    ),
    "The scores are distances ‖k − q‖ with a minus; take the dot products q·k{}.": (
        lambda q, k: -np.linalg.norm(k - q, axis=1)
    ),
    "The scores are squared distances ‖k − q‖² with a minus; take the dot products q·k{}.": (
        lambda q, k: -np.square(k - q).sum(axis=1)
    ),
}


SCALED_DOT_PRODUCT_ATTENTION = Challenge(
    "scaled_dot_product_attention",
    cases=single_queries,
    examples=single_examples,
    expected=_single_oracle,
    mistakes={
        OVERFLOW: _single(naive=True),
        NO_SCALE: _single(scaled="none"),
        TWICE: _single(scaled="d_k"),
        "You multiplied by √d_k; divide by it.": _single(scaled="times"),
        BY_VALUES: _single(scaled="d_v"),
        "You scaled by √n, the number of keys; the scores are sums of d_k products.": _single(scaled="n"),
        **{
            f"You divided by {root}, whatever d_k is; take d_k from the shape of the query.": _single(
                fixed=1 / number
            )
            for root, number in (("√2", math.sqrt(2)), ("2", 2.0), ("√64 = 8", 8.0))
        },
        "You took powers of 2; the softmax takes powers of e.": _single(before=lambda s: s * math.log(2)),
        NO_SOFTMAX: _scores_only,
        "Output and weights are swapped: return the output first.": _swapped,
        "The output is the mean of the values: the weights are not used.": (
            _from_weights(lambda w, k, v: v.mean(axis=0))
        ),
        "The output is the sum of the values: the weights are not used.": (
            _from_weights(lambda w, k, v: v.sum(axis=0))
        ),
        "The weighted values are averaged; their sum is the output, because the weights sum to 1.": (
            _from_weights(lambda w, k, v: w @ v / len(w))
        ),
        "The weighted values are summed over the features; sum over the keys.": (
            _from_weights(lambda w, k, v: v.sum(axis=1) * w)
        ),
        "The output is an average of the keys; average the values.": _from_weights(lambda w, k, v: w @ k),
        "The second result holds the scores; return the weights, which are their softmax.": (
            _scores_for_weights
        ),
        WRONG_SIGN: _single(before=np.negative),
        "The scores are absolute values; a key that points away from the query must get less weight.": (
            _single(before=np.abs)
        ),
        SOFTMAX_TWICE: _single(after=softmax),
        **{says: _single(summed=HALF_SOFTMAXES[says]) for says in (NOT_DIVIDED, NO_EXPONENTIAL)},
        **{says: _single(summed=summed) for says, summed in another_taken_off().items()},
        LARGEST_ABSOLUTE: _single(summed=by_largest_absolute),
        "These are sigmoids of the scores; a softmax divides e^score by the sum over the keys.": _single(
            summed=lambda scores: 1 / (1 + np.exp(-scores))
        ),
        "e^score has overflowed, and 0 in place of nan hides it. Subtract the largest score first.": _single(
            naive=True, after=np.nan_to_num
        ),
        "All weights are 1/n: the scores make no difference. If you clip them, large ones are all alike;"
        " subtract the largest instead.": _with_weights(lambda scores: np.full(len(scores), 1 / len(scores))),
        "That is hard attention: the largest score takes all of the weight.": _with_weights(
            lambda scores: np.eye(len(scores))[scores.argmax()]
        ),
        AFTER: _scaled_after,
        **{
            says.format("" if scaled else ", and divide them by √d_k"): _scored(score, scaled)
            for says, score in SIMILARITIES.items()
            for scaled in (True, False)
        },
    },
)


single = hw.question(
    "1.1",
    "One query",
    topic="scaled dot-product attention",
    minutes=7,
    difficulty="easy",
    asks={
        "output and weights by the formula, for any sizes": "output and weights",
        "scores of 1000 or more do not overflow": "large scores do not overflow",
        "any number of keys, one among them": "a single key",
        "in NumPy": NOT_JUDGED,
    },
    forbids=LIBRARY,
    entries=[SCALED_DOT_PRODUCT_ATTENTION],
)
single.check_cases("scaled_dot_product_attention", "output and weights", points=4)
single.check_cases("scaled_dot_product_attention", "large scores do not overflow", points=2, group="large")
single.check_cases("scaled_dot_product_attention", "a single key", points=1, group="one key")
