"""Gradescope: the entry point, its results against the published format, equality with our command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner

from autograder.cli.main import main
from autograder.declare import Choice, homeworks
from autograder.grade.report import CheckResult, QuestionResult, Report
from autograder.grade.store import read_results
from autograder.hosts import bundle, gradescope, one_submission
from autograder.submissions.find import Submission
from tests.conftest import SETTINGS, by_homework, graded_class
from tests.gallery import ROOT
from tests.platforms import make_bundle, notebook, points, unpack_base

SCHEMA = json.loads(
    resources.files("autograder.hosts")
    .joinpath("schemas/gradescope-results.json")
    .read_text(encoding="utf-8")
)
WHOLE_GALLERY = os.environ.get("EQUALITY") == "all"
HURRIED = '{"homework": "hw3", "seed": "s", "seconds": 20}'
METADATA = {  # as Gradescope documents it
    "id": 123456,
    "created_at": "2026-11-03T14:22:32.365935-08:00",
    "assignment": {
        "due_date": "2026-11-03T14:00:00.000000-08:00",
        "group_size": 2,
        "id": 25828,
        "title": "Homework 3",
        "total_points": "100.0",
    },
    "submission_method": "upload",
    "users": [
        {"email": "jane@example.edu", "id": 1, "name": "Jane"},
        {"email": "lee@example.edu", "id": 2, "name": "Lee"},
    ],
    "previous_submissions": [
        {"submission_time": "2026-11-01T10:00:00-08:00", "score": 12.5, "results": {"tests": []}}
    ],
}


def read(base: Path) -> dict:
    made = json.loads((base / "results" / "results.json").read_text(encoding="utf-8"))
    jsonschema.validate(made, SCHEMA)
    return made


def by_question(made: dict) -> dict[str, float]:
    found: dict[str, float] = {}
    for test in made["tests"]:
        found[test["number"]] = round(found.get(test["number"], 0) + test["score"], 4)
    return found


def test_the_schema_takes_the_example_of_gradescopes_page_and_refuses_misspelling():
    example = {
        "score": 44.0, "execution_time": 136, "output": "text", "output_format": "simple_format",
        "test_output_format": "text", "test_name_format": "text", "visibility": "after_due_date",
        "stdout_visibility": "visible", "extra_data": {},
        "tests": [{"score": 2.0, "max_score": 2.0, "status": "passed", "name": "Test", "name_format": "text",
                   "number": "1.1", "output": "text", "output_format": "text", "tags": ["tag1"],
                   "visibility": "visible", "extra_data": {}}],
        "leaderboard": [{"name": "Accuracy", "value": 0.926}, {"name": "Time", "value": 15.1, "order": "asc"},
                        {"name": "Stars", "value": "*****"}],
    }  # fmt: skip
    jsonschema.validate(example, SCHEMA)
    for spoilt in (
        {"tests": [{**example["tests"][0], "visiblity": "hidden"}]},  # codespell:ignore visiblity
        {"score": "44"},
        {"tests": [{**example["tests"][0], "status": "ok"}]},
        {},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(spoilt, SCHEMA)


def without_evidence(report: Report) -> Report:
    questions = (
        replace(one, checks=tuple(replace(check, evidence=None) for check in one.checks))
        for one in report.questions
    )
    return replace(report, questions=tuple(questions))


@pytest.mark.parametrize("name", by_homework())
def test_every_report_of_the_gallery_has_the_same_points_in_gradescopes_results(name: str):
    graded = graded_class(name)
    for report in [graded.reference, graded.blank, *(one for _, one in graded.students.values())]:
        made = gradescope.results(report, bundle.Config(name, SETTINGS.seed), {})
        jsonschema.validate(json.loads(json.dumps(made)), SCHEMA)
        assert by_question(made) == points(report)
        assert made["score"] == report.points
        assert read_results(made) == without_evidence(report)


@pytest.mark.parametrize("name", by_homework())
def test_the_entry_point_gives_the_points_that_our_own_command_line_gives(name: str, tmp_path: Path):
    archive = make_bundle(tmp_path / f"{name}.zip", name, platform="gradescope")
    pairs = list(graded_class(name).students.values())
    for student, report in pairs if WHOLE_GALLERY else pairs[2:3]:
        files = {
            "my homework (1).ipynb": student.notebook,
            "submission_log.json": student.log,
            **student.attachments,
        }
        base = unpack_base(tmp_path / student.name, archive, files)
        (base / "submission_metadata.json").write_text(json.dumps(METADATA))
        assert gradescope.run(base) == 0
        made = read(base)
        assert by_question(made) == points(report), student.name
        assert made["extra_data"]["submission"] == {
            "id": 123456, "created_at": METADATA["created_at"],
            "users": ["jane@example.edu", "lee@example.edu"], "late_seconds": 1352, "earlier": [12.5],
        }  # fmt: skip


def some_report(measured: float | None = None) -> Report:
    questions = homeworks()["hw3"].questions.values()
    results = tuple(
        QuestionResult(
            one.id,
            one.title,
            tuple(
                CheckResult(check.name, "failed", 0.0, check.points, "no", measured) for check in one.checks
            ),
        )
        for one in questions
    )
    return Report("someone", "hw3", "graded", results)


def test_what_tells_of_hidden_inputs_or_right_options_is_shown_when_the_bundle_says_so():
    for wanted in bundle.VISIBILITIES:
        made = gradescope.results(some_report(), bundle.Config("hw3", "seed", hidden=wanted), {})
        shown = {(test["number"], test["name"].split(": ")[-1]): test["visibility"] for test in made["tests"]}
        choices = [
            (one.id, entry.name)
            for one in homeworks()["hw3"].questions.values()
            for entry in one.entries
            if isinstance(entry, Choice)
        ]
        assert choices
        assert {shown[key] for key in choices} == {wanted}
        assert shown["3.1", "the output equals the input"] == "visible"
        assert shown["3.6", "equals the convolution with the hidden kernel"] == wanted


def test_the_leaderboard_shows_what_checks_measured_and_else_the_score():
    config = bundle.Config("hw3", "seed", leaderboard=True)
    made = gradescope.results(some_report(0.81234), config, {})
    jsonschema.validate(made | {"tests": json.loads(json.dumps(made["tests"])), "extra_data": {}}, SCHEMA)
    assert made["leaderboard"][0] == {
        "name": "3.1 each token looks at its own kind",
        "value": 0.8123,
        "order": "desc",
    }
    assert gradescope.results(some_report(), config, {})["leaderboard"] == [
        {"name": "Score", "value": 0.0, "order": "desc"}
    ]
    assert "leaderboard" not in gradescope.results(some_report(0.8), bundle.Config("hw3", "seed"), {})


@pytest.mark.parametrize("hidden", bundle.VISIBILITIES)
@pytest.mark.parametrize("name", by_homework())
def test_nothing_that_students_see_at_once_counts_what_they_do_not_see(name: str, hidden: str):
    """Gradescope holds the total back while a test waits for a date, not for those that are always hidden."""
    report = graded_class(name).reference
    quiet = replace(
        report,
        questions=tuple(
            replace(one, checks=tuple(replace(check, measured=None) for check in one.checks))
            for one in report.questions
        ),
    )
    config = bundle.Config(name, "seed", hidden=hidden, leaderboard=True)
    made = gradescope.results(quiet, config, {})
    seen = round(sum(test["score"] for test in made["tests"] if test["visibility"] == "visible"), 4)
    (entry,) = made["leaderboard"]
    assert entry["value"] == seen
    waiting = [test for test in made["tests"] if test["visibility"] in ("after_due_date", "after_published")]
    if not waiting:
        assert made["score"] == pytest.approx(seen)
    else:
        assert made["score"] == pytest.approx(report.points + report.given)
        assert seen < made["score"]
    never = [test for test in made["tests"] if test["visibility"] == "hidden"]
    assert all(test["score"] == test["max_score"] == 0 for test in never)
    assert bool(never) == (hidden == "hidden")
    assert read_results(made).points == report.points, "the instructor has all"


@pytest.mark.parametrize(
    ("hidden", "says", "not_said"),
    [
        ("after_published", "publishes the grades. Until then, Gradescope shows you no total", "due date"),
        ("after_due_date", "after the due date", "publishes"),
        ("hidden", "are never shown here, and the total on this page does not count them", "Until then"),
        ("visible", "", "hidden inputs and right options"),
    ],
)
def test_the_output_says_what_is_shown_later_and_that_free_responses_are_open(
    hidden: str, says: str, not_said: str
):
    report = some_report()
    questions = [
        replace(one, written="", written_points=10.0) if one.id == "3.7" else one for one in report.questions
    ]
    made = gradescope.results(
        replace(report, questions=tuple(questions)), bundle.Config("hw3", "seed", hidden=hidden), {}
    )
    assert says in made["output"]
    assert not_said not in made["output"]
    assert "3.7 (10 points). They are open, not 0" in made["output"]
    later = [test for test in made["tests"] if test["visibility"] != "visible"]
    assert (f"{len(later)} checks on hidden inputs" in made["output"]) == (hidden != "visible")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"assignment": 3, "users": 5, "created_at": {}}', '{"created_at": "yesterday"}'],
)
def test_strange_metadata_costs_nothing(text: str, tmp_path: Path):
    (tmp_path / "m.json").write_text(text)
    assert not gradescope.read_metadata(tmp_path / "m.json").get("users")
    assert not gradescope.read_metadata(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda base: (base / "source" / "autograder_config.json").unlink(),
            "The autograder failed (FileNotFoundError)",
        ),
        (
            lambda base: (base / "source" / "autograder_config.json").write_text(
                '{"homework": "hw3", "seed": "s", "seconds": 20}'
            ),
            "failed (ValueError)",
        ),
        (lambda base: (base / "submission" / "hw3.ipynb").write_text("{"), "not valid JSON"),
        (lambda base: (base / "submission" / "hw3.ipynb").unlink(), "No notebook was handed in"),
    ],
    ids=["no configuration", "no time", "broken notebook", "nothing"],
)
def test_whatever_goes_wrong_there_are_results_that_say_so(spoil, says: str, tmp_path: Path):
    base = unpack_base(
        tmp_path / "autograder",
        make_bundle(tmp_path / "hw3.zip", platform="gradescope"),
        {"hw3.ipynb": notebook("pass")},
    )
    spoil(base)
    gradescope.run(base)
    made = read(base)
    assert says in made["output"]
    assert made["score"] == 0


def test_a_submission_that_takes_too_long_leaves_results_before_the_platform_ends_it(tmp_path: Path):
    """Of 50 s, 5 are the notebook's; a cell that never ends costs those, and results are written."""
    archive = make_bundle(tmp_path / "hw3.zip", platform="gradescope", seconds=50)
    base = unpack_base(
        tmp_path / "autograder", archive, {"hw3.ipynb": notebook("import time\nwhile True: time.sleep(1)")}
    )
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        [sys.executable, "-m", "autograder.hosts.gradescope", str(base)],
        env=environment,
        check=False,
        timeout=50,
        cwd=tmp_path,
    )
    assert time.monotonic() - started < 50
    told = read(base)["output"]
    assert "ran longer than" in told or told == gradescope.UNFINISHED, told


def test_evidence_with_hidden_inputs_never_reaches_the_platform():
    report = some_report()
    first = report.questions[0]
    checks = (
        replace(first.checks[0], evidence={"kind": "case", "inputs": [["x", "a number", "hidden"]]}),
        *first.checks[1:],
    )
    report = replace(report, questions=(replace(first, checks=checks), *report.questions[1:]))
    made = gradescope.results(report, bundle.Config("hw3", "seed"), {})
    assert '"hidden"' not in json.dumps(made["extra_data"])


def test_a_bundle_carries_the_time_limit_of_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    archive = tmp_path / "hw3.zip"
    command = [
        "bundle",
        "hw3",
        "--platform",
        "gradescope",
        "-o",
        str(archive),
        "--seed",
        "s",
        "--cell-seconds",
    ]
    assert "not plausible" in CliRunner().invoke(main, [*command, "-3"]).output
    assert CliRunner().invoke(main, [*command, "75"]).exit_code == 0
    with zipfile.ZipFile(archive) as packed:
        config = one_submission.read_config(json.loads(packed.read("autograder_config.json")))
    used = []
    monkeypatch.setattr(
        one_submission, "grade_submission", lambda one, settings, _: used.append(settings) or [None]
    )
    one_submission.judge(Submission("a"), config, seconds=200)
    assert (used[0].limits.cell_seconds, used[0].limits.total_seconds) == (75, 200)
