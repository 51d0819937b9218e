"""Grading on the grading page: drafts, what stands beside an answer, groups, rubrics that change, search."""

from __future__ import annotations

import base64
import io
import json
import re
import time
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from autograder.desk.groups import differences, groups
from autograder.grade import marks
from autograder.grade.marks import Mark, Marks, digest
from autograder.grade.store import read_reports
from autograder.report.feedback import feedback_page
from tests import desk_client, example_results
from tests.desk_client import ITEMS, Browser, InProcess, given, grade, key_of

output, here, ann = desk_client.output, desk_client.here, desk_client.ann


# --- strangers ----------------------------------------------------------------------------------------------


def test_a_stranger_gets_a_page_that_says_what_to_do_and_a_script_gets_json(here: InProcess):
    for path in ("/", "/grade/hw3/3.7/x", "/nothing-here"):
        status, headers, text = here.ask(path)
        assert (status, headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert "Open a link that <code>autograder manual-grading</code> printed" in text
        assert "student" not in text
        assert "script-src 'self'" in headers["content-security-policy"]
    status, headers, text = here.ask("/api/me", "POST", "{}")
    assert (status, headers["content-type"]) == (401, "application/json")
    assert "is not signed in" in json.loads(text)["error"]
    status, headers, text = here.ask("/enter?token=guess")
    assert (status, headers["content-type"]) == (403, "text/html; charset=utf-8")
    assert "This link does not work" in text
    assert here.ask("/desk.css")[0] == 200
    assert here.ask("/desk.js")[0] == 401


def test_a_page_that_is_not_there_is_a_page(here: InProcess, ann: Browser):
    for path in ("/grade/hw3/3.7/zzz", "/answers/hw9/9.9", "/nothing-here"):
        status, headers, text = here.ask(path, cookie=ann.cookie)
        assert (status, headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "This page does not exist" in text


# --- drafts -------------------------------------------------------------------------------------------------


def test_what_is_entered_is_a_draft_until_the_grader_says_that_it_is_graded(here: InProcess, ann: Browser):
    status, body = grade(ann, "student-00", rubric=[1, 0, 0.5], comment="Good.")
    assert (status, body["points"], body["draft"], body["graded"]) == (200, None, True, 0)
    (report, *_) = marks.apply(here.desk.output, read_reports(here.desk.output))
    assert report.given == 0
    assert report.open_written == 10
    page = ann.get(f"/grade/hw3/3.7/{key_of(here, 'student-00')}")
    assert '<span id="state" class="ag-tag">draft</span>' in page
    assert ">Good.</textarea>" in page
    assert 'value="1" checked' in page
    status, body = grade(ann, "student-00", comment="Good.", graded=True)
    assert (body["points"], body["draft"], body["graded"]) == (4.5, False, 1)
    status, body = grade(ann, "student-00", rubric=[1, 0, 0.5], comment="Very good.")
    assert body["points"] == 4.5  # the same shares: a comment alone leaves it graded
    status, body = grade(ann, "student-00", rubric=[1, 1, 0.5])
    assert (body["points"], body["draft"], body["graded"]) == (None, True, 0)


def test_an_answer_is_not_graded_by_accident(here: InProcess, ann: Browser):
    status, body = grade(ann, "student-00", graded=True)
    assert status == 400
    assert "Nothing is chosen yet" in body["error"]
    assert given(here, "student-00") is None


def test_a_flag_and_a_draft_survive_the_desk_and_an_old_file_is_read(output: Path, tmp_path: Path):
    first = InProcess(output)
    grade(first.enter("Ann"), "student-00", flagged=True)
    again = InProcess(output)
    assert given(again, "student-00").flagged
    assert "Flag</button>" in again.enter("Ann").get(f"/grade/hw3/3.7/{key_of(again, 'student-00')}")
    old = tmp_path / "old"
    old.mkdir()
    store = Marks(old)
    store.save(Mark("a", "3.7", "x", (1.0,), 3.0, "", "Ann"))
    with store._open() as database:  # as an earlier version wrote it
        database.execute("ALTER TABLE marks DROP COLUMN flagged")
        text = json.loads(database.execute("SELECT after FROM journal").fetchone()[0])
        del text["flagged"]
        database.execute("UPDATE journal SET after = ?", (json.dumps(text),))
    assert Marks(old).get("a", "3.7") == Mark("a", "3.7", "x", (1.0,), 3.0, "", "Ann", 1)
    assert Marks(old).undo("Ann", "3.7").points is None


def test_a_conflict_carries_the_other_mark(here: InProcess, ann: Browser):
    bob = here.enter("Bob")
    assert grade(ann, "student-00", rubric=[1, 0, 0], graded=True, comment="Ann's")[0] == 200
    status, body = bob.post(
        f"/api/mark/hw3/3.7/{key_of(here, 'student-00')}",
        {"version": 0, "rubric": [0, 0, 0], "comment": "Bob's"},
    )
    assert status == 409
    assert "Ann saved this answer in the meantime" in body["error"]
    theirs = body["mark"]
    assert (theirs["rubric"], theirs["points"], theirs["comment"]) == ([1, 0, 0], 3, "Ann's")
    assert given(here, "student-00").comment == "Ann's"


# --- what stands beside an answer ---------------------------------------------------------------------------


def picture(color: str, kind: str = "PNG") -> str:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), color).save(file, kind)
    return base64.b64encode(file.getvalue()).decode()


def test_question_checks_code_and_figures_of_the_question_stand_beside_the_answer(output: Path):
    path = output / "submissions" / "student-01" / "executed.ipynb"
    notebook = nbformat.read(path, as_version=4)
    place = next(index for index, cell in enumerate(notebook.cells) if cell.source.startswith("## 3.7"))
    drawn = nbformat.v4.new_code_cell("my_own_heads = 7  # <script>document.title = 1</script>")
    secret = base64.b64encode(b"\x89PNG no picture at all").decode()
    drawn.outputs = [
        nbformat.v4.new_output(
            "display_data", {"image/png": picture("red")}, metadata={"image/png": {"alt": 'Red "><script>'}}
        ),
        nbformat.v4.new_output("display_data", {"image/png": secret}),
        nbformat.v4.new_output("stream", text=example_results.HOSTILE),
    ]
    notebook.cells.insert(place + 1, drawn)
    notebook.cells.insert(place + 2, nbformat.v4.new_markdown_cell("A remark of my own."))
    nbformat.write(notebook, path)
    here = InProcess(output)
    ann = here.enter("Ann")
    key = key_of(here, "student-01")
    page = ann.get(f"/grade/hw3/3.7/{key}")
    beside = page[page.index('class="ag-beside"') :]
    assert "what does a task determine about <code>Q</code> and <code>K</code>" in " ".join(beside.split())
    for check in here.desk.stacks["hw3", "3.7"].answers[key].result.checks:
        assert check.name in page
    assert "my_own_heads" in beside
    assert "A remark of my own." in beside
    assert beside.count("what does a task determine") == 1  # what was handed out is not said twice
    assert "<script>document.title" not in page
    assert "<iframe" not in page
    assert f'<img src="/figure/hw3/3.7/{key}/0" alt="Red &#34;&gt;&lt;script&gt;"' in page
    status, headers, _ = here.ask(f"/figure/hw3/3.7/{key}/0", cookie=ann.cookie)
    assert (status, headers["content-type"]) == (200, "image/png")
    assert here.ask(f"/figure/hw3/3.7/{key}/1", cookie=ann.cookie)[0] == 404
    assert here.ask(f"/figure/hw3/3.7/{key}/9", cookie=ann.cookie)[0] == 404
    assert here.ask(f"/figure/hw3/3.7/{key}/0")[0] == 401
    path.write_text("no notebook")
    fresh = InProcess(output)
    assert "There is no executed notebook." in fresh.enter("Ann").get(f"/grade/hw3/3.7/{key}")


# --- answers that are alike ---------------------------------------------------------------------------------


def test_equal_and_nearly_equal_answers_are_grouped_and_a_chain_is_none():
    base = [f"word{n}" for n in range(40)]
    texts = {
        "a": " ".join(base),
        "b": "**" + " ".join(base).upper() + "**",  # dress and case aside the same
        "c": " ".join(["other", *base[1:]]),
        "d": "something else altogether",
        "e": " ".join(["x"] * 15 + base[15:]),
        "f": "",
    }
    assert groups(texts, 100) == [["a", "b"], ["c"], ["d"], ["e"], ["f"]]
    assert groups(texts, 90) == [["a", "b", "c"], ["d"], ["e"], ["f"]]
    assert groups(texts, 60) == [["a", "b", "c", "e"], ["d"], ["f"]]
    chain = {str(n): " ".join([*["y"] * (3 * n), *base[3 * n :]]) for n in range(10)}
    assert ["0", "9"] not in [group for group in groups(chain, 90) if {"0", "9"} <= set(group)]
    assert len(groups(chain, 90)) > 2
    assert [(one.kind, one.text) for one in differences("so it is", "so it was")] == [
        ("both", "so it"), ("here", "is"), ("there", "was"),
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["all different", "all nearly equal"])
def test_grouping_a_thousand_answers_takes_a_bounded_time(kind: str):
    import random

    dice = random.Random(1)
    words = [f"w{n}" for n in range(500)]
    base = [dice.choice(words) for _ in range(120)]
    texts = {}
    for number in range(1_000):
        own = [dice.choice(words) for _ in range(120)] if kind == "all different" else list(base)
        for _ in range(dice.randrange(30)):
            own[dice.randrange(120)] = dice.choice(words)
        texts[str(number)] = " ".join(own)
    began = time.process_time()
    found = groups(texts, 90)
    assert time.process_time() - began < 4  # measured: 0.5 s
    assert sum(map(len, found)) == 1_000


def test_a_group_is_graded_as_one_and_each_answer_keeps_its_own_record_and_undo(
    here: InProcess, ann: Browser
):
    one, two = key_of(here, "student-00"), key_of(here, "student-05")  # word for word the same
    page = ann.get(f"/grade/hw3/3.7/{one}")
    assert f'data-alike="{two}" data-version="0" checked' in page
    assert "Word for word." in page
    status, body = grade(ann, "student-00", rubric=[1, 1, 0], comment="Both.", graded=True, alike={two: 0})
    assert (status, body["graded"], body["left"]) == (200, 2, 0)
    assert (given(here, "student-05").points, given(here, "student-05").comment) == (7, "Both.")
    assert ann.post("/api/undo/hw3/3.7")[1]["key"] == two
    assert given(here, "student-05").points is None
    assert given(here, "student-00").points == 7
    here.desk.marks.save(
        Mark("student-05", "3.7", digest(example_results.GOOD), (0.0,) * 3, None, "", "Bob", 2)
    )
    status, body = grade(ann, "student-00", rubric=[1, 1, 1], graded=True, alike={two: 2})
    assert body["left"] == 1  # Bob has begun with it in the meantime
    assert given(here, "student-05").grader == "Bob"
    assert ann.post("/api/me", {"alike": 60})[0] == 200
    assert 'value="60"' in ann.get(f"/grade/hw3/3.7/{one}")


# --- rubrics and saved comments -----------------------------------------------------------------------------


def test_an_edited_rubric_applies_to_graded_answers_and_to_feedback(here: InProcess, ann: Browser):
    grade(ann, "student-00", rubric=[1, 0.5, 0], graded=True)
    here.desk.marks.save(Mark("student-01", "3.7", digest(example_results.HOSTILE), (), 6.0, "", "sheet"))
    grade(ann, "student-03", rubric=[1, 0, 0])
    items = [["Agreement, with a <b>number</b>", 1.0], *ITEMS[1:], ["Contradicts itself", -2.0]]
    status, body = ann.post("/api/rubric/hw3/3.7", {"version": 0, "items": items})
    assert (status, body["told"]) == (200, "Kept. Points of 1 graded answers changed.")
    assert given(here, "student-00").points == 3
    assert given(here, "student-01").points == 6  # graded without the rubric
    assert given(here, "student-03").points is None
    page = ann.get("/rubric/hw3/3.7")
    assert "5 → 3" in page
    assert "by Ann" in page
    assert "Agreement, with a &lt;b&gt;number&lt;/b&gt;" in page
    assert "The items add up to 8, and the answer has 10 points." in page
    assert ann.post("/api/rubric/hw3/3.7", {"version": 0, "items": items})[0] == 409
    status, body = grade(ann, "student-00", rubric=[0, 0, 0, 1], graded=True)
    assert body["points"] == 0  # never less
    grade(ann, "student-00", rubric=[1, 1, 0, 1], graded=True)
    report = marks.apply(here.desk.output, read_reports(here.desk.output))[0]
    page = feedback_page(report, None)
    told = [
        re.sub(r"<[^>]+>|\s+", " ", row)
        for row in re.findall(r"<li><span class=\"ag-mark.*?</li>", page, re.S)
    ]
    rows = [" ".join(row.split()) for row in told]
    assert "✓ earned Agreement, with a &lt;b&gt;number&lt;/b&gt; (1 of 1)" in rows
    assert "✗ deducted Contradicts itself (-2 of -2)" in rows
    assert sum("missed" in row for row in rows) == 1
    question = next(one for one in report.questions if one.id == "3.7")
    assert question.rubric[3] == ("Contradicts itself", -2.0)
    assert question.given == 3


def test_points_of_an_edit_can_still_be_undone_by_who_gave_them(here: InProcess, ann: Browser):
    bob = here.enter("Bob")
    grade(bob, "student-00", rubric=[1, 0, 0], graded=True)
    grade(bob, "student-00", rubric=[1, 1, 0], graded=True)
    assert ann.post("/api/rubric/hw3/3.7", {"version": 0, "items": [["Half", 6.0], *ITEMS[1:]]})[0] == 200
    assert given(here, "student-00").points == 10
    assert bob.post("/api/undo/hw3/3.7")[0] == 200
    assert given(here, "student-00").points == 6  # by the rubric that holds now


@pytest.mark.parametrize(
    ("items", "told"),
    [
        (ITEMS[:2], "cannot be left out"),
        ([["", 1.0], *ITEMS[1:]], "needs words"),
        ([ITEMS[1], *ITEMS[1:]], "the same words"),
        ([["a", 1e9], *ITEMS[1:]], "must be a number"),
        ([["a", "1"], *ITEMS[1:]], "are wanted"),
        ("abc", "are wanted"),
        ([["a", float("nan")], *ITEMS[1:]], "must be a number"),
    ],
)
def test_a_rubric_that_will_not_do_is_refused(ann: Browser, items: object, told: str):
    status, body = ann.post("/api/rubric/hw3/3.7", {"version": 0, "items": items})
    assert status == 400
    assert told in body["error"]


def test_a_page_with_an_older_rubric_saves_a_draft_and_no_points(here: InProcess, ann: Browser):
    ann.post("/api/rubric/hw3/3.7", {"version": 0, "items": [*ITEMS, ["New", 0.0]]})
    status, body = grade(ann, "student-00", rubric=[1, 1, 1], rubric_version=0, graded=True)
    assert (status, body["edited"], body["points"], body["rubric"]) == (200, True, None, [1, 1, 1, 0])


def test_comments_are_kept_for_the_next_answer_and_dropped(here: InProcess, ann: Browser):
    status, body = ann.post("/api/snippet/hw3/3.7", {"text": " Name $M$ & <b>why</b>. "})
    assert (status, body["snippets"]) == (200, [[1, "Name $M$ & <b>why</b>."]])
    assert ann.post("/api/snippet/hw3/3.7", {"text": "Name $M$ & <b>why</b>."})[1]["told"].startswith("This")
    assert "Name $M$ &amp; &lt;b&gt;why&lt;/b&gt;." in ann.get(f"/grade/hw3/3.7/{key_of(here, 'student-00')}")
    assert ann.post("/api/snippet/hw3/3.7", {"text": ""})[0] == 400
    assert ann.post("/api/snippet/hw3/3.7", {"drop": 1})[1]["snippets"] == []


# --- search and filters -------------------------------------------------------------------------------------


def test_answers_are_found_by_state_grader_words_and_length(here: InProcess, ann: Browser):
    grade(ann, "student-00", rubric=[1, 0, 0], graded=True, comment="Invertible indeed")
    grade(ann, "student-01", rubric=[1, 0, 0], flagged=True)
    grade(here.enter("Bob"), "student-03", rubric=[0, 0, 0], graded=True)

    def found(query: str) -> list[str]:
        page = ann.get(f"/answers/hw3/3.7?{query}")
        keys = {key_of(here, f"student-0{number}"): f"student-0{number}" for number in range(6)}
        rows = page.split("<tr>")[2:]
        return [next(name for key, name in keys.items() if key in row) for row in rows]

    assert set(found("state=graded")) == {"student-00", "student-03"}
    assert found("state=flagged") == found("state=draft") == ["student-01"]
    assert set(found("state=ungraded")) == {f"student-0{n}" for n in (1, 2, 4, 5)}
    assert found("grader=Bob") == ["student-03"]
    assert set(found("text=invertible")) == {"student-00", "student-04", "student-05"}
    assert found("order=longest")[0] == "student-04"
    assert found("order=shortest")[:2] == ["student-02", "student-03"]
    assert len(found("state=<script>")) == 6
    go = ann.get("/next/hw3/3.7?state=ungraded&order=longest")
    assert go == f"/grade/hw3/3.7/{key_of(here, 'student-04')}?state=ungraded&order=longest"
    page = ann.get(go)
    assert f"/{key_of(here, 'student-05')}?state=ungraded&amp;order=longest" in page  # on goes by the search
