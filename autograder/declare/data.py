"""Data that a homework needs and that no repository or wheel holds, such as other people's prose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Files = Callable[[], Mapping[str, bytes]]  # file name → content
PACKAGE = Path(__file__).parents[1]
#: Where data files lie that come with the project: in an installed wheel, in a checkout.
DATA_FOLDERS = (PACKAGE / "data", PACKAGE.parent / "notebooks" / "data")


def _nothing() -> Mapping[str, bytes]:
    return {}


class DataUnavailableError(RuntimeError):
    """Data could not be found, fetched or verified; the message tells the manual step."""


@dataclass(frozen=True)
class Data:
    """Where a homework's data comes from.

    Each function may use the network and a cache; grading itself has no network.

    Args:
        verify: fetches and verifies everything; returns a sentence that says what is there.
        fetched: what the homework's notebook would fetch by itself, for a run of the reference in a folder of
            its own.
        graded: what grading reads, for a container without a network; a bundle's wheel carries it as
            ``autograder/data/NAME``.
        beside: what lies beside the notebook while it is graded, because an answer may rest on it: file name
            → what reads it. It holds nothing of the hidden inputs.

    Each function raises :class:`DataUnavailableError` where something cannot be had.
    """

    verify: Callable[[], str]
    fetched: Files = _nothing
    graded: Files = _nothing
    beside: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)


def packaged(name: str) -> bytes:
    """A data file that comes with the project, such as images or weights.

    Raises:
        DataUnavailableError: it is in none of the folders.
    """
    for folder in DATA_FOLDERS:
        if (path := folder / name).is_file():
            return path.read_bytes()
    told = f"{name} is in none of the folders {', '.join(map(str, DATA_FOLDERS))}"
    raise DataUnavailableError(f"{told}; put the file of the project's notebooks/data there.")
