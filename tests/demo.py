"""Makes the example class that ``make demo`` grades: ``python -m tests.demo FOLDER [HOMEWORK]...``.

Of each homework the reference, a blank notebook, partly finished ones, and made-up students, strong and weak,
with answers out of the galleries, words of their own to each written question, and histories of checks that
differ; some are late, a few make trouble, a few hand in another's work. Nothing is left to chance: the same
class comes out each time.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import nbformat

from autograder import kit
from autograder.author.build import build_notebook, dumps
from autograder.author.gallery import Example, students
from autograder.author.reference import reference_submission
from autograder.author.source import read_source as read
from autograder.author.source import source_regions
from autograder.declare import Homework, homeworks
from autograder.kit.handing_in import ANSWER
from autograder.names import source_path
from tests.demo_people import with_history, with_own_words, write_people
from tests.gallery import ROOT, examples

SUBMISSIONS = {"hw3": 16}  # of each homework; the trouble is in hw3
ELSE = 10
LOOKALIKES = ("hw1", "hw3", "hw5")  # where somebody hands in another's work with comments strewn in
EXTRA_WORDS = {
    "mathematical": (
        "The scores are $QK^\\top/\\sqrt{d_{qk}}$, so for any invertible $M$\n\n$$(QM)(KM^{-\\top})^\\top ="
        " QK^\\top,$$\n\nand training may end in *any* basis. In mine:\n\n- the largest weight is `0.98`;\n-"
        " the smallest is **0.01**.\n"
    ),
    "hostile": (
        'I found that <script>document.title = "taken over"</script> the weights <img src=x'
        ' onerror="document.title=\'taken over\'"> agree. <a href="javascript:document.title=1">source</a>'
        ' <style>body { display: none }</style> <form action="https://example.org"><input></form>'
    ),
}
HOSTILE_CELL = (
    "from IPython.display import HTML, Javascript, display\n"
    "print('<script>document.title = \"taken over\"</script>')\n"
    "display(HTML('<script>document.title = \"taken over\"</script><b>bold</b>'))\n"
    "display(HTML('<img src=x onerror=\"document.title=1\">'))\n"
    "display(HTML('<div style=\"position:fixed;inset:0;background:red\">over everything</div>'))\n"
    "display(HTML('<section class=\"ag-card ag-state-pass\"><h3>100 of 100 points</h3></section>'))\n"
    "display(Javascript('document.title = \"taken over\"'))"
)


def partly(homework: Homework, share: float) -> str:
    """A notebook in which only the first part of the questions is answered."""
    source = source_path(ROOT, homework.stem)
    regions = source_regions(read(source), source)
    asked = list(homework.questions)
    answered = asked[: round(share * len(asked))]
    answers = {
        label: "\n".join(region.body) for label, region in regions.items() if region.question in answered
    }
    return dumps(build_notebook(homework, source, answers=answers))


def as_handed_in(homework: Homework) -> str:
    """The gallery's answers that a student once handed in for the original of this homework."""
    real = [example for example in examples(homework.id) if example.name.startswith("as a student handed in")]
    answers = {label: text for example in real for label, text in example.solution.items()}
    return dumps(build_notebook(homework, source_path(ROOT, homework.stem), answers=answers))


def with_words(notebook: str, homework: Homework, words: str) -> str:
    """The notebook with other written answers: the rubric's examples, or one of ``EXTRA_WORDS``."""
    document = json.loads(notebook)
    for cell in document["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and (match := ANSWER.match(source)):
            written = homework.questions[match["question"]].written
            text = EXTRA_WORDS[words] if words in EXTRA_WORDS else written.examples[words] if written else ""
            cell["source"] = f"**Answer {match['question']}**\n\n{text}"
    return json.dumps(document, indent=1)


def with_cell(notebook: str, code: str) -> str:
    """The notebook with one more cell at its end."""
    read = nbformat.reads(notebook, as_version=4)
    read.cells.append(nbformat.v4.new_code_cell(code))
    return nbformat.writes(read)


def disguised(notebook: str) -> str:
    """The same notebook with comments and blank lines strewn in: what a copy looks like."""
    read = nbformat.reads(notebook, as_version=4)
    for cell in read.cells[4:]:
        if cell.cell_type == "code" and not cell.source.startswith("# "):
            cell.source = f"# my own idea\n\n{cell.source}\n"
    return nbformat.writes(read)


def write_homework(folder: Path, name: str) -> None:
    """Writes one homework's part of the class, one folder a student."""
    homework = homeworks()[name]
    print(
        f"{homework.id}: running the reference once, with its training, for the example class …", flush=True
    )
    notebook, log, files = reference_submission(ROOT, homework)
    reference = nbformat.writes(notebook)
    hand_ins = {
        "reference": reference,
        "blank": dumps(build_notebook(homework, source_path(ROOT, homework.stem))),
        "first-third": partly(homework, 1 / 3),
        "two-thirds": partly(homework, 2 / 3),
        "as-handed-in": as_handed_in(homework),
    }
    if hand_ins["as-handed-in"] == hand_ins["blank"]:  # nothing real is known for this homework
        del hand_ins["as-handed-in"]
    if homework.id == "hw3":
        hand_ins |= {
            "prints-scripts": with_cell(with_words(reference, homework, "hostile"), HOSTILE_CELL),
            "never-ends": with_cell(hand_ins["two-thirds"], "while True:\n    pass"),
            "not-a-notebook": "This is my homework.",
        }
    for who, text in hand_ins.items():
        own = folder / f"{homework.id}-{who}"
        own.mkdir(parents=True)
        (own / f"{homework.stem}.ipynb").write_text(text, encoding="utf-8")
        if who == "reference":
            (own / kit.LOG_NAME).write_bytes(log)
            for file, data in files.items():
                (own / file).write_bytes(data)
    dice = random.Random(homework.id)
    for number in range(1, SUBMISSIONS.get(homework.id, ELSE) - len(hand_ins) + 1):
        name = f"{homework.id}-student-{number:02d}"
        skill = dice.betavariate(3, 2)
        chosen = answers_of_one(homework, skill, dice)
        (student,) = students(ROOT, homework, chosen, log, files, whole=True)
        usual, own = dice.choice(["full", "half", "half", "none", "nearly"]), random.Random(name)
        text = with_own_words(student.notebook, homework, usual, own)
        if homework.id == "hw3" and number == 1:
            text = with_words(text, homework, "mathematical")
        past = student.log if own.random() < 0.2 else with_history(student.log, homework, chosen, skill, own)
        replace(student, name=name, notebook=text, log=past).write(folder, homework.stem)
        if number == 3 and homework.id in LOOKALIKES:
            replace(student, name=f"{homework.id}-lookalike", notebook=disguised(text)).write(
                folder, homework.stem
            )


def answers_of_one(homework: Homework, skill: float, dice: random.Random) -> list[Example]:
    """What a made-up student answers: the better the student, the more is right.

    The gallery's first mistakes are the common ones.
    """
    chosen = []
    for question in homework.questions:
        known = [example for example in examples(homework.id) if example.question == question]
        right, wrong = (
            [example for example in known if bool(example.loses) == lost] for lost in (False, True)
        )
        if dice.random() > skill and wrong:
            chosen.append(wrong[min(int(dice.expovariate(0.7)), len(wrong) - 1)])
        elif right and dice.random() < 0.6:  # else the reference's own answer stands
            chosen.append(dice.choice(right))
    return chosen or examples(homework.id)[:1]


def write_class(folder: Path, names: Sequence[str] = ()) -> None:
    """Writes the example class, of the homeworks with these names or of all."""
    shutil.rmtree(folder, ignore_errors=True)
    chosen = [homework for name, homework in homeworks().items() if name in names or not names]
    with ProcessPoolExecutor(min(2, len(chosen)), mp_context=get_context("spawn")) as executor:
        for done in [executor.submit(write_homework, folder, homework.id) for homework in chosen]:
            done.result()
    print(f"{len(list(folder.iterdir()))} submissions in {folder}")
    write_people(folder)


if __name__ == "__main__":
    write_class(Path(sys.argv[1]), sys.argv[2:])
