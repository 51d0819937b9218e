"""What stands around the kernel is under limits, too: a submission that exceeds one costs itself only."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from autograder.author.build import build_notebook, dumps
from autograder.declare import homeworks
from autograder.grade import grade as grading
from autograder.grade import workers
from autograder.grade.grade import Settings
from autograder.grade.report import Report
from autograder.grade.store import Results
from autograder.hosts import bundle, gradescope, one_submission
from autograder.names import source_path
from autograder.report import class_report, feedback, publish
from autograder.report.notebook_html import MAX_SHOWN, render_cells
from autograder.report.safehtml import MAX_TEXT
from autograder.run import guard
from autograder.run.choose import kernels
from autograder.run.execute import execute
from autograder.run.guard import OverLimitError, limited
from autograder.run.limits import Limits
from autograder.submissions.errors import SubmissionError
from autograder.submissions.find import Submission
from autograder.submissions.library_calls import find_library_calls
from autograder.submissions.library_search import MAX_CELL
from autograder.submissions.log import MAX_LOG_BYTES, read_log
from autograder.submissions.notebook import read_notebook
from tests.conftest import PLACE, SETTINGS, reference
from tests.gallery import ROOT

HW3 = homeworks()["hw3"]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")


# --- the guard ----------------------------------------------------------------------------------------------


@LINUX
def test_a_step_that_takes_too_long_is_stopped_even_where_everything_is_caught():
    def go_on_whatever_happens() -> None:
        while True:
            with contextlib.suppress(Exception):
                sum(range(1000))

    with pytest.raises(OverLimitError, match=r"took longer than 0\.1 s"), limited(0.1):
        go_on_whatever_happens()


@LINUX
def test_a_step_that_takes_too_much_memory_is_stopped():
    with pytest.raises(OverLimitError, match=r"took more than 0\.1 GB"), limited(10, memory=100_000_000):
        bytearray(300_000_000)
    assert bytearray(300_000_000)


@LINUX
def test_a_step_that_holds_the_interpreter_ends_its_process():
    code = (
        "from autograder.run import guard; guard.SPARE_SECONDS = 0.1\n"
        "import itertools\nwith guard.limited(0.1): any(itertools.repeat(0))\nprint('still there')"
    )
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=ROOT, timeout=60)
    assert done.returncode < 0
    assert not done.stdout
    assert time.monotonic() - started < 50


@LINUX
def test_what_follows_a_limited_step_has_its_own_time():
    with limited(0.3):
        pass
    started = time.process_time()
    while time.process_time() - started < 0.5:
        sum(range(1000))


@LINUX
def test_a_submission_that_takes_long_to_read_is_open_and_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grading, "SECONDS", 0.05)

    def slow(*_: object) -> None:
        while True:
            sum(range(1000))

    monkeypatch.setattr(grading, "read", slow)
    made = workers.grade(Submission("slow", b"{}"), SETTINGS, PLACE).report
    assert made.status == "unreadable"
    assert "took longer than 0.05 s" in made.notes[0]
    assert made.key, "the same again would take as long"
    assert not made.fault
    config = bundle.Config("hw3", "seed")
    assert "took longer than" in one_submission.judge(Submission("slow", b"{}"), config).notes[0]


# --- the log ------------------------------------------------------------------------------------------------


def test_a_log_full_of_broken_responses_is_read_in_seconds():
    name = next(one.name for q in HW3.questions.values() for one in q.entries if one.hidden_inputs)
    broken = {str(index): {"status": "ok", "result": 1, "more": "x" * 90} for index in range(110_000)}
    entry = {"status": "ok", "responses": broken}
    log = {"schema": "attention-homeworks/log/1", "homework": "hw3", "entries": {name: entry}}
    data = json.dumps(log).encode()
    assert MAX_LOG_BYTES * 0.9 < len(data) <= MAX_LOG_BYTES
    started = time.process_time()
    found = read_log(data, HW3)
    assert time.process_time() - started < 10
    assert found.entries[name].status == "invalid"


LOG = b'{"schema": "attention-homeworks/log/1", "homework": "hw3", "entries": {}}'


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (LOG.decode().encode("utf-16"), "not UTF-8"),
        (LOG.replace(b'"hw3"', b'"hw3", "homework": "hw4"'), "belongs to hw4"),  # the last of doubled keys
        (LOG.replace(b"{}", b'{"a": 1e400}'), ""),
        (LOG.replace(b"{}", b'{"a": ' + b"9" * 5_000 + b"}"), "too many digits"),
        (LOG.replace(b"{}", b"[" * 100_000 + b"]" * 100_000), "nested too deeply"),
        (LOG.replace(b"{}", b'{"\\ud83d": {}}'), ""),
        (b"\xef\xbb\xbf" + LOG, ""),
        (LOG[:-1], "not valid JSON"),
        (b"\x00" * 100, "not valid JSON"),
    ],
    ids=["UTF-16", "doubled key", "1e400", "digits", "depth", "half emoji", "BOM", "cut", "zeros"],
)
def test_odd_logs_are_read_or_refused_in_words(data: bytes, says: str):
    if says:
        with pytest.raises(SubmissionError, match=says):
            read_log(data, HW3)
    else:
        assert read_log(data, HW3).homework == "hw3"


# --- outputs ------------------------------------------------------------------------------------------------


def run(source: str, **limits: float):
    notebook = new_notebook()
    notebook.cells = [new_code_cell(source), new_code_cell("print('after')")]
    return execute(
        notebook,
        kit_source="def _opened(): raise SystemExit",
        limits=replace(Limits(), **limits),
        kernels=kernels(PLACE)[0],
    )


FLOODS = {
    "updates": (
        "from IPython.display import display\nshown = [display(i, display_id=True) for i in range(40)]\n"
        "for one in shown: one.update('x' * 3_500_000)"
    ),
    "one display updated for ever": (
        "from IPython.display import display\none = display(1, display_id=True)\n"
        "for i in range(40): one.update('x' * 350_000)"
    ),
    "comms": (
        "from comm import create_comm\n"
        "for i in range(40): create_comm(target_name='x', data={'state': 'x' * 1_000_000})"
    ),
    "buffers of comms": (
        "from comm import create_comm\n"
        "for i in range(40): create_comm(target_name='x', data={}, buffers=[b'x' * 1_000_000])"
    ),
    "results": "from IPython.display import display\nfor i in range(40): display('x' * 300_000)",
}


@pytest.mark.parametrize("source", FLOODS.values(), ids=FLOODS)
def test_every_message_of_a_kernel_counts(source: str):
    done = run(source)
    assert len(nbformat.writes(done.notebook)) < 2 * Limits.output_bytes
    assert "printed" in " ".join(done.events)
    assert "widgets" not in done.notebook.metadata


def test_all_cells_together_have_a_limit():
    notebook = new_notebook()
    notebook.cells = [new_code_cell("print('x' * 900)") for _ in range(70)]
    done = execute(
        notebook,
        kit_source="def _opened(): raise SystemExit",
        limits=replace(Limits(), output_bytes=1_000),
        kernels=kernels(PLACE)[0],
    )
    kept = sum(len(output.text) for cell in done.notebook.cells for output in cell.outputs)
    assert 45_000 < kept < 55_000 < 70 * 900  # a print may arrive in pieces, of which the last are dropped
    assert "in all" in " ".join(done.events)


# --- pages --------------------------------------------------------------------------------------------------


def test_what_is_too_much_for_a_page_is_cut_and_the_page_says_so():
    def shown(cell) -> str:
        notebook = new_notebook()
        notebook.cells = [cell]
        return "".join(render_cells(notebook))

    long = "a = 1\n" * (MAX_TEXT // 3)
    assert "Cut here" in shown(new_code_cell(long))
    assert "Cut here" in shown(new_markdown_cell(long))
    for output in (
        {"output_type": "stream", "name": "stdout", "text": long},
        {"output_type": "error", "ename": "E", "evalue": "", "traceback": [long]},
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": f"<b>{long}</b>"}},
        {"output_type": "display_data", "metadata": {}, "data": {"text/plain": long}},
    ):
        assert "Cut here" in shown(new_code_cell("1", outputs=[nbformat.from_dict(output)]))
    notebook = new_notebook()
    notebook.cells = [new_markdown_cell("x" * MAX_TEXT) for _ in range(MAX_SHOWN // MAX_TEXT + 5)]
    assert "cells follow" in render_cells(notebook)[-1]


@LINUX
def test_a_page_that_takes_too_long_goes_without_the_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def slow(*_: object) -> None:
        while True:
            sum(range(1000))

    (tmp_path / "executed.ipynb").write_text(nbformat.writes(new_notebook()))
    monkeypatch.setattr(feedback, "shown_cells", slow)
    monkeypatch.setattr(feedback, "PAGE_SECONDS", 1.0)
    assert feedback.write_feedback(tmp_path, Report("a", "hw3", "graded"), "words")
    made = (tmp_path / "feedback.html").read_text()
    assert "to show it took longer than 1 s" in made


@LINUX
def test_submissions_that_take_too_long_to_compare_are_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def slow(*_: object) -> None:
        while True:
            sum(range(1000))

    monkeypatch.setattr(class_report.similarity, "compare_notebooks", slow)
    monkeypatch.setattr(class_report, "COMPARE_SECONDS", 0.05)
    made = class_report.page([Report("a", "hw3", "graded")], tmp_path)
    assert "were not compared: to do so took longer than" in made


def test_a_writer_that_dies_costs_its_own_page_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plain: list[str] = []

    def some(jobs, workers, told):
        """The process dies on the third page, each time."""
        while jobs:
            job = jobs.popleft()
            if job[1].submission == "c":
                return [job]
            feedback.write_feedback(*job)
        return []

    original = feedback.write_feedback

    def noted(folder, graded, reveal, plain_words="", **more):
        words = more.get("plain", plain_words)
        plain.extend([graded.submission] if words else [])
        return original(folder, graded, reveal, words)

    monkeypatch.setattr(publish, "_write_some", some)
    monkeypatch.setattr(feedback, "write_feedback", noted)
    reports = [Report(name, "hw3", "graded") for name in "abcde"]
    publish._write_all(tmp_path, reports, "words", lambda done, total: None)
    assert plain == ["c"]
    pages = {name: (tmp_path / "submissions" / name / "feedback.html").read_text() for name in "abcde"}
    assert [name for name, text in pages.items() if "ended the process" in text] == ["c"]


# --- half an emoji ------------------------------------------------------------------------------------------


def test_half_an_emoji_is_replaced_wherever_it_comes_from(tmp_path: Path):
    text = dumps(build_notebook(HW3, source_path(ROOT, HW3.stem)))
    notebook = read_notebook(text.encode())
    notebook.cells.append(new_code_cell("print('half \\ud83d and whole \\U0001f600')"))
    notebook.cells.append(new_markdown_cell("**Answer 3.7**\n\nI like it \ud83d, and \U0001f600."))
    data = json.dumps(notebook).encode()
    assert b"\\ud83d" in data
    found = read_notebook(data).cells[-1].source
    assert "�" in found
    assert "\U0001f600" in found
    gradescope.write(tmp_path / "results.json", {"output": "half \ud83d"})
    assert "half �" in (tmp_path / "results.json").read_text(encoding="utf-8")
    made = workers.grade(Submission("emoji", data), Settings("seed"), PLACE)
    assert not made.report.fault, made.report.fault
    Results(tmp_path / "out").keep(made.report, made.executed, made.seconds)
    publish.publish(tmp_path / "out", [made.report])
    assert (tmp_path / "out" / "submissions" / "emoji" / "feedback.html").is_file()


# --- library calls ------------------------------------------------------------------------------------------

WANTED = {"3.1": (["mine"], ["MultiheadAttention"])}
CALL = "mine = nn.MultiheadAttention(4, 2)"
FOUND = {
    "an item set by a magic": f"d = {{}}\nd['x'] = %pwd\n{CALL}",
    "a magic over two lines": f"%time x = (1 + \\\n  2)\n{CALL}",
    "the call in a magic over two lines": "%time mine = nn.MultiheadAttention( \\\n  4, 2)",
    "timed with options": f"%timeit -n 1 -r 1 {CALL}",
    "a timed cell": f"%%time\n{CALL}",
    "a timed cell with magics": f"%%time\n%matplotlib inline\n{CALL}",
    "a captured cell": f"%%capture out\n{CALL}",
    "help": f"nn.Linear?\n{CALL}",
    "an indented magic": f"if True:\n    %pwd\n    {CALL}",
    "a shell in a list": f"files, = !ls\n{CALL}",
    "many lines of a shell": f"!echo \\\n  a\n{CALL}",
    "await": f"import asyncio\nawait asyncio.sleep(0)\n{CALL}",
}
UNREAD = {
    "a long cell": "mine = 'MultiheadAttention'  # " + "x" * MAX_CELL,
    "no Python": f"{CALL}\nif:",
    "deep": f"{CALL}\nx = " + "(" * 5_000 + ")" * 5_000,
    "a timed cell that is no Python": f"%%time\n{CALL}\nif:",
}


@pytest.mark.parametrize("source", FOUND.values(), ids=FOUND)
def test_a_call_is_found_whatever_magics_stand_beside_it(source: str):
    calls, trouble = find_library_calls({1: source}, WANTED)
    assert trouble is None
    assert [call.name for call in calls] == ["MultiheadAttention"]


@pytest.mark.parametrize("source", UNREAD.values(), ids=UNREAD)
def test_a_cell_that_cannot_be_searched_is_named(source: str):
    calls, trouble = find_library_calls({4: source, 5: "x = 1"}, WANTED)
    assert not calls
    assert trouble is not None
    assert "in cells 4 (" in trouble


@pytest.mark.parametrize(("mode", "status"), [("zero", "graded with problems"), ("flag", "graded")])
def test_a_cell_that_cannot_be_searched_is_for_the_instructor_in_zero_mode(mode: str, status: str):
    homework = next(one for one in homeworks().values() if any(q.forbids for q in one.questions.values()))
    text, log, files = reference(homework.id)
    notebook = read_notebook(text.encode())
    wanted = sorted({call for question in homework.questions.values() for call in question.forbids})
    notebook.cells.append(new_code_cell(f"# {' '.join(wanted)}\nif:"))
    submission = Submission("a", nbformat.writes(notebook).encode(), log, files)
    settings = Settings("seed", library_calls=mode)
    made = workers.grade(submission, settings, PLACE).report
    assert made.status == status, made.notes
    assert any("could not be searched" in note for note in made.notes)


def test_the_guard_is_there_for_reading_judging_and_pages():
    assert 0 < guard.SECONDS <= 120
    assert 0 < guard.PAGE_SECONDS <= guard.SECONDS
