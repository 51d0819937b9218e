"""Warm kernels find imported what they need: each submission would pay for an import anew."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from autograder.author.build import build_notebook
from autograder.author.kit_text import kit_source
from autograder.author.reference import kept_files
from autograder.declare import homeworks
from autograder.names import source_path
from autograder.run import kernel_process
from autograder.run.choose import kernels
from autograder.run.execute import execute
from autograder.run.sandbox import SandboxKernels
from autograder.submissions.log import challenges_json
from tests.conftest import PLACE
from tests.gallery import ROOT

FEW = 60  # modules: what figures and checks import by and by; torch._dynamo alone is 800


@pytest.fixture(scope="module")
def plain() -> Iterator[SandboxKernels]:
    """A sandbox into which no other test has imported anything; homeworks with imports come after it."""
    if not isinstance(kernels(PLACE)[0], SandboxKernels):
        pytest.skip("no sandbox here, so no warm kernels")
    sandbox = SandboxKernels()
    yield sandbox
    sandbox.close()


@pytest.mark.parametrize("name", sorted(homeworks(), key=lambda name: bool(homeworks()[name].imports)))
def test_a_reference_imports_nothing_of_size_after_the_fork(plain: SandboxKernels, name: str):
    sandbox, homework = plain, homeworks()[name]
    notebook = build_notebook(homework, source_path(ROOT, homework.stem), blank=False)
    first = "import sys\n_modules_before = set(sys.modules)"
    last = "import json\nprint(json.dumps(sorted(set(sys.modules) - _modules_before)))"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(first))
    notebook.cells.append(nbformat.v4.new_code_cell(last))
    ran = execute(
        notebook,
        kit_source=kit_source(homework),
        challenges=challenges_json(homework, homework.draw("warm")),
        attachments=kept_files(ROOT, homework),
        kernels=sandbox,
        imports=homework.imports,
    )
    imported = json.loads(ran.notebook.cells[-1].outputs[-1]["text"].splitlines()[-1])
    assert len(imported) <= FEW, (
        f"{len(imported)} modules, such as {imported[:: max(len(imported) // 20, 1)]}"
    )


SHARING = """
import os, sys
sys.path.insert(0, sys.argv[1])
import kernel_process
held = [bytearray(b"x" * (1 << 20)) for _ in range(96)]  # what a nursery has imported
kernel_process.collapse()
if os.fork() == 0:
    for one in held:
        one[0] = 0  # as counts of references are: large pages are copied in small ones where they are written
    kernel_process.import_all(["colorsys"])  # what a homework needs besides
    with open("/proc/self/smaps_rollup") as file:
        print(sum(int(line.split()[1]) for line in file if line.startswith("Private_")) // 1024, flush=True)
    os._exit(0)
os.wait()
"""


def test_a_zygote_that_imports_more_still_shares_what_its_nursery_holds():
    folder = str(Path(kernel_process.__file__).parent)
    told = subprocess.run([sys.executable, "-c", SHARING, folder], capture_output=True, text=True, check=True)
    assert int(told.stdout) < 48, f"{told.stdout.strip()} of 96 MB are its own"
