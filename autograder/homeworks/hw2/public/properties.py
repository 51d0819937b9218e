"""hw2: what gradients, operations, masks and modes say of the student's classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from autograder.kit import Trial

LENGTHS = (3, 10, 30)  # of 2.2
# operations that may come with a longer input, by a branch; a loop over 27 more queries adds at least 27
FREE_GROWTH = 8
FREE_STEPS = 54  # likewise of Python's steps; a loop takes at least two for each further place
GONE = 1e-30  # a masked weight below it is as good as 0; −100 in the scores gives 1e-44, −20 gives 1e-9


def gradient_problem(name: str, trials: Sequence[Trial], harmless: Sequence[str] = ()) -> str | None:
    """Whether every parameter gets a finite, nonzero gradient wherever a trial looked; else words.

    Args:
        name: of the student's class.
        trials: of the module probe.
        harmless: parameters whose gradient is zero in a right answer too.
    """
    for trial in trials:
        if (
            trial.status != "ok"
            or not isinstance(trial.result, dict)
            or "without_gradient" not in trial.result
        ):
            continue
        without = [parameter for parameter in trial.result["without_gradient"] if parameter not in harmless]
        if without:
            return (
                f"`{name}` on {trial.note}: no usable gradient (none, zero or NaN) reaches"
                f" {', '.join(without)}. Is it used in forward, is something detached (.detach(), .data,"
                " torch.tensor(…), .numpy()), or does a NaN hide behind a mask?"
            )
    return None


def growth(counts: Sequence[int]) -> int:
    """By how much counts differ."""
    return max(counts) - min(counts)


def operations_problem(name: str, trials: Sequence[Trial]) -> tuple[str | None, str]:
    """Whether torch's operations and Python's steps stay the same as sequences get longer.

    Returns:
        What is wrong or None, and the number of operations in words.
    """
    ran = [trial for trial in trials if trial.status == "ok"]
    lengths = [len(trial.args[0]) for trial in ran]
    operations, steps = ([int(trial.result[what]) for trial in ran] for what in ("operations", "steps"))
    told = _counted(lengths, operations)
    if growth(operations) > FREE_GROWTH:
        slope = growth(operations) / growth(lengths)
        problem = (
            f"The forward of `{name}` dispatches more tensor operations the longer the sequence is ({told}):"
            f" about {slope:.1f} more for each place. Somewhere a Python loop (or a comprehension) runs over"
            " the places."
        )
    elif growth(steps) > FREE_STEPS:
        problem = (
            f"The forward of `{name}` starts {told} tensor operations, but Python takes more steps the longer"
            f" the sequence is (instructions: {_counted(lengths, steps)}). Somewhere a loop runs over the"
            " places outside PyTorch, in NumPy or plain Python."
        )
    else:
        return None, told
    return f"{problem} One matrix product computes the scores of all queries and keys at once.", told


def _counted(lengths: Sequence[int], counts: Sequence[int]) -> str:
    return ", ".join(f"n = {n}: {count:,}" for n, count in zip(lengths, counts, strict=True))


def dropout_problem(name: str, trials: Sequence[Trial]) -> str | None:
    """Whether training mode gives the same as evaluation mode; else words."""
    for trial in trials:
        if trial.status == "ok" and trial.result.get("same_in_training") is False:
            return (
                f"`{name}` on {trial.note}: the result in training mode differs from the one in evaluation"
                " mode. Leave dropout out."
            )
    return None


def masked_problem(name: str, trials: Sequence[Trial]) -> str | None:
    """Whether masked weights are exactly 0; else words."""
    for trial in trials:
        call, output = trial.kwargs.get("call") or {}, trial.output
        if trial.status != "ok" or not call or not isinstance(output, list) or len(output) != 2:
            continue
        weights, n = np.asarray(output[1]), trial.args[0].shape[1]
        hidden = np.zeros((1, 1, n, n), bool) | (~np.tri(n, dtype=bool) & bool(call.get("causal")))
        if call.get("padding") is not None:
            hidden = hidden | np.asarray(call["padding"])[:, None, None, :]
        if weights.ndim != 4 or weights.shape[-2:] != (n, n):
            continue
        largest = float(np.abs(np.where(hidden, weights, 0)).max())
        if largest > GONE:
            return (
                f"`{name}` on {trial.note}: a masked weight is {largest:.2g}; it must be exactly 0. Put −∞ or"
                " a very large negative number such as −1e9 into the scores."
            )
    return None


def initial_problem(name: str, trials: Sequence[Trial]) -> str | None:
    """Whether a new layer norm has weight 1 and bias 0; else words."""
    for trial in trials:
        if trial.status != "ok" or not isinstance(trial.result, dict):
            continue
        first = trial.result.get("at_first", {})
        for parameter, value, words in (("weight", 1.0, "ones"), ("bias", 0.0, "zeros")):
            found = np.asarray(first.get(parameter, value))
            if not np.array_equal(found, np.full(found.shape, value)):
                return (
                    f"In a new `{name}`, `{parameter}` is not all {words}: before training, the layer must"
                    " only normalize."
                )
    return None
