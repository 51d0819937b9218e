"""What the checks of 1.3 and 1.9 draw: the arrays of the student's own function, by shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder.kit import check_picture
from autograder.kit.shared.boxes import Box, shape_picture, traced_shapes
from autograder.kit.shared.moving import Moving

ATTENTION_BOXES = (
    Box("X", ("n", "d"), "input", 0),
    Box("Q", ("n", "d_k"), "query", 1),
    Box("K", ("n", "d_k"), "key", 1),
    Box("V", ("n", "d_v"), "value", 1),
    Box("scores", ("n", "n"), "attention", 2),
    Box("weights", ("n", "n"), "attention", 3),
    Box("output", ("n", "d_v"), "output", 4),
)
HEAD_BOXES = (
    Box("Q", ("n", "d"), "query", 0),
    Box("K", ("m", "d"), "key", 0),
    Box("V", ("m", "t"), "value", 0),
    Box("output", ("n", "t"), "output", 1),
)


@check_picture("1.3")
def attention_shapes(names: Mapping[str, Any], failed: bool) -> Moving | None:
    """Calls the student's attention on a sequence whose sizes all differ."""
    sizes, rng = {"n": 4, "d": 5, "d_k": 3, "d_v": 2}, np.random.default_rng(3)
    function = names["attention"]
    args = [rng.normal(size=shape) for shape in ((4, 5), (5, 3), (5, 3), (5, 2))]
    made = traced_shapes(function.__code__, lambda: function(*args))
    title = "The shapes in your attention(X, W_Q, W_K, W_V)"
    return shape_picture(ATTENTION_BOXES, made, sizes, title, failed)


@check_picture("1.9")
def head_shapes(names: Mapping[str, Any], failed: bool) -> Moving | None:
    """Calls the student's multi_head_attention with two heads; all sizes differ, those of a head too."""
    sizes = {"n": 5, "m": 7, "d": 6, "t": 8, "heads": 2, "d/heads": 3, "t/heads": 4}
    rng, function = np.random.default_rng(9), names["multi_head_attention"]
    Q, K, V, W_O = (rng.normal(size=shape) for shape in ((5, 6), (7, 6), (7, 8), (8, 8)))
    made = traced_shapes(function.__code__, lambda: function(Q, K, V, 2, W_O))
    title = "The shapes in your multi_head_attention with 2 heads"
    return shape_picture(HEAD_BOXES, made, sizes, title, failed)
