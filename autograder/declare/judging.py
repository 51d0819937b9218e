"""Judging what came out of hidden inputs: judges are made of these."""

from __future__ import annotations

from collections.abc import Sequence

from autograder import kit
from autograder.declare.entries import Challenge
from autograder.declare.evidence import Picture, case_evidence
from autograder.declare.verdicts import Wrong


def judge_cases(challenge: Challenge, trials: Sequence[kit.Trial], group: str = "values") -> Wrong | None:
    """Compares every trial of one group with the challenge's oracle; stops at the first difference."""
    if challenge.expected is None:
        raise ValueError(f"{challenge.name} has no oracle")
    chosen = [trial for trial in trials if trial.group == group]
    if not chosen:
        raise ValueError(f"{challenge.name} has no cases in group {group!r}")
    for trial in chosen:
        if trouble := not_run(challenge.name, trial):
            return trouble
        expected = challenge.expected(*trial.args, **trial.kwargs)
        example = {
            "expected": kit.encode(expected),
            "note": trial.note,
            "rtol": challenge.rtol,
            "atol": challenge.atol,
            "mistakes": [
                {"says": says, "result": kit.encode(wrong(*trial.args, **trial.kwargs))}
                for says, wrong in challenge.mistakes.items()
            ],
        }
        response = (
            trial.result
            if isinstance(trial.result, dict) and "result" in trial.result
            else {"result": trial.result}
        )
        if problem := kit.judge_example(challenge.name, example, response):
            return Wrong(
                problem,
                evidence=case_evidence(
                    trial, expected=expected, found=response["result"], picture=challenge.picture
                ),
            )
    return None


def not_run(name: str, trial: kit.Trial) -> Wrong | None:
    """What to say of a trial that gave no result, or None if it gave one."""
    if trial.status == "ok":
        return None
    told = {
        "error": f"`{name}` raised {trial.error} on {trial.note}.",
        "stopped": (
            f"`{name}` was stopped on {trial.note}: it did not return in time, or it ended the kernel."
        ),
    }
    return Wrong(
        told.get(trial.status, f"`{name}` was never run on {trial.note}."),
        evidence=case_evidence(trial, found=None),
    )


def wrong_on(trial: kit.Trial, problem: str | None, picture: Picture | None = None) -> Wrong | None:
    """A failed check with these words, the trial that shows it and what came out there, or a passed one."""
    return (
        Wrong(problem, evidence=case_evidence(trial, found=trial.output, picture=picture))
        if problem
        else None
    )
