"""3.6: a function that turns a kernel into three heads whose sum is the convolution."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge, Wrong, attention, not_run
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.homework import hw
from autograder.kit import Trial


def kernels(rng: np.random.Generator) -> Iterator[Case]:
    """Kernels (3, d, out) of several sizes: a construction that only fits the example fails."""
    for d, out in ((1, 1), (2, 3), (4, 2), (3, 3)):
        yield Case([rng.normal(size=(3, d, out))], note=f"a kernel of shape (3, {d}, {out})")


def example_kernel(rng: np.random.Generator) -> Iterator[Case]:
    """One kernel for the notebook, small enough to follow by hand."""
    yield Case(
        [np.array([[[1.0, 0.0], [0.0, 2.0]], [[0.0, 1.0], [1.0, 0.0]], [[-1.0, 0.0], [3.0, 1.0]]])],
        note="the example kernel (3, 2, 2)",
    )


convolution = hw.question(
    "3.6",
    "Three heads make a convolution",
    topic="attention as convolution",
    minutes=20,
    difficulty="hard",
    entries=[Challenge("conv_heads", cases=kernels, examples=example_kernel)],
)


def padded_inputs(identity: str, d: int) -> Iterator[np.ndarray]:
    """Sequences (n, d) for each n from 3 to 8 places, a zero token at each end."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big"))
    for n in range(3, public.PLACES + 1):
        x = 3 * rng.normal(size=(n, d))
        x[[0, -1]] = 0
        yield x


@convolution.check("heads look left, here and right", points=8)
def heads_look_left_here_and_right(conv_heads: list[Trial]) -> Wrong | None:
    for trial in conv_heads:
        if trouble := not_run("conv_heads", trial):
            return trouble
        made, problem = public.conv_arrays(trial)
        for x in padded_inputs(trial.id, trial.args[0].shape[1]) if not problem else ():
            if problem := public.conv_places_problem(made, x):
                return Wrong(f"On {trial.note}: {problem}", evidence=three_maps(made, x))
        if problem:
            return Wrong(f"On {trial.note}: {problem}")
    return None


def three_maps(made: dict[str, np.ndarray], x: np.ndarray) -> dict[str, Any]:
    """The attention maps of the three heads on one sequence."""
    _, maps = public.conv_heads_output(x, made)
    return attention(
        f"Attention of your three heads over {len(x)} places",
        [str(place) for place in range(len(x))],
        {f"head {number}": head for number, head in enumerate(maps)},
    )


@convolution.check(points=10)
def equals_the_convolution_with_the_hidden_kernel(conv_heads: list[Trial]) -> Wrong | None:
    for trial in conv_heads:
        if trouble := not_run("conv_heads", trial):
            return trouble
        made, problem = public.conv_arrays(trial)
        for x in padded_inputs(trial.id, trial.args[0].shape[1]) if not problem else ():
            problem = problem or _convolution_problem(trial.args[0], made, x)
        if problem:
            return Wrong(f"On {trial.note}: {problem}")
    return None


def _convolution_problem(kernel: np.ndarray, made: dict[str, np.ndarray], x: np.ndarray) -> str | None:
    """What is wrong with the sum of the heads on one sequence, or None."""
    found, expected = public.conv_heads_output(x, made)[0][1:-1], conv1d(x, kernel)
    if np.allclose(found, expected, rtol=1e-3, atol=1e-3):  # soft attention with gaps of 20 leaks 1e-8
        return None
    told = (
        f"with {len(x)} places the sum of the heads differs from the convolution by up to"
        f" {np.abs(found - expected).max():.3g}."
    )
    if np.allclose(found, conv1d(x, kernel[::-1]), atol=1e-3):
        return (
            f"{told} Your kernel is flipped: kernel[0] belongs to the left neighbour (deep learning's"
            " convolution does not flip)."
        )
    swapped = kernel.transpose(0, 2, 1)
    if swapped.shape == kernel.shape and np.allclose(found, conv1d(x, swapped), atol=1e-3):
        return f"{told} Input and output channels are swapped: kernel[k] has shape (d, out)."
    return told


def conv1d(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The oracle, torch's convolution: x (n, d), kernel (3, d, out) → (n - 2, out), ends not padded again."""
    import torch

    signal = torch.from_numpy(np.ascontiguousarray(x.T))[None]
    weight = torch.from_numpy(np.ascontiguousarray(kernel.transpose(2, 1, 0)))
    return np.asarray(torch.nn.functional.conv1d(signal, weight)[0].numpy().T)
