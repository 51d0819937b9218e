"""Fixtures shared by all tests: each homework's class is graded once a session."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock
from nbformat import NotebookNode

from autograder.author.build import build_notebook, dumps
from autograder.author.gallery import Student, students
from autograder.author.reference import reference_submission
from autograder.declare import follow, homeworks
from autograder.grade.grade import Settings, grade_submission
from autograder.grade.report import Report
from autograder.names import source_path
from autograder.run.choose import Place, kernels
from autograder.submissions.find import Submission
from tests.gallery import ROOT, examples

SETTINGS = Settings(seed="the tests' seed")
PLACE = Place(
    sandbox="auto", cold=False, hidden=()
)  # warm kernels in a sandbox where bubblewrap is installed


@dataclass(frozen=True)
class GradedClass:
    """The reference, the blank notebook and the gallery's students of one homework, with their reports.

    Of the students also what their notebooks showed, by the student's name.
    """

    reference: Report
    blank: Report
    students: dict[str, tuple[Student, Report]]
    executed: dict[str, NotebookNode]


if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    and threading.current_thread() is threading.main_thread()
):
    # a shell gives this to what it starts in the background; children would inherit it and never see Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps tests that share a module's fixture with one worker, so that it is made once."""
    for item in items:
        if not isinstance(item, pytest.Function) or item.get_closest_marker("xdist_group"):
            continue
        made = [one for found in item._fixtureinfo.name2fixturedefs.values() for one in found]
        if any(one.scope == "module" for one in made):
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))


def by_homework(names: Iterable[str] = tuple(homeworks())) -> list:
    """A parameter for each homework, whose tests share a worker and so its graded class."""
    return [pytest.param(name, id=name, marks=pytest.mark.xdist_group(name)) for name in names]


_between_workers: list[Path] = []  # the folder that the workers of this run of pytest share


@pytest.fixture(scope="session", autouse=True)
def folder_between_workers(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Says where the workers find what one of them has made already."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        _between_workers.append(tmp_path_factory.getbasetemp().parent)


@cache
def reference(name: str) -> tuple[str, bytes, dict[str, bytes]]:
    """Text, log and files of a reference that was run, training included: once, whatever the workers are."""
    if not _between_workers:
        return _run_reference(name)
    kept = _between_workers[0] / f"reference-{name}.pickle"
    with FileLock(f"{kept}.lock"):
        if not kept.is_file():
            kept.write_bytes(pickle.dumps(_run_reference(name)))
        return pickle.loads(kept.read_bytes())


def _run_reference(name: str) -> tuple[str, bytes, dict[str, bytes]]:
    notebook, log, files = reference_submission(ROOT, homeworks()[name])
    return nbformat.writes(notebook), log, files


@cache
def graded_class(name: str) -> GradedClass:
    homework = homeworks()[name]
    notebook, log, files = reference(name)
    blank = dumps(build_notebook(homework, source_path(ROOT, homework.stem)))
    made = students(ROOT, homework, examples(name), log, files)

    executed: dict[str, NotebookNode] = {}

    def grade(who: str, text: str, handed_in: bytes | None, attachments: dict[str, bytes]) -> Report:
        report, execution = grade_submission(
            Submission(who, text.encode(), handed_in, attachments), SETTINGS, kernels(PLACE)[0]
        )
        assert execution is not None
        executed[who] = execution.notebook
        return report

    return GradedClass(
        grade("reference", notebook, log, files),
        grade("blank", blank, None, {}),
        {one.name: (one, grade(one.name, one.notebook, one.log, dict(one.attachments))) for one in made},
        executed,
    )


@pytest.fixture
def graded(request: pytest.FixtureRequest) -> GradedClass:
    """The graded class of the homework that the test is parametrised with."""
    return graded_class(request.param)


@pytest.fixture(autouse=True)
def no_course() -> Iterator[None]:
    """Leaves no course behind that a command in this process followed: it changes points and titles."""
    follow("")
    yield
    follow("")
