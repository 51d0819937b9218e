"""Stands in for ``docker`` on PATH, for tests: an image is a folder, a container a copy of it and a process.

It follows otter's own Dockerfile: ADD copies, RUN runs, except for what needs a real container.
``/autograder`` in paths
and commands becomes the folder. The state lies in the folder that STANDIN_DOCKER names.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import uuid
from itertools import pairwise
from pathlib import Path

STATE = Path(os.environ["STANDIN_DOCKER"])
NOT_HERE = ("apt-get", "rm", "dos2unix")  # of the machine, not of the image


def build(arguments: list[str]) -> None:
    context, options = Path(arguments[-1]), dict(pairwise(arguments))
    image = STATE / "images" / options["--tag"].replace(":", "_")
    shutil.rmtree(image, ignore_errors=True)
    image.mkdir(parents=True)
    text = Path(options["--file"]).read_text().replace("\\\n", " ")
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "ADD":
            *sources, target = rest.split()
            found = [path for source in sources for path in sorted(context.glob(source))]
            if not found:
                sys.exit(
                    f"ADD failed: no source files were specified: {rest}"
                )  # as Docker's classic builder does
            for path in found:
                add(path, inside(image, target), folder=target.endswith("/"))
        elif word == "RUN":
            for command in rest.split("&&"):
                words = shlex.split(command.replace("/autograder", str(image / "autograder")))
                if words[0] not in NOT_HERE:
                    made = subprocess.run(words, check=False, capture_output=True, text=True)
                    with (STATE / "build.log").open("a") as log:
                        log.write(made.stdout + made.stderr)
                    if made.returncode:
                        sys.exit(f"RUN failed: {command}\n{made.stdout}{made.stderr}")
    Path(options["--iidfile"]).write_text("sha256:" + "0" * 64)


def add(path: Path, target: Path, *, folder: bool) -> None:
    if path.is_dir():
        shutil.copytree(path, target, dirs_exist_ok=True)
    else:
        (target if folder else target.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def inside(root: Path, path: str) -> Path:
    return root / path.lstrip("/")


def create(arguments: list[str]) -> None:
    image, command = arguments[-2], arguments[-1]
    assert command == "/autograder/run_autograder", command
    identity = uuid.uuid4().hex * 2
    container = STATE / "containers" / identity
    shutil.copytree(STATE / "images" / image.replace(":", "_"), container)
    (container / "network").write_text(" ".join(arguments))
    print(identity)


def copy(source: str, target: str) -> None:
    paths = []
    for one in (source, target):
        identity, colon, path = one.partition(":")
        paths.append(inside(STATE / "containers" / identity, path) if colon else Path(one))
    if not paths[0].exists():
        sys.exit(f"Error response from daemon: Could not find the file {source}")
    shutil.copy(*paths)


def start(identity: str) -> None:
    container = STATE / "containers" / identity
    program = container / "autograder" / "run_autograder"
    program.chmod(0o755)
    script = f"{shlex.quote(str(program))}; echo $? > rc.part; mv rc.part rc"
    with (container / "log").open("w") as log:
        process = subprocess.Popen(
            ["sh", "-c", script], stdout=log, stderr=log, cwd=container, start_new_session=True
        )
    (container / "pid").write_text(str(process.pid))
    print(identity)


def wait(identity: str) -> None:
    container = STATE / "containers" / identity
    while not (container / "rc").is_file():
        time.sleep(0.1)
    print((container / "rc").read_text().strip())


def main(words: list[str]) -> None:
    with (STATE / "calls.log").open("a") as log:
        log.write(shlex.join(words) + "\n")
    match words:
        case ["buildx", "build", *rest]:
            build(rest)
        case ["buildx", "inspect", *_]:
            print("Name: default\nDriver: docker")
        case ["buildx", "ls", *_]:
            print('{"Name":"default","Driver":"docker","Current":true}')
        case ["buildx", "version"]:
            print("stand-in")
        case ["image", "inspect", identity]:
            print(f'[{{"Id": "{identity}"}}]')
        case ["container", "inspect", identity]:
            print(f'[{{"Id": "{identity}"}}]')
        case ["create", *rest]:
            create(rest)
        case ["container", "cp", source, target]:
            copy(source, target)
        case ["container", "start", identity]:
            start(identity)
        case ["container", "wait", identity]:
            wait(identity)
        case ["container", "logs", identity]:
            print((STATE / "containers" / identity / "log").read_text())
        case ["container", "kill", identity]:
            os.killpg(int((STATE / "containers" / identity / "pid").read_text()), signal.SIGKILL)
            (STATE / "containers" / identity / "rc").write_text("137")
        case ["container", "rm", *_, identity]:
            shutil.copy(STATE / "containers" / identity / "log", STATE / f"{identity[:12]}.log")
            shutil.rmtree(STATE / "containers" / identity)
        case _:
            sys.exit(f"the stand-in for docker does not know: {shlex.join(words)}")


if __name__ == "__main__":
    main(sys.argv[1:])
