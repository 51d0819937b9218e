"""A cell's text as single statements, so that what follows one that raised can still be run."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import TypeVar

IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError")
LOST = re.compile(r"name '(\w{1,100})' is not defined")
STUB = re.compile(r"\d+\.\d\w*")  # what a blank cell's NotImplementedError says: the question
# of a line without its indent: a pattern over many lines takes quadratic time where most of them are blank
MAGIC = re.compile(r"[%!]|[\w., ]+=\s*[%!]|\?|[\w.]+\?{1,2}\s*$")
TRANSPARENT = ("%%time", "%%capture", "%%timeit")  # cell magics below which Python stands
MAX_STATEMENTS = 200  # of one cell that are run one by one
MAX_CELL = 200_000  # characters of a cell that are looked at
MAX_KEPT, SHORT_TEXT = 2_000, 10_000  # texts of which an answer is kept, and characters of each

Found = TypeVar("Found")


def of_short_texts(find: Callable[[str], Found]) -> Callable[[str], Found]:
    """Has a function of one text keep what it found: most cells of a class are the same in all notebooks."""
    kept = lru_cache(maxsize=MAX_KEPT)(find)

    @wraps(find)
    def found(text: str) -> Found:
        return kept(text) if len(text) <= SHORT_TEXT else find(text)

    return found


@dataclass(frozen=True)
class Statement:
    """One statement of a cell.

    Attributes:
        text: as it stands there, magics included; of an import of several names one name.
        line: where it begins, from 1.
        last: where it ends.
        setting: whether it imports, sets up or asserts something.
        imports: whether it imports something.
    """

    text: str
    line: int
    last: int
    setting: bool = False
    imports: bool = False

    @property
    def placed(self) -> str:
        """The text with as many lines of comment before it that tracebacks name its line in the cell."""
        return "#\n" * (self.line - 1) + self.text


def python_text(source: str) -> str:
    """The cell as Python: each magic is ``pass`` on a line of its own; empty if it is another language."""
    first = source.lstrip()
    if len(source) > MAX_CELL:
        return ""
    if first.startswith("%%") and not first.startswith(TRANSPARENT):
        return ""
    return "\n".join(map(_without_magic, source.split("\n")))


def _without_magic(line: str) -> str:
    bare = line.lstrip()
    return f"{line[: len(line) - len(bare)]}pass" if MAGIC.match(bare) else line


def parse(source: str) -> ast.Module | None:
    """The cell's syntax tree; None if it is no Python."""
    try:
        return ast.parse(python_text(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def statements(source: str) -> list[Statement]:
    """The statements at a cell's top level, in order; none if the cell is no Python."""
    tree = parse(source)
    return [] if tree is None else list(_split(tree, source))


def _split(tree: ast.Module, source: str) -> Iterator[Statement]:
    lines = source.split("\n")
    for node in tree.body:
        first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        last = node.end_lineno or first
        if isinstance(node, ast.Import) or (
            isinstance(node, ast.ImportFrom) and node.names[0].name != "*" and len(node.names) > 1
        ):
            for alias in node.names:
                one = ast.Import([alias])
                if isinstance(node, ast.ImportFrom):
                    one = ast.ImportFrom(node.module, [alias], node.level)  # type: ignore[assignment]
                yield Statement(ast.unparse(one), first, last, setting=True, imports=True)
            continue
        if isinstance(node, ast.Pass) and lines[first - 1].lstrip().startswith("%%"):
            continue
        begin = node.col_offset if first == node.lineno else 0
        rows = [line.encode("utf-8", "surrogatepass") for line in lines[first - 1 : last]]
        if not isinstance(node, ast.Pass):  # a magic has its line for itself
            rows[-1] = rows[-1][: node.end_col_offset]
            rows[0] = rows[0][begin:]
        text = b"\n".join(rows).decode("utf-8", "surrogatepass")
        yield Statement(text, first, last, _is_setting(node), isinstance(node, ast.ImportFrom))


def _is_setting(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):  # such as plt.rcParams["figure.dpi"] = 100
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in node.targets)
    called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call | ast.Constant)
    return called or isinstance(node, ast.Import | ast.ImportFrom | ast.Assert | ast.Pass)


def is_set_up(source: str) -> bool:
    """Whether a cell mostly imports and sets things up: half of its statements do, one of them imports."""
    found = statements(source)
    return any(one.imports for one in found) and 2 * sum(one.setting for one in found) >= len(found)


def from_line(source: str, line: int) -> list[Statement]:
    """The statements from the one on a line; all of them if none stands there."""
    found = statements(source)
    at = [one for one in found if one.last >= line]
    return (at or found)[:MAX_STATEMENTS]


def lacking(kind: str, message: str) -> str:
    """The name of which an exception says that it is missing; empty if that is not it."""
    found = LOST.search(message) if kind == "NameError" else None
    return found[1] if found else ""


def is_stub(kind: str, message: str) -> bool:
    """Whether an exception says only that something is not answered yet."""
    return kind == "NotImplementedError" and STUB.fullmatch(message) is not None


def goes_on(kind: str, message: str, source: str, lost: Container[str]) -> bool:
    """Whether grading runs what follows in a cell all the same after it raised, statement by statement.

    It does where something of the machine is missing rather than right: after an import that failed, in a
    cell that mostly imports and sets things up, and where a name is missing because of such a failure.

    Args:
        kind: the exception's type.
        message: what it says.
        source: the cell.
        lost: names that statements which were passed over did not give.
    """
    if kind in ("SyntaxError", "IndentationError", "KeyboardInterrupt"):
        return False
    missing = kind in IMPORT_ERRORS or lacking(kind, message) in lost
    return missing or (not is_stub(kind, message) and is_set_up(source))
