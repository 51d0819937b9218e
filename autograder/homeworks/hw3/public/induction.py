"""3.8: whether a head looks one place back, and two layers continue a pattern."""

from __future__ import annotations

import itertools
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


def previous_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether every place but the first gives the token before it, under a causal mask; else words."""
    missed = list(_not_the_previous(Q, K, V, pos, groups))
    if not missed:
        return None
    # the first whose attention says more than "all alike", if there is one
    tokens, place, row = next((one for one in missed if not is_uniform(one[2][None])), missed[0])
    told = f"In `{spell(tokens)}` the query at place {place} has the attention {listed(row)}"
    if row[place - 1] > 1 - CONTENT_ATOL:
        return f"{told}: that is right, so look at V."
    if is_uniform(row[None]):
        return (
            f"{told}: every place that it may see gets the same score; the place before it must get"
            " nearly all of it."
        )
    same = np.zeros((1, len(tokens)), int)
    of_places = attend(with_places(np.eye(4)[same], pos), Q, K, V, causal=True)[1][0, place, : place + 1]
    if np.abs(of_places - row).max() > 1e-3:
        return (
            f"{told}, and in `{spell(same[0])}` {listed(of_places)}: it changes with the tokens, but here the"
            " places alone must decide. Which rows of Q and K see the token?"
        )
    if row[place] > 0.5:
        return f"{told}: it looks at its own place, not at the one before."
    if row.argmax() == place - 1:
        return f"{told}: the place before it leads, but not by enough. What multiplies every score?"
    if max(where for _, where, _ in missed) > 2 and all(one[0] > 0.5 for _, _, one in missed):
        return f"{told}: it looks at place 0, as all others do; it must look at the place before it."
    if place > 1 and row[place - 2] > 0.5:
        return f"{told}: it looks two places back, not one."
    return f"{told}: the place before it must get nearly all of it."


def _not_the_previous(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, int, np.ndarray]]:
    """Each output of a group that is not the token before: sequence, place, attention on what it may see."""
    for group in groups:
        x = np.eye(4)[group]
        output, weights = attend(with_places(x, pos), Q, K, V, causal=True)
        bad = (np.abs(output[:, 1:] - x[:, :-1]) > CONTENT_ATOL + CONTENT_RTOL * x[:, :-1]).any(-1)
        for index, before in np.argwhere(bad):
            yield group[index], int(before) + 1, weights[index, before + 1, : before + 2]


def induction_output(group: np.ndarray, weights: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Two causal layers; the second sees token, place and the first layer's output.

    Returns:
        The outputs (sequence, n, 4) and the attention of the second layer (sequence, n, n).
    """
    x = with_places(np.eye(4)[group], weights["pos"])
    first, _ = attend(x, weights["Q1"], weights["K1"], weights["V1"], causal=True)
    return attend(np.concatenate([x, first], -1), weights["Q2"], weights["K2"], weights["V2"], causal=True)


def repeated_patterns() -> list[np.ndarray]:
    """Every pattern of 2, 3 or 4 different tokens out of A–D, said twice: one array (count, 2 L) a length."""
    return [np.array([pattern * 2 for pattern in itertools.permutations(range(4), n)]) for n in (2, 3, 4)]


MISLED = (
    "Layer 2 looks at place 0. What does layer 1 give at place 0, which has no place before it? This query"
    " must not look there."
)


def induction_problem(weights: Mapping[str, np.ndarray], groups: Sequence[np.ndarray]) -> str | None:
    """Whether the second copy predicts each next token; else the first failing place in words."""
    for group in groups:
        half = group.shape[1] // 2
        outputs, maps = induction_output(group, weights)
        output = outputs[:, half:]
        wanted = np.eye(4)[np.roll(group[:, :half], -1, axis=1)]
        bad = (np.abs(output - wanted) > CONTENT_ATOL + CONTENT_RTOL * wanted).any(-1)
        if bad.any():
            index, place = np.argwhere(bad)[0]
            found, right = output[index, place], wanted[index, place]
            told = (
                f"In `{spell(group[index])}` the output at place {place + half} is {listed(found)}, expected"
                f" {listed(right)}"
            )
            told += " (the token that came next before)."
            present = np.allclose(found, np.eye(4)[group[index, place]], atol=0.05)
            row = maps[index, place + half, : place + half + 1]
            x = with_places(np.eye(4)[group[index]], weights["pos"])
            first, _ = attend(x, weights["Q1"], weights["K1"], weights["V1"], causal=True)
            if place == 0 and row[0] > 0.9 and first[0].argmax() == group[index, 0] and first[0].max() > 0.5:
                return f"{told} {MISLED}"
            return f"{told} {_induction_reason(row, int(place) + 1, present)}"
    return None


def _induction_reason(row: np.ndarray, behind: int, copies_present: bool) -> str:
    """Why an output of the second copy is wrong.

    Args:
        row: the attention of layer 2 there, on the places that it may see.
        behind: the place behind the same token in the first copy, whose token is to be copied.
        copies_present: whether the output is the token that stands there now.
    """
    if row[behind] > 1 - CONTENT_ATOL:
        return f"Layer 2 looks at place {behind}, as it must, so look at V2: which of its rows see the token?"
    if copies_present:
        return (
            "It copies the present token: the query must be this token, and keys must be the token *before*"
            " each place, which layer 1 provides."
        )
    if is_uniform(row[None]):
        return "In layer 2, all places get the same score."
    if behind == 1 and row[0] > 0.2 and row[1] > 0.2 and row[0] + row[1] > 0.9:
        return (
            "Places 0 and 1 share the attention. What does layer 1 give at place 0, which has no place before"
            " it?"
        )
    if row[behind] > np.delete(row, behind).max() + 0.02:
        return f"In layer 2, place {behind} leads with {row[behind]:.2f}. Make the gap between scores larger."
    return f"Layer 2 has the attention {listed(row)}; nearly all of it must be on place {behind}."


@visible_check("3.8a")
def check_previous_token(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    Q, K, V, pos = (answers[f"previous_token_{name}"] for name in ("Q", "K", "V", "pos"))
    shown = [[0, 1, 2, 3], [3, 3, 1, 0, 2, 1], [2, 0, 0, 1, 3, 1, 2, 0]]
    problem = previous_problem(Q, K, V, pos, [np.array([tokens]) for tokens in shown])
    told = "Each place gives the token before it in `A B C D`, `D D B A C B` and `C A A B D B C A`."
    return [(problem is None, problem or told)]


@visible_check("3.8b")
def check_induction(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    weights = {name: answers[f"induction_{name}"] for name in ("pos", "Q1", "K1", "V1", "Q2", "K2", "V2")}
    shown = [[0, 1, 0, 1], [2, 0, 3, 2, 0, 3], [1, 3, 0, 2, 1, 3, 0, 2]]
    problem = induction_problem(weights, [np.array([tokens]) for tokens in shown])
    told = "The second copy is predicted correctly in `A B A B`, `C A D C A D` and `B D A C B D A C`."
    return [(problem is None, problem or told)]
