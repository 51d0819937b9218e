"""Mistakes in a declaration are found when it is imported, mistakes in a verdict when it is made."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from autograder import declare, kit
from autograder.author import fetch
from autograder.declare import (
    Array,
    Case,
    Challenge,
    Checkpoint,
    Choice,
    Data,
    DataUnavailableError,
    Homework,
    LogEntry,
    Number,
    Question,
    Right,
    Wrong,
    homeworks,
)
from autograder.grade.judge import judge_question
from autograder.grade.report import CheckResult
from autograder.submissions.log import Log, read_log

CHOICE = {"options": {"A": "yes", "B": "no"}, "correct": "A", "why": {"B": "no is wrong"}}


def question(**fields: Any) -> Question:
    """A question of a homework hw9 that records two arrays and a choice."""
    entries = [Array("small_Q", (2,)), Array("small_K", (2,)), Choice("letter", **CHOICE, points=1)]
    given = {"minutes": 1, "difficulty": "easy", "entries": entries} | fields
    return Homework("hw9", title="Small", stem="hw9_small").question("9.1", "A question", **given)


def judged(judge: Callable[..., Any], values: Mapping[str, Any] | None = None) -> CheckResult:
    """The result of a check with this judge."""
    asked = question()
    asked.check("the arrays agree", points=4)(judge)
    found = {"small_Q": np.zeros(2), "small_K": np.ones(2)} if values is None else values
    run = Log("hw9", entries={name: LogEntry("ok", value) for name, value in found.items()})
    return judge_question(asked, run, Log("hw9"), {}).checks[-1]


# --- the interface ------------------------------------------------------------------------------------------


def test_all_that_an_author_needs_comes_from_one_place():
    assert sorted(declare.__all__, key=str.lower) == sorted(set(declare.__all__), key=str.lower)
    for name in declare.__all__:
        assert hasattr(declare, name), name
    for kind in (Array, Choice, Challenge, Checkpoint):
        assert issubclass(kind, declare.Entry)


def test_every_kind_has_its_half_in_the_kit():
    declared = {
        entry.kind for hw in homeworks().values() for one in hw.questions.values() for entry in one.entries
    }
    assert declared <= set(kit.KINDS)


# --- mistakes in a declaration ------------------------------------------------------------------------------


@pytest.mark.parametrize("points", [-5, 0, float("nan"), float("inf"), "4", True, None])
def test_points_are_a_positive_number(points: Any):
    asked = question()
    with pytest.raises(
        ValueError, match=r"^hw9, 9\.1, 'the arrays agree': .* points; expected a number above 0"
    ):
        asked.check("the arrays agree", points=points)(lambda answer: None)
    with pytest.raises(ValueError, match=r"^hw9, 9\.1, 'letter': .* points"):
        question(entries=[Choice("letter", **CHOICE, points=points)])


def test_a_label_stands_for_one_check():
    asked = question()
    asked.check("the arrays agree", points=4)(lambda answer: None)
    with pytest.raises(ValueError, match=r"hw9, 9\.1, 'the arrays agree': another check .* has that name"):
        asked.check("the arrays agree", points=4)(lambda answer: None)
    with pytest.raises(ValueError, match=r"hw9, 9\.1, 'letter': another check"):
        asked.check("letter", points=4)(lambda answer: None)


@pytest.mark.parametrize(
    ("judge", "says"),
    [
        (lambda V: None, r"the parameter 'V' means no entry of \['small_Q', 'small_K', 'letter'\]"),
        (lambda numbers: None, "the parameter 'numbers' means no entry"),
    ],
)
def test_a_parameter_that_names_no_entry_is_an_error(judge: Callable[..., None], says: str):
    with pytest.raises(ValueError, match=rf"hw9, 9\.1, 'the arrays agree': {says}"):
        question().check("the arrays agree", points=4)(judge)


def test_a_parameter_that_could_mean_two_entries_is_an_error():
    asked = question(entries=[Array("one_Q"), Array("two_Q")])
    with pytest.raises(ValueError, match=r"'Q' means the entries one_Q, two_Q"):
        asked.check("the arrays agree", points=4)(lambda Q: None)


def test_a_check_needs_only_what_is_recorded():
    with pytest.raises(ValueError, match=r"hw9, 9\.1, 'x': it needs Q; the question records small_Q"):
        question().check("x", points=4, needs=["Q"])(lambda answer: None)
    with pytest.raises(ValueError, match=r"hw9, 9\.1, 'x': small_Q is no challenge with an oracle"):
        question().check_cases("small_Q", "x", points=4)


def test_an_entry_is_recorded_once_and_none_is_called_numbers():
    homework = Homework("hw9", title="Small", stem="hw9_small")
    homework.question("9.1", "One", minutes=1, difficulty="easy", entries=[Array("Q")])
    with pytest.raises(ValueError, match=r"hw9, 9\.2: recorded before: Q"):
        homework.question("9.2", "Two", minutes=1, difficulty="easy", entries=[Array("Q")])
    with pytest.raises(ValueError, match=r"hw9, 9\.2: no entry may be called 'numbers'"):
        homework.question("9.2", "Two", minutes=1, difficulty="easy", entries=[Array("numbers")])
    assert list(homework.questions) == ["9.1"]


def test_a_judge_gives_the_label_and_its_parameters_are_needed():
    asked = question(numbers=[Number("tokens", 4, [3, 5])])

    @asked.check(points=2, needs=[])
    def the_letter_fits_the_query(Q: np.ndarray, letter: str, numbers: Mapping[str, int]) -> Wrong | None:
        return None if Q.sum() == 0 and letter == "B" and numbers["tokens"] == 4 else Wrong("No.")

    check = asked.checks[-1]
    assert (check.name, check.needs) == ("the letter fits the query", ("small_Q", "letter"))
    values = {"small_Q": np.zeros(2), "letter": "B"}
    run = Log("hw9", entries={name: LogEntry("ok", value) for name, value in values.items()})
    assert judge_question(asked, run, Log("hw9"), {}).checks[-1].state == "passed"
    del run.entries["letter"]  # type: ignore[attr-defined]
    assert judge_question(asked, run, Log("hw9"), {}).checks[-1].state == "unanswered"


# --- verdicts -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("earned", [1.7, -0.1, float("nan"), "1", None, True])
def test_what_is_kept_of_a_check_lies_between_nothing_and_all(earned: Any):
    with pytest.raises(ValueError, match=r"Wrong\(earned=…\) is .*; expected a number, 0 to 1"):
        Wrong("No.", earned=earned)


@pytest.mark.parametrize("bonus", [-1, float("inf"), "1"])
def test_a_bonus_takes_nothing_away(bonus: Any):
    with pytest.raises(ValueError, match=r"Right\(bonus=…\) is .*; expected a number, 0 or more"):
        Right("Yes.", bonus=bonus)


def test_a_verdict_says_something_and_measures_a_number():
    with pytest.raises(TypeError, match=r"Wrong\(…\) got NoneType as feedback"):
        Wrong(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"Right\(measured=…\) is 'much'"):
        Right("Yes.", measured="much")  # type: ignore[arg-type]
    assert Wrong("No.", earned=np.float32(0.5), measured=np.float64(0.9)).earned == 0.5


# --- judging ------------------------------------------------------------------------------------------------


def look_up(answer: Mapping[str, Any]) -> None:
    answer["no such entry"]


@pytest.mark.parametrize(
    ("judge", "last"),
    [
        (look_up, "KeyError: 'no such entry'"),
        (lambda answer: True, "TypeError: the judge returned bool; expected None, Right or Wrong"),
        (
            lambda answer: Wrong("No.", earned=1.7),
            "ValueError: Wrong(earned=…) is 1.7; expected a number, 0 to 1",
        ),
        (
            lambda answer: Wrong("No.", evidence={"kind": object()}),
            "TypeError: the evidence is not plain JSON: ",
        ),
        (
            lambda answer: Wrong("No.", evidence=["case"]),
            "TypeError: the evidence is list; expected a mapping",
        ),
    ],
)
def test_a_mistake_in_a_judge_is_the_graders_and_leaves_the_points_open(judge: Callable[..., Any], last: str):
    result = judged(judge)
    assert (result.state, result.cause, result.points, result.maximum) == ("open", "grader", 0.0, 4)
    assert "mistake in the grader; the points are open" in result.feedback
    first, *_, said = result.fault.split("\n")
    assert first == "hw9, 9.1, 'the arrays agree'"
    assert said.startswith(last)
    assert "Traceback (most recent call last)" in result.fault


def test_an_error_of_several_lines_is_said_in_the_last_one():
    def judge(answer: Mapping[str, Any]) -> None:
        raise RuntimeError("one\n\ntwo")

    assert judged(judge).fault.endswith("\nRuntimeError: one two")


@pytest.mark.parametrize(
    ("judge", "values", "state", "cause"),
    [
        (lambda answer: None, None, "passed", ""),
        (lambda answer: Right("Yes.", bonus=1), None, "passed", ""),
        (lambda answer: Wrong("No."), None, "failed", "wrong"),
        (lambda answer: Wrong("Half.", earned=0.5), None, "partly", "wrong"),
        (lambda answer: None, {}, "unanswered", "unanswered"),
        (lambda answer: None, {"small_Q": np.zeros(2)}, "unanswered", "unanswered"),
        (lambda answer: None, {"small_Q": np.zeros(2), "small_K": np.zeros(3)}, "failed", "wrong"),
    ],
)
def test_every_result_says_its_cause(judge: Callable[..., Any], values: Any, state: str, cause: str):
    result = judged(judge, values)
    assert (result.state, result.cause, result.fault) == (state, cause, "")


def test_a_measured_number_that_is_none_is_left_out():
    assert judged(lambda answer: Right("Yes.", measured=float("nan"))).measured is None


# --- kinds of entries ---------------------------------------------------------------------------------------


def cases(rng: np.random.Generator) -> list[Case]:
    return [Case([1.0], note="one"), Case([2.0], note="two")]


@pytest.mark.parametrize(
    ("entry", "described", "hidden_inputs", "tells"),
    [
        (Array("x", ("p", 3)), {"name": "x", "kind": "array", "shape": ["p", 3]}, False, False),
        (
            Choice("x", **CHOICE, points=1),
            {"name": "x", "kind": "choice", "letters": ["A", "B"]},
            False,
            True,
        ),
        (Challenge("x", cases), {"name": "x", "kind": "challenge"}, True, True),
        (
            Checkpoint("x", cases, file="x.pt"),
            {"name": "x", "kind": "checkpoint", "file": "x.pt"},
            True,
            True,
        ),
    ],
)
def test_a_kind_says_what_the_notebook_may_know(
    entry: declare.Entry, described: dict[str, Any], hidden_inputs: bool, tells: bool
):
    assert entry.describe() == described
    assert (entry.hidden_inputs, entry.tells) == (hidden_inputs, tells)


def test_a_choice_checks_itself_lists_its_options_and_keeps_its_explanations_secret():
    choice = Choice("letter", **CHOICE, points=2)
    check = choice.check()
    assert (check.name, check.points, check.needs) == ("letter", 2, ("letter",))
    assert check.judge({"letter": " (a) "}) is None
    assert "no is wrong" in check.judge({"letter": "B"}).feedback  # type: ignore[union-attr]
    assert "one of the letters A, B" in check.judge({"letter": 3}).feedback  # type: ignore[union-attr]
    assert choice.placeholder() == "- **A** yes\n- **B** no"
    assert list(choice.secrets()) == ["no is wrong"]
    assert Array("x").placeholder() is None
    assert Array("x").check() is None


def test_a_challenge_gives_a_trial_for_every_hidden_input_whatever_the_log_says():
    challenge = Challenge("f", cases)
    read = challenge.read(
        {
            "status": "ok",
            "responses": {"f/0": {"status": "ok", "result": 3.0}, "forged": {"status": "stopped"}},
        }
    )
    trials = challenge.value(read, {"f/0": cases(None)[0], "f/1": cases(None)[1]})  # type: ignore[arg-type]
    assert [(trial.status, trial.result, trial.note) for trial in trials] == [
        ("ok", 3.0, "one"),
        ("missing", None, "two"),
    ]


@pytest.mark.parametrize(
    "raw",
    [
        {"status": "ok", "value": {"dtype": "float64", "shape": [1], "data": [0.0], "torch": True}},
        {"status": "ok", "value": {"dtype": "float64", "shape": [3], "data": [0.0]}},
        {"status": "ok", "value": {"dtype": "no such type", "shape": [1], "data": [0.0]}},
    ],
)
def test_what_cannot_be_read_costs_its_own_entry_only(raw: dict[str, Any]):
    homework = Homework("hw9", title="Small", stem="hw9_small")
    homework.question("9.1", "One", minutes=1, difficulty="easy", entries=[Array("x"), Array("y")])
    fine = {"status": "ok", "value": 1.5}
    document = {"schema": kit.LOG_SCHEMA, "homework": "hw9", "entries": {"x": raw, "y": fine}}
    log = read_log(json.dumps(document).encode(), homework)
    assert log.entries["x"].status == "invalid"
    assert "`x`" in log.entries["x"].problem
    assert log.entries["y"].value == 1.5


# --- data ---------------------------------------------------------------------------------------------------


def test_declared_data_is_fetched_ahead_of_time(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def unavailable() -> str:
        raise DataUnavailableError("put the archive into data/")

    found = {
        name: Homework(name, title="", stem=name, data=data)
        for name, data in {"hw7": None, "hw8": Data(lambda: "All there."), "hw9": Data(unavailable)}.items()
    }
    monkeypatch.setattr(fetch, "homeworks", lambda: found)
    assert fetch.main(["hw8"]) == fetch.main(["hw7"]) == 0
    assert capsys.readouterr() == ("All there.\n", "")
    assert fetch.main([]) == 1
    assert capsys.readouterr() == ("All there.\n", "hw9: put the archive into data/\n")
    assert fetch.main(["hw0"]) == 2
    assert "There is no hw0; there are hw7, hw8, hw9." in capsys.readouterr().err
