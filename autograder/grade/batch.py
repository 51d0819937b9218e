"""Grades a class: maps a pure function over submissions on a ``concurrent.futures`` executor or on Dask.

Results come back one by one and can be kept as they come; what was kept for the same content, grader, seed
and settings is not graded again. A submission travels as bytes, so workers need no file of the batch.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import socket
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from autograder.grade import processes
from autograder.grade.settings import Settings
from autograder.grade.workers import Graded, failure, grade, grader_version, key_of, probe, start_worker
from autograder.run.choose import Place
from autograder.submissions.find import Submission

# submissions handed to each worker ahead of time: enough that none waits, few enough that memory stays flat
IN_FLIGHT = 2
PATIENCE = 2.0  # seconds without a result, then it is seen whether any can come
TRIES = 3  # how often a submission is tried whose worker dies
DEATHS = 3  # of workers that have not graded anything: with more, no worker would
DIED = "The grader died on this submission each time. It was not graded."


class BatchError(Exception):
    """The batch cannot go on; the message says why."""


class _LocalExecutor(ProcessPoolExecutor):
    """Worker processes that never see a Ctrl-C, not even while they start."""

    def submit(self, fn: Callable[..., Any], /, *arguments: Any, **options: Any) -> Future[Any]:
        """Submits; what that starts inherits a blocked SIGINT, which is ours afterwards."""
        with processes.without_interrupts():
            return super().submit(fn, *arguments, **options)


def local_executor(workers: int, nursery: socket.socket | None = None) -> ProcessPoolExecutor:
    """Worker processes on this machine, with one thread each, that share nothing with this one.

    Args:
        workers: how many.
        nursery: where they get their sandboxes from; None has each start its own.
    """
    return _LocalExecutor(
        workers, mp_context=processes.context(), initializer=start_worker, initargs=("", nursery)
    )


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
        executors: makes an executor; called again after a worker's death has broken the last one. Its method
            ``alive``, if it has one, raises when no result can come any more.
        workers: how many submissions the executor grades at a time.

    Yields:
        A result for each submission, and warnings as text, each once.

    Raises:
        NoSandboxError: a sandbox is required and there is none.
        BatchError: workers die before they grade anything.
    """
    batch = _Batch(settings, place, executors)
    remaining = deque(submissions)
    while remaining or batch.suspects:
        # a submission that was there when a worker died is tried once more, by itself
        if remaining:
            yield from batch.grade(remaining, workers, workers * IN_FLIGHT)
        else:
            yield from batch.grade(batch.suspects, 1, 1)


class _Batch:
    """A batch over the lives of its executors.

    Attributes:
        suspects: submissions that were being graded when a worker died.
    """

    def __init__(self, settings: Settings, place: Place, executors: Callable[[], Executor]):
        self.settings, self.place, self.executors = settings, place, executors
        self._alive: Callable[[], None] = getattr(executors, "alive", lambda: None)
        self.suspects: deque[Submission] = deque()
        self._tried: Counter[str] = Counter()
        self._warned: set[str] = set()
        self._deaths = 0

    def grade(self, queue: deque[Submission], workers: int, in_flight: int) -> Iterator[Graded | str]:
        """Grades a queue with one executor, until the queue is empty or a worker dies."""
        executor = self.executors()
        futures: dict[Future[Any], Submission] = {}
        try:
            # the workers start side by side
            probes = [executor.submit(probe, self.place) for _ in range(workers)]
            if not self._warned:
                yield from self._warn(probes[0].result())
            while queue or futures:
                while queue and len(futures) < in_flight:
                    submission = queue.popleft()
                    futures[executor.submit(grade, submission, self.settings, self.place)] = submission
                yield from self._collect(futures)
        except Exception as error:
            if not _worker_died(error):
                raise
            yield from self._suspect(futures.values(), error)
        finally:
            _shut_down(executor, futures)

    def _collect(self, futures: dict[Future[Any], Submission]) -> Iterator[Graded | str]:
        """Takes the results that are there out of the futures; waits for one."""
        done: set[Future[Any]] = set()
        while not done:
            done = wait(futures, timeout=PATIENCE, return_when=FIRST_COMPLETED).done
            if not done:
                self._alive()
        for future in done:
            result = future.result()
            self._refuse_another_grader(result, futures[future])
            del futures[future]
            yield from self._warn(result.warning)
            yield result

    def _refuse_another_grader(self, result: Graded, submission: Submission) -> None:
        """Sees that the worker judged by this very grader, also one that came after all others were asked.

        Raises:
            BatchError: it has another one; nothing of it is kept.
        """
        own, theirs = grader_version(), result.version or "another one"
        if theirs == own or not (result.version or result.report.key):
            return
        if result.version or result.report.key != key_of(submission, self.settings):
            raise BatchError(
                f"A worker has the grader {theirs}, but here is {own}. Install the same on all, and start"
                " the workers again. What was graded before is kept."
            )

    def _warn(self, warning: str) -> Iterator[str]:
        if warning and warning not in self._warned:
            self._warned.add(warning)
            yield warning

    def _suspect(self, submissions: Iterable[Submission], error: Exception) -> Iterator[Graded]:
        """Puts what a dead worker may have had back for another try; gives up what has had its tries."""
        suspected = list(submissions)
        if not suspected:
            self._deaths += 1
            if self._deaths > DEATHS:
                raise BatchError(f"Workers die before they grade anything: {error}") from None
        for submission in suspected:
            self._tried[submission.name] += 1
            if self._tried[submission.name] < TRIES:
                self.suspects.append(submission)
            else:
                yield Graded(failure(submission, self.settings, DIED))


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
    # no future is canceled here: the executor's thread fails those of dead workers, and trips over
    # canceled ones
    for process in multiprocessing.active_children():
        process.terminate()
        process.join(5)
        if process.is_alive():
            process.kill()
    if sys.version_info < (3, 11, 5):
        # private; nobody else closes it there, and what feeds a full pipe waits (gh-94777). Later versions
        # close it in their own thread, and two that close one descriptor may close somebody else's
        with contextlib.suppress(AttributeError):
            executor._call_queue._reader.close()  # type: ignore[attr-defined]
    # its thread, too: at the interpreter's end it may close what is still to be woken
    executor.shutdown(wait=True)
