"""The sentiment model (5.7): its file, figures, and how the student's code asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.homeworks.hw5.public.flags import check_flags
from autograder.kit import Trial, decode, describe, encode, probe, show_lines, visible_check
from autograder.kit.shared.checkpoints import load_into, read_checkpoint
from autograder.kit.shared.modules import state_kept

CHECKPOINT = "hw5_sentiment.pt"
CHECKPOINT_BYTES = 8_000_000  # a float32 table of all word vectors has 3.5 MB


def load_checkpoint(model: Any, file: str = CHECKPOINT) -> Any:
    """Loads your checkpoint into your model, as the grader does, and returns the model in eval mode."""
    from pathlib import Path

    load_into(model, read_checkpoint(Path(file), CHECKPOINT_BYTES), file)
    return model.eval()


def show_curves(history: Mapping[str, Sequence[float]], best: int, title: str) -> None:
    """Draws train loss and validation accuracy by epoch; the epoch that was kept (from 1) is marked."""
    show_lines(
        *(
            {
                "title": name,
                "x": "epoch",
                "y": name.split()[-1],
                "lines": {
                    name: (np.arange(1, len(values) + 1), values),
                    f"kept: {best}": ([best], [values[best - 1]]),
                },
                "points": [f"kept: {best}"],
                "colors": {name: "prediction", f"kept: {best}": "target"},
            }
            for name, values in history.items()
        ),
        heading=title,
    )


@probe("predict")
def predict_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Runs ``predict_sentiment(text, model, encode, labels)`` with a scripted model.

    The case's args are the text; its kwargs are ``scale`` and ``shift`` (logit = shift + scale · number of
    letters), ``labels``, pairs of number and name in the order of the map, and ``train``, the model's mode.
    """
    import torch

    options = decode({"fields": case["kwargs"]})
    problems: list[str] = []
    calls: list[bool] = []

    class Scripted(torch.nn.Module):
        def forward(self, ids: Any, mask: Any) -> Any:
            calls.append(True)
            if ids.ndim != 2 or ids.shape[0] != 1 or tuple(mask.shape) != tuple(ids.shape):
                problems.append(
                    f"the model got ids of shape {tuple(ids.shape)} and a mask of shape {tuple(mask.shape)};"
                    " expected (1, n) twice"
                )
            if ids.dtype != torch.int64 or mask.dtype != torch.bool:
                problems.append(
                    f"the model got ids of {ids.dtype} and a mask of {mask.dtype}; expected int64 and bool"
                )
            if not bool(mask.all()):
                problems.append(
                    "the mask hides real tokens: with one sentence there is no padding, so the mask is"
                    " True everywhere"
                )
            if torch.is_grad_enabled():
                problems.append("gradients were recorded while predicting: wrap the call in torch.no_grad()")
            noise = 25.0 if self.training else 0.0  # as dropout would, only more visibly
            return options["shift"] + noise + options["scale"] * (ids * mask).sum(1).to(torch.float32)

    model = Scripted().train(options["train"])
    with state_kept() as left:
        answer = function(
            decode(case["args"])[0],
            model,
            lambda text: [len(word) for word in text.split()],
            dict(options["labels"]),
        )
    if not calls:
        problems.append("the model was never called")
    if left:
        problems.append(f"`predict_sentiment` left {' and '.join(left)} changed for all code after it")
    result = list(answer) if isinstance(answer, tuple | list) else answer
    return {"fields": {"result": encode(result), "problems": problems[:1], "mode_after": model.training}}


def predict_problem(trial: Trial) -> str | None:
    """Whether the model was asked properly (5.7b)."""
    if trial.result["problems"]:
        return f"{trial.result['problems'][0]}."
    if trial.result["mode_after"] == trial.kwargs["train"]:
        return None
    modes = (trial.kwargs["train"], not trial.kwargs["train"])
    came, left = ("train" if mode else "evaluation" for mode in modes)
    return f"The model was in {came} mode before and in {left} mode afterwards: restore the mode."


check_flags("5.7b", "predict_sentiment", predict_problem)


PROBABILITIES = (
    "All outputs are between 0 and 1. Is there a sigmoid? Leave it out: return logits, not probabilities,"
    " which are all above 0."
)
SAME = "Every sentence gets the same output: use its own tokens, ids and mask."
LABELS_ALONE = "All outputs are -1, 0 or 1: return logits, not labels."


def logits_problem(logits: Any, sentences: int) -> str | None:
    """Whether a sentiment model gives one finite number a sentence (5.7a); else words."""
    if sentences == 1 and isinstance(logits, np.ndarray) and logits.shape == ():
        return (
            "A batch of one sentence gives a number without an axis, but the shape should be (1,):"
            " `squeeze()` removes the batch axis, too; use [:, 0] or squeeze(1)."
        )
    if not isinstance(logits, np.ndarray) or logits.shape != (sentences,):
        told = f"The model should give one logit for each sentence, shape ({sentences},)"
        return f"{told}, but it gave {describe(logits)}."
    return None if np.isfinite(logits).all() else "Some logits are NaN or infinite."


def outputs_problem(logits: np.ndarray) -> str | None:
    """Whether the outputs for many sentences can be logits (5.7a); else words. One alone shows nothing."""
    if len(logits) < 2:
        return None
    if np.ptp(logits) == 0:
        return SAME
    if np.isin(logits, (-1, 0, 1)).all():
        return LABELS_ALONE
    return PROBABILITIES if np.all((logits >= 0) & (logits <= 1)) else None


@visible_check("5.7a")
def logits_have_their_form(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for trial in answers.get("SentimentModel", ()):
        if trial.status == "ok":
            alone = ", also for one sentence alone" if len(trial.args[0]) == 1 else ""
            problem = logits_problem(trial.output, len(trial.args[0]))
            problem = problem or outputs_problem(trial.output)
            lines.append(
                (problem is None, problem or f"Your model gives one logit for each sentence{alone}.")
            )
    return lines
