"""What else lies beside the notebook while it is graded: files of Python that were handed in, and data.

The files of Python are the student's: nothing here imports them; only the sandboxed kernel does.
"""

from __future__ import annotations

import re
from functools import lru_cache

from autograder.author.modules import needed_modules
from autograder.declare import DataUnavailableError, Homework, homeworks
from autograder.kit.local_files import MAX_LOCAL_BYTES, MAX_LOCAL_FILES, local_problem
from autograder.submissions.find import Submission


def local_files(submission: Submission, homework: Homework) -> tuple[dict[str, bytes], list[str]]:
    """The files of Python that were handed in with the notebook, as far as a kernel may have them.

    Returns:
        File name → bytes, and a note for each that is left out.
    """
    laid: dict[str, bytes] = {}
    notes: list[str] = []
    for name, data in sorted(submission.attachments.items()):
        if not name.endswith(".py"):
            continue
        if problem := local_problem(name, needed_modules()):
            notes.append(f"{problem} It was left out.")
        elif len(laid) >= MAX_LOCAL_FILES:
            notes.append(f"`{name}` was left out: there are more than {MAX_LOCAL_FILES} files of Python.")
        elif sum(map(len, laid.values())) + len(data) > MAX_LOCAL_BYTES:
            told = f"the files of Python have more than {MAX_LOCAL_BYTES / 1000:.0f} kB together"
            notes.append(f"`{name}` was left out: {told}.")
        else:
            laid[name] = data
            notes += _forbidden_names(name, data, homework)
    return laid, notes


def _forbidden_names(file: str, data: bytes, homework: Homework) -> list[str]:
    """A note for each question of which a file names a forbidden library call."""
    text = data.decode("utf-8", "replace")
    return [
        f"{question.id}: `{file}` names `{call}`, which does the work that this question asks for."
        " Whether the answer rests on it, a person has to see."
        for question in homework.questions.values()
        for call in question.forbids
        if re.search(rf"\b{re.escape(call.rpartition('.')[2])}\b", text)
    ]


def data_files(homework: Homework) -> tuple[dict[str, bytes], list[str]]:
    """The data that a homework wants beside its notebook, and a note for each file that cannot be had."""
    files, missing = _data_files(homework.id)
    notes = [
        f"The grader does not have {name}: cells that load it ran without. Tell your instructor."
        for name in missing
    ]
    return dict(files), notes


@lru_cache(maxsize=8)
def _data_files(homework: str) -> tuple[tuple[tuple[str, bytes], ...], tuple[str, ...]]:
    data = homeworks()[homework].data
    files: list[tuple[str, bytes]] = []
    missing: list[str] = []
    for name, read in data.beside.items() if data else ():
        try:
            files.append((name, read()))
        except DataUnavailableError:
            missing.append(name)
    return tuple(files), tuple(missing)
