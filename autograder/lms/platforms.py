"""The platforms, one file each: a module of this folder that has a function ``read`` is a platform."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from autograder import lms
from autograder.lms.collect import Collected
from autograder.lms.handback import Upload


@dataclass(frozen=True)
class Platform:
    """A learning platform.

    Attributes:
        name: as ``--from`` and ``--to`` call it.
        read: takes the path of the platform's zip or folder and gives what is in it.
        fill: takes the text of the platform's own file and points by id, and gives the file to upload; None
            where a platform takes nothing back.
        heads: role → a column's head in that file, which other languages call something else.
    """

    name: str
    read: Callable[..., Collected]
    fill: Callable[..., Upload] | None
    heads: Mapping[str, str] = field(default_factory=dict)


@cache
def platforms() -> Mapping[str, Platform]:
    """Every platform by name, in alphabetical order."""
    found = {}
    for module in pkgutil.iter_modules(lms.__path__):
        if module.name == "platforms":
            continue
        imported = importlib.import_module(f"{lms.__name__}.{module.name}")
        if read := getattr(imported, "read", None):
            found[module.name] = Platform(
                module.name, read, getattr(imported, "fill", None), getattr(imported, "HEADS", {})
            )
    return found


def options(function: Callable[..., Any]) -> set[str]:
    """The options that a platform's function takes: its keyword-only parameters."""
    parameters = inspect.signature(function).parameters.values()
    return {one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY}
