"""Runs inside the sandbox, too: forks a zygote for each worker of a batch, all from the same imports.

A script of its own beside :mod:`autograder.run.zygote`. Each zygote gets new PID, mount, IPC, host-name and
network namespaces, as if it had a sandbox of its own, and a user of its own: another number where the sandbox
was started by root, a user namespace elsewhere, since Linux counts processes by user. So no worker's kernels
see, reach or use up anything of another's.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
from types import ModuleType

NEWUSER = 0x10000000
NAMESPACES = 0x20000 | 0x4000000 | 0x8000000 | 0x20000000 | 0x40000000  # mount, host name, IPC, PID, network
SET_FLAGS, UP_AND_RUNNING = 0x8914, 1 | 64


def mount_proc(zygote: ModuleType) -> None:
    """Mounts the ``/proc`` of this process's PID namespace."""
    zygote.mount("proc", "/proc", "proc", zygote.NOSUID | zygote.NODEV | zygote.NOEXEC)


class Nursery:
    """Answers requests for zygotes until the last worker is gone.

    Args:
        control: the socket that the main process and all workers hold the other end of.
        zygote: the module :mod:`autograder.run.zygote`, which nothing can be imported from in the sandbox.
        kernel: the module that turns a process into a kernel.
    """

    def __init__(self, control: socket.socket, zygote: ModuleType, kernel: ModuleType):
        self.control, self.zygote, self.kernel = control, zygote, kernel

    def serve(self) -> None:
        """A request is a worker's socket with the number of the user that its kernels run as."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those between, and zygotes whose worker is gone
        while True:
            packet, ancillary, _, _ = self.control.recvmsg(1 << 16, socket.CMSG_SPACE(4))
            if not packet:
                return
            for _, _, data in ancillary:
                (file,) = array.array("i", data)
                with socket.socket(fileno=file) as theirs:
                    self.fork_zygote(theirs, json.loads(packet)["uid"])

    def fork_zygote(self, theirs: socket.socket, uid: int) -> None:
        """Forks a zygote: processes between enter the namespaces, and the first one in them serves."""
        if os.fork() == 0:
            with self.zygote.last_act(theirs.fileno(), 0):
                self.control.close()
                if not uid:
                    self.become_another()
                self.zygote.unshare(NAMESPACES)
                zygote = os.fork()
                if zygote == 0:
                    with self.zygote.last_act(theirs.fileno(), 1):
                        self.become_zygote(theirs, uid)
                theirs.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                if not uid:
                    os.waitpid(zygote, 0)  # whose end would be the end of all in its PID namespace

    def become_another(self) -> None:
        """Goes on in a user namespace of its own, and in a child.

        In a user namespace a ``/proc`` may be mounted only where one is in sight on which nothing is mounted.
        For one of those, a PID namespace is needed that belongs to the user namespace before it.
        """
        zygote, mine = self.zygote, {"uid_map": os.getuid(), "gid_map": os.getgid()}
        zygote.unshare(zygote.NEWNS | zygote.NEWPID)
        if os.fork():
            os._exit(0)
        zygote.mount("none", "/", None, zygote.REC | zygote.PRIVATE)
        mount_proc(zygote)
        zygote.unshare(NEWUSER)
        zygote.LIBC.prctl(zygote.SET_DUMPABLE, 1, 0, 0, 0)  # else its files in /proc are root's
        maps = {one: f"{number} {number} 1" for one, number in mine.items()}
        for name, text in {"setgroups": "deny", **maps}.items():
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
        zygote.LIBC.prctl(zygote.SET_DUMPABLE, 0, 0, 0, 0)

    def become_zygote(self, theirs: socket.socket, uid: int) -> None:
        """Serves one worker."""
        zygote = self.zygote
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        zygote.mount("none", "/", None, zygote.REC | zygote.PRIVATE)
        mount_proc(zygote)
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sH14x", b"lo", UP_AND_RUNNING))
        theirs.send(json.dumps({"ready": True}).encode())
        zygote.Zygote(theirs, self.kernel, uid, warm=True).serve()
