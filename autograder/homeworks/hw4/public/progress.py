"""Progress of a training, and a safe way to save and continue it."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

FRAMES = 24  # at most two more are kept of a watched table


def with_progress(epochs: int, history: list[dict[str, float]], clock: Any = time.monotonic) -> Iterator[int]:
    """Counts epochs from 1; after each, shows the history's last row, the time spent and what is left."""
    started = clock()
    for epoch in range(1, epochs + 1):
        if epoch == 1:
            print(
                f"epoch 1 of {epochs} is running; an estimate of the time follows after it. Interrupt the"
                " kernel to stop early.",
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
    """``torch.save`` in one move: an interrupt leaves the old file or the new one, never half of one.

    Tensors of a state dict are written from the CPU, so that the file opens on any machine.
    """
    import torch

    if isinstance(state, Mapping):
        state = {name: value.cpu() if torch.is_tensor(value) else value for name, value in state.items()}
    draft = f"{path}.part"
    torch.save(state, draft)
    os.replace(draft, path)


def resume_file(path: str | os.PathLike[str]) -> Path:
    """Where the state of an unfinished training lies, beside its checkpoint."""
    return Path(f"{path}.resume")


def unfinished(path: str | os.PathLike[str]) -> bool:
    """Whether a training that writes this checkpoint was cut off and can be continued."""
    return resume_file(path).is_file()


def resumable_fit(
    fit: Callable[..., list[dict[str, float]]],
    model: Any,
    data: Mapping[str, tuple[Any, Any]],
    epochs: int,
    training: tuple[Any, Any, Callable[..., float]],
    evaluate: Callable[..., tuple[float, float]],
    path: str | os.PathLike[str],
    watched: str = "",
) -> list[dict[str, float]]:
    """Calls ``fit``, and continues where an interrupt or a lost session ended an earlier call.

    After each epoch, model, optimizer, schedule, random numbers, history and the best accuracy are kept in a
    file beside the checkpoint; a finished training deletes it. A file of another model, or of a training of
    another length, is put aside and training starts anew.

    Args:
        fit: the answer to 4.6b.
        evaluate: the answer to 4.6a.
        model: where its parameters are, the data is too.
        data: by the names that ``fit`` uses.
        epochs: of the whole training.
        training: optimizer, schedule and ``train_epoch``.
        path: of the checkpoint, which holds the best weights of all sessions at any time.
        watched: name of a parameter of ``model``; how it changed is kept for :func:`table_frames`.

    Returns:
        The history of all sessions.
    """
    import torch

    optimizer, schedule, train_epoch = training
    kept, parts = resume_file(path), {"model": model, "optimizer": optimizer, "schedule": schedule}
    earlier = _earlier(kept, parts, epochs)
    rows, losses = list(earlier), [0.0]
    table = getattr(model, watched, None) if watched else None

    def keep_frame() -> None:
        if torch.is_tensor(table) and (len(rows) % -(-epochs // FRAMES) == 0 or len(rows) == epochs):
            keep_table(table, len(rows), path)

    if not earlier:
        table_file(path).unlink(missing_ok=True)
        keep_frame()

    def train_and_note(*args: Any) -> float:
        losses.append(train_epoch(*args))
        return losses[-1]

    def evaluate_and_keep(evaluated: Any, images: Any, *more: Any) -> tuple[float, float]:
        loss, accuracy = evaluate(evaluated, images, *more)
        if images is not data["validation"][0]:
            return loss, accuracy
        if earlier and accuracy > max(row["validation_accuracy"] for row in rows):
            best_weights = model.state_dict()
            save_safely(best_weights, path)
        rows.append({"train_loss": losses[-1], "validation_loss": loss, "validation_accuracy": accuracy})
        state = {name: part.state_dict() for name, part in parts.items()}
        save_safely({**state, "rng": torch.get_rng_state(), "epochs": epochs, "history": list(rows)}, kept)
        keep_frame()
        return loss, accuracy

    # a continued training writes its own best beside the checkpoint, which may hold a better one
    target = f"{path}.continued" if earlier else path
    found = fit(model, data, epochs - len(earlier), train_and_note, evaluate_and_keep, target)
    Path(f"{path}.continued").unlink(missing_ok=True)
    history = rows if len(rows) > len(earlier) else [*earlier, *(found or [])]
    if len(history) >= epochs:
        kept.unlink(missing_ok=True)
    else:
        print(f"{len(history)} of {epochs} epochs are done. Run this cell again to continue.")
    return history


def table_file(path: str | os.PathLike[str]) -> Path:
    """Where the frames of a watched table lie, beside the checkpoint."""
    return Path(path).with_suffix(".frames.npz")


def table_frames(path: str | os.PathLike[str]) -> tuple[list[int], np.ndarray]:
    """How a watched table changed in the training that wrote this checkpoint.

    Args:
        path: of the checkpoint.

    Returns:
        After which epochs the table was kept (0: before training), and the table then, (frames, …) in
        float32. Both are empty where nothing was kept.
    """
    try:
        with np.load(table_file(path)) as kept:
            return [int(epoch) for epoch in kept["epochs"]], kept["tables"].astype(np.float32)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):  # none, or damaged
        return [], np.zeros(0, np.float32)


def keep_table(table: Any, epoch: int, path: str | os.PathLike[str]) -> None:
    """Adds a table to the frames beside a checkpoint; frames of this epoch and later ones are replaced."""
    found, tables = table_frames(path)
    now = table.detach().cpu().numpy()
    known = found if tables.shape[1:] == now.shape else []
    before = sum(one < epoch for one in known)
    kept = [*tables[:before], now]
    draft = Path(f"{path}.part.npz")
    np.savez(draft, epochs=[*found[:before], epoch], tables=np.asarray(kept, np.float16))
    os.replace(draft, table_file(path))


def _earlier(kept: Path, parts: Mapping[str, Any], epochs: int) -> list[dict[str, float]]:
    """The history of a training that was cut off, its state loaded; empty where there is none to continue."""
    import torch

    if not kept.is_file():
        return []
    try:
        state = torch.load(kept, weights_only=True, map_location="cpu")
        if state["epochs"] != epochs:
            raise ValueError(f"it was to run {state['epochs']} epochs, not {epochs}")
        for name, part in parts.items():
            part.load_state_dict(state[name])
        torch.set_rng_state(state["rng"])
    except Exception as error:  # damaged, or of another class: whatever it is, a new training is possible
        print(f"{kept} cannot be continued ({error}); training starts anew.")
        kept.unlink(missing_ok=True)
        return []
    print(f"Continued after epoch {len(state['history'])} of {epochs}.", flush=True)
    return list(state["history"])
