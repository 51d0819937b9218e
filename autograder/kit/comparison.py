"""Compares found values with expected ones, and says in words where they differ."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.kit.values import as_kind, describe


def compare(
    expected: np.ndarray, found: Any, *, rtol: float = 1e-4, atol: float = 1e-6, what: str = "the result"
) -> str | None:
    """Compares shape, then kind of numbers, then finiteness, then values; never broadcasts.

    The default tolerances suit float32 answers against a float64 reference (COVERAGE: rtol 1e-4, atol 1e-6).
    They are widened where the dtype of what was found cannot hold more, see :func:`tolerances`.

    Returns:
        None if equal, else a sentence that says what differs and where.
    """
    found = as_kind(expected, found)
    if isinstance(found, bool | int | float):
        found = np.asarray(found)
    odd = [one for one in found if one is None or isinstance(one, str)] if isinstance(found, list) else []
    if odd and expected.ndim:
        return f"{what} should hold numbers, but it holds {clipped(odd[0])}."
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        form = f"an array of shape {expected.shape}" if expected.ndim else "a number"
        return f"{what} should be {form}, but it is {describe(found)}."
    if found.shape != expected.shape:
        form = str(expected.shape) if expected.ndim else "(): a single number"
        return f"{what} has shape {found.shape}; expected {form}."
    kinds = expected.dtype.kind + found.dtype.kind
    if "b" in kinds and kinds not in ("bb", "ib", "ub"):
        return f"{what} has dtype {found.dtype}; expected {'bool' if kinds[0] == 'b' else 'numbers'}."
    problem = _number_problem(expected, found, *tolerances(expected, found, rtol, atol), what)
    if problem and expected.dtype.kind == "f" and found.dtype.kind in "iu" and found.ndim:
        problem += f" It has dtype {found.dtype}: was something rounded or cast to int?"
    return problem


def tolerances(expected: np.ndarray, found: np.ndarray, rtol: float, atol: float) -> tuple[float, float]:
    """Tolerances that numbers of the found dtype can keep.

    A float32 has 24 bits. An answer of some steps in it keeps 64 units in the last place, and where large
    numbers cancel, 16 units of the largest. A float16 is only ever the last step: 2 units.
    """
    if found.dtype.kind != "f" or found.dtype.itemsize >= 8 or not expected.size:
        return rtol, atol
    unit = float(np.finfo(found.dtype).eps)
    steps, canceled = (64, 16) if found.dtype.itemsize == 4 else (2, 1)
    finite = np.abs(expected[np.isfinite(expected)]) if expected.dtype.kind == "f" else np.abs(expected)
    largest = float(finite.max()) if finite.size else 0.0
    return max(rtol, steps * unit), max(atol, canceled * unit * largest)


def _number_problem(
    expected: np.ndarray, found: np.ndarray, rtol: float, atol: float, what: str
) -> str | None:
    wide, right = found.astype(np.float64), expected.astype(np.float64)
    if (bad := ~np.isfinite(wide) & np.isfinite(right)).any():
        where = _first_place(bad)
        return f"{what} is {wide[where]}{_at(where)}; expected {short_numbers(right[where])[0]}."
    off = ~np.isclose(wide, right, rtol=rtol, atol=atol, equal_nan=True)
    if not off.any():
        return None
    where = _first_place(off)
    got, wanted = short_numbers(wide[where], right[where])
    if off.size == 1:
        return f"{what} is {got}; expected {wanted}."
    differing = f"{what} differs in {int(off.sum())} of {off.size} numbers"
    return f"{differing};{_at(where)} it is {got}, expected {wanted}."


def _first_place(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])


def _at(where: tuple[int, ...]) -> str:
    return f" at [{', '.join(map(str, where))}]" if where else ""


def short_numbers(*numbers: Any) -> tuple[str, ...]:
    """Numbers with five digits, or with as many more as it takes to tell them apart."""
    for digits in (5, 7, 9, 12, 17):
        texts = tuple(f"{float(number):.{digits}g}" for number in numbers)
        if len(set(texts)) == len(set(map(float, numbers))):
            return texts
    return texts


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
    right = as_kind(left, right)
    if isinstance(left, list) and not isinstance(right, list | np.ndarray):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            same(a, b, rtol=rtol, atol=atol) for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, str) or isinstance(right, str):
        return type(left) is type(right) and left == right
    try:
        whole = np.asarray(left)
    except ValueError:  # several results of different shapes are no single array
        return False
    return compare(whole, right, rtol=rtol, atol=atol) is None
