"""Who holds the memory of a batch at its peak: the main process, workers, sandboxes and kernels.

``python -m benchmarks.peak build/demo/class`` grades a class with two workers and prints who held what at the
moment at which all processes together held most.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import click

from benchmarks.memory import below, command, is_bwrap, parents, sizes

EVERY = 0.25  # seconds


def kind_of(pid: int, found: dict[int, int], lines: dict[int, str]) -> str:
    """What a process of a batch does, by its command line and its place in the tree."""

    def forks(one: int) -> bool:
        return "/zygote.py" in lines.get(one, "") and not is_bwrap(lines[one])

    def serves(one: int) -> bool:
        return "multiprocessing.forkserver" in lines.get(one, "")

    parent = found.get(pid, 0)
    if serves(pid):
        return "worker" if serves(parent) else "fork server"
    if forks(pid):
        return "nursery" if not forks(parent) else "kernel" if forks(found.get(parent, 0)) else "zygote"
    return "main process" if " grade " in lines[pid] and "autograder" in lines[pid] else "other"


def shares(pid: int) -> dict[str, float]:
    """A process's share of memory and what nobody else has, in MB; nothing if it has just ended."""
    found = sizes(pid)
    return found and {"share": found["Pss"], "own": found["Private_Clean"] + found["Private_Dirty"]}


def peak(arguments: list[str]) -> dict[str, list[dict[str, float]]]:
    """Runs a command and returns, for the moment at which its processes held most: kind → their shares."""
    most: dict[str, list[dict[str, float]]] = {}
    run = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while run.poll() is None:
        found = parents()
        mine = below({run.pid}, found)
        lines = {pid: command(pid) for pid in mine}
        now: dict[str, list[dict[str, float]]] = defaultdict(list)
        for pid in mine:
            if held := shares(pid):
                now[kind_of(pid, found, lines)].append(held)
        if total(now) > total(most):
            most = now
        time.sleep(EVERY)
    if run.returncode not in (0, 1):
        raise click.ClickException(f"{' '.join(arguments)} ended with {run.returncode}.")
    return most


def total(found: dict[str, list[dict[str, float]]]) -> float:
    """The memory of all of them, in MB."""
    return sum(one["share"] for several in found.values() for one in several)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Prints what each kind of process holds at the peak of grading the class in FOLDER."""
    with tempfile.TemporaryDirectory() as output:
        grade = [sys.executable, "-m", "autograder", "grade", str(folder), "-o", output, "--workers", "2"]
        found = peak(grade)
    click.echo("| processes | number | share of memory (PSS), MB | of which nobody else's, MB |")
    click.echo("|---|---:|---:|---:|")
    for kind, several in sorted(found.items(), key=lambda item: -sum(one["share"] for one in item[1])):
        sums = {name: sum(one[name] for one in several) for name in ("share", "own")}
        click.echo(f"| {kind} | {len(several)} | {sums['share']:.0f} | {sums['own']:.0f} |")
    click.echo(f"| all | {sum(map(len, found.values()))} | {total(found):.0f} | |")


if __name__ == "__main__":
    main()
