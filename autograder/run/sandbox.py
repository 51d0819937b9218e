"""Kernels inside bubblewrap: the worker's side of the sandbox. The other side is :mod:`autograder.run.zygote`.

Nothing of the machine is visible in there but the system's libraries, the Python that grades and its
packages, all
read-only; see ``docs/security.md``. The worker reaches a submission's folder through a descriptor of a tmpfs
that
exists inside the sandbox only, so nothing has to be cleaned up on disk.
"""

from __future__ import annotations

import array
import contextlib
import dataclasses
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
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from queue import Empty
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from autograder.run.execute import Limits, Session, kernel_environment
from autograder.run.zygote import IPC, SESSION, WORK

PACKAGE = Path(__file__).resolve().parents[1]
HOME = "/home/student"
MOVED = Path("/moved")  # what lies in /tmp or another folder that the sandbox has of its own
ANSWER_SECONDS = 90.0  # the zygote answers at once, but for a cold kernel on a busy machine
IMPORT_SECONDS = 180.0
MESSAGE_BYTES = 4_000_000  # one message of a kernel; a figure is 0.1 MB
MESSAGES_WAITING = 32
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store", "/etc/ld.so.cache", "/etc/ld.so.conf",
          "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/fonts", "/etc/localtime")  # fmt: skip
CAPABILITIES = (
    "SYS_ADMIN",
    "SETPCAP",
    "SETUID",
    "SETGID",
    "KILL",
    "SYS_PTRACE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "SYS_RESOURCE",
)


class SandboxError(RuntimeError):
    """The sandbox could not be started, or it has died; the message says why."""


def bwrap_arguments(hidden: Iterable[Path] = ()) -> list[str]:
    """Makes bubblewrap's arguments up to the program: what is visible, and what is not.

    Args:
        hidden: files and folders that must not be visible even where they lie inside something visible.

    Raises:
        SandboxError: the interpreter lies where the sandbox puts a folder of its own.
    """
    shown = [Path(path) for path in SYSTEM if os.path.lexists(path)]
    shown += [Path(sys.prefix), Path(sys.base_prefix), *map(Path, site_folders())]
    base = Path(sys.base_prefix)
    if sys.prefix != sys.base_prefix and inside(base) != base:  # a virtual environment names it
        raise SandboxError(
            f"the Python in {base} cannot be used in the sandbox, which has a /{base.parts[1]} of its own"
        )
    checkout = [PACKAGE.parent] if (PACKAGE.parent / "solutions").is_dir() else []
    masked = [path.resolve() for path in (PACKAGE, *checkout, *hidden)]
    mounts: dict[Path, list[str]] = {}
    for path in shown:
        if path.is_symlink() and path.parent == Path("/"):
            mounts[path] = ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            for one in (path.absolute(), path.resolve()):
                mounts.setdefault(inside(one), ["--ro-bind", str(one), str(inside(one))])
    for path in masked:
        there = inside(path)
        if path.exists() and any(there.is_relative_to(other) for other in mounts):
            mounts[there] = (
                ["--tmpfs", str(there), "--remount-ro", str(there)]
                if path.is_dir()
                else ["--ro-bind", "/dev/null", str(there)]
            )
    arguments = [
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--as-pid-1",
        "--new-session",
    ]
    if os.getuid() != 0:
        arguments += ["--unshare-user"]
    for capability in CAPABILITIES:
        arguments += ["--cap-add", f"CAP_{capability}"]
    parents = {parent for path in [*mounts, Path(HOME)] for parent in path.parents} - {Path("/"), *mounts}
    mounts |= {parent: ["--perms", "0755", "--dir", str(parent)] for parent in parents}
    for path in sorted(mounts, key=lambda path: (len(path.parts), str(path))):
        arguments += mounts[path]
    for folder in (SESSION, WORK, IPC):
        arguments += ["--perms", "0755", "--dir", folder]
    for folder in (HOME, "/tmp"):  # noqa: S108  # the zygote's own; a kernel has others in their place
        arguments += ["--tmpfs", folder]
    arguments += ["--ro-bind", str(PACKAGE / "run" / "zygote.py"), "/zygote.py"]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--dir", "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108
    arguments += ["--remount-ro", "/", "--clearenv"]
    for name, value in environment().items():
        arguments += ["--setenv", name, value]
    return [*arguments, "--chdir", "/"]


def site_folders() -> list[str]:
    """Folders of installed packages, outside the interpreter's own too; never a checkout."""
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    paths = [
        path
        for path in [*sys.path, *user]
        if Path(path).name in ("site-packages", "dist-packages") and Path(path).is_dir()
    ]
    return list(dict.fromkeys(paths))


def inside(path: Path) -> Path:
    """Where a file is inside the sandbox: where it is outside, unless the sandbox has a folder of its own there."""
    taken = ("/tmp", "/dev", "/proc", HOME, SESSION, WORK, IPC)  # noqa: S108
    return MOVED / path.relative_to("/") if any(path.is_relative_to(folder) for folder in taken) else path


def environment() -> dict[str, str]:
    """The environment inside the sandbox."""
    made = kernel_environment(HOME) | {"USER": "student", "LOGNAME": "student"}
    if "VIRTUAL_ENV" in made:
        made["VIRTUAL_ENV"] = str(inside(Path(made["VIRTUAL_ENV"])))
    return made


class Sandbox:
    """One bubblewrap with a zygote in it, for one worker.

    Args:
        warm: import the heavy libraries once and fork; else start a new interpreter for each kernel.
        hidden: files and folders that must not be visible.

    Raises:
        SandboxError: it does not start.
    """

    def __init__(self, *, warm: bool = True, hidden: Iterable[Path] = ()):
        program = shutil.which("bwrap")
        if sys.platform != "linux" or program is None:
            raise SandboxError("bubblewrap (bwrap) is not installed")
        visible = bwrap_arguments(hidden)
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        uid = (
            secrets.randbelow(1 << 20) + (1 << 30) if os.getuid() == 0 else 0
        )  # nobody's, so that its processes can be counted
        python = str(inside(Path(sys.executable)))
        command = [
            program,
            *visible,
            python,
            "-s",
            "-W",
            "ignore",
            "/zygote.py",
            "serve",
            str(theirs.fileno()),
            str(uid),
        ]
        command += ["warm" if warm else "cold", *(str(inside(Path(folder))) for folder in site_folders())]
        with theirs:
            self.process = subprocess.Popen(  # noqa: S603  # the command is ours
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                cwd="/",
            )
        assert self.process.stderr is not None
        with self.process.stderr as stderr:
            try:
                self._receive(IMPORT_SECONDS)
            except SandboxError:
                self.close()
                said = stderr.read(4000).decode(errors="replace").strip()
                raise SandboxError(
                    f"bubblewrap does not work here: {said[-300:] or 'it gave no reason'}"
                ) from None

    @property
    def alive(self) -> bool:
        """Whether requests make sense."""
        return self.socket.fileno() >= 0 and self.process.poll() is None

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
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        if self.process.poll() is None:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
            with contextlib.suppress(OSError, ValueError):
                for child in children.read_text().split():
                    os.kill(
                        int(child), signal.SIGKILL
                    )  # the PID namespace's first process: all others of it die, too
            self.process.kill()
            self.process.wait()


class Provisioner(KernelProvisionerBase):
    """Starts and ends one kernel inside a sandbox."""

    sandbox: Sandbox | None = None
    pidfd: int | None = None

    @property
    def has_process(self) -> bool:
        """Whether a kernel was started and not yet cleaned up."""
        return self.pidfd is not None

    async def poll(self) -> int | None:
        """None while the kernel runs."""
        return None if self.pidfd is not None and not select.select([self.pidfd], [], [], 0)[0] else 1

    async def wait(self) -> int | None:
        """Forgets the kernel, which ``kill`` has ended."""
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None
        return 0

    async def send_signal(self, signum: int) -> None:
        """Interrupts; other signals are not needed."""
        if self.sandbox is not None and signum == signal.SIGINT:
            self.sandbox.ask("interrupt")

    async def kill(self, restart: bool = False) -> None:
        """Ends the kernel and everything that it started."""
        if self.sandbox is not None and self.sandbox.alive:
            self.sandbox.ask("kill")

    async def terminate(self, restart: bool = False) -> None:
        """As ``kill``: a submission has nothing to tidy up."""
        await self.kill()

    async def cleanup(self, restart: bool = False) -> None:
        """Does nothing: the folders are the session's."""

    async def pre_launch(self, **options: Any) -> dict[str, Any]:
        """Nothing to prepare: the zygote has its environment already."""
        return {"cmd": ["zygote"]}

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """Starts the kernel; it answers when its sockets are bound."""
        manager = self.parent
        assert self.sandbox is not None
        assert manager is not None
        info = manager.get_connection_info()
        outside = {**info, "key": info["key"].decode(), "ip": f"{IPC}/k"}
        _, files = self.sandbox.ask("start", connection=outside)
        self.pidfd = files[0]
        self.connection_info = info
        return info

    async def get_provisioner_info(self) -> dict[str, Any]:
        """Nothing that could outlive this process."""
        return {}


class Client(AsyncKernelClient):
    """A client that takes a kernel for ready when it has answered, without the customary waiting."""

    async def wait_for_ready(self, timeout: float | None = None) -> None:
        """Asks until there is an answer and news on the other channel, too; both at once as a rule."""
        for _ in range(int(timeout or 60)):
            self.kernel_info()
            with contextlib.suppress(Empty):
                reply = await self.shell_channel.get_msg(timeout=1)
                await self.iopub_channel.get_msg(timeout=0.2)
                self._handle_kernel_info_reply(reply)
                return
            if not await self.is_alive():
                raise RuntimeError("the kernel died before it answered")
        raise RuntimeError("the kernel did not answer")


class SandboxSession(Session):
    """A submission's folder and kernels in a sandbox; a sandbox that died is replaced on the next run."""

    def __init__(self, kernels: SandboxKernels, limits: Limits):
        super().__init__(Path("/nonexistent"), WORK)
        self.kernels, self.limits = kernels, limits
        self.sandbox = kernels.take()
        self.descriptor: int | None = None

    def prepare(self, files: Mapping[str, bytes], compiled: Mapping[str, bytes]) -> None:
        """Makes new folders and puts the files there."""
        self.close_folder()
        if not self.sandbox.alive:
            self.sandbox.close()
            self.sandbox = self.kernels.take()
        _, (self.descriptor,) = self.sandbox.ask("open", limits=dataclasses.asdict(self.limits))
        self.folder = Path(f"/proc/self/fd/{self.descriptor}/work")
        super().prepare(files, compiled)

    def manager(self) -> AsyncKernelManager:
        """A manager for one new kernel."""
        context = zmq.asyncio.Context()
        context.setsockopt(
            zmq.RECONNECT_IVL, -1
        )  # a submission must not make the worker connect to something else
        context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
        context.setsockopt(zmq.RCVHWM, MESSAGES_WAITING)
        manager = AsyncKernelManager(
            transport="ipc", ip=f"/proc/self/fd/{self.descriptor}/ipc/k", context=context
        )
        manager.client_factory = Client
        manager.shell_port, manager.iopub_port, manager.stdin_port, manager.hb_port, manager.control_port = (
            1,
            2,
            3,
            4,
            5,
        )
        manager.provisioner = Provisioner(
            kernel_id="sandbox", kernel_spec=KernelSpec(argv=["zygote"]), parent=manager
        )
        manager.provisioner.sandbox = self.sandbox
        return manager

    def ended(self) -> str:
        """Why the sandbox ended the kernel: a limit, or its own death; empty if it did not."""
        try:
            return str(self.sandbox.ask("kill")[0]["ended"])
        except SandboxError:
            return "made the sandbox fail"

    def close_folder(self) -> None:
        """Removes the folders and everything that runs in them."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None
        with contextlib.suppress(SandboxError):
            if self.sandbox.alive:
                self.cpu_seconds += self.sandbox.ask("close")[0]["cpu"]


class SandboxKernels:
    """Kernels in sandboxes, one sandbox for each thread that grades.

    Args:
        warm: fork kernels from a process that has imported the heavy libraries.
        hidden: files and folders that submissions must not see.
    """

    def __init__(self, *, warm: bool = True, hidden: Iterable[Path] = ()):
        self.warm, self.hidden = warm, tuple(hidden)
        self.idle: list[Sandbox] = []
        self.lock = threading.Lock()

    def take(self) -> Sandbox:
        """A sandbox that nobody uses."""
        with self.lock:
            while self.idle:
                if (sandbox := self.idle.pop()).alive:
                    return sandbox
                sandbox.close()
        return Sandbox(warm=self.warm, hidden=self.hidden)

    @contextlib.contextmanager
    def session(self, limits: Limits) -> Iterator[Session]:
        """One submission's folder and kernels."""
        session = SandboxSession(self, limits)
        try:
            yield session
        finally:
            session.close_folder()
            if session.sandbox.alive:
                with self.lock:
                    self.idle.append(session.sandbox)
            else:
                session.sandbox.close()

    def close(self) -> None:
        """Ends all idle sandboxes."""
        with self.lock:
            while self.idle:
                self.idle.pop().close()
