"""hw4 to hw6: verdicts as a fair person would give them, kind by kind."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from autograder import kit
from autograder.declare import Case, Checkpoint, Choice, Wrong, homeworks
from autograder.homeworks.hw4 import public
from autograder.homeworks.hw4.cases import (
    evaluation_inputs,
    images_to_cut,
    model_inputs,
    trainings,
    trainings_shown,
)
from autograder.homeworks.hw4.hidden import hidden_images, hidden_labels, image_batches
from autograder.homeworks.hw4.q7_training import accuracy_on_hidden_images, same_without_weights
from autograder.homeworks.hw6.q2_linear_attention import long_inputs
from autograder.kit.shared.checkpoints import checkpoint_probe

ROOT = Path(__file__).resolve().parents[1]


class Reference(nn.Module):
    """The Vision Transformer of solutions/, with torch's own blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embedding = nn.Linear(16, 64)
        self.class_token, self.positions = (nn.Parameter(torch.zeros(1, n, 64)) for n in (1, 50))
        self.blocks = nn.ModuleList(public.ready_block(64, 4, 128) for _ in range(6))
        self.norm, self.head = nn.LayerNorm(64), nn.Linear(64, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.patch_embedding(nn.functional.unfold(images, 4, stride=4).mT)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], dim=1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, 0]))


def reference() -> Reference:
    weights = torch.load(ROOT / "solutions" / "hw4_vision_transformer.pt", weights_only=True)
    fitted = {}
    for name, value in weights.items():
        if ".key." in name or ".value." in name:
            continue
        if ".query." in name:
            value = torch.cat([weights[name.replace("query", part)] for part in ("query", "key", "value")])
            name = name.replace("attention.query.", "self_attn.in_proj_")
        for old, new in {
            "attention.out": "self_attn.out_proj",
            "mlp.0": "linear1",
            "mlp.2": "linear2",
        }.items():
            name = name.replace(old, new)
        fitted[name] = value.float()
    model = Reference()
    model.load_state_dict(fitted)
    return model.eval()


def test_hidden_images_differ_with_the_seed_and_the_reference_stays_within_one_point():
    model, accuracies, images = reference(), [], []
    for seed in range(20):
        batches = [case.args[0] for case in image_batches(np.random.default_rng(seed))]
        images.append(np.concatenate(batches))
        with torch.no_grad():
            guesses = model(torch.from_numpy(images[-1])).argmax(-1).numpy()
        labels = hidden_labels(images[-1])
        assert np.bincount(labels).tolist() == [40] * 10
        accuracies.append(float((guesses == labels).mean()))
    assert max(abs(accuracy - 0.805) for accuracy in accuracies) <= 0.01 + 1e-9, accuracies
    known = {image.tobytes() for image in hidden_images()[0]}
    raw = {np.round(255 * image).astype(np.uint8).tobytes() for image in images[0]}
    again = {np.round(255 * image).astype(np.uint8).tobytes() for image in images[1]}
    # full contrast leaves a few as they were
    assert max(len(raw & known), len(raw & again)) < 20


class Plain(nn.Module):
    """A convolutional network with a small Vision Transformer that adds next to nothing."""

    def __init__(self, share: float = 0.0) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8 * 196, 10)
        )
        self.share, self.attending = share, Reference() if share else None

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = self.convolutions(images)
        return logits + self.share * self.attending(images) if self.attending else logits


class Averaged(nn.Module):
    """Another Vision Transformer: torch's encoder, 7×7 patches by a convolution, the mean of all tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = nn.Conv2d(1, 32, 7, 7)
        self.places = nn.Parameter(torch.randn(1, 16, 32))
        self.encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, batch_first=True), 2)
        self.head = nn.Linear(32, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(self.cut(images).flatten(2).mT + self.places).mean(1))


def with_exponentials(scores: torch.Tensor) -> torch.Tensor:
    weights = (scores - scores.amax(-1, keepdim=True)).exp()
    return weights / weights.sum(-1, keepdim=True)


def with_powers(scores: torch.Tensor) -> torch.Tensor:
    weights = math.e ** (scores - scores.amax(-1, keepdim=True))
    return weights / weights.sum(-1, keepdim=True)


def with_heads_last(scores: torch.Tensor) -> torch.Tensor:
    return torch.stack([scores, scores], dim=-1).softmax(2)[..., 0]


def with_images_last(scores: torch.Tensor) -> torch.Tensor:
    return scores.permute(1, 2, 0).softmax(1).permute(2, 0, 1)


def image_by_image(scores: torch.Tensor) -> torch.Tensor:
    return torch.stack([one.softmax(-1) for one in scores])


def query_by_query(scores: torch.Tensor) -> torch.Tensor:
    return torch.stack([scores[:, place].softmax(-1) for place in range(scores.shape[1])], dim=1)


class ByHand(nn.Module):
    """One head of attention with its weights written out."""

    def __init__(self, weigh: Callable[[torch.Tensor], torch.Tensor] = with_exponentials) -> None:
        super().__init__()
        self.weigh = weigh
        self.cut, self.qkv = nn.Linear(16, 24), nn.Linear(24, 72)
        self.places = nn.Parameter(torch.randn(49, 24))
        self.head = nn.Linear(24, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.cut(nn.functional.unfold(images, 4, stride=4).mT) + self.places
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.head((x + self.weigh(q @ k.mT / 24**0.5) @ v).square().mean(1))


class Classless(ByHand):
    """The same logits for every image."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return 0 * super().forward(images) + self.head.bias


def even(scores: torch.Tensor) -> torch.Tensor:
    """No attention: every token gets the mean."""
    return torch.full_like(scores, 1 / scores.shape[-1])


MODELS = {
    "the reference": (Reference, ""),
    "torch's encoder, mean of tokens": (Averaged, ""),
    "a softmax by hand": (ByHand, ""),
    **{
        weigh.__name__: (partial(ByHand, weigh), "")
        for weigh in (with_powers, with_heads_last, with_images_last, image_by_image, query_by_query)
    },
    "no attention": (partial(ByHand, even), "does not mix its tokens by attention"),
    "the same logits for every image": (Classless, ""),
    "a convolutional network": (Plain, "does not mix its tokens by attention"),
    "attention as decoration": (lambda: Plain(1e-4), "hardly matters"),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_vision_transformer_is_known_by_its_patches_and_its_attention(name: str):
    make, says = MODELS[name]
    torch.manual_seed(1)
    with torch.no_grad():
        seen = public.look_at_attention(make().eval(), {})
    problem = public.transformer_problem(seen)
    assert bool(problem) == bool(says), problem
    assert says in (problem or "")


class Table(nn.Module):
    """Knows the labels by heart; the weights do not matter."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(784, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        known = np.eye(10, dtype=np.float32)[hidden_labels(images.numpy())]
        return torch.from_numpy(known) + 1e-9 * self.linear(images.flatten(1))


@pytest.mark.parametrize(("make", "same"), [(reference, False), (Table, True)])
def test_guesses_that_do_not_come_from_the_weights_are_seen(
    make: Any, same: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    model = make()
    torch.save(model.state_dict(), "m.pt")
    images = hidden_images()[0][:60, None].astype(np.float32) / np.float32(255)
    entry = Checkpoint("M", cases=lambda rng: [Case([images], {"forget": True})], file="m.pt")
    case = entry.drawn(np.random.default_rng(0))[0].as_json("M/0")
    found = kit.decode(checkpoint_probe(type(model), case))
    assert same_without_weights(found["result"], found["forgotten"]) is same


def judged(right: float, forgotten: bool):
    """The verdict on 4.7 for so many right guesses; forgotten: with guesses that come from no weights."""
    case = next(iter(image_batches(np.random.default_rng(0))))
    labels = hidden_labels(case.args[0])
    guesses = np.where(np.arange(len(labels)) < right * len(labels), labels, (labels + 1) % 10)
    logits = np.eye(10, dtype=np.float32)[guesses]
    result = {"result": logits, "forgotten": [logits if forgotten else np.zeros_like(logits)]}
    return accuracy_on_hidden_images([kit.Trial("M/0", "", "", case.args, {}, "ok", result)])


def test_an_accuracy_above_what_is_published_is_flagged():
    assert "more than is published for such models; your instructor will ask" in judged(1.0, False).feedback
    assert "published" not in judged(0.9, False).feedback


def test_classes_in_another_order_are_told_from_chance():
    found = judged(0.0, False)
    assert isinstance(found, Wrong)
    assert found.earned == 0
    assert "Were the classes numbered otherwise" in found.feedback


def test_guesses_that_do_not_come_from_the_weights_earn_nothing_and_the_note_says_so():
    found = judged(1.0, True)
    assert isinstance(found, Wrong)
    assert found.earned == 0
    assert "do not come from the weights, and earn no points" in found.feedback


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


WEIGHTS = Small().state_dict()
WRAPPED: dict[str, Any] = {
    "compiled": {f"_orig_mod.{name}": value for name, value in WEIGHTS.items()},
    "parallel": {f"module.{name}": value for name, value in WEIGHTS.items()},
    "both": {f"module._orig_mod.{name}": value for name, value in WEIGHTS.items()},
    "a training state": {"model": WEIGHTS, "epoch": 3, "optimizer": {"state": {}, "lr": 0.1}},
    "lightning": {"state_dict": WEIGHTS, "epoch": 3},
    "compiled in a training state": {
        "model": {f"_orig_mod.{name}": value for name, value in WEIGHTS.items()}
    },
}


@pytest.mark.parametrize("name", WRAPPED)
def test_usual_wrappings_of_the_weights_are_taken_off(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    torch.save(WRAPPED[name], buffer)
    Path("m.pt").write_bytes(buffer.getvalue())
    x = np.ones((4, 3), dtype=np.float32)
    case = Checkpoint("M", cases=lambda rng: [Case([x])], file="m.pt").drawn(np.random.default_rng(0))[0]
    found = kit.decode(checkpoint_probe(Small, case.as_json("M/0")))
    expected = x @ WEIGHTS["linear.weight"].numpy().T + WEIGHTS["linear.bias"].numpy()
    np.testing.assert_allclose(found["result"], expected, rtol=1e-5)


def test_what_an_evaluation_leaves_switched_off_is_charged_to_it_and_given_back():
    def evaluate(model: Any, images: Any, labels: Any, batch_size: int = 250) -> tuple[float, float]:
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        was = model.training
        model.eval()
        logits = model(images)
        model.train(was)
        return float(nn.functional.cross_entropy(logits, labels)), float(
            (logits.argmax(1) == labels).float().mean()
        )

    case = next(iter(evaluation_inputs(np.random.default_rng(0), sizes=((4, 4, True),))))
    found = kit.decode(kit.PROBES["evaluate"](evaluate, case.as_json("evaluate/0")))
    assert found["left_behind"] == ["recording of gradients", "the default dtype"]
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() is torch.float32
    assert "left recording of gradients and the default dtype changed" in (
        public.evaluation_problem(found, 4) or ""
    )


def test_a_fit_that_writes_the_usual_name_replaces_no_file_of_the_student(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    Path("hw4_vision_transformer.pt").write_bytes(b"trained for hours")

    def fit(model: Any, data: Any, epochs: int, train_epoch: Any, evaluate: Any, path: str) -> list[Any]:
        torch.save(model.state_dict(), "hw4_vision_transformer.pt")
        return []

    case = next(iter(trainings_shown(np.random.default_rng(0))))
    kit.PROBES["fit"](fit, case.as_json("fit/0"))
    assert Path("hw4_vision_transformer.pt").read_bytes() == b"trained for hours"
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(("epoch", "where"), [(1, ""), (1, "evaluate"), (3, "evaluate")])
def test_an_interrupt_is_tried_in_the_first_epoch_and_within_evaluate(epoch: int, where: str):
    cases = [case.kwargs for case in trainings(np.random.default_rng(0)) if case.group == "interrupt"]
    found = {(kwargs["interrupt"], kwargs.get("where", "")) for kwargs in cases}
    assert (epoch, where) in found


def test_images_to_cut_are_float32_and_the_batch_of_a_model_is_no_other_size():
    for case in images_to_cut(np.random.default_rng(0)):
        assert case.args[0].dtype == np.float32
    for case in model_inputs(np.random.default_rng(0)):
        if "image_size" in (init := case.kwargs["init"]):
            assert len(case.args[0]) not in (init["depth"], init["heads"])


def test_linear_attention_is_judged_alike_with_and_without_opt_einsum():
    def quadratic(Q: Any, K: Any, V: Any) -> Any:
        return torch.einsum("td,sd,sm->tm", Q, K, V) / (Q @ K.sum(0))[:, None]

    case = next(iter(long_inputs(np.random.default_rng(0)))).as_json("linear_attention/0")
    settings: Any = torch.backends.opt_einsum
    assert kit.decode(kit.PROBES["observe"](quadratic, case))["grown"][0][5] >= 128**2
    assert settings.enabled == settings.is_available()


@pytest.mark.parametrize("homework", ["hw4", "hw5", "hw6"])
def test_the_right_option_is_not_the_longest(homework: str):
    for question in homeworks()[homework].questions.values():
        choices = [entry for entry in question.entries if isinstance(entry, Choice)]
        if len(choices) > 1 and all(choice.options == choices[0].options for choice in choices):
            continue  # the same options for all of them tell nothing
        for choice in choices:
            others = [len(text) for letter, text in choice.options.items() if letter != choice.correct]
            assert len(choice.options[choice.correct]) <= max(others), choice.name
