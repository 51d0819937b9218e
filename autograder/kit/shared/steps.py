"""Counting what Python itself does while a function runs.

A homework's public part says ``from autograder.kit.shared.steps import …`` and the build puts this file
before it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any


def python_steps(function: Callable[[], Any]) -> tuple[Any, int]:
    """Runs ``function`` and counts the bytecode instructions that Python executes, libraries' own included.

    A product of whole arrays costs the same few instructions for every size; a loop or a comprehension costs
    more for each row.
    """
    steps = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal steps
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        steps += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        result = function()
    finally:
        sys.settrace(before)
    return result, steps
