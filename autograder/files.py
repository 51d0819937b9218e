"""Writes files whole, zips with equal bytes for equal content, secrets for their owner alone, safe CSV."""

from __future__ import annotations

import contextlib
import os
import secrets
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from autograder.kit import handing_in

SECRET = 0o600  # for the owner alone


def write_atomically(path: Path, data: bytes, mode: int | None = None) -> None:
    """Writes a file whole or not at all; the next call overwrites a draft that a killed process left.

    Args:
        path: the file; its folder exists.
        data: its content.
        mode: its permissions, such as :data:`SECRET`; those of any new file if left out.

    Raises:
        OSError: it cannot be written; the error names the file, and an earlier version of it is kept.
    """
    draft = path.with_name(f".{path.name}.draft")
    try:
        if mode is None:
            draft.write_bytes(data)
        else:
            draft.unlink(missing_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
        os.replace(draft, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # on a full disk half a draft is in the way
            draft.unlink()
        # what a write or a close raises names no file
        raise type(error)(error.errno, error.strerror, os.fspath(path)) from None


def kept_secret(path: Path) -> str:
    """The secret text in a file, such as a seed; drawn and written for the owner alone if there is none."""
    if not path.is_file():
        write_atomically(path, f"{secrets.token_hex(16)}\n".encode(), SECRET)
    return path.read_text(encoding="utf-8").strip()


def zip_bytes(files: Mapping[str, str | bytes], executable: Iterable[str] = ()) -> bytes:
    """A zip that depends on nothing but its files: equal content gives equal bytes on every machine.

    It is not compressed: compressors differ between versions, and the whole is small.

    Args:
        files: name → content; text is written as UTF-8.
        executable: the names of those that can be run.
    """
    return handing_in.zip_bytes(files, executable, zipfile.ZIP_STORED)


def harmless(text: str) -> str:
    """A CSV cell that a spreadsheet does not take for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def points(number: float) -> str:
    """Points as people write them: 3, 2.5."""
    return f"{round(number, 2):g}"
