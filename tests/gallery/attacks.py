"""Hostile cells as data: what each tries, and what its report must say. Each prints LEAK where it gets what it wants."""

# hostile code is data; wrapping it would change it

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Attack:
    """A hostile cell, put into a blank notebook.

    Attributes:
        code: the cell; ``TOKEN`` and ``PATTERN`` in it stand for a secret that the grader knows.
        says: a phrase that the report's notes must contain; empty if the attack just fails.
        prints: a phrase that the cell's outputs must contain, so that an attack which never ran is noticed.
        limits: overrides, to be quick.
        everywhere: whether it must be harmless without a sandbox, too.
    """

    code: str
    says: str = ""
    prints: str = ""
    limits: dict[str, float] = field(default_factory=dict)
    everywhere: bool = False


READ_DISK = """
import os
found = []
for top in ("/home", "/root", "/etc", "/var", "/opt", "/srv", "/mnt", "/submission", "/session", "/kernel", "/tmp", "/usr/src", "/usr/local", HIDDEN):
    for folder, folders, files in os.walk(top):
        found += [os.path.join(folder, name) for name in files + folders
                  if name in ("solutions", "homeworks", "seed.txt", "hw3_hand_designed.py", "hw3_hand_designed.ipynb", "results.json", "secret.txt")]
        for name in files:
            if name.endswith((".json", ".txt", ".ipynb")) and "site-packages" not in folder and os.path.getsize(f"{folder}/{name}") < 1e6:
                try:
                    if TOKEN in open(f"{folder}/{name}", "rb").read():
                        found.append(name)
                except OSError:
                    pass
try:
    import autograder.homeworks
    found.append("the package")
except ImportError:
    pass
print("LEAK" if found else "nothing", found)
"""
READ_MEMORY = """
import ctypes, os
found = []
import re
token = re.compile(PATTERN)
if token.search(repr(dict(os.environ)).encode()):
    found.append("environment")
for line in open("/proc/self/maps"):
    span, rights = line.split()[:2]
    if rights.startswith("rw"):
        start, end = (int(part, 16) for part in span.split("-"))
        try:
            with open("/proc/self/mem", "rb") as memory:
                memory.seek(start)
                if token.search(memory.read(min(end - start, 1 << 28))):
                    found.append("memory")
        except (OSError, ValueError, OverflowError):
            pass
pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
if len(pids) > 2:
    found.append(f"processes {pids}")
for pid in pids:
    if pid != os.getpid():
        for name in ("environ", "mem", "maps", "fd/0", "root/", "cwd/"):
            try:
                open(f"/proc/{pid}/{name}", "rb").read(1) if "/" not in name else os.listdir(f"/proc/{pid}/{name[:-1]}") if name[-1] == "/" else os.stat(f"/proc/{pid}/{name}")
                found.append(f"{pid}/{name}")
            except OSError:
                pass
        if ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0:
            found.append(f"ptrace {pid}")
print("LEAK" if found else "nothing", found)
"""
ESCAPES = """
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
done = []
if libc.unshare(0x10000000) == 0: done.append("user namespace")
if libc.unshare(0x20000) == 0: done.append("mount namespace")
if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0: done.append("mount")
if libc.memfd_create(b"x", 0) >= 0: done.append("memfd")
if libc.shmget(1, 1 << 20, 0o1600) >= 0: done.append("System V memory")
if libc.chroot(b"/tmp") == 0: done.append("chroot")
if libc.setuid(0) == 0 and os.getuid() == 0: done.append("root")
for path in ("/x", "/usr/x", "/dev/x", "/proc/sys/kernel/hostname", "/zygote.py", "/etc/x", os.path.dirname(os.__file__) + "/x"):
    try:
        open(path, "w").close(); done.append(path)
    except OSError: pass
try:
    os.mknod("/tmp/disk", 0o60666, os.makedev(8, 0)); done.append("device")
except OSError: pass
try:
    socket.socket(40, socket.SOCK_STREAM); done.append("vsock")
except OSError: pass
for number in range(3, 64):
    try:
        if "socket" in os.readlink(f"/proc/self/fd/{number}") and socket.socket(fileno=os.dup(number)).type == socket.SOCK_SEQPACKET: done.append("control socket")
    except OSError: pass
print("LEAK" if done else "nothing", done)
"""
NETWORK = """
import socket
reached = []
for target in (("1.1.1.1", 53), ("127.0.0.1", PORT), ("::1", PORT), ("localhost", PORT), ("example.org", 80)):
    try:
        socket.create_connection(target, timeout=1); reached.append(target)
    except OSError: pass
try:
    reached.append(socket.getaddrinfo("example.org", 80))
except OSError: pass
try:
    abstract = socket.socket(socket.AF_UNIX); abstract.connect(ABSTRACT); reached.append("abstract socket")
except OSError: pass
print("LEAK" if reached else "nothing", reached)
"""
NO_MORE_LOGS = (
    "import homework_kit, os\nhomework_kit.Log.write = lambda self: None\nname = 'submission_log.json'\n"
)
FORGED = (
    '{"schema": "attention-homeworks/log/1", "kit": "1.0", "homework": "hw3", "challenges": "", "written":'
    ' "", "entries": {"Km": {"question": "3.2", "kind": "array", "status": "ok", "value": {"dtype":'
    ' "float64", "shape": [7, 1], "data": [0,0,0,30,0,0,0]}}}}'
)
CELL = {"cell_seconds": 1.5, "grace_seconds": 0.5}

ATTACKS: dict[str, Attack] = {
    # --- reading
    "reads the disk": Attack(READ_DISK, prints="nothing"),
    "reads memory, environment and /proc": Attack(READ_MEMORY, prints="nothing"),
    "leaves its cage": Attack(ESCAPES, prints="nothing"),
    "network by IP and by name": Attack(NETWORK, prints="nothing", limits={"cell_seconds": 15}),
    # --- forging
    "monkeypatches the kit": Attack(
        "import homework_kit as k\nk.judge_example = lambda *a, **b: None\nk.compare = lambda *a, **b: None\nk.check_shapes = lambda *a: []\n"
        "k.PROBES['call'] = lambda f, case: case.get('expected')\nprint('done')",
        prints="done",
        everywhere=True,
    ),
    "monkeypatches json": Attack("import json\njson.dumps = lambda *a, **b: '{\"points\": 100}'\nprint('done')", "is no answer", everywhere=True),
    "answers nbclient with nonsense": Attack(
        "k = get_ipython().kernel\nk.session.send(k.iopub_socket, 'stream', {'nothing': 1}, parent=k.get_parent(), ident=k._topic('stream'))\nprint('done')",
        "is no answer",
        everywhere=True,
    ),
    "replaces the kernel's session": Attack(
        "k = get_ipython().kernel\nk.session.serialize = lambda *a, **b: [b'<IDS|MSG>', b'', b'{', b'', b'', b'']", "was stopped", limits=CELL, everywhere=True
    ),
    "pre-writes the log": Attack(f"open('submission_log.json', 'w').write('''{FORGED}''')", everywhere=True),
    "writes a forged log last": Attack(NO_MORE_LOGS + f"open(name, 'w').write('''{FORGED}''')", everywhere=True),
    "log is a symlink": Attack(NO_MORE_LOGS + "os.symlink('/etc/hostname', name)", "not an ordinary file", everywhere=True),
    "log is a FIFO": Attack(NO_MORE_LOGS + "os.mkfifo(name)", "not an ordinary file", everywhere=True),
    "log is a directory": Attack(NO_MORE_LOGS + "os.mkdir(name)", "not an ordinary file", everywhere=True),
    "log is a link to a device": Attack(NO_MORE_LOGS + "os.symlink('/dev/zero', name)", "not an ordinary file", everywhere=True),
    "log is sparse, 5 GB": Attack(NO_MORE_LOGS + "open(name, 'w').truncate(5_000_000_000)", prints="File too large", everywhere=True),
    "log is pickled": Attack(
        NO_MORE_LOGS + "import pickle\nclass P:\n    def __reduce__(self): return (os.system, ('touch /tmp/pwned',))\nopen(name, 'wb').write(pickle.dumps(P()))",
        "not UTF-8",
        everywhere=True,
    ),
    # --- ending and hanging
    "os._exit": Attack("import os; os._exit(0)", "ended the kernel", everywhere=True),
    "kills itself": Attack("import os; os.kill(os.getpid(), 9)", "ended the kernel", everywhere=True),
    "stops itself": Attack("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "did not stop when interrupted", limits=CELL, everywhere=True),
    "kills its parent and PID 1": Attack(
        "import os\nfor pid in (os.getppid(), 1):\n    for sig in (9, 19, 15, 11):\n        os.kill(pid, sig)\nprint('survived')", prints="survived"
    ),
    "kills everybody": Attack("import os; os.kill(-1, 9)\nprint('alone')", prints="alone"),
    "endless loop": Attack("while True: pass", "ran longer than 1.5 s", limits=CELL, everywhere=True),
    "endless loop in C": Attack("sum(iter(int, 1))", "did not stop when interrupted", limits=CELL, everywhere=True),
    "catches the interrupt": Attack(
        "import time\nwhile True:\n    try: time.sleep(9)\n    except BaseException: pass", "did not stop when interrupted", limits=CELL, everywhere=True
    ),
    "burns processor time in threads": Attack(
        "import os, time\nfor _ in range(3):\n    if not os.fork():\n        while True: pass\ntime.sleep(30)",
        "s of processor time",
        limits={"cpu_seconds": 3, "cell_seconds": 20},
    ),
    "input()": Attack("input('password? ')", prints="StdinNotImplementedError", everywhere=True),
    # --- taking too much
    "fork bomb": Attack(
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", "", limits={**CELL, "processes": 64}
    ),
    "memory bomb, lazy": Attack("import numpy as np\nx = np.zeros(10**11)", prints="MemoryError"),
    "memory bomb, touched": Attack(
        "import numpy as np\nx = []\nwhile True: x.append(np.ones(10**6))", prints="MemoryError", limits={"memory_bytes": 8e8}
    ),
    "memory bomb of many": Attack(
        "import numpy as np, os, time\nfor _ in range(4):\n    if not os.fork():\n        x = np.ones(4 * 10**7); time.sleep(30)\ntime.sleep(30)",
        "MB of memory",
        limits={"memory_bytes": 8e8, "cell_seconds": 20},
    ),
    "shared memory bomb": Attack(
        "import mmap, os, time\nx = []\nfor _ in range(20):\n    m = mmap.mmap(-1, 10**8); m.write(b'x' * 10**8); x.append(m)\nprint('LEAK'); time.sleep(20)",
        "MB of memory",
        limits={"memory_bytes": 8e8, "cell_seconds": 20},
    ),
    "socket buffers": Attack(
        "import os, socket, time\nfor _ in range(8):\n    if not os.fork():\n        kept = []\n        try:\n            while True:\n"
        "                kept += socket.socketpair()\n                kept[-1].setblocking(False)\n                kept[-1].send(b'x' * 100_000)\n"
        "        except OSError: time.sleep(30)\ntime.sleep(30)\nprint('LEAK')",
        "opened more than 400 sockets",
        limits={"open_files": 400, "cell_seconds": 20},
    ),
    "page tables": Attack(
        "import mmap, os, time\nflags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000\nfor _ in range(20):\n    if not os.fork():\n"
        "        m = mmap.mmap(-1, 12 << 30, flags=flags, prot=mmap.PROT_READ)\n        for at in range(0, 12 << 30, 2 << 20): m[at]\n"
        "        time.sleep(30)\ntime.sleep(30)\nprint('LEAK')",
        "MB of memory",
        limits={"memory_bytes": 4e8, "cell_seconds": 20},
    ),
    "page tables of a terabyte": Attack(
        "import mmap\nflags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000\ntry:\n    m = mmap.mmap(-1, 1 << 40, flags=flags, prot=mmap.PROT_READ)\n"
        "    print('LEAK')\nexcept OSError as error: print(error)",
        prints="Cannot allocate memory",
    ),
    "disk filler": Attack(
        "total = 0\nfor folder in ('.', '/tmp', '/dev/shm', '/home/student', '/kernel'):\n    for i in range(30):\n        try:\n"
        "            with open(f'{folder}/fill{i}', 'wb') as f: total += f.write(bytes(10**7)); f.flush()\n        except OSError: pass\n"
        "print('LEAK' if total > 2e8 else 'bounded', total)",
        prints="bounded",
        limits={"disk_bytes": 1e8},
    ),
    "100 MB of output": Attack("print('x' * 10**8)", "", limits={"cell_seconds": 20}),
    "output in many pieces": Attack(
        "import sys\nfor _ in range(2000): print('x' * 1000, flush=True)", "printed more than", limits={"output_bytes": 100_000}, everywhere=True
    ),
    "never-ending output": Attack("while True: print('x' * 1000)", "stopped", limits={"cell_seconds": 10, "output_bytes": 20_000}, everywhere=True),
    "HTML, scripts and ANSI codes": Attack(
        "from IPython.display import HTML, display\ndisplay(HTML('<script>alert(1)</script>'))\nprint('\\x1b[2J\\x1b]0;title\\x07')", everywhere=True
    ),
    # --- staying
    "daemon by double fork": Attack(
        "import os, time\nif not os.fork():\n    os.setsid()\n    if not os.fork():\n        time.sleep(300)\n    os._exit(0)\nprint('done')", prints="done"
    ),
    "threads that outlive the cell": Attack("import threading, time\nthreading.Thread(target=lambda: time.sleep(300)).start()\nprint('done')", prints="done", everywhere=True),
    "changes everything for its neighbors": Attack(
        "import torch, numpy, os, sys, json\ntorch.set_default_dtype(torch.float64); numpy.dot = numpy.exp = None; os.environ['X'] = '1'\n"
        "open('/tmp/left', 'w').write('x'); open('/dev/shm/left', 'w').write('x' * 10**6); os.nice(19)\nprint('done')",
        prints="done",
    ),
    "% and ! magics": Attack("!id > /tmp/x; kill -9 $PPID; cat /etc/shadow && echo LEAK\n%cd /\n%rm -rf /usr", ""),
}  # fmt: skip
