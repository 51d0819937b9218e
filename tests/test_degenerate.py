"""Answers that do nothing sensible fail at home and in grading, with a sentence for each check."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from autograder import kit
from autograder.author.build import build_notebook
from autograder.author.kit_text import kit_source
from autograder.declare import Case, Challenge, Homework, Question, homeworks
from autograder.grade.judge import judge_question
from autograder.grade.report import WRONG, CheckResult
from autograder.names import KIT_FILE, source_path
from autograder.submissions.log import read_log
from tests.conftest import SETTINGS
from tests.gallery import ROOT
from tests.test_sentences import NONSENSE

UNFRIENDLY = re.compile(rf"{NONSENSE.pattern}|Traceback|<function|<class|autograder\.|homework_kit")
Function = Callable[..., Any]


def zeros(value: Any) -> Any:
    """What a right answer returns, with zeros in place of its numbers."""
    if isinstance(value, list | tuple):
        return [zeros(item) for item in value]
    if isinstance(value, dict):
        return {name: zeros(item) for name, item in value.items()}
    return value * 0


def fails(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("division by zero")


# from the right function to one that does nothing sensible
DEGENERATE: dict[str, Callable[[Function], Function]] = {
    "returns nothing": lambda right: lambda *args, **kwargs: None,
    "returns its first argument": lambda right: lambda first, *args, **kwargs: first,
    "returns zeros": lambda right: lambda *args, **kwargs: zeros(right(*args, **kwargs)),
    "raises": lambda right: fails,
}


@contextlib.contextmanager
def kit_of(homework: Homework) -> Iterator[None]:
    """A homework's kit as the module that its cells import."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "homework_kit", module := types.ModuleType("homework_kit"))
        exec(compile(kit_source(homework), KIT_FILE, "exec"), module.__dict__)
        yield


@cache
def reference_names(name: str) -> dict[str, Any]:
    """What the reference's cells define, without those that check, record, draw or train."""
    homework = homeworks()[name]
    names: dict[str, Any] = {"__name__": "__main__"}
    with kit_of(homework):
        for cell in build_notebook(homework, source_path(ROOT, homework.stem), blank=False).cells:
            if cell.cell_type == "code" and not cell.metadata.get("tags") and "finish()" not in cell.source:
                exec(compile(cell.source, "<cell>", "exec"), names)
    return names


def degenerate(right: Any, make: Callable[[Function], Function]) -> Any:
    """A function, a class or a model that does nothing sensible; parameters stay where they are."""
    if isinstance(right, type):

        def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
            return make(lambda *args, **kwargs: right.forward(self, *args, **kwargs))(*args, **kwargs)

        return type(right.__name__, (right,), {"forward": forward})
    if hasattr(right, "parameters"):  # the model of 2.8a
        other = copy.copy(right)
        other.__class__ = degenerate(type(right), make)
        return other
    return make(right)


def told_at_home(name: str, question: str, names: dict[str, Any], folder: Path) -> list[str]:
    """The lines of a check cell that say what is wrong."""
    with contextlib.redirect_stdout(io.StringIO()) as shown:
        kit.Log(described(name), folder, names).check(question)
    return [line.strip() for line in shown.getvalue().split("\n") if line.strip().startswith("✗")]


@cache
def described(name: str) -> dict[str, Any]:
    return homeworks()[name].describe()


@cache
def drawn(name: str) -> dict[str, dict[str, Case]]:
    return homeworks()[name].draw(SETTINGS.seed)


def graded(name: str, question: Question, names: dict[str, Any], folder: Path) -> list[CheckResult]:
    """The checks of a question on hidden inputs, as they would be judged behind the kernel's run."""
    log, entries = kit.Log(described(name), folder, names), {}
    for spec in log.specs(question.id):
        entry = entries[spec["name"]] = {"question": question.id, "kind": spec["kind"]}
        cases = drawn(name).get(spec["name"], {})
        log.collect(spec, entry, [case.as_json(identity) for identity, case in cases.items()])
    document = {"schema": kit.LOG_SCHEMA, "homework": name, "entries": entries}
    run = read_log(json.dumps(document).encode(), homeworks()[name])
    return list(judge_question(question, run, run, drawn(name)).checks)


def problems(name: str, question: Question, challenge: Challenge, kind: str, folder: Path) -> Iterator[str]:
    """What is not as it should be where one answer of a question does nothing sensible."""
    names = dict(reference_names(name))
    names[challenge.name] = degenerate(names[challenge.name], DEGENERATE[kind])
    home = told_at_home(name, question.id, names, folder)
    if not home:
        yield "its check cell refuses nothing"
    needing = {check.name for check in question.checks if challenge.name in check.needs}
    for check in graded(name, question, names, folder):
        if check.name in needing and (check.state, check.cause, check.fault) != ("failed", WRONG, ""):
            yield f"{check.name}: {check.state}, {check.cause} {check.fault[-300:]}"
        home.append(check.feedback)
    yield from (f"says {words!r}" for words in home if UNFRIENDLY.search(words))


@pytest.mark.parametrize(
    "name",
    ["hw1", pytest.param("hw2", marks=pytest.mark.sweep), "hw3"],  # hw2 takes half a minute of CPU
)
def test_an_answer_that_does_nothing_sensible_fails_its_checks_with_words(name: str, tmp_path: Path):
    found = [
        f"{question.id}, {entry.name} {kind}: {problem}"
        for question in homeworks()[name].questions.values()
        for entry in question.entries
        if isinstance(entry, Challenge)
        for kind in DEGENERATE
        for problem in problems(name, question, entry, kind, tmp_path)
    ]
    assert not found, "\n".join(found)
