"""1.9: several heads, with tokens as rows and as columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from autograder.declare import Case, Challenge, Choice
from autograder.homeworks.hw1.homework import LIBRARY, draw, hw
from autograder.homeworks.hw1.mistakes import HALF_SOFTMAXES, WRONG_AXIS, variant


def heads_of(rng: np.random.Generator, sizes: Sequence[Sequence[int]], columns: bool) -> Iterator[Case]:
    """n, m, d, t and the number of heads all differ where they can."""
    for n, m, d, t, heads in sizes:
        Q, K, V, W_O = draw(rng, n, d, size=2), draw(rng, m, d), draw(rng, m, t), draw(rng, t, t)
        args = [Q.T, K.T, V.T, heads, W_O] if columns else [Q, K, V, heads, W_O]
        yield Case(
            [np.ascontiguousarray(item) if isinstance(item, np.ndarray) else item for item in args],
            note=f"n = {n}, m = {m}, d = {d}, t = {t}, h = {heads}",
        )


# In the first cases d/h is not √d, nor any of n, m and t/h, so that no formula passes for another.
# The last case has a single query: no axis may be lost.
HEAD_SIZES = ((4, 7, 6, 10, 2), (4, 4, 6, 9, 3), (6, 2, 8, 4, 4), (5, 7, 3, 2, 1), (1, 5, 6, 4, 2))
SHOWN_SIZES = ((4, 7, 6, 10, 2), (3, 4, 4, 2, 1), (1, 3, 4, 2, 2))


def _heads_oracle(Q: np.ndarray, K: np.ndarray, V: np.ndarray, heads: int, W_O: np.ndarray) -> np.ndarray:
    """PyTorch's own attention on a batch of heads."""
    import torch

    q, k, v = (torch.as_tensor(item).reshape(len(item), heads, -1).transpose(0, 1) for item in (Q, K, V))
    mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(0, 1).reshape(len(Q), -1)
    return np.asarray((mixed @ torch.as_tensor(W_O)).numpy())


def _cut_features(X: np.ndarray, heads: int) -> list[np.ndarray]:
    return np.split(X, heads, axis=1)


def _cut_raw(X: np.ndarray, heads: int) -> list[np.ndarray]:
    return list(X.reshape(heads, len(X), -1))


def _cut_strided(X: np.ndarray, heads: int) -> list[np.ndarray]:
    return [X[:, head::heads] for head in range(heads)]


def _heads(
    cut: Callable[[np.ndarray, int], list[np.ndarray]] = _cut_features,
    join: Callable[[list[np.ndarray]], np.ndarray] = lambda parts: np.concatenate(parts, axis=1),
    project: Callable[[np.ndarray, np.ndarray], np.ndarray] = lambda mixed, W: mixed @ W,
    by_tokens: int | None = None,
    scaled: Callable[[int, int], float] | None = None,
    by_values: bool = False,
    **more: Any,
) -> Callable[..., np.ndarray]:
    def attend(Q: np.ndarray, K: np.ndarray, V: np.ndarray, heads: int, W_O: np.ndarray) -> np.ndarray:
        scale: dict[str, Any] = {}
        if scaled is not None:
            scale = {"scale": scaled(Q.shape[1], heads)}
        if by_values:
            scale = {"scale": (V.shape[1] / heads) ** -0.5}
        if by_tokens is not None:
            scale = {"scale": len((Q, K)[by_tokens]) ** -0.5}
        parts = zip(cut(Q, heads), cut(K, heads), cut(V, heads), strict=True)
        mixed = join([variant(q, k, v, **scale, **more)[0] for q, k, v in parts])
        return np.asarray(project(mixed, W_O))

    return attend


def _bare(mixed: np.ndarray, W: np.ndarray) -> np.ndarray:
    return mixed


def _cut_to_fit(mixed: np.ndarray, W: np.ndarray) -> np.ndarray:
    return mixed @ W[: mixed.shape[1]]


def _softmax_over_heads(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, heads: int, W_O: np.ndarray
) -> np.ndarray:
    q, k, v = (np.stack(_cut_features(X, heads)) for X in (Q, K, V))
    weights = np.exp(q @ k.transpose(0, 2, 1) / np.sqrt(q.shape[2]))
    mixed = np.concatenate(list(weights / weights.sum(axis=0) @ v), axis=1)
    return np.asarray(mixed @ W_O)


def _values_uncut(Q: np.ndarray, K: np.ndarray, V: np.ndarray, heads: int, W_O: np.ndarray) -> np.ndarray:
    """The mean over the heads, each with all values."""
    parts = zip(_cut_features(Q, heads), _cut_features(K, heads), strict=True)
    return np.asarray(np.mean([variant(q, k, V)[0] for q, k in parts], axis=0) @ W_O)


HEAD_MISTAKES: dict[str, Callable[..., np.ndarray]] = {
    "The output projection W_O is missing.": _heads(project=_bare),
    "Each head has d/h features, so the scale is 1/√(d/h), not 1/√d.": _heads(scaled=lambda d, h: d**-0.5),
    "The heads are split on the wrong axis: reshape(h,"
    " n, d/h) cuts the tokens apart. Cut the features.": _heads(_cut_raw),
    "Heads take consecutive features: 0 … d/h−1, then the next; you took every h-th.": _heads(_cut_strided),
    WRONG_AXIS: _heads(axis=0),
    **{says: _heads(summed=summed) for says, summed in HALF_SOFTMAXES.items() if "keepdims=True" not in says},
    "The heads are joined on the wrong axis: put their outputs side by side, token by token, before W_O.": (
        _heads(join=lambda parts: np.stack(parts).reshape(len(parts[0]), -1))
    ),
    "The heads stand in the wrong order: the first head's output comes first.": _heads(
        join=lambda parts: np.concatenate(parts[::-1], axis=1)
    ),
    "You scaled by √(t/h), the size of a head's values; it is √(d/h), that of its queries and keys.": (
        _heads(by_values=True)
    ),
    "You scaled by √h, the number of heads; it is √(d/h).": _heads(scaled=lambda d, h: h**-0.5),
    "The softmax is over the heads; in each head it is over the keys.": _softmax_over_heads,
    "W_O belongs behind the heads; you multiplied the values by it before they were cut.": (
        lambda Q, K, V, heads, W_O: _heads(project=_bare)(Q, K, V @ W_O, heads, W_O)
    ),
    "All features of the values go through each head; head i takes block i alone.": _values_uncut,
    "The outputs of the heads are added up; put them side by side.": _heads(
        join=lambda parts: np.sum(parts, axis=0), project=_cut_to_fit
    ),
    "The outputs of the heads are averaged; put them side by side.": _heads(
        join=lambda parts: np.mean(parts, axis=0), project=_cut_to_fit
    ),
    "W_O is transposed.": _heads(project=lambda mixed, W: mixed @ W.T),
    "The scale 1/√(d/h) is missing.": _heads(scale=1.0),
    "You divided by d/h; it is √(d/h).": _heads(scaled=lambda d, h: h / d),
    "You divided by d; it is √(d/h), of each head's own size.": _heads(scaled=lambda d, h: 1 / d),
    "That is a single head over all features: cut them into h blocks.": lambda Q, K, V, heads, W_O: (
        variant(Q, K, V)[0] @ W_O
    ),
}


def _in_columns(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The same in column convention: transposed inputs, projection from the left, transposed output."""
    return lambda Q, K, V, heads, W_O: function(Q.T, K.T, V.T, heads, W_O.T).T


MULTI_HEAD_ATTENTION = Challenge(
    "multi_head_attention",
    cases=lambda rng: heads_of(rng, HEAD_SIZES, columns=False),
    examples=lambda rng: heads_of(rng, SHOWN_SIZES, columns=False),
    expected=_heads_oracle,
    mistakes=HEAD_MISTAKES,
)


COLUMN_SCALE = "You scaled by √{}: in column convention shape[1] counts tokens. The scale is 1/√(d/h)."


MULTI_HEAD_COLUMNS = Challenge(
    "multi_head_columns",
    cases=lambda rng: heads_of(rng, HEAD_SIZES, columns=True),
    examples=lambda rng: heads_of(rng, SHOWN_SIZES, columns=True),
    expected=_in_columns(_heads_oracle),
    mistakes={
        **{says: _in_columns(mistake) for says, mistake in HEAD_MISTAKES.items()},
        COLUMN_SCALE.format("n"): _in_columns(_heads(by_tokens=0)),
        COLUMN_SCALE.format("m"): _in_columns(_heads(by_tokens=1)),
        "Your output is transposed: tokens are columns here, (t, n).": lambda Q, K, V, heads, W_O: (
            _in_columns(_heads_oracle)(Q, K, V, heads, W_O).T
        ),
    },
)


HEADS_LIKE = {
    "A": "a 1×1 convolution over all channels",
    "B": "max pooling",
    "C": "a grouped convolution, h groups",
    "D": "a dilated convolution with dilation h",
}

several = hw.question(
    "1.9",
    "Several heads",
    topic="multi-head attention, column convention",
    minutes=14,
    difficulty="hard",
    asks={
        "`multi_head_attention`, tokens as rows": "several heads, tokens as rows",
        "`multi_head_columns`, tokens as columns": "several heads, tokens as columns",
    },
    forbids=LIBRARY,
    entries=[
        MULTI_HEAD_ATTENTION,
        MULTI_HEAD_COLUMNS,
        Choice(
            "heads_like",
            HEADS_LIKE,
            "C",
            {
                "A": (
                    "a 1×1 convolution mixes all channels of one place; a head mixes places and sees its own"
                    " block of channels only."
                ),
                "B": "pooling takes maxima; heads take weighted averages.",
                "D": "dilation skips places; heads divide the channels.",
            },
            1,
        ),
        Choice(
            "projection_like",
            HEADS_LIKE,
            "A",
            {
                "B": "W_O is linear; it takes no maxima.",
                "C": "W_O is one full matrix: it mixes the channels of all heads.",
                "D": "W_O acts on one place at a time; it skips no places.",
            },
            1,
        ),
    ],
)
several.check_cases("multi_head_attention", "several heads, tokens as rows", points=4)
several.check_cases("multi_head_columns", "several heads, tokens as columns", points=3)
