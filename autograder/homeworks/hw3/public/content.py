"""3.1: whether tokens look at their own kind and are copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.homeworks.hw3.public.model import (
    CONTENT_ATOL,
    CONTENT_RTOL,
    attend,
    is_uniform,
    listed,
    spell,
)
from autograder.kit import visible_check


def content_attention_problem(Q: np.ndarray, K: np.ndarray, groups: Sequence[np.ndarray]) -> str | None:
    """Whether each token looks mostly at its own kind; else the first failing sequence in words."""
    for group in groups:
        _, weights = attend(np.eye(3)[group], Q, K, np.eye(3))
        own = (weights * (group[:, :, None] == group[:, None, :])).sum(-1)  # (sequence, place)
        if (bad := own < 0.5).any():
            index, place = np.argwhere(bad)[0]
            named, row = f"`{spell(group[index])}`", listed(weights[index, place])
            told = f"In {named} the query at place {place} has the attention {row}"
            if is_uniform(weights[index]):
                return (
                    f"{told}: every position gets the same score, so the output is the average of the tokens."
                    " Look at the query/key product: does it depend on whether two tokens are equal?"
                )
            told = f"{told}: only {own[index, place]:.2f} of it on tokens of its own kind."
            if is_uniform(weights[index, place][None]):
                return f"{told} This query gives every token the same score. Does each kind ask for its own?"
            tokens = group[index]
            if tokens[weights[index, place].argmax()] == tokens[place]:
                return f"{told} They have the highest score, but not by enough. What multiplies every score?"
            return f"{told} Equal tokens need the highest query/key product; compare signs."
    return None


def content_copy_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether the output equals the input within the stated tolerance; else the worst place in words."""
    worst, found = 0.0, None
    for group in groups:
        x = np.eye(3)[group]
        output, weights = attend(x, Q, K, V)
        excess = np.abs(output - x) - (CONTENT_ATOL + CONTENT_RTOL * x)
        if excess.max() > worst:
            worst = excess.max()
            index, place, _ = np.unravel_index(excess.argmax(), excess.shape)
            found = (
                spell(group[index]),
                int(place),
                output[index, place],
                x[index, place],
                weights[index, place],
                group[index],
            )
    if found is None:
        return None
    named, place, output, wanted, row, tokens = found
    told = (
        f"In `{named}` the output at place {place} is {listed(output)}, expected {listed(wanted)} (atol"
        f" {CONTENT_ATOL}, rtol {CONTENT_RTOL})."
    )
    own = row[tokens == tokens[place]].sum()
    if own > 1 - CONTENT_ATOL:
        return f"{told} The attention {listed(row)} is right, so look at the value matrix."
    if is_uniform(row[None]):
        return f"{told} The output is an average: this query gives every position the same score."
    told = f"{told} Only {own:.3f} of the attention is on tokens of its own kind:"
    if tokens[row.argmax()] != tokens[place]:
        return f"{told} tokens of another kind have the higher score."
    return f"{told} the gap between the scores is too small. What multiplies every score?"


@visible_check("3.1")
def check_content(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    Q, K, V = (answers[f"attention_by_content_{name}"] for name in "QKV")
    shown = [np.array([[0, 1, 2]]), np.array([[2, 2, 0, 1]]), np.array([[1, 0, 0, 0, 0, 0]])]
    attention, copy = content_attention_problem(Q, K, shown), content_copy_problem(Q, K, V, shown)
    return [
        (
            attention is None,
            attention
            or "Every token looks at tokens of its own kind in `A B C`, `C C A B` and `B A A A A A`.",
        ),
        (
            copy is None,
            copy or "The output equals the input in these three sequences. The grader tries all 1,092.",
        ),
    ]
