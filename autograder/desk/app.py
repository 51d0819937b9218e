"""Manual grading: pages where people grade written answers. See ``docs/written.md``.

Starlette on uvicorn; each printed link lets one browser in, once. Answers are hostile HTML until
:mod:`autograder.report.safehtml` has cleaned them; a policy header lets no script run but our own file.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from autograder.desk import certificate
from autograder.desk.address import HERE, Address, AddressError, host_of, listen, origin_of, reached
from autograder.desk.asked import BadRequestError
from autograder.desk.auth import ROLES, Door
from autograder.desk.calls import Calls
from autograder.desk.regrades import Regrades
from autograder.desk.stacks import Desk
from autograder.desk.staff_calls import NotAllowedError, StaffCalls
from autograder.desk.views import Pages
from autograder.report import safehtml

__all__ = ["AddressError", "application", "serve"]
People = Sequence[tuple[str, bool]]  # names, and whether they are head graders


def opened(address: Address) -> Door:
    """A door that nobody has a link to yet."""
    return Door(address, safehtml.environment("autograder.desk"))


def application(desk: Desk, door: Door) -> Starlette:
    """The grading page as an ASGI application."""
    lock = threading.Lock()
    pages, calls, staff = Pages(desk, door), Calls(desk, door, lock), StaffCalls(desk, door, lock)
    regrades = Regrades(pages, lock)
    question, answer = "/{homework}/{question}", "/{homework}/{question}/{key}"

    async def bad(request: Request, error: Exception) -> Response:
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": str(error)}, 400)
        return door.closed(404, problem=str(error))

    async def missing(_: Request, error: Exception) -> Response:
        return door.closed(404, problem="There is no page at this address.")

    async def not_allowed(_: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 403)

    return Starlette(
        routes=[
            Route("/", pages.home),
            Route("/enter", pages.enter),
            Route("/desk.css", pages.style),
            Route("/desk.js", pages.script),
            Route("/written.csv", pages.export),
            Route("/requests", regrades.requests),
            Route("/requests/{number:int}", regrades.request),
            Route("/points", regrades.find),
            Route(f"/points{answer}", regrades.points),
            Route(f"/next{question}", pages.forward),
            Route(f"/answers{question}", pages.answers),
            Route(f"/rubric{question}", pages.rubric),
            Route(f"/grade{answer}", pages.show),
            Route(f"/figure{answer}/{{number}}", pages.figure),
            Route(f"/api/mark{answer}", calls.save, methods=["POST"]),
            Route(f"/api/settle{answer}", calls.settle, methods=["POST"]),
            Route(f"/api/undo{question}", calls.undo, methods=["POST"]),
            Route(f"/api/blank{question}", calls.blank, methods=["POST"]),
            Route(f"/api/rubric{question}", staff.rubric, methods=["POST"]),
            Route(f"/api/snippet{question}", staff.snippet, methods=["POST"]),
            Route("/api/me", staff.me, methods=["POST"]),
            Route("/api/invite", staff.invite, methods=["POST"]),
            Route("/api/revoke", staff.revoke, methods=["POST"]),
            Route("/api/import", staff.take_in, methods=["POST"]),
            Route("/api/requests", regrades.take, methods=["POST"]),
            Route("/api/requests/{number:int}", regrades.answer_request, methods=["POST"]),
            Route(f"/api/override{answer}", regrades.override, methods=["POST"]),
            Route("/api/publish", staff.publish, methods=["POST"]),
        ],
        middleware=[Middleware(partial(BaseHTTPMiddleware, dispatch=door.guard))],
        exception_handlers={404: missing, BadRequestError: bad, NotAllowedError: not_allowed},
    )


def serve(
    output: Path,
    *,
    port: int,
    people: People,
    tell: Callable[[str], None],
    hosts: Sequence[str] = (),
    proxy: str = "",
) -> None:
    """Serves manual grading until it is interrupted.

    Args:
        output: the folder of results.
        port: on 127.0.0.1 and every host; 0 takes a free one.
        people: whom to print links for; an empty name lets the grader choose one.
        tell: prints a line.
        hosts: names and addresses of this machine by which other machines reach it; then all is TLS.
        proxy: the origin of a proxy on this machine that passes on to this server; empty if there is none.

    Raises:
        AddressError: the grading page cannot listen there, or not safely.
        FileNotFoundError: the folder holds no results.
    """
    names = list(dict.fromkeys(host_of(host) for host in hosts))
    proxied = origin_of(proxy) if proxy else ""
    secure = any(name not in (HERE, "localhost") for name in names)
    if proxied and secure:
        raise AddressError("--behind-proxy listens at 127.0.0.1 alone, where the proxy is; leave --host out.")
    desk = Desk(output)
    pem = certificate.certificate(output, [*names, HERE, "localhost"]) if secure else None
    sockets = listen(names, port)
    door = opened(reached(names, sockets[0].getsockname()[1], secure, proxied))
    answers = sum(len(stack.answers) for stack in desk.stacks.values())
    config = uvicorn.Config(
        application(desk, door),
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,  # nothing is decided by who a proxy says it is
        ssl_certfile=pem,
        ssl_keyfile=pem,
    )
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises Ctrl-C again when it has closed
        tell(
            f"{answers} written answers to {len(desk.stacks)} questions. Each link lets one browser in, once:"
        )
        for name, head in people:
            link = door.link(name, head)
            tell(f"  {link}" + (f"  {name}, {ROLES[head]}" if name else ""))
        if pem is not None:
            tell("Browsers warn about the self-signed certificate. Compare its SHA-256 fingerprint there:")
            tell(f"  {certificate.fingerprint(pem)}")
        tell("Stop with Ctrl-C; every click is saved at once.")
        uvicorn.Server(config).run(sockets=sockets)
