"""What the page's script calls beside grading: rubric, kept comments, names, links, files, publishing."""

from __future__ import annotations

import threading

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from autograder.desk.asked import BadRequestError, Site, asked_items, read_body, read_json
from autograder.desk.auth import Door, Grader
from autograder.desk.groups import LEAST, MOST
from autograder.desk.stacks import Desk
from autograder.grade import marks, marks_csv
from autograder.grade.exchange import ExchangeError
from autograder.grade.rubric import RubricError
from autograder.report.publish import publish

HEADS_ONLY = "Only a head grader may do that."


class NotAllowedError(Exception):
    """Somebody asks for what their role does not cover; the message is for them."""


class StaffCalls(Site):
    """What the page's script calls beside grading."""

    def __init__(self, desk: Desk, door: Door, lock: threading.Lock):
        super().__init__(desk, door)
        self.lock = lock

    def head(self, request: Request) -> Grader:
        """Who asks.

        Raises:
            NotAllowedError: it is no head grader.
        """
        grader = self.grader(request)
        if not grader.head:
            raise NotAllowedError(HEADS_ONLY)
        return grader

    async def rubric(self, request: Request) -> Response:
        """Edits a rubric; answers that were graded by it get their points anew."""
        grader, stack = self.head(request), self.stack(request)
        data = await read_json(request)
        items = asked_items(data)

        def work() -> Response:
            with self.lock:
                rubric = self.desk.rubric(stack)
                try:
                    if data.get("version") != rubric.version:
                        raise marks.ConflictError(
                            "Somebody edited this rubric in the meantime. Load it anew."
                        )
                    changed = self.desk.marks.edit(rubric, stack.question, items, grader.name)
                except marks.ConflictError as conflict:
                    return JSONResponse({"error": str(conflict)}, 409)
                except RubricError as problem:
                    return JSONResponse({"error": str(problem)}, 400)
            return JSONResponse({"told": f"Kept. Points of {len(changed)} graded answers changed."})

        return await run_in_threadpool(work)

    async def snippet(self, request: Request) -> Response:
        """Keeps a comment for the question's other answers, or drops one."""
        stack, grader = self.stack(request), self.grader(request)
        data = await read_json(request)
        text, drop = data.get("text"), data.get("drop")
        try:
            if isinstance(text, str):
                kept = await run_in_threadpool(
                    self.desk.marks.keep_snippet, stack.question, text, grader.name
                )
                told = "Kept." if kept else "This comment is kept already."
            elif type(drop) is int:
                await run_in_threadpool(self.desk.marks.drop_snippet, stack.question, drop)
                told = "Dropped."
            else:
                raise BadRequestError("A text to keep or a number to drop is wanted.")
        except RubricError as problem:
            return JSONResponse({"error": str(problem)}, 400)
        snippets = self.desk.marks.snippets(stack.question)
        return JSONResponse({"told": told, "snippets": [[one.number, one.text] for one in snippets]})

    async def me(self, request: Request) -> Response:
        """Sets what a grader sees, and the name of one whose link has none."""
        data = await read_json(request)
        grader = self.grader(request)
        if isinstance(data.get("name"), str) and (name := " ".join(data["name"].split())[:60]):
            if grader.named and name != grader.name:
                raise NotAllowedError(f"Your link was made for {grader.name}.")
            if not self.door.rename(grader, name):
                return JSONResponse({"error": f"{name} is the name of another grader. Choose another."}, 409)
        if isinstance(data.get("names"), bool):
            grader.names_shown = data["names"]
        if type(data.get("alike")) is int:
            grader.alike = min(max(data["alike"], LEAST), MOST)
        return JSONResponse({"told": f"You are {grader.name}."})

    async def invite(self, request: Request) -> Response:
        """A link for a grader, by name and role."""
        self.head(request)
        data = await read_json(request)
        name = data.get("name", "")
        if not isinstance(name, str):
            raise BadRequestError("A name is wanted.")
        link = self.door.link(name, data.get("head") is True)
        return JSONResponse({"link": link, "told": "The link is ready: copy it now."})

    async def revoke(self, request: Request) -> Response:
        """Ends the links and the sessions of a grader."""
        me = self.head(request)
        name = (await read_json(request)).get("name")
        if name == me.name:
            return JSONResponse({"error": "You cannot send yourself away."}, 400)
        if not isinstance(name, str) or not self.door.revoke(name):
            raise BadRequestError("There is nobody of that name here.")
        return JSONResponse({"told": f"{name} has no access any more. All marks stay."})

    async def take_in(self, request: Request) -> Response:
        """Takes marks from CSV, all rows or none, or a file that a grader's desk wrote."""
        grader = self.head(request)
        output, reports = self.desk.output, self.desk.reports
        try:
            text = (await read_body(request)).decode("utf-8-sig")
            if text.lstrip().startswith("{"):
                merged = await run_in_threadpool(self.desk.marks.merge, reports, text)
                told = [f"{merged.taken} marks imported.", *merged.conflicts[:20], *merged.left[:20]]
                return JSONResponse({"told": "\n".join(told)})
            changed = await run_in_threadpool(marks_csv.from_csv, output, reports, text, grader.name)
        except (UnicodeDecodeError, marks_csv.MarksCsvError, ExchangeError) as problem:
            return JSONResponse({"error": f"Nothing was imported. {problem}"}, 400)
        return JSONResponse({"told": f"{changed} marks changed."})

    async def publish(self, request: Request) -> Response:
        """Writes grades.csv, the feedback pages and the class report with the points given so far."""
        self.head(request)
        await read_json(request)
        path = await run_in_threadpool(publish, self.desk.output)
        return JSONResponse(
            {"told": f"Written: grades.csv, {len(self.desk.reports)} feedback pages and {path}."}
        )
