"""Pictures that move, in a page opened from disk: by mouse and keyboard, without a script, on a phone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autograder import kit
from autograder.kit import feedback
from autograder.kit.shared.patches import patch_viewer
from autograder.kit.shared.slider import frames_slider
from autograder.kit.shared.viewer import attention_viewer
from tests import chromium
from tests.chromium import playwright
from tests.test_moving import weights

pytestmark = chromium.NEEDED
browser = chromium.browser


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    made = (
        attention_viewer(weights(2, 3, 6, 6), ["The", "cat", "sat", "on", "the", "mat"], title="Viewer"),
        frames_slider(np.random.default_rng(0).normal(size=(5, 4, 4)), range(5), "Slider"),
        patch_viewer(np.full((2, 6, 6), 0.5), weights(2, 2, 10, 10), ["boot", "bag"], title="Patches"),
    )
    path = tmp_path / "saved.html"
    name = "`attention_by_content_and_position_pos`"  # longer than a phone is wide
    card = kit.Feedback("Check", [(True, name), (False, name), (None, "a note")])
    parts = [*(one._repr_html_() for one in made), card._repr_html_(), summary(monkeypatch)]
    path.write_text("<!doctype html><meta charset=utf-8>" + "".join(parts))
    return path.as_uri()


def summary(monkeypatch: pytest.MonkeyPatch) -> str:
    """A table as the submission cell shows it, with a row that is wider than a phone."""
    shown: list[str] = []
    monkeypatch.setattr(feedback, "show_both", lambda text, rich: shown.append(rich))
    feedback.show_table(("number", "question"), [("4.1", "Classification" * 6)])
    return shown[0]


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("width", [390, 1000])
def test_a_saved_page_moves_by_mouse_and_keyboard(browser, saved: str, script: bool, width: int):
    context = browser.new_context(java_script_enabled=script, viewport={"width": width, "height": 900})
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.goto(saved)
    expect = playwright.expect
    viewer = page.get_by_role("group", name="Viewer")
    expect(viewer.locator(".view:visible")).to_have_count(1)
    viewer.locator("label", has_text="2").click()  # the third head
    expect(viewer.locator(".v0-2")).to_be_visible()
    rows = viewer.locator(".v0-2 .q")
    rows.nth(1).hover()
    expect(rows.nth(1).locator(".say")).to_contain_text("cat looks at")
    page.mouse.move(0, 0)
    rows.nth(0).focus()
    page.keyboard.press("ArrowDown" if script else "Tab")
    expect(rows.nth(1)).to_be_focused()
    expect(rows.nth(1).locator(".say")).to_be_visible()
    expect(rows.nth(0).locator(".say")).to_be_hidden()

    slider = page.get_by_role("group", name="Slider")
    expect(slider.locator(".cap:visible")).to_have_count(1)
    slider.locator("[type=range]" if script else ".step >> nth=0").focus()
    page.keyboard.press("ArrowRight")
    expect(slider.locator(".cap.v1")).to_be_visible()
    expect(slider.locator(".cap:visible")).to_have_count(1)

    patches = page.get_by_role("group", name="Patches")
    expect(patches.locator(".best:visible")).to_have_count(1)
    patches.locator(".c4").hover()
    expect(patches.locator(".best:visible")).to_have_count(0)
    page.mouse.move(0, 0)
    patches.locator("label", has_text="bag").click()
    expect(patches.locator("img.p1")).to_be_visible()
    expect(patches.locator("img.p0")).to_be_hidden()
    expect(page.locator(".still:visible")).to_have_count(0)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    if script:
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_what_is_not_trusted_shows_the_still_picture(browser, tmp_path: Path):
    text = attention_viewer(weights(3, 3), "abc", title="Viewer")._repr_html_()
    start, end = text.index("<style>"), text.index("</style>") + len("</style>")
    path = tmp_path / "stripped.html"
    path.write_text(text[:start] + text[end:])  # as JupyterLab's sanitizer leaves it
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(path.as_uri())
    playwright.expect(page.locator("img[src^='data:image/svg']")).to_be_visible()
    playwright.expect(page.locator(".live")).to_be_hidden()
    context.close()
