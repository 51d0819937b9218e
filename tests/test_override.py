"""``autograder override``: points that the staff sets, kept, shown, listed and undone."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autograder.cli.main import main
from autograder.grade.overrides import Override, Overrides
from autograder.grade.report import GRADER, Report
from autograder.grade.store import read_reports
from autograder.report.publish import publish
from tests import example_results

WHY = "Your matrix is right; the check met <script>alert(1)</script> a tie."


pages_here = example_results.pages_here
pytestmark = pytest.mark.usefixtures("pages_here")


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["override", *map(str, arguments)])


def row(folder: Path, submission: str) -> dict[str, str]:
    with (folder / "grades.csv").open(encoding="utf-8", newline="") as file:
        return next(one for one in csv.DictReader(file) if one["submission"] == submission)


def report_of(folder: Path, submission: str) -> Report:
    return next(one for one in read_reports(folder) if one.submission == submission)


@pytest.fixture
def graded(tmp_path: Path) -> Path:
    example_results.write(tmp_path / "graded", 3)
    return tmp_path / "graded"


def test_points_set_for_a_question_are_in_the_csv_on_the_page_and_in_the_results(graded: Path):
    before = float(row(graded, "student-00")["total"])
    assert row(graded, "student-00")["3.1"] == "0"
    done = command("student-00", "3.1", "7", "-o", graded, "--reason", WHY, "--by", "Ada")
    assert done.exit_code == 0, done.output
    assert "student-00, 3.1: now 7 points." in done.output
    found = row(graded, "student-00")
    assert (found["3.1"], float(found["total"])) == ("7", before + 7)
    assert found["set by hand"] == f"3.1 all checks: 0 → 7 ({WHY})"
    page = (graded / "submissions" / "student-00" / "feedback.html").read_text(encoding="utf-8")
    assert "Set by your course" in page
    assert "the check met &lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    results = json.loads((graded / "submissions" / "student-00" / "results.json").read_text())
    tests = [one for one in results["tests"] if one["number"] == "3.1"]
    assert sum(one["score"] for one in tests) == pytest.approx(7)
    assert results["score"] == pytest.approx(before + 7)


def test_points_are_kept_when_everything_is_judged_again_and_a_later_hand_in_is_said(graded: Path):
    command("student-00", "3.1", "7", "-o", graded, "--reason", "A tie.")
    judged = [
        replace(one, digest="another", questions=tuple(replace(q, overrides=()) for q in one.questions))
        for one in read_reports(graded)
    ]
    publish(graded, judged)
    assert row(graded, "student-00")["3.1"] == "7"
    # made for a submission whose digest is known, it says so when another one has come
    Overrides(graded).set(Override("student-00", "3.1", "", 6, "A tie.", "Ada", digest="the first"))
    publish(graded, judged)
    assert "decided for an earlier submission" in (
        graded / "submissions" / "student-00" / "feedback.html"
    ).read_text(encoding="utf-8")
    assert "[set for an earlier submission]" in command("--list", "-o", graded).output


def test_one_check_and_a_written_answer_can_be_set_and_undone(graded: Path):
    name = report_of(graded, "student-00").questions[0].checks[0].name
    assert (
        command("student-00", "3.1", "2.5", "-o", graded, "--check", name, "--reason", "half").exit_code == 0
    )
    assert command("student-00", "3.7", "6", "-o", graded, "--written", "--reason", "good").exit_code == 0
    assert (row(graded, "student-00")["3.1"], row(graded, "student-00")["3.7 written"]) == ("2.5", "6")
    told = command("--list", "-o", graded).output
    assert f"student-00, 3.1, '{name}': 0 → 2.5" in told
    assert "student-00, 3.7, the written answer: not graded → 6" in told
    assert command("student-00", "3.1", "--undo", "-o", graded, "--check", name).exit_code == 0
    assert command("student-00", "3.7", "--undo", "-o", graded, "--written").exit_code == 0
    assert (row(graded, "student-00")["3.1"], row(graded, "student-00")["3.7 written"]) == ("0", "")
    assert "There are no overrides" in command("--list", "-o", graded).output
    again = command("student-00", "3.1", "--undo", "-o", graded, "--check", name)
    assert (again.exit_code, "there is no override" in again.output) == (1, True)


def test_an_open_check_is_open_no_more_once_its_points_are_set(graded: Path):
    reports = read_reports(graded)
    first = reports[0].questions[0]
    broken = replace(first, checks=tuple(replace(one, cause=GRADER, state="open") for one in first.checks))
    publish(graded, [replace(reports[0], questions=(broken, *reports[0].questions[1:])), *reports[1:]])
    assert row(graded, "student-00")["3.1"] == ""
    command("student-00", "3.1", "10", "-o", graded, "--reason", "Our check failed.")
    assert row(graded, "student-00")["3.1"] == "10"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["student-0", "3.1", "7"], "no submission 'student-0'; did you mean student-0"),
        (["student-00", "9.9", "7"], "there is no question '9.9'; there are 3.1, 3.1b, 3.2"),
        (["student-00", "3.1", "11"], "3.1 can give 0 to 10 points in its checks, so 11 cannot be set"),
        (["student-00", "3.1", "nan"], "so nan cannot be set"),
        (["student-00", "3.1", "7", "--check", "no"], "3.1 has no check 'no'; there are 'each token"),
        (["student-00", "3.1", "7", "--written"], "3.1 has no written answer"),
        (["student-00", "3.1", "7", "--reason", " "], "give a reason"),
        (["student-00"], "give SUBMISSION, QUESTION and POINTS"),
    ],
)
def test_what_cannot_be_set_is_refused_with_what_can(graded: Path, arguments: list[str], says: str):
    why = [] if "--reason" in arguments else ["--reason", "x"]
    done = command(*arguments, *why, "-o", graded)
    assert done.exit_code != 0
    assert says in " ".join(done.output.split())
    assert Overrides(graded).hold() == []


def test_who_decides_is_one_of_the_staff_that_the_course_lists(graded: Path):
    (graded / "course.toml").write_text('[course]\nstaff = ["Ada", "Ben"]\n', encoding="utf-8")
    done = command("student-00", "3.1", "7", "-o", graded, "--reason", "x", "--by", "Eve")
    assert (done.exit_code, "lists Ada, Ben" in done.output) == (2, True)
    assert command("student-00", "3.1", "7", "-o", graded, "--reason", "x", "--by", "Ben").exit_code == 0
    assert Overrides(graded).hold()[0].by == "Ben"


def test_hostile_names_and_reasons_are_names_and_reasons(tmp_path: Path):
    name = "--undo; =HYPERLINK(1) \x1b[31m'); DROP TABLE overrides;--"
    folder = tmp_path / "graded"
    reports = [replace(one, submission=name) for one in example_results.write(folder, 1)]
    (folder / "submissions" / "student-00").rename(folder / "submissions" / name)
    publish(folder, reports)
    done = command("-o", folder, "--reason", "=1+1\x1b[2J", "--", name, "3.1", "4")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    (found,) = Overrides(folder).hold()
    assert (found.submission, found.points) == (name, 4)
    listed = command("--list", "-o", folder).output
    assert "\x1b" not in listed
    assert "\\x1b[2J" in listed
    assert row(folder, f"'{name}")["3.1"] == "4"  # guarded, as a spreadsheet would take it for a formula
    (folder / "submissions" / name).rename(folder / "submissions" / "another")
    publish(folder, [replace(one, submission="another") for one in reports])
    assert "matches nothing in the current results" in command("--list", "-o", folder).output
