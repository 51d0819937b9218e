"""Manual grading without a browser: marks, undo, two graders, kill -9, CSV, and who is let in."""

from __future__ import annotations

import csv
import http.client
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from autograder.grade import marks
from autograder.grade.marks import ConflictError, Mark, Marks
from autograder.grade.marks_csv import MarksCsvError, from_csv, to_csv
from autograder.grade.store import read_reports
from autograder.report.feedback import feedback_page
from tests import example_results

BLANK = Mark("student-00", "3.7", marks.digest("x"), (1.0, 0.0, 0.5), 4.5, "Good.", "ann")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    example_results.write(folder)
    return folder


@pytest.fixture
def output(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "out"))


# --- marks --------------------------------------------------------------------------------------------------


def test_a_mark_is_saved_and_counts_its_versions(tmp_path: Path):
    store = Marks(tmp_path)
    saved = store.save(BLANK)
    assert saved.version == 1
    assert Marks(tmp_path).get("student-00", "3.7") == saved
    assert store.save(replace(saved, points=2.0)).version == 2


def test_saving_on_top_of_somebody_elses_save_is_refused_and_loses_nothing(tmp_path: Path):
    store = Marks(tmp_path)
    first = store.save(BLANK)
    with pytest.raises(ConflictError, match="ann"):
        store.save(replace(BLANK, grader="bob", points=0.0))
    assert store.get("student-00", "3.7") == first


def test_undo_takes_back_ones_own_changes_one_by_one(tmp_path: Path):
    store = Marks(tmp_path)
    first = store.save(BLANK)
    second = store.save(replace(first, points=2.0, rubric=(0.0, 0.5, 0.0)))
    store.save(replace(second, comment="Better."))
    assert store.undo("bob", "3.7") is None
    contents = []
    while (mark := store.undo("ann", "3.7")) is not None:
        contents.append((mark.points, mark.rubric, mark.comment))
    assert contents == [(2.0, (0.0, 0.5, 0.0), "Good."), (4.5, (1.0, 0.0, 0.5), "Good."), (None, (), "")]


def test_a_comment_saved_while_it_is_typed_is_one_step(tmp_path: Path):
    store = Marks(tmp_path)
    mark = store.save(replace(BLANK, comment=""))
    for comment in ("W", "Why", "Why?"):
        mark = store.save(replace(mark, comment=comment))
    undone = store.undo("ann", "3.7")
    assert undone is not None
    assert (undone.comment, undone.points) == ("", 4.5)
    undone = store.undo("ann", "3.7")
    assert undone is not None
    assert undone.points is None
    assert store.undo("ann", "3.7") is None


def test_undo_never_takes_back_what_somebody_else_did_since(tmp_path: Path):
    store = Marks(tmp_path)
    first = store.save(BLANK)
    store.save(replace(first, grader="bob", points=1.0))
    with pytest.raises(ConflictError, match="bob"):
        store.undo("ann", "3.7")


def test_many_graders_at_once_lose_no_click(tmp_path: Path):
    store = Marks(tmp_path)

    def grade(grader: str) -> None:
        for number in range(10):
            store.save(replace(BLANK, submission=f"{grader}-{number}", grader=grader))

    threads = [threading.Thread(target=grade, args=(f"g{index}",)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.all()) == 40


def test_two_graders_are_sent_to_different_answers(tmp_path: Path):
    store = Marks(tmp_path)
    assert store.claim("ann", "3.7", ["a", "b"]) == "a"
    assert store.claim("bob", "3.7", ["a", "b"]) == "b"
    assert store.claim("eve", "3.7", ["a", "b"]) is None
    assert store.holder("a", "3.7", "bob") == "ann"


def test_points_count_for_the_answer_that_was_graded_only(output: Path):
    reports = read_reports(output)
    store = Marks(output)
    store.save(replace(BLANK, submission="student-00", answer=marks.digest(example_results.GOOD)))
    store.save(
        replace(BLANK, submission="student-01", answer=marks.digest("another answer, handed in before"))
    )
    applied = {one.submission: one for one in marks.apply(output, reports)}
    assert applied["student-00"].given == 4.5
    assert applied["student-01"].given == 0
    question = next(one for one in applied["student-00"].questions if one.id == "3.7")
    assert len(question.reasons) == 2


# --- CSV ----------------------------------------------------------------------------------------------------


def test_csv_goes_out_and_comes_in_again(output: Path, tmp_path: Path):
    reports = read_reports(output)
    Marks(output).save(
        replace(BLANK, answer=marks.digest(example_results.GOOD), comment="=SUM(A1) is no answer, see $x$")
    )
    text = to_csv(output, reports)
    rows = {row["submission"]: row for row in csv.DictReader(io.StringIO(text))}
    assert len(rows) == 6
    assert rows["student-00"]["comment"].startswith("'=")
    assert rows["student-01"]["points"] == ""
    other = tmp_path / "other"
    other.mkdir()
    assert from_csv(other, reports, text, "bob") == 1
    found = Marks(other).get("student-00", "3.7")
    assert found is not None
    assert (found.points, found.rubric, found.comment, found.grader) == (
        4.5,
        (1.0, 0.0, 0.5),
        "=SUM(A1) is no answer, see $x$",
        "ann",
    )
    assert from_csv(other, reports, text, "bob") == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("student-00,3.7,11", "from 0 to 10"),
        ("student-00,3.7,-1", "from 0 to 10"),
        ("student-00,3.7,nan", "from 0 to 10"),
        ("student-00,3.7,three", "from 0 to 10"),
        ("student-00,3.1,1", "no written answer to 3.1"),
        ("nobody,3.7,1", "no written answer to 3.7 by nobody"),
    ],
)
def test_a_csv_with_one_bad_row_changes_nothing_and_says_which(output: Path, line: str, told: str):
    text = f"submission,question,points\nstudent-01,3.7,5\n{line}\n"
    with pytest.raises(MarksCsvError, match=told) as problem:
        from_csv(output, read_reports(output), text, "bob")
    assert "line 3" in str(problem.value)
    assert Marks(output).all() == {}


def test_a_csv_without_its_columns_says_what_it_needs(output: Path):
    with pytest.raises(MarksCsvError, match="points, submission missing"):
        from_csv(output, read_reports(output), "name,question\n", "bob")


# --- the server ---------------------------------------------------------------------------------------------


@dataclass
class Running:
    """A desk in a process of its own."""

    process: subprocess.Popen
    links: list[str]

    @property
    def host(self) -> str:
        return urlsplit(self.links[0]).netloc

    def stop(self, how: int = signal.SIGINT) -> str:
        self.process.send_signal(how)
        return self.process.communicate(timeout=180)[0]


def start(output: Path, graders: int = 2, port: int = 0) -> Running:
    command = [
        sys.executable,
        "-m",
        "autograder",
        "manual-grading",
        str(output),
        "--port",
        str(port),
        "--graders",
        str(graders),
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    links: list[str] = []
    said = ""
    while len(links) < graders:
        line = process.stdout.readline()
        said += line
        assert line, said
        links += re.findall(r"https?://\S+/enter\S+", line)
    process.stdout.readline()  # how to stop it
    return Running(process, links)


@pytest.fixture
def desk(output: Path) -> Iterator[Running]:
    running = start(output)
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.communicate(timeout=120)


def ask(
    to: str, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> tuple[int, dict, str]:
    connection = http.client.HTTPConnection(to, timeout=120)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, text


def enter(link: str) -> str:
    """Uses a link; gives the cookie."""
    parts = urlsplit(link)
    status, headers, _ = ask(parts.netloc, f"{parts.path}?{parts.query}")
    assert status == 303
    assert "httponly" in headers["set-cookie"].lower()
    cookie = SimpleCookie(headers["set-cookie"])
    return "; ".join(f"{name}={morsel.value}" for name, morsel in cookie.items())


def test_a_link_lets_one_browser_in_once_and_nobody_else(desk: Running):
    assert ask(desk.host, "/")[0] == 401
    assert ask(desk.host, "/written.csv")[0] == 401
    assert ask(desk.host, "/enter?token=guess")[0] == 403
    cookie = enter(desk.links[0])
    parts = urlsplit(desk.links[0])
    assert ask(desk.host, f"{parts.path}?{parts.query}")[0] == 403
    status, headers, _ = ask(desk.host, "/", cookie=cookie)
    assert status == 200
    assert "script-src 'self'" in headers["content-security-policy"]
    assert ask(desk.host, "/", cookie=cookie, host="evil.example")[0] == 400
    save = {"cookie": cookie, "content_type": "application/json"}
    assert ask(desk.host, "/api/publish", "POST", "{}", **save)[0] == 403  # no origin
    assert ask(desk.host, "/api/publish", "POST", "{}", **save, origin="http://evil.example")[0] == 403
    assert (
        ask(
            desk.host,
            "/api/me",
            "POST",
            "{}",
            cookie=cookie,
            origin=f"http://{desk.host}",
            content_type="text/plain",
        )[0]
        == 400
    )
    assert ask(desk.host, "/api/me", "POST", "{", **save, origin=f"http://{desk.host}")[0] == 400


UNFIT = [
    {},
    [],
    {"version": "0"},
    {"version": 0, "rubric": [1], "graded": True},
    {"version": 0, "graded": True},
    {"version": 0, "flagged": 1},
    {"version": 0, "alike": {"nobody": 0}},
    {"version": 0, "rubric": [9, 9, 9]},
    {"version": 0, "rubric": "111"},
    {"version": 0, "comment": 5},
    {"version": 0, "comment": "x" * 20_000},
]


def test_a_mark_that_does_not_fit_is_refused(desk: Running):
    cookie = enter(desk.links[0])
    _, headers, _ = ask(desk.host, "/next/hw3/3.7", cookie=cookie)
    path = headers["location"].replace("/grade/", "/api/mark/")
    for data in UNFIT:
        status, _, text = ask(
            desk.host,
            path,
            "POST",
            json.dumps(data),
            cookie=cookie,
            origin=f"http://{desk.host}",
            content_type="application/json",
        )
        assert status == 400, data
        assert "wanted" in text


def test_nothing_that_was_saved_is_lost_when_the_desk_is_killed(output: Path):
    desk = start(output, 1)
    cookie = enter(desk.links[0])
    keys = []
    for points in range(3):
        _, headers, _ = ask(desk.host, "/next/hw3/3.7", cookie=cookie)
        keys.append(headers["location"])
        data = json.dumps({"version": 0, "rubric": [1, 0, 0], "comment": f"remark {points}", "graded": True})
        path = keys[-1].replace("/grade/", "/api/mark/")
        status, _, _ = ask(
            desk.host,
            path,
            "POST",
            data,
            cookie=cookie,
            origin=f"http://{desk.host}",
            content_type="application/json",
        )
        assert status == 200
    desk.stop(signal.SIGKILL)
    assert len(set(keys)) == 3
    assert sorted(mark.comment for mark in Marks(output).all().values()) == [
        "remark 0",
        "remark 1",
        "remark 2",
    ]
    again = start(output, 1)
    said = again.stop()
    assert "report.html" in said
    row = next(csv.DictReader(io.StringIO((output / "grades.csv").read_text(encoding="utf-8"))))
    assert "written" in row
    graded = read_reports(output)
    assert sum(one.given for one in graded) == 9
    assert sum("remark" in feedback_page(one, None) for one in graded) == 3
