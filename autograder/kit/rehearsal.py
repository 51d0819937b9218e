"""The rehearsal: runs the saved notebook in another process, as grading will, and reports the result.

A process and not a thread, so that nothing of the running kernel can help: no names, no modules, no files. It
runs in a folder of its own with a copy of what the zip holds, on public inputs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.kit.answers import Cell
from autograder.kit.handing_in import SKIPPED
from autograder.kit.local_files import KIT_NAME
from autograder.kit.provided import names_of, to_provide
from autograder.kit.state import LOG_NAME

KIT_FILE_NAME = f"{KIT_NAME}.py"
OPEN_STATES = ("missing", "unanswered")
CELL_SECONDS = 30.0  # as long as grading gives a cell
TOTAL_SECONDS = 240.0  # as long as grading gives a notebook
GRACE_SECONDS = 3.0  # how long a cell has to stop, then its process is ended
ATTEMPTS = 4  # a cell that ends the process is left out and the rest run again
UNSEEN = ("COLAB_", "DISPLAY", "IPYTHON", "JPY_", "PYTHONSAFEPATH", "PYTHONSTARTUP", "WAYLAND_DISPLAY")
ENDED = "Ended"  # stands for the exception of a cell that ended its process


class RehearsalError(Exception):
    """The rehearsal itself could not be held; the message says why."""


@dataclass(frozen=True)
class Raised:
    """What a cell, or one statement of it, raised.

    Attributes:
        kind: the exception's type.
        message: what it says.
        name: the name that was missing, where the exception says so.
        lost: names that have no value because of it.
        apart: whether the rest of the cell was run, statement by statement.
    """

    kind: str
    message: str
    name: str = ""
    lost: frozenset[str] = frozenset()
    apart: bool = False


@dataclass
class Rehearsed:
    """What came out.

    Attributes:
        entries: as in a log.
        raised: cell number, from 1 among all cells → what it raised; several where its statements ran one by
            one.
        ran: the numbers of the cells that grading runs.
        provided: statements of the homework's own cells that grading runs first.
        lacking: data files that grading has and the rehearsal had not.
        seconds: how long it took.
        complete: whether it came to its end.
    """

    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    raised: dict[int, list[Raised]] = field(default_factory=dict)
    ran: frozenset[int] = frozenset()
    provided: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    seconds: float = 0.0
    complete: bool = False


def graded_cells(cells: Sequence[Cell], tagged: Container[int] = ()) -> list[tuple[int, str]]:
    """The cells that grading runs: number, from 1 among all cells, and text.

    Args:
        cells: kind and text of each.
        tagged: those with the tag by which grading skips them, from 1.
    """
    code = [(number, text) for number, (kind, text) in enumerate(cells, 1) if kind == "code" and text.strip()]
    return [
        (number, text)
        for number, text in code
        if number not in tagged and not SKIPPED.match(text) and not is_kit_cell(text)
    ]


def is_kit_cell(text: str) -> bool:
    """Whether a cell writes the kit."""
    return text.lstrip().startswith(f"%%writefile {KIT_FILE_NAME}")


def rehearse(
    home: Path,
    homework: Mapping[str, Any],
    cells: Sequence[Cell],
    files: Mapping[str, bytes],
    *,
    tagged: Container[int] = (),
    cell_seconds: float = CELL_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
) -> Rehearsed:
    """Runs a notebook's cells as grading does.

    Args:
        home: the folder of the notebook and the kit; nothing in it is changed.
        homework: the description behind the kit.
        cells: kind and text of each cell, as saved.
        files: what the zip holds beside notebook and log: file name → bytes.
        tagged: the cells, from 1, with the tag by which grading skips them.
        cell_seconds: how long a cell may run.
        total_seconds: how long all of it may take.

    Raises:
        RehearsalError: it could not be held.
    """
    began, found, home = time.monotonic(), Rehearsed(), home.resolve()
    kit = home / KIT_FILE_NAME
    if not kit.is_file():
        raise RehearsalError(f"`{KIT_FILE_NAME}` is not in this folder; run the notebook's first cell again")
    if f'{{"id":"{homework["id"]}",' not in kit.read_text(encoding="utf-8", errors="replace"):
        raise RehearsalError(f"`{KIT_FILE_NAME}` is another homework's; run the notebook's first cell again")
    runs, struck = graded_cells(cells, tagged), set()
    given = homework.get("provided", [])
    found.ran = frozenset(number for number, _ in runs)
    found.provided = tuple(to_provide(given, [text for _, text in runs]))
    try:
        folder = Path(tempfile.mkdtemp(prefix="rehearsal-"))
    except OSError as error:
        raise RehearsalError(f"no folder for it could be made ({error})") from error
    try:
        for attempt in range(ATTEMPTS):
            work = folder / f"work{attempt}"
            found.lacking = _furnish(work, kit, homework, files)
            left = [one for one in runs if one[0] not in struck]
            job = {
                "cells": left,
                "seconds": cell_seconds,
                "modules": homework.get("modules", []),
                "given": given,
                "provided": found.provided,
                "theirs": [str(home), str(Path.home())],
            }
            entries, at, done = _run(work, job, found, began + total_seconds)
            found.entries |= {
                name: entry
                for name, entry in entries.items()
                if name not in found.entries or entry.get("status") not in OPEN_STATES
            }
            found.complete = done
            if done or not at or time.monotonic() > began + total_seconds:
                break
            struck.add(at)
            told, text = "it ended the process, or did not stop when it was told to", dict(runs)[at]
            found.raised[at] = [Raised(ENDED, told, lost=names_of(text).bound)]
    except OSError as error:
        raise RehearsalError(f"{type(error).__name__}: {error}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        found.seconds = time.monotonic() - began
    if not found.entries:
        raise RehearsalError("the other process recorded nothing")
    return found


def _furnish(
    work: Path, kit: Path, homework: Mapping[str, Any], files: Mapping[str, bytes]
) -> tuple[str, ...]:
    """Fills the folder with what grading lays there; returns the data files that are not to be found."""
    work.mkdir()
    (work.parent / "tmp").mkdir(exist_ok=True)
    for name, data in files.items():
        (work / name).write_bytes(data)
    lacking = []
    for name in homework.get("data", ()):
        beside = [path for path in (kit.parent / name, kit.parent / "data" / name) if path.is_file()]
        if beside:
            shutil.copyfile(beside[0], work / name)
        elif not any((cache / name).is_file() for cache in _caches()):
            lacking.append(name)
    shutil.copyfile(kit, work / kit.name)
    # with challenges of its own, the kit takes over no earlier log and holds no rehearsal
    challenges = {"homework": homework["id"], "id": "rehearsal", "cases": homework.get("examples", {})}
    (work / "challenges.json").write_text(json.dumps(challenges), encoding="utf-8")
    return tuple(lacking)


def _caches() -> list[Path]:
    """Folders in which a homework keeps what it fetched, which its own loader looks into."""
    named = [Path(value) for name, value in os.environ.items() if name.endswith("HOMEWORK_CACHE")]
    bases = [Path.home() / name for name in (".cache", "Library/Caches", "AppData/Local")]
    return [*named, *(base / "transformer-homeworks" for base in bases)]


def _environment(folder: Path) -> dict[str, str]:
    """The environment of the other process: the kernel's own, without a screen and a GPU."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(UNSEEN)}
    own = {
        "CUDA_VISIBLE_DEVICES": "-1",
        "IPYTHONDIR": str(folder),
        "MPLBACKEND": "agg",
        "PYTHONHASHSEED": "0",
        "PYTHONUTF8": "1",
    }
    own |= dict.fromkeys(("TEMP", "TMP", "TMPDIR"), str(folder))
    own |= dict.fromkeys(("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    return kept | own


def _run(
    work: Path, job: Mapping[str, Any], found: Rehearsed, deadline: float
) -> tuple[dict[str, dict[str, Any]], int, bool]:
    """One process: what it recorded, the cell at which it was, and whether it came to its end."""
    process = subprocess.Popen(  # noqa: S603  # our own command
        [sys.executable, "-c", f"import {KIT_NAME}; {KIT_NAME}.rehearse_here()"],
        cwd=work,
        env=_environment(work.parent / "tmp"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    at, done, since = 0, False, [time.monotonic()]
    numbers = [number for number, _ in job["cells"]]

    def watch() -> None:
        while process.poll() is None:
            late = time.monotonic() - since[0] > job["seconds"] + GRACE_SECONDS
            if late or time.monotonic() > deadline:
                process.kill()
            time.sleep(0.1)

    threading.Thread(target=watch, daemon=True).start()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(job))
        process.stdin.close()
        for line in process.stdout:
            told = json.loads(line)
            at, done, since[0] = told["cell"], bool(told.get("done")), time.monotonic()
            if "error" in told:
                what = told["error"], told["message"], told["name"], frozenset(told["lost"]), told["apart"]
                one = Raised(*what)
                of = found.raised.setdefault(at, [])
                of += [] if one in of else [one]  # each once over all attempts
            elif at:
                show_progress(f"Rehearsal: cell {numbers.index(at) + 1} of {len(numbers)}")
    except (ValueError, KeyError, TypeError):  # the cells have no hand in the channel but by accident
        done = False
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    try:
        entries = json.loads((work / LOG_NAME).read_text(encoding="utf-8"))["entries"]
    except (OSError, ValueError, KeyError, TypeError):
        entries = {}
    return entries, at, done


def show_progress(text: str, last: bool = False) -> None:
    """Writes over the line of progress; the last time for good."""
    print(f"\r{text:<60}", end="\n" if last else "", flush=True)
