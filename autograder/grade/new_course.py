"""The text of a new ``course.toml``: every key with its meaning, every question with its present points."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from autograder.declare import Homework, Question
from autograder.run.limits import Limits

HEAD = """\
# A course: which homeworks it uses, points, dates and settings. The commands 'build', 'release', 'collect',
# 'grade', 'desk', 'bundle' and 'handback' follow this file when it lies beside the submissions or in the
# folder where they run; --course FILE names another. What begins with # says what is possible: take the #
# away to use it. A wrong key or value is an error that names the nearest right one.

[course]
# name = "CS 7643, spring 2027"
{homeworks}
# staff = ["Ada Lovelace", "Alan Turing"]   # who grades
# variants = "2027-spring"        # each student has numbers and hidden inputs of their own
# reveal = "words"                # what feedback shows of hidden inputs; or "inputs", "all"
# library_calls = "flag"          # or "zero": no points where a library call does the question's whole job
history = false                   # true: notebooks keep when each check was run and what it said, never code.
                                  # Students can switch it off. Tell them, see docs/security.md.

# [late]                          # without it, nothing is taken off
# free_days = 3                   # late days of the term without a penalty
# penalty = 10                    # percent of the points for each further day
# most_days = 5                   # more late days than this give 0 points
# grace_minutes = 10              # after the due time that count as on time

# [limits]                        # of one submission, where 'grade' runs it
{limits}

# [platform]
# name = "canvas"                 # where submissions come from and grades go
# columns = {{ id = "ID" }}         # column heads in another language, by their role
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
