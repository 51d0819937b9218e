"""A class graded in one go: resumed after a kill, not graded twice, the same on Dask, among hostile ones."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import nbformat
import pytest

from autograder.author.build import build_notebook
from autograder.declare import homeworks
from autograder.grade import batch
from autograder.grade.grade import Settings
from autograder.grade.report import Report
from autograder.grade.store import OutputBusyError, Results
from autograder.grade.workers import Graded, key_of, probe
from autograder.names import source_path
from autograder.run.choose import Place
from autograder.run.limits import Limits
from autograder.submissions.find import Submission
from tests.gallery import ROOT

pytestmark = pytest.mark.xdist_group("batch")

HW3 = homeworks()["hw3"]
FAST = ["--seed", "s", "--workers", "2", "--cell-seconds", "5", "--limit", "grace_seconds=1"]


def notebook(cell: str | None = None, blank: bool = False) -> str:
    built = build_notebook(HW3, source_path(ROOT, HW3.stem), blank=blank)
    if cell is not None:
        built.cells.insert(3, nbformat.v4.new_code_cell(cell))
    return nbformat.writes(built)


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "autograder", "grade", *map(str, arguments)]


def files(folder: Path) -> dict[str, bytes]:
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    assert not [name for name in found if "draft" in name]
    # which may show addresses and times
    shown = ("executed.ipynb", "feedback.html", "report.html", "seconds.json", "timing.csv")
    shown += ("changes.csv", "changes.html")  # of a second run, with its time
    return {name: data for name, data in found.items() if not name.endswith(shown)}


def started_by(process: int) -> set[int]:
    """The process's descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    family, size = {process}, 0
    while len(family) != size:
        size = len(family)
        family |= {pid for pid, parent in parents.items() if parent in family}
    return family - {process}


def those_that_stay(processes: set[int]) -> set[int]:
    """Which processes are still there after a few seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and (
        processes := {pid for pid in processes if Path(f"/proc/{pid}").exists()}
    ):
        time.sleep(0.1)
    return processes


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Honest submissions, hostile ones, and files that cannot be read."""
    folder = tmp_path_factory.mktemp("class")
    texts = {
        "ann": notebook(),
        "bob": notebook(blank=True),
        "cy": notebook("x = 1"),
        "dee": notebook("x = 2"),
        "exit": notebook("import os; os._exit(0)"),
    }
    for name, text in texts.items():
        (folder / name).mkdir()
        (folder / name / "hw3_hand_designed.ipynb").write_text(text)
    # nbformat's own ids have 32 random bits: of 10,000, two are alike once in a hundred runs.
    cells = [nbformat.v4.new_code_cell("1", id=f"cell-{number}") for number in range(10_000)]
    many = nbformat.v4.new_notebook(cells=cells)
    (folder / "many-cells.ipynb").write_text(nbformat.writes(many))
    (folder / "huge.ipynb").write_text(
        notebook().replace('"outputs": []', '"outputs": [], "x": "' + "A" * 50_000_000 + '"', 1)
    )
    (folder / "deep.ipynb").write_text("[" * 200_000)
    (folder / "pickled.ipynb").write_bytes(b"\x80\x04cposix\nsystem\nX\x04\x00\x00\x00true\x85R.")
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.ipynb", bytes(250_000_000))
    with zipfile.ZipFile(folder / "escaping.zip", "w") as archive:
        archive.writestr("../../../../escaped.ipynb", notebook(blank=True))
        archive.writestr("/absolute.ipynb", notebook(blank=True))
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("hw3.ipynb", notebook())
    with zipfile.ZipFile(folder / "nested.zip", "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
    with zipfile.ZipFile(folder / "encrypted.zip", "w") as archive:
        archive.writestr("hw3.ipynb", notebook())
    data = bytearray((folder / "encrypted.zip").read_bytes())
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    (folder / "encrypted.zip").write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def graded(handed_in: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    output = tmp_path_factory.mktemp("graded") / "out"
    done = subprocess.run(
        command(handed_in, "-o", output, *FAST), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return output, done.stdout


def test_every_submission_has_a_row_and_the_honest_ones_their_points(
    graded: tuple[Path, str], handed_in: Path
):
    output, said = graded
    rows = {row.split(",")[0]: row.split(",") for row in (output / "grades.csv").read_text().splitlines()[1:]}
    assert (
        float(rows["ann"][4]) == float(rows["cy"][4]) == float(rows["dee"][4]) == float(rows["exit"][4]) > 80
    )
    assert rows["bob"][4] == "0"
    assert rows["exit"][2] == "graded with problems"
    for name, why in {
        "many-cells": "10000 cells",
        "huge": "MB",
        "deep": "nested too deeply",
        "pickled": "UTF-8",
        "bomb": "too large to read",
        "encrypted": "encrypted",
    }.items():
        assert rows[name][2] == "unreadable"
        assert why in rows[name][-1] or why in ",".join(rows[name]), rows[name]
    assert rows["nested"][2] == "graded"  # a zip within a zip is opened
    assert {"escaping-escaped", "escaping-absolute"} <= set(rows)
    assert not list(handed_in.parent.glob("escaped*"))
    assert "/s," in said or "/s, " in said  # progress: rate and time left


def test_the_same_command_again_grades_nothing_and_changes_nothing(
    graded: tuple[Path, str], handed_in: Path, tmp_path: Path
):
    output = tmp_path / "out"
    shutil.copytree(graded[0], output)
    times = {path: path.stat().st_mtime_ns for path in output.rglob("results.json")}
    done = subprocess.run(
        command(handed_in, "-o", output, *FAST), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "have not changed" in done.stdout
    assert files(output) == files(graded[0])
    changed = {
        path.parent.name for path in output.rglob("results.json") if path.stat().st_mtime_ns != times[path]
    }
    assert not changed & {"ann", "bob", "cy", "dee", "exit"}


def test_a_batch_killed_at_any_moment_goes_on_to_the_same_folder(
    graded: tuple[Path, str], handed_in: Path, tmp_path: Path
):
    output = tmp_path / "out"
    left = set()
    for results in (0, 9):  # after so many
        running = subprocess.Popen(
            command(handed_in, "-o", output, *FAST), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 120
        while (
            len(list(output.glob("submissions/*/results.json"))) < results
            and running.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.02)
        time.sleep(0.3)
        left |= started_by(running.pid)
        running.kill()
        running.wait()
    done = subprocess.run(
        command(handed_in, "-o", output, *FAST), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert files(output) == files(graded[0])
    assert not those_that_stay(left)


@pytest.mark.skipif(sys.version_info < (3, 11, 5), reason="nobody else closes it there")
def test_what_the_executors_own_thread_closes_is_closed_once(monkeypatch: pytest.MonkeyPatch):
    executor = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
    assert executor.submit(abs, -1).result() == 1
    reader, closed = executor._call_queue._reader, []
    real = type(reader).close
    monkeypatch.setattr(
        type(reader), "close", lambda one: (closed.append((one, threading.current_thread())), real(one))[1]
    )
    batch._shut_down(executor, [])
    assert (reader, threading.main_thread()) not in closed


def test_ctrl_c_stops_cleanly_and_keeps_what_is_done(handed_in: Path, tmp_path: Path):
    output = tmp_path / "out"
    running = subprocess.Popen(
        command(handed_in, "-o", output, *FAST),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list(output.glob("submissions/*/results.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    family = started_by(running.pid)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to all of them
    said, complained = running.communicate(timeout=120)
    assert running.returncode == 130, complained
    assert "to continue" in said
    assert "Traceback" not in complained
    assert not those_that_stay(family)


def test_two_batches_do_not_write_to_the_same_folder(tmp_path: Path):
    first = Results(tmp_path)
    with pytest.raises(OutputBusyError, match="Another grading run"):
        Results(tmp_path)
    os.close(first.lock)


def test_a_changed_submission_seed_or_limit_is_graded_again():
    settings = Settings("a", limits=Limits())
    one = Submission("x", b"1")
    keys = {
        key_of(one, settings),
        key_of(Submission("x", b"2"), settings),
        key_of(Submission("x", b"1", b"log"), settings),
        key_of(one, Settings("b")),
        key_of(one, Settings("a", limits=Limits(cell_seconds=1))),
        key_of(one, Settings("a", "hw3")),
    }
    assert len(keys) == 6
    assert key_of(one, settings) == key_of(Submission("x", b"1"), Settings("a"))


class Mortal(Executor):
    """An executor whose worker dies of certain submissions."""

    def __init__(self, lethal: set[str], log: list[str]):
        self.lethal, self.log, self.broken = lethal, log, False

    def submit(self, function, *arguments):  # type: ignore[no-untyped-def]
        future: Future = Future()
        if function is probe:
            future.set_result("")
            return future
        name = arguments[0].name
        self.log.append(name)
        if self.broken or name in self.lethal:
            self.broken = True
            future.set_exception(batch.BrokenProcessPool("died"))
        else:
            future.set_result(Graded(Report(name, "hw3", "graded")))
        return future


def test_a_worker_that_dies_costs_no_submission_but_the_one_that_kills_it():
    log: list[str] = []
    submissions = [Submission(f"s{index}") for index in range(12)]
    results = list(batch.run(submissions, Settings("s"), Place(), lambda: Mortal({"s4"}, log), 2))
    status = {one.report.submission: one.report.status for one in results if isinstance(one, Graded)}
    assert len(results) == len(status) == 12
    assert [name for name, state in status.items() if state != "graded"] == ["s4"]


def test_without_bubblewrap_there_is_one_warning_and_required_refuses(tmp_path: Path):
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        (tmp_path / "in" / f"{name}.ipynb").write_text(notebook(blank=True))
    environment = {**os.environ, "PATH": str(Path(sys.executable).parent)}
    done = subprocess.run(
        command(tmp_path / "in", "-o", tmp_path / "out", *FAST),
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Warning") == 1
    assert "bubblewrap" in done.stdout
    refused = subprocess.run(
        command(tmp_path / "in", "-o", tmp_path / "no", *FAST, "--sandbox", "required"),
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert refused.returncode == 1
    assert "--sandbox required" in refused.stderr
    assert not (tmp_path / "no" / "grades.csv").exists()


@pytest.mark.filterwarnings("default")
def test_on_dask_the_grades_are_the_same_and_a_killed_worker_costs_nothing(
    graded: tuple[Path, str], handed_in: Path, tmp_path: Path
):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=str(tmp_path),
    ) as cluster:
        output = tmp_path / "out"
        running = subprocess.Popen(
            command(handed_in, "-o", output, *FAST, "--dask", cluster.scheduler_address),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 120
        while (
            not list(output.glob("submissions/*/executed.ipynb"))
            and running.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.05)
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
        _, complained = running.communicate(timeout=300)
    assert running.returncode == 0, complained
    assert files(output) == files(graded[0])
    assert (
        json.loads((output / "submissions" / "ann" / "results.json").read_text())["extra_data"]["status"]
        == "graded"
    )
