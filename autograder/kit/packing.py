"""The zip to hand in: notebook, log, files of Python and other files, and what to say of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from autograder.kit.clock import clock, stamp
from autograder.kit.feedback import Line
from autograder.kit.handing_in import SavedNotebook, in_colab, write_whole, zip_bytes
from autograder.kit.local_files import find_local_files
from autograder.kit.state import Recorded

MAX_NOTEBOOK_BYTES = 30_000_000  # the grader reads no larger ones; a notebook with many figures has 3 MB
BIG_BYTES = 10_000_000  # many platforms and mail servers refuse more


@dataclass(frozen=True)
class PackedFiles:
    """What goes into the zip beside notebook and log.

    Attributes:
        files: file name → bytes.
        lines: what to say of them, and of those that stay behind.
    """

    files: Mapping[str, bytes]
    lines: tuple[Line, ...] = ()


def packed_files(log: Recorded, notebook: SavedNotebook | None) -> PackedFiles:
    """The other files in the zip: those that answers name, and Python files that the notebook imports."""
    if log.challenged != "public":
        return PackedFiles({})
    paths = [log.path.with_name(spec["file"]) for spec in log.files()]
    files = {path.name: path.read_bytes() for path in paths if path.is_file()}
    if notebook is None:
        return PackedFiles(files)
    try:
        local = find_local_files(log.path.parent, notebook.cells, log.homework.get("modules", ()))
    except OSError as error:
        told = f"Files beside the notebook could not be read ({error}); hand in those that it imports."
        return PackedFiles(files, ((False, told),))
    lines: list[Line] = []
    if local.files:
        names = ", ".join(f"`{name}`" for name in local.files)
        goes = "goes" if len(local.files) == 1 else "go"
        lines.append((None, f"The notebook imports {names}, which {goes} into the zip."))
    lines += [(False, problem) for problem in local.problems]
    return PackedFiles(files | dict(local.files), tuple(lines))


def pack(log: Recorded, notebook: SavedNotebook | None, packed: PackedFiles, ready: bool) -> list[Line]:
    """Makes the zip to hand in and says what it holds, and what has to be added by hand.

    Args:
        log: what is recorded; written.
        notebook: the notebook as saved, if it was found.
        packed: the other files in the zip.
        ready: whether nothing stands against handing it in.
    """
    stem = log.homework["stem"]
    target = log.path.with_name(f"{stem}_submission.zip")
    files = {f"{stem}.ipynb": notebook.data} if notebook else {}
    files |= {log.path.name: log.path.read_bytes(), **packed.files}
    try:
        write_whole(target, zip_bytes(files))
    except OSError as error:
        told = f"`{target.name}` could not be written ({error})."
        return [(False, f"{told} Hand in these files one by one: {', '.join(files)}.")]
    size = f"{target.stat().st_size / 1000:,.0f} kB"
    holds = f"`{target.name}` ({size}) holds {', '.join(f'`{name}`' for name in files)}"
    where = "Download it from the Files pane at the left." if in_colab() else f"It is in {target.parent}."
    if notebook is None:
        return [(False, f"{holds}, but not the notebook. {_by_hand(log)}, and hand in both files. {where}")]
    told = "as it is on the page now"
    if notebook.saved is not None:
        told = f"as saved at {clock(stamp(notebook.saved))}"
    if notebook.name not in ("", f"{stem}.ipynb"):
        told += f", where it is called `{notebook.name}`"
    big = list(_big_lines(files))
    advice = "Hand in this one file,"
    if not ready or any(state is False for state, _ in big):
        advice = "This is not ready to hand in: first do what the lines marked ✗ say. The file will be"
    return [(None, f"{holds}; the notebook {told}."), *big, (None, f"{advice} `{target.name}`. {where}")]


def _big_lines(files: Mapping[str, bytes]) -> Iterator[Line]:
    """What to say of files that are too large, or may be."""
    for name, data in files.items():
        size = f"`{name}` has {len(data) / 1e6:,.0f} MB"
        smaller = "Clear the outputs of cells that print or draw much, save, then run this cell again."
        if name.endswith(".ipynb") and len(data) > MAX_NOTEBOOK_BYTES:
            yield False, f"{size}; the grader reads {MAX_NOTEBOOK_BYTES / 1e6:.0f} MB at most. {smaller}"
        elif len(data) > BIG_BYTES:
            advice = f" {smaller}" if name.endswith(".ipynb") else ""
            yield None, f"{size}; your learning platform may refuse files of that size.{advice}"


def _by_hand(log: Recorded) -> str:
    """Why the notebook is not in the zip, and how to get it."""
    if in_colab():
        return "Colab keeps the notebook in Drive: choose File → Download → Download .ipynb"
    return f"No notebook of {log.homework['id']} was found in {log.path.parent}: save it"
