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
# # Homework 1 · Attention basics
# {{badge}}
#
# Attention is a weighted average whose weights are computed from the data. In this homework you write it in NumPy, first for
# one query, then for a whole sequence with several heads. You find out what it can do, why it is scaled, and what it
# cannot see.
#
# Complete the cells marked `TODO`, run the check below each, and run the record cell when you are satisfied with an answer.
# The last cell tells you what is recorded and what to hand in. The homework takes about two hours, half an hour of which is for four short
# written answers (1.4, 1.6, 1.11 and 1.12, up to 130 words each). You need numpy, torch and matplotlib.
#
# **Questions do not build on each other**: you can skip one and come back to it.

# %% tags=["kit"]
from autograder.author.build import use_kit

use_kit("hw1")

# %%
import numpy as np
import torch
from homework_kit import (
    MEANS,
    attention_viewer,
    bars,
    check,
    draw_panels,
    finish,
    frames_slider,
    heat,
    label_ends,
    library_attention,
    plane,
    record,
    show_attention,
    show_figure,
    show_lines,
    signed_colors,
    when_answered,
)

np.set_printoptions(precision=3, suppress=True)

# %% [markdown]
# ## Conventions and a tool
#
# Rows are tokens: a sequence of $n$ tokens is a matrix `X` of shape (n, d). Queries and keys have $d_k$ numbers, values
# $d_v$. "Weights" are attention weights: probabilities that sum to 1 over the keys. All arrays are NumPy arrays of float64. Functions must
# not change the arrays that they are given: write `keys = keys * 2`, not `keys *= 2`.
#
# `library_attention(queries, keys, values, scale=None, mask=None)` is PyTorch's attention for NumPy arrays. It returns the
# output (n, d_v) and the weights (n, m); `scale` is $1/\sqrt{d_k}$ unless you set it. The figures use this function. You may use
# it in every question except those that ask you to write attention yourself (1.1, 1.3 and 1.9).

# %% [markdown]
# ## 1.1 One query
# {{header 1.1}}
#
# A query $q$ is compared with every key $k_j$. The output is the average of the values $v_j$, weighted by how well
# their keys match the query:
#
# $$ s_j = \frac{q \cdot k_j}{\sqrt{d_k}}, \qquad w_j = \frac{e^{s_j}}{\sum_l e^{s_l}}, \qquad y = \sum_j w_j v_j $$
#
# Write it in NumPy. Scores may be as large as 1000 or more. A naive $e^{s}$ overflows there; your softmax must not.
#
# <details><summary>Hint 1</summary>Which products of the shapes (d_k,), (n, d_k) and (n, d_v) give (n,) and (d_v,)?</details>
# <details><summary>Hint 2</summary>Adding the same number to all scores does not change a softmax. Which number makes overflow impossible?</details>


# %%
def scaled_dot_product_attention(query, keys, values):
    """Attention of a single query.

    query: (d_k,), keys: (n, d_k), values: (n, d_v).
    Returns output (d_v,) and weights (n,); the weights are positive and sum to 1.
    A query of zeros gives weights 1/n, so the output is the mean of the values.
    """
    # TODO
    # BEGIN SOLUTION 1.1
    scores = keys @ query / np.sqrt(len(query))
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    return weights @ values, weights
    # END SOLUTION


# %% tags=["check"]
check("1.1")

# %% tags=["record"]
record("1.1")

# %% [markdown]
# ## 1.2 Who looks at whom?
# {{header 1.2}}
#
# Here each word has a vector of three numbers, and each number has a meaning: *thing*, *action*, *function word*. The queries, the keys and
# the values are all these vectors themselves. The scale is the usual $1/\sqrt{3}$.
#
# 1. Look at the numbers and **predict**: which word does "cat" attend to most? Set `cat_word` to its letter.
# 2. How large is that weight? Set `cat_weight`, correct to three decimals.
#
# {{options cat_word}}
#
# <details><summary>Hint</summary>A dot product grows with agreement in direction and with length. Is "cat" the key that matches "cat" best?</details>

# %%
words = "The cat sat on the mat".split()
embeddings = np.array(
    [
        # thing, action, function
        [0.0, 0.0, 1.0],  # The
        [2.0, 1.0, 0.0],  # cat
        [1.5, 3.0, 0.0],  # sat
        [0.0, 1.0, 1.0],  # on
        [0.0, 0.0, 1.0],  # the
        [2.0, 0.0, 0.0],  # mat
    ]
)

# %%
# TODO: replace the None values: a letter in quotes, and a number between 0 and 1.
# BEGIN SOLUTION 1.2 word
cat_word = "C"
# END SOLUTION
# BEGIN SOLUTION 1.2 weight
cat_scores = embeddings @ embeddings[1] / np.sqrt(3)
cat_weight = np.exp(cat_scores[2]) / np.exp(cat_scores).sum()
# END SOLUTION

# %% [markdown]
# Why is "cat" itself not the word that "cat" attends to most? And why is the matrix of weights not symmetric, although q·k is? Set `cat_reason`
# and `asymmetry_reason`:
#
# {{options cat_reason}}
#
# The matrix is not symmetric
#
# {{options asymmetry_reason}}

# %%
# TODO: replace the None values by letters.
# BEGIN SOLUTION 1.2 reasons
cat_reason = "B"
asymmetry_reason = "C"
# END SOLUTION

# %% tags=["check"]
check("1.2")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.2"):
    predicted_12 = float(cat_weight)
    _, weights_12 = library_attention(embeddings, embeddings, embeddings)
    figure_12, ((axis_12,),) = draw_panels(width=5.4, height=2.8)
    axis_12.bar(range(6), weights_12[1], 0.7, color=MEANS["attention"])
    axis_12.axhline(1 / 6, ls=":", color=MEANS["other"], label="all alike: 1/6")
    axis_12.axhline(
        predicted_12, ls="--", color=MEANS["prediction"], label="your answer"
    )
    axis_12.set_xticks(range(6), words)
    axis_12.set(ylim=(0, 1), ylabel="attention weight")
    axis_12.set(title='"cat" looks past itself, at "sat"')
    label_ends(axis_12)
    show_figure(figure_12)
    attention_viewer(weights_12, words, title="Who looks at whom").show()

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# The bars are the second row of the heatmap. Function words spread their attention widely. Words with long
# vectors focus theirs, and they attract the attention of others.
# </details>

# %% tags=["record"]
record("1.2")

# %% [markdown]
# ## 1.3 All queries at once
# {{header 1.3}}
#
# In *self-attention*, queries, keys and values are three linear maps of the same sequence:
#
# $$ Q = X W_Q, \quad K = X W_K, \quad V = X W_V, \qquad Y = \mathrm{softmax}\!\left(\frac{QK^\top}{\sqrt{d_k}}\right) V $$
#
# <details><summary>Hint 1</summary>Over which axis must the weights sum to 1? With keepdims=True, each row's sum stays in that row.</details>

# %% [markdown]
# A boolean `mask` says which query may see which key: `mask[i, j]` is True where query $i$ may see key $j$. The other weights are exactly 0,
# however large the scores are, and each row still sums to 1. Each query may see at least one key. With the *causal* mask, a token sees itself and the
# tokens before it.
#
# Your function must work for any $n$, $d$, $d_k$, $d_v$ (the grader also uses $d = 100$ and $d_k = 37$). **Do not loop over tokens**: an answer earns two
# points if its number of Python steps does not grow with $n$.
#
# <details><summary>Hint 2</summary>Which score becomes 0 under e^s? Set it before the softmax, not after it.</details>


# %%
def causal_mask(n):
    """The causal mask: bool (n, n), True where query i (row) may look at key j (column).

    causal_mask(2) is [[True, False], [True, True]].
    """
    # TODO
    # BEGIN SOLUTION 1.3 mask
    return np.tril(np.ones((n, n), dtype=bool))
    # END SOLUTION


def attention(X, W_Q, W_K, W_V, mask=None):
    """Self-attention of a whole sequence.

    X: (n, d), W_Q and W_K: (d, d_k), W_V: (d, d_v), mask: bool (n, n) or None.
    Returns (n, d_v). With W_Q = 0 and no mask each row is the mean of the rows of X W_V.
    """
    # TODO
    # BEGIN SOLUTION 1.3 attention
    Q, K, V = X @ W_Q, X @ W_K, X @ W_V
    scores = Q @ K.T / np.sqrt(W_K.shape[1])
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights @ V / weights.sum(axis=1, keepdims=True)
    # END SOLUTION


# %% [markdown]
# The figure shows attention without a mask and with your causal mask. Which row under the mask consists of a single 1 and zeros? **Guess first**
# (noted, not graded): set `prediction_13`.
#
# {{options prediction_13}}

# %%
prediction_13 = None  # your guess: a letter in quotes

# %% tags=["check"]
check("1.3")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.3"):
    x_13 = np.random.default_rng(1).normal(size=(6, 3))
    _, free_13 = library_attention(x_13, x_13, x_13)
    allowed_13 = np.asarray(causal_mask(6))
    _, causal_13 = library_attention(x_13, x_13, x_13, mask=allowed_13)
    show_attention(
        [free_13, causal_13],
        list("012345"),
        title=["no mask", "your causal mask"],
        mask=[None, ~allowed_13],
        heading="The rest of the row gains the weight that the mask hides",
    )

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# Under the causal mask, the upper triangle is 0, and the remaining weights of each row are scaled up to sum to 1. Token 0 can
# attend only to itself.
# </details>

# %% tags=["record"]
record("1.3")

# %% [markdown]
# ## 1.4 Why √d?
# {{header 1.4}}
#
# Let $q$ and $k$ have $d$ entries each, all independent with mean $\mu$ and standard deviation $\sigma$. Fill in the blanks on paper, then write the
# results into `dot_product_statistics`:
#
# 1. One product $xy$ of two entries: $E[xy] = \square$ and $E[x^2y^2] = E[x^2]\,E[y^2] = (\square)^2$, so $\mathrm{Var}[xy] = \square$.
# 2. The sum of $d$ independent products: $E[q\cdot k] = \square$ and $\mathrm{Var}[q\cdot k] = \square$.
# 3. With a factor $s > 0$ in front, the variance is $\square\cdot\mathrm{Var}[q\cdot k]$. It is 1 for $s = \square$. What is this $s$ for $\mu = 0$, $\sigma = 1$?
#
# Then verify your results with samples: `sampled_statistics` takes many pairs, row $i$ of `queries` with row $i$ of `keys`.
#
# <details><summary>Hint 1</summary>Step 1: E[x²] = σ² + μ², and the same holds for y.</details>
# <details><summary>Hint 2</summary>Step 2: means and variances of independent products add up. Step 3: Var[s z] = s² Var[z].</details>


# %%
def dot_product_statistics(d, mu, sigma):
    """Mean and variance of q·k for independent entries, and the scale s.

    The entries have mean mu and standard deviation sigma.

    Returns three numbers: E[q·k], Var[q·k], and s > 0 such that Var[s (q·k)] = 1.
    For mu = 0, sigma = 1 the mean is 0.
    """
    # TODO
    # BEGIN SOLUTION 1.4 theory
    variance = d * (sigma**4 + 2 * sigma**2 * mu**2)
    return d * mu**2, variance, 1 / np.sqrt(variance)
    # END SOLUTION


def sampled_statistics(queries, keys):
    """Mean and variance (np.var's default) of the dot products of row i with row i.

    (count, d) twice -> two numbers. [[1, 2]] with [[3, 4]] gives 11 and 0.
    """
    # TODO
    # BEGIN SOLUTION 1.4 samples
    products = (queries * keys).sum(axis=1)
    return products.mean(), products.var()
    # END SOLUTION


# %% [markdown]
# The figure shows the softmax over 64 random keys as $d$ grows from 1 to 1024. How does its entropy change **without** the scale? **Guess first**
# (noted, not graded): set `prediction_14`.
#
# {{options prediction_14}}

# %%
prediction_14 = None  # your guess: a letter in quotes

# %% tags=["check"]
check("1.4")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.4"):
    rng_14, sizes_14, spread_14 = np.random.default_rng(0), 2 ** np.arange(11), []
    kinds_14 = {"unscaled": 0.0, "scaled by 1/√d": -0.5}
    nats_14 = {name: [] for name in kinds_14}
    rows_14 = {name: [] for name in kinds_14}
    for d in sizes_14:
        queries_14, keys_14 = rng_14.normal(size=(500, d)), rng_14.normal(size=(64, d))
        scores_14 = queries_14 @ keys_14.T
        spread_14.append(scores_14.var())
        for name, power in kinds_14.items():
            weights_14 = torch.softmax(torch.from_numpy(scores_14 * d**power), dim=1)
            nats_14[name].append(
                torch.special.entr(weights_14).sum(dim=1).mean().item()
            )
            rows_14[name].append(
                weights_14[0].sort(descending=True).values[:16].numpy()
            )

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.4"):
    frames_slider(
        [
            bars(rows_14[name], f"{name}: 16 largest weights", top=1)
            for name in kinds_14
        ],
        [f"d = {d}" for d in sizes_14],
        "Without the scale, one key takes all the weight as d grows",
        says=[
            f"entropy {plain:.2f} nats unscaled, {scaled:.2f} scaled"
            for plain, scaled in zip(*nats_14.values(), strict=True)
        ],
    ).show()
    show_lines(
        {
            "title": "The variance of q·k is d",
            "x": "d",
            "y": "variance (μ = 0, σ = 1)",
            "log": "xy",
            "lines": {"measured": (sizes_14, spread_14), "d": (sizes_14, sizes_14)},
            "points": ["measured"],
        },
        {
            "title": "The scale keeps entropy independent of d",
            "x": "d",
            "y": "entropy over 64 keys (nats)",
            "log": "x",
            "lines": {name: (sizes_14, values) for name, values in nats_14.items()},
            "colors": dict.fromkeys(nats_14, "attention"),
            "level": ("all alike", np.log(64)),
            "ylim": (0, 4.5),
        },
    )
    for name, values in nats_14.items():
        print(f"{name}: entropy {values[-1]:.2f} nats at d = 1024")

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# Without the scale, the variance grows like $d$ and the entropy falls toward 0: each query attends to one key only.
# With the scale, the entropy is about the same for every $d$. The printed numbers show both entropies at $d = 1024$.
# </details>
#
# ### In your words
# In 40 to 130 words: what goes wrong in **training** if the scores are not scaled when $d$ is large, and why do we divide by $\sqrt d$ and not by $d$?

# %% [markdown]
# **Answer 1.4**
#
# <!-- BEGIN SOLUTION 1.4 words -->
# With unit-variance entries, the scores have variance d, so for d = 512 they typically differ by about 23. The softmax is then
# almost one-hot from the first step on, at a random key, and its Jacobian diag(w) − wwᵀ is nearly zero there. Almost no gradient
# reaches queries and keys, so they cannot learn where to look. Dividing by the standard deviation √d brings the variance back
# to 1 for every d. Dividing by d would leave a variance of 1/d: all weights would be nearly equal, and attention would only average.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("1.4")

# %% [markdown]
# ## 1.5 Hard attention
# {{header 1.5}}
#
# *Hard* attention returns the value whose key has the **largest dot product** with the query. Compute one example by hand, for the query
# $(1, 1, 2)$:
#
# | row | key | value |
# |---|---|---|
# | 0 | (1, 2, 0) | (2, 0, 1) |
# | 1 | (0, 3, 4) | (1, 4, 3) |
# | 2 | (5, 0, 0) | (0, −1, 4) |
# | 3 | (0, 0, 1) | (1, 0, −1) |
#
# Set `hard_output` to the output, a list of three numbers, and write `hard_attention`. How does the output change when the query
# or a key changes by a tiny amount (and no two scores are equal)? Set `hard_gradient`:
#
# {{options hard_gradient}}

# %%
# TODO: replace the None values.
# BEGIN SOLUTION 1.5 hand
hard_output = [1, 4, 3]
# END SOLUTION
# BEGIN SOLUTION 1.5 choice
hard_gradient = "B"
# END SOLUTION


def hard_attention(query, keys, values):
    """Argmax attention: query (d_k,), keys (n, d_k), values (n, d_v) -> the chosen value (d_v,).

    The query (0, 3) with the keys (1, 0) and (0, 1) gets value 1, counted from 0.
    """
    # TODO
    # BEGIN SOLUTION 1.5 hard
    return values[np.argmax(keys @ query)]
    # END SOLUTION


# %% [markdown]
# Suppose that queries, keys and values come from $W_Q$, $W_K$ and $W_V$, as in 1.3. Which of these matrices would plain gradient descent still
# change? Set `hard_learns`:
#
# {{options hard_learns}}

# %%
# TODO: replace the None by a letter.
# BEGIN SOLUTION 1.5 learns
hard_learns = "B"
# END SOLUTION

# %% tags=["check"]
check("1.5")

# %% [markdown]
# Now look at the same thing in numbers: the figure below changes the first number of the query and plots the second
# number of both outputs, soft and hard.

# %% [markdown]
# What will the **hard** output look like as the query moves? **Guess first** (noted, not graded): set `prediction_15`.
#
# {{options prediction_15}}

# %%
prediction_15 = None  # your guess: a letter in quotes

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.5"):
    keys_15 = np.array([[1.0, 2, 0], [0, 3, 4], [5, 0, 0], [0, 0, 1]])
    values_15 = np.array([[2.0, 0, 1], [1, 4, 3], [0, -1, 4], [1, 0, -1]])
    shifts = np.linspace(-1, 4, 400)
    queries_15 = np.array([1.0, 1.0, 2.0]) + shifts[:, None] * np.array([1.0, 0.0, 0.0])
    soft_15, _ = library_attention(queries_15, keys_15, values_15)
    sharp_15, _ = library_attention(1e6 * queries_15, keys_15, values_15)  # hard
    show_lines(
        {
            "title": "Hard attention jumps, soft attention changes gradually",
            "x": "shift of the query's first number",
            "y": "second output number",
            "lines": {
                "soft": (shifts, soft_15[:, 1]),
                "hard": (shifts, sharp_15[:, 1]),
            },
            "colors": {"soft": "attention", "hard": "other"},
        }
    )

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# The hard output is flat, with a jump where another key takes over. The soft output has a slope nearly everywhere.
# </details>

# %% tags=["record"]
record("1.5")

# %% [markdown]
# ## 1.6 Preserve and diffuse
# {{header 1.6}}
#
# With an *inverse temperature* $\beta \ge 0$, $y = \sum_j w_j v_j$ and $w = \mathrm{softmax}(\beta\, K q)$. For the keys and values below, find
#
# 1. **preserve**: a query and a β that return the value of key 1 (counted from 0), $(0, 2)$;
# 2. **diffuse**: a query that is **not zero** and a β > 0 that return the mean of all four values, $(1, 0.5)$.
#
# Each number of the output may be off by at most 1e-3. In the second case, $|q|\,\beta$ must be at least 0.1, so that the query is not almost zero.
#
# <details><summary>Hint 1</summary>Try q = key 1. Which other keys have the same dot product? Which direction separates them?</details>
# <details><summary>Hint 2</summary>For equal weights, all four dot products must be equal. What do the four keys have in common?</details>

# %%
keys_16 = np.array(
    [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 1.0], [-1.0, 0.0, 1.0]]
)
values_16 = np.array([[2.0, 0.0], [0.0, 2.0], [-1.0, -1.0], [3.0, 1.0]])

# %%
# Shapes: queries (3,), betas are numbers.
# TODO: replace the None values.
# BEGIN SOLUTION 1.6 preserve
preserve_query = np.array([-0.5, 1.0, 0.0])
preserve_beta = 40.0
# END SOLUTION
# BEGIN SOLUTION 1.6 diffuse
diffuse_query = np.array([0.0, 0.0, 1.0])
diffuse_beta = 1.0
# END SOLUTION

# %% [markdown]
# Now keep one query and change β. What is the limit of the output if the largest score is unique?
# Set `limit_zero` (β → 0) and `limit_infinity` (β → ∞):
#
# {{options limit_zero}}
#
# Which kind of attention is each of these? Set `kind_1` to `kind_4`.
#
# 1. Each word of a sentence gets a weighted average over all words of **that sentence**.
# 2. A decoder writing French copies the vector of exactly **one** word of the English sentence.
# 3. A decoder writing French averages over the vectors of **the English sentence**.
# 4. Each word of a sentence is replaced by exactly **one** word of that sentence, the best match.
#
# {{options kind_1}}

# %%
# TODO: replace the None values by letters.
# BEGIN SOLUTION 1.6 limits
limit_zero = "C"
limit_infinity = "A"
# END SOLUTION
# BEGIN SOLUTION 1.6 kinds
kind_1 = "B"
kind_2 = "C"
kind_3 = "D"
kind_4 = "A"
# END SOLUTION

# %% [markdown]
# The figure scales your preserving query to length 1. How does the output move as β grows from 0.01 to 100? **Guess first** (noted, not graded): set
# `prediction_16`.
#
# {{options prediction_16}}

# %%
prediction_16 = None  # your guess: a letter in quotes

# %% tags=["check"]
check("1.6")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.6"):
    query_16 = np.reshape(np.asarray(preserve_query, dtype=float), (1, 3))
    query_16 = query_16 / max(np.linalg.norm(query_16), 1e-9)  # of length 1
    betas_16 = np.logspace(-2, 2, 24)
    runs_16 = [
        library_attention(query_16, keys_16, values_16, scale=b) for b in betas_16
    ]
    path_16, weights_16 = (np.array([run[i][0] for run in runs_16]) for i in (0, 1))
    places_16 = {f"value {key}": value[None] for key, value in enumerate(values_16)}
    frames_slider(
        [
            bars(weights_16, "attention", [f"key {key}" for key in range(4)], top=1),
            plane(
                path_16[:, None],
                "output",
                "first number",
                "second number",
                fixed=places_16 | {"": path_16},
            ),
        ],
        [f"β = {float(f'{beta:.2g}'):g}" for beta in betas_16],
        "As β grows, your output moves from the mean to one value",
    ).show()

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# At small β, all four weights are about 1/4 and the output is the mean of the values. As β grows, the output moves to
# one value. One formula covers both extremes, and the data choose between them through the length of the query.
# </details>
#
# ### In your words
# In 30 to 120 words: a fully connected layer maps a whole sequence of $n$ vectors to $n$ vectors. Which weights does it need to
# preserve each vector, and which to output the mean everywhere? What can attention do that this layer cannot?

# %% [markdown]
# **Answer 1.6**
#
# <!-- BEGIN SOLUTION 1.6 words -->
# View the weight matrix as n × n blocks of size d × d. Preserving needs the identity in each diagonal block and zeros elsewhere; averaging
# needs 1/n times the identity in every block. These are two different sets of n²d² weights, fixed after training and for one length n only.
# Attention switches between the two with the same parameters, because its mixing weights are computed from the
# content: a long query preserves, a short one diffuses. It also works for every n.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("1.6")

# %% [markdown]
# ## 1.7 Copying by orthogonality
# {{header 1.7}}
#
# Let $a, b, c, d$ be orthogonal vectors of norm $\beta$. The sequence is
#
# $$ x_0 = d + b, \qquad x_1 = a, \qquad x_2 = c + b, $$
#
# and queries, keys and values are the vectors themselves: **no weight matrices and no scale**, $w_{ij} \propto e^{x_i \cdot x_j}$.
#
# 1. `norms_17`: the norms of $x_0, x_1, x_2$ for $\beta = 2$, correct to three decimals.
# 2. `weights_17`: the 3 × 3 attention weights for $\beta = 1$, row $i$ for query $i$, correct to three decimals (typed in or computed).
# 3. `copy_outputs(a, b, c, d)`: the outputs $y_0, y_1, y_2$ for any such vectors.
#
# <details><summary>Hint</summary>Expand (d + b)·(c + b) and drop the products of orthogonal vectors.</details>

# %%
# Shapes: norms_17 (3,), weights_17 (3, 3).
# TODO: replace the None values.
# BEGIN SOLUTION 1.7 values
norms_17 = np.array([np.sqrt(2) * 2, 2.0, np.sqrt(2) * 2])
exponentials = np.exp([[2.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 2.0]])
weights_17 = exponentials / exponentials.sum(axis=1, keepdims=True)
# STUB: norms_17 = None
# STUB: weights_17 = None
# END SOLUTION


def copy_outputs(a, b, c, d):
    """Outputs of unscaled self-attention on x0 = d + b, x1 = a, x2 = c + b.

    Four vectors (dim,) -> (3, dim). For long vectors it is nearly the sequence itself.
    """
    # TODO
    # BEGIN SOLUTION 1.7 outputs
    x = np.stack([d + b, a, c + b])
    scores = x @ x.T
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True) @ x
    # END SOLUTION


# %% [markdown]
# At β = 1, which token puts the most attention on itself? **Guess first** (noted, not graded): set `prediction_17`.
#
# {{options prediction_17}}

# %%
prediction_17 = None  # your guess: a letter in quotes

# %% [markdown]
# For large β, the layer copies its input, although $x_0$ and $x_2$ share $b$. Take the query $x_0$ and divide the weight of $x_2$ by the weight of $x_0$
# itself. How does this ratio fall as β grows? Set `copy_rate`:
#
# {{options copy_rate}}

# %%
# TODO: replace the None by a letter.
# BEGIN SOLUTION 1.7 rate
copy_rate = "B"
# END SOLUTION

# %% tags=["check"]
check("1.7")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.7"):
    betas_17 = np.linspace(0, 3.5, 141)
    unit_17 = np.array([[0, 1, 0, 1], [1, 0, 0, 0], [0, 1, 1, 0]])  # of a, b, c, d
    maps_17, far_17 = [], []
    for beta in betas_17:
        x_17 = beta * unit_17
        output_17, map_17 = library_attention(x_17, x_17, unit_17, scale=1.0)
        maps_17.append(map_17)
        far_17.append(np.linalg.norm(output_17 - unit_17, axis=1) / [2**0.5, 1, 2**0.5])
    maps_17, far_17 = np.array(maps_17), np.array(far_17)

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.7"):
    names_17 = {"x₀, x₂": 0, "x₁": 1}
    show_lines(
        {
            "title": "From β ≈ 2.5 on, each token attends to itself",
            "x": "β",
            "y": "attention weight on itself",
            "lines": {
                name: (betas_17, maps_17[:, i, i]) for name, i in names_17.items()
            },
            "ylim": (0, 1.03),
        },
        {
            "title": "From there on, each output equals its own input",
            "x": "β",
            "y": "|y − x| / |x|",
            "lines": {name: (betas_17, far_17[:, i]) for name, i in names_17.items()},
        },
    )

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.7"):
    names_17, frames_17 = ["x₀", "x₁", "x₂"], slice(0, 141, 7)
    frames_slider(
        heat(maps_17[frames_17], "attention", names_17, names_17),
        [f"β = {beta:.2f}" for beta in betas_17[frames_17]],
        "Longer vectors turn averaging into copying",
    ).show()
    print(f"largest |y − x| / |x| from β = 2.5 on: {far_17[betas_17 >= 2.5].max():.4f}")

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# At β = 0, each output is the average of all three vectors. From β ≈ 2.5 on, each output equals its own input to within
# about one part in a hundred.
# </details>

# %% tags=["record"]
record("1.7")

# %% [markdown]
# ## 1.8 Nudging a key
# {{header 1.8}}
#
# There are one query $q$, keys $k_j$, values $v_j$, weights $w = \mathrm{softmax}(Kq/\sqrt{d_k})$, and the output $y$. Key $j$ moves a little:
# $k_j \to k_j + \varepsilon$. Write `first_order_change`: the change of the output **to first order in ε**, which is the Jacobian times ε. Find the
# formula by hand. It is not the difference of the two outputs, because ε is not small here.
#
# Then let $k_j \to \alpha k_j$ with $\alpha > 1$. What happens to the weight $w_j$ if $q \cdot k_j$ is positive, negative, or zero? Set
# `scaled_positive`, `scaled_negative` and `scaled_zero`:
#
# {{options scaled_positive}}
#
# <details><summary>Hint 1</summary>Only one score changes. By how much?</details>
# <details><summary>Hint 2</summary>∂w_i/∂s_j = w_i (δ_ij − w_j). Every weight changes; sum over the values and collect y.</details>


# %%
def first_order_change(query, keys, values, j, epsilon):
    """First-order change of the output when key j moves by epsilon.

    query: (d_k,), keys: (n, d_k), values: (n, d_v), j: which key, epsilon: (d_k,).
    Returns (d_v,), right to three digits: linear in epsilon, so twice the nudge gives twice the change.
    """
    # TODO
    # BEGIN SOLUTION 1.8 change
    scale = 1 / np.sqrt(len(query))
    scores = keys @ query * scale
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    return weights[j] * (values[j] - weights @ values) * (query @ epsilon) * scale
    # END SOLUTION


# TODO: replace the None values by letters.
# BEGIN SOLUTION 1.8 signs
scaled_positive = "A"
scaled_negative = "B"
scaled_zero = "C"
# END SOLUTION

# %% [markdown]
# If the nudge is ten times smaller, how much smaller is the error of a correct first-order formula? **Guess first** (noted, not graded): set
# `prediction_18`.
#
# {{options prediction_18}}

# %%
prediction_18 = None  # your guess: a letter in quotes

# %% tags=["check"]
check("1.8")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.8"):
    rng_18 = np.random.default_rng(8)
    query_18, nudge_18 = rng_18.normal(size=3), rng_18.normal(size=3)
    keys_18, values_18 = rng_18.normal(size=(5, 3)), rng_18.normal(size=(5, 2))
    sizes_18 = np.logspace(-3, 0.5, 30)
    before_18 = library_attention(query_18[None], keys_18, values_18)[0][0]

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.8"):
    changes_18, errors_18 = [], []
    for size in sizes_18:
        moved_18 = keys_18 + size * nudge_18 * (np.arange(5) == 2)[:, None]
        after_18 = library_attention(query_18[None], moved_18, values_18)[0][0]
        linear = first_order_change(query_18, keys_18, values_18, 2, size * nudge_18)
        changes_18.append(np.linalg.norm(after_18 - before_18))
        errors_18.append(np.linalg.norm(after_18 - before_18 - linear))
    show_lines(
        {
            "title": "The first-order error falls twice as fast as the change",
            "x": "size of the nudge",
            "y": "norm",
            "log": "xy",
            "lines": {
                "true change": (sizes_18, changes_18),
                "your error": (sizes_18, errors_18),
            },
            "colors": {"true change": "target", "your error": "prediction"},
        }
    )
    slope = np.polyfit(np.log(sizes_18[:10]), np.log(errors_18[:10]), 1)[0]
    print(f"slope of the error: {slope:.2f} (a correct formula gives 2)")

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# The change itself falls with slope 1, and the error of a correct formula with slope 2: if the nudge is ten times smaller, the error is
# a hundred times smaller.
# </details>

# %% tags=["record"]
record("1.8")

# %% [markdown]
# ## 1.9 Several heads
# {{header 1.9}}
#
# With $h$ heads, the features of the queries, the keys and the values are each split into $h$ equal consecutive blocks. Head $i$
# attends with block $i$ alone (so its scale is $1/\sqrt{d/h}$). The outputs are placed side by side and multiplied by $W_O$, the
# *output projection*:
#
# $$ \mathrm{MultiHead}(Q, K, V) = [\,\mathrm{head}_0\ \cdots\ \mathrm{head}_{h-1}\,]\, W_O $$
#
# Many papers write tokens as **columns** instead: $Q \in \mathbb{R}^{d\times n}$, $K \in \mathbb{R}^{d\times m}$, $V \in \mathbb{R}^{t\times m}$, heads stacked
# on top of each other, and $W_O \in \mathbb{R}^{t\times t}$ multiplied from the left. Write both versions.
#
# <details><summary>Hint 1</summary>np.split(Q, heads, axis=1) splits the features. A loop over heads is fine.</details>
# <details><summary>Hint 2</summary>In the column convention, the scores KᵀQ have shape (m, n). Over which axis is the softmax?</details>


# %%
def multi_head_attention(Q, K, V, heads, W_O):
    """Tokens are rows: Q (n, d), K (m, d), V (m, t), W_O (t, t); heads divides d and t. Returns (n, t).

    With one key (m = 1) there is nothing to choose: every row is V W_O.
    """
    # TODO
    # BEGIN SOLUTION 1.9 rows
    outputs = []
    for q, k, v in zip(
        np.split(Q, heads, axis=1),
        np.split(K, heads, axis=1),
        np.split(V, heads, axis=1),
        strict=True,
    ):
        scores = q @ k.T / np.sqrt(q.shape[1])
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        outputs.append(weights @ v / weights.sum(axis=1, keepdims=True))
    return np.concatenate(outputs, axis=1) @ W_O
    # END SOLUTION


# %%
def multi_head_columns(Q, K, V, heads, W_O):
    """Tokens are columns: Q (d, n), K (d, m), V (t, m), W_O (t, t) from the left. Returns (t, n)."""
    # TODO
    # BEGIN SOLUTION 1.9 columns
    outputs = []
    for q, k, v in zip(
        np.split(Q, heads), np.split(K, heads), np.split(V, heads), strict=True
    ):
        scores = k.T @ q / np.sqrt(len(q))  # (m, n): a column for each query
        weights = np.exp(scores - scores.max(axis=0))
        outputs.append(v @ (weights / weights.sum(axis=0)))
    return W_O @ np.concatenate(outputs)
    # END SOLUTION


# %% [markdown]
# **Before** the output projection, the heads share nothing: block $i$ of the output depends only on block $i$ of the inputs. Which operation of
# a convolutional network corresponds to that? And which one corresponds to $W_O$? Set `heads_like` and `projection_like`:
#
# {{options heads_like}}

# %%
# TODO: replace the None values by letters.
# BEGIN SOLUTION 1.9 choice
heads_like = "C"
projection_like = "A"
# END SOLUTION

# %% tags=["check"]
check("1.9")

# %% tags=["record"]
record("1.9")

# %% [markdown]
# ## 1.10 Self or cross?
# {{header 1.10}}
#
# A translation model has an encoder, which reads source words, and a decoder, which has written some target words so far. It contains
# three attention layers: the encoder's self-attention, the decoder's masked self-attention, and the cross-attention between them.
#
# Match each layer: set `encoder_self`, `decoder_self` and `cross` to one of these:
#
# {{options encoder_self}}
#
# Now the shapes. The encoder states have shape (7, 12) and the decoder states (5, 8): there are 7 source words, and 5 target words so far. Queries and
# keys have $d_k = 4$ numbers, values $d_v = 6$. Set `cross_shape` to the shapes in the cross-attention:
#
# {{options cross_shape}}

# %%
# TODO: replace the None values by letters.
# BEGIN SOLUTION 1.10 match
encoder_self = "C"
decoder_self = "D"
cross = "B"
cross_shape = "B"
# END SOLUTION

# %% tags=["check"]
check("1.10")

# %% tags=["record"]
record("1.10")

# %% [markdown]
# ## 1.11 Attention cannot see order
# {{header 1.11}}
#
# A layer $f$ is *permutation-equivariant* if shuffling its inputs shuffles its outputs in the same way: $f(X_\pi) = f(X)_\pi$, where $X_\pi$ means
# `X[order]`. Write `equivariance_error`: the largest absolute difference between the two sides. The grader passes it several layers as Python
# functions: some are equivariant, some are not.
#
# <details><summary>Hint</summary>Shuffle, then apply. Apply, then shuffle. Subtract the two. What would f(X[order]) − f(X) test instead?</details>


# %%
def equivariance_error(layer, X, order):
    """How far a layer is from permutation-equivariant, on one input.

    layer: a function (n, d) -> (n, d_out); X: (n, d); order: (n,) a permutation of 0 … n-1.
    Returns a number >= 0; 0 (up to rounding) if the layer is equivariant.
    """
    # TODO
    # BEGIN SOLUTION 1.11 error
    return np.abs(layer(X[order]) - layer(X)[order]).max()
    # END SOLUTION


# %% [markdown]
# What will the attention map of the shuffled sentence look like? **Guess first** (noted, not graded): set `prediction_111`.
#
# {{options prediction_111}}

# %%
prediction_111 = None  # your guess: a letter in quotes

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.11"):
    order_11 = np.array([2, 0, 5, 1, 4, 3])
    words_11 = "The cat sat on the mat".split()
    _, map_11 = library_attention(embeddings, embeddings, embeddings)
    mixed_11 = embeddings[order_11]
    _, mixed_map_11 = library_attention(mixed_11, mixed_11, mixed_11)
    attention_viewer(map_11, words_11, title="As written").show()
    attention_viewer(
        mixed_map_11,
        [words_11[place] for place in order_11],
        title="Shuffled: each word still looks at the same words",
    ).show()
    difference_11 = map_11[np.ix_(order_11, order_11)] - mixed_map_11
    print(
        f"largest difference after shuffling the first map: {np.abs(difference_11).max():.1e}"
    )

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# Each word has the same attention as before; only its row and column have moved. The printed difference is rounding error.
# To this layer, "The cat sat on the mat" and "sat The mat cat the on" are the same bag of words.
# </details>
#
# ### Put the order back in
# The original Transformer **adds** to token $p$ (from 0) a vector of sines and cosines, for $i = 0, \dots, d/2 - 1$:
#
# $$ \mathrm{PE}_{p,\,2i} = \sin\!\left(\frac{p}{10000^{2i/d}}\right), \qquad \mathrm{PE}_{p,\,2i+1} = \cos\!\left(\frac{p}{10000^{2i/d}}\right) $$


# %%
def positional_encoding(n, d):
    """Sinusoidal table (n, d) for n places and an even d; row 0 is 0, 1, 0, 1, …"""
    # TODO
    # BEGIN SOLUTION 1.11 sinusoids
    angles = np.arange(n)[:, None] / 10000 ** (np.arange(0, d, 2) / d)
    table = np.zeros((n, d))
    table[:, 0::2], table[:, 1::2] = np.sin(angles), np.cos(angles)
    return table
    # END SOLUTION


# %% [markdown]
# Set `needs_order` to the task that **cannot** be solved without positions:
#
# {{options needs_order}}
#
# Set `not_equivariant` to the layer that is **not** equivariant:
#
# {{options not_equivariant}}

# %%
# TODO: replace the None values by letters.
# BEGIN SOLUTION 1.11 choice
needs_order = "D"
not_equivariant = "B"
# END SOLUTION

# %% tags=["check"]
check("1.11")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("1.11"):
    table_11 = np.asarray(positional_encoding(64, 32), dtype=float)
    figure_pe, ((axis_pe,),) = draw_panels(width=6.2, height=3.2)
    image_pe = axis_pe.imshow(
        table_11.T, cmap=signed_colors(), vmin=-1, vmax=1, aspect="auto"
    )
    axis_pe.set(title="The first features change quickly with place, the last slowly")
    axis_pe.set(ylabel="feature", xlabel="place")
    figure_pe.colorbar(image_pe, ax=axis_pe, label="value").outline.set_visible(False)
    show_figure(figure_pe)
    offsets = {p: (np.arange(64) - p, table_11 @ table_11[p]) for p in (10, 30, 50)}
    show_lines(
        {
            "title": "The dot product depends on the offset alone",
            "x": "offset to the other place",
            "y": "dot product",
            "lines": {f"place {p}": curve for p, curve in offsets.items()},
        }
    )


# %% tags=["skip-execution"]
# figure (skipped while grading)
def blind_layer(X):
    return library_attention(X, X, X)[0]


def placed_layer(X):
    return blind_layer(X + positional_encoding(*X.shape))


with when_answered("1.11"):
    x_11 = np.random.default_rng(11).normal(size=(6, 4))
    for name, layer_11 in {"without": blind_layer, "with": placed_layer}.items():
        error_11 = equivariance_error(layer_11, x_11, order_11)
        print(f"{name} positions:", error_11)

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# The fast waves (first features) distinguish neighboring places, and the slow ones distant places. The three curves coincide where they
# overlap: the dot product depends on the **offset** alone and peaks at 0. The printed errors show that
# attention is equivariant without positions (only rounding error is left) and not equivariant with them.
# </details>
#
# ### In your words
# In 40 to 130 words: why can self-attention without positions not see the order of its tokens? Name one task where this is a problem and
# one where it is an advantage. How does adding the sinusoids help?

# %% [markdown]
# **Answer 1.11**
#
# <!-- BEGIN SOLUTION 1.11 words -->
# Each output is a weighted sum over all tokens, and each weight depends only on the two vectors, not on their places. A sum does not
# change with the order of its terms. So shuffled inputs give the same outputs, shuffled. This is a problem for language, where "dog
# bites man" differs from "man bites dog", and an advantage for sets such as point clouds. If a different vector is added at each
# place, equal words at different places become different, so scores can depend on position, and with sinusoids on the offset.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("1.11")

# %% [markdown]
# ## 1.12 Query, key, value in one sentence
# {{header 1.12}}
#
# In "The cat sat on the mat", self-attention computes the new vector of "sat". Which words supply the query, the keys and the values? Set
# `query_from`, `keys_from` and `values_from`:
#
# {{options query_from}}
#
# Without positions, "saw" gets the same new vector in "the cat saw the dog" and in "the dog saw the cat". Set `order_fix` to the remedy:
#
# {{options order_fix}}

# %%
# TODO: replace the None values by letters.
# BEGIN SOLUTION 1.12 match
query_from = "B"
keys_from = "A"
values_from = "A"
order_fix = "C"
# END SOLUTION

# %% tags=["check"]
check("1.12")

# %% [markdown]
# ### In your words
# In 30 to 100 words, for someone who has never heard of attention: what are the query, the key and the value of a word for, and why are there three
# vectors and not one? Use "sat" in the sentence above as your example.

# %% [markdown]
# **Answer 1.12**
#
# <!-- BEGIN SOLUTION 1.12 words -->
# The query of "sat" says what this word is looking for, perhaps who did it. Each word offers a key, which says how it can be found: the
# key of "cat" says "animal, subject". The better a key matches the query, the more of that word's value is mixed into the new vector
# of "sat". The value is the information that is passed on. With a single vector, a word could only find words like itself, and it
# would have to be found by the same content that it passes on.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("1.12")

# %% [markdown]
# ## 1.13a Two banks
# {{header 1.13a}}
#
# A *static* embedding gives a word one vector; attention makes it *contextual*. Below, "bank" has the same vector in both sentences. Compute the
# cosine similarity $\frac{u\cdot v}{|u|\,|v|}$ of the two "bank" vectors
#
# 1. before attention: `bank_static`;
# 2. after one self-attention layer on each sentence, without weight matrices and with the usual scale: `bank_contextual`.
#
# You may use `library_attention`. Both are numbers, correct to three decimals.

# %%
vocabulary = {  # water, money, place, grammar
    "bank": [1.0, 1.0, 1.0, 0.0],
    "river": [4.0, 0.0, 1.0, 0.0],
    "muddy": [3.0, 0.0, 0.0, 0.0],
    "lends": [0.0, 3.0, 0.0, 1.0],
    "money": [0.0, 4.0, 0.0, 0.0],
    "the": [0.0, 0.0, 0.0, 1.0],
    "was": [0.0, 0.0, 0.0, 1.0],
}
river_words = "the river bank was muddy".split()
money_words = "the bank lends money".split()
river_sentence = np.array([vocabulary[word] for word in river_words])  # (5, 4)
money_sentence = np.array([vocabulary[word] for word in money_words])  # (4, 4)


# %%
# TODO: replace the None values.
# BEGIN SOLUTION 1.13a values
def cosine(u, v):
    return u @ v / np.sqrt((u @ u) * (v @ v))


bank_static = cosine(river_sentence[2], money_sentence[1])
river_bank = library_attention(river_sentence, river_sentence, river_sentence)[0][2]
money_bank = library_attention(money_sentence, money_sentence, money_sentence)[0][1]
bank_contextual = cosine(river_bank, money_bank)
# STUB: bank_static = None
# STUB: bank_contextual = None
# END SOLUTION

# %% [markdown]
# Which words made the difference for "bank"? Set `bank_reason`:
#
# {{options bank_reason}}

# %%
# TODO: replace the None by a letter.
# BEGIN SOLUTION 1.13a reason
bank_reason = "C"
# END SOLUTION

# %% tags=["check"]
check("1.13a")

# %% tags=["record"]
record("1.13a")

# %% [markdown]
# ## 1.13b Windows, recurrences, heads
# {{header 1.13b}}
#
# Here are three claims, each with the number that decides it. The sentence has 64 words, numbered 0 to 63, and the meaning of word 63 depends on word 0.
#
# 1. *"A window is as good as attention, if there are enough layers."* In each layer, a word sees the 4 words before it and the 4 after it, with fixed
#    weights. `window_layers`: how many stacked layers (a whole number) does it take until the vector of word 63 can depend on word 0? (Self-attention needs 1.)
# 2. *"A recurrent network reaches any distance."* `rnn_updates`: how many updates lie between the state after word 0 and the state after word 63?
#    The information from word 0 must survive each of them in one vector of fixed size.
# 3. *"One head can attend to subject and object at once, and later layers can tell which was which."* A verb gives half of its weight to its subject,
#    whose value is (2, 0), and half to its object, whose value is (0, 4). `one_head_output`: which two numbers does the head output? Then judge the claim
#    with `one_head_claim`:
#
# {{options one_head_claim}}

# %%
# TODO: replace the None values: two numbers, a list of two, a letter.
# BEGIN SOLUTION 1.13b values
window_layers = 16
rnn_updates = 63
one_head_output = [1.0, 2.0]
one_head_claim = "B"
# END SOLUTION

# %% tags=["check"]
check("1.13b")

# %% tags=["record"]
record("1.13b")

# %% [markdown]
# ## 1.13c The quadratic bill
# {{header 1.13c}}
#
# Count:
#
# 1. `full_scores`: how many scores $q_i \cdot k_j$ does one head compute for $n = {{number 1.13c tokens}}$ tokens, without a mask?
# 2. `window_scores`: how many does it compute if each token looks only at itself and the **{{number 1.13c window}} tokens before it** (the first tokens have fewer)?
# 3. `score_gigabytes`: how many GB ($10^9$ bytes) do the scores of **{{number 1.13c heads}} heads** take for $n = {{number 1.13c long_tokens}}$ in float32
#    (4 bytes per number), if all of them are stored at once?

# %%
# TODO: replace the None values by numbers.
# BEGIN SOLUTION 1.13c values
full_scores = 4096**2
window_scores = sum(min(place + 1, 129) for place in range(4096))
score_gigabytes = 12 * 100_000**2 * 4 / 1e9
# END SOLUTION

# %% [markdown]
# There are three remedies: a local **window**; **linear** attention, which sums keys and values once; and **Flash**Attention, which works block by block
# and never stores all scores. What does each give up? Set `window_price`, `linear_price` and `flash_price`:
#
# {{options window_price}}

# %%
# TODO: replace the None values by letters.
# BEGIN SOLUTION 1.13c prices
window_price = "B"
linear_price = "C"
flash_price = "A"
# END SOLUTION

# %% tags=["check"]
check("1.13c")

# %% tags=["record"]
record("1.13c")

# %% [markdown]
# ## 1.13d Why it scales
# {{header 1.13d}}
#
# Here are three more claims, with the numbers behind them. The text has 2,000 tokens; the models have 24 layers and 1,024 numbers per token.
#
# 1. *"Transformers train faster because they compute less."* The real reason is which steps have to wait for others. How many steps of **one layer** must
#    run one after the other in training, when all tokens are known? Set `rnn_in_turn` for a recurrent layer and `attention_in_turn` for self-attention.
# 2. *"Generating is cheap in memory, too."* When text is generated token by token, a Transformer keeps a key and a value (1,024 numbers each) for every
#    token and layer. A recurrent network keeps one state of 1,024 numbers per layer. `cache_numbers`, `state_numbers`: how many numbers does each keep after
#    2,000 tokens?
# 3. *"Growth is a matter of buying GPUs."* Training takes about $6 N D$ operations for $N$ parameters and $D$ tokens, and the loss falls predictably as
#    both grow. `cost_factor`: a model is ten times as large and is trained on ten times the text. How many times as much does its training cost?

# %%
# TODO: replace the None values by numbers.
# BEGIN SOLUTION 1.13d values
rnn_in_turn = 2000
attention_in_turn = 1
cache_numbers = 2 * 24 * 1024 * 2000
state_numbers = 24 * 1024
cost_factor = 100
# END SOLUTION

# %% tags=["check"]
check("1.13d")

# %% tags=["record"]
record("1.13d")

# %% [markdown]
# ## Hand in
# **Save the notebook** (Ctrl+S, on a Mac ⌘S), then run this last cell. It says what is missing or out of date, and makes the one file that you
# hand in: `hw1_attention_basics_submission.zip` with this notebook as you saved it and `submission_log.json`.

# %%
finish()
