"""Starts and ends kernels inside a sandbox, as jupyter_client asks for it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.provisioning.provisioner_base import KernelProvisionerBase

from autograder.run.bubblewrap import Sandbox
from autograder.run.zygote import IPC


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
