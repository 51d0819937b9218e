"""Cells that never fail: they go on whatever the answers above are, and say what they need."""

from __future__ import annotations

import contextlib
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from autograder.kit.api import opened_homework
from autograder.kit.feedback import Feedback, Line
from autograder.kit.kinds import kind_of
from autograder.kit.probes import error_words, explain_error
from autograder.kit.recorder import Log
from autograder.kit.shapes import check_shapes, shape_words
from autograder.kit.style import house_style

MAX_NEEDS = 3  # that are named; more would be a list to read, not something to do

TELL_ALL = ("CheckpointError", "DataUnavailableError")  # errors whose words say what to do


@contextlib.contextmanager
def when_answered(*questions: str) -> Iterator[None]:
    """Draws or trains what rests on answers; where they do not fit, it says what is needed and goes on.

    Args:
        questions: on whose answers the cell rests, for example ``"3.2"``; several may stand in one text.
    """
    before = _open_figures()
    try:
        with warnings.catch_warnings(), house_style(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    except KeyboardInterrupt:
        _close_since(before)
        raise
    except BaseException as error:  # an answer may raise anything, also SystemExit
        _close_since(before)
        asked = re.findall(r"\b\d+\.\d+[a-z]?", " ".join(questions))
        lines: list[Line] = [(None, "It does not fit the present answers.")]
        with contextlib.suppress(Exception):  # whatever answers are and raise: the words never fail either
            lines = what_it_needs(opened_homework(), asked, error)
        Feedback("This cell waits for an answer", lines).show()


def what_it_needs(log: Log, questions: list[str], error: BaseException) -> list[Line]:
    """What to say where a supplied cell could not go on.

    Args:
        log: of the open homework.
        questions: on whose answers it rests.
        error: what was raised.
    """
    needs = [need for question in questions if question in log.questions for need in _needs_of(log, question)]
    raised = explain_error(error)
    told = error_words(raised)
    if isinstance(error, NotImplementedError) and re.fullmatch(r"\d+\.\d\w*", raised["message"]):
        needs = needs or [f"It needs the answer to {raised['message']}, which is not written yet."]
    elif isinstance(error, FileNotFoundError) or type(error).__name__ in TELL_ALL:
        needs = [str(error)]
    elif isinstance(error, NameError):
        needs = [f"It needs `{error.name}`, which does not exist here. Run the cell that defines it."]
    elif not needs:
        needs = [f"It does not fit the present answers: {told.lstrip(': ')}."]
    more = [f"And {len(needs) - MAX_NEEDS} more."] if len(needs) > MAX_NEEDS else []
    return [(None, need) for need in [*needs[:MAX_NEEDS], *more]]


def _needs_of(log: Log, question: str) -> Iterator[str]:
    """A sentence for each entry that is None or does not have its shape."""
    specs = log.specs(question)
    there: dict[str, Any] = {}
    for spec in specs:
        name, wanted = spec["name"], _wanted_shape(spec)
        if name not in log.namespace:
            continue  # its cell may stand below
        if log.namespace[name] is None:
            yield f"It needs `{name}`{wanted}, which is None so far ({question})."
        elif "shape" in spec:
            entry: dict[str, Any] = {}
            with contextlib.suppress(Exception):
                log.collect(spec, entry)
                there[name] = kind_of(spec).answer(spec, entry, [])
    shapes = {spec["name"]: spec["shape"] for spec in specs if spec["name"] in there}
    for problem in check_shapes(shapes, there):
        name, _, rest = problem.partition(" ")
        yield f"It needs `{name}`{_wanted_shape({'shape': shapes[name]})}: it {rest}"


def _wanted_shape(spec: Mapping[str, Any]) -> str:
    if "shape" not in spec:
        return ""
    return f" of shape {shape_words(spec['shape'])}" if spec["shape"] else ", a number"


def _open_figures() -> set[int]:
    plt = sys.modules.get("matplotlib.pyplot")
    return set(plt.get_fignums()) if plt else set()


def _close_since(before: set[int]) -> None:
    """Closes figures that were begun and not shown, which the notebook would show half drawn."""
    for number in _open_figures() - before:
        sys.modules["matplotlib.pyplot"].close(number)
