"""axe-core finds no barrier on our pages: light on a screen, dark on a phone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autograder.grade.marks import Marks
from autograder.grade.requests import Requests
from autograder.kit.shared.patches import patch_viewer
from autograder.kit.shared.slider import frames_slider
from autograder.kit.shared.viewer import attention_viewer
from tests import chromium
from tests.chromium import Watched, enter
from tests.test_desk import Running
from tests.test_moving import weights

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
pytestmark = chromium.NEEDED
browser, watched, made, output, desk = (
    chromium.browser,
    chromium.watched,
    chromium.made,
    chromium.output,
    chromium.desk,
)


# Browsers let the keyboard scroll a box that holds nothing to focus; axe asks for a tab stop. One for each
# equation would be in the way of everybody who uses Tab.
EQUATION = "place => document.querySelector(place).querySelector(':scope > math') !== null"


def barriers(page, views=(("light", 1100), ("dark", 390))) -> list[str]:
    """What axe finds on a page with these colors and widths: rule, weight, what it wants, where."""
    found = []
    for scheme, width in views:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # no color halfway to another
        page.set_viewport_size({"width": width, "height": 800})
        found += [
            f"{scheme}: {one['id']} ({one['impact']}): {one['help']}: {node['target']} {node['html'][:200]}"
            for one in axe.Axe().run(page).response["violations"]
            for node in one["nodes"]
            if one["id"] != "scrollable-region-focusable" or not page.evaluate(EQUATION, node["target"][0])
        ]
    return found


def test_class_report_and_feedback_have_no_barrier(watched: Watched, made: Path):
    for path in (made / "report.html", made / "submissions" / "student-01" / "feedback.html"):
        watched.page.goto(path.as_uri())
        assert barriers(watched.page) == []


def test_the_pages_of_manual_grading_have_no_barrier(watched: Watched, desk: Running, output: Path):
    page = watched.page
    page.goto(f"http://{desk.host}/")  # without a link
    assert barriers(page) == []
    enter(watched, desk.links[0])
    key = Marks(output).key("student-00", "3.7")
    Requests(output).add("student-00", "3.1", "Please look again.")
    shown = Marks(output).key("student-00", "3.1")
    regrades = ("/requests", "/requests/1", "/points?find=student-00", f"/points/hw3/3.1/{shown}")
    for path in ("/", "/answers/hw3/3.7", "/rubric/hw3/3.7", f"/grade/hw3/3.7/{key}", *regrades):
        page.goto(f"http://{desk.host}{path}")
        assert barriers(page) == [], path


def test_pictures_that_move_have_no_barrier(watched: Watched):
    pictures = (
        attention_viewer(weights(2, 3, 6, 6), ["The", "cat", "sat", "on", "the", "mat"], title="Viewer"),
        frames_slider(np.zeros((2, 4, 4)), range(2), "Slider"),
        patch_viewer(np.full((2, 6, 6), 0.5), weights(2, 2, 10, 10), ["boot", "bag"], title="Patches"),
    )
    body = "".join(one._repr_html_() for one in pictures)
    watched.page.set_content(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Pictures</title>'
        f"<style>@media (prefers-color-scheme: dark) {{ body {{ background: #16181c }} }}</style>"
        f"<main><h1 style='color: #888; font-size: 40px'>Pictures</h1>{body}</main></html>"
    )
    assert barriers(watched.page) == []
