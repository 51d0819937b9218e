"""Numbers and hidden inputs of one's own: reproducible, different, told when wrong, off unless wanted."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from autograder import kit
from autograder.author import build
from autograder.cli.main import main
from autograder.declare import homeworks
from autograder.grade import grade, variants
from autograder.grade.grade import Settings
from autograder.grade.report import Report
from autograder.grade.workers import key_of
from autograder.run.choose import kernels
from autograder.submissions.find import Submission
from autograder.submissions.log import challenges_json
from tests.conftest import PLACE
from tests.gallery import ROOT

HW1, HW4 = homeworks()["hw1"], homeworks()["hw4"]
WORD = "2027-spring"
pytestmark = pytest.mark.xdist_group("hw1")  # one sandbox
COUNTS = """
from homework_kit import record
def number(n, w): return sum(min(place + 1, w + 1) for place in range(n))
full_scores = {tokens} ** 2
window_scores = number({tokens}, {window})
score_gigabytes = {heads} * {long_tokens} ** 2 * 4 / 1e9
record("1.13c")
"""


def hand_in(
    student: str | None,
    numbers: dict[str, int],
    *,
    word: str = WORD,
    listed: tuple[str, ...] = (),
    own: bool = True,
) -> Submission:
    """A notebook whose author computes 1.13c with some numbers and says that they are someone's."""
    cells = [f"from homework_kit import my_numbers\nmy_numbers({student!r}, {word!r})"] if own else []
    cells.append(COUNTS.format(**numbers))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    return Submission("jane-4711", nbformat.writes(notebook).encode(), students=listed)


def graded(submission: Submission, word: str = WORD) -> Report:
    return grade.grade_submission(submission, Settings("seed", "hw1", variants=word), kernels(PLACE)[0])[0]


def bill(report: Report) -> tuple[float, str]:
    question = next(one for one in report.questions if one.id == "1.13c")
    return question.points, " ".join(check.feedback for check in question.checks)


def drawn(student: str, word: str = WORD) -> dict[str, int]:
    return dict(HW1.questions["1.13c"].numbers_of(student, word))


# --- drawing ------------------------------------------------------------------------------------------------


def test_the_same_id_gives_the_same_numbers_and_another_id_or_word_others():
    assert drawn("e123") == drawn(" E123 ") == drawn("e123")
    many = [tuple(drawn(f"e{number}").values()) for number in range(100)]
    assert len(set(many)) > 90
    assert drawn("e123") != drawn("e124")
    assert drawn("e123") != drawn("e123", "2028-spring")
    for question in (HW1.questions["1.13c"], HW4.questions["4.3"]):
        for number in question.numbers:
            seen = {question.numbers_of(f"e{student}", WORD)[number.name] for student in range(200)}
            assert seen <= set(number.among)
            assert len(seen) > len(number.among) / 2, f"{number.name} hardly varies"
            assert number.usual in number.among


def test_the_notebook_shows_the_numbers_by_which_the_grader_judges(
    tmp_path: Path, capsys: pytest.CaptureFixture
):
    log = kit.Log(HW1.describe(), tmp_path, {})
    log.my_numbers("E123", WORD)
    shown = capsys.readouterr().out
    for name, number in drawn("e123").items():
        assert f"`{name}` = {number:,}" in shown
    assert json.loads((tmp_path / kit.LOG_NAME).read_text())["student"] == {"id": "e123", "word": WORD}
    assert kit.Log(HW1.describe(), tmp_path, {}).student["id"] == "e123", "kept when the kernel starts anew"
    log.my_numbers(None, WORD)
    assert "Replace None by your student id" in capsys.readouterr().out


def test_everyone_has_hidden_inputs_of_their_own_and_all_the_same_ones_by_default():
    one, other = Submission("a", students=("4711",)), Submission("b", students=("4712",))
    assert variants.hidden_seed("seed", "", one) == variants.hidden_seed("seed", "", other) == "seed"
    seeds = [
        variants.hidden_seed("seed", WORD, who)
        for who in (one, other, Submission("again", students=("4711",)))
    ]
    assert seeds[0] == seeds[2] != seeds[1]
    assert variants.hidden_seed("seed", WORD, Submission("a")) != variants.hidden_seed(
        "seed", WORD, Submission("b")
    )
    cases = [challenges_json(HW1, HW1.draw(seed)) for seed in seeds]
    assert cases[0] == cases[2] != cases[1]


# --- the notebook -------------------------------------------------------------------------------------------


def test_without_the_word_the_notebook_names_the_usual_numbers_and_asks_for_no_id():
    text = build.student_notebook(ROOT, HW1)
    assert "$n = 4096$ tokens" in text
    assert "**128 tokens before it**" in text
    assert "$n = 100{,}000$".replace("\\", "\\\\") in text
    assert "STUDENT_ID" not in text
    assert "{{number" not in text


@pytest.mark.parametrize("homework", [HW1, HW4])
def test_with_the_word_the_notebook_asks_for_the_id_and_names_no_usual_number(homework):
    notebook = nbformat.reads(build.student_notebook(ROOT, homework, WORD), as_version=4)
    asked = next(
        cell
        for cell in notebook.cells
        if "my_numbers(STUDENT_ID" in cell.source and "writefile" not in cell.source
    )
    assert WORD in asked.source
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "colab.research" not in prose, "the copy online has other numbers"
    for question in homework.questions.values():
        for number in question.numbers:
            assert f"`{number.name}`" in prose or f"\\mathtt{{{number.name}}}".replace("_", "\\_") in prose
    assert not any(usual in prose for usual in ("4096", "100{,}000", "dim 48", "7×7** patches"))


# --- grading ------------------------------------------------------------------------------------------------


def test_own_numbers_earn_the_points_and_the_usual_or_a_friends_numbers_do_not():
    points, _ = bill(graded(hand_in("E123", drawn("e123"), listed=("E123",))))
    assert points == 2
    usual = {number.name: number.usual for number in HW1.questions["1.13c"].numbers}
    points, told = bill(graded(hand_in("E123", usual, listed=("E123",))))
    assert points == 0
    assert str(drawn("e123")["tokens"]) in told
    friends = graded(hand_in("E124", drawn("e124"), listed=("E123",)))
    assert bill(friends)[0] == 0
    assert any("STUDENT_ID is 'e124', but this submission is that of E123" in note for note in friends.notes)


def test_without_a_class_list_the_notebooks_own_id_counts_and_the_report_says_so():
    report = graded(hand_in("E123", drawn("e123")))
    assert bill(report)[0] == 2
    assert any("No class list" in note for note in report.notes)


@pytest.mark.parametrize(
    ("submission", "says", "points"),
    [
        (hand_in(None, drawn("e123")), "Nothing says whose numbers these are", 0),
        (
            hand_in("E123", drawn("e123", "2026"), word="2026"),
            "the release '2026', but this is the release '2027-spring'",
            0,
        ),
        (
            hand_in("E123", drawn("e123"), own=False, listed=("E123",)),
            "not the notebook that this course released",
            2,
        ),
        (hand_in("E124", drawn("e124"), listed=("E123", "E124")), "", 2),
    ],
    ids=["no id", "another round's notebook", "not this course's notebook", "a group"],
)
def test_whatever_is_wrong_with_the_id_is_told(submission: Submission, says: str, points: float):
    report = graded(submission)
    assert bill(report)[0] == points
    assert says in " ".join(report.notes)
    assert report.status == "graded"


def test_off_means_that_ids_change_nothing_but_a_note():
    usual = {number.name: number.usual for number in HW1.questions["1.13c"].numbers}
    plain, listed = (
        graded(hand_in(None, usual, own=False), ""),
        graded(hand_in(None, usual, own=False, listed=("E1",)), ""),
    )
    assert plain.questions == listed.questions
    assert plain.notes == listed.notes == ()
    assert bill(plain)[0] == 2
    told = graded(hand_in("E123", drawn("e123")), "")
    assert bill(told)[0] == 0
    assert "grading ran without --variants 2027-spring" in " ".join(told.notes)


def test_miscounts_of_4_3_are_named_for_every_students_numbers():
    question = HW4.questions["4.3"]
    judge = next(check.judge for check in question.checks if check.name == "parameters in total")
    parts = next(check.judge for check in question.checks if check.name == "parameters of the parts")
    for student in ("e1", "e2", "e3"):
        numbers = question.numbers_of(student, WORD)
        patch, dim, depth, width = (numbers[name] for name in ("patch", "dim", "depth", "mlp_dim"))
        embedding, places = patch * patch * dim + dim, dim + ((28 // patch) ** 2 + 1) * dim
        block = 2 * 2 * dim + 4 * (dim * dim + dim) + (dim * width + width) + (width * dim + dim)
        total = embedding + places + depth * block + 2 * dim + dim * 10 + 10
        right = {
            "count_patch_embedding": embedding,
            "count_tokens": places,
            "count_block": block,
            "count_total": total,
            "numbers": numbers,
        }
        assert judge(right) is None
        assert parts(right) is None
        assert (
            f"there are {depth} blocks"
            in judge({**right, "count_total": total - (depth - 1) * block}).feedback
        )
        assert "the biases are missing" in parts({**right, "count_block": block - 5 * dim - width}).feedback


# --- the command line ---------------------------------------------------------------------------------------


def test_ids_come_from_the_list_that_collect_wrote(tmp_path: Path):
    head = "submission,source,id,name,email,submitted,late,late_days\n"
    (tmp_path / "collected.csv").write_text(
        f"{head}doe-12,canvas,12,doe,,,,\ndoe-1,canvas,1,doe,,,,\n"
        "pair,gradescope,7,a,,,,\npair,gradescope,8,b,,,,\n"
    )
    names = ["doe-12", "doe-1", "doe-1-hw1_attention_basics", "doe-1 (2)", "pair", "stranger"]
    found = variants.with_students([Submission(name) for name in names], [tmp_path])
    assert [one.students for one in found] == [("12",), ("1",), ("1",), ("1",), ("7", "8"), ()]
    assert len({key_of(one, Settings("s", variants=WORD)) for one in found}) == len(found)
    (tmp_path / "collected.csv").write_text("who\nme\n")
    with pytest.raises(ValueError, match="is not a collected"):
        variants.with_students(found, [tmp_path])


@pytest.mark.parametrize("command", ["release", "grade"])
def test_a_word_that_could_not_stand_in_a_notebook_is_refused(tmp_path: Path, command: str):
    arguments = [
        command,
        *([str(tmp_path)] if command == "grade" else []),
        "-o",
        str(tmp_path / "out"),
        "--variants",
        'x"); import os #',
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "use letters, digits" in result.output
