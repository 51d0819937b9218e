"""hw4 to hw6: answers that do nothing fail every check with a plain sentence, at home and in grading."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from autograder import kit
from autograder.author.build import build_notebook
from autograder.declare import Challenge, Checkpoint, Question, homeworks
from autograder.grade.judge import judge_question
from autograder.grade.report import CheckResult
from autograder.names import source_path
from autograder.submissions.log import challenges_json, read_log
from tests.conftest import by_homework
from tests.gallery import ROOT
from tests.test_degenerate import described, kit_of
from tests.test_degenerate import drawn as drawn_of

# answers that change something beside giving a result: their zeros change nothing
ZEROS: dict[str, Callable[..., Any]] = {
    "train_step": lambda *_: 0.0,
    "evaluate": lambda *_: (0.0, 0.0),
    "fit": lambda *_: [],
    "train_epoch": lambda *_: 0.0,
    "keep_best": lambda model, epochs, *_: [0.0] * epochs,
    "predict_sentiment": lambda *_: ("", 0.0),
    "linear_attention": lambda Q, K, V: V.new_zeros(len(Q), V.shape[1]),
    "causal_linear_attention": lambda Q, K, V: V.new_zeros(len(Q), V.shape[1]),
    "lambda_interval": lambda *_: (0.0, 0.0),
}
# what is right about zeros that have the shape of the right answer and come from its parts
RIGHT_OF_ZEROS = {
    "as few features as possible",
    "configuration and parameter count",
    "gradients reach every parameter",
    "the attention mask is passed on",
    "the same logit alone and in a batch",
    "the encoder is frozen and stays in eval mode",
    "only GRU and linear learn",
}


def zeros_like(result: Any) -> Any:
    """The same kind and shape, with zeros and empty words."""
    if isinstance(result, tuple | list):
        return type(result)(zeros_like(one) for one in result)
    if isinstance(result, str):
        return ""
    return None if result is None else result * 0


@cache
def reference(name: str) -> dict[str, Any]:
    """The functions and classes of the reference, by name."""
    homework = homeworks()[name]
    wanted = {entry.name for question in homework.questions.values() for entry in question.entries}
    names: dict[str, Any] = {"__name__": "page"}
    with kit_of(homework):
        for cell in build_notebook(homework, source_path(ROOT, homework.stem), blank=False).cells:
            if cell.cell_type != "code" or "kit" in cell.metadata.get("tags", []):
                continue
            defined = set(re.findall(r"(?m)^(?:def|class) (\w+)", cell.source))
            if defined & wanted or "from homework_kit import" in cell.source:
                exec(compile(cell.source, "<cell>", "exec"), names)
    return names


def zeros(homework: str, name: str) -> Any:
    """What has the right parts and gives zeros of the right shape."""
    if name in ZEROS:
        return ZEROS[name]
    right = reference(homework)[name]
    if not isinstance(right, type):
        return lambda *args, **named: zeros_like(right(*args, **named))

    class Zeros(right):  # type: ignore[misc, valid-type]
        def forward(self, *args: Any, **named: Any) -> Any:
            return zeros_like(super().forward(*args, **named))

    return Zeros


def raising(*args: Any, **named: Any) -> Any:
    raise ValueError("boom")


DEGENERATE: dict[str, Callable[[str, str], Any]] = {
    "None": lambda homework, name: lambda *args, **named: None,
    "the first argument": lambda homework, name: lambda *args, **named: args[0] if args else None,
    "zeros": zeros,
    "an exception": lambda homework, name: raising,
}


def challenges(question: Question) -> set[str]:
    return {
        one.name for one in question.entries if isinstance(one, Challenge) and not isinstance(one, Checkpoint)
    }


def judged(name: str, folder: Path, answers: dict[str, Any], question: Question) -> Iterator[CheckResult]:
    """The checks of a question that look at functions and classes alone, as grading judges them."""
    homework = homeworks()[name]
    drawn = {one: cases for one, cases in drawn_of(name).items() if one in answers}
    (folder / "challenges.json").write_bytes(challenges_json(homework, drawn))
    kit.Log(described(name), folder, answers).record(question.id)
    run = read_log((folder / kit.LOG_NAME).read_bytes(), homework)
    blank = read_log(
        json.dumps({"schema": kit.LOG_SCHEMA, "homework": name, "entries": {}}).encode(), homework
    )
    results = {one.name: one for one in judge_question(question, run, blank, drawn).checks}
    for check in question.checks:
        if set(check.needs) <= answers.keys():
            yield results[check.name]


def unfriendly(told: str) -> str:
    """What about a sentence would puzzle a student; empty if nothing does."""
    if not re.search(r"[.?!)…]$", told):
        return "no sentence"
    puzzling = re.search(r"Traceback|NoneType|<lambda>|<locals>|object has no attribute|autograder", told)
    return f"says {puzzling[0]}" if puzzling else ""


@pytest.mark.sweep
@pytest.mark.parametrize("name", by_homework(("hw4", "hw5", "hw6")))
@pytest.mark.parametrize("kind", DEGENERATE)
def test_an_answer_that_does_nothing_fails_with_a_plain_sentence_at_home_and_in_grading(
    name: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    found = []
    for question in homeworks()[name].questions.values():
        answers = {one: DEGENERATE[kind](name, one) for one in challenges(question)}
        if not answers:
            continue
        for place in ("home", "grading"):
            (tmp_path / f"{question.id}{place}").mkdir()
        results = list(judged(name, tmp_path / f"{question.id}grading", answers, question))
        assert results
        capsys.readouterr()
        kit.Log(described(name), tmp_path / f"{question.id}home", answers).check(question.id)
        shown = [line.strip() for line in capsys.readouterr().out.split("\n")]
        refused = [line.removeprefix("✗").strip() for line in shown if line.startswith("✗")]
        for result in results:
            if kind == "zeros" and result.name in RIGHT_OF_ZEROS and result.state == "passed":
                continue
            if result.state != "failed" or result.points or result.fault:
                found.append(
                    f"{question.id}, {result.name}: {result.state}, {result.points:g} points"
                    f" {result.fault[-200:]}"
                )
            elif problem := unfriendly(result.feedback):
                found.append(f"{question.id}, {result.name}: {problem}: {result.feedback}")
        if not refused:
            found.append(f"{question.id}: its own check refuses nothing")
        found += [f"{question.id}, at home: {one}: {line}" for line in refused if (one := unfriendly(line))]
    assert not found, "\n".join(found)
