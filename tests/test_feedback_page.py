"""The feedback page: what is open on top, what failed first, rubric items, places, the student's figures."""

from __future__ import annotations

import base64
import io
import json
import re
from dataclasses import replace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from autograder.declare import homeworks
from autograder.grade.annotate import note_library_calls
from autograder.grade.report import CheckResult, QuestionResult, Report
from autograder.report.feedback import feedback_page
from autograder.report.places import check_places
from autograder.report.shown import shown_questions
from autograder.submissions.own_figures import keep_figures

HW3 = homeworks()["hw3"]
WRITTEN = next(question for question in HW3.questions.values() if question.written)


def result(question: str, state: str = "passed", **more) -> QuestionResult:
    asked = HW3.questions[question]
    checks = tuple(
        CheckResult(
            one.name, state, one.points * (state == "passed"), one.points, "" if state == "passed" else "No."
        )
        for one in asked.checks
    )
    return QuestionResult(question, asked.title, checks, "run", **more)


def page_of(*questions: QuestionResult, notebook=None, **more) -> str:
    return feedback_page(Report("jane", "hw3", "graded", questions, **more), notebook)


def test_what_failed_comes_first_and_what_passed_is_folded():
    page = page_of(result("3.1"), result("3.2", "unanswered"), result("3.3", "failed"))
    at = [page.index(f'id="q-{name}"') for name in ("3-3", "3-2", "3-1")]
    assert at == sorted(at)
    folded = [bool(re.search(rf'id="q-{name}"[^>]*>\s*<details>', page)) for name in ("3-3", "3-2", "3-1")]
    assert folded == [False, True, True]


def test_the_bar_shows_earned_open_and_lost_points():
    asked = WRITTEN.written
    waits = replace(result(WRITTEN.id), written="x", written_points=asked.points)
    page = page_of(waits, result("3.2", "failed"))
    worth, lost = WRITTEN.points, HW3.questions["3.2"].points
    whole = worth + lost + asked.points
    assert f'<span style="width: {100 * worth / whole:.2f}%">' in page
    assert f'<span class="ag-meter-open" style="width: {100 * asked.points / whole:.2f}%">' in page
    assert "1 written answer waits for a person" in page


def test_each_item_of_the_rubric_is_shown_earned_or_missed():
    items = list(WRITTEN.written.rubric.items())
    (first, worth), (second, more) = items[:2]
    reasons = (f"{first} ({worth:g} of {worth:g})", f"{second} ({more / 2:g} of {more:g})")
    given = replace(
        result(WRITTEN.id), written="x", written_points=WRITTEN.written.points, given=worth + more / 2,
        reasons=reasons,
    )  # fmt: skip
    (shown,) = shown_questions(Report("jane", "hw3", "graded", (given,)), "words")
    assert [item.text for item in shown.rubric] == [text for text, _ in items]
    assert [item.spoken for item in shown.rubric][:2] == ["earned", "earned in part"]
    assert {item.spoken for item in shown.rubric[2:]} <= {"missed"}
    page = page_of(given)
    assert "earned in part</span>" in page
    assert page.count("missed</span>") == len(items) - 2
    by_hand = replace(given, reasons=())  # points from a table, without items
    assert shown_questions(Report("jane", "hw3", "graded", (by_hand,)), "words")[0].rubric == []


def test_a_note_on_a_question_stands_there_and_not_on_top():
    page = page_of(replace(result("3.2"), notes=("Uses `softmax`.",)), notes=("Uses `softmax`.", "Late."))
    assert page.count("Uses <code>softmax</code>.") == 1
    assert page.index("Uses <code>") > page.index('id="q-3-2"')
    assert page.index("Late.") < page.index('id="results"')


def test_a_failed_check_leads_to_the_cell_that_it_concerns():
    name = HW3.questions["3.1"].entries[0].name
    notebook = new_notebook(
        cells=[
            new_code_cell("x = 1"),
            new_code_cell(f"y, {name} = 1, 2\nz = 3"),
            new_code_cell('record("3.1")'),
        ]
    )
    failed = result("3.1", "failed")
    places = check_places(notebook, HW3, [failed])
    assert set(places.values()) == {1}
    page = page_of(failed, notebook=notebook)
    assert page.count('href="#c-2"') == len(failed.checks)
    assert 'id="c-2"' in page
    broken = replace(failed, checks=(replace(failed.checks[0], feedback="Cell 1 raised NameError."),))
    assert set(check_places(notebook, HW3, [broken]).values()) == {0}
    without = new_notebook(cells=[new_code_cell('record("3.1")')])
    assert set(check_places(without, HW3, [failed]).values()) == {0}
    assert 'href="#c-' not in page_of(result("3.1"), notebook=notebook)


def png(color: str) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_figures_of_cells_that_grading_leaves_out_are_kept_as_copies():
    cells = [
        new_code_cell("# figure (skipped while grading)\nplot()"),
        new_code_cell("x = 1"),
        new_code_cell("y"),
    ]
    executed = new_notebook(cells=cells)
    handed_in = nbformat.from_dict(json.loads(json.dumps(executed)))
    hostile = base64.b64encode(b"<svg onload=alert(1)>").decode()
    said = {"image/png": {"alt": "Loss <b>falls</b>", "width": 300, "onload": "alert(1)"}}
    handed_in.cells[0].outputs = [
        new_output("display_data", {"image/png": png("red"), "text/html": "<b>x</b>"}, metadata=said),
        new_output("display_data", {"image/jpeg": hostile}),
    ]
    handed_in.cells[1].outputs = [new_output("display_data", {"image/png": png("blue")})]  # this one ran
    keep_figures(executed, nbformat.writes(handed_in).encode(), {0})
    (figure,) = executed.cells[0].outputs
    assert figure.metadata == {"image/png": {"alt": "Loss <b>falls</b>", "width": 300}}
    assert Image.open(io.BytesIO(base64.b64decode(figure.data["image/png"]))).getpixel((0, 0)) == (255, 0, 0)
    assert executed.cells[1].outputs == []
    page = page_of(result("3.1"), notebook=executed)
    assert 'alt="Loss &lt;b&gt;falls&lt;/b&gt;"' in page
    keep_figures(executed, b'{"cells": "image/png"', {0})
    assert len(executed.cells[0].outputs) == 1


@pytest.mark.parametrize(("line", "notes"), [("w = F.softmax(x)", 0), ("w = 2 * F.softmax(x)", 1)])
def test_a_line_that_the_course_supplied_is_never_accused(
    line: str, notes: int, monkeypatch: pytest.MonkeyPatch
):
    asked = next(one for one in homeworks()["hw1"].questions.values() if one.forbids)
    call, name = asked.forbids[0], asked.entries[0].name
    source = f"{line.replace('softmax', call)}\n{name} = w"
    monkeypatch.setattr(
        "autograder.grade.annotate.supplied_lines", lambda homework: frozenset({f"w = F.{call}(x)"})
    )
    questions = (QuestionResult(asked.id, asked.title, ()),)
    noted, told = note_library_calls(
        questions, homeworks()["hw1"], new_notebook(cells=[new_code_cell(source)])
    )
    assert len(told) == len(noted[0].notes) == notes


@pytest.mark.parametrize(("given", "symbol"), [(None, "✓"), (1.0, "◐"), (WRITTEN.written.points, "✓")])
def test_a_question_whose_written_answer_lost_points_is_partly_right(given: float | None, symbol: str):
    marked = replace(result(WRITTEN.id), written="x", written_points=WRITTEN.written.points, given=given)
    tile = re.search(
        rf'<b>{re.escape(WRITTEN.id)}</b> <span[^>]*><span aria-hidden="true">(.)<', page_of(marked)
    )
    assert tile is not None
    assert tile[1] == symbol
