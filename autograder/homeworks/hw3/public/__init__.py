"""hw3 in public: the hand-designed model in float64 and what can be said of a set of weights.

The notebook's visible checks call these on three sequences, the grader on all of them. They judge by
property, from the definition of the task; no solution stands here.
"""

from __future__ import annotations

from autograder.homeworks.hw3.public.content import content_attention_problem, content_copy_problem
from autograder.homeworks.hw3.public.convolution import (
    HEAD_SHAPES,
    conv_arrays,
    conv_heads_output,
    conv_places_problem,
    conv_sum_problem,
    plain_convolution,
)
from autograder.homeworks.hw3.public.induction import (
    induction_output,
    induction_problem,
    previous_problem,
    repeated_patterns,
)
from autograder.homeworks.hw3.public.model import (
    CONTENT_ATOL,
    CONTENT_RTOL,
    PLACES,
    attend,
    is_uniform,
    listed,
    sequences,
    spell,
    with_places,
)
from autograder.homeworks.hw3.public.moves import move_arrays, move_problem
from autograder.homeworks.hw3.public.position import first_copy_problem, first_place_problem
from autograder.homeworks.hw3.public.trained import (
    TRAINED_ERROR,
    TRAINED_SIGNS,
    content_error,
    first_place_weights,
    first_token_error,
    unique_accuracy,
)
from autograder.homeworks.hw3.public.training import compare_heads, head_panels, train_head
from autograder.homeworks.hw3.public.uniqueness import (
    first_signs,
    occurrence_problem,
    unique_margin,
    unique_problem,
    unique_signs,
)
from autograder.kit.shared.slider import frames_slider, heat
from autograder.kit.shared.viewer import attention_viewer

__all__ = [
    "CONTENT_ATOL",
    "CONTENT_RTOL",
    "HEAD_SHAPES",
    "PLACES",
    "TRAINED_ERROR",
    "TRAINED_SIGNS",
    "attend",
    "attention_viewer",
    "compare_heads",
    "content_attention_problem",
    "content_copy_problem",
    "content_error",
    "conv_arrays",
    "conv_heads_output",
    "conv_places_problem",
    "conv_sum_problem",
    "first_copy_problem",
    "first_place_problem",
    "first_place_weights",
    "first_signs",
    "first_token_error",
    "frames_slider",
    "head_panels",
    "heat",
    "induction_output",
    "induction_problem",
    "is_uniform",
    "listed",
    "move_arrays",
    "move_problem",
    "occurrence_problem",
    "plain_convolution",
    "previous_problem",
    "repeated_patterns",
    "sequences",
    "spell",
    "train_head",
    "unique_accuracy",
    "unique_margin",
    "unique_problem",
    "unique_signs",
    "with_places",
]
