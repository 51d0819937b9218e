"""What could not be graded is open, never 0: in totals, on pages, in platforms' files, in manual grading."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from autograder.author.build import build_notebook, dumps
from autograder.cli.main import main
from autograder.declare import homeworks
from autograder.grade import marks
from autograder.grade.grade import Settings, grade_submission
from autograder.grade.report import CheckResult, QuestionResult, Report, so_far
from autograder.grade.store import read_reports
from autograder.lms import canvas, handback, moodle
from autograder.names import source_path
from autograder.report import class_report, tables
from autograder.report.feedback import feedback_page
from autograder.report.publish import publish
from autograder.submissions.find import Submission
from tests.gallery import ROOT
from tests.test_desk import ask, enter, start

HW3 = homeworks()["hw3"]


def question(
    id: str, points: float, maximum: float, written: float = 0.0, given: float | None = None, **other: object
) -> QuestionResult:
    check = CheckResult("it is right", "passed" if points == maximum else "failed", points, maximum, "Why.")
    text = "Some words." if written else None
    return replace(QuestionResult(id, "Title", (check,), "run", False, text, written, given=given), **other)


def report(name: str, given: float | None = None, **other: object) -> Report:
    """56 of 63 points of the autograder, and a written answer worth 27."""
    questions = (question("3.1", 40, 40), question("3.7", 16, 23, 27, given, found="found", **other))
    return Report(name, "hw3", "graded", questions)


UNREADABLE = Report("lost", "hw3", "unreadable", notes=("It is not a notebook.",))


def rows(reports: list[Report]) -> dict[str, dict[str, str]]:
    return {row["submission"]: row for row in csv.DictReader(io.StringIO(tables.grades_csv(reports)))}


def test_points_of_an_ungraded_answer_are_not_counted_as_lost():
    assert so_far(report("a")) == "56 / 63 so far, 27 not graded yet"
    assert so_far(report("a", 20.0)) == "76 / 90"
    assert so_far(report("a", 0.0)) == "56 / 90"
    assert so_far(UNREADABLE) == "not graded"


def test_extra_credit_stands_beside_the_points():
    extra = replace(question("3.8a", 3, 4), extra=True)
    whole = report("a")
    assert so_far(replace(whole, questions=(*whole.questions, extra))) == (
        "56 / 63 + 3 extra so far, 27 not graded yet"
    )


def test_in_grades_csv_what_is_open_is_empty_and_counted():
    table = rows([report("a"), report("b", 20.0), report("c", 0.0), UNREADABLE])
    assert [table["a"][name] for name in ("points", "written", "total", "open", "3.7 written")] == [
        "56", "", "56", "27", "",
    ]  # fmt: skip
    assert [table["b"][name] for name in ("points", "written", "total", "open")] == ["56", "20", "76", "0"]
    assert [table["c"][name] for name in ("written", "total", "open", "3.7 written")] == ["0", "56", "0", "0"]
    names = ("points", "maximum", "written", "written maximum", "total")
    assert [table["lost"][name] for name in names] == [""] * 5
    assert table["lost"]["open"] == "all"


def test_the_page_says_what_is_open():
    page = feedback_page(report("a"), None)
    assert "56 / 63 so far, 27 not graded yet" in page
    assert "0 / 27" not in page
    assert "56 / 90" in feedback_page(report("a", 0.0), None)


def test_terminal_and_class_report_count_what_is_open(tmp_path: Path):
    reports = [report("a"), report("b", nearby=("Other words.",))]
    lost = question("3.7", 16, 23, 27, found="not found")
    reports[1] = replace(reports[1], questions=(reports[1].questions[0], lost))
    told = tables.open_words([*reports, UNREADABLE])
    assert told[0].startswith("2 written answers are not graded yet: open, not 0.")
    assert "1 of them was not found" in told[0]
    assert told[1].startswith("1 submission could not be judged: without points, not 0.")
    assert tables.open_words([report("a", 3.0)]) == []
    (one,) = tables.open_words([report("a")])
    assert "1 written answer is not graded yet: open, not 0. Grade it with" in one
    page = class_report.page([*reports, UNREADABLE], tmp_path)
    assert "2 written answers are not graded yet" in page
    assert "56 / 63 so far, 27 not graded yet" in page


GRADEBOOK = """Student,ID,SIS User ID,SIS Login ID,Section,HW3 (77),Other (78)
    Points Possible,,,,,90,1
"Ada",1,,,S,,
"Bob",2,,,S,5,
"Cy",3,,,S,EX,
"Dee",4,,,S,EX,
"Eve",5,,,S,,
"""


def test_canvas_gets_no_points_for_what_is_open_and_excused_students_stay_excused():
    upload = canvas.fill(GRADEBOOK, {"1": 76.0, "2": None, "3": 10.0, "4": None, "5": None}, column="77")
    made = {row["Student"]: row["HW3 (77)"] for row in csv.DictReader(io.StringIO(upload.text))}
    assert made == {"    Points Possible": "90", "Ada": "76", "Bob": "", "Cy": "EX", "Dee": "EX", "Eve": ""}
    assert sum("excused" in note for note in upload.notes) == 2


def test_moodle_gets_no_points_for_what_is_open():
    sheet = "Identifier,Full name,Grade,Maximum Grade\nParticipant 1,Ada,,90\nParticipant 2,Bob,,90\n"
    upload = moodle.fill(sheet, {"1": 76.0, "2": None})
    assert [row["Grade"] for row in csv.DictReader(io.StringIO(upload.text))] == ["76.00", ""]
    assert upload.matched == 1


def test_totals_are_open_while_anything_of_them_is():
    text = tables.grades_csv([report("a"), report("b", 20.0), UNREADABLE])
    found, notes = handback.totals(text)
    assert found == {"a": None, "b": 76.0, "lost": None}
    assert "a: written answers without points: 3.7" in notes
    assert "lost: unreadable, so the grade is open; grades.csv says why" in notes


def test_handback_says_how_many_cells_are_empty(tmp_path: Path):
    (tmp_path / "grades.csv").write_text(tables.grades_csv([report("ada"), report("bob", 20.0), UNREADABLE]))
    (tmp_path / "collected.csv").write_text(
        "submission,source,id,name,email,submitted,late,late_days\n"
        + "".join(
            f"{name},canvas,{number},{name},,,,\n" for number, name in enumerate(("ada", "bob", "lost"), 1)
        )
    )
    (tmp_path / "gradebook.csv").write_text(GRADEBOOK)
    arguments = ["grades.csv", "--to", "canvas", "--collected", "collected.csv", "--file", "gradebook.csv"]
    paths = [str(tmp_path / one) if one.endswith(".csv") else one for one in arguments]
    result = CliRunner().invoke(
        main, ["export-grades", *paths, "--column", "77", "-o", str(tmp_path / "up.csv")]
    )
    assert result.exit_code == 0, result.output
    assert "1 of 3 grades in" in result.output
    assert "2 of 3 grades are open: their cells are empty, not 0." in result.output


# --- written answers that were not found --------------------------------------------------------------------


def handed_in(change: str) -> Submission:
    """A blank notebook whose answer cell was changed: left alone, taken out, or overwritten in two places."""
    built = build_notebook(HW3, source_path(ROOT, HW3.stem))
    place = next(n for n, cell in enumerate(built.cells) if cell.source.startswith("**Answer 3.7**"))
    if change == "two texts":
        built.cells[place].source = "One text."
        built.cells[place + 1 : place + 1] = [
            nbformat.v4.new_code_cell("x = 1"),
            nbformat.v4.new_markdown_cell("Another text."),
        ]
    elif change == "gone":
        del built.cells[place]
    return Submission(change, dumps(built).encode())


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results: a blank answer, one whose cell is gone, two texts, and a log alone."""
    output = tmp_path_factory.mktemp("out")
    handed = [handed_in(change) for change in ("blank", "gone", "two texts")]
    reports = [grade_submission(one, Settings("s", "hw3"))[0] for one in handed]
    log = b'{"schema": "attention-homeworks/log/1", "homework": "hw3", "entries": {}}'
    bare = grade_submission(Submission("log alone", log=log), Settings("s", "hw3"))[0]
    assert bare.questions, bare.notes
    publish(output, [*reports, bare])
    return output


def test_blank_and_not_found_are_told_apart(graded: Path):
    found = {one.submission: one for one in read_reports(graded)}
    answers = {name: next(q for q in one.questions if q.id == "3.7") for name, one in found.items()}
    assert {name: answer.found for name, answer in answers.items()} == {
        "blank": "blank", "gone": "not found", "two texts": "not found", "log alone": "not found",
    }  # fmt: skip
    assert answers["two texts"].nearby == ("One text.", "Another text.")
    assert all(answer.written == "" for answer in answers.values())


def test_zero_points_for_empty_never_covers_what_was_not_found(graded: Path):
    running = start(graded, graders=1)
    try:
        cookie = enter(running.links[0])
        home = ask(running.host, "/", cookie=cookie)[2]
        assert "0 points for 1 empty" in home
        assert "3 not found: review each" in home
        headers = {"origin": f"http://{running.host}", "content_type": "application/json"}
        told = ask(running.host, "/api/blank/hw3/3.7", "POST", "{}", cookie=cookie, **headers)[2]
        assert "1 empty answers got 0 points." in told
        key = marks.Marks(graded).key("two texts", "3.7")
        page = ask(running.host, f"/grade/hw3/3.7/{key}", cookie=cookie)[2]
    finally:
        running.stop()
    assert {name for name, _ in marks.Marks(graded).all()} == {"blank"}
    assert "Not found." in page
    assert "One text." in page
    assert "Another text." in page


def test_zero_points_given_to_an_empty_answer_do_not_stay_when_it_was_never_found(
    graded: Path, tmp_path: Path
):
    blank = marks.Mark("gone", "3.7", marks.digest(""), (), 0.0, "No answer.", "old desk")
    (tmp_path / "out").mkdir()
    marks.Marks(tmp_path / "out").save(blank)
    reports = [one for one in read_reports(graded) if one.submission == "gone"]
    (applied,) = marks.apply(tmp_path / "out", reports)
    assert next(q for q in applied.questions if q.id == "3.7").given is None
