"""Training and evaluation loops (5.6): probes on toy models, and what can be said of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograder.homeworks.hw5.public.flags import check_flags
from autograder.kit import Trial, decode, encode, probe
from autograder.kit.shared.modules import in_own_folder, state_kept, way_back


def _toy(options: Mapping[str, Any]) -> Any:
    """A tiny classifier, mean of fixed vectors → dropout → linear, and where it notes how it is called."""
    import torch
    from torch import nn

    modes: list[bool] = []
    gradients: list[bool] = []

    class Toy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = options["table"]
            self.dropout = nn.Dropout(options.get("dropout", 0.0))
            self.linear = nn.Linear(self.table.shape[1], 1)

        def forward(self, ids: Any, mask: Any) -> Any:
            modes.append(self.dropout.training)  # a copy of the model notes its calls here, too
            gradients.append(torch.is_grad_enabled())
            weight = mask[..., None].float()
            mean = (self.table[ids] * weight).sum(1) / weight.sum(1)
            return self.linear(self.dropout(mean)).squeeze(-1)

    toy = Toy()
    with torch.no_grad():
        toy.linear.weight.copy_(options["weight"][None])
        toy.linear.bias.copy_(options["bias"])
    toy.train(options["start_in_train"])
    return toy, modes, gradients


@probe("training")
def training_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Runs ``train_epoch(model, batches, optimizer)`` or ``evaluate(model, batches)`` on a toy model.

    The case's kwargs are ``table``, ``weight``, ``bias``, ``dropout``, ``start_in_train``, ``batches`` (lists
    of ids, mask, labels) and ``lr`` (None for evaluate).

    Returns:
        ``result``: [loss, weight, bias] after training, [loss, accuracy] for evaluation; ``modes`` and
        ``gradients`` seen in forward; ``mode_after``; ``changed`` whether any weight changed.
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    model, modes, gradients = _toy(options)
    batches = [tuple(batch) for batch in options["batches"]]
    weight, bias = model.linear.weight.detach().clone(), model.linear.bias.detach().clone()
    with state_kept() as left, in_own_folder():
        if options["lr"] is None:
            answer = function(model, batches)
            result = list(answer) if isinstance(answer, tuple | list) else answer
        else:
            optimizer = torch.optim.SGD(model.parameters(), lr=options["lr"])
            loss = function(model, batches, optimizer)
            result = [loss, model.linear.weight[0], model.linear.bias[0]]
    found = {
        "result": encode(result),
        "modes": modes,
        "gradients": gradients,
        "still_learning": all(parameter.requires_grad for parameter in model.parameters()),
        "mode_after": model.training,
        "left_behind": left,
        "changed": not (torch.equal(model.linear.weight, weight) and torch.equal(model.linear.bias, bias)),
    }
    return {"fields": found}


@probe("keep_best")
def keep_best_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Runs ``keep_best(model, epochs, train_one_epoch, validate)`` on a scripted training.

    Each epoch adds 1 to the only weight (from 0) and to a buffer; ``validate`` gives the scripted accuracy of
    that weight.

    Returns:
        ``result``: [what the function returned, the weight and the buffer that the model has in the end].
    """
    import torch

    accuracies = decode(case["args"])[0].tolist()
    model: Any = torch.nn.Linear(1, 1, bias=False)
    model.register_buffer("steps", torch.zeros(()))
    calls = {"train": 0, "validate": 0}
    with torch.no_grad():
        model.weight.zero_()

    def train_one_epoch() -> None:
        calls["train"] += 1
        with torch.no_grad():
            model.weight += 1
            model.steps += 1

    def validate() -> float:
        calls["validate"] += 1
        epoch = round(model.weight.item())
        return float(accuracies[epoch - 1]) if 1 <= epoch <= len(accuracies) else 0.5

    with state_kept(), in_own_folder():
        returned = function(model, len(accuracies), train_one_epoch, validate)
    kept = [model.weight.item(), model.steps.item()]
    return {
        "fields": {
            "result": encode([returned, *kept]),
            "trained": calls["train"],
            "validated": calls["validate"],
        }
    }


def train_mode_problem(trial: Trial) -> str | None:
    """Whether training runs in train mode (5.6b); whether it trains shows in its weights."""
    result = trial.result
    if result["modes"] and not all(result["modes"]):
        return (
            "The model was in evaluation mode while it trained, so dropout was off: call model.train() first."
        )
    return None if result["modes"] else "The model was never called."


def evaluation_mode_problem(trial: Trial) -> str | None:
    """Whether evaluation needs no gradients, changes nothing and restores the mode (5.6c)."""
    result = trial.result
    if not result["modes"]:
        return "The model was never called."
    if any(result["modes"]):
        return (
            "The model was in train mode while it was evaluated, so dropout was on: call model.eval() first."
        )
    if result["left_behind"]:
        return (
            f"Evaluation left {' and '.join(result['left_behind'])} changed for all code after it."
            f"{way_back(result['left_behind'])}"
        )
    if any(result["gradients"]):
        return "Evaluation recorded gradients, which costs memory and time: wrap it in torch.no_grad()."
    if result["changed"]:
        return "Evaluation changed the weights."
    if not result["still_learning"]:
        return "Evaluation set `requires_grad` of the weights to False, so that training would stop."
    if result["mode_after"] != trial.kwargs["start_in_train"]:
        before, after = (
            "train" if mode else "evaluation"
            for mode in (trial.kwargs["start_in_train"], result["mode_after"])
        )
        return (
            f"The model was in {before} mode before and in {after} mode afterwards: restore model.training."
        )
    return None


check_flags("5.6b", "train_epoch", train_mode_problem)

check_flags("5.6c", "evaluate", evaluation_mode_problem)
