"""Runs inside the sandbox: imports the heavy libraries once and forks a kernel for each submission.

A script of its own, started by :mod:`autograder.run.sandbox`; it uses nothing of the package, which is not
visible there.
It knows no secret. Each kernel gets new PID, mount, IPC and host-name namespaces, so that it cannot even see
this
process, and a tmpfs of limited size that holds its ``/tmp``, ``/dev/shm`` and work folder; when the first
process of
its PID namespace is killed, the operating system kills all others of it. Requests and answers are JSON
packets on a
socket; its end is the end of this process, and with it of everything in the sandbox.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import errno
import gc
import importlib
import json
import os
import platform
import resource
import select
import signal
import socket
import struct
import sys
import tempfile
from typing import Any

SESSION, WORK, IPC = "/session", "/submission", "/kernel"
PRELOADED = ("numpy", "torch", "torch.nn.functional", "matplotlib.pyplot", "ipykernel.kernelapp")
INLINE = (
    "matplotlib_inline.backend_inline"  # sets IPython up when it is imported, so it is imported in the kernel
)
KERNEL_OPTIONS = ("--HistoryManager.enabled=False", "--InteractiveShellApp.exec_PYTHONSTARTUP=False")
REHEARSAL = (
    "import html, json, re, traceback, dataclasses, typing, math, matplotlib.pyplot as plt",
    "figure, axes = plt.subplots(layout='constrained'); image = axes.imshow([[0, 1]]); figure.colorbar(image, ax=axes); plt.show()",
    "1 / 0",
    "def f(x):\n    return x\nf(1)",
)
WATCH_SECONDS = (
    0.1  # a fork bomb makes some hundred processes in this time, a memory bomb some hundred megabytes
)
START_SECONDS = 60.0

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000
NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE = 2, 4, 8, 32, 4096, 16384, 1 << 18
RDONLY, DETACH = 1, 2
SET_PDEATHSIG, SET_DUMPABLE, SET_SECCOMP, CAPBSET_DROP, SET_NO_NEW_PRIVS = 1, 4, 22, 24, 38
LIBC = ctypes.CDLL(None, use_errno=True)

# System calls that no homework needs and that reach beyond the limits or widen the attack surface:
# (x86-64, 64-bit ARM). memfd and System V shared memory would hold memory that no limit counts.
DENIED = {
    "ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51),
    "unshare": (272, 97), "setns": (308, 268), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "shmget": (29, 194), "shmat": (30, 196), "msgget": (68, 186), "semget": (64, 190), "mq_open": (240, 180),
    "io_uring_setup": (425, 425), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "open_by_handle_at": (304, 265), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "pidfd_getfd": (438, 438), "mount_setattr": (442, 442),
}  # fmt: skip
CLONE3, CLONE, SOCKET = (435, 435), (56, 220), (41, 198)
AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}


def check(result: int, what: str) -> int:
    """Raises OSError where a C call failed."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def mount(source: str, target: str, kind: str | None, flags: int, data: str = "") -> None:
    """Mounts."""
    encoded = [part.encode() if part is not None else None for part in (source, target, kind)]
    check(LIBC.mount(*encoded, ctypes.c_ulong(flags), data.encode()), f"mount {target}")


def unshare(flags: int) -> None:
    """Leaves namespaces for new ones."""
    check(LIBC.unshare(flags), "unshare")


def seccomp() -> None:
    """Refuses the system calls above from here on, for this process and all that it starts."""
    machine = platform.machine()
    if machine not in AUDIT_ARCH:
        return
    column = list(AUDIT_ARCH).index(machine)
    load, jump_equal, jump_greater, jump_bits, give = 0x20, 0x15, 0x25, 0x45, 0x06
    refused, unknown, allowed = 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS, 0x7FFF0000
    rules: list[tuple[int, int, int, int]] = [
        (load, 0, 0, 4), (jump_equal, 1, 0, AUDIT_ARCH[machine]), (give, 0, 0, refused),
        (load, 0, 0, 0), (jump_greater, 0, 1, 0x3FFFFFFF), (give, 0, 0, refused),
        (jump_equal, 0, 1, CLONE3[column]), (give, 0, 0, unknown),  # the C library falls back to clone
    ]  # fmt: skip
    for numbers in DENIED.values():
        rules += [(jump_equal, 0, 1, numbers[column]), (give, 0, 0, refused)]
    rules += [
        (jump_equal, 0, 3, CLONE[column]),
        (load, 0, 0, 16),
        (jump_bits, 0, 1, NEWUSER),
        (give, 0, 0, refused),
        (load, 0, 0, 0),
    ]
    rules += [
        (jump_equal, 0, 3, SOCKET[column]),
        (load, 0, 0, 16),
        (jump_greater, 0, 1, 16),
        (give, 0, 0, refused),
    ]  # no AF_VSOCK
    rules.append((give, 0, 0, allowed))
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))
    program = struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(code))
    check(LIBC.prctl(SET_SECCOMP, 2, ctypes.c_char_p(program)), "seccomp")


def drop_privileges(uid: int) -> None:
    """Gives up every capability for good, and root where the sandbox was started by root."""
    for capability in range(64):
        LIBC.prctl(CAPBSET_DROP, capability, 0, 0, 0)
    if uid:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header, nothing = struct.pack("=Ii", 0x20080522, 0), bytes(24)
    check(LIBC.capset(header, nothing), "capset")
    check(LIBC.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def limit_resources(limits: dict[str, float]) -> None:
    """Sets what the operating system enforces by itself, for each process."""
    wanted = {
        resource.RLIMIT_CPU: limits["cpu_seconds"] + 1,
        resource.RLIMIT_DATA: limits["memory_bytes"],
        resource.RLIMIT_NOFILE: limits["open_files"],
        resource.RLIMIT_FSIZE: limits["written_bytes"],
        resource.RLIMIT_NPROC: limits["processes"],
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_MEMLOCK: 0,
        resource.RLIMIT_MSGQUEUE: 0,
    }
    for what, value in wanted.items():
        hard = resource.getrlimit(what)[1]
        allowed = int(value) if hard == resource.RLIM_INFINITY else min(int(value), hard)
        resource.setrlimit(what, (allowed, allowed))


def run_kernel(connection_file: str, ready: int) -> None:
    """Runs a Jupyter kernel in this process and says when its sockets are bound."""
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize(["-f", connection_file, "--quiet", *KERNEL_OPTIONS])
    os.write(ready, b"1")
    os.close(ready)
    app.start()


class Zygote:
    """Answers the worker's requests, one submission at a time.

    Args:
        control: the socket to the worker.
        uid: what kernels run as, if the sandbox was started by root; else 0.
        warm: fork kernels from this process; else start a new interpreter for each.
    """

    def __init__(self, control: socket.socket, uid: int, warm: bool):
        self.control, self.uid, self.warm = control, uid, warm
        self.limits: dict[str, float] = {}
        self.init = 0
        self.ended = ""
        self.cpu = 0.0

    def serve(self) -> None:
        """Answers until the worker is gone."""
        while True:
            readable, _, _ = select.select([self.control], [], [], WATCH_SECONDS if self.init else None)
            if self.init:
                self.watch()
            if not readable:
                continue
            packet = self.control.recv(1 << 20)
            if not packet:
                return
            request = json.loads(packet)
            files: list[int] = []
            try:
                answer = getattr(self, f"do_{request.pop('do')}")(files, **request)
            except OSError as error:
                answer = {"error": str(error)}
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
            self.control.sendmsg([json.dumps(answer or {}).encode()], ancillary)
            for file in files:
                os.close(file)

    def do_open(self, files: list[int], limits: dict[str, float]) -> None:
        """Makes fresh folders of limited size for one run and hands them to the worker."""
        self.do_close(files)
        self.limits, self.ended = limits, ""
        uid, size = self.uid or os.getuid(), int(limits["disk_bytes"])
        mount("session", SESSION, "tmpfs", NOSUID | NODEV, f"size={size},nr_inodes=20000,mode=755")
        for name, mode in (
            ("work", 0o755),
            ("tmp", 0o1777),
            ("shm", 0o1777),
            ("ipc", 0o700),
            ("home", 0o700),
        ):
            os.mkdir(f"{SESSION}/{name}")
            os.chmod(f"{SESSION}/{name}", mode)
            os.chown(f"{SESSION}/{name}", uid, uid if self.uid else os.getgid())
        files.append(os.open(SESSION, os.O_RDONLY | os.O_DIRECTORY))

    def do_close(self, files: list[int]) -> dict[str, object]:
        """Ends the kernel and everything it started, and removes its folders."""
        self.kill("")
        while LIBC.umount2(SESSION.encode(), DETACH) == 0:
            pass
        cpu, self.cpu = self.cpu, 0.0
        return {"cpu": cpu, "ended": self.ended}

    def do_kill(self, files: list[int]) -> dict[str, object]:
        """Ends the kernel and everything it started, and says if that had happened before and why."""
        self.kill("")
        return {"ended": self.ended}

    def do_interrupt(self, files: list[int]) -> None:
        """Interrupts the kernel as Ctrl-C would."""
        if self.init:
            os.kill(self.init, signal.SIGUSR1)

    def do_start(self, files: list[int], connection: dict[str, object]) -> dict[str, object]:
        """Forks a kernel, waits until its sockets are bound, and hands over a descriptor that tells of its end."""
        self.kill("")
        self.ended = ""
        for name in os.listdir(f"{SESSION}/ipc"):
            os.unlink(f"{SESSION}/ipc/{name}")
        descriptor = os.open(f"{SESSION}/ipc/connection.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "w") as file:
            json.dump(connection, file)
        ready, tell = os.pipe()
        self.init = self.fork_namespace(ready, tell)
        os.close(tell)
        try:
            readable, _, _ = select.select([ready], [], [], START_SECONDS)
            said = os.read(ready, 4096) if readable else b""
        finally:
            os.close(ready)
        if said != b"1":
            self.kill("")
            return {
                "error": f"the kernel did not start: {said.decode(errors='replace') or 'it gave no reason'}"
            }
        files.append(os.pidfd_open(self.init))
        return {}

    def fork_namespace(self, ready: int, tell: int) -> int:
        """Forks the first process of a new PID namespace, through one that leaves it to this process to be collected."""
        number, tell_number = os.pipe()
        between = os.fork()
        if between == 0:
            try:
                unshare(NEWPID)
                init = os.fork()
                if init == 0:
                    os.close(number)
                    os.close(tell_number)
                    self.become_init(ready, tell)
                os.write(tell_number, str(init).encode())
            except OSError as error:
                os.write(tell, str(error).encode())
            finally:
                os._exit(0)
        os.close(tell_number)
        with os.fdopen(number) as file:
            said = file.read()
        os.waitpid(between, 0)
        return int(said or 0)

    def become_init(self, ready: int, tell: int) -> None:
        """The first process of a new PID namespace: closes the door behind itself, starts the kernel and reaps."""
        status = 70
        try:
            self.control.close()
            os.close(ready)
            os.setsid()
            unshare(NEWNS | NEWIPC | NEWUTS)
            mount("none", "/", None, REC | PRIVATE)
            mount("proc", "/proc", "proc", NOSUID | NODEV | NOEXEC)
            targets = {"work": WORK, "tmp": "/tmp", "shm": "/dev/shm", "ipc": IPC, "home": os.environ["HOME"]}  # noqa: S108
            for name, target in targets.items():
                mount(f"{SESSION}/{name}", target, None, BIND)
                mount("none", target, None, REMOUNT | BIND | NOSUID | NODEV)
            check(LIBC.umount2(SESSION.encode(), DETACH), "umount")
            with contextlib.suppress(OSError), open("/proc/sys/kernel/pid_max", "w") as file:
                file.write(
                    str(max(301, int(self.limits["processes"]) + 10))
                )  # Linux 6.14: for this namespace alone
            LIBC.sethostname(b"sandbox", 7)
            os.chdir(WORK)
            drop_privileges(self.uid)
            limit_resources(self.limits)
            seccomp()
            status = self.be_init(tell)
        except BaseException as error:  # the only way to tell the worker
            with contextlib.suppress(OSError):
                os.write(tell, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(status)

    def be_init(self, tell: int) -> int:
        """Starts the kernel and reaps what it leaves behind, until it ends."""
        kernel = os.fork()
        if kernel == 0:
            try:
                os.setsid()
                LIBC.prctl(SET_DUMPABLE, 1, 0, 0, 0)
                if not self.warm:
                    os.set_inheritable(tell, True)
                    command = [sys.executable, "-s", __file__, "kernel", f"{IPC}/connection.json", str(tell)]
                    os.execv(sys.executable, command)  # noqa: S606
                run_kernel(f"{IPC}/connection.json", tell)
            except SystemExit as error:
                os._exit(error.code if isinstance(error.code, int) else 1)
            except BaseException as error:
                with contextlib.suppress(OSError):
                    os.write(tell, f"{type(error).__name__}: {error}".encode())
            finally:
                os._exit(1)
        os.close(tell)
        signal.signal(signal.SIGUSR1, lambda *_: os.kill(kernel, signal.SIGINT))
        while True:
            pid, status = os.wait()
            if pid == kernel:
                return os.waitstatus_to_exitcode(status) & 0xFF

    def kill(self, why: str) -> None:
        """Kills the kernel's PID namespace; what is not killed by this is not in it."""
        if self.init:
            self.cpu += self.usage()[3]
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.init, signal.SIGKILL)
            self.reap(0, why)

    def reap(self, flags: int, why: str) -> bool:
        """Collects the namespace's first process, if it has ended."""
        pid, _, usage = os.wait4(self.init, flags)
        if pid == 0:
            return False
        if flags:  # it ended by itself and has collected its children
            self.cpu += usage.ru_utime + usage.ru_stime
        self.init = 0
        self.ended = self.ended or why
        return True

    def usage(self) -> tuple[list[str], int, int, float]:
        """What all of the submission's processes use: their ids, the number of threads, bytes, seconds of processor time."""
        count, memory, ticks = 0, 0, 0
        pids = [name for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()]
        for pid in pids:
            try:
                with open(f"/proc/{pid}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                with open(f"/proc/{pid}/status", "rb") as file:
                    held = sum(
                        int(line.split()[1]) for line in file if line.startswith((b"RssAnon:", b"RssShmem:"))
                    )
            except (OSError, ValueError):
                continue  # it has just ended
            count += int(fields[17])
            ticks += sum(map(int, fields[11:15]))  # with that of children that have ended
            memory += held * 1024
        return pids, count, memory, ticks / os.sysconf("SC_CLK_TCK")

    def watch(self) -> None:
        """Enforces the limits that concern all of a submission's processes together."""
        if self.reap(os.WNOHANG, ""):
            return
        pids, count, memory, seconds = self.usage()
        if count > self.limits["processes"]:
            self.kill(f"started more than {self.limits['processes']:.0f} processes and threads")
        elif memory > self.limits["memory_bytes"] and self.precise_memory(pids) > self.limits["memory_bytes"]:
            self.kill(f"used more than {self.limits['memory_bytes'] / 1e6:.0f} MB of memory")
        elif self.cpu + seconds > self.limits["cpu_seconds"]:
            self.kill(f"used more than {self.limits['cpu_seconds']:.0f} s of processor time")

    def precise_memory(self, pids: list[str]) -> int:
        """What the processes hold, pages that they share counted once."""
        total = 0
        for pid in pids:
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    total += sum(
                        int(line.split()[1]) * 1024
                        for line in file
                        if line.startswith(("Pss_Anon:", "Pss_Shmem:"))
                    )
            except OSError:
                continue
        return total


def preload() -> None:
    """Imports what nearly every notebook imports, and everything that a kernel imports by and by.

    What the latter is depends on versions, so a forked kernel tries it out and reports the modules it has.
    """
    for name in PRELOADED:
        importlib.import_module(name)
    sys.modules["torch"].set_num_threads(1)
    told, tell = os.pipe()
    if os.fork() == 0:
        rehearse(tell)
    os.close(tell)
    with os.fdopen(told) as file:
        names = file.read().split()
    os.wait()
    for name in names:
        if name != INLINE:
            with contextlib.suppress(
                Exception
            ):  # a module that only a kernel can import is imported there, later
                importlib.import_module(name)
    gc.collect()
    gc.freeze()  # the collector would touch, and so copy, every page in every kernel


def rehearse(tell: int) -> None:
    """Starts a kernel, runs a few cells without a client, and writes the names of all modules that this has imported."""
    try:
        from ipykernel.kernelapp import IPKernelApp

        folder = tempfile.mkdtemp()
        app = IPKernelApp.instance(
            transport="ipc", ip=f"{folder}/k", connection_file=f"{folder}/connection.json"
        )
        app.initialize(["--quiet", *KERNEL_OPTIONS])
        shell: Any = app.shell
        for cell in REHEARSAL:
            shell.run_cell(cell)
    finally:
        names = [name for name in list(sys.modules) if name != "__main__"]
        with os.fdopen(tell, "w") as file:
            file.write(" ".join(names))
        os._exit(0)


def leave_if_alone(control: socket.socket) -> None:
    """Ends this process if the worker has gone meanwhile; importing takes seconds."""
    poll = select.poll()
    poll.register(control, select.POLLHUP)
    if poll.poll(0):
        os._exit(0)


def main() -> None:
    """``zygote.py serve FD UID warm|cold PATH...`` or ``zygote.py kernel CONNECTION_FILE FD``."""
    sys.path.pop(0)  # this script's folder
    if sys.argv[1] == "kernel":
        run_kernel(sys.argv[2], int(sys.argv[3]))
        return
    control, uid, warm = socket.socket(fileno=int(sys.argv[2])), int(sys.argv[3]), sys.argv[4] == "warm"
    os.set_inheritable(control.fileno(), False)
    sys.path += [path for path in sys.argv[5:] if path not in sys.path]
    check(LIBC.prctl(SET_DUMPABLE, 0, 0, 0, 0), "prctl")
    unshare(NEWNS)
    mount("none", "/", None, REC | PRIVATE)
    os.set_inheritable(0, False)
    if warm:
        signal.signal(signal.SIGALRM, lambda *_: leave_if_alone(control))
        signal.setitimer(signal.ITIMER_REAL, 0.3, 0.3)
        preload()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    silence = os.open("/dev/null", os.O_RDWR)
    os.dup2(silence, 1)
    os.dup2(silence, 2)  # the worker reads what went wrong up to here, and no kernel may write there
    os.close(silence)
    zygote = Zygote(control, uid, warm)
    sys.argv = ["ipykernel"]
    control.send(json.dumps({"ready": True}).encode())
    zygote.serve()


if __name__ == "__main__":
    main()
