"""``autograder export --otter-assign``: otter assign makes our own student version out of it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

pytest.importorskip("otter")

from otter.assign import main as otter_assign

from autograder.author import otter_assign as export
from autograder.author.build import build_notebook, repository_address
from autograder.author.source import BuildError
from autograder.cli.main import main
from autograder.declare import homeworks
from autograder.names import source_path
from autograder.submissions.notebook import read_notebook, recognize, written_answers
from tests.gallery import ROOT

pytestmark = pytest.mark.filterwarnings("ignore")  # otter's own


@pytest.mark.parametrize("name", list(homeworks()))
def test_otter_assign_makes_our_student_version_and_keeps_the_solutions_in_its_own(name: str, tmp_path: Path):
    homework = homeworks()[name]
    result = CliRunner().invoke(
        main, ["export", name, "--otter-assign", "-o", str(tmp_path / "master"), "--root", str(ROOT)]
    )
    assert result.exit_code == 0, result.output
    otter_assign(str(tmp_path / "master" / f"{homework.stem}.ipynb"), str(tmp_path / "built"), no_pdfs=True)
    built = {
        kind: nbformat.read(tmp_path / "built" / kind / f"{homework.stem}.ipynb", as_version=4)
        for kind in ("student", "autograder")
    }
    blank = build_notebook(homework, source_path(ROOT, homework.stem))
    ours = [cell.source for cell in blank.cells if cell.cell_type == "code"]
    theirs = [cell.source for cell in built["student"].cells if cell.cell_type == "code"]
    assert [source for source in theirs if "grader" not in source] == [
        source for source in ours if "grader" not in source
    ]
    assert "SOLUTION" not in "\n".join(cell.source for cell in built["student"].cells)
    solved = build_notebook(
        homework, source_path(ROOT, homework.stem), blank=False, repository=repository_address(ROOT)
    )
    kept = "\n".join(cell.source for cell in built["autograder"].cells)
    for cell in solved.cells:
        for line in cell.source.split("\n"):
            assert line in kept
    for cell in built["autograder"].cells:
        if cell.cell_type == "code" and not cell.source.startswith("%%"):
            compile(cell.source, "a cell with both versions", "exec")


def test_a_notebook_of_otters_build_is_recognized_and_its_written_answers_are_found(tmp_path: Path):
    master = tmp_path / "hw3_hand_designed.ipynb"
    nbformat.write(export.otter_master(ROOT, homeworks()["hw3"]), master)
    otter_assign(str(master), str(tmp_path / "built"), no_pdfs=True)
    data = (tmp_path / "built" / "student" / master.name).read_bytes()
    notebook = read_notebook(data.replace(b"*Write your answer here.*", b"Because of the mask."))
    assert recognize(notebook, None, homeworks()) is homeworks()["hw3"]
    asked = {one.id for one in homeworks()["hw3"].questions.values() if one.written}
    found = written_answers(notebook, homeworks()["hw3"])
    assert {name: one.text for name, one in found.items()} == dict.fromkeys(asked, "Because of the mask.")


def test_stubs_that_no_quote_can_hold_are_refused():
    with pytest.raises(BuildError, match="cell 1: the stubs hold both"):
        export._both("a = 1\nx = '''1'''\ny = \"\"\"2\"\"\"", "a = 1\nx = 3", "cell 1")
