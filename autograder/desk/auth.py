"""Who is let in here, as what, and what every answer of the server carries to keep others out."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from autograder.desk.address import Address
from autograder.files import several

ROLES = {False: "grader", True: "head grader"}
OPEN = ("/enter", "/desk.css")  # what strangers may have
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass
class Grader:
    """Someone on the grading page.

    Attributes:
        name: for the record; whoever has a link with a name cannot change it.
        head: may publish, import, invite, revoke links, and edit rubrics.
        named: whether the link said who it is for.
        names_shown: whether they see students' names.
        alike: how many percent of two answers' words agree where they are shown as alike.
    """

    name: str
    head: bool = False
    named: bool = False
    names_shown: bool = False
    alike: int = 90

    @property
    def role(self) -> str:
        """In words."""
        return ROLES[self.head]


class Door:
    """The links that were given out, who came in by them, and who was sent away."""

    def __init__(self, address: Address, environment: Environment):
        self.address, self.environment = address, environment
        # a browser sends such a cookie over TLS only, and takes it from this very host only
        self.cookie = f"{'__Host-' if address.secure else ''}desk-{secrets.token_hex(4)}"
        self.people: dict[str, Grader] = {}
        self.links: dict[str, Grader] = {}
        self.sessions: dict[str, Grader] = {}
        self._made = 0

    def link(self, name: str = "", head: bool = False) -> str:
        """A fresh address: it lets one browser in, once. A further one for the same name keeps the role."""
        self._made += 1
        shown = " ".join(name.split())[:60]
        who = self.people.setdefault(shown, Grader(shown, head, True)) if shown else self._nameless(head)
        token = secrets.token_urlsafe(24)
        self.links[token] = who
        return f"{self.address.origin}/enter?token={token}"

    def _nameless(self, head: bool) -> Grader:
        number = self._made
        while f"grader {number}" in self.people:
            number += 1
        return self.people.setdefault(f"grader {number}", Grader(f"grader {number}", head))

    def admit(self, token: str) -> str | None:
        """Trades a token for a session; None if it is unknown, used or revoked."""
        who = self.links.pop(token, None)
        if who is None:
            return None
        session = secrets.token_urlsafe(32)
        self.sessions[session] = who
        return session

    def rename(self, who: Grader, name: str) -> bool:
        """Gives a grader without a name of their own one; False if it is taken."""
        if name != who.name and name in self.people:
            return False
        del self.people[who.name]
        who.name = name
        self.people[name] = who
        return True

    def revoke(self, name: str) -> bool:
        """Ends all that a grader's links gave; marks stay. False if nobody has that name."""
        who = self.people.pop(name, None)
        for kept in (self.links, self.sessions):
            for token in [token for token, holder in kept.items() if holder is who]:
                del kept[token]
        return who is not None

    def state(self, who: Grader) -> str:
        """Where a grader is, in words."""
        inside = sum(holder is who for holder in self.sessions.values())
        waiting = sum(holder is who for holder in self.links.values())
        told = f"signed in, {several(inside, 'browser')}" if inside else ""
        links = f"{several(waiting, 'link')} not used yet" if waiting else ""
        return ", ".join(filter(None, (told, links)))

    def grader(self, request: Request) -> Grader | None:
        """Who asks, None if nobody who was let in."""
        return self.sessions.get(request.cookies.get(self.cookie, ""))

    async def guard(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Answers strangers and other sites' pages with an error, all others with what they ask for."""
        if request.headers.get("host", "").lower() not in self.address.hosts:
            response: Response = PlainTextResponse("This is not the address of manual grading.", 400)
        elif request.url.path not in OPEN and self.grader(request) is None:
            response = self._stranger(request)
        elif request.method not in ("GET", "HEAD") and not self._own_page(request):
            response = JSONResponse({"error": "Only the pages of manual grading may save."}, 403)
        else:
            response = await call_next(request)
        response.headers.update(HEADERS)
        return response

    def _own_page(self, request: Request) -> bool:
        """Whether a page of this very origin asks: browsers say so, and other sites cannot."""
        origin = request.headers.get("origin", "").lower()
        return origin in self.address.origins and origin.endswith(f"//{request.headers['host'].lower()}")

    def _stranger(self, request: Request) -> Response:
        if request.url.path.startswith("/api/"):
            return JSONResponse(
                {"error": "This browser is not signed in. Open the link that the command printed."}, 401
            )
        return self.closed(401)

    def closed(self, code: int, used: bool = False, problem: str = "") -> Response:
        """The page for somebody who was not let in, or asks for what is not there: it says what to do."""
        template = self.environment.get_template("desk_closed.html.j2")
        return HTMLResponse(template.render(used=used, problem=problem), code)
