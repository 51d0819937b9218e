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
# # Homework 3 · Hand-designed attention
# {{badge}}
#
# Training hides what attention can do behind learned numbers. Here **you** write the numbers: you choose the query, key
# and value matrices of a one-head Transformer so that it solves small tasks exactly. Then you train the same model and
# see what gradient descent finds.
#
# Fill the cells marked `TODO`, run the check below each, and run the record cell when you are happy with an answer.
# The last cell tells you what is recorded and what to hand in. A little more than two hours, and 45 minutes for the
# extra credit; you need numpy, torch and matplotlib.
#
# **Questions do not build on each other**: skip one and come back.

# %% tags=["kit"]
from autograder.author.build import use_kit

use_kit("hw3")

# %%
import contextlib

import numpy as np
from homework_kit import (
    attention_viewer,
    check,
    finish,
    frames_slider,
    heat,
    record,
    show_attention,
    show_lines,
    show_matrices,
    when_answered,
)

# %% [markdown]
# ## The model
#
# A sequence is a matrix `x` with one row for each place. Rows are one-hot: A = (1, 0, 0), B = (0, 1, 0), C = (0, 0, 1).
# One attention head maps `x` of shape (n, d) to an output of shape (n, out):
#
# $$ s_{ij} = \frac{(x_i Q)\cdot(x_j K)}{\sqrt{d_{qk}}}, \qquad a_{ij} = \frac{e^{s_{ij}}}{\sum_{l} e^{s_{il}}}, \qquad y_i = \sum_j a_{ij}\, x_j V $$
#
# There is no mask, no bias, no MLP and no layer norm. Where places matter, each row gets its row of a table `pos`
# appended: $[x_i ; \mathrm{pos}_i]$, **concatenated**, not added.


# %%
def attention_head(x, Q, K, V):
    """One head: x (n, d), Q and K (d, qk), V (d, out) -> output (n, out), weights (n, n).

    The rows of the weights sum to 1.
    """
    scores = (x @ Q) @ (x @ K).T / np.sqrt(K.shape[1])  # (query, key)
    # The largest score of each row is subtracted, so that nothing overflows.
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = weights / weights.sum(axis=1, keepdims=True)
    return weights @ (x @ V), weights


def one_hot(letters, alphabet="ABC"):
    """Letters with blanks between them, such as "A B C" -> (3, 3) one-hot rows."""
    return np.eye(len(alphabet))[[alphabet.index(letter) for letter in letters.split()]]


def with_places(x, pos):
    """Appends to each row of x (n, d) its row of pos (places, p) -> (n, d + p)."""
    return np.concatenate([x, pos[: len(x)]], axis=1)


# %% [markdown]
# With all weights zero, every score is 0 and each place sees the **average** of all tokens. That is the model that knows
# nothing; keep its picture in mind.

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered():
    zero_output, zero_weights = attention_head(
        one_hot("A B C C"), np.zeros((3, 1)), np.zeros((3, 1)), np.eye(3)
    )
    show_attention(
        zero_weights, "A B C C".split(), title="All weights zero: the average"
    )
    print(zero_output.round(2))

# %% [markdown]
# ## 3.1 Attention by content
# {{header 3.1}}
#
# Design `Q`, `K` (3 × qk) and `V` (3 × 3) so that **the output equals the input**, for every sequence of one to six
# tokens over A, B, C: there are 1,092. A token may look at itself and at equal tokens anywhere; they carry the same value.
#
# "Equal" means `abs(y - x) <= 1e-2 + 1e-3 * abs(x)`. A softmax never gives exact zeros, so some tolerance is needed; with
# a relative one alone, zeros would have to be exact. Very large scores are fine: this softmax does not overflow.
#
# <details><summary>Hint 1</summary>When are two one-hot vectors alike? Write the score of two tokens as one number for "equal" and one for "different".</details>
# <details><summary>Hint 2</summary>How large must the difference of the two be when one B stands among five As?</details>

# %%
# Shapes: Q and K (3, qk), V (3, 3). You choose qk.
# TODO: replace the None values.
# BEGIN SOLUTION 3.1
attention_by_content_Q = 6.0 * np.eye(3)
attention_by_content_K = 6.0 * np.eye(3)
attention_by_content_V = np.eye(3)
# END SOLUTION

# %% tags=["check"]
check("3.1")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("3.1"):
    x_31, letters_31 = one_hot("B A C A A"), "B A C A A".split()
    scores_31 = np.asarray(attention_by_content_Q) @ np.transpose(
        attention_by_content_K
    )
    scores_31 = scores_31 / np.sqrt(np.shape(attention_by_content_Q)[1])
    others_31 = np.where(np.eye(3, dtype=bool), -np.inf, scores_31).max(axis=1)
    gap_31 = float((np.diag(scores_31) - others_31).min())
    shares_31, runs_31 = np.linspace(0, 1, 21), []
    for share in shares_31:  # of your scores
        runs_31.append(
            attention_head(
                x_31,
                share * np.asarray(attention_by_content_Q),
                attention_by_content_K,
                attention_by_content_V,
            )
        )
    errors_31 = [np.abs(output - x_31).max() for output, _ in runs_31]
    frames_slider(
        heat(
            [weights for _, weights in runs_31], "your attention", letters_31, letters_31
        ),
        [f"score gap {share * gap_31:.1f}" for share in shares_31],
        "The larger the gap between scores, the cleaner the copy",
        says=[f"largest error of the output {error:.2g}" for error in errors_31],
    ).show()
    attention_viewer(
        runs_31[-1][1], letters_31, title="3.1 designed by hand: equal letters"
    ).show()

# %% [markdown]
# **What do you see?** Each query shares its attention evenly among tokens of its own kind: the three As have 0.33 each.
# The map depends on *what* the tokens are; shuffle the sequence and the pattern shuffles with it.

# %% tags=["record"]
record("3.1")

# %% [markdown]
# ## 3.2 Attention by position: copy the first token
# {{header 3.2}}
#
# A head can also decide by *place*. Each row is now $[x_i ; \mathrm{pos}_i]$, so `Q`, `K` and `V` have 3 + p rows: the first
# three meet the token, the others the place. Design `pos`, `Q`, `K`, `V` so that **every output row equals the first
# token**, for all 120 sequences of one to four tokens, with the tolerance of 3.1.
#
# | input | output |
# |---|---|
# | A B C C | A A A A |
# | C A C | C C C |
#
# <details><summary>Hint 1</summary>Which rows of K see the token, and which see the place? Which of them should matter?</details>
# <details><summary>Hint 2</summary>All queries may ask the same question. What must the answer of place 0 have that the others lack?</details>

# %%
# Shapes: pos (4, p), Q and K (3 + p, qk), V (3 + p, 3). You choose p and qk.
# TODO: replace the None values.
# BEGIN SOLUTION 3.2
attention_by_position_pos = np.eye(4)
only_first = np.array([[30.0], [0.0], [0.0], [0.0]])
attention_by_position_Q = np.vstack([np.ones((3, 1)), np.zeros((4, 1))])  # all ask 1
attention_by_position_K = np.vstack([np.zeros((3, 1)), only_first])
attention_by_position_V = np.vstack([np.eye(3), np.zeros((4, 3))])
# END SOLUTION

# %% tags=["check"]
check("3.2")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("3.2"):
    places_32 = with_places(one_hot("A B C C"), attention_by_position_pos)
    _, weights_32 = attention_head(
        places_32,
        attention_by_position_Q,
        attention_by_position_K,
        attention_by_position_V,
    )
    attention_viewer(
        weights_32, "A B C C".split(), title="3.2 designed by hand: the first place"
    ).show()

# %% [markdown]
# **What do you see?** One bright column: every query looks at place 0, whatever stands there. A model that averages would
# get "A A A" right too and pass about a third of random tests, so the grader tries every sequence.

# %% tags=["record"]
record("3.2")

# %% [markdown]
# ## 3.3 Attention by content and position: which tokens are unique?
# {{header 3.3}}
#
# Now every sequence begins with a token CLS, and tokens are 4-d one-hot (CLS, A, B, C). The head has **one** output number
# a place. Make it **positive where the token occurs once** in the sequence and **negative where it is repeated**, for all
# 120 sequences `CLS` + one to four tokens. Only the sign counts; what comes out at CLS itself does not.
#
# | input | signs wanted |
# |---|---|
# | CLS A B A | (any) − + − |
# | CLS C | (any) + |
#
# <details><summary>Hint 1</summary>An average of values tells how many tokens of one kind there are, if something fixed is averaged along with them.</details>
# <details><summary>Hint 2</summary>Let a token look at its own kind and at CLS, with values of opposite sign. CLS must outweigh one equal token, and lose against two.</details>
# <details><summary>Hint 3</summary>Weights are proportional to e^s. Which s makes CLS count as much as one and a half tokens?</details>

# %%
# Shapes: pos (5, p), Q and K (4 + p, qk), V (4 + p, 1). You choose p (0 is fine) and qk.
# TODO: replace the None values.
# BEGIN SOLUTION 3.3
# The places are not needed. Each kind of token answers on its own channel (the 2 makes up
# for the scale 1/sqrt(4)); CLS weighs as much as 1.5 tokens of one's own kind.
attention_by_content_and_position_pos = np.zeros((5, 1))
query_33, key_33 = np.zeros((5, 4)), np.zeros((5, 4))
key_33[:4] = 2.0 * np.eye(4)
query_33[1:4, 1:4] = 20.0 * np.eye(3)
query_33[1:4, 0] = 20.0 + np.log(1.5)
attention_by_content_and_position_Q = query_33
attention_by_content_and_position_K = key_33
attention_by_content_and_position_V = np.array([[1.0], [-1.0], [-1.0], [-1.0], [0.0]])
# END SOLUTION

# %% tags=["check"]
check("3.3")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("3.3"):
    letters_33 = ["CLS", *"A B A C".split()]
    places_33 = with_places(  # S stands for CLS here
        one_hot("S A B A C", "SABC"), attention_by_content_and_position_pos
    )
    output_33, weights_33 = attention_head(
        places_33,
        attention_by_content_and_position_Q,
        attention_by_content_and_position_K,
        attention_by_content_and_position_V,
    )
    attention_viewer(weights_33, letters_33, title="3.3 designed by hand").show()
    told_33 = zip(letters_33, output_33[:, 0], strict=True)
    print("outputs:", *(f"{letter} {number:+.2f}" for letter, number in told_33))

# %% [markdown]
# **What do you see?** Compare the CLS column in the rows of a unique token with that of the repeated A: the more equal tokens
# there are, the less attention is left for CLS. Softmax *counts*, because its weights compete for a total of 1.

# %% tags=["record"]
record("3.3")

# %% [markdown]
# ## 3.4 Identity and permutation
# {{header 3.4}}
#
# From here on rows of `x` are **any real vectors** with 3 numbers, on 5 places, and `pos` is given: the 5 × 5 identity. So
# a row is $[x_i ; e_i]$ with 8 numbers. Design two heads:
#
# 1. `identity_…`: the output equals the input, $y_i = x_i$.
# 2. `permutation_…`: place $i$ gives the input of place $\pi(i)$, with $\pi = (2, 0, 4, 1, 3)$: $y_0 = x_2,\ y_1 = x_0,\ y_2 = x_4,\ y_3 = x_1,\ y_4 = x_3$.
#
# Tolerance 1e-3. Inputs may be large, so tokens must not leak into the scores.
#
# <details><summary>Hint 1</summary>Set the rows of Q and K that meet the token to zero. What is left is a 5 × 5 matrix of scores that you may choose.</details>
# <details><summary>Hint 2</summary>With K's lower block the identity (times a large number), row i of Q's lower block says which place i looks at.</details>

# %%
# Shapes: Q and K (8, qk), V (8, 3). np.eye(5)[list(order)] makes a permutation matrix.
# TODO: replace the None values.
# BEGIN SOLUTION 3.4
identity_Q = np.vstack([np.zeros((3, 5)), 60.0 * np.eye(5)])
identity_K = np.vstack([np.zeros((3, 5)), np.eye(5)])
identity_V = np.vstack([np.eye(3), np.zeros((5, 3))])
permutation_Q = np.vstack([np.zeros((3, 5)), 60.0 * np.eye(5)[[2, 0, 4, 1, 3]]])
permutation_K = np.vstack([np.zeros((3, 5)), np.eye(5)])
permutation_V = np.vstack([np.eye(3), np.zeros((5, 3))])
# END SOLUTION

# %% tags=["check"]
check("3.4")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("3.4"):
    x_34 = np.random.default_rng(0).normal(size=(5, 3))
    _, weights_identity = attention_head(
        with_places(x_34, np.eye(5)), identity_Q, identity_K, identity_V
    )
    _, weights_permutation = attention_head(
        with_places(x_34, np.eye(5)), permutation_Q, permutation_K, permutation_V
    )
    show_attention(
        [weights_identity, weights_permutation],
        list("01234"),
        title=["identity", "permutation"],
        heading="One sharp weight in each row moves whole tokens",
    )

# %% [markdown]
# **What do you see?** With hard attention the map *is* a permutation matrix: row $i$ has its one at column $\pi(i)$. A trained
# head that shows such a map moves information from place to place and computes nothing else.

# %% tags=["record"]
record("3.4")

# %% [markdown]
# ## 3.5 A running linear layer
# {{header 3.5}}
#
# The same setting. Let each place look at itself, and let `V` apply one linear map everywhere: $y_i = x_i W$ with
#
# $$ W = \begin{pmatrix} 2 & -1 & 0 \\ 0 & 1 & 3 \\ 1 & 0 & -2 \end{pmatrix} $$
#
# Tolerance 1e-3. Then say what such a layer is called (set `running_linear_name` to a letter):
#
# {{options running_linear_name}}

# %%
W_35 = np.array([[2.0, -1.0, 0.0], [0.0, 1.0, 3.0], [1.0, 0.0, -2.0]])
# Shapes: Q and K (8, qk), V (8, 3).
# TODO: replace the None values.
# BEGIN SOLUTION 3.5 weights
running_linear_Q = np.vstack([np.zeros((3, 5)), 60.0 * np.eye(5)])
running_linear_K = np.vstack([np.zeros((3, 5)), np.eye(5)])
running_linear_V = np.vstack([W_35, np.zeros((5, 3))])
# END SOLUTION
# BEGIN SOLUTION 3.5 name
running_linear_name = "B"
# END SOLUTION

# %% tags=["check"]
check("3.5")

# %% tags=["record"]
record("3.5")

# %% [markdown]
# ## 3.6 Three heads make a convolution
# {{header 3.6}}
#
# Write a **function** that builds, for any kernel of shape (3, d, out), three heads whose outputs **add up to a convolution**
# (tolerance 1e-3; d and out may differ):
#
# $$ y_i = x_{i-1}\,\kappa_0 + x_i\,\kappa_1 + x_{i+1}\,\kappa_2 $$
#
# Sequences have 3 to 8 places and come with a zero token at each end, so that border queries have something to look at; the
# outputs at the two ends are not compared. **Each head looks at one place**, with more than 0.99 of its attention: one at the
# left neighbor, one at the place itself, one at the right neighbor, in any order. The grader calls your function with hidden kernels, runs your heads and compares
# with `torch.nn.functional.conv1d` (which, like all of deep learning, does not flip the kernel).
#
# <details><summary>Hint 1</summary>One head for each offset: −1, 0, +1. What differs between the heads besides V?</details>
# <details><summary>Hint 2</summary>np.eye(8, k=1) has its ones one column to the right of the diagonal.</details>


# %%
def conv_heads(kernel):
    """Three attention heads that add up to a convolution.

    kernel: (3, d, out); kernel[0] meets the left neighbour, kernel[1] the place itself,
    kernel[2] the right one.
    Returns pos (8, p), Q (3, d + p, qk), K (3, d + p, qk), V (3, d + p, out): one entry a head.
    """
    # TODO
    # BEGIN SOLUTION 3.6
    _, d, out = kernel.shape
    pos = np.eye(8)
    Q = np.stack(
        [
            np.vstack([np.zeros((d, 8)), 80.0 * np.eye(8, k=offset)])
            for offset in (-1, 0, 1)
        ]
    )
    K = np.stack([np.vstack([np.zeros((d, 8)), np.eye(8)])] * 3)
    V = np.stack([np.vstack([kernel[head], np.zeros((8, out))]) for head in range(3)])
    return pos, Q, K, V
    # END SOLUTION


# %% tags=["check"]
check("3.6")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("3.6"):
    pos_36, Q_36, K_36, V_36 = conv_heads(
        np.random.default_rng(0).normal(size=(3, 2, 2))
    )
    x_36 = np.zeros((6, 2))
    x_36[1:5] = np.random.default_rng(1).normal(size=(4, 2))
    x_36 = with_places(x_36, pos_36)
    maps_36 = [
        attention_head(x_36, Q_36[head], K_36[head], V_36[head])[1] for head in range(3)
    ]
    show_attention(
        maps_36,
        list("012345"),
        title=["left", "here", "right"],
        heading="Three heads, three taps of a convolution",
    )

# %% [markdown]
# **What do you see?** Three shifted diagonals. Multi-head attention with positions can express any convolution whose kernel has
# no more taps than there are heads (Cordonnier, Loukas and Jaggi, 2020); a convolution cannot express 3.1.

# %% tags=["record"]
record("3.6")

# %% [markdown]
# ## 3.7 What training finds
# {{header 3.7}}
#
# Now the same model learns the three tasks from examples: one random sequence a step, squared error, plain SGD with learning
# rate 0.1 for 10,001 steps. The next two cells are given; they take about 15 seconds in all. Read them, run them, look at
# the losses.

# %%
import torch


class TorchTransformer(torch.nn.Module):
    """The head of this homework in PyTorch.

    With pos_dim, each row gets its learned position appended.
    """

    def __init__(self, d, out, qk=8, pos_dim=0, places=6):
        super().__init__()
        self.pos = torch.nn.Parameter(0.25 * torch.randn(places, pos_dim))
        self.Q, self.K = (
            torch.nn.Parameter(0.25 * torch.randn(d + pos_dim, qk)) for _ in range(2)
        )
        self.V = torch.nn.Parameter(0.25 * torch.randn(d + pos_dim, out))

    def forward(self, x):
        x = torch.cat([x, self.pos[: len(x)]], dim=1)
        weights = torch.softmax(
            (x @ self.Q) @ (x @ self.K).T / self.Q.shape[1] ** 0.5, dim=1
        )
        return weights @ (x @ self.V)


# %%
def train(model, make_example, steps=10_001, seed=0):
    """One random example a step: make_example(rng) -> input, target, rows that count.

    Prints the loss five times.
    """
    rng, optimizer = (
        np.random.default_rng(seed),
        torch.optim.SGD(model.parameters(), lr=0.1),
    )
    losses = []
    for step in range(steps):
        x, target, rows = (torch.as_tensor(part) for part in make_example(rng))
        loss = torch.nn.functional.mse_loss(
            model(x.float())[rows], target.float()[rows]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 2500 == 0:
            print(
                f"  step {step:6,}: mean loss of the last 500 {np.mean(losses[-500:]):.5f}"
            )
    return losses


def copy_example(rng):
    x = np.eye(3)[rng.integers(3, size=rng.integers(1, 7))]
    return x, x, np.arange(len(x))


def first_token_example(rng):
    x = np.eye(3)[rng.integers(3, size=rng.integers(1, 5))]
    return x, np.repeat(x[:1], len(x), axis=0), np.arange(len(x))


def unique_example(rng):
    tokens = rng.integers(1, 4, size=rng.integers(1, 5))
    signs = np.array(
        [[1.0 if (tokens == token).sum() == 1 else -1.0] for token in tokens]
    )
    return (
        np.eye(4)[np.r_[0, tokens]],
        np.vstack([[[0.0]], signs]),
        np.arange(1, len(tokens) + 1),
    )


# %% tags=["skip-execution"]
# training (skipped while grading)
torch.manual_seed(0)
copy_model = TorchTransformer(3, 3, places=6)
first_model = TorchTransformer(3, 3, pos_dim=4, places=4)
unique_model = TorchTransformer(4, 1, pos_dim=4, places=5)
losses_37 = {}
for name, model, example in (
    ("3.1 copy", copy_model, copy_example),
    ("3.2 first token", first_model, first_token_example),
    ("3.3 unique", unique_model, unique_example),
):
    print(name)
    losses_37[name] = train(model, example)

(
    torch_transformer_content_Q,
    torch_transformer_content_K,
    torch_transformer_content_V,
) = (
    parameter.detach().numpy().copy()
    for parameter in (copy_model.Q, copy_model.K, copy_model.V)
)
(
    torch_transformer_position_pos,
    torch_transformer_position_Q,
    torch_transformer_position_K,
    torch_transformer_position_V,
) = (
    parameter.detach().numpy().copy()
    for parameter in (first_model.pos, first_model.Q, first_model.K, first_model.V)
)
(
    torch_transformer_both_pos,
    torch_transformer_both_Q,
    torch_transformer_both_K,
    torch_transformer_both_V,
) = (
    parameter.detach().numpy().copy()
    for parameter in (unique_model.pos, unique_model.Q, unique_model.K, unique_model.V)
)

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("3.7"):
    smooth_37 = {
        name: np.convolve(losses, np.ones(200) / 200, mode="valid")
        for name, losses in losses_37.items()
    }
    show_lines(
        {
            "title": "All three tasks are learned from single sequences",
            "x": "step",
            "y": "squared error (mean of 200 steps)",
            "log": "y",
            "lines": {
                name: (np.arange(len(values))[::20], values[::20])
                for name, values in smooth_37.items()
            },
        }
    )
    torch.manual_seed(0)
    young_37, frames_37 = TorchTransformer(3, 3, places=6), []
    letters_37 = torch.as_tensor(one_hot("A B C C")).float()
    for seed in range(20):
        with torch.no_grad():
            scores = (letters_37 @ young_37.Q) @ (letters_37 @ young_37.K).T
            frames_37.append(torch.softmax(scores / 8**0.5, dim=1).numpy())
        with contextlib.redirect_stdout(None):
            train(young_37, copy_example, steps=100, seed=seed)
    frames_slider(
        heat(frames_37, "attention", "ABCC", "ABCC"),
        [f"step {100 * frame:,}" for frame in range(20)],
        "Training 3.1: equal letters find each other",
    ).show()

# %% [markdown]
# ### Look inside
#
# `Q` and `K` are not determined by the task: only $QK^\top$ enters the scores, and $(QM)(KM^{-\top})^\top = QK^\top$ for every
# invertible $M$. So compare **scores between tokens** and attention, not raw weights.
#
# 1. Write `token_scores(Q, K)`: the matrix of scores $s$ between all pairs of one-hot tokens, **as the model computes them**,
#    rows for queries.
# 2. With it, set `trained_content_gap`: in each row, the token's own score minus the best other score; of the three rows, the smallest.
# 3. Set `trained_first_place_weight`: the smallest attention weight on place 0 of the trained 3.2 model, over **all queries of
#    all 120 sequences**.
#
# Three decimals are enough for 2 and 3. The points for training count together with them: the recorded weights must reach a
# mean squared error of at most 0.01 on 3.1 and 3.2, and 90% of the signs of 3.3 (the cells above do).


# %%
def token_scores(Q, K):
    """Scores between all pairs of tokens: Q and K (d, qk) -> (d, d).

    Row = query token, column = key token.
    """
    # TODO
    # BEGIN SOLUTION 3.7 scores
    return Q @ K.T / np.sqrt(K.shape[1])
    # END SOLUTION


# %% tags=["skip-execution"]
# training (skipped while grading): needs the trained weights
# TODO: replace the None values.
# BEGIN SOLUTION 3.7 probes
import itertools

trained_scores = token_scores(torch_transformer_content_Q, torch_transformer_content_K)
trained_content_gap = (
    np.diag(trained_scores) - (trained_scores - 1e9 * np.eye(3)).max(axis=1)
).min()
trained_first_place_weight = 1.0
for n in range(1, 5):
    for letters in itertools.product("ABC", repeat=n):
        x_n = with_places(one_hot(" ".join(letters)), torch_transformer_position_pos)
        _, weights_n = attention_head(
            x_n,
            torch_transformer_position_Q,
            torch_transformer_position_K,
            torch_transformer_position_V,
        )
        trained_first_place_weight = min(
            trained_first_place_weight, weights_n[:, 0].min()
        )
# STUB: trained_content_gap = None
# STUB: trained_first_place_weight = None
# END SOLUTION
print(
    "smallest score gap:",
    trained_content_gap,
    " smallest weight on place 0:",
    trained_first_place_weight,
)

# %% tags=["check"]
check("3.7")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("3.7"):
    scores_37 = {
        "trained": token_scores(
            torch_transformer_content_Q, torch_transformer_content_K
        )
    }
    if attention_by_content_Q is not None:
        scores_37["designed"] = token_scores(
            attention_by_content_Q, attention_by_content_K
        )
    show_matrices(
        {"": scores_37},
        title="Both score equal letters highest; yours by more",
        names=dict.fromkeys(scores_37, ("ABC", "ABC")),
    )

# %% [markdown]
# **What do you see?** The same pattern, a positive diagonal, at two different sizes (read the colour bars). Now the whole
# model, piece by piece, on one sequence.


# %% tags=["skip-execution"]
# figure (skipped while grading)
def eight_panels(x, Q, K, V):
    output, weights = attention_head(x, Q, K, V)
    return {
        "Q weights": Q,
        "K weights": K,
        "V weights": V,
        "attention": weights,
        "queries": x @ Q,
        "keys": x @ K,
        "values": x @ V,
        "output": output,
    }


def show_eight(title, letters, *rows):
    tokens = ("queries", "keys", "values", "output")
    show_matrices(
        dict(zip(("designed", "trained")[-len(rows) :], rows, strict=True)),
        title=title,
        names=dict.fromkeys(tokens, (letters, ()))
        | {"attention": (letters, letters)},
    )


sequence_37 = one_hot("A B C C")
with when_answered("3.1"):
    designed_37 = eight_panels(
        sequence_37,
        attention_by_content_Q,
        attention_by_content_K,
        attention_by_content_V,
    )
    learned_37 = eight_panels(
        sequence_37,
        torch_transformer_content_Q,
        torch_transformer_content_K,
        torch_transformer_content_V,
    )
    show_eight(
        "3.1 on A B C C: other matrices, the same attention",
        "ABCC",
        designed_37,
        learned_37,
    )
with when_answered("3.2"):
    designed_37 = eight_panels(
        with_places(sequence_37, attention_by_position_pos),
        attention_by_position_Q,
        attention_by_position_K,
        attention_by_position_V,
    )
    learned_37 = eight_panels(
        with_places(sequence_37, torch_transformer_position_pos),
        torch_transformer_position_Q,
        torch_transformer_position_K,
        torch_transformer_position_V,
    )
    show_eight(
        "3.2 on A B C C: other matrices, the same attention",
        "ABCC",
        designed_37,
        learned_37,
    )

# %% tags=["skip-execution"]
# figure (skipped while grading)
x_unique, letters_unique = one_hot("S A B A C", "SABC"), ["CLS", *"ABAC"]
rows_33 = []
with when_answered("3.3"):
    rows_33 = [
        eight_panels(
            with_places(x_unique, torch_transformer_both_pos),
            torch_transformer_both_Q,
            torch_transformer_both_K,
            torch_transformer_both_V,
        )
    ]
    designed_33 = eight_panels(
        with_places(x_unique, attention_by_content_and_position_pos),
        attention_by_content_and_position_Q,
        attention_by_content_and_position_K,
        attention_by_content_and_position_V,
    )
    rows_33.insert(0, designed_33)
with when_answered("3.3"):
    show_eight("3.3 on CLS A B A C: two ways to one answer", letters_unique, *rows_33)
    print("place     expected  ", *("designed", "trained")[-len(rows_33) :])
    for place, (token, sign) in enumerate(zip("ABAC", "-+-+", strict=True), start=1):
        found = ["-+"[int(panels["output"][place, 0] > 0)] for panels in rows_33]
        print(f"{place} ({token})     {sign}         ", "        ".join(found))

# %% [markdown]
# **What do you see?** The panels "Q weights", "K weights", "queries" and "keys" of the trained model look like noise beside yours,
# yet "attention" and "output" agree. The trained scores are smaller: once the softmax is nearly saturated, its gradient fades.
#
# ### In your words
# In 60 to 180 words: where do your design and the trained model agree, where do they differ, and why must raw `Q` and `K` not
# be compared? Point to numbers or panels. Write into the next cell (double-click it), below its first line.

# %% [markdown]
# **Answer 3.7**
#
# <!-- BEGIN SOLUTION 3.7 words -->
# For copying, both score matrices have a large diagonal: my gap is 20.8, the trained one a few units, and both attention maps put
# nearly all weight on equal tokens. The raw matrices look unrelated, because the loss sees Q and K only through their product: an
# invertible change of basis of both leaves every score as it is, so training ends in whichever basis the random start was near.
# The trained gap is smaller than mine because the gradient of a saturated softmax is almost zero; nothing pushes further.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("3.7")

# %% [markdown]
# ## 3.8a A previous-token head
# {{header 3.8a}}
#
# Language models use a **causal mask**: a place sees itself and earlier places only (scores to later places are −∞). Tokens
# are now A, B, C, D (4-d one-hot), up to 8 places. Design `pos` (8 × p), `Q`, `K`, `V` so that each place gives the **token
# before it**. Place 0 has none; its output does not count.
#
# <details><summary>Hint</summary>You have built this head before, in 3.6.</details>

# %%
# Shapes: pos (8, p), Q and K (4 + p, qk), V (4 + p, 4).
# TODO (extra credit): replace the None values.
# BEGIN SOLUTION 3.8a
previous_token_pos = np.eye(8)
previous_token_Q = np.vstack([np.zeros((4, 8)), 80.0 * np.eye(8, k=-1)])
previous_token_K = np.vstack([np.zeros((4, 8)), np.eye(8)])
previous_token_V = np.vstack([np.eye(4), np.zeros((8, 4))])
# END SOLUTION

# %% tags=["check"]
check("3.8a")

# %% tags=["record"]
record("3.8a")

# %% [markdown]
# ## 3.8b Two layers that continue a pattern
# {{header 3.8b}}
#
# A pattern of 2, 3 or 4 different tokens is said twice, as in `C A D C A D`. During the second saying each place must give the
# **token that comes next**: at the second C that is A, at A it is D, and at the last D it is C again.
#
# One layer cannot do it; two can (this circuit is called an *induction head*). Layer 1 reads $[x_i ; \mathrm{pos}_i]$ and gives 4
# numbers. Layer 2 reads $[x_i ; \mathrm{pos}_i ; \text{layer 1's output}_i]$ and gives 4 numbers. Both have the causal mask.
#
# <details><summary>Hint 1</summary>Place j is worth copying for place i if the token *before* j equals token i. Which layer knows the token before j?</details>
# <details><summary>Hint 2</summary>Under the mask, place 0 can only look at itself. What does your layer 1 say there, and whom does it mislead?</details>

# %%
# Shapes: pos (8, p), Q1 and K1 (4 + p, qk1), V1 (4 + p, 4), Q2 and K2 (8 + p, qk2), V2 (8 + p, 4).
# TODO (extra credit): replace the None values.
# BEGIN SOLUTION 3.8b
induction_pos = np.eye(8)
induction_Q1 = np.vstack([np.zeros((4, 8)), 80.0 * np.eye(8, k=-1)])
induction_K1 = np.vstack([np.zeros((4, 8)), np.eye(8)])
induction_V1 = np.vstack([np.eye(4), np.zeros((8, 4))])
query_38, key_38 = np.zeros((16, 5)), np.zeros((16, 5))
query_38[:4, :4] = 80.0 * np.eye(4)  # my token …
key_38[12:, :4] = np.eye(4)  # … against the token before each place, from layer 1
query_38[:4, 4] = 80.0
key_38[4, 4] = -1.0  # place 0 has no token before it: take it out
induction_Q2 = query_38
induction_K2 = key_38
induction_V2 = np.vstack([np.eye(4), np.zeros((12, 4))])
# END SOLUTION

# %% tags=["check"]
check("3.8b")

# %% tags=["record"]
record("3.8b")

# %% [markdown]
# ## Hand in
# **Save the notebook** (Ctrl+S, on a Mac ⌘S), then run this last cell. It says what is missing or out of date, and makes the one file that you
# hand in: `hw3_hand_designed_submission.zip` with this notebook as you saved it and `submission_log.json`.

# %%
finish()
