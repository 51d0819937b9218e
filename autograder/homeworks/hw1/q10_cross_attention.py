"""1.10: self-attention or cross-attention, and which sequence asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from autograder.declare import Case, Challenge, Choice
from autograder.homeworks.hw1 import public
from autograder.homeworks.hw1.homework import LIBRARY, choices, draw, hw
from autograder.homeworks.hw1.mistakes import HALF_SOFTMAXES, NO_SCALE, TWICE, WRONG_AXIS, Summed, variant


def cross_inputs(rng: np.random.Generator) -> Iterator[Case]:
    """First t = s and d = e, so that each mix-up runs and shows what it is; then different ones."""
    for t, s, d, e, d_k, d_v in (
        (4, 4, 3, 3, 6, 2),
        (3, 5, 4, 4, 3, 2),
        (6, 2, 5, 5, 2, 4),
        (2, 7, 3, 6, 4, 5),
    ):
        widths = ((d, d_k), (e, d_k), (e, d_v))
        weights = [draw(rng, rows, columns, size=1.5 * rows**-0.5) for rows, columns in widths]
        yield Case(
            [draw(rng, t, d), draw(rng, s, e), *weights],
            note=f"t = {t}, s = {s}, d = {d}, e = {e}, d_k = {d_k}, d_v = {d_v}",
        )


def _cross(
    roles: str, axis: int = 1, scaled: str = "", summed: Summed | None = None
) -> Callable[..., np.ndarray]:
    """Cross-attention with the given sources of Q, K and V (``d`` decoder, ``e`` encoder)."""

    def attend(D: np.ndarray, E: np.ndarray, W_Q: np.ndarray, W_K: np.ndarray, W_V: np.ndarray) -> np.ndarray:
        states = {"d": D, "e": E}
        try:
            Q, K, V = (states[role] @ W for role, W in zip(roles, (W_Q, W_K, W_V), strict=True))
            scale = {"none": 1.0, "d_k": 1 / W_K.shape[1], "d": D.shape[1] ** -0.5}.get(scaled)
            return variant(Q, K, V, axis=axis, scale=scale, summed=summed)[0]
        except ValueError:  # widths or lengths that this mistake cannot multiply
            return np.zeros(0)

    return attend


def _cross_oracle(
    D: np.ndarray, E: np.ndarray, W_Q: np.ndarray, W_K: np.ndarray, W_V: np.ndarray
) -> np.ndarray:
    return public.library_attention(D @ W_Q, E @ W_K, E @ W_V)[0]


CROSS_ATTENTION = Challenge(
    "cross_attention",
    cases=cross_inputs,
    expected=_cross_oracle,
    mistakes={
        "Encoder and decoder are swapped: the decoder asks, so the queries come from the decoder.": _cross(
            "edd"
        ),
        "That is the decoder's self-attention: keys and values must come from the encoder.": _cross("ddd"),
        "That is the encoder's self-attention: queries must come from the decoder.": _cross("eee"),
        "The values must come from the encoder, like the keys.": _cross("ded"),
        "The keys must come from the encoder, like the values.": _cross("dde"),
        WRONG_AXIS: _cross("dee", axis=0),
        **{says: _cross("dee", summed=summed) for says, summed in HALF_SOFTMAXES.items()},
        NO_SCALE: _cross("dee", scaled="none"),
        TWICE: _cross("dee", scaled="d_k"),
        "You scaled by √d, the width of the states; it is √d_k.": _cross("dee", scaled="d"),
    },
)


ROLES = {
    "A": "queries from the encoder's states, keys and values from the decoder's, no mask",
    "B": "queries from the decoder's states, keys and values from the encoder's, no causal mask",
    "C": "queries, keys and values all from the encoder's states, no causal mask",
    "D": "queries, keys and values all from the decoder's states, with the causal mask",
}


crossing = hw.question(
    "1.10",
    "Self or cross?",
    topic="encoder–decoder, cross-attention",
    minutes=7,
    difficulty="medium",
    asks={
        "`cross_attention` of a decoder on an encoder": "cross-attention",
    },
    forbids=LIBRARY,
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
                "A": "turned round: the decoder asks (queries) and the source answers (keys and values).",
                "C": "then the decoder would not be involved at all.",
                "D": "then the source sentence would never reach the decoder.",
            },
            1,
        ),
        Choice(
            "cross_shape",
            {"A": "(s, t)", "B": "(t, s)", "C": "(t, t)", "D": "(s, s)"},
            "B",
            {
                "A": "rows are queries, and they come from the t target words.",
                "C": "(t, t) is the decoder's self-attention.",
                "D": "(s, s) is the encoder's self-attention.",
            },
            1,
        ),
        CROSS_ATTENTION,
    ],
)
crossing.check_cases("cross_attention", "cross-attention", points=3)
