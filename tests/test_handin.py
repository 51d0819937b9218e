"""Handing in: the last cell's zip, what is said of it, and that the grader takes it as it is."""

from __future__ import annotations

import json
import os
import sys
import types
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest

from autograder import kit
from autograder.author.build import build_notebook, dumps
from autograder.declare import homeworks
from autograder.grade.grade import grade_submission
from autograder.hosts.one_submission import gather
from autograder.kit import handing_in as handin
from autograder.kit import packing
from autograder.kit.statements import SHORT_TEXT, of_short_texts
from autograder.lms import collect
from autograder.names import notebook_path, source_path
from autograder.run.choose import kernels
from autograder.submissions.find import find
from autograder.submissions.log import read_log
from tests.conftest import PLACE, SETTINGS
from tests.gallery import ROOT
from tests.student import BLANK, CELL_31, HW3, ZIP, Desk, answer_31


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


# which cells gave an answer ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "bound", "used"),
    [
        ("import numpy as np\nx = np.eye(n)", {"x"}, {"np", "n"}),
        ("%matplotlib inline\nx = 1", {"x"}, set()),
        ("%%time\nx = f(1)", {"x"}, {"f"}),
        ("%%writefile homework_kit.py\nx = 1", set(), set()),
        ("def f(a):\n    b = a + c\n    return b\nclass G(F):\n    d = e", {"f", "G"}, {"c", "F", "e"}),
        ("for i in range(3):\n    !ls\n    total = i", {"i", "total"}, {"range"}),
        ("x = (", set(), set()),
    ],
)
def test_names_that_a_cell_binds_and_needs(text: str, bound: set, used: set):
    assert handin.cell_names(text) == (bound, used)


def test_what_was_found_in_a_short_text_is_kept_and_in_a_long_one_found_again():
    asked: list[str] = []
    length = of_short_texts(lambda text: asked.append(text) or len(text))  # type: ignore[func-returns-value]
    long = "x" * (SHORT_TEXT + 1)
    assert [length(text) for text in ("a", "a", long, long)] == [1, 1, len(long), len(long)]
    assert asked == ["a", long, long]


def test_the_cells_behind_an_answer_are_those_that_ran_last_and_what_they_rest_on():
    cells = ["f = 1", "def g():\n    return f", "x = g()", "unrelated = 2", "f = 3", "x = g()  # again"]
    behind = handin.sources_behind(["x"], cells)
    assert behind == [handin.cell_digest(cells[number]) for number in (1, 4, 5)]
    assert handin.cell_digest("x = 1  \r\n\n") == handin.cell_digest("x = 1")


# the zip ----------------------------------------------------------------------------------------------------


def test_the_zip_holds_notebook_and_log_and_is_the_same_each_time(desk: Desk):
    answer_31(desk)
    desk.save()
    out = desk.finish()
    assert list(desk.zipped()) == ["hw3_hand_designed.ipynb", kit.LOG_NAME]
    assert f"Hand in this one file, `{ZIP}`" in out
    assert "✗" not in out
    first = (desk.folder / ZIP).read_bytes()
    desk.finish()
    assert (desk.folder / ZIP).read_bytes() == first
    assert [path.name for path in desk.folder.iterdir() if path.name.startswith(".")] == []


def test_a_zip_that_cannot_be_written_leaves_the_old_one_and_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    desk.save()
    desk.finish()
    before = (desk.folder / ZIP).read_bytes()
    answer_31(desk)
    honest = os.replace

    def full(source, target):
        if str(target).endswith(".zip"):
            raise OSError("disk full")
        honest(source, target)

    monkeypatch.setattr(os, "replace", full)
    out = desk.finish()
    assert "could not be written (disk full)" in out
    assert "hw3_hand_designed.ipynb, submission_log.json" in out
    assert (desk.folder / ZIP).read_bytes() == before
    assert not list(desk.folder.glob(".*"))


def test_a_large_notebook_is_said_and_one_that_is_too_large_is_not_ready(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    answer_31(desk)
    desk.save()
    monkeypatch.setattr(packing, "BIG_BYTES", 10_000)
    out = desk.finish()
    assert "your learning platform may refuse files of that size. Clear the outputs" in out
    assert f"Hand in this one file, `{ZIP}`" in out
    monkeypatch.setattr(packing, "MAX_NOTEBOOK_BYTES", 20_000)
    out = desk.finish()
    assert "the grader reads 0 MB at most. Clear the outputs" in out
    assert "This is not ready to hand in" in out


def test_the_points_are_told_apart(desk: Desk):
    answer_31(desk)
    desk.cells["3.7"] = ""
    desk.save()
    out = desk.finish()
    assert f"questions worth 10 of {homeworks()['hw3'].points:g} points that are graded automatically" in out
    assert "written answers worth 0 of 10 points, graded by people" in out
    assert "0 of 10 points of extra credit" in out
    assert "No words yet in the written answers 3.7" in out


def test_a_written_answer_without_its_place_is_not_found_rather_than_empty(desk: Desk):
    answer_31(desk)
    desk.save()
    path = desk.folder / "hw3_hand_designed.ipynb"
    document, saved = json.loads(path.read_text()), path.stat().st_mtime
    document["cells"] = [one for one in document["cells"] if "**Answer 3.7**" not in "".join(one["source"])]
    path.write_text(json.dumps(document))
    os.utime(path, (saved, saved))
    out = desk.finish()
    assert "Not found: the written answers 3.7" in out
    assert "Put the line back, such as **Answer 3.7**" in out
    assert "written answer not found" in out
    assert "No words yet" not in out


def test_a_renamed_notebook_is_found_and_gets_its_own_name_back(desk: Desk):
    answer_31(desk)
    desk.save("my homework (1).ipynb")
    (desk.folder / "hw1.ipynb").write_bytes(notebook_path(ROOT, homeworks()["hw1"].stem).read_bytes())
    (desk.folder / "broken.ipynb").write_bytes(b"{")
    out = desk.finish()
    assert "where it is called `my homework (1).ipynb`" in out
    assert b"helper" not in desk.zipped()["hw3_hand_designed.ipynb"]
    assert handin.cell_digest(CELL_31) in {
        handin.cell_digest("".join(cell["source"]))
        for cell in json.loads(desk.zipped()["hw3_hand_designed.ipynb"])["cells"]
    }


def test_of_several_copies_the_one_that_ran_here_is_taken(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    answer_31(desk)
    desk.save("ran here.ipynb", seconds=-50)
    (desk.folder / "fresh copy.ipynb").write_bytes(BLANK)
    desk.finish()
    assert desk.zipped()["hw3_hand_designed.ipynb"] == (desk.folder / "ran here.ipynb").read_bytes()
    monkeypatch.setenv(
        "JPY_SESSION_NAME", str(desk.folder / "fresh copy.ipynb")
    )  # what JupyterLab says goes before
    desk.finish()
    assert desk.zipped()["hw3_hand_designed.ipynb"] == BLANK


def test_without_a_notebook_the_last_cell_says_what_to_do(desk: Desk):
    answer_31(desk)
    out = desk.finish()
    assert "but not the notebook. No notebook of hw3 was found" in out
    assert "hand in both files" in out
    assert list(desk.zipped()) == [kit.LOG_NAME]


def test_colab_is_asked_for_the_notebook_and_words_remain_where_it_does_not_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
):
    def page(name: str, **options):
        return {"ipynb": json.loads(BLANK)}

    message = types.SimpleNamespace(blocking_request=page)
    monkeypatch.setitem(sys.modules, "google.colab", types.SimpleNamespace(_message=message))
    answer_31(desk)
    out = desk.finish()
    assert json.loads(desk.zipped()["hw3_hand_designed.ipynb"]) == json.loads(BLANK)
    assert "the notebook as it is on the page now" in out
    assert "Edited in the notebook after recording: 3.1" in out  # the page holds the blank one
    assert "Download it from the Files pane" in out
    message.blocking_request = None
    out = desk.finish()
    assert list(desk.zipped()) == [kit.LOG_NAME]
    assert (
        "Colab keeps the notebook in Drive: choose File → Download → Download .ipynb, and hand in both files"
        in out
    )


def test_a_checkpoint_is_packed_and_a_wrong_name_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture):
    log = kit.Log(homeworks()["hw4"].describe(), tmp_path, {})
    (tmp_path / "model.pt").write_bytes(b"weights")
    log.finish()
    assert (
        "`hw4_vision_transformer.pt` is not there yet. There is `model.pt`; if it is that one, rename it."
        in capsys.readouterr().out
    )
    (tmp_path / "model.pt").rename(tmp_path / "hw4_vision_transformer.pt")
    log.finish()
    with zipfile.ZipFile(tmp_path / "hw4_vision_transformer_submission.zip") as archive:
        assert archive.read("hw4_vision_transformer.pt") == b"weights"


# the grader's side ------------------------------------------------------------------------------------------


CLAIMS = {
    f"torch_transformer_content_{name}": {
        "question": "3.7",
        "kind": "array",
        "status": "ok",
        "value": kit.encode(np.eye(3)),
    }
    for name in "QKV"
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the last cell packed the reference's answers and a claim to trained weights."""
    folder = tmp_path_factory.mktemp("finished")
    notebook = build_notebook(HW3, source_path(ROOT, HW3.stem), blank=False)
    (folder / "hw3_hand_designed.ipynb").write_text(dumps(notebook), encoding="utf-8")
    log = kit.Log(HW3.describe(), folder, {})
    log.entries |= CLAIMS
    log.answers["3.7"] = {
        "recorded": "2026-01-01T00:00:00Z",
        "sources": [handin.cell_digest("torch_transformer_content_Q = now_deleted()")],
    }
    log.finish()
    return folder


def test_the_grader_takes_the_zip_as_it_is_and_says_where_a_claim_is_stale(finished: Path, tmp_path: Path):
    (found,) = find([finished / ZIP]).submissions
    assert find([finished / ZIP]).ignored == ()
    report, _ = grade_submission(found, SETTINGS, kernels(PLACE)[0])
    points = {question.id: question.points for question in report.questions}
    assert report.status == "graded"
    assert {name: number for name, number in points.items() if name != "3.7"} == {
        question.id: question.points for question in HW3.questions.values() if question.id != "3.7"
    }
    (claimed,) = [question for question in report.questions if question.source == "log"]
    assert claimed.id == "3.7"
    assert (
        "edited in the notebook after it was recorded; what counts here is what was recorded"
        in claimed.notes[0]
    )
    assert set(report.notes) <= set(claimed.notes)  # and one that says on what a claim rests
    (tmp_path / ZIP).write_bytes((finished / ZIP).read_bytes())
    assert gather(tmp_path, HW3).log == found.log


def test_the_grader_compares_the_notebook_with_the_log_itself():
    told = {"3.7": {"sources": [handin.cell_digest("x = 1")]}}
    log = read_log(
        json.dumps({"schema": kit.LOG_SCHEMA, "homework": "hw3", "entries": {}, "answers": told}).encode(),
        HW3,
    )
    assert log.stale("3.7", {handin.cell_digest("# a comment\nx = 1\n"), "another"}) == ""
    assert log.stale("3.7", None) == ""
    assert "they were edited later" in log.stale("3.7", {"another"})


def test_a_zip_beside_its_notebook_is_the_same_submission(finished: Path, tmp_path: Path):
    data, notebook = (finished / ZIP).read_bytes(), (finished / "hw3_hand_designed.ipynb").read_bytes()
    for student in ("with copy", "only zip", "newer notebook", "saved again"):
        (tmp_path / student).mkdir()
        (tmp_path / student / ZIP).write_bytes(data)
    (tmp_path / "with copy" / "hw3.ipynb").write_bytes(notebook)
    (tmp_path / "newer notebook" / "hw3.ipynb").write_bytes(BLANK)
    again = nbformat.reads(notebook.decode(), as_version=4)
    again.cells[-1].outputs = [
        nbformat.v4.new_output("stream", text="hw3_hand_designed_submission.zip is written.")
    ]
    (tmp_path / "saved again" / "hw3.ipynb").write_text(nbformat.writes(again))
    found = {one.name: one for one in find([tmp_path]).submissions}
    assert set(found) == {
        "with copy",
        "saved again",
        "only zip",
        "newer notebook",
        f"newer notebook-{Path(ZIP).stem}",
    }
    assert found["with copy"].log == found["only zip"].log is not None
    assert found["newer notebook"].log is None


def test_a_zip_without_the_notebook_joins_the_notebook_beside_it(tmp_path: Path):
    (tmp_path / "jane").mkdir()
    (tmp_path / "jane" / ZIP).write_bytes(handin.zip_bytes({kit.LOG_NAME: b"{}", "model.pt": b"weights"}))
    (tmp_path / "jane" / "hw3.ipynb").write_bytes(BLANK)
    (found,) = find([tmp_path]).submissions
    assert (found.name, found.notebook, found.log, found.attachments) == (
        "jane",
        BLANK,
        b"{}",
        {"model.pt": b"weights"},
    )


def test_collecting_unpacks_the_zip_and_keeps_one_copy_of_each_file():
    found = collect.Collected()
    found.add("jane", "hw3_hand_designed.ipynb", BLANK)
    found.add("jane", ZIP, handin.zip_bytes({"hw3_hand_designed.ipynb": BLANK, kit.LOG_NAME: b"{}"}))
    kept = {name: place.read_bytes() for name, place in found.files["jane"].items()}
    assert kept == {"hw3_hand_designed.ipynb": BLANK, kit.LOG_NAME: b"{}"}


def test_a_log_whose_sources_cannot_be_read_still_counts(desk: Desk):
    answer_31(desk)
    document = json.loads((desk.folder / kit.LOG_NAME).read_text())
    document["answers"]["3.1"]["sources"] = 5
    found = read_log(json.dumps(document).encode(), HW3)
    assert found.answers == {}
    assert found.entries["attention_by_content_Q"].status == "ok"
    assert "cannot be read which cells" in " ".join(found.notes)
