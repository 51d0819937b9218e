"""The class report: what an instructor wants to know of a graded batch, a page for each homework."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import numpy as np
from markupsafe import Markup
from nbformat import NotebookNode

from autograder.declare import homeworks
from autograder.grade.claims import WEAK
from autograder.grade.report import GRADER, LOST, QuestionResult, Report, so_far
from autograder.grade.store import read_executed
from autograder.report import charts, safehtml
from autograder.report.history import ClassHistory, class_history
from autograder.report.mistakes import Mistake, by_question, mistakes
from autograder.report.not_run import NotRun, not_run
from autograder.report.overview import CauseFigures, Spread, ToOpen, Worst, causes, spread, to_open, worst
from autograder.report.shown import anchor
from autograder.report.student_rows import MAX_ROWS, StudentRow, student_rows
from autograder.report.tables import open_words
from autograder.run.guard import OverLimitError, limited
from autograder.submissions import similarity

MIN_CLASS = 5  # fewer submissions say nothing about a check or a question
NEARLY_ALL = 0.9
MAX_MISTAKES = 40
MAX_LINKS = 12
MAX_LISTED = 2_000  # submissions in the list of all; a browser opens no page with 100,000 rows
COMPARE_SECONDS, EACH_SECONDS = 60.0, 2.0  # for looking for similar code, and more for each submission
PAGE = "report.html"
NOT_COMPARED = "The submissions were not compared: to do so {why}."


@dataclass(frozen=True)
class QuestionFigures:
    """A question over a class. Shares run from 0 to 1; None where too few submissions allow no number.

    Attributes:
        mean: mean share of its points; ``full`` the share of submissions with all of them.
        answered: share of submissions that answered it at all.
        discrimination: correlation of its points with the points of all other questions (item–rest).
        written: mean share of the written points, over those graded by now; ``graded`` how many of how many
            are.
    """

    id: str
    title: str
    points: float
    mean: float | None
    full: float | None
    answered: float
    discrimination: float | None
    written: float | None = None
    graded: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class CheckFigures:
    """How often a check was tried and failed."""

    question: str
    check: str
    tried: int
    failed: int


@dataclass(frozen=True)
class Claimed:
    """Answers to one question that rest on a claim with the same evidence; ``weak`` if that says little."""

    question: str
    evidence: str
    names: tuple[str, ...]
    weak: bool


@dataclass(frozen=True)
class ClassFigures:
    """One homework over a class."""

    homework: str
    title: str
    reports: tuple[Report, ...]
    shares: tuple[float, ...]
    questions: tuple[QuestionFigures, ...]
    mistakes: tuple[Mistake, ...]
    suspects: tuple[CheckFigures, ...]
    easy: tuple[CheckFigures, ...]
    charts: Mapping[str, Markup] = field(default_factory=dict)
    similar: similarity.Comparison | None = None
    trouble: str = ""  # why nothing was compared
    unknown: tuple[Report, ...] = ()  # of no homework, where this is the only one

    @cached_property
    def spread(self) -> Spread | None:
        """How the points lie."""
        return spread(self.shares)

    @cached_property
    def worst(self) -> list[Worst]:
        """The questions that went worst."""
        means = [(question.id, question.title, question.mean) for question in self.questions]
        return worst(means, self.mistakes, self.reports)

    @cached_property
    def to_open(self) -> list[ToOpen]:
        """The submissions to open first."""
        alike = [group.names for group in self.similar.groups] if self.similar else []
        return to_open([*self.unknown, *self.reports], alike)

    @cached_property
    def causes(self) -> list[CauseFigures]:
        """What other causes than mistakes cost."""
        return causes(self.reports)

    @cached_property
    def open(self) -> list[str]:
        """What waits for somebody, in sentences."""
        return open_words([*self.unknown, *self.reports])

    @cached_property
    def requests(self) -> int:
        """How many regrade requests nobody has decided."""
        return sum(request.decision == "open" for one in self.reports for request in one.requests)

    @cached_property
    def rows(self) -> list[StudentRow]:
        """Students and questions."""
        return student_rows(self.reports)

    @cached_property
    def slips(self) -> dict[str, list[Mistake]]:
        """The commonest mistakes by question."""
        return by_question(self.mistakes[:MAX_MISTAKES])

    @cached_property
    def history(self) -> ClassHistory:
        """How the students got to their answers, as far as they agreed to say."""
        return class_history(self.reports)

    @cached_property
    def not_run(self) -> NotRun:
        """What did not run here."""
        return not_run(self.reports)

    @cached_property
    def claims(self) -> list[Claimed]:
        """The answers that rest on a claim, by question and evidence."""
        found: dict[tuple[str, str], list[str]] = {}
        for one in self.reports:
            for question in one.questions:
                if question.claim:
                    found.setdefault((question.id, question.claim), []).append(one.submission)
        return [Claimed(*key, tuple(names), key[1] in WEAK) for key, names in sorted(found.items())]

    @property
    def troubled(self) -> list[Report]:
        """Those whose run met a limit or the like, and those that belong to no homework."""
        return [one for one in (*self.unknown, *self.reports) if one.status != "graded"]

    @property
    def endings(self) -> dict[str, int]:
        """How many ended how."""
        return dict(Counter(one.status for one in (*self.unknown, *self.reports)).most_common())

    @property
    def histogram(self) -> list[tuple[str, int]]:
        """Tenths of the maximum → how many submissions reached them: the table beside the chart."""
        return [
            (f"{10 * tenth} to {10 * tenth + 10} %", count)
            for tenth, count in enumerate(charts.tenths(self.shares))
        ]


def discrimination(scores: np.ndarray, rest: np.ndarray) -> float | None:
    """Item–rest correlation: (submissions,) points of one question and of all others. None without spread."""
    if len(scores) < MIN_CLASS or np.ptp(scores) < 1e-9 or np.ptp(rest) < 1e-9:
        return None
    return float(np.corrcoef(scores, rest)[0, 1])


def question_figures(reports: Sequence[Report]) -> Iterator[QuestionFigures]:
    """Each question of one homework over the reports that judged it."""
    judged = [one for one in reports if one.questions]
    if not judged:
        return
    points = np.array(
        [[question.points for question in one.questions] for one in judged]
    )  # (submission, question)
    for index, first in enumerate(judged[0].questions):
        results: list[QuestionResult] = [one.questions[index] for one in judged]
        given = [result.given for result in results if result.given is not None]
        closed = [not result.open_points for result in results]
        own, rest = points[closed, index], points[closed].sum(axis=1) - points[closed, index]
        checked = first.maximum > 0 and any(closed)
        answered = [
            any(check.state != "unanswered" for check in result.checks) or bool(result.written)
            for result in results
        ]
        yield QuestionFigures(
            first.id,
            first.title,
            first.maximum,
            float(own.mean() / first.maximum) if checked else None,
            float((own >= first.maximum - 1e-9).mean()) if checked else None,
            float(np.mean(answered)),
            discrimination(own, rest) if checked else None,
            float(np.mean(given) / first.written_points) if given else None,
            (len(given), sum(result.written is not None for result in results)),
        )


def check_figures(reports: Sequence[Report]) -> list[CheckFigures]:
    """How often each check was tried and failed; partly right counts as failed."""
    tried: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for one in reports:
        for question in one.questions:
            for check in question.checks:
                judged = check.state != "unanswered" and check.cause not in (GRADER, *LOST)
                tried[question.id, check.name] += judged
                failed[question.id, check.name] += judged and check.state in ("failed", "partly")
    return [CheckFigures(*key, tried[key], failed[key]) for key in tried]


def class_figures(
    homework: str, reports: Sequence[Report], output: Path, compare: bool = True
) -> ClassFigures:
    """Everything that the page says of one homework.

    Args:
        homework: its id.
        reports: of this homework.
        output: the folder of results.
        compare: look for similar code, which reads all notebooks.
    """
    known = homeworks().get(homework)
    checks = check_figures(reports)
    judged = [one for one in reports if one.questions and one.maximum]
    shares = tuple(one.points / one.maximum for one in judged)
    alike, trouble = None, "" if compare else NOT_COMPARED.format(why="ended the process that did so")
    if known and compare:
        try:
            with limited(COMPARE_SECONDS + EACH_SECONDS * len(judged)):
                alike = similarity.compare_notebooks(
                    _notebooks(judged, output), similarity.skeleton(known), known
                )
        except OverLimitError as error:
            trouble = NOT_COMPARED.format(why=error)
    questions = tuple(question_figures(reports))
    return ClassFigures(
        homework,
        known.title if known else "not recognized",
        tuple(sorted(reports, key=lambda one: one.submission)),
        shares,
        questions,
        tuple(mistakes(reports)),
        tuple(
            check for check in checks if check.tried >= MIN_CLASS and check.failed >= NEARLY_ALL * check.tried
        ),
        tuple(check for check in checks if check.tried >= MIN_CLASS and not check.failed),
        _charts(homework, shares, questions),
        alike,
        trouble,
    )


def _notebooks(reports: Sequence[Report], output: Path) -> Iterator[tuple[str, NotebookNode]]:
    for one in reports:
        if (notebook := read_executed(output / "submissions" / one.submission)) is not None:
            yield one.submission, notebook


def _charts(
    homework: str, shares: Sequence[float], questions: Sequence[QuestionFigures]
) -> dict[str, Markup]:
    checked = [question for question in questions if question.mean is not None]
    if not shares or not checked:
        return {}
    hardest = min(checked, key=lambda question: question.mean or 0.0)
    made = {
        "scores": charts.histogram(shares, f"{homework}-scores", "Score distribution"),
        "means": charts.bars(
            {
                question.id: (100 * (question.mean or 0.0), 100 * (question.full or 0.0))
                for question in checked
            },
            ("mean", "full marks"),
            f"{homework}-means",
            "Mean points and share of full marks by question",
            "%",
            f"The hardest question is {hardest.id} with a mean of {hardest.mean:.0%}. All numbers stand in"
            " the table below.",
        ),
    }
    if any(question.discrimination is not None for question in checked):
        made["discrimination"] = charts.bars(
            {question.id: (question.discrimination,) for question in checked},
            ("correlation",),
            f"{homework}-discrimination",
            "Discrimination: correlation with the rest",
            "item–rest correlation",
            "Correlation of each question's points with the points of all others. All numbers stand in the"
            " table below.",
            "{:.2f}",
        )
    return made


def pages(reports: Sequence[Report], output: Path, compare: bool = True) -> dict[str, str]:
    """The class report as HTML pages by file name, with links relative to the folder of results.

    The first is the one to open. With several homeworks it holds what is to do for each, and each has a page
    of its own.
    """
    by_homework: dict[str, list[Report]] = {}
    for one in reports:
        by_homework.setdefault(one.homework if one.homework in homeworks() else "", []).append(one)
    unknown = tuple(sorted(by_homework.pop("", []), key=lambda one: one.submission))
    classes = [
        class_figures(homework, found, output, compare) for homework, found in sorted(by_homework.items())
    ]
    if len(classes) == 1:
        return {PAGE: _class_page(replace(classes[0], unknown=unknown))}
    made = {PAGE: _rendered("overview.html.j2", classes=classes, reports=reports, unknown=unknown)}
    made |= {page_of(one.homework): _class_page(one, several=True) for one in classes}
    return made


def page_of(homework: str) -> str:
    """The file name of a homework's page, where there are several."""
    return f"{homework}-{PAGE}"


def page(reports: Sequence[Report], output: Path, compare: bool = True) -> str:
    """The page to open first."""
    return pages(reports, output, compare)[PAGE]


def _class_page(figures: ClassFigures, several: bool = False) -> str:
    return _rendered("report.html.j2", one=figures, several=several)


def _rendered(template: str, **values: object) -> str:
    environment = safehtml.environment()
    environment.filters["so_far"] = so_far
    environment.filters["link"] = lambda name: f"submissions/{quote(name)}/feedback.html"
    environment.filters["anchor"] = anchor
    environment.filters["page_of"] = page_of
    environment.globals |= {
        "nearly_all": NEARLY_ALL,
        "min_class": MIN_CLASS,
        "max_mistakes": MAX_MISTAKES,
        "max_links": MAX_LINKS,
        "max_rows": MAX_ROWS,
        "max_listed": MAX_LISTED,
    }
    return environment.get_template(template).render(**values)
