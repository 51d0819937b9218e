"""5.2: averaged word vectors against a bag of words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np

from autograder import kit
from autograder.declare import Array, Case, Challenge, Written, Wrong, not_run
from autograder.homeworks.hw5 import public
from autograder.homeworks.hw5.common import averaged, mean_over, table_ids, token_batch
from autograder.homeworks.hw5.fetch import movie_splits, movie_vectors
from autograder.homeworks.hw5.homework import hw


def batches_with_table(rng: np.random.Generator) -> Iterator[Case]:
    """Ids, mask and a table whose row for padding is not zero."""
    for rows, n, d in ((3, 4, 2), (5, 7, 3), (4, 6, 6)):
        ids, mask = token_batch(rng, rows, n, 9)
        yield Case(
            [ids, mask, rng.normal(size=(9, d)).astype(np.float32)],
            note=f"{rows} sentences of up to {n} tokens, vectors of {d}",
            torch=True,
        )


def batches_to_count(rng: np.random.Generator) -> Iterator[Case]:
    """Ids, mask and the number of words; few words, so that some repeat."""
    for rows, n, words_ in ((3, 5, 4), (5, 9, 6), (2, 4, 30)):
        ids, mask = token_batch(rng, rows, n, words_)
        yield Case(
            [ids, mask, words_], note=f"{rows} sentences of up to {n} tokens, {words_} words", torch=True
        )


def counted(ids: np.ndarray, mask: np.ndarray, n_words: int) -> np.ndarray:
    """How often each word occurs, (batch, n_words)."""
    return np.array(
        [np.bincount(row[keep], minlength=n_words) for row, keep in zip(ids, mask, strict=True)]
    ).astype(float)


averages = hw.question(
    "5.2",
    "Averaged word vectors against a bag of words",
    minutes=20,
    difficulty="medium",
    asks={
        "the mean of real tokens": "the mean over real tokens",
        "how often each word occurs": "counts",
        "both regressions fitted": [
            "averaged vectors: the fitted weights",
            "bag of words: the fitted weights",
        ],
        "a pair with the same tokens and different meanings": "a pair that averaging cannot tell apart",
    },
    topic="averaged embeddings and bag of words",
    # grading does not fit: the weights come from the student's log and are judged by what they predict
    claimed=True,
    entries=[
        Challenge(
            "average_features",
            cases=batches_with_table,
            expected=averaged,
            mistakes={
                "Padding is averaged, too: sum over the real tokens and divide by their number.": (
                    lambda ids, mask, table: table[ids].mean(1)
                ),
                "You sum real tokens only, but divide by the padded length.": (
                    lambda ids, mask, table: (table[ids] * mask[..., None]).mean(1)
                ),
                "That is the sum, not the mean.": (
                    lambda ids, mask, table: (table[ids] * mask[..., None]).sum(1)
                ),
                "That is the maximum of each feature, not the mean.": lambda ids, mask, table: np.where(
                    mask[..., None], table[ids], -np.inf
                ).max(1),
                "Unknown words (number 1) are left out like padding; they are real tokens.": (
                    lambda ids, mask, table: mean_over(table[ids], ids > 1)
                ),
                "You divide by the number of real tokens in the whole batch; each sentence has its own.": (
                    lambda ids, mask, table: (table[ids] * mask[..., None]).sum(1) / mask.sum()
                ),
                "A word that occurs twice counts once; the mean runs over the tokens.": (
                    lambda ids, mask, table: np.array(
                        [table[np.unique(row[keep])].mean(0) for row, keep in zip(ids, mask, strict=True)]
                    )
                ),
                "You averaged over the features of each token; average over the tokens (axis 1).": (
                    lambda ids, mask, table: table[ids].mean(2)
                ),
                (
                    "The mask is used the wrong way around: it is True at real tokens. A row without"
                    " padding then gives 0/0."
                ): (
                    lambda ids, mask, table: (
                        (table[ids] * ~mask[..., None]).sum(1)
                        / np.where(mask.all(1), np.nan, (~mask).sum(1))[:, None]
                    )
                ),
                (
                    "The mask is used the wrong way around: it is True at real tokens."
                ): lambda ids, mask, table: (
                    (table[ids] * ~mask[..., None]).sum(1) / np.maximum((~mask).sum(1), 1)[:, None]
                ),
            },
        ),
        Challenge(
            "count_features",
            cases=batches_to_count,
            expected=counted,
            mistakes={
                "Padding is counted as word 0.": lambda ids, mask, n: counted(ids, np.ones_like(mask), n),
                "The mask is used the wrong way around: it is True at real tokens.": lambda ids, mask, n: (
                    counted(ids, ~mask, n)
                ),
                "Every row has the counts of the whole batch; each sentence has its own.": (
                    lambda ids, mask, n: counted(ids, mask, n).sum(0, keepdims=True).repeat(len(ids), 0)
                ),
                (
                    "That says whether a word occurs; the question asks how often it occurs."
                ): lambda ids, mask, n: np.minimum(counted(ids, mask, n), 1),
                "Unknown words (number 1) are not counted; they are real tokens.": lambda ids, mask, n: (
                    counted(ids, mask & (ids != 1), n)
                ),
                "These are shares of the sentence; return counts.": lambda ids, mask, n: (
                    counted(ids, mask, n) / mask.sum(1, keepdims=True)
                ),
            },
        ),
        Array("average_weights", (public.D_MODEL,)),
        Array("average_bias"),
        Array("bag_weights", ("words",)),
        Array("bag_bias"),
        Challenge("same_average_pair", cases=lambda rng: [Case(note="your pair")]),
    ],
    written=Written(
        points=4,
        words=(40, 100),
        rubric={
            "Says what both lose (order: the pair) and why, from the definition of mean and count": 2,
            (
                "Names one advantage of each, with a reason: similar words share what was learned in the"
                " average; the bag has a weight for each word"
            ): 2,
        },
        examples={
            "full": (
                'Both forget order: a sum of words is the same in any order, so neither can tell "not good,'
                ' bad" from "not bad, good". Averaging has 51 numbers and lets rare words share what their'
                " neighbors in GloVe learned, but a single telling word drowns among twenty others. The bag"
                " has thousands of weights: each word gets its own vote, which here scores better, but it"
                " knows nothing of words it never saw and overfits."
            ),
            "half": (
                "Averaging is smaller and works with little data, while the bag of words is more precise but"
                " needs more memory. Both ignore the order."
            ),
            "none": "Averaging is better because word embeddings are more modern than a bag of words.",
        },
    ),
)
averages.check_cases("average_features", "the mean over real tokens", points=1)
averages.check_cases("count_features", "counts", points=1)


# about 2.5 standard errors of 1,007 sentences below what the fit reaches (71.7%, 77%)
AVERAGE_LEVEL, BAG_LEVEL = 0.67, 0.72


def linear_accuracy(weights: np.ndarray, bias: float, features: Callable[[list[int]], np.ndarray]) -> float:
    """Accuracy of a linear model on the validation sentences."""
    rows = [features(ids) for ids in table_ids("validation")]
    logits = np.array([(row @ weights).mean() if row.ndim == 2 else weights[row].sum() for row in rows])
    return float(((logits + bias > 0) == np.array(movie_splits()["validation"].labels)).mean())


def reaches(found: float, level: float, what: str) -> Wrong | None:
    """Whether recorded weights predict as well as a fit does."""
    if found >= level:
        return None
    told = (
        f"The recorded {what} get {found:.1%} of the validation sentences right; the fit reaches more than"
        f" {level:.0%}."
    )
    if found < 1 - level:
        return Wrong(
            f"{told} They are wrong nearly as often as others are right: are the labels flipped (1 is"
            " positive)?"
        )
    return Wrong(
        f"{told} Did the fitting cell run to its end, with features of the training sentences, before you"
        " recorded?"
    )


@averages.check("averaged vectors: the fitted weights", points=1, needs=["average_weights", "average_bias"])
def weights_for_averages_predict(average_weights: np.ndarray, average_bias: np.ndarray) -> Wrong | None:
    """Predicts the validation sentences from their averages."""
    table = movie_vectors().table
    found = linear_accuracy(np.asarray(average_weights, float), float(average_bias), lambda ids: table[ids])
    return reaches(found, AVERAGE_LEVEL, "weights for averaged vectors")


@averages.check("bag of words: the fitted weights", points=1, needs=["bag_weights", "bag_bias"])
def weights_for_the_bag_predict(bag_weights: np.ndarray, bag_bias: np.ndarray) -> Wrong | None:
    """Predicts the validation sentences from their counts."""
    columns, count = bag_columns()
    weights = np.asarray(bag_weights, float)
    if len(weights) != count:
        return Wrong(
            f"`bag_weights` has {len(weights):,} numbers; the training sentences have {count:,} columns"
            " (frequent_columns)."
        )
    return reaches(
        linear_accuracy(weights, float(bag_bias), lambda ids: columns[ids]),
        BAG_LEVEL,
        "weights for the bag of words",
    )


@cache
def bag_columns() -> tuple[np.ndarray, int]:
    """Columns of the bag of words, from the training sentences."""
    return public.frequent_columns(table_ids("train"))


@averages.check(points=2, needs=["same_average_pair"])
def a_pair_that_averaging_cannot_tell_apart(same_average_pair: Sequence[kit.Trial]) -> Wrong | None:
    """Judges the pair by its tokens; there are many right ones."""
    (trial,) = same_average_pair
    problem = public.pair_problem(trial.output)
    return not_run("same_average_pair", trial) or (Wrong(problem) if problem else None)
