"""The student notebooks in a real JupyterLab, driven by keyboard and menus in headless Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from autograder import kit
from autograder.author.build import build_notebook
from autograder.declare import homeworks
from autograder.grade.grade import grade_submission
from autograder.names import source_path
from autograder.run.choose import kernels
from autograder.submissions.find import find
from autograder.submissions.log import read_log
from tests import bare
from tests.conftest import PLACE, SETTINGS
from tests.gallery import ROOT
from tests.lab import NOT_ANSWERED, PATIENCE, TOKEN, Lab, Notebook

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

SKIPPED = "# figure (skipped while grading)"
SWEEP = pytest.mark.sweep  # a real JupyterLab is slow; make test walks through hw3 and hw5


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


@pytest.mark.parametrize("name", ["hw5", *(pytest.param(n, marks=SWEEP) for n in homeworks() if n != "hw5")])
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
            '# training (skipped while grading)\nwith when_answered("5.1a"):\n    train_set'
        )


def test_kernels_have_no_package_but_those_that_notebooks_name(lab: Lab, page):
    specs = page.request.get(f"{lab.url}api/kernelspecs", headers={"Authorization": f"token {TOKEN}"}).json()
    assert specs["kernelspecs"]["python3"]["spec"]["argv"][0] == str(lab.python)
    assert bare.installed(lab.python) == set(bare.distributions())


def answers(notebook: Notebook) -> dict[int, str]:
    """The reference's text of each cell that students change."""
    reference = build_notebook(notebook.homework, source_path(ROOT, notebook.homework.stem), blank=False)
    blank = build_notebook(notebook.homework, source_path(ROOT, notebook.homework.stem))
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
    notebook.run("import numpy as np\nfrom homework_kit")
    notebook.run("finish()")
    before = notebook.missing()
    solve(notebook)
    notebook.run_all()
    assert notebook.errors() == []
    for question in notebook.homework.questions:
        if question != "3.7":  # its training was cut short
            told = notebook.output(f'check("{question}")')
            assert "✓" in told or "Nothing more can be tried out here" in told
            assert "✗" not in told
    assert len(before) == sum(not question.extra for question in notebook.homework.questions.values())
    assert notebook.missing() == []
    assert notebook.figures() == 11  # none is shown twice; the stills of moving pictures count, too
    assert "Not saved yet" in notebook.output("finish()")
    move_by_hand(notebook)
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
    assert "Changed after recording: 3.1, 3.7. The log holds the old answer" in shown  # 3.7 rests on 3.1
    assert "Edited in the notebook after recording: 3.2. The log holds the old answer" in shown
    assert {
        name: told.get("stale") for name, told in notebook.log()["answers"].items() if "stale" in told
    } == {"3.1": "changed", "3.2": "edited", "3.7": "changed"}
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
    notebook.run("import numpy as np\nfrom homework_kit")
    assert "do not exist here. Run the cell that defines them" in notebook.run('check("3.2")')
    assert "stays in the log" in notebook.run('record("3.2")')
    assert "does not exist here" in notebook.run('check("3.6")')
    notebook.run("# Shapes: pos (4, p)")
    notebook.run("def attention_head")
    assert "✓" in notebook.run('check("3.2")')
    assert "3.2 recorded" in notebook.run('record("3.2")')
    shown = notebook.run("finish()")
    assert "11 of 11 questions recorded" in shown
    assert "before this kernel started" in shown
    assert "✗" not in shown

    (submission,) = find([notebook.folder / "hw3_hand_designed_submission.zip"]).submissions
    report, _ = grade_submission(submission, SETTINGS, kernels(PLACE)[0])
    lost = {question.id for question in report.questions if question.points < question.maximum}
    assert lost <= {"3.7"}  # what a hundred steps of training find earns little
    assert not any("log" in note for note in report.notes)


def move_by_hand(notebook: Notebook) -> None:
    """Moves a viewer and a slider by mouse and by keyboard; the notebook must not take the keys."""
    page = notebook.page
    viewer = page.locator(".jp-OutputArea-output [role=group]", has=page.locator(".q")).first
    rows = viewer.locator(".w:visible .q")
    rows.nth(1).hover()
    playwright.expect(rows.nth(1).locator(".say")).to_be_visible()
    playwright.expect(viewer.locator(".still")).to_be_hidden()
    rows.nth(0).focus()
    active = page.locator(".jp-Notebook .jp-Cell.jp-mod-active").get_attribute("id")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    playwright.expect(rows.nth(2)).to_be_focused()
    slider = page.locator(".jp-OutputArea-output [role=group]", has=page.locator("[type=range]")).first
    slider.locator("[type=range]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    playwright.expect(slider.locator(".cap.v2")).to_be_visible()
    playwright.expect(slider.locator(".cap.v0")).to_be_hidden()
    slider.locator("[type=range]").click(position={"x": 3, "y": 10})
    playwright.expect(slider.locator(".cap.v0")).to_be_visible()
    assert page.locator(".jp-Notebook .jp-Cell.jp-mod-active").get_attribute("id") == active
    page.locator(".jp-Notebook .jp-InputPrompt").first.click()  # the notebook has the keys again


@SWEEP
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
    assert notebook.figures() >= 7
    move_by_hand(notebook)
    notebook.save()
    shown = notebook.run("finish()")
    assert f"{len(asked)} of {len(asked)} questions recorded" in shown
    assert "written answers worth 10 of 10 points" in shown
    assert "✗" not in shown


def test_the_rehearsal_names_every_kind_of_mistake_that_happens_at_home(opened):
    notebook = opened("hw3", "rehearse-hw3")
    text = "import numpy as np\n\n\ndef unit():\n    return np.eye(3)\n"
    (notebook.folder / "my_helpers.py").write_text(text)
    kernel_only = notebook.path.parent / "site"
    kernel_only.mkdir()
    (kernel_only / "seaborn.py").write_text("def sixfold(x):\n    return 6 * x\n")
    first = notebook.place("import numpy as np\nfrom homework_kit")
    local = f"import sys\nsys.path.append({str(kernel_only)!r})\nfrom my_helpers import unit\n"
    notebook.write(first, local + notebook.sources[first])
    solution = answers(notebook)
    content = notebook.place("# Shapes: Q and K (3, qk)")
    place = notebook.place("# Shapes: pos (4, p)")
    notebook.write(content, f"{solution[content]}\nattention_by_content_V = unit()\n")
    notebook.write(place, f"import seaborn\n{solution[place]}\n")
    gap, name, head, figure = (
        next(number for number, text in enumerate(notebook.sources) if part in text)
        for part in ("smallest_score_gap = None", "running_linear_name = None", "def moving_head", SKIPPED)
    )
    notebook.write(gap, "import torch\ntorch.Tensor.cuda = lambda self: self\ndeleted = 1.0")
    notebook.run("%%writefile")
    notebook.run(local)
    notebook.run(notebook.sources[gap])
    notebook.write(gap, "smallest_score_gap = deleted * np.log(5 / 0.01 - 5)")
    notebook.write(figure, f'{notebook.sources[figure]}\nkept_here = "B"')
    notebook.write(name, "running_linear_name = kept_here")
    notebook.write(head, f"import torch\nmine = torch.zeros(1).cuda()\n{solution[head]}")
    for text in (f"{solution[content]}", 'record("3.1")', "import seaborn", 'record("3.2")'):
        notebook.run(text)
    notebook.run(notebook.sources[figure])
    for cell, question in ((gap, "3.1b"), (name, "3.5"), (head, "3.4")):
        notebook.run(notebook.sources[cell])
        notebook.run(f'record("{question}")')
    notebook.save()
    shown = notebook.run("finish()")
    assert notebook.errors() == []
    assert "The notebook imports my_helpers.py, which goes into the zip" in shown
    assert f"Cell {place + 1} raises ModuleNotFoundError: No module named 'seaborn'" in shown
    assert "This costs 1 question: 3.2" in shown or "Nothing that is recorded hangs on it" in shown
    assert f"only in cell {figure + 1}, which grading skips" in shown
    assert f"Cell {head + 1} raises" in shown
    assert "only in the running kernel" in shown
    (submission,) = find([notebook.folder / "hw3_hand_designed_submission.zip"]).submissions
    assert set(submission.attachments) == {"my_helpers.py"}
    report, _ = grade_submission(submission, SETTINGS, kernels(PLACE)[0])
    earned = {question.id: question.points for question in report.questions}
    assert earned["3.1"] == 10
    assert "took" in shown  # the line of progress, over which the last one is written
    assert not {"3.1b", "3.4", "3.5"} & {question for question, points in earned.items() if points}
    for cell, question in ((place, "3.2"), (gap, "3.1b"), (name, "3.5"), (head, "3.4")):
        notebook.write(cell, solution[cell])
        notebook.run(solution[cell])
        notebook.run(f'record("{question}")')
    notebook.save()
    assert "gives the answers that are recorded" in notebook.run("finish()")
