"""hw2 and hw3 judge as a fair person would: mistakes told apart, state left behind, letters, claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autograder import kit
from autograder.declare import Case, Challenge, homeworks
from autograder.homeworks.hw3 import public as public3
from autograder.kit.probes import run_cases

HW2, HW3 = (homeworks()[name] for name in ("hw2", "hw3"))
CHALLENGES = [
    pytest.param(homework.id, challenge, id=challenge.name)
    for homework in (HW2, HW3)
    for challenge in homework.challenges()
    if challenge.mistakes
]
# Where nothing can be seen or a softmax is all but hard, some mistakes give the same by their nature; of the
# gradients' cases no values are compared.
ALIKE_BY_NATURE = {"blind", "large", "gradients"}


def first_cases(homework: str, challenge: Challenge) -> list[Case]:
    """The first hidden case of each group, and the first public one."""
    drawn = homeworks()[homework].draw("the tests' seed")[challenge.name].values()
    by_group: dict[str, Case] = {}
    for case in drawn:
        by_group.setdefault(case.group, case)
    shown = challenge.shown(np.random.default_rng(1))[0]
    return [shown, *(case for group, case in by_group.items() if group not in ALIKE_BY_NATURE)]


@pytest.mark.parametrize(("homework", "challenge"), CHALLENGES)
def test_no_two_mistakes_look_alike_on_a_first_case(homework: str, challenge: Challenge):
    assert challenge.expected is not None
    tolerance = {"rtol": challenge.rtol, "atol": challenge.atol}
    for case in first_cases(homework, challenge):
        right = challenge.expected(*case.args, **case.kwargs)
        seen: dict[str, Any] = {}
        for says, mistaken in challenge.mistakes.items():
            result = mistaken(*case.args, **case.kwargs)
            if kit.same(right, result, **tolerance):
                continue
            alike = [other for other, known in seen.items() if kit.same(known, result, **tolerance)]
            assert not alike, f"{case.note}: {says} / {alike}"
            seen[says] = result
    assert challenge.mistakes


def run_step(train_step: Any) -> dict[str, Any]:
    (challenge,) = (one for one in HW2.challenges() if one.name == "train_step")
    case = challenge.shown(np.random.default_rng(0))[0].as_json("train_step/0")
    entry: dict[str, Any] = {}
    run_cases(train_step, entry, [case])
    return entry["responses"]["train_step/0"]


def step(model: Any, optimizer: Any, tokens: Any) -> float:
    import torch

    loss = torch.nn.functional.cross_entropy(model(tokens)[0].flatten(0, 1), tokens.flip(1).flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


def test_what_a_cell_left_switched_off_changes_no_verdict_and_is_put_back():
    import torch

    usual = run_step(step)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    try:
        left_off = run_step(step)
        assert not torch.is_grad_enabled()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)
    assert usual["status"] == "ok"
    assert left_off == usual


def test_an_answer_that_switches_gradients_off_does_not_reach_the_next_one():
    import torch

    def spoiled(model: Any, optimizer: Any, tokens: Any) -> float:
        loss = step(model, optimizer, tokens)
        torch.set_grad_enabled(False)
        return loss

    assert run_step(spoiled)["status"] == "error"
    assert torch.is_grad_enabled()
    assert run_step(step)["status"] == "ok"


LETTERS = {"job_self_attention": "A", "job_heads": "D", "job_feed_forward": "b.", "job_layer_norm": "C"}


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({}, ""),
        ({"job_self_attention": "B", "job_feed_forward": "A"}, ""),
        ({"job_heads": "A"}, "A is used for more than one part"),
        ({"job_heads": "heads"}, "`job_heads` should be one of the letters A, B, C, D, E"),
        ({"path_length": "E"}, "`path_length` should be one of the letters A, B, C, D"),
    ],
    ids=["right", "wrong letters", "one letter twice", "a word", "no such letter"],
)
def test_the_check_of_2_7_sees_the_form_and_not_the_answer(
    changed: dict[str, str], refused: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    answers = {**LETTERS, "path_length": "A", "training_parallel": "C", **changed}
    kit.Log(HW2.describe(), tmp_path, answers).check("2.7")
    told = [line for line in capsys.readouterr().out.split("\n") if "✗" in line]
    assert len(told) == bool(refused)
    assert refused in "".join(told)


@pytest.mark.parametrize(("columns", "problems"), [(0, 0), (2, 0)])
def test_a_table_of_places_may_have_no_columns_where_the_design_says_so(columns: int, problems: int):
    shapes = {"pos": (5, "p?"), "Q": ("4+p", "qk")}
    arrays = {"pos": np.zeros((5, columns)), "Q": np.zeros((4 + columns, 3))}
    assert len(kit.check_shapes(shapes, arrays)) == problems
    assert kit.check_shapes({"pos": (5, "p")}, {"pos": np.zeros((5, 0))})
    assert kit.check_shapes({"Q": (5, "qk"), **shapes}, {"Q": np.zeros((5, 0)), "pos": arrays["pos"]})


def test_the_visible_check_of_3_7_refuses_weights_that_were_not_trained():
    rng = np.random.default_rng(0)
    sizes = {
        "content": {"Q": (3, 8), "K": (3, 8), "V": (3, 3)},
        "position": {"pos": (4, 4), "Q": (7, 8), "K": (7, 8), "V": (7, 3)},
        "both": {"pos": (5, 4), "Q": (8, 8), "K": (8, 8), "V": (8, 1)},
    }
    answers = {
        f"torch_transformer_{model}_{name}": 0.25 * rng.normal(size=shape)
        for model, shapes in sizes.items()
        for name, shape in shapes.items()
    }
    lines = list(kit.VISIBLE_CHECKS["3.7"](answers))
    assert [fine for fine, _ in lines] == [False, False, False]
    assert public3.TRAINED_SIGNS == 0.9
