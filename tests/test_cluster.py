"""A Dask cluster that is not there, has no grader or another one: said at once, with both versions named."""

from __future__ import annotations

import math
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from autograder.grade import batch, cluster
from autograder.grade.batch import BatchError
from autograder.grade.grade import Settings
from autograder.grade.report import Report
from autograder.grade.workers import Graded, grader_version, key_of, probe
from autograder.run import container
from autograder.run.choose import Place
from autograder.run.limits import Limits
from autograder.submissions.find import Submission
from tests.gallery import ROOT

pytestmark = pytest.mark.xdist_group("batch")

BLOCKED = """
import sys
class Refuses:
    def find_spec(self, name, *_):
        if name.split(".")[0] == "autograder":
            raise ModuleNotFoundError("No module named 'autograder'", name="autograder")
sys.meta_path.insert(0, Refuses())
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(path: Path | None, folder: Path) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """A scheduler and, if a PYTHONPATH for it is given, a worker; both end afterwards."""
    pytest.importorskip("distributed")
    address = f"tcp://127.0.0.1:{free_port()}"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    python = [sys.executable, "-m"]
    scheduler = [*python, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--no-dashboard"]
    started = [subprocess.Popen([*scheduler, "--port", address.rpartition(":")[2]], **quiet)]
    try:
        if path is not None:
            worker = [*python, "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard"]
            environment = {**os.environ, "PYTHONPATH": str(path)}
            started.append(subprocess.Popen([*worker, "--nthreads", "1"], env=environment, **quiet))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                cluster._knock(address)
                break
            except BatchError:
                time.sleep(0.2)
        yield address, started
    finally:
        for process in started:
            process.kill()
            process.wait()


def connect(address: str) -> tuple[str, float]:
    """What connecting says, and after how many seconds."""
    started = time.monotonic()
    with pytest.raises(BatchError) as told, cluster.cluster(address):
        pass
    return str(told.value), time.monotonic() - started


def test_a_dead_scheduler_is_said_within_5_seconds():
    pytest.importorskip("distributed")
    told, seconds = connect(f"tcp://127.0.0.1:{free_port()}")
    assert "No Dask scheduler answers at tcp://127.0.0.1:" in told
    assert seconds < 5


def test_something_that_is_no_scheduler_is_said_within_10_seconds():
    pytest.importorskip("distributed")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told, seconds = connect(f"tcp://127.0.0.1:{silent.getsockname()[1]}")
    assert "No Dask scheduler answers" in told
    assert seconds < 10


@pytest.mark.filterwarnings("default")
def test_a_worker_without_the_package_is_said_within_30_seconds(tmp_path: Path):
    (tmp_path / "sitecustomize.py").write_text(BLOCKED)
    with running(tmp_path, tmp_path) as (address, _):
        told, seconds = connect(address)
    assert "1 of 1 Dask workers cannot load the grader: tcp://127.0.0.1:" in told
    assert "No module named 'autograder'" in told
    assert f"Install {grader_version()} there" in told
    assert seconds < 30


@pytest.mark.filterwarnings("default")
def test_a_worker_with_another_grader_is_refused_and_both_are_named(tmp_path: Path):
    shutil.copytree(
        ROOT / "autograder", tmp_path / "autograder", ignore=shutil.ignore_patterns("__pycache__")
    )
    with (tmp_path / "autograder" / "homeworks" / "hw3" / "homework.py").open("a") as file:
        file.write("# other points\n")
    with running(tmp_path, tmp_path) as (address, _):
        told, _ = connect(address)
    theirs = next(word for word in told.replace(";", " ").split() if "+" in word and word != grader_version())
    assert f"has {theirs}" in told
    assert grader_version() in told
    assert "1 of 1 Dask workers have another grader" in told


@pytest.mark.filterwarnings("default")
def test_a_scheduler_that_dies_in_the_middle_is_said(tmp_path: Path):
    def work(address: str, scheduler: subprocess.Popen) -> None:
        with cluster.cluster(address) as (executors, count):
            assert count == 1
            executors().submit(time.sleep, 60)
            executors.alive()
            time.sleep(1)
            scheduler.kill()
            scheduler.wait()
            executors.alive()

    says = r"No Dask scheduler answers .* any more.*the same command goes on"
    with running(ROOT, tmp_path) as (address, started), pytest.raises(BatchError, match=says):
        work(address, started[0])


class Other(Executor):
    """A worker with another grader, which came after all others had been asked."""

    def __init__(self, result):  # type: ignore[no-untyped-def]
        self.result = result

    def submit(self, function, *arguments):  # type: ignore[no-untyped-def]
        future: Future = Future()
        future.set_result("" if function is probe else self.result(arguments[0]))
        return future


def graded(result) -> list:  # type: ignore[no-untyped-def]
    return list(batch.run([Submission("a", b"{}")], Settings("s"), Place(), lambda: Other(result), 1))


def test_a_result_of_another_grader_is_not_kept():
    with pytest.raises(BatchError, match=r"has the grader 0\.1\+ab, but here is "):
        graded(lambda one: Graded(Report(one.name, "hw3", "graded", key="x"), version="0.1+ab"))
    with pytest.raises(BatchError, match="has the grader another one"):  # it is so old that it does not say
        graded(lambda one: Graded(Report(one.name, "hw3", "graded", key="x")))
    key = key_of(Submission("a", b"{}"), Settings("s"))
    mine = graded(lambda one: Graded(Report(one.name, "hw3", "graded", key=key), version=grader_version()))
    assert [one.report.submission for one in mine] == ["a"]


class Silent:
    """A cluster from which no result comes any more."""

    def __call__(self) -> Executor:
        return Silence()

    def alive(self) -> None:
        raise BatchError("The scheduler is gone.")


class Silence(Executor):
    def submit(self, function, *arguments):  # type: ignore[no-untyped-def]
        future: Future = Future()
        if function is probe:
            future.set_result("")
        return future


def test_a_batch_that_waits_for_nothing_ends_within_5_seconds():
    started = time.monotonic()
    with pytest.raises(BatchError, match="The scheduler is gone"):
        list(batch.run([Submission("a", b"{}")], Settings("s"), Place(), Silent(), 1))
    assert time.monotonic() - started < 5


# --- memory and cores of a container ------------------------------------------------------------------------


def groups(tmp_path: Path, mine: str, files: dict[str, str]) -> tuple[Path, Path]:
    for name, text in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "mine").write_text(mine)
    return tmp_path / "cgroup", tmp_path / "mine"


V2 = "0::/docker/abc\n"
V1 = "11:pids:/x\n9:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/x\n"


@pytest.mark.parametrize(
    ("mine", "files", "limit"),
    [
        (V2, {"docker/abc/memory.max": "1073741824\n"}, 1_073_741_824),
        (V2, {"docker/abc/memory.max": "max\n", "docker/memory.max": "800000000\n"}, 800_000_000),
        (V2, {"memory.max": "700000000\n"}, 700_000_000),
        (V2, {"memory.max": "max\n"}, None),
        (V1, {"memory/docker/abc/memory.limit_in_bytes": "600000000\n"}, 600_000_000),
        (V1, {"memory/memory.limit_in_bytes": "500000000\n"}, 500_000_000),
        (V1, {"memory/memory.limit_in_bytes": "9223372036854771712\n"}, None),
        ("", {}, None),
    ],
)
def test_the_memory_limit_follows_the_containers(mine: str, files: dict, limit: int | None, tmp_path: Path):
    places = groups(tmp_path, mine, files)
    assert container.container_memory(*places) == limit
    allowed = container.within_container(Limits(), *places).memory_bytes
    assert allowed == (Limits.memory_bytes if limit is None else max(limit / 2, limit - 500e6))


def test_more_memory_in_the_container_than_a_kernel_may_have_changes_nothing(tmp_path: Path):
    places = groups(tmp_path, V2, {"memory.max": "64000000000"})
    assert container.within_container(Limits(), *places) == Limits()


@pytest.mark.parametrize(
    ("mine", "files", "cores", "workers"),
    [
        (V2, {"docker/abc/cpu.max": "max 100000\n"}, math.inf, 64),
        (V2, {"docker/abc/cpu.max": "50000 100000\n", "cpu.max": "max 100000\n"}, 0.5, 1),
        (V2, {"cpu.max": "350000 100000\n"}, 3.5, 3),
        (V2, {"cpu.max": "400000 100000\n", "memory.max": "2500000000\n"}, 4.0, 2),
        (V2, {"cpu.max": "nonsense\n", "memory.max": "768000000\n"}, math.inf, 1),
        (V1, {"cpu/docker/abc/cpu.cfs_quota_us": "-1\n"}, math.inf, 64),
        (
            V1,
            {
                "cpu/docker/abc/cpu.cfs_quota_us": "200000\n",
                "cpu/docker/abc/cpu.cfs_period_us": "100000\n",
            },
            2.0,
            2,
        ),
    ],
)
def test_a_container_has_as_many_workers_as_it_may_use_cores_and_memory(
    mine: str, files: dict, cores: float, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(container.os, "sched_getaffinity", lambda _: set(range(64)))
    places = groups(tmp_path, mine, files)
    assert container.container_cores(*places) == cores
    assert container.usual_workers(*places) == workers


@pytest.mark.parametrize(
    ("mine", "name", "text"),
    [
        (V2, "docker/abc/memory.events", "low 0\nhigh 0\nmax 12\noom 3\noom_kill 3\n"),
        (V1, "memory/docker/abc/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
    ],
)
def test_kills_by_the_container_are_counted(mine: str, name: str, text: str, tmp_path: Path):
    assert container.memory_kills(*groups(tmp_path, mine, {name: text})) == 3
    assert container.memory_kills(tmp_path / "no", tmp_path / "none") == 0


def test_a_kill_by_the_container_is_called_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import nbformat

    from autograder.author.build import build_notebook
    from autograder.author.kit_text import kit_source
    from autograder.declare import homeworks
    from autograder.names import source_path
    from autograder.run.execute import execute
    from autograder.run.plain import PlainKernels
    from autograder.submissions.log import challenges_json

    homework = homeworks()["hw3"]
    built = build_notebook(homework, source_path(ROOT, homework.stem))
    mark = tmp_path / "killed"
    kill = f"open({str(mark)!r}, 'w').close()\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    built.cells.insert(3, nbformat.v4.new_code_cell(kill))
    monkeypatch.setattr(container, "memory_kills", lambda: int(mark.exists()))
    monkeypatch.setattr(container, "container_memory", lambda: 512_000_000)
    done = execute(
        built,
        kit_source=kit_source(homework),
        challenges=challenges_json(homework, homework.draw("s")),
        kernels=PlainKernels(),
    )
    assert any("used up the memory of the container (512 MB) and was stopped" in told for told in done.events)
