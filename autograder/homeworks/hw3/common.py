"""What several questions of hw3 share: the inputs that are tried, and pictures of attention that failed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from autograder.declare import Wrong, attention
from autograder.homeworks.hw3 import public

ALL_UP_TO_6 = public.sequences(3, range(1, 7))  # 1,092 sequences
ALL_UP_TO_4 = public.sequences(3, range(1, 5))  # 120 sequences

Maps = Callable[[np.ndarray], dict[str, np.ndarray]]  # tokens (n,) → title → attention map (n, n)


def pictured(problem: str | None, alphabet: Sequence[str], maps: Maps) -> Wrong | None:
    """A failed check with these words and the attention maps of the sequence in them, or a passed one."""
    if not problem:
        return None
    named = re.search(r"`((?:CLS )?[A-D](?: [A-D])*)`", problem)
    if named is None:
        return Wrong(problem)
    tokens = named[1].split()
    drawn = maps(np.array([alphabet.index(token) for token in tokens]))
    return Wrong(
        problem,
        evidence=attention(
            f"Attention of your weights on {named[1]}",
            [f"{place}: {token}" for place, token in enumerate(tokens)],
            drawn,
        ),
    )


def placed_maps(Q: np.ndarray, K: np.ndarray, pos: np.ndarray, tokens: int, causal: bool = False) -> Maps:
    """The map of one head that sees tokens and places."""
    V = np.zeros((tokens + pos.shape[1], 1))
    return lambda sequence: {
        "": public.attend(public.with_places(np.eye(tokens)[sequence], pos), Q, K, V, causal=causal)[1]
    }
