"""Reads notebooks that were handed in: cells, homework, written answers. All of it is untrusted."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any

import nbformat
from nbformat import NotebookNode

from autograder.declare import Homework
from autograder.kit import answers
from autograder.kit.answers import WrittenAnswer
from autograder.kit.handing_in import cell_digest
from autograder.kit.packing import MAX_NOTEBOOK_BYTES
from autograder.names import KIT_FILE
from autograder.submissions import pictures
from autograder.submissions.cells import is_kit
from autograder.submissions.errors import SubmissionError
from autograder.submissions.log import parse_json, read_log

MAX_CELLS = 3_000
RECORD = re.compile(r"""\brecord\([ \t]{0,9}["']([^"'\n]{1,20})["']""")
MANY_NAMES = (
    10  # of a homework's answers in a notebook without a record cell; at most 4 are another one's, too
)


def read_notebook(data: bytes, what: str = "The notebook") -> NotebookNode:
    """Reads a notebook of any format since 3 and keeps only what grading needs: cell types and sources.

    Outputs, widgets, attachments and odd metadata stay behind; cells get fresh ids.

    Raises:
        SubmissionError: it cannot be read, with words that say why.
    """
    document = parse_json(data, MAX_NOTEBOOK_BYTES, what)
    if isinstance(document, dict) and document.get("nbformat") in (3.0, 4.0):  # as some programs write it
        document["nbformat"] = int(document["nbformat"])
    if not isinstance(document, dict) or not isinstance(document.get("nbformat", 4), int):
        raise SubmissionError(f"{what} is JSON, but not a notebook.")
    if document.get("nbformat", 4) < 4:
        document = _upgrade(document, what)
    cells = document.get("cells")
    if not isinstance(cells, list):
        raise SubmissionError(f"{what} is JSON, but not a notebook: it has no list of cells.")
    if len(cells) > MAX_CELLS:
        raise SubmissionError(f"{what} has {len(cells)} cells; the limit is {MAX_CELLS}.")
    clean = nbformat.v4.new_notebook()
    clean.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    metadata = document.get("metadata")
    mark = metadata.get("attention_homework") if isinstance(metadata, dict) else None
    if isinstance(mark, dict) and isinstance(mark.get("id"), str):
        clean.metadata["attention_homework"] = {"id": mark["id"]}
    clean.cells = [_cell(index, cell, what) for index, cell in enumerate(cells)]
    return clean


def _cell(index: int, cell: Any, what: str) -> NotebookNode:
    """What grading needs of one cell.

    Raises:
        SubmissionError: it is none.
    """
    if not isinstance(cell, dict) or not isinstance(cell.get("source", ""), str | list):
        raise SubmissionError(f"{what}: cell {index + 1} is not a notebook cell.")
    source = cell.get("source", "")
    text = source if isinstance(source, str) else "".join(part for part in source if isinstance(part, str))
    kind = cell.get("cell_type") if cell.get("cell_type") in ("code", "markdown") else "raw"
    # by hand: nbformat's makers check each cell against the schema, which takes longer than all the rest
    made = NotebookNode(
        id=f"cell-{index:04d}", cell_type=kind, metadata=NotebookNode(), source=text.replace("\r\n", "\n")
    )
    if kind == "code":
        made.update(execution_count=None, outputs=[])
    if _tagged_skip(cell.get("metadata")):
        made.metadata["tags"] = ["skip-execution"]
    return made


def _upgrade(document: dict[str, Any], what: str) -> Any:
    with contextlib.suppress(Exception):
        logging.getLogger("traitlets").setLevel(logging.ERROR)
        return nbformat.convert(nbformat.from_dict(document), 4)
    raise SubmissionError(
        f"{what} is in notebook format {document.get('nbformat')}, and could not be converted. Open and save"
        " it in Jupyter."
    )


def _tagged_skip(metadata: Any) -> bool:
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return isinstance(tags, list) and "skip-execution" in tags


def recognize(
    notebook: NotebookNode | None, log: bytes | None, homeworks: Mapping[str, Homework]
) -> Homework:
    """Which homework this is.

    The notebook's metadata say it, unless its cells are those of another one; then what its cells record
    decides, then the log.

    Args:
        notebook: as read; None if there is none.
        log: the bytes of the log that was handed in, if one was.
        homeworks: those that it may be.

    Raises:
        SubmissionError: it cannot be told.
    """
    if notebook is not None:
        marked, recorded = _marked(notebook), _recorded(notebook, homeworks)
        if marked in homeworks and recorded[marked]:
            return homeworks[marked]
        named = _named(notebook, homeworks)
        votes = {name: recorded[name] + named[name] for name in homeworks}
        best = max(votes, key=lambda name: votes[name])
        if marked in homeworks:
            clear = recorded[best] >= 2 or votes[best] >= MANY_NAMES
            return homeworks[best if clear and votes[best] > votes[marked] else marked]
        if votes[best] >= 2:
            return homeworks[best]
    if log is not None:
        told = read_log(log).homework
        if told in homeworks:
            return homeworks[told]
        raise SubmissionError(f"The log belongs to {told}, which this grader does not know.")
    raise SubmissionError(f"This notebook belongs to none of the homeworks {', '.join(homeworks)}.")


def of_several(notebook: NotebookNode, homework: Homework, homeworks: Mapping[str, Homework]) -> list[str]:
    """What to say where a notebook's mark and its cells do not name the same homework, and no other.

    Args:
        notebook: as read.
        homework: as which it is graded.
        homeworks: all that there are.
    """
    marked, recorded = _marked(notebook), _recorded(notebook, homeworks)
    others = [name for name, count in recorded.items() if name != homework.id and count >= 2]
    if marked in homeworks and marked != homework.id and marked not in others:
        return [
            f"The notebook is marked as {marked}, but its cells are those of {homework.id}. It was graded as"
            f" {homework.id}."
        ]
    found = " and ".join(f"{recorded[name]} questions of {name}" for name in others)
    return [f"The notebook holds {found}. Only {homework.id} was graded."] if others else []


def _marked(notebook: NotebookNode) -> str:
    """The homework that a notebook's metadata name."""
    return str(notebook.metadata.get("attention_homework", {}).get("id", ""))


def code_digests(notebook: NotebookNode) -> frozenset[str]:
    """The digests of a notebook's code cells but for the kit's."""
    return frozenset(
        cell_digest(cell.source)
        for cell in notebook.cells
        if cell.cell_type == "code" and not is_kit(cell.source)
    )


def _own_cells(notebook: NotebookNode) -> Iterator[str]:
    """The text of the cells that do not hold the kit, which names everything."""
    return (cell.source for cell in notebook.cells if KIT_FILE not in cell.source[:60])


def _recorded(notebook: NotebookNode, homeworks: Mapping[str, Homework]) -> dict[str, int]:
    """How many questions of each homework have a record cell in a notebook."""
    there = {match[1] for text in _own_cells(notebook) for match in RECORD.finditer(text)}
    return {name: len(there & set(homework.questions)) for name, homework in homeworks.items()}


def _named(notebook: NotebookNode, homeworks: Mapping[str, Homework]) -> dict[str, int]:
    """How many names of answers of each homework stand in a notebook."""
    text = "\n".join(_own_cells(notebook))
    return {
        name: sum(
            entry.name in text for question in homework.questions.values() for entry in question.entries
        )
        for name, homework in homeworks.items()
    }


def written_answers(
    notebook: NotebookNode, homework: Homework, handed_in: bytes = b""
) -> dict[str, WrittenAnswer]:
    """The written answers by question; see :mod:`autograder.kit.answers`.

    Args:
        notebook: as :func:`read_notebook` read it.
        homework: its questions.
        handed_in: the same notebook's bytes, in which pasted pictures are; without them they are not shown.
    """
    asked = [question.id for question in homework.questions.values() if question.written]
    cells = [
        (cell.cell_type, pictures.numbered(index, cell.source) if cell.cell_type != "code" else cell.source)
        for index, cell in enumerate(notebook.cells)
    ]
    found = answers.written_answers(cells, asked, homework.given())
    attached: pictures.Attachments = {}
    if handed_in and any("attachment:" in one.text for one in found.values()):
        document = parse_json(handed_in, MAX_NOTEBOOK_BYTES, "The notebook")
        attached = pictures.attachments(document.get("cells", []))
    return pictures.with_pictures(found, attached)
