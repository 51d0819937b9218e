"""Public examples: what a check cell says of a function that ran on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from autograder.kit.comparison import clipped, compare, compare_text, same
from autograder.kit.feedback import Line
from autograder.kit.probes import Trial, error_words, trial_of, trouble_words
from autograder.kit.values import as_kind, decode, describe

IN_PLACE = "changed its inputs in place. Work on a copy."
BY_CHANCE = (
    "A second call with the same input gives another result, even in evaluation mode, so forward draws random"
    " numbers. F.dropout is on unless it is told training=self.training; nn.Dropout knows the mode by"
    " itself, unless a train() of your own does not hand it on."
)
NOT_FINITE = {
    "nan": "nan comes from 0/0, ∞ − ∞ or 0 · ∞",
    "inf": "inf comes from a number that is too large, such as e^1000, or from a division by 0",
}


def check_examples(name: str, examples: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]) -> list[Line]:
    """A line for each public example up to the first mistake; the later ones would mostly repeat it.

    Args:
        name: the function's name.
        examples: the cases, with what is expected where that may be said.
        entry: the entry of the log, with the responses.
    """
    told = [
        _example_line(name, example, entry.get("responses", {}).get(example["id"], {"status": "stopped"}))
        for example in examples
    ]
    first = next((place for place, (fine, _) in enumerate(told) if fine is False), None)
    if first is None:
        return told
    group = [
        (example, fine)
        for example, (fine, _) in zip(examples, told, strict=True)
        if example.get("group") == examples[first].get("group")
    ]
    # where only inputs were changed, the result is right and no formula is at fault
    in_place = told[first][1].endswith(IN_PLACE)
    mistakes = {} if in_place else _public_mistakes(examples)
    says = named_mistake(
        mistakes,
        [trial_of(example, entry) for example, _ in group],
        [trial_of(example, entry) for example, fine in group if fine is False],
        rtol=examples[first].get("rtol", 1e-4),
        atol=examples[first].get("atol", 1e-6),
        others=[trial_of(one, entry) for one in examples if one.get("group") != group[0][0].get("group")],
    )
    says = says or not_finite(told[first][1])
    return [*told[:first], (False, f"{told[first][1]} {says}".rstrip())]


def not_finite(problem: str) -> str:
    """Where to look if no mistake explains a number that is not finite; empty for any other problem."""
    found = re.search(r" is -?(nan|inf)\b", problem)
    return f"{NOT_FINITE[found[1]]}: print each step, and find the first that is not finite." if found else ""


def _public_mistakes(examples: Iterable[Mapping[str, Any]]) -> dict[str, Callable[[Trial], Any]]:
    """What each known mistake gives on the examples that list it, for :func:`named_mistake`."""
    results: dict[str, dict[str, Any]] = {}
    for example in examples:
        for mistake in example.get("mistakes", []):
            results.setdefault(mistake["says"], {})[example["id"]] = mistake["result"]

    def giving(known: Mapping[str, Any]) -> Callable[[Trial], Any]:
        return lambda trial: decode(known[trial.id])

    return {says: giving(known) for says, known in results.items()}


def named_mistake(
    mistakes: Mapping[str, Callable[[Trial], Any]],
    group: Sequence[Trial],
    failing: Sequence[Trial],
    *,
    rtol: float,
    atol: float,
    others: Sequence[Trial] = (),
) -> str:
    """The known mistake that explains an answer; the rule of check cells and of grading.

    A mistake is named if it gives that result on every trial of the group, the right ones included. If none
    does, one is named that gives the result on every trial that is not right. Where several do, as where a
    softmax is all but hard, it is the one that gives the result on most trials of the other groups.

    Args:
        mistakes: what to say → what that mistake gives on a trial, as plain values; it raises, or gives an
            empty array, where it cannot run.
        group: all trials of a group.
        failing: those of them that are not right.
        rtol: relative tolerance of the group's oracle.
        atol: its absolute tolerance.
        others: trials of other groups.

    Returns:
        What to say; empty if no mistake explains the answer.
    """
    for trials in (group, failing):
        found = [says for says, made in mistakes.items() if _explains(made, trials, rtol, atol)]
        if len(found) > 1:
            return max(
                found, key=lambda says: sum(_explains(mistakes[says], [one], rtol, atol) for one in others)
            )
        if found:
            return found[0]
    return ""


def _explains(mistaken: Callable[[Trial], Any], trials: Sequence[Trial], rtol: float, atol: float) -> bool:
    """Whether a mistake gives the student's result in each of these trials; False where it cannot run."""
    for trial in trials:
        try:
            result = mistaken(trial)
            cannot_run = trial.status == "error" and isinstance(result, np.ndarray) and result.size == 0
        except Exception:  # shapes that do not fit; a mistake's formula only names, it never judges
            result, cannot_run = None, True
        if cannot_run != (trial.status == "error"):
            return False
        if not cannot_run and not same(result, trial.output, rtol=rtol, atol=atol):
            return False
    return any(trial.status == "ok" for trial in trials)


def _example_line(name: str, example: Mapping[str, Any], response: Mapping[str, Any]) -> Line:
    note = example.get("note", "an example")
    if response["status"] == "error":
        return False, trouble_words(name, note, error_words(response["error"]))
    if response["status"] == "stopped":
        return False, f"`{name}` was stopped on {note}."
    if "expected" not in example:
        return True, f"`{name}` runs on {note}."
    problem = judge_example(name, example, decode(response["result"]))
    return problem is None, problem or f"`{name}` is right on {note}."


def judge_example(name: str, example: Mapping[str, Any], response: Mapping[str, Any]) -> str | None:
    """Compares one response of the ``call`` probe with an example; None if it is right, else words."""
    problem = _difference(name, example, response)
    return f"{problem} {BY_CHANCE}" if problem and response.get("random") else problem


def _difference(name: str, example: Mapping[str, Any], response: Mapping[str, Any]) -> str | None:
    expected = decode(example["expected"])
    found = as_kind(expected, response["result"])
    if found is None and expected is not None:
        note = example.get("note", "an example")
        return f"`{name}` returned None on {note}: is `return` missing? `print` only shows a value."
    if isinstance(expected, list) and not (isinstance(found, list) and len(found) == len(expected)):
        return _count_problem(name, example, expected, found)
    several = isinstance(expected, list) and isinstance(found, list)
    pairs = list(zip(expected, found, strict=True)) if several else [(expected, found)]
    tolerance = {"rtol": example.get("rtol", 1e-4), "atol": example.get("atol", 1e-6)}
    for index, (right, got) in enumerate(pairs):
        place = f", output {index + 1}," if len(pairs) > 1 else ""
        what = f"`{name}`{place} on {example.get('note', 'an example')}"
        if isinstance(right, str):
            problem = compare_text(right, got, what)
        else:
            problem = compare(np.asarray(right), got, what=what, **tolerance)
        if problem is not None:
            also = " It also changes its inputs in place." if response.get("changed_inputs") else ""
            return f"{problem}{_rounding(right, got)}{also}"
    if response.get("changed_inputs"):
        return f"`{name}` {IN_PLACE}"
    return None


def _rounding(expected: Any, found: Any) -> str:
    """What to say where the found numbers are the expected ones, but rounded; empty if they are not."""
    if not isinstance(expected, np.ndarray | float) or not isinstance(found, np.ndarray | float):
        return ""
    right, got = np.asarray(expected), np.asarray(found)
    if right.dtype.kind != "f" or got.dtype.kind != "f" or right.shape != got.shape or not got.any():
        return ""
    for places in range(1, 5):
        # few digits may be round by chance: those of one number, or of small ones
        digits = right.size * float(np.log10(np.maximum(np.abs(right) * 10**places, 1)).mean())
        if digits >= 2.5 and np.allclose(right.round(places), got, rtol=1e-6, atol=1e-9):
            return f" It is rounded to {places} decimal{'s' * (places > 1)}; return it unrounded."
    return ""


def _count_problem(name: str, example: Mapping[str, Any], expected: list[Any], found: Any) -> str:
    """What to say where a list has another length than expected; lists of texts are shown whole."""
    texts = bool(expected) and all(isinstance(item, str) for item in expected)
    if not (texts and isinstance(found, list)):
        wanted = (
            f"a list of {len(expected)} texts" if texts and len(expected) > 2 else f"{len(expected)} things"
        )
        return f"`{name}` should return {wanted}, but it returned {describe(found)}."
    note = example.get("note", "an example")
    return f"`{name}` on {note} gives {clipped(found)}; expected {clipped(expected)}."
