"""Assembling the kit: order, imports, names that clash, and what may come along at all."""

from __future__ import annotations

import ast
import re
import shutil
import sys
import types
from pathlib import Path

import pytest

from autograder import kit
from autograder.author import kit_text
from autograder.author.inlined import PACKAGE, public_files, read_module
from autograder.author.kit_text import kit_code, kit_source
from autograder.author.source import BuildError
from autograder.declare import homeworks

IDS = list(homeworks())


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the kit with a small homework hw9, whose public part is one file."""
    copy = tmp_path / "autograder"
    shutil.copytree(PACKAGE / "kit", copy / "kit", ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "homeworks" / "hw9").mkdir(parents=True)
    write(copy, "public", "from autograder.kit import compare\n\n\ndef told():\n    return compare\n")
    return copy


def write(package: Path, name: str, text: str) -> Path:
    path = package / "homeworks" / "hw9" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def as_package(package: Path, **files: str) -> None:
    """The public part as a package of these modules."""
    (package / "homeworks" / "hw9" / "public.py").unlink()
    for name, text in files.items():
        write(package, f"public/{name}", text)


@pytest.mark.parametrize("name", IDS)
def test_the_code_imports_nothing_of_the_package_and_each_other_module_once(name: str):
    text = kit_code(name)
    tree = ast.parse(text)
    assert not re.search(r"^\s*(?:from|import) autograder", text, re.MULTILINE)
    imports = [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert len(imports) == len(set(imports))
    assert text.count("from __future__") == 1


@pytest.mark.parametrize("name", IDS)
def test_the_code_has_every_name_that_the_kit_offers(name: str, monkeypatch: pytest.MonkeyPatch):
    module = types.ModuleType("homework_kit")
    monkeypatch.setitem(sys.modules, "homework_kit", module)
    exec(kit_code(name), module.__dict__)
    assert set(kit.__all__) <= set(vars(module))
    assert not hasattr(module, "__all__")


def test_files_stand_in_the_order_of_their_imports_and_the_kit_first(package: Path):
    as_package(
        package,
        __init__="from autograder.homeworks.hw9.public.a import one\n\n__all__ = ['one']\n",
        a="from autograder.homeworks.hw9.public.c import two\n\none = two\n",
        b="import math\n\nthree = math.pi\n",
        c="two = 2\n",
    )
    files = re.findall(r"^# --- ([\w.]+) -", kit_code("hw9", package), re.MULTILINE)
    assert [name for name in files if name.startswith("homeworks")] == [
        f"homeworks.hw9.public.{name}" for name in "bca"
    ]
    assert files[-4].startswith("kit.")
    assert files.index("kit.values") < files.index("kit.comparison") < files.index("kit.recorder")


def test_only_the_shared_modules_that_are_needed_come_along(package: Path):
    assert "kit.shared" not in kit_code("hw9", package)
    write(
        package,
        "public",
        "from autograder.kit.shared.checkpoints import read_checkpoint\n\nx = read_checkpoint\n",
    )
    text = kit_code("hw9", package)
    assert "# --- kit.shared.checkpoints -" in text
    assert "class EncoderConfig" not in text


def test_imports_of_several_lines_and_inside_functions_survive_or_vanish_whole(package: Path):
    text = '''"""A text with a line
from autograder.kit import nothing
"""

from autograder.kit import (
    compare,
    encode,
)  # noqa
from collections import (
    deque,
)


def f():
    import bisect
    return bisect, compare, encode, deque
'''
    write(package, "public", text)
    found = kit_code("hw9", package)
    assert "from collections import deque\n" in found
    assert "    import bisect\n" in found
    assert "compare,\n    encode" not in found
    assert "from autograder.kit import nothing" in found  # of the docstring
    compile(found, "homework_kit.py", "exec")


CLASHES = {
    "a function": (
        "def same(left, right):\n    return left is right\n",
        "the name same is defined here, and",
    ),
    "a class": ("class Log:\n    pass\n", "the name Log is defined here, and"),
    "a variable": ("PROBES = 3\n", "the name PROBES is defined here, and"),
    "a name of a loop": ("for clock in range(3):\n    pass\n", "the name clock is defined here, and"),
    "an import of the kit": ("json = None\n", "the name json is defined here, and 'import json' in"),
    "an import under another name": (
        "import os.path as re\n",
        "the name re is 'import os.path' here",
    ),
    "Python's own name": ("def sum(x):\n    return x\n", "sum is Python's own name"),
}


@pytest.mark.parametrize(("text", "says"), CLASHES.values(), ids=list(CLASHES))
def test_a_name_that_would_mean_two_things_is_an_error_that_names_both_files(
    package: Path, text: str, says: str
):
    path = write(package, "public", text)
    with pytest.raises(BuildError, match=re.escape(says)) as raised:
        kit_code("hw9", package)
    assert f"{path}, line " in str(raised.value)
    if "Python" not in says:
        assert len(re.findall(r"\S+\.py, line \d", str(raised.value))) == 2


def test_same_in_the_public_half_of_hw3_is_refused_though_python_and_types_are_content(package: Path):
    shutil.copytree(PACKAGE / "homeworks" / "hw3", package / "homeworks" / "hw3")
    path = next(path for path in public_files(package) if "hw3" in path.parts and path.name != "__init__.py")
    kit_code("hw3", package)
    path.write_text(path.read_text() + "\n\ndef same(one, other):\n    return one is other\n")
    with pytest.raises(BuildError, match="the name same is defined") as raised:
        kit_code("hw3", package)
    assert path.name in str(raised.value)
    assert "kit/comparison.py" in str(raised.value)


REFUSED = {
    "an oracle": ("from autograder.homeworks.hw9.oracle import answer\n", "names what does not come along"),
    "another homework": (
        "from autograder.homeworks.hw3.public import attend\n",
        "names what does not come along",
    ),
    "another room": ("from autograder.declare import Choice\n", "names what does not come along"),
    "the package": ("import autograder.kit\n", "write 'from autograder.kit import name' instead"),
    "inside a function": (
        "def f():\n    from autograder.kit import same\n    return same\n",
        "stands inside a block",
    ),
    "import inside a function": ("def f():\n    import autograder\n    return autograder\n", "write 'from"),
    "another name": ("from autograder.kit import compare as x\n", "renames compare"),
    "a module": ("from autograder.kit import values\n", "imports a module"),
    "the kit as a module": ("from autograder import kit\n", "names what does not come along"),
    "a star": ("from autograder.kit import *\n", "names nothing"),
    "relative": ("from .oracle import answer\n", "is relative"),
}


@pytest.mark.parametrize(("text", "says"), REFUSED.values(), ids=list(REFUSED))
def test_what_does_not_come_along_is_refused_with_words(package: Path, text: str, says: str):
    write(package, "oracle", "answer = 42\n")
    path = write(package, "public", text)
    with pytest.raises(BuildError, match=re.escape(says)) as raised:
        kit_code("hw9", package)
    assert f"{path}, line " in str(raised.value)


def test_a_circle_is_refused(package: Path):
    names = "from autograder.homeworks.hw9.public.{} import {}\n\n{} = 1\n"
    as_package(package, __init__="", a=names.format("b", "y", "x"), b=names.format("a", "x", "y"))
    with pytest.raises(
        BuildError, match=r"in a circle: \S+public, \S+public.a, \S+public.b|in a circle: \S+a, \S+b"
    ):
        kit_code("hw9", package)


@pytest.mark.parametrize(
    ("text", "says"),
    [("ANSWER = 42\n", "'ANSWER = 42' would not reach the notebook"), ("def f(): ...\n", "would not reach")],
)
def test_the_init_of_a_public_package_holds_imports_only(package: Path, text: str, says: str):
    as_package(package, __init__=f'"""Words."""\n\n{text}', a="x = 1\n")
    with pytest.raises(BuildError, match=says):
        kit_code("hw9", package)


@pytest.mark.parametrize("path", public_files(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_public_file_imports_anything_but_the_kit_and_its_own_public_part(path: Path):
    room = path.relative_to(PACKAGE).parts
    allowed = ["autograder.kit"]
    if room[0] == "homeworks":
        allowed.append(f"autograder.homeworks.{room[1]}.public")
    found = {str(node.module) for node in read_module("", path).package_imports}
    assert [name for name in found if not f"{name}.".startswith(tuple(f"{one}." for one in allowed))] == []
    # but for the kit itself, which the rehearsal opens as grading does
    assert not re.search(r"__import__(?!\(\{KIT_MODULE!r\}\))", path.read_text())
    assert not re.search(r"import_module\(\s*f?.autograder", path.read_text())


def test_public_are_the_kit_and_the_public_parts_and_nothing_else():
    folders = {"/".join(path.relative_to(PACKAGE).with_suffix("").parts[:3]) for path in public_files()}
    assert all(name.startswith("kit/") or re.fullmatch(r"homeworks/hw\d/public", name) for name in folders), (
        folders
    )
    assert {name for name in folders if name.startswith("homeworks")} == {
        f"homeworks/{name}/public" for name in IDS
    }


def test_a_kit_holds_what_is_given_now(monkeypatch: pytest.MonkeyPatch):
    """A build writes the given statements after it has assembled the kit for the first time."""
    for statement in ("first_given = 1", "second_given = 2"):
        monkeypatch.setattr(kit_text, "given", lambda homework, statement=statement: (statement,))
        kit = kit_source(homeworks()["hw6"]).replace(
            "'\n    '", ""
        )  # a long text is written in several lines
        assert statement in kit
    monkeypatch.undo()
    assert "second_given" not in kit_source(homeworks()["hw6"])
