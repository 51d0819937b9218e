"""Regrade requests: read, matched, listed, answered, and on the feedback page."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autograder.cli.main import main
from autograder.grade.overrides import Overrides
from autograder.grade.requests import Requests
from autograder.grade.store import read_reports
from autograder.lms.people import Person, write_manifest
from tests import example_results

pages_here = example_results.pages_here
pytestmark = pytest.mark.usefixtures("pages_here")
HOSTILE = "<script>alert(1)</script> \x1b[31m please"


@pytest.fixture
def graded(tmp_path: Path) -> Path:
    example_results.write(tmp_path / "graded", 3)
    return tmp_path / "graded"


def command(graded: Path, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["regrades", "-o", str(graded), *map(str, arguments)])


def page(graded: Path, name: str = "student-00") -> str:
    return (graded / "submissions" / name / "feedback.html").read_text(encoding="utf-8")


def test_a_text_file_becomes_a_request_and_its_answer_feedback_with_new_points(graded: Path, tmp_path: Path):
    asked = tmp_path / "student-00.txt"
    asked.write_text(f"In 3.1 my matrix is right: {HOSTILE}", encoding="utf-8")
    done = command(graded, asked)
    assert done.exit_code == 0, done.output
    assert "1 new request, 0 already imported." in done.output
    assert "1. open, student-00 3.1: In 3.1 my matrix" in done.output
    assert "\x1b" not in done.output
    assert "Not answered yet" in page(graded)
    assert "<script>alert" not in page(graded)
    assert "0 new requests, 1 already imported." in command(graded, asked).output
    done = command(
        graded,
        "--answer",
        1,
        "--decision",
        "granted",
        "--points",
        7,
        "--reply",
        "You are right.",
        "--by",
        "Ada",
    )
    assert done.exit_code == 0, done.output
    assert "1 request, 0 open." in done.output
    assert re.search(r"student-00, 3.1: \d+ → 7 points\.(?! That)", done.output)
    assert "3.1 · granted" in page(graded)
    assert "You are right." in page(graded)
    (report,) = [one for one in read_reports(graded) if one.submission == "student-00"]
    assert (report.questions[0].points, report.requests[0].by) == (7, "Ada")
    with (graded / "grades.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["3.1"] == "7"


def test_an_answer_that_takes_points_away_says_so(graded: Path, tmp_path: Path):
    (tmp_path / "r.txt").write_text("Student: student-00\nQuestion: 3.1\n\nLook again.", encoding="utf-8")
    command(graded, tmp_path / "r.txt")
    answer = ["--answer", 1, "--decision", "partly granted", "--reply", "The mask is missing."]
    command(graded, *answer, "--points", 6)
    assert "student-00, 3.1: 6 → 5 points. That is fewer" in command(graded, *answer, "--points", 5).output


def test_a_platforms_table_is_matched_by_id_mail_or_name_and_what_is_not_is_listed(
    graded: Path, tmp_path: Path
):
    collected = tmp_path / "collected.csv"
    people = [
        Person("student-00", "canvas", "1234", "Doe, Jane", "jane@example.edu"),
        Person("student-01", "canvas", "77", "Same Name"),
        Person("student-02", "canvas", "78", "Same Name"),
    ]
    write_manifest(people, collected)
    table = tmp_path / "requests.csv"
    table.write_text(
        "Student;Question;Request\njane@example.edu;3.2;Please look\n77;Question 3.7;I wrote it\n"
        "Same Name;3.1;x\n"
        "nobody;3.1;x\n1234;9.9;x\n1234;;for 3.1 and 3.2\n77;Q3.2;same here\n77;3.1;\n;3.1;who am I\n",
        encoding="utf-8",
    )
    done = command(graded, table, "--collected", collected)
    assert done.exit_code == 0, done.output
    assert "4 new requests" in done.output
    kept = [(one.submission, one.request.question) for one in Requests(graded).kept()]
    assert kept == [("student-00", "3.2"), ("student-01", "3.7"), ("student-00", ""), ("student-01", "3.2")]
    assert "row 4: may be of student-01, student-02" in done.output
    assert "row 5: 'nobody' is no submission in grades.csv and nobody in collected.csv; give" in done.output
    assert "row 9: the request of '77' has no text" in done.output
    assert "row 10: nothing says whose it is; give the row a name in grades.csv" in done.output
    assert "row 6: there is no question '9.9' in student-00" in done.output
    written = tmp_path / "list.csv"
    command(graded, "--csv", written)
    assert "1,student-00,3.2,open,Please look" in written.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--answer", "9", "--decision", "granted", "--reply", "x"], "there is no request 9"),
        (["--answer", "1", "--decision", "declined"], "a reply is needed"),
        (["--answer", "1", "--decision", "granted", "--points", "7"], "a reply is needed"),
        (
            ["--answer", "1", "--decision", "granted", "--reply", "x", "--points", "11"],
            "3.1 can give 0 to 10 points",
        ),
        (["--answer", "1", "--points", "7", "--reply", "You are right."], "say what is decided: --decision"),
        (["--decision", "granted", "--reply", "x"], "an answer needs the number of its request: --answer"),
        (["--points", "7"], "an answer needs the number of its request: --answer"),
        (
            ["--answer", "1", "--decision", "declined", "--reply", "No.", "--points", "7"],
            "declined changes no points",
        ),
    ],
)
def test_an_answer_that_cannot_be_given_is_refused_and_changes_nothing(
    graded: Path, tmp_path: Path, arguments: list[str], says: str
):
    asked = tmp_path / "r.txt"
    asked.write_text("Student: student-01\nQuestion: 3.1\n\nLook again.", encoding="utf-8")
    command(graded, asked)
    done = command(graded, *arguments)
    assert done.exit_code in (1, 2), done.output
    assert says in done.output
    assert Requests(graded).one(1).request.decision == "open"
    assert not Overrides(graded).hold()


def test_an_empty_file_or_no_text_is_listed_not_taken(graded: Path, tmp_path: Path):
    (tmp_path / "student-00.txt").write_text("Question: 3.1\n", encoding="utf-8")
    (tmp_path / "student-01.txt").write_bytes(b"\xff\xfe\x00\x81")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    done = command(graded, *sorted(tmp_path.glob("*.[tc]*")))
    assert done.exit_code == 0, done.output
    assert "holds no request" in done.output
    assert "is no UTF-8 text and no table" in done.output
    assert "it needs columns that say who asks and what" in done.output
