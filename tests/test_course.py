"""``course.toml``: read strictly, followed by building and grading, never written into the package."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autograder.author.build import HISTORY, build_notebook
from autograder.author.release import student_files
from autograder.author.source import BuildError
from autograder.cli.main import main
from autograder.cli.shared import of_graded
from autograder.declare import declared_homeworks, follow, followed, homeworks
from autograder.declare.adapted import AdaptationError, adapted, shared
from autograder.grade import course
from autograder.grade.grade import Settings
from autograder.grade.new_course import course_text
from autograder.grade.workers import grade, key_of
from autograder.hosts.bundle import Config
from autograder.hosts.one_submission import read_config
from autograder.names import source_path
from autograder.run.choose import Place
from autograder.submissions.find import Submission
from tests.gallery import ROOT

POINTS = '[hw3.questions]\n"3.1" = { points = 20 }\n"3.7" = { written = 5 }\n'


@pytest.fixture(autouse=True)
def as_declared_afterwards() -> Iterator[None]:
    yield
    follow("")


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(one) for one in arguments])


def written(folder: Path, text: str) -> Path:
    path = folder / "course.toml"
    path.write_text(text, encoding="utf-8")
    return path


def notebook_text(name: str, **options: bool) -> str:
    homework = homeworks()[name]
    built = build_notebook(homework, source_path(ROOT, homework.stem), **options)
    return "\n".join(cell.source for cell in built.cells if "kit" not in cell.metadata.get("tags", []))


# --- what it changes ----------------------------------------------------------------------------------------


def test_a_point_value_is_changed_for_checks_rubric_and_notebook_and_the_package_stays(tmp_path: Path):
    before = homeworks()["hw3"].points
    found = course.read(written(tmp_path, POINTS))
    follow(found.adaptation)
    question, words = homeworks()["hw3"].questions["3.1"], homeworks()["hw3"].questions["3.7"].written
    assert [check.points for check in question.checks] == [8, 12]
    assert homeworks()["hw3"].points == before + 10
    assert words is not None
    assert (words.points, list(words.rubric.values())) == (5, [1.5, 2, 1.5])
    assert "*20 points · easy" in notebook_text("hw3")
    assert "5 points for the written answer" in notebook_text("hw3")
    assert declared_homeworks()["hw3"].questions["3.1"].points == 10
    follow("")
    assert homeworks()["hw3"].points == before


def test_questions_are_left_out_moved_and_retitled(tmp_path: Path):
    text = '[hw3]\ntitle = "By hand"\norder = ["3.2", "3.1", "3.5"]\n'
    text += '[hw3.questions]\n"3.2" = { title = "Look at the first" }\n'
    follow(course.read(written(tmp_path, text)).adaptation)
    shown = notebook_text("hw3")
    assert re.findall(r"^## (3\.\d\w?)", shown, re.MULTILINE) == ["3.2", "3.1", "3.5"]
    assert "## 3.2 Look at the first" in shown
    assert 'record("3.4")' not in shown
    assert "## Hand in" in shown
    assert homeworks()["hw3"].title == "By hand"
    assert [one["id"] for one in homeworks()["hw3"].describe()["questions"]] == ["3.2", "3.1", "3.5"]


def test_leaving_out_what_another_question_needs_is_an_error_that_names_both(tmp_path: Path):
    order = [name for name in homeworks()["hw4"].questions if name != "4.4a"]
    follow(course.read(written(tmp_path, f"[hw4]\norder = {json.dumps(order)}\n")).adaptation)
    with pytest.raises(BuildError, match=r"4\.\d\w? uses `\w+`, which 4\.4a defines; keep 4\.4a above it"):
        notebook_text("hw4")


def test_grading_follows_and_grades_again_only_if_something_that_counts_changes(tmp_path: Path):
    found = course.read(written(tmp_path, POINTS))
    log = {"schema": "attention-homeworks/log/1", "homework": "hw3", "entries": {}}
    submission = Submission("jane", None, json.dumps(log).encode(), {})
    settings = Settings("a seed", course=found.adaptation)
    report = grade(submission, settings, Place("off", False, ())).report
    assert {one.id: one.maximum for one in report.questions}["3.1"] == 20
    assert {one.id: one.written_points for one in report.questions}["3.7"] == 5
    named = course.read(
        written(tmp_path, POINTS + "[hw3]\n".replace("[hw3]\n", "") + '[course]\nname = "A"\n')
    )
    assert key_of(submission, replace(settings, course=named.adaptation)) == key_of(submission, settings)
    assert key_of(submission, replace(settings, course="")) != key_of(submission, settings)
    assert grade(submission, Settings("a seed"), Place("off", False, ())).report.maximum == 90


def test_a_bundle_carries_what_the_course_changes(tmp_path: Path):
    found = course.read(written(tmp_path, POINTS))
    config = Config("hw3", "a seed", course=found.adaptation)
    assert read_config(json.loads(json.dumps(asdict(config)))) == config
    assert homeworks()["hw3"].questions["3.1"].points == 20


def test_build_and_release_follow_it_and_leave_the_projects_notebooks_alone(tmp_path: Path):
    path = written(tmp_path, POINTS + '[course]\nhomeworks = ["hw3"]\nhistory = true\n')
    before = (ROOT / "notebooks" / "hw3_hand_designed.ipynb").read_bytes()
    done = command("build", "--course", path, "--root", ROOT)
    assert done.exit_code == 0, done.output
    made = (tmp_path / "course-notebooks" / "hw3_hand_designed.ipynb").read_text(encoding="utf-8")
    assert "*20 points · easy" in made
    assert "keep_history(True)" in made
    assert len(list((tmp_path / "course-notebooks").iterdir())) == 1
    assert (ROOT / "notebooks" / "hw3_hand_designed.ipynb").read_bytes() == before
    follow(course.read(path).adaptation)
    files = student_files(ROOT, [homeworks()["hw3"]], history=True)
    assert made.encode() == files["attention-homeworks/notebooks/hw3_hand_designed.ipynb"]


def test_a_graded_folder_is_followed_by_the_course_that_it_was_graded_by(tmp_path: Path):
    written(tmp_path, POINTS)
    assert of_graded(tmp_path).path == tmp_path / "course.toml"
    assert homeworks()["hw3"].questions["3.1"].points == 20


def test_a_course_beside_the_submissions_is_found_and_one_that_was_handed_in_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "class" / "jane").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    written(tmp_path / "class", POINTS)  # as if a student had handed it in
    notebook = tmp_path / "class" / "loose.ipynb"
    notebook.write_text("{}")
    assert course.beside([tmp_path / "class", notebook]) is None
    own = written(tmp_path, POINTS)
    assert course.beside([tmp_path / "class"]) == own
    written(tmp_path / "elsewhere", POINTS)
    own.unlink()
    assert course.beside([tmp_path / "class"]) == tmp_path / "elsewhere" / "course.toml"


def test_history_is_off_unless_the_course_says_so(tmp_path: Path):
    assert course.read(written(tmp_path, "[course]\nhistory = true\n")).history is True
    assert course.read(written(tmp_path, "")).history is False
    assert HISTORY[False] in notebook_text("hw3")
    assert HISTORY[True] in notebook_text("hw3", history=True)
    assert HISTORY[False] not in notebook_text("hw3", history=True)


# --- a new one ----------------------------------------------------------------------------------------------


def test_a_new_course_changes_nothing_and_each_comment_in_it_can_be_used(tmp_path: Path):
    done = command("new-course", "-o", tmp_path / "course.toml")
    assert done.exit_code == 0, done.output
    found = course.read(tmp_path / "course.toml")
    assert (found.adaptation, list(found.chosen)) == ("", list(homeworks()))
    again = command("new-course", "-o", tmp_path / "course.toml")
    assert (again.exit_code, "exists already" in again.output) == (1, True)
    # every commented key, its "#" taken away
    text = course_text([homeworks()["hw3"]])
    used = re.sub(r"^# ((?:\[|\w+ = ).*)$", r"\1", text, flags=re.MULTILINE)
    assert used.count("\n# ") < text.count("\n# ") - 20
    full = course.read(written(tmp_path, used))
    assert (full.platform, full.roles, full.columns) == ("canvas", {"id": "ID"}, {"hw3": "502"})
    assert full.late is not None
    assert (full.late.free, full.late.penalty, full.late.most, full.grace.seconds) == (3, 10, 5, 600)
    assert str(full.due["hw3"]) == "2027-02-01 23:59:00-08:00"
    assert full.limits["memory_bytes"] == 2e9
    assert (full.adaptation, full.variants, full.staff) == (
        "",
        "2027-spring",
        ("Ada Lovelace", "Alan Turing"),
    )


# --- errors -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[curse]\n", "curse: there is no such key; did you mean 'course'?"),
        ("[course]\nreveel = 1\n", "course.reveel: there is no such key; did you mean 'reveal'?"),
        ('[course]\nreveal = "al"\n', "course.reveal: there is no 'al'; did you mean 'all'?"),
        ('[course]\nreveal = ["all"]\n', "course.reveal: must be a text in quotes, but it is a list"),
        ('[course]\nhistory = "yes"\n', "course.history: must be true or false, without quotes"),
        ('[course]\nhomeworks = ["hw33"]\n', "course.homeworks: there is no 'hw33'; did you mean 'hw3'?"),
        ('[course]\nvariants = "a b"\n', "course.variants: 'a b' must be letters, digits"),
        ('[hw3]\ndue = "Monday"\n', "hw3.due: must be a date and time without quotes, such as 2026-11-03"),
        (
            '[hw3.questions]\n"3.10" = {}\n',
            "hw3.questions.\"3.10\": there is no such key; did you mean '3.1'?",
        ),
        (
            '[hw3.questions]\n"3.1" = { point = 3 }\n',
            "\"3.1\".point: there is no such key; did you mean 'points'?",
        ),
        (
            '[hw3.questions]\n"3.1" = { points = "3" }\n',
            "must be a number, without quotes, but it is a text: '3'",
        ),
        (
            '[hw3.questions]\n"3.1" = { points = true }\n',
            "must be a number, without quotes, but it is true or",
        ),
        ('[hw3.questions]\n"3.1" = { points = 0 }\n', "must be above 0 to 1e+06, but it is 0"),
        ('[hw3.questions]\n"3.1" = { points = nan }\n', "must be above 0"),
        ('[hw3.questions]\n"3.1" = { written = 3 }\n', "3.1 has no written answer, so it takes no 'written'"),
        ('[hw3.questions]\n"3.1" = { checks = { x = 3 } }\n', "3.1 has no check 'x'; there are 'each token"),
        (
            '[hw3.questions]\n"3.7" = { written = 4, rubric = { a = 3 } }\n',
            "the rubric adds up to 3, not to 4",
        ),
        ('[hw3.questions]\n"3.7" = { words = [9, 3] }\n', "words: must be the least and the most"),
        ('[hw3]\norder = ["3.1", "3.1"]\n', "3.1 stands twice in the order"),
        ("[limits]\nmemory = 3\n", "limits.memory: there is no such key; did you mean 'memory_bytes'?"),
        ("[limits]\nmemory_bytes = 3\n", "memory_bytes = 3 is not plausible; expected from"),
        ("[late]\nfree_days = -1\n", "late.free_days: must be 0 or more, but it is -1"),
        ('[platform]\nname = "canvass"\n', "platform.name: there is no 'canvass'; did you mean 'canvas'?"),
        ('[platform]\ncolumns = { id = "X" }\n', "platform.columns: needs the platform's name"),
        ('[platform]\nname = "canvas"\ncolumns = { ide = "X" }\n', "did you mean 'id'?"),
        ("[course\n", "this is not TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_what_is_near(tmp_path: Path, text: str, says: str):
    path = written(tmp_path, text)
    with pytest.raises((course.CourseError, AdaptationError)) as raised:
        course.read(path)
    assert says in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_command_refuses_a_wrong_course_in_a_sentence(tmp_path: Path):
    path = written(tmp_path, "[curse]\n")
    (tmp_path / "class").mkdir()
    done = command("grade", tmp_path / "class", "-o", tmp_path / "out", "--course", path)
    assert done.exit_code == 1
    assert "did you mean 'course'?" in done.output
    assert followed() == ""


def test_points_are_shared_in_hundredths_and_add_up():
    assert shared([1, 1, 1], 10) == [3.33, 3.33, 3.34]
    assert shared([4, 6], 10) == [4, 6]
    made = adapted(declared_homeworks()["hw3"], {"questions": {"3.1": {"points": 7, "checks": {}}}})
    assert made.questions["3.1"].points == 7
    name = declared_homeworks()["hw3"].questions["3.1"].checks[0].name
    with pytest.raises(AdaptationError, match="take 8 of 7 points; 1 others need the rest"):
        adapted(declared_homeworks()["hw3"], {"questions": {"3.1": {"points": 7, "checks": {name: 8}}}})
