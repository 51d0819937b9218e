"""What can be said of an answer to 4.6 without knowing the right one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograder.kit import Trial, visible_check
from autograder.kit.shared.modules import way_back


def results(trials: Any, *keys: str) -> Iterator[tuple[Trial, Mapping[str, Any]]]:
    """The trials that gave a result of the expected form."""
    for trial in trials:
        if trial.status == "ok" and isinstance(trial.result, dict) and set(keys) <= set(trial.result):
            yield trial, trial.result


def step_problem(result: Mapping[str, Any]) -> str | None:
    """Whether a training step ran in training mode, once; else words."""
    if not result["calls"]:
        return "`train_step` never called the model."
    if not result["trained"]:
        return (
            "`train_step` ran the model in evaluation mode. An evaluation may have come just before: call"
            " `model.train()` first."
        )
    return None


def evaluation_problem(result: Mapping[str, Any], batch_size: int) -> str | None:
    """Whether an evaluation left the model as it was; else the first thing that it changed, in words."""
    if not result["largest_batch"]:
        return "`evaluate` never called the model."
    if result["in_training_mode"]:
        return (
            "`evaluate` ran the model in training mode, where dropout is active. Call `model.eval()` first."
        )
    if not result["mode_restored"]:
        return (
            "`evaluate` did not restore the mode: remember `model.training` at the start and restore it"
            " with `model.train(...)`."
        )
    if result["left_behind"]:
        return (
            f"`evaluate` left {' and '.join(result['left_behind'])} changed for all code after it."
            f"{way_back(result['left_behind'])}"
        )
    if result["with_gradients"]:
        return "`evaluate` recorded gradients, which costs time and memory: wrap it in `torch.no_grad()`."
    if not result["unchanged"]:
        return "`evaluate` changed the model's weights."
    if not result["still_learning"]:
        return "`evaluate` set `requires_grad` of the weights to False, so that training would stop."
    if not result["gradients_kept"]:
        return "`evaluate` changed the existing gradients. It must leave them as they are."
    if result["largest_batch"] > batch_size:
        return (
            f"`evaluate` ran {result['largest_batch']} images at once, but batch_size is {batch_size}: a"
            " large set would not fit into memory."
        )
    return None


def split_problem(labels: np.ndarray, validation: int, result: Mapping[str, Any]) -> str | None:
    """Whether rows are split in two as asked, and by the seed alone; else words.

    Args:
        labels: the class of each row.
        validation: how many rows to hold out.
        result: two runs of seed 1, one of seed 2.
    """
    runs = [result[str(number)] for number in range(3)]
    for run in runs:
        if not isinstance(run, list) or len(run) != 2:
            return "`split_rows` should return two arrays: rows for training, rows for validation."
    pairs = [[np.asarray(part) for part in run] for run in runs]
    for train, held in pairs:
        for rows in (train, held):
            if rows.ndim != 1 or rows.dtype.kind not in "iu":
                return (
                    f"`split_rows` should return whole row numbers, not an array of dtype {rows.dtype}, shape"
                    f" {rows.shape}."
                )
        if np.array_equal(np.sort(np.concatenate([train, held])), np.sort(labels)):
            return "`split_rows` returns labels; return the numbers of the rows, from 0 to n - 1."
        if len(held) != validation and len(train) == validation:
            return (
                f"The two parts are swapped: first come the rows for training, then the {validation} rows for"
                " validation."
            )
        if len(held) != validation:
            return f"`split_rows` should return {validation} validation rows, but returned {len(held)}."
        if both := len(np.intersect1d(train, held)):
            return (
                f"{_rows_are(both)} in both parts: the model would be validated on images it was trained on."
            )
        together = np.concatenate([train, held])
        if twice := len(together) - len(np.unique(together)):
            return (
                f"{_rows_are(twice)} drawn more than once. Draw without replacement, and draw the rows' own"
                " numbers: a place among the rows of one class is none."
            )
        if not np.array_equal(np.sort(together), np.arange(len(labels))):
            return (
                f"The two parts together should contain each of the {len(labels)} rows once; they contain"
                f" {len(np.unique(together))} of them."
            )
        counts = np.bincount(labels[held], minlength=int(labels.max()) + 1)
        if np.ptp(counts) > 0:
            return (
                f"The classes occur {', '.join(map(str, counts))} times among the validation rows; each"
                " should occur equally often."
            )
    if not np.array_equal(np.sort(pairs[0][1]), np.sort(pairs[1][1])):
        return "The same seed gave two different splits: draw everything from `np.random.default_rng(seed)`."
    if np.array_equal(np.sort(pairs[0][1]), np.sort(pairs[2][1])):
        return "Two different seeds gave the same split: the rows should be drawn at random."
    return None


def _rows_are(count: int) -> str:
    return "1 row is" if count == 1 else f"{count} rows are"


def selection_problem(kwargs: Mapping[str, Any], result: Mapping[str, Any]) -> str | None:
    """Whether the best epoch by validation accuracy is kept, in the file and in the model; else words."""
    reached = kwargs["interrupt"] - 1 if kwargs["interrupt"] else len(kwargs["validation"])
    validation, test = list(kwargs["validation"])[:reached], list(kwargs["test"])[:reached]
    best = int(np.argmax(validation)) + 1
    if result["unreadable"]:
        return (
            "The checkpoint cannot be loaded with weights_only=True: is it the whole model? Save"
            " `model.state_dict()` alone."
        )
    if others := sorted(set(result["trained_on"]) - {"train"}):
        return f"`fit` trains on `data['{others[0]}']` as well; only `data['train']` is for training."
    if result["holds"]:
        return (
            f"The checkpoint holds {result['holds']} instead of the model's weights: save"
            " `model.state_dict()` itself."
        )
    if result["saved"] is None:
        return (
            "There is no checkpoint: call `torch.save(model.state_dict(), path)` whenever an epoch is the"
            " best so far."
        )
    listed = ", ".join(f"{accuracy:.2f}" for accuracy in validation)
    told = (
        f"With validation accuracies {listed} epoch {best} is the best, but the checkpoint holds epoch"
        f" {result['saved']}"
    )
    if result["saved"] != best:
        why = ""
        if "validation" not in result["evaluated"]:
            why = ". `fit` never evaluates on `data['validation']`, whose accuracy must decide"
        elif result["saved"] == int(np.argmax(test)) + 1 and "test" in result["evaluated"]:
            why = (
                ", the best on the *test* set. If you choose by the test set, its accuracy is too good to be"
                " true"
            )
        elif _losses_as_accuracies(kwargs, result["history"]):
            why = ". Loss and accuracy are swapped: `evaluate` returns the loss first"
        elif result["evaluated_first"] and result["saved"] == best + 1:
            why = ". `fit` evaluates before it trains, so each accuracy is that of the epoch before"
        elif result["saved"] == min(reached, len(result["trained_on"])):
            why = ", the last one. Save only when the validation accuracy is higher than ever before"
        elif result["saved"] == int(np.argmin(list(kwargs["losses"])[:reached])) + 1:
            why = ", the one with the lowest loss. The question asks for the highest validation accuracy"
        return f"{told}{why}."
    if result["left"] != best:
        return (
            f"The file holds epoch {best}, the best, but the model is left with the weights of epoch"
            f" {result['left']}: load the file at the end."
        )
    return None


def _losses_as_accuracies(kwargs: Mapping[str, Any], history: Any) -> bool:
    """Whether a history has the validation losses in the places of the accuracies."""
    rows = history if isinstance(history, list) and all(isinstance(row, dict) for row in history) else []
    found = [row.get("validation_accuracy") for row in rows]
    pairs = zip(found, kwargs["losses"], strict=False)
    return bool(rows) and all(isinstance(one, float) and abs(one - loss - 0.5) < 1e-6 for one, loss in pairs)


def data_problem(result: Mapping[str, Any]) -> str | None:
    """Whether only training and validation data were looked at; else words."""
    if "test" in result["evaluated"]:
        return "`fit` evaluates on the *test* set. Data used during training is no longer a test."
    if "test" in result["read"]:
        return "`fit` reads `data['test']`. Use the test set only once, after all choices are made."
    if not result["evaluated"]:
        return "`fit` never evaluates on `data['validation']`."
    return None


def rows_problem(kwargs: Mapping[str, Any], result: Mapping[str, Any]) -> str | None:
    """Whether the history has a row for each finished epoch; else words."""
    reached = kwargs["interrupt"] - 1 if kwargs["interrupt"] else len(kwargs["validation"])
    history = result["history"]
    if not isinstance(history, list) or not all(isinstance(row, dict) for row in history):
        return "`fit` should return its history, a list with one dict for each epoch."
    if len(result["trained_on"]) < reached:
        return f"`fit` should train {reached} epochs, but trained {len(result['trained_on'])}."
    if len(history) != reached:
        finished = "1 epoch was" if reached == 1 else f"{reached} epochs were"
        rows = "1 row" if len(history) == 1 else f"{len(history)} rows"
        return f"{finished} finished, but the history has {rows}."
    return None


def history_problem(kwargs: Mapping[str, Any], result: Mapping[str, Any]) -> str | None:
    """Whether the history has a row for each finished epoch, with the three numbers; else words."""
    if problem := rows_problem(kwargs, result):
        return problem
    history = result["history"]
    losses = list(kwargs["losses"])
    columns = {
        "train_loss": losses,
        "validation_loss": [loss + 0.5 for loss in losses],
        "validation_accuracy": list(kwargs["validation"]),
    }
    for epoch, row in enumerate(history):
        for key, wanted in columns.items():
            found = row.get(key)
            if isinstance(found, np.ndarray | np.generic) and found.size == 1:
                found = found.item()  # a number of NumPy or torch
            if not isinstance(found, float | int):
                return f"Row {epoch} of the history has no number `{key}`; it has {', '.join(map(str, row))}."
            if abs(found - wanted[epoch]) > 1e-6 * max(1.0, abs(wanted[epoch])):
                return (
                    f"Row {epoch} of the history says {key} = {found:.3g}; in that epoch it was"
                    f" {wanted[epoch]:.3g}."
                )
    return None


def interrupt_problem(kwargs: Mapping[str, Any], result: Mapping[str, Any]) -> str | None:
    """Whether an interrupt ends the training quietly, with the best so far in file and model; else words."""
    if result["interrupt_reached_us"]:
        return (
            "An interrupt of the kernel raised KeyboardInterrupt out of `fit`: catch it around the loop, and"
            " continue with the results so far."
        )
    if kwargs["interrupt"] == 1:
        return rows_problem(kwargs, result)  # nothing was finished, so there is nothing to keep
    return selection_problem(kwargs, result) or rows_problem(kwargs, result)


def _shown(problem: str | None, fine: str) -> tuple[bool | None, str]:
    return (problem is None, problem or fine)


@visible_check("4.6a")
def check_loops(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for _, result in results(answers.get("train_step", ()), "trained"):
        lines.append(_shown(step_problem(result), "`train_step` trains in training mode."))
    for trial, result in results(answers.get("evaluate", ()), "mode_restored"):
        lines.append(
            _shown(
                evaluation_problem(result, trial.kwargs["batch_size"]),
                f"`evaluate` leaves the model as it was on {trial.note}.",
            )
        )
    return lines


@visible_check("4.6b")
def check_selection(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for trial, result in results(answers.get("split_rows", ()), "0", "1", "2"):
        lines.append(
            _shown(
                split_problem(trial.args[0], trial.args[1], result),
                "`split_rows` splits one small set as asked.",
            )
        )
    for trial, result in results(answers.get("fit", ()), "saved"):
        if trial.kwargs["interrupt"]:
            lines.append(_shown(interrupt_problem(trial.kwargs, result), "An interrupt loses nothing."))
        else:
            problem = (
                selection_problem(trial.kwargs, result)
                or data_problem(result)
                or history_problem(trial.kwargs, result)
            )
            lines.append(_shown(problem, f"`fit` keeps the best epoch on {trial.note}."))
    return lines
