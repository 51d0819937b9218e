"""What a cell costs beyond its own code: ``python -m benchmarks.cells``.

Runs a notebook of 200 short cells in a sandboxed kernel, which sends only what the grader reads, and in a
usual one, side by side. Prints milliseconds of processor time for each cell, in the kernel and in the grader:
the least of some runs, since other work on the machine only adds to it.
"""

from __future__ import annotations

import time

import click
from nbformat.v4 import new_code_cell, new_notebook

from autograder.run.execute import execute
from autograder.run.plain import PlainKernels
from autograder.run.sandbox import SandboxKernels
from autograder.run.session import Kernels

CELLS, RUNS = 200, 6
KIT = "def _opened(): return type('Log', (), {'record_missing': lambda self: None})()"
FIRST, LAST = "import time; started = time.process_time()", "print(time.process_time() - started)"
SHORT = {"x = 1": "an assignment", "print(1)": "a print"}


def price(kernels: Kernels, source: str) -> tuple[float, float]:
    """Milliseconds of processor time for one cell: in the kernel, and in this process."""
    least = [float("inf"), float("inf")]
    for _ in range(RUNS):
        spent = []
        for cells in (0, CELLS):  # what starts and ends a kernel is in both
            sources = [FIRST, *[source] * cells, LAST]
            notebook = new_notebook(cells=[new_code_cell(text) for text in sources])
            started = time.process_time()
            execution = execute(notebook, kit_source=KIT, kernels=kernels)
            here = time.process_time() - started
            spent.append((float(execution.notebook.cells[-1].outputs[0].text), here))
        least = [min(old, after - before) for old, before, after in zip(least, *spent, strict=True)]
    return least[0] * 1000 / CELLS, least[1] * 1000 / CELLS


@click.command()
def main() -> None:
    """Prints a table of what a short cell costs in each kind of kernel."""
    sandboxed = SandboxKernels()
    print("| kernel | cell | kernel, ms | grader, ms |\n| --- | --- | ---: | ---: |")
    for source, told in SHORT.items():
        for name, kernels in (("usual", PlainKernels()), ("sandboxed", sandboxed)):
            there, here = price(kernels, source)
            print(f"| {name} | {told} | {there:.2f} | {here:.2f} |", flush=True)
    sandboxed.close()


if __name__ == "__main__":
    main()
