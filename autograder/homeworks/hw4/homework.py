"""hw4: a Vision Transformer for FashionMNIST.

Structure is judged with injected weights on small random inputs, against float64 NumPy; the training loops on
toy models; the checkpoint on 400 official test images that the notebook's data does not contain.
"""

from __future__ import annotations

from functools import partial

from autograder.declare import Data, Homework, packaged
from autograder.homeworks.hw4.public.images import FASHION_FILE


def verify() -> str:
    """Says that the notebook's images are there."""
    return f"Homework 4: its images are there ({len(packaged(FASHION_FILE)) / 1e6:.1f} MB)."


hw = Homework(
    "hw4",
    title="A Vision Transformer on FashionMNIST",
    stem="hw4_vision_transformer",
    data=Data(verify=verify, beside={FASHION_FILE: partial(packaged, FASHION_FILE)}),
)
