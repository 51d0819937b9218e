"""3.6: a function that turns a kernel into three heads whose sum is the convolution."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from autograder.declare import NOT_JUDGED, Case, Challenge, Wrong, attention, not_run
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.homework import hw
from autograder.kit import Trial

Heads = dict[str, np.ndarray]  # pos, Q, K and V of the three heads
HeadsJudge = Callable[[np.ndarray, Heads, list[np.ndarray]], Wrong | None]  # of kernel, heads and sequences


def kernels(rng: np.random.Generator) -> Iterator[Case]:
    """Kernels (3, d, out) of several sizes: a construction that only fits the example fails."""
    # first one in which no axis has the length 1, so that a mistake has one explanation
    for d, out in ((2, 3), (4, 2), (3, 3), (1, 1)):
        yield Case([rng.normal(size=(3, d, out))], note=f"a kernel of shape (3, {d}, {out})")


def example_kernels(rng: np.random.Generator) -> Iterator[Case]:
    """One kernel for the notebook that is small enough to follow by hand, then two that are not square."""
    yield Case(
        [np.array([[[1.0, 0.0], [0.0, 2.0]], [[0.0, 1.0], [1.0, 0.0]], [[-1.0, 0.0], [3.0, 1.0]]])],
        note="the example kernel (3, 2, 2)",
    )
    for d, out in ((1, 3), (3, 2)):
        yield Case([rng.normal(size=(3, d, out)).round(2)], note=f"a kernel of shape (3, {d}, {out})")


convolution = hw.question(
    "3.6",
    "Three heads make a convolution",
    topic="attention as convolution",
    minutes=20,
    difficulty="hard",
    asks={
        "each head looks at one place with more than 0.99 of its attention": (
            "heads look left, here and right"
        ),
        "the heads add up to the convolution, for kernels of any d and out": (
            "equals the convolution with the hidden kernel"
        ),
        "outputs at the two ends": NOT_JUDGED,
    },
    entries=[Challenge("conv_heads", cases=kernels, examples=example_kernels)],
)


def conv1d(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The oracle, torch's convolution: x (n, d), kernel (3, d, out) → (n - 2, out), ends not padded again."""
    import torch

    signal = torch.from_numpy(np.ascontiguousarray(x.T))[None]
    weight = torch.from_numpy(np.ascontiguousarray(kernel.transpose(2, 1, 0)))
    return np.asarray(torch.nn.functional.conv1d(signal, weight)[0].numpy().T)


def padded_inputs(identity: str, d: int) -> Iterator[np.ndarray]:
    """Sequences (n, d) for each n from 3 to 8 places, a zero token at each end."""
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(identity.encode()).digest()[:8], "big"))
    for n in range(3, public.PLACES + 1):
        x = 3 * rng.normal(size=(n, d))
        x[[0, -1]] = 0
        yield x


@convolution.check("heads look left, here and right", points=6)
def heads_look_left_here_and_right(conv_heads: list[Trial]) -> Wrong | None:
    return judge_heads(conv_heads, judge_places)


@convolution.check(points=10)
def equals_the_convolution_with_the_hidden_kernel(conv_heads: list[Trial]) -> Wrong | None:
    return judge_heads(conv_heads, judge_sum)


def judge_heads(trials: Sequence[Trial], judge: HeadsJudge) -> Wrong | None:
    """The first thing that is wrong with the heads for a hidden kernel, on sequences of every length."""
    for trial in trials:
        if trouble := not_run("conv_heads", trial):
            return trouble
        heads, problem = public.conv_arrays(trial)
        if problem:
            return Wrong(f"On {trial.note}: {problem}")
        kernel = trial.args[0]
        if wrong := judge(kernel, heads, list(padded_inputs(trial.id, kernel.shape[1]))):
            return replace(wrong, feedback=f"On {trial.note}: {wrong.feedback}")
    return None


def judge_places(kernel: np.ndarray, heads: Heads, inputs: list[np.ndarray]) -> Wrong | None:
    """Whether each head looks at its place, whatever the kernel; else words with the three maps."""
    # the longest first: there a head that looks at a wrong place shows which
    found = ((x, problem) for x in reversed(inputs) if (problem := public.conv_places_problem(heads, x)))
    x, problem = next(found, (inputs[0], None))
    if not problem:
        return None
    _, maps = public.conv_heads_output(x, heads)
    drawn = attention(
        f"Attention of your three heads over {len(x)} places",
        [str(place) for place in range(len(x))],
        {f"head {number}": head for number, head in enumerate(maps)},
    )
    return Wrong(problem, evidence=drawn)


def judge_sum(kernel: np.ndarray, heads: Heads, inputs: list[np.ndarray]) -> Wrong | None:
    """Whether the sum of the heads is the convolution with the kernel; else the likely mistake in words."""
    problem = public.conv_sum_problem(heads, inputs, kernel, conv1d)
    return Wrong(problem) if problem else None
