"""Reads the files of a zip or folder that somebody else made, within limits, one at a time."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from autograder.submissions import archive
from autograder.submissions.find import IGNORED_FOLDERS

MAX_FILE_BYTES = 50_000_000  # a notebook may have 30 MB, a checkpoint 4
MAX_FILES = 100_000  # of a class
MAX_PATH = 4_096  # characters: systems have no longer paths, but a zip may have 65,535
Found = tuple[str, bytes, str]  # path, content, and what is wrong with it: empty if nothing is


def read_files(source: Path) -> Iterator[Found]:
    """Each ordinary file of a zip, or of the folder into which it was unpacked.

    Raises:
        ValueError: the source is neither a zip nor a folder.
    """
    if source.is_file():
        if not zipfile.is_zipfile(source):
            raise ValueError(f"{source} is neither a zip nor a folder")
        yield from read_zip(source)
        return
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(one for one in folders if one not in IGNORED_FOLDERS)
        within = Path(folder).relative_to(source)
        if len(within.parts) > archive.MAX_DEPTH:
            folders.clear()
            yield within.as_posix(), b"", "a folder too deep within folders"
            continue
        kept = archive.read_of([PurePosixPath(name) for name in names])
        for name in sorted(name for name in names if PurePosixPath(name) in kept):
            path = Path(folder) / name
            relative = path.relative_to(source).as_posix()
            try:
                if path.is_symlink() or not path.is_file():
                    yield relative, b"", "not an ordinary file"
                    continue
                large = path.stat().st_size > MAX_FILE_BYTES
                data = b"" if large else path.read_bytes()
            except OSError as error:  # such as a path that is longer than the system allows
                yield relative[:200], b"", f"cannot be read: {error.strerror}"
                continue
            yield relative, data, "too large" if large else ""


def read_zip(file: Path | IO[bytes]) -> Iterator[Found]:
    """Each ordinary file in a platform's zip; a member that cannot be read is said, the others go on."""
    archive.check_directory(file, MAX_FILES)
    try:
        opened = zipfile.ZipFile(file)
    except Exception as error:  # zipfile raises nearly anything for a damaged directory
        told = f"{file}: the zip cannot be read ({error}); download it again"
        raise ValueError(told) from None
    with opened:
        infos = opened.infolist()
        if len(infos) > MAX_FILES:
            raise ValueError(f"the zip holds {len(infos)} files; the limit is {MAX_FILES}")
        kept = archive.read_of([PurePosixPath(info.filename) for info in infos if not info.is_dir()])
        for info in infos:
            if info.is_dir() or PurePosixPath(info.filename) not in kept:
                continue
            if len(info.filename) > MAX_PATH or info.filename.count("/") > archive.MAX_DEPTH:
                yield info.filename[:200], b"", "a path too long"
                continue
            try:
                with opened.open(info) as member:
                    data = member.read(MAX_FILE_BYTES + 1)  # the size in the directory may lie
            except Exception as error:  # zipfile raises nearly anything for a damaged member
                yield info.filename, b"", f"cannot be read: {error}"
                continue
            large = len(data) > MAX_FILE_BYTES
            trouble = f"larger than {MAX_FILE_BYTES / 1e6:.0f} MB" if large else ""
            yield info.filename, b"" if large else data, trouble


def unpack(name: str, data: bytes) -> Iterator[Found]:
    """The files of a zip that a student handed in, those in its zips included, or the file itself.

    What can be graded comes with its content, everything else with the reason why it does not.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if archive.kind_of(path.name, data[: archive.SNIFFED]) != archive.ZIP:
        yield from _items([archive.read_stream(path, io.BytesIO(data))], "")
        return
    yield from _items([archive.read_zip(io.BytesIO(data), path, len(data))], "")


def _items(items: list[archive.Item] | tuple[archive.Item, ...], inside: str) -> Iterator[Found]:
    for item in items:
        name = f"{inside}{item.path}"
        if item.kind == archive.ZIP and not item.problem:
            yield from _items(item.items, f"{name}/" if inside else "")
        elif item.kind == archive.OTHER:
            yield name, b"", item.problem or "not a notebook, log or checkpoint"
        else:
            yield name, item.data, item.problem
