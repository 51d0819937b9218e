"""Submissions as people really send them: found by content, never joined to somebody else's, never lost."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.cli.main import main
from autograder.kit import LOG_NAME, LOG_SCHEMA
from autograder.kit.handing_in import cell_digest
from autograder.submissions import archive, belonging
from autograder.submissions import find as finding
from autograder.submissions.find import Submission, find
from autograder.submissions.notebook import read_notebook
from tests.platforms import notebook, zipped

HW3 = notebook('record("3.1")', 'record("3.2")', "answer = 1")
SAMS = notebook('record("3.1")', 'record("3.2")', "answer = 2")
EMPTY = notebook("", homework="none")
SCRATCH = notebook("x = 1", homework="none")


def log_of(*cells: str, **more: object) -> str:
    answers = {"3.1": {"sources": [cell_digest(cell) for cell in cells]}} if cells else {}
    return json.dumps({"schema": LOG_SCHEMA, "homework": "hw3", "entries": {}, "answers": answers, **more})


def lay(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return folder


def rows(folder: Path) -> dict[str, Submission]:
    return {one.name: one for one in find([folder]).submissions}


@pytest.mark.parametrize(
    "name",
    [
        "hw3.ipynb.txt",
        "hw3.ipynb.json",
        "hw3",
        "hw3.txt",
        "hw3.IPYNB",
        "hw3.html",
        "hw3.json",
        "hw3.log.json",
    ],
)
def test_content_says_what_is_a_notebook(name: str, tmp_path: Path):
    found = rows(lay(tmp_path, {f"jane/{name}": HW3, "jane/submission_log.json": log_of()}))
    assert list(found) == ["jane"]
    assert found["jane"].notebook == HW3.encode()
    assert found["jane"].log == log_of().encode()


@pytest.mark.parametrize("name", ["submission_log.json.txt", "log.txt", "submission_log", "answers.json"])
def test_content_says_what_is_a_log(name: str, tmp_path: Path):
    found = rows(lay(tmp_path, {"jane/hw3.ipynb": HW3, f"jane/{name}": log_of()}))
    assert found["jane"].log == log_of().encode()


@pytest.mark.parametrize("name", ["hw3.ipynb", "hw3", "hw3.zip.txt"])
def test_a_zip_under_another_name_is_opened(name: str, tmp_path: Path):
    found = rows(lay(tmp_path, {f"jane/{name}": zipped({"hw3.ipynb": HW3, LOG_NAME: log_of()})}))
    assert found["jane"].notebook == HW3.encode()


def test_what_only_says_that_it_is_a_notebook_is_told_what_it_is(tmp_path: Path):
    found = rows(
        lay(
            tmp_path,
            {"a.ipynb": "<!DOCTYPE html><html>", "b.ipynb": b"%PDF-1.7", "c.ipynb": b"Rar!\x1a\x07\0"},
        )
    )
    assert [found[name].problem.partition(",")[0] for name in "abc"] == [
        "a.ipynb is a web page", "b.ipynb is a PDF", "c.ipynb is a RAR archive",
    ]  # fmt: skip


def test_zips_within_a_platforms_zip_are_opened_two_levels_deep(tmp_path: Path):
    once = zipped({"hw3.ipynb": HW3, LOG_NAME: log_of()})
    twice = zipped({"inner.zip": once})
    deep = zipped({"a.zip": zipped({"b.zip": zipped({"c.zip": once})})})
    lms = {"Jane_1_file_/hw3.zip": once, "Sam_2_file_/all.zip": twice, "Max_3_file_/deep.zip": deep}
    found = rows(lay(tmp_path, {"class.zip": zipped(lms)}))
    assert sorted(found) == ["class-Jane_1_file_", "class-Max_3_file_", "class-Sam_2_file_"]
    assert found["class-Jane_1_file_"].notebook == found["class-Sam_2_file_"].notebook == HW3.encode()
    assert "holds no notebook" in found["class-Max_3_file_"].problem


def test_limits_hold_over_all_levels_together_and_cost_only_the_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(archive, "ANY_ZIP_BYTES", 100_000)
    monkeypatch.setattr(archive, "MAX_RATIO", 1)
    monkeypatch.setattr(archive, "MAX_ZIP_BYTES", 300_000)
    monkeypatch.setattr(archive, "MAX_ZIP_FILES", 50)
    bomb = zipped({f"{number}.json": log_of(note=" " * 30_000) for number in range(20)}, compress=True)
    many = zipped({f"{number}.ipynb": HW3 for number in range(60)}, compress=True)
    lms = {
        "Eve_66_file_/b.zip": bomb,
        "Mal_77_file_/m.zip": zipped({"m.zip": many}),
        "Sam_88_file_/hw3.zip": zipped({"hw3.ipynb": HW3}),
    }
    found = rows(lay(tmp_path, {"class.zip": zipped(lms)}))
    assert "unpacks to more than" in found["class-Eve_66_file_"].problem
    assert found["class-Mal_77_file_"].problem
    assert found["class-Sam_88_file_"].notebook == HW3.encode()


def test_bombs_do_not_fill_the_memory(tmp_path: Path):
    page = b'{"cells": [' + b" " * 28_000_000
    bombs = {
        f"{number}.zip": zipped({f"{one}.ipynb": page for one in range(7)}, compress=True)
        for number in range(6)
    }
    lay(tmp_path, {**bombs, "jane.zip": zipped({"hw3.ipynb": HW3})})
    assert sum(len(data) for data in bombs.values()) < 6 * 230_000
    code = (
        "import resource, sys; from pathlib import Path; from autograder.submissions.find import find\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "found = find([Path(sys.argv[1])]).submissions\n"
        "print(len(found), sum(1 for one in found if one.problem),"
        " (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    found, problems, grown = map(int, done.stdout.split())
    assert (found, problems) == (7, 6)
    assert grown < 150, f"{grown} MB"


@pytest.mark.parametrize("name", ["hw3.py", "answers.pdf", "hw3.html", "all.rar", "all.7z", "hw3.docx"])
def test_a_folder_without_a_notebook_has_a_row_that_says_what_it_holds(name: str, tmp_path: Path):
    lay(
        tmp_path,
        {
            "jane/hw3.ipynb": HW3,
            f"kim/{name}": b"x",
            f"deep/er/lee/{name}": b"x",
            "jane/pictures/a.png": b"x",
        },
    )
    (tmp_path / "nobody").mkdir()
    found = rows(tmp_path)
    assert sorted(found) == ["deep", "jane", "kim", "nobody"]
    assert f"only {name}" in found["kim"].problem
    assert "The folder is empty" in found["nobody"].problem


def test_a_person_without_a_notebook_beside_others_is_not_lost(tmp_path: Path):
    found = rows(lay(tmp_path, {"week3/jane/hw3.ipynb": HW3, "week3/kim/hw3.pdf": b"%PDF"}))
    assert sorted(found) == ["week3-jane", "week3-kim"]


def test_what_was_left_alone_is_listed_whole(tmp_path: Path):
    lay(tmp_path / "in", {"jane/hw3.ipynb": "no", **{f"jane/{number}.png": b"x" for number in range(20)}})
    result = CliRunner().invoke(
        main, ["grade", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--workers", "1"]
    )
    assert result.exit_code == 0, result.output
    listed = (tmp_path / "out" / "left-alone.txt").read_text().splitlines()
    assert sorted(listed) == sorted(f"jane/{number}.png" for number in range(20))
    assert "and 15 more" in result.output
    assert f"Full list: {tmp_path / 'out' / 'left-alone.txt'}" in result.output.replace("\n", "")
    assert "0 of 1 submissions graded." in result.output


# two people -------------------------------------------------------------------------------------------------


def test_somebody_elses_log_never_joins_the_only_notebook(tmp_path: Path):
    found = rows(lay(tmp_path, {"jane.ipynb": HW3, "sam_submission_log.json": log_of()}))
    assert set(found) == {"jane", "sam_submission_log"}
    assert found["jane"].log is None


def test_a_log_goes_to_the_notebook_of_equal_name_not_to_one_whose_name_it_begins_with(tmp_path: Path):
    files = {"hw3.ipynb": HW3, "hw3_kim.ipynb": SAMS, "hw3_kim_submission_log.json": log_of()}
    found = rows(lay(tmp_path, files))
    assert found["hw3"].log is None
    assert found["hw3_kim"].log is not None


@pytest.mark.parametrize("folder", ["", "week3/"])
def test_a_copy_in_a_zip_is_a_row_of_its_own(folder: str, tmp_path: Path):
    files = {"jane.ipynb": HW3, "kim.ipynb": SAMS, "sam.zip": zipped({"hw3.ipynb": HW3, LOG_NAME: log_of()})}
    found = rows(lay(tmp_path, {f"{folder}{name}": data for name, data in files.items()}))
    assert len(found) == 3
    sams = next(one for name, one in found.items() if "sam" in name)
    assert sams.log == log_of().encode()
    assert "graded by itself" in " ".join(sams.notes)
    assert all(one.log is None for one in found.values() if one is not sams)


def test_a_copy_beside_the_only_notebook_of_a_class_is_a_row_of_its_own(tmp_path: Path):
    found = rows(lay(tmp_path, {"jane.ipynb": HW3, "sam.zip": zipped({"hw3.ipynb": HW3})}))
    assert set(found) == {"jane", "sam"}


def test_copies_in_one_folder_are_rows_with_a_note(tmp_path: Path):
    found = rows(lay(tmp_path, {"class/jane.ipynb": HW3, "class/sam.ipynb": HW3}))
    assert set(found) == {"class-jane", "class-sam"}
    assert all("graded by itself" in one.notes[0] for one in found.values())


def test_a_zip_without_a_notebook_joins_by_content_where_nothing_else_could_be_meant(tmp_path: Path):
    fitting = zipped({LOG_NAME: log_of('record("3.1")', "answer = 1")})
    assert set(rows(lay(tmp_path / "a", {"jane.ipynb": HW3, "x.zip": fitting}))) == {"jane"}
    strange = zipped({LOG_NAME: log_of("something else", "entirely")})
    assert set(rows(lay(tmp_path / "b", {"jane.ipynb": HW3, "x.zip": strange}))) == {"jane", "x"}
    two = {"jane.ipynb": HW3, "x.zip": fitting, "y.zip": fitting}
    assert set(rows(lay(tmp_path / "c", two))) == {"jane", "x", "y"}


def test_the_kits_zip_joins_its_notebook(tmp_path: Path):
    both = {"hw3.ipynb": HW3, "hw3_submission.zip": zipped({"hw3.ipynb": HW3, LOG_NAME: log_of()})}
    for folder in ("", "jane/"):
        found = rows(lay(tmp_path / f"x{folder}", {f"{folder}{name}": data for name, data in both.items()}))
        assert len(found) == 1
        assert next(iter(found.values())).log == log_of().encode()


# one person -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_one_person_with_several_notebooks_is_one_row_that_names_the_others(packed: bool, tmp_path: Path):
    files = {"Untitled.ipynb": EMPTY, "hw3.ipynb": HW3, "scratch.ipynb": SCRATCH, LOG_NAME: log_of()}
    lay(
        tmp_path,
        {"jane.zip": zipped(files)} if packed else {f"jane/{name}": data for name, data in files.items()},
    )
    found = rows(tmp_path)
    assert list(found) == ["jane"]
    assert found["jane"].notebook == HW3.encode()
    assert found["jane"].log == log_of().encode()
    assert "Untitled.ipynb, scratch.ipynb" in found["jane"].notes[0]
    assert len(find([tmp_path]).ignored) == 2


def test_files_with_a_platforms_names_are_never_taken_for_one_persons(tmp_path: Path):
    files = {"doejane_1234_56789_hw3.ipynb": HW3, "leesam_88_60002_Untitled.ipynb": EMPTY}
    assert len(rows(lay(tmp_path, {"class.zip": zipped(files)}))) == 2


def test_a_folder_whose_one_hand_in_is_a_zip_gives_it_its_name(tmp_path: Path):
    assert set(rows(lay(tmp_path, {"jane/hw3.zip": zipped({"x/hw3.ipynb": HW3})}))) == {"jane"}


# names ------------------------------------------------------------------------------------------------------


def test_names_keep_their_marks_and_are_compared_as_people_see_them(tmp_path: Path):
    composed, decomposed = "Mu\u0308ller", "M\u00fcller"
    names = ["\u0928\u093f\u0936\u093e", "\u0e19\u0e34\u0e14\u0e32", composed]
    lay(tmp_path / "a", {f"{name}/hw3.ipynb": HW3 for name in names})
    lay(tmp_path / "b", {f"{decomposed}/hw3.ipynb": HW3})
    found = {one.name for one in find([tmp_path / "a", tmp_path / "b"]).submissions}
    assert found == {*names, f"{decomposed} (2)"}


def test_names_are_cut_by_bytes(tmp_path: Path):
    long = "\u6f22" * 60
    inside = {f"{long}/{long}/{number}{long}.ipynb": HW3 for number in range(2)}
    found = find([lay(tmp_path, {"class.zip": zipped(inside)})]).submissions
    assert len({one.name for one in found}) == 2
    assert all(len(one.name.encode()) <= 160 for one in found)


def test_what_does_not_fit_into_memory_has_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(finding, "MAX_TOTAL_BYTES", len(HW3) + 10)
    found = rows(lay(tmp_path, {"a.ipynb": HW3, "b.ipynb": HW3}))
    assert not found["a"].problem
    assert "Grade the class in parts" in found["b"].problem


def test_a_class_takes_no_more_than_its_share_of_a_small_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(finding, "memory", lambda: 2 * len(HW3) + 20)
    found = rows(lay(tmp_path, {"a.ipynb": HW3, "b.ipynb": HW3}))
    assert not found["a"].problem
    assert "GB of memory" in found["b"].problem
    monkeypatch.undo()
    assert finding.memory() > 100_000_000


# a class of such submissions --------------------------------------------------------------------------------

HALF = HW3.replace("answer = 1", "answer = '\\ud83d'  # \\ud83d\\ude00")
PRINTS = notebook(
    'print("\\ud83d", "\\x1b[2J")',
    'raise ValueError("\\ud83d [/b] \\x1b[2J")',
    'from IPython.display import display, HTML\ndisplay(HTML("<b>\\ud83d</b>"))',
)
LONG, WORD = "\u6f22" * 66, "\u5b57" * 66
HOSTILE: dict[str, str | bytes] = {
    "half/hw3.ipynb": HALF,
    "prints/hw3.ipynb": PRINTS,
    "halflog/submission_log.json": log_of(entries={"\ud83d": {"status": "ok", "value": 1}}),
    "halfkey/submission_log.json": log_of(**{"\ud83d": 1}),
    "markup/submission_log.json": log_of(homework="[/b]"),
    "escape/submission_log.json": log_of(homework="\x1b[2J\x1b]0;owned\x07"),
    "notes [/b].txt": "hello",
    "[/b]/notes [/b].pdf": b"%PDF",
    "[bold red]x[/].ipynb": "not json",
    "=cmd|'/C calc'!A1.ipynb": "not json",
    "\u6f22\u5b57.zip": zipped({f"{LONG}.ipynb": HW3, f"{LONG}_log.json": log_of()}),
    "cjk.zip": zipped({f"{LONG}{number}/{WORD}.ipynb": HW3 for number in range(2)}),
    "good/hw3.ipynb": HW3,
}


def test_a_class_of_odd_hand_ins_is_graded_to_the_end(tmp_path: Path):
    folder = lay(tmp_path / "in", HOSTILE)
    raw = str(folder).encode() + b"/\xff\xfe\xed\xa0\xbd.ipynb"
    with open(raw, "wb") as file:
        file.write(HALF.encode())
    arguments = ["grade", str(folder), "-o", str(tmp_path / "out"), "--workers", "2", "--cell-seconds", "20"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output[-3000:] + repr(result.exception)
    with (tmp_path / "out" / "grades.csv").open(encoding="utf-8") as file:
        graded = {row["submission"]: row for row in csv.DictReader(file)}
    assert len(graded) == 15
    assert graded["good"]["status"] == graded["half"]["status"]
    assert graded["halflog"]["status"] == "graded with problems"
    for row in graded.values():
        assert row["status"] == "graded" or row["notes"], row
        assert not row["submission"].startswith("=")
    assert "\x1b" not in result.output
    assert "[/b]" in result.output
    assert len(list((tmp_path / "out" / "submissions").glob("*/results.json"))) == 15


def test_a_folder_of_one_person_is_read_as_such(tmp_path: Path):
    packed = zipped({"hw3.ipynb": HW3, LOG_NAME: "{}"})
    files = {"my hw3.ipynb": HW3, "Untitled.ipynb": EMPTY, "x_submission.zip": packed}
    lay(tmp_path, files)
    assert len(find([tmp_path]).submissions) == 3
    found = find([tmp_path], one_person=True).submissions
    assert [(one.notebook, one.log) for one in found] == [(HW3.encode(), b"{}")]


def test_a_zip_that_lists_a_million_files_is_refused_before_its_directory_is_parsed(tmp_path: Path):
    entry = zipped({"x": b""})
    start = entry.index(b"PK\x01\x02")
    one, end = entry[start : entry.index(b"PK\x05\x06")], bytearray(entry[entry.index(b"PK\x05\x06") :])
    directory = one * 1_000_000
    end[12:16] = len(directory).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(entry[:start] + directory + end)
    started = time.process_time()
    assert "more files than the limit" in rows(tmp_path)["x"].problem
    assert time.process_time() - started < 1


@pytest.mark.parametrize("seed", range(40))
def test_a_damaged_zip_is_a_row_and_no_traceback(seed: int, tmp_path: Path):
    draw = random.Random(seed)
    data = bytearray(
        zipped({"hw3.ipynb": HW3, "inner.zip": zipped({"log.json": log_of()}, compress=True)}, compress=True)
    )
    for _ in range(draw.randrange(1, 30)):
        data[draw.randrange(len(data))] = draw.randrange(256)
    (tmp_path / "jane.zip").write_bytes(bytes(data))
    assert len(rows(tmp_path)) >= 1


def test_files_that_no_reader_survives_cost_their_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def read(data: bytes, *rest: object) -> object:
        if b"poison" in data:
            raise RecursionError("too deep")
        return read_notebook(data, *rest)

    monkeypatch.setattr(belonging, "read_notebook", read)
    poisoned = notebook("poison = 1")
    files = {f"ann/{LOG_NAME}": log_of(), "ann/a.ipynb": poisoned, "ann/b.ipynb": HW3, "bob/hw3.ipynb": SAMS}
    packed = zipped({"one/a.ipynb": poisoned, "two/submission_log.json": log_of(), "b.ipynb": HW3})
    found = rows(lay(tmp_path, files | {"cleo/hw3.zip": packed}))
    assert found["bob"].notebook == SAMS.encode()
    told = [one.problem for name, one in found.items() if name.startswith("ann")]
    assert len(told) == 3
    assert all("could not be sorted (RecursionError: too deep)" in one for one in told)
    assert any(name.startswith("cleo") for name in found)
