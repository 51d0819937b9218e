"""hw4's hidden images: official test images, changed a little by the seed, and whose label each has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

import numpy as np

from autograder.declare import Case

BATCH = 200  # images of one case; the file is read anew for each
# Over 20 seeds the reference stays within one point of 80.5% (a test); with more shifts it does not.
SHIFTED, CONTRAST = 0.03, 0.95  # share of images; lowest contrast


@cache
def hidden_images() -> tuple[np.ndarray, np.ndarray]:
    """400 official test images that the notebook's data does not contain, 40 of each class.

    Returns:
        The images (400, 28, 28), uint8, and their labels.
    """
    with (
        resources.files("autograder").joinpath("data/fashion_mnist_hidden.npz").open("rb") as file,
        np.load(file) as held,
    ):
        return held["images"], held["labels"]


def moved(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Images (n, 28, 28) shifted by whole pixels; what comes in is black."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    return padded[:, 1 - down : 29 - down, 1 - right : 29 - right]


def varied(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Images (n, 28, 28), uint8, some shifted by a pixel, each with a contrast of its own.

    No table of the images' bytes or hashes that somebody made before knows them.
    """
    shifts = rng.integers(-1, 2, size=(len(images), 2)) * (rng.random(len(images)) < SHIFTED)[:, None]
    shifted = np.stack(
        [moved(image[None], down, right)[0] for image, (down, right) in zip(images, shifts, strict=True)]
    )
    contrast = rng.uniform(CONTRAST, 1, size=(len(images), 1, 1))
    return np.round(contrast * shifted).astype(np.uint8)


def image_batches(rng: np.random.Generator) -> Iterator[Case]:
    """The hidden images, order and changes drawn from the seed, as in the notebook: float32 from 0 to 1.

    With the first batch the grader also looks at what the model is: whether it mixes patches by attention,
    and whether its predictions depend on its weights.
    """
    images = varied(hidden_images()[0], rng).astype(np.float32) / np.float32(255)
    for number, rows in enumerate(rng.permutation(len(images)).reshape(-1, BATCH)):
        more = {"forget": True, "look": "vision_transformer"} if number == 0 else {}
        yield Case([images[rows][:, None]], more, note="hidden images")


def file_alone(rng: np.random.Generator) -> Iterator[Case]:
    """For the notebook: the file is loaded and the model looked at, with no image."""
    yield Case([], {"look": "vision_transformer"}, note="your checkpoint")


@cache
def _known() -> tuple[np.ndarray, np.ndarray]:
    """All hidden images in all shifts as rows of length 1 around mean 0, and the label of each row."""
    images, labels = hidden_images()
    places = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    rows = np.concatenate(
        [moved(images.astype(np.float32), *place).reshape(len(images), -1) for place in places]
    )
    return _standard(rows), np.tile(labels, len(places))


def _standard(rows: np.ndarray) -> np.ndarray:
    centered = rows - rows.mean(1, keepdims=True)
    return np.asarray(centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-9))


def hidden_labels(images: np.ndarray, **_options: Any) -> np.ndarray:
    """The labels of changed hidden images (n, 1, 28, 28): they never enter a kernel, so the images tell."""
    rows, labels = _known()
    return np.asarray(labels[(_standard(images.reshape(len(images), -1)) @ rows.T).argmax(1)])
