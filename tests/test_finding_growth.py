"""Finding submissions takes linear time, whatever a zip holds and however long the names in it are."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from autograder.kit import LOG_NAME
from autograder.lms.files import read_zip
from autograder.submissions.archive import MAX_DEPTH, MAX_PART
from autograder.submissions.find import find
from tests.platforms import notebook, zipped
from tests.test_finding import HW3, lay, log_of, rows
from tests.test_growth import assert_linear

Members = Iterator[tuple[str, str | bytes]]


def packed(members: Members) -> bytes:
    made = BytesIO()
    with zipfile.ZipFile(made, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # names may stand there twice
        for name, data in members:
            archive.writestr(name, data)
    return made.getvalue()


def beside_zips(n: int) -> Members:
    for number in range(n):
        yield f"{number}.zip", zipped({"a.ipynb": notebook(f"x = {number}")})
        yield f"b{number}.ipynb", notebook(f"y = {number}")


def of_one_name(n: int) -> Members:
    yield from (("a.ipynb", notebook(f"x = {number}")) for number in range(n))
    yield from ((f"a{number}.pt", b"x") for number in range(n))


def with_older_ones(n: int) -> Members:
    for number in range(n):
        yield f"b{number}.ipynb", notebook(f"y = {number}")
        yield f"old/{number}/b{number}.ipynb", notebook(f"x = {number}")


SHAPES: dict[str, tuple[int, Callable[[int], Members]]] = {
    "zips beside notebooks": (20, beside_zips),
    "notebooks and checkpoints of one name": (60, of_one_name),
    "older notebooks": (25, with_older_ones),
    "names of dashes": (1_000, lambda n: ((f"{one}{'-' * n}x.ipynb", HW3) for one in range(3))),
    "names of blanks and dots": (1_000, lambda n: ((f"{one}{' .' * n}x.json", log_of()) for one in range(3))),
    "marks of copies": (300, lambda n: ((f"{one}{'(1)' * n}.ipynb", HW3) for one in range(3))),
    "many suffixes": (300, lambda n: ((f"{one}{'.txt' * n}.ipynb", HW3) for one in range(3))),
    "deep folders": (900, lambda n: ((f"{one}/{'a/' * n}x.ipynb", HW3) for one in range(3))),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_zip_holds_is_sorted_in_linear_time(shape: str, tmp_path: Path):
    size, members = SHAPES[shape]
    path = tmp_path / "eve.zip"

    def made(n: int) -> bytes:
        return packed(members(n))

    def read(data: object) -> None:
        path.write_bytes(data if isinstance(data, bytes) else b"")
        assert find([path]).submissions

    assert_linear(made, read, size)


def test_names_and_paths_of_a_zip_have_the_lengths_that_systems_allow(tmp_path: Path):
    deep = "a/" * 2_000 + "hw3.ipynb"
    data = {
        "eve.zip": packed(iter({deep: HW3}.items())),
        "kim.zip": packed(iter({"x" * 60_000 + ".ipynb": HW3, "y" * 60_000 + ".png": "x"}.items())),
        "jane.zip": packed(iter({"a/" * MAX_DEPTH + "hw3.ipynb": HW3}.items())),
    }
    lay(tmp_path / "a", data)
    found = rows(tmp_path / "a")
    assert set(found) == {"eve", "kim", "jane"}
    assert "hw3.ipynb (a file too deep within folders)" in found["eve"].problem
    assert found["kim"].notebook == found["jane"].notebook == HW3.encode()
    assert all(len(line) < 2 * MAX_PART for line in find([tmp_path / "a"]).ignored)
    # a platform's zip
    members = {"x" * 60_000: HW3, deep: HW3, "jane/hw3.ipynb": HW3, f"jane/{LOG_NAME}": log_of()}
    given = list(read_zip(BytesIO(packed(iter(members.items())))))
    assert [why for _, _, why in given] == ["a path too long"] * 2 + [""] * 2
    assert all(len(name) <= 200 for name, _, _ in given)
