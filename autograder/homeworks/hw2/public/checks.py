"""hw2: what check cells say beyond public examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.homeworks.hw2.public.decoder import LETTERS
from autograder.homeworks.hw2.public.properties import (
    dropout_problem,
    gradient_problem,
    initial_problem,
    masked_problem,
    operations_problem,
)
from autograder.homeworks.hw2.public.reversing import PROBE_SEQUENCES, reverse_accuracy
from autograder.homeworks.hw2.public.writing import cache_problem, sampling_problem
from autograder.kit import Trial, after_grading, letter_of, visible_check

Problem = Callable[[str, Sequence[Trial]], str | None]


def _gradients(question: str, name: str, harmless: Sequence[str], beside: Mapping[str, Problem]) -> None:
    @visible_check(question)
    def gradients_and_more(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
        trials = answers.get(name, [])
        problem = gradient_problem(name, trials, harmless)
        lines: list[tuple[bool | None, str]] = [
            (problem is None, problem or "Every parameter gets a gradient.")
        ]
        for fine, find in beside.items():
            problem = find(name, trials)
            lines.append((problem is None, problem or fine))
        return lines


# one number added to all scores of a query changes no softmax
HARMLESS = {"MultiHeadAttention": ("k_proj.bias",)}
BESIDE: dict[str, dict[str, Problem]] = {
    "MultiHeadAttention": {
        "Masked weights are exactly 0.": masked_problem,
        "Training mode gives the same result: no dropout.": dropout_problem,
    },
    "LayerNorm": {"Initially, `weight` is all ones and `bias` all zeros.": initial_problem},
    "EncoderBlock": {"Training mode gives the same result: no dropout.": dropout_problem},
}
for _question, _name in (
    ("2.1", "PytorchTransformer"),
    ("2.3", "DocumentClassifier"),
    ("2.4", "MultiHeadAttention"),
    ("2.5a", "LayerNorm"),
    ("2.5b", "EncoderBlock"),
):
    _gradients(_question, _name, HARMLESS.get(_name, ()), BESIDE.get(_name, {}))


@visible_check("2.2")
def operations_do_not_grow(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    trials = answers.get("VectorisedTransformer", [])
    if not trials or any(trial.status != "ok" for trial in trials):
        return []
    if not all(trial.result["mixes"] for trial in trials):
        told = "No output of `VectorisedTransformer` changes with another token, so it does not attend."
        return [(False, f"{told} Operations are counted for a working head only.")]
    problem, told = operations_problem("VectorisedTransformer", trials)
    return [(problem is None, problem or f"Operations do not grow with the length ({told}).")]


@visible_check("2.6")
def weights_reverse(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    names = ("E", "pos", "Q", "K", "V", "U")
    if not all(isinstance(answers.get(f"reverse_{name}"), np.ndarray) for name in names):
        return [(None, "The trained weights are not there yet: run the training cell.")]
    share = reverse_accuracy({name: answers[f"reverse_{name}"] for name in names}, PROBE_SEQUENCES)
    message = (
        f"The recorded weights reverse 200 sequences with {share:.1%} of the places correct (required: 99%)."
    )
    lines: list[tuple[bool | None, str]] = [(share >= 0.99, message)]
    if "trained_antidiagonal" in answers:
        lines.append(after_grading("trained_antidiagonal"))
    return lines


@visible_check("2.8b")
def surprise_is_possible(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    found = answers.get("held_out_nats")
    if not isinstance(found, np.ndarray) or found.size != 1:
        return []
    guessing = np.log(len(LETTERS))
    if 0.5 < float(found) < guessing:
        told = f"`held_out_nats` = {float(found):.3f}; guessing blindly gives ln {len(LETTERS)} ="
        return [(True, f"{told} {guessing:.3f}.")]
    told = f"`held_out_nats` = {float(found):.4g} is not plausible for a trained model: a good number of"
    return [
        (False, f"{told} nats a character is well below ln {len(LETTERS)} = {guessing:.3f}, and above 0.5.")
    ]


@visible_check("2.8c")
def letters_are_drawn(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    if not (trials := answers.get("sample_next", [])):
        return []
    problem = sampling_problem(trials)
    return [(problem is None, problem or "`sample_next` draws from the right distribution.")]


@visible_check("2.8d")
def steps_stay_cheap(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    if not (trials := answers.get("next_logits", [])):
        return []
    problem = cache_problem(trials)
    return [(problem is None, problem or "A late step costs only a little more than an early one.")]


JOBS = ("job_self_attention", "job_heads", "job_feed_forward", "job_layer_norm")


@visible_check("2.7")
def letters_fit(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    letters = [letter_of(answers[name]) for name in JOBS if name in answers]
    if twice := sorted({letter for letter in letters if letters.count(letter) > 1}):
        told = f"{', '.join(twice)} is used for more than one part; use each letter at most once."
        return [(False, told)]
    return []
