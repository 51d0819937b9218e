"""Judges what a run recorded: one question at a time, from its declaration, the run's log and the student's."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder import kit
from autograder.declare.evidence import plain, recorded_evidence
from autograder.declare.homework import (
    Answer,
    Array,
    Case,
    Challenge,
    Check,
    Choice,
    Numbers,
    NumbersMissingError,
    Question,
    Right,
    Wrong,
)
from autograder.grade.report import GRADER, NOT_JUDGED, CheckResult, QuestionResult
from autograder.submissions.log import Log, LogEntry

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
    found: dict[str, tuple[str, LogEntry]] = {}
    for entry in question.entries:
        ran, claimed = run.entries.get(entry.name), claims.entries.get(entry.name)
        usable = ran is not None and ran.status not in ("missing", "unanswered")
        if (
            not usable
            and claimed is not None
            and (question.claimed or bare)
            and not isinstance(entry, Challenge)
        ):
            found[entry.name] = ("log", claimed)
        elif ran is not None:
            found[entry.name] = ("run", ran)
    answer = {name: _value(question.entry(name), logged, drawn) for name, (_, logged) in found.items()}
    if question.numbers:
        answer["numbers"] = numbers if numbers is not None else question.usual_numbers()
    checks = tuple(_judge(question, check, found, answer) for check in question.checks)
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


def _value(
    entry: Array | Choice | Challenge, logged: LogEntry, drawn: Mapping[str, Mapping[str, Case]]
) -> Any:
    if not isinstance(entry, Challenge):
        return np.asarray(logged.value) if isinstance(logged.value, bool | int | float) else logged.value
    trials = []
    for identity, case in drawn[entry.name].items():
        status, result, error = logged.responses.get(identity, ("missing", None, ""))
        trials.append(
            kit.Trial(identity, case.note, case.group, tuple(case.args), case.kwargs, status, result, error)
        )
    return trials


def _judge(
    question: Question, check: Check, found: Mapping[str, tuple[str, LogEntry]], answer: Answer
) -> CheckResult:
    def result(state: str, feedback: str, earned: float = 0.0) -> CheckResult:
        return CheckResult(check.name, state, round(check.points * earned, 4), check.points, feedback)

    states = {name: found[name][1].status if name in found else "missing" for name in check.needs}
    if set(states.values()) <= {"missing", "unanswered"}:
        return result("unanswered", NOT_ANSWERED.format(id=question.id))
    for name, state in states.items():
        challenge = isinstance(question.entry(name), Challenge)
        if state == "invalid":
            return result("failed", found[name][1].problem)
        if state in ("missing", "unanswered"):
            return result(
                "unanswered", f"`{name}` is not answered yet; the other parts of {question.id} are."
            )
        if state == "stopped" and not challenge:
            return result("failed", f"`{name}` was stopped before it was recorded.")
    arrays = {name: entry.shape for name in check.needs if isinstance(entry := question.entry(name), Array)}
    if problems := kit.check_shapes(arrays, answer):
        return result("failed", " ".join(problems))
    try:
        with np.errstate(all="ignore"):
            verdict = check.judge(answer)
    except NumbersMissingError as error:
        return result("failed", str(error))
    except Exception:  # a mistake in the check must neither end a batch nor cost points
        return dataclasses.replace(result("open", NOT_JUDGED), cause=GRADER, fault=traceback.format_exc())
    if verdict is None:
        return result("passed", "", 1.0)
    if isinstance(verdict, Right):
        return CheckResult(
            check.name,
            "passed",
            round(check.points + verdict.bonus, 4),
            check.points,
            verdict.feedback,
            verdict.measured,
        )
    if not isinstance(verdict, Wrong):
        raise TypeError(
            f"{question.id}, {check.name!r}: a check returns None, Right or Wrong, not"
            f" {type(verdict).__name__}"
        )
    judged = result("partly" if verdict.earned > 0 else "failed", verdict.feedback, verdict.earned)
    recorded = {name: answer[name] for name in arrays}
    evidence = verdict.evidence or (recorded_evidence(recorded) if recorded else None)
    shown = plain(evidence) if evidence else None
    return dataclasses.replace(judged, measured=verdict.measured, evidence=shown)
