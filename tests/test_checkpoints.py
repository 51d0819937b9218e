"""Checkpoints: read without running anything they hold, and every fault told in words."""

from __future__ import annotations

import io
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autograder import kit
from autograder.declare import Case, Checkpoint, Homework, homeworks
from autograder.grade.grade import checkpoints
from autograder.kit.shared.checkpoints import CheckpointError, checkpoint_probe, read_checkpoint
from autograder.submissions.find import Submission


class Model(torch.nn.Module):
    def __init__(self, width: int = 2):
        super().__init__()
        self.linear = torch.nn.Linear(3, width)
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(self.dropout(x))


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (Path("was-run"),))


def saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def entry(**fields: Any) -> Checkpoint:
    return Checkpoint(
        "Model",
        cases=lambda rng: [Case([rng.normal(size=(7, 3)).astype("float32")], {"batch": 3})],
        file="m.pt",
        **fields,
    )


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes | None, cls: type = Model) -> Any:
    monkeypatch.chdir(tmp_path)
    if data is not None:
        Path("m.pt").write_bytes(data)
    case = entry(max_bytes=20_000).drawn(np.random.default_rng(0))[0]
    return kit.decode(checkpoint_probe(cls, case.as_json("Model/0"))), case


def test_a_checkpoint_is_loaded_and_run_in_evaluation_mode_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    trained = Model()
    found, case = run(
        tmp_path, monkeypatch, saved({name: value.half() for name, value in trained.state_dict().items()})
    )
    assert found["parameters"] == 8
    with torch.no_grad():
        np.testing.assert_allclose(
            found["result"], trained.eval()(torch.from_numpy(case.args[0])).numpy(), atol=5e-3
        )


NAN = {**Model().state_dict(), "linear.bias": torch.tensor([0.0, torch.nan])}
FAULTS: dict[str, tuple[Callable[[], bytes | None], str]] = {
    "missing": (lambda: None, "there is no file m.pt"),
    "empty": (lambda: b"", "cannot be read"),
    "cut short": (lambda: saved(Model().state_dict())[:-400], "m.pt"),
    "not a checkpoint": (lambda: b"GIF89a" * 100, "m.pt"),
    "the whole model": (lambda: saved(Model()), "Save model.state_dict(), not the model itself"),
    "hostile": (lambda: saved({"linear.weight": Hostile()}), "it was not loaded"),
    "a hostile plain pickle": (lambda: pickle.dumps(Hostile()), "m.pt"),
    "too large": (lambda: saved({"linear.weight": torch.zeros(9_000)}), "larger than 0.02 MB"),
    "a list": (lambda: saved([torch.zeros(2)]), "not a dict of named tensors"),
    "a training state": (
        lambda: saved({"optimizer": {"lr": 0.1}, "epoch": 3}),
        "Save model.state_dict() alone",
    ),
    "not finite": (lambda: saved(NAN), "NaN or infinity"),
    "other shapes": (
        lambda: saved(Model(5).state_dict()),
        "linear.weight has shape (5, 3), but (2, 3) in Model",
    ),
    "names missing": (lambda: saved({"linear.weight": torch.zeros(2, 3)}), "it lacks linear.bias"),
    "names too many": (
        lambda: saved({**Model().state_dict(), "head": torch.zeros(1)}),
        "it has head, which Model does not",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.filterwarnings("ignore:.*weights_only.*")
def test_a_faulty_checkpoint_is_told_in_words_and_never_run(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make, says = FAULTS[fault]
    with pytest.raises(CheckpointError, match=re.escape(says)):
        run(tmp_path, monkeypatch, make())
    assert not (tmp_path / "was-run").exists()


def test_a_compressed_archive_is_measured_unpacked(tmp_path: Path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "m.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/data/0", bytes(5_000_000))
    with pytest.raises(CheckpointError, match="larger than 1 MB"):
        read_checkpoint(tmp_path / "m.pt", 1_000_000)


def homework_with_checkpoint() -> Homework:
    homework = Homework("hw9", title="t", stem="t")
    homework.question("9.1", "t", minutes=1, difficulty="easy", entries=[entry(max_bytes=10)])
    return homework


def test_the_only_checkpoint_counts_whatever_its_name_and_a_large_one_is_cut():
    given = Submission("a", attachments={"best (2).pt": bytes(50)})
    assert checkpoints(given, homework_with_checkpoint()) == (
        {"m.pt": bytes(11)},
        ["best (2).pt was taken as m.pt."],
    )


def test_of_several_checkpoints_the_named_one_counts_and_others_are_told_apart():
    homework = homework_with_checkpoint()
    named = Submission("a", attachments={"m.pt": b"1", "old.pt": b"2"})
    assert checkpoints(named, homework) == ({"m.pt": b"1"}, [])
    neither = Submission("a", attachments={"x.pt": b"1", "old.pt": b"2"})
    assert checkpoints(neither, homework) == (
        {},
        ["None of the files old.pt, x.pt is called m.pt; none was used."],
    )


def test_a_homework_without_checkpoints_gets_no_files():
    assert checkpoints(Submission("a", attachments={"m.pt": b"1"}), homeworks()["hw3"]) == ({}, [])


def test_a_student_hears_whether_the_file_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    log = kit.Log(homework_with_checkpoint().describe(), ".", {"Model": Model})
    log.record("9.1")
    assert "there is no file m.pt" in capsys.readouterr().out
    homework = Homework("hw9", title="t", stem="t")
    homework.question("9.1", "t", minutes=1, difficulty="easy", entries=[entry()])
    Path("m.pt").write_bytes(saved(Model().state_dict()))
    log = kit.Log(homework.describe(), ".", {"Model": Model})
    log.record("9.1")
    log.finish()
    shown = capsys.readouterr().out
    assert "`m.pt` is there and fits `Model`" in shown
    assert "m.pt" in shown.split("1 of 1 questions recorded")[1]
