"""hw5's hidden inputs, oracles and known mistakes: float64 NumPy, torch's own encoder layers, counting.

A mistake is the oracle with one thing wrong (``variant``); it only serves to name what went wrong.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from autograder.declare.homework import Case
from autograder.homeworks.hw5 import public
from autograder.kit.shared.encoders import BERT_BASE, EncoderConfig, stand_in_encoder

# 5.1 --------------------------------------------------------------------------------------------------------


WORDS = "film plot scene star joke song cast story music ending the a this that is was dull funny slow fresh odd warm"
INVENTED = WORDS.split()


def invented_text(rng: np.random.Generator, length: int = 9) -> str:
    """A text of everyday film words with capitals, punctuation and apostrophes."""
    words = [str(word) for word in rng.choice(INVENTED, length)]
    words[0] = words[0].capitalize()
    words[int(rng.integers(1, length))] = str(
        rng.choice(["isn't", "it's", "Don't", "50-year-old", "O'Hara's", "so-so"])
    )
    return " ".join(words) + str(rng.choice(["!", "...", " ?", ", really.", " ;-)"]))


def split_words(text: str, pattern: str = r"[a-z0-9]+(?:'[a-z0-9]+)*|[^\sa-z0-9]") -> list[str]:
    """Lower-case runs of letters and digits, apostrophes inside kept; every other mark by itself."""
    return re.findall(pattern, text.lower())


def texts_to_split(rng: np.random.Generator) -> Iterator[Case]:
    """Texts for the tokeniser."""
    yield Case(["It isn't bad, at ALL!"], note='"It isn\'t bad, at ALL!"')
    yield Case(
        ["'Twas   the dogs' day...\n(9/10)"], note="apostrophes at the edge of words, a line break and digits"
    )
    for _ in range(4):
        text = invented_text(rng)
        yield Case([text], note=f'"{text}"')


def texts_to_count(rng: np.random.Generator) -> Iterator[Case]:
    """Token lists for the vocabulary: ties, repeated words, rare words."""
    yield Case(
        [[["b", "a", "b"], ["c", "a", "b", "d"]], 2], note="[[b, a, b], [c, a, b, d]] with min_count=2"
    )
    yield Case([[["z", "y"], ["x"]], 1], note="three words that occur once each, with min_count=1")
    for minimum in (1, 2, 3):
        texts = [[str(word) for word in rng.choice(INVENTED, rng.integers(3, 12))] for _ in range(8)]
        yield Case([texts, minimum], note=f"8 texts with min_count={minimum}")


def vocabulary(
    texts: Sequence[Sequence[str]], minimum: int, special: Sequence[str] = ("<pad>", "<unk>")
) -> list[str]:
    """Special tokens, then words by falling count and alphabet."""
    counts = Counter(token for text in texts for token in text)
    return [
        *special,
        *sorted((word for word in counts if counts[word] >= minimum), key=lambda word: (-counts[word], word)),
    ]


def words_to_encode(rng: np.random.Generator) -> Iterator[Case]:
    """Tokens and an index, with known and unknown words."""
    index = {word: row for row, word in enumerate(["<pad>", "<unk>", *INVENTED])}
    yield Case(
        [["the", "quaint", "film"], index], note='["the", "quaint", "film"], of which "quaint" is unknown'
    )
    yield Case([["quaint"], index], note="one unknown word alone")
    for _ in range(3):
        shuffled = ["<pad>", "<unk>", *(str(word) for word in rng.permutation(INVENTED)[:15])]
        tokens = [str(word) for word in rng.choice([*INVENTED, "quaint", "zesty"], 10)]
        yield Case(
            [tokens, {word: row for row, word in enumerate(shuffled)}], note="10 tokens, some of them unknown"
        )


def by_count_only(texts: Sequence[Sequence[str]], minimum: int) -> list[str]:
    """The mistake of leaving ties in the order in which the words were met."""
    counts = Counter(token for text in texts for token in text)
    return ["<pad>", "<unk>", *(word for word, count in counts.most_common() if count >= minimum)]


def ragged(rng: np.random.Generator) -> Iterator[Case]:
    """Sequences of unequal lengths; unknown words (1) among them."""
    yield Case([[[5, 1, 7], [4], [2, 3]]], note="sequences of 3, 1 and 2 tokens, one of them unknown")
    yield Case([[[9, 8, 1]]], note="one sequence alone")
    yield Case([[[1], [1, 1, 6, 1]]], note="unknown words at every edge")
    for _ in range(3):
        yield Case(
            [[rng.integers(1, 90, size=rng.integers(1, 12)).tolist() for _ in range(6)]],
            note="6 sequences of random lengths",
        )


def padded(sequences: Sequence[Sequence[int]], pad: int = 0, left: bool = False) -> list[np.ndarray]:
    """Ids (batch, longest) int64 and mask (batch, longest) bool."""
    longest = max(map(len, sequences))
    ids, mask = (
        np.full((len(sequences), longest), pad, dtype=np.int64),
        np.zeros((len(sequences), longest), dtype=bool),
    )
    for row, sequence in enumerate(sequences):
        places = slice(longest - len(sequence), longest) if left else slice(0, len(sequence))
        ids[row, places], mask[row, places] = sequence, True
    return [ids, mask]


# 5.2 --------------------------------------------------------------------------------------------------------


def token_batch(
    rng: np.random.Generator, rows: int, n: int, n_words: int, unpadded: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Random ids (rows, n) int64 with at least one real token a row, padded with 0, and their mask."""
    lengths = np.full(rows, n) if unpadded else rng.integers(1, n + 1, rows)
    if not unpadded:
        lengths[0], lengths[-1] = n, max(1, n // 3)
    mask = np.arange(n) < lengths[:, None]
    return np.where(mask, rng.integers(1, n_words, (rows, n)), 0), mask


def batches_with_table(rng: np.random.Generator) -> Iterator[Case]:
    """Ids, mask and a table whose row for padding is not zero."""
    for rows, n, d in ((3, 4, 2), (5, 7, 3), (4, 6, 6)):
        ids, mask = token_batch(rng, rows, n, 9)
        yield Case(
            [ids, mask, rng.normal(size=(9, d)).astype(np.float32)],
            note=f"{rows} sentences of up to {n} tokens, vectors of {d}",
            torch=True,
        )


def batches_to_count(rng: np.random.Generator) -> Iterator[Case]:
    """Ids, mask and the number of words; few words, so that some repeat."""
    for rows, n, words_ in ((3, 5, 4), (5, 9, 6), (2, 4, 30)):
        ids, mask = token_batch(rng, rows, n, words_)
        yield Case(
            [ids, mask, words_], note=f"{rows} sentences of up to {n} tokens, {words_} words", torch=True
        )


def averaged(ids: np.ndarray, mask: np.ndarray, table: np.ndarray) -> np.ndarray:
    """The mean vector of the real tokens, (batch, d)."""
    return np.array([table[row[keep]].astype(float).mean(0) for row, keep in zip(ids, mask, strict=True)])


def counted(ids: np.ndarray, mask: np.ndarray, n_words: int) -> np.ndarray:
    """How often each word occurs, (batch, n_words)."""
    return np.array(
        [np.bincount(row[keep], minlength=n_words) for row, keep in zip(ids, mask, strict=True)]
    ).astype(float)


# 5.3 and 5.4 ------------------------------------------------------------------------------------------------


Weights = Mapping[str, np.ndarray]


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x)."""
    return np.asarray(1 / (1 + np.exp(-x)))


def mean_over(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The mean of x (batch, n, d) over places where mask (batch, n) is True; zeros where there is none."""
    weight = mask[..., None].astype(float)
    return np.asarray((x * weight).sum(1) / np.maximum(weight.sum(1), 1))


def classifier_cases(
    hidden: int, more: Callable[[np.random.Generator, int], Weights], square_first: bool = False
) -> Callable[[np.random.Generator], Iterator[Case]]:
    """Cases for a classifier with word vectors ``embed``, a layer of ``more`` and an ``output`` of ``hidden`` numbers (0: d).

    Without padding and with n = d a mean over the wrong axis gives numbers that can be named;
    ``square_first`` begins with that.
    """
    shapes = [(3, 4, 5, False), (4, 5, 5, True), (6, 7, 4, False), (1, 1, 7, True), (5, 8, 8, False)]
    order = [1, 0, 2, 3, 4] if square_first else [0, 1, 2, 3, 4]

    def cases(rng: np.random.Generator) -> Iterator[Case]:
        for rows, n, d, unpadded in (shapes[place] for place in order):
            ids, mask = token_batch(rng, rows, n, 12, unpadded)
            weights = {"embed.weight": rng.normal(size=(12, d)), **more(rng, d)}
            weights |= {"output.weight": rng.normal(size=(1, hidden or d)), "output.bias": rng.normal(size=1)}
            weights = {name: value.astype(np.float32) for name, value in weights.items()}
            told = f"{rows} sentences of {'' if unpadded else 'up to '}{n} tokens, vectors of {d}"
            yield Case(
                [ids, mask],
                {"init": {"n_words": 12, "d_model": d}, "weights": weights},
                told,
                probe="module",
                torch=True,
            )

    return cases


def feed_forward(
    ids: np.ndarray, mask: np.ndarray, weights: Weights, variant: str = "", **_: Any
) -> np.ndarray:
    """Mean of word vectors → linear → tanh → linear, and what known mistakes give."""
    w = {name: np.asarray(value, float) for name, value in weights.items()}
    x = w["embed.weight"][ids]
    kept = {"padding": np.ones_like(mask), "inverted": ~mask}.get(variant, mask)
    mean = mean_over(x, kept)
    if variant == "padded length":
        mean = (x * mask[..., None]).mean(1)
    if variant == "features" and x.shape[1] == x.shape[2]:
        mean = x.mean(2)
    hidden = mean @ w["hidden.weight"].T + w["hidden.bias"]
    hidden = {"relu": np.maximum(hidden, 0), "linear": hidden, "sigmoid": sigmoid(hidden)}.get(
        variant, np.tanh(hidden)
    )
    logits = (hidden @ w["output.weight"].T + w["output.bias"])[:, 0]
    return sigmoid(logits) if variant == "probability" else logits[:, None] if variant == "column" else logits


def layer_20(rng: np.random.Generator, d: int) -> Weights:
    """A hidden layer of 20."""
    return {"hidden.weight": rng.normal(size=(20, d)), "hidden.bias": rng.normal(size=20)}


def attention_weights(ids: np.ndarray, mask: np.ndarray, weights: Weights, variant: str = "") -> np.ndarray:
    """Attention (batch, query, key) of 5.4; padding keys get none."""
    x = weights["embed.weight"][ids]
    scores = (x @ weights["Qm.weight"].T) @ np.swapaxes(x @ weights["Km.weight"].T, 1, 2)
    if variant == "keys by queries":
        scores = np.swapaxes(scores, 1, 2)
    if variant != "unscaled":
        scores = scores / np.sqrt(weights["Qm.weight"].shape[1 if variant == "scale of d" else 0])
    allowed = {"attended": np.ones_like(mask), "inverted": ~mask}.get(variant, mask)[:, None, :]
    axis = 1 if variant == "axis" else -1
    scores = np.where(allowed, scores, -1e30)
    exponents = np.exp(scores - scores.max(axis, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis, keepdims=True))


def self_attention(
    ids: np.ndarray, mask: np.ndarray, weights: Weights, variant: str = "", **_: Any
) -> np.ndarray:
    """Self-attention → mean over real tokens → linear, and what known mistakes give."""
    w = {name: np.asarray(value, float) for name, value in weights.items()}
    x = w["embed.weight"][ids]
    values = x if variant == "no values" else x @ w["Vm.weight"].T
    mixed = attention_weights(ids, mask, w, "attended" if variant == "no mask at all" else variant) @ values
    kept = np.ones_like(mask) if variant in ("padding averaged", "no mask at all") else mask
    mean = (mixed * mask[..., None]).mean(1) if variant == "padded length" else mean_over(mixed, kept)
    logits = (mean @ w["output.weight"].T + w["output.bias"])[:, 0]
    return sigmoid(logits) if variant == "probability" else logits[:, None] if variant == "column" else logits


def three_maps(rng: np.random.Generator, d: int) -> Weights:
    """Query, key and value maps with d_qk = 64; small, so that the softmax is soft."""
    small = 0.6 / np.sqrt(d)
    return {name: small * rng.normal(size=(64, d)) for name in ("Qm.weight", "Km.weight")} | {
        "Vm.weight": rng.normal(size=(d, d))
    }


def sentences_for_weights(rng: np.random.Generator) -> Iterator[Case]:
    """The same cases with return_weights=True."""
    for case in classifier_cases(0, three_maps)(rng):
        yield case
        yield Case(
            case.args,
            {**case.kwargs, "call": {"return_weights": True}},
            f"{case.note}, with weights",
            "weights",
            "module",
            True,
        )


def logits_and_weights(ids: np.ndarray, mask: np.ndarray, **kwargs: Any) -> Any:
    """The oracle for both ways to call the classifier."""
    logits = self_attention(ids, mask, **kwargs)
    if not kwargs.get("call"):
        return logits
    return [
        logits,
        attention_weights(
            ids, mask, {name: np.asarray(value, float) for name, value in kwargs["weights"].items()}
        ),
    ]


# 5.5 --------------------------------------------------------------------------------------------------------


def gru_sizes(d: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a 2-layer bidirectional torch GRU over d features, and of the linear output."""
    sizes: dict[str, tuple[int, ...]] = {}
    for layer, width in enumerate((d, 2 * hidden)):
        for end in ("", "_reverse"):
            sizes[f"gru.weight_ih_l{layer}{end}"] = (3 * hidden, width)
            sizes[f"gru.weight_hh_l{layer}{end}"] = (3 * hidden, hidden)
            sizes[f"gru.bias_ih_l{layer}{end}"] = sizes[f"gru.bias_hh_l{layer}{end}"] = (3 * hidden,)
    return sizes | {"output.weight": (1, 2 * hidden), "output.bias": (1,)}


def encoder_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Batches of unequal lengths over stand-in encoders with other weights and GRUs of other sizes."""
    for rows, n, hidden in ((3, 5, 4), (4, 8, 6), (5, 12, 4)):
        ids, mask = token_batch(rng, rows, n, 64)
        weights = {
            name: (0.6 * rng.normal(size=shape)).astype(np.float32)
            for name, shape in gru_sizes(16, hidden).items()
        }
        labels = (np.arange(rows) % 2).astype(np.float32)
        options = {"seed": int(rng.integers(1_000_000)), "hidden": hidden, "weights": weights}
        yield Case(
            [ids, mask, labels],
            options,
            f"{rows} sentences of up to {n} tokens, hidden={hidden}",
            probe="frozen_encoder",
            torch=True,
        )


def encoded_logits(
    ids: np.ndarray,
    mask: np.ndarray,
    labels: np.ndarray,
    seed: int,
    hidden: int,
    weights: Weights,
    variant: str = "",
) -> np.ndarray:
    """The stand-in encoder, then torch's own GRU cells step by step over the real tokens in float64, and the linear map."""
    import torch

    encoder = stand_in_encoder(seed).double()
    w = {name: np.asarray(value, float) for name, value in weights.items()}
    given = {"unmasked": np.ones_like(mask), "inverted": ~mask}.get(variant, mask)
    with torch.no_grad():
        states = encoder(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(given.astype(np.int64))
        ).last_hidden_state.numpy()
    logits = []
    for row, keep in zip(states, mask, strict=True):
        x = row if variant in ("padding read", "last place") else row[keep]
        for layer in range(1 if variant == "first layer" else 2):
            ahead = gru_states(x, w, f"_l{layer}", hidden)
            back = gru_states(x[::-1], w, f"_l{layer}_reverse", hidden)[::-1]
            x = np.concatenate([ahead, back], axis=1)
        last = np.concatenate([x[-1, :hidden], x[0, hidden:]])
        last = {"last output": x[-1], "last place": x[-1], "swapped": np.roll(last, hidden)}.get(
            variant, last
        )
        logits.append(last @ w["output.weight"][0] + w["output.bias"][0])
    found = np.array(logits)
    return sigmoid(found) if variant == "probability" else found[:, None] if variant == "column" else found


def gru_states(x: np.ndarray, w: Weights, end: str, hidden: int) -> np.ndarray:
    """A GRU by its equations (torch's documentation): x (n, d) → states (n, hidden)."""
    state, states = np.zeros(hidden), []
    for row in x:
        a = w[f"gru.weight_ih{end}"] @ row + w[f"gru.bias_ih{end}"]
        b = w[f"gru.weight_hh{end}"] @ state + w[f"gru.bias_hh{end}"]
        r, z = sigmoid(a[:hidden] + b[:hidden]), sigmoid(a[hidden : 2 * hidden] + b[hidden : 2 * hidden])
        new = np.tanh(a[2 * hidden :] + r * b[2 * hidden :])
        state = (1 - z) * new + z * state
        states.append(state)
    return np.array(states)


def encoder_parameters(c: EncoderConfig = BERT_BASE) -> int:
    """BERT's parameters by formula: embeddings, layers, pooler."""
    d, wide = c.hidden_size, c.intermediate_size
    embeddings = (c.vocab_size + c.max_position_embeddings + c.type_vocab_size) * d + 2 * d
    layer = 4 * (d * d + d) + (d * wide + wide) + (wide * d + d) + 2 * 2 * d
    return embeddings + c.num_hidden_layers * layer + (d * d + d)


def head_parameters(d: int, hidden: int) -> int:
    """Parameters of GRU and linear output by formula."""
    return sum(int(np.prod(shape)) for shape in gru_sizes(d, hidden).values())


BERT_HEAD = head_parameters(768, 256)


BERT_TOTAL = encoder_parameters() + BERT_HEAD


POOLER, ONE_WAY = (
    768 * 768 + 768,
    sum(int(np.prod(shape)) for name, shape in gru_sizes(768, 256).items() if "_reverse" in name),
)


# 5.6 --------------------------------------------------------------------------------------------------------


def logits_and_labels(rng: np.random.Generator) -> Iterator[Case]:
    """Logits between 0 and 0.5, large ones, one alone, all wrong."""
    yield Case(
        [np.array([2.0, -1.0, 0.3, -0.2], np.float32), np.array([1, 0, 0, 0], np.float32)],
        note="logits 2, −1, 0.3, −0.2",
        torch=True,
    )
    yield Case(
        [np.array([0.2], np.float32), np.array([1], np.float32)],
        note="one sentence alone, logit 0.2",
        torch=True,
    )
    yield Case(
        [np.array([80.0, -90.0], np.float32), np.array([0, 1], np.float32)],
        note="all wrong, large logits",
        torch=True,
    )
    for size in (7, 33):
        labels = rng.integers(0, 2, size).astype(np.float32)
        yield Case(
            [rng.normal(scale=0.7, size=size).astype(np.float32), labels],
            note=f"{size} sentences",
            torch=True,
        )


def toy_batches(
    rng: np.random.Generator, sizes: Sequence[int], d: int
) -> tuple[np.ndarray, list[list[np.ndarray]]]:
    """A table (12, d) and batches of the given sizes, labels mostly as the first feature says."""
    table = rng.normal(size=(12, d)).astype(np.float32)
    batches = []
    for size in sizes:
        ids, mask = token_batch(rng, size, int(rng.integers(2, 7)), 12)
        lean = averaged(ids, mask, table)[:, 0] + 0.3 * rng.normal(size=size)
        batches.append([ids, mask, (lean > 0).astype(np.float32)])
    return table, batches


def training_case(
    rng: np.random.Generator, sizes: Sequence[int], note: str, group: str = "values", **options: Any
) -> Case:
    """One run of train_epoch or evaluate on the toy model."""
    d = 3
    table, batches = toy_batches(rng, sizes, d)
    weight, bias = rng.normal(size=d).astype(np.float32), rng.normal(size=1).astype(np.float32)
    given = {"lr": None, "dropout": 0.0, "start_in_train": False} | options
    return Case(
        [],
        {"table": table, "weight": weight, "bias": bias, "batches": batches, **given},
        note,
        group,
        "training",
        True,
    )


def training_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Exact steps without dropout; modes with dropout."""
    yield training_case(rng, (4,), "one batch", lr=0.5)
    yield training_case(rng, (4, 4, 4), "three equal batches", lr=0.5)
    yield training_case(rng, (8, 8, 1), "batches of 8, 8 and 1", lr=1.0)
    yield training_case(
        rng, (6, 5), "a model with dropout that comes in evaluation mode", "modes", lr=0.5, dropout=0.5
    )


def evaluation_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Batches of unequal sizes; dropout; both modes before."""
    yield training_case(rng, (5,), "one batch")
    yield training_case(rng, (9, 9, 1), "batches of 9, 9 and 1")
    yield training_case(
        rng, (2, 15), "batches of 2 and 15, the model coming in train mode", start_in_train=True
    )
    yield training_case(
        rng, (6, 6, 2), "a model with dropout in train mode", "modes", dropout=0.5, start_in_train=True
    )
    yield training_case(rng, (4, 3), "a model with dropout in evaluation mode", "modes", dropout=0.5)


def cross_entropy(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Binary cross entropy with logits, stable."""
    return np.maximum(logits, 0) - logits * labels + np.log1p(np.exp(-np.abs(logits)))


def trained_toy(
    table: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    batches: Any,
    lr: float,
    variant: str = "",
    **_: Any,
) -> list[np.ndarray]:
    """One epoch of SGD on logistic regression over mean vectors, by its gradient: [mean loss, weight, bias]."""
    w, b = np.asarray(weight, float), float(bias[0])
    losses, sizes = [], []
    carried_w, carried_b = np.zeros_like(w), 0.0
    for ids, mask, labels in batches:
        x, y = averaged(ids, mask, table), np.asarray(labels, float)
        z = x @ w + b
        shown = sigmoid(z) if variant == "sigmoid twice" else z
        losses.append(cross_entropy(shown, y).mean() * (len(y) if variant == "summed, told so" else 1))
        sizes.append(len(y))
        slope = sigmoid(shown) - y
        if variant == "sigmoid twice":
            slope = slope * shown * (1 - shown)
        if variant == "flipped":
            slope = sigmoid(z) - (1 - y)
            losses[-1] = cross_entropy(z, 1 - y).mean()
        scale = len(y) if variant.startswith("summed") else 1.0
        grad_w, grad_b = scale * (slope[:, None] * x).mean(0), scale * slope.mean()
        if variant == "accumulated":
            grad_w, grad_b = grad_w + carried_w, grad_b + carried_b
            carried_w, carried_b = grad_w, grad_b
        if variant != "never stepped":
            w, b = w - lr * grad_w, b - lr * grad_b
    loss = np.mean(losses) if variant == "mean of means" else np.average(losses, weights=sizes)
    loss = losses[-1] if variant == "last loss" else loss
    return [np.array(loss), w, np.array([b])[0:1].reshape(())]


def evaluated_toy(
    table: np.ndarray, weight: np.ndarray, bias: np.ndarray, batches: Any, variant: str = "", **_: Any
) -> list[np.ndarray]:
    """[mean loss, accuracy] over all sentences."""
    losses, rights = [], []
    for ids, mask, labels in batches:
        z = averaged(ids, mask, table) @ np.asarray(weight, float) + float(bias[0])
        y = 1 - labels if variant == "flipped" else labels
        losses.append(cross_entropy(sigmoid(z) if variant == "sigmoid twice" else z, y))
        rights.append((z > (0.5 if variant == "half" else 0)) == (y > 0.5))
    if variant == "mean of means":
        return [
            np.array(np.mean([part.mean() for part in losses])),
            np.array(np.mean([part.mean() for part in rights])),
        ]
    if variant == "accuracy by batch":
        return [np.array(np.concatenate(losses).mean()), np.array(np.mean([part.mean() for part in rights]))]
    if variant == "last batch":
        return [np.array(losses[-1].mean()), np.array(rights[-1].mean())]
    found = [np.array(np.concatenate(losses).mean()), np.array(np.concatenate(rights).mean())]
    return found[::-1] if variant == "swapped" else found


def scripted(rng: np.random.Generator) -> Iterator[Case]:
    """Accuracies by epoch whose best one is in the middle, first, last; with a tie."""
    yield Case([np.array([0.6, 0.8, 0.7])], note="accuracies 0.6, 0.8, 0.7", probe="keep_best")
    yield Case([np.array([0.7, 0.6, 0.5])], note="the first epoch the best", probe="keep_best")
    yield Case(
        [np.array([0.5, 0.7, 0.7, 0.6])],
        note="a tie of epochs 2 and 3 (the earlier counts)",
        probe="keep_best",
    )
    yield Case([np.array([0.5, 0.6, 0.9])], note="the last epoch the best", probe="keep_best")
    for epochs in (5, 7):
        accuracies = 0.5 + rng.permutation(epochs) / 20
        yield Case([accuracies], note=f"{epochs} epochs in random order", probe="keep_best")


def kept(accuracies: np.ndarray, epoch: int) -> list[np.ndarray]:
    """What the probe sees when the weights of one epoch (from 1) are kept."""
    return [accuracies, np.array(float(epoch)), np.array(float(epoch))]


# 5.7 --------------------------------------------------------------------------------------------------------


def sentiment_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Texts, logits of both signs, and the label map in either order."""
    maps = (
        [[0, "negative"], [1, "positive"]],
        [[1, "positive"], [0, "negative"]],
        [[1, "fresh"], [0, "rotten"]],
    )
    fixed = (
        ("a warm and funny film", 0.2, -1.0, 0),
        ("dull from start to end", -0.3, 1.0, 1),
        ("fine", 0.5, -3.0, 2),
        ("odd but fresh", 0.0, 0.3, 0),
    )
    for text, scale, shift, order in fixed:
        yield predicted_case(text, scale, shift, maps[order])
    for _ in range(4):
        text = invented_text(rng, int(rng.integers(2, 9)))
        yield predicted_case(
            text, float(rng.normal(scale=0.1)), float(rng.normal()), maps[int(rng.integers(3))]
        )


def predicted_case(text: str, scale: float, shift: float, labels: list[list[Any]]) -> Case:
    """One text with a model whose logit is known."""
    note = f'"{text}" with the label map {{{", ".join(f"{number}: {name}" for number, name in labels)}}}'
    return Case([text], {"scale": scale, "shift": shift, "labels": labels}, note, probe="predict")


def predicted(text: str, scale: float, shift: float, labels: Any, variant: str = "") -> list[Any]:
    """[label, probability of positive]."""
    logit = (
        shift + scale * sum(len(word) for word in text.split()) + (25.0 if variant == "train mode" else 0.0)
    )
    probability, positive = float(sigmoid(np.array(logit))), logit > 0
    names = dict(map(tuple, labels))
    if variant == "flipped":
        positive = not positive
    if variant == "order":
        return [[name for _, name in labels][int(positive)], probability]
    if variant == "own names":
        names = {0: "negative", 1: "positive"}
    if variant == "half":
        positive = logit > 0.5
    if variant == "of the label":
        return [names[int(positive)], max(probability, 1 - probability)]
    return [names[int(positive)], logit if variant == "logit" else probability]


# 5.8 --------------------------------------------------------------------------------------------------------


def score_cases(rng: np.random.Generator) -> Iterator[Case]:
    """Scores and votes of several sizes, with places that may not be looked at; large scores."""
    for n, forbidden, scale in (
        (3, [], 1.0),
        (4, [1], 1.0),
        (6, [0, 5], 2.0),
        (1, [], 1.0),
        (5, [2], 2000.0),
    ):
        told = (
            f"{n} tokens, {'place ' + ' and '.join(map(str, forbidden)) if forbidden else 'nothing'}"
            " forbidden"
        )
        scores = scale * rng.normal(size=(n, n))
        yield Case(
            [scores, rng.normal(size=n), float(rng.normal()), forbidden],
            note=told + (", large scores" if scale > 100 else ""),
        )


def logit_of(
    scores: np.ndarray, votes: np.ndarray, bias: float, forbidden: Sequence[int] = (), variant: str = ""
) -> np.ndarray:
    """The bias plus the mean over queries of the attention-weighted votes."""
    allowed = ~np.isin(np.arange(len(votes)), list(forbidden))
    shown = np.where(allowed[:, None] if variant == "queries" else allowed, scores, -1e300)
    if variant in ("not renormalised", "scores zeroed"):
        shown = scores if variant == "not renormalised" else np.where(allowed, scores, 0)
    axis = 0 if variant == "axis" else 1
    a = np.exp(shown - shown.max(axis, keepdims=True))
    a = a / a.sum(axis, keepdims=True)
    if variant == "not renormalised":
        a = a * allowed
    mixed = a @ votes
    return np.array(
        (mixed.sum() if variant == "sum" else mixed.mean()) + (0 if variant == "no bias" else bias)
    )


def given_logit(sentence: str, forbidden: str = "") -> float:
    """The given model's logit; every place of the forbidden word may not be looked at."""
    tokens = sentence.split()
    places = [place for place, token in enumerate(tokens) if token == forbidden]
    return float(logit_of(public.given_scores(tokens), public.given_votes(tokens), public.GIVEN_BIAS, places))


def given_received(sentence: str, word: str) -> float:
    """Attention that a word receives: mean over the queries times the number of tokens (1 is an even share)."""
    tokens = sentence.split()
    scores = public.given_scores(tokens)
    a = np.exp(scores - scores.max(1, keepdims=True))
    return float((a / a.sum(1, keepdims=True)).mean(0)[tokens.index(word)] * len(tokens))


FRAME = "the film is {} {} ."


@cache
def negation_facts() -> dict[str, np.ndarray]:
    """What 5.8 asks for, from the given model's tables."""
    shift = {
        word: given_logit(FRAME.format("not", word)) - given_logit(FRAME.format("very", word))
        for word in (*public.GOOD, *public.BAD)
    }
    everyone = [FRAME.format("not", word) for word in (*public.GOOD, *public.BAD)]
    adjectives = [*public.GOOD, *public.BAD]
    return {
        "order_logits": np.array([given_logit("not good , bad"), given_logit("not bad , good")]),
        "interaction": np.array([[shift[good] - shift[bad] for bad in public.BAD] for good in public.GOOD]),
        "received": np.array(
            [
                [given_received(text, "not"), given_received(text, word)]
                for text, word in zip(everyone, adjectives, strict=True)
            ]
        ),
        "without_not": np.array([given_logit(text, "not") - given_logit(text) for text in everyone[:10]]),
    }
