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
# # Homework 2 · A Transformer in NumPy, then in PyTorch
# {{badge}}
#
# You rebuild a small NumPy Transformer in PyTorch, piece by piece: one head without loops, a layer for a classifier, several
# heads with masks, layer norm, a whole encoder block. Then a tiny model learns to reverse sequences, and its attention map
# shows how. At the end your classes get trained weights and write like Jane Austen, more or less.
#
# Fill the cells marked `TODO`, run the check below each, and run the record cell when you are happy with an answer.
# The last cell tells you what is recorded and what to hand in. About three hours, ten minutes of them for the one written
# answer (2.7, 80 to 180 words); you need numpy, torch and matplotlib.
#
# **Questions do not build on each other**: skip one and come back.

# %% tags=["kit"]
from autograder.author.build import use_kit

use_kit("hw2")

# %%
import math

import numpy as np
import torch
from homework_kit import (
    MEANS,
    attention_viewer,
    check,
    count_operations,
    draw_panels,
    finish,
    record,
    show_attention,
    show_figure,
    show_lines,
    when_answered,
)
from torch import nn
from torch.nn import functional as F

# %% [markdown]
# ## How your classes are judged
#
# Checks and grader build your class, **put weights into it by parameter name**, run it and compare with an independent
# model. So the names of the parts count (each question gives them), but not the order in which you create them nor how they
# are initialized. PyTorch finds parameters in attributes: `self.Qm = nn.Linear(3, 4, bias=False)` makes `Qm.weight` of
# shape (4, 3), which maps `x` to `x @ Qm.weight.T`. They also send a gradient back: it must reach every parameter, so
# compute with PyTorch's operations on PyTorch's tensors from the input to the result. Inputs stay as they are, in functions, too: write
# `x = x + 1`, not `x += 1`.
#
# Write the attention yourself: `scaled_dot_product_attention` and `nn.MultiheadAttention` would do the whole job, and the
# grader reports them in an answer to 2.1, 2.2 and 2.4 (`nn.LayerNorm` in 2.5a, `nn.TransformerEncoderLayer` in 2.5b). Comparing your
# answer with them in a cell of your own is a good idea.

# %% [markdown]
# ## 2.1 From NumPy to PyTorch
# {{header 2.1}}
#
# This model has one head, no mask and no MLP. It treats one query after the other, as you would by hand:
#
# $$ s_{ij} = \frac{(x_i Q_m) \cdot (x_j K_m)}{\sqrt{d_{qk}}}, \qquad a_{ij} = \frac{e^{s_{ij}}}{\sum_l e^{s_{il}}}, \qquad y_i = \sum_j a_{ij}\, x_j V_m $$
#
# With a table `pos`, each row of the input first gets its row of the table appended: **concatenated**, not added.


# %%
class NumpyTransformer:
    """One head: Km and Qm (d, qk), Vm (d, v), and perhaps a table pos (places, pos_dim).

    d is input_dim, or input_dim + pos_dim with a table.
    """

    def __init__(self, Km, Qm, Vm, pos=None):
        self.Km, self.Qm, self.Vm, self.pos = Km, Qm, Vm, pos

    def forward(self, x):
        """x (n, input_dim) -> outputs (n, v) and attention weights (n, n)."""
        if self.pos is not None:
            x = np.concatenate([x, self.pos[: len(x)]], axis=1)
        outputs, attention = [], []
        for query_token in x:
            query = query_token @ self.Qm
            scores = np.array([query @ (token @ self.Km) for token in x])
            scores = scores / np.sqrt(len(query))
            weights = np.exp(scores - scores.max())  # minus the largest: no overflow
            weights = weights / weights.sum()
            attention.append(weights)
            outputs.append(weights @ np.array([token @ self.Vm for token in x]))
        return np.array(outputs), np.array(attention)


# %% [markdown]
# Next you see the attention of such a model on A B A C, with random weights, without and with positions. Which rows are equal **without** positions?
# **Guess first** (noted, not graded): set `prediction_21`.
#
# {{options prediction_21}}

# %%
prediction_21 = None  # your guess: a letter in quotes

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("2.1"):
    rng_21 = np.random.default_rng(1)
    tokens_21 = np.eye(3)[[0, 1, 0, 2]]  # A B A C
    plain_21 = NumpyTransformer(*rng_21.normal(size=(2, 3, 4)), np.eye(3))
    placed_21 = NumpyTransformer(
        *rng_21.normal(size=(2, 5, 4)),
        np.ones((5, 2)),
        pos=rng_21.normal(size=(4, 2)),
    )
    show_attention(
        [plain_21.forward(tokens_21)[1], placed_21.forward(tokens_21)[1]],
        list("ABAC"),
        title=["without positions", "with positions"],
        heading="Only positions tell one A from the other",
    )

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# Without positions the two rows of the token A are the same, and so are its two columns: the model cannot
# tell the first A from the second. With positions all rows differ.
# </details>
#
# **Your turn.** Write the same model in PyTorch (not a call of the class above): bias-free linear maps `Qm`, `Km`, `Vm`, and with `pos_dim` an
# `nn.Embedding` called `pos` with `max_seq_len` rows. Here `forward` returns the outputs alone, without the attention weights. Scores may be about a thousand; nothing may overflow. (Write it without a loop right away if you can: 2.2 looks at that.)
#
# <details><summary>Hint 1</summary>How many numbers does each map see when there are positions?</details>
# <details><summary>Hint 2</summary>The embedding wants place numbers: torch.arange(n, device=x.device).</details>
# <details><summary>Hint 3</summary>All scores at once: which matrix times which transposed matrix has shape (n, n), with a row for each query?</details>


# %%
class PytorchTransformer(nn.Module):
    """The NumPy model above; d = input_dim, or input_dim + pos_dim.

    Parameters: Qm.weight and Km.weight (qk_dim, d), Vm.weight (v_dim, d), and
    pos.weight (max_seq_len, pos_dim) if pos_dim is given.
    """

    def __init__(self, input_dim, qk_dim, v_dim, pos_dim=None, max_seq_len=10):
        super().__init__()
        # TODO
        # BEGIN SOLUTION 2.1 init
        width = input_dim + (pos_dim or 0)
        self.pos = nn.Embedding(max_seq_len, pos_dim) if pos_dim else None
        self.Qm = nn.Linear(width, qk_dim, bias=False)
        self.Km = nn.Linear(width, qk_dim, bias=False)
        self.Vm = nn.Linear(width, v_dim, bias=False)
        # END SOLUTION

    def forward(self, x):
        """x (n, input_dim) -> (n, v_dim), for any n from 1 to max_seq_len.

        With one place (n = 1) its weight is 1, whatever Qm and Km are.
        """
        # TODO
        # BEGIN SOLUTION 2.1 forward
        if self.pos is not None:
            x = torch.cat([x, self.pos(torch.arange(len(x), device=x.device))], dim=1)
        scores = self.Qm(x) @ self.Km(x).T / math.sqrt(self.Qm.out_features)
        return torch.softmax(scores, dim=1) @ self.Vm(x)
        # END SOLUTION


# %% tags=["check"]
check("2.1")

# %% tags=["record"]
record("2.1")

# %% [markdown]
# ## 2.2 All queries at once
# {{header 2.2}}
#
# Every tensor operation costs a fixed time to start, whether it works on one row or a thousand. A loop over queries starts
# some operations **for each place**; a matrix product starts one for all of them, and a GPU fills its thousands of units only
# then. So we count how many operations your `forward` dispatches for n = 3, 10 and 30 places, and how much Python works
# meanwhile. Neither number may grow: a loop over places in NumPy or plain Python counts like one over tensors.
#
# If your class of 2.1 has no loop over places, there is nothing to write: run the cells. If it has one, keep its points in
# 2.1 and rewrite `forward` (here, or above).
#
# <details><summary>Hint</summary>`q @ K.T` of one query with all keys gives one row of scores. Put all queries into one matrix.</details>

# %%
# The class that is counted. To hand in another one than that of 2.1, define it here
# under the name VectorisedTransformer.
# BEGIN SOLUTION 2.2
VectorisedTransformer = PytorchTransformer  # it has no loop over places
# STUB: VectorisedTransformer = PytorchTransformer
# END SOLUTION

# %% tags=["check"]
check("2.2")


# %% [markdown]
# The figure counts the operations of a small loop over places and of your class. What does the **loop** start, when n doubles? **Guess first** (noted,
# not graded): set `prediction_22`.
#
# {{options prediction_22}}

# %%
prediction_22 = None  # your guess: a letter in quotes


# %% tags=["skip-execution"]
# figure (skipped while grading)
def looped(x):
    """Some work for one place after the other; a loop over queries has more of it."""
    return torch.stack([(x @ row).exp().sum() for row in x])


def plot_operations(lengths=(2, 4, 8, 16, 32, 64)):
    model = VectorisedTransformer(4, 4, 4, pos_dim=2, max_seq_len=64)
    loop = [count_operations(lambda n=n: looped(torch.randn(n, 4)))[1] for n in lengths]
    yours = [count_operations(lambda n=n: model(torch.randn(n, 4)))[1] for n in lengths]
    show_lines(
        {
            "title": "A loop starts more operations as n grows",
            "x": "places n",
            "y": "dispatched operations",
            "log": "xy",
            "ticks": lengths,
            "lines": {"a small loop": (lengths, loop), "your class": (lengths, yours)},
            "colors": {"a small loop": "other", "your class": "prediction"},
        }
    )
    print("places:", *lengths, " loop:", *loop, " yours:", *yours)


# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("2.2"):
    plot_operations()

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# Even a small loop over places starts more and more operations, in proportion to n; a vectorized class is flat. It still does n² multiplications,
# but in one operation that runs them side by side.
# </details>

# %% tags=["record"]
record("2.2")

# %% [markdown]
# ## 2.3 A document classifier
# {{header 2.3}}
#
# A document is a row of token vectors; a batch of documents has the shape (batch, n, d), and shorter documents are padded at the end: `padding`
# is True where there is **no** token. The classifier gets an attention layer that is ready: `attention(x, padding)` keeps the shape (batch, n, d)
# and hides padded tokens from the others, but returns a row for padded places, too. Take the **mean over the real tokens** and map it to raw
# logits with a linear layer `head` (with bias). How much a document is padded must not change its logits.
#
# <details><summary>Hint 1</summary>~padding, as 0 and 1 and with a last axis of size 1, multiplies away what must not be counted.</details>
# <details><summary>Hint 2</summary>By how many tokens do you divide in each document?</details>


# %%
class DocumentClassifier(nn.Module):
    """Parts: attention, a module (x, padding) -> (batch, n, d_model) that is given, and
    head, an nn.Linear(d_model, n_classes).
    """

    def __init__(self, attention, d_model, n_classes):
        super().__init__()
        # TODO
        # BEGIN SOLUTION 2.3 init
        self.attention = attention
        self.head = nn.Linear(d_model, n_classes)
        # END SOLUTION

    def forward(self, x, padding=None):
        """x (batch, n, d_model); padding (batch, n) bool or None -> logits (batch, n_classes).

        Each document has at least one token. A document of one token: its row alone.
        """
        # TODO
        # BEGIN SOLUTION 2.3 forward
        tokens = self.attention(x, padding)
        if padding is None:
            return self.head(tokens.mean(dim=1))
        real = (~padding)[..., None]
        return self.head((tokens * real).sum(dim=1) / real.sum(dim=1))
        # END SOLUTION


# %% tags=["check"]
check("2.3")

# %% [markdown]
# The next figure pads one document of five tokens more and more. **Guess first** (noted, not graded): what would the logits do if the mean also
# counted the padded places? Set `prediction_23`:
#
# {{options prediction_23}}

# %%
prediction_23 = None  # your guess: a letter in quotes


# %% tags=["skip-execution"]
# figure (skipped while grading)
class Untrained(nn.Module):
    """torch's own attention with random weights."""

    def __init__(self):
        super().__init__()
        self.heads = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x, padding=None):
        return self.heads(x, x, x, key_padding_mask=padding, need_weights=False)[0]


def plot_padding(counts=(0, 5, 10, 20, 40)):
    torch.manual_seed(0)
    model, document = DocumentClassifier(Untrained(), 16, 2), torch.randn(1, 5, 16)
    logits = []
    with torch.no_grad():
        for count in counts:
            x = torch.cat([document, torch.randn(1, count, 16)], dim=1)
            logits.append(model(x, torch.arange(5 + count)[None] >= 5)[0])
    rows = np.array(logits)
    show_lines(
        {
            "title": "Padding leaves both logits as they are"
            if np.ptp(rows, axis=0).max() < 1e-4
            else "Padding changes the logits",
            "x": "padded places",
            "y": "logit (untrained)",
            "lines": {
                f"class {number}": (counts, rows[:, number]) for number in range(2)
            },
            "colors": {"class 0": "other", "class 1": "prediction"},
        }
    )


# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("2.3"):
    plot_padding()

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# Flat lines: padding is an accident of the batch and says nothing about the document. Had the mean counted padded places, the logits would drift
# toward what a row of padding gives, and the same review would be liked or disliked depending on its neighbors in the batch.
# </details>

# %% tags=["record"]
record("2.3")

# %% [markdown]
# ## 2.4 Multi-head attention with masks
# {{header 2.4}}
#
# Now a batch, h heads and masks. Four linear maps **with** bias, all (d, d): `q_proj`, `k_proj`, `v_proj`, `out_proj`. Head 0 owns
# the first d/h channels of queries, keys and values, head 1 the next, and so on. Each head attends by itself with the scale
# $\sqrt{d/h}$; the heads' outputs are joined in order and pass through `out_proj`. No dropout: training mode and evaluation
# mode give the same.

# %% [markdown]
# Two masks say which keys a query may **not** see: with `causal=True` all later places (it sees itself), and where `padding`
# is True a key is no real token. Both may be given at once. Masked weights are exactly 0. If a query may see nothing at all, **all its weights are 0**
# (so its output is the bias of `out_proj`); `nn.MultiheadAttention`, which must agree otherwise, gives NaN there.
# Gradients must be free of NaN too.
#
# Shapes on the way: `(batch, n, d)` → split the last axis into `(heads, d_head)` → swap to `(batch, heads, n, d_head)` → scores
# `(batch, heads, query, key)`.
#
# <details><summary>Hint 1: heads</summary>`view(batch, n, heads, d_head)` cuts channels; `view(batch, heads, n, d_head)` would cut the sequence. Then `transpose(1, 2)`, and back again before you join.</details>
# <details><summary>Hint 2: masks</summary>Build one Boolean tensor "may look", broadcastable to (batch, 1, query, key). Which of its axes does padding belong to? Use it on the scores, before the softmax.</details>
# <details><summary>Hint 3: nothing to see</summary>The softmax of a row of −∞ is NaN, and a NaN that is repaired in the output may come back in the gradients. A very large negative number instead of −∞ keeps the row finite; which weights does it get then, and what is left to do?</details>


# %%
class MultiHeadAttention(nn.Module):
    """Parts: q_proj, k_proj, v_proj and out_proj, each nn.Linear(d_model, d_model)."""

    def __init__(self, d_model, n_heads):
        super().__init__()
        # TODO
        # BEGIN SOLUTION 2.4 init
        self.n_heads = n_heads
        self.q_proj = nn.Linear(d_model, d_model)
        self.k_proj = nn.Linear(d_model, d_model)
        self.v_proj = nn.Linear(d_model, d_model)
        self.out_proj = nn.Linear(d_model, d_model)
        # END SOLUTION

    def forward(self, x, causal=False, padding=None):
        """x (batch, n, d_model); padding (batch, n) bool, True where there is no token.

        Returns output (batch, n, d_model) and weights (batch, heads, n, n).
        With causal=True the first query has the weights 1, 0, …, 0.
        """
        # TODO
        # BEGIN SOLUTION 2.4 forward
        batch, n, d_model = x.shape
        size = d_model // self.n_heads
        queries, keys, values = (
            proj(x).view(batch, n, self.n_heads, size).transpose(1, 2)
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        # scores: (batch, head, query, key)
        scores = queries @ keys.transpose(-2, -1) / math.sqrt(size)
        allowed = torch.ones(n, n, dtype=torch.bool, device=x.device)
        if causal:
            allowed = allowed.tril()
        if padding is not None:
            allowed = allowed & ~padding[:, None, None, :]
        weights = torch.softmax(scores.masked_fill(~allowed, -1e9), dim=-1) * allowed
        joined = (weights @ values).transpose(1, 2).reshape(batch, n, d_model)
        return self.out_proj(joined), weights
        # END SOLUTION


# %% [markdown]
# The figure shows two heads on one sentence, without a mask and with each of them. What becomes of the weight that a mask takes away? **Guess first**
# (noted, not graded): set `prediction_24`.
#
# {{options prediction_24}}

# %%
prediction_24 = None  # your guess: a letter in quotes

# %% tags=["check"]
check("2.4")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("2.4"):
    torch.manual_seed(3)
    heads_24 = MultiHeadAttention(16, 2)
    padding_24 = torch.tensor([[False, False, False, False, True]])
    with torch.no_grad():
        x_24 = 3 * torch.randn(1, 5, 16)
        maps_24 = [
            heads_24(x_24)[1][0],
            heads_24(x_24, causal=True)[1][0],
            heads_24(x_24, padding=padding_24)[1][0],
        ]
    names_24 = ["the", "cat", "sat", "down", "∅"]
    masks_24 = [None, ~np.tri(5, dtype=bool), np.tile(padding_24.numpy(), (5, 1))]
    kinds_24 = ["no mask", "causal", "padding"]
    show_attention(
        [maps[head].numpy() for maps in maps_24 for head in range(2)],
        names_24,
        title=[f"head {head}, {kind}" for kind in kinds_24 for head in range(2)],
        mask=[mask for mask in masks_24 for _ in range(2)],
        heading="What is hidden gets weight 0; rows still sum to 1",
        columns=2,
    )

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# The two heads have different maps of the same sentence. A mask (hatched) takes keys away, and the softmax
# gives their weight to the others: rows still sum to 1. Under the causal mask the first query can only look at itself.
# </details>

# %% tags=["record"]
record("2.4")

# %% [markdown]
# ## 2.5a Layer normalization
# {{header 2.5a}}
#
# Layer norm looks at **one token's features** at a time, whatever stands in the other tokens or the batch:
#
# $$ y = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} \odot w + b, \qquad \mu = \frac1d \sum_c x_c, \qquad \sigma^2 = \frac1d \sum_c (x_c - \mu)^2 $$
#
# The parameters are `weight` (d), all ones at first, and `bias` (d), all zeros at first. Inputs may have any number of axes, and
# rows may be constant.
#
# <details><summary>Hint</summary>torch's var divides by d − 1 unless told otherwise. keepdim=True keeps shapes that broadcast.</details>


# %%
class LayerNorm(nn.Module):
    """Normalizes the last axis; parameters weight (d_model,) and bias (d_model,)."""

    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        # TODO
        # BEGIN SOLUTION 2.5a init
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        # END SOLUTION

    def forward(self, x):
        """x (..., d_model) -> the same shape.

        At first a row (1, 3) becomes (-1, 1), but for eps.
        """
        # TODO
        # BEGIN SOLUTION 2.5a forward
        centered = x - x.mean(dim=-1, keepdim=True)
        variance = centered.square().mean(dim=-1, keepdim=True)
        return centered / torch.sqrt(variance + self.eps) * self.weight + self.bias
        # END SOLUTION


# %% tags=["check"]
check("2.5a")


# %% [markdown]
# Six tokens, whose features lie at very different places and spreads, go through your layer norm. What will all six have in common? **Guess first**
# (noted, not graded): set `prediction_25a`.
#
# {{options prediction_25a}}

# %%
prediction_25a = None  # your guess: a letter in quotes


# %% tags=["skip-execution"]
# figure (skipped while grading)
def plot_norm():
    torch.manual_seed(0)
    x = (
        torch.randn(6, 24) * torch.tensor([0.1, 0.5, 1, 2, 4, 8])[:, None]
        + torch.tensor([3, -2, 0, 4, -6, 1])[:, None]
    )
    after = LayerNorm(24)(x).detach()
    figure, axes = draw_panels(2, 1, 5.6, 2.4)
    titles = (
        "Before: every token has a mean and a spread of its own",
        "After: all have mean 0 and spread 1",
    )
    for axis, values, title in zip(axes[:, 0], (x, after), titles, strict=True):
        for token, row in enumerate(values):
            axis.plot(row, np.full(24, token), "|", color=MEANS["value"], ms=11)
            axis.plot(row.mean(), token, "D", color=MEANS["prediction"], ms=5)
        axis.set(title=title, ylabel="token", yticks=range(6), ylim=(-0.6, 5.6))
    axes[1, 0].set(xlabel="value: features (ticks) and their mean (diamond)")
    show_figure(figure)
    print(
        "means:",
        after.mean(-1).numpy().round(4) + 0.0,  # no -0
        "standard deviations:",
        after.std(-1, unbiased=False).numpy().round(4),
    )


# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("2.5a"):
    plot_norm()

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# Before, tokens have their features at very different places and spreads; afterwards each has mean 0 and
# standard deviation 1. The next layer can count on that, whatever its predecessors learn.
# </details>

# %% tags=["record"]
record("2.5a")

# %% [markdown]
# ## 2.5b The encoder block, post-norm and pre-norm
# {{header 2.5b}}
#
# A block has two sublayers, attention and feed-forward network, each with a residual connection and a norm of its own. The
# original Transformer normalizes **after** adding (post-norm); most models since normalize what goes **into** the sublayer (pre-norm):
#
# $$ \text{post: } x \leftarrow \mathrm{norm}(x + \mathrm{sublayer}(x)) \qquad\qquad \text{pre: } x \leftarrow x + \mathrm{sublayer}(\mathrm{norm}(x)) $$
#
# After attention has gathered information, the *position-wise feed-forward network* works on each place alone, with the same weights everywhere:
# $\mathrm{FFN}(x) = \mathrm{ReLU}(x W_1 + b_1)\, W_2 + b_2$, `linear1` (d_model → d_ff) and `linear2` (d_ff → d_model).
#
# Here you may use torch's parts, so that this question does not need your 2.4 and 2.5a: `self_attn` is an
# `nn.MultiheadAttention(d_model, n_heads, batch_first=True)`, `linear1` and `linear2` are `nn.Linear` with ReLU between them,
# `norm1` (attention) and `norm2` (feed-forward) are `nn.LayerNorm`. No dropout: training mode and evaluation mode give
# the same.
#
# <details><summary>Hint</summary>self_attn(q, k, v, key_padding_mask=…) returns two things; you need the first. In pre-norm, what is added is not what was normalized.</details>


# %%
class EncoderBlock(nn.Module):
    """Parts: self_attn, linear1, linear2, norm1, norm2, as in nn.TransformerEncoderLayer."""

    def __init__(self, d_model, n_heads, d_ff, norm_first=False):
        super().__init__()
        # TODO
        # BEGIN SOLUTION 2.5b init
        self.norm_first = norm_first
        self.self_attn = nn.MultiheadAttention(d_model, n_heads, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        # END SOLUTION

    def forward(self, x, padding=None):
        """x (batch, n, d_model); padding (batch, n) bool or None -> (batch, n, d_model).

        Rows at padded places may hold anything.
        """

        # TODO
        # BEGIN SOLUTION 2.5b forward
        def attend(y):
            return self.self_attn(
                y, y, y, key_padding_mask=padding, need_weights=False
            )[0]

        def feed(y):
            return self.linear2(torch.relu(self.linear1(y)))

        if self.norm_first:
            x = x + attend(self.norm1(x))
            return x + feed(self.norm2(x))
        x = self.norm1(x + attend(x))
        return self.norm2(x + feed(x))
        # END SOLUTION


# %% tags=["check"]
check("2.5b")

# %% [markdown]
# Equal names mean that weights can be exchanged: the next cell loads the state of torch's own layer into yours. Then it sends
# random tokens through twelve untrained blocks and asks how large their numbers are after each.


# %% [markdown]
# In which of the two do the numbers **grow** from block to block? **Guess first** (noted, not graded): set `prediction_25b`.
#
# {{options prediction_25b}}

# %%
prediction_25b = None  # your guess: a letter in quotes


# %% tags=["skip-execution"]
# figure (skipped while grading)
def sizes_by_block(norm_first, depth=12):
    torch.manual_seed(0)
    x, sizes = torch.randn(8, 10, 64), []
    with torch.no_grad():
        for _ in range(depth):
            x = EncoderBlock(64, 4, 128, norm_first=norm_first)(x)
            sizes.append(x.std().item())
    return sizes


def compare_with_torch(x):
    theirs = nn.TransformerEncoderLayer(
        16, 4, 32, 0.0, batch_first=True, norm_first=True
    )
    mine = EncoderBlock(16, 4, 32, norm_first=True)
    mine.load_state_dict(theirs.state_dict())
    difference = (mine(x) - theirs(x)).abs().max().item()
    print("largest difference from torch's layer:", difference)


# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("2.5b"):
    compare_with_torch(torch.randn(2, 5, 16))
    sizes_25 = {"post-norm": sizes_by_block(False), "pre-norm": sizes_by_block(True)}
    blocks_25 = range(1, 13)
    show_lines(
        {
            "title": "Pre-norm grows from block to block, post-norm stays at 1",
            "x": "after block",
            "y": "standard deviation of the tokens",
            "lines": {kind: (blocks_25, sizes) for kind, sizes in sizes_25.items()},
            "ylim": (0, 1.7),
            "colors": {"pre-norm": "prediction", "post-norm": "other"},
        }
    )
    for kind, sizes in sizes_25.items():
        print(f"{kind}: {sizes[0]:.2f} after block 1, {sizes[-1]:.2f} after block 12")

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# Post-norm brings tokens back to size 1 after every block. In pre-norm nothing on the direct path is ever
# normalized, so each block adds to the sum and it grows; that is why pre-norm models put one more layer norm behind the last
# block. In return gradients reach every block along an untouched path, and deep models train without a careful warm-up.
# </details>

# %% tags=["record"]
record("2.5b")

# %% [markdown]
# ## 2.6 Train a model that reverses sequences
# {{header 2.6}}
#
# The model below reads eight tokens and must say them backwards: `3 1 4 1 5 9 2 6` → `6 2 9 5 1 4 1 3`. It has one head of
# torch's own attention (you know its inside from 2.4), and learned positions **added** to the token embeddings (the usual way).
#
# 1. Write `train_step`: forward, mean cross-entropy against the reversed tokens, backward, one optimizer step. Each step uses
#    the gradients of its own batch only. It is checked on a small model with an optimizer of its own.
# 2. Run the training cell (a few seconds) and look at the map.
# 3. Write `antidiagonal_weight` and use it to put a number on what you see.


# %%
class ReverseModel(nn.Module):
    """Tokens (batch, n) -> logits (batch, n, symbols) and weights (batch, n, n)."""

    def __init__(self, symbols=10, places=8, d=32):
        super().__init__()
        self.tokens, self.places = nn.Embedding(symbols, d), nn.Embedding(places, d)
        self.attention = nn.MultiheadAttention(d, 1, bias=False, batch_first=True)
        self.head = nn.Linear(d, symbols, bias=False)

    def forward(self, tokens):
        x = self.tokens(tokens) + self.places.weight[: tokens.shape[1]]
        mixed, weights = self.attention(x, x, x)
        return self.head(mixed), weights

    def arrays(self):
        """E, pos, Q, K, V, U as plain arrays: x = E + pos, values xV, logits (mix of values) U."""
        Q, K, V = (part.T for part in self.attention.in_proj_weight.chunk(3))
        U = self.attention.out_proj.weight.T @ self.head.weight.T
        parts = (self.tokens.weight, self.places.weight, Q, K, V, U)
        return [part.detach().numpy().copy() for part in parts]


# %% [markdown]
# <details><summary>Hint 1</summary>tokens.flip(1) reverses each sequence of a batch.</details>
# <details><summary>Hint 2</summary>F.cross_entropy wants logits (count, symbols) and targets (count,): flatten batch and places together.</details>
# <details><summary>Hint 3</summary>Where do gradients of the step before go?</details>


# %%
def train_step(model, optimizer, tokens):
    """One step on tokens (batch, n) -> the loss as a float.

    model(tokens) returns logits (batch, n, symbols) and weights (batch, n, n).
    An untrained model of 10 symbols starts near ln 10 = 2.3.
    """
    # TODO
    # BEGIN SOLUTION 2.6 step
    logits, _ = model(tokens)
    loss = F.cross_entropy(logits.flatten(0, 1), tokens.flip(1).flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    # END SOLUTION


# %% [markdown]
# Which keys will the trained model look at? **Guess first** (noted, not graded): set `prediction_26`.
#
# {{options prediction_26}}

# %%
prediction_26 = None  # your guess: a letter in quotes

# %% tags=["skip-execution"]
# training (skipped while grading)
torch.manual_seed(0)
reverse_model, losses_26 = ReverseModel(), []
reverse_E = reverse_pos = reverse_Q = reverse_K = reverse_V = reverse_U = None
with when_answered("2.6"):
    optimizer_26 = torch.optim.Adam(reverse_model.parameters(), lr=3e-3)
    for step in range(400):
        losses_26.append(
            float(train_step(reverse_model, optimizer_26, torch.randint(10, (64, 8))))
        )
        if step % 100 == 0 or step == 399:
            print(f"step {step:3}: loss {losses_26[-1]:.4f}")
    reverse_E, reverse_pos, reverse_Q, reverse_K, reverse_V, reverse_U = (
        reverse_model.arrays()
    )

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("2.6"):
    show_lines(
        {
            "title": f"In {len(losses_26)} steps the loss falls to {losses_26[-1]:.1g}",
            "x": "step",
            "y": "cross-entropy",
            "log": "y",
            "lines": {"your training": (range(1, len(losses_26) + 1), losses_26)},
            "colors": {"your training": "prediction"},
            "level": ("guessing: ln 10", math.log(10)),
        }
    )
    digits_26 = [3, 1, 4, 1, 5, 9, 2, 6]
    with torch.no_grad():
        logits_26, weights_26 = reverse_model(torch.tensor([digits_26]))
    attention_viewer(
        weights_26[0],
        [f"out {place}" for place in range(8)],
        digits_26,
        title="To reverse, each place looks at its mirror image",
    ).show()
    print("in: ", digits_26, "\nout:", logits_26[0].argmax(-1).tolist())

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# One bright line from the top right to the bottom left: output 0 looks at the last place, output 1 at the one
# before. The 1 occurs twice, but each output picks the right one, so it is the *place* that decides.
# </details>
#
# How bright is the line, not for one sequence but in general? Write `antidiagonal_weight` and set `trained_antidiagonal` to its
# value on the 200 given sequences `probe_sequences` (three decimals are enough). The recorded weights must put the right token at
# 99% of the places of other sequences too. If you train again, run the cell that sets `trained_antidiagonal` again, too.


# %%
def antidiagonal_weight(weights):
    """weights (batch, n, n), a tensor -> a number.

    The mean weight of query i on key n - 1 - i, over queries and batch.
    For [[[0, 1], [1, 0]]] it is 1.
    """
    # TODO
    # BEGIN SOLUTION 2.6 measure
    return weights.flip(2).diagonal(dim1=1, dim2=2).mean()
    # END SOLUTION


# %% tags=["skip-execution"]
# training (skipped while grading): needs the trained model
probe_sequences = np.random.default_rng(26).integers(10, size=(200, 8))
# TODO: replace the None.
# BEGIN SOLUTION 2.6 claim
trained_antidiagonal = float(
    antidiagonal_weight(reverse_model(torch.as_tensor(probe_sequences))[1].detach())
)
# STUB: trained_antidiagonal = None
# END SOLUTION
print(trained_antidiagonal)

# %% tags=["check"]
check("2.6")

# %% tags=["record"]
record("2.6")

# %% [markdown]
# ## 2.7 Transformers and recurrent networks
# {{header 2.7}}
#
# Which part has which job? Match each with a letter of its own; one letter stays unused.
#
# {{options job_self_attention}}
#
# Set the four names `job_self_attention`, `job_heads`, `job_feed_forward` and `job_layer_norm`.

# %%
# TODO: replace each None by a letter in quotes.
# BEGIN SOLUTION 2.7 jobs
job_self_attention = "A"
job_heads = "D"
job_feed_forward = "B"
job_layer_norm = "C"
# END SOLUTION

# %% [markdown]
# **`path_length`**: the first word of a text of 100 words matters for the last one. How many steps of computation lie between
# them in one layer?
#
# {{options path_length}}

# %% [markdown]
# **`training_parallel`**: why does a Transformer train so much faster on a GPU than a recurrent network of equal size?
#
# {{options training_parallel}}

# %%
# TODO: replace each None by a letter in quotes.
# BEGIN SOLUTION 2.7 choices
path_length = "A"
training_parallel = "C"
# END SOLUTION

# %% tags=["check"]
check("2.7")

# %% [markdown]
# ### In your words
# In 80 to 180 words: compare a recurrent sequence-to-sequence model (encoder RNN, decoder RNN) with a Transformer. How does
# information get from an input word to an output word? What does self-attention do in encoder and decoder? What is gained
# in training, what is the price, and where does the order of words come from? Write into the next cell (double-click it),
# below its first line.

# %% [markdown]
# **Answer 2.7**
#
# <!-- BEGIN SOLUTION 2.7 words -->
# A recurrent encoder reads word by word and hands one state on; what the decoder learns of the first word has passed through all
# later steps, so long-range information fades, and no step can start before the one before it. In a Transformer each place looks at
# all places directly: encoder self-attention builds a vector for each word from the whole sentence, masked self-attention does so for
# the words written so far, and cross-attention replaces the single summary by a look at all encoder words. Since targets are known in
# training, all places are computed side by side. The price is a score for each pair, which grows with the square of the length. The
# recurrence knows the order of words by construction; attention sees a set, so positions have to be added to the embeddings.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("2.7")

# %% [markdown]
# ## 2.8a Your Transformer writes: load the weights
# {{header 2.8a}}
#
# In 2.8 your own classes become a language model. We trained a small decoder to guess the next **character** of Jane Austen's
# *Pride and Prejudice* (1813): 4 pre-norm blocks, 4 heads, 128 numbers a token, at most 128 tokens, 0.8 million weights. It is made of your
# parts: the block of 2.5b with `norm_first=True`, in it your 2.4 with `causal=True` as `self_attn` and your 2.5a as norms. Around the blocks:
#
# ```python
# x = self.tokens(tokens) + self.places(places)     # two embeddings, added
# for block in self.blocks:
#     x = block(x)
# logits = self.norm(x) @ self.tokens.weight.T      # the embedding once more, as the output layer
# ```
#
# The weights are stored as GPT-2's are, under other names. Two things differ besides the names: matrices of linear layers are
# stored as (in, out), so nn.Linear needs them **transposed**, and `attn.c_attn` holds the maps of queries, keys and values
# side by side, in this order. Write `renamed`, which gives every stored tensor its name in your model.

# %%
from homework_kit import (
    HELD_OUT_TEXT,
    LETTERS,
    build_decoder,
    load_pretrained,
    show_names,
    show_reading,
    show_writing,
    to_tokens,
)

pretrained = load_pretrained()  # stored name -> tensor
show_names(pretrained)

# %% [markdown]
# <details><summary>Hint 1: names</summary>A dictionary from the stored layer to yours ("mlp.c_fc" → "linear1") serves every block; name.split(".", 2) takes "h", the number and the rest apart.</details>
# <details><summary>Hint 2: the trap</summary>attn.c_proj.weight is square: without the transpose it loads just as well, and the model talks nonsense. Which stored matrices belong to linear layers, and which are embeddings?</details>
# <details><summary>Hint 3: c_attn</summary>Transpose first; then array.chunk(3) gives the three pieces, for weights and for biases.</details>


# %%
def renamed(stored):
    """stored: name -> tensor. Returns your model's names -> tensors.

    "ln_f.bias" (d,) becomes "norm.bias"; "h.1.mlp.c_fc.weight" (d, 4d) becomes
    "blocks.1.linear1.weight" (4d, d).
    """
    # TODO
    # BEGIN SOLUTION 2.8a
    layers = {
        "wte": "tokens",
        "wpe": "places",
        "ln_f": "norm",
        "ln_1": "norm1",
        "ln_2": "norm2",
        "attn.c_proj": "self_attn.out_proj",
        "mlp.c_fc": "linear1",
        "mlp.c_proj": "linear2",
    }
    state = {}
    for name, tensor in stored.items():
        block = ""
        if name.startswith("h."):
            _, number, name = name.split(".", 2)
            block = f"blocks.{number}."
        layer, part = name.rsplit(".", 1)
        if "c_" in layer and part == "weight":
            tensor = tensor.T
        if layer == "attn.c_attn":
            for letter, piece in zip("qkv", tensor.chunk(3), strict=True):
                state[f"{block}self_attn.{letter}_proj.{part}"] = piece
        else:
            state[f"{block}{layers[layer]}.{part}"] = tensor
    return state
    # END SOLUTION


# %%
# Your own classes from 2.4, 2.5a and 2.5b. If one of them is not right yet, set False:
# ready-made ones take their place, and no point is lost here.
use_my_classes = True
my_classes = (MultiHeadAttention, LayerNorm, EncoderBlock)
my_decoder, austen = build_decoder(renamed, pretrained, my_classes, use_my_classes)
# austen is the model to go on with: yours, or a ready-made one until yours is right

# %% tags=["check"]
check("2.8a")

# %% tags=["record"]
record("2.8a")

# %% [markdown]
# **Predict before you run the next cell** (not graded): how far back does a letter look, when the model has to guess the next one?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("2.4, 2.5a, 2.5b and 2.8a"):
    show_reading(
        austen,
        "Jane and Mary",
        "Layer 0, head 2: letters look at the capital of their word",
    )

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# In block 0 (layer 0, head 2), letters look at the capital of their own word: the a of Jane gives 0.96 to the J. In the last block, head 3, both
# blanks and the M look back at the J of the other name. Nobody told the model what a word or a name is. Most of the attention stays within the
# last four letters, since spelling is local.
# </details>

# %% [markdown]
# ## 2.8b How surprised is it?
# {{header 2.8b}}
#
# A language model is measured by how well it guesses a text that it has never seen: the *cross-entropy*, the mean of
# $-\log p$ (natural logarithm, so in *nats*) that it gave to each character that came. The logits at place $p$ are its guess about
# place $p + 1$; the first character is not guessed.
#
# Write `nats_per_character` for a text that fits into the context (at most `model.context` tokens), and set `held_out_nats` to its value for `austen` on
# `HELD_OUT_TEXT`, right to 0.001: three lines of the last chapters, which training never saw. (`to_tokens(text)` gives
# the numbers of a text's characters, as a list.) The function is checked with small decoders, not with `austen` alone.
#
# <details><summary>Hint</summary>model wants a batch: tokens[None]. Which logits have no target, and which token has no logits?</details>


# %%
def nats_per_character(model, tokens):
    """Mean of -log p over tokens 1 ... n-1, a number.

    model: tokens (batch, n) -> logits (batch, n, letters); tokens: (n,), a tensor.
    If all letters are equally likely, it is the logarithm of their number.
    """
    # TODO
    # BEGIN SOLUTION 2.8b
    logits = model(tokens[None])[0, :-1]
    return F.cross_entropy(logits, tokens[1:]).item()
    # END SOLUTION


# %%
# TODO: replace the None.
# BEGIN SOLUTION 2.8b number
held_out_nats = nats_per_character(austen, torch.tensor(to_tokens(HELD_OUT_TEXT)))
# STUB: held_out_nats = None
# END SOLUTION
print(f"held out: {held_out_nats}, guessing blindly: {math.log(len(LETTERS)):.3f}")

# %% tags=["check"]
check("2.8b")

# %% tags=["record"]
record("2.8b")

# %% [markdown]
# ## 2.8c Writing, letter by letter
# {{header 2.8c}}
#
# 1. `write` continues a text: it shows the model what there is, lets `choose` pick a letter from the logits at the **last** place, appends it,
#    and so on. The model has `model.context` places; of a longer text it sees the last ones.
# 2. `sample_next` is one way to choose: it draws from $\mathrm{softmax}(\text{logits} / T)$ with the temperature $T$; with `top_k` only the $k$ likeliest letters
#    can come out, in the same proportions as before. (Always the likeliest, $T \to 0$, is called *greedy*.)
#
# Both are checked with small decoders and logits of their own.
#
# <details><summary>Hint 1</summary>tokens[-model.context:] is right for short texts, too.</details>
# <details><summary>Hint 2</summary>torch.multinomial draws by weights. logits.topk(k).values[-1] is the smallest logit that may stay.</details>


# %%
def write(model, tokens, count, choose):
    """Continues tokens (a list of numbers) by count more; returns a new, longer list.

    choose: a function, logits (letters,) -> the number of a letter.
    The list tokens stays as it is. With count = 0 an equal one comes back.
    """
    # TODO
    # BEGIN SOLUTION 2.8c write
    tokens = list(tokens)
    for _ in range(count):
        window = torch.tensor(tokens[-model.context :])
        tokens.append(choose(model(window[None])[0, -1].detach()))
    return tokens
    # END SOLUTION


def sample_next(logits, temperature=1.0, top_k=None):
    """Draws the number of a letter from logits (letters,).

    With top_k=1 it is always the likeliest.
    """
    # TODO
    # BEGIN SOLUTION 2.8c sample
    scores = logits / temperature
    if top_k is not None:
        scores = scores.masked_fill(scores < scores.topk(top_k).values[-1], -math.inf)
    return int(torch.multinomial(torch.softmax(scores, dim=-1), 1))
    # END SOLUTION


# %% [markdown]
# Below, your model will write at the temperatures 0.3, 0.8 and 1.5. **Guess first** (noted, not graded): which of them keeps
# repeating the same few common words? Set `prediction_28`:
#
# {{options prediction_28}}

# %%
prediction_28 = None  # your guess: a letter in quotes

# %% tags=["check"]
check("2.8c")

# %% tags=["record"]
record("2.8c")

# %% [markdown]
# ## 2.8d A cache of keys and values
# {{header 2.8d}}
#
# `write` computes everything anew for each letter, although under a causal mask nothing of the earlier places has changed: for n letters, n² places go through the blocks.
# Real models keep the **keys and values** of earlier tokens in a *cache*; then only the new token goes through the maps, and its query
# looks at all cached keys.
#
# Write `next_logits(model, token, cache)`: the logits after one more token. `cache` is a list that is empty before the first token; what you put
# into it is there at the next call (its place in the text is how many tokens came before). Use the parts of the decoder:
# `model.tokens`, `model.places`, `model.blocks`, `model.norm` and `model.n_heads`; in a block `norm1`, `self_attn` with `q_proj`, `k_proj`, `v_proj`,
# `out_proj`, then `norm2`, `linear1`, ReLU, `linear2`. Head 0 owns the first channels, as in 2.4. Texts are no longer than the context.
#
# We compare the logits with those of the whole model, and count the products of two numbers that a step takes: late steps may not cost much more than early ones.
#
# <details><summary>Hint 1</summary>x (d,) of the new token goes through each block: x + attention(norm1(x)), then x + network(norm2(x)). Only the attention needs the past.</details>
# <details><summary>Hint 2</summary>At the first token: cache.append((keys, values)) for each block. Later: torch.cat((old, new)) and put the pair back.</details>
# <details><summary>Hint 3</summary>With queries (heads, d_head) and keys (n, heads, d_head), torch.einsum("hd,nhd->hn", q, keys) gives the scores of all heads. No mask is needed: why?</details>


# %%
def next_logits(model, token, cache):
    """Logits (letters,) for what follows token, a number; earlier tokens are in cache.

    At the first call cache is an empty list; fill it for the next call.
    """
    # TODO
    # BEGIN SOLUTION 2.8d
    place = len(cache[0][0]) if cache else 0
    x = model.tokens.weight[token] + model.places.weight[place]
    for number, block in enumerate(model.blocks):
        heads, y = block.self_attn, block.norm1(x)
        q, k, v = (
            proj(y).view(model.n_heads, -1)
            for proj in (heads.q_proj, heads.k_proj, heads.v_proj)
        )
        keys, values = k[None], v[None]  # (n, heads, d_head)
        if place:
            keys = torch.cat((cache[number][0], keys))
            values = torch.cat((cache[number][1], values))
            cache[number] = keys, values
        else:
            cache.append((keys, values))
        scores = torch.einsum("hd,nhd->hn", q, keys) / math.sqrt(q.shape[1])
        mixed = torch.einsum("hn,nhd->hd", scores.softmax(dim=1), values)
        x = x + heads.out_proj(mixed.flatten())
        x = x + block.linear2(torch.relu(block.linear1(block.norm2(x))))
    return model.norm(x) @ model.tokens.weight.T
    # END SOLUTION


# %% tags=["check"]
check("2.8d")

# %% tags=["record"]
record("2.8d")

# %% [markdown]
# ### And now it writes
# Run the last cell, with other beginnings and temperatures, too.

# %% tags=["skip-execution"]
# figure (skipped while grading)
torch.manual_seed(28)
show_writing(
    austen,
    write,
    sample_next,
    beginning="It is a truth universally acknowledged, that ",
    temperatures=(0.3, 0.8, 1.5),
    count=300,
)

# %% [markdown]
# <details><summary>What there is to see</summary>
#
# At 0.3 the likeliest letters win nearly always: the same common words come again and again, with a slip of spelling now and then. (Try 0.1: the
# text goes in circles.) At 0.8 it has the sound of the novel, with more words that no dictionary knows. At 1.5 rare letters come up so often that words fall apart. Nobody has told the model what a word is:
# it has learned spelling, quotation marks and names from letters alone, and your classes run it.
# </details>

# %% [markdown]
# ## Hand in
# **Save the notebook** (Ctrl+S, on a Mac ⌘S), then run this last cell. It says what is missing or out of date, and makes the one file that you
# hand in: `hw2_numpy_to_pytorch_submission.zip` with this notebook as you saved it and `submission_log.json`.

# %%
finish()
