"""Submissions spread over folders: what is below or above a notebook is found, nobody else's is taken."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.cli.main import main
from autograder.grade.grade import read
from autograder.kit import LOG_NAME, LOG_SCHEMA
from autograder.submissions.errors import SubmissionError
from autograder.submissions.find import find
from tests.conftest import SETTINGS
from tests.platforms import notebook, zipped
from tests.test_finding import HW3, SAMS, lay, log_of, rows


@pytest.mark.parametrize(
    ("notebook_in", "log_in"), [("", "out/"), ("", "hw3/results/"), ("work/", ""), ("a/b/", "")]
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_log_in_a_folder_below_or_above_its_notebook_is_found(
    notebook_in: str, log_in: str, packed: bool, tmp_path: Path
):
    fitting = log_of('record("3.1")', "answer = 1")
    files = {f"{notebook_in}hw3.ipynb": HW3, f"{log_in}{LOG_NAME}": fitting, f"{log_in}figure.png": b"x"}
    whole = {f"jane/{name}": data for name, data in files.items()}
    found = rows(lay(tmp_path, {"jane.zip": zipped(files)} if packed else whole))
    assert [(one.notebook, one.log) for one in found.values()] == [(HW3.encode(), fitting.encode())]


@pytest.mark.parametrize("packed", [False, True])
def test_files_beside_the_folder_of_a_notebook_end_nothing(packed: bool, tmp_path: Path):
    for number, notebook_in in enumerate(("work/", "", "a/b/")):
        files = {f"{notebook_in}hw3.ipynb": HW3, "figure.png": b"x", "out/drawn.png": b"x"}
        files |= {"more/report.pdf": b"%PDF"} if not notebook_in else {}
        whole = {f"jane/{name}": data for name, data in files.items()}
        folder = lay(tmp_path / str(number), {"jane.zip": zipped(files)} if packed else whole)
        assert [one.notebook for one in rows(folder).values()] == [HW3.encode()]
        assert len(find([folder]).ignored) == len(files) - 1


def test_a_log_in_another_folder_is_somebody_elses_unless_its_content_says_otherwise(tmp_path: Path):
    strange = log_of("something else", "entirely")
    fitting = log_of('record("3.1")', "answer = 1")
    found = rows(lay(tmp_path / "a", {"week3/hw3.ipynb": HW3, f"week3/sam/{LOG_NAME}": strange}))
    assert sorted(one.log is None for one in found.values()) == [False, True]
    found = rows(lay(tmp_path / "b", {"jane/hw3.ipynb": HW3, f"sam/{LOG_NAME}": fitting}))
    assert len(found) == 2
    two = {"w/hw3.ipynb": HW3, f"w/sam/{LOG_NAME}": fitting, f"w/max/{LOG_NAME}": fitting}
    assert len(rows(lay(tmp_path / "c", two))) == 3


# --- nobody is left without a row ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({".ipynb_checkpoints/hw3-checkpoint.ipynb": HW3}, "only .ipynb_checkpoints"),
        ({".DS_Store": "x"}, "only .DS_Store"),
        ({"._hw3.ipynb": "\0"}, "only ._hw3.ipynb"),
        ({"hw3.ipynb/figure.png": "x"}, "only hw3.ipynb/figure.png"),
        ({"hw3.zip": "Rar!\x1a\x07"}, "only hw3.zip (a RAR archive)"),
        ({"deep/er/hw3.zip": "7z\xbc"}, "hw3.zip is not a zip file"),
    ],
)
def test_a_folder_of_which_nothing_is_read_has_a_row_that_says_what_is_there(
    files: dict[str, str], says: str, tmp_path: Path
):
    found = rows(lay(tmp_path, {f"jane/{name}": data for name, data in files.items()} | {"sam/a.ipynb": HW3}))
    assert len(found) == 2
    assert says in next(one.problem for name, one in found.items() if name.startswith("jane"))


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
@pytest.mark.parametrize("kind", ["link", "loop", "device", "pipe"])
def test_a_folder_of_which_no_file_is_an_ordinary_one_has_a_row(kind: str, tmp_path: Path):
    lay(tmp_path, {"sam/hw3.ipynb": HW3})
    place = tmp_path / "jane" / "hw3.ipynb"
    place.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(place)
    else:
        place.symlink_to({"link": tmp_path / "sam" / "hw3.ipynb", "loop": place, "device": "/dev/zero"}[kind])
    found = rows(tmp_path)
    assert "only hw3.ipynb" in found["jane"].problem
    assert any("not an ordinary file" in line for line in find([tmp_path]).ignored)


@pytest.mark.parametrize("packed", [False, True])
def test_a_notebook_whose_name_hides_it_is_read_where_it_is_alone(packed: bool, tmp_path: Path):
    files = {"hw/.hw3.ipynb": HW3}
    whole = {f"jane/{name}": data for name, data in files.items()}
    found = rows(lay(tmp_path / "a", {"jane.zip": zipped(files)} if packed else whole))
    assert [one.notebook for one in found.values()] == [HW3.encode()]
    beside = find([lay(tmp_path / "b", {"jane/hw3.ipynb": HW3, "jane/.old.ipynb": "x"})])
    assert [one.notebook for one in beside.submissions] == [HW3.encode()]
    assert "hidden file" in beside.ignored[0]


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("kim.rar", b"Rar!\x1a\x07\0", "a RAR archive"),
        ("kim.zip", b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
        ("kim.ipynb.gz", b"\x1f\x8b\x08", "a gzip archive"),
        ("kim.tar", b"hw3.ipynb" + bytes(248) + b"ustar\x00", "a tar archive"),
        ("kim.xz", b"\xfd7zXZ\0", "an xz archive"),
        ("kim.bz2", b"BZh91AY", "a bzip2 archive"),
    ],
)
def test_an_archive_that_is_not_opened_is_a_row_in_a_class_and_left_alone_beside_a_notebook(
    name: str, data: bytes, what: str, tmp_path: Path
):
    found = rows(lay(tmp_path / "a", {"jane.ipynb": HW3, name: data, "notes.txt": "x"}))
    assert len(found) == 2
    assert any(f"{name} is {what}" in one.problem for one in found.values())
    found = rows(lay(tmp_path / "b", {"jane/hw3.ipynb": HW3, f"jane/{name}": data}))
    assert list(found) == ["jane"]
    one = find([tmp_path / "b" / "jane"], one_person=True)
    assert [row.notebook for row in one.submissions] == [HW3.encode()]


@pytest.mark.parametrize(
    "data", [b"\x1f\x8b\x08 gzip", b'{"cells": [' + b" " * 30_000_001], ids=["gzip", "large"]
)
def test_what_is_wrong_with_a_notebook_is_said_beside_its_log_too(data: bytes, tmp_path: Path):
    alone = rows(lay(tmp_path / "a", {"jane/hw3.ipynb": data}))["jane"]
    found = rows(lay(tmp_path / "b", {"jane/hw3.ipynb": data, f"jane/{LOG_NAME}": log_of()}))["jane"]
    assert (found.log, found.problem) == (log_of().encode(), "")
    assert alone.problem
    assert alone.problem in found.notes


@pytest.mark.parametrize(
    "answers", [{"3.1": {"sources": 5}}, {"3.1": {"sources": {"a": 1}}}, {"3.1": 7}, [3]]
)
def test_a_log_that_lies_about_its_cells_costs_nobody_else_a_row(answers: object, tmp_path: Path):
    lying = json.dumps({"schema": LOG_SCHEMA, "homework": "hw3", "entries": {}, "answers": answers})
    found = rows(lay(tmp_path, {"jane.ipynb": HW3, "eve_submission_log.json": lying, "eve.json": lying}))
    assert found["jane"].notebook == HW3.encode()
    assert not any("could not be sorted" in one.problem for one in found.values())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff\xfe" + HW3.encode(), "not valid JSON"),
        (HW3.encode() + bytes(4096), "not valid JSON: Extra data"),
        (HW3.encode() * 2, "not valid JSON: Extra data"),
        (HW3.replace('"cells"', '<<<<<<< HEAD\n"cells"', 1).encode(), "not valid JSON: Expecting"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:aa", "a pointer of Git LFS"),
        (b"bplist00\xd1", "a property list"),
        (b"\xd0\xcf\x11\xe0", "not UTF-8 text"),
        (HW3.replace('"nbformat": 4', '"nbformat": "4"').encode(), "not a notebook"),
    ],
    ids=[
        "a mark that lies",
        "zeros at the end",
        "twice",
        "a conflict of git",
        "Git LFS",
        "a property list",
        "an office file",
        "a format that is text",
    ],
)
def test_a_notebook_that_a_tool_has_spoiled_is_a_row_that_says_how(data: bytes, says: str, tmp_path: Path):
    found = rows(lay(tmp_path, {"jane/hw3.ipynb": data, "sam/hw3.ipynb": HW3}))
    assert set(found) == {"jane", "sam"}
    with pytest.raises(SubmissionError, match=says):
        read(found["jane"], SETTINGS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("mark", ["\ufeff", ""])
@pytest.mark.parametrize("packed", [False, True])
def test_what_an_editor_has_saved_in_another_encoding_is_read(
    encoding: str, mark: str, packed: bool, tmp_path: Path
):
    log, page = log_of('record("3.1")'), HW3.replace("answer = 1", "answer = 1  # \u00e9\U0001f600")

    def saved(text: str) -> bytes:
        return (mark + text).encode(encoding)

    files = {"hw3.ipynb.txt": saved(page), "answers.json": saved(log)}
    whole = {f"jane/{name}": data for name, data in files.items()}
    one = rows(lay(tmp_path, {"jane.zip": zipped(files)} if packed else whole))["jane"]
    assert read(one, SETTINGS).notebook.cells[-1].source == "answer = 1  # \u00e9\U0001f600"
    assert one.log is not None
    assert json.loads(one.log.decode("utf-8-sig")) == json.loads(log)


# --- older versions -----------------------------------------------------------------------------------------

OLD = notebook('record("3.1")', 'record("3.2")', "answer = 0")


@pytest.mark.parametrize("folder", ["old", "Backup", "old versions/2", "hw3/old", "drafts 2", "Kopie"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_copy_in_a_folder_of_older_versions_is_no_row(folder: str, packed: bool, tmp_path: Path):
    log = log_of("something else")
    files = {
        "hw3.ipynb": HW3,
        LOG_NAME: log_of(),
        f"{folder}/hw3 (1).ipynb": HW3,
        f"{folder}/{LOG_NAME}": log,
    }
    whole = {f"jane/{name}": data for name, data in files.items()}
    lay(tmp_path, {"jane.zip": zipped(files)} if packed else whole | {"sam/hw3.ipynb": SAMS})
    found = rows(tmp_path)
    assert set(found) == ({"jane"} if packed else {"jane", "sam"})
    assert (found["jane"].notebook, found["jane"].log) == (HW3.encode(), log_of().encode())
    assert found["jane"].notes == (f"hw3.ipynb was graded; {folder}/hw3 (1).ipynb has the same cells.",)
    assert "(a copy of hw3.ipynb, in a folder above)" in " ".join(find([tmp_path]).ignored)


def test_the_log_of_a_copy_in_a_folder_of_older_versions_joins_its_notebook(tmp_path: Path):
    files = {"jane/hw3.ipynb": HW3, "jane/old/hw3.ipynb": HW3, f"jane/old/{LOG_NAME}": log_of()}
    found = rows(lay(tmp_path, files))
    assert {name: one.log for name, one in found.items()} == {"jane": log_of().encode()}


def test_an_older_version_with_other_cells_is_a_row_and_both_say_so(tmp_path: Path):
    found = rows(lay(tmp_path, {"jane/hw3.ipynb": HW3, "jane/old/hw3.ipynb": OLD}))
    assert set(found) == {"jane", "jane-old"}
    assert "with different cells: old/hw3.ipynb." in found["jane"].notes[0]
    assert "with different cells: hw3.ipynb in a folder above." in found["jane-old"].notes[0]


def test_a_folder_that_may_be_a_second_persons_keeps_its_copy(tmp_path: Path):
    for number, folder in enumerate(("kim/", "goldman/", "hw3/")):
        files = {"week3/hw3.ipynb": HW3, f"week3/{folder}hw3.ipynb": HW3}
        assert len(rows(lay(tmp_path / str(number), files))) == 2, folder
    assert len(rows(lay(tmp_path / "top", {"hw3.ipynb": HW3, "old/hw3.ipynb": HW3}))) == 2
    files = {"jane/hw3.ipynb": HW3, "jane/hw3/hw3.ipynb": HW3}
    found = find([lay(tmp_path / "known", files)], people=["jane"]).submissions
    assert [one.name for one in found] == ["jane"]


def test_results_below_the_submissions_are_no_submissions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lay(tmp_path / "class", {"jane/hw3.ipynb": HW3, "kim/hw3.pdf": b"%PDF"})
    monkeypatch.chdir(tmp_path / "class")
    (results := tmp_path / "class" / "graded").mkdir()
    lay(results, {"submissions/jane/executed.ipynb": HW3, "grades.csv": "submission", "seed.txt": "s"})
    found = find([Path()], without=Path("graded"))
    assert sorted(one.name for one in found.submissions) == ["jane", "kim"]
    assert not [line for line in found.ignored if "graded" in line]


def test_results_of_an_earlier_run_under_another_name_are_told_and_no_submissions(tmp_path: Path):
    lay(tmp_path, {"jane/hw3.ipynb": HW3, "older/submissions/jane/executed.ipynb": HW3})
    lay(tmp_path / "older", {"grades.csv": "submission", "seed.txt": "s"})
    found = find([tmp_path], without=tmp_path / "graded")
    assert [one.name for one in found.submissions] == ["jane"]
    assert [line for line in found.ignored if "older" in line] == [
        f"{tmp_path / 'older'} (results of an earlier run)"
    ]


@pytest.mark.parametrize(
    ("paths", "output", "fine"),
    [
        ("class", "class", False),
        ("class", "class/../class", False),
        ("class/submissions", "class", False),
        ("class/submissions/jane", "class", False),
        ("class", "class/graded", True),
        ("class/week1", "class", True),
    ],
)
def test_results_that_would_lie_among_the_submissions_are_refused(
    paths: str, output: str, fine: bool, tmp_path: Path
):
    lay(tmp_path / "class", {"submissions/jane/hw3.ipynb": "no", "week1/kim.ipynb": "no"})
    arguments = ["grade", str(tmp_path / paths), "-o", str(tmp_path / output), "--workers", "1"]
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code == 0) == fine, done.output
    assert ("among the submissions" in done.output) != fine
    assert fine or not (tmp_path / output / "grades.csv").exists()
