"""Runs an untrusted notebook and returns the log it wrote, whatever happens in the kernel.

nbconvert's ``ExecutePreprocessor`` does the running; this module adds limits, restarts and a fresh folder. A
cell that
kills its kernel or cannot be stopped is struck out and the notebook runs again without it, so that it costs
its own
question only.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import py_compile
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import nbformat
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionComplete, DeadKernelError
from nbclient.util import ensure_async
from nbconvert.preprocessors import ExecutePreprocessor
from nbformat import NotebookNode

from autograder import kit
from autograder.names import CHALLENGES_FILE, KIT_FILE, SKIPPED

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

LIMITED = """\
import os, resource, sys
for name, value in {}.items():
    hard = resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(getattr(resource, 'RLIMIT_' + name), (value, value))
    except (ValueError, OSError):
        pass
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
RUNAWAY = 50  # times output_bytes
LAST_CELL = "import homework_kit as _kit\n_kit._opened().record_missing()"


@dataclass(frozen=True)
class Limits:
    """What one submission may use: the one place where the defaults stand (``--limit NAME=VALUE`` sets each).

    Attributes:
        cell_seconds: wall time of one cell, then it is interrupted.
        grace_seconds: how long an interrupted cell has to stop, then its kernel is killed.
        total_seconds: wall time of the whole submission, restarts included.
        restarts: how many cells may kill the kernel before the rest is given up.
        cpu_seconds: processor time of one kernel, all its processes together.
        memory_bytes: memory of one kernel, all its processes together.
        processes: processes and threads of one kernel; a kernel itself has about 10.
        open_files: files that one process may have open.
        written_bytes: the largest file that may be written.
        disk_bytes: all files together: work folder, /tmp and /dev/shm.
        output_bytes: what is kept of one cell's output; a cell that prints 50 times as much is stopped.
        file_bytes: what is read of the log.
    """

    cell_seconds: float = 30.0
    grace_seconds: float = 2.0
    total_seconds: float = 240.0
    restarts: int = 6
    cpu_seconds: float = 240.0
    memory_bytes: float = 2e9
    processes: int = 128
    open_files: int = 512
    written_bytes: float = 1e8
    disk_bytes: float = 3e8
    output_bytes: int = 200_000
    file_bytes: int = 16_000_000


@dataclass(frozen=True)
class Execution:
    """What came out of one run.

    Attributes:
        logs: the bytes of each kernel's log, oldest first; a restarted notebook has several.
        notebook: with outputs, cut to size.
        events: what went wrong, in words that name the cell.
        seconds: wall time.
        cell_seconds: wall time of each executed cell, by index.
        cpu_seconds: processor time of the kernels and all that they started, where the sandbox measures it.
        files: what else was asked for and written: file name → bytes.
    """

    logs: tuple[bytes, ...]
    notebook: NotebookNode
    events: tuple[str, ...] = ()
    seconds: float = 0.0
    cell_seconds: Mapping[int, float] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    files: Mapping[str, bytes] = field(default_factory=dict)


class Kernels(Protocol):
    """Where kernels come from: a plain process here, a sandbox elsewhere."""

    def session(self, limits: Limits) -> contextlib.AbstractContextManager[Session]:
        """One submission's folder and kernels; everything of it is gone afterwards."""
        ...


class Session:
    """One submission's folder, as the grader sees it, and a maker of kernel managers that start kernels in it.

    Args:
        folder: the folder's path here.
        kernel_folder: the same folder's path for the kernel.
    """

    def __init__(self, folder: Path, kernel_folder: str):
        self.folder, self.kernel_folder = folder, kernel_folder
        self.cpu_seconds = 0.0

    def prepare(self, files: Mapping[str, bytes], compiled: Mapping[str, bytes]) -> None:
        """Empties the folder and puts files there, and others into its ``__pycache__``. No kernel runs at this time."""
        for item in self.folder.iterdir():
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item, ignore_errors=True)
            else:
                item.unlink()
        cache = self.folder / "__pycache__"
        cache.mkdir(mode=0o755)
        for folder, some in ((self.folder, files), (cache, compiled)):
            for name, data in some.items():
                path = folder / Path(name).name
                path.write_bytes(data)
                path.chmod(0o644)

    def manager(self) -> AsyncKernelManager:
        """A manager for one new kernel."""
        return AsyncKernelManager(kernel_name="python3")

    def ended(self) -> str:
        """Ends what is left of the last kernel and says which limit had ended it before, if one had."""
        return ""


class PlainKernels:
    """Kernels as ordinary child processes: no sandbox, but the limits that the platform has."""

    @contextlib.contextmanager
    def session(self, limits: Limits) -> Iterator[Session]:
        """A folder below the system's temporary folder."""
        folder = Path(tempfile.mkdtemp(prefix="autograder-"))
        try:
            yield PlainSession(folder, str(folder), limits)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class PlainSession(Session):
    """A folder on disk and kernels that are ordinary processes with limits, each leading a process group."""

    def __init__(self, folder: Path, kernel_folder: str, limits: Limits):
        super().__init__(folder, kernel_folder)
        self.limits = limits
        self.started: AsyncKernelManager | None = None

    def manager(self) -> AsyncKernelManager:
        """A manager whose kernel limits itself before it begins."""
        self.started = AsyncKernelManager(kernel_name="python3")
        if resource is not None:
            spec = self.started.kernel_spec
            assert spec is not None
            wanted = {
                "CPU": self.limits.cpu_seconds,
                "DATA": self.limits.memory_bytes,
                "NOFILE": self.limits.open_files,
            }
            wanted |= {"FSIZE": self.limits.written_bytes, "CORE": 0}
            code = LIMITED.format({name: int(value) for name, value in wanted.items()})
            spec.argv = [spec.argv[0], "-c", code, *spec.argv[1:]]
        return self.started

    def ended(self) -> str:
        """Kills the kernel's process group: what it started and what did not leave the group."""
        provisioner = self.started.provisioner if self.started is not None else None
        group = getattr(provisioner, "pgid", None)
        if group and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        return ""


class _Runner(ExecutePreprocessor):
    """ExecutePreprocessor with a watchdog for every cell and a cap on outputs."""

    def __init__(
        self, limits: Limits, deadline: float, struck: Mapping[int, str], events: list[str], **options: Any
    ):
        super().__init__(**options)
        self.limits, self.deadline, self.struck, self.events = limits, deadline, struck, events
        self.current: int | None = None
        self.output_size = 0
        self.runaway = asyncio.Event()
        self.seconds: dict[int, float] = {}

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        """Runs one cell within its limits, or leaves it out and says so."""
        if cell.cell_type != "code" or not cell.source.strip() or index in self.struck or skip_reason(cell):
            return cell, resources
        if time.monotonic() >= self.deadline:
            raise _OutOfTimeError
        self.current, self.output_size = index, 0
        started = time.monotonic()
        try:
            return super().preprocess_cell(cell, resources, index)
        finally:
            self.seconds[index] = time.monotonic() - started
            if self.output_size > self.limits.output_bytes:
                self.events.append(
                    f"{cell_name(cell, index)} printed more than {self.limits.output_bytes:,} bytes; the rest"
                    " was dropped."
                )

    async def async_start_new_kernel(self, **options: Any) -> None:
        """Starts a kernel that keeps its own messages to itself and sees little of the grader's environment."""
        assert self.km is not None
        folder = self.resources["metadata"]["path"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        await ensure_async(
            self.km.start_kernel(cwd=folder, env=kernel_environment(folder), **silent, **options)
        )

    start_new_kernel = run_sync(async_start_new_kernel)

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *args: Any, **options: Any
    ) -> NotebookNode:
        """Runs one cell with a watchdog beside it."""
        watchdog = asyncio.ensure_future(self._watch(cell, cell_index))
        try:
            return await super().async_execute_cell(cell, cell_index, *args, **options)
        finally:
            watchdog.cancel()

    execute_cell = run_sync(async_execute_cell)

    async def _watch(self, cell: NotebookNode, index: int) -> None:
        allowed = min(self.limits.cell_seconds, max(self.deadline - time.monotonic(), 0.1))
        self.runaway = asyncio.Event()
        try:
            await asyncio.wait_for(self.runaway.wait(), allowed)
            self.events.append(f"{cell_name(cell, index)} printed without end and was stopped.")
        except TimeoutError:
            self.events.append(f"{cell_name(cell, index)} ran longer than {allowed:.3g} s and was stopped.")
        assert self.km is not None
        with contextlib.suppress(Exception):  # a dead kernel cannot be interrupted; the kill below settles it
            await ensure_async(self.km.interrupt_kernel())
        await asyncio.sleep(self.limits.grace_seconds)
        self.events.append(f"{cell_name(cell, index)} did not stop when interrupted; its kernel was killed.")
        if self.km.provisioner is not None:
            await self.km.provisioner.kill()

    async def _async_poll_kernel_alive(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            try:
                await self._async_check_alive()
            except DeadKernelError:
                if self.task_poll_for_reply is not None:
                    self.task_poll_for_reply.cancel()
                return

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: NotebookNode, cell_index: int) -> None:
        """Lets the watchdog have its turn between messages: a kernel that never stops printing leaves no pause."""
        assert self.kc is not None
        while True:
            message = await ensure_async(self.kc.iopub_channel.get_msg(timeout=None))
            await asyncio.sleep(0)
            if message["parent_header"].get("msg_id") == parent_msg_id:
                try:
                    self.process_message(message, cell, cell_index)
                except CellExecutionComplete:
                    return

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Keeps an output as long as the cell's outputs are within the limit."""
        self.output_size += len(json.dumps(msg["content"], default=str))
        if self.output_size > RUNAWAY * self.limits.output_bytes:
            self.runaway.set()
        if self.output_size > self.limits.output_bytes:
            return None
        kept: NotebookNode | None = super().output(outs, msg, display_id, cell_index)
        return kept


class _OutOfTimeError(Exception):
    pass


def kernel_environment(home: str) -> dict[str, str]:
    """The environment of a kernel: nothing of the grader's but what Python needs to start."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "VIRTUAL_ENV")
        if name in os.environ
    }
    fixed = {
        "HOME": home,
        "IPYTHONDIR": f"{home}/.ipython",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    single = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
    )  # one core a submission
    return kept | fixed | single | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}


def skip_reason(cell: NotebookNode) -> str | None:
    """Why a grading run leaves this cell out: it writes the kit, or it only trains or draws; None if it runs."""
    if cell.source.lstrip().startswith(f"%%writefile {KIT_FILE}"):
        return "the grader's own kit is used"
    if SKIPPED.match(cell.source) or "skip-execution" in cell.metadata.get("tags", []):
        return "skipped while grading"
    return None


def cell_name(cell: NotebookNode, index: int) -> str:
    """How messages name a cell: its number among all cells and its first line of code."""
    first = next((line.strip() for line in cell.source.split("\n") if line.strip()), "")
    return f"cell {index + 1} ({first[:50]!r})"


def execute(
    notebook: NotebookNode,
    *,
    kit_source: str,
    challenges: bytes | None = None,
    attachments: Mapping[str, bytes] | None = None,
    limits: Limits | None = None,
    kernels: Kernels | None = None,
    keep: Sequence[str] = (),
) -> Execution:
    """Runs a notebook in a fresh folder that holds only the kit, the challenges and the allowed attachments.

    Args:
        notebook: format 4; not changed.
        kit_source: text of ``homework_kit.py``.
        challenges: bytes of ``challenges.json``; None runs it as a student does, on public examples.
        attachments: file name → bytes.
        limits: what it may use.
        kernels: where its kernels come from.
        keep: names of further files to read in the end, such as a checkpoint.

    Returns:
        The logs and what happened. Nothing that the notebook does raises here.
    """
    limits = limits or Limits()
    started = time.monotonic()
    deadline = started + limits.total_seconds
    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    notebook.cells.append(nbformat.v4.new_code_cell(LAST_CELL, id="autograder-last"))
    struck: dict[int, str] = {}
    events: list[str] = []
    logs: list[bytes] = []
    kept: dict[str, bytes] = {}
    seconds: dict[int, float] = {}
    files = dict(attachments or {}) | {KIT_FILE: kit_source.encode()}
    if challenges is not None:
        files[CHALLENGES_FILE] = challenges
    with (kernels or PlainKernels()).session(limits) as session:
        for _ in range(limits.restarts + 1):
            session.prepare(files, compiled(kit_source))
            runner = _Runner(
                limits,
                deadline,
                struck,
                events,
                timeout=None,
                allow_errors=True,
                kernel_name="python3",
                record_timing=False,
            )
            finished = True
            try:
                runner.preprocess(
                    notebook, {"metadata": {"path": session.kernel_folder}}, km=session.manager()
                )
            except _OutOfTimeError:
                events.append(
                    f"The notebook ran longer than {limits.total_seconds:.3g} s in total; the cells after"
                    " that were not run."
                )
            except Exception as error:  # whatever a kernel does or says ends its own run at most
                finished = runner.current is None
                why = session.ended()
                if runner.current is None:
                    events.append(f"No kernel could be started: {type(error).__name__}: {error}")
                else:
                    name = cell_name(notebook.cells[runner.current], runner.current)
                    struck[runner.current] = "ended the kernel"
                    told = (
                        f"{why} and was stopped"
                        if why
                        else "ended the kernel"
                        if isinstance(error, DeadKernelError)
                        else _confused(error)
                    )
                    events.append(f"{name} {told}; the notebook was run again without it.")
            finally:
                _stop(runner)
                session.ended()
                seconds |= runner.seconds
                if (log := _read(session.folder / kit.LOG_NAME, limits.file_bytes, events)) is not None:
                    logs.append(log)
                written = {name: _read(session.folder / name, limits.file_bytes, events) for name in keep}
                kept |= {name: data for name, data in written.items() if data is not None}
            if finished or time.monotonic() >= deadline:
                break
        else:
            events.append(f"More than {limits.restarts} cells ended the kernel; the rest was not run.")
    notebook.cells.pop()
    for index, spent in seconds.items():
        if index < len(notebook.cells):
            notebook.cells[index].metadata["autograder"] = {
                "seconds": round(spent, 3)
            }  # our own clock, not the kernel's word
    taken = time.monotonic() - started
    return Execution(
        tuple(logs), notebook, tuple(dict.fromkeys(events)), taken, seconds, session.cpu_seconds, kept
    )


@lru_cache(maxsize=16)
def compiled(kit_source: str) -> dict[str, bytes]:
    """The kit's byte code, by the name under which an import looks for it: compiling takes longer than a notebook's own cells."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / KIT_FILE, Path(importlib.util.cache_from_source(KIT_FILE)).name
        source.write_text(kit_source, encoding="utf-8")
        py_compile.compile(
            str(source),
            str(Path(folder) / target),
            KIT_FILE,
            doraise=True,
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
        return {target: (Path(folder) / target).read_bytes()}


def _confused(error: Exception) -> str:
    return f"made the kernel send something that is no answer ({type(error).__name__})"


def _stop(runner: _Runner) -> None:
    """Ends the kernel for good; nbclient leaves a manager alone that it did not make."""
    manager = runner.km
    if manager is None:
        return
    if runner.kc is not None:
        runner.kc.stop_channels()
    with contextlib.suppress(Exception):
        run_sync(manager._async_shutdown_kernel)(
            now=True
        )  # its own run_sync form is typed as if it did not wait
    manager.context.destroy(linger=0)


def _read(path: Path, limit: int, events: list[str]) -> bytes | None:
    """Reads a file that a kernel wrote: a regular file of sensible size, never a link, pipe or device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        events.append(
            "The notebook wrote no log."
            if path.name == kit.LOG_NAME
            else f"The notebook wrote no {path.name}."
        )
        return None
    except OSError:
        events.append(f"{path.name} is not an ordinary file; it was not read.")
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
        os.close(descriptor)
        events.append(
            f"{path.name} is not an ordinary file of at most {limit / 1e6:.0f} MB; it was not read."
        )
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit)
