"""6.7b: the best linear denoiser, held against automatic differentiation and a numerical minimiser."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from autograder.declare import Case, Challenge, Written, Wrong
from autograder.homeworks.hw6 import public
from autograder.homeworks.hw6.common import first_problem, loss_inputs, loss_oracle
from autograder.homeworks.hw6.homework import hw
from autograder.kit import Trial


def gradient_oracle(W: np.ndarray, X: np.ndarray, lam: float) -> np.ndarray:
    """The gradient by torch's automatic differentiation."""
    import torch

    weights = torch.tensor(W, dtype=torch.float64, requires_grad=True)
    data = torch.tensor(X, dtype=torch.float64)
    ((data - weights @ data).square().sum() + lam * weights.square().sum()).backward()
    assert weights.grad is not None
    return np.asarray(weights.grad.numpy())


def minimiser(X: np.ndarray, lam: float) -> np.ndarray:
    """A numerical minimiser: least squares for the stacked system Xᵀ Wᵀ ≈ Xᵀ, √λ Wᵀ ≈ 0."""
    d = len(X)
    return np.asarray(
        np.linalg.lstsq(
            np.vstack([X.T, np.sqrt(lam) * np.eye(d)]), np.vstack([X.T, np.zeros((d, d))]), rcond=None
        )[0].T
    )


def denoiser_inputs(rng: np.random.Generator) -> Iterator[Case]:
    """Data with more columns than rows, and with fewer, where some singular values are 0.

    In the first case of each kind one singular value s lies above λ, one below λ with its square above it,
    and one with its square below it: every threshold shows.
    """

    def case(X: np.ndarray, lam: float, group: str = "values") -> Case:
        note = f"X of shape {X.shape}, λ = {lam}"
        return Case([np.round(X, 2), lam], note=note, group=group, probe="array")

    def spread(d: int, n: int, largest: float = 12.0) -> np.ndarray:
        U, V = (np.linalg.qr(rng.normal(size=(rows, 3)))[0] for rows in (d, n))
        return np.asarray(U * [largest, 5.0, 1.0] @ V.T)

    yield case(spread(3, 5), 7.0)
    yield case(spread(3, 6, largest=50.0), 5.0)  # steps down the gradient diverge, or are too short
    for d, n, lam in ((2, 4, 0.4), (3, 8, 3.0), (5, 7, 0.05)):
        yield case(rng.normal(size=(d, n)) * np.arange(d, 0, -1)[:, None], lam)
    yield case(spread(5, 3), 7.0, "thin")
    for d, n, lam in ((4, 2, 0.4), (6, 1, 2.0)):
        yield case(rng.normal(size=(d, n)), lam, "thin")


def by_svd(
    factor: Callable[[np.ndarray, float], np.ndarray], right: bool = False
) -> Callable[[np.ndarray, float], np.ndarray]:
    """A wrong closed form: other factors, or the right singular vectors."""

    def wrong(X: np.ndarray, lam: float) -> np.ndarray:
        U, s, Vt = np.linalg.svd(X, full_matrices=False)
        return np.asarray((Vt.T if right else U) * factor(s, lam) @ (Vt if right else U.T))

    return wrong


closed = hw.question(
    "6.7b",
    "The best linear denoiser",
    minutes=25,
    difficulty="hard",
    asks={
        "the gradient": "the gradient",
        "the closed form": [
            "equals the numerical minimiser",
            "the gradient vanishes, with fewer columns than rows too",
        ],
    },
    entries=[
        Challenge(
            "denoising_gradient",
            cases=loss_inputs,
            expected=gradient_oracle,
            mistakes={
                "A factor 2 is missing: the derivative of a square.": lambda W, X, lam: (
                    gradient_oracle(W, X, lam) / 2
                ),
                "The sign of the reconstruction part is reversed: W X - X, not X - W X.": (
                    lambda W, X, lam: 4 * lam * W - gradient_oracle(W, X, lam)
                ),
                "The gradient's sign is reversed.": lambda W, X, lam: -gradient_oracle(W, X, lam),
                "The reconstruction part is transposed: the derivative for W_ij stands in row i, column j.": (
                    lambda W, X, lam: 2 * X @ (W @ X - X).T + 2 * lam * W
                ),
                "It is transposed: the derivative for W_ij stands in row i, column j, so Xᵀ comes last.": (
                    lambda W, X, lam: gradient_oracle(W, X, lam).T
                ),
                "W X is missing from the reconstruction part: 2 (W X - X) Xᵀ.": lambda W, X, lam: (
                    2 * lam * W - 2 * X @ X.T
                ),
                "The penalty's part has the wrong sign.": lambda W, X, lam: gradient_oracle(W, X, -lam),
                "The reconstruction part is divided by the number of columns; the loss is a sum.": (
                    lambda W, X, lam: 2 * (W @ X - X) @ X.T / X.shape[1] + 2 * lam * W
                ),
                "The penalty's part is that of λ‖W‖; the loss has the square, λ‖W‖².": lambda W, X, lam: (
                    gradient_oracle(W, X, 0.0) + lam * W / np.linalg.norm(W)
                ),
                "The penalty's part 2λW is missing.": lambda W, X, lam: gradient_oracle(W, X, 0.0),
                "The penalty's part lacks its factor 2.": lambda W, X, lam: gradient_oracle(W, X, lam / 2),
            },
        ),
        Challenge(
            "denoiser",
            cases=denoiser_inputs,
            expected=minimiser,
            rtol=1e-3,
            atol=1e-4,  # XXᵀ formed in float32 has the condition of X squared
            mistakes={
                (
                    "Your factors are s/(s + λ); set the gradient to 0 with X = U S Vᵀ: XXᵀ has the"
                    " eigenvalues s²."
                ): by_svd(lambda s, lam: s / (s + lam)),
                "Your factors are s²/(s² + λ²): λ itself stands beside s², not its square.": by_svd(
                    lambda s, lam: s**2 / (s**2 + lam**2)
                ),
                "Your factors are 1/(s² + λ): that is the inverse alone, without XXᵀ.": by_svd(
                    lambda s, lam: 1 / (s**2 + lam)
                ),
                "Your factors are λ/(s² + λ): that keeps what should go and takes what should stay.": by_svd(
                    lambda s, lam: lam / (s**2 + lam)
                ),
                "Your factors are s/(s² + λ): that is ridge regression's; here the target is X itself.": (
                    by_svd(lambda s, lam: s / (s**2 + lam))
                ),
                "You use the right singular vectors: W (d, d) mixes the rows of X, so it needs U.": by_svd(
                    lambda s, lam: s**2 / (s**2 + lam), right=True
                ),
                "On these data that takes nothing away, as if λ were 0: the factors should be s²/(s² + λ).": (
                    by_svd(lambda s, lam: np.ones_like(s))
                ),
                "Your factors are s²/(s² + 2λ): both parts of the gradient have a 2, which cancels.": by_svd(
                    lambda s, lam: s**2 / (s**2 + 2 * lam)
                ),
                "That is XXᵀ itself; the factors are s²/(s² + λ), between 0 and 1.": by_svd(
                    lambda s, lam: s**2
                ),
                "U and Uᵀ are swapped: W = U · factors · Uᵀ.": lambda X, lam: (
                    (U := np.linalg.svd(X)[0]).T @ U.T @ minimiser(X, lam) @ U @ U
                ),
                "Those are the factors on the diagonal; W = U · factors · Uᵀ.": lambda X, lam: (
                    (U := np.linalg.svd(X)[0]).T @ minimiser(X, lam) @ U
                ),
                "Your factors are s²/(s² + λ/2): both parts of the gradient have a factor 2.": by_svd(
                    lambda s, lam: s**2 / (s**2 + lam / 2)
                ),
                "You keep a direction whole or drop it (by s², λ); the factors s²/(s² + λ) shrink.": by_svd(
                    lambda s, lam: (s**2 > lam).astype(float)
                ),
                "You keep a direction whole or drop it (by s, λ); the factors s²/(s² + λ) shrink.": by_svd(
                    lambda s, lam: (s > lam).astype(float)
                ),
                "Your factors are the roots of s²/(s² + λ); they come in once.": by_svd(
                    lambda s, lam: s / np.sqrt(s**2 + lam)
                ),
                "That is WX, the denoised data; give W itself.": lambda X, lam: minimiser(X, lam) @ X,
                "You divide XXᵀ by the number of columns, so that λ weighs more; the loss is a sum.": (
                    lambda X, lam: minimiser(X, lam * X.shape[1])
                ),
            },
        ),
    ],
    written=Written(
        points=4,
        words=(50, 150),
        rubric={
            (
                "Says that W keeps the directions U and multiplies each by s²/(s² + λ): near 1 where"
                " s² ≫ λ, near 0 where s² ≪ λ"
            ): 2,
            (
                "Says why λ > 0 is needed: without it the identity (or any W that is the identity on"
                " the data) has loss 0 and removes no noise"
            ): 1,
            (
                "Says when this denoises: the signal has the large singular values, noise the small"
                " ones (soft PCA, no labels needed)"
            ): 1,
        },
        examples={
            "full": (
                "W turns the data into its principal directions u_i, multiplies each coordinate by s_i²/(s_i²"
                " + λ) and turns it back. Directions with s_i² far above λ pass almost unchanged, those far"
                " below almost vanish: a soft version of keeping the first principal components. Without the"
                " penalty W = I has loss 0, and nothing is removed. It denoises if the signal lies in few"
                " directions of large variance and noise is spread over the others, and it needs no clean"
                " targets."
            ),
            "half": (
                "Large singular values are kept and small ones are shrunk, because of the factor s²/(s²+λ)."
                " Small ones are mostly noise."
            ),
            "none": "W learns to remove the noise from the input because the loss goes down during training.",
        },
    ),
)
closed.check_cases("denoising_gradient", "the gradient", points=2)
closed.check_cases("denoiser", "equals the numerical minimiser", points=3)


@closed.check("the gradient vanishes, with fewer columns than rows too", points=2, needs=["denoiser"])
def the_gradient_vanishes(denoiser: Sequence[Trial]) -> Wrong | None:
    """Judges by property, so that any right minimizer passes."""

    def judge(trial: Trial) -> str | None:
        (X, lam), W = trial.args, trial.output
        d = len(X)
        if isinstance(W, np.ndarray) and W.shape == (d, d) and not np.isfinite(W).all():
            return f"On {trial.note} your W holds numbers that are not finite (nan or inf)."
        if not isinstance(W, np.ndarray) or W.shape != (d, d):
            return (
                f"On {trial.note} `denoiser` should return finite numbers of shape ({d}, {d}); it returned"
                f" {public.named_kind(W)}."
            )
        slope = np.abs(gradient_oracle(W, X, lam)).max() / max(np.square(X).sum(), lam)
        if slope < 1e-4:  # double precision leaves 1e-13, float32 7e-6; no wrong form gets below 1e-3
            return None
        excess = float(loss_oracle(W, X, lam) - loss_oracle(minimiser(X, lam), X, lam))
        told = f"the gradient at your W is not 0 (its largest entry is {slope:.2g} of the data's size)"
        return f"On {trial.note} {told}, and the loss is {excess:.3g} above the least."

    wide, thin = ([one for one in denoiser if (one.group == "thin") == group] for group in (False, True))
    if all(trial.status == "ok" and judge(trial) is None for trial in wide):
        for trial in thin:
            no_inverse = trial.status == "error" and "LinAlgError" in trial.error
            if no_inverse or (trial.status == "ok" and judge(trial)):
                return Wrong(
                    f"On {trial.note} `denoiser` does not find the best W, but it does where X has more"
                    " columns than rows. With fewer columns XXᵀ has only the rank"
                    f" {trial.args[0].shape[1]}, so it has no inverse. Does your code invert it?"
                )
    return first_problem("denoiser", denoiser, judge)
