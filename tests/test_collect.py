"""From learning platforms to the folder that ``grade`` takes, and grades back again."""

from __future__ import annotations

import csv
import io
import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autograder.cli.main import main
from autograder.lms import canvas, files, gradescope, handback, moodle
from autograder.lms.late import LatePolicy, late_days
from autograder.lms.people import Person, read_manifest
from autograder.submissions.find import find
from tests.platforms import notebook, zipped

NOTEBOOK = notebook("x = 1")
CANVAS = {
    "doejane_1234_56789_hw3_hand_designed-1.ipynb": NOTEBOOK,
    "doejane_1234_56790_submission_log-1.json": "{}",
    "garcíaluz_LATE_77_60001_my homework.ipynb": NOTEBOOK,
    "leesam2_88_60002_hw3.zip": zipped(
        {
            "deep/hw3.ipynb": NOTEBOOK,
            "deep/submission_log.json": "{}",
            "__MACOSX/._hw3.ipynb": "x",
            "photo.png": b"1",
        }
    ),
    "anon_aB3x_60003_hw3.ipynb": NOTEBOOK,
    "LATE_anon_zz9_60004_hw3.ipynb": NOTEBOOK,
    "index.html": "what is this",
}
MOODLE = {
    "Jane Doe_4711_assignsubmission_file_/hw3_hand_designed.ipynb": NOTEBOOK,
    "Jane Doe_4711_assignsubmission_file_/submission_log.json": "{}",
    "Jane Doe_4711_assignsubmission_onlinetext_/onlinetext.html": "<p>see file</p>",
    "José_María Núñez_4712_assignsubmission_file/hw3.ipynb": NOTEBOOK,
    "Sam Lee_4713_assignsubmission_file_hw3.ipynb": NOTEBOOK,
    "readme.txt": "no",
}
METADATA = """\
---
submission_101:
  :submitters:
  - :name: Jane Doe
    :sid: '900'
    :email: jane@example.edu
  - :name: Sam Lee
    :sid:
    :email: sam@example.edu
  :created_at: 2026-11-03 23:50:00.123456000 -08:00
  :score: 0.0
  :history:
  - :created_at: !ruby/object:ActiveSupport::TimeWithZone
      utc: 2026-11-01 00:00:00.000000000 Z
submission_102:
  :submitters: []
"""
GRADESCOPE = {
    "assignment_9_export/submission_metadata.yml": METADATA,
    "assignment_9_export/submission_101/hw3.ipynb": NOTEBOOK,
    "assignment_9_export/submission_101/submission_log.json": "{}",
    "assignment_9_export/submission_102/hw3.ipynb": NOTEBOOK,
    "assignment_9_export/submission_999/hw3.ipynb": NOTEBOOK,
}
WORKSHEET = """\
\ufeffIdentifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed",\
"Last modified (submission)","Last modified (grade)","Feedback comments"
"Participant 4711","Jane Doe",jane@example.edu,"Submitted for grading",,\
100.00,Yes,"Tuesday, 3 November 2026, 11:58 PM",-,
"Participant 4712","José María Núñez",jose@example.edu,"Submitted for grading",,\
100.00,Yes,"Thursday, 5 November 2026, 12:30 AM",-,
"Participant 4713","Sam Lee",sam@example.edu,"Submitted for grading",,\
100.00,No,"Tuesday, 3 November 2026, 1:00 PM",-,"well, done"
"Participant 4799","No Body",no@example.edu,"No submission",,100.00,Yes,-,-,
"""
GRADEBOOK = """\
Student,ID,SIS User ID,SIS Login ID,Section,Homework 2 (501),Homework 3 (502),Final Score
,,,,,Manual Posting,,
    Points Possible,,,,,100,100,(read only)
"Doe, Jane",1234,S1,jdoe,"Fall, A",90,,90
"García, Luz",77,S2,lgarcia,B,80,12,80
"Lee, Sam",88,S3,slee,B,70,,70
"Body, No",99,S9,nobody,B,,,
"Student, Test",5,,x,B,,,
"""


def write_zip(path: Path, files: dict) -> Path:
    path.write_bytes(zipped(files))
    return path


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def grades(points: dict[str, float], **more: str) -> str:
    heads = [
        "submission",
        "homework",
        "status",
        "source",
        "points",
        "maximum",
        "3.1",
        "3.7",
        "3.7 written",
        "notes",
    ]
    rows = [
        [name, "hw3", "graded", "run", value, 100, 1, 2, more.get("written", "4"), ""]
        for name, value in points.items()
    ]
    text = io.StringIO()
    csv.writer(text).writerows([heads, *rows])
    return text.getvalue()


@pytest.mark.parametrize("unpacked", [False, True], ids=["zip", "unpacked zip"])
def test_canvas_names_are_understood(unpacked: bool, tmp_path: Path):
    source = write_zip(tmp_path / "submissions.zip", CANVAS)
    if unpacked:
        with zipfile.ZipFile(source) as archive:
            archive.extractall(tmp_path / "unpacked")
        source = tmp_path / "unpacked"
    found = canvas.read(source)
    assert {(one.submission, one.id, one.late) for one in found.people} == {
        ("doejane-1234", "1234", "no"), ("garcíaluz-77", "77", "yes"), ("leesam2-88", "88", "no"),
        ("anon-aB3x", "aB3x", "no"), ("anon-zz9", "zz9", "yes"),
    }  # fmt: skip
    assert sorted(found.files["doejane-1234"]) == [
        "hw3_hand_designed-1.ipynb",
        "submission_log.json",
    ], "a second upload's log keeps its name"
    assert sorted(found.files["leesam2-88"]) == ["hw3.ipynb", "submission_log.json"]
    assert (
        found.left
        == [
            "leesam2-88: photo.png (not a notebook, log or checkpoint)",
            "index.html (not named as Canvas does)",
        ]
        or unpacked
    )
    assert len(found.left) == 2


def test_moodle_names_are_understood_with_and_without_folders(tmp_path: Path):
    found = moodle.read(write_zip(tmp_path / "m.zip", MOODLE))
    assert {(one.submission, one.id, one.name) for one in found.people} == {
        ("Jane-Doe-4711", "4711", "Jane Doe"),
        ("José_María-Núñez-4712", "4712", "José_María Núñez"),
        ("Sam-Lee-4713", "4713", "Sam Lee"),
    }
    assert sorted(found.files["Jane-Doe-4711"]) == ["hw3_hand_designed.ipynb", "submission_log.json"]
    assert len(found.left) == 2


def test_a_folder_of_repositories(tmp_path: Path):
    for user, when in (("jane", "2026-11-03T12:00:00+00:00"), ("sam-lee", "2026-11-05T12:00:00+00:00")):
        repository = tmp_path / "all" / f"hw-3-{user}"
        (repository / "notebooks").mkdir(parents=True)
        (repository / "notebooks" / "hw3.ipynb").write_text(NOTEBOOK)
        (repository / "README.md").write_text("x")
        environment = {
            "GIT_COMMITTER_DATE": when,
            "GIT_AUTHOR_DATE": when,
            "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin",
        }
        author = ["-c", "user.name=x", "-c", "user.email=x@example.edu"]
        for arguments in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "done"]):
            subprocess.run(["git", *arguments], cwd=repository, env=environment, check=True)
    (tmp_path / "all" / "other").mkdir()
    result = command(
        "collect",
        tmp_path / "all",
        "--from",
        "github",
        "--prefix",
        "hw-3-",
        "-o",
        tmp_path / "out",
        "--due",
        "2026-11-04T00:00+00:00",
    )
    assert result.exit_code == 0, result.output
    assert "other (not a repository called hw-3-…)" in result.output
    people = {one.id: one for one in read_manifest(tmp_path / "out" / "collected.csv")}
    assert {name: (one.submission, one.late_days) for name, one in people.items()} == {
        "jane": ("hw-3-jane", "0"),
        "sam-lee": ("hw-3-sam-lee", "2"),
    }


def test_a_gradescope_export_with_a_group_and_rubys_tags(tmp_path: Path):
    found = gradescope.read(write_zip(tmp_path / "g.zip", GRADESCOPE))
    assert [(one.submission, one.id, one.email) for one in found.people] == [
        ("submission_101", "900", "jane@example.edu"),
        ("submission_101", "sam@example.edu", "sam@example.edu"),
    ]
    assert found.people[0].submitted.startswith("2026-11-03T23:50:00.123456")
    assert any("submission_102 (the metadata names no submitter)" in line for line in found.left)
    assert any("submission_999" in line for line in found.left)
    with pytest.raises(ValueError, match="no submission_metadata"):
        gradescope.read(write_zip(tmp_path / "none.zip", {"a/b.ipynb": NOTEBOOK}))


@pytest.mark.parametrize(
    ("platform", "given"), [("canvas", CANVAS), ("moodle", MOODLE), ("gradescope", GRADESCOPE)]
)
def test_what_is_collected_is_what_grade_finds_under_the_same_names(
    platform: str, given: dict, tmp_path: Path
):
    source = write_zip(tmp_path / "s.zip", given)
    result = command("collect", source, "--from", platform, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    people = read_manifest(tmp_path / "out" / "collected.csv")
    found = {one.name: one for one in find([tmp_path / "out"]).submissions}
    assert {one.submission for one in people} <= set(found)
    assert all(one.notebook and not one.problem for one in found.values())
    again = command("collect", source, "--from", platform, "-o", tmp_path / "out")
    assert again.exit_code == 1
    assert "not empty" in again.output


def test_a_zip_cannot_write_outside_the_folder_or_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    evil = zipped({"../../evil.ipynb": NOTEBOOK, "C:\\evil2.ipynb": NOTEBOOK, "a\x1b[31m.ipynb": NOTEBOOK})
    source = write_zip(
        tmp_path / "s.zip",
        {"eve_1_2_x.zip": evil, "max_3_4_../../hw3.ipynb": NOTEBOOK, "bad_5_6_y.zip": b"PK\x03\x04 no"},
    )
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10_000)
    result = command("collect", source, "--from", "canvas", "-o", tmp_path / "deep" / "out")
    assert result.exit_code == 0, result.output
    written = [path for path in tmp_path.rglob("*.ipynb") if path.is_file()]
    assert all(path.is_relative_to(tmp_path / "deep" / "out") for path in written)
    assert sorted(path.name for path in (tmp_path / "deep" / "out" / "eve-1").iterdir()) == [
        "a_[31m.ipynb".replace("[", "_"),
        "evil.ipynb",
        "evil2.ipynb",
    ]
    assert "not a zip file that can be read" in result.output
    large = canvas.read(write_zip(tmp_path / "l.zip", {"eve_1_2_x.ipynb": "x" * 20_000}))
    assert large.left == ["eve_1_2_x.ipynb (larger than 0 MB)"]


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
        "handback",
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
        "stranger: in grades.csv, but not collected",
        "4713: Moodle says that the grade cannot be changed",
        "4799: in the worksheet, but without",
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
        "handback",
        tmp_path / "grades.csv",
        "--to",
        "canvas",
        "--collected",
        tmp_path / "out" / "collected.csv",
    ]
    arguments += ["--file", tmp_path / "gradebook.csv", "--free-days", 0, "--penalty", 20]
    result = command(*arguments, "--column", "502", "-o", tmp_path / "upload.csv")
    assert result.exit_code == 0, result.output
    assert list(csv.reader((tmp_path / "upload.csv").read_text(encoding="utf-8").splitlines())) == [
        ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Homework 3 (502)"],
        ["", "", "", "", "", ""],
        ["    Points Possible", "", "", "", "", "100"],
        ["Doe, Jane", "1234", "S1", "jdoe", "Fall, A", "96.25"],
        ["García, Luz", "77", "S2", "lgarcia", "B", "50"],
    ]
    for told in (
        "garcíaluz-77: late, but by how much is not known, so nothing was taken off",
        "leesam2-88: collected, but not in grades.csv; it was graded as 1 submissions: leesam2-88-hw3",
        "aB3x: graded, but that id is not in the file of the platform",
        "Body, No: in the gradebook, but without a grade here; left out",
        "doejane-1234: written answers without points: 3.7",
    ):
        assert told in result.output, told
    wrong = command(*arguments, "--column", "Homework", "-o", tmp_path / "x.csv")
    assert wrong.exit_code == 1
    assert "assignments are: Homework 2 (501); Homework 3 (502)" in wrong.output


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
    result = command("handback", tmp_path / "grades.csv", *arguments)
    assert result.exit_code == 1
    assert says in result.output


def test_written_points_count_and_late_days_of_earlier_homeworks_are_used_up():
    found, notes = handback.totals(grades({"a": 10.0}))
    assert (found, notes) == ({"a": 14.0}, [])
    person = Person("a", "moodle", "1", late="yes", late_days="2")
    by_id, _ = handback.grades_by_id(found, [person], LatePolicy(3, 50), [person])
    assert by_id == {"1": 7.0}
