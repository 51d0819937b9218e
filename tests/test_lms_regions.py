"""Exports in the forms of other regions, and students who typed text instead of attaching a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.lms import blackboard, brightspace
from autograder.lms.people import MANIFEST, read_manifest
from autograder.submissions.find import find
from tests.test_collect import command, write_zip
from tests.test_identity import told
from tests.test_lms_exports import NEW, OLD


@pytest.mark.parametrize(
    ("first", "second", "submitted"),
    [
        ("05 March 2026 612 PM", "06 March 2026 1201 AM", "2026-03-06T00:01:00"),
        ("Nov 3, 2026 2350", "Nov 4, 2026 905", "2026-11-04T09:05:00"),
        ("3 Nov 2026 23:50", "4 Nov. 2026 09:05", "2026-11-04T09:05:00"),
        ("2026-11-03 2350", "2026-11-04 0905", "2026-11-04T09:05:00"),
    ],
)
def test_brightspace_reads_the_times_of_other_regions(
    first: str, second: str, submitted: str, tmp_path: Path
):
    head = "27236-46025 - 23304308 Doe - "
    files = {f"{head}{first}/hw3.ipynb": OLD, f"{head}{second}/hw3.ipynb": NEW}
    found = brightspace.read(write_zip(tmp_path / "b.zip", files))
    assert told(found) == {"27236": {"hw3.ipynb": NEW}}
    assert [(one.name, one.submitted) for one in found.people] == [("23304308 Doe", submitted)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("3 novembre 2026 23 h 50", "4 d\u00e9cembre 2026 09 h 05"),
        ("2026\u5e7411\u67083\u65e5 2350", "2026\u5e7411\u67084\u65e5 0905"),
    ],
)
def test_brightspace_attempts_in_an_unknown_order_are_left_for_the_instructor(
    first: str, second: str, tmp_path: Path
):
    jane, sam = "110513-82432 - Jane Doe - ", "110514-82432 - Sam Lee - "
    files = {f"{jane}{first}/hw3.ipynb": OLD, f"{jane}{second}/hw3.ipynb": NEW}
    files[f"{sam}{first}/a.ipynb"] = NEW
    source = write_zip(tmp_path / "b.zip", files)
    found = brightspace.read(source)
    assert told(found) == {"110513": {}, "110514": {"a.ipynb": NEW}}
    assert {one.name for one in found.people} == {"Jane Doe", "Sam Lee"}
    assert len([line for line in found.left if "one of several attempts" in line]) == 2
    (tmp_path / "match.csv").write_text(
        f'submission,id\n"{jane}{second}/hw3.ipynb",110513\n', encoding="utf-8"
    )
    result = command(
        "collect", source, "--from", "brightspace", "-o", tmp_path / "out", "--match", tmp_path / "match.csv"
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "out" / "110513" / "hw3.ipynb").read_text() == NEW


WHEN = "Nov 3, 2026 1150 PM"


def test_brightspace_goes_by_the_second_number_where_all_have_the_same_first(tmp_path: Path):
    names = {"1": "Jane Doe", "2": "Jane Doe", "3": "Sam Lee"}
    files = {f"82432-{number} - {who} - {WHEN}/hw3.ipynb": NEW for number, who in names.items()}
    files["82432-3 - Sam Lee - Nov 4, 2026 905 AM/hw3.ipynb"] = OLD
    found = brightspace.read(write_zip(tmp_path / "b.zip", files))
    assert told(found) == {"1": {"hw3.ipynb": NEW}, "2": {"hw3.ipynb": NEW}, "3": {"hw3.ipynb": OLD}}
    assert {one.id: one.name for one in found.people} == names, "two students of one name stay two"


def test_brightspace_leaves_numbers_that_stand_with_several_names_for_the_instructor(tmp_path: Path):
    paths = [f"110513-82432 - {who} - {WHEN}/hw3.ipynb" for who in ("Jane Doe", "Sam Lee")]
    kim = f"110514-82432 - Kim - {WHEN}/a.ipynb"
    mixed = brightspace.read(write_zip(tmp_path / "a.zip", {paths[0]: OLD, paths[1]: NEW, kim: NEW}))
    assert told(mixed) == {"110514": {"a.ipynb": NEW}}, "one student's names cost nobody else"
    assert all("110513-82432 stand with several names; use --match" in line for line in mixed.left)
    source = write_zip(tmp_path / "b.zip", {paths[0]: OLD, paths[1]: NEW})
    arguments = ("collect", source, "--from", "brightspace", "-o", tmp_path / "out")
    refused = command(*arguments)
    assert refused.exit_code == 1
    assert "could be assigned to a student" in refused.output
    (tmp_path / "match.csv").write_text(f'submission,id\n"{paths[0]}",jdoe\n"{paths[1]}",slee\n')
    result = command(*arguments, "--match", tmp_path / "match.csv")
    assert result.exit_code == 0, result.output
    read = {name: (tmp_path / "out" / name / "hw3.ipynb").read_text() for name in ("jdoe", "slee")}
    assert read == {"jdoe": OLD, "slee": NEW}


def test_blackboard_s_own_text_is_read_in_other_languages(tmp_path: Path):
    files = {
        "Taak 3_s_lee_attempt_2026-11-03-12-00-00.txt": "Naam: Sam Lee (s_lee)\nOpdracht: Taak 3\n",
        "Taak 3_s_lee_attempt_2026-11-03-12-00-00_hw3.ipynb": NEW,
    }
    found = blackboard.read(write_zip(tmp_path / "b.zip", files))
    assert [(one.id, one.name) for one in found.people] == [("s_lee", "Sam Lee")]


TYPED = {
    "blackboard": {
        "HW_jdoe_attempt_2026-11-03-23-50-12.txt": "Name: Jane Doe (jdoe)\nAssignment: HW\n\nsee link"
    },
    "moodle": {"Jane Doe_4711_assignsubmission_onlinetext_/onlinetext.html": "<p>see link</p>"},
    "canvas": {"doejane_LATE_1234_text.html": "<p>see link</p>", "leesam_88_link.html": "<a>"},
    "sakai": {
        "HW/Doe, Jane(jdoe)/timestamp.txt": "20261103235012345",
        "HW/Doe, Jane(jdoe)/Doe, Jane(jdoe)_submissionText.html": "see link",
        "HW/Lee, Sam(slee)/Submission attachment(s)/hw3.ipynb": NEW,
    },
}


@pytest.mark.parametrize("platform", TYPED)
def test_a_student_who_typed_text_instead_of_a_file_has_a_row(platform: str, tmp_path: Path):
    source = write_zip(tmp_path / "x.zip", TYPED[platform])
    result = command("collect", source, "--from", platform, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    typed = [one for one in read_manifest(tmp_path / "out" / MANIFEST) if one.id not in ("slee",)]
    assert len(typed) == len(TYPED[platform]) - (2 if platform == "sakai" else 0)
    rows = {one.name: one.problem for one in find([tmp_path / "out"]).submissions}
    assert all("The folder is empty" in rows[one.submission] for one in typed)
    assert "No file that can be graded" in result.output
