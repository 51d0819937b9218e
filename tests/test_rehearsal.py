"""The rehearsal names, before anything is handed in, what grading would lose; and it touches nothing."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import kit
from autograder.author.kit_text import kit_source
from autograder.author.modules import grading_modules, needed_modules
from autograder.declare import homeworks
from autograder.grade.grade import grade_submission
from autograder.grade.report import Report
from autograder.kit import rehearsal
from autograder.kit.differences import close, differences
from autograder.run.choose import kernels
from tests.conftest import PLACE, SETTINGS
from tests.home import Home

FINE = "Run as grading runs it, the saved notebook gives the answers that are recorded"
SKIP = "# figure (skipped while grading)\n"
SHOWN = "import numpy as np\n"


def lost(report: Report) -> set[str]:
    """The questions that lost points; their written answers are left out."""
    return {
        question.id
        for question in report.questions
        if any(check.points < check.maximum for check in question.checks)
    }


def costs(out: str) -> set[str]:
    """The questions that a rehearsal says are lost."""
    found = re.findall(r"This costs \d+ questions?: ([\w., ]*?)\.(?: |$)", out, re.MULTILINE)
    return {question for names in found for question in names.split(", ")}


def told(out: str, part: str) -> str:
    """The one line of an output that holds a text."""
    lines = [line for line in out.splitlines() if part in line and line.lstrip()[:1] in "✗·✓"]
    assert len(lines) == 1, (part, out[-3000:])
    return lines[0]


def test_references_raise_no_finding_and_the_rehearsal_comes_after_the_zip(tmp_path: Path):
    for name in ("hw1", "hw3", "hw5"):
        home = Home(tmp_path, name)
        out = home.run()
        after = out[out.index("Rehearsal:") :]
        assert FINE in after, name
        assert "✗" not in after
        assert "hangs on it" not in after
        assert "Hand in this one file" in out[: out.index("Rehearsal:")] or "✗" in out
        assert home.zipped().keys() >= {f"{home.homework.stem}.ipynb", kit.LOG_NAME}


def test_a_blank_notebook_has_nothing_to_rehearse(tmp_path: Path):
    assert "Rehears" not in Home(tmp_path, "hw3", blank=True).run()


def test_the_rehearsal_can_be_switched_off(tmp_path: Path):
    home = Home(tmp_path, "hw1")
    out = home.run("finish(rehearse=False)")
    assert "Rehears" not in out
    assert "1.12" in out
    assert kit.LOG_NAME in home.zipped()


def test_mistakes_that_only_grading_would_show_are_named_with_cell_and_cause(tmp_path: Path):
    home = Home(tmp_path, "hw1")
    home.runs_too = "shift_here"
    home.packages = {"seaborn.py": "", "einops.py": "def rearrange(x): return x"}
    home.only_here = [SHOWN + "def by_root(x):\n    return np.sqrt(x)\nlate = 40.0"]
    first = home.change("^import ", lambda text: "import seaborn as sns\n" + text)
    # a function of a deleted cell, called inside an answer
    home.change(
        "def scaled_dot_product", lambda text: text.replace("np.sqrt(len(query))", "by_root(len(query))")
    )
    # a name from a cell that grading skips
    skipped = home.insert(home.place("^cat_word|cat_word ="), SKIP + "shift_here = 0.0")
    home.change(
        "^cat_word|cat_word =", lambda text: text.replace("/ np.sqrt(3)", "/ np.sqrt(3) + shift_here")
    )
    # a package that grading does not have
    einops = home.change(
        "hard_output =",
        lambda text: "import einops\n" + text.replace("[1, 4, 3]", "einops.rearrange([1, 4, 3])"),
    )
    # a value that is defined further down
    home.change("preserve_beta = 40.0", lambda text: text.replace("= 40.0", "= late"))
    lower = home.insert(home.place("def first_order_change"), "late = 40.0")
    # another text than the one that was recorded
    place = home.place("encoder_self =")
    home.after = {place: "encoder_self = decoder_self = cross = cross_shape = (\n"}
    out = home.run()
    assert "No module named 'seaborn'" in told(out, "seaborn")
    assert f"Cell {first} raises" in told(out, "seaborn")
    assert "Nothing that is recorded hangs on it" in told(out, "seaborn")
    assert "only in the running kernel" in told(out, "`by_root`")
    assert "1 question: 1.1" in told(out, "`by_root`")
    assert f"only in cell {skipped}, which grading skips" in told(out, "`shift_here`")
    assert "1.2" in told(out, "`shift_here`")
    assert f"Cell {einops} raises ModuleNotFoundError" in told(out, "'einops'")
    assert "Grading has no `einops`" in told(out, "'einops'")
    assert f"defined in cell {lower}, below cell" in told(out, "`late`")
    assert "SyntaxError" in told(out, f"Cell {place + 1} raises")
    assert costs(out) == {"1.1", "1.2", "1.5", "1.6", "1.10"}
    handed_in = home.submission()
    assert handed_in.notebook is not None
    # a line of its own in a cell that goes on statement by statement
    without = handed_in.notebook.replace(b"import seaborn as sns\\n", b"")
    assert without != handed_in.notebook
    report, _ = grade_submission(replace(handed_in, notebook=without), SETTINGS, kernels(PLACE)[0])
    assert lost(report) == costs(out)


def test_the_students_files_are_neither_seen_nor_changed(tmp_path: Path):
    home = Home(tmp_path, "hw1")
    (home.folder / "numbers.txt").write_text("1 4 3")
    (home.folder / "keep").mkdir()
    (home.folder.parent / "outside.txt").write_text("mine")
    harm = f"""\
import os, pathlib, shutil, subprocess
here = pathlib.Path({str(home.folder)!r})
def attempt(work):
    try:
        work()
    except OSError as error:
        pass
if os.environ.get("AT_HOME") is None:
    attempt(lambda: (here / "submission_log.json").write_text("gone"))
    attempt(lambda: (here / "numbers.txt").unlink())
    attempt(lambda: (here / "numbers.txt").rename(here / "other.txt"))
    attempt(lambda: shutil.rmtree(here / "keep"))
    attempt(lambda: os.chdir(here))
    attempt(lambda: open("../outside.txt", "w").write("gone"))
    attempt(lambda: open({str(home.folder.parent / "outside.txt")!r}, "w").write("gone"))
    attempt(lambda: subprocess.run(["touch", str(here / "started")]))
    attempt(lambda: os.system("touch " + str(here / "started")))
"""
    home.only_here = ["import os; os.environ['AT_HOME'] = 'yes'"]
    home.insert(home.place("^import "), harm)
    home.insert(home.place("^import "), f"!touch {home.folder}/started_by_shell\nfiles = !ls")
    at = home.change(
        "hard_output =", lambda text: text.replace("[1, 4, 3]", "np.loadtxt('numbers.txt').tolist()")
    )
    out = home.run(
        "import os; os.environ.pop('AT_HOME'); (__import__('pathlib').Path("
        f"{str(home.folder)!r}) / 'started_by_shell').unlink(); finish()"
    )
    assert f"Cell {at} raises FileNotFoundError" in told(out, "numbers.txt")
    assert "1.5" in told(out, "Cell")
    assert (home.folder / "numbers.txt").read_text() == "1 4 3"
    assert (home.folder / "keep").is_dir()
    assert (home.folder.parent / "outside.txt").read_text() == "mine"
    assert not list(home.folder.glob("started*"))
    assert home.log()["entries"]["cat_word"]["status"] == "ok"
    assert home.log()["challenges"] == "public"


def test_changing_folders_before_the_kit_costs_everything_and_is_named(tmp_path: Path):
    home = Home(tmp_path, "hw3")
    (home.folder / "work").mkdir()
    at = home.insert(
        home.place("^import "), f"import os\nos.chdir({str(home.folder)!r})\nfrom homework_kit import *"
    )
    out = home.run()
    assert "FileNotFoundError" in told(out, f"Cell {at} raises")


def test_a_gpu_a_screen_and_answers_at_a_prompt_are_not_there(tmp_path: Path):
    home = Home(tmp_path, "hw3")
    home.only_here = [
        "import builtins, torch, matplotlib\ntorch.Tensor.cuda = lambda self: self\n"
        "torch.cuda.is_available = lambda: True\n"
        "matplotlib.use = lambda name: None\nbuiltins.input = lambda prompt='': '6'"
    ]
    cuda = home.change(
        "attention_by_content_Q =", lambda text: "import torch\nmine = torch.eye(3).cuda()\n" + text
    )
    seen = home.change(
        "attention_by_position_pos =", lambda text: "assert torch.cuda.is_available()\n" + text
    )
    asked = home.change("def moving_head", lambda text: "times = int(input('times'))\n" + text)
    screen = home.insert(home.place("def moving_head"), 'import matplotlib.pyplot\nmatplotlib.use("TkAgg")')
    out = home.run()
    assert "Grading has no GPU" in told(out, f"Cell {cuda} raises")
    assert "3.1" in told(out, f"Cell {cuda} raises")
    assert "AssertionError" in told(out, f"Cell {seen} raises")
    assert "StdinNotImplementedError" in told(out, f"Cell {asked + 1} raises")
    assert "Nobody answers" in told(out, f"Cell {asked + 1} raises")
    if sys.platform.startswith("linux"):
        assert "ImportError" in told(out, f"Cell {screen} raises")
    assert {"3.1", "3.2", "3.4"} <= costs(out)


def test_in_colab_the_page_is_rehearsed_and_its_modules_are_named(tmp_path: Path):
    home = Home(tmp_path, "hw3")
    home.only_here = colab(home)
    at = home.insert(home.place("^import "), "from google.colab import drive\ndrive.mount('/content/drive')")
    out = home.run()
    assert "the notebook as it is on the page now" in out
    assert "ModuleNotFoundError" in told(out, f"Cell {at} raises")
    assert "Nothing that is recorded hangs on it" in told(out, f"Cell {at} raises")
    assert FINE in out


def colab(home: Home) -> list[str]:
    """Cells after which a kernel is taken for Colab's, whose page holds the notebook."""
    return [
        "import json, pathlib, sys, types\n"
        "google, colab = types.ModuleType('google'), types.ModuleType('google.colab')\n"
        f"page = pathlib.Path({str(home.folder / 'hw3_hand_designed.ipynb')!r})\n"
        "ask = lambda *args, **options: {'ipynb': json.loads(page.read_text())}\n"
        "colab._message = types.SimpleNamespace(blocking_request=ask)\n"
        "colab.drive = types.SimpleNamespace(mount=lambda where: None)\n"
        "google.__path__, colab.__path__ = [], []\n"
        "sys.modules |= {'google': google, 'google.colab': colab}"
    ]


def test_in_colab_mistakes_of_every_kind_are_named(tmp_path: Path):
    """Those of a table of mistakes that happen at home, and what grading then loses."""
    home = Home(tmp_path, "hw3")
    home.only_here = [*colab(home), "import torch\ntorch.Tensor.cuda = lambda self: self\ndeleted = 1.0"]
    home.packages = {"seaborn.py": "", "einops.py": "def rearrange(x): return x"}
    (home.folder / "mine.py").write_text("def same(x):\n    return x\n")
    home.runs_too = "kept_here"
    first = home.change("^import ", lambda text: "import seaborn\nfrom mine import same\n" + text)
    content = home.change(
        "attention_by_content_Q =",
        lambda text: "import einops\n" + text.replace("6.0 * np.eye(3)", "einops.rearrange(6.0 * np.eye(3))"),
    )
    skipped = home.insert(home.place("attention_by_position_pos ="), SKIP + "kept_here = 0.0")
    for name, put in (("attention_by_position_pos =", "kept_here +"), ("smallest_score_gap =", "deleted *")):
        home.change(name, lambda text, name=name, put=put: text.replace(name, f"{name} {put}"))
    cuda = home.change("def moving_head", lambda text: "import torch\nmine = torch.zeros(1).cuda()\n" + text)
    out = home.run()
    assert "the notebook as it is on the page now" in out
    assert "imports `mine.py`, which goes into the zip" in out
    assert f"Cell {first} raises ModuleNotFoundError: No module named 'seaborn'" in told(out, "'seaborn'")
    assert "3.1" in told(out, f"Cell {content} raises ModuleNotFoundError: No module named 'einops'")
    assert f"only in cell {skipped}, which grading skips" in told(out, "`kept_here`")
    assert "3.4" in told(out, f"Cell {cuda} raises")
    assert "only in the running kernel" in told(out, "`deleted`")
    report, _ = grade_submission(home.submission(), SETTINGS, kernels(PLACE)[0])
    assert lost(report) - {"3.7"} == costs(out) == {"3.1", "3.1b", "3.2", "3.4"}


def test_word_vectors_are_there_while_grading(tmp_path: Path):
    """A class of 5.7a that starts from ``vectors``, which an earlier version of the notebook had skipped."""
    home = Home(tmp_path, "hw5")
    home.change(
        "def binary_accuracy",
        lambda text: text.replace(
            "def binary_accuracy", "WIDE = vectors.table.shape[1]\n\n\ndef binary_accuracy"
        ),
    )
    out = home.run()
    assert FINE in out
    report, _ = grade_submission(home.submission(), SETTINGS, kernels(PLACE)[0])
    assert "5.6a" not in lost(report)


# the parts --------------------------------------------------------------------------------------------------


def rehearse(folder: Path, cells: list[str], **options: float) -> rehearsal.Rehearsed:
    hw3 = homeworks()["hw3"]
    (folder / "homework_kit.py").write_text(kit_source(hw3), encoding="utf-8")
    described = hw3.describe() | {"modules": grading_modules()}
    return rehearsal.rehearse(folder, described, [("code", text) for text in cells], {}, **options)


IMPORTS = "import numpy as np\nfrom homework_kit import record"
ANSWER = "attention_by_content_Q = np.eye(3)\nattention_by_content_K = attention_by_content_V = np.eye(3)"


def test_a_cell_that_ends_the_process_and_one_that_never_stops_cost_themselves_only(tmp_path: Path):
    began = time.monotonic()
    stubborn = "while True:\n    try:\n        time.sleep(1)\n    except KeyboardInterrupt:\n        pass"
    cells = [
        f"import time\n{IMPORTS}",
        "import os; os._exit(3)",
        "while True: pass",
        stubborn,
        ANSWER,
        'record("3.1")',
    ]
    found = rehearse(tmp_path, cells, cell_seconds=2.0)
    assert found.complete
    assert time.monotonic() - began < 100
    assert found.raised[2][0].kind == found.raised[4][0].kind == rehearsal.ENDED
    assert found.raised[3][0].kind == "KeyboardInterrupt"
    assert found.entries["attention_by_content_Q"]["status"] == "ok"


def test_what_follows_an_import_that_failed_is_run_all_the_same(tmp_path: Path):
    first = f"times = 0\ntimes += 1\nimport math, not_installed_anywhere as sns\nsns.set_theme()\n{IMPORTS}"
    cells = [first, "assert math.pi > 3 and times == 1", ANSWER, 'record("3.1")']
    found = rehearse(tmp_path, [*cells, "x = 1\nimport math\nraise ValueError\ny = 2", "y = 2 + y"])
    assert found.raised[1][0].name == "not_installed_anywhere"
    assert set(found.raised) == {1, 5, 6}
    assert found.entries["attention_by_content_Q"]["status"] == "ok"


def test_what_a_file_beside_the_kit_imports_is_refused_like_what_a_cell_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    site = tmp_path / "site"
    site.mkdir()
    (site / "only_at_home.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(site))
    (tmp_path / "homework_kit.py").write_text(kit_source(homeworks()["hw3"]), encoding="utf-8")
    described = homeworks()["hw3"].describe() | {"modules": grading_modules()}
    cells = [("code", f"{IMPORTS}\nimport my_own"), ("code", 'record("3.1")')]
    found = rehearsal.rehearse(tmp_path, described, cells, {"my_own.py": b"import only_at_home"})
    assert found.raised[1][0].name == "only_at_home"


def test_magics_and_awaits_raise_nothing_and_the_network_is_not_there(tmp_path: Path):
    cells = [
        f"%matplotlib inline\n{IMPORTS}",
        "%pip install seaborn\n!pip install einops",
        "%%bash\nexit 3",
        "import asyncio\nawait asyncio.sleep(0)",
        "import urllib.request\nurllib.request.urlopen('http://192.0.2.1/', timeout=5)",
        'record("3.1")',
    ]
    found = rehearse(tmp_path, cells)
    assert set(found.raised) == {5}
    assert "no network" in found.raised[5][0].message


def test_without_its_kit_the_rehearsal_is_not_held_and_says_why(tmp_path: Path):
    described = homeworks()["hw3"].describe()
    with pytest.raises(rehearsal.RehearsalError, match="is not in this folder"):
        rehearsal.rehearse(tmp_path, described, [], {})
    (tmp_path / "homework_kit.py").write_text(kit_source(homeworks()["hw1"]))
    with pytest.raises(rehearsal.RehearsalError, match="another homework"):
        rehearsal.rehearse(tmp_path, described, [], {})
    (tmp_path / "homework_kit.py").write_text('"""{"id":"hw3","""\n1 / 0')
    with pytest.raises(rehearsal.RehearsalError):
        rehearsal.rehearse(tmp_path, described, [("code", "1")], {})


def test_rounding_is_no_difference_and_values_are():
    assert close(
        {"value": {"data": [1.0, 2.0]}, "message": "a"},
        {"value": {"data": [1.0, 2.0 + 1e-9]}, "message": "b"},
    )
    assert not close({"value": {"data": [1.0, 2.0]}}, {"value": {"data": [1.0, 2.1]}})
    assert not close({"status": "ok", "value": "A"}, {"status": "missing"})


def test_values_of_claimed_questions_need_not_come_out(tmp_path: Path):
    described = homeworks()["hw3"].describe()
    recorded = {
        "trained_content_gap": {"status": "ok", "value": 1.0},
        "conv_heads": {"status": "ok", "responses": {}},
    }
    found = rehearsal.Rehearsed()
    (one,) = differences(tmp_path, described, [], recorded, found)
    assert one.entries == {"3.6": ["conv_heads"]}
    assert json.dumps(described["questions"]).count('"claimed": true') == 1


def test_the_modules_of_grading_come_from_the_declared_dependencies():
    assert {"numpy", "torch", "matplotlib", "IPython", "PIL", "sympy", "yaml"} <= set(grading_modules())
    assert not {"seaborn", "pytest", "einops", "autograder"} & set(grading_modules())
    assert set(grading_modules()) < needed_modules()
    assert {"zmq", "tornado", "autograder"} <= needed_modules()
