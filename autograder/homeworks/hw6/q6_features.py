"""6.6a: softmax as a Gaussian kernel with factors, and random features of that kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from autograder.declare import Case, Challenge, Wrong, several
from autograder.homeworks.hw6 import public
from autograder.homeworks.hw6.common import paired
from autograder.homeworks.hw6.homework import hw
from autograder.kit import Trial


def dimensions(rng: np.random.Generator) -> Iterator[Case]:
    """Sizes above 1, where σ², σ and 1/σ² differ."""
    for D in (9, 5, 16, int(rng.integers(20, 70))):
        yield Case([D], note=f"D = {D}")


def few_vectors(rng: np.random.Generator) -> Iterator[Case]:
    """Vectors of moderate length."""
    for n, D in ((3, 5), (4, 2), (2, 9)):
        yield Case([np.round(rng.normal(size=(n, D)), 2)], note=f"{n} vectors with D = {D}")


def features_inputs(sizes: Sequence[tuple[int, int]]) -> Callable[[np.random.Generator], Iterator[Case]]:
    """Two inputs for each (D, number of frequencies), with the same frequencies W."""

    def draw(rng: np.random.Generator) -> Iterator[Case]:
        for D, count in sizes:
            W = np.round(rng.normal(size=(count, D)), 3)
            for rows in (4, 3):
                yield Case(
                    [np.round(rng.normal(size=(rows, D)), 2), W],
                    note=f"D = {D} and {several(count, 'frequency', 'frequencies')}",
                    probe="array",
                )

    return draw


def squared_norms(X: np.ndarray) -> np.ndarray:
    """The squared length of each row."""
    return np.asarray((X**2).sum(axis=1))


gaussian = hw.question(
    "6.6a",
    "Softmax is a Gaussian kernel in disguise",
    minutes=20,
    difficulty="hard",
    asks={
        "σ²": "the variance of the Gaussian",
        "the factor of each vector": "the factor of each vector",
        "random features, cosines and sines": "random features",
    },
    topic="random Fourier features",
    entries=[
        Challenge(
            "gaussian_variance",
            cases=dimensions,
            expected=lambda D: np.sqrt(D),
            mistakes={
                "That is D. Compare q·k/√D with the cross term 2·q·k/(2σ²) of the Gaussian's exponent.": (
                    lambda D: np.asarray(float(D))
                ),
                "That is D/2. Compare q·k/√D with the cross term 2·q·k/(2σ²) of the Gaussian's exponent.": (
                    lambda D: np.asarray(D / 2)
                ),
                "That is D². Compare q·k/√D with the cross term 2·q·k/(2σ²) of the Gaussian's exponent.": (
                    lambda D: np.asarray(float(D) ** 2)
                ),
                "That is σ, not σ².": lambda D: D**0.25,
                "That is right for D = 4 alone.": lambda D: np.asarray(2.0),
                "That is 1/σ²: the variance of the frequencies, not of the kernel.": lambda D: 1 / np.sqrt(D),
                "That is 2√D: mind the 2 in 2σ², and the 2 of the cross term -2·q·k.": lambda D: (
                    2 * np.sqrt(D)
                ),
                "That is √D/2: mind the 2 in 2σ², and the 2 of the cross term -2·q·k.": lambda D: (
                    np.sqrt(D) / 2
                ),
            },
        ),
        Challenge(
            "gaussian_factor",
            cases=few_vectors,
            expected=lambda X: np.exp(squared_norms(X) / (2 * np.sqrt(X.shape[1]))),
            mistakes={
                "The sign of the exponent is reversed: the factor undoes what the Gaussian takes away.": (
                    lambda X: np.exp(-squared_norms(X) / (2 * np.sqrt(X.shape[1])))
                ),
                "The 2 in 2σ² is missing.": lambda X: np.exp(squared_norms(X) / np.sqrt(X.shape[1])),
                "That is right for D = 4 alone: σ² follows from the number of columns.": lambda X: np.exp(
                    squared_norms(X) / 4
                ),
                "You take the number of vectors for D; D is the number of columns.": lambda X: np.exp(
                    squared_norms(X) / (2 * np.sqrt(len(X)))
                ),
                "You square the sum of the numbers; ‖x‖² is the sum of their squares.": lambda X: np.exp(
                    X.sum(axis=1) ** 2 / (2 * np.sqrt(X.shape[1]))
                ),
                "That is the exponent; the factor is e to its power.": lambda X: (
                    squared_norms(X) / (2 * np.sqrt(X.shape[1]))
                ),
                "You divide by 2D; σ² is not D.": lambda X: np.exp(squared_norms(X) / (2 * X.shape[1])),
                "You take the mean of the squares; ‖x‖² is their sum.": lambda X: np.exp(
                    (X**2).mean(axis=1) / (2 * np.sqrt(X.shape[1]))
                ),
                "You sum over the vectors (axis 0); each row has a factor of its own (axis 1).": lambda X: (
                    np.exp((X**2).sum(axis=0) / (2 * np.sqrt(X.shape[1])))
                ),
                "That is the root of the factor: its exponent is ‖x‖²/(2σ²), for q and k each.": lambda X: (
                    np.exp(squared_norms(X) / (4 * np.sqrt(X.shape[1])))
                ),
                "The length must be squared.": lambda X: np.exp(
                    np.sqrt(squared_norms(X)) / (2 * np.sqrt(X.shape[1]))
                ),
            },
        ),
        Challenge(
            "random_features",
            cases=features_inputs(((3, 8), (2, 5), (5, 1))),
            examples=features_inputs(((2, 3),)),
        ),
    ],
)
gaussian.check_cases("gaussian_variance", "the variance of the Gaussian", points=1)
gaussian.check_cases("gaussian_factor", "the factor of each vector", points=2)


def fourier_problem(left: Trial, right: Trial) -> str | None:
    """Holds φ(q)·φ(k) against the mean of cos(w·(q - k)) and names the usual slips by what they give."""
    (X, W), Y = left.args, right.args[0]
    angles = (X[:, None] - Y[None]) @ W.T
    mean = np.cos(angles).mean(axis=-1)
    problem = public.gram_problem(left, right, mean)
    if problem is None or left.output.shape[1] != right.output.shape[1]:
        return problem
    found = left.output.astype(float) @ right.output.astype(float).T
    cosines, sines = (wave(X @ W.T) @ wave(Y @ W.T).T for wave in (np.cos, np.sin))
    added = (np.cos(X @ W.T) + np.sin(X @ W.T)) @ (np.cos(Y @ W.T) + np.sin(Y @ W.T)).T
    slips = {
        "That is the sum over the frequencies: each feature needs the factor 1/√R.": mean * len(W),
        "You divide each feature by R; φ meets itself in the product, so the factor is 1/√R.": mean / len(W),
        (
            "Your sum is divided by 2: you divide by the number of features 2R; the mean runs over"
            " the R frequencies."
        ): (mean / 2),
        (
            "Your sum is doubled: √(2/R) belongs to one cosine with a random phase; with cosine and sine the"
            " factor is 1/√R."
        ): (2 * mean),
        "The sines are missing: cos(a - b) = cos a cos b + sin a sin b.": cosines / len(W),
        "You divide by the root of D, the number of coordinates; the mean runs over the R frequencies.": (
            mean * len(W) / X.shape[1]
        ),
        "The cosines are missing: cos(a - b) = cos a cos b + sin a sin b.": sines / len(W),
        "Cosine and sine are added up in one feature; keep them as two features.": added / len(W),
        "The angles are divided by σ; they are w·x as it is.": np.cos(angles / X.shape[1] ** 0.25).mean(
            axis=-1
        ),
        "The angles have a factor 2π; they are w·x as it is.": np.cos(2 * np.pi * angles).mean(axis=-1),
        (
            "The cosines stand there twice; the second half must be the sines."
            if left.output.shape[1] == 2 * len(W)
            else "The sines are missing: cos(a - b) = cos a cos b + sin a sin b (without a random phase √2"
            " does not replace them)."
        ): (2 * cosines / len(W)),
    }
    named = (words for words, gram in slips.items() if public.near(found, gram, left, right))
    told = next(named, "")
    if (
        not told
        and left.output.shape[1] == len(W)
        and np.abs(left.output).max() <= np.sqrt(2 / len(W)) + 1e-6
    ):
        told = (
            "One feature for each frequency, √(2/R)·cos(w·x + b) with random phases b, is right on average"
            " only. The question asks for both cosine and sine of each w·x, which give the mean of the"
            " cosines exactly."
        )
    return f"On {left.note}: {problem} {told}".strip()


@gaussian.check("random features", points=4, needs=["random_features"])
def features_average_the_cosines(random_features: Sequence[Trial]) -> Wrong | None:
    """Holds products of features against the mean of cosines."""
    return paired("random_features", random_features, fourier_problem)
