"""An environment with nothing but what Colab preinstalls of the notebooks' needs, made of links.

What it has: this interpreter's standard library, numpy, torch, matplotlib, ipykernel and whatever those
require, in the
versions that are installed here (not Colab's). What it hides: every other distribution, the autograder first
of all.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

WANTED = ("numpy", "torch", "matplotlib", "ipykernel")


def distributions(names: Iterable[str] = WANTED) -> dict[str, metadata.Distribution]:
    """The wanted distributions and all that they require here, by normalized name.

    Args:
        names: requirements such as ``numpy`` or ``jupyter-client>=8.6``.
    """
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name = wanted.name.lower().replace("_", "-").replace(".", "-")
        extras = {"", *wanted.extras}
        if (name, frozenset(extras)) in seen:
            continue
        seen.add((name, frozenset(extras)))
        try:
            found[name] = metadata.distribution(wanted.name)
        except metadata.PackageNotFoundError:
            continue  # torch's requirements for other builds
        for one in map(Requirement, found[name].requires or []):
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(one)
    return found


def make(folder: Path, names: Iterable[str] = WANTED) -> Path:
    """Makes the environment with these requirements and theirs; returns its interpreter."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    target = Path(
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment()).stdout.strip()
    )
    for distribution in distributions(names).values():
        for file in distribution.files or []:
            top = file.parts[0]
            if top in ("..", "__pycache__") or top.endswith(".pth") or (target / top).exists():
                continue
            (target / top).symlink_to(Path(str(distribution.locate_file(top))))
    return python


def environment() -> dict[str, str]:
    """A plain environment, without the path to this checkout."""
    return {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}


def installed(python: Path) -> set[str]:
    """The names of all distributions that an interpreter sees."""
    code = (
        "from importlib.metadata import distributions as d; print(*{one.metadata['Name'].lower().replace('_',"
        " '-').replace('.', '-') for one in d()})"
    )
    return set(
        subprocess.run(
            [str(python), "-c", code], capture_output=True, text=True, check=True, env=environment()
        ).stdout.split()
    )


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
