"""1.13b: windows, recurrences and heads: claims, each with the number that decides it."""

from __future__ import annotations

import numpy as np

from autograder.declare import Array, Choice, Wrong
from autograder.homeworks.hw1.homework import hw, reading_of

reach = hw.question(
    "1.13b",
    "Windows, recurrences, heads",
    minutes=5,
    difficulty="medium",
    asks={
        "`window_layers`: layers of windows until the last word can depend on the first": "the window",
        "`rnn_updates` of the state between the two words": "the recurrence",
        "`one_head_output` of equal weights on two values": "one head",
    },
    entries=[
        Array("window_layers"),
        Array("rnn_updates"),
        Array("one_head_output", (2,)),
        Choice(
            "one_head_claim",
            {
                "A": "true: both values are in the sum",
                "B": "false: exchanged, they give the same output",
                "C": "true, as soon as the two weights differ a little",
                "D": "false: the softmax would make one weight 0",
            },
            "B",
            {
                "A": "they are in the sum, but a sum does not say which came from which word.",
                "C": "then the output says a little, but other values with other weights give the same, too.",
                "D": "a softmax can give two keys the same weight, if their scores are equal.",
            },
            1,
        ),
    ],
)


@reach.check("the window", points=1, needs=["window_layers"])
def the_window(window_layers: np.ndarray) -> Wrong | None:
    found = float(window_layers)
    if found == 16:
        return None
    plain = "words 0 and 63 are 63 places apart, and a layer bridges 4 of them."
    readings = {
        "each word sees 4 before it **and** 4 after it, but only the 4 on one side lead there.": 8.0,
        "that is 63/4; a part of a layer is none, so round up.": 15.75,
        "with 15 layers word 63 sees as far as word 3.": 15.0,
        plain: 63.0,
        "that is a window of 9 words cut into pieces; from one word to the next it is 4 places.": 7.0,
    }
    if not found.is_integer():
        plain = f"a number of layers is whole; {plain}"
    says = reading_of(found, readings) or plain
    return Wrong(f"`window_layers` is {found:g}: {says}")


@reach.check("the recurrence", points=0.5, needs=["rnn_updates"])
def the_recurrence(rnn_updates: np.ndarray) -> Wrong | None:
    found = float(rnn_updates)
    if found == 63:
        return None
    return Wrong(
        f"`rnn_updates` is {found:g}: from the state after word 0 to the state after word 63, one update for"
        " each word in between and one for word 63."
    )


@reach.check("one head", points=0.5, needs=["one_head_output"])
def one_head(one_head_output: np.ndarray) -> Wrong | None:
    found = np.asarray(one_head_output, float)
    if np.allclose(found, [1, 2], atol=1e-3):
        return None
    told = "take half of each value and add the two."
    if np.allclose(found, [2, 4]):
        told = "the weights sum to 1, so each is a half."
    elif np.allclose(found, [1, 4]) or np.allclose(found, [2, 2]):
        told = "both values have the weight 1/2."
    elif np.allclose(found, [0.5, 1]):
        told = "the weights 1/2 are in already; the sum is not divided by 2 again."
    return Wrong(f"`one_head_output` is {found.tolist()}: {told}")
