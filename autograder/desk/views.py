"""The pages of manual grading: questions with their progress, an answer with its rubric, style, script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response

from autograder.desk.asked import Site
from autograder.desk.auth import Door
from autograder.desk.stacks import Desk
from autograder.grade.marks_csv import to_csv
from autograder.report import safehtml

TEMPLATES = Path(__file__).parent / "templates"


class Pages(Site):
    """The pages of manual grading, and what they load."""

    def __init__(self, desk: Desk, door: Door):
        super().__init__(desk, door)
        self.environment = safehtml.environment("autograder.desk")
        sheets = (safehtml.TEMPLATES / "page.css", TEMPLATES / "desk.css")
        self.css = "".join(sheet.read_text(encoding="utf-8") for sheet in sheets)

    def render(self, name: str, request: Request, **values: Any) -> HTMLResponse:
        """A page."""
        return HTMLResponse(
            self.environment.get_template(name).render(
                desk=self.desk, grader=self.door.grader(request), **values
            )
        )

    def home(self, request: Request) -> Response:
        """All questions with their progress."""
        stacks = []
        for stack in self.desk.stacks.values():
            done = self.desk.graded(stack)
            blank = sum(answer.blank and key not in done for key, answer in stack.answers.items())
            lost = sum(answer.lost and key not in done for key, answer in stack.answers.items())
            stacks.append((stack, len(done), blank, lost))
        return self.render("desk_home.html.j2", request, stacks=stacks)

    def enter(self, request: Request) -> Response:
        """Trades the one-time token for a session."""
        session = self.door.admit(request.query_params.get("token", ""))
        if session is None:
            return PlainTextResponse(
                "This link was used already, or belongs to another session. Ask for a new one.", 403
            )
        response = RedirectResponse("/", 303)
        response.set_cookie(self.door.cookie, session, httponly=True, samesite="lax", path="/")
        return response

    def show(self, request: Request) -> Response:
        """One answer with its rubric."""
        stack, answer = self.answer(request)
        grader = self.grader(request)
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
        key = self.desk.next_key(stack, grader.name, request.query_params.get("after"))
        return RedirectResponse(f"{stack.path}/{key}" if key else "/?done=" + stack.question, 303)

    def style(self, _: Request) -> Response:
        """The style sheet."""
        return Response(self.css, media_type="text/css")

    def script(self, _: Request) -> Response:
        """The script."""
        return FileResponse(TEMPLATES / "desk.js", media_type="text/javascript")

    def export(self, _: Request) -> Response:
        """All marks as CSV."""
        text = to_csv(self.desk.output, self.desk.reports)
        return Response(
            text, media_type="text/csv", headers={"Content-Disposition": 'attachment; filename="written.csv"'}
        )
