"""The pages: the questions, a question's answers, one answer with its rubric, and what they load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from autograder.desk.asked import BadRequestError, Site
from autograder.desk.auth import Door
from autograder.desk.beside import Shelf, question_text
from autograder.desk.filters import ORDERS, STATES, Filter
from autograder.desk.groups import LEAST, MOST, alike, differences
from autograder.desk.stacks import Answer, Desk, Stack
from autograder.grade.marks import Mark
from autograder.grade.marks_csv import to_csv
from autograder.grade.report import DECISIONS
from autograder.grade.requests import Requests
from autograder.report import safehtml
from autograder.report.shown import shown_check

TEMPLATES = Path(__file__).parent / "templates"
OPEN = DECISIONS[0]
MAX_ALIKE = 60  # answers of a group that are shown with their differences


class Pages(Site):
    """The grading page's pages, and what they load."""

    def __init__(self, desk: Desk, door: Door):
        super().__init__(desk, door)
        self.environment = door.environment
        self.shelf = Shelf(desk)
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
            found = self.desk.found(stack)
            stacks.append(
                {
                    "stack": stack,
                    "graded": sum(mark.points is not None for mark in found.values()),
                    "drafts": sum(mark.draft for mark in found.values()),
                    "flagged": sum(mark.flagged for mark in found.values()),
                    "rivals": len(self.desk.rivals(stack)),
                    "empty": sum(
                        answer.blank and found[key].points is None and not found[key].draft
                        for key, answer in stack.answers.items()
                    ),
                    "lost": sum(
                        answer.lost and found[key].points is None for key, answer in stack.answers.items()
                    ),
                }
            )
        people = [(one, self.door.state(one)) for one in self.door.people.values()]
        asked = [one.request.decision for one in Requests(self.desk.output).kept()]
        return self.render(
            "desk_home.html.j2",
            request,
            stacks=stacks,
            people=people,
            origin=self.door.address.origin,
            requests=len(asked),
            open_requests=asked.count(OPEN),
        )

    def enter(self, request: Request) -> Response:
        """Trades the one-time token for a session."""
        session = self.door.admit(request.query_params.get("token", ""))
        if session is None:
            return self.door.closed(403, used=True)
        response = RedirectResponse("/", 303)
        response.set_cookie(
            self.door.cookie,
            session,
            httponly=True,
            samesite="lax",
            path="/",
            secure=self.door.address.secure,
        )
        return response

    def answers(self, request: Request) -> Response:
        """A question's answers, as far as they fit what is asked for."""
        stack = self.stack(request)
        found = self.desk.found(stack)
        rivals = frozenset(self.desk.rivals(stack))
        wanted = Filter.of(request.query_params)
        keys = wanted.select(stack, found, rivals)
        return self.render(
            "desk_list.html.j2",
            request,
            stack=stack,
            rubric=self.desk.rubric(stack),
            wanted=wanted,
            rows=[(stack.answers[key], found[key], stack.order.index(key) + 1) for key in keys],
            rivals=rivals,
            states=STATES,
            orders=ORDERS,
            graders=sorted({mark.grader for mark in found.values() if mark.grader}),
        )

    def rubric(self, request: Request) -> Response:
        """A question's rubric, to be edited, with what edits did."""
        stack = self.stack(request)
        keys = {answer.report.submission: key for key, answer in stack.answers.items()}
        return self.render(
            "desk_rubric.html.j2",
            request,
            stack=stack,
            rubric=self.desk.rubric(stack),
            edits=self.desk.marks.edits(stack.question),
            keys=keys,
            numbers={key: number for number, key in enumerate(stack.order, 1)},
        )

    def show(self, request: Request) -> Response:
        """One answer with its rubric."""
        stack, answer = self.answer(request)
        grader = self.grader(request)
        found = self.desk.found(stack)
        rivals = self.desk.rivals(stack)
        wanted = Filter.of(request.query_params)
        keys = wanted.select(stack, found, frozenset(rivals))
        if answer.key not in keys:  # graded a moment ago, or opened by itself
            keys = [key for key in stack.order if key in {*keys, answer.key}] if not wanted.order else keys
        at = keys.index(answer.key) if answer.key in keys else -1
        others = [keys[at - 1], keys[(at + 1) % len(keys)]] if keys else [answer.key] * 2
        return self.render(
            "desk_answer.html.j2",
            request,
            stack=stack,
            rubric=self.desk.rubric(stack),
            answer=answer,
            result=answer.result,
            mark=found[answer.key],
            wanted=wanted,
            among=len(keys),
            number=stack.order.index(answer.key) + 1,
            graded=sum(mark.points is not None for mark in found.values()),
            before=others[0],
            after=others[1],
            flag=stack.word_flag(answer),
            other=self.desk.marks.holder(answer.report.submission, stack.question, grader.name),
            rivals=rivals.get(answer.key, []),
            alike=self._alike(stack, answer, grader.alike, found),
            least=LEAST,
            most=MOST,
            snippets=self.desk.marks.snippets(stack.question),
            asked=question_text(stack.homework, stack.question),
            checks=[
                shown_check(check, f"c{number}", "all") for number, check in enumerate(answer.result.checks)
            ],
            beside=self.shelf.beside(answer),
        )

    def _alike(
        self, stack: Stack, answer: Answer, percent: int, found: dict[str, Mark]
    ) -> list[dict[str, Any]]:
        """The other answers of the group, with what each says differently."""
        keys = alike(stack.groups(percent), answer.key)
        return [
            {
                "key": key,
                "answer": stack.answers[key],
                "mark": found[key],
                "number": stack.order.index(key) + 1,
                "pieces": differences(answer.text, stack.answers[key].text) if at < MAX_ALIKE else None,
            }
            for at, key in enumerate(keys)
        ]

    def figure(self, request: Request) -> Response:
        """A figure of the student's, written anew."""
        answer = self.part(request)
        try:
            data = self.shelf.figure(answer, int(request.path_params["number"]))
        except ValueError:
            data = None
        if data is None:
            raise BadRequestError("There is no such figure here.")
        kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
        return Response(data, media_type=kind)

    def forward(self, request: Request) -> Response:
        """On to the next answer without points."""
        stack = self.stack(request)
        grader = self.grader(request)
        wanted = Filter.of(request.query_params)
        among = None
        after = request.query_params.get("after")
        if wanted.query:
            keys = wanted.select(stack, self.desk.found(stack), frozenset(self.desk.rivals(stack)))
            # the one that was graded just now may not fit any more: go on from its place
            among = keys if after in keys or wanted.order else [k for k in stack.order if k in {*keys, after}]
        key = self.desk.next_key(stack, grader.name, after, among)
        if key is None:
            return RedirectResponse(f"/?done={stack.question}", 303)
        return RedirectResponse(f"{stack.path}/{key}{wanted.query}", 303)

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
