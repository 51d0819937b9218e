"""What a request asks for, read and checked: a question, an answer, bounded JSON, a mark that fits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from autograder.desk.auth import Door, Grader
from autograder.desk.stacks import Answer, Desk, Stack
from autograder.grade import marks

MAX_BODY = 5_000_000


class BadRequestError(Exception):
    """A request that cannot be met; the message is for the grader."""


async def read_body(request: Request) -> bytes:
    """A request's body.

    Raises:
        BadRequestError: it is too large.
    """
    data = b""
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY:
            raise BadRequestError("The request is too large.")
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
        raise BadRequestError("The request is not JSON.") from None
    if not isinstance(data, dict):
        raise BadRequestError("The request must be a JSON object.")
    return data


def asked_mark(
    stack: Stack, answer: Answer, data: Mapping[str, Any], grader: str, now: marks.Mark
) -> marks.Mark:
    """The mark that a request asks for.

    Raises:
        BadRequestError: its parts do not fit the rubric.
    """
    version, comment, shares = data.get("version"), data.get("comment", ""), data.get("rubric")
    if type(version) is not int or not isinstance(comment, str) or len(comment) > marks.MAX_COMMENT:
        raise BadRequestError("The request needs a whole version number and a comment that is not too long.")
    kept = now if now.answer == marks.digest(answer.result.answer) else marks.Mark("", "", "")
    rubric, points = kept.rubric, kept.points
    if shares is not None:
        if (
            not isinstance(shares, list)
            or len(shares) != len(stack.written.rubric)
            or any(share not in (0, 0.5, 1) for share in shares)
        ):
            raise BadRequestError("The request needs a share of 0, 0.5 or 1 for each rubric item.")
        rubric = tuple(float(share) for share in shares)
        points = marks.rubric_points(stack.written, rubric)
    return marks.Mark(
        answer.report.submission,
        stack.question,
        marks.digest(answer.result.answer),
        rubric,
        points,
        comment,
        grader,
        version,
    )


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
            raise BadRequestError("This question does not exist here.")
        return found

    def answer(self, request: Request) -> tuple[Stack, Answer]:
        """The answer that a path names."""
        stack = self.stack(request)
        found = stack.answers.get(request.path_params["key"])
        if found is None:
            raise BadRequestError("This answer does not exist here.")
        return stack, found
