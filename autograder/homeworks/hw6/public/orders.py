"""Orders of growth (6.5) as rows of exponents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.kit import visible_check

SIZES = ("N", "D", "M", "C")  # 6.5: the order of the exponents


def monomial(row: Sequence[int]) -> str:
    """A row of exponents as people write it: ``N²·D``."""
    powers = {0: "", 1: "{}", 2: "{}²", 3: "{}³"}
    parts = [
        powers.get(int(power), f"{{}}^{int(power)}").format(size)
        for size, power in zip(SIZES, row, strict=True)
        if power
    ]
    return "·".join(parts) or "1"


def exponents_problem(name: str, rows: np.ndarray) -> str | None:
    """Whether rows are exponents: whole numbers from 0 to 9; else words."""
    if (rows != np.round(rows)).any() or rows.min() < 0 or rows.max() > 9:
        return f"{name}: exponents are whole numbers from 0 to 9, one row [N, D, M, C] for each term."
    return None


@visible_check("6.5a")
def orders_read(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for name in ("softmax_time", "softmax_memory", "kernel_time", "kernel_memory"):
        problem = exponents_problem(name, answers[name])
        lines.append(
            (
                None if problem is None else False,
                problem or f"`{name}` reads O({' + '.join(map(monomial, answers[name]))}).",
            )
        )
    return lines
