"""What students really hand in: odd names, old formats, damaged files. Each gets a report in words."""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import zipfile
from pathlib import Path, PurePosixPath

import nbformat
import numpy as np
import pytest
from click.testing import CliRunner

from autograder import kit
from autograder.author.build import build_notebook, dumps
from autograder.cli.main import main
from autograder.declare import homeworks
from autograder.grade import store
from autograder.grade.grade import Settings, grade_submission
from autograder.names import notebook_path, source_path
from autograder.submissions.find import Submission, find
from autograder.submissions.log import LogError, read_log
from autograder.submissions.notebook import read_notebook, recognize, written_answers
from tests.gallery import ROOT

HW3 = homeworks()["hw3"]
EYE = kit.encode(np.eye(3))


def a_log(**entries: object) -> bytes:
    return json.dumps({"schema": kit.LOG_SCHEMA, "homework": "hw3", "entries": entries}).encode()


def value(encoded: object) -> dict:
    return {"status": "ok", "value": encoded}


CONTENT = {
    f"attention_by_content_{name}": value(kit.encode(9.0 * np.eye(3) if name != "V" else np.eye(3)))
    for name in "QKV"
}


def grade_log(data: bytes):
    return grade_submission(Submission("one", log=data), Settings("seed"))[0]


# logs -------------------------------------------------------------------------------------------------------


def test_a_bare_log_is_judged_where_values_speak_for_themselves():
    graded = grade_log(a_log(**CONTENT))
    assert graded.status == "graded with problems"
    assert graded.questions[0].points == 10
    assert graded.questions[0].source == "log"
    assert "only recorded values were judged" in " ".join(graded.notes)
    assert graded.points == 10


def test_a_bare_log_earns_nothing_for_challenges():
    responses = {"conv_heads/0": {"status": "ok", "result": {"fields": {"result": EYE}}}}
    graded = grade_log(a_log(conv_heads={"status": "ok", "responses": responses}))
    assert graded.points == 0


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (value({"dtype": "float64", "shape": [3, 3], "data": ["NaN"] * 9}), "every number must be finite"),
        (value(kit.encode(np.zeros((3, 2)))), "has shape (3, 2); expected (3, qk) with qk = 3"),
        (value("nine times the identity"), "but it is text"),
        (value({"dtype": "float64", "shape": [3, 3], "data": ["1"] * 9}), "is not a number"),
        (value({"dtype": "float64", "shape": [3, 3], "data": [1]}), "needs 9 numbers, but there are 1"),
        (value({"dtype": "float64", "shape": [3, 3], "data": [1, [2]]}), "needs 9 numbers"),
        (value({"dtype": "float64", "shape": [3, 3], "data": [1] * 9, "torch": True}), "unknown key 'torch'"),
        (value([[[[[[[[1]]]]]]]]), "but it is a list"),
        ({"status": "splendid"}, "cannot be read: status"),
        ("ok", "cannot be read"),
        ({"status": "ok", "value": EYE, "points": 10}, "Additional properties are not allowed"),
    ],
)
def test_a_bad_entry_costs_its_own_question_and_says_why(entry: object, says: str):
    data = a_log(**(CONTENT | {"attention_by_content_K": entry, "running_linear_name": value("B")}))
    graded = grade_log(data)
    feedback = " ".join(check.feedback for check in graded.questions[0].checks)
    assert says in feedback
    assert graded.questions[0].points == 0
    assert {question.id: question.points for question in graded.questions if question.points} == {"3.5": 3}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"   \n", "is empty"),
        (b"{", "is not valid JSON"),
        (b'{"cells": [{"source": "x', "It ends in the middle, as if saving or uploading was cut off. Save"),
        (b"", "is empty. Save the file and hand it in again."),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1]", "should hold a JSON object"),
        (b"9" * 10_000, "too many digits"),
        (b"9" * 50_000_000, "is 50 MB; the limit is 16 MB"),
        (
            json.dumps({"schema": "other", "homework": "hw3", "entries": {}}).encode(),
            "is not a log this grader can read, at schema",
        ),
        (
            json.dumps({"schema": kit.LOG_SCHEMA, "homework": "hw3"}).encode(),
            "'entries' is a required property",
        ),
        (
            json.dumps({"schema": kit.LOG_SCHEMA, "homework": "hw77", "entries": {}}).encode(),
            "belongs to hw77",
        ),
        (json.dumps({"schema": kit.LOG_SCHEMA, "homework": 3, "entries": {}}).encode(), "at homework"),
    ],
)
def test_an_unusable_log_gets_a_report_that_says_why(data: bytes, says: str):
    graded = grade_log(data)
    assert graded.status == "unreadable"
    assert says in " ".join(graded.notes)


def test_unknown_keys_and_entries_are_named_and_ignored():
    document = json.loads(a_log(**CONTENT, made_up=value(1)))
    document["bonus"] = 100
    graded = grade_log(json.dumps(document).encode())
    notes = " ".join(graded.notes)
    assert "unknown keys, ignored: bonus" in notes
    assert "does not ask for, ignored: made_up" in notes
    assert graded.points == 10


def test_a_literal_nan_is_a_wrong_answer_and_no_crash():
    graded = grade_log(a_log(**CONTENT).replace(b"9.0", b"NaN"))
    assert "every number must be finite" in graded.questions[0].checks[0].feedback


# notebooks --------------------------------------------------------------------------------------------------


def blank() -> nbformat.NotebookNode:
    return build_notebook(HW3, source_path(ROOT, HW3.stem))


def without_ids(document: dict) -> dict:
    for cell in document["cells"]:
        cell.pop("id")
    return document | {"nbformat_minor": 4}


def as_format_3(document: dict) -> dict:
    cells = []
    for cell in document["cells"]:
        if cell["cell_type"] == "code":
            code = {"input": "".join(cell["source"]), "language": "python", "outputs": [], "collapsed": False}
            cells.append({"cell_type": "code", "metadata": {}, **code})
        else:
            cells.append({"cell_type": "markdown", "source": "".join(cell["source"]), "metadata": {}})
    return {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": "hw3"},
        "worksheets": [{"cells": cells, "metadata": {}}],
    }


def with_sources(document: dict, change) -> bytes:
    for cell in document["cells"]:
        cell["source"] = change("".join(cell["source"]))
    return json.dumps(document).encode()


CHANGES = {
    "as built": lambda text: text.encode(),
    "saved without cell ids": lambda text: json.dumps(without_ids(json.loads(text))).encode(),
    "nbformat 3": lambda text: json.dumps(as_format_3(json.loads(text))).encode(),
    "sources as one text": lambda text: with_sources(json.loads(text), str),
    "with a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "with CRLF": lambda text: with_sources(json.loads(text), lambda source: source.replace("\n", "\r\n")),
    "without metadata": lambda text: json.dumps(json.loads(text) | {"metadata": {}}).encode(),
    "with odd metadata": (
        lambda text: json.dumps(
            json.loads(text) | {"metadata": {"attention_homework": ["hw1"], "kernelspec": 5}}
        ).encode()
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_notebooks_of_any_front_end_are_read_and_recognised(change: str):
    original = blank()
    data = CHANGES[change](dumps(original))
    notebook = read_notebook(data)
    assert [cell.source for cell in notebook.cells] == [cell.source for cell in original.cells]
    assert recognize(notebook, None, homeworks()) is HW3
    nbformat.validate(notebook)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"not json", "is not valid JSON"),
        (b"{}", "has no list of cells"),
        (b"[]", "but not a notebook"),
        (b'{"cells": [1]}', "cell 1 is not a notebook cell"),
        (b'{"cells": [{"cell_type": "code", "source": 5}]}', "cell 1 is not a notebook cell"),
        (b'{"nbformat": 2}', "in notebook format 2"),
        (b'{"nbformat": "x"}', "but not a notebook"),
        (
            json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": ""}] * 10_000}).encode(),
            "has 10000 cells; the limit is 3000",
        ),
        (
            json.dumps({"nbformat": 4, "cells": [{"cell_type": "code", "source": "x = 1"}]}).encode(),
            "belongs to none of the homeworks",
        ),
        (b" " * 31_000_000 + b"{}", "is 31 MB; the limit is 30 MB"),
    ],
)
def test_a_malformed_notebook_gets_a_report_that_says_why(data: bytes, says: str):
    graded, execution = grade_submission(Submission("one", notebook=data), Settings("seed"))
    assert graded.status == "unreadable"
    assert says in " ".join(graded.notes)
    assert execution is None


def test_written_answers_are_collected_below_their_first_line():
    notebook = blank()
    assert written_answers(notebook, HW3)["3.7"].text == ""
    for cell in notebook.cells:
        if cell.source.startswith("**Answer 3.7**"):
            cell.source = "**Answer 3.7**\n\nBoth maps agree.\n\n$QK^T$ decides."
    found = written_answers(notebook, HW3)
    assert {name: one.text for name, one in found.items()} == {"3.7": "Both maps agree.\n\n$QK^T$ decides."}


# folders and zips -------------------------------------------------------------------------------------------

TEXT = notebook_path(ROOT, HW3.stem).read_bytes()


def names(*paths: Path) -> dict[str, Submission]:
    return {one.name: one for one in find(paths).submissions}


def test_submissions_are_found_in_folders_of_every_kind(tmp_path: Path):
    (tmp_path / "jane").mkdir()
    (tmp_path / "jane" / "hw3_hand_designed.ipynb").write_bytes(TEXT)
    (tmp_path / "jane" / "submission_log.json").write_bytes(b"{}")
    (tmp_path / "jane" / ".ipynb_checkpoints").mkdir()
    (tmp_path / "jane" / ".ipynb_checkpoints" / "hw3-checkpoint.ipynb").write_bytes(b"{}")
    (tmp_path / "hw3_hand_designed (2).ipynb").write_bytes(TEXT)
    (tmp_path / "hw3_jané.ipynb").write_bytes(TEXT)
    (tmp_path / "hw3_jané_submission_log.json").write_bytes(a_log())
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    (tmp_path / "only_log").mkdir()
    (tmp_path / "only_log" / "submission_log.json").write_bytes(a_log())
    found = names(tmp_path)
    assert set(found) == {"jane", "hw3_hand_designed (2)", "hw3_jané", "only_log"}
    assert found["jane"].log == b"{}"
    assert found["hw3_jané"].log == a_log()
    assert found["only_log"].notebook is None
    assert find([tmp_path]).ignored == ("notes.pdf (a PDF)",)


def test_two_students_with_the_same_name_both_get_a_row(tmp_path: Path):
    for parent in ("a", "b"):
        (tmp_path / parent / "kim").mkdir(parents=True)
        (tmp_path / parent / "kim" / "hw3.ipynb").write_bytes(TEXT)
    assert set(names(tmp_path / "a", tmp_path / "b")) == {"kim", "kim (2)"}


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_zips_hold_one_submission_or_a_class(tmp_path: Path):
    (tmp_path / "one.zip").write_bytes(
        zipped({"x/hw3.ipynb": TEXT, "x/submission_log.json": b"{}", "__MACOSX/._hw3.ipynb": b"x"})
    )
    (tmp_path / "class.zip").write_bytes(zipped({"a/hw3.ipynb": TEXT, "b/hw3.ipynb": TEXT}))
    assert set(names(tmp_path)) == {"one", "class-a", "class-b"}
    assert names(tmp_path)["one"].log == b"{}"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"PK\x03\x04 damaged", "is not a zip file that can be read"),
        (b"", "is not a zip file that can be read"),
        (zipped({"readme.txt": b"hello"}), "holds no notebook"),
        (zipped({f"{number}.txt": b"" for number in range(5001)}), "holds 5001 files; the limit is 5000"),
        (zipped({"bomb.ipynb": b"0" * 210_000_000}), "is larger than 30 MB"),
    ],
    ids=[
        "damaged",
        "empty",
        "no notebook",
        "too many files",
        "bomb",
    ],  # a zip holds the time: it must not name a test
)
def test_a_bad_zip_gets_a_row_that_says_why(tmp_path: Path, data: bytes, says: str):
    (tmp_path / "x.zip").write_bytes(data)
    assert says in names(tmp_path)["x"].problem


def test_names_in_a_zip_cannot_leave_the_output_folder(tmp_path: Path):
    (tmp_path / "x.zip").write_bytes(
        zipped({"../../../etc/a.ipynb": TEXT, "/abs/b.ipynb": TEXT, "c\\..\\..\\d.ipynb": TEXT})
    )
    for name in names(tmp_path):
        assert ".." not in PurePosixPath(name).parts
        assert "/" not in name
        assert not name.startswith(".")


def test_links_and_pipes_are_left_alone(tmp_path: Path):
    (tmp_path / "secret.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe.ipynb")
    assert stat.S_ISFIFO((tmp_path / "pipe.ipynb").stat().st_mode)
    (tmp_path / "a.ipynb").write_bytes(TEXT)
    found = find([tmp_path])
    assert [one.name for one in found.submissions] == ["a"]
    assert len(found.ignored) == 2


# the whole command ------------------------------------------------------------------------------------------


def test_a_batch_with_damaged_files_is_graded_to_the_end(tmp_path: Path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "good_log.json").write_bytes(a_log(**CONTENT))
    (folder / "empty.ipynb").write_bytes(b"")
    (folder / "=cmd.zip").write_bytes(b"no zip")
    result = CliRunner().invoke(main, ["grade", str(folder), "-o", str(out), "--seed", "s", "--workers", "1"])
    assert result.exit_code == 0, result.output
    rows = {row["submission"]: row for row in csv.DictReader((out / "grades.csv").read_text().splitlines())}
    assert set(rows) == {"good_log", "empty", "_cmd"}
    assert rows["good_log"]["points"] == "10"
    assert rows["good_log"]["3.1"] == "10"
    assert rows["empty"]["status"] == "unreadable"
    assert "is empty" in rows["empty"]["notes"]
    assert "1 of 3 submissions graded" in result.output
    document = json.loads((out / "submissions" / "good_log" / "results.json").read_text())
    assert json.loads(json.dumps(store.results_json(store.read_results(document)))) == document


def test_clear_errors_for_a_wrong_command_line(tmp_path: Path):
    run = CliRunner().invoke
    assert run(main, ["grade", str(tmp_path), "-o", str(tmp_path / "out")]).exit_code == 1
    missing = run(main, ["grade", str(tmp_path / "nowhere"), "-o", "out"])
    assert missing.exit_code == 2
    assert "does not exist" in missing.output
    unknown = run(main, ["grade", str(tmp_path), "-o", "out", "--homework", "hw99"])
    assert unknown.exit_code == 2
    assert "the homeworks are" in unknown.output
    for command in ([], ["build"], ["grade"]):
        assert "Usage" in run(main, [*command, "--help"]).output


def test_read_log_without_a_homework_only_names_it():
    assert read_log(a_log()).homework == "hw3"
    with pytest.raises(LogError):
        read_log(b"{}")
