"""The archive for students: what is in it, that it is the same each time, and that no answer is."""

from __future__ import annotations

import io
import json
import re
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement

from autograder.author import build, inlined, kit_text, release, source
from autograder.cli.main import main
from autograder.declare import Choice, homeworks
from autograder.hosts import bundle
from autograder.names import notebook_path, source_path
from tests.gallery import ROOT

ALL = list(homeworks().values())


@pytest.fixture(scope="module")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("release") / "students.zip"
    result = CliRunner().invoke(main, ["release", "-o", str(path), "--root", str(ROOT)])
    assert result.exit_code == 0, result.output
    return path.read_bytes()


@pytest.fixture(scope="module")
def files(zipped: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(zipped)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


# --- what is in it ------------------------------------------------------------------------------------------


def test_students_get_notebooks_data_an_environment_and_a_readme_and_nothing_else(files: dict[str, bytes]):
    names = {name.removeprefix("attention-homeworks/") for name in files}
    data = {f"notebooks/data/{path.name}" for path in (ROOT / "notebooks" / "data").iterdir()}
    notebooks = {f"notebooks/{homework.stem}.ipynb" for homework in ALL}
    assert names == {"README.md", "LICENSE", "requirements.txt", "environment.yml"} | notebooks | data
    for homework in ALL:
        assert (
            files[f"attention-homeworks/notebooks/{homework.stem}.ipynb"]
            == notebook_path(ROOT, homework.stem).read_bytes()
        )


def test_the_page_shows_what_the_command_prints(zipped: bytes, files: dict[str, bytes]):
    page = (ROOT / "docs" / "handout.md").read_text(encoding="utf-8")
    shown = re.search(r"written, ([\d.]+) MB, (\d+) files, ([\w, ]+)", page)
    assert shown
    assert (int(shown[2]), shown[3].split(", ")) == (len(files), list(homeworks()))
    assert float(shown[1]) == pytest.approx(len(zipped) / 1e6, rel=0.1)  # a sentence changes the last digit


def test_the_readme_names_each_notebook_and_its_links_lead_somewhere(files: dict[str, bytes]):
    readme = files["attention-homeworks/README.md"].decode()
    for homework in ALL:
        assert homework.title in readme
        assert f"{homework.points:g}" in readme
    for target in re.findall(r"\]\(([^)]+)\)", readme):
        assert f"attention-homeworks/{target}" in files


@pytest.mark.parametrize(("word", "badge"), [("", True), ("2027-spring", False)])
def test_the_readme_speaks_of_a_badge_only_where_the_notebooks_have_one(word: str, badge: bool):
    made = release.student_files(ROOT, [homeworks()["hw1"]], variants=word)
    notebook = made["attention-homeworks/notebooks/hw1_attention_basics.ipynb"].decode()
    readme = made["attention-homeworks/README.md"].decode()
    assert ("colab-badge.svg" in notebook) == ("badge" in readme) == badge
    assert ("copies from elsewhere have other numbers" in readme) != badge
    assert "@" not in readme


@pytest.mark.parametrize("platform", ["otter", "gradescope"])
def test_the_pages_on_bundles_show_about_the_size_that_a_bundle_has(platform: str):
    page = (ROOT / "docs" / f"{platform}.md").read_text(encoding="utf-8")
    shown = re.search(rf"hw3-{platform}.zip: written, ([\d.]+) MB, for {platform}", page)
    made = bundle.make(homeworks()["hw3"], platform, bundle.Config("hw3", "seed"))
    assert shown
    assert float(shown[1]) == pytest.approx(len(made) / 1e6, rel=0.15)


def test_the_environment_is_the_projects_own_and_has_what_the_notebooks_import(files: dict[str, bytes]):
    wanted = files["attention-homeworks/requirements.txt"].decode().split()
    declared = {
        str(Requirement(line))
        for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    assert set(wanted) - declared == {release.JUPYTER}
    assert all(f"- {line}\n" in files["attention-homeworks/environment.yml"].decode() for line in wanted)
    imported = {
        match
        for homework in ALL
        for cell in build.build_notebook(homework, source_path(ROOT, homework.stem)).cells
        if cell.cell_type == "code" and "%%writefile" not in cell.source
        for match in re.findall(r"^(?:import|from) (\w+)", cell.source, re.MULTILINE)
    }
    assert {"numpy", "torch"} <= imported  # the kit imports matplotlib
    assert imported - sys.stdlib_module_names <= {"numpy", "torch", "matplotlib", "homework_kit"}


def test_the_archive_is_the_same_byte_for_byte(zipped: bytes):
    assert release.archive(release.student_files(ROOT, ALL)) == zipped


def test_a_part_of_the_homeworks_takes_only_its_own_data():
    names = release.student_files(ROOT, [homeworks()["hw3"]])
    assert not any(name.endswith(".npz") for name in names)
    names = release.student_files(ROOT, [homeworks()["hw4"]])
    assert {Path(name).name for name in names if "/data/" in name} == {
        "README.md",
        "LICENSE.fashion-mnist",
        "fashion_mnist_5000_1000.npz",
    }


# --- what is not in it --------------------------------------------------------------------------------------


def test_nothing_of_an_answer_is_in_it(files: dict[str, bytes]):
    assert release.leaks(files, ROOT, ALL) == []


def test_no_line_of_any_solution_is_in_it_that_students_are_not_shown(files: dict[str, bytes]):
    """The same search by another way: through the build's own regions and the notebooks' cells."""
    cells = [
        cell for name, data in files.items() if name.endswith(".ipynb") for cell in json.loads(data)["cells"]
    ]
    handed_out = {line.strip() for cell in cells for line in "".join(cell["source"]).split("\n")}
    kits = inlined.public_files()
    given = {line.strip() for path in kits for line in path.read_text().split("\n")}
    solved: dict[str, str] = {}
    for homework in ALL:
        path = source_path(ROOT, homework.stem)
        for index, cell in enumerate(source.read_source(path).cells):
            lines = cell.source.split("\n")
            for region in source.regions(cell, f"cell {index}"):
                solved |= {
                    line.strip(): f"{homework.id} {region.label}"
                    for line in region.body
                    if "# STUB:" not in line
                }
                lines[region.start : region.end + 1] = [
                    line.replace("# STUB: ", "") for line in region.body if "# STUB:" in line
                ]
            given |= {line.strip() for line in lines}
    telling = {line: where for line, where in solved.items() if len(line) >= 15 and line not in given}
    assert len(telling) > 400
    assert {line: where for line, where in telling.items() if line in handed_out} == {}


@pytest.mark.parametrize("homework", [homeworks()["hw3"], homeworks()["hw5"]], ids=lambda one: one.id)
def test_every_kind_of_secret_would_be_found(files: dict[str, bytes], homework):
    name = f"attention-homeworks/notebooks/{homework.stem}.ipynb"
    lines = release.secret_lines(ROOT, [homework])
    written = next(question.written for question in homework.questions.values() if question.written)
    why = next(
        text
        for question in homework.questions.values()
        for entry in question.entries
        if isinstance(entry, Choice)
        for text in entry.why.values()
    )
    kinds = ("the solution in", "homeworks/")
    secrets = [next(line for line, where in lines.items() if where.startswith(kind)) for kind in kinds]
    secrets += [
        " ".join(text.split()) for text in (next(iter(written.rubric)), *written.examples.values(), why)
    ]
    notebook = nbformat.reads(files[name].decode(), as_version=4)
    notebook.cells[-1].source += "".join(f"\n    {secret}" for secret in secrets)
    found = release.leaks({name: nbformat.writes(notebook).encode()}, ROOT, [homework])
    assert {secret for secret in secrets if not any(repr(secret) in line for line in found)} == set()


def test_a_rubric_in_the_kits_own_json_is_found_though_the_json_is_cut_into_lines(
    monkeypatch: pytest.MonkeyPatch,
):
    homework = homeworks()["hw3"]
    rubric = next(iter(homework.questions["3.7"].written.rubric))
    described = homework.describe()
    monkeypatch.setattr(homework, "describe", lambda: {**described, "leaked": rubric})
    kit_text._kit_source.cache_clear()  # or the kit is the one that was made before
    text = build.student_notebook(ROOT, homework).encode()
    kit_text._kit_source.cache_clear()  # no other test gets this one
    assert any("the rubric of 3.7" in line for line in release.leaks({"hw3.ipynb": text}, ROOT, [homework]))


BINARY = [
    *sorted((ROOT / "solutions").glob("*.pt")),
    *sorted((ROOT / "autograder" / "data").glob("*hidden*")),
]


@pytest.mark.parametrize("checkpoint", BINARY, ids=lambda path: path.stem)
def test_a_piece_of_a_checkpoint_or_of_hidden_images_is_found_wherever_it_is(checkpoint: Path):
    assert len(BINARY) == 3
    data = checkpoint.read_bytes()
    part = data[len(data) // 3 : len(data) // 3 + len(data) // 20]
    name = "attention-homeworks/notebooks/data/extra.npz"
    assert any(
        f"a piece of {checkpoint.name}" in line for line in release.leaks({name: b"abc" + part}, ROOT, [])
    )


def test_seeds_logs_and_checkpoints_are_refused_as_files(files: dict[str, bytes], tmp_path: Path):
    for name in (
        "seed.txt",
        "hw3.zip.seed.txt",
        "hw4_vision_transformer.pt",
        "submission_log.json",
        "hw3.py",
    ):
        assert any(
            "nobody needs" in line for line in release.leaks({f"attention-homeworks/{name}": b""}, ROOT, [])
        ), name


def test_the_command_refuses_and_writes_nothing_if_an_answer_would_get_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    rubric = next(iter(homeworks()["hw3"].questions["3.7"].written.rubric))
    monkeypatch.setattr(release, "_readme", lambda chosen, variants: f"# Homework\n\n{rubric}\n")
    path = tmp_path / "students.zip"
    result = CliRunner().invoke(main, ["release", "hw3", "-o", str(path), "--root", str(ROOT)])
    assert result.exit_code == 1
    assert "the rubric of 3.7" in result.output
    assert not path.exists()
