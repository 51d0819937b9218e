"""otter-grader: the bundle, the plugin, the attacks that beat otter alone, equality with our command line."""

from __future__ import annotations

import csv
import gc
import hashlib
import io
import json
import os
import threading
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("otter")

from otter.run import main as otter_run
from otter.test_files import GradingResults

from autograder.declare import DataUnavailableError, homeworks
from autograder.grade.report import Report
from autograder.homeworks.hw5 import fetch
from autograder.homeworks.hw5.public import sentences
from autograder.hosts import bundle
from autograder.hosts import otter as otter_plugin
from autograder.hosts.one_submission import gather, read_config, warnings
from tests.conftest import SETTINGS, by_homework, graded_class
from tests.gallery import ROOT
from tests.platforms import ATTACKS, make_bundle, notebook, points, stock_bundle, unpack_base, zipped

WHOLE_GALLERY = os.environ.get("EQUALITY") == "all"  # half a minute for each student: on demand
pytestmark = pytest.mark.filterwarnings("ignore")  # otter's own


def run(archive: Path, files: dict[str, str | bytes], folder: Path) -> GradingResults:
    """``otter run`` on a submission: a notebook alone, or a zip where there are more files."""
    folder.mkdir(exist_ok=True)
    name, data = next(iter(files.items()))
    submission = folder / (name if len(files) == 1 else "submission.zip")
    if len(files) == 1:
        submission.write_text(data, encoding="utf-8")
    else:
        submission.write_bytes(zipped(files))
    try:
        return otter_run(str(submission), autograder=str(archive), output_dir=str(folder), no_logo=True)
    finally:
        for thread in (
            threading.enumerate()
        ):  # otter leaves a server's socket to it; the complaint belongs here, not to the next test
            if "serve_until_stopped" in thread.name:
                thread.join(30)
        gc.collect()


def scores(results: GradingResults) -> dict[str, float]:
    return {name: round(file.score, 4) for name, file in results.results.items()}


# the bundle -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", bundle.PLATFORMS)
@pytest.mark.parametrize("name", list(homeworks()))
def test_a_bundle_has_the_same_bytes_each_time(name: str, platform: str):
    config = bundle.Config(name, "a seed")
    assert bundle.make(homeworks()[name], platform, config) == bundle.make(
        homeworks()[name], platform, config
    )
    other = bundle.Config(name, "another seed")
    assert bundle.make(homeworks()[name], platform, config) != bundle.make(homeworks()[name], platform, other)


def test_the_bundle_holds_this_package_as_a_wheel_with_a_true_record_and_no_solutions(tmp_path: Path):
    with zipfile.ZipFile(make_bundle(tmp_path / "hw3.zip")) as archive:
        (wheel,) = [name for name in archive.namelist() if name.endswith(".whl")]
        assert "solutions" not in " ".join(archive.namelist())
        with zipfile.ZipFile(io.BytesIO(archive.read(wheel))) as inner:
            for path in (ROOT / "autograder").rglob("*.py"):
                assert inner.read(path.relative_to(ROOT).as_posix()) == path.read_bytes()
            record = next(name for name in inner.namelist() if name.endswith("RECORD"))
            rows = list(csv.reader(inner.read(record).decode().splitlines()))
            assert {row[0] for row in rows} == set(inner.namelist())
            for name, digest, size in rows[:-1]:
                data = inner.read(name)
                assert int(size) == len(data)
                assert bundle._record_hash(data) == digest


def test_what_otter_puts_beside_student_code_and_into_its_kernel_is_empty(tmp_path: Path):
    with zipfile.ZipFile(make_bundle(tmp_path / "hw3.zip")) as archive:
        assert [name for name in archive.namelist() if name.startswith(("files/", "tests/"))] == [
            "files/README.md",
            "tests/README.md",
        ]
        assert archive.getinfo("run_autograder").external_attr >> 16 & 0o111, "Gradescope runs it"


def test_what_setup_needs_has_names_that_otters_image_shows_it(tmp_path: Path):
    with zipfile.ZipFile(make_bundle(tmp_path / "hw3.zip")) as archive:
        setup = archive.read("setup.sh").decode()
        names = archive.namelist()
    used = [name for name in names if name.startswith("requirements.")]
    assert len(used) == 4
    assert "environment.yml" in names, "otter's Dockerfile adds it"
    assert not [
        name for name in names if name in setup and not name.startswith(("requirements.", "setup.sh"))
    ]


def test_a_bundle_holds_the_data_that_grading_needs_and_counts_as_the_same_code():
    data = fetch.graded()
    assert sorted(data) == sorted([sentences.SDIST, sentences.GLOVE])
    assert homeworks()["hw5"].data.graded is fetch.graded
    assert homeworks()["hw3"].data is None
    with zipfile.ZipFile(io.BytesIO(bundle.make_wheel(data)[1])) as wheel:
        for name, content in data.items():
            assert wheel.read(f"autograder/data/{name}") == content
    config = bundle.Config("hw5", "seed", package=bundle.package_digest())
    assert not [told for told in warnings(config) if "not the one" in told]
    assert [
        told for told in warnings(bundle.Config("hw5", "seed", package="0" * 16)) if "not the one" in told
    ]


# the plugin -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_an_attack_beats_otter_alone(attack: str, tmp_path: Path):
    sentinel = tmp_path / "sentinel"
    files = {"attack.ipynb": notebook("x = 2", ATTACKS[attack].replace("@SENTINEL@", str(sentinel)))}
    results = run(stock_bundle(tmp_path / "stock.zip"), files, tmp_path / "work")
    assert results.total == 3, "otter has become safer: look at what docs/otter.md says of it"
    if "pickle" in attack:
        assert sentinel.read_text() == str(os.getpid()), "the pickle ran in the grading process"


@pytest.mark.parametrize("attack", list(ATTACKS))
def test_an_attack_gains_nothing_through_the_plugin(attack: str, tmp_path: Path):
    """Beside each lie what otter's process and kernel would unpickle and import if they found it."""
    sentinel, beside = tmp_path / "sentinel", tmp_path / "beside"
    evil = f"import pathlib\npathlib.Path({str(beside)!r}).touch()\n"
    log = f"cbuiltins\nexec\n(S{evil!r}\ntR.".encode()
    files: dict[str, str | bytes] = {
        "hw3.ipynb": notebook(ATTACKS[attack].replace("@SENTINEL@", str(sentinel)))
    }
    files |= {
        "otter.py": evil,
        "pickle.py": evil,
        "__init__.py": evil,
        "otter/__init__.py": evil,
        ".OTTER_LOG": log,
    }
    results = run(make_bundle(tmp_path / "hw3.zip"), files, tmp_path / "work")
    assert scores(results) == {
        question.id: 0 for question in homeworks()["hw3"].questions.values() if question.checks
    }
    assert results.possible == homeworks()["hw3"].points
    assert not sentinel.exists()
    assert not beside.exists()


def test_otters_results_hold_nothing_but_otters_own_classes_and_plain_values(tmp_path: Path):
    report = (
        graded_class("hw3").reference
        if WHOLE_GALLERY
        else Report("someone", "hw3", "unreadable", notes=("why",))
    )
    for file in otter_plugin.test_files(report, bundle.Config("hw3", "seed")):
        assert type(file).__module__ == "otter.test_files.ottr_test"
        json.dumps(file.to_dict())


def test_the_plugin_deletes_nothing_but_otters_working_copy(tmp_path: Path):
    folder = tmp_path / "submission"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(RuntimeError, match="working copy"):
        otter_plugin.clear(folder, keep=set())
    assert (folder / "thesis.txt").is_file()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.ipynb": "{broken"}, "not valid JSON"),
        ({"a.ipynb": notebook("pass"), "b.ipynb": notebook("answer = 1")}, "Several notebooks of hw3"),
        ({"notes.txt": "sorry"}, "No notebook was handed in"),
    ],
    ids=["broken notebook", "two notebooks", "no notebook"],
)
def test_where_otter_gives_up_results_are_left_all_the_same(files: dict, says: str, tmp_path: Path):
    base = unpack_base(tmp_path / "autograder", make_bundle(tmp_path / "hw3.zip"), files)
    (base / "submission_metadata.json").write_text("{}")
    before = os.getcwd()
    try:
        assert otter_plugin.run(base) == 0
    finally:
        os.chdir(before)
    told = json.loads((base / "results" / "results.json").read_text())
    assert says in json.dumps(told)
    assert sum(test.get("score", 0) for test in told["tests"]) == 0
    assert len([test for test in told["tests"] if "score" in test]) == sum(
        bool(one.checks) for one in homeworks()["hw3"].questions.values()
    )
    assert (base / "results" / "results.pkl").is_file()


def test_where_data_was_never_fetched_otter_gives_no_points_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """hw5 where its sentences are missing: nobody gets 0 points for that."""

    def draw(*_: object) -> None:
        raise DataUnavailableError("The movie sentences could not be fetched with pip:\nno network")

    monkeypatch.setattr("autograder.grade.grade._drawn", draw)
    files = {"hw5.ipynb": notebook("pass", homework="hw5")}
    base = unpack_base(tmp_path / "autograder", make_bundle(tmp_path / "hw5.zip", "hw5"), files)
    (base / "submission_metadata.json").write_text("{}")
    before = os.getcwd()
    try:
        assert otter_plugin.run(base) == 0
    finally:
        os.chdir(before)
    told = json.loads((base / "results" / "results.json").read_text())
    assert told["output"].startswith(
        "The autograder could not start: The movie sentences could not be fetched"
    )
    assert "score" not in told
    assert told["tests"] == []


def test_one_notebook_of_this_homework_among_others_is_the_submission(tmp_path: Path):
    (tmp_path / "mine.ipynb").write_text(notebook("x = 1"))
    (tmp_path / "scratch.ipynb").write_text(notebook("y = 1", homework="none"))
    (tmp_path / "mine-submission_log.json").write_text("{}")
    found = gather(tmp_path, homeworks()["hw3"])
    assert found.notebook == (tmp_path / "mine.ipynb").read_bytes()
    assert found.log == b"{}"
    assert not found.problem


def test_a_strange_configuration_is_refused():
    with pytest.raises(ValueError, match="unknown keys: color"):
        read_config({"homework": "hw3", "seed": "s", "color": "red"})
    with pytest.raises(ValueError, match="incomplete"):
        read_config({"homework": "hw3"})
    with pytest.raises(ValueError, match="the bundle is for hw99"):
        read_config({"homework": "hw99", "seed": "s"})


# equality ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", by_homework())
def test_every_report_of_the_gallery_has_the_same_points_in_otters_results(name: str):
    graded = graded_class(name)
    for report in [graded.reference, graded.blank, *(one for _, one in graded.students.values())]:
        results = GradingResults([])
        otter_plugin.fill(results, report, bundle.Config(name, SETTINGS.seed))
        assert scores(results) == points(report)
        assert results.total == pytest.approx(report.points)
        assert results.possible == pytest.approx(report.maximum)


@pytest.mark.parametrize("name", by_homework())
def test_otter_run_gives_the_points_that_our_own_command_line_gives(name: str, tmp_path: Path):
    archive = make_bundle(tmp_path / f"{name}.zip", name)
    pairs = list(graded_class(name).students.values())
    for student, report in pairs if WHOLE_GALLERY else pairs[1:2]:
        files = {
            f"{homeworks()[name].stem}.ipynb": student.notebook,
            "submission_log.json": student.log,
            **student.attachments,
        }
        results = run(archive, files, tmp_path / student.name)
        assert scores(results) == points(report), student.name
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        assert digest == hashlib.sha256(make_bundle(tmp_path / "again.zip", name).read_bytes()).hexdigest()
