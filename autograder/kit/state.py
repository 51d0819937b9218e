"""What is recorded of a homework, and whether it is still what the notebook holds."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder.kit.clock import now, stamp
from autograder.kit.handing_in import SavedNotebook, cells_that_ran, file_digest, sources_behind, write_whole
from autograder.kit.history import MAX_EVENTS, earlier_events
from autograder.kit.kinds import kind_of
from autograder.kit.numbers import student_key

KIT_VERSION = "1.1"
LOG_SCHEMA = "attention-homeworks/log/1"
CHALLENGES_SCHEMA = "attention-homeworks/challenges/1"
LOG_NAME = "submission_log.json"
STALE = {
    "changed": "changed after it was recorded",
    "edited": "edited in the notebook after it was recorded",
}


class Recorded:
    """The answers recorded in ``submission_log.json``, and whether they are still those of the notebook.

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
        self.texts: dict[str, tuple[dict[str, Any], str]] = {}  # name → a recorded entry, and it as JSON
        self.student: dict[str, str] = {}  # id and word, with per-student variants
        # question → when it was recorded, from which cells and files, whether it is stale
        self.answers: dict[str, dict[str, Any]] = {}
        self.history: list[dict[str, Any]] | None = (
            None  # of checks; None as long as the student did not agree
        )
        self.earlier_history: list[dict[str, Any]] = []
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
        """Keeps what an earlier kernel recorded; another homework's log in this folder gets its own name."""
        own = self.path.with_name(f"{self.homework['id']}_recorded.json")
        for path in (self.path, own):
            document = _earlier_log(path)
            of = document.get("homework")
            if of == self.homework["id"]:
                self._keep(document)
                return
            if path == self.path and re.fullmatch(r"hw\d{1,2}", str(of)):
                os.replace(path, path.with_name(f"{of}_recorded.json"))

    def _keep(self, document: Mapping[str, Any]) -> None:
        """Takes student and answers from an earlier log of this homework."""
        entries, answers = document["entries"], document.get("answers", {})
        self.earlier_history = earlier_events(document)
        if isinstance(who := document.get("student"), dict):
            self.student = {"id": student_key(who.get("id")), "word": str(who.get("word", ""))[:40]}
        for question, asked in self.questions.items():
            names = [spec["name"] for spec in asked["entries"]]
            mine = {name: entries[name] for name in names if isinstance(entries.get(name), dict)}
            if mine and isinstance(answers.get(question), dict):
                self.entries |= mine
                self.answers[question] = answers[question] | {"earlier": True}

    def specs(self, question: str) -> list[dict[str, Any]]:
        """The entries of a question, as the description gives them."""
        if question not in self.questions:
            raise KeyError(
                f"{self.homework['id']} has no question {question!r}; it has {', '.join(self.questions)}"
            )
        return self.questions[question]["entries"]

    def collect(
        self, spec: Mapping[str, Any], entry: dict[str, Any], cases: list[dict[str, Any]] | None = None
    ) -> None:
        """Puts what stands under an entry's name now into ``entry``, run on ``cases`` where its kind runs."""
        missing = object()
        value = self.namespace.get(spec["name"], missing)
        if value is missing:
            entry["status"] = "missing"
        elif value is None:
            entry["status"] = "unanswered"
        else:
            inputs = self.cases.get(spec["name"], []) if cases is None else cases
            # a file lies beside the log, wherever the notebook has gone with os.chdir
            home = contextlib.chdir(self.path.parent) if "file" in spec else contextlib.nullcontext()
            with home:
                kind_of(spec).collect(spec, value, entry, inputs)

    def sources(self, question: str) -> list[str]:
        """Digests of the cells behind the present answer."""
        return sources_behind([spec["name"] for spec in self.specs(question)], self.ran())

    def ran(self) -> list[str]:
        """The cells that this kernel ran, oldest first."""
        return cells_that_ran()

    def state(self, question: str) -> str:
        """How far a question is recorded.

        Returns:
            ``recorded``, ``partly recorded``, ``not recorded``, or ``written`` if nothing is to record.
        """
        states = []
        for spec in self.specs(question):
            if spec.get("optional"):
                continue
            status, entry = self._status(spec), self.entries.get(spec["name"], {})
            states.append("missing" if status == "ok" and not kind_of(spec).complete(entry) else status)
        if not states:
            return "written"
        if set(states) == {"ok"}:
            return "recorded"
        return "partly recorded" if "ok" in states else "not recorded"

    def changed(self, question: str) -> bool:
        """Whether the answer in this kernel is not the recorded one; what is not there cannot differ."""
        told = self.answers.get(question, {})
        specs = [spec for spec in self.specs(question) if self._status(spec) == "ok"]
        files = told.get("files", {})
        if any("file" in spec and files.get(spec["file"]) != self._digest(spec) for spec in specs):
            return True
        here = [spec for spec in specs if spec["name"] in self.namespace]
        if any(self._other_value(spec) for spec in here if not kind_of(spec).runs):
            return True
        ran, sources = any(kind_of(spec).runs for spec in here), self.sources(question)
        if ran and sources and set(sources) != set(told.get("sources", [])):
            return True
        if sources and not ran and len(here) == len(specs):
            # the same values from cells that ran again, such as after a change of a comment
            told["sources"] = sources
        return False

    def _status(self, spec: Mapping[str, Any]) -> str:
        return str(self.entries.get(spec["name"], {}).get("status", "missing"))

    def _digest(self, spec: Mapping[str, Any]) -> str:
        return file_digest(self.path.with_name(spec["file"]))

    def _other_value(self, spec: Mapping[str, Any]) -> bool:
        present: dict[str, Any] = {}
        self.collect(spec, present)
        return present.get("value") != self.entries[spec["name"]].get("value")

    def edited(self, question: str, notebook: SavedNotebook, digests: set[str]) -> str:
        """Whether the notebook lacks cells behind the recorded answer: ``edited``, ``unsaved`` or empty."""
        told = self.answers.get(question, {})
        recorded = self.state(question) in ("recorded", "partly recorded")
        if not recorded or set(told.get("sources", [])) <= digests:
            return ""
        saved_since = notebook.saved is None or stamp(notebook.saved) > told.get("recorded", "")
        return "edited" if saved_since else "unsaved"

    def files(self) -> list[dict[str, Any]]:
        """The entries that come with a file beside the notebook."""
        return [
            spec for question in self.questions.values() for spec in question["entries"] if "file" in spec
        ]

    def write(self, stale: Mapping[str, str] | None = None) -> None:
        """Writes the log beside the notebook, whole or not at all.

        Args:
            stale: question → a key of :data:`STALE`, beyond what this kernel knows of changed answers.
        """
        for question, told in self.answers.items():
            told.pop("stale", None)
            if self.challenged == "public" and self.changed(question):
                told["stale"] = "changed"
            elif (stale or {}).get(question) in STALE:
                told["stale"] = (stale or {})[question]
        recorded = max((told.get("recorded", "") for told in self.answers.values()), default="")
        document = {
            "schema": LOG_SCHEMA,
            "kit": KIT_VERSION,
            "homework": self.homework["id"],
            "challenges": self.challenged,
            "written": recorded or now(),
            **({"student": self.student} if self.student else {}),
            **({"history": self.history[-MAX_EVENTS:]} if self.history else {}),
        }
        head = json.dumps(document, allow_nan=False)[:-1]
        entries = ", ".join(f"{json.dumps(name)}: {self._text(name)}" for name in self.entries)
        answers = json.dumps(self.answers, allow_nan=False)
        write_whole(self.path, f'{head}, "entries": {{{entries}}}, "answers": {answers}}}'.encode())

    def _text(self, name: str) -> str:
        """An entry as JSON; kept, as the log is written after each record and large entries take long.

        An entry is complete when the log is first written with it; recording again makes a new one.
        """
        entry = self.entries[name]
        if name not in self.texts or self.texts[name][0] is not entry:
            self.texts[name] = entry, json.dumps(entry, allow_nan=False)
        return self.texts[name][1]


def _earlier_log(path: Path) -> dict[str, Any]:
    """The log in a file; empty if there is none, or it does not have the form of one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        parts = document["entries"], document.get("answers", {})
        if document["schema"] == LOG_SCHEMA and all(isinstance(part, dict) for part in parts):
            return dict(document)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        pass
    return {}
