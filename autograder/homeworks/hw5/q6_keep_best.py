"""5.6d: keeping the epoch with the best validation accuracy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autograder.declare import Case, Challenge
from autograder.homeworks.hw5.homework import hw


def scripted(rng: np.random.Generator) -> Iterator[Case]:
    """Accuracies by epoch whose best one is in the middle, first, last; with a tie."""
    yield Case([np.array([0.6, 0.7, 0.9, 0.8])], note="accuracies 0.6, 0.7, 0.9, 0.8", probe="keep_best")
    yield Case(
        [np.array([0.45, 0.4, 0.3])], note="the first epoch the best, all below one half", probe="keep_best"
    )
    yield Case(
        [np.array([0.5, 0.7, 0.7, 0.6])],
        note="a tie of epochs 2 and 3 (the earlier counts)",
        probe="keep_best",
    )
    yield Case([np.array([0.5, 0.6, 0.9])], note="the last epoch the best", probe="keep_best")
    for epochs in (5, 7):
        accuracies = 0.5 + rng.permutation(epochs) / 20
        yield Case([accuracies], note=f"{epochs} epochs in random order", probe="keep_best")


def kept(accuracies: np.ndarray, epoch: int) -> list[np.ndarray]:
    """What the probe sees when the weights of one epoch (from 1) are kept."""
    return [accuracies, np.array(float(epoch)), np.array(float(epoch))]


def _shifted(accuracies: np.ndarray) -> list[np.ndarray]:
    """What comes of validating before each epoch: 0.5 for the untrained model, then one epoch late."""
    seen = np.append(0.5, accuracies[:-1])
    return kept(seen, int(np.argmax(seen)) + 1)


best = hw.question(
    "5.6d",
    "Keep the best epoch",
    minutes=8,
    difficulty="medium",
    asks={
        "weights and buffers of the best epoch, the earlier one in a tie": (
            "the best epoch's weights come back"
        ),
    },
    entries=[
        Challenge(
            "keep_best",
            cases=scripted,
            expected=lambda accuracies: kept(accuracies, int(np.argmax(accuracies)) + 1),
            mistakes={
                (
                    "The model ends with the weights of the last epoch. Load the best weights at the end."
                    " state_dict() contains the live tensors, not copies: clone them (copy.deepcopy)."
                ): lambda accuracies: kept(accuracies, len(accuracies)),
                "In a tie, the later epoch was kept; replace the best only if the new one is better.": (
                    lambda accuracies: kept(accuracies, len(accuracies) - int(np.argmax(accuracies[::-1])))
                ),
                (
                    "You call validate() before train_one_epoch(), so the accuracies are one epoch late."
                ): lambda accuracies: _shifted(accuracies),
                "The model has the weights from before the best epoch; copy them after validate().": (
                    lambda accuracies: kept(accuracies, int(np.argmax(accuracies)))
                ),
                "The worst epoch was kept: higher accuracy is better.": lambda accuracies: kept(
                    accuracies, int(np.argmin(accuracies)) + 1
                ),
                (
                    "The weights are those of the best epoch, but the buffers are not: copy the whole"
                    " state_dict()."
                ): lambda accuracies: [
                    accuracies,
                    np.array(np.argmax(accuracies) + 1.0),
                    np.array(float(len(accuracies))),
                ],
            },
        )
    ],
)
best.check_cases("keep_best", "the best epoch's weights come back", points=3)
