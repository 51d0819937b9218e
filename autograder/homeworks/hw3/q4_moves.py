"""3.4: weights that leave a sequence as it is, and weights that permute its places."""

from __future__ import annotations

import numpy as np

from autograder.declare import Array, Wrong
from autograder.homeworks.hw3 import public
from autograder.homeworks.hw3.common import moved
from autograder.homeworks.hw3.homework import hw

moves = hw.question(
    "3.4",
    "Identity and permutation",
    topic="identity and permutation",
    minutes=15,
    difficulty="medium",
    entries=[
        Array(f"{stem}_{name}", shape)
        for stem in ("identity", "permutation")
        for name, shape in (("Q", (8, "qk")), ("K", (8, "qk")), ("V", (8, 3)))
    ],
)


@moves.check(points=5, needs=["identity_Q", "identity_K", "identity_V"])
def identity_for_any_real_input(
    identity_Q: np.ndarray, identity_K: np.ndarray, identity_V: np.ndarray
) -> Wrong | None:
    return moved(identity_Q, identity_K, identity_V, list(range(5)), np.eye(3))


@moves.check(points=7, needs=["permutation_Q", "permutation_K", "permutation_V"])
def the_given_permutation(
    permutation_Q: np.ndarray, permutation_K: np.ndarray, permutation_V: np.ndarray
) -> Wrong | None:
    return moved(permutation_Q, permutation_K, permutation_V, list(public.PERMUTATION), np.eye(3))
