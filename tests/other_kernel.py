"""Runs the reference notebooks in the kernel of another Python environment, as on a student's machine.

``python -m tests.other_kernel /path/to/python hw1 hw3`` leaves training out, and prints for each homework
which cells raised an exception and how many answers were recorded. The environment needs what students need:
numpy, torch, matplotlib, ipykernel.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import click
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

from autograder.author.build import build_notebook
from autograder.declare import homeworks
from autograder.names import source_path
from autograder.run.runner import skip_reason
from tests.gallery import ROOT

VERSIONS = (
    "import IPython, ipykernel, numpy, platform, torch\n"
    "print('Python', platform.python_version(), 'IPython', IPython.__version__, 'ipykernel',"
    " ipykernel.__version__, 'numpy', numpy.__version__, 'torch', torch.__version__)"
)


def run(name: str, python: str) -> tuple[str, list[str], Counter[str]]:
    """The environment's versions, the exceptions of cells, and the statuses of recorded entries."""
    homework = homeworks()[name]
    notebook = build_notebook(homework, source_path(ROOT, homework.stem), blank=False)
    for cell in notebook.cells:
        if cell.cell_type == "code" and "training" in (skip_reason(cell) or ""):
            cell.source = "pass"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(VERSIONS))

    class Other(AsyncKernelManager):
        def format_kernel_cmd(self, extra_arguments: list[str] | None = None) -> list[str]:
            return [python, "-m", "ipykernel_launcher", "-f", self.connection_file]

    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "notebooks" / "data", Path(folder, "data"))
        nbformat.write(notebook, Path(folder, f"{homework.stem}.ipynb"))
        where = {"metadata": {"path": folder}}
        NotebookClient(notebook, km=Other(), timeout=1200, allow_errors=True, resources=where).execute()
        log = json.loads(Path(folder, "submission_log.json").read_text(encoding="utf-8"))
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    raised = [
        f"{output.ename}: {output.evalue}"
        for cell in code
        for output in cell.outputs
        if output.output_type == "error"
    ]
    return code[0].outputs[0].text.strip(), raised, Counter(one["status"] for one in log["entries"].values())


@click.command()
@click.argument("python", type=click.Path(exists=True, dir_okay=False))
@click.argument("names", nargs=-1, type=click.Choice(list(homeworks())))
def main(python: str, names: tuple[str, ...]) -> None:
    """Prints a line for each homework; exits with 1 if a cell raised an exception."""
    failed = False
    for name in names or homeworks():
        versions, raised, statuses = run(name, python)
        failed |= bool(raised)
        print(f"{name}: {versions}; {statuses['ok']} answers recorded; exceptions: {raised or 'none'}")
    raise SystemExit(int(failed))


if __name__ == "__main__":
    main()
