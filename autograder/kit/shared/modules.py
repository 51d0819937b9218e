"""Probes for answers that are ``torch.nn.Module`` classes: injected weights, gradients, operation counts.

A homework's public part says ``from autograder.kit.shared.modules import …`` and the build puts this file
before it.
"""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.kit import decode, describe, encode, probe, same, seed_torch
from autograder.kit.shared.dispatch import undisturbed

SEED = "the seed of torch's random numbers"
_OWN_SEED = 7_230_197_435  # which no student sets


@contextlib.contextmanager
def state_kept() -> Iterator[list[str]]:
    """Gives back torch's global settings after student code, so that none is charged to the next answer.

    Yields:
        A list that says at the end, in words, which settings that code had left changed. Random generators
        are given back without a word where code only drew from them; a seed that it set is named, since all
        that is drawn later would follow from it.
    """
    import torch

    settings: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
        "recording of gradients": (torch.is_grad_enabled, torch.set_grad_enabled),
        "the default dtype": (torch.get_default_dtype, torch.set_default_dtype),
        "the number of threads": (torch.get_num_threads, torch.set_num_threads),
        "anomaly detection": (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
        "deterministic algorithms": (
            torch.are_deterministic_algorithms_enabled,
            torch.use_deterministic_algorithms,
        ),
    }
    before = {name: read() for name, (read, _) in settings.items()}
    generators = torch.get_rng_state(), np.random.get_state(), random.getstate()
    seed_torch(_OWN_SEED)
    left: list[str] = []
    try:
        yield left
    finally:
        for name, (read, write) in settings.items():
            if read() != before[name]:
                left.append(name)
                write(before[name])
        if torch.initial_seed() != _OWN_SEED:
            left.append(SEED)
        torch.set_rng_state(generators[0])
        np.random.set_state(generators[1])
        random.setstate(generators[2])


def way_back(left: Sequence[str]) -> str:
    """What to do instead, where an evaluation left settings changed; empty if it is plain."""
    told = {
        "recording of gradients": " Use `with torch.no_grad():`, which ends by itself.",
        SEED: " An evaluation needs none: without `torch.manual_seed`, training goes on drawing as before.",
    }
    return next((told[name] for name in left if name in told), " Leave it as it was.")


@contextlib.contextmanager
def in_own_folder() -> Iterator[str]:
    """Runs student code in a new empty folder, so that what it writes replaces no file of the student's."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)


def take_inputs_of_own_dtype(module: Any) -> Any:
    """Lets a module whose parameters are all float64, or all float16, take the float32 inputs of a case.

    Returns:
        The module, which turns floating inputs into its own dtype before each call.
    """
    dtypes = {value.dtype for value in module.parameters() if value.is_floating_point()}
    if len(dtypes) == 1:
        (own,) = dtypes

        def turn(_: Any, args: Any) -> Any:
            return tuple(
                item.to(own) if hasattr(item, "is_floating_point") and item.is_floating_point() else item
                for item in args
            )

        module.register_forward_pre_hook(turn)
    return module


def left_to_chance(before: Any, output: Any, again: Callable[[], Any]) -> bool:
    """Whether a module's output follows from random numbers, so that a second call gives another one.

    Args:
        before: torch's random state before the first call.
        output: of the first call.
        again: the second call, which is made only if the first one drew random numbers.
    """
    import torch

    if torch.equal(before, torch.get_rng_state()):
        return False
    return not same(*(decode(encode(one)) for one in (output, again())))


class MismatchError(Exception):
    """The student's class cannot take the weights that a challenge injects; says which and why."""


def require_module(made: Any) -> None:
    """Refuses what a class should have made and did not.

    Raises:
        MismatchError: it is not a module; in words.
    """
    import torch

    if not isinstance(made, torch.nn.Module):
        raise MismatchError(
            f"calling it gives {describe(made)}, not a torch.nn.Module: write a class whose base is nn.Module"
        )


def missing_words(module: Any, names: Sequence[str]) -> str:
    """What to say of parameters that a module lacks: shared, kept without being learned, or not there."""
    own = dict(module.named_parameters())
    twins = dict(module.named_parameters(remove_duplicate=False))
    if shared := [name for name in names if name in twins]:
        first = next(name for name, value in own.items() if value is twins[shared[0]])
        return (
            f"{shared[0]} and {first} are one and the same parameter: make each part anew, since neither"
            " `a = b = nn.Linear(…)` nor `[part] * 3` makes a copy"
        )
    if wrapped := [name for name in names if f"{name}.weight" in twins]:
        kind = type(module.get_submodule(wrapped[0])).__name__
        return f"{wrapped[0]} is a layer ({kind}); the question asks for an nn.Parameter of this name"
    if unlearned := [name for name in names if "." not in name and hasattr(module, name)]:
        return f"{unlearned[0]} is in self, but is not a parameter, so that it never learns: use nn.Parameter"
    listed = ", ".join(names[:4]) + (" …" if len(names) > 4 else "")
    return f"it has no parameter {listed} (is each kept in self, as a layer or an nn.Parameter?)"


def unlike_words(own: Mapping[str, Any], weights: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """What to say of the parameters among some names whose shapes differ: four of them, and how many more."""
    unlike = [name for name in names if tuple(own[name].shape) != tuple(weights[name].shape)]
    told = [
        f"{name} has shape {tuple(own[name].shape)}; expected {tuple(weights[name].shape)}"
        for name in unlike[:4]
    ]
    return told + ([f"{len(unlike) - 4} more do not fit either"] if len(unlike) > 4 else [])


def build_module(cls: Any, init: Mapping[str, Any], weights: Mapping[str, Any] | None) -> Any:
    """Makes the student's module and injects weights by parameter name: their order does not matter.

    Args:
        cls: the student's class.
        init: keyword arguments of its constructor.
        weights: parameter name → array; None leaves the student's initialization, under a fixed seed.

    Raises:
        MismatchError: names or shapes differ; in words.
    """
    import torch

    seed_torch(0)
    module = cls(**init)
    require_module(module)
    take_inputs_of_own_dtype(module)
    if weights is None:
        return module
    own = dict(module.named_parameters())
    problems = []
    if missing := sorted(set(weights) - set(own)):
        problems.append(missing_words(module, missing))
    if extra := sorted(set(own) - set(weights)):
        told = " (a bias left on?)" if all(name.endswith("bias") for name in extra) else ""
        problems.append(f"it has the parameters {', '.join(extra)}, which the question does not name{told}")
    problems += unlike_words(own, weights, sorted(set(own) & set(weights)))
    if problems:
        raise MismatchError(
            f"with {', '.join(f'{key}={value}' for key, value in init.items())}: " + "; ".join(problems)
        )
    with torch.no_grad():
        for name, value in weights.items():
            own[name].copy_(torch.as_tensor(value))
    return module


def count_operations(function: Callable[[], Any]) -> tuple[Any, int]:
    """Runs ``function`` and counts the tensor operations that torch dispatches meanwhile."""
    from torch.utils._python_dispatch import TorchDispatchMode

    @undisturbed
    class Counter(TorchDispatchMode):
        operations = 0

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            self.operations += 1
            return operation(*args, **(kwargs or {}))

    with Counter() as counter:
        result = function()
    return result, counter.operations


@probe("module")
def module_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """Builds the student's module and calls it once.

    The case's args are the inputs of ``forward``; its kwargs are ``init``, ``weights`` (or None), ``call``
    (keyword
    arguments of forward), ``train`` (mode; evaluation by default) and ``want``, a list out of:
    ``gradients`` (which parameters get none from the sum of squares of the first output), ``operations`` (how
    many
    tensor operations the call dispatches), ``parameters`` (name → shape).

    Returns:
        ``result`` and ``changed_inputs`` as the ``call`` probe, ``random`` in evaluation mode (see
        :func:`left_to_chance`), and what ``want`` asks for.
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    inputs = decode(case["args"])
    before = [item.clone() if isinstance(item, torch.Tensor) else item for item in inputs]
    module = build_module(cls, options["init"], options.get("weights"))
    module.train(bool(options.get("train", False)))
    want = options.get("want", [])
    drawn = torch.get_rng_state()
    output, operations = count_operations(lambda: module(*inputs, **options.get("call", {})))
    found: dict[str, Any] = {"result": encode(output)}
    if not module.training:
        found["random"] = left_to_chance(drawn, output, lambda: module(*inputs, **options.get("call", {})))
    found["changed_inputs"] = any(
        isinstance(a, torch.Tensor) and not torch.equal(a, b) for a, b in zip(inputs, before, strict=True)
    )
    if "operations" in want:
        found["operations"] = operations
    if "parameters" in want:
        found["parameters"] = {
            "fields": {name: list(value.shape) for name, value in module.named_parameters()}
        }
    if "gradients" in want:
        first = output[0] if isinstance(output, tuple | list) and output else output
        if isinstance(first, torch.Tensor) and first.requires_grad:
            first.square().sum().backward()
        without = [
            name
            for name, value in module.named_parameters()
            if value.grad is None or not value.grad.abs().sum() > 0
        ]
        found["without_gradient"] = without
    return {"fields": found}
