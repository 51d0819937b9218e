"""hw2: how the kit drives the student's classes and functions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder.kit import decode, encode, probe, same
from autograder.kit.shared.dispatch import undisturbed
from autograder.kit.shared.modules import MismatchError, build_module, module_probe
from autograder.kit.shared.steps import python_steps

# torch operations that multiply numbers: a head that runs in torch has some
PRODUCTS = frozenset(
    (
        "mm",
        "bmm",
        "mv",
        "dot",
        "vdot",
        "inner",
        "addmm",
        "addmv",
        "addbmm",
        "baddbmm",
        "mul",
        "linear",
        "matmul",
        "einsum",
        "tensordot",
        "scaled_dot_product_attention",
    )
)


@probe("ported", measures=True)
def ported_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """The module probe for 2.1 and 2.2.

    It wants the head to run in torch, counts Python's steps beside operations, and hints where a map's shape
    says that positions are added, not concatenated.
    """
    options = decode({"fields": case["kwargs"]})
    made: list[Any] = []
    products: list[int] = []

    def build(**sizes: Any) -> Any:
        made.append(cls(**sizes))
        _count_products(made[0], products)
        return made[0]

    build.__name__ = getattr(cls, "__name__", "the class")
    try:
        told = module_probe(build, case)
        if not sum(products):
            raise MismatchError(
                "its forward multiplies nothing in PyTorch. Is the work done in NumPy or plain Python? Use"
                " torch operations on the layers' own tensors, so that gradients and a GPU can follow"
            )
        if "operations" in options.get("want", []):
            inputs = decode(case["args"])
            result, told["fields"]["steps"] = python_steps(lambda: made[0](*(one.clone() for one in inputs)))
            other = inputs[0].clone()
            other[-1] += 1.0
            told["fields"]["mixes"] = bool((made[0](other) - result)[:-1].abs().max() > 1e-6)
        return told
    except MismatchError as error:
        init = options["init"]
        narrow = f"Qm.weight has shape ({init['qk_dim']}, {init['input_dim']});"
        if init.get("pos_dim") and narrow in str(error):
            told = (
                "Are the positions added? They must be concatenated, so the maps see input_dim + pos_dim"
                " numbers."
            )
            raise MismatchError(f"{error}. {told}") from None
        raise


def _count_products(module: Any, products: list[int]) -> None:
    """Makes a module note, for each call of its forward, how many products torch dispatches."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    if not isinstance(module, torch.nn.Module):
        return  # the module probe says so
    forward = module.forward

    @undisturbed
    class Counter(TorchDispatchMode):
        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            products[-1] += str(operation.overloadpacket).rpartition(".")[2].strip("_") in PRODUCTS
            return operation(*args, **(kwargs or {}))

    def counted(*args: Any, **kwargs: Any) -> Any:
        products.append(0)
        with Counter():
            return forward(*args, **kwargs)

    module.forward = counted


@probe("modes")
def modes_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """The module probe in evaluation mode, and ``same_in_training``: whether training mode gives the same."""
    told = module_probe(cls, case)
    training = {**case["kwargs"], "train": True, "want": []}
    other = module_probe(cls, {**case, "kwargs": training})
    results = [decode(one["fields"]["result"]) for one in (told, other)]
    told["fields"]["same_in_training"] = same(*results, rtol=1e-3, atol=1e-4)
    return told


@probe("block")
def block_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """The probe of both modes, without the rows of padded places, which are not asked for."""
    told = modes_probe(cls, case)
    padding = decode({"fields": case["kwargs"]}).get("call", {}).get("padding")
    result = decode(told["fields"]["result"])
    if padding is not None and np.shape(result)[:2] == tuple(padding.shape):
        result = np.array(result)
        result[np.asarray(padding)] = 0
        told["fields"]["result"] = encode(result)
    return told


@probe("heads")
def heads_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """The probe of both modes, with a hint where a shape says that heads are added up, not joined."""
    try:
        return modes_probe(cls, case)
    except RuntimeError as error:
        init = decode({"fields": case["kwargs"]})["init"]
        size, wide = init["d_model"] // init["n_heads"], init["d_model"]
        if size != wide and re.search(
            rf"shapes cannot be multiplied \(\d+x{size} and {wide}x{wide}\)", str(error)
        ):
            told = f"Are the heads added up? Join them side by side, {size} channels each."
            raise RuntimeError(f"{error}. {told}").with_traceback(error.__traceback__) from None
        raise


@probe("norm")
def norm_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """The module probe, and ``at_first``: the parameters of a new layer by name."""
    told = module_probe(cls, case)
    fresh = build_module(cls, decode({"fields": case["kwargs"]})["init"], None)
    told["fields"]["at_first"] = {"fields": {name: encode(value) for name, value in fresh.named_parameters()}}
    return told


@probe("classifier")
def classifier_probe(cls: Any, case: Mapping[str, Any]) -> Any:
    """Builds the student's classifier around a given layer of the probe's own."""
    import torch

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = torch.nn.Linear(options["init"]["d_model"], options["init"]["d_model"], bias=False)

        def forward(self, x: Any, padding: Any = None) -> Any:
            seen = torch.ones(x.shape[:2]) if padding is None else (~padding).float()
            mean = (x * seen[..., None]).sum(1) / seen.sum(1)[:, None]
            return torch.tanh(self.mix(x)) + mean[:, None]

    options = decode({"fields": case["kwargs"]})

    def build(**sizes: Any) -> Any:
        return cls(Layer(), **sizes)

    build.__name__ = getattr(cls, "__name__", "the class")
    return module_probe(build, case)


@probe("toy steps")
def steps_probe(train_step: Any, case: Mapping[str, Any]) -> Any:
    """Lets the student's ``train_step`` take one step for each given batch on a toy model with plain SGD.

    Returns:
        The losses (steps,), the toy model's two tables afterwards, and whether backward and step ran (2: step
        before any backward) and gradients were there at the step: ones where the tables changed.
    """
    import torch

    seen = {"backward": 0, "step": 0, "gradients": 0}

    class Watched(torch.optim.SGD):
        def step(self, *args: Any, **kwargs: Any) -> Any:
            gradients = [one.grad for group in self.param_groups for one in group["params"]]
            seen["step"] = seen["step"] or (1 if seen["backward"] else 2)
            seen["gradients"] |= any(one is not None and bool(one.any()) for one in gradients)
            return super().step(*args, **kwargs)

    class Toy(torch.nn.Module):
        def __init__(self, table: Any, places: Any) -> None:
            super().__init__()
            self.table, self.places = torch.nn.Parameter(table), torch.nn.Parameter(places)

        def forward(self, tokens: Any) -> Any:
            n = tokens.shape[1]
            return self.table[tokens] + self.places[:n], torch.full((len(tokens), n, n), 1 / n)

    options = decode({"fields": case["kwargs"]})
    model = Toy(options["table"].clone(), options["places"].clone())
    for parameter in model.parameters():
        parameter.register_hook(lambda gradient: seen.update(backward=1))
    optimizer = Watched(model.parameters(), lr=options["lr"])
    batches = decode(case["args"])
    before = encode(batches)
    losses = []
    for tokens in batches:
        loss = train_step(model, optimizer, tokens)
        if loss is None:
            raise MismatchError("it returns None; return the loss as a float. Is `return` missing?")
        losses.append(float(loss.detach() if isinstance(loss, torch.Tensor) else loss))
    changed_inputs = encode(batches) != before
    if not seen["backward"]:
        seen["step"] = min(seen["step"], 1)
    changed = not (
        torch.equal(model.table, options["table"]) and torch.equal(model.places, options["places"])
    )
    told = np.array([1, 1, 1] if changed else [*seen.values()])
    result = encode([np.array(losses), model.table, model.places, told])
    return {"fields": {"result": result, "changed_inputs": changed_inputs}}
