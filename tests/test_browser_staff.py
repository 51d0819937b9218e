"""Several graders in a headless Chromium: edited rubrics, links made and revoked, groups of answers."""

from __future__ import annotations

import re
from pathlib import Path

from autograder.grade import staff
from autograder.grade.marks import Marks
from autograder.grade.requests import Requests
from autograder.grade.store import read_reports
from tests import chromium
from tests.chromium import PATIENCE, Watched, enter, playwright, press, saved, to_next
from tests.test_desk import Running

pytestmark = chromium.NEEDED
browser, watched, made, output, desk = (
    chromium.browser,
    chromium.watched,
    chromium.made,
    chromium.output,
    chromium.desk,
)


def answer_of(desk: Running, output: Path, submission: str) -> str:
    """The address of a submission's answer."""
    return f"http://{desk.host}/grade/hw3/3.7/{Marks(output).key(submission, '3.7')}"


def test_an_item_that_takes_points_away_is_added_in_the_browser_and_counts(
    watched: Watched, desk: Running, output: Path
):
    page = enter(watched, desk.links[0])
    page.get_by_role("link", name="Rubric", exact=True).click()
    page.get_by_role("button", name="Add an item").click()
    page.keyboard.type("Contradicts itself")  # the new item has the focus
    page.get_by_label("Points").last.fill("-2")
    page.get_by_role("button", name="Keep and apply").click()
    playwright.expect(page.get_by_role("heading", name="Version 1")).to_be_visible(timeout=PATIENCE)
    page.goto(answer_of(desk, output, "student-00"))
    assert page.locator("fieldset").nth(3).get_by_role("radio").count() == 3
    points = page.locator("#points")
    for key, told in (("4", "0 points so far"), ("f", "10 points so far"), ("4", "8 points so far")):
        press(page, key)  # nothing is below 0, and "full" leaves out what takes points away
        playwright.expect(points).to_have_text(told, timeout=PATIENCE)
    saved(page)
    to_next(page)
    (mark,) = Marks(output).all().values()
    assert (mark.points, mark.rubric) == (8, (1, 1, 1, 1))
    page.goto(answer_of(desk, output, "student-00"))
    assert points.inner_text() == "8 of 10 points"


def test_a_grader_gets_a_link_and_is_sent_away_in_the_middle_of_an_answer(
    browser, watched: Watched, desk: Running, output: Path
):
    head = enter(watched, desk.links[0])
    head.get_by_label("Name", exact=True).fill("Bob")
    head.get_by_role("button", name="Make a link").click()
    link = head.locator("#link code")
    playwright.expect(link).to_be_visible(timeout=PATIENCE)
    other = Watched(browser)
    bob = enter(other, link.inner_text())
    assert bob.get_by_role("button", name="Make a link").count() == 0
    bob.goto(answer_of(desk, output, "student-00"))
    press(bob, "1")
    saved(bob)
    head.reload()
    head.get_by_role("button", name="Revoke Bob").click()
    playwright.expect(head.get_by_role("button", name="Revoke Bob")).to_have_count(0, timeout=PATIENCE)
    press(bob, "2")
    playwright.expect(bob.locator("#status")).to_contain_text("your link was revoked", timeout=PATIENCE)
    assert [(mark.rubric, mark.grader) for mark in Marks(output).all().values()] == [((1, 0, 0), "Bob")]
    away = other.tab()
    away.goto(f"http://{desk.host}/")
    assert away.get_by_role("heading").inner_text() == "This browser is not signed in"
    other.context.close()


def test_a_group_of_answers_gets_one_mark_with_a_saved_comment_by_keyboard(
    watched: Watched, desk: Running, output: Path
):
    page = enter(watched, desk.links[0])
    page.goto(answer_of(desk, output, "student-00"))
    assert "One more answer says the same" in page.locator(".ag-alike").inner_text()
    press(page, "f")
    press(page, "c")
    page.keyboard.type("Well put.")
    press(page, "Escape")
    page.locator("#snippets").evaluate("element => { element.open = true; }")
    page.get_by_role("button", name="Save the comment above").click()
    saved(page, "Kept.")
    before = page.url
    press(page, "a")
    page.wait_for_url(lambda url: url != before)
    marks = {name: mark for (name, _), mark in Marks(output).all().items()}
    assert {name: (mark.points, mark.comment) for name, mark in marks.items()} == {
        "student-00": (10, "Well put."),
        "student-05": (10, "Well put."),
    }
    assert "2 of 6 graded" in page.locator("#graded").inner_text()
    press(page, "0")
    press(page, "s")  # to the saved comments
    page.keyboard.press("Enter")
    playwright.expect(page.locator("#comment")).to_have_value("Well put.", timeout=PATIENCE)
    saved(page)
    page.get_by_role("button", name="Drop this saved comment").click()
    saved(page, "Dropped.")
    assert page.locator("#snippet-list li").count() == 0


def test_a_request_is_imported_answered_with_points_and_the_next_one_opens(
    watched: Watched, desk: Running, output: Path, tmp_path: Path
):
    page = enter(watched, desk.links[0])
    table = tmp_path / "requests.csv"
    table.write_text(
        "student,question,request\nstudent-00,3.1,Look again\nstudent-01,3.7,I said why\n", "utf-8"
    )
    page.get_by_role("link", name="Import requests").click()
    page.get_by_label("Text file or table").set_input_files(table)
    page.get_by_role("button", name="Import").click()
    page.get_by_role("link", name="1", exact=True).click(timeout=PATIENCE)
    page.get_by_role("button", name="Save, next open").click()
    saved(page, "Choose a decision first.")
    page.get_by_label("granted", exact=True).check()
    page.get_by_label("Reply to the student").fill("The matrix is right.")
    page.get_by_label("Points", exact=True).fill("7")
    page.get_by_role("button", name="Save, next open").click()
    page.wait_for_url(re.compile("/requests/2$"), timeout=PATIENCE)
    assert Requests(output).one(1).request.decision == "granted"
    (first, *_) = staff.apply(output, read_reports(output))
    assert [(one.points, one.why) for one in first.questions[0].overrides] == [(7, "The matrix is right.")]
    page.goto(f"http://{desk.host}/points/hw3/3.1/{Marks(output).key('student-00', '3.1')}")
    page.get_by_role("button", name="Remove the override").click()
    playwright.expect(page.get_by_role("heading", name="Overrides", exact=True)).to_have_count(
        0, timeout=PATIENCE
    )
    (first, *_) = staff.apply(output, read_reports(output))
    assert first.questions[0].overrides == ()
