"""Public examples: what a check cell says of a function that ran on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from autograder.kit.comparison import clipped, compare, compare_text, same
from autograder.kit.feedback import Line
from autograder.kit.values import decode, describe


def check_examples(name: str, examples: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]) -> list[Line]:
    """A line for each public example up to the first mistake; the later ones would mostly repeat it.

    Args:
        name: the function's name.
        examples: the cases, with what is expected where that may be said.
        entry: the entry of the log, with the responses.
    """
    lines: list[Line] = []
    for example in examples:
        response = entry.get("responses", {}).get(example["id"], {"status": "stopped"})
        lines.append(_example_line(name, example, response))
        if lines[-1][0] is False:
            break
    return lines


def _example_line(name: str, example: Mapping[str, Any], response: Mapping[str, Any]) -> Line:
    note = example.get("note", "an example")
    if response["status"] == "error":
        error = response["error"]
        return False, f"`{name}` raised {error['type']} on {note}: {error['message']}{error['where']}"
    if response["status"] == "stopped":
        return False, f"`{name}` was stopped on {note}."
    if "expected" not in example:
        return True, f"`{name}` runs on {note}."
    problem = judge_example(name, example, decode(response["result"]))
    return problem is None, problem or f"`{name}` is right on {note}."


def judge_example(name: str, example: Mapping[str, Any], response: Mapping[str, Any]) -> str | None:
    """Compares one response of the ``call`` probe with a public example; names a known mistake."""
    expected, found = decode(example["expected"]), response["result"]
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
            mistakes = example.get("mistakes", [])
            says = (one["says"] for one in mistakes if same(decode(one["result"]), found, **tolerance))
            return " ".join([problem, *islice(says, 1)])
    if response.get("changed_inputs"):
        return f"`{name}` changed its input arrays in place. Work on a copy."
    return None


def _count_problem(name: str, example: Mapping[str, Any], expected: list[Any], found: Any) -> str:
    """What to say where a list has another length than expected; lists of texts are shown whole."""
    if not (expected and all(isinstance(item, str) for item in expected) and isinstance(found, list)):
        return f"`{name}` should return {len(expected)} things, but it returned {describe(found)}."
    note = example.get("note", "an example")
    told = f"`{name}` on {note} gives {clipped(found)}; expected {clipped(expected)}."
    says = [one["says"] for one in example.get("mistakes", []) if decode(one["result"]) == found]
    return " ".join([told, *says[:1]])
