"""Several graders: roles, links that end, and marks that travel in a file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from autograder.cli.main import main
from autograder.grade import elsewhere
from autograder.grade.exchange import Exchange, ExchangeError
from autograder.grade.marks import Marks
from tests import desk_client
from tests.desk_client import ITEMS, Browser, InProcess, given, grade, key_of

output, here, ann = desk_client.output, desk_client.here, desk_client.ann


# --- roles and links ----------------------------------------------------------------------------------------


def test_only_a_head_grader_publishes_imports_invites_revokes_and_edits_rubrics(
    here: InProcess, ann: Browser
):
    bob = here.enter("Bob")
    for path, data in (
        ("/api/publish", {}), ("/api/import", "submission,question,points\n"), ("/api/invite", {"name": "x"}),
        ("/api/revoke", {"name": "Ann"}), ("/api/rubric/hw3/3.7", {"version": 0, "items": ITEMS}),
    ):  # fmt: skip
        status, body = bob.post(path, data)
        assert (status, body["error"]) == (403, "Only a head grader may do that."), path
    page = bob.get("/")
    assert "You are <b>Bob</b>, grader." in page
    assert "Make a link" not in page
    assert bob.post("/api/me", {"name": "Ann"})[0] == 403
    status, body = ann.post("/api/invite", {"name": "Cleo", "head": False})
    assert status == 200
    assert body["link"].startswith("http://127.0.0.1:8765/enter?token=")
    assert "Cleo" in ann.get("/")


def test_a_revoked_grader_is_out_at_once_and_their_marks_stay(here: InProcess, ann: Browser):
    bob = here.enter("Bob")
    link = here.door.link("Bob")
    grade(bob, "student-00", rubric=[1, 0, 0], graded=True)
    assert ann.post("/api/revoke", {"name": "Bob"})[0] == 200
    assert here.ask("/", cookie=bob.cookie)[0] == 401
    assert grade(bob, "student-00", rubric=[0, 0, 0])[0] == 401
    assert here.ask("/enter?" + link.partition("?")[2])[0] == 403
    assert given(here, "student-00").points == 3
    assert ann.post("/api/revoke", {"name": "Ann"})[0] == 400
    assert here.ask("/", cookie=ann.cookie)[0] == 200


# --- marks that travel --------------------------------------------------------------------------------------


def test_a_graders_file_goes_out_and_comes_back_without_a_loss(here: InProcess, ann: Browser, tmp_path: Path):
    grade(ann, "student-00", rubric=[1, 0, 0], graded=True)
    grade(ann, "student-03", rubric=[1, 0, 0], graded=True)
    (tmp_path / "bob.zip").write_bytes(elsewhere.packed(here.desk.output, "Bob"))
    folder = elsewhere.unpacked(tmp_path / "bob.zip")
    there = InProcess(folder)
    bob = there.enter("Bob")
    assert "my" not in str(there.desk.marks.undo("Ann", "3.7"))  # nobody undoes there what was done here
    grade(bob, "student-00", rubric=[1, 1, 1], graded=True, comment="Bob's")
    grade(bob, "student-01", rubric=[0, 1, 0], graded=True)
    bob.post("/api/snippet/hw3/3.7", {"text": "From afar."})
    grade(ann, "student-00", rubric=[0, 0, 0], graded=True, comment="Ann's")
    grade(ann, "student-04", rubric=[1, 1, 1], graded=True)
    text = elsewhere.sent_back(folder).read_text(encoding="utf-8")
    merged = here.desk.marks.merge(here.desk.reports, text)
    assert merged.taken == 1
    assert merged.conflicts == ("student-00, 3.7: here 0 points by Ann, in the file 10 points by Bob",)
    assert merged.left == ()
    points = {name: mark.points for (name, _), mark in here.desk.marks.all().items()}
    assert points == {"student-00": 0, "student-01": 4, "student-03": 3, "student-04": 10}
    assert here.desk.marks.snippets("3.7")[0].text == "From afar."
    assert here.desk.marks.merge(here.desk.reports, text).taken == 0  # the same again changes nothing
    assert len(here.desk.marks.rivals("3.7")) == 1
    grade(bob, "student-01", rubric=[1, 1, 1], graded=True)  # Bob goes on
    later = elsewhere.sent_back(folder).read_text(encoding="utf-8")
    assert ann.post("/api/import", later)[1]["told"] == "1 marks imported."
    assert given(here, "student-01").points == 10
    key = key_of(here, "student-00")
    page = ann.get(f"/grade/hw3/3.7/{key}")
    assert "Elsewhere, Bob" in page
    assert key in ann.get("/answers/hw3/3.7?state=rivals")
    (rival,) = here.desk.marks.rivals("3.7")
    path = f"/api/settle/hw3/3.7/{key}"
    assert ann.post(path, {"rival": rival.number, "take": True})[0] == 200
    assert (given(here, "student-00").points, given(here, "student-00").comment) == (10, "Bob's")
    assert ann.post(path, {"rival": rival.number, "take": False})[0] == 400


def test_a_grader_elsewhere_works_by_the_rubric_that_was_edited_here(
    here: InProcess, ann: Browser, tmp_path: Path
):
    ann.post(
        "/api/rubric/hw3/3.7", {"version": 0, "items": [["First", 6.0], ["Second", 4.0], ["Third", 0.0]]}
    )
    (tmp_path / "bob.zip").write_bytes(elsewhere.packed(here.desk.output, "Bob"))
    there = InProcess(elsewhere.unpacked(tmp_path / "bob.zip"))
    assert grade(there.enter("Bob"), "student-00", rubric=[1, 0, 0], graded=True)[1]["points"] == 6


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.update(form="another"),
        lambda data: data["marks"][0].update(points=-1),
        lambda data: data["marks"][0].update(points="7"),
        lambda data: data["marks"][0].update(rubric=[9]),
        lambda data: data["marks"][0].update(comment=["x"]),
        lambda data: data["marks"][0].update(more=1),
        lambda data: data.update(snippets=[["3.7"]]),
        lambda data: data.pop("base"),
        lambda data: data.update(marks=[1]),
    ],
)
def test_a_file_of_marks_that_is_none_changes_nothing(here: InProcess, ann: Browser, change, tmp_path: Path):
    grade(ann, "student-00", rubric=[1, 0, 0], graded=True)
    store = Exchange(here.desk.output)
    data = json.loads(store.returned(store.ticket("Bob", "1")))
    data["marks"][0]["comment"] = "another"
    change(data)
    before = here.desk.marks.all()
    with pytest.raises(ExchangeError):
        here.desk.marks.merge(here.desk.reports, json.dumps(data))
    assert here.desk.marks.all() == before


def test_a_zip_that_would_write_elsewhere_writes_nothing_there(here: InProcess, tmp_path: Path):
    path = tmp_path / "sly.zip"
    path.write_bytes(elsewhere.packed(here.desk.output, "Bob"))
    with zipfile.ZipFile(path, "a") as file:
        for name in (
            "../up.txt",
            "submissions/../results.json",
            "submissions/x/../../up/results.json",
            "/tmp/x",
        ):
            file.writestr(name, "{}")
    folder = elsewhere.unpacked(path)
    found = {one.relative_to(folder).parts[0] for one in folder.rglob("*") if one.is_file()}
    assert found <= {
        "submissions",
        "pages.json",
        "desk-for.json",
        *(one.name for one in folder.glob("desk.sqlite3*")),
    }
    assert not (tmp_path / "up.txt").exists()
    assert sorted(one.name for one in tmp_path.iterdir() if one.name != "out") == ["sly", "sly.zip"]
    (tmp_path / "none.zip").write_bytes(b"no zip")
    with pytest.raises(ExchangeError, match="no file that"):
        elsewhere.unpacked(tmp_path / "none.zip")


def test_the_command_sends_out_opens_and_takes_in_a_graders_file(
    output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    opened: list[list[tuple[str, bool]]] = []

    def serve(folder: Path, *, people: list[tuple[str, bool]], **_: object) -> None:
        opened.append(people)
        there = InProcess(folder)
        grade(there.enter("Bob"), "student-01", rubric=[0, 1, 0], graded=True)

    monkeypatch.setattr("autograder.desk.app.serve", serve)
    monkeypatch.setattr("autograder.cli.desk.publish_pages", lambda *_: None)

    def desk(*words: object, code: int = 0) -> str:
        done = CliRunner().invoke(main, ["desk", *map(str, words)])
        assert done.exit_code == code, done.output
        return done.output

    assert "autograder manual-grading bob.zip" in desk(output, "--export-for", "Bob", tmp_path / "bob.zip")
    assert "bob.marks.json" in desk(tmp_path / "bob.zip")
    assert opened == [[("Bob", False)]]
    assert "1 marks imported." in desk(output, "--import", tmp_path / "bob.marks.json")
    assert Marks(output).get("student-01", "3.7").points == 4
    assert "ends with .zip" in desk(output, "--export-for", "Bob", tmp_path / "bob.txt", code=1)
    assert "no file that" in desk(tmp_path / "bob.marks.json", code=1)
