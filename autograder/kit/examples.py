"""Public examples: what a check cell says of a function that ran on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder.kit.comparison import clipped, compare, compare_text, same
from autograder.kit.values import decode, describe


def check_examples(
    name: str, examples: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]
) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for example in examples:
        response = entry.get("responses", {}).get(example["id"], {"status": "stopped"})
        note = example.get("note", "an example")
        if response["status"] == "error":
            error = response["error"]
            lines.append(
                (False, f"`{name}` raised {error['type']} on {note}: {error['message']}{error['where']}")
            )
        elif response["status"] == "stopped":
            lines.append((False, f"`{name}` was stopped on {note}."))
        elif "expected" in example:
            problem = judge_example(name, example, decode(response["result"]))
            lines.append((problem is None, problem or f"`{name}` is right on {note}."))
        else:
            lines.append((True, f"`{name}` runs on {note}."))
        if lines[-1][0] is False:
            break  # one mistake at a time: the later examples would mostly repeat it
    return lines


def judge_example(name: str, example: Mapping[str, Any], response: Mapping[str, Any]) -> str | None:
    """Compares one response of the ``call`` probe with a public example; names a known mistake where it matches."""
    expected, found = decode(example["expected"]), response["result"]
    pairs = (
        list(zip(expected, found, strict=False))
        if isinstance(expected, list) and isinstance(found, list)
        else [(expected, found)]
    )
    texts = isinstance(expected, list) and bool(expected) and all(isinstance(item, str) for item in expected)
    if texts and isinstance(found, list) and len(found) != len(expected):
        told = (
            f"`{name}` on {example.get('note', 'an example')} gives {clipped(found)}; expected"
            f" {clipped(expected)}."
        )
        says = [
            mistake["says"] for mistake in example.get("mistakes", []) if decode(mistake["result"]) == found
        ]
        return " ".join([told, *says[:1]])
    if isinstance(expected, list) and (not isinstance(found, list) or len(found) != len(expected)):
        return f"`{name}` should return {len(expected)} things, but it returned {describe(found)}."
    tolerance = {"rtol": example.get("rtol", 1e-4), "atol": example.get("atol", 1e-6)}
    for index, (right, got) in enumerate(pairs):
        what = (
            f"`{name}`"
            + (f", output {index + 1}," if len(pairs) > 1 else "")
            + f" on {example.get('note', 'an example')}"
        )
        problem = (
            compare_text(right, got, what)
            if isinstance(right, str)
            else compare(np.asarray(right), got, what=what, **tolerance)
        )
        if problem is None:
            continue
        for mistake in example.get("mistakes", []):
            wrong = decode(mistake["result"])
            if same(wrong, found, **tolerance):
                return f"{problem} {mistake['says']}"
        return problem
    if response.get("changed_inputs"):
        return f"`{name}` changed its input arrays in place. Work on a copy."
    return None
