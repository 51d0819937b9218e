"""The plugin for otter-grader 7: this package runs and judges the submission, otter carries the results.

otter runs its tests in the kernel of the submission and reads results, logs and test files as pickles and
code, so a submission can award itself anything. With this plugin otter's kernel gets an empty notebook,
otter's process finds no file of the student's to unpickle, and every result comes from
:mod:`autograder.grade.grade`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from pathlib import Path

import dill
import nbformat
from nbformat import NotebookNode
from otter.plugins import AbstractOtterPlugin
from otter.run.run_autograder import main as run_otter
from otter.run.run_autograder.autograder_config import AutograderConfig
from otter.test_files import GradingResults
from otter.test_files.abstract_test import TestCase, TestCaseResult
from otter.test_files.ottr_test import OttrTestFile

from autograder.declare import Check, DataUnavailableError, Question, homeworks
from autograder.grade.faults import tracebacks
from autograder.grade.report import GRADER, LOST, NOT_JUDGED, CheckResult, QuestionResult, Report
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
from autograder.submissions.find import Submission

LATER = "Judged on hidden inputs or options; how it went is shown when your instructor publishes it."


class JudgeOutside(AbstractOtterPlugin):  # type: ignore[misc]  # otter has no types
    """Grades outside otter's kernel; see ``docs/otter.md``."""

    config: Config
    submission: Submission
    report: Report

    def before_grading(self, config: AutograderConfig) -> None:
        """Takes the submission into memory and its files away, before otter unpickles or imports any."""
        self.config = read_config(self.plugin_config)
        notebook = Path(self.submission_path)
        self.submission = gather(notebook.parent, homeworks()[self.config.homework])
        clear(notebook.parent, keep={notebook.name, "tests"})

    def before_execution(self, submission: NotebookNode) -> NotebookNode:
        """Grades, and gives otter an empty notebook to run."""
        self.report = judge(self.submission, self.config)
        return nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        )

    def after_grading(self, results: GradingResults) -> None:
        """Puts this package's results in the place of otter's, which are empty."""
        fill(results, self.report, self.config)

    def generate_report(self) -> str:
        """A line for the instructor's log."""
        lines = [
            f"{self.report.homework}: {self.report.points:g} of {self.report.maximum:g} points,"
            f" {self.report.status}."
        ]
        return "\n".join([*lines, *warnings(self.config), *self.report.notes, *tracebacks([self.report])])


def clear(folder: Path, keep: set[str]) -> None:
    """Empties otter's working copy of a submission, but for what nothing imports or unpickles.

    ``otter grade`` copies the file that was handed in back out of the container, so a zip stays.

    Raises:
        RuntimeError: the folder is not otter's copy, so nothing is deleted.
    """
    if folder.name != "submission" or not (folder.parent / "source" / "otter_config.json").is_file():
        raise RuntimeError(f"{folder} is not otter's working copy of a submission")
    for item in folder.iterdir():
        if item.name in keep or (item.suffix in (".zip", ".pdf") and item.is_file()):
            continue
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        else:
            item.unlink()


def fill(results: GradingResults, report: Report, config: Config) -> None:
    """Replaces otter's results by a report's: otter's own classes and plain values, as they are pickled."""
    results.clear_results()
    results.results.update({one.name: one for one in test_files(report, config)})
    results.set_output(str(results_json(report)["output"]))


def test_files(report: Report, config: Config) -> list[OttrTestFile]:
    """One test result for each question with checks; a submission that could not be read has 0 in each."""
    graded = {question.id: question for question in report.questions}
    return [
        _test_file(question, graded.get(question.id), "\n".join(report.notes))
        for question in homeworks()[config.homework].questions.values()
        if question.checks
    ]


def _test_file(question: Question, result: QuestionResult | None, notes: str) -> OttrTestFile:
    """One question's test results.

    Args:
        question: its declaration.
        result: how it went; None if nothing was judged.
        notes: why nothing was.
    """
    found = {check.name: check for check in result.checks} if result else {}
    outcomes = [_outcome(question, check, found.get(check.name), notes) for check in question.checks]
    if all(outcome.test_case.hidden for outcome in outcomes):
        # else otter tells students that all public tests passed, there being none
        message, answered = _summary(question, result, notes)
        case = TestCase("answered", "", False, 0, message if answered else None, None)
        outcomes.append(TestCaseResult(case, message, answered))
    cases = [outcome.test_case for outcome in outcomes]
    file = OttrTestFile(question.id, question.id, cases, all_or_nothing=False)
    file.test_case_results = outcomes
    file.update_score(result.points if result else 0)
    return file


def _outcome(question: Question, check: Check, found: CheckResult | None, notes: str) -> TestCaseResult:
    """One check as otter's test case."""
    passed = found is not None and found.state == "passed"
    message = notes if found is None else found.told
    case = TestCase(
        check.name,
        "",
        tells_hidden(question, check.name),
        0 if question.extra else check.points,
        message if passed and message else None,
        None,
    )
    return TestCaseResult(case, message or ("Right." if passed else ""), passed)


def _summary(question: Question, result: QuestionResult | None, notes: str) -> tuple[str, bool]:
    """What a student may know of a question whose checks are all hidden, and whether it was answered."""
    if result is None:
        return notes, False
    if any(check.cause == GRADER for check in result.checks):
        return NOT_JUDGED, False
    if lost := [one for one in result.checks if one.cause in LOST and one.state == "unanswered"]:
        return lost[0].told, False
    if any(check.state != "unanswered" for check in result.checks):
        return LATER, True
    return f"{question.id} is not answered yet.", False


def run(base: Path) -> int:
    """Runs otter on ``base``, and where otter gives up, leaves the same files with what this package finds.

    Args:
        base: the folder with ``source``, ``submission`` and ``results``; ``/autograder`` in a container.

    Returns:
        0 if results were written.
    """
    try:
        run_otter(str(base))
        return 0
    except Exception as error:
        traceback.print_exc()
        problem = error
    os.chdir(base)
    try:
        settings = json.loads((base / "source" / "otter_config.json").read_text(encoding="utf-8"))
        config = read_config(next(iter(settings["plugins"][0].values())))
        report = judge(gather(base / "submission", homeworks()[config.homework]), config)
        results = GradingResults([])
        fill(results, report, config)
        output = results.to_gradescope_dict(AutograderConfig(settings))
    except DataUnavailableError as error:
        traceback.print_exc()
        told = could_not_start(error)
        results = GradingResults.without_results(RuntimeError(told))
        output = {"tests": [], "output": told, "visibility": "visible"}  # without a score: no points, not 0
    except Exception:
        traceback.print_exc()
        results = GradingResults.without_results(RuntimeError(f"{type(problem).__name__}: {problem}"))
        output = results.to_gradescope_dict(AutograderConfig())
    (base / "results" / "results.pkl").write_bytes(dill.dumps(results))
    (base / "results" / "results.json").write_text(json.dumps(output, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
