"""Where one submission's processor time goes: the floor, the kernel, the grader."""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from autograder.author.build import build_notebook, dumps
from autograder.author.kit_text import kit_source
from autograder.declare import Homework
from autograder.grade.grade import grade_submission
from autograder.grade.settings import Settings
from autograder.names import CHALLENGES_FILE, KIT_FILE, source_path
from autograder.run.execute import LAST_CELL, compiled
from autograder.run.runner import skip_reason
from autograder.run.sandbox import SandboxKernels
from autograder.submissions.find import Submission
from autograder.submissions.log import challenges_json
from autograder.submissions.notebook import read_notebook
from benchmarks.classes import beside, checkpoint_of
from benchmarks.graders import SEED
from tests.gallery import ROOT


@dataclass(frozen=True)
class Spent:
    """Seconds of one submission, medians: its own cells in plain Python, kernel, grader; and wall time."""

    cells: float
    kernel: float
    grader: float
    wall: float

    @property
    def beyond(self) -> float:
        """What is spent beyond the own cells."""
        return self.kernel + self.grader - self.cells


def spent(homework: Homework, repeats: int) -> Spent:
    """Measures the reference, with one worker, warm and sandboxed, the floor beside it."""
    import torch

    torch.set_num_threads(1)  # as in a worker
    text = dumps(build_notebook(homework, source_path(ROOT, homework.stem), blank=False))
    submission = Submission("reference", text.encode(), attachments=checkpoint_of(homework))
    kernels = SandboxKernels()
    rows = []
    for _ in range(repeats + 1):  # the first time imports and draws
        started, wall = time.process_time(), time.monotonic()
        _, execution = grade_submission(submission, Settings(SEED), kernels)
        kernel = execution.cpu_seconds if execution else 0.0
        rows.append((kernel, time.process_time() - started, time.monotonic() - wall))
    kernels.close()
    kernel, grader, wall = (statistics.median(column) for column in list(zip(*rows, strict=True)))
    return Spent(own_cells(homework, text, repeats), kernel, grader, wall)


def own_cells(homework: Homework, text: str, repeats: int) -> float:
    """The floor: a notebook's graded cells alone, in plain Python, forked where all is imported."""
    cells = [
        cell
        for cell in read_notebook(text.encode()).cells
        if cell.cell_type == "code" and not skip_reason(cell)
    ]
    sources = [*(cell.source for cell in cells), LAST_CELL]
    kit = kit_source(homework)
    files = beside(homework.id) | {
        KIT_FILE: kit.encode(),
        CHALLENGES_FILE: challenges_json(homework, homework.draw(SEED)),
    }
    told, tell = os.pipe()
    if os.fork() == 0:  # a process of its own, since it imports what this one should not have
        with contextlib.suppress(BaseException):
            os.write(tell, f"{_warm(homework, sources, files, compiled(kit), repeats)}".encode())
        os._exit(0)
    os.close(tell)
    with os.fdopen(told) as file:
        said = file.read()
    os.wait()
    return float(said or "nan")


def _warm(
    homework: Homework, sources: Sequence[str], files: dict[str, bytes], code: dict[str, bytes], repeats: int
) -> float:
    """Imports, then forks a child for each repetition; its processor seconds, fork and exit included."""
    for name in ("numpy", "torch", "matplotlib.pyplot", *homework.imports):
        with contextlib.suppress(ImportError):
            __import__(name)
    os.environ["MPLBACKEND"] = "agg"
    found = []
    for _ in range(repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                (Path(folder) / name).write_bytes(data)
            (Path(folder) / "__pycache__").mkdir()
            for name, data in code.items():
                (Path(folder) / "__pycache__" / name).write_bytes(data)
            before = os.times()
            child = os.fork()
            if child == 0:
                with contextlib.suppress(BaseException):
                    _run(sources, folder)
                os._exit(0)
            os.waitpid(child, 0)
            after = os.times()
        found.append(
            after.children_user - before.children_user + after.children_system - before.children_system
        )
    return statistics.median(found[1:])


def _run(sources: Sequence[str], folder: str) -> None:
    os.chdir(folder)
    sys.path.insert(0, folder)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        sys.modules["__main__"] = main = ModuleType("__main__")  # where the kit looks for answers
        for source in sources:
            with contextlib.suppress(Exception):
                exec(compile(source, "cell", "exec"), main.__dict__)
