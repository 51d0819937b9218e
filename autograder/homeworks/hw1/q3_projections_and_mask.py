"""1.3: self-attention of all queries at once, with projections and a mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge, Prediction, Wrong, drawn_as_matrix, not_run, wrong_on
from autograder.homeworks.hw1 import public
from autograder.homeworks.hw1.homework import LEAD, LIBRARY, clear_winners, draw, drawn_until, hw
from autograder.homeworks.hw1.mistakes import (
    AFTER,
    BY_VALUES,
    HALF_SOFTMAXES,
    NO_SCALE,
    ONE_MAXIMUM,
    SOFTMAX_TWICE,
    TWICE,
    WRONG_AXIS,
    WRONG_SIGN,
    softmax,
    variant,
)
from autograder.kit import Trial

Mask = np.ndarray | None


def sequences(rng: np.random.Generator) -> Iterator[Case]:
    """Shapes in which n, d, d_k and d_v differ; the last group counts steps."""
    for n, d, d_k, d_v in ((1, 4, 3, 2), (5, 6, 3, 4), (9, 100, 37, 5)):
        yield Case(_projected(rng, n, d, d_k, d_v), note=f"n = {n}, d = {d}, d_k = {d_k}, d_v = {d_v}")
    yield Case(drawn_until(lambda: _steep(rng, 6, 100), _clear), note="scores in the thousands")
    for n, d, d_k, d_v in ((5, 4, 3, 2), (7, 3, 4, 5)):
        yield _mildly_masked(rng, (n, d, d_k, d_v), np.tri(n, dtype=bool), f"the causal mask for n = {n}")
        allowed = (rng.random((n, n)) < 0.4) | np.eye(n, dtype=bool)
        yield _mildly_masked(rng, (n, d, d_k, d_v), allowed, f"a random mask for n = {n}")
    yield _steep_masked(rng, 6)
    yield Case(_projected(rng, 36, 4, 3, 2), {"lengths": [4, 12, 36]}, "n = 4, 12 and 36", "steps", "steps")


def sequence_examples(rng: np.random.Generator) -> Iterator[Case]:
    """Small ones for the notebook."""
    yield Case(_projected(rng, 4, 5, 3, 2), note="n = 4, d = 5, d_k = 3, d_v = 2")
    yield Case(
        _projected(rng, 3, 5, 2, 6), {"mask": np.tri(3, dtype=bool)}, "the causal mask for n = 3", "masked"
    )
    yield Case(drawn_until(lambda: _steep(rng, 3, 100), _clear), note="scores in the thousands")
    yield _steep_masked(rng, 4)
    yield Case(_projected(rng, 20, 2, 3, 1), {"lengths": [4, 10, 20]}, "n = 20", "steps", "steps")


def _steep(rng: np.random.Generator, n: int, size: float) -> list[np.ndarray]:
    """A sequence with large scores."""
    X, *weights = _projected(rng, n, 4, 3, 2)
    return [(size * X).round(3), *weights]


def _scores(args: list[np.ndarray]) -> np.ndarray:
    X, W_Q, W_K, _ = args
    return np.asarray(X @ W_Q @ (X @ W_K).T / np.sqrt(W_K.shape[1]))


def _clear(args: list[np.ndarray]) -> bool:
    return clear_winners(_scores(args), LEAD)


def _mildly_masked(
    rng: np.random.Generator, sizes: tuple[int, int, int, int], allowed: np.ndarray, note: str
) -> Case:
    """No masked score is far above what its query may see: −20 hides it, under every seed."""

    def fits(args: list[np.ndarray]) -> bool:
        scores = _scores(args)
        seen, hidden = np.where(allowed, scores, -np.inf), np.where(allowed, -np.inf, scores)
        return bool((hidden.max(axis=1) - seen.max(axis=1) < 4).all())

    return Case(drawn_until(lambda: _projected(rng, *sizes), fits), {"mask": allowed}, note, "masked")


def _steep_masked(rng: np.random.Generator, n: int) -> Case:
    """A case in which no number of the size of scores can stand for −∞; −1e9 can.

    Each query may see half of the keys. For one query all that it may see scores below −2 million; for one,
    what it may not see scores 2 million higher than what it may.
    """
    allowed = (np.arange(n)[:, None] + np.arange(n)) % 2 == 0

    def fits(args: list[np.ndarray]) -> bool:
        scores = _scores(args)
        seen = np.where(allowed, scores, -np.inf)
        best, hidden = seen.max(axis=1), np.where(allowed, -np.inf, scores).max(axis=1)
        low, outweighed = best < -2e6, hidden - best > 2e6
        sure = (low | (best > 0)) & (outweighed | (hidden < best))  # the same for each finite number
        # a float32 holds such scores to a few units
        return bool(low.any() and outweighed.any() and sure.all()) and clear_winners(seen, 100 * LEAD)

    args = drawn_until(lambda: _steep(rng, n, 2000), fits)
    return Case(args, {"mask": allowed}, f"a mask for n = {n} and scores in the millions", "masked")


def _projected(rng: np.random.Generator, n: int, d: int, d_k: int, d_v: int) -> list[np.ndarray]:
    """X with unit entries and weights that keep the scores of a size at which the scale matters."""
    small = 2 * d**-0.5
    return [
        draw(rng, n, d),
        draw(rng, d, d_k, size=small),
        draw(rng, d, d_k, size=small),
        draw(rng, d, d_v, size=small),
    ]


def _sequence_oracle(
    X: np.ndarray, W_Q: np.ndarray, W_K: np.ndarray, W_V: np.ndarray, mask: Mask = None, lengths: Any = None
) -> np.ndarray:
    return public.library_attention(X @ W_Q, X @ W_K, X @ W_V, mask=mask)[0]


def _masked(mask: Mask) -> Callable[[np.ndarray], np.ndarray]:
    return lambda scores: scores if mask is None else np.where(mask, scores, -np.inf)


def _sequence(
    make: Callable[[np.ndarray, np.ndarray, np.ndarray, Mask], np.ndarray],
) -> Callable[..., np.ndarray]:
    def attend(
        X: np.ndarray,
        W_Q: np.ndarray,
        W_K: np.ndarray,
        W_V: np.ndarray,
        mask: Mask = None,
        lengths: Any = None,
    ) -> np.ndarray:
        with np.errstate(all="ignore"):
            return make(X @ W_Q, X @ W_K, X @ W_V, mask)

    return attend


def _scaled(scale: Callable[[np.ndarray, np.ndarray], float], **more: Any) -> Callable[..., np.ndarray]:
    return _sequence(
        lambda Q, K, V, mask: variant(Q, K, V, scale=scale(Q, V), before=_masked(mask), **more)[0]
    )


def _by_width(
    X: np.ndarray, W_Q: np.ndarray, W_K: np.ndarray, W_V: np.ndarray, mask: Mask = None, lengths: Any = None
) -> np.ndarray:
    return variant(X @ W_Q, X @ W_K, X @ W_V, scale=X.shape[1] ** -0.5, before=_masked(mask))[0]


def _inverted(mask: Mask) -> Mask:
    return None if mask is None else ~mask


def _transposed(mask: Mask) -> Mask:
    return None if mask is None else mask.T


EXACTLY_0 = "Its weight must be exactly 0: take −∞."
# The words for −20 and −1e6 are the same but for the numbers in brackets: where scores are small, the two
# give the same to six digits or not, as the draw has it.
FINITE_SCORES = {
    (-20.0, False): (
        "A masked score is set to a finite number (−20, −1000, …), but other scores may be lower still."
    ),
    (-1e6, False): (
        "A masked score is set to a finite number (−100, −1000, …), but other scores may be lower still."
    ),
    (-10.0, False): "A masked score of −10 is not low enough.",
    (-20.0, True): (
        "A finite number (20, 1000, …) is taken off a masked score, but it may be larger by more than that."
    ),
    (-1e6, True): (
        "A finite number (100, 1000, …) is taken off a masked score, but it may be larger by more than that."
    ),
    (-10.0, True): "Taking 10 off a masked score is not enough.",
}


def _finite(number: float, *, added: bool) -> Callable[..., np.ndarray]:
    """A finite number where −∞ belongs: in place of a score, or added to it."""

    def change(scores: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.where(mask, scores, number + (scores if added else 0.0))

    return _sequence(
        lambda Q, K, V, mask: variant(
            Q, K, V, before=lambda scores: scores if mask is None else change(scores, mask)
        )[0]
    )


def _spoiled(mask: Mask) -> Callable[[np.ndarray], np.ndarray]:
    return lambda scores: scores if mask is None else scores + -np.inf * ~mask


def _added(mask: Mask) -> Callable[[np.ndarray], np.ndarray]:
    return lambda scores: scores if mask is None else scores + mask


def _largest_of_all(mask: Mask) -> Callable[[np.ndarray], np.ndarray]:
    """A softmax whose maximum is taken before the mask."""

    def softmax(scores: np.ndarray) -> np.ndarray:
        weights = _cut(mask)(np.exp(scores - scores.max(axis=1, keepdims=True)))
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    return softmax


def _causal(scores: np.ndarray) -> np.ndarray:
    return np.where(np.tri(len(scores), dtype=bool), scores, -np.inf)


def _cut(mask: Mask) -> Callable[[np.ndarray], np.ndarray]:
    return lambda weights: weights if mask is None else weights * mask


CAUSAL_MASK = Challenge(
    "causal_mask",
    cases=lambda rng: (Case([n], note=f"n = {n}") for n in (int(rng.integers(3, 6)), 1, 2, 9)),
    expected=lambda n: np.arange(n)[:, None] >= np.arange(n),
    picture=drawn_as_matrix("Your mask: 1 where looking is allowed", x="key", y="query"),
    mistakes={
        "Your mask is inverted: True must stand where looking is allowed.": lambda n: (
            np.arange(n)[:, None] < np.arange(n)
        ),
        "Your mask is transposed: rows are queries, and a query must not see later keys.": lambda n: (
            np.arange(n)[:, None] <= np.arange(n)
        ),
        "A token must not see the one after it.": lambda n: np.arange(n)[:, None] + 1 >= np.arange(n),
        "A token may see itself: the diagonal is True.": lambda n: np.arange(n)[:, None] > np.arange(n),
    },
)


ATTENTION = Challenge(
    "attention",
    cases=sequences,
    examples=sequence_examples,
    expected=_sequence_oracle,
    mistakes={
        WRONG_AXIS: _scaled(lambda Q, V: Q.shape[1] ** -0.5, axis=0),
        "The largest score is taken over hidden keys, too. Where one of them is far larger, all e^score that"
        " count become 0: take it among the keys that the query may see.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, summed=_largest_of_all(mask))[0]
        ),
        "e^score has overflowed, or became 0 for a whole row. Subtract from each row its largest score, among"
        " the keys that it may see, before the exponential.": _scaled(
            lambda Q, V: Q.shape[1] ** -0.5, naive=True
        ),
        AFTER: _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, scale=1.0, before=_masked(mask))[0] / np.sqrt(K.shape[1])
        ),
        "Every row is the mean of the values: the scores are not used.": _sequence(
            lambda Q, K, V, mask: np.tile(V.mean(axis=0), (len(Q), 1))
        ),
        NO_SCALE: _scaled(lambda Q, V: 1.0),
        TWICE: _scaled(lambda Q, V: 1 / Q.shape[1]),
        BY_VALUES: _scaled(lambda Q, V: V.shape[1] ** -0.5),
        "You scaled by √n; it is √d_k.": _scaled(lambda Q, V: len(Q) ** -0.5),
        "You scaled by √d, the width of X; it is √d_k.": _by_width,
        **{
            says: _scaled(lambda Q, V: Q.shape[1] ** -0.5, summed=summed)
            for says, summed in HALF_SOFTMAXES.items()
            if says != ONE_MAXIMUM
        },
        # under a mask, the whole matrix and the hidden keys of a row are the same to every draw
        ONE_MAXIMUM: _sequence(
            lambda Q, K, V, mask: (
                variant(Q, K, V, summed=HALF_SOFTMAXES[ONE_MAXIMUM])[0] if mask is None else np.zeros(0)
            )
        ),
        "Your output is transposed: return (n, d_v).": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=_masked(mask))[0].T
        ),
        "Queries and keys are swapped: row i of the scores must belong to query i.": _sequence(
            lambda Q, K, V, mask: variant(K, Q, V, before=_masked(mask))[0]
        ),
        "Keys come from W_K; yours are the queries.": _sequence(
            lambda Q, K, V, mask: variant(Q, Q, V, before=_masked(mask))[0]
        ),
        "Queries come from W_Q; yours are the keys.": _sequence(
            lambda Q, K, V, mask: variant(K, K, V, before=_masked(mask))[0]
        ),
        WRONG_SIGN: _sequence(lambda Q, K, V, mask: variant(Q, K, V, before=lambda s: _masked(mask)(-s))[0]),
        SOFTMAX_TWICE: _scaled(lambda Q, V: Q.shape[1] ** -0.5, after=softmax),
        "You multiplied by √d_k; divide by it.": _scaled(lambda Q, V: Q.shape[1] ** 0.5),
        "The scores themselves weigh the values: the softmax is missing.": _scaled(
            lambda Q, V: Q.shape[1] ** -0.5, summed=np.asarray
        ),
        "You always mask later tokens; without a mask each query may see every key.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=lambda s: _causal(_masked(mask)(s)))[0]
        ),
        "The mask is not used.": _sequence(lambda Q, K, V, mask: variant(Q, K, V)[0]),
        "Your mask is inverted: True means that the query may look at the key.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=_masked(_inverted(mask)))[0]
        ),
        "The mask is applied after the softmax, so the rows no longer sum to 1:"
        " set the scores to −∞ before it.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, after=_cut(mask))[0]
        ),
        "Masked scores are set to 0, but e^0 = 1 still gets attention: they must be −∞.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=_cut(mask))[0]
        ),
        "The mask is added as numbers (0 and 1): set the scores to −∞ where it is False.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=_added(mask))[0]
        ),
        **{
            f"{told} {EXACTLY_0}": _finite(number, added=added)
            for (number, added), told in FINITE_SCORES.items()
        },
        "Your mask is inverted: a large number is taken off where it is True.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=lambda s: s if mask is None else s - 1e9 * mask)[0]
        ),
        "−∞ times 0 is nan, so multiplying −∞ by a mask spoils each score: choose with np.where.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=_spoiled(mask))[0]
        ),
        "The mask is transposed.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=_masked(_transposed(mask)))[0]
        ),
    },
)


matrix = hw.question(
    "1.3",
    "All queries at once",
    topic="self-attention with projections and masks",
    minutes=12,
    difficulty="medium",
    asks={
        "self-attention for any n, d, d_k, d_v": "self-attention of any size",
        "masked weights are exactly 0, rows sum to 1, also where scores are large": "the mask",
        "`causal_mask`, bool (n, n)": "the causal mask",
        "no loop: the number of Python steps does not grow with n": "no loop over tokens",
    },
    forbids=LIBRARY,
    entries=[
        Prediction("prediction_13", {"A": "row 0", "B": "the last row", "C": "none"}),
        CAUSAL_MASK,
        ATTENTION,
    ],
)
matrix.check_cases("attention", "self-attention of any size", points=4)
matrix.check_cases("attention", "the mask", points=3, group="masked")
matrix.check_cases("causal_mask", "the causal mask", points=1)


@matrix.check(points=2, needs=["attention"])
def no_loop_over_tokens(attention: list[Trial]) -> Wrong | None:
    trial = next(trial for trial in attention if trial.group == "steps")
    if trouble := not_run("attention", trial):
        return trouble
    return wrong_on(trial, public.loop_problem(trial))
