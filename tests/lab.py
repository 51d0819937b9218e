"""JupyterLab for tests: one server, and a notebook driven as a student drives it, by keyboard and menus."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import matplotlib
import pytest

from autograder import kit
from autograder.declare import homeworks
from autograder.names import notebook_path
from tests import bare
from tests.gallery import ROOT

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
PATIENCE = 240_000  # ms; CI is slow
TOKEN = "the-tests"
SHORTER = {
    f'train_head("{task}")': f'train_head("{task}", steps=101)' for task in ("3.1", "3.2", "3.3")
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
            ("docmanager-extension/plugin", {"autosave": False}),
        ):  # all cells are on the page, nothing asks for news, and nothing is saved but what a test saves
            path = settings / f"{name}.jupyterlab-settings"
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
        text = notebook_path(ROOT, self.homework.stem).read_text(encoding="utf-8")
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
        for _ in range(3):  # a kernel that starts anew forgets what it was to run
            cell.locator(".jp-InputPrompt").click()  # also there where the input is folded
            cell.locator(".jp-InputArea-prompt").evaluate_all(PENDING)
            self.page.keyboard.press("Control+Enter")
            self.idle()
            if re.search(r"\d", prompt := cell.locator(".jp-InputPrompt").first.text_content() or ""):
                return self.output(text)
        raise AssertionError(f"the cell {text!r} did not run: its prompt is {prompt!r}")

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
        """The questions that the last cell calls missing; the page shows it later than the kernel is idle."""
        self.cell(self.place("finish()")).scroll_into_view_if_needed()
        for _ in range(120):
            told = self.output("finish()")
            if found := re.search(r"Missing or incomplete: ([^A-Z]*)\.", told):
                return found[1].split(", ")
            if "recorded in" in told and ("Nothing is missing" in told or "✗" in told):
                return []
            self.page.wait_for_timeout(500)
        raise AssertionError(f"the last cell does not say what is missing: {told!r}")

    def close(self) -> None:
        """Ends the kernel, so that the next notebook has the memory."""
        headers = {"Authorization": f"token {TOKEN}"}
        for one in self.page.request.get(f"{self.url}api/sessions", headers=headers).json():
            self.page.request.delete(f"{self.url}api/sessions/{one['id']}", headers=headers)
