"""The child process that searches a notebook's source for library calls; a script of its own.

Only what a question's own names reach counts: a class, the helpers that it uses, the imports behind them.
Comparing one's answer with ``nn.MultiheadAttention`` in a cell of one's own is good practice and is not
reported.
"""

from __future__ import annotations

import ast
import json
import re
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

MAX_CELL = 200_000  # characters of one cell; the kit's own cell, the largest honest one, is not looked at
MEMORY = 1 << 30
RUNNING_LINE = ("time", "timeit", "prun", "mprun", "memit")  # magics whose argument is Python
RUNNING_CELL = (*RUNNING_LINE, "capture", "python", "python3", "debug")
OPTIONS = re.compile(r"\s*(?:-[A-Za-z]+(?:\s+\d+)?\s+)*+")  # of such a magic, before the code
_packages: list[str] = []  # where IPython is, for cells with magics


class UnreadError(ValueError):
    """A cell cannot be searched; the message says why, in two words."""


def parse(source: str) -> list[ast.stmt]:
    """The statements of a cell, and of what its magics run; as IPython would take them.

    Raises:
        UnreadError: it is no Python, too long or too deep.
    """
    if len(source) > MAX_CELL:
        raise UnreadError(f"longer than {MAX_CELL:,} characters")
    try:
        body = _parsed(source) if "\n%" not in f"\n{source}" else None
    except SyntaxError:
        body = None
    if body is not None:
        return body  # plain Python, as nearly every cell
    body = _parsed_or_unread(_transform(source))
    return [*body, *_run_by_magics(body)]


def _parsed(text: str) -> list[ast.stmt]:
    try:
        return ast.parse(text).body
    except (ValueError, RecursionError, MemoryError) as error:
        if isinstance(error, SyntaxError):
            raise
        raise UnreadError("not to be parsed") from None


def _parsed_or_unread(text: str) -> list[ast.stmt]:
    try:
        return _parsed(text)
    except SyntaxError:
        raise UnreadError("no Python") from None


def _transform(source: str) -> str:
    """A cell's magics as the Python that IPython makes of them."""
    sys.path += [path for path in _packages if path not in sys.path]
    from IPython.core.inputtransformer2 import TransformerManager

    try:
        return str(TransformerManager().transform_cell(source))
    except Exception:
        raise UnreadError("no Python") from None


def _run_by_magics(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that stand as text in a cell's magics, at their lines as far as that can be told."""
    for node in [part for statement in body for part in ast.walk(statement)]:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        texts = [
            one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)
        ]
        name, text = (texts[0], texts[-1]) if len(texts) == len(node.args) > 1 else ("", "")
        cell = node.func.attr == "run_cell_magic" and name in RUNNING_CELL
        if not cell and not (node.func.attr == "run_line_magic" and name in RUNNING_LINE):
            continue
        line = OPTIONS.sub("", text, count=1) if not cell else text
        inner = _parsed_or_unread(_transform(line))
        for statement in [*inner, *_run_by_magics(inner)]:
            yield ast.increment_lineno(statement, node.lineno if cell else node.lineno - 1)


class _Statement:
    def __init__(self, cell: int, node: ast.stmt, binds: set[str], uses: set[str]):
        self.cell, self.node, self.binds, self.uses = cell, node, binds, uses


def _statements(cell: int, body: Iterable[ast.stmt]) -> Iterator[_Statement]:
    """The statements at a cell's top level, those inside if, for, while, with and try among them."""
    waiting = list(body)
    while waiting:
        node = waiting.pop()
        inner = [*getattr(node, "body", []), *getattr(node, "orelse", []), *getattr(node, "finalbody", [])]
        inner += [statement for handler in getattr(node, "handlers", []) for statement in handler.body]
        if inner and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            waiting += inner
            continue
        binds, uses = set(), set()
        for part in ast.walk(node):
            if isinstance(part, ast.alias):
                uses |= {part.name.split(".")[-1]}
                binds |= {part.asname or part.name.split(".")[0]}
            elif isinstance(part, ast.Name):
                (uses if isinstance(part.ctx, ast.Load) else binds).add(part.id)
            elif isinstance(part, ast.arg):
                binds.add(part.arg)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            uses -= binds  # its own locals, which say nothing of variables elsewhere in the notebook
            binds = {node.name}
        binds |= {
            _root(target)
            for target in getattr(node, "targets", [getattr(node, "target", None)])
            if target is not None
        }  # A.forward = …
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and _last(node.value.func) == "setattr"
            and node.value.args
        ):
            binds.add(_root(node.value.args[0]))
        yield _Statement(cell, node, binds - {""}, uses)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _last(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _uses_of(statement: _Statement, calls: set[str], own: set[str]) -> Iterator[tuple[int, str]]:
    for part in ast.walk(statement.node):
        line = getattr(part, "lineno", 1)
        if (
            isinstance(part, ast.Attribute)
            and part.attr in calls
            and _last(part.value) not in ("self", "cls")
        ):
            yield line, part.attr
        elif isinstance(part, ast.Name) and part.id in calls - own and isinstance(part.ctx, ast.Load):
            yield line, part.id
        elif isinstance(part, ast.alias) and (name := part.name.split(".")[-1]) in calls:
            yield line, name
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value in calls:
            yield line, part.value


def search(
    cells: Mapping[str, str], wanted: Mapping[str, Sequence[Sequence[str]]]
) -> tuple[list[tuple[str, int, int, str]], dict[str, str]]:
    """Rows (question, cell, line, call), in order, each call once a line; and cell → why it is not.

    A call is reported for the question that owns the name it serves, not for others that build on that name.
    """
    statements: list[_Statement] = []
    unread: dict[str, str] = {}
    for number, text in cells.items():
        try:
            statements += _statements(int(number), parse(text))
        except UnreadError as error:
            unread[number] = str(error)
    definitions: dict[str, list[_Statement]] = {}
    for statement in statements:
        for name in statement.binds:
            definitions.setdefault(name, []).append(statement)
    # A name that the notebook defines itself is no library's; one that it only imports is.
    own = {
        name
        for name, made in definitions.items()
        if any(not isinstance(one.node, ast.Import | ast.ImportFrom) for one in made)
    }
    rows = set()
    for question, (names, calls) in wanted.items():
        seen = {name for other, (theirs, _) in wanted.items() if other != question for name in theirs} - set(
            names
        )
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            for statement in definitions.get(name, []):
                waiting += statement.uses
                rows |= {
                    (question, statement.cell, line, call)
                    for line, call in _uses_of(statement, set(calls), own)
                }
    return sorted(rows, key=lambda row: (row[0], row[1], row[2], row[3])), unread


def _main() -> None:
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    task = json.load(sys.stdin)
    _packages.extend(task["packages"])
    rows, unread = search(task["cells"], task["wanted"])
    json.dump({"rows": rows, "unread": unread}, sys.stdout)


if __name__ == "__main__":
    _main()
