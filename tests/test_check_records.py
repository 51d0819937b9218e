"""A green check records by itself; a record never calls fine what the check refuses; checks draw shapes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from autograder import kit
from autograder.declare import homeworks
from autograder.homeworks.hw1 import public as _hw1  # noqa: F401  # registers probes and pictures
from autograder.homeworks.hw3 import public as _hw3  # noqa: F401
from autograder.homeworks.hw6 import public as _hw6  # noqa: F401
from autograder.kit.comparison import compare
from autograder.kit.probes import CHECK_PICTURES, show_check_picture
from autograder.kit.values import decode, encode

Q = 30 * np.eye(3)


@pytest.fixture
def log(tmp_path: Path) -> kit.Log:
    return kit.Log(homeworks()["hw3"].describe(), tmp_path, {})


def answers(log: kit.Log, **others) -> None:
    names = {"Q": Q, "K": np.eye(3), "V": np.eye(3), **others}
    log.namespace.update({f"attention_by_content_{name}": value for name, value in names.items()})


def test_a_green_check_records_and_says_so(log: kit.Log, capsys: pytest.CaptureFixture):
    answers(log)
    log.check("3.1")
    assert "It is recorded. Go on; after a change, run this cell again." in capsys.readouterr().out
    assert log.state("3.1") == "recorded"
    entries = json.loads(log.path.read_text())["entries"]
    answers(log)
    log.record("3.1")
    assert json.loads(log.path.read_text())["entries"] == entries  # the same as recording it
    answers(log, Q=2 * Q)
    assert log.changed("3.1")


@pytest.mark.parametrize("wrong", [{"Q": np.zeros((3, 3))}, {"V": None}, {"K": np.eye(4)}])
def test_a_check_that_is_not_green_records_nothing(log: kit.Log, capsys: pytest.CaptureFixture, wrong: dict):
    answers(log, **wrong)
    log.check("3.1")
    assert "It is recorded" not in capsys.readouterr().out
    assert not log.path.exists()
    assert log.state("3.1") == "not recorded"


def test_record_gives_no_tick_to_a_shape_that_check_refuses(log: kit.Log, capsys: pytest.CaptureFixture):
    answers(log, K=np.eye(4))
    log.check("3.1")
    refused = [line for line in capsys.readouterr().out.split("\n") if "✗" in line]
    assert any("expected (3, qk)" in line for line in refused)
    log.record("3.1")
    shown = capsys.readouterr().out.split("\n")
    assert any("✗ `attention_by_content_K` is recorded as it is" in line for line in shown)
    assert not any("✓ `attention_by_content_K`" in line for line in shown)
    assert any("✓ `attention_by_content_V`" in line for line in shown)


def shown_shapes(question: str, names: dict, failed: bool) -> str:
    return CHECK_PICTURES[question](names, failed).words


def across(X, W_Q, W_K, W_V, mask=None):
    queries, keys = X @ W_Q, X @ W_K
    scores = queries.T @ keys
    return scores @ (X @ W_V)


def no_heads(Q, K, V, heads, W_O):
    return (Q @ K.T) @ V[:, :3]


def test_the_check_of_attention_marks_scores_between_features():
    words = shown_shapes("1.3", {"attention": across}, True)
    assert "scores has the wrong shape: (3, 3), but it should be (n, n) = (4, 4)." in words
    assert "Q: (n, d_k) = (4, 3)." in words
    assert "It raised ValueError" in words


def test_the_check_of_heads_marks_the_output():
    words = shown_shapes("1.9", {"multi_head_attention": no_heads}, True)
    assert "output has the wrong shape: (5, 3), but it should be (n, t) = (5, 8)." in words


def test_trouble_of_a_picture_costs_no_check(capsys: pytest.CaptureFixture):
    show_check_picture("1.3", {"attention": 3}, True)
    show_check_picture("1.3", {}, True)
    assert capsys.readouterr().out == ""


def test_a_part_that_is_not_answered_does_not_keep_the_others_from_being_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    lengths = 2.0 ** np.arange(8, 12)
    given = {"softmax_bytes": lengths**2, "linear_bytes": lengths, "memory_slopes": np.array([2.0, 1.0])}
    log = kit.Log(homeworks()["hw6"].describe(), tmp_path, {**given, "softmax_seconds": None})
    log.check("6.8")
    told = capsys.readouterr().out
    assert "memory grows like N^2.00 (softmax) and N^1.00 (linear)" in told
    assert "time grows" not in told
    log.namespace["linear_bytes"] = lengths[:2]
    log.check("6.8")
    assert "linear_bytes has shape (2,); expected (4,)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("question", "given", "told"),
    [
        (
            "1.13b",
            {"window_layers": 1, "rnn_updates": 1, "one_head_claim": "A"},
            "`window_layers`, `rnn_updates`: whether they are right, you read after grading.",
        ),
        ("6.4", {"features_for_64": 1}, "`features_for_64`: whether it is right, you read after grading."),
        (
            "6.7c",
            {"lambda_range": [1, 2], "lambda_interval": lambda *_: None},
            "`lambda_range`: whether it is right, you read after grading.",
        ),
    ],
)
def test_a_number_that_the_check_does_not_try_is_not_taken_for_right(
    tmp_path: Path, capsys: pytest.CaptureFixture, question: str, given: dict, told: str
):
    kit.Log(homeworks()[f"hw{question[0]}"].describe(), tmp_path, dict(given)).check(question)
    assert told in capsys.readouterr().out


def test_a_tuple_where_one_array_is_asked_for_is_named_as_such():
    """A student who returns outputs and weights is told that there are two arrays."""
    both = decode(encode((np.zeros((4, 2)), np.zeros((4, 4)))))
    assert "but it is a list or tuple of 2 arrays" in str(compare(np.zeros((4, 2)), both))
