"""The kit: values as JSON and back, comparison, shapes, the recorder in a plain Python process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autograder import kit
from autograder.declare import Case, homeworks
from autograder.declare.recorded import read_value
from autograder.kit import kinds
from autograder.kit.probes import register
from autograder.submissions.log import PACKED, challenges_json, read_log

ARRAYS = hnp.arrays(
    st.sampled_from([np.bool_, np.int8, np.int64, np.uint8, np.float16, np.float32, np.float64]),
    hnp.array_shapes(min_dims=0, min_side=0, max_side=4),
)


@settings(deadline=None)  # time says nothing about what is tested here
@given(ARRAYS)
def test_arrays_survive_the_way_through_json(array: np.ndarray):
    found = kit.decode(json.loads(json.dumps(kit.encode(array), allow_nan=False)))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("dtype", ["bool", "int8", "int64", "uint8", "float16", "float32", "float64"])
def test_a_kernel_reads_the_same_numbers_from_large_arrays_which_stand_as_base64(dtype: str):
    array = (np.random.default_rng(0).normal(size=(3, PACKED)) * 9).astype(dtype)
    if array.dtype.kind == "f":
        array[0, :3] = np.nan, np.inf, -np.inf
    case = Case([[array, 1.5], array[0, :5]], {"mask": array}, torch=True)
    homework = homeworks()["hw2"]
    text = challenges_json(homework, {"f": {"f/0": case}})
    told = json.loads(text)["cases"]["f"][0]
    assert isinstance(told["kwargs"]["mask"]["data"], str) or dtype == "bool"
    (found, number), few = kit.decode(told["args"])
    assert number == 1.5
    for one, expected in [(found, array), (few, array[0, :5]), (kit.decode(told["kwargs"]["mask"]), array)]:
        assert one.numpy().dtype == expected.dtype
        np.testing.assert_array_equal(one.numpy(), expected)


def test_a_log_has_no_arrays_in_base64():
    with pytest.raises(ValueError, match="must be a list"):
        read_value([{"dtype": "float64", "shape": [1], "data": "AAAAAAAA8D8="}])


def test_seeding_draws_what_torch_would_and_leaves_nothing_for_devices_that_are_not_there():
    torch = pytest.importorskip("torch")
    torch.manual_seed(5)
    expected, waiting = torch.rand(3), len(torch.cuda._queued_calls)
    kit.seed_torch(5)
    assert torch.equal(torch.rand(3), expected)
    assert torch.initial_seed() == 5
    assert len(torch.cuda._queued_calls) == waiting or torch.cuda.is_initialized()


def test_structures_survive_the_way_through_json():
    value = {"a": [1, 2.5, None, True, "text", float("inf")], "b": {"c": np.eye(2, dtype=np.float32)}}
    found = kit.decode(json.loads(json.dumps(kit.encode(value), allow_nan=False)))
    assert found["a"] == value["a"]
    np.testing.assert_array_equal(found["b"]["c"], np.eye(2))


def test_torch_tensors_are_recorded_as_arrays_and_given_as_tensors():
    torch = pytest.importorskip("torch")
    tensor = torch.arange(6.0, requires_grad=True).reshape(2, 3)
    encoded = kit.encode(tensor)
    assert encoded["dtype"] == "float32"
    assert torch.equal(kit.decode({**encoded, "torch": True}), tensor.detach())


@pytest.mark.parametrize(
    "value", [object(), 1j, np.array([1j]), np.zeros(300_000), 2**70, np.datetime64("2020-01-01")]
)
def test_what_cannot_be_recorded_says_what_it_was(value: object):
    assert isinstance(kit.decode(kit.encode(value)), kit.Other)


@pytest.mark.parametrize(
    "broken",
    [
        {"dtype": "float32", "shape": [2], "data": [1.0]},
        {"dtype": "float32", "shape": [-1], "data": []},
        {"dtype": "object", "shape": [1], "data": [1]},
        {"dtype": "float64", "shape": [1], "data": ["1e3"]},
        {"dtype": "int8", "shape": [1], "data": [1000]},
        {"dtype": "float64", "shape": [1], "data": [[1]]},
        {"dtype": "bool", "shape": [1], "data": [1]},
        {"dtype": "float64", "shape": [True], "data": [1.0]},
        {"dtype": "float64", "shape": "1", "data": [1.0]},
        {"dtype": "float64", "shape": [1], "data": "AAAA"},
        {"dtype": "float64", "shape": [1], "data": "no base64!"},
        {"dtype": "float64", "shape": [2], "data": "AAAAAAAA8D8="},
        {"dtype": "bool", "shape": [1], "data": "Ag=="},
        {"dtype": "uint8", "shape": [3], "data": "A" * (kit.MAX_ELEMENTS * 11 + 1)},
        {"strange": 1},
        {"number": "1"},
    ],
)
def test_json_that_does_not_follow_the_format_is_refused(broken: dict):
    with pytest.raises(ValueError, match=r"\w"):
        kit.decode(broken)


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (np.zeros((2, 2)), "shape (2, 2); expected (2, 3)"),
        (np.float64(0), "shape (); expected (2, 3)"),
        (np.ones((2, 3), dtype=int), "was something rounded"),
        (np.full((2, 3), np.nan), "is nan at [0, 0]"),
        (np.eye(2, 3), "differs in 2 of 6 numbers; at [0, 0] it is 1, expected 0"),
        (None, "but it is None"),
        ("zeros", "but it is text"),
    ],
)
def test_compare_says_shape_then_finiteness_then_values(found: object, says: str):
    assert says in str(kit.compare(np.zeros((2, 3)), found))


@pytest.mark.parametrize(
    ("problem", "says"),
    [
        ("`f` on two keys is nan at [0]; expected 0.", "nan comes from 0/0"),
        ("`f` on two keys is -inf; expected 0.", "inf comes from a number that is too large"),
        ("`f`, output 2, on two keys differs in 1 of 2 numbers; at [0] it is nan, expected 1.", "nan comes"),
        ("`f` on two keys is 'nan'; expected 'no'.", ""),
        ("`f` on nan is 3; expected 4.", ""),
    ],
)
def test_an_unexplained_number_that_is_not_finite_says_where_to_look(problem: str, says: str):
    told = kit.not_finite(problem)
    assert told.startswith(says) if says else not told


def test_compare_accepts_rounding_and_refuses_more():
    assert kit.compare(np.ones(2), np.ones(2, dtype=np.float32) + np.float32(1e-5)) is None
    assert kit.compare(np.ones(2), np.ones(2) + 1e-3) is not None


@pytest.mark.parametrize(
    ("shapes", "arrays", "says"),
    [
        (
            {"a": (3, "k"), "b": ("k", 2)},
            {"a": np.zeros((3, 4)), "b": np.zeros((5, 2))},
            "b has shape (5, 2); expected (k, 2) with k = 4",
        ),
        (
            {"p": (4, "p"), "a": ("3+p", 1)},
            {"p": np.zeros((4, 2)), "a": np.zeros((4, 1))},
            "expected (3+p, 1) with p = 2",
        ),
        ({"a": (7, "k")}, {"a": np.zeros(7)}, "A single row or column has two axes too"),
        ({"a": (2, "k")}, {"a": np.zeros((2, 0))}, "an axis of size 0"),
        ({"a": (2,)}, {"a": np.array([1.0, np.inf])}, "every number must be finite"),
        ({"a": (2,)}, {"a": np.array([True, False])}, "should be a numeric array"),
    ],
)
def test_shapes_are_held_against_letters(shapes: dict, arrays: dict, says: str):
    assert says in " ".join(kit.check_shapes(shapes, arrays))


@pytest.fixture
def log(tmp_path: Path) -> kit.Log:
    return kit.Log(homeworks()["hw3"].describe(), tmp_path, {})


def entries(log: kit.Log) -> dict:
    return json.loads(log.path.read_text())["entries"]


def test_recording_a_name_that_does_not_exist_says_so(log: kit.Log, capsys: pytest.CaptureFixture):
    log.record("3.1")
    assert entries(log)["attention_by_content_Q"]["status"] == "missing"
    assert "do not exist here" in capsys.readouterr().out


def test_a_blank_answer_is_not_answered_yet(log: kit.Log, capsys: pytest.CaptureFixture):
    log.namespace.update(
        attention_by_content_Q=None, attention_by_content_K=None, attention_by_content_V=None
    )
    log.check("3.1")
    log.record("3.1")
    out = capsys.readouterr().out
    assert "3.1 is not answered yet" in out
    assert "Traceback" not in out


def test_the_log_follows_its_schema_and_reads_back(log: kit.Log):
    log.namespace.update(
        attention_by_content_Q=np.eye(3),
        attention_by_content_K=np.eye(3, dtype=np.float32),
        attention_by_content_V=[[1, 2]],
    )
    log.record("3.1")
    found = read_log(log.path.read_bytes(), homeworks()["hw3"])
    assert found.entries["attention_by_content_K"].value.dtype == np.float32
    assert found.entries["attention_by_content_V"].value.shape == (1, 2)


def test_a_function_that_raises_ends_or_hangs_costs_its_own_responses(
    log: kit.Log, capsys: pytest.CaptureFixture
):
    def raising(kernel):
        raise ValueError("no idea")

    def ending(kernel):
        raise SystemExit

    def interrupted(kernel):
        raise KeyboardInterrupt

    for function, status in ((raising, "error"), (ending, "error")):
        log.namespace["conv_heads"] = function
        log.record("3.6")
        assert {response["status"] for response in entries(log)["conv_heads"]["responses"].values()} == {
            status
        }
    log.namespace["conv_heads"] = interrupted
    log.record("3.6")
    assert entries(log)["conv_heads"]["status"] == "stopped"
    assert "never ends" in capsys.readouterr().out


def test_functions_that_change_their_input_are_noticed(log: kit.Log):
    def scores(Q, K):
        Q *= 2
        return Q @ K.T / np.sqrt(Q.shape[1])

    log.namespace["token_scores"] = scores
    log.record("3.7")
    responses = entries(log)["token_scores"]["responses"].values()
    assert all(response["result"]["fields"]["changed_inputs"] for response in responses)


def test_inputs_written_with_fewer_digits_than_they_have_are_not_called_changed():
    number = {"dtype": "float32", "shape": [1], "data": [0.123456791]}  # as float32 it is 0.12345679104328156
    response = kit.call(lambda Q: Q + 1, {"args": [number], "kwargs": {}})
    assert response["fields"]["changed_inputs"] is False


def test_finish_lists_what_is_missing(log: kit.Log, capsys: pytest.CaptureFixture):
    log.namespace["identifiable"] = "C"
    log.record("3.7")
    log.finish()
    out = capsys.readouterr().out
    assert "Missing or incomplete: 3.1, 3.1b, 3.2, 3.3, 3.3b, 3.4, 3.5, 3.6, 3.7" in out
    assert "submission_log.json" in out


def test_an_unknown_question_is_an_error_that_lists_the_known_ones(log: kit.Log):
    with pytest.raises(KeyError, match=r"no question '3\.9'"):
        log.record("3.9")


def test_another_kind_of_entry_can_be_registered(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(kinds, "KINDS", dict(kinds.KINDS))

    @kit.entry_kind("ranking")
    class Ranking(kit.Kind):
        def collect(self, spec, value, entry, cases):
            entry.update(status="ok", value=[str(item) for item in value])

        def recorded(self, spec, entry):
            return True, f"`{spec['name']}`: {' > '.join(entry['value'])}."

        def checked(self, spec, entry, examples):
            return [(len(entry["value"]) == spec["count"], f"{spec['count']} places are asked for.")]

    asked = {"id": "9.1", "title": "Rank", "points": 1, "extra": False}
    asked["entries"] = [{"name": "order", "kind": "ranking", "count": 3}]
    log = kit.Log({"id": "hw9", "stem": "hw9", "questions": [asked]}, tmp_path, {"order": ("a", "b")})
    log.record("9.1")
    assert "`order`: a > b." in capsys.readouterr().out
    assert entries(log)["order"] == {
        "question": "9.1",
        "kind": "ranking",
        "status": "ok",
        "value": ["a", "b"],
    }
    log.check("9.1")
    assert "✗ 3 places are asked for." in capsys.readouterr().out
    log.namespace["order"] = ("b", "a")
    assert log.changed("9.1")


def test_a_kind_that_nobody_registered_is_named_with_those_that_there_are():
    with pytest.raises(KeyError, match="'ranking', which the kit does not have; it has array, choice"):
        kinds.kind_of({"name": "order", "kind": "ranking"})


def test_two_functions_cannot_be_registered_under_one_name():
    table: dict[str, object] = {}
    register(table, "probe", "count")(len)
    with pytest.raises(ValueError, match=r"two functions are registered as the probe 'count'"):
        register(table, "probe", "count")(sum)
    assert table == {"count": len}


class _Unwilling:
    """An object that fails wherever it is looked at."""

    def __getattr__(self, name: str) -> object:
        raise MemoryError(name)

    def __len__(self) -> int:
        raise OSError("no")

    def __array__(self, *_: object, **__: object) -> object:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "value", [10**400, np.array([10**400], dtype=object), _Unwilling()], ids=["int", "array", "object"]
)
def test_what_cannot_be_looked_at_is_recorded_as_such(value: object, tmp_path: Path):
    spec = {"name": "a", "kind": "array", "shape": [1]}
    homework = {"id": "hw3", "questions": [{"id": "3.1", "title": "t", "points": 1, "entries": [spec]}]}
    log = kit.Log(homework, tmp_path, {"a": value})
    log.record("3.1")
    written = json.loads((tmp_path / kit.LOG_NAME).read_text())["entries"]["a"]
    assert written["status"] == "ok"
    assert "other" in json.dumps(written["value"])


@pytest.mark.parametrize(
    "value",
    [
        "b",
        " (b). ",
        "B)",
        "**B**",
        "`B`",
        "'B'",
        "Option B",
        "answer: b",
        "B) one query a key",
        ["B"],
        ("b",),
    ],
)
def test_a_letter_is_read_with_what_people_write_around_it(value: object):
    assert kit.letter_of(value) == "B"


@pytest.mark.parametrize(
    "value", ["", "B and C", "A) or B)", "A), (B)", "a: A or B", "BB", "I think B", ["A", "B"], 2, None, "β"]
)
def test_what_names_no_single_letter_is_none(value: object):
    assert kit.letter_of(value) == ""
