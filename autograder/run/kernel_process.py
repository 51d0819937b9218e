"""Runs inside the sandbox, too: turns a process into a Jupyter kernel, and imports ahead what kernels need.

A script of its own beside the zygote, which imports it to fork warm kernels and starts it for cold ones; it
uses nothing of the package, which is not visible there.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import logging
import os
import select
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

LARGE, COLLAPSE = 2 << 20, 25  # bytes of a large page; madvise's number


def run_kernel(connection_file: str, ready: int) -> None:
    """Runs a Jupyter kernel in this process and says when its sockets are bound."""
    app = application(connection_file=connection_file)
    be_brief(app.kernel)
    os.write(ready, b"1")
    os.close(ready)
    app.start()


def application(**options: Any) -> Any:
    """A kernel's application, made without a command line and without the configuration files of a machine.

    For a debugger, a kernel looks at every module, which copies a page or two of each into a process that has
    just been forked; it sees none.
    """
    from ipykernel import ipkernel
    from ipykernel.kernelapp import IPKernelApp
    from traitlets.config import Config

    class Application(IPKernelApp):  # type: ignore[misc, unused-ignore]
        def parse_command_line(self, argv: Any = None) -> None:
            pass

        def load_config_file(self, *_: Any, **__: Any) -> None:
            pass

    config = Config(
        IPKernelApp={"quiet": True, **options},  # by whose presence programs know a notebook
        HistoryManager={"enabled": False},
        InteractiveShellApp={"exec_PYTHONSTARTUP": False},
    )
    app = Application.instance(config=config)
    own = vars(ipkernel)
    seen, own["sys"] = own["sys"], NoModules()
    try:
        app.initialize([])
    finally:
        own["sys"] = seen
    return app


class NoModules:
    """:mod:`sys`, as if no module had been imported."""

    modules: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)


def be_brief(kernel: Any) -> None:
    """Leaves out what a kernel does around each cell for readers that are not here.

    The grader sent the cell, so it needs no copy and no message that the cell has started; it waits for all
    outputs, so the kernel need not sleep until they are sent. A kernel flushes its streams four times around
    a cell, each time by way of another thread; nothing waits in them as a rule. It translates IPython's own
    syntax twice. And it writes four records for a log that is dropped later.
    """
    kernel.log.setLevel(logging.CRITICAL)
    kernel._execute_sleep = 0
    kernel.shell.transform_cell = once_for_two(kernel.shell.transform_cell)
    publish = kernel._publish_status

    def publish_others(status: str, *where: Any, **more: Any) -> None:
        if status != "busy":
            publish(status, *where, **more)

    kernel._publish_status = publish_others
    kernel._publish_execute_input = lambda *_, **__: None
    for stream in (sys.stdout, sys.stderr):
        stream.flush = if_any(stream, stream.flush)  # type: ignore[method-assign]


def once_for_two(transform: Callable[[str], str]) -> Callable[[str], str]:
    """What is asked twice in a row, about the same text, and answered once."""
    kept: dict[str, str] = {}

    def brief(text: str) -> str:
        if text in kept:
            return kept.pop(text)
        kept.clear()
        kept[text] = transform(text)
        return kept[text]

    return brief


def if_any(stream: Any, flush: Callable[[], None]) -> Callable[[], None]:
    """A stream's ``flush`` that does nothing where nothing was written.

    What other programs write, ``os.system`` for one, comes through a pipe that a thread of the stream reads;
    it gets some time to.
    """
    waiting = select.poll()
    if (pipe := getattr(stream, "_fid", None)) is not None:
        waiting.register(pipe, select.POLLIN)

    def brief() -> None:
        for _ in range(20):
            if not waiting.poll(0):
                break
            time.sleep(0.0005)
        time.sleep(0)
        if getattr(stream, "_buffers", True):  # ipykernel 6 has another name for them
            flush()

    return brief


def preload(modules: list[str], cells: list[str], later: list[str]) -> None:
    """Imports some modules, and everything that a kernel imports by and by when it runs some cells.

    What the latter is depends on versions, so a forked kernel tries it out and reports the modules it has.
    Those of ``later`` do something when they are imported, and are left to the kernel.
    """
    import_all(modules)
    sys.modules["torch"].set_num_threads(1)
    told, tell = os.pipe()
    if os.fork() == 0:
        rehearse(cells, tell)
    os.close(tell)
    with os.fdopen(told) as file:
        names = file.read().split()
    os.wait()
    for name in names:
        if name not in later:
            # a module that only a kernel can import is imported there, later
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    freeze()
    collapse()


def import_all(modules: list[str]) -> None:
    """Imports the modules that are not there yet; one that is not installed is left to the kernel.

    Their memory stays in small pages: a zygote shares all else with the nursery and with the zygotes of other
    workers, and large pages would be its own.
    """
    if wanted := [name for name in modules if name not in sys.modules]:
        for name in wanted:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        freeze()


def freeze() -> None:
    """Keeps the collector from touching, and so copying, every page in every kernel."""
    gc.collect()
    gc.freeze()


def collapse() -> None:
    """Puts this process's memory into large pages where Linux can (6.1 and later), for quicker forks.

    A fork copies the table of pages, and each kernel's end frees it again: 250 MB are 60,000 small pages or
    some hundred large ones. What a kernel writes is still copied in small ones.
    """
    madvise = ctypes.CDLL(None).madvise
    with open("/proc/self/maps") as file:
        lines = [line.split() for line in file]
    for where, rights, _, _, _, *name in lines:
        if not rights.startswith("rw-p") or name not in ([], ["[heap]"]):
            continue
        start, end = (int(part, 16) for part in where.split("-"))
        for page in range(-(-start // LARGE) * LARGE, end // LARGE * LARGE, LARGE):
            madvise(ctypes.c_void_p(page), ctypes.c_size_t(LARGE), COLLAPSE)  # or they stay as they are


def rehearse(cells: list[str], tell: int) -> None:
    """Starts a kernel, runs cells without a client, and writes the names of all modules imported by then."""
    try:
        folder = tempfile.mkdtemp()
        connection = f"{folder}/connection.json"
        app = application(transport="ipc", ip=f"{folder}/k", connection_file=connection)
        shell: Any = app.shell
        for cell in cells:
            shell.run_cell(cell)
    finally:
        names = [name for name in list(sys.modules) if name != "__main__"]
        with os.fdopen(tell, "w") as file:
            file.write(" ".join(names))
        os._exit(0)


if __name__ == "__main__":  # kernel_process.py CONNECTION_FILE FD
    sys.path.pop(0)  # this script's folder
    run_kernel(sys.argv[1], int(sys.argv[2]))
