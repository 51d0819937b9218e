"""Grades the same class with this grader, warm and cold, with otter and with bare nbclient, side by side in one run.

``python -m benchmarks`` prints a table in Markdown; ``--help`` lists what else can be measured.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import click
import nbformat

from autograder.author.build import build_notebook, dumps
from autograder.author.gallery import students
from autograder.author.kit_text import kit_source
from autograder.declare import Homework, homeworks
from autograder.grade.grade import Settings, grade_submission
from autograder.names import source_path
from autograder.run.execute import LAST_CELL
from autograder.run.runner import skip_reason
from autograder.submissions.find import Submission, read_notebook
from autograder.submissions.log import challenges_json
from benchmarks.otter_tests import write_autograder
from tests.demo import partly
from tests.gallery import ROOT, examples

SEED = "benchmark"
HOMEWORK = homeworks()["hw3"]


def write_class(folder: Path, homework: Homework, size: int) -> list[Path]:
    """Writes a class: the reference, a blank one, unfinished ones and the gallery's right and wrong answers, in turn."""
    source = source_path(ROOT, homework)
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


# --- what is compared -------------------------------------------------------------------------------------------------


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
    """The environment, with one thread for each process, as this grader has it: two processes on two cores are faster so."""
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
    """Seconds of processor time of a notebook's graded cells alone: plain Python, libraries imported before, no Jupyter."""
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


# --- measuring --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def memory() -> Iterator[dict[str, float]]:
    """Watches the largest share of memory (PSS) of one worker with its sandbox, in MB, early and over the whole run.

    Only while all workers live: pages that they share are counted by halves, and the last one alone would get the whole.
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


def machine() -> str:
    """What this runs on."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "?",
    )
    names = ("torch", "numpy", "ipykernel", "nbclient", "jupyter-client", "otter-grader", "distributed")
    versions = []
    for name in names:
        with contextlib.suppress(ImportError):
            versions.append(f"{name} {version(name)}")
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({model}), {pages / 2**30:.0f} GB, {system}, {', '.join(versions)}"


def show(title: str, rows: list[dict[str, object]]) -> None:
    """Prints a table in Markdown at once, so that a stopped benchmark has shown what it measured."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="|", lineterminator="|\n|")
    writer.writerows([list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)])
    print(f"\n### {title}\n\n|{text.getvalue()[:-1]}", flush=True)


@click.command()
@click.option("--size", default=40, show_default=True, help="Submissions of the class that all tools grade.")
@click.option(
    "--sizes",
    default="50,200,1000",
    show_default=True,
    help="Sizes of the classes that this grader grades alone; empty for none.",
)
@click.option(
    "--dask/--no-dask",
    default=True,
    show_default=True,
    help="Also grade on a local Dask cluster with 1 and 2 workers.",
)
@click.option(
    "--otter/--no-otter",
    "with_otter",
    default=True,
    show_default=True,
    help="Also run otter (needs the extra 'otter').",
)
def main(size: int, sizes: str, dask: bool, with_otter: bool) -> None:
    """Measures throughput, processor time beyond the submissions' own cells, and memory."""
    print(f"{machine()}\nLoad before: {os.getloadavg()}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_class(folder / "class", HOMEWORK, size)
        spent = overhead(paths[:12])
        show(
            "Processor time of one submission, in seconds (warm, sandboxed, one worker)",
            [{key: f"{value:.3f}" for key, value in spent.items()}],
        )
        walls: dict[str, float] = {}
        with memory() as held:
            walls["(a) warm, sandboxed, 2 workers"] = timed(
                lambda: ours(folder / "class", folder / "a", "--workers", "2", "--sandbox", "required")
            )
        walls["(b) --cold, sandboxed, 2 workers"] = timed(
            lambda: ours(folder / "class", folder / "b", "--workers", "2", "--cold", "--sandbox", "required")
        )
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            if with_otter:
                packed = write_autograder(HOMEWORK, folder / "otter", SEED)
                jobs = [(path, packed, folder / "c") for path in paths]
                walls["(c) otter run, 2 processes"] = timed(lambda: list(pool.map(otter, jobs)))
            walls["(d) bare nbclient, 2 processes"] = timed(lambda: list(pool.map(bare, paths)))
        reference = walls.get("(c) otter run, 2 processes")
        rows: list[dict[str, object]] = []
        for what, wall in walls.items():
            ratio = f"{reference / wall:.1f}" if reference else "–"
            rows.append(
                {
                    "grader": what,
                    "wall, s": f"{wall:.1f}",
                    "submissions/s": f"{size / wall:.2f}",
                    "times otter": ratio,
                }
            )
        show(f"The same {size} submissions, start and end of each grader included", rows)
        same = (folder / "a" / "grades.csv").read_bytes() == (folder / "b" / "grades.csv").read_bytes()
        print(
            f"\nGrades of (a) and (b) {'are the same bytes' if same else 'DIFFER'}. Memory of a worker with"
            f" its sandbox: {held['worker']:.0f} MB."
        )
        rows = []
        for count in [int(part) for part in sizes.split(",") if part]:
            write_class(folder / f"class{count}", HOMEWORK, count)
            with memory() as held:
                wall = timed(
                    lambda count=count: ours(
                        folder / f"class{count}", folder / f"out{count}", "--workers", "2"
                    )
                )  # type: ignore[misc]
            large = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            row = {
                "submissions": count,
                "wall, s": f"{wall:.1f}",
                "submissions/s": f"{count / wall:.2f}",
                "worker in the first 30 s, MB": f"{held['early']:.0f}",
            }
            rows.append(
                {
                    **row,
                    "worker over all, MB": f"{held['worker']:.0f}",
                    "largest process so far, MB": f"{large:.0f}",
                }
            )
            show("This grader, warm and sandboxed, 2 workers", rows[-1:])
        if dask:
            rows = []
            for workers in (1, 2):
                rows.append(on_dask(folder, workers, size))
            show("On Dask", rows)
    print(f"\nLoad after: {os.getloadavg()}")


def on_dask(folder: Path, workers: int, size: int) -> dict[str, object]:
    """Grades the class on a new cluster; its start is not counted, that of its sandboxes is."""
    from distributed import LocalCluster

    quiet = {"dashboard_address": None, "local_directory": str(folder), "processes": True}
    with LocalCluster(n_workers=workers, threads_per_worker=1, **quiet) as cluster:
        wall = timed(
            lambda: ours(folder / "class", folder / f"dask{workers}", "--dask", cluster.scheduler_address)
        )
    same = (folder / f"dask{workers}" / "grades.csv").read_bytes() == (
        folder / "a" / "grades.csv"
    ).read_bytes()
    return {
        "Dask workers": workers,
        "wall, s": f"{wall:.1f}",
        "submissions/s": f"{size / wall:.2f}",
        "grades": "the same bytes" if same else "DIFFER",
    }
