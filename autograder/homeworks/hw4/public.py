"""hw4 in public: FashionMNIST, ready parts to go on with, progress of a training, and how the kit drives the answers.

No answer stands here: the ready parts wrap torch's own layers, the probes only build, inject, run and report.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import struct
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from autograder.kit import Trial, decode, encode, name_to_come, probe, visible_check
from autograder.kit.shared.checkpoints import checkpoint_probe  # noqa: F401  # registers the probe
from autograder.kit.shared.modules import MismatchError

# --- the images ---------------------------------------------------------------------------------------------

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
FASHION_FILE = "fashion_mnist_5000_1000.npz"
FASHION_DIGESTS = {  # sha256 of the bytes of training images, training labels, test images, test labels
    False: "10e2c73b83c53eb264a8d3eb182ae4a010c75d9782f0813c1625877fd728d637",
    True: "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
}
FASHION_FOLDERS = ("/usr/share/datasets/fashion-mnist", "fashion-mnist", "data/fashion-mnist")
IDX_STEMS = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)

Images = tuple[np.ndarray, np.ndarray]


def load_fashion_mnist(folder: str | os.PathLike[str] | None = None, full: bool = False) -> dict[str, Images]:
    """FashionMNIST as ``{"train": (images, labels), "test": (images, labels)}``, uint8, images (n, 28, 28).

    Looks, in this order: for the course's file beside the notebook; for a folder of IDX files (``folder``,
        the
    environment variable ``FASHION_MNIST``, Debian's package dataset-fashion-mnist); then asks torchvision,
    where it is
    installed, to download (as in Colab). The contents are compared with a checksum wherever they come from.

    Args:
        folder: a folder with the four IDX files, gzipped or not; it may also hold the course's file.
        full: all 60,000 + 10,000 images instead of the first 500 + 100 of each class.

    Raises:
        FileNotFoundError: the images are nowhere to be had; the message lists what was tried.
    """
    tried: list[str] = []
    for source, read in _fashion_sources(folder, full):
        try:
            arrays = read()
        except Exception as error:  # any source may fail in its own way; the next one is tried
            tried.append(f"{source}: {type(error).__name__}: {str(error)[:150]}")
            continue
        if not full and len(arrays[0]) > 5000:
            arrays = _first_of_each(arrays[0], arrays[1], 500) + _first_of_each(arrays[2], arrays[3], 100)
        digest = hashlib.sha256()
        for array in arrays:
            digest.update(np.ascontiguousarray(array, dtype=np.uint8).tobytes())
        if digest.hexdigest() != FASHION_DIGESTS[full]:
            tried.append(f"{source}: its checksum is wrong (damaged, or another data set)")
            continue
        print(
            f"FashionMNIST from {source}: {len(arrays[0]):,} training and {len(arrays[2]):,} test images,"
            " checksum right."
        )
        return {"train": arrays[:2], "test": arrays[2:]}
    wanted = "the full FashionMNIST" if full else "FashionMNIST"
    advice = (
        ""
        if full
        else (
            f" Put {FASHION_FILE} (from the course's notebooks/data folder) beside this notebook; in Colab:"
            " Files, Upload."
        )
    )
    raise FileNotFoundError(
        f"Could not load {wanted}. Tried:\n" + "\n".join(f"  - {line}" for line in tried) + f"\n{advice}"
    )


def _fashion_sources(folder: str | os.PathLike[str] | None, full: bool) -> Iterator[tuple[str, Any]]:
    if not full:
        for place in (".", "data", "notebooks/data", *([folder] if folder else [])):
            path = Path(place) / FASHION_FILE
            yield str(path), lambda path=path: _read_npz(path)
    for named in (folder, os.environ.get("FASHION_MNIST"), *FASHION_FOLDERS):
        if named:
            yield (
                f"IDX files in {named}",
                lambda named=named: tuple(_read_idx(Path(named), stem) for stem in IDX_STEMS),
            )
    yield "torchvision's download", _download_with_torchvision


def _read_npz(path: Path) -> tuple[np.ndarray, ...]:
    with np.load(path) as held:
        return tuple(held[name].astype(np.uint8) for name in ("x_train", "y_train", "x_test", "y_test"))


def _read_idx(folder: Path, stem: str) -> np.ndarray:
    """One IDX file of unsigned bytes: two zero bytes, element type 8, the number of axes, their sizes, the data."""
    path = folder / f"{stem}.gz"
    data = gzip.decompress(path.read_bytes()) if path.is_file() else (folder / stem).read_bytes()
    zeros, kind, axes = struct.unpack(">HBB", data[:4])
    if zeros or kind != 8:
        raise ValueError(f"{path.name} is no IDX file of unsigned bytes")
    shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _download_with_torchvision() -> tuple[np.ndarray, ...]:
    from torchvision.datasets import FashionMNIST  # type: ignore[import-not-found, unused-ignore]  # optional

    print("Downloading FashionMNIST (30 MB) with torchvision …", flush=True)
    folder = Path(tempfile.gettempdir()) / "fashion-mnist-torchvision"
    FashionMNIST(folder, train=True, download=True)
    raw = folder / "FashionMNIST" / "raw"
    return tuple(_read_idx(raw, stem) for stem in IDX_STEMS)


def _first_of_each(images: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    rows = np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in range(10)]))
    return images[rows], labels[rows]


# --- ready parts --------------------------------------------------------------------------------------------


def ready_attention(dim: int, heads: int) -> Any:
    """Torch's own self-attention, called as 4.4a asks: ``(x, return_weights=False)``; goes where 4.4a is not done yet."""
    import torch

    class ReadyAttention(torch.nn.MultiheadAttention):
        def forward(self, x: Any, return_weights: bool = False) -> Any:  # type: ignore[override]
            both = super().forward(x, x, x, average_attn_weights=False)
            return both if return_weights else both[0]

    return ReadyAttention(dim, heads, batch_first=True)


def ready_block(dim: int, heads: int, mlp_dim: int) -> Any:
    """Torch's own encoder block, called as 4.4b asks: ``(x, return_weights=False)``; goes where 4.4b is not done yet."""
    import torch

    class ReadyBlock(torch.nn.TransformerEncoderLayer):
        def forward(self, x: Any, return_weights: bool = False) -> Any:  # type: ignore[override]
            output = super().forward(x)
            if not return_weights:
                return output
            normed = self.norm1(x)
            return output, self.self_attn(normed, normed, normed, average_attn_weights=False)[1]

    return ReadyBlock(dim, heads, mlp_dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)


READY = {"ready_attention": ready_attention, "ready_block": ready_block}


# --- progress of a training ---------------------------------------------------------------------------------


def with_progress(epochs: int, history: list[dict[str, float]], clock: Any = time.monotonic) -> Iterator[int]:
    """Counts epochs from 1; after each it shows the history's last row, the time spent and an estimate of what is left."""
    started = clock()
    for epoch in range(1, epochs + 1):
        if epoch == 1:
            print(
                f"epoch 1 of {epochs} runs; the estimate follows after it. Interrupt the kernel to stop"
                " early.",
                flush=True,
            )
        yield epoch
        spent = (clock() - started) / 60
        numbers = "  ".join(
            f"{name.replace('_', ' ')} {number:.3f}"
            for name, number in (history[-1].items() if history else ())
        )
        print(
            f"epoch {epoch:3d}/{epochs}  {numbers}  {spent:.1f} min, about"
            f" {spent / epoch * (epochs - epoch):.1f} min left",
            flush=True,
        )


def save_safely(state: Any, path: str | os.PathLike[str]) -> None:
    """``torch.save`` in one move: an interrupt leaves the old file or the new one, never half of one."""
    import torch

    draft = f"{path}.part"
    torch.save(state, draft)
    os.replace(draft, path)


@contextlib.contextmanager
def when_answered(questions: str = "the question") -> Iterator[None]:
    """For figures and training: says that something appears here later where an answer, or the images, are still missing."""
    try:
        yield
    except NotImplementedError:
        print(f"Something appears here once you have answered {questions}.")
    except FileNotFoundError as error:
        print(error)
    except NameError as error:
        print(name_to_come(error))


# --- how the kit drives the answers -------------------------------------------------------------------------


def fit_names(own: Mapping[str, tuple[int, ...]], weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Renames and reshapes named weights to what an equivalent module calls them, as far as that can be told.

    ``query``, ``key`` and ``value`` may be one map ``qkv`` (rows in this order); a patch embedding may be a
    convolution;
    linear maps inside ``mlp`` may have other numbers; axes of size 1 do not matter.

    Args:
        own: parameter name → shape, of the student's module.
        weights: parameter name → array, as the question names them.
    """
    fitted = dict(weights)
    for fused in [name for name in own if name.endswith(("qkv.weight", "qkv.bias"))]:
        prefix, part = fused.rsplit("qkv.", 1)
        thirds = [f"{prefix}{which}.{part}" for which in ("query", "key", "value")]
        if all(name in fitted for name in thirds):
            fitted[fused] = np.concatenate([fitted.pop(name) for name in thirds])
    theirs, ours = ([name for name in names if name.startswith("mlp.")] for names in (own, fitted))
    if len(theirs) == len(ours):
        fitted |= dict(zip(theirs, [fitted.pop(name) for name in ours], strict=True))
    for name, shape in own.items():
        if name in fitted and fitted[name].shape != shape:
            squeezed = tuple(size for size in shape if size > 1)
            convolution = (
                name == "patch_embedding.weight" and len(shape) == 4 and fitted[name].size == np.prod(shape)
            )
            if convolution or squeezed == tuple(size for size in fitted[name].shape if size > 1):
                fitted[name] = fitted[name].reshape(shape)
    return fitted


def inject(module: Any, weights: Mapping[str, Any]) -> None:
    """Puts named weights into a module.

    Raises:
        MismatchError: names or shapes differ; in words.
    """
    import torch

    own = dict(module.named_parameters())
    fitted = fit_names(
        {name: tuple(value.shape) for name, value in own.items()},
        {name: np.asarray(value) for name, value in weights.items()},
    )
    missing, extra = (
        [name for name in fitted if name not in own],
        [name for name in own if name not in fitted],
    )
    problems = []
    if missing:
        problems.append(f"it has no parameter {', '.join(missing[:4])}" + (" …" if len(missing) > 4 else ""))
    if extra:
        problems.append(
            f"it has {', '.join(extra[:4])}"
            + (" …" if len(extra) > 4 else "")
            + ", which the question does not name"
        )
    for name in own:
        if name in fitted and fitted[name].shape != tuple(own[name].shape):
            problems.append(f"{name} has shape {tuple(own[name].shape)}; expected {fitted[name].shape}")
    if problems:
        raise MismatchError(
            "weights could not be put into your module: "
            + "; ".join(problems)
            + ". Compare its parts with the question's table"
        )
    with torch.no_grad():
        for name, value in fitted.items():
            own[name].copy_(torch.from_numpy(np.ascontiguousarray(value)))


@probe("vit")
def vit_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """Builds the student's module, injects weights, calls it once in evaluation mode.

    The case's args are the inputs of ``forward``; its kwargs are ``init`` (where ``attention`` and ``block``
    name a
    ready part), ``weights`` (parameter name → array, or None), ``call`` (keyword arguments of forward) and
    ``want``:
    ``parameters`` (name → shape) or ``gradients`` (names without one from the sum of squares of the output).
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    inputs = decode(case["args"])
    before = [item.clone() for item in inputs]
    init = {
        name: READY.get(value, value) if isinstance(value, str) else value
        for name, value in options["init"].items()
    }
    made: list[str] = []

    def watched(name: str, part: Any) -> Any:
        def make(*args: Any, **kwargs: Any) -> Any:
            made.append(name)
            return part(*args, **kwargs)

        return make

    torch.manual_seed(0)
    module = cls(**{name: watched(name, value) if callable(value) else value for name, value in init.items()})
    for name in init:
        if callable(init[name]) and name not in made and options.get("weights") is not None:
            raise MismatchError(
                f"__init__ does not use its argument `{name}`: make the part by {name}(…), since the grader"
                " passes one of its own"
            )
    if not isinstance(module, torch.nn.Module):
        raise MismatchError(f"{getattr(cls, '__name__', cls)} is not a torch.nn.Module")
    if options.get("weights") is not None:
        inject(module, options["weights"])
    module.eval()
    output = module(*inputs, **options.get("call", {}))
    found: dict[str, Any] = {"result": encode(output)}
    found["changed_inputs"] = any(not torch.equal(a, b) for a, b in zip(inputs, before, strict=True))
    want = options.get("want", [])
    if "parameters" in want:
        found["parameters"] = {
            "fields": {name: list(value.shape) for name, value in module.named_parameters()}
        }
    if "gradients" in want:
        first = output[0] if isinstance(output, tuple | list) else output
        if first.requires_grad:
            first.square().sum().backward()
        found["without_gradient"] = [name for name, value in module.named_parameters() if value.grad is None]
    return {"fields": found}


def _spying_classifier(weight: Any, bias: Any) -> Any:
    """A linear classifier of flattened images with given weights, which notes how it is called."""
    import torch

    class Spy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(weight.shape[1], weight.shape[0])
            self.calls: list[tuple[bool, bool, int]] = []  # training mode, gradients on, images

        def forward(self, images: Any) -> Any:
            self.calls.append((self.training, torch.is_grad_enabled(), len(images)))
            return self.linear(images.flatten(1))

    spy = Spy()
    with torch.no_grad():
        spy.linear.weight.copy_(weight)
        spy.linear.bias.copy_(bias)
    return spy


class _PlainSGD:
    """Gradient descent with the methods of a torch optimizer; importing torch's own costs seconds for the first one made."""

    def __init__(self, model: Any, lr: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(model.parameters()), "lr": lr}]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None

    def step(self) -> None:
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is not None:
                parameter.data -= self.param_groups[0]["lr"] * parameter.grad


@probe("train_step")
def train_step_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``train_step(model, optimizer, images, labels)`` on a toy classifier that has stale gradients and is in evaluation mode.

    Kwargs: ``weight``, ``bias``, ``images``, ``labels``, ``lr`` of plain SGD, ``steps``.
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    model = _spying_classifier(options["weight"], options["bias"])
    model.eval()
    optimizer = _PlainSGD(model, options["lr"])
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    losses = [
        function(model, optimizer, options["images"], options["labels"]) for _ in range(options["steps"])
    ]
    return {
        "fields": {
            "result": [encode(losses), encode(model.linear.weight), encode(model.linear.bias)],
            "trained": all(training for training, _, _ in model.calls),
            "calls": len(model.calls),
        }
    }


@probe("evaluate")
def evaluate_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``evaluate(model, images, labels, batch_size)`` on a toy classifier and looks at what it left behind.

    Kwargs: ``weight``, ``bias``, ``images``, ``labels``, ``batch_size``, ``training`` (the mode before).
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    model = _spying_classifier(options["weight"], options["bias"])
    model.train(options["training"])
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    result = function(model, options["images"], options["labels"], options["batch_size"])
    unchanged = torch.equal(model.linear.weight, options["weight"].float()) and torch.equal(
        model.linear.bias, options["bias"].float()
    )
    return {
        "fields": {
            "result": encode(result),
            "mode_restored": model.training == options["training"],
            "in_training_mode": any(training for training, _, _ in model.calls),
            "with_gradients": any(gradients for _, gradients, _ in model.calls),
            "largest_batch": max((images for _, _, images in model.calls), default=0),
            "unchanged": unchanged,
            "gradients_kept": all(
                p.grad is not None and bool((p.grad == 1).all()) for p in model.parameters()
            ),
        }
    }


@probe("split")
def split_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``split_rows(labels, validation, seed)`` twice with one seed and once with another."""
    labels, validation = decode(case["args"])
    return {
        "fields": {
            str(number): encode(function(labels.copy(), validation, seed))
            for number, seed in enumerate((1, 1, 2))
        }
    }


class _SpiedData(dict[str, Any]):
    """A dict that notes which keys are read."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)


@probe("fit")
def fit_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``fit(model, data, epochs, train_epoch, evaluate, path)`` with a model whose only weight is the number of its epoch.

    Kwargs: ``validation`` and ``test``, accuracy of each epoch; ``losses``; ``interrupt``, the epoch in which
        the student
    presses stop (0: never).
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    accuracies = {
        "train": [0.99] * len(options["validation"]),
        "validation": options["validation"],
        "test": options["test"],
    }
    parts = {
        name: (torch.full((2, 1, 2, 2), float(number)), torch.zeros(2).long())
        for number, name in enumerate(accuracies)
    }
    data = _SpiedData(parts)
    model = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.zero_()
    evaluated: list[str] = []

    def train_epoch(trained: Any, images: Any, labels: Any) -> float:
        epoch = int(model.weight.item()) + 1
        if epoch == options["interrupt"]:
            raise KeyboardInterrupt
        with torch.no_grad():
            model.weight.fill_(float(epoch))
        return float(options["losses"][epoch - 1])

    def evaluate(evaluated_model: Any, images: Any, labels: Any, *more: Any) -> tuple[float, float]:
        name = list(accuracies)[int(images.flatten()[0].item())]
        evaluated.append(name)
        epoch = int(model.weight.item())
        return float(options["losses"][epoch - 1]) + 0.5, float(accuracies[name][epoch - 1])

    found: dict[str, Any] = {"interrupt_reached_us": False}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "best.pt"
        history: Any = None
        try:
            history = function(model, data, len(options["validation"]), train_epoch, evaluate, str(path))
        except KeyboardInterrupt:
            found["interrupt_reached_us"] = True
        saved = torch.load(path, weights_only=True) if path.is_file() else None
        found["saved"] = (
            int(saved["weight"].item()) if isinstance(saved, dict) and "weight" in saved else None
        )
    found["left"] = int(model.weight.item())
    found["evaluated"] = sorted(set(evaluated))
    found["read"] = sorted(data.read)
    found["history"] = encode(history)
    return {"fields": found}


# --- what can be said of an answer without knowing the right one --------------------------------------------


def results(trials: Any, *keys: str) -> Iterator[tuple[Trial, Mapping[str, Any]]]:
    """The trials that gave a result of the expected form."""
    for trial in trials:
        if trial.status == "ok" and isinstance(trial.result, dict) and set(keys) <= set(trial.result):
            yield trial, trial.result


def step_problem(result: Mapping[str, Any]) -> str | None:
    """Whether a training step ran in training mode, once; else words."""
    if not result["calls"]:
        return "`train_step` never called the model."
    if not result["trained"]:
        return (
            "`train_step` ran the model in evaluation mode. An evaluation may have come just before: say"
            " `model.train()` first."
        )
    return None


def evaluation_problem(result: Mapping[str, Any], batch_size: int) -> str | None:
    """Whether an evaluation left the model as it was; else the first thing that it changed, in words."""
    if result["in_training_mode"]:
        return (
            "`evaluate` ran the model in training mode, where dropout is active. Say `model.eval()` before."
        )
    if not result["mode_restored"]:
        return (
            "`evaluate` did not restore the mode: remember `model.training` at the start and give it back"
            " with `model.train(...)`."
        )
    if result["with_gradients"]:
        return "`evaluate` recorded gradients, which costs time and memory: wrap it in `torch.no_grad()`."
    if not result["unchanged"]:
        return "`evaluate` changed the model's weights."
    if not result["gradients_kept"]:
        return "`evaluate` changed the gradients that were there. It should only look."
    if result["largest_batch"] > batch_size:
        return (
            f"`evaluate` ran {result['largest_batch']} images at once, but batch_size is {batch_size}: a"
            " large set would not fit into memory."
        )
    return None


def split_problem(labels: np.ndarray, validation: int, result: Mapping[str, Any]) -> str | None:
    """Whether rows are split in two as asked, and by the seed alone; else words. ``result`` holds two runs of seed 1, one of seed 2."""
    runs = [result[str(number)] for number in range(3)]
    for run in runs:
        if not isinstance(run, list) or len(run) != 2:
            return "`split_rows` should return two arrays: rows to train on, rows to validate on."
    pairs = [[np.asarray(part) for part in run] for run in runs]
    for train, held in pairs:
        for rows in (train, held):
            if rows.ndim != 1 or rows.dtype.kind not in "iu":
                return (
                    f"`split_rows` should return whole row numbers, not an array of dtype {rows.dtype}, shape"
                    f" {rows.shape}."
                )
        if len(held) != validation:
            return f"`split_rows` was asked for {validation} validation rows and gave {len(held)}."
        if both := len(np.intersect1d(train, held)):
            return f"{both} rows are in both parts: the model would be validated on images it was trained on."
        together = np.concatenate([train, held])
        if not np.array_equal(np.sort(together), np.arange(len(labels))):
            return (
                f"The two parts together should hold each of the {len(labels)} rows once; they hold"
                f" {len(np.unique(together))} of them."
            )
        counts = np.bincount(labels[held], minlength=int(labels.max()) + 1)
        if np.ptp(counts) > 0:
            return (
                f"The classes occur {', '.join(map(str, counts))} times among the validation rows; each"
                " should occur equally often."
            )
    if not np.array_equal(np.sort(pairs[0][1]), np.sort(pairs[1][1])):
        return "The same seed gave two different splits: draw everything from `np.random.default_rng(seed)`."
    if np.array_equal(np.sort(pairs[0][1]), np.sort(pairs[2][1])):
        return "Two different seeds gave the same split: the rows should be drawn at random."
    return None


def selection_problem(kwargs: Mapping[str, Any], result: Mapping[str, Any]) -> str | None:
    """Whether the best epoch by validation accuracy is kept, in the file and in the model; else words."""
    reached = kwargs["interrupt"] - 1 if kwargs["interrupt"] else len(kwargs["validation"])
    validation, test = list(kwargs["validation"])[:reached], list(kwargs["test"])[:reached]
    best = int(np.argmax(validation)) + 1
    if result["saved"] is None:
        return (
            "There is no checkpoint: `torch.save(model.state_dict(), path)` whenever an epoch is the best so"
            " far."
        )
    listed = ", ".join(f"{accuracy:.2f}" for accuracy in validation)
    told = (
        f"With validation accuracies {listed} epoch {best} is the best, but the checkpoint holds epoch"
        f" {result['saved']}"
    )
    if result["saved"] != best:
        why = ""
        if result["saved"] == int(np.argmax(test)) + 1 and "test" in result["evaluated"]:
            why = (
                ", the best on the *test* set. Choosing by the test set makes its accuracy too good to be"
                " true"
            )
        elif result["saved"] == reached:
            why = ", the last one. Save only when the validation accuracy is higher than ever before"
        elif result["saved"] == int(np.argmin(list(kwargs["losses"])[:reached])) + 1:
            why = ", the one with the lowest loss. Asked is the highest validation accuracy"
        return f"{told}{why}."
    if result["left"] != best:
        return (
            f"The file holds epoch {best}, the best, but the model is left with the weights of epoch"
            f" {result['left']}: load the file at the end."
        )
    return None


def data_problem(result: Mapping[str, Any]) -> str | None:
    """Whether only training and validation data were looked at; else words."""
    if "test" in result["evaluated"]:
        return "`fit` evaluates on the *test* set. Whatever is looked at during training is no longer a test."
    if "test" in result["read"]:
        return "`fit` reads `data['test']`. The test set is for one look, after all choices are made."
    if "validation" not in result["evaluated"]:
        return "`fit` never evaluates on `data['validation']`."
    return None


def history_problem(kwargs: Mapping[str, Any], result: Mapping[str, Any]) -> str | None:
    """Whether the history has one row for each finished epoch with the three numbers asked for; else words."""
    reached = kwargs["interrupt"] - 1 if kwargs["interrupt"] else len(kwargs["validation"])
    history = result["history"]
    if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
        return "`fit` should return its history, a list with one dict for each epoch."
    if len(history) != reached:
        return f"{reached} epochs were finished, but the history has {len(history)} rows."
    losses = list(kwargs["losses"])
    columns = {
        "train_loss": losses,
        "validation_loss": [loss + 0.5 for loss in losses],
        "validation_accuracy": list(kwargs["validation"]),
    }
    for epoch, row in enumerate(history):
        for key, wanted in columns.items():
            if key not in row or not isinstance(row[key], float | int):
                return f"Row {epoch} of the history has no number `{key}`; it has {', '.join(map(str, row))}."
            if abs(row[key] - wanted[epoch]) > 1e-6:
                return (
                    f"Row {epoch} of the history says {key} = {row[key]:.3g}; in that epoch it was"
                    f" {wanted[epoch]:.3g}."
                )
    return None


def interrupt_problem(kwargs: Mapping[str, Any], result: Mapping[str, Any]) -> str | None:
    """Whether an interrupt ends the training quietly, with the best so far in file and model; else words."""
    if result["interrupt_reached_us"]:
        return (
            "Stopping the kernel in the middle raised KeyboardInterrupt out of `fit`: catch it around the"
            " loop and go on with what there is."
        )
    if kwargs["interrupt"] == 1:
        return history_problem(kwargs, result)  # nothing was finished, so there is nothing to keep
    return selection_problem(kwargs, result) or history_problem(kwargs, result)


def _shown(problem: str | None, fine: str) -> tuple[bool | None, str]:
    return (problem is None, problem or fine)


@visible_check("4.6a")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for _, result in results(answers.get("train_step", ()), "trained"):
        lines.append(_shown(step_problem(result), "`train_step` trains in training mode."))
    for trial, result in results(answers.get("evaluate", ()), "mode_restored"):
        lines.append(
            _shown(
                evaluation_problem(result, trial.kwargs["batch_size"]),
                f"`evaluate` leaves the model as it was on {trial.note}.",
            )
        )
    return lines


@visible_check("4.6b")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for trial, result in results(answers.get("split_rows", ()), "0", "1", "2"):
        lines.append(
            _shown(
                split_problem(trial.args[0], trial.args[1], result),
                "`split_rows` splits one small set as asked.",
            )
        )
    for trial, result in results(answers.get("fit", ()), "saved"):
        if trial.kwargs["interrupt"]:
            lines.append(_shown(interrupt_problem(trial.kwargs, result), "An interrupt loses nothing."))
        else:
            problem = (
                selection_problem(trial.kwargs, result)
                or data_problem(result)
                or history_problem(trial.kwargs, result)
            )
            lines.append(_shown(problem, f"`fit` keeps the best epoch on {trial.note}."))
    return lines
