"""The memory and the cores that a container leaves to everything in it, and whether its memory ran out.

Linux limits a container by control groups, of version 2 (``memory.max``, ``cpu.max``) or 1
(``memory.limit_in_bytes``, ``cpu.cfs_quota_us``).
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterator
from pathlib import Path

from autograder.run.limits import Limits

GROUPS, MINE = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
SPARE_BYTES = 500e6  # for the grader itself, torch included
WORKER_BYTES = 1e9  # for each worker with its kernel (docs/packages.md has the measurements)
NO_LIMIT = 2**60  # version 1 writes a number beyond all memory where there is no limit


def _folders(groups: Path, mine: Path, kind: str = "memory") -> Iterator[Path]:
    """The folders of this process's groups of a kind, innermost first; a container often has one."""
    try:
        lines = mine.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and kind not in controllers.split(","):
            continue
        base = groups / kind if controllers else groups
        inner = base / path.strip("/")
        yield from (inner, *(one for one in inner.parents if one.is_relative_to(base)))


def _first_number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() and int(text) < NO_LIMIT else None


def container_memory(groups: Path = GROUPS, mine: Path = MINE) -> int | None:
    """Bytes of memory that all processes here may have together; None without a limit."""
    names = ("memory.max", "memory.limit_in_bytes")
    found = [_first_number(folder / name) for folder in _folders(groups, mine) for name in names]
    return min((number for number in found if number), default=None)


def container_cores(groups: Path = GROUPS, mine: Path = MINE) -> float:
    """How many cores all processes here may use together, such as 0.5; infinite without a limit."""
    found = [math.inf]
    for folder in _folders(groups, mine, "cpu"):
        try:
            quota, period = (folder / "cpu.max").read_text().split()
        except (OSError, ValueError):
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            quota, period = (str(_first_number(folder / name) or "max") for name in names)
        if quota.isdecimal() and period.isdecimal():
            found.append(int(quota) / int(period))
    return min(found)


def usual_workers(groups: Path = GROUPS, mine: Path = MINE) -> int:
    """How many submissions are graded in parallel if nobody says: one for each core that may be used.

    Fewer where a container has not the memory for that.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    room = (container_memory(groups, mine) or math.inf) / WORKER_BYTES
    return max(1, math.floor(min(allowed, container_cores(groups, mine), room)))


def memory_kills(groups: Path = GROUPS, mine: Path = MINE) -> int:
    """How many processes here were killed because the container's memory was used up."""
    counts = [0]
    for folder in _folders(groups, mine):
        for name in ("memory.events", "memory.oom_control"):
            try:
                words = (folder / name).read_text().split()
            except OSError:
                continue
            pairs = dict(zip(words[::2], words[1::2], strict=False))
            counts.append(int(pairs.get("oom_kill", "0")) if pairs.get("oom_kill", "0").isdecimal() else 0)
    return max(counts)


def within_container(limits: Limits, groups: Path = GROUPS, mine: Path = MINE) -> Limits:
    """The limits with no more memory for a kernel than the container leaves beside the grader."""
    most = container_memory(groups, mine)
    if most is None:
        return limits
    left = max(most - SPARE_BYTES, most / 2)
    return dataclasses.replace(limits, memory_bytes=min(limits.memory_bytes, left))


def killed_words() -> str:
    """What a cell did whose kernel the container killed."""
    most = container_memory()
    size = f" ({most / 1e6:.0f} MB)" if most else ""
    return f"used up the memory of the container{size}"
