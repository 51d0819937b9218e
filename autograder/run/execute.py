"""Runs an untrusted notebook and returns the log it wrote, whatever happens in the kernel.

A cell that kills its kernel or cannot be stopped is struck out and the notebook runs again without it, so
that it costs its own question only.
"""

from __future__ import annotations

import importlib.util
import json
import os
import py_compile
import stat
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import nbformat
from nbclient.exceptions import DeadKernelError
from nbformat import NotebookNode

from autograder.kit.provided import names_of
from autograder.names import CHALLENGES_FILE, KIT_FILE, LOG_NAME
from autograder.run.limits import Limits
from autograder.run.plain import PlainKernels
from autograder.run.raised import ENDED, CellError, first_line
from autograder.run.runner import OutOfTimeError, Runner, cell_name, skip_reason
from autograder.run.session import Kernels, Session

LAST_CELL = "import homework_kit as _kit\n_kit._opened().record_missing()"


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
        errors: what cells raised, in the order in which they ran.
        stops: index of a cell → the limit that stopped it, in words.
    """

    logs: tuple[bytes, ...]
    notebook: NotebookNode
    events: tuple[str, ...] = ()
    seconds: float = 0.0
    cell_seconds: Mapping[int, float] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    files: Mapping[str, bytes] = field(default_factory=dict)
    errors: tuple[CellError, ...] = ()
    stops: Mapping[int, str] = field(default_factory=dict)


@dataclass
class _Progress:
    """What has come together so far, over all runs of one notebook."""

    struck: set[int] = field(default_factory=set)  # cells that ended a kernel
    events: list[str] = field(default_factory=list)
    logs: list[bytes] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    errors: dict[CellError, None] = field(default_factory=dict)  # in order, each once over all restarts
    stops: dict[int, str] = field(default_factory=dict)


class KernelStartError(RuntimeError):
    """No kernel could be started: the grader's own trouble, not the submission's."""


def execute(
    notebook: NotebookNode,
    *,
    kit_source: str,
    challenges: bytes | None = None,
    attachments: Mapping[str, bytes] | None = None,
    limits: Limits | None = None,
    kernels: Kernels | None = None,
    keep: Sequence[str] = (),
    imports: Sequence[str] = (),
    given: Sequence[str] = (),
    spare: Sequence[str] = (),
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
        imports: modules that kernels find imported already, where they are forked.
        given: statements to run before the first cell.
        spare: statements that give names again which a cell lost when it raised.

    Returns:
        The logs and what happened. Nothing that the notebook does raises here.

    Raises:
        KernelStartError: no kernel starts here, tried twice.
    """
    limits = limits or Limits()
    started = time.monotonic()
    deadline = started + limits.total_seconds
    notebook = nbformat.from_dict(json.loads(json.dumps(notebook)))
    notebook.cells.append(nbformat.v4.new_code_cell(LAST_CELL, id="autograder-last"))
    files = dict(attachments or {}) | {KIT_FILE: kit_source.encode()}
    if challenges is not None:
        files[CHALLENGES_FILE] = challenges
    progress = _Progress()
    with (kernels or PlainKernels()).session(limits) as session:
        session.imports = tuple(imports)
        for _ in range(limits.restarts + 1):
            session.prepare(files, compiled(kit_source))
            try:
                finished = _run(notebook, session, limits, deadline, progress, given, spare)
            except KernelStartError:  # no cell has run; what was in the way may be gone
                session.prepare(files, compiled(kit_source))
                deadline = time.monotonic() + limits.total_seconds
                finished = _run(notebook, session, limits, deadline, progress, given, spare)
            _collect(session.folder, keep, limits.file_bytes, progress)
            if finished:
                break
            if time.monotonic() >= deadline:
                _out_of_time(notebook, limits, progress)
                break
        else:
            told = f"More than {limits.restarts} cells ended the kernel; the rest was not run."
            progress.events.append(told)
            _note_unrun(notebook, progress, told)
    notebook.cells.pop()
    for index, spent in progress.seconds.items():
        if index < len(notebook.cells):  # our own clock, not the kernel's word
            notebook.cells[index].metadata["autograder"] = {"seconds": round(spent, 3)}
    return Execution(
        logs=tuple(progress.logs),
        notebook=notebook,
        events=tuple(dict.fromkeys(progress.events)),
        seconds=time.monotonic() - started,
        cell_seconds=progress.seconds,
        cpu_seconds=session.cpu_seconds,
        files=progress.files,
        errors=tuple(progress.errors),
        stops=progress.stops,
    )


def _run(
    notebook: NotebookNode,
    session: Session,
    limits: Limits,
    deadline: float,
    progress: _Progress,
    given: Sequence[str],
    spare: Sequence[str],
) -> bool:
    """Runs the notebook once, without the cells that were struck out.

    Returns:
        Whether that was all; False if a cell ended the kernel and was struck out.

    Raises:
        KernelStartError: no kernel starts here.
    """
    events = progress.events
    more = [f"__import__('sys').path.extend({list(session.packages)!r})"] if session.packages else []
    runner = Runner(limits, deadline, progress.struck, events, [*more, *given], spare)
    try:
        runner.preprocess(notebook, {"metadata": {"path": session.kernel_folder}}, km=session.manager())
    except OutOfTimeError:
        _out_of_time(notebook, limits, progress, runner.seconds)
    except Exception as error:  # whatever a kernel does or says ends its own run at most
        why = session.ended()
        if runner.current is None:
            told = f"No kernel could be started: {why or f'{type(error).__name__}: {error}'}"
            if not progress.struck:
                raise KernelStartError(told) from error
            events.append(told)  # what the submission did before may have caused it
            return True
        at = runner.current
        progress.struck.add(at)
        ended = _end_in_words(why, error)
        again = "" if time.monotonic() >= deadline else "; the notebook was run again without it"
        events.append(f"{cell_name(notebook.cells[at], at)} {ended}{again}.")
        limit = why or runner.stopped
        progress.errors[_unrun(notebook.cells[at], at, limit or ended, limit)] = None
        return False
    finally:
        runner.end_kernel()
        session.ended()
        progress.seconds |= runner.seconds
        progress.errors |= dict.fromkeys(runner.errors)
        progress.stops |= runner.stops
    return True


def _out_of_time(
    notebook: NotebookNode, limits: Limits, progress: _Progress, ran: Iterable[int] = ()
) -> None:
    """Says that the time of the whole submission is used up, and which cells that costs."""
    told = f"The notebook ran longer than {limits.total_seconds:.3g} s in total"
    progress.events.append(f"{told}; the cells after that were not run.")
    _note_unrun(notebook, progress, told, [*progress.seconds, *ran])


def _unrun(cell: NotebookNode, index: int, told: str, limit: str) -> CellError:
    """What is lost with a cell that ended its kernel or was not run."""
    return CellError(
        index, first_line(cell.source), ENDED, told, names=names_of(cell.source).bound, limit=limit
    )


def _note_unrun(notebook: NotebookNode, progress: _Progress, told: str, ran: Iterable[int] = ()) -> None:
    """Notes the cells that were never run, for the one reason."""
    done = {*ran, *progress.seconds}
    for index, cell in enumerate(notebook.cells[:-1]):
        if cell.cell_type == "code" and index not in done and not skip_reason(cell):
            progress.errors[_unrun(cell, index, told, told)] = None


def _end_in_words(limit: str, error: Exception) -> str:
    """How a cell ended its kernel.

    Args:
        limit: what the sandbox says that the cell did; empty if no limit was met.
        error: what the runner raised.
    """
    if limit:
        return f"{limit} and was stopped"
    if isinstance(error, DeadKernelError):
        return "ended the kernel"
    return f"made the kernel send something that is no answer ({type(error).__name__})"


@lru_cache(maxsize=16)
def compiled(kit_source: str) -> dict[str, bytes]:
    """The kit's byte code, by the name under which an import looks for it.

    Compiling the kit takes longer than a notebook's own cells.
    """
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


def _collect(folder: Path, keep: Sequence[str], limit: int, progress: _Progress) -> None:
    """Reads what a run has left in its folder: the log and further files that were asked for."""
    if (log := _read(folder / LOG_NAME, limit, progress.events)) is not None:
        progress.logs.append(log)
    written = {name: _read(folder / name, limit, progress.events) for name in keep}
    progress.files |= {name: data for name, data in written.items() if data is not None}


def _read(path: Path, limit: int, events: list[str]) -> bytes | None:
    """Reads a file that a kernel wrote: a regular file of sensible size, never a link, pipe or device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        events.append(f"The notebook wrote no {'log' if path.name == LOG_NAME else path.name}.")
        return None
    except OSError:
        events.append(f"{path.name} is not an ordinary file; it was not read.")
        return None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > limit:
        os.close(descriptor)
        size = f"{limit / 1e6:.0f} MB"
        events.append(f"{path.name} is not an ordinary file of at most {size}; it was not read.")
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit)
