"""The memory that a container leaves to everything in it, and whether it ended a process for want of it.

Linux limits a container by control groups, of version 2 (``memory.max``) or 1 (``memory.limit_in_bytes``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from autograder.run.limits import Limits

GROUPS, MINE = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
SPARE_BYTES = 500e6  # for the grader itself, torch included
NO_LIMIT = 2**60  # version 1 writes a number beyond all memory where there is no limit


def _folders(groups: Path, mine: Path) -> Iterator[Path]:
    """The folders of this process's groups, innermost first; in a container often the root alone is there."""
    try:
        lines = mine.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        base = groups / "memory" if controllers else groups
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
