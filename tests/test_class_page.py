"""The class report's first screen, its table of students, its mistakes, and a page for each homework."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autograder.declare import homeworks
from autograder.grade.report import CheckResult, QuestionResult, Report, Request
from autograder.report import class_report, overview, student_rows
from autograder.report.mistakes import by_question, mistakes
from autograder.report.publish import publish
from tests.example_results import pages_here as pages_here

ASKED = homeworks()["hw1"].questions["1.4"]
PARTS = ("the mean", "the variance", "the scale")


def why_scaled(name: str, *says: str, **more) -> Report:
    """A report of 1.4 whose first checks failed with these words; an empty word is a check that passed."""
    told = dict(zip(PARTS, says, strict=False))
    checks = tuple(
        CheckResult(check.name, "failed", 0.0, check.points, told[check.name], cause="wrong")
        if told.get(check.name)
        else CheckResult(check.name, "passed", check.points, check.points)
        for check in ASKED.checks
    )
    question = QuestionResult("1.4", ASKED.title, checks, "run")
    return Report(name, "hw1", "graded", (question,), **more)


def test_checks_of_one_answer_that_fail_together_are_one_mistake_with_two_examples():
    slip = ("", "The variance: `f` gives {}. The mean's part is missing.", "The scale: `f` gives {}, too.")
    class_ = [why_scaled(f"s{i}", *(text.format(i) for text in slip)) for i in range(4)]
    class_.append(why_scaled("s9", "", "", "The scale: 1/√d is right for μ = 0, σ = 1 only."))
    first, second = mistakes(class_)
    assert (first.submissions, first.checks) == (
        ("s0", "s1", "s2", "s3"),
        {"the variance": 4, "the scale": 4},
    )
    assert [name for name, _ in first.examples] == ["s0", "s1"]
    assert second.submissions == ("s9",)
    assert list(by_question([second, first])) == ["1.4"]


def test_a_mistake_that_the_homework_names_is_known_by_its_name():
    names = [says for entry in ASKED.entries for says in getattr(entry, "mistakes", {})]
    told = f"`sampled_statistics` gives 3 on 4 rows, expected 2. {names[0]}"
    check = CheckResult("mean and variance of samples", "failed", 0.0, 2.0, told, cause="wrong")
    other = replace(check, feedback=f"`sampled_statistics` fails differently on 9 rows. {names[0]}")
    class_ = [
        Report(name, "hw1", "graded", (QuestionResult("1.4", "t", (one,)),))
        for name, one in (("a", check), ("b", other))
    ]
    (found,) = mistakes(class_)
    assert (found.title, found.named, found.submissions) == (names[0], True, ("a", "b"))


def test_the_first_screen_has_median_spread_and_what_went_worst():
    shares = [0.1, 0.5, 0.6, 0.9, 1.0]
    found = overview.spread(shares)
    assert found == overview.Spread(0.6, 0.5, 0.9, 0.1, 1.0)
    assert overview.spread([]) is None
    slips = mistakes([why_scaled("a", "", "x"), why_scaled("b", "", "x")])
    means = [("1.1", "One", 1.0), ("1.2", "Two", None), ("1.4", "Why", 0.2), ("1.3", "Three", 0.5)]
    first, second = overview.worst(means, slips, [])
    assert (first.id, first.mistake, second.id, second.mistake) == ("1.4", slips[0], "1.3", None)


def test_the_hand_ins_to_open_come_from_each_reason_in_turn():
    lost = replace(
        why_scaled("lost"),
        questions=(
            QuestionResult("1.4", "t", (CheckResult("c", "failed", 0.0, 7.0, cause="not run here"),)),
        ),
    )
    class_ = [
        *(why_scaled(f"weak-{i}", *("x",) * (i + 1)) for i in range(3)),
        Report("broken", "", "unreadable", notes=("No JSON.",)),
        Report("broken too", "", "unreadable", notes=("No JSON.",)),
        why_scaled("asks", requests=(Request(1, "1.4", "Please."),)),
        lost,
    ]
    found = overview.to_open(class_, [("weak-0", "weak-1")])
    assert [one.report.submission for one in found] == ["broken", "asks", "lost", "weak-0", "broken too"]
    assert found[0].why == "could not be judged: No JSON."
    assert "not run here" in found[2].why
    assert found[3].why == "code nearly the same as weak-1"
    assert [(one.cause, one.submissions, one.points) for one in overview.causes(class_)] == [
        ("not run here", 1, 7.0)
    ]


@pytest.mark.parametrize(
    ("checks", "more", "text", "color"),
    [
        ([("passed", 4.0, "")], {}, "4", "l0"),
        ([("partly", 3.0, "wrong")], {}, "3", "l1"),
        ([("partly", 1.0, "wrong")], {}, "1", "l3"),
        ([("failed", 0.0, "wrong")], {}, "0", "l4"),
        ([("unanswered", 0.0, "unanswered")], {}, "–", "lx"),
        ([("passed", 4.0, ""), ("failed", 0.0, "not run here")], {}, "4!", "l2"),
        ([("passed", 4.0, ""), ("open", 0.0, "grader")], {}, "4?", "l0"),
        ([], {"written": "x", "written_points": 5.0}, "…", "lx"),
        ([], {"written": "x", "written_points": 5.0, "given": 5.0}, "5", "l0"),
    ],
)
def test_a_cell_says_in_text_what_its_color_says(checks: list, more: dict, text: str, color: str):
    results = tuple(CheckResult("c", state, earned, 4.0, cause=cause) for state, earned, cause in checks)
    assert student_rows.cell(QuestionResult("1.4", "t", results, **more)) == student_rows.Cell(text, color)


def test_of_a_large_class_the_table_has_those_with_the_fewest_points(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(student_rows, "MAX_ROWS", 2)
    class_ = [why_scaled("a", "x"), why_scaled("b"), why_scaled("c", "x", "x")]
    assert [row.name for row in student_rows.student_rows(class_)] == ["a", "c"]


def test_each_homework_has_a_page_and_the_first_says_what_is_to_do_in_each(tmp_path: Path, pages_here: None):
    passed = (CheckResult("c", "passed", 1.0, 1.0),)
    other = Report("bob", "hw3", "graded", (QuestionResult("3.1", "t", passed),))
    broken = Report("<b>lost", "", "unreadable", notes=("No.",))
    publish(tmp_path, [why_scaled("ann", "", "x"), other, broken])
    names = {path.name for path in tmp_path.glob("*report.html")}
    assert names == {"report.html", "hw1-report.html", "hw3-report.html"}
    first = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;lost" in first
    assert 'href="hw1-report.html#m-1.4"' in first
    for name in names:
        text = (tmp_path / name).read_text(encoding="utf-8")
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert len(ids) == len(set(ids))
        for page, anchor in re.findall(r'href="([\w-]*\.html)?#([^"]+)"', text):
            assert f'id="{anchor}"' in (tmp_path / (page or name)).read_text(encoding="utf-8"), anchor
    publish(tmp_path, [why_scaled("ann", "", "x")])
    assert {path.name for path in tmp_path.glob("*report.html")} == {"report.html"}


def test_the_class_report_grows_in_proportion_to_the_class(tmp_path: Path):
    rng = np.random.default_rng(0)

    def size(count: int) -> int:
        class_ = [
            why_scaled(f"s{i:05}", *("x" * int(part) for part in rng.integers(0, 2, 3))) for i in range(count)
        ]
        return len(class_report.page(class_, tmp_path, compare=False))

    small, large = size(500), size(4_000)
    assert large < 8.5 * small


def test_a_page_of_a_large_class_does_not_grow_with_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(student_rows, "MAX_ROWS", 20)
    monkeypatch.setattr(class_report, "MAX_LISTED", 30)
    class_ = [why_scaled(f"student-{i:05d}", "The mean: one slip.") for i in range(900)]
    page = class_report.page(class_, tmp_path, compare=False)
    assert "These are the first 30 by name. grades.csv has all 900." in page
    assert "… grades.csv has all of them." in page
    assert "900 ×" in page
    larger = class_report.page(
        [*class_, *(replace(one, submission=f"x{one.submission}") for one in class_)], tmp_path, compare=False
    )
    assert len(larger) < 1.05 * len(page)
