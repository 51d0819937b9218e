"""6.7a: the denoising loss and two candidates."""

from __future__ import annotations

import numpy as np

from autograder.declare import Array, Challenge, Choice, Wrong
from autograder.homeworks.hw6.common import loss_inputs, loss_oracle
from autograder.homeworks.hw6.homework import hw

CANDIDATE_X = np.array([[2.0, -1.0, 0.5, 1.0], [0.02, 0.01, -0.02, 0.01]])


candidates = hw.question(
    "6.7a",
    "Denoising: two candidates",
    minutes=8,
    difficulty="easy",
    asks={
        "the loss": "the loss",
        "both candidates' parts": "both candidates' losses",
        "the λ of equal losses": "where both are equally good",
    },
    topic="linear denoising, ridge",
    entries=[
        Challenge(
            "denoising_loss",
            cases=loss_inputs,
            expected=loss_oracle,
            mistakes={
                "The norms must be squared.": lambda W, X, lam: (
                    np.linalg.norm(X - W @ X) + lam * np.linalg.norm(W)
                ),
                "The penalty's norm must be squared.": lambda W, X, lam: (
                    np.square(X - W @ X).sum() + lam * np.linalg.norm(W)
                ),
                "λ multiplies the penalty; you left it out.": lambda W, X, lam: (
                    np.square(X - W @ X).sum() + np.square(W).sum()
                ),
                "You took means; ‖·‖² is the sum of all squares.": lambda W, X, lam: (
                    np.square(X - W @ X).mean() + lam * np.square(W).mean()
                ),
                "You took the mean of the reconstruction's squares; ‖·‖² is their sum.": lambda W, X, lam: (
                    np.square(X - W @ X).mean() + lam * np.square(W).sum()
                ),
                "The penalty is subtracted; add it.": lambda W, X, lam: (
                    np.square(X - W @ X).sum() - lam * np.square(W).sum()
                ),
                "λ multiplies the reconstruction error; it belongs to the penalty.": lambda W, X, lam: (
                    lam * np.square(X - W @ X).sum() + np.square(W).sum()
                ),
                "The reconstruction WX is to be compared with X: ‖X − WX‖².": lambda W, X, lam: (
                    np.square(W @ X).sum() + lam * np.square(W).sum()
                ),
                "You add up absolute values; ‖·‖² is the sum of squares.": lambda W, X, lam: (
                    np.abs(X - W @ X).sum() + lam * np.abs(W).sum()
                ),
                "λ is squared; it multiplies the penalty as it is.": lambda W, X, lam: (
                    np.square(X - W @ X).sum() + lam**2 * np.square(W).sum()
                ),
                "The loss has no factor 1/2 here.": lambda W, X, lam: (
                    (np.square(X - W @ X).sum() + lam * np.square(W).sum()) / 2
                ),
                "np.linalg.norm(A, 2) is the largest singular value of A; ‖A‖² here adds up all squares.": (
                    lambda W, X, lam: np.linalg.norm(X - W @ X, 2) ** 2 + lam * np.linalg.norm(W, 2) ** 2
                ),
                "The penalty is on W − I; it is on W itself.": lambda W, X, lam: (
                    np.square(X - W @ X).sum() + lam * np.square(W - np.eye(len(W))).sum()
                ),
                "W is transposed: the reconstruction is WX.": lambda W, X, lam: (
                    np.square(X - W.T @ X).sum() + lam * np.square(W).sum()
                ),
                "The penalty is missing.": lambda W, X, lam: np.square(X - W @ X).sum(),
            },
        ),
        Array("candidate_losses", (2, 2)),
        Array("equal_lambda"),
        Choice(
            "larger_lambda",
            options={"A": "the identity", "B": "the projection", "C": "neither: their losses stay equal"},
            correct="B",
            why={
                "A": "its penalty is 2λ, that of the projection only λ; the larger λ, the more that counts.",
                "C": "one loss grows with the slope 2 in λ, the other with the slope 1.",
            },
            points=1,
        ),
    ],
)
candidates.check_cases("denoising_loss", "the loss", points=2)


@candidates.check("both candidates' losses", points=2, needs=["candidate_losses"])
def losses_of_both_candidates(candidate_losses: np.ndarray) -> Wrong | None:
    """Compares errors and penalties with the loss itself."""
    found = candidate_losses.astype(float)
    losses = np.array(
        [[loss_oracle(W, CANDIDATE_X, lam) for lam in (0.0, 1.0)] for W in (np.eye(2), np.diag([1.0, 0.0]))]
    )
    wanted = np.stack([losses[:, 0], losses[:, 1] - losses[:, 0]], axis=1)
    if np.allclose(found, wanted, rtol=1e-3, atol=1e-6):
        return None
    if np.allclose(found, wanted[::-1], rtol=1e-3, atol=1e-6):
        return Wrong(
            "The rows have changed places: the first belongs to the identity, the second to the projection."
        )
    if np.allclose(found, wanted[:, ::-1], rtol=1e-3, atol=1e-6):
        return Wrong("The columns have changed places: reconstruction error first, then what multiplies λ.")
    row, column = np.argwhere(~np.isclose(found, wanted, rtol=1e-3, atol=1e-6))[0]
    what = ("reconstruction error ‖X - WX‖²", "factor of λ, ‖W‖²,")[column]
    told = (
        f"For the {('identity', 'projection')[row]} the {what} is {found[row, column]:.5g} in your answer,"
        " but that is not what it comes to."
    )
    if column == 0 and row == 1 and np.isclose(found[row, column], np.sqrt(wanted[row, column]), rtol=1e-2):
        return Wrong(f"{told} That is the norm; the loss has its square.")
    hints = ("What is left of X after WX is taken away?", "Add up the squares of the numbers in W.")
    return Wrong(f"{told} {hints[column]}")


@candidates.check(points=1, needs=["equal_lambda"])
def where_both_are_equally_good(equal_lambda: np.ndarray) -> Wrong | None:
    """Says what both losses are at the λ that was given."""
    found = float(equal_lambda)
    wanted = float(loss_oracle(np.diag([1.0, 0.0]), CANDIDATE_X, 0.0))  # 2λ = λ + reconstruction error
    if np.isclose(found, wanted, rtol=1e-3):
        return None
    return Wrong(
        f"At λ = {found:.5g} the losses are {float(loss_oracle(np.eye(2), CANDIDATE_X, found)):.5g} for the"
        f" identity and {float(loss_oracle(np.diag([1.0, 0.0]), CANDIDATE_X, found)):.5g} for the projection;"
        " they should be equal."
    )
