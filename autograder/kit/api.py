"""What a notebook calls: check, record, finish, my_numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograder.kit.probes import keep_intact
from autograder.kit.recorder import Log

_log: Log | None = None


def open_homework(homework: Mapping[str, Any]) -> Log:
    """Makes ``check``, ``record`` and ``finish`` speak of one homework; the kit's last line calls it."""
    global _log
    _log = Log(homework)
    keep_intact()
    return _log


def opened_homework() -> Log:
    """The homework that is open.

    Raises:
        RuntimeError: there is none.
    """
    return _opened()


def _opened() -> Log:
    if _log is None:
        raise RuntimeError("No homework is open. Run the notebook's first two cells again.")
    return _log


def check(question: str) -> None:
    """Checks the present answer to one question on public examples, for example ``check("3.1")``."""
    _opened().check(question)


def record(question: str) -> None:
    """Puts the present answer to one question into the submission log, for example ``record("3.1")``."""
    _opened().record(question)


def my_numbers(student: Any, word: str) -> None:
    """Shows a student's own numbers, in courses where everyone has others; ``word`` is the course's."""
    _opened().my_numbers(student, word)


def keep_history(agreed: bool) -> None:
    """Keeps in the log when which check was run and what it said, never code.

    Args:
        agreed: the student's consent; ``False`` drops what was kept.
    """
    _opened().keep_history(agreed)


def finish(rehearse: bool = True) -> None:
    """Makes the file to hand in, and lists what is recorded and what is missing.

    Args:
        rehearse: whether the saved notebook is then run once more, as grading will run it, to see whether the
            same answers come out. It takes about as long as restarting the kernel and running all cells but
            those that draw or train.
    """
    _opened().finish(rehearse)
