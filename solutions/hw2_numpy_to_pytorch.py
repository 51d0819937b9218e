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
# shows how.
#
# Fill the cells marked `TODO`, run the check below each, and run the record cell when you are happy with an answer.
# The last cell tells you what is recorded and what to hand in. A little more than two hours; you need numpy, torch and
# matplotlib.
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
# are initialised. PyTorch finds parameters in attributes: `self.Qm = nn.Linear(3, 4, bias=False)` makes `Qm.weight` of
# shape (4, 3), which maps `x` to `x @ Qm.weight.T`. They also send a gradient back: it must reach every parameter, so
# compute with PyTorch's operations on PyTorch's tensors from the input to the result.
#
# Write the attention yourself: `scaled_dot_product_attention` and `nn.MultiheadAttention` would do the whole job, and the
# grader reports them in an answer to 2.1–2.4 (`nn.LayerNorm` in 2.5a, `nn.TransformerEncoderLayer` in 2.5c). Comparing your
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
# **What do you see?** Without positions the two rows of the token A are the same, and so are its two columns: the model cannot
# tell the first A from the second. With positions all rows differ.
#
# **Your turn.** Write the same model in PyTorch (not a call of the class above): bias-free linear maps `Qm`, `Km`, `Vm`, and with `pos_dim` an
# `nn.Embedding` called `pos` with `max_seq_len` rows. Scores may be about a thousand; nothing may overflow. (Write it without a loop right away if you can: 2.2 looks at that.)
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
        """x (n, input_dim) -> (n, v_dim), for any n from 1 to max_seq_len."""
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
# then. So we count how many operations your `forward` dispatches for n = 3, 17 and 64 places, and how much Python works
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
# **What do you see?** Even a small loop over places starts more and more operations, in proportion to n; a vectorised class is flat. It still does n² multiplications,
# but in one operation that runs them side by side.

# %% tags=["record"]
record("2.2")

# %% [markdown]
# ## 2.3 An attention layer in a document classifier
# {{header 2.3}}
#
# A document is a matrix of n token vectors. First write the layer `Attention`, which keeps the shape: (n, d) in, (n, d) out,
#
# $$ \mathrm{Attention}(X) = \mathrm{softmax}\!\left(\frac{(X W_q)(X W_k)^\top}{\sqrt{d_{qk}}}\right) X W_v $$
#
# with three trainable maps without bias, called `query`, `key` and `value`; large scores (about a thousand) must not overflow. Then write `DocumentClassifier`: it gets such a
# layer, applies it, takes the **mean over tokens** and maps that to raw logits with a linear layer `head` (with bias). It is
# checked with another layer than yours, so that both parts count apart.
#
# <details><summary>Hint 1</summary>query and key give d_qk numbers a token; what must value give, so that the output has shape (n, d)?</details>
# <details><summary>Hint 2</summary>Which axis of (n, d) counts tokens? The mean over it has shape (d,).</details>


# %%
class Attention(nn.Module):
    """Single-head self-attention.

    Parameters: query.weight and key.weight (d_qk, d_model), value.weight (d_model, d_model).
    """

    def __init__(self, d_model, d_qk=64):
        super().__init__()
        # TODO
        # BEGIN SOLUTION 2.3 init
        self.query = nn.Linear(d_model, d_qk, bias=False)
        self.key = nn.Linear(d_model, d_qk, bias=False)
        self.value = nn.Linear(d_model, d_model, bias=False)
        # END SOLUTION

    def forward(self, x):
        """x (n, d_model) -> (n, d_model)."""
        # TODO
        # BEGIN SOLUTION 2.3 forward
        queries, keys = self.query(x), self.key(x)
        weights = torch.softmax(queries @ keys.T / keys.shape[-1] ** 0.5, dim=-1)
        return weights @ self.value(x)
        # END SOLUTION


# %%
class DocumentClassifier(nn.Module):
    """Parts: attention, a module (n, d_model) -> (n, d_model) that is given, and
    head, an nn.Linear(d_model, n_classes).
    """

    def __init__(self, attention, d_model, n_classes):
        super().__init__()
        # TODO
        # BEGIN SOLUTION 2.3 classifier-init
        self.attention = attention
        self.head = nn.Linear(d_model, n_classes)
        # END SOLUTION

    def forward(self, x):
        """x (n, d_model) -> raw logits (n_classes,)."""
        # TODO
        # BEGIN SOLUTION 2.3 classifier-forward
        return self.head(self.attention(x).mean(dim=0))
        # END SOLUTION


# %% tags=["check"]
check("2.3")


# %% tags=["skip-execution"]
# figure (skipped while grading)
def plot_lengths(lengths=(5, 10, 20, 40, 80, 160)):
    torch.manual_seed(0)
    model = DocumentClassifier(Attention(16), 16, 2)
    document = torch.randn(lengths[-1], 16)
    with torch.no_grad():
        logits = torch.stack([model(document[:n]) for n in lengths])
        shuffled = torch.stack(
            [model(document[:n][torch.randperm(n)]) for n in lengths]
        )
    lines = {f"class {number}": (lengths, logits[:, number]) for number in range(2)}
    lines |= {
        f"class {number}, shuffled": (lengths, shuffled[:, number])
        for number in range(2)
    }
    show_lines(
        {
            "title": "Order does not count, and the logits settle",
            "x": "tokens in the document",
            "y": "logit (untrained)",
            "log": "x",
            "ticks": lengths,
            "lines": lines,
            "points": [name for name in lines if "shuffled" in name],
        }
    )
    print("largest change by shuffling:", float((logits - shuffled).abs().max()))


# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("2.3"):
    plot_lengths()

# %% [markdown]
# **What do you see?** The mean keeps logits in one range however long the document is; a sum would grow with it. The crosses
# lie on the lines: without positions, shuffling the tokens changes nothing but rounding.

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
    for number in range(2):
        show_attention(
            [maps[number].numpy() for maps in maps_24],
            names_24,
            title=kinds_24,
            mask=masks_24,
            heading=f"Head {number}: what is hidden gets weight 0, rows still sum to 1",
        )

# %% [markdown]
# **What do you see?** The two heads have different maps of the same sentence. A mask (hatched) takes keys away, and the softmax
# gives their weight to the others: rows still sum to 1. Under the causal mask the first query can only look at itself.

# %% tags=["record"]
record("2.4")

# %% [markdown]
# ## 2.5a Layer normalisation
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
    """Normalises the last axis; parameters weight (d_model,) and bias (d_model,)."""

    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        # TODO
        # BEGIN SOLUTION 2.5a init
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model))
        # END SOLUTION

    def forward(self, x):
        """x (..., d_model) -> the same shape."""
        # TODO
        # BEGIN SOLUTION 2.5a forward
        centred = x - x.mean(dim=-1, keepdim=True)
        variance = centred.square().mean(dim=-1, keepdim=True)
        return centred / torch.sqrt(variance + self.eps) * self.weight + self.bias
        # END SOLUTION


# %% tags=["check"]
check("2.5a")


# %% tags=["skip-execution"]
# figure (skipped while grading)
def plot_norm():
    torch.manual_seed(0)
    x = (
        torch.randn(6, 24) * torch.tensor([0.1, 0.5, 1, 2, 4, 8])[:, None]
        + torch.tensor([3, -2, 0, 4, -6, 1])[:, None]
    )
    after = LayerNorm(24)(x).detach()
    figure, axes = draw_panels(1, 2, 4.2, 2.9)
    for axis, values, title in zip(
        axes[0], (x, after), ("before", "after: mean 0, spread 1"), strict=True
    ):
        for token, row in enumerate(values):
            axis.plot(row, np.full(24, token), "|", color=MEANS["value"], ms=11)
            axis.plot(row.mean(), token, "D", color=MEANS["prediction"], ms=5)
        axis.set(title=title, xlabel="features (ticks) and their mean (diamond)")
        axis.set(yticks=range(6), ylim=(-0.6, 5.6))
    axes[0, 0].set(ylabel="token")
    show_figure(figure)
    print(
        "means:",
        after.mean(-1).numpy().round(4),
        "standard deviations:",
        after.std(-1, unbiased=False).numpy().round(4),
    )


# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("2.5a"):
    plot_norm()

# %% [markdown]
# **What do you see?** Before, tokens have their features at very different places and spreads; afterwards each has mean 0 and
# standard deviation 1. The next layer can count on that, whatever its predecessors learn.

# %% tags=["record"]
record("2.5a")

# %% [markdown]
# ## 2.5b The position-wise feed-forward network
# {{header 2.5b}}
#
# After attention has gathered information, each place works on it alone, all with the same weights:
# $\mathrm{FFN}(x) = \mathrm{ReLU}(x W_1 + b_1)\, W_2 + b_2$. Call the two layers `linear1` (d_model → d_ff) and `linear2` (d_ff → d_model).


# %%
class FeedForward(nn.Module):
    """linear1, ReLU, linear2."""

    def __init__(self, d_model, d_ff):
        super().__init__()
        # TODO
        # BEGIN SOLUTION 2.5b init
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        # END SOLUTION

    def forward(self, x):
        """x (batch, n, d_model) -> (batch, n, d_model)."""
        # TODO
        # BEGIN SOLUTION 2.5b forward
        return self.linear2(torch.relu(self.linear1(x)))
        # END SOLUTION


# %% tags=["check"]
check("2.5b")

# %% tags=["record"]
record("2.5b")

# %% [markdown]
# ## 2.5c The encoder block, post-norm and pre-norm
# {{header 2.5c}}
#
# A block has two sublayers, attention and feed-forward network, each with a residual connection and a norm of its own. The
# original Transformer normalises **after** adding (post-norm); most models since normalise what goes **into** the sublayer (pre-norm):
#
# $$ \text{post: } x \leftarrow \mathrm{norm}(x + \mathrm{sublayer}(x)) \qquad\qquad \text{pre: } x \leftarrow x + \mathrm{sublayer}(\mathrm{norm}(x)) $$
#
# Here you may use torch's parts, so that this question does not need your 2.4 to 2.5b: `self_attn` is an
# `nn.MultiheadAttention(d_model, n_heads, batch_first=True)`, `linear1` and `linear2` are `nn.Linear` with ReLU between them,
# `norm1` (attention) and `norm2` (feed-forward) are `nn.LayerNorm`. No dropout: training mode and evaluation mode give
# the same.
#
# <details><summary>Hint</summary>self_attn(q, k, v, key_padding_mask=…) returns two things; you need the first. In pre-norm, what is added is not what was normalised.</details>


# %%
class EncoderBlock(nn.Module):
    """Parts: self_attn, linear1, linear2, norm1, norm2, as in nn.TransformerEncoderLayer."""

    def __init__(self, d_model, n_heads, d_ff, norm_first=False):
        super().__init__()
        # TODO
        # BEGIN SOLUTION 2.5c init
        self.norm_first = norm_first
        self.self_attn = nn.MultiheadAttention(d_model, n_heads, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        # END SOLUTION

    def forward(self, x, padding=None):
        """x (batch, n, d_model); padding (batch, n) bool or None -> (batch, n, d_model)."""

        # TODO
        # BEGIN SOLUTION 2.5c forward
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
check("2.5c")

# %% [markdown]
# Equal names mean that weights can be exchanged: the next cell loads the state of torch's own layer into yours. Then it sends
# random tokens through twelve untrained blocks and asks how large their numbers are after each.


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
with when_answered("2.4, 2.5a, 2.5b and 2.5c"):
    compare_with_torch(torch.randn(2, 5, 16))
    sizes_25 = {"post-norm": sizes_by_block(False), "pre-norm": sizes_by_block(True)}
    blocks_25 = range(1, 13)
    show_lines(
        {
            "title": "Pre-norm adds up, post-norm starts anew",
            "x": "after block",
            "y": "standard deviation of the tokens",
            "lines": {kind: (blocks_25, sizes) for kind, sizes in sizes_25.items()},
            "ylim": (0, 1.7),
        }
    )
    for kind, sizes in sizes_25.items():
        print(f"{kind}: {sizes[0]:.2f} after block 1, {sizes[-1]:.2f} after block 12")

# %% [markdown]
# **What do you see?** Post-norm brings tokens back to size 1 after every block. In pre-norm nothing on the direct path is ever
# normalised, so each block adds to the sum and it grows; that is why pre-norm models put one more layer norm behind the last
# block. In return gradients reach every block along an untouched path, and deep models train without a careful warm-up.

# %% tags=["record"]
record("2.5c")

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
            "title": "Learning to reverse",
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
# **What do you see?** One bright line from the top right to the bottom left: output 0 looks at the last place, output 1 at the one
# before. The 1 occurs twice, but each output picks the right one, so it is the *place* that decides.
#
# How bright is the line, not for one sequence but in general? Write `antidiagonal_weight` and set `trained_antidiagonal` to its
# value on the 200 given sequences `probe_sequences` (three decimals are enough). The recorded weights must put the right token at
# 99% of the places of other sequences too. Train again? Then run this cell again too.


# %%
def antidiagonal_weight(weights):
    """weights (batch, n, n), a tensor -> a number.

    The mean weight of query i on key n - 1 - i, over queries and batch.
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
# ## Hand in
# **Save the notebook** (Ctrl+S, on a Mac ⌘S), then run this last cell. It says what is missing or out of date, and makes the one file that you
# hand in: `hw2_numpy_to_pytorch_submission.zip` with this notebook as you saved it and `submission_log.json`.

# %%
finish()
