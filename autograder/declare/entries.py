"""What a question records: each kind of entry is a class, and its half in the notebook has the same ``kind``.

How to add a kind: ``docs/add-question-type.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from autograder import kit
from autograder.declare.cases import Case, generator
from autograder.declare.evidence import Picture
from autograder.declare.recorded import LogEntry, read_response, read_value
from autograder.declare.verdicts import Answer, Check, Wrong

Oracle = Callable[..., Any]


@dataclass(frozen=True)
class CaseTrial(kit.Trial):
    """A trial that knows its drawn case, which keeps what oracles give on it."""

    case: Case | None = None


class Entry:
    """One thing that a question records under a name.

    A kind of entry is a subclass, a frozen dataclass, that says where it differs from these defaults.

    Attributes:
        kind: the name that declaration, notebook and log share.
        letter: how it is graded, for ``docs/coverage.md``: C on hidden inputs, V by its value, M by choosing
            or matching, T as a trained checkpoint.
        hidden_inputs: whether it runs on hidden inputs, so that only the grader's own run counts.
        optional: whether nothing is missing without it.
        tells: whether feedback tells of hidden inputs or right options, which a second try could exploit.
        name: the notebook's variable and the log's entry.
    """

    kind: ClassVar[str]
    letter: ClassVar[str]
    hidden_inputs: ClassVar[bool] = False
    tells: ClassVar[bool] = True
    optional: ClassVar[bool] = False
    name: str

    @property
    def dimensions(self) -> Sequence[kit.Dim] | None:
        """The shape that an array must have; None where there is no shape to check."""
        return None

    def describe(self) -> dict[str, Any]:
        """What the notebook may know. No answer, and nothing that tells one."""
        return {"name": self.name, "kind": self.kind}

    def read(self, raw: Mapping[str, Any]) -> LogEntry:
        """Decodes the log's entry.

        Args:
            raw: of the form that ``log-1.json`` demands; untrusted beyond that.

        Raises:
            ValueError, TypeError, LookupError, RecursionError: it cannot be read; the message says why, for a
                student.
        """
        return LogEntry(raw["status"], value=read_value(raw.get("value")))

    def value(self, logged: LogEntry, cases: Mapping[str, Case]) -> Any:
        """What a judge gets to see.

        Args:
            logged: what was recorded.
            cases: the hidden inputs by id, empty without any.
        """
        value = logged.value
        return np.asarray(value) if isinstance(value, bool | int | float) else value

    def check(self) -> Check | None:
        """The check that follows from the declaration alone; None where the question declares its checks."""
        return None

    def placeholder(self) -> str | None:
        """The Markdown that ``{{options NAME}}`` stands for in a source; None where it may not be used."""
        return None

    def secrets(self) -> Iterable[str]:
        """Phrases that no file for students may hold."""
        return ()


@dataclass(frozen=True)
class Array(Entry):
    """A recorded numeric array.

    Args:
        name: the notebook's variable and the log's entry.
        shape: numbers and letters, such as ``("3+p", "qk")``; see :func:`autograder.kit.check_shapes`. ``()``
            is a number.
    """

    name: str
    shape: Sequence[kit.Dim] = ()
    kind = "array"
    letter = "V"
    tells = False

    @property
    def dimensions(self) -> Sequence[kit.Dim]:
        """The shape that it must have."""
        return self.shape

    def describe(self) -> dict[str, Any]:
        """Name, kind and shape."""
        return {**super().describe(), "shape": list(self.shape)}


@dataclass(frozen=True)
class Choice(Entry):
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
    letter = "M"

    def __post_init__(self) -> None:
        if self.correct not in self.options:
            raise ValueError(
                f"{self.name}: the correct option {self.correct!r} is not among {list(self.options)}"
            )
        if missing := set(self.options) - set(self.why) - {self.correct}:
            raise ValueError(f"{self.name}: the wrong options {sorted(missing)} have no explanation")

    def describe(self) -> dict[str, Any]:
        """Name, kind and the letters, whose form a check cell looks at."""
        return {**super().describe(), "letters": list(self.options)}

    def check(self) -> Check:
        """Whether the letter is the right one."""
        return Check(self.name, self.points, self._judge, (self.name,))

    def _judge(self, answer: Answer) -> Wrong | None:
        value = answer[self.name]
        letter = kit.letter_of(value)
        if letter not in self.options:
            return Wrong(
                f"`{self.name}` should be one of the letters {', '.join(self.options)}, but it is"
                f" {_shown(value)}."
            )
        return None if letter == self.correct else Wrong(f"{letter} is not right: {self.why[letter]}")

    def placeholder(self) -> str:
        """The options as a list."""
        return "\n".join(f"- **{letter}** {option}" for letter, option in self.options.items())

    def secrets(self) -> Iterable[str]:
        """The explanations, which tell wrong options from the right one."""
        return self.why.values()


def _shown(value: Any) -> str:
    """What stands in the place of a letter: a short text or a single number as it is, else what it is."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, str | bool | int | float) and len(told := repr(value)) <= 40:
        return told
    return "a longer text" if isinstance(value, str) else kit.describe(value)


@dataclass(frozen=True)
class Challenge(Entry):
    """A student's function or class, which runs on hidden inputs inside the kernel and is judged outside it.

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
        picture: draws the result of a case, where that says it better than numbers; see
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
    letter = "C"
    hidden_inputs = True

    def read(self, raw: Mapping[str, Any]) -> LogEntry:
        """Decodes the response to each hidden input."""
        responses = raw.get("responses", {})
        return LogEntry(
            raw["status"], responses={identity: read_response(one) for identity, one in responses.items()}
        )

    def value(self, logged: LogEntry, cases: Mapping[str, Case]) -> list[kit.Trial]:
        """Every hidden input with its result."""
        trials: list[kit.Trial] = []
        for identity, case in cases.items():
            status, result, error = logged.responses.get(identity, ("missing", None, ""))
            inputs = tuple(case.args), case.kwargs
            trials.append(
                CaseTrial(identity, case.note, case.group, *inputs, status, result, error, case=case)
            )
        return trials

    def drawn(self, rng: np.random.Generator) -> list[Case]:
        """The hidden inputs."""
        return list(self.cases(rng))

    def shown(self, rng: np.random.Generator) -> list[Case]:
        """The public inputs."""
        return list(self.examples(rng)) if self.examples else list(self.cases(rng))[:3]

    def public(self, homework: str) -> list[dict[str, Any]]:
        """The public examples with expected results, as the notebook carries them."""
        rng = generator("public", homework, self.name)
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
    """An encoded value with nine digits a number.

    The last bits of a result depend on the processor, and a notebook must not.
    """
    if isinstance(encoded, float):
        return float(f"{encoded:.9g}") if abs(encoded) > 1e-12 else 0.0
    if isinstance(encoded, list):
        return [_shortened(item) for item in encoded]
    return {key: _shortened(item) for key, item in encoded.items()} if isinstance(encoded, dict) else encoded


@dataclass(frozen=True)
class Checkpoint(Challenge):
    """Trained weights in a file, loaded in the kernel into the student's class and run on hidden inputs.

    Everything of a challenge holds; ``name`` is the class. Cases hold the inputs as args (torch tensors; they
    go in batches along the first axis) and ``init``, ``call``, ``batch`` as kwargs, see
    ``autograder/kit/shared/checkpoints.py``.
    A student's notebook only hears whether the file is there and loads, unless ``examples`` says otherwise.

    Args:
        file: what the file is called; a submission's only checkpoint counts whatever its name.
        max_bytes: what it may measure.
    """

    file: str = ""
    max_bytes: int = 4_000_000
    kind = "checkpoint"
    letter = "T"

    def __post_init__(self) -> None:
        if not self.file.endswith((".pt", ".pth")):
            raise ValueError(
                f"{self.name}: a checkpoint needs a file name that ends in .pt or .pth, not {self.file!r}"
            )

    def describe(self) -> dict[str, Any]:
        """Name, kind and file."""
        return {**super().describe(), "file": self.file}

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
