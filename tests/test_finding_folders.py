"""Submissions spread over folders: what is below or above a notebook is found, nobody else's is taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.kit import LOG_NAME
from autograder.submissions.find import find
from tests.platforms import zipped
from tests.test_finding import HW3, lay, log_of, rows


@pytest.mark.parametrize(
    ("notebook_in", "log_in"), [("", "out/"), ("", "hw3/results/"), ("work/", ""), ("a/b/", "")]
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_log_in_a_folder_below_or_above_its_notebook_is_found(
    notebook_in: str, log_in: str, packed: bool, tmp_path: Path
):
    fitting = log_of('record("3.1")', "answer = 1")
    files = {f"{notebook_in}hw3.ipynb": HW3, f"{log_in}{LOG_NAME}": fitting, f"{log_in}figure.png": b"x"}
    whole = {f"jane/{name}": data for name, data in files.items()}
    found = rows(lay(tmp_path, {"jane.zip": zipped(files)} if packed else whole))
    assert [(one.notebook, one.log) for one in found.values()] == [(HW3.encode(), fitting.encode())]


@pytest.mark.parametrize("packed", [False, True])
def test_files_beside_the_folder_of_a_notebook_end_nothing(packed: bool, tmp_path: Path):
    for number, notebook_in in enumerate(("work/", "", "a/b/")):
        files = {f"{notebook_in}hw3.ipynb": HW3, "figure.png": b"x", "out/drawn.png": b"x"}
        files |= {"more/report.pdf": b"%PDF"} if not notebook_in else {}
        whole = {f"jane/{name}": data for name, data in files.items()}
        folder = lay(tmp_path / str(number), {"jane.zip": zipped(files)} if packed else whole)
        assert [one.notebook for one in rows(folder).values()] == [HW3.encode()]
        assert len(find([folder]).ignored) == len(files) - 1


def test_a_log_in_another_folder_is_somebody_elses_unless_its_content_says_otherwise(tmp_path: Path):
    strange = log_of("something else", "entirely")
    fitting = log_of('record("3.1")', "answer = 1")
    found = rows(lay(tmp_path / "a", {"week3/hw3.ipynb": HW3, f"week3/sam/{LOG_NAME}": strange}))
    assert sorted(one.log is None for one in found.values()) == [False, True]
    found = rows(lay(tmp_path / "b", {"jane/hw3.ipynb": HW3, f"sam/{LOG_NAME}": fitting}))
    assert len(found) == 2
    two = {"w/hw3.ipynb": HW3, f"w/sam/{LOG_NAME}": fitting, f"w/max/{LOG_NAME}": fitting}
    assert len(rows(lay(tmp_path / "c", two))) == 3
