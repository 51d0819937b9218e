"""The handbook: builds without a warning, loads nothing, its links hold, its commands exist, its examples work."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from autograder.cli.main import main
from tests.gallery import ROOT

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
        command = main.commands[words[1]]
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

TRY = """
import json, sys
from pathlib import Path
import nbformat
from autograder.author import build
from autograder.author import release
from autograder.grade.batch import Place, kernels
from autograder.author.gallery import students
from autograder.grade.grade import Settings, grade_submission
from autograder.declare import homeworks
from autograder.submissions.find import Submission
from tests.gallery import examples

def only(text, question):
    notebook = nbformat.reads(text, as_version=4)
    start = next(index for index, cell in enumerate(notebook.cells) if cell.source.startswith(f"## {question}"))
    imports = [cell for cell in notebook.cells[:start] if "from homework_kit import" in cell.source and "writefile" not in cell.source]
    notebook.cells = imports + notebook.cells[start:]
    return nbformat.writes(notebook)

def verdict(text, homework, question):
    handed_in = Submission("x", only(text, question).encode())
    report, _ = grade_submission(handed_in, Settings("seed", homework.id), kernels(Place())[0])
    found = next(one for one in report.questions if one.id == question)
    return {check.name: [check.state, check.feedback] for check in found.checks}

root, found = Path("."), {}
for name, question in (("hw3", "3.9"), ("hw7", "7.1")):
    homework = homeworks()[name]
    source = source_path(root, homework.stem)
    own = [example for example in examples(name) if example.question == question]
    found[name] = {
        "reference": verdict(build.dumps(build.build_notebook(homework, source, blank=False)), homework, question),
        "blank": verdict(build.dumps(build.build_notebook(homework, source)), homework, question),
        "gallery": [
            [example.name, list(example.loses), example.says, verdict(student.notebook, homework, question)]
            for student in students(root, homework, own, b"{}", {}) for example in student.examples
        ],
        "leaks": release.leaks(release.student_files(root, [homework]), root, homeworks().values()),
    }
print(json.dumps(found))
"""


def blocks(page: str) -> list[tuple[str, str]]:
    """The files that a page names before its Python blocks, each with its block, in order."""
    found = re.findall(
        r"`([\w/]+\.py)`[^\n]*:\n\n```python\n(.*?)^```",
        (ROOT / "docs" / page).read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    assert found, page
    return found


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, str]:
    """A copy of the project in which somebody did what the two pages say, word by word; and what 'autograder build' told."""
    copy = tmp_path_factory.mktemp("copy")
    leave = shutil.ignore_patterns("__pycache__", "*.pt", "fashion_mnist_5000*", "glove*")
    for name in ("autograder", "solutions", "notebooks", "docs", "tests/gallery"):
        shutil.copytree(ROOT / name, copy / name, ignore=leave)
    for name in ("README.md", "LICENSE", "pyproject.toml", "tests/__init__.py"):
        shutil.copy(ROOT / name, copy / name)
    for name, text in blocks("add-question.md"):
        path = copy / name
        before = path.read_text(encoding="utf-8")
        if name.startswith("solutions/"):
            place = before.index("# %% [markdown]\n# ## Hand in")
            path.write_text(f"{before[:place]}{text}\n{before[place:]}", encoding="utf-8")
        else:
            path.write_text(f"{before}\n\n{text}", encoding="utf-8")
    for name, text in blocks("add-homework.md"):
        assert not (copy / name).exists()
        (copy / name).write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1"}

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            cwd=copy,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert done.returncode == 0, done.stderr[-3_000:]
        return done.stdout

    built = run("-m", "autograder", "build")
    run("-m", "autograder", "build", "--check")
    return json.loads(run("-c", TRY).split("\n")[-2]), built


@pytest.mark.parametrize(("name", "checks"), [("hw3", 2), ("hw7", 1)])
def test_what_the_page_says_gives_a_question_that_works(followed: tuple[dict, str], name: str, checks: int):
    found = followed[0][name]
    assert len(found["reference"]) == checks
    assert all(state == "passed" for state, _ in found["reference"].values()), found["reference"]
    assert all(state == "unanswered" for state, _ in found["blank"].values()), found["blank"]
    assert len(found["gallery"]) == 4
    for answer, loses, says, verdict in found["gallery"]:
        lost = {check: feedback for check, (state, feedback) in verdict.items() if state != "passed"}
        assert set(lost) == set(loses), answer
        assert not says or any(says in feedback for feedback in lost.values()), (answer, lost)


def test_the_build_takes_the_new_parts_up_and_no_solution_gets_out(followed: tuple[dict, str]):
    found, told = followed
    for name in (
        "hw3_hand_designed.ipynb: written",
        "hw7_numbers.ipynb: written",
        "coverage.md: written",
        "README.md: written",
    ):
        assert name in told
    assert found["hw3"]["leaks"] == found["hw7"]["leaks"] == []


def test_the_examples_are_all_that_the_pages_show():
    assert [name for name, _ in blocks("add-question.md")] == [
        "autograder/homeworks/hw3/homework.py",
        "solutions/hw3_hand_designed.py",
        "tests/gallery/hw3.py",
    ]
    assert [name for name, _ in blocks("add-homework.md")] == [
        "autograder/homeworks/hw7_numbers.py",
        "solutions/hw7_numbers.py",
        "tests/gallery/hw7.py",
    ]
