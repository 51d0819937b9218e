"""Reads the files of a zip or folder that somebody else made, within limits; nothing is unpacked to disk."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from autograder.submissions.find import IGNORED_FOLDERS

MAX_FILE_BYTES = 50_000_000  # a notebook may have 30 MB, a checkpoint 4
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


def read_zip(file: Path | IO[bytes]) -> Iterator[Found]:
    """Each ordinary file in a zip."""
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


def unpack(name: str, data: bytes) -> Iterator[Found]:
    """The files of a zip that a student handed in, or the file itself if it is none."""
    if not name.lower().endswith(".zip"):
        yield name, data, ""
        return
    try:
        yield from read_zip(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as error:
        yield name, b"", f"not a zip file that can be read: {error}"
