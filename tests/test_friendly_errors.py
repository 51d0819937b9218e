"""What a machine refuses is said in one sentence, exit code 2; the same command then goes on."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.author.build import build_notebook, dumps
from autograder.cli import trouble
from autograder.cli.main import main
from autograder.declare import DataUnavailableError, homeworks
from autograder.grade import batch, workers
from autograder.grade.grade import Settings
from autograder.grade.store import OutputBusyError, Results
from autograder.hosts import gradescope
from autograder.names import source_path
from autograder.run.choose import Place
from autograder.submissions.find import Submission
from tests import example_results
from tests.gallery import ROOT
from tests.platforms import make_bundle, unpack_base


def run(*arguments: object, code: int = trouble.REFUSED) -> str:
    """What a command says; without a traceback, in few lines, with this exit code."""
    result = CliRunner().invoke(main, [str(one) for one in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    assert not isinstance(result.exception, OSError | sqlite3.Error)
    assert "Traceback" not in result.output
    if code == trouble.REFUSED:
        told = result.output[result.output.index("Error: ") :].strip()
        assert len(told.splitlines()) == 1, told
        assert "None" not in told
        return told
    return result.output


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    example_results.write(folder, 2)
    return folder


@pytest.fixture
def graded(results: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(results, tmp_path / "out"))


@pytest.mark.parametrize(
    "command", [["build"], ["release"], ["export", "hw3", "--otter-assign", "-o", "master"]]
)
def test_outside_a_checkout_the_command_says_where_it_belongs(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    told = run(*command)
    assert f"{tmp_path} is not a checkout" in told
    assert "--root" in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command", [["manual-grading", "--port", "0"], ["report"], ["manual-grading", "--export", "x.csv"]]
)
def test_a_folder_without_results_is_named(command: list[str], tmp_path: Path):
    told = run(*command, tmp_path)
    assert f"{tmp_path}: no results; grade submissions into this folder first" in told
    assert "port" not in told


def test_a_port_that_is_taken_is_still_said_to_be(graded: Path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} at 127.0.0.1: " in run("manual-grading", graded, "--port", port, code=1)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A submission that is quickly graded: it cannot be read."""
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.ipynb").write_text("{")
    return folder


def test_an_output_folder_below_a_file_is_refused_in_words(one: Path, tmp_path: Path):
    (tmp_path / "file").write_text("")
    told = run("grade", one, "-o", tmp_path / "file" / "out", "--workers", 1)
    assert "a part of this path is a file" in told
    assert str(tmp_path / "file") in told
    run("grade", one, "-o", tmp_path / "out", "--workers", 1, code=0)


def test_a_file_where_a_folder_of_results_belongs_is_refused_in_words(graded: Path):
    page = graded / "submissions" / "student-00" / "feedback.html"
    page.unlink()
    page.mkdir()
    told = run("report", graded, "--reveal", "all")
    assert "this is a folder, but must be a file" in told
    assert str(page) in told
    page.rmdir()
    run("report", graded, "--reveal", "all", code=0)


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ESTALE, errno.ENOLINK]
)
@pytest.mark.parametrize("function", ["mkdir", "replace"])
def test_an_output_folder_that_cannot_be_written_is_told_with_its_cause(
    number: int, function: str, one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(path, *_, **__):
        raise OSError(number, os.strerror(number), os.fspath(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "mkdir", refuse) if function == "mkdir" else patch.setattr(os, "replace", refuse)
        told = run("grade", one, "-o", tmp_path / "out", "--seed", "s", "--workers", 1)
    assert str(tmp_path / "out") in told
    assert told.endswith("then run the same command again.")
    assert "[Errno" not in told


class FullDisk:
    """A disk on which all writes fail from the n-th one on."""

    def __init__(self, room: int):
        self.room, self.write, self.refused = room, Path.write_bytes, 0

    def __call__(self, path: Path, data: bytes) -> int:
        self.room -= 1
        if self.room < 0:
            self.refused += 1
            self.write(path, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.write(path, data)


def texts(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".sqlite3"
    }


@pytest.mark.parametrize("room", [0, 2, 8])
def test_a_disk_that_fills_at_any_write_keeps_what_is_there_and_the_same_command_goes_on(
    room: int, graded: Path, results: Path, monkeypatch: pytest.MonkeyPatch
):
    run("report", graded, "--reveal", "all", code=0)
    wanted = texts(graded)
    run("report", graded, "--reveal", "words", code=0)
    before = texts(graded)
    full = FullDisk(room)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", lambda path, data: full(path, data))
        result = CliRunner().invoke(main, ["report", str(graded), "--reveal", "all"])
    if not full.refused:  # enough room for all that changes
        assert result.exit_code == 0
        assert room >= 3
    else:
        assert result.exit_code == trouble.REFUSED, result.output
        assert "the disk is full. Files written so far are kept" in result.output
        assert str(graded) in result.output
    now = texts(graded)
    assert now.keys() == before.keys(), "no draft is left, no file is lost"
    assert all(data in (before[name], wanted[name]) for name, data in now.items())
    run("report", graded, "--reveal", "all", code=0)
    assert texts(graded) == wanted


@pytest.mark.parametrize("room", [1, 4])
def test_a_disk_that_fills_while_grading_keeps_what_is_judged(
    room: int, one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (one / "b.ipynb").write_text("[")
    command = ["grade", one, "-o", tmp_path / "out", "--workers", 1, "--seed", "s"]
    full = FullDisk(room)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", lambda path, data: full(path, data))
        patch.setattr(fcntl, "flock", lambda *_: None)  # this process would keep the lock
        told = run(*command)
    assert "the disk is full" in told
    assert not list((tmp_path / "out").rglob("*.draft"))
    kept = list((tmp_path / "out").rglob("results.json"))
    assert all(json.loads(path.read_text()) for path in kept)
    again = [sys.executable, "-m", "autograder", *map(str, command)]  # in a process that has no lock yet
    done = subprocess.run(again, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 submissions graded" in done.stdout


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("database or disk is full", "the disk is full"),
        ("attempt to write a readonly database", "it is read-only"),
        ("unable to open database file", "it cannot be opened"),
        ("database is locked", "another program has locked it"),
        ("something else", "something else"),
    ],
)
def test_a_refusal_of_the_desk_s_database_is_told(
    said: str, words: str, graded: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    def refuse(*_, **__):
        raise sqlite3.OperationalError(said)

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", refuse)
        assert words in run("manual-grading", graded, "--export", tmp_path / "marks.csv")
    run("manual-grading", graded, "--export", tmp_path / "marks.csv", code=0)


def test_a_damaged_database_is_told(graded: Path, tmp_path: Path):
    (graded / "desk.sqlite3").write_bytes(b"no database at all, but rather long" * 40)
    assert "it is not a manual grading database" in run(
        "manual-grading", graded, "--export", tmp_path / "marks.csv"
    )


def test_files_that_may_not_be_read_are_named(one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_text", refuse)
        patch.setattr(Path, "iterdir", refuse)
        assert f"{one}: permission denied" in run("grade", one, "-o", tmp_path / "out")
    for command in (["export-grades", "--to", "moodle", "--collected"], ["report"]):
        if command[0] == "report":
            continue
        grades = tmp_path / "grades.csv"
        grades.write_text("submission,points,status\n")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", lambda path, *_, **__: refuse(path))
            told = run(*command, grades, "--file", grades, "-o", tmp_path / "up.csv", grades)
        assert "permission denied" in told


def test_a_pipe_that_closes_is_no_error_of_ours():
    assert trouble.refused(BrokenPipeError(errno.EPIPE, "Broken pipe")) is None
    assert trouble.refused(ValueError("a fault in the grader")) is None


def test_a_share_without_locks_is_no_other_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(number: int):
        def lock(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        return lock

    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOLCK))
    assert Results(tmp_path).folder == tmp_path
    monkeypatch.setattr(fcntl, "flock", refuse(errno.EWOULDBLOCK))
    with pytest.raises(OutputBusyError):
        Results(tmp_path)


# --- data that was never fetched ----------------------------------------------------------------------------

WHY = "The movie sentences could not be fetched with pip:\nno network\nBy hand: …"


def without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(*_: object) -> None:
        raise DataUnavailableError(WHY)

    from autograder.grade import grade

    monkeypatch.setattr(grade, "_drawn", draw)


def hw3(folder: Path) -> Path:
    declared = homeworks()["hw3"]
    folder.mkdir()
    (folder / "hw3.ipynb").write_text(dumps(build_notebook(declared, source_path(ROOT, declared.stem))))
    return folder


class Here(batch.Executor):
    """An executor in this process."""

    def submit(self, function, *arguments):  # type: ignore[no-untyped-def]
        future: batch.Future = batch.Future()
        try:
            future.set_result("" if function is workers.probe else function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def test_a_homework_without_its_data_does_not_give_anybody_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = hw3(tmp_path / "in")
    without_data(monkeypatch)
    monkeypatch.setattr(batch, "local_executor", lambda *_: Here())
    monkeypatch.setattr(workers, "probe", lambda place: "")
    told = run("grade", folder, "-o", tmp_path / "out", "--sandbox", "off")
    assert "lacks data that a homework needs; nothing was graded" in told
    assert "'python -m autograder.author.fetch'" in told
    assert "The movie sentences could not be fetched" in told
    assert not (tmp_path / "out" / "grades.csv").exists()
    assert not list((tmp_path / "out").rglob("results.json"))


def test_a_worker_passes_missing_data_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    notebook = (hw3(tmp_path / "in") / "hw3.ipynb").read_bytes()
    without_data(monkeypatch)
    with pytest.raises(DataUnavailableError):
        workers.grade(Submission("a", notebook), Settings("s"), Place("off"))


def test_gradescope_says_that_it_could_not_start_and_gives_no_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    notebook = (hw3(tmp_path / "in") / "hw3.ipynb").read_text()
    archive = make_bundle(tmp_path / "hw3.zip", platform="gradescope")
    base = unpack_base(tmp_path / "autograder", archive, {"hw3.ipynb": notebook})
    without_data(monkeypatch)
    assert gradescope.run(base) == 1
    made = json.loads((base / "results" / "results.json").read_text())
    assert made["output"].startswith(
        "The autograder could not start: The movie sentences could not be fetched"
    )
    assert "score" not in made
    assert made["tests"] == []
