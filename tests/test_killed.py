"""A batch of 30 that is killed in the middle, again and again, ends with the bytes of one that was not.

``python -m benchmarks.hostile kills`` does so at 20 moments, with notebooks that are solved.
"""

from __future__ import annotations

import random
import secrets
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from benchmarks.hostile import command, different, killed

pytestmark = [
    pytest.mark.sweep,
    pytest.mark.xdist_group("batch"),
    pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9"),
]
SIZE, KILLS = 30, 3


def test_a_batch_of_thirty_killed_at_random_moments_ends_with_the_same_bytes_pages_included(tmp_path: Path):
    seed = secrets.randbelow(10**6)
    draw = random.Random(seed)
    for number in range(SIZE):
        notebook = new_notebook(metadata={"attention_homework": {"id": "hw3"}})
        notebook.cells = [new_code_cell(f"from homework_kit import *\nattention_by_content_Q = {number}")]
        path = tmp_path / "class" / f"student-{number:02d}" / "hw3.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(nbformat.writes(notebook))
    folder, whole, output = tmp_path / "class", tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(folder, whole), check=True, capture_output=True, timeout=300)
    there = [killed(folder, output, SIZE, draw) for _ in range(KILLS)]
    done = subprocess.run(command(folder, output), check=True, capture_output=True, text=True, timeout=300)
    assert different(whole, output) == [], f"seed {seed}, killed at {there}; {done.stdout[-500:]}"
    assert not list(output.rglob("*.draft"))
    assert len(list(output.glob("submissions/*/feedback.html"))) == SIZE
