"""hw2's oracles agree, its named mistakes differ from the right answer, and library calls are noticed."""

from __future__ import annotations

import pytest

from autograder import kit
from autograder.author.build import build_notebook
from autograder.declare import Challenge, Oracle, homeworks
from autograder.grade.annotate import note_library_calls
from autograder.grade.report import CheckResult, QuestionResult
from autograder.homeworks.hw2.oracles import numpy_heads
from autograder.names import source_path
from tests.gallery import ROOT

HW2 = homeworks()["hw2"]
CASES = HW2.draw("the tests' seed")
CHALLENGES = {challenge.name: challenge for challenge in HW2.challenges()}


def numpy_models() -> dict[str, Oracle]:
    """The models behind the named mistakes, by challenge."""
    # not at the top: a question registers when its module is imported, and homeworks() does that in order
    from autograder.homeworks.hw2.q5a_layer_norm import numpy_norm
    from autograder.homeworks.hw2.q5b_encoder_block import numpy_block

    return {"MultiHeadAttention": numpy_heads, "LayerNorm": numpy_norm, "EncoderBlock": numpy_block}


@pytest.mark.parametrize("name", numpy_models())
def test_the_numpy_model_behind_the_named_mistakes_agrees_with_torch(name: str):
    torch_model, numpy_model = CHALLENGES[name].expected, numpy_models()[name]
    assert torch_model is not None
    for case in CASES[name].values():
        assert kit.same(
            torch_model(*case.args, **case.kwargs),
            numpy_model(*case.args, **case.kwargs),
            rtol=1e-9,
            atol=1e-9,
        ), case.note


@pytest.mark.parametrize(
    "challenge", [one for one in CHALLENGES.values() if one.mistakes], ids=lambda one: one.name
)
def test_each_named_mistake_differs_from_the_right_answer_on_some_hidden_case(challenge: Challenge):
    assert challenge.expected is not None
    for says, mistaken in challenge.mistakes.items():
        cases = CASES[challenge.name].values()
        differs = [
            not kit.same(
                challenge.expected(*c.args, **c.kwargs), mistaken(*c.args, **c.kwargs), rtol=1e-3, atol=1e-4
            )
            for c in cases
        ]
        assert any(differs), says


SDPA = """
maps = (self.q_proj, self.k_proj, self.v_proj)
q, k, v = (p(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for p in maps)
mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2).flatten(2)
return self.out_proj(mixed), None
"""
OWN_NORM = "return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)"


@pytest.mark.parametrize(
    ("answers", "flagged"),
    [
        ({}, set()),
        ({"2.4 forward": SDPA}, {"2.4"}),
        ({"2.5a forward": OWN_NORM}, {"2.5a"}),
        ({"2.4 forward": SDPA, "2.5a forward": OWN_NORM}, {"2.4", "2.5a"}),
    ],
    ids=["the reference", "attention by torch", "layer norm by torch", "both"],
)
def test_library_calls_are_noticed_in_the_question_that_they_answer(
    answers: dict[str, str], flagged: set[str]
):
    notebook = build_notebook(HW2, source_path(ROOT, HW2.stem), answers=answers, blank=False)
    results = tuple(
        QuestionResult(name, "", (CheckResult("c", "passed", 1.0, 1.0),)) for name in HW2.questions
    )
    noted, _ = note_library_calls(results, HW2, notebook)
    assert {result.id for result in noted if result.notes} == flagged
    zeroed, _ = note_library_calls(results, HW2, notebook, zero=True)
    assert {result.id for result in zeroed if not result.points} == flagged
