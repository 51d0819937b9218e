"""Tables in the documentation that follow from the declarations; ``autograder build`` writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from autograder.author.asked import PAGE, asked
from autograder.declare import Homework, Question

COVERAGE = "docs/coverage.md"
README = "README.md"
TIMETABLE = "docs/timetable.md"


def how_graded(question: Question) -> str:
    """The letters of the course plan: C challenge, V value, M choice, T checkpoint, W written."""
    letters = {entry.letter for entry in question.entries} | ({"W"} if question.written else set())
    return " ".join(letter for letter in "CVMTW" if letter in letters)


def row(question: Question) -> str:
    """The row of the course plan: ``3.7`` of question 3.7a."""
    return question.id.rstrip("abcdefghijklmnopqrstuvwxyz")


def topics(homework: Homework) -> dict[str, str]:
    """Row of the course plan → its topic, which one of its questions says."""
    found: dict[str, str] = {}
    for question in homework.questions.values():
        if question.topic:
            found.setdefault(row(question), question.topic)
    return found


def coverage(homeworks: Mapping[str, Homework]) -> str:
    """The page that lists every question: row of the course plan, points, minutes, how graded."""
    lines = [
        "# All questions",
        "",
        (
            "All questions as declared. `autograder build` writes this page; do not edit it. Graded: **C**"
            " the answer runs on hidden"
        ),
        (
            "inputs, **V** a recorded value is evaluated again, **M** multiple choice or match, **T** a"
            " trained checkpoint is"
        ),
        (
            "evaluated again, **W** free response, graded by a person. **Topic** is the row of the course"
            " plan; its number is the question's"
        ),
        "number without letters. **n**: the question has [per-student numbers](variants.md).",
        "",
        "| homework | questions | auto-graded | written | minutes, all questions |",
        "|---|---:|---:|---:|---:|",
    ]
    for homework in homeworks.values():
        minutes = sum(question.minutes for question in homework.questions.values())
        facts = (
            homework.id,
            len(homework.questions),
            f"{homework.points:g}",
            f"{homework.written_points:g}",
            minutes,
        )
        lines.append("| " + " | ".join(map(str, facts)) + " |")
    for homework in homeworks.values():
        lines += ["", f"## {homework.id} · {homework.title}", ""]
        lines += [
            "| question | title | topic | points | written | minutes | difficulty | graded |",
            "|---|---|---|---:|---:|---:|---|---|",
        ]
        told = topics(homework)
        for question in homework.questions.values():
            points = f"{question.points:g}" + (" extra" if question.extra else "")
            written = f"{question.written.points:g}" if question.written else ""
            graded = how_graded(question) + (" n" if question.numbers else "")
            cells = (
                question.id,
                question.title,
                told.get(row(question), "–"),
                points,
                written,
                question.minutes,
                question.difficulty,
                graded,
            )
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def overview(homeworks: Mapping[str, Homework]) -> str:
    """The table of homeworks for the README."""
    lines = [
        "| homework | questions | auto-graded | written | extra | student's time |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for homework in homeworks.values():
        extra = sum(question.points for question in homework.questions.values() if question.extra)
        lines.append(
            f"| [{homework.id} · {homework.title}](notebooks/{homework.stem}.ipynb) |"
            f" {len(homework.questions)} | {homework.points:g} | {homework.written_points:g} | {extra:g} |"
            f" {homework.minutes} min |"
        )
    return "\n".join(lines)


def _time(homeworks: Mapping[str, Homework], names: Sequence[str]) -> str:
    """What the questions of some homeworks take together, extra credit left out: ``4 h 30 min``."""
    asked = [
        question for name in names if name in homeworks for question in homeworks[name].questions.values()
    ]
    minutes = sum(question.minutes for question in asked if not question.extra)
    return f"{minutes // 60} h {minutes % 60:02d} min"


def pages(root: Path, homeworks: Mapping[str, Homework]) -> dict[Path, str]:
    """The documentation files that hold such tables, and their right text."""
    readme, timetable = ((root / name).read_text(encoding="utf-8") for name in (README, TIMETABLE))
    table = re.compile(r"(<!-- homeworks -->\n).*?\n?(<!-- /homeworks -->)", flags=re.DOTALL)
    return {
        root / COVERAGE: coverage(homeworks),
        root / PAGE: asked(homeworks),
        root / README: table.sub(lambda match: match[1] + overview(homeworks) + "\n" + match[2], readme),
        root / TIMETABLE: re.sub(
            r"(<!-- time ([\w ]+) -->).*?(<!-- / -->)",
            lambda match: f"{match[1]}{_time(homeworks, match[2].split())}{match[3]}",
            timetable,
        ),
    }
