"""The mistakes of a class: each counted once for a submission, whatever numbers and checks it shows in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autograder.declare import Question, homeworks
from autograder.grade.report import LOST, CheckResult, Report

EXAMPLES = 2  # shown of each
MAX_TITLE = 160  # characters


@dataclass(frozen=True)
class Mistake:
    """The same mistake in several submissions.

    Attributes:
        question: its id.
        title: the mistake by its name, or how the first feedback begins.
        checks: those that failed through it → in how many submissions, the one that shows it first.
        examples: submission and feedback, different ones.
        submissions: all of them.
        named: whether the homework has a name for it.
    """

    question: str
    title: str
    checks: Mapping[str, int]
    examples: tuple[tuple[str, str], ...]
    submissions: tuple[str, ...]
    named: bool = False

    @property
    def check(self) -> str:
        """The check that shows it first."""
        return next(iter(self.checks))


def kind_of(feedback: str) -> str:
    """Feedback without what differs from student to student: numbers, quoted code and sequences."""
    text = re.sub(r"`[^`]*`", "`…`", feedback)
    text = re.sub(r"[-+]?(?:\d[\d.,]*(?:e[-+]?\d+)?|nan|inf)", "#", text, flags=re.I)
    return re.sub(r"[\[(][#\s,]*[\])]", "[#]", text)


def mistakes(reports: Sequence[Report]) -> list[Mistake]:
    """The mistakes of one homework, most frequent first.

    The checks of a question that look at the same answer fail through one mistake: it is known by its name,
    if one of them names it, and else by what the first of them says.
    """
    declared = homeworks()[reports[0].homework].questions if _known(reports) else {}
    names = {name: _names(question) for name, question in declared.items()}
    answers = {name: {one.name: one.needs for one in question.checks} for name, question in declared.items()}
    groups: dict[tuple[str, str], list[tuple[str, list[CheckResult]]]] = {}
    titles: dict[tuple[str, str], str] = {}
    for one in reports:
        for question in one.questions:
            slips: dict[tuple[str, ...], list[CheckResult]] = {}
            needs = answers.get(question.id, {})
            for check in question.checks:
                if check.state in ("failed", "partly") and check.cause not in LOST:
                    slips.setdefault(needs.get(check.name, (check.name,)), []).append(check)
            for failed in slips.values():
                named = next(
                    (says for check in failed if (says := _named(check, names.get(question.id, [])))), ""
                )
                key = (question.id, named or kind_of(failed[0].feedback))
                titles.setdefault(key, named)
                groups.setdefault(key, []).append((one.submission, failed))
    made = [_mistake(key, titles[key], found) for key, found in groups.items()]
    return sorted(made, key=lambda one: -len(one.submissions))


def by_question(found: Iterable[Mistake]) -> dict[str, list[Mistake]]:
    """Question → its mistakes, the question with the most first."""
    groups: dict[str, list[Mistake]] = {}
    for one in found:
        groups.setdefault(one.question, []).append(one)
    return dict(
        sorted(groups.items(), key=lambda item: -len({name for one in item[1] for name in one.submissions}))
    )


def _known(reports: Sequence[Report]) -> bool:
    return bool(reports) and reports[0].homework in homeworks()


def _names(question: Question) -> list[str]:
    """The mistakes that a question's challenges name; the longest first, as one may begin another."""
    found = {says for entry in question.entries for says in getattr(entry, "mistakes", {}) if says}
    return sorted(found, key=lambda says: (-len(says), says))


def _named(check: CheckResult, names: Iterable[str]) -> str:
    return next((says for says in names if says in check.feedback), "")


def _mistake(key: tuple[str, str], named: str, found: Sequence[tuple[str, list[CheckResult]]]) -> Mistake:
    """A group of failed checks as one mistake."""
    checks: Counter[str] = Counter()
    examples: dict[str, str] = {}
    submissions: dict[str, None] = {}
    for name, failed in found:
        submissions[name] = None
        checks.update({check.name: 1 for check in failed})
        if len(examples) < EXAMPLES:
            shown = next((one for one in failed if named and named in one.feedback), failed[0])
            examples.setdefault(shown.feedback, name)
    first = next(iter(examples))
    return Mistake(
        key[0],
        named or brief(first),
        dict(checks),
        tuple((name, feedback) for feedback, name in examples.items()),
        tuple(submissions),
        bool(named),
    )


def brief(text: str) -> str:
    """How a text begins, on one line and without its marks of Markdown."""
    line = " ".join(text[: 4 * MAX_TITLE].replace("**", "").replace("`", "").split())
    return line if len(line) <= MAX_TITLE else f"{line[:MAX_TITLE].rsplit(' ', 1)[0]} …"
