"""1.3: how many steps Python takes for self-attention, which grow with the sequence where a loop is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder.kit import Trial, as_array, decode, encode, probe
from autograder.kit.shared.steps import python_steps


@probe("steps", measures=True)
def steps_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Counts the Python steps of self-attention over the first n tokens, for growing n.

    The case's args are X, W_Q, W_K, W_V; its kwargs ``lengths``.

    Returns:
        ``result`` for the longest sequence, ``steps`` for each length, and ``mixes``: whether any output
        changes with the first or the last token, its own left out, so that a function that does not attend
        earns nothing for being fast.
    """
    X, *weights = decode(case["args"])
    steps = []
    result: Any = None
    for n in decode({"fields": case["kwargs"]})["lengths"]:
        result, counted = python_steps(lambda n=n: function(X[:n].copy(), *weights))  # type: ignore[misc]
        steps.append(counted)
    result = as_array(result)
    calm = 0.1 * X  # no weight is 0 for lack of precision, whatever the softmax runs over
    before = as_array(function(calm.copy(), *weights))

    def reaches_others(place: int) -> bool:
        """Whether an output at another place changes with the token at this one."""
        other = calm.copy()
        other[place] += 1.0
        again = as_array(function(other, *weights))
        if not (isinstance(before, np.ndarray) and isinstance(again, np.ndarray)):
            return False
        if before.shape != again.shape:
            return False
        changed = np.abs(np.atleast_1d(again - before)) > 1e-9
        return bool(np.delete(changed, place, axis=0).any())

    mixes = reaches_others(-1) or reaches_others(0)
    return {"fields": {"result": encode(result), "steps": steps, "mixes": mixes}}


def loop_problem(trial: Trial) -> str | None:
    """Whether the Python steps of 1.3 stay the same as n grows; else words."""
    steps, lengths, args = trial.result["steps"], trial.kwargs["lengths"], trial.args
    wanted = (lengths[-1], args[3].shape[1])
    if getattr(trial.output, "shape", None) != wanted:
        return f"`attention` must return shape {wanted} for {wanted[0]} tokens before its steps are counted."
    if not np.isfinite(np.asarray(trial.output, dtype=float)).all():
        return "`attention` must return finite numbers before its steps are counted."
    if not trial.result["mixes"]:
        return (
            "No output of `attention` changes with another token, so it does not attend; its steps do not"
            " count."
        )
    if steps[-1] - steps[0] < lengths[-1] - lengths[0]:  # a loop costs several steps for each further token
        return None
    counted = ", ".join(f"{count:,} for n = {n}" for count, n in zip(steps, lengths, strict=True))
    return (
        "`attention` loops over the tokens: it takes more Python steps the longer the sequence is"
        f" ({counted}). One matrix product gives all scores at once, and one exponential with axis and"
        " keepdims all weights."
    )
