"""Figures of cells that grading leaves out, from the notebook as handed in: as copies that we made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder.kit.packing import MAX_NOTEBOOK_BYTES
from autograder.submissions.errors import SubmissionError
from autograder.submissions.log import parse_json
from autograder.submissions.pictures import MAX_BYTES, MAX_PICTURES, decoded, recoded

KINDS = ("image/png", "image/jpeg")
MAX_ALT = 1_000  # characters


def keep_figures(executed: NotebookNode, handed_in: bytes, skipped: Set[int]) -> None:
    """Puts copies of handed-in figures below the cells that were not run; the first, where there are many.

    Args:
        executed: the notebook as it ran; changed.
        handed_in: the file's bytes.
        skipped: indices of the cells that were left out.
    """
    if not skipped or not any(f'"{kind}"'.encode() in handed_in for kind in KINDS):
        return
    try:
        document = parse_json(handed_in, MAX_NOTEBOOK_BYTES, "The notebook")
    except SubmissionError:
        return
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list) or len(cells) != len(executed.cells):
        return
    found = [
        (index, *figure)
        for index in range(len(cells))
        if index in skipped
        for figure in figures_of(cells[index])
    ]
    found = found[:MAX_PICTURES]
    for (index, _, shown), made in zip(found, recoded([data for _, data, _ in found]), strict=True):
        if ours := re.fullmatch(r"data:(image/\w+);base64,(.*)", made.get("uri", ""), re.S):
            executed.cells[index].outputs.append(
                new_output("display_data", data={ours[1]: ours[2]}, metadata={ours[1]: shown})
            )


def figures_of(cell: Any) -> list[tuple[bytes, dict[str, Any]]]:
    """The figures below a cell, which may be any JSON, as handed in: each with its ``alt`` and ``width``."""
    outputs = cell.get("outputs") if isinstance(cell, dict) else None
    found = []
    for output in outputs[:100] if isinstance(outputs, list) else ():
        data = output.get("data") if isinstance(output, dict) else None
        for kind in KINDS:
            if not isinstance(data, dict):
                break
            text = data.get(kind)
            picture = decoded("".join(map(str, text)) if isinstance(text, list) else text)
            if 0 < len(picture) <= MAX_BYTES:
                found.append((picture, _told(output.get("metadata"), kind)))
                break
    return found


def _told(metadata: Any, kind: str) -> dict[str, Any]:
    """Its words and its width, as the kit writes them; the page checks them again."""
    told = metadata.get(kind) if isinstance(metadata, dict) else None
    told = told if isinstance(told, Mapping) else {}
    kept: dict[str, Any] = {}
    if isinstance(told.get("alt"), str):
        kept["alt"] = told["alt"][:MAX_ALT]
    if type(told.get("width")) is int:
        kept["width"] = told["width"]
    return kept
