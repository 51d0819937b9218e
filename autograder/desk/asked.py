"""What a request asks for, read and checked: a question, an answer, bounded JSON, what fits the rubric."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from autograder.desk.auth import Door, Grader
from autograder.desk.stacks import Answer, Desk, Stack
from autograder.grade import marks
from autograder.grade.rubric import Rubric

MAX_BODY = 5_000_000


class BadRequestError(Exception):
    """A request that cannot be met; the message is for the person on the grading page."""


async def read_body(request: Request) -> bytes:
    """A request's body.

    Raises:
        BadRequestError: it is too large.
    """
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY:
            raise BadRequestError("That is too much.")
    return data


async def read_json(request: Request) -> Mapping[str, Any]:
    """The JSON object that a request carries.

    Raises:
        BadRequestError: it carries none.
    """
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise BadRequestError("JSON is wanted.")
    try:
        data = json.loads(await read_body(request) or b"{}")
    except ValueError:
        raise BadRequestError("That is not JSON.") from None
    if not isinstance(data, dict):
        raise BadRequestError("A JSON object is wanted.")
    return data


def asked_mark(
    stack: Stack,
    answer: Answer,
    data: Mapping[str, Any],
    grader: str,
    now: marks.Mark,
    rubric: Rubric | None = None,
) -> marks.Mark:
    """The mark that a request asks for.

    It has points only if the request says that the answer is ``graded``, or if it was and its rubric shares
    stay as they are; else it is a draft.

    Raises:
        BadRequestError: its parts do not fit the rubric.
    """
    holds = rubric or stack.declared
    version, comment, shares = data.get("version"), data.get("comment", ""), data.get("rubric")
    if type(version) is not int or not isinstance(comment, str) or len(comment) > marks.MAX_COMMENT:
        raise BadRequestError("A whole version and a comment that is not too long are wanted.")
    kept = now if now.answer == marks.digest(answer.result.answer) else marks.Mark("", "", "")
    given, points = kept.rubric, kept.points
    if shares is not None:
        if (
            not isinstance(shares, list)
            or len(shares) > len(holds.items)
            or any(type(share) not in (int, float) or share not in (0, 0.5, 1) for share in shares)
            or (len(shares) < len(holds.items) and data.get("graded"))
        ):
            raise BadRequestError("One share of 0, 0.5 or 1 is wanted for each rubric item.")
        made = holds.fitted(tuple(float(share) for share in shares)) if shares else ()
        if not given or made != holds.fitted(given):
            given, points = made, None
    if data.get("graded") is True:
        if not given and points is None:
            raise BadRequestError("Nothing is chosen yet: points are wanted for the rubric's items.")
        points = holds.points(given) if given else points
    elif data.get("graded") is False:
        points = None
    flagged = data.get("flagged", kept.flagged)
    if not isinstance(flagged, bool):
        raise BadRequestError("A flag that is true or false is wanted.")
    return marks.Mark(
        answer.report.submission,
        stack.question,
        marks.digest(answer.result.answer),
        given,
        points,
        comment,
        grader,
        version,
        flagged,
    )


def asked_items(data: Mapping[str, Any]) -> list[tuple[str, float]]:
    """The rubric items that a request asks for.

    Raises:
        BadRequestError: they are none.
    """
    items = data.get("items")
    if not isinstance(items, list) or not all(
        isinstance(item, list)
        and len(item) == 2
        and isinstance(item[0], str)
        and type(item[1]) in (int, float)
        for item in items
    ):
        raise BadRequestError("Words and points of each rubric item are wanted.")
    return [(words, float(points)) for words, points in items]


def asked_keys(stack: Stack, data: Mapping[str, Any]) -> dict[str, int]:
    """The answers of a group that a request names, each with the version of the mark that was seen.

    Raises:
        BadRequestError: one of them is none of this question.
    """
    alike = data.get("alike", {})
    if not isinstance(alike, dict) or any(
        key not in stack.answers or type(version) is not int for key, version in alike.items()
    ):
        raise BadRequestError("Answers to this question, with their versions, are wanted.")
    return alike


class Site:
    """What a request is about: a question, an answer, and who asks."""

    def __init__(self, desk: Desk, door: Door):
        self.desk, self.door = desk, door

    def grader(self, request: Request) -> Grader:
        """Who asks; nobody else gets this far."""
        found = self.door.grader(request)
        assert found is not None
        return found

    def stack(self, request: Request) -> Stack:
        """The question that a path names."""
        found = self.desk.stacks.get((request.path_params["homework"], request.path_params["question"]))
        if found is None:
            raise BadRequestError("There is no such question here.")
        return found

    def part(self, request: Request) -> Answer:
        """The question of a submission that a path names, with or without a written answer."""
        names = request.path_params
        found = self.desk.parts.get(names["key"])
        if found is None or (found.report.homework, found.result.id) != (
            names["homework"],
            names["question"],
        ):
            raise BadRequestError("There is no such question here.")
        return found

    def answer(self, request: Request) -> tuple[Stack, Answer]:
        """The answer that a path names."""
        stack = self.stack(request)
        found = stack.answers.get(request.path_params["key"])
        if found is None:
            raise BadRequestError("There is no such answer here.")
        return stack, found
