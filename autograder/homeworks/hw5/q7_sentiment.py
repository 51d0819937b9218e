"""5.7: a sentiment model, trained by the student and asked about hidden sentences.

The hidden sentences are drawn from the test split and reach the kernel as token ids without labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from autograder import kit
from autograder.declare import (
    Case,
    Challenge,
    Checkpoint,
    Choice,
    Right,
    Written,
    Wrong,
    matrix,
    not_run,
    result_of,
)
from autograder.homeworks.hw5 import public
from autograder.homeworks.hw5.common import flag_check, invented_text, padded, sigmoid, table_ids, variants
from autograder.homeworks.hw5.fetch import movie_splits
from autograder.homeworks.hw5.homework import hw

HIDDEN_SENTENCES = 800  # of 1,007: the draw moves the reference's score by 0.6 points (standard deviation)
# Full points: what 30 s of CPU time reach on validation (82%) less 2.5 standard errors.
NO_POINTS, FULL_POINTS = 0.60, 0.78
ALONE = "a batch of one sentence"
PUBLISHED = 0.95  # above what large pretrained models reach on short film sentences


def hidden_rows(rng: np.random.Generator) -> np.ndarray:
    """Which test sentences a seed asks for."""
    return np.asarray(rng.permutation(len(movie_splits()["test"]))[:HIDDEN_SENTENCES])


def hidden_sentences(rng: np.random.Generator) -> Iterator[Case]:
    """Test sentences as ids and mask, in the order of the draw, and the first of them alone; no labels."""
    ids, mask = padded([table_ids("test")[row] for row in hidden_rows(rng)])
    yield Case([ids, mask], {"init": {}, "batch": 200, "forget": True}, f"{len(ids)} hidden sentences")
    yield Case([ids[:1], mask[:1]], {"init": {}}, ALONE, "alone")


def made_up_sentences(rng: np.random.Generator) -> Iterator[Case]:
    """For the notebook: the file is loaded and asked about thirty sentences of random words."""
    lengths = rng.integers(1, 8, size=30)
    ids, mask = padded([rng.integers(1, public.N_WORDS, size=length).tolist() for length in lengths])
    yield Case([ids, mask], {"init": {}}, f"the file {public.CHECKPOINT}")
    yield Case([ids[:1], mask[:1]], {"init": {}}, ALONE, "alone")


sentiment = hw.question(
    "5.7a",
    "Train a sentiment model",
    minutes=20,
    difficulty="medium",
    asks={
        "a checkpoint that classifies hidden sentences": "accuracy on hidden sentences",
        "logits of shape (batch,), also for a batch of one": "one sentence alone",
    },
    topic="training and using a sentiment model",
    entries=[
        Checkpoint(
            "SentimentModel",
            cases=hidden_sentences,
            examples=made_up_sentences,
            file=public.CHECKPOINT,
            max_bytes=public.CHECKPOINT_BYTES,
        )
    ],
)


@sentiment.check(points=9)
def accuracy_on_hidden_sentences(SentimentModel: Sequence[kit.Trial]) -> Wrong | Right | None:
    """Gives points that rise evenly with the accuracy."""
    trial = SentimentModel[0]
    if trouble := not_run("SentimentModel", trial):
        return trouble
    logits = trial.output
    if problem := public.logits_problem(logits, HIDDEN_SENTENCES):
        return Wrong(problem)
    right = result_of(hidden_labels, trial)
    accuracy = float(((logits > 0) == right).mean())
    for spoiled in trial.result.get("forgotten", []):
        if isinstance(spoiled, np.ndarray) and spoiled.ndim == 1 and accuracy > NO_POINTS:
            agreement = float(((spoiled > 0) == (logits[: len(spoiled)] > 0)).mean())
            if agreement > 0.9:
                return Wrong(
                    f"Your checkpoint gets {accuracy:.1%} right, but its guesses stay the same when all"
                    " numbers of the file are shuffled or replaced by their mean. So its guesses do not come"
                    " from the weights, and earn no points.",
                    measured=accuracy,
                )
    share = float(np.clip((accuracy - NO_POINTS) / (FULL_POINTS - NO_POINTS), 0, 1))
    table = np.zeros((2, 2), dtype=int)
    np.add.at(table, (right.astype(int), (logits > 0).astype(int)), 1)
    kinds = ("negative", "positive")
    shown = matrix(
        "Guesses of your checkpoint on the hidden sentences",
        table,
        x="guess",
        y="true label",
        rows=kinds,
        columns=kinds,
    )
    told = (
        f"Your checkpoint gets {accuracy:.1%} of {len(right)} hidden sentences right; points rise from"
        f" {NO_POINTS:.0%} to {FULL_POINTS:.0%}."
    )
    if accuracy > PUBLISHED:
        told += (
            " That is more than is published for such models; your instructor will ask how it was trained."
        )
    if share == 1:
        return Right(told, measured=accuracy)
    if accuracy < 1 - NO_POINTS:
        flipped = (
            f"{told} It is wrong most of the time, so its labels are flipped: a logit above 0 means 1,"
            " positive."
        )
        return Wrong(flipped, measured=accuracy, evidence=shown)
    if problem := public.outputs_problem(logits):
        return Wrong(f"{told} {problem}", share, accuracy, shown)
    if accuracy < NO_POINTS:
        chance = (
            f"{told} That is near chance, 50%. Is this the file that the training saved, and does the model"
            " read ids and mask as in training?"
        )
        return Wrong(chance, share, accuracy, shown)
    return Wrong(
        f"{told} Were the word vectors trained, too, and was the best epoch chosen on validation?",
        share,
        accuracy,
        shown,
    )


@sentiment.check(points=1)
def one_sentence_alone(SentimentModel: Sequence[kit.Trial]) -> Wrong | None:
    """Looks at the shape that a batch of one gives, and that outputs are no labels; the rest is accuracy."""
    trial, others = SentimentModel[1], SentimentModel[0]
    if trouble := not_run("SentimentModel", trial):
        return trouble
    problem = public.logits_problem(trial.output, 1)
    if not problem and others.status == "ok" and not public.logits_problem(others.output, HIDDEN_SENTENCES):
        found = public.outputs_problem(others.output)
        problem = found if found == public.LABELS_ALONE else None
    return Wrong(problem) if problem else None


@cache
def test_labels() -> dict[bytes, int]:
    """Labels of the test sentences by their token ids."""
    return {
        np.array(ids, dtype=np.int64).tobytes(): label
        for ids, label in zip(table_ids("test"), movie_splits()["test"].labels, strict=True)
    }


def hidden_labels(ids: np.ndarray, mask: np.ndarray, **_options: Any) -> np.ndarray:
    """Labels of hidden sentences, found by what was asked; they never enter a kernel."""
    return np.array(
        [
            test_labels()[np.asarray(row[keep], np.int64).tobytes()]
            for row, keep in zip(ids, mask, strict=True)
        ]
    )


def sentiment_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Texts, logits of both signs, and the label map in either order."""
    maps = (
        [[0, "negative"], [1, "positive"]],
        [[1, "positive"], [0, "negative"]],
        [[1, "fresh"], [0, "rotten"]],
    )
    fixed = (
        ("a warm and funny film", 0.2, -1.0, 0),
        ("dull from start to end", -0.3, 1.0, 2),
        ("fine", 0.0, 0.3, 0),
        ("odd but fresh , a slow story with warm songs and a dull ending", 0.1, -3.0, 0),
    )
    for place, (text, scale, shift, order) in enumerate(fixed):
        yield predicted_case(text, scale, shift, maps[order], train=place != 1)
    for _ in range(4):
        text = invented_text(rng, int(rng.integers(2, 9)))
        yield predicted_case(
            text, float(rng.normal(scale=0.1)), float(rng.normal()), maps[int(rng.integers(3))]
        )


def predicted_case(
    text: str, scale: float, shift: float, labels: list[list[Any]], train: bool = True
) -> Case:
    """One text with a model whose logit is known, and the mode in which it comes."""
    note = f'"{text}" with the label map {{{", ".join(f"{number}: {name}" for number, name in labels)}}}'
    options = {"scale": scale, "shift": shift, "labels": labels, "train": train}
    return Case([text], options, note, probe="predict")


def predicted(
    text: str, scale: float, shift: float, labels: Any, train: bool, variant: str = ""
) -> list[Any]:
    """[label, probability of positive]."""
    logit = (
        shift
        + scale * sum(len(word) for word in text.split())
        + (25.0 if variant == "train mode" and train else 0.0)
    )
    probability, positive = float(sigmoid(np.array(logit))), logit > 0
    names = dict(map(tuple, labels))
    if variant == "flipped":
        positive = not positive
    if variant == "order":
        return [[name for _, name in labels][int(positive)], probability]
    if variant == "own names":
        names = {0: "negative", 1: "positive"}
    if variant == "half":
        positive = logit > 0.5
    if variant == "number":
        return [int(positive), probability]
    if variant == "swapped":
        return [probability, names[int(positive)]]
    if variant in ("of negative", "both of negative"):
        probability = 1 - probability
    if variant == "both of negative":
        positive = probability > 0.5
    if variant == "percent":
        return [names[int(positive)], 100 * probability]
    if variant == "sigmoid twice":
        probability, positive = float(sigmoid(np.array(probability))), True
    if variant == "of the label":
        return [names[int(positive)], max(probability, 1 - probability)]
    return [names[int(positive)], logit if variant == "logit" else probability]


predicting = hw.question(
    "5.7b",
    "Predict the sentiment of a text",
    minutes=12,
    difficulty="easy",
    asks={
        "the label's name from the map, and the probability of positive": "label and probability",
        "eval mode, a batch of one, nothing changed": "the model is asked properly and left as it was",
    },
    entries=[
        Challenge(
            "predict_sentiment",
            cases=sentiment_cases,
            expected=predicted,
            mistakes=variants(
                predicted,
                {
                    "train mode": "The model was in train mode, so dropout was on: call model.eval() first.",
                    "order": (
                        "You take the name by its place in the map or in a list; use the number: labels[1] is"
                        " positive, in whatever order the map was written."
                    ),
                    "own names": (
                        "The name is not in the map: a map may contain other names; return labels[0] or"
                        " labels[1]."
                    ),
                    "flipped": "The label is flipped: a logit above 0 means label 1.",
                    "half": "You compare the logit with 0.5: probability 0.5 is logit 0.",
                    "number": "The first value is the label's number; return its name, labels[number].",
                    "swapped": "The two values are swapped: the name comes first.",
                    "of negative": "That is the negative class's probability; return the positive class's.",
                    "both of negative": (
                        "Label and probability are those of the negative class: sigmoid(logit) is the"
                        " probability of label 1, positive."
                    ),
                    "percent": "That is a percentage; return a probability from 0 to 1.",
                    "sigmoid twice": "The sigmoid is applied twice.",
                    "logit": (
                        "The second value is the logit; the question asks for the probability of the positive"
                        " class, sigmoid(logit)."
                    ),
                    "of the label": (
                        "The second value is the probability of the label you return; the question"
                        " always asks for that of the positive class."
                    ),
                },
            ),
            rtol=1e-3,
        ),
        Choice(
            "model_comparison",
            options={
                "A": (
                    "The attention model is better: it leads by 2.4 points on validation, and by 0.1 on test."
                ),
                "B": "This test cannot tell them apart; the lead on validation may be chance and selection.",
                "C": "The two are equally good: the test shows that there is no difference.",
                "D": "Accuracy is the wrong measure here, so nothing can be said.",
            },
            correct="B",
            why={
                "A": (
                    "validation chose the epoch and the settings, so its number is too good; on the test"
                    " sentences, 92 against 91 is what chance gives."
                ),
                "C": "a test too small to see a difference of two points does not show that there is none.",
                "D": "the classes are balanced, so accuracy is a fair measure; what is missing is certainty.",
            },
            points=1,
        ),
    ],
    written=Written(
        points=3,
        words=(40, 120),
        rubric={
            "Reports the label and the probability for the two given sentences and two of one's own": 1,
            (
                "Explains one wrong or surprising answer by a property of the model or the data (no order,"
                " rare words, few negated examples)"
            ): 2,
        },
        examples={
            "full": (
                'Given: "A warm, funny and moving film" positive (1.00); "It is not good" positive (0.75),'
                ' wrong. Own: "I want my two hours back" negative (0.17); "Hardly a masterpiece, but never'
                ' boring" negative (0.01), wrong. Negation fails: without positions the model cannot know'
                ' which word "never" turns, and phrases like "not good" are rare in the training sentences,'
                ' so it mostly adds up the votes of "never" and "boring".'
            ),
            "half": (
                "The model got three of my four sentences right (positive 0.99, positive 0.62, negative 0.31,"
                " negative 0.08). It does not understand negation."
            ),
            "none": "The model works well on all sentences.",
        },
    ),
)
predicting.check_cases("predict_sentiment", "label and probability", points=2)
flag_check(
    predicting,
    "predict_sentiment",
    "the model is asked properly and left as it was",
    1,
    public.predict_problem,
)
