"""What a run of ``autograder grade`` does before it grades: little, and beside each other."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize("before", ["import torch", ""])
def test_torch_has_one_thread_however_grading_is_called(before: str):
    program = f"""
{before}
from autograder.grade.grade import Settings, grade_submission
from autograder.submissions.find import Submission
grade_submission(Submission("a", problem="unreadable"), Settings("seed"))
import torch
print(torch.get_num_threads())
"""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"


def test_a_worker_has_the_homeworks_from_its_server_and_a_broken_one_says_why():
    program = """
import importlib
usual, where = importlib.import_module, ""
def importing(name):
    if where and where in name:
        raise ValueError("half a homework")
    return usual(name)
importlib.import_module = importing
where = {where!r}
import autograder.declare.ready
from autograder.declare.homework import declared_homeworks
for _ in range(2):
    try:
        print(*declared_homeworks())
    except ValueError as error:
        print(error)
"""
    for where, told in (
        ("", " ".join(f"hw{number}" for number in range(1, 7))),
        (".hw2.q3", "half a homework"),
    ):
        command = [sys.executable, "-c", program.replace("{where!r}", repr(where))]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == f"{told}\n" * 2
