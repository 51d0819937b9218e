"""6.2: linear attention, its causal form, and what both cost while they run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from autograder.declare import Answer, Case, Challenge, Question, Written, Wrong, curve
from autograder.homeworks.hw6 import public
from autograder.homeworks.hw6.common import first_problem
from autograder.homeworks.hw6.homework import hw
from autograder.kit import Trial


def linear_oracle(
    Q: Any,
    K: Any,
    V: Any,
    lengths: Any = (),
    long: int = 0,
    *,
    causal: bool = False,
    scores: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Any:
    """The quadratic form in float64: T×T weights, rows divided by their sums."""
    Q, K, V = (np.asarray(item, np.float64) for item in (Q, K, V))
    similar = Q @ K.T
    similar = scores(similar) if scores else similar
    if causal:
        similar = np.tril(similar)
    with np.errstate(all="ignore"):
        return similar / similar.sum(axis=1, keepdims=True) @ V


def half_causal(Q: Any, K: Any, V: Any, lengths: Any = (), long: int = 0) -> Any:
    """Numerator of the past, denominator of everything."""
    Q, K, V = (np.asarray(item, np.float64) for item in (Q, K, V))
    return np.tril(Q @ K.T) @ V / (Q @ K.T).sum(axis=1, keepdims=True)


def decaying(gamma: float) -> Callable[..., Any]:
    """The causal form of a state that fades from place to place."""

    def forgetful(Q: Any, K: Any, V: Any, lengths: Any = (), long: int = 0) -> Any:
        Q, K, V = (np.asarray(item, np.float64) for item in (Q, K, V))
        ago = np.subtract.outer(np.arange(len(Q)), np.arange(len(Q)))
        similar = np.tril(Q @ K.T) * gamma ** np.maximum(ago, 0)
        return similar / similar.sum(axis=1, keepdims=True) @ V

    return forgetful


def exclusive(Q: Any, K: Any, V: Any, lengths: Any = (), long: int = 0) -> Any:
    """Only earlier places, the own one left out; the first row is 0/0."""
    Q, K, V = (np.asarray(item, np.float64) for item in (Q, K, V))
    with np.errstate(all="ignore"):
        return np.tril(Q @ K.T, -1) @ V / np.tril(Q @ K.T, -1).sum(axis=1, keepdims=True)


def positive(rng: np.random.Generator, T: int, D: int, M: int, dtype: str = "float64") -> list[np.ndarray]:
    """Q, K (T, D) and V (T, M); queries and keys positive, so that every sum is."""
    return [
        (0.1 + rng.random((T, D))).astype(dtype),
        (0.1 + rng.random((T, D))).astype(dtype),
        rng.normal(size=(T, M)).astype(dtype),
    ]


def attention_inputs(rng: np.random.Generator) -> Iterator[Case]:
    """Several sizes; the first is also observed at growing lengths."""
    sizes = [
        (6, 4, 3, [128, 256, 512]),
        (1, 3, 2, []),
        (17, 2, 5, []),
        (40, 5, 5, [128, 256, 512]),
        (300, 3, 2, []),
    ]
    for T, D, M, lengths in sizes:
        note = f"T = {T}, D = {D}, M = {M}"
        yield Case(positive(rng, T, D, M), {"lengths": lengths}, note=note, probe="observe", torch=True)
    yield Case(
        positive(rng, 9, 4, 2, "float32"),
        {"lengths": []},
        note="float32 tensors",
        probe="observe",
        torch=True,
    )


def long_inputs(rng: np.random.Generator) -> Iterator[Case]:
    """The same, of which the first also runs at a length whose square has 29 GB."""
    first, *others = attention_inputs(rng)
    yield replace(first, kwargs={**first.kwargs, "long": 60_000})
    yield from others


def attention_example(rng: np.random.Generator) -> Iterator[Case]:
    """One small input for the notebook, observed at two lengths."""
    yield Case(
        positive(rng, 4, 3, 2),
        {"lengths": [64, 128]},
        note="T = 4, D = 3, M = 2",
        probe="observe",
        torch=True,
    )


def observed(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that were observed at growing lengths."""
    return [trial for trial in trials if len(trial.kwargs["lengths"])]


def largest_tensors(trial: Trial, expected: Any, found: Any) -> dict[str, Any]:
    """The largest tensor that was made at each observed length, beside T × T."""
    grown = trial.result["grown"]
    sizes = {"your largest tensor": [row[5] for row in grown], "T × T": [row[0] ** 2 for row in grown]}
    return curve(
        "Numbers in the largest tensor of your function",
        sizes,
        x="T",
        y="numbers",
        at=[row[0] for row in grown],
        log=True,
    )


def growing_work(trial: Trial, expected: Any, found: Any) -> dict[str, Any]:
    """The work at each observed length, beside work that grows like T."""
    grown = trial.result["grown"]
    work = {
        "your function": [row[4] for row in grown],
        "growing like T": [grown[0][4] * row[0] / grown[0][0] for row in grown],
    }
    return curve(
        "Elementary operations of your function",
        work,
        x="T",
        y="operations",
        at=[row[0] for row in grown],
        log=True,
    )


def check_costs(question: Question, name: str, points: tuple[float, float]) -> None:
    """Adds the two checks of what was observed: sizes of intermediates, growth of the work."""

    @question.check("no T×T tensor", points=points[0], needs=[name])
    def no_large_tensor_is_made(answer: Answer) -> Wrong | None:
        return first_problem(name, observed(answer[name]), public.size_problem, largest_tensors)

    @question.check("work grows like T", points=points[1], needs=[name])
    def work_grows_linearly(answer: Answer) -> Wrong | None:
        return first_problem(name, observed(answer[name]), public.growth_problem, growing_work)


linear = hw.question(
    "6.2a",
    "Linear attention",
    minutes=12,
    difficulty="medium",
    asks={
        "the linear form, equal to the quadratic one": "equals the quadratic form",
        "no T×T tensor": "no T×T tensor",
        "work that grows like T": "work grows like T",
    },
    topic="linear attention, causal form",
    entries=[
        Challenge(
            "linear_attention",
            cases=long_inputs,
            examples=attention_example,
            expected=linear_oracle,
            mistakes={
                "The division by the sum of the similarities is missing.": lambda Q, K, V, lengths=(), **_: (
                    Q @ K.T @ V
                ),
                "You divide by the sum over the queries; each query must divide by the sum over its keys.": (
                    lambda Q, K, V, lengths=(), **_: Q @ K.T / (Q @ K.T).sum(axis=0, keepdims=True) @ V
                ),
                "That is softmax attention: here the exponential is dropped.": (
                    lambda Q, K, V, lengths=(), **_: linear_oracle(Q, K, V, scores=np.exp)
                ),
                "That is softmax attention with its scale: here the exponential is dropped.": (
                    lambda Q, K, V, lengths=(), **_: linear_oracle(
                        Q, K, V, scores=lambda s: np.exp(s / np.sqrt(Q.shape[1]))
                    )
                ),
                "All rows are divided by one number; each query has a sum of its own.": (
                    lambda Q, K, V, lengths=(), **_: Q @ K.T @ V / (Q @ K.T).sum()
                ),
                "You divide by the sum of the keys alone; the sum is over q·k, so it needs the query too.": (
                    lambda Q, K, V, lengths=(), **_: Q @ K.T @ V / K.sum()
                ),
                "The scale 1/√D stands in the numerator alone; here there is none.": (
                    lambda Q, K, V, lengths=(), **_: linear_oracle(Q, K, V) / np.sqrt(Q.shape[1])
                ),
                "You take exponentials of queries and keys; here φ(x) = x, so use them as they are.": (
                    lambda Q, K, V, lengths=(), **_: linear_oracle(np.exp(Q), np.exp(K), V)
                ),
                "A softmax runs over the keys' tokens; the question divides by the sum of the"
                " similarities.": (
                    lambda Q, K, V, lengths=(), **_: (
                        Q @ (np.exp(K) / np.exp(K).sum(axis=0, keepdims=True)).T @ V
                    )
                ),
                "You divide by the sum of the outputs; divide by the sum of the similarities, Q (Σ k).": (
                    lambda Q, K, V, lengths=(), **_: Q @ K.T @ V / (Q @ K.T @ V).sum(axis=1, keepdims=True)
                ),
                "The keys stand in the place of the queries as well: sim is q·k.": (
                    lambda Q, K, V, lengths=(), **_: linear_oracle(K, K, V)
                ),
                "That is the plain mean of the values; the similarities q·k are not in it.": (
                    lambda Q, K, V, lengths=(), **_: np.repeat(V.mean(axis=0, keepdims=True), len(V), axis=0)
                ),
                "You divide by q times the mean of the keys; it is their sum.": (
                    lambda Q, K, V, lengths=(), **_: linear_oracle(Q, K, V) * len(K)
                ),
                "The normalizer sums each key's features; sum the keys over the places (dim=0).": (
                    lambda Q, K, V, lengths=(), **_: (
                        Q @ K.T @ V / (Q * K.sum(axis=1, keepdims=True)).sum(axis=1, keepdims=True)
                    )
                ),
                "You divide by the sum of the query's numbers; divide by the sum of its similarities.": (
                    lambda Q, K, V, lengths=(), **_: Q @ K.T @ V / Q.sum(axis=1, keepdims=True)
                ),
                "Softmaxes of queries and keys stand in the place of the sums; here φ(x) = x.": (
                    lambda Q, K, V, lengths=(), **_: (
                        np.exp(Q)
                        / np.exp(Q).sum(axis=1, keepdims=True)
                        @ (np.exp(K) / np.exp(K).sum(axis=0, keepdims=True)).T
                        @ V
                    )
                ),
                "You divide each column of K by its sum over the tokens; divide by each query's sum of"
                " similarities.": lambda Q, K, V, lengths=(), **_: Q @ (K / K.sum(axis=0)).T @ V,
                "You divide by the number of tokens, not by the sum of the similarities.": (
                    lambda Q, K, V, lengths=(), **_: Q @ K.T @ V / len(Q)
                ),
                "Queries and keys have changed places.": lambda Q, K, V, lengths=(), **_: linear_oracle(
                    K, Q, V
                ),
            },
        ),
    ],
)
linear.check_cases("linear_attention", "equals the quadratic form", points=4)
check_costs(linear, "linear_attention", (2, 2))


causal = hw.question(
    "6.2b",
    "Causal linear attention is a recurrence",
    minutes=25,
    difficulty="hard",
    asks={
        "the causal form": "equals the masked quadratic form",
        "no T×T tensor": "no T×T tensor",
        "work that grows like T": "work grows like T",
    },
    entries=[
        Challenge(
            "causal_linear_attention",
            cases=attention_inputs,
            examples=attention_example,
            expected=lambda Q, K, V, lengths=(), **_: linear_oracle(Q, K, V, causal=True),
            mistakes={
                "Every query sees all keys, later ones too: the sums must run up to the query's own place.": (
                    linear_oracle
                ),
                "The numerator is causal, but the denominator sums over all keys.": half_causal,
                "A place does not see itself: the sums must include s = t.": exclusive,
                "A place does not see itself, so the first sees nothing: the sums must include s = t.": (
                    lambda Q, K, V, lengths=(), **_: np.nan_to_num(exclusive(Q, K, V))
                ),
                "The denominator is causal, but the numerator sums over all keys.": (
                    lambda Q, K, V, lengths=(), **_: Q @ K.T @ V / np.tril(Q @ K.T).sum(axis=1, keepdims=True)
                ),
                **{
                    f"The sums decay (by {gamma:g} a place, …); old places count as much as new ones.": (
                        decaying(gamma)
                    )
                    for gamma in (0.9, 0.5, 0.8, 0.95, 0.99)
                },
                "Nothing is summed over the places: each sees itself alone, so its weight is 1.": (
                    lambda Q, K, V, lengths=(), **_: V
                ),
                "You divide by the number of places so far, not by the sum of their similarities.": (
                    lambda Q, K, V, lengths=(), **_: np.tril(Q @ K.T) @ V / np.arange(1, len(Q) + 1)[:, None]
                ),
                "You sum keys and values each by itself and multiply then. Sum their outer products: each key"
                " belongs to its own value.": lambda Q, K, V, lengths=(), **_: np.cumsum(V, axis=0),
                "Queries and keys have changed places.": lambda Q, K, V, lengths=(), **_: linear_oracle(
                    K, Q, V, causal=True
                ),
                "You take exponentials of queries and keys; here φ(x) = x, so use them as they are.": (
                    lambda Q, K, V, lengths=(), **_: linear_oracle(np.exp(Q), np.exp(K), V, causal=True)
                ),
                "The scale 1/√D stands in the numerator alone; here there is none.": (
                    lambda Q, K, V, lengths=(), **_: linear_oracle(Q, K, V, causal=True) / np.sqrt(Q.shape[1])
                ),
                "The queries are inside the sums; each place multiplies the sums by its own query.": (
                    lambda Q, K, V, lengths=(), **_: (
                        np.cumsum((Q * K).sum(axis=1, keepdims=True) * V, axis=0)
                        / np.cumsum((Q * K).sum(axis=1, keepdims=True), axis=0)
                    )
                ),
                "The sums of k in the denominator run over the features; they must run over the places"
                " (dim=0).": (
                    lambda Q, K, V, lengths=(), **_: (
                        np.tril(Q @ K.T) @ V / (Q * np.cumsum(K, axis=1)).sum(axis=1, keepdims=True)
                    )
                ),
                "That is the plain mean of the values so far; the similarities q·k are not in it.": (
                    lambda Q, K, V, lengths=(), **_: np.cumsum(V, axis=0) / np.arange(1, len(V) + 1)[:, None]
                ),
                "The denominator has the own place alone; it must sum over s ≤ t as the numerator does.": (
                    lambda Q, K, V, lengths=(), **_: np.tril(Q @ K.T) @ V / (Q * K).sum(axis=1, keepdims=True)
                ),
                "The sums of k vᵀ run over the features; they must run over the places (dim=0).": (
                    lambda Q, K, V, lengths=(), **_: (
                        np.einsum("td,tdm->tm", Q, np.cumsum(K[:, :, None] * V[:, None], axis=1))
                        / np.tril(Q @ K.T).sum(axis=1, keepdims=True)
                    )
                ),
                "The denominator sums the keys alone; it is Σ q·k, so it needs the query too.": (
                    lambda Q, K, V, lengths=(), **_: (
                        np.tril(Q @ K.T) @ V / np.cumsum(K, axis=0).sum(axis=1, keepdims=True)
                    )
                ),
                "The sums run from the end: each place sees itself and the later ones.": (
                    lambda Q, K, V, lengths=(), **_: linear_oracle(Q[::-1], K[::-1], V[::-1], causal=True)[
                        ::-1
                    ]
                ),
                "The division by the sum of the similarities is missing.": lambda Q, K, V, lengths=(), **_: (
                    np.tril(Q @ K.T) @ V
                ),
            },
        ),
    ],
    written=Written(
        points=4,
        words=(60, 160),
        rubric={
            "Names the order of the products (KᵀV before Q) and the saving that follows, T² against T": 1,
            (
                "Says why softmax forbids it: exp of a sum of products is no product of one function"
                " of q and one of k (of finite length)"
            ): 1,
            (
                "Names the state of the causal form (D×M sums and D for the normalizer) and that its"
                " size does not depend on T"
            ): 1,
            (
                "Names a price: all the past must fit into that state, so a single old token cannot"
                " be looked up exactly"
            ): 1,
        },
        examples={
            "full": (
                "(QKᵀ)V and Q(KᵀV) are equal, but KᵀV has only D×M numbers, so nothing of size T×T is formed"
                " and the cost grows like T. The exponential stands between the products: exp(q·k) is not one"
                " vector of q times one of k of finite length, so V cannot be pulled in. With a causal mask"
                " the sums of k vᵀ (D×M) and of k (D) are updated once a token, like the state of an RNN;"
                " generating needs the same memory at every step. The price: the whole past is squeezed into"
                " that one matrix, so with more than about D tokens they blur into each other, while softmax"
                " attention can pick a single one."
            ),
            "half": (
                "Matrix products are associative, so we first compute KᵀV which is small and then multiply by"
                " Q. This costs O(T) instead of O(T²). With the causal mask one keeps running sums, so it is"
                " like an RNN with a fixed state."
            ),
            "none": (
                "Linear attention is faster because it has fewer parameters and the softmax is slow on a CPU."
            ),
        },
    ),
)
causal.check_cases("causal_linear_attention", "equals the masked quadratic form", points=4)
check_costs(causal, "causal_linear_attention", (2, 3))
