"""``course.toml``: everything that belongs to a course and not to the package, in one file.

Reading is strict: an unknown key, a wrong type and a value that makes no sense are errors that name the place
and what is near.
"""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from autograder.declare.adapted import AdaptationError, Wanted, adapted
from autograder.declare.homework import Homework, declared_homeworks
from autograder.grade.report import REVEAL
from autograder.grade.variants import WORD
from autograder.lms.late import LatePolicy
from autograder.lms.platforms import platforms
from autograder.run.limits import Limits, implausible

FILE = "course.toml"
MAX_BYTES = 1_000_000
LIBRARY_CALLS = ("flag", "zero")
GENERAL = ("name", "homeworks", "staff", "variants", "reveal", "library_calls", "history")
LATE = ("free_days", "penalty", "most_days", "grace_minutes")
OF_HOMEWORK = ("title", "due", "column", "order", "questions")
OF_QUESTION = tuple(Wanted.__dataclass_fields__)


class CourseError(ValueError):
    """A course.toml that cannot be followed; the message names the place and what is possible there."""


@dataclass(frozen=True)
class Course:
    """What a course decided.

    Attributes:
        path: of its file; None where there is none.
        chosen: ids of the homeworks that it uses; all if empty.
        staff: names of the people who grade.
        variants, reveal, library_calls: as the options of the same names; None where it leaves them alone.
        history: whether notebooks keep the history of checks unless the student says otherwise.
        due: homework → when it is due.
        late: what late days cost; None where it says nothing.
        grace: after the due time that counts as on time.
        limits: name → value.
        platform: its name; empty where it says nothing.
        roles: role → the head of a column in the platform's file.
        columns: homework → the assignment's column in the platform's file.
        adaptation: what it changes in the homeworks, for :func:`autograder.declare.follow`; empty if nothing.
    """

    path: Path | None = None
    name: str = ""
    chosen: tuple[str, ...] = ()
    staff: tuple[str, ...] = ()
    variants: str | None = None
    reveal: str | None = None
    library_calls: str | None = None
    history: bool = False
    due: Mapping[str, datetime] = field(default_factory=dict)
    late: LatePolicy | None = None
    grace: timedelta = timedelta()
    limits: Mapping[str, float] = field(default_factory=dict)
    platform: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    adaptation: str = ""


def beside(paths: Iterable[Path]) -> Path | None:
    """The course.toml that belongs to folders or zips: the one beside them, else the one in this folder.

    Nothing inside a folder is looked at: what lies there was handed in.
    """
    places = [path.resolve().parent for path in paths if path.is_dir() or path.suffix.lower() == ".zip"]
    return next((one for place in [*places, Path.cwd()] if (one := place / FILE).is_file()), None)


def read(path: Path) -> Course:
    """The course of a file.

    Raises:
        CourseError: it cannot be followed.
        OSError: it cannot be read.
    """
    if path.stat().st_size > MAX_BYTES:
        raise CourseError(f"{path} is larger than {MAX_BYTES / 1e6:g} MB")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CourseError(f"{path}: this is not TOML: {error}") from None
    try:
        return _course(raw, path)
    except AdaptationError as error:
        raise CourseError(f"{path}: {error}") from None


def _course(raw: Mapping[str, Any], path: Path) -> Course:
    known = declared_homeworks()
    top = _Table(raw, (), path)
    top.allow(["course", "late", "limits", "platform", *known])
    own, late, platform = (top.table(name) for name in ("course", "late", "platform"))
    own.allow(GENERAL)
    late.allow(LATE)
    platform.allow(["name", "columns"])
    homeworks = {name: top.table(name) for name in known if name in raw}
    for table in homeworks.values():
        table.allow(OF_HOMEWORK)
    chosen = own.texts("homeworks")
    for name in chosen:
        own.among("homeworks", name, list(known))
    told = {name: _adaptation(known[name], table) for name, table in homeworks.items()}
    changed = {name: one for name, one in told.items() if one}
    return Course(
        path,
        own.text("name") or "",
        tuple(chosen),
        tuple(own.texts("staff")),
        _word(own),
        own.choice("reveal", REVEAL),
        own.choice("library_calls", LIBRARY_CALLS),
        own.flag("history") or False,
        {name: due for name, table in homeworks.items() if (due := table.time("due"))},
        _late(late) if "late" in raw else None,
        timedelta(minutes=late.number("grace_minutes", 0, 100_000) or 0),
        _limits(top.table("limits")),
        *_platform(platform),
        {name: column for name, table in homeworks.items() if (column := table.text("column"))},
        json.dumps(changed, sort_keys=True) if changed else "",
    )


def _word(own: _Table) -> str | None:
    word = own.text("variants")
    if word and not WORD.fullmatch(word):
        raise own.error("variants", f"{word!r} must be letters, digits, dots, dashes and underscores")
    return word


def _late(late: _Table) -> LatePolicy:
    most = late.whole("most_days", 0)
    return LatePolicy(late.whole("free_days", 0) or 0, late.number("penalty", 0, 100) or 0.0, most)


def _limits(table: _Table) -> dict[str, float]:
    defaults = asdict(Limits())
    table.allow(defaults)
    found: dict[str, float] = {}
    for name in table.raw:
        value = table.number(name, -math.inf, math.inf)
        assert value is not None
        if problem := implausible(name, value):
            raise table.error(name, problem)
        found[name] = type(defaults[name])(value)
    return found


def _platform(table: _Table) -> tuple[str, dict[str, str]]:
    name = table.choice("name", list(platforms()))
    columns = table.table("columns")
    if name is None:
        if columns.raw:
            raise table.error("columns", 'needs the platform\'s name: name = "canvas"')
        return "", {}
    columns.allow(platforms()[name].heads)
    return name, {role: head for role in columns.raw if (head := columns.text(role))}


def _adaptation(homework: Homework, table: _Table) -> dict[str, Any]:
    """What a table changes in a homework; what it states as declared is left out."""
    told: dict[str, Any] = {}
    if (title := table.text("title")) and title != homework.title:
        told["title"] = title
    order = table.texts("order")
    for name in order:
        table.among("order", name, list(homework.questions))
    if order and order != list(homework.questions):
        told["order"] = order
    questions = table.table("questions")
    questions.allow(homework.questions)
    changes = {}
    for name in questions.raw:
        asked = homework.questions[name]
        wanted = _wanted(questions.table(name))
        usual = {
            "title": asked.title,
            "minutes": asked.minutes,
            "extra": asked.extra,
            "points": asked.points,
            "written": asked.written.points if asked.written else None,
        }
        if change := {key: value for key, value in wanted.items() if usual.get(key) != value}:
            changes[name] = change
    if changes:
        told["questions"] = changes
    adapted(homework, told)  # raises where it does not fit
    return told


def _wanted(table: _Table) -> dict[str, Any]:
    table.allow(OF_QUESTION)
    found: dict[str, Any] = {
        "title": table.text("title"),
        "minutes": table.whole("minutes", 1),
        "extra": table.flag("extra"),
        "points": table.number("points", 0, 1e6, above=True),
        "written": table.number("written", 0, 1e6, above=True),
    }
    for name in ("checks", "rubric"):
        inner = table.table(name)
        found[name] = {key: inner.number(key, 0, 1e6, above=True) for key in inner.raw} or None
    if "words" in table.raw:
        words = table.raw["words"]
        if not (isinstance(words, list) and len(words) == 2 and all(type(one) is int for one in words)):
            raise table.error("words", "must be two whole numbers, such as [60, 150]")
        if not 0 <= words[0] <= words[1]:
            raise table.error("words", "must be the least and the most, such as [60, 150]")
        found["words"] = words
    return {name: value for name, value in found.items() if value is not None}


class _Table:
    """A table of the file, and its place for messages."""

    def __init__(self, raw: Mapping[str, Any], place: tuple[str, ...], path: Path):
        self.raw, self.place, self.path = raw, place, path

    def error(self, key: str, told: str) -> CourseError:
        """The error at a key."""
        shown = ".".join(part if part.isidentifier() else json.dumps(part) for part in (*self.place, key))
        return CourseError(f"{self.path}, {shown}: {told}")

    def allow(self, keys: Iterable[str]) -> None:
        """Raises for a key that is none of these."""
        known = list(keys)
        for key in self.raw:
            if key not in known:
                raise self.error(key, f"there is no such key{nearest(key, known)}")

    def among(self, key: str, value: str, known: Sequence[str]) -> None:
        """Raises for a value that is none of these."""
        if value not in known:
            raise self.error(key, f"there is no {value!r}{nearest(value, known)}")

    def _of(self, key: str, kind: tuple[type, ...], expected: str) -> Any:
        if key not in self.raw:
            return None
        value = self.raw[key]
        if not isinstance(value, kind) or (isinstance(value, bool) and bool not in kind):
            raise self.error(key, f"must be {expected}, but it is {_said(value)}")
        return value

    def table(self, key: str) -> _Table:
        """A table within; empty if it is not there."""
        return _Table(self._of(key, (dict,), "a table") or {}, (*self.place, key), self.path)

    def text(self, key: str) -> str | None:
        """A text."""
        value: str | None = self._of(key, (str,), "a text in quotes")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts; empty if it is not there."""
        found = self._of(key, (list,), 'a list of texts, such as ["a", "b"]') or []
        if not all(isinstance(one, str) for one in found):
            raise self.error(key, 'must be a list of texts, such as ["a", "b"]')
        return list(found)

    def flag(self, key: str) -> bool | None:
        """True or false."""
        value: bool | None = self._of(key, (bool,), "true or false, without quotes")
        return value

    def whole(self, key: str, least: int) -> int | None:
        """A whole number."""
        value: int | None = self._of(key, (int,), "a whole number, without quotes")
        if value is not None and value < least:
            raise self.error(key, f"must be {least} or more, but it is {value}")
        return value

    def number(self, key: str, least: float, most: float, above: bool = False) -> float | None:
        """A number."""
        value: float | None = self._of(key, (int, float), "a number, without quotes")
        if value is None:
            return None
        if math.isnan(value) or not least <= value <= most or (above and value == least):
            low = f"above {least:g}" if above else f"from {least:g}"
            raise self.error(key, f"must be {low} to {most:g}, but it is {value:g}")
        return value

    def choice(self, key: str, known: Sequence[str]) -> str | None:
        """One of several words."""
        value = self.text(key)
        if value is not None:
            self.among(key, value, known)
        return value

    def time(self, key: str) -> datetime | None:
        """A date and time."""
        value: datetime | None = self._of(
            key, (datetime,), "a date and time without quotes, such as 2026-11-03T23:59:00-08:00"
        )
        return value


def nearest(name: str, known: Sequence[str]) -> str:
    """What an unknown name may have meant, as the end of a message."""
    near = difflib.get_close_matches(name, known, 1, 0.5)
    there = f"there are {', '.join(known)}" if known else "there are none"
    return f"; did you mean {near[0]!r}? {there[0].upper()}{there[1:]}" if near else f"; {there}"


def _said(value: object) -> str:
    kinds = {str: "a text", bool: "true or false", int: "a whole number", float: "a number", list: "a list"}
    told = next((words for kind, words in kinds.items() if type(value) is kind), "something else")
    return f"{told}: {str(value)[:60]!r}" if told != "something else" else told
