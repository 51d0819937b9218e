"""Inputs that a student's function runs on, hidden or public."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograder import kit


@dataclass(frozen=True)
class Case:
    """One hidden or public input.

    Args:
        args, kwargs: for the student's function or the probe: arrays, numbers, text, lists.
        note: what is special about it, in words that finish "on …"; students see it.
        group: which check judges it.
        probe: how the kit drives the student's object; ``call`` or one registered in
            ``autograder/homeworks/hwN/public``.
        torch: arrays arrive as torch tensors.
    """

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    note: str = "a random input"
    group: str = "values"
    probe: str = "call"
    torch: bool = False
    _results: dict[Callable[..., Any], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def result_of(self, function: Callable[..., Any]) -> Any:
        """What an oracle gives on this case; computed once, for all submissions that share the draw."""
        if function not in self._results:
            self._results[function] = function(*self.args, **self.kwargs)
        return self._results[function]

    def as_json(self, identity: str) -> dict[str, Any]:
        """The case as it stands in ``challenges.json``."""
        mark = _mark_torch if self.torch else (lambda value: value)
        return {
            "id": identity,
            "probe": self.probe,
            "note": self.note,
            "group": self.group,
            "args": mark(kit.encode(list(self.args))),
            "kwargs": mark(kit.encode(dict(self.kwargs))["fields"]),
        }


def _mark_torch(value: Any) -> Any:
    if isinstance(value, list):
        return [_mark_torch(item) for item in value]
    if isinstance(value, dict):
        marked = {key: _mark_torch(item) if key != "data" else item for key, item in value.items()}
        return {**marked, "torch": True} if "dtype" in value else marked
    return value


def generator(*key: str) -> np.random.Generator:
    """A random generator that follows from some words alone."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256("/".join(key).encode()).digest()[:16], "big"))
