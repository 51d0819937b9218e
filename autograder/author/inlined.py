"""The files that may be inlined into a notebook: which they are, what they import, what of them is kept."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from autograder.author.source import BuildError

PACKAGE = Path(__file__).parents[1]
# all of the package that students may read
PUBLIC = ("kit/**/*.py", "homeworks/*/public.py", "homeworks/*/public/**/*.py")
KIT = "autograder.kit"
RULED = 103  # columns of the line above a file, without its ends


def public_files(package: Path = PACKAGE) -> list[Path]:
    """The files of the package that may be inlined into a notebook: the one rule of what is public."""
    return sorted({path for pattern in PUBLIC for path in package.glob(pattern)})


def read_module(name: str, path: Path) -> Module:
    """Reads a file that is inlined; one that stays the same is looked through once for all homeworks."""
    return _kept_module(name, path, path.read_text(encoding="utf-8"))


@lru_cache(maxsize=500)
def _kept_module(name: str, path: Path, source: str) -> Module:
    return Module(name, path, source)


def module_path(package: Path, name: str) -> Path:
    """The file of a module such as ``autograder.kit.values``; a package's is its ``__init__.py``."""
    path = package.parent.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@dataclass(frozen=True)
class Name:
    """A name that a file binds at its top level.

    Attributes:
        name: the name.
        meaning: ``defined``, or the import that binds it.
        place: file and line, for messages.
    """

    name: str
    meaning: str
    place: str


@dataclass(frozen=True)
class Module:
    """A file that is inlined.

    Attributes:
        name: the dotted name of its module.
        path: where it is.
        source: its text.
    """

    name: str
    path: Path
    source: str

    @property
    def hollow(self) -> bool:
        """Whether it is a package's ``__init__``, which contributes nothing but the order."""
        return self.path.name == "__init__.py"

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.source, str(self.path))

    def place(self, line: int) -> str:
        """A line of it, for messages."""
        return f"{self.path}, line {line}"

    @cached_property
    def package_imports(self) -> tuple[ast.ImportFrom, ...]:
        """Its imports from the package.

        Raises:
            BuildError: one is not of the form ``from autograder.… import name`` at the top level.
        """
        top = {id(node) for node in self.tree.body}
        found: list[ast.ImportFrom] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import) and any(_is_ours(alias.name) for alias in node.names):
                told = f"'{ast.unparse(node)}'; write 'from {KIT} import name' instead"
                raise BuildError(f"{self.place(node.lineno)}: {told}")
            if isinstance(node, ast.ImportFrom) and (node.level or _is_ours(node.module)):
                if problem := _form_problem(node, top=id(node) in top):
                    raise BuildError(f"{self.place(node.lineno)}: '{ast.unparse(node)}' {problem}")
                found.append(node)
        return tuple(found)

    @cached_property
    def other_imports(self) -> tuple[ast.Import | ast.ImportFrom, ...]:
        """Its imports from elsewhere at the top level, ``__future__`` left out."""
        ours = {id(node) for node in self.package_imports}
        imports = (node for node in self.tree.body if isinstance(node, ast.Import | ast.ImportFrom))
        return tuple(
            node for node in imports if id(node) not in ours and getattr(node, "module", None) != "__future__"
        )

    def names(self) -> Iterator[Name]:
        """The names that it binds in the one file: what it defines, then what it imports from elsewhere."""
        seen = {"_", "__all__"}  # one that nobody uses, one that is left out
        for node in self.tree.body:
            for name, line in _defined(node):
                if name not in seen:
                    seen.add(name)
                    yield Name(name, "defined", self.place(line))
        for imported in self.other_imports:
            for alias in imported.names:
                bound = alias.asname or alias.name.split(".")[0]
                meaning = f"import {alias.name if alias.asname else bound}"
                if isinstance(imported, ast.ImportFrom):
                    meaning = f"from {imported.module} import {alias.name}"
                yield Name(bound, f"'{meaning}'", self.place(imported.lineno))

    @property
    def text(self) -> str:
        """What stands in the notebook: a line with its name, and all but its imports and ``__all__``."""
        lines = self.source.split("\n")
        for node in reversed(self.tree.body):
            if isinstance(node, ast.Import | ast.ImportFrom) or is_all(node):
                start, end = node.lineno - 1, node.end_lineno or node.lineno
                while end < len(lines) and not lines[end].strip():
                    end += 1
                lines[start:end] = []
        name = self.name.removeprefix("autograder.")
        return f"# --- {name} {'-' * (RULED - len(name))}\n\n" + "\n".join(lines).strip()


def is_all(node: ast.stmt) -> bool:
    """Whether a statement is ``__all__ = …``."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets)


def _is_ours(module: str | None) -> bool:
    return module is not None and module.split(".")[0] == "autograder"


def _form_problem(node: ast.ImportFrom, top: bool) -> str | None:
    """What is wrong with an import from the package, whatever it names."""
    if node.level:
        return "is relative; write the whole name of the module"
    if not top:
        return "stands inside a block; import from autograder at the top level only"
    for alias in node.names:
        if alias.name == "*":
            return "names nothing; write the names"
        if alias.asname and alias.asname != alias.name:
            return f"renames {alias.name}; in the notebook it has this one name"
    return None


def _defined(node: ast.AST) -> Iterator[tuple[str, int]]:
    """The names that a statement at the top level binds, other than by an import."""
    if not isinstance(node, ast.Import | ast.ImportFrom):
        yield from _bound(node)


def _bound(node: ast.AST) -> Iterator[tuple[str, int]]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, node.lineno
    elif isinstance(node, ast.Lambda | ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp):
        return
    elif isinstance(node, ast.Import | ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name.split(".")[0], node.lineno
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, node.lineno
    else:
        if isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name, node.lineno
        for child in ast.iter_child_nodes(node):
            yield from _bound(child)
