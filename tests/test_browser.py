"""Pages and manual grading in a headless Chromium: clicks, keyboard, two graders, kill -9, print."""

from __future__ import annotations

import csv
import io
import signal
from pathlib import Path

import pytest

from autograder.declare import homeworks
from autograder.grade.marks import Marks
from tests import chromium
from tests.chromium import PATIENCE, Watched, enter, playwright, press, saved, to_next
from tests.contrast import CONTRASTS
from tests.test_desk import Running, start

pytestmark = chromium.NEEDED
browser, watched, made, output, desk = (
    chromium.browser,
    chromium.watched,
    chromium.made,
    chromium.output,
    chromium.desk,
)


def unharmed(page) -> None:
    """No script of an answer ran, nothing of it covers the page or loads."""
    assert "taken over" not in page.title()
    assert page.title() not in ("1", "")
    assert page.evaluate("getComputedStyle(document.body).display") != "none"
    assert (
        page.locator(
            "script:not([src^='/']), iframe, form[action], #answer input,"
            " img:not([src^='data:']):not([src^='/figure/']):not([src=''])[src]"
        ).count()
        == 0
    )


# --- static pages -------------------------------------------------------------------------------------------


def test_the_class_report_opens_from_disk_and_leads_to_feedback_and_back(watched: Watched, made: Path):
    page = watched.page
    page.goto((made / "report.html").as_uri())
    assert page.locator("h1").inner_text() == f"hw3: {homeworks()['hw3'].title}"
    for told in ("How did it go?", "What to do now", "Open these first", "What went worst"):
        assert page.get_by_role("heading", name=told).bounding_box()["y"] < 800  # on the first screen
    assert page.locator("svg[role=img]").count() >= 3
    for picture in page.locator("svg[role=img]").all():
        labels = picture.get_attribute("aria-labelledby").split()
        assert all(page.locator(f"[id='{label}']").text_content() for label in labels)
    row = page.locator(".ag-heat tr", has_text="student-01")
    assert row.locator("td a").count() == len(homeworks()["hw3"].questions)
    assert all(cell.inner_text().strip() for cell in row.locator("td").all())  # text beside the color
    row.locator("td a").nth(2).click()
    page.wait_for_url("**/student-01/feedback.html#q-3-2")
    assert page.locator("#q-3-2").bounding_box()["y"] < 700
    page.go_back()
    page.locator("a", has_text="student-01").first.click()
    page.wait_for_url("**/student-01/feedback.html")
    page.locator(".ag-map a", has_text="3.2").first.click()
    card = page.locator("#q-3-2")
    assert card.is_visible()
    card.locator("a", has_text="place in the notebook").click()
    assert page.url.endswith("#q-3-2-nb")
    page.go_back()
    card.locator("a", has_text="cell").first.click()
    defines = page.locator(f"#{page.url.rpartition('#')[2]}")
    assert "attention_by_position" in defines.inner_text()  # the cell that the failed check concerns
    page.go_back()
    page.go_back()
    page.go_back()
    page.wait_for_url("**/report.html")
    assert watched.asked_elsewhere("file://") == []


def test_students_words_and_outputs_run_nothing_and_load_nothing(watched: Watched, made: Path):
    page = watched.page
    for path in sorted(made.rglob("feedback.html")):
        page.goto(path.as_uri())
        unharmed(page)
        assert "document.title" in page.locator("main").inner_text()  # the printed script is there, as text
        assert page.locator("math").count() > 3
    page.goto((made / "report.html").as_uri())
    unharmed(page)
    assert watched.asked_elsewhere("file://") == []
    assert watched.dialogs == []


def test_static_pages_work_by_keyboard(watched: Watched, made: Path):
    page = watched.page
    page.goto((made / "report.html").as_uri())
    press(page, "Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    press(page, "Enter")
    assert page.url.endswith("#main")
    page.locator("details summary").first.focus()
    press(page, "Enter")
    assert page.locator("details").first.get_attribute("open") is not None
    for region in page.locator("[role=region]").all():
        assert region.get_attribute("tabindex") == "0"
        assert region.get_attribute("aria-label")


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (390, "dark"), (1280, "light")])
def test_pages_fit_the_width_of_a_phone_and_of_a_screen(browser, made: Path, width: int, scheme: str):
    watched = Watched(browser, viewport={"width": width, "height": 800}, color_scheme=scheme)
    for path in (made / "report.html", made / "submissions" / "student-01" / "feedback.html"):
        watched.page.goto(path.as_uri())
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
        sizes = (
            "[...document.querySelectorAll('svg.ag-figure text')].map(t => t.getBoundingClientRect().height)"
        )
        assert min(watched.page.evaluate(sizes), default=99) >= 8  # letters in pictures stay legible
        assert watched.page.evaluate(CONTRASTS) == []
    watched.context.close()


def test_the_print_view_shows_what_is_folded_and_leaves_out_what_is_for_screens(watched: Watched, made: Path):
    page = watched.page
    page.goto((made / "report.html").as_uri())
    folded = page.locator("figure details table").first
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.evaluate("element => element.getBoundingClientRect().height") > 20
    assert len(page.pdf()) > 20_000
    page.goto((made / "submissions" / "student-01" / "feedback.html").as_uri())
    assert not page.locator(".ag-screen").first.is_visible()
    page.set_viewport_size({"width": 680, "height": 960})  # A4 between margins of 15 mm, in CSS pixels
    for path in (made / "report.html", made / "submissions" / "student-01" / "feedback.html"):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= 680
        cut = (
            "[...document.querySelectorAll('pre')].filter(e => e.checkVisibility() && e.scrollWidth >"
            " e.clientWidth + 1).length"
        )
        assert page.evaluate(cut) == 0  # nobody can scroll on paper


# --- manual grading -----------------------------------------------------------------------------------------


def test_the_desks_buttons_are_in_reach_on_a_phone(browser, desk: Running):
    watched = Watched(browser, viewport={"width": 390, "height": 800})
    page = enter(watched, desk.links[0])
    for _ in range(2):  # the list of questions, then an answer
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        go = page.get_by_text("Next ungraded")
        box = go.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        if page.url.endswith("/"):
            go.click()
            page.wait_for_url("**/grade/**")
    watched.context.close()


def test_grading_by_keyboard_saves_every_step_and_undo_takes_it_back(
    watched: Watched, desk: Running, output: Path
):
    page = enter(watched, desk.links[0])
    page.get_by_role("link", name="Next ungraded").click()
    page.wait_for_url("**/grade/**")
    first = page.url
    press(page, "1")
    playwright.expect(page.locator("#points")).to_have_text("3 points so far", timeout=PATIENCE)
    press(page, "Shift+Digit2")
    playwright.expect(page.locator("#points")).to_have_text("5 points so far", timeout=PATIENCE)
    press(page, "c")
    page.keyboard.type("Why 1/√d? n u 0")  # in the comment, keys are letters
    press(page, "Escape")
    saved(page)
    assert [mark.points for mark in Marks(output).all().values()] == [None]
    assert "0 of 6 graded" in page.locator("#graded").inner_text()
    second = to_next(page)
    assert second != first
    (mark,) = Marks(output).all().values()
    assert (mark.points, mark.rubric, mark.comment) == (5.0, (1.0, 0.5, 0.0), "Why 1/√d? n u 0")
    assert "1 of 6 graded" in page.locator("#graded").inner_text()
    press(page, "u")  # graded
    page.wait_for_url(first)
    playwright.expect(page.locator("#state")).to_have_text("draft", timeout=PATIENCE)
    press(page, "u")  # the comment
    playwright.expect(page.locator("#comment")).to_have_value("", timeout=PATIENCE)
    press(page, "u")  # half of item 2
    playwright.expect(page.locator("#points")).to_have_text("3 points so far", timeout=PATIENCE)
    press(page, "u")
    playwright.expect(page.locator("#points")).to_have_text("out of 10 points", timeout=PATIENCE)
    assert page.locator("#state").inner_text() == "not graded"
    press(page, "u")
    saved(page, "There is nothing to undo.")


def test_everything_can_be_clicked_too_and_points_reach_grades_and_feedback(
    watched: Watched, desk: Running, output: Path
):
    page = enter(watched, desk.links[0])
    page.get_by_label("Your name").fill("Ada")
    page.get_by_role("button", name="Set").click()
    saved(page, "You are Ada.")
    page.get_by_role("button", name="0 points for 1 empty").click()
    playwright.expect(page.locator("p", has_text="1 of 6")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("link", name="Next ungraded").click()
    page.wait_for_url("**/grade/**")
    for number in range(5):
        assert page.locator("#answer").is_visible()
        page.locator("fieldset").nth(0).get_by_label("3", exact=True).check()
        playwright.expect(page.locator("#points")).to_have_text("3 points so far", timeout=PATIENCE)
        page.get_by_label("Comment for the student").fill(
            f"See $x_{number}$ <script>document.title=1</script>"
        )
        before = page.url
        page.get_by_role("button", name="Graded, next").click()
        page.wait_for_url(lambda url, before=before: url != before)
    playwright.expect(page.locator("p", has_text="6 of 6")).to_be_visible(timeout=PATIENCE)
    page.get_by_role("button", name="Write grades.csv").click()
    playwright.expect(page.locator("#status")).to_contain_text("report.html", timeout=2 * PATIENCE)
    rows = list(csv.DictReader(io.StringIO((output / "grades.csv").read_text(encoding="utf-8"))))
    assert sorted(row["3.7 written"] for row in rows) == ["0", "3", "3", "3", "3", "3"]
    page = watched.tab()
    page.goto((output / "submissions" / "student-00" / "feedback.html").as_uri())
    assert "3 of 10 points" in page.locator("#q-3-7").inner_text()
    assert page.locator("#q-3-7 .ag-words math").count() == 1
    unharmed(page)


def test_answers_are_shown_harmless_with_equations_flags_and_no_names(watched: Watched, desk: Running):
    page = enter(watched, desk.links[0])
    page.get_by_role("link", name="Next ungraded").click()
    page.wait_for_url("**/grade/**")
    flags, equations, seen = set(), 0, set()
    for _ in range(6):
        seen.add(page.url)
        unharmed(page)
        assert "student-0" not in page.content()
        flags |= set(page.locator(".ag-flag").all_inner_texts())
        equations += page.locator("#answer math[display=block]").count()
        before = page.url
        press(page, "ArrowRight")
        page.wait_for_url(lambda url, before=before: url != before)
    assert len(seen) == 6
    assert flags == {"no answer", "fewer than 60 words", "more than 150 words"}
    assert equations == 3
    page.get_by_role("button", name="Show names").click()
    playwright.expect(page.get_by_role("button", name="Hide names")).to_be_visible(timeout=PATIENCE)
    assert "student-0" in page.locator("main").inner_text()
    assert watched.asked_elsewhere(f"http://{desk.host}/") == []
    assert watched.dialogs == []


def test_two_graders_get_different_answers_and_never_overwrite_each_other(
    browser, desk: Running, output: Path
):
    ann, bob = Watched(browser), Watched(browser)
    for watched, link in zip((ann, bob), desk.links, strict=True):
        enter(watched, link).get_by_role("link", name="Next ungraded").click()
        watched.page.wait_for_url("**/grade/**")
    assert ann.page.url != bob.page.url
    for watched, key in ((ann, "f"), (bob, "0")):
        press(watched.page, key)
        saved(watched.page)
    assert sorted(mark.rubric for mark in Marks(output).all().values()) == [(0, 0, 0), (1, 1, 1)]
    bob.page.goto(ann.page.url)
    assert "has this answer open, too" in bob.page.locator("main").inner_text()
    press(ann.page, "1")  # takes item 1 away: 7 points
    playwright.expect(ann.page.locator("#points")).to_have_text("7 points so far", timeout=PATIENCE)
    saved(ann.page)
    press(bob.page, "0")
    conflict = bob.page.get_by_role("alert")
    told = "grader 1 saved this answer in the meantime."
    playwright.expect(conflict).to_contain_text(told, timeout=PATIENCE)
    rows = [row.locator("th, td").all_inner_texts() for row in conflict.locator("tr").all()]
    assert rows[0][1:] == ["Yours", "Theirs, grader 1"]
    assert [row[1:] for row in rows[1:4]] == [["0", "0"], ["0", "4"], ["0", "3"]]
    assert rows[4] == ["Points", "0 (draft)", "7 (draft)"]
    assert (0, 1, 1) in [mark.rubric for mark in Marks(output).all().values()]
    bob.page.get_by_role("button", name="Keep mine").click()
    playwright.expect(bob.page.locator("#points")).to_have_text("0 points so far", timeout=PATIENCE)
    saved(bob.page)
    press(ann.page, "f")
    ann.page.get_by_role("button", name="Use theirs").click()
    playwright.expect(ann.page.locator("#by")).to_have_text("by grader 2", timeout=PATIENCE)
    playwright.expect(ann.page.locator("#points")).to_have_text("0 points so far", timeout=PATIENCE)
    ann.context.close()
    bob.context.close()


def test_a_killed_desk_loses_nothing_and_the_open_page_goes_on_when_it_is_back(
    watched: Watched, desk: Running, output: Path
):
    page = enter(watched, desk.links[0])
    page.get_by_role("link", name="Next ungraded").click()
    page.wait_for_url("**/grade/**")
    press(page, "1")
    saved(page)
    desk.stop(signal.SIGKILL)
    assert [mark.rubric for mark in Marks(output).all().values()] == [(1, 0, 0)]
    press(page, "2")
    playwright.expect(page.locator("#status")).to_contain_text("Not saved", timeout=PATIENCE)
    again = start(output, 1, port=int(desk.host.rpartition(":")[2]))
    try:
        playwright.expect(page.locator("#status")).to_contain_text("was restarted", timeout=PATIENCE)
        watched.tab().goto(again.links[0])
        saved(page)
        assert [mark.rubric for mark in Marks(output).all().values()] == [(1, 1, 0)]
    finally:
        again.process.kill()
        again.process.communicate(timeout=120)
