"""6.6b: random frequencies, and the estimate that converges.

Statistical checks state the probability with which they would fail a right answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from autograder.declare import Answer, Array, Case, Challenge, Wrong, curve
from autograder.homeworks.hw6 import public
from autograder.homeworks.hw6.common import first_problem
from autograder.homeworks.hw6.homework import hw
from autograder.kit import Trial

# Each single comparison of a random quantity below fails for a right answer with a probability of at most
# CHANCE. There are 2·9 of them for frequencies and 3·20 for estimates: together less than 1e-6 for a whole
# submission.
CHANCE = 1e-8


def seeds(rng: np.random.Generator) -> int:
    """A seed for the kernel's generator."""
    return int(rng.integers(2**31))


def frequency_cases(rng: np.random.Generator) -> Iterator[Case]:
    """How many frequencies, and of what size."""
    for count, D in ((2048, 4), (2048, 16)):
        yield Case([seeds(rng), count, D], note=f"{count:,} frequencies for D = {D}", probe="frequencies")


def estimate_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Queries and keys whose distances are of the kernel's size, with few and with many frequencies.

    One pair is 2.5 σ apart along one axis: there, another distribution of frequencies shows under any seed.
    """
    for count, D in ((100, 4), (40_000, 4), (40_000, 9)):
        scale = np.sqrt(0.75 / np.sqrt(D))
        Q, K = scale * rng.normal(size=(5, D)), scale * rng.normal(size=(4, D))
        K[0] = Q[0] - 2.5 * D**0.25 * np.eye(D)[0] * np.sign(Q[0, 0])
        yield Case([Q, K, count, seeds(rng)], note=f"{count:,} frequencies and D = {D}", probe="estimate")
    # exact similarities have a rank above twice the number of frequencies, positive features no negative sign
    Q, K = (rng.normal(size=(rows, 9)) for rows in (16, 15))
    few = public.FEW
    yield Case([Q, K, few, seeds(rng)], note=f"{few} frequencies and D = 9", probe="estimate")


def variance_slips(trial: Trial) -> set[str]:
    """The known mistakes that give the variance of drawn frequencies."""
    W, (_, count, D) = trial.output, trial.args
    if not isinstance(W, np.ndarray) or W.shape != (count, D) or W.dtype.kind != "f":
        return set()
    found = float(np.square(W).mean())
    named = {
        "That is σ², the variance of the kernel itself. Frequencies go the other way: a wide kernel has low"
        " ones, w ~ N(0, σ⁻² I).": np.sqrt(D),
        "That is a standard normal: the frequencies must be scaled by 1/σ.": 1.0,
        "That is σ⁻⁴: a generator takes the standard deviation, and that is 1/σ, not 1/σ².": 1 / D,
        "That is σ⁴: a generator takes the standard deviation, and that is 1/σ; you gave σ².": float(D),
        "That is 1/σ: the standard deviation was meant to be 1/σ, not its square root.": D**-0.25,
    }
    return {says for says, value in named.items() if found > 0 and abs(np.log(found / value)) < 0.2}


def frequencies_problem(trial: Trial) -> str | None:
    """Judges drawn frequencies by second moment and by the characteristic function in some directions."""
    W, (_, count, D) = trial.output, trial.args
    if problem := public.frequencies_shape_problem(trial):
        return problem
    if not np.isfinite(W).all():
        return "`draw_frequencies` gave numbers that are not finite."
    wanted, found, n = 1 / np.sqrt(D), float(np.square(W).mean()), count * D
    if problem := public.source_problem(trial.result):
        return problem
    x = np.log(2 / CHANCE)  # Laurent and Massart (2000): P(χ²_n - n ≥ 2√(n x) + 2x) ≤ e^-x, below likewise
    if count > 1 and not np.ptp(W, axis=0).any():
        return f"All {count:,} frequencies are the same: draw each one anew, with size=(count, D)."
    if abs(found / wanted - 1) > 2 * np.sqrt(x / n) + 2 * x / n:
        return f"With D = {D} the frequencies have the variance {found:.4g}, expected σ⁻² = {wanted:.4g}."
    directions = (
        2
        / np.sqrt(wanted)
        * np.vstack([np.eye(D)[:4], (np.eye(D)[:4] - np.roll(np.eye(D), 1, axis=0)[:4]) / np.sqrt(2)])
    )
    bound = np.sqrt(2 * np.log(2 / CHANCE) / count)  # Hoeffding, for cosines between -1 and 1
    means = np.cos(W @ directions.T).mean(axis=0)
    middle = float(W.mean())  # of a right answer it is normal with the variance σ⁻²/n
    if abs(middle) > np.sqrt(2 * np.log(2 / CHANCE) * wanted / n):
        return (
            f"With D = {D} the frequencies have the mean {middle:.3g}, expected 0: as many are negative as"
            " positive."
        )
    for direction, mean in zip(directions, means, strict=True):
        if abs(mean - np.exp(-2)) > bound:
            kind = (
                "The numbers of one frequency depend on each other"
                if np.count_nonzero(direction) > 1
                else "Their distribution is not normal"
            )
            told = (
                f"cos(w·z) has the mean {mean:.3f} along z = {public.listed(direction)}, expected"
                f" {np.exp(-2):.3f}"
            )
            return f"The variance is right, but {told}. {kind}."
    return None


def estimate_problem(trial: Trial) -> str | None:
    """Judges the estimate of exp(q·k/√D) against Hoeffding's bound for its number of frequencies."""
    Q, K, count, _ = trial.args
    D, found = Q.shape[1], trial.output
    exact = np.exp(Q @ K.T / np.sqrt(D))
    if problem := public.estimate_shape_problem(trial):
        return problem
    distance = np.square(Q[:, None] - K[None]).sum(-1)
    kernel = np.exp(-distance / (2 * np.sqrt(D)))
    factors = exact / kernel
    bound = np.sqrt(
        8 * np.log(2 / CHANCE) / count
    )  # products of features lie between -2 and 2, whichever kind of features

    def off(gaussian: np.ndarray, scale: np.ndarray) -> bool:
        return not np.isfinite(found).all() or bool((np.abs(found / scale - gaussian) > bound).any())

    if not off(kernel, factors):
        if np.abs(found / exact - 1).max() < 1e-9:
            return (
                "That is the exact similarity. The question asks for the estimate from random features,"
                " which never forms"
                " exp(q·k)."
            )
        return public.product_problem(trial)
    worst = np.unravel_index(
        np.nan_to_num(np.abs(found / factors - kernel), nan=np.inf).argmax(), exact.shape
    )
    return (
        f"With {count:,} frequencies and D = {D} one estimate is {found[worst]:.4g}, exact is"
        f" {exact[worst]:.4g}: further off than chance allows."
    )


def estimate_slips(trial: Trial) -> set[str]:
    """The known mistakes that explain an estimate from many frequencies."""
    Q, K, count, _ = trial.args
    D, found = Q.shape[1], trial.output
    distance = np.square(Q[:, None] - K[None]).sum(-1)
    kernel = np.exp(-distance / (2 * np.sqrt(D)))
    if not isinstance(found, np.ndarray) or found.shape != kernel.shape or not np.isfinite(found).all():
        return set()
    of_query, of_key = (np.exp(np.square(X).sum(1) / (2 * np.sqrt(D))) for X in (Q, K))
    factors = of_query[:, None] * of_key
    slips = {
        "That estimates the Gaussian kernel: the factors of the query and of the key are missing.": (
            kernel,
            np.ones_like(factors),
        ),
        "The sign of the factors' exponents is reversed: they undo what the Gaussian takes away.": (
            kernel,
            1 / factors,
        ),
        "You subtract the sines, which gives cos(w·(q + k)): cos(a - b) = cos a cos b + sin a sin b.": (
            np.exp(-np.square(Q[:, None] + K[None]).sum(-1) / (2 * np.sqrt(D))),
            factors,
        ),
        "The factor of the key is missing.": (kernel, of_query[:, None]),
        "The factor of the query is missing.": (kernel, of_key[None]),
        "That is the sum over the frequencies, not their mean.": (kernel, factors * count),
        "You divide by the number of features, 2R; the mean runs over the R frequencies.": (
            kernel,
            factors / 2,
        ),
        "Your frequencies have the variance σ² instead of σ⁻²: a wide kernel has low frequencies.": (
            np.exp(-distance * np.sqrt(D) / 2),
            factors,
        ),
        "Your frequencies are standard normal: scale them by 1/σ.": (np.exp(-distance / 2), factors),
        "Your frequencies have the variance σ⁻⁴: the standard deviation is 1/σ, not 1/σ².": (
            np.exp(-distance / (2 * D)),
            factors,
        ),
    }
    bound = np.sqrt(8 * np.log(2 / CHANCE) / count)
    return {
        says for says, (gaussian, scale) in slips.items() if (np.abs(found / scale - gaussian) <= bound).all()
    }


def named_by_all(
    trials: Sequence[Trial], judge: Callable[[Trial], str | None], slips: Callable[[Trial], set[str]]
) -> str:
    """The known mistake that explains every failing trial, if there is one alone."""
    failing = [slips(trial) for trial in trials if trial.status == "ok" and judge(trial)]
    common = set.intersection(*failing) if failing else set()
    return f" {common.pop()}" if len(common) == 1 else ""


fourier = hw.question(
    "6.6b",
    "Random Fourier features converge",
    minutes=15,
    difficulty="hard",
    asks={
        "frequencies from the right distribution": "frequencies have the right distribution",
        "an estimate from R frequencies": "the estimate converges",
        "errors and their slope": "error against number of features",
    },
    entries=[
        Challenge("draw_frequencies", cases=frequency_cases),
        Challenge("estimate_similarity", cases=estimate_cases, examples=estimate_cases),
        Array("rff_errors", (len(public.GAUSSIAN_COUNTS),)),
        Array("rff_slope"),
    ],
)


@fourier.check(points=3, needs=["draw_frequencies"])
def frequencies_have_the_right_distribution(draw_frequencies: Sequence[Trial]) -> Wrong | None:
    """Judges moments and directions within what chance allows."""
    name = named_by_all(draw_frequencies, frequencies_problem, variance_slips)
    return first_problem(
        "draw_frequencies",
        draw_frequencies,
        lambda trial: f"{problem}{name}" if (problem := frequencies_problem(trial)) else None,
    )


def _stale(answer: Answer) -> bool:
    """Whether frequencies are not fresh, which already loses the points of `draw_frequencies`."""
    drawn = [trial for trial in answer.get("draw_frequencies", ()) if trial.status == "ok"]
    return any(public.source_problem(trial.result) for trial in drawn)


def _positive_features(answer: Answer) -> str:
    """What to say of estimates from few frequencies that are products of positive features; else nothing.

    Frequencies of another distribution may give cosines that are all positive.
    """
    ran = [trial for trial in answer.get("draw_frequencies", ()) if trial.status == "ok"]
    if any(frequencies_problem(trial) for trial in ran):
        return ""
    for trial in answer.get("estimate_similarity", ()):
        if trial.status == "ok" and not public.estimate_shape_problem(trial):
            told = public.product_problem(trial) or ""
            if public.EXPONENTIALS in told:
                return told
    return ""


@fourier.check(points=3, needs=["estimate_similarity"])
def the_estimate_converges(answer: Answer) -> Wrong | None:
    """Judges estimates within what chance allows, and whether they come from fresh features."""
    trials: Sequence[Trial] = answer["estimate_similarity"]
    many = [trial for trial in trials if trial.args[2] > 1000]
    name = named_by_all(many, estimate_problem, estimate_slips)
    stale = _stale(answer)
    if not name and (positive := _positive_features(answer)):
        return Wrong(positive)  # by chance their errors alone are too large as well

    def judge(trial: Trial) -> str | None:
        if problem := estimate_problem(trial):
            return f"{problem}{name}"
        return None if stale else public.fresh_problem(trial)

    return first_problem("estimate_similarity", trials, judge)


def expected_errors() -> np.ndarray:
    """The root mean square error for each number of features, from the variance of cos(w·(q - k))."""
    Q, K = public.example_vectors()
    sigma2 = np.sqrt(Q.shape[1])
    distance = np.square(Q[:, None] - K[None]).sum(-1)
    kernel = np.exp(-distance / (2 * sigma2))
    variance = (1 + np.exp(-4 * distance / (2 * sigma2))) / 2 - kernel**2
    factors = np.exp(Q @ K.T / sigma2) / kernel
    return np.asarray(np.sqrt((factors**2 * variance).mean() / np.array(public.GAUSSIAN_COUNTS)))


@fourier.check(points=2, needs=["rff_errors", "rff_slope"])
def error_against_number_of_features(answer: Answer) -> Wrong | None:
    """Holds recorded errors against theory, and the slope against the errors."""
    errors, slope = answer["rff_errors"].astype(float), float(answer["rff_slope"])
    series = {"your errors": errors, "theory": expected_errors()}
    shown = curve(
        "Your errors of the estimate",
        series,
        x="features",
        y="root mean square error",
        at=list(public.GAUSSIAN_COUNTS),
        log=True,
    )
    problem = public.slope_problem(errors, slope)
    ratio = errors / expected_errors()
    if _positive_features(answer) and (problem or ratio.max() > 2 or ratio.min() < 1 / 2):
        return Wrong(
            f"These are not the errors of random Fourier features. {public.EXPONENTIALS}", evidence=shown
        )
    if problem and "rff_slope" not in problem:
        return Wrong(problem, evidence=shown)
    # Over 60 simulated right answers the ratio to theory is 1.0 with a standard deviation of 0.035 (1.4 with
    # random phases); the limits are 7 standard deviations away or more. Mean absolute errors have 0.54 of the
    # theory, errors of the mean of 20 estimates have 0.22.
    usual = float(np.exp(np.log(np.maximum(ratio, 1e-9)).mean()))
    slip = (
        " They are as large as the means of absolute errors."
        if 0.5 < usual < 0.6
        else " They are as large as the errors of estimates that were averaged over the repeats first."
        if 0.18 < usual < 0.26
        else ""
    )
    if ratio.max() > 2 or ratio.min() < (1 / 2 if _stale(answer) else 3 / 4):
        worst = int(np.abs(np.log(ratio)).argmax())
        return Wrong(
            f"With {public.GAUSSIAN_COUNTS[worst]} features your error is {errors[worst]:.3g}; theory gives"
            f" about {expected_errors()[worst]:.3g}. The question asks for the root mean square of"
            f" estimate minus exact similarity, over all pairs and repeats.{slip}",
            evidence=shown,
        )
    return Wrong(problem, evidence=shown) if problem else None
