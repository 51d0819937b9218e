"""Kernels inside bubblewrap, one sandbox for each worker.

The worker reaches a submission's folder through a descriptor of a tmpfs that exists inside the sandbox only,
so nothing has to be cleaned up on disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import json_unpacker

from autograder.run.bubblewrap import Sandbox, SandboxError, inside
from autograder.run.limits import Limits, rlimits
from autograder.run.provisioner import Client, Provisioner
from autograder.run.seccomp import filter_bytes
from autograder.run.session import Session
from autograder.run.zygote import WORK

MESSAGE_BYTES = 4_000_000  # one message of a kernel; a figure is 0.1 MB
MESSAGES_WAITING = 32


def without_date(packed: bytes) -> Any:
    """A part of a message without its date, which nobody here reads; finding out which date takes long."""
    part = json_unpacker(packed)
    if isinstance(part, dict):
        part.pop("date", None)
    return part


class SandboxSession(Session):
    """A submission's folder and kernels in a sandbox; a sandbox that died is replaced on the next run."""

    def __init__(self, kernels: SandboxKernels, limits: Limits):
        super().__init__(Path("/nonexistent"), WORK)
        self.kernels, self.limits = kernels, limits
        self.sandbox = kernels.take()
        self.packages = tuple(str(inside(path.resolve())) for path in kernels.packages)
        self.descriptor: int | None = None

    def prepare(self, files: Mapping[str, bytes], compiled: Mapping[str, bytes]) -> None:
        """Makes new folders and puts the files there."""
        self.close_folder()
        if not self.sandbox.alive:
            self.sandbox.close()
            self.sandbox = self.kernels.take()
        _, (self.descriptor,) = self.sandbox.ask(
            "open",
            limits=dataclasses.asdict(self.limits),
            rlimits=rlimits(self.limits, "sandbox"),
            seccomp=filter_bytes().hex(),
            imports=self.imports,
        )
        self.folder = Path(f"/proc/self/fd/{self.descriptor}/work")
        super().prepare(files, compiled)

    def manager(self) -> AsyncKernelManager:
        """A manager for one new kernel."""
        context = zmq.asyncio.Context()
        # a submission must not make the worker connect to something else
        context.setsockopt(zmq.RECONNECT_IVL, -1)
        context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
        context.setsockopt(zmq.RCVHWM, MESSAGES_WAITING)
        address = f"/proc/self/fd/{self.descriptor}/ipc/k"
        manager = AsyncKernelManager(transport="ipc", ip=address, context=context)
        manager.client_factory = Client
        manager.session.unpack = without_date
        manager.shell_port, manager.iopub_port, manager.stdin_port = 1, 2, 3
        manager.hb_port, manager.control_port = 4, 5
        spec = KernelSpec(argv=["zygote"])
        manager.provisioner = Provisioner(kernel_id="sandbox", kernel_spec=spec, parent=manager)
        manager.provisioner.sandbox = self.sandbox
        return manager

    def ended(self) -> str:
        """Why the sandbox ended the kernel: a limit, or its own death; empty if it did not."""
        try:
            return str(self.sandbox.ask("kill")[0]["ended"]) or super().ended()
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
        packages: folders of packages that they may import beside those that are installed.
        nursery: the socket of a nursery that gives zygotes with these settings, as long as it lives.
    """

    def __init__(
        self,
        *,
        warm: bool = True,
        hidden: Iterable[Path] = (),
        packages: Iterable[Path] = (),
        nursery: socket.socket | None = None,
    ):
        self.nursery = nursery
        self.warm, self.hidden, self.packages = warm, tuple(hidden), tuple(packages)
        self.idle: list[Sandbox] = []
        self.lock = threading.Lock()

    def take(self) -> Sandbox:
        """A sandbox that nobody uses."""
        with self.lock:
            while self.idle:
                if (sandbox := self.idle.pop()).alive:
                    return sandbox
                sandbox.close()
        if self.nursery is not None:
            try:
                return Sandbox(nursery=self.nursery)
            except SandboxError:
                self.nursery = None  # it is gone, or no namespaces within namespaces here
        return Sandbox(warm=self.warm, hidden=self.hidden, packages=self.packages)

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
