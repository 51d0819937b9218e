"""Probes: how the student's function or class is run on a case, and what is kept of it."""

from __future__ import annotations

import contextlib
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from autograder.kit.feedback import Line
from autograder.kit.values import decode, encode, without_marks

Probe = Callable[[Any, Mapping[str, Any]], Any]
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])
VisibleCheck = Callable[[Mapping[str, Any]], Iterable[Line]]
PROBES: dict[str, Probe] = {}
MEASURING: set[str] = set()  # probes whose result rests on functions of the kit that count or watch
INTACT: dict[str, Any] = {}  # the kit's functions as they were when the homework was opened
VISIBLE_CHECKS: dict[str, VisibleCheck] = {}
CheckPicture = Callable[[Mapping[str, Any], bool], Any]
CHECK_PICTURES: dict[str, CheckPicture] = {}


@dataclass(frozen=True)
class Trial:
    """One run of the student's function or class on one case.

    Attributes:
        id: the case's id; ``note`` says in words what is special about it, ``group`` which check it belongs
            to.
        args, kwargs: the inputs (NumPy arrays, numbers, text).
        status: ``ok``, ``error``, ``stopped`` or ``missing`` (never run).
        result: what the probe returned, decoded, if ok.
        error: what was raised and where, in words, if not; after a colon, what the kit itself found wrong.
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

    @property
    def changed_inputs(self) -> bool:
        """Whether the student's function changed its inputs in place, where the probe looks for that."""
        return isinstance(self.result, Mapping) and bool(self.result.get("changed_inputs"))


class InstrumentError(Exception):
    """What counts or watches was replaced or switched off; the message names it."""


def register(table: dict[str, AnyFunction], what: str, name: str) -> Callable[[AnyFunction], AnyFunction]:
    """A decorator that puts a function into a table by name.

    Raises:
        ValueError: another one has that name; one of the two would never be called.
    """

    def put(function: AnyFunction) -> AnyFunction:
        if name in table:
            raise ValueError(f"two functions are registered as the {what} {name!r}; rename one of them")
        table[name] = function
        return function

    return put


def probe(name: str, *, measures: bool = False) -> Callable[[Probe], Probe]:
    """Registers a function ``(student's object, case) -> result`` that a challenge may name.

    Args:
        name: as cases give it.
        measures: whether it rests on functions of the kit that count or watch; where one of those was
            replaced, its result does not count.
    """
    MEASURING.update({name} if measures else ())
    return register(PROBES, "probe", name)


def keep_intact() -> None:
    """Notes the kit's functions as they are, so that a replaced one is noticed."""
    INTACT.update(_functions())


def _functions() -> dict[str, Any]:
    """The functions and classes of the kit, which is a single module in a notebook, and its probes."""
    named = {name: value for name, value in globals().items() if callable(value)}
    return named | {f"PROBES[{name!r}]": value for name, value in PROBES.items()}


def _refuse_replaced() -> None:
    """Raises an :class:`InstrumentError` if a function of the kit is another one than in the beginning."""
    now = _functions()
    replaced = [name for name, value in INTACT.items() if now.get(name) is not value]
    if replaced:
        raise InstrumentError(
            f"`{replaced[0]}` of the homework kit was replaced in this notebook, so what is measured does not"
            " count. Remove that line, restart the kernel and run all cells"
        )


def visible_check(question: str) -> Callable[[VisibleCheck], VisibleCheck]:
    """Registers what ``check(question)`` says beyond shapes and examples, from the answers by entry name.

    Unanswered parts are not among the answers. A check that looks one of them up (``KeyError``) says nothing.
    """
    return register(VISIBLE_CHECKS, "visible check", question)


def check_picture(question: str) -> Callable[[CheckPicture], CheckPicture]:
    """Registers what a check cell draws: from the notebook's names and whether the check failed.

    The function returns something with a method ``show``, or None where there is nothing to draw.
    """
    return register(CHECK_PICTURES, "picture of the check", question)


def show_check_picture(question: str, namespace: Mapping[str, Any], failed: bool) -> None:
    """Shows the picture of a check, if there is one; its trouble never costs a check."""
    if question in CHECK_PICTURES:
        with contextlib.suppress(Exception):
            picture = CHECK_PICTURES[question](namespace, failed)
            if picture is not None:
                picture.show()


@probe("call")
def call(function: Any, case: Mapping[str, Any]) -> Any:
    """Calls the student's function on ``args`` and ``kwargs``; notes where it changed its inputs in place."""
    return call_on(function, decode(case.get("args", [])), decode({"fields": case.get("kwargs", {})}))


def call_on(
    function: Any, args: list[Any], kwargs: Mapping[str, Any] | None = None, given: Iterable[Any] = ()
) -> dict[str, Any]:
    """Calls the student's function; what it returned, and whether it changed its inputs in place.

    Args:
        function: of the student.
        args: the inputs, decoded: a case's numbers may stand there with fewer digits than a float32 has, so
            inputs are compared with themselves.
        kwargs: those by name.
        given: what comes before ``args`` and is no input of numbers: a model, a layer.
    """
    kwargs = dict(kwargs or {})
    before = encode([args, kwargs])
    result = encode(function(*given, *args, **kwargs))
    return {"fields": {"result": result, "changed_inputs": encode([args, kwargs]) != before}}


def run_cases(value: Any, entry: dict[str, Any], cases: Iterable[Mapping[str, Any]]) -> None:
    """Runs the student's object on each case by its probe and puts the responses into the log's entry."""
    responses: dict[str, Any] = {}
    entry.update(status="ok", responses=responses)
    for case in cases:
        _seed_libraries()
        responses[case["id"]] = {"status": "stopped"}
        try:
            with _usual_state():
                result = PROBES[case["probe"]](value, case)
            if case["probe"] in MEASURING:
                _refuse_replaced()
            responses[case["id"]] = {"status": "ok", "result": result}
        except NotImplementedError as error:
            if _raised_by_stub(error):
                entry.pop("responses")
                entry["status"] = "unanswered"
                return
            responses[case["id"]] = {"status": "error", "error": explain_error(error)}
        except KeyboardInterrupt:
            entry["status"] = "stopped"
            return
        except (Exception, SystemExit) as error:
            responses[case["id"]] = {"status": "error", "error": explain_error(error)}


def trial_of(case: Mapping[str, Any], entry: Mapping[str, Any]) -> Trial:
    """The run on one case that a log's entry holds."""
    response = entry.get("responses", {}).get(case["id"], {"status": "missing"})
    error = response.get("error", {})
    return Trial(
        id=case["id"],
        note=case.get("note", ""),
        group=case.get("group", ""),
        args=tuple(decode(without_marks(case.get("args", [])))),
        kwargs=decode({"fields": without_marks(case.get("kwargs", {}))}),
        status=response["status"],
        result=decode(response["result"]) if response["status"] == "ok" else None,
        error=error_words(error) if error else "",
    )


def error_words(error: Mapping[str, str]) -> str:
    """An error of a log's entry in words; one of the kit's own is told without its class, after a colon."""
    told = error["message"]
    if "modified by an inplace operation" in told:
        told = "an operation in place changed a tensor that backward needs (write x = x + y, not x += y)"
    return f"{error['type']}: {told}{error['where']}" if error["type"] else f": {told}"


def trouble_words(name: str, note: str, error: str) -> str:
    """A sentence about a run that ended with an error, from :func:`error_words`."""
    where = f" on {note}" if note else ""
    told = (
        f"`{name}` raised {error}{where}" if error[:1] != ":" else f"`{name}` cannot be tried{where}{error}"
    )
    return told if told.endswith((".", "?")) else f"{told}."


def raised(entry: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What was raised in the runs that a log's entry holds: type, message and where, each."""
    return [
        response["error"] for response in entry.get("responses", {}).values() if response["status"] == "error"
    ]


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
    return bool(error.args) and bool(re.fullmatch(r"\d+\.\d\w*", str(error.args[0])))


def explain_error(error: BaseException) -> dict[str, str]:
    """Type, message and the line of a notebook's cell, as the log keeps them."""
    # IPython's names for notebook cells; a line of a library's file would tell a student nothing
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if any(name in frame.filename for name in ("ipykernel", "ipython-input"))
    ]
    where = f" (line {own[-1].lineno}: {own[-1].line})" if own and own[-1].line else ""
    ours = type(error).__module__ in ("homework_kit", "autograder") or type(error).__module__.startswith(
        "autograder."
    )
    name = "" if ours else type(error).__name__
    return {"type": name, "message": str(error)[:500], "where": "" if ours else where[:200]}


@contextlib.contextmanager
def _usual_state() -> Iterator[None]:
    """Gradients on and float32 as torch's default, whatever ran before; afterwards what was set before.

    So neither a cell nor an answer that switches one of them off for good changes how others are judged.
    """
    torch = sys.modules.get("torch")
    with np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"):
        if torch is None or not hasattr(torch, "set_default_dtype"):
            yield
            return
        gradients, dtype, threads = (
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            torch.get_num_threads(),
        )
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_grad_enabled(gradients)
            torch.set_default_dtype(dtype)
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)


def seed_torch(seed: int) -> None:
    """Seeds torch as ``torch.manual_seed`` does, but GPUs only if one is in use.

    Otherwise ``manual_seed`` notes a traceback for each kind of GPU, which takes hundreds of times as long.
    """
    torch = sys.modules["torch"]
    (torch if torch.cuda.is_initialized() else torch.default_generator).manual_seed(seed)


def _seed_libraries() -> None:
    np.random.seed(0)
    if "torch" in sys.modules:
        seed_torch(0)
