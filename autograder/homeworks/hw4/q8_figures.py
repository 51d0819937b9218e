"""4.8: the numbers behind four figures, and what a student reads out of them."""

from __future__ import annotations

import math
from functools import partial
from operator import itemgetter

import numpy as np

from autograder.declare import Answer, Array, Challenge, Written, Wrong, curve, drawn_as_matrix
from autograder.homeworks.hw4.cases import guesses_to_count, labels_to_show, maps_to_draw, tables_to_compare
from autograder.homeworks.hw4.common import FLOAT32_ATOL, confusion, named_mistakes
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
    """What the class token looks at, in each block, as a picture: (depth, heads, 1+n, 1+n) → (depth, side, side)."""
    maps = np.asarray(maps, dtype=np.float64)
    rows = (
        maps[:, :, 1:, 0]
        if mistake == "column"
        else maps[:, :, 0, :-1]
        if mistake == "not dropped"
        else maps[:, :, 0, 1:]
    )
    picture = {"sum": rows.sum(1), "first head": rows[:, 0], "largest": rows.max(1)}.get(
        mistake, rows.mean(1)
    )
    side = math.isqrt(picture.shape[-1])
    picture = picture.reshape(len(maps), side, side)
    return np.asarray(picture.swapaxes(1, 2) if mistake == "transposed" else picture)


def similarity(positions: np.ndarray, mistake: str = "") -> np.ndarray:
    """Cosine similarity of the patches' positions: (1, 1+n, dim) → (n, n)."""
    table = np.asarray(positions, dtype=np.float64)[0]
    table = table[:-1] if mistake == "last dropped" else table[1:]
    if mistake == "centred":
        table = table - table.mean(1, keepdims=True)
    lengths = np.sqrt((table**2).sum(1))
    return np.asarray(table @ table.T / (1 if mistake == "products" else np.outer(lengths, lengths)))


drawn = hw.question(
    "4.8a",
    "The numbers behind four figures",
    topic="confusion, attention over an image, similarity of positions",
    minutes=20,
    difficulty="medium",
    entries=[
        Challenge(
            "first_of_each_class",
            cases=labels_to_show,
            examples=partial(labels_to_show, sizes=((3, 4, 2),)),
            expected=first_rows,
            mistakes={
                "Those are the last images of each class; asked are the first.": lambda labels, count: (
                    np.array([np.flatnonzero(labels == label)[-count:] for label in np.unique(labels)])
                ),
                "Classes run down the columns; each row should belong to one class.": lambda labels, count: (
                    first_rows(labels, count).T
                ),
                "Those are labels; asked are row numbers, where those images stand.": lambda labels, count: (
                    labels[first_rows(labels, count)]
                ),
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
                "Those are shares; asked are counts.": lambda labels, predictions, classes: (
                    confused(labels, predictions, classes)
                    / np.maximum(confused(labels, predictions, classes).sum(1, keepdims=True), 1)
                ),
                "Each pair is counted once at most: `matrix[labels, predictions] += 1` adds only once where a pair repeats. See np.add.at.": lambda labels, predictions, classes: (
                    np.minimum(confused(labels, predictions, classes), 1)
                ),
            },
        ),
        Challenge(
            "class_token_attention",
            cases=maps_to_draw,
            examples=partial(maps_to_draw, sizes=((1, 2, 4),)),
            expected=class_attention,
            picture=drawn_as_matrix(
                "What your class token looks at, first block",
                x="column of patches",
                y="row of patches",
                pick=itemgetter(0),
            ),
            mistakes=named_mistakes(
                class_attention,
                {
                    "column": (
                        "That is how much the patches look at the class token (a column). Asked is what the"
                        " class token looks at: its row."
                    ),
                    "not dropped": (
                        "The class token's weight on itself is still there and shifts the picture; drop the"
                        " first key."
                    ),
                    "sum": "The heads are added; take their mean.",
                    "first head": "That is the first head alone; take the mean over heads.",
                    "largest": "That is the largest over heads; take their mean.",
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
                        "Those are scalar products; divide by both lengths, so that every row has 1 for"
                        " itself."
                    ),
                    "centred": "You subtracted each vector's mean: that is a correlation, not the cosine.",
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

reading = hw.question(
    "4.8b",
    "Reading your model",
    minutes=20,
    difficulty="medium",
    claimed=True,  # grading does not train: these come from the student's log and must agree with each other
    entries=[
        Array("curve_train_loss", ("epochs",)),
        Array("curve_validation_accuracy", ("epochs",)),
        Array("best_epoch"),
        Array("test_confusion", (10, 10)),
        Array("most_confused", (2,)),
    ],
    written=Written(
        points=6,
        words=(80, 220),
        rubric={
            "Learning curves: says whether the model overfits and by which numbers (training loss falls on, validation accuracy stays)": (
                2
            ),
            "Confusions: names a pair of classes with its count and a reason in how they look": 2,
            "Attention and positions: describes a pattern that is in the figures, and says what it does not prove": (
                2
            ),
        },
        examples={
            "full": (
                "Training loss falls to 0.37, but validation loss stays at 0.43 and accuracy within a point"
                " for the last ten epochs, so later epochs learn the training images rather than clothes."
                " Shirts are taken for T-shirts 18 times of 100 and for pullovers 16 times: at 28 pixels the"
                " collar or buttons that tell them apart are a few grey dots. Single patches stand out in the"
                " class token's attention, but clothing covers 56% of the patches and gets about 58% of the"
                " weight, hardly more than chance. Positions are similar to their neighbours and to their"
                " mirror places, because half of the images were mirrored. High attention does not prove that"
                " these patches decide: their values may be small."
            ),
            "half": (
                "The accuracy rises quickly and then stays flat. Shirts are often confused with T-shirts"
                " because they look alike. The attention is on the object. Neighbouring positions are"
                " similar."
            ),
            "none": "The model works well and the curves look good.",
        },
    ),
)


@reading.check(
    "learning curves with their best epoch",
    points=2,
    needs=["curve_train_loss", "curve_validation_accuracy", "best_epoch"],
)
def _(answer: Answer) -> Wrong | None:
    loss, accuracy, best = (
        answer["curve_train_loss"],
        answer["curve_validation_accuracy"],
        float(answer["best_epoch"]),
    )
    marks = {"your best_epoch": best} if 0 < best <= len(loss) else {}
    series = {"training loss": loss, "validation accuracy": accuracy}
    shown = curve(
        "The curves that you recorded",
        series,
        x="epoch",
        y="loss, and share of images",
        at=list(range(1, len(loss) + 1)),
        marks=marks,
    )
    if len(loss) < 2:
        return Wrong("The curves hold one epoch. Train for at least a few, then record again.")
    if not ((accuracy >= 0) & (accuracy <= 1)).all():
        return Wrong(
            "`curve_validation_accuracy` should hold shares from 0 to 1, not percent.", evidence=shown
        )
    if (loss <= 0).any() or loss[-1] >= loss[0]:
        told = (
            f"`curve_train_loss` goes from {loss[0]:.3g} to {loss[-1]:.3g}; a training loss falls. Are the"
            " two curves swapped?"
        )
        return Wrong(told, evidence=shown)
    expected = int(accuracy.argmax()) + 1
    if best == expected:
        return None
    told = f"`best_epoch` is {best:g}, but the recorded validation accuracy is highest in epoch {expected}"
    if best == expected - 1:
        return Wrong(f"{told}: epochs are counted from 1.", evidence=shown)
    if best == int(loss.argmin()) + 1:
        return Wrong(f"{told}: yours has the lowest training loss.", evidence=shown)
    return Wrong(f"{told}.", evidence=shown)


@reading.check("confusion matrix of the test images", points=1, needs=["test_confusion"])
def _(answer: Answer) -> Wrong | None:
    table = answer["test_confusion"]
    problem = table_problem(table)
    return (
        Wrong(problem, evidence=confusion("The confusion matrix that you recorded", table))
        if problem
        else None
    )


def table_problem(table: np.ndarray) -> str | None:
    """Whether a confusion matrix (true class, guess) can be that of a trained model on the test images; else words."""
    if (table < 0).any() or (table != np.round(table)).any():
        return "`test_confusion` should hold counts, whole numbers from 0 up."
    if (table.sum(1) != table.sum(1)[0]).any():
        if (table.sum(0) == table.sum(0)[0]).all():
            return (
                "`test_confusion` is transposed: there are equally many test images of each class, so the"
                " *rows* must have equal sums."
            )
        sums = table.sum(1).astype(int).tolist()
        return (
            f"The rows of `test_confusion` have the sums {sums}; there are equally many test images of each"
            " class."
        )
    if table.sum() < 1000:
        return f"`test_confusion` counts {int(table.sum())} images; the test set has 1,000 at least."
    if np.trace(table) < 0.3 * table.sum():
        return (
            f"`test_confusion` has {np.trace(table) / table.sum():.0%} on its diagonal: the model was hardly"
            " trained."
        )
    return None


@reading.check("the most confused pair", points=1, needs=["test_confusion", "most_confused"])
def _(answer: Answer) -> Wrong | None:
    table, pair = (
        answer["test_confusion"].astype(float),
        [float(number) for number in answer["most_confused"]],
    )
    if any(number not in range(10) for number in pair):
        return Wrong(f"`most_confused` should be two class numbers from 0 to 9, but it is {pair}.")
    true, guess = (int(number) for number in pair)
    shown = confusion("The confusion matrix that you recorded", table)
    most = (table - np.diag(np.diag(table))).max()
    if true == guess:
        return Wrong(
            "`most_confused` lies on the diagonal: those images were classified right. Leave the diagonal"
            " out.",
            evidence=shown,
        )
    if table[true, guess] == most:
        return None
    if table[guess, true] == most:
        return Wrong(
            "`most_confused` is in the wrong order: first the true class (row), then the guess (column).",
            evidence=shown,
        )
    told = (
        f"`most_confused` says class {true} taken for {guess}: {table[true, guess]:g} times. Another pair"
        f" occurs {most:g} times."
    )
    return Wrong(told, evidence=shown)
