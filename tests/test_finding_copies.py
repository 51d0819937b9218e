"""Several notebooks in one person's folder: copies are one submission, versions are told apart by notes."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_output

from autograder.author.build import build_notebook
from autograder.declare import homeworks
from autograder.grade.grade import Read, read
from autograder.hosts.one_submission import gather
from autograder.kit import LOG_NAME, LOG_SCHEMA
from autograder.lms import canvas, collect
from autograder.lms.people import Person, folders_of, write_manifest
from autograder.names import source_path
from autograder.submissions.find import Submission, find
from tests.conftest import SETTINGS
from tests.gallery import ROOT
from tests.platforms import notebook, zipped
from tests.test_finding import EMPTY, HW3, SAMS, lay, log_of, rows

HW4 = notebook('record("4.1")', 'record("4.2")', homework="hw4")


def saved_later(text: str) -> str:
    """The same cells with the output of the last one, as Jupyter saves them after the zip was made."""
    made = nbformat.reads(text, as_version=4)
    made.cells[-1].outputs = [new_output("stream", text="hw3_submission.zip")]
    return nbformat.writes(made)


def collected(folder: Path, files: dict[str, str | bytes]) -> dict[str, Submission]:
    """What is found in a folder that ``autograder collect`` made."""
    lay(folder, files)
    names = dict.fromkeys(name.split("/")[0] for name in files)
    write_manifest([Person(name, "canvas", name) for name in names], folder / "collected.csv")
    return {one.name: one for one in find([folder], people=folders_of([folder])).submissions}


COPIES = [
    "hw3 (2).ipynb",
    "hw3-Copy1.ipynb",
    "Copy of hw3.ipynb",
    "hw3 copy 2.ipynb",
    "hw3 - Kopie (2).ipynb",
]


@pytest.mark.parametrize("name", [*COPIES, "another name.ipynb"])
def test_copies_in_a_collected_folder_are_one_row_that_names_them(name: str, tmp_path: Path):
    later = saved_later(HW3)
    files = {
        "jane/hw3.ipynb": HW3,
        f"jane/{name}": later,
        f"jane/{LOG_NAME}": log_of(),
        "jane/model.pt": b"x",
    }
    found = collected(tmp_path, {**files, "sam/hw3.ipynb": HW3})
    assert set(found) == {"jane", "sam"}
    jane = found["jane"]
    assert (jane.notebook, jane.log) == (later.encode(), log_of().encode()), "with outputs and pictures"
    assert dict(jane.attachments) == {"model.pt": b"x"}
    assert jane.notes == (f"{name} was graded; hw3.ipynb beside it has the same cells.",)
    assert not found["sam"].notes
    assert "jane/hw3.ipynb (a copy of" in " ".join(find([tmp_path], people=["jane"]).ignored)


def test_a_notebook_and_the_kits_zip_that_canvas_gives_are_one_row(tmp_path: Path):
    packed = zipped({"hw3.ipynb": HW3, LOG_NAME: log_of()})
    files = {"doejane_12_345_hw3.ipynb": saved_later(HW3), "doejane_12_346_hw3_submission.zip": packed}
    (tmp_path / "class.zip").write_bytes(zipped(files))
    collect.write(canvas.read(tmp_path / "class.zip"), tmp_path / "in")
    (one,) = find([tmp_path / "in"], people=folders_of([tmp_path / "in"])).submissions
    assert one.name == "doejane-12"
    assert one.notebook == saved_later(HW3).encode()
    assert one.log == log_of().encode()


@pytest.mark.parametrize("name", COPIES)
def test_copies_whose_names_tell_nobody_apart_are_one_row_in_any_folder(name: str, tmp_path: Path):
    files = {"hw3.ipynb": HW3, name: saved_later(HW3), "Untitled.ipynb": EMPTY, LOG_NAME: log_of()}
    found = rows(lay(tmp_path / "a", {f"jane/{one}": data for one, data in files.items()}))
    assert [(one.name, one.log) for one in found.values()] == [("jane", log_of().encode())]
    assert "has the same cells" in " ".join(found["jane"].notes)
    found = rows(lay(tmp_path / "b", {"jane.zip": zipped(files)}))
    assert [(one.name, one.log) for one in found.values()] == [("jane", log_of().encode())]


@pytest.mark.parametrize(
    "files",
    [
        {"week3/jane.ipynb": HW3, "week3/sam.ipynb": HW3},
        {"week3/hw3_jane.ipynb": HW3, "week3/hw3_jane (2).ipynb": HW3, "week3/hw3_sam.ipynb": HW3},
        {"hw3.ipynb": HW3, "hw3 (1).ipynb": HW3},
        {"jane/hw3.ipynb": HW3, "jane (2)/hw3.ipynb": HW3},
        {"week3/hw3.ipynb": HW3, "week3/hw3 (1).ipynb": HW3, "week3/hw3 (2).ipynb": SAMS},
        {"week3/doejane_1_hw3.ipynb": HW3, "week3/leesam_2_hw3.ipynb": HW3},
    ],
)
def test_copies_that_may_be_two_peoples_are_rows_of_their_own(files: dict[str, str], tmp_path: Path):
    assert len(rows(lay(tmp_path, files))) == len(files)


def test_versions_in_a_persons_folder_each_have_the_log_and_say_that_there_are_several(tmp_path: Path):
    log = log_of('record("3.1")')
    files = {"jane/hw3.ipynb": HW3, "jane/draft.ipynb": SAMS, "jane/Untitled.ipynb": EMPTY}
    found = collected(tmp_path, {**files, f"jane/{LOG_NAME}": log, "jane/model.pt": b"x"})
    assert set(found) == {"jane-hw3", "jane-draft"}
    for one in found.values():
        assert one.log == log.encode()
        assert "model.pt" in one.attachments
        assert "Several notebooks of hw3 with different cells were handed in" in " ".join(one.notes)
        assert "Untitled.ipynb beside it belongs to no homework" in " ".join(one.notes)


def test_a_persons_log_joins_the_version_from_whose_cells_it_comes(tmp_path: Path):
    found = collected(
        tmp_path,
        {"jane/hw3.ipynb": HW3, "jane/draft.ipynb": SAMS, f"jane/{LOG_NAME}": log_of("answer = 2")},
    )
    assert found["jane-draft"].log is not None
    assert found["jane-hw3"].log is None


def test_two_homeworks_of_one_person_have_the_log_that_names_them(tmp_path: Path):
    log4 = json.dumps({"schema": LOG_SCHEMA, "homework": "hw4", "entries": {}})
    found = collected(tmp_path, {"jane/a.ipynb": HW3, "jane/b.ipynb": HW4, f"jane/{LOG_NAME}": log4})
    assert {name: one.log for name, one in found.items()} == {"jane-a": None, "jane-b": log4.encode()}
    assert not any(one.notes for one in found.values())


def test_a_platform_that_grades_one_person_takes_one_of_the_copies(tmp_path: Path):
    files = {"hw3.ipynb": HW3, "hw3-final.ipynb": saved_later(HW3), "old/hw3.ipynb": HW3, LOG_NAME: log_of()}
    one = gather(lay(tmp_path, files), homeworks()["hw3"])
    assert not one.problem
    assert (one.notebook, one.log) == (saved_later(HW3).encode(), log_of().encode())


def test_many_notebooks_in_one_zip_are_read_once_each(tmp_path: Path):
    """Comparing each with each took minutes for a zip of 60 kB."""
    many = {f"{n}.ipynb": notebook(f"x = {n}") for n in range(700)}
    logs = {f"{n}_log.json": log_of() for n in range(700)}
    lay(tmp_path, {"eve.zip": zipped(many | logs, compress=True)})
    started = time.process_time()
    assert len(rows(tmp_path)) == 700
    assert time.process_time() - started < 4


def test_one_notebook_in_a_folder_is_not_read_to_look_for_its_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def read_again(*_: object) -> None:
        raise AssertionError("20 ms for each submission of a class")

    monkeypatch.setattr("autograder.submissions.copies.cells_digest", read_again)
    found = rows(lay(tmp_path, {"jane/hw3.ipynb": HW3, f"jane/{LOG_NAME}": log_of()}))
    assert [(one.name, one.problem) for one in found.values()] == [("jane", "")]


# which homework ---------------------------------------------------------------------------------------------


def read_one(text: str, homework: str | None = None) -> Read:
    return read(Submission("jane", text.encode()), replace(SETTINGS, homework=homework))


def test_the_cells_of_a_notebook_decide_against_its_mark_and_the_row_says_so():
    found = read_one(notebook('record("3.1")', 'record("3.2")', homework="hw6"))
    assert found.homework.id == "hw3"
    told = "The notebook is marked as hw6, but its cells are those of hw3. It was graded as hw3."
    assert found.notes == (told,)
    hw3 = homeworks()["hw3"]
    without = build_notebook(hw3, source_path(ROOT, hw3.stem), blank=True)
    without.metadata["attention_homework"]["id"] = "hw6"
    without.cells = [cell for cell in without.cells if "record(" not in cell.source]
    found = read_one(nbformat.writes(without))
    assert (found.homework.id, found.notes) == ("hw3", (told,))


def test_cells_of_a_second_homework_in_a_notebook_are_named():
    found = read_one(notebook('record("6.1")', 'record("3.1")', "record( '3.2')", homework="hw6"))
    assert found.homework.id == "hw6"
    told = ("The notebook holds 2 questions of hw3. Only hw6 was graded.",)
    assert found.notes == told
    named = read_one(notebook('record("3.1")', 'record("3.2")', homework="hw6"), "hw6")
    assert (named.homework.id, named.notes) == ("hw6", told), "the instructor named the homework"


@pytest.mark.parametrize("cells", [(), ('record("6.1")',), ("x = 1",), ('record("3.1")', 'record("6.1")')])
def test_the_mark_counts_where_the_cells_are_not_clearly_another_homeworks(cells: tuple[str, ...]):
    found = read_one(notebook(*cells, homework="hw6"))
    assert (found.homework.id, found.notes) == ("hw6", ())


def test_a_log_joins_the_one_of_several_notebooks_from_whose_cells_it_comes(tmp_path: Path):
    fitting = log_of('record("3.1")', "answer = 1")
    files = {"hw4.ipynb": HW4, "hw3.ipynb": HW3, LOG_NAME: fitting}
    found = rows(lay(tmp_path / "a", {f"jane/{name}": data for name, data in files.items()}))
    assert {name: bool(one.log) for name, one in found.items()} == {"jane-hw3": True, "jane-hw4": False}
    shared = log_of('record("3.1")')  # from the cells of both
    found = rows(lay(tmp_path / "b", {"w/jane.ipynb": HW3, "w/sam.ipynb": SAMS, f"w/{LOG_NAME}": shared}))
    assert sorted(bool(one.log) for one in found.values()) == [False, False, True]
    assert all(one.log is None for one in found.values() if one.notebook)
    two = {"w/jane.ipynb": HW3, "w/sam.ipynb": SAMS, "w/a_log.json": fitting, "w/b_log.json": fitting}
    assert len(rows(lay(tmp_path / "c", two))) == 4


def test_a_person_with_many_versions_is_one_row_that_says_so(tmp_path: Path):
    many = {f"eve/{n}.ipynb": notebook('record("3.1")', 'record("3.2")', f"x = {n}") for n in range(30)}
    found = collected(tmp_path, {**many, "sam/hw3.ipynb": HW3})
    assert set(found) == {"eve", "sam"}
    assert (
        "30 notebooks of homeworks with different cells were handed in, more than 12" in found["eve"].problem
    )


def test_of_a_zip_only_the_copies_are_called_so(tmp_path: Path):
    files = {"jane.ipynb": HW3, "kim.ipynb": EMPTY, "all.zip": zipped({"a.ipynb": HW3, "b.ipynb": SAMS})}
    found = {name: one.notes for name, one in rows(lay(tmp_path, files)).items()}
    assert {name for name, notes in found.items() if notes} == {"all-a"}
