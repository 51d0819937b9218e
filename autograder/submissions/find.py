"""Finds submissions in folders, zips and files. Everything here is untrusted.

Nothing is dropped silently: what looks like a submission but cannot be read becomes a submission with a
problem, and files that are none are listed.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from autograder import kit
from autograder.submissions.errors import SubmissionError
from autograder.submissions.notebook import read_notebook

MAX_ZIP_BYTES = 200_000_000  # unpacked, of one zip: a class of 200 with checkpoints of 1 MB
MAX_ZIP_FILES = 5_000
# checkpoints, of which a homework's declaration says which it reads, and files that the notebook imports
ATTACHMENTS = (".pt", ".pth", ".py")
IGNORED_FOLDERS = {"__MACOSX", ".ipynb_checkpoints", "__pycache__", ".git"}


@dataclass(frozen=True)
class Submission:
    """One student's hand-in for one homework, as bytes.

    Attributes:
        name: unique within a batch; from the folder or file name.
        notebook, log: the files' bytes, if there.
        attachments: file name → bytes.
        problem: why it cannot be read at all, in words; empty if it can.
        students: the ids of whose it is, where a class list says so; see :mod:`autograder.grade.variants`.
    """

    name: str
    notebook: bytes | None = None
    log: bytes | None = None
    attachments: Mapping[str, bytes] = field(default_factory=dict)
    problem: str = ""
    students: tuple[str, ...] = ()

    def digest(self) -> str:
        """A digest of everything that was handed in."""
        parts = [
            self.notebook or b"",
            self.log or b"",
            *(name.encode() + data for name, data in sorted(self.attachments.items())),
        ]
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


@dataclass(frozen=True)
class Found:
    """All submissions below the given paths, and the files that are none."""

    submissions: tuple[Submission, ...]
    ignored: tuple[str, ...]


_File = tuple[PurePosixPath, bytes]


def find(paths: Iterable[Path]) -> Found:
    """Collects submissions from folders, notebooks, logs and zips.

    A folder with one notebook is one submission, with the log and checkpoints beside it. A folder with
    several notebooks (as an LMS unpacks) has one submission each; a log belongs to the notebook whose name it
    begins with. A zip beside one notebook, of which it holds a copy or which it lacks, is part of that
    submission.

    Raises:
        FileNotFoundError: a path does not exist.
    """
    submissions: list[Submission] = []
    ignored: list[str] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file or folder")
        base = path if path.is_dir() else path.parent
        files = sorted(_walk(path)) if path.is_dir() else [path]
        loose: list[_File] = []
        zips: list[_File] = []
        for file in files:
            relative = PurePosixPath(file.relative_to(base).as_posix())
            if file.is_symlink() or not file.is_file():
                ignored.append(f"{relative} (not an ordinary file)")
            elif file.stat().st_size > MAX_ZIP_BYTES:
                submissions.append(
                    Submission(
                        flat_name(relative),
                        problem=f"{relative.name} is {file.stat().st_size / 1e6:.0f} MB, too large to read.",
                    )
                )
            elif file.suffix.lower() == ".zip":
                zips.append((relative, file.read_bytes()))
            else:
                loose.append((relative, file.read_bytes()))
        for relative, data in zips:
            submissions += _from_zip(relative, data, loose, ignored)
        submissions += _group(loose, ignored, path.stem if path.is_file() else path.name)
    return Found(tuple(_unique(submissions)), tuple(ignored))


def _walk(folder: Path) -> Iterator[Path]:
    for item in sorted(folder.iterdir()):
        if item.is_dir() and not item.is_symlink():
            if item.name not in IGNORED_FOLDERS:
                yield from _walk(item)
        elif not item.name.startswith("."):
            yield item


def _from_zip(path: PurePosixPath, data: bytes, loose: list[_File], ignored: list[str]) -> list[Submission]:
    """The submissions in a zip; none if its files belong to a notebook beside it."""
    name = flat_name(path)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = _unpack(archive, path.name)
    except SubmissionError as error:
        return [Submission(name, problem=str(error))]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as error:
        return [Submission(name, problem=f"{path.name} is not a zip file that can be read: {error}")]
    if _joins(path, files, loose):
        return []
    inside = list(_group(files, ignored, name))
    if not inside:
        return [Submission(name, problem=f"{path.name} holds no notebook and no {kit.LOG_NAME}.")]
    if len(inside) == 1:
        return [Submission(name, inside[0].notebook, inside[0].log, inside[0].attachments, inside[0].problem)]
    return [
        Submission(f"{name}-{one.name}", one.notebook, one.log, one.attachments, one.problem)
        for one in inside
    ]


def _unpack(archive: zipfile.ZipFile, what: str) -> list[_File]:
    """The files in a zip, with paths that lead nowhere else.

    Raises:
        SubmissionError: it is encrypted, or holds too much.
    """
    infos = [info for info in archive.infolist() if not info.is_dir()]
    infos = [info for info in infos if not IGNORED_FOLDERS & set(PurePosixPath(info.filename).parts)]
    if len(infos) > MAX_ZIP_FILES:
        raise SubmissionError(f"{what} holds {len(infos)} files; the limit is {MAX_ZIP_FILES}.")
    if any(info.flag_bits & 1 for info in infos):
        raise SubmissionError(f"{what} is encrypted.")
    files, remaining = [], MAX_ZIP_BYTES
    for info in infos:
        with archive.open(info) as member:
            content = member.read(remaining + 1)  # the size in the directory may lie
        remaining -= len(content)
        if remaining < 0:
            raise SubmissionError(f"{what} unpacks to more than {MAX_ZIP_BYTES / 1e6:.0f} MB.")
        path = PurePosixPath(info.filename.replace("\\", "/"))
        parts = [part for part in path.parts if part not in ("..", "/", ".")]
        if parts:
            files.append((PurePosixPath(*parts), content))
    return files


def _joins(path: PurePosixPath, files: list[_File], loose: list[_File]) -> bool:
    """Puts a zip's files beside the one notebook that lies with the zip, if they are that notebook's.

    Returns:
        Whether they are.
    """
    beside = {other: data for other, data in loose if other.parent == path.parent}
    notebooks = [data for other, data in beside.items() if other.suffix.lower() == ".ipynb"]
    inside = [data for other, data in files if other.suffix.lower() == ".ipynb"]
    rest = [
        (path.parent / other.name, data)
        for other, data in files
        if other.suffix.lower() in (".json", *ATTACHMENTS)
    ]
    if (
        len(notebooks) != 1
        or not (rest or inside)
        or any(not _same_cells(data, notebooks[0]) for data in inside)
    ):
        return False
    loose += [(other, data) for other, data in rest if other not in beside]
    return True


def _same_cells(one: bytes, other: bytes) -> bool:
    """Whether two notebooks differ in outputs only: the last cell makes the zip before its print is saved."""
    if one == other:
        return True
    try:
        return read_notebook(one).cells == read_notebook(other).cells
    except SubmissionError:
        return False


def _group(found: list[_File], ignored: list[str], root: str) -> Iterator[Submission]:
    folders: dict[PurePosixPath, list[_File]] = {}
    for path, data in found:
        folders.setdefault(path.parent, []).append((path, data))
    for folder, members in folders.items():
        notebooks = [(path, data) for path, data in members if path.suffix.lower() == ".ipynb"]
        logs = [(path, data) for path, data in members if path.suffix.lower() == ".json"]
        others = {path.name: data for path, data in members if path.suffix.lower() in ATTACHMENTS}
        ignored += [
            str(path) for path, _ in members if path.suffix.lower() not in (".ipynb", ".json", *ATTACHMENTS)
        ]
        alone = len(notebooks) == 1
        used: set[PurePosixPath] = set()
        for path, data in notebooks:
            mine = sorted(
                (pair for pair in logs if _is_log_of(pair[0], path, alone)),
                key=lambda pair: pair[0].name != kit.LOG_NAME,
            )
            used |= {other for other, _ in mine[:1]}
            files = {name: content for name, content in others.items() if alone or name.startswith(path.stem)}
            in_own_folder = alone and str(folder) not in (".", "")
            yield Submission(
                flat_name(folder) if in_own_folder else flat_name(path),
                data,
                mine[0][1] if mine else None,
                files,
            )
        for path, data in logs:
            if path in used:
                continue
            if notebooks and "log" not in path.stem.lower():
                ignored.append(str(path))
            else:
                yield Submission(
                    flat_name(path) if path.name != kit.LOG_NAME else flat_name(folder) or root, log=data
                )


def _is_log_of(log: PurePosixPath, notebook: PurePosixPath, alone: bool) -> bool:
    """Whether a JSON file is a notebook's log: it begins with its name, or is the only notebook's log."""
    return log.name.startswith(notebook.stem) or (alone and PurePosixPath(kit.LOG_NAME).stem in log.name)


def flat_name(path: PurePosixPath) -> str:
    """A flat, harmless name from a path: parts joined by a dash, strange characters replaced."""
    parts = [
        *path.parent.parts,
        path.stem if path.suffix.lower() in (".ipynb", ".zip", ".json") else path.name,
    ]
    return re.sub(r"[^\w.() -]+", "_", "-".join(part for part in parts if part not in (".", ""))).strip(". ")[
        :120
    ]


def _unique(submissions: Iterable[Submission]) -> Iterator[Submission]:
    taken: set[str] = set()
    for one in submissions:
        name, number = one.name or "submission", 2
        while name.lower() in taken:
            name, number = f"{one.name} ({number})", number + 1
        taken.add(name.lower())
        yield Submission(name, one.notebook, one.log, one.attachments, one.problem)
