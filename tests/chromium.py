"""A headless Chromium for tests: one browser a module, pages that note what they ask for, patient clicks."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import desk_client
from tests.test_desk import Running, start

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
NEEDED = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.xdist_group("browser"),  # one browser at a time: CI has two cores
]
PATIENCE = 60_000  # ms; CI is slow


@contextlib.contextmanager
def launched() -> Iterator:
    """A browser of its own."""
    with playwright.sync_playwright() as running:
        options = ["--disable-gpu"] + (
            ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        )
        opened = running.chromium.launch(executable_path=CHROMIUM, args=options)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with launched() as opened:
        yield opened


class Watched:
    """A page and everything that it asked for or complained of."""

    def __init__(self, browser, **options):
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(PATIENCE)
        self.requests: list[str] = []
        self.dialogs: list[str] = []
        self.context.on("request", lambda request: self.requests.append(request.url))
        self.page = self.tab()

    def tab(self):
        page = self.context.new_page()
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.accept()))
        return page

    def asked_elsewhere(self, own: str) -> list[str]:
        return [url for url in self.requests if not url.startswith((own, "data:"))]


@pytest.fixture
def watched(browser) -> Iterator[Watched]:
    made = Watched(browser)
    yield made
    made.context.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results, for tests that only read it."""
    return desk_client.results(tmp_path_factory.mktemp("made"), tmp_path_factory)


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Path:
    """A folder of results that a test may change."""
    return Path(shutil.copytree(made, tmp_path / "out"))


@pytest.fixture
def desk(output: Path) -> Iterator[Running]:
    """Manual grading of the folder, with two links."""
    running = start(output, 2)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.communicate(timeout=120)


# --- hands on the pages of manual grading -------------------------------------------------------------------


def press(page: playwright.Page, key: str) -> None:
    """Presses a key once the page's script listens: a test is quicker than any hand."""
    page.locator("html:not(:has(main[data-mark])), body[data-ready='yes']").first.wait_for(
        state="attached", timeout=PATIENCE
    )
    page.keyboard.press(key)


def enter(watched: Watched, link: str):
    """Uses a link; gives the page with all questions."""
    watched.page.goto(link)
    watched.page.wait_for_url(re.compile(r"http://[^/]+/$"))
    return watched.page


def saved(page, text: str = "Draft saved.") -> None:
    playwright.expect(page.locator("#status")).to_have_text(text, timeout=PATIENCE)


def to_next(page) -> str:
    """Says that the answer is graded; the grading page goes on to the next."""
    before = page.url
    press(page, "Enter")
    page.wait_for_url(lambda url: url != before)
    return page.url
