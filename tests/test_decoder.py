"""hw2's small decoder: its file, its oracles, how draws and work are judged; and predictions."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder.declare import Homework, Prediction, homeworks, packaged
from autograder.homeworks.hw2 import public
from autograder.homeworks.hw2.decoder import (
    nats,
    own_names,
    stored_weights,
    toy_logits,
)
from autograder.homeworks.hw2.public.decoder import DECODER_SIZES, WEIGHTS_FILE, stored_decoder
from autograder.homeworks.hw2.public.writing import DRAWS, drawn_far, toy_decoder
from autograder.homeworks.hw2.q8a_weights import SLIPS, prompts, renamed_logits, trained_logits, weights
from autograder.kit.recorder import Log
from tests.gallery import ROOT

SIZES = {"letters": 7, "d_model": 8, "n_heads": 2, "depth": 2, "context": 9}


def test_the_weights_are_small_and_fit_the_model():
    assert len(packaged(WEIGHTS_FILE)) < 2_000_000
    weights = own_names(stored_weights())
    assert sum(array.size for array in weights.values()) < 1_000_000
    wanted = public.decoder_of(public.ready_made_parts(), DECODER_SIZES).state_dict()
    assert {name: array.shape for name, array in weights.items()} == {
        name: tuple(tensor.shape) for name, tensor in wanted.items()
    }


def test_three_independent_computations_of_the_trained_model_agree():
    stored = {name: torch.from_numpy(array) for name, array in stored_weights().items()}
    model = public.decoder_of(public.ready_made_parts(), DECODER_SIZES)
    model.load_state_dict({n: torch.from_numpy(np.array(a)) for n, a in own_names(stored_weights()).items()})
    for text in [*prompts(np.random.default_rng(0), 2), public.HELD_OUT_TEXT]:
        tokens = np.array(public.to_tokens(text))
        expected = trained_logits(tokens)
        for one in (stored_decoder(stored), model):
            found = one(torch.from_numpy(tokens)[None])[0].detach().numpy()
            np.testing.assert_allclose(found, expected, atol=2e-3)


def test_the_visible_example_of_stored_weights_tells_all_named_slips_apart():
    """Layer norm over two features keeps only their order; there, most slips gave the right logits."""
    (example,) = weights.entry("renamed").examples(np.random.default_rng(0))
    stored, tokens = example.args
    found = [
        renamed_logits(stored, tokens, **example.kwargs, variant=variant) for variant in ("", *SLIPS.values())
    ]
    for one, other in combinations(found, 2):
        assert np.abs(one - other).max() > 1e-2


def test_the_trained_model_guesses_the_held_out_lines_far_better_than_chance():
    tokens = np.array(public.to_tokens(public.HELD_OUT_TEXT))
    assert "".join(public.LETTERS[token] for token in tokens) == public.HELD_OUT_TEXT
    assert len(tokens) <= DECODER_SIZES["context"]
    assert 0.8 < float(nats(trained_logits(tokens), tokens)) < 2.2
    history = json.loads(Path(ROOT, "solutions", "hw2_decoder.history.json").read_text())
    assert history[-1]["held_out"] < history[0]["held_out"] / 2


def test_the_small_decoders_of_probes_and_oracles_are_the_same():
    tokens = np.array([3, 1, 4, 1, 5, 2])
    found = toy_decoder(SIZES, 7)(torch.from_numpy(tokens)[None])[0].detach().numpy()
    np.testing.assert_allclose(found, toy_logits(tokens, SIZES, 7), atol=1e-4)


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_right_draws_pass_and_draws_with_another_temperature_do_not_under_every_seed(temperature: float):
    logits = np.array([2.4, 1.8, 1.2, 0.6, 0.0, -0.6, -1.2, -1.8])
    wanted = public.probabilities(logits, temperature)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        assert not drawn_far(rng.multinomial(DRAWS, wanted), wanted)
        assert drawn_far(rng.multinomial(DRAWS, public.probabilities(logits, 2 * temperature)), wanted)
        assert drawn_far(rng.multinomial(DRAWS, np.full(8, 1 / 8)), wanted)


def guessing(tmp_path: Path, **names: object) -> Log:
    homework = Homework("hw0", title="One", stem="hw0_one")
    guess = Prediction("guess", {"A": "up", "B": "down"})
    from autograder.declare import Array

    question = homework.question(
        "0.1", "Sum", minutes=1, difficulty="easy", entries=[guess, Array("total")], asks={"sum": "the sum"}
    )
    check = question.check("the sum", points=1)(lambda total: None)
    assert check is not None
    assert question.checks[0].needs == ("total",)
    return Log(homework.describe(), tmp_path, dict(names))


@pytest.mark.parametrize("guess", [None, "A", "no letter", 3])
def test_a_prediction_is_recorded_and_neither_judged_nor_missing(
    tmp_path: Path, guess: object, capsys: pytest.CaptureFixture[str]
):
    log = guessing(tmp_path, guess=guess, total=3)
    log.check("0.1")
    log.record("0.1")
    assert log.state("0.1") == "recorded"
    assert log.entries["guess"].get("value") == guess
    assert "Not answered yet" not in capsys.readouterr().out
    blank = guessing(tmp_path / "other", guess=guess, total=None)
    assert blank.state("0.1") == "not recorded"


def test_every_prediction_has_a_name_of_its_own_and_no_check():
    for homework in homeworks().values():
        for question in homework.questions.values():
            guesses = {entry.name for entry in question.entries if isinstance(entry, Prediction)}
            assert not any(guesses & set(check.needs) for check in question.checks)
