"""Data that hw5 needs and no repository holds.

Grading itself has no network. Set-up (``make test``, ``make demo``, a Gradescope image) runs
``python -m autograder.author.fetch`` once; afterwards the trusted process reads the cache. Kernels see the
word vectors, because a student's class may start from them, and never the sentences, only inputs that a seed
draws.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache

from autograder.declare import DATA_FOLDERS, DataUnavailableError
from autograder.homeworks.hw5.public import sentences

sentences.DATA_FOLDERS += DATA_FOLDERS


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    """Raises missing data as the error that every room knows; notebooks have one of their own."""
    try:
        yield
    except sentences.DataUnavailableError as error:
        raise DataUnavailableError(str(error)) from error


@cache
def movie_splits() -> dict[str, sentences.Sentences]:
    """Train, validation and test sentences, read once a process."""
    with _in_words():
        return sentences.load_splits()


@cache
def movie_vectors() -> sentences.Vectors:
    """The word vectors, read once a process."""
    with _in_words():
        return sentences.load_glove()


def fetched() -> dict[str, bytes]:
    """What the notebook would fetch by itself, for a run of the reference in a folder of its own."""
    with _in_words():
        return {sentences.SDIST: sentences.fetch()}


def graded() -> dict[str, bytes]:
    """What grading reads and no wheel holds, by file name, for a container without a network."""
    with _in_words():
        return {sentences.SDIST: sentences.fetch(), sentences.GLOVE: sentences.glove_bytes()}


def vectors_file() -> bytes:
    """The file of word vectors, for a kernel."""
    with _in_words():
        return sentences.glove_bytes()


def verify() -> str:
    """Fetches and verifies everything; says what is there."""
    counts = ", ".join(f"{len(part):,} {name}" for name, part in movie_splits().items())
    words = len(movie_vectors().index)
    return f"Homework 5: movie sentences ({counts}) and {words:,} word vectors are there and verified."
