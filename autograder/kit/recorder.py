"""The recorder: answers of a notebook go into its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autograder.kit.clock import clock, now
from autograder.kit.feedback import Feedback
from autograder.kit.finishing import show_summary
from autograder.kit.handing_in import file_digest
from autograder.kit.kinds import kind_of
from autograder.kit.numbers import draw_numbers, student_key
from autograder.kit.probes import VISIBLE_CHECKS
from autograder.kit.shapes import check_shapes
from autograder.kit.state import Recorded


class Log(Recorded):
    """Collects answers into ``submission_log.json``, which is rewritten whole after every record."""

    def record(self, question: str) -> None:
        """Puts the present answers to one question into the log and says what was recorded."""
        lines: list[tuple[bool | None, str]] = []
        specs = self.specs(question)
        if self.answers.get(question, {}).get("earlier") and not any(
            spec["name"] in self.namespace for spec in specs
        ):
            lines.append(
                (
                    None,
                    (
                        f"What was recorded at {clock(self.answers[question].get('recorded'))} stays in the"
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
            self.sources(question) if self.challenged == "public" else []
        )  # under grading nobody edits, and looking takes time
        self.answers[question] = {"recorded": now(), "sources": sources} | ({"files": files} if files else {})
        for spec in specs:
            entry = {"question": question, "kind": spec["kind"]}
            self.entries[spec["name"]] = entry
            try:
                self.collect(spec, entry)
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

    def check(self, question: str) -> None:
        """Tries the answer on public examples and shows what is fine and what to look at."""
        answers: dict[str, Any] = {}
        open_entries: list[tuple[str, str]] = []
        lines: list[tuple[bool | None, str]] = []
        for spec in self.specs(question):
            entry: dict[str, Any] = {}
            examples = self.homework.get("examples", {}).get(spec["name"], [])
            self.collect(spec, entry, examples)
            if entry["status"] in ("missing", "unanswered"):
                open_entries.append((spec["name"], entry["status"]))
            else:
                lines += kind_of(spec).checked(spec, entry, examples)
                answers[spec["name"]] = kind_of(spec).answer(spec, entry, examples)
        arrays = {spec["name"]: spec["shape"] for spec in self.specs(question) if "shape" in spec}
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

    def finish(self) -> None:
        """Writes the log, makes the zip to hand in, and says what is recorded, missing or out of date."""
        show_summary(self)

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
    return kind_of(spec).recorded(spec, entry)
