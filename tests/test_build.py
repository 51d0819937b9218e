"""Building notebooks: freshness, determinism, markers, and nothing of an answer in the student version."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from autograder import kit
from autograder.author import build, source
from autograder.cli.main import main
from autograder.declare import Choice, Homework, homeworks
from autograder.kit import handing_in as handin
from autograder.names import notebook_path, source_path
from tests.gallery import ROOT

SOURCE = """# %% [markdown]
# ## A question
# {{header 9.1}}
# {{options letter}}

# %% tags=["kit"]
pass

# %%
# BEGIN SOLUTION 9.1 value
total = sum(range(10)) + 1
# END SOLUTION
def double(x):
    # BEGIN SOLUTION 9.1 function
    return [item * 2 for item in x]
    # END SOLUTION

# %% [markdown]
# **Answer 9.1**
# <!-- BEGIN SOLUTION 9.1 words -->
# because
# <!-- END SOLUTION -->
"""


@pytest.fixture
def small() -> Homework:
    homework = Homework("hw9", title="Small", stem="hw9_small")
    options = {"A": "yes", "B": "no"}
    homework.question(
        "9.1",
        "A question",
        minutes=1,
        difficulty="easy",
        entries=[Choice("letter", options=options, correct="A", why={"B": "no"}, points=2)],
    )
    return homework


def built(tmp_path: Path, homework: Homework, text: str, **options) -> nbformat.NotebookNode:
    path = tmp_path / "hw9_small.py"
    path.write_text(text, encoding="utf-8")
    return build.build_notebook(homework, path, **options)


@pytest.mark.parametrize("name", list(homeworks()))
def test_the_committed_notebook_is_what_its_source_gives(name: str):
    homework = homeworks()[name]
    committed = notebook_path(ROOT, homework.stem).read_text(encoding="utf-8")
    assert committed == build.student_notebook(ROOT, homework), f"run 'autograder build {name}'"


@pytest.mark.parametrize("name", list(homeworks()))
def test_the_student_notebook_holds_no_answer(name: str):
    homework = homeworks()[name]
    path = source_path(ROOT, homework.stem)
    text = json.loads(build.student_notebook(ROOT, homework))
    shown = {line.strip() for cell in text["cells"] for line in "".join(cell["source"]).split("\n")}
    for region in source.source_regions(source.read_source(path), path).values():
        for line in (line.strip() for line in region.body):
            telling = (
                len(line) >= 16
                and re.search(r"[=(]|\w+ \w+ \w+", line)
                and not line.startswith(("# STUB", "def ", "class ", "for ", "if "))
            )
            assert not (telling and line in shown), f"{region.label}: {line}"
    assert not any(cell.get("outputs") for cell in text["cells"])
    whole = json.dumps(text)
    assert "SOLUTION" not in whole
    for question in homework.questions.values():
        if question.written:
            for item in [*question.written.rubric, *question.written.examples.values()]:
                assert item[:60] not in whole, f"{question.id}: a rubric reaches students"


def test_building_twice_gives_the_same_bytes(tmp_path: Path, small: Homework):
    assert build.dumps(built(tmp_path, small, SOURCE)) == build.dumps(built(tmp_path, small, SOURCE))


def test_stubs_headers_and_options_are_filled_in(tmp_path: Path, small: Homework):
    cells = built(tmp_path, small, SOURCE).cells
    assert "*2 points · easy · about 1 minutes*" in cells[0].source
    assert "- **A** yes" in cells[0].source
    assert cells[1].source.startswith("%%writefile homework_kit.py\n# @title")
    assert "total = None" in cells[2].source
    assert '    raise NotImplementedError("9.1")' in cells[2].source
    assert cells[3].source == f"**Answer 9.1**\n{handin.BLANK_ANSWER}"


def test_an_answer_replaces_its_region_and_leaves_the_others(tmp_path: Path, small: Homework):
    cells = built(tmp_path, small, SOURCE, answers={"9.1 function": "  return x\n"}, blank=False).cells
    assert "    return x" in cells[2].source
    assert "total = sum(range(10)) + 1" in cells[2].source


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("# END SOLUTION\ndef", "def"), r"cell 3, line 4: a solution begins inside another \(line 1\)"),
        (("    # END SOLUTION\n", ""), "cell 3, line 5: BEGIN SOLUTION 9.1 function is never closed"),
        (("# BEGIN SOLUTION 9.1 value\n", ""), "cell 3, line 2: END SOLUTION without BEGIN SOLUTION"),
        (("9.1 function", "9.1 value"), "two solutions are labeled 9.1 value"),
        (("SOLUTION 9.1 value", "SOLUTION 8.1 value"), r"\['8.1'\], which hw9 does not have"),
        (("# BEGIN SOLUTION 9.1 value", "#BEGIN SOLUTION 9.1 value"), "not a marker this build knows"),
        (("total = sum(range(10)) + 1\n", "\n"), "the solution is empty"),
        (("{{header 9.1}}", "{{header 9.7}}"), "cannot fill {{header 9.7}}"),
        (
            (
                "def double(x):",
                "copy = total = sum(range(10)) + 1\ndef double(x):\n    total = sum(range(10)) + 1",
            ),
            "would reach students",
        ),
        (
            ("# %%\n# BEGIN", "# %%\n# figure (skipped while grading)\n# BEGIN"),
            "needs both the tag 'skip-execution'",
        ),
    ],
)
def test_a_wrong_marker_is_an_error_that_names_file_cell_and_line(
    tmp_path: Path, small: Homework, change: tuple[str, str], says: str
):
    assert change[0] in SOURCE
    with pytest.raises(build.BuildError, match=says) as raised:
        built(tmp_path, small, SOURCE.replace(*change, 1))
    assert "hw9_small.py" in str(raised.value)


def test_build_check_fails_on_a_stale_notebook_and_names_it(tmp_path: Path):
    (tmp_path / "solutions").symlink_to(ROOT / "solutions")
    (tmp_path / "pyproject.toml").symlink_to(ROOT / "pyproject.toml")
    (tmp_path / "notebooks").mkdir()
    name = "hw3"
    path = notebook_path(tmp_path, homeworks()[name].stem)
    assert CliRunner().invoke(main, ["build", name, "--root", str(tmp_path)]).exit_code == 0
    assert CliRunner().invoke(main, ["build", name, "--check", "--root", str(tmp_path)]).exit_code == 0
    path.write_text(path.read_text().replace("## 3.1", "## 3.One"))
    result = CliRunner().invoke(main, ["build", name, "--check", "--root", str(tmp_path)])
    assert result.exit_code == 1
    assert "STALE" in result.output
    assert path.name in result.output


def test_the_badge_points_to_the_configured_repository():
    address = build.repository_address(ROOT)
    for homework in homeworks().values():
        text = notebook_path(ROOT, homework.stem).read_text(encoding="utf-8")
        assert (
            f"github/{address.removeprefix('https://github.com/')}/blob/main/notebooks/{homework.stem}.ipynb"
            in text
        )


@pytest.mark.parametrize("name", list(homeworks()))
def test_the_notebook_is_valid_and_its_cells_are_of_sensible_size(name: str):
    notebook = nbformat.read(notebook_path(ROOT, homeworks()[name].stem), as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells[2:]:
        if cell.cell_type == "markdown":
            assert len(cell.source.split()) <= 260, cell.source[:80]


@pytest.mark.parametrize("name", list(homeworks()))
def test_public_examples_keep_their_inputs_and_carry_no_digit_that_depends_on_the_processor(name: str):
    cases = [case for examples in homeworks()[name].describe()["examples"].values() for case in examples]
    for case in cases:
        assert kit.encode(kit.decode(case["args"])) == kit.without_marks(case["args"]), case[
            "id"
        ]  # else answers would seem to change them
        said = json.dumps([case.get("expected"), case.get("mistakes")])
        assert not re.search(r"\d\.?\d{9,}(?:e|\D)", re.sub(r"\b0\.0*", "", said).replace("e-", "e")), case[
            "id"
        ]
