"""A student's folder and a kernel of its own: cells run, the notebook is saved, ``finish()`` runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from autograder import kit
from autograder.author.build import build_notebook, dumps
from autograder.declare import homeworks
from autograder.names import SKIPPED, source_path
from autograder.submissions.find import Submission, find
from tests.gallery import ROOT

KERNEL = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
job = json.loads(sys.stdin.read())
sys.path[0] = ""
def nothing(self, *args, **options): pass
Quiet = type("Quiet", (InteractiveShell,), {"showtraceback": nothing, "enable_gui": nothing})
shell = Quiet.instance(config=Config({"HistoryManager": {"enabled": False}}))
for cell in job["cells"]:
    shell.run_cell(cell, store_history=True)
print("=== finish ===", flush=True)
shell.run_cell(job["finish"], store_history=True)
"""


class Home:
    """A folder with a solved notebook of one homework.

    Attributes:
        cells: kind and text of each cell, to be changed before it runs.
        only_here: cells that run first and are not saved.
        after: cells of the saved notebook that replace those that ran: index → text.
        runs_too: a pattern of cells that grading skips and that run here; the others do not, to save time.
        packages: what is installed here and not in grading: file name → text of a module.
    """

    def __init__(self, folder: Path, name: str, blank: bool = False):
        self.folder, self.homework = folder / name, homeworks()[name]
        self.folder.mkdir(parents=True)
        for name_of_data, read in self.homework.data.beside.items() if self.homework.data else ():
            (self.folder / name_of_data).write_bytes(read())
        built = build_notebook(self.homework, source_path(ROOT, self.homework.stem), blank=blank)
        self.document = json.loads(dumps(built))
        self.cells = [[cell["cell_type"], cell["source"]] for cell in self.document["cells"]]
        self.cells = [[kind, text if isinstance(text, str) else "".join(text)] for kind, text in self.cells]
        self.only_here: list[str] = []
        self.after: dict[int, str] = {}
        self.runs_too = r"^\b$"
        self.packages: dict[str, str] = {}

    def place(self, pattern: str) -> int:
        """The index of the first code cell in which a pattern is found."""
        return next(
            index
            for index, (kind, text) in enumerate(self.cells)
            if kind == "code" and not text.startswith("%%writefile") and re.search(pattern, text)
        )

    def change(self, pattern: str, edit: Callable[[str], str]) -> int:
        """Edits the first code cell in which a pattern is found; returns its number for people."""
        index = self.place(pattern)
        before = self.cells[index][1]
        self.cells[index][1] = edit(before)
        assert self.cells[index][1] != before
        return index + 1

    def insert(self, index: int, text: str) -> int:
        """Puts a code cell before an index; returns its number for people."""
        self.cells.insert(index, ["code", text])
        return index + 1

    def saved(self) -> bytes:
        """The notebook as saved."""
        texts = [(kind, self.after.get(index, text)) for index, (kind, text) in enumerate(self.cells)]
        cells = [
            {"cell_type": kind, "source": text, "metadata": {}, "id": f"c{index}"}
            | ({"outputs": [], "execution_count": None} if kind == "code" else {})
            for index, (kind, text) in enumerate(texts)
        ]
        return json.dumps(self.document | {"cells": cells}).encode()

    def run(self, finish: str = "finish()") -> str:
        """Runs the cells, saves, and runs the last one; returns what that one says."""
        code = [text for kind, text in self.cells if kind == "code" and text.strip() != "finish()"]
        code = [text for text in code if not SKIPPED.match(text) or re.search(self.runs_too, text)]
        site = self.folder.parent / "site"
        site.mkdir(exist_ok=True)
        for name, text in self.packages.items():
            (site / name).write_text(text, encoding="utf-8")
        path = self.folder / f"{self.homework.stem}.ipynb"
        path.write_bytes(self.saved())
        later = path.stat().st_mtime + 1000  # saved after all that is recorded
        os.utime(path, (later, later))
        job = {"cells": [*self.only_here, *code], "finish": finish}
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "VIRTUAL_ENV") if name in os.environ}
        home = {"HOME": str(self.folder.parent), "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
        home["PYTHONPATH"] = str(site)
        done = subprocess.run(
            [sys.executable, "-c", KERNEL],
            cwd=self.folder,
            env=kept | home,
            input=json.dumps(job),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert "=== finish ===" in done.stdout, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout.partition("=== finish ===")[2] + done.stderr

    def log(self) -> dict:
        return json.loads((self.folder / kit.LOG_NAME).read_text(encoding="utf-8"))

    def zipped(self) -> dict[str, bytes]:
        with zipfile.ZipFile(self.folder / f"{self.homework.stem}_submission.zip") as archive:
            return {info.filename: archive.read(info) for info in archive.infolist()}

    def submission(self) -> Submission:
        (found,) = find([self.folder / f"{self.homework.stem}_submission.zip"]).submissions
        return found
