"""The sandbox works however the interpreter is called and wherever it lies."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.run import bubblewrap
from tests.gallery import ROOT

PROBE = """
import nbformat
from autograder.run.choose import Place, kernels
from autograder.run.execute import execute
from autograder.run.limits import Limits
notebook = nbformat.v4.new_notebook()
notebook.cells = [nbformat.v4.new_code_cell("print(6 * 7)")]
made, warning = kernels(Place("required", cold=True))
try:
    done = execute(notebook, kit_source="def _opened(): raise SystemExit", kernels=made)
    print(*[output.text for output in done.notebook.cells[0].outputs], warning)
finally:
    made.close()
"""
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("bwrap") is None, reason="needs bubblewrap"
)


def environment(folder: Path) -> Path:
    """A virtual environment that finds the packages of this one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = next(folder.glob("lib/python3*/site-packages"))
    (packages / "others.pth").write_text("".join(f"{path}\n" for path in bubblewrap.site_folders()))
    return folder / "bin" / "python"


def relative(base: Path) -> list[str]:
    environment(base / "venv")
    (base / "course").mkdir()
    return ["course", "../venv/bin/python"]


def through_a_link(base: Path) -> list[str]:
    environment(base / "real" / "venv")
    (base / "link").symlink_to(base / "real")
    return [".", str(base / "link" / "venv" / "bin" / "python")]


def linked_environment(base: Path) -> list[str]:
    environment(base / "venv-3.11")
    (base / "venv").symlink_to("venv-3.11")
    return [".", str(base / "venv" / "bin" / "python")]


def in_another(base: Path) -> list[str]:
    first = environment(base / "outer")
    subprocess.run([str(first), "-m", "venv", "--without-pip", str(base / "outer" / "inner")], check=True)
    packages = next((base / "outer" / "inner").glob("lib/python3*/site-packages"))
    (packages / "others.pth").write_text("".join(f"{path}\n" for path in bubblewrap.site_folders()))
    return [".", str(base / "outer" / "inner" / "bin" / "python")]


def pyenv(base: Path) -> list[str]:
    """Versions behind links, and an environment made with one of those: two links to the interpreter."""
    real = Path(sys.executable).resolve()
    versions = base / "versions"
    versions.mkdir()
    (versions / real.name).symlink_to(real)
    (base / "shims").mkdir()
    (base / "shims" / "python").symlink_to(f"../versions/{real.name}")
    made = environment(base / "venv")
    made.unlink()
    made.symlink_to(base / "shims" / "python")
    return [".", str(made)]


def blanks(base: Path) -> list[str]:
    return [".", str(environment(base / "a course" / "Übung 日本" / "venv"))]


def conda(base: Path) -> list[str]:
    """An environment whose interpreter has the version's name, and is called by another."""
    made = environment(base / "envs" / "hw")
    (made.parent / "python3.11-hw").symlink_to("python3")
    return [".", str(made.parent / "python3.11-hw")]


def uv(base: Path) -> list[str]:
    """A folder of interpreters in which the minor version is a link, and an environment that names that."""
    real = Path(sys.base_prefix).resolve()
    minor = base / "share" / "uv" / "python" / f"cpython-{sys.version_info[0]}.{sys.version_info[1]}-linux"
    minor.parent.mkdir(parents=True)
    minor.symlink_to(real)
    made = environment(base / ".venv")
    named = minor / "bin" / Path(sys.executable).resolve().name
    for path in made.parent.glob("python*"):
        path.unlink()
    made.symlink_to(named)
    (made.parent / "python3").symlink_to("python")
    lines = (base / ".venv" / "pyvenv.cfg").read_text().splitlines()
    kept = [line for line in lines if line.partition(" ")[0] not in ("home", "executable", "command")]
    (base / ".venv" / "pyvenv.cfg").write_text(
        "\n".join([f"home = {named.parent}", *kept, "uv = 0.8.0"]) + "\n"
    )
    return [".", str(made)]


LAYOUTS: dict[str, Callable[[Path], list[str]]] = {
    "called by a relative path": relative,
    "below a link": through_a_link,
    "a link to an environment": linked_environment,
    "an environment in an environment": in_another,
    "pyenv": pyenv,
    "blanks and other alphabets": blanks,
    "conda": conda,
    "uv": uv,
}

IN_TMP = (relative, blanks, pyenv)


@pytest.fixture(params=["/tmp", "/opt"])  # the sandbox has a /tmp of its own
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "/tmp":
        yield tmp_path
        return
    folder = Path(request.param) / f"autograder-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        pytest.skip(f"{request.param} is not ours to write")
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_submission_runs_in_the_sandbox(base: Path, layout: Callable[[Path], list[str]]):
    if base.parts[1] == "tmp" and layout not in IN_TMP:
        pytest.skip("of those below /tmp, some stand for all")
    folder, python = layout(base)
    found = subprocess.run(
        [python, "-c", PROBE],
        cwd=base / folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "VIRTUAL_ENV": str(Path(python).parents[1])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert found.stdout.split() == ["42"], found.stderr[-2000:]
