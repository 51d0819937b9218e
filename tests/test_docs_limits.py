"""The page about a new limit, followed word by word in a copy of the package: the limit holds."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import nbformat
import pytest

from autograder.author.build import build_notebook
from autograder.declare import homeworks
from autograder.names import source_path
from autograder.run.user import no_other_user
from tests.gallery import ROOT
from tests.handbook import copy_project, run

PAGE = (ROOT / "docs" / "add-limit.md").read_text(encoding="utf-8")
HW3 = homeworks()["hw3"]
LOOK = "import resource; print('the stack:', resource.getrlimit(resource.RLIMIT_STACK)[0])"
AS_ANOTHER_USER = f"""
import nbformat
from autograder.run.execute import execute
from autograder.run.limits import Limits
from autograder.run.user import UserKernels
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell({LOOK!r})])
limits = Limits(stack_bytes=4e6)
done = execute(notebook, kit_source="def _opened(): pass", kernels=UserKernels(), limits=limits)
print(done.notebook.cells[0].outputs[0].text)
"""

if sys.platform == "win32":
    pytest.skip("Windows has no limits of this kind", allow_module_level=True)


def edits() -> list[tuple[str, str]]:
    """What each block of the page replaces, and by what."""
    blocks = [
        block.splitlines() for block in re.findall(r"```diff\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    ]
    return [
        (
            "\n".join(line[1:] for line in lines if not line.startswith("+")),
            "\n".join(line[1:] for line in lines),
        )
        for lines in blocks
    ]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package in which somebody did what the page says."""
    copy = copy_project(tmp_path_factory.mktemp("limit"), ("autograder", "pyproject.toml"))
    (name,) = set(re.findall(r"changes to `([\w/]+\.py)`", PAGE))
    text = (copy / name).read_text(encoding="utf-8")
    for before, after in edits():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    (copy / name).write_text(text, encoding="utf-8")
    return copy


@pytest.mark.parametrize("sandbox", ["off", "auto"])
def test_the_new_limit_is_an_option_and_holds_in_the_kernel(copy: Path, tmp_path: Path, sandbox: str):
    notebook = build_notebook(HW3, source_path(ROOT, HW3.stem))
    notebook.cells = [*notebook.cells[:1], nbformat.v4.new_code_cell(LOOK)]
    (tmp_path / f"{HW3.stem}.ipynb").write_text(nbformat.writes(notebook), encoding="utf-8")
    (option,) = set(re.findall(r"`--limit (stack_bytes=[\w.]+)`", PAGE))
    graded = tmp_path / "graded"
    command = ["grade", str(tmp_path), "-o", str(graded), "--homework", "hw3", "--workers", "1"]
    run(copy, "-m", "autograder", *command, "--sandbox", sandbox, "--limit", option)
    (executed,) = graded.rglob("executed.ipynb")
    output = json.loads(executed.read_text(encoding="utf-8"))["cells"][-1]["outputs"][0]
    assert "".join(output["text"]).strip() == "the stack: 4000000"


@pytest.mark.skipif(bool(no_other_user()), reason="kernels cannot run as another user here")
def test_the_new_limit_holds_for_kernels_of_another_user(copy: Path):
    assert run(copy, "-c", AS_ANOTHER_USER).strip() == "the stack: 4000000"


def test_the_help_lists_the_new_limit(copy: Path):
    assert "stack_bytes" in run(copy, "-m", "autograder", "grade", "--help")


def test_the_edited_file_pleases_the_linter_and_the_type_checker(copy: Path):
    run(copy, "-m", "ruff", "check", "--no-cache", "autograder/run/limits.py")
    run(copy, "-m", "ruff", "format", "--check", "--no-cache", "autograder/run/limits.py")
    run(copy, "-m", "mypy", "--cache-dir", str(copy / "types"), "autograder/run/limits.py")


def test_the_page_has_two_edits_the_field_with_its_documentation_and_the_row():
    headings = re.findall(r"^## (.*)", PAGE, re.MULTILINE)
    assert [heading[:2] for heading in headings if heading[0].isdigit()] == ["1.", "2."]
    assert len(edits()) == 3
