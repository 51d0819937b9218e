"""Packages that submissions may import beyond those of the homeworks: which are there, and where."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from importlib.metadata import distributions, packages_distributions, version
from pathlib import Path

import click


def check_packages(names: Sequence[str], folders: Sequence[Path]) -> tuple[str, ...]:
    """What is allowed, in words that change with its version.

    Args:
        names: modules that must be importable where grading runs.
        folders: of further packages, as ``pip install --target`` makes them.

    Raises:
        click.BadParameter: a module is not there, or a folder holds no package.
    """
    paths = [str(folder.resolve()) for folder in folders]
    for folder in folders:
        if not any(folder.iterdir()):
            raise click.BadParameter(
                f"{folder} is empty; fill it with 'pip install --target {folder} NAME'",
                param_hint="--packages",
            )
    for name in names:
        top = name.partition(".")[0]
        if not top.isidentifier() or PathFinder.find_spec(top, [*sys.path, *paths]) is None:
            raise click.BadParameter(
                f"{name} cannot be imported here. Install it where you grade ('pip install {name}'), or in a"
                f" folder ('pip install --no-deps --target extra {name}') that you give with '--packages"
                " extra'",
                param_hint="--allow-package",
            )
    inside = {f"{one.name} {one.version}" for one in distributions(path=paths)} if paths else set()
    return (*sorted({_installed(name) for name in names}), *sorted(inside))


def _installed(name: str) -> str:
    """A module with the version of its distribution, as far as that is known."""
    top = name.partition(".")[0]
    found = packages_distributions().get(top, [])
    return f"{top} {version(found[0])}" if found else top
