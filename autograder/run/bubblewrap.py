"""One bubblewrap with a zygote in it, and what is visible in there: the worker's side of the sandbox.

Nothing of the machine is visible but the system's libraries, the Python that grades and its packages, all
read-only; see ``docs/security.md``. The other side is :mod:`autograder.run.zygote`.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import site
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from autograder.run.environment import kernel_environment
from autograder.run.zygote import IPC, SESSION, WORK

PACKAGE = Path(__file__).resolve().parents[1]
# of this folder, the only files of the package in the sandbox
SCRIPTS = ("zygote.py", "kernel_process.py", "nursery.py")
HOME = "/home/student"
MOVED = Path("/moved")  # what lies in /tmp or another folder that the sandbox has of its own
ANSWER_SECONDS = 90.0  # the zygote answers at once, but for a cold kernel on a busy machine
IMPORT_SECONDS = 180.0
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/fonts",
    "/etc/localtime",
)  # fmt: skip
NAMESPACES = ("ipc", "pid", "net", "uts", "cgroup-try")
CAPABILITIES = (
    "SYS_ADMIN", "SETPCAP", "SETUID", "SETGID", "KILL", "SYS_PTRACE", "CHOWN", "DAC_OVERRIDE", "FOWNER",
    "SYS_RESOURCE", "NET_ADMIN",
)  # fmt: skip

# What a zygote imports before it forks kernels: what nearly every notebook imports, and what a kernel needs
# for these cells. What comes later sets IPython up when it is imported, so the kernel imports it.
WARM = {
    "modules": ["numpy", "torch", "torch.nn.functional", "matplotlib.pyplot", "ipykernel.kernelapp"],
    "cells": [
        "import html, json, re, traceback, dataclasses, typing, math, matplotlib.pyplot as plt",
        "figure, axes = plt.subplots(layout='constrained'); image = axes.imshow([[0, 1]]);"
        " figure.colorbar(image, ax=axes); plt.show()",
        "1 / 0",
        "def f(x):\n    return x\nf(1)",
    ],
    "later": ["matplotlib_inline.backend_inline"],
}


class SandboxError(RuntimeError):
    """The sandbox could not be started, or it has died; the message says why."""


def bwrap_arguments(hidden: Iterable[Path] = (), packages: Iterable[Path] = ()) -> list[str]:
    """Makes bubblewrap's arguments up to the program: what is visible, and what is not.

    Args:
        hidden: files and folders that must not be visible even where they lie inside something visible.
        packages: folders of further packages that are.

    Raises:
        SandboxError: the interpreter lies where the sandbox puts a folder of its own.
    """
    arguments = [f"--unshare-{namespace}" for namespace in NAMESPACES]
    arguments += ["--as-pid-1", "--new-session"]
    if os.getuid() != 0:
        arguments += ["--unshare-user"]
    for capability in CAPABILITIES:
        arguments += ["--cap-add", f"CAP_{capability}"]
    mounts = _mounts(hidden, packages)
    for path in sorted(mounts, key=lambda path: (len(path.parts), str(path))):
        arguments += mounts[path]
    for folder in (SESSION, WORK, IPC):
        arguments += ["--perms", "0755", "--dir", folder]
    for folder in (HOME, "/tmp"):  # noqa: S108  # the zygote's own; a kernel has others in their place
        arguments += ["--tmpfs", folder]
    for script in SCRIPTS:
        arguments += ["--ro-bind", str(PACKAGE / "run" / script), f"/{script}"]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--dir", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108
    arguments += ["--remount-ro", "/", "--clearenv"]
    for name, value in environment().items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--chdir", "/"]


def _mounts(hidden: Iterable[Path], packages: Iterable[Path]) -> dict[Path, list[str]]:
    """What is mounted: path inside → bubblewrap's arguments for it."""
    shown = [Path(path) for path in SYSTEM if os.path.lexists(path)]
    base = real_folder(Path(sys.base_prefix))
    shown += [real_folder(Path(sys.prefix)), base, *map(Path, site_folders()), *packages]
    if sys.prefix != sys.base_prefix and inside(base) != base:  # a virtual environment names it
        raise SandboxError(
            f"the Python in {base} cannot be used in the sandbox, which has a /{base.parts[1]} of its own"
        )
    mounts: dict[Path, list[str]] = {}
    for path in shown:
        if path.is_symlink() and path.parent == Path("/"):
            mounts[path] = ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            for one in (path.absolute(), path.resolve()):
                mounts.setdefault(inside(one), ["--ro-bind", str(one), str(inside(one))])
    for link in _links(interpreter()):
        if not any(inside(link).is_relative_to(other) for other in mounts):
            mounts[inside(link)] = ["--symlink", os.readlink(link), str(inside(link))]
    checkout = [PACKAGE.parent] if (PACKAGE.parent / "solutions").is_dir() else []
    for path in (path.resolve() for path in (PACKAGE, *checkout, *hidden)):
        there = inside(path)
        if path.exists() and any(there.is_relative_to(other) for other in mounts):
            empty_folder = ["--tmpfs", str(there), "--remount-ro", str(there)]
            empty_file = ["--ro-bind", "/dev/null", str(there)]
            mounts[there] = empty_folder if path.is_dir() else empty_file
    parents = {parent for path in [*mounts, Path(HOME)] for parent in path.parents} - {Path("/"), *mounts}
    return mounts | {parent: ["--perms", "0755", "--dir", str(parent)] for parent in parents}


def real_folder(path: Path) -> Path:
    """A path without ``..`` and without links among its parents; the last part may be one."""
    path = Path(os.path.normpath(path)) if path.name == ".." else path
    return path.parent.resolve() / path.name


def interpreter() -> Path:
    """The interpreter that runs here, by a path that the sandbox has and by which it finds its packages.

    In a virtual environment that is the environment's own link, elsewhere the file itself: what a relative
    path or a link in somebody's folder led to.
    """
    if sys.prefix == sys.base_prefix:
        return Path(sys.executable).resolve()
    return real_folder(Path(sys.prefix)) / "bin" / Path(sys.executable).name


def launched() -> Path:
    """The interpreter inside the sandbox.

    Where a link that leads to it names a place that the sandbox has of its own (pyenv below ``/tmp``), that
    is the file itself, and the packages are found by ``PYTHONPATH``.
    """
    path = interpreter()
    targets = [Path(os.readlink(link)) for link in _links(path)]
    broken = any(target.is_absolute() and inside(target) != target for target in targets)
    return path.resolve() if broken else inside(path)


def _links(path: Path) -> Iterator[Path]:
    """The links that lead from an interpreter to its file, one after the other."""
    for _ in range(40):  # as many as Linux follows
        path = real_folder(path)
        if not path.is_symlink():
            return
        yield path
        path = path.parent / os.readlink(path)


def site_folders() -> list[str]:
    """Folders of installed packages, outside the interpreter's own too; never a checkout."""
    paths = [*sys.path, *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    found = [path for path in paths if Path(path).name in ("site-packages", "dist-packages")]
    return list(dict.fromkeys(str(real_folder(Path(path))) for path in found if Path(path).is_dir()))


def inside(path: Path) -> Path:
    """Where a file is inside the sandbox: as outside, unless the sandbox has a folder of its own there."""
    taken = ("/tmp", "/dev", "/proc", HOME, SESSION, WORK, IPC)  # noqa: S108
    return MOVED / path.relative_to("/") if any(path.is_relative_to(folder) for folder in taken) else path


def environment() -> dict[str, str]:
    """The environment inside the sandbox."""
    made = kernel_environment(HOME) | {"USER": "student", "LOGNAME": "student"}
    if "VIRTUAL_ENV" in made:
        made["VIRTUAL_ENV"] = str(inside(real_folder(Path(made["VIRTUAL_ENV"]))))
    if launched() != inside(interpreter()):
        made["PYTHONPATH"] = os.pathsep.join(str(inside(Path(folder))) for folder in site_folders())
    return made


def launch(
    *, warm: bool, hidden: Iterable[Path], packages: Iterable[Path], shared: bool = False
) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Starts a bubblewrap with a zygote in it, or with a nursery of them, and does not wait for it.

    Raises:
        SandboxError: there is no bubblewrap.
    """
    program = shutil.which("bwrap")
    if sys.platform != "linux" or program is None:
        raise SandboxError("bubblewrap (bwrap) is not installed")
    visible = bwrap_arguments(hidden, packages)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    python = [str(launched()), "-s", "-W", "ignore"]
    paths = [str(inside(Path(folder))) for folder in site_folders()]
    settings = {"uid": nobody(), "paths": paths, "warm": WARM if warm else None, "shared": shared}
    serve = ["/zygote.py", str(theirs.fileno()), json.dumps(settings)]
    with theirs:
        process = subprocess.Popen(  # noqa: S603  # the command is ours
            [program, *visible, *python, *serve],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if shared else subprocess.PIPE,
            cwd="/",
            start_new_session=shared,  # else Ctrl-C would end it before its workers
        )
    return ours, process


def nobody() -> int:
    """A user's number that nobody has, so that processes can be counted; 0 where this is not root."""
    return secrets.randbelow(1 << 20) + (1 << 30) if os.getuid() == 0 else 0


class Nursery:
    """One bubblewrap for all workers of a batch, which imports libraries once and forks a zygote for each.

    It starts at once and imports while others do; :class:`Sandbox` takes its ``socket``, in any process.

    Args:
        hidden: files and folders that must not be visible.
        packages: folders of further packages.

    Raises:
        SandboxError: there is no bubblewrap. Whether it works, who asks for a zygote will see.
    """

    def __init__(self, *, hidden: Iterable[Path] = (), packages: Iterable[Path] = ()):
        self.socket, self.process = launch(warm=True, hidden=hidden, packages=packages, shared=True)

    def close(self) -> None:
        """Ends it and every zygote."""
        self.socket.close()
        end(self.process, patience=0)


class Sandbox:
    """One bubblewrap with a zygote in it, for one worker, or a zygote out of a nursery.

    Args:
        warm: import the heavy libraries once and fork; else start a new interpreter for each kernel.
        hidden: files and folders that must not be visible.
        packages: folders of further packages.
        nursery: the socket of a :class:`Nursery` with the same settings; None starts a bubblewrap.

    Raises:
        SandboxError: it does not start.
    """

    def __init__(
        self,
        *,
        warm: bool = True,
        hidden: Iterable[Path] = (),
        packages: Iterable[Path] = (),
        nursery: socket.socket | None = None,
    ):
        self.process: subprocess.Popen[bytes] | None = None
        if nursery is not None:
            self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs, contextlib.suppress(OSError):  # one that is gone: then nobody answers
                socket.send_fds(nursery, [json.dumps({"uid": nobody()}).encode()], [theirs.fileno()])
            try:
                self._receive(IMPORT_SECONDS)
            except json.JSONDecodeError as error:  # words instead of JSON: what went wrong
                self.close()
                raise SandboxError(f"the nursery gave no zygote: {error.doc}") from None
            return
        self.socket, self.process = launch(warm=warm, hidden=hidden, packages=packages)
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            try:
                self._receive(IMPORT_SECONDS)
            except SandboxError:
                self.close()
                reason = stderr.read(4000).decode(errors="replace").strip()[-300:] or "it gave no reason"
                raise SandboxError(f"bubblewrap does not work here: {reason}") from None

    @property
    def alive(self) -> bool:
        """Whether requests make sense."""
        if self.socket.fileno() < 0:
            return False
        if self.process is not None:
            return self.process.poll() is None
        poll = select.poll()
        poll.register(self.socket, select.POLLHUP)
        return not poll.poll(0)

    def ask(self, do: str, **request: Any) -> tuple[dict[str, Any], list[int]]:
        """Sends a request and waits for its answer.

        Returns:
            The answer, and descriptors that came with it; they are the caller's to close.

        Raises:
            SandboxError: the zygote is gone or does not answer; the sandbox is closed then.
        """
        try:
            self.socket.send(json.dumps({"do": do, **request}).encode())
            answer, files = self._receive(ANSWER_SECONDS)
        except OSError as error:
            self.close()
            raise SandboxError(f"the sandbox has died: {error}") from None
        if "error" in answer:
            raise SandboxError(str(answer["error"]))
        return answer, files

    def _receive(self, seconds: float) -> tuple[dict[str, Any], list[int]]:
        readable, _, _ = select.select([self.socket], [], [], seconds)
        packet, ancillary, _, _ = (
            self.socket.recvmsg(1 << 20, socket.CMSG_SPACE(4 * 8)) if readable else (b"", [], 0, None)
        )
        if not packet:
            self.close()
            raise SandboxError("the sandbox has died" if readable else "the sandbox does not answer")
        files = array.array("i")
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                files.frombytes(data[: len(data) - len(data) % files.itemsize])
        return json.loads(packet), list(files)

    def close(self) -> None:
        """Ends the zygote and everything in the sandbox."""
        self.socket.close()
        if self.process is not None:
            end(self.process)


def end(process: subprocess.Popen[bytes], patience: float = 2.0) -> None:
    """Waits some seconds for a bubblewrap whose socket is closed, and kills it if it does not end."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    if process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        with contextlib.suppress(OSError, ValueError):
            for child in children.read_text().split():
                # the first process of the PID namespace: all others of it die, too
                os.kill(int(child), signal.SIGKILL)
        process.kill()
        process.wait()
