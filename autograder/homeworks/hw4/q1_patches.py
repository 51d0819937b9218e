"""4.1: images cut into patches, and put back."""

from __future__ import annotations

from functools import partial

import numpy as np

from autograder.declare import Challenge
from autograder.homeworks.hw4.cases import SMALL_SIZES, images_to_cut, patches_to_glue
from autograder.homeworks.hw4.common import COLUMNS_FIRST, PIXELS_TRANSPOSED
from autograder.homeworks.hw4.homework import hw
from autograder.homeworks.hw4.transformer import cut


def glue(
    patches: np.ndarray, patch_size: int, height: int, width: int, order: str = "rows", pixels: str = "rows"
) -> np.ndarray:
    """The inverse of :func:`cut`: cuts the pixels' numbers, then puts each pixel where its number says."""
    numbers = cut(np.arange(height * width).reshape(1, 1, height, width), patch_size, order, pixels).ravel()
    images = np.empty((len(patches), height * width), patches.dtype)
    images[:, numbers] = patches.reshape(len(patches), -1)
    return images.reshape(-1, 1, height, width)


PLAIN_RESHAPE = (
    "A plain reshape cuts each image into strips: the first 16 numbers in memory are not a square. Split both"
    " axes, then permute."
)

OVERLAPPING = "The windows overlap: move them by the patch size (stride=patch_size), not by one pixel."
SIDES = "Height and width are swapped, which makes no difference only for square images: height comes first."


def sides_swapped(images: np.ndarray, p: int) -> np.ndarray:
    """Rows counted by the width and columns by the height: right for square images alone."""
    batch, _, height, width = images.shape
    grid = images.reshape(batch, width // p, p, height // p, p)
    return grid.swapaxes(2, 3).reshape(batch, -1, p * p)


def sides_swapped_back(patches: np.ndarray, p: int, height: int, width: int) -> np.ndarray:
    """The same mistake on the way back."""
    grid = patches.reshape(len(patches), width // p, height // p, p, p)
    return grid.swapaxes(2, 3).reshape(-1, 1, height, width)


def overlapping(images: np.ndarray, p: int) -> np.ndarray:
    """A patch at every pixel."""
    windows = np.lib.stride_tricks.sliding_window_view(images[:, 0], (p, p), axis=(1, 2))
    return windows.reshape(len(images), -1, p * p)


patches = hw.question(
    "4.1",
    "Patches",
    topic="images as patches",
    minutes=10,
    difficulty="easy",
    asks={
        "patches, row by row, for any size that the patch size divides": "images are cut into patches",
        "the inverse, without loss": "patches are put back without loss",
    },
    entries=[
        Challenge(
            "patchify",
            cases=images_to_cut,
            examples=partial(images_to_cut, sizes=SMALL_SIZES),
            expected=cut,
            mistakes={
                PLAIN_RESHAPE.replace("16", "p·p"): lambda images, p: images.reshape(len(images), -1, p * p),
                COLUMNS_FIRST: partial(cut, order="columns"),
                OVERLAPPING: overlapping,
                SIDES: sides_swapped,
                PIXELS_TRANSPOSED: partial(cut, pixels="columns"),
            },
        ),
        Challenge(
            "unpatchify",
            cases=patches_to_glue,
            examples=partial(patches_to_glue, sizes=SMALL_SIZES),
            expected=glue,
            mistakes={
                "A plain reshape puts the pixels of a patch next to each other in one row. Reshape to six"
                " axes, then permute.": lambda cut_up, p, height, width: cut_up.reshape(-1, 1, height, width),
                "You read the patches as if they ran down the columns first.": partial(glue, order="columns"),
                SIDES: sides_swapped_back,
                PIXELS_TRANSPOSED: partial(glue, pixels="columns"),
            },
        ),
    ],
)
patches.check_cases("patchify", "images are cut into patches", points=4)
patches.check_cases("unpatchify", "patches are put back without loss", points=2)
