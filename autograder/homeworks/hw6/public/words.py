"""Numbers and values of a student's answer in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.kit import describe


def listed(numbers: np.ndarray) -> str:
    """The first numbers of an array, in brackets."""
    return "[" + ", ".join(f"{number:.3g}" for number in numbers[:8]) + (", …]" if len(numbers) > 8 else "]")


def named_kind(value: Any) -> str:
    """What kind of value something is."""
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else describe(value)
