"""Every right answer of the galleries is right in any usual representation, at home and in grading."""

from __future__ import annotations

import inspect
import json
import re
from collections import defaultdict
from functools import cache
from typing import Any

import nbformat
import numpy as np
import pytest
import torch

from autograder import kit
from autograder.author import representations
from autograder.author.gallery import Student, students
from autograder.author.kit_text import kit_source
from autograder.declare import Case, Challenge, homeworks
from autograder.grade.beside import data_files
from autograder.grade.judge import judge_question
from autograder.homeworks.hw4.public.diagnosis import history_problem
from autograder.kit.shared.modules import module_probe
from autograder.run.choose import kernels
from autograder.run.execute import execute
from autograder.run.limits import Limits
from autograder.submissions.log import challenges_json, read_log
from tests.conftest import PLACE, SETTINGS, by_homework, reference
from tests.gallery import ROOT, examples

CELL = f"{inspect.getsource(representations)}\nimport homework_kit\nrecord_representations(homework_kit._log)"
# a right answer may make float32 tensors of its own, as in mask.float(); only this test changes its type
TWO_TYPES = re.compile("expected scalar type|same dtype|dtypes must be the same|expected m1 and m2")
LIMITS = Limits(
    cell_seconds=300, total_seconds=500, cpu_seconds=500, file_bytes=200_000_000, memory_bytes=8e9
)


@cache
def right_students(name: str) -> list[Student]:
    """The reference, and notebooks with every right answer of a gallery."""
    homework = homeworks()[name]
    notebook, log, files = reference(name)
    right = [example for example in examples(name) if not example.loses]
    return [
        Student("reference", notebook, log, files, ()),
        *students(ROOT, homework, right, log, files),
    ]


def recorded(name: str, student: Student) -> dict[str, dict[str, Any]]:
    homework = homeworks()[name]
    notebook = nbformat.reads(student.notebook, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(CELL))
    execution = execute(
        notebook,
        kit_source=kit_source(homework),
        challenges=challenges_json(homework, homework.draw(SETTINGS.seed)),
        attachments={**student.attachments, **data_files(homework)[0]},
        limits=LIMITS,
        kernels=kernels(PLACE)[0],
        keep=[representations.RECORDED],
    )
    errors = [
        output["evalue"]
        for cell in execution.notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    assert (errors, execution.events) == ([], ())
    return dict(json.loads(execution.files[representations.RECORDED]))


def refusals(name: str, student: Student) -> dict[str, list[str]]:
    """What speaks against the answers of a notebook → in which representations."""
    homework = homeworks()[name]
    drawn, claims = homework.draw(SETTINGS.seed), read_log(student.log, homework)
    problems: dict[str, list[str]] = defaultdict(list)
    order = list(homework.questions)  # a gallery's notebook is blank after its last answer
    answered = order[: 1 + max((order.index(one.question) for one in student.examples), default=len(order))]
    for way, answers in recorded(name, student).items():
        for title, lines in answers["refused"]:
            if way == representations.WIDE_MODULES and all(TWO_TYPES.search(text) for _, text in lines):
                continue
            problems[f"{title}: {' '.join(text for _, text in lines)}"].append(way)
        document = {"schema": kit.LOG_SCHEMA, "homework": name, "entries": answers["entries"]}
        run = read_log(json.dumps(document).encode(), homework)
        for question in map(homework.questions.__getitem__, answered):
            for check in judge_question(question, run, claims, drawn).checks:
                own_type = way == representations.WIDE_MODULES and TWO_TYPES.search(check.feedback)
                if check.state != "passed" and not own_type:
                    problems[f"{question.id}, {check.name}: {check.feedback} {check.fault[-300:]}"].append(
                        way
                    )
    return problems


# A right answer on which a later question builds that asks more of it: the later question, and what it says.
BUILT_UPON = {
    ("2.4", "exp times the mask, over the sum plus 1e-9"): ("2.8a", "as small as 1e-9"),
}


def asks_more(student: Student, told: str) -> bool:
    """Whether a later question refuses what was right before, and says so."""
    found = [BUILT_UPON.get((one.question, one.name)) for one in student.examples]
    return any(
        later and re.match(rf"(Check )?{later[0]}\b", told) is not None and later[1] in told
        for later in found
    )


@pytest.mark.sweep
@pytest.mark.parametrize("name", by_homework())
def test_a_right_answer_is_right_in_any_usual_representation(name: str):
    refused = [
        f"{student.name}, {told} ({', '.join(ways)})"
        for student in right_students(name)
        for told, ways in refusals(name, student).items()
        if not asks_more(student, told)
    ]
    assert not refused, "\n".join(refused)


@pytest.mark.parametrize("name", list(representations.CHANGES))
def test_a_representation_holds_the_same_numbers(name: str):
    array = np.array([[1.0, 2.0], [0.5, -4.0]])
    found = kit.decode(kit.encode(representations.represent(name, [array, 0.25, "word", True, None])))
    assert kit.same(array, found[0])
    assert kit.same(np.asarray(0.25), found[1])
    assert found[2:] == ["word", True, None]


@pytest.mark.parametrize(
    ("value", "right"),
    [
        (np.ones((1, 2)).view(np.matrix), [[1.0, 1.0]]),
        (np.ma.array([1.0, 2.0], mask=[False, True]), [1.0, np.nan]),
        (torch.ones(2, requires_grad=True), [1.0, 1.0]),
        (torch.eye(2).to_sparse(), [[1.0, 0.0], [0.0, 1.0]]),
        (np.array([1, 2], dtype=np.uint64), [1, 2]),
        (np.array([1.0, 2], dtype=np.longdouble), [1.0, 2.0]),
        (np.array([1, 0.5], dtype=object), [1.0, 0.5]),
    ],
)
def test_arrays_of_any_kind_are_recorded_as_their_numbers(value: Any, right: Any):
    assert np.array_equal(kit.decode(kit.encode(value)), right, equal_nan=True)


def test_text_of_numpy_is_recorded_as_text():
    assert kit.decode(kit.encode(np.array(["a", "b"]))) == ["a", "b"]
    assert kit.decode(kit.encode(np.str_("C"))) == "C"


def test_a_float32_answer_is_right_where_a_float64_one_would_have_to_be_closer():
    right = np.array([4.06708123456, 1e4])
    assert kit.compare(right, right.astype(np.float32), rtol=1e-12, atol=1e-12) is None
    assert "expected" in str(kit.compare(right, right * (1 + 1e-6), rtol=1e-12, atol=1e-12))
    assert "expected" in str(kit.compare(right, (right * (1 + 1e-4)).astype(np.float32), rtol=1e-12))


def test_numbers_in_words_differ_where_the_numbers_do():
    told = kit.compare(np.asarray(4.0670812), np.asarray(4.0670899), rtol=1e-9)
    assert told == "the result is 4.06709; expected 4.067081."
    assert "1 of 1" not in str(told)


class Doubled(torch.nn.Module):
    """A right answer whose author likes float64, and who calls super() the old way."""

    def __init__(self, size: int) -> None:
        super(Doubled, self).__init__()  # noqa: UP008
        self.linear = torch.nn.Linear(size, size)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


def test_a_module_of_float64_takes_the_inputs_of_a_case():
    weights = {"linear.weight": np.eye(2, dtype=np.float32), "linear.bias": np.ones(2, dtype=np.float32)}
    case = Case(
        [np.ones((1, 2), np.float32)], {"init": {"size": 2}, "weights": weights}, probe="module", torch=True
    )
    with representations.in_representation(representations.WIDE_MODULES, Doubled) as changed:
        found = module_probe(changed, case.as_json("Doubled/0"))
        assert found["fields"]["result"] == {"dtype": "float64", "shape": [1, 2], "data": [2.0, 2.0]}
    assert Doubled(2).linear.weight.dtype == torch.float32


@pytest.mark.parametrize("number", [float, np.float32, np.array, np.atleast_2d])
def test_a_history_may_hold_numbers_of_any_kind(number: Any):
    """As values come out of a notebook: those of NumPy and torch are arrays there."""
    kwargs = {"losses": [0.5, 0.25], "validation": [0.75, 0.5], "interrupt": None}
    rows = zip(kwargs["losses"], [1.0, 0.75], kwargs["validation"], strict=True)
    names = ("train_loss", "validation_loss", "validation_accuracy")
    history = [dict(zip(names, map(number, row), strict=True)) for row in rows]
    result = {"history": history, "trained_on": [0, 0]}
    assert history_problem(kwargs, result) is None
    history[1]["train_loss"] = number(0.3)
    assert "says train_loss = 0.3" in str(history_problem(kwargs, result))
    for wrong in ("0.25", [[0.25], [0.25, 0.25]], None, 1j, np.array([0.25, 0.25])):
        history[1]["train_loss"] = wrong
        assert "has no number `train_loss`" in str(history_problem(kwargs, result))


@pytest.mark.parametrize("name", list(homeworks()))
def test_no_challenge_asks_for_more_digits_than_float32_has(name: str):
    """Numbers of a list say no dtype any more, so the tolerance cannot widen for them."""
    strict = [
        f"{question.id}, {entry.name}: {entry.rtol:g}, {entry.atol:g}"
        for question in homeworks()[name].questions.values()
        for entry in question.entries
        if isinstance(entry, Challenge) and (entry.rtol < 1e-4 or entry.atol < 1e-6)
    ]
    assert strict == []
