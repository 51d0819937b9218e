"""Written answers, found as people write them: below their heading, beside it, or where it used to be.

What a notebook was handed out with is known by digests of its lines, so that an answer whose heading is gone
is told from the text around it. What cannot be told is ``not found``, never empty.
"""

from __future__ import annotations

import ast
import hashlib
import io
import re
import tokenize
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from autograder.kit.headings import Heading, heading, numbered_heading
from autograder.kit.statements import of_short_texts

FOUND, BLANK, NOT_FOUND = "found", "blank", "not found"
LINE_DIGITS = 6  # hexadecimal digits that stand for a line that was handed out
MAX_NEARBY = 4  # cells that are shown where no answer was found,
MAX_SHOWN = 2_000  # characters of each
SHOWS = ("print", "display", "Markdown", "HTML", "Latex", "Math")  # functions that show text in a code cell
SAYS = 4  # words that make a string or a comment a sentence

_PLACEHOLDER = re.compile(r"[*_]{0,3}Write your answer here\.?[*_]{0,3}", re.I)
_SECTION = re.compile(r"\s*#{1,6}\s+(?P<question>\d+\.\d+[a-z]?)\b")
_RUNS = re.compile(r"^[^\S\n]*(?:record|check|finish)\(", re.M)

Cell = tuple[str, str]  # kind (code, markdown, raw) and text


@dataclass(frozen=True)
class WrittenAnswer:
    """What was found of one written answer.

    Attributes:
        text: what was written; empty if nothing was, or if it was not found.
        state: ``found``; ``blank`` if its place is there and holds nothing; ``not found`` if its place is
            gone, or if several texts could be it.
        nearby: for an answer that was not found, the cells that stand where it should be.
        original: a digest of the answer as handed in, where the grader replaced pictures by copies.
    """

    text: str
    state: str
    nearby: tuple[str, ...] = ()
    original: str = ""


def line_digest(line: str) -> str:
    """A few digits that stand for a line, however it is spaced."""
    return hashlib.sha256(" ".join(line.split()).encode("utf-8", "replace")).hexdigest()[:LINE_DIGITS]


def written_answers(
    cells: Iterable[Cell], asked: Sequence[str], given: Collection[str] = ()
) -> dict[str, WrittenAnswer]:
    """The written answers of a notebook, by question.

    An answer stands below its heading, up to the next one, and goes on in the cells below it. Where there is
    no heading, or nothing below it, it is what the student wrote between the question's title and the next.

    Args:
        cells: kind and text of each cell.
        asked: the questions that ask for an answer in words.
        given: digests of the lines that were handed out, by :func:`line_digest`.
    """
    known = frozenset(given), frozenset(asked)
    notebook = _Pages(tuple(_Page(kind, text, *known) for kind, text in cells))
    return {question: notebook.answer(question) for question in asked}


class _Page:
    """A cell as a reader sees it.

    Attributes:
        prose: its words: a text cell's, or those of a code cell that holds nothing else.
    """

    def __init__(self, kind: str, text: str, given: frozenset[str], asked: frozenset[str]):
        self.kind, self.text, self._given = kind, text.replace("\r\n", "\n"), given
        self._asked = asked
        self.prose = _prose(self.text) if kind == "code" else self.text

    @cached_property
    def lines(self) -> list[str]:
        return self.prose.split("\n")

    @cached_property
    def pieces(self) -> list[tuple[str, str]]:
        """Question and text of each heading in the cell."""
        found: list[tuple[str, list[str]]] = []
        for line in self.lines:
            if (head := self._heading(line)) is not None:
                found.append((head.question, [head.rest]))
            elif found:
                found[-1][1].append(line)
        return [(question, self._own_text(lines)) for question, lines in found]

    @cached_property
    def own(self) -> str:
        """What the student wrote: all but headings, what was handed out and what stood there before."""
        return self._own_text([line for line in self.lines if self._heading(line) is None])

    @cached_property
    def said(self) -> str:
        """The words in a code cell: comments, strings that are sentences, the text of a magic."""
        return _words_in(self.text) if self.kind == "code" else ""

    def names(self, question: str) -> bool:
        """Whether the student wrote a text that begins with the question's number, without "Answer"."""
        if self.kind == "code" or self.pieces or self.handed_out or not self.own:
            return False
        head = numbered_heading(next(line for line in self.lines if line.strip()))
        return head is not None and head.question == question

    @property
    def handed_out(self) -> bool:
        """Whether a line of it was handed out, other than an answer's heading."""
        told = [line for line in self.lines if line.strip() and self._heading(line) is None]
        return any(
            line_digest(line) in self._given for line in told if not _PLACEHOLDER.fullmatch(line.strip())
        )

    @property
    def begins(self) -> str:
        """The question that begins in this cell; ``-`` for another part of the notebook; else empty."""
        if self.kind == "code":
            return ""
        for line in self.lines:
            handed_out = not self._given or line_digest(line) in self._given
            if match := _SECTION.match(line):
                return match["question"]
            if handed_out and re.match(r"##? ", line):
                return "-"
        return ""

    def _heading(self, line: str) -> Heading | None:
        """The heading of an answer that is asked for; any other number, such as a part's, is text."""
        head = heading(line)
        return head if head is not None and head.question in self._asked else None

    def _own_text(self, lines: Sequence[str]) -> str:
        kept = [_PLACEHOLDER.sub("", line).rstrip() for line in lines if not self._is_given(line)]
        text = "\n".join(kept).strip("\n")
        if _holds_something(text):
            return text
        bare = text.replace("<!--", "").replace("-->", "").strip()  # words that only the source shows
        return bare if _is_sentence(bare) else ""

    def _is_given(self, line: str) -> bool:
        return bool(line.strip()) and line_digest(line) in self._given


class _Pages:
    """A notebook, cell by cell."""

    def __init__(self, pages: Sequence[_Page]):
        self.pages = pages

    def answer(self, question: str) -> WrittenAnswer:
        """One answer: below its heading, else where its heading was."""
        places = [
            place for place, page in enumerate(self.pages) if any(q == question for q, _ in page.pieces)
        ]
        parts = list(self._below(question, places))
        if text := "\n\n".join(dict.fromkeys(part for part in parts if part)):
            return WrittenAnswer(text, FOUND)
        start, end = self._section(question)
        runs = self._runs(start, end)
        if len(runs) == 1:
            return WrittenAnswer(runs[0], FOUND)
        if not runs and places:
            if said := "\n\n".join(self._said_below(places)):
                return WrittenAnswer(said, FOUND)
            others = [_as_markdown(page) for page in self.pages if page.names(question)]
            return WrittenAnswer("", NOT_FOUND if others else BLANK, tuple(others[:MAX_NEARBY]))
        return WrittenAnswer("", NOT_FOUND, tuple(runs[:MAX_NEARBY]) or self._nearby(start, end))

    def _below(self, question: str, places: Sequence[int]) -> Iterator[str]:
        """The texts below the headings, each with the cells in which it goes on."""
        for place in places:
            pieces = self.pages[place].pieces
            yield from (text for found, text in pieces if found == question)
            if pieces[-1][0] != question:
                continue
            for page in self.pages[place + 1 :]:
                if page.pieces or page.begins or page.handed_out or (page.text.strip() and not page.prose):
                    break
                yield page.own

    def _said_below(self, places: Sequence[int]) -> Iterator[str]:
        """The words in the student's code cells below empty headings, and in comments of the record cell."""
        for place in places:
            for page in self.pages[place + 1 :]:
                runs = _RUNS.search(page.text)
                if page.kind == "code" and not runs and page.said:
                    yield page.said
                elif runs and _is_sentence(comments := "\n".join(text for _, text in _comments(page.text))):
                    yield comments
                if runs or (page.kind != "code" and page.text.strip()):
                    break

    def _section(self, question: str) -> tuple[int, int]:
        """The cells from a question's title to the next title; none where the title is gone."""
        start = next((n for n, page in enumerate(self.pages) if page.begins == question), None)
        if start is None:
            return self._up_to_record(question)
        after = range(start + 1, len(self.pages))
        return start, next((n for n in after if self.pages[n].begins), len(self.pages))

    def _up_to_record(self, question: str) -> tuple[int, int]:
        """The cells before a question's record cell, back to the last one that records or begins anything."""
        record = re.compile(rf"""^[^\S\n]*record\(\s*["']{re.escape(question)}["']""", re.M)
        end = next(
            (n for n, page in enumerate(self.pages) if page.kind == "code" and record.search(page.text)), 0
        )
        before = range(end - 1, -1, -1)
        stop = next((n for n in before if self.pages[n].begins or _RUNS.search(self.pages[n].text)), -1)
        return stop + 1, end

    def _runs(self, start: int, end: int) -> list[str]:
        """What the student wrote in some cells; neighbors count as one text."""
        runs: list[list[str]] = []
        adjacent = False
        for page in self.pages[start:end]:
            others = [text for _, text in page.pieces if text]
            text = "" if others or not page._given else page.own
            if text and adjacent:
                runs[-1].append(text)
            elif text:
                runs.append([text])
            adjacent = bool(text) or (adjacent and not page.text.strip())
        return ["\n\n".join(run) for run in runs]

    def _nearby(self, start: int, end: int) -> tuple[str, ...]:
        """The last cells of a section, as Markdown."""
        shown = [page for page in self.pages[start:end] if page.text.strip() and not page.handed_out]
        texts = (_as_markdown(page) for page in shown[-MAX_NEARBY:])
        return tuple(texts)


def _as_markdown(page: _Page) -> str:
    text = page.text[:MAX_SHOWN]
    return f"````python\n{text}\n````" if page.kind == "code" else text


# --- words in code cells ------------------------------------------------------------------------------------


@of_short_texts
def _prose(code: str) -> str:
    """The words of a code cell that holds comments, strings or plain words; empty if it holds code.

    Of a cell with code, a comment that is a heading and the comments right below it.
    """
    if code.lstrip().startswith("%%"):
        return code.partition("\n")[2] if code.lstrip().startswith(("%%markdown", "%%html")) else ""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return code if _reads_as_words(code) else ""
    if all(_string(node) is not None for node in body):
        comments = dict(_comments(code))
        strings = {node.lineno: _string(node) or "" for node in body}
        return "\n".join(text for _, text in sorted({**comments, **strings}.items()))
    kept, last = [], None
    for number, text in _comments(code):
        if heading(text) is not None or last == number - 1:
            kept.append(text)
            last = number
    return "\n".join(kept)


def _words_in(code: str) -> str:
    """Comments, and strings that are sentences, wherever they stand in a code cell; empty without any."""
    if code.lstrip().startswith("%%"):
        rest = code.partition("\n")[2]
        return rest if _is_sentence(rest) else ""
    found = dict(_comments(code))
    try:
        parts: set[int] = set()
        for node in ast.walk(ast.parse(code)):  # breadth first: an f-string comes before its parts
            if isinstance(node, ast.JoinedStr):
                parts |= {id(one) for one in node.values}
                text = "".join(
                    str(one.value) if isinstance(one, ast.Constant) else ast.unparse(one).strip("f'\"")
                    for one in node.values
                )
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
                text = node.value
            else:
                continue
            if _is_sentence(text):
                found[node.lineno] = text.strip()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    text = "\n".join(text for _, text in sorted(found.items()))
    return text if _is_sentence(text) else ""


def _is_sentence(text: str) -> bool:
    return len(re.findall(r"[^\W\d_]{2,}", text)) >= SAYS or _caseless(text) >= 2 * SAYS


def _caseless(text: str) -> int:
    """The letters of scripts without case, most of which put no blanks between words."""
    return 0 if text.isascii() else sum(one.isalpha() and one.lower() == one.upper() for one in text)


def _holds_something(text: str) -> bool:
    """Whether a text has words, or a tag that shows or links something."""
    shows = any(mark in text.lower() for mark in ("<img", "src=", "href="))
    return shows or bool(re.sub(r"<[^<>]*>|[\s>#*_|`~-]", "", text))


def _string(node: ast.stmt) -> str | None:
    """What a statement says that is nothing but a string, printed or shown as Markdown or not."""
    value = node.value if isinstance(node, ast.Expr) else None
    while isinstance(value, ast.Call) and len(value.args) == 1 and isinstance(value.func, ast.Name):
        if value.func.id not in SHOWS:
            return None
        value = value.args[0]
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def _comments(code: str) -> Iterator[tuple[int, str]]:
    """Line and text of each comment."""
    if "#" not in code:
        return
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string.lstrip("#").removeprefix(" ")
    except (tokenize.TokenError, SyntaxError):
        return


def _reads_as_words(code: str) -> bool:
    """Whether what is no Python is a text: a heading, or lines most of which are words."""
    lines = [line for line in code.split("\n") if line.strip()]
    if any(heading(line) is not None for line in lines):
        return True
    word = re.compile(r"(?<![\w.(])[^\W\d_]{2,}(?=[\s,.;:!?]|$)")
    words = [one for one in lines if len(word.findall(one)) >= SAYS or _caseless(one) >= 2 * SAYS]
    return len(words) > len(lines) / 2


def lines_given(described: Mapping[str, object]) -> frozenset[str]:
    """The digests of lines that were handed out, from a homework's description."""
    text = str(described.get("given", ""))
    return frozenset(text[start : start + LINE_DIGITS] for start in range(0, len(text), LINE_DIGITS))
