"""What a computation costs (6.2, 6.5), observed while torch runs the student's code.

Operations, sizes and memory are counted as torch dispatches them, never read off the source.
"""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from autograder.kit import Trial, decode, encode, probe, visible_check
from autograder.kit.shared.dispatch import undisturbed

MOST_GROWTH = 2.6  # of the work when the length doubles: linear gives 2, quadratic tends to 4


@dataclass(frozen=True)
class Observation:
    """What torch did while a function ran.

    Attributes:
        calls: tensor operations, views left out.
        work: numbers touched by them; a matrix product (a, b) by (b, c) counts a·b·c.
        products: the part of the work that is multiplications inside matrix products.
        largest: numbers in the largest new tensor.
        peak: bytes of the new tensors that were alive at the same time, at most.
    """

    calls: int
    work: int
    products: int
    largest: int
    peak: int


def observe(function: Callable[[], Any]) -> tuple[Any, Observation]:
    """Runs ``function()`` and observes every tensor operation that torch dispatches meanwhile.

    Returns:
        What the function returned, and the :class:`Observation`.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    @undisturbed
    class Observer(TorchDispatchMode):
        calls = work = products = largest = peak = live = 0

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = [item for item in tree_leaves((args, kwargs or {})) if isinstance(item, torch.Tensor)]
            known = {item.untyped_storage().data_ptr() for item in given}
            result = operation(*args, **(kwargs or {}))
            made = [item for item in tree_leaves(result) if isinstance(item, torch.Tensor)]
            new = [item for item in made if item.untyped_storage().data_ptr() not in known]
            if operation.is_view or not (new or operation._schema.is_mutable):
                return result
            multiplied = _multiplications(
                operation.__name__.split(".")[0], [tuple(item.shape) for item in given]
            )
            self.calls += 1
            self.products += multiplied
            self.work += multiplied or max((item.numel() for item in [*given, *made]), default=0)
            for item in new:
                self.largest = max(self.largest, item.numel())
                storage = item.untyped_storage()
                self.live += storage.nbytes()
                weakref.finalize(storage, self.free, storage.nbytes())
            self.peak = max(self.peak, self.live)
            return result

        def free(self, size: int) -> None:
            self.live -= size

    with Observer() as seen:
        result = function()
    return result, Observation(seen.calls, seen.work, seen.products, seen.largest, seen.peak)


def _multiplications(name: str, shapes: Sequence[tuple[int, ...]]) -> int:
    """Multiplications of a matrix product from the shapes of its operands; 0 for any other operation."""
    left, right = shapes[-2:] if len(shapes) >= 2 else ((), ())
    if name in ("mm", "addmm"):
        return left[0] * left[1] * right[1]
    if name in ("bmm", "baddbmm"):
        return left[0] * left[1] * left[2] * right[2]
    if name in ("mv", "addmv"):
        return left[0] * left[1]
    return left[0] if name == "dot" else 0


@contextlib.contextmanager
def _plain_einsum() -> Iterator[None]:
    """Lets ``torch.einsum`` multiply from left to right, whether or not opt_einsum is installed."""
    import torch.backends.opt_einsum

    settings: Any = torch.backends.opt_einsum
    before = settings.enabled
    settings.enabled = False
    try:
        yield
    finally:
        settings.enabled = before


@probe("observe", measures=True)
def observe_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls the student's function on ``args``; then observes it on random Q, K, V of each length.

    Returns:
        ``result`` and ``changed_inputs`` as the ``call`` probe, and ``grown``: for each length the length, D,
        M, calls, work and largest tensor. With ``long`` in the case, ``survived``: whether the function also
        ran at that length, whose square fits no limit of memory; asked only of what seemed linear.
    """
    with _plain_einsum():
        return _observed(function, case)


def _observed(function: Any, case: Mapping[str, Any]) -> Any:
    import torch

    inputs = decode(case["args"])
    before = [item.clone() for item in inputs]
    result = function(*inputs)
    changed = any(not torch.equal(a, b) for a, b in zip(inputs, before, strict=True))
    grown = []
    options = decode({"fields": case["kwargs"]})
    for length in options.get("lengths", []):
        D, M = inputs[0].shape[1], inputs[2].shape[1]
        tensors = [0.1 + torch.rand(length, size, dtype=torch.float64) for size in (D, D, M)]
        _, seen = observe(partial(function, *tensors))
        grown.append([length, D, M, seen.calls, seen.work, seen.largest])
    found = {"result": encode(result), "changed_inputs": changed, "grown": grown, "survived": True}
    linear = all(more[4] < 3 * row[4] for row, more in itertools.pairwise(grown))
    # what makes T×T numbers, or as many steps, is told so already
    if "long" in options and linear and all(row[5] < row[0] ** 2 for row in grown):
        sizes = [item.shape[1] for item in inputs]
        try:
            given = [0.1 + torch.rand(options["long"], size, dtype=torch.float64) for size in sizes]
            found["survived"] = len(function(*given)) == options["long"]
        except (MemoryError, RuntimeError):  # torch's word for too little memory
            found["survived"] = False
    return {"fields": found}


def _little_work(length: int, D: int, M: int, work: int) -> str | None:
    """Whether too few operations were seen for the sums that are asked, in words."""
    if work >= length * D * M:
        return None
    return (
        f"With T = {length} only {work:,} elementary operations were seen; the sums need at least"
        f" T·D·M = {length * D * M:,}. Use torch operations only."
    )


def size_problem(trial: Trial) -> str | None:
    """Whether no tensor of T×T numbers was made at any observed length; else words."""
    for length, D, M, calls, work, largest in trial.result["grown"]:
        if not calls:
            return (
                "No torch operation was seen. Use torch on the given tensors, without .numpy() and without"
                " Python lists."
            )
        if problem := _little_work(length, D, M, work):
            return problem
        if largest >= length**2:
            told = (
                f"With T = {length}, D = {D}, M = {M} the largest intermediate tensor has {largest:,} numbers"
            )
            what = "a T×T tensor" if largest == length**2 else "more than a T×T tensor"
            return (
                f"{told}: that is {what}. Which product can be formed first, so that T disappears from the"
                " shape?"
            )
    if not trial.result.get("survived", True):
        return (
            f"With T = {trial.kwargs['long']:,} your function ended with an error; linear attention needs no"
            " more memory there than its inputs, T×T numbers would need gigabytes."
        )
    return None


def growth_problem(trial: Trial) -> str | None:
    """Whether the work grows like T over the observed lengths, each twice the one before; else words."""
    grown = trial.result["grown"]
    for (length, D, M, _, work, _), (twice, _, _, calls, more, _) in itertools.pairwise(grown):
        if problem := _little_work(length, D, M, work):
            return problem
        if more > MOST_GROWTH * work:
            return (
                f"From T = {length} to {twice} the work grows from {work:,} to {more:,} elementary"
                f" operations, {more / work:.1f} times ({calls:,} calls): like T², not like T. Does every"
                " query still meet every key?"
            )
    return None


def _cost_lines(name: str, answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for trial in answers.get(name, []):
        if trial.status == "ok" and trial.result["grown"]:
            large, steep = size_problem(trial), growth_problem(trial)
            (_, _, _, _, work, _), (twice, _, _, _, more, largest) = trial.result["grown"][-2:]
            lines.append(
                (
                    large is None,
                    large
                    or f"No T×T tensor: the largest at T = {twice} has {largest:,} numbers,"
                    f" T² is {twice**2:,}.",
                )
            )
            lines.append(
                (steep is None, steep or f"Twice the length costs {more / work:.2f} times the work.")
            )
    return lines


@visible_check("6.2a")
def linear_attention_costs(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    return _cost_lines("linear_attention", answers)


@visible_check("6.2b")
def causal_attention_costs(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    return _cost_lines("causal_linear_attention", answers)
