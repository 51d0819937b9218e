# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Homework 6 · Efficient attention and the theory behind it
# {{badge}}
#
# Softmax attention compares every token with every other token: twice the length means four times the cost. In this homework you find out where
# that cost comes from, remove it, and see what is lost. You derive the formulas on paper, but you write their **results** as functions,
# and hidden inputs test them.
#
# Complete the cells marked `TODO`, run the check below each, and run the record cell when you are satisfied with an answer.
# The last cell tells you what is recorded and what to hand in. The homework takes about three hours. You need numpy, torch and matplotlib.
#
# **Questions hardly build on each other**: you can skip one and come back to it. Only 6.8 uses one of your functions, the one of 6.2a; in 6.6b,
# your functions of 6.6a are useful.

# %% tags=["kit"]
from autograder.author.build import use_kit

use_kit("hw6")

# %%
import time
from functools import partial

import numpy as np
import torch
from homework_kit import (
    GAUSSIAN_COUNTS,
    FAINT,
    MEANS,
    check,
    draw_panels,
    example_vectors,
    finish,
    fitted_slope,
    frames_slider,
    label_ends,
    observe,
    plane,
    record,
    show_figure,
    show_lines,
    show_power_laws,
    when_answered,
)

# %% [markdown]
# ## The baseline
#
# There are $N$ (or $T$) tokens. Queries and keys have $D$ numbers, values have $M$. Each function below gets tensors `Q` and `K` (N, D) and
# `V` (N, M), with one row for each token. `observe(partial(function, Q, K, V))` runs a function and reports what torch did while it ran: the number of
# elementary operations (`work`), the size of the largest new tensor in numbers (`largest`), and the largest number of bytes in memory at one time
# (`peak`). Your functions must not change the tensors and arrays that they are given: write `K = K / 2`, not `K /= 2`.


# %%
def softmax_attention(Q, K, V):
    """Softmax attention: Q and K (N, D), V (N, M) -> (N, M)."""
    return torch.softmax(Q @ K.T / Q.shape[1] ** 0.5, dim=1) @ V


print("   N        work   largest")
for N in (64, 128, 256):
    tensors = torch.randn(3, N, 16)  # Q, K, V
    _, seen = observe(partial(softmax_attention, *tensors))
    print(f"{N:4}  {seen.work:10,}  {seen.largest:8,}")

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# Each doubling of $N$ multiplies the work and the largest tensor by four: every query meets every key.
#
# </details>

# %% [markdown]
# ## 6.1 A recurrence with one number of memory
# {{header 6.1}}
#
# For each query, attention looks at every token again. The other extreme is a recurrent network that remembers only **one number** $h$, however long
# the sequence is. It starts with $h_0 = 0$:
#
# $$ h_t = x_t - h_{t-1}, \qquad \text{output} = \sigma(1000\, h_T), \qquad \sigma(z) = \frac{1}{1 + e^{-z}} $$
#
# 1. Implement it.
# 2. Unroll it on paper: $h_T = \sum_t c_t x_t$. Write `unrolled_weights(T)`, which returns the weights $c_1, \ldots, c_T$ for **any** T.
# 3. Let T be even. What does the output decide (1 means yes, 0 means no)? Set `alternating_decides` to a letter:
#
# {{options alternating_decides}}
#
# <details><summary>Hint</summary>Write out h₁, h₂, h₃ in terms of x₁, x₂, x₃ and look at the sign of each.</details>


# %%
def alternating_rnn(x):
    """Runs the recurrence.

    x: (T,) numbers.
    Returns the states h_1 ... h_T as an array (T,), and the output, one number between 0 and 1.
    (np.exp may warn of an overflow far from 0; the output is then 0 or 1 all the same.)

    [1.0, 3.0] -> [1.0, 2.0], 1.0
    """
    # TODO
    # BEGIN SOLUTION 6.1 rnn
    states, h = [], 0.0
    for number in x:
        h = number - h
        states.append(h)
    return np.array(states), 0.5 * (
        1 + np.tanh(500 * h)
    )  # σ(z) = (1 + tanh(z/2)) / 2 does not overflow
    # END SOLUTION


def unrolled_weights(T):
    """The weights c_1 ... c_T with h_T = c_1 x_1 + ... + c_T x_T, as an array (T,)."""
    # TODO
    # BEGIN SOLUTION 6.1 weights
    return (-1.0) ** (T - np.arange(1, T + 1))
    # END SOLUTION


# TODO: a letter
# BEGIN SOLUTION 6.1 choice
alternating_decides = "B"
# END SOLUTION

# %% tags=["check"]
check("6.1")

# %% [markdown]
# **Predict before you run the next cell** (not graded): will the state settle, grow or jump?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("6.1"):
    x_61, places_61 = np.array([1.0, 3.0, 2.0, 1.0, 2.0, 1.5]), np.arange(1, 7)
    states_61, output_61 = alternating_rnn(x_61)
    figure_61, ((axis_61,),) = draw_panels(width=6.2, height=3)
    for start, sign in ((0, "−"), (1, "+")):  # odd places, even places
        some = slice(start, None, 2)
        axis_61.bar(places_61[some], x_61[some], 0.5, color=FAINT)
        for place, value in zip(places_61[some], x_61[some], strict=True):
            axis_61.text(place, -0.42, f"{sign} {value:g}", ha="center")
    axis_61.plot(places_61, states_61, "o-", color=MEANS["prediction"], label="state h")
    axis_61.axhline(0, color=MEANS["other"], lw=0.8)
    axis_61.set(xlabel="place t (bars: inputs)", ylabel="value", ylim=(-0.6, 3.4))
    axis_61.set(
        title=f"The last state is the even places minus the odd ones: {states_61[-1]:g}"
    )
    label_ends(axis_61)
    show_figure(figure_61)
    print("even places minus odd places:", x_61[1::2].sum() - x_61[::2].sum())
    print(f"output: {output_61:.3f}")

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# The state jumps up and down, and its last value is exactly the difference printed below the figure. For this question, one number of
# memory is enough. For which questions would it be too little? Remember this in 6.2b.
#
# </details>

# %% tags=["record"]
record("6.1")

# %% [markdown]
# ## 6.2a Linear attention
# {{header 6.2a}}
#
# Attention with any similarity is $\;y_t = \dfrac{\sum_s \mathrm{sim}(q_t, k_s)\, v_s}{\sum_s \mathrm{sim}(q_t, k_s)}$; softmax attention has $\mathrm{sim} = e^{q\cdot k/\sqrt D}$.
# Now drop the exponential: $\mathrm{sim}(q, k) = q\cdot k$. (All numbers of queries and keys are positive here, so the denominator is positive, too.)
# In matrix form, with a column of ones $\mathbf 1$ and a division row by row:
#
# $$ Y = \frac{(Q K^\top)\, V}{(Q K^\top)\, \mathbf 1} $$
#
# Matrix products are associative. Compute the same numbers in torch **without ever creating a T×T tensor**, with work proportional to T. The
# check runs your function with `observe` at two lengths T.
#
# <details><summary>Hint 1</summary>Which two of the three matrices can you multiply first? Which shape does the result have?</details>
# <details><summary>Hint 2</summary>The denominator is a matrix product, too: group it in the same way.</details>


# %%
def linear_attention(Q, K, V):
    """Attention with sim(q, k) = q·k at linear cost: positive tensors Q and K (T, D), V (T, M) -> tensor (T, M).

    The check uses float64: give new tensors dtype=Q.dtype.

    Q = K = [[1.0], [1.0]], V = [[2.0], [4.0]] -> [[3.0], [3.0]]
    """
    # TODO
    # BEGIN SOLUTION 6.2a
    return Q @ (K.T @ V) / (Q @ K.sum(dim=0))[:, None]
    # END SOLUTION


# %% tags=["check"]
check("6.2a")

# %% tags=["record"]
record("6.2a")

# %% [markdown]
# ## 6.2b Causal linear attention is a recurrence
# {{header 6.2b}}
#
# With a causal mask, place $t$ sees the places $s \le t$ only:
#
# $$ y_t = \frac{\sum_{s \le t} (q_t\cdot k_s)\, v_s}{\sum_{s \le t} q_t\cdot k_s} $$
#
# A T×T mask would bring the T×T tensor back. But the sums over $s \le t$ are **prefix sums**: each sum is the previous one plus one
# term, like the state $h$ of 6.1. Find out what has to be summed, and compute all $y_t$ without a T×T tensor, with work that grows
# like T. A loop over t is fine, and so is `torch.cumsum`.
#
# <details><summary>Hint 1</summary>Pull q_t out of both sums. What is left inside does not depend on t, except where the sum ends.</details>
# <details><summary>Hint 2</summary>In the numerator each term is an outer product of a key and a value: a D×M matrix.</details>


# %%
def causal_linear_attention(Q, K, V):
    """Causal attention with sim(q, k) = q·k at linear cost: positive tensors Q and K (T, D), V (T, M) -> tensor (T, M).

    The check uses float64: give new tensors dtype=Q.dtype.

    Q = K = [[1.0], [1.0]], V = [[2.0], [4.0]] -> [[2.0], [3.0]]
    """
    # TODO
    # BEGIN SOLUTION 6.2b
    state = torch.cumsum(
        K[:, :, None] * V[:, None, :], dim=0
    )  # (T, D, M): Σ k_s v_sᵀ up to each place
    total = torch.cumsum(K, dim=0)  # (T, D)
    return torch.einsum("td,tdm->tm", Q, state) / (Q * total).sum(dim=1, keepdim=True)
    # END SOLUTION


# %% tags=["check"]
check("6.2b")

# %% [markdown]
# **Predict before you run the next cell** (not graded): which slopes will the three lines have?

# %% tags=["skip-execution"]
# figure (skipped while grading)
lengths_62, curves_62 = [64, 128, 256, 512, 1024], {}
for function in (softmax_attention, linear_attention, causal_linear_attention):
    with when_answered("6.2a and 6.2b"):
        curves_62[function.__name__.replace("_attention", "").replace("_", " ")] = (
            lengths_62,
            [
                observe(partial(function, *torch.rand(3, T, 16)))[1].work
                for T in lengths_62
            ],
        )
with when_answered("6.2a and 6.2b"):
    show_power_laws(
        {"Linear attention saves a power of T": curves_62},
        "sequence length T (D = M = 16)",
        ["elementary operations"],
        colors={"softmax": "other", "linear": "prediction"},
    )

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# On two logarithmic axes, a power law is a straight line, and its slope is the exponent: near 2 for softmax, and 1
# for both linear forms.
#
# </details>
#
# ### In your words
# In 60 to 160 words (8 minutes): why does regrouping lower the cost, and why can softmax attention not be regrouped in the same way? What is
# the **state** of the causal form, how large is it, and what is the price of a state of fixed size?

# %% [markdown]
# **Answer 6.2b**
#
# <!-- BEGIN SOLUTION 6.2b words -->
# KᵀV is a D×M matrix. Computing it first and then multiplying by Q gives the same result as (QKᵀ)V without T×T numbers, at cost T·D·M instead
# of T²·(D + M). In softmax attention, the exponential lies between the two products, and exp(q·k) is not a product of a finite vector of q and
# one of k, so nothing can be regrouped. In the causal form, the running sums of k vᵀ (D×M) and of k (D) are the whole memory. They are updated
# like the hidden state of an RNN and are as large for the millionth token as for the first. The price is that the whole past must fit
# into them: beyond about D different keys, the keys interfere, and a single old token cannot be looked up exactly.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("6.2b")

# %% [markdown]
# ## 6.3 Which similarities keep attention finite?
# {{header 6.3}}
#
# The weights are $\mathrm{sim}(q, k_s) / \sum_l \mathrm{sim}(q, k_l)$. For which functions is this division safe for **all real** vectors? Set
# each of these names to one of the letters A, B, C:
#
# | name | sim(q, k) |
# |---|---|
# | `sim_exp` | $\exp(q\cdot k/\sqrt D)$ |
# | `sim_dot` | $q\cdot k$ |
# | `sim_square` | $(q\cdot k)^2$ |
# | `sim_polynomial` | $(q\cdot k + 1)^2$ |
# | `sim_relu` | $\mathrm{relu}(q)\cdot\mathrm{relu}(k)$ |
# | `sim_elu` | $(\mathrm{elu}(q) + 1)\cdot(\mathrm{elu}(k) + 1)$, where $\mathrm{elu}(x) + 1$ is $e^x$ for $x < 0$ and $x + 1$ otherwise |
#
# {{options sim_exp}}
#
# Here, "real" means exact arithmetic: rounding to 0 does not count.

# %%
# TODO: a letter each
# BEGIN SOLUTION 6.3 choices
sim_exp = "A"
sim_dot = "C"
sim_square = "B"
sim_polynomial = "B"
sim_relu = "B"
sim_elu = "A"
# END SOLUTION

# %% [markdown]
# Now prove two of your answers with **counterexamples** of your own. Use entries between −1 and 1, and at least two keys:
#
# 1. `dot_query`, `dot_keys`: with $\mathrm{sim} = q\cdot k$, some weight has an absolute value of at least 100, or the sum is exactly 0 although not
#    every similarity is 0.
# 2. `square_query`, `square_keys`: with $\mathrm{sim} = (q\cdot k)^2$, the sum is 0. Zero vectors do not count: the query and the keys must
#    have a norm of at least 0.1.
#
# <details><summary>Hint 1</summary>When is the sum of two numbers much smaller than each of them?</details>
# <details><summary>Hint 2</summary>When is a sum of squares 0? What does that mean for the angle between q and each key?</details>

# %%
# Shapes: queries (d,), keys (n, d); you choose d and n.
# TODO: replace the None values.
# BEGIN SOLUTION 6.3 examples
dot_query = np.array([1.0])
dot_keys = np.array([[1.0], [-0.995]])
square_query = np.array([1.0, 0.0])
square_keys = np.array([[0.0, 1.0], [0.0, -0.5]])
# END SOLUTION

# %% tags=["check"]
check("6.3")

# %% [markdown]
# **Predict before you run the next cell** (not graded): for which similarity does the weight leave the band from 0 to 1, and at which angle?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("6.3"):
    angle_63 = np.linspace(0, 360, 721)
    similar_63 = np.stack(
        [np.ones_like(angle_63), np.cos(np.radians(angle_63))]
    )  # q·k for a fixed key at 0° and a turning one
    kinds_63 = {
        "exp(q·k)": np.exp(similar_63),
        "(q·k)²": similar_63**2,
        "q·k": similar_63,
    }
    lines_63 = {}
    for name, values in kinds_63.items():
        weights_63 = values[1] / values.sum(axis=0)
        weights_63[abs(weights_63) > 4] = np.nan  # near a division by zero
        lines_63[name] = (angle_63, weights_63)
    show_lines(
        {
            "title": "Only the plain product leaves the band from 0 to 1",
            "x": "angle of the second key (degrees); the first lies on the query",
            "y": "weight of the second key",
            "lines": lines_63,
            "colors": {
                "exp(q·k)": "attention",
                "(q·k)²": "prediction",
                "q·k": "warning",
            },
            "ylim": (-1.5, 1.5),
            "band": (0, 1),
            "ticks": range(0, 361, 90),
        }
    )

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# With the exponential and the square, the weight stays in the gray band. With the plain product, it leaves
# the band when the second key points away from the query (beyond 90°). Near 180°, where the sum is almost 0, it has no bound.
#
# </details>

# %% tags=["record"]
record("6.3")

# %% [markdown]
# ## 6.4 A feature map for (q·k + 1)²
# {{header 6.4}}
#
# Any similarity of the form $\mathrm{sim}(q, k) = \varphi(q)\cdot\varphi(k)$ can use the method of 6.2: replace $Q$ by $\varphi(Q)$ and $K$ by
# $\varphi(K)$. Find $\varphi$ for $\;\mathrm{sim}(q, k) = (q\cdot k + 1)^2$, with **as few features as possible**.
#
# 1. Multiply out $(q\cdot k + 1)^2$ for $D = 2$, collect the terms, and split each into (a function of $q$) · (the same function of $k$).
# 2. Write `polynomial_features` for any $D$, and `feature_count(D)`, the number of features.
# 3. `features_for_64`: the number of features for $D = 64$, a common size of a head.
#
# The check multiplies the features of two separate calls. You may choose the order of the features.
#
# <details><summary>Hint 1</summary>(q₁k₁ + q₂k₂ + 1)² has six different terms. Some have a factor 2: where does it go when a term is split into two equal factors?</details>
# <details><summary>Hint 2</summary>np.triu_indices(D, k=1) gives all pairs i &lt; j.</details>


# %%
def polynomial_features(X):
    """Features with φ(q)·φ(k) = (q·k + 1)²: X (n, D) -> (n, C), row i depends on row i alone.

    [[0.0, 0.0]] -> a row whose squares sum to 1
    """
    # TODO
    # BEGIN SOLUTION 6.4 features
    i, j = np.triu_indices(X.shape[1], k=1)
    root = np.sqrt(2.0)
    return np.concatenate(
        [np.ones((len(X), 1)), root * X, X**2, root * X[:, i] * X[:, j]], axis=1
    )
    # END SOLUTION


def feature_count(D):
    """The number C of features for vectors of D numbers."""
    # TODO
    # BEGIN SOLUTION 6.4 count
    return (D + 1) * (D + 2) // 2
    # END SOLUTION


# TODO: a number
# BEGIN SOLUTION 6.4 value
features_for_64 = 2145
# END SOLUTION


# %% tags=["check"]
check("6.4")

# %% [markdown]
# **Predict before you run the next cell** (not graded): where will the points lie if your $\varphi$ is right?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("6.4"):
    rng_64 = np.random.default_rng(64)
    q_64, k_64 = rng_64.normal(size=(12, 3)), rng_64.normal(size=(12, 3))
    exact_64 = (q_64 @ k_64.T + 1) ** 2
    features_64 = np.asarray(polynomial_features(q_64) @ polynomial_features(k_64).T)
    show_lines(
        {
            "title": f"Features against kernel: largest difference {np.abs(exact_64 - features_64).max():.0e}",
            "x": "(q·k + 1)²",
            "y": "φ(q)·φ(k), D = 3",
            "lines": {
                "equal": ([0, exact_64.max()], [0, exact_64.max()]),
                "144 pairs": (exact_64.ravel(), features_64.ravel()),
            },
            "points": ["144 pairs"],
            "colors": {"equal": "other", "144 pairs": "prediction"},
        }
    )
    print(f"largest difference {np.abs(exact_64 - features_64).max():.2g}")

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# All points lie on the diagonal. Leave a term out of $\varphi$ and look again: the points now scatter around the diagonal.
#
# </details>

# %% tags=["record"]
record("6.4")

# %% [markdown]
# ## 6.5a What grows, and how fast
# {{header 6.5a}}
#
# Let kernelized attention use $C$ features. They are computed for one token at a time, at negligible cost, and they are **not kept**; only sums over
# tokens are kept. State time and memory in $O(\dots)$. Memory means the inputs, the output and everything else that exists at the same
# time. Softmax attention forms its weights explicitly, as `softmax_attention` does.
#
# An answer is an array with **one row `[N, D, M, C]` of exponents for each term of a sum**. For example,
# $O(N^3 + N M^2)$ is `[[3, 0, 0, 0], [1, 0, 2, 0]]`. Write a maximum as a sum: $N\max(D, M)$ has the same order as $ND + NM$. If another term
# contains a term as a factor, you may keep that term or leave it out.
#
# <details><summary>Hint 1</summary>Time: each method has two matrix products. (a, b) times (b, c) costs a·b·c.</details>
# <details><summary>Hint 2</summary>Memory: write down the shape of each tensor, inputs and output included.</details>

# %%
# TODO: replace the None values.
# BEGIN SOLUTION 6.5a
softmax_time = np.array([[2, 1, 0, 0], [2, 0, 1, 0]])
softmax_memory = np.array([[2, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0]])
kernel_time = np.array([[1, 0, 1, 1]])
kernel_memory = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]])
# END SOLUTION

# %% tags=["check"]
check("6.5a")

# %% tags=["record"]
record("6.5a")

# %% [markdown]
# ## 6.5b Counting multiplications
# {{header 6.5b}}
#
# Now count exactly. Count the **multiplications inside matrix products** (a matrix–vector product is one, too) and nothing else: no
# additions, exponentials or divisions, and no cost for the features themselves.
#
# 1. `softmax_multiplications(N, D, M)` for $\mathrm{softmax}(QK^\top)\,V$.
# 2. `kernel_multiplications(N, C, M)` for $\varphi(Q)\,(\varphi(K)^\top V)$ and the normalizer $\varphi(Q)\,z$, where $z = \sum_s \varphi(k_s)$.
# 3. `crossover_length(D, M)`: the smallest $N$ at which the kernel of 6.4, with the number of features that you found there, needs **fewer**
#    multiplications than softmax.
#
# The grader compares your counts with multiplications that it counts while torch computes.


# %%
def softmax_multiplications(N, D, M):
    """Multiplications in the matrix products of softmax attention: a whole number."""
    # TODO
    # BEGIN SOLUTION 6.5b softmax
    return N * N * D + N * N * M
    # END SOLUTION


def kernel_multiplications(N, C, M):
    """Multiplications in the matrix products of kernelized attention with C features.

    A whole number.
    """
    # TODO
    # BEGIN SOLUTION 6.5b kernel
    return N * C * M + N * C * M + N * C
    # END SOLUTION


def crossover_length(D, M):
    """The smallest N at which the kernel (q·k + 1)² needs fewer multiplications than softmax.

    A whole number.
    """
    # TODO
    # BEGIN SOLUTION 6.5b crossover
    C = (D + 1) * (D + 2) // 2
    return C * (2 * M + 1) // (D + M) + 1  # N (D + M) > C (2M + 1)
    # END SOLUTION


# %% [markdown]
# With $M \approx D$, when does the quadratic kernel pay off? Set `quadratic_wins` to a letter.
#
# {{options quadratic_wins}}

# %%
# TODO: a letter
# BEGIN SOLUTION 6.5b choice
quadratic_wins = "B"
# END SOLUTION

# %% tags=["check"]
check("6.5b")

# %% [markdown]
# **Predict before you run the next cell** (not graded): if D is eight times as large, how many times as large is the N at which the lines meet?

# %% tags=["skip-execution"]
# figure (skipped while grading)
lengths_65, curves_65, meetings_65 = [2**power for power in range(4, 15)], {}, []
with when_answered("6.4, 6.5a and 6.5b"):
    for D in (8, 64):
        features_65 = feature_count(D)
        softmax_65 = [softmax_multiplications(N, D, D) for N in lengths_65]
        kernel_65 = [kernel_multiplications(N, features_65, D) for N in lengths_65]
        curves_65[f"softmax, D = {D}"] = (lengths_65, softmax_65)
        curves_65[f"kernel, D = {D}"] = (lengths_65, kernel_65)
        meeting = crossover_length(D, D)
        meetings_65.append((meeting, softmax_multiplications(meeting, D, D)))
        print(f"D = M = {D}: they meet at N = {meeting}, or {meeting / D**2:.2f} D²")
    show_power_laws(
        {"The quadratic kernel needs less only beyond the rings": curves_65},
        "sequence length N",
        ["multiplications (M = D)"],
        dots=meetings_65,
        colors={
            label: "other" if label.startswith("softmax") else "prediction"
            for label in curves_65
        },
    )

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# The softmax lines have slope 2, the kernel lines slope 1. If D is eight times as large, the lines meet at an N that is
# about 45 times as large: it grows like $D^2/2$. "Linear" refers to N only, not to D.
#
# </details>

# %% tags=["record"]
record("6.5b")

# %% [markdown]
# ## 6.6a Softmax is a Gaussian kernel in disguise
# {{header 6.6a}}
#
# For $e^{q\cdot k/\sqrt D}$, no finite $\varphi$ exists, but a random $\varphi$ is right **on average**. First write the exponential with a Gaussian kernel:
#
# $$ e^{q\cdot k/\sqrt D} = f(q)\; e^{-\lVert q - k\rVert^2 / (2\sigma^2)}\; f(k) $$
#
# 1. `gaussian_variance(D)`: the $\sigma^2$ for which this is possible. `gaussian_factor(X)`: $f$ of each row of X.
# 2. For frequencies $w_1, \dots, w_R$ (rows of `W`), write `random_features(X, W)` such that for **any** $W$
#
# $$ \varphi(q)\cdot\varphi(k) = \frac1R \sum_{r=1}^R \cos\big(w_r\cdot(q - k)\big) $$
#
# <details><summary>Hint 1</summary>Multiply out ‖q - k‖² and compare the term in q·k.</details>
# <details><summary>Hint 2</summary>cos(a - b) = cos a cos b + sin a sin b: how many features does each w give?</details>


# %%
def gaussian_variance(D):
    """σ² of the Gaussian kernel inside softmax attention with D numbers a query."""
    # TODO
    # BEGIN SOLUTION 6.6a variance
    return np.sqrt(D)
    # END SOLUTION


def gaussian_factor(X):
    """f(x) for each row of X: (n, D) -> (n,)."""
    # TODO
    # BEGIN SOLUTION 6.6a factor
    return np.exp((X**2).sum(axis=1) / (2 * np.sqrt(X.shape[1])))
    # END SOLUTION


def random_features(X, W):
    """Fourier features: X (n, D), frequencies W (R, D) -> (n, C).

    φ(q)·φ(k) is the mean of cos(w·(q - k)).
    """
    # TODO
    # BEGIN SOLUTION 6.6a features
    angles = X @ W.T
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1) / np.sqrt(len(W))
    # END SOLUTION


# %% tags=["check"]
check("6.6a")

# %% tags=["record"]
record("6.6a")

# %% [markdown]
# ## 6.6b Random Fourier features converge
# {{header 6.6b}}
#
# For $w \sim \mathcal N(0, \sigma^{-2} I)$, the mean of $\cos(w\cdot(q - k))$ tends to $e^{-\lVert q - k\rVert^2/(2\sigma^2)}$ (Rahimi and Recht, 2007),
# with the $\sigma^2$ of 6.6a. Write
#
# 1. `draw_frequencies(rng, count, D)`: `count` frequencies, drawn with `rng.normal`;
# 2. `estimate_similarity(Q, K, count, rng)`: the estimate of $e^{q\cdot k/\sqrt D}$ for all pairs, from features of newly drawn frequencies, without
#    computing $e^{q\cdot k}$. The features are the cosine and the sine of each $w\cdot x$, as in 6.6a, or a cosine with a random phase. They are not exponentials.
#
# The grader judges both with statistics; a correct answer fails with a probability below one in a million.
#
# <details><summary>Hint 1</summary>rng.normal takes a standard deviation. A wide kernel (large σ) varies slowly: are its frequencies large or small?</details>
# <details><summary>Hint 2</summary>You have f and φ from 6.6a. If you skipped it, write the two lines you need here.</details>


# %%
def draw_frequencies(rng, count, D):
    """Frequencies of the Gaussian kernel inside softmax attention: (count, D).

    rng is np.random.default_rng(...).

    rng, 3, 2 -> an array (3, 2)
    """
    # TODO
    # BEGIN SOLUTION 6.6b draw
    return rng.normal(
        scale=D**-0.25, size=(count, D)
    )  # the standard deviation is 1/σ, and σ² = √D
    # END SOLUTION


def estimate_similarity(Q, K, count, rng):
    """Estimates exp(q·k/√D) from random features.

    Q (n, D), K (m, D), number of frequencies -> (n, m).
    """
    # TODO
    # BEGIN SOLUTION 6.6b estimate
    W = draw_frequencies(rng, count, Q.shape[1])
    at_queries, at_keys = Q @ W.T, K @ W.T
    gaussian = (
        np.cos(at_queries) @ np.cos(at_keys).T + np.sin(at_queries) @ np.sin(at_keys).T
    ) / count
    factor_q, factor_k = (
        np.exp((X**2).sum(axis=1) / (2 * np.sqrt(X.shape[1]))) for X in (Q, K)
    )  # as in 6.6a
    return factor_q[:, None] * gaussian * factor_k[None, :]
    # END SOLUTION


# %% [markdown]
# How fast does it converge? For each number of frequencies in `GAUSSIAN_COUNTS`, estimate the similarities of `queries_66` and `keys_66` **20 times** with
# newly drawn frequencies. `rff_errors` contains, for each number, the **root mean square** of (estimate − exact) over all pairs and repetitions: square
# first, then average. `rff_slope` is the slope of the log error against the log number; `fitted_slope(x, y)` computes it. Predict it before you run the cell.

# %%
queries_66, keys_66 = example_vectors()  # (20, 4) each
rng_66 = np.random.default_rng(0)
# TODO: replace the None values.
# BEGIN SOLUTION 6.6b errors
exact_66 = np.exp(queries_66 @ keys_66.T / 2)  # √D = 2
rff_errors = np.array(
    [
        np.sqrt(
            np.mean(
                [
                    np.square(
                        estimate_similarity(queries_66, keys_66, count, rng_66)
                        - exact_66
                    )
                    for _ in range(20)
                ]
            )
        )
        for count in GAUSSIAN_COUNTS
    ]
)
rff_slope = fitted_slope(GAUSSIAN_COUNTS, rff_errors)
# STUB: rff_errors = None
# STUB: rff_slope = None
# END SOLUTION

# %% tags=["check"]
check("6.6b")

# %% [markdown]
# **Predict before you run the next cell** (not graded): how many times as many features do you need for half the error?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("6.6b"):
    errors_66 = np.asarray(rff_errors, dtype=float)
    theory_66 = errors_66[0] * np.sqrt(GAUSSIAN_COUNTS[0] / np.array(GAUSSIAN_COUNTS))
    show_power_laws(
        {
            "Four times the frequencies, half the error": {
                "measured": (GAUSSIAN_COUNTS, errors_66),
                "1/√R": (GAUSSIAN_COUNTS, theory_66),
            }
        },
        "number of frequencies R",
        ["root mean square error"],
        colors={"1/√R": "other"},
    )
    rng_66, counts_66 = np.random.default_rng(66), 2 ** np.arange(12)
    apart_66, waves_66 = np.linspace(0, 4, 60), rng_66.normal(size=counts_66[-1])
    frames_66 = [
        np.stack(
            [apart_66, np.cos(np.outer(apart_66, waves_66[:R])).mean(axis=1)], axis=1
        )
        for R in counts_66
    ]
    exact_66 = np.stack([apart_66, np.exp(-(apart_66**2) / 2)], axis=1)
    frames_slider(
        plane(
            frames_66,
            "estimate",
            "distance |q − k|",
            "similarity",
            join=True,
            fixed={"exact": exact_66},
        ),
        [f"R = {R:,}" for R in counts_66],
        "With more random frequencies the estimate settles on the Gaussian",
        says=[f"largest error {np.abs(one - exact_66).max():.2f}" for one in frames_66],
    ).show()

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# The error falls along a line of slope −1/2: for half the error, you need four times as many features. With few
# features, estimates may even be negative, which 6.3 forbids. *Positive* random features (Choromanski and others, 2021) solve this problem.
#
# </details>

# %% tags=["record"]
record("6.6b")

# %% [markdown]
# ## 6.7a Denoising: two candidates
# {{header 6.7a}}
#
# A linear layer that reconstructs its input under a penalty is the simplest self-supervised learner. The columns of $X$ (d, n) are the
# data, and $W$ (d, d) is learned:
#
# $$ L(W) = \lVert X - WX\rVert^2 + \lambda \lVert W\rVert^2 , \qquad \lVert A\rVert^2 = \sum_{ij} a_{ij}^2 $$
#
# 1. Write `denoising_loss`.
# 2. For the X below, compare the **identity** and the **projection** $\mathrm{diag}(1, 0)$. `candidate_losses` has one row for each of them, in this
#    order. A row contains the reconstruction error and the number that multiplies $\lambda$.
# 3. `equal_lambda`: the $\lambda$ at which their losses are equal. `larger_lambda`: which of the two is better for larger $\lambda$?
#
# {{options larger_lambda}}

# %%
X_67 = np.array([[2.0, -1.0, 0.5, 1.0], [0.02, 0.01, -0.02, 0.01]])


def denoising_loss(W, X, lam):
    """The loss L(W): W (d, d), X (d, n), λ -> one number.

    [[0.0]], [[2.0, 1.0]], 3 -> 5.0
    """
    # TODO
    # BEGIN SOLUTION 6.7a loss
    return np.square(X - W @ X).sum() + lam * np.square(W).sum()
    # END SOLUTION


# TODO: replace the None values.
# BEGIN SOLUTION 6.7a values
candidate_losses = np.array([[0.0, 2.0], [0.001, 1.0]])
equal_lambda = 0.001
larger_lambda = "B"
# END SOLUTION

# %% tags=["check"]
check("6.7a")

# %% tags=["record"]
record("6.7a")

# %% [markdown]
# ## 6.7b The best linear denoiser
# {{header 6.7b}}
#
# Derive the best $W$ on paper, then enter the results:
#
# 1. `denoising_gradient(W, X, lam)`: the matrix of derivatives $\partial L / \partial W_{ij}$.
# 2. Set the gradient to 0, solve for $W$, and insert the singular value decomposition $X = U S V^\top$. What happens to each direction? `denoiser(X, lam)`
#    returns the best W. Use any method that computes W directly, without iteration.
#
# <details><summary>Hint 1</summary>Start with one number: L(w) = (x - w x)² + λ w². What is dL/dw? Which factor of x becomes Xᵀ, and on which side?</details>
# <details><summary>Hint 2</summary>X Xᵀ = U S² Uᵀ. A function of X Xᵀ alone keeps U and changes the middle.</details>


# %%
def denoising_gradient(W, X, lam):
    """The gradient of the loss: W (d, d), X (d, n), λ -> (d, d).

    [[0.0]], [[2.0, 1.0]], 3 -> [[-10.0]]
    """
    # TODO
    # BEGIN SOLUTION 6.7b gradient
    return 2 * (W @ X - X) @ X.T + 2 * lam * W
    # END SOLUTION


def denoiser(X, lam):
    """The W (d, d) with the least loss: X (d, n), λ > 0."""
    # TODO
    # BEGIN SOLUTION 6.7b closed
    U, s, _ = np.linalg.svd(X, full_matrices=False)
    return U * (s**2 / (s**2 + lam)) @ U.T
    # END SOLUTION


# %% tags=["check"]
check("6.7b")

# %%
# Noisy points along a line, and gradient descent on the loss, starting from the identity.
clean_67 = np.outer([1.0, 0.6], np.linspace(-2, 2, 60))
noisy_67 = clean_67 + 0.3 * np.random.default_rng(67).normal(size=clean_67.shape)
excess_67, W_67 = [], np.eye(2)
with when_answered("6.7a and 6.7b"):
    least_67 = denoising_loss(denoiser(noisy_67, 20.0), noisy_67, 20.0)
    for _ in range(60):
        excess_67.append(denoising_loss(W_67, noisy_67, 20.0) - least_67)
        W_67 = W_67 - 0.003 * denoising_gradient(W_67, noisy_67, 20.0)
    print(
        f"loss above that of the closed form: {excess_67[0]:.3g} → {excess_67[-1]:.3g}"
    )

# %% [markdown]
# **Predict before you run the next cell** (not graded): will gradient descent end above, at or below the loss of your closed form?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("6.7a and 6.7b"):
    steps_67 = np.maximum(excess_67, 1e-16)
    denoised_67 = np.asarray(denoiser(noisy_67, 20.0) @ noisy_67)
    show_lines(
        {
            "title": "Gradient descent comes down to the loss of the closed form",
            "x": "gradient step, from W = I",
            "y": "loss above the closed form's",
            "log": "y",
            "lines": {"": (range(len(steps_67)), steps_67)},
            "colors": {"": "prediction"},
        },
        {
            "title": "The denoiser moves noisy points toward the line",
            "x": "first coordinate",
            "y": "second coordinate",
            "lines": {
                "noisy": noisy_67,
                "W · noisy": denoised_67,
                "clean": clean_67,
            },
            "points": ["noisy", "W · noisy"],
            "colors": {"noisy": "other", "W · noisy": "prediction", "clean": "target"},
            "same": True,
        },
    )

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# In the upper figure, gradient descent reaches the loss of your closed form and never goes below it. In the lower figure, the cloud shrinks a little
# along the line and a lot across it, although W has never seen a clean example.
#
# </details>
#
# ### In your words
# In 50 to 150 words (7 minutes): what does the best W do to directions with large and with small singular values? Why does it need $\lambda > 0$? Under
# which assumption about signal and noise is this denoising?

# %% [markdown]
# **Answer 6.7b**
#
# <!-- BEGIN SOLUTION 6.7b words -->
# W rotates the data into the directions U, multiplies the coordinate along each by s²/(s² + λ) and rotates back. Where s² is far above λ,
# the factor is nearly 1 and the direction passes. Where s² is far below λ, the direction almost vanishes: a soft principal component
# analysis. Without the penalty, the identity has loss 0 and nothing is removed. λ makes every direction cost something, so only those
# that explain much of the data are worth keeping. W denoises if the signal has large variance in few directions and the noise has little
# variance in each.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("6.7b")

# %% [markdown]
# ## 6.7c Choosing λ
# {{header 6.7c}}
#
# The best W multiplies a direction with singular value $s$ by a factor between 0 and 1 (if you skipped 6.7b: minimize $(s - ws)^2 + \lambda w^2$ over
# the number $w$). Signal directions must be kept, with factors of **at least** $a$, and the others dropped, with factors of **at most** $b$.
#
# 1. `lambda_range`: the smallest and the largest $\lambda$ that keep 10, 8, 4 with $a = 0.8$ and drop 1, 0.5, 0.36, 0.16, 0.01 with $b = 0.5$.
# 2. `lambda_interval(keep, drop, at_least, at_most)`: the same for any singular values, in any order. Return `None` if **no** $\lambda$ satisfies both.
#
# <details><summary>Hint 1</summary>Does the factor rise or fall with λ? And with s? As λ grows, which of the values to keep violates its bound first?</details>

# %%
# TODO: two numbers, low and high
# BEGIN SOLUTION 6.7c range
lambda_range = np.array([1.0, 4.0])
# END SOLUTION


def lambda_interval(keep, drop, at_least, at_most):
    """All λ that keep and drop as asked: keep (k,), drop (m,) -> (low, high), or None.

    at_least and at_most are limits between 0 and 1.

    [3.0], [1.0], 0.5, 0.5 -> (1.0, 9.0)
    """
    # TODO
    # BEGIN SOLUTION 6.7c interval
    high = keep.min() ** 2 * (1 - at_least) / at_least
    low = drop.max() ** 2 * (1 - at_most) / at_most
    return (low, high) if low <= high else None
    # END SOLUTION


# %% tags=["check"]
check("6.7c")

# %% [markdown]
# **Predict before you run the next cell** (not graded): which singular values are dropped first as λ grows?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("6.7c"):
    low_67, high_67 = np.asarray(lambda_range, dtype=float)
    lambdas_67 = np.logspace(-2, 2, 200)
    groups_67 = {"keep": [10.0, 8.0, 4.0], "drop": [1.0, 0.5, 0.36]}
    lines_67 = {
        f"{group} s = {value:g}": (lambdas_67, value**2 / (value**2 + lambdas_67))
        for group, values in groups_67.items()
        for value in values
    }
    show_lines(
        {
            "title": f"What stays and what goes for λ from {low_67:.3g} to {high_67:.3g}",
            "x": "λ (gray: your interval)",
            "y": "what is left of a direction",
            "log": "x",
            "lines": lines_67,
            "colors": {
                label: "target" if label.startswith("keep") else "prediction"
                for label in lines_67
            },
            "level": [("", 0.8), ("", 0.5)],
            "span": (low_67, high_67),
        }
    )

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# All factors fall as λ grows, those of small singular values first. In the gray band, every line to
# keep is above the upper dotted line (0.8), and every line to drop is below the lower one (0.5).
#
# </details>

# %% tags=["record"]
record("6.7c")

# %% [markdown]
# ## 6.8 Softmax against linear attention, measured
# {{header 6.8}}
#
# After the theory, measure on your machine. The next two cells measure the **peak memory** (counted by `observe`) and the **time** of
# `softmax_attention` and of your `linear_attention` from 6.2a, with D = M = 64. Together they take about twenty seconds and less than 1 GB.

# %%
memory_lengths = [256, 512, 1024, 2048]
softmax_bytes = linear_bytes = None
with when_answered("6.2a"):
    inputs_68 = {N: list(torch.rand(3, N, 64)) for N in memory_lengths}
    linear_bytes = np.array(
        [
            observe(partial(linear_attention, *inputs_68[N]))[1].peak
            for N in memory_lengths
        ]
    )
    softmax_bytes = np.array(
        [
            observe(partial(softmax_attention, *inputs_68[N]))[1].peak
            for N in memory_lengths
        ]
    )
    print(
        "softmax, megabytes:",
        (softmax_bytes / 1e6).round(2),
        " linear, megabytes:",
        (linear_bytes / 1e6).round(2),
    )

# %% tags=["skip-execution"]
# training (skipped while grading): measuring time
time_lengths = [32, 64, 128, 256, 512, 1024, 2048, 4096, 8192]
softmax_seconds = linear_seconds = None


def best_times(function, rounds=6):
    """For each length the shortest of several runs, in seconds: the one that was disturbed least."""
    inputs = [list(torch.rand(3, N, 64)) for N in time_lengths]
    best = np.full(len(time_lengths), np.inf)
    for _ in range(rounds):  # a disturbance hits one round, hardly all
        for place, tensors in enumerate(inputs):
            for _ in range(10 if len(tensors[0]) < 2000 else 1):
                start = time.thread_time()  # stands still while others compute
                function(*tensors)
                best[place] = min(best[place], time.thread_time() - start)
    return best


with when_answered("6.2a"):
    threads_68 = torch.get_num_threads()
    torch.set_num_threads(1)  # the one that is timed
    try:
        linear_seconds = best_times(linear_attention)
        softmax_seconds = best_times(softmax_attention)
    finally:
        torch.set_num_threads(threads_68)
    print(
        "softmax, milliseconds:",
        (1e3 * softmax_seconds).round(2),
        " linear, milliseconds:",
        (1e3 * linear_seconds).round(3),
    )

# %% [markdown]
# 1. `memory_slopes` and `time_slopes`: two slopes each (softmax, linear) on log-log axes, computed with `fitted_slope(x, y)`. For time, use
#    only the **four longest** lengths (`[-4:]`).
# 2. `predicted_gigabytes`: the memory that softmax attention would need for N = 65,536 tokens if its line continued, in units of 10⁹ bytes
#    (GB, not GiB). Two digits are enough.

# %%
# TODO: replace the None values.
# BEGIN SOLUTION 6.8 memory
memory_slopes = np.array(
    [
        fitted_slope(memory_lengths, softmax_bytes),
        fitted_slope(memory_lengths, linear_bytes),
    ]
)
predicted_gigabytes = softmax_bytes[-1] * (65_536 / 2048) ** memory_slopes[0] / 1e9
# STUB: memory_slopes = None
# STUB: predicted_gigabytes = None
# END SOLUTION

# %% tags=["skip-execution"]
# training (skipped while grading): needs the measured times
# TODO: replace the None value.
# BEGIN SOLUTION 6.8 time
time_slopes = np.array(
    [
        fitted_slope(time_lengths[-4:], softmax_seconds[-4:]),
        fitted_slope(time_lengths[-4:], linear_seconds[-4:]),
    ]
)
# STUB: time_slopes = None
# END SOLUTION

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("6.8"):
    times_68 = {
        "softmax": (time_lengths, 1e3 * np.asarray(softmax_seconds)),
        "linear": (time_lengths, 1e3 * np.asarray(linear_seconds)),
    }
    sizes_68 = {
        "softmax": (memory_lengths, np.asarray(softmax_bytes) / 1e6),
        "linear": (memory_lengths, np.asarray(linear_bytes) / 1e6),
    }
    show_power_laws(
        {
            "Time: linear attention is faster for long sequences": times_68,
            "Memory: the gap grows with N": sizes_68,
        },
        "sequence length N",
        ["milliseconds", "megabytes"],
        last=4,
        colors={"softmax": "other", "linear": "prediction"},
    )

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# Read both slopes from each panel before you go on (for time, those of the four longest lengths). Between the shortest
# lengths, the time of linear attention hardly grows: its slope there is well below 1. Why? Set `short_sequences` to a letter.
#
# </details>
#
# {{options short_sequences}}

# %%
# TODO: a letter
# BEGIN SOLUTION 6.8 choice
short_sequences = "B"
# END SOLUTION

# %% tags=["check"]
check("6.8")

# %% [markdown]
# ### In your words
# In 60 to 160 words (8 minutes): what do the slopes in the figure say (give numbers), and how do they compare with theory? Explain one deviation. From
# which length on would you use linear attention on this machine, and what would you give up?

# %% [markdown]
# **Answer 6.8**
#
# <!-- BEGIN SOLUTION 6.8 words -->
# Memory follows theory to two digits, with slopes of 2.00 for softmax and 1.00 for linear attention, because tensors have exact sizes. The time of
# linear attention has a slope of 1.1 over the four longest lengths and a much smaller one between 32 and 128, where starting the operations
# costs more than their arithmetic. Softmax has 2.6, more than 2: from about 1000 tokens on, the N×N matrix no longer fits into the
# cache, and new memory must be allocated for it in every call. On this machine I would use linear attention from a few hundred tokens
# on; at 65,536, softmax would need 34 GB. I would give up the exponential: weights are less sharp, and all tokens share one D×M matrix.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("6.8")

# %% [markdown]
# ## Hand in
# **Save the notebook** (Ctrl+S, on a Mac ⌘S), then run this last cell. It says what is missing or out of date, and makes the one file that you
# hand in: `hw6_efficient_attention_submission.zip` with this notebook as you saved it and `submission_log.json`.

# %%
finish()
