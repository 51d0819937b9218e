"""6.8: softmax against linear attention, as measured on the student's machine."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.declare import Array, Choice, Written, Wrong, curve
from autograder.homeworks.hw6 import public
from autograder.homeworks.hw6.homework import hw

MEMORY_LENGTHS = (256, 512, 1024, 2048)
TIME_LENGTHS = (32, 64, 128, 256, 512, 1024, 2048, 4096, 8192)
LONGEST = 4  # of them count for the slopes: at the short ones fixed costs rule
LONG = 65_536
TWO_DIGITS = 0.02  # room for a rounded answer; GiB for GB differ by 7%


measured = hw.question(
    "6.8",
    "Softmax against linear attention, measured",
    minutes=22,
    difficulty="medium",
    asks={
        "peak memory and its slopes": "peak memory and its slopes",
        "the memory that softmax would need": "what softmax would need at N = 65,536",
        "slopes of measured times": "slopes of the measured times",
    },
    topic="measured cost",
    # times are measured on the student's machine; what is judged of them is that slopes fit them
    claimed=True,
    entries=[
        Array("softmax_bytes", (len(MEMORY_LENGTHS),)),
        Array("linear_bytes", (len(MEMORY_LENGTHS),)),
        Array("memory_slopes", (2,)),
        Array("predicted_gigabytes"),
        Array("softmax_seconds", (len(TIME_LENGTHS),)),
        Array("linear_seconds", (len(TIME_LENGTHS),)),
        Array("time_slopes", (2,)),
        Choice(
            "short_sequences",
            options={
                "A": "for short sequences linear attention does fewer multiplications for each token",
                "B": ("starting an operation has a fixed cost, which outweighs little arithmetic"),
                "C": "the largest tensor no longer fits into memory",
                "D": "linear attention's work grows more slowly than N, like √N",
            },
            correct="B",
            why={
                "A": "the multiplications for each token are the same at every length; 6.5b counts them.",
                "C": "its largest tensor is small at every length; look at the memory panel.",
                "D": (
                    "6.2a showed that the work doubles when the length doubles; what is measured here is"
                    " time."
                ),
            },
            points=1,
        ),
    ],
    written=Written(
        points=4,
        words=(60, 160),
        rubric={
            (
                "Reads both slopes of time and memory from the figure with their numbers, and"
                " compares them with 2 and 1"
            ): 2,
            (
                "Explains one deviation from 2 or 1 (fixed costs, caches, softmax itself), or why"
                " memory fits better than time"
            ): 1,
            "Says from the figure when linear attention is worth it and what one gives up for it": 1,
        },
        examples={
            "full": (
                "Peak memory follows theory: slope 2.00 for softmax and 1.00 for linear, since tensors have"
                " exact sizes. Times are steeper for softmax, 2.1 against 0.9; below N = 256 the linear curve"
                " is flat, because starting an operation costs more than its arithmetic, and softmax gets"
                " slower than its slope when the N×N matrix leaves the cache. From a few thousand tokens on"
                " linear attention is tens of times faster, and at 65,536 softmax would need 34 GB. The price"
                " is the missing exponential: weights are less sharp and all the past shares one D×M state."
            ),
            "half": (
                "Softmax has a slope of about 2 and linear about 1, in time and in memory, so linear is"
                " better for long sequences."
            ),
            "none": "The orange line is higher than the blue one, so softmax attention is worse.",
        },
    ),
)


@measured.check(points=2, needs=["softmax_bytes", "linear_bytes", "memory_slopes"])
def peak_memory_and_its_slopes(
    softmax_bytes: np.ndarray, linear_bytes: np.ndarray, memory_slopes: np.ndarray
) -> Wrong | None:
    """Holds the recorded slopes against the recorded bytes."""
    softmax, linear, slopes = (found.astype(float) for found in (softmax_bytes, linear_bytes, memory_slopes))
    if min(softmax.min(), linear.min()) <= 0:
        return Wrong(
            "Bytes must be positive. Did the measuring cell run with your `linear_attention` of 6.2a?"
        )
    both = {"softmax attention": softmax, "linear attention": linear}
    shown = curve(
        "The peak memory that you recorded", both, x="N", y="bytes", at=list(MEMORY_LENGTHS), log=True
    )
    if softmax[-1] < 4 * MEMORY_LENGTHS[-1] ** 2:
        return Wrong(
            f"`softmax_bytes` ends with {softmax[-1]:,.0f}; the weights of {MEMORY_LENGTHS[-1]} tokens alone"
            " take 4·N² bytes. Are the two arrays swapped, or given in another unit?",
            evidence=shown,
        )
    fitted = [public.fitted_slope(MEMORY_LENGTHS, size) for size in (softmax, linear)]
    return _slopes_problem("memory_slopes", slopes, fitted, shown)


def _slopes_problem(
    name: str, slopes: np.ndarray, fitted: list[float], shown: dict[str, Any]
) -> Wrong | None:
    yours, right = (f"({pair[0]:.3f}, {pair[1]:.3f})" for pair in (slopes, fitted))
    told = f"`{name}` is {yours}, but what you recorded has the slopes {right} of log against log."
    if np.allclose(slopes, fitted, atol=0.005):
        return None
    why = ""
    if np.allclose(slopes[::-1], fitted, atol=0.005):
        why = " Softmax comes first."
    elif np.allclose(slopes * fitted, 1, atol=0.01) and fitted[0] > 1.2:
        why = " Lengths and measurements have changed places: the first argument is x."
    elif np.abs(slopes).max() < 0.05:
        why = " Take the logarithm of the lengths too."
    return Wrong(told + why, evidence=shown)


@measured.check(
    "what softmax would need at N = 65,536", points=2, needs=["softmax_bytes", "predicted_gigabytes"]
)
def what_softmax_would_need(softmax_bytes: np.ndarray, predicted_gigabytes: np.ndarray) -> Wrong | None:
    """Continues the recorded bytes to the long sequence: from the last of them or along the fitted line."""
    found = float(predicted_gigabytes)
    sizes, last = softmax_bytes.astype(float), float(softmax_bytes[-1])
    if sizes.min() <= 0:
        return Wrong("Bytes must be positive, so nothing can be continued.")
    longer = LONG / MEMORY_LENGTHS[-1]
    slope, offset = np.polyfit(np.log(MEMORY_LENGTHS), np.log(sizes), 1)
    ways = np.array([last * longer**2, last * longer**slope, np.exp(offset) * LONG**slope]) / 1e9
    least, most = (1 - TWO_DIGITS) * ways.min(), (1 + TWO_DIGITS) * ways.max()
    if least <= found <= most:
        return None
    told = f"`predicted_gigabytes` is {found:.4g}."
    if least <= found * 2**30 / 1e9 <= most:
        return Wrong(f"{told} Those are gibibytes (2³⁰ bytes); the question asks for units of 10⁹ bytes.")
    if abs(found / (last * longer / 1e9) - 1) < 0.1:
        return Wrong(f"{told} You let memory grow in proportion to N; the slope in the figure is 2.")
    if any(0.9 * least <= found * unit <= most for unit in (1e-9, 1e-6, 1e-3)):
        return Wrong(f"{told} The number is right but for the unit: give gigabytes (10⁹ bytes).")
    return Wrong(
        f"{told} Continue softmax's line from {MEMORY_LENGTHS[-1]} to {LONG:,}, 32 times as far: with slope"
        " 2, how many times the bytes?"
    )


@measured.check(points=2, needs=["softmax_seconds", "linear_seconds", "time_slopes"])
def slopes_of_the_measured_times(
    softmax_seconds: np.ndarray, linear_seconds: np.ndarray, time_slopes: np.ndarray
) -> Wrong | None:
    """Holds the recorded slopes against the recorded seconds."""
    softmax, linear, slopes = (
        found.astype(float) for found in (softmax_seconds, linear_seconds, time_slopes)
    )
    if min(softmax.min(), linear.min()) <= 0:
        return Wrong("Seconds must be positive.")
    both = {"softmax attention": softmax, "linear attention": linear}
    shown = curve("The times that you recorded", both, x="N", y="seconds", at=list(TIME_LENGTHS), log=True)
    fitted = [
        public.fitted_slope(TIME_LENGTHS[-LONGEST:], seconds[-LONGEST:]) for seconds in (softmax, linear)
    ]
    whole = [public.fitted_slope(TIME_LENGTHS, seconds) for seconds in (softmax, linear)]
    if fitted[0] < fitted[1] + 0.3:
        return Wrong(
            f"Your times grow like N^{fitted[0]:.2f} for softmax and N^{fitted[1]:.2f} for linear attention;"
            " the first should be clearly steeper. Were both functions measured, and the machine free of"
            " other work?",
            evidence=shown,
        )
    if np.allclose(slopes, whole, atol=0.005) and not np.allclose(slopes, fitted, atol=0.005):
        told = (
            f"`time_slopes` takes all lengths; give the slopes over the {LONGEST} longest, where fixed"
            " costs no longer rule."
        )
        return Wrong(told, evidence=shown)
    return _slopes_problem("time_slopes", slopes, fitted, shown)
