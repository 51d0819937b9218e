"""Grades the same class with this grader, with otter and with bare nbclient, side by side in one run.

``python -m benchmarks`` prints a table in Markdown; ``--help`` lists what else can be measured.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
import platform
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import click

from benchmarks.measure import HOMEWORK, SEED, bare, memory, otter, ours, overhead, timed, write_class
from benchmarks.otter_tests import write_autograder


def machine() -> str:
    """What this runs on."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "?",
    )
    names = ("torch", "numpy", "ipykernel", "nbclient", "jupyter-client", "otter-grader", "distributed")
    versions = []
    for name in names:
        with contextlib.suppress(ImportError):
            versions.append(f"{name} {version(name)}")
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    system = f"Linux {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({model}), {pages / 2**30:.0f} GB, {system}, {', '.join(versions)}"


def show(title: str, rows: list[dict[str, object]]) -> None:
    """Prints a table in Markdown at once, so that a stopped benchmark has shown what it measured."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="|", lineterminator="|\n|")
    writer.writerows([list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)])
    print(f"\n### {title}\n\n|{text.getvalue()[:-1]}", flush=True)


@click.command()
@click.option("--size", default=40, show_default=True, help="Submissions of the class that all tools grade.")
@click.option(
    "--sizes",
    default="50,200,1000",
    show_default=True,
    help="Sizes of the classes that this grader grades alone; empty for none.",
)
@click.option(
    "--dask/--no-dask",
    default=True,
    show_default=True,
    help="Also grade on a local Dask cluster with 1 and 2 workers.",
)
@click.option(
    "--otter/--no-otter",
    "with_otter",
    default=True,
    show_default=True,
    help="Also run otter (needs the extra 'otter').",
)
def main(size: int, sizes: str, dask: bool, with_otter: bool) -> None:
    """Measures throughput, processor time beyond the submissions' own cells, and memory."""
    print(f"{machine()}\nLoad before: {os.getloadavg()}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_class(folder / "class", HOMEWORK, size)
        spent = overhead(paths[:12])
        show(
            "Processor time of one submission, in seconds (warm, sandboxed, one worker)",
            [{key: f"{value:.3f}" for key, value in spent.items()}],
        )
        walls: dict[str, float] = {}
        with memory() as held:
            walls["(a) warm, sandboxed, 2 workers"] = timed(
                lambda: ours(folder / "class", folder / "a", "--workers", "2", "--sandbox", "required")
            )
        walls["(b) --cold, sandboxed, 2 workers"] = timed(
            lambda: ours(folder / "class", folder / "b", "--workers", "2", "--cold", "--sandbox", "required")
        )
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            if with_otter:
                packed = write_autograder(HOMEWORK, folder / "otter", SEED)
                jobs = [(path, packed, folder / "c") for path in paths]
                walls["(c) otter run, 2 processes"] = timed(lambda: list(pool.map(otter, jobs)))
            walls["(d) bare nbclient, 2 processes"] = timed(lambda: list(pool.map(bare, paths)))
        reference = walls.get("(c) otter run, 2 processes")
        rows: list[dict[str, object]] = []
        for what, wall in walls.items():
            ratio = f"{reference / wall:.1f}" if reference else "–"
            rows.append(
                {
                    "grader": what,
                    "wall, s": f"{wall:.1f}",
                    "submissions/s": f"{size / wall:.2f}",
                    "times otter": ratio,
                }
            )
        show(f"The same {size} submissions, start and end of each grader included", rows)
        same = (folder / "a" / "grades.csv").read_bytes() == (folder / "b" / "grades.csv").read_bytes()
        print(
            f"\nGrades of (a) and (b) {'are the same bytes' if same else 'DIFFER'}. Memory of a worker with"
            f" its sandbox: {held['worker']:.0f} MB."
        )
        rows = []
        for count in [int(part) for part in sizes.split(",") if part]:
            write_class(folder / f"class{count}", HOMEWORK, count)
            with memory() as held:
                wall = timed(
                    lambda count=count: ours(
                        folder / f"class{count}", folder / f"out{count}", "--workers", "2"
                    )
                )  # type: ignore[misc]
            large = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            row = {
                "submissions": count,
                "wall, s": f"{wall:.1f}",
                "submissions/s": f"{count / wall:.2f}",
                "worker in the first 30 s, MB": f"{held['early']:.0f}",
            }
            rows.append(
                {
                    **row,
                    "worker over all, MB": f"{held['worker']:.0f}",
                    "largest process so far, MB": f"{large:.0f}",
                }
            )
            show("This grader, warm and sandboxed, 2 workers", rows[-1:])
        if dask:
            rows = []
            for workers in (1, 2):
                rows.append(on_dask(folder, workers, size))
            show("On Dask", rows)
    print(f"\nLoad after: {os.getloadavg()}")


def on_dask(folder: Path, workers: int, size: int) -> dict[str, object]:
    """Grades the class on a new cluster; its start is not counted, that of its sandboxes is."""
    from distributed import LocalCluster

    quiet = {"dashboard_address": None, "local_directory": str(folder), "processes": True}
    with LocalCluster(n_workers=workers, threads_per_worker=1, **quiet) as cluster:
        wall = timed(
            lambda: ours(folder / "class", folder / f"dask{workers}", "--dask", cluster.scheduler_address)
        )
    same = (folder / f"dask{workers}" / "grades.csv").read_bytes() == (
        folder / "a" / "grades.csv"
    ).read_bytes()
    return {
        "Dask workers": workers,
        "wall, s": f"{wall:.1f}",
        "submissions/s": f"{size / wall:.2f}",
        "grades": "the same bytes" if same else "DIFFER",
    }
