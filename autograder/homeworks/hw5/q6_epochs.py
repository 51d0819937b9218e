"""5.6b and 5.6c: one epoch of training, and evaluation, both on a toy model whose steps have formulas."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge
from autograder.homeworks.hw5 import public
from autograder.homeworks.hw5.common import averaged, flag_check, sigmoid, token_batch, variants
from autograder.homeworks.hw5.homework import hw


def toy_batches(
    rng: np.random.Generator, sizes: Sequence[int], d: int
) -> tuple[np.ndarray, list[list[np.ndarray]]]:
    """A table (12, d) and batches of the given sizes, labels mostly as the first feature says."""
    table = rng.normal(size=(12, d)).astype(np.float32)
    batches = []
    for size in sizes:
        ids, mask = token_batch(rng, size, int(rng.integers(2, 7)), 12)
        lean = averaged(ids, mask, table)[:, 0] + 0.3 * rng.normal(size=size)
        batches.append([ids, mask, (lean > 0).astype(np.float32)])
    return table, batches


def training_case(
    rng: np.random.Generator, sizes: Sequence[int], note: str, group: str = "values", **options: Any
) -> Case:
    """One run of train_epoch or evaluate on the toy model."""
    d = 3
    table, batches = toy_batches(rng, sizes, d)
    weight, bias = rng.normal(size=d).astype(np.float32), rng.normal(size=1).astype(np.float32)
    given = {"lr": None, "dropout": 0.0, "start_in_train": False} | options
    return Case(
        [],
        {"table": table, "weight": weight, "bias": bias, "batches": batches, **given},
        note,
        group,
        "training",
        True,
    )


def training_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Exact steps without dropout; modes with dropout."""
    yield even_case(rng, (4, 4, 4, 4, 4), "five equal batches", lr=0.5)
    yield even_case(rng, (4,), "one batch", lr=0.5)
    yield even_case(rng, (8, 8, 1), "batches of 8, 8 and 1", lr=1.0)
    yield training_case(
        rng, (6, 5), "a model with dropout that comes in evaluation mode", "modes", lr=0.5, dropout=0.5
    )


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Binary cross entropy with logits, stable."""
    return np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))


def trained_toy(
    table: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    batches: Any,
    lr: float,
    variant: str = "",
    **_: Any,
) -> list[np.ndarray]:
    """One epoch of SGD on logistic regression over mean vectors: [mean loss, weight, bias]."""
    w, b = np.asarray(weight, float), float(bias[0])
    losses, sizes = [], []
    carried_w, carried_b = np.zeros_like(w), 0.0
    for ids, mask, labels in batches:
        kept = np.ones_like(mask) if variant == "padding" else mask
        x, y = averaged(ids, kept, table), np.asarray(labels, float)
        z = x @ w + b
        shown = sigmoid(z) if variant == "sigmoid twice" else z
        losses.append(cross_entropy(shown, y).mean() * (len(y) if variant == "summed, told so" else 1))
        sizes.append(int(mask.sum()) if variant == "by tokens" else len(y))
        slope = sigmoid(shown) - y
        if variant == "sigmoid twice":
            slope = slope * shown * (1 - shown)
        if variant == "flipped":
            slope = sigmoid(z) - (1 - y)
            losses[-1] = cross_entropy(z, 1 - y).mean()
        if variant == "arguments swapped":  # binary_cross_entropy_with_logits(labels, logits)
            slope = -y
            losses[-1] = cross_entropy(y, z).mean()
        if variant == "squares":
            slope = 2 * (sigmoid(z) - y) * sigmoid(z) * (1 - sigmoid(z))
            losses[-1] = np.square(sigmoid(z) - y).mean()
        scale = {"divided again": 1 / len(y), "two steps": 2.0}.get(variant, 1.0)
        scale = len(y) if variant.startswith("summed") else scale
        losses[-1] = losses[-1] / len(y) if variant == "divided again" else losses[-1]
        grad_w, grad_b = scale * (slope[:, None] * x).mean(0), scale * slope.mean()
        if variant == "clipped":
            shrunk = min(1 / math.hypot(*grad_w, grad_b), 1)
            grad_w, grad_b = shrunk * grad_w, shrunk * grad_b
        if variant == "accumulated":
            grad_w, grad_b = grad_w + carried_w, grad_b + carried_b
            carried_w, carried_b = grad_w, grad_b
        if variant == "one step":
            carried_w, carried_b = carried_w + grad_w, carried_b + grad_b
        elif variant != "never stepped":
            w, b = w - lr * grad_w, b - lr * grad_b
        if variant == "first batch":
            break
        if variant == "after":
            losses[-1] = cross_entropy(x @ w + b, y).mean()
    if variant == "one step":
        w, b = w - lr * carried_w, b - lr * carried_b
    loss = np.mean(losses) if variant == "mean of means" else np.average(losses, weights=sizes)
    loss = losses[-1] if variant == "last loss" else loss
    loss = np.sum(losses) if variant == "sum of means" else loss
    loss = np.sum(losses) / sum(sizes) if variant == "means added" else loss
    loss = loss * sum(sizes) if variant == "not divided" else loss
    loss = loss * sum(sizes) / len(sizes) if variant == "divided by batches" else loss
    return [np.array(loss), w, np.array([b])[0:1].reshape(())]


def even_case(rng: np.random.Generator, sizes: Sequence[int], *args: Any, **options: Any) -> Case:
    """A case with gradients shorter than 1, so that clipping to 1 changes nothing; tokens do not count."""
    while True:
        case = training_case(rng, sizes, *args, **options)
        right, clipped, counted = (
            trained_toy(**case.kwargs, variant=slip) for slip in ("", "clipped", "by tokens")
        )
        same = all(np.allclose(one, other) for one, other in zip(right, clipped, strict=True))
        if same and (len(sizes) == 1 or abs(counted[0] / right[0] - 1) > 0.01):
            return case


training = hw.question(
    "5.6b",
    "One epoch of training",
    minutes=10,
    difficulty="medium",
    asks={
        "a step for each batch, mean loss per sentence": "loss and weights after one epoch",
        "in train mode": "training runs in train mode",
    },
    entries=[
        Challenge(
            "train_epoch",
            cases=training_cases,
            examples=lambda rng: list(training_cases(rng))[:3],
            expected=trained_toy,
            mistakes=variants(
                trained_toy,
                {
                    "mean of means": (
                        "The loss is averaged over batches; with unequal batches it must be averaged over"
                        " sentences."
                    ),
                    "sum of means": (
                        "The losses of the batches are added; the question asks for the mean over all"
                        " sentences."
                    ),
                    "means added": (
                        "You added up the means of the batches and divided by the number of sentences:"
                        " multiply each mean by the size of its batch first."
                    ),
                    "by tokens": (
                        "The loss is averaged over tokens; each sentence counts once, however long it is."
                    ),
                    "last loss": "That is the loss of the last batch; the question asks for the mean"
                    " over all sentences.",
                    "not divided": "The loss is a sum over the sentences; divide by their number.",
                    "divided by batches": (
                        "You divide a sum over sentences by the number of batches; divide it by the number of"
                        " sentences."
                    ),
                    "after": (
                        "You return the loss after the step; return the loss before it, whose gradient"
                        " you took."
                    ),
                    "squares": "That is the squared error of the probabilities; use the binary"
                    " cross-entropy.",
                    "arguments swapped": (
                        "The arguments of the loss are swapped: the logits come first, then the labels."
                    ),
                    "first batch": (
                        "You train only on the first batch: is the return statement inside the loop?"
                    ),
                    "one step": (
                        "There is one step at the end; the question asks for one step for each batch."
                    ),
                    "accumulated": (
                        "Gradients accumulate from batch to batch: call optimizer.zero_grad() before each"
                        " backward()."
                    ),
                    "sigmoid twice": (
                        "A sigmoid is applied before binary_cross_entropy_with_logits, which applies it"
                        " itself."
                    ),
                    "flipped": (
                        "The labels are flipped: the model learns to call positive sentences negative."
                    ),
                    "never stepped": (
                        "The weights did not change: each batch needs a backward() and then an"
                        " optimizer.step(), with no zero_grad() between the two."
                    ),
                    "padding": "The model is told that padding is real: pass it the batch's own mask.",
                    "divided again": (
                        "The loss is divided by the batch's size again; binary cross-entropy is already a"
                        " mean."
                    ),
                    "two steps": "There are two steps for each batch; make one.",
                    "summed": "The gradients are those of the summed loss; use the mean of each batch.",
                    "summed, told so": (
                        "The loss is summed over each batch, and so are the gradients; use the mean of each"
                        " batch."
                    ),
                },
            ),
            rtol=1e-3,
            atol=1e-4,
        )
    ],
)
training.check_cases("train_epoch", "loss and weights after one epoch", points=3)
flag_check(training, "train_epoch", "training runs in train mode", 1, public.train_mode_problem)


def telling_case(rng: np.random.Generator, *args: Any, **options: Any) -> Case:
    """A case in which each of some slips gives an accuracy of its own."""
    while True:
        case = training_case(rng, *args, **options)
        slips = ("", "half", "error rate", "all positive")
        found = {round(float(evaluated_toy(**case.kwargs, variant=slip)[1]), 6) for slip in slips}
        if len(found) == len(slips):
            return case


def evaluation_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Batches of unequal sizes; dropout; both modes before."""
    yield telling_case(rng, (7,), "one batch")
    yield training_case(rng, (9, 9, 1), "batches of 9, 9 and 1")
    yield training_case(
        rng, (2, 15), "batches of 2 and 15, the model coming in train mode", start_in_train=True
    )
    yield telling_case(
        rng, (6, 6, 2), "a model with dropout in train mode", "modes", dropout=0.5, start_in_train=True
    )
    yield training_case(rng, (4, 3), "a model with dropout in evaluation mode", "modes", dropout=0.5)


def evaluated_toy(
    table: np.ndarray, weight: np.ndarray, bias: np.ndarray, batches: Any, variant: str = "", **_: Any
) -> list[np.ndarray]:
    """[mean loss, accuracy] over all sentences."""
    losses, rights = [], []
    for ids, mask, labels in batches:
        kept = np.ones_like(mask) if variant == "padding" else mask
        z = averaged(ids, kept, table) @ np.asarray(weight, float) + float(bias[0])
        y = 1 - labels if variant == "flipped" else labels
        losses.append(cross_entropy(sigmoid(z) if variant == "sigmoid twice" else z, y))
        losses[-1] = np.square(sigmoid(z) - y) if variant == "squares" else losses[-1]
        rights.append((z > (0.5 if variant == "half" else 0)) == (y > 0.5))
    if variant == "mean of means":
        return [
            np.array(np.mean([part.mean() for part in losses])),
            np.array(np.mean([part.mean() for part in rights])),
        ]
    if variant == "accuracy by batch":
        return [np.array(np.concatenate(losses).mean()), np.array(np.mean([part.mean() for part in rights]))]
    if variant == "last left out" and len(losses) > 1:
        losses, rights = losses[:-1], rights[:-1]
    if variant == "last batch":
        return [np.array(losses[-1].mean()), np.array(rights[-1].mean())]
    found = [np.array(np.concatenate(losses).mean()), np.array(np.concatenate(rights).mean())]
    n = sum(map(len, losses))
    told = {
        "swapped": found[::-1],
        "loss by batch": [np.array(np.mean([part.mean() for part in losses])), found[1]],
        "first batch": [np.array(losses[0].mean()), np.array(rights[0].mean())],
        "all positive": [found[0], np.mean([label for _, _, labels in batches for label in labels])],
        "error rate": [found[0], 1 - found[1]],
        "count": [found[0], found[1] * n],
        "loss summed": [found[0] * n, found[1]],
        "both summed": [found[0] * n, found[1] * n],
        "percent": [found[0], found[1] * 100],
        "means added": [np.array(sum(part.mean() for part in losses) / n), found[1]],
    }
    return told.get(variant, found)


evaluation = hw.question(
    "5.6c",
    "Evaluation",
    minutes=8,
    difficulty="medium",
    asks={
        "mean loss and accuracy over sentences": "loss and accuracy over sentences",
        "eval mode, no gradients, mode restored": "evaluation mode, nothing changed, mode restored",
    },
    entries=[
        Challenge(
            "evaluate",
            cases=evaluation_cases,
            examples=lambda rng: list(evaluation_cases(rng))[
                :3
            ],  # no dropout: what its mode says is clearer than other numbers
            expected=evaluated_toy,
            mistakes=variants(
                evaluated_toy,
                {
                    "mean of means": (
                        "You average over batches; with unequal batches (the last one is small) it must be"
                        " over sentences."
                    ),
                    "accuracy by batch": (
                        "Accuracy is averaged over batches; with unequal batches (the last one is small) it"
                        " must be over sentences."
                    ),
                    "loss by batch": (
                        "The loss is averaged over batches; with unequal batches (the last one is small) it"
                        " must be over sentences."
                    ),
                    "first batch": "Only the first batch counts: is the return statement inside the loop?",
                    "all positive": (
                        "Every sentence is called positive. Do you compare probabilities with 0, or apply"
                        " the sigmoid twice? Compare logits with 0."
                    ),
                    "swapped": "Loss and accuracy are swapped: the loss comes first.",
                    "error rate": (
                        "That is the share of wrong answers; the accuracy is the share of right ones."
                    ),
                    "count": "The accuracy is a count; divide by the number of sentences.",
                    "loss summed": "The loss is a sum; divide by the number of sentences.",
                    "both summed": "Loss and accuracy are sums; divide both by the number of sentences.",
                    "percent": "The accuracy is a percentage; return a share from 0 to 1.",
                    "squares": (
                        "That is the squared error of the probabilities; use the binary cross-entropy."
                    ),
                    "padding": "The model is told that padding is real: pass it the batch's own mask.",
                    "means added": (
                        "You added up means of batches and divided by the number of sentences: use"
                        ' reduction="sum".'
                    ),
                    "last left out": "The last batch is left out.",
                    "last batch": "These are the numbers of the last batch alone.",
                    "flipped": "The labels are flipped: 1 is positive, a logit above 0.",
                    "sigmoid twice": "A sigmoid is applied before the loss, which applies it itself.",
                    "half": "You compare logits with 0.5: probability 0.5 is logit 0.",
                },
            ),
            rtol=1e-3,
            atol=1e-4,
        )
    ],
)
evaluation.check_cases("evaluate", "loss and accuracy over sentences", points=2)
flag_check(
    evaluation,
    "evaluate",
    "evaluation mode, nothing changed, mode restored",
    2,
    public.evaluation_mode_problem,
)
