"""hw4's own machinery: where the images come from, what reaches the kernel, oracles, points by accuracy."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from autograder.declare import Case, Right, Wrong, homeworks
from autograder.homeworks.hw4 import cases, public, transformer
from autograder.homeworks.hw4 import hidden as hidden4
from autograder.homeworks.hw4.public import images as fashion
from autograder.homeworks.hw4.q1_patches import glue
from autograder.kit import Trial
from autograder.submissions.log import challenges_json
from tests.gallery import ROOT

DATA = ROOT / "notebooks" / "data" / public.FASHION_FILE


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no FashionMNIST elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FASHION_MNIST", raising=False)
    monkeypatch.setattr(fashion, "FASHION_FOLDERS", ("fashion-mnist",))
    monkeypatch.setattr(
        fashion,
        "_download_with_torchvision",
        lambda: (_ for _ in ()).throw(ImportError("No module named 'torchvision'")),
    )
    return tmp_path


def write_idx(folder: Path, zipped: bool) -> None:
    folder.mkdir()
    with np.load(DATA) as held:
        arrays = [held[name].astype(np.uint8) for name in ("x_train", "y_train", "x_test", "y_test")]
    for stem, array in zip(public.IDX_STEMS, arrays, strict=True):
        data = (
            struct.pack(">HBB", 0, 8, array.ndim)
            + struct.pack(f">{array.ndim}I", *array.shape)
            + array.tobytes()
        )
        (folder / f"{stem}{'.gz' if zipped else ''}").write_bytes(gzip.compress(data, 1) if zipped else data)


@pytest.mark.parametrize("place", [".", "data"])
def test_the_images_are_found_beside_the_notebook(
    alone: Path, place: str, capsys: pytest.CaptureFixture[str]
):
    (alone / place).mkdir(exist_ok=True)
    shutil.copy(DATA, alone / place)
    loaded = public.load_fashion_mnist()
    assert loaded["train"][0].shape == (5000, 28, 28)
    assert loaded["test"][1].shape == (1000,)
    assert "5,000 training and 1,000 test images, checksum right" in capsys.readouterr().out


@pytest.mark.parametrize("zipped", [True, False])
def test_a_folder_of_idx_files_may_be_named(alone: Path, zipped: bool):
    write_idx(alone / "mine", zipped)
    assert public.load_fashion_mnist(alone / "mine")["train"][0].shape == (5000, 28, 28)


def test_without_any_source_the_error_lists_what_was_tried_and_what_to_do(alone: Path):
    with pytest.raises(FileNotFoundError) as raised:
        public.load_fashion_mnist("elsewhere")
    for phrase in (
        public.FASHION_FILE,
        "IDX files in elsewhere",
        "IDX files in fashion-mnist",
        "torchvision",
        "beside this notebook",
    ):
        assert phrase in str(raised.value)


def test_a_file_with_another_pixel_is_refused(alone: Path):
    with np.load(DATA) as held:
        arrays = {name: held[name] for name in ("x_train", "y_train", "x_test", "y_test")}
    arrays["x_train"] = arrays["x_train"].copy()
    arrays["x_train"][0, 0, 0] += 1
    np.savez(alone / public.FASHION_FILE, **arrays)
    with pytest.raises(FileNotFoundError, match="its checksum is wrong"):
        public.load_fashion_mnist()


def test_no_hidden_image_is_in_the_notebooks_data_and_all_classes_occur_equally():
    images, labels = hidden4.hidden_images()
    with np.load(DATA) as held:
        known = {image.tobytes() for name in ("x_train", "x_test") for image in held[name]}
    assert not any(image.tobytes() in known for image in images)
    assert np.bincount(labels).tolist() == [40] * 10


def test_the_challenges_hold_hidden_images_and_no_labels():
    homework = homeworks()["hw4"]
    document = json.loads(challenges_json(homework, homework.draw("s")))
    for case in document["cases"]["Classifier"]:
        assert [array["shape"] for array in case["args"]] == [[200, 1, 28, 28]]
        assert set(case["kwargs"]) <= {"file", "max_bytes", "forget", "look"}


def test_data_and_checkpoint_are_small_and_carry_their_notice():
    hidden = ROOT / "autograder" / "data" / "fashion_mnist_hidden.npz"
    assert (
        max(path.stat().st_size for path in (hidden, ROOT / "solutions" / "hw4_vision_transformer.pt"))
        < 1_000_000
    )
    for folder in (DATA.parent, hidden.parent):
        assert "Zalando" in (folder / "LICENSE.fashion-mnist").read_text(encoding="utf-8")


def test_the_oracles_agree_with_torch_in_float64():
    rng, torch = np.random.default_rng(0), pytest.importorskip("torch")
    weights = cases.block_weights(rng, 8, 12)
    x = cases.short(rng, 2, 5, 8)
    layer = public.ready_block(8, 2, 12).double().eval()
    names = {"attention.": "self_attn.", "mlp.0": "linear1", "mlp.2": "linear2"}
    for name, value in weights.items():
        for old, new in names.items():
            name = name.replace(old, new)
        layer.get_parameter(name).data.copy_(torch.from_numpy(value))
    with torch.no_grad():
        expected, maps = (part.numpy() for part in layer(torch.from_numpy(x).double(), return_weights=True))
    found, found_maps = transformer.encoder(x, weights, 2)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found_maps, maps, atol=1e-12)
    images = torch.arange(2 * 8 * 12).reshape(2, 1, 8, 12).double()
    unfolded = torch.nn.functional.unfold(images, 4, stride=4).mT.numpy()
    np.testing.assert_array_equal(transformer.cut(images.numpy(), 4), unfolded)
    np.testing.assert_array_equal(glue(unfolded, 4, 8, 12), images.numpy())


def test_progress_says_how_long_the_rest_will_take(capsys: pytest.CaptureFixture[str]):
    times = iter([0.0, 60.0, 120.0])
    history: list[dict[str, float]] = []
    for epoch in public.with_progress(2, history, clock=lambda: next(times)):
        history.append({"validation_accuracy": 0.5 * epoch})
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "epoch   1/2  validation accuracy 0.500  1.0 min, about 1.0 min left"
    assert lines[2].endswith("2.0 min, about 0.0 min left")


def test_points_rise_with_accuracy_and_a_bonus_follows():
    images, labels = hidden4.hidden_images()
    question = homeworks()["hw4"].questions["4.7"]
    judge = question.checks[0].judge
    case = Case([images[:, None].astype(np.float32) / np.float32(255)])

    def verdict(right: int) -> Right | Wrong | None:
        logits = np.eye(10, dtype=np.float32)[np.where(np.arange(400) < right, labels, (labels + 1) % 10)]
        trial = Trial(
            "Classifier/0", "hidden images", "values", tuple(case.args), {}, "ok", {"result": logits}
        )
        return judge({"Classifier": [trial]})

    earned = [getattr(verdict(right), "earned", 1.0) for right in (0, 160, 200, 236, 311, 312, 400)]
    assert earned[:2] == [0.0, 0.0]
    assert earned == sorted(earned)
    assert earned[3] == pytest.approx(0.5)
    assert earned[5:] == [1.0, 1.0]
    bonus = [getattr(verdict(right), "bonus", 0.0) for right in (312, 332, 343, 354, 400)]
    assert bonus == [0.0, 0.0, pytest.approx(2.5), 5.0, 5.0]
