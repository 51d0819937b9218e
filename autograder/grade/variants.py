"""Whose numbers and hidden inputs a submission is judged by, where every student has their own.

That is so with ``--variants``. Hidden inputs follow from the secret seed and the id in the class list (or the
submission's name). The numbers in questions follow from the course's word, which is public, and the student's
id: the notebook derives them in front of the student, the grader derives them again. The id that a notebook
states is a claim; where a class list is known, that decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from autograder.declare import Homework, Numbers
from autograder.kit import student_key
from autograder.lms.people import MANIFEST, read_manifest
from autograder.submissions.find import Submission, flat_name

WORD = re.compile(r"[A-Za-z0-9._-]{1,40}")


@dataclass(frozen=True)
class Whose:
    """A submission's numbers by question, and what its report should say of them."""

    numbers: Mapping[str, Numbers]
    notes: tuple[str, ...] = ()


def hidden_seed(seed: str, word: str, submission: Submission) -> str:
    """What draws the hidden inputs of one submission; the batch's seed itself where students share them."""
    if not word:
        return seed
    ids = [student_key(one) for one in submission.students] or [student_key(submission.name)]
    return "/".join([seed, *sorted(ids)])


def whose(homework: Homework, word: str, students: Sequence[str], recorded: Mapping[str, str]) -> Whose:
    """The numbers by which one submission is judged.

    Args:
        homework: what it answers.
        word: the course's word; empty if everybody has the same numbers.
        students: the ids that the class list gives for it; empty if there is none.
        recorded: ``id`` and ``word`` as the notebook recorded them; empty if it did not.
    """
    asked = [question for question in homework.questions.values() if question.numbers]
    named, said = ", ".join(question.id for question in asked), student_key(recorded.get("id", ""))
    if not word or not asked:
        told = (
            "This notebook has per-student numbers, but grading ran without --variants"
            f" {recorded.get('word', '')}: "
        )
        usual = {question.id: question.usual_numbers() for question in asked}
        return Whose(
            usual,
            (f"{told}the standard numbers count in {named}.",) if recorded and asked else (),
        )
    listed = [student_key(one) for one in students]
    notes: list[str] = []
    problem = ""
    if not recorded:
        notes.append("This is not the notebook that this course released: it has no per-student numbers.")
    elif recorded.get("word") != word:
        notes.append(
            f"This notebook has the numbers of the release {recorded.get('word', '')!r}, but this is the"
            f" release {word!r}."
        )
    elif not said:
        notes.append("STUDENT_ID is not set in this notebook, so it showed no numbers.")
    elif listed and said not in listed:
        notes.append(
            f"The notebook's STUDENT_ID is {said!r}, but this submission is that of {' and '.join(students)}."
        )
    judged = said if said in listed or not listed else listed[0]
    if judged:
        notes += [f"{named}: judged by the numbers of student {judged}."] if notes or not listed else []
    else:
        problem = (
            "Nothing says whose numbers these are. Set STUDENT_ID in the notebook that your course released,"
            " and submit it again."
        )
    if not listed and judged:
        notes.append("No class list says whether that id is right.")
    drawn = {
        question.id: question.numbers_of(judged, word) if judged else Numbers({}, problem)
        for question in asked
    }
    return Whose(drawn, tuple(notes) if judged else (*notes, problem))


def with_students(submissions: Iterable[Submission], folders: Iterable[Path]) -> list[Submission]:
    """The submissions with the ids that ``collected.csv`` files among the folders give for them.

    Raises:
        ValueError: such a file is not what ``autograder collect`` writes.
    """
    ids: dict[str, list[str]] = {}
    for folder in folders:
        path = folder / MANIFEST
        for person in read_manifest(path) if path.is_file() else ():
            ids.setdefault(flat_name(PurePosixPath(person.submission)), []).append(person.id)
    return [replace(one, students=tuple(_ids_of(one.name, ids))) for one in submissions]


def _ids_of(name: str, ids: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if name in ids:
        return ids[name]
    inside = [folder for folder in ids if name.startswith((f"{folder}-", f"{folder} ("))]
    return ids[max(inside, key=len)] if inside else ()
