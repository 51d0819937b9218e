"""Holds arrays against symbolic shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.kit.values import describe

Dim = int | str


def check_shapes(shapes: Mapping[str, Sequence[Dim]], arrays: Mapping[str, Any]) -> list[str]:
    """Holds arrays against symbolic shapes such as ``(4, "p")`` and ``("3+p", "qk")``.

    A letter stands for any size of at least 1, the same one in all arrays, bound by the first array that has
    it alone. With a question mark there, as in ``(5, "p?")``, it may be 0.

    Returns:
        One sentence for each array that is not numeric, does not fit, or holds NaN or infinities.
    """
    problems: list[str] = []
    sizes: dict[str, int] = {}
    for name, shape in shapes.items():
        array = arrays[name]
        wanted = shape_words(shape)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
            form = f"a numeric array of shape {wanted}" if shape else "a number"
            problems.append(f"{name} should be {form}, but it is {describe(array)}.")
        elif problem := _shape_problem(name, array, shape, wanted, sizes):
            problems.append(problem)
        elif not np.isfinite(array).all():
            bad = np.argwhere(~np.isfinite(array))[0].tolist()
            number = array[tuple(bad)]
            told = f"{name} holds {number} at {bad}; every number must be finite."
            problems.append(told if bad else f"{name} is {number}; it must be finite.")
    return problems


def shape_words(shape: Sequence[Dim]) -> str:
    """A shape as it is written: ``(4, p)``."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})".replace("?", "")


def _shape_problem(
    name: str, array: np.ndarray, shape: Sequence[Dim], wanted: str, sizes: dict[str, int]
) -> str | None:
    if array.ndim != len(shape):
        if not shape:
            return f"{name} has shape {array.shape}; expected (): a single number."
        problem = f"{name} has shape {array.shape}; expected {wanted}."
        if array.ndim == 1 and len(shape) == 2:
            problem += " A single row or column has two axes too: [[1., 0.]] or [[1.], [0.]], not [1., 0.]."
        return problem
    if any(size == 0 and not str(dim).endswith("?") for size, dim in zip(array.shape, shape, strict=True)):
        return f"{name} has shape {array.shape}: an axis of size 0."
    problems = (_check_dim(name, array, axis, dim, wanted, sizes) for axis, dim in enumerate(shape))
    return next((problem for problem in problems if problem), None)


def _check_dim(
    name: str, array: np.ndarray, axis: int, dim: Dim, wanted: str, sizes: dict[str, int]
) -> str | None:
    found, terms = array.shape[axis], str(dim).removesuffix("?").split("+")
    unbound = [term for term in terms if not term.isdigit() and term not in sizes]
    total = sum(int(term) if term.isdigit() else sizes.get(term, 0) for term in terms)
    if unbound:
        if found - total < (0 if str(dim).endswith("?") else 1):
            told = f"{name} has shape {array.shape}; expected {wanted}"
            return f"{told}, so axis {axis} must be larger than {total}."
        sizes[unbound[0]] = found - total
        return None
    if found != total:
        known = ", ".join(f"{term} = {sizes[term]}" for term in terms if term in sizes)
        return f"{name} has shape {array.shape}; expected {wanted}" + (f" with {known}." if known else ".")
    return None
