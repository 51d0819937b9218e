"""Kernels as ordinary processes of this machine: no sandbox, but the limits that the platform has."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager

from autograder.run.limits import SET_RLIMITS, Limits, rlimits
from autograder.run.session import Session

# A platform may refuse a limit that it knows; the others are set all the same.
LIMIT_MYSELF = f"""\
{SET_RLIMITS}
for name, value in json.loads(sys.argv[1]).items():
    try:
        set_rlimits({{name: value}})
    except (ValueError, OSError):
        pass
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""

LONGEST_ADDRESS = 90  # bytes of a socket's path that every Unix takes, a number at its end included


class PlainKernels:
    """Kernels as ordinary child processes: no sandbox, but the limits that the platform has.

    Args:
        packages: folders of packages that submissions may import beside those that are installed.
    """

    def __init__(self, packages: Iterable[Path] = ()):
        self.packages = tuple(packages)

    @contextlib.contextmanager
    def session(self, limits: Limits) -> Iterator[Session]:
        """A folder below the system's temporary folder."""
        folder, sockets = (Path(tempfile.mkdtemp(prefix=f"autograder-{use}")) for use in ("", "sockets-"))
        try:
            session = PlainSession(folder, str(folder), limits, sockets)
            session.packages = tuple(str(path.resolve()) for path in self.packages)
            yield session
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.rmtree(sockets, ignore_errors=True)


class PlainSession(Session):
    """A folder on disk and kernels that are ordinary processes with limits, each leading a process group."""

    def __init__(self, folder: Path, kernel_folder: str, limits: Limits, sockets: Path):
        super().__init__(folder, kernel_folder)
        self.limits, self.sockets = limits, sockets
        self.started: AsyncKernelManager | None = None

    def manager(self) -> AsyncKernelManager:
        """A manager whose kernel limits itself before it begins.

        Where it can be had, the two talk through files: a TCP port that was free when it was chosen
        may be taken when the kernel binds it, and a kernel without its output channel never answers.
        """
        self.started = AsyncKernelManager(kernel_name="python3")
        address = str(self.sockets / "k")
        if sys.platform != "win32" and len(address) <= LONGEST_ADDRESS:
            self.started.transport, self.started.ip = "ipc", address
        if sys.platform != "win32":  # which has no limits of this kind
            spec = self.started.kernel_spec
            assert spec is not None
            wanted = json.dumps(rlimits(self.limits, "plain"))
            spec.argv = [spec.argv[0], "-c", LIMIT_MYSELF, wanted, *spec.argv[1:]]
        return self.started

    def ended(self) -> str:
        """Kills the kernel's process group: what it started and what did not leave the group."""
        provisioner = self.started.provisioner if self.started is not None else None
        group = getattr(provisioner, "pgid", None)
        if group and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        return super().ended()
