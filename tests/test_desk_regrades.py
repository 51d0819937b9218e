"""Regrade requests and overrides in manual grading: imported, listed, answered, set, taken back."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from autograder.grade import staff
from autograder.grade.report import QuestionResult
from autograder.grade.requests import Requests
from autograder.grade.store import read_reports
from autograder.report.publish import publish
from tests import desk_client
from tests.desk_client import Browser, InProcess

output, here, ann = desk_client.output, desk_client.here, desk_client.ann
HOSTILE = "<script>alert(1)</script> \x1b[31m please"
REPLY = "You are right: the mask was meant."


def result(output: Path, submission: str, question: str) -> QuestionResult:
    reports = staff.apply(output, read_reports(output))
    (report,) = [one for one in reports if one.submission == submission]
    return next(one for one in report.questions if one.id == question)


def imported(who: Browser, name: str, text: str) -> tuple[int, dict]:
    return who.post(f"/api/requests?name={quote(name)}", text, content_type="application/octet-stream")


def answered(number: int, who: Browser, **data: object) -> tuple[int, dict]:
    usual = {"decision": "granted", "reply": REPLY, "seen": ""}
    return who.post(f"/api/requests/{number}", {**usual, **data})


@pytest.fixture
def asked(here: InProcess) -> InProcess:
    requests = Requests(here.desk.output)
    requests.add("student-00", "3.1", f"In 3.1 my matrix is right: {HOSTILE}")
    requests.add("student-01", "3.7", "My free response says why.")
    requests.add("student-02", "", "Please look at everything.")
    return here


def test_files_become_requests_and_what_is_lost_is_said(here: InProcess):
    bob = here.enter("Bob")
    assert "Import requests" in bob.get("/")
    assert imported(bob, "student-00.txt", "In 3.1 I am right.") == (
        200,
        {"told": "1 new request, 0 already imported."},
    )
    status, told = imported(bob, "../r.CSV", "student,question,request\nstudent-01,3.7,Look\nnobody,3.1,x\n")
    assert status == 200
    assert told["told"].splitlines()[0] == "1 new request, 0 already imported."
    assert told["told"].splitlines()[1].startswith("r.csv, row 3: 'nobody' is no submission")
    assert imported(bob, "nobody.txt", "x")[0] == 400
    assert "ends in .txt" in imported(bob, "a.exe", "x")[1]["error"]
    assert "2 open" in bob.get("/")


def test_the_list_shows_open_requests_hides_names_and_takes_no_markup(asked: InProcess):
    bob = asked.enter("Bob")
    page = bob.get("/requests")
    assert "3 of 3 requests" in page
    assert "student-00" not in page
    assert "<script>alert" not in page
    bob.post("/api/me", {"names": True})
    assert "student-00" in bob.get("/requests")
    assert answered(1, bob)[0] == 200
    assert "2 of 3 requests" in bob.get("/requests")
    assert "granted</span> by Bob" in bob.get("/requests?state=answered")


def test_a_request_is_shown_with_its_question_and_answered_with_points(asked: InProcess):
    bob, output = asked.enter("Bob"), asked.desk.output
    page = bob.get("/requests/1")
    assert "student-00" not in page
    assert "In 3.1 my matrix is right: &lt;script&gt;" in page
    for check in result(output, "student-00", "3.1").checks:
        assert check.name in page
    assert 'data-next="/requests/2"' in page
    before = result(output, "student-00", "3.1")
    assert answered(1, bob, part="", points=before.maximum) == (
        200,
        {"told": "Saved. The student's page shows it after you publish."},
    )
    after = result(output, "student-00", "3.1")
    assert (after.points, after.overrides[0].why, after.overrides[0].by) == (before.maximum, REPLY, "Bob")
    assert Requests(output).one(1).request.decision == "granted"
    publish(output)
    assert REPLY in (output / "submissions" / "student-00" / "feedback.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        ({"points": 1000, "part": ""}, 400, "3.1 can give 0 to"),
        ({"points": float("nan"), "part": ""}, 400, "3.1 can give 0 to"),
        ({"points": "7", "part": ""}, 400, "Points are wanted."),
        ({"points": 1, "part": "no such check"}, 400, "3.1 has no check 'no such check'"),
        ({"points": 1}, 400, "Choose what the points are for."),
        ({"reply": " "}, 400, "a reply is needed, which the student reads."),
        ({"decision": "thrown away"}, 400, "is none of open, granted"),
        ({"decision": None}, 400, "Choose a decision"),
        ({"decision": "declined", "points": 1, "part": ""}, 400, "declined changes no points"),
        ({"seen": "2026-01-01", "points": 1, "part": ""}, 409, "answered this request in the meantime"),
    ],
)
def test_what_cannot_be_kept_changes_neither_request_nor_points(
    asked: InProcess, data: dict, status: int, says: str
):
    bob, output = asked.enter("Bob"), asked.desk.output
    found, told = answered(1, bob, **data)
    assert (found, says in told["error"]) == (status, True), told
    assert "--" not in told["error"]
    assert Requests(output).one(1).request.decision == "open"
    assert result(output, "student-00", "3.1").overrides == ()


def test_two_graders_who_answer_one_request_do_not_overwrite_each_other(asked: InProcess):
    bob, cid = asked.enter("Bob"), asked.enter("Cid")
    assert answered(1, bob)[0] == 200
    status, told = answered(1, cid, decision="partly granted", part="", points=0)
    assert (status, told["error"].startswith("Bob answered this request")) == (409, True)
    assert result(asked.desk.output, "student-00", "3.1").overrides == ()
    seen = Requests(asked.desk.output).one(1).decided
    assert f'data-seen="{seen}"' in cid.get("/requests/1")
    assert answered(1, cid, decision="declined", seen=seen)[0] == 200


def test_a_request_about_everything_leads_to_each_question_and_takes_no_points(asked: InProcess):
    bob = asked.enter("Bob")
    page = bob.get("/requests/3")
    for question in ("3.1", "3.7"):
        assert f"/points/hw3/{question}/{asked.desk.marks.key('student-02', question)}" in page
    assert "about no single question" in answered(3, bob, part="", points=1)[1]["error"]
    assert answered(3, bob)[0] == 200
    assert asked.desk.marks.key("student-02", "3.1") in asked.desk.parts
    Requests(asked.desk.output).add("gone", "3.1", "I left.")
    assert "not among the results any more" in bob.get("/requests/4")
    assert asked.ask("/requests/99", cookie=bob.cookie)[0] == 404


def test_points_of_any_question_are_overridden_and_taken_back(here: InProcess):
    bob, output = here.enter("Bob"), here.desk.output
    assert "1 submission found" in bob.get("/points?find=STUDENT-00")
    assert "0 submissions found" in bob.get("/points?find=nobody")
    path = f"hw3/3.1/{here.desk.marks.key('student-00', '3.1')}"
    before = result(output, "student-00", "3.1")
    check = before.checks[0]
    assert "Override points" in bob.get(f"/points/{path}")
    told = bob.post(f"/api/override/{path}", {"part": check.name, "points": 0, "why": ""})
    assert told == (400, {"error": "Not saved: give a reason for the student."})
    assert bob.post(f"/api/override/{path}", {"part": check.name, "points": 0, "why": "Copied."})[0] == 200
    assert result(output, "student-00", "3.1").points == before.points - check.points
    assert "Copied." in bob.get(f"/points/{path}")
    assert bob.post(f"/api/override/{path}", {"part": check.name, "undo": True})[0] == 200
    assert result(output, "student-00", "3.1").points == before.points
    assert (
        "no such override"
        in bob.post(f"/api/override/{path}", {"part": check.name, "undo": True})[1]["error"]
    )


def test_strangers_and_other_questions_keys_get_nothing(asked: InProcess):
    bob = asked.enter("Bob")
    key = asked.desk.marks.key("student-00", "3.1")
    assert asked.ask("/requests")[0] == 401
    assert asked.ask(f"/points/hw3/3.2/{key}", cookie=bob.cookie)[0] == 404
    assert asked.ask("/api/requests/1", "POST", "{}")[0] == 401
    assert (
        asked.ask("/api/requests/1", "POST", "{}", cookie=bob.cookie, origin="http://evil.example")[0] == 403
    )
