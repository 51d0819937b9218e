"""hw3 in public: the hand-designed model in float64 and what can be said of a set of weights.

The notebook's visible checks call these on three sequences, the grader on all of them. They judge by
property, from
the definition of the task; no solution stands here.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.kit import Trial, check_shapes, visible_check

CONTENT_ATOL, CONTENT_RTOL = (
    1e-2,
    1e-3,
)  # stated in the notebook: score gaps of about 10 reach it, rounding never matters
PERMUTATION = (2, 0, 4, 1, 3)  # 3.4: place i copies place PERMUTATION[i]
RUNNING_MAP = np.array([[2.0, -1.0, 0.0], [0.0, 1.0, 3.0], [1.0, 0.0, -2.0]])  # 3.5
PLACES = 8  # of 3.6 and 3.8


def attend(
    x: np.ndarray, Q: np.ndarray, K: np.ndarray, V: np.ndarray, causal: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Single-head attention in float64 with a stable softmax.

    Args:
        x: (..., n, d), rows are places.
        Q: (d, qk).
        K: (d, qk).
        V: (d, out).
        causal: places see only themselves and earlier ones.

    Returns:
        The outputs (..., n, out) and the weights (..., n, n), rows sum to 1.
    """
    x = np.asarray(x, dtype=np.float64)
    queries, keys = x @ np.asarray(Q, np.float64), x @ np.asarray(K, np.float64)
    scores = queries @ np.swapaxes(keys, -1, -2) / np.sqrt(keys.shape[-1])
    if causal:
        n = x.shape[-2]
        scores = np.where(np.tri(n, dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights @ (x @ np.asarray(V, np.float64)), weights


def sequences(tokens: int, lengths: Sequence[int]) -> list[np.ndarray]:
    """All sequences of token numbers, one array (count, n) for each length."""
    return [np.array(list(itertools.product(range(tokens), repeat=n))) for n in lengths]


def spell(sequence: Sequence[int] | np.ndarray, names: str = "ABCD") -> str:
    """A sequence as people write it: ``A B C``."""
    return " ".join(names[int(token)] for token in sequence)


def with_places(x: np.ndarray, pos: np.ndarray) -> np.ndarray:
    """Concatenates to each row of ``x`` (..., n, d) its row of ``pos`` (places, p)."""
    n = x.shape[-2]
    return np.concatenate([x, np.broadcast_to(pos[:n], (*x.shape[:-1], pos.shape[1]))], axis=-1)


def _row(weights: np.ndarray) -> str:
    return "[" + ", ".join(f"{weight:.2f}" for weight in weights) + "]"


def _uniform(weights: np.ndarray) -> bool:
    return weights.shape[-1] > 1 and bool(np.ptp(weights, axis=-1).max() < 1e-6)


# 3.1 --------------------------------------------------------------------------------------------------------


def content_attention_problem(Q: np.ndarray, K: np.ndarray, groups: Sequence[np.ndarray]) -> str | None:
    """Whether each token puts most of its attention on its own kind; else the first failing sequence in words."""
    for group in groups:
        _, weights = attend(np.eye(3)[group], Q, K, np.eye(3))
        own = (weights * (group[:, :, None] == group[:, None, :])).sum(-1)  # (sequence, place)
        if (bad := own < 0.5).any():
            index, place = np.argwhere(bad)[0]
            named, row = f"`{spell(group[index])}`", _row(weights[index, place])
            told = f"In {named} the query at place {place} has the attention {row}"
            if _uniform(weights[index]):
                return (
                    f"{told}: every position gets the same score, so the output is the average of the tokens."
                    " Look at the query/key product: does it depend on whether two tokens are equal?"
                )
            told = f"{told}: only {own[index, place]:.2f} of it on tokens of its own kind."
            tokens = group[index]
            if tokens[weights[index, place].argmax()] == tokens[place]:
                return f"{told} They have the highest score, but not by enough. What multiplies every score?"
            return f"{told} Equal tokens need the highest query/key product; compare signs."
    return None


def content_copy_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether the output equals the input within the stated tolerance; else the worst place in words."""
    worst, found = 0.0, None
    for group in groups:
        x = np.eye(3)[group]
        output, weights = attend(x, Q, K, V)
        excess = np.abs(output - x) - (CONTENT_ATOL + CONTENT_RTOL * x)
        if excess.max() > worst:
            worst = excess.max()
            index, place, _ = np.unravel_index(excess.argmax(), excess.shape)
            found = (
                spell(group[index]),
                int(place),
                output[index, place],
                x[index, place],
                weights[index, place],
                group[index],
            )
    if found is None:
        return None
    named, place, output, wanted, row, tokens = found
    told = (
        f"In `{named}` the output at place {place} is {_row(output)}, expected {_row(wanted)} (atol"
        f" {CONTENT_ATOL}, rtol {CONTENT_RTOL})."
    )
    own = row[tokens == tokens[place]].sum()
    if own > 1 - CONTENT_ATOL:
        return f"{told} The attention {_row(row)} is right, so look at the value matrix."
    if _uniform(row[None]):
        return f"{told} The output is an average: every position gets the same score."
    told = f"{told} Only {own:.3f} of the attention is on tokens of its own kind:"
    if tokens[row.argmax()] != tokens[place]:
        return f"{told} tokens of another kind have the higher score."
    return f"{told} the gap between the scores is too small. What multiplies every score?"


@visible_check("3.1")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    Q, K, V = (answers[f"attention_by_content_{name}"] for name in "QKV")
    shown = [np.array([[0, 1, 2]]), np.array([[2, 2, 0, 1]]), np.array([[1, 0, 0, 0, 0, 0]])]
    attention, copy = content_attention_problem(Q, K, shown), content_copy_problem(Q, K, V, shown)
    return [
        (
            attention is None,
            attention
            or "Every token looks at tokens of its own kind in `A B C`, `C C A B` and `B A A A A A`.",
        ),
        (
            copy is None,
            copy or "The output equals the input in these three sequences. The grader tries all 1,092.",
        ),
    ]


# 3.2 --------------------------------------------------------------------------------------------------------


def first_place_problem(
    Q: np.ndarray, K: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether every query puts most of its attention on place 0; else the first failing sequence in words."""
    V = np.zeros((3 + pos.shape[1], 1))
    for group in groups:
        _, weights = attend(with_places(np.eye(3)[group], pos), Q, K, V)
        if (bad := weights[..., 0] < 0.5).any() and group.shape[1] > 1:
            index, place = np.argwhere(bad)[0]
            rows, row = weights[index], weights[index, place]
            told = f"In `{spell(group[index])}` the query at place {place} has the attention {_row(row)}"
            n = len(row)
            if _uniform(rows):
                return (
                    f"{told}: every position gets the same score, so the output is the average of the tokens."
                    " Look at the query/key product: a score must differ between the first place and the"
                    " others, so their keys must differ."
                )
            if (rows.argmax(-1) == n - 1).all():
                return f"{told}: it looks at the last place, not the first."
            if (rows.argmax(-1) == np.arange(n)).all():
                return f"{told}: it looks at its own place. Must the queries differ from place to place here?"
            return (
                f"{told}: only {row[0]:.2f} on the first place. Which rows of K see the token, and which see"
                " the place?"
            )
    return None


def first_copy_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether every output row equals the first token; else the first failing sequence, shortest first, in words."""
    for group in groups:
        x = np.eye(3)[group]
        output, weights = attend(with_places(x, pos), Q, K, V)
        wanted = np.repeat(x[:, :1], x.shape[1], axis=1)
        bad = (np.abs(output - wanted) > CONTENT_ATOL + CONTENT_RTOL * wanted).any(-1)
        if bad.any():
            index, place = np.argwhere(bad)[0]
            row, n = weights[index, place], group.shape[1]
            told = (
                f"In `{spell(group[index])}` the output at place {place} is {_row(output[index, place])},"
                f" expected {_row(wanted[index, place])}."
            )
            if row[0] > 1 - CONTENT_ATOL:
                return f"{told} The attention {_row(row)} is right, so look at V: what do its last rows add?"
            if _uniform(weights[index]):
                return (
                    f"{told} Every position gets the same score, so the output is the average of the {n}"
                    " tokens."
                )
            return (
                f"{told} The weight on the first place is only {row[0]:.3f} (attention {_row(row)});"
                f" sequences shorter than {n} pass."
            )
    return None


@visible_check("3.2")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    Q, K, V, pos = (answers[f"attention_by_position_{name}"] for name in ("Q", "K", "V", "pos"))
    shown = [np.array([[1]]), np.array([[2, 0, 2]]), np.array([[0, 1, 2, 2]])]
    attention, copy = first_place_problem(Q, K, pos, shown), first_copy_problem(Q, K, V, pos, shown)
    return [
        (
            attention is None,
            attention or "Every place looks at the first place in `B`, `C A C` and `A B C C`.",
        ),
        (
            copy is None,
            copy or "Every output row equals the first token in these three. The grader tries all 120.",
        ),
    ]


# 3.3 --------------------------------------------------------------------------------------------------------


def unique_signs(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Outputs (sequence, n) at the token places, CLS left out, and whether each token occurs once, same shape."""
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
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    Q, K, V, pos = (answers[f"attention_by_content_and_position_{name}"] for name in ("Q", "K", "V", "pos"))
    shown = [np.array([[0, 1]]), np.array([[1, 1]]), np.array([[2, 0, 2, 1]])]
    problem = unique_problem(Q, K, V, pos, shown)
    if problem:
        return [(False, problem)]
    return [
        (
            True,
            (
                f"Signs are right in three sequences, margin {unique_margin(Q, K, V, pos, shown):.3f}. The"
                " grader tries all 120."
            ),
        )
    ]


# 3.4 and 3.5 ------------------------------------------------------------------------------------------------


def move_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, x: np.ndarray, source: Sequence[int], linear: np.ndarray
) -> str | None:
    """Whether output place i is ``linear`` applied to input place ``source[i]``, for any real input; else words.

    ``x`` (n, 3) is the input, ``source`` says which place each output place copies, ``linear`` (3, out) is
    applied as
    ``x @ linear``.
    """
    places = with_places(x, np.eye(len(x)))
    output, weights = attend(places, Q, K, V)
    wanted = x[list(source)] @ linear
    if np.allclose(output, wanted, rtol=1e-3, atol=1e-3):
        return None
    looked = weights.argmax(-1)
    place = int(np.argwhere(~np.isclose(output, wanted, rtol=1e-3, atol=1e-3).all(-1))[0, 0])
    told = (
        f"Output place {place} is {_row(output[place])}, expected {_row(wanted[place])} for a random real"
        " input."
    )
    inverse = np.argsort(source)
    if _uniform(weights):
        return f"{told} Every position gets the same score, so all places are averaged."
    if (looked == inverse).all() and (inverse != np.asarray(source)).any():
        return (
            f"{told} You built the inverse: place {place} looks at place {looked[place]}, but it must look at"
            f" {source[place]}."
        )
    if weights[range(len(x)), list(source)].min() > 0.999:
        if (
            linear.shape[0] == linear.shape[1]
            and np.allclose(output, x[list(source)] @ linear.T, atol=1e-3)
            and (linear != linear.T).any()
        ):
            return (
                f"{told} The attention is right, but the map is transposed: rows are tokens here, so a token"
                " is multiplied from the left."
            )
        return (
            f"{told} The attention is right, so look at V: which of its rows see the token, and which the"
            " place?"
        )
    of_places = attend(with_places(0 * x, np.eye(len(x))), Q, K, V)[1]
    if np.abs(of_places - weights).max() > 1e-3:
        return (
            f"{told} The attention changes when the tokens change; for real inputs only the places may"
            " decide. Which rows of Q and K see the token?"
        )
    if (looked == np.asarray(source)).all():
        return (
            f"{told} Place {place} has the attention {_row(weights[place])}: right, but too soft. Make the"
            " gap larger."
        )
    return f"{told} Place {place} looks at place {looked[place]}, but it must look at {source[place]}."


def moves_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, x: np.ndarray, source: Sequence[int], linear: np.ndarray
) -> str | None:
    """:func:`move_problem` of an input and of ten times it and its opposite, in which leaking tokens outweigh places."""
    return next(
        (
            problem
            for factor in (1, 10, -10)
            if (problem := move_problem(Q, K, V, factor * x, source, linear))
        ),
        None,
    )


@visible_check("3.4")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    x = np.array([[0.5, -1.0, 2.0], [3.0, 0.0, 1.0], [-2.0, 1.5, 0.0], [1.0, 1.0, -1.0], [0.0, 2.0, 4.0]])
    lines: list[tuple[bool | None, str]] = []
    for name, source in (("identity", range(5)), ("permutation", PERMUTATION)):
        Q, K, V = (answers[f"{name}_{part}"] for part in "QKV")
        problem = moves_problem(Q, K, V, x, list(source), np.eye(3))
        lines.append(
            (
                problem is None,
                f"{name}: {problem}" if problem else f"{name}: right for a small and a large input.",
            )
        )
    return lines


@visible_check("3.5")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    if "running_linear_Q" not in answers:
        return []
    x = np.array([[0.5, -1.0, 2.0], [3.0, 0.0, 1.0], [-2.0, 1.5, 0.0], [1.0, 1.0, -1.0], [0.0, 2.0, 4.0]])
    Q, K, V = (answers[f"running_linear_{part}"] for part in "QKV")
    problem = moves_problem(Q, K, V, x, list(range(5)), RUNNING_MAP)
    return [
        (
            problem is None,
            problem or "The same linear map is applied at each place, for a small and a large input.",
        )
    ]


# 3.6 --------------------------------------------------------------------------------------------------------

HEAD_SHAPES = {"pos": (PLACES, "p"), "Q": (3, "d+p", "qk"), "K": (3, "d+p", "qk"), "V": (3, "d+p", "out")}


def conv_arrays(trial: Trial) -> tuple[dict[str, np.ndarray], str | None]:
    """The four arrays that ``conv_heads`` returned, by name, or what is wrong with their shapes."""
    kernel, output = np.asarray(trial.args[0]), trial.output
    if not isinstance(output, list) or len(output) != 4:
        return {}, "`conv_heads` should return four arrays: pos, Q, K, V."
    arrays = dict(zip(HEAD_SHAPES, output, strict=True))
    for name, value in arrays.items():  # three arrays in a list are as good as one
        with contextlib.suppress(ValueError, TypeError):
            arrays[name] = np.asarray(value) if isinstance(value, list) else value
    d, out = kernel.shape[1:]
    shapes = {
        name: tuple(str(dim).replace("d+p", f"{d}+p").replace("out", str(out)) for dim in shape)
        for name, shape in HEAD_SHAPES.items()
    }
    problems = check_shapes(shapes, arrays)
    return arrays, " ".join(problems) or None


def conv_heads_output(x: np.ndarray, arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Three heads side by side, outputs added: (n, out), and their attention maps (3, n, n)."""
    places = with_places(x, arrays["pos"])
    heads = [attend(places, arrays["Q"][h], arrays["K"][h], arrays["V"][h]) for h in range(3)]
    return np.sum([output for output, _ in heads], axis=0), np.stack([weights for _, weights in heads])


def conv_places_problem(arrays: Mapping[str, np.ndarray], x: np.ndarray) -> str | None:
    """Whether the heads look, one each, at the left, the own and the right place; else words. Ends do not count."""
    _, weights = conv_heads_output(x, arrays)
    inner = np.arange(1, len(x) - 1)
    offsets = []
    for head in weights:
        fits = [offset for offset in (-1, 0, 1) if head[inner, inner + offset].min() > 0.99]
        offsets.append(fits[0] if fits else None)
    if sorted(o for o in offsets if o is not None) == [-1, 0, 1]:
        return None
    for number, offset in enumerate(offsets):
        if offset is None:
            row = weights[number][1]
            if _uniform(weights[number]):
                return (
                    f"Head {number}: every position gets the same score. It must look at one place: left, own"
                    " or right."
                )
            return (
                f"Head {number} has the attention {_row(row)} at place 1 of {len(x)}; it must look at one"
                " place beside it, with nearly all weight."
            )
    return f"The heads look at the offsets {offsets}; you need each of -1, 0 and +1 once."


@visible_check("3.6")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    x = np.array([[0.0, 0.0], [1.0, 2.0], [-1.0, 0.5], [3.0, 0.0], [0.0, 0.0]])
    trial = answers["conv_heads"][0]
    if trial.status != "ok":
        return []
    arrays, problem = conv_arrays(trial)
    if problem:
        return [(False, problem)]
    problem = conv_places_problem(arrays, x)
    lines: list[tuple[bool | None, str]] = [
        (problem is None, problem or "Left, own and right place each have their head.")
    ]
    kernel = np.asarray(trial.args[0])
    wanted = sum(x[offset : offset + 3] @ kernel[offset] for offset in range(3))
    found = conv_heads_output(x, arrays)[0][1:-1]
    right = np.allclose(found, wanted, atol=1e-3)
    told = "The sum of the heads equals the convolution on one short sequence."
    if not right:
        told = f"At place 1 the heads give {_row(found[0])}, the convolution {_row(wanted[0])}."
        if np.allclose(
            found, sum(x[offset : offset + 3] @ kernel[2 - offset] for offset in range(3)), atol=1e-3
        ):
            told += " Your kernel is flipped: kernel[0] belongs to the left neighbour."
        elif np.allclose(
            found, sum(x[offset : offset + 3] @ kernel[offset].T for offset in range(3)), atol=1e-3
        ):
            told += (
                " Each kernel[i] is transposed: rows are tokens here, so a token is multiplied from the left."
            )
    return [*lines, (right, told)]


# 3.7 --------------------------------------------------------------------------------------------------------


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


def first_place_weight(Q: np.ndarray, K: np.ndarray, pos: np.ndarray) -> float:
    """The smallest attention weight on place 0 over all queries of all 120 sequences of 3.2."""
    V = np.zeros((3 + pos.shape[1], 1))
    return min(
        float(attend(with_places(np.eye(3)[g], pos), Q, K, V)[1][..., 0].min())
        for g in sequences(3, range(1, 5))
    )


# 3.8 --------------------------------------------------------------------------------------------------------


def previous_problem(
    Q: np.ndarray, K: np.ndarray, V: np.ndarray, pos: np.ndarray, groups: Sequence[np.ndarray]
) -> str | None:
    """Whether every place but the first gives the token before it, under a causal mask; else words."""
    for group in groups:
        x = np.eye(4)[group]
        output, weights = attend(with_places(x, pos), Q, K, V, causal=True)
        bad = (np.abs(output[:, 1:] - x[:, :-1]) > CONTENT_ATOL + CONTENT_RTOL * x[:, :-1]).any(-1)
        if bad.any():
            index, place = np.argwhere(bad)[0] + [0, 1]
            row = weights[index, place]
            told = f"In `{spell(group[index])}` the query at place {place} has the attention {_row(row)}"
            if row.argmax() == place:
                return f"{told}: it looks at its own place, not at the one before."
            if row[place - 1] > 1 - CONTENT_ATOL:
                return f"{told}: that is right, so look at V."
            return f"{told}: the place before it must get nearly all of it."
    return None


def induction_output(group: np.ndarray, weights: Mapping[str, np.ndarray]) -> np.ndarray:
    """Two causal layers; the second sees token, place and the first layer's output: (sequence, n, 4)."""
    x = with_places(np.eye(4)[group], weights["pos"])
    first, _ = attend(x, weights["Q1"], weights["K1"], weights["V1"], causal=True)
    second, _ = attend(
        np.concatenate([x, first], -1), weights["Q2"], weights["K2"], weights["V2"], causal=True
    )
    return second


def repeated_patterns() -> list[np.ndarray]:
    """Every pattern of 2, 3 or 4 different tokens out of A–D, said twice: one array (count, 2 L) for each length."""
    return [np.array([pattern * 2 for pattern in itertools.permutations(range(4), n)]) for n in (2, 3, 4)]


def induction_problem(weights: Mapping[str, np.ndarray], groups: Sequence[np.ndarray]) -> str | None:
    """Whether the second saying predicts each next token; else the first failing place in words."""
    for group in groups:
        half = group.shape[1] // 2
        output = induction_output(group, weights)[:, half:]
        wanted = np.eye(4)[np.roll(group[:, :half], -1, axis=1)]
        bad = (np.abs(output - wanted) > CONTENT_ATOL + CONTENT_RTOL * wanted).any(-1)
        if bad.any():
            index, place = np.argwhere(bad)[0]
            found, right = output[index, place], wanted[index, place]
            told = (
                f"In `{spell(group[index])}` the output at place {place + half} is {_row(found)}, expected"
                f" {_row(right)}"
            )
            told += " (the token that came next before)."
            if np.allclose(found, np.eye(4)[group[index, place]], atol=0.05):
                return (
                    f"{told} It copies the present token: keys must be the token *before* each place, which"
                    " layer 1 provides."
                )
            if place == 0 and found[right.argmax()] > 0.3:
                return (
                    f"{told} Two places share the attention. What does layer 1 give at place 0, which has no"
                    " place before it?"
                )
            return told
    return None


@visible_check("3.8a")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    Q, K, V, pos = (answers[f"previous_token_{name}"] for name in ("Q", "K", "V", "pos"))
    problem = previous_problem(Q, K, V, pos, [np.array([[0, 1, 2, 3]]), np.array([[3, 3, 1, 0, 2, 1]])])
    return [
        (problem is None, problem or "Each place gives the token before it in `A B C D` and `D D B A C B`.")
    ]


@visible_check("3.8b")
def _(answers: Mapping[str, Any]) -> list[tuple[bool | None, str]]:
    weights = {name: answers[f"induction_{name}"] for name in ("pos", "Q1", "K1", "V1", "Q2", "K2", "V2")}
    problem = induction_problem(weights, [np.array([[0, 1, 0, 1]]), np.array([[2, 0, 3, 2, 0, 3]])])
    return [(problem is None, problem or "The second saying is predicted in `A B A B` and `C A D C A D`.")]
