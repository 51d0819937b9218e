"""What the benchmark measures: a made-up class, graded in several ways, with times and memory."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat

from autograder.author.build import build_notebook, dumps
from autograder.author.gallery import students
from autograder.author.kit_text import kit_source
from autograder.declare import Homework, homeworks
from autograder.grade.grade import Settings, grade_submission
from autograder.names import source_path
from autograder.run.execute import LAST_CELL
from autograder.run.runner import skip_reason
from autograder.submissions.find import Submission
from autograder.submissions.log import challenges_json
from autograder.submissions.notebook import read_notebook
from tests.demo import partly
from tests.gallery import ROOT, examples

SEED = "benchmark"
HOMEWORK = homeworks()["hw3"]


def write_class(folder: Path, homework: Homework, size: int) -> list[Path]:
    """Writes a class: the reference, a blank one, unfinished ones and the gallery's answers, in turn."""
    source = source_path(ROOT, homework.stem)
    texts = [
        dumps(build_notebook(homework, source, blank=False)),
        dumps(build_notebook(homework, source)),
        partly(homework, 1 / 3),
        partly(homework, 2 / 3),
    ]
    texts += [
        student.notebook
        for student in students(
            ROOT, homework, examples(homework.id), json.dumps({"entries": {}}).encode(), {}
        )
    ]
    paths = []
    for index, text in zip(range(size), itertools.cycle(texts), strict=False):
        notebook = nbformat.reads(text, as_version=4)
        notebook.cells.append(nbformat.v4.new_markdown_cell(f"Student {index}"))
        path = folder / f"student-{index:04d}" / f"{homework.stem}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(notebook))
        paths.append(path)
    return paths


# --- what is compared ---


def ours(folder: Path, output: Path, *options: str) -> None:
    """``autograder grade`` as an instructor runs it, start and end included."""
    command = [
        sys.executable,
        "-m",
        "autograder",
        "grade",
        str(folder),
        "-o",
        str(output),
        "--seed",
        SEED,
        *options,
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def otter(job: tuple[Path, Path, Path]) -> None:
    """``otter run`` on one notebook."""
    path, packed, output = job
    folder = output / path.parent.name
    folder.mkdir(parents=True)
    command = [
        sys.executable,
        "-m",
        "otter",
        "run",
        "--no-logo",
        "-a",
        str(packed),
        "-o",
        str(folder),
        str(path),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env=one_thread())


def one_thread() -> dict[str, str]:
    """The environment with one thread for each process, as this grader has it."""
    return {
        **os.environ,
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }


def bare(path: Path) -> None:
    """The notebook's cells through nbclient, without any grading."""
    from nbclient import NotebookClient

    os.environ.update(one_thread())
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            timeout=60,
            allow_errors=True,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        ).execute(stderr=subprocess.DEVNULL)


def own_cells(path: Path, challenges: bytes) -> float:
    """Processor seconds of a notebook's graded cells alone, in plain Python with libraries imported."""
    cells = [
        cell
        for cell in read_notebook(path.read_bytes()).cells
        if cell.cell_type == "code" and not skip_reason(cell)
    ]
    sources = [*(cell.source for cell in cells), LAST_CELL]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "homework_kit.py").write_text(kit_source(HOMEWORK))
        (Path(folder) / "challenges.json").write_bytes(challenges)
        script = (
            "import contextlib, io, sys, time\nimport numpy, torch, matplotlib.pyplot\nsys.path.insert(0,"
            f" '.')\ntorch.set_num_threads(1)\nsources = {sources!r}\nstarted = time.process_time()\nwith"
            " contextlib.redirect_stdout(io.StringIO()):\n    for source in sources:\n        try:"
            " exec(compile(source, 'cell', 'exec'), globals())\n        except Exception:"
            " pass\nprint(time.process_time() - started)\n"
        )
        environment = {**os.environ, "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            cwd=folder,
            env=environment,
            check=True,
        )
    return float(done.stdout.split()[-1])


# --- measuring ---


@contextlib.contextmanager
def memory() -> Iterator[dict[str, float]]:
    """Watches the largest share of memory (PSS) of one worker with its sandbox, in MB.

    Only while all workers live: pages that they share are counted by halves, and the last
    one alone would get the whole.
    """
    found = {"worker": 0.0, "early": 0.0}
    most = 0
    stop = threading.Event()
    started = time.monotonic()

    def watch() -> None:
        nonlocal most
        while not stop.wait(0.5):
            totals = worker_memory()
            most = max(most, len(totals))
            for total in totals if len(totals) == most else ():
                found["worker"] = max(found["worker"], total)
                if time.monotonic() - started < 30:
                    found["early"] = max(found["early"], total)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def worker_memory() -> list[float]:
    """The PSS of each worker process that holds a sandbox, with everything below it, in MB."""
    parents, names, sizes = {}, {}, {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            names[int(entry.name)] = (entry / "comm").read_text().strip()
            sizes[int(entry.name)] = (
                sum(
                    int(line.split()[1])
                    for line in (entry / "smaps_rollup").read_text().splitlines()
                    if line.startswith("Pss:")
                )
                / 1e3
            )
    mine = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in mine} - mine:
        mine |= more
    workers = {
        parents[pid]
        for pid, name in names.items()
        if name == "bwrap" and parents[pid] in mine and names.get(parents[pid]) != "bwrap"
    }
    totals = []
    for worker in workers:
        family = {worker}
        while more := {pid for pid, parent in parents.items() if parent in family} - family:
            family |= more
        totals.append(sum(sizes.get(pid, 0.0) for pid in family))
    return totals


def timed(work: Callable[[], object]) -> float:
    """Seconds of wall time."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def overhead(paths: list[Path]) -> dict[str, float]:
    """Where one submission's processor time goes, in seconds, on average: one worker, warm and sandboxed."""
    import torch

    from autograder.run.sandbox import SandboxKernels

    torch.set_num_threads(1)  # as in a worker
    challenges = challenges_json(HOMEWORK, HOMEWORK.draw(SEED))
    cells = sum(own_cells(path, challenges) for path in paths) / len(paths)
    kernels = SandboxKernels()
    submissions = [Submission(path.parent.name, path.read_bytes()) for path in paths]
    for submission in submissions:
        grade_submission(submission, Settings(SEED), kernels)  # the first time imports and draws
    worker, kernel, wall = time.process_time(), 0.0, time.monotonic()
    for submission in submissions:
        _, execution = grade_submission(submission, Settings(SEED), kernels)
        kernel += execution.cpu_seconds if execution else 0.0
    worker, wall = (time.process_time() - worker) / len(paths), (time.monotonic() - wall) / len(paths)
    empty = nbformat.v4.new_notebook(
        metadata={"attention_homework": {"id": HOMEWORK.id}}, cells=[nbformat.v4.new_code_cell("1")]
    )
    runs = [
        grade_submission(Submission("empty", nbformat.writes(empty).encode()), Settings(SEED), kernels)[1]
        for _ in range(10)
    ]
    start = sum(run.cpu_seconds for run in runs if run) / len(runs)
    kernels.close()
    kernel /= len(paths)
    return {
        "own cells": cells,
        "kernel": kernel,
        "of it start and end": start,
        "worker": worker,
        "overhead": kernel + worker - cells,
        "wall": wall,
    }
