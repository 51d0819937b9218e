"""The galleries: for each homework a module ``hwN`` with ``EXAMPLES``, right and wrong answers as data."""

from importlib import import_module
from pathlib import Path

from autograder.author.gallery import Example

ROOT = Path(__file__).resolve().parents[2]


def examples(homework: str) -> list[Example]:
    """The gallery of one homework."""
    return list(import_module(f"tests.gallery.{homework}").EXAMPLES)
