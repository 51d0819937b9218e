"""How the kit drives a student's module: builds it, injects weights, calls it, reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder.homeworks.hw4.public.ready import READY
from autograder.kit import call, decode, encode, probe, seed_torch, visible_check
from autograder.kit.shared.checkpoints import checkpoint_probe  # noqa: F401  # registers the probe
from autograder.kit.shared.dispatch import undisturbed
from autograder.kit.shared.modules import (
    MismatchError,
    left_to_chance,
    missing_words,
    require_module,
    state_kept,
    take_inputs_of_own_dtype,
    unlike_words,
)


def fit_names(own: Mapping[str, tuple[int, ...]], weights: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Renames and reshapes named weights to what an equivalent module calls them, as far as that can be told.

    ``query``, ``key`` and ``value`` may be one map ``qkv`` (rows in this order); a patch embedding may be a
    convolution; linear maps inside ``mlp`` may have other numbers; axes of size 1 do not matter.

    Args:
        own: parameter name → shape, of the student's module.
        weights: parameter name → array, as the question names them.
    """
    fitted = dict(weights)
    for fused in [name for name in own if name.endswith(("qkv.weight", "qkv.bias"))]:
        prefix, part = fused.rsplit("qkv.", 1)
        thirds = [f"{prefix}{which}.{part}" for which in ("query", "key", "value")]
        if all(name in fitted for name in thirds):
            fitted[fused] = np.concatenate([fitted.pop(name) for name in thirds])
    theirs, ours = ([name for name in names if name.startswith("mlp.")] for names in (own, fitted))
    if len(theirs) == len(ours):
        fitted |= dict(zip(theirs, [fitted.pop(name) for name in ours], strict=True))
    for name, shape in own.items():
        if name in fitted and fitted[name].shape != shape:
            squeezed = tuple(size for size in shape if size > 1)
            convolution = (
                name == "patch_embedding.weight" and len(shape) == 4 and fitted[name].size == np.prod(shape)
            )
            if convolution or squeezed == tuple(size for size in fitted[name].shape if size > 1):
                fitted[name] = fitted[name].reshape(shape)
    return fitted


def inject(module: Any, weights: Mapping[str, Any]) -> None:
    """Puts named weights into a module.

    Raises:
        MismatchError: names or shapes differ; in words.
    """
    import torch

    own = dict(module.named_parameters())
    fitted = fit_names(
        {name: tuple(value.shape) for name, value in own.items()},
        {name: np.asarray(value) for name, value in weights.items()},
    )
    missing, extra = (
        [name for name in fitted if name not in own],
        [name for name in own if name not in fitted],
    )
    problems = []
    if missing:
        problems.append(missing_words(module, missing))
    if extra:
        problems.append(
            f"it has {', '.join(extra[:4])}"
            + (" …" if len(extra) > 4 else "")
            + ", which the question does not name"
        )
    problems += unlike_words(own, fitted, [name for name in own if name in fitted])
    if problems:
        raise MismatchError(
            "weights could not be put into your module: "
            + "; ".join(problems)
            + ". Compare its parts with those that the question names"
        )
    with torch.no_grad():
        for name, value in fitted.items():
            own[name].copy_(torch.from_numpy(np.ascontiguousarray(value)))


@probe("embedding")
def embedding_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls a patch embedding as the ``call`` probe does, and counts the numbers that convolutions give."""
    from torch.utils._python_dispatch import TorchDispatchMode

    @undisturbed
    class Counter(TorchDispatchMode):
        convolutions = 0

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = operation(*args, **(kwargs or {}))
            if "convolution" in operation.__name__:
                self.convolutions = max(self.convolutions, result.numel())
            return result

    with Counter() as counter:
        found = call(function, case)
    found["fields"]["convolutions"] = counter.convolutions
    return found


def way_problem(name: str, result: Mapping[str, Any]) -> str | None:
    """Whether an embedding of 4.2 goes the way that its name says; else words."""
    by_convolution = name == "embed_by_convolution"
    tokens = result["result"].size if hasattr(result["result"], "size") else 0
    # a convolution that gives fewer numbers than there are in the tokens did not make them
    if by_convolution and result["convolutions"] and result["convolutions"] < tokens:
        return (
            f"The convolution in `{name}` gives {result['convolutions']} numbers, but the tokens have"
            f" {tokens}."
        )
    if by_convolution == bool(result["convolutions"]):
        return None
    if by_convolution:
        return (
            f"`{name}` runs no convolution. The question asks for a single F.conv2d, not for a call of the"
            " other function."
        )
    return f"`{name}` runs a convolution. The question asks for F.unfold and F.linear instead."


@visible_check("4.2")
def check_ways(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    return [
        (False, problem)
        for name in ("embed_by_unfold", "embed_by_convolution")
        for trial in answers.get(name, ())[:1]
        if trial.status == "ok" and (problem := way_problem(name, trial.result))
    ]


def gradient_problem(result: Mapping[str, Any]) -> str | None:
    """Whether gradients reached all parameters of 4.5; else words."""
    without = result["without_gradient"]
    if not without:
        return None
    names = ", ".join(f"`{name}`" for name in without[:4]) + (" and others" if len(without) > 4 else "")
    return (
        f"No gradient reaches {names}. Is it left out of forward, detached, frozen (requires_grad=False),"
        " copied with `.data`, or inside torch.no_grad()?"
    )


@visible_check("4.5")
def check_gradients(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    problems = [
        gradient_problem(trial.result)
        for trial in answers.get("VisionTransformer", ())
        if trial.status == "ok" and "without_gradient" in trial.result
    ]
    return [
        (problem is None, problem or "Gradients reach every parameter of a small model.")
        for problem in problems
    ]


@probe("vit")
def vit_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """Builds the student's module, injects weights, calls it once in evaluation mode.

    The case's args are the inputs of ``forward``; its kwargs are ``init`` (where ``attention`` and ``block``
    name a ready part), ``weights`` (parameter name → array, or None), ``call`` (keyword arguments of forward)
    and ``want``: ``parameters`` (name → shape) or ``gradients`` (names without one from the sum of squares of
    the output).
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    inputs = decode(case["args"])
    before = [item.clone() for item in inputs]
    init = {
        name: READY.get(value, value) if isinstance(value, str) else value
        for name, value in options["init"].items()
    }
    made: list[str] = []

    def watched(name: str, part: Any) -> Any:
        def make(*args: Any, **kwargs: Any) -> Any:
            made.append(name)
            return part(*args, **kwargs)

        return make

    seed_torch(0)
    module = cls(**{name: watched(name, value) if callable(value) else value for name, value in init.items()})
    require_module(module)
    for name in init:
        if callable(init[name]) and name not in made and options.get("weights") is not None:
            raise MismatchError(
                f"__init__ does not use its argument `{name}`: create the part with {name}(…), because the"
                " grader passes one of its own"
            )
    take_inputs_of_own_dtype(module)
    if options.get("weights") is not None:
        inject(module, options["weights"])
    module.eval()
    with state_kept():
        drawn = torch.get_rng_state()
        output = module(*inputs, **options.get("call", {}))
        random = left_to_chance(drawn, output, lambda: module(*inputs, **options.get("call", {})))
    found: dict[str, Any] = {"result": encode(output), "random": random}
    found["changed_inputs"] = any(not torch.equal(a, b) for a, b in zip(inputs, before, strict=True))
    want = options.get("want", [])
    if "parameters" in want:
        found["parameters"] = {
            "fields": {name: list(value.shape) for name, value in module.named_parameters()}
        }
    if "gradients" in want:
        first = output[0] if isinstance(output, tuple | list) else output
        if first.requires_grad:
            first.square().sum().backward()
        found["without_gradient"] = [name for name, value in module.named_parameters() if value.grad is None]
    return {"fields": found}
