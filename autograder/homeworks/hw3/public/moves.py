"""3.4 and 3.5: whether places are copied as asked, through a linear map."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.homeworks.hw3.public.model import attend, is_uniform, listed, with_places
from autograder.kit import IN_PLACE, Trial, check_shapes, visible_check


def move_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, x: np.ndarray, source: Sequence[int], linear: np.ndarray
) -> str | None:
    """Whether output place i is ``linear`` applied to input place ``source[i]``; else words.

    Args:
        Q: (d+n, qk).
        K: (d+n, qk).
        V: (d+n, out).
        x: any real input, (n, d).
        source: the place that each output place copies.
        linear: (d, out), applied as ``x @ linear``.
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
    if not np.isfinite(output).all():
        return f"{told} Scores or values are too large for a float: take smaller numbers."
    inverse = np.argsort(source)
    if is_uniform(weights):
        return f"{told} Every position gets the same score, so all places are averaged."
    if (looked == inverse).all() and (inverse != np.asarray(source)).any():
        return (
            f"{told} You built the inverse: place {place} looks at place {looked[place]}, but it must look at"
            f" {source[place]}."
        )
    of_places = attend(with_places(0 * x, np.eye(len(x))), Q, K, V)[1]
    if np.abs(of_places - weights).max() > 1e-3:
        return (
            f"{told} The attention changes when the tokens change; for real inputs only the places may"
            " decide. Which rows of Q and K see the token?"
        )
    aimed = weights[range(len(x)), list(source)]
    if (looked == np.asarray(source)).all() and np.allclose(
        places[list(source)] @ V, wanted, rtol=1e-3, atol=1e-3
    ):
        soft = int(aimed.argmin())
        return (
            f"{told} Each place looks at the right one, but too softly: place {soft} gives it"
            f" {aimed[soft]:.5f}, and the rest of a large input still counts. Make the gap larger."
        )
    if aimed.min() > 0.999:
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
    others = np.array([np.delete(row, at) for row, at in zip(weights, source, strict=True)])
    if others.shape[1] > 1 and np.ptp(others, axis=1).max() < 1e-6 and (aimed < others.min(axis=1)).all():
        return f"{told} Every place but the one that it must look at gets attention: the sign is reversed."
    if (looked == np.arange(len(x))).all():
        return f"{told} Each place looks at itself, but place {place} must look at place {source[place]}."
    return f"{told} Place {place} looks at place {looked[place]}, but it must look at {source[place]}."


def move_arrays(trial: Trial) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], str | None]:
    """Q, K and V that ``moving_head`` returned, or what is wrong with them."""
    order, linear, output = np.asarray(trial.args[0]), np.asarray(trial.args[1]), trial.output
    none = np.zeros((0, 0))
    if output is None:
        return (none, none, none), "`moving_head` returned None: is `return` missing?"
    if not isinstance(output, list) or len(output) != 3:
        return (none, none, none), "`moving_head` should return three arrays: Q, K, V."
    if trial.changed_inputs:
        return (none, none, none), f"`moving_head` {IN_PLACE}"
    arrays: dict[str, Any] = dict(zip("QKV", output, strict=True))
    for name, value in arrays.items():  # rows in a list are as good as an array
        with contextlib.suppress(ValueError, TypeError):
            arrays[name] = np.asarray(value) if isinstance(value, list) else value
    n, (d, out) = len(order), linear.shape
    shapes = {"Q": (d + n, "qk"), "K": (d + n, "qk"), "V": (d + n, out)}
    problems = check_shapes(shapes, arrays)
    found = np.shape(arrays["V"])
    if problems and d != out and found == (out + n, d):
        problems.append("Is the map transposed? It takes d numbers to out numbers.")
    return (arrays["Q"], arrays["K"], arrays["V"]), " ".join(problems) or None


def shown_inputs(n: int, d: int) -> list[np.ndarray]:
    """A sequence (n, d) of small numbers, ten times it and its opposite.

    In large inputs, tokens that leak into the scores outweigh the places.
    """
    x = np.round(2 * np.random.default_rng(n).normal(size=(n, d)), 1)
    return [x, 10 * x, -10 * x]


@visible_check("3.4")
def check_moves(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    if any(trial.status != "ok" for trial in answers["moving_head"]):
        return []
    for trial in answers["moving_head"]:
        arrays, problem = move_arrays(trial)
        if problem:
            return [(False, f"On {trial.note}: {problem}")]
        order, linear = np.asarray(trial.args[0]), np.asarray(trial.args[1])
        for x in shown_inputs(len(order), len(linear)):
            if problem := move_problem(*arrays, x, order.tolist(), linear):
                return [(False, f"On {trial.note}: {problem}")]
    return [(True, "Identity, permutation and linear layer are right for a small and a large input each.")]
