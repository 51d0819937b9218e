"""What a homework consists of: its questions, and how each is judged.

A homework module reads like a specification; see ``autograder/homeworks/hw3/homework.py`` for the pattern.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from autograder import kit
from autograder.declare.cases import Case, generator
from autograder.declare.data import Data
from autograder.declare.entries import Challenge, Checkpoint, Entry
from autograder.declare.given import given_text
from autograder.declare.judging import judge_cases
from autograder.declare.text import Number, Numbers, Written
from autograder.declare.verdicts import Answer, Check, Judge, Verdict
from autograder.kit.answers import lines_given

NOT_JUDGED = "not judged"  # behind a requirement that no check looks at
DIFFICULTIES = ("easy", "medium", "hard", "challenge")


class Question:
    """One question: what it records and how that is judged. Made by :meth:`Homework.question`.

    Args:
        id: its number in the notebook, such as ``3.7a``; questions of one row differ in the letter only.
        title: for people.
        minutes: how long a student needs, about.
        difficulty: one of :data:`DIFFICULTIES`.
        entries: what it records.
        written: its written answer, if it asks for one.
        extra: whether it is extra credit.
        claimed: whether values in the log that was handed in count where the grader's run gives none.
        forbids: library calls that would do the whole job; see :mod:`autograder.submissions.library_calls`.
        numbers: those of its text that a course may draw for each student.
        topic: what a lecture has to have covered; said once for the questions of a row.
        asks: each requirement of its text → the check behind it, several of them, or :data:`NOT_JUDGED`. What
            follows from the declaration (letters, written answers, forbidden calls) is left out.
        homework: the id of its homework, for messages.
    """

    def __init__(
        self,
        id: str,
        title: str,
        *,
        minutes: int,
        difficulty: str,
        entries: Sequence[Entry] = (),
        written: Written | None = None,
        extra: bool = False,
        claimed: bool = False,
        forbids: Sequence[str] = (),
        numbers: Sequence[Number] = (),
        topic: str = "",
        asks: Mapping[str, str | Sequence[str]] | None = None,
        homework: str = "",
    ):
        self.where = f"{homework}, {id}" if homework else id
        if difficulty not in DIFFICULTIES:
            raise ValueError(f"{self.where}: difficulty {difficulty!r} is none of {', '.join(DIFFICULTIES)}")
        self.id, self.title, self.minutes, self.difficulty = id, title, minutes, difficulty
        self.topic, self.asks = topic, dict(asks or {})
        self.entries, self.written, self.extra, self.claimed = tuple(entries), written, extra, claimed
        self.forbids, self.numbers = tuple(forbids), tuple(numbers)
        self.checks: list[Check] = []
        for entry in self.entries:
            with self._naming(entry.name):
                if check := entry.check():
                    self._add(check)

    @property
    def points(self) -> float:
        """The points that the autograder can give; written points come on top."""
        return sum(check.points for check in self.checks)

    def asked(self) -> list[tuple[str, tuple[str, ...]]]:
        """Each requirement of the text with the checks behind it; none where it is not judged.

        Choices judge themselves and come last.
        """
        stated = [
            (requirement, (checks,) if isinstance(checks, str) else tuple(checks))
            for requirement, checks in self.asks.items()
        ]
        stated = [(text, () if checks == (NOT_JUDGED,) else checks) for text, checks in stated]
        own = [entry.name for entry in self.entries if entry.check() is not None]
        return [*stated, *((f"`{name}` is the right letter", (name,)) for name in own)]

    def usual_numbers(self) -> Numbers:
        """The numbers in its text, as they are for everybody."""
        return Numbers({number.name: number.usual for number in self.numbers})

    def numbers_of(self, student: str, word: str) -> Numbers:
        """The numbers of one student, drawn from the course's word and the id."""
        return Numbers(
            kit.draw_numbers(word, self.id, student, {number.name: number.among for number in self.numbers})
        )

    def entry(self, name: str) -> Entry:
        """The entry of that name.

        Raises:
            KeyError: there is none.
        """
        return {entry.name: entry for entry in self.entries}[name]

    def check(
        self, label: str = "", *, points: float, needs: Sequence[str] | None = None
    ) -> Callable[[Callable[..., Verdict]], Callable[..., Verdict]]:
        """Registers a judge, a function that returns None (or Right) if the answer is right and Wrong if not.

        The judge's parameters name what it looks at: an entry (``attention_weights``), the end of an entry's
        name after an underscore (``Q`` for ``attention_by_content_Q``), ``numbers`` for the question's own
        numbers, or ``answer`` for everything by entry name.

        Args:
            label: what is right when it passes, as students and gallery name it; the judge's name in words if
                left out.
            points: for passing; above 0.
            needs: entries that must be present and well shaped, beside those that the parameters name; all
                required ones that do not judge themselves, as choices do, if left out.

        Raises:
            ValueError: the points are no positive number, the label is another check's, ``needs`` names what
                is no entry, or a parameter names no entry, or two.
        """
        required = [entry for entry in self.entries if not entry.optional]
        recorded = tuple(entry.name for entry in required if entry.check() is None)
        wanted = recorded if needs is None else tuple(needs)

        def register(judge: Callable[..., Verdict]) -> Callable[..., Verdict]:
            name = label or judge.__name__.replace("_", " ").strip()
            with self._naming(name):
                called, named = self._called_by_name(judge)
                self._add(Check(name, points, called, tuple(dict.fromkeys([*wanted, *named]))))
            return judge

        return register

    @contextlib.contextmanager
    def _naming(self, check: str) -> Iterator[None]:
        """Puts homework, question and check before the message of an error."""
        try:
            yield
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self.where}, {check!r}: {error}") from error

    def _called_by_name(self, judge: Callable[..., Verdict]) -> tuple[Judge, list[str]]:
        """The judge as a function of the whole answer, and the entries that its parameters name."""
        parameters = list(inspect.signature(judge).parameters)
        if parameters in (["answer"], ["_"]):
            return judge, []
        found: dict[str, str] = {}
        for parameter in parameters:
            names = [*(entry.name for entry in self.entries), *(["numbers"] if self.numbers else [])]
            if parameter == "answer" or parameter in names:
                found[parameter] = parameter
                continue
            ends = [name for name in names if name.endswith(f"_{parameter}")]
            if len(ends) != 1:
                what = f"the entries {', '.join(ends)}" if ends else "no entry"
                raise ValueError(f"the parameter {parameter!r} means {what} of {names}")
            found[parameter] = ends[0]

        def judged(answer: Answer) -> Verdict:
            arguments = {name: answer if name == "answer" else answer[entry] for name, entry in found.items()}
            return judge(**arguments)

        return judged, [name for name in found.values() if name not in ("answer", "numbers")]

    def check_cases(self, target: str, name: str, *, points: float, group: str = "values") -> None:
        """Registers the comparison of a challenge's responses, of one group of cases, with its oracle.

        Raises:
            ValueError: as :meth:`check` does, or the target is no challenge with an oracle.
        """
        with self._naming(name):
            challenge = next((entry for entry in self.entries if entry.name == target), None)
            if not isinstance(challenge, Challenge) or challenge.expected is None:
                raise ValueError(f"{target} is no challenge with an oracle")
            self._add(
                Check(name, points, lambda answer: judge_cases(challenge, answer[target], group), (target,))
            )

    def _add(self, check: Check) -> None:
        if check.name in {other.name for other in self.checks}:
            raise ValueError("another check of this question has that name")
        names = [entry.name for entry in self.entries]
        if unknown := [need for need in check.needs if need not in names]:
            raise ValueError(f"it needs {', '.join(unknown)}; the question records {', '.join(names)}")
        self.checks.append(check)


class Homework:
    """A homework: its questions in order.

    Args:
        id: such as ``hw3``.
        title: for people.
        stem: the file name without ending, of source and notebook.
        data: what it needs beyond the repository; None if nothing.
        imports: modules that its kernels import by and by and that take long, such as ``torch._dynamo``; a
            warm sandbox imports them once, before it forks kernels.
    """

    def __init__(
        self, id: str, *, title: str, stem: str, data: Data | None = None, imports: Sequence[str] = ()
    ):
        self.id, self.title, self.stem, self.data = id, title, stem, data
        self.imports = tuple(imports)
        self.questions: dict[str, Question] = {}
        self.left_out: tuple[str, ...] = ()  # questions that a course leaves out
        self.retitled: Mapping[str, str] = {}  # questions that a course calls something else

    def question(self, id: str, title: str, **fields: Any) -> Question:
        """Adds a question; see :class:`Question` for the fields."""
        if id in self.questions:
            raise ValueError(f"{self.id}: two questions are called {id}")
        taken = {entry.name for question in self.questions.values() for entry in question.entries}
        question = Question(id, title, homework=self.id, **fields)
        names = [entry.name for entry in question.entries]
        if "numbers" in names:
            raise ValueError(
                f"{question.where}: no entry may be called 'numbers'; judges find the question's own numbers"
                " under that name"
            )
        if twice := sorted({name for name in names if name in taken or names.count(name) > 1}):
            raise ValueError(f"{question.where}: recorded before: {', '.join(twice)}; give it another name")
        self.questions[id] = question
        return question

    def sort_questions(self) -> None:
        """Puts the questions into the order of their numbers: 3.9 before 3.10, 3.7a before 3.7b."""

        def number(id: str) -> tuple[tuple[int, ...], str]:
            digits = re.match(r"[\d.]*", id)
            parts = digits[0] if digits else ""
            return tuple(int(part) for part in parts.split(".") if part), id[len(parts) :]

        self.questions = dict(sorted(self.questions.items(), key=lambda item: number(item[0])))

    @property
    def minutes(self) -> int:
        """How long a student needs, about, extra credit not counted."""
        return sum(question.minutes for question in self.questions.values() if not question.extra)

    @property
    def points(self) -> float:
        """What the autograder can give, extra credit not counted."""
        return sum(question.points for question in self.questions.values() if not question.extra)

    @property
    def written_points(self) -> float:
        """What people give for written answers."""
        return sum(question.written.points for question in self.questions.values() if question.written)

    def challenges(self) -> list[Challenge]:
        """All challenges, in the order of the questions."""
        return [
            entry
            for question in self.questions.values()
            for entry in question.entries
            if isinstance(entry, Challenge)
        ]

    def checkpoints(self) -> list[Checkpoint]:
        """All checkpoints, in the order of the questions."""
        return [challenge for challenge in self.challenges() if isinstance(challenge, Checkpoint)]

    def draw(self, seed: str) -> dict[str, dict[str, Case]]:
        """Draws the hidden inputs: challenge name → case id → case. The same seed gives the same cases."""
        drawn = {}
        for challenge in self.challenges():
            cases = challenge.drawn(generator(seed, self.id, challenge.name))
            drawn[challenge.name] = {f"{challenge.name}/{index}": case for index, case in enumerate(cases)}
        return drawn

    def describe(self) -> dict[str, Any]:
        """What the notebook may know: titles, points, entries, public examples. No answer."""
        questions = []
        for question in self.questions.values():
            spec: dict[str, Any] = {
                "id": question.id,
                "title": question.title,
                "points": question.points,
                "entries": [entry.describe() for entry in question.entries],
            }
            if question.written:
                spec["written"] = question.written.points
            if question.extra:
                spec["extra"] = True
            if question.claimed:
                spec["claimed"] = True
            if question.numbers:
                spec["numbers"] = {number.name: list(number.among) for number in question.numbers}
            questions.append(spec)
        examples = {challenge.name: challenge.public(self.id) for challenge in self.challenges()}
        described = {
            "id": self.id,
            "title": self.title,
            "stem": self.stem,
            "questions": questions,
            "examples": examples,
            **({"data": list(self.data.beside)} if self.data and self.data.beside else {}),
        }
        return described | ({"given": given} if (given := given_text(self.id)) else {})

    def given(self) -> frozenset[str]:
        """Digests of the lines of text that students get around written answers."""
        return lines_given({"given": given_text(self.id)})


def declared_homeworks() -> dict[str, Homework]:
    """Every homework of the package ``autograder.homeworks``, by id, as it is declared.

    A homework is a folder: ``homework.py`` makes it, and the modules ``qN_….py`` add questions. They are in
    the order of their numbers, whichever module was imported first.

    Raises:
        Exception: what a homework raised, the first time and each time after: it cannot be declared twice.
    """
    found, error = _declared()
    if error is not None:
        raise error
    return found


@cache
def _declared() -> tuple[dict[str, Homework], Exception | None]:
    package = importlib.import_module("autograder.homeworks")
    found = {}
    try:
        for folder in pkgutil.iter_modules(package.__path__, "autograder.homeworks."):
            module = importlib.import_module(f"{folder.name}.homework")
            parts = [
                part.name for part in pkgutil.iter_modules(importlib.import_module(folder.name).__path__)
            ]
            for name in parts:
                if re.match(r"q\d", name):
                    importlib.import_module(f"{folder.name}.{name}")
            module.hw.sort_questions()
            found[module.hw.id] = module.hw
    except Exception as error:
        return {}, error
    return dict(sorted(found.items())), None
