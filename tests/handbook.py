"""Follows a page of the handbook: copies the project, writes the page's blocks there, runs commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.gallery import ROOT

DATA = ("__pycache__", "fashion_mnist_5000*", "glove*")  # large, and not needed to follow a page
HAND_IN = "# %% [markdown]\n# ## Hand in"  # before which a source takes a new question


def blocks(page: str) -> list[tuple[str, str]]:
    """The files that a page names before its Python blocks, each with its block, in order."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.findall(r"`([\w/]+\.py)`[^\n]*:\n\n```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert found, page
    return found


def copy_project(folder: Path, names: Iterable[str], *, leave: Iterable[str] = DATA) -> Path:
    """Copies folders and files of the project, data left out."""
    for name in names:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(*leave))
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def follow(folder: Path, page: str) -> None:
    """Does what a page says: writes new files; adds to others at the end, or in a source before "Hand in"."""
    for name, text in blocks(page):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        if before and name.startswith("solutions/"):
            place = before.index(HAND_IN)
            text = f"{before[:place]}{text}\n{before[place:]}"
        elif before:
            text = f"{before}\n\n{text}"
        path.write_text(text, encoding="utf-8")


def run(folder: Path, *command: str) -> str:
    """What Python prints that runs in a copy with these arguments; it must succeed."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3_000:]}{done.stderr[-3_000:]}"
    return done.stdout
