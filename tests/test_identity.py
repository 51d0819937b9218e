"""Whose is what: neither names nor files that a student chooses can move a submission to somebody else."""

from __future__ import annotations

import contextlib
import csv
import os
import subprocess
import time
from pathlib import Path

import pytest

from autograder.lms import canvas, github, gitread, gradescope, moodle
from autograder.lms.collect import Collected
from autograder.lms.people import MANIFEST, Person, folder_name, read_manifest, write_manifest
from tests.platforms import notebook
from tests.test_collect import command, write_zip

MINE, THEIRS = notebook("x = 1"), notebook("x = 2")


def told(found: Collected) -> dict[str, dict[str, str]]:
    """Submission → file name → content."""
    return {
        name: {file: place.read_text() for file, place in own.items()} for name, own in found.files.items()
    }


def metadata(*people: tuple[int, str]) -> str:
    rows = [
        f"submission_{number}:\n  :submitters:\n  - :name: {name}\n    :sid: '{name}'\n"
        for number, name in people
    ]
    return "---\n" + "".join(rows)


# Gradescope -------------------------------------------------------------------------------------------------

OWN = metadata((101, "jane"), (102, "eve"))
EVIL = metadata((101, "eve"), (102, "jane"))


@pytest.mark.parametrize("top", ["", "assignment_9_export/"])
@pytest.mark.parametrize("first", [False, True])
def test_only_the_exports_own_metadata_counts(top: str, first: bool, tmp_path: Path):
    students = {
        f"{top}submission_102/submission_metadata.yml": EVIL,
        f"{top}submission_102/deep/submission_metadata.yml": EVIL,
    }
    own = {f"{top}submission_metadata.yml": OWN}
    files = {f"{top}submission_101/hw3.ipynb": THEIRS, f"{top}submission_102/hw3.ipynb": MINE}
    given = {**students, **own, **files} if first else {**own, **files, **students}
    found = gradescope.read(write_zip(tmp_path / "g.zip", given))
    assert {one.submission: one.id for one in found.people} == {
        "submission_101": "jane",
        "submission_102": "eve",
    }
    assert told(found)["submission_101"] == {"hw3.ipynb": THEIRS}
    assert told(found)["submission_102"] == {"hw3.ipynb": MINE}
    assert len([line for line in found.left if "handed in by a student" in line]) == 2


@pytest.mark.parametrize(
    "files",
    [
        {"submission_102/submission_metadata.yml": EVIL, "submission_101/hw3.ipynb": THEIRS},
        {"submission_102/submission_metadata.yml": EVIL, "submission_102/hw3.ipynb": THEIRS},
        {"x/submission_102/submission_metadata.yml": EVIL, "x/submission_101/hw3.ipynb": THEIRS},
    ],
)
def test_a_students_metadata_never_stand_in_for_the_platforms(files: dict[str, str], tmp_path: Path):
    with pytest.raises(ValueError, match="holds no submission_metadata"):
        gradescope.read(write_zip(tmp_path / "g.zip", files))


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
MERGES = "a0: &a0 {k0: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: 1}}\n" for n in range(1, 60)
)
NAME = "submission_101:\n  :submitters:\n  - :name: *a59\n    :sid: '1'\n"


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS + NAME,
        MERGES + NAME,
        "a: " + "[" * 50_000,
        "a: " + "9" * 100_000,
        "a: &a [*a]\n" + NAME.replace("a59", "a"),
        "? [1, 2]\n: 3\n? {a: b}\n: 4\n",
        "submission_101: &x\n  :submitters: *x\n",
    ],
    ids=["laughs", "merges", "deep", "digits", "self", "odd keys", "no list"],
)
def test_metadata_that_unfold_are_refused_or_read_at_once(text: str, tmp_path: Path):
    source = write_zip(
        tmp_path / "g.zip", {"submission_metadata.yml": text, "submission_101/hw3.ipynb": MINE}
    )
    started = time.process_time()
    names: list[str] = []
    with contextlib.suppress(ValueError):
        names = [one.name for one in gradescope.read(source).people]
    assert all(len(name) < 1_000 for name in names)
    assert time.process_time() - started < 5


# Moodle, Canvas ---------------------------------------------------------------------------------------------


def test_a_display_name_that_reads_like_moodles_own_is_filed_under_moodles_number(tmp_path: Path):
    name = "X_4712_assignsubmission_file_x_4711_assignsubmission_file_"
    found = moodle.read(write_zip(tmp_path / "m.zip", {f"{name}/hw3.ipynb": MINE}))
    assert [one.id for one in found.people] == ["4711"]
    deep = "Eve_4711_assignsubmission_file_/Jane_4712_assignsubmission_file_/hw3.ipynb"
    found = moodle.read(write_zip(tmp_path / "d.zip", {deep: MINE}))
    assert [one.id for one in found.people] == ["4711"]


@pytest.mark.parametrize(
    "name",
    [
        "X_4712_assignsubmission_file_x_4711_assignsubmission_file_hw3.ipynb",
        "Eve_4711_assignsubmission_file_a_4712_assignsubmission_file_hw3.ipynb",
    ],
)
def test_a_flat_moodle_name_with_two_readings_is_left_for_the_instructor(name: str, tmp_path: Path):
    source = write_zip(tmp_path / "m.zip", {name: MINE, "Sam_4713_assignsubmission_file_hw3.ipynb": THEIRS})
    found = moodle.read(source)
    assert [one.id for one in found.people] == ["4713"]
    assert found.left == [f"{name} (may be of several people; use --match to assign it)"]
    (tmp_path / "match.csv").write_text(f'submission,id\n"{name}",4711\n')
    result = command(
        "collect", source, "--from", "moodle", "-o", tmp_path / "out", "--match", tmp_path / "match.csv"
    )
    assert result.exit_code == 0, result.output
    assert {one.id for one in read_manifest(tmp_path / "out" / MANIFEST)} == {"4711", "4713"}
    assert any(path.read_text() == MINE for path in (tmp_path / "out").glob("4711/*.ipynb"))


@pytest.mark.parametrize(
    "name", ["jane_99_1234_56789_hw3.ipynb", "eve_1234_56789_99_77_hw3.ipynb", "eve_1234_56789_99_hw3.ipynb"]
)
def test_a_canvas_name_with_two_readings_is_left_for_the_instructor(name: str, tmp_path: Path):
    files = {name: MINE, "doejane_99_60000_hw3.ipynb": THEIRS}
    found = canvas.read(write_zip(tmp_path / "c.zip", files))
    assert [one.id for one in found.people] == ["99"]
    assert told(found) == {"doejane-99": {"hw3.ipynb": THEIRS}}
    assert "use --match to assign it" in found.left[0]


def test_a_match_that_names_nothing_is_refused_with_its_row(tmp_path: Path):
    source = write_zip(tmp_path / "c.zip", {"doejane_99_60000_hw3.ipynb": THEIRS})
    for text, says in (
        ("a,b\n1,2\n", "submission and id"),
        ("submission,id\nnobody,4\n", "'nobody' is neither"),
        ("submission,id\nx,\n", "row 2"),
    ):
        (tmp_path / "match.csv").write_text(text)
        result = command(
            "collect", source, "--from", "canvas", "-o", tmp_path / "out", "--match", tmp_path / "match.csv"
        )
        assert result.exit_code == 1
        assert says in result.output
        assert "match.csv" in result.output


def test_two_ids_never_become_one_folder():
    given = ["a b", "a_b", "a/b", "x" * 200, "x" * 201, "\u00fc", "\u00e4", "A", "a"]
    assert len({folder_name("", one) for one in given}) == len(given)
    assert all(len(folder_name("\u6f22" * 300, one).encode()) <= 160 for one in given)


def test_collected_csv_holds_no_formula_and_no_command(tmp_path: Path):
    people = [
        Person("a", "canvas", "=1+1", "@SUM(A1)", "-x"),
        Person("b", "canvas", "2", "\x1b[2J'x\ud83d", "+1"),
    ]
    write_manifest(people, tmp_path / MANIFEST)
    with (tmp_path / MANIFEST).open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@") or "\x1b" in cell]
    again = read_manifest(tmp_path / MANIFEST)
    assert again[0] == people[0]
    assert again[1].email == "+1"


# GitHub -----------------------------------------------------------------------------------------------------

WHEN = "2026-11-03T12:34:56-08:00"


def git(repository: Path, *arguments: str) -> str:
    environment = {
        "GIT_COMMITTER_DATE": WHEN,
        "GIT_AUTHOR_DATE": WHEN,
        "HOME": str(repository.parent),
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    who = ["-c", "user.name=x", "-c", "user.email=x@example.edu", "-c", "safe.directory=*"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=repository, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    made = tmp_path / "all" / "hw-jane"
    made.mkdir(parents=True)
    (made / "hw3.ipynb").write_text(MINE)
    git(made, "init", "-q", "-b", "main")
    git(made, "add", ".")
    git(made, "commit", "-qm", "done")
    return made


@pytest.mark.parametrize(
    "how", ["loose", "packed", "detached", "many commits", "deltas", "sha256", "amended"]
)
def test_the_last_commits_time_is_the_one_that_git_says(how: str, repository: Path, tmp_path: Path):
    if how == "sha256":
        repository = tmp_path / "sha"
        repository.mkdir()
        git(repository, "init", "-q", "-b", "main", "--object-format=sha256")
        git(repository, "commit", "-q", "--allow-empty", "-m", "x")
    if how in ("many commits", "deltas"):
        for number in range(12):
            git(
                repository,
                "commit",
                "-q",
                "--allow-empty",
                "-m",
                "a long message that repeats\n" * 40 + str(number),
            )
    if how == "detached":
        git(repository, "checkout", "-q", "--detach")
    if how in ("packed", "many commits", "deltas", "sha256"):
        git(repository, "gc", "-q", "--aggressive")
        git(repository, "pack-refs", "--all")
        assert not list((repository / ".git" / "objects").glob("[0-9a-f][0-9a-f]/*"))
    if how == "amended":
        git(
            repository,
            "commit",
            "-q",
            "--amend",
            "-m",
            "committer Eve <e> 99 +0000\n\ncommitter Eve <e> 99 +0000",
        )
    assert gitread.commit_time(repository) == git(repository, "log", "-1", "--format=%cI") == WHEN


KEYS = {
    "core.fsmonitor": "[core]\n\tfsmonitor = @RUN@\n",
    "core.sshCommand": '[core]\n\tsshCommand = @RUN@\n[remote "o"]\n\turl = ssh://h/x\n\tpromisor = true\n',
    "core.pager": "[core]\n\tpager = @RUN@\n[pager]\n\tlog = @RUN@\n",
    "core.hooksPath": "[core]\n\thooksPath = @HOOKS@\n",
    "core.gitProxy": '[core]\n\tgitProxy = @RUN@\n[remote "o"]\n\turl = git://h/x\n\tpromisor = true\n',
    "core.askPass, core.editor": "[core]\n\taskPass = @RUN@\n\teditor = @RUN@\n",
    "alias": "[alias]\n\tlog = !@RUN@\n\tshow = !@RUN@\n",
    "credential.helper": '[credential]\n\thelper = !@RUN@\n[remote "o"]\n\turl = https://h/x\n'
    "\tpromisor = true\n",
    "diff.external": '[diff]\n\texternal = @RUN@\n[diff "x"]\n\ttextconv = @RUN@\n\tcommand = @RUN@\n',
    "filter": '[filter "x"]\n\tclean = @RUN@\n\tsmudge = @RUN@\n\tprocess = @RUN@\n',
    "gpg.program": "[log]\n\tshowSignature = true\n[gpg]\n\tprogram = @RUN@\n",
    "promisor with ext::": '[remote "o"]\n\turl = ext::@RUN@\n\tpromisor = true\n'
    "\tpartialCloneFilter = blob:none\n"
    "[extensions]\n\tpartialClone = o\n[protocol]\n\tallow = always\n",
    "includeIf": '[includeIf "gitdir:**"]\n\tpath = @INCLUDED@\n[include]\n\tpath = @INCLUDED@\n',
    "core.worktree": "[core]\n\tworktree = @ELSEWHERE@\n\tfsmonitor = @RUN@\n",
    "core.attributesFile": '[core]\n\tattributesFile = @ELSEWHERE@/a\n[merge "x"]\n\tdriver = @RUN@\n',
    "uploadpack.packObjectsHook": "[uploadpack]\n\tpackObjectsHook = @RUN@\n",
    "sequence.editor, mailmap": "[sequence]\n\teditor = @RUN@\n[mailmap]\n\tfile = @ELSEWHERE@/a\n",
}


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "commit missing"])
@pytest.mark.parametrize("key", KEYS)
def test_no_key_of_a_students_configuration_runs_anything(
    key: str, missing: bool, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    marker, elsewhere = tmp_path / "owned", tmp_path / "elsewhere"
    elsewhere.mkdir()
    program = elsewhere / "run.sh"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    hooks = [elsewhere / "hooks", repository / ".git" / "hooks"]
    for folder in hooks:
        folder.mkdir(exist_ok=True)
        for hook in (
            "post-checkout",
            "fsmonitor-watchman",
            "pre-commit",
            "post-index-change",
            "reference-transaction",
        ):
            (folder / hook).write_text(program.read_text())
            (folder / hook).chmod(0o755)
    (elsewhere / "included").write_text(KEYS["core.fsmonitor"].replace("@RUN@", str(program)))
    text = KEYS[key]
    for word, value in {
        "@RUN@": program, "@HOOKS@": hooks[0], "@INCLUDED@": elsewhere / "included", "@ELSEWHERE@": elsewhere,
    }.items():  # fmt: skip
        text = text.replace(word, str(value))
    with (repository / ".git" / "config").open("a") as file:
        file.write(text)
    (repository / ".gitattributes").write_text("* diff=x filter=x merge=x\n")
    if missing:
        head = (repository / ".git" / "refs" / "heads" / "main").read_text().strip()
        (repository / ".git" / "objects" / head[:2] / head[2:]).unlink()
    ran: list[object] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *arguments, **options: ran.append(arguments))
    monkeypatch.setattr(os, "system", lambda *arguments: ran.append(arguments))
    found = github.read(tmp_path / "all")
    assert not ran, "no process is started at all"
    assert not marker.exists()
    assert [(one.id, one.submitted) for one in found.people] == [("hw-jane", "" if missing else WHEN)]
    assert told(found)["hw-jane"] == {"hw3.ipynb": MINE}
    assert any("the time of the last commit" in line for line in found.left) == missing


@pytest.mark.parametrize(
    "how",
    [
        "alternates",
        "http-alternates",
        "gitdir file",
        "commondir",
        "link",
        "linked objects",
        "ref outside",
        "loop",
        "bomb",
    ],
)
def test_no_object_from_elsewhere_is_used(how: str, repository: Path, tmp_path: Path):
    own = repository / ".git"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    head = (own / "refs" / "heads" / "main").read_text().strip()
    if how in ("alternates", "http-alternates"):
        (own / "objects").rename(elsewhere / "objects")
        (own / "objects" / "info").mkdir(parents=True)
        (own / "objects" / "info" / how).write_text(f"{elsewhere / 'objects'}\n")
    elif how == "gitdir file":
        own.rename(elsewhere / "git")
        own.write_text(f"gitdir: {elsewhere / 'git'}\n")
    elif how == "commondir":
        own.rename(elsewhere / "git")
        own.mkdir()
        (own / "HEAD").write_text("ref: refs/heads/main\n")
        (own / "commondir").write_text(f"{elsewhere / 'git'}\n")
    elif how == "link":
        own.rename(elsewhere / "git")
        own.symlink_to(elsewhere / "git")
    elif how == "linked objects":
        (own / "objects").rename(elsewhere / "objects")
        (own / "objects").symlink_to(elsewhere / "objects")
    elif how == "ref outside":
        (elsewhere / "ref").write_text(head)
        (own / "HEAD").write_text("ref: refs/../../../../elsewhere/ref\n")
    elif how == "loop":
        (own / "refs" / "heads" / "main").write_text("ref: refs/heads/main\n")
    else:
        import zlib

        (own / "objects" / head[:2] / head[2:]).chmod(0o644)
        (own / "objects" / head[:2] / head[2:]).write_bytes(zlib.compress(b"commit 9\0" + b" " * 300_000_000))
    found = github.read(tmp_path / "all")
    assert found.people[0].submitted == ""
    assert any("hw-jane: the time of the last commit" in line for line in found.left)


@pytest.mark.parametrize("seed", range(30))
def test_a_damaged_repository_costs_only_its_time(seed: int, repository: Path, tmp_path: Path):
    import random

    draw = random.Random(seed)
    git(repository, "gc", "-q")
    for path in [*(repository / ".git" / "objects" / "pack").iterdir(), repository / ".git" / "packed-refs"]:
        path.chmod(0o644)
        data = bytearray(path.read_bytes())
        for _ in range(20):
            data[draw.randrange(len(data))] = draw.randrange(256)
        path.write_bytes(data[: draw.choice([len(data), len(data) // 2])])
    found = github.read(tmp_path / "all")
    assert told(found)["hw-jane"] == {"hw3.ipynb": MINE}
