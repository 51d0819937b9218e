"""3.3: whether an output's sign says that its token occurs once, or for the first time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from autograder.homeworks.hw3.public.model import attend, spell, with_places
from autograder.kit import visible_check


def outputs_after_cls(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs at the token places (sequence, n), and the attention (sequence, n + 1, n + 1), CLS first."""
    tokens = np.concatenate([np.zeros((len(group), 1), int), group + 1], axis=1)
    output, weights = attend(with_places(np.eye(4)[tokens], pos), Q, K, V)
    return output[:, 1:, 0], weights


def unique_signs(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs at the token places, CLS left out, and whether each token occurs once: (sequence, n) both."""
    counts = (group[:, :, None] == group[:, None, :]).sum(-1)
    return outputs_after_cls(Q, K, V, pos, group)[0], counts == 1


def first_signs(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs at the token places, and whether each token occurs there first: (sequence, n) both."""
    earlier = np.tri(group.shape[1], k=-1, dtype=bool)  # (place, earlier place)
    repeated = ((group[:, :, None] == group[:, None, :]) & earlier).any(-1)
    return outputs_after_cls(Q, K, V, pos, group)[0], ~repeated


ROUNDING = 1e-12  # sums of weighted values are exact to about 1e-16 of the largest value
BALANCED = " The positive and the negative part of the output are equally strong there."


class FirstWrong(NamedTuple):
    """The first output whose sign is wrong: its sequence, place in it, outputs and wanted signs there."""

    tokens: np.ndarray
    place: int
    output: np.ndarray
    wanted: np.ndarray


def _wrong_signs(
    signs: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], V: np.ndarray, groups: Sequence[np.ndarray]
) -> tuple[FirstWrong | None, str]:
    """The first output whose sign is wrong, None if there is none, and how many there are, in words.

    An output that is 0 but for rounding has no sign.
    """
    wrong, total, found = 0, 0, None
    for group in groups:
        output, wanted = signs(group)
        bad = ((output > 0) != wanted) | (np.abs(output) <= ROUNDING * np.abs(V).max(initial=0))
        wrong, total = wrong + int(bad.sum()), total + bad.size
        if bad.any() and found is None:
            index, place = (int(number) for number in np.argwhere(bad)[0])
            found = FirstWrong(group[index], place, output[index], wanted[index])
    return found, f"({wrong} of {total} outputs have the wrong sign.)"


def unique_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether outputs are positive for tokens that occur once and negative for repeated ones; else words."""
    found, counted = _wrong_signs(partial(unique_signs, Q, K, V, pos), V, groups)
    if found is None:
        return None
    tokens, place, output, once = found
    kind = "occurs once" if once[place] else f"occurs {int((tokens == tokens[place]).sum())} times"
    told = (
        f"In `CLS {spell(tokens)}` the {'ABC'[tokens[place]]} {kind}, so its output must be"
        f" {'positive' if once[place] else 'negative'}; it is {output[place]:+.3f}."
    )
    if abs(output[place]) < 1e-6:
        told += BALANCED
    outputs = np.concatenate([unique_signs(Q, K, V, pos, group)[0].ravel() for group in groups])
    if np.ptp(outputs) < 1e-9:
        told += " All outputs are the same: does any score depend on whether two tokens are equal?"
    elif (outputs > 0).all() or (outputs < 0).all():
        told += (
            f" All outputs are {'positive' if outputs[0] > 0 else 'negative'}: what has to outweigh what when"
            f" a token occurs {'twice' if outputs[0] > 0 else 'once'}?"
        )
    return f"{told} {counted}"


def occurrence_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether outputs are positive where a token occurs first and negative at its repeats; else words."""
    found, counted = _wrong_signs(partial(first_signs, Q, K, V, pos), V, groups)
    if found is None:
        return None
    _, weights = outputs_after_cls(Q, K, V, pos, found.tokens[None])
    return f"{_occurrence_words(found, weights[0])} {counted}"


def _occurrence_words(found: FirstWrong, weights: np.ndarray) -> str:
    """What is wrong at one place of a sequence, and the likely reason; ``weights`` have CLS at place 0."""
    tokens, place, output, first = found
    token, need = "ABC"[tokens[place]], "positive" if first[place] else "negative"
    kind = "occurs for the first time" if first[place] else "is a repeat"
    told = (
        f"In `CLS {spell(tokens)}` the {token} at place {place + 1} {kind}, so its output must be {need}; it"
        f" is {output[place]:+.3f}."
    )
    if abs(output[place]) < 1e-6:
        told += BALANCED
    same = np.flatnonzero(tokens == tokens[place])
    row = weights[place + 1, 1:]
    if len(same) > 1 and np.ptp(output[same]) < 1e-9:
        return f"{told} Equal tokens have the same output here: no score tells which of them comes first."
    if first[place] and row[place] > 0.2:
        return f"{told} It looks at itself with {row[place]:.2f}: no place is earlier than itself."
    if first[place] and row[place + 1 :].sum() > 0.2:
        behind = row[place + 1 :].sum()
        return f"{told} It looks at later places with {behind:.2f}: a token that follows must not count."
    if first[place] and row[:place].sum() > 0.2:
        before = row[:place].sum()
        return f"{told} It looks at other kinds of tokens before it with {before:.2f}."
    if not first[place] and row[same[same < place]].sum() < 0.5:
        seen = row[same[same < place]].sum()
        return f"{told} Its earlier copies get only {seen:.2f} of its attention."
    return f"{told} Look at the values: what does CLS add, and what does a token?"


def unique_margin(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> float:
    """The smallest distance of an output from zero; how much room the signs have."""
    return min(float(np.abs(outputs_after_cls(Q, K, V, pos, group)[0]).min()) for group in groups)


@visible_check("3.3")
def check_content_and_position(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    Q, K, V, pos = (answers[f"attention_by_content_and_position_{name}"] for name in ("Q", "K", "V", "pos"))
    shown = [np.array([tokens]) for tokens in ([2], [0, 1], [1, 1], [2, 0, 0], [2, 0, 2, 1])]
    problem = unique_problem(Q, K, V, pos, shown)
    if problem:
        return [(False, problem)]
    margin = unique_margin(Q, K, V, pos, shown)
    told = f"Signs are right in five sequences; the output nearest to 0 is {margin:.3f} away from it."
    return [(True, f"{told} The grader tries all 120.")]


@visible_check("3.3b")
def check_first_occurrence(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    Q, K, V, pos = (answers[f"first_occurrence_{name}"] for name in ("Q", "K", "V", "pos"))
    shown = [np.array([tokens]) for tokens in ([2], [0, 1], [1, 1], [2, 0, 0], [2, 0, 2, 1], [0, 1, 1, 0])]
    problem = occurrence_problem(Q, K, V, pos, shown)
    if problem:
        return [(False, problem)]
    margin = unique_margin(Q, K, V, pos, shown)
    told = f"Signs are right in six sequences; the output nearest to 0 is {margin:.3f} away from it."
    return [(True, f"{told} The grader tries all 120.")]
