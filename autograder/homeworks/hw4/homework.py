"""hw4: a Vision Transformer for FashionMNIST.

Structure is judged with injected weights on small random inputs, against float64 NumPy; the training loops on
toy models; the checkpoint on 400 official test images that the notebook's data does not contain.
"""

from __future__ import annotations

from pathlib import Path

from autograder import kit
from autograder.declare import Data, DataUnavailableError, Homework
from autograder.homeworks.hw4.public.images import FASHION_FILE

PACKAGE = Path(kit.__file__).parents[1]
IMAGE_FOLDERS = (PACKAGE / "data", PACKAGE.parent / "notebooks" / "data")  # wheel, checkout


def images_file() -> bytes:
    """The notebook's images, which hold none of the hidden ones.

    Raises:
        DataUnavailableError: they are in none of the folders.
    """
    for folder in IMAGE_FOLDERS:
        if (path := folder / FASHION_FILE).is_file():
            return path.read_bytes()
    told = f"{FASHION_FILE} is in none of the folders {', '.join(map(str, IMAGE_FOLDERS))}"
    raise DataUnavailableError(f"{told}; put the file of the project's notebooks/data there.")


def verify() -> str:
    """Says that the notebook's images are there."""
    return f"Homework 4: its images are there ({len(images_file()) / 1e6:.1f} MB)."


hw = Homework(
    "hw4",
    title="A Vision Transformer on FashionMNIST",
    stem="hw4_vision_transformer",
    data=Data(verify=verify, beside={FASHION_FILE: images_file}),
)
