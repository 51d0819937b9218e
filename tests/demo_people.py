"""What the people of the example class do: write answers, check again and again, hand in late, grade, ask.

All of it is made up, and the same each time.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autograder.author.gallery import Example
from autograder.author.source import read_source, source_regions
from autograder.cli.main import main as autograder
from autograder.declare import Homework, homeworks
from autograder.grade.marks import Mark, Marks, digest
from autograder.grade.report import QuestionResult, Report
from autograder.grade.rubric import declared
from autograder.grade.rubrics import Rubrics
from autograder.grade.store import read_reports
from autograder.kit.handing_in import ANSWER
from autograder.lms.people import Person, write_manifest
from autograder.names import source_path
from tests.gallery import ROOT

DUE = datetime(2027, 2, 1, 23, 59, tzinfo=UTC)
COURSE = """\
# The course of the demo: points and questions as they are, a due time, and what late days cost.
[course]
name = "Attention, the demo"
staff = ["Ada", "Ben"]

[late]
free_days = 1
penalty = 10
"""
LEVELS = ("full", "nearly", "half", "none", "blank")
SHARES = {"full": 1.0, "nearly": 1.0, "half": 0.5, "none": 0.0, "blank": 0.0}  # of a rubric's items
GRADED = 0.6  # of the written answers
DEDUCTION = ("Contradicts itself", -1.0)  # an item that the staff adds to a rubric
SLIPS = ("right on every input", "not all of it was answered")


# --- written answers ----------------------------------------------------------------------------------------


def words_of(homework: Homework, question: str) -> dict[str, list[str]]:
    """Level → answers to this very question: the rubric's examples, the solution's words, parts of both."""
    written = homework.questions[question].written
    assert written is not None
    regions = source_regions(read_source(source_path(ROOT, homework.stem)), Path(homework.stem))
    own = [
        "\n".join(region.body)
        for region in regions.values()
        if region.question == question and region.label.endswith("words")
    ]
    full, half, none = (written.examples[level] for level in ("full", "half", "none"))
    return {
        "full": [full, *own],
        "nearly": [_first(full, 0.7), *(_first(text, 0.7) for text in own)],
        "half": [half, f"{half} I could not find out the rest."],
        "none": [none, _first(none, 0.5)],
        "blank": [""],
    }


def _first(text: str, share: float) -> str:
    """The first sentences of a text."""
    sentences = re.split(r"(?<=[.!?]) ", " ".join(text.split()))
    return " ".join(sentences[: max(1, round(share * len(sentences)))])


def with_own_words(notebook: str, homework: Homework, usual: str, dice: random.Random) -> str:
    """The notebook with an answer of this student's to each written question, mostly of their usual level."""
    document = json.loads(notebook)
    for cell in document["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and (match := ANSWER.match(source)):
            place = min(max(LEVELS.index(usual) + dice.choice([-1, 0, 0, 1]), 0), len(LEVELS) - 1)
            known = words_of(homework, match["question"])
            cell["source"] = f"**Answer {match['question']}**\n\n{dice.choice(known[LEVELS[place]])}"
    return json.dumps(document, indent=1)


# --- histories ----------------------------------------------------------------------------------------------


def with_history(
    log: bytes, homework: Homework, chosen: Sequence[Example], skill: float, dice: random.Random
) -> bytes:
    """The log with the checks that this student ran: more of them, and longer, where less came easily."""
    wrong = {example.question: example for example in chosen if example.loses}
    at, events = DUE - timedelta(days=dice.uniform(0.5, 6)), []
    for name, question in homework.questions.items():
        if not question.entries or dice.random() > 0.6 + 0.4 * skill:
            continue
        slips = min(12, int(dice.expovariate(0.4 + skill)))
        says = [text for entry in question.entries for text in getattr(entry, "mistakes", {})] or [SLIPS[1]]
        if name in wrong:
            slips, says = slips + 2, [wrong[name].says[:160] or SLIPS[0]]
        for _ in range(slips):
            at += timedelta(minutes=dice.uniform(1, 9))
            events.append(_event(at, name, [dice.choice(says)[:160]]))
        if name not in wrong:
            at += timedelta(minutes=dice.uniform(2, 2 + question.minutes))
            events.append(_event(at, name, []))
    document = json.loads(log)
    return json.dumps({**document, "history": events}).encode()


def _event(at: datetime, question: str, mistakes: list[str]) -> dict[str, object]:
    made: dict[str, object] = {"at": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "question": question}
    return {**made, "passed": not mistakes, **({"mistakes": mistakes} if mistakes else {})}


# --- who and when -------------------------------------------------------------------------------------------


def write_people(folder: Path) -> None:
    """Writes ``collected.csv`` into the class and ``course.toml`` beside it; some have handed in late."""
    dice, people = random.Random("people"), []
    for path in sorted(one for one in folder.iterdir() if one.is_dir()):
        hours = dice.uniform(-90, -1) if dice.random() < 0.8 else dice.uniform(1, 60)
        days = max(0, -int(-hours // 24))
        when = (DUE + timedelta(hours=hours)).isoformat(timespec="seconds")
        late = "yes" if days else "no"
        number = str(1000 + len(people))
        people.append(Person(path.name, "demo", number, path.name, "", when, late, str(days)))
    write_manifest(people, folder / "collected.csv")
    due = "".join(f"\n[{name}]\ndue = {DUE.isoformat()}\n" for name in homeworks())
    (folder.parent / "course.toml").write_text(COURSE + due, encoding="utf-8")


# --- after grading ------------------------------------------------------------------------------------------


def decide(output: Path) -> None:
    """Does what a staff does with a graded class: grades answers, sets points, answers a request.

    The rubric of the first written answer is edited twice: before grading, an item that takes a point away is
    added; after it, the first item gains a point and the last one of the homework's own loses it.
    """
    reports = read_reports(output)
    marks = Rubrics(output)
    homework, edited = next(
        (report.homework, question.id)
        for report in reports
        for question in report.questions
        if question.written is not None
    )
    own = declared(homework, edited)
    assert own is not None
    held = marks.rubric(homework, edited)
    assert held is not None
    if not held.version:
        marks.edit(own, edited, [*own.items, DEDUCTION], "Ada")
    saved = marks.save_all(
        _mark(marks, report, question)
        for report in reports
        for question in report.questions
        if question.written and random.Random(report.submission + question.id).random() < GRADED
    )
    print(f"{saved} written answers graded")
    if not held.version:
        (first, more), *between, (last, less) = own.items
        weighted = [(first, more + 1), *between, (last, less - 1), DEDUCTION]
        held = marks.rubric(homework, edited)
        assert held is not None
        changed = marks.edit(held, edited, weighted, "Ben")
        print(f"{edited}: the edited rubric changed the points of {len(changed)} answers")
    lost = [
        (report, question)
        for report in reports
        for question in report.questions
        if "student" in report.submission and 0 < question.points < question.maximum
    ]
    (first, asked), (second, set_) = lost[0], lost[-1]
    why = "The text could be read in two ways; both count."
    _command(
        "override",
        second.submission,
        set_.id,
        f"{set_.maximum:g}",
        "--reason",
        why,
        "--by",
        "Ada",
        "-o",
        output,
    )
    request = output.parent / f"{first.submission}.txt"
    request.write_text(f"Question: {asked.id}\n\nMy answer is right up to rounding. Please look again.")
    _command("regrades", request, "-o", output)
    reply = "Rounded in the middle, the result is off by more than the text allows."
    _command(
        "regrades", "--answer", 1, "--decision", "declined", "--reply", reply, "--by", "Ben", "-o", output
    )


def _mark(marks: Marks, report: Report, question: QuestionResult) -> Mark:
    rubric = marks.rubric(report.homework, question.id)
    assert rubric is not None
    dice = random.Random(question.answer)
    level = level_of(homeworks()[report.homework], question.id, question.written or "")
    shares = tuple(
        SHARES[level] if worth >= 0 else float(level == "half" and dice.random() < 0.5)
        for _, worth in rubric.items
    )
    said = {"full": "Well put.", "half": "Half of the way: say why.", "none": "Read the section again."}
    points = rubric.points(shares)
    answer = digest(question.answer)
    comment, grader = said.get(level, ""), dice.choice(["Ada", "Ben"])
    return Mark(report.submission, question.id, answer, shares, points, comment, grader)


def level_of(homework: Homework, question: str, text: str) -> str:
    """How good an answer of the demo is; those that are not its own count as half."""
    bare = " ".join(text.split())
    for level, answers in words_of(homework, question).items():
        if bare in (" ".join(answer.split()) for answer in answers):
            return level
    return "half"


def _command(*arguments: object) -> None:
    autograder([str(one) for one in arguments], standalone_mode=False)


if __name__ == "__main__":
    decide(Path(sys.argv[1]))
