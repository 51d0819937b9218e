"""Helpers for the tests of otter and Gradescope: small notebooks, bundles, the attacks on otter."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import nbformat

from autograder.declare import homeworks
from autograder.grade.report import Report
from autograder.hosts import bundle
from tests.conftest import SETTINGS

ATTACKS = {
    "patches the test case": (
        """
from otter.test_files import ok_test
from otter.test_files.abstract_test import TestCaseResult

def run(self, environment):
    self.test_case_results = [TestCaseResult(case, None, True) for case in self.test_cases]

ok_test.OKTestFile.run = run
"""
    ),
    "patches the results class": (
        """
import otter.test_files

honest = otter.test_files.GradingResults.__init__

def lie(self, files, notebook=None):
    honest(self, files, notebook)
    for file in files:
        file.update_score(file.possible)

otter.test_files.GradingResults.__init__ = lie
"""
    ),
    "overwrites a test file": (
        """
import glob

ALWAYS = {"code": ">>> True\\nTrue", "hidden": False, "locked": False}
SUITE = {"cases": [ALWAYS], "scored": True, "setup": "", "teardown": "", "type": "doctest"}
for path in [*glob.glob("tests/*.py"), "tests/q1.py"]:
    try:
        with open(path, "w") as file:
            file.write(f"OK_FORMAT = True\\ntest = {{'name': 'q1', 'points': 3, 'suites': [{SUITE!r}]}}")
    except OSError:
        pass
"""
    ),
    "hands over a pickle that runs code in the grader": (
        """
import pickle

class Evil:
    def __reduce__(self):
        return exec, ("import os, pathlib; pathlib.Path('@SENTINEL@').write_text(str(os.getpid()))",)

honest = pickle.dump

def dump(results, file):
    for one in results.results.values():
        one.update_score(one.possible)
    results._plugin_data["evil"] = Evil()
    honest(results, file)

pickle.dump = dump
"""
    ),
}


def notebook(*cells: str, homework: str = "hw3") -> str:
    """A notebook of a homework with the given code cells."""
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={"attention_homework": {"id": homework}},
    )
    made.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.writes(made)


def zipped(files: dict[str, str | bytes], compress: bool = False) -> bytes:
    buffer = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def make_bundle(path: Path, homework: str = "hw3", platform: str = "otter", **config) -> Path:
    path.write_bytes(
        bundle.make(homeworks()[homework], platform, bundle.Config(homework, SETTINGS.seed, **config))
    )
    return path


def stock_bundle(path: Path) -> Path:
    """What otter makes of an assignment of one question, which wants x to be 1."""
    case = {"code": ">>> x\n1", "hidden": False, "locked": False}
    suite = {"cases": [case], "scored": True, "setup": "", "teardown": "", "type": "doctest"}
    test = f"OK_FORMAT = True\ntest = {{'name': 'q1', 'points': 3, 'suites': [{suite!r}]}}"
    path.write_bytes(zipped({"otter_config.json": json.dumps({"logo": False}), "tests/q1.py": test}))
    return path


def points(report: Report) -> dict[str, float]:
    """Points of each question that the autograder judges."""
    return {question.id: round(question.points, 4) for question in report.questions if question.checks}


def unpack_base(base: Path, archive: Path, files: dict[str, str | bytes]) -> Path:
    """The folders of a Gradescope container: the bundle in ``source``, a submission in ``submission``."""
    with zipfile.ZipFile(archive) as bundle_zip:
        bundle_zip.extractall(base / "source")
    (base / "submission").mkdir(parents=True)
    (base / "results").mkdir()
    for name, data in files.items():
        target = base / "submission" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data if isinstance(data, bytes) else data.encode())
    return base
