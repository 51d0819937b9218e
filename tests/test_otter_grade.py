"""``otter grade`` against a stand-in for docker, and the bundle's scripts as they run in a container."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("otter")

from autograder.run.execute import execute
from autograder.run.user import USERS, UserKernels, no_other_user
from autograder.submissions.notebook import read_notebook
from tests.conftest import graded_class
from tests.gallery import ROOT
from tests.platforms import ATTACKS, make_bundle, notebook, points, unpack_base, zipped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="containers are Linux")
HERE = {"AUTOGRADER_PYTHON": sys.executable, "AUTOGRADER_VENV": "/nonexistent/venv", "PYTHONPATH": ""}


def setup(base: Path, **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", str(base / "source" / "setup.sh")],
        env={**os.environ, **HERE, **more},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.xdist_group("hw3")
def test_otter_grade_gives_our_points_for_a_student_and_none_for_an_attack(tmp_path: Path):
    state, programs, submissions, output = (
        tmp_path / name for name in ("state", "bin", "submissions", "out")
    )
    for folder in (state, programs, submissions, output):
        folder.mkdir()
    docker = programs / "docker"
    docker.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "tests" / "standin_docker.py"} "$@"\n')
    docker.chmod(0o755)
    student, report = list(graded_class("hw3").students.values())[1]
    evil = "import pathlib\npathlib.Path('/nonexistent').touch()\n"
    files = {
        "student": {"hw3.ipynb": student.notebook, "submission_log.json": student.log},
        "attack": {
            "hw3.ipynb": notebook(
                *(text.replace("@SENTINEL@", str(tmp_path / "sentinel")) for text in ATTACKS.values())
            ),
            "otter.py": evil,
        },
    }
    for name, own in files.items():
        (submissions / f"{name}.zip").write_bytes(zipped(own))
    archive = make_bundle(tmp_path / "hw3.zip")
    environment = {
        **os.environ,
        **HERE,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "STANDIN_DOCKER": str(state),
    }
    command = [
        sys.executable,
        "-m",
        "otter",
        "grade",
        "-n",
        "hw3",
        "-a",
        str(archive),
        "--image",
        "python:3.11-slim",
        "--ext",
        "zip",
    ]
    command += ["--containers", "1", "--no-network", "-o", str(output), "-v", str(submissions)]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
    told = made.stdout + made.stderr + "".join(path.read_text() for path in state.glob("*.log"))
    assert made.returncode == 0, told
    with (output / "final_grades.csv").open(newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert {name: row["grading_status"] for name, row in rows.items()} == {
        "points-per-question": "--", "student.zip": "Completed", "attack.zip": "Completed",
    }, told  # fmt: skip
    assert {name: float(rows["student.zip"][name]) for name in points(report)} == points(report)
    assert float(rows["attack.zip"]["total_points_earned"]) == 0
    assert not (tmp_path / "sentinel").exists()
    assert "--network none" in (state / "calls.log").read_text()
    assert (state / "build.log").read_text() == "", "setup.sh says nothing where everything is installed"


def test_setup_does_nothing_twice_where_everything_is_installed_and_keeps_real_metadata(tmp_path: Path):
    base = unpack_base(
        tmp_path / "autograder", make_bundle(tmp_path / "hw3.zip"), {"hw3.ipynb": notebook("pass")}
    )
    for _ in range(2):
        made = setup(base)
        assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    assert (base / "submission_metadata.json").read_text() == "{}\n", (
        "otter's touch keeps it, and plugins can read it"
    )
    assert (base / "interpreter").read_text().strip() == sys.executable
    for private in ("source", "package"):
        assert (base / private).stat().st_mode & 0o077 == 0
    assert (base / "package" / "autograder" / "names.py").read_bytes() == (
        ROOT / "autograder" / "names.py"
    ).read_bytes()
    (base / "submission_metadata.json").write_text('{"id": 1}')
    setup(base)
    assert (base / "submission_metadata.json").read_text() == '{"id": 1}'


def test_setup_fails_with_words_where_no_python_is_new_enough(tmp_path: Path):
    base = unpack_base(tmp_path / "autograder", make_bundle(tmp_path / "hw3.zip"), {})
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("bash", "dirname", "cat", "rm", "chmod"):
        (programs / name).symlink_to(shutil.which(name) or "")
    for name, text in (("python3", "exit 1"), ("apt-get", "[ $1 = update ]")):
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    made = setup(base, PATH=str(programs), AUTOGRADER_PYTHON="")
    assert made.returncode != 0
    assert "no Python 3.11 or newer" in made.stderr


@pytest.mark.parametrize("platform", ["otter", "gradescope"])
def test_a_grader_that_cannot_even_start_leaves_results(platform: str, tmp_path: Path):
    base = unpack_base(
        tmp_path / "autograder",
        make_bundle(tmp_path / "hw3.zip", platform=platform),
        {"hw3.ipynb": notebook("pass")},
    )
    (base / "interpreter").write_text("/bin/false\n")
    program = base / "run_autograder"
    shutil.copy(base / "source" / "run_autograder", program)
    program.chmod(0o755)
    made = subprocess.run([str(program)], check=False, cwd=tmp_path, capture_output=True)
    assert made.returncode != 0, "otter grade then says so in final_grades.csv"
    assert "could not finish" in (base / "results" / "results.json").read_text()


SPY = """
import os
import subprocess
import sys

seen = []
for path in ("@BASE@/source/otter_config.json",
             "@BASE@/package/autograder/declare/homework.py", "@BASE@/interpreter",
             f"/proc/{os.getppid()}/environ"):
    try:
        seen.append(open(path).read(10))
    except OSError:
        pass
try:
    os.kill(os.getppid(), 0)
    seen.append("the grader's process")
except OSError:
    pass
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "@MARK@"], start_new_session=True)
raise SystemExit(f"seen: {len(seen)}, user {os.getuid()}")
"""


def test_in_a_container_a_submission_can_neither_read_the_grader_nor_outlive_its_run(tmp_path: Path):
    if why := no_other_user():
        pytest.skip(why)
    base = unpack_base(tmp_path / "autograder", make_bundle(tmp_path / "hw3.zip"), {})
    setup(base)
    base.chmod(0o700)
    text = notebook(SPY.replace("@BASE@", str(base)).replace("@MARK@", str(tmp_path)))
    run = execute(read_notebook(text.encode()), kit_source="", kernels=UserKernels())
    (said,) = [output.evalue for output in run.notebook.cells[0].outputs if output.output_type == "error"]
    assert said.startswith("seen: 0, user ")
    assert int(said.split()[-1]) in USERS
    assert (
        str(tmp_path)
        not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    )
