"""Which grades changed since the last run into a folder of results, and why.

At its end a run keeps what every grade rested on, so that the next can tell a new submission from a changed
check. A run that was stopped keeps nothing: the next one compares with the last that came to its end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autograder.files import SECRET, encoded, write_atomically
from autograder.grade.report import QuestionResult, Report
from autograder.grade.settings import Settings
from autograder.grade.workers import grader_version

FILE = "last-run.json"
FORM = 1  # of that file; another form is not compared
WHOLE = ""  # in place of a question: the submission as a whole
TOLERANCE = 1e-9
Kept = Mapping[str, Any]  # of one submission or question, as the file holds it


@dataclass(frozen=True)
class Change:
    """One grade that is another than after the last run.

    Attributes:
        question: its id; :data:`WHOLE` for a submission that is new, gone, or could not be judged in one of
            the runs.
        before, after: points, written answers included; None while nothing is judged.
        why: reasons in words.
        checks: names of the checks whose points differ.
        was, now: whether the submission or question was there, and is there.
    """

    submission: str
    homework: str
    question: str
    before: float | None
    after: float | None
    why: tuple[str, ...]
    checks: tuple[str, ...] = ()
    was: bool = True
    now: bool = True

    @property
    def points(self) -> str:
        """The points before and after, in words; a dash for what is not there."""
        return f"{_words(self.before, self.was)} → {_words(self.after, self.now)}"

    @property
    def line(self) -> str:
        """The change in a line, for a terminal."""
        what = f" {self.question}" if self.question else ""
        named = f" [{', '.join(self.checks)}]" if self.checks else ""
        where = f"{self.submission}, {self.homework or 'not recognized'}{what}"
        return f"{where}: {self.points} ({'; '.join(self.why)}){named}"


def _words(points: float | None, there: bool) -> str:
    if not there:
        return "–"
    return "open" if points is None else f"{round(points, 2):g}"


def snapshot(reports: Iterable[Report], settings: Settings) -> dict[str, Any]:
    """What every grade of a run rests on, as JSON.

    Args:
        reports: with everything that people decided.
        settings: of the run; of its seed a digest is kept.
    """
    told = asdict(settings)
    own = {"seed": settings.seed, "course": told.pop("course", "")}
    own["settings"] = {name: value for name, value in told.items() if name != "seed"}
    basis = {name: _digest(value) for name, value in own.items()}
    return {
        "form": FORM,
        "basis": {**basis, "version": grader_version()},
        "submissions": {one.submission: _kept(one) for one in reports},
    }


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _kept(report: Report) -> Kept:
    return {
        "homework": report.homework,
        "digest": report.digest,
        "questions": {question.id: _question(question) for question in report.questions},
    }


def _question(question: QuestionResult) -> Kept:
    return {
        "points": None if question.open_points else round(question.points, 6),
        "maximum": round(question.maximum, 6),
        "given": question.given,
        "rubric": [list(item) for item in question.rubric],  # where the staff edited it
        "checks": {check.name: round(question.earned(check), 6) for check in question.checks},
        "overrides": {one.part: [one.points, one.why] for one in question.overrides},
        "fault": bool(question.open_points),
    }


def read(output: Path) -> Kept | None:
    """What the last run kept; None if there was none, or what it kept cannot be read."""
    try:
        found = json.loads((output / FILE).read_bytes())
        return found if found["form"] == FORM and isinstance(found["submissions"], dict) else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write(output: Path, kept: Kept) -> None:
    """Keeps what this run's grades rest on."""
    write_atomically(output / FILE, encoded(json.dumps(kept, sort_keys=True)), SECRET)


def compare(before: Kept, after: Kept) -> list[Change]:
    """The grades that differ between two runs, by submission and question."""
    old, new = before["submissions"], after["submissions"]
    basis = [
        words
        for name, words in (
            ("seed", "other seed"),
            ("version", "changed check"),
            ("settings", "other settings"),
            ("course", "course.toml"),
        )
        if before["basis"].get(name) != after["basis"].get(name)
    ]
    found: list[Change] = []
    for name in sorted(set(old) | set(new)):
        if name not in old:
            found.append(_whole(name, None, new[name], "new submission"))
        elif name not in new:
            found.append(_whole(name, old[name], None, "no longer among the submissions"))
        else:
            found += _of_one(name, old[name], new[name], basis)
    return found


def _total(kept: Kept) -> float | None:
    parts = kept["questions"].values()
    if not parts or all(_points(one) is None for one in parts):
        return None
    return sum(_points(one) or 0.0 for one in parts)


def _points(question: Kept) -> float | None:
    """Points of a question as a person would say them; None while none are given."""
    parts = [question["points"] if question["checks"] else None, question["given"]]
    known = [one for one in parts if one is not None]
    return sum(known) if known else None


def _whole(name: str, old: Kept | None, new: Kept | None, why: str) -> Change:
    homework = (new or old or {})["homework"]
    totals = (_total(old) if old else None), (_total(new) if new else None)
    return Change(name, homework, WHOLE, *totals, (why,), was=old is not None, now=new is not None)


def _of_one(name: str, old: Kept, new: Kept, basis: Sequence[str]) -> Iterator[Change]:
    handed = ["new submission"] if old["digest"] != new["digest"] else []
    if bool(old["questions"]) != bool(new["questions"]) or old["homework"] != new["homework"]:
        why = "; ".join(handed + list(basis)) or "judged again"
        yield _whole(name, old, new, why)
        return
    for question in dict.fromkeys([*old["questions"], *new["questions"]]):
        was, now = old["questions"].get(question), new["questions"].get(question)
        if was is None or now is None:
            points = (_points(was) if was else None), (_points(now) if now else None)
            why = "left out by course.toml or the homework" if now is None else "a question of its own now"
            there = was is not None, now is not None
            yield Change(name, new["homework"], question, *points, (why,), (), *there)
        elif _differ(_points(was), _points(now)) or was["maximum"] != now["maximum"]:
            yield _changed(name, new["homework"], question, was, now, [*handed, *basis])


def _differ(one: float | None, other: float | None) -> bool:
    return (one is None) != (other is None) or abs((one or 0.0) - (other or 0.0)) > TOLERANCE


def _changed(name: str, homework: str, question: str, was: Kept, now: Kept, basis: Sequence[str]) -> Change:
    checks = tuple(
        check
        for check in dict.fromkeys([*was["checks"], *now["checks"]])
        if _differ(was["checks"].get(check), now["checks"].get(check))
    )
    why = []
    if was["overrides"] != now["overrides"]:
        reasons = [
            told
            for part, (_, told) in now["overrides"].items()
            if part not in was["overrides"] or was["overrides"][part] != now["overrides"][part]
        ]
        why.append(f"override: {'; '.join(reasons)}" if reasons else "an override was taken back")
    if was["given"] != now["given"] and not why:
        edited = was["given"] is not None and was.get("rubric", []) != now["rubric"]
        why.append("the rubric was edited" if edited else "written answer graded by a person")
    by_hand = set(now["overrides"]) | set(was["overrides"])
    if ("" not in by_hand and set(checks) - by_hand) or was["maximum"] != now["maximum"]:
        why += ["judged again after a mistake in the grader"] if was["fault"] and not basis else basis
    if was["maximum"] != now["maximum"]:
        why.append(f"worth {now['maximum']:g} points instead of {was['maximum']:g}")
    return Change(
        name, homework, question, _points(was), _points(now), tuple(why) or ("judged again",), checks
    )
