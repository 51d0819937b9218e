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
# Learned matrices make it hard to see what attention can do. In this homework, **you** write the numbers: you choose the query, key and value
# matrices of a one-head Transformer so that it solves small tasks exactly. After each of the first three designs, you train the same model on the
# same task. At the end, you explain what training finds and what it cannot find.
#
# Complete the cells marked `TODO`, run the check below each, and run the record cell when you are satisfied with an answer. The last cell tells
# you what is recorded and what to hand in. The homework takes about two and a half hours, and the extra credit another 45 minutes. You need
# numpy, torch and matplotlib.
#
# **Questions do not build on each other**: you can skip one and come back to it.

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
# There is no mask, no bias, no MLP and no layer norm. Where places matter, each row of `x` is extended by the row of a table `pos` for its place:
# $[x_i ; \mathrm{pos}_i]$. The two are **concatenated**, not added. Your functions must not change the arrays that they are given.


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
    """Letters separated by blanks, such as "A B C" -> (3, 3) one-hot rows."""
    return np.eye(len(alphabet))[[alphabet.index(letter) for letter in letters.split()]]


def with_places(x, pos):
    """Appends to each row of x (n, d) its row of pos (places, p) -> (n, d + p)."""
    return np.concatenate([x, pos[: len(x)]], axis=1)


# %% [markdown]
# If `Q` and `K` are zero, every score is 0 and each place sees the **average** of all tokens. This is the model that knows nothing. Keep its map
# in mind.

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
# Design `Q` and `K` (3 × qk) and `V` (3 × 3) so that **the output equals the input** for every sequence of one to six tokens A, B and C. There
# are 1,092 such sequences. A token may look at itself and at equal tokens at other places, because they have the same value.
#
# Here, "equals" means `abs(y - x) <= 1e-2 + 1e-3 * abs(x)`. A softmax never gives exact zeros, so some tolerance is needed. With a relative
# tolerance alone, zeros would have to be exact. Very large scores are fine, because this softmax does not overflow.
#
# <details><summary>Hint 1</summary>How can a score show that two one-hot vectors are equal? Write the score of two tokens as one number for "equal" and another for "different".</details>
# <details><summary>Hint 2</summary>How large must the difference between these two numbers be when there is one B among five As?</details>

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
# Each query divides its attention evenly among tokens of its own kind: the three As get 0.33 each. The map depends on *what* the tokens are. If
# you shuffle the sequence, the pattern is shuffled with it.
#
# </details>

# %% tags=["record"]
record("3.1")

# %% [markdown]
# ### What does training find?
#
# `train_head("3.1")` starts the same model (qk = 8) from small random weights and takes 10,001 steps of plain gradient descent on the squared
# error, with one random sequence in each step. This takes about 10 s on two free cores, and up to a minute if other programs also use them. The
# same holds for 3.2 and 3.3. **First predict**: will the trained gap between the scores of equal and different tokens be larger than yours, the
# same, or smaller? Your prediction is not graded; 3.7 comes back to it.

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
# The trained matrices Q and K look unrelated to yours, but the attention and the output agree. When you compare models, compare what the task
# determines, not what it leaves open.
#
# </details>

# %% [markdown]
# ## 3.1b How large a score gap is enough?
# {{header 3.1b}}
#
# The **score gap** is the score $s$ of equal tokens minus that of different ones, after the division by $\sqrt{d_{qk}}$. How small may it be,
# with the tolerance of 3.1 and up to six tokens? Which of the 1,092 sequences is the hardest? Set `smallest_score_gap`, correct to two decimals.
# Find the number on paper, then try it as a design in 3.1.
#
# <details><summary>Hint 1</summary>Put one B among five other tokens. Write its attention as a fraction that contains e to the power of the gap.</details>
# <details><summary>Hint 2</summary>Each expected 0 of the output may be off by 0.01. Which five tokens add the most to one of these zeros?</details>

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
# A head can also decide by *place*. Each row is now $[x_i ; \mathrm{pos}_i]$, so `Q`, `K` and `V` have 3 + p rows: the first three see the token,
# and the others see the place. Design `pos`, `Q`, `K` and `V` so that **every output row equals the first token**, for all 120 sequences of one
# to four tokens, with the tolerance of 3.1.
#
# | input | output |
# |---|---|
# | A B C C | A A A A |
# | C A C | C C C |
#
# <details><summary>Hint 1</summary>Which rows of K see the token, and which see the place? Which of them should matter?</details>
# <details><summary>Hint 2</summary>All queries may be the same. What must place 0 offer to them that the other places do not offer?</details>

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
# There is one bright column: every query looks at place 0, whatever token is there. A model that averages would also be right on "A A A" and
# would pass about a third of random tests, so the grader tries every sequence.
#
# </details>

# %% tags=["record"]
record("3.2")

# %% [markdown]
# **Predict before you train** (not graded): which place will get the most attention from the trained head? Will its four rows of `pos` look like
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
# Now every sequence begins with the token CLS, and tokens are one-hot vectors of four numbers (CLS, A, B, C). The head has **one** output number
# for each place. Make it **positive where the token occurs once** in the sequence and **negative where the token is repeated**, for all 120
# sequences of `CLS` and one to four tokens. Only the sign counts, and the output at CLS itself does not count. Do you need places? If not, give
# `pos` the shape (5, 0).
#
# | input | expected signs |
# |---|---|
# | CLS A B A | (any) − + − |
# | CLS C | (any) + |
#
# <details><summary>Hint 1</summary>An average of values tells how many tokens of one kind there are if it also includes something fixed.</details>
# <details><summary>Hint 2</summary>Let a token look at its own kind and at CLS, with values of opposite sign. CLS must outweigh one equal token, and two equal tokens must outweigh CLS.</details>
# <details><summary>Hint 3</summary>Weights are proportional to e^s. Which s makes CLS count as much as one and a half tokens?</details>

# %%
# Shapes: pos (5, p), Q and K (4 + p, qk), V (4 + p, 1). You choose p (0 is fine) and qk.
# TODO: replace the None values.
# BEGIN SOLUTION 3.3
# The places are not needed. Each kind of token answers on its own channel (the 2 cancels
# the scale 1/sqrt(4)). CLS weighs as much as 1.5 tokens of the query's own kind.
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
# **Predict before you run the next cell** (not graded): in which row will CLS get more attention, in that of a unique token or in that of a
# repeated token?

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
# In the CLS column, compare the rows of the unique tokens with the rows of the repeated A: the more equal tokens there are, the less attention is
# left for CLS. The softmax *counts*, because its weights compete for a total of 1.
#
# </details>

# %% tags=["record"]
record("3.3")

# %% [markdown]
# Now train this model and compare. **Predict before you train** (not graded): which sign will the trained head get wrong first, if any?

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
# The task of 3.3 needs no places. This task needs both content and places. The setting is that of 3.3: CLS first, then one to four tokens, and
# one output number for each place. Make it **positive where a token occurs for the first time** and **negative at its repeats**, for all 120
# sequences. There is no mask: if a query must not look at its own place or at later places, `Q`, `K` and `pos` must prevent it.
#
# | input | expected signs |
# |---|---|
# | CLS A B A A | (any) + + − − |
# | CLS C | (any) + |
#
# <details><summary>Hint 1</summary>A score is a sum over the columns of Q and K. Some columns can compare tokens, and others can compare places.</details>
# <details><summary>Hint 2</summary>Let the places say "earlier" or "not earlier". If the place rows of K are the identity, this is a 5 × 5 matrix of your choice.</details>
# <details><summary>Hint 3</summary>There are three levels: an equal token before the query, CLS, and everything else. Which of them has which value?</details>

# %%
# Shapes: pos (5, p), Q and K (4 + p, qk), V (4 + p, 1). np.triu(np.ones((5, 5))) is 1 on and above the diagonal.
# TODO: replace the None values.
# BEGIN SOLUTION 3.3b
# Columns 0–3 compare tokens, columns 4–8 compare places. An equal token before the query
# scores 20, CLS scores 10, and a place that is not before the query loses 100.
not_before = np.triu(np.ones((5, 5)))
not_before[:, 0] = 0.0  # every query may look at CLS
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
# **Predict before you run the next cell** (not graded): which cells in the row of the last A will be bright?

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
# A first occurrence finds no equal token before it, so its attention goes to CLS. A repeat divides its attention among the earlier
# copies. CLS receives the attention that has nothing else to look at. Trained models use their first token for this, too.
#
# </details>

# %% tags=["record"]
record("3.3b")

# %% [markdown]
# ## 3.4 One construction: identity, permutation, linear layer
# {{header 3.4}}
#
# Now the rows of `x` are **any real vectors**, and `pos` is given: it is the n × n identity. A row is therefore $[x_i ; e_i]$ with
# d + n numbers. Write a function that builds a head whose output at each place $i$ is the input at place $\pi(i)$, multiplied by
# one matrix $W$:
#
# $$ y_i = x_{\pi(i)} W $$
#
# This one construction covers three well-known layers:
#
# - With $\pi(i) = i$ and $W = I$, it is the **identity**.
# - With $W = I$, it is a **permutation**.
# - With $\pi(i) = i$, it is a **running linear layer**.
#
# The tolerance is 1e-3. Inputs may be large, so tokens must not influence the scores.
#
# <details><summary>Hint 1</summary>Set the rows of Q and K that see the token to zero. What is left is an n × n matrix of scores that you can choose.</details>
# <details><summary>Hint 2</summary>If the lower block of K is the identity (times a large number), row i of Q's lower block says which place the query at place i looks at.</details>


# %%
def moving_head(order, W):
    """A head with y_i = x_order[i] W on n places: order (n,), W (d, out).

    Returns Q and K (d + n, qk) and V (d + n, out); rows 0 to d - 1 see the token.
    For order [1, 0] and W [[5.0]], x = [[2], [3]] gives [[15], [10]].
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
# **Predict before you run the next cell** (not graded): what will the attention map for the order (2, 0, 4, 1, 3) look like?

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
# With hard attention, the map *is* a permutation matrix: row i has its 1 in column π(i). A trained head with such a map moves information from
# place to place and computes nothing else.
#
# </details>

# %% tags=["record"]
record("3.4")

# %% [markdown]
# ## 3.5 A running linear layer
# {{header 3.5}}
#
# Let $\pi(i) = i$. Then the layer applies the same linear map $W$ at each place, and places never mix. What is such a layer called? Set
# `running_linear_name` to a letter:
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
# Sequences have 3 to 8 places, including a zero token at each end. The outputs at the two ends are not compared, so every query that counts has
# two neighbors to look at. **Each head looks at one place** with more than 0.99 of its attention: one head at the left neighbor, one at the place
# itself, one at the right neighbor, in any order. The grader calls your function with hidden kernels, runs your heads, and compares the sum with
# `torch.nn.functional.conv1d`. (This function does not flip the kernel, as is usual in deep learning.)
#
# <details><summary>Hint 1</summary>Use one head for each offset: −1, 0, +1. What differs between the heads besides V?</details>
# <details><summary>Hint 2</summary>The ones of np.eye(8, k=1) are one column to the right of the diagonal.</details>


# %%
def conv_heads(kernel):
    """Three attention heads that add up to a convolution.

    kernel: (3, d, out); kernel[0] is for the left neighbor, kernel[1] for the place itself,
    and kernel[2] for the right neighbor.
    Returns pos (8, p), Q (3, d + p, qk), K (3, d + p, qk) and V (3, d + p, out). Q, K and V
    have one entry for each head.

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
# **Predict before you run the next cell** (not graded): which cells of each head's map will be bright?

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
# There are three shifted diagonals. Multi-head attention with positions can express any convolution whose kernel has no more taps than there are
# heads (Cordonnier, Loukas and Jaggi, 2020). A convolution cannot express 3.1.
#
# </details>

# %% tags=["record"]
record("3.6")

# %% [markdown]
# ## 3.7 What training finds, and what it cannot
# {{header 3.7}}
#
# You have trained three heads. Now look inside them: what does a task determine about `Q` and `K`?
#
# 1. Write `token_scores(Q, K)`: the matrix of scores $s$ between all pairs of one-hot tokens, **as the model computes them**, with one row for
#    each query token.
# 2. Write `other_basis(Q, K, M)`: for an invertible $M$, return $QM$ and the `K` that goes with it, so that **no score changes**. The raw weights
#    are therefore one choice among infinitely many.
#
# <details><summary>Hint</summary>(AB)ᵀ = BᵀAᵀ, and the transpose of an inverse is the inverse of the transpose. What must be between QM and Kᵀ?</details>


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
# Two heads as in 3.1 give the same outputs on **every** sequence. Which parts of their weights must be equal? (How does the softmax of a row
# change if you add one number to the whole row?) Set `identifiable` to a letter:
#
# {{options identifiable}}

# %%
# TODO: a letter.
# BEGIN SOLUTION 3.7 choice
identifiable = "C"
# STUB: identifiable = None
# END SOLUTION

# %% [markdown]
# Now measure two numbers on your trained heads, correct to three decimals:
#
# - `trained_content_gap`: in each row of the scores of 3.1, subtract the best other score from the token's own score. Take the smallest of the
#   three differences. Was your prediction correct?
# - `trained_first_place_weight`: the smallest attention weight that the trained head of 3.2 puts on place 0, over **all queries of all 120
#   sequences**.
#
# The trained weights also earn points, together with these numbers. They must reach a mean squared error of at most 0.01 on 3.1 and 3.2, and the
# correct sign for at least 90% of the outputs of 3.3. The weights from the given training cells reach this, and the record cell below records them.

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
# In 60 to 150 words (15 minutes): where do your design and the trained model agree? Why must the raw `Q` and `K` not be compared? What did you
# predict, what did training find, and why? Refer to numbers. Write your answer into the next cell (double-click it), below its first line.

# %% [markdown]
# **Answer 3.7**
#
# <!-- BEGIN SOLUTION 3.7 words -->
# For copying, both score matrices have a large diagonal: my gap is 20.8, the trained gap is a few units, and both attention maps put nearly all
# weight on equal tokens. The raw matrices look unrelated, because the loss sees Q and K only through their product: an invertible change of basis
# of both changes no score, so training ends in whichever basis was near the random start. I predicted a larger gap, because training takes 10,001
# steps. It is smaller, because the gradient of a saturated softmax is almost zero, and nothing increases the gap further.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("3.7")

# %% [markdown]
# ## 3.8a A previous-token head
# {{header 3.8a}}
#
# Language models use a **causal mask**: a place sees itself and earlier places only (scores to later places are −∞). The tokens are now A, B, C
# and D (one-hot vectors of four numbers), and sequences have up to 8 places. Design `pos` (8 × p), `Q`, `K` and `V` so that each place outputs
# the **token before it**, with the tolerance of 3.1. Place 0 has no token before it, so its output does not count.
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
# A sequence is a pattern of 2, 3 or 4 different tokens, written twice, such as `C A D C A D`. Each place of the second copy must output
# the **token that comes next** in the pattern: A at the second C, D at the second A, and C again at the last D. The outputs at the first
# copy do not count.
#
# One layer cannot do this, but two layers can. This circuit is called an *induction head*. Layer 1 reads $[x_i ; \mathrm{pos}_i]$ and outputs 4
# numbers. Layer 2 reads $[x_i ; \mathrm{pos}_i ; \text{layer 1's output}_i]$ and outputs 4 numbers. Both layers have the causal mask.
#
# <details><summary>Hint 1</summary>Place i should copy place j if the token *before* j equals token i. Which layer knows the token before j?</details>
# <details><summary>Hint 2</summary>Under the mask, place 0 can look only at itself. What does your layer 1 output there, and which queries does this output mislead?</details>

# %%
# Shapes: pos (8, p), Q1 and K1 (4 + p, qk1), V1 (4 + p, 4), Q2 and K2 (8 + p, qk2), V2 (8 + p, 4).
# TODO (extra credit): replace the None values.
# BEGIN SOLUTION 3.8b
induction_pos = np.eye(8)
induction_Q1 = np.vstack([np.zeros((4, 8)), 80.0 * np.eye(8, k=-1)])
induction_K1 = np.vstack([np.zeros((4, 8)), np.eye(8)])
induction_V1 = np.vstack([np.eye(4), np.zeros((8, 4))])
query_38, key_38 = np.zeros((16, 5)), np.zeros((16, 5))
query_38[:4, :4] = 80.0 * np.eye(4)  # the query's token …
key_38[12:, :4] = np.eye(4)  # … compared with the token before each place, from layer 1
query_38[:4, 4] = 80.0
key_38[4, 4] = -1.0  # place 0 has no token before it: exclude it
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
