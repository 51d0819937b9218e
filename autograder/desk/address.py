"""Where it listens, by which names it is reached, and whether that is safe enough."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

HERE = "127.0.0.1"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


class AddressError(ValueError):
    """An address at which the grading page does not open; the message says what would do."""


@dataclass(frozen=True)
class Address:
    """The origins it answers for, such as ``https://grading.example.edu:8765``; links name the first.

    Attributes:
        secure: whether browsers reach it over TLS, its own or a proxy's.
    """

    origins: tuple[str, ...]
    secure: bool = False

    @property
    def origin(self) -> str:
        """The one that links name."""
        return self.origins[0]

    @property
    def hosts(self) -> frozenset[str]:
        """What a browser may name as the host."""
        return frozenset(urlsplit(one).netloc for one in self.origins)


def host_of(text: str) -> str:
    """A name or address under which this machine is reached, as browsers write it.

    Raises:
        AddressError: it is none.
    """
    name = text.strip().lower().strip("[]")
    try:
        found = ipaddress.ip_address(name)
    except ValueError:
        if not _NAME.fullmatch(name) or len(name) > 253:
            raise AddressError(f"{text!r} is no name and no address of a machine.") from None
        return name
    if found.is_unspecified:
        raise AddressError(
            f"--host {text} names no machine: give the name or the address by which graders reach this one."
        )
    return str(found)


def origin_of(text: str) -> str:
    """A proxy's origin, as browsers write it.

    Raises:
        AddressError: it is none, or does not use TLS.
    """
    parts = urlsplit(text.strip().rstrip("/"))
    if parts.scheme != "https" or not parts.hostname or parts.path or parts.query or parts.username:
        raise AddressError(
            f"--behind-proxy {text}: an origin such as https://grading.example.edu is wanted, with https and"
            " without a path."
        )
    try:
        return _origin("https", host_of(parts.hostname), parts.port or 443)
    except ValueError as error:
        raise AddressError(str(error)) from None


def _origin(scheme: str, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    usual = {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{shown}" if port == usual else f"{scheme}://{shown}:{port}"


def listen(hosts: Sequence[str], port: int) -> list[socket.socket]:
    """Sockets that listen at this machine and at the other names, all on one port.

    Raises:
        AddressError: one of them cannot be used; the message says why.
    """
    found: list[socket.socket] = []
    places = dict.fromkeys([HERE, *(host for host in hosts if host != "localhost")])
    for host in places:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            opened = socket.create_server((host, port), family=family)
        except OSError as error:
            for one in found:
                one.close()
            if isinstance(error, socket.gaierror):
                raise AddressError(f"--host {host}: nobody knows that name.") from None
            hint = (
                "Is manual grading open already? Try --port 0."
                if host == HERE
                else "Is it a name or address of this machine?"
            )
            why = os.strerror(error.errno) if error.errno else str(error)
            raise AddressError(f"port {port} at {host}: {why}. {hint}") from None
        port = opened.getsockname()[1]
        found.append(opened)
    others = [one for one in hosts if one not in (HERE, "localhost")]
    inward = all(ipaddress.ip_address(one.getsockname()[0]).is_loopback for one in found)
    if inward and others and not any(map(_is_address, others)):
        for one in found:
            one.close()
        raise AddressError(
            f"--host {others[0]}: this machine takes that name for itself alone, so nobody else could"
            " reach the server. Name its address, too: --host NAME --host ADDRESS."
        )
    return found


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def reached(hosts: Sequence[str], port: int, secure: bool, proxy: str = "") -> Address:
    """The address of a grading page that listens on a port.

    Args:
        hosts: names other than this machine's own, by which graders reach it.
        port: that it listens on.
        secure: whether it speaks TLS.
        proxy: the origin of the proxy before it; empty if there is none.
    """
    if proxy:
        return Address((proxy,), True)
    scheme = "https" if secure else "http"
    names = dict.fromkeys([*hosts, HERE, "localhost"])
    return Address(tuple(_origin(scheme, name, port) for name in names), secure)
