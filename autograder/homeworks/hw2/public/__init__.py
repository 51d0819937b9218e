"""hw2 in public: how the kit drives the student's classes, and what gradients and operations say of them.

The notebook's visible checks call these on public examples, the grader on hidden ones. No solution stands
here.
"""

from __future__ import annotations

from autograder.homeworks.hw2.public.checks import BESIDE, HARMLESS, JOBS
from autograder.homeworks.hw2.public.decoder import (
    DECODER_SIZES,
    HELD_OUT_TEXT,
    LETTERS,
    WEIGHTS_FILE,
    build_decoder,
    decoder_of,
    load_pretrained,
    ready_made_parts,
    show_names,
    show_reading,
    show_writing,
    to_text,
    to_tokens,
)
from autograder.homeworks.hw2.public.probes import (
    block_probe,
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
from autograder.homeworks.hw2.public.writing import (
    COUNTED,
    LONG,
    cache_problem,
    cached_probe,
    draws_probe,
    greedy_probe,
    loaded_probe,
    probabilities,
    renamed_probe,
    sampling_problem,
    toy_probe,
    toy_weights,
)
from autograder.kit.shared.viewer import attention_viewer

__all__ = [
    "BESIDE",
    "COUNTED",
    "DECODER_SIZES",
    "FORWARD_BOXES",
    "FREE_GROWTH",
    "HARMLESS",
    "HELD_OUT_TEXT",
    "JOBS",
    "LENGTHS",
    "LETTERS",
    "LONG",
    "PLACES",
    "PROBE_SEQUENCES",
    "SYMBOLS",
    "WEIGHTS_FILE",
    "attention_viewer",
    "block_probe",
    "build_decoder",
    "cache_problem",
    "cached_probe",
    "classifier_probe",
    "decoder_of",
    "draws_probe",
    "dropout_problem",
    "gradient_problem",
    "greedy_probe",
    "growth",
    "heads_probe",
    "initial_problem",
    "load_pretrained",
    "loaded_probe",
    "masked_problem",
    "modes_probe",
    "norm_probe",
    "operations_problem",
    "ported_probe",
    "probabilities",
    "ready_made_parts",
    "renamed_probe",
    "reverse_accuracy",
    "reverse_outputs",
    "sampling_problem",
    "show_names",
    "show_reading",
    "show_writing",
    "steps_probe",
    "to_text",
    "to_tokens",
    "toy_probe",
    "toy_weights",
]
