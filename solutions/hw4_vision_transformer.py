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
# # Homework 4 · A Vision Transformer on FashionMNIST
# {{badge}}
#
# A Vision Transformer (ViT) is a Transformer that reads images. It cuts an image into patches, treats each patch as a word, and adds one more
# token, whose output gives the class. In this homework you build every part, train the model (about a quarter of an hour on a laptop), submit its
# weights, and examine what it has learned.
#
# Complete the cells marked `TODO`, run the check below each, and run the record cell when you are satisfied with an answer.
# The last cell tells you what is recorded and what to hand in. The homework takes about three hours. While the model of 4.7 trains, you can write 4.8a.
# You need numpy, torch and matplotlib.
#
# **Questions do not build on each other**: if a question needs a part that you have not written yet, a ready-made part takes its place.

# %% tags=["kit"]
from autograder.author.build import use_kit

use_kit("hw4")

# %%
import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from homework_kit import (
    FASHION_CLASSES, check, draw_confusion, draw_mosaic, draw_panels, finish, load_fashion_mnist,
    patch_viewer, ready_block, record, resumable_fit, save_safely, show_figure, show_lines, show_places,
    signed_colors, table_frames, unfinished, when_answered, with_progress,
)  # fmt: skip

# This is the only line that sets the device for training. To avoid the GPU, put "cpu" here.
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# %% [markdown]
# ## The images
#
# FashionMNIST (Xiao, Rasul and Vollgraf, 2017; MIT license) contains gray 28×28 images of clothes in ten classes. You get 5,000 images for
# training and 1,000 for testing. The loader looks in these places, in this order:
#
# 1. the file `fashion_mnist_5000_1000.npz` beside this notebook or in its `data` folder;
# 2. a folder with the original files, if you name one;
# 3. torchvision's download, which Colab uses.
#
# The grader also has this file.
#
# **The convention of this homework:** images are float32 tensors of shape (batch, 1, 28, 28) with pixels from 0 to 1, and no other
# normalization. The grader passes hidden images to your model in exactly this form. Your code must not change the tensors that it is given:
# write `x = x + 1`, not `x += 1`.


# %%
def to_tensors(images, labels):
    """uint8 images (n, 28, 28) and labels (n,) -> float32 (n, 1, 28, 28), int64 labels.

    Pixels are scaled to the range from 0 to 1.
    """
    pixels = torch.from_numpy(images).float() / 255
    return pixels.unsqueeze(1), torch.from_numpy(labels).long()


# %%
# load_fashion_mnist("a/folder") reads the original files; full=True loads all 70,000 images.
with when_answered():
    fashion = load_fashion_mnist()
    learn_images, learn_labels = to_tensors(*fashion["train"])
    test_images, test_labels = to_tensors(*fashion["test"])

# %% [markdown]
# ## 4.1 Patches
# {{header 4.1}}
#
# A 28×28 image becomes 7×7 patches of 4×4 pixels. Number the patches row by row from the top left, in reading order, and number the
# pixels inside each patch in the same way:
#
# $$ (b, 1, 28, 28) \;\to\; (b, 49, 16) $$
#
# Write `patchify` and its inverse `unpatchify`, for any height and width that the patch size divides.
#
# <details><summary>Hint 1</summary>One reshape can split an axis of 28 into (7, 4). Which four axes do height and width become?</details>
# <details><summary>Hint 2</summary>Before the last reshape, the axes must be in this order: patch row, patch column, pixel row, pixel column. See Tensor.permute.</details>


# %%
def patchify(images, patch_size=4):
    """Cuts images into patches: (b, 1, H, W) -> (b, H/p * W/p, p * p), row by row.

    [[0, 1, 2, 3], [4, 5, 6, 7]] with patch_size 2 -> [[0, 1, 4, 5], [2, 3, 6, 7]]
    """
    # TODO
    # BEGIN SOLUTION 4.1 cut
    batch, _, height, width = images.shape
    p = patch_size
    grid = images.reshape(
        batch, height // p, p, width // p, p
    )  # (b, patch row, pixel row, patch column, pixel column)
    return grid.permute(0, 1, 3, 2, 4).reshape(batch, -1, p * p)
    # END SOLUTION


def unpatchify(patches, patch_size=4, height=28, width=28):
    """Puts patches back together: (b, H/p * W/p, p * p) -> (b, 1, H, W).

    [[0, 1, 4, 5], [2, 3, 6, 7]], 2, 2, 4 -> [[0, 1, 2, 3], [4, 5, 6, 7]]
    """
    # TODO
    # BEGIN SOLUTION 4.1 glue
    p = patch_size
    grid = patches.reshape(
        -1, height // p, width // p, p, p
    )  # (b, patch row, patch column, pixel row, pixel column)
    return grid.permute(0, 1, 3, 2, 4).reshape(-1, 1, height, width)
    # END SOLUTION


# %% tags=["check"]
check("4.1")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("4.1"):
    boot = patchify(learn_images[:1])[0].reshape(7, 7, 4, 4)
    figure_41, ((axis_41,),) = draw_panels(width=4.2, height=4.4)
    draw_mosaic(axis_41, 1 - np.asarray(boot), range(7), range(7))
    axis_41.set(
        title=f"{FASHION_CLASSES[learn_labels[0]]}: 49 patches, each in its place"
    )
    axis_41.set(xlabel="patch column (dark: large values)", ylabel="patch row")
    show_figure(
        figure_41,
        alt="Figure: A picture of clothes, cut into a 7 by 7 grid of patches, each at its own row and column.",
    )
    print(
        "put back without loss:",
        torch.equal(unpatchify(patchify(learn_images)), learn_images),
    )

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# You see the ankle boot with gaps between its patches. To the model, the image is now a sequence of 49 "words" of 16 numbers each. Nothing
# in a word says where in the image it was; 4.3 adds that information.
#
# </details>

# %% tags=["record"]
record("4.1")

# %% [markdown]
# ## 4.2 Patch embedding, two ways
# {{header 4.2}}
#
# Each patch becomes a token through one linear map, $\text{token}_i = W\,\text{patch}_i + b$, with $W$ of shape (dim, p·p). Write this map in two
# ways. Both take **the same weights** and return the same tokens (b, patches, dim):
#
# 1. `embed_by_unfold`: `F.unfold` cuts the patches and `F.linear` maps them. The documentation says which axis `F.unfold` puts last.
# 2. `embed_by_convolution`: a single `F.conv2d` does both. Which kernels and which stride does it need?
#
# Then set `patch_convolution` to a letter: which convolution embeds a 28×28 image with 4×4 patches and dim 64?
#
# {{options patch_convolution}}
#
# <details><summary>Hint</summary>An output channel of a convolution is the dot product of a window with a kernel. Number j of a token is the dot product of a patch with row j of W.</details>


# %%
def embed_by_unfold(images, weight, bias):
    """Images (b, 1, H, W), weight (dim, p * p), bias (dim,) -> tokens (b, patches, dim).

    Uses F.unfold and F.linear.

    A (1, 1, 2, 2) image of ones, weight (3, 4) of ones, bias 0 -> [[[4, 4, 4]]]
    """
    p = math.isqrt(weight.shape[1])
    # TODO
    # BEGIN SOLUTION 4.2 unfold
    return F.linear(F.unfold(images, p, stride=p).transpose(1, 2), weight, bias)
    # END SOLUTION


def embed_by_convolution(images, weight, bias):
    """The same tokens from a single F.conv2d."""
    p = math.isqrt(weight.shape[1])
    # TODO
    # BEGIN SOLUTION 4.2 convolution
    return (
        F.conv2d(images, weight.reshape(-1, 1, p, p), bias, stride=p)
        .flatten(2)
        .transpose(1, 2)
    )
    # END SOLUTION


# TODO: a letter
# BEGIN SOLUTION 4.2 name
patch_convolution = "C"
# END SOLUTION

# %% tags=["check"]
check("4.2")

# %% [markdown]
# <details><summary><b>Is a ViT free of convolutions?</b> Choose your letter first, then open.</summary>
#
# It is, except for its first layer: the patch embedding is a convolution whose windows do not overlap.
#
# </details>

# %% tags=["record"]
record("4.2")

# %% [markdown]
# ## 4.3 Class token and positions
# {{header 4.3}}
#
# Now you add two kinds of learned vectors. A **class token**, the same for every image, goes before the 49 patch tokens; the model will
# read the class from it. Then a learned **position** is added at each of the 50 places:
#
# $$ z = [\,c\,;\, t_1\,;\, \dots\,;\, t_{49}\,] + P, \qquad P \in \mathbb{R}^{50 \times \text{dim}} $$
#
# | parameter | shape |
# |---|---|
# | `class_token` | (1, 1, dim) |
# | `positions` | (1, 1 + patches, dim) |
#
# <details><summary>Hint</summary>Tensor.expand repeats the class token for a batch without copying it; torch.cat joins tensors along an axis.</details>


# %%
class TokenSequence(nn.Module):
    """Patch tokens (b, patches, dim) -> (b, 1 + patches, dim).

    The class token comes first; positions are added at all places.
    """

    def __init__(self, patches, dim):
        super().__init__()
        # TODO: two parameters; you choose their initial values (usually random, standard deviation 0.02)
        # BEGIN SOLUTION 4.3 init
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, dim))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + patches, dim))
        # END SOLUTION

    def forward(self, tokens):
        # TODO
        # BEGIN SOLUTION 4.3 forward
        first = self.class_token.expand(len(tokens), -1, -1)  # (b, 1, dim)
        return torch.cat([first, tokens], dim=1) + self.positions
        # END SOLUTION


# %% [markdown]
# ### Count the parameters
#
# Consider another configuration: 28×28 gray images, **{{number 4.3 patch}}×{{number 4.3 patch}}** patches, dim {{number 4.3 dim}}, **{{number 4.3 depth}}** blocks with 4 heads, MLP width {{number 4.3 mlp_dim}}, ten classes. Each
# block has two layer norms (each with a weight and a bias), four linear maps for attention (query, key, value, output), and two linear maps
# for the MLP, {{number 4.3 dim}} → {{number 4.3 mlp_dim}} → {{number 4.3 dim}}. After the blocks come one more layer norm and the linear head. Every linear map has a bias.
#
# Calculate on paper how many parameters there are in the patch embedding, in the class token and the positions together, in **one** block,
# and in the whole model.

# %%
# TODO: whole numbers; you may write them as sums and products.
# BEGIN SOLUTION 4.3 counts
count_patch_embedding = 196 * 48 + 48
count_tokens = 48 + (4 + 1) * 48
count_block = 2 * (48 + 48) + 4 * (48 * 48 + 48) + (48 * 96 + 96) + (96 * 48 + 48)
count_total = (
    count_patch_embedding + count_tokens + 3 * count_block + 2 * 48 + (48 * 10 + 10)
)
# END SOLUTION

# %% tags=["check"]
check("4.3")

# %% tags=["record"]
record("4.3")

# %% [markdown]
# ## 4.4a Multi-head self-attention
# {{header 4.4a}}
#
# Each token attends to all tokens, in $H$ = `heads` heads of size $d = \text{dim} / H$. Head $h$, counted from 0, uses features $hd$ to $(h+1)d - 1$ of query, key and value:
#
# $$ A^{(h)} = \mathrm{softmax}\!\left(Q^{(h)} K^{(h)\top} / \sqrt{d}\right), \qquad \text{output} = [A^{(0)}V^{(0)} ; \dots ; A^{(H-1)}V^{(H-1)}]\,W_o^\top + b_o $$
#
# The module has four linear maps with bias, dim → dim: `query`, `key`, `value` and `out`. (Instead of the first three, you may use one map
# `qkv`, dim → 3·dim, whose outputs are first the queries, then the keys, then the values.) With `return_weights=True`, return the output **and** the
# weights (b, heads, query, key). Scores may be about 1,000, and nothing may overflow. Write the attention yourself, without
# `nn.MultiheadAttention` and `F.scaled_dot_product_attention`.
#
# <details><summary>Hint 1</summary>Reshape (b, n, dim) to (b, n, heads, d), then bring the heads before n.</details>
# <details><summary>Hint 2</summary>Afterwards, undo both steps in reverse order: first bring n before the heads, and only then merge (heads, d) into dim.</details>


# %%
class MultiHeadSelfAttention(nn.Module):
    """Tokens (b, n, dim) -> (b, n, dim).

    With return_weights, also returns the weights (b, heads, n, n), whose rows sum to 1.
    """

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        # TODO: query, key, value, out
        # BEGIN SOLUTION 4.4a init
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        # END SOLUTION

    def forward(self, x, return_weights=False):
        # TODO
        # BEGIN SOLUTION 4.4a forward
        batch, n, dim = x.shape
        split = (batch, n, self.heads, dim // self.heads)
        q, k, v = (
            layer(x).reshape(split).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )  # (b, head, token, d)
        scores = (
            q @ k.transpose(-2, -1) / math.sqrt(dim // self.heads)
        )  # (b, head, query, key)
        weights = scores.softmax(dim=-1)
        output = self.out((weights @ v).transpose(1, 2).reshape(batch, n, dim))
        return (output, weights) if return_weights else output
        # END SOLUTION


# %% tags=["check"]
check("4.4a")

# %% tags=["record"]
record("4.4a")

# %% [markdown]
# ## 4.4b The encoder block
# {{header 4.4b}}
#
# The block has two halves, attention and an MLP. In a *pre-norm* block, each half reads a **normalized copy** of $x$ and adds its output to $x$
# itself. Nothing else changes $x$ on its way through the blocks, so gradients reach the first layer directly.
#
# $$ x \leftarrow x + \mathrm{Attention}(\mathrm{norm}_1(x)), \qquad x \leftarrow x + \mathrm{MLP}(\mathrm{norm}_2(x)) $$
#
# The parts are `norm1` and `norm2` (`nn.LayerNorm`), `attention` (created with the argument of that name and called as in 4.4a), and `mlp`:
# linear dim → mlp_dim, `nn.GELU()`, linear mlp_dim → dim. With `return_weights=True`, also return the attention weights. If 4.4a is not done yet,
# pass `attention=ready_attention` (from `homework_kit`). It is torch's own attention, and the grader uses it in this question. Write the block
# yourself, without `nn.TransformerEncoderLayer`. In 4.5, also write the loop over the blocks yourself, without `nn.TransformerEncoder`.


# %%
class EncoderBlock(nn.Module):
    """Tokens (b, n, dim) -> (b, n, dim).

    With return_weights, also returns the attention weights (b, heads, n, n).
    """

    def __init__(self, dim, heads, mlp_dim, attention=MultiHeadSelfAttention):
        super().__init__()
        self.attention = attention(dim, heads)
        # TODO: norm1, norm2, mlp
        # BEGIN SOLUTION 4.4b init
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(
            nn.Linear(dim, mlp_dim), nn.GELU(), nn.Linear(mlp_dim, dim)
        )
        # END SOLUTION

    def forward(self, x, return_weights=False):
        # TODO
        # BEGIN SOLUTION 4.4b forward
        attended, weights = self.attention(self.norm1(x), return_weights=True)
        x = x + attended
        x = x + self.mlp(self.norm2(x))
        return (x, weights) if return_weights else x
        # END SOLUTION


# %% tags=["check"]
check("4.4b")

# %% tags=["record"]
record("4.4b")

# %% [markdown]
# ## 4.5 The whole model
# {{header 4.5}}
#
# The model has these steps: images → patch embedding → class token and positions → `depth` blocks → layer norm → a linear head **on the class token** → ten logits.
#
# | part | what it is |
# |---|---|
# | `patch_embedding` | `nn.Linear(p * p, dim)` or `nn.Conv2d(1, dim, p, p)` |
# | `class_token`, `positions` | parameters as in 4.3 |
# | `blocks` | `nn.ModuleList` of `block(dim, heads, mlp_dim)` |
# | `norm`, `head` | `nn.LayerNorm(dim)`, `nn.Linear(dim, classes)` |
#
# With its default arguments, the model has 205,962 parameters. With `return_weights=True`, return the logits **and** the attention weights of all
# blocks, (b, depth, heads, query, key). Gradients must reach every parameter. The grader passes `block=ready_block`, which is torch's own block. You
# can do the same if 4.4 is not done yet.
#
# <details><summary>Hint</summary>In 4.2 and 4.3 you wrote everything except the blocks. The head reads the vector at one place: which one?</details>


# %%
class VisionTransformer(nn.Module):
    """Images (b, 1, s, s) -> logits (b, classes).

    With return_weights, also returns the weights (b, depth, heads, n + 1, n + 1).
    """

    def __init__(
        self,
        image_size=28,
        patch_size=4,
        depth=6,
        heads=4,
        dim=64,
        mlp_dim=128,
        classes=10,
        block=EncoderBlock,
    ):
        super().__init__()
        self.patch_size = patch_size
        patches = (image_size // patch_size) ** 2
        # TODO: the parts in the table
        # BEGIN SOLUTION 4.5 init
        self.patch_embedding = nn.Linear(patch_size**2, dim)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, dim))
        self.positions = nn.Parameter(0.02 * torch.randn(1, 1 + patches, dim))
        self.blocks = nn.ModuleList(block(dim, heads, mlp_dim) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)
        self.head = nn.Linear(dim, classes)
        # END SOLUTION

    def forward(self, images, return_weights=False):
        # TODO
        # BEGIN SOLUTION 4.5 forward
        tokens = self.patch_embedding(
            F.unfold(images, self.patch_size, stride=self.patch_size).transpose(1, 2)
        )  # (b, n, dim)
        first = self.class_token.expand(len(images), -1, -1)
        x = torch.cat([first, tokens], dim=1) + self.positions
        maps = []
        for block in self.blocks:
            x, weights = block(x, return_weights=True)
            maps.append(weights)
        logits = self.head(self.norm(x[:, 0]))
        return (logits, torch.stack(maps, dim=1)) if return_weights else logits
        # END SOLUTION


# %% tags=["check"]
check("4.5")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("4.5"):
    fresh = VisionTransformer(block=ready_block)
    print(
        f"{sum(parameter.numel() for parameter in fresh.parameters()):,} parameters, logits of shape {tuple(fresh(learn_images[:3]).shape)}"
    )

# %% tags=["record"]
record("4.5")

# %% [markdown]
# ## 4.6a A training step and an evaluation
# {{header 4.6a}}
#
# `train_step` makes one training step on one batch: set training mode, clear old gradients, compute the mean cross-entropy, run backward,
# step. It returns the loss, computed **before** the step, as a float.
#
# `evaluate` returns the mean loss and the accuracy (0 to 1) **over all images**. It processes at most `batch_size` images at once. The last
# batch may be smaller, and its images must not count more than the others. `evaluate` uses evaluation mode and no gradients, and it
# leaves everything as it was, **including the mode**.
#
# <details><summary>Hint</summary>F.cross_entropy(…, reduction="sum") gives a sum; divide once, at the end.</details>


# %%
def train_step(model, optimizer, images, labels):
    """Makes one optimizer step on the mean cross-entropy of one batch.

    Returns the loss before the step, a float.

    A model whose ten logits are 0 -> 2.3026
    """
    # TODO
    # BEGIN SOLUTION 4.6a step
    model.train()
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()
    # END SOLUTION


def evaluate(model, images, labels, batch_size=250):
    """Returns mean loss and accuracy over all images, two floats; does not change the model.

    A model whose ten logits are 0, all labels 0 -> 2.3026, 1.0
    """
    # TODO
    # BEGIN SOLUTION 4.6a evaluate
    was_training = model.training
    model.eval()
    loss, right = 0.0, 0
    with torch.inference_mode():
        for x, y in zip(
            images.split(batch_size), labels.split(batch_size), strict=True
        ):
            logits = model(x)
            loss += F.cross_entropy(logits, y, reduction="sum").item()
            right += (logits.argmax(dim=-1) == y).sum().item()
    model.train(was_training)
    return loss / len(labels), right / len(labels)
    # END SOLUTION


# %% tags=["check"]
check("4.6a")

# %% tags=["record"]
record("4.6a")

# %% [markdown]
# ## 4.6b Validation and the best epoch
# {{header 4.6b}}
#
# Which epoch's weights do you keep? If you chose them by test accuracy, the test set would become a part of training. Therefore hold out
# **validation** images from the 5,000 training images.
#
# `split_rows(labels, validation, seed)` returns two arrays of row numbers: rows for training and `validation` rows for validation. Each row is in
# exactly one of them. Draw the rows at random from the seed, **equally many of each class** for validation. (`validation` is a
# multiple of the number of classes.)
#
# `fit(…)` repeats `epochs` times: train on `data["train"]`, then evaluate on `data["validation"]`. Whenever the validation accuracy is the best so
# far, save `model.state_dict()` to `path`. (`save_safely(state, path)` is `torch.save`, except that it never leaves an incomplete file.) If you interrupt the
# kernel (KeyboardInterrupt), even in the first epoch, `fit` must end without an error and keep the results so far. At the end, load the best
# weights if at least one epoch was finished. Return the history.
#
# <details><summary>Hint</summary>Save immediately, not at the end. Then an interrupt loses no more than the current epoch.</details>


# %%
def split_rows(labels, validation, seed):
    """NumPy labels (n,) -> row numbers for training and row numbers for validation.

    Their shapes are (n - validation,) and (validation,).

    [0, 0, 1, 1], 2, 0 -> for example [0, 3], [1, 2]
    """
    # TODO
    # BEGIN SOLUTION 4.6b split
    rng = np.random.default_rng(seed)
    kinds = np.unique(labels)
    held = np.sort(
        np.concatenate(
            [
                rng.permutation(np.flatnonzero(labels == kind))[
                    : validation // len(kinds)
                ]
                for kind in kinds
            ]
        )
    )
    return np.setdiff1d(np.arange(len(labels)), held), held
    # END SOLUTION


# %%
def fit(model, data, epochs, train_epoch, evaluate, path):
    """Trains a model and keeps the weights of the epoch with the highest validation accuracy.

    They are saved in the file `path` and, at the end, loaded into `model`.
    data: "train", "validation", "test" -> (images, labels)
    train_epoch(model, images, labels) -> mean training loss
    evaluate(model, images, labels) -> loss, accuracy
    Returns a list with a dict for each finished epoch: "train_loss", "validation_loss",
    "validation_accuracy". `with_progress` counts the epochs and estimates the remaining time.
    """
    history = []
    # TODO: for epoch in with_progress(epochs, history): ...
    # BEGIN SOLUTION 4.6b fit
    best = -1.0
    try:
        for _ in with_progress(epochs, history):
            train_loss = train_epoch(model, *data["train"])
            loss, accuracy = evaluate(model, *data["validation"])
            history.append(
                {
                    "train_loss": train_loss,
                    "validation_loss": loss,
                    "validation_accuracy": accuracy,
                }
            )
            if accuracy > best:
                best = accuracy
                save_safely(model.state_dict(), path)
    except KeyboardInterrupt:
        print(f"stopped after {len(history)} epochs; the best so far is kept")
    if history:
        best_state = torch.load(path, weights_only=True, map_location="cpu")
        model.load_state_dict(best_state)  # copied to wherever the model is
    return history
    # END SOLUTION


# %% tags=["check"]
check("4.6b")

# %% tags=["record"]
record("4.6b")

# %% [markdown]
# ## 4.7 Train a model and submit its checkpoint
# {{header 4.7}}
#
# Now train your model. The training recipe below is given: AdamW, a learning rate that first rises and then falls, and images that are mirrored
# and slightly shifted at random. 45 epochs take 8 to 15 minutes on two free cores. After each epoch, a line estimates the remaining time. If an epoch
# takes longer than half a minute, other programs probably use the cores, too. In this case, put `torch.set_num_threads(1)` into the training cell (most
# time is lost when threads wait for each other).
#
# You may **interrupt the kernel at any time**: the best weights so far are in `hw4_vision_transformer.pt`. If you run the training cell again, training
# **continues** where it stopped, even after a lost session, as long as the files are there. Try `EPOCHS = 3` first, then run the full training with
# `TRAIN_AGAIN = True`.
#
# On a GPU (in Colab: *Runtime → Change runtime type*), the same cell runs on `device`. To earn the bonus, train there with all 60,000 images,
# `load_fashion_mnist(…, full=True)`. **Colab deletes your files** when the session ends. Click the folder icon on the left, download
# `hw4_vision_transformer.pt` and its `.resume` file (⋮ → Download), and upload them to continue in a new session.

# %% [markdown]
# The grader loads this file into your class `Classifier` and tests it on 400 hidden images, whose position and contrast are slightly changed. The model must
# be a Vision Transformer: it reads patches (windows that do not overlap) and mixes them by attention. Any other model gets half of the points. Points
# rise linearly from 40% to 78% accuracy; this recipe exceeds 78%. Between 83% and 88.5%, there is a bonus of up to 5 points. (These images are harder
# than most: our model, trained on all 60,000 images, reaches the published 89.3% on the official test set and 85.8% here.) For a larger model, change
# the class below. The file may have at most 4 MB.


# %%
class Classifier(VisionTransformer):
    """The class whose weights you submit.

    Change its configuration here, for example super().__init__(block=ready_block).
    """

    def __init__(self):
        super().__init__()


# %%
def augment(images):
    """Mirrors half of the images and shifts each by up to one pixel, on the images' device.

    (b, 1, 28, 28) -> the same shape.
    """
    batch, place = len(images), images.device
    mirrored = torch.rand(batch, 1, 1, 1, device=place) < 0.5
    images = torch.where(mirrored, images.flip(-1), images)
    padded = F.pad(images, (1, 1, 1, 1))
    down, right = torch.randint(0, 3, (2, batch, 1), device=place)
    rows, columns = (shift + torch.arange(28, device=place) for shift in (down, right))
    image = torch.arange(batch, device=place)[:, None, None]
    return padded[image, 0, rows[:, :, None], columns[:, None, :]].unsqueeze(1)


# %%
def make_training(model, images, epochs, batch_size=64, top=1e-3):
    """Returns an optimizer, its schedule, and a function that trains one epoch.

    The learning rate rises during the first tenth of all steps, then falls along a cosine.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=top, weight_decay=0.05)
    steps = epochs * math.ceil(len(images) / batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, top, total_steps=steps, pct_start=0.1, cycle_momentum=False
    )

    def train_epoch(model, images, labels):
        total = 0.0
        order = torch.randperm(len(labels)).to(labels.device)
        for rows in order.split(batch_size):
            total += len(rows) * train_step(
                model, optimizer, augment(images[rows]), labels[rows]
            )
            schedule.step()
        return total / len(labels)

    return optimizer, schedule, train_epoch


# %% [markdown]
# Run this cell and take a break. If an earlier training was interrupted, the cell continues it. If there is a finished checkpoint, even one from a
# short trial, the cell **loads it instead of training**. To train again and replace the checkpoint, set `TRAIN_AGAIN = True`. Do this
# after each change of `Classifier`, because the old weights do not fit the new class.

# %% tags=["skip-execution"]
# training (skipped while grading)
EPOCHS, TRAIN_AGAIN = 45, False
checkpoint = Path("hw4_vision_transformer.pt")
past = Path("hw4_vision_transformer.history.json")
trained_model, history = None, []
with when_answered("4.5 and 4.6"):
    train_rows, validation_rows = split_rows(fashion["train"][1], 500, seed=0)
    pairs = {
        "train": (learn_images[train_rows], learn_labels[train_rows]),
        "validation": (learn_images[validation_rows], learn_labels[validation_rows]),
        "test": (test_images, test_labels),
    }
    data = {name: (x.to(device), y.to(device)) for name, (x, y) in pairs.items()}
    torch.manual_seed(0)
    trained_model = Classifier().to(device)
    if TRAIN_AGAIN or unfinished(checkpoint) or not checkpoint.exists():
        training = make_training(trained_model, data["train"][0], EPOCHS)
        history = resumable_fit(
            fit,
            trained_model,
            data,
            EPOCHS,
            training,
            evaluate,
            checkpoint,
            "positions",
        )
        past.write_text(json.dumps(history))
    elif past.exists():
        history = json.loads(past.read_text())
    if checkpoint.exists():
        best_weights = torch.load(checkpoint, weights_only=True, map_location="cpu")
        trained_model.load_state_dict(best_weights)
    loss_47, accuracy_47 = evaluate(trained_model, *data["validation"])
    trained_model.cpu()  # the figures and checks below use the CPU
    print(f"{len(history)} epochs, TRAIN_AGAIN = {TRAIN_AGAIN}")
    print(f"validation loss {loss_47:.3f}, accuracy {accuracy_47:.1%}")

# %% tags=["check"]
check("4.7")

# %% tags=["record"]
record("4.7")

# %% [markdown]
# ## 4.8a The numbers behind four figures
# {{header 4.8a}}
#
# A figure is only as good as the array behind it. Write four functions; each of them supplies a figure below.
#
# 1. `first_of_each_class(labels, count)` returns the row numbers of the first `count` images of each class, (classes, count).
# 2. `confusion_matrix(labels, predictions, classes)` returns counts (classes, classes), with **row = true class, column = guess**.
# 3. `class_token_attention(maps)` takes the attention weights of one image, (depth, heads, 1+n, 1+n), and returns one picture for each block,
#    (depth, side, side): what the **class token attends to**. This is the class token's row without the weight on itself, averaged over the heads.
# 4. `position_similarity(positions)` takes positions (1, 1+n, dim) and returns the cosine between the positions of all pairs of **patches**,
#    (n, n), without the class token.
#
# <details><summary>Hint for 2</summary>`matrix[labels, predictions] += 1` looks right. Try it on a pair that occurs twice, then read about np.add.at.</details>


# %%
def first_of_each_class(labels, count):
    """NumPy labels (n,) -> row numbers (classes, count).

    [1, 0, 1, 0, 0], 2 -> [[1, 3], [0, 2]]
    """
    # TODO
    # BEGIN SOLUTION 4.8a rows
    return np.stack(
        [np.flatnonzero(labels == kind)[:count] for kind in np.unique(labels)]
    )
    # END SOLUTION


def confusion_matrix(labels, predictions, classes):
    """NumPy labels and predictions (n,) -> counts (classes, classes), row = true class.

    [0, 0, 1], [0, 1, 1], 2 -> [[1, 1], [0, 1]]
    """
    # TODO
    # BEGIN SOLUTION 4.8a confusion
    matrix = np.zeros((classes, classes), dtype=int)
    np.add.at(matrix, (labels, predictions), 1)
    return matrix
    # END SOLUTION


# %%
def class_token_attention(maps):
    """Attention of one image (depth, heads, 1 + n, 1 + n) -> (depth, side, side).

    Both are tensors, and side * side = n.

    One head with the first row [0.2, 0.1, 0.2, 0.3, 0.2] -> [[[0.1, 0.2], [0.3, 0.2]]]
    """
    # TODO
    # BEGIN SOLUTION 4.8a attention
    looked_at = maps[:, :, 0, 1:].mean(dim=1)  # (depth, n)
    side = math.isqrt(looked_at.shape[1])
    return looked_at.reshape(-1, side, side)
    # END SOLUTION


def position_similarity(positions):
    """A table of positions (1, 1 + n, dim) -> cosine similarity (n, n) of the patches' positions.

    [[[9, 9], [1, 0], [0, 2]]] -> [[1, 0], [0, 1]]
    """
    # TODO
    # BEGIN SOLUTION 4.8a positions
    table = F.normalize(positions[0, 1:], dim=-1)
    return table @ table.T
    # END SOLUTION


# %% tags=["check"]
check("4.8a")

# %% tags=["record"]
record("4.8a")

# %% [markdown]
# **Predict before you run the next cell** (not graded): which classes would you confuse at 28 × 28 pixels?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("4.8a"):
    rows_48 = first_of_each_class(fashion["train"][1], 8)
    figure_48a, ((axis_48a,),) = draw_panels(width=5.6, height=5.6)
    pictures_48 = fashion["train"][0][np.asarray(rows_48)] / 255
    draw_mosaic(axis_48a, 1 - pictures_48, FASHION_CLASSES, range(8))
    axis_48a.set(title="Shirts, pullovers and coats are hard to tell apart")
    axis_48a.set(xlabel="the first eight training images of each class")
    show_figure(
        figure_48a,
        alt="Figure: ten rows of eight small gray pictures, one row for each class: "
        + ", ".join(FASHION_CLASSES),
    )

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# Trousers, bags and boots have distinctive outlines. T-shirts, pullovers, coats and shirts have similar outlines; the details that distinguish
# them (sleeves, buttons, collars) take up only a few pixels. Which mistakes do you expect?
#
# </details>

# %% [markdown]
# **Predict before you run the next cell** (not graded): which of the two losses stops falling first, and what happens to the other?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("4.6b"):
    if history:
        curves_48 = {name: [row[name] for row in history] for name in history[0]}
        epochs_48 = np.arange(1, len(history) + 1)
        best_48 = int(np.argmax(curves_48["validation_accuracy"]))
        top_48 = curves_48["validation_accuracy"][best_48]
        show_lines(
            {
                "title": f"At the end, validation loss is {curves_48['validation_loss'][-1]:.2f},"
                f" training loss {curves_48['train_loss'][-1]:.2f}",
                "x": "epoch",
                "y": "cross-entropy",
                "lines": {
                    "training": (epochs_48, curves_48["train_loss"]),
                    "validation": (epochs_48, curves_48["validation_loss"]),
                },
                "colors": {"training": "other", "validation": "prediction"},
            },
            {
                "title": f"Best: {top_48:.1%} in epoch {best_48 + 1}",
                "x": "epoch",
                "y": "validation accuracy",
                "lines": {
                    "validation": (epochs_48, curves_48["validation_accuracy"]),
                    "kept": ([best_48 + 1], [top_48]),
                },
                "points": ["kept"],
                "colors": {"validation": "prediction", "kept": "target"},
                "ylim": (0, 1),
            },
        )

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# If you trained all 45 epochs, both losses first fall steeply. Then the validation loss flattens while the training loss keeps falling: from there
# on, the model learns these particular images rather than clothes in general. The best validation accuracy is a little too high by chance,
# because it is the best of 45 noisy measurements on 500 images. One image counts for 0.2 percentage points.
#
# </details>

# %% [markdown]
# **Predict before you run the next cell** (not graded): which class has the most mistakes, and which kinds of clothes are never confused with each other?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("4.8a"):
    if trained_model is not None:
        trained_model.eval()
        with torch.no_grad():
            guesses_48 = torch.cat(
                [trained_model(part).argmax(-1) for part in test_images.split(250)]
            ).numpy()
        confusion_48 = confusion_matrix(fashion["test"][1], guesses_48, 10)
        confusion_48 = np.asarray(confusion_48)
        figure_48c, ((axis_48c,),) = draw_panels(width=6.0, height=5.2)
        draw_confusion(axis_48c, confusion_48, FASHION_CLASSES)
        show_figure(figure_48c)

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# One row stands out: shirts are often mistaken for T-shirts, pullovers, coats and dresses. Errors stay within groups of similar
# clothes: footwear is mistaken for other footwear, never for a coat.
#
# </details>

# %% [markdown]
# **Predict before you run the next cell** (not graded): will the class token attend to the garment, to its outline or to the background?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("4.8a"):
    if trained_model is not None:
        # a boot, trousers and a T-shirt of the test images
        chosen_48 = [0, 2, 19]
        with torch.no_grad():
            logits_48, maps_48 = trained_model(
                test_images[chosen_48], return_weights=True
            )
        looks_48 = np.stack([np.asarray(class_token_attention(m)) for m in maps_48])
        means_48 = np.stack([np.asarray(m.mean(dim=1)) for m in maps_48])
        means_48[:, :, 0, 1:] = looks_48.reshape(*looks_48.shape[:2], -1)  # yours
        patch_viewer(
            test_images[chosen_48, 0],
            means_48,
            [FASHION_CLASSES[one.argmax()] for one in logits_48],
            title="What the class token attends to (labeled by the guess)",
        ).show()

# %% tags=["skip-execution"]
# figure (skipped while grading): the same in numbers
with when_answered("4.8a"):
    if trained_model is not None:
        clothed_48 = F.avg_pool2d(test_images[:200], 4).flatten(1).numpy() > 0.1
        with torch.no_grad():
            many_48 = trained_model(test_images[:200], return_weights=True)[1]
        weights_48 = np.stack([class_token_attention(maps) for maps in many_48])
        weights_48 = weights_48.reshape(200, -1, 49)  # (image, block, patch)
        shares_48 = (weights_48 * clothed_48[:, None]).sum(-1).mean(0)
        print(f"patches that show clothing, in 200 images: {clothed_48.mean():.0%}")
        print("attention on them, by block:", *(f"{share:.0%}" for share in shares_48))

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# A few patches stand out, different ones in each block. Do they follow the object? Compare the printed shares. If a block attended to all
# patches equally, its share of attention on clothing would equal the share of patches that show clothing. In one of our training runs, two blocks were
# clearly above that share (78% and 68%, compared with 56%). In another run with the same recipe, no block was. High attention tells you where values
# *come from*, not how much they matter.
#
# </details>

# %% [markdown]
# **Predict before you run the next cell** (not graded): to which other places will the learned position of a place be most similar?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("4.8a"):
    if trained_model is not None:
        similar_48 = np.asarray(position_similarity(trained_model.positions.detach()))
        side_48 = math.isqrt(len(similar_48))
        figure_48e, ((axis_48e,),) = draw_panels(width=6.2, height=5.6)
        panels_48 = similar_48.reshape(side_48, side_48, side_48, side_48)
        shown_48e = draw_mosaic(
            axis_48e,
            panels_48,
            range(side_48),
            range(side_48),
            cmap=signed_colors(),
            vmin=-1,
            mark_own=True,
        )
        others_48 = np.where(np.eye(len(similar_48), dtype=bool), -2, similar_48)
        nearest_48 = np.divmod(others_48.argmax(axis=1), side_48)
        row_48, column_48 = np.divmod(np.arange(len(similar_48)), side_48)
        steps_48 = np.maximum(
            abs(nearest_48[0] - row_48), abs(nearest_48[1] - column_48)
        )
        mirrored_48 = (nearest_48[0] == row_48) & (
            nearest_48[1] == side_48 - 1 - column_48
        )
        axis_48e.set(
            title=f"Most similar: a neighbor for {(steps_48 == 1).sum()} places, the mirror image for"
            f" {(mirrored_48 & (steps_48 > 1)).sum()}"
        )
        axis_48e.set(
            xlabel="patch column of the panel", ylabel="patch row of the panel"
        )
        bar_48e = figure_48e.colorbar(shown_48e, ax=axis_48e, shrink=0.7)
        bar_48e.set_label("cosine similarity to all places (dot: the place itself, 1)")
        bar_48e.outline.set_visible(False)
        show_figure(
            figure_48e,
            alt="Figure: a panel for each patch: the cosine similarity of its position to all places, its own place is left blank and has a dot.",
        )

# %% tags=["skip-execution"]
# figure (skipped while grading): how the positions were learned
with when_answered("4.8a"):
    epochs_48, tables_48 = table_frames(checkpoint)
    if epochs_48:
        each_48 = np.stack(
            [position_similarity(torch.from_numpy(table)) for table in tables_48]
        )
        side_48 = math.isqrt(each_48.shape[-1])
        show_places(each_48, epochs_48)

# %% tags=["skip-execution"]
# figure (skipped while grading): the same in numbers
with when_answered("4.8a"):
    if trained_model is not None:
        similar_48 = np.asarray(position_similarity(trained_model.positions.detach()))
        side_48 = math.isqrt(len(similar_48))
        row_48, column_48 = np.divmod(np.arange(side_48**2), side_48)
        distance_48 = abs(row_48[:, None] - row_48) + abs(
            column_48[:, None] - column_48
        )
        means_48 = [similar_48[distance_48 == steps].mean() for steps in range(5)]
        print(
            "mean similarity 0 to 4 steps away:", *(f"{mean:.2f}" for mean in means_48)
        )
        opposite_48 = (
            row_48 * side_48 + side_48 - 1 - column_48
        )  # left and right swapped
        mirrored_48 = similar_48[np.arange(side_48**2), opposite_48]
        aside_48 = (
            column_48 != side_48 // 2
        )  # the middle column is its own mirror image
        print(f"a place and its mirror image: {mirrored_48[aside_48].mean():.2f}")

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# Each panel belongs to one place, marked by a dot. Similarity decreases with the distance from the dot, as the first printed line confirms, although
# nobody told the model that patch 8 is below patch 1. A second blue spot lies at the mirror image of the place, with left and right swapped.
# Which line of the training recipe taught the model that these two places are similar?
#
# </details>

# %% [markdown]
# ## 4.8b Interpret your model
# {{header 4.8b}}
#
# Record what your figures show about **your** training. Grading does not train a model. It takes these values from your log and checks whether
# they are consistent.
#
# - `curve_train_loss`, `curve_validation_accuracy`: arrays with one number for each epoch;
# - `best_epoch`: the epoch of the highest validation accuracy, **counted from 1**;
# - `test_confusion`: your confusion matrix of the test images (10, 10);
# - `most_confused`: the two class numbers (true, guess) of the most frequent mistake.

# %% tags=["skip-execution"]
# training (skipped while grading): needs the trained model
# TODO: replace the None values.
# BEGIN SOLUTION 4.8b values
curve_train_loss = np.array([row["train_loss"] for row in history])
curve_validation_accuracy = np.array([row["validation_accuracy"] for row in history])
best_epoch = int(curve_validation_accuracy.argmax()) + 1
test_confusion = confusion_48
mistakes_48 = confusion_48 * (1 - np.eye(10, dtype=int))
most_confused = np.array(np.unravel_index(mistakes_48.argmax(), (10, 10)))
# STUB: curve_train_loss = None
# STUB: curve_validation_accuracy = None
# STUB: best_epoch = None
# STUB: test_confusion = None
# STUB: most_confused = None
# END SOLUTION

# %% tags=["check"]
check("4.8b")

# %% [markdown]
# In 60 to 150 words (10 minutes): what do the learning curves say about overfitting? Which classes are confused, how often, and why? Which pattern do
# you find in the attention and in the positions, and what does that pattern **not** prove? Give numbers. Write your answer in the next cell, below its
# first line.

# %% [markdown]
# **Answer 4.8b**
#
# <!-- BEGIN SOLUTION 4.8b words -->
# The training loss falls almost to the end (0.37), while the validation loss has stayed at 0.43 for the last ten epochs and the accuracy within one
# point, which is noise with 500 images: more epochs would only learn these images by heart. The most frequent mistake is a shirt taken for a
# T-shirt, 18 of 100; collars and buttons are a few gray dots at 28 pixels. Single patches stand out in the class token's attention, but clothing covers 56%
# of the patches and gets 55 to 62% of the weight, hardly more than chance. Positions are similar to their neighbors (0.38) and to their mirror places
# (0.71), because half of the training images were mirrored. None of this proves what the decision rests on: a large weight on a small value moves little.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("4.8b")

# %% [markdown]
# ## 4.9 ViT, CNN and the original Transformer
# {{header 4.9}}
#
# Each of the four lists below contains exactly one true statement. Set the variable of each list to the letter of that statement.
#
# A ViT compared with a **CNN** (`vit_against_cnn`):
#
# {{options vit_against_cnn}}
#
# A ViT compared with the **original Transformer** of 2017 (`vit_against_transformer`):
#
# {{options vit_against_transformer}}

# %% [markdown]
# **Learned or sinusoidal positions** (`vit_positions`):
#
# {{options vit_positions}}
#
# How a ViT **predicts the class** (`vit_prediction`):
#
# {{options vit_prediction}}

# %%
# TODO: four letters
# BEGIN SOLUTION 4.9 letters
vit_against_cnn = "B"
vit_against_transformer = "D"
vit_positions = "A"
vit_prediction = "C"
# END SOLUTION

# %% [markdown]
# In 40 to 130 words (6 minutes): would you choose a ViT or a CNN for these 5,000 images, and which one for 300 million images? Which assumptions are built
# into each of them, what must each learn from the data, and what does it gain by that? Refer to a number or a figure in this notebook.

# %% [markdown]
# **Answer 4.9**
#
# <!-- BEGIN SOLUTION 4.9 words -->
# With 5,000 images I would choose a CNN. Its kernels say beforehand that neighboring pixels belong together and that an edge is an edge wherever it stands.
# The ViT has to find that in the data: the figure of position similarity shows that it spent training on discovering which patches are neighbors, and its
# training loss ends well below its validation loss. What it gains is freedom: each block sees the whole image, and what is mixed with what depends on the
# content. With 300 million images the built-in assumptions become a limit, so there I would choose the ViT, or take one that was pretrained.
# <!-- END SOLUTION -->

# %% tags=["check"]
check("4.9")

# %% tags=["record"]
record("4.9")

# %% [markdown]
# ## Hand in
# **Save the notebook** (Ctrl+S, on a Mac ⌘S), then run this last cell. It says what is missing or out of date, and makes the one file that you
# hand in: `hw4_vision_transformer_submission.zip` with this notebook as you saved it, `submission_log.json` and `hw4_vision_transformer.pt`.

# %%
finish()
