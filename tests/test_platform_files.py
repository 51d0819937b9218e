"""The files by which other platforms run the project: workflows, containers, Binder."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from autograder import __version__
from autograder.author.build import build_notebook, dumps
from autograder.declare import homeworks
from autograder.homeworks.hw5.public.sentences import CACHE_VARIABLE
from autograder.names import source_path
from tests.gallery import ROOT
from tests.gallery.hw3 import content

CLASSROOM = ROOT / "docs" / "files" / "visible-checks.yml"
LONG_JOBS = {"sweep": 180, "versions": 120}  # minutes; every other job has an hour
WORKFLOWS = [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), CLASSROOM]


def steps(path: Path) -> list[dict]:
    (job,) = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
    return job["steps"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_only_what_it_needs_and_has_a_limit(path: Path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "write" if path.stem == "release" else "read"}
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= LONG_JOBS.get(name, 60)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_runs_the_python_that_it_sets_up_and_actions_that_runners_still_run(path: Path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"actions/(checkout@v[1-4]|setup-python@v[1-5])\b", text)  # they need Node 20
    # root's pip fills no such folder, and then the last step of setup-python fails
    assert "cache: pip" not in text
    for job in yaml.safe_load(text)["jobs"].values():
        owned_by_root = False
        for command in (step["run"] for step in job["steps"] if "run" in step):
            if re.search(r"\.ci/run|\bmake\b", command) and "sudo" in command:
                assert '"PATH=$PATH"' in command  # else root's python3 is the system's
                owned_by_root = True
            elif "sudo chown" in command:
                owned_by_root = False
            else:
                assert not (owned_by_root and re.search(r"\bmake\b|\.venv", command)), command


@pytest.mark.parametrize(
    ("answers", "code"),
    [({}, 0), ({"3.1": content("np.eye(3)", "np.eye(3)")}, 1)],
    ids=["blank", "wrong"],
)
def test_the_classroom_workflow_fails_on_a_failed_visible_check_alone(
    tmp_path: Path, answers: dict[str, str], code: int
):
    homework = homeworks()["hw3"]
    notebook = build_notebook(homework, source_path(ROOT, homework.stem), answers=answers)
    (tmp_path / f"{homework.stem}.ipynb").write_text(dumps(notebook), encoding="utf-8")
    run, show = (step for step in steps(CLASSROOM) if "run" in step and not step["run"].startswith("pip"))
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    kept = {"PATH": path, "HOME": str(tmp_path)}
    subprocess.run(["bash", "-e", "-c", run["run"]], cwd=tmp_path, env=kept, check=True, capture_output=True)
    done = subprocess.run(
        [sys.executable, "-c", show["run"]], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "hw3_hand_designed.ipynb" in done.stdout
    assert ("✗" in done.stdout) == (code == 1)
    assert "3.1" in done.stdout


def test_a_release_is_tested_before_it_is_built():
    commands = [
        step["run"] for step in steps(ROOT / ".github" / "workflows" / "release.yml") if "run" in step
    ]
    tests, build = (
        next(n for n, one in enumerate(commands) if what in one) for what in (".ci/run", "-m build")
    )
    assert tests < build
    script = commands[0].replace("$GITHUB_REF_NAME", f"v{__version__}")
    assert subprocess.run(["bash", "-e", "-c", script], cwd=ROOT, check=False).returncode == 0
    wrong = commands[0].replace("$GITHUB_REF_NAME", "v0.0.1")
    assert subprocess.run(["bash", "-e", "-c", wrong], cwd=ROOT, check=False).returncode == 1


def test_the_containers_share_a_file_and_its_pins():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", dockerfile, flags=re.MULTILINE)
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert container["build"]["target"] in {name for _, name in stages}
    assert (ROOT / ".devcontainer" / container["build"]["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert "-c constraints.txt" in dockerfile
    version = re.search(r"requires-python = \">=([\d.]+)\"", (ROOT / "pyproject.toml").read_text())
    assert version
    assert stages[0][0] == f"python:{version[1]}-slim"


def test_the_container_grades_without_a_network_and_as_any_user():
    _, final = (ROOT / "Dockerfile").read_text(encoding="utf-8").rsplit("\nFROM ", 1)
    (settings,) = re.findall(r"^ENV (.+)$", final, flags=re.MULTILINE)
    chosen = dict(one.split("=", 1) for one in settings.split())
    assert chosen["HOME"] == "/tmp"  # an id without an account has / as its home
    assert not chosen[CACHE_VARIABLE].startswith(("/root", "/tmp", "~"))
    assert final.index("pip install") < final.index("python -m autograder.author.fetch")


def test_binder_installs_what_the_students_archive_asks_for():
    lines = (ROOT / ".binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = {line for line in lines if line and not line.startswith("#")}
    assert {"numpy", "torch", "matplotlib"} <= names
