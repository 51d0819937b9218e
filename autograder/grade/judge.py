"""Judges one question at a time, from its declaration, the log of the run and the log handed in."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograder import kit
from autograder.declare import (
    Answer,
    Case,
    Check,
    LogEntry,
    Numbers,
    NumbersMissingError,
    Question,
    Right,
    Verdict,
    Wrong,
    plain,
    recorded_evidence,
)
from autograder.grade.repeats import without_repeats
from autograder.grade.report import GRADER, LIMIT, NOT_JUDGED, UNANSWERED, WRONG, CheckResult, QuestionResult
from autograder.submissions.log import Log

NOT_ANSWERED = "{id} is not answered yet."


def judge_question(
    question: Question,
    run: Log,
    claims: Log,
    drawn: Mapping[str, Mapping[str, Case]],
    bare: bool = False,
    written: str = "",
    numbers: Numbers | None = None,
) -> QuestionResult:
    """Judges one question.

    Args:
        question: its declaration.
        run: what the grader's own run recorded.
        claims: what the log that was handed in says.
        drawn: the hidden cases.
        bare: no notebook was handed in, so that recorded values of the claims count.
        written: the written answer.
        numbers: those in its text; the usual ones if left out.
    """
    found = _found(question, run, claims, bare)
    answer = {
        name: question.entry(name).value(logged, drawn.get(name, {})) for name, (_, logged) in found.items()
    }
    if question.numbers:
        answer["numbers"] = numbers if numbers is not None else question.usual_numbers()
    checks = without_repeats(_judge(question, check, found, answer) for check in question.checks)
    sources = {origin for origin, logged in found.values() if logged.status == "ok"}
    return QuestionResult(
        question.id,
        question.title,
        checks,
        "log" if "log" in sources else "run" if sources else "",
        question.extra,
        written if question.written else None,
        question.written.points if question.written else 0.0,
    )


def _found(question: Question, run: Log, claims: Log, bare: bool) -> dict[str, tuple[str, LogEntry]]:
    """Entry name → ``run`` or ``log``, which of them counts, and what it recorded."""
    found: dict[str, tuple[str, LogEntry]] = {}
    for entry in question.entries:
        ran, claimed = run.entries.get(entry.name), claims.entries.get(entry.name)
        usable = ran is not None and ran.status not in ("missing", "unanswered")
        may_claim = (question.claimed or bare) and not entry.hidden_inputs
        if not usable and claimed is not None and may_claim:
            found[entry.name] = ("log", claimed)
        elif ran is not None:
            found[entry.name] = ("run", ran)
    return found


def _judge(
    question: Question, check: Check, found: Mapping[str, tuple[str, LogEntry]], answer: Answer
) -> CheckResult:
    logged = {name: found[name][1] if name in found else LogEntry("missing") for name in check.needs}
    if unjudged := _unfit(question, check, logged, answer):
        return unjudged
    try:
        with np.errstate(all="ignore"):
            verdict = check.judge(answer)
        return _as_result(question, check, verdict, answer)
    except NumbersMissingError as error:
        return _lost(check, "failed", str(error))
    except Exception as error:  # a mistake in a check must neither end a batch nor cost points
        return CheckResult(
            check.name,
            "open",
            0.0,
            check.points,
            NOT_JUDGED,
            cause=GRADER,
            fault=_fault(question, check, error),
        )


def _unfit(
    question: Question, check: Check, logged: Mapping[str, LogEntry], answer: Answer
) -> CheckResult | None:
    """The result of a check whose entries cannot be judged: missing, not readable, of a wrong shape."""
    if {entry.status for entry in logged.values()} <= {"missing", "unanswered"}:
        return _lost(check, "unanswered", NOT_ANSWERED.format(id=question.id))
    for name, entry in logged.items():
        if entry.status == "invalid":
            return _lost(check, "failed", entry.problem)
        if entry.status in ("missing", "unanswered"):
            return _lost(
                check, "unanswered", f"`{name}` is not answered yet; the other parts of {question.id} are."
            )
        if entry.status == "stopped" and not question.entry(name).hidden_inputs:
            return _lost(check, "failed", f"`{name}` was stopped before it was recorded.", LIMIT)
    problems = kit.check_shapes(_shapes(question, check), answer)
    return _lost(check, "failed", " ".join(problems)) if problems else None


def _shapes(question: Question, check: Check) -> dict[str, Sequence[kit.Dim]]:
    """The arrays that a check needs, with the shapes that they must have."""
    shapes = {name: question.entry(name).dimensions for name in check.needs}
    return {name: shape for name, shape in shapes.items() if shape is not None}


def _lost(check: Check, state: str, feedback: str, cause: str = WRONG) -> CheckResult:
    cause = UNANSWERED if state == "unanswered" else cause
    return CheckResult(check.name, state, 0.0, check.points, feedback, cause=cause)


def _as_result(question: Question, check: Check, verdict: Verdict, answer: Answer) -> CheckResult:
    """The result that a verdict means.

    Raises:
        TypeError: it is no verdict, or its evidence is not plain JSON.
    """
    if verdict is None:
        return CheckResult(check.name, "passed", round(float(check.points), 4), check.points)
    if isinstance(verdict, Right):
        points = round(check.points + verdict.bonus, 4)
        return CheckResult(
            check.name, "passed", points, check.points, verdict.feedback, _finite(verdict.measured)
        )
    if not isinstance(verdict, Wrong):
        raise TypeError(f"the judge returned {type(verdict).__name__}; expected None, Right or Wrong")
    recorded = {name: answer[name] for name in _shapes(question, check)}
    evidence = verdict.evidence or (recorded_evidence(recorded) if recorded else None)
    return CheckResult(
        check.name,
        "partly" if verdict.earned > 0 else "failed",
        round(check.points * verdict.earned, 4),
        check.points,
        verdict.feedback,
        _finite(verdict.measured),
        _shown(evidence) if evidence else None,
        cause=WRONG,
    )


def _finite(measured: float | None) -> float | None:
    return measured if measured is None or np.isfinite(measured) else None


def _shown(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Evidence as plain JSON.

    Raises:
        TypeError: it holds something else.
    """
    shown = plain(evidence)
    try:
        json.dumps(shown, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise TypeError(f"the evidence is not plain JSON: {error}") from error
    if not isinstance(shown, dict):
        raise TypeError(f"the evidence is {type(shown).__name__}; expected a mapping")
    return shown


def _fault(question: Question, check: Check, error: Exception) -> str:
    """The traceback of a mistake in a check; the last line is the error in one line."""
    told = "".join(traceback.format_exception(error)).rstrip()
    last = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    ending = "" if told.endswith(f"\n{last}") else f"\n{last}"
    return f"{question.where}, {check.name!r}\n{told}{ending}"
