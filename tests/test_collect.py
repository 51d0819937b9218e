"""From learning platforms to the folder that ``grade`` takes, and grades back again."""

from __future__ import annotations

import csv
import io
import subprocess
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autograder.cli.main import main
from autograder.lms import canvas, files, gradescope, moodle
from autograder.lms.people import read_manifest
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
        "a_31m.ipynb",
        "evil.ipynb",
        "evil2.ipynb",
    ]
    assert "not a zip file that can be read" in result.output
    large = canvas.read(write_zip(tmp_path / "l.zip", {"eve_1_2_x.ipynb": "x" * 20_000}))
    assert large.left == ["eve_1_2_x.ipynb (larger than 0 MB)"]


@pytest.mark.parametrize("platform", ["canvas", "moodle", "gradescope", "blackboard"])
def test_a_download_whose_directory_is_damaged_is_told_in_one_sentence(platform: str, tmp_path: Path):
    source = write_zip(tmp_path / "s.zip", {"eve_1_2_hw3.ipynb": NOTEBOOK, "max_3_4_hw3.ipynb": NOTEBOOK})
    source.write_bytes(source.read_bytes().replace(b"PK\x01\x02", b"PK\x01\x01"))
    result = command("collect", source, "--from", platform, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "the zip cannot be read" in result.output
    assert "download it again" in result.output
