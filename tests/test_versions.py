"""The comparison of Python versions: what it skips, and which grades it says differ."""

from __future__ import annotations

import sys
from pathlib import Path

from click.testing import CliRunner

from tests import versions

HEAD = "submission,homework,3.1,total\n"


def test_a_version_that_is_not_installed_is_skipped_and_said():
    done = CliRunner().invoke(versions.main, ["2.99"])
    assert (done.exit_code, "| 2.99 | skipped: it is not installed here | |" in done.output) == (0, True)


def test_an_interpreter_is_found_by_what_it_says_of_itself(monkeypatch, tmp_path: Path):
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    own = tmp_path / f"python{version}"
    own.symlink_to(sys.executable)
    shim = tmp_path / "python2.99"  # as pyenv has for versions that are not chosen
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert versions.interpreter(version) == str(own)
    assert versions.interpreter("2.99") is None


def test_grades_that_differ_are_told_with_both(tmp_path: Path):
    (tmp_path / "a.csv").write_text(f"{HEAD}ann,hw3,10,90\nbob,hw3,0,7\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text(f"{HEAD}ann,hw3,8,88\nbob,hw3,0,7\n", encoding="utf-8")
    assert versions.differing(tmp_path / "b.csv", tmp_path / "a.csv") == [
        "ann, 3.1: 10 → 8",
        "ann, total: 90 → 88",
    ]
    assert versions.differing(tmp_path / "a.csv", tmp_path / "a.csv") == []
