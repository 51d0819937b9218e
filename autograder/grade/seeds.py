"""Grades the answers of a gallery under many seeds and finds those whose result is a matter of luck."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass

from autograder.author.gallery import Example, Student
from autograder.grade.grade import Settings
from autograder.grade.report import QuestionResult
from autograder.grade.workers import grade
from autograder.run.choose import Place
from autograder.submissions.find import Submission

Outcome = tuple[tuple[str, str, float, str], ...]  # check, state, points and sentence, of each check


@dataclass(frozen=True)
class Change:
    """An answer that is judged in several ways.

    Attributes:
        example: the answer.
        outcomes: each result → the seeds that gave it, the commonest first.
    """

    example: Example
    outcomes: Mapping[Outcome, Sequence[str]]

    def __str__(self) -> str:
        """The answer, and below it each check that differs, with how many seeds say what."""
        lines = [f"{self.example.question}: {self.example.name}"]
        names = [check[0] for check in next(iter(self.outcomes))]
        for place, name in enumerate(names):
            told: dict[str, list[str]] = defaultdict(list)
            for outcome, seeds in self.outcomes.items():
                _, state, points, sentence = outcome[place]
                told[f"{state}, {points:g} points. {sentence}".strip()] += seeds
            if len(told) > 1:
                lines += [f"  {name}, {len(seeds)} × ({seeds[0]}): {words}" for words, seeds in told.items()]
        return "\n".join(lines)


def sentence_kind(feedback: str) -> str:
    """A sentence without what every draw has its own of: numbers, lists, and in which inputs they stand."""
    told = re.sub(r"\[[^\[\]]*\]", "[…]", re.sub(r"\[[^\[\]]*\]", "[…]", feedback))
    told = re.sub(r"'(?:[^'\\]|\\.)*'", "'…'", told)
    return re.sub(r"[-−]?\b(?:\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?|nan|inf)\b", "#", told)


def outcome(result: QuestionResult) -> Outcome:
    """What came out for one question, with sentences that do not depend on the numbers drawn."""
    return tuple(
        (check.name, check.state, check.points, sentence_kind(check.feedback)) for check in result.checks
    )


def grade_seeds(
    students: Sequence[Student],
    seeds: Iterable[str],
    place: Place,
    executor: Executor,
    done: Callable[[], None],
) -> Iterator[Change]:
    """Grades every notebook of a gallery under every seed.

    Args:
        students: the notebooks, from :func:`autograder.author.gallery.students`.
        seeds: each draws other hidden inputs.
        place: how workers run them.
        executor: of worker processes.
        done: called after each grading.

    Yields:
        The answers whose verdicts or sentences differ between seeds.
    """
    jobs = {
        executor.submit(grade, _submission(student), Settings(seed=seed), place): (student, seed)
        for seed in seeds
        for student in students
    }
    found: dict[tuple[str, str], dict[Outcome, list[str]]] = defaultdict(lambda: defaultdict(list))
    for job in as_completed(jobs):
        student, seed = jobs[job]
        results = {result.id: result for result in job.result().report.questions}
        for example in student.examples:
            # a notebook that could not be graded has no results, which is a result of its own
            told = outcome(results[example.question]) if example.question in results else ()
            found[student.name, example.question][told].append(seed)
        done()
    for student in students:
        for example in student.examples:
            outcomes = found[student.name, example.question]
            if len(outcomes) > 1:
                common = sorted(outcomes.items(), key=lambda item: -len(item[1]))
                yield Change(example, dict(common))


def _submission(student: Student) -> Submission:
    return Submission(student.name, student.notebook.encode(), student.log, dict(student.attachments))
