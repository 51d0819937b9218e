"""One submission where memory and processor are short, as in Gradescope's smallest container.

``python -m benchmarks.container hw3 hw4 hw5`` runs the entry point of the Gradescope bundle on the reference,
within 768 MB and half a processor where this process may make control groups (version 1, root), else without.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from autograder.author.build import build_notebook, dumps
from autograder.declare import homeworks
from autograder.names import source_path
from autograder.run.choose import IN_CONTAINER
from benchmarks.classes import checkpoint_of
from benchmarks.graders import ONE_THREAD
from benchmarks.memory import below, held, parents
from tests.gallery import ROOT
from tests.platforms import make_bundle, unpack_base

MEMORY, QUOTA, PERIOD = 768 << 20, 50_000, 100_000
GROUPS = Path("/sys/fs/cgroup")
NAME = f"attention-homeworks-benchmark-{os.getpid()}"
SETTINGS = {
    ("memory", "memory.limit_in_bytes"): MEMORY,
    ("cpu", "cpu.cfs_period_us"): PERIOD,
    ("cpu", "cpu.cfs_quota_us"): QUOTA,
}


def limit() -> list[Path]:
    """Makes control groups with the limits; none where that is not allowed."""
    made = []
    try:
        for (kind, file), value in SETTINGS.items():
            folder = GROUPS / kind / NAME
            folder.mkdir(exist_ok=True)
            made.append(folder)
            (folder / file).write_text(str(value))
    except OSError:
        for folder in set(made):
            folder.rmdir()
        return []
    return sorted(set(made))


def run(name: str, folder: Path, groups: list[Path]) -> tuple[float, float, str]:
    """Grades the reference of a homework.

    Returns:
        Seconds, the most memory (PSS, MiB) of all processes together, and what came of it.
    """
    homework = homeworks()[name]
    notebook = dumps(build_notebook(homework, source_path(ROOT, homework.stem), blank=False))
    archive = make_bundle(folder / f"{name}.zip", name, platform="gradescope")
    base = unpack_base(
        folder / name, archive, {f"{homework.stem}.ipynb": notebook, **checkpoint_of(homework)}
    )
    (base / "submission_metadata.json").write_text("{}")
    join = "".join(f"echo $$ > {group}/cgroup.procs; " for group in groups)
    command = ["sh", "-c", f'{join}exec "$@"', "sh", sys.executable, "-m", "autograder.hosts.gradescope"]
    started, most = time.monotonic(), 0.0
    environment = {**os.environ, **ONE_THREAD, IN_CONTAINER: "1"}
    with subprocess.Popen([*command, str(base)], env=environment, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            most = max(most, sum(map(held, below({process.pid}, parents()))))
            time.sleep(0.3)
    return time.monotonic() - started, most / 1.048576, "graded" if process.returncode == 0 else "FAILED"


@click.command()
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Prints a row for each homework."""
    groups = limit()
    within = "768 MB and half a processor" if groups else "no limits (no control groups here)"
    print(f"Within {within}; load {os.getloadavg()[0]:.1f}\n")
    print("| homework | s | MiB | |\n| --- | ---: | ---: | --- |", flush=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for name in names or homeworks():
                seconds, most, told = run(name, Path(folder), groups)
                print(f"| {name} | {seconds:.0f} | {most:.0f} | {told} |", flush=True)
    finally:
        for group in groups:
            group.rmdir()


if __name__ == "__main__":
    main()
