"""Kernels as another user: for a container, where bubblewrap rarely works and the grader is root.

A container (Gradescope, ``otter grade``) holds one submission and the grader. The kernel runs under an unused
user id, so it can neither read the grader's files, which have mode 700, nor touch its processes; and when a
kernel is to end, everything of that user is killed, however it had hidden itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jupyter_client.manager import AsyncKernelManager

from autograder.run.limits import SET_RLIMITS, Limits, rlimits
from autograder.run.session import Session

# ids that no distribution gives to anybody, and that fit into a remapped container
USERS = range(61184, 65520)
BECOME_USER = f"""\
{SET_RLIMITS}
import ctypes
uid = int(sys.argv[1])
os.chown(sys.argv[-1], uid, uid)
os.environ.update(USER="student", LOGNAME="student")
set_rlimits(json.loads(sys.argv[2]))
os.umask(0o022)
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
if ctypes.CDLL(None).prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS: no way back by a setuid program
    raise OSError("no_new_privs")
os.execv(sys.argv[3], sys.argv[3:])
"""


def no_other_user() -> str:
    """Why kernels cannot run as another user here; empty if they can."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "The grader is not root in its container"
    try:
        probe = [sys.executable, "-I", "-c", "import ipykernel"]
        nobody = {"user": USERS[0], "group": USERS[0], "extra_groups": []}
        subprocess.run(probe, cwd="/", check=True, capture_output=True, **nobody)  # type: ignore[call-overload]  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return f"The interpreter {sys.executable} is closed to other users"
    return ""


class UserKernels:
    """Kernels as child processes of another user. Needs root on Linux."""

    @contextlib.contextmanager
    def session(self, limits: Limits) -> Iterator[Session]:
        """A folder that belongs to a user id used for nothing else."""
        uid = secrets.choice(USERS)
        base = Path(tempfile.mkdtemp(prefix="autograder-"))
        base.chmod(0o711)
        folder = base / "work"
        folder.mkdir()
        os.chown(folder, uid, uid)
        (base / "connection").mkdir(mode=0o711)
        try:
            yield UserSession(folder, str(folder), limits)
        finally:
            end_all(uid)
            shutil.rmtree(base, ignore_errors=True)


class UserSession(Session):
    """One submission's folder; the user id is the folder's owner."""

    def __init__(self, folder: Path, kernel_folder: str, limits: Limits):
        super().__init__(folder, kernel_folder)
        self.limits = limits

    def manager(self) -> AsyncKernelManager:
        """A manager whose kernel becomes the other user before it begins."""
        uid = self.folder.stat().st_uid
        end_all(uid)
        for file in self.folder.iterdir():
            os.chown(file, uid, uid, follow_symlinks=False)
        connection = self.folder.parent / "connection" / f"{secrets.token_hex(8)}.json"
        manager = AsyncKernelManager(kernel_name="python3", connection_file=str(connection))
        spec = manager.kernel_spec
        assert spec is not None
        become = [sys.executable, "-I", "-c", BECOME_USER, str(uid), json.dumps(rlimits(self.limits, "user"))]
        spec.argv = [*become, sys.executable, *spec.argv[1:]]
        return manager

    def ended(self) -> str:
        """Kills everything that the last kernel left behind."""
        end_all(self.folder.stat().st_uid)
        return super().ended()


def end_all(uid: int) -> None:
    """Kills every process of a user, from a child that has become that user, so that nothing else is hit."""
    if uid not in USERS:
        raise ValueError(f"{uid} is not one of the user ids that kernels get")
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
