"""Late days, and grades back into the files of Canvas and Moodle."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autograder.lms import handback
from autograder.lms.late import LatePolicy, late_days
from autograder.lms.people import Person
from tests.test_collect import CANVAS, GRADEBOOK, MOODLE, WORKSHEET, command, grades, write_zip

# late days --------------------------------------------------------------------------------------------------


DUE = datetime(2026, 11, 3, 23, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("submitted", "days"),
    [
        ("2026-11-03T23:58:59+00:00", 0),
        ("2026-11-03T23:59:00+00:00", 0),
        ("2026-11-04T00:04:00+00:00", 0),
        ("2026-11-04T00:04:01+00:00", 1),
        ("2026-11-04T23:59:00+00:00", 1),
        ("2026-11-04T23:59:01+00:00", 2),
        ("2026-11-03T18:00:00-08:00", 1),
        ("2026-11-05T00:10:00", 2),
        ("Wednesday, 4 November 2026, 12:30 AM", 1),
        ("Wednesday, November 4, 2026, 12:30 AM", 1),
    ],
)
def test_a_late_day_is_each_24_hours_begun_after_the_due_time_beyond_the_grace(submitted: str, days: int):
    assert late_days(submitted, DUE, timedelta(minutes=5)) == days


def test_the_late_policy_uses_up_free_days_then_takes_percents_then_all():
    policy = LatePolicy(free=3, penalty=10, most=5)
    assert policy.points(80, 2) == 80
    assert policy.points(80, 2, used=2) == 72
    assert policy.points(80, 4) == 72
    assert policy.points(80, 3, used=9) == 56
    assert policy.points(80, 6) == 0
    assert LatePolicy(0, 60).points(80, 2) == 0
    assert (
        str(policy) == "A late day is each 24 hours begun after the due time. 3 late days a term are free; "
        "each further one costs 10% of the points; more than 5 late days give 0 points."
    )


# back -------------------------------------------------------------------------------------------------------


def test_moodle_there_and_back_with_late_days(tmp_path: Path):
    (tmp_path / "worksheet.csv").write_text(WORKSHEET, encoding="utf-8")
    source = write_zip(tmp_path / "m.zip", MOODLE)
    result = command(
        "collect",
        source,
        "--from",
        "moodle",
        "-o",
        tmp_path / "out",
        "--times",
        tmp_path / "worksheet.csv",
        "--due",
        "2026-11-03T23:59",
    )
    assert result.exit_code == 0, result.output
    assert "José_María-Núñez-4712: 2 days" in result.output
    points = {"Jane-Doe-4711": 90.0, "José_María-Núñez-4712": 80.0, "Sam-Lee-4713": 70.5, "stranger": 1.0}
    (tmp_path / "grades.csv").write_text(grades(points), encoding="utf-8")
    arguments = [
        "export-grades",
        tmp_path / "grades.csv",
        "--to",
        "moodle",
        "--collected",
        tmp_path / "out",
        "--file",
        tmp_path / "worksheet.csv",
    ]
    result = command(*arguments, "--free-days", 1, "--penalty", 10, "-o", tmp_path / "upload.csv")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "upload.csv").read_text(encoding="utf-8")
    assert text.startswith("\ufeff"), "Moodle wrote a mark and gets it back"
    before = list(csv.reader(io.StringIO(WORKSHEET.lstrip("\ufeff"))))
    after = list(csv.reader(io.StringIO(text.lstrip("\ufeff"))))
    assert [row[4] for row in after[1:]] == ["94.00", "75.60", "", ""]
    assert [row[:4] + row[5:] for row in after] == [row[:4] + row[5:] for row in before]
    for told in (
        "stranger: in grades.csv, but not imported",
        "4713: Moodle says that the grade cannot be changed",
        "4799: in the worksheet, but it has no grade",
    ):
        assert told in result.output
    assert "84 points become 75.6" in result.output
    assert "1 late days a term are free; each further one costs 10%" in result.output


def test_canvas_there_and_back(tmp_path: Path):
    command("collect", write_zip(tmp_path / "c.zip", CANVAS), "--from", "canvas", "-o", tmp_path / "out")
    (tmp_path / "gradebook.csv").write_text("\ufeff" + GRADEBOOK, encoding="utf-8")
    points = {"doejane-1234": 96.25, "garcíaluz-77": 50.0, "leesam2-88-hw3": 1.0, "anon-aB3x": 3.0}
    (tmp_path / "grades.csv").write_text(grades(points, written=""), encoding="utf-8")
    arguments = [
        "export-grades",
        tmp_path / "grades.csv",
        "--to",
        "canvas",
        "--collected",
        tmp_path / "out" / "collected.csv",
    ]
    arguments += ["--file", tmp_path / "gradebook.csv", "--free-days", 0, "--penalty", 20]
    result = command(*arguments, "--column", "502", "-o", tmp_path / "upload.csv")
    assert result.exit_code == 0, result.output
    assert list(csv.reader((tmp_path / "upload.csv").read_text(encoding="utf-8-sig").splitlines())) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Homework 3 (502)"],
        ["", "", "", "", "", ""],
        ["    Points Possible", "", "", "", "", "100"],
        ["Doe, Jane", "1234", "S1", "jdoe", "Fall, A", ""],  # written answers are open
        ["García, Luz", "77", "S2", "lgarcia", "B", ""],
    ]
    for told in (
        "garcíaluz-77: late, but by an unknown time, so no points are deducted",
        "leesam2-88: imported, but not in grades.csv; it was graded as 1 submissions: leesam2-88-hw3",
        "aB3x: graded, but that id is not in the file of the platform",
        "in the gradebook, but it has no grade here; left out (3): Lee, Sam; Body, No; Student, Test",
        "written answers without points: 3.7 (4): doejane-1234; garcíaluz-77; leesam2-88-hw3; anon-aB3x",
    ):
        assert told in result.output, told
    wrong = command(*arguments, "--column", "Homework", "-o", tmp_path / "x.csv")
    assert wrong.exit_code == 1
    assert "there are: Homework 2 (501); Homework 3 (502)" in wrong.output


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ({"grades.csv": "a,b\n1,2\n"}, "not a grades.csv"),
        ({"grades.csv": grades({"x": 1}).replace(",run,1", ",run,many")}, "points must be numbers"),
        ({"collected.csv": "a,b\n1,2\n"}, "is not a collected.csv"),
        ({"theirs.csv": "a,b\n1,2\n"}, "not a grading worksheet"),
    ],
)
def test_a_wrong_file_is_named(spoil: dict[str, str], says: str, tmp_path: Path):
    given = {
        "grades.csv": grades({"x": 1.0}),
        "collected.csv": "submission,source,id,name,email,submitted,late,late_days\n",
        "theirs.csv": WORKSHEET,
    }
    for name, text in (given | spoil).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    arguments = [
        "--to",
        "moodle",
        "--collected",
        tmp_path / "collected.csv",
        "--file",
        tmp_path / "theirs.csv",
        "-o",
        tmp_path / "out.csv",
    ]
    result = command("export-grades", tmp_path / "grades.csv", *arguments)
    assert result.exit_code == 1
    assert says in result.output


def test_written_points_count_and_late_days_of_earlier_homeworks_are_used_up():
    found, notes = handback.totals(grades({"a": 10.0}))
    assert (found, notes) == ({"a": 14.0}, [])
    person = Person("a", "moodle", "1", late="yes", late_days="2")
    by_id, _ = handback.grades_by_id(found, [person], LatePolicy(3, 50), [person])
    assert by_id == {"1": 7.0}
