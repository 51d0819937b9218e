"""Grades the answers of a gallery under many seeds: which results are a matter of luck, which are fair."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass

from autograder import kit
from autograder.author.gallery import Example, Student
from autograder.grade.grade import Settings
from autograder.grade.report import QuestionResult
from autograder.grade.workers import grade
from autograder.run.choose import Place
from autograder.submissions.find import Submission

Outcome = tuple[tuple[str, str, float, str], ...]  # check, state, points and sentence, of each check


# what a comparison says by itself: numbers that differ, and no word on why
BARE = re.compile(r"expected (?:#|\[…\]|'…')\.$")


@dataclass(frozen=True)
class Verdicts:
    """How an answer of the gallery was judged under several seeds.

    Attributes:
        example: the answer.
        outcomes: each result → the seeds that gave it, the commonest first.
        right: whether each seed failed exactly the checks that the gallery names, with its phrase.
        named: whether under each seed some feedback says more than which numbers differ.
    """

    example: Example
    outcomes: Mapping[Outcome, Sequence[str]]
    right: bool
    named: bool

    @property
    def changes(self) -> bool:
        """Whether the result is a matter of the seed."""
        return len(self.outcomes) > 1

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
    told = re.sub(r"(?<= on )“[^”]*”", "“…”", told)
    told = re.sub(r"[-−]?\b(?:\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?|nan|inf)\b", "#", told)
    told = re.sub(r"#(?:, #)+", "#, …", told)  # a list of numbers is as long as was drawn
    return re.sub(r"# (\w+?)s? (?:is|are)\b", r"# \1 is", told)  # one of them, or several


def is_right(example: Example, result: QuestionResult | None) -> bool:
    """Whether exactly those checks fail that the gallery names, with its phrase in what they say."""
    if result is None:
        return False
    lost = {check.name: check.feedback for check in result.checks if check.state != "passed"}
    said = not lost or any(example.says in feedback for feedback in lost.values())
    return set(lost) == set(example.loses) and said


def is_named(result: QuestionResult | None) -> bool:
    """Whether a failed check says more than which numbers differ."""
    told = [check.feedback for check in result.checks if check.state != "passed"] if result else []
    told = [one.replace(kit.not_finite(one), "").rstrip() for one in told]  # that is where to look, no name
    return any(not BARE.search(sentence_kind(feedback)) for feedback in told)


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
) -> Iterator[Verdicts]:
    """Grades every notebook of a gallery under every seed.

    Args:
        students: the notebooks, from :func:`autograder.author.gallery.students`.
        seeds: each draws other hidden inputs.
        place: how workers run them.
        executor: of worker processes.
        done: called after each grading.

    Yields:
        The verdicts on each answer, in the gallery's order.
    """
    jobs = {
        executor.submit(grade, _submission(student), Settings(seed=seed), place): (student, seed)
        for seed in seeds
        for student in students
    }
    found: dict[tuple[str, str], list[tuple[str, QuestionResult | None]]] = defaultdict(list)
    for job in as_completed(list(jobs)):
        student, seed = jobs.pop(job)  # a result holds the executed notebook: dozens would fill the memory
        # a notebook that could not be graded has no results, which is a result of its own
        results = {result.id: result for result in job.result().report.questions}
        for example in student.examples:
            found[student.name, example.question].append((seed, results.get(example.question)))
        done()
    for student in students:
        for example in student.examples:
            yield _verdicts(example, found[student.name, example.question])


def _verdicts(example: Example, judged: Sequence[tuple[str, QuestionResult | None]]) -> Verdicts:
    outcomes: dict[Outcome, list[str]] = defaultdict(list)
    for seed, result in judged:
        outcomes[outcome(result) if result else ()].append(seed)
    common = sorted(outcomes.items(), key=lambda item: -len(item[1]))
    results = [result for _, result in judged]
    right = all(is_right(example, result) for result in results)
    return Verdicts(example, dict(common), right, all(map(is_named, results)))


def shares(verdicts: Sequence[Verdicts]) -> str:
    """How many answers there are, and which shares are judged rightly and have their mistake named."""
    wrong = [one for one in verdicts if one.example.loses]
    told = f"{len(verdicts)} answers, {len(wrong)} of them wrong"
    if verdicts:
        told += f"; {sum(one.right for one in verdicts) / len(verdicts):.1%} judged as the gallery says"
    if wrong:
        told += (
            f"; {sum(one.named for one in wrong) / len(wrong):.1%} of the wrong ones told more than numbers"
        )
    return told


def _submission(student: Student) -> Submission:
    return Submission(student.name, student.notebook.encode(), student.log, dict(student.attachments))
