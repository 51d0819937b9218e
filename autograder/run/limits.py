"""What a submission may use: the limits, and the one table of those that the operating system enforces.

Adding a limit takes a field of :class:`Limits` and a row of :data:`RLIMITS`; see ``docs/add-limit.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["plain", "user", "sandbox"]  # kernels as plain processes, as another user, in the sandbox
EVERYWHERE: tuple[Kind, ...] = ("plain", "user", "sandbox")


@dataclass(frozen=True)
class Limits:
    """What one submission may use: the one place where the defaults stand (``--limit NAME=VALUE`` sets each).

    Attributes:
        cell_seconds: wall time of one cell, then it is interrupted.
        grace_seconds: how long an interrupted cell has to stop, then its kernel is killed.
        total_seconds: wall time of the whole submission, restarts included.
        restarts: how many cells may kill the kernel before the rest is given up.
        cpu_seconds: processor time of one kernel, all its processes together.
        memory_bytes: memory and page tables of one kernel, all its processes together.
        processes: processes and threads of one kernel; a kernel itself has about 10.
        open_files: files that one process may have open; in the sandbox also the sockets of all together.
        written_bytes: the largest file that may be written.
        disk_bytes: all files together: work folder, /tmp and /dev/shm.
        output_bytes: what is kept of one cell's output; a cell that prints 50 times as much is stopped.
        file_bytes: what is read of the log.
    """

    cell_seconds: float = 30.0
    grace_seconds: float = 2.0
    total_seconds: float = 240.0
    restarts: int = 6
    cpu_seconds: float = 240.0
    memory_bytes: float = 2e9
    processes: int = 128
    open_files: int = 512
    written_bytes: float = 1e8
    disk_bytes: float = 3e8
    output_bytes: int = 200_000
    file_bytes: int = 16_000_000


# What an instructor may ask for: below, not even an empty notebook runs; above, it is a slip of the pen.
PLAUSIBLE = {
    "cell_seconds": (0.5, 86_400),
    "grace_seconds": (0.1, 600),
    "total_seconds": (1, 604_800),
    "restarts": (0, 1_000),
    "cpu_seconds": (5, 604_800),
    "memory_bytes": (5e8, 1e13),
    "processes": (20, 1_000_000),
    "open_files": (64, 1_000_000),
    "written_bytes": (1e5, 1e13),
    "disk_bytes": (1e6, 1e13),
    "output_bytes": (100, 1e9),
    "file_bytes": (1e4, 1e9),
}


def implausible(name: str, value: float) -> str:
    """Why a value makes no sense for a limit, with the range that does; empty if it does.

    A limit without a row of its own takes any finite number above 0.
    """
    low, high = PLAUSIBLE.get(name, (0, math.inf))
    if math.isfinite(value) and low <= value <= high and (value > 0 or name in PLAUSIBLE):
        return ""
    expected = f"from {low:,.15g} to {high:,.15g}" if name in PLAUSIBLE else "a finite number above 0"
    return f"{name} = {value:g} is not plausible; expected {expected}"


@dataclass(frozen=True)
class Rlimit:
    """One row of the table: a limit that the operating system enforces for each process of a kernel.

    Attributes:
        resource: its name in :mod:`resource`, without ``RLIMIT_``.
        limit: the field of :class:`Limits` that sets it, or a number that holds for all submissions.
        kinds: the kinds of kernels that get it.
        spare: added to the limit, where something else should notice first.
    """

    resource: str
    limit: str | int
    kinds: tuple[Kind, ...] = EVERYWHERE
    spare: int = 0


RLIMITS = (
    Rlimit("CPU", "cpu_seconds", kinds=("plain", "user")),
    # The zygote adds up all processes and says which limit was met, so it should be the first to notice.
    Rlimit("CPU", "cpu_seconds", kinds=("sandbox",), spare=1),
    Rlimit("DATA", "memory_bytes"),
    # Page tables take up to 1/512 of this: 35 MB for each process. Torch maps some gigabytes by itself.
    Rlimit("AS", "memory_bytes", kinds=("user", "sandbox"), spare=16_000_000_000),
    Rlimit("NOFILE", "open_files"),
    Rlimit("FSIZE", "written_bytes"),
    # Linux counts the processes of a user, and the user of plain kernels is the one who grades.
    Rlimit("NPROC", "processes", kinds=("user", "sandbox")),
    Rlimit("CORE", 0),
    Rlimit("MEMLOCK", 0, kinds=("sandbox",)),
    Rlimit("MSGQUEUE", 0, kinds=("sandbox",)),
)

# The first lines of the script with which a process limits itself before it becomes a kernel. The zygote has
# a function of its own, because it can import nothing of this package.
SET_RLIMITS = """\
import json, os, resource, sys
def set_rlimits(wanted):
    for name, value in wanted.items():
        what = getattr(resource, "RLIMIT_" + name)
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))
"""


def rlimits(limits: Limits, kind: Kind) -> dict[str, int]:
    """Reads the table for one submission.

    Returns:
        Name of the resource → its limit, for this kind of kernels.
    """
    rows = [row for row in RLIMITS if kind in row.kinds]
    return {row.resource: int(_value(limits, row) + row.spare) for row in rows}


def _value(limits: Limits, row: Rlimit) -> float:
    return row.limit if isinstance(row.limit, int) else float(getattr(limits, row.limit))
