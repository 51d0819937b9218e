"""Manual grading: a page on this machine where people grade written answers. See ``docs/written.md``.

Starlette on uvicorn, bound to 127.0.0.1; each printed link lets one browser in, once. Answers are hostile
HTML until :mod:`autograder.report.safehtml` has cleaned them; a policy header lets no script run but our own
file.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from autograder.desk.asked import BadRequestError
from autograder.desk.auth import HOST, Door
from autograder.desk.calls import Calls
from autograder.desk.stacks import Desk
from autograder.desk.views import Pages


class PortTakenError(Exception):
    """The port cannot be used; the message says why."""


def application(desk: Desk, door: Door) -> Starlette:
    """Manual grading as an ASGI application."""
    pages, calls = Pages(desk, door), Calls(desk, door)
    question, answer = "/{homework}/{question}", "/{homework}/{question}/{key}"

    async def bad(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 400)

    return Starlette(
        routes=[
            Route("/", pages.home),
            Route("/enter", pages.enter),
            Route("/desk.css", pages.style),
            Route("/desk.js", pages.script),
            Route("/written.csv", pages.export),
            Route(f"/next{question}", pages.forward),
            Route(f"/grade{answer}", pages.show),
            Route(f"/api/mark{answer}", calls.save, methods=["POST"]),
            Route(f"/api/undo{question}", calls.undo, methods=["POST"]),
            Route(f"/api/blank{question}", calls.blank, methods=["POST"]),
            Route("/api/me", calls.me, methods=["POST"]),
            Route("/api/invite", calls.invite, methods=["POST"]),
            Route("/api/import", calls.take_in, methods=["POST"]),
            Route("/api/publish", calls.publish, methods=["POST"]),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"], www_redirect=False),
            Middleware(partial(BaseHTTPMiddleware, dispatch=door.guard)),
        ],
        exception_handlers={BadRequestError: bad},
    )


def serve(output: Path, *, port: int, graders: int, tell: Callable[[str], None]) -> None:
    """Serves the manual grading page until it is interrupted.

    Args:
        output: the folder of results.
        port: on 127.0.0.1; 0 takes a free one.
        graders: how many links to print.
        tell: prints a line.

    Raises:
        PortTakenError: the port cannot be used.
        FileNotFoundError: the folder holds no results.
    """
    desk, door = Desk(output), Door()
    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise PortTakenError(
            f"port {port}: {error.strerror}. Is manual grading open already? Try --port 0."
        ) from None
    address = f"http://{HOST}:{listening.getsockname()[1]}"
    answers = sum(len(stack.answers) for stack in desk.stacks.values())
    config = uvicorn.Config(
        application(desk, door), log_level="warning", access_log=False, lifespan="off", server_header=False
    )
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises Ctrl-C again when it has closed
        tell(f"{answers} written answers to {len(desk.stacks)} questions. Each link opens one browser, once:")
        for _ in range(graders):
            tell(f"  {address}/enter?token={door.link()}")
        tell("Every click is saved immediately. Press Ctrl-C to stop and write the grades.")
        uvicorn.Server(config).run(sockets=[listening])
