"""The text of a new ``course.toml``: every key with its meaning, every question with its current points."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from autograder.declare import Homework, Question
from autograder.run.limits import Limits

HEAD = """\
# The homeworks, points, dates and settings of a course. The commands 'build', 'release', 'collect', 'grade',
# 'manual-grading', 'bundle' and 'export-grades' follow this file if it is beside the submissions or in the
# current folder; --course FILE names another file. To use a setting, remove the # before it. A wrong key or
# value is an error that names the closest valid one.

[course]
# name = "CS 7643, spring 2027"
{homeworks}
# staff = ["Ada Lovelace", "Alan Turing"]   # the graders
# variants = "2027-spring"        # per-student variants: numbers and hidden inputs differ
# reveal = "words"                # what feedback shows of hidden inputs; or "inputs", "all"
# library_calls = "flag"          # or "zero": no points if a library call does the whole task
history = false                   # true: notebooks record the time and result of each check, never code.
                                  # Students can switch it off. Tell them; see docs/security.md.

# [late]                          # without it, late days cost nothing
# free_days = 3                   # late days per term without a penalty
# penalty = 10                    # percent of the points for each further late day
# most_days = 5                   # more late days than this give 0 points
# grace_minutes = 10              # minutes after the due time that count as on time

# [limits]                        # for one submission, when 'grade' runs it
{limits}

# [platform]
# name = "canvas"                 # for 'collect' and 'export-grades'
# columns = {{ id = "ID" }}         # column headers in another language, by role
"""


def course_text(homeworks: Sequence[Homework]) -> str:
    """The file for these homeworks; what it says without comments is what holds anyway."""
    names = ", ".join(json.dumps(one.id) for one in homeworks)
    limits = "\n".join(f"# {name} = {value:g}" for name, value in asdict(Limits()).items())
    parts = [HEAD.format(homeworks=f"homeworks = [{names}]", limits=limits)]
    parts += ["\n".join(_homework(one)) + "\n" for one in homeworks]
    return "\n".join(parts)


def _homework(homework: Homework) -> Iterator[str]:
    ids = ", ".join(json.dumps(name) for name in homework.questions)
    yield f"[{homework.id}]"
    yield f"# title = {json.dumps(homework.title, ensure_ascii=False)}"
    yield "# due = 2027-02-01T23:59:00-08:00"
    yield "# column = \"502\"                 # the assignment's column in the platform's file, or its number"
    yield f"# order = [{ids}]   # which questions, in which order"
    yield ""
    yield f"[{homework.id}.questions]"
    for name, question in homework.questions.items():
        yield f"{json.dumps(name)} = {{ {_points(question)} }}   # {question.title}"
    yield from _more(homework)


def _points(question: Question) -> str:
    parts = [f"points = {question.points:g}"] if question.checks else []
    parts += [f"written = {question.written.points:g}"] if question.written else []
    return ", ".join(parts)


def _more(homework: Homework) -> Iterator[str]:
    """What else a question takes, on an example of this homework."""
    name, question = next(iter(homework.questions.items()))
    title = json.dumps(question.title, ensure_ascii=False)
    yield "# A question takes more keys:"
    yield f"# {json.dumps(name)} = {{ title = {title}, minutes = {question.minutes}, extra = false }}"
    if question.checks:
        check = question.checks[0]
        yield f"# ... checks = {{ {json.dumps(check.name, ensure_ascii=False)} = {check.points:g} }}"
    asked = next((one for one in homework.questions.values() if one.written), None)
    if asked is not None and asked.written is not None:
        least, most = asked.written.words
        items = ", ".join(
            f"{json.dumps(item, ensure_ascii=False)} = {points:g}"
            for item, points in asked.written.rubric.items()
        )
        yield f"# ... words = [{least}, {most}], and of {asked.id} this rubric:"
        yield f"# ... rubric = {{ {items} }}"
