"""hw1: attention in NumPy, what it can do, why it is scaled and what it cannot see.

Everything here is trusted and stays out of the kernel. Each ``qN_….py`` holds one question: its hidden
inputs, the oracle, the known mistakes and the judges.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from autograder.declare import Choice, Homework

hw = Homework("hw1", title="Attention basics", stem="hw1_attention_basics")

# Calls that would do the whole job of a question that asks for one's own attention.
LIBRARY = ("library_attention", "scaled_dot_product_attention", "MultiheadAttention")

# "Right to three decimals", with room for cutting instead of rounding; 0.50 for 0.5013 is two.
THREE_DECIMALS = 1.001e-3


def draw(rng: np.random.Generator, *shape: int, size: float = 1.0) -> np.ndarray:
    """Normal numbers rounded to three decimals, so that public examples stay short."""
    return (size * rng.normal(size=shape)).round(3) + 0.0


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
