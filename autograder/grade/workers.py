"""What a batch does in its worker processes: grades one submission, whatever happens."""

from __future__ import annotations

import hashlib
import json
import logging
import multiprocessing
import os
import signal
import socket
import threading
import traceback
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import __version__
from autograder.declare import DataUnavailableError, follow, homeworks
from autograder.files import quiet_parser
from autograder.grade.report import Report
from autograder.grade.settings import Settings
from autograder.run.choose import NoSandboxError, Place, kernels, work_for
from autograder.run.guard import SECONDS, OverLimitError, limited
from autograder.submissions.cells import question_seconds
from autograder.submissions.find import Submission

FAILED = (
    "This submission was not judged because of a mistake in the grader; the points are open. Please tell your"
    " instructor."
)

OVER_LIMIT = (
    "Reading and judging this submission {why} and was stopped, so its points are open. An honest submission"
    " takes a few seconds: look for something very large in the notebook or in submission_log.json."
)


@dataclass(frozen=True)
class Graded:
    """One submission's result.

    Attributes:
        executed: the text of its executed notebook; empty if there is none.
        warning: the worker's.
        version: of the worker's grader.
        seconds: wall time by question.
    """

    report: Report
    executed: str = ""
    warning: str = ""
    version: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)


def probe(place: Place) -> str:
    """Makes a worker ready and returns its warning, if any."""
    # what nbclient would log of hostile kernels is in the reports
    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    return kernels(place)[1]


def grade(submission: Submission, settings: Settings, place: Place) -> Graded:
    """Grades one submission; a mistake of the grader itself becomes a report, too."""
    from autograder.grade.grade import grade_submission  # heavy, and the main process needs the rest of this

    key = key_of(submission, settings)
    try:
        follow(settings.course)
        warning = probe(place)
        result, execution = grade_submission(submission, settings, kernels(place)[0])
        # without wall time, so that the same submission gives the same files
        kept = Graded(replace(result, seconds=0.0, key=key), warning=warning, version=grader_version())
        if execution is None:
            return kept
        with limited(SECONDS):
            executed, seconds = _without_times(execution.notebook, result.homework)
            return replace(kept, executed=executed, seconds=seconds)
    except (NoSandboxError, DataUnavailableError):
        raise  # they concern all of a batch
    except OverLimitError as error:
        over = replace(failure(submission, settings, OVER_LIMIT.format(why=error)), key=key)
        return Graded(over, version=grader_version())
    except Exception:
        failed = failure(submission, settings, FAILED, traceback.format_exc())
        return Graded(failed, version=grader_version())


def _without_times(notebook: NotebookNode, homework: str) -> tuple[str, dict[str, float]]:
    """The notebook's text without what differs from run to run, and the wall time by question."""
    known = homeworks().get(homework)
    seconds = question_seconds(notebook, known) if known else {}
    for cell in notebook.cells:
        cell.metadata.pop("autograder", None)
    text: str = nbformat.writes(notebook)
    return text, seconds


def failure(submission: Submission, settings: Settings, note: str, fault: str = "") -> Report:
    """The report on a submission that could not be graded through no fault of its own.

    It has no key, so the next run tries again.

    Args:
        submission: as handed in.
        settings: the batch's.
        note: why, for students to read.
        fault: the traceback, if the grader itself raised.
    """
    return Report(
        submission.name,
        settings.homework or "",
        "unreadable",
        notes=(note,),
        digest=submission.digest(),
        fault=fault,
    )


@cache
def grader_version() -> str:
    """The version and a digest of the grader's own files: a changed check grades anew.

    Without word vectors, which a wheel holds and a checkout has elsewhere; reading verifies them.
    """
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in (".py", ".json", ".npz", ".html", ".css") and not path.name.startswith("glove")
    ):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{__version__}+{digest.hexdigest()[:16]}"


def key_of(submission: Submission, settings: Settings) -> str:
    """A digest of what a result depends on: content, name, whose it is, grader version, seed and settings."""
    parts = [
        submission.name,
        submission.problem,
        submission.digest(),
        submission.students,
        submission.notes,
        grader_version(),
        asdict(settings),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def start_worker(course: str = "", nursery: socket.socket | None = None) -> None:
    """Leaves Ctrl-C to the main process and ends when that is gone, even by ``kill -9``.

    Args:
        course: what the course changes in the homeworks.
        nursery: where this worker gets its sandboxes from; None has it start its own.
    """
    follow(course)
    work_for(nursery)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    quiet_parser()
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = multiprocessing.parent_process()
    if parent is not None:

        def wait_for_the_end() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=wait_for_the_end, daemon=True).start()
