"""The same answer in other usual representations; a test judges the galleries' right answers in each.

Its text runs in the notebook's kernel behind the last cell, so it imports nothing of the package.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

RECORDED = "representations.json"
WIDE_MODULES, NEGATIVE_STRIDES = "modules of float64", "negative strides"
Change = Callable[[np.ndarray], Any]  # an array of numbers in another representation


def _reversed_twice(array: np.ndarray) -> np.ndarray:
    """Equal numbers with negative strides along each axis."""
    turned = tuple(slice(None, None, -1) for _ in range(array.ndim))
    return array[turned].copy()[turned]


def _read_only(array: np.ndarray) -> np.ndarray:
    frozen = array.copy()
    frozen.flags.writeable = False
    return frozen


def _nested_tuples(array: np.ndarray) -> Any:
    """Tuples of tuples, made without Python steps of our own for each row, which a question may count."""
    if array.ndim < 3:
        return tuple(map(tuple, array.tolist()) if array.ndim == 2 else array.tolist())
    return tuple(_nested_tuples(part) for part in array)


def _in_dtype(dtype: Any, *, exact: bool) -> Change:
    """Another dtype; only where it holds the same numbers, if ``exact``."""

    def change(array: np.ndarray) -> np.ndarray:
        if array.dtype.kind != "f":
            return array
        with np.errstate(all="ignore"):
            changed = array.astype(dtype)
        return array if exact and not np.array_equal(changed, array, equal_nan=True) else changed

    return change


def _tensor(array: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array).copy()).reshape(array.shape)


def _tensor_with_gradient(array: np.ndarray) -> Any:
    made = _tensor(array)
    return made.requires_grad_() if made.is_floating_point() else made


def _matrix(array: np.ndarray) -> Any:
    return array.view(np.matrix) if array.ndim == 2 else array


# name → what becomes of each array of numbers in an answer; numbers are arrays of no dimension
CHANGES: dict[str, Change] = {
    "list": lambda array: array.tolist(),
    "tuple": lambda array: _nested_tuples(array) if array.ndim else array.item(),
    "named tuple": lambda array: array,
    "matrix": _matrix,
    "masked array": np.ma.array,
    "Fortran order": lambda array: np.array(array, order="F"),
    NEGATIVE_STRIDES: _reversed_twice,
    "read-only": _read_only,
    "float32": _in_dtype(np.float32, exact=False),
    "float32's numbers as a list": lambda array: _in_dtype(np.float32, exact=False)(array).tolist(),
    "float64": _in_dtype(np.float64, exact=True),
    "float16 where exact": _in_dtype(np.float16, exact=True),
    "integers where exact": _in_dtype(np.int64, exact=True),
    "arrays of no dimension": lambda array: array,
    "tensor": _tensor,
    "tensor with gradient": _tensor_with_gradient,
    "Python numbers": lambda array: array.item() if array.ndim == 0 else array,
    WIDE_MODULES: lambda array: array,
}


def represent(name: str, value: Any) -> Any:
    """A recorded value, or what a function returned, in the representation of that name.

    Text, None, True and False stay as they are.
    """
    if isinstance(value, list | tuple):
        items = [represent(name, item) for item in value]
        if name == "named tuple" and 0 < len(items) <= 20:
            return namedtuple("Results", [f"result_{index}" for index in range(len(items))])(*items)
        return tuple(items) if name in ("tuple", "named tuple") else items
    if isinstance(value, Mapping):
        return {key: represent(name, item) for key, item in value.items()}
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        if name == NEGATIVE_STRIDES:
            return value  # no tensor has them
        value = value.detach().cpu().numpy()
    number = isinstance(value, int | float | np.generic) and not isinstance(value, bool | str)
    if number or (isinstance(value, np.ndarray) and value.dtype.kind in "biuf"):
        return CHANGES[name](np.asarray(value))
    return value


to_change: SimpleQueue[tuple[str, Any]] = SimpleQueue()
has_changed: SimpleQueue[Any] = SimpleQueue()


def _change_results() -> None:
    while True:
        try:
            changed = represent(*to_change.get())
        except Exception as error:
            changed = error
        has_changed.put(changed)


@contextlib.contextmanager
def in_representation(name: str, value: Any) -> Iterator[Any]:
    """A recorded value, or a function that returns what the student's returns, in that representation.

    Modules and their classes stay as they are, since what a module gives back is a tensor; but a module of a
    class may have float64 parameters, and then takes float64 inputs.
    """
    if isinstance(value, type):
        with _wide_parameters(value) if name == WIDE_MODULES else contextlib.nullcontext():
            yield value
    elif hasattr(value, "register_buffer"):
        yield value
    else:
        yield _returning(name, value) if callable(value) else represent(name, value)


@contextlib.contextmanager
def _wide_parameters(cls: type) -> Iterator[None]:
    """Makes the parameters and buffers of a module's class float64."""
    own = cls.__dict__.get("__init__")
    if own is None or not hasattr(cls, "register_buffer"):
        yield
        return

    def make(self: Any, *args: Any, **kwargs: Any) -> None:
        own(self, *args, **kwargs)
        self.double()

    cls.__init__ = make  # type: ignore[misc]  # a subclass of that name would break super(Name, self)
    try:
        yield
    finally:
        cls.__init__ = own  # type: ignore[misc]


def _returning(name: str, value: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its results in that representation.

    A thread of their own changes them, so that a question that counts Python's steps does not count ours.
    """
    within: list[bool] = []  # what a function gets that calls itself stays as it is

    @functools.wraps(value)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        within.append(True)
        try:
            result = value(*args, **kwargs)
        finally:
            within.pop()
        if within:
            return result
        to_change.put((name, result))
        changed = has_changed.get()
        if isinstance(changed, Exception):
            raise changed
        return changed

    return wrapped


def record_representations(log: Any) -> None:
    """Records every entry of a homework and runs every check once for each representation.

    Args:
        log: the kit's, opened in this kernel.
    """
    Thread(target=_change_results, daemon=True).start()
    feedback = type(log).check.__globals__["Feedback"]
    shown: list[Any] = []
    feedback.show = lambda self: shown.append([self.title, [line for line in self.lines if line[0] is False]])
    collect, answers = log.collect, {}
    for name in CHANGES:

        def collect_changed(spec: Any, entry: Any, cases: Any = None, name: str = name) -> None:
            kept = log.namespace.get(spec["name"])
            if kept is None:
                return collect(spec, entry, cases)
            with in_representation(name, kept) as changed:
                log.namespace[spec["name"]] = changed
                try:
                    return collect(spec, entry, cases)
                finally:
                    log.namespace[spec["name"]] = kept

        log.collect = collect_changed
        entries: dict[str, Any] = {}
        shown.clear()
        for question in log.questions.values():
            with contextlib.redirect_stdout(io.StringIO()):  # answers may print
                for spec in question["entries"]:
                    entry = entries[spec["name"]] = {"question": question["id"], "kind": spec["kind"]}
                    log.collect(spec, entry)
                log.check(question["id"])
        answers[name] = {"entries": entries, "refused": [one for one in shown if one[1]]}
    Path(RECORDED).write_text(json.dumps(answers), encoding="utf-8")
