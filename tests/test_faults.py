"""A judge that raises is the grader's fault: points stay open, the instructor is told, nobody is blamed."""

from __future__ import annotations

import csv
import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.declare import homeworks
from autograder.grade import faults, grade, workers
from autograder.grade.grade import Settings, grade_submission
from autograder.grade.report import NOT_JUDGED, CheckResult, QuestionResult, Report
from autograder.grade.store import Results, read_results, results_json
from autograder.hosts import bundle, gradescope
from autograder.report import class_report, feedback, tables
from autograder.run.choose import Place, kernels
from autograder.submissions.find import Submission
from tests.conftest import PLACE, SETTINGS, reference
from tests.gallery import ROOT

pytestmark = pytest.mark.xdist_group("hw3")

HW3 = homeworks()["hw3"]
QUESTION = HW3.questions["3.1"]
CHECK = QUESTION.checks[0]
RAISED = "Traceback (most recent call last):\n  File …\nKeyError: 'x'\n"
BROKEN = f"""

from autograder.declare import homeworks as _homeworks


def _raise(*arguments, **options):
    raise KeyError("x")


_check = next(one for one in _homeworks()["hw3"].questions["3.1"].checks if one.name == {CHECK.name!r})
object.__setattr__(_check, "judge", _raise)
"""


def raises(*arguments: object, **options: object) -> None:
    raise KeyError("x")


@pytest.fixture
def broken() -> Iterator[None]:
    """hw3 with a judge that raises."""
    judge = CHECK.judge
    object.__setattr__(CHECK, "judge", raises)
    yield
    object.__setattr__(CHECK, "judge", judge)


def a_report(submission: str = "ann", fault: str = RAISED) -> Report:
    """A report with one check that is open and one that failed."""
    unjudged = CheckResult(CHECK.name, "open", 0.0, 4.0, NOT_JUDGED, cause="grader", fault=fault)
    failed = CheckResult(QUESTION.checks[1].name, "failed", 0.0, 2.0, "No.")
    question = QuestionResult("3.1", QUESTION.title, (unjudged, failed), "run")
    return Report(submission, "hw3", "graded with problems", (question,), key="k")


def test_a_judge_that_raises_leaves_its_points_open_and_says_whose_fault_it_is(broken: None):
    notebook, log, files = reference("hw3")
    submission = Submission("reference", notebook.encode(), log, files)
    report, _ = grade_submission(submission, SETTINGS, kernels(PLACE)[0])
    question = next(one for one in report.questions if one.id == "3.1")
    check = question.checks[0]
    assert (check.state, check.points, check.cause) == ("open", 0.0, "grader")
    assert faults.last_line(check.fault) == "KeyError: 'x'"
    assert report.open_points == check.maximum == CHECK.points
    assert report.status == "graded with problems"
    assert f"3.1: '{CHECK.name}' was not judged because of a mistake in the grader" in report.notes[-1]
    assert not class_report.mistakes([report])


def test_six_references_meet_a_broken_judge_on_the_command_line(tmp_path: Path):
    copy = tmp_path / "copy"
    shutil.copytree(ROOT / "autograder", copy / "autograder", ignore=shutil.ignore_patterns("__pycache__"))
    with (copy / "autograder" / "grade" / "workers.py").open("a", encoding="utf-8") as file:
        file.write(BROKEN)
    notebook, log, _ = reference("hw3")
    for number in range(6):
        folder = tmp_path / "class" / f"student-{number}"
        folder.mkdir(parents=True)
        (folder / "hw3_hand_designed.ipynb").write_text(notebook, encoding="utf-8")
        (folder / "submission_log.json").write_bytes(log)
    output = tmp_path / "out"
    command = [sys.executable, "-m", "autograder", "grade", "class", "-o", str(output)]
    done = subprocess.run(
        [*command, "--seed", "s", "--workers", "2", "--sandbox", "off"],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(copy)},
    )
    assert done.returncode == 3, done.stderr
    path = output / "grader-errors.txt"
    said = f"3.1 '{CHECK.name}' failed on our side in 6 submissions: KeyError: 'x' (traceback: {path})"
    assert done.stdout.splitlines()[-1] == said
    assert path.stat().st_mode & 0o777 == 0o600
    assert "student-0, student-1" in path.read_text()
    assert path.read_text().count("Traceback") == 1
    rows = list(csv.DictReader((output / "grades.csv").read_text().splitlines()))
    assert [row["3.1"] for row in rows] == [""] * 6
    assert {row["status"] for row in rows} == {"graded with problems"}
    waiting = sum(one.written.points for one in homeworks()["hw3"].questions.values() if one.written)
    assert {float(row["open"]) for row in rows} == {CHECK.points + waiting}
    page = (output / "report.html").read_text(encoding="utf-8")
    assert NOT_JUDGED not in page


def test_what_is_open_is_graded_again_by_the_next_run(tmp_path: Path):
    results = Results(tmp_path)
    results.keep(a_report())
    assert results.kept("ann", "k") is None
    judged = replace(a_report(), questions=())
    results.keep(judged)
    assert results.kept("ann", "k") == judged
    os.close(results.lock)


def test_totals_say_what_is_open():
    report = a_report()
    row = next(csv.DictReader(tables.grades_csv([report]).splitlines()))
    assert (row["3.1"], row["points"], row["open"]) == ("", "0", "4")
    row = next(csv.DictReader(tables.grades_csv([replace(report, questions=())]).splitlines()))
    assert (row["points"], row["total"], row["open"]) == ("", "", "all")
    cells = [str(cell) for column in tables.table([report]).columns for cell in column.cells]
    assert "0 / 2 so far, 4 not graded yet" in cells
    page = feedback.feedback_page(report, None)
    assert "4 open" in page
    assert "not judged, points open" in page
    assert "Traceback" not in page


def test_an_open_check_counts_in_no_statistic_of_the_class():
    reports = [a_report(f"student-{number}") for number in range(6)]
    assert [one.check for one in class_report.mistakes(reports)] == [QUESTION.checks[1].name]
    figures = {one.check: one for one in class_report.check_figures(reports)}
    assert figures[CHECK.name].tried == 0
    question = next(class_report.question_figures(reports))
    assert question.mean is None


def test_a_grader_that_fails_on_a_whole_submission_is_told_alike(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grade, "grade_submission", raises)
    graded = workers.grade(Submission("ann"), Settings("s", "hw3"), Place(sandbox="off"))
    assert graded.report.status == "unreadable"
    assert graded.report.faulty
    assert graded.report.notes == (workers.FAILED,)
    found = faults.find_faults([graded.report])
    said = "Grading as a whole failed on our side in 1 submission: KeyError: 'x' (traceback: f)"
    assert [faults.fault_line(one, "f") for one in found] == [said]
    assert "hand in again, or ask" not in feedback.feedback_page(graded.report, None)


def test_one_check_has_one_line_whatever_its_errors():
    other = RAISED.replace("KeyError: 'x'", "ValueError: y")
    reports = [a_report("a", other), a_report("b"), a_report("c")]
    (fault,) = faults.find_faults(reports)
    said = f"3.1 '{CHECK.name}' failed on our side in 3 submissions: KeyError: 'x' and 1 other error"
    assert faults.fault_line(fault, "f") == f"{said} (traceback: f)"
    assert faults.faults_text([fault]).count("Traceback") == 2


def test_gradescope_says_it_in_words_and_gets_no_traceback():
    report = a_report()
    assert read_results(results_json(report)) == report
    made = gradescope.results(report, bundle.Config("hw3", "seed"), {})
    assert made["tests"][0]["output"] == NOT_JUDGED
    assert "KeyError" not in str(made)
    assert "KeyError" not in str(
        gradescope.results(replace(report, fault=RAISED), bundle.Config("hw3", "s"), {})
    )


def test_otter_says_it_in_words():
    pytest.importorskip("otter")
    from autograder.hosts import otter

    file = otter.test_files(a_report(), bundle.Config("hw3", "seed"))[0]
    assert file.score == 0
    assert file.test_case_results[0].message == NOT_JUDGED
    assert not file.test_case_results[0].passed


def test_results_of_before_have_no_fault():
    document = results_json(a_report())
    raw = document["extra_data"]["report"]
    del raw["fault"]
    for check in raw["questions"][0]["checks"]:
        del check["cause"], check["fault"]
    report = read_results(document)
    assert not report.faulty
    assert dataclasses.replace(report, questions=()) == dataclasses.replace(a_report(), questions=())


@pytest.mark.parametrize("module", ["autograder.report.tables", "autograder.grade.store"])
def test_writing_a_csv_imports_nothing_that_runs_notebooks(module: str):
    code = f"import sys, {module}; print([name for name in ('nbclient', 'torch') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
