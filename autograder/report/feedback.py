"""The feedback page of a submission, and the one call that ends a batch: :func:`publish`.

A page is one HTML file that opens from disk: no script, nothing loaded, everything of the student's
sanitised.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment
from markupsafe import Markup
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from traitlets.config import Config

from autograder.declare import Homework, Question, homeworks, picture_of
from autograder.files import write_atomically
from autograder.grade import marks, processes
from autograder.grade.report import CheckResult, QuestionResult, Report
from autograder.report import class_report as classreport
from autograder.report import safehtml
from autograder.report import tables as report
from autograder.report.figures import evidence_svg
from autograder.submissions.cells import is_kit, record_cells

REVEAL = ("words", "inputs", "all")
MAX_RENDERED = 2_000  # cells that a process remembers rendered,
MAX_KEPT = 20_000  # characters: of such a length at most
FEW = 10  # pages for which a second process is not worth its start
SYMBOLS = {"pass": "✓", "fail": "✗", "part": "◐", "open": "○", "held": "?"}
SPOKEN = {
    "pass": "passed",
    "fail": "failed",
    "part": "partly right",
    "open": "not answered",
    "held": "not judged",
}
STATES = {"passed": "pass", "failed": "fail", "partly": "part", "unanswered": "open", "open": "held"}


@dataclass(frozen=True)
class ShownCheck:
    """A check as the page shows it: its picture, and of a failing case what the instructor allows."""

    result: CheckResult
    state: str
    picture: Markup | None
    caption: str
    case: Mapping[str, Any] | None

    @property
    def symbol(self) -> str:
        """The state as a sign; the page says it in words, too."""
        return SYMBOLS[self.state]

    @property
    def spoken(self) -> str:
        """The state in words."""
        return SPOKEN[self.state]


@dataclass(frozen=True)
class ShownQuestion:
    """A question as the page shows it."""

    result: QuestionResult
    state: str
    checks: tuple[ShownCheck, ...]
    anchor: str
    declared: Question | None = None

    @property
    def words(self) -> int:
        """How many words the written answer has."""
        return len((self.result.written or "").split())

    @property
    def symbol(self) -> str:
        """The state as a sign."""
        return SYMBOLS[self.state]

    @property
    def spoken(self) -> str:
        """The state in words."""
        return SPOKEN[self.state] if self.checks else "written"


@dataclass(frozen=True)
class ShownCell:
    """A rendered cell and the question whose result stands below it."""

    html: Markup
    folded: bool
    question: ShownQuestion | None


def question_state(result: QuestionResult) -> str:
    """``pass``, ``fail``, ``part``, ``open`` or ``held``, all checks and the written answer taken together."""
    states = [STATES[check.state] for check in result.checks]
    if not states:
        if result.given is None:
            return "open"
        return "pass" if result.given >= result.written_points else "part" if result.given > 0 else "fail"
    if all(state == "pass" for state in states):
        return "pass"
    if all(state == "open" for state in states):
        return "open"
    return "part" if result.points > 0 else "held" if "held" in states else "fail"


def shown_case(evidence: Mapping[str, Any] | None, reveal: str) -> dict[str, Any] | None:
    """What of a failing case the instructor allows: ``words`` (shapes only), ``inputs``, or ``all`` (expected, too)."""
    if not evidence or evidence.get("kind") != "case":
        return None
    inputs = [
        (name, words, text if reveal != "words" else "") for name, words, text in evidence.get("inputs", [])
    ]
    return {
        "note": evidence.get("note", ""),
        "inputs": inputs,
        "expected": evidence.get("expected") if reveal == "all" else None,
        "found": evidence.get("found"),
    }


def shown_check(check: CheckResult, name: str, reveal: str) -> ShownCheck:
    """A check, ready for the page; ``name`` is unique there."""
    drawn = picture_of(check.evidence, reveal == REVEAL[-1])
    picture = evidence_svg(drawn, name) if drawn else None
    return ShownCheck(
        check,
        STATES[check.state],
        picture,
        str(drawn["caption"]) if drawn and picture else "",
        shown_case(check.evidence, reveal),
    )


def shown_questions(graded: Report, reveal: str) -> list[ShownQuestion]:
    """The questions of a report, ready for the page."""
    declared = homeworks()[graded.homework].questions if graded.homework in homeworks() else {}
    made = []
    for number, question in enumerate(graded.questions):
        checks = tuple(
            shown_check(check, f"f{number}-{index}", reveal) for index, check in enumerate(question.checks)
        )
        made.append(
            ShownQuestion(
                question,
                question_state(question),
                checks,
                f"q-{question.id.replace('.', '-')}",
                declared.get(question.id),
            )
        )
    return made


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return safehtml.environment()


@lru_cache(maxsize=1)
def _exporter() -> HTMLExporter:
    config = Config()
    config.HTMLExporter.extra_template_basedirs = [str(safehtml.TEMPLATES)]
    config.HTMLExporter.embed_images = False  # it would read the grader's files for a student's ![](path)
    logging.getLogger("traitlets").setLevel(
        logging.ERROR
    )  # a student's picture without words is no news for the instructor
    exporter = HTMLExporter(template_name="notebook", config=config)
    exporter.register_filter("markdown2html", safehtml.markdown_html)
    exporter.register_filter(
        "clean_html", lambda text: text
    )  # bleach, cell by cell, takes most of the time; nh3 cleans the whole below
    return exporter


def _harmless_outputs(notebook: NotebookNode) -> NotebookNode:
    """A copy without kit text, output metadata, scripts and widgets."""
    copy = nbformat.from_dict(json.loads(json.dumps(notebook)))
    for index, cell in enumerate(copy.cells):
        cell.metadata = nbformat.NotebookNode()
        cell.pop("attachments", None)
        if cell.cell_type != "code":
            continue
        if is_kit(cell.source):
            cell.source = "# The homework kit was written here."
        for output in cell.get("outputs", []):
            if "data" not in output:
                continue
            data = {kind: value for kind, value in output.data.items() if kind in _KINDS}
            if "text/html" in data:
                data["text/html"] = safehtml.shown_html(_joined(data["text/html"]))
            elif "text/latex" in data:
                data["text/html"] = safehtml.markdown_html(_joined(data["text/latex"]))
            output.data = nbformat.from_dict(data)
            pictures = {
                kind: {"alt": _alt(output, kind) or f"Figure drawn by cell {index + 1}"}
                for kind in data
                if kind.startswith("image/")
            }
            output.metadata = nbformat.from_dict(pictures)
    copy.metadata = nbformat.from_dict({"language_info": {"name": "python"}})
    return copy


_rendered: dict[str, Markup] = {}
_KINDS = {
    "text/html",
    "text/plain",
    "text/markdown",
    "text/latex",
    "image/png",
    "image/jpeg",
    "image/svg+xml",
}


def _alt(output: NotebookNode, kind: str) -> str:
    """The text that the kit put beside a picture; as untrusted as all of the notebook."""
    told = output.get("metadata", {}).get(kind, {})
    words = told.get("alt") if isinstance(told, dict) else None
    return " ".join(words.split())[:1_000] if isinstance(words, str) else ""


def _joined(value: Any) -> str:
    return "".join(map(str, value)) if isinstance(value, list) else str(value)


def render_cells(notebook: NotebookNode) -> list[Markup]:
    """Each cell as harmless HTML, by nbconvert's HTML exporter.

    Most cells of a class are the same in every notebook, and rendering takes longer than grading: such cells
        are
    rendered once in each process.
    """
    shown = _harmless_outputs(notebook)
    keys = [
        hashlib.sha256(json.dumps({**cell, "id": ""}, sort_keys=True).encode()).hexdigest()
        for cell in shown.cells
    ]
    new = {key: cell for key, cell in zip(keys, shown.cells, strict=True) if key not in _rendered}
    made: dict[str, Markup] = {}
    if new:
        shown.cells = list(new.values())
        separator = secrets.token_hex(16)  # drawn after the notebook was handed in: no cell can hold it
        body, _ = _exporter().from_notebook_node(shown, resources={"separator": separator})
        made = dict(zip(new, map(safehtml.clean, body.split(separator)[1:]), strict=True))
    cells = [made[key] if key in made else _rendered[key] for key in keys]
    if len(_rendered) > MAX_RENDERED:
        _rendered.clear()
    _rendered.update((key, html) for key, html in made.items() if len(html) <= MAX_KEPT)
    return cells


def shown_cells(
    notebook: NotebookNode, homework: Homework, questions: Iterable[ShownQuestion]
) -> list[ShownCell]:
    """The notebook's cells with each question's result at its place; results without a place come last."""
    places = record_cells(notebook, homework)
    by_id = {question.result.id: question for question in questions}
    cells = [
        ShownCell(
            html,
            notebook.cells[index].cell_type == "code" and is_kit(notebook.cells[index].source),
            by_id.get(places.get(index, "")),
        )
        for index, html in enumerate(render_cells(notebook))
    ]
    placed = {cell.question.result.id for cell in cells if cell.question}
    return cells + [
        ShownCell(Markup(""), False, question) for name, question in by_id.items() if name not in placed
    ]


def feedback_page(
    graded: Report, notebook: NotebookNode | None, reveal: str = "words", stamp: str = ""
) -> str:
    """The feedback page of one submission.

    Args:
        graded: its report.
        notebook: as executed; None if it could not be read.
        reveal: how much of the hidden inputs the page may show, one of :data:`REVEAL`.
        stamp: what the page was made from, in short; :func:`write_feedback` looks for it.
    """
    questions = shown_questions(graded, reveal)
    homework = homeworks().get(graded.homework)
    trouble = ""
    cells: list[ShownCell] = []
    if notebook is not None and homework is not None:
        try:
            cells = shown_cells(notebook, homework, questions)
        except Exception as error:  # whatever a notebook holds, its student gets a page
            trouble = (
                f"The notebook could not be shown ({type(error).__name__}); the results above are complete."
            )
    pending = [
        question
        for question in questions
        if question.result.written is not None and question.result.given is None
    ]
    return (
        _environment()
        .get_template("feedback.html.j2")
        .render(
            graded=graded,
            homework=homework,
            questions=questions,
            cells=cells,
            trouble=trouble,
            pending=pending,
            reveal=reveal,
            stamp=stamp,
        )
    )


def write_feedback(folder: Path, graded: Report, reveal: str) -> bool:
    """Writes ``feedback.html`` into a submission's folder of results; leaves a page alone that would come out the same."""
    path, executed = folder / "feedback.html", folder / "executed.ipynb"
    parts = [
        json.dumps(dataclasses.asdict(graded), sort_keys=True).encode(),
        executed.read_bytes() if executed.is_file() else b"",
        reveal.encode(),
        _own_text(),
    ]
    stamp = hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
    if path.is_file():
        with path.open("rb") as file:
            if stamp.encode() in file.read(1_000):
                return False
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, feedback_page(graded, report.read_executed(folder), reveal, stamp).encode())
    return True


@lru_cache(maxsize=1)
def _own_text() -> bytes:
    """What pages are made by: when it changes, they are made anew."""
    folder = Path(__file__).parents[1]
    own = [
        *sorted((folder / "report").glob("*.py")),
        folder / "declare/evidence.py",
        folder / "submissions/cells.py",
    ]
    return b"".join(path.read_bytes() for path in [*own, *sorted(safehtml.TEMPLATES.rglob("*.*"))])


def _write_all(
    output: Path, graded: Sequence[Report], reveal: str, progress: Callable[[int, int], None]
) -> None:
    """Writes all feedback pages, several at a time where there are many."""
    jobs = [(output / "submissions" / one.submission, one, reveal) for one in graded]
    workers = min(os.cpu_count() or 1, len(jobs) // FEW)
    if workers < 2:
        for number, job in enumerate(jobs, 1):
            write_feedback(*job)
            progress(number, len(jobs))
        return
    with ProcessPoolExecutor(workers, mp_context=processes.context()) as executor:
        for number, _ in enumerate(executor.map(write_feedback, *zip(*jobs, strict=True), chunksize=4), 1):
            progress(number, len(jobs))


def publish(
    output: Path,
    reports: Sequence[Report] | None = None,
    *,
    reveal: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Ends a batch: takes in the points given at the desk and writes grades.csv, every feedback page and report.html.

    Args:
        output: the folder of results.
        reports: of the batch; read from the ``results.json`` files if left out.
        reveal: how much of the hidden inputs feedback may show; as in the last batch if left out.
        progress: called with how many pages are written, and of how many.

    Returns:
        The path of ``report.html``, the page to open.
    """
    graded = list(reports) if reports is not None else report.read_reports(output)
    graded = sorted(marks.apply(output, graded), key=lambda one: one.submission)  # not by who was done first
    settings = output / "pages.json"
    if reveal is None:
        reveal = (
            json.loads(settings.read_text(encoding="utf-8"))["reveal"] if settings.is_file() else REVEAL[0]
        )
    write_atomically(settings, json.dumps({"reveal": reveal}).encode())
    for one in graded:
        report.write_results(output / "submissions" / one.submission, one)
    _write_all(output, graded, reveal, progress or (lambda done, total: None))
    write_atomically(output / "grades.csv", report.grades_csv(graded).encode())
    path = output / "report.html"
    write_atomically(path, classreport.page(graded, output).encode())
    return path
