"""What a student hands in, as the kernel sees it: the notebook as saved, the cells behind an answer, one zip.

Cells are known by a digest of their text: ids, tags and file names do not survive every front end, text does.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import symtable
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.kit.answers import Cell
from autograder.kit.statements import of_short_texts, python_text

ANSWER = re.compile(r"^\s*\*\*Answer (?P<question>\d+\.\d\w*)\*\*")  # a written answer's first line
BLANK_ANSWER = "*Write your answer here.*"
# the first line of a cell that grading skips; it survives any front end, as tags and ids may not
SKIPPED = re.compile(r"^\s*#\s*(?:figure|training) \(skipped while grading\)")
SKIP_TAG = "skip-execution"  # nbclient's; grading skips what carries it
COLAB_SECONDS = 10  # how long Colab's page may take to send the notebook
ZIP_DATE = (2020, 1, 1, 0, 0, 0)  # of every file in a zip
MAX_SOURCES = 60  # cells behind one answer that the log names


# --- the cells behind an answer -----------------------------------------------------------------------------


@of_short_texts
def cell_digest(text: str) -> str:
    """16 hexadecimal digits that stand for a cell's code.

    Blank lines, lines of comment and white space at line ends do not count.
    """
    lines = [
        line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:16]


@of_short_texts
def cell_names(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a code cell binds at its top level, imports left out, and those it lacks."""
    try:
        top = symtable.symtable(python_text(text), "cell", "exec")
    except (SyntaxError, ValueError, RecursionError):
        return frozenset(), frozenset()
    bound = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_assigned()}
    used = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
    inner = list(top.get_children())
    while inner:
        table = inner.pop()
        inner += table.get_children()
        used |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_global() and symbol.is_referenced()
        }
    return frozenset(bound), frozenset(used - bound)


def sources_behind(names: Iterable[str], cells: Sequence[str]) -> list[str]:
    """Digests of the cells that gave these names their values, and of those that they rest on in turn.

    Args:
        names: top-level names.
        cells: the code cells that ran, oldest first; of several that bind a name, the last one counts.
    """
    binder = {name: number for number, text in enumerate(cells) for name in cell_names(text)[0]}
    wanted, seen = [binder[name] for name in names if name in binder], set()
    while wanted:
        number = wanted.pop()
        if number not in seen:
            seen.add(number)
            wanted += [binder[name] for name in cell_names(cells[number])[1] if name in binder]
    return [cell_digest(cells[number]) for number in sorted(seen)][:MAX_SOURCES]


def cells_that_ran() -> list[str]:
    """The text of every cell that this kernel ran, oldest first; empty where IPython is not there."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    history = getattr(getattr(shell, "history_manager", None), "input_hist_raw", [])
    return [text for text in history if isinstance(text, str) and text.strip()]


# --- the notebook as saved ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class SavedNotebook:
    """The notebook that belongs to this kernel.

    Attributes:
        name: its file name; empty if it came from Colab's page.
        data: the bytes to hand in.
        saved: when the file was written, in seconds since 1970; None if it came from the page and is of this
            moment.
        cells: kind and text of each cell.
        tagged: the cells, from 1, with the tag by which grading skips them.
    """

    name: str
    data: bytes
    saved: float | None
    cells: tuple[Cell, ...]
    tagged: frozenset[int] = frozenset()

    def digests(self) -> set[str]:
        """The digests of its code cells."""
        return {cell_digest(text) for kind, text in self.cells if kind == "code"}


def in_colab() -> bool:
    """Whether this kernel runs in Google Colab."""
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ


def find_notebook(
    folder: Path, homework: Mapping[str, Any], ran: Sequence[str], names: Iterable[Any] = ()
) -> SavedNotebook | None:
    """Finds the notebook that this kernel runs, or None.

    Colab is asked for the notebook on its page. Elsewhere it is the file that the front end names, if it
    names one; else the
    notebook in the folder that belongs to the homework and shares most cells with what ran here, then the
    newest.

    Args:
        folder: where the kernel runs.
        homework: the description behind the kit.
        ran: the cells that ran.
        names: paths that the front end gave, or None.
    """
    if in_colab():
        return _from_colab()
    for name in names:
        path = folder / str(name) if name else None
        if path is not None and path.is_file() and (found := _read(path, homework)):
            return found
    there = sorted(path for path in folder.glob("*.ipynb") if path.is_file())
    known = [found for path in there[:200] if (found := _read(path, homework))]
    digests = {cell_digest(text) for text in ran}
    return max(known, key=lambda one: (len(digests & one.digests()), one.saved or 0.0), default=None)


def _read(path: Path, homework: Mapping[str, Any]) -> SavedNotebook | None:
    try:
        data, saved = path.read_bytes(), path.stat().st_mtime
        document = json.loads(data.decode("utf-8-sig"))
        cells = tuple(_cells(document))
    except (OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    mark = document.get("metadata", {}).get("attention_homework", {})
    recorded = sum(
        f'record("{question["id"]}")' in text
        for question in homework["questions"]
        for kind, text in cells
        if kind == "code"
    )
    belongs = mark.get("id") == homework["id"] if isinstance(mark, dict) and mark else recorded >= 2
    return SavedNotebook(path.name, data, saved, cells, _tagged(document)) if belongs else None


def _cells(document: Any) -> Iterator[Cell]:
    for cell in document["cells"]:
        source = cell.get("source", "")
        yield str(cell.get("cell_type")), source if isinstance(source, str) else "".join(source)


def _tagged(document: Any) -> frozenset[int]:
    """The cells, from 1, that carry the tag by which grading skips them."""
    found: set[int] = set()
    for number, cell in enumerate(document["cells"], 1):
        metadata = cell.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        if isinstance(tags, list) and SKIP_TAG in tags:
            found.add(number)
    return frozenset(found)


def _from_colab() -> SavedNotebook | None:
    """The notebook on Colab's page, unsaved changes included; None if the page does not send it.

    Colab publishes no interface for this; the message is the one that other packages use, so it may stop
    working.
    """
    try:
        from google.colab import _message

        document = _message.blocking_request("get_ipynb", request="", timeout_sec=COLAB_SECONDS)["ipynb"]
        data = json.dumps(document, ensure_ascii=False).encode()
        return SavedNotebook("", data, None, tuple(_cells(document)), _tagged(document))
    except Exception:
        return None


# --- files --------------------------------------------------------------------------------------------------


def file_digest(path: Path) -> str:
    """16 hexadecimal digits that stand for a file's content; empty if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def zip_bytes(
    files: Mapping[str, str | bytes], executable: Iterable[str] = (), method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    """A zip that depends on nothing but its files: equal content gives equal bytes, at any time and place.

    Args:
        files: name → content; text is written as UTF-8.
        executable: the names of those that can be run.
        method: how it is compressed; compressors differ between versions of zlib, ``ZIP_STORED`` does not.
    """
    buffer, marked = io.BytesIO(), set(executable)
    with zipfile.ZipFile(buffer, "w", method, compresslevel=6) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, ZIP_DATE)
            info.compress_type = method
            info.create_system = 3  # Unix, wherever it is made, so that the modes count
            info.external_attr = (0o100755 if name in marked else 0o100644) << 16
            archive.writestr(info, data.encode() if isinstance(data, str) else data)
    return buffer.getvalue()


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(data)
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)
