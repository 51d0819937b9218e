"""Grades the same classes with this grader, with otter and with bare nbclient, side by side in one run.

``python -m benchmarks`` measures all six homeworks and prints tables in Markdown; ``--quick`` takes small
classes and a few minutes; ``--only growth`` measures one table; ``--write`` also puts the tables into
``docs/performance.md``.
"""

from __future__ import annotations

import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from autograder.declare import homeworks
from benchmarks.classes import Handed, write_class
from benchmarks.graders import SEED, all_bare, all_otter, ours, timed
from benchmarks.memory import memory
from benchmarks.otter_tests import write_autograder
from benchmarks.processor import Spent, spent
from tests.gallery import ROOT

PAGE = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- python -m benchmarks --write: begin -->", "<!-- end -->"
BUSY = 2.0  # a load above this, before the run, and nothing of it counts
WORKERS = ("--workers", "2", "--sandbox", "required")
GOAL_CELLS, GOAL_BEYOND, GOAL_MEAN, GOAL_OTTER, GOAL_MIXED, GOAL_CLASS = 0.35, 0.12, 0.35, 10.0, 20.0, 6.0
PARTS = ("processor", "classes", "growth", "dask")
VERSIONS = ("torch", "numpy", "ipykernel", "nbclient", "jupyter-client", "otter-grader", "distributed")


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        own: submissions of each homework that this grader grades.
        others: of those, how many otter and nbclient run, whose time for each does not depend on the number.
        repeats: runs of one submission, of which the median counts.
        growth: sizes of mixed classes that this grader grades alone.
    """

    own: int
    others: int
    repeats: int
    growth: tuple[int, ...]


FULL, QUICK = Sizes(40, 6, 5, (50, 200, 1000)), Sizes(8, 2, 3, (12, 36))


class Page:
    """Prints each table at once, so that a stopped benchmark has shown what it measured, and keeps it."""

    def __init__(self) -> None:
        self.parts: list[str] = []

    def say(self, text: str) -> None:
        """Prints and keeps a paragraph."""
        self.parts.append(text)
        print(f"\n{text}", flush=True)

    def table(self, title: str, rows: list[Mapping[str, object]]) -> None:
        """Prints and keeps a table; numbers stand on the right."""
        names = list(rows[0])
        marks = ["---", *("---:" for _ in names[1:])]
        lines = [names, marks, *([str(row[name]) for name in names] for row in rows)]
        self.say(f"### {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))

    def write(self) -> None:
        """Puts everything into the page in ``docs``."""
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        body = "\n\n".join(self.parts)
        PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", encoding="utf-8")


def machine() -> str:
    """What this runs on."""
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    model = models[0].split(":")[1].strip() if models else "?"
    versions = []
    for name in VERSIONS:
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f"{name} {version(name)}")
    with contextlib.suppress(PackageNotFoundError):
        versions.append(f"JupyterLab {version('jupyterlab')} beside them")
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({model}), {pages / 2**30:.0f} GB, {system}, {', '.join(versions)}."


def pace() -> float:
    """Seconds of processor time for ten million additions in Python: what makes runs comparable."""
    started, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return time.process_time() - started


def load() -> str:
    """The load averages of 1, 5 and 15 minutes."""
    return ", ".join(f"{one:.1f}" for one in os.getloadavg())


def reached(value: float, goal: float, more: bool = False) -> str:
    """A number, with a mark where it misses its goal."""
    missed = value < goal if more else value > goal
    return f"{value:.{1 if goal >= 1 else 3}f}{' (missed)' if missed else ''}"


@click.command()
@click.option("--quick", is_flag=True, help="Small classes: a few minutes, and numbers that say less.")
@click.option("--write", is_flag=True, help="Put the tables into docs/performance.md.")
@click.option("--homework", "names", multiple=True, help="Only this one; may be repeated.")
@click.option(
    "--only", "parts", type=click.Choice(PARTS), multiple=True, help="Only this table; may be repeated."
)
@click.option("--otter/--no-otter", "with_otter", default=True, show_default=True, help="Run otter, too.")
def main(quick: bool, write: bool, names: tuple[str, ...], parts: tuple[str, ...], with_otter: bool) -> None:
    """Measures throughput beside otter and nbclient, processor time, memory and growth."""
    chosen, sizes, page = list(names or homeworks()), QUICK if quick else FULL, Page()
    parts = parts or PARTS
    if write and parts != PARTS:
        raise click.UsageError("--write replaces all tables, so it does not go with --only.")
    busy = os.getloadavg()[0] > BUSY
    options = [*(["--quick"] if quick else []), *(part for name in names for part in ("--homework", name))]
    options += [word for part in parts if parts != PARTS for word in ("--only", part)]
    page.say(
        f"`{' '.join(['python -m benchmarks', *options])}` on {machine()}\n\nLoad before: {load()}."
        f" Ten million additions in a loop of Python take {pace():.2f} s."
    )
    if busy:
        page.say(
            f"**The load before was above {BUSY:g}: these numbers do not count, at most their ratios do.**"
        )
    if "processor" in parts:
        processor(page, chosen, sizes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "classes" in parts:
            throughput(page, folder, chosen, sizes, with_otter)
        if "growth" in parts:
            growth(page, folder, chosen, sizes)
        if "dask" in parts:
            on_dask(page, folder, chosen, sizes)
    page.say(f"Load after: {load()} (two processes of this run are in it).")
    if write:
        page.write()


def processor(page: Page, chosen: list[str], sizes: Sizes) -> None:
    """The table of one submission's processor time."""
    found = {name: spent(homeworks()[name], sizes.repeats) for name in chosen}
    mean = [sum(getattr(one, part) for one in found.values()) / len(found) for part in Spent.__annotations__]
    rows: list[Mapping[str, object]] = []
    for name, one in [*found.items(), ("mean", Spent(*mean))]:
        rows.append(
            {
                "homework": name,
                "own cells": reached(one.cells, GOAL_CELLS),
                "kernel": f"{one.kernel:.3f}",
                "grader": f"{one.grader:.3f}",
                "beyond the own cells": reached(one.beyond, GOAL_BEYOND),
                "all": reached(one.kernel + one.grader, GOAL_MEAN)
                if name == "mean"
                else f"{one.kernel + one.grader:.3f}",
                "wall": f"{one.wall:.3f}",
            }
        )
    page.table("Processor time of one submission, in seconds", rows)
    page.say(
        f"Medians of {sizes.repeats} runs of the reference after a first one; one worker, warm and sandboxed."
        " *Own cells* is the floor: the notebook's graded cells in plain Python, in a process forked from one"
        " that has imported all, its fork and end included. Goals:"
        f" own cells {GOAL_CELLS}, beyond them {GOAL_BEYOND}, on average {GOAL_MEAN} in all."
    )


def throughput(page: Page, folder: Path, chosen: list[str], sizes: Sizes, with_otter: bool) -> None:
    """The table of classes, one of each homework and one of all."""
    rows: list[Mapping[str, object]] = []
    every: list[Path] = []
    totals = {"otter": 0.0, "nbclient": 0.0}
    for name in chosen:
        handed = write_class(folder / name, [name], sizes.own)
        every.append(folder / name)
        own = timed(partial(ours, [folder / name], folder / f"out-{name}", *WORKERS))
        others = compared(folder, name, handed, sizes, with_otter)
        totals = {one: totals[one] + others[one] for one in totals}
        goal = GOAL_CLASS if name == "hw3" and sizes.own == FULL.own else float("inf")
        rows.append(row(name, sizes.own, own, others, GOAL_OTTER, goal))
    if len(chosen) > 1:
        own = timed(partial(ours, every, folder / "out-mixed", *WORKERS))
        rows.append(row("all", sizes.own * len(chosen), own, totals, GOAL_MIXED, float("inf")))
    page.table("Classes, start and end of each grader included", rows)
    few = f" Otter and nbclient ran {sizes.others} of them, scaled up." if sizes.others < sizes.own else ""
    page.say(
        "Seconds of wall time, two processes and one thread each. This grader also writes feedback pages, the"
        " class report and grades; otter gives points only, from the same checks on the same inputs; nbclient"
        f" grades nothing. Both skip training, figures and the last cell.{few} In the last row"
        " theirs is the sum of the rows above, since they have no start of their own."
    )


def compared(
    folder: Path, name: str, handed: list[Handed], sizes: Sizes, with_otter: bool
) -> dict[str, float]:
    """Seconds that otter and nbclient would need for the class."""
    some, scale = handed[: sizes.others], len(handed) / sizes.others
    found = {"otter": float("nan"), "nbclient": scale * all_bare(some)}
    if with_otter:
        packed = write_autograder(homeworks()[name], folder / f"otter-{name}", SEED)
        found["otter"] = scale * all_otter(some, packed, folder / f"otter-out-{name}")
    return found


def row(
    name: str, size: int, own: float, others: Mapping[str, float], goal: float, seconds: float
) -> Mapping[str, object]:
    """One row of the table of classes."""
    return {
        "homework": name,
        "submissions": size,
        "autograder, s": f"{own:.1f}{' (missed)' if own > seconds else ''}",
        "submissions/s": f"{size / own:.2f}",
        "otter, s": f"{others['otter']:.1f}",
        "nbclient, s": f"{others['nbclient']:.1f}",
        "times otter": reached(others["otter"] / own, goal, more=True),
        "times nbclient": f"{others['nbclient'] / own:.1f}",
    }


def growth(page: Page, folder: Path, chosen: list[str], sizes: Sizes) -> None:
    """The table of larger classes, with memory."""
    rows: list[Mapping[str, object]] = []
    for size in sizes.growth:
        write_class(folder / f"class{size}", chosen, size)
        with memory() as held:
            wall = timed(partial(ours, [folder / f"class{size}"], folder / f"out{size}", *WORKERS))
        rows.append(
            {
                "submissions, mixed": size,
                "wall, s": f"{wall:.1f}",
                "submissions/s": f"{size / wall:.2f}",
                "worker in the first 30 s, MB": f"{held['early']:.0f}",
                "worker over all, MB": f"{held['worker']:.0f}",
            }
        )
    page.table("Larger classes", rows)
    page.say(
        "Memory is the share (PSS) of one worker, its forking process and the kernel of the moment, the"
        " largest that was seen."
    )


def on_dask(page: Page, folder: Path, chosen: list[str], sizes: Sizes) -> None:
    """The table of Dask clusters with 1 and 2 workers; their start is not counted, that of sandboxes is."""
    from distributed import LocalCluster

    size = min(sizes.own, sizes.growth[0])
    handed = write_class(folder / "dask", chosen, size)
    ours([folder / "dask"], folder / "dask-local", *WORKERS)
    rows: list[Mapping[str, object]] = []
    quiet = {"dashboard_address": None, "local_directory": str(folder), "processes": True}
    for workers in (1, 2):
        output = folder / f"dask{workers}"
        with LocalCluster(n_workers=workers, threads_per_worker=1, **quiet) as cluster:
            wall = timed(partial(ours, [folder / "dask"], output, "--dask", cluster.scheduler_address))
        same = (output / "grades.csv").read_bytes() == (folder / "dask-local" / "grades.csv").read_bytes()
        rows.append(
            {
                "Dask workers": workers,
                "submissions, mixed": len(handed),
                "wall, s": f"{wall:.1f}",
                "submissions/s": f"{len(handed) / wall:.2f}",
                "grades": "the same bytes" if same else "DIFFER",
            }
        )
    page.table("On Dask", rows)


if __name__ == "__main__":
    main()
