"""hw4: a Vision Transformer for FashionMNIST.

Structure is judged with injected weights on small random inputs, against float64 NumPy; the training loops on
toy models; the checkpoint on 400 official test images that the notebook's data does not contain.
"""

from __future__ import annotations

from autograder.declare import Homework

hw = Homework("hw4", title="A Vision Transformer on FashionMNIST", stem="hw4_vision_transformer")
