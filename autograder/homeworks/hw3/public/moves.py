"""3.4 and 3.5: whether places are copied as asked, through a linear map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.homeworks.hw3.public.model import (
    PERMUTATION,
    RUNNING_MAP,
    attend,
    is_uniform,
    listed,
    with_places,
)
from autograder.kit import visible_check


def move_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, x: np.ndarray, source: Sequence[int], linear: np.ndarray
) -> str | None:
    """Whether output place i is ``linear`` applied to input place ``source[i]``; else words.

    Args:
        Q: (3+n, qk).
        K: (3+n, qk).
        V: (3+n, 3).
        x: any real input, (n, 3).
        source: the place that each output place copies.
        linear: (3, out), applied as ``x @ linear``.
    """
    places = with_places(x, np.eye(len(x)))
    output, weights = attend(places, Q, K, V)
    wanted = x[list(source)] @ linear
    if np.allclose(output, wanted, rtol=1e-3, atol=1e-3):
        return None
    looked = weights.argmax(-1)
    place = int(np.argwhere(~np.isclose(output, wanted, rtol=1e-3, atol=1e-3).all(-1))[0, 0])
    told = (
        f"Output place {place} is {listed(output[place])}, expected {listed(wanted[place])} for a random real"
        " input."
    )
    inverse = np.argsort(source)
    if is_uniform(weights):
        return f"{told} Every position gets the same score, so all places are averaged."
    if (looked == inverse).all() and (inverse != np.asarray(source)).any():
        return (
            f"{told} You built the inverse: place {place} looks at place {looked[place]}, but it must look at"
            f" {source[place]}."
        )
    if weights[range(len(x)), list(source)].min() > 0.999:
        if (
            linear.shape[0] == linear.shape[1]
            and np.allclose(output, x[list(source)] @ linear.T, atol=1e-3)
            and (linear != linear.T).any()
        ):
            return (
                f"{told} The attention is right, but the map is transposed: rows are tokens here, so a token"
                " is multiplied from the left."
            )
        return (
            f"{told} The attention is right, so look at V: which of its rows see the token, and which the"
            " place?"
        )
    of_places = attend(with_places(0 * x, np.eye(len(x))), Q, K, V)[1]
    if np.abs(of_places - weights).max() > 1e-3:
        return (
            f"{told} The attention changes when the tokens change; for real inputs only the places may"
            " decide. Which rows of Q and K see the token?"
        )
    if (looked == np.asarray(source)).all():
        return (
            f"{told} Place {place} has the attention {listed(weights[place])}: right, but too soft. Make the"
            " gap larger."
        )
    return f"{told} Place {place} looks at place {looked[place]}, but it must look at {source[place]}."


def moves_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, x: np.ndarray, source: Sequence[int], linear: np.ndarray
) -> str | None:
    """:func:`move_problem` of an input, of ten times it and of its opposite.

    In large inputs, tokens that leak into the scores outweigh the places.
    """
    return next(
        (
            problem
            for factor in (1, 10, -10)
            if (problem := move_problem(Q, K, V, factor * x, source, linear))
        ),
        None,
    )


@visible_check("3.4")
def check_moves(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    x = np.array([[0.5, -1.0, 2.0], [3.0, 0.0, 1.0], [-2.0, 1.5, 0.0], [1.0, 1.0, -1.0], [0.0, 2.0, 4.0]])
    lines: list[tuple[bool | None, str]] = []
    for name, source in (("identity", range(5)), ("permutation", PERMUTATION)):
        Q, K, V = (answers[f"{name}_{part}"] for part in "QKV")
        problem = moves_problem(Q, K, V, x, list(source), np.eye(3))
        lines.append(
            (
                problem is None,
                f"{name}: {problem}" if problem else f"{name}: right for a small and a large input.",
            )
        )
    return lines


@visible_check("3.5")
def check_running_linear(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    if "running_linear_Q" not in answers:
        return []
    x = np.array([[0.5, -1.0, 2.0], [3.0, 0.0, 1.0], [-2.0, 1.5, 0.0], [1.0, 1.0, -1.0], [0.0, 2.0, 4.0]])
    Q, K, V = (answers[f"running_linear_{part}"] for part in "QKV")
    problem = moves_problem(Q, K, V, x, list(range(5)), RUNNING_MAP)
    told = "The same linear map is applied at each place, for a small and a large input."
    return [(problem is None, problem or told)]
