"""3.6: whether three heads make a convolution."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.homeworks.hw3.public.model import PLACES, attend, is_uniform, listed, with_places
from autograder.kit import IN_PLACE, Trial, check_shapes, visible_check

HEAD_SHAPES = {"pos": (PLACES, "p"), "Q": (3, "d+p", "qk"), "K": (3, "d+p", "qk"), "V": (3, "d+p", "out")}


def conv_arrays(trial: Trial) -> tuple[dict[str, np.ndarray], str | None]:
    """The four arrays that ``conv_heads`` returned, by name, or what is wrong with them."""
    kernel, output = np.asarray(trial.args[0]), trial.output
    if output is None:
        return {}, "`conv_heads` returned None: is `return` missing?"
    if not isinstance(output, list) or len(output) != 4:
        return {}, "`conv_heads` should return four arrays: pos, Q, K, V."
    if trial.changed_inputs:
        return {}, f"`conv_heads` {IN_PLACE}"
    arrays = dict(zip(HEAD_SHAPES, output, strict=True))
    for name, value in arrays.items():  # three arrays in a list are as good as one
        with contextlib.suppress(ValueError, TypeError):
            arrays[name] = np.asarray(value) if isinstance(value, list) else value
    d, out = kernel.shape[1:]
    shapes = {
        name: tuple(str(dim).replace("d+p", f"{d}+p").replace("out", str(out)) for dim in shape)
        for name, shape in HEAD_SHAPES.items()
    }
    problems = check_shapes(shapes, arrays)
    V, p = np.asarray(arrays["V"]), np.asarray(arrays["pos"]).shape[-1:]
    if problems and d != out and p and V.shape == (3, out + p[0], d):
        problems.append("Is each kernel[i] transposed? It maps d numbers to out numbers.")
    return arrays, " ".join(problems) or None


def conv_heads_output(x: np.ndarray, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Three heads side by side, outputs added: (n, out), and their attention maps (3, n, n)."""
    places = with_places(x, arrays["pos"])
    heads = [attend(places, arrays["Q"][h], arrays["K"][h], arrays["V"][h]) for h in range(3)]
    return np.sum([output for output, _ in heads], axis=0), np.stack([weights for _, weights in heads])


def conv_places_problem(arrays: Mapping[str, np.ndarray], x: np.ndarray) -> str | None:
    """Whether the heads look, one each, at the left, own and right place, ends not counted; else words."""
    _, weights = conv_heads_output(x, arrays)
    inner = np.arange(1, len(x) - 1)
    offsets = []
    for head in weights:
        fits = [offset for offset in (-1, 0, 1) if head[inner, inner + offset].min() > 0.99]
        offsets.append(fits[0] if fits else None)
    if sorted(o for o in offsets if o is not None) == [-1, 0, 1]:
        return None
    for number, offset in enumerate(offsets):
        if offset is None:
            row = weights[number][1]
            if is_uniform(weights[number]):
                return (
                    f"Head {number}: every position gets the same score. It must look at one place: left, own"
                    " or right."
                )
            told = (
                f"Head {number} has the attention {listed(row)} at place 1 of {len(x)}; it must look at one"
                " place with nearly all weight: the left neighbor, the place itself or the right neighbor."
            )
            d = x.shape[1]
            if np.any(arrays["Q"][number][:d]) or np.any(arrays["K"][number][:d]):
                told += f" The rows of Q and K that see the token, the first {d}, are not all zero."
            return told
    return f"The heads look at the offsets {offsets}; you need each of -1, 0 and +1 once."


Convolution = Callable[[np.ndarray, np.ndarray], np.ndarray]  # x (n, d), kernel (3, d, out) → (n - 2, out)


def plain_convolution(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The convolution of the notebook's formula; the ends of x are there to look at and give nothing."""
    return np.asarray(sum(x[tap : len(x) - 2 + tap] @ kernel[tap] for tap in range(3)))


def conv_sum_problem(
    arrays: Mapping[str, np.ndarray],
    inputs: Sequence[np.ndarray],
    kernel: np.ndarray,
    convolution: Convolution = plain_convolution,
) -> str | None:
    """Whether the sum of the heads is the convolution with the kernel on each input; else words.

    They name a mistake that explains all inputs: among three places only the middle tap meets no zero token.
    """
    found = [conv_heads_output(x, arrays)[0][1:-1] for x in inputs]
    for x, output in zip(inputs, found, strict=True):
        expected = convolution(x, kernel)
        if not _alike(output, expected):  # soft attention with gaps of 20 leaks 1e-8
            place = int(np.argwhere(~np.isclose(output, expected, rtol=1e-3, atol=1e-3).all(-1))[0, 0])
            told = (
                f"With {len(x)} places the heads give {listed(output[place])} at place {place + 1}, the"
                f" convolution {listed(expected[place])}."
            )
            return f"{told} {_conv_mistake(arrays, inputs, found, kernel, convolution)}".rstrip()
    return None


def _alike(found: np.ndarray, expected: np.ndarray) -> bool:
    return np.allclose(found, expected, rtol=1e-3, atol=1e-3)


def _conv_mistake(
    arrays: Mapping[str, np.ndarray],
    inputs: Sequence[np.ndarray],
    found: Sequence[np.ndarray],
    kernel: np.ndarray,
    convolution: Convolution,
) -> str:
    """A mistake that explains what the heads give on every input, in words; empty if none does."""
    if not all(np.isfinite(output).all() for output in found):
        return "Scores or values are too large for a float: take smaller numbers."
    d, V = kernel.shape[1], np.array(arrays["V"], dtype=float)
    of_tokens = {**arrays, "V": np.concatenate([V[:, :d], 0 * V[:, d:]], axis=1)}
    if all(_alike(conv_heads_output(x, of_tokens)[0][1:-1], convolution(x, kernel)) for x in inputs):
        return "The rows of V that see the place add to the output; they must be zero."
    if all(_leading(x, arrays) and _alike(_sharp_output(x, arrays), convolution(x, kernel)) for x in inputs):
        return (
            "Each head looks at the right place, but too softly: the other places still count. Make the gap"
            " larger."
        )
    square = kernel.shape[1] == kernel.shape[2]
    readings = {
        "Your kernel is flipped: kernel[0] belongs to the left neighbor (deep learning's convolution does not"
        " flip).": kernel[::-1],
        "Each kernel[i] is transposed: rows are tokens here, so a token is multiplied from the"
        " left.": kernel.transpose(0, 2, 1) if square else kernel,
        "The left and the right tap are zero: only kernel[1] is used.": kernel * [[[0]], [[1]], [[0]]],
        "kernel[0] is not used: nothing comes from the left neighbor.": kernel * [[[0]], [[1]], [[1]]],
        "kernel[1] is not used: nothing comes from the place itself.": kernel * [[[1]], [[0]], [[1]]],
        "kernel[2] is not used: nothing comes from the right neighbor.": kernel * [[[1]], [[1]], [[0]]],
        "Every head uses kernel[0].": kernel[[0, 0, 0]],
        "Every head uses kernel[1].": kernel[[1, 1, 1]],
        "Every head uses kernel[2].": kernel[[2, 2, 2]],
        "Every head uses the sum of the three taps; each head needs its own kernel[i].": (
            kernel.sum(axis=0)[None][[0, 0, 0]]
        ),
        "Every head uses the mean of the three taps; each head needs its own kernel[i].": (
            kernel.mean(axis=0)[None][[0, 0, 0]]
        ),
        "The outputs are averaged over the heads, not added.": kernel / 3,
    }
    for says, other in readings.items():
        if all(_alike(output, convolution(x, other)) for x, output in zip(inputs, found, strict=True)):
            return says
    if not V[:, :d].any():
        return f"The rows of V that see the token, the first {d}, are zero."
    return _conv_multiple(found, [convolution(x, kernel) for x in inputs])


def _conv_multiple(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> str:
    """What to say where all outputs are the convolution times one number; empty if they are not."""
    got, right = (np.concatenate([part.ravel() for part in parts]) for parts in (found, expected))
    factor = float(got @ right / max(right @ right, 1e-12))
    if factor and _alike(got, factor * right):
        return f"That is the convolution times {factor:.3g}."
    return ""


def _leading(x: np.ndarray, arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether each query between the ends gives one place more than half."""
    return bool(conv_heads_output(x, arrays)[1][:, 1:-1].max(-1).min() > 0.5)


def _sharp_output(x: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """What the heads would give if each query took the place with its largest weight alone."""
    _, weights = conv_heads_output(x, arrays)
    values = with_places(x, arrays["pos"]) @ np.asarray(arrays["V"], dtype=float)  # (head, n, out)
    looked = weights.argmax(-1)
    return np.asarray(sum(values[head][looked[head]] for head in range(3))[1:-1])


def _shown_input(n: int, d: int) -> np.ndarray:
    """A sequence (n, d) with small numbers, zeros at both ends."""
    x = np.round(np.random.default_rng(n).normal(size=(n, d)) * 2, 1)
    x[[0, -1]] = 0
    return np.asarray(x)


@visible_check("3.6")
def check_convolution(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    if any(trial.status != "ok" for trial in answers["conv_heads"]):
        return []
    for trial in answers["conv_heads"]:
        arrays, problem = conv_arrays(trial)
        if problem:
            return [(False, f"On {trial.note}: {problem}")]
        kernel = np.asarray(trial.args[0])
        inputs = [_shown_input(n, kernel.shape[1]) for n in (5, 3, PLACES)]
        looked = next(filter(None, (conv_places_problem(arrays, x) for x in inputs)), None)
        summed = conv_sum_problem(arrays, inputs, kernel)
        if looked or summed:
            return [(False, f"On {trial.note}: {told}") for told in (looked, summed) if told]
    return [
        (True, "The left, own and right place each have a head that looks at it."),
        (True, "The sum of the heads is the convolution for three kernels, with 3, 5 and 8 places."),
    ]
