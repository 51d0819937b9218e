"""Writes files whole, zips with equal bytes for equal content, secrets for their owner alone, safe CSV."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import unicodedata
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from autograder.kit import handing_in

SECRET = 0o600  # for the owner alone
# what a terminal takes for a command, or what turns the direction of the text around it
UNSPEAKABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
HALF = re.compile(r"[\ud800-\udfff]")  # a part of a character, which no file can hold


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
        draft.unlink(missing_ok=True)  # should it be a link, nothing is written to where that leads
        if mode is None:
            draft.write_bytes(data)
        else:
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


def whole(text: str) -> str:
    """The text with halves of characters (lone surrogates) replaced by U+FFFD, so that UTF-8 can hold it."""
    if text.isascii() or HALF.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def encoded(text: str) -> bytes:
    """The text in UTF-8, whatever a submission put into it."""
    return whole(text).encode()


def speakable(text: str) -> str:
    """A name or a sentence of a submission, for a terminal: one line, and nothing in it is a command."""
    shown = UNSPEAKABLE.sub(lambda match: f"\\x{ord(match[0]):02x}", whole(text))
    return shown.replace("\n", " ").replace("\t", " ").replace("\u2028", " ").replace("\u2029", " ")


def speakable_lines(text: str) -> str:
    """Sentences for a terminal, in lines of their own: as :func:`speakable`, but for the ends of lines."""
    return "\n".join(map(speakable, text.split("\n")))


def quiet_parser() -> None:
    """Keeps Python's own remarks on the code of submissions, which quote it, off the terminal."""
    warnings.filterwarnings("ignore", module="<unknown>")  # the file name of what ast.parse is given


def same_name(text: str) -> str:
    """What two names have in common that people and file systems take for one: case and composition."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def plain_name(text: str, most: int) -> str:
    """A file name out of any text: letters with their marks, digits and ``_.() -`` stay, the rest is ``_``.

    Args:
        text: anything.
        most: bytes in UTF-8 at most; a longer name is cut between characters, never within one.
    """
    kept = "".join(character if _plain(character) else "\0" for character in text)
    return cut_to_bytes(re.sub(r"\0+", "_", kept), most).strip(". ")


def _plain(character: str) -> bool:
    """Whether a file name may hold it: combining marks and joiners are a part of many scripts' words."""
    return (
        character.isalnum()
        or character in "_.() -\u200c\u200d"
        or unicodedata.category(character) in ("Mn", "Mc", "Nl", "No")
    )


def cut_to_bytes(text: str, most: int) -> str:
    """The beginning of a text that takes so many bytes in UTF-8 at most: file systems count bytes."""
    data = encoded(text)
    return whole(text) if len(data) <= most else data[:most].decode(errors="ignore")


def harmless(text: str) -> str:
    """A CSV cell that a spreadsheet does not take for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def several(count: int, one: str, many: str = "") -> str:
    """How many there are, in words: "1 image", "2 images"."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def points(number: float) -> str:
    """Points as people write them: 3, 2.5."""
    return f"{round(number, 2):g}"
