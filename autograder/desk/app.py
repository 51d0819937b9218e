"""The desk: a page on this machine where people grade written answers. See ``docs/written.md``.

Starlette on uvicorn, bound to 127.0.0.1; each printed link lets one browser in, once. Answers are hostile
HTML until
:mod:`autograder.report.safehtml` has cleaned them; a policy header lets no script run but our own file.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from starlette.routing import Route

from autograder.declare import Written
from autograder.grade import marks
from autograder.grade.report import QuestionResult, Report
from autograder.report import feedback as pages
from autograder.report import safehtml
from autograder.report import tables as report

HOST = "127.0.0.1"
MAX_BODY = 5_000_000
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri"
    " 'none'; form-action 'self'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Answer:
    """One written answer on the desk."""

    report: Report
    result: QuestionResult
    key: str

    @property
    def text(self) -> str:
        """What the student wrote."""
        return self.result.written or ""

    @property
    def words(self) -> int:
        """How many words that is."""
        return len(self.text.split())


@dataclass
class Grader:
    """Someone at the desk: a name for the record, and whether they see students' names."""

    name: str
    names_shown: bool = False


class Stack:
    """All answers to one question, in an order that tells nothing."""

    def __init__(self, homework: str, question: str, title: str, written: Written, answers: Sequence[Answer]):
        self.homework, self.question, self.title, self.written = homework, question, title, written
        self.answers = {answer.key: answer for answer in sorted(answers, key=lambda answer: answer.key)}
        self.order = list(self.answers)

    @property
    def path(self) -> str:
        """Where the question's pages lie."""
        return f"/grade/{self.homework}/{self.question}"

    def word_flag(self, answer: Answer) -> str:
        """What to say of an answer's length, empty if it is within bounds."""
        least, most = self.written.words
        if not answer.text:
            return "no answer"
        return (
            f"fewer than {least} words"
            if answer.words < least
            else f"more than {most} words"
            if answer.words > most
            else ""
        )


class Desk:
    """The state of one desk: the answers of a folder of results, their marks, and who is in."""

    def __init__(self, output: Path):
        self.output = output
        self.reports = report.read_reports(output)
        self.marks = marks.Marks(output)
        self.cookie = f"desk-{secrets.token_hex(4)}"
        self.links: set[str] = set()
        self.graders: dict[str, Grader] = {}
        self.stacks: dict[tuple[str, str], Stack] = {}
        for one in self.reports:
            for result in one.questions:
                if (written := marks.written_of(one.homework, result.id)) is not None and (
                    one.homework,
                    result.id,
                ) not in self.stacks:
                    answers = [
                        Answer(other, question, self.marks.key(other.submission, question.id))
                        for other in self.reports
                        if other.homework == one.homework
                        for question in other.questions
                        if question.id == result.id and question.written is not None
                    ]
                    self.stacks[one.homework, result.id] = Stack(
                        one.homework, result.id, result.title, written, answers
                    )
        self.stacks = dict(
            sorted(self.stacks.items(), key=lambda item: (item[0][0], [*map(_number, item[0][1].split("."))]))
        )

    def link(self) -> str:
        """A fresh token: it lets one browser in, once."""
        token = secrets.token_urlsafe(24)
        self.links.add(token)
        return token

    def admit(self, token: str) -> str | None:
        """Trades a token for a session; None if it is unknown or used."""
        if token not in self.links:
            return None
        self.links.discard(token)
        session = secrets.token_urlsafe(32)
        self.graders[session] = Grader(f"grader {len(self.graders) + 1}")
        return session

    def mark(self, answer: Answer) -> marks.Mark:
        """The mark of the present answer; a blank one if there is none, or only one for another answer."""
        blank = marks.Mark(answer.report.submission, answer.result.id, marks.digest(answer.text))
        found = self.marks.get(answer.report.submission, answer.result.id)
        if found is None:
            return blank
        return found if found.answer == blank.answer else replace(blank, version=found.version)

    def graded(self, stack: Stack) -> set[str]:
        """Keys of the answers that have points."""
        found = self.marks.all()
        done = set()
        for key, answer in stack.answers.items():
            mark = found.get((answer.report.submission, stack.question))
            if mark is not None and mark.points is not None and mark.answer == marks.digest(answer.text):
                done.add(key)
        return done

    def next_key(self, stack: Stack, grader: str, after: str | None) -> str | None:
        """The next answer without points that nobody else looks at, in order, beginning after one."""
        start = stack.order.index(after) + 1 if after in stack.answers else 0
        done = self.graded(stack)
        order = [key for key in stack.order[start:] + stack.order[:start] if key not in done and key != after]
        by_name = {stack.answers[key].report.submission: key for key in order}
        found = self.marks.claim(grader, stack.question, by_name)
        return by_name[found] if found is not None else None


def _number(part: str) -> tuple[int, str]:
    digits = "".join(letter for letter in part if letter.isdigit())
    return int(digits or 0), part


def mark_json(desk: Desk, stack: Stack, mark: marks.Mark) -> dict[str, Any]:
    """A mark as the page's script takes it, with the progress of the question."""
    return {
        "version": mark.version,
        "rubric": list(mark.rubric),
        "points": mark.points,
        "comment": mark.comment,
        "grader": mark.grader,
        "graded": len(desk.graded(stack)),
        "total": len(stack.answers),
    }


class _BadRequest(Exception):  # noqa: N818
    pass


async def _body(request: Request) -> bytes:
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY:
            raise _BadRequest("That is too much.")
    return data


async def _json(request: Request) -> Mapping[str, Any]:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise _BadRequest("JSON is wanted.")
    try:
        data = json.loads(await _body(request) or b"{}")
    except ValueError:
        raise _BadRequest("That is not JSON.") from None
    if not isinstance(data, dict):
        raise _BadRequest("A JSON object is wanted.")
    return data


def asked_mark(
    stack: Stack, answer: Answer, data: Mapping[str, Any], grader: str, now: marks.Mark
) -> marks.Mark:
    """The mark that a request asks for.

    Raises:
        _BadRequest: its parts do not fit the rubric.
    """
    version, comment, shares = data.get("version"), data.get("comment", ""), data.get("rubric")
    if type(version) is not int or not isinstance(comment, str) or len(comment) > marks.MAX_COMMENT:
        raise _BadRequest("A whole version and a comment that is not too long are wanted.")
    kept = now if now.answer == marks.digest(answer.text) else marks.Mark("", "", "")
    rubric, points = kept.rubric, kept.points
    if shares is not None:
        if (
            not isinstance(shares, list)
            or len(shares) != len(stack.written.rubric)
            or any(share not in (0, 0.5, 1) for share in shares)
        ):
            raise _BadRequest("One share of 0, 0.5 or 1 is wanted for each rubric item.")
        rubric = tuple(float(share) for share in shares)
        points = marks.rubric_points(stack.written, rubric)
    return marks.Mark(
        answer.report.submission,
        stack.question,
        marks.digest(answer.text),
        rubric,
        points,
        comment,
        grader,
        version,
    )


class Site:
    """The desk's pages and what its script calls."""

    def __init__(self, desk: Desk):
        self.desk = desk
        self.environment = safehtml.environment()
        self.css = (safehtml.TEMPLATES / "page.css").read_text(encoding="utf-8") + (
            safehtml.TEMPLATES / "desk.css"
        ).read_text(encoding="utf-8")

    def grader(self, request: Request) -> Grader | None:
        """Who asks, None if nobody who was let in."""
        return self.desk.graders.get(request.cookies.get(self.desk.cookie, ""))

    def stack(self, request: Request) -> Stack:
        """The question that a path names."""
        found = self.desk.stacks.get((request.path_params["homework"], request.path_params["question"]))
        if found is None:
            raise _BadRequest("There is no such question here.")
        return found

    def answer(self, request: Request) -> tuple[Stack, Answer]:
        """The answer that a path names."""
        stack = self.stack(request)
        found = stack.answers.get(request.path_params["key"])
        if found is None:
            raise _BadRequest("There is no such answer here.")
        return stack, found

    def render(self, name: str, request: Request, **values: Any) -> HTMLResponse:
        """A page."""
        return HTMLResponse(
            self.environment.get_template(name).render(desk=self.desk, grader=self.grader(request), **values)
        )

    # pages

    def home(self, request: Request) -> Response:
        """All questions with their progress."""
        stacks = [
            (stack, len(self.desk.graded(stack)), sum(not answer.text for answer in stack.answers.values()))
            for stack in self.desk.stacks.values()
        ]
        return self.render("desk_home.html.j2", request, stacks=stacks)

    def enter(self, request: Request) -> Response:
        """Trades the one-time token for a session."""
        session = self.desk.admit(request.query_params.get("token", ""))
        if session is None:
            return PlainTextResponse(
                "This link was used already, or is not of this desk. Ask for a new one.", 403
            )
        response = RedirectResponse("/", 303)
        response.set_cookie(self.desk.cookie, session, httponly=True, samesite="lax", path="/")
        return response

    def show(self, request: Request) -> Response:
        """One answer with its rubric."""
        stack, answer = self.answer(request)
        grader = self.grader(request)
        assert grader is not None
        at = stack.order.index(answer.key)
        return self.render(
            "desk_answer.html.j2",
            request,
            stack=stack,
            answer=answer,
            mark=self.desk.mark(answer),
            number=at + 1,
            graded=len(self.desk.graded(stack)),
            before=stack.order[at - 1],
            after=stack.order[(at + 1) % len(stack.order)],
            flag=stack.word_flag(answer),
            other=self.desk.marks.holder(answer.report.submission, stack.question, grader.name),
        )

    def forward(self, request: Request) -> Response:
        """On to the next answer without points."""
        stack = self.stack(request)
        grader = self.grader(request)
        assert grader is not None
        key = self.desk.next_key(stack, grader.name, request.query_params.get("after"))
        return RedirectResponse(f"{stack.path}/{key}" if key else "/?done=" + stack.question, 303)

    def style(self, _: Request) -> Response:
        """The style sheet."""
        return Response(self.css, media_type="text/css")

    def script(self, _: Request) -> Response:
        """The script."""
        return FileResponse(safehtml.TEMPLATES / "desk.js", media_type="text/javascript")

    def export(self, _: Request) -> Response:
        """All marks as CSV."""
        text = marks.to_csv(self.desk.output, self.desk.reports)
        return Response(
            text, media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="written.csv"'}
        )

    # what the script calls

    async def save(self, request: Request) -> Response:
        """Saves one mark."""
        stack, answer = self.answer(request)
        data = await _json(request)
        grader = self.grader(request)
        assert grader is not None

        def work() -> Response:
            now = self.desk.mark(answer)
            try:
                saved = self.desk.marks.save(asked_mark(stack, answer, data, grader.name, now))
            except marks.Conflict as conflict:
                return JSONResponse(
                    {"error": str(conflict), "mark": mark_json(self.desk, stack, self.desk.mark(answer))}, 409
                )
            return JSONResponse(mark_json(self.desk, stack, saved))

        return await run_in_threadpool(work)

    async def undo(self, request: Request) -> Response:
        """Takes back this grader's last change to a question."""
        stack = self.stack(request)
        await _json(request)
        grader = self.grader(request)
        assert grader is not None
        try:
            mark = await run_in_threadpool(self.desk.marks.undo, grader.name, stack.question)
        except marks.Conflict as conflict:
            return JSONResponse({"error": f"Not undone: {conflict}"}, 409)
        if mark is None:
            return JSONResponse({"error": "There is nothing to undo."}, 409)
        return JSONResponse({"key": self.desk.marks.key(mark.submission, stack.question)})

    async def blank(self, request: Request) -> Response:
        """Gives 0 points to every answer without a word that has no points yet."""
        stack = self.stack(request)
        await _json(request)
        grader = self.grader(request)
        assert grader is not None
        nothing = tuple(0.0 for _ in stack.written.rubric)

        def work() -> int:
            done = self.desk.graded(stack)
            empty = [answer for key, answer in stack.answers.items() if not answer.text and key not in done]
            made = [
                marks.Mark(
                    answer.report.submission,
                    stack.question,
                    marks.digest(""),
                    nothing,
                    0.0,
                    "No answer.",
                    grader.name,
                )
                for answer in empty
            ]
            return self.desk.marks.save_all(made)

        return JSONResponse({"told": f"{await run_in_threadpool(work)} empty answers got 0 points."})

    async def me(self, request: Request) -> Response:
        """Sets the grader's name, and whether students' names are shown."""
        data = await _json(request)
        grader = self.grader(request)
        assert grader is not None
        if isinstance(data.get("name"), str) and (name := " ".join(data["name"].split())[:60]):
            if any(other is not grader and other.name == name for other in self.desk.graders.values()):
                return JSONResponse({"error": f"{name} is at the desk already. Choose another name."}, 409)
            grader.name = name
        if isinstance(data.get("names"), bool):
            grader.names_shown = data["names"]
        return JSONResponse({"told": f"You are {grader.name}."})

    async def invite(self, request: Request) -> Response:
        """A link for another grader."""
        await _json(request)
        return JSONResponse({"link": f"http://{request.headers['host']}/enter?token={self.desk.link()}"})

    async def take_in(self, request: Request) -> Response:
        """Takes marks from CSV, all rows or none."""
        grader = self.grader(request)
        assert grader is not None
        try:
            text = (await _body(request)).decode("utf-8-sig")
            changed = await run_in_threadpool(
                marks.from_csv, self.desk.output, self.desk.reports, text, grader.name
            )
        except (UnicodeDecodeError, marks.ImportProblems) as problem:
            return JSONResponse({"error": f"Nothing was taken in. {problem}"}, 400)
        return JSONResponse({"told": f"{changed} marks changed."})

    async def publish(self, request: Request) -> Response:
        """Writes grades.csv, the feedback pages and the class report with the points given so far."""
        await _json(request)
        path = await run_in_threadpool(pages.publish, self.desk.output)
        return JSONResponse(
            {"told": f"Written: grades.csv, {len(self.desk.reports)} feedback pages and {path}."}
        )


def application(desk: Desk) -> Starlette:
    """The desk as an ASGI application."""
    site = Site(desk)
    question, answer = "/{homework}/{question}", "/{homework}/{question}/{key}"

    async def guard(request: Request, call_next: Callable[[Request], Any]) -> Response:
        origin = request.headers.get("origin")
        if request.url.path != "/enter" and site.grader(request) is None:
            response: Response = JSONResponse(
                {"error": "The desk does not know this browser. Open the link that it printed."}, 401
            )
        elif request.method != "GET" and (
            origin is None or urlsplit(origin).netloc != request.headers.get("host")
        ):
            response = JSONResponse({"error": "Only the desk's own pages may save."}, 403)
        else:
            response = await call_next(request)
        response.headers.update(
            {
                "Content-Security-Policy": POLICY,
                "X-Content-Type-Options": "nosniff",
                "Referrer-Policy": "no-referrer",
                "Cache-Control": "no-store",
                "Cross-Origin-Opener-Policy": "same-origin",
                "Cross-Origin-Resource-Policy": "same-origin",
            }
        )
        return response

    async def bad(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 400)

    return Starlette(
        routes=[
            Route("/", site.home),
            Route("/enter", site.enter),
            Route("/desk.css", site.style),
            Route("/desk.js", site.script),
            Route("/written.csv", site.export),
            Route(f"/next{question}", site.forward),
            Route(f"/grade{answer}", site.show),
            Route(f"/api/mark{answer}", site.save, methods=["POST"]),
            Route(f"/api/undo{question}", site.undo, methods=["POST"]),
            Route(f"/api/blank{question}", site.blank, methods=["POST"]),
            Route("/api/me", site.me, methods=["POST"]),
            Route("/api/invite", site.invite, methods=["POST"]),
            Route("/api/import", site.take_in, methods=["POST"]),
            Route("/api/publish", site.publish, methods=["POST"]),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"], www_redirect=False),
            Middleware(partial(BaseHTTPMiddleware, dispatch=guard)),
        ],
        exception_handlers={_BadRequest: bad},
    )


def serve(output: Path, *, port: int, graders: int, tell: Callable[[str], None]) -> None:
    """Opens the desk until it is interrupted.

    Args:
        output: the folder of results.
        port: on 127.0.0.1; 0 takes a free one.
        graders: how many links to print.
        tell: prints a line.

    Raises:
        OSError: the port is taken.
    """
    desk = Desk(output)
    listening = socket.create_server((HOST, port))
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    answers = sum(len(stack.answers) for stack in desk.stacks.values())
    config = uvicorn.Config(
        application(desk), log_level="warning", access_log=False, lifespan="off", server_header=False
    )
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises Ctrl-C again when it has closed
        tell(
            f"{answers} written answers to {len(desk.stacks)} questions. Each link lets one browser in, once:"
        )
        for _ in range(graders):
            tell(f"  {address}/enter?token={desk.link()}")
        tell("Stop with Ctrl-C; every click is saved at once.")
        uvicorn.Server(config).run(sockets=[listening])
