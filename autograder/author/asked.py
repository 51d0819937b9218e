"""The page that shows the requirements of each question with their checks; ``autograder build`` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.declare import NOT_JUDGED, Homework, Question

PAGE = "docs/asked.md"
HEAD = f"""# Requirements and checks

This page lists what each question requires, with the check for it or the words "{NOT_JUDGED}". `autograder
build` writes the page from the declarations (`asks=` of a question); do not edit it. A test compares the page
with the checks: each check must belong to a requirement.
"""


def asked(homeworks: Mapping[str, Homework]) -> str:
    """The text of the page."""
    lines = [HEAD]
    for homework in homeworks.values():
        lines += [f"## {homework.id} · {homework.title}", "", "| question | requirement | check | points |"]
        lines.append("|---|---|---|---:|")
        for question in homework.questions.values():
            lines += _rows(question)
        lines.append("")
    return "\n".join(lines)


def _rows(question: Question) -> Iterator[str]:
    points = {check.name: f"{check.points:g}" for check in question.checks}
    for requirement, checks in question.asked():
        given = ", ".join(points.get(check, "?") for check in checks)
        yield _row(question, requirement, ", ".join(checks) or NOT_JUDGED, given)
    if question.forbids:
        calls = ", ".join(f"`{call}`" for call in question.forbids)
        yield _row(question, f"no call of {calls}", "noted for the instructor", "")
    if written := question.written:
        words = f"a free response of {written.words[0]} to {written.words[1]} words"
        yield _row(question, words, "a person, by the rubric", f"{written.points:g}")


def _row(question: Question, *cells: str) -> str:
    return " | ".join([f"| {question.id}", *(cell.replace("|", "\\|") for cell in cells)]) + " |"
