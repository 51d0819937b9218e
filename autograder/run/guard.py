"""Limits on time and memory for what this process itself does with a submission: reading, judging, rendering.

A kernel has limits of its own. Around it, a parser or a pattern may meet something that costs it minutes;
with :func:`limited` that costs one submission. Time is processor time, so a busy machine ends nothing.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

SECONDS = 60.0  # of reading and judging a submission; honest ones take 2
PAGE_SECONDS = 30.0  # of its page; honest ones take 1
MEMORY = 1_500_000_000  # bytes beyond what the process holds already
SPARE_SECONDS = 10.0  # beyond twice the time, before the operating system ends the process
TICK = 0.5  # seconds: how often it is raised again, should something have caught it


class OverLimitError(BaseException):
    """A step exceeded its limit; the message says which, as the end of a sentence.

    No ``Exception``, so that code which expects the worst of a submission does not take it for its own.
    """


@contextlib.contextmanager
def limited(seconds: float, memory: int = MEMORY) -> Iterator[None]:
    """Ends the block when it has used too much processor time or memory.

    Code that holds the interpreter's lock for long is not interrupted; after twice the time and some more the
    operating system ends the whole process, which a batch survives. On Windows, and in threads, there is no
    limit.

    Args:
        seconds: processor time of the block, all threads together.
        memory: bytes that it may take beyond what there is.

    Raises:
        OverLimitError: it used more.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    over = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal over
        over = True
        raise OverLimitError(_too_long(seconds))

    before = signal.signal(signal.SIGPROF, end)
    fatal = signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
    try:
        with _less_memory(memory):
            signal.setitimer(signal.ITIMER_VIRTUAL, 2 * seconds + SPARE_SECONDS)
            signal.setitimer(signal.ITIMER_PROF, seconds, TICK)
            try:
                yield
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
    except MemoryError:
        raise OverLimitError(f"took more than {memory / 1e9:g} GB of memory") from None
    except Exception as error:
        if over:  # it came as the cause of something else
            raise OverLimitError(_too_long(seconds)) from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGPROF, before)
        signal.signal(signal.SIGVTALRM, fatal)


def _too_long(seconds: float) -> str:
    return f"took longer than {seconds:g} s"


@contextlib.contextmanager
def _less_memory(more: int) -> Iterator[None]:
    """Allows the process so much memory beyond what it has, where the system counts that (Linux)."""
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _held() + more
    for limit in (soft, hard):
        wanted = wanted if limit == resource.RLIM_INFINITY else min(wanted, limit)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _held() -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData:"))
