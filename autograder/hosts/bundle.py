"""Makes the zip that ``otter run``, ``otter grade`` and Gradescope take, with this package as a wheel."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from autograder import __version__
from autograder.declare import Homework
from autograder.files import zip_bytes
from autograder.run.limits import Limits

PROJECT = "attention-homeworks"
PLATFORMS = ("otter", "gradescope")
PLUGIN = "autograder.hosts.otter.JudgeOutside"
VISIBILITIES = ("visible", "after_due_date", "after_published", "hidden")
NOTHING_HERE = """\
Empty on purpose. otter wants this folder, and copies what is in it beside the submission, where student
code can read it.
"""


@dataclass(frozen=True)
class Config:
    """What a bundle grades with; ``autograder_config.json`` in the zip.

    Attributes:
        homework: its id.
        seed: draws the hidden inputs.
        hidden: when students see results that tell of hidden inputs or right options.
        leaderboard: whether measured values, such as a checkpoint's accuracy, go on the leaderboard.
        seconds: the platform's time limit of one submission.
        cell_seconds: the time limit of one cell; a container with half a core needs twice the usual.
        package: digest of the grading code that was packed.
        course: what the course changes in the homework, for :func:`autograder.declare.follow`.
    """

    homework: str
    seed: str
    hidden: str = "after_published"
    leaderboard: bool = False
    seconds: float = 600.0
    cell_seconds: float = Limits.cell_seconds
    package: str = ""
    course: str = ""


def make(homework: Homework, platform: str, config: Config, pip_flags: str = "") -> bytes:
    """The zip's bytes: equal for an equal package, environment and configuration.

    Args:
        homework: what it grades.
        platform: one of :data:`PLATFORMS`.
        config: what it grades with.
        pip_flags: for ``pip install`` while the image is made, such as an index of CPU builds of torch.
    """
    if platform not in PLATFORMS:
        raise ValueError(f"{platform}: the platforms are {', '.join(PLATFORMS)}")
    if config.homework != homework.id:
        raise ValueError(f"the configuration is for {config.homework}, not for {homework.id}")
    name, wheel = make_wheel(homework.data.graded() if homework.data else {})
    config = Config(**{**asdict(config), "package": package_digest()})
    wanted = direct_requirements(["otter"] if platform == "otter" else [])
    module = "autograder.hosts.otter" if platform == "otter" else "autograder.hosts.gradescope"
    files: dict[str, str | bytes] = {
        "setup.sh": _bundled("setup.sh"),
        "run_autograder": _bundled("run_autograder").replace("@MODULE@", module),
        # otter's image shows setup.sh nothing but environment.yml and requirements.*, so all that it needs is
        # called so
        "requirements.txt": "".join(f"{line}\n" for line in wanted),
        "requirements.constraints.txt": "".join(f"{line}\n" for line in pins(wanted)),
        "requirements.flags": f"{pip_flags}\n",
        f"requirements.{name}": wheel,
    }
    if platform == "otter":
        files |= {
            "environment.yml": "# Not used: setup.sh installs with pip. otter's image wants the file.\n",
            "otter_config.json": _json(
                {
                    "plugins": [{PLUGIN: asdict(config)}],
                    "show_hidden": config.hidden != "hidden",
                    "logo": False,
                }
            ),
            "run_otter.py": _bundled("run_otter.py"),
            "files/README.md": NOTHING_HERE,
            "tests/README.md": (
                "Empty on purpose: no test runs beside student code. otter wants a file here.\n"
            ),
        }
    else:
        files["autograder_config.json"] = _json(asdict(config))
    return zip_bytes(files, executable={"setup.sh", "run_autograder"})


def package_files() -> dict[str, bytes]:
    """Every file of this package by its path in the wheel."""
    folder = Path(__file__).parents[1]
    return {
        f"autograder/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def package_digest() -> str:
    """Tells one state of the grading code from another; data, of which bundles may hold more, is left out."""
    digest = hashlib.sha256()
    for name, data in package_files().items():
        if name.startswith("autograder/data/"):
            continue
        digest.update(hashlib.sha256(name.encode()).digest() + hashlib.sha256(data).digest())
    return digest.hexdigest()[:16]


def make_wheel(data: Mapping[str, bytes] | None = None) -> tuple[str, bytes]:
    """The name and bytes of this package as a wheel, with the files that grading reads besides."""
    stem = f"{PROJECT.replace('-', '_')}-{__version__}"
    required = "".join(f"Requires-Dist: {line}\n" for line in direct_requirements([]))
    files: dict[str, str | bytes] = {
        **package_files(),
        **{f"autograder/data/{name}": content for name, content in (data or {}).items()},
    }
    files[f"{stem}.dist-info/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {PROJECT}\nVersion: {__version__}\nRequires-Python: >=3.11\n{required}"
    )
    files[f"{stem}.dist-info/WHEEL"] = (
        "Wheel-Version: 1.0\nGenerator: autograder bundle\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    files[f"{stem}.dist-info/entry_points.txt"] = "[console_scripts]\nautograder = autograder.cli.main:main\n"
    record = "".join(f"{name},{_record_hash(data)},{len(_bytes(data))}\n" for name, data in files.items())
    files[f"{stem}.dist-info/RECORD"] = f"{record}{stem}.dist-info/RECORD,,\n"
    return f"{stem}-py3-none-any.whl", zip_bytes(files)


def _record_hash(data: str | bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(_bytes(data)).digest()).rstrip(b"=").decode()


def direct_requirements(extras: Iterable[str]) -> list[str]:
    """What this package says that it needs, as pip takes it.

    Raises:
        RuntimeError: the package is not installed, so that nothing says so.
    """
    try:
        declared = [Requirement(line) for line in metadata.requires(PROJECT) or ()]
    except metadata.PackageNotFoundError:
        raise RuntimeError(
            f"{PROJECT} is not installed, so its requirements are not known: pip install -e ."
        ) from None
    chosen = [
        one
        for one in declared
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ["", *extras])
    ]
    return sorted(f"{_name(one.name)}{one.specifier}" for one in chosen)


def pins(requirements: Iterable[str]) -> list[str]:
    """The versions that this environment has of the requirements, for ``pip install -c``.

    What those need in turn is left to pip: pinning that too made images fail whenever an index lacked one
        release of it.
    """
    found = []
    for line in requirements:
        name = _name(Requirement(line).name)
        with contextlib.suppress(
            metadata.PackageNotFoundError
        ):  # otter need not be installed where a bundle is made
            found.append(f"{name}=={metadata.version(name).split('+')[0]}")
    return sorted(found)


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _bundled(name: str) -> str:
    return (Path(__file__).parent / "bundled" / name).read_text(encoding="utf-8")


def _json(value: object) -> str:
    return json.dumps(value, indent=1) + "\n"


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
