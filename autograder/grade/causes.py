"""Why a check did not pass, where that is no mistake of the answer: what raised, what is missing, a limit.

The log that a student handed in is a witness here: it never gives points, but where it holds an answer and
the run does not, the answer was not run here, rather than unanswered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from nbformat import NotebookNode

from autograder.declare import Homework, LogEntry, Question
from autograder.grade.report import (
    GRADER,
    LIMIT,
    LOST,
    NO_LOG,
    NOT_RUN,
    UNANSWERED,
    WRONG,
    CheckResult,
    QuestionResult,
    Raised,
)
from autograder.kit.answers import NOT_FOUND
from autograder.kit.provided import names_of
from autograder.kit.statements import LOST as LOST_NAME
from autograder.run.execute import Execution
from autograder.run.raised import ENDED, CellError
from autograder.run.raised import MODULE as LOST_MODULE
from autograder.run.runner import skip_reason
from autograder.submissions.cells import RECORD, is_kit
from autograder.submissions.given import given
from autograder.submissions.log import Log
from autograder.submissions.names_of_cells import Cell, NamesOfCells

OPEN = ("missing", "unanswered")
DEPTH = 5  # cells in a chain of missing names
MOST = 12  # cells that a report names
NO_GPU = re.compile(
    r"Torch not compiled with CUDA|No CUDA GPUs are available|Found no NVIDIA driver|on a CUDA device but"
    r"|CUDA driver|Invalid device id"
)
DEFAULT_DEVICE = ".set_default_device("
STOPPED = re.compile(r"was stopped|was never run")
GPU = (
    'Grading has no GPU: use `device = "cuda" if torch.cuda.is_available() else "cpu"` and `.to(device)`'
    " instead of `.cuda()` or a fixed device."
)


@dataclass(frozen=True)
class Blame:
    """Why a name has no value: a cause, words for a student, and the error at the root, if there is one."""

    cause: str
    words: str
    error: CellError | None = None


def names_in(notebook: NotebookNode, homework: Homework) -> NamesOfCells:
    """The names of a notebook's cells."""
    known = {entry.name for question in homework.questions.values() for entry in question.entries}
    known |= {name for text in given(homework.id) for name in names_of(text).bound}
    cells = [Cell(one.cell_type, one.source, skip_reason(one) is not None) for one in notebook.cells]
    return NamesOfCells(cells, known)


@dataclass(frozen=True)
class Witnesses:
    """What is known of a run beside its answers.

    Attributes:
        run, claims: the log of the run, and the one that was handed in.
        names: of the notebook's cells; None without a notebook.
        errors: what cells raised.
        limits: question → the limit that stopped the cell that records it, in words.
    """

    run: Log
    claims: Log
    names: NamesOfCells | None = None
    errors: tuple[CellError, ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)

    def why(self, name: str, depth: int = 0) -> Blame | None:
        """Why a name has no value; None if nothing is known that speaks for more than an open answer."""
        if self.names is None:
            return None
        binders = self.names.binders(name)
        found = [one for one in self.errors if name in one.names and not one.is_stub]
        if found and not any(index > found[-1].cell for index in binders):
            return self._blame(found[-1], depth)
        if told := "" if binders else self.names.not_run(name):
            return Blame(NOT_RUN, told)
        told = self.names.overwritten(name) if binders else self.names.misplaced(name)
        return Blame(NOT_FOUND, told) if told else None

    def _blame(self, error: CellError, depth: int = 0) -> Blame | None:
        told = in_words(error)
        if not error.lacks or error.lacks in error.names or depth >= DEPTH:
            return Blame(LIMIT if error.limit or error.kind == "MemoryError" else NOT_RUN, told, error)
        root = self.why(error.lacks, depth + 1)
        if root is None:
            if self._stub_lost(error.lacks):
                return None
            return Blame(NOT_RUN, told, error)
        return Blame(root.cause, f"{told}. {root.words}", root.error or error)

    def _stub_lost(self, name: str) -> bool:
        """Whether a name is missing because something before it is not answered."""
        return any(one.is_stub and name in one.names for one in self.errors)

    def explain(self, result: QuestionResult, question: Question) -> tuple[QuestionResult, list[CellError]]:
        """A question whose checks say why they did not pass, and the errors on which that rests."""
        needs = {check.name: check.needs for check in question.checks}
        blames = [
            None
            if check.state == "passed" or check.cause == GRADER
            else self._of(check, needs.get(check.name, ()), question)
            for check in result.checks
        ]
        checks = tuple(
            check if blame is None else replace(check, cause=blame.cause, feedback=blame.words)
            for check, blame in zip(result.checks, blames, strict=True)
        )
        errors = [blame.error for blame in blames if blame is not None and blame.error is not None]
        return replace(result, checks=checks), errors

    def _of(self, check: CheckResult, needs: Sequence[str], question: Question) -> Blame | None:
        if check.cause == UNANSWERED:
            return self._of_open(check, [name for name in needs if self._status(name) in OPEN], question)
        told = check.feedback
        if check.cause == LIMIT or (check.cause == WRONG and self._stopped(needs) and STOPPED.search(told)):
            limit = self.limits.get(question.id, "")
            return Blame(LIMIT, f"{told} {limit}".strip())
        if check.cause != WRONG or check.points:
            return None
        if NO_GPU.search(told):
            return Blame(NOT_RUN, f"{told} {GPU}{self._default_device()}")
        if (lost := LOST_MODULE.search(told)) and "ModuleNotFoundError" in told:
            return Blame(NOT_RUN, f"{told} `{lost[1]}` is not installed where grading runs.")
        if (lost := LOST_NAME.search(told)) and self.names is not None:
            root = self.why(lost[1])
            if root is not None and root.cause in (NOT_RUN, LIMIT):
                return Blame(root.cause, f"{told} {root.words}.".replace("..", "."), root.error)
        return None

    def _of_open(self, check: CheckResult, names: Sequence[str], question: Question) -> Blame | None:
        witness = [name for name in names if self._claimed(name)]
        for name in names:
            blame = self.why(name)
            if blame is not None and question.claimed and blame.error is None:
                blame = None  # its values come from cells that grading skips, by way of the log
            if blame is not None:
                words = f"{question.id} could not be judged: `{name}` has no value here. {blame.words}"
                if blame.cause == NOT_FOUND:
                    words = f"{question.id} could not be judged. {blame.words}"
                words = words if words.endswith(".") else f"{words}."
                return replace(blame, words=f"{words} Your log holds an answer." if witness else words)
        if not witness and question.claimed and not self.claims.entries and self.names is not None:
            return Blame(
                UNANSWERED,
                f"{check.feedback} What counts here stands in submission_log.json, and no readable one of"
                " this homework was handed in.",
            )
        if not witness or question.claimed:  # a claimed answer's values are taken from the log as it is
            return None
        return Blame(
            NOT_RUN,
            f"Your log holds an answer to {question.id}, but this run gave none: {self._gap(witness[0])}",
        )

    def _default_device(self) -> str:
        """The line that makes every tensor one of a device, in words; empty without one."""
        for index, cell in enumerate(self.names.cells if self.names is not None else ()):
            line = next((line for line in cell.source.split("\n") if DEFAULT_DEVICE in line), "")
            if cell.runs and line and not is_kit(cell.source):
                return f" Cell {index + 1} asks for it for all tensors: `{_quoted(line.strip()[:100])}`."
        return ""

    def _gap(self, name: str) -> str:
        """Why an answer is not in the notebook that is in the log, in words."""
        if self.names is None:
            return "no notebook was handed in that could be run."
        binders = self.names.binders(name)
        if not binders:
            told = f"no cell of the notebook that was handed in defines `{name}`."
        else:
            told = f"cell {binders[-1] + 1} of the notebook that was handed in leaves `{name}` open."
        return f"{told} Was the notebook saved before it was handed in?"

    def _status(self, name: str) -> str:
        entry = self.run.entries.get(name)
        return "missing" if entry is None else entry.status

    def _claimed(self, name: str) -> bool:
        entry = self.claims.entries.get(name, LogEntry("missing"))
        return entry.status == "ok"

    def _stopped(self, needs: Sequence[str]) -> bool:
        entries = [self.run.entries[name] for name in needs if name in self.run.entries]
        return any(
            one.status == "stopped" or any(response[0] == "stopped" for response in one.responses.values())
            for one in entries
        )


def witnesses(
    homework: Homework, run: Log, claims: Log, notebook: NotebookNode | None, execution: Execution | None
) -> Witnesses:
    """What is known of a run beside its answers."""
    if notebook is None or execution is None:
        return Witnesses(run, claims)
    limits = {
        question: f"Cell {index + 1} {told}."
        for index, told in execution.stops.items()
        if index < len(notebook.cells)
        for question in RECORD.findall(notebook.cells[index].source)
    }
    last = [told for index, told in execution.stops.items() if index >= len(notebook.cells)]
    limits = {question: f"Recording {told}." for told in last for question in homework.questions} | limits
    return Witnesses(run, claims, names_in(notebook, homework), execution.errors, limits)


def in_words(error: CellError) -> str:
    """What a cell raised, in words, without a full stop."""
    cell = f"Cell {error.cell + 1} (`{_quoted(error.first)}`)"
    if error.kind == ENDED:
        whole = error.limit[:1].isupper()  # a limit on all of the notebook
        return (
            f"{error.limit.rstrip('.')}, so {cell[0].lower()}{cell[1:]} was not run"
            if whole
            else (f"{cell} {error.message}")
        )
    if error.limit:
        return f"{cell} {error.limit} and was stopped"
    told = f"{cell} raised {error.kind}" + (f": {_quoted(error.message)}" if error.message else "")
    if error.line and (error.line_cell != error.cell or error.text != error.first):
        of = "" if error.line_cell == error.cell else f" of cell {error.line_cell + 1}"
        told += f", in line {error.line}{of}: `{_quoted(error.text)}`"
    return f"{told}. {GPU.rstrip('.')}" if NO_GPU.search(error.message) else told


def _quoted(text: str) -> str:
    """Text of a student's that stands between the backticks of Markdown."""
    return text.replace("`", "'")


def explain_causes(
    questions: Sequence[QuestionResult], homework: Homework, known: Witnesses
) -> tuple[tuple[QuestionResult, ...], tuple[Raised, ...], list[str]]:
    """Every check with its cause, the cells that raised and what hangs on them, and notes on those.

    Returns:
        The questions, the cells, and the notes.
    """
    explained: list[QuestionResult] = []
    hanging: dict[CellError, dict[str, None]] = {error: {} for error in known.errors}
    notes: list[str] = []
    for question in questions:
        result, errors = known.explain(question, homework.questions[question.id])
        explained.append(result)
        notes += _gap_note(result, errors)
        for error in errors:
            hanging.setdefault(error, {})[question.id] = None
    raised: list[Raised] = []
    for error, ids in hanging.items():
        following = bool(error.lacks) and not ids
        if error.is_stub or following or not (ids or error.apart):
            continue
        words = in_words(error)
        raised.append(
            Raised(
                error.cell + 1,
                error.first,
                "" if error.kind == ENDED else error.kind,
                error.message,
                words,
                error.module,
                error.limit,
                tuple(ids),
            )
        )
        rest = "; the rest of the cell was run statement by statement" if error.apart else ""
        hang = f"Not judged because of it: {', '.join(ids)}" if ids else "No answer hangs on it"
        notes.append(f"{words}{rest}. {hang}.")
    return tuple(explained), tuple(raised[:MOST]), notes[:MOST]


def _gap_note(result: QuestionResult, errors: Sequence[CellError]) -> list[str]:
    """A note on a question that is lost without a cell that raised; never with words on hidden inputs."""
    lost = [check for check in result.checks if check.cause in LOST]
    if errors or not lost:
        return []
    told = next((check.feedback for check in lost if check.state == "unanswered"), "")
    return [told or f"{result.id} was lost to this cause, at least in part: {lost[0].cause}; see there."]


def note_lost_log(
    questions: Sequence[QuestionResult], homework: Homework, claims: Log, notebook: NotebookNode | None
) -> list[str]:
    """A note on a notebook with answers that came without its log, where the log would count."""
    lost = {
        one.id: sum(check.maximum for check in one.checks if check.cause == UNANSWERED)
        for one in questions
        if homework.questions[one.id].claimed
    }
    lost = {question: points for question, points in lost.items() if points}
    blank = all(check.state == "unanswered" for one in questions for check in one.checks)
    if notebook is None or claims.entries or blank or not lost:
        return []
    return [
        f"{NO_LOG} of {homework.id} was handed in. What you trained in {', '.join(lost)} is judged from this"
        f" file, so it has no points here ({sum(lost.values()):g} points). Hand the file in beside the"
        " notebook, or hand in the zip that the last cell makes."
    ]


def is_lost(questions: Sequence[QuestionResult]) -> bool:
    """Whether points were lost to something other than mistakes and open answers."""
    return any(check.cause in LOST for question in questions for check in question.checks)
