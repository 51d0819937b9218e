"""The list of grades that changed since the last run, and why."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import pytest

from autograder.cli.conclude import conclude
from autograder.cli.shared import Terminal
from autograder.grade import changes
from autograder.grade.grade import Settings
from autograder.grade.marks import Mark, Marks, digest
from autograder.grade.overrides import Overrides, made
from autograder.grade.report import Report
from autograder.grade.rubrics import Rubrics
from autograder.report.changes import CSV, PAGE
from tests import example_results

SETTINGS = Settings("the first seed")
pages_here = example_results.pages_here
pytestmark = pytest.mark.usefixtures("pages_here")


@pytest.fixture
def reports(tmp_path: Path) -> list[Report]:
    return example_results.write(tmp_path / "graded", 2)


def run(folder: Path, reports: list[Report], settings: Settings = SETTINGS) -> str:
    console = Terminal(width=110, record=True, file=io.StringIO())
    conclude(console, folder, reports, [], "words", settings)
    return console.export_text()


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / CSV).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def with_full_first(report: Report) -> Report:
    """The report with all of its first question right."""
    first = report.questions[0]
    right = tuple(replace(one, state="passed", points=one.maximum, cause="") for one in first.checks)
    return replace(report, questions=(replace(first, checks=right), *report.questions[1:]))


def test_the_first_run_has_nothing_to_compare_and_an_equal_one_says_so(tmp_path: Path, reports: list[Report]):
    folder = tmp_path / "graded"
    assert "changed since" not in run(folder, reports)
    assert not (folder / CSV).exists()
    assert "No grades changed since the last run." in run(folder, reports)
    assert rows(folder) == []
    assert "No grade changed in this run." in (folder / PAGE).read_text(encoding="utf-8")
    assert SETTINGS.seed not in (folder / changes.FILE).read_text(encoding="utf-8")


@pytest.mark.parametrize("step", ["publish_pages", "_tell_changes", "_tell_faults"])
def test_a_run_that_was_stopped_while_it_wrote_pages_loses_no_change(
    step: str, tmp_path: Path, reports: list[Report], monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "graded"
    run(folder, reports)
    again = [replace(with_full_first(reports[0]), digest="another"), reports[1]]

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"autograder.cli.conclude.{step}", stopped)
        with pytest.raises(KeyboardInterrupt):
            run(folder, again)
    assert "student-00, hw3 3.1: 0 → 10 (new submission)" in run(folder, again)
    assert len(rows(folder)) == 1


def test_each_reason_is_told_in_words_on_the_terminal_in_the_csv_and_on_the_page(
    tmp_path: Path, reports: list[Report], monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "graded"
    run(folder, reports)
    better = [with_full_first(reports[0]), reports[1]]
    again = [replace(better[0], digest="another"), better[1]]
    assert "student-00, hw3 3.1: 0 → 10 (new submission)" in run(folder, again)
    assert "student-00, hw3 3.1: 10 → 0 (other seed)" in run(
        folder, [replace(reports[0], digest="another"), reports[1]], replace(SETTINGS, seed="another")
    )
    monkeypatch.setattr("autograder.grade.changes.grader_version", lambda: "the next")
    told = run(folder, again, replace(SETTINGS, seed="another"))
    assert "1 grade has changed since the last run" in told
    assert "student-00, hw3 3.1: 0 → 10 (changed check) [each token looks at its own kind, " in told
    Overrides(folder).set(made(again[1], "3.2", "", 3, "We misread it.", "Ada"))
    told = run(folder, again, replace(SETTINGS, seed="another"))
    assert "(override: We misread it.)" in told
    Overrides(folder).take_back("student-01", "3.2", "")
    assert "(an override was taken back)" in run(folder, again, replace(SETTINGS, seed="another"))
    answer = next(one for one in again[0].questions if one.id == "3.7")
    Marks(folder).save(Mark("student-00", "3.7", digest(answer.answer), (), 6, "", "Ada"))
    assert "(written answer graded by a person)" in run(folder, again, replace(SETTINGS, seed="another"))
    shared = Rubrics(folder)
    rubric = shared.rubric("hw3", "3.7")
    assert rubric is not None
    mark = shared.get("student-00", "3.7")
    assert mark is not None
    shares = tuple(1.0 for _ in rubric.items)
    shared.save(replace(mark, rubric=shares, points=rubric.points(shares)))
    run(folder, again, replace(SETTINGS, seed="another"))
    (words, worth), *others = rubric.items
    shared.edit(rubric, "3.7", [(words, worth - 1), *others], "Ada")
    assert "(the rubric was edited)" in run(folder, again, replace(SETTINGS, seed="another"))
    reasons = [one["why"] for one in rows(folder)]
    assert reasons[0] == "new submission"
    assert reasons[-2:] == ["written answer graded by a person", "the rubric was edited"]
    page = (folder / PAGE).read_text(encoding="utf-8")
    assert 'href="submissions/student-00/feedback.html"' in page
    assert "the rubric was edited" in page


def test_submissions_that_come_and_go_and_other_points_of_the_course(tmp_path: Path, reports: list[Report]):
    folder = tmp_path / "graded"
    run(folder, reports)
    newcomer = replace(reports[0], submission="=late <b>comer")
    told = run(folder, [reports[0], newcomer])
    assert "=late <b>comer, hw3: – → " in told
    assert "student-01, hw3: " in told
    assert "(no longer among the submissions)" in told
    assert rows(folder)[0]["submission"] == "'=late <b>comer"
    assert "<b>comer" not in (folder / PAGE).read_text(encoding="utf-8")
    first = reports[0].questions[0]
    doubled = tuple(replace(one, points=2 * one.points, maximum=2 * one.maximum) for one in first.checks)
    other = replace(reports[0], questions=(replace(first, checks=doubled), *reports[0].questions[1:]))
    worth = f"worth {2 * first.maximum:g} points instead of {first.maximum:g}"
    assert f"3.1: 0 → 0 (course.toml; {worth})" in run(
        folder, [other, newcomer], replace(SETTINGS, course="{}")
    )


def test_a_question_that_is_left_out_is_gone_and_not_open(tmp_path: Path, reports: list[Report]):
    folder = tmp_path / "graded"
    run(folder, reports)
    fewer = [replace(one, questions=one.questions[1:]) for one in reports]
    assert "student-00, hw3 3.1: 0 → – (left out by course.toml" in run(folder, fewer)
    assert "0 → –" in (folder / PAGE).read_text(encoding="utf-8")
    assert "student-00, hw3 3.1: – → 0 (a question of its own now)" in run(folder, reports)


def test_what_an_earlier_version_or_a_stranger_left_is_not_compared(tmp_path: Path, reports: list[Report]):
    folder = tmp_path / "graded"
    for text in ("", "[]", '{"form": 0, "submissions": {}}', '{"form": 1, "submissions": 3}'):
        (folder / changes.FILE).write_text(text, encoding="utf-8")
        assert changes.read(folder) is None
