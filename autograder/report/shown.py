"""Results as a feedback page shows them: states, pictures, and what of a hidden input is allowed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from autograder.declare import Question, homeworks, picture_of
from autograder.grade.report import LOST, CheckResult, QuestionResult, Report
from autograder.report.evidence import evidence_svg
from autograder.report.tables import REVEAL

SYMBOLS = {"pass": "✓", "fail": "✗", "part": "◐", "open": "○", "fault": "!"}
SPOKEN = {
    "pass": "passed",
    "fail": "failed",
    "part": "partly right",
    "open": "not answered",
    "fault": "not judged, points open",
}
# as autograder.grade.marks writes an item that earned something
EARNED = re.compile(r"(?P<text>.*) \((?P<earned>-?[\d.]+) of (?P<points>-?[\d.]+)\)", re.S)
# a check that a mistake in the grader left "open" is a fault here, where "open" means unanswered
STATES = {"passed": "pass", "failed": "fail", "partly": "part", "unanswered": "open", "open": "fault"}


@dataclass(frozen=True)
class ShownCheck:
    """A check as the page shows it: its picture, and of a failing case what the instructor allows."""

    result: CheckResult
    state: str
    picture: Markup | None
    caption: str
    case: Mapping[str, Any] | None
    cell: int = 0  # number of the cell that it concerns; 0 if none is shown

    @property
    def symbol(self) -> str:
        """The state as a sign; the page says it in words, too."""
        return SYMBOLS[self.state]

    @property
    def spoken(self) -> str:
        """The state in words; the cause, where that is no mistake of the answer."""
        return self.result.cause if self.result.cause in LOST else SPOKEN[self.state]


@dataclass(frozen=True)
class RubricItem:
    """An item of a written answer's rubric: what it gave, of how much."""

    text: str
    earned: float
    points: float

    @property
    def state(self) -> str:
        """Whether it was earned, in part, or missed; of a deduction, whether it was made."""
        if self.points < 0:
            return "fail" if self.earned < 0 else "pass"
        return "pass" if self.earned >= self.points else "part" if self.earned > 0 else "fail"

    @property
    def symbol(self) -> str:
        """The state as a sign."""
        return SYMBOLS[self.state]

    @property
    def spoken(self) -> str:
        """The state in words."""
        if self.points < 0:
            return "deducted" if self.earned < 0 else "not deducted"
        return {"pass": "earned", "part": "earned in part", "fail": "missed"}[self.state]


@dataclass(frozen=True)
class ShownQuestion:
    """A question as the page shows it."""

    result: QuestionResult
    state: str
    checks: tuple[ShownCheck, ...]
    anchor: str
    declared: Question | None = None

    @property
    def rubric(self) -> list[RubricItem]:
        """The items of the rubric as a person gave them; none where points were given without items."""
        result = self.result
        written = self.declared.written if self.declared else None
        if result.given is None or not (result.reasons or not result.given):
            return []
        items = dict(result.rubric or (written.rubric if written else ()))
        found = {text: RubricItem(text, 0.0, worth) for text, worth in items.items()}
        for reason in result.reasons:
            if earned := EARNED.fullmatch(reason):
                text = earned["text"]
                found[text] = RubricItem(text, float(earned["earned"]), float(earned["points"]))
            else:  # of an older run
                found[reason] = RubricItem(reason, 1.0, 1.0)
        return list(found.values())

    @property
    def is_done(self) -> bool:
        """Whether nothing of it was lost, as far as it was judged."""
        return self.state == "pass" and not (
            self.result.given is not None and self.result.given < self.result.written_points
        )

    @property
    def waits(self) -> bool:
        """Whether its written answer waits for a person."""
        return self.result.written is not None and self.result.given is None

    @property
    def words(self) -> int:
        """How many words the written answer has."""
        return len((self.result.written or "").split())

    @property
    def symbol(self) -> str:
        """The state as a sign."""
        return SYMBOLS[self.state]

    @property
    def spoken(self) -> str:
        """The state in words; the cause, where nothing but that kept it from being judged."""
        causes = {check.result.cause for check in self.checks}
        if len(causes) == 1 and causes <= set(LOST):
            return causes.pop()
        return SPOKEN[self.state] if self.checks else "written"


def question_state(result: QuestionResult) -> str:
    """``pass``, ``fail``, ``part``, ``open`` or ``fault``: all checks and the written answer together."""
    if (whole := result.override("")) is not None:
        return "pass" if whole.points >= result.maximum else "part" if whole.points > 0 else "fail"
    states = [
        STATES[check.state] if result.override(check.name) is None else _set_state(result, check)
        for check in result.checks
    ]
    if not states:
        if result.given is None:
            return "open"
        return "pass" if result.given >= result.written_points else "part" if result.given > 0 else "fail"
    if "fault" in states:
        return "fault"
    if all(state == "pass" for state in states):
        missed = result.given is not None and result.given < result.written_points
        return "part" if missed else "pass"
    if all(state == "open" for state in states):
        return "open"
    return "part" if result.points > 0 else "fail"


def _set_state(result: QuestionResult, check: CheckResult) -> str:
    """The state of a check whose points were set by hand."""
    earned = result.earned(check)
    return "pass" if earned >= check.maximum else "part" if earned > 0 else "fail"


def shown_case(evidence: Mapping[str, Any] | None, reveal: str) -> dict[str, Any] | None:
    """What the instructor allows of a failing case: ``words`` (its shape), ``inputs``, or ``all``."""
    if not evidence or evidence.get("kind") != "case":
        return None
    inputs = [
        (name, words, text if reveal != "words" else "") for name, words, text in evidence.get("inputs", [])
    ]
    return {
        "note": evidence.get("note", ""),
        "inputs": inputs,
        "expected": evidence.get("expected") if reveal == "all" else None,
        "found": evidence.get("found"),
    }


def shown_check(check: CheckResult, name: str, reveal: str) -> ShownCheck:
    """A check, ready for the page; ``name`` is unique there."""
    drawn = picture_of(check.evidence, reveal == REVEAL[-1])
    picture = evidence_svg(drawn, name) if drawn else None
    return ShownCheck(
        check,
        STATES[check.state],
        picture,
        str(drawn["caption"]) if drawn and picture else "",
        shown_case(check.evidence, reveal),
    )


def anchor(question: str) -> str:
    """Where a question's result stands on the feedback page."""
    return f"q-{question.replace('.', '-')}"


def shown_questions(graded: Report, reveal: str) -> list[ShownQuestion]:
    """The questions of a report, ready for the page."""
    declared = homeworks()[graded.homework].questions if graded.homework in homeworks() else {}
    made = []
    for number, question in enumerate(graded.questions):
        checks = tuple(
            shown_check(check, f"f{number}-{index}", reveal) for index, check in enumerate(question.checks)
        )
        made.append(
            ShownQuestion(
                question,
                question_state(question),
                checks,
                anchor(question.id),
                declared.get(question.id),
            )
        )
    return made
