"""hw1 in public: what its notebook may hold, by subject."""

from __future__ import annotations

from autograder.homeworks.hw1.public.basics import (
    KEYS_16,
    LAYERS,
    diffuse_problem,
    library_attention,
    mixing,
    preserve_problem,
)
from autograder.homeworks.hw1.public.shape_pictures import ATTENTION_BOXES, HEAD_BOXES
from autograder.homeworks.hw1.public.steps import loop_problem
from autograder.kit.shared.slider import bars, frames_slider, heat, plane
from autograder.kit.shared.viewer import attention_viewer

__all__ = [
    "ATTENTION_BOXES",
    "HEAD_BOXES",
    "KEYS_16",
    "LAYERS",
    "attention_viewer",
    "bars",
    "diffuse_problem",
    "frames_slider",
    "heat",
    "library_attention",
    "loop_problem",
    "mixing",
    "plane",
    "preserve_problem",
]
