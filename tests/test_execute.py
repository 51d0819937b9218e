"""What hostile or unlucky cells cost: their own questions; and nothing runs in the grading process."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager

from autograder import kit
from autograder.author.build import build_notebook
from autograder.declare import homeworks
from autograder.grade.grade import Settings, grade_submission
from autograder.grade.report import Report
from autograder.names import source_path
from autograder.run.choose import kernels
from autograder.run.execute import KernelStartError, execute
from autograder.run.limits import Kind, Limits, rlimits
from autograder.run.plain import PlainKernels
from autograder.run.runner import Runner, plain_output
from autograder.run.session import Session
from autograder.submissions.cells import question_seconds
from autograder.submissions.find import Submission
from tests.conftest import PLACE
from tests.gallery import ROOT

HW3 = homeworks()["hw3"]
SETTINGS = Settings("seed", limits=Limits(cell_seconds=8, grace_seconds=1, total_seconds=200))


def notebook_with(cells: dict[str, str]) -> bytes:
    """The reference solution, with hostile cells put before the record cell of some questions."""
    notebook = build_notebook(HW3, source_path(ROOT, HW3.stem), blank=False)
    for question, code in cells.items():
        index = next(i for i, cell in enumerate(notebook.cells) if cell.source == f'record("{question}")')
        notebook.cells.insert(index, nbformat.v4.new_code_cell(code))
    return nbformat.writes(notebook).encode()


def graded(cells: dict[str, str], settings: Settings = SETTINGS) -> Report:
    report, execution = grade_submission(Submission("one", notebook_with(cells)), settings, kernels(PLACE)[0])
    assert execution is not None
    assert len(nbformat.writes(execution.notebook)) < 5_000_000
    assert (
        sum(question_seconds(execution.notebook, HW3).values()) > 0
    )  # the class report says how long questions ran
    return report


def lost(report: Report) -> set[str]:
    return {question.id for question in report.questions if question.points < question.maximum} - {
        "3.7"
    }  # 3.7 needs the student's log


ENDINGS = {
    "os._exit": ("import os; os._exit(0)", "ended the kernel"),
    "SIGKILL of the kernel": ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "ended the kernel"),
    "a loop that cannot be interrupted": (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "did not stop when interrupted",
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_cell_that_ends_the_kernel_is_left_out_and_the_rest_counts(ending: str):
    code, says = ENDINGS[ending]
    report = graded({"3.2": code})
    assert (
        lost(report) == set()
    )  # the answer to 3.2 is recorded when the notebook runs again without the cell
    assert report.status == "graded with problems"
    assert says in " ".join(report.notes)
    assert code.split("\n")[0][:40] in " ".join(report.notes)


def test_an_infinite_loop_is_stopped_named_and_costs_nothing_else():
    report = graded({"3.3": "while True: pass"})
    assert lost(report) == set()
    assert "ran longer than 8 s and was stopped" in " ".join(report.notes)


def test_an_answer_that_never_returns_costs_its_question_only():
    endless = "def conv_heads(kernel):\n    while True: pass"
    report = graded({"3.6": endless})
    assert lost(report) == {"3.6"}
    feedback = next(question for question in report.questions if question.id == "3.6").checks[0].feedback
    assert "was stopped" in feedback


def test_an_answer_that_kills_the_kernel_costs_its_question_only():
    report = graded({"3.6": "import os\ndef conv_heads(kernel):\n    os._exit(1)"})
    assert lost(report) == {"3.6"}


def test_sys_exit_and_floods_of_output_cost_nothing():
    report = graded(
        {
            "3.1": "import sys; sys.exit(1)",
            "3.3b": "print('x' * 100_000_000)",
            "3.5": "for i in range(20_000): print('y' * 100)",
        }
    )
    assert lost(report) == set()
    assert "printed more than" in " ".join(report.notes)


def test_a_submission_that_runs_out_of_time_keeps_what_it_recorded():
    settings = Settings("seed", limits=Limits(cell_seconds=60, grace_seconds=1, total_seconds=25))
    report = graded({"3.3b": "import time\nfor _ in range(1000): time.sleep(1)"}, settings)
    assert {"3.1", "3.2", "3.3"}.isdisjoint(lost(report))
    assert {"3.5", "3.6"} <= lost(report)
    assert "stopped" in " ".join(report.notes)


def test_missing_record_cells_helpers_in_other_cells_and_top_level_prints_are_fine():
    notebook = build_notebook(HW3, source_path(ROOT, HW3.stem), blank=False)
    notebook.cells = [cell for cell in notebook.cells if cell.source not in ('record("3.1")', 'check("3.2")')]
    notebook.cells.insert(
        3, nbformat.v4.new_code_cell("def helper(n): return np.eye(n)\nprint('hello', helper(2))")
    )
    for cell in notebook.cells:
        cell.source = cell.source.replace(
            "attention_by_content_V = np.eye(3)", "attention_by_content_V = helper(3)"
        )
    report, _ = grade_submission(Submission("renamed (3)", nbformat.writes(notebook).encode()), SETTINGS)
    assert lost(report) == set()
    assert report.status == "graded"


def test_a_forged_log_and_patched_kit_gain_nothing():
    forged = {"schema": kit.LOG_SCHEMA, "homework": "hw3", "entries": {}, "score": 100}
    code = f"""
import homework_kit, json, pathlib
homework_kit.compare = homework_kit.same = lambda *a, **k: None
homework_kit.check_shapes = lambda *a: []
pathlib.Path("submission_log.json").write_text(json.dumps({forged!r}))
"""
    blank = build_notebook(HW3, source_path(ROOT, HW3.stem))
    blank.cells.insert(3, nbformat.v4.new_code_cell(code))
    report, _ = grade_submission(Submission("one", nbformat.writes(blank).encode()), SETTINGS)
    assert report.points == 0


SHARED = {"CPU": 240, "DATA": 2_000_000_000, "NOFILE": 512, "FSIZE": 100_000_000, "CORE": 0}
RLIMITS = {
    "plain": SHARED,  # whose processes count with the grader's own
    "user": SHARED | {"NPROC": 128, "AS": 18_000_000_000},
    # the zygote comes first
    "sandbox": SHARED | {"NPROC": 128, "AS": 18_000_000_000, "CPU": 241, "MEMLOCK": 0, "MSGQUEUE": 0},
}


@pytest.mark.parametrize("kind", RLIMITS)
def test_each_kind_of_kernels_gets_its_limits_from_the_one_table(kind: Kind):
    assert rlimits(Limits(), kind) == RLIMITS[kind]


def test_nothing_of_a_submission_is_executed_or_unpickled_by_the_grading_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A notebook, a log and a checkpoint that try, and traps on every door of this process."""
    marker = tmp_path / "executed"
    trap = f"import pathlib; pathlib.Path({str(marker)!r}).write_text('x')"
    pickled = b"cbuiltins\nexec\n(S'" + trap.encode() + b"'\ntR."
    doors: list[str] = []

    def hook(event: str, args: tuple) -> None:
        if watching and (
            event == "pickle.find_class"
            or (event in ("compile", "exec") and marker.name in repr(args[0])[:2000])
        ):
            doors.append(event)

    watching = False
    sys.addaudithook(hook)
    notebook = json.loads(notebook_with({}))
    notebook["metadata"] |= {
        "kernelspec": {"name": "evil", "argv": ["sh", "-c", f"touch {marker}"]},
        "attention_homework": {"id": "hw3", "__reduce__": trap},
    }
    notebook["cells"][0]["metadata"] = {"init_cell": trap}
    log = {
        "schema": kit.LOG_SCHEMA,
        "homework": "hw3",
        "entries": {"attention_by_content_Q": {"status": "ok", "value": {"other": trap}}},
    }
    watching = True
    report, _ = grade_submission(
        Submission("one", json.dumps(notebook).encode(), json.dumps(log).encode(), {"model.pt": pickled}),
        SETTINGS,
    )
    graded_log, _ = grade_submission(
        Submission("two", log=pickled, attachments={"model.pt": pickled}), SETTINGS
    )
    watching = False
    assert not marker.exists()
    assert doors == []
    assert report.questions[0].points == 10
    assert graded_log.status == "unreadable"


class Deaf(Session):
    """A session whose kernels cannot bind their output channel, the first few times: they never answer."""

    def __init__(self, folder: Path, kernel_folder: str, failures: int, taken: int):
        super().__init__(folder, kernel_folder)
        self.failures, self.taken, self.starts = failures, taken, 0

    def manager(self) -> AsyncKernelManager:
        manager = super().manager()
        self.starts += 1
        if self.starts <= self.failures:
            manager.cache_ports = False
            manager.iopub_port = self.taken
        return manager


@pytest.mark.parametrize("failures", [1, 2])
def test_a_kernel_that_does_not_start_is_tried_once_more(
    failures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Runner, "startup_timeout", 3)
    sessions = []

    class Kernels:
        @contextlib.contextmanager
        def session(self, limits: Limits) -> Iterator[Session]:
            sessions.append(Deaf(tmp_path, str(tmp_path), failures, other.getsockname()[1]))
            yield sessions[0]

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 7)")])
    with socket.create_server(("127.0.0.1", 0)) as other:
        if failures == 1:
            done = execute(notebook, kit_source="def _opened(): pass", kernels=Kernels())
            assert done.notebook.cells[0].outputs[0].text == "42\n"
        else:
            with pytest.raises(KernelStartError, match="No kernel could be started"):
                execute(notebook, kit_source="def _opened(): pass", kernels=Kernels())
    assert sessions[0].starts == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no sockets that are files here")
def test_ordinary_processes_talk_through_files_because_a_port_may_be_taken():
    with PlainKernels().session(Limits()) as session:
        assert session.manager().transport == "ipc"
        assert Path(session.manager().ip).parent.stat().st_mode & 0o777 == 0o700
        folder = Path(session.manager().ip).parent
    assert not folder.exists()


def ran(*cells: str):
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    return execute(made, kit_source="class _opened: record_missing = None", kernels=kernels(PLACE)[0])


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("raise ExceptionGroup('many', [ValueError(one) for one in range(3_000)])", "ExceptionGroup"),
        ("raise ValueError('\\ud83d')", "Error"),
        ("raise type('\\x1b[2J[/b]', (Exception,), {})('\\ud83d</script>' * 5_000)", "Error"),
        ("raise ValueError('x' * 300_000)", "ValueError"),
    ],
    ids=["a group", "half a character", "hostile", "long"],
)
def test_an_exception_that_ipython_does_not_send_is_known_all_the_same(cell: str, kind: str):
    errors = [error for error in ran("x = 1", cell).errors if error.cell == 1]
    assert len(errors) == 1
    assert kind in errors[0].kind
    assert "\x1b" not in errors[0].kind + errors[0].message


@pytest.mark.parametrize("cell", ["quit()", "exit", "exit(0)"])
def test_a_cell_that_asks_the_kernel_to_end_costs_nothing_below_it(cell: str):
    result = ran("x = 1", cell, "print('still', x)")
    assert "still 1" in str(result.notebook.cells[2].outputs)
    assert not [event for event in result.events if "ended the kernel" in event]


MESSAGES = [
    ("stream", {"name": "stdout", "text": "a"}),
    ("display_data", {"data": {"text/plain": "a", "text/html": "<b>a</b>"}, "metadata": {}, "transient": {}}),
    ("execute_result", {"data": {"text/plain": "a"}, "metadata": {}, "execution_count": 3}),
    ("execute_result", {"data": {}, "metadata": {}, "execution_count": 0}),
]
ODD = [  # what nbformat refuses, and what it takes that holds more than texts
    ("stream", {"name": ["stdout"], "text": "a"}),
    ("stream", {"name": "stdout", "text": {"a": 1}}),
    ("stream", {"name": "stdout"}),
    ("display_data", {"data": "a", "metadata": {}}),
    ("display_data", {"data": {"text/plain": 1}, "metadata": {}}),
    ("display_data", {"data": {"application/json": {"a": 1}}, "metadata": {}}),
    ("display_data", {"data": {"text/plain": "a"}, "metadata": {"a": 1}}),
    ("display_data", {"data": {"text/plain": "a"}}),
    ("execute_result", {"data": {}, "metadata": {}, "execution_count": True}),
    ("execute_result", {"data": {}, "metadata": {}, "execution_count": -1}),
    ("execute_result", {"data": {}, "metadata": {}}),
    ("error", {"ename": "E", "evalue": "", "traceback": []}),
    ("status", {"execution_state": "idle"}),
]


@pytest.mark.parametrize(("kind", "content"), MESSAGES)
def test_plain_outputs_are_those_that_nbformat_makes(kind: str, content: dict[str, Any]):
    message = {"header": {"msg_type": kind}, "content": content}
    assert plain_output(message) == nbformat.v4.output_from_msg(message)


@pytest.mark.parametrize(("kind", "content"), ODD)
def test_all_other_outputs_are_left_to_nbformat(kind: str, content: dict[str, Any]):
    assert plain_output({"header": {"msg_type": kind}, "content": content}) is None
