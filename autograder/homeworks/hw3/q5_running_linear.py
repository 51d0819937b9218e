"""3.5: what a layer is called that applies one linear map at each place."""

from __future__ import annotations

from autograder.declare import Choice
from autograder.homeworks.hw3.homework import hw

running = hw.question(
    "3.5",
    "A running linear layer",
    topic="1×1 convolution",
    minutes=3,
    difficulty="easy",
    entries=[
        Choice(
            "running_linear_name",
            options={
                "A": "a fully connected layer over the whole sequence",
                "B": "a 1×1 convolution",
                "C": "a convolution with kernel size 3",
                "D": "a recurrent layer",
            },
            correct="B",
            why={
                "A": (
                    "a fully connected layer over the sequence has its own weights for each pair of places;"
                    " here places never mix."
                ),
                "C": "with kernel size 3 each output would also depend on the two neighbors.",
                "D": (
                    "a recurrent layer carries a state from place to place; here each place is computed"
                    " alone."
                ),
            },
            points=3,
        ),
    ],
)
