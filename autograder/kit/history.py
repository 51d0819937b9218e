"""The history of checks, which a log keeps where the student agreed: time, question, what the check said.

Never code, and no value of the student's: of what a check said the named mistakes are kept as the homework
declares them, of all else the kit's own words without numbers, names and quotations.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autograder.kit.clock import now
from autograder.kit.feedback import Line

MAX_EVENTS = 500  # that a log keeps; the latest count
MAX_MISTAKES = 4  # of one check
MAX_WORDS = 160  # characters of one mistake
OWN_WORDS = re.compile(r"`[^`]*`|'[^'\n]*'|\"[^\"\n]*\"|\[[^\]\n]*\]?|\([^)\n]*\)?")
NUMBERS = re.compile(r"[-−+]?\d[\d.,]*(?:e[-+]?\d+)?%?")
ERROR = re.compile(r"\b[A-Z]\w*(?:Error|Exception|Interrupt)\b")


def event(question: str, lines: Sequence[Line], complete: bool, known: Iterable[str]) -> dict[str, Any]:
    """What is kept of one check.

    Args:
        question: its id.
        lines: what the check said.
        complete: whether all of the question was there to be checked.
        known: the mistakes that the homework names.
    """
    wrong = [text for state, text in lines if state is False]
    told: dict[str, Any] = {"at": now(), "question": question, "passed": complete and not wrong}
    named = list(known)
    if mistakes := list(dict.fromkeys(mistake_in(text, named) for text in wrong)):
        told["mistakes"] = mistakes[:MAX_MISTAKES]
    elif not complete:
        told["mistakes"] = ["not all of it was answered"]
    return told


def mistake_in(text: str, known: Iterable[str]) -> str:
    """What is kept of a line that says that something is wrong: a named mistake, or words without values."""
    for says in known:
        if says and says in text:
            return says[:MAX_WORDS]
    raised = [name for name in ERROR.findall(text) if hasattr(builtins, name)]
    if raised or ERROR.search(text):
        return f"raised {raised[0]}" if raised else "raised an exception"
    bare = NUMBERS.sub("#", OWN_WORDS.sub("…", text))
    return " ".join(bare.split())[:MAX_WORDS]


def known_mistakes(examples: Iterable[Mapping[str, Any]]) -> list[str]:
    """The mistakes that a homework names for some public examples, the longest first."""
    found = {str(one["says"]) for example in examples for one in example.get("mistakes", [])}
    return sorted(found, key=lambda says: (-len(says), says))


def earlier_events(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The history in a log that an earlier kernel wrote; what does not have its form is left out."""
    raw = document.get("history", [])
    kept = []
    for one in raw if isinstance(raw, list) else []:
        if isinstance(one, dict) and {"at", "question", "passed"} <= set(one):
            mistakes = one.get("mistakes", [])
            words = [str(says)[:MAX_WORDS] for says in mistakes] if isinstance(mistakes, list) else []
            made: dict[str, Any] = {"at": str(one["at"])[:40], "question": str(one["question"])[:20]}
            made["passed"] = one["passed"] is True
            kept.append({**made, **({"mistakes": words[:MAX_MISTAKES]} if words else {})})
    return kept[-MAX_EVENTS:]
