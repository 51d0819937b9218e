"""Sandboxes out of one nursery keep submissions apart as sandboxes of their own do."""

from __future__ import annotations

import select
from collections.abc import Iterator
from concurrent.futures import Executor

import nbformat
import pytest

from autograder.grade.batch import _shut_down as shut_down
from autograder.grade.batch import local_executor
from autograder.run.bubblewrap import Nursery, Sandbox, SandboxError, end
from autograder.run.choose import Place, kernels
from autograder.run.execute import execute
from autograder.run.sandbox import SandboxKernels

WAIT = 3  # seconds in which the other worker runs the same cell
# what a kernel sees of others: processes, files, sockets by name and by port, its own user's processes
LOOK = """
import os, socket, resource, time
pids = sorted(int(name) for name in os.listdir('/proc') if name.isdecimal())
def listens(family, address):
    with socket.socket(family) as one:
        try:
            one.connect(address)
            return True
        except OSError:
            return False
listener = socket.socket()
listener.bind(('127.0.0.1', {port}))
listener.listen()
named = socket.socket(socket.AF_UNIX)
named.bind('\\0here-{port}')
named.listen()
open('/tmp/mine-{port}', 'w').close()
time.sleep({wait})
print(len(pids), sorted(os.listdir('/tmp')), listens(socket.AF_INET, ('127.0.0.1', {other})),
      listens(socket.AF_UNIX, '\\0here-{other}'), listens(socket.AF_INET, ('127.0.0.1', {port})))
"""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    try:
        made = Nursery()
    except SandboxError as error:
        pytest.skip(f"no sandbox here: {error}")
    try:
        Sandbox(nursery=made.socket).close()
        yield made
    except SandboxError as error:
        pytest.skip(str(error))
    finally:
        made.close()


def run(cell: str) -> tuple[str, bool]:
    """What a cell prints in a worker of a batch, and whether the worker's sandbox comes from the nursery."""
    found, _ = kernels(Place("required"))
    assert isinstance(found, SandboxKernels)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    done = execute(notebook, kit_source="def _opened(): pass", kernels=found)
    return str(done.notebook.cells[0].outputs[0].get("text", done.events)), found.nursery is not None


@pytest.fixture(scope="module")
def workers(nursery: Nursery) -> Iterator[Executor]:
    made = local_executor(2, nursery.socket)
    yield made
    shut_down(made, [])


def test_kernels_of_two_workers_see_nothing_of_each_other(workers: Executor):
    cells = [LOOK.format(port=5000 + number, other=5001 - number, wait=WAIT) for number in range(2)]
    for number, done in enumerate([workers.submit(run, cell) for cell in cells]):
        # its namespace's first process and the kernel; its own file; nothing of the other's; its own port
        assert done.result() == (f"2 ['mine-{5000 + number}'] False False True\n", True)


def test_one_worker_s_processes_do_not_count_as_another_s(workers: Executor):
    cell = f"""
import subprocess, time
some = [subprocess.Popen(['sleep', '60']) for _ in range(90)]
time.sleep({WAIT})
print(len(some))
"""
    assert [done.result()[0] for done in [workers.submit(run, cell) for _ in range(2)]] == ["90\n"] * 2


def test_a_sandbox_is_started_where_the_nursery_is_gone():
    made = Nursery()
    end(made.process, patience=0)
    sandbox = SandboxKernels(nursery=made.socket).take()
    assert sandbox.process is not None
    assert sandbox.alive
    sandbox.close()
    made.close()


def test_a_zygote_ends_with_its_nursery():
    made = Nursery()
    sandbox = SandboxKernels(nursery=made.socket).take()
    assert sandbox.process is None
    assert sandbox.alive
    made.close()
    hangs_up = select.poll()
    hangs_up.register(sandbox.socket, select.POLLHUP)
    assert hangs_up.poll(20_000), "it is still there"
    assert not sandbox.alive
    sandbox.close()
