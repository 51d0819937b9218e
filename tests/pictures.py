"""Makes the pictures of the README: ``python -m tests.pictures [GRADED]``.

It takes pictures in a headless Chromium: a notebook with its check, the attention viewer, a feedback page,
the class report and manual grading. GRADED is a folder of ``autograder grade``, such as ``build/demo/graded``
of ``make demo``. Without it, the hw3 part of the example class is made and graded first, and the output of
``autograder grade`` becomes an SVG.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console

from autograder.author.build import build_notebook
from autograder.declare import homeworks
from autograder.names import source_path
from autograder.report.written import browser
from tests.gallery import ROOT
from tests.test_desk import start

FOLDER = ROOT / "docs" / "pictures"
MOST = 150_000  # bytes of a picture
SIZE = {"width": 1100, "height": 720}
TOO_SOFT = "\n".join(
    f"attention_by_content_{name} = np.eye(3)" for name in "QKV"
)  # 3.1's weights are too small
STUDENT = "student-0"  # whose feedback page is shown: the first of these who lost points to a named mistake


# --- notebooks ----------------------------------------------------------------------------------------------


def executed(name: str, last: str, answers: Mapping[str, str] | None = None) -> NotebookNode:
    """A homework's notebook, executed up to the cell with this text: with these answers, or the reference."""
    homework = homeworks()[name]
    notebook = build_notebook(
        homework, source_path(ROOT, homework.stem), answers=answers, blank=answers is not None
    )
    end = next(
        place
        for place, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and last in cell.source and "%%writefile" not in cell.source
    )
    notebook.cells = notebook.cells[: end + 1]
    for cell in notebook.cells:
        cell.metadata.pop("tags", None)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}}).execute()
    return notebook


def html(notebook: NotebookNode) -> str:
    """Cells as a page that looks as in JupyterLab."""
    return str(HTMLExporter(template_name="lab").from_notebook_node(notebook)[0])


def notebook_page() -> str:
    """The end of 3.1's text, an answer that is nearly right, and what its check says."""
    notebook = executed("hw3", 'check("3.1")', {"3.1": TOO_SOFT})
    place = next(at for at, cell in enumerate(notebook.cells) if cell.source.startswith("# Shapes: Q and K"))
    notebook.cells = notebook.cells[place - 1 :]
    return html(notebook)


def viewer_page() -> str:
    """The attention viewer of 1.2."""
    notebook = executed("hw1", "Who looks at whom")
    cell = notebook.cells[-1]
    cell.source = 'attention_viewer(weights_12, words, title="Who looks at whom").show()'
    cell.outputs = cell.outputs[-1:]
    notebook.cells = [cell]
    return html(notebook)


# --- a graded class -----------------------------------------------------------------------------------------


def run(*command: str) -> str:
    """What a module of this project prints."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


@contextlib.contextmanager
def graded_class(given: str | None) -> Iterator[Path]:
    """A copy of the graded class, so that manual grading leaves no trace in it."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "graded"
        if given:
            shutil.copytree(given, output)
        else:
            made = f"{folder}/submissions"
            run("tests.demo", made, "hw3")
            said = run("autograder", "grade", made, "-o", str(output), "--seed", "demo")
            terminal(said.replace(folder + "/", ""))
            run("tests.demo_people", str(output))
            run("autograder", "report", str(output))
        yield output


def terminal(said: str) -> None:
    """The output of ``autograder grade`` as an SVG that loads no font."""
    console = Console(record=True, width=112, file=io.StringIO(), force_terminal=True)
    console.print("$ autograder grade submissions -o graded", style="bold")
    kept = [line for line in said.splitlines() if not re.match(r"\d+ of \d+ graded, |Course: ", line)]
    console.print("\n".join(kept), highlight=False, markup=False)
    drawing = console.export_svg(title="autograder grade")
    drawing = re.sub(r"@font-face \{.*?\}", "", drawing, flags=re.DOTALL)
    write(FOLDER / "grade.svg", drawing.replace("Fira Code", "monospace").encode())


# --- pictures -----------------------------------------------------------------------------------------------


def write(path: Path, data: bytes) -> None:
    """Writes a picture that is small enough."""
    if len(data) > MOST:
        raise ValueError(f"{path.name} has {len(data)} bytes, the most are {MOST}")
    path.write_bytes(data)
    print(f"{path.relative_to(ROOT)}: {len(data) / 1000:.0f} kB")


def keep(name: str, taken: bytes) -> None:
    """Writes a screenshot with a palette, which needs a third of the bytes."""
    with Image.open(io.BytesIO(taken)) as picture:
        reduced = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
    data = io.BytesIO()
    reduced.save(data, "PNG", optimize=True)
    write(FOLDER / f"{name}.png", data.getvalue())


def shown(browser: Browser, text: str) -> Page:
    """A page with this HTML, which may load nothing."""
    page = browser.new_page(viewport=SIZE)
    page.route("**/*", lambda route: route.abort())
    page.set_content(text, wait_until="domcontentloaded")
    return page


def take_notebooks(browser: Browser) -> None:
    """Pictures of the notebook and of the viewer."""
    keep("notebook", shown(browser, notebook_page()).screenshot())
    page = shown(browser, viewer_page())
    box = page.locator(".jp-OutputArea-output").last.bounding_box()
    assert box is not None
    page.set_viewport_size({"width": 760, "height": int(box["y"] + box["height"]) + 24})
    keep("viewer", page.screenshot())


def take_pages(browser: Browser, graded: Path) -> None:
    """Pictures of a feedback page and of the class report."""
    page = browser.new_page(viewport=SIZE)
    pages = sorted(graded.glob(f"submissions/*{STUDENT}*/feedback.html"))
    for path in pages or sorted(graded.glob("submissions/*/feedback.html")):
        page.goto(path.as_uri())
        if page.locator(".ag-state-fail").count() > 1:
            break
    keep("feedback", page.screenshot())
    page.goto((graded / "report.html").as_uri())
    keep("report", page.screenshot())


def take_manual_grading(browser: Browser, graded: Path) -> None:
    """A picture of an answer beside its rubric."""
    serving = start(graded, 1)
    try:
        page = browser.new_page(viewport=SIZE)
        page.goto(serving.links[0])
        page.get_by_role("link", name="Next ungraded").first.click()
        page.locator("main[data-mark]").wait_for()
        keep("manual-grading", page.screenshot())
    finally:
        serving.stop(signal.SIGINT)


def main(given: str | None = None) -> None:
    """Makes all pictures."""
    FOLDER.mkdir(exist_ok=True)
    options: dict[str, Any] = {"executable_path": browser(), "args": ["--disable-gpu"]}
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options["args"].append("--no-sandbox")
    with sync_playwright() as playing, graded_class(given) as graded:
        opened = playing.chromium.launch(**options)
        take_notebooks(opened)
        take_pages(opened, graded)
        take_manual_grading(opened, graded)
        opened.close()


if __name__ == "__main__":
    main(*sys.argv[1:2])
