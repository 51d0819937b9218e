"""Hidden inputs show what they are there for under every seed, and a mistake keeps its name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autograder import kit
from autograder.declare import homeworks
from autograder.declare.cases import generator
from autograder.homeworks.hw1.public import LAYERS
from autograder.homeworks.hw1.q11_order_and_positions import shuffles
from autograder.homeworks.hw2 import public as hw2_public
from autograder.homeworks.hw2.public.writing import DRAWS, wrong_draws
from autograder.homeworks.hw2.q1_numpy_to_pytorch import large_scores, transformer
from autograder.homeworks.hw2.q5b_encoder_block import block_cases, numpy_block
from autograder.homeworks.hw2.q8c_writing import draw_cases
from autograder.homeworks.hw4.cases import attention_inputs, trainings
from autograder.homeworks.hw4.q4_encoder import attention_output
from autograder.homeworks.hw6.public import EXPONENTIALS
from autograder.homeworks.hw6.q6_frequencies import estimate_cases, frequency_cases, the_estimate_converges
from autograder.homeworks.hw6.q7_denoiser import denoiser_inputs, gradient_oracle, minimiser

SEEDS = range(40)


def changed(before: np.ndarray, after: np.ndarray) -> float:
    return float(np.abs(np.asarray(after) - np.asarray(before)).max())


@pytest.mark.parametrize("variant", ["", "other norm", "relu last"])
def test_the_network_of_an_encoder_block_is_never_silent(variant: str):
    weights = "linear2.bias" if variant == "relu last" else "linear2.weight"
    silent = []
    for seed in range(200 if variant else 450):  # a right answer's gradients were 0 first under seed 421
        for case in block_cases(np.random.default_rng(seed)):
            if case.group in ("gradients", "padding"):
                changes = case.kwargs["weights"][weights].copy()
                changes[0] += 0.1  # of one feature: a layer norm takes away what is added to all
                moved = case.kwargs["weights"] | {weights: changes}
                both = [
                    numpy_block(*case.args, **(case.kwargs | {"weights": one}), variant=variant)
                    for one in (case.kwargs["weights"], moved)
                ]
                if changed(*both) < 1e-6:
                    silent.append((seed, case.note))
    assert silent == []


def test_a_wrong_scale_does_not_show_where_overflow_is_judged():
    for seed in SEEDS:
        case = large_scores(np.random.default_rng(seed), 5, (3, 4, 2))
        right, small = (
            transformer(*case.args, **case.kwargs, variant=variant) for variant in ("", "divided by qk")
        )
        assert changed(right, small) < 1e-6


def test_draws_of_a_wrong_distribution_keep_their_name():
    given = [(np.asarray(case.args[0], float), case.kwargs) for case in draw_cases(np.random.default_rng(0))]
    for place in range(len(wrong_draws(*options(*given[-1])))):
        for seed in range(20):
            rng = np.random.default_rng([place, seed])
            trials = [
                SimpleNamespace(
                    status="ok",
                    args=(logits,),
                    kwargs=kwargs,
                    note="eight letters",
                    group="top_k" if "top_k" in kwargs else "values",
                    changed_inputs=False,
                    output=rng.multinomial(DRAWS, wrong_draws(*options(logits, kwargs))[place][1]),
                )
                for logits, kwargs in given
            ]
            for group in ("values", "top_k"):
                chosen = [one for one in trials if one.group == group]
                told = hw2_public.sampling_problem(chosen, trials)
                says = {wrong_draws(*options(one.args[0], one.kwargs))[place][0] for one in chosen}
                assert told is None or any(words in told for words in says), (says, seed)


def options(logits: np.ndarray, kwargs: dict) -> tuple[np.ndarray, float, int | None]:
    return logits, kwargs["temperature"], kwargs.get("top_k")


@pytest.mark.parametrize("mistake", ["", "reshaped", "interleaved"])
def test_float32_has_no_near_ties_to_decide(mistake: str):
    for seed in range(100):
        *_, case = attention_inputs(np.random.default_rng(seed))
        (x,) = case.args
        both = [attention_output(one, **case.kwargs, mistake=mistake) for one in (x, x * (1 + 1e-6))]
        assert changed(*both) < 3e-5


def test_the_best_epoch_is_never_the_last_before_an_interrupt():
    for seed in SEEDS:
        for case in trainings(np.random.default_rng(seed)):
            curves = case.kwargs
            if curves["interrupt"] in (0, len(curves["validation"])):
                reached = (curves["interrupt"] or len(curves["validation"]) + 1) - 1
                bests = [curves["validation"].argmax(), curves["test"].argmax(), curves["losses"].argmin()]
                assert len(set(bests)) == 3
                assert reached - 1 not in bests


def test_a_forgotten_absolute_value_shows_on_the_first_input_of_a_layer():
    for seed in range(10):
        cases = list(shuffles(np.random.default_rng(seed)))
        for first, second in zip(cases[::2], cases[1::2], strict=True):
            shown = []
            for case in (first, second):
                name, X, order = case.args
                difference = LAYERS[name](X[order]) - LAYERS[name](X)[order]
                shown.append(np.abs(difference).max() - difference.max() > 1e-9)
            assert shown[0] or not shown[1], (seed, first.note)


def test_positive_features_are_named_whatever_their_errors_are():
    told = set()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        drawn = [trial(case, frequencies(*case.args)) for case in frequency_cases(rng)]
        estimates = [trial(case, positive_estimate(*case.args)) for case in estimate_cases(rng)]
        wrong = the_estimate_converges({"draw_frequencies": drawn, "estimate_similarity": estimates})
        told.add(EXPONENTIALS in wrong.feedback)
    assert told == {True}


def trial(case, output: np.ndarray) -> SimpleNamespace:
    return SimpleNamespace(
        status="ok", args=case.args, note=case.note, output=output, result={"fresh": True, "repeats": True}
    )


def frequencies(seed: int, count: int, D: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=D**-0.25, size=(count, D))


def positive_estimate(Q: np.ndarray, K: np.ndarray, count: int, seed: int) -> np.ndarray:
    D = Q.shape[1]
    W = frequencies(seed, count, D)
    left, right = (np.exp(X @ W.T - (X**2).sum(1, keepdims=True) / 2 / D**0.5) for X in (Q, K))
    return left @ right.T / count


def test_a_denoiser_in_float32_stays_far_within_the_limits_of_its_checks():
    """The worst way: XXᵀ formed in float32, whose condition is that of X squared."""
    for seed in range(300):
        for case in denoiser_inputs(np.random.default_rng(seed)):
            X, lam = case.args
            square = (X @ X.T).astype(np.float32)
            found = np.linalg.solve(square + np.float32(lam) * np.eye(len(X), dtype=np.float32), square)
            assert found.dtype == np.float32
            wide = found.astype(float)
            assert changed(minimiser(X, lam), wide) < 1e-4 / 5, (seed, case.note)
            slope = np.abs(gradient_oracle(wide, X, lam)).max() / max(np.square(X).sum(), lam)
            assert slope < 1e-4 / 5, (seed, case.note)


WITH_TIES = ("keep_best", "binary_accuracy")  # equal losses, and logits beside the labels, are their point
NOISE = 2e-7  # of inputs, relative: a few units in the last place of float32


def noisy(value: Any, rng: np.random.Generator) -> Any:
    """A value whose numbers moved up or down a little; whole ones and eighths stay, as they may be ties."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and (value * 8 % 1).any():
        return value * (1 + NOISE * rng.choice([-1.0, 1.0], size=value.shape))
    if isinstance(value, dict):
        return {key: noisy(part, rng) for key, part in value.items()}
    return [noisy(part, rng) for part in value] if isinstance(value, list) else value


def in_float32(value: Any) -> Any:
    if isinstance(value, list):
        return [in_float32(part) for part in value]
    return value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


@pytest.mark.parametrize("name", sorted(homeworks()))
def test_no_right_answer_depends_on_the_last_bits_of_float32(name: str):
    """An input on which it does would refuse right answers by luck, as near ties of large scores do."""
    judged, off = 0, []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        for challenge in homeworks()[name].challenges():
            for case in challenge.drawn(generator(f"seed {seed}", name, challenge.name)):
                formula, without_weights = challenge.expected, case.kwargs.get("weights", 0) is None
                if formula is None or not case.torch or without_weights or challenge.name in WITH_TIES:
                    continue
                right = kit.decode(kit.encode(formula(*case.args, **case.kwargs)))
                moved = formula(*noisy(list(case.args), rng), **noisy(case.kwargs, rng))
                found = in_float32(kit.decode(kit.encode(moved)))
                judged += 1
                if not kit.same(right, found, rtol=challenge.rtol, atol=challenge.atol):
                    off.append((seed, challenge.name, case.note))
    assert off == []
    assert judged or name in ("hw1", "hw3")
