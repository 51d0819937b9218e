"""What a worker of a batch holds, with its sandbox and the kernel of the moment."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

EARLY = 30.0  # seconds


@contextlib.contextmanager
def memory() -> Iterator[dict[str, float]]:
    """Watches the largest share of memory (PSS) of one worker with its sandbox, in MB.

    Only while all workers live: pages that they share are counted by halves, and the last
    one alone would get the whole.
    """
    found = {"worker": 0.0, "early": 0.0}
    most = 0
    stop = threading.Event()
    started = time.monotonic()

    def watch() -> None:
        nonlocal most
        while not stop.wait(0.5):
            totals = worker_memory()
            most = max(most, len(totals))
            for total in totals if len(totals) == most else ():
                found["worker"] = max(found["worker"], total)
                if time.monotonic() - started < EARLY:
                    found["early"] = max(found["early"], total)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def worker_memory() -> list[float]:
    """The PSS of each worker process that holds a sandbox, with everything below it, in MB."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError, ValueError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                names[int(entry.name)] = (entry / "comm").read_text().strip()
    mine = below({os.getpid()}, parents)
    workers = {
        parents[pid]
        for pid, name in names.items()
        if name == "bwrap" and parents[pid] in mine and names.get(parents[pid]) != "bwrap"
    }
    return [sum(map(held, below({worker}, parents))) for worker in workers]


def below(found: set[int], parents: dict[int, int]) -> set[int]:
    """Processes with all their descendants."""
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found = found | more
    return found


def held(pid: int) -> float:
    """A process's share of memory (PSS) in MB; 0 if it has just ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1e3
    return 0.0
