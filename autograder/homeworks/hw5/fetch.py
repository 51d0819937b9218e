"""Data that grading needs and that no wheel or repository holds: ``python -m autograder.homeworks.hw5.fetch`` fetches it ahead of time.

Grading itself has no network. Set-up (``make test``, ``make demo``, a Gradescope image) runs this once;
afterwards the
trusted process reads the cache. Kernels never see the files, only the inputs that a seed draws.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from autograder import kit
from autograder.homeworks.hw5 import sentences

sentences.DATA_FOLDERS += [
    Path(kit.__file__).parents[1] / "data",
    Path(kit.__file__).parents[2] / "notebooks" / "data",
]  # wheel, checkout


@cache
def movie_splits() -> dict[str, sentences.Sentences]:
    """Train, validation and test sentences of homework 5, read once a process."""
    return sentences.load_splits()


@cache
def movie_vectors() -> sentences.Vectors:
    """The word vectors of homework 5, read once a process."""
    return sentences.load_glove()


def fetched_files(homework: str) -> dict[str, bytes]:
    """What a homework's notebook would fetch by itself, for a run of the reference in a folder of its own."""
    return {sentences.SDIST: sentences.fetch()} if homework == "hw5" else {}


def grading_data(homework: str) -> dict[str, bytes]:
    """What grading a homework reads and no wheel holds, by file name, for a container without a network."""
    return (
        {sentences.SDIST: sentences.fetch(), sentences.GLOVE: sentences.glove_bytes()}
        if homework == "hw5"
        else {}
    )


def main() -> int:
    """Fetches and verifies everything; says what it has, or what to do by hand."""
    try:
        counts = ", ".join(f"{len(part):,} {name}" for name, part in movie_splits().items())
        words = len(movie_vectors().index)
    except sentences.DataUnavailableError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Homework 5: movie sentences ({counts}) and {words:,} word vectors are there and verified.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
