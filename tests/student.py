"""A student's folder and kernel, for tests of what the last cell says and packs."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from autograder import kit
from autograder.declare.homework import homeworks
from autograder.kit import state
from autograder.names import notebook_path
from tests.gallery import ROOT

HW3 = homeworks()["hw3"]
BLANK = notebook_path(ROOT, HW3.stem).read_bytes()
ZIP = "hw3_hand_designed_submission.zip"
CELL_31 = (
    "attention_by_content_Q = 6.0 * np.eye(3)\nattention_by_content_K = big()\nattention_by_content_V ="
    " np.eye(3)"
)
HELPER = "def big():\n    return 6.0 * np.eye(3)"
CELL_36 = "def conv_heads(kernel):\n    return helper_36(kernel)"
HELPER_36 = "def helper_36(kernel):\n    return None"


class Desk:
    """A student's folder and kernel: cells run, the notebook is saved, the kernel starts anew."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
        self.folder, self.capsys, self.ran, self.cells = folder, capsys, [], {}
        monkeypatch.setattr(state, "cells_that_ran", lambda: self.ran)
        monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
        self.start()

    def start(self, homework: str = "hw3") -> None:
        self.ran.clear()
        self.log = kit.Log(homeworks()[homework].describe(), self.folder, {"np": np})

    def run(self, name: str, text: str) -> None:
        self.cells[name] = text
        self.ran.append(text)
        exec(text, self.log.namespace)

    def save(self, name: str = "hw3_hand_designed.ipynb", seconds: float = 100.0) -> None:
        """Writes the notebook as if so many seconds after everything that was recorded."""
        document = json.loads(BLANK)
        document["cells"] += [
            {"cell_type": "code", "source": text, "metadata": {}, "outputs": []}
            for text in self.cells.values()
        ]
        path = self.folder / name
        path.write_text(json.dumps(document))
        after = path.stat().st_mtime + seconds
        os.utime(path, (after, after))

    def finish(self) -> str:
        self.capsys.readouterr()
        self.log.finish()
        return self.capsys.readouterr().out

    def told(self) -> dict:
        return json.loads((self.folder / kit.LOG_NAME).read_text())["answers"]

    def zipped(self) -> dict[str, bytes]:
        with zipfile.ZipFile(self.folder / ZIP) as archive:
            return {info.filename: archive.read(info) for info in archive.infolist()}


def answer_31(desk: Desk) -> None:
    desk.run("helper", HELPER)
    desk.run("3.1", CELL_31)
    desk.log.record("3.1")
