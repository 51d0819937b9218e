"""The entry point inside a Gradescope container: ``/autograder`` goes in, ``results.json`` comes out."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any

from autograder.declare import DataUnavailableError, homeworks
from autograder.files import encoded, points, several, write_atomically
from autograder.grade.faults import tracebacks
from autograder.grade.report import Report
from autograder.grade.store import results_json
from autograder.hosts.bundle import Config
from autograder.hosts.one_submission import (
    could_not_start,
    gather,
    judge,
    read_config,
    tells_hidden,
    warnings,
)

UNFINISHED = (
    "The autograder did not finish in time, so nothing was graded. Please tell your instructor; your"
    " submission is kept."
)
MARGIN = 0.15  # of the platform's limit, for starting, judging and writing
LEAST_MARGIN = 45.0  # seconds: importing torch takes up to 20 on a slow container
# what students read of the checks that are not shown at once, by --visibility
SHOWN_LATER = {
    "after_published": (
        "{checks} on hidden inputs and right options (up to {points} points) are shown when your instructor"
        " publishes the grades. Until then, Gradescope shows you no total."
    ),
    "after_due_date": (
        "{checks} on hidden inputs and right options (up to {points} points) are shown after the due date, or"
        " after the late due date if there is one. Until then, Gradescope shows you no total."
    ),
    "hidden": (
        "{checks} on hidden inputs and right options (up to {points} points) are never shown here, and the"
        " total on this page does not count them."
    ),
}
PREVIOUS = 5  # earlier submissions that the results mention


def run(base: Path) -> int:
    """Grades ``base/submission`` into ``base/results/results.json``; that file is there from the start.

    Args:
        base: the folder with ``source``, ``submission``, ``results`` and ``submission_metadata.json``.

    Returns:
        0 if the submission was graded.
    """
    started = time.monotonic()
    target = base / "results" / "results.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    write(target, failure(UNFINISHED))
    try:
        config = read_config(
            json.loads((base / "source" / "autograder_config.json").read_text(encoding="utf-8"))
        )
        last = config.seconds - max(LEAST_MARGIN, MARGIN * config.seconds)
        if last < 1:
            raise ValueError(
                f"a time limit of {config.seconds:g} s is too short; Gradescope's own default is 600"
            )
        metadata = read_metadata(base / "submission_metadata.json")
        _alarm(last + LEAST_MARGIN / 2)
        submission = gather(base / "submission", homeworks()[config.homework])
        report = judge(submission, config, seconds=last - (time.monotonic() - started))
        made = results(report, config, metadata)
        for told in [*warnings(config), *tracebacks([report])]:
            print(told, file=sys.stderr)  # the instructor's log; students do not see it
        write(target, made)
        return 0
    except DataUnavailableError as error:
        traceback.print_exc()
        unscored = failure(could_not_start(error))
        del unscored["score"]  # Gradescope then shows that the autograder failed, and gives no points, not 0
        write(target, unscored)
        return 1
    except Exception as error:
        traceback.print_exc()
        write(
            target,
            failure(
                f"The autograder failed ({type(error).__name__}). Please tell your instructor; your"
                " submission is kept."
            ),
        )
        return 1
    finally:
        signal.alarm(0)


def _alarm(seconds: float) -> None:
    """Ends grading when the platform would soon do so; the results that say so are written already."""

    def end(number: int, frame: FrameType | None) -> None:
        print("The time limit is near; grading was given up.", file=sys.stderr, flush=True)
        os._exit(1)  # an exception could be caught by what it interrupts

    signal.signal(signal.SIGALRM, end)
    signal.alarm(max(1, round(seconds)))


def write(target: Path, made: Mapping[str, Any]) -> None:
    """Writes ``results.json`` whole."""
    write_atomically(target, encoded(json.dumps(made, indent=1, ensure_ascii=False, allow_nan=False) + "\n"))


def failure(told: str) -> dict[str, Any]:
    """Results that say why there are none."""
    return {
        "score": 0.0,
        "output": told,
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [],
    }


def results(report: Report, config: Config, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The report as Gradescope takes it: what tells of hidden inputs is shown when the bundle says so.

    As long as a test waits for a date or for publication, Gradescope does not show the total. Tests that are
    ``hidden`` for ever do not hold it back, so they carry no points here; their result is in their text. The
    score on the leaderboard, which all students see at once, is that of the tests they see at once.

    Args:
        report: one submission's.
        config: the bundle's.
        metadata: as :func:`read_metadata` gave it.
    """
    made = results_json(report)
    questions = homeworks()[config.homework].questions
    checks = [(question, check) for question in report.questions for check in question.checks]
    later: list[float] = []
    for test, (question, check) in zip(made["tests"], checks, strict=True):
        if tells_hidden(questions[question.id], check.name):
            test["visibility"] = config.hidden
            later.append(check.maximum)
            if config.hidden == "hidden":
                earned = f"Carries no points here; {test['score']:g} of {test['max_score']:g} otherwise."
                test.update(score=0.0, max_score=0.0, output=f"{earned}\n\n{test['output']}")
                made["score"] -= check.points
    made["output"] = "\n\n".join(filter(None, (_shown_later(config.hidden, later), made["output"])))
    for told in made["extra_data"]["report"]["questions"]:
        for judged in told["checks"]:
            # they hold hidden inputs with their answers; they stay with the grader
            judged["evidence"], judged["fault"] = None, ""
    made["extra_data"]["report"]["fault"] = ""
    made["extra_data"]["submission"] = dict(metadata)
    if config.leaderboard:
        made["leaderboard"] = [
            {"name": f"{question.id} {check.name}"[:60], "value": round(check.measured, 4), "order": "desc"}
            for question, check in checks
            if check.measured is not None
        ] or [{"name": "Score", "value": _visible_points(made), "order": "desc"}]
    return made


def _shown_later(when: str, most: Sequence[float]) -> str:
    """What students read of the checks that they do not see now, by each one's most points."""
    if not most or when not in SHOWN_LATER:
        return ""
    checks = several(len(most), "check")
    return SHOWN_LATER[when].format(checks=checks, points=points(sum(most)))


def _visible_points(made: Mapping[str, Any]) -> float:
    """The points of the tests that students see at once."""
    return round(sum(test["score"] for test in made["tests"] if test["visibility"] == "visible"), 4)


def read_metadata(path: Path) -> dict[str, Any]:
    """What the results repeat of ``submission_metadata.json``; empty where the file is missing or strange."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(raw, dict):
        return {}
    assignment = raw.get("assignment")
    created, due = (
        _time(raw.get("created_at")),
        _time(assignment.get("due_date") if isinstance(assignment, dict) else None),
    )
    return {
        "id": raw.get("id"),
        "created_at": raw.get("created_at"),
        "users": [user.get("email") for user in _dicts(raw.get("users"))],
        "late_seconds": max(0, round((created - due).total_seconds())) if created and due else None,
        "earlier": [one.get("score") for one in _dicts(raw.get("previous_submissions"))][-PREVIOUS:],
    }


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo else None


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
