"""What a run of ``autograder grade`` does before it grades: little, and beside each other."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "matplotlib", "nbconvert", "jupyter_client", "jupytext", "rfc3987_syntax", "isoduration")


@pytest.mark.parametrize(
    ("first", "forbidden"),
    [
        # the main process waits for others, which import these beside it
        ("autograder.schemas, autograder.cli.grade", HEAVY),
        # the server that workers and writers of pages are forked from
        ("*autograder.grade.processes.IMPORTED", ("jupytext", "rfc3987_syntax", "isoduration")),
    ],
)
def test_a_process_imports_nothing_slow_that_it_does_not_need(first: str, forbidden: tuple[str, ...]):
    program = (
        "import importlib, sys\nfrom autograder.grade import processes\n"
        "names = processes.IMPORTED if sys.argv[1][0] == '*' else sys.argv[1].split(', ')\n"
        "for name in names: importlib.import_module(name)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, first], capture_output=True, text=True, check=True)
    assert not set(forbidden) & set(done.stdout.split())
