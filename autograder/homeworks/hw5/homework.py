"""hw5: sentiment of movie sentences, from averaged word vectors to attention and a frozen encoder.

Hidden inputs come from the instructor's seed; the hidden sentences of 5.7 are drawn from the test split and
reach the
kernel as token ids without labels. Oracles are float64 NumPy, torch's own layers, and counting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from operator import itemgetter
from typing import Any

import numpy as np

from autograder import kit
from autograder.declare.evidence import attention as attention_map
from autograder.declare.evidence import drawn_as_matrix, matrix
from autograder.declare.homework import (
    Answer,
    Array,
    Case,
    Challenge,
    Checkpoint,
    Choice,
    Homework,
    Oracle,
    Question,
    Right,
    Written,
    Wrong,
    not_run,
    wrong_on,
)
from autograder.homeworks.hw5 import public
from autograder.homeworks.hw5.fetch import movie_splits, movie_vectors
from autograder.homeworks.hw5.oracle import (
    BERT_HEAD,
    BERT_TOTAL,
    ONE_WAY,
    POOLER,
    attention_weights,
    averaged,
    batches_to_count,
    batches_with_table,
    by_count_only,
    classifier_cases,
    counted,
    encoded_logits,
    encoder_cases,
    evaluated_toy,
    evaluation_cases,
    feed_forward,
    head_parameters,
    kept,
    layer_20,
    logit_of,
    logits_and_labels,
    logits_and_weights,
    negation_facts,
    padded,
    predicted,
    ragged,
    score_cases,
    scripted,
    self_attention,
    sentences_for_weights,
    sentiment_cases,
    sigmoid,
    split_words,
    texts_to_count,
    texts_to_split,
    three_maps,
    trained_toy,
    training_cases,
    vocabulary,
    words_to_encode,
)

hw = Homework("hw5", title="Sentiment", stem="hw5_sentiment")


def flag_check(
    question: Question, target: str, name: str, points: float, *problems: Callable[[Any], str | None]
) -> None:
    """Registers a check that no trial has one of the problems."""

    @question.check(name, points=points, needs=[target])
    def _(answer: Answer) -> Wrong | None:
        for trial in answer[target]:
            if trouble := not_run(target, trial):
                return trouble
            for problem in problems:
                if words := problem(trial):
                    return wrong_on(trial, f"On {trial.note}: {words}")
        return None


# 5.1 --------------------------------------------------------------------------------------------------------


words = hw.question(
    "5.1a",
    "Tokens, vocabulary, unknown words",
    minutes=12,
    difficulty="easy",
    entries=[
        Challenge(
            "tokenize_words",
            cases=texts_to_split,
            expected=split_words,
            mistakes={
                "Capitals are kept: lower-case the text first.": lambda text: re.findall(
                    r"[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*|[^\sA-Za-z0-9]", text
                ),
                "Punctuation is lost: each mark is a token of its own.": lambda text: split_words(
                    text, r"[a-z0-9]+(?:'[a-z0-9]+)*"
                ),
                "Punctuation sticks to the words: splitting at blanks is not enough.": lambda text: (
                    text.lower().split()
                ),
                "Apostrophes inside a word belong to it: isn't is one token here.": lambda text: split_words(
                    text, r"[a-z0-9]+|[^\sa-z0-9]"
                ),
            },
        ),
        Challenge(
            "build_vocabulary",
            cases=texts_to_count,
            expected=vocabulary,
            mistakes={
                "The special tokens are missing: <pad> comes first, <unk> second.": lambda texts, minimum: (
                    vocabulary(texts, minimum, ())
                ),
                "<pad> must be number 0 and <unk> number 1; you have them the other way round.": (
                    lambda texts, minimum: vocabulary(texts, minimum, ("<unk>", "<pad>"))
                ),
                "min_count is the least count that is kept: a word that occurs exactly min_count times stays.": lambda texts, minimum: (
                    vocabulary(texts, minimum + 1)
                ),
                "That is alphabetical order: frequent words come first, the alphabet decides ties only.": (
                    lambda texts, minimum: [
                        "<pad>",
                        "<unk>",
                        *sorted(vocabulary(texts, minimum, ())),
                    ]
                ),
                "Ties are in another order: words with the same count come in alphabetical order.": (
                    lambda texts, minimum: by_count_only(texts, minimum)
                ),
            },
        ),
        Challenge(
            "encode_words",
            cases=words_to_encode,
            expected=lambda tokens, index: np.array([index.get(token, 1) for token in tokens]),
            mistakes={
                "Unknown words became 0, which is padding, as if they were not there. They are number 1.": (
                    lambda tokens, index: np.array([index.get(token, 0) for token in tokens])
                ),
                "Unknown words were dropped. They keep their place, as number 1.": lambda tokens, index: (
                    np.array([index[token] for token in tokens if token in index], dtype=int)
                ),
            },
        ),
    ],
)
words.check_cases("tokenize_words", "tokens", points=2)
words.check_cases("build_vocabulary", "the vocabulary", points=2)
words.check_cases("encode_words", "unknown words have number 1", points=2)

padding = hw.question(
    "5.1b",
    "Padding and its mask",
    minutes=8,
    difficulty="easy",
    entries=[
        Challenge(
            "pad_batch",
            cases=ragged,
            expected=padded,
            picture=drawn_as_matrix(
                "Your mask: 1 for a real token", x="place", y="sentence", pick=itemgetter(1)
            ),
            mistakes={
                "The mask is inverted: True is for real tokens.": lambda sequences: [
                    padded(sequences)[0],
                    ~padded(sequences)[1],
                ],
                "Your mask hides unknown words (number 1) like padding. They are real tokens whose vector we lack.": lambda sequences: [
                    padded(sequences)[0],
                    padded(sequences)[0] > 1,
                ],
                "You padded with 1, the unknown word; padding is 0.": lambda sequences: padded(
                    sequences, pad=1
                ),
                "You padded on the left; padding goes behind the tokens.": lambda sequences: padded(
                    sequences, left=True
                ),
                "Your mask is True everywhere, padding included.": lambda sequences: [
                    padded(sequences)[0],
                    np.ones_like(padded(sequences)[1]),
                ],
            },
        ),
        Choice(
            "unknown_or_padding",
            options={
                "A": "It saves a row of the table, and the results are the same.",
                "B": (
                    "An unknown word would be masked out: attention and averages would run as if the sentence"
                    " were shorter."
                ),
                "C": "Unknown words would get a gradient, and padding must not have one.",
                "D": "Nothing works at all, because ids must be unique.",
            },
            correct="B",
            why={
                "A": "the results differ: a masked word takes no part in any mean, attention or state.",
                "C": "a trained vector for unknown words would be welcome; masking is what goes wrong.",
                "D": (
                    "several words may share an id without any error; that is what makes the mistake hard to"
                    " see."
                ),
            },
            points=1,
        ),
    ],
)
padding.check_cases("pad_batch", "ids and mask", points=4)

# 5.2 --------------------------------------------------------------------------------------------------------


averages = hw.question(
    "5.2",
    "Averaged word vectors against a bag of words",
    minutes=20,
    difficulty="medium",
    # grading does not fit: the weights come from the student's log and are judged by what they predict
    claimed=True,
    entries=[
        Challenge(
            "average_features",
            cases=batches_with_table,
            expected=averaged,
            mistakes={
                "Padding is averaged too: sum over real tokens and divide by how many there are.": (
                    lambda ids, mask, table: table[ids].mean(1)
                ),
                "You sum real tokens only, but divide by the padded length.": (
                    lambda ids, mask, table: (table[ids] * mask[..., None]).mean(1)
                ),
                "That is the sum, not the mean.": (
                    lambda ids, mask, table: (table[ids] * mask[..., None]).sum(1)
                ),
                "You averaged over the features of each token; average over the tokens (axis 1).": (
                    lambda ids, mask, table: table[ids].mean(2)
                ),
                "The mask is used the wrong way round: it is True at real tokens.": lambda ids, mask, table: (
                    (table[ids] * ~mask[..., None]).sum(1) / np.maximum((~mask).sum(1), 1)[:, None]
                ),
            },
        ),
        Challenge(
            "count_features",
            cases=batches_to_count,
            expected=counted,
            mistakes={
                "Padding is counted as word 0.": lambda ids, mask, n: counted(ids, np.ones_like(mask), n),
                "That says whether a word occurs; asked is how often.": lambda ids, mask, n: np.minimum(
                    counted(ids, mask, n), 1
                ),
                "Those are shares of the sentence; asked are counts.": lambda ids, mask, n: (
                    counted(ids, mask, n) / mask.sum(1, keepdims=True)
                ),
            },
        ),
        Array("average_weights", (public.D_MODEL,)),
        Array("average_bias"),
        Array("bag_weights", ("words",)),
        Array("bag_bias"),
        Challenge("same_average_pair", cases=lambda rng: [Case(note="your pair")]),
    ],
    written=Written(
        points=4,
        words=(40, 100),
        rubric={
            "Says what both lose (order: the pair) and why, from the definition of mean and count": 2,
            "Names one advantage of each, with a reason: similar words share strength in the average; the bag has a weight for each word": (
                2
            ),
        },
        examples={
            "full": (
                'Both forget order: a sum of words is the same in any order, so neither can tell "not good,'
                ' bad" from "not bad, good". Averaging has 51 numbers and lets rare words share what their'
                " neighbours in GloVe learned, but a single telling word drowns among twenty others. The bag"
                " has thousands of weights: each word gets its own vote, which here scores better, but it"
                " knows nothing of words it never saw and overfits."
            ),
            "half": (
                "Averaging is smaller and works with little data, while the bag of words is more precise but"
                " needs more memory. Both ignore the order."
            ),
            "none": "Averaging is better because word embeddings are more modern than a bag of words.",
        },
    ),
)
averages.check_cases("average_features", "the mean over real tokens", points=1)
averages.check_cases("count_features", "counts", points=1)
AVERAGE_LEVEL, BAG_LEVEL = (
    0.67,
    0.72,
)  # about 2.5 standard errors of 1,007 sentences below what the fit reaches (71.7%, 77%)


@cache
def table_ids(split: str) -> tuple[list[int], ...]:
    """The sentences of a split as rows of the GloVe table."""
    return tuple(movie_vectors().encode(text) for text in movie_splits()[split].texts)


def linear_accuracy(weights: np.ndarray, bias: float, features: Callable[[list[int]], np.ndarray]) -> float:
    """Accuracy of a linear model on the validation sentences."""
    rows = [features(ids) for ids in table_ids("validation")]
    logits = np.array([(row @ weights).mean() if row.ndim == 2 else weights[row].sum() for row in rows])
    return float(((logits + bias > 0) == np.array(movie_splits()["validation"].labels)).mean())


def reaches(found: float, level: float, what: str) -> Wrong | None:
    """Whether recorded weights predict as well as a fit does."""
    if found >= level:
        return None
    told = (
        f"The recorded {what} get {found:.1%} of the validation sentences right; the fit reaches more than"
        f" {level:.0%}."
    )
    if found < 1 - level:
        return Wrong(
            f"{told} They are wrong nearly as often as others are right: are the labels flipped (1 is"
            " positive)?"
        )
    return Wrong(
        f"{told} Did the fitting cell run to its end, with features of the training sentences, before you"
        " recorded?"
    )


@averages.check("averaged vectors: the fitted weights", points=1, needs=["average_weights", "average_bias"])
def _(answer: Answer) -> Wrong | None:
    table = movie_vectors().table
    found = linear_accuracy(
        np.asarray(answer["average_weights"], float), float(answer["average_bias"]), lambda ids: table[ids]
    )
    return reaches(found, AVERAGE_LEVEL, "weights for averaged vectors")


@averages.check("bag of words: the fitted weights", points=1, needs=["bag_weights", "bag_bias"])
def _(answer: Answer) -> Wrong | None:
    columns, count = bag_columns()
    weights = np.asarray(answer["bag_weights"], float)
    if len(weights) != count:
        return Wrong(
            f"`bag_weights` has {len(weights):,} numbers; the training sentences have {count:,} columns"
            " (frequent_columns)."
        )
    return reaches(
        linear_accuracy(weights, float(answer["bag_bias"]), lambda ids: columns[ids]),
        BAG_LEVEL,
        "weights for the bag of words",
    )


@cache
def bag_columns() -> tuple[np.ndarray, int]:
    """Columns of the bag of words, from the training sentences."""
    return public.frequent_columns(table_ids("train"))


@averages.check("a pair that averaging cannot tell apart", points=2, needs=["same_average_pair"])
def _(answer: Answer) -> Wrong | None:
    (trial,) = answer["same_average_pair"]
    problem = public.pair_problem(trial.output)
    return not_run("same_average_pair", trial) or (Wrong(problem) if problem else None)


# 5.3 and 5.4 ------------------------------------------------------------------------------------------------


def variants(oracle: Oracle, sayings: Mapping[str, str]) -> dict[str, Oracle]:
    """Mistakes of a module challenge: what to say → the oracle in that variant."""
    return {
        says: lambda *args, variant=variant, **kwargs: oracle(*args, variant=variant, **kwargs)
        for variant, says in sayings.items()
    }


DIVIDED = "You sum real tokens only, but divide by the padded length; divide by the number of real tokens."
PROBABILITY = (
    "You return probabilities: a sigmoid is applied. Return raw logits; the loss (with logits) applies it"
    " itself, and twice is once too often."
)
COLUMN = (
    "Logits should have shape (batch,): squeeze the last axis, or the loss will broadcast against the labels."
)

forward = hw.question(
    "5.3",
    "A feed-forward classifier",
    minutes=12,
    difficulty="easy",
    entries=[
        Challenge(
            "FeedForwardClassifier",
            cases=classifier_cases(20, layer_20, square_first=True),
            expected=feed_forward,
            mistakes=variants(
                feed_forward,
                {
                    "features": (
                        "The mean is over features (the last axis); it must be over tokens (axis 1). With n ="
                        " d the shapes agree by accident."
                    ),
                    "padding": "Padding is averaged too: use the mask.",
                    "padded length": DIVIDED,
                    "inverted": "The mask is used the wrong way round: it is True at real tokens.",
                    "relu": "That is a ReLU; asked is tanh.",
                    "linear": "The hidden layer has no nonlinearity: tanh is missing.",
                    "sigmoid": "The hidden layer has a sigmoid; asked is tanh.",
                    "probability": PROBABILITY,
                    "column": COLUMN,
                },
            ),
            rtol=1e-3,  # float32 sums against float64
            atol=1e-4,
        )
    ],
)
forward.check_cases("FeedForwardClassifier", "logits", points=5)

attention = hw.question(
    "5.4",
    "A self-attention classifier",
    minutes=20,
    difficulty="medium",
    forbids=("scaled_dot_product_attention", "MultiheadAttention", "multi_head_attention_forward"),
    entries=[
        Challenge(
            "SelfAttentionClassifier",
            cases=sentences_for_weights,
            examples=lambda rng: list(classifier_cases(0, three_maps)(rng))[:3],
            expected=logits_and_weights,
            mistakes=variants(
                self_attention,
                {
                    "no mask at all": (
                        "Padding is attended to and averaged: the mask must act twice, on the keys and on the"
                        " mean."
                    ),
                    "attended": "Padding is attended to: its scores must be −∞ before the softmax.",
                    "padding averaged": (
                        "Outputs at padding places are averaged too: the mean must run over real tokens."
                    ),
                    "inverted": (
                        "The mask is inverted in the attention: real tokens are hidden and padding is seen."
                    ),
                    "unscaled": "The scores lack the scale 1/√64.",
                    "axis": (
                        "The softmax runs over the queries; it must run over the keys (the last axis)."
                        " Otherwise the mean over tokens undoes it."
                    ),
                    "keys by queries": "Queries and keys are swapped: row i must be the query of token i.",
                    "padded length": DIVIDED,
                    "scale of d": (
                        "You divided the scores by √d of the word vectors; asked is √64, the square root of"
                        " d_qk."
                    ),
                    "no values": "The values are the word vectors themselves: the map Vm is not used.",
                    "probability": PROBABILITY,
                    "column": COLUMN,
                },
            ),
            rtol=1e-3,
            atol=1e-4,
        )
    ],
)
attention.check_cases("SelfAttentionClassifier", "logits", points=5)


@attention.check("attention weights", points=3)
def _(answer: Answer) -> Wrong | None:
    for trial in (trial for trial in answer["SelfAttentionClassifier"] if trial.group == "weights"):
        if trouble := not_run("SelfAttentionClassifier", trial):
            return trouble
        if words_ := weights_problem(trial):
            return wrong_on(trial, f"On {trial.note}: {words_}", sentence_map)
    return None


def sentence_map(trial: kit.Trial, expected: Any, found: Any) -> dict[str, Any]:
    """The attention map of the sentence with most padding, padding's places named."""
    mask = np.asarray(trial.args[1])
    row = int(mask.sum(1).argmin())
    places = [f"{place}" if real else f"{place} (padding)" for place, real in enumerate(mask[row])]
    return attention_map("Attention of your classifier over one padded sentence", places, {"": found[1][row]})


def weights_problem(trial: Any) -> str | None:
    """Compares returned attention with the oracle at real queries; what padding queries do is free."""
    ids, mask = (np.asarray(item) for item in trial.args)
    rows, n = mask.shape
    if not isinstance(trial.output, list) or len(trial.output) != 2:
        return (
            "with return_weights=True the classifier should return two things: logits and attention weights."
        )
    found = trial.output[1]
    if not isinstance(found, np.ndarray) or found.shape != (rows, n, n):
        return f"the attention weights should have shape {(rows, n, n)}, but they are {kit.describe(found)}."
    if not np.isfinite(found[mask]).all():
        return "the attention of a real token holds NaN or infinity."
    weights = {name: np.asarray(value, float) for name, value in trial.kwargs["weights"].items()}
    right = attention_weights(ids, mask, weights)
    leaked = (found * ~mask[:, None, :])[mask].sum(-1)
    if leaked.max() > 1e-4:
        return (
            f"a real token has {leaked.max():.2f} of its attention on padding; set padding's scores to −∞"
            " before the softmax."
        )
    if np.abs(found[mask].sum(-1) - 1).max() > 1e-3:
        return (
            "the rows do not sum to 1: row i holds the attention of query i, softmax over the keys (the last"
            " axis)."
        )
    if np.abs(found - right)[mask].max() > 1e-3:
        slips = {
            "unscaled": "the scale 1/√64 is missing",
            "scale of d": "the scale is √d of the word vectors, not √64",
            "keys by queries": "queries and keys are swapped",
        }
        for variant, says in slips.items():
            if np.abs(found - attention_weights(ids, mask, weights, variant))[mask].max() < 1e-3:
                return f"the attention weights differ: {says}."
        return (
            "the attention weights differ from the expected ones by up to"
            f" {np.abs(found - right)[mask].max():.2g}."
        )
    return None


# 5.5 --------------------------------------------------------------------------------------------------------

frozen = hw.question(
    "5.5",
    "A frozen encoder with a GRU on top",
    minutes=25,
    difficulty="hard",
    entries=[
        Challenge(
            "FrozenEncoderGRU",
            cases=encoder_cases,
            examples=lambda rng: list(encoder_cases(rng))[:1],
            expected=encoded_logits,
            mistakes=variants(
                encoded_logits,
                {
                    "unmasked": (
                        "The encoder was not given the attention mask: real tokens attend to padding."
                    ),
                    "inverted": "The attention mask is inverted: 1 is for real tokens.",
                    "padding read": (
                        "The GRU reads the padding too: pack the states (pack_padded_sequence) so that it"
                        " stops at the last real token."
                    ),
                    "last output": (
                        "You take the outputs at the last place; the backward direction has only read one"
                        " token there. Take h_n of both directions."
                    ),
                    "last place": (
                        "You take the outputs at the last place of the padded batch. Pack the states, and"
                        " take h_n of both directions."
                    ),
                    "first layer": (
                        "Those are the first layer's states, h_n[0] and h_n[1]; asked are the top layer's,"
                        " h_n[-2] and h_n[-1]."
                    ),
                    "swapped": (
                        "The directions are in the other order: forward (h_n[-2]) first, then backward"
                        " (h_n[-1])."
                    ),
                    "probability": PROBABILITY,
                    "column": COLUMN,
                },
            ),
            rtol=1e-3,
            atol=1e-4,  # float32 through layer norms and two GRU layers
        ),
        Array("bert_total"),
        Array("bert_trainable"),
    ],
)
frozen.check_cases("FrozenEncoderGRU", "logits", points=3)
flag_check(frozen, "FrozenEncoderGRU", "the attention mask is passed on", 2, public.mask_problem)
flag_check(frozen, "FrozenEncoderGRU", "the same logit alone and in a batch", 1, public.batch_problem)
flag_check(
    frozen, "FrozenEncoderGRU", "the encoder is frozen and stays in eval mode", 2, public.frozen_problem
)
flag_check(frozen, "FrozenEncoderGRU", "only GRU and linear learn", 1, public.learning_problem)


def count_check(name: str, right: int, known: Mapping[int, str]) -> Callable[[Answer], Wrong | None]:
    """A judge for an exact whole number, with the slips that lead to other numbers."""

    def judge(answer: Answer) -> Wrong | None:
        found = float(answer[name])
        if found == right:
            return None
        advice = known.get(int(found), "Count with p.numel() over the parameters.")
        return Wrong(f"`{name}` is {found:,.0f}, off by {found - right:+,.0f}. {advice}")

    return judge


frozen.check("total parameters with BERT-base", points=1, needs=["bert_total"])(
    count_check(
        "bert_total",
        BERT_TOTAL,
        {
            BERT_TOTAL - BERT_HEAD: "That is the encoder alone, without GRU and linear head.",
            BERT_HEAD: "That is what learns, without the encoder.",
            BERT_TOTAL - POOLER: (
                "You left out the pooler, which belongs to the encoder although this model does not use it."
            ),
            BERT_TOTAL - ONE_WAY: "That is a GRU of one direction.",
        },
    )
)
frozen.check("trainable parameters with BERT-base", points=1, needs=["bert_trainable"])(
    count_check(
        "bert_trainable",
        BERT_HEAD,
        {
            BERT_TOTAL: "That is everything: is the encoder frozen with requires_grad_(False)?",
            BERT_HEAD - 513: "That is the GRU without the linear head.",
            BERT_HEAD - ONE_WAY: "That is a GRU of one direction.",
            BERT_HEAD + POOLER: "The pooler belongs to the frozen encoder.",
            head_parameters(
                16, 256
            ): "That is the head on the 16-dimensional stand-in; BERT-base has 768 features.",
        },
    )
)

# 5.6 --------------------------------------------------------------------------------------------------------


binary = hw.question(
    "5.6a",
    "Accuracy from logits",
    minutes=5,
    difficulty="easy",
    entries=[
        Challenge(
            "binary_accuracy",
            cases=logits_and_labels,
            expected=lambda logits, labels: np.array(((logits > 0) == (labels > 0.5)).mean()),
            mistakes={
                "You compare logits with 0.5: probability 0.5 is logit 0.": lambda logits, labels: np.array(
                    ((logits > 0.5) == (labels > 0.5)).mean()
                ),
                "That is a percentage; asked is a share from 0 to 1.": lambda logits, labels: np.array(
                    100 * ((logits > 0) == (labels > 0.5)).mean()
                ),
                "That is the number of right answers, not their share.": lambda logits, labels: np.array(
                    ((logits > 0) == (labels > 0.5)).sum() * 1.0
                ),
                "That is the share of wrong answers: a label is flipped somewhere (positive is 1, a logit above 0).": lambda logits, labels: (
                    np.array(((logits > 0) != (labels > 0.5)).mean())
                ),
                "You rounded the logits themselves: apply the sigmoid first, or compare with 0.": (
                    lambda logits, labels: np.array((np.round(logits) == labels).mean())
                ),
            },
        )
    ],
)
binary.check_cases("binary_accuracy", "the share of right answers", points=2)

training = hw.question(
    "5.6b",
    "One epoch of training",
    minutes=10,
    difficulty="medium",
    entries=[
        Challenge(
            "train_epoch",
            cases=training_cases,
            examples=lambda rng: list(training_cases(rng))[:3],
            expected=trained_toy,
            mistakes=variants(
                trained_toy,
                {
                    "mean of means": (
                        "The loss is averaged over batches; with unequal batches it must be averaged over"
                        " sentences."
                    ),
                    "last loss": "That is the loss of the last batch; asked is the mean over all sentences.",
                    "accumulated": (
                        "Gradients pile up from batch to batch: call optimizer.zero_grad() before each"
                        " backward()."
                    ),
                    "sigmoid twice": (
                        "A sigmoid is applied before binary_cross_entropy_with_logits, which applies it"
                        " itself."
                    ),
                    "flipped": (
                        "The labels are flipped: the model learns to call positive sentences negative."
                    ),
                    "never stepped": (
                        "The weights did not change: is there an optimizer.step() for each batch?"
                    ),
                    "summed": "The gradients are of the summed loss; use the mean of each batch.",
                    "summed, told so": (
                        "The loss is summed over each batch, and so are the gradients; use the mean of each"
                        " batch."
                    ),
                },
            ),
            rtol=1e-3,
            atol=1e-4,
        )
    ],
)
training.check_cases("train_epoch", "loss and weights after one epoch", points=3)
flag_check(training, "train_epoch", "training runs in train mode", 1, public.train_mode_problem)

evaluation = hw.question(
    "5.6c",
    "Evaluation",
    minutes=8,
    difficulty="medium",
    entries=[
        Challenge(
            "evaluate",
            cases=evaluation_cases,
            examples=lambda rng: list(evaluation_cases(rng))[
                :3
            ],  # no dropout: what its mode says is clearer than other numbers
            expected=evaluated_toy,
            mistakes=variants(
                evaluated_toy,
                {
                    "mean of means": (
                        "You average over batches; with unequal batches (the last one is small) it must be"
                        " over sentences."
                    ),
                    "accuracy by batch": (
                        "Accuracy is averaged over batches; with unequal batches (the last one is small) it"
                        " must be over sentences."
                    ),
                    "swapped": "Loss and accuracy have changed places: the loss comes first.",
                    "last batch": "Those are the numbers of the last batch alone.",
                    "flipped": "The labels are flipped: 1 is positive, a logit above 0.",
                    "sigmoid twice": "A sigmoid is applied before the loss, which applies it itself.",
                    "half": "You compare logits with 0.5: probability 0.5 is logit 0.",
                },
            ),
            rtol=1e-3,
            atol=1e-4,
        )
    ],
)
evaluation.check_cases("evaluate", "loss and accuracy over sentences", points=2)
flag_check(
    evaluation,
    "evaluate",
    "evaluation mode, nothing changed, mode restored",
    2,
    public.evaluation_mode_problem,
)

best = hw.question(
    "5.6d",
    "Keep the best epoch",
    minutes=8,
    difficulty="medium",
    entries=[
        Challenge(
            "keep_best",
            cases=scripted,
            expected=lambda accuracies: kept(accuracies, int(np.argmax(accuracies)) + 1),
            mistakes={
                "The model ends with the weights of the last epoch. Reload the best; and state_dict() holds the live tensors, not copies: clone them (copy.deepcopy).": lambda accuracies: (
                    kept(accuracies, len(accuracies))
                ),
                "Of a tie the later epoch was kept; replace the best only if the new one is better.": (
                    lambda accuracies: kept(accuracies, len(accuracies) - int(np.argmax(accuracies[::-1])))
                ),
                "The worst epoch was kept: higher accuracy is better.": lambda accuracies: kept(
                    accuracies, int(np.argmin(accuracies)) + 1
                ),
                "The weights are those of the best epoch, the buffers are not: copy the whole state_dict().": lambda accuracies: [
                    accuracies,
                    np.array(np.argmax(accuracies) + 1.0),
                    np.array(float(len(accuracies))),
                ],
            },
        )
    ],
)
best.check_cases("keep_best", "the best epoch's weights come back", points=3)

# 5.7 --------------------------------------------------------------------------------------------------------

HIDDEN_SENTENCES = 800  # of 1,007: the draw moves the reference's score by 0.6 points (standard deviation)
NO_POINTS, FULL_POINTS = (
    0.60,
    0.78,
)  # full: what 30 s of CPU time reach on validation (82%) less 2.5 standard errors


def hidden_rows(rng: np.random.Generator) -> np.ndarray:
    """Which test sentences a seed asks for."""
    return np.asarray(rng.permutation(len(movie_splits()["test"]))[:HIDDEN_SENTENCES])


def hidden_sentences(rng: np.random.Generator) -> Iterator[Case]:
    """One batch of test sentences as ids and mask, in the order of the draw; no labels."""
    ids, mask = padded([table_ids("test")[row] for row in hidden_rows(rng)])
    yield Case([ids, mask], {"init": {}, "batch": 200}, f"{len(ids)} hidden sentences")


sentiment = hw.question(
    "5.7a",
    "Train a sentiment model",
    minutes=20,
    difficulty="medium",
    entries=[
        Checkpoint(
            "SentimentModel",
            cases=hidden_sentences,
            examples=lambda rng: [Case([], {"init": {}}, f"the file {public.CHECKPOINT}")],
            file=public.CHECKPOINT,
            max_bytes=public.CHECKPOINT_BYTES,
        )
    ],
)


@sentiment.check("accuracy on hidden sentences", points=10)
def _(answer: Answer) -> Wrong | Right | None:
    (trial,) = answer["SentimentModel"]
    if trouble := not_run("SentimentModel", trial):
        return trouble
    logits = trial.output
    if not isinstance(logits, np.ndarray) or logits.shape != (HIDDEN_SENTENCES,):
        return Wrong(
            f"The model should give one logit a sentence, shape ({HIDDEN_SENTENCES},), but it gave"
            f" {kit.describe(logits)}."
        )
    if not np.isfinite(logits).all():
        return Wrong("Some logits are NaN or infinite.")
    right = hidden_labels(trial.args[0], trial.args[1])
    accuracy = float(((logits > 0) == right).mean())
    share = float(np.clip((accuracy - NO_POINTS) / (FULL_POINTS - NO_POINTS), 0, 1))
    table = np.zeros((2, 2), dtype=int)
    np.add.at(table, (right.astype(int), (logits > 0).astype(int)), 1)
    kinds = ("negative", "positive")
    shown = matrix(
        "Guesses of your checkpoint on the hidden sentences",
        table,
        x="guess",
        y="true label",
        rows=kinds,
        columns=kinds,
    )
    told = (
        f"Your checkpoint gets {accuracy:.1%} of {len(right)} hidden sentences right; points rise from"
        f" {NO_POINTS:.0%} to {FULL_POINTS:.0%}."
    )
    if share == 1:
        return Right(told, measured=accuracy)
    if accuracy < 1 - NO_POINTS:
        flipped = (
            f"{told} It is wrong most of the time, so its labels are flipped: 1 is positive, a logit above 0."
        )
        return Wrong(flipped, measured=accuracy, evidence=shown)
    if np.all((logits >= 0) & (logits <= 1)):
        return Wrong(
            f"{told} All outputs are between 0 and 1: return logits, not probabilities, which are all"
            " above 0.",
            share,
            accuracy,
            shown,
        )
    return Wrong(
        f"{told} Were the word vectors trained too, and was the best epoch chosen on validation?",
        share,
        accuracy,
        shown,
    )


@cache
def test_labels() -> dict[bytes, int]:
    """Labels of the test sentences by their token ids."""
    return {
        np.array(ids, dtype=np.int64).tobytes(): label
        for ids, label in zip(table_ids("test"), movie_splits()["test"].labels, strict=True)
    }


def hidden_labels(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Labels of hidden sentences, found by what was asked; they never enter a kernel."""
    return np.array(
        [
            test_labels()[np.asarray(row[keep], np.int64).tobytes()]
            for row, keep in zip(ids, mask, strict=True)
        ]
    )


predicting = hw.question(
    "5.7b",
    "Ask the model",
    minutes=12,
    difficulty="easy",
    entries=[
        Challenge(
            "predict_sentiment",
            cases=sentiment_cases,
            expected=predicted,
            mistakes=variants(
                predicted,
                {
                    "train mode": "The model was in train mode, so dropout was on: call model.eval() first.",
                    "order": (
                        "The name comes from the order of the map; use the number: labels[1] is positive in"
                        " whatever order it was written."
                    ),
                    "own names": (
                        "The name is not one of the map: a map may hold other names; labels[0] and labels[1]"
                        " are what to return."
                    ),
                    "flipped": "The label is flipped: a logit above 0 means label 1.",
                    "half": "You compare the logit with 0.5: probability 0.5 is logit 0.",
                    "logit": (
                        "The second value is the logit; asked is the probability of the positive class,"
                        " sigmoid(logit)."
                    ),
                    "of the label": (
                        "The second value is the probability of the label you return; asked is that of the"
                        " positive class, always."
                    ),
                },
            ),
            rtol=1e-3,
        ),
        Choice(
            "model_comparison",
            options={
                "A": (
                    "The attention model is better: it leads by 2.4 points on validation and by 0.1 on test."
                ),
                "B": (
                    "This test cannot tell the two apart; the lead on validation is within luck and choosing."
                ),
                "C": "The two are equally good: the test shows that there is no difference.",
                "D": "Accuracy is the wrong measure here, so nothing can be said.",
            },
            correct="B",
            why={
                "A": (
                    "validation chose the epoch and the settings, so its number is too good; on test 92"
                    " against 91 sentences is what chance gives."
                ),
                "C": "a test too small to see a difference of two points does not show that there is none.",
                "D": "the classes are balanced, so accuracy is a fair measure; what lacks is certainty.",
            },
            points=1,
        ),
    ],
    written=Written(
        points=3,
        words=(40, 120),
        rubric={
            "Reports label and probability for the two given and two own sentences": 1,
            "Explains one wrong or surprising answer with a property of model or data (no order, rare words, few negated examples)": (
                2
            ),
        },
        examples={
            "full": (
                'Given: "A warm, funny and moving film" positive (1.00); "It is not good" positive (0.75),'
                ' wrong. Own: "I want my two hours back" negative (0.17); "Hardly a masterpiece, but never'
                ' boring" negative (0.01), wrong. Negation fails: without positions the model cannot know'
                ' which word "never" turns, and phrases like "not good" are rare in the training sentences,'
                ' so it mostly adds up the votes of "never" and "boring".'
            ),
            "half": (
                "The model got three of my four sentences right (positive 0.99, positive 0.62, negative 0.31,"
                " negative 0.08). It does not understand negation."
            ),
            "none": "The model works well on all sentences.",
        },
    ),
)
predicting.check_cases("predict_sentiment", "label and probability", points=2)
flag_check(
    predicting,
    "predict_sentiment",
    "the model is asked properly and left as it was",
    1,
    public.predict_problem,
)

# 5.8 --------------------------------------------------------------------------------------------------------


looking = hw.question(
    "5.8",
    "What the attention looks at: negation",
    minutes=25,
    difficulty="hard",
    entries=[
        Challenge(
            "sentence_logit",
            cases=score_cases,
            expected=logit_of,
            mistakes=variants(
                logit_of,
                {
                    "axis": "The softmax runs over the queries; it must run over the keys, row by row.",
                    "sum": "The queries' outputs are summed; the classifier takes their mean.",
                    "no bias": "The bias is missing.",
                    "not renormalised": (
                        "The forbidden weights are struck out after the softmax, so rows no longer sum to 1."
                        " Forbid before it, with −∞."
                    ),
                    "scores zeroed": "A score of 0 still gets weight e⁰: forbid with −∞.",
                    "queries": (
                        "You forbid queries (rows); forbidden are keys: nobody may look at these places"
                        " (columns)."
                    ),
                },
            ),
        ),
        Array("order_logits", (2,)),
        Array("interaction", (10, 10)),
        Array("received", (20, 2)),
        Array("without_not", (10,)),
        Choice(
            "heatmap_claim",
            options={
                "A": 'The model has found the negation: attention goes to "not".',
                "B": (
                    'The adjective receives most attention; "not" receives about an even share, yet removing'
                    " it changes the answer."
                ),
                "C": '"not" is unimportant to the model: it receives no more attention than other words.',
                "D": 'Attention turns "not good" into the opposite of "good", so the model handles negation.',
            },
            correct="B",
            why={
                "A": 'in `received`, "not" has about 1, an even share; the adjective has about 3.2.',
                "C": (
                    '`without_not` shows that the logit rises by 1 to 2 when nobody may look at "not": a'
                    " small weight can carry a large vote."
                ),
                "D": (
                    'the interaction is below zero in most pairs, but "not good" itself is still called'
                    " positive, and shuffled words give the same logit."
                ),
            },
            points=2,
        ),
    ],
    written=Written(
        points=4,
        words=(50, 120),
        rubric={
            "States what the heatmap shows with a number from `received`": 1,
            "Says that attention weight is not importance, with the evidence of `without_not`": 2,
            "Names the limit: without positions the pair has equal logits; most negations are not flipped": 1,
        },
        examples={
            "full": (
                'The bright column is the adjective: it receives 3.2 times an even share on average, "not"'
                " only 1.0. From the picture alone one would say that the model ignores the negation. But"
                ' forbidding everyone to look at "not" raises the logit in all ten sentences, by 1.2 to 2.3:'
                " its vote is large, so little attention suffices. The interaction is negative in most pairs,"
                " which averaging could never do. Still it is no understanding: both orders of the same words"
                ' get one logit, and "not enjoyable" stays positive.'
            ),
            "half": (
                'The heatmap shows that the adjective gets most attention and "not" does not. But "not"'
                " matters, because the logit changes without it."
            ),
            "none": (
                "The attention shows that the model understands negation, because it looks at the important"
                " words."
            ),
        },
    ),
)
looking.check_cases("sentence_logit", "logit from scores and votes", points=2)


Slips = Mapping[str, Callable[[Mapping[str, np.ndarray]], np.ndarray]]


def fact_check(
    name: str, label: str, points: float, slips: Slips, advice: str, labels: Mapping[str, Any] | None = None
) -> None:
    """Registers a comparison of a recorded array with what the given tables say; with ``labels``, shown as a matrix."""

    @looking.check(label, points=points, needs=[name])
    def _(answer: Answer) -> Wrong | None:
        found, right = np.asarray(answer[name], float), negation_facts()[name]
        if np.allclose(found, right, rtol=1e-3, atol=1e-3):
            return None
        shown = matrix(f"`{name}` as you recorded it", found, expected=right, **labels) if labels else None
        for says, slip in slips.items():
            if np.allclose(found, slip(negation_facts()), rtol=1e-3, atol=1e-3):
                return Wrong(f"`{name}`: {says}", evidence=shown)
        place = tuple(int(index) for index in np.argwhere(~np.isclose(found, right, rtol=1e-3, atol=1e-3))[0])
        told = (
            f"`{name}` at {list(place)} is {found[place]:.3f}, but the given model has {right[place]:.3f}"
            f" there. {advice}"
        )
        return Wrong(told, evidence=shown)


fact_check(
    "order_logits",
    "the pair's logits",
    1,
    {"those are probabilities; asked are logits.": lambda facts: sigmoid(facts["order_logits"])},
    'The sentences are "not good , bad" and "not bad , good", tokens split at blanks.',
)
fact_check(
    "interaction",
    "the interaction of not and the adjective",
    2,
    {
        "rows must be good words and columns bad words; yours is the other way round.": lambda facts: (
            facts["interaction"].T
        ),
        "the sign is turned: it is the shift of the good word minus the shift of the bad word.": (
            lambda facts: -facts["interaction"]
        ),
        'that is the effect of "very" against "not" and bad against good; see the definition.': (
            lambda facts: -facts["interaction"].T
        ),
    },
    '[f(not good) − f(very good)] − [f(not bad) − f(very bad)] in "the film is … … .".',
    {"x": "bad word", "y": "good word", "rows": public.GOOD, "columns": public.BAD},
)
fact_check(
    "received",
    "attention received",
    1,
    {
        "multiply by the number of tokens, so that 1 is an even share.": lambda facts: facts["received"] / 6,
        'column 0 is for "not", column 1 for the adjective.': lambda facts: facts["received"][:, ::-1],
    },
    'Mean over the queries (rows) times 6, of "not" (column 0) and of the adjective (column 1), good words'
    " first.",
    {
        "x": "attention received by",
        "y": "adjective",
        "rows": (*public.GOOD, *public.BAD),
        "columns": ("not", "adjective"),
    },
)
fact_check(
    "without_not",
    "the logit without not",
    1,
    {
        "the sign is turned: it is the logit without minus the logit with.": lambda facts: (
            -facts["without_not"]
        )
    },
    'f with place 3 forbidden minus f, for "the film is not GOOD .".',
)

# 5.9 --------------------------------------------------------------------------------------------------------


def claim(number: int, right: bool, why: str, points: float) -> Choice:
    """Whether one sentence of the given explanation holds."""
    options = {"A": "correct", "B": "wrong"}
    return Choice(
        f"claim_{number}",
        options=options,
        correct="A" if right else "B",
        why={"B" if right else "A": why},
        points=points,
    )


claims = hw.question(
    "5.9",
    "Judge an explanation",
    minutes=12,
    difficulty="medium",
    entries=[
        claim(
            1, True, "queries, keys and values are indeed three learned linear maps of the same vectors.", 0.5
        ),
        claim(2, True, "each query meets every key, its own token's included, and the scale is 1/√d_k.", 0.5),
        claim(
            3,
            False,
            "look at which weights add up to one: those that one query gives to all keys, or those that one"
            " key gets?",
            2.0,
        ),
        claim(
            4,
            True,
            "the sum is over all values; without positions nothing in the layer knows the order.",
            1.0,
        ),
    ],
    written=Written(
        points=4,
        words=(40, 100),
        rubric={
            "Corrects the error: softmax over keys, each query's weights sum to one": 2,
            "Says what the error would change, such as a token that everyone looks at, or outputs that are no averages": (
                1
            ),
            "Supports one of the correct claims with a reason of one's own": 1,
        },
        examples={
            "full": (
                "Sentence 3 is wrong: the softmax runs over the keys, so the weights of each query sum to one"
                " and every output is a weighted average of values. Normalised per key, a token could not be"
                " looked at by everybody, as the adjective in 5.8 is (its column sums to 3.2), and an output"
                " could be of any size. Sentence 4 is right: scores depend on the pair of vectors only, so"
                " shuffled inputs give the same outputs, shuffled."
            ),
            "half": (
                "Sentence 3 is wrong, since the softmax is over keys and not over queries. The others are"
                " right."
            ),
            "none": (
                "The explanation is good, but it should mention that attention is more efficient than RNNs."
            ),
        },
    ),
)
