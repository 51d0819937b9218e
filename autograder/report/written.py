"""The written answers of submissions as pages to read, print and keep: HTML, and PDF if there is a Chromium.

Answers are hostile until :mod:`autograder.report.safehtml` has cleaned them: the pages hold no script and
load nothing. PDF is made by printing those pages. LaTeX is not used: TeX in an answer could read the
instructor's files, a cleaned page cannot.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment

from autograder.declare import Homework, Question, homeworks
from autograder.kit.answers import NOT_FOUND
from autograder.report import safehtml
from autograder.submissions.errors import SubmissionError
from autograder.submissions.find import Submission
from autograder.submissions.notebook import read_notebook, recognize, written_answers

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
OPTIONS = (  # scripts are forbidden by the page itself: Chromium cannot print with scripts switched off
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-extensions",
    "--no-pdf-header-footer",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
SECONDS = 120  # for one page; a second is usual


class NoBrowserError(Exception):
    """There is nothing here that could make a PDF; the message says what to do."""


@dataclass(frozen=True)
class Answered:
    """A question and what was written to it; empty if nothing was.

    Attributes:
        lost: whether its place in the notebook is gone, or several texts could be it; they are ``nearby``.
    """

    question: Question
    text: str
    lost: bool = False
    nearby: tuple[str, ...] = ()

    @property
    def words(self) -> int:
        """How many words it has."""
        return len(self.text.split())


def answers(submission: Submission, homework: str | None = None) -> tuple[Homework, list[Answered]]:
    """A submission's written answers in the order of the questions.

    Args:
        submission: as handed in.
        homework: takes it for this one; None recognizes it.

    Raises:
        SubmissionError: it cannot be read, or belongs to no homework, or holds no notebook.
    """
    if submission.problem:
        raise SubmissionError(submission.problem)
    if submission.notebook is None:
        raise SubmissionError("No notebook was handed in, so there are no written answers.")
    notebook = read_notebook(submission.notebook)
    known = homeworks() if homework is None else {homework: homeworks()[homework]}
    found = recognize(notebook, submission.log, known)
    texts = written_answers(notebook, found, submission.notebook)
    return found, [
        Answered(found.questions[name], one.text, one.state == NOT_FOUND, one.nearby)
        for name, one in texts.items()
    ]


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return safehtml.environment()


def page(name: str, homework: Homework, answered: list[Answered]) -> str:
    """One HTML file with a submission's written answers."""
    return (
        _environment().get_template("written.html.j2").render(name=name, homework=homework, answered=answered)
    )


def browser() -> str:
    """The path of a Chromium or a relative of it.

    Raises:
        NoBrowserError: there is none.
    """
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        raise NoBrowserError(
            f"PDF needs Chromium or Chrome, and none of {', '.join(BROWSERS)} is on the PATH. Install one"
            " (apt install chromium), or print the HTML pages from any browser."
        )
    return found


def print_pdf(source: Path, target: Path, chromium: str) -> None:
    """Prints one of our own HTML files to PDF.

    Raises:
        RuntimeError: the browser failed, with its last words.
    """
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with tempfile.TemporaryDirectory(prefix="autograder-pdf-") as profile:
        draft = Path(profile) / "page.pdf"
        own = [
            f"--user-data-dir={profile}/profile",
            f"--print-to-pdf={draft}",
            *(["--no-sandbox"] if root else []),
        ]  # its sandbox refuses root
        try:
            done = subprocess.run(  # noqa: S603  # a browser found on the PATH, and our own page
                [chromium, *OPTIONS, *own, source.resolve().as_uri()],
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{chromium} did not print {source.name} within {SECONDS} s") from None
        if done.returncode or not draft.is_file():
            raise RuntimeError(f"{chromium} could not print {source.name}: {done.stderr.strip()[-300:]}")
        shutil.move(draft, target)
