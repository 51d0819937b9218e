"""What otter and Gradescope share: one folder with one submission, graded by this package for one student."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder.declare import DataUnavailableError, Homework, Question, follow, homeworks
from autograder.grade.grade import Settings, grade_submission
from autograder.grade.report import Report
from autograder.grade.workers import FAILED, OVER_LIMIT, failure
from autograder.hosts.bundle import Config, package_digest
from autograder.run.choose import in_container
from autograder.run.container import within_container
from autograder.run.guard import OverLimitError
from autograder.run.limits import Limits
from autograder.submissions.belonging import cells_digest
from autograder.submissions.errors import SubmissionError
from autograder.submissions.find import Submission, find
from autograder.submissions.notebook import read_notebook, recognize

OTTER_TESTS = "tests"  # the folder in which otter keeps a bundle's tests


def read_config(raw: Mapping[str, Any]) -> Config:
    """The bundle's configuration.

    Raises:
        ValueError: it is not one, with words that say why.
    """
    known = {field.name for field in dataclasses.fields(Config)}
    if unknown := set(raw) - known:
        raise ValueError(f"the bundle's configuration has unknown keys: {', '.join(sorted(unknown))}")
    try:
        config = Config(**raw)
    except TypeError as error:
        raise ValueError(f"the bundle's configuration is incomplete: {error}") from None
    follow(config.course)
    if config.homework not in homeworks():
        raise ValueError(
            f"the bundle is for {config.homework}, but this package has {', '.join(homeworks())}"
        )
    return config


def gather(folder: Path, homework: Homework) -> Submission:
    """The one submission in a folder: its notebook, log and checkpoint. Nothing is guessed.

    A folder with several notebooks has one submission if one notebook alone, or copies of it, belongs to the
    homework.
    """
    found = find([folder], one_person=True).submissions
    # otter lays its own tests beside a submission: a folder without a notebook that nobody handed in
    found = tuple(one for one in found if one.notebook is not None or one.name != OTTER_TESTS)
    if len(found) > 1:
        notebooks = [one for one in found if one.notebook is not None]
        mine = [one for one in notebooks if _belongs(one, homework)]
        mine.sort(key=lambda one: one.log is not None)
        mine = list(
            {cells_digest(one.notebook or b""): one for one in mine}.values()
        )  # otter leaves a zip beside what it unpacked
        if len(mine) > 1:
            names = ", ".join(one.name for one in mine)
            return Submission(
                "submission",
                problem=f"Several notebooks of {homework.id} were handed in: {names}. Hand in one.",
            )
        found = tuple(mine or notebooks[:1] or found[:1])
    if not found:
        return Submission(
            "submission",
            problem="No notebook was handed in. Hand in the .ipynb file, with submission_log.json beside it.",
        )
    return dataclasses.replace(found[0], name="submission")


def _belongs(submission: Submission, homework: Homework) -> bool:
    if submission.notebook is None:
        return False
    try:
        return recognize(read_notebook(submission.notebook), submission.log, homeworks()) is homework
    except SubmissionError:
        return False


def judge(submission: Submission, config: Config, seconds: float | None = None) -> Report:
    """Grades one submission with the bundle's configuration and the safest kernels there are.

    Args:
        submission: as gathered.
        config: the bundle's.
        seconds: what is left for running the notebook; None takes the default limit.

    Raises:
        DataUnavailableError: the container lacks data that the homework needs. Nothing else is raised.
    """
    try:
        total = Limits.total_seconds if seconds is None else min(seconds, Limits.total_seconds)
        limits = within_container(Limits(cell_seconds=config.cell_seconds, total_seconds=total))
        kernels, _ = in_container()
        return grade_submission(
            submission, Settings(config.seed, config.homework, limits, course=config.course), kernels
        )[0]
    except DataUnavailableError:
        raise  # nobody can be graded here, and nobody must get 0 points for that
    except OverLimitError as error:
        return failure(submission, Settings(config.seed, config.homework), OVER_LIMIT.format(why=error))
    except Exception:  # a platform must always get results
        return failure(submission, Settings(config.seed, config.homework), FAILED, traceback.format_exc())


def warnings(config: Config) -> list[str]:
    """What an instructor should know of how this runs; never shown to students."""
    told = [in_container()[1]]
    if config.package and config.package != package_digest():
        told.append(
            "The autograder that is installed here is not the one that made this bundle. Make the bundle"
            " again."
        )
    return [one for one in told if one]


def could_not_start(error: Exception) -> str:
    """What students and instructors read where the autograder itself cannot start."""
    why = str(error).split("\n")[0]
    return (
        f"The autograder could not start: {why} Nothing was graded, and no points were given or taken. Please"
        " tell your instructor, who makes the bundle again on a machine that has the data; your submission is"
        " kept."
    )


def tells_hidden(question: Question, check: str) -> bool:
    """Whether a check's feedback tells of hidden inputs or right options: retrying could exploit that."""
    needs = next((one.needs for one in question.checks if one.name == check), ())
    return any(question.entry(name).tells for name in needs)
