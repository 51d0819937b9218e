"""4.8a: the numbers behind four figures."""

from __future__ import annotations

import math
from functools import partial
from operator import itemgetter

import numpy as np

from autograder.declare import Challenge, drawn_as_matrix
from autograder.homeworks.hw4.cases import guesses_to_count, labels_to_show, maps_to_draw, tables_to_compare
from autograder.homeworks.hw4.common import FLOAT32_ATOL, named_mistakes
from autograder.homeworks.hw4.homework import hw


def first_rows(labels: np.ndarray, count: int) -> np.ndarray:
    """Rows of the first ``count`` images of each class: (classes, count)."""
    found: dict[int, list[int]] = {}
    for row, label in enumerate(labels.tolist()):
        found.setdefault(label, []).append(row)
    return np.array([found[label][:count] for label in sorted(found)])


def confused(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """How often each true class (row) was given each class (column)."""
    pairs = list(zip(labels.tolist(), predictions.tolist(), strict=True))
    return np.array([[pairs.count((row, column)) for column in range(classes)] for row in range(classes)])


def class_attention(maps: np.ndarray, mistake: str = "") -> np.ndarray:
    """What the class token looks at, block by block: maps (depth, heads, 1+n, 1+n) → (depth, side, side)."""
    maps = np.asarray(maps, dtype=np.float64)
    side = math.isqrt(maps.shape[-1] - 1)
    if mistake == "blocks":
        maps = maps.swapaxes(0, 1)
    rows = (
        maps[:, :, 1, 1:]
        if mistake == "first patch"
        else maps[:, :, 1:, 0]
        if mistake == "column"
        else maps[:, :, 0, :-1]
        if mistake == "not dropped"
        else maps[:, :, -1, 1:]
        if mistake == "last patch"
        else maps[:, :, -1, :-1]
        if mistake == "class last"
        else maps[:, :, 0, 1:]
    )
    picture = {"sum": rows.sum(1), "first head": rows[:, 0], "largest": rows.max(1)}.get(
        mistake, rows.mean(1)
    )
    if mistake == "all queries":
        picture = maps.mean((1, 2))[:, 1:]
    if mistake == "patch queries":
        picture = maps[:, :, 1:, 1:].mean((1, 2))
    if mistake == "softmax again":
        picture = np.exp(picture) / np.exp(picture).sum(-1, keepdims=True)
    if mistake == "divided again":
        picture = picture / picture.sum(-1, keepdims=True)
    picture = picture.reshape(len(maps), side, side)
    return np.asarray(picture.swapaxes(1, 2) if mistake == "transposed" else picture)


def similarity(positions: np.ndarray, mistake: str = "") -> np.ndarray:
    """Cosine similarity of the patches' positions: (1, 1+n, dim) → (n, n)."""
    table = np.asarray(positions, dtype=np.float64)[0]
    table = table[:-1] if mistake == "last dropped" else table[1:]
    if mistake == "centered over places":
        table = table - table.mean(0)
    if mistake == "centered":
        table = table - table.mean(1, keepdims=True)
    lengths = np.sqrt((table**2).sum(1))
    if mistake in ("absolute", "one minus"):
        cosines = table @ table.T / np.outer(lengths, lengths)
        return np.asarray(abs(cosines) if mistake == "absolute" else 1 - cosines)
    if mistake in ("whole table", "scaled"):
        scale = np.square(lengths).sum() if mistake == "whole table" else math.sqrt(table.shape[1])
        return np.asarray(table @ table.T / scale)
    if mistake == "distances":
        return np.sqrt(np.square(table[:, None] - table).sum(-1))
    if mistake == "by features":
        table = table / np.sqrt((table**2).sum(0))
        return np.asarray(table @ table.T)
    if mistake in ("softmax", "diagonal"):
        cosines = table @ table.T / np.outer(lengths, lengths)
        weights = np.exp(table @ table.T)
        return np.asarray(
            weights / weights.sum(1, keepdims=True)
            if mistake == "softmax"
            else np.where(np.eye(len(table)), 0.0, cosines)
        )
    if mistake == "one length":
        return np.asarray(table @ table.T / lengths[:, None])
    if mistake == "other length":
        return np.asarray(table @ table.T / lengths)
    if mistake == "squared lengths":
        return np.asarray(table @ table.T / np.outer(lengths, lengths) ** 2)
    return np.asarray(table @ table.T / (1 if mistake == "products" else np.outer(lengths, lengths)))


drawn = hw.question(
    "4.8a",
    "The numbers behind four figures",
    topic="confusion, attention over an image, similarity of positions",
    minutes=15,
    difficulty="medium",
    asks={
        "rows of the first images of each class": "images by class",
        "counts, row = true class": "confusion matrix",
        "what the class token attends to": "attention from the class token",
        "cosine similarity between places": "similarity of positions",
    },
    entries=[
        Challenge(
            "first_of_each_class",
            cases=labels_to_show,
            examples=partial(labels_to_show, sizes=((3, 4, 2),)),
            expected=first_rows,
            mistakes={
                "These are the last images of each class; return the first.": lambda labels, count: np.array(
                    [np.flatnonzero(labels == label)[-count:] for label in np.unique(labels)]
                ),
                "Classes run down the columns; each row should belong to one class.": lambda labels, count: (
                    first_rows(labels, count).T
                ),
                "The classes come in the order in which they appear; sort them by their number.": (
                    lambda labels, count: np.array(
                        [np.flatnonzero(labels == label)[:count] for label in dict.fromkeys(labels.tolist())]
                    )
                ),
                "Rows are counted from 1; count them from 0.": lambda labels, count: (
                    first_rows(labels, count) + 1
                ),
                "These are labels; return the row numbers of those images.": lambda labels, count: labels[
                    first_rows(labels, count)
                ],
            },
        ),
        Challenge(
            "confusion_matrix",
            cases=guesses_to_count,
            examples=partial(guesses_to_count, sizes=((3, 8),)),
            expected=confused,
            picture=drawn_as_matrix("Your confusion matrix", x="guess", y="true class"),
            mistakes={
                "It is transposed: rows are the true classes, columns the guesses.": (
                    lambda labels, predictions, classes: confused(predictions, labels, classes)
                ),
                "These are shares; return counts.": lambda labels, predictions, classes: (
                    confused(labels, predictions, classes)
                    / np.maximum(confused(labels, predictions, classes).sum(1, keepdims=True), 1)
                ),
                "These are shares of each column; return counts.": lambda labels, predictions, classes: (
                    confused(labels, predictions, classes)
                    / np.maximum(confused(labels, predictions, classes).sum(0), 1)
                ),
                "Only mistakes are counted; right guesses belong on the diagonal.": (
                    lambda labels, predictions, classes: (
                        confused(labels, predictions, classes) * (1 - np.eye(classes, dtype=int))
                    )
                ),
                "These are shares of all images; return counts.": lambda labels, predictions, classes: (
                    confused(labels, predictions, classes) / len(labels)
                ),
                "Only right guesses are counted; mistakes belong off the diagonal.": (
                    lambda labels, predictions, classes: np.diag(
                        np.diag(confused(labels, predictions, classes))
                    )
                ),
                "Each pair is counted at most once: `matrix[labels, predictions] += 1` adds only once where a"
                " pair repeats. See np.add.at.": lambda labels, predictions, classes: np.minimum(
                    confused(labels, predictions, classes), 1
                ),
            },
        ),
        Challenge(
            "class_token_attention",
            cases=maps_to_draw,
            examples=partial(maps_to_draw, sizes=((2, 3, 4),)),
            expected=class_attention,
            picture=drawn_as_matrix(
                "What your class token attends to, first block",
                x="column of patches",
                y="row of patches",
                pick=itemgetter(0),
            ),
            mistakes=named_mistakes(
                class_attention,
                {
                    "column": (
                        "That is how much the patches look at the class token (a column). The question asks"
                        " for what the class token looks at: its row."
                    ),
                    "not dropped": (
                        "The class token's weight on itself is still there and shifts the picture; leave out"
                        " the first key."
                    ),
                    "blocks": "The mean is over the blocks (axis 0); take the mean over the heads (axis 1).",
                    "first patch": ("That is the row of the first patch; the class token's row is row 0."),
                    "sum": "The heads are added; take their mean.",
                    "first head": "That is the first head alone; take the mean over heads.",
                    "all queries": (
                        "That is the mean over all queries; return the row of the class token, the first."
                    ),
                    "divided again": (
                        "You divided by the sum of the other weights; return the weights as they are."
                    ),
                    "last patch": "That is the row of the last patch; the class token's row is row 0.",
                    "class last": (
                        "You take the last token for the class token; it is the first, at place 0."
                    ),
                    "patch queries": (
                        "That is the mean over the patches' rows; return the row of the class token, row 0."
                    ),
                    "softmax again": "The maps are weights already; do not apply a softmax to them.",
                    "largest": "That is the maximum over the heads; take their mean.",
                    "transposed": "The picture is transposed: patches run row by row.",
                },
            ),
            atol=FLOAT32_ATOL,
        ),
        Challenge(
            "position_similarity",
            cases=tables_to_compare,
            examples=partial(tables_to_compare, sizes=((4, 3),)),
            expected=similarity,
            picture=drawn_as_matrix("Similarity of positions, as your function has it", x="patch", y="patch"),
            mistakes=named_mistakes(
                similarity,
                {
                    "products": (
                        "These are dot products; divide by both lengths, so that each place has 1 with"
                        " itself."
                    ),
                    "distances": "These are distances; return the cosine, which is 1 for the same direction.",
                    "by features": (
                        "You divided each feature by its length over the places; divide each place's vector"
                        " by its own length (dim=-1)."
                    ),
                    "softmax": "That is a softmax of dot products; return the cosine, from -1 to 1.",
                    "diagonal": "The diagonal is 0; the cosine of a place with itself is 1.",
                    "one length": "You divided by the length of one of the two vectors only.",
                    "other length": "You divided by the length of the second vector only; divide by both.",
                    "squared lengths": "You divided by the squared lengths; take their roots.",
                    "centered": "You subtracted each vector's mean: that is a correlation, not the cosine.",
                    "centered over places": (
                        "You subtracted the mean over the places; take the cosine of the positions as they"
                        " are."
                    ),
                    "absolute": "You took absolute values; a cosine can be negative.",
                    "one minus": "That is the distance 1 - cosine; return the cosine.",
                    "whole table": (
                        "You divided by the length of the whole table; divide by the lengths of the two"
                        " vectors."
                    ),
                    "scaled": "These are scores, divided by √dim; divide by the lengths of both vectors.",
                    "last dropped": "The class token's position is the first one; you dropped the last.",
                },
            ),
            atol=FLOAT32_ATOL,
        ),
    ],
)
drawn.check_cases("first_of_each_class", "images by class", points=1)
drawn.check_cases("confusion_matrix", "confusion matrix", points=2)
drawn.check_cases("class_token_attention", "attention from the class token", points=3)
drawn.check_cases("position_similarity", "similarity of positions", points=2)
