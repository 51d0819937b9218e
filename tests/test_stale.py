"""The log tells the truth: answers changed after recording, restarts, two homeworks in one folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder import kit
from autograder.declare import homeworks
from autograder.kit import handing_in as handin
from autograder.submissions.find import find
from autograder.submissions.log import read_log
from tests.student import CELL_31, CELL_36, HELPER, HELPER_36, HW3, Desk, answer_31


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


def test_an_answer_that_was_changed_and_not_recorded_again_is_stale_until_it_is(desk: Desk):
    answer_31(desk)
    assert "stale" not in desk.told()["3.1"]
    desk.run("3.1", CELL_31.replace("6.0", "7.0"))
    desk.save()
    assert "Changed after recording: 3.1" in desk.finish()
    assert desk.told()["3.1"]["stale"] == "changed"
    found = read_log(desk.zipped()[kit.LOG_NAME], HW3)
    assert found.notes == ()
    assert "changed after it was recorded" in found.stale("3.1", None)
    desk.log.record("3.1")
    assert "Changed after" not in desk.finish()
    assert "stale" not in desk.told()["3.1"]


def test_a_helper_that_was_changed_makes_a_function_stale(desk: Desk):
    desk.run("helper", HELPER_36)
    desk.run("3.6", CELL_36)
    desk.log.record("3.6")
    desk.save()
    assert "after recording" not in desk.finish()
    desk.run("helper", HELPER_36.replace("None", "kernel"))
    desk.save()
    assert "Changed after recording: 3.6" in desk.finish()


def test_an_edit_that_never_ran_is_seen_in_the_saved_notebook(desk: Desk):
    answer_31(desk)
    desk.cells["3.1"] += "\nattention_by_content_V = 2 * np.eye(3)"
    desk.save()
    out = desk.finish()
    assert "Edited in the notebook after recording: 3.1" in out
    assert "This is not ready to hand in" in out
    assert desk.told()["3.1"]["stale"] == "edited"


def test_a_notebook_saved_before_the_answer_is_told_apart_from_an_edited_one(desk: Desk):
    desk.save(seconds=-100)
    answer_31(desk)
    out = desk.finish()
    assert "Not saved yet: the file `hw3_hand_designed.ipynb`" in out
    assert "lacks cells that ran for 3.1" in out
    assert "stale" not in desk.told()["3.1"]


def test_a_new_run_with_the_same_values_is_no_change(desk: Desk):
    answer_31(desk)
    desk.run("3.1", CELL_31.replace("6.0 * np.eye(3)", "np.eye(3) * 6.0"))
    desk.save()
    assert "after recording" not in desk.finish()


def test_after_a_restart_the_log_keeps_what_was_recorded(desk: Desk):
    answer_31(desk)
    desk.save()
    desk.start()
    out = desk.finish()
    assert "1 of 11 questions recorded" in out
    assert "before this kernel started" in out
    assert "after recording" not in out
    desk.log.record("3.1")  # its cells did not run in this kernel
    assert desk.log.entries["attention_by_content_Q"]["status"] == "ok"
    assert "stays in the log" in desk.capsys.readouterr().out
    desk.run("helper", HELPER)
    desk.run("3.1", "\n".join(f"attention_by_content_{name} = None" for name in "QKV"))
    assert "Changed after recording: 3.1" in desk.finish()
    desk.log.record("3.1")
    assert desk.log.entries["attention_by_content_Q"]["status"] == "unanswered"


def test_two_homeworks_in_one_folder_do_not_lose_each_other(desk: Desk):
    answer_31(desk)
    desk.start("hw1")
    assert desk.log.entries == {}
    desk.log.finish()
    assert read_log((desk.folder / kit.LOG_NAME).read_bytes()).homework == "hw1"
    desk.start("hw3")
    assert desk.log.entries["attention_by_content_Q"]["status"] == "ok"
    desk.log.finish()
    desk.save()
    # hw1's record is no submission; the zip that hw1 made is one of its own
    (found,) = [one for one in find([desk.folder]).submissions if one.notebook is not None]
    assert read_log(found.log or b"").homework == "hw3"


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[]",
        b'{"homework": "hw3"}',
        b'{"schema": "attention-homeworks/log/1", "homework": "hw3", "entries": 5}',
    ],
)
def test_a_damaged_log_of_an_earlier_kernel_is_left_behind(desk: Desk, damage: bytes):
    (desk.folder / kit.LOG_NAME).write_bytes(damage)
    desk.start()
    assert desk.log.entries == {}
    answer_31(desk)
    assert "1 of 11 questions recorded" in desk.finish()


def test_a_checkpoint_that_was_written_again_is_stale(tmp_path: Path):
    log = kit.Log(homeworks()["hw4"].describe(), tmp_path, {})
    (checkpoint,) = [
        spec for question in log.questions.values() for spec in question["entries"] if "file" in spec
    ]
    (question,) = [one["id"] for one in log.questions.values() if checkpoint in one["entries"]]
    (tmp_path / checkpoint["file"]).write_bytes(b"first")
    for spec in log.questions[question]["entries"]:
        log.entries[spec["name"]] = {"status": "ok"}
    log.answers[question] = {
        "recorded": "2026-01-01T00:00:00Z",
        "files": {checkpoint["file"]: handin.file_digest(tmp_path / checkpoint["file"])},
    }
    assert not log.changed(question)
    (tmp_path / checkpoint["file"]).write_bytes(b"second")
    assert log.changed(question)
