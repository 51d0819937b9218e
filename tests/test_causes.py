"""Every check that does not pass says why, and what is missing here costs no more than what needs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

from autograder import kit
from autograder.author.build import build_notebook, dumps
from autograder.author.kit_text import kit_source
from autograder.declare import homeworks
from autograder.grade.causes import NO_LOG
from autograder.grade.grade import Settings, grade_submission
from autograder.grade.report import CAUSES, Report
from autograder.kit.probes import PROBES, explain_error
from autograder.names import source_path
from autograder.report.tables import open_words
from autograder.run.choose import Place, kernels
from autograder.run.execute import execute
from autograder.run.limits import Limits
from autograder.run.raised import read_error
from autograder.submissions.find import Submission
from tests.conftest import PLACE, SETTINGS, reference
from tests.gallery import ROOT

TRAINED = "3.7"  # what it asks for comes from cells that grading skips, by way of the log
IMPORTS = "import numpy as np\nfrom homework_kit import"
Change = Callable[[NotebookNode], None]


def graded(
    change: Change = lambda notebook: None,
    name: str = "hw3",
    log: bool = True,
    limits: Limits = Limits(cell_seconds=5, grace_seconds=1),  # noqa: B008  # frozen
) -> Report:
    text, claims, files = reference(name)
    notebook = nbformat.reads(text, as_version=4)
    change(notebook)
    handed_in = Submission("s", nbformat.writes(notebook).encode(), claims if log else None, files)
    return grade_submission(handed_in, Settings(SETTINGS.seed, limits=limits), kernels(PLACE)[0])[0]


def cell_with(notebook: NotebookNode, text: str) -> NotebookNode:
    return next(
        cell for cell in notebook.cells if text in cell.source and not cell.source.startswith("%%writefile")
    )


def swap(notebook: NotebookNode, old: str, new: str) -> None:
    cell = cell_with(notebook, old)
    cell.source = cell.source.replace(old, new)


def causes(report: Report) -> dict[str, set[str]]:
    """Question → the causes of its checks that did not pass."""
    found = {
        one.id: {check.cause for check in one.checks if check.state != "passed"} for one in report.questions
    }
    return {name: some for name, some in found.items() if some and name != TRAINED}


def told(report: Report, question: str) -> str:
    return " ".join(check.feedback for one in report.questions if one.id == question for check in one.checks)


def first_lines(*lines: str) -> Change:
    def change(notebook: NotebookNode) -> None:
        cell = cell_with(notebook, IMPORTS)
        cell.source = "\n".join(lines) + "\n" + cell.source

    return change


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("import seaborn as sns", "sns.set_theme()"), "No module named 'seaborn'"),
        (("import einops, copy",), "No module named 'einops'"),
        (("from tqdm.notebook import tqdm",), "tqdm"),
        (("from google.colab import drive", "drive.mount('/content/drive')"), "No module named 'google"),
        (("%matplotlib widget",), "widget"),
        (("import matplotlib", 'matplotlib.use("TkAgg")'), "TkAgg"),
        (("import torch", "assert torch.cuda.is_available(), 'choose a GPU'"), "choose a GPU"),
        (("import os", 'os.chdir("/content/drive/MyDrive")'), "/content/drive/MyDrive"),
    ],
)
def test_an_import_cell_that_raises_costs_only_what_needs_it(lines: tuple[str, ...], says: str):
    report = graded(first_lines(*lines))
    assert not causes(report)
    (note,) = [one for one in report.notes if says in one]
    assert "statement by statement" in note
    assert "No answer hangs on it" in note
    assert report.raised[0].words in note


def test_a_log_that_is_missing_or_of_another_homework_is_named_with_what_it_costs():
    unlogged = graded(log=False)
    assert "no readable one of this homework was handed in" in told(unlogged, TRAINED)
    (note,) = [one for one in unlogged.notes if one.startswith(NO_LOG)]
    assert f"{TRAINED} is judged from this file, so it has no points here (6 points)." in note
    (line,) = [one for one in open_words([unlogged]) if "log" in one]
    assert line.startswith("1 submission came without a readable log")
    whole = graded()
    assert not [one for one in whole.notes if one.startswith(NO_LOG)]


def test_a_deleted_import_cell_is_provided_and_named():
    report = graded(lambda notebook: notebook.cells.remove(cell_with(notebook, IMPORTS)))
    assert not causes(report)
    (note,) = [one for one in report.notes if "provided" in one]
    assert "`np`" in note
    assert "`record`" in note


def test_an_import_cell_that_is_no_python_is_provided_and_named():
    report = graded(first_lines("import numpy as"))
    assert not causes(report)
    assert any("provided" in one for one in report.notes)


@pytest.mark.parametrize("name", list(homeworks()))
def test_a_blank_notebook_is_unanswered_and_nothing_else(name: str):
    homework = homeworks()[name]
    blank = dumps(build_notebook(homework, source_path(ROOT, homework.stem)))
    report = grade_submission(Submission("blank", blank.encode()), SETTINGS, kernels(PLACE)[0])[0]
    assert set().union(*causes(report).values()) == {"unanswered"}
    assert (report.status, report.raised) == ("graded", ())


def test_an_answer_that_needs_a_missing_module_says_so_and_the_others_keep_their_points():
    def change(notebook: NotebookNode) -> None:
        first_lines("import einops")(notebook)
        swap(notebook, "attention_by_content_V =", "attention_by_content_V = einops.asnumpy(0) +")

    report = graded(change)
    assert causes(report) == {"3.1": {"not run here"}}
    assert "No module named 'einops'" in told(report, "3.1")
    assert report.status == "graded with problems"
    (raised,) = report.raised
    assert (raised.module, raised.questions, raised.cell) == ("einops", ("3.1",), 3)


def test_an_answer_whose_cell_raises_names_exception_cell_and_line():
    def change(notebook: NotebookNode) -> None:
        swap(notebook, "attention_by_content_K =", "broken = [][3]\nattention_by_content_K =")

    report = graded(change, log=False)
    assert causes(report) == {"3.1": {"not run here"}}
    words = told(report, "3.1")
    assert "raised IndexError: list index out of range" in words
    assert "`broken = [][3]`" in words
    assert any("broken = [][3]" in note and "3.1" in note for note in report.notes)


def test_a_gpu_that_is_not_there_gives_the_students_line():
    def change(notebook: NotebookNode) -> None:
        swap(
            notebook,
            "attention_by_content_V =",
            "import torch\non_gpu = torch.zeros(3).cuda()\nattention_by_content_V =",
        )

    report = graded(change, log=False)
    words = told(report, "3.1")
    assert causes(report) == {"3.1": {"not run here"}}
    assert "`on_gpu = torch.zeros(3).cuda()`" in words
    assert "no GPU" in words
    assert "device =" in words


def test_a_gpu_that_a_function_asks_for_gives_the_students_line():
    def change(notebook: NotebookNode) -> None:
        swap(
            notebook,
            "def conv_heads(kernel):",
            "import torch\ndef conv_heads(kernel):\n    torch.zeros(1).cuda()",
        )

    report = graded(change, log=False)
    assert causes(report) == {"3.6": {"not run here"}}
    words = told(report, "3.6")
    assert "torch.zeros(1).cuda()" in words
    assert "no GPU" in words


def test_a_default_device_that_is_not_there_is_named_where_it_costs_something():
    def change(notebook: NotebookNode) -> None:
        cell = cell_with(notebook, "from homework_kit import")
        cell.source = f'import torch\ntorch.set_default_device("cuda")\n{cell.source}'

    report = graded(change, "hw2", log=False)
    lost = {question for question, some in causes(report).items() if "not run here" in some}
    assert {"2.2", "2.4", "2.5a"} <= lost
    for question in lost:
        words = told(report, question)
        assert "Grading has no GPU: use `device =" in words
        assert 'asks for it for all tensors: `torch.set_default_device("cuda")`' in words
        assert "site-packages" not in words


def test_a_line_of_a_library_is_never_given_as_the_students():
    with pytest.raises(ValueError, match="reshape") as caught:
        np.zeros((2, 3)).reshape(4)
    assert explain_error(caught.value)["where"] == ""


def test_going_elsewhere_with_chdir_costs_nothing():
    report = graded(first_lines("import os", "os.chdir('/tmp')"))
    assert (causes(report), report.status) == ({}, "graded")


def test_the_second_half_of_an_answer_may_stand_below_its_record_cell():
    def change(notebook: NotebookNode) -> None:
        cell = cell_with(notebook, "attention_by_content_V =")
        place = notebook.cells.index(cell_with(notebook, 'record("3.1")'))
        lines = cell.source.split("\n")
        notebook.cells.insert(place + 1, new_code_cell("\n".join(x for x in lines if "content_V" in x)))
        cell.source = "\n".join(x for x in lines if "content_V" not in x)

    report = graded(change, log=False)
    assert not causes(report)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("markdown", "stands in a Markdown cell"),
        ("raw", "stands in a raw cell"),
        ("main", "inside `main()`"),
        ("name", "a name close to it exists: `attention_by_contentV`"),
        ("skipped", "which grading skips"),
    ],
)
def test_an_answer_in_another_place_says_where_it_stands(how: str, says: str):
    def change(notebook: NotebookNode) -> None:
        cell = cell_with(notebook, "attention_by_content_V =")
        place = notebook.cells.index(cell)
        if how == "markdown":
            notebook.cells[place] = new_markdown_cell(cell.source)
        elif how == "raw":
            notebook.cells[place] = new_raw_cell(cell.source)
        elif how == "main":
            body = cell.source.replace("\n", "\n    ")
            cell.source = f"def main():\n    {body}\nmain()"
        elif how == "skipped":
            cell.source = "# training (skipped while grading)\n" + cell.source
        else:
            cell.source = cell.source.replace("attention_by_content_V =", "attention_by_contentV =")

    report = graded(change, log=False)
    assert causes(report) == {"3.1": {"not run here" if how == "skipped" else "not found"}}
    assert says in told(report, "3.1")
    assert report.status == "graded with problems"


def test_an_answer_that_only_the_log_holds_was_not_run_here():
    def change(notebook: NotebookNode) -> None:
        for name in "QKV":
            swap(notebook, f"attention_by_content_{name} =", f"attention_by_content_{name} = None #")

    assert causes(graded(change, log=False)) == {"3.1": {"unanswered"}}
    report = graded(change)
    assert causes(report) == {"3.1": {"not run here"}}
    assert "Your log holds an answer to 3.1" in told(report, "3.1")
    assert "saved" in told(report, "3.1")
    assert [note for note in report.notes if "Your log holds an answer to 3.1" in note]


def test_a_limit_is_the_cause_of_what_it_costs():
    def change(notebook: NotebookNode) -> None:
        swap(notebook, "attention_by_content_Q =", "while True: pass\nattention_by_content_Q =")

    report = graded(change, log=False, limits=Limits(cell_seconds=2, grace_seconds=1))
    assert causes(report) == {"3.1": {"limit"}}
    assert "ran longer than 2 s" in told(report, "3.1")
    assert set().union(*causes(report).values()) <= set(CAUSES)


def test_time_that_is_used_up_by_a_cell_that_cannot_be_interrupted_is_the_cause_of_all_that_follows():
    stubborn = "import time\nwhile True:\n    try: time.sleep(9)\n    except KeyboardInterrupt: pass"

    def change(notebook: NotebookNode) -> None:
        notebook.cells.insert(notebook.cells.index(cell_with(notebook, IMPORTS)) + 1, new_code_cell(stubborn))

    limits = Limits(cell_seconds=30, grace_seconds=0.5, total_seconds=4)
    report = graded(change, limits=limits)
    assert set().union(*causes(report).values()) == {"limit"}
    assert "ran longer than 4 s in total" in told(report, "3.1")
    assert "run again" not in " ".join(report.notes)


@pytest.mark.parametrize("sandbox", ["auto", "off"])
def test_a_folder_of_packages_can_be_imported_from(tmp_path: Path, sandbox: str):
    extra = tmp_path / "extra"  # readable by everyone, as pip makes it; pytest's own folder is not
    extra.mkdir()
    (extra / "made_up_package.py").write_text("two = 2")
    cells = [new_code_cell("import made_up_package\nprint(made_up_package.two)")]
    where = kernels(Place(sandbox, True, (), (str(extra),)))[0]
    result = execute(new_notebook(cells=cells), kit_source=kit_source(homeworks()["hw3"]), kernels=where)
    assert result.errors == ()
    assert result.notebook.cells[0].outputs[0].text == "2\n"


def test_what_a_kernel_says_of_an_error_is_cut_and_plain():
    content = {
        "ename": "E" * 9999,
        "evalue": "\x1b[31mred\ud83d" + "x" * 9999,
        "traceback": ["Cell In[7], line 9"],
    }
    error = read_error(content, 0, [new_code_cell("a = 1")], {7: 0}, [])
    assert (len(error.kind), len(error.message), error.line) == (80, 300, 0)
    assert error.message.startswith("red x")


def test_the_rest_of_an_answer_is_not_run_after_a_mistake_of_the_students():
    cells = [new_code_cell("x = 1 / 0\ny = 2"), new_code_cell("print(y)")]
    result = execute(
        new_notebook(cells=cells), kit_source=kit_source(homeworks()["hw3"]), kernels=kernels(PLACE)[0]
    )
    assert [(error.kind, error.apart) for error in result.errors] == [
        ("ZeroDivisionError", False),
        ("NameError", False),
    ]
    assert result.errors[0].names == {"x", "y"}


def test_a_file_is_read_beside_the_log_wherever_the_notebook_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    entry = {"name": "Net", "kind": "checkpoint", "file": "weights.pt"}
    homework = {
        "id": "hw3",
        "questions": [{"id": "3.1", "entries": [entry]}],
        "examples": {"Net": [{"id": "a", "probe": "where"}]},
    }
    monkeypatch.setitem(PROBES, "where", lambda value, case: str(Path.cwd()))
    home, away = tmp_path / "home", tmp_path / "away"
    home.mkdir()
    away.mkdir()
    log = kit.Log(homework, home, {"Net": int})
    monkeypatch.chdir(away)
    log.record("3.1")
    assert log.entries["Net"]["responses"]["a"]["result"] == str(home)
    assert Path.cwd() == away
