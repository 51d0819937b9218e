"""What the second edition gives to notebooks: trained heads, one tokenizer, a frozen encoder."""

from __future__ import annotations

import numpy as np
import pytest

from autograder.homeworks.hw3 import public as hw3
from autograder.homeworks.hw5 import fetch
from autograder.homeworks.hw5 import public as hw5
from autograder.homeworks.hw5.public import encoder, sentences
from autograder.homeworks.hw5.q1_tokens import split_words
from tests.gallery import ROOT

torch = pytest.importorskip("torch")


def encode_words(tokens: list[str], index: dict[str, int]) -> list[int]:
    return [index.get(token, 1) for token in tokens]


def raising(*_: object) -> list[str]:
    raise NotImplementedError("5.1a")


# --- hw3 ----------------------------------------------------------------------------------------------------


def test_a_head_is_trained_alike_whatever_was_drawn_before():
    torch.manual_seed(1)
    one = hw3.train_head("3.2", steps=30)
    torch.manual_seed(2)
    other = hw3.train_head("3.2", steps=30)
    assert {name: value.shape for name, value in one.items()} == {
        "pos": (4, 4),
        "Q": (7, 8),
        "K": (7, 8),
        "V": (7, 3),
        "losses": (30,),
        "frames": (1, 4, 4),
    }
    assert all(np.array_equal(one[name], other[name]) for name in one)
    assert one["losses"][-10:].mean() < one["losses"][:10].mean()


@pytest.mark.parametrize("task", ["3.1", "3.2", "3.3"])
@pytest.mark.parametrize(
    "designed",
    [
        {},
        {"Q": None, "K": None, "V": None, "pos": None},
        {"Q": "text", "K": 3, "V": [[1.0], [2.0, 3.0]]},
        {"Q": np.ones((2, 2)), "K": np.ones((9, 1)), "V": np.zeros((0, 3)), "pos": np.ones((1, 1))},
    ],
)
def test_the_comparison_is_drawn_whatever_the_design_is(
    task: str, designed: dict[str, object], capsys: pytest.CaptureFixture[str]
):
    hw3.compare_heads(task, hw3.train_head(task, steps=2), designed)
    assert f"The designed head of {task} is not drawn" in capsys.readouterr().out


# --- hw5 ----------------------------------------------------------------------------------------------------


def test_the_students_tokenizer_is_used_once_it_agrees(capsys: pytest.CaptureFixture[str]):
    vectors = fetch.movie_vectors()
    encode = hw5.text_encoder(split_words, encode_words, vectors)
    assert "Your tokenizer" in capsys.readouterr().out
    assert encode is not vectors.encode
    texts = fetch.movie_splits()["train"].texts
    assert [encode(text) for text in texts] == [vectors.encode(text) for text in texts]
    assert encode("") == [sentences.UNKNOWN]


@pytest.mark.parametrize("tokenize", [raising, str.split, lambda text: None, lambda text: [text]])
def test_a_given_tokenizer_stands_in_for_one_that_does_not(tokenize, capsys: pytest.CaptureFixture[str]):
    vectors = fetch.movie_vectors()
    encode = hw5.text_encoder(tokenize, encode_words, vectors)
    assert "A ready-made tokenizer is used" in capsys.readouterr().out
    assert encode("It isn't bad!") == vectors.encode("It isn't bad!")


def test_the_pretrained_encoder_is_small_and_blind_to_padding():
    path = ROOT / "notebooks" / "data" / encoder.ENCODER
    assert path.stat().st_size < 2_000_000
    frozen = hw5.load_encoder(fetch.movie_vectors())
    own = sum(value.numel() for name, value in frozen.named_parameters() if name != "words.weight")
    assert own == 420_608
    assert not frozen.training
    ids = torch.tensor([[5, 9, 400, 0, 0]])
    padded = frozen(input_ids=ids, attention_mask=(ids > 0).long()).last_hidden_state
    alone = frozen(input_ids=ids[:, :3]).last_hidden_state
    assert padded.shape == (1, 5, frozen.config.hidden_size)
    assert torch.allclose(padded[:, :3], alone, atol=1e-5)
    long = torch.full((1, 300), 7)
    assert frozen(input_ids=long).last_hidden_state.isfinite().all()


def test_the_pretrained_encoder_knows_what_words_have_in_common():
    vectors = fetch.movie_vectors()
    pretrained, random = hw5.load_encoder(vectors), hw5.make_word_encoder(vectors.table).eval()

    def closeness(model, one: str, other: str) -> float:
        means = [
            model(input_ids=torch.tensor([vectors.encode(text)])).last_hidden_state.mean(1).detach()
            for text in (one, other)
        ]
        return float(torch.nn.functional.cosine_similarity(*means))

    film, like, unlike = "a warm and funny film", "a touching comedy", "the army crossed the river"
    gained = closeness(pretrained, film, like) - closeness(pretrained, film, unlike)
    assert gained > 0.2
    assert gained > closeness(random, film, like) - closeness(random, film, unlike)
