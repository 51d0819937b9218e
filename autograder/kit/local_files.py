"""Files of Python beside the notebook that its cells import: which they are, and which may be submitted.

The zip is flat and learning platforms flatten folders, so only single files can be handed in. The grader lays
them into the folder of its kernel, where nothing but a cell's import reads them.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from autograder.kit.answers import Cell
from autograder.kit.statements import python_text

KIT_NAME = "homework_kit"
MAX_LOCAL_FILES = 20
MAX_LOCAL_BYTES = 200_000  # all of them together; a long one has 20 kB
MAX_LOCAL_NAME = 60  # characters of a file's name


@dataclass(frozen=True)
class LocalFiles:
    """What a notebook imports from files beside it.

    Attributes:
        files: file name → bytes, of those that are submitted.
        problems: a sentence for each that cannot, and why.
    """

    files: Mapping[str, bytes]
    problems: tuple[str, ...]


def imports(text: str, guarded: bool = True) -> set[str]:
    """The modules that a text imports, anywhere in it; of dotted names the first part.

    Args:
        text: a cell or a file of Python; nothing is found in what cannot be parsed.
        guarded: whether imports within ``try`` count, for which the text has another way.
    """
    try:
        waiting: list[ast.AST] = [ast.parse(python_text(text))]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found: set[str] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Try) and not guarded:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
        waiting += ast.iter_child_nodes(node)
    return found


def find_local_files(folder: Path, cells: Iterable[Cell], modules: Iterable[str] = ()) -> LocalFiles:
    """The files of Python in a folder that code cells import or run, and what those import in turn.

    Args:
        folder: where the notebook lies.
        cells: kind and text of each cell.
        modules: what grading has installed; a file of such a name would hide it.
    """
    texts = [text for kind, text in cells if kind == "code"]
    # what a cell writes is not submitted: the cell writes it again
    written = {name for text in texts for name in re.findall(r"^\s*%%writefile\s+(?:-a\s+)?(\S+)", text)}
    there = {path.name for path in folder.iterdir()}
    files: dict[str, bytes] = {}
    problems: dict[str, str] = {}
    waiting = sorted({name for text in texts for name in (*imports(text), *_run_by_magic(text))})
    while waiting:
        name = waiting.pop(0)
        file = f"{name}.py"
        if file in files or file in problems or file in written or name == KIT_NAME:
            continue
        path = folder / file
        if file not in there:
            if name not in modules and name in there and any(folder.joinpath(name).glob("*.py")):
                told = f"`{name}` is a folder; only single files of Python beside the notebook are handed in"
                problems[file] = f"{told}. Put what you need of it into a file such as `{name}_parts.py`."
            continue
        if why := local_problem(file, modules):
            problems[file] = why
        elif path.is_symlink() or not path.is_file():
            problems[file] = f"`{file}` is a link, not a file; put the file itself beside the notebook."
        elif len(files) >= MAX_LOCAL_FILES:
            problems[file] = f"`{file}` is left out: at most {MAX_LOCAL_FILES} files of Python are handed in."
        elif (room := MAX_LOCAL_BYTES - sum(map(len, files.values()))) < path.stat().st_size:
            told = f"`{file}` is left out: it has {path.stat().st_size / 1000:,.0f} kB,"
            problems[file] = f"{told} and {room / 1000:,.0f} kB are left for files of Python."
        else:
            files[file] = path.read_bytes()
            waiting += sorted(imports(files[file].decode("utf-8", "replace")))
    return LocalFiles(files, tuple(problems.values()))


def local_problem(file: str, modules: Iterable[str] = ()) -> str:
    """Why a file of Python cannot lie beside the kit while grading, in a sentence; empty if it can.

    Args:
        file: its name, without a folder.
        modules: what grading has installed.
    """
    name = file.removesuffix(".py")
    if not name.isidentifier() or not file.endswith(".py") or len(file) > MAX_LOCAL_NAME:
        return f"`{file[:MAX_LOCAL_NAME]}` has no name that Python can import; rename it."
    if name == KIT_NAME:
        return f"`{file}` is the homework's own; the grader uses its own copy."
    if name in sys.stdlib_module_names or name in modules:
        return f"`{file}` has the name of a module that grading needs; rename it, and its import."
    return ""


def _run_by_magic(text: str) -> Iterator[str]:
    """The names of files that a cell runs by ``%run``."""
    for name in re.findall(r"^[^\S\n]*%run[ \t]+(?:-\w[ \t]+)*[\"']?([\w.]+)", text, flags=re.MULTILINE):
        yield name.removesuffix(".py")
