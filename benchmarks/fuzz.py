"""Feeds every reader of a submission with inputs of a coverage-guided fuzzer, and counts what goes wrong.

It needs atheris, which is no dependency of the project: ``pip install atheris`` into an environment of its
own that sees this project's packages, then ``python -m benchmarks.fuzz READER SECONDS [FOLDER]``. A finding
is any exception but ``SubmissionError``, or an input that takes more than a second.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 1.0
MAX_BYTES = 20_000
READERS: dict[str, Callable[[bytes], object]] = {}
SEEDS = {
    "notebook": b'{"nbformat": 4, "metadata": {}, "cells": [{"cell_type": "code", "source": "x = 1"}]}',
    "log": b'{"schema": "attention-homeworks/log/1", "homework": "hw3", "entries": {}, "answers": {}}',
    "page": b"<div><b>x</b></div> $x^2$ `a` | a | b |",
    "code": b"%%time\nx = %pwd\ndef f(a):\n    return F.softmax(a)\n",
}


def reader(function: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Registers a reader under its name."""
    READERS[function.__name__] = function
    return function


@reader
def notebook(data: bytes) -> None:
    """A notebook, its written answers, and which homework it is."""
    from autograder.declare import homeworks
    from autograder.submissions.notebook import read_notebook, recognize, written_answers

    found = read_notebook(data)
    written_answers(found, homeworks()["hw3"], data)
    recognize(found, None, homeworks())


@reader
def log(data: bytes) -> None:
    """A log, decoded for a homework."""
    from autograder.declare import homeworks
    from autograder.submissions.log import read_log

    read_log(data, homeworks()["hw3"])


@reader
def page(data: bytes) -> None:
    """HTML and Markdown of a notebook."""
    from autograder.report import safehtml

    text = data.decode(errors="replace")
    safehtml.clean(safehtml.shown_html(text))
    safehtml.markdown(text)


@reader
def code(data: bytes) -> None:
    """Source that is searched for library calls and compared."""
    from autograder.submissions import library_search, similarity

    text = data.decode(errors="replace")
    list(similarity.logical_lines(text))
    with contextlib.suppress(library_search.UnreadError):
        library_search.parse(text)


@reader
def zips(data: bytes) -> None:
    """A zip with submissions."""
    from autograder.submissions.find import find

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "class.zip"
        path.write_bytes(data)
        find([path])


def main() -> None:
    """Fuzzes one reader for so many seconds; prints inputs, findings, and where they are kept."""
    import atheris

    name, seconds = sys.argv[1], float(sys.argv[2])
    folder = Path(sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp(prefix="fuzz-"))
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    (folder / "corpus" / "seed").write_bytes(SEEDS.get(name, b"PK"))
    instrumented = atheris.instrument_imports(include=["autograder", "fastjsonschema", "mistune"])
    with instrumented, contextlib.suppress(ValueError):  # a first call imports what it needs
        READERS[name](SEEDS.get(name, b"PK"))
    from autograder.submissions.errors import SubmissionError

    counts = {"inputs": 0, "findings": 0}
    started = time.monotonic()

    def one(data: bytes) -> None:
        if time.monotonic() - started > seconds:
            kept = len(list((folder / "corpus").iterdir()))  # it grows only where new code was reached
            told = f"{counts['inputs']} inputs, {kept} of them kept, {counts['findings']} findings"
            print(f"{name}: {told} in {folder}", flush=True)
            os._exit(0)
        counts["inputs"] += 1
        begun, trouble = time.process_time(), ""
        try:
            READERS[name](data)
        except SubmissionError:
            pass
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
        spent = time.process_time() - begun
        if not trouble and spent > SECONDS:
            trouble = f"took {spent:.1f} s"
        if trouble:
            counts["findings"] += 1
            (folder / f"finding-{counts['findings']}").write_bytes(data)
            print(f"{name}: {trouble[:200]}", flush=True)

    atheris.Setup([sys.argv[0], f"-max_len={MAX_BYTES}", "-verbosity=0", str(folder / "corpus")], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
