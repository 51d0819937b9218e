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
    """What a notebook's answers are in ``submission_log.json``, and whether they are still those of the notebook.

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
            kind_of(spec).collect(spec, value, entry, inputs)

    def sources(self, question: str) -> list[str]:
        """Digests of the cells behind the present answer."""
        return sources_behind([spec["name"] for spec in self.specs(question)], cells_that_ran())

    def state(self, question: str) -> str:
        """How far a question is recorded.

        Returns:
            ``recorded``, ``partly recorded``, ``not recorded``, or ``written`` if nothing is to record.
        """
        states = []
        for spec in self.specs(question):
            entry = self.entries.get(spec["name"], {})
            status = entry.get("status", "missing")
            states.append("missing" if status == "ok" and not kind_of(spec).complete(entry) else status)
        if not states:
            return "written"
        return (
            "recorded" if set(states) == {"ok"} else "partly recorded" if "ok" in states else "not recorded"
        )

    def changed(self, question: str) -> bool:
        """Whether the answer in this kernel is another one than what was recorded; what is not there cannot differ."""
        told = self.answers.get(question, {})
        ran, everything = False, True
        for spec in self.specs(question):
            entry = self.entries.get(spec["name"], {})
            if entry.get("status") != "ok":
                continue
            if "file" in spec and told.get("files", {}).get(spec["file"]) != file_digest(
                self.path.with_name(spec["file"])
            ):
                return True
            if spec["name"] not in self.namespace:
                everything = False
            elif kind_of(spec).runs:
                ran = True
            else:
                present: dict[str, Any] = {}
                self.collect(spec, present)
                if present.get("value") != entry.get("value"):
                    return True
        sources = self.sources(question)
        if ran and sources and set(sources) != set(told.get("sources", [])):
            return True
        if sources and not ran and everything:
            told["sources"] = (
                sources  # the same values from cells that ran again, such as after a change of a comment
            )
        return False

    def edited(self, question: str, notebook: SavedNotebook, digests: set[str]) -> str:
        """Whether cells that gave the recorded answer are not in the notebook: ``edited``, ``unsaved`` or empty."""
        told = self.answers.get(question, {})
        if (
            self.state(question) not in ("recorded", "partly recorded")
            or set(told.get("sources", [])) <= digests
        ):
            return ""
        recorded = told.get("recorded", "")
        return "edited" if notebook.saved is None or stamp(notebook.saved) > recorded else "unsaved"

    def files(self) -> list[dict[str, Any]]:
        """The entries that come with a file beside the notebook."""
        return [
            spec for question in self.questions.values() for spec in question["entries"] if "file" in spec
        ]

    def write(self, stale: Mapping[str, str] | None = None) -> None:
        """Writes the log beside the notebook, whole or not at all. ``stale`` adds to what this kernel knows of changed answers."""
        for question, told in self.answers.items():
            told.pop("stale", None)
            if self.challenged == "public" and self.changed(question):
                told["stale"] = "changed"
            elif (stale or {}).get(question) in STALE:
                told["stale"] = (stale or {})[question]
        document = {
            "schema": LOG_SCHEMA,
            "kit": KIT_VERSION,
            "homework": self.homework["id"],
            "challenges": self.challenged,
            "written": (
                max((told.get("recorded", "") for told in self.answers.values()), default="") or now()
            ),
            **({"student": self.student} if self.student else {}),
            "entries": self.entries,
            "answers": self.answers,
        }
        write_whole(self.path, json.dumps(document, allow_nan=False).encode())
