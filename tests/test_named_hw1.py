"""Common mistakes of hw1 have names: functions and numbers, judged as in grading, without a notebook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograder import kit
from autograder.declare import Case, Wrong, homeworks
from autograder.declare.judging import judge_cases
from autograder.homeworks.hw1 import public
from autograder.homeworks.hw1.q2_who_looks_at_whom import the_weight
from autograder.homeworks.hw1.q7_copying import the_weights
from autograder.homeworks.hw1.q13a_two_banks import after_attention
from autograder.homeworks.hw1.q13d_why_it_scales import steps_in_turn, the_cost_of_growth
from tests.test_named import softmax, trials

CHALLENGES = {challenge.name: challenge for challenge in homeworks()["hw1"].challenges()}


def one(
    weights: Callable[[np.ndarray], np.ndarray] = softmax,
    back: Callable[..., Any] = lambda w, s, k, v: (w @ v, w),
) -> Callable[..., Any]:
    """1.1 with other weights or other results."""

    def answer(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> Any:
        scores = keys @ query / np.sqrt(len(query))
        with np.errstate(all="ignore"):
            return back(weights(scores), scores, keys, values)

    return answer


def fixed(root: float) -> Callable[..., Any]:
    """1.1 with the scores divided by one number, whatever d_k is."""

    def answer(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        w = softmax(keys @ query / root)
        return w @ values, w

    return answer


def divided(exponentials: np.ndarray) -> np.ndarray:
    return exponentials / exponentials.sum(-1, keepdims=True)


def every(
    scores: Callable[..., np.ndarray] = lambda Q, K, mask: hidden(Q @ K.T / np.sqrt(K.shape[1]), mask),
    weights: Callable[[np.ndarray], np.ndarray] = softmax,
) -> Callable[..., np.ndarray]:
    """1.3 with other scores or weights."""

    def answer(X: np.ndarray, W_Q: np.ndarray, W_K: np.ndarray, W_V: np.ndarray, mask: Any = None) -> Any:
        with np.errstate(all="ignore"):
            return weights(scores(X @ W_Q, X @ W_K, mask)) @ (X @ W_V)

    return answer


def hidden(scores: np.ndarray, mask: Any) -> np.ndarray:
    return scores if mask is None else np.where(mask, scores, -np.inf)


def infinite(Q: np.ndarray, K: np.ndarray, mask: Any) -> np.ndarray:
    return Q @ K.T / np.sqrt(K.shape[1]) + (0 if mask is None else -np.inf * ~mask)


def turned(Q: np.ndarray, K: np.ndarray, mask: Any) -> np.ndarray:
    return Q @ K.T / np.sqrt(K.shape[1]) + (0 if mask is None else -1e9 * mask)


def copied(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x = np.stack([d + b, a, c + b])
    return x, x @ x.T


def copying(change: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    return lambda *vectors: change(*copied(*vectors), np.stack(vectors))


def nudge(change: Callable[..., np.ndarray], scale: bool = True) -> Callable[..., np.ndarray]:
    """1.8 by a formula of w, y, v, j, the factor and query and ε."""

    def answer(query: np.ndarray, keys: np.ndarray, values: np.ndarray, j: int, epsilon: np.ndarray) -> Any:
        factor = len(query) ** -0.5
        w = softmax(keys @ query * (factor if scale else 1.0))
        return change(w, w @ values, values, j, factor, query, epsilon)

    return answer


def quotient(step: float) -> Callable[..., np.ndarray]:
    """1.8 by a forward difference quotient."""

    def answer(query: np.ndarray, keys: np.ndarray, values: np.ndarray, j: int, epsilon: np.ndarray) -> Any:
        moved = keys + step * epsilon * (np.arange(len(keys)) == j)[:, None]
        before, after = (softmax(k @ query / len(query) ** 0.5) @ values for k in (keys, moved))
        return (after - before) / step

    return answer


def by_heads(over: int, cut_values: bool = True, before: bool = False) -> Callable[..., np.ndarray]:
    """1.9 with a softmax over another axis, values that are not cut, or W_O before the heads."""

    def answer(Q: np.ndarray, K: np.ndarray, V: np.ndarray, heads: int, W_O: np.ndarray) -> np.ndarray:
        V = V @ W_O if before else V
        q, k, v = (np.stack(np.split(X, heads, axis=1)) for X in (Q, K, V))
        e = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2]))
        w = e / e.sum(axis=over, keepdims=True)
        if not cut_values:
            return (w @ V).mean(axis=0) @ W_O
        mixed = np.concatenate(list(w @ v), axis=1)
        return mixed if before else mixed @ W_O

    return answer


def added_up(together: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """1.9 with the heads' outputs put on top of each other."""

    def answer(Q: np.ndarray, K: np.ndarray, V: np.ndarray, heads: int, W_O: np.ndarray) -> np.ndarray:
        q, k, v = (np.stack(np.split(X, heads, axis=1)) for X in (Q, K, V))
        mixed = together(softmax(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2])) @ v, axis=0)
        return mixed @ W_O[: mixed.shape[1]]

    return answer


def waves(angle: Callable[..., np.ndarray]) -> Callable[[int, int], np.ndarray]:
    """1.11's table with another angle of place, column, n and d."""

    def answer(n: int, d: int) -> np.ndarray:
        p, c = np.arange(n)[:, None], np.arange(d)
        return np.where(c % 2, np.cos(angle(p, c, n, d)), np.sin(angle(p, c, n, d)))

    return answer


def unequal(measure: Callable[..., Any]) -> Callable[..., Any]:
    """1.11's error by another measure of both sides."""
    return lambda name, X, order: measure(
        public.LAYERS[name](X[order]), public.LAYERS[name](X)[order], public.LAYERS[name](X)
    )


def theory(variance: Callable[..., float], turned_round: bool = False) -> Callable[..., Any]:
    def answer(d: int, mu: float, sigma: float) -> tuple[float, float, float]:
        found = variance(d, mu, sigma)
        first = d * mu**2, found
        return *(first[::-1] if turned_round else first), abs(found) ** -0.5

    return answer


def exact(d: int, mu: float, sigma: float) -> float:
    return d * (sigma**4 + 2 * sigma**2 * mu**2)


ONE, ALL, HARD, COPY = "scaled_dot_product_attention", "attention", "hard_attention", "copy_outputs"
NUDGE, HEADS, ERROR, TABLE = (
    "first_order_change",
    "multi_head_attention",
    "equivariance_error",
    "positional_encoding",
)
ANSWERS = [
    (ONE, one(lambda s: softmax(-s)), "sign of the scores is reversed"),
    (ONE, one(lambda s: softmax(softmax(s))), "softmax is applied twice"),
    (ONE, one(lambda s: np.exp(s - s.max())), "weights don't sum to 1"),
    (ONE, one(lambda s: s / s.sum()), "divided by their sum"),
    (ONE, one(lambda s: 1 / (1 + np.exp(-s))), "sigmoids"),
    (ONE, one(lambda s: divided(np.exp(s - s.min()))), "Subtract the largest score, not another"),
    (ONE, one(lambda s: divided(np.exp(s - s.mean()))), "Subtract the largest score, not another"),
    (ONE, one(lambda s: np.nan_to_num(divided(np.exp(s)))), "0 in place of nan"),
    (ONE, one(back=lambda w, s, k, v: (w @ v, s)), "second result holds the scores"),
    (ONE, one(back=lambda w, s, k, v: ((w[:, None] * v).mean(0), w)), "values are averaged"),
    (ONE, one(back=lambda w, s, k, v: ((w[:, None] * v).sum(1), w)), "summed over the features"),
    (ONE, one(back=lambda w, s, k, v: (w @ k, w)), "average of the keys"),
    (ONE, one(back=lambda w, s, k, v: (np.round(w @ v, 3), np.round(w, 3))), "rounded to 3 decimals"),
    (ONE, one(lambda s: divided(2 ** (s - s.max()))), "softmax takes powers of e"),
    (ONE, one(lambda s: softmax(np.clip(s, -500, 500))), "If you clip them, large ones are all alike"),
    (ONE, fixed(2**0.5), "You divided by √2, whatever d_k is"),
    (ONE, fixed(8), "You divided by √64 = 8, whatever d_k is"),
    (ONE, lambda query, keys, values: None, "is `return` missing?"),
    (ALL, every(lambda Q, K, mask: hidden(Q @ Q.T / np.sqrt(K.shape[1]), mask)), "yours are the queries"),
    (ALL, every(lambda Q, K, mask: hidden(-Q @ K.T / np.sqrt(K.shape[1]), mask)), "is reversed"),
    (ALL, every(lambda Q, K, mask: hidden(Q @ K.T * np.sqrt(K.shape[1]), mask)), "multiplied by √d_k"),
    (ALL, every(weights=lambda s: softmax(softmax(s))), "softmax is applied twice"),
    (ALL, every(weights=lambda s: divided(np.exp(s - s.max()))), "of the whole matrix is subtracted"),
    (ALL, every(weights=lambda s: divided(np.exp(s - s.max(axis=0)))), "over the wrong axis"),
    (ALL, every(weights=lambda s: np.exp(s - s.max(1, keepdims=True))), "weights don't sum to 1"),
    (ALL, every(infinite), "−∞ times 0 is nan"),
    (ALL, every(turned), "taken off where it is True"),
    ("causal_mask", lambda n: np.tri(n, k=1, dtype=bool), "must not see the one after it"),
    ("dot_product_statistics", theory(lambda d, m, s: d * ((s**2 + m**2) ** 2 - m**2)), "μ⁴ is taken off"),
    ("dot_product_statistics", theory(lambda d, m, s: d * (s**4 + m**4)), "not the sum of σ²σ² and μ²μ²"),
    ("dot_product_statistics", theory(exact, turned_round=True), "return the mean first"),
    ("sampled_statistics", lambda q, k: ((q * k).sum(1).mean(), (q * k).var(0).sum()), "vary together"),
    (HARD, lambda q, k, v: v.mean(0), "mean of all values"),
    (HARD, lambda q, k, v: (k @ q == (k @ q).max()) * 1.0, "Those are the weights"),
    (HARD, lambda q, k, v: (k @ q).max(), "That is the largest score"),
    (COPY, copying(lambda x, s, given: softmax(s / np.sqrt(3)) @ x), "scaled by 1/√3"),
    (COPY, copying(lambda x, s, given: softmax(s - np.diag([np.inf] * 3)) @ x), "also looks at itself"),
    (COPY, copying(lambda x, s, given: softmax(s)), "Those are the weights"),
    (COPY, copying(lambda x, s, given: softmax(s) @ given[:3]), "themselves, not a, b and c"),
    (COPY, copying(lambda x, s, given: softmax(given @ given.T) @ given), "Each vector stands by itself"),
    (NUDGE, nudge(lambda w, y, v, j, f, q, e: np.outer(w[j] * (v[j] - y), q) * f), "That is the Jacobian"),
    (NUDGE, nudge(lambda w, y, v, j, f, q, e: w[j] * (v[j] - v.mean(0)) * (q @ e) * f), "the plain mean"),
    (NUDGE, nudge(lambda w, y, v, j, f, q, e: -w[j] * y * (q @ e) * f), "for its own value is missing"),
    (NUDGE, nudge(lambda w, y, v, j, f, q, e: w[j - 1] * (v[j - 1] - y) * (q @ e) * f), "j counts from 0"),
    (NUDGE, nudge(lambda w, y, v, j, f, q, e: w[j] * (v[j] - y) * (q @ e) * f, False), "in the weights"),
    (NUDGE, quotient(0.01), "step is too large for three right digits"),
    (HEADS, by_heads(0), "softmax is over the heads"),
    (HEADS, by_heads(2, cut_values=False), "All features of the values"),
    (HEADS, by_heads(2, before=True), "W_O belongs behind the heads"),
    (HEADS, added_up(np.sum), "added up"),
    (HEADS, added_up(np.mean), "averaged"),
    (NUDGE, nudge(lambda w, y, v, j, f, q, e: sum(w[:, None] * (v - y)) * (q @ e) * f), "moved all keys"),
    (ERROR, unequal(lambda a, b, plain: float(not np.allclose(a, b))), "only says whether"),
    (ERROR, unequal(lambda a, b, plain: np.linalg.norm(a - b, np.inf)), "largest row sum"),
    (ERROR, unequal(lambda a, b, plain: ((a - b) ** 2).max()), "Those are squares"),
    (ERROR, unequal(lambda a, b, plain: ((a - b) ** 2).mean() ** 0.5), "root of the mean square"),
    (ERROR, unequal(lambda a, b, plain: np.abs(a - b).min()), "smallest difference"),
    (ERROR, unequal(lambda a, b, plain: np.abs(a - b).max() / np.abs(plain).max()), "relative"),
    (TABLE, waves(lambda p, c, n, d: p / 10000.0 ** (2 * (c // 2) // d)), "cuts it to a whole number"),
    (TABLE, waves(lambda p, c, n, d: p / 10000 ** (c // 2 / max(d // 2 - 1, 1))), "divided by d − 2"),
    (TABLE, waves(lambda p, c, n, d: p / 10000 ** (2 * (c // 2 + 1) / d)), "i counts from 0"),
    (TABLE, waves(lambda p, c, n, d: p / 10000 ** (2 * ((c + 1) // 2) / d)), "yours has that of the next"),
    (TABLE, waves(lambda p, c, n, d: np.deg2rad(p / 10000 ** (2 * (c // 2) / d))), "radians"),
    (TABLE, waves(lambda p, c, n, d: 2 * np.pi * p / 10000 ** (2 * (c // 2) / d)), "no 2π"),
    (TABLE, waves(lambda p, c, n, d: p / n / 10000 ** (2 * (c // 2) / d)), "not divided by n"),
]


@pytest.mark.parametrize(("name", "answer", "says"), ANSWERS)
def test_a_common_mistake_is_named(name: str, answer: Callable[..., Any], says: str):
    challenge = CHALLENGES[name]
    made = trials("hw1", challenge, answer, probes=("call", "layer"))
    if name == "dot_product_statistics":  # judged number by number
        checks = homeworks()["hw1"].questions["1.4"].checks
        verdicts = [
            check.judge({name: made}) for check in checks if check.name in ("the mean", "the variance")
        ]
    else:
        verdicts = [judge_cases(challenge, made, group) for group in {trial.group for trial in made}]
    assert any(says in verdict.feedback for verdict in verdicts if isinstance(verdict, Wrong))


def test_a_difference_quotient_that_is_precise_enough_at_home_is_so_in_grading():
    challenge, home = CHALLENGES[NUDGE], list(CHALLENGES[NUDGE].shown(np.random.default_rng(0)))

    def right(cases: list[Case], step: float) -> bool:
        pairs = [(challenge.expected(*case.args), quotient(step)(*case.args)) for case in cases]
        return all(np.allclose(found, wanted, rtol=challenge.rtol, atol=1e-6) for wanted, found in pairs)

    for seed in range(20):
        hidden_cases = challenge.drawn(np.random.default_rng(seed))
        passing = [step for step in np.logspace(-6, -1, 30) if right(home, step)]
        assert len(passing) > 10
        assert all(right(hidden_cases, step) for step in passing)


NUMBERS: list[tuple[Callable[[Any], Any], Any, str]] = [
    (the_weight, 6 / 3**0.5, "that is the score"),
    (the_weight, np.exp(6 / 3**0.5), "that is e^score"),
    (the_weights, np.exp([[2.0, 0, 1], [0, 1, 0], [1, 0, 2]]), "softmax is not finished"),
    (the_weights, softmax(np.array([[1.0, 0, 1], [0, 1, 0], [1, 0, 1]])), "|x0|² = 2β²"),
    (the_weights, softmax(np.array([[2.0, 0, 2], [0, 1, 0], [2, 0, 2]])), "x0·x2 is β²"),
    (the_weights, softmax(np.array([[1.0, 0, 0.5], [0, 1, 0], [0.5, 0, 1]])), "you took cosines"),
    (the_weights, np.eye(3), "for very large β"),
    (after_attention, round(0.8, 1), "“bank” row"),
    (lambda number: steps_in_turn(number, np.array(1)), 48_000, "asks for one layer"),
    (the_cost_of_growth, 20, "factors of ten multiply"),
]


@pytest.mark.parametrize(("judge", "answer", "says"), NUMBERS)
def test_a_wrong_number_is_read(judge: Callable[[Any], Any], answer: Any, says: str):
    verdict = judge(np.asarray(answer, float))
    assert isinstance(verdict, Wrong)
    assert says in verdict.feedback


def test_rounding_and_a_missing_return_are_told_of_any_function():
    example = {"expected": kit.encode(np.array([0.123456, 0.654321])), "note": "two numbers"}
    told = kit.judge_example("f", example, {"result": np.array([0.12, 0.65])})
    assert told is not None
    assert told.endswith("It is rounded to 2 decimals; return it unrounded.")
    single = {"expected": kit.encode(np.array(0.4743)), "note": "one number"}
    by_chance = kit.judge_example("f", single, {"result": np.array(0.47)})
    assert by_chance is not None
    assert "rounded" not in by_chance
    other = kit.judge_example("f", example, {"result": np.array([0.12, 0.66])})
    assert other is not None
    assert "rounded" not in other
    nothing = kit.judge_example("f", example, {"result": None})
    assert nothing == "`f` returned None on two numbers: is `return` missing? `print` only shows a value."
