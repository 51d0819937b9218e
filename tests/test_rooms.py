"""The house: imports run in one direction, files and lines stay short, judges have names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gallery import ROOT

# The rooms, lowest first. A module imports from its own room and from lower ones.
ROOMS = (
    "kit",
    "names.py, files.py, schemas.py",
    "declare",
    "homeworks",
    "submissions",
    "lms",
    "run",
    "author",
    "grade",
    "report",
    "desk",
    "hosts",
    "cli",
)
FLOOR = {name.removesuffix(".py"): floor for floor, room in enumerate(ROOMS) for name in room.split(", ")}
ANYWHERE = {"__init__", "__main__"}  # the version, and what opens the command line
MAX_LINES, MAX_COLUMNS, MAX_AT_ROOT = 400, 110, 12
PACKAGE = ROOT / "autograder"
MODULES = sorted(PACKAGE.rglob("*.py"))
SOURCES = [
    path
    for folder in ("autograder", "tests", "benchmarks", "docs")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not path.is_relative_to(ROOT / "tests" / "gallery")
]


def name_of(path: Path) -> str:
    """A path as messages show it."""
    return path.relative_to(ROOT).as_posix()


def room_of(path: Path) -> str:
    """The folder of the package in which a module lies, or the module itself if it lies at the root."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything of this package that a module imports, inside functions too."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            before = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (before, node.module)))
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def imported_rooms(path: Path) -> Iterator[tuple[int, str, str]]:
    """Line, full name and room of each import from this package; names of the package itself are left out."""
    for line, name in imported(path):
        parts = name.split(".")
        if parts[0] == "autograder" and len(parts) > 1 and not parts[1].startswith("__"):
            yield line, name, parts[1]


def test_every_module_lies_in_a_room():
    assert {room_of(path) for path in MODULES} - ANYWHERE == set(FLOOR)


@pytest.mark.parametrize("room", list(FLOOR))
def test_no_import_runs_to_a_higher_room(room: str):
    wrong = [
        f"{name_of(path)}, line {line}: imports {name}, which lies above {room}"
        for path in MODULES
        if room_of(path) == room
        for line, name, target in imported_rooms(path)
        if FLOOR[target] > FLOOR[room]
    ]
    assert not wrong, "\n".join(wrong)


def test_what_is_written_into_notebooks_imports_nothing_but_the_kit_and_its_own_public_part():
    wrong = []
    for path in MODULES:
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] == "kit":
            allowed = ("autograder.kit",)
        elif parts[0] == "homeworks" and len(parts) > 2 and parts[2] == "public":
            allowed = ("autograder.kit", f"autograder.homeworks.{parts[1]}.public")
        else:
            continue
        wrong += [
            f"{name_of(path)}, line {line}: imports {name}"
            for line, name, _ in imported_rooms(path)
            if not any(f"{name}.".startswith(f"{prefix}.") for prefix in allowed)
        ]
    assert not wrong, "\n".join(wrong)


def test_no_homework_imports_another():
    wrong = [
        f"{name_of(path)}, line {line}: imports {name}"
        for path in (PACKAGE / "homeworks").rglob("*.py")
        for line, name, room in imported_rooms(path)
        if room == "homeworks" and name.split(".")[2] != path.relative_to(PACKAGE / "homeworks").parts[0]
    ]
    assert not wrong, "\n".join(wrong)


def test_files_and_lines_are_short():
    wrong = []
    for path in SOURCES:
        lines = path.read_text(encoding="utf-8").split("\n")
        if len(lines) - 1 > MAX_LINES:
            wrong.append(f"{name_of(path)}: {len(lines) - 1} lines; at most {MAX_LINES}")
        for number, line in enumerate(lines, 1):
            shown = re.sub(r"\s+# (?:noqa|type: ignore).*", "", line)  # as ruff counts
            if len(shown) > MAX_COLUMNS:
                wrong.append(f"{name_of(path)}, line {number}: {len(shown)} columns; at most {MAX_COLUMNS}")
    assert not wrong, "\n".join(wrong)


def test_few_modules_lie_at_the_root_of_the_package():
    assert len(list(PACKAGE.glob("*.py"))) <= MAX_AT_ROOT


def test_judges_and_oracles_have_names():
    wrong = [
        f"{name_of(path)}, line {node.lineno}: a function named {node.name}"
        for path in (PACKAGE / "homeworks").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and not node.name.strip("_")
    ]
    assert not wrong, "\n".join(wrong)


def test_exceptions_end_in_error():
    """Of classes that derive from an exception, judged by the name of the base."""
    wrong = [
        f"{name_of(path)}, line {node.lineno}: {node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and not node.name.endswith("Error")
        for base in node.bases
        if ast.unparse(base).split(".")[-1].endswith(("Error", "Exception"))
    ]
    assert not wrong, "\n".join(wrong)
