"""Runs a homework's reference solution as a student would run it, training included."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.author.build import build_notebook, repository_address
from autograder.author.kit_text import kit_source
from autograder.author.source import BuildError
from autograder.declare import Homework
from autograder.names import SKIPPED, source_path
from autograder.run.execute import execute
from autograder.run.limits import Limits

TRAINED = "pt", "history.json", "frames.npz"  # endings of what a training leaves beside the notebook


def run_reference(
    root: Path, homework: Homework, *, blank: bool = False
) -> tuple[NotebookNode, bytes, dict[str, bytes]]:
    """Runs the reference as a student would, training and figures included.

    Args:
        root: the checkout.
        homework: which.
        blank: run the student notebook instead, with nothing answered.

    Returns:
        The executed notebook, the log that it wrote, and its checkpoints by file name.

    Raises:
        BuildError: a cell raised, or no log was written.
    """
    notebook = build_notebook(
        homework, source_path(root, homework.stem), blank=blank, repository=repository_address(root)
    )
    trained = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for cell in trained.cells:
        cell.metadata.pop("tags", None)
        if cell.cell_type == "code":
            cell.source = SKIPPED.sub("# run here", cell.source, count=1)
    keep = [checkpoint.file for checkpoint in homework.checkpoints()]
    limits = Limits(
        cell_seconds=1200, total_seconds=3600, cpu_seconds=3600, memory_bytes=8e9, output_bytes=20_000_000
    )
    result = execute(
        trained,
        kit_source=kit_source(homework),
        attachments=kept_files(root, homework),
        limits=limits,
        keep=keep,
    )
    errors = [
        output
        for cell in result.notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    if errors or result.events or not result.logs:
        raise BuildError(
            f"{homework.id}: the notebook did not run: {result.events}"
            f" {[(error.ename, error.evalue) for error in errors]}"
        )
    for cell, original in zip(result.notebook.cells, notebook.cells, strict=True):
        cell.source, cell.metadata = original.source, original.metadata
    return result.notebook, result.logs[-1], dict(result.files)


def kept_files(root: Path, homework: Homework) -> dict[str, bytes]:
    """What a reference run finds beside its notebook: data, what was fetched, results of earlier training."""
    trained = [root / "solutions" / f"{homework.stem}.{ending}" for ending in TRAINED]
    paths = [*sorted((root / "notebooks" / "data").glob("*.npz")), *trained]
    fetched = dict(homework.data.fetched()) if homework.data else {}
    return {path.name: path.read_bytes() for path in paths if path.is_file()} | fetched


def reference_submission(root: Path, homework: Homework) -> tuple[NotebookNode, bytes, dict[str, bytes]]:
    """The reference as a student would hand it in: notebook, log, and files such as a checkpoint.

    Homeworks that train for minutes keep the results of one training in ``solutions/`` (``STEM.log.json`` and
    ``STEM.pt``, with the command that made them in the docs); the others are run here, training included.
    """
    kept_log = root / "solutions" / f"{homework.stem}.log.json"
    checkpoint = root / "solutions" / f"{homework.stem}.pt"
    files = {f"{homework.stem}.pt": checkpoint.read_bytes()} if checkpoint.is_file() else {}
    if kept_log.is_file():
        notebook = build_notebook(
            homework, source_path(root, homework.stem), blank=False, repository=repository_address(root)
        )
        return notebook, kept_log.read_bytes(), files
    notebook, log, written = run_reference(root, homework)
    return notebook, log, written | files
