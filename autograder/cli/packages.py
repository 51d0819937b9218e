"""Packages that submissions may import beyond those of the homeworks: which are there, and where."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, distributions, packages_distributions, version
from pathlib import Path

import click
from packaging.requirements import InvalidRequirement, Requirement

# options of pip that say where packages come from, which is decided already: nothing is installed here
WHERE_FROM = re.compile(
    r"(?:-i|-f|--(?:index-url|extra-index-url|no-index|find-links|pre|prefer-binary|only-binary|no-binary"
    r"|trusted-host|use-feature|require-hashes))\b"
)
MAX_REQUIREMENTS = 100_000  # bytes of a requirements file


def check_packages(
    names: Sequence[str], folders: Sequence[Path], requirements: Sequence[Path] = ()
) -> tuple[str, ...]:
    """What is allowed, in words that change with its version.

    Args:
        names: modules that must be importable where grading runs.
        folders: of further packages, as ``pip install --target`` makes them.
        requirements: files as ``pip install -r`` reads them; all that they name must be there.

    Raises:
        click.BadParameter: a module or a requirement is not there, a folder holds no package, or a file is no
            requirements file.
    """
    paths = [str(folder.resolve()) for folder in folders]
    for folder in folders:
        if not any(folder.iterdir()):
            raise click.BadParameter(
                f"{folder} is empty. Fill it with 'pip install --target {folder} NAME'",
                param_hint="--packages",
            )
    for name in names:
        top = name.partition(".")[0]
        if not top.isidentifier() or PathFinder.find_spec(top, [*sys.path, *paths]) is None:
            raise click.BadParameter(
                f"{name} cannot be imported. Install it on this machine ('pip install {name}'), or in a"
                f" folder ('pip install --no-deps --target extra {name}') that you give with '--packages"
                " extra'",
                param_hint="--allow-package",
            )
    required = {told for file in requirements for told in _required(file, paths)}
    inside = {f"{one.name} {one.version}" for one in distributions(path=paths)} if paths else set()
    return (*sorted({_installed(name) for name in names}), *sorted(required | inside))


def _required(file: Path, paths: Sequence[str]) -> Iterator[str]:
    """Name and version of each requirement of a file.

    Raises:
        click.BadParameter: one of them is not there, or in another version; all of those are named.
    """
    missing: list[str] = []
    for line, one in _requirements(file):
        if one.marker is not None and not one.marker.evaluate():
            continue  # for another system
        found = _distribution(one.name, paths)
        if found is None:
            missing.append(f"line {line}: {one.name} is not installed")
        elif not one.specifier.contains(found.version, prereleases=True):
            missing.append(f"line {line}: {one.name} has version {found.version}, not {one.specifier}")
        else:
            yield f"{found.name} {found.version}"
    if missing:
        raise click.BadParameter(
            f"{file} asks for what is not here: {'; '.join(missing)}. Install it where you grade"
            f" ('pip install -r {file}'), or in a folder ('pip install --no-deps --target extra -r {file}')"
            " that you give with '--packages extra'",
            param_hint="--requirements",
        )


def _distribution(name: str, paths: Sequence[str]) -> Distribution | None:
    """A package of this name; what is installed comes first, as it does when a notebook imports it."""
    for path in (sys.path, list(paths)):
        for found in distributions(name=name, path=path):
            return found
    return None


def _requirements(file: Path) -> Iterator[tuple[int, Requirement]]:
    """The requirements in a file, each with the number of its line.

    Raises:
        click.BadParameter: it cannot be read, or a line is neither a requirement nor an option on where
            packages come from.
    """

    def refuse(told: str) -> click.BadParameter:
        return click.BadParameter(f"{file}{told}", param_hint="--requirements")

    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_REQUIREMENTS + 1)
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise refuse(" is not a text file in UTF-8") from None
    if len(data) > MAX_REQUIREMENTS:
        raise refuse(f" is larger than {MAX_REQUIREMENTS / 1000:.0f} kB. Is it a requirements file?")
    for number, line in _joined_lines(text):
        wanted = re.sub(r"(?:^|\s)#.*$", "", line)
        wanted = re.sub(r"\s--(?:hash|config-settings?)\b.*$", "", wanted).strip()
        if not wanted or WHERE_FROM.match(wanted):
            continue
        if wanted.startswith("-"):
            raise refuse(
                f", line {number}: '{wanted[:60]}' is not read here; write the packages into this file, one a"
                " line, such as einops>=0.8"
            )
        try:
            yield number, Requirement(wanted)
        except InvalidRequirement as error:
            why = str(error).split("\n")[0]
            raise refuse(f", line {number}: '{wanted[:60]}' is not a requirement: {why}") from None


def _joined_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; one that ends in a backslash goes on in the next."""
    begun, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        first = first or number
        if line.endswith("\\"):
            begun += line[:-1]
            continue
        yield first, begun + line
        begun, first = "", 0
    if begun:
        yield first, begun


def _installed(name: str) -> str:
    """A module with the version of its distribution, as far as that is known."""
    top = name.partition(".")[0]
    found = packages_distributions().get(top, [])
    return f"{top} {version(found[0])}" if found else top
