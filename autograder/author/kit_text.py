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
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from autograder.author.inlined import (
    KIT,
    PACKAGE,
    Module,
    Name,
    is_all,
    module_path,
    public_files,
    read_module,
)
from autograder.author.modules import grading_modules
from autograder.author.source import BuildError
from autograder.declare import Homework
from autograder.declare.given import given_text
from autograder.submissions.given import given


def kit_source(homework: Homework, package: Path = PACKAGE) -> str:
    """The whole ``homework_kit.py`` of one homework: kit, public part, description.

    Args:
        homework: its declaration.
        package: the folder of the package ``autograder``.

    Raises:
        BuildError: a file imports what does not come along, or two files define the same name.
    """
    # a build writes what is given, so that the same homework has another kit afterwards
    return _kit_source(homework, package, given(homework.id), given_text(homework.id))


@lru_cache(maxsize=8)  # a gallery builds dozens of notebooks of one homework
def _kit_source(homework: Homework, package: Path, provided: tuple[str, ...], _lines: str) -> str:
    whole = homework.describe() | {"modules": grading_modules(), "provided": provided}
    described = json.dumps(whole, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    wrapped = "\n".join(repr(described[start : start + 110]) for start in range(0, len(described), 110))
    opening = f"open_homework(json.loads(\n{textwrap.indent(wrapped, '    ')}\n))"
    return f"{kit_code(homework.id, package)}\n\n{opening}\n"


def kit_code(homework: str, package: Path = PACKAGE) -> str:
    """The code of a homework's kit, without the description.

    Args:
        homework: its id.
        package: the folder of the package ``autograder``.

    Raises:
        BuildError: as :func:`kit_source`.
    """
    modules = _Assembly(package, homework).in_order()
    _refuse_clashes(name for module in modules for name in module.names())
    docstring = ast.get_docstring(read_module(KIT, module_path(package, KIT)).tree, clean=False)
    head = f'"""{docstring}"""\n\nfrom __future__ import annotations\n\n{_gathered_imports(modules)}'
    return "\n\n".join([head, *(module.text for module in modules)])


class _Assembly:
    """The modules of one homework's kit: what the kit re-exports, the public part, and what those rest on.

    Args:
        package: the folder of the package.
        homework: the homework's id.
    """

    def __init__(self, package: Path, homework: str):
        self.package = package
        self.public = f"autograder.homeworks.{homework}.public"
        self.allowed = {path for path in public_files(package) if self._is_own(path)}
        self.found: dict[str, Module] = {}
        self.needs: dict[str, set[str]] = {}

    def _is_own(self, path: Path) -> bool:
        room = path.relative_to(self.package).parts
        return room[0] == "kit" or room[1] == self.public.split(".")[2]

    def in_order(self) -> list[Module]:
        """The modules in the order of their imports, ties by name; the kit before the public part.

        Raises:
            BuildError: a module imports what does not come along, or modules import each other in a circle.
        """
        self._find(KIT)
        for name in self._public_modules():
            self._find(name)
            self.needs[name].add(KIT)
        waiting, ordered = dict(sorted(self.needs.items())), []
        while waiting:
            ready = next((name for name, needs in waiting.items() if not needs & set(waiting)), None)
            if ready is None:
                raise BuildError(f"these modules import each other in a circle: {', '.join(waiting)}")
            ordered.append(self.found[ready])
            del waiting[ready]
        return [module for module in ordered if not module.hollow]

    def _public_modules(self) -> list[str]:
        root = self.package.parent
        names = (".".join(path.relative_to(root).with_suffix("").parts) for path in sorted(self.allowed))
        return [name.removesuffix(".__init__") for name in names if name.startswith(self.public)]

    def _find(self, name: str) -> None:
        """Reads a module and, in turn, those that it imports."""
        if name in self.found:
            return
        module = self.found[name] = read_module(name, module_path(self.package, name))
        if module.hollow:
            _refuse_contents(module)
        self.needs[name] = {self._imported(module, node) for node in module.package_imports}
        for need in sorted(self.needs[name]):
            self._find(need)

    def _imported(self, module: Module, node: ast.ImportFrom) -> str:
        """The module that an import names.

        Raises:
            BuildError: it does not come along, or what is imported from it is a module.
        """
        wanted = str(node.module)
        path = module_path(self.package, wanted)
        inner = {f"{wanted}.{alias.name}" for alias in node.names}
        problem = None
        if path not in self.allowed:
            problem = f"names what does not come along; there are {KIT} and {self.public}"
        elif wanted == self.public and path.name == "__init__.py":
            problem = f"goes through the whole public part; name the module: 'from {wanted}.… import …'"
        elif any(module_path(self.package, name).is_file() for name in inner) and path.name == "__init__.py":
            problem = f"imports a module; import names: 'from {wanted}.… import …'"
        if problem:
            raise BuildError(f"{module.place(node.lineno)}: '{ast.unparse(node)}' {problem}")
        return wanted


def _refuse_contents(module: Module) -> None:
    """Raises if a package's ``__init__`` holds what would not reach the notebook."""
    docstring = ast.get_docstring(module.tree) is not None
    for node in module.tree.body[docstring:]:
        if not (isinstance(node, ast.Import | ast.ImportFrom) or is_all(node)):
            raise BuildError(
                f"{module.place(node.lineno)}: '{ast.unparse(node)[:60]}' would not reach the notebook, as"
                " this file may hold imports and __all__ only; move it into a module beside it"
            )


def _refuse_clashes(names: Iterable[Name]) -> None:
    """Raises if a name would mean two things in the one file."""
    taken: dict[str, Name] = {}
    for one in names:
        if hasattr(builtins, one.name):
            raise BuildError(f"{one.place}: {one.name} is Python's own name, for the whole kit; rename it")
        first = taken.setdefault(one.name, one)
        same_import = one.meaning == first.meaning != "defined"
        if first is not one and not same_import:
            raise BuildError(
                f"{one.place}: the name {one.name} is {one.meaning} here, and {first.meaning} in"
                f" {first.place}; in the notebook both stand in one file, so rename one of them"
            )


def _gathered_imports(modules: Sequence[Module]) -> str:
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
