"""hw1's challenges: how hidden inputs are drawn, what is right, and what each known mistake would give.

Oracles are PyTorch's own functions in float64, automatic differentiation or enumeration. Mistakes are the
same formulas
in NumPy with one thing wrong; they only serve to name what went wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np

from autograder.declare.evidence import drawn_as_matrix
from autograder.declare.homework import Case, Challenge
from autograder.homeworks.hw1 import public


def draw(rng: np.random.Generator, *shape: int, size: float = 1.0) -> np.ndarray:
    """Normal numbers rounded to three decimals, so that public examples stay short."""
    return (size * rng.normal(size=shape)).round(3) + 0.0


Summed = Callable[[np.ndarray], np.ndarray]


def variant(
    Q: np.ndarray,
    K: np.ndarray,
    V: np.ndarray,
    *,
    scale: float | None = None,
    axis: int = 1,
    summed: Summed | None = None,
    before: Callable[[np.ndarray], np.ndarray] = lambda scores: scores,
    after: Callable[[np.ndarray], np.ndarray] = lambda weights: weights,
    naive: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Attention with one thing wrong: Q (n, d_k), K (m, d_k), V (m, d_v) → output (n, d_v) and weights (n, m).

    ``summed`` replaces maximum and sum by others, of shapes that broadcast against the scores.
    """
    with np.errstate(all="ignore"):
        scores = before(Q @ K.T * (1 / np.sqrt(K.shape[1]) if scale is None else scale))
        if summed:
            weights = after(summed(scores))
            return weights @ V, weights
        weights = np.exp(scores if naive else scores - scores.max(axis, keepdims=True))
        weights = after(weights / weights.sum(axis, keepdims=True))
        return weights @ V, weights


NO_SCALE = "The scale 1/√d_k is missing."


TWICE = "You divided by d_k (or by √d_k twice); it is √d_k, once."


BY_VALUES = "You scaled by √d_v, the size of the values; the scores are sums of d_k products."


WRONG_AXIS = "Your softmax is over the wrong axis: for each query the weights must sum to 1 over the keys."


OVERFLOW = "e^score has overflowed. Subtract the largest score before the exponential."


def _half(largest: Summed, total: Summed) -> Summed:
    """A softmax over rows whose maximum or sum is taken in another way; a ValueError where the shapes don't broadcast."""

    def softmax(scores: np.ndarray) -> np.ndarray:
        weights = np.exp(scores - largest(scores))
        return np.asarray(weights / total(weights))

    return softmax


def _rows(numbers: np.ndarray) -> np.ndarray:
    return numbers.max(axis=1, keepdims=True)


def _sums(numbers: np.ndarray) -> np.ndarray:
    return numbers.sum(axis=1, keepdims=True)


# Softmaxes of a matrix of scores that go wrong in a half of the formula only.
HALF_SOFTMAXES: dict[str, Summed] = {
    "You divided by the sums over the wrong axis: for each query the weights must sum to 1 over the keys.": (
        _half(_rows, lambda e: e.sum(axis=0, keepdims=True))
    ),
    "You divided by the sum of the whole matrix: each query needs its own sum (axis and keepdims).": _half(
        lambda s: s.max(), lambda e: e.sum()
    ),
    "keepdims=True is missing in the sum: now column j is divided by the sum of row j.": _half(
        _rows, lambda e: e.sum(axis=1)
    ),
    "keepdims=True is missing in the maximum: now column j loses the maximum of row j.": _half(
        lambda s: s.max(axis=1), _sums
    ),
    "keepdims=True is missing in maximum and sum: now they work on columns, not on rows.": _half(
        lambda s: s.max(axis=1), lambda e: e.sum(axis=1)
    ),
}


NO_SOFTMAX = "These are the scores themselves: the softmax is missing."


# 1.1 --------------------------------------------------------------------------------------------------------


def single_queries(rng: np.random.Generator) -> Iterator[Case]:
    """d_k, d_v and n differ, so that confusing them shows."""
    for n, d_k, d_v in ((4, 3, 2), (7, 5, 9), (12, 16, 4)):
        args = [draw(rng, d_k, size=2), draw(rng, n, d_k), draw(rng, n, d_v)]
        yield Case(args, note=f"n = {n} keys with d_k = {d_k}, d_v = {d_v}")
    for sign in (1, -1):
        keys = draw(rng, 5, 4, size=30)
        query = sign * np.abs(draw(rng, 4, size=30)) + sign * 40
        yield Case(
            [query, sign * sign * np.abs(keys) + 5, draw(rng, 5, 3)],
            note=f"scores around {'-' if sign < 0 else ''}3000",
            group="large",
        )
    yield Case([draw(rng, 3), draw(rng, 1, 3), draw(rng, 1, 4)], note="a single key (n = 1)", group="one key")


def single_examples(rng: np.random.Generator) -> Iterator[Case]:
    """Small enough to follow by hand, and one whose scores overflow."""
    yield Case(
        [np.array([1.0, 0.0]), np.eye(2), np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])],
        note="two keys, d_k = 2, d_v = 3",
    )
    yield Case([draw(rng, 4), draw(rng, 5, 4), draw(rng, 5, 3)], note="five keys, d_k = 4, d_v = 3")
    yield Case(
        [np.array([2000.0, 0.0]), np.array([[1.0, 1.0], [0.9, 2.0]]), np.eye(2)],
        note="scores around 1400",
        group="large",
    )


def _single(**wrong: Any) -> Callable[..., list[np.ndarray]]:
    def attend(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
        d_k, d_v, n = len(query), values.shape[1], len(keys)
        scale = {"none": 1.0, "d_k": 1 / d_k, "d_v": d_v**-0.5, "n": n**-0.5, "times": d_k**0.5}.get(
            wrong.get("scaled", "")
        )
        more = {name: value for name, value in wrong.items() if name != "scaled"}
        output, weights = variant(query[None], keys, values, scale=scale, **more)
        return [output[0], weights[0]]

    return attend


def _single_oracle(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    output, weights = public.library_attention(query[None], keys, values)
    return [output[0], weights[0]]


def _scores_only(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    scores = keys @ query / np.sqrt(len(query))
    return [scores @ values, scores]


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
        NO_SOFTMAX: _scores_only,
        "Output and weights are swapped: return the output first.": lambda q, k, v: _single_oracle(q, k, v)[
            ::-1
        ],
        "The output is the mean of the values: the weights are not used.": lambda q, k, v: [
            v.mean(axis=0),
            _single_oracle(q, k, v)[1],
        ],
    },
)


# 1.2 --------------------------------------------------------------------------------------------------------


# 1.3 --------------------------------------------------------------------------------------------------------


def sequences(rng: np.random.Generator) -> Iterator[Case]:
    """Shapes in which n, d, d_k and d_v differ; the last group counts steps."""
    for n, d, d_k, d_v in ((1, 4, 3, 2), (5, 6, 3, 4), (9, 100, 37, 5)):
        yield Case(_projected(rng, n, d, d_k, d_v), note=f"n = {n}, d = {d}, d_k = {d_k}, d_v = {d_v}")
    X, *weights = _projected(rng, 6, 4, 3, 2)
    yield Case([100 * X, *weights], note="scores in the thousands")
    for n, d, d_k, d_v in ((5, 4, 3, 2), (7, 3, 4, 5)):
        yield Case(
            _projected(rng, n, d, d_k, d_v),
            {"mask": np.tri(n, dtype=bool)},
            f"the causal mask for n = {n}",
            "masked",
        )
        allowed = (rng.random((n, n)) < 0.4) | np.eye(n, dtype=bool)
        yield Case(_projected(rng, n, d, d_k, d_v), {"mask": allowed}, f"a random mask for n = {n}", "masked")
    yield Case(_projected(rng, 36, 4, 3, 2), {"lengths": [4, 12, 36]}, "n = 4, 12 and 36", "steps", "steps")


def sequence_examples(rng: np.random.Generator) -> Iterator[Case]:
    """Small ones for the notebook."""
    yield Case(_projected(rng, 4, 5, 3, 2), note="n = 4, d = 5, d_k = 3, d_v = 2")
    yield Case(
        _projected(rng, 3, 5, 2, 4), {"mask": np.tri(3, dtype=bool)}, "the causal mask for n = 3", "masked"
    )
    yield Case(_projected(rng, 20, 2, 3, 1), {"lengths": [4, 10, 20]}, "n = 20", "steps", "steps")


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
    X: np.ndarray,
    W_Q: np.ndarray,
    W_K: np.ndarray,
    W_V: np.ndarray,
    mask: np.ndarray | None = None,
    lengths: Any = None,
) -> np.ndarray:
    return public.library_attention(X @ W_Q, X @ W_K, X @ W_V, mask=mask)[0]


Mask = np.ndarray | None


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
        OVERFLOW: _scaled(lambda Q, V: Q.shape[1] ** -0.5, naive=True),
        NO_SCALE: _scaled(lambda Q, V: 1.0),
        TWICE: _scaled(lambda Q, V: 1 / Q.shape[1]),
        BY_VALUES: _scaled(lambda Q, V: V.shape[1] ** -0.5),
        "You scaled by √n; it is √d_k.": _scaled(lambda Q, V: len(Q) ** -0.5),
        "You scaled by √d, the width of X; it is √d_k.": _by_width,
        **{
            told: _scaled(lambda Q, V: Q.shape[1] ** -0.5, summed=summed)
            for told, summed in HALF_SOFTMAXES.items()
        },
        "Your output is transposed: return (n, d_v).": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=_masked(mask))[0].T
        ),
        "Queries and keys are swapped: row i of the scores must belong to query i.": _sequence(
            lambda Q, K, V, mask: variant(K, Q, V, before=_masked(mask))[0]
        ),
        "The mask is not used.": _sequence(lambda Q, K, V, mask: variant(Q, K, V)[0]),
        "Your mask is inverted: True means that the query may look at the key.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=_masked(None if mask is None else ~mask))[0]
        ),
        "The mask is applied after the softmax, so the rows no longer sum to 1: set the scores to −∞ before it.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, after=_cut(mask))[0]
        ),
        "Masked scores are set to 0, but e^0 = 1 still gets attention: they must be −∞.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=_cut(mask))[0]
        ),
        "The mask is added as numbers (0 and 1): set the scores to −∞ where it is False.": _sequence(
            lambda Q, K, V, mask: variant(
                Q, K, V, before=lambda scores: scores if mask is None else scores + mask
            )[0]
        ),
        "The mask is transposed.": _sequence(
            lambda Q, K, V, mask: variant(Q, K, V, before=_masked(None if mask is None else mask.T))[0]
        ),
    },
)


# 1.4 --------------------------------------------------------------------------------------------------------


def distributions(rng: np.random.Generator) -> Iterator[Case]:
    """d, mu, sigma; the standard case, and ones where powers of sigma and the mean's part show."""
    yield Case([64, 0.0, 1.0], note="d = 64, μ = 0, σ = 1")
    yield Case([int(rng.integers(2, 9)), 0.0, round(float(rng.uniform(1.5, 3)), 2)], note="μ = 0 and σ > 1")
    for _ in range(3):
        d, mu, sigma = (
            int(rng.integers(2, 300)),
            round(float(rng.uniform(-2, -0.5)), 2),
            round(float(rng.uniform(0.2, 3)), 2),
        )
        yield Case([d, mu, sigma], note=f"d = {d}, μ = {mu}, σ = {sigma}")


def statistics(d: int, mu: float, sigma: float) -> list[float]:
    """From the moments of one product x·y of two-point variables μ ± σ, enumerated: mean and variance are exact."""
    products = [(mu + s * sigma) * (mu + t * sigma) for s, t in product((1, -1), repeat=2)]
    mean = math.fsum(products) / 4
    variance = math.fsum((value - mean) ** 2 for value in products) / 4
    return [d * mean, d * variance, (d * variance) ** -0.5]


def _with_variance(
    variance: Callable[[int, float, float], float],
) -> Callable[[int, float, float], list[float]]:
    return lambda d, mu, sigma: [d * mu**2, variance(d, mu, sigma), variance(d, mu, sigma) ** -0.5]


def pairs(rng: np.random.Generator) -> Iterator[Case]:
    """Sample arrays (count, d)."""
    for count, d in ((6, 3), (40, 5), (11, 11)):
        yield Case([draw(rng, count, d) + 0.5, draw(rng, count, d) - 1], note=f"{count} pairs with d = {d}")


def _sampled(queries: np.ndarray, keys: np.ndarray) -> list[float]:
    dots = [
        math.fsum(float(a) * float(b) for a, b in zip(q, k, strict=True))
        for q, k in zip(queries, keys, strict=True)
    ]
    mean = math.fsum(dots) / len(dots)
    return [mean, math.fsum((dot - mean) ** 2 for dot in dots) / len(dots)]


THEORY = Challenge(
    "dot_product_statistics",
    cases=distributions,
    expected=statistics,
    mistakes={
        "What is the mean of one product of two independent numbers? Yours is not.": lambda d, mu, sigma: [
            d * mu,
            *statistics(d, mu, sigma)[1:],
        ],
        "Those are the statistics of one product; q·k adds up d of them.": lambda d, mu, sigma: statistics(
            1, mu, sigma
        ),
        "In the variance, count the products: independent ones add up.": lambda d, mu, sigma: [
            d * mu**2,
            *statistics(1, mu, sigma)[1:],
        ],
        "Your variance is right for μ = 0 only.": _with_variance(lambda d, mu, sigma: d * sigma**4),
        "In the variance the part with μ must come from both vectors: queries and keys are both random.": (
            _with_variance(lambda d, mu, sigma: d * (sigma**4 + sigma**2 * mu**2))
        ),
        "In the variance, count the random factors of each product for the power of σ.": _with_variance(
            lambda d, mu, sigma: d * sigma**2
        ),
        "What does a factor s do to a variance? Your s does it only to a standard deviation.": (
            lambda d, mu, sigma: [
                *statistics(d, mu, sigma)[:2],
                1 / statistics(d, mu, sigma)[1],
            ]
        ),
        "Your s is right for μ = 0, σ = 1 only; use the variance that you found.": lambda d, mu, sigma: [
            *statistics(d, mu, sigma)[:2],
            d**-0.5,
        ],
        "That is the standard deviation, not the variance.": lambda d, mu, sigma: [
            d * mu**2,
            statistics(d, mu, sigma)[1] ** 0.5,
            statistics(d, mu, sigma)[2],
        ],
    },
)


SAMPLED_STATISTICS = Challenge(
    "sampled_statistics",
    cases=pairs,
    expected=_sampled,
    mistakes={
        "You took all pairs of a row with every other row; only row i with row i is meant.": lambda q, k: [
            (q @ k.T).mean(),
            (q @ k.T).var(),
        ],
        "Those are statistics of the single products; sum over the features first.": lambda q, k: [
            (q * k).mean(),
            (q * k).var(),
        ],
        "You summed over the pairs; sum over the features (axis 1).": lambda q, k: [
            (q * k).sum(0).mean(),
            (q * k).sum(0).var(),
        ],
        "The second number is the standard deviation; asked is the variance.": lambda q, k: [
            (q * k).sum(1).mean(),
            (q * k).sum(1).std(),
        ],
        "You divided by count − 1 (ddof=1); asked is np.var's default.": lambda q, k: [
            (q * k).sum(1).mean(),
            (q * k).sum(1).var(ddof=1),
        ],
    },
)


# 1.5 --------------------------------------------------------------------------------------------------------


def hard_queries(rng: np.random.Generator) -> Iterator[Case]:
    """Keys made so that each known mistake chooses another one: the nearest, the best cosine, and the smallest score."""
    keys = np.array([[0.9, 1.2], [2.0, 2.0], [6.0, 1.0], [-1.0, -2.0]])
    for lowest in (1.0, 5.0):  # at 5 the smallest score is also the largest absolute one
        made = (keys * [[1], [1], [1], [lowest]] + rng.uniform(0, 0.01, size=(4, 1))).round(3)[
            rng.permutation(4)
        ]
        yield Case(
            [np.array([1.0, 1.0]), made, draw(rng, 4, 3)],
            note="n = 4 keys of different length" + ", one far off" * (lowest > 1),
        )
    query = draw(rng, 3)
    yield Case(
        [query, (-np.abs(draw(rng, 5, 3)) * np.sign(query)).round(3), draw(rng, 5, 2)],
        note="scores that are all negative",
    )
    yield Case([draw(rng, 4), draw(rng, 9, 4), draw(rng, 9, 3)], note="n = 9, d_k = 4, d_v = 3")
    yield Case([draw(rng, 3), draw(rng, 1, 3), draw(rng, 1, 3)], note="a single key")


def _hard_oracle(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    scores = [math.fsum(float(a) * float(b) for a, b in zip(key, query, strict=True)) for key in keys]
    return np.asarray(values[scores.index(max(scores))])


HARD_ATTENTION = Challenge(
    "hard_attention",
    cases=hard_queries,
    expected=_hard_oracle,
    mistakes={
        "You returned the chosen key; return its value.": lambda q, k, v: k[(k @ q).argmax()],
        "You returned the place of the largest score; return the value there.": lambda q, k, v: np.asarray(
            (k @ q).argmax()
        ),
        "You chose the largest absolute score; a very negative score fits worst.": lambda q, k, v: v[
            np.abs(k @ q).argmax()
        ],
        "You chose the nearest key; asked is the largest dot product.": lambda q, k, v: v[
            ((k - q) ** 2).sum(1).argmin()
        ],
        "You chose the largest cosine; asked is the largest dot product, in which length counts.": (
            lambda q, k, v: v[(k @ q / np.linalg.norm(k, axis=1)).argmax()]
        ),
        "You chose the smallest score.": lambda q, k, v: v[(k @ q).argmin()],
        "That is soft attention, an average of all values.": lambda q, k, v: public.library_attention(
            q[None], k, v
        )[0][0],
    },
)


# 1.6 --------------------------------------------------------------------------------------------------------


# 1.7 --------------------------------------------------------------------------------------------------------


def orthogonal(rng: np.random.Generator) -> Iterator[Case]:
    """Four orthogonal vectors of norm β in a random basis."""
    for beta, dim in ((1.0, 4), (0.5, 6), (2.5, 5), (40.0, 4)):
        basis = (
            np.round(np.linalg.qr(rng.normal(size=(dim, dim)))[0][:4], 9) * beta
        )  # the last digits depend on the processor
        yield Case(list(basis), note=f"β = {beta:g}" + (", scores in the thousands" if beta > 30 else ""))


def _copied(scale: float = 1.0, **wrong: Any) -> Callable[..., np.ndarray]:
    def attend(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
        x = np.stack([d + b, a, c + b])
        return variant(x, x, x, scale=scale, **wrong)[0]

    return attend


def _copied_oracle(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    x = np.stack([d + b, a, c + b])
    return public.library_attention(x, x, x, scale=1.0)[0]


COPY_OUTPUTS = Challenge(
    "copy_outputs",
    cases=orthogonal,
    expected=_copied_oracle,
    mistakes={
        WRONG_AXIS: _copied(axis=0),
        **{told: _copied(summed=summed) for told, summed in HALF_SOFTMAXES.items()},
        OVERFLOW: _copied(naive=True),
        "You scaled by 1/√dim; here there is no scale.": lambda a, b, c, d: _copied(len(a) ** -0.5)(
            a, b, c, d
        ),
        "That is the input: for small β the outputs are mixtures.": lambda a, b, c, d: np.stack(
            [d + b, a, c + b]
        ),
        "The outputs are transposed: a row for each token.": lambda a, b, c, d: _copied_oracle(a, b, c, d).T,
        "You built the sequence in another order: x1 = d + b, x2 = a, x3 = c + b.": lambda a, b, c, d: (
            _copied_oracle(a, b, c, d)[[1, 0, 2]]
        ),
    },
)


# 1.8 --------------------------------------------------------------------------------------------------------


def nudges(rng: np.random.Generator) -> Iterator[Case]:
    """Nudges large enough that the exact change differs from the first-order one."""
    for n, d_k, d_v, j in ((4, 3, 2, 1), (6, 5, 3, 5), (3, 2, 4, 0), (8, 4, 1, 3)):
        yield Case(
            [draw(rng, d_k) + 0.5, draw(rng, n, d_k), draw(rng, n, d_v), j, draw(rng, d_k) + 0.3],
            note=f"n = {n}, d_k = {d_k}, d_v = {d_v}, key {j} moved",
        )


def _jvp(query: np.ndarray, keys: np.ndarray, values: np.ndarray, j: int, epsilon: np.ndarray) -> np.ndarray:
    """The Jacobian–vector product by torch's automatic differentiation: one gradient for each output number."""
    import torch

    k = torch.tensor(keys, requires_grad=True)
    output = torch.softmax(k @ torch.tensor(query) / math.sqrt(len(query)), dim=0) @ torch.tensor(values)
    jacobian = [torch.autograd.grad(number, k, retain_graph=True)[0][j].numpy() for number in output]
    return np.stack(jacobian) @ epsilon


def _nudged(change: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
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


FIRST_ORDER_CHANGE = Challenge(
    "first_order_change",
    cases=nudges,
    expected=_jvp,
    mistakes={
        "That is the exact difference of two outputs; asked is the change to first order, which is linear in ε.": (
            _exact
        ),
        "The scale 1/√d_k is missing.": _nudged(lambda w, y, v, j, s, d: w[j] * (v[j] - y) * s * d**0.5),
        "You forgot that the other weights shrink when w_j grows, so that the others' values count less.": (
            _nudged(lambda w, y, v, j, s, d: w[j] * v[j] * s)
        ),
        "You only changed w_j; the other weights change too.": _nudged(
            lambda w, y, v, j, s, d: w[j] * (1 - w[j]) * v[j] * s
        ),
        "The sign is turned round: a larger score moves the output towards v_j.": _nudged(
            lambda w, y, v, j, s, d: w[j] * (y - v[j]) * s
        ),
        "A key that hardly gets any attention hardly changes the output: a factor is missing.": _nudged(
            lambda w, y, v, j, s, d: (v[j] - y) * s
        ),
        "That is the new output; asked is the change.": _nudged(
            lambda w, y, v, j, s, d: y + w[j] * (v[j] - y) * s
        ),
        "The scale stands twice.": _nudged(lambda w, y, v, j, s, d: w[j] * (v[j] - y) * s / d**0.5),
    },
)


# 1.9 --------------------------------------------------------------------------------------------------------


def heads_of(rng: np.random.Generator, sizes: Sequence[Sequence[int]], columns: bool) -> Iterator[Case]:
    """n, m, d, t and the number of heads all differ where they can."""
    for n, m, d, t, heads in sizes:
        Q, K, V, W_O = draw(rng, n, d, size=2), draw(rng, m, d), draw(rng, m, t), draw(rng, t, t)
        args = [Q.T, K.T, V.T, heads, W_O] if columns else [Q, K, V, heads, W_O]
        yield Case(
            [np.ascontiguousarray(item) if isinstance(item, np.ndarray) else item for item in args],
            note=f"n = {n}, m = {m}, d = {d}, t = {t}, h = {heads}",
        )


HEAD_SIZES = ((3, 5, 4, 6, 2), (4, 4, 6, 9, 3), (6, 2, 8, 4, 4), (5, 7, 3, 2, 1))


def _heads_oracle(Q: np.ndarray, K: np.ndarray, V: np.ndarray, heads: int, W_O: np.ndarray) -> np.ndarray:
    """PyTorch's own attention on a batch of heads."""
    import torch

    q, k, v = (torch.as_tensor(item).reshape(len(item), heads, -1).transpose(0, 1) for item in (Q, K, V))
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).reshape(len(Q), -1)
    return np.asarray((mixed @ torch.as_tensor(W_O)).numpy())


def _cut_features(X: np.ndarray, heads: int) -> list[np.ndarray]:
    return np.split(X, heads, axis=1)


def _cut_raw(X: np.ndarray, heads: int) -> list[np.ndarray]:
    return list(X.reshape(heads, len(X), -1))


def _cut_strided(X: np.ndarray, heads: int) -> list[np.ndarray]:
    return [X[:, head::heads] for head in range(heads)]


def _heads(
    cut: Callable[[np.ndarray, int], list[np.ndarray]] = _cut_features,
    join: Callable[[list[np.ndarray]], np.ndarray] = lambda parts: np.concatenate(parts, axis=1),
    project: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda mixed, W: mixed @ W,
    whole_scale: bool = False,
    by_tokens: int | None = None,
    **more: Any,
) -> Callable[..., np.ndarray]:
    def attend(Q: np.ndarray, K: np.ndarray, V: np.ndarray, heads: int, W_O: np.ndarray) -> np.ndarray:
        scale = {"scale": Q.shape[1] ** -0.5} if whole_scale else {}
        if by_tokens is not None:
            scale = {"scale": len((Q, K)[by_tokens]) ** -0.5}
        parts = zip(cut(Q, heads), cut(K, heads), cut(V, heads), strict=True)
        mixed = join([variant(q, k, v, **scale, **more)[0] for q, k, v in parts])
        return np.asarray(project(mixed, W_O))

    return attend


def _bare(mixed: np.ndarray, W: np.ndarray) -> np.ndarray:
    return mixed


HEAD_MISTAKES: dict[str, Callable[..., np.ndarray]] = {
    "The output projection W_O is missing.": _heads(project=_bare),
    "Each head has d/h features, so the scale is 1/√(d/h), not 1/√d.": _heads(whole_scale=True),
    "The heads are split on the wrong axis: reshape(h, n, d/h) cuts the tokens apart. Cut the features.": (
        _heads(_cut_raw)
    ),
    "Heads take consecutive features: 0 … d/h−1, then the next; you took every h-th.": _heads(_cut_strided),
    WRONG_AXIS: _heads(axis=0),
    **{told: _heads(summed=summed) for told, summed in HALF_SOFTMAXES.items() if "keepdims=True" not in told},
    "W_O is transposed.": _heads(project=lambda mixed, W: mixed @ W.T),
    "The scale 1/√(d/h) is missing.": _heads(scale=1.0),
    "That is a single head over all features: cut them into h blocks.": lambda Q, K, V, heads, W_O: (
        variant(Q, K, V)[0] @ W_O
    ),
}


def _in_columns(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The same in column convention: transposed inputs, projection from the left, transposed output."""
    return lambda Q, K, V, heads, W_O: function(Q.T, K.T, V.T, heads, W_O.T).T


MULTI_HEAD_ATTENTION = Challenge(
    "multi_head_attention",
    cases=lambda rng: heads_of(rng, HEAD_SIZES, columns=False),
    examples=lambda rng: heads_of(rng, ((2, 3, 4, 6, 2), (3, 4, 4, 2, 1)), columns=False),
    expected=_heads_oracle,
    mistakes=HEAD_MISTAKES,
)


COLUMN_SCALE = "You scaled by √{}: in column convention shape[1] counts tokens. The scale is 1/√(d/h)."


MULTI_HEAD_COLUMNS = Challenge(
    "multi_head_columns",
    cases=lambda rng: heads_of(rng, HEAD_SIZES, columns=True),
    examples=lambda rng: heads_of(rng, ((2, 3, 4, 6, 2), (3, 4, 4, 2, 1)), columns=True),
    expected=_in_columns(_heads_oracle),
    mistakes={
        **{told: _in_columns(mistake) for told, mistake in HEAD_MISTAKES.items()},
        COLUMN_SCALE.format("n"): _in_columns(_heads(by_tokens=0)),
        COLUMN_SCALE.format("m"): _in_columns(_heads(by_tokens=1)),
        "Your output is transposed: tokens are columns here, (t, n).": lambda Q, K, V, heads, W_O: (
            _in_columns(_heads_oracle)(Q, K, V, heads, W_O).T
        ),
    },
)


# 1.10 -------------------------------------------------------------------------------------------------------


def cross_inputs(rng: np.random.Generator) -> Iterator[Case]:
    """First t = s and d = e, so that each mix-up runs and shows what it is; then different ones."""
    for t, s, d, e, d_k, d_v in (
        (4, 4, 3, 3, 6, 2),
        (3, 5, 4, 4, 3, 2),
        (6, 2, 5, 5, 2, 4),
        (2, 7, 3, 6, 4, 5),
    ):
        widths = ((d, d_k), (e, d_k), (e, d_v))
        weights = [draw(rng, rows, columns, size=1.5 * rows**-0.5) for rows, columns in widths]
        yield Case(
            [draw(rng, t, d), draw(rng, s, e), *weights],
            note=f"t = {t}, s = {s}, d = {d}, e = {e}, d_k = {d_k}, d_v = {d_v}",
        )


def _cross(
    roles: str, axis: int = 1, scaled: str = "", summed: Summed | None = None
) -> Callable[..., np.ndarray]:
    """Cross-attention with the given sources of Q, K and V (``d`` decoder, ``e`` encoder)."""

    def attend(D: np.ndarray, E: np.ndarray, W_Q: np.ndarray, W_K: np.ndarray, W_V: np.ndarray) -> np.ndarray:
        states = {"d": D, "e": E}
        try:
            Q, K, V = (states[role] @ W for role, W in zip(roles, (W_Q, W_K, W_V), strict=True))
            scale = {"none": 1.0, "d_k": 1 / W_K.shape[1], "d": D.shape[1] ** -0.5}.get(scaled)
            return variant(Q, K, V, axis=axis, scale=scale, summed=summed)[0]
        except ValueError:  # widths or lengths that this mistake cannot multiply
            return np.zeros(0)

    return attend


def _cross_oracle(
    D: np.ndarray, E: np.ndarray, W_Q: np.ndarray, W_K: np.ndarray, W_V: np.ndarray
) -> np.ndarray:
    return public.library_attention(D @ W_Q, E @ W_K, E @ W_V)[0]


CROSS_ATTENTION = Challenge(
    "cross_attention",
    cases=cross_inputs,
    expected=_cross_oracle,
    mistakes={
        "Encoder and decoder are swapped: the decoder asks, so the queries come from the decoder.": _cross(
            "edd"
        ),
        "That is the decoder's self-attention: keys and values must come from the encoder.": _cross("ddd"),
        "That is the encoder's self-attention: queries must come from the decoder.": _cross("eee"),
        "The values must come from the encoder, like the keys.": _cross("ded"),
        "The keys must come from the encoder, like the values.": _cross("dde"),
        WRONG_AXIS: _cross("dee", axis=0),
        **{told: _cross("dee", summed=summed) for told, summed in HALF_SOFTMAXES.items()},
        NO_SCALE: _cross("dee", scaled="none"),
        TWICE: _cross("dee", scaled="d_k"),
        "You scaled by √d, the width of the states; it is √d_k.": _cross("dee", scaled="d"),
    },
)


# 1.11 -------------------------------------------------------------------------------------------------------


def shuffles(rng: np.random.Generator) -> Iterator[Case]:
    """Each layer with a permutation that is one long cycle, so that it differs from its inverse at each place."""
    for name in public.LAYERS:
        n, d = int(rng.integers(4, 8)), int(rng.integers(2, 4))
        cycle, order = rng.permutation(n), np.zeros(n, dtype=int)
        order[cycle] = np.roll(cycle, 1)
        X = draw(rng, n, d)
        for signed in (X, -X):  # a forgotten absolute value shows on one of the two
            yield Case([name, signed, order], note=name, probe="layer")


def _layer(
    function: Callable[[Callable[..., np.ndarray], np.ndarray, np.ndarray], Any],
) -> Callable[..., float]:
    return lambda name, X, order: float(function(public.LAYERS[name], X, order))


def _permuted(layer: Callable[..., np.ndarray], X: np.ndarray, order: np.ndarray) -> float:
    P = np.eye(len(X))[order]  # P @ X shuffles rows
    return float(np.linalg.norm((layer(P @ X) - P @ layer(X)).ravel(), ord=np.inf))


def tables(rng: np.random.Generator) -> Iterator[Case]:
    """Places and widths, one place among them."""
    for n, d in ((5, 4), (1, 6), (int(rng.integers(20, 40)), 10), (3, 2)):
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
    examples=lambda rng: list(shuffles(rng))[
        1:4
    ],  # self-attention, and causal self-attention with both signs
    expected=_layer(_permuted),
    mistakes={
        "You tested invariance: f(X[order]) against f(X). Shuffle the second one too.": _layer(
            lambda f, X, o: np.abs(f(X[o]) - f(X)).max()
        ),
        "The output is shuffled by the inverse permutation; use [order] on both sides.": _layer(
            lambda f, X, o: np.abs(f(X[o]) - f(X)[np.argsort(o)]).max()
        ),
        "That is the mean of the absolute differences; asked is the largest.": _layer(
            lambda f, X, o: np.abs(f(X[o]) - f(X)[o]).mean()
        ),
        "The absolute value is missing: a large negative difference counts as well.": _layer(
            lambda f, X, o: (f(X[o]) - f(X)[o]).max()
        ),
        "You shuffled both sides before the layer, so this is 0 for every layer.": _layer(
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
        "Sine and cosine must alternate: even columns sine, odd columns cosine. You put all sines first.": (
            _table(lambda p, c, d: _wave(p, 2 * (c % (d // 2)) + (c >= d // 2), d))
        ),
        "Sine and cosine are swapped: even columns are sines.": _table(
            lambda p, c, d: (math.cos, math.sin)[c % 2](p / 10000 ** ((c - c % 2) / d))
        ),
        "Places count from 0, not from 1.": _table(lambda p, c, d: _wave(p + 1, c, d)),
        "A sine and the cosine beside it share one frequency: the exponent is 2i/d for columns 2i and 2i + 1.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 10000 ** (c / d))
        ),
        "The exponent is 2i/d; you used i/d.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 10000 ** ((c // 2) / d))
        ),
        "The exponent is 2i/d, where 2i is the column; you took twice the column.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p / 10000 ** (2 * c / d))
        ),
        "You multiplied by 10000^(2i/d); divide by it.": _table(
            lambda p, c, d: (math.sin, math.cos)[c % 2](p * 10000 ** ((c - c % 2) / d))
        ),
        "The table is transposed: a row for each place.": lambda n, d: _table(_wave)(n, d).T,
    },
)
