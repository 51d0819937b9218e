"""What the page's script calls: saving marks, undo, a grader's name, links, CSV, publishing."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from autograder.desk.asked import Site, asked_mark, read_body, read_json
from autograder.desk.stacks import Desk, Stack
from autograder.grade import marks, marks_csv
from autograder.report.publish import publish


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


class Calls(Site):
    """What the page's script calls."""

    async def save(self, request: Request) -> Response:
        """Saves one mark."""
        stack, answer = self.answer(request)
        data = await read_json(request)
        grader = self.grader(request)

        def work() -> Response:
            now = self.desk.mark(answer)
            try:
                saved = self.desk.marks.save(asked_mark(stack, answer, data, grader.name, now))
            except marks.ConflictError as conflict:
                return JSONResponse(
                    {"error": str(conflict), "mark": mark_json(self.desk, stack, self.desk.mark(answer))}, 409
                )
            return JSONResponse(mark_json(self.desk, stack, saved))

        return await run_in_threadpool(work)

    async def undo(self, request: Request) -> Response:
        """Takes back this grader's last change to a question."""
        stack = self.stack(request)
        await read_json(request)
        grader = self.grader(request)
        try:
            mark = await run_in_threadpool(self.desk.marks.undo, grader.name, stack.question)
        except marks.ConflictError as conflict:
            return JSONResponse({"error": f"Not undone: {conflict}"}, 409)
        if mark is None:
            return JSONResponse({"error": "There is nothing to undo."}, 409)
        return JSONResponse({"key": self.desk.marks.key(mark.submission, stack.question)})

    async def blank(self, request: Request) -> Response:
        """Gives 0 points to every blank answer that has no points yet, never to one that was not found."""
        stack = self.stack(request)
        await read_json(request)
        grader = self.grader(request)
        nothing = tuple(0.0 for _ in stack.written.rubric)

        def work() -> int:
            done = self.desk.graded(stack)
            empty = [answer for key, answer in stack.answers.items() if answer.blank and key not in done]
            made = [
                marks.Mark(
                    answer.report.submission,
                    stack.question,
                    marks.digest(answer.result.answer),
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
        data = await read_json(request)
        grader = self.grader(request)
        if isinstance(data.get("name"), str) and (name := " ".join(data["name"].split())[:60]):
            if any(other is not grader and other.name == name for other in self.door.graders.values()):
                return JSONResponse({"error": f"{name} is the name of another grader. Choose another."}, 409)
            grader.name = name
        if isinstance(data.get("names"), bool):
            grader.names_shown = data["names"]
        return JSONResponse({"told": f"You are {grader.name}."})

    async def invite(self, request: Request) -> Response:
        """A link for another grader."""
        await read_json(request)
        return JSONResponse({"link": f"http://{request.headers['host']}/enter?token={self.door.link()}"})

    async def take_in(self, request: Request) -> Response:
        """Takes marks from CSV, all rows or none."""
        grader = self.grader(request)
        try:
            text = (await read_body(request)).decode("utf-8-sig")
            changed = await run_in_threadpool(
                marks_csv.from_csv, self.desk.output, self.desk.reports, text, grader.name
            )
        except (UnicodeDecodeError, marks_csv.MarksCsvError) as problem:
            return JSONResponse({"error": f"Nothing was imported. {problem}"}, 400)
        return JSONResponse({"told": f"{changed} marks changed."})

    async def publish(self, request: Request) -> Response:
        """Writes grades.csv, the feedback pages and the class report with the points given so far."""
        await read_json(request)
        path = await run_in_threadpool(publish, self.desk.output)
        return JSONResponse(
            {"told": f"Written: grades.csv, {len(self.desk.reports)} feedback pages and {path}."}
        )
