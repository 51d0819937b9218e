"""Answers whose verdict is known, other right ones and plausible wrong ones, spliced into a source.

A gallery (``tests/gallery/hwN.py``) is data. Entries of different questions share a notebook: one notebook
holds the
first entry of each question, the next one the second, and so on. That is also the class that ``make demo``
grades, and
it shows that an answer to one question never changes another question's result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autograder import kit
from autograder.author.build import build_notebook, dumps
from autograder.declare import Homework
from autograder.names import source_path


@dataclass(frozen=True)
class Example:
    """One answer to one question and the verdict that it must get.

    Attributes:
        question: its id.
        name: what is right or wrong about it.
        solution: region label → code that replaces the region; a label equal to the question may be left out
            (text alone).
        loses: names of the checks that fail; empty for a right answer.
        says: a phrase that the feedback of the failed checks must contain, in one of them at least.
        shows: the kind of picture that stands beside the feedback, if there must be one; see
            :mod:`autograder.declare.evidence`.
        claims: log entry → value that the handed-in log carries, for what grading takes from there; None
            removes it.
        attachments: file name → bytes, handed in beside the notebook; None leaves out a file of the
            reference.
        noted: a phrase in the question's note for the instructor (a library call that does the whole job);
            empty where there is none.
        visible: whether the notebook's own check already refuses it, or the words why it may not. A choice
            needs no words: its check sees the form alone.
    """

    question: str
    name: str
    solution: Mapping[str, str] = field(default_factory=dict)
    loses: tuple[str, ...] = ()
    says: str = ""
    shows: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)
    attachments: Mapping[str, bytes | None] = field(default_factory=dict)
    noted: str = ""
    visible: bool | str = False


def right(question: str, name: str, solution: str | Mapping[str, str] | None = None, **more: Any) -> Example:
    """An answer that passes every check of its question."""
    return Example(question, name, _by_label(question, solution), **more)


def wrong(
    question: str,
    name: str,
    solution: str | Mapping[str, str] | None = None,
    *,
    loses: Sequence[str],
    says: str,
    visible: bool | str = True,
    **more: Any,
) -> Example:
    """An answer that loses exactly the named checks, with feedback that contains a phrase.

    The notebook's own check refuses it too, unless ``visible`` says why it may not: ``visible="the point of
    the hidden cases"``.
    """
    answer = _by_label(question, solution)
    return Example(question, name, answer, tuple(loses), says, visible=visible, **more)


def _by_label(question: str, solution: str | Mapping[str, str] | None) -> Mapping[str, str]:
    if solution is None:
        return {}
    return {question: solution} if isinstance(solution, str) else dict(solution)


@dataclass(frozen=True)
class Student:
    """A made-up submission: a notebook's text, log and files handed in with it, and the answers it holds."""

    name: str
    notebook: str
    log: bytes
    attachments: Mapping[str, bytes]
    examples: tuple[Example, ...]

    def write(self, folder: Path, stem: str) -> None:
        """Writes the submission into its own folder."""
        own = folder / self.name
        own.mkdir(parents=True, exist_ok=True)
        (own / f"{stem}.ipynb").write_text(self.notebook, encoding="utf-8")
        (own / kit.LOG_NAME).write_bytes(self.log)
        for name, data in self.attachments.items():
            (own / name).write_bytes(data)


def students(
    root: Path,
    homework: Homework,
    examples: Sequence[Example],
    log: bytes,
    attachments: Mapping[str, bytes],
    whole: bool = False,
) -> list[Student]:
    """Spreads a gallery over as few notebooks as it takes: one example of each question in each.

    Args:
        root: the checkout.
        homework: its declaration.
        examples: the gallery.
        log: the reference's log, whose training results stand where an example brings none of its own.
        attachments: the reference's files (checkpoints), likewise.
        whole: whether all other questions have the reference's answers; else those after a notebook's last
            example are blank, which takes less time to grade.
    """
    source = source_path(root, homework.stem)
    rows: list[list[Example]] = []
    for question in homework.questions:
        for index, example in enumerate(example for example in examples if example.question == question):
            if index == len(rows):
                rows.append([])
            rows[index].append(example)
    made, order = [], list(homework.questions)
    for index, row in enumerate(rows):
        answers = {label: text for example in row for label, text in example.solution.items()}
        given: dict[str, bytes | None] = dict(attachments)
        for example in row:
            given |= example.attachments
        files = {name: data for name, data in given.items() if data is not None}
        last = max(order.index(example.question) for example in row)
        rest = () if whole else order[last + 1 :]
        notebook = dumps(build_notebook(homework, source, answers=answers, blank=False, unanswered=rest))
        claims = {name: value for example in row for name, value in example.claims.items()}
        made.append(
            Student(f"{homework.id}-student-{index + 1:02d}", notebook, claim(log, claims), files, tuple(row))
        )
    return made


def claim(log: bytes, claims: Mapping[str, Any]) -> bytes:
    """A log in which some entries say something else."""
    document = json.loads(log)
    document.pop("answers", None)  # from which cells the reference recorded: these notebooks have others
    for name, value in claims.items():
        if value is None:
            document["entries"].pop(name, None)
        else:
            encoded = kit.encode(np.asarray(value) if not isinstance(value, str) else value)
            document["entries"].setdefault(name, {}).update(status="ok", value=encoded)
    return json.dumps(document).encode()
