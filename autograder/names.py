"""File names and marks that several rooms know."""

from __future__ import annotations

from pathlib import Path

from autograder.kit import LOG_NAME
from autograder.kit.handing_in import SKIPPED

__all__ = ["CHALLENGES_FILE", "KIT_FILE", "LOG_NAME", "SKIPPED", "notebook_path", "source_path"]

KIT_FILE = "homework_kit.py"
CHALLENGES_FILE = "challenges.json"


def source_path(root: Path, stem: str) -> Path:
    """Where a homework's source is, by the homework's file stem."""
    return root / "solutions" / f"{stem}.py"


def notebook_path(root: Path, stem: str) -> Path:
    """Where a homework's student notebook is, by the homework's file stem."""
    return root / "notebooks" / f"{stem}.ipynb"
