"""Who may open the manual grading page, and what every answer of the server carries to keep others out."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

HOST = "127.0.0.1"
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri"
        " 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass
class Grader:
    """A grader: a name for the record, and whether they see students' names."""

    name: str
    names_shown: bool = False


class Door:
    """The links that were given out, and who came in by them."""

    def __init__(self) -> None:
        self.cookie = f"desk-{secrets.token_hex(4)}"
        self.links: set[str] = set()
        self.graders: dict[str, Grader] = {}

    def link(self) -> str:
        """A fresh token: it lets one browser in, once."""
        token = secrets.token_urlsafe(24)
        self.links.add(token)
        return token

    def admit(self, token: str) -> str | None:
        """Trades a token for a session; None if it is unknown or used."""
        if token not in self.links:
            return None
        self.links.discard(token)
        session = secrets.token_urlsafe(32)
        self.graders[session] = Grader(f"grader {len(self.graders) + 1}")
        return session

    def grader(self, request: Request) -> Grader | None:
        """Who asks, None if nobody who was let in."""
        return self.graders.get(request.cookies.get(self.cookie, ""))

    async def guard(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Answers strangers and other sites' pages with an error, all others with what they ask for."""
        origin = request.headers.get("origin")
        if request.url.path != "/enter" and self.grader(request) is None:
            response: Response = JSONResponse(
                {"error": "This browser is not signed in. Open the link that the command printed."}, 401
            )
        elif request.method != "GET" and (
            origin is None or urlsplit(origin).netloc != request.headers.get("host")
        ):
            response = JSONResponse({"error": "Only the manual grading page may save."}, 403)
        else:
            response = await call_next(request)
        response.headers.update(HEADERS)
        return response
