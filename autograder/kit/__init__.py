"""The one module that homework notebooks use: record answers, check them, draw attention.

The build writes this file into the first cell of every notebook as ``homework_kit.py``, followed by the
homework's
own public part (``autograder/kits/hwN.py``) and a JSON description of its questions. Under grading the
grader's
own copy is used instead. Nothing here knows an answer: the kit *produces values*, the grader judges them
elsewhere.

Needs numpy; matplotlib for figures; torch only where a question uses it. Everything it writes is plain JSON:
see ``docs/formats.md``.
"""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import html
import json
import math
import os
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from autograder.kit.handing_in import (
    SavedNotebook,
    cells_that_ran,
    file_digest,
    find_notebook,
    in_colab,
    sources_behind,
    write_whole,
    written_answers,
    zip_bytes,
)

KIT_VERSION = "1.1"
LOG_SCHEMA = "attention-homeworks/log/1"
CHALLENGES_SCHEMA = "attention-homeworks/challenges/1"
LOG_NAME = "submission_log.json"
STALE = {
    "changed": "changed after it was recorded",
    "edited": "edited in the notebook after it was recorded",
}
MAX_ELEMENTS = 200_000  # of one recorded array: the largest honest one (a batch of image patches) has 20,000
RUN_KINDS = (
    "challenge",
    "checkpoint",
)  # entries that are run on inputs; the others are recorded as they stand
DTYPES = frozenset(("bool", "int8", "int16", "int32", "int64", "uint8", "float16", "float32", "float64"))


# --- values as JSON -----------------------------------------------------------------------------------------


def encode(value: Any, depth: int = 0) -> Any:
    """A recorded value as plain JSON.

    Args:
        value: None, bool, int, float, str, a NumPy or torch array, or lists, tuples and dicts of those.
        depth: how deep in such structures it stands.

    Returns:
        JSON without NaN literals: arrays as ``{"dtype", "shape", "data"}`` with flat data, dicts as
            ``{"fields"}``,
        non-finite numbers as strings, anything else as ``{"other": type name}``.
    """
    if depth > 6:
        return {"other": "a structure nested more than 6 deep"}
    if hasattr(value, "detach") and hasattr(value, "cpu"):  # a torch tensor, without importing torch
        value = value.detach().cpu()
        value = value.numpy() if str(value.dtype) != "torch.bfloat16" else value.float().numpy()
    if isinstance(value, np.generic):
        value = np.asarray(value)
    if isinstance(value, np.ndarray):
        return _encode_array(value)
    if value is None or isinstance(value, bool | str):
        return value if not isinstance(value, str) else value[:10_000]
    if isinstance(value, int):
        return value if abs(value) < 2**63 else {"other": "a whole number of more than 63 bits"}
    if isinstance(value, float):
        return value if math.isfinite(value) else {"number": _name_of_number(value)}
    if isinstance(value, list | tuple):
        if len(value) > 10_000:
            return {"other": f"a {type(value).__name__} of {len(value)} items"}
        return [encode(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        if len(value) > 1_000:
            return {"other": f"a dict of {len(value)} items"}
        return {"fields": {str(key)[:200]: encode(item, depth + 1) for key, item in value.items()}}
    return {"other": type(value).__name__}


def _encode_array(array: np.ndarray) -> Any:
    if array.dtype.name not in DTYPES:
        return {"other": f"an array of dtype {array.dtype.name}"}
    if array.size > MAX_ELEMENTS:
        return {"other": f"an array of shape {array.shape}, more than {MAX_ELEMENTS} numbers"}
    flat = array.ravel().tolist()
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        flat = [number if math.isfinite(number) else _name_of_number(number) for number in flat]
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": flat}


def _name_of_number(number: float) -> str:
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


class Other(str):
    """Stands for a recorded value that is no number, text or array; the text says what it was."""


def decode(value: Any) -> Any:
    """The inverse of :func:`encode`; arrays become NumPy arrays (torch tensors where marked ``"torch": true``).

    Raises:
        ValueError: the JSON does not follow the format, with words that say where.
    """
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"fields"} and isinstance(value["fields"], dict):
        return {key: decode(item) for key, item in value["fields"].items()}
    if set(value) == {"number"} and value["number"] in ("NaN", "Infinity", "-Infinity"):
        return float(value["number"])
    if set(value) == {"other"}:
        return Other(str(value["other"])[:200])
    if set(value) - {"torch"} == {"dtype", "shape", "data"}:
        array = _decode_array(value)
        if value.get("torch") is True:
            import torch

            return torch.from_numpy(array)
        return array
    raise ValueError(f"unknown kind of value with the keys {sorted(map(str, value))[:5]}")


def _decode_array(value: Mapping[str, Any]) -> np.ndarray:
    dtype, shape, data = value["dtype"], value["shape"], value["data"]
    if dtype not in DTYPES:
        raise ValueError(f"unknown dtype {str(dtype)[:40]!r}")
    if (
        not isinstance(shape, list)
        or len(shape) > 8
        or not all(type(n) is int and 0 <= n <= MAX_ELEMENTS for n in shape)
    ):
        raise ValueError(f"a shape must be a short list of whole numbers, not {str(shape)[:60]}")
    if not isinstance(data, list) or len(data) > MAX_ELEMENTS:
        raise ValueError(f"array data must be a list of at most {MAX_ELEMENTS} numbers")
    if len(data) != math.prod(shape):
        raise ValueError(f"shape {tuple(shape)} needs {math.prod(shape)} numbers, but there are {len(data)}")
    kinds: dict[str, tuple[type, ...]] = {"b": (bool,), "i": (int,), "u": (int,), "f": (int, float, str)}
    kind = kinds[np.dtype(dtype).kind]
    for number in data:
        right_type = isinstance(number, kind) and (dtype == "bool") == isinstance(number, bool)
        if not right_type or (isinstance(number, str) and number not in ("NaN", "Infinity", "-Infinity")):
            raise ValueError(f"{str(number)[:40]!r} is not a number of dtype {dtype}")
    try:
        with np.errstate(over="ignore"):
            return np.array(data, dtype=dtype).reshape(shape)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the data do not fit dtype {dtype}: {error}") from None


# --- numbers of one's own -----------------------------------------------------------------------------------


def student_key(student: Any) -> str:
    """A student id as it is compared: text without white space at its ends, in lower case; empty if there is none."""
    return (
        str(student).strip().casefold()[:100]
        if isinstance(student, str | int) and not isinstance(student, bool)
        else ""
    )


def draw_numbers(
    word: str, question: str, student: Any, choices: Mapping[str, Sequence[int]]
) -> dict[str, int]:
    """Draws a student's numbers for one question: equal arguments give equal numbers, on every machine.

    Args:
        word: the course's word for this round; public, like the numbers themselves.
        question: its id.
        student: the id.
        choices: name → the numbers that it may be.
    """
    drawn = {}
    for name, among in choices.items():
        digest = hashlib.sha256("/".join((word, question, name, student_key(student))).encode()).digest()
        drawn[name] = int(among[int.from_bytes(digest[:8], "big") % len(among)])
    return drawn


# --- comparing and validating -------------------------------------------------------------------------------


def compare(
    expected: np.ndarray, found: Any, *, rtol: float = 1e-4, atol: float = 1e-6, what: str = "the result"
) -> str | None:
    """Compares shape, then dtype, then finiteness, then values; never broadcasts.

    The default tolerances suit float32 answers against a float64 reference (COVERAGE: rtol 1e-4, atol 1e-6).

    Returns:
        None if equal, else a sentence that says what differs and where.
    """
    if isinstance(found, bool | int | float):
        found = np.asarray(found)
    if isinstance(found, list):
        with contextlib.suppress(ValueError, TypeError):
            found = np.asarray(found)
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        return f"{what} should be an array of shape {expected.shape}, but it is {describe(found)}."
    if found.shape != expected.shape:
        return f"{what} has shape {found.shape}; expected {expected.shape}."
    whole = (
        found.ndim == 0 and found.dtype.kind in "iu"
    )  # one whole number is judged by its value: 4 is as good as 4.0
    if expected.dtype.kind == "f" and found.dtype.kind != "f" and not whole:
        return (
            f"{what} has dtype {found.dtype}; expected floating point. Was something rounded or cast to int?"
        )
    if expected.dtype.kind == "b" and found.dtype.kind != "b":
        return f"{what} has dtype {found.dtype}; expected bool."
    wide, right = found.astype(np.float64), expected.astype(np.float64)
    if (bad := ~np.isfinite(wide) & np.isfinite(right)).any():
        where = _place(bad)
        return (
            f"{what} is {wide[where] if where else float(wide)} at {_index(where)}; expected"
            f" {_short(right[where])}."
        )
    off = ~np.isclose(wide, right, rtol=rtol, atol=atol, equal_nan=True)
    if off.any():
        where = _place(off)
        return (
            f"{what} differs in {int(off.sum())} of {off.size} numbers; "
            f"at {_index(where)} it is {_short(wide[where])}, expected {_short(right[where])}."
        )
    return None


def _place(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(mask)[0])


def _index(where: tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, where)) + "]" if where else "the only number"


def _short(number: Any) -> str:
    return f"{float(number):.5g}"


def describe(value: Any) -> str:
    """A few words that say what a value is, for messages: ``an array of shape (3, 2)``, ``text``, ``None``."""
    if isinstance(value, Other):
        return f"something else ({value})"
    if value is None:
        return "None"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}, dtype {value.dtype}"
    names = {
        str: "text",
        bool: "True or False",
        int: "a whole number",
        float: "a number",
        list: "a list",
        dict: "a dict",
    }
    return names.get(type(value), f"a {type(value).__name__}")


Dim = int | str


def check_shapes(shapes: Mapping[str, Sequence[Dim]], arrays: Mapping[str, Any]) -> list[str]:
    """Holds arrays against symbolic shapes such as ``(4, "p")`` and ``("3+p", "qk")``.

    A letter stands for any size of at least 1, the same one in all arrays, bound by the first array that has
    it alone.

    Returns:
        One sentence for each array that is not numeric, does not fit, or holds NaN or infinities.
    """
    problems: list[str] = []
    sizes: dict[str, int] = {}
    for name, shape in shapes.items():
        array = arrays[name]
        wanted = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iuf":
            problems.append(
                f"{name} should be a numeric array of shape {wanted}, but it is {describe(array)}."
            )
            continue
        problem = None
        if array.ndim != len(shape):
            problem = f"{name} has shape {array.shape}; expected {wanted}."
            if array.ndim == 1 and len(shape) == 2:
                problem += (
                    " A single row or column has two axes too: [[1., 0.]] or [[1.], [0.]], not [1., 0.]."
                )
        elif 0 in array.shape:
            problem = f"{name} has shape {array.shape}: an axis of size 0."
        else:
            for axis, dim in enumerate(shape):
                problem = problem or _check_dim(name, array, axis, dim, wanted, sizes)
        if problem is None and not np.isfinite(array).all():
            bad = np.argwhere(~np.isfinite(array))[0].tolist()
            problem = f"{name} holds {array[tuple(bad)]} at {bad}; every number must be finite."
        if problem:
            problems.append(problem)
    return problems


def _check_dim(
    name: str, array: np.ndarray, axis: int, dim: Dim, wanted: str, sizes: dict[str, int]
) -> str | None:
    found, terms, total = array.shape[axis], str(dim).split("+"), 0
    unbound = [term for term in terms if not term.isdigit() and term not in sizes]
    total = sum(int(term) if term.isdigit() else sizes.get(term, 0) for term in terms)
    if unbound:
        if found - total < 1:
            return (
                f"{name} has shape {array.shape}; expected {wanted}, so axis {axis} must be larger than"
                f" {total}."
            )
        sizes[unbound[0]] = found - total
        return None
    if found != total:
        known = ", ".join(f"{term} = {sizes[term]}" for term in terms if term in sizes)
        return f"{name} has shape {array.shape}; expected {wanted}" + (f" with {known}." if known else ".")
    return None


# --- feedback in the notebook -------------------------------------------------------------------------------


@dataclass
class Feedback:
    """What a check cell shows: a title and lines that are fine (True), wrong (False) or notes (None)."""

    title: str
    lines: list[tuple[bool | None, str]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return bool(self.lines) and all(state is not False for state, _ in self.lines)

    def __str__(self) -> str:
        marks = {True: "✓", False: "✗", None: "·"}
        return "\n".join([self.title, *(f"  {marks[state]} {text}" for state, text in self.lines)])

    def _repr_html_(self) -> str:
        states = [state for state, _ in self.lines]
        colour = "#c62828" if False in states else "#2e7d32" if True in states else "#8a6d00"
        marks = {True: ("✓", "#2e7d32"), False: ("✗", "#c62828"), None: ("·", "#8a6d00")}
        rows = "".join(
            f'<div style="margin:.25em 0"><b style="color:{marks[state][1]}">{marks[state][0]}</b>'
            f" {_inline(text)}</div>"
            for state, text in self.lines
        )
        return (
            f'<div style="border-left:4px solid {colour};padding:.4em .9em;margin:.3em 0;max-width:52em;'
            f'background:rgba(128,128,128,.08);line-height:1.45"><b>{_inline(self.title)}</b>{rows}</div>'
        )

    def show(self) -> None:
        """Displays itself: as HTML in a notebook, as text elsewhere."""
        _display(str(self), self._repr_html_())


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False)).replace("\n", "<br>")


def _display(text: str, rich: str) -> None:
    shell = sys.modules.get("IPython")
    if shell is not None and shell.get_ipython() is not None:
        from IPython.display import display

        display({"text/plain": text, "text/html": rich}, raw=True)
    else:
        print(text)


@dataclass(frozen=True)
class Trial:
    """One run of the student's function or class on one case.

    Attributes:
        id: the case's id; ``note`` says in words what is special about it, ``group`` which check it belongs
            to.
        args, kwargs: the inputs (NumPy arrays, numbers, text).
        status: ``ok``, ``error``, ``stopped`` or ``missing`` (never run).
        result: what the probe returned, decoded, if ok.
        error: what was raised and where, in words, if not.
    """

    id: str
    note: str
    group: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    status: str
    result: Any = None
    error: str = ""

    @property
    def output(self) -> Any:
        """The value that the student's function returned, under the ``call`` probe."""
        return (
            self.result["result"]
            if isinstance(self.result, dict) and "result" in self.result
            else self.result
        )


# --- the recorder -------------------------------------------------------------------------------------------

Probe = Callable[[Any, Mapping[str, Any]], Any]
VisibleCheck = Callable[[Mapping[str, Any]], Iterable[tuple[bool | None, str]]]
PROBES: dict[str, Probe] = {}
VISIBLE_CHECKS: dict[str, VisibleCheck] = {}


def probe(name: str) -> Callable[[Probe], Probe]:
    """Registers a function ``(student's object, case) -> result`` that a challenge may name."""
    return lambda function: PROBES.setdefault(name, function)


def visible_check(question: str) -> Callable[[VisibleCheck], VisibleCheck]:
    """Registers what ``check(question)`` says beyond shapes and public examples, from the answers by entry name."""
    return lambda function: VISIBLE_CHECKS.setdefault(question, function)


@probe("call")
def call(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls the student's function on ``args`` and ``kwargs``; notes where it changed its inputs in place."""
    args, kwargs = decode(case.get("args", [])), decode({"fields": case.get("kwargs", {})})
    before = encode(
        [list(args), kwargs]
    )  # not the case itself: its numbers may stand there with fewer digits than a float32 has
    result = encode(function(*args, **kwargs))
    return {"fields": {"result": result, "changed_inputs": encode([list(args), kwargs]) != before}}


def _plain(value: Any) -> Any:
    """The case as :func:`encode` would give it: without the torch marks."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key != "torch"}
    return value


class Log:
    """Collects answers into ``submission_log.json``, which is rewritten whole after every record.

    Args:
        homework: the description that the build put behind the kit (questions, entries, public examples).
        folder: where the log is written and where ``challenges.json`` is looked for.
        namespace: where the student's names live; ``__main__`` in a notebook.
    """

    def __init__(
        self,
        homework: Mapping[str, Any],
        folder: str | os.PathLike[str] = ".",
        namespace: dict[str, Any] | None = None,
    ):
        self.homework = homework
        self.questions: dict[str, Any] = {question["id"]: question for question in homework["questions"]}
        self.path = Path(folder).resolve() / LOG_NAME
        self.namespace = namespace if namespace is not None else sys.modules["__main__"].__dict__
        self.entries: dict[str, dict[str, Any]] = {}
        self.student: dict[str, str] = {}  # id and word, where students have numbers of their own
        self.answers: dict[
            str, dict[str, Any]
        ] = {}  # question → when it was recorded, from which cells and files, whether it is stale
        self.cases: dict[str, list[dict[str, Any]]] = homework.get("examples", {})
        self.challenged = "public"
        challenges = self.path.with_name("challenges.json")
        if challenges.is_file():
            hidden = json.loads(challenges.read_text(encoding="utf-8"))
            if hidden.get("homework") == homework["id"]:
                self.cases, self.challenged = hidden["cases"], hidden["id"]
        if self.challenged == "public":
            with contextlib.suppress(OSError):
                self._take_over()

    def _take_over(self) -> None:
        """Keeps what an earlier kernel recorded; another homework's log in this folder gets a name of its own."""
        own = self.path.with_name(f"{self.homework['id']}_recorded.json")
        for path in (self.path, own):
            try:
                document = json.loads(path.read_text(encoding="utf-8"))
                of, entries, answers = document["homework"], document["entries"], document.get("answers", {})
                if (
                    document["schema"] != LOG_SCHEMA
                    or not isinstance(entries, dict)
                    or not isinstance(answers, dict)
                ):
                    continue
            except (OSError, ValueError, TypeError, KeyError):
                continue
            if of == self.homework["id"]:
                if isinstance(who := document.get("student"), dict):
                    self.student = {"id": student_key(who.get("id")), "word": str(who.get("word", ""))[:40]}
                for question in self.questions.values():
                    mine = {
                        spec["name"]: entries[spec["name"]]
                        for spec in question["entries"]
                        if isinstance(entries.get(spec["name"]), dict)
                    }
                    if mine and isinstance(answers.get(question["id"]), dict):
                        self.entries |= mine
                        self.answers[question["id"]] = answers[question["id"]] | {"earlier": True}
                return
            if path == self.path and re.fullmatch(r"hw\d{1,2}", str(of)):
                os.replace(path, path.with_name(f"{of}_recorded.json"))

    def record(self, question: str) -> None:
        """Puts the present answers to one question into the log and says what was recorded."""
        lines: list[tuple[bool | None, str]] = []
        specs = self._entries(question)
        if self.answers.get(question, {}).get("earlier") and not any(
            spec["name"] in self.namespace for spec in specs
        ):
            lines.append(
                (
                    None,
                    (
                        f"What was recorded at {_clock(self.answers[question].get('recorded'))} stays in the"
                        " log."
                    ),
                )
            )
            lines += _open_lines((spec["name"], "missing") for spec in specs)
            Feedback(f"{question} is not recorded anew", lines).show()
            return
        files = {
            spec["file"]: file_digest(self.path.with_name(spec["file"])) for spec in specs if "file" in spec
        }
        sources = (
            self._sources(question) if self.challenged == "public" else []
        )  # under grading nobody edits, and looking takes time
        self.answers[question] = {"recorded": _now(), "sources": sources} | (
            {"files": files} if files else {}
        )
        for spec in specs:
            entry = {"question": question, "kind": spec["kind"]}
            self.entries[spec["name"]] = entry
            try:
                self._collect(spec, entry)
            except KeyboardInterrupt:
                entry["status"] = "stopped"
            finally:
                self.write()
            if entry["status"] not in ("missing", "unanswered"):
                lines.append(_recorded_line(spec, entry))
        lines += _open_lines((spec["name"], self.entries[spec["name"]]["status"]) for spec in specs)
        Feedback(
            f"{question} recorded" if any(state for state, _ in lines) else f"{question} is not recorded yet",
            lines,
        ).show()

    def record_missing(self) -> None:
        """Records every question that was not recorded so far; the grader runs this last."""
        for question in self.questions.values():
            names = [spec["name"] for spec in question["entries"]]
            states = {self.entries.get(name, {}).get("status", "missing") for name in names}
            if names and states <= {"missing", "unanswered"}:
                self.record(question["id"])

    def _entries(self, question: str) -> list[dict[str, Any]]:
        if question not in self.questions:
            raise KeyError(
                f"{self.homework['id']} has no question {question!r}; it has {', '.join(self.questions)}"
            )
        return self.questions[question]["entries"]

    def _collect(
        self, spec: Mapping[str, Any], entry: dict[str, Any], cases: list[dict[str, Any]] | None = None
    ) -> None:
        missing = object()
        value = self.namespace.get(spec["name"], missing)
        if value is missing:
            entry["status"] = "missing"
        elif value is None:
            entry["status"] = "unanswered"
        elif spec["kind"] in RUN_KINDS:
            self._run_cases(spec, value, entry, self.cases.get(spec["name"], []) if cases is None else cases)
        else:
            if spec["kind"] == "array" and isinstance(value, list | tuple | int | float):
                with contextlib.suppress(ValueError, TypeError):
                    value = np.asarray(value)
            entry.update(status="ok", value=encode(value))

    def _run_cases(
        self, spec: Mapping[str, Any], value: Any, entry: dict[str, Any], cases: list[dict[str, Any]]
    ) -> None:
        responses: dict[str, Any] = {}
        entry.update(status="ok", responses=responses)
        for case in cases:
            _seed_libraries()
            responses[case["id"]] = {"status": "stopped"}
            try:
                responses[case["id"]] = {"status": "ok", "result": PROBES[case["probe"]](value, case)}
            except NotImplementedError as error:
                if _raised_by_stub(error):
                    entry.pop("responses")
                    entry["status"] = "unanswered"
                    return
                responses[case["id"]] = {"status": "error", "error": _explain(error)}
            except KeyboardInterrupt:
                entry["status"] = "stopped"
                return
            except (Exception, SystemExit) as error:
                responses[case["id"]] = {"status": "error", "error": _explain(error)}

    def _sources(self, question: str) -> list[str]:
        return sources_behind([spec["name"] for spec in self._entries(question)], cells_that_ran())

    def _state(self, question: str) -> str:
        """How far a question is recorded: ``recorded``, ``partly recorded``, ``not recorded``, or ``written`` if nothing is to record."""
        entries = [self.entries.get(spec["name"], {}) for spec in self._entries(question)]
        states = [
            (
                "missing"
                if entry.get("kind") == "checkpoint" and _errors(entry)
                else entry.get("status", "missing")
            )
            for entry in entries
        ]
        if not states:
            return "written"
        return (
            "recorded" if set(states) == {"ok"} else "partly recorded" if "ok" in states else "not recorded"
        )

    def _changed(self, question: str) -> bool:
        """Whether the answer in this kernel is another one than what was recorded; what is not there cannot differ."""
        told = self.answers.get(question, {})
        ran, everything = False, True
        for spec in self._entries(question):
            entry = self.entries.get(spec["name"], {})
            if entry.get("status") != "ok":
                continue
            if "file" in spec and told.get("files", {}).get(spec["file"]) != file_digest(
                self.path.with_name(spec["file"])
            ):
                return True
            if spec["name"] not in self.namespace:
                everything = False
            elif spec["kind"] in RUN_KINDS:
                ran = True
            else:
                present: dict[str, Any] = {}
                self._collect(spec, present)
                if present.get("value") != entry.get("value"):
                    return True
        sources = self._sources(question)
        if ran and sources and set(sources) != set(told.get("sources", [])):
            return True
        if sources and not ran and everything:
            told["sources"] = (
                sources  # the same values from cells that ran again, such as after a change of a comment
            )
        return False

    def _edited(self, question: str, notebook: SavedNotebook, digests: set[str]) -> str:
        """Whether cells that gave the recorded answer are not in the notebook: ``edited``, ``unsaved`` or empty."""
        told = self.answers.get(question, {})
        if (
            self._state(question) not in ("recorded", "partly recorded")
            or set(told.get("sources", [])) <= digests
        ):
            return ""
        recorded = told.get("recorded", "")
        return "edited" if notebook.saved is None or _stamp(notebook.saved) > recorded else "unsaved"

    def write(self, stale: Mapping[str, str] | None = None) -> None:
        """Writes the log beside the notebook, whole or not at all. ``stale`` adds to what this kernel knows of changed answers."""
        for question, told in self.answers.items():
            told.pop("stale", None)
            if self.challenged == "public" and self._changed(question):
                told["stale"] = "changed"
            elif (stale or {}).get(question) in STALE:
                told["stale"] = (stale or {})[question]
        document = {
            "schema": LOG_SCHEMA,
            "kit": KIT_VERSION,
            "homework": self.homework["id"],
            "challenges": self.challenged,
            "written": (
                max((told.get("recorded", "") for told in self.answers.values()), default="") or _now()
            ),
            **({"student": self.student} if self.student else {}),
            "entries": self.entries,
            "answers": self.answers,
        }
        write_whole(self.path, json.dumps(document, allow_nan=False).encode())

    def check(self, question: str) -> None:
        """Tries the answer on public examples and shows what is fine and what to look at."""
        answers: dict[str, Any] = {}
        open_entries: list[tuple[str, str]] = []
        lines: list[tuple[bool | None, str]] = []
        for spec in self._entries(question):
            entry: dict[str, Any] = {}
            examples = self.homework.get("examples", {}).get(spec["name"], [])
            self._collect(spec, entry, examples)
            if entry["status"] in ("missing", "unanswered"):
                open_entries.append((spec["name"], entry["status"]))
            elif spec["kind"] in RUN_KINDS:
                lines += _check_examples(spec["name"], examples, entry)
                answers[spec["name"]] = [_trial(example, entry) for example in examples]
            else:
                answers[spec["name"]] = decode(entry["value"])
        arrays = {spec["name"]: spec["shape"] for spec in self._entries(question) if "shape" in spec}
        if open_entries and not lines and not answers:
            Feedback(f"{question} is not answered yet", _open_lines(open_entries)).show()
            return
        if set(arrays) <= set(answers):
            problems = check_shapes(arrays, answers)
            lines += [(False, problem) for problem in problems]
            if question in VISIBLE_CHECKS and not any(state is False for state, _ in lines):
                lines += VISIBLE_CHECKS[question](answers)
        lines += _open_lines(open_entries)
        Feedback(
            f"Check {question}",
            lines or [(None, "Nothing can be tried out here without giving the answer away. Record it.")],
        ).show()

    def my_numbers(self, student: Any, word: str) -> None:
        """Notes whose notebook this is and shows the numbers that go with it."""
        self.student = {"id": student_key(student), "word": word}
        self.write()
        if not self.student["id"]:
            told = (
                "Replace None by your student id, in quotes, as your course writes it; then run this cell"
                " again."
            )
            Feedback("Your numbers are not drawn yet", [(None, told)]).show()
            return
        lines: list[tuple[bool | None, str]] = []
        for question in self.questions.values():
            if choices := question.get("numbers"):
                drawn = draw_numbers(word, question["id"], student, choices)
                lines.append(
                    (
                        None,
                        f"{question['id']}: "
                        + ", ".join(f"`{name}` = {number:,}" for name, number in drawn.items()),
                    )
                )
        Feedback(f"The numbers of student {self.student['id']}", lines).show()

    def finish(self) -> None:
        """Writes the log, puts what is to be handed in into one zip, and says what is recorded, missing or out of date."""
        # before the notebook is compared: what ran again with the same values gets its new cells
        self.write()
        notebook = None
        if self.challenged == "public":
            given = (os.environ.get("JPY_SESSION_NAME"), self.namespace.get("__vsc_ipynb_file__"))
            notebook = find_notebook(self.path.parent, self.homework, cells_that_ran(), given)
        digests = notebook.digests() if notebook else set()
        stale = (
            {question: self._edited(question, notebook, digests) for question in self.questions}
            if notebook
            else {}
        )
        self.write(stale)
        stale |= {question: told["stale"] for question, told in self.answers.items() if "stale" in told}
        words = (
            {question: len(text.split()) for question, text in written_answers(notebook.cells).items()}
            if notebook
            else None
        )
        rows = [
            self._row(question, stale.get(question["id"], ""), words) for question in self.questions.values()
        ]
        recorded = sum(self._state(question) == "recorded" for question in self.questions)
        asked = sum(bool(question["entries"]) for question in self.questions.values())
        lines = self._to_do(stale, words, notebook)
        lines.append((None, self._points(words)))
        if self.challenged == "public":
            lines += self._zip(notebook, ready=all(state is not False for state, _ in lines))
        Feedback(
            f"{self.homework['id']}: {recorded} of {asked} questions recorded in {self.path.name}", lines
        ).show()
        body = "".join(
            "<tr>"
            + "".join(f'<td style="text-align:left">{html.escape(cell)}</td>' for cell in row)
            + "</tr>"
            for row in rows
        )
        heads = "".join(
            f'<th scope="col" style="text-align:left">{name}</th>'
            for name in ("number", "question", "points", "written", "state")
        )
        table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        _display("\n".join("  ".join(cell for cell in row if cell) for row in rows), table)

    def _row(
        self, question: Mapping[str, Any], stale: str, words: Mapping[str, int] | None
    ) -> tuple[str, ...]:
        points = (
            (f"{question['points']:g}" + (" extra" if question.get("extra") else ""))
            if question["entries"]
            else ""
        )
        written = f"{question['written']:g}" if question.get("written") else ""
        state = self._state(question["id"])
        told = [] if state == "written" else [{"recorded": "✓ "}.get(state, "· ") + state]
        if stale in STALE:
            told = [f"✗ {STALE[stale]}"]
        elif told and self.answers.get(question["id"], {}).get("earlier"):
            told.append(
                f"at {_clock(self.answers[question['id']].get('recorded'))}, before this kernel started"
            )
        if written:
            count = words.get(question["id"], 0) if words is not None else None
            told.append(
                "in the notebook"
                if count is None
                else f"{count} words written"
                if count
                else "· nothing written yet"
            )
        return question["id"], question["title"], points, written, ", ".join(told)

    def _to_do(
        self, stale: Mapping[str, str], words: Mapping[str, int] | None, notebook: SavedNotebook | None
    ) -> list[tuple[bool | None, str]]:
        """What is missing, out of date or not saved, a line for each kind."""
        lines: list[tuple[bool | None, str]] = []

        def listed(kind: str) -> str:
            return ", ".join(question for question in self.questions if stale.get(question) == kind)

        if changed := listed("changed"):
            lines.append(
                (
                    False,
                    (
                        f"Changed after recording: {changed}. The log holds the old answer. Run the record"
                        " cell again, then this cell."
                    ),
                )
            )
        if edited := listed("edited"):
            told = "Run the cells of the answer and its record cell, then this cell."
            lines.append(
                (
                    False,
                    f"Edited in the notebook after recording: {edited}. The log holds the old answer. {told}",
                )
            )
        if (unsaved := listed("unsaved")) and notebook and notebook.saved:
            told = (
                f"Not saved yet: the file `{notebook.name}` of {_clock(_stamp(notebook.saved))} lacks cells"
                f" that ran for {unsaved}."
            )
            lines.append(
                (False, f"{told} Save the notebook (Ctrl+S, on a Mac ⌘S), then run this cell again.")
            )
        counts = [
            question
            for question in self.questions.values()
            if question["entries"] and not question.get("extra")
        ]
        if missing := [question["id"] for question in counts if self._state(question["id"]) != "recorded"]:
            lines.append(
                (
                    None,
                    (
                        f"Missing or incomplete: {', '.join(missing)}. Answer them, run their record cells,"
                        " then this cell."
                    ),
                )
            )
        elif not lines:
            lines.append(
                (
                    True,
                    (
                        "Nothing is missing among the questions that count. Recorded does not mean right: the"
                        " checks tell more."
                    ),
                )
            )
        if words is not None and (
            blank := [
                name for name, one in self.questions.items() if one.get("written") and not words.get(name)
            ]
        ):
            lines.append(
                (None, f"No words yet in the written answers {', '.join(blank)} of the saved notebook.")
            )
        for spec in self._files():
            file = self.path.with_name(spec["file"])
            if not file.is_file():
                others = sorted(
                    path.name for path in self.path.parent.glob(f"*{file.suffix}") if path.is_file()
                )
                hint = (
                    f" There is {', '.join(f'`{name}`' for name in others[:3])}; if it is that one,"
                    " rename it."
                    if others
                    else ""
                )
                lines.append((None, f"`{file.name}` is not there yet.{hint}"))
        return lines

    def _points(self, words: Mapping[str, int] | None) -> str:
        """One sentence on points: graded automatically, by people, extra; and how much of each is there to be graded."""
        auto = [one for one in self.questions.values() if one["entries"] and not one.get("extra")]
        extra = [one for one in self.questions.values() if one.get("extra")]
        people = [one for one in self.questions.values() if one.get("written")]

        def there(some: Sequence[Mapping[str, Any]]) -> str:
            return (
                f"{sum(one['points'] for one in some if self._state(one['id']) == 'recorded'):g} of"
                f" {sum(one['points'] for one in some):g}"
            )

        parts = [f"recorded so far: questions worth {there(auto)} points that are graded automatically"]
        if people:
            total = f"{sum(one['written'] for one in people):g}"
            begun = (
                f"{sum(one['written'] for one in people if words.get(one['id'])):g} of "
                if words is not None
                else ""
            )
            parts.append(f"written answers worth {begun}{total} points, graded by people")
        if extra:
            parts.append(f"{there(extra)} points of extra credit")
        text = "; ".join(parts)
        return f"{text[0].upper()}{text[1:]}."

    def _files(self) -> list[dict[str, Any]]:
        return [
            spec for question in self.questions.values() for spec in question["entries"] if "file" in spec
        ]

    def _zip(self, notebook: SavedNotebook | None, ready: bool) -> list[tuple[bool | None, str]]:
        """Makes the zip to hand in and says what it holds, and what has to be added by hand."""
        stem = self.homework["stem"]
        target = self.path.with_name(f"{stem}_submission.zip")
        files = {f"{stem}.ipynb": notebook.data} if notebook else {}
        files[LOG_NAME] = self.path.read_bytes()
        files |= {
            path.name: path.read_bytes()
            for spec in self._files()
            if (path := self.path.with_name(spec["file"])).is_file()
        }
        try:
            write_whole(target, zip_bytes(files))
        except OSError as error:
            return [
                (
                    False,
                    (
                        f"`{target.name}` could not be written ({error}). Hand in these files one by one:"
                        f" {', '.join(files)}."
                    ),
                )
            ]
        holds = (
            f"`{target.name}` ({target.stat().st_size / 1000:,.0f} kB) holds"
            f" {', '.join(f'`{name}`' for name in files)}"
        )
        where = (
            "Download it from the Files pane at the left." if in_colab() else f"It is in {self.path.parent}."
        )
        if notebook is None:
            how = "choose File → Download → Download .ipynb" if in_colab() else "save it"
            why = (
                "Colab keeps the notebook in Drive"
                if in_colab()
                else f"No notebook of {self.homework['id']} was found in {self.path.parent}"
            )
            return [(False, f"{holds}, but not the notebook. {why}: {how}, and hand in both files. {where}")]
        advice = (
            "Hand in this one file,"
            if ready
            else "This is not ready to hand in: first do what the lines marked ✗ say. The file will be"
        )
        told = (
            "as it is on the page now"
            if notebook.saved is None
            else f"as saved at {_clock(_stamp(notebook.saved))}"
        )
        if notebook.name not in ("", f"{stem}.ipynb"):
            told += f", where it is called `{notebook.name}`"
        return [(None, f"{holds}; the notebook {told}."), (None, f"{advice} `{target.name}`. {where}")]


def _now() -> str:
    return _stamp(time.time())


def _stamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _clock(stamp: Any) -> str:
    """A time of the log for people: local time, with the date if it is not today."""
    try:
        local = time.localtime(calendar.timegm(time.strptime(str(stamp), "%Y-%m-%dT%H:%M:%SZ")))
    except (ValueError, OverflowError):
        return "another time"
    return time.strftime("%H:%M" if local[:3] == time.localtime()[:3] else "%Y-%m-%d %H:%M", local)


def _open_lines(statuses: Iterable[tuple[str, str]]) -> list[tuple[bool | None, str]]:
    """What to say of entries that are not answered, all in one line, and of names that do not exist."""
    found = list(statuses)
    lines: list[tuple[bool | None, str]] = []
    if unanswered := [f"`{name}`" for name, status in found if status == "unanswered"]:
        lines.append(
            (
                None,
                (
                    f"Not answered yet: {', '.join(unanswered)}. Replace the TODO above, run that cell, then"
                    " this one."
                ),
            )
        )
    if missing := [f"`{name}`" for name, status in found if status == "missing"]:
        verb = "does not exist here" if len(missing) == 1 else "do not exist here"
        lines.append(
            (None, f"{', '.join(missing)} {verb}. Run the cell that defines it (or all cells from the top).")
        )
    return lines


def _recorded_line(spec: Mapping[str, Any], entry: Mapping[str, Any]) -> tuple[bool | None, str]:
    name, status = spec["name"], entry["status"]
    if status == "stopped":
        return False, f"`{name}` was stopped while it ran. Does it contain a loop that never ends?"
    if spec["kind"] in RUN_KINDS:
        count = len(entry["responses"])
        inputs = f"{count} input" + "s" * (count != 1)
        if errors := _errors(entry):
            return False, f"`{name}` ran on {inputs} and raised {errors[0]['type']}: {errors[0]['message']}"
        if spec["kind"] == "checkpoint":
            return True, f"`{spec['file']}` is there and fits `{name}`. Hand it in with the notebook."
        return True, f"`{name}` ran on {inputs}."
    value = entry["value"]
    if isinstance(value, dict) and "shape" in value:
        shape = tuple(value["shape"])
        return True, f"`{name}` with shape {shape}." if shape else f"`{name}` = {value['data'][0]}."
    return True, f"`{name}` = {json.dumps(value)[:60]}."


def _errors(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        response["error"] for response in entry.get("responses", {}).values() if response["status"] == "error"
    ]


def _trial(case: Mapping[str, Any], entry: Mapping[str, Any]) -> Trial:
    response = entry.get("responses", {}).get(case["id"], {"status": "missing"})
    error = response.get("error", {})
    return Trial(
        id=case["id"],
        note=case.get("note", ""),
        group=case.get("group", ""),
        args=tuple(decode(_plain(case.get("args", [])))),
        kwargs=decode({"fields": _plain(case.get("kwargs", {}))}),
        status=response["status"],
        result=decode(response["result"]) if response["status"] == "ok" else None,
        error=f"{error['type']}: {error['message']}{error['where']}" if error else "",
    )


def _check_examples(
    name: str, examples: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]
) -> list[tuple[bool | None, str]]:
    lines: list[tuple[bool | None, str]] = []
    for example in examples:
        response = entry.get("responses", {}).get(example["id"], {"status": "stopped"})
        note = example.get("note", "an example")
        if response["status"] == "error":
            error = response["error"]
            lines.append(
                (False, f"`{name}` raised {error['type']} on {note}: {error['message']}{error['where']}")
            )
        elif response["status"] == "stopped":
            lines.append((False, f"`{name}` was stopped on {note}."))
        elif "expected" in example:
            problem = judge_example(name, example, decode(response["result"]))
            lines.append((problem is None, problem or f"`{name}` is right on {note}."))
        else:
            lines.append((True, f"`{name}` runs on {note}."))
        if lines[-1][0] is False:
            break  # one mistake at a time: the later examples would mostly repeat it
    return lines


def judge_example(name: str, example: Mapping[str, Any], response: Mapping[str, Any]) -> str | None:
    """Compares one response of the ``call`` probe with a public example; names a known mistake where it matches."""
    expected, found = decode(example["expected"]), response["result"]
    pairs = (
        list(zip(expected, found, strict=False))
        if isinstance(expected, list) and isinstance(found, list)
        else [(expected, found)]
    )
    texts = isinstance(expected, list) and bool(expected) and all(isinstance(item, str) for item in expected)
    if texts and isinstance(found, list) and len(found) != len(expected):
        told = (
            f"`{name}` on {example.get('note', 'an example')} gives {_clipped(found)}; expected"
            f" {_clipped(expected)}."
        )
        says = [
            mistake["says"] for mistake in example.get("mistakes", []) if decode(mistake["result"]) == found
        ]
        return " ".join([told, *says[:1]])
    if isinstance(expected, list) and (not isinstance(found, list) or len(found) != len(expected)):
        return f"`{name}` should return {len(expected)} things, but it returned {describe(found)}."
    tolerance = {"rtol": example.get("rtol", 1e-4), "atol": example.get("atol", 1e-6)}
    for index, (right, got) in enumerate(pairs):
        what = (
            f"`{name}`"
            + (f", output {index + 1}," if len(pairs) > 1 else "")
            + f" on {example.get('note', 'an example')}"
        )
        problem = (
            compare_text(right, got, what)
            if isinstance(right, str)
            else compare(np.asarray(right), got, what=what, **tolerance)
        )
        if problem is None:
            continue
        for mistake in example.get("mistakes", []):
            wrong = decode(mistake["result"])
            if same(wrong, found, **tolerance):
                return f"{problem} {mistake['says']}"
        return problem
    if response.get("changed_inputs"):
        return f"`{name}` changed its input arrays in place. Work on a copy."
    return None


def compare_text(expected: str, found: Any, what: str) -> str | None:
    """Compares two texts exactly; None if equal, else a sentence that shows both."""
    if isinstance(found, str) and found == expected:
        return None
    return (
        f"{what} is {_clipped(found) if isinstance(found, str) else describe(found)}; expected"
        f" {_clipped(expected)}."
    )


def _clipped(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 160 else f"{text[:157]}..."


def same(left: Any, right: Any, *, rtol: float = 1e-4, atol: float = 1e-6) -> bool:
    """Whether two decoded values (arrays, or lists of arrays) are equal within tolerance, without broadcasting."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(
            same(a, b, rtol=rtol, atol=atol) for a, b in zip(left, right, strict=True)
        )
    if isinstance(left, str) or isinstance(right, str):
        return type(left) is type(right) and left == right
    return compare(np.asarray(left), right, rtol=rtol, atol=atol) is None


def name_to_come(error: NameError) -> str:
    """Words for a name that a cell itself lacks, for cells that go on without what is optional.

    Raises:
        NameError: the name is lacking inside a function, which is a mistake to see with its traceback.
    """
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    if place is None or place.tb_frame.f_code.co_name != "<module>":
        raise error
    return (
        f"This cell needs {error.name}, which does not exist here. Run the cell that defines it and read what"
        " it says."
    )


def _raised_by_stub(error: BaseException) -> bool:
    return bool(error.args) and bool(re.fullmatch(r"\d+\.\d+\w*", str(error.args[0])))


def _explain(error: BaseException) -> dict[str, str]:
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if "homework_kit" not in frame.filename
    ]
    own = [
        frame for frame in frames if "ipykernel" in frame.filename
    ] or frames  # IPython's name for notebook cells
    where = f" (line {own[-1].lineno}: {own[-1].line})" if own and own[-1].line else ""
    return {"type": type(error).__name__, "message": str(error)[:500], "where": where[:200]}


def _seed_libraries() -> None:
    np.random.seed(0)
    if torch := sys.modules.get("torch"):
        # where no GPU is in use, seeding it would only write down a traceback for each, for later
        (torch if torch.cuda.is_initialized() else torch.default_generator).manual_seed(0)


# --- figures ------------------------------------------------------------------------------------------------


def show_figure(figure: Any = None, alt: str = "") -> None:
    """Shows a figure as ``plt.show()`` does, with a text for those who cannot see it.

    Args:
        figure: a matplotlib figure; the current one if left out.
        alt: what it shows; :func:`describe_figure` says it if left out.
    """
    import matplotlib.pyplot as plt

    figure = plt.gcf() if figure is None else figure
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None or "inline" not in plt.get_backend():
        plt.show()
        return
    from IPython.display import display

    words = alt or describe_figure(figure)
    data, metadata = shell.display_formatter.format(figure)
    plt.close(figure)
    for kind in data:
        if kind.startswith("image/"):
            metadata[kind] = {**metadata.get(kind, {}), "alt": words}
    display({**data, "text/plain": words}, metadata=metadata, raw=True)
    told = html.escape(words).replace(
        "\n", "<br>"
    )  # JupyterLab does not read alt, so the words stand below the figure, too
    display({"text/html": f"<details><summary>Figure in words</summary>{told}</details>"}, raw=True)


def describe_figure(figure: Any) -> str:
    """A figure in words, panel by panel: titles, axes, what each labelled line and each map goes from and to."""
    title = figure.get_suptitle() if hasattr(figure, "get_suptitle") else ""
    bars = {bar.ax for axis in figure.axes for image in axis.images if (bar := image.colorbar) is not None}
    panels = [words for axis in figure.axes if axis not in bars and (words := _describe_axis(axis))]
    told = panels[:12] + ([f"And {len(panels) - 12} panels more."] if len(panels) > 12 else [])
    return "\n".join(["Figure." if not title else f"Figure: {title}.", *told])


def _describe_axis(axis: Any) -> str:
    x, y = axis.get_xlabel(), axis.get_ylabel()
    parts = [f"{y} over {x}" if x and y else x or y] if x or y else []
    for line in axis.lines:
        xs, ys = (np.ravel(np.asarray(values, dtype=float)) for values in line.get_data())
        name = (
            line.get_label()
            if not line.get_label().startswith("_")
            else "the line"
            if len(axis.lines) == 1
            else ""
        )
        if name and len(ys):
            where = (
                f" for x from {_rough(xs[0])} to {_rough(xs[-1])}"
                if len(ys) > 1
                else f" at x = {_rough(xs[0])}"
            )
            path = (
                f"is at {_rough(ys[0])}"
                if np.ptp(ys) == 0
                else f"goes from {_rough(ys[0])} to {_rough(ys[-1])}"
            )
            parts.append(f"{name} ({_line_style(line)}) {path}{where}")
    parts += [
        f"{dots.get_label()} ({len(dots.get_offsets())} points)"
        for dots in axis.collections
        if not str(dots.get_label()).startswith("_")
    ]
    for bars in axis.containers:
        heights = [bar.get_height() for bar in getattr(bars, "patches", ())]
        name = "bars" if str(bars.get_label()).startswith("_") else f"bars, {bars.get_label()}"
        parts += [f"{name}: {', '.join(map(_rough, heights[:20]))}"] if heights else []
    for image in axis.images:
        values: np.ndarray = np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)
        if values.ndim == 2 and np.isfinite(values).any():
            rows, columns = values.shape
            parts.append(
                f"map of {rows} rows and {columns} columns, from {_rough(np.nanmin(values))} to"
                f" {_rough(np.nanmax(values))}"
            )
            parts += _brightest(axis, values) if max(values.shape) <= 12 else []
    title = axis.get_title()
    return (
        f"{title}: {'; '.join(parts)}."
        if title and parts
        else f"{title or '; '.join(parts)}."
        if title or parts
        else ""
    )


def _rough(number: Any) -> str:
    return f"{float(number):.4g}"


def _line_style(line: Any) -> str:
    markers = {
        "o": "circles",
        "s": "squares",
        "D": "diamonds",
        "^": "triangles up",
        "v": "triangles down",
        "x": "crosses",
        "|": "ticks",
    }
    lines = {"-": "solid", "--": "dashed", "-.": "dash-dotted", ":": "dotted"}
    found = [lines.get(line.get_linestyle(), ""), markers.get(str(line.get_marker()), "")]
    return " with ".join(word for word in found if word) or "a line"


def _brightest(axis: Any, values: np.ndarray) -> list[str]:
    rows, columns = (
        [label.get_text() for label in labels] for labels in (axis.get_yticklabels(), axis.get_xticklabels())
    )
    if len(rows) != values.shape[0] or len(columns) != values.shape[1] or not any(rows) or not any(columns):
        return []
    told = []
    for row, line in zip(rows, np.nan_to_num(values), strict=True):
        at = int(line.argmax())
        told.append(
            f"{row} is alike everywhere"
            if np.ptp(line) < 1e-9
            else f"{row} is largest at {columns[at]} ({_rough(line[at])})"
        )
    return told


def show_attention(
    weights: Any,
    queries: Sequence[str],
    keys: Sequence[str] | None = None,
    title: str | Sequence[str] = "",
    mask: Any = None,
) -> None:
    """Draws one or several attention maps side by side, on one shared scale from 0 to 1.

    Args:
        weights: (query, key) probabilities, rows sum to 1; or a list of such maps.
        queries: a label for each row.
        keys: a label for each column; the queries' labels if left out.
        title: one title, or one for each map.
        mask: bool, same shape as a map, True where attention is not allowed; drawn hatched.
    """
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    maps = [
        np.asarray(item, dtype=float)
        for item in (weights if isinstance(weights, list | tuple) else [weights])
    ]
    titles = [title] * len(maps) if isinstance(title, str) else list(title)
    keys = queries if keys is None else keys
    size = max(2.2, 0.42 * max(len(queries), len(keys)))
    figure, axes = plt.subplots(
        1,
        len(maps),
        figsize=((size + 0.9) * len(maps) + 0.9, size + 0.9),
        squeeze=False,
        layout="constrained",
    )
    for axis, values, name in zip(axes[0], maps, titles, strict=True):
        image = axis.imshow(values, vmin=0.0, vmax=1.0, cmap="cividis")
        axis.set(title=name, xlabel="keys (looked at)", ylabel="queries (looking)")
        axis.set_xticks(range(len(keys)), keys)
        axis.set_yticks(range(len(queries)), queries)
        if mask is not None:
            for row, column in np.argwhere(np.asarray(mask)):
                axis.add_patch(
                    Rectangle(
                        (column - 0.5, row - 0.5),
                        1,
                        1,
                        hatch="///",
                        facecolor="white",
                        edgecolor="grey",
                        lw=0,
                    )
                )
        if values.size <= 64:
            for (row, column), weight in np.ndenumerate(values):
                if mask is None or not np.asarray(mask)[row, column]:
                    axis.text(
                        column,
                        row,
                        f"{weight:.2f}",
                        ha="center",
                        va="center",
                        fontsize=8,
                        color="black" if weight > 0.55 else "white",
                    )
    figure.colorbar(image, ax=axes[0].tolist(), label="attention weight", shrink=0.8)
    show_figure(figure)


def show_matrices(rows: Mapping[str, Mapping[str, Any]], title: str = "") -> None:
    """Draws rows of matrices, each with its own true colour bar, zero in the middle.

    Args:
        rows: row label → (panel title → 2-d array); the rows have the same panels.
        title: above the whole figure.
    """
    import matplotlib.pyplot as plt

    columns = max(len(panels) for panels in rows.values())
    width = max(
        (1.75 if columns < 6 else 1.3) * columns, 4.4
    )  # eight panels in a notebook's width, with letters of a readable size
    figure, axes = plt.subplots(
        len(rows), columns, figsize=(width, 2.1 * len(rows) + 0.4), squeeze=False, layout="constrained"
    )
    for line, (label, panels) in zip(axes, rows.items(), strict=True):
        for axis, (name, values) in zip(line, panels.items(), strict=True):
            matrix = np.atleast_2d(np.asarray(values, dtype=float))
            bound = float(np.abs(matrix).max()) or 1.0
            image = axis.imshow(matrix, vmin=-bound, vmax=bound, cmap="PuOr", aspect="auto")
            axis.set_title(f"{name} {matrix.shape[0]}×{matrix.shape[1]}", fontsize=8)
            axis.set_xticks([])
            axis.set_yticks([])
            figure.colorbar(
                image, ax=axis, location="bottom", shrink=0.9, format="%.2g", ticks=[-bound, 0, bound]
            ).ax.tick_params(labelsize=7)
        line[0].set_ylabel(label, fontsize=9)
    figure.suptitle(title)
    show_figure(figure)


# --- what a notebook calls ----------------------------------------------------------------------------------

_log: Log | None = None


def open_homework(homework: Mapping[str, Any]) -> Log:
    """Makes ``check``, ``record`` and ``finish`` speak of one homework; the build calls this at the kit's end."""
    global _log
    _log = Log(homework)
    return _log


def _opened() -> Log:
    if _log is None:
        raise RuntimeError("No homework is open. Run the notebook's first two cells again.")
    return _log


def check(question: str) -> None:
    """Checks the present answer to one question on public examples, for example ``check("3.1")``."""
    _opened().check(question)


def record(question: str) -> None:
    """Puts the present answer to one question into the submission log, for example ``record("3.1")``."""
    _opened().record(question)


def my_numbers(student: Any, word: str) -> None:
    """Shows a student's own numbers, in courses where everyone has others; ``word`` is the course's."""
    _opened().my_numbers(student, word)


def finish() -> None:
    """Writes the submission log and lists what is recorded, what is missing and what to hand in."""
    _opened().finish()
