"""Causes as people see them: results, grades.csv, pages, otter, the terminal; options that go with them."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from autograder.cli.main import main
from autograder.cli.packages import check_packages
from autograder.declare import homeworks
from autograder.grade.report import CAUSES, CheckResult, QuestionResult, Raised, Report
from autograder.grade.store import read_results, results_json
from autograder.hosts import gradescope
from autograder.hosts.bundle import Config
from autograder.report import tables
from autograder.report.class_report import page
from autograder.report.feedback import feedback_page
from autograder.report.not_run import class_lines
from autograder.run.limits import PLAUSIBLE, Limits, implausible


def lost_report() -> Report:
    """A made-up report with every cause."""
    checks = tuple(
        CheckResult(f"check {number}", "unanswered", 0.0, 2.0, f"why {cause}", cause=cause)
        for number, cause in enumerate(CAUSES)
    )
    raised = Raised(
        3, "import seaborn", "ModuleNotFoundError", "No module", "Cell 3 …", "seaborn", "", ("3.1",)
    )
    question = QuestionResult("3.1", "Attention by content", checks)
    return Report("jane", "hw3", "graded with problems", (question,), raised=(raised,))


def test_results_keep_causes_and_cells_that_raised():
    report = lost_report()
    data = json.loads(json.dumps(results_json(report)))
    assert read_results(data) == report
    assert [test["tags"] for test in data["tests"]] == [[cause] for cause in CAUSES]
    by_cause = {test["tags"][0]: test["output"] for test in data["tests"]}
    assert by_cause["not run here"] == "**Not run here.** why not run here"
    assert by_cause["wrong"] == "why wrong"


def test_grades_csv_has_a_column_for_each_cause():
    (row,) = csv.DictReader(io.StringIO(tables.grades_csv([lost_report()])))
    assert {cause: row[cause] for cause in CAUSES} == dict.fromkeys(CAUSES, "2")


def test_the_feedback_page_names_each_cause():
    text = feedback_page(lost_report(), None)
    for cause in ("not run here", "limit", "not found"):
        assert f"</span> {cause}</span>" in text


def test_otter_says_what_was_not_run():
    otter = pytest.importorskip("autograder.hosts.otter")
    config = Config(homework="hw3", seed="s")
    question = homeworks()["hw3"].questions["3.1"]
    check = CheckResult(question.checks[0].name, "unanswered", 0.0, 10.0, "why", cause="not run here")
    report = Report("s", "hw3", "graded with problems", (QuestionResult("3.1", "A", (check,)),))
    (file,) = [one for one in otter.test_files(report, config) if one.name == "3.1"]
    assert file.test_case_results[0].message == "**Not run here.** why"


def test_gradescope_says_what_was_not_run():
    question = homeworks()["hw3"].questions["3.1"]
    check = CheckResult(question.checks[0].name, "unanswered", 0.0, 10.0, "why", cause="not run here")
    report = Report("s", "hw3", "graded with problems", (QuestionResult("3.1", "A", (check,)),))
    (test,) = gradescope.results(report, Config("hw3", "s"), {})["tests"]
    assert (test["output"], test["tags"]) == ("**Not run here.** why", ["not run here"])


def test_the_class_report_has_a_section_on_what_did_not_run(tmp_path: Path):
    text = page([lost_report(), replace(lost_report(), submission="joe")], tmp_path)
    section = text.split('<h2 id="not-run">')[1].split("<h2")[0]
    assert "<b>2 submissions</b> · <code>seaborn</code>, which cost points in 3.1" in section
    assert "--allow-package" in section
    assert all(f"<td>{cause}</td>" in section for cause in ("not run here", "limit", "not found"))


def test_the_end_of_a_batch_names_missing_modules_and_tight_limits():
    module, limit = class_lines([lost_report()])
    assert "1 notebook imports seaborn" in module
    assert "--allow-package seaborn" in module
    assert "1 of 1 submissions lost points to a limit" in limit
    assert class_lines([graded_well()]) == []


def graded_well() -> Report:
    check = CheckResult("check", "passed", 2.0, 2.0)
    return Report("joe", "hw3", "graded", (QuestionResult("3.1", "A", (check,)),))


@pytest.mark.parametrize(
    "options",
    [
        ("--limit", "memory_bytes=4"),
        ("--limit", "memory_bytes=nan"),
        ("--limit", "processes=inf"),
        ("--limit", "restarts=-1"),
        ("--limit", "memory_bytes=4e20"),
        ("--cell-seconds", "-3"),
        ("--cell-seconds", "nan"),
        ("--total-seconds", "0"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_with_the_range(options: tuple[str, str], tmp_path: Path):
    told = CliRunner().invoke(main, ["grade", str(tmp_path), "-o", str(tmp_path / "out"), *options])
    assert told.exit_code == 2
    assert "is not plausible; expected from" in " ".join(told.output.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


def test_every_default_limit_is_plausible():
    limits = asdict(Limits())
    assert set(limits) == set(PLAUSIBLE)
    assert not any(implausible(name, value) for name, value in limits.items())


def test_a_package_that_is_not_there_is_refused_with_the_command_that_installs_it(tmp_path: Path):
    with pytest.raises(click.BadParameter, match=r"pip install no_such_module_at_all"):
        check_packages(["no_such_module_at_all"], [])
    extra = tmp_path / "extra"
    (extra / "no_such_module_at_all").mkdir(parents=True)
    (extra / "no_such_module_at_all" / "__init__.py").write_text("two = 2")
    assert check_packages(["no_such_module_at_all"], [extra]) == ("no_such_module_at_all",)
    assert check_packages(["numpy"], []) == (f"numpy {np.__version__}",)


def requirements(folder: Path, text: str) -> Path:
    path = folder / "course.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_requirements_file_of_what_is_there_names_versions(tmp_path: Path):
    extra = tmp_path / "extra"
    (extra / "made_up-2.1.dist-info").mkdir(parents=True)
    described = extra / "made_up-2.1.dist-info" / "METADATA"
    described.write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 2.1")
    text = (
        "\ufeff# our course\n--index-url https://example.org/simple\n\nnumpy>=1.2  # arrays\n"
        "Made_Up \\\n  >=2\n"
        'not-on-this-system==1; python_version < "3"\nclick --hash=sha256:00\n'
    )
    file = requirements(tmp_path, text)
    found = check_packages([], [extra], [file])
    assert {f"numpy {np.__version__}", "made-up 2.1", f"click {version('click')}"} == set(found)
    with pytest.raises(click.BadParameter, match="line 5: Made_Up is not installed"):
        check_packages([], [], [file])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            "numpy\nno-such-package\nclick<1",
            "line 2: no-such-package is not installed; line 3: click has version",
        ),
        ("-r other.txt", "line 1: '-r other.txt' is not read here; write the packages into this file"),
        ("numpy=1", "line 1: 'numpy=1' is not a requirement"),
        ("git+https://example.org/x", "is not a requirement"),
        ("#" * 200_000, "is larger than 100 kB"),
    ],
)
def test_a_requirements_file_that_does_not_hold_is_refused_before_grading(
    text: str, says: str, tmp_path: Path
):
    file = requirements(tmp_path, text)
    arguments = ["grade", str(tmp_path), "-o", str(tmp_path / "out"), "--requirements", str(file)]
    told = CliRunner().invoke(main, arguments)
    assert told.exit_code == 2
    words = " ".join(told.output.replace("│", " ").split()).replace(str(file), "FILE")
    assert says in words.replace("- ", "-"), words
    assert not (tmp_path / "out").exists()


def test_a_requirements_file_in_another_encoding_is_refused(tmp_path: Path):
    (tmp_path / "course.txt").write_bytes("numpy".encode("utf-16"))
    with pytest.raises(click.BadParameter, match="not a text file in UTF-8"):
        check_packages([], [], [tmp_path / "course.txt"])
