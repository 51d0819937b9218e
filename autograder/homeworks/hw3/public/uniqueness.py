"""3.3: whether an output's sign says that its token occurs once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.homeworks.hw3.public.model import attend, spell, with_places
from autograder.kit import visible_check


def unique_signs(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs at the token places, CLS left out, and whether each token occurs once: (sequence, n) both."""
    tokens = np.concatenate([np.zeros((len(group), 1), int), group + 1], axis=1)
    output, _ = attend(with_places(np.eye(4)[tokens], pos), Q, K, V)
    counts = (group[:, :, None] == group[:, None, :]).sum(-1)
    return output[:, 1:, 0], counts == 1


def unique_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether outputs are positive for tokens that occur once and negative for repeated ones; else words."""
    wrong, total, told = 0, 0, ""
    for group in groups:
        output, once = unique_signs(Q, K, V, pos, group)
        bad = (output > 0) != once
        bad |= output == 0
        wrong, total = wrong + int(bad.sum()), total + bad.size
        if bad.any() and not told:
            index, place = np.argwhere(bad)[0]
            token = "ABC"[group[index, place]]
            kind = (
                "occurs once"
                if once[index, place]
                else f"occurs {int((group[index] == group[index, place]).sum())} times"
            )
            need = "positive" if once[index, place] else "negative"
            told = (
                f"In `CLS {spell(group[index])}` the {token} {kind}, so its output must be {need}; it is"
                f" {output[index, place]:+.3f}."
            )
            if abs(output[index, place]) < 1e-6:
                told += " What pulls up and what pulls down are equally strong there."
    if not wrong:
        return None
    outputs = np.concatenate([unique_signs(Q, K, V, pos, group)[0].ravel() for group in groups])
    if np.ptp(outputs) < 1e-9:
        told += " All outputs are the same: does any score depend on whether two tokens are equal?"
    elif (outputs > 0).all() or (outputs < 0).all():
        told += (
            f" All outputs are {'positive' if outputs[0] > 0 else 'negative'}: what has to outweigh what when"
            " a token occurs twice?"
        )
    return f"{told} ({wrong} of {total} outputs have the wrong sign.)"


def unique_margin(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> float:
    """The smallest distance of an output from zero; how much room the signs have."""
    return min(float(np.abs(unique_signs(Q, K, V, pos, group)[0]).min()) for group in groups)


@visible_check("3.3")
def check_content_and_position(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    Q, K, V, pos = (answers[f"attention_by_content_and_position_{name}"] for name in ("Q", "K", "V", "pos"))
    shown = [np.array([tokens]) for tokens in ([2], [0, 1], [1, 1], [2, 0, 0], [2, 0, 2, 1])]
    problem = unique_problem(Q, K, V, pos, shown)
    if problem:
        return [(False, problem)]
    return [
        (
            True,
            (
                f"Signs are right in five sequences, margin {unique_margin(Q, K, V, pos, shown):.3f}. The"
                " grader tries all 120."
            ),
        )
    ]
