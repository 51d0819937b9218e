"""Regrade requests and overrides in manual grading: their pages, and what the pages' script calls.

Requests are text that students wrote. Whoever answers one may override points of its question; decision,
reply and points are kept together or not at all.
"""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from autograder.desk.asked import BadRequestError, Site, read_body, read_json
from autograder.desk.beside import question_text
from autograder.desk.stacks import Answer
from autograder.desk.views import OPEN, Pages
from autograder.files import plain_name, same_name
from autograder.grade import requests, staff
from autograder.grade.marks import ConflictError
from autograder.grade.overrides import Override, OverrideError, Overrides, made, parts
from autograder.grade.report import DECISIONS, WRITTEN_PART, Report
from autograder.report.shown import shown_check

STATES = {"open": "open", "answered": "answered", "all": "all"}
SUFFIXES = (".txt", ".md", ".csv", ".tsv")
NO_REQUEST = "There is no such request here."
MAX_FOUND = 50  # submissions that a search shows
WORDS = {"": "All checks together", WRITTEN_PART: "Free response"}


class Regrades(Site):
    """The list of requests, one request, the points of any question, and what these pages call."""

    def __init__(self, pages: Pages, lock: threading.Lock):
        super().__init__(pages.desk, pages.door)
        self.pages, self.lock = pages, lock

    @property
    def kept(self) -> requests.Requests:
        """The requests of the folder of results."""
        return requests.Requests(self.desk.output)

    # --- pages ----------------------------------------------------------------------------------------------

    def requests(self, request: Request) -> Response:
        """The requests, open ones alone unless others are asked for."""
        state = request.query_params.get("state", OPEN)
        every = self.kept.kept()
        chosen = [
            one for one in every if state == "all" or (one.request.decision == OPEN) is (state != "answered")
        ]
        return self.pages.render(
            "desk_requests.html.j2", request, rows=chosen, total=len(every), state=state, states=STATES
        )

    def request(self, request: Request) -> Response:
        """One request, with what it is about, and the form that answers it."""
        number = int(request.path_params["number"])
        every = self.kept.kept()
        one = next((kept for kept in every if kept.request.number == number), None)
        if one is None:
            raise BadRequestError(NO_REQUEST)
        about = self.desk.parts.get(self.desk.marks.key(one.submission, one.request.question))
        own = []  # without a question, those that the request may be about
        if about is None:
            own = [part for part in self.desk.parts.values() if part.report.submission == one.submission]
        waiting = [kept.request.number for kept in every if kept.request.decision == OPEN]
        after = [other for other in waiting if other > number] + [
            other for other in waiting if other < number
        ]
        return self.pages.render(
            "desk_points.html.j2",
            request,
            kept=one,
            own=own,
            waiting=len(waiting),
            decisions=DECISIONS[1:],
            next=f"/requests/{after[0]}" if after else "/requests",
            **(self._shown(about) if about else {}),
        )

    def find(self, request: Request) -> Response:
        """The submissions whose name holds some words, each with its questions."""
        text = " ".join(request.query_params.get("find", "").split())[:200]
        wanted = same_name(text)
        fitting = [one for one in self.desk.reports if text and wanted in same_name(one.submission)]
        found = {
            one.submission: [
                self.desk.parts[self.desk.marks.key(one.submission, question.id)]
                for question in one.questions
            ]
            for one in fitting[:MAX_FOUND]
        }
        more = len(fitting) - len(found)
        return self.pages.render("desk_find.html.j2", request, text=text, found=found, more=more)

    def points(self, request: Request) -> Response:
        """One question of one submission, and the form that overrides its points."""
        return self.pages.render("desk_points.html.j2", request, kept=None, **self._shown(self.part(request)))

    def _shown(self, part: Answer) -> dict[str, Any]:
        """What a page shows of a question: points as they are now, overrides, checks, the student's cells."""
        (report,) = staff.apply(self.desk.output, [part.report])
        result = next(one for one in report.questions if one.id == part.result.id)
        stack = self.desk.stacks.get((report.homework, result.id))
        return {
            "answer": part,
            "result": result,
            "parts": [(name, WORDS.get(name, name), most) for name, most in parts(result).items()],
            "graded_at": f"{stack.path}/{part.key}" if stack and part.key in stack.answers else "",
            "asked": question_text(report.homework, result.id),
            "checks": [shown_check(check, f"c{at}", "all") for at, check in enumerate(result.checks)],
            "beside": self.pages.shelf.beside(part),
        }

    # --- calls ----------------------------------------------------------------------------------------------

    async def take(self, request: Request) -> Response:
        """Imports the requests of a file: a text file holds one, a table one in each row."""
        self.grader(request)
        told = Path(request.query_params.get("name", ""))
        name = plain_name(told.stem, 100) + told.suffix.lower()
        if told.suffix.lower() not in SUFFIXES:
            raise BadRequestError(f"The name of a file of requests ends in {', '.join(SUFFIXES)}.")
        data = await read_body(request)
        words, failed = await run_in_threadpool(self._take, name, data)
        return JSONResponse({"error" if failed else "told": words}, 400 if failed else 200)

    def _take(self, name: str, data: bytes) -> tuple[str, bool]:
        """What was imported, in words, and whether nothing was."""
        reports = {report.submission: report for report in self.desk.reports}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name  # its stem may say whose request it is
            path.write_bytes(data)
            new, again, lost = requests.take([path], self.kept, reports, ())
        words = [line.replace(f"{folder}/", "") for line in lost[:20]]
        return "\n".join([requests.counted(new, again), *words]), bool(lost) and not new + again

    async def answer_request(self, request: Request) -> Response:
        """Keeps a decision with its reply and, where points are given, an override."""
        try:
            one = self.kept.one(int(request.path_params["number"]))
        except requests.RequestError:
            raise BadRequestError(NO_REQUEST) from None
        data = await read_json(request)
        decision, reply, seen = data.get("decision"), data.get("reply"), data.get("seen")
        if not isinstance(decision, str) or not isinstance(reply, str) or not isinstance(seen, str):
            raise BadRequestError("Choose a decision and write a reply.")
        by = self.grader(request).name
        part = self.desk.parts.get(self.desk.marks.key(one.submission, one.request.question))

        def work() -> None:
            with self.lock:
                wanted = None
                if data.get("points") is not None:
                    requests.refuse_points(decision)
                    if part is None:
                        raise OverrideError("this request is about no single question")
                    wanted = _override(part.report, part.result.id, data, reply, by)
                self.kept.answer(one.request.number, decision, reply, by, seen)
                if wanted is not None:
                    Overrides(self.desk.output).set(wanted)

        return await _done(work, "Saved. The student's page shows it after you publish.")

    async def override(self, request: Request) -> Response:
        """Overrides points of a question, or takes an override back."""
        part, by = self.part(request), self.grader(request).name
        data = await read_json(request)

        def work() -> None:
            with self.lock:
                kept = Overrides(self.desk.output)
                if data.get("undo") is not True:
                    why = data.get("why", "")
                    kept.set(
                        _override(part.report, part.result.id, data, why if isinstance(why, str) else "", by)
                    )
                elif not kept.take_back(part.report.submission, part.result.id, _named(data)):
                    raise OverrideError("there is no such override any more")

        return await _done(work, "Saved. Pages and grades.csv show it after you publish.")


def _named(data: Mapping[str, Any]) -> str:
    part = data.get("part")
    if not isinstance(part, str):
        raise BadRequestError("Choose what the points are for.")
    return part


def _override(report: Report, question: str, data: Mapping[str, Any], why: str, by: str) -> Override:
    points = data.get("points")
    if isinstance(points, bool) or not isinstance(points, int | float):
        raise BadRequestError("Points are wanted.")
    return made(report, question, _named(data), float(points), why, by)


async def _done(work: Callable[[], None], told: str) -> Response:
    """Runs what a call asks for; what cannot be done is said in words for the page."""
    try:
        await run_in_threadpool(work)
    except ConflictError as conflict:
        return JSONResponse({"error": str(conflict)}, 409)
    except (OverrideError, requests.RequestError) as problem:
        text = str(problem).partition(": --")[0]  # the options of the command line mean nothing here
        return JSONResponse({"error": f"Not saved: {text}."}, 400)
    return JSONResponse({"told": told})
