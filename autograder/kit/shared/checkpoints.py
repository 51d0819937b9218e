"""The probe for checkpoint questions: trained weights in a file, loaded into the student's own class.

All of it happens in the kernel, which under grading is sandboxed: the grader never opens the file. A
homework's public part says ``from autograder.kit.shared.checkpoints import …`` and the build puts this file
before it.
"""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder.kit import decode, encode, probe


class CheckpointError(Exception):
    """The file is missing, cannot be read safely, or does not fit the class; in words for the student."""


def read_checkpoint(path: Path, max_bytes: int) -> dict[str, Any]:
    """Reads a checkpoint without running anything that it holds.

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


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


@probe("checkpoint")
def checkpoint_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """Loads the file into the student's class and predicts, in evaluation mode and without gradients.

    The case's args are the inputs, whose first axes agree (none: the file is only loaded); its kwargs are
    ``file``,
    ``max_bytes``, ``init`` (of the constructor), ``call`` (keyword arguments of forward) and ``batch`` (rows
    at a time).

    Returns:
        ``result``, the predictions of all batches along the first axis; ``parameters``, how many numbers were
        loaded.
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    inputs = decode(case["args"])
    torch.manual_seed(0)
    module = cls(**options.get("init", {}))
    if not isinstance(module, torch.nn.Module):
        raise CheckpointError(f"{getattr(cls, '__name__', cls)} is not a torch.nn.Module")
    weights = read_checkpoint(Path(options["file"]), options["max_bytes"])
    load_into(module, weights, options["file"])
    module.eval()
    found: dict[str, Any] = {"result": None, "parameters": sum(value.numel() for value in weights.values())}
    if inputs:
        rows, size = len(inputs[0]), options.get("batch", 100)
        with torch.no_grad():
            outputs = [
                module(*(item[start : start + size] for item in inputs), **options.get("call", {}))
                for start in range(0, rows, size)
            ]
        found["result"] = encode(torch.cat(outputs))
    return {"fields": found}
