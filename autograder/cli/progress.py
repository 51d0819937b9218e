"""How far a batch is: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from autograder.cli.shared import Terminal

LINE_SECONDS = 10.0  # between lines of progress where there is no terminal


@contextlib.contextmanager
def show_progress(console: Terminal, total: int) -> Iterator[Callable[[], None]]:
    """Shows how many are done, how fast it goes and how long it will take.

    Yields:
        What to call when one more is done.
    """
    started, last, done = time.monotonic(), time.monotonic(), 0

    def rate() -> str:
        return f"{done / max(time.monotonic() - started, 1e-9):.2f}/s"

    def line() -> None:
        left = (total - done) * (time.monotonic() - started) / max(done, 1)
        console.print(f"{done} of {total} graded, {rate()}, {left:.0f} s left", highlight=False)

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(
        TextColumn("grading"), *columns, console=console, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("grading", total=total, rate="")

        def advance() -> None:
            nonlocal done, last
            done += 1
            progress.update(task, advance=1, rate=rate())
            if not console.is_terminal and (done == total or time.monotonic() - last > LINE_SECONDS):
                last = time.monotonic()
                line()

        yield advance
