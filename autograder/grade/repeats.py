"""Feedback that says a thing once, though several checks of a question fail for it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from autograder.grade.report import CheckResult

SHORT = 70  # characters of what stands above that are said again
SENTENCE_END = re.compile(r"(?<=[.!?]) ")


def without_repeats(checks: Iterable[CheckResult]) -> tuple[CheckResult, ...]:
    """The same results; what an earlier check of the question said already is only pointed to."""
    told: list[CheckResult] = []
    shown: list[CheckResult] = []
    for check in checks:
        if check.cause == "wrong":
            shown.append(replace(check, feedback=_pointing(check.feedback, told)))
            told.append(check)
        else:
            shown.append(check)
    return tuple(shown)


def _pointing(feedback: str, told: Iterable[CheckResult]) -> str:
    """A feedback that points to an earlier one, as a whole or for the mistake that it names in the end."""
    for earlier in told:
        if _kind(earlier.feedback) == _kind(feedback):
            return f"As above, under “{earlier.name}”: {_clipped(feedback)}"
        for end in SENTENCE_END.finditer(feedback):
            rest = feedback[end.end() :]
            if len(rest) >= 20 and _kind(earlier.feedback).endswith(f" {_kind(rest)}"):
                return f"{feedback[: end.start()]} For the rest see above, “{earlier.name}”."
    return feedback


def _kind(feedback: str) -> str:
    """A sentence without its numbers."""
    return re.sub(r"-?\d[\d.,e+-]*", "#", feedback)


def _clipped(feedback: str) -> str:
    if len(feedback) <= SHORT:
        return feedback
    start = feedback[:SHORT].rsplit(" ", 1)[0]
    if start.count("`") % 2:
        start = start[: start.rindex("`")].rstrip()
    return f"{start} …"
