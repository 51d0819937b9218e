"""The benchmarks of hostile classes compare classes of one size, and hand in what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.submissions.find import find
from benchmarks import hostile


@pytest.mark.parametrize("endless", [False, True])
def test_every_class_has_the_same_size_and_holds_what_its_name_says(
    endless: bool, monkeypatch: pytest.MonkeyPatch
):
    classes: dict[str, list[str]] = {}

    def timed(folder: Path, output: Path) -> float:
        classes[folder.name] = [one.name for one in find([folder]).submissions]
        return {"honest": 2.0, "mixed": 3.0, "endless": 8.0}[folder.name]

    monkeypatch.setattr(hostile, "timed", timed)
    arguments = ["cost", "--size", "14", "--rounds", "1", *(["--endless"] if endless else [])]
    result = CliRunner().invoke(hostile.main, arguments)
    assert result.exit_code == 0, result.output
    assert {name: len(some) for name, some in classes.items()} == dict.fromkeys(classes, 14)
    bad = {name: sum(one.startswith("hostile-") for one in some) for name, some in classes.items()}
    assert bad == {"honest": 0, "mixed": 10} | ({"endless": 12} if endless else {})
    assert "mixed: 3.0 s, 1.50 times honest" in result.output
    assert ("endless: 8.0 s, 4.00 times honest" in result.output) == endless
