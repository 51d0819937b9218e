"""Compares found values with expected ones, and says in words where they differ."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np

from autograder.kit.values import describe


def compare(
    expected: np.ndarray, found: Any, *, rtol: float = 1e-4, atol: float = 1e-6, what: str = "the result"
) -> str | None:
    """Compares shape, then dtype, then finiteness, then values; never broadcasts.

    The default tolerances suit float32 answers against a float64 reference (COVERAGE: rtol 1e-4, atol 1e-6).

    Returns:
        None if equal, else a sentence that says what differs and where.
    """
    if isinstance(found, bool | int | float | list):
        with contextlib.suppress(ValueError, TypeError):
            found = np.asarray(found)
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        return f"{what} should be an array of shape {expected.shape}, but it is {describe(found)}."
    if found.shape != expected.shape:
        return f"{what} has shape {found.shape}; expected {expected.shape}."
    return _kind_problem(expected, found, what) or _number_problem(expected, found, rtol, atol, what)


def _kind_problem(expected: np.ndarray, found: np.ndarray, what: str) -> str | None:
    # one whole number is judged by its value: 4 is as good as 4.0
    whole = found.ndim == 0 and found.dtype.kind in "iu"
    if expected.dtype.kind == "f" and found.dtype.kind != "f" and not whole:
        told = f"{what} has dtype {found.dtype}; expected floating point."
        return f"{told} Was something rounded or cast to int?"
    if expected.dtype.kind == "b" and found.dtype.kind != "b":
        return f"{what} has dtype {found.dtype}; expected bool."
    return None


def _number_problem(
    expected: np.ndarray, found: np.ndarray, rtol: float, atol: float, what: str
) -> str | None:
    wide, right = found.astype(np.float64), expected.astype(np.float64)
    if (bad := ~np.isfinite(wide) & np.isfinite(right)).any():
        where = _first_place(bad)
        number = wide[where] if where else float(wide)
        return f"{what} is {number} at {_index_words(where)}; expected {_short_number(right[where])}."
    off = ~np.isclose(wide, right, rtol=rtol, atol=atol, equal_nan=True)
    if off.any():
        where = _first_place(off)
        told = f"at {_index_words(where)} it is {_short_number(wide[where])}"
        told += f", expected {_short_number(right[where])}"
        return f"{what} differs in {int(off.sum())} of {off.size} numbers; {told}."
    return None


def _first_place(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])


def _index_words(where: tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, where)) + "]" if where else "the only number"


def _short_number(number: Any) -> str:
    return f"{float(number):.5g}"


def compare_text(expected: str, found: Any, what: str) -> str | None:
    """Compares two texts; None if equal, else a sentence that shows both."""
    if isinstance(found, str) and found == expected:
        return None
    return (
        f"{what} is {clipped(found) if isinstance(found, str) else describe(found)}; expected"
        f" {clipped(expected)}."
    )


def clipped(value: Any) -> str:
    """A value as Python writes it, at most 160 characters."""
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:157]}..."


def same(left: Any, right: Any, *, rtol: float = 1e-4, atol: float = 1e-6) -> bool:
    """Whether two decoded values (arrays or lists of them) are equal within tolerance; never broadcasts."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            same(a, b, rtol=rtol, atol=atol) for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, str) or isinstance(right, str):
        return type(left) is type(right) and left == right
    return compare(np.asarray(left), right, rtol=rtol, atol=atol) is None
