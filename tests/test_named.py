"""Common mistakes have names: plain functions, judged as grading judges them, without a notebook."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

from autograder import kit
from autograder.declare import Case, Challenge, homeworks
from autograder.declare.judging import judge_cases


def softmax(scores: np.ndarray) -> np.ndarray:
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def one_query(weights: Callable[[np.ndarray], np.ndarray], after: float = 0.0) -> Callable[..., Any]:
    """1.1 with other weights, or with the scale behind the softmax."""

    def answer(query: np.ndarray, keys: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        given = weights(keys @ query) * len(query) ** after
        return given @ values, given

    return answer


def masked(X: np.ndarray, W_Q: np.ndarray, W_K: np.ndarray, W_V: np.ndarray, mask: Any = None) -> np.ndarray:
    """1.3 with the largest score taken before the mask."""
    scores = X @ W_Q @ (X @ W_K).T / W_K.shape[1] ** 0.5
    weights = np.exp(scores - scores.max(1, keepdims=True)) * (1.0 if mask is None else mask)
    with np.errstate(invalid="ignore"):
        return weights / weights.sum(1, keepdims=True) @ (X @ W_V)


def joined(Q: np.ndarray, K: np.ndarray, V: np.ndarray, heads: int, W_O: np.ndarray) -> np.ndarray:
    """1.9 without the transposition back."""
    q, k, v = (X.reshape(len(X), heads, -1).transpose(1, 0, 2) for X in (Q, K, V))
    weights = softmax(q @ k.transpose(0, 2, 1) / q.shape[-1] ** 0.5)
    return (weights @ v).reshape(len(Q), -1) @ W_O


def nudged(query: Any, keys: Any, values: Any, j: int, epsilon: Any) -> np.ndarray:
    """1.8 with the softmax's own derivative for one weight and the difference, too."""
    w = softmax(keys @ query / len(query) ** 0.5)
    return w[j] * (1 - w[j]) * (values[j] - w @ values) * (query @ epsilon) / len(query) ** 0.5


ONE = "scaled_dot_product_attention"
ANSWERS = [
    ("hw1", ONE, "values", one_query(softmax, -0.5), "You scaled after the softmax"),
    ("hw1", ONE, "values", one_query(lambda s: np.eye(len(s))[s.argmax()]), "That is hard attention"),
    ("hw1", ONE, "large", one_query(lambda s: softmax(np.clip(s, -9, 9))), "the scores make no difference"),
    ("hw1", "attention", "masked", masked, "taken over hidden keys, too"),
    (
        "hw1",
        "sampled_statistics",
        "values",
        lambda q, k: ((q * k).sum(1).var(), (q * k).sum(1).mean()),
        "swapped",
    ),
    ("hw1", "hard_attention", "values", lambda q, k, v: v[0], "You returned the first value"),
    (
        "hw1",
        "copy_outputs",
        "values",
        lambda a, b, c, d: np.tile((a + 2 * b + c + d) / 3, (3, 1)),
        "is the mean of the three",
    ),
    ("hw1", "first_order_change", "values", nudged, "is one too many"),
    ("hw1", "multi_head_attention", "values", joined, "joined on the wrong axis"),
    ("hw3", "token_scores", "values", lambda Q, K: Q @ K.T * K.shape[1] ** 0.5, "the model divides by it"),
    ("hw3", "other_basis", "values", lambda Q, K, M: (Q, K), "Q and K are unchanged"),
    ("hw3", "other_basis", "values", lambda Q, K, M: (K @ np.linalg.inv(M).T, Q @ M), "The two are swapped"),
    ("hw3", "other_basis", "values", lambda Q, K, M: (Q @ np.linalg.inv(M), K @ M.T), "asks for QM"),
]


@cache
def drawn(homework: str) -> dict[str, dict[str, Case]]:
    """The hidden cases of a homework, by challenge and number."""
    return homeworks()[homework].draw("the tests' seed")


def trials(
    homework: str, challenge: Challenge, answer: Callable[..., Any], probes: tuple[str, ...] = ("call",)
) -> list[kit.Trial]:
    """The runs of an answer on the hidden cases that have one of these probes."""
    return [
        kit.Trial(
            number,
            case.note,
            case.group,
            tuple(case.args),
            case.kwargs,
            "ok",
            {"result": kit.decode(kit.encode(answer(*case.args, **case.kwargs)))},
        )
        for number, case in drawn(homework)[challenge.name].items()
        if case.probe in probes
    ]


@pytest.mark.parametrize(("homework", "name", "group", "answer", "says"), ANSWERS)
def test_a_common_mistake_is_named(
    homework: str, name: str, group: str, answer: Callable[..., Any], says: str
):
    challenge = next(one for one in homeworks()[homework].challenges() if one.name == name)
    verdict = judge_cases(challenge, trials(homework, challenge, answer), group)
    assert verdict is not None
    assert says in verdict.feedback


def test_a_right_result_that_changes_its_inputs_has_no_formula_s_name_beside_it():
    challenge = next(one for one in homeworks()["hw1"].challenges() if one.name == ONE)
    assert challenge.expected is not None
    changing = [
        kit.Trial(
            *(one.id, one.note, one.group, one.args, one.kwargs, "ok"), {**one.result, "changed_inputs": True}
        )
        for one in trials("hw1", challenge, challenge.expected)
    ]
    for group in ("values", "large"):
        verdict = judge_cases(challenge, changing, group)
        assert verdict is not None
        assert verdict.feedback.endswith(kit.IN_PLACE)


def test_of_several_names_that_fit_a_group_the_one_counts_that_fits_the_other_groups():
    cases = [Case([0.0], group="large"), *(Case([float(number)]) for number in (1, 2))]
    challenge = Challenge(
        "double",
        cases=lambda rng: iter(cases),
        expected=lambda x: 2 * x + 1,
        mistakes={"You squared it.": lambda x: x * x, "You forgot the 1.": lambda x: 2 * x},
    )
    made = [
        kit.Trial(str(place), "", case.group, tuple(case.args), {}, "ok", {"result": 2 * case.args[0]})
        for place, case in enumerate(cases)
    ]
    verdict = judge_cases(challenge, made, "large")
    assert verdict is not None
    assert verdict.feedback.endswith("You forgot the 1.")
