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
# In this homework you rebuild a small NumPy Transformer in PyTorch, piece by piece: one head without loops, a classifier around an attention
# layer, several heads with masks, layer norm, and a whole encoder block. Then you train a tiny model that reverses sequences, and its attention
# map shows how it does this. At the end, your classes get trained weights and write text that sounds more or less like Jane Austen.
#
# Complete the cells marked `TODO`, run the check below each, and run the record cell when you are satisfied with an answer. The last cell tells
# you what is recorded and what to hand in. The homework takes about three hours, ten minutes of which are for the one written answer (2.7, 80 to
# 180 words). You need numpy, torch and matplotlib.
#
# **Questions do not build on each other**: you can skip one and come back to it.

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
# The checks and the grader build your class, **put weights into it by parameter name**, run it, and compare the result with an independent model.
# The names of the parts therefore matter, and each question gives them. It does not matter in which order you create the parts or how you
# initialize them. PyTorch finds parameters in attributes: `self.Qm = nn.Linear(3, 4, bias=False)` creates the parameter `Qm.weight` of shape (4,
# 3), and the layer maps `x` to `x @ Qm.weight.T`.
#
# The checks and the grader also run a backward pass. The gradient must reach every parameter, so use PyTorch operations on PyTorch tensors from
# the input to the result. Your classes and functions must not change their inputs: write `x = x + 1`, not `x += 1`.
#
# Write the attention yourself. `scaled_dot_product_attention` and `nn.MultiheadAttention` do the whole job, so the grader reports them if they
# occur in an answer to 2.1, 2.2 or 2.4. It also reports `nn.LayerNorm` in 2.5a and `nn.TransformerEncoderLayer` in 2.5b. It is a good idea to
# compare your answers with these modules in a cell that you add.

# %% [markdown]
# ## 2.1 From NumPy to PyTorch
# {{header 2.1}}
#
# This model has one head, no mask and no MLP. It processes one query at a time, as you would by hand:
#
# $$ s_{ij} = \frac{(x_i Q_m) \cdot (x_j K_m)}{\sqrt{d_{qk}}}, \qquad a_{ij} = \frac{e^{s_{ij}}}{\sum_l e^{s_{il}}}, \qquad y_i = \sum_j a_{ij}\, x_j V_m $$
#
# If the model has a table `pos`, it first appends to each row of the input the row of the table for that place. The rows are **concatenated**,
# not added.


# %%
class NumpyTransformer:
    """One head: Km and Qm (d, qk), Vm (d, v), and optionally a table pos (places, pos_dim).

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
# The next figure shows the attention of such a model on the sequence A B A C, with random weights, without positions and with positions. Which
# rows of the map are equal **without** positions? **Guess first** (noted, not graded): set `prediction_21`.
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
# Without positions, the two rows of the token A are the same, and so are its two columns: the model cannot tell the first A from the second. With
# positions, all rows differ.
# </details>
#
# **Your turn.** Write the same model in PyTorch; do not call the class above. The model has linear maps `Qm`, `Km` and `Vm` without bias. If
# `pos_dim` is given, it also has an `nn.Embedding` called `pos` with `max_seq_len` rows. Here `forward` returns the outputs only, without the
# attention weights. Scores may be as large as about a thousand, and nothing may overflow. (If you can, write the model without a loop from the
# start, because 2.2 asks for that.)
#
# <details><summary>Hint 1</summary>How many numbers does each map get as input when there are positions?</details>
# <details><summary>Hint 2</summary>The embedding takes the numbers of the places: torch.arange(n, device=x.device).</details>
# <details><summary>Hint 3</summary>Compute all scores at once. Which matrix times which transposed matrix has shape (n, n), with one row for each query?</details>


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

        For n = 1, the only attention weight is 1, whatever Qm and Km are.
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
# Each tensor operation takes a fixed time to start, whether it works on one row or on a thousand rows. A loop over queries starts some operations
# **for each place**. A matrix product is one operation for all places, and only such operations keep the thousands of units of a GPU busy. The
# check therefore counts how many operations your `forward` dispatches for n = 3, 10 and 30 places, and how many steps Python takes meanwhile.
# Neither number may grow with n. A loop over places in NumPy or plain Python counts in the same way as a loop over tensors.
#
# If your class of 2.1 has no loop over places, you do not have to write anything: run the cells. If it has a loop, it keeps its points in 2.1.
# Rewrite `forward` without the loop, here or above.
#
# <details><summary>Hint</summary>For one query `q`, `q @ K.T` is one row of scores. Put all queries into one matrix.</details>

# %%
# The class whose operations are counted. To use a class other than that of 2.1,
# define it here under the name VectorisedTransformer.
# BEGIN SOLUTION 2.2
VectorisedTransformer = PytorchTransformer  # it has no loop over places
# STUB: VectorisedTransformer = PytorchTransformer
# END SOLUTION

# %% tags=["check"]
check("2.2")


# %% [markdown]
# The figure counts the operations of a small loop over places and of your class. How many operations does the **loop** start when n doubles?
# **Guess first** (noted, not graded): set `prediction_22`.
#
# {{options prediction_22}}

# %%
prediction_22 = None  # your guess: a letter in quotes


# %% tags=["skip-execution"]
# figure (skipped while grading)
def looped(x):
    """A small computation for each place in turn; a loop over queries does more."""
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
# Even a small loop over places starts more operations as n grows, in proportion to n. The line of a vectorized class is flat. Such a class still
# does n² multiplications, but in one operation that runs them in parallel.
# </details>

# %% tags=["record"]
record("2.2")

# %% [markdown]
# ## 2.3 A document classifier
# {{header 2.3}}
#
# A document is a sequence of token vectors, and a batch of documents has the shape (batch, n, d). Shorter documents are padded at the end:
# `padding` is True where there is **no** token. The classifier is given a finished attention layer: `attention(x, padding)` returns an output of
# the same shape (batch, n, d). The layer hides padded places from the other tokens, but it returns rows for padded places, too. Take the **mean
# over the real tokens** of this output and map it to raw logits with a linear layer `head` (with bias). The amount of padding must not change the
# logits of a document.
#
# <details><summary>Hint 1</summary>Read ~padding as zeros and ones and give it a last axis of size 1. Multiplying by it removes the rows that must not count.</details>
# <details><summary>Hint 2</summary>By which number of tokens must you divide in each document?</details>


# %%
class DocumentClassifier(nn.Module):
    """Parts: attention, the given module (x, padding) -> (batch, n, d_model), and
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

        Each document has at least one token. The mean over one token is its row.
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
# The figure pads one document of five tokens more and more. What would the logits do if the mean also counted the padded places? **Guess first**
# (noted, not graded): set `prediction_23`.
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
# The lines are flat. The amount of padding depends on the other documents in the batch and says nothing about the document. If the mean counted
# padded places, the logits would drift toward those of a padded row, and the same review could be rated positive or negative, depending on its
# neighbors in the batch.
# </details>

# %% tags=["record"]
record("2.3")

# %% [markdown]
# ## 2.4 Multi-head attention with masks
# {{header 2.4}}
#
# Now write attention for a batch, with h heads and with masks. The layer has four linear maps **with** bias, each of size (d, d): `q_proj`,
# `k_proj`, `v_proj` and `out_proj`. Head 0 uses the first d/h channels of the queries, keys and values, head 1 uses the next d/h channels, and so
# on. Each head attends by itself and divides its scores by $\sqrt{d/h}$. The outputs of the heads are joined in order and pass through
# `out_proj`. There is no dropout: training mode and evaluation mode give the same result.

# %% [markdown]
# Two masks say which keys a query may **not** see:
#
# - With `causal=True`, a query sees itself and earlier places, but not later places.
# - Where `padding` is True, the key is not a real token, and no query sees it.
#
# Both masks may be given at once. Masked weights are exactly 0. If a query may not see any key, **all its weights are 0**, so its output is the
# bias of `out_proj`. In this case `nn.MultiheadAttention` returns NaN; in all other cases your output must agree with it. The gradients must not
# contain NaN, either.
#
# The shapes along the way are: `(batch, n, d)` → split the last axis into `(heads, d_head)` → swap axes to `(batch, heads, n, d_head)` → scores
# `(batch, heads, query, key)`.
#
# <details><summary>Hint 1: heads</summary>`view(batch, n, heads, d_head)` splits the channels; `view(batch, heads, n, d_head)` would split the sequence. Then use `transpose(1, 2)`, and transpose back before you join the heads.</details>
# <details><summary>Hint 2: masks</summary>Build one Boolean tensor that says which query may see which key and that broadcasts to (batch, 1, query, key). To which of its axes does padding belong? Apply it to the scores, before the softmax.</details>
# <details><summary>Hint 3: queries that see no key</summary>The softmax of a row of −∞ is NaN. If you repair the NaN in the output, it may come back in the gradients. With a very large negative number instead of −∞, the row stays finite. Which weights does it get then, and what do you still have to do?</details>


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
        With causal=True, the first query has the weights 1, 0, …, 0.
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
# The figure shows two heads on one sentence, without a mask and with each of the two masks. What happens to the weight that a mask takes away?
# **Guess first** (noted, not graded): set `prediction_24`.
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
# The two heads have different maps of the same sentence. A mask (hatched) removes keys, and the softmax gives their weight to the remaining keys:
# rows still sum to 1. Under the causal mask, the first query can attend only to itself.
# </details>

# %% tags=["record"]
record("2.4")

# %% [markdown]
# ## 2.5a Layer normalization
# {{header 2.5a}}
#
# Layer norm works on **the features of one token** at a time. The other tokens and the rest of the batch have no effect:
#
# $$ y = \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} \odot w + b, \qquad \mu = \frac1d \sum_c x_c, \qquad \sigma^2 = \frac1d \sum_c (x_c - \mu)^2 $$
#
# The parameters are `weight` (d,), initially all ones, and `bias` (d,), initially all zeros. Inputs may have any number of axes, and rows may be
# constant.
#
# <details><summary>Hint</summary>By default, torch.var divides by d − 1. With keepdim=True, the result has a shape that broadcasts.</details>


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

        With the initial parameters, a row (1, 3) becomes (-1, 1), apart from eps.
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
# The figure passes six tokens through your layer norm. Their features lie in very different ranges. What will all six tokens have in common
# afterward? **Guess first** (noted, not graded): set `prediction_25a`.
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
# Before the layer, the features of the tokens have very different means and spreads. Afterward, the features of each token have mean 0 and
# standard deviation 1. The next layer can rely on this, whatever the layers before it learn.
# </details>

# %% tags=["record"]
record("2.5a")

# %% [markdown]
# ## 2.5b The encoder block, post-norm and pre-norm
# {{header 2.5b}}
#
# An encoder block has two sublayers, attention and a feed-forward network. Each sublayer has a residual connection and its own norm. The original
# Transformer normalizes **after** the addition (post-norm). Most later models normalize the **input** of the sublayer (pre-norm):
#
# $$ \text{post: } x \leftarrow \mathrm{norm}(x + \mathrm{sublayer}(x)) \qquad\qquad \text{pre: } x \leftarrow x + \mathrm{sublayer}(\mathrm{norm}(x)) $$
#
# After attention has gathered information from other places, the *position-wise feed-forward network* transforms each place by itself, with the
# same weights everywhere: $\mathrm{FFN}(x) = \mathrm{ReLU}(x W_1 + b_1)\, W_2 + b_2$. Its layers are `linear1` (d_model → d_ff) and `linear2`
# (d_ff → d_model).
#
# Here you may use PyTorch's modules, so this question does not need your 2.4 and 2.5a. `self_attn` is an `nn.MultiheadAttention(d_model, n_heads,
# batch_first=True)`, `linear1` and `linear2` are `nn.Linear` with a ReLU between them, and `norm1` (attention) and `norm2` (feed-forward) are
# `nn.LayerNorm`. There is no dropout: training mode and evaluation mode give the same result.
#
# <details><summary>Hint</summary>self_attn(q, k, v, key_padding_mask=…) returns two values; you need the first. In pre-norm, the term that you add is not the normalized one.</details>


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

        Rows at padded places may contain anything.
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
# Your parts have the same names as those of PyTorch's own layer, so weights can be exchanged: the figure cell loads the weights of that layer
# into yours. Then it passes random tokens through twelve untrained blocks and measures how large their numbers are after each block.


# %% [markdown]
# In which variant, post-norm or pre-norm, do the numbers **grow** from block to block? **Guess first** (noted, not graded): set `prediction_25b`.
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
# Post-norm brings the tokens back to a standard deviation of 1 after every block. In pre-norm, nothing on the direct path is normalized: each
# block adds to the sum, and the sum grows. For this reason, pre-norm models have one more layer norm after the last block. In return, gradients
# reach every block along a path without norms, and deep models train without a careful warm-up.
# </details>

# %% tags=["record"]
record("2.5b")

# %% [markdown]
# ## 2.6 Train a model that reverses sequences
# {{header 2.6}}
#
# The model below reads eight tokens and must return them in reverse order: `3 1 4 1 5 9 2 6` → `6 2 9 5 1 4 1 3`. It has one head of PyTorch's
# own attention (you know from 2.4 how it works). Learned positions are **added** to the token embeddings, as is usual.
#
# 1. Write `train_step`: the forward pass, the mean cross-entropy with the reversed tokens as targets, the backward pass, and one optimizer step.
#    Each step uses the gradients of its own batch only. The check runs your function on a small model with its own optimizer.
# 2. Run the training cell (it takes a few seconds) and look at the attention map.
# 3. Write `antidiagonal_weight` and use it to measure what you see.


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
# <details><summary>Hint 2</summary>F.cross_entropy takes logits (count, symbols) and targets (count,). Flatten batch and places into one axis.</details>
# <details><summary>Hint 3</summary>What happens to the gradients of the previous step?</details>


# %%
def train_step(model, optimizer, tokens):
    """One step on tokens (batch, n) -> the loss as a float.

    model(tokens) returns logits (batch, n, symbols) and weights (batch, n, n).
    For an untrained model with 10 symbols, the loss is near ln 10 = 2.3.
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
# There is one bright line from the top right to the bottom left: output 0 attends to the last place, output 1 to the place before it, and so on.
# The digit 1 occurs twice, but each output picks the correct one. So it is the *place* that decides.
# </details>
#
# How bright is this line in general, and not only for one sequence? Write `antidiagonal_weight` and set `trained_antidiagonal` to its value on
# the 200 given sequences `probe_sequences` (three decimals are enough). The recorded weights must also give the correct token at 99% of the
# places of other sequences. If you train the model again, also run the cell that sets `trained_antidiagonal` again.


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
# Which part of a Transformer has which job? Give each of the four parts a different letter; one letter stays unused.
#
# {{options job_self_attention}}
#
# Set `job_self_attention`, `job_heads`, `job_feed_forward` and `job_layer_norm`.

# %%
# TODO: replace each None by a letter in quotes.
# BEGIN SOLUTION 2.7 jobs
job_self_attention = "A"
job_heads = "D"
job_feed_forward = "B"
job_layer_norm = "C"
# END SOLUTION

# %% [markdown]
# **`path_length`**: in a text of 100 words, the last word depends on the first. How many steps of computation lie between the two words in one
# layer?
#
# {{options path_length}}

# %% [markdown]
# **`training_parallel`**: why does a Transformer train so much faster on a GPU than a recurrent network of the same size?
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
# In 80 to 180 words: compare a recurrent sequence-to-sequence model (encoder RNN, decoder RNN) with a Transformer. How does information get from
# an input word to an output word? What does self-attention do in the encoder and in the decoder? What is gained in training, what is the price,
# and where does the order of the words come from? Write your answer into the next cell (double-click it), below its first line.

# %% [markdown]
# **Answer 2.7**
#
# <!-- BEGIN SOLUTION 2.7 words -->
# A recurrent encoder reads word by word and passes one state on. What the decoder learns about the first word has passed through all later steps,
# so long-range information fades, and no step can start before the previous step has finished. In a Transformer, each place sees all places
# directly. Encoder self-attention builds a vector for each word from the whole sentence, masked self-attention does so for the words written so
# far, and cross-attention looks at all encoder words instead of one summary. Because the targets are known in training, all places are computed
# in parallel. The price is one score for each pair, which grows with the square of the length. The recurrence knows the order of words by
# construction; attention sees a set, so positions must be added to the embeddings.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("2.7")

# %% [markdown]
# ## 2.8a Your Transformer writes: load the weights
# {{header 2.8a}}
#
# In 2.8, your own classes become a language model. We trained a small decoder to predict the next **character** of Jane Austen's *Pride and
# Prejudice* (1813). It has 4 pre-norm blocks, 4 heads, 128 numbers for each token, at most 128 tokens, and 0.8 million weights. It is made of
# your parts: the blocks are those of 2.5b with `norm_first=True`, their `self_attn` is your 2.4 with `causal=True`, and the norms are your 2.5a.
# This is the code around the blocks:
#
# ```python
# x = self.tokens(tokens) + self.places(places)     # two embeddings, added
# for block in self.blocks:
#     x = block(x)
# logits = self.norm(x) @ self.tokens.weight.T      # the token embedding again, as the output layer
# ```
#
# The weights are stored in the format of GPT-2, and their names differ from yours. Two more things differ:
#
# - Matrices of linear layers are stored as (in, out), so `nn.Linear` needs them **transposed**.
# - `attn.c_attn` contains the maps of the queries, keys and values side by side, in this order.
#
# Write `renamed`, which gives every stored tensor its name in your model.

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
# <details><summary>Hint 1: names</summary>One dictionary from the stored layer names to yours ("mlp.c_fc" → "linear1") works for every block. name.split(".", 2) separates "h", the number and the rest.</details>
# <details><summary>Hint 2: transposes</summary>attn.c_proj.weight is square. Without the transpose it still loads, but the model writes nonsense. Which stored matrices belong to linear layers, and which are embeddings?</details>
# <details><summary>Hint 3: c_attn</summary>Transpose first. Then tensor.chunk(3) gives the three pieces, for weights and for biases.</details>


# %%
def renamed(stored):
    """stored: a dict, name -> tensor. Returns a dict, name in your model -> tensor.

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
# Your own classes from 2.4, 2.5a and 2.5b. If one of them is not correct yet, set this to
# False: ready-made classes take their place, and you lose no points here.
use_my_classes = True
my_classes = (MultiHeadAttention, LayerNorm, EncoderBlock)
my_decoder, austen = build_decoder(renamed, pretrained, my_classes, use_my_classes)
# austen is the model for the next questions: ready-made until yours is correct

# %% tags=["check"]
check("2.8a")

# %% tags=["record"]
record("2.8a")

# %% [markdown]
# **Predict before you run the next cell** (not graded): how far back does each letter look when the model predicts the next one?

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
# In block 0 (layer 0, head 2), letters attend to the capital letter of their own word: the a of Jane gives the J a weight of 0.96. In head 3 of
# the last block, both blanks and the M attend to the J of Jane. Nobody told the model what a word or a name is. Most of the attention stays
# within the last four letters, because spelling is local.
# </details>

# %% [markdown]
# ## 2.8b How surprised is the model by a text?
# {{header 2.8b}}
#
# A language model is judged by how well it predicts a text that it has never seen. The measure is the *cross-entropy*: the mean of $-\log p$ over
# the characters of the text, where $p$ is the probability that the model gave to the character before it saw it. With the natural logarithm, the
# unit is the *nat*. The logits at place $i$ predict the character at place $i + 1$; the first character is not predicted.
#
# Write `nats_per_character` for a text that fits into the context (at most `model.context` tokens). Then set `held_out_nats` to its value for
# `austen` on `HELD_OUT_TEXT`, correct to 0.001. This text has three lines of the last chapters, which were not used in training.
# (`to_tokens(text)` returns the numbers of the characters of a text, as a list.) The check runs your function with small decoders, not only with
# `austen`.
#
# <details><summary>Hint</summary>The model takes a batch: tokens[None]. Which logits have no target, and which token has no logits?</details>


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
# 1. `write` continues a text. It runs the model on the text so far, lets `choose` pick a letter from the logits at the **last** place, appends
#    this letter, and repeats. The model has `model.context` places; if the text is longer, the model sees only the last `model.context` tokens.
# 2. `sample_next` is one way to choose. It draws a letter from $\mathrm{softmax}(\text{logits} / T)$, where $T$ is the temperature. With `top_k`,
#    only the $k$ likeliest letters can be drawn, in the same proportions as before. (Always taking the likeliest letter, $T \to 0$, is called
#    *greedy*.)
#
# The check runs `write` with small decoders and `sample_next` with given logits.
#
# <details><summary>Hint 1</summary>tokens[-model.context:] works for short texts, too.</details>
# <details><summary>Hint 2</summary>torch.multinomial draws according to weights. logits.topk(k).values[-1] is the smallest logit that may stay.</details>


# %%
def write(model, tokens, count, choose):
    """Appends count tokens to a copy of tokens (a list of numbers) and returns it.

    choose: a function, logits (letters,) -> the number of a letter.
    The list tokens must not change. With count = 0, the result is an equal list.
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

    With top_k=1, it always returns the likeliest letter.
    """
    # TODO
    # BEGIN SOLUTION 2.8c sample
    scores = logits / temperature
    if top_k is not None:
        scores = scores.masked_fill(scores < scores.topk(top_k).values[-1], -math.inf)
    return int(torch.multinomial(torch.softmax(scores, dim=-1), 1))
    # END SOLUTION


# %% [markdown]
# In the last figure cell, your model writes at the temperatures 0.3, 0.8 and 1.5. At which of them does it keep repeating the same few common
# words? **Guess first** (noted, not graded): set `prediction_28`.
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
# `write` computes everything again for each letter, although under a causal mask nothing has changed at the earlier places: for n letters, n²
# places go through the blocks. Real models keep the **keys and values** of earlier tokens in a *cache*. Then only the new token goes through the
# linear maps, and its query attends to all cached keys.
#
# Write `next_logits(model, token, cache)`, which returns the logits after one more token. `cache` is a list, empty before the first token;
# it keeps what you put into it until the next call. The place of a token is the number of tokens before it. Use the parts of the
# decoder: `model.tokens`, `model.places`, `model.blocks`, `model.norm` and `model.n_heads`. A block has `norm1`, `self_attn` with `q_proj`,
# `k_proj`, `v_proj` and `out_proj`, then `norm2`, `linear1`, ReLU and `linear2`. Head 0 uses the first channels, as in 2.4. Texts are not longer
# than the context.
#
# The check compares the logits with those of the whole model. It also counts multiplications: late steps must not cost much more than early steps.
#
# <details><summary>Hint 1</summary>The vector x (d,) of the new token goes through each block: x + attention(norm1(x)), then x + network(norm2(x)). Only the attention needs the earlier tokens.</details>
# <details><summary>Hint 2</summary>At the first token, call cache.append((keys, values)) for each block. Later, use torch.cat((old, new)) and put the pair back.</details>
# <details><summary>Hint 3</summary>With queries (heads, d_head) and keys (n, heads, d_head), torch.einsum("hd,nhd->hn", q, keys) gives the scores of all heads. Why is no mask needed?</details>


# %%
def next_logits(model, token, cache):
    """Logits (letters,) for the letter after token (a number).

    cache has what you kept of earlier tokens. In the first call, it is an empty list;
    fill it for the next call.
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
# ### Let your model write
# Run the next cell. Try other beginnings and temperatures, too.

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
# At 0.3, the likeliest letters nearly always win: the same common words come again and again, with an occasional spelling mistake. (Try 0.1: the
# text goes in circles.) At 0.8, the text sounds like the novel, but more of its words are in no dictionary. At 1.5, rare letters are drawn so
# often that words fall apart. Nobody has told the model what a word is. It has learned spelling, quotation marks and names from letters alone,
# and your classes run it.
# </details>

# %% [markdown]
# ## Hand in
# **Save the notebook** (Ctrl+S, on a Mac ⌘S), then run this last cell. It says what is missing or out of date, and makes the one file that you
# hand in: `hw2_numpy_to_pytorch_submission.zip` with this notebook as you saved it and `submission_log.json`.

# %%
finish()
