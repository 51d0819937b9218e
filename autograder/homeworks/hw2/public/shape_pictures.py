"""What the check of 2.1 draws: the tensors of the student's own forward, by shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograder.kit import check_picture, seed_torch
from autograder.kit.shared.boxes import Box, shape_picture, traced_shapes
from autograder.kit.shared.moving import Moving

FORWARD_BOXES = (
    Box("x", ("n", "d"), "input", 0),
    Box("Q", ("n", "qk_dim"), "query", 1),
    Box("K", ("n", "qk_dim"), "key", 1),
    Box("V", ("n", "v_dim"), "value", 1),
    Box("scores", ("n", "n"), "attention", 2),
    Box("weights", ("n", "n"), "attention", 3),
    Box("output", ("n", "v_dim"), "output", 4),
)


@check_picture("2.1")
def forward_shapes(names: Mapping[str, Any], failed: bool) -> Moving | None:
    """Runs the student's model on a sequence whose sizes all differ; the positions make d = 3 + 4."""
    import torch

    sizes = {"n": 4, "d": 7, "qk_dim": 5, "v_dim": 2}
    model_class = names["PytorchTransformer"]
    with torch.random.fork_rng(devices=[]):
        seed_torch(21)
        made = traced_shapes(
            model_class.forward.__code__, lambda: model_class(3, 5, 2, pos_dim=4)(torch.randn(4, 3))
        )
    return shape_picture(FORWARD_BOXES, made, sizes, "The shapes in your PytorchTransformer.forward", failed)
