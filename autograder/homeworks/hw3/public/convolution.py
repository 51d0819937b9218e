"""3.6: whether three heads make a convolution."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder.homeworks.hw3.public.model import PLACES, attend, is_uniform, listed, with_places
from autograder.kit import Trial, check_shapes, visible_check

HEAD_SHAPES = {"pos": (PLACES, "p"), "Q": (3, "d+p", "qk"), "K": (3, "d+p", "qk"), "V": (3, "d+p", "out")}


def conv_arrays(trial: Trial) -> tuple[dict[str, np.ndarray], str | None]:
    """The four arrays that ``conv_heads`` returned, by name, or what is wrong with their shapes."""
    kernel, output = np.asarray(trial.args[0]), trial.output
    if not isinstance(output, list) or len(output) != 4:
        return {}, "`conv_heads` should return four arrays: pos, Q, K, V."
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
            return (
                f"Head {number} has the attention {listed(row)} at place 1 of {len(x)}; it must look at one"
                " place beside it, with nearly all weight."
            )
    return f"The heads look at the offsets {offsets}; you need each of -1, 0 and +1 once."


@visible_check("3.6")
def check_convolution(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    x = np.array([[0.0, 0.0], [1.0, 2.0], [-1.0, 0.5], [3.0, 0.0], [0.0, 0.0]])
    trial = answers["conv_heads"][0]
    if trial.status != "ok":
        return []
    arrays, problem = conv_arrays(trial)
    if problem:
        return [(False, problem)]
    problem = conv_places_problem(arrays, x)
    lines: list[tuple[bool | None, str]] = [
        (problem is None, problem or "Left, own and right place each have their head.")
    ]
    kernel = np.asarray(trial.args[0])
    wanted = sum(x[offset : offset + 3] @ kernel[offset] for offset in range(3))
    found = conv_heads_output(x, arrays)[0][1:-1]
    right = np.allclose(found, wanted, atol=1e-3)
    told = "The sum of the heads equals the convolution on one short sequence."
    if not right:
        told = f"At place 1 the heads give {listed(found[0])}, the convolution {listed(wanted[0])}."
        if np.allclose(
            found, sum(x[offset : offset + 3] @ kernel[2 - offset] for offset in range(3)), atol=1e-3
        ):
            told += " Your kernel is flipped: kernel[0] belongs to the left neighbour."
        elif np.allclose(
            found, sum(x[offset : offset + 3] @ kernel[offset].T for offset in range(3)), atol=1e-3
        ):
            told += (
                " Each kernel[i] is transposed: rows are tokens here, so a token is multiplied from the left."
            )
    return [*lines, (right, told)]
