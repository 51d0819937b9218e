"""Which files belong together by what is in them."""

from __future__ import annotations

from pathlib import PurePosixPath

from autograder.kit.handing_in import cell_digest
from autograder.submissions.errors import SubmissionError
from autograder.submissions.log import MAX_LOG_BYTES, parse_json
from autograder.submissions.notebook import read_notebook


def bare(path: PurePosixPath) -> str:
    """A file's name without the suffixes that say what it is."""
    name = path.name
    while (one := PurePosixPath(name)).suffix.lower() in (".ipynb", ".json", ".zip", ".txt"):
        name = one.stem
    return name


def same_cells(one: bytes | None, other: bytes | None) -> bool:
    """Whether two notebooks differ in outputs only: the last cell makes the zip before its print is saved."""
    if not one or not other:
        return False
    if one == other:
        return True
    try:
        return bool(read_notebook(one).cells == read_notebook(other).cells)
    except SubmissionError:
        return False


def fits(log: bytes, notebook: bytes) -> bool | None:
    """Whether most answers in a log come from a notebook's cells; None if it does not say."""
    try:
        document = parse_json(log, MAX_LOG_BYTES, "The log")
        cells = read_notebook(notebook).cells
    except SubmissionError:
        return None
    answers = document.get("answers") if isinstance(document, dict) else None
    told = {
        source
        for answer in (answers.values() if isinstance(answers, dict) else ())
        for source in _listed(answer)
        if isinstance(source, str)
    }
    there = {cell_digest(cell.source) for cell in cells if cell.cell_type == "code"}
    return 2 * len(told & there) >= len(told) if told else None


def _listed(answer: object) -> list[object]:
    sources = answer.get("sources") if isinstance(answer, dict) else None
    return sources if isinstance(sources, list) else []
