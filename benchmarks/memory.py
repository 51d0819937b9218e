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
    """The PSS of each worker process of a batch, with its part of the sandboxes, in MB.

    Workers are the children of the server that they are forked from. What their common nursery and its
    zygotes hold is shared out evenly: which zygote serves which worker cannot be seen from here.
    """
    found = parents()
    mine = below({os.getpid()}, found)
    lines = {pid: command(pid) for pid in mine}
    servers = {pid for pid in mine if "multiprocessing.forkserver" in lines[pid]}
    workers = {
        pid for pid in mine if found.get(pid) in servers and "multiprocessing.forkserver" in lines[pid]
    }
    shared = {pid for pid in mine if is_bwrap(lines[pid])}
    of_workers = [below({one}, found) for one in workers]
    common = below(shared, found).difference(*of_workers)
    part = sum(map(held, common)) / max(len(workers), 1)
    return [part + sum(map(held, family)) for family in of_workers]


def parents() -> dict[int, int]:
    """Every process's parent."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError, IndexError, ValueError):
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return found


def command(pid: int) -> str:
    """A process's command line; empty if it has just ended."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return ""


def is_bwrap(line: str) -> bool:
    """Whether a command line starts a sandbox."""
    return Path(line.partition(" ")[0]).name == "bwrap"


def below(found: set[int], parents: dict[int, int]) -> set[int]:
    """Processes with all their descendants."""
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found = found | more
    return found


def held(pid: int) -> float:
    """A process's share of memory (PSS) in MB; 0 if it has just ended."""
    return sizes(pid).get("Pss", 0.0)


def sizes(pid: int) -> dict[str, float]:
    """What the kernel says of a process's memory, in MB by its names; nothing if it has just ended."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]  # below the addresses
        return {name: int(size.split()[0]) / 1e3 for name, _, size in (line.partition(":") for line in lines)}
    return {}
