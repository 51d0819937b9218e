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
# and value matrices of a one-head Transformer so that it solves small tasks exactly. After each of the first three designs you
# train the same model on the same task, and in the end you say what training finds and what it cannot find.
#
# Fill the cells marked `TODO`, run the check below each, and run the record cell when you are happy with an answer.
# The last cell tells you what is recorded and what to hand in. About two hours and a half, and 45 minutes for
# the extra credit; you need numpy, torch and matplotlib.
#
# **Questions do not build on each other**: skip one and come back.

# %% tags=["kit"]
from autograder.author.build import use_kit

use_kit("hw3")

# %%
import numpy as np
from homework_kit import (
    attention_viewer,
    check,
    compare_heads,
    finish,
    frames_slider,
    heat,
    record,
    show_attention,
    show_matrices,
    train_head,
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
# appended: $[x_i ; \mathrm{pos}_i]$, **concatenated**, not added. Functions that you write leave the arrays that they are given as they are.


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
        zero_weights,
        "A B C C".split(),
        title="All scores 0: every token sees the average",
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

# %% [markdown]
# **Predict before you run the next cell** (not graded): in `B A C A A`, how much attention will the first A give to each token?

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
            [weights for _, weights in runs_31],
            "your attention",
            letters_31,
            letters_31,
        ),
        [f"score gap {share * gap_31:.1f}" for share in shares_31],
        "The larger the gap between scores, the cleaner the copy",
        says=[f"largest error of the output {error:.2g}" for error in errors_31],
    ).show()
    attention_viewer(
        runs_31[-1][1], letters_31, title="3.1 designed by hand: equal letters"
    ).show()

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# Each query shares its attention evenly among tokens of its own kind: the three As have 0.33 each.
# The map depends on *what* the tokens are; shuffle the sequence and the pattern shuffles with it.
#
# </details>

# %% tags=["record"]
record("3.1")

# %% [markdown]
# ### What does training find?
#
# `train_head("3.1")` starts this very model (qk = 8) from small random weights and takes 10,001 steps of plain gradient
# descent on the squared error, one random sequence a step. That takes about 10 s on two free cores, and up to a minute if other programs
# use them too; the same holds for 3.2 and 3.3. **First predict**: will the trained gap between the scores of
# equal and different tokens be larger than yours, the same, or smaller? Your prediction is not graded; 3.7 comes back to it.

# %%
prediction_31 = None  # TODO: "larger", "the same" or "smaller"

# %% tags=["skip-execution"]
# training (skipped while grading)
trained_31 = train_head("3.1")
torch_transformer_content_Q = trained_31["Q"]
torch_transformer_content_K = trained_31["K"]
torch_transformer_content_V = trained_31["V"]
with when_answered("3.1"):
    designed_31 = {
        "Q": attention_by_content_Q,
        "K": attention_by_content_K,
        "V": attention_by_content_V,
    }
    compare_heads("3.1", trained_31, designed_31)

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# The matrices Q and K look unrelated, yet attention and output agree. Compare what the task determines, not what it leaves open.
#
# </details>

# %% [markdown]
# ## 3.1b How large a gap is enough?
# {{header 3.1b}}
#
# With the tolerance of 3.1 and up to six tokens: how small may the **score gap** be, the score $s$ of equal tokens minus that of
# different ones, after the division by $\sqrt{d_{qk}}$? Which of the 1,092 sequences is the hardest? Set
# `smallest_score_gap`, to two decimals. Reason with a pencil; then try your number as a design in 3.1.
#
# <details><summary>Hint 1</summary>Put one B among five other tokens. Write its attention as a fraction with e to the gap.</details>
# <details><summary>Hint 2</summary>Each wanted 0 of the output may be off by 0.01. Which five tokens put the most into one of them?</details>

# %%
# TODO: a number.
# BEGIN SOLUTION 3.1b
# One B among five As: the weight on the As, 5 / (e^gap + 5), may be 0.01 at most.
smallest_score_gap = np.log(5 / 0.01 - 5)
# STUB: smallest_score_gap = None
# END SOLUTION

# %% tags=["check"]
check("3.1b")

# %% tags=["record"]
record("3.1b")

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

# %% [markdown]
# **Predict before you run the next cell** (not graded): which cells of the map for `A B C C` will be bright?

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
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# One bright column: every query looks at place 0, whatever stands there. A model that averages would
# get "A A A" right too and pass about a third of random tests, so the grader tries every sequence.
#
# </details>

# %% tags=["record"]
record("3.2")

# %% [markdown]
# Before you train: to which place will the trained head give the most attention, and will its four rows of `pos` look like
# yours?

# %%
prediction_32 = None  # TODO: in a few words; not graded

# %% tags=["skip-execution"]
# training (skipped while grading)
trained_32 = train_head("3.2")
torch_transformer_position_pos = trained_32["pos"]
torch_transformer_position_Q = trained_32["Q"]
torch_transformer_position_K = trained_32["K"]
torch_transformer_position_V = trained_32["V"]
with when_answered("3.2"):
    designed_32 = {
        "pos": attention_by_position_pos,
        "Q": attention_by_position_Q,
        "K": attention_by_position_K,
        "V": attention_by_position_V,
    }
    compare_heads("3.2", trained_32, designed_32)

# %% [markdown]
# ## 3.3 Which tokens are unique?
# {{header 3.3}}
#
# Now every sequence begins with a token CLS, and tokens are 4-d one-hot (CLS, A, B, C). The head has **one** output number
# a place. Make it **positive where the token occurs once** in the sequence and **negative where it is repeated**, for all
# 120 sequences `CLS` + one to four tokens. Only the sign counts; what comes out at CLS itself does not. Do you need places?
# If not, give `pos` the shape (5, 0).
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

# %% [markdown]
# **Predict before you run the next cell** (not graded): in which row will CLS get the most attention, in that of a unique or of a repeated token?

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
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# Compare the CLS column in the rows of a unique token with that of the repeated A: the more equal tokens
# there are, the less attention is left for CLS. Softmax *counts*, because its weights compete for a total of 1.
#
# </details>

# %% tags=["record"]
record("3.3")

# %% [markdown]
# The same comparison. Which sign will the trained head get wrong first, if any?

# %%
prediction_33 = None  # TODO: in a few words; not graded

# %% tags=["skip-execution"]
# training (skipped while grading)
trained_33 = train_head("3.3")
torch_transformer_both_pos = trained_33["pos"]
torch_transformer_both_Q = trained_33["Q"]
torch_transformer_both_K = trained_33["K"]
torch_transformer_both_V = trained_33["V"]
with when_answered("3.3"):
    designed_33 = {
        "pos": attention_by_content_and_position_pos,
        "Q": attention_by_content_and_position_Q,
        "K": attention_by_content_and_position_K,
        "V": attention_by_content_and_position_V,
    }
    compare_heads("3.3", trained_33, designed_33)

# %% [markdown]
# ## 3.3b First or repeated? Content *and* place
# {{header 3.3b}}
#
# 3.3 needed no places. This one needs both. The setting is that of 3.3: CLS first, then one to four tokens, one output number
# a place. Make it **positive where a token occurs for the first time** and **negative at its repeats**, for all 120 sequences. There
# is no mask: if the head must not look at itself or at later places, `Q`, `K` and `pos` have to see to it.
#
# | input | signs wanted |
# |---|---|
# | CLS A B A A | (any) + + − − |
# | CLS C | (any) + |
#
# <details><summary>Hint 1</summary>A score is a sum over the columns of Q and K. Some columns can compare tokens, others places.</details>
# <details><summary>Hint 2</summary>Let the places say "earlier" or "not earlier": a 5 × 5 matrix of your choice, with K's place rows the identity.</details>
# <details><summary>Hint 3</summary>Three levels: an equal token before me, CLS, everything else. Which of them has which value?</details>

# %%
# Shapes: pos (5, p), Q and K (4 + p, qk), V (4 + p, 1). np.triu(np.ones((5, 5))) is 1 on and above the diagonal.
# TODO: replace the None values.
# BEGIN SOLUTION 3.3b
# Columns 0–3 compare tokens, columns 4–8 places. An equal token before me scores 20,
# CLS scores 10, a place that is not before me loses 100.
not_before = np.triu(np.ones((5, 5)))
not_before[:, 0] = 0.0  # CLS may always be looked at
first_occurrence_pos = np.eye(5)
query_33b, key_33b = np.zeros((9, 9)), np.zeros((9, 9))
query_33b[:4, :4] = 60.0 * np.eye(4)
query_33b[1:4, 0] = 30.0
key_33b[:4, :4] = np.eye(4)
query_33b[4:, 4:] = -300.0 * not_before
key_33b[4:, 4:] = np.eye(5)
first_occurrence_Q = query_33b
first_occurrence_K = key_33b
first_occurrence_V = np.array([[1.0], [-1.0], [-1.0], [-1.0], *[[0.0]] * 5])
# STUB: first_occurrence_pos = None
# STUB: first_occurrence_Q = None
# STUB: first_occurrence_K = None
# STUB: first_occurrence_V = None
# END SOLUTION

# %% tags=["check"]
check("3.3b")

# %% [markdown]
# **Predict before you run the next cell** (not graded): where will the bright cells of the last A be?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("3.3b"):
    places_33b = with_places(one_hot("S A B A A", "SABC"), first_occurrence_pos)
    output_33b, weights_33b = attention_head(
        places_33b, first_occurrence_Q, first_occurrence_K, first_occurrence_V
    )
    attention_viewer(
        weights_33b,
        ["CLS", *"ABAA"],
        title="3.3b designed by hand: a repeat looks back, a first at CLS",
    ).show()
    print("outputs:", *(f"{number:+.2f}" for number in output_33b[:, 0]))

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# A first occurrence finds nothing before it and falls back on CLS, a repeat shares
# its attention among the earlier copies. CLS is where attention goes that has nothing to look at; trained models use their first token
# for that, too.
#
# </details>

# %% tags=["record"]
record("3.3b")

# %% [markdown]
# ## 3.4 One construction: identity, permutation, linear layer
# {{header 3.4}}
#
# From here on rows of `x` are **any real vectors**, and `pos` is given: the n × n identity. So a row is $[x_i ; e_i]$ with
# d + n numbers. Write a function that builds the head that gives, at each place $i$, the input of place $\pi(i)$ through one
# linear map:
#
# $$ y_i = x_{\pi(i)} W $$
#
# One construction, three classics: with $\pi(i) = i$ and $W = I$ it is the **identity**, with $W = I$ a **permutation**, with
# $\pi(i) = i$ a **running linear layer**. Tolerance 1e-3. Inputs may be large, so tokens must not leak into the scores.
#
# <details><summary>Hint 1</summary>Set the rows of Q and K that meet the token to zero. What is left is an n × n matrix of scores that you may choose.</details>
# <details><summary>Hint 2</summary>With K's lower block the identity (times a large number), row i of Q's lower block says which place i looks at.</details>


# %%
def moving_head(order, W):
    """A head with y_i = x_order[i] W on n places: order (n,), W (d, out).

    Returns Q and K (d + n, qk) and V (d + n, out); rows 0 to d - 1 meet the token.
    order [1, 0], W [[5.0]]: x = [[2], [3]] gives [[15], [10]].
    """
    # TODO
    # BEGIN SOLUTION 3.4
    n, (d, out) = len(order), W.shape
    Q = np.vstack([np.zeros((d, n)), 60.0 * np.eye(n)[list(order)]])
    K = np.vstack([np.zeros((d, n)), np.eye(n)])
    V = np.vstack([W, np.zeros((n, out))])
    return Q, K, V
    # END SOLUTION


# %% tags=["check"]
check("3.4")

# %% [markdown]
# **Predict before you run the next cell** (not graded): what will the attention of the order (2, 0, 4, 1, 3) look like?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("3.4"):
    x_34 = with_places(np.random.default_rng(0).normal(size=(5, 3)), np.eye(5))
    maps_34 = [
        attention_head(x_34, *moving_head(np.array(order_34), np.eye(3)))[1]
        for order_34 in ([0, 1, 2, 3, 4], [2, 0, 4, 1, 3])
    ]
    show_attention(
        maps_34,
        list("01234"),
        title=["identity", "permutation"],
        heading="One sharp weight in each row moves whole tokens",
    )

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# With hard attention the map *is* a permutation matrix: row i has its one at column π(i).
# A trained head that shows such a map moves information from place to place and computes nothing else.
#
# </details>

# %% tags=["record"]
record("3.4")

# %% [markdown]
# ## 3.5 A running linear layer
# {{header 3.5}}
#
# Let $\pi(i) = i$: the same linear map $W$ at each place, and places never mix. What is such a layer called? (Set
# `running_linear_name` to a letter.)
#
# {{options running_linear_name}}

# %%
# TODO: a letter.
# BEGIN SOLUTION 3.5 name
running_linear_name = "B"
# STUB: running_linear_name = None
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
# Sequences have 3 to 8 places, among them a zero token at each end, so that border queries have something to look at; the
# outputs at the two ends are not compared. **Each head looks at one place**, with more than 0.99 of its attention: one at the
# left neighbor, one at the place itself, one at the right neighbor, in any order. The grader calls your function with hidden kernels, runs your heads and compares
# with `torch.nn.functional.conv1d` (which, like all of deep learning, does not flip the kernel).
#
# <details><summary>Hint 1</summary>One head for each offset: −1, 0, +1. What differs between the heads besides V?</details>
# <details><summary>Hint 2</summary>np.eye(8, k=1) has its ones one column to the right of the diagonal.</details>


# %%
def conv_heads(kernel):
    """Three attention heads that add up to a convolution.

    kernel: (3, d, out); kernel[0] meets the left neighbor, kernel[1] the place itself,
    kernel[2] the right one.
    Returns pos (8, p), Q (3, d + p, qk), K (3, d + p, qk), V (3, d + p, out): one entry a head.

    A kernel (3, 1, 1) gives shapes (8, p), (3, 1 + p, qk), (3, 1 + p, qk), (3, 1 + p, 1).
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

# %% [markdown]
# **Predict before you run the next cell** (not graded): where will each head's bright cells lie?

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
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# Three shifted diagonals. Multi-head attention with positions can express any convolution whose kernel has
# no more taps than there are heads (Cordonnier, Loukas and Jaggi, 2020); a convolution cannot express 3.1.
#
# </details>

# %% tags=["record"]
record("3.6")

# %% [markdown]
# ## 3.7 What training finds, and what it cannot
# {{header 3.7}}
#
# You trained three heads on the way. Now look inside: what of `Q` and `K` does a task determine?
#
# 1. Write `token_scores(Q, K)`: the matrix of scores $s$ between all pairs of one-hot tokens, **as the model computes them**,
#    rows for queries.
# 2. Write `other_basis(Q, K, M)`: for an invertible $M$ return $QM$ and the `K` that goes with it, so that **no score changes**. So
#    raw weights are one choice among infinitely many.
#
# <details><summary>Hint</summary>(AB)ᵀ = BᵀAᵀ, and the transpose of an inverse is the inverse of the transpose. What has to stand between QM and Kᵀ?</details>


# %%
def token_scores(Q, K):
    """Scores between all pairs of tokens: Q and K (d, qk) -> (d, d).

    Row = query token, column = key token.

    Q = [[2.0], [0.0]], K = [[1.0], [3.0]] -> [[2.0, 6.0], [0.0, 0.0]]
    """
    # TODO
    # BEGIN SOLUTION 3.7 scores
    return Q @ K.T / np.sqrt(K.shape[1])
    # END SOLUTION


# %%
def other_basis(Q, K, M):
    """Q, K (d, qk) and an invertible M (qk, qk) -> Q @ M and the K (d, qk) that goes with it.

    Q = K = [[1.0]], M = [[2.0]] -> [[2.0]], [[0.5]]
    """
    # TODO
    # BEGIN SOLUTION 3.7 basis
    return Q @ M, K @ np.linalg.inv(M).T
    # END SOLUTION


# %% [markdown]
# Two heads of 3.1's kind give the same outputs on **every** sequence. What can be said of their weights? (Set `identifiable` to a
# letter. What does a softmax make of a row to which one number is added?)
#
# {{options identifiable}}

# %%
# TODO: a letter.
# BEGIN SOLUTION 3.7 choice
identifiable = "C"
# STUB: identifiable = None
# END SOLUTION

# %% [markdown]
# Now measure on your trained heads, three decimals each:
#
# - `trained_content_gap`: in each row of the scores of 3.1, the token's own score minus the best other score; of the three rows, the
#   smallest. Was your prediction right?
# - `trained_first_place_weight`: the smallest attention weight on place 0 of the trained 3.2 head, over **all queries of all 120
#   sequences**.
#
# The trained weights earn points, too, together with these numbers: they must reach a mean squared error of at most 0.01 on 3.1 and
# 3.2, and 90% of the signs of 3.3. Those of the given training cells do; the record cell below records them.

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
print(f"gap {trained_content_gap}, weight {trained_first_place_weight}")
print(f"you predicted: {prediction_31}")

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
    highest_37 = all(
        np.array_equal(np.argmax(scores, axis=1), range(3))
        for scores in scores_37.values()
    )
    told_37 = (
        "Equal letters have the highest score"
        if highest_37
        else "Not every letter scores highest with itself"
    )
    show_matrices(
        {"": scores_37},
        title=told_37,
        names=dict.fromkeys(scores_37, ("ABC", "ABC")),
    )

# %% [markdown]
# ### In your words
# In 60 to 150 words (15 minutes): where do your design and the trained model agree, why must raw `Q` and `K` not be compared, and
# what did you predict, what came, and why? Point to numbers. Write into the next cell (double-click it), below its first line.

# %% [markdown]
# **Answer 3.7**
#
# <!-- BEGIN SOLUTION 3.7 words -->
# For copying, both score matrices have a large diagonal: my gap is 20.8, the trained one a few units, and both attention maps put
# nearly all weight on equal tokens. The raw matrices look unrelated, because the loss sees Q and K only through their product: an
# invertible change of basis of both leaves every score as it is, so training ends in whichever basis the random start was near.
# I predicted a larger gap, as training goes on for 10,001 steps. It is smaller because the gradient of a saturated softmax is almost
# zero; nothing pushes further.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("3.7")

# %% [markdown]
# ## 3.8a A previous-token head
# {{header 3.8a}}
#
# Language models use a **causal mask**: a place sees itself and earlier places only (scores to later places are −∞). Tokens
# are now A, B, C, D (4-d one-hot), up to 8 places. Design `pos` (8 × p), `Q`, `K`, `V` so that each place outputs the **token
# before it**, equal in the sense of 3.1. Place 0 has none; its output does not count.
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
# A pattern of 2, 3 or 4 different tokens stands there twice, as in `C A D C A D`. Each place of the second copy must output the
# **token that comes next** in the pattern: at the second C that is A, at the second A it is D, and at the last D it is C again. The first copy does not count.
#
# One layer cannot do it; two can (this circuit is called an *induction head*). Layer 1 reads $[x_i ; \mathrm{pos}_i]$ and outputs 4
# numbers. Layer 2 reads $[x_i ; \mathrm{pos}_i ; \text{layer 1's output}_i]$ and outputs 4 numbers. Both have the causal mask.
#
# <details><summary>Hint 1</summary>Place j is worth copying for place i if the token *before* j equals token i. Which layer knows the token before j?</details>
# <details><summary>Hint 2</summary>Under the mask, place 0 can only look at itself. What does your layer 1 output there, and which queries does that mislead?</details>

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
