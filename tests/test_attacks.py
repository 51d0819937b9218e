"""The attack corpus against the sandbox and, where it applies, the fallback: nothing gained, lost or left."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from autograder.author.build import build_notebook
from autograder.declare import homeworks
from autograder.grade.grade import Settings, grade_submission
from autograder.grade.report import Report
from autograder.names import source_path
from autograder.run.execute import Execution, execute
from autograder.run.limits import Limits
from autograder.run.plain import PlainKernels
from autograder.run.session import Kernels
from autograder.submissions.find import Submission
from tests.gallery import ROOT
from tests.gallery.attacks import ATTACKS, Attack

if sys.platform != "linux":
    pytest.skip("the sandbox is Linux's", allow_module_level=True)

from autograder.run.bubblewrap import Sandbox, SandboxError
from autograder.run.sandbox import SandboxKernels

SECRET = "zebra-4711-quagga"
HW3 = homeworks()["hw3"]
LIMITS = Limits(cell_seconds=10, grace_seconds=1, total_seconds=60, restarts=2)
INSPECTION = """
import os, sys, socket, numpy, torch
left = os.listdir("/tmp") + os.listdir("/dev/shm") + os.listdir("/home/student")
processes = len([n for n in os.listdir("/proc") if n.isdecimal()])
print(sorted(left), sorted(os.listdir(".")), torch.get_default_dtype(), numpy.dot(2, 3), processes,
      os.environ.get("X"), os.nice(0))
"""
pytestmark = pytest.mark.xdist_group("sandbox")


def _works() -> bool:
    try:
        Sandbox(warm=False).close()
    except SandboxError:
        return False
    return True


needs_sandbox = pytest.mark.skipif(
    shutil.which("bwrap") is None or not _works(), reason="bubblewrap is not installed or does not work here"
)


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graded")
    (folder / "secret.txt").write_text(SECRET)
    (folder / "seed.txt").write_text(SECRET)
    return folder


@pytest.fixture(
    scope="module", params=[True, pytest.param(False, marks=pytest.mark.sweep)], ids=["warm", "cold"]
)
def sandbox(hidden: Path, request: pytest.FixtureRequest) -> Iterator[SandboxKernels]:
    os.environ["COURSE_SECRET"] = SECRET
    kernels = SandboxKernels(warm=request.param, hidden=[hidden])
    yield kernels
    kernels.close()
    del os.environ["COURSE_SECRET"]


@pytest.fixture(scope="module")
def listener() -> Iterator[tuple[int, str]]:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        name = f"\0autograder-{os.getpid()}"
        abstract.bind(name)
        abstract.listen()
        yield server.getsockname()[1], name


def run(
    attack: Attack, kernels: Kernels, hidden: Path, listener: tuple[int, str]
) -> tuple[Report, Execution]:
    notebook = build_notebook(HW3, source_path(ROOT, HW3.stem))
    half = len(SECRET) // 2
    code = attack.code.replace("TOKEN", f"({SECRET[:half]!r} + {SECRET[half:]!r}).encode()").replace(
        "HIDDEN", repr(str(hidden))
    )
    code = code.replace(
        "PATTERN", repr(f"{SECRET[:-1]}[{SECRET[-1]}]".encode())
    )  # which does not match itself
    code = code.replace("PORT", str(listener[0])).replace("ABSTRACT", repr(listener[1]))
    index = next(i for i, cell in enumerate(notebook.cells) if "from homework_kit import" in cell.source)
    notebook.cells.insert(index + 1, nbformat.v4.new_code_cell(code))
    settings = Settings(SECRET, limits=dataclasses.replace(LIMITS, **attack.limits))
    report, execution = grade_submission(
        Submission("hostile", nbformat.writes(notebook).encode()), settings, kernels
    )
    assert execution is not None
    return report, execution


def outputs(execution: Execution) -> str:
    return "".join(str(output) for cell in execution.notebook.cells for output in cell.get("outputs", []))


def processes_of(sandbox: Sandbox) -> int:
    """How many processes the sandbox holds: 1 is the forking process alone."""
    namespaces = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                namespaces[entry.name] = (entry / "stat").read_text().rpartition(")")[2].split()[1]
            except OSError:
                continue
    assert sandbox.process is not None
    family, size = {str(sandbox.process.pid)}, 0
    while len(family) != size:
        size = len(family)
        family |= {pid for pid, parent in namespaces.items() if parent in family}
    return len(family) - 1


@needs_sandbox
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_in_the_sandbox_gains_nothing_and_leaves_nothing(
    name: str,
    sandbox: SandboxKernels,
    hidden: Path,
    listener: tuple[int, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    attack = ATTACKS[name]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))
    report, execution = run(attack, sandbox, hidden, listener)
    assert report.points == 0
    assert report.status in ("graded", "graded with problems")
    assert attack.says in " ".join(report.notes), report.notes
    said = outputs(execution)
    assert attack.prints in said, said[-3000:]
    assert "LEAK" not in said.replace("print('LEAK'", ""), said[-3000:]
    assert len(nbformat.writes(execution.notebook)) < 3_000_000
    # what is left
    assert len(sandbox.idle) == 1
    assert processes_of(sandbox.idle[0]) == 1
    assert not list(tmp_path.iterdir())
    assert not {"/session", "/submission", "/kernel"} & {
        line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
    }
    assert (
        len(os.listdir("/proc/self/fd")) <= before + 6
    )  # a sandbox that was started, nothing for each submission
    # what the next one finds
    cells = [nbformat.v4.new_code_cell(INSPECTION)]
    clean = execute(
        nbformat.v4.new_notebook(cells=cells),
        kit_source="def _opened(): pass",
        kernels=sandbox,
        limits=LIMITS,
    )
    found = "".join(output.get("text", str(output)) for output in clean.notebook.cells[0].outputs).strip()
    assert found == "['.ipython'] ['__pycache__', 'homework_kit.py'] torch.float32 6 2 None " + str(
        os.nice(0)
    )


@pytest.mark.parametrize("name", [name for name, attack in ATTACKS.items() if attack.everywhere])
def test_an_attack_without_a_sandbox_gains_nothing(
    name: str, hidden: Path, listener: tuple[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    attack = ATTACKS[name]
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    report, execution = run(attack, PlainKernels(), hidden, listener)
    assert report.points == 0
    assert attack.says in " ".join(report.notes), report.notes
    assert attack.prints in outputs(execution)
    assert not list(tmp_path.iterdir())


@needs_sandbox
def test_after_all_attacks_the_same_sandbox_gives_the_reference_full_marks(sandbox: SandboxKernels):
    notebook = nbformat.writes(build_notebook(HW3, source_path(ROOT, HW3.stem), blank=False)).encode()
    report, execution = grade_submission(Submission("honest", notebook), Settings(SECRET), sandbox)
    assert execution is not None
    assert report.status == "graded", report.notes
    assert {question.id for question in report.questions if question.points < question.maximum} <= {
        "3.7"
    }  # which needs the student's log


@needs_sandbox
def test_a_sandbox_that_dies_costs_only_the_run_it_held(hidden: Path, listener: tuple[int, str]):
    kernels = SandboxKernels(warm=False, hidden=[hidden])
    cells = [
        nbformat.v4.new_code_cell("import time; time.sleep(1.5)"),
        nbformat.v4.new_code_cell("print('after')"),
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    kernels.idle.append(kernels.take())
    process = kernels.idle[0].process
    assert process is not None
    doomed = process.pid
    killer = subprocess.Popen(
        [sys.executable, "-c", f"import os, time; time.sleep(1.0); os.kill({doomed}, 9)"]
    )
    children = Path(f"/proc/{doomed}/task/{doomed}/children").read_text().split()
    killer.wait()
    killer = subprocess.Popen(
        [sys.executable, "-c", f"import os, time; time.sleep(0.8); os.kill({children[0]}, 9)"]
    )
    first = execute(notebook, kit_source="def _opened(): pass", kernels=kernels, limits=LIMITS)
    killer.wait()
    second = execute(notebook, kit_source="def _opened(): pass", kernels=kernels, limits=LIMITS)
    assert "after" in outputs(first)
    assert "after" in outputs(second)
    assert not [event for event in second.events if "sandbox" in event]
    kernels.close()
    time.sleep(0.1)
    assert not Path(f"/proc/{children[0]}").exists()
