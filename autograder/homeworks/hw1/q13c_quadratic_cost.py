"""1.13c: how many scores attention needs, and how much memory."""

from __future__ import annotations

import math

import numpy as np

from autograder.declare import Array, Number, Numbers, Wrong
from autograder.homeworks.hw1.homework import choices, hw

PRICES = {
    "A": "nothing in the result; n² products stay",
    "B": "the direct link between words far apart",
    "C": "the softmax: its weights are less sharp",
    "D": "the gradient of the keys",
}
PAID = {
    "A": "only FlashAttention computes exactly the same numbers, block by block.",
    "B": "that is the price of a window: words farther apart can meet only through several layers.",
    "C": "that is the price of linear attention, which puts a product of feature maps in place of e^s.",
    "D": "all three remedies have gradients for queries, keys and values.",
}

bill = hw.question(
    "1.13c",
    "The quadratic bill",
    minutes=5,
    difficulty="medium",
    asks={
        "`full_scores` of one head, without a mask": "full attention",
        "`window_scores`, each token and those before it": "the window",
        "`score_gigabytes` of all heads, in 10⁹ bytes": "the memory",
    },
    entries=[
        Array("full_scores"),
        Array("window_scores"),
        Array("score_gigabytes"),
        *choices({"window_price": "B"}, PRICES, PAID, 0.5),
        *choices({"linear_price": "C"}, PRICES, PAID, 0.5),
        *choices({"flash_price": "A"}, PRICES, PAID, 1),
    ],
    numbers=[
        Number("tokens", 4096, range(2048, 8193, 512)),
        Number("window", 128, range(32, 257, 16)),
        Number("heads", 12, range(6, 25)),
        Number("long_tokens", 100_000, range(20_000, 200_001, 10_000)),
    ],
)


@bill.check(points=0.5, needs=["full_scores"])
def full_attention(full_scores: np.ndarray, numbers: Numbers) -> Wrong | None:
    found, n = float(full_scores), numbers["tokens"]
    if found == n * n:
        return None
    if found == n * (n + 1) / 2:
        return Wrong(
            "`full_scores` counts only earlier tokens, as under a causal mask; here each query meets every"
            " key."
        )
    if found == n * (n - 1):
        return Wrong("`full_scores` leaves out the score of each token with itself.")
    if found in (n ^ 2, n * 2):
        return Wrong(
            f"`full_scores` is {found:,.0f}. In Python n² is `n**2`; `^` is no power, and 2n no square."
        )
    return Wrong(f"`full_scores` is {found:,.0f}. Each of {n} queries has one score with each of {n} keys.")


@bill.check(points=1, needs=["window_scores"])
def the_window(window_scores: np.ndarray, numbers: Numbers) -> Wrong | None:
    found, n, w = float(window_scores), numbers["tokens"], numbers["window"]
    before = np.arange(n)  # tokens before each place
    seen, after = np.minimum(before, w).sum(), np.minimum(before[::-1], w).sum()
    counts = {
        "": seen + n,
        f"it leaves out each token itself: {w + 1} keys, not {w}.": seen,
        f"it is n·{w + 1}, but the first {w} tokens have fewer tokens before them.": n * (w + 1),
        f"it is n·{w}: each token also looks at itself, and the first tokens have fewer before them.": n * w,
        f"it counts {w} tokens in all, itself among them; the window is itself and {w} before it.": (
            np.minimum(before + 1, w).sum()
        ),
        f"token 0 has 1 score, token 1 has 2, …; yours counts the first {w} tokens one too high.": seen
        + n
        + w,
        f"token 0 has 1 score, token 1 has 2, …; yours counts the first {w} tokens one too low.": seen
        + n
        - w,
        f"it leaves out the first {w} tokens, which have fewer scores but some.": (n - w) * (w + 1),
        f"it looks to both sides; the window is itself and the {w} tokens before it.": seen + n + after,
    }
    for says, count in counts.items():
        if found == count:
            return Wrong(f"`window_scores` is {found:,.0f}: {says}") if says else None
    return Wrong(
        f"`window_scores` is {found:,.0f}. Token 0 has 1 score, token 1 has 2, … and from which token on are"
        f" there {w + 1}?"
    )


@bill.check(points=0.5, needs=["score_gigabytes"])
def the_memory(score_gigabytes: np.ndarray, numbers: Numbers) -> Wrong | None:
    found = float(score_gigabytes)
    n, heads, size = numbers["long_tokens"], numbers["heads"], 4
    right = heads * n * n * size / 1e9
    if math.isclose(found, right, rel_tol=1e-3):
        return None
    readings = {
        f"that is one head; there are {heads}.": n * n * size / 1e9,
        "those are billions of numbers; each takes 4 bytes.": heads * n * n / 1e9,
        "those are gibibytes (2³⁰ bytes); give 10⁹.": heads * n * n * size / 2**30,
        "those are bytes; divide by 10⁹.": heads * n * n * size,
        "those are megabytes; divide by 10⁹.": heads * n * n * size / 1e6,
        "that is 8 bytes a number, float64; float32 has 4.": 2 * heads * n * n * size / 1e9,
        f"each of the n queries meets n keys: n², not n = {n}.": heads * n * size / 1e9,
        "the scores count once for each head: they are not squared with it.": heads**2 * n * n * size / 1e9,
        "half of it: without a mask each query meets every key.": heads * n * n * size / 2e9,
        "those are gigabits.": heads * n * n * size * 8 / 1e9,
    }
    for says, value in readings.items():
        if math.isclose(found, value, rel_tol=1e-3):
            return Wrong(f"`score_gigabytes` is {found:g}: {says}")
    return Wrong(
        f"`score_gigabytes` is {found:g}. Multiply heads, queries, keys and bytes a number, then divide by"
        " 10⁹."
    )
