"""What several questions of hw6 share: judging trial by trial, the count of features, the denoising loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from autograder.declare import Case, Picture, Wrong, not_run, wrong_on
from autograder.homeworks.hw6 import public
from autograder.kit import Trial


def wrong_if(problem: str | None) -> Wrong | None:
    """A failed check with these words, or a passed one."""
    return Wrong(problem) if problem else None


def first_problem(
    name: str, trials: Sequence[Trial], judge: Callable[[Trial], str | None], picture: Picture | None = None
) -> Wrong | None:
    """The first trial that did not run or that ``judge`` finds wrong, in words."""
    for trial in trials:
        if trouble := not_run(name, trial):
            return trouble
        if wrong := wrong_on(trial, judge(trial), picture):
            return wrong
    return None


def paired(name: str, trials: Sequence[Trial], judge: Callable[[Trial, Trial], str | None]) -> Wrong | None:
    """Judges trials two by two, after asking whether each ran and is an array of features."""
    if trouble := first_problem(name, trials, lambda trial: public.features_problem(name, trial)):
        return trouble
    for left, right in zip(trials[::2], trials[1::2], strict=True):
        if wrong := wrong_on(left, judge(left, right)):
            return wrong
    return None


def count_monomials(D: int) -> int:
    """By enumeration: monomials of degree at most 2 in D variables."""
    variables = range(D + 1)  # one of them stands for the constant 1
    return sum(1 for i in variables for j in variables if i <= j)


def loss_oracle(W: np.ndarray, X: np.ndarray, lam: float) -> np.ndarray:
    """The denoising loss by plain sums over single numbers."""
    rest = X - np.einsum("ij,jk->ik", W, X)
    return np.asarray(
        sum(number**2 for number in rest.ravel()) + lam * sum(number**2 for number in W.ravel())
    )


def loss_inputs(rng: np.random.Generator) -> Iterator[Case]:
    """Any W; X wide and tall."""
    for d, n, lam in ((2, 3, 0.5), (3, 5, 2.0), (4, 2, 0.1)):
        yield Case(
            [np.round(rng.normal(size=(d, d)), 2), np.round(rng.normal(size=(d, n)), 2), lam],
            note=f"X of shape ({d}, {n}), λ = {lam}",
        )
