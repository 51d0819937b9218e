"""hw2 in public: how the kit drives the student's classes, and what gradients and operations say of them.

The notebook's visible checks call these on public examples, the grader on hidden ones. No solution stands
here.
"""

from __future__ import annotations

from autograder.homeworks.hw2.public.checks import BESIDE, HARMLESS, JOBS
from autograder.homeworks.hw2.public.probes import (
    classifier_probe,
    heads_probe,
    modes_probe,
    norm_probe,
    ported_probe,
    steps_probe,
)
from autograder.homeworks.hw2.public.properties import (
    FREE_GROWTH,
    LENGTHS,
    dropout_problem,
    gradient_problem,
    growth,
    initial_problem,
    masked_problem,
    operations_problem,
)
from autograder.homeworks.hw2.public.reversing import (
    PLACES,
    PROBE_SEQUENCES,
    SYMBOLS,
    reverse_accuracy,
    reverse_outputs,
)
from autograder.homeworks.hw2.public.shape_pictures import FORWARD_BOXES
from autograder.kit.shared.viewer import attention_viewer

__all__ = [
    "BESIDE",
    "FORWARD_BOXES",
    "FREE_GROWTH",
    "HARMLESS",
    "JOBS",
    "LENGTHS",
    "PLACES",
    "PROBE_SEQUENCES",
    "SYMBOLS",
    "attention_viewer",
    "classifier_probe",
    "dropout_problem",
    "gradient_problem",
    "growth",
    "heads_probe",
    "initial_problem",
    "masked_problem",
    "modes_probe",
    "norm_probe",
    "operations_problem",
    "ported_probe",
    "reverse_accuracy",
    "reverse_outputs",
    "steps_probe",
]
