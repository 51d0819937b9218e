"""Which names the cells of a notebook bind and need, and why a name has no value: all from their text."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from autograder.kit.provided import CellNames, names_of
from autograder.kit.statements import parse, python_text

CLOSE = 0.75  # how alike two names are of which one may be meant for the other


@dataclass(frozen=True)
class Cell:
    """A cell as far as names go.

    Attributes:
        kind: ``code``, ``markdown`` or ``raw``.
        skipped: whether grading leaves it out.
    """

    kind: str
    source: str
    skipped: bool = False

    @property
    def runs(self) -> bool:
        """Whether its code is run in grading."""
        return self.kind == "code" and not self.skipped


class NamesOfCells:
    """The names of a whole notebook.

    Args:
        cells: in order.
        known: names that do not count as an answer under another name, such as those of the given cells.
    """

    def __init__(self, cells: Sequence[Cell], known: Container[str] = ()):
        self.cells, self.known = cells, known
        self.names = [names_of(cell.source) if cell.kind == "code" else CellNames() for cell in cells]

    def binders(self, name: str) -> list[int]:
        """Indices of the cells that grading runs and that bind a name at their top level."""
        return [
            index for index, cell in enumerate(self.cells) if cell.runs and name in self.names[index].bound
        ]

    def not_run(self, name: str) -> str:
        """Which cell would bind a name if it were run or could be read, in words; empty if none would."""
        return self._skipped(name) or self._unreadable(name)

    def misplaced(self, name: str) -> str:
        """Where else a name stands, in words; empty if nowhere.

        It may be bound inside a function, stand in a cell that is no code, or be spelled in another way.
        """
        return self._nested(name) or self._not_code(name) or self._close(name)

    def overwritten(self, name: str) -> str:
        """Whether a cell without an answer binds a name again below one with an answer, in words."""
        found = self.binders(name)
        open_cells = [index for index in found if _is_open(self.cells[index].source, name)]
        if len(found) < 2 or found[-1] not in open_cells or len(open_cells) == len(found):
            return ""
        answer = next(index for index in reversed(found) if index not in open_cells)
        return (
            f"Cell {found[-1] + 1} defines `{name}` once more, without an answer, below the answer in cell"
            f" {answer + 1}; delete one of the two."
        )

    def _skipped(self, name: str) -> str:
        for index, cell in enumerate(self.cells):
            if cell.kind == "code" and cell.skipped and name in self.names[index].bound:
                return (
                    f"`{name}` is defined only in cell {index + 1}, which grading skips; define it in a cell"
                    " without '(skipped while grading)'."
                )
        return ""

    def _unreadable(self, name: str) -> str:
        defines = _definition(name)
        for index, cell in enumerate(self.cells):
            if not cell.runs or not defines.search(cell.source):
                continue
            if not self.names[index].readable:
                return f"Cell {index + 1}, which defines `{name}`, is not valid Python{_syntax(cell.source)}."
            if cell.source.lstrip().startswith("%%") and not self.names[index].bound:
                head = cell.source.split(maxsplit=1)[0][:30]
                return (
                    f"`{name}` stands in cell {index + 1}, which begins with `{head}` and so is not run as"
                    " Python here."
                )
        return ""

    def _nested(self, name: str) -> str:
        for index, cell in enumerate(self.cells):
            if not cell.runs or name not in cell.source:
                continue
            tree = parse(cell.source)
            for outer in _holders(tree, name) if tree is not None else ():
                return (
                    f"`{name}` is defined inside `{outer}`, in cell {index + 1}; define it at the top level."
                )
        return ""

    def _not_code(self, name: str) -> str:
        defines = _definition(name)
        for index, cell in enumerate(self.cells):
            if cell.kind != "code" and defines.search(cell.source):
                kind = "Markdown" if cell.kind == "markdown" else "raw"
                return (
                    f"The answer stands in a {kind} cell: `{name}` in cell {index + 1}. Only code cells are"
                    " run; change the cell's type to Code."
                )
        return ""

    def _close(self, name: str) -> str:
        bound = {
            one: index
            for index, cell in enumerate(self.cells)
            if cell.runs
            for one in self.names[index].bound
            if one not in self.known and not one.startswith("_") and one != name
        }
        same = [one for one in bound if one.lower().replace("_", "") == name.lower().replace("_", "")]
        found = same or difflib.get_close_matches(name, list(bound), 1, CLOSE)
        if not found:
            return ""
        return (
            f"No cell defines `{name}`; a name close to it exists: `{found[0]}`, in cell"
            f" {bound[found[0]] + 1}. Give it the name that the question asks for."
        )


def _definition(name: str) -> re.Pattern[str]:
    """Finds a line that defines a name, in any text."""
    return re.compile(
        rf"^[ \t>]*(?:(?:async[ \t]+)?def|class)[ \t]+{re.escape(name)}\b"
        rf"|^[ \t>]*{re.escape(name)}[ \t]*=[^=]",
        re.MULTILINE,
    )


def _is_open(source: str, name: str) -> bool:
    """Whether a cell leaves a name as it was given out."""
    return bool(
        re.search(r"raise NotImplementedError\([\"']\d+\.\d\w*[\"']\)", source)
        or re.search(rf"^[ \t]*{re.escape(name)}[ \t]*=[ \t]*None\b", source, re.MULTILINE)
    )


def _syntax(source: str) -> str:
    """What the parser says of a cell, in brackets."""
    try:
        ast.parse(python_text(source))
    except SyntaxError as error:
        return f" ({error.msg[:120]}, line {error.lineno})"
    except (ValueError, RecursionError, MemoryError):
        return ""
    return ""


def _holders(tree: ast.Module, name: str) -> Iterator[str]:
    """The functions and classes at the top level inside which a name is bound."""
    for outer in tree.body:
        if not isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for node in ast.walk(outer):
            named = (
                isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node is not outer
            )
            if (named and getattr(node, "name", "") == name) or (
                isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name
            ):
                yield f"class {outer.name}" if isinstance(outer, ast.ClassDef) else f"{outer.name}()"
                break
