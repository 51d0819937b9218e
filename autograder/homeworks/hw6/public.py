"""hw6 in public: observing what a computation costs, and what can be said of an answer without knowing the right one.

The notebook's visible checks call these on public inputs, the grader on hidden ones. Costs are observed while
torch
runs the student's code (operations, sizes, memory), never read off the source; no solution stands here.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from autograder.kit import Trial, decode, encode, probe, show_figure, visible_check

MOST_GROWTH = 2.6  # of the work when the length doubles: linear gives 2, quadratic tends to 4
UNBOUNDED = 100.0  # 6.3: a weight of this size counts as out of bounds
SQUARE_SUM = 1e-12  # 6.3: a sum of squares below this counts as zero; rounding of entries up to 1 gives less
SIZES = ("N", "D", "M", "C")  # 6.5: the order of the exponents
GAUSSIAN_COUNTS = (
    16,
    32,
    64,
    128,
    256,
    512,
    1024,
    2048,
    4096,
)  # 6.6: numbers of random features in the figure


# Observing costs --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Observation:
    """What torch did while a function ran.

    Attributes:
        calls: tensor operations, views left out.
        work: numbers touched by them; a matrix product (a, b) by (b, c) counts a·b·c.
        products: the part of the work that is multiplications inside matrix products.
        largest: numbers in the largest new tensor.
        peak: bytes of the new tensors that were alive at the same time, at most.
    """

    calls: int
    work: int
    products: int
    largest: int
    peak: int


def observe(function: Callable[[], Any]) -> tuple[Any, Observation]:
    """Runs ``function()`` and observes every tensor operation that torch dispatches meanwhile.

    Returns:
        What the function returned, and the :class:`Observation`.
    """
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Observer(TorchDispatchMode):
        calls = work = products = largest = peak = live = 0

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            given = [item for item in tree_leaves((args, kwargs or {})) if isinstance(item, torch.Tensor)]
            known = {item.untyped_storage().data_ptr() for item in given}
            result = operation(*args, **(kwargs or {}))
            made = [item for item in tree_leaves(result) if isinstance(item, torch.Tensor)]
            new = [item for item in made if item.untyped_storage().data_ptr() not in known]
            if operation.is_view or not (new or operation._schema.is_mutable):
                return result
            multiplied = _multiplications(
                operation.__name__.split(".")[0], [tuple(item.shape) for item in given]
            )
            self.calls += 1
            self.products += multiplied
            self.work += multiplied or max((item.numel() for item in [*given, *made]), default=0)
            for item in new:
                self.largest = max(self.largest, item.numel())
                storage = item.untyped_storage()
                self.live += storage.nbytes()
                weakref.finalize(storage, self.free, storage.nbytes())
            self.peak = max(self.peak, self.live)
            return result

        def free(self, size: int) -> None:
            self.live -= size

    with Observer() as seen:
        result = function()
    return result, Observation(seen.calls, seen.work, seen.products, seen.largest, seen.peak)


def _multiplications(name: str, shapes: Sequence[tuple[int, ...]]) -> int:
    """Multiplications of a matrix product from the shapes of its operands; 0 for any other operation."""
    left, right = shapes[-2:] if len(shapes) >= 2 else ((), ())
    if name in ("mm", "addmm"):
        return left[0] * left[1] * right[1]
    if name in ("bmm", "baddbmm"):
        return left[0] * left[1] * left[2] * right[2]
    if name in ("mv", "addmv"):
        return left[0] * left[1]
    return left[0] if name == "dot" else 0


@probe("observe")
def observe_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls the student's function on ``args``; then observes it on random Q, K, V of each of the ``lengths``.

    Returns:
        ``result`` and ``changed_inputs`` as the ``call`` probe, and ``grown``: for each length the length, D,
            M, calls,
        work and largest tensor.
    """
    import torch

    inputs = decode(case["args"])
    before = [item.clone() for item in inputs]
    result = function(*inputs)
    changed = any(not torch.equal(a, b) for a, b in zip(inputs, before, strict=True))
    grown = []
    for length in decode({"fields": case["kwargs"]}).get("lengths", []):
        D, M = inputs[0].shape[1], inputs[2].shape[1]
        tensors = [0.1 + torch.rand(length, size, dtype=torch.float64) for size in (D, D, M)]
        _, seen = observe(partial(function, *tensors))
        grown.append([length, D, M, seen.calls, seen.work, seen.largest])
    return {"fields": {"result": encode(result), "changed_inputs": changed, "grown": grown}}


def size_problem(trial: Trial) -> str | None:
    """Whether no tensor of T×T numbers was made at any observed length; else words."""
    for length, D, M, calls, _, largest in trial.result["grown"]:
        if not calls:
            return (
                "No torch operation was seen. Use torch on the given tensors, without .numpy() and without"
                " Python lists."
            )
        if largest >= length**2:
            told = (
                f"With T = {length}, D = {D}, M = {M} the largest intermediate tensor has {largest:,} numbers"
            )
            what = "a T×T tensor" if largest == length**2 else "more than a T×T tensor"
            return (
                f"{told}: that is {what}. Which product can be formed first, so that T disappears from the"
                " shape?"
            )
    return None


def growth_problem(trial: Trial) -> str | None:
    """Whether the work grows like T over the observed lengths, each twice the one before; else words."""
    grown = trial.result["grown"]
    for (length, D, M, _, work, _), (twice, _, _, calls, more, _) in itertools.pairwise(grown):
        if work < length * D * M:
            return (
                f"With T = {length} only {work:,} elementary operations were seen; the sums need at least"
                f" T·D·M = {length * D * M:,}. Use torch operations only."
            )
        if more > MOST_GROWTH * work:
            return (
                f"From T = {length} to {twice} the work grows from {work:,} to {more:,} elementary"
                f" operations, {more / work:.1f} times ({calls:,} calls): like T², not like T. Does every"
                " query still meet every key?"
            )
    return None


def _cost_lines(name: str, answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for trial in answers.get(name, []):
        if trial.status == "ok" and trial.result["grown"]:
            large, steep = size_problem(trial), growth_problem(trial)
            (_, _, _, _, work, _), (twice, _, _, _, more, largest) = trial.result["grown"][-2:]
            lines.append(
                (
                    large is None,
                    large
                    or f"No T×T tensor: the largest at T = {twice} has {largest:,} numbers, T² is {twice**2:,}.",
                )
            )
            lines.append(
                (steep is None, steep or f"Twice the length costs {more / work:.2f} times the work.")
            )
    return lines


@visible_check("6.2a")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    return _cost_lines("linear_attention", answers)


@visible_check("6.2b")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    return _cost_lines("causal_linear_attention", answers)


# 6.3 --------------------------------------------------------------------------------------------------------


def dot_problem(query: np.ndarray, keys: np.ndarray) -> str | None:
    """Whether q·k gives a zero sum or a weight of at least ``UNBOUNDED``; else words. ``query`` (d,), ``keys`` (n, d)."""
    if problem := _entries_problem("dot", query, keys):
        return problem
    similar = keys.astype(float) @ query.astype(float)
    if not similar.any():
        return (
            "Every q·k is 0 there. That breaks q·k too, but find one where the similarities are not all 0 and"
            " cancel or nearly cancel."
        )
    if similar.min() >= 0 or similar.max() <= 0:
        return (
            f"The similarities {_list(similar)} have one sign, so every weight lies between 0 and 1. When"
            " does a sum of numbers become small?"
        )
    largest = np.inf if similar.sum() == 0 else np.abs(similar / similar.sum()).max()
    if largest >= UNBOUNDED:
        return None
    return (
        f"The similarities {_list(similar)} give weights of size {largest:.3g} at most; asked is"
        f" {UNBOUNDED:.0f} or more, or a sum of exactly 0."
    )


def square_problem(query: np.ndarray, keys: np.ndarray) -> str | None:
    """Whether the sum of (q·k)² is zero though no vector is; else words. ``query`` (d,), ``keys`` (n, d)."""
    if problem := _entries_problem("square", query, keys):
        return problem
    if min(np.linalg.norm(query), np.linalg.norm(keys, axis=1).min()) < 0.1:
        return "A zero vector is too cheap: the query and every key must have a norm of at least 0.1."
    similar = np.square(keys.astype(float) @ query.astype(float))
    if similar.sum() <= SQUARE_SUM:
        return None
    return (
        f"The similarities {_list(similar)} have the sum {similar.sum():.3g}, not 0. Squares cannot cancel:"
        " what must each of them be?"
    )


def _entries_problem(name: str, query: np.ndarray, keys: np.ndarray) -> str | None:
    if len(keys) < 2:
        return f"{name}_keys holds one key; a single key always gets the weight 1. Use at least two."
    if max(np.abs(query).max(), np.abs(keys).max()) > 1:
        return f"Every entry of {name}_query and {name}_keys must lie between -1 and 1."
    return None


def _list(numbers: np.ndarray) -> str:
    return "[" + ", ".join(f"{number:.3g}" for number in numbers[:8]) + (", …]" if len(numbers) > 8 else "]")


@visible_check("6.3")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    dot = dot_problem(answers["dot_query"], answers["dot_keys"])
    square = square_problem(answers["square_query"], answers["square_keys"])
    return [
        (dot is None, dot or "q·k leaves the bounds on your example."),
        (square is None, square or "(q·k)² sums to 0 on your example."),
    ]


# 6.4 --------------------------------------------------------------------------------------------------------


def features_problem(name: str, trial: Trial) -> str | None:
    """Whether the features are a numeric array with one row for each row of the input; else words."""
    found = trial.output
    rows = len(trial.args[0])
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "iuf":
        return (
            f"`{name}` should return a numeric array (n, C), but on {trial.note} it returned {_what(found)}."
        )
    if len(found) != rows:
        return (
            f"`{name}` has shape {found.shape} on {trial.note}; expected {rows} rows, one for each row of X."
        )
    return None if np.isfinite(found).all() else f"`{name}` has numbers that are not finite on {trial.note}."


def _what(value: Any) -> str:
    return (
        f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else f"a {type(value).__name__}"
    )


def gram_problem(left: Trial, right: Trial, kernel: np.ndarray) -> str | None:
    """Whether φ(x)·φ(y) equals the kernel (n, m) for the rows of two separate calls; else words."""
    if left.output.shape[1] != right.output.shape[1]:
        return (
            f"The number of features differs between two calls with the same D: {left.output.shape[1]} and"
            f" {right.output.shape[1]}."
        )
    found = left.output.astype(float) @ right.output.astype(float).T
    if np.allclose(found, kernel, rtol=1e-6, atol=1e-9):
        return None
    i, j = np.unravel_index(np.abs(found - kernel).argmax(), kernel.shape)
    told = (
        f"For x = {_list(left.args[0][i])} and y = {_list(right.args[0][j])} the product φ(x)·φ(y) is"
        f" {found[i, j]:.6g}"
    )
    return f"{told}, expected {kernel[i, j]:.6g}."


@visible_check("6.4")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    trials = [trial for trial in answers.get("polynomial_features", []) if trial.status == "ok"]
    lines: list[tuple[bool | None, str]] = []
    for left, right in zip(trials[::2], trials[1::2], strict=False):
        problem = features_problem("polynomial_features", left) or features_problem(
            "polynomial_features", right
        )
        problem = problem or gram_problem(left, right, (left.args[0] @ right.args[0].T + 1) ** 2)
        lines.append(
            (
                problem is None,
                problem or f"φ(x)·φ(y) = (x·y + 1)² on {left.note}, with {left.output.shape[1]} features.",
            )
        )
        if problem:
            break
    return lines


# 6.5 --------------------------------------------------------------------------------------------------------


def monomial(row: Sequence[int]) -> str:
    """A row of exponents as people write it: ``N²·D``."""
    powers = {0: "", 1: "{}", 2: "{}²", 3: "{}³"}
    parts = [
        powers.get(int(power), f"{{}}^{int(power)}").format(size)
        for size, power in zip(SIZES, row, strict=True)
        if power
    ]
    return "·".join(parts) or "1"


def exponents_problem(name: str, rows: np.ndarray) -> str | None:
    """Whether rows are exponents: whole numbers from 0 to 9; else words."""
    if (rows != np.round(rows)).any() or rows.min() < 0 or rows.max() > 9:
        return f"{name}: exponents are whole numbers from 0 to 9, one row [N, D, M, C] for each term."
    return None


@visible_check("6.5a")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for name in ("softmax_time", "softmax_memory", "kernel_time", "kernel_memory"):
        problem = exponents_problem(name, answers[name])
        lines.append(
            (
                None if problem is None else False,
                problem or f"`{name}` reads O({' + '.join(map(monomial, answers[name]))}).",
            )
        )
    return lines


# 6.6 --------------------------------------------------------------------------------------------------------


@probe("frequencies")
def frequencies_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``function(rng, count, D)`` with a generator of the case's seed."""
    seed, count, size = decode(case["args"])
    return {"fields": {"result": encode(function(np.random.default_rng(seed), count, size))}}


@probe("estimate")
def estimate_probe(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls ``function(Q, K, count, rng)`` with a generator of the case's seed."""
    Q, K, count, seed = decode(case["args"])
    return {"fields": {"result": encode(function(Q, K, count, np.random.default_rng(seed)))}}


def example_vectors() -> tuple[np.ndarray, np.ndarray]:
    """The queries and keys (20, 4) of the figure in 6.6: unit normal, so that distances are of the kernel's size."""
    rng = np.random.default_rng(66)
    return rng.normal(size=(20, 4)), rng.normal(size=(20, 4))


@visible_check("6.6a")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    trials = [trial for trial in answers.get("random_features", []) if trial.status == "ok"]
    for left, right in zip(trials[::2], trials[1::2], strict=False):
        problem = features_problem("random_features", left) or features_problem("random_features", right)
        if problem is None:
            angles = (left.args[0][:, None] - right.args[0][None]) @ left.args[1].T
            problem = gram_problem(left, right, np.cos(angles).mean(-1))
        lines.append((problem is None, problem or f"φ(q)·φ(k) is the mean of cos(w·(q - k)) on {left.note}."))
    return lines


@visible_check("6.6b")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for trial in answers.get("draw_frequencies", []):
        if trial.status == "ok" and isinstance(trial.output, np.ndarray) and trial.output.size:
            W = trial.output
            lines.append(
                (
                    None,
                    (
                        f"{trial.note}: your shape is {W.shape}, the mean {W.mean():+.3f}, the variance"
                        f" {W.var():.3f}."
                    ),
                )
            )
    for trial in answers.get("estimate_similarity", []):
        exact = np.exp(trial.args[0] @ trial.args[1].T / np.sqrt(trial.args[0].shape[1]))
        if (
            trial.status == "ok"
            and isinstance(trial.output, np.ndarray)
            and trial.output.shape == exact.shape
        ):
            error = np.abs(trial.output / exact - 1).mean()
            count = trial.kwargs.get("count", trial.args[2] if len(trial.args) > 2 else 0)
            far = error > 0.2 and count >= 10_000  # a right one is off by a few percent
            more = (
                " So many frequencies should do much better: look at their scale, at f and at the features."
                if far
                else ""
            )
            lines.append(
                (
                    False if far else None,
                    (
                        f"On {trial.note} the estimate is off by {error:.1%} of the exact similarity on"
                        f" average.{more}"
                    ),
                )
            )
    return lines


# 6.7 --------------------------------------------------------------------------------------------------------


def shrinkage(values: np.ndarray, strength: float) -> np.ndarray:
    """The factor that the best linear denoiser leaves of each singular value, found by least squares.

    For one direction the loss is (s - w·s)² + λ·w²: an overdetermined system for w with the rows s·w = s and
    √λ·w = 0.
    """
    systems = (
        (np.array([[value], [np.sqrt(strength)]]), np.array([value, 0.0]))
        for value in np.asarray(values, float)
    )
    return np.array([np.linalg.lstsq(left, right, rcond=None)[0][0] for left, right in systems])


def interval_problem(case: Sequence[Any], found: Any) -> str | None:
    """For (keep, drop, at_least, at_most): whether ``found`` (low, high) is the whole interval of λ; else words.

    The whole interval: both conditions hold at its ends, and one of them fails outside.
    """
    keep, drop, at_least, at_most = case
    linear = (
        max(drop) * (1 - at_most) / at_most,
        min(keep) * (1 - at_least) / at_least,
    )  # the ends if factors were s/(s + λ)
    guess = " That is what factors s/(s + λ) would give; minimise (s - ws)² + λw² over w once more."
    if found is None:
        return (
            "you say that no λ satisfies both conditions, but one"
            f" does.{guess if linear[0] > linear[1] - 1e-9 else ''}"
        )
    if isinstance(found, list):
        found = np.array(
            [np.nan if not isinstance(item, int | float) else item for item in map(_number, found)]
        )
    if not isinstance(found, np.ndarray) or found.shape != (2,) or not np.isfinite(found).all():
        return "expected two numbers (low, high), or None if there is no such λ."
    low, high = map(float, found)
    if np.allclose(sorted(found), sorted(linear), rtol=1e-6):
        return f"you gave the interval from {low:.5g} to {high:.5g}.{guess}"
    if low < 0:
        return f"your low end {low:.5g} is negative; λ is a penalty, so at least 0."
    if low > high:
        return (
            f"you gave the interval from {low:.5g} to {high:.5g}, whose ends are in the wrong order; if no λ"
            " fits, the answer is None."
        )
    for strength, end in ((low, "low"), (high, "high")):
        kept, dropped = shrinkage(keep, strength), shrinkage(drop, strength)
        if kept.min() < at_least - 1e-6:
            worst = keep[kept.argmin()]
            return (
                f"at your {end} end λ = {strength:.5g} the kept value {worst:.4g} shrinks to the factor"
                f" {kept.min():.4f}, below {at_least:.4g}."
            )
        if dropped.max() > at_most + 1e-6:
            worst = drop[dropped.argmax()]
            return (
                f"at your {end} end λ = {strength:.5g} the unwanted value {worst:.4g} has the factor"
                f" {dropped.max():.4f}, above {at_most:.4g}."
            )
    if shrinkage(keep, 1.001 * high).min() >= at_least:
        return (
            f"larger λ than your high end {high:.5g} satisfy both conditions too; the interval should be as"
            " large as possible."
        )
    if low and shrinkage(drop, 0.999 * low).max() <= at_most:
        return (
            f"smaller λ than your low end {low:.5g} satisfy both conditions too; the interval should be as"
            " large as possible."
        )
    return None


def _number(item: Any) -> Any:
    return item.item() if isinstance(item, np.ndarray) and item.size == 1 else item


@visible_check("6.7a")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    (first, second), strength = answers["candidate_losses"].astype(float), float(answers["equal_lambda"])
    losses = [errors + strength * penalty for errors, penalty in (first, second)]
    told = (
        f"By your table the losses at λ = {strength:.5g} are {losses[0]:.5g} for the identity and"
        f" {losses[1]:.5g} for the projection"
    )
    equal = bool(np.isclose(losses[0], losses[1], rtol=1e-3))
    return [
        (
            None if equal else False,
            (
                f"{told}: equal. The grader computes the table itself."
                if equal
                else f"{told}; they should be equal."
            ),
        )
    ]


@visible_check("6.7c")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for trial in answers.get("lambda_interval", []):
        if trial.status == "ok":
            rightly_none = trial.output is None and trial.group == "impossible"
            problem = None if rightly_none else interval_problem(trial.args, trial.output)
            lines.append(
                (
                    problem is None,
                    (
                        f"On {trial.note}: {problem}"
                        if problem
                        else f"`lambda_interval` is right on {trial.note}."
                    ),
                )
            )
    return lines


# 6.8 --------------------------------------------------------------------------------------------------------


def fitted_slope(x: Any, y: Any) -> float:
    """The slope of log y against log x by least squares: the exponent p where y grows like x to the power of p."""
    return float(np.polyfit(np.log(np.asarray(x, float)), np.log(np.asarray(y, float)), 1)[0])


def show_power_laws(
    panels: Mapping[str, Mapping[str, tuple[Any, Any]]],
    xlabel: str,
    ylabels: Sequence[str],
    last: int = 0,
    dots: Sequence[tuple[float, float]] = (),
) -> None:
    """Draws curves on logarithmic axes, one panel beside the other, each curve's slope in the legend.

    Args:
        panels: panel title → curve label → (x, y).
        xlabel: of all panels.
        ylabels: of each panel.
        last: fit the slope to so many points at the end only; 0 fits all.
        dots: points to mark in every panel.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(panels), figsize=(5.2 * len(panels) + 0.8, 3.7), squeeze=False, layout="constrained"
    )
    styles = (("#D55E00", "o-"), ("#0072B2", "s--"), ("#000000", "^:"), ("#009E73", "v-."))
    for axis, (title, curves), ylabel in zip(axes[0], panels.items(), ylabels, strict=True):
        for (colour, style), (label, (x, y)) in zip(styles, curves.items(), strict=False):
            axis.loglog(
                x,
                y,
                style,
                color=colour,
                ms=5,
                label=f"{label}: slope {fitted_slope(x[-last:], y[-last:]):.2f}",
            )
        for point in dots:
            axis.plot(*point, "o", ms=13, mfc="none", mec="black")
        ticks = sorted({int(place) for x, _ in curves.values() for place in x})
        axis.set_xticks(
            ticks[:: 1 + len(ticks) // 6], [f"{place:,}" for place in ticks[:: 1 + len(ticks) // 6]]
        )
        axis.set_xticks([], minor=True)
        axis.set(title=title, xlabel=xlabel, ylabel=ylabel)
        axis.legend(fontsize=8)
    show_figure(figure)


@visible_check("6.8")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for kind, unit in (("memory", "bytes"), ("time", "seconds")):
        softmax, linear = answers[f"{kind}_slopes"]
        lines.append(
            (None, f"By your slopes {kind} grows like N^{softmax:.2f} (softmax) and N^{linear:.2f} (linear).")
        )
        curves = [answers[f"{name}_{unit}"].astype(float) for name in ("softmax", "linear")]
        if min(curve.min() for curve in curves) <= 0:
            lines.append((False, f"The recorded {unit} must be positive."))
        elif kind == "time" and not (1.4 < softmax < 2.8 and 0.4 < linear < 1.6):
            told = (
                "Such slopes do not come from the algorithms: the machine was busy with something else. Run"
                " the measuring cell again."
            )
            lines.append((False, told))
        elif (
            kind == "time" and (lengthened := [curve[-1] / curve[-2] for curve in curves])[0] < lengthened[1]
        ):
            lines.append(
                (
                    None,
                    (
                        "Doubling the longest length cost linear attention more than softmax: was the machine"
                        " busy? Measure again."
                    ),
                )
            )
    return lines
