"""A desk in this process, without a server: requests go straight to its application."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from autograder.desk.address import Address
from autograder.desk.app import application, opened
from autograder.desk.stacks import Desk
from autograder.grade.marks import Mark
from tests import example_results

ITEMS = [
    ["Says where design and training agree", 3.0],
    ["Explains the change of basis", 4.0],
    ["Gives the cause", 3.0],
]
_made: list[Path] = []


def results(tmp_path: Path, factory: pytest.TempPathFactory) -> Path:
    """A copy of a folder of results that is made once in a process."""
    if not _made:
        folder = factory.mktemp("results")
        with pytest.MonkeyPatch.context() as patch:
            example_results.write_pages_here(patch)
            example_results.write(folder)
        _made.append(folder)
    return Path(shutil.copytree(_made[0], tmp_path / "out"))


class InProcess:
    """A desk, and what its browsers would get."""

    def __init__(self, output: Path, address: Address | None = None):
        self.desk = Desk(output)
        self.door = opened(address or Address(("http://127.0.0.1:8765",)))
        self.app = application(self.desk, self.door)
        self.origin = self.door.address.origin

    def ask(self, path: str, method: str = "GET", body: str = "", **headers: str) -> tuple[int, dict, str]:
        """Status, headers and text of an answer; host and origin are the grading page's own if left out."""
        parts = urlsplit(path)
        usual = {"host": urlsplit(self.origin).netloc}
        if method == "POST":
            usual |= {"origin": self.origin, "content_type": "application/json"}
        given = {name.replace("_", "-"): value for name, value in {**usual, **headers}.items() if value}
        scope = {
            "type": "http", "http_version": "1.1", "method": method, "path": parts.path, "scheme": "http",
            "raw_path": parts.path.encode(), "query_string": parts.query.encode(), "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8765),
        }  # fmt: skip
        sent: list[dict] = []
        parts_left = [{"type": "http.request", "body": body.encode(), "more_body": False}]

        async def receive() -> dict:
            if parts_left:
                return parts_left.pop()
            await asyncio.sleep(60)
            return {"type": "http.disconnect"}

        async def send(message: dict) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        found = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
        data = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], found, data.decode("utf-8", "replace")

    def enter(self, name: str = "", head: bool = False) -> Browser:
        """Makes a link and uses it."""
        link = urlsplit(self.door.link(name, head))
        status, headers, _ = self.ask(f"{link.path}?{link.query}")
        assert status == 303
        return Browser(self, headers["set-cookie"])


class Browser:
    """Somebody on the grading page."""

    def __init__(self, desk: InProcess, set_cookie: str):
        self.desk, self.set_cookie = desk, set_cookie
        self.cookie = set_cookie.partition(";")[0]

    def get(self, path: str) -> str:
        """A page."""
        status, headers, text = self.desk.ask(path, cookie=self.cookie)
        assert status in (200, 303), (status, text)
        return headers["location"] if status == 303 else text

    def post(self, path: str, data: object = None, **headers: str) -> tuple[int, dict]:
        """What the page's script would get."""
        body = data if isinstance(data, str) else json.dumps(data if data is not None else {})
        status, _, text = self.desk.ask(path, "POST", body, cookie=self.cookie, **headers)
        return status, json.loads(text)


def key_of(here: InProcess, submission: str) -> str:
    return here.desk.marks.key(submission, "3.7")


def given(here: InProcess, submission: str) -> Mark | None:
    return here.desk.marks.get(submission, "3.7")


def grade(who: Browser, submission: str, **data: object) -> tuple[int, dict]:
    """Saves a mark on top of the saved one."""
    kept = given(who.desk, submission)
    asked = {"version": kept.version if kept else 0, "comment": "", **data}
    return who.post(f"/api/mark/hw3/3.7/{key_of(who.desk, submission)}", asked)


@pytest.fixture
def output(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return results(tmp_path, tmp_path_factory)


@pytest.fixture
def here(output: Path) -> InProcess:
    return InProcess(output)


@pytest.fixture
def ann(here: InProcess) -> Browser:
    return here.enter("Ann", head=True)
