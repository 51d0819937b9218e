"""Files beside the notebook: what goes into the zip, and what a kernel of the grader gets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from autograder.declare import homeworks
from autograder.grade import beside
from autograder.grade.beside import data_files, local_files
from autograder.grade.grade import grade_submission
from autograder.kit.local_files import find_local_files
from autograder.run.choose import kernels
from autograder.submissions.find import Submission
from tests.conftest import PLACE, SETTINGS
from tests.home import Home
from tests.test_rehearsal import FINE, lost, told


def test_files_that_the_notebook_imports_go_along_and_are_there_while_grading(tmp_path: Path):
    home = Home(tmp_path, "hw1")
    (home.folder / "my_helpers.py").write_text("import numpy as np\nfrom my_roots import root\n")
    (home.folder / "my_roots.py").write_text("import numpy as np\ndef root(x):\n    return np.sqrt(x)\n")
    (home.folder / "unused.py").write_text("")
    home.change("^import ", lambda text: "from my_helpers import root\n" + text)
    home.change(
        "def scaled_dot_product", lambda text: text.replace("np.sqrt(len(query))", "root(len(query))")
    )
    out = home.run()
    assert "imports `my_helpers.py`, `my_roots.py`, which go into the zip" in out
    assert FINE in out
    assert {name for name in home.zipped() if name.endswith(".py")} == {"my_helpers.py", "my_roots.py"}
    report, _ = grade_submission(home.submission(), SETTINGS, kernels(PLACE)[0])
    assert lost(report) == set()
    without = replace(home.submission(), attachments={})
    assert "1.1" in lost(grade_submission(without, SETTINGS, kernels(PLACE)[0])[0])


def test_what_cannot_go_along_is_named_twice_as_a_file_and_as_what_it_costs(tmp_path: Path):
    home = Home(tmp_path, "hw1")
    (home.folder / "parts").mkdir()
    (home.folder / "parts" / "__init__.py").write_text("def root(x):\n    return x ** 0.5\n")
    at = home.change(
        "def scaled_dot_product",
        lambda text: "from parts import root\n" + text.replace("np.sqrt(len(query))", "root(len(query))"),
    )
    out = home.run()
    assert "only single files of Python beside the notebook are handed in" in told(out, "`parts` is a folder")
    assert f"Cell {at} raises ModuleNotFoundError: No module named 'parts'. This costs 1 question: 1.1" in out


def test_files_that_would_hide_a_module_or_are_too_many_are_left_out_with_a_note():
    hw1, small = homeworks()["hw1"], {f"part_{number:02}.py": b"x = 1" for number in range(25)}
    given = {
        "numpy.py": b"",
        "torch.py": b"",
        "homework_kit.py": b"",
        "random.py": b"",
        "a b.py": b"",
        "m.pt": b"",
    }
    laid, notes = local_files(Submission("one", attachments=given | small), hw1)
    assert set(laid) == set(list(small)[:20])
    for name in ("numpy.py", "torch.py", "homework_kit.py", "random.py", "a b.py", "part_24.py"):
        assert any(f"`{name}`" in note for note in notes), name
    laid, notes = local_files(
        Submission("one", attachments={"a.py": b"#" * 150_000, "b.py": b"#" * 90_000}), hw1
    )
    assert set(laid) == {"a.py"}
    assert "more than 200 kB together" in notes[0]
    call = hw1.questions["1.1"].forbids[0].rpartition(".")[2]
    laid, notes = local_files(Submission("one", attachments={"a.py": f"from x import {call}".encode()}), hw1)
    assert laid
    assert any(note.startswith("1.1: `a.py` names") for note in notes)


def test_data_that_the_grader_lacks_is_a_note(monkeypatch: pytest.MonkeyPatch):
    hw4 = homeworks()["hw4"]
    files, notes = data_files(hw4)
    assert list(files) == ["fashion_mnist_5000_1000.npz"]
    assert not notes
    monkeypatch.setattr(beside, "_data_files", beside._data_files.__wrapped__)
    monkeypatch.setattr("autograder.declare.data.DATA_FOLDERS", ())
    files, notes = data_files(hw4)
    assert not files
    assert "does not have fashion_mnist_5000_1000.npz" in notes[0]


def test_files_that_a_notebook_imports_are_found_in_its_text(tmp_path: Path):
    for name in ("unused", "two", "three", "four", "numpy", "written"):
        (tmp_path / f"{name}.py").write_text("import four\n" if name == "three" else "")
    (tmp_path / "link.py").symlink_to(tmp_path / "unused.py")
    (tmp_path / "large.py").write_bytes(b"#" * 300_000)
    cells = ["%matplotlib inline\nfrom two import x", "%run three.py", "%%writefile written.py\nx = 1"]
    cells += ["import written, numpy, link\nimport large", "def f():\n    import absent"]
    found = find_local_files(tmp_path, [("code", text) for text in cells], ["numpy"])
    assert set(found.files) == {"two.py", "three.py", "four.py"}
    assert len(found.problems) == 3
    for part in ("`numpy.py` has the name of a module", "`link.py` is a link", "`large.py` is left out"):
        assert any(part in problem for problem in found.problems), part
