"""The probe for checkpoint questions: trained weights in a file, loaded into the student's own class.

All of it happens in the kernel, which under grading is sandboxed: the grader never opens the file. A
homework's public part says ``from autograder.kit.shared.checkpoints import …`` and the build puts this file
before it.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from autograder.kit import decode, encode, probe, seed_torch
from autograder.kit.probes import register
from autograder.kit.shared.modules import require_module, take_inputs_of_own_dtype

Look = Callable[[Any, Mapping[str, Any]], Any]  # (loaded module, keyword arguments of forward) → plain values
LOOKS: dict[str, Look] = {}
FORGOTTEN = 50  # inputs that are predicted again without the weights; chance agrees on few of so many
WRAPPINGS = ("state_dict", "model_state_dict", "model", "weights", "net")  # usual names in a training state


def look(name: str) -> Callable[[Look], Look]:
    """Registers a function that looks at a loaded module, which a checkpoint's case may name."""
    return register(LOOKS, "look", name)


class CheckpointError(Exception):
    """The file is missing, cannot be read safely, or does not fit the class; in words for the student."""


def read_checkpoint(path: Path, max_bytes: int) -> dict[str, Any]:
    """Reads a checkpoint without running anything that it holds.

    A training state such as ``{"model": model.state_dict(), "epoch": 3}`` is read too: its weights count.

    Args:
        path: a file that ``torch.save(model.state_dict(), path)`` wrote.
        max_bytes: what it may measure, as a file and unpacked.

    Returns:
        Parameter name → tensor on the CPU, every number finite.

    Raises:
        CheckpointError: in words what is wrong and what to do.
    """
    import torch

    name = path.name
    if not path.is_file():
        raise CheckpointError(
            f"there is no file {name} beside the notebook. Train, save it under this name, and hand it in"
            " with the notebook"
        )
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(info.file_size for info in archive.infolist()))
    if size > max_bytes:
        raise CheckpointError(
            f"{name} is larger than {max_bytes / 1e6:g} MB. Save model.state_dict() alone (as float16 if"
            " need be)"
        )
    try:
        loaded = torch.load(path, weights_only=True, map_location="cpu")
    except pickle.UnpicklingError:
        advice = "Save model.state_dict(), not the model itself: torch.save(model.state_dict(), file name)"
        raise CheckpointError(
            f"{name} holds something other than plain tensors, or is damaged; it was not loaded. {advice}"
        ) from None
    except Exception as error:
        raise CheckpointError(
            f"{name} cannot be read ({type(error).__name__}): damaged, empty, or not written by torch.save"
        ) from None
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        raise CheckpointError(
            f"{name} holds a {type(loaded).__name__}, not a dict of named tensors. Save model.state_dict()"
        )
    inner = [loaded[key] for key in WRAPPINGS if isinstance(loaded.get(key), dict)]
    loaded = dict(inner[0]) if inner else loaded
    for key, value in loaded.items():
        if not isinstance(value, torch.Tensor) or value.layout != torch.strided:
            raise CheckpointError(
                f"{name}: {key} is a {type(value).__name__}, not a tensor. Save model.state_dict() alone, no"
                " optimizer, no history"
            )
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise CheckpointError(
                f"{name}: {key} holds NaN or infinity. Did the training diverge, or float16 overflow?"
            )
    return loaded


def load_into(module: Any, weights: Mapping[str, Any], name: str) -> None:
    """Loads a checkpoint into the student's module, every name and shape exact.

    Raises:
        CheckpointError: names or shapes differ, with the first few of each kind.
    """
    import torch

    own, problems = module.state_dict(), []
    weights = _unwrapped(weights, set(own))
    where = type(module).__name__
    missing, extra = [key for key in own if key not in weights], [key for key in weights if key not in own]
    if missing:
        problems.append(f"it lacks {_some(missing)}")
    if extra:
        problems.append(f"it has {_some(extra)}, which {where} does not")
    for key in own:
        if key in weights and own[key].shape != weights[key].shape:
            problems.append(
                f"{key} has shape {tuple(weights[key].shape)}, but {tuple(own[key].shape)} in {where}"
            )
    if problems:
        told = "; ".join(problems[:4]) + (f"; and {len(problems) - 4} more" if len(problems) > 4 else "")
        raise CheckpointError(
            f"{name} does not fit your class {where}: {told}. Did the class change after the training?"
        )
    with torch.no_grad():
        module.load_state_dict(weights, strict=True)


def _unwrapped(weights: Mapping[str, Any], own: set[str]) -> Mapping[str, Any]:
    """Weights without what ``torch.compile`` and ``DataParallel`` put before names, where that fits."""
    if set(weights) == own:
        return weights
    renamed = {name.replace("_orig_mod.", ""): value for name, value in weights.items()}
    if all(name.startswith("module.") for name in renamed):
        renamed = {name.removeprefix("module."): value for name, value in renamed.items()}
    return renamed if len(renamed) == len(weights) else weights


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@probe("checkpoint")
def checkpoint_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """Loads the file into the student's class and predicts, in evaluation mode and without gradients.

    The case's args are the inputs, whose first axes agree (none: the file is only loaded); its kwargs are
    ``file``, ``max_bytes``, ``init`` (of the constructor), ``call`` (keyword arguments of forward), ``batch``
    (rows at a time), ``forget`` (whether to predict some of the first batch again with weights that were made
    useless) and ``look`` (the name of a function registered by :func:`look`).

    Returns:
        ``result``, the predictions of all batches along the first axis; ``parameters``, how many numbers were
        loaded; ``forgotten``, the predictions of the first 50 inputs with shuffled and with constant weights;
        ``seen``, what the look returned.
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    inputs, call = decode(case["args"]), options.get("call", {})
    seed_torch(0)
    module = cls(**options.get("init", {}))
    require_module(module)
    weights = read_checkpoint(Path(options["file"]), options["max_bytes"])
    load_into(module, weights, options["file"])
    take_inputs_of_own_dtype(module).eval()
    found: dict[str, Any] = {"result": None, "parameters": sum(value.numel() for value in weights.values())}
    with torch.no_grad():
        if inputs:
            size = options.get("batch", 100)
            parts = [
                [item[start : start + size] for item in inputs] for start in range(0, len(inputs[0]), size)
            ]
            predicted = [module(*part, **call) for part in parts]
            if other := [one for one in predicted if not isinstance(one, torch.Tensor)]:
                raise CheckpointError(
                    f"the model should return one tensor, but it returned a {type(other[0]).__name__}"
                )
            found["result"] = encode(torch.cat(predicted) if len(predicted) > 1 else predicted[0])
        if options.get("look"):
            found["seen"] = encode(LOOKS[options["look"]](module, call))
        if inputs and options.get("forget"):
            few = [part[:FORGOTTEN] for part in parts[0]]
            found["forgotten"] = [
                encode(predicted) for predicted in _without_weights(module, lambda: module(*few, **call))
            ]
    return {"fields": found}


def _without_weights(module: Any, predict: Callable[[], Any]) -> list[Any]:
    """What a module predicts once its numbers are shuffled, then once they are all their mean.

    A model that cannot run so uses its weights; its predictions are missing.
    """
    import torch

    kept = {name: value.clone() for name, value in module.state_dict().items()}

    def shuffled(value: Any) -> Any:
        return value.flatten()[torch.randperm(value.numel())].reshape(value.shape)

    def constant(value: Any) -> Any:
        return torch.full_like(value, value.mean()) if value.is_floating_point() else shuffled(value)

    predictions = []
    for spoiled in (shuffled, constant):
        module.load_state_dict({name: spoiled(value) for name, value in kept.items()})
        try:
            predictions.append(predict())
        except Exception:
            predictions.append(None)
    module.load_state_dict(kept)
    return predictions
