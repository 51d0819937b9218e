"""How the kit drives a student's training step, evaluation, split and training."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder.kit import decode, describe, encode, probe
from autograder.kit.shared.modules import in_own_folder, state_kept


def _spying_classifier(weight: Any, bias: Any) -> Any:
    """A linear classifier of flattened images with given weights, and where it notes how it is called."""
    import torch

    calls: list[tuple[bool, bool, int]] = []  # training mode, gradients on, images; of its copies, too

    class Spy(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(weight.shape[1], weight.shape[0])

        def forward(self, images: Any) -> Any:
            calls.append((self.training, torch.is_grad_enabled(), len(images)))
            return self.linear(images.flatten(1))

    spy = Spy()
    with torch.no_grad():
        spy.linear.weight.copy_(weight)
        spy.linear.bias.copy_(bias)
    return spy, calls


class _PlainSGD:
    """Gradient descent with the methods of a torch optimizer, whose first one costs seconds to make."""

    def __init__(self, model: Any, lr: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": list(model.parameters()), "lr": lr}]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None

    def step(self) -> None:
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is not None:
                parameter.data -= self.param_groups[0]["lr"] * parameter.grad


@probe("train_step")
def train_step_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``train_step`` on a toy classifier that has stale gradients and is in evaluation mode.

    Kwargs: ``weight``, ``bias``, ``images``, ``labels``, ``lr`` of plain SGD, ``steps``.
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    model, calls = _spying_classifier(options["weight"], options["bias"])
    model.eval()
    optimizer = _PlainSGD(model, options["lr"])
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    with state_kept(), in_own_folder():
        losses = [
            function(model, optimizer, options["images"], options["labels"]) for _ in range(options["steps"])
        ]
    return {
        "fields": {
            # a loss that is None is shown as such, not as a list
            "result": [
                encode(None if None in losses else losses),
                encode(model.linear.weight),
                encode(model.linear.bias),
            ],
            "trained": all(training for training, _, _ in calls),
            "calls": len(calls),
        }
    }


@probe("evaluate")
def evaluate_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``evaluate`` on a toy classifier and looks at what it left behind.

    Kwargs: ``weight``, ``bias``, ``images``, ``labels``, ``batch_size``, ``training`` (the mode before).
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    model, calls = _spying_classifier(options["weight"], options["bias"])
    model.train(options["training"])
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    with state_kept() as left, in_own_folder():
        result = function(model, options["images"], options["labels"], options["batch_size"])
    unchanged = torch.equal(model.linear.weight, options["weight"].float()) and torch.equal(
        model.linear.bias, options["bias"].float()
    )
    return {
        "fields": {
            "result": encode(result),
            "left_behind": left,
            "mode_restored": model.training == options["training"],
            "in_training_mode": any(training for training, _, _ in calls),
            "with_gradients": any(gradients for _, gradients, _ in calls),
            "largest_batch": max((images for _, _, images in calls), default=0),
            "unchanged": unchanged,
            "still_learning": all(parameter.requires_grad for parameter in model.parameters()),
            "gradients_kept": all(
                p.grad is not None and bool((p.grad == 1).all()) for p in model.parameters()
            ),
        }
    }


@probe("split")
def split_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``split_rows(labels, validation, seed)`` twice with one seed and once with another."""
    labels, validation = decode(case["args"])
    return {
        "fields": {
            str(number): encode(function(labels.copy(), validation, seed))
            for number, seed in enumerate((1, 1, 2))
        }
    }


class _SpiedData(dict[str, Any]):
    """A dict that notes which keys are read."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)


@probe("fit")
def fit_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``fit`` with a model whose only weight is the number of its epoch.

    Kwargs: ``validation`` and ``test``, the accuracy of each epoch; ``losses``; ``interrupt``, the epoch in
    which the student presses stop (0: never).
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    accuracies = {
        "train": [0.99] * len(options["validation"]),
        "validation": options["validation"],
        "test": options["test"],
    }
    parts = {
        name: (torch.full((2, 1, 2, 2), float(number)), torch.zeros(2).long())
        for number, name in enumerate(accuracies)
    }
    data = _SpiedData(parts)
    model = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.zero_()
    evaluated: list[str] = []

    trained_on: list[str] = []
    before_training = False

    def train_epoch(trained: Any, images: Any, labels: Any) -> float:
        trained_on.append(list(accuracies)[int(images.flatten()[0].item())])
        epoch = int(model.weight.item()) + 1
        if epoch == options["interrupt"] and options.get("where") != "evaluate":
            raise KeyboardInterrupt
        with torch.no_grad():
            model.weight.fill_(float(epoch))
        return float(options["losses"][min(epoch, len(options["losses"])) - 1])

    def evaluate(evaluated_model: Any, images: Any, labels: Any, *more: Any) -> tuple[float, float]:
        nonlocal before_training
        name = list(accuracies)[int(images.flatten()[0].item())]
        before_training |= not trained_on
        evaluated.append(name)
        epoch = min(max(int(model.weight.item()), 1), len(options["losses"]))
        if epoch == options["interrupt"] and options.get("where") == "evaluate":
            raise KeyboardInterrupt
        return float(options["losses"][epoch - 1]) + 0.5, float(accuracies[name][epoch - 1])

    found: dict[str, Any] = {"interrupt_reached_us": False}
    with in_own_folder() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "best.pt"
        history: Any = None
        try:
            history = function(model, data, len(options["validation"]), train_epoch, evaluate, str(path))
        except KeyboardInterrupt:
            found["interrupt_reached_us"] = True
        saved, found["unreadable"], found["holds"] = None, False, ""
        if path.is_file():
            try:
                saved = torch.load(path, weights_only=True)
            except Exception:  # a whole model, or something else that is no state_dict
                found["unreadable"] = True
        if saved is not None and not (isinstance(saved, dict) and "weight" in saved):
            keys = [f"`{key}`" for key in saved][:4] if isinstance(saved, dict) else []
            found["holds"] = f"a dict of {', '.join(keys)}" if keys else describe(saved)
        found["saved"] = (
            int(saved["weight"].item()) if isinstance(saved, dict) and "weight" in saved else None
        )
    found["left"] = int(model.weight.item())
    found["evaluated_first"] = before_training
    found["evaluated"] = sorted(set(evaluated))
    found["trained_on"] = trained_on
    found["read"] = sorted(data.read)
    found["history"] = encode(history)
    return {"fields": found}
