"""Kernels inside a grading container: as a user who can neither read the grader's files nor touch its processes.

A container (Gradescope, ``otter grade``) holds one submission and the grader, which is root there. bubblewrap
rarely works
inside one, so the kernel runs under an unused user id instead: files of mode 700 are closed to it, and when a
kernel
is to end, everything of that user is killed, however it had hidden itself.
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

from autograder.run.choose import Place, kernels
from autograder.run.execute import Kernels, Limits, PlainKernels, Session

IN_CONTAINER = "AUTOGRADER_CONTAINER"  # set by the bundle's run_autograder
USERS = range(
    61184, 65520
)  # ids that no distribution gives to anybody, and that fit into a remapped container
BECOME = """\
import ctypes, json, os, resource, sys
uid, limits = int(sys.argv[1]), json.loads(sys.argv[2])
os.chown(sys.argv[-1], uid, uid)
os.environ.update(USER="student", LOGNAME="student")
for name, value in limits.items():
    what = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(what)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (value, value))
os.umask(0o022)
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
if ctypes.CDLL(None).prctl(38, 1, 0, 0, 0):  # PR_SET_NO_NEW_PRIVS: no way back by a setuid program
    raise OSError("no_new_privs")
os.execv(sys.argv[3], sys.argv[3:])
"""


def choose() -> tuple[Kernels, str]:
    """The safest kernels that this process can have.

    Returns:
        The kernels, and a warning for the instructor if a submission could reach the grader's files.
    """
    if not os.environ.get(IN_CONTAINER):
        return kernels(Place())
    why = _no_other_user()
    return (
        (PlainKernels(), f"{why}, so the submission ran as the grader's own user.")
        if why
        else (UserKernels(), "")
    )


def _no_other_user() -> str:
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
        wanted = {
            "CPU": self.limits.cpu_seconds,
            "DATA": self.limits.memory_bytes,
            "NPROC": self.limits.processes,
            "CORE": 0,
        }
        wanted |= {"NOFILE": self.limits.open_files, "FSIZE": self.limits.written_bytes}
        limits = json.dumps({name: int(value) for name, value in wanted.items()})
        spec.argv = [sys.executable, "-I", "-c", BECOME, str(uid), limits, sys.executable, *spec.argv[1:]]
        return manager

    def ended(self) -> str:
        """Kills everything that the last kernel left behind."""
        end_all(self.folder.stat().st_uid)
        return ""


def end_all(uid: int) -> None:
    """Kills every process of a user, from a child that has become that user, so that nothing else can be hit."""
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
