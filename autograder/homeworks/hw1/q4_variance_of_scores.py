"""1.4: mean and variance of a dot product, and the scale that undoes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from autograder.declare import (
    NOT_JUDGED,
    Answer,
    Case,
    Challenge,
    Prediction,
    Question,
    Written,
    Wrong,
    judge_cases,
)
from autograder.homeworks.hw1.homework import draw, drawn_until, hw
from autograder.kit import as_kind, describe


def distributions(rng: np.random.Generator) -> Iterator[Case]:
    """d, mu, sigma; the standard case, and ones where powers of sigma and the mean's part show."""
    for number in range(3):
        d, mu, sigma = drawn_until(
            lambda: (
                int(rng.integers(3, 300)),
                round(float(rng.uniform(-2, -0.5)), 2),
                round(float(rng.uniform(0.3, 3)), 2),
            ),
            lambda drawn: min(abs(abs(drawn[1]) - 1), abs(drawn[2] - 1), abs(abs(drawn[1]) - drawn[2])) > 0.1,
        )
        if number == 1:  # between the others, so that a first case shows all that differs
            yield Case([64, 0.0, 1.0], note="d = 64, μ = 0, σ = 1")
            sigma_ = round(float(rng.uniform(1.5, 3)), 2)
            yield Case([int(rng.integers(3, 9)), 0.0, sigma_], note="μ = 0 and σ > 1")
        yield Case([d, mu, sigma], note=f"d = {d}, μ = {mu}, σ = {sigma}")


def statistics(d: int, mu: float, sigma: float) -> list[float]:
    """Mean and variance of q·k and the scale, exact.

    From the moments of one product x·y of two-point variables μ ± σ, enumerated.
    """
    products = [(mu + s * sigma) * (mu + t * sigma) for s, t in product((1, -1), repeat=2)]
    mean = math.fsum(products) / 4
    variance = math.fsum((value - mean) ** 2 for value in products) / 4
    return [d * mean, d * variance, (d * variance) ** -0.5]


def _variance(d: int, mu: float, sigma: float) -> float:
    return statistics(d, mu, sigma)[1]


def _with_variance(
    variance: Callable[[int, float, float], float],
) -> Callable[[int, float, float], list[float]]:
    def three(d: int, mu: float, sigma: float) -> list[float]:
        found = variance(d, mu, sigma)
        return [d * mu**2, found, found**-0.5 if found > 0 else math.nan]

    return three


def pairs(rng: np.random.Generator) -> Iterator[Case]:
    """Sample arrays (count, d)."""
    for count, d in ((6, 3), (40, 5), (11, 11)):
        yield Case([draw(rng, count, d) + 0.5, draw(rng, count, d) - 1], note=f"{count} pairs with d = {d}")


def _sampled(queries: np.ndarray, keys: np.ndarray) -> list[float]:
    dots = [
        math.fsum(float(a) * float(b) for a, b in zip(q, k, strict=True))
        for q, k in zip(queries, keys, strict=True)
    ]
    mean = math.fsum(dots) / len(dots)
    return [mean, math.fsum((dot - mean) ** 2 for dot in dots) / len(dots)]


def _mean_and_variance(numbers: np.ndarray) -> list[float]:
    return [numbers.mean(), numbers.var()]


THEORY = Challenge(
    "dot_product_statistics",
    cases=distributions,
    expected=statistics,
    mistakes={
        "What is the mean of one product of two independent numbers? Yours is not.": (
            lambda d, mu, sigma: [d * mu, *statistics(d, mu, sigma)[1:]]
        ),
        "Those are the statistics of one product; q·k adds up d of them.": (
            lambda d, mu, sigma: statistics(1, mu, sigma)
        ),
        "In the variance, count the products: independent ones add up.": (
            lambda d, mu, sigma: [d * mu**2, *statistics(1, mu, sigma)[1:]]
        ),
        "Your variance is right for μ = 0 only.": _with_variance(lambda d, mu, sigma: d * sigma**4),
        "In the variance the part with μ must come from both vectors: queries and keys are both random.": (
            _with_variance(lambda d, mu, sigma: d * (sigma**4 + sigma**2 * mu**2))
        ),
        "In the variance, count the random factors of each product for the power of σ.": (
            _with_variance(lambda d, mu, sigma: d * sigma**2)
        ),
        "In the variance, a factor d is too many: independent products add up.": _with_variance(
            lambda d, mu, sigma: d * _variance(d, mu, sigma)
        ),
        "In the variance, the square of the mean must be taken off.": _with_variance(
            lambda d, mu, sigma: d * (sigma**2 + mu**2) ** 2
        ),
        "In the variance, look at the power of μ in what is taken off.": _with_variance(
            lambda d, mu, sigma: d * ((sigma**2 + mu**2) ** 2 - mu**2)
        ),
        "The variance of a product is more than the product of variances and that of means.": _with_variance(
            lambda d, mu, sigma: d * (sigma**4 + mu**4)
        ),
        "In the variance, take off the square of each product's mean, not that of the whole sum.": (
            _with_variance(lambda d, mu, sigma: d * (sigma**2 + mu**2) ** 2 - (d * mu**2) ** 2)
        ),
        "In the variance, a product of two numbers is no sum.": _with_variance(
            lambda d, mu, sigma: 2 * d * sigma**2
        ),
        "In the variance, look at μ = 0: the products vary then, too.": _with_variance(
            lambda d, mu, sigma: 2 * d * sigma**2 * mu**2
        ),
        "σ is the standard deviation; in your variance it stands for the variance.": _with_variance(
            lambda d, mu, sigma: d * (sigma**2 + 2 * sigma * mu**2)
        ),
        "What does a factor s do to a variance? With your s, it is s·Var that becomes 1.": (
            lambda d, mu, sigma: [*statistics(d, mu, sigma)[:2], 1 / _variance(d, mu, sigma)]
        ),
        "Your s is right for μ = 0, σ = 1 only; use the variance that you found.": (
            lambda d, mu, sigma: [*statistics(d, mu, sigma)[:2], d**-0.5]
        ),
        "That is the standard deviation, not the variance.": (
            lambda d, mu, sigma: [d * mu**2, _variance(d, mu, sigma) ** 0.5, statistics(d, mu, sigma)[2]]
        ),
    },
)


SAMPLED_STATISTICS = Challenge(
    "sampled_statistics",
    cases=pairs,
    expected=_sampled,
    mistakes={
        "You took all pairs of a row with every other row; only row i with row i is meant.": (
            lambda q, k: _mean_and_variance(q @ k.T)
        ),
        "Those are statistics of the single products; sum over the features first.": (
            lambda q, k: _mean_and_variance(q * k)
        ),
        "You summed over the pairs; sum over the features (axis 1).": (
            lambda q, k: _mean_and_variance((q * k).sum(0))
        ),
        "The second number is the standard deviation; the question asks for the variance.": (
            lambda q, k: [(q * k).sum(1).mean(), (q * k).sum(1).std()]
        ),
        "You took the mean over the features; a dot product is their sum.": (
            lambda q, k: _mean_and_variance((q * k).mean(1))
        ),
        "The two are swapped: return the mean first.": lambda q, k: _sampled(q, k)[::-1],
        "You divided by count − 1 (ddof=1); the question asks for np.var's default.": (
            lambda q, k: [(q * k).sum(1).mean(), (q * k).sum(1).var(ddof=1)]
        ),
        "The second number is the mean of the squares; take the square of the mean off.": (
            lambda q, k: [(q * k).sum(1).mean(), ((q * k).sum(1) ** 2).mean()]
        ),
        "You divided by √d; here the plain dot products are asked for.": (
            lambda q, k: _mean_and_variance((q * k).sum(1) / q.shape[1] ** 0.5)
        ),
        "The first number is the sum of all dot products; take their mean.": (
            lambda q, k: [(q * k).sum(), (q * k).sum(1).var()]
        ),
        "The second number is a mean of variances within the pairs; take the variance of the dot products.": (
            lambda q, k: [(q * k).sum(1).mean(), (q * k).var(axis=1).mean()]
        ),
        "You added the variances of the single features; they vary together, too: sum first.": (
            lambda q, k: [(q * k).sum(1).mean(), (q * k).var(axis=0).sum()]
        ),
        "You multiplied the means of queries and keys; multiply first, pair by pair.": (
            lambda q, k: [q.shape[1] * q.mean() * k.mean(), (q * k).sum(1).var()]
        ),
        "Those are cosines; leave the norms in.": lambda q, k: _mean_and_variance(
            (q * k).sum(1) / (np.linalg.norm(q, axis=1) * np.linalg.norm(k, axis=1))
        ),
    },
)


why_scaled = hw.question(
    "1.4",
    "Why √d?",
    topic="variance of scores, the scale",
    minutes=14,
    difficulty="medium",
    asks={
        "the mean of q·k": "the mean",
        "the variance of q·k": "the variance",
        "the factor s": "the scale",
        "mean and variance of samples": "mean and variance of samples",
        "derived on paper": NOT_JUDGED,
    },
    entries=[
        Prediction(
            "prediction_14",
            {
                "A": "it stays near log 64, all keys alike",
                "B": "it falls toward 0, one key alone",
                "C": "it grows",
            },
        ),
        THEORY,
        SAMPLED_STATISTICS,
    ],
    written=Written(
        points=3,
        words=(40, 130),
        rubric={
            "Scores with variance d saturate the softmax (nearly one-hot)": 1,
            "A saturated softmax has almost no gradient, so queries and keys do not learn": 1,
            "√d is the standard deviation; dividing by d would"
            " make the scores vanish and the weights uniform": 1,
        },
        examples={
            "full": (
                "The variance of q·k is d, so for large d scores lie tens apart and the softmax becomes"
                " one-hot from the start. There its derivative is nearly zero and the projections get no"
                " gradient. √d is the standard deviation, so scaled scores have variance 1 for all d; with d"
                " instead they would have variance 1/d and attention would be uniform."
            ),
            "half": (
                "Large scores make the softmax saturate, so gradients vanish and training is slow. Dividing"
                " keeps the scores small."
            ),
            "none": (
                "The scale makes the numbers smaller so that computers can handle them better and do not"
                " overflow."
            ),
        },
    ),
)


def check_part(
    question: Question,
    challenge: Challenge,
    index: int,
    name: str,
    *,
    points: float,
    mistakes: Mapping[str, Any],
) -> None:
    """Judges one of the numbers that a function returns: one wrong formula does not cost the others."""

    def expected(*args: Any) -> float:
        return float(challenge.expected(*args)[index]) if challenge.expected else math.nan

    part = replace(challenge, expected=expected, mistakes=mistakes)

    @question.check(name, points=points, needs=[challenge.name])
    def one_number(answer: Answer) -> Wrong | None:
        trials, follows = [], []
        for trial in answer[challenge.name]:
            if trial.status == "ok":
                numbers = as_kind([0.0, 0.0, 0.0], trial.output)
                if not isinstance(numbers, list) or len(numbers) != 3:
                    return Wrong(
                        f"`{challenge.name}` should return three numbers, but it returned"
                        f" {describe(trial.output)}."
                    )
                follows.append(_undoes(*numbers[1:]))
                trial = replace(trial, result={"result": numbers[index]})
            trials.append(trial)
        verdict = judge_cases(part, trials)
        if verdict and index == 2 and len(follows) == len(trials) and all(follows):
            told = "The scale: it undoes your variance, as it should; it is right when the variance is."
            return replace(verdict, feedback=told)
        return replace(verdict, feedback=f"{name.capitalize()}: {verdict.feedback}") if verdict else None


def _undoes(variance: Any, scale: Any) -> bool:
    """Whether a scale makes the variance 1 that was found, right or not."""
    try:
        return abs(float(scale) ** 2 * float(variance) - 1) < 1e-3 and float(scale) > 0
    except (TypeError, ValueError, OverflowError):
        return False


check_part(
    why_scaled,
    THEORY,
    0,
    "the mean",
    points=1,
    mistakes={
        "The mean of a product of two independent numbers is μ².": lambda d, mu, sigma: d * mu,
        "You gave the mean of one product; there are d.": lambda d, mu, sigma: mu**2,
        "q and k are independent, so E[xy] = E[x]E[y]; σ² does not come in.": (
            lambda d, mu, sigma: d * (mu**2 + sigma**2)
        ),
        "That is the mean for μ = 0 only.": lambda d, mu, sigma: 0.0,
        "That is μ, the mean of one entry.": lambda d, mu, sigma: mu,
        "E[xy] is μ², and there are d of them: the factor is d, not d².": lambda d, mu, sigma: (d * mu) ** 2,
        "That is the variance: return the mean first.": _variance,
        "Sums of d products have d times their mean, not √d times.": lambda d, mu, sigma: d**0.5 * mu**2,
        "Products are no sums: E[xy] is μ·μ, not 2μ.": lambda d, mu, sigma: 2 * d * mu,
    },
)
check_part(
    why_scaled,
    THEORY,
    1,
    "the variance",
    points=3,
    mistakes={
        "The mean's part is missing: Var[xy] = σ⁴ only holds for μ = 0.": lambda d, mu, sigma: d * sigma**4,
        "The mean's part must stand twice: both vectors are random.": (
            lambda d, mu, sigma: d * (sigma**4 + sigma**2 * mu**2)
        ),
        "Each product has two random factors: σ⁴, not σ².": lambda d, mu, sigma: d * sigma**2,
        "σ is the standard deviation; you took it for the variance.": (
            lambda d, mu, sigma: d * (sigma**2 + 2 * sigma * mu**2)
        ),
        "That is the variance of one product; independent ones add up, and there are d.": (
            lambda d, mu, sigma: _variance(1, mu, sigma)
        ),
        "That is the variance for μ = 0, σ = 1 only.": lambda d, mu, sigma: float(d),
        "The square of the mean is taken off once, but each of the d products has its own.": (
            lambda d, mu, sigma: d * (sigma**2 + mu**2) ** 2 - mu**4
        ),
        "Take off the square of each product's mean, d·μ⁴ in all; you took off that of the whole sum.": (
            lambda d, mu, sigma: d * (sigma**2 + mu**2) ** 2 - (d * mu**2) ** 2
        ),
        "Var[xy] = E[x²y²] − E[xy]²: E[xy] is μ², so μ⁴ is taken off, not μ².": (
            lambda d, mu, sigma: d * ((sigma**2 + mu**2) ** 2 - mu**2)
        ),
        "The variance of a product is not the sum of σ²σ² and μ²μ²: use E[x²y²] − E[xy]².": (
            lambda d, mu, sigma: d * (sigma**4 + mu**4)
        ),
        "That is the mean: return the variance second.": lambda d, mu, sigma: d * mu**2,
        "σ⁴ is missing: without any mean, products still vary.": (
            lambda d, mu, sigma: 2 * d * sigma**2 * mu**2
        ),
        "Products are no sums: Var[xy] is not Var[x] + Var[y].": lambda d, mu, sigma: 2 * d * sigma**2,
        "Check the units: in each term of Var[xy] four factors μ or σ are multiplied; 2σ²μ has three.": (
            lambda d, mu, sigma: d * (sigma**4 + 2 * sigma**2 * mu)
        ),
        "The 2 belongs to the part with μ alone.": (
            lambda d, mu, sigma: 2 * d * (sigma**4 + sigma**2 * mu**2)
        ),
        "The part with μ has a factor σ², too: one factor varies, the other is μ.": (
            lambda d, mu, sigma: d * (sigma**4 + 2 * mu**2)
        ),
        "Independent products add their variances: d times, not d² times; and the mean's part is missing.": (
            lambda d, mu, sigma: d**2 * sigma**4
        ),
        "That is E[(xy)²] summed up; the square of the mean must be taken off.": (
            lambda d, mu, sigma: d * (sigma**2 + mu**2) ** 2
        ),
        "Independent products add their variances: the factor is d, not d².": (
            lambda d, mu, sigma: d * _variance(d, mu, sigma)
        ),
        "That is the standard deviation, not the variance.": (
            lambda d, mu, sigma: _variance(d, mu, sigma) ** 0.5
        ),
    },
)
check_part(
    why_scaled,
    THEORY,
    2,
    "the scale",
    points=1,
    mistakes={
        "A factor s multiplies the variance by s², so s is 1/√Var, not 1/Var.": (
            lambda d, mu, sigma: 1 / _variance(d, mu, sigma)
        ),
        "1/√d is right for μ = 0, σ = 1 only.": lambda d, mu, sigma: d**-0.5,
        "That is √Var; s must undo it: 1/√Var.": lambda d, mu, sigma: _variance(d, mu, sigma) ** 0.5,
        "That is the scale for one product; there are d.": lambda d, mu, sigma: statistics(1, mu, sigma)[2],
        "The mean's part is missing in the variance.": lambda d, mu, sigma: (d * sigma**4) ** -0.5,
        "The sign is reversed: s is positive.": lambda d, mu, sigma: -statistics(d, mu, sigma)[2],
    },
)
why_scaled.check_cases("sampled_statistics", "mean and variance of samples", points=2)
