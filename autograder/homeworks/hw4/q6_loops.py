"""4.6: a training step, an evaluation, a validation split, and the best epoch kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from autograder.declare import Challenge, Wrong, curve, not_run, wrong_on
from autograder.homeworks.hw4 import public
from autograder.homeworks.hw4.cases import (
    evaluation_inputs,
    label_lists,
    step_inputs,
    trainings,
    trainings_shown,
)
from autograder.homeworks.hw4.common import FLOAT32_ATOL, named_mistakes
from autograder.homeworks.hw4.homework import hw
from autograder.homeworks.hw4.transformer import softmax
from autograder.kit import Trial


def classified(
    weight: np.ndarray, bias: np.ndarray, images: np.ndarray, labels: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A linear classifier in float64: probabilities (n, classes), loss of each image, whether it is right."""
    scores = images.reshape(len(images), -1).astype(np.float64) @ weight.T + bias
    probabilities = softmax(scores)
    return probabilities, -np.log(probabilities[np.arange(len(labels)), labels]), scores.argmax(-1) == labels


def stepped(
    weight: np.ndarray,
    bias: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    lr: float,
    steps: int,
    mistake: str = "",
    **_: Any,
) -> list[np.ndarray]:
    """Losses before each of ``steps`` steps of SGD, then weights and biases.

    At the start, stale gradients of 1 stand there.
    """
    weight, bias = weight.astype(np.float64), bias.astype(np.float64)
    old: list[Any] = [np.ones_like(weight), np.ones_like(bias)]
    losses = []
    for _step in range(steps):
        probabilities, loss, _right = classified(weight, bias, images, labels)
        twice = softmax(probabilities)
        error = (probabilities - np.eye(len(bias))[labels]) / (1 if mistake == "sum" else len(labels))
        if mistake == "softmax twice":
            loss = -np.log(twice[np.arange(len(labels)), labels])
            slope = twice - np.eye(len(bias))[labels]
            along = (slope * probabilities).sum(1, keepdims=True)
            error = probabilities * (slope - along) / len(labels)
        if mistake == "label smoothing":
            target = 0.9 * np.eye(len(bias))[labels] + 0.1 / len(bias)
            loss = -(target * np.log(probabilities)).sum(1)
            error = (probabilities - target) / len(labels)
        if mistake == "no logarithm":  # nll_loss of the scores themselves
            scores = images.reshape(len(images), -1) @ weight.T + bias
            loss = -scores[np.arange(len(labels)), labels]
            error = -np.eye(len(bias))[labels] / len(labels)
        if mistake == "squares":  # mse_loss of probabilities
            apart = probabilities - np.eye(len(bias))[labels]
            loss = np.square(apart).mean(1)
            along = (apart * probabilities).sum(1, keepdims=True)
            error = 2 * probabilities * (apart - along) / apart.size
        gradients = [error.T @ images.reshape(len(images), -1), error.sum(0)]
        if mistake == "stale":
            gradients = [gradient + stale for gradient, stale in zip(gradients, old, strict=True)]
        old = gradients
        rate = {"ascent": -lr, "no step": 0.0}.get(mistake, lr)
        weight, bias = weight - rate * gradients[0], bias - rate * gradients[1]
        if mistake == "after":
            loss = classified(weight, bias, images, labels)[1]
        losses.append(loss.sum() if mistake == "sum" else loss.mean())
    return [np.array(losses), weight, bias]


def measured(
    weight: np.ndarray,
    bias: np.ndarray,
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    mistake: str = "",
    **_: Any,
) -> list[Any]:
    """Mean loss and accuracy over all images."""
    probabilities, loss, right = classified(weight, bias, images, labels)
    starts = range(0, len(labels), batch_size)
    if mistake == "means of batches":
        return [
            np.mean([values[start : start + batch_size].mean() for start in starts])
            for values in (loss, right)
        ]
    if mistake == "first batch":
        return [loss[:batch_size].mean(), right[:batch_size].mean()]
    if mistake == "last batch":
        return [loss[starts[-1] :].mean(), right[starts[-1] :].mean()]
    if mistake == "last batch dropped":
        kept = max(len(labels) // batch_size * batch_size, 1)
        return [loss[:kept].mean(), right[:kept].mean()]
    if mistake == "sums":
        return [loss.sum(), right.mean()]
    if mistake == "means added":
        return [
            np.sum([loss[start : start + batch_size].mean() for start in starts]) / len(labels),
            right.mean(),
        ]
    if mistake == "loss of batches":
        return [np.mean([loss[start : start + batch_size].mean() for start in starts]), right.mean()]
    if mistake == "percent":
        return [loss.mean(), 100 * right.mean()]
    if mistake == "full batches of losses":
        return [
            np.sum([loss[start : start + batch_size].mean() for start in starts]) * batch_size / len(labels),
            right.mean(),
        ]
    if mistake == "softmax twice":
        twice = softmax(probabilities)
        return [-np.log(twice[np.arange(len(labels)), labels]).mean(), right.mean()]
    if mistake == "error rate":
        return [loss.mean(), 1 - right.mean()]
    if mistake == "count":
        return [loss.mean(), float(right.sum())]
    if mistake == "swapped":
        return [right.mean(), loss.mean()]
    return [loss.mean(), right.mean()]


UNEQUAL = (
    "You averaged the means of batches, so the smaller last batch counts too much. Add up over images, and"
    " divide once by their number."
)

loops = hw.question(
    "4.6a",
    "A training step and an evaluation",
    topic="training and evaluation loops, validation",
    minutes=15,
    difficulty="medium",
    asks={
        "one step, and the loss before it": "one step lowers the loss as SGD does",
        "in training mode": "the step is made in training mode",
        "mean loss and accuracy over all images": "mean loss and accuracy over all images",
        "at most batch_size at once, no gradients, mode restored": "evaluation changes nothing",
    },
    entries=[
        Challenge(
            "train_step",
            cases=step_inputs,
            examples=partial(step_inputs, sizes=((4, 3, 0.3),)),
            expected=stepped,
            mistakes=named_mistakes(
                stepped,
                {
                    "stale": (
                        "Old gradients were added to the new ones: clear them with optimizer.zero_grad()"
                        " before backward."
                    ),
                    "sum": (
                        "The loss is summed over the batch; take the mean, otherwise the step grows with"
                        " the batch."
                    ),
                    "softmax twice": (
                        "A softmax comes before the cross-entropy, which applies one itself: pass it the"
                        " logits."
                    ),
                    "label smoothing": (
                        "The loss has label smoothing (0.1); take the cross-entropy with the labels as they"
                        " are."
                    ),
                    "no logarithm": (
                        "F.nll_loss expects logarithms of probabilities, but you pass it logits: use"
                        " F.cross_entropy."
                    ),
                    "squares": "That is the squared error of the probabilities; take the cross-entropy.",
                    "ascent": "The step goes up the gradient: the loss rises.",
                    "no step": (
                        "The weights did not change. Do you call optimizer.step() after backward(), with no"
                        " zero_grad() between them?"
                    ),
                    "after": "You return the loss after the step; return the loss before it.",
                },
            ),
            atol=FLOAT32_ATOL,
        ),
        Challenge(
            "evaluate",
            cases=evaluation_inputs,
            examples=partial(evaluation_inputs, sizes=((5, 2, True), (4, 3, False))),
            expected=measured,
            mistakes=named_mistakes(
                measured,
                {
                    "means of batches": UNEQUAL,
                    "loss of batches": f"{UNEQUAL} (This is the loss.)",
                    "first batch": "Only the first batch counts. Is `return` inside the loop?",
                    "last batch": "Only the last batch counts: add up over all batches.",
                    "last batch dropped": "The last, smaller batch is left out.",
                    "sums": "The loss is a sum; divide by the number of images.",
                    "means added": (
                        "You added up means of batches and divided by the number of images: use"
                        ' reduction="sum".'
                    ),
                    "percent": "The accuracy is in percent; the question asks for a share from 0 to 1.",
                    "softmax twice": (
                        "A softmax comes before the cross-entropy, which applies one itself: pass it the"
                        " logits."
                    ),
                    "full batches of losses": (
                        "You multiply each batch's mean loss by batch_size, but the last batch is smaller:"
                        " multiply by its own number of images."
                    ),
                    "error rate": (
                        "That is the share of wrong guesses; the accuracy is the share of right ones."
                    ),
                    "count": "The accuracy is a count; divide by the number of images.",
                    "swapped": "Loss and accuracy are swapped: return the loss first.",
                },
            ),
            atol=FLOAT32_ATOL,
        ),
    ],
)
loops.check_cases("train_step", "one step lowers the loss as SGD does", points=3)


@loops.check(points=1, needs=["train_step"])
def the_step_is_made_in_training_mode(train_step: list[Trial]) -> Wrong | None:
    for trial in train_step:
        if trouble := not_run("train_step", trial) or wrong_on(trial, public.step_problem(trial.result)):
            return trouble
    return None


loops.check_cases("evaluate", "mean loss and accuracy over all images", points=2)


@loops.check(points=2, needs=["evaluate"])
def evaluation_changes_nothing(evaluate: list[Trial]) -> Wrong | None:
    for trial in evaluate:
        if trouble := not_run("evaluate", trial) or wrong_on(
            trial, public.evaluation_problem(trial.result, trial.kwargs["batch_size"])
        ):
            return trouble
    return None


FitProblem = Callable[[Mapping[str, Any], Mapping[str, Any]], str | None]  # kwargs, result → what is wrong

selection = hw.question(
    "4.6b",
    "Validation and the best epoch",
    minutes=19,
    difficulty="hard",
    asks={
        "two sets of rows, equally many of each class": "a validation split, equal in classes",
        "the best epoch by validation, in file and model": "keeps the best epoch by validation",
        "no use of the test set": "never looks at the test set",
        "no error on an interrupt": "an interrupt loses nothing",
    },
    entries=[
        Challenge("split_rows", cases=label_lists, examples=partial(label_lists, sizes=((2, 12, 4),))),
        Challenge("fit", cases=trainings, examples=trainings_shown),
    ],
)


@selection.check("a validation split, equal in classes", points=2, needs=["split_rows"])
def a_validation_split_equal_in_classes(split_rows: list[Trial]) -> Wrong | None:
    for trial in split_rows:
        if trouble := not_run("split_rows", trial) or wrong_on(
            trial, public.split_problem(trial.args[0], trial.args[1], trial.result)
        ):
            return trouble
    return None


def judge_fit(trials: Sequence[Trial], group: str, problem: FitProblem) -> Wrong | None:
    """The first trouble among the trials of one group."""
    for trial in trials:
        if trial.group == group and (
            trouble := not_run("fit", trial)
            or wrong_on(trial, problem(trial.kwargs, trial.result), kept_epoch)
        ):
            return trouble
    return None


def kept_epoch(trial: Trial, expected: Any, found: Any) -> dict[str, Any]:
    """A made-up training with the epoch whose weights are in the checkpoint."""
    accuracy = {"validation accuracy": trial.kwargs["validation"], "test accuracy": trial.kwargs["test"]}
    marks = {} if found["saved"] is None else {"kept epoch": found["saved"]}
    at = list(range(1, len(trial.kwargs["validation"]) + 1))
    return curve("Which epoch your training kept", accuracy, x="epoch", y="accuracy", at=at, marks=marks)


@selection.check(points=3, needs=["fit"])
def keeps_the_best_epoch_by_validation(fit: list[Trial]) -> Wrong | None:
    def problem(kwargs: Mapping[str, Any], result: Mapping[str, Any]) -> str | None:
        return public.selection_problem(kwargs, result) or public.history_problem(kwargs, result)

    return judge_fit(fit, "best", problem)


@selection.check(points=1, needs=["fit"])
def never_looks_at_the_test_set(fit: list[Trial]) -> Wrong | None:
    return judge_fit(fit, "best", lambda kwargs, result: public.data_problem(result))


@selection.check(points=2, needs=["fit"])
def an_interrupt_loses_nothing(fit: list[Trial]) -> Wrong | None:
    return judge_fit(fit, "interrupt", public.interrupt_problem)
