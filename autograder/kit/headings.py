"""The line above a written answer, as people write it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_NUMBER = r"(?P<question>\d+\.\d+[a-z]?)(?![^\W_]|\.\d)"
# bold, quoted, in a list, a table or HTML, escaped by an editor: what may stand before a heading's words
_DRESS = r"(?P<dress>(?:[\s>#*_~`\\|\[(\"']|[-+•]\s|\d+[.)]\s|&nbsp;|<[^<>]{0,200}>)*)"
_HEADING = re.compile(
    _DRESS + r"(?:(?:my|your|the|written)\s+)*answer(?:\s+(?:to|for|of))?(?:\s+(?:question|exercise|part))?"
    r"[\s:(#*_\\.-]*" + _NUMBER,
    re.I,
)
_CLOSING = re.compile(r"(?:\\?[*_~`\"')\]]|\s*</\w+>|\s*<br\s*/?>|\s*[:.：．]|\s+[–—-]+(?=\s|$)|\s*[–—=])*")
# the number without the word: a place where a student may have written an answer
_NUMBERED = re.compile(
    _DRESS
    + r"(?:(?:question|exercise|problem|part|task|solution|response|ans|no|[qa])(?![^\W\d_])[\s.:#]*)?"
    + _NUMBER,
    re.I,
)


@dataclass(frozen=True)
class Heading:
    """A line such as ``**Answer 3.7**``.

    Attributes:
        question: its number.
        rest: what stands behind it on the same line.
    """

    question: str
    rest: str


def heading(line: str) -> Heading | None:
    """The heading of a written answer, None if the line is none.

    A sentence that begins with "Answer 3.7 shows …" is no heading; bold, as a title, or before a colon it is.
    """
    return _titled(_HEADING, line)


def numbered_heading(line: str) -> Heading | None:
    """The same, for a line that has the question's number without the word "answer"."""
    return _titled(_NUMBERED, line)


def _titled(pattern: re.Pattern[str], line: str) -> Heading | None:
    """The heading that a line begins with, by a pattern with the groups ``dress`` and ``question``."""
    match = pattern.match(line[:400])
    if match is None:
        return None
    dress, after = match["dress"], line[match.end() :]
    closed = _CLOSING.match(after)
    end = closed.end() if closed else 0
    rest = after[end:].strip()
    dressed = "#" in dress or bool(after[:end].strip())
    if rest and not dressed:
        return None
    bold = re.search(r"\*\*|__", dress)
    if rest and bold and bold[0] not in after[:end] and rest.endswith(bold[0]):
        rest = bold[0] + rest  # all of the line was bold
    digits = (str(unicodedata.decimal(one, one)) for one in match["question"])
    return Heading("".join(digits), rest)
