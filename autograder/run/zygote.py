"""Runs inside the sandbox: imports the heavy libraries once and forks a kernel for each submission.

A script of its own, started by :mod:`autograder.run.bubblewrap`: it sees nothing of the package and knows no
secret. Beside it lies :mod:`autograder.run.kernel_process`, which knows Jupyter; everything that keeps a
submission in is here. What a kernel may use, and which system calls it may make, comes as data with each
request.

Each kernel gets new PID, mount, IPC and host-name namespaces, so that it cannot even see this process, and a
tmpfs of limited size that holds its ``/tmp``, ``/dev/shm`` and work folder; when the first process of its PID
namespace is killed, the operating system kills all others of it. Requests and answers are JSON packets on a
socket; its end is the end of this process, and with it of everything in the sandbox.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import importlib
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from types import ModuleType

SESSION, WORK, IPC = "/session", "/submission", "/kernel"
KERNEL_SCRIPT, NURSERY_SCRIPT = "kernel_process", "nursery"  # modules in this script's folder
# a fork bomb makes some hundred processes in this time, a memory bomb some hundred megabytes
WATCH_SECONDS = 0.1
START_SECONDS = 60.0

NEWNS, NEWUTS, NEWIPC, NEWPID = 0x20000, 0x4000000, 0x8000000, 0x20000000
NOSUID, NODEV, NOEXEC, REMOUNT, BIND, REC, PRIVATE, DETACH = 2, 4, 8, 32, 4096, 16384, 1 << 18, 2
SET_DUMPABLE, SET_SECCOMP, CAPBSET_DROP, SET_NO_NEW_PRIVS = 4, 22, 24, 38
RULE_BYTES = 8  # of a filter of system calls
LIBC = ctypes.CDLL(None, use_errno=True)
Numbers = dict[str, float]


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


def filter_calls(rules: bytes) -> None:
    """Installs a filter of system calls, for this process and all that it starts; none if it has no rules."""
    if not rules:
        return
    code = ctypes.create_string_buffer(rules)
    program = struct.pack("HxxxxxxQ", len(rules) // RULE_BYTES, ctypes.addressof(code))
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


def limit_resources(wanted: dict[str, int]) -> None:
    """Sets what the operating system enforces for each process: name without ``RLIMIT_`` → value."""
    for name, value in wanted.items():
        what = getattr(resource, f"RLIMIT_{name}")
        hard = resource.getrlimit(what)[1]
        allowed = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (allowed, allowed))


@contextlib.contextmanager
def last_act(tell: int, status: int) -> Iterator[None]:
    """Ends this process after the block, whatever happens in there; an error goes to ``tell`` in words."""
    try:
        yield
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(tell, f"{type(error).__name__}: {error}".encode())
    finally:
        os._exit(status)


def kilobytes(path: str, names: tuple[str, ...]) -> int:
    """Adds up some lines of a file in ``/proc``."""
    with open(path) as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(names))


def sockets_in_use() -> int:
    """How many sockets there are in this network namespace, whoever holds them; 0 where nobody counts."""
    with contextlib.suppress(OSError, ValueError, IndexError), open("/proc/net/sockstat") as file:
        return int(file.readline().split()[2])  # sockets: used 7
    return 0


class Zygote:
    """Answers the worker's requests, one submission at a time.

    Args:
        control: the socket to the worker.
        kernel: the module that turns a process into a kernel.
        uid: what kernels run as, if the sandbox was started by root; else 0.
        warm: fork kernels from this process; else start a new interpreter for each.
    """

    def __init__(self, control: socket.socket, kernel: ModuleType, uid: int, warm: bool):
        self.control, self.kernel, self.uid, self.warm = control, kernel, uid, warm
        self.limits: Numbers = {}
        self.rlimits: dict[str, int] = {}
        self.rules = b""
        self.init = 0
        self.ended = ""
        self.cpu = 0.0
        self.sockets = sockets_in_use()

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

    def do_open(
        self, files: list[int], limits: Numbers, rlimits: dict[str, int], seccomp: str, imports: list[str]
    ) -> None:
        """Makes fresh folders of limited size for one run and hands them to the worker.

        Args:
            files: gets the folders' descriptor.
            limits: what all processes of a kernel may use together.
            rlimits: what each of them may use.
            seccomp: the filter of system calls, in hexadecimal.
            imports: modules that warm kernels have; imported here once, while no kernel runs.
        """
        self.do_close(files)
        if self.warm:
            self.kernel.import_all(imports)
        self.limits, self.rlimits, self.rules, self.ended = limits, rlimits, bytes.fromhex(seccomp), ""
        uid, size = self.uid or os.getuid(), int(limits["disk_bytes"])
        mount("session", SESSION, "tmpfs", NOSUID | NODEV, f"size={size},nr_inodes=20000,mode=755")
        modes = {"work": 0o755, "tmp": 0o1777, "shm": 0o1777, "ipc": 0o700, "home": 0o700}
        for name, mode in modes.items():
            folder = f"{SESSION}/{name}"
            os.mkdir(folder)
            os.chmod(folder, mode)
            os.chown(folder, uid, uid if self.uid else os.getgid())
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
        """Forks a kernel, waits until its sockets are bound, and hands over a descriptor of its process."""
        self.kill("")
        self.ended = ""
        for name in os.listdir(f"{SESSION}/ipc"):
            os.unlink(f"{SESSION}/ipc/{name}")
        with open(f"{SESSION}/ipc/connection.json", "x") as file:
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
            reason = said.decode(errors="replace") or "it gave no reason"
            return {"error": f"the kernel did not start: {reason}"}
        files.append(os.pidfd_open(self.init))
        return {}

    def fork_namespace(self, ready: int, tell: int) -> int:
        """Forks the first process of a new PID namespace.

        The process between, which enters the namespace, ends at once, so that this one collects the first.
        """
        number, tell_number = os.pipe()
        between = os.fork()
        if between == 0:
            with last_act(tell, 0):
                unshare(NEWPID)
                init = os.fork()
                if init == 0:
                    os.close(number)
                    os.close(tell_number)
                    self.become_init(ready, tell)
                os.write(tell_number, str(init).encode())
        os.close(tell_number)
        with os.fdopen(number) as file:
            said = file.read()
        os.waitpid(between, 0)
        return int(said or 0)

    def become_init(self, ready: int, tell: int) -> None:
        """The first process of a new PID namespace: shuts itself in, starts the kernel and reaps."""
        with last_act(tell, 70):
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
                # since Linux 6.14 for this namespace alone
                file.write(str(max(301, int(self.limits["processes"]) + 10)))
            LIBC.sethostname(b"sandbox", 7)
            os.chdir(WORK)
            drop_privileges(self.uid)
            limit_resources(self.rlimits)
            filter_calls(self.rules)
            sys.exit(self.be_init(tell))

    def be_init(self, tell: int) -> int:
        """Starts the kernel and reaps what it leaves behind, until it ends."""
        kernel = os.fork()
        if kernel == 0:
            with last_act(tell, 1):
                os.setsid()
                LIBC.prctl(SET_DUMPABLE, 1, 0, 0, 0)
                if not self.warm:
                    os.set_inheritable(tell, True)
                    script = [sys.executable, "-s", str(self.kernel.__file__)]
                    os.execv(sys.executable, [*script, f"{IPC}/connection.json", str(tell)])  # noqa: S606
                self.kernel.run_kernel(f"{IPC}/connection.json", tell)
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
        """What all of the submission's processes use together.

        Returns:
            Their ids, the number of threads, bytes of memory and page tables, seconds of processor time.
        """
        count, memory, ticks = 0, 0, 0
        pids = [name for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()]
        for pid in pids:
            try:
                with open(f"/proc/{pid}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                held = kilobytes(f"/proc/{pid}/status", ("RssAnon:", "RssShmem:", "VmPTE:"))
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
        limits, (pids, count, memory, seconds) = self.limits, self.usage()
        if count > limits["processes"]:
            self.kill(f"started more than {limits['processes']:.0f} processes and threads")
        elif memory > limits["memory_bytes"] and self.precise_memory(pids) > limits["memory_bytes"]:
            self.kill(f"used more than {limits['memory_bytes'] / 1e6:.0f} MB of memory")
        elif sockets_in_use() - self.sockets > limits["open_files"]:
            # the buffers of each hold up to 0.4 MB, which are nobody's memory
            self.kill(f"opened more than {limits['open_files']:.0f} sockets")
        elif self.cpu + seconds > limits["cpu_seconds"]:
            self.kill(f"used more than {limits['cpu_seconds']:.0f} s of processor time")

    def precise_memory(self, pids: list[str]) -> int:
        """What the processes hold with their page tables, pages that they share counted once."""
        total = 0
        for pid in pids:
            with contextlib.suppress(OSError):  # it has just ended
                total += kilobytes(f"/proc/{pid}/status", ("VmPTE:",))
                total += kilobytes(f"/proc/{pid}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:"))
        return total * 1024


def leave_if_alone(control: socket.socket) -> None:
    """Ends this process if the worker has gone meanwhile; importing takes seconds."""
    poll = select.poll()
    poll.register(control, select.POLLHUP)
    if poll.poll(0):
        os._exit(0)


def main() -> None:
    """``zygote.py FD SETTINGS``: serves the worker at a socket; the settings are JSON."""
    control, settings = socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2])
    kernel = importlib.import_module(KERNEL_SCRIPT)
    nursery = importlib.import_module(NURSERY_SCRIPT) if settings["shared"] else None
    sys.path.pop(0)  # this script's folder
    os.set_inheritable(control.fileno(), False)
    sys.path += [path for path in settings["paths"] if path not in sys.path]
    check(LIBC.prctl(SET_DUMPABLE, 0, 0, 0, 0), "prctl")
    unshare(NEWNS)
    mount("none", "/", None, REC | PRIVATE)
    os.set_inheritable(0, False)
    if settings["warm"]:
        signal.signal(signal.SIGALRM, lambda *_: leave_if_alone(control))
        signal.setitimer(signal.ITIMER_REAL, 0.3, 0.3)
        kernel.preload(**settings["warm"])
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    silence = os.open("/dev/null", os.O_RDWR)
    os.dup2(silence, 1)
    os.dup2(silence, 2)  # the worker reads what went wrong up to here, and no kernel may write there
    os.close(silence)
    sys.argv = ["ipykernel"]
    if nursery:
        nursery.Nursery(control, sys.modules[__name__], kernel).serve()
        return
    zygote = Zygote(control, kernel, settings["uid"], warm=bool(settings["warm"]))
    control.send(json.dumps({"ready": True}).encode())
    zygote.serve()


if __name__ == "__main__":
    main()
