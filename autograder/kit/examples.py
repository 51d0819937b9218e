"""Public examples: what a check cell says of a function that ran on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.kit.comparison import clipped, compare, compare_text, same
from autograder.kit.feedback import Line
from autograder.kit.probes import error_words, trouble_words
from autograder.kit.values import as_kind, decode, describe


def check_examples(name: str, examples: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]) -> list[Line]:
    """A line for each public example up to the first mistake; the later ones would mostly repeat it.

    Args:
        name: the function's name.
        examples: the cases, with what is expected where that may be said.
        entry: the entry of the log, with the responses.
    """
    lines: list[Line] = []
    told = [
        _example_line(name, example, entry.get("responses", {}).get(example["id"], {"status": "stopped"}))
        for example in examples
    ]
    for (fine, words), example in zip(told, examples, strict=True):
        if fine is False:
            failing = [
                other
                for other, (right, _) in zip(examples, told, strict=True)
                if right is False and other.get("group") == example.get("group")
            ]
            return [*lines, (False, f"{words} {_named(failing, entry)}".rstrip())]
        lines.append((fine, words))
    return lines


def _named(failing: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]) -> str:
    """The first known mistake that explains every failing example of a group; empty if none does."""
    for mistake in failing[0].get("mistakes", []):
        if all(_explained(mistake["says"], example, entry) for example in failing):
            return str(mistake["says"])
    return ""


def _explained(says: str, example: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether a mistake gives what came out on one example."""
    response = entry.get("responses", {}).get(example["id"], {"status": "stopped"})
    results = [one["result"] for one in example.get("mistakes", []) if one["says"] == says]
    if response["status"] != "ok" or not results:
        return False
    tolerance = {"rtol": example.get("rtol", 1e-4), "atol": example.get("atol", 1e-6)}
    decoded = decode(response["result"])
    found = decoded["result"] if isinstance(decoded, dict) and "result" in decoded else decoded
    return same(decode(results[0]), found, **tolerance)


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
    expected = decode(example["expected"])
    found = as_kind(expected, response["result"])
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
            return problem
    if response.get("changed_inputs"):
        return f"`{name}` changed its input arrays in place. Work on a copy."
    return None


def _count_problem(name: str, example: Mapping[str, Any], expected: list[Any], found: Any) -> str:
    """What to say where a list has another length than expected; lists of texts are shown whole."""
    if not (expected and all(isinstance(item, str) for item in expected) and isinstance(found, list)):
        return f"`{name}` should return {len(expected)} things, but it returned {describe(found)}."
    note = example.get("note", "an example")
    return f"`{name}` on {note} gives {clipped(found)}; expected {clipped(expected)}."
