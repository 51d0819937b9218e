"""3.2: whether every place looks at the first one and copies its token."""

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
    with_places,
)
from autograder.kit import visible_check


def first_place_problem(
    Q: np.ndarray, K: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether every query puts most of its attention on place 0; else the first failing sequence in words."""
    V = np.zeros((3 + pos.shape[1], 1))
    for group in groups:
        _, weights = attend(with_places(np.eye(3)[group], pos), Q, K, V)
        if (bad := weights[..., 0] < 0.5).any() and group.shape[1] > 1:
            index, place = np.argwhere(bad)[0]
            rows, row = weights[index], weights[index, place]
            told = f"In `{spell(group[index])}` the query at place {place} has the attention {listed(row)}"
            n = len(row)
            if not pos.shape[1]:
                return f"{told}: `pos` has no columns, so nothing tells the head which place is the first."
            if is_uniform(rows):
                return (
                    f"{told}: every position gets the same score, so the output is the average of the tokens."
                    " Look at the query/key product: a score must differ between the first place and the"
                    " others, so their keys must differ."
                )
            if (rows.argmax(-1) == n - 1).all():
                return f"{told}: it looks at the last place, not the first."
            if (rows.argmax(-1) == np.arange(n)).all():
                return f"{told}: it looks at its own place. Must the queries differ from place to place here?"
            return (
                f"{told}: only {row[0]:.2f} on the first place. Which rows of K see the token, and which see"
                " the place?"
            )
    return None


def first_copy_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether every output row equals the first token; else the shortest failing sequence in words."""
    for group in groups:
        x = np.eye(3)[group]
        output, weights = attend(with_places(x, pos), Q, K, V)
        wanted = np.repeat(x[:, :1], x.shape[1], axis=1)
        bad = (np.abs(output - wanted) > CONTENT_ATOL + CONTENT_RTOL * wanted).any(-1)
        if bad.any():
            index, place = np.argwhere(bad)[0]
            row, n = weights[index, place], group.shape[1]
            told = (
                f"In `{spell(group[index])}` the output at place {place} is {listed(output[index, place])},"
                f" expected {listed(wanted[index, place])}."
            )
            if row[0] > 1 - CONTENT_ATOL:
                return (
                    f"{told} The attention {listed(row)} is right, so look at V: what do its last rows add?"
                )
            if is_uniform(weights[index]):
                return (
                    f"{told} Every position gets the same score, so the output is the average of the {n}"
                    " tokens."
                )
            return (
                f"{told} The weight on the first place is only {row[0]:.3f} (attention {listed(row)});"
                f" sequences shorter than {n} pass."
            )
    return None


@visible_check("3.2")
def check_position(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    Q, K, V, pos = (answers[f"attention_by_position_{name}"] for name in ("Q", "K", "V", "pos"))
    shown = [np.array([tokens]) for tokens in ([1], [1, 0], [2, 0, 2], [0, 1, 2, 2])]
    attention, copy = first_place_problem(Q, K, pos, shown), first_copy_problem(Q, K, V, pos, shown)
    return [
        (
            attention is None,
            attention or "Every place looks at the first place in `B`, `B A`, `C A C` and `A B C C`.",
        ),
        (
            copy is None,
            copy or "Every output row equals the first token in these four. The grader tries all 120.",
        ),
    ]
