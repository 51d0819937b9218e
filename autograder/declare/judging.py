"""Judging the results of hidden inputs: judges are made of these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autograder import kit
from autograder.declare.entries import CaseTrial, Challenge
from autograder.declare.evidence import Picture, case_evidence
from autograder.declare.verdicts import Wrong


def judge_cases(challenge: Challenge, trials: Sequence[kit.Trial], group: str = "values") -> Wrong | None:
    """Compares every trial of one group with the challenge's oracle.

    The words show the first difference, and name one of the challenge's mistakes if it explains the answer,
    by the rule of :func:`autograder.kit.named_mistake`.
    """
    if challenge.expected is None:
        raise ValueError(f"{challenge.name} has no oracle")
    chosen = [trial for trial in trials if trial.group == group]
    if not chosen:
        raise ValueError(f"{challenge.name} has no cases in group {group!r}")
    failing = [(trial, words) for trial in chosen if (words := _problem(challenge, trial))]
    if not failing:
        return None
    first, problem = failing[0]
    says = kit.named_mistake(
        # where only inputs were changed, the result is right and no formula is at fault
        {says: _recorded_result_of(mistake) for says, mistake in challenge.mistakes.items()}
        if not problem.endswith(kit.IN_PLACE)
        else {},
        chosen,
        [trial for trial, _ in failing],
        rtol=challenge.rtol,
        atol=challenge.atol,
        others=[trial for trial in trials if trial.group != group],
    )
    shown: dict[str, Any] = {"found": None}
    if first.status == "ok":
        expected = result_of(challenge.expected, first)
        shown = {"expected": expected, "found": _response(first)["result"], "picture": challenge.picture}
    says = says or kit.not_finite(problem)
    return Wrong(f"{problem} {says}".rstrip(), evidence=case_evidence(first, **shown))


def _problem(challenge: Challenge, trial: kit.Trial) -> str | None:
    """What is wrong with one trial, without a name for it; None if it is right."""
    if trouble := not_run(challenge.name, trial):
        return trouble.feedback
    assert challenge.expected is not None
    example = {
        "expected": kit.encode(result_of(challenge.expected, trial)),
        "note": trial.note,
        "rtol": challenge.rtol,
        "atol": challenge.atol,
    }
    return kit.judge_example(challenge.name, example, _response(trial))


def _recorded_result_of(function: Callable[..., Any]) -> Callable[[kit.Trial], Any]:
    """An oracle that takes a trial and gives its result as a log would hold it."""
    return lambda trial: kit.decode(kit.encode(result_of(function, trial)))


def result_of(function: Callable[..., Any], trial: kit.Trial) -> Any:
    """What an oracle gives on a trial's inputs, taken from its drawn case where it has one."""
    if isinstance(trial, CaseTrial) and trial.case is not None:
        return trial.case.result_of(function)
    return function(*trial.args, **trial.kwargs)


def _response(trial: kit.Trial) -> Mapping[str, Any]:
    """What the probe said: the result, and whether inputs were changed."""
    if isinstance(trial.result, dict) and "result" in trial.result:
        return trial.result
    return {"result": trial.result}


def not_run(name: str, trial: kit.Trial) -> Wrong | None:
    """What to say of a trial that gave no result, or None if it gave one."""
    if trial.status == "ok":
        return None
    told = {
        "error": kit.trouble_words(name, trial.note, trial.error),
        "stopped": (
            f"`{name}` was stopped on {trial.note}: it did not return in time, or it ended the kernel."
        ),
    }
    return Wrong(
        told.get(trial.status, f"`{name}` was never run on {trial.note}."),
        evidence=case_evidence(trial, found=None),
    )


def wrong_on(trial: kit.Trial, problem: str | None, picture: Picture | None = None) -> Wrong | None:
    """A failed check with these words, the trial that shows it and its result, or a passed one."""
    return (
        Wrong(problem, evidence=case_evidence(trial, found=trial.output, picture=picture))
        if problem
        else None
    )
