"""5.6a: accuracy from logits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autograder.declare import Case, Challenge
from autograder.homeworks.hw5.homework import hw


def logits_and_labels(rng: np.random.Generator) -> Iterator[Case]:
    """Logits between 0 and 0.5, large ones, one alone, all wrong."""
    yield Case(
        [
            np.array([1.2, -2.0, -0.4, -0.6, 0.4, -1.4, 0.7, 0.3, -0.2, -1.0, 1.0], np.float32),
            np.array([1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1], np.float32),
        ],
        note="eleven sentences with logits from −2 to 1.2",  # each usual slip gives another share
        torch=True,
    )
    yield Case(
        [np.array([0.2], np.float32), np.array([1], np.float32)],
        note="one sentence alone, logit 0.2",
        torch=True,
    )
    yield Case(
        [np.array([80.0, -90.0], np.float32), np.array([0, 1], np.float32)],
        note="all wrong, large logits",
        torch=True,
    )
    for size in (7, 33):
        labels = rng.integers(0, 2, size).astype(np.float32)
        yield Case(
            [rng.normal(scale=0.7, size=size).astype(np.float32), labels],
            note=f"{size} sentences",
            torch=True,
        )


binary = hw.question(
    "5.6a",
    "Accuracy from logits",
    minutes=5,
    difficulty="easy",
    asks={
        "the share of right labels, a float": "the share of right answers",
    },
    topic="metrics and loops",
    entries=[
        Challenge(
            "binary_accuracy",
            cases=logits_and_labels,
            expected=lambda logits, labels: np.array(((logits > 0) == (labels > 0.5)).mean()),
            mistakes={
                "You compare logits with 0.5: probability 0.5 is logit 0.": lambda logits, labels: np.array(
                    ((logits > 0.5) == (labels > 0.5)).mean()
                ),
                "That is a percentage; the question asks for a share from 0 to 1.": lambda logits, labels: (
                    np.array(100 * ((logits > 0) == (labels > 0.5)).mean())
                ),
                "That is the number of right answers, not their share.": lambda logits, labels: np.array(
                    ((logits > 0) == (labels > 0.5)).sum() * 1.0
                ),
                (
                    "That is the share of wrong answers: a label is flipped somewhere (positive is 1, a logit"
                    " above 0)."
                ): lambda logits, labels: np.array(((logits > 0) != (labels > 0.5)).mean()),
                (
                    "Every sentence is called positive. Do you compare probabilities with 0, or apply the"
                    " sigmoid twice? Compare logits with 0."
                ): lambda logits, labels: np.array((labels > 0.5).mean()),
                "That is the F1 score; the question asks for the share of right labels.": (
                    lambda logits, labels: np.array(
                        2
                        * ((logits > 0) & (labels > 0.5)).sum()
                        / max((logits > 0).sum() + (labels > 0.5).sum(), 1)
                    )
                ),
                "That is the distance of probabilities from labels; each answer is either right or wrong.": (
                    lambda logits, labels: np.array(
                        1 - np.abs(1 / (1 + np.exp(-logits.astype(float))) - labels).mean()
                    )
                ),
                "Every logit is compared with every label: the shapes broadcast to a square matrix.": (
                    lambda logits, labels: np.array(((logits > 0)[:, None] == (labels > 0.5)[None]).mean())
                ),
                "argmax over the batch gives one number; compare the logit of each sentence with 0.": (
                    lambda logits, labels: np.array((logits.argmax() == labels).mean())
                ),
                "Only right positive answers are counted; right negative ones count as well (torch.sign gives"
                " -1 where the label is 0).": (
                    lambda logits, labels: np.array(((logits > 0) & (labels > 0.5)).mean())
                ),
                "That is the share of sentences called positive; the labels are not used.": (
                    lambda logits, labels: np.array((logits > 0).mean())
                ),
                "That is the recall, which covers only positive sentences; count all sentences.": (
                    lambda logits, labels: np.array((logits > 0)[labels > 0.5].mean())
                ),
                "That is the precision, which covers only sentences called positive; count all sentences.": (
                    lambda logits, labels: np.array((labels > 0.5)[logits > 0].mean())
                ),
                (
                    "You compare the logits themselves with the labels; compute predictions first, with"
                    " logits > 0."
                ): (lambda logits, labels: np.array((logits == labels).mean())),
                "// rounds the share down to a whole number; divide with /.": lambda logits, labels: np.array(
                    ((logits > 0) == (labels > 0.5)).sum() // len(labels)
                ),
                "You rounded the logits themselves: apply the sigmoid first, or compare with 0.": (
                    lambda logits, labels: np.array((np.round(logits) == labels).mean())
                ),
            },
        )
    ],
)
binary.check_cases("binary_accuracy", "the share of right answers", points=2)
