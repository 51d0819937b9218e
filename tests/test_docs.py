"""The handbook: builds without a warning, loads nothing, links hold, commands exist, examples work."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from autograder.cli.main import main
from autograder.declare import homeworks
from tests.gallery import ROOT
from tests.handbook import blocks, copy_project, follow, run

PAGES = sorted((ROOT / "docs").glob("*.md"))
CONSOLE = re.compile(r"^[ ]*```console\n(.*?)^[ ]*```", re.DOTALL | re.MULTILINE)


# --- the site -----------------------------------------------------------------------------------------------


class Links(HTMLParser):
    """What a page links to, what it loads, and the places in it that can be linked to."""

    def __init__(self, text: str):
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.anchors.add(found["id"])
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link" and found.get("rel") not in (
            "index",
            "search",
            "next",
            "prev",
            "author",
            "canonical",
        ):
            self.loaded.append(found.get("href", ""))
        elif tag in ("script", "img", "iframe", "source", "video", "audio", "embed", "object"):
            self.loaded += [found[name] for name in ("src", "data", "srcset") if name in found]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("myst_parser", reason="the extra 'docs' is not installed")
    pytest.importorskip("furo", reason="the extra 'docs' is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "--fail-on-warning",
        "--keep-going",
        "--quiet",
        "-b",
        "html",
        "-d",
        str(folder / "cache"),
    ]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(folder / "html")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return folder / "html"


def test_every_link_within_the_site_leads_somewhere_and_nothing_is_loaded_from_elsewhere(site: Path):
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert {path.stem for path in PAGES} <= {path.stem for path in pages}
    followed = 0
    for path, page in pages.items():
        for target in [*page.links, *page.loaded]:
            parts = urlsplit(target)
            if parts.scheme in ("http", "https", "mailto"):
                assert target not in page.loaded, f"{path.name} loads {target}"
                continue
            if parts.scheme == "data":
                continue
            other = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert other.is_file(), f"{path.name}: {target}"
            if parts.fragment and other in pages:
                assert unquote(parts.fragment) in pages[other].anchors, f"{path.name}: {target}"
            followed += 1
    assert followed > 500
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"@import|url\(\s*[\"']?(?:https?:)?//", text), sheet.name


def test_a_page_is_in_the_menu_as_soon_as_it_exists(site: Path):
    menu = Links((site / "index.html").read_text(encoding="utf-8"))
    for page in PAGES:
        assert f"{page.stem}.html" in menu.links or page.stem == "index", page.name


def test_the_site_has_the_student_version_of_each_homework(site: Path):
    assert "homeworks/index.html" in Links((site / "gallery.html").read_text(encoding="utf-8")).links
    listed = Links((site / "homeworks" / "index.html").read_text(encoding="utf-8")).links
    for homework in homeworks().values():
        assert f"{homework.stem}.html" in listed
        text = (site / "homeworks" / f"{homework.stem}.html").read_text(encoding="utf-8")
        assert "TODO" in text
        assert "<math" in text
        assert "%%writefile" not in text
        for name in homework.questions:
            assert f"{name} " in text, name


def test_axe_finds_no_barrier_on_pages_of_the_site(site: Path):
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    from tests import chromium
    from tests.test_axe import barriers

    if chromium.CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with chromium.launched() as browser:
        page = browser.new_page()
        for name in ("written.html", f"homeworks/{homeworks()['hw3'].stem}.html"):
            page.goto((site / name).as_uri())
            assert barriers(page, (("light", 1100), ("dark", 1100))) == [], name


# --- commands -----------------------------------------------------------------------------------------------


def commands() -> list[tuple[str, str]]:
    texts = {path.name: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *PAGES]}
    lines = [
        (name, line.strip())
        for name, text in texts.items()
        for block in CONSOLE.findall(text)
        for line in block.split("\n")
    ]
    return [(name, line.removeprefix("$ ")) for name, line in lines if line.startswith("$ ")]


def test_every_autograder_command_on_a_page_is_one_with_options_that_exist():
    tried = 0
    for name, line in commands():
        words = shlex.split(re.sub(r"\s+(?:&&|#).*", "", line))
        if Path(words[0]).name != "autograder":
            continue
        command = main.get_command(click.Context(main), words[1])
        assert command is not None, f"{name}: {line}"
        arguments = [word for word in words[2:] if word != "…"]
        try:
            command.make_parser(click.Context(command)).parse_args(list(arguments))
        except click.UsageError as error:
            pytest.fail(f"{name}: {line}: {error}")
        tried += 1
    assert tried > 12


def test_every_make_target_on_a_page_exists():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for name, line in commands():
        if line.startswith("make "):
            assert line.split()[1] in targets, (name, line)


# --- examples -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Copy:
    """A copy of the project in which somebody did what the two pages say, word by word."""

    folder: Path
    built: str  # what 'autograder build' said

    def run(self, *command: str) -> str:
        """What a Python module prints that runs in the copy."""
        return run(self.folder, "-m", *command)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    files = [path.name for path in ROOT.glob("*") if path.is_file()]
    folder = tmp_path_factory.mktemp("copy")
    copy_project(folder, ("autograder", "solutions", "notebooks", "docs", "tests", *files))
    follow(folder, "add-question.md")
    assert not [name for name, _ in blocks("add-homework.md") if (folder / name).exists()]
    follow(folder, "add-homework.md")
    return Copy(folder, run(folder, "-m", "autograder", "build"))


@pytest.fixture(scope="module")
def followed(copy: Copy) -> dict[str, dict]:
    """How the questions that were added are judged."""
    return json.loads(copy.run("tests.verdicts", "hw3:3.9", "hw7:7.1"))


@pytest.mark.parametrize(("name", "checks"), [("hw3", 2), ("hw7", 1)])
def test_what_the_page_says_gives_a_question_that_works(followed: dict[str, dict], name: str, checks: int):
    found = followed[name]
    assert len(found["reference"]) == checks
    assert all(state == "passed" for state, _ in found["reference"].values()), found["reference"]
    assert all(state == "unanswered" for state, _ in found["blank"].values()), found["blank"]
    assert len(found["gallery"]) == 4
    for answer, loses, says, verdict in found["gallery"]:
        lost = {check: feedback for check, (state, feedback) in verdict.items() if state != "passed"}
        assert set(lost) == set(loses), answer
        assert not says or any(says in feedback for feedback in lost.values()), (answer, lost)


def test_the_build_takes_the_new_parts_up(copy: Copy):
    for name in ("hw3_hand_designed.ipynb", "hw7_numbers.ipynb", "coverage.md", "README.md"):
        assert f"{name}: written" in copy.built
    copy.run("autograder", "build", "--check")


def test_no_solution_gets_out(followed: dict[str, dict]):
    assert followed["hw3"]["leaks"] == followed["hw7"]["leaks"] == []


PYTEST = ("pytest", "-q", "-p", "no:cacheprovider")
LINT_AND_TESTS = {
    "ruff check": ["ruff", "check", "."],
    "ruff format": ["ruff", "format", "--check", "--exclude", "tests/gallery", "--exclude", "docs", "."],
    "mypy": ["mypy", "autograder/homeworks/hw3", "autograder/homeworks/hw7"],
    "tests": [*PYTEST, "tests/test_project.py", "tests/test_rooms.py"],
    "gallery": [*PYTEST, "tests/test_gallery.py", "-k", "complete"],
}


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, id=name, marks=[pytest.mark.sweep] if name == "mypy" else [])
        for name, command in LINT_AND_TESTS.items()
    ],
)
def test_what_the_pages_say_passes_the_projects_own_lint_and_tests(copy: Copy, command: list[str]):
    copy.run(*command)


def test_the_examples_are_all_that_the_pages_show():
    assert [name for name, _ in blocks("add-question.md")] == [
        "solutions/hw3_hand_designed.py",
        "autograder/homeworks/hw3/q9_entropy.py",
        "tests/gallery/hw3.py",
    ]
    assert [name for name, _ in blocks("add-homework.md")] == [
        "autograder/homeworks/hw7/__init__.py",
        "autograder/homeworks/hw7/homework.py",
        "autograder/homeworks/hw7/q1_double.py",
        "solutions/hw7_numbers.py",
        "tests/gallery/hw7.py",
    ]
