"""1.13b: windows, recurrences and heads, in words."""

from __future__ import annotations

from autograder.declare import Written
from autograder.homeworks.hw1.homework import hw

hw.question(
    "1.13b",
    "Windows, recurrences, heads",
    minutes=8,
    difficulty="medium",
    written=Written(
        points=3,
        words=(60, 180),
        rubric={
            "Fixed window: reach limited, about n/k layers for distant words;"
            " weights by offset, not by content": 1,
            "Recurrent network: n steps through one state, vanishing"
            " gradient or lost information; attention: one step": 1,
            "Several heads: several relations at once, each its own subspace and distribution;"
            " one head averages them": 1,
        },
        examples={
            "full": (
                "A window of k sees k words, so words n apart meet after n/k layers, and it weighs them by"
                " offset. An RNN can reach any distance but through n steps of one fixed-size state, so"
                " information and gradients fade. Attention links any pair in one step, by content. One head"
                " has one distribution per word and must average; several heads follow subject, object and"
                " neighbour separately, each in its own subspace."
            ),
            "half": (
                "Windows only see near words and RNNs forget early words because of vanishing gradients."
                " Attention sees all words directly. More heads see more."
            ),
            "none": (
                "Attention is newer and has better results than windows and RNNs, and more heads make it"
                " faster."
            ),
        },
    ),
)
