"""Grading on a Dask cluster: connect, see that every worker has this very grader, say so if one has not."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from typing import Any
from urllib.parse import urlsplit

from autograder.grade.batch import BatchError
from autograder.grade.workers import grader_version

SCHEDULER_SECONDS = 4.0  # for a scheduler to answer,
WORKER_SECONDS = 20.0  # for a first worker to be there,
ASKING_SECONDS = 25.0  # and for all workers to say which grader they have: they import it then
NAMED = 5  # workers that a message names
AGAIN = "What is graded is kept; the same command goes on from there."

# what a worker runs that may have no grader, or another one: it travels as code, not by its name
_ASK = """
def asked():
    try:
        from autograder.grade.workers import grader_version
        return grader_version()
    except Exception as error:
        return f"- {type(error).__name__}: {error}"
"""


@contextlib.contextmanager
def cluster(address: str) -> Iterator[tuple[Callable[[], Executor], int]]:
    """A maker of executors on a Dask cluster, and the number of submissions that it grades at a time.

    Raises:
        BatchError: Dask is not installed, no scheduler answers, there are no workers, one of them has no
            grader or another version of it, or the scheduler is gone in the middle of the work.
    """
    try:
        from distributed import Client
    except ImportError:
        raise BatchError("--dask needs Dask: pip install 'attention-homeworks[dask]'.") from None
    _knock(address)
    try:
        client = _within(SCHEDULER_SECONDS, lambda: Client(address, timeout=SCHEDULER_SECONDS))
    except (OSError, ValueError) as error:
        told = str(error) or f"not within {SCHEDULER_SECONDS:g} s"
        raise BatchError(f"No Dask scheduler answers at {address}: {told}") from None
    try:
        _wait_for_workers(client, address)
        refuse_others(_versions(client))

        def executors() -> Executor:
            _knock(address, f" any more. {AGAIN}")
            made: Executor = client.get_executor(pure=False)
            return made

        yield executors, sum(client.nthreads().values())
    except (ImportError, AttributeError) as error:
        raise BatchError(
            f"A Dask worker cannot load this grader ({type(error).__name__}: {error}). Install"
            f" {grader_version()} on every worker and start the workers again. {AGAIN}"
        ) from None
    except Exception as error:
        if not isinstance(error, BatchError):
            _knock(address, f" any more ({type(error).__name__}). {AGAIN}")
        raise
    finally:
        with contextlib.suppress(Exception):  # of a cluster that is gone
            _within(4, lambda: client.close(timeout=2))


def _knock(address: str, more: str = ".") -> None:
    """Sees that something listens where the scheduler should be.

    Raises:
        BatchError: nothing does.
    """
    parts = urlsplit(address if "://" in address else f"tcp://{address}")
    if parts.scheme not in ("tcp", "tls") or not parts.hostname or not parts.port:
        return  # another transport: Dask itself will tell
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=SCHEDULER_SECONDS).close()
    except OSError as error:
        why = "" if more != "." else f": {error.strerror or error}"
        raise BatchError(f"No Dask scheduler answers at {address}{why}{more}") from None


def _within(seconds: float, work: Callable[[], Any]) -> Any:
    """What a call gives that may not come back; it is then left alone in a thread that no exit waits for.

    Raises:
        TimeoutError: it did not come back in time.
    """
    answers: queue.SimpleQueue[tuple[Any, Exception | None]] = queue.SimpleQueue()

    def call() -> None:
        try:
            answers.put((work(), None))
        except Exception as error:
            answers.put((None, error))

    threading.Thread(target=call, daemon=True).start()
    try:
        result, error = answers.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result


def _wait_for_workers(client: Any, address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_SECONDS)
    except TimeoutError:
        raise BatchError(f"The Dask scheduler at {address} has no workers.") from None


def _versions(client: Any) -> Mapping[str, str]:
    """What each worker says of its grader, by its address.

    Raises:
        BatchError: some do not answer.
    """
    code: dict[str, Any] = {"__name__": "autograder_asks"}
    exec(_ASK, code)  # noqa: S102  # our own text
    try:
        found = _within(ASKING_SECONDS, lambda: client.run(code["asked"], on_error="return"))
    except TimeoutError:
        raise BatchError(
            f"Not all Dask workers said within {ASKING_SECONDS:g} s which grader they have."
        ) from None
    return {where: str(told) for where, told in found.items()}


def refuse_others(versions: Mapping[str, str]) -> None:
    """Sees that all workers have the grader that is here.

    Args:
        versions: what each worker said of its grader.

    Raises:
        BatchError: one has none or another one; the message names both.
    """
    own = grader_version()
    none = [f"{where} ({told[2:]})" for where, told in versions.items() if told.startswith("- ")]
    others = [f"{where} has {told}" for where, told in versions.items() if told != own and told[:2] != "- "]
    if none:
        raise BatchError(
            f"{len(none)} of {len(versions)} Dask workers cannot load the grader: {_listed(none)}."
            f" Install {own} there, as it is here, and start the workers again."
        )
    if others:
        raise BatchError(
            f"{len(others)} of {len(versions)} Dask workers have another grader: {_listed(others)}; here is"
            f" {own}. They would judge by other checks and points. Install the same on all, and start the"
            " workers again."
        )


def _listed(some: list[str]) -> str:
    more = f" and {len(some) - NAMED} more" if len(some) > NAMED else ""
    return ", ".join(some[:NAMED]) + more
