"""Pictures in written answers: pasted into a cell, or as data in the text. Shown are copies that we made.

A picture is decoded and written anew in a process of its own with limits, which runs
:mod:`autograder.submissions.recode`. Pictures from elsewhere are not loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from autograder.kit.answers import WrittenAnswer
from autograder.submissions import recode

MAX_PICTURES = 12  # of a submission,
MAX_BYTES = 8_000_000  # of each as handed in,
MAX_TOTAL = 24_000_000  # and of all
SECONDS = 60  # for all of a submission; a picture takes a tenth
REFUSED = "#not-shown"
# where a picture is: attached to its cell, with the cell's number put in by numbered(), or in the text itself
_ADDRESS = re.compile(
    r"attachment:(?P<cell>\d+)/(?P<name>[^\s()\"'<>]{1,300})"
    r"|data:[\w.+-]{1,30}/[\w.+-]{1,60}(?:;[\w=-]{1,40}){0,4},(?P<data>[A-Za-z0-9+/=%_-]{0,40000000})",
    re.I,
)
_ATTACHED = re.compile(r"attachment:(?=[^\s()\"'<>])", re.I)
_OURS = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/=]+")

Attachments = Mapping[int, Mapping[str, bytes]]  # cell index → name → the picture's bytes


def numbered(index: int, source: str) -> str:
    """A cell's text, in which each attachment's address names the cell: names alone are not unique."""
    return _ATTACHED.sub(f"attachment:{index}/", source)


def attachments(cells: Iterable[Any]) -> dict[int, dict[str, bytes]]:
    """What is attached to the cells of a notebook's JSON, as far as it may be a picture."""
    found: dict[int, dict[str, bytes]] = {}
    total = 0
    for index, cell in enumerate(cells):
        given = cell.get("attachments") if isinstance(cell, dict) else None
        for name, kinds in given.items() if isinstance(given, dict) else ():
            for text in kinds.values() if isinstance(kinds, dict) else ():
                data = decoded("".join(map(str, text)) if isinstance(text, list) else text)
                total += len(data)
                if data and total <= MAX_TOTAL and isinstance(name, str):
                    found.setdefault(index, {}).setdefault(name, data)
    return found


def decoded(text: object) -> bytes:
    """The bytes behind base64 text, at most one more than a picture may have; none if it is no such text."""
    if not isinstance(text, str) or len(text) > 2 * MAX_BYTES:
        return b""
    try:
        return base64.b64decode(text, validate=False)[: MAX_BYTES + 1]
    except ValueError:
        return b""


def with_pictures(answers: Mapping[str, WrittenAnswer], attached: Attachments) -> dict[str, WrittenAnswer]:
    """The answers with copies of their pictures in the place of the originals.

    Args:
        answers: by question; addresses of attachments as :func:`numbered` left them.
        attached: as :func:`attachments` found it.

    Returns:
        Each answer; where it had pictures, with a line for each that is not shown, and with ``original`` set:
        a digest of what was handed in, which stays the same however copies are made.
    """
    wanted: dict[str, bytes] = {}
    for answer in answers.values():
        for match in _ADDRESS.finditer(answer.text):
            wanted[match[0]] = _bytes_of(match, attached)
    if not wanted:
        return dict(answers)
    shown = _recoded(wanted)
    return {question: _with(answer, wanted, shown) for question, answer in answers.items()}


def _bytes_of(match: re.Match[str], attached: Attachments) -> bytes:
    if match["name"] is not None:
        given = attached.get(int(match["cell"][:6]), {})
        return given.get(match["name"], given.get(unquote(match["name"]), b""))
    return decoded(unquote(match["data"]))


def _with(
    answer: WrittenAnswer, wanted: Mapping[str, bytes], shown: Mapping[str, tuple[str, str]]
) -> WrittenAnswer:
    told: dict[str, None] = {}
    parts = hashlib.sha256()

    def put(match: re.Match[str]) -> str:
        address, why = shown[match[0]]
        parts.update(hashlib.sha256(wanted[match[0]]).digest())
        if why:
            name = f" ({unquote(match['name'])})" if match["name"] else ""
            told[f"*A picture{name} is not shown: {why}.*"] = None
        return address

    if not _ADDRESS.search(answer.text):
        return answer
    text = _ADDRESS.sub(put, answer.text)
    parts.update(_ADDRESS.sub("", answer.text).encode("utf-8", "replace"))
    return replace(answer, text="\n\n".join([text, *told]), original=parts.hexdigest()[:16])


def _recoded(wanted: Mapping[str, bytes]) -> dict[str, tuple[str, str]]:
    """For each address our copy's, and why there is none."""
    made = {address: (REFUSED, why) for address, data in wanted.items() if (why := _unfit(address, data))}
    asked = [address for address in wanted if address not in made]
    for address in asked[MAX_PICTURES:]:
        made[address] = (REFUSED, f"only {MAX_PICTURES} of a notebook are")
    asked = asked[:MAX_PICTURES]
    for address, result in zip(asked, _child([wanted[one] for one in asked]), strict=True):
        made[address] = (result["uri"], "") if "uri" in result else (REFUSED, result["why"])
    return made


def recoded(pictures: list[bytes]) -> list[dict[str, str]]:
    """For each picture our copy as a data URI (``uri``), or why there is none (``why``)."""
    unfit = [_unfit("", data) for data in pictures]
    made = iter(_child([data for data, why in zip(pictures, unfit, strict=True) if not why]))
    return [{"why": why} if why else next(made) for why in unfit]


def _unfit(address: str, data: bytes) -> str:
    """Why a picture is not even looked at; empty if it is."""
    if not data:
        return "it is not in the notebook"
    if len(data) > MAX_BYTES:
        return f"it is larger than {MAX_BYTES / 1e6:g} MB"
    if re.match(r"\s*<", data[:200].decode("latin-1")) or "svg" in address[:40].lower():
        return "SVG pictures are not shown, as they may hold more than a picture"
    return ""


def _child(pictures: list[bytes]) -> list[dict[str, str]]:
    """The answers of the process that decodes pictures; a reason for each if it fails."""
    if not pictures:
        return []
    asked = json.dumps([base64.b64encode(data).decode() for data in pictures])
    command = [sys.executable, "-I", recode.__file__]
    try:
        done = subprocess.run(  # noqa: S603  # our own file
            command, input=asked, capture_output=True, text=True, timeout=SECONDS, check=True, cwd="/"
        )
        results = json.loads(done.stdout)
        if len(results) == len(pictures):
            return [_checked(result) for result in results]
    except (OSError, ValueError, subprocess.SubprocessError):
        if len(pictures) > 1:  # one may have ended it
            return [result for data in pictures for result in _child([data])]
    return [{"why": "it cannot be read within the limits"} for _ in pictures]


def _checked(result: dict[str, str]) -> dict[str, str]:
    """The process that read the picture may have been taken over: what it says must look as it should."""
    uri = result.get("uri", "")
    if isinstance(uri, str) and _OURS.fullmatch(uri) and len(uri) < 2 * recode.MAX_BYTES:
        return {"uri": uri}
    return {"why": re.sub(r"[^\w .,()×]", "", str(result.get("why", "it cannot be read")))[:200]}
