"""Counting what Python itself does while a function runs.

A homework's public part says ``from autograder.kit.shared.steps import …`` and the build puts this file
before it.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import Any

from autograder.kit import InstrumentError

PRINTING = ("arrayprint.py", "iostream.py")  # Python files that print for NumPy and the notebook
_traces_set = [0]  # how often sys.settrace was called since the kit watches
_watching: list[bool] = []


def _watch_traces() -> None:
    """Counts calls of ``sys.settrace`` from now on; such a watch cannot be taken away."""
    if not _watching:
        _watching.append(True)

        def watch(event: str, arguments: Any) -> None:
            _traces_set[0] += event == "sys.settrace"

        sys.addaudithook(watch)


def _prints(frame: Any) -> bool:
    """Whether a frame belongs to printing something."""
    while frame is not None:
        if frame.f_code.co_filename.endswith(PRINTING):
            return True
        frame = frame.f_back
    return False


def python_steps(function: Callable[[], Any]) -> tuple[Any, int]:
    """Runs ``function`` and counts the bytecode instructions that Python executes, NumPy's included.

    A product of whole arrays costs the same few instructions for every size; a loop, a comprehension,
    ``np.vectorize`` or ``np.apply_along_axis`` costs more for each row. What printing takes does not count,
    nor does what happens by chance: the smaller count of two runs is returned, and garbage is collected at
    another time. A run before them does not count, since Python 3.12 and later report the instructions of a
    function only from its second traced call on.

    Raises:
        InstrumentError: something else traced, or switched tracing off, in the meantime.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        result, _ = _counted_steps(function)
        return result, min(_counted_steps(function)[1] for _ in range(2))
    finally:
        if collects:
            gc.enable()


def _counted_steps(function: Callable[[], Any]) -> tuple[Any, int]:
    steps = 0
    _watch_traces()

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal steps
        if event == "call" and _prints(frame):
            frame.f_trace_lines = False
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        steps += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    calls = _traces_set[0]
    try:
        result = function()
    finally:
        switched = _traces_set[0] != calls
        sys.settrace(before)
    if switched:
        raise InstrumentError("sys.settrace was called while steps were counted, so they do not count")
    return result, steps
