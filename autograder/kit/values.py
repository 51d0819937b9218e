"""Recorded values as plain JSON and back, and in words."""

from __future__ import annotations

import base64
import contextlib
import math
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np

MAX_ELEMENTS = 200_000  # of one recorded array: the largest honest one (a batch of image patches) has 20,000
DTYPES = frozenset(("bool", "int8", "int16", "int32", "int64", "uint8", "float16", "float32", "float64"))


def encode(value: Any, depth: int = 0) -> Any:
    """A recorded value as plain JSON.

    Args:
        value: None, bool, numbers, str, a NumPy or torch array of any kind (matrix, masked, strided, with a
            gradient), or lists, tuples and dicts of those.
        depth: how deep in such structures it stands.

    Returns:
        JSON without NaN literals: arrays as ``{"dtype", "shape", "data"}`` with flat data, dicts as
            ``{"fields"}``,
        non-finite numbers as strings, anything else as ``{"other": type name}``.
    """
    try:
        return _encode_any(value, depth)
    except Exception:  # an object that does not let itself be looked at, such as one whose len() fails
        return {"other": type(value).__name__}


def _encode_any(value: Any, depth: int) -> Any:
    if depth > 6:
        return {"other": "a structure nested more than 6 deep"}
    if isinstance(value, str):  # NumPy's text, too
        return str(value)[:10_000]
    if (array := _as_array(value)) is not None:
        return _encode_array(array, depth)
    if isinstance(value, list | tuple | Mapping):
        return _encode_structure(value, depth)
    return _encode_single(value)


def _as_array(value: Any) -> np.ndarray | None:
    """A NumPy array with the numbers of anything that is an array; None if it is none.

    Matrices become plain arrays, what a masked array hides becomes NaN, tensors leave their graph and device.
    """
    if isinstance(value, type):
        return None
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a torch tensor, without importing torch
        value = value.detach().cpu()
        value = value.to_dense() if value.layout != sys.modules["torch"].strided else value
        value = value.resolve_conj().resolve_neg()
        return np.asarray((value.float() if str(value.dtype) == "torch.bfloat16" else value).numpy())
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        hidden = np.ma.getmaskarray(value)
        return np.where(hidden, np.nan, np.ma.getdata(value)) if value.dtype.kind in "iuf" else None
    if isinstance(value, np.ndarray | np.generic) or hasattr(value, "__array__"):
        with contextlib.suppress(Exception):  # what else calls itself an array is somebody else's code
            return np.asarray(value)
    return None


def _encode_single(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        whole = int(value)
        return whole if abs(whole) < 2**63 else {"other": "a whole number of more than 63 bits"}
    if isinstance(value, Real | Decimal):  # fractions too
        value = float(value)
        return value if math.isfinite(value) else {"number": _name_of_number(value)}
    return {"other": type(value).__name__}


def _encode_structure(value: list[Any] | tuple[Any, ...] | Mapping[Any, Any], depth: int) -> Any:
    if isinstance(value, list | tuple):
        if len(value) > 10_000:
            return {"other": f"a {type(value).__name__} of {len(value)} items"}
        return [encode(item, depth + 1) for item in value]
    if len(value) > 1_000:
        return {"other": f"a dict of {len(value)} items"}
    return {"fields": {str(key)[:200]: encode(item, depth + 1) for key, item in value.items()}}


def _encode_array(array: np.ndarray, depth: int) -> Any:
    if array.dtype.kind in "US":
        return encode(array.tolist(), depth)
    array = _in_log_dtype(array)
    if array.dtype.name not in DTYPES:
        return {"other": f"an array of dtype {array.dtype.name}"}
    if array.size > MAX_ELEMENTS:
        return {"other": f"an array of shape {array.shape}, more than {MAX_ELEMENTS} numbers"}
    flat = array.ravel().tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        flat = [number if math.isfinite(number) else _name_of_number(number) for number in flat]
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": flat}


def _in_log_dtype(array: np.ndarray) -> np.ndarray:
    """The same numbers in a dtype that a log knows, where there is one."""
    if array.dtype.kind == "u" and array.dtype.name != "uint8" and (array < 2**63).all():
        return array.astype(np.int64)
    if array.dtype.kind == "f" and array.dtype.name not in DTYPES:  # longdouble
        return array.astype(np.float64)
    if array.dtype.kind == "O" and array.size <= MAX_ELEMENTS:
        flat = array.ravel().tolist()
        if all(isinstance(one, Real | Decimal | np.ndarray) for one in flat):
            with contextlib.suppress(ValueError, TypeError, OverflowError):
                return np.asarray([float(one) for one in flat], dtype=np.float64).reshape(array.shape)
    return array


def _name_of_number(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


class Other(str):
    """Stands for a recorded value that is no number, text or array; the text says what it was."""


def decode(value: Any) -> Any:
    """The inverse of :func:`encode`; arrays are NumPy's, or torch's where marked ``"torch": true``.

    Raises:
        ValueError: the JSON does not follow the format, with words that say where.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"fields"} and isinstance(value["fields"], dict):
        return {key: decode(item) for key, item in value["fields"].items()}
    if set(value) == {"number"} and value["number"] in ("NaN", "Infinity", "-Infinity"):
        return float(value["number"])
    if set(value) == {"other"}:
        return Other(str(value["other"])[:200])
    if set(value) - {"torch"} == {"dtype", "shape", "data"}:
        array = _decode_array(value)
        if value.get("torch") is True:
            import torch

            return torch.from_numpy(array)
        return array
    raise ValueError(f"unknown kind of value with the keys {sorted(map(str, value))[:5]}")


def _decode_array(value: Mapping[str, Any]) -> np.ndarray:
    dtype, shape, data = value["dtype"], value["shape"], value["data"]
    if dtype not in DTYPES:
        raise ValueError(f"unknown dtype {str(dtype)[:40]!r}")
    if (
        not isinstance(shape, list)
        or len(shape) > 8
        or not all(type(n) is int and 0 <= n <= MAX_ELEMENTS for n in shape)
    ):
        raise ValueError(f"a shape must be a short list of whole numbers, not {str(shape)[:60]}")
    if isinstance(data, str):
        return _unpacked(data, np.dtype(dtype), shape)
    if not isinstance(data, list) or len(data) > MAX_ELEMENTS:
        raise ValueError(f"array data must be a list of at most {MAX_ELEMENTS} numbers")
    if len(data) != math.prod(shape):
        raise ValueError(f"shape {tuple(shape)} needs {math.prod(shape)} numbers, but there are {len(data)}")
    kinds: dict[str, set[type]] = {"b": {bool}, "i": {int}, "u": {int}, "f": {int, float, str}}
    kind, found = kinds[np.dtype(dtype).kind], set(map(type, data))
    if not found <= kind or str in found:  # whole arrays of numbers, which most are, cost no look at each
        for number in data:
            named = isinstance(number, str) and number not in ("NaN", "Infinity", "-Infinity")
            if type(number) not in kind or named:
                raise ValueError(f"{str(number)[:40]!r} is not a number of dtype {dtype}")
    try:
        with np.errstate(over="ignore"):
            return np.array(data, dtype=dtype).reshape(shape)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the data do not fit dtype {dtype}: {error}") from None


def _unpacked(data: str, dtype: np.dtype, shape: list[int]) -> np.ndarray:
    """An array from the base64 of its numbers, little-endian, as large ones stand in a challenges file."""
    if dtype.kind == "b" or len(data) > MAX_ELEMENTS * 11:  # 8 bytes of a number take 11 characters
        raise ValueError(f"array data in base64 must be at most {MAX_ELEMENTS} numbers")
    numbers = np.frombuffer(base64.b64decode(data, validate=True), dtype=dtype.newbyteorder("<"))
    return numbers.astype(dtype).reshape(shape)


def without_marks(value: Any) -> Any:
    """The case as :func:`encode` would give it: without the torch marks."""
    if isinstance(value, list):
        return [without_marks(item) for item in value]
    if isinstance(value, dict):
        return {key: without_marks(item) for key, item in value.items() if key != "torch"}
    return value


def describe(value: Any) -> str:
    """A few words that say what a value is, for messages: ``a number``, ``text``, ``None``."""
    if isinstance(value, Other):
        return f"something else ({value})"
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}, dtype {value.dtype}"
    if isinstance(value, list) and value and all(isinstance(item, np.ndarray) for item in value):
        return f"a list or tuple of {len(value)} array{'s' if len(value) > 1 else ''}"
    if isinstance(value, list):
        return f"a list or tuple of {len(value)}"
    names = {
        str: "text",
        bool: "True or False",
        int: "a whole number",
        float: "a number",
        dict: "a dict",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def as_kind(expected: Any, found: Any) -> Any:
    """A found value in the form of the expected one, if it is another usual form of the same.

    Where an array is expected, lists of numbers and of arrays become one; where a list is expected, the rows
    of an array become its items.
    """
    if isinstance(expected, np.ndarray | np.generic | int | float) and isinstance(found, list):
        with contextlib.suppress(ValueError, TypeError):
            array = np.asarray(found)
            return array if array.dtype.kind in "biuf" else found
    if isinstance(expected, list) and isinstance(found, np.ndarray) and found.ndim:
        # one array stands for several results if each row is one of them; it may be the first result alone
        # (and each stays an array: a number of float32 alone is none of Python's)
        found = [np.asarray(row) for row in found] if _shapes(expected) == _shapes(found) else found
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        return [as_kind(right, one) for right, one in zip(expected, found, strict=True)]
    return found


def _shapes(items: Iterable[Any]) -> list[tuple[int, ...]]:
    return [np.shape(one) for one in items]


def as_array(value: Any) -> Any:
    """What a function returned as a plain array, if it is numbers in a usual form; else decoded as it is."""
    return as_kind(np.zeros(()), decode(encode(value)))
