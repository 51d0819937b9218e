"""1.10: self-attention or cross-attention, which sequence asks, and the shapes that follow."""

from __future__ import annotations

from autograder.declare import Choice
from autograder.homeworks.hw1.homework import choices, hw

ROLES = {
    "A": "queries from the encoder's states, keys and values from the decoder's, no causal mask",
    "B": "queries from the decoder's states, keys and values from the encoder's, no causal mask",
    "C": "queries, keys and values all from the encoder's states, no causal mask",
    "D": "queries, keys and values all from the decoder's states, with the causal mask",
}


crossing = hw.question(
    "1.10",
    "Self or cross?",
    topic="encoder–decoder, cross-attention",
    minutes=4,
    difficulty="medium",
    entries=[
        *choices(
            {"encoder_self": "C"},
            ROLES,
            {
                "A": "the encoder reads before any target word exists; it sees the source only.",
                "B": (
                    "that is how the decoder looks at the encoder; self-attention stays within one sequence."
                ),
                "D": "the encoder has the whole source before it and needs no causal mask.",
            },
            1,
        ),
        *choices(
            {"decoder_self": "D"},
            ROLES,
            {
                "A": "self-attention stays within one sequence: the decoder's.",
                "B": "that is cross-attention; self-attention stays within one sequence.",
                "C": (
                    "those are the source words; the decoder's self-attention is over the target words"
                    " written so far."
                ),
            },
            1,
        ),
        *choices(
            {"cross": "B"},
            ROLES,
            {
                "A": "reversed: the decoder asks (queries), the source answers (keys and values).",
                "C": "then the decoder would not be involved at all.",
                "D": "then the source sentence would never reach the decoder.",
            },
            1,
        ),
        Choice(
            "cross_shape",
            {
                "A": "weights (7, 5), output (7, 6)",
                "B": "weights (5, 7), output (5, 6)",
                "C": "weights (5, 7), output (5, 12)",
                "D": "weights (5, 5), output (5, 6)",
            },
            "B",
            {
                "A": "rows are queries, and they come from the 5 target words.",
                "C": "the output mixes values, which have d_v = 6 numbers; 12 is the width before W_V.",
                "D": "(5, 5) is the decoder's self-attention: the keys come from the 7 source words.",
            },
            1,
        ),
    ],
)
