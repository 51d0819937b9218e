"""Grades a class: a pure function mapped over submissions on a ``concurrent.futures`` executor, here or on Dask.

Results come back one by one and can be kept as they come; what was kept for the same content, grader, seed
and
settings is not graded again. A submission travels as bytes, so workers need no file of the batch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from autograder import __version__
from autograder.files import write_atomically
from autograder.grade import processes
from autograder.grade.grade import Settings, grade_submission
from autograder.grade.report import Report
from autograder.report import tables as report
from autograder.run.choose import NoSandboxError, Place, kernels
from autograder.submissions.find import Submission

# submissions handed to each worker ahead of time: enough that none waits, few enough that memory stays flat
IN_FLIGHT = 2
DIED = "The grader died on this submission each time. It was not graded."


class Stopped(Exception):  # noqa: N818  # not an error
    """The batch cannot begin; the message says why."""


@dataclass(frozen=True)
class Graded:
    """One submission's result: its report, the executed notebook's text if it was executed, the worker's warning."""

    report: Report
    executed: str = ""
    warning: str = ""


# --- in the worker ------------------------------------------------------------------------------------------


def probe(place: Place) -> str:
    """Makes a worker ready and returns its warning, if any."""
    logging.getLogger("traitlets").setLevel(
        logging.CRITICAL
    )  # what nbclient would log of hostile kernels is in the reports
    try:
        return kernels(place)[1]
    except NoSandboxError as error:
        raise Stopped(str(error)) from None


def grade(submission: Submission, settings: Settings, place: Place) -> Graded:
    """Grades one submission; a mistake of the grader itself becomes a report, too."""
    key = key_of(submission, settings)
    try:
        warning = probe(place)
        if "torch" in sys.modules and sys.modules["torch"].get_num_threads() > 1:
            sys.modules["torch"].set_num_threads(1)  # on Dask, where this project does not start the workers
        result, execution = grade_submission(submission, settings, kernels(place)[0])
    except Stopped:
        raise
    except Exception as error:
        logging.getLogger(__name__).exception("%s", submission.name)
        note = (
            f"The grader itself failed on this submission ({type(error).__name__}: {str(error)[:300]}). It"
            " was not graded; please report this."
        )
        return Graded(
            Report(
                submission.name,
                settings.homework or "",
                "unreadable",
                notes=(note,),
                digest=submission.digest(),
            )
        )
    # without wall time, so that the same submission gives the same file
    return Graded(
        replace(result, seconds=0.0, key=key),
        nbformat.writes(execution.notebook) if execution else "",
        warning,
    )


@cache
def grader_version() -> str:
    """The version and a digest of the grader's own files: a changed check grades anew."""
    folder = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(
        path for path in folder.rglob("*") if path.suffix in (".py", ".json", ".npz", ".html", ".css")
    ):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{__version__}+{digest.hexdigest()[:16]}"


def key_of(submission: Submission, settings: Settings) -> str:
    """What a result depends on, as a digest: content, name, whose it is, grader version, seed and settings."""
    parts = [
        submission.name,
        submission.problem,
        submission.digest(),
        submission.students,
        grader_version(),
        asdict(settings),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _start_worker() -> None:
    """Leaves Ctrl-C to the main process and ends when that is gone, even by ``kill -9``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    parent = multiprocessing.parent_process()
    if parent is not None:

        def wait_for_the_end() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=wait_for_the_end, daemon=True).start()


# --- in the main process ------------------------------------------------------------------------------------


class _LocalExecutor(ProcessPoolExecutor):
    """Worker processes that never see a Ctrl-C, not even while they start."""

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """Submits; what that starts inherits a blocked SIGINT, which is ours afterwards."""
        with processes.without_interrupts():
            return super().submit(fn, *arguments, **options)


def local_executor(workers: int) -> ProcessPoolExecutor:
    """Worker processes on this machine, with one thread each, that share nothing with this one."""
    return _LocalExecutor(workers, mp_context=processes.context(), initializer=_start_worker)


@contextlib.contextmanager
def cluster(address: str) -> Iterator[tuple[Callable[[], Executor], int]]:
    """A maker of executors on a Dask cluster, and the number of submissions that it grades at a time.

    Raises:
        Stopped: Dask is not installed, or there is no cluster with workers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise Stopped("--dask needs Dask: pip install 'attention-homeworks[dask]'.") from None
    try:
        client = Client(address, timeout=20)
    except (OSError, ValueError) as error:
        raise Stopped(f"No Dask scheduler answers at {address}: {error}") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=60)
        except TimeoutError:
            raise Stopped(f"The Dask scheduler at {address} has no workers.") from None
        yield lambda: client.get_executor(pure=False), sum(client.nthreads().values())


def run(
    submissions: Iterable[Submission],
    settings: Settings,
    place: Place,
    executors: Callable[[], Executor],
    workers: int,
) -> Iterator[Graded | str]:
    """Grades submissions, in the order in which they are done.

    Args:
        submissions: bytes, not paths.
        settings: the batch's seed and limits.
        place: how workers run them.
        executors: makes an executor; called again after a worker's death has broken the last one.
        workers: how many submissions the executor grades at a time.

    Yields:
        A result for each submission, and warnings as text, each once.

    Raises:
        Stopped: a sandbox is required and there is none.
    """
    left, suspects = deque(submissions), deque[Submission]()
    told: set[str] = set()
    tried: dict[str, int] = {}
    deaths = 0
    while left or suspects:
        alone = not left  # a submission that was there when a worker died is tried once more, by itself
        executor = executors()
        futures: dict[Future[Any], Submission] = {}
        try:
            probes = [
                executor.submit(probe, place) for _ in range(1 if alone else workers)
            ]  # the workers start side by side
            if not told and (warning := probes[0].result()):
                told.add(warning)
                yield warning
            queue = suspects if alone else left
            while queue or futures:
                while queue and len(futures) < (1 if alone else workers * IN_FLIGHT):
                    submission = queue.popleft()
                    futures[executor.submit(grade, submission, settings, place)] = submission
                for future in wait(futures, return_when=FIRST_COMPLETED).done:
                    submission = futures[future]
                    result = future.result()
                    del futures[future]
                    if result.warning and result.warning not in told:
                        told.add(result.warning)
                        yield result.warning
                    yield result
        except Exception as error:
            if not _worker_died(error):
                raise
            if not futures and (deaths := deaths + 1) > 3:
                raise Stopped(f"Workers die before they grade anything: {error}") from None
            for submission in futures.values():
                tried[submission.name] = tried.get(submission.name, 0) + 1
                if tried[submission.name] < 3:
                    suspects.append(submission)
                else:
                    yield Graded(
                        Report(
                            submission.name,
                            settings.homework or "",
                            "unreadable",
                            notes=(DIED,),
                            digest=submission.digest(),
                        )
                    )
        finally:
            _shut_down(executor, futures)


def _worker_died(error: Exception) -> bool:
    return isinstance(error, BrokenProcessPool) or type(error).__name__ in (
        "KilledWorker",
        "FutureCancelledError",
    )


def _shut_down(executor: Executor, futures: Iterable[Future[Any]]) -> None:
    """Ends an executor at once, running submissions included: what is not done yet is not wanted any more."""
    if not isinstance(executor, ProcessPoolExecutor):
        for future in futures:
            future.cancel()
        executor.shutdown(wait=False)
        return
    # no future is cancelled here: the executor's thread fails those of dead workers, and trips over cancelled
    # ones
    for process in multiprocessing.active_children():
        process.terminate()
        process.join(5)
        if process.is_alive():
            process.kill()
    with contextlib.suppress(
        AttributeError
    ):  # private; before 3.11.5 nobody else closes it, and what feeds a full pipe waits (gh-94777)
        executor._call_queue._reader.close()  # type: ignore[attr-defined]
    executor.shutdown(
        wait=True
    )  # its thread, too: at the interpreter's end it may close what is still to be woken


class Results:
    """The folder of results: one folder a submission, its ``results.json`` written last and whole.

    Args:
        folder: the output folder; made if missing.

    Raises:
        Stopped: another batch is writing there.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(ImportError):  # Windows has no fcntl and goes without the lock
            import fcntl

            self.lock = os.open(folder, os.O_RDONLY)  # held until this process ends, however it ends
            try:
                fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(self.lock)
                raise Stopped(f"Another grading run is writing to {folder}.") from None

    def of(self, submission: str) -> Path:
        """One submission's folder."""
        return self.folder / "submissions" / submission

    def kept(self, submission: Submission, settings: Settings) -> Report | None:
        """The report of an earlier run, if nothing has changed since that it depends on."""
        try:
            found = report.read_results(json.loads((self.of(submission.name) / "results.json").read_bytes()))
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return found if found.key == key_of(submission, settings) else None

    def keep(self, graded: Graded) -> None:
        """Writes one result: first what belongs to it, then the file that says that it is there."""
        folder = self.of(graded.report.submission)
        folder.mkdir(parents=True, exist_ok=True)
        if graded.executed:
            write_atomically(folder / "executed.ipynb", graded.executed.encode())
        else:
            (folder / "executed.ipynb").unlink(missing_ok=True)
        report.write_results(folder, graded.report)
