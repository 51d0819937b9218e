"""What the page's script calls to grade: saving marks, groups of them, undo, a choice between two marks."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from autograder.desk.asked import BadRequestError, Site, asked_keys, asked_mark, read_json
from autograder.desk.auth import Door
from autograder.desk.stacks import Answer, Desk, Stack
from autograder.grade import marks


def mark_json(mark: marks.Mark) -> dict[str, Any]:
    """A mark as the page's script takes it."""
    return {
        "version": mark.version,
        "rubric": list(mark.rubric),
        "points": mark.points,
        "comment": mark.comment,
        "grader": mark.grader,
        "flagged": mark.flagged,
        "draft": mark.draft,
    }


def saved_json(desk: Desk, stack: Stack, mark: marks.Mark) -> dict[str, Any]:
    """A mark, with the progress of its question."""
    return {**mark_json(mark), "graded": len(desk.graded(stack)), "total": len(stack.answers)}


class Calls(Site):
    """What the page's script calls to grade."""

    def __init__(self, desk: Desk, door: Door, lock: threading.Lock):
        super().__init__(desk, door)
        self.lock = lock  # so that no mark is made by a rubric that is edited in between

    async def save(self, request: Request) -> Response:
        """Saves one mark, and the same for the answers of its group that the request names."""
        stack, answer = self.answer(request)
        data = await read_json(request)
        others = asked_keys(stack, data)
        grader = self.grader(request)

        def work() -> Response:
            with self.lock:
                return self._save(stack, answer, data, others, grader.name)

        return await run_in_threadpool(work)

    def _save(
        self, stack: Stack, answer: Answer, data: Mapping[str, Any], others: dict[str, int], grader: str
    ) -> Response:
        rubric, now = self.desk.rubric(stack), self.desk.mark(answer)
        edited = "rubric_version" in data and data["rubric_version"] != rubric.version
        if edited:  # what was chosen is kept, and graded by the items that hold now
            data = {**data, "graded": None}
        asked = asked_mark(stack, answer, data, grader, now, rubric)
        if now.version == asked.version and now.says(asked):
            saved = now
        else:
            try:
                saved = self.desk.marks.save(asked)
            except marks.ConflictError as conflict:
                theirs = saved_json(self.desk, stack, now)
                return JSONResponse({"error": str(conflict), "mark": theirs}, 409)
        left = 0
        if saved.points is not None and data.get("graded") is True:
            left = sum(
                not self._same_for(stack, stack.answers[key], version, saved)
                for key, version in others.items()
                if key != answer.key
            )
        made = saved_json(self.desk, stack, saved)
        return JSONResponse({**made, "left": left, "edited": edited})

    def _same_for(self, stack: Stack, answer: Answer, version: int, given: marks.Mark) -> bool:
        """Gives another answer the same mark; False if somebody changed or graded it in the meantime."""
        now = self.desk.mark(answer)
        if now.points is not None or now.version != version:
            return False
        made = marks.Mark(
            answer.report.submission,
            stack.question,
            marks.digest(answer.result.answer),
            given.rubric,
            given.points,
            given.comment,
            given.grader,
            version,
            now.flagged,
        )
        try:
            self.desk.marks.save(made)
        except marks.ConflictError:
            return False
        return True

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

    async def settle(self, request: Request) -> Response:
        """Chooses one of two marks that graders gave in different places."""
        stack, answer = self.answer(request)
        data = await read_json(request)
        grader = self.grader(request)
        number, take = data.get("rival"), data.get("take")
        known = {one.number for one in self.desk.rivals(stack).get(answer.key, [])}
        if number not in known or not isinstance(take, bool):
            raise BadRequestError("There is no such mark to choose; it may be settled already.")
        await run_in_threadpool(self.desk.marks.settle, int(number), grader.name, take)
        return JSONResponse({"told": "The other mark counts now." if take else "The mark here stays."})

    async def blank(self, request: Request) -> Response:
        """Gives 0 points to every blank answer without points or draft, never to one that was not found."""
        stack = self.stack(request)
        await read_json(request)
        grader = self.grader(request)
        nothing = tuple(0.0 for _ in self.desk.rubric(stack).items)

        def work() -> int:
            found = self.desk.found(stack)
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
                for key, answer in stack.answers.items()
                if answer.blank and found[key].points is None and not found[key].draft
            ]
            return self.desk.marks.save_all(made)

        return JSONResponse({"told": f"{await run_in_threadpool(work)} empty answers got 0 points."})
