"""The zip to hand in: notebook, log and files, and what to say of it."""

from __future__ import annotations

from autograder.kit.clock import clock, stamp
from autograder.kit.feedback import Line
from autograder.kit.handing_in import SavedNotebook, in_colab, write_whole, zip_bytes
from autograder.kit.state import LOG_NAME, Recorded


def pack(log: Recorded, notebook: SavedNotebook | None, ready: bool) -> list[Line]:
    """Makes the zip to hand in and says what it holds, and what has to be added by hand.

    Args:
        log: what is recorded; written.
        notebook: the notebook as saved, if it was found.
        ready: whether nothing stands against handing it in.
    """
    stem = log.homework["stem"]
    target = log.path.with_name(f"{stem}_submission.zip")
    files = {f"{stem}.ipynb": notebook.data} if notebook else {}
    for path in (log.path, *(log.path.with_name(spec["file"]) for spec in log.files())):
        if path.name == LOG_NAME or path.is_file():
            files[path.name] = path.read_bytes()
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
    advice = "Hand in this one file,"
    if not ready:
        advice = "This is not ready to hand in: first do what the lines marked ✗ say. The file will be"
    return [(None, f"{holds}; the notebook {told}."), (None, f"{advice} `{target.name}`. {where}")]


def _by_hand(log: Recorded) -> str:
    """Why the notebook is not in the zip, and how to get it."""
    if in_colab():
        return "Colab keeps the notebook in Drive: choose File → Download → Download .ipynb"
    return f"No notebook of {log.homework['id']} was found in {log.path.parent}: save it"
