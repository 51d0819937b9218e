"""A class with hostile submissions in it: what they cost others, and whether a killed batch ends the same.

``python -m benchmarks.hostile cost`` compares the time of a class with and without ten hostile submissions;
``python -m benchmarks.hostile kills`` kills a batch at random moments and compares what it leaves in the end.
"""

from __future__ import annotations

import filecmp
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import click
import nbformat

from autograder.author.build import build_notebook
from autograder.declare import homeworks
from autograder.grade.changes import FILE as LAST_RUN
from autograder.names import source_path
from tests.gallery import ROOT

HW3 = homeworks()["hw3"]
OPTIONS = ("--seed", "hostile", "--workers", "2")
TIMES = ("seconds.json", "timing.csv")  # the only files that hold wall times

# what each does costs seconds or minutes where nothing limits it
CELLS = {
    "angle": "from IPython.display import HTML\nHTML('<' + ' ' * 60_000)",
    "nested": "from IPython.display import HTML\nHTML('<div>' * 40_000)",
    "long-cell": "x = 1\n" * 66_000,
    "equal-lines": "y = [1, 2, 3]\n" * 16_000,
    "updates": (
        "from IPython.display import display\nshown = [display(i, display_id=True) for i in range(40)]\n"
        "for one in shown: one.update('x' * 3_500_000)"
    ),
    "memory": "import numpy as np\nx = []\nwhile True: x.append(np.ones(10**6))",
    "forks": "import os\nfor _ in range(10_000):\n    try: os.fork()\n    except OSError: break\nos._exit(0)",
    "exits": "import os; os._exit(0)",
}
ENDLESS = {"loop": "while True: pass", "asleep": "import time; time.sleep(10**6)"}


def honest(number: int) -> str:
    """A notebook: a third of them blank, the others solved."""
    built = build_notebook(HW3, source_path(ROOT, HW3.stem), blank=number % 3 == 2)
    built.cells.append(nbformat.v4.new_markdown_cell(f"Student {number}"))
    return nbformat.writes(built)


def hostile(cell: str) -> str:
    """A solved notebook with such a cell."""
    built = build_notebook(HW3, source_path(ROOT, HW3.stem), blank=False)
    built.cells.insert(3, nbformat.v4.new_code_cell(cell))
    return nbformat.writes(built)


def broken_log() -> str:
    """16 MB of responses, each of them broken."""
    name = next(one.name for q in HW3.questions.values() for one in q.entries if one.hidden_inputs)
    broken = {str(index): {"status": "ok", "result": 1, "more": "x" * 90} for index in range(110_000)}
    entries = {name: {"status": "ok", "responses": broken}}
    return json.dumps({"schema": "attention-homeworks/log/1", "homework": "hw3", "entries": entries})


def bomb() -> bytes:
    """A zip of 0.2 MB that unpacks to 240 MB."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.ipynb", bytes(240_000_000))
    return packed.getvalue()


def write_honest(folder: Path, size: int) -> None:
    """Writes a class in which nobody is hostile."""
    for number in range(size):
        path = folder / f"student-{number:03d}" / f"{HW3.stem}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(honest(number))


def write_hostile(folder: Path, cells: dict[str, str]) -> None:
    """Adds hostile notebooks, a log and a zip."""
    for name, cell in cells.items():
        path = folder / f"hostile-{name}" / f"{HW3.stem}.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(hostile(cell))
    (folder / "hostile-log").mkdir()
    (folder / "hostile-log" / "submission_log.json").write_text(broken_log())
    (folder / "hostile-bomb.zip").write_bytes(bomb())


def command(folder: Path, output: Path, *more: str) -> list[str]:
    """``autograder grade`` as an instructor runs it."""
    return [sys.executable, "-m", "autograder", "grade", str(folder), "-o", str(output), *OPTIONS, *more]


def timed(folder: Path, output: Path) -> float:
    """Wall seconds of grading a folder; workers outlive their parents' accounts of processor time."""
    shutil.rmtree(output, ignore_errors=True)
    started = time.monotonic()
    subprocess.run(command(folder, output), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - started


@click.group()
def main() -> None:
    """What hostile submissions cost a class."""


@main.command()
@click.option("--size", default=30, show_default=True, help="Submissions of the class, all together.")
@click.option("--rounds", default=2, show_default=True, help="How often each class is graded, in turn.")
@click.option("--endless", is_flag=True, help="Also a class with two more that run until a time limit.")
def cost(size: int, rounds: int, endless: bool) -> None:
    """Times a class of which ten are hostile, and one of the same size in which nobody is."""
    classes: dict[str, dict[str, str]] = {"honest": {}, "mixed": CELLS} | (
        {"endless": CELLS | ENDLESS} if endless else {}
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for one, cells in classes.items():
            write_honest(folder / one, size - (len(cells) + 2 if cells else 0))
            if cells:
                write_hostile(folder / one, cells)
        for _ in range(rounds):
            honest = 0.0
            for one in classes:
                seconds = timed(folder / one, folder / "graded")
                honest = honest or seconds
                print(
                    f"{one}: {seconds:.1f} s, {seconds / honest:.2f} times honest"
                    f" (load {os.getloadavg()[0]:.1f})",
                    flush=True,
                )


def progress(output: Path) -> int:
    """How many results and pages a folder holds."""
    return sum(len(list(output.glob(f"submissions/*/{name}"))) for name in ("results.json", "feedback.html"))


def killed(folder: Path, output: Path, size: int, draw: random.Random) -> int | None:
    """Starts a batch and kills it at a random moment, when some results or pages are there.

    Returns:
        How many results and pages there were; None if the batch had come to its end.
    """
    running = subprocess.Popen(
        command(folder, output), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    wanted = draw.randrange(2 * size)
    while progress(output) < wanted and running.poll() is None:
        time.sleep(0.005)
    time.sleep(draw.uniform(0, 0.2))
    running.send_signal(signal.SIGKILL)
    running.wait()
    return None if (output / LAST_RUN).exists() else progress(output)


def different(one: Path, other: Path) -> list[str]:
    """The files that two folders of results do not have in common, byte for byte; wall times left out."""
    names = {path.relative_to(root) for root in (one, other) for path in root.rglob("*") if path.is_file()}
    wanted = [name for name in sorted(names) if name.name not in TIMES]
    return [
        str(name)
        for name in wanted
        if not ((one / name).is_file() and (other / name).is_file())
        or not filecmp.cmp(one / name, other / name, shallow=False)
    ]


@main.command()
@click.option("--size", default=30, show_default=True, help="Submissions of the class.")
@click.option("--kills", default=20, show_default=True, help="How often the batch is killed.")
@click.option("--seed", default=0, show_default=True, help="Of the moments.")
def kills(size: int, kills: int, seed: int) -> None:
    """Kills a batch at random moments, each from a new start, and compares it with one that was not."""
    draw, wrong = random.Random(seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_honest(folder / "class", size)
        subprocess.run(command(folder / "class", folder / "whole"), check=True, stdout=subprocess.DEVNULL)
        for number in range(kills):
            output = folder / "killed"
            while (there := killed(folder / "class", output, size, draw)) is None:
                shutil.rmtree(output)  # it came to its end: the next run would be a second one
            subprocess.run(command(folder / "class", output), check=True, stdout=subprocess.DEVNULL)
            found = different(folder / "whole", output)
            wrong += bool(found)
            print(
                f"{number + 1}: killed with {there} of {2 * size} results and pages;"
                f" {f'DIFFERENT: {found}' if found else 'the same bytes'}",
                flush=True,
            )
            shutil.rmtree(output)
    if wrong:
        raise click.ClickException(f"{wrong} of {kills} batches ended differently")


if __name__ == "__main__":
    main()
