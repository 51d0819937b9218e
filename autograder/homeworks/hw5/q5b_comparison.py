"""5.5b: the GRU head trained on the frozen encoder, and compared with 5.3 and 5.4."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from autograder.declare import NOT_JUDGED, Case, Challenge
from autograder.homeworks.hw5.homework import hw


def outcomes(rng: np.random.Generator) -> Iterator[Case]:
    """Which sentences two models get right, models that agree often and models that agree never."""
    for n, first, agree in ((40, 0.75, 0.8), (150, 0.8, 0.9), (90, 0.7, 0.5)):
        one = other = np.zeros(n, bool)
        while one.mean() <= other.mean():
            one = rng.random(n) < first
            other = np.where(rng.random(n) < agree, one, rng.random(n) < 0.55)
        if n == 150:
            yield Case([other, one], note=f"two models on {n} sentences, the second better")
        else:
            yield Case([one, other], note=f"two models on {n} sentences")
    yield Case([np.array([True, True, False, True]), np.array([False, True, True, True])], note="4 sentences")


def paired(one: np.ndarray, other: np.ndarray, mistake: str = "") -> list[np.ndarray]:
    """The oracle: mean of the differences, each -1, 0 or 1, and its standard error."""
    n, differences = len(one), one.astype(float) - other.astype(float)
    error = differences.std() / np.sqrt(n)
    if mistake == "unpaired":
        error = np.sqrt(one.var() / n + other.var() / n)
    if mistake == "spread":
        error = differences.std()
    if mistake == "n":
        error = differences.std() / n
    if mistake == "ddof":
        error = differences.std(ddof=1) / np.sqrt(n)
    if mistake == "binomial":
        error = np.sqrt(abs(differences.mean()) * (1 - abs(differences.mean())) / n)
    if mistake == "counts":
        return [np.array(differences.sum()), np.array(np.sqrt((differences != 0).sum()))]
    if mistake == "errors added":
        error = (one.std() + other.std()) / np.sqrt(n)
    if mistake == "interval":
        error = 1.96 * error
    if mistake == "unsigned":
        differences = (one.astype(np.uint8) - other.astype(np.uint8)).astype(float)
        error = differences.std() / np.sqrt(n)
    if mistake == "number":
        return [np.array(differences.sum()), np.array(error)]
    if mistake == "size":
        return [np.array(abs(differences.mean())), np.array(error)]
    if mistake == "swapped":
        return [np.array(error), np.array(differences.mean())]
    if mistake == "variance":
        error = differences.var() / n
    sign = -1.0 if mistake == "sign" else 1.0
    scale = 100.0 if mistake == "percent" else 1.0
    return [np.array(sign * scale * differences.mean()), np.array(scale * error)]


def slip(mistake: str) -> Callable[[np.ndarray, np.ndarray], list[np.ndarray]]:
    """The oracle with one thing wrong."""
    return lambda one, other: paired(one, other, mistake)


def one_model(rng: np.random.Generator) -> Iterator[Case]:
    """Which sentences one model gets right."""
    yield Case([np.array([True, True, False, True])], note="4 sentences, 3 of them right")
    for n, share in ((50, 0.8), (200, 0.7)):
        yield Case([rng.random(n) < share], note=f"{n} sentences")


def measured(right: np.ndarray, mistake: str = "") -> list[np.ndarray]:
    """The oracle: the accuracy p and √(p(1 - p)/n)."""
    p, n = float(right.mean()), len(right)
    right_error = float(np.sqrt(p * (1 - p) / n))
    errors = {
        "spread": np.sqrt(p * (1 - p)),
        "n": np.sqrt(p * (1 - p)) / n,
        "no root": p * (1 - p) / n,
        "interval": 1.96 * right_error,
        "ddof": np.std(right, ddof=1) / np.sqrt(n),
    }
    error = float(errors.get(mistake, right_error))
    if mistake == "swapped":
        return [np.array(error), np.array(p)]
    if mistake == "percent":
        return [np.array(100 * p), np.array(100 * error)]
    if mistake == "count alone":
        return [np.array(p * n), np.array(error)]
    if mistake == "count":
        return [np.array(p * n), np.array(error * n)]
    return [np.array(p), np.array(error)]


comparison = hw.question(
    "5.5b",
    "Does pretraining help? Three models, one comparison",
    minutes=15,
    difficulty="medium",
    asks={
        "`paired_difference`: difference of accuracies and its standard error": "the paired difference",
        "`accuracy_with_error`: accuracy and its standard error": "accuracy with its error",
        "the three models trained and compared, by the given cells, whose output stays in the"
        " notebook": NOT_JUDGED,
        "predict the order before training": NOT_JUDGED,
    },
    entries=[
        Challenge(
            "paired_difference",
            cases=outcomes,
            expected=paired,
            mistakes={
                "Your error is that of two independent samples. Both models saw the same sentences: take the"
                " spread of the differences.": slip("unpaired"),
                (
                    "That is the spread of single differences; the error of their mean is smaller by a factor"
                    " of √n."
                ): slip("spread"),
                "You divided by n; divide by √n, because that is how the error of a mean decreases.": slip(
                    "n"
                ),
                "That is almost right, but with ddof=1. The question uses the default of np.std.": slip(
                    "ddof"
                ),
                "Your error is that of a share. The differences are -1, 0 or 1: take np.std of them.": slip(
                    "binomial"
                ),
                "You add the errors of both models. They saw the same sentences: take the spread of the"
                " differences.": slip("errors added"),
                "These are numbers of sentences; return shares, from -1 to 1.": slip("counts"),
                "That is half of a 95% interval; return the standard error itself.": slip("interval"),
                "You subtract unsigned numbers, where 0 − 1 is 255; convert them to floats first.": slip(
                    "unsigned"
                ),
                "The first value is a number of sentences; return their share, from -1 to 1.": slip("number"),
                "The sign is lost: the difference is negative where the second is better.": slip("size"),
                "Difference and error are swapped: the difference comes first.": slip("swapped"),
                "The root is missing: np.std(d) / √n.": slip("variance"),
                "The sign is wrong: first minus second, negative where the second is better.": slip("sign"),
                "These are percentages; return shares from -1 to 1.": slip("percent"),
            },
        ),
        Challenge(
            "accuracy_with_error",
            cases=one_model,
            expected=measured,
            mistakes={
                "That is the spread of single sentences; divide by √n.": lambda right: measured(
                    right, "spread"
                ),
                "You divided by n outside the root; it belongs inside.": lambda right: measured(right, "n"),
                "That is half of a 95% interval; return the standard error itself.": lambda right: measured(
                    right, "interval"
                ),
                "That is almost right, but with ddof=1. The question asks for √(p(1 - p)/n).": lambda right: (
                    measured(right, "ddof")
                ),
                "Accuracy and error are swapped: the accuracy comes first.": lambda right: measured(
                    right, "swapped"
                ),
                "These are percentages; return shares from 0 to 1.": lambda right: measured(right, "percent"),
                "That is the number of right sentences; the accuracy is their share.": lambda right: measured(
                    right, "count"
                ),
                "The first value is the number of right sentences; return their share.": lambda right: (
                    measured(right, "count alone")
                ),
                "The root is missing: √(p(1 - p)/n).": lambda right: measured(right, "no root"),
            },
        ),
    ],
)
comparison.check_cases("paired_difference", "the paired difference", points=3)


comparison.check_cases("accuracy_with_error", "accuracy with its error", points=1)
