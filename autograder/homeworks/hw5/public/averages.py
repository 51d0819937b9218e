"""Averages and bags of words (5.2): fitting a linear model, and a pair that averages cannot tell apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.homeworks.hw5.public.sentences import PAD, UNKNOWN, glove_tokens
from autograder.kit import visible_check

N_WORDS, D_MODEL = 17_375, 50  # of the GloVe table, padding and unknown included
MIN_COUNT = 3  # 5.2: rarer words of the training sentences share the unknown word's column

NEGATIONS = {
    *(
        "not",
        "n't",
        "no",
        "never",
        "none",
        "nobody",
        "nothing",
        "nowhere",
        "neither",
        "nor",
        "cannot",
        "without",
    ),
    *(
        "hardly",
        "barely",
        "scarcely",
        "rarely",
        "seldom",
        "few",
        "little",
        "lack",
        "lacks",
        "lacking",
        "fails",
    ),
}


def fit_logistic(features: Any, labels: Any, l2: float = 1e-4, steps: int = 60) -> tuple[Any, Any]:
    """Logistic regression by LBFGS from zero: minimizes the mean cross entropy plus l2/2·|w|².

    Args:
        features: (sentences, d) float tensor.
        labels: (sentences,) of 0 and 1.
        l2: strength of the penalty.
        steps: at most.

    Returns:
        Weights (d,) and bias (), tensors.
    """
    import torch

    weights, bias = torch.zeros(features.shape[1], requires_grad=True), torch.zeros((), requires_grad=True)
    solver = torch.optim.LBFGS([weights, bias], max_iter=steps, line_search_fn="strong_wolfe")
    target = torch.as_tensor(labels, dtype=torch.float32)

    def closure() -> Any:
        solver.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(features @ weights + bias, target)
        loss = loss + 0.5 * l2 * weights.square().sum()
        loss.backward()
        return loss

    solver.step(closure)
    return weights.detach(), bias.detach()


def frequent_columns(
    sequences: Sequence[Sequence[int]], n_words: int = N_WORDS, min_count: int = MIN_COUNT
) -> tuple[np.ndarray, int]:
    """Columns for a bag of words: a table id → column and the number of columns.

    Words that occur at least ``min_count`` times in the sequences get columns 2, 3, …; all others share
    column 1.
    """
    counts = np.bincount(np.concatenate([np.asarray(sequence) for sequence in sequences]), minlength=n_words)
    kept = [word for word in np.flatnonzero(counts >= min_count) if word > UNKNOWN]
    columns = np.full(n_words, UNKNOWN)
    columns[PAD] = PAD
    columns[kept] = np.arange(2, len(kept) + 2)
    return columns, len(kept) + 2


def _quoted(tokens: Sequence[str]) -> str:
    return ", ".join(map(repr, tokens)) or "none"


def pair_problem(pair: Any) -> str | None:
    """Whether two sentences differ in order only (5.2)."""
    if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
        return "`same_average_pair` should return two sentences as strings."
    first, second = (glove_tokens(text) for text in pair)
    if not 4 <= len(first) <= 30 or not 4 <= len(second) <= 30:
        return f"Each sentence must have 4 to 30 tokens; yours have {len(first)} and {len(second)}."
    if first == second:
        return "The two sentences have the same tokens in the same order, so they are the same sentence."
    if sorted(first) != sorted(second):
        one, other = (
            [token for token in a if a.count(token) > b.count(token)]
            for a, b in ((first, second), (second, first))
        )
        return (
            "The averages differ, because the tokens are not the same. More often in the first:"
            f" {_quoted(one)}; in the second: {_quoted(other)}."
        )
    if not NEGATIONS & set(first):
        return "Use a negation (such as not, n't, no, never, none, without) whose place decides the meaning."
    return None


@visible_check("5.2")
def pair_has_one_average(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    trials = answers.get("same_average_pair") or []
    if not trials or trials[0].status != "ok":
        return []
    problem = pair_problem(trials[0].output)
    return [
        (
            problem is None,
            problem or "The two sentences have the same tokens in another order: their averages are equal.",
        )
    ]
