"""Which files belong together by what is in them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence, Set
from pathlib import PurePosixPath

from autograder.declare import homeworks
from autograder.files import encoded, same_name, whole
from autograder.submissions.errors import SubmissionError
from autograder.submissions.log import MAX_LOG_BYTES, parse_json
from autograder.submissions.notebook import code_digests, read_notebook, recognize

NAMED = 5  # files that a sentence names
TAIL = re.compile(r"(?<![ _.-])[ _.-]*(?:submission[ _-]?log|submission|log)$")


def listed(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(whole(name)[:80] for name in names[:NAMED])}{more}"


def bare(path: PurePosixPath) -> str:
    """A file's name without the suffixes that say what it is."""
    name = path.name
    while (one := PurePosixPath(name)).suffix.lower() in (".ipynb", ".json", ".zip", ".txt"):
        name = one.stem
    return name


def stem(path: PurePosixPath) -> str:
    """What a notebook, its log and its zip have in common: ``hw3_jane_submission.zip`` → ``hw3_jane``."""
    return TAIL.sub("", same_name(bare(path))) or "submission_log"


def cells_digest(notebook: bytes) -> bytes | None:
    """A digest of a notebook's cells without their outputs; None if it cannot be read."""
    try:
        cells = read_notebook(notebook).cells
    except SubmissionError:
        return None
    told = [(cell.cell_type, cell.source, cell.metadata.get("tags")) for cell in cells]
    return hashlib.sha256(encoded(json.dumps(told, ensure_ascii=False))).digest()


def identity_of(notebook: bytes) -> bytes:
    """What notebooks that differ in outputs only have in common; all of the bytes of an unreadable one."""
    return cells_digest(notebook) or hashlib.sha256(b"unreadable" + notebook).digest()


def same_cells(one: bytes | None, other: bytes | None) -> bool:
    """Whether two notebooks differ in outputs only: the last cell makes the zip before its print is saved."""
    return bool(one and other) and (one == other or identity_of(one or b"") == identity_of(other or b""))


def homework_of(notebook: bytes) -> str:
    """The homework that a notebook belongs to; empty if it is none's or cannot be read."""
    try:
        return recognize(read_notebook(notebook), None, homeworks()).id
    except SubmissionError:
        return ""


def homework_of_log(log: bytes) -> str:
    """The homework that a log names; empty if it cannot be read."""
    try:
        document = parse_json(log, MAX_LOG_BYTES, "The log")
    except SubmissionError:
        return ""
    told = document.get("homework") if isinstance(document, dict) else None
    return told if isinstance(told, str) else ""


def fits(log: bytes, notebook: bytes) -> bool | None:
    """Whether most answers in a log come from a notebook's cells; None if it does not say."""
    return fit(sources_of(log), code_of(notebook))


def fit(told: Set[str], there: Set[str] | None) -> bool | None:
    """The same of what was read: :func:`sources_of` a log and :func:`code_of` a notebook."""
    return 2 * len(told & there) >= len(told) if told and there is not None else None


def sources_of(log: bytes) -> frozenset[str]:
    """The digests of the cells from which the answers in a log come; empty if it does not say."""
    try:
        document = parse_json(log, MAX_LOG_BYTES, "The log")
    except SubmissionError:
        return frozenset()
    answers = document.get("answers") if isinstance(document, dict) else None
    return frozenset(
        source
        for answer in (answers.values() if isinstance(answers, dict) else ())
        for source in _listed(answer)
        if isinstance(source, str)
    )


def code_of(notebook: bytes) -> frozenset[str] | None:
    """The digests of a notebook's code cells; None if it cannot be read."""
    try:
        return code_digests(read_notebook(notebook))
    except SubmissionError:
        return None


def _listed(answer: object) -> list[object]:
    sources = answer.get("sources") if isinstance(answer, dict) else None
    return sources if isinstance(sources, list) else []
