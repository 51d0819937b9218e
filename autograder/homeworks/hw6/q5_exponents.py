"""6.5a: how time and memory grow, as exponents of the sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.declare import Answer, Array, Wrong
from autograder.homeworks.hw6 import public
from autograder.homeworks.hw6.common import wrong_if
from autograder.homeworks.hw6.homework import hw

# rows [N, D, M, C], the terms that remain when smaller ones are dropped
EXPONENTS: dict[str, list[list[int]]] = {
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
        (1, 0, 1, 1): (
            "N outer products of C features and M values, then N products of C features with that C×M matrix"
        )
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
    asks={
        "exponents of time and memory, softmax": ["softmax time", "softmax memory"],
        "exponents of time and memory, kernel": ["kernel time", "kernel memory"],
    },
    topic="time and memory",
    entries=[Array(name, (letter, 4)) for name, letter in zip(EXPONENTS, "abce", strict=True)],
)


def essential(rows: Any) -> set[tuple[int, ...]]:
    """The terms that matter in O(…): no other term contains them as a factor; sizes are at least 1."""
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
            f"{told} N² appears: the kernelized form never pairs queries with keys. What is summed over the"
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
    def the_terms_are_right(answer: Answer) -> Wrong | None:
        return wrong_if(order_problem(name, answer[name]))


for _name in EXPONENTS:
    check_order(_name)
