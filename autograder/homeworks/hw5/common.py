"""What several questions of hw5 share: texts, batches, means over real tokens, named mistakes.

An oracle is float64 NumPy, torch's own layers, or counting. A mistake is the oracle with one thing wrong
(``variant``); it only serves to name what went wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from autograder.declare import (
    Answer,
    Case,
    Challenge,
    Oracle,
    Question,
    Wrong,
    judge_cases,
    not_run,
    wrong_on,
)
from autograder.homeworks.hw5.fetch import movie_splits, movie_vectors

WORDS = (
    "film plot scene star joke song cast story music ending the a this that is was dull funny slow fresh odd"
    " warm"
)
INVENTED = WORDS.split()


def invented_text(rng: np.random.Generator, length: int = 9) -> str:
    """A text of everyday film words with capitals, punctuation and apostrophes."""
    words = [str(word) for word in rng.choice(INVENTED, length)]
    words[0] = words[0].capitalize()
    words[int(rng.integers(1, length))] = str(
        rng.choice(["isn't", "it's", "Don't", "50-year-old", "O'Hara's", "so-so"])
    )
    return " ".join(words) + str(rng.choice(["!", "...", " ?", ", really.", " ;-)"]))


def token_batch(
    rng: np.random.Generator, rows: int, n: int, n_words: int, unpadded: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Random ids (rows, n) int64 with at least one real token a row, padded with 0, and their mask."""
    lengths = np.full(rows, n) if unpadded else rng.integers(1, n + 1, rows)
    if not unpadded:
        lengths[0], lengths[-1] = n, max(1, n // 3)
    mask = np.arange(n) < lengths[:, None]
    return np.where(mask, rng.integers(1, n_words, (rows, n)), 0), mask


def padded(sequences: Sequence[Sequence[int]], pad: int = 0, left: bool = False) -> list[np.ndarray]:
    """Ids (batch, longest) int64 and mask (batch, longest) bool."""
    longest = max(map(len, sequences))
    ids, mask = (
        np.full((len(sequences), longest), pad, dtype=np.int64),
        np.zeros((len(sequences), longest), dtype=bool),
    )
    for row, sequence in enumerate(sequences):
        places = slice(longest - len(sequence), longest) if left else slice(0, len(sequence))
        ids[row, places], mask[row, places] = sequence, True
    return [ids, mask]


def averaged(ids: np.ndarray, mask: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The mean vector of the real tokens, (batch, d)."""
    return np.array([table[row[keep]].astype(float).mean(0) for row, keep in zip(ids, mask, strict=True)])


def mean_over(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean of x (batch, n, d) over places where mask (batch, n) is True; zeros where there is none."""
    weight = mask[..., None].astype(float)
    return np.asarray((x * weight).sum(1) / np.maximum(weight.sum(1), 1))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x)."""
    return np.asarray(1 / (1 + np.exp(-x)))


Weights = Mapping[str, np.ndarray]


def classifier_cases(
    hidden: int, more: Callable[[np.random.Generator, int], Weights], square_first: bool = False
) -> Callable[[np.random.Generator], Iterator[Case]]:
    """Cases for a classifier with word vectors ``embed``, a layer of ``more`` and an ``output``.

    Args:
        hidden: how many numbers the output reads; 0 for d.
        more: draws the weights between word vectors and output, given d.
        square_first: begin with n = d and no padding, where a mean over the wrong axis gives numbers that can
            be named.
    """
    shapes = [(5, 4, 6, False), (4, 5, 5, True), (6, 7, 4, False), (1, 1, 7, True), (5, 8, 8, False)]
    # a batch of one is among the first three, which the notebook shows
    order = [1, 0, 3, 2, 4] if square_first else [0, 1, 3, 2, 4]

    def cases(rng: np.random.Generator) -> Iterator[Case]:
        for number, (rows, n, d, unpadded) in enumerate(shapes[place] for place in order):
            ids, mask = token_batch(rng, rows, n, 12, unpadded)
            weights = {"embed.weight": rng.normal(size=(12, d)), **more(rng, d)}
            weights |= {"output.weight": rng.normal(size=(1, hidden or d)), "output.bias": rng.normal(size=1)}
            weights = {name: value.astype(np.float32) for name, value in weights.items()}
            told = "one sentence of one token" if rows == n == 1 else f"{rows} sentences of {n} tokens"
            told = f"{told if unpadded else told.replace('of', 'of up to')}, vectors of {d}"
            yield Case(
                [ids, mask],
                {
                    "init": {"n_words": 12, "d_model": d},
                    "weights": weights,
                    "want": [] if number else ["gradients"],
                },
                told,
                probe="module",
                torch=True,
            )

    return cases


def variants(oracle: Oracle, sayings: Mapping[str, str]) -> dict[str, Oracle]:
    """Mistakes of a module challenge: what to say → the oracle in that variant."""
    return {
        says: lambda *args, variant=variant, **kwargs: oracle(*args, variant=variant, **kwargs)
        for variant, says in sayings.items()
    }


DIVIDED = "You sum real tokens only, but divide by the padded length; divide by the number of real tokens."
PROBABILITY = (
    "You return probabilities: a sigmoid is applied. Return raw logits, because the loss (with logits)"
    " applies the sigmoid itself."
)

COLUMN = (
    "Logits should have shape (batch,): squeeze the last axis, otherwise the loss broadcasts them against the"
    " labels."
)


def flag_check(
    question: Question, target: str, name: str, points: float, *problems: Callable[[Any], str | None]
) -> None:
    """Registers a check that no trial has one of the problems."""

    @question.check(name, points=points, needs=[target])
    def no_trial_has_a_problem(answer: Answer) -> Wrong | None:
        for trial in answer[target]:
            if trouble := not_run(target, trial):
                return trouble
            for problem in problems:
                if words := problem(trial):
                    return wrong_on(trial, f"On {trial.note}: {words}")
        return None


def cases_check(
    question: Question, target: str, name: str, points: float, problem: Callable[[Any], str | None]
) -> None:
    """Registers a comparison with the oracle; what is wrong beside the values costs a third of the points."""
    challenge = question.entry(target)
    assert isinstance(challenge, Challenge)

    @question.check(name, points=points, needs=[target])
    def equals_the_oracle(answer: Answer) -> Wrong | None:
        if wrong := judge_cases(challenge, answer[target]):
            return wrong
        ran = (trial for trial in answer[target] if trial.status == "ok")
        told = next((f"On {trial.note}: {words}" for trial in ran if (words := problem(trial))), None)
        return Wrong(told, earned=2 / 3) if told else None


@cache
def table_ids(split: str) -> tuple[list[int], ...]:
    """The sentences of a split as rows of the GloVe table."""
    return tuple(movie_vectors().encode(text) for text in movie_splits()[split].texts)
