"""Assembles ``homework_kit.py``, the one file that a notebook carries.

It holds the kit, the homework's public part and its description. The files stand one behind the other in the
order of their imports, ties by name. As they share their names there, imports between them are dropped, other
imports are gathered at the top, and a name that two files define is an error.
"""

from __future__ import annotations

import ast
import builtins
import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from autograder.author.source import BuildError
from autograder.declare.homework import Homework

PACKAGE = Path(__file__).parents[1]
# all that students may read
PUBLIC = ("kit/**/*.py", "homeworks/*/public.py", "homeworks/*/public/**/*.py")
KIT = "autograder.kit"
RULED = 103  # columns of the line between two files, without its ends


def public_files(package: Path = PACKAGE) -> list[Path]:
    """The files of the package that may be inlined into a notebook: the one rule of what is public."""
    return sorted({path for pattern in PUBLIC for path in package.glob(pattern)})


def kit_source(homework: Homework, package: Path = PACKAGE) -> str:
    """The whole ``homework_kit.py`` of one homework: kit, public part, description.

    Args:
        homework: its declaration.
        package: the folder of the package ``autograder``.

    Raises:
        BuildError: a file imports what does not come along, or two files define the same name.
    """
    modules = _Modules(package, homework.id).in_order()
    _refuse_clashes(modules)
    described = json.dumps(homework.describe(), allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    wrapped = "\n".join(repr(described[start : start + 110]) for start in range(0, len(described), 110))
    head = ast.get_docstring(_Module.read(package, KIT).tree, clean=False)
    parts = [
        f'"""{head}"""\n\nfrom __future__ import annotations\n\n{_gathered_imports(modules)}',
        *(module.text for module in modules),
        f"open_homework(json.loads(\n{textwrap.indent(wrapped, '    ')}\n))",
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


@dataclass(frozen=True)
class _Module:
    """A file that may be inlined.

    Attributes:
        name: the dotted name of its module.
        path: where it is.
        source: its text.
        hollow: whether it is a package's ``__init__``, which contributes nothing but the order.
    """

    name: str
    path: Path
    source: str
    hollow: bool

    @staticmethod
    def read(package: Path, name: str) -> _Module:
        """The module of a dotted name such as ``autograder.kit.values``."""
        path = package.parent.joinpath(*name.split("."))
        hollow = path.is_dir()
        path = path / "__init__.py" if hollow else path.with_suffix(".py")
        return _Module(name, path, path.read_text(encoding="utf-8"), hollow)

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.source, str(self.path))

    def error(self, node: ast.AST, message: str) -> BuildError:
        """An error that names the file and the node's line."""
        return BuildError(f"{self.path}, line {getattr(node, 'lineno', 1)}: {message}")

    @cached_property
    def package_imports(self) -> tuple[ast.ImportFrom, ...]:
        """Its imports from the package, all of them ``from autograder.… import name`` at the top level."""
        top = {id(node) for node in self.tree.body}
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import) and any(_is_ours(alias.name) for alias in node.names):
                raise self.error(node, f"'{ast.unparse(node)}'; write 'from {KIT} import name' instead")
            if not isinstance(node, ast.ImportFrom) or not (node.level or _is_ours(node.module)):
                continue
            if node.level:
                raise self.error(
                    node, f"a relative import; write the whole name of the module: 'from {self.name}…'"
                )
            if id(node) not in top:
                raise self.error(
                    node,
                    f"'{ast.unparse(node)}' inside a block; import from autograder at the top level only",
                )
            for alias in node.names:
                if alias.asname and alias.asname != alias.name:
                    raise self.error(
                        node,
                        f"{alias.name} is imported as {alias.asname}; in the notebook it has one name only",
                    )
            found.append(node)
        return tuple(found)

    @cached_property
    def other_imports(self) -> tuple[ast.Import | ast.ImportFrom, ...]:
        """Its top-level imports from elsewhere, ``__future__`` left out."""
        ours = {id(node) for node in self.package_imports}
        return tuple(
            node
            for node in self.tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            and id(node) not in ours
            and getattr(node, "module", "") != "__future__"
        )

    @cached_property
    def defined(self) -> dict[str, int]:
        """The names that it binds at its top level, with the line; gathered imports left out."""
        gathered = {id(node) for node in (*self.package_imports, *self.other_imports)}
        found: dict[str, int] = {}
        for node in self.tree.body:
            if id(node) not in gathered and getattr(node, "module", "") != "__future__":
                for name, line in _bound(node):
                    found.setdefault(name, line)
        return {name: line for name, line in found.items() if name not in ("_", "__all__")}

    @cached_property
    def text(self) -> str:
        """What stands in the notebook: a line with its name, and all but its imports and ``__all__``."""
        lines = self.source.split("\n")
        for node in reversed(self.tree.body):
            if isinstance(node, ast.Import | ast.ImportFrom) or _is_all(node):
                start, end = node.lineno - 1, node.end_lineno or node.lineno
                while end < len(lines) and not lines[end].strip():
                    end += 1
                lines[start:end] = []
        name = self.name.removeprefix("autograder.")
        return f"# --- {name} {'-' * (RULED - len(name))}\n\n" + "\n".join(lines).strip()


def _is_ours(module: str | None) -> bool:
    return module is not None and module.split(".")[0] == "autograder"


def _is_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
    )


def _bound(node: ast.AST) -> Iterator[tuple[str, int]]:
    """The names that a statement binds where it stands, not those inside functions and classes."""
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


class _Modules:
    """The modules of one homework's kit: what the kit re-exports, the public part, and what those rest on.

    Args:
        package: the folder of the package.
        homework: the homework's id.
    """

    def __init__(self, package: Path, homework: str):
        self.package = package
        self.public = f"autograder.homeworks.{homework}.public"
        self.allowed = set(public_files(package))
        self.found: dict[str, _Module] = {}
        self.needs: dict[str, set[str]] = {}

    def in_order(self) -> list[_Module]:
        """The modules in the order of their imports, ties by name.

        Raises:
            BuildError: a module imports what does not come along, or modules import each other in a circle.
        """
        for name in [KIT, *self._public_modules()]:
            self._find(name)
        waiting, ordered = dict(sorted(self.needs.items())), []
        while waiting:
            ready = next((name for name, needs in waiting.items() if not needs & set(waiting)), None)
            if ready is None:
                raise BuildError(f"these modules import each other in a circle: {', '.join(waiting)}")
            ordered.append(self.found[ready])
            del waiting[ready]
        return [module for module in ordered if not module.hollow]

    def _public_modules(self) -> list[str]:
        folder = self.package.parent.joinpath(*self.public.split("."))
        if folder.with_suffix(".py").is_file():
            return [self.public]
        inside = [path.relative_to(folder).with_suffix("").parts for path in sorted(folder.rglob("*.py"))]
        return [
            ".".join([self.public, *parts[: -1 if parts[-1] == "__init__" else None]]) for parts in inside
        ]

    def _find(self, name: str) -> None:
        if name in self.found:
            return
        module = self.found[name] = _Module.read(self.package, name)
        if module.hollow:
            self._refuse_contents(module)
        self.needs[name] = needs = set()
        for node in module.package_imports:
            needs.add(self._imported(module, node))
        for need in sorted(needs):
            self._find(need)

    def _imported(self, module: _Module, node: ast.ImportFrom) -> str:
        """The module that an import names."""
        wanted = str(node.module)
        path = self.package.parent.joinpath(*wanted.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if wanted == self.public:
            raise module.error(node, f"import from the module of {self.public} that defines the name")
        own = f"{wanted}.".startswith((f"{KIT}.", self.public.removesuffix("public")))
        if not own or file not in self.allowed:
            raise module.error(
                node,
                f"may import nothing of autograder but names from {KIT} and {self.public}; found {wanted}",
            )
        for alias in node.names:
            if alias.name == "*" or (path / f"{alias.name}.py").is_file() or (path / alias.name).is_dir():
                raise module.error(
                    node, f"'{ast.unparse(node)}' imports no name; write 'from {wanted}.… import name'"
                )
        return wanted

    def _refuse_contents(self, module: _Module) -> None:
        for index, node in enumerate(module.tree.body):
            docstring = index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if not (docstring or isinstance(node, ast.Import | ast.ImportFrom) or _is_all(node)):
                raise module.error(
                    node, "holds more than imports and __all__, which would not reach the notebook"
                )


def _refuse_clashes(modules: Sequence[_Module]) -> None:
    """Raises if a name would mean two things in the one file."""
    owners: dict[str, tuple[_Module, str]] = {}
    for module in modules:
        for name, line in module.defined.items():
            what = f"{module.path}, line {line}"
            if hasattr(builtins, name):
                raise BuildError(f"{what}: {name} is Python's own name, which the whole kit uses; rename it")
            if name in owners:
                raise BuildError(
                    f"{what}: {name} is also defined in {owners[name][1]}; in the notebook both stand in one"
                    " file, so rename one of them"
                )
            owners[name] = module, what
    imported: dict[str, tuple[str, str]] = {}
    for module in modules:
        for name, meaning, line in _import_names(module.other_imports):
            what = f"{module.path}, line {line}"
            if name in owners:
                raise BuildError(
                    f"{owners[name][1]}: {name} is also imported ({meaning}) in {what}; in the notebook both"
                    " stand in one file, so rename it"
                )
            if imported.setdefault(name, (meaning, what))[0] != meaning:
                raise BuildError(
                    f"{what}: {name} is {meaning} here and {imported[name][0]} in {imported[name][1]}; in the"
                    " notebook both stand in one file"
                )


def _import_names(nodes: Iterable[ast.Import | ast.ImportFrom]) -> Iterator[tuple[str, str, int]]:
    """The names that imports bind, what each means, and the line."""
    for node in nodes:
        for alias in node.names:
            if isinstance(node, ast.ImportFrom):
                yield alias.asname or alias.name, f"from {node.module} import {alias.name}", node.lineno
            else:
                bound = alias.asname or alias.name.split(".")[0]
                yield bound, f"import {alias.name if alias.asname else bound}", node.lineno


def _gathered_imports(modules: Sequence[_Module]) -> str:
    """The imports of all modules, each once; names from one module in one line."""
    plain: set[str] = set()
    names: dict[str, set[str]] = {}
    for node in (node for module in modules for node in module.other_imports):
        for alias in node.names:
            text = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
            if isinstance(node, ast.ImportFrom):
                names.setdefault(str(node.module), set()).add(text)
            else:
                plain.add(text)
    lines = [f"import {text}" for text in sorted(plain)]
    lines += [f"from {module} import {', '.join(sorted(found))}" for module, found in sorted(names.items())]
    return "\n".join(lines)
