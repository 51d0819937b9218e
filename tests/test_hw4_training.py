"""hw4's training cell: one device, and a training that is continued after an interrupt or a lost session."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autograder.homeworks.hw4 import public
from autograder.homeworks.hw4.public import progress
from tests.gallery import ROOT

torch = pytest.importorskip("torch")
SOURCE = (ROOT / "solutions" / "hw4_vision_transformer.py").read_text(encoding="utf-8")
EPOCHS = 5


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """The notebook's loops, as its cells define them."""
    import math

    names: dict[str, Any] = {
        "torch": torch,
        "F": torch.nn.functional,
        "math": math,
        "save_safely": public.save_safely,
        "with_progress": public.with_progress,
    }
    for name in ("train_step", "evaluate", "fit", "augment", "make_training"):
        found = re.search(rf"^def {name}\(.*?(?=\n\n\n|\n# %%)", SOURCE, re.S | re.M)
        assert found, name
        exec(found[0], names)
    return names


class Only:
    """Refuses every tensor with axes that is not on one device, as a GPU would."""

    def __new__(cls, device: str) -> Any:
        from torch.utils._python_dispatch import TorchDispatchMode
        from torch.utils._pytree import tree_leaves

        class Mode(TorchDispatchMode):
            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                result = func(*args, **(kwargs or {}))
                for leaf in tree_leaves((args, kwargs or {}, result)):
                    if torch.is_tensor(leaf) and leaf.ndim and leaf.device.type != device:
                        raise AssertionError(f"{func} has a tensor on {leaf.device}")
                return result

        return Mode()


def test_augmentation_stays_on_the_device_of_the_images(answers: dict[str, Any]):
    images = torch.zeros(6, 1, 28, 28, device="meta")
    with Only("meta"):
        found = answers["augment"](images)
    assert found.device.type == "meta"
    assert found.shape == images.shape


def test_an_augmentation_that_draws_on_another_device_is_noticed():
    def first_version(images: Any) -> Any:
        return torch.where(torch.rand(len(images), 1, 1, 1) < 0.5, images.flip(-1), images)

    with pytest.raises(AssertionError, match="cpu"), Only("meta"):
        first_version(torch.zeros(6, 1, 28, 28, device="meta"))


def test_the_notebook_names_its_device_once_and_its_loops_name_none():
    code = "\n".join(line for line in SOURCE.splitlines() if not line.lstrip().startswith("#"))
    assert len(re.findall(r"^device = ", code, re.M)) == 1
    assert "cuda" not in code.replace(
        'device = torch.device("cuda" if torch.cuda.is_available() else "cpu")', ""
    )
    assert code.count(".to(device)") == 3  # images, labels, model
    for load in re.findall(r"torch\.load\((?:[^()]|\([^()]*\))*\)", code):
        assert 'map_location="cpu"' in load, load


def toy() -> tuple[Any, dict[str, tuple[Any, Any]]]:
    """A small model with dropout, and images that it can learn a little about."""
    torch.manual_seed(0)
    labels = torch.arange(96) % 4
    images = torch.rand(96, 1, 28, 28) + labels[:, None, None, None] / 4
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.2), torch.nn.Linear(784, 4))
    rows = slice(0, 64), slice(64, 80), slice(80, 96)
    return model, {
        name: (images[part], labels[part])
        for name, part in zip(("train", "validation", "test"), rows, strict=True)
    }


def trained(
    answers: dict[str, Any], path: Path, epochs: int = EPOCHS, broken: Callable[[int], None] | None = None
) -> tuple[Any, list[dict[str, float]]]:
    """What the training cell does; ``broken(epoch)`` may end an epoch early."""
    model, data = toy()
    optimizer, schedule, train_epoch = answers["make_training"](model, data["train"][0], epochs, 16)
    calls = 0

    def one_epoch(*args: Any) -> float:
        nonlocal calls
        calls += 1
        if broken:
            broken(calls)
        return float(train_epoch(*args))

    history = public.resumable_fit(
        answers["fit"], model, data, epochs, (optimizer, schedule, one_epoch), answers["evaluate"], path
    )
    model.load_state_dict(torch.load(path, weights_only=True))
    return model, history


@pytest.mark.parametrize("lost", [KeyboardInterrupt, MemoryError])
def test_a_training_that_was_cut_off_goes_on_as_if_nothing_had_happened(
    answers: dict[str, Any], tmp_path: Path, lost: type[BaseException], capsys: pytest.CaptureFixture[str]
):
    whole, history = trained(answers, tmp_path / "whole.pt")

    def cut(epoch: int) -> None:
        if epoch == 3:
            raise lost

    path = tmp_path / "cut.pt"
    if lost is KeyboardInterrupt:  # the student presses stop: fit ends quietly
        _, part = trained(answers, path, broken=cut)
        assert len(part) == 2
        assert "2 of 5 epochs are done" in capsys.readouterr().out
    else:  # the session ends in the middle
        with pytest.raises(MemoryError):
            trained(answers, path, broken=cut)
    assert public.unfinished(path)
    torch.manual_seed(99)  # a new session has other random numbers
    model, continued = trained(answers, path)
    assert "Continued after epoch 2 of 5." in capsys.readouterr().out
    assert continued == history
    assert all(
        torch.equal(one, other) for one, other in zip(model.parameters(), whole.parameters(), strict=True)
    )
    assert not public.unfinished(path)
    assert not list(tmp_path.glob("*.continued"))


class Placed(torch.nn.Module):
    """A model whose positions count its epochs; the first training stops in one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = torch.nn.Parameter(torch.zeros(1, 3, 2))

    def fitted(self, fit: Any, epochs: int, path: Path, stop: int = 0, watched: str = "positions") -> None:
        def train_epoch(*_: Any) -> float:
            if stop and float(self.positions.detach()[0, 0, 0]) == stop:
                raise KeyboardInterrupt
            with torch.no_grad():
                self.positions += 1
            return 0.0

        optimizer = torch.optim.SGD(self.parameters(), lr=0.1)
        steps = optimizer, torch.optim.lr_scheduler.ConstantLR(optimizer), train_epoch
        public.resumable_fit(fit, self, toy()[1], epochs, steps, lambda *_: (0.0, 0.5), path, watched)


def test_frames_of_a_table_are_those_of_the_whole_training(answers: dict[str, Any], tmp_path: Path):
    path, epochs = tmp_path / "placed.pt", 50
    Placed().fitted(answers["fit"], epochs, path, stop=7)
    Placed().fitted(answers["fit"], epochs, path)
    found, tables = public.table_frames(path)
    assert found == [*range(0, epochs, 3), epochs]
    assert tables.shape == (18, 1, 3, 2)
    assert tables[:, 0, 0, 0].tolist() == found, "the frame of an epoch is the table after that epoch"
    Placed().fitted(answers["fit"], 1, path, watched="places")
    assert public.table_frames(path)[0] == [], "a class without that table has no frames of another training"
    progress.table_file(path).write_bytes(b"half a fi")
    assert public.table_frames(path)[0] == []


def test_the_best_epoch_before_an_interrupt_is_kept_where_none_after_it_is_better(
    answers: dict[str, Any], tmp_path: Path
):
    model, data = toy()
    accuracies = iter([0.3, 0.9, 0.5, 0.6])
    seen = []

    def train_epoch(*_: Any) -> float:
        if len(seen) == 2 and not public.unfinished(tmp_path / "other.pt"):
            (tmp_path / "other.pt.resume").touch()
            raise KeyboardInterrupt
        seen.append(torch.full((1,), float(len(seen))))
        with torch.no_grad():
            model[2].bias.fill_(float(len(seen)))
        return 0.0

    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer)
    for _ in range(2):
        history = public.resumable_fit(
            answers["fit"],
            model,
            data,
            4,
            (optimizer, schedule, train_epoch),
            lambda *_: (0.0, next(accuracies)),
            tmp_path / "best.pt",
        )
    assert [row["validation_accuracy"] for row in history] == [0.3, 0.9, 0.5, 0.6]
    assert torch.load(tmp_path / "best.pt", weights_only=True)["2.bias"].tolist() == [2.0] * 4


def test_what_is_left_of_another_training_is_not_continued(
    answers: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    def cut(epoch: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    trained(answers, tmp_path / "best.pt", epochs=3, broken=cut)
    _, history = trained(answers, tmp_path / "best.pt", epochs=4)
    assert "training starts anew" in capsys.readouterr().out
    assert len(history) == 4
    (tmp_path / "best.pt.resume").write_bytes(b"half a fi")
    _, history = trained(answers, tmp_path / "best.pt", epochs=2)
    assert len(history) == 2
