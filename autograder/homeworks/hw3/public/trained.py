"""3.7: what trained weights do on all sequences."""

from __future__ import annotations

import numpy as np

from autograder.homeworks.hw3.public.model import attend, sequences, with_places
from autograder.homeworks.hw3.public.uniqueness import unique_signs


def content_error(Q: np.ndarray, K: np.ndarray, V: np.ndarray) -> float:
    """Mean squared error of the output against the input over all 1,092 sequences of 3.1."""
    errors = [
        np.square(attend(np.eye(3)[g], Q, K, V)[0] - np.eye(3)[g]).ravel() for g in sequences(3, range(1, 7))
    ]
    return float(np.concatenate(errors).mean())


def first_token_error(Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray) -> float:
    """Mean squared error of the output against the first token over all 120 sequences of 3.2."""
    errors = []
    for group in sequences(3, range(1, 5)):
        x = np.eye(3)[group]
        errors.append(np.square(attend(with_places(x, pos), Q, K, V)[0] - x[:, :1]).ravel())
    return float(np.concatenate(errors).mean())


def unique_accuracy(Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray) -> float:
    """Share of right signs over all token places of all 120 sequences of 3.3."""
    rights = [
        ((output > 0) == once).ravel()
        for output, once in (unique_signs(Q, K, V, pos, g) for g in sequences(3, range(1, 5)))
    ]
    return float(np.concatenate(rights).mean())


def first_place_weights(Q: np.ndarray, K: np.ndarray, pos: np.ndarray) -> np.ndarray:
    """The attention weights on place 0 of all queries of all 120 sequences of 3.2."""
    V = np.zeros((3 + pos.shape[1], 1))
    found = [
        attend(with_places(np.eye(3)[g], pos), Q, K, V)[1][..., 0].ravel() for g in sequences(3, range(1, 5))
    ]
    return np.concatenate(found)
