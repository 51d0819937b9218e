"""What several questions of hw4 share: words for known mistakes, a tolerance, pictures of confusion."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from autograder.declare import matrix
from autograder.homeworks.hw4 import public

BLOCK_CALLS = ("TransformerEncoderLayer", "TransformerEncoder", "Transformer")
FLOAT32_ATOL = 1e-5  # float32 differed from float64 by up to 3e-6 over 12 seeds, numbers near zero among them
COLUMNS_FIRST = "Your patches run down the columns first; they must run row by row, in reading order."
PIXELS_TRANSPOSED = "Inside each patch, rows and columns of pixels are swapped."
ALWAYS_BOTH = "Return the weights only with return_weights=True; otherwise, return the output alone."
CLASS_LAST = "The class token comes last; it must come first, at place 0."
NO_POSITIONS = "The positions are not added."
CLASS_WITHOUT_PLACE = (
    "Positions are added only to the patches, before the class token is put in front. Add them afterwards:"
    " the class token has a position, too."
)


def named_mistakes(oracle: Any, told: Mapping[str, str]) -> dict[str, Any]:
    """Feedback → the oracle with that mistake."""
    if len(set(told.values())) < len(told):
        raise ValueError("two mistakes have the same words, so one would be lost")
    return {says: partial(oracle, mistake=mistake) for mistake, says in told.items()}


def confusion(caption: str, table: np.ndarray) -> dict[str, Any]:
    """A confusion matrix (true class, guess) with the names of the classes."""
    return matrix(
        caption, table, x="guess", y="true class", rows=public.FASHION_CLASSES, columns=public.FASHION_CLASSES
    )
