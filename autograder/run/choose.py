"""The choice of kernels: the safest that a place allows, or what the instructor asked for."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autograder.run.session import Kernels

IN_CONTAINER = "AUTOGRADER_CONTAINER"  # set by the bundle's run_autograder


class NoSandboxError(Exception):
    """A sandbox is required and does not work here; the message says why."""


@dataclass(frozen=True)
class Place:
    """How workers run submissions; nothing of it may change a result.

    Attributes:
        sandbox: ``auto``, ``required`` or ``off``.
        cold: start a new interpreter for each submission.
        hidden: files and folders that submissions must not see, wherever they lie.
        packages: folders of packages that they may import beside those that are installed; what is in them
            is named in the settings, as it may change results.
    """

    sandbox: str = "auto"
    cold: bool = False
    hidden: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()


_nursery: socket.socket | None = None  # of the batch that this process works for


def work_for(nursery: socket.socket | None) -> None:
    """Has this process's sandboxes come from a batch's nursery, which has the settings of its place."""
    global _nursery
    _nursery = nursery


@contextlib.contextmanager
def nursery(place: Place) -> Iterator[socket.socket | None]:
    """Starts a nursery for the workers of a batch, beside whatever follows; None where they need none."""
    from autograder.run.bubblewrap import Nursery, SandboxError

    if place.sandbox == "off" or place.cold:
        yield None
        return
    try:
        made = Nursery(hidden=map(Path, place.hidden), packages=map(Path, place.packages))
    except SandboxError:
        yield None  # the workers will say why
        return
    try:
        yield made.socket
    finally:
        made.close()


@cache
def kernels(place: Place) -> tuple[Kernels, str]:
    """Gives this process's kernels, and a warning if they are not in a sandbox although that was wanted.

    Raises:
        NoSandboxError: a sandbox is required and does not work here.
    """
    from autograder.run.plain import PlainKernels  # with Jupyter, which who only names a place does not need

    packages = [Path(path) for path in place.packages]
    if place.sandbox == "off":
        return PlainKernels(packages), ""
    why = f"bubblewrap needs Linux, this is {sys.platform}"
    if sys.platform == "linux":
        from autograder.run.bubblewrap import SandboxError
        from autograder.run.sandbox import SandboxKernels

        sandboxed = SandboxKernels(
            warm=not place.cold,
            hidden=[Path(path) for path in place.hidden],
            packages=packages,
            nursery=None if place.cold else _nursery,
        )
        try:
            sandboxed.idle.append(sandboxed.take())
            return sandboxed, ""
        except SandboxError as error:
            why = str(error)
    if place.sandbox == "required":
        raise NoSandboxError(f"No sandbox, but '--sandbox required' asks for one: {why}.")
    warning = (
        f"No sandbox: {why}. Submissions run as ordinary processes of yours, with limits but with your files"
        " and network in reach. Grade only what you trust, or install bubblewrap; '--sandbox required'"
        " refuses instead."
    )
    return PlainKernels(packages), warning


def in_container() -> tuple[Kernels, str]:
    """The safest kernels for one submission in a grading container, such as Gradescope's or otter's.

    Returns:
        The kernels, and a warning for the instructor if a submission could reach the grader's files.
    """
    from autograder.run.plain import PlainKernels
    from autograder.run.user import UserKernels, no_other_user

    if not os.environ.get(IN_CONTAINER):
        return kernels(Place())
    why = no_other_user()
    if why:
        return PlainKernels(), f"{why}, so the submission ran as the grader's own user."
    return UserKernels(), ""
