"""The history of checks: kept with consent alone, never code, a claim that earns nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from autograder import kit
from autograder.declare import homeworks
from autograder.grade.grade import Settings, grade_submission
from autograder.grade.report import QuestionResult, Report, Tried
from autograder.grade.store import read_results, results_json
from autograder.kit.history import MAX_EVENTS, mistake_in
from autograder.report.history import class_history
from autograder.submissions.find import Submission
from autograder.submissions.log import read_log


def opened(folder: Path, **names: object) -> kit.Log:
    return kit.Log(homeworks()["hw1"].describe(), folder, dict(names))


def log_of(folder: Path) -> dict:
    return json.loads((folder / kit.LOG_NAME).read_text(encoding="utf-8"))


def secret_formula(*arguments):
    """A student's function with a telling name and an exception that quotes its code."""
    raise ValueError("my_secret_variable = 'hunter2'")


def name_of_a_function() -> tuple[str, str]:
    """A question of hw1 that runs a function, and the function's name."""
    for question in homeworks()["hw1"].questions.values():
        for entry in question.entries:
            if entry.kind == "challenge":
                return question.id, entry.name
    raise LookupError


def test_nothing_is_kept_without_consent_and_what_was_kept_goes_when_it_is_withdrawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    question, name = name_of_a_function()
    log = opened(tmp_path, **{name: secret_formula})
    log.check(question)
    assert not (tmp_path / kit.LOG_NAME).exists()
    log.keep_history(True)
    log.check(question)
    (event,) = log_of(tmp_path)["history"]
    assert (event["question"], event["passed"]) == (question, False)
    assert event["mistakes"] == ["raised ValueError"]
    assert "hunter2" not in (tmp_path / kit.LOG_NAME).read_text(encoding="utf-8")
    # another kernel goes on where the first stopped, once it is told to
    later = opened(tmp_path, **{name: secret_formula})
    later.keep_history(True)
    later.check(question)
    assert len(log_of(tmp_path)["history"]) == 2
    opened(tmp_path).keep_history(False)
    assert "history" not in log_of(tmp_path)
    capsys.readouterr()


def test_a_named_mistake_is_kept_as_declared_and_else_words_without_values():
    known = ["Divide by √d.", "Divide by √d. Not by d."]
    assert mistake_in("`f` gives [1, 2], expected 3. Divide by √d.", known) == "Divide by √d."
    told = mistake_in("`my_name` gives 0.25 at [0, 1], not 'abc' (shape (2, 3))", [])
    assert told == "… gives # at …, not … …)"
    assert mistake_in("`f` raised MyOwnSecretError: x", []) == "raised an exception"


def test_the_grader_reads_it_as_a_claim_that_earns_nothing(tmp_path: Path):
    head = {"schema": kit.LOG_SCHEMA, "homework": "hw3", "entries": {}}
    event = {"at": "2027-02-01T20:15:00Z", "question": "3.1", "passed": True}
    with_it = json.dumps({**head, "history": [event, {**event, "question": "9.9"}]}).encode()
    report, _ = grade_submission(Submission("jane", None, with_it, {}), Settings("s", "hw3"))
    bare, _ = grade_submission(Submission("jane", None, json.dumps(head).encode(), {}), Settings("s", "hw3"))
    assert report.history == (Tried("2027-02-01T20:15:00Z", "3.1", True),)
    assert (report.points, report.notes) == (bare.points, bare.notes)
    assert read_results(json.loads(json.dumps(results_json(report)))) == report


@pytest.mark.parametrize(
    "history",
    [
        3,
        [3],
        [{"at": "now", "question": "3.1", "passed": True}],
        [{"at": "2027-02-01T20:15:00Z", "question": "3.1", "passed": 1}],
        [{"at": "2027-02-01T20:15:00Z", "question": "3.1", "passed": True, "code": "x = 1"}],
        [{"at": "2027-02-01T20:15:00Z", "question": "3.1", "passed": True}] * 1001,
    ],
)
def test_a_history_that_cannot_be_read_costs_nothing_but_itself(history: object):
    raw = {"schema": kit.LOG_SCHEMA, "homework": "hw3", "entries": {}, "history": history}
    log = read_log(json.dumps(raw).encode(), homeworks()["hw3"])
    assert log.history == ()
    assert "costs nothing" in log.notes[0]


@pytest.mark.parametrize(
    ("part", "value"), [("student", {"id": 5}), ("student", "ann"), ("kit", 3), ("written", ["now"] * 3)]
)
def test_a_part_that_no_answer_needs_costs_nothing_but_itself(part: str, value: object):
    entries = {"attention_by_content_Q": {"status": "missing"}}
    raw = {"schema": kit.LOG_SCHEMA, "homework": "hw3", "entries": entries, part: value}
    log = read_log(json.dumps(raw).encode(), homeworks()["hw3"])
    assert log.entries["attention_by_content_Q"].status == "missing"
    assert "cannot be read; it is left out" in log.notes[0]


def test_a_long_history_keeps_its_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    log = opened(tmp_path, full_scores=np.array(1.0))
    log.keep_history(True)
    log.history = [{"at": "2027-02-01T20:15:00Z", "question": "1.1", "passed": False}] * (MAX_EVENTS + 5)
    log.write()
    assert len(log_of(tmp_path)["history"]) == MAX_EVENTS
    capsys.readouterr()


def report(name: str, *events: tuple[int, str, bool, str]) -> Report:
    """A report with a history: minute, question, passed, mistake."""
    tried = tuple(
        Tried(
            f"2027-02-01T{20 + minute // 60}:{minute % 60:02d}:00Z", question, passed, (says,) if says else ()
        )
        for minute, question, passed, says in events
    )
    return Report(
        name,
        "hw3",
        "graded",
        tuple(QuestionResult(one, one, ()) for one in ("3.1", "3.2", "3.3")),
        history=tried,
    )


def test_a_class_sees_tries_mistakes_time_and_where_people_stopped():
    found = class_history(
        [
            report("a", (0, "3.1", False, "sign"), (4, "3.1", True, ""), (9, "3.2", True, "")),
            report("b", (0, "3.1", True, ""), (3, "3.2", False, "scale"), (50, "3.2", False, "scale")),
            report("c", (0, "3.2", False, "sign"), (6, "3.2", False, "scale"), (8, "3.2", True, "")),
            report("without"),
        ]
    )
    assert (found.students, found.total) == (3, 4)
    first, second = found.questions
    assert (first.id, first.students, first.passed, first.tries, first.most) == ("3.1", 2, 2, 1.5, 2)
    assert first.minutes == 4  # of the other, no check says when it was begun
    assert first.mistakes == (("sign", 1),)
    assert (second.passed, second.tries, second.most) == (2, 2, 3)
    assert second.minutes == 6.5  # 5 and 8
    assert second.mistakes == (("scale", 2), ("sign", 1))
    assert (second.stopped, second.last) == (("b",), 1)
