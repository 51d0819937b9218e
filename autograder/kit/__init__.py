"""The one module that homework notebooks use: record answers, check them, draw attention.

The build writes the kit's files into the first cell of every notebook as ``homework_kit.py``, followed by
the homework's own public part (``autograder/homeworks/hwN/public``) and a JSON description of its questions.
Under grading the grader's own copy is used instead. Nothing here knows an answer: the kit *produces values*,
the grader judges them elsewhere.

Needs numpy; matplotlib for figures; torch only where a question uses it. Everything it writes is plain JSON:
see ``docs/formats.md``.
"""

from __future__ import annotations

from autograder.kit.api import check, finish, keep_history, my_numbers, open_homework, record
from autograder.kit.comparison import compare, compare_text, same
from autograder.kit.examples import BY_CHANCE, IN_PLACE, judge_example, named_mistake, not_finite
from autograder.kit.feedback import Feedback, Line, after_grading
from autograder.kit.figure_words import describe_figure
from autograder.kit.figures import (
    draw_attention,
    draw_cells,
    show_attention,
    show_figure,
    show_lines,
    show_matrices,
)
from autograder.kit.guarding import when_answered
from autograder.kit.kinds import KINDS, Kind, entry_kind, letter_of
from autograder.kit.numbers import draw_numbers, student_key
from autograder.kit.predictions import PredictionKind
from autograder.kit.probes import (
    PROBES,
    VISIBLE_CHECKS,
    InstrumentError,
    Trial,
    call,
    call_on,
    check_picture,
    error_words,
    name_to_come,
    probe,
    seed_torch,
    trouble_words,
    visible_check,
)
from autograder.kit.recorder import Log
from autograder.kit.shapes import Dim, check_shapes
from autograder.kit.stage import rehearse_here
from autograder.kit.state import CHALLENGES_SCHEMA, KIT_VERSION, LOG_NAME, LOG_SCHEMA, STALE
from autograder.kit.style import (
    FAINT,
    MEANS,
    attention_colors,
    bare_map,
    draw_panels,
    house_style,
    label_ends,
    readable,
    signed_colors,
    write_on,
)
from autograder.kit.values import (
    MAX_ELEMENTS,
    Other,
    as_array,
    as_kind,
    decode,
    describe,
    encode,
    without_marks,
)

__all__ = [
    "BY_CHANCE",
    "CHALLENGES_SCHEMA",
    "FAINT",
    "IN_PLACE",
    "KINDS",
    "KIT_VERSION",
    "LOG_NAME",
    "LOG_SCHEMA",
    "MAX_ELEMENTS",
    "MEANS",
    "PROBES",
    "STALE",
    "VISIBLE_CHECKS",
    "Dim",
    "Feedback",
    "InstrumentError",
    "Kind",
    "Line",
    "Log",
    "Other",
    "PredictionKind",
    "Trial",
    "after_grading",
    "as_array",
    "as_kind",
    "attention_colors",
    "bare_map",
    "call",
    "call_on",
    "check",
    "check_picture",
    "check_shapes",
    "compare",
    "compare_text",
    "decode",
    "describe",
    "describe_figure",
    "draw_attention",
    "draw_cells",
    "draw_numbers",
    "draw_panels",
    "encode",
    "entry_kind",
    "error_words",
    "finish",
    "house_style",
    "judge_example",
    "keep_history",
    "label_ends",
    "letter_of",
    "my_numbers",
    "name_to_come",
    "named_mistake",
    "not_finite",
    "open_homework",
    "probe",
    "readable",
    "record",
    "rehearse_here",
    "same",
    "seed_torch",
    "show_attention",
    "show_figure",
    "show_lines",
    "show_matrices",
    "signed_colors",
    "student_key",
    "trouble_words",
    "visible_check",
    "when_answered",
    "without_marks",
    "write_on",
]
