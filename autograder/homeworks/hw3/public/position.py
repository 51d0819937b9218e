"""3.2: whether every place looks at the first one and copies its token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def _missed(
    Q: np.ndarray, K: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
    """Each query that puts less than half on place 0: its sequence, its place and the sequence's map."""
    V = np.zeros((3 + pos.shape[1], 1))
    for group in groups:
        _, weights = attend(with_places(np.eye(3)[group], pos), Q, K, V)
        for index, place in np.argwhere(weights[..., 0] < 0.5):
            yield group[index], int(place), weights[index]


def first_place_problem(
    Q: np.ndarray, K: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether every query puts most of its attention on place 0; else a failing sequence in words.

    It is one of the longest, as of two places the second is also the last. It is the first whose map is not
    uniform, if there is one: a head whose keys differ only at the last place is uniform in short sequences.
    """
    missed = sorted(_missed(Q, K, pos, groups), key=lambda one: -len(one[0]))
    if not missed:
        return None
    tokens, place, rows = next((one for one in missed if not is_uniform(one[2])), missed[0])
    n, row = len(tokens), rows[place]
    told = f"In `{spell(tokens)}` the query at place {place} has the attention {listed(row)}"
    if not pos.shape[1]:
        return f"{told}: `pos` has no columns, so nothing tells the head which place is the first."
    if is_uniform(rows):
        return (
            f"{told}: every position gets the same score, so the output is the average of the tokens. Look at"
            " the query/key product: a score must differ between the first place and the others, so their"
            " keys must differ."
        )
    same = np.eye(3)[np.zeros((1, n), int)]
    of_places = attend(with_places(same, pos), Q, K, np.zeros((3 + pos.shape[1], 1)))[1][0]
    if np.abs(of_places - rows).max() > 1e-3:
        return (
            f"{told}, and in `{spell(np.zeros(n, int))}` {listed(of_places[place])}: it changes with the"
            " tokens, but here the places alone must decide. Which rows of Q and K see the token?"
        )
    if n > 2 and np.ptp(row[1:]) < 1e-6 and row[0] < row[1]:
        return f"{told}: the first place gets the least; is the sign reversed?"
    if (rows.argmax(-1) == n - 1).all():
        return f"{told}: it looks at the last place, not the first."
    if (rows.argmax(-1) == np.arange(n)).all():
        return f"{told}: it looks at its own place. Must the queries differ from place to place here?"
    if n > 2 and (rows[1:].argmax(-1) == np.arange(n - 1)).all():
        return f"{told}: queries look at the place before their own. Here all of them must look at place 0."
    if is_uniform(row[None]):
        return f"{told}: this query gives every place the same score. Does every query ask for place 0?"
    return (
        f"{told}: most of it is on place {row.argmax()}, and only {row[0]:.2f} on the first. Which rows of K"
        " see the token, and which see the place?"
    )


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
                told = f"{told} The attention {listed(row)} is right, so look at V:"
                if np.abs(pos[0] @ np.asarray(V, float)[3:]).max(initial=0.0) > CONTENT_ATOL:
                    return f"{told} what do its last rows add?"
                return f"{told} what do its first three rows do with the token?"
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
