"""Every reader of a submission gets inputs that nobody thought of; what it refuses, it refuses in words.

A longer, coverage-guided run is ``python -m benchmarks.fuzz``; its numbers are in ``docs/security.md``.
"""

from __future__ import annotations

import contextlib
import csv
import json
import struct
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.declare import homeworks
from autograder.desk.asked import BadRequestError, asked_mark
from autograder.desk.stacks import Answer, Stack
from autograder.grade import marks_csv
from autograder.grade.marks import Mark
from autograder.grade.report import QuestionResult, Report
from autograder.kit.shared import checkpoints
from autograder.lms import gradescope, people
from autograder.report import safehtml
from autograder.run.guard import limited
from autograder.submissions import library_search, similarity
from autograder.submissions.errors import SubmissionError
from autograder.submissions.find import find
from autograder.submissions.log import read_log
from autograder.submissions.notebook import read_notebook, recognize, written_answers

HW3 = homeworks()["hw3"]
ENTRIES = [entry.name for question in HW3.questions.values() for entry in question.entries]
FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.sampled_from(ENTRIES)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
KEYS = st.sampled_from(
    [
        *("schema", "homework", "entries", "answers", "student", "status", "responses", "value", "cells"),
        *("source", "nbformat", "metadata", "cell_type", "outputs", "worksheets", "dtype", "shape", "data"),
        *("3.1", *ENTRIES),
    ]
)
SHAPED = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)
CODE = st.text(alphabet="ab(){}[]'\"\\%!?@=,.: \n\t#f0_é", max_size=200)
MARKUP = st.text(alphabet="<>/!-ab &;\"'=[]()*_`$\\|\n\t{}:#", max_size=300)


def refused_in_words(work, *arguments: Any) -> None:
    with contextlib.suppress(SubmissionError):
        work(*arguments)


@FEW
@given(st.one_of(st.binary(max_size=300), (JSON | SHAPED).map(lambda value: json.dumps(value).encode())))
def test_notebooks(data: bytes):
    def read() -> None:
        found = read_notebook(data)
        written_answers(found, HW3, data)
        recognize(found, None, homeworks())

    refused_in_words(read)


@FEW
@given(SHAPED, st.dictionaries(st.sampled_from(ENTRIES), SHAPED, max_size=5), SHAPED)
def test_logs(answers: Any, entries: Any, student: Any):
    log = {"schema": "attention-homeworks/log/1", "homework": "hw3", "entries": entries}
    for more in ({}, {"answers": answers}, {"student": student}, {"entries": answers}):
        refused_in_words(read_log, json.dumps({**log, **more}).encode(), HW3)
        refused_in_words(read_log, json.dumps({**log, **more}).encode())


@FEW
@given(st.sampled_from(ENTRIES), SHAPED, st.sampled_from(["ok", "missing", "stopped", "unanswered"]))
def test_values_of_a_log(name: str, value: Any, status: str):
    for entry in ({"status": status, "value": value}, {"status": status, "responses": {"a": value}}):
        log = {"schema": "attention-homeworks/log/1", "homework": "hw3", "entries": {name: entry}}
        found = read_log(json.dumps(log).encode(), HW3)
        assert set(found.entries) == {name}


@FEW
@given(data=st.binary(max_size=200), name=st.text(max_size=20), cut=st.integers(0, 60))
def test_zips(tmp_path: Path, data: bytes, name: str, cut: int):
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        # the writer itself cuts names at a NUL and cannot write empty ones
        archive.writestr(name.encode(errors="replace").decode().partition("\0")[0] or "a", data)
        archive.writestr("a.ipynb", data)
    whole = packed.getvalue()
    path = tmp_path / "class.zip"
    for content in (whole, whole[: len(whole) - cut], whole[cut:], data):
        path.write_bytes(content)
        found = find([path])
        assert found.submissions or found.ignored


@FEW
@given(MARKUP)
def test_html_and_markdown(text: str):
    safehtml.too_deep(text)
    for made in (safehtml.clean(safehtml.shown_html(text)), safehtml.markdown(text)):
        assert "<script" not in made.lower()


@FEW
@given(CODE)
def test_code(text: str):
    assert all(line.text for line in similarity.logical_lines(text))
    with contextlib.suppress(library_search.UnreadError):
        assert isinstance(library_search.parse(text), list)


@FEW
@given(st.one_of(st.text(max_size=200), st.text(alphabet=":-[]{}!&*|>'\"# \n\tab1", max_size=200)))
def test_yaml(text: str):
    with contextlib.suppress(ValueError):
        assert isinstance(gradescope._read_yaml(text.encode(errors="replace")), dict)


@FEW
@given(st.one_of(st.binary(max_size=200), st.text(alphabet='a,;"\n\r\0', max_size=200).map(str.encode)))
def test_class_lists(tmp_path: Path, data: bytes):
    (tmp_path / people.MANIFEST).write_bytes(data)
    with contextlib.suppress(ValueError, csv.Error):
        assert isinstance(people.read_manifest(tmp_path / people.MANIFEST), list)


WRITTEN = next(question for question in HW3.questions.values() if question.written)


@FEW
@given(st.one_of(st.text(max_size=200), st.text(alphabet='a,;"\n\r=-1.', max_size=200)), st.text(max_size=9))
def test_marks_that_the_desk_imports(tmp_path: Path, text: str, points: str):
    question = QuestionResult(WRITTEN.id, "t", (), written="an answer", written_points=2.0)
    report = Report("a", "hw3", "graded", (question,))
    head = marks_csv.to_csv(tmp_path, [report]).splitlines()
    for given_text in (text, "\n".join([*head, text]), "\n".join(head).replace(",,", f",{points},", 1)):
        with contextlib.suppress(marks_csv.MarksCsvError):
            assert marks_csv.from_csv(tmp_path, [report], given_text, "me") in (0, 1)


@FEW
@given(
    st.dictionaries(
        st.sampled_from(["version", "comment", "rubric", "graded", "flagged"]),
        SCALARS | st.lists(SCALARS, max_size=4),
    )
)
def test_requests_to_the_desk(asked: dict[str, Any]):
    question = QuestionResult(WRITTEN.id, "t", (), written="an answer", written_points=2.0)
    answer = Answer(Report("a", "hw3", "graded", (question,)), question, "key")
    stack = Stack("hw3", WRITTEN.id, "t", WRITTEN.written, [answer])
    with contextlib.suppress(BadRequestError):
        made = asked_mark(stack, answer, asked, "me", Mark("a", WRITTEN.id, ""))
        assert made.points is None or 0 <= made.points <= WRITTEN.written.points


@FEW
@given(st.binary(max_size=300), st.integers(0, 2**63), SHAPED)
def test_checkpoints(tmp_path: Path, data: bytes, size: int, header: Any):
    text = json.dumps(header).encode()
    path = tmp_path / "checkpoint.pt"
    for content in (data, struct.pack("<Q", len(text)) + text + data, struct.pack("<Q", size) + text):
        path.write_bytes(content)
        with pytest.raises(checkpoints.CheckpointError):
            checkpoints.read_checkpoint(path, 10_000)


def test_a_header_that_speaks_of_ten_gigabytes_takes_none(tmp_path: Path):
    head = json.dumps({"w": {"dtype": "F32", "shape": [2_500_000_000], "data_offsets": [0, 10**10]}}).encode()
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(struct.pack("<Q", len(head)) + head)
    with limited(20, memory=200_000_000), pytest.raises(checkpoints.CheckpointError):
        checkpoints.read_checkpoint(path, 10_000)
