"""6.4: a feature map for the kernel (q·k + 1)², and how many features it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from autograder.declare import Array, Case, Challenge, Wrong
from autograder.homeworks.hw6 import public
from autograder.homeworks.hw6.common import count_monomials, paired
from autograder.homeworks.hw6.homework import hw
from autograder.kit import Trial


def vector_pairs(sizes: Sequence[int]) -> Callable[[np.random.Generator], Iterator[Case]]:
    """Two inputs for each D, one after the other, so that features of separate calls meet."""

    def draw(rng: np.random.Generator) -> Iterator[Case]:
        for D in sizes:
            for rows in (4, 3):
                yield Case(
                    [np.round(rng.normal(size=(rows, D)), 2)], note=f"inputs with D = {D}", probe="array"
                )

    return draw


def some_dimensions(rng: np.random.Generator) -> Iterator[Case]:
    """Small sizes and a hidden large one; first 4, for which each usual slip gives another number."""
    for D in (4, 2, 1, int(rng.integers(5, 9)), int(rng.integers(20, 90))):
        yield Case([D], note=f"D = {D}")


COUNT_SLIPS: dict[str, Callable[[int], int]] = {
    "That counts the constant, the x_i and the x_i², but no cross terms x_i·x_j.": lambda D: 2 * D + 1,
    "That counts x_i·x_j and x_j·x_i both; one feature for each pair is enough.": lambda D: D * D + D + 1,
    "Those are all products of (1, x) with itself, (D + 1)²: of x_i·x_j and x_j·x_i, and of 1·x_i and x_i·1,"
    " one is enough.": lambda D: (D + 1) ** 2,
    "Only the pairs i < j are counted; the x_i², the x_i and the constant are missing.": lambda D: (
        D * (D - 1) // 2
    ),
    "The x_i themselves are not counted.": lambda D: D * (D + 1) // 2 + 1,
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
    asks={
        "φ with φ(q)·φ(k) = (q·k + 1)²": "φ(q)·φ(k) is the kernel",
        "no more features than needed": "as few features as possible",
        "their number for any D": "the number of features",
        "their number for D = 64": "the number for D = 64",
    },
    topic="feature maps of a kernel",
    entries=[
        Challenge("polynomial_features", cases=vector_pairs((3, 1, 2, 5)), examples=vector_pairs((2, 3))),
        Challenge("feature_count", cases=some_dimensions, expected=count_monomials, mistakes=COUNT_SLIPS),
        Array("features_for_64"),
    ],
)


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
        (
            "The cross terms are missing: (q·k)² = Σ q_i²k_i² + 2·Σ_(i<j) q_i q_j k_i k_j, so φ"
            " needs √2·x_i·x_j for each pair i < j."
        ): (squares + 2 * dot + 1),
        (
            "The cross terms x_i·x_j come in with the wrong weight: each pair appears twice in"
            " (q·k)², and φ meets itself in the product, so the weight is √2, not 1."
        ): (squares + cross + 2 * dot + 1),
        (
            "The cross terms x_i·x_j come in with the weight 2; φ meets itself in the product, so"
            " the weight is √2."
        ): (squares + 4 * cross + 2 * dot + 1),
        "The linear terms come in with the weight 1; (q·k + 1)² holds 2·q·k, so their weight is √2.": (
            dot**2 + dot + 1
        ),
        "The linear terms come in with the weight 2; φ meets itself in the product, so the weight is √2.": (
            dot**2 + 4 * dot + 1
        ),
        "The linear terms are missing: (q·k + 1)² holds 2·q·k.": dot**2 + 1,
        (
            "Cross terms and linear terms come in with the weight 2; φ meets itself in the product, so the"
            " weight is √2."
        ): (squares + 4 * cross + 4 * dot + 1),
        (
            "Cross terms are missing, and the linear terms come in with the weight 1: multiply"
            " (q·k + 1)² out first."
        ): (squares + dot + 1),
        ("Those are squares of x_i + 1. Multiply (q·k + 1)² out and give each term a feature."): (
            (X + 1) ** 2 @ ((Y + 1) ** 2).T
        ),
        (
            "All weights are 1, but terms that (q·k + 1)² holds twice need √2: the cross terms and"
            " the linear ones."
        ): (squares + cross + dot + 1),
        "The squares come in with the weight √2; each x_i² occurs once, so its weight is 1.": (
            2 * squares + 2 * cross + 2 * dot + 1
        ),
        (
            "The squares come in twice, as x_i² and among the pairs i ≤ j: the pairs are i < j"
            " (k=1 in np.triu_indices)."
        ): (3 * squares + 2 * cross + 2 * dot + 1),
        "The squares are missing: (q·k)² holds q_i²k_i².": 2 * cross + 2 * dot + 1,
        "That is q·k + 1; it is to be squared.": dot + 1,
        "That is (q·k)²: the linear terms and the constant are missing.": dot**2,
        "That is q·k itself: multiply (q·k + 1)² out first.": dot,
        "The constant feature is missing: (q·k + 1)² holds a 1.": dot**2 + 2 * dot,
    }
    named = (words for words, gram in slips.items() if public.near(found, gram, left, right))
    return f"{problem} {next(named, '')}".strip()


@polynomial.check("φ(q)·φ(k) is the kernel", points=4, needs=["polynomial_features"])
def features_give_the_kernel(polynomial_features: Sequence[Trial]) -> Wrong | None:
    """Holds products of features against the kernel."""
    return paired("polynomial_features", polynomial_features, polynomial_problem)


@polynomial.check(points=1, needs=["polynomial_features"])
def as_few_features_as_possible(polynomial_features: Sequence[Trial]) -> Wrong | None:
    """Holds the number of features against the number of monomials."""

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
        if found == (D + 1) ** 2:
            return (
                f"{told} Those are all (D + 1)² products of (1, x) with itself: x_i·x_j and x_j·x_i are both"
                " there, and so are 1·x_i and x_i·1. One feature with the weight √2 does the work of the two."
            )
        more = "One for the constant, one for each x_i, x_i² and each pair i < j."
        return f"{told} {more if found > count_monomials(D) else 'Some are missing.'}"

    return paired("polynomial_features", polynomial_features, judge)


polynomial.check_cases("feature_count", "the number of features", points=1)


@polynomial.check("the number for D = 64", points=1, needs=["features_for_64"])
def number_for_64_dimensions(features_for_64: np.ndarray) -> Wrong | None:
    """Compares one count; names the slip that leads to it."""
    found = float(features_for_64)
    if found == count_monomials(64):
        return None
    named = next(
        (words for words, slip in COUNT_SLIPS.items() if found == slip(64)),
        "List the features for D = 2 and D = 3 and count them first.",
    )
    return Wrong(f"`features_for_64` is {found:g}. {named}")
