"""Students' requests to look at a grade again: read from files, kept with their answers, put into reports.

A request is text that a student wrote. It is matched with a submission by what the platform or the file says,
never guessed; what matches nothing is listed.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.files import encoded, harmless, same_name, several, whole
from autograder.grade.marks import FILE, ConflictError, Marks
from autograder.grade.report import DECISIONS, Report, Request
from autograder.kit.clock import now
from autograder.lms.people import Person
from autograder.lms.tables import in_file, read_table

MAX_TEXT, MAX_REPLY = 10_000, 5_000  # characters
MAX_FILE = 1_000_000  # bytes of a text file
MAX_REQUESTS = 10_000
NO_REPLY = "a reply is needed, which the student reads: --reply '…'"
HEADS = {  # what a column, or a line of a text file, may be called → what it says
    "who": ("submission", "student", "id", "user", "login", "email", "name"),
    "question": ("question", "problem", "part"),
    "text": ("request", "text", "reason", "comment", "message"),
}
NUMBER = re.compile(r"(?<![\w.])\d{1,2}\.\d{1,2}[a-z]?(?![\w.]*\d)")
OF_QUESTION = re.compile(r"(?<![\d.])\d{1,2}\.\d{1,2}[a-z]?(?![\w.]*\d)")  # Q3.7, in a column of questions
LINE = re.compile(r"(?P<head>[A-Za-z ]{2,20}):\s*(?P<value>.*)")
IDS = re.compile(r"_(?P<id>\d+)_\d+_|^(?P<text>\d+)$")  # of a user, in a name that Canvas gave
SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY, submission TEXT NOT NULL, question TEXT NOT NULL, text TEXT NOT NULL,
    digest TEXT NOT NULL, received TEXT NOT NULL, decision TEXT NOT NULL DEFAULT 'open',
    reply TEXT NOT NULL DEFAULT '', grader TEXT NOT NULL DEFAULT '', decided TEXT NOT NULL DEFAULT '',
    UNIQUE (submission, question, digest)
);
"""
COLUMNS = (
    "number",
    "submission",
    "question",
    "decision",
    "request",
    "reply",
    "grader",
    "received",
    "decided",
)


class RequestError(ValueError):
    """A request that cannot be taken or answered; the message says why."""


@dataclass(frozen=True)
class Asked:
    """A request as a file holds it.

    Attributes:
        who: whatever the file says of its writer; empty if nothing.
        question: as written; empty if none is named.
        source: the file's name, and the row of a table.
        row: whether it is the row of a table.
    """

    who: str
    question: str
    text: str
    source: str
    row: bool = False


@dataclass(frozen=True)
class Kept:
    """A request that is kept, with its answer."""

    submission: str
    request: Request
    received: str
    decided: str = ""


# --- files --------------------------------------------------------------------------------------------------


def read_file(path: Path) -> list[Asked]:
    """The requests in a file: one in a text file, one a row in a table (``.csv``, ``.tsv``).

    A text file may begin with lines such as ``Student: jdoe`` and ``Question: 3.2``; the rest is the request.

    Raises:
        RequestError: it is neither, or too large.
    """
    if path.suffix.lower() in (".csv", ".tsv"):
        return _rows(path)
    if path.stat().st_size > MAX_FILE:
        raise RequestError(f"{path} is larger than {MAX_FILE / 1e6:g} MB")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RequestError(f"{path} is no UTF-8 text and no table") from None
    told, lines = {"who": "", "question": ""}, text.strip().splitlines()
    while lines and (match := LINE.fullmatch(lines[0].strip())) and (key := _key(match["head"])) in told:
        told[str(key)] = match["value"].strip()
        lines.pop(0)
    body = "\n".join(lines).strip()
    if not body:
        raise RequestError(f"{path} holds no request")
    return [Asked(told["who"], told["question"], body, path.name)]


def _key(head: str) -> str | None:
    bare = head.strip().casefold()
    return next(
        (key for key, names in HEADS.items() if bare in names or bare.split()[-1:] == [names[0]]), None
    )


def _rows(path: Path) -> list[Asked]:
    table = read_table(path)
    with in_file(path):
        rows = csv.DictReader(io.StringIO(table.text))
        places: dict[str, list[str]] = {}
        for head in rows.fieldnames or ():
            if key := _key(head):
                places.setdefault(key, []).append(head)
        if "who" not in places or "text" not in places:
            names = "; ".join(" or ".join(HEADS[key]) for key in ("who", "text"))
            raise RequestError(f"{path}: it needs columns that say who asks and what: {names}")
        made = []
        for number, row in enumerate(rows, 2):
            cells = {
                key: [str(row[head]).strip() for head in heads if row.get(head)]
                for key, heads in places.items()
            }
            who, text = "\n".join(cells["who"]), "\n".join(cells["text"])
            if who or text:
                question = " ".join(cells.get("question", []))
                made.append(Asked(who, question, text, f"{path.name}, row {number}", row=True))
        return made


def match(asked: Asked, reports: Mapping[str, Report], people: Sequence[Person]) -> tuple[str, str]:
    """The submission and question that a request is about.

    Args:
        asked: as the file holds it.
        reports: by submission.
        people: as collected; empty where there is no collected.csv.

    Raises:
        RequestError: it is empty, nothing, or several things, say whose it is, or it names a question that is
            not there.
    """
    if not asked.text:
        raise RequestError(f"{asked.source}: the request of {asked.who!r} has no text")
    found = _submissions(asked, reports, people)
    if len(found) != 1:
        raise RequestError(f"{asked.source}: {_unknown(asked, found, people)}")
    (submission,) = found
    known = [question.id for question in reports[submission].questions]
    if asked.question:
        named = OF_QUESTION.findall(asked.question) or [asked.question.strip()]
        if len(set(named)) == 1 and named[0] in known:
            return submission, named[0]
        raise RequestError(f"{asked.source}: there is no question {asked.question!r} in {submission}")
    named = [one for one in dict.fromkeys(NUMBER.findall(asked.text)) if one in known]
    return submission, named[0] if len(named) == 1 else ""


def _unknown(asked: Asked, found: set[str], people: Sequence[Person]) -> str:
    """Why nobody knows whose a request is, and what helps, in words."""
    who = ", ".join(word.strip() for word in asked.who.splitlines())
    if found:
        told = f"may be of {', '.join(sorted(found))}"
    elif who:
        told = f"{who!r} is no submission in grades.csv" + (" and nobody in collected.csv" if people else "")
    else:
        told = "nothing says whose it is"
    where = (
        "give the row a name in grades.csv"
        if asked.row
        else "begin it with a line 'Student: NAME IN grades.csv'"
    )
    more = "" if people else ", or use --collected to find students by id, mail address or name"
    return f"{told}; {where}{more}"


def take(
    files: Iterable[Path], kept: Requests, reports: Mapping[str, Report], people: Sequence[Person]
) -> tuple[int, int, list[str]]:
    """Imports the requests of some files.

    Args:
        files: as :func:`read_file` takes them.
        kept: where they are kept.
        reports: by submission.
        people: as collected.

    Returns:
        How many are new, how many were imported before, and a line for each that was not imported.
    """
    new, again, lost = 0, 0, []
    for path in files:
        try:
            for asked in read_file(path):
                try:
                    added = kept.add(*match(asked, reports, people), asked.text)
                    new, again = new + added, again + (not added)
                except RequestError as error:
                    lost.append(str(error))
        except ValueError as error:
            lost.append(str(error))
    return new, again, lost


def counted(new: int, again: int) -> str:
    """How many requests were imported, in words."""
    return f"{several(new, 'new request')}, {again} already imported."


def _submissions(asked: Asked, reports: Mapping[str, Report], people: Sequence[Person]) -> set[str]:
    """All submissions that what is said of the writer could mean: by the file's own words, else its name."""
    by: dict[str, set[str]] = {}
    for name in reports:
        by.setdefault(same_name(name), set()).add(name)
    for one in people:
        if one.submission in reports:
            for word in (one.id, one.email, one.name):
                if word:
                    by.setdefault(same_name(word), set()).add(one.submission)
    words = asked.who.splitlines()
    if not words:
        stem = Path(asked.source).stem
        ids = [one["id"] or one["text"] for one in IDS.finditer(stem)]
        words = [stem, *ids[:1]]
    for word in words:
        if found := by.get(same_name(word.strip())):
            return found
    return set()


# --- kept ---------------------------------------------------------------------------------------------------


class Requests(Marks):
    """The requests of one folder of results."""

    def __init__(self, output: Path):
        super().__init__(output)
        with self._open() as database:
            database.executescript(SCHEMA)

    def add(self, submission: str, question: str, text: str) -> bool:
        """Keeps a request; False if the very same one is there already.

        Raises:
            RequestError: there are too many.
        """
        cut = whole(text.strip())[:MAX_TEXT]
        digest = hashlib.sha256(encoded(cut)).hexdigest()[:16]
        with self._writing() as database:
            if database.execute("SELECT count(*) FROM requests").fetchone()[0] >= MAX_REQUESTS:
                raise RequestError(f"there are {MAX_REQUESTS} requests already")
            done = database.execute(
                "INSERT OR IGNORE INTO requests (submission, question, text, digest, received)"
                " VALUES (?, ?, ?, ?, ?)",
                (submission, question, cut, digest, now()),
            )
            return done.rowcount > 0

    def kept(self) -> list[Kept]:
        """Every request, in the order in which they came."""
        with self._open() as database:
            rows = database.execute("SELECT * FROM requests ORDER BY id").fetchall()
        return [
            Kept(
                row["submission"],
                Request(
                    row["id"], row["question"], row["text"], row["decision"], row["reply"], row["grader"]
                ),
                row["received"],
                row["decided"],
            )
            for row in rows
        ]

    def one(self, number: int) -> Kept:
        """The request of that number.

        Raises:
            RequestError: there is none.
        """
        found = next((kept for kept in self.kept() if kept.request.number == number), None)
        if found is None:
            raise RequestError(f"there is no request {number}")
        return found

    def answer(self, number: int, decision: str, reply: str, by: str, seen: str | None = None) -> None:
        """Keeps what was decided; an earlier decision is replaced.

        Args:
            number: of the request.
            decision: one of :data:`DECISIONS`.
            reply: to the student.
            by: who decides.
            seen: when the decision that they saw was made; whatever there is, if left out.

        Raises:
            RequestError: there is no such request or decision, or no reply.
            ConflictError: somebody else has decided since then.
        """
        if decision not in DECISIONS:
            raise RequestError(f"{decision!r} is none of {', '.join(DECISIONS)}")
        if decision != DECISIONS[0] and not reply.strip():
            raise RequestError(NO_REPLY)
        self.one(number)
        with self._writing() as database:
            there = database.execute(
                "SELECT decided, grader FROM requests WHERE id = ?", (number,)
            ).fetchone()
            if seen is not None and there["decided"] != seen:
                who = there["grader"] or "Another grader"
                raise ConflictError(f"{who} answered this request in the meantime. Load it anew.")
            database.execute(
                "UPDATE requests SET decision = ?, reply = ?, grader = ?, decided = ? WHERE id = ?",
                (decision, whole(reply.strip())[:MAX_REPLY], by, now(), number),
            )


def refuse_points(decision: str | None) -> None:
    """Points follow a request that was granted, at least in part.

    Raises:
        RequestError: it was not.
    """
    if decision not in DECISIONS[1:3]:
        raise RequestError(f"a request that is {decision} changes no points; leave them out")


def to_csv(kept: Iterable[Kept]) -> str:
    """The list as CSV; no cell of it is a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in kept:
        asked = one.request
        row = (
            str(asked.number),
            one.submission,
            asked.question,
            asked.decision,
            asked.text,
            asked.reply,
            asked.by,
            one.received,
            one.decided,
        )
        writer.writerow([harmless(cell) for cell in row])
    return text.getvalue()


def apply(output: Path, reports: Sequence[Report]) -> list[Report]:
    """The reports with their students' requests."""
    found: dict[str, list[Request]] = {}
    if (output / FILE).is_file():
        for one in Requests(output).kept():
            found.setdefault(one.submission, []).append(one.request)
    return [replace(report, requests=tuple(found.get(report.submission, ()))) for report in reports]
