"""Warm kernels in the sandbox give what plain processes give, and show a submission nothing but Python."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock, patch

import nbformat
import pytest

from autograder.grade.grade import grade_submission
from autograder.grade.report import Report
from autograder.run.execute import execute
from autograder.run.limits import Limits
from autograder.run.plain import PlainKernels
from autograder.run.runner import Runner
from autograder.run.session import Kernels
from autograder.submissions.find import Submission
from tests.conftest import SETTINGS, graded_class
from tests.gallery import ROOT
from tests.test_attacks import needs_sandbox

if sys.platform != "linux":
    pytest.skip("the sandbox is Linux's", allow_module_level=True)

from autograder.run.bubblewrap import bwrap_arguments, site_folders
from autograder.run.kernel_process import be_brief, once_for_two
from autograder.run.sandbox import SandboxKernels

pytestmark = [pytest.mark.xdist_group("hw3"), needs_sandbox]


def judged(report: Report) -> Report:
    """Everything of a report but the time that it took."""
    return dataclasses.replace(report, seconds=0.0)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((True, 6), id="six notebooks, a new interpreter in the sandbox"),
        pytest.param((True, None), id="a new interpreter in the sandbox", marks=pytest.mark.sweep),
        pytest.param((False, None), id="a plain process", marks=pytest.mark.sweep),
    ],
)
def cold(request: pytest.FixtureRequest) -> Iterator[tuple[Kernels, int | None]]:
    sandboxed, most = request.param
    kernels = SandboxKernels(warm=False) if sandboxed else PlainKernels()
    yield kernels, most
    if isinstance(kernels, SandboxKernels):
        assert len(kernels.idle) == 1  # one did it all
        kernels.close()


def test_the_gallery_of_hw3_gets_the_same_points_and_words_cold(cold: tuple[Kernels, int | None]):
    kernels, most = cold
    for student, warm in list(graded_class("hw3").students.values())[:most]:  # graded in warm kernels
        submission = Submission(
            student.name, student.notebook.encode(), student.log, dict(student.attachments)
        )
        report, _ = grade_submission(submission, SETTINGS, kernels)
        assert judged(report) == judged(warm)


def test_what_lies_inside_a_visible_folder_can_be_hidden(tmp_path: Path):
    pytest.importorskip("distributed")
    kernels = SandboxKernels(warm=False, hidden=[Path(site_folders()[0]) / "distributed", tmp_path])
    cell = (
        f"import os, numpy; print(os.path.exists({str(tmp_path)!r}),"
        " os.listdir(os.path.dirname(numpy.__path__[0]) + '/distributed'))"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    execution = execute(notebook, kit_source="def _opened(): pass", kernels=kernels)
    kernels.close()
    assert execution.notebook.cells[0].outputs[0].text.strip() == "False []"
    assert str(tmp_path) not in bwrap_arguments([tmp_path])  # not visible anyway


def test_limits_reach_the_kernel():
    kernels = SandboxKernels(warm=False)
    cell = (
        'import resource; print([resource.getrlimit(getattr(resource, "RLIMIT_" + n))[0] for n in ("NOFILE",'
        ' "NPROC", "FSIZE", "CORE")])'
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    limits = Limits(open_files=99, processes=77, written_bytes=12345)
    execution = execute(notebook, kit_source="def _opened(): pass", kernels=kernels, limits=limits)
    kernels.close()
    assert execution.notebook.cells[0].outputs[0].text.strip() == "[99, 77, 12345, 0]"


def test_python_may_lie_where_the_sandbox_has_a_folder_of_its_own():
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        venv.create(f"{name}/.venv", symlinks=True)
        program = f"""
import nbformat
from autograder.run.execute import execute
from autograder.run.sandbox import SandboxKernels
cell = (
    "import os, sys; "
    "print(sys.prefix, os.environ['VIRTUAL_ENV'], os.listdir('/tmp'), os.path.exists({name!r}))"
)
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
done = execute(notebook, kit_source="def _opened(): pass", kernels=SandboxKernels())
print(done.notebook.cells[0].outputs[0].text)
"""
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join([str(ROOT), *site_folders()]),
            "VIRTUAL_ENV": f"{name}/.venv",
        }
        done = subprocess.run(
            [f"{name}/.venv/bin/python", "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        moved = f"/moved{name}/.venv"
        assert done.stdout.strip() == f"{moved} {moved} [] False", done.stderr


PRINTING = [
    "print('a', end='')",
    "import sys\nprint('b', flush=True)\nprint('c', file=sys.stderr)\nprint('d')",
    "import threading\nthread = threading.Thread(target=print, args=('e',))\nthread.start(); thread.join()",
    "import os\nos.write(1, b'f\\n'); 1 + 1",
    "print('g')\n1 / 0",
    "raise ExceptionGroup('h', [ValueError(1)])",
    "import sys; sys.stdout = sys.__stderr__",
    "'i'",
    "'IPKernelApp' in get_ipython().config, type(get_ipython()).__name__",  # as tqdm and others ask
]


def test_a_kernel_sends_what_is_read_and_nothing_else(monkeypatch: pytest.MonkeyPatch):
    """Neither that a cell starts nor its own text; outputs and numbers are a usual kernel's.

    What is written past Python (``f``) comes through a pipe that a thread of the kernel reads: in any kernel,
    on a busy machine, it may stand under a later cell. It has to come once.
    """
    kinds: list[str] = []
    kept = Runner.process_message

    def noting(self: Runner, msg: dict[str, Any], cell: nbformat.NotebookNode, cell_index: int):
        kinds.append(msg["content"].get("execution_state") or msg["msg_type"])
        return kept(self, msg, cell, cell_index)

    monkeypatch.setattr(Runner, "process_message", noting)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in PRINTING])
    kit = "def _opened(): return type('Log', (), {'record_missing': print})"
    shown = []
    for kernels in (SandboxKernels(), SandboxKernels(warm=False), PlainKernels()):
        kinds.clear()
        execution = execute(notebook, kit_source=kit, kernels=kernels)
        sent = set(kinds)
        told = [(cell.execution_count, simplified(cell.outputs)) for cell in execution.notebook.cells]
        past_python = [outputs["stdout"].count("f\n") for _, outputs in told if "stdout" in outputs]
        assert sum(past_python) == 1
        shown.append([(number, without(outputs, "f\n")) for number, outputs in told])
        if isinstance(kernels, SandboxKernels):
            kernels.close()
            assert sent == {"idle", "stream", "error", "execute_result"}
    assert shown[0] == shown[1] == shown[2]
    assert [number for number, _ in shown[0]] == list(range(1, len(PRINTING) + 1))


def without(outputs: dict[str, str], text: str) -> dict[str, str]:
    """Outputs that are left when some text is taken out of them."""
    return {key: left for key, value in outputs.items() if (left := value.replace(text, ""))}


def simplified(outputs: list[nbformat.NotebookNode]) -> dict[str, str]:
    """What was printed to each stream, results and names of errors; streams may be sent in pieces."""
    told: dict[str, str] = {}
    for output in outputs:
        key = output.get("name", output.output_type)
        told[key] = told.get(key, "") + output.get("text", output.get("ename", str(output.get("data"))))
    return {key: re.sub(r"ipykernel_\d+", "a process", text) for key, text in told.items()}


def test_a_brief_kernel_takes_what_a_usual_one_takes():
    """A kernel that aborts requests names the message that a status belongs to."""
    kernel = Mock(spec=["log", "shell", "_publish_status", "_publish_execute_input"])
    usual = kernel._publish_status
    with patch("sys.stdout", io.StringIO()), patch("sys.stderr", io.StringIO()):
        be_brief(kernel)
    kernel._publish_status("busy", "shell", parent="a message")
    kernel._publish_status("idle", "shell", parent="a message")
    usual.assert_called_once_with("idle", "shell", parent="a message")


def test_a_text_that_is_asked_for_twice_in_a_row_is_translated_once():
    asked: list[str] = []
    translate = once_for_two(lambda text: asked.append(text) or text.upper())  # type: ignore[func-returns-value]
    assert [translate(text) for text in ("a", "a", "b", "b", "b", "a", "a")] == list("AABBBAA")
    assert asked == ["a", "b", "b", "a"]


def test_a_text_that_cannot_be_translated_raises_each_time():
    translate = once_for_two(int)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            translate("one")
