"""What a homework consists of: questions, what they record, and how each is judged. Declarations only use this.

A homework module reads like a specification; see ``autograder/homeworks/hw3/homework.py`` for the pattern.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np

from autograder import kit
from autograder.declare.data import Data
from autograder.declare.evidence import Picture, case_evidence

Oracle = Callable[..., Any]
DIFFICULTIES = ("easy", "medium", "hard", "challenge")


@dataclass(frozen=True)
class Array:
    """A recorded numeric array.

    Args:
        name: the notebook's variable and the log's entry.
        shape: numbers and letters, such as ``("3+p", "qk")``; see :func:`autograder.kit.check_shapes`. ``()``
            is a number.
    """

    name: str
    shape: Sequence[kit.Dim] = ()
    kind = "array"


@dataclass(frozen=True)
class Choice:
    """A multiple-choice answer: one letter.

    Args:
        name: the notebook's variable and the log's entry.
        options: letter → what the notebook shows; the build writes them where the source says ``{{options
            NAME}}``.
        correct: the right letter.
        why: letter → what a student reads after grading; every wrong letter needs one.
        points: for the right letter.
    """

    name: str
    options: Mapping[str, str]
    correct: str
    why: Mapping[str, str]
    points: float
    kind = "choice"

    def __post_init__(self) -> None:
        if self.correct not in self.options:
            raise ValueError(
                f"{self.name}: the correct option {self.correct!r} is not among {list(self.options)}"
            )
        if missing := set(self.options) - set(self.why) - {self.correct}:
            raise ValueError(f"{self.name}: the wrong options {sorted(missing)} have no explanation")


@dataclass(frozen=True)
class Case:
    """One hidden or public input.

    Args:
        args, kwargs: for the student's function or the probe: arrays, numbers, text, lists.
        note: what is special about it, in words that finish "on …"; students see it.
        group: which check judges it.
        probe: how the kit drives the student's object; ``call`` or one registered in
            ``autograder/kits/hwN.py``.
        torch: arrays arrive as torch tensors.
    """

    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    note: str = "a random input"
    group: str = "values"
    probe: str = "call"
    torch: bool = False

    def as_json(self, identity: str) -> dict[str, Any]:
        """The case as it stands in ``challenges.json``."""
        mark = _mark_torch if self.torch else (lambda value: value)
        return {
            "id": identity,
            "probe": self.probe,
            "note": self.note,
            "group": self.group,
            "args": mark(kit.encode(list(self.args))),
            "kwargs": mark(kit.encode(dict(self.kwargs))["fields"]),
        }


def _mark_torch(value: Any) -> Any:
    if isinstance(value, list):
        return [_mark_torch(item) for item in value]
    if isinstance(value, dict):
        marked = {key: _mark_torch(item) if key != "data" else item for key, item in value.items()}
        return {**marked, "torch": True} if "dtype" in value else marked
    return value


@dataclass(frozen=True)
class Challenge:
    """A function or class of the student's that runs on hidden inputs inside the kernel and is judged outside it.

    Args:
        name: the function or class in the notebook, and the log's entry.
        cases: draws the hidden inputs from a random generator.
        expected: the oracle, called with a case's args and kwargs; None where checks judge by property.
        mistakes: what to say → what that mistake would give on a case; named in feedback where the answer
            equals it.
        examples: draws the public inputs of the notebook; the first ``3`` of ``cases`` under a public seed if
            left out.
        rtol, atol: tolerance against the oracle; COVERAGE.md gives the reason for the defaults (float32
            answers).
        picture: draws what came out of a case, where that says it better than numbers; see
            :mod:`autograder.declare.evidence`.
    """

    name: str
    cases: Callable[[np.random.Generator], Iterable[Case]]
    expected: Oracle | None = None
    mistakes: Mapping[str, Oracle] = field(default_factory=dict)
    examples: Callable[[np.random.Generator], Iterable[Case]] | None = None
    rtol: float = 1e-4
    atol: float = 1e-6
    picture: Picture | None = None
    kind = "challenge"

    def drawn(self, rng: np.random.Generator) -> list[Case]:
        """The hidden inputs."""
        return list(self.cases(rng))

    def shown(self, rng: np.random.Generator) -> list[Case]:
        """The public inputs."""
        return list(self.examples(rng)) if self.examples else list(self.cases(rng))[:3]

    def public(self, homework: str) -> list[dict[str, Any]]:
        """The public examples with expected results, as the notebook carries them."""
        rng = _generator("public", homework, self.name)
        examples = []
        for index, case in enumerate(self.shown(rng)):
            example = case.as_json(f"{self.name}/public/{index}")
            if self.expected is not None:
                example["expected"] = _shortened(kit.encode(self.expected(*case.args, **case.kwargs)))
                example |= {"rtol": self.rtol, "atol": self.atol}
                example["mistakes"] = [
                    {"says": says, "result": _shortened(kit.encode(wrong(*case.args, **case.kwargs)))}
                    for says, wrong in self.mistakes.items()
                ]
            examples.append(example)
        return examples


def _shortened(encoded: Any) -> Any:
    """An encoded value with nine digits a number: the last bits of a result depend on the processor, and a notebook must not."""
    if isinstance(encoded, float):
        return float(f"{encoded:.9g}") if abs(encoded) > 1e-12 else 0.0
    if isinstance(encoded, list):
        return [_shortened(item) for item in encoded]
    return {key: _shortened(item) for key, item in encoded.items()} if isinstance(encoded, dict) else encoded


@dataclass(frozen=True)
class Checkpoint(Challenge):
    """Trained weights in a file, loaded in the kernel into the student's class and run on hidden inputs.

    Everything of a challenge holds; ``name`` is the class. Cases hold the inputs as args (torch tensors; they
    go in
    batches along the first axis) and ``init``, ``call``, ``batch`` as kwargs, see
    ``autograder/kit/shared/checkpoints.py``.
    A student's notebook only hears whether the file is there and loads, unless ``examples`` says otherwise.

    Args:
        file: what the file is called; a submission's only checkpoint counts whatever its name.
        max_bytes: what it may measure.
    """

    file: str = ""
    max_bytes: int = 4_000_000
    kind = "checkpoint"

    def __post_init__(self) -> None:
        if not self.file.endswith((".pt", ".pth")):
            raise ValueError(
                f"{self.name}: a checkpoint needs a file name that ends in .pt or .pth, not {self.file!r}"
            )

    def drawn(self, rng: np.random.Generator) -> list[Case]:
        """The hidden inputs, each with the file's name and size limit."""
        return [self._with_file(case) for case in self.cases(rng)]

    def shown(self, rng: np.random.Generator) -> list[Case]:
        """The public inputs; by default none, so that the file is only loaded."""
        if self.examples:
            return [self._with_file(case) for case in self.examples(rng)]
        first = next(iter(self.cases(rng)))
        return [self._with_file(replace(first, args=[], note=f"the file {self.file}"))]

    def _with_file(self, case: Case) -> Case:
        kwargs = {**case.kwargs, "file": self.file, "max_bytes": self.max_bytes}
        return replace(case, kwargs=kwargs, probe="checkpoint", torch=True)


Entry = Array | Choice | Challenge


@dataclass(frozen=True)
class Number:
    """A number in a question's text, which a course may draw anew for every student (``--variants``).

    Args:
        name: for text and table: the source says ``{{number 1.13c tokens}}``, a judge reads
            ``answer["numbers"]["tokens"]``.
        usual: what it is for everybody, where students have no numbers of their own.
        among: what it may be for one student.
    """

    name: str
    usual: int
    among: Sequence[int]


class NumbersMissingError(Exception):
    """A student's numbers are not known; the message says why, for the student to read."""


class Numbers(dict[str, int]):
    """A question's numbers by name. Where they are not known, asking for one raises :class:`NumbersMissingError`."""

    def __init__(self, numbers: Mapping[str, int], problem: str = ""):
        super().__init__(numbers)
        self.problem = problem

    def __missing__(self, name: str) -> int:
        raise NumbersMissingError(self.problem) if self.problem else KeyError(name)


@dataclass(frozen=True)
class Written:
    """A written answer: a Markdown cell that a person grades.

    Args:
        points: at most, given by a person.
        words: the least and the most words that the question asks for.
        rubric: what earns points → how many.
        examples: ``full``, ``half`` and ``none`` → an answer that deserves it. Never shipped to students.
    """

    points: float
    words: tuple[int, int]
    rubric: Mapping[str, float]
    examples: Mapping[str, str]

    def __post_init__(self) -> None:
        if sum(self.rubric.values()) != self.points:
            raise ValueError(
                f"the rubric adds up to {sum(self.rubric.values())}, not to {self.points} points"
            )
        if set(self.examples) != {"full", "half", "none"}:
            raise ValueError("a rubric needs example answers for full, half and none")


@dataclass(frozen=True)
class Wrong:
    """What a check returns when the answer fails.

    Args:
        feedback: names the mistake and says what to look at next; Markdown.
        earned: the part of the check's points that is kept, from 0 to 1.
        evidence: plain JSON that a feedback page can show beside the words; see
            :mod:`autograder.declare.evidence`.
        measured: a number to compare submissions by, such as an accuracy; Gradescope's leaderboard shows it.
    """

    feedback: str
    earned: float = 0.0
    measured: float | None = None
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Right:
    """What a check returns when the answer passes and there is more to say; None says the same without words.

    Args:
        feedback: for the student; Markdown.
        bonus: points beyond the check's own.
        measured: as in :class:`Wrong`.
    """

    feedback: str
    bonus: float = 0.0
    measured: float | None = None


Answer = Mapping[str, Any]  # entry name → array, letter, or list of trials
Verdict = Wrong | Right | None
Judge = Callable[[Answer], Verdict]


@dataclass(frozen=True)
class Check:
    """One judgement with its points. ``needs`` lists the entries without which it cannot be made."""

    name: str
    points: float
    judge: Judge
    needs: tuple[str, ...]


class Question:
    """One question: what it records and how that is judged. Made by :meth:`Homework.question`.

    ``forbids`` names library calls that would do the whole job; see
    :mod:`autograder.submissions.library_calls`. ``numbers`` are those of
    its text that a course may draw for each student. ``topic`` is what a lecture has to have covered.
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
    ):
        if difficulty not in DIFFICULTIES:
            raise ValueError(f"{id}: difficulty {difficulty!r} is none of {', '.join(DIFFICULTIES)}")
        self.id, self.title, self.minutes, self.difficulty = id, title, minutes, difficulty
        self.topic = topic
        self.entries, self.written, self.extra, self.claimed = tuple(entries), written, extra, claimed
        self.forbids, self.numbers = tuple(forbids), tuple(numbers)
        self.checks: list[Check] = [
            self._choice_check(entry) for entry in entries if isinstance(entry, Choice)
        ]

    @property
    def points(self) -> float:
        """The points that the autograder can give; written points come on top."""
        return sum(check.points for check in self.checks)

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
            points: for passing.
            needs: entries that must be present and well shaped; all but choices if left out.

        Raises:
            KeyError: no entry has a name that ``needs`` gives.
            ValueError: a parameter names no entry, or two.
        """
        recorded = tuple(entry.name for entry in self.entries if not isinstance(entry, Choice))
        wanted = recorded if needs is None else tuple(needs)
        for need in wanted:
            self.entry(need)

        def register(judge: Callable[..., Verdict]) -> Callable[..., Verdict]:
            name = label or judge.__name__.replace("_", " ").strip()
            self._add(Check(name, points, self._called_by_name(name, judge), wanted))
            return judge

        return register

    def _called_by_name(self, check: str, judge: Callable[..., Verdict]) -> Judge:
        """The judge as a function of the whole answer."""
        parameters = list(inspect.signature(judge).parameters)
        if parameters in (["answer"], ["_"]):
            return judge
        found: dict[str, str] = {}
        for parameter in parameters:
            names = [*(entry.name for entry in self.entries), *(["numbers"] if self.numbers else [])]
            if parameter == "answer" or parameter in names:
                found[parameter] = parameter
                continue
            ends = [name for name in names if name.endswith(f"_{parameter}")]
            if len(ends) != 1:
                what = f"the entries {', '.join(ends)}" if ends else "no entry"
                raise ValueError(f"{self.id}, {check!r}: the parameter {parameter!r} means {what} of {names}")
            found[parameter] = ends[0]

        def judged(answer: Answer) -> Verdict:
            arguments = {name: answer if name == "answer" else answer[entry] for name, entry in found.items()}
            return judge(**arguments)

        return judged

    def check_cases(self, target: str, name: str, *, points: float, group: str = "values") -> None:
        """Registers the comparison of a challenge's responses, of one group of cases, with its oracle."""
        challenge = self.entry(target)
        if not isinstance(challenge, Challenge) or challenge.expected is None:
            raise ValueError(f"{self.id}: {target} is no challenge with an oracle")
        self._add(
            Check(name, points, lambda answer: judge_cases(challenge, answer[target], group), (target,))
        )

    def _add(self, check: Check) -> None:
        if check.name in {other.name for other in self.checks}:
            raise ValueError(f"{self.id}: two checks are named {check.name!r}")
        self.checks.append(check)

    @staticmethod
    def _choice_check(choice: Choice) -> Check:
        def judge(answer: Answer) -> Wrong | None:
            value = answer[choice.name]
            letter = value.strip().strip(".()").upper() if isinstance(value, str) else ""
            if letter not in choice.options:
                return Wrong(
                    f"`{choice.name}` should be one of the letters {', '.join(choice.options)}, but it is"
                    f" {kit.describe(value)}."
                )
            return None if letter == choice.correct else Wrong(f"{letter} is not right: {choice.why[letter]}")

        return Check(f"{choice.name}", choice.points, judge, (choice.name,))


def judge_cases(challenge: Challenge, trials: Sequence[kit.Trial], group: str = "values") -> Wrong | None:
    """Compares every trial of one group with the challenge's oracle; stops at the first difference."""
    if challenge.expected is None:
        raise ValueError(f"{challenge.name} has no oracle")
    chosen = [trial for trial in trials if trial.group == group]
    if not chosen:
        raise ValueError(f"{challenge.name} has no cases in group {group!r}")
    for trial in chosen:
        if trouble := not_run(challenge.name, trial):
            return trouble
        expected = challenge.expected(*trial.args, **trial.kwargs)
        example = {
            "expected": kit.encode(expected),
            "note": trial.note,
            "rtol": challenge.rtol,
            "atol": challenge.atol,
            "mistakes": [
                {"says": says, "result": kit.encode(wrong(*trial.args, **trial.kwargs))}
                for says, wrong in challenge.mistakes.items()
            ],
        }
        response = (
            trial.result
            if isinstance(trial.result, dict) and "result" in trial.result
            else {"result": trial.result}
        )
        if problem := kit.judge_example(challenge.name, example, response):
            return Wrong(
                problem,
                evidence=case_evidence(
                    trial, expected=expected, found=response["result"], picture=challenge.picture
                ),
            )
    return None


def not_run(name: str, trial: kit.Trial) -> Wrong | None:
    """What to say of a trial that gave no result, or None if it gave one."""
    if trial.status == "ok":
        return None
    told = {
        "error": f"`{name}` raised {trial.error} on {trial.note}.",
        "stopped": (
            f"`{name}` was stopped on {trial.note}: it did not return in time, or it ended the kernel."
        ),
    }
    return Wrong(
        told.get(trial.status, f"`{name}` was never run on {trial.note}."),
        evidence=case_evidence(trial, found=None),
    )


def wrong_on(trial: kit.Trial, problem: str | None, picture: Picture | None = None) -> Wrong | None:
    """A failed check with these words, the trial that shows it and what came out there, or a passed one."""
    return (
        Wrong(problem, evidence=case_evidence(trial, found=trial.output, picture=picture))
        if problem
        else None
    )


class Homework:
    """A homework: its questions in order.

    Args:
        id: such as ``hw3``.
        title: for people.
        stem: the file name without ending, of source and notebook.
        data: what it needs beyond the repository; None if nothing.
    """

    def __init__(self, id: str, *, title: str, stem: str, data: Data | None = None):
        self.id, self.title, self.stem, self.data = id, title, stem, data
        self.questions: dict[str, Question] = {}

    def question(self, id: str, title: str, **fields: Any) -> Question:
        """Adds a question; see :class:`Question` for the fields."""
        if id in self.questions:
            raise ValueError(f"{self.id}: two questions are called {id}")
        taken = {entry.name for question in self.questions.values() for entry in question.entries}
        question = self.questions[id] = Question(id, title, **fields)
        if "numbers" in taken | {entry.name for entry in question.entries}:
            raise ValueError(
                f"{self.id}: {id} records 'numbers', the name under which judges find a question's own"
                " numbers"
            )
        if twice := taken & {entry.name for entry in question.entries}:
            raise ValueError(f"{self.id}: {id} records {sorted(twice)} again")
        return question

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
            cases = challenge.drawn(_generator(seed, self.id, challenge.name))
            drawn[challenge.name] = {f"{challenge.name}/{index}": case for index, case in enumerate(cases)}
        return drawn

    def describe(self) -> dict[str, Any]:
        """What the notebook may know: titles, points, names, shapes, public examples. No answer, no option's verdict."""
        questions = []
        for question in self.questions.values():
            entries = []
            for entry in question.entries:
                spec: dict[str, Any] = {"name": entry.name, "kind": entry.kind}
                if isinstance(entry, Array):
                    spec["shape"] = list(entry.shape)
                if isinstance(entry, Checkpoint):
                    spec["file"] = entry.file
                entries.append(spec)
            spec = {"id": question.id, "title": question.title, "points": question.points, "entries": entries}
            if question.written:
                spec["written"] = question.written.points
            if question.extra:
                spec["extra"] = True
            if question.numbers:
                spec["numbers"] = {number.name: list(number.among) for number in question.numbers}
            questions.append(spec)
        examples = {challenge.name: challenge.public(self.id) for challenge in self.challenges()}
        return {
            "id": self.id,
            "title": self.title,
            "stem": self.stem,
            "questions": questions,
            "examples": examples,
        }


def _generator(*key: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256("/".join(key).encode()).digest()[:16], "big"))


@cache
def homeworks() -> dict[str, Homework]:
    """Every homework of the package ``autograder.homeworks``, by id.

    A homework is a folder: ``homework.py`` makes it, and each module ``qN_….py`` adds questions, in the order of N.
    """
    package = importlib.import_module("autograder.homeworks")
    found = {}
    for folder in pkgutil.iter_modules(package.__path__, "autograder.homeworks."):
        module = importlib.import_module(f"{folder.name}.homework")
        parts = [part.name for part in pkgutil.iter_modules(importlib.import_module(folder.name).__path__)]
        numbered = sorted((int(match[1]), name) for name in parts if (match := re.match(r"q(\d+)", name)))
        for _, name in numbered:
            importlib.import_module(f"{folder.name}.{name}")
        found[module.hw.id] = module.hw
    return dict(sorted(found.items()))
