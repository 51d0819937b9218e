"""The kinds of entries that a question records: one class a kind, found by the kind's name."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from autograder.kit.examples import check_examples
from autograder.kit.feedback import Line
from autograder.kit.probes import error_words, raised, run_cases, trial_of
from autograder.kit.values import as_kind, decode, encode

# an entry as the homework's description gives it: name, kind, and what the kind adds
Spec = Mapping[str, Any]
Cases = Sequence[Mapping[str, Any]]


class Kind:
    """How entries of one kind are recorded and checked in the notebook; this one for plain values.

    A new kind is a subclass that overrides what differs, registered under the name that the entry's class
    in the declaration has as its ``kind``. It stands in a file of the kit or in a homework's public part::

        @entry_kind("ranking")
        class Ranking(Kind):
            def collect(self, spec, value, entry, cases):
                entry.update(status="ok", value=[str(item) for item in value])

            def recorded(self, spec, entry):
                return True, f"`{spec['name']}`: {' > '.join(entry['value'])}."

    ``spec`` is what the declaration's entry says of itself (``describe``): at least ``name`` and ``kind``.
    ``entry`` is the entry in the log: ``question``, ``kind``, ``status``, and the ``value`` or the
    ``responses``. A kind is asked only where there is a value: a name that is missing or None is dealt with
    before.

    Attributes:
        runs: whether the value is run on inputs. Whether such an answer changed after it was recorded is told
            by the cells behind it; of others the ``value`` is compared.
    """

    runs = False

    def collect(self, spec: Spec, value: Any, entry: dict[str, Any], cases: Cases) -> None:
        """Puts the student's value into the log's entry: ``status`` and ``value``, or ``responses``."""
        entry.update(status="ok", value=encode(value))

    def recorded(self, spec: Spec, entry: Mapping[str, Any]) -> Line:
        """The line that a record cell shows of an entry with status ``ok``."""
        value = entry["value"]
        if isinstance(value, dict) and "shape" in value:
            shape = tuple(value["shape"])
            words = f"with shape {shape}" if shape else f"= {value['data'][0]}"
            return True, f"`{spec['name']}` {words}."
        return True, f"`{spec['name']}` = {json.dumps(value)[:60]}."

    def checked(self, spec: Spec, entry: Mapping[str, Any], examples: Cases) -> list[Line]:
        """The lines that a check cell shows of this entry by itself, if there is anything to try out."""
        return []

    def answer(self, spec: Spec, entry: Mapping[str, Any], examples: Cases) -> Any:
        """The answer that visible checks get under the entry's name."""
        return decode(entry["value"])

    def complete(self, entry: Mapping[str, Any]) -> bool:
        """Whether an entry with status ``ok`` counts as recorded."""
        return True


KINDS: dict[str, Kind] = {}
AnyKind = TypeVar("AnyKind", bound=type[Kind])


def entry_kind(name: str) -> Callable[[AnyKind], AnyKind]:
    """Registers a subclass of :class:`Kind` under the ``kind`` of the declaration's entries."""

    def register(kind: AnyKind) -> AnyKind:
        KINDS[name] = kind()
        return kind

    return register


def kind_of(spec: Spec) -> Kind:
    """The kind of an entry.

    Raises:
        KeyError: none of this name is registered; in words.
    """
    if spec["kind"] not in KINDS:
        raise KeyError(
            f"{spec['name']} is of the kind {spec['kind']!r}, which the kit does not have; it has"
            f" {', '.join(KINDS)}. Register it with @entry_kind in the kit or the homework's public part"
        )
    return KINDS[spec["kind"]]


@entry_kind("array")
class ArrayKind(Kind):
    """Numbers: lists and single numbers become arrays."""

    def collect(self, spec: Spec, value: Any, entry: dict[str, Any], cases: Cases) -> None:
        """Records the array."""
        if isinstance(value, list | tuple):  # of numbers, or of arrays and tensors
            with contextlib.suppress(ValueError, TypeError):
                value = as_kind(np.zeros(()), decode(encode(value)))
        elif isinstance(value, int | float):
            value = np.asarray(value)
        super().collect(spec, value, entry, cases)


LETTER = re.compile(r"(?:(?:option|answer|choice)\b[ :]*)?([a-z])(?:[.):](.*))?", re.I | re.S)
OTHER_LETTER = re.compile(r"\b[a-z][.)]|(?:\b(?:or|and)|[/,;&]) *\(?[a-z]\b", re.I)  # A) or B)


def letter_of(value: Any) -> str:
    """The letter that an answer stands for, also with what people write around it; empty if it is none.

    ``(b).``, ``**B**``, ``Option b``, ``B) keys`` and ``["B"]`` are all B; ``B and C`` is no letter.
    """
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str):
        return ""
    found = LETTER.fullmatch(value[:1000].strip(" \t\r\n.()[]:*_`'\""))
    return found[1].upper() if found and not OTHER_LETTER.search(found[2] or "") else ""


@entry_kind("choice")
class ChoiceKind(Kind):
    """The letter of an option, as it stands."""

    def checked(self, spec: Spec, entry: Mapping[str, Any], examples: Cases) -> list[Line]:
        """Whether the answer is one of the letters; never whether it is the right one."""
        letter = letter_of(decode(entry["value"]))
        if letter in spec["letters"]:
            return [(True, f"`{spec['name']}` = {letter}. Whether it is right, you read after grading.")]
        options = ", ".join(spec["letters"])
        return [(False, f"`{spec['name']}` should be one of the letters {options}, in quotes.")]


@entry_kind("challenge")
class ChallengeKind(Kind):
    """A function or class, run on inputs by the probe that each of them names."""

    runs = True

    def collect(self, spec: Spec, value: Any, entry: dict[str, Any], cases: Cases) -> None:
        """Runs the value on the cases and records the responses."""
        run_cases(value, entry, cases)

    def recorded(self, spec: Spec, entry: Mapping[str, Any]) -> Line:
        """On how many inputs it ran, or what it raised first."""
        count = len(entry["responses"])
        inputs = f"{count} input" + "s" * (count != 1)
        if errors := raised(entry):
            error = errors[0] | {"where": ""}
            told = error_words(error)
            words = f" and raised {told}" if error["type"] else told
            return False, f"`{spec['name']}` ran on {inputs}{words}"
        return True, self.succeeded(spec, inputs)

    def succeeded(self, spec: Spec, inputs: str) -> str:
        """What a record cell says if nothing was raised."""
        return f"`{spec['name']}` ran on {inputs}."

    def checked(self, spec: Spec, entry: Mapping[str, Any], examples: Cases) -> list[Line]:
        """What came out on the public examples, up to the first mistake."""
        return check_examples(spec["name"], examples, entry)

    def answer(self, spec: Spec, entry: Mapping[str, Any], examples: Cases) -> Any:
        """The trials on the public examples."""
        return [trial_of(example, entry) for example in examples]


@entry_kind("checkpoint")
class CheckpointKind(ChallengeKind):
    """A class with trained weights in a file beside the notebook."""

    def succeeded(self, spec: Spec, inputs: str) -> str:
        """That the file fits the class."""
        return f"`{spec['file']}` is there and fits `{spec['name']}`. Hand it in with the notebook."

    def complete(self, entry: Mapping[str, Any]) -> bool:
        """Whether the file was there and fitted."""
        return not raised(entry)
