"""Progress of a training, and a safe way to save it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any


def with_progress(epochs: int, history: list[dict[str, float]], clock: Any = time.monotonic) -> Iterator[int]:
    """Counts epochs from 1; after each, shows the history's last row, the time spent and what is left."""
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
