"""The recorder: answers of a notebook go into its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from autograder.kit.clock import clock, now
from autograder.kit.feedback import Feedback, Line, after_grading
from autograder.kit.finishing import show_summary
from autograder.kit.handing_in import file_digest
from autograder.kit.history import event, known_mistakes
from autograder.kit.kinds import kind_of
from autograder.kit.numbers import draw_numbers, student_key
from autograder.kit.probes import VISIBLE_CHECKS, show_check_picture
from autograder.kit.shapes import check_shapes
from autograder.kit.state import Recorded

OPEN = {"missing", "unanswered"}  # statuses of entries that are still to be answered


class Log(Recorded):
    """Collects answers into ``submission_log.json``, which is rewritten whole after every record."""

    def record(self, question: str) -> None:
        """Puts the present answers to one question into the log and says what was recorded."""
        specs = self.specs(question)
        here = any(spec["name"] in self.namespace for spec in specs)
        if self.answers.get(question, {}).get("earlier") and not here:
            told = f"What was recorded at {clock(self.answers[question].get('recorded'))} stays in the log."
            open_lines = _open_lines((spec["name"], "missing") for spec in specs if not spec.get("optional"))
            Feedback(f"{question} is not recorded anew", [(None, told), *open_lines]).show()
            return
        self._begin(question)
        lines: list[Line] = []
        for spec in specs:
            self._record_entry(question, spec)
        lines += self._recorded_lines(question)
        asked = [spec["name"] for spec in specs if not spec.get("optional")]
        lines += _open_lines((name, self.entries[name]["status"]) for name in asked)
        recorded = any(state for state, _ in lines)
        Feedback(f"{question} recorded" if recorded else f"{question} is not recorded yet", lines).show()

    def _begin(self, question: str) -> None:
        """Notes when a question is recorded, and from which cells and files."""
        # under grading nobody edits, and looking takes time
        sources = self.sources(question) if self.challenged == "public" else []
        self.answers[question] = {"recorded": now(), "sources": sources}
        if files := [spec["file"] for spec in self.specs(question) if "file" in spec]:
            self.answers[question]["files"] = {name: file_digest(self.path.with_name(name)) for name in files}

    def _recorded_lines(self, question: str) -> list[Line]:
        """What to say of each recorded entry; a shape that ``check`` refuses is not called fine."""
        specs = [spec for spec in self.specs(question) if self.entries[spec["name"]]["status"] not in OPEN]
        refused = self._refused_shapes(question)
        return [
            (False, f"`{spec['name']}` is recorded as it is: {refused[spec['name']]}")
            if spec["name"] in refused
            else _recorded_line(spec, self.entries[spec["name"]])
            for spec in specs
        ]

    def _refused_shapes(self, question: str) -> dict[str, str]:
        """What is wrong with the shapes of recorded arrays, by name."""
        shapes, arrays = {}, {}
        for spec in self.specs(question):
            entry = self.entries[spec["name"]]
            if "shape" in spec and entry["status"] == "ok":
                shapes[spec["name"]] = spec["shape"]
                arrays[spec["name"]] = kind_of(spec).answer(spec, entry, [])
        return {problem.partition(" ")[0]: problem for problem in check_shapes(shapes, arrays)}

    def _record_entry(self, question: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Collects one entry; the log is written even if that is interrupted."""
        entry = self.entries[spec["name"]] = {"question": question, "kind": spec["kind"]}
        try:
            self.collect(spec, entry)
        except (KeyboardInterrupt, SystemExit):
            entry["status"] = "stopped"
        finally:
            self.write()
        return entry

    def record_missing(self) -> None:
        """Records what was not recorded so far, such as what stands below its record cell.

        The grader runs this last.
        """
        for question in self.questions.values():
            specs = [spec for spec in question["entries"] if self._status(spec) in OPEN]
            if specs and len(specs) == len(question["entries"]):
                self.record(question["id"])
                continue
            for spec in specs:
                self._record_entry(question["id"], spec)

    def check(self, question: str) -> None:
        """Tries the answer on public examples and shows what is fine and what to look at."""
        answers: dict[str, Any] = {}
        collected: dict[str, dict[str, Any]] = {}
        open_entries: list[tuple[str, str]] = []
        lines: list[Line] = []
        for spec in self.specs(question):
            entry = collected[spec["name"]] = {"question": question, "kind": spec["kind"]}
            examples = self.homework.get("examples", {}).get(spec["name"], [])
            self.collect(spec, entry, examples)
            if entry["status"] in OPEN and spec.get("optional"):
                continue
            if entry["status"] in OPEN:
                open_entries.append((spec["name"], entry["status"]))
            else:
                lines += kind_of(spec).checked(spec, entry, examples)
                answers[spec["name"]] = kind_of(spec).answer(spec, entry, examples)
        public = self.homework.get("examples", {})
        cases = [one for spec in self.specs(question) for one in public.get(spec["name"], [])]
        if open_entries and not lines and not answers:
            Feedback(f"{question} is not answered yet", _open_lines(open_entries)).show()
            return
        lines += self._whole(question, answers, right=all(state is not False for state, _ in lines))
        right = bool(lines) and not open_entries and all(state is not False for state, _ in lines)
        if lines and question not in VISIBLE_CHECKS:
            lines += _not_tried([spec for spec in self.specs(question) if spec["name"] in answers], lines)
        lines += _open_lines(open_entries)
        self._keep_check(question, lines, complete=not open_entries, cases=cases)
        if self.challenged == "public" and right and any(state for state, _ in lines):
            self._keep_checked(question, collected)
            told = "It is recorded. Go on; after a change, run this cell again."
        elif lines and not right:
            told = (
                "" if open_entries else "It is not recorded like this; the record cell records it as it is."
            )
        else:
            told = (
                "Nothing more can be tried out here without giving the answer away. Now run the record cell."
            )
        Feedback(f"Check {question}", [*lines, *([(None, told)] if told else [])]).show()
        if self.challenged == "public":
            show_check_picture(question, self.namespace, failed=any(state is False for state, _ in lines))

    def _keep_checked(self, question: str, collected: Mapping[str, dict[str, Any]]) -> None:
        """Records what a green check has just looked at; the public examples are what recording runs on."""
        self._begin(question)
        self.entries |= collected
        self.write()

    def _whole(self, question: str, answers: Mapping[str, Any], right: bool) -> list[Line]:
        """What shapes and the question's visible check say of the answers that are there."""
        shapes = {spec["name"]: spec["shape"] for spec in self.specs(question) if "shape" in spec}
        there = {name: shape for name, shape in shapes.items() if name in answers}
        lines: list[Line] = [(False, problem) for problem in check_shapes(there, answers)]
        if question in VISIBLE_CHECKS and right and not lines:
            try:
                lines += VISIBLE_CHECKS[question](answers)
            except KeyError:
                if all(spec["name"] in answers for spec in self.specs(question)):
                    raise  # else the check needs an answer that is still missing
        return lines

    def keep_history(self, agreed: bool) -> None:
        """Keeps the history of checks from here on, with what an earlier kernel kept; or drops it."""
        if self.challenged != "public":
            return  # under grading nobody tries anything
        kept = self.earlier_history if self.history is None else self.history
        self.history = kept if agreed else None
        if not agreed and self.earlier_history and self.path.is_file():
            self.earlier_history = []
            self.write()

    def _keep_check(
        self, question: str, lines: Iterable[Line], complete: bool, cases: Iterable[Mapping[str, Any]]
    ) -> None:
        if self.history is not None:
            self.history.append(event(question, list(lines), complete, known_mistakes(cases)))
            self.write()

    def finish(self, rehearse: bool = True) -> None:
        """Writes the log, makes the zip to hand in, says what is missing, and rehearses the grading."""
        show_summary(self, rehearse)

    def my_numbers(self, student: Any, word: str) -> None:
        """Notes whose notebook this is and shows the numbers that go with it."""
        self.student = {"id": student_key(student), "word": word}
        self.write()
        if not self.student["id"]:
            told = "Replace None by your student id, in quotes, as your course writes it"
            Feedback("Your numbers are not drawn yet", [(None, f"{told}; then run this cell again.")]).show()
            return
        lines: list[Line] = []
        for question in self.questions.values():
            if choices := question.get("numbers"):
                drawn = draw_numbers(word, question["id"], student, choices)
                told = ", ".join(f"`{name}` = {number:,}" for name, number in drawn.items())
                lines.append((None, f"{question['id']}: {told}"))
        Feedback(f"The numbers of student {self.student['id']}", lines).show()


def _not_tried(specs: Iterable[Mapping[str, Any]], lines: Iterable[Line]) -> list[Line]:
    """A line on the numbers that no other line is about, lest what is green beside them be read as theirs."""
    told = " ".join(text for _, text in lines)
    names = [spec["name"] for spec in specs if spec["kind"] == "array" and spec["name"] not in told]
    return [after_grading(*names)] if names else []


def _open_lines(statuses: Iterable[tuple[str, str]]) -> list[Line]:
    """What to say of entries that are not answered, all in one line, and of names that do not exist."""
    found = list(statuses)
    lines: list[Line] = []
    if unanswered := [f"`{name}`" for name, status in found if status == "unanswered"]:
        told = f"Not answered yet: {', '.join(unanswered)}."
        lines.append((None, f"{told} Replace the TODO above, run that cell, then this one."))
    if missing := [f"`{name}`" for name, status in found if status == "missing"]:
        told = f"{', '.join(missing)} {'does' if len(missing) == 1 else 'do'} not exist here."
        them = "it" if len(missing) == 1 else "them"
        lines.append((None, f"{told} Run the cell that defines {them} (or all cells from the top)."))
    return lines


def _recorded_line(spec: Mapping[str, Any], entry: Mapping[str, Any]) -> Line:
    if entry["status"] == "stopped":
        told = f"`{spec['name']}` was stopped while it ran."
        return False, f"{told} Does it contain a loop that never ends?"
    return kind_of(spec).recorded(spec, entry)
