"""``handback --feedback``: each student's page in the form that Canvas, Moodle and Brightspace take back."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from autograder.lms import blackboard, brightspace, canvas, moodle, sakai
from autograder.lms.feedback_zip import feedback_zip, grouped
from autograder.lms.people import Person, read_manifest, write_manifest
from tests.test_collect import CANVAS, GRADEBOOK, MOODLE, NOTEBOOK, command, write_zip

BRIGHTSPACE = {
    "110513-82432 - Jane Doe - Nov 3, 2026 1150 PM/hw3.ipynb": NOTEBOOK,
    "110514-82432 - Sam Lee - Nov 4, 2026 1250 AM - hw3.ipynb": NOTEBOOK,
}


def pages(folder: Path, names: list[str]) -> Path:
    for name in names:
        own = folder / "submissions" / name
        own.mkdir(parents=True)
        (own / "feedback.html").write_text(f"<p>{name}</p>", encoding="utf-8")
    return folder


def names(data: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@pytest.mark.parametrize(
    ("platform", "files", "expected"),
    [
        (
            "canvas",
            CANVAS,
            {
                "doejane_1234_56789_feedback.html": "doejane-1234",
                "garcíaluz_LATE_77_60001_feedback.html": "garcíaluz-77",
                "anon_aB3x_60003_feedback.html": "anon-aB3x",
                "LATE_anon_zz9_60004_feedback.html": "anon-zz9",
            },
        ),
        (
            "moodle",
            MOODLE,
            {
                "Jane Doe_4711_assignsubmission_file_/feedback.html": "Jane-Doe-4711",
                # Moodle cuts at underscores, so a name may not hold one
                "José María Núñez_4712_assignsubmission_file_/feedback.html": "José_María-Núñez-4712",
            },
        ),
        (
            "brightspace",
            BRIGHTSPACE,
            {
                "110513-82432 - Jane Doe - Nov 3, 2026 1150 PM/feedback.html": "110513",
                "110514-82432 - Sam Lee - Nov 4, 2026 1250 AM/feedback.html": "110514",
            },
        ),
    ],
)
def test_a_page_goes_back_under_the_name_by_which_the_platform_knows_its_student(
    tmp_path: Path, platform: str, files: dict, expected: dict[str, str]
):
    read = {"canvas": canvas.read, "moodle": moodle.read, "brightspace": brightspace.read}[platform]
    found = read(write_zip(tmp_path / "class.zip", files))
    write_manifest(found.people, tmp_path / "collected.csv")
    people = read_manifest(tmp_path / "collected.csv")
    packed, count, notes = feedback_zip(platform, people, pages(tmp_path, [one.submission for one in people]))
    made = names(packed)
    assert (count, notes) == (len(people), [])
    for name, submission in expected.items():
        assert made[name] == f"<p>{submission}</p>"


def test_who_cannot_be_reached_is_said_and_no_page_leaves_the_folder_of_results(tmp_path: Path):
    folder = pages(tmp_path / "graded", ["jane"])
    (tmp_path / "feedback.html").write_text("not a page", encoding="utf-8")
    people = [
        Person("jane", "canvas", "1"),
        Person("sam", "canvas", "2", handle="sam_2_3_hw3.ipynb"),
        Person("../..", "canvas", "4", handle="x_4_5_hw3.ipynb"),
    ]
    packed, count, notes = feedback_zip("canvas", people, folder)
    assert (names(packed), count) == ({}, 0)
    assert "jane: canvas's own name of the submission is not in collected.csv" in notes[1]
    assert notes[2] == "sam: there is no feedback page"
    assert notes[0] == "../..: there is no feedback page"


def test_lines_to_look_at_are_grouped_and_what_could_not_be_read_comes_first():
    assert grouped(
        [
            "a: written answers without points: 3.7",
            "b: written answers without points: 3.7",
            "c: unreadable",
            "b: graded with problems",
            "d: unreadable",
            "without a name",
        ]
    ) == [
        "unreadable (2): c; d",
        "written answers without points: 3.7 (2): a; b",
        "b: graded with problems",
        "without a name",
    ]


def test_canvas_gets_grades_and_pages_by_the_course_and_late_is_said_without_a_due_time(tmp_path: Path):
    done = command(
        "collect", write_zip(tmp_path / "c.zip", CANVAS), "--from", "canvas", "-o", tmp_path / "in"
    )
    assert done.exit_code == 0, done.output
    late = done.output.partition(
        "Late according to canvas (to count late days, give --due or a due time in course.toml):"
    )[2]
    assert late.split()[:2] == ["anon-zz9", "garcíaluz-77"] or "garcíaluz-77" in late
    graded = pages(tmp_path / "graded", ["doejane-1234", "garcíaluz-77"])
    rows = "submission,homework,status,points\ndoejane-1234,hw3,graded,90\ngarcíaluz-77,hw3,unreadable,\n"
    (graded / "grades.csv").write_text(rows, encoding="utf-8")
    course = '[platform]\nname = "canvas"\n[hw3]\ncolumn = "502"\n'
    (graded / "course.toml").write_text(course, encoding="utf-8")
    (tmp_path / "book.csv").write_text(GRADEBOOK, encoding="utf-8")
    done = command(
        "export-grades",
        graded / "grades.csv",
        "--collected",
        tmp_path / "in",
        "--file",
        tmp_path / "book.csv",
        "-o",
        tmp_path / "upload.csv",
        "--feedback",
        tmp_path / "pages.zip",
    )
    assert done.exit_code == 0, done.output
    looked = done.output.partition("Check these before you upload:\n")[2].splitlines()
    assert looked[0].strip() == "garcíaluz-77: unreadable, so the grade is open; grades.csv says why"
    assert any("imported, but not in grades.csv (3)" in line for line in looked)
    assert "Homework 3 (502)" in (tmp_path / "upload.csv").read_text(encoding="utf-8")
    assert "2 of 2 feedback pages" in done.output
    assert len(names((tmp_path / "pages.zip").read_bytes())) == 2


@pytest.mark.parametrize(
    ("fill", "table", "column"),
    [
        (blackboard.fill, "Username,Homework 3 [Total Pts: 100]|502\njdoe,\n", {"column": "502"}),
        (
            brightspace.fill,
            "Username,Homework 3 Points Grade <Numeric>,End-of-Line Indicator\njdoe,,#\n",
            {"column": "Homework 3"},
        ),
        (sakai.fill, "Homework 3,Points\n\nDisplay ID,ID,Last Name,First Name,grade\njdoe,jdoe,D,J,\n", {}),
    ],
)
def test_an_open_grade_leaves_the_cell_empty_on_every_platform(fill, table: str, column: dict[str, str]):
    made = fill(table, {"jdoe": None}, **column)
    assert "None" not in made.text
    assert made.matched == 0


def test_a_manifest_of_an_earlier_version_is_still_read(tmp_path: Path):
    old = "submission,source,id,name,email,submitted,late,late_days\njane,canvas,1,Jane,,,no,\n"
    (tmp_path / "collected.csv").write_text(old, encoding="utf-8")
    assert read_manifest(tmp_path / "collected.csv") == [Person("jane", "canvas", "1", "Jane", late="no")]
