"""Chooses where submissions run: in a sandbox if possible, else as ordinary processes, with a warning."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from autograder.run.execute import Kernels, PlainKernels


class NoSandboxError(Exception):
    """A sandbox is required and cannot be had here; the message says why."""


@dataclass(frozen=True)
class Place:
    """How workers run submissions; nothing of it may change a result.

    Attributes:
        sandbox: ``auto``, ``required`` or ``off``.
        cold: start a new interpreter for each submission.
        hidden: files and folders that submissions must not see, wherever they lie.
    """

    sandbox: str = "auto"
    cold: bool = False
    hidden: tuple[str, ...] = ()


@cache
def kernels(place: Place) -> tuple[Kernels, str]:
    """Gives this process's kernels, and a warning if they are not in a sandbox although that was wanted.

    Raises:
        NoSandboxError: a sandbox is required and does not work here.
    """
    if place.sandbox == "off":
        return PlainKernels(), ""
    why = f"bubblewrap needs Linux, this is {sys.platform}"
    if sys.platform == "linux":
        from autograder.run.sandbox import SandboxError, SandboxKernels

        sandboxed = SandboxKernels(warm=not place.cold, hidden=[Path(path) for path in place.hidden])
        try:
            sandboxed.idle.append(sandboxed.take())
            return sandboxed, ""
        except SandboxError as error:
            why = str(error)
    if place.sandbox == "required":
        raise NoSandboxError(f"No sandbox, but '--sandbox required' asks for one: {why}.")
    return (
        PlainKernels(),
        (
            f"No sandbox: {why}. Submissions run as ordinary processes of yours, with limits but with your"
            " files and network in reach. Grade only what you trust, or install bubblewrap; '--sandbox"
            " required' refuses instead."
        ),
    )
