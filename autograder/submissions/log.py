"""The two JSON formats that cross the trust boundary: challenges into the kernel, the log out of it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import fastjsonschema
import numpy as np

from autograder import kit
from autograder.declare import Case, Entry, Homework, LogEntry
from autograder.files import whole
from autograder.schemas import jsonschema
from autograder.submissions.errors import SubmissionError

BESIDE = {  # parts of a log that no answer needs, in words
    "history": "a history of checks",
    "student": "a student's id and word",
    "kit": "a version of the kit",
    "written": "a time",
}
PACKED = 1_000  # an array of at least so many numbers stands in a challenges file as base64
AGAIN = "Save the file and hand it in again."
MAX_LOG_BYTES = 16_000_000  # honest logs stay under 2 MB; JSON of this size still parses in a second


class LogError(SubmissionError):
    """A log that cannot be used at all; the message says why, for a student to read."""


@cache
def _schema(name: str) -> Any:
    schema = json.loads(
        resources.files("autograder.submissions")
        .joinpath("schemas", f"{name}.json")
        .read_text(encoding="utf-8")
    )
    jsonschema.Draft202012Validator.check_schema(schema)
    return schema


@cache
def _validator(name: str) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(_schema(name))


@cache
def _part_schema(*path: str) -> dict[str, Any]:
    """The schema of a part of the log; the part may refer to the definitions of the whole."""
    whole = _schema("log-1")
    part = whole
    for name in path:
        part = part[name]
    return {**part, "$defs": whole["$defs"]}


@cache
def _quick_validator(*path: str) -> Callable[[Any], Any]:
    compiled: Callable[[Any], Any] = fastjsonschema.compile(_part_schema(*path), use_default=False)
    return compiled


def _entry_problem(raw: Any) -> str:
    """What is wrong with an entry, in words; empty if nothing is. In linear time, whatever it holds.

    The validator that explains takes long, so it gets the part that is broken alone.
    """
    try:
        _quick_validator("$defs", "entry")(raw)
    except fastjsonschema.JsonSchemaValueException as error:
        broken = raw
        responses = raw.get("responses") if isinstance(raw, dict) else None
        if isinstance(responses, dict) and len(error.path or ()) > 2:
            name = next((key for key in responses if _response_broken(responses[key])), None)
            broken = {**raw, "responses": {} if name is None else {name: responses[name]}}
        found = next(
            jsonschema.Draft202012Validator(_part_schema("$defs", "entry")).iter_errors(broken), None
        )
        if found is None:
            return str(error.message)[:160]
        where = "/".join(map(str, found.absolute_path)) or "the entry"
        return f"{where}: {found.message[:160]}"
    return ""


def _response_broken(raw: Any) -> bool:
    try:
        _quick_validator("$defs", "response")(raw)
    except fastjsonschema.JsonSchemaException:
        return True
    return False


def _check_head(document: dict[str, Any], what: str) -> list[str]:
    """Checks a log but for its single entries; what is unknown or no use is taken out.

    Returns:
        Notes on what was.

    Raises:
        LogError: the log cannot be used.
    """
    notes: list[str] = []
    if unknown := sorted(set(map(str, document)) - set(_schema("log-1")["properties"])):
        notes.append(f"{what} has unknown keys, ignored: {', '.join(unknown[:20])[:200]}")
    for name in unknown:
        del document[name]
    try:
        _quick_validator("properties", "answers")(document.get("answers", {}))
    except fastjsonschema.JsonSchemaValueException as error:
        document["answers"] = {}
        told = str(error.message).removeprefix("data").lstrip(".")[:160]
        notes.append(f"{what} says in a way that cannot be read which cells its answers came from: {told}")
    for name, told in BESIDE.items():
        if name not in document:
            continue
        try:
            _quick_validator("properties", name)(document[name])
        except fastjsonschema.JsonSchemaValueException:
            del document[name]
            notes.append(f"{what} holds {told} that cannot be read; it is left out, and costs nothing else.")
    entries = document.get("entries")
    if isinstance(entries, dict):
        allowed = _schema("log-1")["properties"]["entries"]["maxProperties"]
        if len(entries) > allowed:
            raise LogError(f"{what} has {len(entries)} entries; the most that any homework has is {allowed}.")
        entries = {name: {"status": "missing"} for name in entries}
    head = {name: value for name, value in document.items() if name not in ("answers", "entries", "history")}
    if "entries" in document:
        head["entries"] = entries
    for wrong in _validator("log-1").iter_errors(head):
        where = "/".join(map(str, wrong.absolute_path)) or "the top level"
        raise LogError(f"{what} is not a log this grader can read, at {where}: {wrong.message[:200]}")
    return notes


def challenges_json(homework: Homework, drawn: Mapping[str, Mapping[str, Case]]) -> bytes:
    """The challenges file for one draw of hidden inputs."""
    cases = {
        name: [case.as_json(identity) for identity, case in named.items()] for name, named in drawn.items()
    }
    digest = hashlib.sha256(json.dumps(cases, sort_keys=True).encode()).hexdigest()[:16]
    head = {"schema": kit.CHALLENGES_SCHEMA, "id": digest, "homework": homework.id}
    document: Any = {**head, "cases": _packed(cases)}
    _validator("challenges-1").validate(document)
    return json.dumps(document, allow_nan=False).encode()


def _packed(value: Any) -> Any:
    """The cases, each large array's numbers as base64 of their bytes, which a kernel reads faster."""
    if isinstance(value, list):
        return [_packed(item) for item in value]
    if not isinstance(value, dict):
        return value
    data, dtype = value.get("data"), value.get("dtype")
    if dtype is not None and isinstance(data, list) and len(data) >= PACKED and dtype != "bool":
        numbers = np.array(data, dtype=np.dtype(dtype).newbyteorder("<"))
        return {**value, "data": base64.b64encode(numbers.tobytes()).decode()}
    return {key: _packed(item) if key != "data" else item for key, item in value.items()}


@dataclass(frozen=True)
class Log:
    """A decoded log.

    Attributes:
        homework: its id.
        challenges: which hidden inputs it answers.
        entries: by name.
        notes: what was ignored.
        student: id and word, with per-student variants.
        answers: question → where its recorded answer came from.
        history: checks that the student ran, where they agreed to keep them; a claim.
    """

    homework: str
    challenges: str = ""
    entries: Mapping[str, LogEntry] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    student: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    history: tuple[Mapping[str, Any], ...] = ()

    def stale(self, question: str, digests: Set[str] | None) -> str:
        """Why a recorded answer is not the one in the notebook, in words; empty if nothing speaks against it.

        Args:
            question: its id.
            digests: of the notebook's code cells; None if there is no notebook.
        """
        told = self.answers.get(question, {})
        if told.get("stale") in kit.STALE:
            return (
                f"The log says that {question} was {kit.STALE[told['stale']]}; what counts here is what was"
                " recorded."
            )
        if digests is not None and not set(told.get("sources", [])) <= digests:
            return (
                f"Cells that gave the recorded answer to {question} are not in this notebook: they were"
                " edited later. What was recorded counts."
            )
        return ""


def parse_json(data: bytes, limit: int, what: str, problem: type[SubmissionError] = SubmissionError) -> Any:
    """Parses JSON from a submission, with a cap on its size.

    Args:
        data: the file's bytes.
        limit: so many bytes at most.
        what: how messages name the file.
        problem: the error to raise.

    Raises:
        SubmissionError: too large, not UTF-8, not JSON, nested too deeply, or with numbers too long to read.
    """
    if len(data) > limit:
        raise problem(f"{what} is {len(data) / 1e6:.0f} MB; the limit is {limit / 1e6:.0f} MB.")
    if not data.strip():
        raise problem(f"{what} is empty. {AGAIN}")
    try:
        document = json.loads(data.decode("utf-8-sig"))
        # the walk costs time, and only an escape can spell half a character
        return whole_values(document) if rb"\ud" in data.lower() else document
    except UnicodeDecodeError:
        raise problem(
            f"{what} is not UTF-8 text. Another program has changed it; hand in the file that Jupyter saved."
        ) from None
    except RecursionError:
        raise problem(f"{what} is nested too deeply.") from None
    except json.JSONDecodeError as error:
        cut = error.msg.startswith("Unterminated") or not error.doc[error.pos :].strip()
        end = " It ends in the middle, as if saving or uploading was cut off." if cut else ""
        raise problem(
            f"{what} is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno}).{end} {AGAIN}"
        ) from None
    except ValueError:
        raise problem(f"{what} holds a number with too many digits.") from None


def whole_values(document: Any) -> Any:
    """A parsed document without halves of characters: JSON can spell them, no file can hold them."""
    if isinstance(document, str):
        return whole(document)
    if isinstance(document, list):
        return [whole_values(one) for one in document]
    if isinstance(document, dict):
        return {whole(name): whole_values(value) for name, value in document.items()}
    return document


def read_log(data: bytes, homework: Homework | None = None, what: str = "submission_log.json") -> Log:
    """Reads a log that a kernel wrote or a student handed in. Everything in it is untrusted.

    Args:
        data: the file's bytes.
        homework: the homework that it should belong to; None skips that comparison and the decoding of
            entries.
        what: how messages name the file.

    Returns:
        The log. Entries that are unusable have the status ``invalid``; they cost their own question only.

    Raises:
        LogError: the file is no log of this homework.
    """
    document = parse_json(data, MAX_LOG_BYTES, what, LogError)
    if not isinstance(document, dict):
        raise LogError(f"{what} should hold a JSON object, but holds {kit.describe(document)}.")
    notes = _check_head(document, what)
    if homework is None:
        return Log(document["homework"], notes=tuple(notes))
    if document["homework"] != homework.id:
        raise LogError(f"{what} belongs to {document['homework']}, not to {homework.id}.")
    known = {entry.name: entry for question in homework.questions.values() for entry in question.entries}
    entries = {}
    for name, raw in document["entries"].items():
        if name not in known:
            notes.append(f"{what} has an entry that {homework.id} does not ask for, ignored: {name}")
        elif problem := _entry_problem(raw):
            entries[name] = LogEntry(
                "invalid", problem=f"`{name}` in {_within(what)} cannot be read: {problem}"
            )
        else:
            entries[name] = _read_entry(known[name], raw, what)
    told = document.get("student", {}), document.get("answers", {})
    past = tuple(one for one in document.get("history", []) if one["question"] in homework.questions)
    return Log(homework.id, document.get("challenges", ""), entries, tuple(notes[:20]), *told, history=past)


def _read_entry(entry: Entry, raw: Mapping[str, Any], what: str) -> LogEntry:
    try:
        return entry.read(raw)
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        return LogEntry("invalid", problem=f"`{entry.name}` in {_within(what)} cannot be read: {error}")


def _within(what: str) -> str:
    """A file's name for the middle of a sentence."""
    return f"the {what[4:]}" if what.startswith("The ") else what
