"""4.2: patches times weights, by unfolding and by a convolution."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from autograder.declare import Answer, Challenge, Choice, Oracle, Wrong, judge_cases, wrong_on
from autograder.homeworks.hw4 import public
from autograder.homeworks.hw4.cases import embedding_inputs
from autograder.homeworks.hw4.common import COLUMNS_FIRST, FLOAT32_ATOL
from autograder.homeworks.hw4.homework import hw
from autograder.homeworks.hw4.transformer import cut


def embed(
    images: np.ndarray, weight: np.ndarray, bias: np.ndarray, order: str = "rows", flipped: str = ""
) -> np.ndarray:
    """Patches times weights (dim, p·p), plus bias: (b, patches, dim) in float64."""
    p = math.isqrt(weight.shape[1])
    kernels = weight.astype(np.float64).reshape(-1, p, p)
    kernels = (
        kernels.swapaxes(1, 2)
        if flipped == "transposed"
        else kernels[:, ::-1, ::-1]
        if flipped == "mirrored"
        else kernels
    )
    return np.asarray(cut(images.astype(np.float64), p, order) @ kernels.reshape(len(kernels), -1).T + bias)


def reshaped(images: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Channels before places (b, dim, patches), as a convolution gives them, only reshaped."""
    tokens = embed(images, weight, bias)
    return tokens.swapaxes(1, 2).reshape(tokens.shape)


def columns_reshaped(images: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Pixels before places (b, p·p, patches), as F.unfold gives them, only reshaped, then mapped."""
    patches = cut(images.astype(np.float64), math.isqrt(weight.shape[1]))
    return np.asarray(patches.swapaxes(1, 2).reshape(patches.shape) @ weight.astype(np.float64).T + bias)


EMBEDDING_MISTAKES: dict[str, Oracle] = {
    "The bias is missing.": lambda images, weight, bias: embed(images, weight, 0 * bias),
    COLUMNS_FIRST: partial(embed, order="columns"),
    "Rows and columns of each kernel are swapped: `weight.reshape(dim, 1, p, p)` needs no transpose.": (
        partial(embed, flipped="transposed")
    ),
    "Your kernels are mirrored; torch's convolution does not flip kernels.": partial(
        embed, flipped="mirrored"
    ),
    "A reshape mixes channels and patches: a convolution gives (b, dim, rows, columns), so flatten the places"
    " and transpose.": reshaped,
    "A reshape mixes pixels and patches: F.unfold gives (b, p·p, patches), so transpose the last two axes.": (
        columns_reshaped
    ),
    "The pixels are divided by 255 again; they are already numbers from 0 to 1.": (
        lambda images, weight, bias: embed(images / 255, weight, bias)
    ),
    "A ReLU follows the map; an embedding is one linear map, and its numbers may be negative.": (
        lambda images, weight, bias: np.maximum(embed(images, weight, bias), 0)
    ),
    "The bias is added twice.": lambda images, weight, bias: embed(images, weight, 2 * bias),
}

embedding = hw.question(
    "4.2",
    "Patch embedding, two ways",
    topic="patch embedding as a convolution",
    minutes=12,
    difficulty="medium",
    asks={
        "unfold and a linear map": "unfold and a linear map",
        "a strided convolution": "a strided convolution",
    },
    entries=[
        *(
            Challenge(
                name,
                cases=embedding_inputs,
                examples=partial(embedding_inputs, sizes=((1, 4, 6, 2, 3), (2, 6, 6, 3, 2))),
                expected=embed,
                mistakes=EMBEDDING_MISTAKES,
                atol=FLOAT32_ATOL,
            )
            for name in ("embed_by_unfold", "embed_by_convolution")
        ),
        Choice(
            "patch_convolution",
            options={
                "A": "kernel 4×4, stride 1, 64 output channels",
                "B": "kernel 16×16, stride 16, one output channel",
                "C": "kernel 4×4, stride 4, 64 output channels",
                "D": "kernel 1×1, stride 4, 64 output channels",
            },
            correct="C",
            why={
                "A": "with stride 1 the windows overlap: 25×25 tokens instead of 7×7.",
                "B": (
                    "16 is the number of pixels in a patch, not its side length; and one channel gives one"
                    " number for each token, not 64."
                ),
                "D": "a 1×1 kernel sees one pixel of each patch; it ignores the others.",
            },
            points=1,
        ),
    ],
)


def two_ways(name: str, label: str) -> None:
    """Adds the check of one way: right values, by the operation that the question names."""

    @embedding.check(label, points=3, needs=[name])
    def right_and_that_way(answer: Answer) -> Wrong | None:
        challenge = next(one for one in embedding.entries if isinstance(one, Challenge) and one.name == name)
        trials = answer[name]
        return judge_cases(challenge, trials) or next(
            (wrong for trial in trials if (wrong := wrong_on(trial, public.way_problem(name, trial.result)))),
            None,
        )


two_ways("embed_by_unfold", "unfold and a linear map")
two_ways("embed_by_convolution", "a strided convolution")
