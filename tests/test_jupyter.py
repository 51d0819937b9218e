"""The student notebooks in a real JupyterLab, driven by keyboard and menus in headless Chromium, as a student does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import pytest

from autograder import kit
from autograder.author.build import build_notebook
from autograder.declare import homeworks
from autograder.grade.batch import kernels
from autograder.grade.grade import grade_submission
from autograder.names import notebook_path, source_path
from autograder.submissions.find import find
from autograder.submissions.log import read_log
from tests import bare
from tests.conftest import PLACE, SETTINGS
from tests.gallery import ROOT

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("jupyterlab", reason="JupyterLab is not installed")
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))),
    None,
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
    pytest.mark.xdist_group("jupyter"),
]
PATIENCE = 240_000  # ms; CI is slow
TOKEN = "the-tests"
SHORTER = {
    "steps=10_001": "steps=101"
}  # hw3's given training takes a quarter of a minute; here it only has to run
NOT_ANSWERED = re.compile(
    r"is not answered yet|is not recorded yet|Not answered yet|does not exist here|do not exist here|is there"
    r" and fits|Run the cell"
)
PENDING = (  # until JupyterLab writes there
    "elements => elements.forEach(element => { element.textContent = 'to run *'; })"
)
PROMPTS = (
    "[...document.querySelectorAll('.jp-Notebook .jp-CodeCell .jp-InputPrompt')].map(element =>"
    " element.textContent)"
)


class Lab:
    """One JupyterLab server, and a folder for each test."""

    def __init__(self, folder: Path):
        self.folder = folder / "home"
        settings = folder / "config" / "lab" / "user-settings" / "@jupyterlab"
        for name, value in (
            ("notebook-extension/tracker", {"windowingMode": "none"}),
            ("apputils-extension/notification", {"fetchNews": "false"}),
        ):
            path = (
                settings / f"{name}.jupyterlab-settings"
            )  # all cells are on the page, and nothing asks for news
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(value), encoding="utf-8")
        self.folder.mkdir()
        self.python = bare.make(
            folder / "bare"
        )  # kernels have what Colab has of the notebooks' needs, and no autograder
        spec = folder / "kernels" / "python3" / "kernel.json"
        spec.parent.mkdir(parents=True)
        argv = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec.write_text(
            json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}), encoding="utf-8"
        )
        own = {
            "HOME": str(folder),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        }
        own["JUPYTER_PATH"] = str(folder)
        own |= {
            "IPYTHONDIR": str(folder / "ipython"),
            "MPLCONFIGDIR": matplotlib.get_cachedir(),
            "OMP_NUM_THREADS": "1",
            "PYTHONHASHSEED": "0",
        }
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV") if name in os.environ}
        options = [
            "--no-browser",
            "--ServerApp.ip=127.0.0.1",
            "--ServerApp.port=0",
            f"--IdentityProvider.token={TOKEN}",
        ]
        options += [f"--ServerApp.root_dir={self.folder}", "--LabApp.extension_manager=readonly"]
        options += ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        self.output = (folder / "server.txt").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=folder,
            env=kept | own,
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )
        self.url = self._url(folder / "runtime")

    def _url(self, runtime: Path) -> str:
        deadline = time.monotonic() + PATIENCE / 1000
        while time.monotonic() < deadline and self.process.poll() is None:
            for path in runtime.glob("jpserver-*.json"):
                try:
                    return str(json.loads(path.read_text())["url"])
                except ValueError:
                    continue  # it is being written
            time.sleep(0.1)
        raise AssertionError(f"JupyterLab did not start: {Path(self.output.name).read_text()[-2000:]}")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)
        self.output.close()


class Notebook:
    """One notebook in JupyterLab, and a student's hands."""

    def __init__(self, lab: Lab, page, name: str, folder: str):
        self.homework = homeworks()[name]
        self.folder = lab.folder / folder
        self.folder.mkdir()  # the notebook alone, as when it was opened from a link: no data beside it
        self.path = self.folder / f"{self.homework.stem}.ipynb"
        text = notebook_path(ROOT, self.homework).read_text(encoding="utf-8")
        for old, new in SHORTER.items():
            text = text.replace(old, new)
        self.path.write_text(text, encoding="utf-8")
        self.sources = ["".join(cell["source"]) for cell in json.loads(text)["cells"]]
        self.kinds = [cell["cell_type"] for cell in json.loads(text)["cells"]]
        self.page, self.url = page, lab.url
        page.goto(f"{lab.url}lab/tree/{folder}/{self.path.name}?token={TOKEN}&reset")
        playwright.expect(page.locator(".jp-Notebook .jp-Cell")).to_have_count(
            len(self.sources), timeout=PATIENCE
        )
        playwright.expect(page.locator("#jupyterlab-splash")).to_have_count(0, timeout=PATIENCE)
        page.wait_for_function(f"{PROMPTS}.length == {self.kinds.count('code')}", timeout=PATIENCE)
        self.idle()  # the kernel is there

    def place(self, text: str) -> int:
        """The number of the code cell that is, or begins with, this text."""
        (found,) = [
            n for n, source in enumerate(self.sources) if self.kinds[n] == "code" and source.startswith(text)
        ]
        return found

    def cell(self, number: int):
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def output(self, text: str) -> str:
        return "\n".join(self.cell(self.place(text)).locator(".jp-OutputArea-output").all_inner_texts())

    def menu(self, name: str, item: str) -> None:
        self.page.get_by_role("menuitem", name=name, exact=True).click()
        self.page.locator(
            ".lm-Menu-item:not(.lm-mod-disabled)", has_text=re.compile(f"^{re.escape(item)}")
        ).first.click()

    def idle(self) -> None:
        """Waits until nothing runs or waits to run."""
        try:
            self.page.wait_for_function(f"{PROMPTS}.every(text => !text.includes('*'))", timeout=PATIENCE)
        except playwright.TimeoutError:
            raise AssertionError(f"the notebook did not run to its end: {self.errors()}") from None
        playwright.expect(self.page.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute(
            "data-status", "idle", timeout=PATIENCE
        )

    def run_all(self) -> None:
        self.page.locator(".jp-Notebook .jp-InputArea-prompt").evaluate_all(PENDING)
        self.menu("Run", "Run All Cells")
        self.idle()

    def run(self, text: str) -> str:
        """Runs one cell by keyboard; returns what it shows."""
        cell = self.cell(self.place(text))
        cell.locator(".jp-InputPrompt").click()  # also there where the input is folded
        cell.locator(".jp-InputArea-prompt").evaluate_all(PENDING)
        self.page.keyboard.press("Control+Enter")
        self.idle()
        return self.output(text)

    def write(self, number: int, text: str, *, by_key: bool = False) -> None:
        """Replaces a cell's text: key by key, or as pasted."""
        if self.kinds[number] == "markdown":
            self.cell(number).locator(".jp-RenderedMarkdown").dblclick()
        editor = self.cell(number).locator(".cm-content")
        editor.click()
        self.page.keyboard.press("Control+a")
        if by_key:
            self.page.keyboard.type(text)
        else:
            self.page.keyboard.insert_text(text)
        playwright.expect(editor).to_contain_text(
            text.strip().split("\n")[-1].strip()[-30:], timeout=PATIENCE
        )
        self.sources[number] = text
        if self.kinds[number] == "markdown":
            self.page.keyboard.press("Control+Enter")

    def save(self) -> None:
        before = self.path.stat().st_mtime_ns
        self.page.keyboard.press("Escape")
        self.page.keyboard.press("Control+s")
        deadline = time.monotonic() + PATIENCE / 1000
        while self.path.stat().st_mtime_ns == before and time.monotonic() < deadline:
            self.page.wait_for_timeout(50)
        assert self.path.stat().st_mtime_ns != before

    def restart(self) -> None:
        self.menu("Kernel", "Restart Kernel…")
        self.page.locator(".jp-Dialog button.jp-mod-accept").click()
        playwright.expect(self.page.locator(".jp-Dialog")).to_have_count(0)
        self.idle()

    def errors(self) -> list[str]:
        shown = self.page.locator(".jp-Notebook .jp-OutputArea-output").all_inner_texts()
        marked = self.page.locator(
            ".jp-Notebook [data-mime-type*='error'], .jp-Notebook [data-mime-type*='stderr']"
        ).all_inner_texts()
        return [text for text in shown if "Traceback" in text] + marked

    def log(self) -> dict:
        return json.loads((self.folder / kit.LOG_NAME).read_text(encoding="utf-8"))

    def figures(self) -> int:
        return self.page.locator(".jp-Notebook .jp-OutputArea-output img[src^='data:image/png']").count()

    def missing(self) -> list[str]:
        found = re.search(r"Missing or incomplete: ([^A-Z]*)\.", self.output("finish()"))
        return found[1].split(", ") if found else []

    def close(self) -> None:
        """Ends the kernel, so that the next notebook has the memory."""
        headers = {"Authorization": f"token {TOKEN}"}
        for one in self.page.request.get(f"{self.url}api/sessions", headers=headers).json():
            self.page.request.delete(f"{self.url}api/sessions/{one['id']}", headers=headers)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    started = Lab(tmp_path_factory.mktemp("lab"))
    yield started
    started.stop()


@pytest.fixture(scope="module")
def page(lab: Lab) -> Iterator:
    with playwright.sync_playwright() as running:
        options = ["--disable-gpu"] + (
            ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        )
        browser = running.chromium.launch(executable_path=CHROMIUM, args=options)
        context = browser.new_context(viewport={"width": 1250, "height": 1400})
        context.set_default_timeout(PATIENCE)
        opened = context.new_page()
        opened.on("dialog", lambda dialog: dialog.accept())  # leaving an unsaved notebook
        yield opened
        browser.close()


@pytest.fixture
def opened(lab: Lab, page) -> Iterator:
    made: list[Notebook] = []

    def open_notebook(name: str, folder: str) -> Notebook:
        made.append(Notebook(lab, page, name, folder))
        return made[-1]

    yield open_notebook
    for notebook in made:
        notebook.close()


@pytest.mark.parametrize("name", list(homeworks()))
def test_a_blank_notebook_runs_through_and_every_question_answers_kindly(opened, name: str):
    notebook = opened(name, f"blank-{name}")
    notebook.run_all()
    assert notebook.errors() == []
    asked = [question for question in notebook.homework.questions.values() if question.entries]
    assert (
        len([source for source in notebook.sources if source.startswith("check(")]) >= len(asked) - 2
    )  # not where all is recorded as it is
    for question in asked:
        if f'check("{question.id}")' in notebook.sources:
            assert NOT_ANSWERED.search(notebook.output(f'check("{question.id}")')), question.id
        assert NOT_ANSWERED.search(notebook.output(f'record("{question.id}")')), question.id
    assert f"{name}: 0 of {len(asked)} questions recorded" in notebook.output("finish()")
    assert notebook.missing() == [question.id for question in asked if not question.extra]
    found = read_log((notebook.folder / kit.LOG_NAME).read_bytes(), notebook.homework)
    assert found.notes == ()
    (submission,) = find([notebook.folder / f"{notebook.homework.stem}_submission.zip"]).submissions
    assert submission.notebook == notebook.path.read_bytes()
    if name == "hw5":
        assert "The movie sentences could not be fetched" in notebook.output(
            "# training (skipped while grading)\nwith when_answered():\n    train_set"
        )


def test_kernels_have_no_package_but_those_that_notebooks_name(lab: Lab, page):
    specs = page.request.get(f"{lab.url}api/kernelspecs", headers={"Authorization": f"token {TOKEN}"}).json()
    assert specs["kernelspecs"]["python3"]["spec"]["argv"][0] == str(lab.python)
    assert bare.installed(lab.python) == set(bare.distributions())


def answers(notebook: Notebook) -> dict[int, str]:
    """The reference's text of each cell that students change."""
    reference = build_notebook(notebook.homework, source_path(ROOT, notebook.homework), blank=False)
    blank = build_notebook(notebook.homework, source_path(ROOT, notebook.homework))
    pairs = enumerate(zip(reference.cells, blank.cells, strict=True))
    return {
        number: right.source
        for number, (right, stub) in pairs
        if right.source != stub.source and right.metadata.get("tags") != ["kit"]
    }


def solve(notebook: Notebook) -> None:
    """Types the reference's answers: the first one key by key, the others pasted."""
    for turn, (number, text) in enumerate(answers(notebook).items()):
        notebook.write(number, text, by_key=turn == 0)


def test_hw3_is_solved_edited_restarted_and_graded(opened):
    notebook = opened("hw3", "solve-hw3")
    notebook.run("%%writefile")
    notebook.run("import matplotlib")
    notebook.run("finish()")
    before = notebook.missing()
    solve(notebook)
    notebook.run_all()
    assert notebook.errors() == []
    for question in notebook.homework.questions:
        if question != "3.7":  # its training was cut short
            assert "✓" in notebook.output(f'check("{question}")')
            assert "✗" not in notebook.output(f'check("{question}")')
    assert len(before) == 7
    assert notebook.missing() == []
    assert notebook.figures() == 11  # one for each call that draws: none is shown twice
    assert "Not saved yet" in notebook.output("finish()")
    notebook.save()
    shown = notebook.run("finish()")
    assert "✗" not in shown
    assert "Nothing is missing" in shown
    assert {entry["status"] for entry in notebook.log()["entries"].values()} == {"ok"}

    # an edit that runs but is not recorded, and one that does not even run
    first, second = notebook.place("# Shapes: Q and K (3, qk)"), notebook.place("# Shapes: pos (4, p)")
    notebook.write(first, notebook.sources[first].replace("6.0", "0.1"))
    notebook.run("# Shapes: Q and K (3, qk)")
    notebook.write(second, notebook.sources[second].replace("30.0", "0.3"))
    notebook.save()
    shown = notebook.run("finish()")
    assert "Changed after recording: 3.1. The log holds the old answer" in shown
    assert "Edited in the notebook after recording: 3.2. The log holds the old answer" in shown
    assert {
        name: told.get("stale") for name, told in notebook.log()["answers"].items() if "stale" in told
    } == {"3.1": "changed", "3.2": "edited"}
    assert "✗" in notebook.run('check("3.1")')
    notebook.write(first, notebook.sources[first].replace("0.1", "6.0"))
    notebook.run("# Shapes: Q and K (3, qk)")
    notebook.write(second, notebook.sources[second].replace("0.3", "30.0"))
    notebook.run("# Shapes: pos (4, p)")
    notebook.save()
    assert "✗" not in notebook.run("finish()")

    # a new kernel, and cells out of order
    notebook.restart()
    notebook.run("%%writefile")
    notebook.run("import matplotlib")
    assert "do not exist here. Run the cell that defines it" in notebook.run('check("3.2")')
    assert "stays in the log" in notebook.run('record("3.2")')
    assert "does not exist here" in notebook.run('check("3.6")')
    notebook.run("# Shapes: pos (4, p)")
    notebook.run("def attention_head")
    assert "✓" in notebook.run('check("3.2")')
    assert "3.2 recorded" in notebook.run('record("3.2")')
    shown = notebook.run("finish()")
    assert "9 of 9 questions recorded" in shown
    assert "before this kernel started" in shown
    assert "✗" not in shown

    (submission,) = find([notebook.folder / "hw3_hand_designed_submission.zip"]).submissions
    report, _ = grade_submission(submission, SETTINGS, kernels(PLACE)[0])
    lost = {question.id for question in report.questions if question.points < question.maximum}
    assert lost <= {"3.7"}  # what a hundred steps of training find earns little
    assert not any("log" in note for note in report.notes)


def test_hw1_is_solved_with_its_written_answers(opened):
    notebook = opened("hw1", "solve-hw1")
    solve(notebook)
    notebook.run_all()
    assert notebook.errors() == []
    asked = [question.id for question in notebook.homework.questions.values() if question.entries]
    for question in asked:
        assert "✗" not in notebook.output(f'check("{question}")'), question
        assert "not answered" not in notebook.output(f'check("{question}")'), question
        assert f"{question} recorded" in notebook.output(f'record("{question}")'), question
    assert notebook.missing() == []
    assert notebook.figures() >= 10
    notebook.save()
    shown = notebook.run("finish()")
    assert f"{len(asked)} of {len(asked)} questions recorded" in shown
    assert "written answers worth 27 of 27 points" in shown
    assert "✗" not in shown
