"""Common mistakes in hw2's classes and functions have names: judged as in grading, without a notebook."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from autograder.declare import Case, homeworks
from autograder.declare.judging import judge_cases
from autograder.declare.recorded import read_response
from autograder.homeworks.hw2 import public
from autograder.kit import Trial
from autograder.kit.probes import run_cases

HW2 = homeworks()["hw2"]
CHALLENGES = {challenge.name: challenge for challenge in HW2.challenges()}
MODULES = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "np": np, "math": math}

CLASSIFIER = """
class DocumentClassifier(nn.Module):
    def __init__(self, attention, d_model, n_classes):
        super().__init__()
        self.attention, self.head = attention, nn.Linear(d_model, n_classes)

    def forward(self, x, padding=None):
        seen = padding
        tokens = self.attention(x, seen)
        if padding is None:
            mean = tokens.mean(dim=1)
        else:
            real = (~padding)[..., None]
            mean = (tokens * real).sum(1) / real.sum(1)
        return self.head(mean)
"""
BLOCK = """
class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, norm_first=False):
        super().__init__()
        self.norm_first = norm_first
        self.self_attn = nn.MultiheadAttention(d_model, n_heads, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)

    def attend(self, y, padding):
        return self.self_attn(y, y, y, key_padding_mask=padding, need_weights=False)[0]

    def feed(self, y):
        return self.linear2(torch.relu(self.linear1(y)))

    def forward(self, x, padding=None):
        if self.norm_first:
            x = x + self.attend(self.norm1(x), padding)
            x = x + self.feed(self.norm2(x))
            return x
        x = self.norm1(x + self.attend(x, padding))
        return self.norm2(x + self.feed(x))
"""
STEP = """
def train_step(model, optimizer, tokens):
    logits, _ = model(tokens)
    loss = F.cross_entropy(logits.flatten(0, 1), tokens.flip(1).flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
"""
MEASURE = """
def antidiagonal_weight(weights):
    return weights.flip(2).diagonal(dim1=1, dim2=2).mean()
"""
WRITE = """
def write(model, tokens, count, choose):
    prompt = tokens = list(tokens)
    for _ in range(count):
        window = tokens[-model.context :]
        tokens = tokens + [choose(model(torch.tensor([window]))[0, -1])]
    return tokens
"""
SAMPLE = """
def sample_next(logits, temperature=1.0, top_k=None):
    scores = logits / temperature
    if top_k is not None:
        smallest = scores.topk(top_k).values[-1]
        scores = scores.masked_fill(scores < smallest, -math.inf)
    return int(torch.multinomial(torch.softmax(scores, dim=-1), 1))
"""
DRAWN = [
    ("scores < smallest, -math.inf", "scores < smallest, 0.0", "logits of all other letters were 0"),
    ("scores < smallest, -math.inf", "scores <= smallest, -math.inf", "only k − 1 of them could"),
    (
        "scores < smallest, -math.inf",
        "scores > scores.topk(top_k, largest=False).values[-1], -math.inf",
        "k least likely",
    ),
    (
        "scores = scores.masked_fill(scores < smallest, -math.inf)",
        "scores = scores.topk(top_k).values",
        "its rank among the k likeliest",
    ),
    (
        "scores = scores.masked_fill(scores < smallest, -math.inf)",
        "return int(scores.topk(top_k).indices[torch.randint(top_k, (1,))])",
        "the k likeliest were equally likely",
    ),
    (
        "scores = logits / temperature",
        "scores = logits.softmax(-1) / temperature",
        "the softmax were taken twice",
    ),
    (
        "torch.softmax(scores, dim=-1)",
        "torch.softmax(torch.softmax(scores, dim=-1), dim=-1)",
        "the softmax were taken twice",
    ),
    ("scores = logits / temperature", "scores = logits", "the temperature were 1"),
    (
        "scores = logits / temperature",
        "logits /= temperature\n    scores = logits",
        "changed its inputs in place",
    ),
]
RIGHT = [
    (CLASSIFIER, "real.sum(1)", "real.sum(1).clamp(min=1)"),
    (BLOCK, "return x\n", "return x if padding is None else x * ~padding[..., None]\n"),
    (STEP, "return loss.item()", "return loss"),
    (MEASURE, "flip(2)", "flip(1)"),
    (WRITE, "[choose(", "[*map(int, []), choose("),
]
WRONG = [
    (
        CLASSIFIER,
        "seen = padding",
        "seen = None if padding is None else ~padding",
        "The layer gets the inverted mask",
    ),
    (
        CLASSIFIER,
        "seen = padding",
        "seen = None\n        x = x if padding is None else x * ~padding[..., None]",
        "Padded rows are set to 0 before the layer",
    ),
    (CLASSIFIER, "/ real.sum(1)", "/ (~real).sum(1)", "divided by the number of padded places"),
    (CLASSIFIER, "self.head(mean)", "self.head(tokens[:, -1])", "Only the last place is used"),
    (
        CLASSIFIER,
        "(tokens * real).sum(1) / real.sum(1)",
        "tokens[torch.arange(len(x)), real[..., 0].sum(1) - 1]",
        "Only the last",
    ),
    (
        CLASSIFIER,
        "(tokens * real).sum(1) / real.sum(1)",
        "tokens[~padding].mean(0)",
        "of all documents are averaged together",
    ),
    (CLASSIFIER, "self.head(mean)", "self.head(mean).sigmoid()", "There is a sigmoid"),
    (CLASSIFIER, "self.head(mean)", "self.head(mean).relu()", "There is a ReLU"),
    (BLOCK, "self.norm1(x)", "x", "norm1 is missing"),
    (BLOCK, "self.norm2(x)", "x", "norm2 is missing"),
    (
        BLOCK,
        "x + self.attend(self.norm1(x), padding)\n            x = x + self.feed(self.norm2(x))",
        "self.norm1(x + self.attend(self.norm1(x), padding))\n"
        "            x = self.norm2(x + self.feed(self.norm2(x)))",
        "the sum is normalized, too",
    ),
    (BLOCK, "x + self.", "2 * x + self.", "is added twice"),
    (BLOCK, "torch.relu(self.linear1(y))", "self.linear1(torch.relu(y))", "comes before linear1"),
    (
        STEP,
        "    optimizer.step()\n",
        "    optimizer.step()\n    optimizer.step()\n",
        "optimizer.step() runs twice",
    ),
    (
        STEP,
        "return loss.item()",
        "return F.cross_entropy(model(tokens)[0].flatten(0, 1), tokens.flip(1).flatten()).item()",
        "again after the step",
    ),
    (STEP, "return loss.item()", "return loss.item() * tokens.numel()", "is the sum over the places"),
    (STEP, "F.cross_entropy(", "F.nll_loss(", "nll_loss takes log-probabilities"),
    (STEP, "flip(1)", "flip(0, 1)", "The batch is reversed, too"),
    (
        STEP,
        "logits.flatten(0, 1), tokens.flip(1).flatten()",
        "logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()",
        "The target is the next token",
    ),
    (
        STEP,
        "logits.flatten(0, 1), tokens.flip(1).flatten()",
        "logits[:, -1], tokens[:, 0]",
        "Only the last place counts",
    ),
    (MEASURE, "dim1=1, dim2=2", "", "Does diagonal() run through dim1=1 and dim2=2?"),
    (MEASURE, "weights.flip(2)", "weights[:1].flip(2)", "Only the first map"),
    (MEASURE, "mean()", "mean(1).sum()", "Batches are added up"),
    (WRITE, "range(count)", "range(count - 1)", "one token too few"),
    (WRITE, "tokens[-model.context :]", "prompt[-model.context :]", "sees the prompt alone"),
]


@cache
def cases(name: str) -> dict[str, Case]:
    return HW2.draw("the tests' seed")[name]


def trials_of(text: str) -> tuple[str, list[Trial]]:
    """The name of an answer and its runs on the hidden cases."""
    names = dict(MODULES)
    exec(text, names)
    (name,) = set(names) & set(CHALLENGES)
    entry: dict[str, Any] = {}
    run_cases(names[name], entry, [case.as_json(identity) for identity, case in cases(name).items()])
    answers = {identity: read_response(one) for identity, one in entry["responses"].items()}
    trials = [
        Trial(identity, case.note, case.group, tuple(case.args), case.kwargs, *answers[identity])
        for identity, case in cases(name).items()
    ]
    return name, trials


def sentences(text: str) -> list[str]:
    """What the groups of hidden cases say of an answer."""
    name, trials = trials_of(text)
    verdicts = [judge_cases(CHALLENGES[name], trials, group) for group in {one.group for one in trials}]
    return [verdict.feedback for verdict in verdicts if verdict]


@pytest.mark.parametrize(("text", "old", "new"), RIGHT)
def test_a_right_answer_in_another_style_is_right(text: str, old: str, new: str):
    assert old in text
    assert sentences(text.replace(old, new)) == []


@pytest.mark.parametrize(("text", "old", "new", "says"), WRONG)
def test_a_common_mistake_is_named_by_every_group_that_it_fails(text: str, old: str, new: str, says: str):
    assert old in text
    told = sentences(text.replace(old, new))
    assert any(says in words for words in told)
    # without any padding, a division by its count gives no number, as other mistakes do
    assert [words for words in told if says not in words and " is nan at " not in words] == []


@pytest.mark.parametrize(("old", "new", "says"), [("scores", "scores", ""), *DRAWN])
def test_common_mistakes_of_drawing_are_named(old: str, new: str, says: str):
    assert old in SAMPLE
    _, trials = trials_of(SAMPLE.replace(old, new))
    told = [
        public.sampling_problem([one for one in trials if one.group == group])
        for group in ("values", "top_k")
    ]
    assert [words for words in told if words and says not in words] == []
    assert any(told) == bool(says)
