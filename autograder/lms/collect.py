"""Turns what learning platforms give into the folder that ``autograder grade`` takes, one sub-folder for each submission.

Who handed in what is told by the ids that the platform put into names and metadata, and kept in
``collected.csv``.
What does not follow the platform's naming is listed, never guessed. Everything read here is untrusted.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from autograder.submissions.find import IGNORED_FOLDERS

MANIFEST = "collected.csv"
WANTED = {
    ".ipynb",
    ".json",
    ".pt",
    ".pth",
}  # what a homework is handed in as; zips are unpacked, the rest is listed
MAX_FILE_BYTES = 50_000_000  # a notebook may have 30 MB, a checkpoint 4
MAX_TOTAL_BYTES = 5_000_000_000  # of one class
DAY = timedelta(days=1)

# jane's file in a Canvas zip: doejane_LATE_1234_56789_hw3-1.ipynb; -1 counts her uploads of that name
CANVAS = re.compile(r"(?P<who>\w+?)(?P<late>_LATE)?_(?P<id>[0-9]+)_(?P<file>[0-9]+)_(?P<name>.+)", re.DOTALL)
CANVAS_ANONYMOUS = re.compile(
    r"(?P<late>LATE_)?(?P<who>anon)_(?P<id>[A-Za-z0-9]+)_(?P<file>[0-9]+)_(?P<name>.+)", re.DOTALL
)
CANVAS_COUNTER = re.compile(r"-\d+(?=\.\w+$)")
# in a Moodle zip: "Jane Doe_4711_assignsubmission_file_/hw3.ipynb", or the same with no folders
MOODLE = re.compile(
    r"(?P<who>[^/]*?)_(?P<id>[0-9]+)_assignsubmission_(?P<kind>[a-z]+)_?/?(?P<name>.*)", re.DOTALL
)


@dataclass(frozen=True)
class Person:
    """One row of ``collected.csv``: a student, and the submission that counts for them.

    Attributes:
        submission: the folder's name, and the row in ``grades.csv``.
        source: ``canvas``, ``moodle``, ``github`` or ``gradescope``.
        id: the platform's id of the student.
        submitted: when, in ISO 8601; empty where the platform does not say.
        late: ``yes`` or ``no``; empty where nothing says so.
        late_days: days begun after the due time; empty where it is not known.
    """

    submission: str
    source: str
    id: str
    name: str = ""
    email: str = ""
    submitted: str = ""
    late: str = ""
    late_days: str = ""


@dataclass
class Collected:
    """What was found: people, each submission's files, and what was left alone with the reason."""

    people: list[Person] = field(default_factory=list)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    def add(self, submission: str, name: str, data: bytes) -> None:
        """Keeps a file of a submission, or says why not; a zip is unpacked."""
        own = self.files.setdefault(submission, {})
        for path, content, trouble in _unpacked(name, data):
            base = re.sub(r"[^\w.() -]", "_", PurePosixPath(path.replace("\\", "/")).name)
            if trouble or PurePosixPath(base).suffix.lower() not in WANTED:
                self.left.append(f"{submission}: {path} ({trouble or 'not a notebook, log or checkpoint'})")
                continue
            if own.get(base) == content:
                continue  # the same file beside the zip and in it
            stem, suffix, number = PurePosixPath(base).stem, PurePosixPath(base).suffix, 2
            while base in own:
                base, number = f"{stem} ({number}){suffix}", number + 1
            own[base] = content


def _unpacked(name: str, data: bytes) -> Iterator[tuple[str, bytes, str]]:
    if not name.lower().endswith(".zip"):
        yield name, data, ""
        return
    try:
        yield from _zip_files(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as error:
        yield name, b"", f"not a zip file that can be read: {error}"


def _zip_files(file: Any) -> Iterator[tuple[str, bytes, str]]:
    """Path, bytes and trouble of each ordinary file in a zip."""
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            parts = PurePosixPath(info.filename).parts
            if info.is_dir() or IGNORED_FOLDERS & set(parts) or not parts or parts[-1].startswith("."):
                continue
            with archive.open(info) as member:
                data = member.read(MAX_FILE_BYTES + 1)  # the size in the directory may lie
            yield (
                info.filename,
                data[:MAX_FILE_BYTES],
                f"larger than {MAX_FILE_BYTES / 1e6:.0f} MB" if len(data) > MAX_FILE_BYTES else "",
            )


def _files(source: Path) -> Iterator[tuple[str, bytes, str]]:
    """The same of a zip or of a folder into which it was unpacked."""
    if source.is_file():
        if not zipfile.is_zipfile(source):
            raise ValueError(f"{source} is neither a zip nor a folder")
        yield from _zip_files(source)
        return
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(one for one in folders if one not in IGNORED_FOLDERS)
        for name in sorted(names):
            path = Path(folder) / name
            if name.startswith(".") or path.is_symlink() or not path.is_file():
                continue
            large = path.stat().st_size > MAX_FILE_BYTES
            yield (
                path.relative_to(source).as_posix(),
                b"" if large else path.read_bytes(),
                "too large" if large else "",
            )


def folder_name(who: str, identity: str) -> str:
    """A sub-folder's name: the person's, then the id, which makes it unique."""
    readable = re.sub(r"\W+", "-", who).strip("-")[:60]
    return f"{readable}-{re.sub(r'[^A-Za-z0-9_.@-]', '_', identity)}".strip("-")


def canvas(source: Path) -> Collected:
    """A zip of Canvas' "Download Submissions". Canvas tells that something is late, not when it was handed in."""
    found, people = Collected(), {}
    for path, data, trouble in _files(source):
        name = PurePosixPath(path).name
        match = CANVAS_ANONYMOUS.fullmatch(name) or CANVAS.fullmatch(name)
        if match is None or trouble:
            found.left.append(f"{path} ({trouble or 'not named as Canvas does'})")
            continue
        submission = folder_name(match["who"], match["id"])
        people[submission] = Person(
            submission, "canvas", match["id"], match["who"], late="yes" if match["late"] else "no"
        )
        given = match["name"]
        if PurePosixPath(given).suffix.lower() != ".ipynb":
            given = CANVAS_COUNTER.sub("", given)  # the log and the checkpoint have names to be recognised by
        found.add(submission, given, data)
    found.people = list(people.values())
    return found


def moodle(source: Path) -> Collected:
    """A zip of Moodle's "Download all submissions", with or without folders."""
    found, people = Collected(), {}
    for path, data, trouble in _files(source):
        match = MOODLE.fullmatch(path)
        if match is None or trouble or match["kind"] != "file" or not match["name"]:
            found.left.append(f"{path} ({trouble or 'not a file named as Moodle does'})")
            continue
        submission = folder_name(match["who"], match["id"])
        people[submission] = Person(submission, "moodle", match["id"], match["who"])
        found.add(submission, match["name"], data)
    found.people = list(people.values())
    return found


def github(source: Path, prefix: str = "") -> Collected:
    """A folder of repositories, as GitHub Classroom's assistant clones them.

    Args:
        source: the folder.
        prefix: what every repository's name begins with before the user's name, such as ``homework-3-``.
    """
    if not source.is_dir():
        raise ValueError(f"{source} is not a folder of repositories")
    found = Collected()
    for repository in sorted(one for one in source.iterdir() if not one.name.startswith(".")):
        if not repository.is_dir() or repository.is_symlink() or not repository.name.startswith(prefix):
            found.left.append(f"{repository.name} (not a repository{f' called {prefix}…' if prefix else ''})")
            continue
        submission = folder_name(repository.name, "")
        found.files[submission] = {}
        found.people.append(
            Person(
                submission, "github", repository.name.removeprefix(prefix), submitted=_last_commit(repository)
            )
        )
        for path, data, trouble in _files(repository):
            if trouble:
                found.left.append(f"{submission}: {path} ({trouble})")
            else:
                found.add(submission, path, data)
    return found


def _last_commit(repository: Path) -> str:
    """The last commit's committer time; a student can set it to anything."""
    if not (repository / ".git").is_dir():
        return ""
    harmless = [
        "-c",
        "log.showSignature=false",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
    ]
    command = ["git", *harmless, "--no-pager", "-C", str(repository), "log", "-1", "--format=%cI"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return ""


def gradescope(source: Path) -> Collected:
    """A Gradescope export ("Download submissions"): zip or folder, with ``submission_metadata.yml``."""
    found, metadata = Collected(), None
    held: list[tuple[PurePosixPath, bytes, str]] = []
    for path, data, trouble in _files(source):
        if PurePosixPath(path).name == "submission_metadata.yml":
            metadata, root = _read_yaml(data), PurePosixPath(path).parent
        else:
            held.append((PurePosixPath(path), data, trouble))
    if metadata is None:
        raise ValueError(
            f"{source} holds no submission_metadata.yml, so nothing says whose submissions these are"
        )
    folders = set()
    for name, told in metadata.items():
        told = told if isinstance(told, dict) else {}
        submitters = [one for one in told.get(":submitters") or [] if isinstance(one, dict)]
        submission = folder_name(str(name), "")
        folders.add(str(name))
        found.files.setdefault(submission, {})
        if not submitters:
            found.left.append(f"{name} (the metadata names no submitter)")
        for one in submitters:
            email, sid = str(one.get(":email") or ""), str(one.get(":sid") or "")
            when = told.get(":created_at")
            submitted = when.isoformat() if isinstance(when, datetime) else ""
            found.people.append(
                Person(submission, "gradescope", sid or email, str(one.get(":name") or ""), email, submitted)
            )
    for where, data, trouble in held:
        inside = where.relative_to(root) if where.is_relative_to(root) else where
        if inside.parts[0] not in folders or len(inside.parts) < 2 or trouble:
            found.left.append(f"{where} ({trouble or 'no submission that the metadata knows'})")
        else:
            found.add(folder_name(inside.parts[0], ""), "/".join(inside.parts[1:]), data)
    return found


class _RubyLoader(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML has no types
    """YAML with Ruby's tags taken for what stands behind them."""


def _untagged(loader: _RubyLoader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value


_RubyLoader.add_multi_constructor("!ruby/", _untagged)


def _read_yaml(data: bytes) -> dict[Any, Any]:
    try:
        read = yaml.load(data.decode("utf-8-sig"), Loader=_RubyLoader)  # noqa: S506  # a SafeLoader
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"submission_metadata.yml cannot be read: {str(error)[:200]}") from None
    if not isinstance(read, dict):
        raise ValueError("submission_metadata.yml does not list submissions")
    return read


READERS: Mapping[str, Callable[[Path], Collected]] = {
    "canvas": canvas,
    "moodle": moodle,
    "github": github,
    "gradescope": gradescope,
}

# times ------------------------------------------------------------------------------------------------------


def read_time(text: str) -> datetime:
    """A time in ISO 8601, or as Moodle's grading worksheet writes it in English.

    Raises:
        ValueError: it is neither.
    """
    bare = " ".join(text.replace("\u202f", " ").split())
    for form in ("%A, %d %B %Y, %I:%M %p", "%A, %B %d, %Y, %I:%M %p"):
        try:
            return datetime.strptime(bare, form)
        except ValueError:
            continue
    return datetime.fromisoformat(bare)


def late_days(submitted: str, due: datetime, grace: timedelta = timedelta()) -> int:
    """Days begun after the due time: 0 on time or within the grace, 1 up to 24 hours after it, and so on.

    A time without a zone is taken to be in the due time's zone, and the other way round.
    """
    when = read_time(submitted)
    if (when.tzinfo is None) != (due.tzinfo is None):
        when, due = (
            (when.replace(tzinfo=due.tzinfo), due)
            if when.tzinfo is None
            else (when, due.replace(tzinfo=when.tzinfo))
        )
    return max(0, math.ceil((when - due) / DAY)) if when > due + grace else 0


def with_times(
    people: Iterable[Person], times: Mapping[str, str], due: datetime | None, grace: timedelta
) -> list[Person]:
    """The people with times from another file, by id, and late days where both times are known."""
    made = []
    for one in people:
        one = replace(one, submitted=times.get(one.id, one.submitted))
        if due is not None and one.submitted:
            days = late_days(one.submitted, due, grace)
            one = replace(one, late="yes" if days else "no", late_days=str(days))
        made.append(one)
    return made


def read_times(text: str) -> dict[str, str]:
    """Submission times by id, from Moodle's grading worksheet or a CSV with the columns ``id`` and ``submitted``.

    Raises:
        ValueError: it has neither kind of columns.
    """
    rows = list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))
    columns = set(rows[0]) if rows else set()
    if {"Identifier", "Last modified (submission)"} <= columns:
        pairs = [
            (row["Identifier"].split()[-1], row["Last modified (submission)"].strip())
            for row in rows
            if row["Identifier"].strip()
        ]
    elif {"id", "submitted"} <= columns:
        pairs = [(row["id"].strip(), row["submitted"].strip()) for row in rows]
    else:
        raise ValueError(
            "the times need the columns id and submitted, or those of Moodle's grading worksheet"
        )
    times = {identity: when for identity, when in pairs if when not in ("", "-")}
    for when in times.values():
        read_time(when)
    return times


# the folder -------------------------------------------------------------------------------------------------


def write(found: Collected, folder: Path) -> None:
    """Writes the sub-folders and ``collected.csv``.

    Raises:
        FileExistsError: the folder holds something already.
        ValueError: the class is larger than :data:`MAX_TOTAL_BYTES`.
    """
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; collect into a new folder")
    total = sum(len(data) for own in found.files.values() for data in own.values())
    if (
        total > MAX_TOTAL_BYTES
        or total > shutil.disk_usage(folder.parent if folder.parent.exists() else Path()).free
    ):
        raise ValueError(f"the submissions take {total / 1e9:.1f} GB")
    for submission, own in found.files.items():
        (folder / submission).mkdir(parents=True)
        for name, data in own.items():
            (folder / submission / name).write_bytes(data)
    folder.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [one.name for one in fields(Person)]
    writer.writerow(names)
    writer.writerows(
        [getattr(one, name) for name in names]
        for one in sorted(found.people, key=lambda one: (one.submission, one.id))
    )
    (folder / MANIFEST).write_text(text.getvalue(), encoding="utf-8")


def read_manifest(path: Path) -> list[Person]:
    """The people of a ``collected.csv``.

    Raises:
        ValueError: it is not one.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    names = {one.name for one in fields(Person)}
    if any(set(row) != names for row in rows):
        raise ValueError(f"{path} is not a {MANIFEST} that 'autograder collect' wrote")
    return [Person(**row) for row in rows]
