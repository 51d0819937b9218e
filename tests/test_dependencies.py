"""Declared is what is imported, what we override exists upstream, and every extra that is advised exists."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import jupyter_client
import nbclient.client
import pytest
from ipykernel.ipkernel import IPythonKernel
from IPython.core.application import BaseIPythonApplication
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.gallery import ROOT

with (ROOT / "pyproject.toml").open("rb") as file:
    PROJECT = tomllib.load(file)["project"]
SOURCES = sorted((ROOT / "autograder").rglob("*.py"))
# Modules and functions that work only where something further is installed; each says so where it is used.
OPTIONAL = {
    ("grade/", "distributed"): "dask",  # autograder grade --dask
    ("hosts/otter", "otter"): "otter",  # runs inside otter
    ("hosts/otter", "dill"): "otter",
}
# What no package index has to offer, or what comes with a machine: looked for, and done without.
LOOKED_FOR = {
    ("kit/", "google"): "Colab's own module",
    ("homeworks/hw4/", "torchvision"): "one of several ways to get the images",
}


def declared(extra: str | None = None) -> set[str]:
    lines = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    return {canonicalize_name(Requirement(line).name) for line in lines}


@cache
def imports(path: Path) -> frozenset[str]:
    """The top-level names that a file imports from elsewhere, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or ""]
        else:
            continue
        found |= {name.partition(".")[0] for name in names}
    return frozenset(found - {"autograder", *sys.stdlib_module_names})


def where(table: dict[tuple[str, str], str], path: Path, name: str) -> str | None:
    place = path.relative_to(ROOT / "autograder").as_posix()
    return next(
        (said for (room, module), said in table.items() if place.startswith(room) and module == name), None
    )


def test_every_import_of_another_package_is_declared():
    distributions = metadata.packages_distributions()
    missing, used = [], set()
    for path in SOURCES:
        for name in imports(path):
            if where(LOOKED_FOR, path, name):
                continue
            extra = where(OPTIONAL, path, name)
            owners = {canonicalize_name(one) for one in distributions.get(name, [name])}
            used |= owners
            if not owners & declared(extra):
                missing.append(
                    f"{path.relative_to(ROOT)}: {name} ({', '.join(sorted(owners))}, {extra or 'core'})"
                )
    assert not missing, missing
    assert {"torch", "pyzmq", "fastjsonschema"} <= used


def test_everything_declared_for_the_core_is_imported():
    distributions = metadata.packages_distributions()
    used = {
        canonicalize_name(owner)
        for path in SOURCES
        for name in imports(path)
        for owner in distributions.get(name, [])
    }
    assert declared() - used == set()


@pytest.mark.parametrize("table", [OPTIONAL, LOOKED_FOR], ids=["optional", "looked for"])
def test_every_exception_is_still_needed(table: dict[tuple[str, str], str]):
    found = {
        key for path in SOURCES for name in imports(path) for key in table if where({key: "x"}, path, name)
    }
    assert found == set(table)


# --- what we override ---------------------------------------------------------------------------------------

UPSTREAM = ("nbclient", "nbconvert", "jupyter_client")
UPSTREAM_OBJECTS = {"manager": jupyter_client.AsyncKernelManager, "kernel": IPythonKernel}
RUN = [path for path in SOURCES if path.parent.name == "run" and path.stem not in ("__init__", "zygote")]


def members(node: ast.ClassDef) -> set[str]:
    """What a class defines: methods, and names that it assigns."""
    functions = {item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)}
    assigned = {
        target.id
        for item in node.body
        if isinstance(item, ast.Assign)
        for target in item.targets
        if isinstance(target, ast.Name)
    }
    return {name for name in functions | assigned if not name.startswith("__")}


def reached(tree: ast.AST) -> set[tuple[str, str]]:
    """Attributes that code gets: (what it gets them from, the attribute)."""
    return {
        (ast.unparse(node.value), node.attr)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and not node.attr.startswith("__")
    }


def relied_on() -> Iterator[tuple[type, str, str]]:
    """Names that must exist upstream: (upstream's class, the name, where we need it).

    A method of a project class that the project never calls is there because upstream calls it; what a class
    calls of ``super()``, and a private name that it uses and does not define, is upstream's.
    """
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in RUN}
    called = {name for tree in trees.values() for owner, name in reached(tree) if owner != "super()"}
    for path, tree in trees.items():
        module = importlib.import_module(f"autograder.run.{path.stem}")
        for node in (node for node in tree.body if isinstance(node, ast.ClassDef)):
            bases = [
                base for base in getattr(module, node.name).__mro__ if base.__module__.startswith(UPSTREAM)
            ]
            if bases:
                own, used = members(node), reached(node)
                needed = own - called
                needed |= {name for owner, name in used if owner == "super()"}
                needed |= {name for owner, name in used if owner == "self" and name[0] == "_"} - own
                yield from ((bases[0], name, f"{path.name}: {node.name}") for name in sorted(needed))
        for owner, name in reached(tree):
            if owner in UPSTREAM_OBJECTS and name[0] == "_":
                yield UPSTREAM_OBJECTS[owner], name, f"{path.name}: {owner}"


def test_every_upstream_name_that_we_override_or_call_exists():
    found = list(relied_on())
    assert {
        "_async_poll_kernel_alive",
        "_async_poll_output_msg",
        "_async_check_alive",
        "_async_shutdown_kernel",
        "_publish_execute_input",
        "_handle_kernel_info_reply",
        "async_execute_cell",
        "process_message",
        "preprocess_cell",
        "launch_kernel",
        "wait_for_ready",
    } <= {name for _, name, _ in found}
    assert [(place, name) for upstream, name, place in found if not hasattr(upstream, name)] == []


def test_upstream_itself_calls_the_private_methods_that_we_override():
    """An override that nothing calls any more would be silent: the watchdog would lose its turn."""
    text = inspect.getsource(nbclient.client)
    for name in (
        "_async_poll_kernel_alive",
        "_async_poll_output_msg",
        "async_start_new_kernel",
        "process_message",
    ):
        assert re.search(rf"self\.{name}\(", text), name


def test_a_kernel_still_reads_a_command_line_and_files_and_looks_at_modules_where_we_leave_that_out():
    """Else the copies in ``kernel_process.py`` would leave out nothing, and nobody would notice."""
    text = inspect.getsource(BaseIPythonApplication.initialize)
    assert "self.parse_command_line(" in text
    assert "self.load_config_file(" in text
    assert re.search(r"\bsys\.modules\b", inspect.getsource(IPythonKernel.__init__))


@pytest.mark.parametrize("name", ["nbclient", "nbconvert", "jupyter-client"])
def test_what_we_override_has_an_upper_bound_that_lets_in_what_is_installed(name: str):
    (line,) = (
        one for one in map(Requirement, PROJECT["dependencies"]) if canonicalize_name(one.name) == name
    )
    assert any(part.operator == "<" for part in line.specifier), line
    assert line.specifier.contains(metadata.version(name)), line


# --- advice -------------------------------------------------------------------------------------------------


def test_every_extra_that_we_advise_to_install_exists():
    advised = {}
    for path in [
        *SOURCES,
        ROOT / "README.md",
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "notebooks").glob("*.ipynb"),
    ]:
        for found in re.findall(r"attention-homeworks\[([\w,\s-]+)\]", path.read_text(encoding="utf-8")):
            advised |= {extra.strip(): path for extra in found.split(",")}
    assert "dask" in advised
    unknown = {
        extra: str(path) for extra, path in advised.items() if extra not in PROJECT["optional-dependencies"]
    }
    assert unknown == {}
