"""Processes beside this one, for batches: several for the price of one import.

On Linux they are forked from a server (``multiprocessing``'s forkserver) that has imported the grader once,
with one thread and nothing of a batch in its memory; elsewhere each starts by itself.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import signal
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext
from pathlib import Path

from autograder.run.environment import THREADS

NEW_SECONDS = 60.0
# what a worker or a writer of pages needs
IMPORTED = [
    "autograder.schemas",
    "autograder.declare.ready",
    "autograder.grade.grade",
    "autograder.report.class_report",
    "autograder.report.feedback",
    "torch",
]


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


@functools.cache
def sweep() -> None:
    """Removes folders of sockets that killed processes of the grader left behind; once a process."""
    for folder in Path(tempfile.gettempdir()).glob("pymp-*"):
        with contextlib.suppress(OSError):
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
                continue
            sockets = list(folder.iterdir())
            # a socket comes a moment after its folder
            new = not sockets and time.time() - status.st_mtime < NEW_SECONDS
            if not new and all(map(_is_dead, sockets)):
                for path in sockets:
                    path.unlink()
                folder.rmdir()


def _is_dead(path: Path) -> bool:
    """Whether it is a socket at which nobody listens any more."""
    if not stat.S_ISSOCK(path.lstat().st_mode):
        return False
    # of the wrong type, so that it never connects: a server of processes ends when nothing follows
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    return False


def one_thread() -> None:
    """Gives numerical libraries one thread in this process, loaded or not, and in those that it starts.

    As many workers as cores leave no core for more: threads that wait for each other take several times the
    processor time. A number that somebody has set in the environment stands until torch is there.
    """
    for name in THREADS:
        os.environ.setdefault(name, "1")  # read when the libraries are loaded
    if "torch" in sys.modules and sys.modules["torch"].get_num_threads() > 1:
        sys.modules["torch"].set_num_threads(1)


def context() -> BaseContext:
    """How processes are started here; on Linux a server is running afterwards, importing if it is new."""
    one_thread()
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    sweep()
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload(IMPORTED)
    resource_tracker.ensure_running()  # a new one would end the blocking below
    try:
        with without_interrupts():
            forkserver.ensure_running()
    except OSError:  # its socket lies in the folder for temporary files, whose path may be too long for one
        return multiprocessing.get_context("spawn")
    return made
