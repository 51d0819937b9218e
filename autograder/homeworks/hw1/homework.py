"""hw1: attention in NumPy, what it can do, why it is scaled and what it cannot see.

Everything here is trusted and stays out of the kernel. Each ``qN_….py`` holds one question: its hidden
inputs, the oracle, the known mistakes and the judges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np

from autograder.declare import Choice, Homework

hw = Homework("hw1", title="Attention basics", stem="hw1_attention_basics")

# Calls that would do the whole job of a question that asks for one's own attention.
LIBRARY = ("library_attention", "scaled_dot_product_attention", "MultiheadAttention")

# "Right to three decimals", with room for cutting instead of rounding; 0.50 for 0.5013 is two.
THREE_DECIMALS = 1.001e-3

# A lead of this much leaves the others a weight of e^-30, below what any float shows beside 1: then scores in
# the thousands, which a float32 holds to 1e-4, give the same weights in every dtype.
LEAD = 30.0

Drawn = TypeVar("Drawn")


def draw(rng: np.random.Generator, *shape: int, size: float = 1.0) -> np.ndarray:
    """Normal numbers rounded to three decimals, so that public examples stay short."""
    return (size * rng.normal(size=shape)).round(3) + 0.0


def drawn_until(make: Callable[[], Drawn], fits: Callable[[Any], bool]) -> Drawn:
    """Draws again until it fits, so that no lucky draw spares a mistake and no near tie costs a right answer.

    Raises:
        ValueError: nothing fits in 20,000 draws.
    """
    for _ in range(20_000):
        if fits(drawn := make()):
            return drawn
    raise ValueError("nothing that was drawn fits")


def clear_winners(scores: np.ndarray, gap: float) -> bool:
    """Whether the largest number of each row leads by a gap."""
    ordered = np.sort(np.atleast_2d(scores), axis=1)
    return ordered.shape[1] < 2 or bool((ordered[:, -1] - ordered[:, -2] >= gap).all())


def reading_of(found: float, readings: Mapping[str, float]) -> str | None:
    """What to say of a wrong number: the first reading that it equals to three decimals.

    Args:
        found: the wrong number.
        readings: what to say → what that mistake would give.
    """
    return next((says for says, value in readings.items() if abs(found - value) <= THREE_DECIMALS), None)


def choices(
    names: Mapping[str, str], options: Mapping[str, str], why: Mapping[str, str], points: float
) -> list[Choice]:
    """Items to match with the same options: name → right letter."""
    return [
        Choice(
            name, options, right, {letter: text for letter, text in why.items() if letter != right}, points
        )
        for name, right in names.items()
    ]
