"""6.5b: multiplications, counted while torch computes, and where the quadratic kernel starts to win."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autograder.declare import Case, Challenge, Choice
from autograder.homeworks.hw6 import public
from autograder.homeworks.hw6.common import count_monomials
from autograder.homeworks.hw6.homework import hw


def softmax_count(N: int, D: int, M: int) -> int:
    """Multiplications in matrix products, counted while torch computes softmax attention."""
    import torch

    Q, K, V = torch.ones(N, D), torch.ones(N, D), torch.ones(N, M)
    return public.observe(lambda: torch.softmax(Q @ K.T / D**0.5, dim=1) @ V)[1].products


def kernel_count(N: int, C: int, M: int) -> int:
    """Multiplications, counted while torch computes kernelized attention from given features."""
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
    """Different sizes, so that no two can be confused; D is the larger of D and M, then M, in turns."""
    yield Case([5, 2, 6], note="the sizes (5, 2, 6)")  # each usual slip gives another number here
    for larger in "DMDM":
        N, *two = (int(size) for size in rng.choice(np.arange(2, 30), size=3, replace=False))
        sizes = [N, *sorted(two, reverse=larger == "D")]
        yield Case(sizes, note=f"the sizes {tuple(sizes)}")


def two_sizes(rng: np.random.Generator) -> Iterator[Case]:
    """D and M, equal and not; at (4, 3) both need equally many at a whole N, elsewhere usual slips differ."""
    for D, M in ((8, 5), (4, 3), (9, 9), (int(rng.integers(10, 13)), 6), (6, int(rng.integers(8, 14)))):
        yield Case([D, M], note=f"D = {D}, M = {M}")


def _crossover_with(D: int, M: int, C: int, normalizer: int = 1, more: int = 1) -> int:
    return (2 * C * M + normalizer * C) // (D + M) + more


counts = hw.question(
    "6.5b",
    "Counting multiplications",
    minutes=12,
    difficulty="medium",
    asks={
        "multiplications of softmax attention": "softmax attention's multiplications",
        "multiplications of the kernelized form": "kernelized attention's multiplications",
        "the least N for which the quadratic kernel wins": "where the quadratic kernel starts to win",
    },
    entries=[
        Challenge(
            "softmax_multiplications",
            cases=three_sizes,
            expected=softmax_count,
            mistakes={
                "The second product, weights times values, is missing.": lambda N, D, M: N * N * D,
                "Both products are counted with D; the second one has M columns.": lambda N, D, M: (
                    2 * N * N * D
                ),
                "The first product, queries times keys, is missing.": lambda N, D, M: N * N * M,
                "Each product is counted twice: multiplications alone, not additions.": lambda N, D, M: (
                    2 * N * N * (D + M)
                ),
                "The division by the sum of the weights is no matrix product, so it is not counted.": (
                    lambda N, D, M: N * N * (D + M) + N * N
                ),
                "Every query meets every key: N², not N.": lambda N, D, M: N * (D + M),
                "The two products come one after the other, so their counts add up; you multiplied them.": (
                    lambda N, D, M: N * N * D * M
                ),
            },
        ),
        Challenge(
            "kernel_multiplications",
            cases=three_sizes,
            expected=kernel_count,
            mistakes={
                "The normalizer φ(Q)·(Σφ(k)) is missing: it costs N·C.": lambda N, C, M: 2 * N * C * M,
                "The normalizer φ(Q)·z is a matrix times a vector: N·C, not N·C·M.": lambda N, C, M: (
                    3 * N * C * M
                ),
                "φ(K)ᵀV and φ(Q)·(…) are two products; you count one.": lambda N, C, M: N * C * M + N * C,
                (
                    "You count one product and no normalizer; there are two products of N·C·M and"
                    " the normalizer."
                ): lambda N, C, M: N * C * M,
                "You count φ(Q)φ(K)ᵀ, which the kernelized form never computes.": lambda N, C, M: (
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
                "The normalizer is left out of the kernel's count.": lambda D, M: _crossover_with(
                    D, M, count_monomials(D), normalizer=0
                ),
                "One too small: at this N softmax needs no more than the kernel.": lambda D, M: (
                    _crossover_with(D, M, count_monomials(D), more=0)
                ),
                "One too large: a smaller N suffices already.": lambda D, M: _crossover_with(
                    D, M, count_monomials(D), more=2
                ),
                "Where both need equally many at a whole N, give the next one: the kernel must need fewer.": (
                    lambda D, M: -(-count_monomials(D) * (2 * M + 1) // (D + M))
                ),
                "That is D², where the kernel begins to win roughly; the exact counts give N.": (
                    lambda D, M: D * D
                ),
                "You give the N of equal counts; give the first whole number above it.": lambda D, M: (
                    count_monomials(D) * (2 * M + 1) / (D + M)
                ),
                "Your features are all (D + 1)² products; 6.4 needs about half as many.": lambda D, M: (
                    _crossover_with(D, M, (D + 1) ** 2)
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
counts.check_cases("kernel_multiplications", "kernelized attention's multiplications", points=2)
counts.check_cases("crossover_length", "where the quadratic kernel starts to win", points=2)
