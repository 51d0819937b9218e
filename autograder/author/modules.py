"""The modules that grading has, by the first part of their names: what a notebook may import."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = "attention-homeworks"
TAUGHT = ("numpy", "torch", "matplotlib")  # what they bring along is there for students, too
# Of requirements with a condition, those of a Linux grader count, so that a build gives the same everywhere.
GRADER = {
    "extra": "",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "platform_system": "Linux",
    "python_full_version": "3.11.0",
    "python_version": "3.11",
    "sys_platform": "linux",
}
FOR_GPUS = re.compile(r"nvidia|cuda|triton")


@cache
def grading_modules() -> tuple[str, ...]:
    """The modules of the declared dependencies, and of what numpy, torch and matplotlib require, sorted.

    The standard library is not among them.
    """
    found: set[str] = set()
    for name in _declared():
        found |= _modules(name)
        if name in TAUGHT:
            for required in _required(metadata.requires(name) or []):
                found |= set() if FOR_GPUS.search(required) else _modules(required)
    return tuple(sorted(found))


@cache
def needed_modules() -> frozenset[str]:
    """All modules that a kernel of the grader may import on its way, which no file may hide."""
    seen: set[str] = set()
    waiting = list(_declared())
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name not in seen:
            seen.add(name)
            try:
                waiting += _required(metadata.requires(name) or [])
            except metadata.PackageNotFoundError:
                continue  # for another system
    return frozenset(module for name in seen for module in _modules(name)) | {"autograder"}


def _declared() -> tuple[str, ...]:
    """The names of the project's own requirements: of the checkout, or else of the installed package."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    if project.is_file():
        lines = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    else:
        lines = metadata.requires(PROJECT) or []
    return tuple(_required(lines))


def _required(lines: list[str]) -> Iterator[str]:
    for line in lines:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(dict(GRADER)):
            yield requirement.name


def _modules(distribution: str) -> set[str]:
    """The modules at the top level of a distribution, private ones left out; none if it is not installed."""
    try:
        found = metadata.distribution(distribution)
    except metadata.PackageNotFoundError:
        return set()
    # the list as text: the parsed one of torch, with its 15,000 files, takes half a second
    lines = (found.read_text("RECORD") or "").splitlines()
    files = [line.partition(",")[0] for line in lines] or (found.read_text("top_level.txt") or "").split()
    names = {file.partition("/")[0].removesuffix(".py") for file in files if not file.endswith("/")}
    return {name for name in names if name.isidentifier() and not name.startswith("_")}
