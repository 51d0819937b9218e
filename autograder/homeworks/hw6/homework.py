"""hw6: attention at linear cost, and the theory behind it.

Derivations are executed: their results are functions or numbers that hidden inputs test. Costs are observed
while the
student's code runs. Statistical checks state the probability with which they would fail a right answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autograder.declare.evidence import Picture, curve
from autograder.declare.homework import (
    Answer,
    Array,
    Case,
    Challenge,
    Choice,
    Homework,
    Written,
    Wrong,
    not_run,
    wrong_on,
)
from autograder.homeworks.hw6 import public
from autograder.kit import Trial

hw = Homework("hw6", title="Efficient attention and the theory behind it", stem="hw6_efficient_attention")


def wrong_if(problem: str | None) -> Wrong | None:
    """A failed check with these words, or a passed one."""
    return Wrong(problem) if problem else None


def first_problem(
    name: str, trials: Sequence[Trial], judge: Callable[[Trial], str | None], picture: Picture | None = None
) -> Wrong | None:
    """The first trial that did not run or that ``judge`` finds wrong, in words."""
    for trial in trials:
        if trouble := not_run(name, trial):
            return trouble
        if wrong := wrong_on(trial, judge(trial), picture):
            return wrong
    return None


# 6.1 --------------------------------------------------------------------------------------------------------


def sigmoid(z: Any) -> Any:
    """The logistic function, written with tanh so that nothing overflows."""
    return 0.5 * (1 + np.tanh(np.asarray(z, float) / 2))


def alternating(
    x: np.ndarray, sign: float = -1.0, scale: float = 1000.0, input_sign: float = 1.0
) -> list[Any]:
    """States and output from the closed form h_t = Σ_s sign^(t-s) x_s, which never iterates the recurrence."""
    t = np.arange(len(x))
    powers = np.where(t[:, None] >= t[None], sign ** np.abs(t[:, None] - t[None]), 0.0)
    h = powers @ (input_sign * np.asarray(x, float))
    return [h, np.asarray(sigmoid(scale * h[-1]))]


def number_sequences(rng: np.random.Generator) -> Iterator[Case]:
    """Sequences of even and odd length; sums at even and odd places that differ clearly, or not at all."""
    yield Case([np.array([1.0, 3.0, 2.0, 1.0])], note="the sequence [1, 3, 2, 1]")
    yield Case([np.full(6, 2.5)], note="a constant sequence of six numbers")
    yield Case([np.array([0.25, -0.5])], note="the sequence [0.25, -0.5]")
    for length in (1, 5, 8, 31, 64):
        yield Case(
            [np.round(rng.normal(size=length), 2)], note=f"{length} random number{'s' if length > 1 else ''}"
        )
    yield Case([np.array([500.0, -500.0, 300.0, 900.0])], note="large numbers")


def few_lengths(rng: np.random.Generator) -> Iterator[Case]:
    """Even and odd lengths."""
    for T in (4, 5, 1, int(rng.integers(6, 10)) * 2, int(rng.integers(6, 10)) * 2 + 1):
        yield Case([T], note=f"T = {T}")


def signs(T: int) -> np.ndarray:
    """By differences: h_T is linear in x, so its coefficients are the outputs for unit vectors."""
    return np.array([round(alternating(unit)[0][-1]) for unit in np.eye(T)])


recurrence = hw.question(
    "6.1",
    "A recurrence with one number of memory",
    minutes=8,
    difficulty="easy",
    entries=[
        Challenge(
            "alternating_rnn",
            cases=number_sequences,
            expected=alternating,
            atol=1e-9,
            mistakes={
                "You add the state before instead of subtracting it: h_t = x_t - h_(t-1).": lambda x: (
                    alternating(x, sign=1.0)
                ),
                "Your sign is turned round: h_t is x_t minus the state, not the state minus x_t.": lambda x: [
                    alternating(x, sign=1.0, input_sign=-1.0)[0],
                    alternating(x, sign=1.0, input_sign=-1.0)[1],
                ],
                "The factor 1000 inside σ is missing.": lambda x: alternating(x, scale=1.0),
            },
        ),
        Challenge(
            "unrolled_weights",
            cases=few_lengths,
            expected=signs,
            mistakes={
                "That is right for even T only: x_T itself always has the weight +1.": lambda T: (
                    (-1) ** np.arange(1, T + 1)
                ),
                "That is right for odd T only: x_T itself always has the weight +1.": lambda T: (
                    (-1) ** np.arange(T)
                ),
                "All weights are 1: does the minus in front of h_(t-1) not show?": lambda T: np.ones(T, int),
            },
        ),
        Choice(
            "alternating_decides",
            options={
                "A": "whether the last number is larger than the first",
                "B": (
                    "whether the sum at the even places (x₂ + x₄ + …) is larger than the sum at the odd"
                    " places"
                ),
                "C": (
                    "whether the sum at the odd places (x₁ + x₃ + …) is larger than the sum at the even"
                    " places"
                ),
                "D": "whether the sum of all numbers is positive",
            },
            correct="B",
            why={
                "A": "the numbers in between count too, each with weight +1 or -1.",
                "C": (
                    "for even T the last number stands at an even place and has the weight +1; so even places"
                    " count positive."
                ),
                "D": "then all weights would be +1; the minus in the recurrence makes them alternate.",
            },
            points=2,
        ),
    ],
)
recurrence.check_cases("alternating_rnn", "states and output", points=3)
recurrence.check_cases("unrolled_weights", "the unrolled weights", points=2)


# 6.2 --------------------------------------------------------------------------------------------------------


def linear_oracle(
    Q: Any,
    K: Any,
    V: Any,
    lengths: Any = (),
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


def half_causal(Q: Any, K: Any, V: Any, lengths: Any = ()) -> Any:
    """Numerator of the past, denominator of everything."""
    Q, K, V = (np.asarray(item, np.float64) for item in (Q, K, V))
    return np.tril(Q @ K.T) @ V / (Q @ K.T).sum(axis=1, keepdims=True)


def exclusive(Q: Any, K: Any, V: Any, lengths: Any = ()) -> Any:
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


def check_costs(question: Any, name: str, points: tuple[float, float]) -> None:
    """Adds the two checks of what was observed: sizes of intermediates, growth of the work."""

    @question.check("no T×T tensor", points=points[0], needs=[name])  # type: ignore[untyped-decorator]
    def _(answer: Answer) -> Wrong | None:
        return first_problem(name, observed(answer[name]), public.size_problem, largest_tensors)

    @question.check("work grows like T", points=points[1], needs=[name])  # type: ignore[untyped-decorator]
    def _(answer: Answer) -> Wrong | None:
        return first_problem(name, observed(answer[name]), public.growth_problem, growing_work)


linear = hw.question(
    "6.2a",
    "Linear attention",
    minutes=12,
    difficulty="medium",
    entries=[
        Challenge(
            "linear_attention",
            cases=attention_inputs,
            examples=attention_example,
            expected=linear_oracle,
            mistakes={
                "The division by the sum of the similarities is missing.": lambda Q, K, V, lengths=(): (
                    Q @ K.T @ V
                ),
                "You divide by the sum over the queries; each query must divide by the sum over its keys.": (
                    lambda Q, K, V, lengths=(): Q @ K.T / (Q @ K.T).sum(axis=0, keepdims=True) @ V
                ),
                "That is softmax attention: here the exponential is dropped.": lambda Q, K, V, lengths=(): (
                    linear_oracle(Q, K, V, scores=np.exp)
                ),
                "That is softmax attention with its scale: here the exponential is dropped.": (
                    lambda Q, K, V, lengths=(): linear_oracle(
                        Q, K, V, scores=lambda s: np.exp(s / np.sqrt(Q.shape[1]))
                    )
                ),
                "You divide by the number of tokens, not by the sum of the similarities.": (
                    lambda Q, K, V, lengths=(): Q @ K.T @ V / len(Q)
                ),
                "Queries and keys have changed places.": lambda Q, K, V, lengths=(): linear_oracle(K, Q, V),
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
    entries=[
        Challenge(
            "causal_linear_attention",
            cases=attention_inputs,
            examples=attention_example,
            expected=lambda Q, K, V, lengths=(): linear_oracle(Q, K, V, causal=True),
            mistakes={
                "Every query sees all keys, later ones too: the sums must run up to the query's own place.": (
                    linear_oracle
                ),
                "The numerator is causal, but the denominator sums over all keys.": half_causal,
                "A place does not see itself: the sums must include s = t.": exclusive,
                "The sums run from the end: each place sees itself and the later ones.": (
                    lambda Q, K, V, lengths=(): linear_oracle(Q[::-1], K[::-1], V[::-1], causal=True)[::-1]
                ),
                "The division by the sum of the similarities is missing.": lambda Q, K, V, lengths=(): (
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
            "Says why softmax forbids it: exp of a sum of products is no product of one function of q and one of k (of finite length)": (
                1
            ),
            "Names the state of the causal form (D×M sums and D for the normaliser) and that its size does not depend on T": (
                1
            ),
            "Names a price: all the past must fit into that state, so a single old token cannot be looked up exactly": (
                1
            ),
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


# 6.3 --------------------------------------------------------------------------------------------------------

VERDICTS = {
    "A": "safe: for all real vectors every weight lies between 0 and 1",
    "B": "no weight is negative, but the sum can be 0, and then the weights are 0/0",
    "C": "similarities of both signs: weights can be negative and of any size",
}
POSITIVE_SUM = "it is positive for all real vectors, so the sum is positive too."
NEVER_NEGATIVE = "it is never negative, so weights cannot be either; look at when it is exactly 0."
OPPOSITE = "q·k is negative for vectors that point away from each other."
CAN_BE_ZERO = "it can be exactly 0 for every key at once: can you find such a query?"
SIMILARITIES: list[tuple[str, str, dict[str, str]]] = [
    ("sim_exp", "A", {"B": POSITIVE_SUM, "C": POSITIVE_SUM}),
    ("sim_dot", "C", {"A": OPPOSITE, "B": OPPOSITE}),
    ("sim_square", "B", {"A": CAN_BE_ZERO, "C": NEVER_NEGATIVE}),
    ("sim_polynomial", "B", {"A": f"{CAN_BE_ZERO[:-1]}, with q·k = -1?", "C": NEVER_NEGATIVE}),
    ("sim_relu", "B", {"A": f"{CAN_BE_ZERO[:-1]}, all of whose numbers are negative?", "C": NEVER_NEGATIVE}),
    (
        "sim_elu",
        "A",
        {
            "B": f"elu(x) + 1 is above 0 for every x, so {POSITIVE_SUM}",
            "C": f"elu(x) + 1 is above 0 for every x, so {POSITIVE_SUM}",
        },
    ),
]

finite = hw.question(
    "6.3",
    "Which similarities keep attention finite?",
    minutes=10,
    difficulty="medium",
    entries=[
        *(
            Choice(name, options=VERDICTS, correct=right, why=why, points=0.5)
            for name, right, why in SIMILARITIES
        ),
        Array("dot_query", ("d",)),
        Array("dot_keys", ("n", "d")),
        Array("square_query", ("e",)),
        Array("square_keys", ("m", "e")),
    ],
)


@finite.check("q·k leaves the bounds", points=2, needs=["dot_query", "dot_keys"])
def _(answer: Answer) -> Wrong | None:
    return wrong_if(public.dot_problem(answer["dot_query"], answer["dot_keys"]))


@finite.check("(q·k)² sums to zero", points=2, needs=["square_query", "square_keys"])
def _(answer: Answer) -> Wrong | None:
    return wrong_if(public.square_problem(answer["square_query"], answer["square_keys"]))


# 6.4 --------------------------------------------------------------------------------------------------------


def vector_pairs(sizes: Sequence[int]) -> Callable[[np.random.Generator], Iterator[Case]]:
    """Two inputs for each D, one after the other, so that features of separate calls meet."""

    def draw(rng: np.random.Generator) -> Iterator[Case]:
        for D in sizes:
            for rows in (4, 3):
                yield Case([np.round(rng.normal(size=(rows, D)), 2)], note=f"inputs with D = {D}")

    return draw


def some_dimensions(rng: np.random.Generator) -> Iterator[Case]:
    """Small sizes and a hidden large one."""
    for D in (2, 3, 1, int(rng.integers(5, 9)), int(rng.integers(20, 90))):
        yield Case([D], note=f"D = {D}")


def count_monomials(D: int) -> int:
    """By enumeration: monomials of degree at most 2 in D variables."""
    variables = range(D + 1)  # one of them stands for the constant 1
    return sum(1 for i in variables for j in variables if i <= j)


COUNT_SLIPS: dict[str, Callable[[int], int]] = {
    "That counts the constant, the x_i and the x_i², but no cross terms x_i·x_j.": lambda D: 2 * D + 1,
    "That counts x_i·x_j and x_j·x_i both; one feature for each pair is enough.": lambda D: D * D + D + 1,
    "The constant feature 1 is not counted.": lambda D: (D + 1) * (D + 2) // 2 - 1,
    "Only the terms of degree 2 are counted; the x_i and the constant are missing.": lambda D: (
        D * (D + 1) // 2
    ),
}

polynomial = hw.question(
    "6.4",
    "A feature map for (q·k + 1)²",
    minutes=12,
    difficulty="medium",
    entries=[
        Challenge("polynomial_features", cases=vector_pairs((3, 1, 2, 5)), examples=vector_pairs((2,))),
        Challenge("feature_count", cases=some_dimensions, expected=count_monomials, mistakes=COUNT_SLIPS),
        Array("features_for_64"),
    ],
)


def paired(name: str, trials: Sequence[Trial], judge: Callable[[Trial, Trial], str | None]) -> Wrong | None:
    """Judges trials two by two, after asking whether each ran and is an array of features."""
    if trouble := first_problem(name, trials, lambda trial: public.features_problem(name, trial)):
        return trouble
    for left, right in zip(trials[::2], trials[1::2], strict=True):
        if wrong := wrong_on(left, judge(left, right)):
            return wrong
    return None


def polynomial_problem(left: Trial, right: Trial) -> str | None:
    """Holds φ(x)·φ(y) against the kernel and names the usual slips by what they give."""
    X, Y = left.args[0], right.args[0]
    dot, squares = X @ Y.T, X**2 @ (Y**2).T
    cross = (dot**2 - squares) / 2  # the sum over i < j of x_i x_j y_i y_j
    problem = public.gram_problem(left, right, (dot + 1) ** 2)
    if problem is None or left.output.shape[1] != right.output.shape[1]:
        return problem
    found = left.output.astype(float) @ right.output.astype(float).T
    slips = {
        "The cross terms are missing: (q·k)² = Σ q_i²k_i² + 2·Σ_(i<j) q_i q_j k_i k_j, so φ needs √2·x_i·x_j for each pair i < j.": (
            squares + 2 * dot + 1
        ),
        "The cross terms x_i·x_j come in with the wrong weight: each pair appears twice in (q·k)², and φ meets itself in the product, so the weight is √2, not 1.": (
            squares + cross + 2 * dot + 1
        ),
        "The cross terms x_i·x_j come in with the weight 2; φ meets itself in the product, so the weight is √2.": (
            squares + 4 * cross + 2 * dot + 1
        ),
        "The linear terms come in with the weight 1; (q·k + 1)² holds 2·q·k, so their weight is √2.": (
            dot**2 + dot + 1
        ),
        "The linear terms come in with the weight 2; φ meets itself in the product, so the weight is √2.": (
            dot**2 + 4 * dot + 1
        ),
        "The linear terms are missing: (q·k + 1)² holds 2·q·k.": dot**2 + 1,
        "All weights are 1, but terms that (q·k + 1)² holds twice need √2: the cross terms and the linear ones.": (
            squares + cross + dot + 1
        ),
        "The constant feature is missing: (q·k + 1)² holds a 1.": dot**2 + 2 * dot,
    }
    named = (words for words, gram in slips.items() if np.allclose(found, gram, rtol=1e-6, atol=1e-9))
    return f"{problem} {next(named, '')}".strip()


@polynomial.check("φ(q)·φ(k) is the kernel", points=4, needs=["polynomial_features"])
def _(answer: Answer) -> Wrong | None:
    return paired("polynomial_features", answer["polynomial_features"], polynomial_problem)


@polynomial.check("as few features as possible", points=1, needs=["polynomial_features"])
def _(answer: Answer) -> Wrong | None:
    def judge(left: Trial, right: Trial) -> str | None:
        D, found = left.args[0].shape[1], left.output.shape[1]
        if found == count_monomials(D):
            return None
        told = (
            f"With D = {D} your map has {found} features; as many as there are monomials of degree at most 2"
            f" are needed, {count_monomials(D)}."
        )
        if found == D * D + D + 1:
            return (
                f"{told} You keep x_i·x_j and x_j·x_i both: one feature with the weight √2 does the work of"
                " the two."
            )
        more = "One for the constant, one for each x_i, x_i² and each pair i < j."
        return f"{told} {more if found > count_monomials(D) else 'Some are missing.'}"

    return paired("polynomial_features", answer["polynomial_features"], judge)


polynomial.check_cases("feature_count", "the number of features", points=1)


@polynomial.check("the number for D = 64", points=1, needs=["features_for_64"])
def _(answer: Answer) -> Wrong | None:
    found = float(answer["features_for_64"])
    if found == count_monomials(64):
        return None
    named = next(
        (words for words, slip in COUNT_SLIPS.items() if found == slip(64)),
        "List the features for D = 2 and D = 3 and count them first.",
    )
    return Wrong(f"`features_for_64` is {found:g}. {named}")


# 6.5 --------------------------------------------------------------------------------------------------------

EXPONENTS: dict[
    str, list[list[int]]
] = {  # rows [N, D, M, C], the terms that remain when smaller ones are dropped
    "softmax_time": [[2, 1, 0, 0], [2, 0, 1, 0]],
    "softmax_memory": [[2, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]],
    "kernel_time": [[1, 0, 1, 1]],
    "kernel_memory": [[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]],
}
REASONS: dict[str, dict[tuple[int, ...], str]] = {
    "softmax_time": {
        (2, 1, 0, 0): "N² scores of D products each",
        (2, 0, 1, 0): "N weights for each of N queries, each times M numbers",
    },
    "softmax_memory": {
        (2, 0, 0, 0): "the N×N weights",
        (1, 1, 0, 0): "queries and keys",
        (1, 0, 1, 0): "values and outputs",
    },
    "kernel_time": {
        (
            1,
            0,
            1,
            1,
        ): "N outer products of C features and M values, then N products of C features with that C×M matrix"
    },
    "kernel_memory": {
        (1, 1, 0, 0): "queries and keys",
        (1, 0, 1, 0): "values and outputs",
        (0, 0, 1, 1): "the C×M sums",
    },
}

orders = hw.question(
    "6.5a",
    "What grows, and how fast",
    minutes=10,
    difficulty="medium",
    entries=[Array(name, (letter, 4)) for name, letter in zip(EXPONENTS, "abce", strict=True)],
)


def essential(rows: Any) -> set[tuple[int, ...]]:
    """The terms that matter in O(…): those that no other term contains as a factor, since all sizes are at least 1."""
    terms = {tuple(int(power) for power in row) for row in rows}
    return {
        term
        for term in terms
        if not any(other != term and all(a <= b for a, b in zip(term, other, strict=True)) for other in terms)
    }


def order_problem(name: str, rows: np.ndarray) -> str | None:
    """Compares the essential terms; names the first that is missing, too small or too large."""
    if problem := public.exponents_problem(name, rows):
        return problem
    found, wanted = essential(rows), {tuple(term) for term in EXPONENTS[name]}
    if found == wanted:
        return None
    told = f"`{name}` reads O({' + '.join(sorted(map(public.monomial, found)))})."
    if name.startswith("kernel") and any(term[0] >= 2 for term in found):
        return (
            f"{told} N² appears: the kernelised form never pairs queries with keys. What is summed over the"
            " keys first?"
        )
    for term in sorted(wanted):
        if not any(all(a >= b for a, b in zip(other, term, strict=True)) for other in found):
            return f"{told} The term {public.monomial(term)} is not covered: {REASONS[name][term]}."
    extra = sorted(found - wanted)[0]
    return (
        f"{told} The term {public.monomial(extra)} is larger than needed; nothing that large is computed or"
        " kept."
    )


def check_order(name: str) -> None:
    """Adds the check of one cost."""

    @orders.check(name.replace("_", " "), points=1.5, needs=[name])
    def _(answer: Answer) -> Wrong | None:
        return wrong_if(order_problem(name, answer[name]))


for _name in EXPONENTS:
    check_order(_name)


def softmax_count(N: int, D: int, M: int) -> int:
    """Multiplications in matrix products, counted while torch computes softmax attention."""
    import torch

    Q, K, V = torch.ones(N, D), torch.ones(N, D), torch.ones(N, M)
    return public.observe(lambda: torch.softmax(Q @ K.T / D**0.5, dim=1) @ V)[1].products


def kernel_count(N: int, C: int, M: int) -> int:
    """Multiplications in matrix products, counted while torch computes kernelised attention from given features."""
    import torch

    phi_q, phi_k, V = torch.ones(N, C), torch.ones(N, C), torch.ones(N, M)
    return public.observe(lambda: phi_q @ (phi_k.T @ V) / (phi_q @ phi_k.sum(dim=0))[:, None])[1].products


def crossover(D: int, M: int) -> int:
    """The smallest N at which the counted operations of the quadratic kernel are fewer, by bisection."""
    C = count_monomials(D)
    few, many = 1, 1
    while kernel_count(many, C, M) >= softmax_count(many, D, M):
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (
            (few, middle) if kernel_count(middle, C, M) < softmax_count(middle, D, M) else (middle, many)
        )
    return many


def three_sizes(rng: np.random.Generator) -> Iterator[Case]:
    """Different sizes, so that no two can be confused."""
    yield Case([3, 2, 4], note="the sizes (3, 2, 4)")
    for _ in range(4):
        sizes = [int(size) for size in rng.choice(np.arange(2, 30), size=3, replace=False)]
        yield Case(sizes, note=f"the sizes {tuple(sizes)}")


def two_sizes(rng: np.random.Generator) -> Iterator[Case]:
    """D and M, equal and not; large enough for the usual slips to differ."""
    for D, M in ((7, 5), (9, 9), (int(rng.integers(10, 13)), 6), (6, int(rng.integers(8, 14)))):
        yield Case([D, M], note=f"D = {D}, M = {M}")


def _crossover_with(D: int, M: int, C: int, normaliser: int = 1, more: int = 1) -> int:
    return (2 * C * M + normaliser * C) // (D + M) + more


counts = hw.question(
    "6.5b",
    "Counting multiplications",
    minutes=12,
    difficulty="medium",
    entries=[
        Challenge(
            "softmax_multiplications",
            cases=three_sizes,
            expected=softmax_count,
            mistakes={
                "The second product, weights times values, is missing.": lambda N, D, M: N * N * D,
                "The first product, queries times keys, is missing.": lambda N, D, M: N * N * M,
                "Each product is counted twice: multiplications alone, not additions.": lambda N, D, M: (
                    2 * N * N * (D + M)
                ),
                "Every query meets every key: N², not N.": lambda N, D, M: N * (D + M),
                "The two products come one after the other, so their counts add up; you multiplied them.": (
                    lambda N, D, M: N * N * D * M
                ),
                "O(…) takes the larger of D and M; a count takes both.": lambda N, D, M: N * N * max(D, M),
            },
        ),
        Challenge(
            "kernel_multiplications",
            cases=three_sizes,
            expected=kernel_count,
            mistakes={
                "The normaliser φ(Q)·(Σφ(k)) is missing: it costs N·C.": lambda N, C, M: 2 * N * C * M,
                "φ(K)ᵀV and φ(Q)·(…) are two products; you count one.": lambda N, C, M: N * C * M + N * C,
                "You count one product and no normaliser; there are two products of N·C·M and the normaliser.": lambda N, C, M: (
                    N * C * M
                ),
                "You count φ(Q)φ(K)ᵀ, which the kernelised form never computes.": lambda N, C, M: (
                    N * N * (C + M)
                ),
                "Each product is counted twice: multiplications alone, not additions.": lambda N, C, M: (
                    2 * (2 * N * C * M + N * C)
                ),
                "Σφ(k) is a sum, not a product: additions are not counted.": lambda N, C, M: (
                    2 * N * C * M + 2 * N * C
                ),
            },
        ),
        Challenge(
            "crossover_length",
            cases=two_sizes,
            expected=crossover,
            mistakes={
                "You take D² for the number of features; 6.4 counts them exactly.": lambda D, M: (
                    _crossover_with(D, M, D * D)
                ),
                "The normaliser is left out of the kernel's count.": lambda D, M: _crossover_with(
                    D, M, count_monomials(D), normaliser=0
                ),
                "One too small: at this N softmax needs no more than the kernel.": lambda D, M: (
                    _crossover_with(D, M, count_monomials(D), more=0)
                ),
                "One too large: a smaller N suffices already.": lambda D, M: _crossover_with(
                    D, M, count_monomials(D), more=2
                ),
                "The cross terms are not among your features.": lambda D, M: _crossover_with(D, M, 2 * D + 1),
            },
        ),
        Choice(
            "quadratic_wins",
            options={
                "A": "N much larger than D",
                "B": "N much larger than D²",
                "C": "D much larger than N",
                "D": "always: a linear method is cheaper than a quadratic one",
            },
            correct="B",
            why={
                "A": (
                    "with N between D and D² the N·D²·M multiplications of the kernel are still more than"
                    " softmax's N²·D."
                ),
                "C": "then the kernel's D² features are many more than the N keys that they replace.",
                "D": "linear in N, but quadratic in D: for short sequences softmax needs less.",
            },
            points=1,
        ),
    ],
)
counts.check_cases("softmax_multiplications", "softmax attention's multiplications", points=2)
counts.check_cases("kernel_multiplications", "kernelised attention's multiplications", points=2)
counts.check_cases("crossover_length", "where the quadratic kernel starts to win", points=2)


# 6.6 --------------------------------------------------------------------------------------------------------


def dimensions(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes above 1, where σ², σ and 1/σ² differ."""
    for D in (4, 16, 9, int(rng.integers(20, 70))):
        yield Case([D], note=f"D = {D}")


def few_vectors(rng: np.random.Generator) -> Iterator[Case]:
    """Vectors of moderate length."""
    for n, D in ((3, 4), (5, 2), (2, 9)):
        yield Case([np.round(rng.normal(size=(n, D)), 2)], note=f"{n} vectors with D = {D}")


def features_inputs(sizes: Sequence[tuple[int, int]]) -> Callable[[np.random.Generator], Iterator[Case]]:
    """Two inputs for each (D, number of frequencies), with the same frequencies W."""

    def draw(rng: np.random.Generator) -> Iterator[Case]:
        for D, count in sizes:
            W = np.round(rng.normal(size=(count, D)), 3)
            for rows in (4, 3):
                yield Case(
                    [np.round(rng.normal(size=(rows, D)), 2), W], note=f"D = {D} and {count} frequencies"
                )

    return draw


def squared_norms(X: np.ndarray) -> np.ndarray:
    """The squared length of each row."""
    return np.asarray((X**2).sum(axis=1))


gaussian = hw.question(
    "6.6a",
    "Softmax is a Gaussian kernel in disguise",
    minutes=20,
    difficulty="hard",
    entries=[
        Challenge(
            "gaussian_variance",
            cases=dimensions,
            expected=lambda D: np.sqrt(D),
            mistakes={
                "That is D. Compare q·k/√D with the cross term 2·q·k/(2σ²) of the Gaussian's exponent.": (
                    lambda D: np.asarray(float(D))
                ),
                "That is σ, not σ².": lambda D: D**0.25,
                "That is 1/σ²: the variance of the frequencies, not of the kernel.": lambda D: 1 / np.sqrt(D),
                "That is 2√D or √D/2: mind the 2 in 2σ², and the 2 of the cross term -2·q·k.": lambda D: (
                    2 * np.sqrt(D)
                ),
                "That is √D/2: mind the 2 in 2σ², and the 2 of the cross term -2·q·k.": lambda D: (
                    np.sqrt(D) / 2
                ),
            },
        ),
        Challenge(
            "gaussian_factor",
            cases=few_vectors,
            expected=lambda X: np.exp(squared_norms(X) / (2 * np.sqrt(X.shape[1]))),
            mistakes={
                "The sign of the exponent is turned round: the factor undoes what the Gaussian takes away.": (
                    lambda X: np.exp(-squared_norms(X) / (2 * np.sqrt(X.shape[1])))
                ),
                "The 2 in 2σ² is missing.": lambda X: np.exp(squared_norms(X) / np.sqrt(X.shape[1])),
                "You divide by 2D; σ² is not D.": lambda X: np.exp(squared_norms(X) / (2 * X.shape[1])),
                "The length must be squared.": lambda X: np.exp(
                    np.sqrt(squared_norms(X)) / (2 * np.sqrt(X.shape[1]))
                ),
            },
        ),
        Challenge(
            "random_features",
            cases=features_inputs(((3, 8), (2, 5), (5, 1))),
            examples=features_inputs(((2, 3),)),
        ),
    ],
)
gaussian.check_cases("gaussian_variance", "the variance of the Gaussian", points=1)
gaussian.check_cases("gaussian_factor", "the factor of each vector", points=2)


def fourier_problem(left: Trial, right: Trial) -> str | None:
    """Holds φ(q)·φ(k) against the mean of cos(w·(q - k)) and names the usual slips by what they give."""
    (X, W), Y = left.args, right.args[0]
    angles = (X[:, None] - Y[None]) @ W.T
    mean = np.cos(angles).mean(axis=-1)
    problem = public.gram_problem(left, right, mean)
    if problem is None or left.output.shape[1] != right.output.shape[1]:
        return problem
    found = left.output.astype(float) @ right.output.astype(float).T
    cosines = np.cos(X @ W.T) @ np.cos(Y @ W.T).T
    slips = {
        "That is the sum over the frequencies: each feature needs the factor 1/√R.": mean * len(W),
        "You divide each feature by R; φ meets itself in the product, so the factor is 1/√R.": mean / len(W),
        "Your sum is divided by 2: you divide by the number of features 2R; the mean runs over the R frequencies.": (
            mean / 2
        ),
        "The sines are missing: cos(a - b) = cos a cos b + sin a sin b.": cosines / len(W),
        "The sines are missing: cos(a - b) = cos a cos b + sin a sin b (without a random phase √2 does not replace them).": (
            2 * cosines / len(W)
        ),
    }
    named = (words for words, gram in slips.items() if np.allclose(found, gram, rtol=1e-6, atol=1e-9))
    return f"On {left.note}: {problem} {next(named, '')}".strip()


@gaussian.check("random features", points=4, needs=["random_features"])
def _(answer: Answer) -> Wrong | None:
    return paired("random_features", answer["random_features"], fourier_problem)


# Each single comparison of a random quantity below fails for a right answer with a probability of at most
# CHANCE. There
# are 2·9 of them for frequencies and 3·20 for estimates: together less than 1e-6 for a whole submission.
CHANCE = 1e-8


def seeds(rng: np.random.Generator) -> int:
    """A seed for the kernel's generator."""
    return int(rng.integers(2**31))


def frequency_cases(rng: np.random.Generator) -> Iterator[Case]:
    """How many frequencies, and of what size."""
    for count, D in ((2048, 4), (2048, 16)):
        yield Case([seeds(rng), count, D], note=f"{count:,} frequencies for D = {D}", probe="frequencies")


def estimate_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Queries and keys whose distances are of the kernel's size, with few and with many frequencies."""
    for count, D in ((100, 4), (40_000, 4), (40_000, 9)):
        scale = np.sqrt(0.75 / np.sqrt(D))
        Q, K = scale * rng.normal(size=(5, D)), scale * rng.normal(size=(4, D))
        yield Case([Q, K, count, seeds(rng)], note=f"{count:,} frequencies and D = {D}", probe="estimate")


def frequencies_problem(trial: Trial) -> str | None:
    """Judges drawn frequencies by second moment, by the Gaussian's characteristic function, and by directions."""
    W, (_, count, D) = trial.output, trial.args
    if not isinstance(W, np.ndarray) or W.shape != (count, D) or W.dtype.kind != "f":
        return (
            f"`draw_frequencies` should return floats of shape (count, D) = ({count}, {D}); it returned"
            f" {public._what(W)}."
        )
    if not np.isfinite(W).all():
        return "`draw_frequencies` gave numbers that are not finite."
    wanted, found, n = 1 / np.sqrt(D), float(np.square(W).mean()), count * D
    x = np.log(2 / CHANCE)  # Laurent and Massart (2000): P(χ²_n - n ≥ 2√(n x) + 2x) ≤ e^-x, below likewise
    if abs(found / wanted - 1) > 2 * np.sqrt(x / n) + 2 * x / n:
        named = {
            np.sqrt(D): (
                "That is σ², the variance of the kernel itself. Frequencies go the other way: a wide kernel"
                " has low ones, w ~ N(0, σ⁻² I)."
            ),
            1.0: "That is a standard normal: the frequencies must be scaled by 1/σ.",
            1 / D: "That is σ⁻⁴: a generator takes the standard deviation, and that is 1/σ, not 1/σ².",
            float(D): "That is σ⁴: a generator takes the standard deviation, and that is 1/σ; you gave σ².",
            D**-0.25: "That is 1/σ: the standard deviation was meant to be 1/σ, not its square root.",
        }
        near = min(named, key=lambda value: abs(np.log(found / value)) if found > 0 else np.inf)
        told = f"With D = {D} the frequencies have the variance {found:.4g}, expected σ⁻² = {wanted:.4g}."
        return f"{told} {named[near]}" if found > 0 and abs(np.log(found / near)) < 0.2 else told
    directions = (
        2
        / np.sqrt(wanted)
        * np.vstack([np.eye(D)[:4], (np.eye(D)[:4] - np.roll(np.eye(D), 1, axis=0)[:4]) / np.sqrt(2)])
    )
    bound = np.sqrt(2 * np.log(2 / CHANCE) / count)  # Hoeffding, for cosines between -1 and 1
    means = np.cos(W @ directions.T).mean(axis=0)
    for direction, mean in zip(directions, means, strict=True):
        if abs(mean - np.exp(-2)) > bound:
            kind = (
                "The numbers of one frequency depend on each other"
                if np.count_nonzero(direction) > 1
                else "Their distribution is not normal"
            )
            told = (
                f"cos(w·z) has the mean {mean:.3f} along z = {public._list(direction)}, expected"
                f" {np.exp(-2):.3f}"
            )
            return f"The variance is right, but {told}. {kind}."
    return None


def estimate_problem(trial: Trial) -> str | None:
    """Judges the estimate of exp(q·k/√D) against Hoeffding's bound for its number of frequencies."""
    Q, K, count, _ = trial.args
    D, found = Q.shape[1], trial.output
    exact = np.exp(Q @ K.T / np.sqrt(D))
    if not isinstance(found, np.ndarray) or found.shape != exact.shape or found.dtype.kind != "f":
        return (
            f"`estimate_similarity` should return floats of shape {exact.shape}; it returned"
            f" {public._what(found)}."
        )
    distance = np.square(Q[:, None] - K[None]).sum(-1)
    kernel = np.exp(-distance / (2 * np.sqrt(D)))
    factors = exact / kernel
    bound = np.sqrt(
        8 * np.log(2 / CHANCE) / count
    )  # products of features lie between -2 and 2, whichever kind of features

    def off(gaussian: np.ndarray, scale: np.ndarray) -> bool:
        return not np.isfinite(found).all() or bool((np.abs(found / scale - gaussian) > bound).any())

    if not off(kernel, factors):
        if np.abs(found / exact - 1).max() < 1e-9:
            return (
                "That is the exact similarity. Asked is the estimate from random features, which never forms"
                " exp(q·k)."
            )
        return None
    worst = np.unravel_index(
        np.nan_to_num(np.abs(found / factors - kernel), nan=np.inf).argmax(), exact.shape
    )
    told = (
        f"With {count:,} frequencies and D = {D} one estimate is {found[worst]:.4g}, exact is"
        f" {exact[worst]:.4g}: further off than chance allows."
    )
    slips = {
        "That estimates the Gaussian kernel: the factors of the query and of the key are missing.": (
            kernel,
            np.ones_like(factors),
        ),
        "Your frequencies have the variance σ² instead of σ⁻²: a wide kernel has low frequencies.": (
            np.exp(-distance * np.sqrt(D) / 2),
            factors,
        ),
        "Your frequencies are standard normal: scale them by 1/σ.": (np.exp(-distance / 2), factors),
        "Your frequencies have the variance σ⁻⁴: the standard deviation is 1/σ, not 1/σ².": (
            np.exp(-distance / (2 * D)),
            factors,
        ),
    }
    named = (words for words, (kernel, scale) in slips.items() if count > 1000 and not off(kernel, scale))
    return f"{told} {next(named, '')}".strip()


fourier = hw.question(
    "6.6b",
    "Random Fourier features converge",
    minutes=15,
    difficulty="hard",
    entries=[
        Challenge("draw_frequencies", cases=frequency_cases),
        Challenge("estimate_similarity", cases=estimate_cases),
        Array("rff_errors", (len(public.GAUSSIAN_COUNTS),)),
        Array("rff_slope"),
    ],
)


@fourier.check("frequencies have the right distribution", points=3, needs=["draw_frequencies"])
def _(answer: Answer) -> Wrong | None:
    trials = answer["draw_frequencies"]
    if trouble := first_problem("draw_frequencies", trials, frequencies_problem):
        return trouble
    return None


@fourier.check("the estimate converges", points=3, needs=["estimate_similarity"])
def _(answer: Answer) -> Wrong | None:
    return first_problem("estimate_similarity", answer["estimate_similarity"], estimate_problem)


def expected_errors() -> np.ndarray:
    """The root mean square error of the estimate for each number of features, from the variance of cos(w·(q - k))."""
    Q, K = public.example_vectors()
    sigma2 = np.sqrt(Q.shape[1])
    distance = np.square(Q[:, None] - K[None]).sum(-1)
    kernel = np.exp(-distance / (2 * sigma2))
    variance = (1 + np.exp(-4 * distance / (2 * sigma2))) / 2 - kernel**2
    factors = np.exp(Q @ K.T / sigma2) / kernel
    return np.asarray(np.sqrt((factors**2 * variance).mean() / np.array(public.GAUSSIAN_COUNTS)))


@fourier.check("error against number of features", points=2, needs=["rff_errors", "rff_slope"])
def _(answer: Answer) -> Wrong | None:
    errors, slope = answer["rff_errors"].astype(float), float(answer["rff_slope"])
    series = {"your errors": errors, "theory": expected_errors()}
    shown = curve(
        "Your errors of the estimate",
        series,
        x="features",
        y="root mean square error",
        at=list(public.GAUSSIAN_COUNTS),
        log=True,
    )
    if errors.min() <= 0:
        return Wrong("`rff_errors` must be positive: a root mean square error for each number of features.")
    fitted = public.fitted_slope(public.GAUSSIAN_COUNTS, errors)
    ratio = errors / expected_errors()
    # Over 60 simulated right answers the slope is -0.500 with a standard deviation of 0.006, the ratio to
    # theory 1.0 with 0.035
    # (1.4 with random phases); the limits are more than 10 standard deviations away.
    if not -0.6 < fitted < -0.4:
        return Wrong(
            f"Your errors fall like R^{fitted:.2f}; a mean of R independent terms has an error of R^-0.5. "
            "Did each number of features get its own fresh frequencies, and the error its square root?",
            evidence=shown,
        )
    if ratio.max() > 2 or ratio.min() < 1 / 2:
        worst = int(np.abs(np.log(ratio)).argmax())
        return Wrong(
            f"With {public.GAUSSIAN_COUNTS[worst]} features your error is {errors[worst]:.3g}; theory gives"
            f" about {expected_errors()[worst]:.3g}. Asked is the root mean square of estimate minus exact"
            " similarity, over all pairs and repeats.",
            evidence=shown,
        )
    if abs(slope - fitted) > 0.005:
        told = (
            f"`rff_slope` is {slope:.3f}, but the errors that you recorded have the slope {fitted:.3f} of log"
            " error against log number."
        )
        return Wrong(told, evidence=shown)
    return None


# 6.7 --------------------------------------------------------------------------------------------------------

CANDIDATE_X = np.array([[2.0, -1.0, 0.5, 1.0], [0.02, 0.01, -0.02, 0.01]])


def loss_oracle(W: np.ndarray, X: np.ndarray, lam: float) -> np.ndarray:
    """The denoising loss by plain sums over single numbers."""
    rest = X - np.einsum("ij,jk->ik", W, X)
    return np.asarray(
        sum(number**2 for number in rest.ravel()) + lam * sum(number**2 for number in W.ravel())
    )


def gradient_oracle(W: np.ndarray, X: np.ndarray, lam: float) -> np.ndarray:
    """The gradient by torch's automatic differentiation."""
    import torch

    weights = torch.tensor(W, dtype=torch.float64, requires_grad=True)
    data = torch.tensor(X, dtype=torch.float64)
    ((data - weights @ data).square().sum() + lam * weights.square().sum()).backward()
    assert weights.grad is not None
    return np.asarray(weights.grad.numpy())


def minimiser(X: np.ndarray, lam: float) -> np.ndarray:
    """A numerical minimiser: least squares for the stacked system Xᵀ Wᵀ ≈ Xᵀ, √λ Wᵀ ≈ 0."""
    d = len(X)
    return np.asarray(
        np.linalg.lstsq(
            np.vstack([X.T, np.sqrt(lam) * np.eye(d)]), np.vstack([X.T, np.zeros((d, d))]), rcond=None
        )[0].T
    )


def loss_inputs(rng: np.random.Generator) -> Iterator[Case]:
    """Any W; X wide and tall."""
    for d, n, lam in ((2, 3, 0.5), (3, 5, 2.0), (4, 2, 0.1)):
        yield Case(
            [np.round(rng.normal(size=(d, d)), 2), np.round(rng.normal(size=(d, n)), 2), lam],
            note=f"X of shape ({d}, {n}), λ = {lam}",
        )


def denoiser_inputs(rng: np.random.Generator) -> Iterator[Case]:
    """Data with more columns than rows, and with fewer, where some singular values are 0."""
    for d, n, lam in ((2, 4, 0.5), (3, 8, 3.0), (5, 7, 0.05)):
        yield Case(
            [np.round(rng.normal(size=(d, n)) * np.arange(d, 0, -1)[:, None], 2), lam],
            note=f"X of shape ({d}, {n}), λ = {lam}",
        )
    for d, n, lam in ((4, 2, 0.5), (6, 1, 2.0)):
        yield Case(
            [np.round(rng.normal(size=(d, n)), 2), lam],
            note=f"X of shape ({d}, {n}), λ = {lam}",
            group="thin",
        )


def by_svd(
    factor: Callable[[np.ndarray, float], np.ndarray], right: bool = False
) -> Callable[[np.ndarray, float], np.ndarray]:
    """A wrong closed form: other factors, or the right singular vectors."""

    def wrong(X: np.ndarray, lam: float) -> np.ndarray:
        U, s, Vt = np.linalg.svd(X, full_matrices=False)
        return np.asarray((Vt.T if right else U) * factor(s, lam) @ (Vt if right else U.T))

    return wrong


candidates = hw.question(
    "6.7a",
    "Denoising: two candidates",
    minutes=8,
    difficulty="easy",
    entries=[
        Challenge(
            "denoising_loss",
            cases=loss_inputs,
            expected=loss_oracle,
            mistakes={
                "The norms must be squared.": lambda W, X, lam: (
                    np.linalg.norm(X - W @ X) + lam * np.linalg.norm(W)
                ),
                "The penalty's norm must be squared.": lambda W, X, lam: (
                    np.square(X - W @ X).sum() + lam * np.linalg.norm(W)
                ),
                "λ multiplies the penalty; you left it out.": lambda W, X, lam: (
                    np.square(X - W @ X).sum() + np.square(W).sum()
                ),
                "You took means; ‖·‖² is the sum of all squares.": lambda W, X, lam: (
                    np.square(X - W @ X).mean() + lam * np.square(W).mean()
                ),
                "The penalty is missing.": lambda W, X, lam: np.square(X - W @ X).sum(),
            },
        ),
        Array("candidate_losses", (2, 2)),
        Array("equal_lambda"),
        Choice(
            "larger_lambda",
            options={"A": "the identity", "B": "the projection", "C": "neither: their losses stay equal"},
            correct="B",
            why={
                "A": "its penalty is 2λ, that of the projection only λ; the larger λ, the more that counts.",
                "C": "one loss grows with the slope 2 in λ, the other with the slope 1.",
            },
            points=1,
        ),
    ],
)
candidates.check_cases("denoising_loss", "the loss", points=2)


@candidates.check("both candidates' losses", points=2, needs=["candidate_losses"])
def _(answer: Answer) -> Wrong | None:
    found = answer["candidate_losses"].astype(float)
    losses = np.array(
        [[loss_oracle(W, CANDIDATE_X, lam) for lam in (0.0, 1.0)] for W in (np.eye(2), np.diag([1.0, 0.0]))]
    )
    wanted = np.stack([losses[:, 0], losses[:, 1] - losses[:, 0]], axis=1)
    if np.allclose(found, wanted, rtol=1e-3, atol=1e-6):
        return None
    if np.allclose(found, wanted[::-1], rtol=1e-3, atol=1e-6):
        return Wrong(
            "The rows have changed places: the first belongs to the identity, the second to the projection."
        )
    if np.allclose(found, wanted[:, ::-1], rtol=1e-3, atol=1e-6):
        return Wrong("The columns have changed places: reconstruction error first, then what multiplies λ.")
    row, column = np.argwhere(~np.isclose(found, wanted, rtol=1e-3, atol=1e-6))[0]
    what = ("reconstruction error ‖X - WX‖²", "factor of λ, ‖W‖²,")[column]
    told = (
        f"For the {('identity', 'projection')[row]} the {what} is {found[row, column]:.5g} in your answer,"
        " but that is not what it comes to."
    )
    if column == 0 and row == 1 and np.isclose(found[row, column], np.sqrt(wanted[row, column]), rtol=1e-2):
        return Wrong(f"{told} That is the norm; the loss has its square.")
    return Wrong(
        f"{told}"
        f" {'What is left of X after WX is taken away?' if column == 0 else 'Add up the squares of the numbers in W.'}"
    )


@candidates.check("where both are equally good", points=1, needs=["equal_lambda"])
def _(answer: Answer) -> Wrong | None:
    found = float(answer["equal_lambda"])
    wanted = float(loss_oracle(np.diag([1.0, 0.0]), CANDIDATE_X, 0.0))  # 2λ = λ + reconstruction error
    if np.isclose(found, wanted, rtol=1e-3):
        return None
    return Wrong(
        f"At λ = {found:.5g} the losses are {float(loss_oracle(np.eye(2), CANDIDATE_X, found)):.5g} for the"
        f" identity and {float(loss_oracle(np.diag([1.0, 0.0]), CANDIDATE_X, found)):.5g} for the projection;"
        " they should be equal."
    )


closed = hw.question(
    "6.7b",
    "The best linear denoiser",
    minutes=25,
    difficulty="hard",
    entries=[
        Challenge(
            "denoising_gradient",
            cases=loss_inputs,
            expected=gradient_oracle,
            mistakes={
                "A factor 2 is missing: the derivative of a square.": lambda W, X, lam: (
                    gradient_oracle(W, X, lam) / 2
                ),
                "The sign of the reconstruction part is turned round: W X - X, not X - W X.": (
                    lambda W, X, lam: 4 * lam * W - gradient_oracle(W, X, lam)
                ),
                "The gradient's sign is turned round.": lambda W, X, lam: -gradient_oracle(W, X, lam),
                "The penalty's part 2λW is missing.": lambda W, X, lam: gradient_oracle(W, X, 0.0),
                "The penalty's part lacks its factor 2.": lambda W, X, lam: gradient_oracle(W, X, lam / 2),
            },
        ),
        Challenge(
            "denoiser",
            cases=denoiser_inputs,
            expected=minimiser,
            rtol=1e-5,
            atol=1e-8,
            mistakes={
                "Your factors are s/(s + λ); set the gradient to 0 with X = U S Vᵀ: XXᵀ has the eigenvalues s².": by_svd(
                    lambda s, lam: s / (s + lam)
                ),
                "Your factors are s²/(s² + λ²): λ itself stands beside s², not its square.": by_svd(
                    lambda s, lam: s**2 / (s**2 + lam**2)
                ),
                "Your factors are 1/(s² + λ): that is the inverse alone, without XXᵀ.": by_svd(
                    lambda s, lam: 1 / (s**2 + lam)
                ),
                "Your factors are λ/(s² + λ): that keeps what should go and takes what should stay.": by_svd(
                    lambda s, lam: lam / (s**2 + lam)
                ),
                "Your factors are s/(s² + λ): that is ridge regression's; here the target is X itself.": (
                    by_svd(lambda s, lam: s / (s**2 + lam))
                ),
                "You use the right singular vectors: W (d, d) mixes the rows of X, so it needs U.": by_svd(
                    lambda s, lam: s**2 / (s**2 + lam), right=True
                ),
                "That projects onto the columns of X and ignores λ.": by_svd(lambda s, lam: np.ones_like(s)),
            },
        ),
    ],
    written=Written(
        points=4,
        words=(50, 150),
        rubric={
            "Says that W keeps the directions U and multiplies each by s²/(s² + λ): near 1 where s² ≫ λ, near 0 where s² ≪ λ": (
                2
            ),
            "Says why λ > 0 is needed: without it the identity (or any W that is the identity on the data) has loss 0 and removes no noise": (
                1
            ),
            "Says when this denoises: the signal has the large singular values, noise the small ones (soft PCA, no labels needed)": (
                1
            ),
        },
        examples={
            "full": (
                "W turns the data into its principal directions u_i, multiplies each coordinate by s_i²/(s_i²"
                " + λ) and turns it back. Directions with s_i² far above λ pass almost unchanged, those far"
                " below almost vanish: a soft version of keeping the first principal components. Without the"
                " penalty W = I has loss 0, and nothing is removed. It denoises if the signal lies in few"
                " directions of large variance and noise is spread over the others, and it needs no clean"
                " targets."
            ),
            "half": (
                "Large singular values are kept and small ones are shrunk, because of the factor s²/(s²+λ)."
                " Small ones are mostly noise."
            ),
            "none": "W learns to remove the noise from the input because the loss goes down during training.",
        },
    ),
)
closed.check_cases("denoising_gradient", "the gradient", points=2)
closed.check_cases("denoiser", "equals the numerical minimiser", points=3)


@closed.check("the gradient vanishes, with fewer columns than rows too", points=2, needs=["denoiser"])
def _(answer: Answer) -> Wrong | None:
    def judge(trial: Trial) -> str | None:
        (X, lam), W = trial.args, trial.output
        d = len(X)
        if not isinstance(W, np.ndarray) or W.shape != (d, d) or not np.isfinite(W).all():
            return (
                f"On {trial.note} `denoiser` should return finite numbers of shape ({d}, {d}); it returned"
                f" {public._what(W)}."
            )
        slope = np.abs(gradient_oracle(W, X, lam)).max() / max(np.square(X).sum(), lam)
        if slope < 1e-6:  # double precision leaves 1e-13; no wrong form gets below 1e-3
            return None
        excess = float(loss_oracle(W, X, lam) - loss_oracle(minimiser(X, lam), X, lam))
        told = f"the gradient at your W is not 0 (its largest entry is {slope:.2g} of the data's size)"
        return f"On {trial.note} {told}, and the loss is {excess:.3g} above the least."

    return first_problem("denoiser", answer["denoiser"], judge)


GIVEN_KEEP, GIVEN_DROP = np.array([10.0, 8.0, 4.0]), np.array([1.0, 0.5, 0.36, 0.16, 0.01])
GIVEN_INTERVAL = "the singular values of the question"


def bounds(keep: np.ndarray, drop: np.ndarray, at_least: float, at_most: float) -> tuple[float, float]:
    """Where the factors of the smallest kept and the largest unwanted value meet their limits, by bisection."""

    def meets(value: float, limit: float) -> float:
        low, high = 1e-12, 1e12
        for _ in range(200):
            middle = np.sqrt(low * high)
            low, high = (
                (middle, high) if public.shrinkage(np.array([value]), middle)[0] > limit else (low, middle)
            )
        return float(low)

    return meets(float(drop.max()), at_most), meets(float(keep.min()), at_least)


def interval_inputs(rng: np.random.Generator) -> Iterator[Case]:
    """Singular values in any order, with a λ that fits and without; limits that differ from those of the question."""
    yield Case([GIVEN_KEEP, GIVEN_DROP, 0.8, 0.5], note=GIVEN_INTERVAL, group="possible")
    for at_least, at_most in ((0.9, 0.3), (0.6, 0.6), (0.75, 0.2)):
        keep, drop = np.round(rng.uniform(6, 20, size=4), 2), np.round(rng.uniform(0.1, 0.9, size=3), 2)
        yield Case([keep, drop, at_least, at_most], note=f"limits {at_least} and {at_most}", group="possible")
    for at_least, at_most in ((0.9, 0.1), (0.95, 0.2)):
        keep, drop = (
            np.append(np.round(rng.uniform(8, 12, size=2), 2), 2.0),
            np.round(rng.uniform(1.0, 1.9, size=3), 2),
        )
        note = f"singular values too close together for limits {at_least} and {at_most} (no λ fits)"
        yield Case([keep, drop, at_least, at_most], note=note, group="impossible")


def interval_examples(rng: np.random.Generator) -> Iterator[Case]:
    """The case of the question and one without a fitting λ."""
    yield Case([GIVEN_KEEP, GIVEN_DROP, 0.8, 0.5], note=GIVEN_INTERVAL, group="possible")
    yield Case(
        [np.array([3.0, 2.0]), np.array([1.9]), 0.9, 0.1],
        note="keep 3 and 2, drop 1.9, limits 0.9 and 0.1 (no λ fits)",
        group="impossible",
    )


interval = hw.question(
    "6.7c",
    "Choosing λ",
    minutes=8,
    difficulty="medium",
    entries=[
        Array("lambda_range", (2,)),
        Challenge("lambda_interval", cases=interval_inputs, examples=interval_examples),
    ],
)


def slipped(case: Sequence[Any], found: Any) -> str:
    """Names a known slip that gives ``found`` for (keep, drop, at_least, at_most), or says nothing."""
    keep, drop, at_least, at_most = case
    values = (
        np.asarray(found, float).ravel()
        if isinstance(found, np.ndarray | list) and np.size(found) == 2
        else np.zeros(0)
    )
    if values.size != 2:
        return ""
    low, high = bounds(keep, drop, at_least, at_most)
    slips = {
        "You used s where s² belongs.": (low / drop.max(), high / keep.min()),
        "Which value limits λ? Of the kept ones the smallest, of the unwanted ones the largest.": (
            bounds(keep, np.array([drop.min()]), at_least, at_most)[0],
            bounds(np.array([keep.max()]), drop, at_least, at_most)[1],
        ),
        "Your ends have changed places.": (high, low),
    }
    return next((words for words, wrong in slips.items() if np.allclose(values, wrong, rtol=1e-3)), "")


def judged_interval(trial: Trial) -> str | None:
    """The interval problem of one trial, with a slip named."""
    problem = public.interval_problem(trial.args, trial.output)
    return f"On {trial.note}: {problem} {slipped(trial.args, trial.output)}".strip() if problem else None


@interval.check("λ for the given singular values", points=1, needs=["lambda_range"])
def _(answer: Answer) -> Wrong | None:
    given = (GIVEN_KEEP, GIVEN_DROP, 0.8, 0.5)
    problem = public.interval_problem(given, answer["lambda_range"].astype(float))
    slip = slipped(given, answer["lambda_range"]) if problem else ""
    return wrong_if(f"`lambda_range`: {problem} {slip}".strip() if problem else None)


@interval.check("the interval for any singular values", points=3, needs=["lambda_interval"])
def _(answer: Answer) -> Wrong | None:
    return first_problem(
        "lambda_interval",
        [trial for trial in answer["lambda_interval"] if trial.group == "possible"],
        judged_interval,
    )


@interval.check("None where no λ fits", points=2, needs=["lambda_interval"])
def _(answer: Answer) -> Wrong | None:
    def judge(trial: Trial) -> str | None:
        if trial.output is None:
            return None
        keep, drop, at_least, at_most = trial.args
        low, high = bounds(keep, drop, at_least, at_most)
        return (
            f"On {trial.note}: keeping needs λ ≤ {high:.4g}, dropping needs λ ≥ {low:.4g}; both cannot be, so"
            " the answer is None."
        )

    return first_problem(
        "lambda_interval",
        [trial for trial in answer["lambda_interval"] if trial.group == "impossible"],
        judge,
    )


# 6.8 --------------------------------------------------------------------------------------------------------

MEMORY_LENGTHS = (256, 512, 1024, 2048)
TIME_LENGTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
LONGEST = 4  # of them count for the slopes: at the short ones fixed costs rule
LONG = 65_536

measured = hw.question(
    "6.8",
    "Softmax against linear attention, measured",
    minutes=22,
    difficulty="medium",
    # times are measured on the student's machine; what is judged of them is that slopes fit them
    claimed=True,
    entries=[
        Array("softmax_bytes", (len(MEMORY_LENGTHS),)),
        Array("linear_bytes", (len(MEMORY_LENGTHS),)),
        Array("memory_slopes", (2,)),
        Array("predicted_gigabytes"),
        Array("softmax_seconds", (len(TIME_LENGTHS),)),
        Array("linear_seconds", (len(TIME_LENGTHS),)),
        Array("time_slopes", (2,)),
        Choice(
            "short_sequences",
            options={
                "A": "for short sequences linear attention does fewer multiplications for each token",
                "B": (
                    "each operation has a fixed cost (starting it), which for short sequences outweighs the"
                    " arithmetic"
                ),
                "C": "the largest tensor no longer fits into memory",
                "D": "linear attention's work grows more slowly than N, like √N",
            },
            correct="B",
            why={
                "A": "the multiplications for each token are the same at every length; 6.5b counts them.",
                "C": "its largest tensor is small at every length; look at the memory panel.",
                "D": (
                    "6.2a showed that the work doubles when the length doubles; what is measured here is"
                    " time."
                ),
            },
            points=1,
        ),
    ],
    written=Written(
        points=4,
        words=(60, 160),
        rubric={
            "Reads both slopes of time and memory from the figure with their numbers, and compares them with 2 and 1": (
                2
            ),
            "Explains one deviation from 2 or 1 (fixed costs, caches, softmax itself), or why memory fits better than time": (
                1
            ),
            "Says from the figure when linear attention is worth it and what one gives up for it": 1,
        },
        examples={
            "full": (
                "Peak memory follows theory: slope 2.00 for softmax and 1.00 for linear, since tensors have"
                " exact sizes. Times are steeper for softmax, 2.1 against 0.9; below N = 256 the linear curve"
                " is flat, because starting an operation costs more than its arithmetic, and softmax gets"
                " slower than its slope when the N×N matrix leaves the cache. From a few thousand tokens on"
                " linear attention is tens of times faster, and at 65,536 softmax would need 34 GB. The price"
                " is the missing exponential: weights are less sharp and all the past shares one D×M state."
            ),
            "half": (
                "Softmax has a slope of about 2 and linear about 1, in time and in memory, so linear is"
                " better for long sequences."
            ),
            "none": "The orange line is higher than the blue one, so softmax attention is worse.",
        },
    ),
)


@measured.check(
    "peak memory and its slopes", points=2, needs=["softmax_bytes", "linear_bytes", "memory_slopes"]
)
def _(answer: Answer) -> Wrong | None:
    softmax, linear_, slopes = (
        answer[name].astype(float) for name in ("softmax_bytes", "linear_bytes", "memory_slopes")
    )
    if min(softmax.min(), linear_.min()) <= 0:
        return Wrong(
            "Bytes must be positive. Did the measuring cell run with your `linear_attention` of 6.2a?"
        )
    both = {"softmax attention": softmax, "linear attention": linear_}
    shown = curve(
        "The peak memory that you recorded", both, x="N", y="bytes", at=list(MEMORY_LENGTHS), log=True
    )
    if softmax[-1] < 4 * MEMORY_LENGTHS[-1] ** 2:
        return Wrong(
            f"`softmax_bytes` ends with {softmax[-1]:,.0f}; the weights of {MEMORY_LENGTHS[-1]} tokens alone"
            " take 4·N² bytes. Are the two arrays swapped, or given in another unit?",
            evidence=shown,
        )
    fitted = [public.fitted_slope(MEMORY_LENGTHS, size) for size in (softmax, linear_)]
    return _slopes_problem("memory_slopes", slopes, fitted, shown)


def _slopes_problem(
    name: str, slopes: np.ndarray, fitted: list[float], shown: dict[str, Any]
) -> Wrong | None:
    yours, right = (f"({pair[0]:.3f}, {pair[1]:.3f})" for pair in (slopes, fitted))
    told = f"`{name}` is {yours}, but what you recorded has the slopes {right} of log against log."
    if np.allclose(slopes, fitted, atol=0.005):
        return None
    return Wrong(
        f"{told} Softmax comes first." if np.allclose(slopes[::-1], fitted, atol=0.005) else told,
        evidence=shown,
    )


@measured.check(
    "what softmax would need at N = 65,536", points=2, needs=["softmax_bytes", "predicted_gigabytes"]
)
def _(answer: Answer) -> Wrong | None:
    found = float(answer["predicted_gigabytes"])
    last = float(answer["softmax_bytes"][-1])
    wanted = last * (LONG / MEMORY_LENGTHS[-1]) ** 2 / 1e9
    if abs(found / wanted - 1) < 0.1:  # the fitted line, the last point and GB = 2^30 differ by less
        return None
    told = f"`predicted_gigabytes` is {found:.4g}."
    if abs(found / (last * LONG / MEMORY_LENGTHS[-1] / 1e9) - 1) < 0.1:
        return Wrong(f"{told} You let memory grow in proportion to N; the slope in the figure is 2.")
    if any(abs(found * unit / wanted - 1) < 0.1 for unit in (1e-9, 1e-6, 1e-3)):
        return Wrong(f"{told} The number is right but for the unit: asked are gigabytes (10⁹ bytes).")
    return Wrong(
        f"{told} Continue softmax's line from {MEMORY_LENGTHS[-1]} to {LONG:,}, 32 times as far: with slope"
        " 2, how many times the bytes?"
    )


@measured.check(
    "slopes of the measured times", points=2, needs=["softmax_seconds", "linear_seconds", "time_slopes"]
)
def _(answer: Answer) -> Wrong | None:
    softmax, linear_, slopes = (
        answer[name].astype(float) for name in ("softmax_seconds", "linear_seconds", "time_slopes")
    )
    if min(softmax.min(), linear_.min()) <= 0:
        return Wrong("Seconds must be positive.")
    both = {"softmax attention": softmax, "linear attention": linear_}
    shown = curve("The times that you recorded", both, x="N", y="seconds", at=list(TIME_LENGTHS), log=True)
    fitted = [
        public.fitted_slope(TIME_LENGTHS[-LONGEST:], seconds[-LONGEST:]) for seconds in (softmax, linear_)
    ]
    whole = [public.fitted_slope(TIME_LENGTHS, seconds) for seconds in (softmax, linear_)]
    if fitted[0] < fitted[1] + 0.3:
        return Wrong(
            f"Your times grow like N^{fitted[0]:.2f} for softmax and N^{fitted[1]:.2f} for linear attention;"
            " the first should be clearly steeper. Were both functions measured, and the machine free of"
            " other work?",
            evidence=shown,
        )
    if np.allclose(slopes, whole, atol=0.005) and not np.allclose(slopes, fitted, atol=0.005):
        told = (
            f"`time_slopes` takes all lengths; asked are the slopes over the {LONGEST} longest, where fixed"
            " costs no longer rule."
        )
        return Wrong(told, evidence=shown)
    return _slopes_problem("time_slopes", slopes, fitted, shown)
