"""The plugin for otter-grader 7: this package runs and judges the submission, and otter only carries the results.

otter runs its tests in the kernel of the submission and reads results, logs and test files as pickles and
code, so a
submission can award itself anything. With this plugin otter's kernel gets an empty notebook, otter's process
finds no file of the student's to unpickle, and every result comes from :mod:`autograder.grade.grade`.
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

from autograder.declare import homeworks
from autograder.grade.report import Report
from autograder.hosts.bundle import Config
from autograder.hosts.one_submission import gather, judge, read_config, tells_hidden, warnings
from autograder.report.tables import results_json
from autograder.submissions.find import Submission

LATER = "Judged on hidden inputs or options; how it went is shown when your instructor publishes it."


class JudgeOutside(AbstractOtterPlugin):  # type: ignore[misc]  # otter has no types
    """Grades outside otter's kernel; see ``docs/otter.md``."""

    config: Config
    submission: Submission
    report: Report

    def before_grading(self, config: AutograderConfig) -> None:
        """Takes the submission into memory and its files out of the way, before otter unpickles or imports any."""
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
        return "\n".join([*lines, *warnings(self.config), *self.report.notes])


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
    """Replaces otter's results by a report's. Only otter's own classes and plain values go in: they are pickled."""
    results.clear_results()
    results.results.update({one.name: one for one in test_files(report, config)})
    results.set_output(str(results_json(report)["output"]))


def test_files(report: Report, config: Config) -> list[OttrTestFile]:
    """One otter test result for each question with checks; a submission that could not be read has 0 in each."""
    graded = {question.id: question for question in report.questions}
    files = []
    for question in homeworks()[config.homework].questions.values():
        if not question.checks:
            continue
        cases, outcomes = [], []
        results = {check.name: check for check in graded[question.id].checks} if question.id in graded else {}
        for check in question.checks:
            found = results.get(check.name)
            passed = found is not None and found.state == "passed"
            said = found.feedback if found else "\n".join(report.notes)
            maximum = 0 if question.extra else check.points
            case = TestCase(
                check.name,
                "",
                tells_hidden(question, check.name),
                maximum,
                said if passed and said else None,
                None,
            )
            cases.append(case)
            outcomes.append(TestCaseResult(case, said or ("Right." if passed else ""), passed))
        if all(
            case.hidden for case in cases
        ):  # else otter tells students that all public tests passed, there being none
            answered = any(check.state != "unanswered" for check in results.values())
            told = (
                LATER
                if answered
                else "\n".join(report.notes)
                if not results
                else f"{question.id} is not answered yet."
            )
            cases.append(TestCase("answered", "", False, 0, told if answered else None, None))
            outcomes.append(TestCaseResult(cases[-1], told, answered))
        file = OttrTestFile(question.id, question.id, cases, all_or_nothing=False)
        file.test_case_results = outcomes
        file.update_score(sum(check.points for check in results.values()))
        files.append(file)
    return files


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
    except Exception:
        traceback.print_exc()
        results = GradingResults.without_results(RuntimeError(f"{type(problem).__name__}: {problem}"))
        output = results.to_gradescope_dict(AutograderConfig())
    (base / "results" / "results.pkl").write_bytes(dill.dumps(results))
    (base / "results" / "results.json").write_text(json.dumps(output, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
