"""4.7: trained weights in a file, judged by their accuracy on hidden images."""

from __future__ import annotations

import math

import numpy as np

from autograder.declare import NOT_JUDGED, Checkpoint, Right, Wrong, not_run, result_of
from autograder.homeworks.hw4 import public
from autograder.homeworks.hw4.common import confusion
from autograder.homeworks.hw4.hidden import file_alone, hidden_labels, image_batches
from autograder.homeworks.hw4.homework import hw
from autograder.kit import Trial, describe

# Accuracy on the hidden images. Two trainings of about 15 minutes on the subset reached 80.5% and 81.8%; FULL
# leaves room
# for a less lucky one. For all 60,000 images 89.3% and 92.3% are published; these 400 images are harder than
# most: our model
# of 89.3% on the official 10,000 has 85.8% here, so that 88.5% here stands for about 92.3%.
NOTHING, FULL = 0.40, 0.78
PUBLISHED = (
    0.93  # above what is published for Vision Transformers of this size, on the easier official images
)
BONUS_FROM, BONUS_TO, BONUS = 0.83, 0.885, 5.0

trained = hw.question(
    "4.7",
    "Train a model and submit its checkpoint",
    topic="training on FashionMNIST",
    minutes=13,
    difficulty="medium",
    asks={
        "a checkpoint that classifies hidden images": "accuracy on hidden images",
        "a Vision Transformer: patches, mixed by attention (otherwise half of the points)": (
            "accuracy on hidden images"
        ),
        "training that can be resumed, on any device": NOT_JUDGED,
    },
    entries=[
        Checkpoint(
            "Classifier",
            cases=image_batches,
            examples=file_alone,
            file="hw4_vision_transformer.pt",
            max_bytes=4_000_000,
        )
    ],
)


def same_without_weights(logits: np.ndarray, forgotten: list[object]) -> bool:
    """Whether guesses stay as they were for most images once the weights are spoiled."""
    return any(
        isinstance(spoiled, np.ndarray)
        and spoiled.ndim == 2
        and spoiled.shape == logits[: len(spoiled)].shape
        and float((spoiled.argmax(-1) == logits[: len(spoiled)].argmax(-1)).mean()) > 0.5
        for spoiled in forgotten
    )


@trained.check(points=15)
def accuracy_on_hidden_images(Classifier: list[Trial]) -> Wrong | Right | None:
    table = np.zeros((10, 10), dtype=int)  # true class, guess
    for trial in Classifier:
        if trouble := not_run("Classifier", trial):
            return trouble
        images = trial.args[0]
        logits = trial.result["result"]
        if not isinstance(logits, np.ndarray) or logits.shape != (len(images), 10):
            return Wrong(
                f"{len(images)} images should give logits of shape ({len(images)}, 10), but gave"
                f" {describe(logits)}."
            )
        if not np.isfinite(logits).all():
            return Wrong("The model's logits contain NaN or infinity.")
        np.add.at(table, (result_of(hidden_labels, trial), logits.argmax(-1)), 1)
    seen, guesses = int(table.sum()), np.flatnonzero(table.sum(0))
    accuracy = float(np.trace(table) / seen)
    error = math.sqrt(accuracy * (1 - accuracy) / seen)
    told = f"Your checkpoint classifies {accuracy:.1%} of {seen} hidden images (standard error {error:.1%})"
    first = Classifier[0].result
    if accuracy > NOTHING and same_without_weights(first["result"], first.get("forgotten", [])):
        return Wrong(
            f"{told}, but its guesses stay the same when all numbers of the file are shuffled or replaced by"
            " their mean. So its guesses do not come from the weights, and earn no points.",
            measured=accuracy,
        )
    if accuracy > NOTHING and (seen := first.get("seen")) and (problem := public.transformer_problem(seen)):
        share = min(max((accuracy - NOTHING) / (FULL - NOTHING), 0.0), 1.0)
        return Wrong(
            f"{told}. {problem} Therefore it earns half of the points.", earned=share / 2, measured=accuracy
        )
    if accuracy > PUBLISHED:
        told += ", more than is published for such models; your instructor will ask how it was trained"
    if accuracy >= FULL:
        share = min(max((accuracy - BONUS_FROM) / (BONUS_TO - BONUS_FROM), 0.0), 1.0)
        return Right(
            f"{told}." + (f" Bonus: {share * BONUS:.1f} of {BONUS:g} points." if share else ""),
            bonus=share * BONUS,
            measured=accuracy,
        )
    share = max((accuracy - NOTHING) / (FULL - NOTHING), 0.0)
    advice = "Train for more epochs, and watch the validation accuracy."
    if len(guesses) == 1:
        advice = "It gives every image the same class. Was it trained, and were the images divided by 255?"
    elif accuracy < 0.2 and table.max(0).sum() < 0.5 * seen:
        advice = (
            "That is near chance. Is this the file that `fit` wrote, and did the training finish its first"
            " epochs?"
        )
    elif accuracy < 0.2:
        advice = (
            "Most images of a class get the same wrong class."
            " Were the classes numbered otherwise in training?"
        )
    shown = confusion("Guesses of your checkpoint on the hidden images", table)
    return Wrong(
        f"{told}; points rise from {NOTHING:.0%} to {FULL:.0%}. {advice}",
        earned=share,
        measured=accuracy,
        evidence=shown,
    )
