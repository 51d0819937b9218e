"""4.8b: what a student reads out of the curves, the confusion matrix and the attention of a trained model."""

from __future__ import annotations

import numpy as np

from autograder.declare import Array, Written, Wrong, curve
from autograder.homeworks.hw4.common import confusion
from autograder.homeworks.hw4.homework import hw

reading = hw.question(
    "4.8b",
    "Interpret your model",
    minutes=15,
    difficulty="medium",
    asks={
        "curves and best epoch, counted from 1": "learning curves with their best epoch",
        "your confusion matrix": "confusion matrix of the test images",
        "the most frequent mistake": "the most confused pair",
    },
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
        words=(60, 150),
        rubric={
            "Learning curves: says whether the model overfits and by which numbers (training loss keeps"
            " falling, validation accuracy does not rise)": 2,
            "Confusions: names a pair of classes, how often they are confused, and a visual reason": 2,
            "Attention and positions: describes a pattern in the figures, and says what it does not prove": 2,
        },
        examples={
            "full": (
                "Training loss falls to 0.37, but validation loss stays at 0.43 and accuracy within a point"
                " for the last ten epochs, so later epochs learn the training images rather than clothes."
                " Shirts are taken for T-shirts 18 times of 100 and for pullovers 16 times: at 28 pixels the"
                " collar or buttons that tell them apart are a few gray dots. Single patches stand out in the"
                " class token's attention, but clothing covers 56% of the patches and gets about 58% of the"
                " weight, hardly more than chance. Positions are similar to their neighbors and to their"
                " mirror places, because half of the images were mirrored. High attention does not prove that"
                " these patches decide: their values may be small."
            ),
            "half": (
                "The accuracy rises quickly and then stays flat. Shirts are often confused with T-shirts"
                " because they look alike. The attention is on the object. Neighboring positions are"
                " similar."
            ),
            "none": "The model works well and the curves look good.",
        },
    ),
)


@reading.check(points=2, needs=["curve_train_loss", "curve_validation_accuracy", "best_epoch"])
def learning_curves_with_their_best_epoch(
    curve_train_loss: np.ndarray, curve_validation_accuracy: np.ndarray, best_epoch: np.ndarray
) -> Wrong | None:
    loss, accuracy, best = curve_train_loss, curve_validation_accuracy, float(best_epoch)
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
        return Wrong("The curves contain only one epoch. Train for at least a few epochs, then record again.")
    if not ((accuracy >= 0) & (accuracy <= 1)).all():
        return Wrong(
            "`curve_validation_accuracy` should contain shares from 0 to 1, not percentages.", evidence=shown
        )
    if (loss <= 0).any() or loss[-1] >= loss[0]:
        told = (
            f"`curve_train_loss` goes from {loss[0]:.3g} to {loss[-1]:.3g}; a training loss should fall. Are"
            " the two curves swapped?"
        )
        return Wrong(told, evidence=shown)
    expected = int(accuracy.argmax()) + 1
    if best in np.flatnonzero(accuracy == accuracy.max()) + 1:  # of equal epochs each is the best
        return None
    told = f"`best_epoch` is {best:g}, but the recorded validation accuracy is highest in epoch {expected}"
    if best == expected - 1:
        return Wrong(f"{told}: epochs are counted from 1.", evidence=shown)
    if best == len(loss) and best != int(loss.argmin()) + 1:
        return Wrong(f"{told}: yours is the last epoch.", evidence=shown)
    if best == int(loss.argmin()) + 1:
        return Wrong(f"{told}: yours has the lowest training loss.", evidence=shown)
    return Wrong(f"{told}.", evidence=shown)


@reading.check(points=1, needs=["test_confusion"])
def confusion_matrix_of_the_test_images(test_confusion: np.ndarray) -> Wrong | None:
    problem = table_problem(test_confusion)
    shown = confusion("The confusion matrix that you recorded", test_confusion)
    return Wrong(problem, evidence=shown) if problem else None


def table_problem(table: np.ndarray) -> str | None:
    """Whether a confusion matrix (true class, guess) can be that of a trained model; else words."""
    if (table < 0).any() or (table != np.round(table)).any():
        return "`test_confusion` should contain counts, whole numbers from 0 up."
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
        return f"`test_confusion` counts {int(table.sum())} images; the test set has at least 1,000."
    if np.trace(table) < 0.3 * table.sum():
        return (
            f"`test_confusion` has {np.trace(table) / table.sum():.0%} on its diagonal: the model was hardly"
            " trained."
        )
    return None


@reading.check(points=1, needs=["test_confusion", "most_confused"])
def the_most_confused_pair(test_confusion: np.ndarray, most_confused: np.ndarray) -> Wrong | None:
    table, pair = test_confusion.astype(float), [float(number) for number in most_confused]
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
    if true and guess and table[true - 1, guess - 1] == most and true != guess:
        return Wrong(
            f"`most_confused` is {true}, {guess}, but the most frequent mistake is {true - 1}, {guess - 1}:"
            " classes are numbered from 0.",
            evidence=shown,
        )
    told = (
        f"`most_confused` says that class {true} is taken for {guess}: {table[true, guess]:g} times. Another"
        f" pair occurs {most:g} times."
    )
    return Wrong(told, evidence=shown)
