"""Exports of Brightspace, Blackboard, ILIAS and Sakai, made up in their forms; gradebooks of every kind."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import pytest

from autograder.lms import blackboard, brightspace, canvas, handback, ilias, moodle, sakai
from autograder.lms.people import MANIFEST, Person, read_manifest
from autograder.lms.platforms import platforms
from autograder.lms.tables import read_table
from tests.platforms import notebook, zipped
from tests.test_collect import GRADEBOOK, MOODLE, command, grades, write_zip
from tests.test_identity import told

OLD, NEW = notebook("x = 1"), notebook("x = 2")
NISHA = "\u0928\u093f\u0936\u093e \u0936\u0930\u094d\u092e\u093e"
BRIGHTSPACE = {
    "index.html": "a list",
    "110513-82432 - Jane Doe - Nov 3, 2026 1150 PM/hw3.ipynb": NEW,
    "110513-82432 - Jane Doe - Nov 2, 2026 905 AM/hw3.ipynb": OLD,
    "110514-82432 - Sam Lee - Nov 3, 2026 1201 PM/all.zip": zipped({"hw3.ipynb": NEW}),
    f"110515-82432 - {NISHA} - Nov 3, 2026 1201 PM - hw3.ipynb": NEW,
    "110516-82432 - 110513-82432 - Jane Doe - Nov 4, 2026 1150 PM/110513-82432 - x/hw3.ipynb": OLD,
}
BLACKBOARD = {
    "Homework 3_jdoe_attempt_2026-11-03-23-50-12.txt": "Name: Jane Doe (jdoe)\nAssignment: Homework 3\n",
    "Homework 3_jdoe_attempt_2026-11-03-23-50-12_hw3.ipynb": NEW,
    "Homework 3_jdoe_attempt_2026-11-02-09-05-00_hw3.ipynb": OLD,
    "Homework 3_s_lee_attempt_2026-11-03-12-00-00.txt": "Name: Sam (jdoe) Lee (s_lee)\n",
    "Homework 3_s_lee_attempt_2026-11-03-12-00-00_x_jdoe_attempt_2026-11-05-00-00-00_hw3.ipynb": OLD,
    "notes.txt": "x",
}
ILIAS = {
    "Homework 3/Submissions/Doe_Jane_jdoe_4711/20261103235012_hw3.ipynb": NEW,
    "Homework 3/Submissions/Doe_Jane_jdoe_4711/20261102090500_hw3.ipynb": OLD,
    "Homework 3/Submissions/Doe_Jane_jdoe_4711/20261102090500_submission_log.json": "{}",
    "Homework 3/Submissions/Mu\u0308ller_J\u00f6rg_x_4711_4712/hw3.ipynb": NEW,
    "Homework 3/Submissions/Team_9/Lee_Sam_slee_4713/hw3.ipynb": NEW,
    "Homework 3/readme.txt": "x",
}
ATTACHED = "Submission attachment(s)"
SAKAI = {
    "Homework 3/grades.csv": "Homework 3,Points\n",
    "Homework 3/Doe, Jane(jdoe)/Submission attachment(s)/hw3.ipynb": NEW,
    "Homework 3/Doe, Jane(jdoe)/timestamp.txt": "20261103235012345",
    "Homework 3/Doe, Jane(jdoe)/comments.txt": "",
    "Homework 3/Lee, Sam(jdoe)(slee)/Submission attachment(s)/all.zip": zipped({"a/hw3.ipynb": NEW}),
    f"Homework 3/Lee, Sam(jdoe)(slee)/{ATTACHED}/Doe, Jane(jdoe)/{ATTACHED}/x.ipynb": OLD,
}
EXPORTS = {
    "brightspace": (BRIGHTSPACE, {"110513", "110514", "110515", "110516"}),
    "blackboard": (BLACKBOARD, {"jdoe", "s_lee"}),
    "ilias": (ILIAS, {"4711", "4712", "4713"}),
    "sakai": (SAKAI, {"jdoe", "slee"}),
}


@pytest.mark.parametrize("unpacked", [False, True], ids=["zip", "unpacked"])
@pytest.mark.parametrize("platform", EXPORTS)
def test_an_export_is_collected_and_graded_under_the_same_names(
    platform: str, unpacked: bool, tmp_path: Path
):
    files, ids = EXPORTS[platform]
    source = write_zip(tmp_path / "x.zip", files)
    if unpacked:
        with zipfile.ZipFile(source) as opened:
            opened.extractall(tmp_path / "unpacked" / "top")
        source = tmp_path / "unpacked" / ("top" if platform != "blackboard" else "")
    result = command("collect", source, "--from", platform, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    people = read_manifest(tmp_path / "out" / MANIFEST)
    assert {one.id for one in people} == ids
    assert {path.name for path in (tmp_path / "out").iterdir()} == {one.submission for one in people} | {
        MANIFEST
    }


def test_brightspace_counts_the_latest_attempt_and_goes_by_the_leading_numbers(tmp_path: Path):
    found = brightspace.read(write_zip(tmp_path / "b.zip", BRIGHTSPACE))
    assert told(found)["110513"] == {"hw3.ipynb": NEW}
    assert told(found)["110516"] == {"hw3.ipynb": OLD}
    people = {one.id: one for one in found.people}
    assert people["110513"].submitted == "2026-11-03T23:50:00"
    assert people["110515"].name == "\u0928\u093f\u0936\u093e \u0936\u0930\u094d\u092e\u093e"
    assert any(
        "the attempt of 2026-11-02T09:05:00; that of 2026-11-03T23:50:00 counts" in line
        for line in found.left
    )


def test_blackboard_goes_by_its_own_mark_not_by_what_a_file_is_called(tmp_path: Path):
    found = blackboard.read(write_zip(tmp_path / "b.zip", BLACKBOARD))
    assert told(found)["jdoe"] == {"hw3.ipynb": NEW}
    assert list(told(found)["s_lee"].values()) == [OLD]
    assert {one.id: one.submitted for one in found.people}["jdoe"] == "2026-11-03T23:50:12"
    folders = {
        "Homework 3_jdoe_attempt_2026-11-03-23-50-12/hw3.ipynb": NEW,
        "Homework 3_jdoe_attempt_2026-11-03-23-50-12/submission_log.json": "{}",
    }
    found = blackboard.read(write_zip(tmp_path / "f.zip", folders))
    assert sorted(told(found)["jdoe"]) == ["hw3.ipynb", "submission_log.json"]
    unclear = {"Homework 3_a_b_attempt_2026-11-03-23-50-12_hw3.ipynb": NEW}
    found = blackboard.read(write_zip(tmp_path / "u.zip", unclear))
    assert not found.people
    assert "cannot be told" in found.left[0]


def test_ilias_takes_the_latest_file_of_a_name(tmp_path: Path):
    found = ilias.read(write_zip(tmp_path / "i.zip", ILIAS))
    by_id = {one.id: one for one in found.people}
    assert told(found)[by_id["4711"].submission] == {"hw3.ipynb": NEW, "submission_log.json": "{}"}
    assert by_id["4711"].submitted == "2026-11-03T23:50:12"
    assert "Mu\u0308ller" in by_id["4712"].submission, "a name is kept as it was given"
    assert any("20261103235012_hw3.ipynb counts" in line for line in found.left)


def test_sakai_goes_by_the_last_brackets_of_its_own_folder(tmp_path: Path):
    found = sakai.read(write_zip(tmp_path / "s.zip", SAKAI))
    by_id = {one.id: one for one in found.people}
    assert told(found)[by_id["jdoe"].submission] == {"hw3.ipynb": NEW}
    assert sorted(told(found)[by_id["slee"].submission]) == ["hw3.ipynb", "x.ipynb"]
    assert by_id["jdoe"].submitted == "2026-11-03T23:50:12"


NAMES = [
    "\u0928\u093f\u0936\u093e \u0936\u0930\u094d\u092e\u093e",
    "\u0e19\u0e34\u0e14\u0e32",
    "Mu\u0308ller",
    "M\u00fcller",
]


def test_names_with_marks_are_read_on_every_platform_that_has_names(tmp_path: Path):
    squeezed = [name.replace(" ", "") for name in NAMES]
    found = canvas.read(
        write_zip(
            tmp_path / "c.zip", {f"{name}_{n}_{n}5_x.ipynb": NEW for n, name in enumerate(squeezed, 10)}
        )
    )
    assert [one.name for one in found.people] == squeezed
    found = moodle.read(
        write_zip(
            tmp_path / "m.zip",
            {f"{name}_{n}_assignsubmission_file_/x.ipynb": NEW for n, name in enumerate(NAMES, 10)},
        )
    )
    assert [one.name for one in found.people] == NAMES
    assert len(found.files) == 4


# gradebooks -------------------------------------------------------------------------------------------------

GERMAN = """\
ID;Vollst\u00e4ndiger Name;Status;Bewertung;Bestwertung;Bewertung kann ge\u00e4ndert werden
Teilnehmer/in4711;Jane Doe;Zur Bewertung abgegeben;;100,00;Ja
Teilnehmer/in4712;Jos\u00e9 N\u00fa\u00f1ez;Zur Bewertung abgegeben;12,50;100,00;Ja
Teilnehmer/in4713;Sam Lee;Zur Bewertung abgegeben;;100,00;Nein
"""
HEADS = ["id=ID", "grade=Bewertung", "maximum=Bestwertung", "open=Bewertung kann ge\u00e4ndert werden"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_german_worksheet_comes_back_as_it_was(encoding: str, tmp_path: Path):
    command("collect", write_zip(tmp_path / "m.zip", MOODLE), "--from", "moodle", "-o", tmp_path / "out")
    (tmp_path / "w.csv").write_bytes(GERMAN.replace("\n", "\r\n").encode(encoding))
    (tmp_path / "grades.csv").write_text(
        grades({"Jane-Doe-4711": 90.25, "Jos\u00e9_Mar\u00eda-N\u00fa\u00f1ez-4712": 80.0})
    )
    columns = [part for head in HEADS for part in ("--column", head)]
    result = command(
        "export-grades", tmp_path / "grades.csv", "--to", "moodle", "--collected", tmp_path / "out",
        "--file", tmp_path / "w.csv", *columns, "-o", tmp_path / "up.csv",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    made = (tmp_path / "up.csv").read_bytes()
    expected = GERMAN.replace("abgegeben;;100,00;Ja", "abgegeben;94,25;100,00;Ja").replace("12,50", "84,00")
    assert made == expected.replace("\n", "\r\n").encode(encoding)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('ID,Grade,Max\r1,,"90,00"\r2,"3,5","90,00"\r', 'ID,Grade,Max\r1,"94,5","90,00"\r2,"3,5","90,00"\r'),
        ('ID,Grade,Max\n1,,"1,000"\n', 'ID,Grade,Max\n1,94.5,"1,000"\n'),
        ('ID,Grade,Max\n1,,"90,00"\n2,1.5,\n', 'ID,Grade,Max\n1,94.5,"90,00"\n2,1.5,\n'),
    ],
    ids=["of a Mac, decimal commas in quotes", "thousands", "both"],
)
def test_a_table_with_commas_between_cells_comes_back_as_it_was(text: str, expected: str, tmp_path: Path):
    (tmp_path / "t.csv").write_bytes(text.encode())
    read = read_table(tmp_path / "t.csv")
    assert read.written(read.text.replace("1,,", "1,94.5,")) == expected.encode()


def test_a_head_that_is_not_there_is_named_with_those_that_are(tmp_path: Path):
    (tmp_path / "w.csv").write_text(GERMAN)
    with pytest.raises(ValueError, match=r"0 columns are called 'Nummer'; there are: ID; Vollst"):
        read_table(tmp_path / "w.csv").renamed({"Nummer": "Identifier"})
    assert {"id", "grade", "maximum"} <= set(platforms()["moodle"].heads)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Identifier,Grade,Maximum Grade\nParticipant 1,,many\n", "row 2: 'many' is not a number"),
        ("Identifier,Grade\nParticipant 1\n", "row 2 has 1 cells, but there are 2"),
        ("Identifier,Grade\n\0\n", "zero bytes"),
        ('Identifier,Grade\n"' + "x" * 200_000 + '",\n', "row 2: field larger"),
    ],
)
def test_errors_name_file_and_row(text: str, says: str, tmp_path: Path):
    (tmp_path / "theirs.csv").write_text(text)
    (tmp_path / "grades.csv").write_text(grades({"a": 1.0}))
    (tmp_path / MANIFEST).write_text(
        "submission,source,id,name,email,submitted,late,late_days\na,moodle,1,,,,,\n"
    )
    result = command(
        "export-grades", tmp_path / "grades.csv", "--to", "moodle", "--collected", tmp_path,
        "--file", tmp_path / "theirs.csv", "-o", tmp_path / "up.csv",
    )  # fmt: skip
    assert result.exit_code == 1
    assert says in result.output
    assert "theirs.csv" in result.output


@pytest.mark.parametrize(
    ("text", "says"),
    [("id,submitted\n1,yesterday\n", "row 2: 'yesterday' is not a time"), ("id,submitted\n1\n", "row 2")],
)
def test_errors_in_times_name_file_and_row(text: str, says: str, tmp_path: Path):
    (tmp_path / "times.csv").write_text(text)
    source = write_zip(tmp_path / "m.zip", MOODLE)
    result = command(
        "collect", source, "--from", "moodle", "-o", tmp_path / "out", "--times", tmp_path / "times.csv"
    )
    assert result.exit_code == 1
    assert says in result.output
    assert "times.csv" in result.output


@pytest.mark.parametrize(
    ("platform", "table", "column", "cell"),
    [
        (
            "blackboard",
            "Last Name,Username,Homework 3 [Total Pts: 100 Score] |12345\nDoe,jdoe,\nLee,slee,7\n",
            "12345",
            "Doe,jdoe,90.5",
        ),
        (
            "brightspace",
            "OrgDefinedId,Username,Homework 3 Points Grade <Numeric>,End-of-Line Indicator\n#900,jdoe,,#\n",
            "Homework 3",
            "#900,jdoe,90.5,#",
        ),
        (
            "sakai",
            "Homework 3,Points\n\nDisplay ID,ID,Last Name,First Name,grade\njdoe,jdoe,Doe,Jane,\n",
            "",
            "jdoe,jdoe,Doe,Jane,90.5",
        ),
    ],
)
def test_grades_go_back_into_the_platforms_table(
    platform: str, table: str, column: str, cell: str, tmp_path: Path
):
    fill = platforms()[platform].fill
    assert fill is not None
    upload = fill(table, {"jdoe": 90.5, "nobody": 1.0}, **({"column": column} if column else {}))
    assert cell in upload.text.splitlines()
    assert "nobody: graded, but that id is not in the file of the platform" in upload.notes


# one value a person -----------------------------------------------------------------------------------------

PEOPLE = [Person("jane-1", "canvas", "1"), Person("jane-1-2", "canvas", "12"), Person("sam-2", "canvas", "2")]


@pytest.mark.parametrize(
    "rows", [["jane-1", "jane-1-hw3"], ["jane-1-a", "jane-1-b"], ["jane-1", "jane-1 (2)"]]
)
def test_two_rows_of_one_person_are_refused_and_named(rows: list[str]):
    points = dict.fromkeys(rows, 5.0) | {"jane-1-2": 7.0, "sam-2": 3.0}
    with pytest.raises(ValueError, match="several rows belong to one student") as caught:
        handback.grades_by_id(points, PEOPLE)
    assert all(f"{row} (5 points)" in str(caught.value) for row in rows)
    assert "sam-2" not in str(caught.value)
    by_id, _ = handback.grades_by_id(points, PEOPLE, matches={rows[1]: "1"})
    assert by_id == {"1": 5.0, "12": 7.0, "2": 3.0}


def test_two_folders_of_one_id_are_refused():
    people = [Person("a", "moodle", "1"), Person("b", "moodle", "1")]
    with pytest.raises(ValueError, match=r"1: a \(2 points\), b \(3 points\)"):
        handback.grades_by_id({"a": 2.0, "b": 3.0}, people)


def test_a_match_settles_a_row_that_nobody_claims(tmp_path: Path):
    by_id, notes = handback.grades_by_id({"stranger": 4.0}, PEOPLE, matches={"stranger": "2"})
    assert by_id == {"2": 4.0}
    assert not any("stranger" in note for note in notes)
    with pytest.raises(ValueError, match="is no submission"):
        handback.grades_by_id({"a": 1.0}, PEOPLE, matches={"nobody": "2"})
    with pytest.raises(ValueError, match="several submissions: a, b"):
        handback.grades_by_id({"a": 1.0, "b": 2.0}, PEOPLE, matches={"a": "2", "b": "2"})


def test_a_row_twice_in_grades_csv_is_refused():
    text = grades({"a": 1.0})
    twice = text + text.splitlines()[1] + "\r\n"
    with pytest.raises(ValueError, match="row 3: 'a' has a row above"):
        handback.totals(twice)


def test_a_canvas_gradebook_with_semicolons_keeps_its_form(tmp_path: Path):
    table = "\n".join(";".join(f'"{cell}"' for cell in row) for row in csv.reader(io.StringIO(GRADEBOOK)))
    (tmp_path / "g.csv").write_text(table, encoding="utf-16")
    read = read_table(tmp_path / "g.csv")
    upload = canvas.fill(read.text, {"1234": 96.25}, column="502")
    made = read.written(upload.text).decode("utf-16")
    assert "Doe, Jane;1234;S1;jdoe;Fall, A;96" in made


def test_a_name_that_a_file_system_composed_differently_is_the_same():
    by_id, notes = handback.grades_by_id({"M\u00fcller-1": 4.0}, [Person("Mu\u0308ller-1", "moodle", "1")])
    assert by_id == {"1": 4.0}
    assert not notes


def contents(found, submission: str) -> dict[str, str]:
    return {name: place.read_text() for name, place in found.files[submission].items()}


def test_ilias_numbers_files_of_one_name_and_marks_late_ones(tmp_path: Path):
    """ILIAS takes its time off the names and numbers those that are then equal."""
    jane, sam = "Homework_3_17/Doe_Jane_jdoe_4711", "Homework_3_17/Team 9/Lee_Sam_slee_4713"
    files = {
        f"{jane}/hw3.ipynb": OLD,
        f"{jane}/hw3 (2).ipynb": OLD,
        f"{jane}/hw3 (10).ipynb": NEW,
        f"{jane}/submission_log.json": "{}",
        f"{sam}/hw3 (1).ipynb": NEW,
        f"{sam}/submission_log.json": "[]",
        f"{sam}/Verspaetete Abgabe - submission_log.json": "{}",
    }
    found = ilias.read(write_zip(tmp_path / "i.zip", files))
    assert contents(found, "Doe_Jane_jdoe-4711") == {"hw3.ipynb": NEW, "submission_log.json": "{}"}
    assert contents(found, "Lee_Sam_slee-4713") == {"hw3 (1).ipynb": NEW, "submission_log.json": "{}"}
    assert {one.id: one.late for one in found.people} == {"4711": "", "4713": "yes"}
    assert sum("hw3 (10).ipynb counts" in line for line in found.left) == 2


NUMBER = "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_sakai_without_folders_anonymous_or_in_another_language(tmp_path: Path):
    flat = {
        "Homework 3/Doe, Jane(jdoe)_Submission attachment(s)_hw3.ipynb": NEW,
        f"Homework 3/{NUMBER} Anonymous_Submission attachment(s)_my_hw3.ipynb": OLD,
        "Homework 3/grades.csv": "x",
    }
    found = sakai.read(write_zip(tmp_path / "f.zip", flat))
    assert {one.id for one in found.people} == {"jdoe", f"{NUMBER} Anonymous"}
    assert list(contents(found, "Doe-Jane-jdoe")) == ["hw3.ipynb"]
    other = {
        "Deberes/Doe, Jane(jdoe)/Archivos adjuntos del env\u00edo/a/hw3.ipynb": NEW,
        "Deberes/Doe, Jane(jdoe)/timestamp.txt": "2026-11-03T23:50:12.345Z",
        f"Deberes/{NUMBER} Anonymous/Archivos adjuntos del env\u00edo/hw3.ipynb": OLD,
        f"Deberes/{NUMBER} Anonymous/timestamp.txt": "soon",
    }
    found = sakai.read(write_zip(tmp_path / "o.zip", other))
    assert {one.id: one.submitted for one in found.people} == {
        "jdoe": "2026-11-03T23:50:12+00:00",
        f"{NUMBER} Anonymous": "",
    }
    assert contents(found, "Doe-Jane-jdoe") == {"hw3.ipynb": NEW}
