"""Processes beside this one, for batches: several for the price of one import.

On Linux they are forked from a server (``multiprocessing``'s forkserver) that has imported the grader once,
with one thread and nothing of a batch in its memory; elsewhere each starts by itself.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext

IMPORTED = ["autograder.cli.grade", "torch"]  # what a worker or a writer of pages needs


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Holds Ctrl-C back; a process that is started meanwhile keeps that up."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def context() -> BaseContext:
    """How processes are started here; on Linux a server is running afterwards, importing if it is new."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        # read when the libraries are loaded; as many workers as cores leave no core for more
        os.environ.setdefault(name, "1")
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(IMPORTED)
    resource_tracker.ensure_running()  # a new one would end the blocking below
    try:
        with without_interrupts():
            forkserver.ensure_running()
    except OSError:  # its socket lies in the folder for temporary files, whose path may be too long for one
        return multiprocessing.get_context("spawn")
    return made
