"""5.5b: the GRU head trained on the frozen encoder, and compared with 5.3 and 5.4."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from autograder.declare import NOT_JUDGED, Array, Case, Challenge, Wrong
from autograder.homeworks.hw5.homework import hw

VALIDATION = 1_007
PLAUSIBLE = 0.6, 0.92  # an untrained model has a half; no model of this size reaches the upper end


def outcomes(rng: np.random.Generator) -> Iterator[Case]:
    """Which sentences two models get right, models that agree often and models that agree never."""
    for n, first, agree in ((40, 0.75, 0.8), (150, 0.8, 0.9), (90, 0.7, 0.5)):
        one = rng.random(n) < first
        other = np.where(rng.random(n) < agree, one, rng.random(n) < 0.55)
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
    sign = -1.0 if mistake == "sign" else 1.0
    scale = 100.0 if mistake == "percent" else 1.0
    return [np.array(sign * scale * differences.mean()), np.array(scale * error)]


def slip(mistake: str) -> Callable[[np.ndarray, np.ndarray], list[np.ndarray]]:
    """The oracle with one thing wrong."""
    return lambda one, other: paired(one, other, mistake)


comparison = hw.question(
    "5.5b",
    "Does pretraining help? Three models, one comparison",
    minutes=15,
    difficulty="medium",
    claimed=True,  # grading does not train: the accuracies come from the student's log
    asks={
        "`paired_difference`: difference of accuracies and its standard error": "the paired difference",
        "accuracies of 5.3, 5.4 and 5.5, with standard errors": "three accuracies with errors",
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
                "That is the spread of single differences; the error of their mean is smaller by √n.": slip(
                    "spread"
                ),
                "You divided by n; the error of a mean falls with √n.": slip("n"),
                "That is nearly it: with ddof=1. The question takes np.std as it is.": slip("ddof"),
                "The difference has the other sign: take the first minus the second.": slip("sign"),
                "Those are percent; give shares from -1 to 1.": slip("percent"),
            },
        ),
        Array("accuracies_55", (3,)),
        Array("errors_55", (3,)),
    ],
)
comparison.check_cases("paired_difference", "the paired difference", points=3)


@comparison.check("three accuracies with errors", points=1, needs=["accuracies_55", "errors_55"])
def accuracies_fit_their_standard_errors(accuracies_55: np.ndarray, errors_55: np.ndarray) -> Wrong | None:
    """Judges what a training can give: shares of 1,007 sentences, better than chance, and √(p(1-p)/n)."""
    low, high = PLAUSIBLE
    if not ((accuracies_55 > low) & (accuracies_55 < high)).all():
        return Wrong(
            f"`accuracies_55` is {np.round(accuracies_55, 3).tolist()}; trained models lie between {low} and"
            f" {high}. Did all three train, and are these shares, not percent?"
        )
    counts = accuracies_55 * VALIDATION
    if np.abs(counts - counts.round()).max() > 0.05 * VALIDATION * 1e-2:
        return Wrong(f"`accuracies_55` holds numbers that are no share of {VALIDATION:,} sentences.")
    wanted = np.sqrt(accuracies_55 * (1 - accuracies_55) / VALIDATION)
    if np.allclose(errors_55, wanted, rtol=0.02):
        return None
    told = f"`errors_55` is {np.round(errors_55, 4).tolist()}, expected {np.round(wanted, 4).tolist()}"
    if np.allclose(errors_55, wanted * np.sqrt(VALIDATION), rtol=0.02):
        return Wrong(f"{told}: divide by the root of the number of sentences.")
    return Wrong(f"{told}: √(p(1 - p)/n) with n = {VALIDATION:,}.")
