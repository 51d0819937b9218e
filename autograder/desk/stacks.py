"""What there is to grade: the written answers of a folder of results, a stack for each question."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from autograder.declare import Written
from autograder.desk.groups import groups
from autograder.grade import marks
from autograder.grade.exchange import Exchange, Rival
from autograder.grade.report import QuestionResult, Report
from autograder.grade.rubric import Rubric
from autograder.grade.store import read_reports
from autograder.kit.answers import BLANK, NOT_FOUND


@dataclass(frozen=True)
class Answer:
    """One written answer to grade."""

    report: Report
    result: QuestionResult
    key: str

    @property
    def text(self) -> str:
        """What the student wrote."""
        return self.result.written or ""

    @property
    def words(self) -> int:
        """How many words that is."""
        return len(self.text.split())

    @property
    def blank(self) -> bool:
        """Whether its place is there and holds nothing; an answer that was not found is not blank."""
        return self.result.found == BLANK

    @property
    def lost(self) -> bool:
        """Whether it was not found, so that a person has to look for it."""
        return self.result.found == NOT_FOUND


class Stack:
    """All answers to one question, in an order that tells nothing."""

    def __init__(self, homework: str, question: str, title: str, written: Written, answers: Sequence[Answer]):
        self.homework, self.question, self.title, self.written = homework, question, title, written
        self.answers = {answer.key: answer for answer in sorted(answers, key=lambda answer: answer.key)}
        self.order = list(self.answers)
        self._groups: dict[int, list[list[str]]] = {}

    @property
    def declared(self) -> Rubric:
        """The homework's own rubric."""
        return Rubric(tuple(self.written.rubric.items()), self.written.points)

    def groups(self, percent: int) -> list[list[str]]:
        """Keys of the answers that are equal or nearly so; those that hold nothing are left out."""
        if percent not in self._groups:
            texts = {key: answer.text for key, answer in self.answers.items() if answer.text.strip()}
            self._groups[percent] = groups(texts, percent)
        return self._groups[percent]

    @property
    def path(self) -> str:
        """Where the question's pages lie."""
        return f"/grade/{self.homework}/{self.question}"

    def word_flag(self, answer: Answer) -> str:
        """What to say of an answer's length, empty if it is within bounds."""
        least, most = self.written.words
        if answer.lost:
            return "not found"
        if not answer.text:
            return "no answer"
        return (
            f"fewer than {least} words"
            if answer.words < least
            else f"more than {most} words"
            if answer.words > most
            else ""
        )


class Desk:
    """The answers of a folder of results with their marks, question by question."""

    def __init__(self, output: Path):
        self.output = output
        self.reports = read_reports(output)
        self.marks = Exchange(output)
        questions = {
            (one.homework, result.id): result
            for one in reversed(self.reports)
            for result in one.questions
            if marks.written_of(one.homework, result.id) is not None
        }
        self.stacks = {
            key: self._stack(key[0], questions[key])
            for key in sorted(questions, key=lambda key: (key[0], [*map(_number, key[1].split("."))]))
        }

    @cached_property
    def parts(self) -> dict[str, Answer]:
        """Key → each question of each submission, with or without a written answer."""
        found = [
            Answer(report, question, self.marks.key(report.submission, question.id))
            for report in self.reports
            for question in report.questions
        ]
        return {one.key: one for one in found}

    def _stack(self, homework: str, asked: QuestionResult) -> Stack:
        """All answers to one question."""
        written = marks.written_of(homework, asked.id)
        assert written is not None
        answers = [
            Answer(report, question, self.marks.key(report.submission, question.id))
            for report in self.reports
            if report.homework == homework
            for question in report.questions
            if question.id == asked.id and question.written is not None
        ]
        return Stack(homework, asked.id, asked.title, written, answers)

    def rubric(self, stack: Stack) -> Rubric:
        """The rubric that holds for a question."""
        return self.marks.rubric(stack.homework, stack.question) or stack.declared

    def mark(self, answer: Answer) -> marks.Mark:
        """The mark of the present answer; a blank one if there is none, or only one for another answer."""
        return _present(answer, self.marks.get(answer.report.submission, answer.result.id))

    def found(self, stack: Stack) -> dict[str, marks.Mark]:
        """Key → the mark of each answer, as :meth:`mark` gives it."""
        kept = self.marks.all()
        return {
            key: _present(answer, kept.get((answer.report.submission, stack.question)))
            for key, answer in stack.answers.items()
        }

    def graded(self, stack: Stack) -> set[str]:
        """Keys of the answers that have points."""
        return {key for key, mark in self.found(stack).items() if mark.points is not None}

    def rivals(self, stack: Stack) -> dict[str, list[Rival]]:
        """Key → the marks of other files that differ from the one that counts, and wait for a choice."""
        by_name = {answer.report.submission: key for key, answer in stack.answers.items()}
        found: dict[str, list[Rival]] = {}
        for one in self.marks.rivals(stack.question):
            if (key := by_name.get(one.mark.submission)) is not None:
                found.setdefault(key, []).append(one)
        return found

    def next_key(
        self, stack: Stack, grader: str, after: str | None, among: Iterable[str] | None = None
    ) -> str | None:
        """The next answer without points that nobody else looks at, in order, beginning after one.

        Args:
            stack: the question.
            grader: who asks.
            after: the key of the answer that they come from.
            among: keys in the order to go by; all answers if left out.
        """
        keys = stack.order if among is None else list(among)
        start = keys.index(after) + 1 if after in keys else 0
        done = self.graded(stack)
        order = [key for key in keys[start:] + keys[:start] if key not in done and key != after]
        by_name = {stack.answers[key].report.submission: key for key in order}
        found = self.marks.claim(grader, stack.question, by_name)
        return by_name[found] if found is not None else None


def _present(answer: Answer, found: marks.Mark | None) -> marks.Mark:
    """A mark, if it is one of the present answer; else a blank one."""
    blank = marks.Mark(answer.report.submission, answer.result.id, marks.digest(answer.result.answer))
    if found is None:
        return blank
    return found if found.answer == blank.answer else replace(blank, version=found.version)


def _number(part: str) -> tuple[int, str]:
    digits = "".join(letter for letter in part if letter.isdigit())
    return int(digits or 0), part
