"""What is compared: this grader, ``otter run`` and bare nbclient, each as it is used for a class."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import nbformat

from benchmarks.classes import Handed, beside, for_others

SEED = "benchmark"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
PROCESSES = 2


def timed(work: Callable[[], object]) -> float:
    """Seconds of wall time."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def ours(folders: Sequence[Path], output: Path, *options: str) -> None:
    """``autograder grade`` as an instructor runs it, start and end included."""
    command = [sys.executable, "-m", "autograder", "grade", *map(str, folders), "-o", str(output)]
    subprocess.run([*command, "--seed", SEED, *options], check=True, stdout=subprocess.DEVNULL)


def all_otter(handed: Sequence[Handed], packed: Path, output: Path) -> float:
    """Seconds that otter needs for notebooks, two processes at a time."""
    jobs = [(for_others(one), packed, output / one.path.parent.name, one.path.name) for one in handed]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        return timed(lambda: list(pool.map(_otter, jobs)))


def _otter(job: tuple[str, Path, Path, str]) -> None:
    text, packed, folder, name = job
    folder.mkdir(parents=True)
    (folder / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "otter", "run", "--no-logo", "-a", str(packed), "-o", str(folder), name]
    subprocess.run(command, check=True, capture_output=True, cwd=folder, env={**os.environ, **ONE_THREAD})


def all_bare(handed: Sequence[Handed]) -> float:
    """Seconds that nbclient needs to run the cells, without any grading, two processes at a time."""
    jobs = [(for_others(one), one.homework) for one in handed]
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        return timed(lambda: list(pool.map(_bare, jobs)))


def _bare(job: tuple[str, str]) -> None:
    from nbclient import NotebookClient

    text, name = job
    os.environ.update(ONE_THREAD)
    with tempfile.TemporaryDirectory() as folder:
        for file, data in beside(name).items():
            (Path(folder) / file).write_bytes(data)
        NotebookClient(
            nbformat.reads(text, as_version=4),
            timeout=120,
            allow_errors=True,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        ).execute(stderr=subprocess.DEVNULL)
